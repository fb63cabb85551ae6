from __future__ import annotations

import json
import math
import os
import pathlib
import re
import runpy
import time
from typing import Any
from unittest import mock

import pytest
from support import ANSI, FORBIDDEN, Ran, run

from gradcheck.commands.trace import trace
from gradcheck.errors import display_width
from gradcheck.writing.formats import DERIVATION, formats_of

ROOT = pathlib.Path(__file__).parent.parent
SPECS = ROOT / "specs"
CIRCUIT = ("(x+y)*z", "--at", "x=-2,y=5,z=-4")
CLASSIFIER = str(SPECS / "two-layer-classifier.yaml")

BROKEN = """\
gradcheck: 1
ops:
  twice: {args: x, forward: "2*x", backward: {x: "2.002*g"}}
inputs: {x: 3}
nodes:
  f: {type: twice, inputs: x}
"""


def traced(*arguments: str, **more: Any) -> Ran:
    return run("trace", *arguments, **more)


def test_the_circuit() -> None:
    ran = traced(*CIRCUIT)
    assert (ran.status, ran.err) == (0, "")
    titles = [line.split()[0] for line in ran.out.splitlines() if re.match(r"[A-Z]\w+", line)]
    assert titles == ["Circuit", "Forward", "Backward,", "Check", "Checked", "Tried:"]
    assert ran.out.startswith("(x+y)*z = -12   at x = -2, y = 5, z = -4\n")
    assert ran.out.endswith("Tried: raise x by 0.01 and f falls by about 0.04.\n")


# Options

TRIED: dict[str, tuple[str, ...]] = {
    "--at": CIRCUIT,
    "--seed": ("x*y", "--seed", "3"),
    "--wrt": (*CIRCUIT, "--wrt", "x"),
    "-k": (str(SPECS / "circuits.yaml"), "-k", "neuron"),
    "--expand": ("sigmoid(x)", "--at", "x=1", "--expand"),
    "--focus": (CLASSIFIER, "--focus", "fc2.bias"),
    "--depth": (CLASSIFIER, "--depth", "1"),
    "--why": (*CIRCUIT, "--why", "x"),
    "--order": (*CIRCUIT, "--order", "forward"),
    "--color": (*CIRCUIT, "--color", "never"),
    "--digits": ("x/3", "--at", "x=1", "--digits", "12"),
    "--outside-files": (CLASSIFIER, "--outside-files"),
    "-o": (*CIRCUIT, "-o", "json"),
    "--output": (*CIRCUIT, "--output", "json"),
    "--quiz": (*CIRCUIT, "--quiz"),
    "--help": ("--help",),
    "-h": ("-h",),
}


def test_every_option_is_tried_here() -> None:
    known = {name for param in trace.params for name in param.opts if name.startswith("-")}
    shown = set(re.findall(r"(?:^  |, )(--?[a-z]+(?:-[a-z]+)*)", traced("--help").out, re.M))
    assert known <= set(TRIED)
    assert known - {"--output"} <= shown | {"--output"}
    assert shown <= set(TRIED)


@pytest.mark.parametrize("option", [option for option in TRIED if option != "--quiz"])
def test_every_option_works(option: str) -> None:
    ran = traced(*TRIED[option])
    assert (ran.status, ran.err) == (0, "")
    assert ran.out


def test_help_names_every_format() -> None:
    shown = " ".join(traced("--help").out.split())
    assert all(name in shown for name in formats_of(DERIVATION))
    assert "Exit status" in shown


def test_a_point_is_chosen_and_shown() -> None:
    first, again, other = traced("x*log(y)"), traced("x*log(y)", "--seed", "0"), traced("x*log(y)", "--seed", "1")
    assert first == again
    assert first.out != other.out
    assert re.search(r"at x = \S+, y = \S+\n", first.out)


def test_wrt() -> None:
    ran = traced(*CIRCUIT, "--wrt", "x")
    assert "df/dx" in ran.out
    assert "df/dy" not in ran.out
    assert "df/dz" not in ran.out
    spec = traced(CLASSIFIER, "--wrt", "*.bias")
    assert "d_fc1.bias" in spec.out
    assert "d_fc1.weight" not in spec.out
    assert traced(*CIRCUIT, "--wrt", "q").status == 2
    assert traced(*CIRCUIT, "--wrt", ",").status == 2


