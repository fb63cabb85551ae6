"""`gradcheck verify`: options, exit statuses and which of several counts, reports, files and directories."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
from support import ANSI, FORBIDDEN, HERE, Ran, Stream, run

import gradcheck
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.report import LISTED
from gradcheck.commands import watching

SPECS = {
    "agree": 'inputs: {x: [1.0, -2.0]}\nnodes: {y: {expr: "sum(x^2)"}}',
    "kink": "inputs: {x: [0, 1]}\nnodes: {y: {type: ReLU, inputs: x}}",
    "lossy": 'inputs: {x: 1e-9}\nnodes: {y: {expr: "(1 - cos(x))/x^2"}}',
    "not_exercised": 'inputs: {x: 3}\nnodes: {y: {expr: "0*x"}}',
    "inconclusive": 'inputs: {x: 0}\nnodes: {y: {expr: "where(x == 0, 0, x*sin(1/x))"}}',
    "disagree": (
        'inputs: {x: 3}\nops: {cube: {args: x, forward: "x^3", backward: "2*x^2*g"}}\n'
        "nodes: {y: {type: cube, inputs: x}}"
    ),
    "expects": 'inputs: {x: 3}\nnodes: {y: {expr: "x^2"}}\nexpect: {loss: 9.1, grads: {x: 6}}',
    "domain": 'inputs: {x: -1}\nnodes: {y: {expr: "log(x)"}}',
}
"""By the verdict that each deserves; `domain` has no value, `expects` the wrong one."""


def spec(name: str, body: str | None = None) -> str:
    return f"gradcheck: 1\nname: {name}\n{SPECS[name] if body is None else body}\n"


def several(*names: str) -> bytes:
    return "---\n".join(map(spec, names)).encode()


def piped(*names: str, options: tuple[str, ...] = ()) -> Ran:
    return run("verify", "-", *options, stdin=several(*names))


@pytest.mark.parametrize("name", [name for name in SPECS if name in SEVERITY])
def test_every_verdict_can_be_had(name: str) -> None:
    (found,) = piped(name, options=("-o", "json")).report["checks"]
    assert (found["spec"], found["verdict"], found["tensors"][0]["verdict"]) == (name, name, name)
    assert name in {row["verdict"] for row in found["gradients"]}


STATUSES = [
    ("agree", 0), ("kink", 0), ("lossy", 0), ("not_exercised", 5), ("inconclusive", 4), ("disagree", 1), ("expects", 1),
    ("domain", 2), ("agree kink lossy", 0), ("agree not_exercised", 5), ("kink lossy not_exercised agree", 5),
    ("agree inconclusive", 4), ("not_exercised inconclusive agree", 4), ("agree disagree", 1),
    ("inconclusive not_exercised disagree lossy", 1), ("not_exercised expects", 1), ("inconclusive expects", 1),
    ("domain agree", 2), ("disagree domain inconclusive not_exercised", 2),
    ("agree kink lossy not_exercised inconclusive disagree expects domain", 2),
]  # fmt: skip


@pytest.mark.parametrize(("names", "status"), STATUSES, ids=[row[0] for row in STATUSES])
def test_the_first_of_2_1_4_5_0_counts(names: str, status: int) -> None:
    words = names.split()
    done = piped(*words, options=("-o", "json"))
    assert done.status == done.report["exit_code"] == status
    # A spec outside of its domain hides none of the others.
    assert [check["spec"] for check in done.report["checks"]] == [word for word in words if word != "domain"]
    assert len(done.report["errors"]) == words.count("domain") == done.err.count("log is not defined here")
    for reversed_order in (words[::-1], sorted(words)):
        assert piped(*reversed_order).status == status


@pytest.mark.parametrize("name", [*SPECS])
def test_strict_accepts_nothing_but_agreement(name: str) -> None:
    status = {"agree": 0, "domain": 2}.get(name, 1)
    assert piped(name, options=("--strict",)).status == status
    assert piped("agree", name, options=("--strict",)).status == status


def test_a_spec_outside_its_domain_says_where() -> None:
    done = piped("agree", "domain", "disagree", options=("-o", "table", "-o", "json"))
    assert done.report["errors"] == [
        {
            "file": "<stdin>", "line": 9, "column": 20, "hint": "`log(x)` has no value at this point",
            "message": "log is not defined here: it needs x > 0, but x = -1",
        }
    ]  # fmt: skip
    assert done.err.startswith("<stdin>:9:20: error: log is not defined here: it needs x > 0, but x = -1\n")
    table = done.err.partition("has no value at this point\n")[2]
    assert all(word in table for word in ("agree", "disagree", "Exit status 2."))


# Which specs and tensors


TWO = {
    "nets/first.yaml": spec("agree").replace("name: agree\n", ""),
    "nets/second.yaml": spec("agree") + "---\n" + spec("kink"),
}
PATTERNS = [
    ("first", ["first"]), ("second.yaml", ["agree", "kink"]), ("agree", ["agree"]), ("e", ["first", "agree", "kink"]),
    ("kin?", ["kink"]), ("?gree", ["agree"]), ("*::k*", ["kink"]), ("*second.yaml::agree", ["agree"]),
    ("[ak]*", ["agree", "kink"]), ("a*e", ["agree"]), ("nets/second.yaml::kink", ["kink"]),
]  # fmt: skip


def written(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def specs_of(done: Ran) -> list[str]:
    return [check["spec"] for check in done.report["checks"]]


@pytest.mark.parametrize(("pattern", "chosen"), PATTERNS)
def test_k_chooses_by_name_and_file(
    pattern: str, chosen: list[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written(tmp_path, TWO))
    assert specs_of(run("verify", "nets", "-k", pattern, "-o", "json")) == chosen


NET = """\
gradcheck: 1
inputs: {x: [[0.5, -1.0]], t: {value: [2], dtype: int64}}
layers: ["(fc1): Linear(2, 3)", Tanh(), "(fc2): Linear(3, 3)"]
loss: {type: CrossEntropyLoss, target: t}
"""
ALL = ["x", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
WRT = [
    (None, "fc1.*", ALL[1:3]), (None, "x,fc2.bias", ["x", "fc2.bias"]), (None, "*.bias", ["fc1.bias", "fc2.bias"]),
    (None, "fc?.weight", ["fc1.weight", "fc2.weight"]), (None, "*", ALL), ("fc1.*", None, ALL[1:3]),
    ("[x, fc2.bias]", None, ["x", "fc2.bias"]), ("[fc2.*, x]", None, ["fc2.weight", "fc2.bias", "x"]),
    ("fc1.*", "*.bias", ["fc1.bias"]),
]  # fmt: skip


@pytest.mark.parametrize(("own", "option", "checked"), WRT)
def test_wrt_chooses_tensors(own: str | None, option: str | None, checked: list[str]) -> None:
    text = NET + (f"check: {{wrt: {own}}}\n" if own else "")
    options = ("--wrt", option) if option else ()
    done = run("verify", "-", *options, "-o", "json", stdin=text.encode())
    (found,) = done.report["checks"]
    assert [tensor["input"] for tensor in found["tensors"]] == checked
    assert {row["input"] for row in found["gradients"]} == set(checked)
    assert done.status == 0


def test_wrt_cannot_widen_what_a_spec_checks() -> None:
    text = NET + "check: {wrt: fc1.*}\n"
    done = run("verify", "-", "--wrt", "x", stdin=text.encode())
    assert (done.status, done.out) == (2, "")
    assert "--wrt x: no spec has such a tensor" in done.err


def test_wrt_passes_over_specs_that_lack_the_tensor() -> None:
    done = run("verify", "-", "--wrt", "fc2.bias", "-o", "json", stdin=several("agree") + b"---\n" + NET.encode())
    assert done.status == 0
    assert [check["line"] for check in done.report["checks"]] == [6]


def test_quiet_shows_only_what_is_not_right() -> None:
    done = piped("agree", "disagree", "kink", "expects", "not_exercised", options=("-q",))
    heads = [line for line in done.out.splitlines() if line.startswith("<stdin>:")]
    assert [re.split("  +", head)[1] for head in heads] == ["disagree", "expects", "not_exercised"]
    assert "of 5 specs in 1 file" in done.out
    alone = piped("agree", "kink", options=("-q",))
    assert alone.status == 0
    assert alone.out.startswith("Checked 4 numbers of 2 specs in 1 file: 1 kink, 3 agree.")
    strict = piped("agree", "kink", options=("-q", "--strict"))
    assert "bend" not in strict.out
    assert [line for line in strict.out.splitlines() if line.startswith("<stdin>:")] == [
        line for line in piped("agree", "kink").out.splitlines() if line.startswith("<stdin>:6")
    ]


@pytest.mark.parametrize("first", ["disagree", "expects", "inconclusive", "not_exercised", "domain"])
def test_fail_fast_stops_at_the_first_failure(first: str) -> None:
    done = piped("agree", first, "agree", "disagree", options=("--fail-fast", "-o", "table", "-o", "json"))
    assert done.status == piped(first).status
    assert specs_of(done) == ["agree", first][: 1 if first == "domain" else 2]
    assert "Stopped at the first failure." in done.err.replace("\n", " ")


@pytest.mark.parametrize("names", [("agree", "kink"), ("agree", "kink", "disagree"), ("agree",)])
def test_fail_fast_leaves_nothing_out_where_nothing_follows(names: tuple[str, ...]) -> None:
    assert piped(*names, options=("--fail-fast",)) == piped(*names)


# Large networks


LARGE = """\
gradcheck: 1
name: large
inputs: {x: {shape: [8, 100]}, t: {value: [0, 1, 2, 0, 1, 2, 0, 1], dtype: int64}}
layers:
- {name: fc1, type: Linear, out_features: 101}
- {name: act, type: ReLU}
- {name: fc2, type: Linear, out_features: 3}
loss: {type: CrossEntropyLoss, target: t}
"""
SIZE = 8 * 100 + 101 * 100 + 101 + 3 * 101 + 3


def test_large_networks_list_only_what_is_not_plain_agreement() -> None:
    assert SIZE > LISTED
    (found,) = run("verify", "-", "-o", "json", stdin=LARGE.encode()).report["checks"]
    counts: dict[str, int] = {}
    for tensor in found["tensors"]:
        assert sum(tensor["counts"].values()) == tensor["numbers"]
        for word, count in tensor["counts"].items():
            counts[word] = counts.get(word, 0) + count
    assert set(counts) == {"agree", "not_exercised"}
    assert found["numbers"] == sum(counts.values()) == SIZE
    rows = found["gradients"]
    assert found["listed"] == len(rows) < LISTED
    assert sum(row["verdict"] == "not_exercised" for row in rows) == counts["not_exercised"]
    # Of what agrees the worst number of each tensor is listed.
    agreeing = [row["input"] for row in rows if row["verdict"] == "agree"]
    idle = {row["input"] for row in rows if row["verdict"] == "not_exercised"}
    assert agreeing == [t["input"] for t in found["tensors"] if t["input"] not in idle]


def test_small_networks_list_every_number() -> None:
    (found,) = run("verify", "-", "-o", "json", stdin=NET.encode()).report["checks"]
    assert found["listed"] == found["numbers"] == len(found["gradients"]) == 2 + 6 + 3 + 9 + 3
    indices = [row["index"] for row in found["gradients"] if row["input"] == "fc1.weight"]
    assert indices == [[k, n] for k in range(3) for n in range(2)]


def test_the_seed_chooses_directions_and_nothing_else() -> None:
    def gradients(seed: int, *options: str) -> Any:
        report = run("verify", "-", "--seed", str(seed), "-o", "json", *options, stdin=NET.encode()).report
        return [(row["input"], row["index"], row["backprop"]) for row in report["checks"][0]["gradients"]]

    assert gradients(0) == gradients(1) == gradients(2, "--exhaustive")


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("options", [(), ("--seed", "7"), ("--exhaustive",)], ids=str)
@pytest.mark.parametrize("text", [NET, LARGE], ids=["small", "large"])
def test_the_same_run_writes_the_same_bytes(text: str, options: tuple[str, ...], form: str) -> None:
    assert run("verify", "-", *options, "-o", form, stdin=text.encode()) == run(
        "verify", "-", *options, "-o", form, stdin=text.encode()
    )


def test_another_process_writes_the_same_bytes() -> None:
    """Neither the order of sets nor the seed of hashes shows."""
    command = [sys.executable, "-m", "gradcheck", "verify", "-", "-o", "json"]
    outputs = {
        subprocess.run(
            command, input=NET.encode(), capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop()) == run("verify", "-", "-o", "json", stdin=NET.encode()).report


def test_exhaustive_moves_every_number() -> None:
    plain = run("verify", "-", "-o", "json", stdin=LARGE.encode()).report["checks"][0]
    found = run("verify", "-", "--exhaustive", "-o", "json", stdin=LARGE.encode()).report["checks"][0]
    assert "every number end to end" in found["method"]
    assert "every number end to end" not in plain["method"]
    assert [t["counts"] for t in found["tensors"]] == [t["counts"] for t in plain["tensors"]]
    for tensor, before in zip(found["tensors"], plain["tensors"], strict=True):
        assert tensor["covered"]["finite_difference"] == tensor["numbers"]
        # More evidence is no weaker evidence.
        assert tensor["caught"] <= before["caught"]


WRONG_LARGE = LARGE.replace("type: ReLU", "type: bent") + (
    'ops: {bent: {args: x, forward: "x*sigmoid(x)", backward: "g*sigmoid(x)"}}\n'
)


@pytest.mark.parametrize("options", [(), ("--exhaustive",)])
def test_a_wrong_rule_is_caught_in_a_large_network_and_named(options: tuple[str, ...]) -> None:
    done = run("verify", "-", *options, stdin=WRONG_LARGE.encode())
    assert done.status == 1
    assert "the backward rule of bent of `act` is wrong (<stdin>:6:3)" in " ".join(done.out.split())
    right = WRONG_LARGE.replace('"g*sigmoid(x)"', '"g*(out + sigmoid(x)*(1 - out))"')
    assert run("verify", "-", *options, stdin=right.encode()).status == 0


# Reports


KEYS = [
    "file", "line", "spec", "value", "differentiated", "verdict", "method", "tensors", "listed", "numbers",
    "gradients", "expect", "rules", "notes",
]  # fmt: skip


def test_json_has_exactly_the_promised_keys() -> None:
    report = piped("agree", options=("-o", "json")).report
    assert list(report) == ["gradcheck", "verdict", "exit_code", "checks", "errors"]
    assert (report["gradcheck"], report["verdict"], report["exit_code"], report["errors"]) == (1, "agree", 0, [])
    (found,) = report["checks"]
    assert list(found) == KEYS
    assert (found["file"], found["line"], found["spec"], found["value"]) == ("<stdin>", 1, "agree", 5.0)
    (tensor,) = found["tensors"]
    assert tensor == {
        "input": "x", "shape": [2], "line": 3, "numbers": 2, "verdict": "agree", "counts": {"agree": 2},
        "covered": {"backprop": 2, "symbolic": 2, "finite_difference": 2}, "caught": tensor["caught"],
    }  # fmt: skip
    assert 0 < tensor["caught"] < 1e-14
    rows = found["gradients"]
    expr = run("expr", "sum(x^2)", "--at", "x=[1,-2]", "-o", "json").report["checks"][0]["gradients"]
    assert [list(row) for row in rows] == [list(row) for row in expr]
    assert [(row["input"], row["index"], row["backprop"], row["verdict"]) for row in rows] == [
        ("x", [0], 2.0, "agree"), ("x", [1], -4.0, "agree")
    ]  # fmt: skip


def test_expectations_are_in_the_report() -> None:
    (found,) = piped("expects", options=("-o", "json")).report["checks"]
    assert found["verdict"] == "disagree"
    assert found["tensors"][0]["verdict"] == "agree"
    assert found["expect"] == [
        {"what": "loss", "line": 5, "column": 16, "reason": "the loss is 9.0, expected 9.1"}
    ]  # fmt: skip
    assert "<stdin>:5:16: disagree: the loss is 9.0, expected 9.1" in piped("expects").out


def test_wrong_rules_of_own_ops_are_in_the_report() -> None:
    (found,) = piped("disagree", options=("-o", "json")).report["checks"]
    assert [(row["backprop"], row["symbolic"]) for row in found["gradients"]] == [(18.0, 27.0)]
    assert found["rules"]
    assert "the backward rule of cube of `y` is wrong" in json.dumps(found, ensure_ascii=False)


NAN = 'gradcheck: 1\ninputs: {x: 0, y: 0}\nnodes: {z: {expr: "sqrt(x^2 + y^2)^2"}}\n'


def test_numbers_that_json_lacks_are_strings() -> None:
    done = run("verify", "-", "-o", "json", stdin=NAN.encode())
    (found,) = json.loads(done.out, parse_constant=pytest.fail)["checks"]
    assert [row["backprop"] for row in found["gradients"]] == ["nan", "nan"]
    assert done.status == 1
    assert "it is not a number" in run("verify", "-", stdin=NAN.encode()).out


def test_a_nan_that_spreads_blames_no_built_in_rule() -> None:
    done = run("verify", "-", stdin=NAN.encode())
    assert "it comes from sqrt of `z`" in " ".join(done.out.split())
    assert "is wrong (" not in done.out


def test_json_is_alone_on_standard_output(tmp_path: pathlib.Path) -> None:
    plain = piped("agree", "kink", options=("-o", "json"))
    assert plain.err == ""
    assert len(plain.out.splitlines()) == 1
    both = piped("agree", "kink", options=("-o", "table", "-o", "json"))
    assert both.report == plain.report
    assert both.err == piped("agree", "kink").out
    path = tmp_path / "report.json"
    done = piped("agree", "kink", options=("-o", "table", "-o", f"json:{path}"))
    assert (done.out, done.err) == (both.err, "")
    assert json.loads(path.read_text(encoding="utf-8")) == plain.report
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_table_can_go_to_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "table.txt"
    done = piped("agree", "kink", options=("-o", f"table:{path}", "-o", "json"))
    assert path.read_text(encoding="utf-8") == piped("agree", "kink").out
    assert done.report["verdict"] == "kink"


def test_a_report_that_cannot_be_written_is_a_mistake(tmp_path: pathlib.Path) -> None:
    done = piped("agree", options=("-o", f"json:{tmp_path / 'no' / 'such' / 'place'}"))
    assert (done.status, done.out) == (2, "")
    assert "cannot write" in done.err


def test_names_are_shown_escaped_in_reports(tmp_path: pathlib.Path) -> None:
    text = spec("agree").replace("name: agree", r'name: "a\e[31m\u202eb"')
    path = tmp_path / "e\x1b[1mf.yaml"
    path.write_text(text)
    for form in ("table", "json"):
        done = run("verify", str(path), "-o", form)
        assert done.status == 0
        assert not FORBIDDEN.search(done.out + done.err)
    assert specs_of(run("verify", str(path), "-o", "json")) == ["a\x1b[31m\u202eb"]


def test_output_without_unicode() -> None:
    done = run("verify", "-", stdin=several("agree", "kink", "lossy"), encoding="ascii")
    assert done.status == 0
    assert done.out.isascii()
    assert "agree" in done.out


# Files


def test_documents_of_one_file_are_specs_of_their_own(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("# first\n---\n" + "---\n".join(["gradcheck: 1\n" + SPECS["agree"] + "\n", spec("kink")]) + "...\n")
    report = run("verify", str(path), "-o", "json").report
    assert [(check["spec"], check["line"]) for check in report["checks"]] == [("net-1", 3), ("kink", 7)]
    assert "2 specs in 1 file" in run("verify", str(path)).out.replace("\n", " ")


def test_json_is_yaml_too() -> None:
    text = json.dumps({"gradcheck": 1, "inputs": {"x": [1, 2]}, "nodes": {"y": {"expr": "sum(x^2)"}}}, indent=2)
    for data in (text, json.dumps(json.loads(text)), "\ufeff" + text):
        done = run("verify", "-", "-o", "json", stdin=data.encode())
        assert [row["backprop"] for row in done.report["checks"][0]["gradients"]] == [2, 4]


TREE = {
    "b.yaml": spec("agree", SPECS["agree"]).replace("name: agree", "name: b"),
    "a.yml": spec("agree").replace("name: agree", "name: a"),
    "sub/c.yaml": spec("agree").replace("name: agree", "name: c"),
    "sub/deep/d.yaml": spec("agree").replace("name: agree", "name: d"),
    "json.yaml": '{"gradcheck": 1, "name": "json", "inputs": {"x": 1}, "nodes": {"y": {"expr": "x^2"}}}',
    "quoted.yaml": '"gradcheck": 1\n"name": "quoted"\ninputs: {x: 1}\nnodes: {y: {expr: "x^2"}}\n',
    "later.yaml": "# a comment\n\nname: later\ninputs: {x: 1}\nnodes: {y: {expr: x^2}}\ngradcheck: 1\n",
    ".hidden/e.yaml": spec("disagree"),
    "sub/.git/f.yaml": spec("disagree"),
    "jobs.yaml": "jobs:\n  gradcheck:\n    steps: []\n",
    "compose.yaml": "services: {web: {image: x}}\n",
    "broken.yaml": "a: [1, 2\n",
    "mentions.yaml": "text: this speaks of gradcheck without a key\n",
    "notes.txt": spec("disagree"),
    "net.yaml.bak": spec("disagree"),
    "net.json": spec("disagree"),
}


def test_a_directory_is_searched_for_specs(tmp_path: pathlib.Path) -> None:
    done = run("verify", str(written(tmp_path, TREE)), "-o", "json")
    assert done.status == 0, done
    files = [os.path.relpath(check["file"], tmp_path) for check in done.report["checks"]]
    assert files == ["a.yml", "b.yaml", "json.yaml", "later.yaml", "quoted.yaml", "sub/c.yaml", "sub/deep/d.yaml"]


def test_a_broken_spec_in_a_directory_is_not_passed_over(tmp_path: pathlib.Path) -> None:
    written(tmp_path, {**TREE, "zz.yaml": "gradcheck: 1\ninputs: {x: [1, 2\n"})
    done = run("verify", str(tmp_path), "-o", "json")
    assert done.status == 2
    assert len(done.report["checks"]) == 7
    assert [os.path.basename(error["file"]) for error in done.report["errors"]] == ["zz.yaml"]
    assert "zz.yaml:2:13: error: " in done.err


def test_a_named_file_needs_no_suffix_and_must_be_a_spec(tmp_path: pathlib.Path) -> None:
    written(tmp_path, TREE)
    assert run("verify", str(tmp_path / "notes.txt")).status == 1
    assert run("verify", str(tmp_path / ".hidden")).status == 1
    done = run("verify", str(tmp_path / "compose.yaml"))
    assert (done.status, done.out) == (2, "")
    assert "compose.yaml:1:1: error: this is not a spec" in done.err


def test_links_in_directories(tmp_path: pathlib.Path) -> None:
    """A loop of links ends, and what is there twice is checked once."""
    written(tmp_path, {"nets/a.yaml": spec("agree")})
    (tmp_path / "nets" / "loop").symlink_to("..")
    (tmp_path / "nets" / "same.yaml").symlink_to("a.yaml")
    done = run("verify", str(tmp_path), str(tmp_path / "nets"), "-o", "json")
    assert done.status == 0
    assert [os.path.relpath(check["file"], tmp_path) for check in done.report["checks"]] == ["nets/a.yaml"]
    (tmp_path / "nets" / "gone.yaml").symlink_to("missing.yaml")
    done = run("verify", str(tmp_path), "-o", "json")
    assert (done.status, specs_of(done)) == (2, ["agree"])
    assert "gone.yaml`: No such file or directory" in done.err


def test_what_is_no_file_in_a_directory_blocks_nothing(tmp_path: pathlib.Path) -> None:
    written(tmp_path, {"a.yaml": spec("agree"), "folder.yaml/b.yaml": spec("kink")})
    assert specs_of(run("verify", str(tmp_path), "-o", "json")) == ["agree", "kink"]
    os.mkfifo(tmp_path / "fifo.yaml")
    done = run("verify", str(tmp_path), "-o", "json")
    assert (done.status, specs_of(done)) == (2, ["agree", "kink"])
    assert "fifo.yaml` is not a regular file" in done.err


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"name: caf\xe9\n", b"\x00\x01", b"a: 1\n" * 4_000_000], ids=lambda d: repr(d[:9])
)
def test_what_others_keep_in_a_directory_is_passed_over(data: bytes, tmp_path: pathlib.Path) -> None:
    written(tmp_path, {"b.yaml": spec("agree")})
    (tmp_path / "a.yaml").write_bytes(data)
    done = run("verify", str(tmp_path), "-o", "json")
    assert (done.status, done.err) == (0, "")
    assert specs_of(done) == ["agree"]
    assert run("verify", str(tmp_path / "a.yaml")).status == 2


def test_files_come_in_the_order_given(tmp_path: pathlib.Path) -> None:
    written(tmp_path, TREE)
    paths = [str(tmp_path / name) for name in ("sub/c.yaml", "a.yml", "b.yaml")]
    assert specs_of(run("verify", *paths, "-o", "json")) == ["c", "a", "b"]
    mixed = run("verify", paths[2], "-", paths[1], "-o", "json", stdin=several("kink"))
    assert specs_of(mixed) == ["b", "kink", "a"]


def test_the_specs_in_the_repository(tmp_path: pathlib.Path) -> None:
    done = run("verify", str(HERE.parent / "specs"), "-q")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Checked ")


# From Python


def test_python_gets_the_report_of_the_command(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, {"a.yaml": several("agree", "disagree").decode(), "b.yaml": spec("kink")})
    report = gradcheck.verify(str(path))
    assert report.to_dict() == run("verify", str(path), "-o", "json").report
    assert (report.verdict, report.exit_code) == ("disagree", 1)
    assert [found.spec for found in report.checks] == ["agree", "disagree", "kink"]
    chosen = gradcheck.verify([str(path / "b.yaml")], strict=True, wrt=("x",))
    assert chosen.to_dict() == run("verify", str(path / "b.yaml"), "--strict", "--wrt", "x", "-o", "json").report
    assert gradcheck.verify(str(path), pattern="ag*").exit_code == 0
    stopped = gradcheck.verify(str(path), fail_fast=True)
    assert [found.spec for found in stopped.checks] == ["agree", "disagree"]


def test_mistakes_are_in_the_report(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, {"a.yaml": spec("agree").replace("expr", "exrp"), "b.yaml": spec("agree")})
    report = gradcheck.verify(str(path))
    (failure,) = report.failures
    assert str(failure) == run("verify", str(path)).err.rstrip("\n")
    assert ([check.spec for check in report.checks], report.verdict, report.exit_code) == (["agree"], "error", 2)
    with pytest.raises(gradcheck.GradcheckError, match="no spec in"):
        gradcheck.verify(str(written(tmp_path / "empty", {"b.txt": ""})))


# Terminals


def test_80_columns() -> None:
    names = ("encoder.layers.0.self_attn.out_proj", "a", "decoder_with_a_rather_long_name")
    layers = "".join(f"- {{name: {name}, type: Linear, out_features: 2}}\n" for name in names)
    net = "gradcheck: 1\ninputs: {x: [[0.5, -1]]}\nlayers:\n" + layers
    images = (
        "gradcheck: 1\nname: a picture goes through a convolution of many channels, which takes a wide table\n"
        "inputs: {x: {shape: [1, 1, 9, 9]}}\nlayers: [{name: conv, type: Conv2d, out_channels: 2, kernel_size: 3}]\n"
    )
    everything = "---\n".join([*(spec(name) for name in SPECS), net, images, LARGE, WRONG_LARGE])
    for terminal in (False, True):
        done = run("verify", "-", stdin=everything.encode(), terminal=terminal)
        assert done.status == 2
        lines = ANSI.sub("", done.out).splitlines()
        assert len(lines) > 100
        assert [line for line in lines if len(line) > 80] == []


def test_words_that_cannot_be_broken_stay_whole() -> None:
    name = "n" * 120
    text = f"gradcheck: 1\ninputs: {{{name}: [1, 2]}}\nnodes: {{y: {{expr: sum({name}^2)}}}}\n"
    done = run("verify", "-", "-v", stdin=text.encode())
    assert done.status == 0
    assert name in done.out


def test_colours_only_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    names = ("agree", "kink", "disagree")
    done = run("verify", "-", stdin=several(*names), terminal=True)
    assert "\x1b[32m" in done.out  # agree is green
    assert "\x1b[1;31m" in done.out  # disagree is bold red
    assert ANSI.sub("", done.out) == piped(*names).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", run("verify", "-", stdin=several(*names), terminal=True).out)
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in run("verify", "-", stdin=several(*names), terminal=True).out


class Watched(Stream):
    """A stream that is a terminal, whichever it is."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_to_a_person_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("agree", "kink", "lossy", "agree")
    monkeypatch.setattr(watching, "PATIENCE", 0.0)
    assert run("verify", "-", stdin=several(*names)).err == ""
    monkeypatch.setattr("support.Stream", Watched)
    shown = run("verify", "-", "-o", "json", stdin=several(*names))
    assert len(shown.report["checks"]) == 4
    assert "3/4" in ANSI.sub("", shown.err)
    assert shown.err.endswith("\x1b[2K"), "the line is taken away"
    monkeypatch.setattr(watching, "PATIENCE", 100.0)
    assert run("verify", "-", stdin=several(*names)).err == ""


