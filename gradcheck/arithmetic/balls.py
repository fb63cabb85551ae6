"""Real numbers as balls: a number and a proven radius around it, by Arb.

Whatever is computed lies in its ball, rounding included: what two disjoint balls hold is different,
and a comparison that the balls cannot decide has the ball of all its outcomes. More digits make
balls smaller; nothing else is needed to decide more.

Johansson 2017, Arb: efficient arbitrary-precision midpoint-radius interval arithmetic.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any

from gradcheck.arithmetic import special
from gradcheck.arithmetic.arb import arb, ctx, fmpz
from gradcheck.arithmetic.compiling import Function
from gradcheck.arithmetic.system import System

Ball = Any

ONE, ZERO = arb(1), arb(0)
UNKNOWN = arb(0.5, 0.5)
"""What a comparison says that the balls cannot decide: anything from 0 to 1."""

ANY_SIGN = arb(0, 1)
NAN = arb.nan()

LEAST = arb(2) ** -1075
"""Half the smallest float64: a ball around zero that is narrower holds no other float64."""


class Precision:
    """Arb's working precision for as long as a `with` block lasts; also the length of its series."""

    __slots__ = ("_bits", "_terms", "_was")

    def __init__(self, bits: int, terms: int) -> None:
        self._bits, self._terms = bits, terms
        self._was: list[tuple[int, int]] = []

    def __enter__(self) -> None:
        self._was.append((ctx.prec, ctx.cap))
        ctx.prec, ctx.cap = self._bits, self._terms

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        ctx.prec, ctx.cap = self._was.pop()


def bits_of(digits: int) -> int:
    """Return the binary digits that hold so many decimal ones."""
    return math.ceil(digits * math.log2(10))


def to_float(ball: Ball) -> float:
    """Return the float64 nearest to a ball's middle; of a ball that holds zero it is zero."""
    return 0.0 if ball.contains(0) else float(ball)


def radius(ball: Ball) -> float:
    """Return a ball's radius, rounded up; infinite if it is not a number."""
    size = float(ball.rad())
    return math.inf if size != size else math.nextafter(size, math.inf) if size else 0.0


def above(ball: Ball) -> float:
    """Return a float64 that is certainly not below the distance of anything in the ball from zero."""
    if ball == 0:
        return 0.0
    size = float(ball.abs_upper())
    return math.nextafter(size, math.inf) if size == size else math.inf


def below(ball: Ball) -> float:
    """Return a float64 that is certainly not above the distance of anything in the ball from zero."""
    size = float(ball.abs_lower())
    return math.nextafter(size, 0.0) if 0 < size < math.inf else 0.0


def truth(condition: Ball) -> bool | None:
    """Return whether a number is not zero, as `where` asks; None if that cannot be told."""
    if condition is ONE:
        return True
    if condition is ZERO or condition == 0:
        return False
    return True if not isinstance(condition, arb) or not condition.contains(0) else None


def where(c: Ball, x: Ball, y: Ball) -> Ball:
    """Return one of two balls, or one that holds both."""
    chosen = truth(c)
    return x.union(y) if chosen is None else x if chosen else y


def _select(c: Ball, g: Ball) -> Ball | None:
    chosen = truth(c)
    return (g * UNKNOWN if chosen is None else g) if chosen is not False else None


def sub(x: Ball, y: Ball) -> Ball:
    """Return the difference; of a number from itself it is exactly zero, unless it is none."""
    return ZERO if x is y and not x.is_nan() else x - y


def _max(x: Ball, y: Ball) -> Ball:
    return x if x is y or x >= y else y if y >= x else x.max(y)


def _min(x: Ball, y: Ball) -> Ball:
    return x if x is y or x <= y else y if y <= x else x.min(y)


def sign(x: Ball) -> Ball:
    """Return the sign: of a ball around zero anything from -1 to 1."""
    return ONE if x > 0 else -ONE if x < 0 else ZERO if x == 0 else NAN if x.is_nan() else ANY_SIGN


def _step(x: Ball) -> Ball:
    return ONE if x > 0 else ZERO if x <= 0 else UNKNOWN


def _decided(yes: Callable[[Ball, Ball], bool], no: Callable[[Ball, Ball], bool]) -> Function:
    return lambda x, y: ONE if yes(x, y) else ZERO if no(x, y) else UNKNOWN


def _same(x: Ball, y: Ball) -> bool:
    return (x is y and not x.is_nan()) or bool(x == y)


def _apart(x: Ball, y: Ball) -> bool:
    return x is not y and not x.overlaps(y)


def _less(x: Ball, y: Ball) -> bool:
    return x is not y and bool(x < y)


def _at_most(x: Ball, y: Ball) -> bool:
    return (x is y and not x.is_nan()) or bool(x <= y)