def test_expand() -> None:
    closed, opened = (traced("1/(1 + exp(-x))*sigmoid(y)", "--at", "x=1,y=2", *more) for more in ((), ("--expand",)))
    assert "σ(x)" in closed.out
    assert "σ" not in opened.out.split("Check")[0]
    assert "exp" in opened.out
    assert closed.out.split("   at")[0] == opened.out.split("   at")[0]
    assert opened.status == 0


def test_focus_and_depth() -> None:
    ran = traced(CLASSIFIER, "--focus", "fc2.bias")
    assert "stages not shown" in ran.out
    assert "d_fc2.bias" in ran.out
    assert "d_fc2.weight" not in ran.out.split("Check")[0]
    assert "d_fc1" not in ran.out.split("Check")[0]
    assert "d_fc2 = " in traced(CLASSIFIER, "--depth", "1").out
    assert "d_fc2.weight" not in traced(CLASSIFIER, "--depth", "1").out.split("Check")[0]
    both = traced(CLASSIFIER, "--focus", "fc1.*", "--depth", "2").out.split("Check")[0]
    assert re.findall(r"^  \[(\d+)\]", both, re.M) == ["3", "4", "4", "3"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ((CLASSIFIER, "--focus", "fc1.wieght"), "--focus fc1.wieght", "did you mean `fc1.weight`?"),
        ((*CIRCUIT, "--focus", "nothing"), "--focus nothing", "there are x, y, z"),
        ((*CIRCUIT, "--why", "w"), "--why w", ""),
        ((*CIRCUIT, "--depth", "0"), "--depth", ""),
        ((*CIRCUIT, "--digits", "18"), "--digits", ""),
        ((*CIRCUIT, "--digits", "0"), "--digits", ""),
        ((*CIRCUIT, "--order", "sideways"), "--order", ""),
        ((*CIRCUIT, "--seed", "-1"), "--seed", ""),
        ((*CIRCUIT, "--focsu", "x"), "--focsu", ""),
        ((*CIRCUIT, "-k", "x"), "-k chooses a spec", ""),
        (("x*y", "--at", "x=1,y=2;x=2,y=3"), "a trace shows one point", ""),
        (("x*y", "--at", "x=1"), "`y`", ""),
        (("x*y +", "--at", "x=1"), "expression:1:", ""),
        ((CLASSIFIER, "--at", "x=1"), "--at gives values to an expression", ""),
        (
            (str(SPECS / "circuits.yaml"),),
            "there are 3 specs",
            "choose with -k: add and multiply, add, multiply and max",
        ),
        ((str(SPECS),), "there are 26 specs", "choose with -k: "),
        ((str(SPECS), "-k", "nothing at all"), "nothing at all", ""),
        (("no-such-file.yaml",), "no-such-file.yaml", ""),
        ((*CIRCUIT, "-o", "pdf"), "there is no format `pdf`", ""),
        ((*CIRCUIT, "-o", "jsn"), "there is no format `jsn`", "did you mean `json`?"),
        ((*CIRCUIT, "-o", "json:"), "no path after the colon", ""),
        ((*CIRCUIT, "-o", "table"), "there is no format `table`", ""),
        ((*CIRCUIT, "-o", "json", "-o", "svg"), "json and svg cannot both go to standard output", "as in -o svg:FILE"),
        ((*CIRCUIT, "-o", "json", "-o", "json"), "cannot both go to standard output", ""),
        ((*CIRCUIT, "-o", "json:/nonexistent/deep/file"), "cannot write `/nonexistent/deep/file`", ""),
        ((*CIRCUIT, "-o", "text:/nonexistent/deep/file"), "cannot write `/nonexistent/deep/file`", ""),
        (("W @ x", "--at", "W=[[1,2]],x=[1,2,3]"), "cannot multiply", ""),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str, hint: str) -> None:
    ran = traced(*arguments)
    assert (ran.status, ran.out) == (2 if "nothing at all" not in arguments else 5, "")
    assert message in ran.err
    assert hint in ran.err
    assert not FORBIDDEN.search(ran.err)


def test_a_directory_with_one_spec(tmp_path: pathlib.Path) -> None:
    (tmp_path / "one.yml").write_text("gradcheck: 1\nname: one\ninputs: {x: 3}\nnodes:\n  f: {expr: 'x*x'}\n")
    ran = traced(str(tmp_path))
    assert ran.status == 0
    assert "one " in ran.out
    assert traced(str(SPECS), "-k", "swish").out.startswith("swish   ")


