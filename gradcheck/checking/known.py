"""What is true at a place, and what float64 may lose on the way: for numbers that were given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from gradcheck.checking.exact import Exact, Level
from gradcheck.checking.judge import DATA_DIGITS, LAST_DIGITS
from gradcheck.checking.place import MOST_GATES, Place
from gradcheck.errors import GradcheckError
from gradcheck.language.claims import FLOAT64, Claim

SPREAD = 8
"""How many times the running error another program may lose, which adds up in another order."""

Numbers = tuple[Sequence[float], Sequence[float]]
"""The true numbers in row-major order, and what a program may lose in each."""


class Running:
    """What programs of so many binary digits may lose in the gradients at a place: the running error.

    Of two programs the worse counts: one has this graph's rules, the other but the definitions of its ops.
    """

    def __init__(self, place: Place, exact: Exact) -> None:
        self.place, self.exact = place, exact
        self._known: dict[int, tuple[list[Any], list[Any]]] = {}

    def lost(self, name: str, bits: int, sharp: Sequence[Any]) -> list[float]:
        """Return it for each number of an input's or a stage's gradient, whose narrow balls are `sharp`."""
        if bits not in self._known:
            level = self.exact.running(bits)
            with level.active():
                self._known[bits] = self.place.exact_gradients(level), self.exact.running_apart(bits)
        by_rules, apart = self._known[bits]
        zero = self.exact.zero
        rough = self.place.flat(by_rules, name, zero)
        own = [float(x) for x in self.place.flat(self.place.gradients, name, 0.0)]
        apart = [zero if apart[node] is None else apart[node] for _, node, _ in self.place.elements(name)]
        columns = zip(rough, apart, sharp, own, strict=True)
        return [max(lost(a, x, y, bits), lost(b, x, y, bits)) for a, b, x, y in columns]

    def claimed(self, claim: Claim) -> list[float]:
        """Return what float64 may lose in each number of a claimed formula; none where it has no value then."""
        from gradcheck.arithmetic.balls import radius

        level = self.exact.running(FLOAT64)
        with level.active():
            try:
                balls = self.place.claim(claim, level, self.place.exact_gradients(level)).balls
            except GradcheckError:
                return []
            return [SPREAD * radius(ball) if ball.is_finite() else 0.0 for ball in balls]


def lost(rough: Any, exact: Any, own: float, bits: int = FLOAT64) -> float:
    """Return what a program with so many binary digits may lose in one number.

    Args:
        rough: the number in balls of these digits, whose radius is the running error.
        exact: the number in narrow balls.
        own: float64's own number, which tells where the ball does not.
        bits: the binary digits.
    """
    from gradcheck.arithmetic.balls import above, radius

    spread = SPREAD * radius(rough) if rough.is_finite() else 4 * above(exact - own) if math.isfinite(own) else 0.0
    return spread + LAST_DIGITS * 2.0 ** (1 - bits) * above(exact)


class Known:
    """The values and gradients of a graph at a place, in balls where it is small enough."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @cached_property
    def _exact(self) -> tuple[Exact, Level] | None:
        place = self.place
        if place.written_gates > MOST_GATES:
            return None
        exact = Exact(place.scalar, place.flat_inputs, place.flat_values)
        try:
            return exact, next(iter(exact.levels()))
        except (GradcheckError, StopIteration):
            return None

    def values(self, node: int, total: bool = False) -> Numbers:
        """Return the value of a node; with `total` the sum of its elements, as the output's is."""
        own = [self.place.value] if total else self.place.node_floats(node)
        if self._exact is None:
            return self._floats(own)
        exact, level = self._exact
        balls, rough = (
            [one.values[one.graph.output]] if total else self.place.node_balls(one, node)
            for one in (level, exact.running(FLOAT64))
        )
        with level.active():
            return _told(balls), [lost(*each) for each in zip(rough, balls, own, strict=True)]

    def gradients(self, name: str) -> Numbers:
        """Return the gradient with respect to an input or a stage."""
        if self._exact is None:
            return self._floats([float(x) for x in self.place.flat(self.place.gradients, name, 0.0)])
        exact, level = self._exact
        with level.active():
            balls = self.place.flat(self.place.exact_gradients(level), name, exact.zero)
        bounds = Running(self.place, exact).lost(name, FLOAT64, balls)
        return _told(balls), bounds

    def _floats(self, own: Sequence[float]) -> Numbers:
        """Return float64's own numbers, where nothing better is known."""
        largest = max((abs(x) for x in own if math.isfinite(x)), default=0.0)
        return own, [DATA_DIGITS * largest] * len(own)


def _told(balls: Sequence[Any]) -> list[float]:
    from gradcheck.arithmetic.balls import to_float

    return [to_float(x) if x.is_finite() else math.nan for x in balls]
