"""A problem's graph at one point, evaluated: values in float64, and what backprop says there.

Of single numbers here, in plain Python floats and without numpy; of arrays in `array_place`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gradcheck.checking import forward
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.language.claims import Claim

if TYPE_CHECKING:
    from gradcheck.checking.exact import Level


class Place:
    """A graph of single numbers at a point.

    Attributes:
        graph: the graph.
        point: input name → value.
        system: the number system of `values`.
        values: the float64 value of each node.
        value, shape: the output (of an array the sum), and its shape.
        scalar: the graph written out in single numbers.
        flat_inputs, flat_values: its inputs, and the float64 value of each of its nodes.

    Raises:
        DomainError: if the function has no value there.
    """

    def __init__(self, graph: Graph, point: Mapping[str, Any]) -> None:
        self.graph = graph
        self.point: dict[str, Any] = dict(point)
        self.shape: tuple[int, ...] = ()
        self._evaluate()

    def _evaluate(self) -> None:
        self.point = {name: float(x) for name, x in self.point.items()}
        self.system, self.values = forward.run(self.graph, self.point, arrays=False)
        self.value = float(self.values[self.graph.output])

    @cached_property
    def gradients(self) -> list[Any]:
        """Backprop's float64 gradient of each node, for an upstream gradient of ones; None where nothing flows."""
        from gradcheck.engines.backprop import backprop

        return backprop(self.graph, self.system, self.values, 1.0)

    @property
    def scalar(self) -> Graph:
        """The graph itself: its numbers are single ones."""
        return self.graph

    @property
    def flat_inputs(self) -> dict[str, float]:
        """The inputs of `scalar`."""
        return self.point

    @property
    def flat_values(self) -> list[Any]:
        """The float64 value of each node of `scalar`."""
        return self.values

    def exact_gradients(self, level: Level) -> list[Any]:
        """Return what the same rules give in the balls of `level`."""
        return level.backprop()

    def elements(self, name: str) -> list[tuple[tuple[int, ...], int, float]]:
        """Return (index, node of the scalar graph, value) for each element of an input."""
        return [((), self.graph.inputs[name], self.point[name])]

    def flat(self, gradients: list[Any], name: str, zero: Any) -> list[Any]:
        """Return the gradient of an input, element by element; `zero` where nothing flows."""
        found = gradients[self.graph.inputs[name]]
        return [zero if found is None else found]

    def claim(self, claim: Claim, level: Level, sharp: list[Any]) -> tuple[list[float], list[Any]]:
        """Return the claimed gradient's elements, in float64 and in balls.

        Args:
            claim: the claim.
            level: the place in balls.
            sharp: what `exact_gradients` gave.
        """
        zero = level.system.literal("0")
        known = {n: (sharp if upstream else level.values)[k] for n, (k, upstream) in claim.uses.items()}
        numbers = {n: zero if x is None else x for n, x in known.items()}
        sharper, _ = evaluate(claim.graph, level.system, numbers)
        return [float(self.claimed_floats(claim))], [sharper[claim.graph.output]]

    def claimed_floats(self, claim: Claim) -> Any:
        """Return the claimed gradient as the formula gives it in float64."""
        numbers = {
            n: (self.gradients[k] or 0.0) if upstream else self.values[k] for n, (k, upstream) in claim.uses.items()
        }
        return evaluate(claim.graph, self.system, numbers)[0][claim.graph.output]
