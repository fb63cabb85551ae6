"""The same point in high precision: values, rules and differences without float64's rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gradcheck.engines.backprop import backprop
from gradcheck.engines.finite_difference import EDGE, STEPS, UNDEFINED, UNSETTLED, Differences, Slope, settle
from gradcheck.errors import DomainError
from gradcheck.graph import Graph, Values, evaluate
from gradcheck.systems import decimals
from gradcheck.systems.system import System

BUDGET = {True: 4_000_000, False: 300_000}
"""Gate evaluations that finite differences may take at one point, in decimals and in mpmath
numbers: some seconds of either."""


@lru_cache(maxsize=16)
def number_system(simple: bool, digits: int) -> System:
    """Return decimals where they suffice, else mpmath numbers."""
    if simple:
        return decimals.system(digits)
    from gradcheck.systems import multiprecision

    return multiprecision.system(digits)


def spread(values: Values) -> int:
    """Return how many decimal digits lie between the largest and the smallest of the values."""
    sizes = [abs(v) for v in values if v and math.isfinite(v)]
    if not sizes:
        return 0
    return math.ceil(math.log10(max(sizes)) - math.log10(min(sizes)))


class Exact:
    """A graph of single numbers at one point, in numbers of a hundred digits and more.

    Attributes:
        graph: the graph.
        system: the number system.
        values: the value of each node.
    """

    def __init__(self, graph: Graph, inputs: Mapping[str, float], floats: Values, written: bool = False) -> None:
        self.graph = graph
        self.inputs = inputs
        self.written = written
        self.simple = decimals.supports(set(graph.ops) - {"input", "constant"})
        self.extra = 20 * math.ceil(spread(floats) / 20)
        self.power, self.digits = STEPS[0][0], STEPS[0][1] + self.extra
        self.system = number_system(self.simple, self.digits)
        self.values = self.compute(self.system)
        self._coarse: Differences | None = None
        self._fine: Differences | None = None
        self.spent = 0

    def compute(self, system: System) -> Values:
        """Evaluate the graph in `system`."""
        with system.active():
            values, problems = evaluate(self.graph, self.reading(system), self.numbers(system))
        output = values[self.graph.output]
        if output is None or output - output != 0:
            node = problems[0][0] if problems else self.graph.output
            raise DomainError(
                "the expression has no value here, float64's rounding aside",
                self.graph.source, self.graph.span(node),
            )  # fmt: skip
        return values

    def reading(self, system: System) -> System:
        """Return `system`, reading the user's literals as the decimals they are written as."""
        if not self.written:
            return system
        return System(
            system.name, system.natives, system.literal, literal=system.literal,
            inline=system.inline, nan=system.nan, active=system.active,
        )  # fmt: skip

    def numbers(self, system: System) -> dict[str, Any]:
        """Return the inputs as numbers of `system`, exactly."""
        return {name: system.constant(repr(float(x))) for name, x in self.inputs.items()}

    def backprop(self) -> list[Any]:
        """Run the op table's rules in this precision."""
        with self.system.active():
            return backprop(self.graph, self.system, self.values, self.system.literal("1"))

    @property
    def coarse(self) -> Differences:
        """Differences with the usual step."""
        if self._coarse is None:
            self._coarse = Differences(self.graph, self.system, self.values, self.digits, self.power)
        return self._coarse

    def slope(self, node: int) -> Slope | None:
        """Return the finite difference along one input; None when the budget is spent."""
        left = BUDGET[self.simple] - self.spent
        cone = self.coarse.cone(node, left // 4) if left > 0 else None
        if cone is None:
            self.spent += max(left, 0) // 4
            return None
        self.spent += 4 * len(cone) + 1
        found = self.coarse.slope(node, cone)
        if found.kind not in (UNSETTLED, EDGE, UNDEFINED):
            return found
        if self._fine is None:
            power, digits = STEPS[1][0], STEPS[1][1] + self.extra
            system = number_system(self.simple, digits)
            self._fine = Differences(self.graph, system, self.compute(system), digits, power)
        self.spent += 40 * len(cone)
        return settle(self.coarse, self._fine, node, cone)
