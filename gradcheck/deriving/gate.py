"""One gate by itself: its rule at the point, for upstream gradients other than that of the backward pass."""

from __future__ import annotations

from typing import Any

from gradcheck.arithmetic.system import Rule, System
from gradcheck.deriving.derive import Worked
from gradcheck.deriving.records import shape_of
from gradcheck.ops import OPS


class GateRules:
    """The gates of a derivation, each with its rule and its operands' values.

    Attributes:
        graph: the graph that was differentiated.
        values: the value of each node.
        system: the number system.
        arrays: whether values are arrays.
    """

    def __init__(self, worked: Worked, system: System) -> None:
        self.graph = worked.chart.graph
        self.values = worked.values
        self.system = system
        self.arrays = system.accumulate is not None
        self._locals: dict[int, tuple[Any, ...]] = {}

    def rule(self, node: int) -> Rule:
        """Return the backward rule of a gate."""
        op = self.graph.ops[node]
        ranks = OPS[op].ranks([self.values[k] for k in self.graph.operands(node)])
        return self.system.rule(op, self.graph.params.get(node, ()), ranks)

    def point(self, node: int) -> list[Any]:
        """Return the values of a gate's operands, and its own."""
        return [*[self.values[k] for k in self.graph.operands(node)], self.values[node]]

    def locals(self, node: int) -> tuple[Any, ...]:
        """Return what a gate hands back for an upstream gradient of one, operand by operand.

        For a gate of single numbers, or one that acts on each element by itself, these are the local
        derivatives, in the shape of the gate; None where a choice did not take the operand.
        """
        if node not in self._locals:
            rule = self.rule(node)
            if self.arrays:
                import numpy as np

                flows = rule.fast(np.ones(shape_of(self.values[node])), *self.point(node))
            else:
                flows = rule.careful(1.0, *self.point(node))
            self._locals[node] = tuple(flows)
        return self._locals[node]

    def carries(self, node: int, slot: int) -> bool:
        """Whether anything can flow through an operand.

        Nothing does where the rule is zero whatever the numbers are (a comparison), and into the
        branch that a `where` did not take.
        """
        rule = self.rule(node)
        if rule.texts[slot] == "0":
            return False
        if not OPS[self.graph.ops[node]].choice:
            return True
        taken = self.locals(node)[slot]
        return bool(taken.any()) if self.arrays else taken is not None

    def back(self, node: int, slot: int, upstream: Any, reached: Any = None) -> tuple[Any, Any]:
        """Return what goes back to one operand, and which of its elements anything flows to.

        Args:
            node: the gate.
            slot: which operand.
            upstream: the upstream gradient.
            reached: which elements of it count, as the backward pass keeps them behind a `where`; None
                for all. The others must not meet an infinite slope.

        Returns:
            The contribution in the operand's shape, and `reached` for the operand.
        """
        point = self.point(node)
        accumulate = self.system.accumulate
        if accumulate is None:
            return self.rule(node).careful(upstream, *point)[slot], None
        import numpy as np

        row = OPS[self.graph.ops[node]]
        rule = self.rule(node)
        flow = rule.fast(upstream, *point)[slot]
        operand = point[slot]
        if reached is not None and row.elementwise:
            flow = np.where(reached, flow, 0)
        pattern = None
        if row.moves and (reached is not None or row.choice):
            ones = np.ones(shape_of(point[-1]), dtype=int) if reached is None else reached.astype(int)
            pattern = rule.fast(ones, *point)[slot]
        elif reached is not None and row.elementwise:
            pattern = reached.astype(int)
        arrives = None if pattern is None else accumulate(None, pattern, operand) != 0
        return accumulate(None, flow, operand), arrives
