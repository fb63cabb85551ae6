"""Arrays in a text: small ones whole, as a person writes a matrix; large ones in summary."""

from __future__ import annotations

from typing import Any

from gradcheck.deriving.records import shape_of
from gradcheck.notation.numbers import number

MOST_ROWS, MOST_COLUMNS = 8, 8
"""Rows and columns of a matrix that is printed whole."""


NOTHING = 1e-13
"""A mean below this part of the largest element is what rounding left of zero."""


def cells(value: Any, digits: int, width: int) -> list[list[str]]:
    """Return the numbers of a small array by rows; none of one that is shown in summary.

    Args:
        value: an array.
        digits: significant digits.
        width: characters that a line of it may take.
    """
    inner = value
    while len(shape_of(inner)) > 2 and shape_of(inner)[0] == 1:
        inner = inner[0]
    rows, columns = ([1, *shape_of(inner)])[-2:]
    if not value.size or len(shape_of(inner)) > 2 or rows > MOST_ROWS or columns > MOST_COLUMNS:
        return []
    found = [[number(float(x), digits) for x in row] for row in inner.reshape(rows, columns)]
    return found if max(map(len, _lines(found, value))) <= width else []


def _lines(found: list[list[str]], value: Any) -> list[str]:
    if len(shape_of(value)) == 1:
        return [f"[{', '.join(found[0])}]"]
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    text = ["[" + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) + "]" for row in found]
    return [("[" if k == 0 else " ") + row + ("]" if k == len(text) - 1 else "") for k, row in enumerate(text)]


def matrix(value: Any, digits: int, width: int) -> list[str]:
    """Return an array as lines: [1, 2], rows in aligned columns, or a summary; see `cells`."""
    if not shape_of(value):
        return [number(float(value), digits)]
    found = cells(value, digits, width)
    if found:
        return _lines(found, value)
    return ["".join(word + text for word, text in summary(value, digits))]


def summary(value: Any, digits: int) -> list[tuple[str, str]]:
    """Return what there is to say of a large array, words each with a number; its shape stands elsewhere."""
    if not value.size:
        return [("no elements", "")]
    low, high, mean = float(value.min()), float(value.max()), float(value.mean())
    if abs(mean) < NOTHING * max(abs(low), abs(high)):
        mean = 0.0
    said = [("all ", low)] if low == high else [("from ", low), (" to ", high), (", mean ", mean)]
    return [(word, number(one, digits)) for word, one in said]
