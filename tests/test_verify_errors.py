"""Every mistake in a spec as data (cases/spec_errors.yaml), mistakes in files, and hostile text."""

from __future__ import annotations

import builtins
import json
import os
import pathlib
import pickle
import re
import tracemalloc
import unicodedata
import zipfile
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from support import FORBIDDEN, HERE, Ran, Stream, run

from gradcheck.language.array_files import MAX_ELEMENTS
from gradcheck.networks.document import MAX_BYTES
from gradcheck.networks.spec import MAX_STEPS

ROWS = yaml.safe_load((HERE / "cases" / "spec_errors.yaml").read_text(encoding="utf-8"))
GOOD = 'gradcheck: 1\ninputs: {x: 3}\nnodes: {y: {expr: "x^2"}}\n'
BLOCK = re.compile(
    r"(?P<file>[^\n]*?):(?P<line>\d+):(?P<column>\d+): error: (?P<message>[^\n]*)\n"
    r" +\d+ \| (?P<shown>[^\n]*)\n +\| (?P<carets>[ ^]*)(?:\n  hint: (?P<hint>[^\n]*))?"
)


class Problem(NamedTuple):
    """One mistake as it is shown: its place, what the carets mark (cut at the window's end?), what is said."""

    line: int
    column: int
    marked: str
    cut: bool
    said: list[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the files that specs name, good and bad, and one file outside of it."""
    folder = tmp_path_factory.mktemp("specs") / "inside"
    (folder / "folder").mkdir(parents=True)
    np.save(folder / "w.npy", np.arange(6).reshape(2, 3) + 0.5)
    np.save(folder / "empty.npy", np.zeros((0, 2)))
    np.save(folder / "infinite.npy", np.array([1.0, np.inf]))
    np.save(folder / "complex.npy", np.array([1j]))
    np.save(folder / "texts.npy", np.array(["a"]))
    np.save(folder / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(folder / "two.npz", a=np.ones(2), b=np.ones(3))
    np.savez(folder / "objects.npz", a=np.array([{}], dtype=object))
    zipfile.ZipFile(folder / "none.npz", "w").close()
    (folder / "plain.pickle").write_bytes(pickle.dumps([1]))
    (folder / "damaged.npy").write_bytes((folder / "w.npy").read_bytes()[:-8])
    np.save(folder.parent / "outside.npy", np.ones(2))
    (folder / "link.npy").symlink_to("../outside.npy")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "fifo")
    return folder


def marked(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """Take the marks out of a spec; return it, and line, column and first line of what they enclose."""
    plain, opened, spans = "", [], []
    for character in text:
        if character == "⟦":
            opened.append(len(plain))
        elif character == "⟧":
            spans.append((opened.pop(), len(plain)))
        else:
            plain += character
    assert not opened
    found = []
    for start, end in sorted(spans):
        first = plain[start:end].split("\n")[0]
        found.append((plain.count("\n", 0, start) + 1, start - plain.rfind("\n", 0, start), first))
    return plain, found


def shown(done: Ran, file: str = "net.yaml") -> list[Problem]:
    """Return the mistakes that a run showed, and check that it showed nothing else."""
    found = []
    for block in BLOCK.finditer(done.err):
        assert block["file"] == file
        text, carets = columns(block["shown"]), block["carets"]
        first, end = carets.index("^"), len(carets)
        said = [block["message"], *([block["hint"]] if block["hint"] else [])]
        found.append(Problem(int(block["line"]), int(block["column"]), text[first:end], text[end:] == "…", said))
    rest = BLOCK.sub("", done.err).strip()
    assert rest == ("" if len(found) == 1 else f"{len(found)} errors in 1 file")
    return found


def columns(text: str) -> str:
    """Return a text with wide characters doubled: one character for each column of a terminal."""
    return "".join(c * 2 if unicodedata.east_asian_width(c) in "WF" else c for c in text)


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_mistake(row: dict[str, Any], folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text, places = marked(row["spec"])
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    done = run("verify", "net.yaml")
    assert done.status == 2
    assert bool(done.out) == row.get("beside", False), done
    assert not FORBIDDEN.search(done.err)
    problems = shown(done)
    assert [p.said for p in problems] == row["errors"]
    assert [(p.line, p.column) for p in problems] == [place[:2] for place in places]
    for problem, (_, _, under) in zip(problems, places, strict=True):
        whole = columns(under.replace("\t", " "))
        assert problem.marked == (whole[: len(problem.marked)] if problem.cut else whole)


def test_there_are_enough_rows_and_they_differ() -> None:
    assert len({row["case"] for row in ROWS}) == len(ROWS)
    assert len({error[0] for row in ROWS for error in row["errors"]}) > 200


def test_a_good_spec_has_no_mistakes(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that the rows refuse is refused for its own sake."""
    monkeypatch.chdir(folder)
    for given in ("{file: w.npy}", "{file: two.npz, key: a}", "{file: folder/../w.npy}", "[[1, 2], [3, 4]]"):
        done = run("verify", "-", stdin=f"gradcheck: 1\ninputs: {{x: {given}}}\nnodes: {{y: {{expr: 2*x}}}}".encode())
        assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("name", ["../outside.npy", "link.npy", "up/outside.npy", "ABSOLUTE"])
def test_files_elsewhere_must_be_allowed(name: str, folder: pathlib.Path) -> None:
    path = folder / "net.yaml"
    name = str(folder.parent / "outside.npy") if name == "ABSOLUTE" else name
    path.write_text(f"gradcheck: 1\ninputs: {{x: {{file: {name}}}}}\nnodes: {{y: {{expr: sum(x^2)}}}}\n")
    refused = run("verify", str(path))
    assert (refused.status, refused.out) == (2, "")
    assert f"`{name}` lies outside of the spec's folder" in refused.err
    assert run("verify", str(path), "--outside-files").status == 0


def test_a_link_within_the_folder_is_no_way_out(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A folder is what it is after links: one whose name only begins alike is another."""
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    np.save(tmp_path / "ab" / "x.npy", np.ones(2))
    (tmp_path / "a" / "net.yaml").write_text(GOOD.replace("x: 3", "x: {file: ../ab/x.npy}"))
    assert "lies outside" in run("verify", str(tmp_path / "a" / "net.yaml")).err
    (tmp_path / "link").symlink_to(tmp_path / "ab")
    (tmp_path / "ab" / "net.yaml").write_text(GOOD.replace("x: 3", "x: {file: x.npy}").replace("x^2", "sum(x^2)"))
    assert run("verify", str(tmp_path / "link" / "net.yaml")).status == 0


ELSEWHERE = [
    ("nothing there", "missing.yaml", "there is no file or directory `missing.yaml`", None),
    ("not a name", "a\0b", "there is no file or directory `a\\x00b`", None),
    ("a fifo", "fifo", "`fifo` is not a regular file", None),
    ("a device", "/dev/null", "`/dev/null` is not a regular file", None),
    ("a loop of links", "loop.yaml", "there is no file or directory `loop.yaml`", None),
    ("an empty file", "empty.yaml", "`empty.yaml` is empty", "`gradcheck init` prints a spec to begin with"),
    ("blanks", "blank.yaml", "`blank.yaml` is empty", "`gradcheck init` prints a spec to begin with"),
    ("a binary file", "w.npy", "`w.npy` is a binary file", "arrays are named in a spec: {file: data.npz, key: x}"),
    ("UTF-16", "wide.yaml", "`wide.yaml` is written in UTF-16 or UTF-32", "save it as UTF-8"),
    ("a huge file", "huge.yaml", f"`huge.yaml` is larger than {MAX_BYTES:,} bytes",
     "keep arrays in .npy or .npz files"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "message", "hint"), [r[1:] for r in ELSEWHERE], ids=[r[0] for r in ELSEWHERE])
def test_what_is_no_file_of_text(
    name: str, message: str, hint: str | None, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    if not os.path.lexists("loop.yaml"):
        os.symlink("loop.yaml", "loop.yaml")
    pathlib.Path("empty.yaml").write_bytes(b"")
    pathlib.Path("blank.yaml").write_bytes(b" \n\n")
    pathlib.Path("wide.yaml").write_bytes(GOOD.encode("utf-16"))
    with open("huge.yaml", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    done = run("verify", name)
    assert (done.status, done.out) == (2, "")
    assert done.err == f"error: {message}\n" + (f"  hint: {hint}\n" if hint else "")


def test_a_file_that_may_not_be_read(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "secret.yaml"
    path.write_text(GOOD)
    opening = builtins.open

    def guarded(file: Any, *arguments: Any, **more: Any) -> Any:
        if str(file) == str(path):
            raise PermissionError(13, "Permission denied")
        return opening(file, *arguments, **more)

    monkeypatch.setattr(builtins, "open", guarded)
    done = run("verify", str(path))
    assert (done.status, done.out) == (2, "")
    assert done.err == f"error: cannot read `{path}`: Permission denied\n"


def test_bytes_that_are_not_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "net.yaml").write_bytes(b"gradcheck: 1\nname: caf\xe9\n")
    done = run("verify", str(tmp_path / "net.yaml"))
    assert (done.status, done.out) == (2, "")
    assert "net.yaml:2:10: error: this byte is not UTF-8" in done.err
    assert "hint: save the file as UTF-8" in done.err


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.Stream", lambda data=b"", **more: None if data == b"closed" else Stream(data, **more))
    done = run("verify", "-", stdin=b"closed")
    assert (done.status, done.out, done.err) == (2, "", "error: standard input is closed\n")


def test_mistakes_of_several_files_by_name_and_place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.yaml").write_text(GOOD.replace("x^2", "x^2 + z").replace("{x: 3}", "{x: three, z: ~}"))
    (tmp_path / "a.yaml").write_text(GOOD.replace("expr", "exrp"))
    (tmp_path / "good.yaml").write_text(GOOD)
    for arguments in (["b.yaml", "good.yaml", "missing.yaml", "a.yaml"], ["missing.yaml", "."]):
        done = run("verify", *arguments)
        assert done.status == 2
        assert "good.yaml:1  good  y = 9  1 number  agree" in done.out
        listed = {line.removeprefix("./").partition("  error  ")[0] for line in done.out.splitlines()}
        assert {"a.yaml:3", "b.yaml:2"} <= listed
        heads = [line.partition(": error")[0].removeprefix("./") for line in done.err.splitlines() if ": error" in line]
        assert heads == ["a.yaml:3:12", "b.yaml:2:13", "b.yaml:2:23"]
        assert done.err.startswith("error: there is no file or directory `missing.yaml`\n\n")
        assert done.err.endswith("\n\n4 errors in 3 files\n")


def test_mistakes_hide_no_good_spec_and_no_good_spec_hides_mistakes(tmp_path: pathlib.Path) -> None:
    documents = (GOOD, GOOD.replace("expr", "exrp"), f"{GOOD}seed: 1\nseed: 2\n")
    (tmp_path / "net.yaml").write_text("---\n".join(documents))
    done = run("verify", str(tmp_path), "-o", "json")
    assert done.status == 2
    assert [check["line"] for check in done.report["checks"]] == [1]
    assert [(error["line"], error["column"]) for error in done.report["errors"]] == [(7, 12), (13, 1)]
    assert done.report["verdict"] == "error"
    assert "net.yaml:7:12: error: `y` has no type" in done.err


def test_reports_are_written_whatever_could_not_be_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "net.yaml").write_text(GOOD.replace("expr", "exrp"))
    table, data = tmp_path / "table.txt", tmp_path / "data.json"
    done = run("verify", str(tmp_path), "-o", f"table:{table}", "-o", f"json:{data}")
    assert (done.status, done.out) == (2, "")
    assert json.loads(data.read_text())["errors"][0]["message"].startswith("`y` has no type")
    assert "1 error: not everything could be read or computed. Exit status 2." in " ".join(table.read_text().split())


NOTHING = [
    ("an empty directory", {}, [], "no spec in DIR", "a spec is a .yaml file with a `gradcheck: 1` key"),
    ("no spec in it", {"a.yaml": "b: 1\n", "c.txt": GOOD}, [], "no spec in DIR",
     "a spec is a .yaml file with a `gradcheck: 1` key"),
    ("a hidden directory", {".h/a.yaml": GOOD}, [], "no spec in DIR",
     "a spec is a .yaml file with a `gradcheck: 1` key"),
    ("-k fits nothing", {"a.yaml": GOOD, "b.yaml": GOOD}, ["-k", "zz"], "no spec fits -k zz", "there are a, b"),
    ("-k fits a case only", {"a.yaml": GOOD}, ["-k", "A"], "no spec fits -k A", "there are a"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "options", "message", "hint"), [r[1:] for r in NOTHING], ids=[r[0] for r in NOTHING])
def test_nothing_to_check_is_no_success(
    files: dict[str, str], options: list[str], message: str, hint: str, tmp_path: pathlib.Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = run("verify", str(tmp_path), *options)
    assert (done.status, done.out) == (5, "")
    assert done.err == f"error: {message}\n  hint: {hint}\n".replace("DIR", str(tmp_path))


USAGE = [
    (["--wrt", "fc9.*"], "error: --wrt fc9.*: no spec has such a tensor\n  hint: there are x\n"),
    (["--wrt", "x,y"], "error: --wrt y: no spec has such a tensor\n  hint: there are x\n"),
    (["--wrt", " , "], "error: an empty list of names\n"),
    (["-o", "xml"], "error: -o xml: there is no format `xml`\n  hint: table, json\n"),
    (["-o", "jsn"], "error: -o jsn: there is no format `jsn`\n  hint: did you mean `json`?\n"),
    (["-o", "json:"], "error: -o json:: no path after the colon\n"),
    (["--seed", "-1"], "-1 is not in the range x>=0"),
    (["--seed", "x"], "'x' is not a valid integer range"),
    (["--frobnicate"], "No such option"),
    (["--at", "x=1"], "No such option"),
]


@pytest.mark.parametrize(("options", "said"), USAGE, ids=[" ".join(r[0]) for r in USAGE])
def test_mistakes_in_options(options: list[str], said: str) -> None:
    done = run("verify", "-", *options, stdin=GOOD.encode())
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


NASTY = [r"\e[31m", r"\a", r"\0", r"\r", r"\x9b2J", r"\u202e", r"\u200b", r"\uFEFF", r"\b", r"\u2028", r"\ud800"]
"""As escapes in a YAML text; the characters themselves are refused where YAML forbids them."""

TEMPLATES = [
    "gradcheck: 1\n{}: 2",
    "gradcheck: {}",
    "gradcheck: 1\nmode: {}",
    "gradcheck: 1\nname: {}\ninputs: {{x: 1}}\nnodes: {{y: {{expr: zz}}}}",
    "gradcheck: 1\ninputs: {{{}: 1}}",
    "gradcheck: 1\ninputs: {{x: {}}}",
    "gradcheck: 1\ninputs: {{x: {{file: {}}}}}",
    "gradcheck: 1\ninputs: {{x: {{value: 1, dtype: {}}}}}",
    "gradcheck: 1\ninputs: {{x: {{shape: [1], init: {}}}}}",
    "gradcheck: 1\ninputs: {{x: {{shape: [1], {}: 1}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nnodes: {{{}: {{expr: x}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nnodes: {{y: {{expr: {}}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nnodes: {{y: {{type: {}, inputs: x}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nnodes: {{y: {{type: Tanh, inputs: {}}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nnodes: {{y: {{type: Tanh, inputs: x, {}: 1}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nnodes: {{y: {{type: GELU, inputs: x, approximate: {}}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [{}]",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [{{name: {}, type: Tanh}}]",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\nparams: {{{}: 1}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\noutput: {}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\ncheck: {{wrt: {}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\nbackward: {{{}: x}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\nexpect: {{outputs: {{{}: 1}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\nops: {{{}: {{args: x, forward: x, backward: g}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\nops: {{f: {{args: {}, forward: x, backward: g}}}}",
    "gradcheck: 1\ninputs: {{x: 1}}\nlayers: [Tanh()]\nops: {{f: {{args: x, forward: {}, backward: g}}}}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_text_reaches_the_terminal_raw(template: str) -> None:
    for nasty in NASTY:
        done = run("verify", "-", stdin=template.format(f'"q{nasty}q"').encode())
        assert done.status == 2, (nasty, done)
        assert not FORBIDDEN.search(done.out + done.err), nasty
        assert "this is a bug" not in done.err


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x00", "\r", "\x9b", "\u202e", "\u200b", "\ufeff", "\x7f", "\u2028"]
)
def test_characters_themselves_are_shown_escaped(character: str, tmp_path: pathlib.Path) -> None:
    for template in TEMPLATES:
        text = template.format(f'"q{character}q"')
        done = run("verify", "-", stdin=text.encode())
        assert done.status == 2, done
        assert not FORBIDDEN.search(done.out + done.err)
        assert "this is a bug" not in done.err


@pytest.mark.parametrize("character", ["\x1b[31m", "\u202e", "\n", "\r"])
def test_names_of_files_are_shown_escaped(character: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / f"a{character}b.yaml"
    path.write_text(GOOD)
    for arguments, status in (([], 0), (["-k", "zz"], 5), (["-k", f"a{character[0]}", "--wrt", "zz"], 2)):
        done = run("verify", str(path), *arguments)
        assert done.status == status, done
        assert not FORBIDDEN.search(done.out + done.err)
    path.write_text(GOOD.replace("expr", "exrp"))
    done = run("verify", str(path))
    assert (done.status, done.out) == (2, "")
    assert not FORBIDDEN.search(done.err)
    assert len(done.err.splitlines()) == 4
    assert not FORBIDDEN.search(run("verify", str(tmp_path / character)).err)


LONG = "n" * 50_000


@pytest.mark.parametrize("template", TEMPLATES)
def test_long_names_leave_the_message_readable(template: str) -> None:
    done = run("verify", "-", stdin=template.format(LONG).encode())
    assert done.status in (0, 2), done
    assert max(map(len, done.err.splitlines()), default=0) < 1000


def test_names_in_other_scripts() -> None:
    text = "gradcheck: 1\ninputs: {größe: 2, 変数: 3}\nnodes: {β: {expr: größe*変数^2}}\n"
    report = run("verify", "-", "-o", "json", stdin=text.encode()).report
    (spec,) = report["checks"]
    assert {t["input"] for t in spec["tensors"]} == {"größe", "変数"}
    assert {g["input"]: g["backprop"] for g in spec["gradients"]} == {"größe": 9.0, "変数": 12.0}


TINY = [("1e-400", 0.0), ("1e-310", 1e-310), ("4.9e-324", 5e-324), ("-0.0", 0.0), ("1.7976931348623157e308", None)]


@pytest.mark.parametrize(("written", "gradient"), TINY)
def test_numbers_at_the_ends_of_float64(written: str, gradient: float | None) -> None:
    """What is too small for float64 is 0, as everywhere; what is near its end is a number like others."""
    text = f"gradcheck: 1\ninputs: {{x: {written}, y: 1.0}}\nnodes: {{z: {{expr: x*y}}}}\ncheck: {{wrt: y}}\n"
    done = run("verify", "-", "-o", "json", stdin=text.encode())
    (row,) = done.report["checks"][0]["gradients"]
    assert row["backprop"] == (float(written) if gradient is None else gradient)
    assert done.status == (5 if row["backprop"] == 0 else 0), done


IMAGE = "inputs: {x: {shape: [1, 1, 9, 9]}}\nlayers: "

HUGE = [
    "inputs: {x: {shape: [100000, 100000]}}\nnodes: {y: {expr: sum(x)}}",
    "inputs: {x: {shape: [999999999, 999999999, 999999999]}}\nnodes: {y: {expr: sum(x)}}",
    "inputs: {x: {shape: [9999999]}}\nnodes: {y: {expr: 'outer(x, x)'}}",
    "inputs: {x: [[1, 2]]}\nlayers: [{type: Linear, out_features: 2000000000}]",
    "inputs: {x: [[1, 2]]}\nlayers: ['Linear(2, 9999999)', 'Linear(9999999, 9999999)']",
    IMAGE + "[{type: Conv2d, out_channels: 1000000000, kernel_size: 3}]",
    IMAGE + "[{type: ZeroPad2d, padding: 100000000}]",
    IMAGE + "[{type: Upsample, scale_factor: 900}, {type: Upsample, scale_factor: 90}]",
    IMAGE + "[{type: Upsample, size: [99999, 99999]}]",
    IMAGE + "[{type: AdaptiveAvgPool2d, output_size: 100000000}]",
    IMAGE + "[{type: ConvTranspose2d, out_channels: 1, kernel_size: 2, stride: 99999999}]",
    IMAGE + "[{type: MaxPool2d, kernel_size: 2, dilation: 2000000000}]",
    "inputs: {i: {value: [0], dtype: int64}}\n"
    "nodes: {y: {type: Embedding, inputs: i, num_embeddings: 2000000000, embedding_dim: 9}}",
    "inputs: {x: [[1, 2]]}\nlayers: [{type: LSTMCell, hidden_size: 99999999}]",
    "inputs: {x: [[1, 2]]}\nlayers: [{type: MultiheadAttention, embed_dim: 2, num_heads: 2, kdim: 999999999}]",
    "inputs: {x: [[1, 2]]}\nlayers: [{type: BatchNorm1d, num_features: 2000000000}]",
    "inputs: {x: [[1, 2]]}\nlayers: [{type: chunk, chunks: 2000000000}]",
    "inputs: {x: [[1, 2]]}\nlayers: [{type: reshape, shape: [2000000000, 2000000000]}]",
    "inputs: {x: 2}\nnodes: {y: {expr: 'x^999999999'}}",
]  # fmt: skip


@pytest.mark.parametrize("text", HUGE, ids=[text.partition("\n")[2][:60] for text in HUGE])
def test_huge_sizes_cost_nothing(text: str) -> None:
    run("verify", "-", stdin=GOOD.encode())  # what is imported on first use is not counted
    tracemalloc.start()
    done = run("verify", "-", stdin=f"gradcheck: 1\n{text}\n".encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.status in (0, 2), done
    assert (done.status == 0) <= ("chunk" in text), done
    assert peak < 20_000_000
    assert "this is a bug" not in done.err


def test_huge_files_are_not_read(tmp_path: pathlib.Path) -> None:
    """A file larger than the limit, and a small archive that unpacks to more."""
    with open(tmp_path / "x.npy", "wb") as file:
        file.truncate(8 * MAX_ELEMENTS + 5000)
    with (
        zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as member,
    ):
        for _ in range(8 * MAX_ELEMENTS // 10**6 + 1):
            member.write(bytes(10**6))
    for name, said in (("x.npy", "has 80,005,000 bytes"), ("x.npz", "is too large")):
        (tmp_path / "net.yaml").write_text(GOOD.replace("x: 3", f"x: {{file: {name}}}"))
        tracemalloc.start()
        done = run("verify", str(tmp_path / "net.yaml"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (done.status, done.out) == (2, "")
        assert said in done.err.splitlines()[0]
        assert "net.yaml:2:20: " in done.err
        assert peak < 20_000_000


def test_too_many_layers() -> None:
    text = "gradcheck: 1\ninputs: {x: 1}\nlayers:\n" + "- Tanh()\n" * (MAX_STEPS + 1)
    done = run("verify", "-", stdin=text.encode())
    assert (done.status, done.out) == (2, "")
    assert f"error: more than {MAX_STEPS:,} layers" in done.err
    assert f"<stdin>:{MAX_STEPS + 4}:3: " in done.err


def test_mistakes_of_another_kind_are_not_cut_short(tmp_path: pathlib.Path) -> None:
    for k in range(30):
        (tmp_path / f"net{k:02}.yaml").write_text(GOOD.replace("expr", f"exrp{k}"))
    (tmp_path / "other.yaml").write_text("gradcheck: 1\ninputs: {x: [1, 2\n")
    done = run("verify", str(tmp_path))
    assert done.err.count("has no type") == 20
    assert "more like this one" in done.err
    assert "other.yaml:2:13: error: this `[` is not closed" in done.err


def test_many_mistakes_are_cut_short() -> None:
    text = "gradcheck: 1\ninputs: {x: 1}\nlayers:\n" + "- Tahn()\n" * 300
    done = run("verify", "-", stdin=text.encode())
    assert (done.status, done.out) == (2, "")
    assert done.err.count("unknown layer type 'Tahn'") == 20
    assert done.err.endswith("… and 280 more like this one\n\n300 errors in 1 file\n")
