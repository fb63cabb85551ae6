"""Taylor series whose coefficients are balls: how a function runs on from a number, or over a whole box.

A number that moves is c0 + c1·t + …; carried through a graph, the coefficients of the result are
those of the function. Where c0 is a box, the third coefficient bounds what a central difference
leaves out anywhere in it. Where c0 is a point and t is taken as small and positive, the first
coefficient is the one-sided slope: a piece is chosen by the first coefficient that is not exactly
zero, and if that cannot be told there is no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gradcheck.arithmetic import balls, special
from gradcheck.arithmetic.arb import arb, arb_series, ctx
from gradcheck.arithmetic.balls import INLINE, NAN, ONE, ZERO
from gradcheck.arithmetic.compiling import Function
from gradcheck.arithmetic.special import check_order
from gradcheck.arithmetic.system import System

Series = Any
"""A series, or a ball for what does not move."""

BOX = 4
"""Coefficients of a series over a box: the last bounds what a difference leaves out."""


class UndecidedError(ArithmeticError):
    """The coefficients known do not say which piece of a function it is, or it has no series here."""


class OutsideError(ArithmeticError):
    """To this side the function is certainly not defined."""


def moving(x: Series) -> Series:
    """Return a number as a series."""
    return x if isinstance(x, arb_series) else arb_series([x])


def _finite(x: Series) -> bool:
    return all(c.is_finite() for c in x.coeffs()) if isinstance(x, arb_series) else bool(x.is_finite())


def starting(x: Series, start: Any) -> Series:
    """Return a series with another first coefficient, if it has one."""
    if not _finite(x[0] if isinstance(x, arb_series) else x):
        return x
    return arb_series([start, *x.coeffs()[1:]], x.prec) if isinstance(x, arb_series) else start


def known(x: Series, terms: int) -> bool:
    """Return whether so many coefficients are numbers: where one is none, a later one may read as zero."""
    if not isinstance(x, arb_series):
        return bool(x.is_finite())
    return x.prec >= terms and all(x[k].is_finite() for k in range(terms))


def side(x: Series) -> int:
    """Return the sign of a series for small positive t; 0 if all its coefficients are exactly zero.

    Raises:
        UndecidedError: if the first that is not exactly zero may have either sign, or is not known.
    """
    for c in x.coeffs() if isinstance(x, arb_series) else [x]:
        if not c.contains(0):
            return 1 if c > 0 else -1
        if not c.is_zero():
            raise UndecidedError
    if isinstance(x, arb_series) and x.prec < ctx.cap:
        raise UndecidedError
    return 0


def _told(x: Series) -> int:
    """Return the sign of a series where zero means zero, and not only that it is very flat.

    Over a box it does, since the first coefficient holds every value; beside a point it does not.

    Raises:
        UndecidedError: if that cannot be told.
    """
    found = side(x)
    if found == 0 and not _nothing(x):
        raise UndecidedError
    return found


def _nothing(x: Series) -> bool:
    """Return whether a series is certainly zero, and stays it."""
    if not isinstance(x, arb_series):
        return bool(x == 0)
    return not x.length() and x.prec >= ctx.cap == BOX


def _valuation(x: Series) -> int:
    """Return the place of the first coefficient that is not exactly zero."""
    coefficients = x.coeffs()
    return next((k for k, c in enumerate(coefficients) if not c.is_zero()), x.prec)


def _shifted(x: Series, places: int) -> Series:
    """Return the series divided by t to the power `places`."""
    return arb_series(x.coeffs()[places:], x.prec - places)


def _times_power(x: Series, places: int) -> Series:
    return arb_series([ZERO] * places + x.coeffs(), min(x.prec + places, ctx.cap))


def _grown(start: Any, slope: Series, x: Series) -> Series:
    """Return the series f(x) from its first coefficient and f'(x), by integrating f'(x)·x'."""
    return (slope * x.derivative()).integral() + start


def _by_slope(name: str, slope: Function) -> Function:
    value = balls.NATIVES[name]

    def apply(x: Series) -> Series:
        return _grown(value(x[0]), slope(x), x) if isinstance(x, arb_series) else value(x)

    return apply


def _native(name: str) -> Function:
    function, value = getattr(arb_series, name), balls.NATIVES[name]
    return lambda x: function(x) if isinstance(x, arb_series) else value(x)


def _solved(name: str, slope: Function) -> Function:
    """Return the series of a function whose slope is known from its value: each round settles one more coefficient."""
    value = balls.NATIVES[name]

    def apply(x: Series) -> Series:
        if not isinstance(x, arb_series):
            return value(x)
        found = start = value(x[0])
        for _ in range(ctx.cap):
            found = _grown(start, slope(found), x)
        return found

    return apply


def _composed(x: Series, derivative: Callable[[int], Any]) -> Series:
    """Return the series f(x) from f's derivatives at its first coefficient: order → derivative."""
    factor, outer = ONE, []
    for k in range(ctx.cap):
        factor = factor * k if k else factor
        outer.append(derivative(k) / factor)
    return arb_series(outer)(starting(x, ZERO)) if x.length() > 1 else arb_series(outer[:1], x.prec)


