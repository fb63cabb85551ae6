"""What a person reads: the same text in a pipe and on a terminal, nothing cut, nothing too wide."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support import ANSI, Stream, cases, run

import gradcheck
from gradcheck.errors import display_width
from gradcheck.writing import report as writer
from gradcheck.writing import screen
from gradcheck.writing.by_number import EVERY
from gradcheck.writing.text import number
from gradcheck.writing.view import View

EXPRESSIONS: list[tuple[str, Any]] = [
    ("(x+y)*z", {"x": -2, "y": 5, "z": -4}),
    ("q = x + y; f = q*z; f", {"x": 0.1, "y": 1 / 3, "z": -1e-17}),
    ("relu(x)", {"x": 0.0}),
    ("(exp(x) - exp(-x))/(exp(x) + exp(-x))", {"x": 18.0}),
    ("x + 0*y", {"x": 1.0, "y": 2.0}),
    (
        "very_long_name_of_an_input_number_one*very_long_name_of_an_input_number_two^3",
        {
            "very_long_name_of_an_input_number_one": 1.23456789012345,
            "very_long_name_of_an_input_number_two": -9.87654321098765e-12,
        },
    ),
    ("sum(W @ x)", {"W": [[1.5, 2.25], [3, 4]], "x": [1, -1]}),
    ("sum(tanh(W @ x))", {"W": [[0.1 * k for k in range(10)]] * 6, "x": [0.3] * 10}),
    ("変数*β", {"変数": 2.0, "β": 3.0}),
    ("log(softplus(x)^2 + sigmoid(y*x)*atan2(x, y))/(1 + hypot(x, y)*tanh(x - y))", {"x": 1.7, "y": 0.4}),
]
IDS = [text[:30] for text, _ in EXPRESSIONS]
WIDTHS = [60, 80, 100, 132, 200]


def plain(report: Any, width: int, replay: tuple[str, ...] = ()) -> str:
    stream = Stream()
    screen.plain(writer.lines(report, View(width, replay=replay)), stream)
    return stream.text


def terminal(report: Any, width: int) -> str:
    stream = Stream(terminal=True)
    screen.show(writer.lines(report, View(width)), stream)
    return stream.text


@pytest.fixture(autouse=True)
def coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "30")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("text", "at"), EXPRESSIONS, ids=IDS)
def test_terminal_and_pipe_say_the_same(text: str, at: Any, width: int) -> None:
    report = gradcheck.check(text, at=at)
    coloured = terminal(report, width)
    assert ANSI.search(coloured)
    assert ANSI.sub("", coloured) == plain(report, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("text", "at"), EXPRESSIONS, ids=IDS)
def test_no_line_is_wider_than_the_screen(text: str, at: Any, width: int) -> None:
    """Unless a single word is, which stays whole."""
    for line in plain(gradcheck.check(text, at=at), width).splitlines():
        if display_width(line) > width:
            assert_unbreakable(line, width)


def assert_unbreakable(line: str, width: int) -> None:
    widest = max(map(display_width, line.split()))
    assert widest + (len(line) - len(line.lstrip())) + 20 > width, line


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("text", "at"), EXPRESSIONS, ids=IDS)
def test_no_number_is_cut(text: str, at: Any, width: int) -> None:
    """Every number in the data stands in the text as a whole word."""
    report = gradcheck.check(text, at=at)
    words = set(re.split(r"[\s,:]+", plain(report, width)))
    for check in report.checks:
        assert number(check.value) in words
        if len(check.gradients) > EVERY:
            continue
        for g in check.gradients:
            full = any(one.verdict == "disagree" for one in check.gradients)
            for value in (g.backprop, g.symbolic, g.finite_difference):
                assert number(value, full) in words
            assert g.verdict in words


def test_a_narrow_screen_loses_no_word() -> None:
    report = gradcheck.check(*EXPRESSIONS[0])
    narrow = set(plain(report, 40).split())
    assert {w for w in plain(report, 200).split() if "─" not in w} - {"input", "value"} <= narrow | {
        "closed",
        "form",
        "±",
    }


def test_a_stream_without_unicode_gets_ascii() -> None:
    shown = run("expr", "β*x", "--at", "β=1.5,x=2", encoding="ascii").out
    assert "2 +- 4e-16" in shown
    assert "\\u03b2*x = 3" in shown


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, -1.5e300, 123456789.123, 5e-324, 2.0, 1e22, -0.0])
def test_numbers_read_back(value: float) -> None:
    assert float(number(value, True)) == value
    assert float(number(value)) == pytest.approx(value, rel=1e-7, abs=0)


def test_disagreements_show_every_digit() -> None:
    report = gradcheck.check("sin(x)", at={"x": 0.3}, claims={"x": "cos(x)*(1 + 1e-12)"})
    shown = plain(report, 200)
    (g,) = report.checks[0].gradients
    assert repr(g.backprop) in shown
    assert repr(g.claimed) in shown
    assert "claimed" in shown


def test_many_numbers_show_the_worst_and_counts() -> None:
    report = gradcheck.check(*next(e for e in EXPRESSIONS if e[0] == "sum(tanh(W @ x))"))
    shown = plain(report, 80)
    assert len(shown.splitlines()) < 30
    assert "60 numbers" in shown


def test_replay_lines_are_shown_whole() -> None:
    report = gradcheck.check("x*y", at={"x": 1, "y": 2})
    assert "  replay: gradcheck expr 'x*y'\n" in plain(report, 80, ("gradcheck expr 'x*y'",))


@pytest.mark.parametrize("markup", ["bold", "red", "link"])
def test_markup_of_the_user_is_text(markup: str) -> None:
    text = f"x # [{markup}]y[/]"
    coloured = terminal(gradcheck.check(text, at={"x": 1}), 80)
    assert f"[{markup}]y[/]" in ANSI.sub("", coloured)


def test_terminal_runs_are_coloured_unless_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("expr", "x*y", "--at", "x=1,y=2")
    monkeypatch.setenv("COLUMNS", "80")
    assert ANSI.search(run(*arguments, terminal=True).out)
    monkeypatch.setenv("NO_COLOR", "1")
    bare = run(*arguments, terminal=True).out
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", bare)
    assert ANSI.sub("", bare) == run(*arguments).out


@pytest.mark.parametrize(
    "row", cases("kink.jsonl") + cases("lossy.jsonl") + cases("wrong.jsonl"), ids=lambda r: r["id"]
)
def test_a_pipe_is_eighty_columns_wide(row: dict[str, Any]) -> None:
    at = ",".join(f"{name}={value!r}" for name, value in row["at"].items())
    claims = [f"--claim={name}={formula}" for name, formula in row.get("claim", {}).items()]
    for line in run("expr", row["expr"], "--at", at, *claims).out.splitlines():
        if display_width(line) > 80:
            assert_unbreakable(line, 80)
