"""The same point in high precision: values, rules and differences without float64's rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any

from gradcheck.arithmetic import decimals
from gradcheck.arithmetic.numbers import is_finite, magnitude
from gradcheck.arithmetic.system import System
from gradcheck.checking import forward, points
from gradcheck.engines.backprop import backprop
from gradcheck.engines.finite_difference import SMOOTH, Differences, Slope, settle
from gradcheck.errors import DomainError
from gradcheck.graph.evaluation import Failure, Values, evaluate
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.ops import CHOICES, OPS

COARSE, FINE = (25, 100), (120, 420)
"""Step as a power of ten, and digits. The second only where the first finds something unusual."""

BUDGET = {True: 1_500_000, False: 150_000}
"""Gate evaluations that finite differences may take at one point, in decimals and in mpmath
numbers: some seconds of either."""

MOST_EXTRA = 1200
"""Digits added at most: float64's own range, twice."""

FINE_COST = 12
"""What an evaluation in FINE digits costs, in evaluations in COARSE ones."""


@lru_cache(maxsize=16)
def number_system(simple: bool, digits: int) -> System:
    """Return decimals where they suffice, else mpmath numbers."""
    if simple:
        return decimals.system(digits)
    from gradcheck.arithmetic import multiprecision

    return multiprecision.system(digits)


def spread(values: Iterable[Any]) -> int:
    """Return how many decimal digits lie between the largest and the smallest of the values."""
    sizes = [magnitude(v) for v in values if v is not None and v != 0 and is_finite(v)]
    return math.ceil(max(sizes) - min(sizes)) if sizes else 0


class SpreadError(Exception):
    """The values lie so far apart that it takes more digits than were granted to see them together."""


class Exact:
    """A graph of single numbers at one point, in numbers of a hundred digits and more.

    Args:
        graph: the graph.
        inputs: its inputs.
        floats: the float64 value of each node.
        also: ops that will be computed beside the graph's own (those of claims).
        most_extra: digits that may be added to a hundred.

    Attributes:
        system: the number system.
        values: the value of each node; None for gates in a branch that is not taken.
        bends: the gates that lie exactly on a kink of their op.
        refined: whether some place asked for more digits.

    Raises:
        DomainError: if the function has no value in exact arithmetic.
        SpreadError: if more digits are needed than `most_extra`; never with MOST_EXTRA.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, float],
        floats: Values,
        also: AbstractSet[str] = frozenset(),
        most_extra: int = MOST_EXTRA,
    ) -> None:
        self.graph = graph
        self.inputs = inputs
        self.live = None if CHOICES.isdisjoint(graph.ops) else forward.live(graph, floats)
        self.extra = 0
        self.simple = decimals.supports((set(graph.ops) | also) - {INPUT, CONSTANT})
        self._compute_in(COARSE[1])
        # The values decide how many digits it takes to see the smallest beside the largest.
        known = self.values if self.live is None else [self.values[k] for k in self.live]
        self.extra = min(20 * math.ceil(spread(known) / 20), MOST_EXTRA)
        if self.extra > most_extra:
            raise SpreadError
        if self.extra:
            self._compute_in(COARSE[1] + self.extra)
        self.bends = points.kinks(graph, self.system, self.values)
        if self.live is not None and any(OPS[graph.ops[k]].comparison for k in self.bends):
            # On the border between two branches a small step may take the other one.
            self.live = None
            self._compute_in(self.digits)
        self._coarse: Differences | None = None
        self._fine: Differences | None = None
        self._bent = frozenset(self.bends)
        self.whole = any(OPS[op].staircase for op in set(graph.ops) - {INPUT, CONSTANT})
        self.refined = False
        self.spent = 0

    def _compute_in(self, digits: int) -> None:
        self.digits = digits
        self.system = number_system(self.simple, digits)
        self.values = self._compute(self.system)

    def _compute(self, system: System) -> Values:
        values, failures = self._evaluate(system)
        if not is_finite(values[self.graph.output]) and self.simple:
            # The definition may pass through exp(1e20), which decimals cannot hold.
            self.simple = False
            self.system = system = number_system(False, self.digits)
            values, failures = self._evaluate(system)
        if not is_finite(values[self.graph.output]):
            node = failures[0][0] if failures else self.graph.output
            raise DomainError(
                "the expression has no value here, float64's rounding aside",
                self.graph.source, self.graph.span(node),
            )  # fmt: skip
        return values

    def _evaluate(self, system: System) -> tuple[Values, list[Failure]]:
        numbers = {name: system.constant(repr(float(x))) for name, x in self.inputs.items()}
        with system.active():
            return evaluate(self.graph, system, numbers, self.live)

    def backprop(self) -> list[Any]:
        """Run the op table's rules in this precision."""
        return backprop(self.graph, self.system, self.values, self.system.literal("1"))

    def _differences(self, step: tuple[int, int]) -> Differences:
        fine = step is FINE
        power, digits = step[0] + fine * self.extra, step[1] + (3 if fine else 1) * self.extra
        system = number_system(self.simple, digits)
        values = self._compute(system) if fine else self.values
        return Differences(
            self.graph, system, values, digits=digits, power=power, live=self.live, fine=fine or self.whole
        )

    @property
    def coarse(self) -> Differences:
        """Differences with the usual step."""
        if self._coarse is None:
            self._coarse = self._differences(COARSE)
        return self._coarse

    @property
    def fine(self) -> Differences:
        """Differences with a step that tells kinks from curves."""
        if self._fine is None:
            self._fine = self._differences(FINE)
        return self._fine

    def slope(self, node: int) -> Slope | None:
        """Return the finite difference along one input; None when the budget is spent."""
        left = BUDGET[self.simple] - self.spent
        cone = self.coarse.cone(node, left // 4) if left > 0 else None
        if cone is None:
            self.spent += max(left, 0) // 4
            return None
        self.spent += 4 * len(cone) + 1
        if node != self.graph.output and self.graph.output not in cone:
            zero = self.system.literal("0")
            return Slope(SMOOTH, zero, zero, zero, zero, False)
        with self.coarse.system.active():
            rough = self.coarse.stencil(node, cone)
            found = self.coarse.slope(node, rough)
            still = self.coarse.still(rough) and not self.coarse.reacts(node, cone)
        if found.kind == SMOOTH and self._bent.isdisjoint(cone):
            return found
        self.spent += FINE_COST * len(cone)
        with self.fine.system.active():
            if still and self.fine.still(self.fine.at(node, cone, [self.fine.step(node)])):
                zero = self.system.literal("0")
                # A slope may hide below the last digit: inside an op, beside a number that is far larger.
                return Slope(SMOOTH, zero, self.fine.rounding_floor / self.fine.step(node), zero, zero, False)
            self.refined = True
            self.spent += 6 * FINE_COST * len(cone)
            return settle(self.coarse, self.fine, node, cone, rough)

    def bends_behind(self, node: int) -> int:
        """Return how many of the gates that depend on a node lie exactly on a kink."""
        cone = self.coarse.cone(node, len(self.graph)) or []
        return len(self._bent.intersection(cone))

    def refine(self) -> None:
        """Go on in the digits of the fine differences, so that every method is as sharp as they are."""
        self.system, self.values = self.fine.system, self.fine.values

    def rounding_floor(self, at: float) -> Any:
        """Return the rounding that a gradient with respect to an input of size `at` may carry."""
        used = self._fine if self._fine is not None and self.system is self._fine.system else self.coarse
        return used.rounding_floor * 10**20 / (abs(self.system.constant(repr(at))) if at else 1)
