"""Special functions of balls, by Arb; and of float64 numbers, rounded from balls.

Python's math has few special functions. A ball that is narrow enough says what float64 is nearest, so
that there is one implementation, and it is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.arithmetic.arb import acb, arb, ctx

Ball = Any

DIGITS = (100, 400, 1600, 6400)
"""Binary digits in which a float64 is looked for, one after the other while the ball is too wide."""


def check_order(n: float) -> None:
    """Refuse an order of a function that is not a small whole number."""
    if not 0 <= n <= 1000 or n != int(n):
        raise ValueError("the order must be a whole number up to 1000")


def lgamma(x: Ball) -> Ball:
    """Return log|gamma(x)|: Arb's own has no value left of zero."""
    return x.lgamma() if x > 0 else abs(x.gamma()).log()


def digamma(x: Ball) -> Ball:
    """Return digamma; left of zero by reflection (DLMF 5.5.4), since Arb's has no value there for wide balls."""
    return (1 - x).digamma() - arb.pi() * (arb.pi() * x).cot() if x < 0 else x.digamma()


def polygamma(n: Ball, x: Ball) -> Ball:
    """Return the nth derivative of digamma."""
    order = n if isinstance(n, int) else float(n)
    check_order(order)
    return digamma(x) if order == 0 else acb(x).polygamma(acb(order)).real


def iv(n: Ball, x: Ball) -> Ball:
    """Return the modified Bessel function I_n of a whole order: it grows with |x|, and is even or odd as n is."""
    order = abs(n if isinstance(n, int) else float(n))
    check_order(order)
    if x.is_exact() or x.is_nan():
        return x.bessel_i(int(order))
    ends = (x.lower(), x.upper()) if order % 2 else (x.abs_lower(), x.abs_upper())
    return ends[0].bessel_i(int(order)).union(ends[1].bessel_i(int(order)))


def _scaled(order: int) -> Callable[[Ball], Ball]:
    def apply(x: Ball) -> Ball:
        found = abs(x).bessel_i(order, scaled=True)
        return -found if order % 2 and x < 0 else found

    return apply


def _between_ends(function: Callable[[Ball], Ball]) -> Callable[[Ball], Ball]:
    """Make a function that only grows, or only falls, narrow over wide balls."""

    def apply(x: Ball) -> Ball:
        if x.is_exact() or x.is_nan():
            return function(x)
        return function(x.lower()).union(function(x.upper()))

    return apply


erfinv = _between_ends(lambda x: x.erfinv())
erfcinv = _between_ends(lambda x: x.erfcinv())


def _ndtr(x: Ball) -> Ball:
    return (-x / arb(2).sqrt()).erfc() / 2


TRANSCENDENTAL: Mapping[str, Callable[..., Ball]] = {
    "digamma": digamma,
    "polygamma": polygamma,
    "beta": lambda x, y: x.gamma() * y.gamma() / (x + y).gamma(),
    "betaln": lambda x, y: lgamma(x) + lgamma(y) - lgamma(x + y),
    "erfinv": erfinv,
    "erfcinv": erfcinv,
    "erfcx": lambda x: (x * x).exp() * x.erfc(),
    "norm_pdf": lambda x: (-x * x / 2).exp() / (2 * arb.pi()).sqrt(),
    "ndtr": _ndtr,
    "log_ndtr": lambda x: _ndtr(x).log(),
    "sinc": lambda x: x.sinc_pi(),
    "iv": iv,
    "i0e": _scaled(0),
    "i1e": _scaled(1),
}
"""What float64 has no good formula for: op → the function of balls."""


def nearest(op: str, *operands: float) -> float:
    """Return the float64 that is nearest to an op's value; NaN where it has none."""
    for bits in DIGITS:
        with ctx.workprec(bits):
            found = TRANSCENDENTAL[op](*map(arb, operands))
            if found.rel_accuracy_bits() > 60 or found == 0:
                break
    return float(found)
