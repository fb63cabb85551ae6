"""An array graph at one point: numpy for the answer under test, single numbers for the referees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.arithmetic import arrays
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.scalarize import scalarize
from gradcheck.checking import forward
from gradcheck.checking.exact import Exact
from gradcheck.engines.backprop import backprop
from gradcheck.errors import ShapeError
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph, element_name
from gradcheck.graph.shapes import infer
from gradcheck.ops.shapes import Shape, show


class FloatPoint:
    """A graph of arrays at one point in float64: its values and what backprop says.

    Attributes:
        graph: the graph.
        inputs: input name → array.
        values: the value of each node.
        value, shape: the output, summed if it is an array, and its shape.

    Raises:
        DomainError: if the function has no value there.
    """

    def __init__(self, graph: Graph, point: Mapping[str, Any], shape: Shape) -> None:
        self.graph = graph
        self.inputs = {name: _numbers(value) for name, value in point.items()}
        self.system, self.values = forward.run(graph, self.inputs, arrays=True)
        self.values = [np.asarray(v) for v in self.values]
        self.shape = shape
        self.value = float(np.sum(self.values[graph.output]))
        self.rough: list[Any] = []

    def gradients(self) -> list[Any]:
        """Backprop's float64 gradient of each node, for an upstream gradient of ones."""
        with self.system.active():
            self.rough = backprop(self.graph, self.system, self.values, np.ones(self.shape))
        return self.rough

    def used(self, claim: Any, values: list[Any], gradients: list[Any], zero: Any) -> dict[str, Any]:
        """Return the values of the names in a claim; where nothing flows the upstream gradient is zero."""
        found = {}
        for name, (node, upstream) in claim.uses.items():
            value = gradients[node] if upstream else values[node]
            found[name] = np.full(self.values[node].shape, zero) if value is None else value
        return found


class ArrayPoint(FloatPoint):
    """The counterpart of scalars.ScalarPoint for graphs of arrays."""

    def __init__(self, graph: Graph, point: Mapping[str, Any], shapes: list[Shape]) -> None:
        super().__init__(graph, point, shapes[graph.output])
        self.point = dict(point)
        indices = {name: x for name, x in self.inputs.items() if x.dtype.kind == "i"}
        self.scalar, self.nodes = scalarize(graph, {n: v.shape for n, v in self.inputs.items()}, indices)
        self.flat_inputs = {
            element_name(name, index): float(x[index])
            for name, x in self.inputs.items()
            if name not in indices
            for index in np.ndindex(x.shape)
        }
        self.flat_values, _ = evaluate(self.scalar, FLOATS, self.flat_inputs)

    def exact_gradients(self, exact: Exact) -> list[Any]:
        """The same array rules, over arrays of high-precision numbers."""
        system = arrays.of(exact.system)
        values = self.exact_values(exact)
        one = np.full(self.shape, exact.system.literal("1"), dtype=object)
        self.sharp = backprop(self.graph, system, values, one)
        return self.sharp

    def exact_values(self, exact: Exact) -> list[Any]:
        """The value of each node as an array of high-precision numbers."""
        lifted = np.frompyfunc(lambda x: exact.system.constant(repr(float(x))), 1, 1)
        inputs = {
            name: x if x.dtype.kind == "i" else np.asarray(lifted(x), dtype=object) for name, x in self.inputs.items()
        }
        values, _ = evaluate(self.graph, arrays.of(exact.system), inputs)
        return [np.asarray(v, dtype=object) for v in values]

    def elements(self, name: str) -> list[tuple[tuple[int, ...], int, float]]:
        """Return (index, node of the scalar graph, value) for each element of an input."""
        x = self.inputs[name]
        return [(k, n, float(x[k])) for k, n in zip(np.ndindex(x.shape), self.nodes[name], strict=True)]

    def flat(self, gradients: list[Any], name: str, zero: Any) -> list[Any]:
        """Return the gradient of an input, element by element; `zero` where nothing flows."""
        found = gradients[self.graph.inputs[name]]
        if found is None:
            return [zero] * self.inputs[name].size
        # Adding zero makes numbers of the system out of the plain zeros that numpy fills in.
        return [x + zero for x in np.ravel(found)]

    def claim(self, claim: Any, exact: Exact) -> tuple[list[float], list[Any]]:
        """Return the claimed gradient's elements, in float64 and in high precision."""
        infer(claim.graph, {n: self.values[k].shape for n, (k, _) in claim.uses.items()})
        with self.system.active():
            rough, _ = evaluate(claim.graph, self.system, self.used(claim, self.values, self.rough, 0.0))
        zero = exact.system.literal("0")
        numbers = self.used(claim, self.exact_values(exact), self.sharp, zero)
        sharp, _ = evaluate(claim.graph, arrays.of(exact.system), numbers)
        shape = self.inputs[claim.name].shape
        found = np.shape(rough[claim.graph.output])
        try:
            floats = np.broadcast_to(rough[claim.graph.output], shape)
            sharper = np.broadcast_to(np.asarray(sharp[claim.graph.output], dtype=object), shape)
        except ValueError:
            raise ShapeError(
                f"the claim is {show(found)}, but `{claim.name}` is {show(shape)}",
                claim.source, (0, len(claim.source.text)),
            ) from None  # fmt: skip
        return [float(x) if x is not None else math.nan for x in floats.ravel()], list(sharper.ravel())


def _numbers(value: Any) -> Any:
    """Return float64s; whole-number arrays are left alone: they say where to look something up."""
    array = np.asarray(value)
    return array if array.dtype.kind == "i" else np.asarray(array, dtype=float)
