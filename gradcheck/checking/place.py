"""A problem's graph at one point, evaluated: values in float64, and what backprop says there.

Of single numbers here, in plain Python floats and without numpy; of arrays in `array_place`.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from gradcheck.checking import forward
from gradcheck.errors import ClaimShapeError
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.ops import OPS
from gradcheck.ops.shapes import show

if TYPE_CHECKING:
    from gradcheck.checking.exact import Level
    from gradcheck.language.claims import Claim


MOST_GATES = 100_000
"""Gates, written out, beyond which nothing is written out."""


class Claimed(NamedTuple):
    """A claimed gradient's elements in row-major order.

    Attributes:
        floats: in float64.
        balls: as they are meant, rounding aside.
        texts: how each was typed; None for a formula and for numbers from a program.
    """

    floats: Sequence[float]
    balls: Sequence[Any]
    texts: Sequence[str] | None = None


class Place:
    """A graph of single numbers at a point.

    Attributes:
        graph: the graph.
        point: input name → value.
        beside: values of names that only claims use.
        apart: the gates whose own gradient is asked for, though they may only move elements.
        system: the number system of `values`.
        values: the float64 value of each node.
        value, shape: the output (of an array the sum), and its shape.
        scalar: the graph written out in single numbers.
        flat_inputs, flat_values: its inputs, and the float64 value of each of its nodes.

    Raises:
        DomainError: if the function has no value there.
    """

    def __init__(self, graph: Graph, point: Mapping[str, Any], apart: Container[int] = (), finite: bool = True) -> None:
        self.graph = graph
        self.point: dict[str, Any] = {name: x for name, x in point.items() if name in graph.inputs}
        self.beside: dict[str, Any] = {name: x for name, x in point.items() if name not in graph.inputs}
        self.apart = apart
        self.shape: tuple[int, ...] = ()
        self._evaluate(finite)

    def _evaluate(self, finite: bool) -> None:
        self.point = {name: float(x) for name, x in self.point.items()}
        self.system, self.values = forward.run(self.graph, self.point, arrays=False, finite=finite)
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

    @property
    def written_gates(self) -> int:
        """How many gates the graph has, about, when it is written out as single numbers."""
        graph = self.graph
        shapes: list[tuple[int, ...]] = [getattr(value, "shape", ()) for value in self.values]
        gates = 0
        for node in graph.gates:
            row = OPS[graph.ops[node]]
            operands = graph.operands(node)
            if row.elementwise:
                gates += math.prod(shapes[node])
            elif row.contracts:
                gates += 2 * math.prod(shapes[node]) * shapes[operands[0]][-1]
            elif row.eliminates and shapes[operands[0]]:
                gates += 3 * math.prod(shapes[operands[0]]) * shapes[operands[0]][-1]
            elif not row.copies:
                gates += 2 * sum(math.prod(shapes[k]) for k in operands) + math.prod(shapes[node])
        return gates

    def exact_gradients(self, level: Level) -> list[Any]:
        """Return what the same rules give in the balls of `level`."""
        return level.backprop()

    def node(self, name: str) -> int:
        """Return the node of an input or a stage."""
        return self.graph.inputs[name] if name in self.graph.inputs else self.graph.stages[name]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the shape of an input or a stage."""
        return tuple(getattr(self.values[self.node(name)], "shape", ()))

    def elements(self, name: str) -> list[tuple[tuple[int, ...], int, float]]:
        """Return (index, node of the scalar graph, value) for each element of an input or a stage."""
        node = self.node(name)
        return [((), node, self.values[node])]

    def node_floats(self, node: int) -> list[float]:
        """Return the float64 value of a node, element by element."""
        return [float(self.values[node])]

    def node_balls(self, level: Level, node: int) -> list[Any]:
        """Return the value of a node in balls, element by element."""
        return [level.values[node]]

    def flat(self, gradients: list[Any], name: str, zero: Any) -> list[Any]:
        """Return the gradient of an input or a stage, element by element; `zero` where nothing flows."""
        found = gradients[self.node(name)]
        return [zero if found is None else found]

    def claim(self, claim: Claim, level: Level, sharp: list[Any]) -> Claimed:
        """Return the elements of a claimed gradient: of all of its input, or of the one that is claimed.

        Args:
            claim: the claim.
            level: the place in balls.
            sharp: what `exact_gradients` gave.

        Raises:
            ClaimShapeError: if it has not the shape of what is claimed.
        """
        if claim.numbers is not None:
            return self._numbers(claim, level)
        zero = level.system.literal("0")
        known = {n: (sharp if upstream else level.values)[k] for n, (k, upstream) in claim.uses.items()}
        numbers = {n: zero if x is None else x for n, x in known.items()}
        numbers |= {n: level.system.constant(repr(float(self.beside[n]))) for n in claim.beside}
        sharper, _ = evaluate(claim.graph, level.system, numbers)
        return Claimed([float(self.claimed_floats(claim))], [sharper[claim.graph.output]])

    def _numbers(self, claim: Claim, level: Level) -> Claimed:
        """Return numbers that were given, one of which may stand for all."""
        given = claim.numbers
        assert given is not None
        shape = () if claim.index is not None else self.shape_of(claim.name)
        if given.shape not in ((), shape):
            self.refuse_shape(claim, given.shape, shape)
        size = math.prod(shape) if not given.shape else 1
        floats, texts = list(given.values) * size, list(given.texts) * size if given.texts else None
        exact = level.system.literal if texts else level.system.constant
        spelled = texts or [repr(x) for x in floats]
        balls = [exact(one) if math.isfinite(x) else level.system.nan for one, x in zip(spelled, floats, strict=True)]
        return Claimed(floats, balls, texts)

    def refuse_shape(self, claim: Claim, found: tuple[int, ...], wanted: tuple[int, ...]) -> NoReturn:
        """Refuse a claim that has not the shape of what is claimed.

        Raises:
            ClaimShapeError: saying so, and whether a transpose would do.
        """
        turned = len(found) > 1 and found[::-1] == wanted
        hint = "its transpose would fit" if turned else None
        raise ClaimShapeError(
            f"the claim is {show(found)}, but `{claim.called}` is {show(wanted)}",
            claim.source, (0, len(claim.source.text)), hint,
        )  # fmt: skip

    def claimed_floats(self, claim: Claim) -> Any:
        """Return the claimed gradient as the formula, or whoever gave the numbers, has it in float64."""
        if claim.numbers is not None:
            return claim.numbers.values[0]
        numbers = {
            n: (self.gradients[k] or 0.0) if upstream else self.values[k] for n, (k, upstream) in claim.uses.items()
        }
        numbers |= {n: float(self.beside[n]) for n in claim.beside}
        return evaluate(claim.graph, self.system, numbers)[0][claim.graph.output]