def test_progress_is_taken_away_when_a_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.0)
    monkeypatch.setattr("support.Stream", Watched)
    done = run("verify", "-", stdin=several("domain", "agree"))
    assert done.status == 2
    progress, _, error = done.err.rpartition("\x1b[2K")
    assert "2" in progress
    assert error.startswith("<stdin>:4:20: error: log is not defined here")


def test_a_crash_is_called_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr("gradcheck.checking.check.check_place", broken)
    done = piped("agree")
    assert (done.status, done.out) == (3, "")
    assert "this is a bug" in done.err
    assert "Traceback" not in done.err


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    command = [sys.executable, "-m", "gradcheck", "verify", str(HERE.parent / "specs" / "activations.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read().decode()
        running.wait(60)
    assert said == ""
    assert running.returncode == 0


# What is not there, and what fails


def test_nothing_to_check_is_said(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text("gradcheck: 1\ninputs: {x: 2}\nnodes: {y: {expr: x^2}}\ncheck: {wrt: []}\n")
    done = run("verify", str(tmp_path))
    assert (done.status, done.err) == (5, "")
    assert "Checked 0 numbers of 1 spec" in done.out
    assert run("verify", str(tmp_path), "-o", "json").report["errors"] == []
    (tmp_path / "b.yaml").write_text(spec("agree"))
    assert run("verify", str(tmp_path)).status == 5


def test_a_crash_hides_no_other_spec(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcheck.checking import check

    known = check.check_place

    def fails(problem: Any, *more: Any) -> Any:
        if problem.title == "kink":
            raise RuntimeError("boom")
        return known(problem, *more)

    monkeypatch.setattr(check, "check_place", fails)
    done = run("verify", "-", "-o", "json", stdin=several("agree", "kink", "agree"))
    assert (done.status, specs_of(done)) == (3, ["agree", "agree"])
    assert "gradcheck itself failed (RuntimeError)" in done.report["errors"][0]["message"]
    assert "Traceback" not in done.err


def test_fail_fast_checks_up_to_the_first_failure(tmp_path: pathlib.Path) -> None:
    written(
        tmp_path,
        {"a.yaml": spec("agree"), "b.yaml": spec("disagree"), "c.yaml": spec("agree"), "z.yaml": "gradcheck: 2\n"},
    )
    done = run("verify", str(tmp_path), "--fail-fast", "-o", "json", "-o", "table")
    assert (done.status, specs_of(done)) == (2, ["agree", "disagree"])
    assert "Stopped at the first failure." in " ".join(done.err.split())


def test_every_file_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    written(tmp_path, {"ok.yaml": spec("agree")})
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes("gradcheck: 1".encode("utf-16"))
    done = run("verify", str(tmp_path), "-o", "json", "-o", "table")
    assert [os.path.basename(error["file"]) for error in done.report["errors"]] == ["a.yaml", "b.yaml"]
    assert "2 errors in 2 files" in done.err


def test_a_line_says_it_all_where_all_is_well() -> None:
    done = piped("agree")
    assert [line.split("  ") for line in done.out.splitlines()[:2]] == [
        ["<stdin>:1", "agree", f"{done.out.split('  ')[2]}", "2 numbers", "agree"], [""]
    ]  # fmt: skip
    assert "tensor" not in done.out
    assert "  x           2  2 of 2" in piped("agree", options=("-v",)).out


def test_a_line_says_how_many_numbers_are_wrong() -> None:
    text = (
        "gradcheck: 1\ninputs: {x: [1, 2, 3]}\nnodes: {y: {expr: sum(x^2)}}\n"
        "backward: {x: 'where(x > 1, 2*x, 3*x)'}\n"
    )  # fmt: skip
    done = run("verify", "-", stdin=text.encode())
    assert done.status == 1
    assert "1 of 3 numbers  disagree" in done.out.splitlines()[0]
    assert "relative error 0.3" in done.out
