"""mpmath numbers: every function of the language, to any number of digits."""

from __future__ import annotations

import operator
from typing import Any

import mpmath

from gradcheck.systems.floats import choices, comparisons
from gradcheck.systems.system import CHOICE, OPERATORS, Function, System


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

    def lgamma(x: Any) -> Any:
        # loggamma is complex left of zero; the language's lgamma is log|gamma|, as in C.
        return mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x)))

    return {
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "div": operator.truediv,
        "neg": operator.neg,
        "pow": operator.pow,
        "abs": abs,
        "sign": sign,
        "step": lambda x: one if x > 0 else zero,
        "ceil": mp.ceil,
        "round": round_half_even,
        "log2": log2,
        "lgamma": lgamma,
        "atan2": atan2,
        "digamma": lambda x: mp.psi(0, x),
        "polygamma": lambda n, x: mp.psi(int(n), x),
        **choices(),
        **comparisons(one, zero),
        **{
            name: getattr(mp, name)
            for name in (
                "exp", "expm1", "log", "log1p", "log10", "sqrt", "cbrt", "hypot", "floor",
                "sin", "cos", "tan", "asin", "acos", "atan",
                "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "gamma",
            )
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
