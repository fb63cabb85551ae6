"""Runs of the command as data, and the promises about its output."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import click
import pytest
from support import FORBIDDEN, IMPORTS, Ran, cases, run

from gradcheck import cli
from gradcheck.checking import points, problem

ROWS = cases("runs.jsonl")
POINT = ("expr", "(x+y)*z", "--at", "x=-2,y=5,z=-4")
GRADIENT_KEYS = [
    "input",
    "index",
    "backprop",
    "symbolic",
    "finite_difference",
    "error_bound",
    "proved",
    "claimed",
    "formula",
    "verdict",
    "reason",
]


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row["args"])[:50] for row in ROWS])
def test_run(row: dict[str, Any]) -> None:
    done = run(*row["args"], stdin=row.get("stdin", "").encode())
    assert done.status == row["status"], done
    assert [text for text in row.get("out", []) if text not in done.out] == [], done.out
    assert [text for text in row.get("err", []) if text not in done.err] == [], done.err
    assert [text for text in row.get("any", []) if text not in done.out + done.err] == []
    assert ("err" in row) <= (done.out == "")
    assert ("out" in row) <= (done.err == "")
    assert not FORBIDDEN.search(done.out + done.err)


def test_json_has_exactly_the_promised_keys() -> None:
    report = run(*POINT, "-o", "json").report
    assert list(report) == ["gradcheck", "verdict", "exit_code", "checks"]
    assert (report["gradcheck"], report["verdict"], report["exit_code"]) == (1, "agree", 0)
    (check,) = report["checks"]
    assert list(check) == ["source", "point", "value", "differentiated", "verdict", "gradients", "formulas", "notes"]
    assert check["differentiated"] == "(x+y)*z"
    assert (check["source"], check["point"], check["value"]) == ("(x+y)*z", {"x": -2, "y": 5, "z": -4}, -12)
    assert [list(g) for g in check["gradients"]] == [GRADIENT_KEYS] * 3
    assert [(g["input"], g["index"], g["backprop"]) for g in check["gradients"]] == [
        ("x", [], -4),
        ("y", [], -4),
        ("z", [], 3),
    ]
    assert [g["formula"] for g in check["gradients"]] == ["z", "z", "x + y"]
    assert {(g["claimed"], g["reason"]) for g in check["gradients"]} == {(None, None)}


def test_json_of_arrays_has_indices() -> None:
    report = run("expr", "sum(W @ x)", "--at", "W=[[1,2],[3,4]],x=[5,6]", "-o", "json").report
    assert [(g["input"], g["index"]) for g in report["checks"][0]["gradients"]] == [
        ("W", [0, 0]),
        ("W", [0, 1]),
        ("W", [1, 0]),
        ("W", [1, 1]),
        ("x", [0]),
        ("x", [1]),
    ]
    assert report["checks"][0]["point"]["W"] == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "shown"), [("sqrt(x)", "inf"), ("-sqrt(x)", "-inf"), ("sqrt(x)*x", "nan"), ("sqrt(x)^2", "nan")]
)
def test_numbers_that_json_lacks_are_strings(text: str, shown: str) -> None:
    done = run("expr", text, "--at", "x=0", "--engine", "backprop,symbolic", "-o", "json")
    (g,) = json.loads(done.out, parse_constant=pytest.fail)["checks"][0]["gradients"]
    assert g["backprop"] == shown
    assert g["verdict"] in ("disagree", "inconclusive")


def test_a_claim_without_a_value_is_a_string() -> None:
    done = run("expr", "x^2", "--at", "x=2", "--claim", "x=log(-1)*x", "-o", "json")
    (g,) = done.report["checks"][0]["gradients"]
    assert (done.status, g["claimed"], g["verdict"]) == (1, "nan", "disagree")


def test_a_gradient_that_is_not_a_number_is_a_string() -> None:
    done = run("expr", "sqrt(x^2 + y^2)^2", "--at", "x=0,y=0", "-o", "json")
    assert [g["backprop"] for g in done.report["checks"][0]["gradients"]] == ["nan", "nan"]


def test_json_numbers_round_trip() -> None:
    report = run("expr", "x/3", "--at", "x=0.1", "-o", "json").report
    assert report["checks"][0]["value"] == 0.1 / 3
    assert report["checks"][0]["gradients"][0]["symbolic"] == 1 / 3


def test_json_is_alone_on_standard_output(tmp_path: pathlib.Path) -> None:
    both = run(*POINT, "-o", "table", "-o", "json")
    assert both.report == run(*POINT, "-o", "json").report
    assert "finite difference" in both.err
    path = tmp_path / "out.json"
    done = run(*POINT, "-o", "table", "-o", f"json:{path}")
    assert "finite difference" in done.out
    assert done.err == ""
    assert json.loads(path.read_text(encoding="utf-8")) == both.report
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_table_can_go_to_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "table.txt"
    done = run(*POINT, "-o", f"table:{path}", "-o", "json")
    assert path.read_text(encoding="utf-8") == run(*POINT).out
    assert done.report["verdict"] == "agree"


def test_a_file_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    done = run(*POINT, "-o", f"json:{tmp_path / 'no' / 'such' / 'place'}")
    assert (done.status, done.out) == (2, "")
    assert "cannot write" in done.err


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize(
    "arguments",
    [("expr", "x*sin(y)"), ("expr", "sum(W @ x)", "--at", "W=randn(3,2),x=rand(2)"), ("expr", "max(x, y, z)/relu(w)")],
)
def test_the_same_run_writes_the_same_bytes(arguments: tuple[str, ...], form: str) -> None:
    assert run(*arguments, "-o", form) == run(*arguments, "-o", form)


def test_seeds_change_the_points() -> None:
    def points(seed: int) -> Any:
        return [c["point"] for c in run("expr", "x*y", "-o", "json", "--seed", str(seed)).report["checks"]]

    assert points(0) != points(1)
    assert len(points(0)) == 3
    assert all(len(set(p.values())) == 2 for p in points(0))


def test_replay_lines_repeat_the_check() -> None:
    import shlex

    done = run("expr", "log(x)*y^2", "--claim", "y=2*y*log(x)")
    lines = [line.removeprefix("  replay: ") for line in done.out.splitlines() if line.startswith("  replay: ")]
    assert len(lines) == 3
    for line in lines:
        again = run(*shlex.split(line)[1:])
        assert again.status == 0
        assert again.out.splitlines()[0] in done.out


def test_every_option_is_described() -> None:
    for command in cli.commands.commands.values():
        text = run(command.name or "", "--help").out
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help
                assert all(name in text for name in parameter.opts)
    assert all(engine in run("expr", "--help").out for engine in ("backprop", "symbolic", "finite_difference"))


def test_notes_in_json_mode_leave_standard_output_alone() -> None:
    done = run("expr", "x*y", "-o", "json")
    assert len(done.out.splitlines()) == 1
    assert done.report["verdict"] == "agree"


def test_output_without_unicode() -> None:
    done = run(*POINT, encoding="ascii")
    assert done.status == 0
    assert "+-" in done.out


def test_a_crash_is_called_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr("gradcheck.checking.check.check_problem", broken)
    done = run(*POINT)
    assert (done.status, done.out) == (3, "")
    assert "this is a bug" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("text", ["(" * 10**5 + "x" + ")" * 10**5, "+".join(["x"] * 10**5)], ids=["nested", "long"])
def test_enormous_expressions_from_standard_input(text: str) -> None:
    done = run("expr", "-", "--at", "x=2", "--engine", "backprop,finite_difference", stdin=text.encode())
    assert done.status in (0, 2), done.err
    assert done.status == 0 or "limit" in done.err


@pytest.mark.parametrize("data", [b"\xff\xfe\x00x", b"x\x80"])
def test_standard_input_that_is_not_text(data: bytes) -> None:
    done = run("expr", "-", stdin=data)
    assert done.status == 2
    assert "UTF-8" in done.err


def test_arguments_that_are_not_text() -> None:
    done = run("expr", "x\udcff")
    assert isinstance(done, Ran)
    assert done.status == 2
    assert "\\udcff" in done.err


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (["--help"], ""),
        (["expr", "--help"], ""),
        (["expr", "sin(x"], ""),
        (["expr", "x*y", "--at", "x=1"], ""),
        (["expr", "log(x)", "--at", "x=-1"], ""),
        (["expr", "x", "--at", "y=1"], ""),
        (["expr", "x @ y", "--at", "x=[1,2],y=[1]"], ""),
        (["expr", "x", "-o", "xml"], ""),
        (["expr", "(x+y)*z", "--engine", "backprop,finite_difference"], "flint"),
        (["expr", "(x+y)*z"], "flint mpmath sympy"),
        (["trace", "log(x)", "--at", "x=-1"], ""),
    ],
)
def test_only_what_is_needed_is_imported(arguments: list[str], loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.splitlines()[-1] == f"LOADED {loaded}".strip()


WITHOUT = "import sys; sys.modules['flint'] = None; from gradcheck.__main__ import main; main()"


@pytest.mark.parametrize("arguments", [["expr", "x*y", "--at", "x=1,y=2"], ["trace", "x*y"], ["prove", "tanh"]])
def test_a_platform_without_arb_is_told_what_to_do(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "python-flint, which proves the error bars, cannot be loaded" in done.stderr
    assert "pip install python-flint" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    source = "import sys; sys.argv[0] = 'gradcheck'; from gradcheck.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        source,
        "expr",
        "x*y",
        "--points",
        "1000",
        "--engine",
        "backprop,finite_difference",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read().decode()
        running.wait(60)
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "this is a bug" not in said


@pytest.mark.parametrize("arguments", [[], ["expr"], ["trace"], ["verify"]], ids=lambda a: " ".join(a) or "alone")
def test_without_arguments_the_help_is_shown_and_nothing_was_checked(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.err == run(*arguments, "--help").out
    assert (done.status, done.out) == (2, "")


def test_a_traced_check_is_read_and_located_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read, located = [], []
    parse, sample = problem.parse, points.sample
    monkeypatch.setattr(problem, "parse", lambda *a, **k: read.append(a) or parse(*a, **k))
    monkeypatch.setattr(points, "sample", lambda *a: located.append(a) or sample(*a))
    assert run("expr", "(x+y)*z", "--trace").status == 0
    assert (len(read), len(located)) == (1, 1)
