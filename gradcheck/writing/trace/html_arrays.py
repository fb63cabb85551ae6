"""Numbers and arrays in a page: single numbers in a line, small arrays whole, large ones by what bounds them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from gradcheck.deriving.records import shape_of
from gradcheck.notation.markup import escaped
from gradcheck.notation.numbers import number

WHOLE = 6
"""Rows and columns up to which a matrix is shown whole."""

SLICES = 4
"""Matrices up to which an array of more axes is shown whole."""


def data(value: float, digits: int, key: str = "", kind: str = "") -> str:
    """Return a single number as an element that also holds all its digits.

    Args:
        value: the number.
        digits: significant digits shown.
        key: what the page knows it by.
        kind: `value` or `gradient`; "" for neither.
    """
    marks = f' class="{kind}"' * bool(kind) + f' data-n="{key}"' * bool(key)
    return f'<data{marks} value="{float(value)!r}">{number(float(value), digits)}</data>'


def shape_text(value: Any) -> str:
    """Return the shape of an array in words that stand by themselves: 4×3, or 3 numbers."""
    shape = shape_of(value)
    if len(shape) == 1:
        return f"{shape[0]} number{'s' * (shape[0] != 1)}"
    return "×".join(map(str, shape)) or "a number"


def array(value: Any, digits: int, label: str, kind: str) -> str:
    """Return a value or gradient of any shape.

    Args:
        value: a number or an array.
        digits: significant digits.
        label: what it is, for those who do not see the page.
        kind: `value` or `gradient`.
    """
    shape = shape_of(value)
    if not shape:
        return data(value, digits, kind=kind)
    if 0 in shape:
        return '<span class="summary">empty</span>'
    if max(shape[-2:]) > WHOLE or math.prod(shape[:-2]) > SLICES:
        return _summary(value, digits, kind)
    if len(shape) < 3:
        return _table(value.reshape(-1, shape[-1]), digits, label, kind)
    return "".join(_slice(place, matrix, digits, label, kind) for place, matrix in _matrices(value))


def _slice(place: tuple[int, ...], matrix: Any, digits: int, label: str, kind: str) -> str:
    where = f"[{', '.join(map(str, place))}]"
    table = _table(matrix, digits, label + where, kind)
    return f'<div class="sliced"><span class="slice">{where}</span>{table}</div>'


def _matrices(value: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield the matrices of an array and where they are in it."""
    import numpy as np

    for place in np.ndindex(value.shape[:-2]):
        yield tuple(int(k) for k in place), value[place]


def _table(matrix: Any, digits: int, label: str, kind: str) -> str:
    rows = "".join(f"<tr>{''.join(f'<td>{number(float(one), digits)}</td>' for one in row)}</tr>" for row in matrix)
    return f'<table class="matrix {kind}" aria-label="{escaped(label)}">{rows}</table>'


def _summary(value: Any, digits: int, kind: str) -> str:
    """Return the ends, the bounds and the mean of a large array."""
    import numpy as np

    with np.errstate(all="ignore"):
        bounds = [(name, float(getattr(np, name)(value))) for name in ("min", "max", "mean")]
    flat = value.reshape(-1)
    ends = [("first", float(flat[0])), ("last", float(flat[-1]))]
    items = "".join(f"<div><dt>{name}</dt><dd>{number(one, digits)}</dd></div>" for name, one in (*bounds, *ends))
    return f'<dl class="summary {kind}">{items}</dl>'
