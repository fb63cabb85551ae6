"""Every mistake as data: the message, the place it points at, what is marked there, and the hint."""

from __future__ import annotations

import random
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import FORBIDDEN, cases, run

from gradcheck.checking.values import parse_points
from gradcheck.errors import SHOWN, GradcheckError, Source, SpecError, SpecErrors, visible
from gradcheck.language.parser import parse

ROWS = cases("errors.jsonl")
HEAD = re.compile(r"(?:(?P<place>.*?:\d+:\d+): )?error: (?P<message>.*)")
NASTY = ["\x1b[31m", "\x07", "\x00", "\r", "\x9b2J", "\u202e", "\u200b", "\ufeff", "\x08", "\u2028"]


def texts(arguments: list[str]) -> set[str]:
    """The lines of all that the user typed: the expression, values, and the formulas of claims."""
    whole = [arguments[0], *arguments[1:], *(a.partition("=")[2] for a in arguments[1:])]
    return {line for text in whole for line in text.split("\n")}


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row["args"])[:60] for row in ROWS])
def test_error(row: dict[str, Any]) -> None:
    done = run("expr", *row["args"])
    assert (done.status, done.out) == (2, "")
    lines = done.err.split("\n")
    head = HEAD.fullmatch(lines[0])
    assert head is not None
    assert (head["message"], head["place"]) == (row["message"], row.get("place"))
    rest = lines[1:]
    if "place" in row:
        assert_excerpt(row, rest[0], rest[1])
        rest = rest[2:]
    hints = [f"  hint: {row['hint']}"] if "hint" in row else []
    assert rest == [*hints, ""]


def assert_excerpt(row: dict[str, Any], shown: str, carets: str) -> None:
    number, _, text = shown.partition(" | ")
    _, line, column = row["place"].rsplit(":", 2)
    assert number.strip() == line
    assert text in texts(row["args"])
    below = carets.partition(" | ")[2]
    assert set(below) <= {" ", "^"}
    first = below.index("^")
    assert first == int(column) - 1
    assert text[first : first + below.count("^")].strip() == row["marked"].strip()


def test_there_are_enough_rows_and_they_differ() -> None:
    assert len({(row["message"], row.get("place")) for row in ROWS}) > 80


@pytest.mark.parametrize("nasty", NASTY, ids=repr)
@pytest.mark.parametrize(
    "arguments",
    [
        ["expr", "x{}"],
        ["expr", "{}"],
        ["expr", "x*{}y"],
        ["expr", "sin{}(x)"],
        ["expr", "x", "--at", "x=1{}"],
        ["expr", "x", "--at", "{}=1"],
        ["expr", "x", "--at", "x=@{}.npy"],
        ["expr", "x", "--claim", "x={}"],
        ["expr", "x", "--claim", "{}=1"],
        ["expr", "x", "--wrt", "{}"],
        ["expr", "x", "--engine", "a{},b"],
        ["expr", "x", "-o", "{}"],
        ["expr", "x", "-o", "json{}:y"],
        ["expr", "x", "--points", "{}"],
        ["expr", "x", "--seed", "{}"],
        ["expr", "x", "y{}"],
        ["expr", "x", "--no{}"],
        ["{}"],
        ["e+{}red"],
        ["expr", "x{}; y"],
        ["expr", "# {}\nx*("],
        ["expr", "# {}\nx", "--at", "x=0"],
    ],
    ids=" ".join,
)
def test_no_control_character_reaches_the_output(arguments: list[str], nasty: str) -> None:
    if nasty == "\x00" and any("@" in a for a in arguments):
        arguments = ["expr", "x", "--at", "x=@{}"]
    done = run(*[a.replace("{}", nasty) for a in arguments])
    assert done.status in (0, 2)
    assert not FORBIDDEN.search(done.out + done.err), (done.out, done.err)
    assert "gradcheck itself failed" not in done.err


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=120), st.integers(0, 130), st.integers(0, 40), st.integers(0, 3))
def test_any_place_in_any_text_can_be_shown(text: str, start: int, length: int, lines: int) -> None:
    text = "x = 1\n" * lines + text
    start = min(start, len(text))
    shown = GradcheckError("message", Source(text), (start, start + length), "hint").render()
    assert not FORBIDDEN.search(shown)
    head, source, carets, hint = shown.split("\n")
    before = text[:start].split("\n")
    assert head == f"expression:{len(before)}:{len(before[-1]) + 1}: error: message"
    assert "^" in carets
    assert hint == "  hint: hint"
    assert source.index("|") == carets.index("|")