def test_an_expression_on_standard_input() -> None:
    ran = traced("-", "--at", "x=-2,y=5,z=-4", stdin=b"q = x + y\nq*z\n")
    assert ran.status == 0
    assert "[2] f = q" in ran.out
    assert traced("-", "--at", "x=1", stdin=b"\xff\xfe").status == 2


def test_a_spec_on_standard_input() -> None:
    text = (SPECS / "two-layer-classifier.yaml").read_bytes()
    ran = traced("-", "--focus", "fc2.bias", stdin=text)
    assert ran.status == 0
    assert "d_fc2.bias" in ran.out
    several = traced("-", stdin=(SPECS / "circuits.yaml").read_bytes())
    assert several.status == 2
    assert "there are 3 specs" in several.err
    assert traced("-", "-k", "neuron", stdin=(SPECS / "circuits.yaml").read_bytes()).status == 0
    assert traced("-", "--at", "x=1", stdin=text).status == 2


def test_an_expression_that_begins_with_a_minus() -> None:
    ran = traced("-x^2", "--at", "x=3")
    assert ran.status == 0
    assert ran.out.startswith("-x^2 = -9")


# Where it goes


def test_text_goes_to_the_other_stream_when_a_program_reads(tmp_path: pathlib.Path) -> None:
    alone = traced(*CIRCUIT)
    both = traced(*CIRCUIT, "-o", "svg", "-o", "text")
    assert both.status == 0
    assert "<svg" in both.out[:60]
    assert both.err == alone.out
    filed = traced(*CIRCUIT, "-o", f"svg:{tmp_path / 'c.svg'}", "-o", "text")
    assert (filed.out, filed.err) == (alone.out, "")
    assert (tmp_path / "c.svg").read_text(encoding="utf-8") == both.out


