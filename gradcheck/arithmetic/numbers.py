"""What holds for a number of any system: float64, decimal, mpmath."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "abs": abs,
    "identity": lambda x: x,
}
"""Ops that Python's operators carry out in every system."""


def to_float(number: Any) -> float:
    """Convert a number to float64; one that is too large becomes infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number > 0 or -1)


def magnitude(number: Any) -> float:
    """Return the decimal logarithm of the size of a finite number other than zero, roughly."""
    if isinstance(number, float):
        return math.log10(abs(number))
    if hasattr(number, "adjusted"):
        return float(number.adjusted())
    return float(number.context.mag(number)) * math.log10(2)


def is_finite(number: Any) -> bool:
    """Return whether there is a number, and it is neither NaN nor infinite."""
    # Subtracting infinities is an error in some systems and NaN in others.
    try:
        return number is not None and bool(number - number == 0)
    except ArithmeticError:
        return False
