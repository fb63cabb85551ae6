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
from gradcheck.language.claims import FLOAT64

SPREAD = 8
"""How many times the running error another program may lose, which adds up in another order."""

Numbers = tuple[Sequence[float], Sequence[float]]
"""The true numbers in row-major order, and what a program may lose in each."""


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
    def _levels(self) -> tuple[Level, Level] | None:
        place = self.place
        if place.written_gates > MOST_GATES:
            return None
        exact = Exact(place.scalar, place.flat_inputs, place.flat_values)
        try:
            return next(iter(exact.levels())), exact.running(FLOAT64)
        except (GradcheckError, StopIteration):
            return None

    def values(self, node: int, total: bool = False) -> Numbers:
        """Return the value of a node; with `total` the sum of its elements, as the output's is."""
        own = self.place.node_floats(node)
        if self._levels is None:
            return self._floats([sum(own)] if total else own)
        exact, rough = (self.place.node_balls(level, node) for level in self._levels)
        if total:
            exact, rough = ([level.values[level.graph.output]] for level in self._levels)
            own = [self.place.value]
        return self._told(exact, rough, own)

    def gradients(self, name: str) -> Numbers:
        """Return the gradient with respect to an input or a stage."""
        own = [float(x) for x in self.place.flat(self.place.gradients, name, 0.0)]
        if self._levels is None:
            return self._floats(own)
        found = []
        for level in self._levels:
            with level.active():
                found.append(self.place.flat(self.place.exact_gradients(level), name, level.system.literal("0")))
        return self._told(found[0], found[1], own)

    def _told(self, exact: list[Any], rough: list[Any], own: Sequence[float]) -> Numbers:
        from gradcheck.arithmetic.balls import to_float

        assert self._levels is not None
        with self._levels[0].active():
            bounds = [lost(*each) for each in zip(rough, exact, own, strict=True)]
            return [to_float(x) if x.is_finite() else math.nan for x in exact], bounds

    def _floats(self, own: Sequence[float]) -> Numbers:
        """Return float64's own numbers, where nothing better is known."""
        largest = max((abs(x) for x in own if math.isfinite(x)), default=0.0)
        return own, [DATA_DIGITS * largest] * len(own)
