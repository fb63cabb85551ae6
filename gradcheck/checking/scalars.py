"""A graph of single numbers at one point: plain Python floats, no numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.checking import forward, points
from gradcheck.engines.backprop import backprop
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph

if TYPE_CHECKING:
    from gradcheck.checking.exact import Exact
    from gradcheck.language.claims import Claim


class ScalarPoint:
    """The point and what backprop says there, for `grading.Grading`."""

    def __init__(self, graph: Graph, point: points.Point) -> None:
        self.graph = graph
        self.point = point
        self.system, self.values = forward.run(graph, point, arrays=False)
        self.shape: tuple[int, ...] = ()
        self.value = float(self.values[graph.output])
        self.scalar = graph
        self.flat_inputs = {name: float(x) for name, x in point.items()}
        self.flat_values = self.values

    def gradients(self) -> list[Any]:
        """Backprop's float64 gradient of each node."""
        self.rough = backprop(self.graph, self.system, self.values, 1.0)
        return self.rough

    def exact_gradients(self, exact: Exact) -> list[Any]:
        """The same rules in the precision of `exact`."""
        self.sharp = exact.backprop()
        return self.sharp

    def elements(self, name: str) -> list[tuple[tuple[int, ...], int, float]]:
        """Return (index, node of the scalar graph, value) for each element of an input."""
        return [((), self.graph.inputs[name], self.flat_inputs[name])]

    def flat(self, gradients: list[Any], name: str, zero: Any) -> list[Any]:
        """Return the gradient of an input, element by element; `zero` where nothing flows."""
        found = gradients[self.graph.inputs[name]]
        return [zero if found is None else found]

    def claim(self, claim: Claim, exact: Exact) -> tuple[list[float], list[Any]]:
        """Return the claimed gradient's elements, in float64 and in high precision."""
        rough_values = {n: (self.rough[k] or 0.0) if up else self.values[k] for n, (k, up) in claim.uses.items()}
        values, _ = evaluate(claim.graph, self.system, rough_values)
        rough = float(values[claim.graph.output])
        zero = exact.system.literal("0")
        sharp_values = {n: (self.sharp[k] or zero) if up else _known(exact, k) for n, (k, up) in claim.uses.items()}
        sharp, _ = evaluate(claim.graph, exact.system, sharp_values)
        return [rough], [sharp[claim.graph.output]]


def _known(exact: Exact, node: int) -> Any:
    value = exact.values[node]
    return exact.system.nan if value is None else value
