"""One element of one op in balls, where differences in float64 see nothing."""

from __future__ import annotations

import math
from typing import Any

from gradcheck.arithmetic import balls
from gradcheck.arithmetic.arb import arb
from gradcheck.checking.exact import DIGITS
from gradcheck.engines.elementwise_slopes import Close
from gradcheck.engines.finite_difference import gate_sides, gate_slopes

MOST = 256
"""Elements of one graph that are looked at in this way; it takes a millisecond each."""

LAST = 8 * 2.0**-52
"""The last digits of a float64, which any way of computing it may lose."""

LEAST = 2.0**-1060
"""Stands for the size of a slope that is zero although the op does move."""


NOTHING = Close(0.0, math.inf)


class Closely:
    """Looks at single elements, each one once.

    Attributes:
        left: how many more it will look at.
    """

    def __init__(self) -> None:
        self.left = MOST
        self._seen: dict[Any, Close] = {}

    def __call__(self, op: str, row: tuple[float, ...], k: int) -> Close | None:
        """Return what op `op` does around one element when operand `k` moves; None beyond the budget."""
        key = (op, row, k)
        if key not in self._seen:
            if self.left <= 0:
                return None
            self.left -= 1
            self._seen[key] = _look(op, row, k)
        return self._seen[key]


def _look(op: str, row: tuple[float, ...], k: int) -> Close:
    """Return the slope, with more digits until it is sharp, or both slopes of a kink."""
    for digits in DIGITS[:-1]:
        with balls.precision(digits):
            point = [arb(x) for x in row]
            try:
                slope = gate_slopes(op, digits)[k]
                slope = slope(*point) if callable(slope) else slope
            except (ArithmeticError, ValueError):
                return NOTHING
            found = balls.to_float(slope)
            bar = max(LAST * abs(found), LEAST)
            if balls.radius(slope) <= bar:
                return Close(found, bar)
            sides = gate_sides(op, digits, point, k)
            if len(sides) == 2 and not sides[0].overlaps(sides[1]):
                left, right = map(float, sides)
                middle = (left + right) / 2
                return Close(middle, max(LAST * abs(middle), LEAST), abs(right - left) / 2)
    return NOTHING
