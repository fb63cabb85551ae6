"""A gradient as a sum over paths: along each the local derivatives are multiplied, over all they add up.

This is the chain rule of several variables, spelled out (Bauer 1974, Computational graphs and
rounding error). There may be exponentially many paths, so they are counted before any is walked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcheck.arithmetic.system import System
from gradcheck.deriving.derive import Worked
from gradcheck.deriving.gate import GateRules
from gradcheck.deriving.records import Derivation, shape_of

MOST_PATHS = 64
"""Paths that are listed; of more than that only the number is given, and the sums by first step."""


class Path(NamedTuple):
    """One way from a quantity to the output.

    Attributes:
        steps: numbers of the steps on the way, from the quantity to the output.
        slots: for each step which of its operands the path comes in by.
        locals: for single numbers the local derivative of each step by that operand; () for arrays.
        value: what goes back along this path alone, in the shape of the quantity: the product of the
            local derivatives, or for arrays the upstream gradient taken back through each step.
    """

    steps: tuple[int, ...]
    slots: tuple[int, ...]
    locals: tuple[float, ...]
    value: Any


class PathGroup(NamedTuple):
    """All paths that begin with the same step.

    Attributes:
        step: number of that step.
        slot: which of its operands they come in by.
        count: how many there are.
        value: the sum of what goes back along them, in the shape of the quantity.
    """

    step: int
    slot: int
    count: int  # type: ignore[assignment]
    value: Any


class Paths(NamedTuple):
    """Everything that a gradient is the sum of.

    Attributes:
        name: the quantity: an input or a step.
        count: how many paths lead from it to the output.
        closed: how many more there would be if nothing stood in the way: a `where` that took the other
            branch, or a step whose slope is zero everywhere.
        paths: the paths, in the order in which backprop adds them up; () if there are more than MOST_PATHS.
        groups: the same by first step, in the order of the quantity's parts; () for the output itself.
        total: the gradient: what the paths add up to; zero where there are none.
    """

    name: str
    count: int  # type: ignore[assignment]
    closed: int
    paths: tuple[Path, ...]
    groups: tuple[PathGroup, ...]
    total: Any


Edge = tuple[int, int]
"""(gate, slot): one use of a node."""


def paths_to(derivation: Derivation, worked: Worked, system: System, name: str) -> Paths:
    """Return the paths from a quantity to the output.

    Args:
        derivation: the derivation.
        worked: its stages and numbers.
        system: the number system of those.
        name: an input or a step of it.
    """
    return _Paths(GateRules(worked, system), worked, name, derivation.quantities[name].node).found()


class _Paths:
    def __init__(self, gates: GateRules, worked: Worked, name: str, node: int) -> None:
        self.gates = gates
        self.graph = gates.graph
        self.worked = worked
        self.name = name
        self.node = node
        self.numbers = {gate: k for k, gate in enumerate(self.graph.gates, 1)}

    def found(self) -> Paths:
        with self.gates.system.active():
            uses = self.uses()
            open_, every = self.counts({edge for some in uses for edge in some}), self.counts(None)
            count = open_[self.node]
            paths = tuple(map(self.path, self.walks(uses, open_))) if 0 < count <= MOST_PATHS else ()
            groups = tuple(
                PathGroup(self.numbers[gate], slot, open_[gate], self.flow(gate, slot))
                for gate, slot in uses[self.node]
                if open_[gate]
            )
        return Paths(self.name, count, every[self.node] - count, paths, groups, self.total())

    def uses(self) -> list[list[Edge]]:
        """Return the uses of each node that let something through, in the order of the backward pass."""
        found: list[list[Edge]] = [[] for _ in range(len(self.graph))]
        for gate in reversed(self.graph.gates):
            for slot, operand in enumerate(self.graph.operands(gate)):
                if self.gates.carries(gate, slot):
                    found[operand].append((gate, slot))
        return found

    def counts(self, uses: set[Edge] | None) -> list[int]:
        """Return how many paths lead from each node to the output, by those uses or by all."""
        found = [0] * len(self.graph)
        found[self.graph.output] = 1
        for gate in reversed(self.graph.gates):
            for slot, operand in enumerate(self.graph.operands(gate)):
                if uses is None or (gate, slot) in uses:
                    found[operand] += found[gate]
        return found

    def walks(self, uses: list[list[Edge]], counts: list[int]) -> list[list[Edge]]:
        """Return all paths; none is begun that does not arrive."""
        complete: list[list[Edge]] = []
        stack: list[tuple[int, list[Edge]]] = [(self.node, [])]
        while stack:
            node, walked = stack.pop()
            if node == self.graph.output:
                complete.append(walked)
            stack += [(edge[0], [*walked, edge]) for edge in reversed(uses[node]) if counts[edge[0]]]
        return complete

    def path(self, edges: list[Edge]) -> Path:
        """Take the output's gradient of one back along a path."""
        carried = self.worked.gradients[self.graph.output]
        reached: Any = None
        for gate, slot in reversed(edges):
            carried, reached = self.gates.back(gate, slot, carried, reached)
        slopes = () if self.gates.arrays else tuple(self.gates.locals(gate)[slot] for gate, slot in edges)
        steps = tuple(self.numbers[gate] for gate, _ in edges)
        return Path(steps, tuple(slot for _, slot in edges), slopes, carried)

    def flow(self, gate: int, slot: int) -> Any:
        value = self.worked.flows[gate][slot] if gate in self.worked.flows else None
        return self.zero() if value is None else value

    def total(self) -> Any:
        gradient = self.worked.gradients[self.node]
        return self.zero() if gradient is None else gradient

    def zero(self) -> Any:
        if not self.gates.arrays:
            return 0.0
        import numpy as np

        return np.zeros(shape_of(self.worked.values[self.node]))