def _order(n: Series) -> int:
    """Return the order of a function, which cannot move."""
    if isinstance(n, arb_series):
        raise OutsideError
    check_order(abs(float(n)))
    return int(float(n))


def _polygamma(n: Series, x: Series) -> Series:
    order = _order(n)
    if not isinstance(x, arb_series):
        return special.polygamma(order, x)
    return _composed(x, lambda k: special.polygamma(order + k, x[0]))


def _iv(n: Series, x: Series) -> Series:
    order = _order(n)
    if not isinstance(x, arb_series):
        return special.iv(order, x)

    def derivative(k: int) -> Any:
        # DLMF 10.29.5
        terms = [math.comb(k, j) * special.iv(order - k + 2 * j, x[0]) for j in range(k + 1)]
        return sum(terms, ZERO) / 2**k

    return _composed(x, derivative)


def _sinc(x: Series) -> Series:
    """Return sin(pi x)/(pi x), which is 0F1(3/2; -(pi x/2)^2) and so has a series at zero too (DLMF 10.16.9)."""
    if not isinstance(x, arb_series):
        return x.sinc_pi()
    inner = -((arb.pi() * x / 2) ** 2)
    return _composed(inner, lambda k: inner[0].hypgeom_0f1(arb(1.5) + k) / arb(1.5).rising(k))


def _times_log(name: str) -> Function:
    def apply(x: Series, y: Series) -> Series:
        if not isinstance(x, arb_series) and not isinstance(y, arb_series):
            return balls.NATIVES[name](x, y)
        if _nothing(x) and _finite(y):
            return ZERO
        return _mul(x, NATIVES["log" if name == "xlogy" else "log1p"](y))

    return apply


