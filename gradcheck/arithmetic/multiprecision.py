"""mpmath numbers: every function of the language, to any number of digits."""

from __future__ import annotations

from typing import Any

import mpmath

from gradcheck.arithmetic.compiling import CHOICE, OPERATORS, Function
from gradcheck.arithmetic.floats import check_order, choices, comparisons
from gradcheck.arithmetic.numbers import ARITHMETIC
from gradcheck.arithmetic.system import System

MAX_BITS = 40_000
"""Binary digits before the point of an operand that functions still take."""


def _natives(mp: Any) -> dict[str, Function]:
    one, zero = mp.mpf(1), mp.mpf(0)

    def sign(x: Any) -> Any:
        return x if mp.isnan(x) else mp.sign(x)

    def log2(x: Any) -> Any:
        return mp.log(x) / mp.log(2)

    def round_half_even(x: Any) -> Any:
        return mp.nint(x)

    def atan2(y: Any, x: Any) -> Any:
        if y == 0 == x:
            raise ValueError("atan2 at the origin")
        return mp.atan2(y, x)

    def polygamma(n: Any, x: Any) -> Any:
        check_order(n)
        return mp.psi(int(n), bounded(x))

    def bounded(x: Any) -> Any:
        # Reducing such an argument, or holding such a result, would take time and memory without end.
        if mp.isfinite(x) and x and mp.mag(x) > MAX_BITS:
            raise OverflowError("the operand is too large")
        return x

    def guarded(name: str) -> Function:
        function = getattr(mp, name)
        return lambda x: function(bounded(x))

    def power(x: Any, y: Any) -> Any:
        if x and y and mp.isfinite(x) and mp.isfinite(y) and mp.mag(y) + max(0, abs(mp.mag(x)).bit_length()) > MAX_BITS:
            raise OverflowError("the power is too large")
        return x**y

    def lgamma(x: Any) -> Any:
        # loggamma is complex left of zero; the language's lgamma is log|gamma|, as in C.
        return mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x)))

    return {
        **ARITHMETIC,
        "pow": power,
        "sign": sign,
        "step": lambda x: one if x > 0 else zero,
        "heaviside": lambda x: (sign(x) + 1) / 2,
        "ceil": mp.ceil,
        "round": round_half_even,
        "log2": log2,
        "lgamma": lgamma,
        "atan2": atan2,
        "digamma": lambda x: mp.psi(0, x),
        "polygamma": polygamma,
        **choices(),
        **comparisons(one, zero),
        **{
            name: getattr(mp, name)
            for name in (
                "log", "log1p", "log10", "sqrt", "hypot", "floor", "asin", "acos", "atan", "asinh", "acosh", "atanh",
            )
        },
        **{
            name: guarded(name)
            for name in ("exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc", "gamma")
        },
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    }  # fmt: skip


def system(digits: int) -> System:
    """Return the number system of mpmath floats with `digits` significant digits.

    It has a context of its own: neither the precision that SymPy sets nor that of a caller
    is touched, and a complex result (log of -1) raises instead of spreading.
    """
    mp = mpmath.MPContext()
    mp.dps = digits
    mp.trap_complex = True

    def literal(text: str) -> Any:
        return +mp.pi if text == "pi" else +mp.e if text == "e" else mp.mpf(text)

    def constant(text: str) -> Any:
        return literal(text) if text in ("e", "pi") else mp.mpf(float(text))

    return System(
        f"{digits}-digit mpmath", _natives(mp), constant, literal=literal,
        inline={**OPERATORS, **CHOICE, "div": "({0} / {1})"}, nan=mp.nan,
    )  # fmt: skip
