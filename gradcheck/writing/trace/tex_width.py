r"""How wide a formula in LaTeX will be, and where it may be broken: estimated without TeX.

Widths are those of Computer Modern in em, to about a tenth. The formula is walked once with a stack of
open groups, because a formula may be nested more deeply than Python calls functions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gradcheck.errors import display_width

VALUE, GRADIENT, ANSWER, END = "\ue000", "\ue001", "\ue002", "\ue003"
"""Marks before a value, a gradient and the gradient of an input, and after each; names never hold them."""

MARKS = re.compile("[\ue000-\ue003]")

DEEPEST = 60
"""Groups within groups that TeX is given; it gives up at 255, and uses several for some."""

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_NARROW, _BROAD = frozenset("ijlt.,;:'|!I"), frozenset("mwMW@")
_WIDTHS = {
    **dict.fromkeys((VALUE, GRADIENT, ANSWER, END), 0.0), **dict.fromkeys("0123456789", 0.5), ".": 0.28, " ": 0.23,
    "=": 0.9, "+": 0.78, "-": 0.78, "<": 0.9, ">": 0.9, "\\cdot": 0.28, "\\times": 0.78, "\\leq": 0.9, "\\geq": 0.9,
    "\\neq": 0.9, "\\quad": 1.0, "\\qquad": 2.0,
    "\\,": 0.17, "\\;": 0.28, "\\ ": 0.33, "\\left": 0.1, "\\right": 0.1, "\\log": 1.4, "\\max": 1.9, "\\min": 1.8,
    "\\exp": 1.6, "\\sinh": 1.9, "\\cosh": 2.1, "\\tanh": 2.2, "\\arcsin": 2.7, "\\arccos": 2.8, "\\arctan": 2.9,
    "\\infty": 1.0, "\\displaystyle": 0.0, "\\footnotesize": 0.0, "\\backslash": 0.5, "\\to": 1.56, "\\dots": 1.2,
}  # fmt: skip
_DEFAULT_COMMAND = 0.65
_SCRIPT = 0.72
_COLUMN_GAP, _FENCES = 1.0, 1.2

_OPENING, _CLOSING = frozenset(("{", "(", "[", "\\left", "\\begin")), frozenset(("}", ")", "]", "\\right", "\\end"))
_BREAKS = (" + ", " - ", r" \cdot ", r"\,")


class _Command(NamedTuple):
    """A command that takes groups.

    Attributes:
        count: how many.
        scales: how large each is set; 0 for one that is not shown.
        stacked: whether they stand on top of each other.
        extra: width beside them.
    """

    count: int  # type: ignore[assignment]
    scales: tuple[float, ...] = (1.0,)
    stacked: bool = False
    extra: float = 0.0


_COMMANDS = {
    "\\frac": _Command(2, (1.0, 1.0), True, 0.25),
    "\\underset": _Command(2, (_SCRIPT, 1.0), True),
    "\\textcolor": _Command(2, (0.0, 1.0)),
    "\\sqrt": _Command(1, extra=0.9),
    "\\operatorname": _Command(1, extra=0.17),
    "\\begin": _Command(1, (0.0,)),
    "\\end": _Command(1, (0.0,)),
    "_": _Command(1, (_SCRIPT,), extra=0.05),
    "^": _Command(1, (_SCRIPT,), extra=0.05),
    **dict.fromkeys(
        ("\\mathit", "\\mathrm", "\\text", "\\underbrace", "\\texttt", "\\boxed", "\\hat", "\\acute", "\\bar"),
        _Command(1),
    ),
}


class _Frame:
    """A group, or a table of cells, that is still open."""

    def __init__(self, table: bool = False) -> None:
        self.table = table
        self.width = 0.0
        self.columns: list[float] = []
        self.column = 0
        self.command: _Command | None = None
        self.arguments: list[float] = []

    def cell(self) -> None:
        """Close a cell of a table."""
        self.columns += [0.0] * (self.column + 1 - len(self.columns))
        self.columns[self.column] = max(self.columns[self.column], self.width)
        self.width, self.column = 0.0, self.column + 1

    def add(self, width: float) -> None:
        """Add what was closed within: an argument of a waiting command, or simply so much more."""
        if self.command is None:
            self.width += width
            return
        self.arguments.append(width)
        if len(self.arguments) == self.command.count:
            shown = [scale * w for scale, w in zip(self.command.scales, self.arguments, strict=True)]
            self.width += (max(shown) if self.command.stacked else sum(shown)) + self.command.extra
            self.command = None


def width(text: str) -> float:
    """Return the estimated width of a formula in em."""
    stack = [_Frame()]
    for sign in _TOKEN.findall(text):
        top = stack[-1]
        if sign == "\\begin":
            stack.append(_Frame(table=True))
            stack[-1].command, stack[-1].arguments = _COMMANDS[sign], []
        elif sign == "\\end" and top.table:
            top.cell()
            stack.pop()
            gaps = _COLUMN_GAP * (len(top.columns) - 1)
            stack[-1].add(sum(top.columns) + gaps + _FENCES)
            stack[-1].command, stack[-1].arguments = _COMMANDS[sign], []
        elif sign in _COMMANDS:
            top.command, top.arguments = _COMMANDS[sign], []
        elif sign == "{":
            stack.append(_Frame())
        elif sign == "}" and len(stack) > 1:
            stack.pop()
            stack[-1].add(top.width)
        elif top.table and sign in ("&", "\\\\"):
            top.cell()
            top.column = 0 if sign != "&" else top.column
        else:
            top.add(_of(sign))
    return stack[0].width


def _of(sign: str) -> float:
    known = _WIDTHS.get(sign)
    if known is not None:
        return known
    if len(sign) > 1:
        return _DEFAULT_COMMAND
    if sign in _NARROW:
        return 0.37
    if display_width(sign) > 1:
        return 1.0
    return 0.95 if sign in _BROAD else 0.78 if sign.isupper() else 0.54


def depth(text: str) -> int:
    """Return how deeply groups are nested in a formula."""
    deepest = level = 0
    for sign in _TOKEN.findall(text):
        level += (sign in _OPENING) - (sign in _CLOSING)
        deepest = max(deepest, level)
    return deepest


def pieces(text: str) -> list[str]:
    """Return the parts of a formula between which a line may be broken: before operators outside of all groups."""
    found, level, begin, at = [], 0, 0, 0
    for sign in _TOKEN.findall(text):
        level += (sign in _OPENING) - (sign in _CLOSING)
        if level == 0 and at > begin and text.startswith(_BREAKS, at):
            found.append(text[begin:at])
            begin = at
        at += len(sign)
    return [*found, text[begin:]]


def rows(stages: Sequence[str], room: float) -> list[str]:
    """Return a calculation as lines that begin with a relation or an operator.

    Args:
        stages: what stands between the signs of equality.
        room: the width that a line may take, in em; a part that cannot be broken may take more.
    """
    result: list[str] = []
    used = 0.0
    for stage in stages:
        whole = f"= {stage}"
        parts = pieces(whole) if width(whole) > room else [whole]
        for k, part in enumerate(parts):
            wide = width(part)
            if result and used + wide <= room and (k or len(parts) == 1):
                result[-1] += part if k else f" {part}"
                used += wide
            else:
                # The braces make an operator at the beginning of a line one between two things.
                result.append(rf"\quad {{}}{part.lstrip()}" if k else part)
                used = wide + (1.4 if k else 0.0)
    return result
