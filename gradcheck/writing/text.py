"""Lines of styled text: folding, aligning in columns, numbers and counts in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gradcheck.errors import display_width

Segment = tuple[str, str]
"""Text and its style: a verdict's name, `head`, `dim`, `value`, or nothing."""

Line = list[Segment]

TITLES = {"backprop": "backprop", "symbolic": "SymPy", "finite_difference": "finite difference", "claimed": "claimed"}
"""Method → what people are told."""

LONGEST = 60
"""Characters of an expression that may stand in one line without a blank."""


DIGITS = 8
"""Significant digits of a number that has more, if there is room."""


def number(value: float | None, full: bool = False, digits: int = DIGITS) -> str:
    """Return a number as text: short if it is short, else `digits` (all of them with `full`)."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    text = repr(value)
    text = text[:-2] if text.endswith(".0") else text
    return text if full or len(text) <= digits + 2 else f"{value:.{digits}g}"


def with_bar(value: float | None, bar: float | None, sign: str, full: bool = False, digits: int = DIGITS) -> str:
    """Return a finite difference with its error bar."""
    text = number(value, full, digits)
    return text if value is None or bar is None else f"{text} {sign} {bar:.1g}"


def plural(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def fold(line: Line, width: int, indent: int) -> list[Line]:
    """Break a line at blanks; a word longer than the screen stays whole."""
    result: list[Line] = [[]]
    used = 0
    for text, style in line:
        for word in _words(text):
            part = word
            if used + display_width(part.rstrip()) > width and used > indent:
                last, kind = result[-1].pop()
                result[-1].append((last.rstrip(), kind))
                result.append([(" " * indent, "")])
                used, part = indent, part.lstrip()
            result[-1].append((part, style))
            used += display_width(part)
    return [trimmed(_merged(one)) for one in result]


def trimmed(line: Line) -> Line:
    """Return a line without blanks at its end."""
    while line and not line[-1][0].strip():
        line.pop()
    return line


def _merged(line: Line) -> Line:
    """Join neighbours of one style."""
    result: Line = []
    for text, style in line:
        if result and result[-1][1] == style:
            result[-1] = (result[-1][0] + text, style)
        else:
            result.append((text, style))
    return result


def _words(text: str) -> list[str]:
    parts: list[str] = []
    word = ""
    for character in text:
        word += character
        if (character == " " and word.strip()) or len(word) > LONGEST:
            parts.append(word)
            word = ""
    return [*parts, word] if word else parts


def width_of(table: list[Line]) -> int:
    """Return the columns that some lines take."""
    return max((display_width("".join(text for text, _ in line)) for line in table), default=0)


def aligned(table: Sequence[Sequence[Segment]], left: Collection[int]) -> list[Line]:
    """Return rows of cells as lines, with a rule below the first; columns in `left` are flush left."""
    widths = [max(display_width(row[k][0]) for row in table) for k in range(len(table[0]))]
    result: list[Line] = []
    for n, row in enumerate(table):
        line: Line = [("  ", "")]
        for k, (text, style) in enumerate(row):
            pad = " " * (widths[k] - display_width(text))
            line += [(text, style), (pad, "")] if k in left else [(pad, ""), (text, style)]
            line.append(("  ", ""))
        result.append(trimmed(line))
        if n == 0:
            result.append([("  " + "  ".join("─" * w for w in widths), "dim")])
    return result
