"""Widths, colours and tables: what a screen gets, whoever reads it."""

from __future__ import annotations

import re

import pytest
from support import ANSI, run

import gradcheck
from gradcheck.errors import display_width
from gradcheck.writing import report as writer
from gradcheck.writing.view import View

POINT = ("expr", "x*y", "--at", "x=1,y=2")
COLOURED = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
LONG = ("alpha*beta*gamma", "alpha=0.123456789,beta=-1.23456789,gamma=0.987654321")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize("command", [POINT, ("trace", "x*y", "--at", "x=1,y=2"), ("verify", "-")])
def test_colours_are_the_users_choice(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = b"gradcheck: 1\ninputs: {x: 2}\nnodes: {y: {expr: x^2}}\n"

    def coloured(*options: str, terminal: bool) -> bool:
        return COLOURED.search(run(*command, *options, terminal=terminal, stdin=spec).out) is not None

    assert (coloured(terminal=True), coloured(terminal=False)) == (True, False)
    assert (coloured("--color", "never", terminal=True), coloured("--color", "always", terminal=False)) == (False, True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert coloured(terminal=False)
    assert not coloured("--color", "never", terminal=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert (coloured(terminal=False), coloured(terminal=True)) == (False, False)
    assert coloured("--color", "always", terminal=False)


def test_colours_change_no_word() -> None:
    assert ANSI.sub("", run(*POINT, "--color", "always").out) == run(*POINT).out


@pytest.mark.parametrize(
    ("columns", "width"), [("120", 120), ("60", 60), ("10", 40), ("", 80), ("wide", 80), ("0", 80)]
)
def test_columns_count_in_pipes_too(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = " + ".join(f"x{k}" for k in range(60))
    monkeypatch.setenv("COLUMNS", columns)
    longest = max(map(display_width, run("expr", words, "--points", "1").out.splitlines()[:6]))
    assert width - 12 < longest <= width


def table(width: int, **claims: str) -> list[str]:
    text, at = LONG
    report = gradcheck.check(text, at=at, claims=claims)
    return ["".join(part for part, _ in line) for line in writer.lines(report, View(width))]


def test_columns_are_narrowed_first_then_split_and_listed_last() -> None:
    wide, narrow, split, listed = (table(width) for width in (200, 70, 50, 40))
    assert "closed form" in wide[1]
    for shown, digits in ((wide, 8), (narrow, 6)):
        number = next(line for line in shown if line.startswith("  alpha")).split()[2]
        assert len(re.sub(r"[-.]", "", number).lstrip("0")) == digits, shown
    assert [line.split()[0] for line in split if line.startswith("  ")].count("input") == 2
    assert [line.strip() for line in listed if line.startswith("    verdict")] == ["verdict            agree"] * 3
    for shown, width in ((wide, 200), (narrow, 70), (split, 50), (listed, 40)):
        assert max(map(display_width, shown)) <= width


def test_a_narrow_table_does_not_make_wrong_numbers_look_right() -> None:
    shown = "\n".join(table(82, gamma="alpha*beta*(1 + 1e-7)"))
    assert "disagree" in shown
    cells = set(" ".join(re.findall(r"^  gamma .*", shown, re.M)).split())
    assert {"-0.15241579", "-0.1524158"} <= cells, shown


def test_a_point_that_is_cut_says_how_much() -> None:
    shown = run("expr", " + ".join(f"x{k}" for k in range(15)), "--points", "1").out
    assert "…and 3 more" in " ".join(shown.split())
    assert "more" not in run("expr", " + ".join(f"x{k}" for k in range(12)), "--points", "1").out


@pytest.mark.parametrize(("text", "header"), [
    ("W.dot(X)", "sum of W.dot(X) = 5.27"), ("q = W.dot(X); q", "q = W.dot(X); q   sum of q = 5.27"),
    ("sum(W @ X)", "sum(W @ X) = 5.27"),
])  # fmt: skip
def test_the_header_says_what_was_differentiated(text: str, header: str) -> None:
    at = ("--at", "W=[[1,2],[0.5,-1]],X=[[1,0.27],[0.5,1.75]]")
    done = run("expr", text, *at, "-o", "json", "-o", "table")
    assert done.report["checks"][0]["value"] == pytest.approx(4.155)
    assert done.err.startswith(header.replace("5.27", "4.155"))
    assert done.report["checks"][0]["differentiated"] == header.rpartition(" = ")[0].rpartition("   ")[2]


@pytest.mark.parametrize(("form", "said"), [
    ("text", "sum of W.dot(X) = 4.155\n"), ("latex", "The sum of its elements is $f = "),
    ("markdown", "`f` = 4.155, the sum of W.dot(X)\n"), ("html", "</math>, the sum of W.dot(X)</p>"),
    ("json", '"differentiated": "sum of W.dot(X)"'),
])  # fmt: skip
def test_traces_say_it_too(form: str, said: str) -> None:
    at = ("--at", "W=[[1,2],[0.5,-1]],X=[[1,0.27],[0.5,1.75]]", "-o", form)
    assert said in run("trace", "W.dot(X)", *at).out
    assert "sum of" not in run("trace", "sum(W.dot(X))", *at).out.replace("sum of all", "").split("<script")[0]