def test_a_long_line_shows_the_place_in_a_window() -> None:
    text = "+".join(f"x{k}" for k in range(500)) + "+)"
    with pytest.raises(GradcheckError) as caught:
        parse(Source(text))
    _, shown, carets = caught.value.render().split("\n")
    assert len(shown) <= 80
    assert shown[carets.index("^")] == ")"


def test_wide_characters_keep_the_caret_in_place() -> None:
    with pytest.raises(GradcheckError) as caught:
        parse(Source("変数 + )"))
    _, shown, carets = caught.value.render().split("\n")
    assert shown.index(")") + 2 == carets.index("^")


def test_visible_leaves_ordinary_text_alone() -> None:
    assert visible("α + β² → 變 ∂") == "α + β² → 變 ∂"


def test_errors_of_python_callers_say_the_same() -> None:
    with pytest.raises(GradcheckError) as caught:
        parse_points(Source("x=1,,", "--at"))
    assert str(caught.value) == caught.value.render()
    assert caught.value.exit_code == 2


def test_places_may_be_asked_for_in_any_order() -> None:
    text = "ab\n\ncde\r\nf"
    source = Source(text)
    expected = [(text[:k].count("\n") + 1, k - text[:k].rfind("\n")) for k in range(len(text) + 1)]
    rng = random.Random(0)
    for k in [rng.randrange(len(text) + 1) for _ in range(200)]:
        assert source.position(k) == expected[k]


def test_the_end_of_a_line_is_not_shown() -> None:
    for text in ("ab cd\r\nef", "ab cd\nef"):
        assert Source(text).excerpt((3, 5)) == "  1 | ab cd\n    |    ^^"


def test_a_line_as_long_as_the_window_is_whole() -> None:
    assert Source("x" * 72 + "\ny").excerpt((0, 1)).split("\n")[0] == "  1 | " + "x" * 72
    assert Source("x" * 73 + "\ny").excerpt((0, 1)).split("\n")[0] == "  1 | " + "x" * 72 + "…"


def test_all_problems_at_once() -> None:
    one, two = Source("a: 1\nb: 2\n", "nets/b.yaml"), Source("c: 3\n", "nets/a.yaml")
    problems = [
        SpecError("second", one, (5, 6), "a hint"),
        SpecErrors([SpecError("first", one, (0, 1)), SpecError("other file", two, (3, 4))]),
        SpecError("no place"),
    ]
    error = SpecErrors(problems)
    assert [problem.message for problem in error.problems] == ["no place", "other file", "first", "second"]
    assert error.exit_code == 2
    assert str(error) == (
        "error: no place\n\n"
        "nets/a.yaml:1:4: error: other file\n  1 | c: 3\n    |    ^\n\n"
        "nets/b.yaml:1:1: error: first\n  1 | a: 1\n    | ^\n\n"
        "nets/b.yaml:2:1: error: second\n  2 | b: 2\n    | ^\n  hint: a hint\n\n"
        "4 errors in 2 files"
    )


def test_one_problem_is_shown_alone() -> None:
    problem = SpecError("first", Source("a: 1", "n.yaml"), (0, 1))
    assert SpecErrors([problem]).render() == problem.render()


def test_many_problems_of_one_kind_are_cut_short() -> None:
    many, few = Source("x\n" * 400, "a.yaml"), Source("y", "b.yaml")
    problems = [SpecError(f"number {k}", many, (2 * k, 2 * k + 1)) for k in range(400)]
    shown = SpecErrors([SpecError("last", few, (0, 1)), *reversed(problems)]).render().split("\n\n")
    assert len(shown) == SHOWN + 3
    assert shown[SHOWN - 1].startswith(f"a.yaml:{SHOWN}:1: error: number {SHOWN - 1}\n")
    assert shown[SHOWN] == f"… and {400 - SHOWN} more like this one"
    assert shown[SHOWN + 1].startswith("b.yaml:1:1: error: last")
    assert shown[-1] == "401 errors in 2 files"
    assert "more" not in SpecErrors(problems[:SHOWN]).render()


def test_problems_in_large_files_are_shown_quickly() -> None:
    for line in ("x = 1\n", "x = 1 "):
        source = Source(line * 5_000_000, "large.yaml")
        problems = [SpecError("wrong", source, (30_000 * k, 30_000 * k + 1)) for k in range(1000)]
        begin = time.perf_counter()
        assert SpecErrors(problems).render().count("wrong") == SHOWN
        assert time.perf_counter() - begin < 1
