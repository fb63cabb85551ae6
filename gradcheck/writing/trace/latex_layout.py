"""Equations on a page of LaTeX: aligned at their signs of equality, with remarks beside them, none too wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gradcheck.writing.trace.equations import Equation
from gradcheck.writing.trace.latex_words import figures, prose
from gradcheck.writing.trace.tex_width import ANSWER, END, GRADIENT, VALUE, rows, width

LINE = 43.2
"""Width of a line of text in em, with some room for what is only estimated."""

BESIDE, LABEL = 13.3, 2.8
"""Width of the column of remarks, and of that of the stages' numbers, in em."""

REMARK = 29
"""Characters of a remark that fit in a line of their column."""

SIZES = ((1.0, ""), (0.91, r"\small"), (0.82, r"\footnotesize"), (0.73, r"\scriptsize"), (0.55, r"\tiny"))
"""Sizes of type relative to that of the text."""

MOST_LINES = 40
"""Equations that are aligned with one another: TeX keeps all of them in mind at once."""

LONG_LEFT = 0.4
"""Part of the line beyond which what is computed gets a line of its own."""

CELL = 34
"""Characters of a name in a table that stand in one line."""


class Item(NamedTuple):
    """A line that is aligned with others.

    Attributes:
        equation: what it says.
        label: number of the stage; "" for none.
        remark: what stands beside it, in plain text.
    """

    equation: Equation
    label: str = ""
    remark: str = ""


class _Columns(NamedTuple):
    """How the width of a line is shared out.

    Attributes:
        left: widest that what is computed may be, to stand beside its value.
        right: room for what it is equal to.
    """

    left: float
    right: float


def _columns(items: Sequence[Item], room: float) -> _Columns:
    room -= LABEL * any(item.label for item in items) + BESIDE * any(item.remark for item in items)
    most = LONG_LEFT * room
    lefts = [width(item.equation.left) for item in items]
    return _Columns(most, room - max((w for w in lefts if w <= most), default=0.0))


def fits(items: Sequence[Item], room: float = LINE) -> bool:
    """Return whether every part of these lines that cannot be broken fits."""
    right = _columns(items, room).right
    return all(width(row) <= right for item in items for row in rows(item.equation.stages, right))


def painted(text: str) -> str:
    """Return a formula with its colours and frames."""
    for mark, opening in ((VALUE, r"\textcolor{value}{"), (GRADIENT, r"\textcolor{gradient}{"), (ANSWER, r"\boxed{")):
        text = text.replace(mark, opening)
    return text.replace(END, "}")


def beside(groups: Sequence[Sequence[Item]]) -> list[str]:
    """Return groups of lines, for the place after a heading: all aligned, or each below its remark if that is too wide.

    The remark of a group is that of its first line.
    """
    items = [item for group in groups for item in group]
    if fits(items):
        # TeX is not given more at a time than it can hold.
        parcels = [items[k : k + MOST_LINES] for k in range(0, len(items), MOST_LINES)]
        return [f"\\begins\n{aligned(parcel)}" for parcel in parcels]
    return [_below(group) for group in groups]


def _below(group: Sequence[Item]) -> str:
    first = group[0]
    label = rf"\textbf{{[{first.label}]}}" if first.label else ""
    said = " ".join(filter(None, (label, rf"\textit{{{prose(first.remark)}}}" if first.remark else "")))
    lines = aligned([Item(one.equation, remark=one.remark if k else "") for k, one in enumerate(group)])
    return f"{said}\n{lines}" if said else f"\\begins\n{lines}"


def aligned(items: Sequence[Item], room: float = LINE) -> str:
    """Return lines one below the other, aligned at the first sign of equality."""
    columns = _columns(items, room)
    written = [_rows(item, columns) for item in items]
    result = []
    for k, (item, mine) in enumerate(zip(items, written, strict=True)):
        below = next((n for n in range(k + 1, len(items)) if items[n].remark), len(items))
        free = sum(_height(row) for some in written[k:below] for row in some)
        mine[0] = f"& {_label(item)}{mine[0]}{_remark(item.remark, free)}"
        result += [mine[0], *(f"& {row}" for row in mine[1:])]
    inside = " \\\\\n".join(result)
    return f"\\begin{{alignat*}}{{3}}\n{inside}\n\\end{{alignat*}}"


def _label(item: Item) -> str:
    return rf"\stage{{{item.label}}} " if item.label else ""


def _rows(item: Item, columns: _Columns) -> list[str]:
    """Return the lines of an equation, from the column of what is computed on."""
    left, stages = item.equation.left, item.equation.stages
    found = [_sized(row, columns.right) for row in rows(stages, columns.right)]
    if not left:
        found[0] = found[0].removeprefix("= ")
    if width(left) > columns.left:
        return [
            rf"&& \rlap{{$\displaystyle {_sized(left, columns.left + columns.right)}$}}",
            *(f"&& {row}" for row in found),
        ]
    return [f"& {left} & {found[0]}", *(f"&& {row}" for row in found[1:])]


def _sized(row: str, room: float) -> str:
    """Return a part of a formula, in smaller type where it would be too wide; painted."""
    wide = width(row)
    size = next((name for scale, name in SIZES if wide * scale <= room), SIZES[-1][1])
    text = painted(row)
    return rf"\mbox{{{size}$\displaystyle {{}}{text}$}}" if size else text


def _height(row: str) -> float:
    """Return about how high a line is, in points."""
    lines = max(row.count(r"\\"), 1.6 if r"\frac" in row else 0.3)
    return 14 * lines + 9


def _remark(text: str, free: float) -> str:
    """Return a remark; it hangs into the lines below where these leave room for it."""
    if not text:
        return ""
    inside = rf"\beside{{{prose(text)}}}"
    return rf" && \smash{{{inside}}}" if 11 * -(-len(text) // REMARK) <= free else f" && {inside}"


def tabular(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return a table whose first and last columns are flush left; its first holds names of any length."""
    form = "l" + "r" * (len(headings) - 2) + "l"
    head = " & ".join(map(prose, headings))
    body = " \\\\\n".join(" & ".join([_cell(row[0]), *map(figures, row[1:])]) for row in cells)
    lines = [
        rf"{{\small\begin{{tabular}}{{@{{}}{form}@{{}}}}",
        rf"{head} \\[2pt] \hline",
        rf"\rule{{0pt}}{{2.6ex}}{body}",
        r"\end{tabular}\par}",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return rf"\parbox[t]{{6cm}}{{\raggedright {prose(text)}}}" if len(text) > CELL else prose(text)
