"""The same gradients by forward mode: one pass for each input number, where reverse mode needs one in all.

A pass starts with the tangent 1 at one input number and hands every stage the sum of local
derivative times tangent over its operands (Griewank and Walther 2008, Evaluating Derivatives,
chapter 3). For arrays the local derivatives of a step are read off its own backward rule: one unit
upstream gradient for each of its elements.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from gradcheck.arithmetic.system import System
from gradcheck.deriving.derive import Worked
from gradcheck.deriving.gate import GateRules
from gradcheck.deriving.records import Derivation, shape_of
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape

MOST_PASSES = 64
"""Input numbers up to which the passes are carried out."""

MOST_TANGENTS = 1_000_000
"""Tangents of all stages in all passes up to which the passes are carried out."""

MOST_SLOPES = 200_000
"""Local derivatives of one step, as a matrix, up to which the passes are carried out."""


class ForwardPass(NamedTuple):
    """One forward pass.

    Attributes:
        input: the input that is varied.
        index: which of its elements; () for a single number.
        tangents: for each step the derivative of its value with respect to that number, in the shape
            of the step; None where it does not depend on it.
        derivative: the derivative of the output.
    """

    input: str
    index: tuple[int, ...]  # type: ignore[assignment]
    tangents: tuple[Any, ...]
    derivative: float


class Operations(NamedTuple):
    """What passes over a graph cost.

    Attributes:
        passes: how many there are.
        gates: gates visited, counted each time.
        products, sums: multiplications by a local derivative and additions, for graphs of single
            numbers; None for arrays.
    """

    passes: int
    gates: int
    products: int | None
    sums: int | None


class ForwardMode(NamedTuple):
    """Gradients by forward mode, and what they cost.

    Attributes:
        passes: one for each number of each input that has a gradient; () if refused.
        forward_operations: what all those passes cost.
        reverse_operations: what one backward pass costs.
        refused: why no pass was carried out; "" if they were.
    """

    passes: tuple[ForwardPass, ...]
    forward_operations: Operations
    reverse_operations: Operations
    refused: str


def forward_mode(derivation: Derivation, worked: Worked, system: System) -> ForwardMode:
    """Differentiate with respect to every number of every input that has a gradient, one at a time.

    Args:
        derivation: the derivation.
        worked: its stages and numbers.
        system: the number system of those.
    """
    wanted = [leaf.name for leaf in derivation.leaves if leaf.gradient is not None]
    return _ForwardMode(GateRules(worked, system), wanted).found()


class _ForwardMode:
    def __init__(self, gates: GateRules, wanted: list[str]) -> None:
        self.gates = gates
        self.graph = gates.graph
        self.wanted = wanted
        self.shapes: list[Shape] = [shape_of(value) for value in gates.values]
        self.open = {
            gate: [slot for slot in range(len(self.graph.operands(gate))) if gates.carries(gate, slot)]
            for gate in self.graph.gates
        }
        self.matrices: dict[tuple[int, int], Any] = {}

    def found(self) -> ForwardMode:
        refused = self.refused()
        with self.gates.system.active():
            passes = [] if refused else [
                self.run(name, index) for name in self.wanted for index in _indices(self.shape(name))
            ]  # fmt: skip
        return ForwardMode(tuple(passes), self.forward_operations(), self.reverse_operations(), refused)

    def shape(self, name: str) -> Shape:
        return self.shapes[self.graph.inputs[name]]

    def refused(self) -> str:
        """Return why the passes would take too long; "" if they do not."""
        count = sum(prod(self.shape(name)) for name in self.wanted)
        if count > MOST_PASSES:
            return f"forward mode needs {count} passes here, one for each input number; at most {MOST_PASSES} are shown"
        tangents = count * sum(prod(self.shapes[gate]) for gate in self.graph.gates)
        if tangents > MOST_TANGENTS:
            return f"forward mode has {tangents} tangents here; at most {MOST_TANGENTS} are worked out"
        for gate in self.graph.gates:
            if OPS[self.graph.ops[gate]].elementwise:
                continue
            slopes = max(prod(self.shapes[gate]) * prod(self.shapes[k]) for k in self.graph.operands(gate))
            if slopes > MOST_SLOPES:
                return (
                    f"the {self.graph.title(gate)} has {slopes} local derivatives; at most {MOST_SLOPES} are worked out"
                )
        return ""

    def run(self, name: str, index: tuple[int, ...]) -> ForwardPass:
        """Carry out one pass."""
        tangents: list[Any] = [None] * len(self.graph)
        tangents[self.graph.inputs[name]] = self.unit(self.shape(name), index)
        for gate in self.graph.gates:
            for slot in self.open[gate]:
                arriving = tangents[self.graph.operands(gate)[slot]]
                if arriving is not None:
                    added = self.forth(gate, slot, arriving)
                    tangents[gate] = added if tangents[gate] is None else tangents[gate] + added
        end = tangents[self.graph.output]
        steps = tuple(tangents[gate] for gate in self.graph.gates)
        return ForwardPass(name, index, steps, 0.0 if end is None else float(end))

    def unit(self, shape: Shape, index: tuple[int, ...]) -> Any:
        """Return a one at `index` among zeros."""
        if not self.gates.arrays:
            return 1.0
        import numpy as np

        tangent = np.zeros(shape)
        tangent[index] = 1.0
        return tangent

    def forth(self, gate: int, slot: int, tangent: Any) -> Any:
        """Return what the tangent of one operand adds to that of its gate."""
        if not self.gates.arrays:
            return self.gates.locals(gate)[slot] * tangent
        import numpy as np

        row = OPS[self.graph.ops[gate]]
        if row.elementwise:
            local = np.broadcast_to(self.gates.locals(gate)[slot], self.shapes[gate])
            # Where a choice did not take the operand its tangent counts for nothing, infinite or not.
            return np.where(local != 0, tangent, 0.0) if row.moves else local * tangent
        return (self.matrix(gate, slot) @ tangent.ravel()).reshape(self.shapes[gate])

    def matrix(self, gate: int, slot: int) -> Any:
        """Return the local derivatives of a gate's elements by an operand's: a row an element of the gate."""
        if (gate, slot) not in self.matrices:
            import numpy as np

            shape, inner = self.shapes[gate], self.shapes[self.graph.operands(gate)[slot]]
            rows = [self.gates.back(gate, slot, self.unit(shape, index))[0].ravel() for index in _indices(shape)]
            self.matrices[gate, slot] = np.array(rows, dtype=float).reshape(prod(shape), prod(inner))
        return self.matrices[gate, slot]

    def forward_operations(self) -> Operations:
        """Count what one pass for each number of each wanted input costs."""
        costs = [(prod(self.shape(name)), self.cost({self.graph.inputs[name]})) for name in self.wanted]
        return self.operations(*(sum(count * one[part] for count, one in costs) for part in range(4)))

    def reverse_operations(self) -> Operations:
        """Count what a backward pass to all wanted inputs costs."""
        return self.operations(*self.cost({self.graph.inputs[name] for name in self.wanted}, backward=True))

    def operations(self, passes: int, gates: int, products: int, sums: int) -> Operations:
        if self.gates.arrays:
            return Operations(passes, gates, None, None)
        return Operations(passes, gates, products, sums)

    def cost(self, sources: set[int], backward: bool = False) -> tuple[int, int, int, int]:
        """Count a pass over what depends on `sources`: a product an edge, a sum for each further one.

        Args:
            sources: inputs that are varied.
            backward: whether the edges that meet do so at operands and not at gates.

        Returns:
            Passes (one), gates, products and sums.
        """
        moving = set(sources)
        arrivals: dict[int, int] = {}
        gates = products = 0
        for gate in sorted(self.leading()) if backward else self.graph.gates:
            operands = [self.graph.operands(gate)[slot] for slot in self.open[gate]]
            mine = [operand for operand in operands if operand in moving]
            if mine:
                moving.add(gate)
                gates += 1
                products += len(mine)
                for end in mine if backward else [gate] * len(mine):
                    arrivals[end] = arrivals.get(end, 0) + 1
        return 1, gates, products, sum(n - 1 for n in arrivals.values())

    def leading(self) -> set[int]:
        """Return the gates from which something leads to the output."""
        found = {self.graph.output}
        for gate in reversed(self.graph.gates):
            if gate in found:
                found.update(self.graph.operands(gate)[slot] for slot in self.open[gate])
        return found & self.open.keys()


def _indices(shape: Shape) -> list[tuple[int, ...]]:
    """Return the places of an array in row-major order; one empty place for a single number."""
    places: list[tuple[int, ...]] = [()]
    for length in shape:
        places = [(*place, k) for place in places for k in range(length)]
    return places
