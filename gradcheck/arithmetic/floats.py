"""float64 numbers, from Python's own math module: no numpy, no import that costs anything."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from gradcheck.arithmetic.compiling import CHOICE, OPERATORS, Function
from gradcheck.arithmetic.system import System

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
}  # fmt: skip


def constant(text: str) -> float:
    """Return the float64 nearest to the number that `text` spells."""
    return {"pi": math.pi, "e": math.e}.get(text) or float(text)


def _sign(x: float) -> float:
    return math.nan if math.isnan(x) else float((x > 0) - (x < 0))


def atan2(y: float, x: float) -> float:
    """Return the angle of (x, y); the origin has none, whatever C says."""
    if y == 0 == x:
        raise ValueError("atan2 at the origin")
    return math.atan2(y, x)


def _by_balls(op: str) -> Function:
    def apply(*x: float) -> float:
        # Loaded for the first that is computed: what Python's math has does not need it.
        from gradcheck.arithmetic.special import nearest

        return nearest(op, *x)

    return apply


BY_BALLS = (
    "digamma", "polygamma", "beta", "betaln", "erfinv", "erfcinv", "erfcx", "norm_pdf", "ndtr", "log_ndtr", "sinc",
    "iv", "i0e", "i1e",
)  # fmt: skip
"""Special functions that Python's math lacks."""


def comparisons(one: Any, zero: Any) -> dict[str, Function]:
    """Return the comparison ops as functions with values `one` and `zero`."""

    def as_number(compare: Callable[[Any, Any], bool]) -> Function:
        return lambda x, y: one if compare(x, y) else zero

    return {name: as_number(compare) for name, compare in COMPARE.items()}


def choices() -> dict[str, Function]:
    """Return the ops that pick one operand, for single numbers of any kind."""
    return {
        "where": lambda c, x, y: x if c else y,
        "select": lambda c, g: g if c else None,
        "max": lambda x, y: x if x > y or x != x else y,
        "min": lambda x, y: x if x < y or x != x else y,
    }


NATIVES: dict[str, Function] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "abs": abs,
    "identity": lambda x: x,
    "pow": math.pow,
    "sign": _sign,
    "step": lambda x: 1.0 if x > 0 else 0.0,
    "heaviside": lambda x: 0.5 * (_sign(x) + 1),
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "round": lambda x: float(round(x)),
    **{name: _by_balls(name) for name in BY_BALLS},
    "atan2": atan2,
    **choices(),
    **comparisons(1.0, 0.0),
    **{
        name: getattr(math, name)
        for name in (
            "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "hypot",
            "sin", "cos", "tan", "asin", "acos", "atan",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "gamma", "lgamma",
        )
    },
}  # fmt: skip

INLINE = {
    **OPERATORS,
    **CHOICE,
    "div": "({0} / {1})",
    "step": "(1.0 if {0} > 0 else 0.0)",
}


def _divide(x: float, y: float) -> float:
    if y == 0:
        return math.nan if x == 0 or x != x else math.copysign(math.inf, x) * math.copysign(1.0, y)
    return x / y


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _ieee(function: Function, overflow: float, pole: float) -> Function:
    def careful(x: float) -> Any:
        try:
            return function(x)
        except OverflowError:
            return overflow if x > 0 else math.copysign(overflow, x)
        except ValueError:
            return pole if x == 0 else math.nan

    return careful


IEEE = System(
    "float64 with infinities",
    {
        **NATIVES,
        "div": _divide,
        "pow": _power,
        "exp": _ieee(math.exp, math.inf, math.nan),
        "expm1": _ieee(math.expm1, math.inf, math.nan),
        "cosh": lambda x: math.cosh(x) if abs(x) < 710 else math.inf,
        "sinh": _ieee(math.sinh, math.inf, math.nan),
        "log": _ieee(math.log, math.nan, -math.inf),
        "sqrt": _ieee(math.sqrt, math.nan, math.nan),
    },
    constant,
    inline={**OPERATORS, **CHOICE, "step": INLINE["step"]},
    stable=True,
    single=True,
)
"""Like `FLOATS`, but a pole or an overflow gives what IEEE 754 says instead of an exception."""

FLOATS = System("float64", NATIVES, constant, inline=INLINE, careful=IEEE, stable=True, single=True)
