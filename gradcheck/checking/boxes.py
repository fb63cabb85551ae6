"""The text of --over: between which values the variables move.

    box      = interval { "," interval }
    interval = name "=" bound ".." bound
    bound    = constant expression

A bound is a value as --at takes them: pi/2 is one, an infinity is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.checking.values import Value, constant
from gradcheck.errors import LanguageError, PointError, Source, UsageError
from gradcheck.language.static import skip_blanks
from gradcheck.language.tokens import WORD

EXAMPLE = "as in --over x=-5..5,y=0..1"

_NAME = re.compile(rf"\s*({WORD})\s*=(?!=)")


class Interval(NamedTuple):
    """Between which values a variable moves, and where that stands in the source."""

    low: float
    high: float
    source: Source
    span: tuple[int, int]

    @property
    def side(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


def parse_box(source: Source) -> dict[str, Interval]:
    """Read the text of --over.

    Raises:
        LanguageError, PointError: with the place.
    """
    text, pos = source.text, 0
    found: dict[str, Interval] = {}
    while True:
        match = _NAME.match(text, pos)
        if match is None:
            place = skip_blanks(text, pos)
            if place >= len(text) and found:
                return found
            raise LanguageError("expected name=low..high", source, (place, place + 1), EXAMPLE)
        if match[1] in found:
            raise PointError(f"`{match[1]}` is given twice", source, match.span(1))
        end = _end(text, match.end())
        found[match[1]] = _interval(source, match[1], match.end(), end)
        pos = end + 1
        if end < len(text) and text[end] == ";":
            raise LanguageError("one box at a time", source, (end, end + 1), "separate variables with `,`")


def box_of(given: str | Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """Return the box that a program gives: intervals by name, or the text of --over.

    Raises:
        LanguageError, PointError: for what is no box.
    """
    if isinstance(given, str):
        return parse_box(Source(given, "--over"))
    try:
        sides = {name: (float(low), float(high)) for name, (low, high) in given.items()}
    except (AttributeError, TypeError, ValueError):
        raise PointError("over= takes names and intervals (low, high), or text", hint=EXAMPLE) from None
    return parse_box(Source(",".join(f"{name}={low!r}..{high!r}" for name, (low, high) in sides.items()), "over"))


def _end(text: str, pos: int) -> int:
    """Return the place of the next separator outside brackets."""
    depth = 0
    while pos < len(text) and (depth > 0 or text[pos] not in ",;"):
        depth += (text[pos] in "([") - (text[pos] in ")]")
        pos += 1
    return pos


def _interval(source: Source, name: str, start: int, end: int) -> Interval:
    start = skip_blanks(source.text, start)
    stop = start + len(source.text[start:end].rstrip())
    span = start, max(stop, start + 1)
    dots = source.text.find("..", start, stop)
    if dots < 0:
        hint = f"as in {name}=-5..5; a variable that stands still has its value in --at"
        raise LanguageError("expected two bounds with `..` between them", source, span, hint)
    bounds = []
    for first, last in ((start, dots), (dots + 2, stop)):
        if not source.text[first:last].strip():
            raise LanguageError("a bound is missing here", source, (dots, dots + 2), f"as in {name}=-5..5")
        bounds.append(constant(source, skip_blanks(source.text, first), last))
    low, high = bounds
    if low > high:
        raise PointError(
            f"this runs down from {low:.10g} to {high:.10g}", source, span, f"write {name}={high:.10g}..{low:.10g}"
        )
    if low == high:
        hint = f"a variable that stands still has its value in --at {name}={low:.10g}"
        raise PointError("this is a single number, and no interval", source, span, hint)
    return Interval(low, high, source, span)


def completed(given: Sequence[Mapping[str, Any]], box: Mapping[str, Interval]) -> list[dict[str, Any]]:
    """Return the point of --at with the middle of the box where it says nothing.

    Raises:
        UsageError: if several points are given.
    """
    if len(given) > 1:
        raise UsageError(f"--over goes with one point, and --at has {len(given)}", hint="give one point in --at")
    middle = {name: Value("number", (), one.low / 2 + one.high / 2, one.source, one.span) for name, one in box.items()}
    return [{**middle, **(given[0] if given else {})}]