@pytest.mark.parametrize("form", formats_of(DERIVATION))
def test_every_format_goes_to_a_file_and_to_a_stream(form: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / f"file.{form}"
    path.write_text("before")
    ran = traced(*CIRCUIT, "-o", f"{form}:{path}")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    piped = traced(*CIRCUIT, "-o", form)
    assert piped.status == 0
    assert path.read_text(encoding="utf-8") == piped.out
    assert piped.out.endswith("\n")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("before")
    too_large = "; ".join(["a0 = x*y", *(f"a{k} = a{k - 1} + x" for k in range(1, 2100)), "a2099"])
    ran = traced("-", "--at", "x=1,y=2", "-o", f"svg:{kept}", stdin=too_large.encode())
    assert ran.status == 2
    assert kept.read_text() == "before"
    assert list(tmp_path.iterdir()) == [kept]
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", mock.Mock(side_effect=OSError(28, "No space left on device")))
        full = traced(*CIRCUIT, "-o", f"json:{kept}")
    assert full.status == 2
    assert "No space left on device" in full.err
    assert kept.read_text() == "before"
    denied = traced(*CIRCUIT, "-o", f"json:{tmp_path}")
    assert denied.status == 2
    assert f"cannot write `{tmp_path}`" in denied.err


def test_a_file_has_no_colours(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.txt"
    traced(*CIRCUIT, "-o", f"text:{path}", terminal=True)
    assert path.read_text(encoding="utf-8") == traced(*CIRCUIT).out


# Exit statuses


def test_a_wrong_rule_exits_with_1(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    ran = traced(str(path))
    assert ran.status == 1
    assert "✗ SymPy: 2" in ran.out
    assert "disagree" in ran.out
    path.write_text(BROKEN.replace("2.002*g", "2*g"))
    assert traced(str(path)).status == 0


def test_undefined_exits_with_2_and_shows_the_way() -> None:
    ran = traced("y = x - 3; log(y)*x", "--at", "x=1")
    assert ran.status == 2
    assert "[1] y = x - 3 = 1 - 3 = -2" in ran.out
    assert "[2] q = log(y) = log(-2) = undefined" in ran.out
    assert "[3]" not in ran.out
    assert "Backward" not in ran.out
    assert "log is not defined here" in ran.err
    assert "^^^^^^" in ran.err


def test_undefined_in_a_spec(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log.yaml"
    path.write_text("gradcheck: 1\ninputs: {x: [1.0, -2.0]}\nnodes:\n  a: {expr: 'x*2'}\n  f: {expr: 'sum(log(a))'}\n")
    ran = traced(str(path))
    assert ran.status == 2
    assert "[1] a = x · 2" in ran.out
    assert "log" in ran.err
    assert "Backward" not in ran.out


def test_an_infinite_slope_exits_with_2() -> None:
    ran = traced("sqrt(x)*y", "--at", "x=0,y=1")
    assert ran.status == 2
    assert "inf" in ran.out
    assert ran.err.startswith("expression:1:1: error")


def test_undefined_as_json() -> None:
    ran = traced("log(x - 3)", "--at", "x=1", "-o", "json")
    assert ran.status == 2
    found = json.loads(ran.out)
    assert found["stopped"]
    assert [step["gate"] for step in found["steps"]] == ["sub", "log"]


def test_a_kink_exits_with_0() -> None:
    ran = traced("relu(x)*y", "--at", "x=0,y=1")
    assert ran.status == 0
    assert "kink" in ran.out


# Screens


@pytest.mark.parametrize(
    "arguments",
    [
        CIRCUIT,
        ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", "--at", "x=3,y=-4", "--why", "x", "--order", "forward"),
        ("relu(x)*y <= 2*π + x", "--at", "x=0,y=1,π=3"),
        (CLASSIFIER,),
        (CLASSIFIER, "--focus", "fc1.weight", "--depth", "2"),
        (str(SPECS / "conv-avgpool.yaml"),),
        ("log(x - 3)*β", "--at", "x=1,β=2"),
    ],
)
def test_ascii_streams_get_the_same_layout(arguments: tuple[str, ...]) -> None:
    full, plain = traced(*arguments), traced(*arguments, encoding="ascii")
    assert plain.out.isascii()
    assert plain.err.isascii()
    assert plain.status == full.status

    def titles(text: str) -> list[str]:
        found = re.findall(r"^(Forward|Stages|Backward|Check|Stopped|Why)\b", text, re.M)
        # Names that are longer may turn the picture and what follows it into a table.
        return [title.replace("Stages", "Forward") for title in found]

    assert titles(plain.out) == titles(full.out)
    tables = [re.findall(r"^ +([─-][─ -]+)$", text.partition("\nCheck\n")[2], re.M) for text in (full.out, plain.out)]
    assert [len(rule.split()) for rule in tables[0]] == [len(rule.split()) for rule in tables[1]]


@pytest.mark.parametrize("network", ["attention block", "RNN over three steps", "swish", "batch norm by hand"])
def test_a_pipe_has_80_columns(network: str) -> None:
    ran = traced(str(SPECS), "-k", network)
    assert ran.status == 0
    for line in ran.out.splitlines():
        assert display_width(line) <= 80 or " " not in line.strip() or re.match(r" *\[", line), line


def test_a_terminal_has_colours_and_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, coloured = traced(*CIRCUIT), traced(*CIRCUIT, terminal=True)
    assert "\x1b[32m" in coloured.out
    assert "\x1b[31m" in coloured.out
    assert ANSI.sub("", coloured.out) == plain.out
    monkeypatch.setenv("NO_COLOR", "1")
    muted = traced(*CIRCUIT, terminal=True)
    assert not re.search(r"\x1b\[(3[0-7]|1;3[0-7])m", muted.out)
    assert ANSI.sub("", muted.out) == plain.out


@pytest.mark.parametrize("columns", [40, 100, 200])
def test_a_terminal_of_another_width(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    staged = ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", "--at", "x=3,y=-4")
    shown = ANSI.sub("", traced(*staged, terminal=True).out)
    for line in shown.splitlines():
        assert display_width(line) <= columns or " " not in line.strip()
    assert ("Circuit   values" in shown) == (columns > 72)


def test_numbers_and_names_are_never_cut() -> None:
    name = "a_rather_long_name_of_a_variable_that_nobody_can_call_short"
    ran = traced(f"{name}*2 + {name}", "--at", f"{name}=0.12345678901234567", "--digits", "17")
    assert "0.12345678901234566" in ran.out
    assert ran.out.count(name) >= 6


HOSTILE = r"""
gradcheck: 1
name: "evil \x1b[31m <script>alert(1)</script> [red]"
inputs: {x: [1.0, -2.0], "y]|$b$": 3.0}
nodes:
  "a\nb\x1b[2J": {expr: "x*2"}
  "[bold]q[/bold]\u202e": {type: Tanh, inputs: "a\nb\x1b[2J"}
"""


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_names_never_reach_a_stream(form: str, terminal: bool, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(HOSTILE, encoding="utf-8")
    ran = traced(str(path), "-o", form, terminal=terminal)
    assert not FORBIDDEN.search(ANSI.sub("", ran.out) + ran.err)
    assert "\x1b[2J" not in ran.out
    if ran.status == 0:
        assert "[bold]q[/bold]" in ran.out
        assert "[red]" in ran.out
    else:
        assert "hostile.yaml" in ran.err


def test_hostile_words_on_the_command_line() -> None:
    for arguments in (
        (*CIRCUIT, "--focus", "\x1b[31m\u202e"), (*CIRCUIT, "--why", "\x1b[31m"), (*CIRCUIT, "-o", "\x1b[31m"),
        ("\x1b[31m",), ("x*\u202ey",), (*CIRCUIT, "-k", "\x1b"), ("\x1b.yaml",),
    ):  # fmt: skip
        ran = traced(*arguments)
        assert ran.status == 2
        assert not FORBIDDEN.search(ran.err + ran.out)


# Size


def chain(gates: int) -> bytes:
    stages = ["s0 = sin(x)", *(f"s{k} = s{k - 1}*y" for k in range(1, gates))]
    return "; ".join([*stages, f"s{gates - 1}"]).encode()


def test_too_large_for_a_screen(tmp_path: pathlib.Path) -> None:
    at = ("--at", "x=0.5,y=0.99")
    ran = traced("-", *at, stdin=chain(300))
    assert (ran.status, ran.out) == (2, "")
    assert "300 stages are too many for a screen" in ran.err
    assert all(word in ran.err for word in ("--focus", "--depth", "text:FILE", "python:FILE"))
    for part in (
        ("--depth", "5"),
        ("--focus", "s297"),
        ("-o", f"python:{tmp_path / 'x.py'}"),
        ("-o", f"text:{tmp_path / 'x.txt'}"),
    ):
        found = traced("-", *at, *part, stdin=chain(300))
        assert (found.status, found.err) == (0, "")
    code = (tmp_path / "x.py").read_text()
    assert code.count("\n") > 600
    names = runpy.run_path(str(tmp_path / "x.py"))
    assert math.isclose(names["s299"], math.sin(0.5) * 0.99**299)
    assert "[300]" in (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert "295 stages not shown" in traced("-", *at, "--depth", "5", stdin=chain(300)).out


def test_a_large_graph_takes_time_in_proportion() -> None:
    def seconds(gates: int) -> float:
        start = time.process_time()
        ran = traced("-", "--at", "x=0.5,y=0.99", "--depth", "5", stdin=chain(gates))
        assert ran.status == 0
        assert f"[{gates}]" in ran.out
        assert f"{gates - 5} stages not shown" in ran.out or f"{gates - 5:,} stages not shown" in ran.out
        return time.process_time() - start

    seconds(100)
    assert seconds(3_200) < 8 * seconds(800) + 1


# With expr


def test_expr_with_a_trace() -> None:
    plain, ran = run("expr", *CIRCUIT), run("expr", *CIRCUIT, "--trace")
    assert ran.status == 0
    alone = traced(*CIRCUIT).out
    assert ran.out.startswith(alone.split("\n\nCheck\n")[0])
    assert ran.out.count("Checked 3 gradients") == 1
    for line in plain.out.splitlines():
        assert line in ran.out
    assert run("expr", *CIRCUIT, "--trace", "-o", "json").report == run("expr", *CIRCUIT, "-o", "json").report


def test_expr_with_a_trace_where_it_is_undefined() -> None:
    ran = run("expr", "log(x - 3)", "--at", "x=1", "--trace")
    assert ran.status == 2
    assert "log is not defined here" in ran.err


def test_expr_with_a_wrong_claim_and_a_trace() -> None:
    ran = run("expr", *CIRCUIT, "--claim", "x=z + 1", "--trace")
    assert ran.status == 1
    assert "Forward" in ran.out
    assert "disagree" in ran.out


def test_expr_with_several_points_and_a_trace() -> None:
    ran = run("expr", "x*y", "--at", "x=1,y=2;x=3,y=4", "--trace")
    assert ran.status == 0
    assert ran.out.count("Forward") == 1
    assert "= 2   at x = 1, y = 2" in ran.out


def test_a_failed_write_leaves_nothing_behind(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    done = run("trace", "x*y", "--at", "x=1,y=2", "-o", f"json:{tmp_path}/t.json")
    assert done.status == 2
    assert "No space left on device" in done.err
    assert list(tmp_path.iterdir()) == []
