"""Arrays in a text: small ones whole, as a person writes a matrix; large ones in summary."""

from __future__ import annotations

from typing import Any

from gradcheck.deriving.records import shape_of
from gradcheck.notation.numbers import inline, number

MOST_ROWS, MOST_COLUMNS = 8, 8
"""Rows and columns of a matrix that is printed whole."""


NOTHING = 1e-13
"""A mean below this part of the largest element is what rounding left of zero."""


def matrix(value: Any, digits: int, width: int) -> list[str]:
    """Return an array as lines: [1, 2], rows in aligned columns, or a summary.

    Args:
        value: a number or an array.
        digits: significant digits.
        width: columns that a line may take.
    """
    shape = shape_of(value)
    if not shape:
        return [number(float(value), digits)]
    if not value.size:
        return [summary(value, digits)]
    inner = value
    while len(shape_of(inner)) > 2 and shape_of(inner)[0] == 1:
        inner = inner[0]
    rows, columns = ([1, *shape_of(inner)])[-2:]
    if len(shape_of(inner)) > 2 or rows > MOST_ROWS or columns > MOST_COLUMNS:
        return [summary(value, digits)]
    if len(shape_of(inner)) == 1:
        lines = [inline(inner, digits)]
    else:
        cells = [[number(float(x), digits) for x in row] for row in inner]
        widths = [max(len(row[k]) for row in cells) for k in range(columns)]
        text = ["[" + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) + "]" for row in cells]
        lines = [("[" if k == 0 else " ") + row + ("]" if k == rows - 1 else "") for k, row in enumerate(text)]
    return lines if max(map(len, lines)) <= width else [summary(value, digits)]


def summary(value: Any, digits: int) -> str:
    """Return what there is to say of a large array in one line; its shape stands elsewhere."""
    if not value.size:
        return "no elements"
    low, high, mean = float(value.min()), float(value.max()), float(value.mean())
    if abs(mean) < NOTHING * max(abs(low), abs(high)):
        mean = 0.0
    if low == high:
        return f"all {number(low, digits)}"
    return f"from {number(low, digits)} to {number(high, digits)}, mean {number(mean, digits)}"
