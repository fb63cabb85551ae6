"""Python's decimal numbers at any precision: arithmetic, exp, log and roots without an import.

They cost a tenth of mpmath's numbers and load in two milliseconds, so that the common
expression needs neither mpmath nor SymPy for a finite difference of forty digits.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from gradcheck.arithmetic.compiling import CHOICE, OPERATORS, Function
from gradcheck.arithmetic.floats import choices, comparisons
from gradcheck.arithmetic.numbers import ARITHMETIC
from gradcheck.arithmetic.system import System
from gradcheck.errors import Source
from gradcheck.graph.graph import CONSTANT, INPUT
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

ONE, ZERO = Decimal(1), Decimal(0)


def supports(ops: Iterable[str]) -> bool:
    """Return whether graphs with these ops can be computed here."""
    return all(map(_supported, ops))


@lru_cache(maxsize=1024)
def _supported(op: str) -> bool:
    """Return whether an op of the table is native here, or defined by such ops."""
    row = OPS.get(op)
    if op in NATIVES or row is None or row.form is None or not row.elementwise:
        return op in NATIVES
    return supports(set(parse(Source(row.form), row.args, internal=True).ops) - {INPUT, CONSTANT})


def _rounded(mode: str) -> Function:
    return lambda x: x.to_integral_value(rounding=mode) if x.is_finite() else x


def _sign(x: Decimal) -> Decimal:
    return x if x.is_nan() else ONE if x > 0 else -ONE if x < 0 else ZERO


def _power(x: Decimal, y: Decimal) -> Decimal:
    # decimal refuses 0**0; mathematics, math.pow and the op table say 1.
    return ONE if y == 0 else x**y


def _tanh(x: Decimal) -> Decimal:
    # exp(2x) alone would lose as many digits as x has leading zeros.
    if abs(x) < Decimal("1e-5"):
        with decimal.localcontext() as context:
            context.prec += 2 * min(400, -x.adjusted()) if x else 0
            return _tanh_plain(x)
    return _tanh_plain(x)


def _tanh_plain(x: Decimal) -> Decimal:
    if abs(x) > 2000:
        return _sign(x)
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def _expm1(x: Decimal) -> Decimal:
    if x and abs(x) < Decimal("1e-5"):
        with decimal.localcontext() as context:
            context.prec += min(400, -x.adjusted())
            return x.exp() - 1
    return x.exp() - 1


def _log1p(x: Decimal) -> Decimal:
    if x and abs(x) < Decimal("1e-5"):
        with decimal.localcontext() as context:
            context.prec += min(400, -x.adjusted())
            return (1 + x).ln()
    return (1 + x).ln()


def _sinh(x: Decimal) -> Decimal:
    if abs(x) > 1:
        return (x.exp() - (-x).exp()) / 2
    e = _expm1(x)
    return (e + e / (e + 1)) / 2


def _cosh(x: Decimal) -> Decimal:
    return (x.exp() + (-x).exp()) / 2


def _cbrt(x: Decimal) -> Decimal:
    return _sign(x) * abs(x) ** (ONE / 3) if x else x


NATIVES: dict[str, Function] = {
    **ARITHMETIC,
    "pow": _power,
    "exp": Decimal.exp,
    "log": Decimal.ln,
    "log10": Decimal.log10,
    "log1p": _log1p,
    "expm1": _expm1,
    "tanh": _tanh,
    "sinh": _sinh,
    "cosh": _cosh,
    "sqrt": Decimal.sqrt,
    "cbrt": _cbrt,
    "sign": _sign,
    "step": lambda x: ONE if x > 0 else ZERO,
    "heaviside": lambda x: (_sign(x) + 1) / 2,
    "floor": _rounded(decimal.ROUND_FLOOR),
    "ceil": _rounded(decimal.ROUND_CEILING),
    "round": _rounded(decimal.ROUND_HALF_EVEN),
    **choices(),
    **comparisons(ONE, ZERO),
}


def system(digits: int) -> System:
    """Return the decimal number system with `digits` significant digits."""
    context = decimal.Context(
        prec=digits, rounding=decimal.ROUND_HALF_EVEN,
        Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[],
    )  # fmt: skip

    def literal(text: str) -> Decimal:
        if text == "e":
            return ONE.exp(context)
        return _pi(context) if text == "pi" else Decimal(text)

    def constant(text: str) -> Decimal:
        return literal(text) if text in ("e", "pi") else Decimal(float(text))

    return System(
        f"{digits}-digit decimals", NATIVES, constant, literal=literal,
        inline={**OPERATORS, **CHOICE, "div": "({0} / {1})"},
        nan=Decimal("nan"), active=lambda: decimal.localcontext(context),
    )  # fmt: skip


def _pi(context: decimal.Context) -> Decimal:
    """Machin 1706: pi/4 = 4 atan(1/5) - atan(1/239), in integers."""
    digits = context.prec
    one: int = 10 ** (digits + 10)

    def atan_inverse(n: int) -> int:
        term = total = one // n
        for k in range(3, math.ceil((digits + 12) / math.log10(n)) * 2 + 3, 2):
            term = -(term // (n * n)) if term > 0 else (-term) // (n * n)
            total += term // k
        return total

    return Decimal(4 * (4 * atan_inverse(5) - atan_inverse(239))).scaleb(-(digits + 10), context)
