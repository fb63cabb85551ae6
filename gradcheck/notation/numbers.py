"""Numbers of a derivation in plain text, rounded to so many significant digits."""

from __future__ import annotations

import math
from typing import Any

DIGITS = 6
"""Significant digits of a number, unless more are asked for."""

WHOLE = 1e15
"""Whole numbers below this are written in full."""


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number rounded to so many significant digits; whole numbers in full."""
    if math.isfinite(value) and value == math.floor(value) and abs(value) < WHOLE:
        return str(int(value))
    return f"{float(value):.{digits}g}"


def inline(value: Any, digits: int = DIGITS) -> str:
    """Return a number, or an array as nested brackets in one line."""
    if not getattr(value, "shape", ()):
        return number(float(value), digits)
    return f"[{', '.join(inline(part, digits) for part in value)}]"


def rounded(value: Any, digits: int = DIGITS) -> bool:
    """Whether some number shows fewer digits than it has."""
    if not getattr(value, "shape", ()):
        return math.isfinite(value) and float(number(float(value), digits)) != float(value)
    return any(rounded(part, digits) for part in value)
