"""A graph of arrays at one point: numpy for the answer under test, single numbers for the referees."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from gradcheck.arithmetic import arrays
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.scalarize import gathered, single_numbers, written_out
from gradcheck.checking import forward
from gradcheck.checking.exact import Level
from gradcheck.checking.place import Claimed, Place
from gradcheck.engines.backprop import backprop
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.claims import Claim


class ArrayPlace(Place):
    """A graph of arrays at a point; it is written out as single numbers when that is asked for."""

    def _evaluate(self, finite: bool) -> None:
        self.point = {name: _numbers(value) for name, value in self.point.items()}
        self.system, values = forward.run(self.graph, self.point, arrays=True, finite=finite)
        self.values = [np.asarray(v) for v in values]
        self.shape = self.values[self.graph.output].shape
        self.value = float(np.sum(self.values[self.graph.output]))

    @cached_property
    def gradients(self) -> list[Any]:
        """Backprop's float64 gradient of each node, for an upstream gradient of ones; None where nothing flows."""
        with self.system.active():
            return backprop(self.graph, self.system, self.values, np.ones(self.shape))

    @cached_property
    def _indices(self) -> dict[str, Any]:
        return {name: x for name, x in self.point.items() if x.dtype.kind == "i"}

    @cached_property
    def _written_out(self) -> tuple[Graph, list[Any]]:
        return written_out(self.graph, self.point, self.apart)

    @property
    def scalar(self) -> Graph:
        """The graph written out in single numbers."""
        return self._written_out[0]

    @cached_property
    def flat_inputs(self) -> dict[str, float]:
        """The inputs of `scalar`."""
        return single_numbers(self.point)

    @cached_property
    def flat_values(self) -> list[Any]:
        """The float64 value of each node of `scalar`."""
        return evaluate(self.scalar, FLOATS, self.flat_inputs)[0]

    def exact_gradients(self, level: Level) -> list[Any]:
        """Return what the same array rules give, over arrays of balls."""
        one = np.full(self.shape, level.system.literal("1"), dtype=object)
        return backprop(self.graph, arrays.of(level.system), self._exact_values(level), one)

    def _exact_values(self, level: Level) -> list[Any]:
        """Return the value of each node as an array of balls: those of the graph written out."""
        indices = {self.graph.inputs[name]: x for name, x in self._indices.items()}
        return gathered(self._written_out[1], level.values, indices)

    def elements(self, name: str) -> list[tuple[tuple[int, ...], int, float]]:
        """Return (index, node of the scalar graph, value) for each element of an input or a stage."""
        node = self.node(name)
        x = self.values[node]
        cells = self._written_out[1][node].ravel().tolist()
        return [(k, n, float(x[k])) for k, n in zip(np.ndindex(x.shape), cells, strict=True)]

    def node_floats(self, node: int) -> list[float]:
        """Return the float64 value of a node, element by element."""
        return [float(x) for x in np.ravel(self.values[node])]

    def node_balls(self, level: Level, node: int) -> list[Any]:
        """Return the value of a node in balls, element by element."""
        return list(np.ravel(self._exact_values(level)[node]))

    def flat(self, gradients: list[Any], name: str, zero: Any) -> list[Any]:
        """Return the gradient of an input or a stage, element by element; `zero` where nothing flows."""
        node = self.node(name)
        found = gradients[node]
        if found is None:
            return [zero] * self.values[node].size
        # Adding zero makes numbers of the system out of the plain zeros that numpy fills in.
        return [x + zero for x in np.ravel(found)]

    def claim(self, claim: Claim, level: Level, sharp: list[Any]) -> Claimed:
        """Return the elements of a claimed gradient: of all of its input, or of the one that is claimed."""
        if claim.numbers is not None:
            return self._numbers(claim, level)
        infer(claim.graph, {n: self.values[k].shape for n, (k, _) in claim.uses.items()} | self._shapes_beside(claim))
        floats = self._fitting(claim, self.claimed_floats(claim))
        numbers = self._used(claim, self._exact_values(level), sharp, level.system.literal("0"))
        exact = np.frompyfunc(lambda x: level.system.constant(repr(float(x))), 1, 1)
        numbers |= {n: np.asarray(exact(self.beside[n]), dtype=object) for n in claim.beside}
        sharper, _ = evaluate(claim.graph, arrays.of(level.system), numbers)
        exacts = self._fitting(claim, np.asarray(sharper[claim.graph.output], dtype=object))
        return Claimed([float(x) if x is not None else math.nan for x in floats.ravel()], list(exacts.ravel()))

    def _shapes_beside(self, claim: Claim) -> dict[str, tuple[int, ...]]:
        return {n: np.shape(self.beside[n]) for n in claim.beside}

    def claimed_floats(self, claim: Claim) -> Any:
        """Return the claimed gradient as the formula, or whoever gave the numbers, has it in float64."""
        if claim.numbers is not None:
            return np.reshape(np.array(claim.numbers.values), claim.numbers.shape)
        with self.system.active():
            known = self._used(claim, self.values, self.gradients, 0.0)
            values, _ = evaluate(claim.graph, self.system, known | {n: self.beside[n] for n in claim.beside})
        return values[claim.graph.output]

    def _used(self, claim: Claim, values: list[Any], gradients: list[Any], zero: Any) -> dict[str, Any]:
        """Return the values of the names in a claim; where nothing flows the upstream gradient is zero."""
        found = {}
        for name, (node, upstream) in claim.uses.items():
            value = gradients[node] if upstream else values[node]
            found[name] = np.full(self.values[node].shape, zero) if value is None else value
        return found

    def _fitting(self, claim: Claim, found: Any) -> Any:
        shape = () if claim.index is not None else self.shape_of(claim.name)
        try:
            return np.broadcast_to(found, shape)
        except ValueError:
            self.refuse_shape(claim, np.shape(found), shape)


def _numbers(value: Any) -> Any:
    """Return float64s; whole-number arrays are left alone: they say where to look something up."""
    array = np.asarray(value)
    return array if array.dtype.kind == "i" else np.asarray(array, dtype=float)