def _root(x: Series, n: int, function: Function) -> Series:
    """Return the nth root of a series, which may start with a power of t that has one."""
    if _nothing(x):
        return ZERO
    places = _valuation(x)
    if places == x.prec:
        raise UndecidedError
    shifted = _shifted(x, places)
    if shifted[0] < 0:
        raise OutsideError
    if places % n:
        raise UndecidedError
    return _times_power(function(shifted), places // n)


def _sqrt(x: Series) -> Series:
    return _root(x, 2, arb_series.sqrt) if isinstance(x, arb_series) else x.sqrt()


def _cbrt(x: Series) -> Series:
    if not isinstance(x, arb_series):
        return balls.cbrt(x)
    if side(x) < 0:
        return -_cbrt(-x)
    return _root(x, 3, lambda y: (y.log() / 3).exp())


def _ending(function: Function, low: float | None, high: float | None) -> Function:
    """Let a function that ends at a point, with no slope there, say so to either side of it."""

    def apply(x: Series) -> Series:
        if isinstance(x, arb_series):
            for edge, outward in ((low, -1), (high, 1)):
                if edge is not None and x[0] == edge and (way := side(x - edge)):
                    raise OutsideError if way == outward else UndecidedError
        return function(x)

    return apply


def _lgamma(x: Series) -> Series:
    if not isinstance(x, arb_series):
        return special.lgamma(x)
    return _grown(special.lgamma(x[0]), _polygamma(ZERO, x), x)


def _div(x: Series, y: Series) -> Series:
    if isinstance(y, arb_series) and y[0] == 0:
        places = _valuation(y)
        x = moving(x)
        if places == y.prec or _valuation(x) < places:
            raise UndecidedError
        return _shifted(x, places) / _shifted(y, places)
    if isinstance(y, arb_series) and y[0].contains(0):
        raise UndecidedError
    return x / y


def _power(x: Series, y: Series) -> Series:
    if not isinstance(x, arb_series) and not isinstance(y, arb_series):
        return balls.power(x, y)
    if _nothing(x) and _finite(y) and (y[0] if isinstance(y, arb_series) else y) > 0:
        return ZERO
    x = moving(x)
    if isinstance(y, arb_series):
        if y.length() > 1 or y.prec < ctx.cap:
            return (y * x.log()).exp()
        y = y[0]
    if y.is_integer() and abs(y) < 1000:
        n = int(float(y))
        return x**n if n >= 0 else _div(ONE, x**-n)
    places = _valuation(x)
    if places < x.prec and x[places] < 0 and not y.contains_integer():
        raise OutsideError
    if places == 0:
        odd = y - 2 * (y / 2).floor()
        return x**y if x[0] > 0 or not y.is_integer() else (-x) ** y * (1 - 2 * odd)
    power = y * places
    if power <= 0 or places == x.prec or not x[places] > 0:
        raise UndecidedError
    if not power.is_integer():
        # Nothing of it is left but that it is smaller than the powers of t below.
        return arb_series([ZERO], int(float(power.lower().ceil())))
    return _times_power(_shifted(x, places) ** y, int(float(power)))


def _atan2(y: Series, x: Series) -> Series:
    if not isinstance(x, arb_series) and not isinstance(y, arb_series):
        return balls.atan2(y, x)
    x, y = moving(x), moving(y)
    start = balls.atan2(y[0], x[0])
    # Left of the origin the angle jumps by a whole turn, which its slope does not show.
    if y[0].contains(0) and not x[0] > 0:
        if not (y[0].is_zero() and x[0] < 0):
            raise UndecidedError
        start = -start if _told(y) < 0 else start
    slope = _div(x * y.derivative() - y * x.derivative(), x * x + y * y)
    return slope.integral() + start


def _mul(x: Series, y: Series) -> Series:
    product = x * y
    # Flint takes nothing times anything for nothing, also where there is no number.
    if isinstance(product, arb_series) and not product.length() and not (_finite(x) and _finite(y)):
        return arb_series([NAN] * ctx.cap)
    return product


def _sub(x: Series, y: Series) -> Series:
    return ZERO if x is y and _finite(x) else x - y


def _floor(x: Series) -> Series:
    if not isinstance(x, arb_series):
        return x.floor()
    at = x[0]
    if at.is_integer():
        return at if _told(x - at) >= 0 else at - 1
    if at.contains_integer():
        raise UndecidedError
    return at.floor()


def _sign(x: Series) -> Series:
    return arb(_told(x))


def _abs(x: Series) -> Series:
    return x if side(x) >= 0 else -x


def _max(x: Series, y: Series) -> Series:
    return x if side(_sub(x, y)) >= 0 else y


def _min(x: Series, y: Series) -> Series:
    return x if side(_sub(x, y)) <= 0 else y


def _where(c: Series, x: Series, y: Series) -> Series:
    chosen = bool(_told(c)) if isinstance(c, arb_series) else balls.truth(c)
    if chosen is None:
        raise UndecidedError
    return x if chosen else y


def _compared(holds: Function) -> Function:
    return lambda x, y: ONE if holds(_told(_sub(x, y))) else ZERO


NATIVES: dict[str, Function] = {
    **{name: balls.NATIVES[name] for name in ("add", "neg", "identity")},
    "mul": _mul,
    "sub": _sub,
    "div": _div,
    "pow": _power,
    "abs": _abs,
    "sign": _sign,
    "step": lambda x: ONE if _told(x) > 0 else ZERO,
    "heaviside": lambda x: (_sign(x) + 1) / 2,
    "floor": _floor,
    "ceil": lambda x: -_floor(-x),
    # Halfway between two whole numbers the series leaves for one of them.
    "round": lambda x: _floor(x + arb(0.5)) if isinstance(x, arb_series) else balls.round_half_even(x),
    "max": _max,
    "min": _min,
    "where": _where,
    "select": lambda c, g: _where(c, g, ZERO),
    "lt": _compared(lambda s: s < 0),
    "le": _compared(lambda s: s <= 0),
    "gt": _compared(lambda s: s > 0),
    "ge": _compared(lambda s: s >= 0),
    "eq": _compared(lambda s: s == 0),
    "ne": _compared(lambda s: s != 0),
    "sqrt": _sqrt,
    "cbrt": _cbrt,
    "hypot": lambda x, y: _sqrt(x * x + y * y),
    "atan2": _atan2,
    "lgamma": _lgamma,
    "polygamma": _polygamma,
    "digamma": lambda x: _polygamma(ZERO, x),
    "erfinv": _solved("erfinv", lambda out: arb.pi().sqrt() / 2 * (out * out).exp()),
    "erfcinv": _solved("erfcinv", lambda out: -arb.pi().sqrt() / 2 * (out * out).exp()),
    "sinc": _sinc,
    "iv": _iv,
    "xlogy": _times_log("xlogy"),
    "xlog1py": _times_log("xlog1py"),
    "log2": lambda x: NATIVES["log"](x) / arb.const_log2(),
    "log10": lambda x: NATIVES["log"](x) / arb.const_log10(),
    **{
        name: _native(name)
        for name in ("exp", "log", "sin", "cos", "tan", "atan", "erf", "erfc", "gamma")
    },
    "expm1": _by_slope("expm1", lambda x: x.exp()),
    "log1p": _by_slope("log1p", lambda x: 1 / (1 + x)),
    "sinh": _by_slope("sinh", lambda x: (x.exp() + (-x).exp()) / 2),
    "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "tanh": _by_slope("tanh", lambda x: (2 / (x.exp() + (-x).exp())) ** 2),
    "asinh": _by_slope("asinh", lambda x: (1 + x * x).rsqrt()),
    "asin": _ending(_native("asin"), -1, 1),
    "acos": _ending(_native("acos"), -1, 1),
    "acosh": _ending(_by_slope("acosh", lambda x: ((x - 1) * (x + 1)).rsqrt()), 1, None),
    "atanh": _by_slope("atanh", lambda x: 1 / (1 - x * x)),
}  # fmt: skip


@lru_cache(maxsize=32)
def system(digits: int) -> System:
    """Return the number system of series whose coefficients are balls of so many decimal digits."""
    return System(
        f"series of {digits}-digit balls", NATIVES, balls.constant, literal=balls.literal,
        inline={op: text for op, text in INLINE.items() if op not in ("div", "mul")}, nan=NAN, single=True,
        active=lambda: balls.precision(digits, BOX),
    )  # fmt: skip