COMPARISONS: dict[str, Function] = {
    "lt": _decided(_less, lambda x, y: _at_most(y, x)),
    "le": _decided(_at_most, lambda x, y: _less(y, x)),
    "gt": _decided(lambda x, y: _less(y, x), _at_most),
    "ge": _decided(lambda x, y: _at_most(y, x), _less),
    "eq": _decided(_same, _apart),
    "ne": _decided(_apart, _same),
}


def round_half_even(x: Ball) -> Ball:
    """Return the nearest whole number; halfway between two the even one."""
    up, down = (x + 0.5).floor(), (x - 0.5).ceil()
    if up == down:
        return up
    return 2 * (up / 2).floor() if up.is_exact() and down.is_exact() and x.is_exact() else up.union(down)


def cbrt(x: Ball) -> Ball:
    """Return the real cube root, of either sign."""
    if x > 0:
        return x.root(3)
    if x < 0:
        return -((-x).root(3))
    return ZERO if x == 0 else NAN if x.is_nan() else arb(0, abs(x).upper().root(3).upper())


def atan2(y: Ball, x: Ball) -> Ball:
    """Return the angle of (x, y); the origin has none. Arb's own makes a number of none."""
    return NAN if (x.contains(0) and y.contains(0)) or x.is_nan() or y.is_nan() else arb.atan2(y, x)


def _times_log(x: Ball, y: Ball, log: Function) -> Ball:
    if x == 0:
        return NAN if y.is_nan() else ZERO
    return x * log(y)


def power(x: Ball, y: Ball) -> Ball:
    """Return x^y for real x: negative ones to whole powers, zero to powers from zero up."""
    if y == 0:
        return ONE
    if x == 0:
        return ZERO if y > 0 else NAN
    if y.is_integer() and abs(y) < 2**53:
        # Arb has no power of a ball whose middle is zero.
        middle = x.mid() == 0 and y > 0 and not x.is_nan()
        return arb(0, (x.abs_upper() ** fmpz(int(float(y)))).upper()) if middle else x ** fmpz(int(float(y)))
    return x**y


NATIVES: dict[str, Function] = {
    "add": operator.add,
    "sub": sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "abs": abs,
    "identity": lambda x: x,
    "pow": power,
    "sign": sign,
    "step": _step,
    "heaviside": lambda x: (sign(x) + 1) / 2,
    "round": round_half_even,
    "cbrt": cbrt,
    "lgamma": special.lgamma,
    "digamma": special.digamma,
    "polygamma": special.polygamma,
    "erfinv": special.erfinv,
    "erfcinv": special.erfcinv,
    "sinc": arb.sinc_pi,
    "iv": special.iv,
    "xlogy": lambda x, y: _times_log(x, y, arb.log),
    "xlog1py": lambda x, y: _times_log(x, y, arb.log1p),
    "atan2": atan2,
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "log2": lambda x: x.log() / arb.const_log2(),
    "log10": lambda x: x.log() / arb.const_log10(),
    "where": where,
    "select": _select,
    "max": _max,
    "min": _min,
    **COMPARISONS,
    **{
        name: getattr(arb, name)
        for name in (
            "exp", "expm1", "log", "log1p", "sqrt", "floor", "ceil", "sin", "cos", "tan", "asin", "acos", "atan",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "gamma",
        )
    },
}  # fmt: skip

INLINE = {"add": "({0} + {1})", "mul": "({0} * {1})", "div": "({0} / {1})", "neg": "(-{0})", "identity": "{0}"}


def literal(text: str) -> Ball:
    """Return the number that a text spells, in a ball if it has no end in binary."""
    return arb.pi() if text == "pi" else arb.const_e() if text == "e" else arb(text)


def constant(text: str) -> Ball:
    """Return a number of the user: pi and e, or the float64 that is computed with."""
    return literal(text) if text in ("e", "pi") else arb(float(text))


@lru_cache(maxsize=32)
def precision(digits: int, terms: int = 4) -> Precision:
    """Return the working precision of so many decimal digits, and of series of so many terms."""
    return Precision(bits_of(digits), terms)


@lru_cache(maxsize=32)
def system(digits: int) -> System:
    """Return the number system of balls with so many decimal digits."""
    return System(
        f"{digits}-digit balls", NATIVES, constant, literal=literal, inline=INLINE, nan=NAN, single=True,
        active=lambda: precision(digits),
    )  # fmt: skip


@lru_cache(maxsize=8)
def rough(bits: int) -> System:
    """Return balls with the binary digits of a program's own numbers, and its own ways around overflow.

    What a program that computes the same loses is within their radius (running error analysis: Higham 2002,
    Accuracy and Stability of Numerical Algorithms, 3.3).
    """
    active = Precision(bits, 4)
    return System(
        f"{bits}-bit balls", NATIVES, constant, literal=literal, inline=INLINE, nan=NAN, single=True, stable=True,
        active=lambda: active,
    )  # fmt: skip
