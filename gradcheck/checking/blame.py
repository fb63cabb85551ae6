"""Which op it was: where a gradient stops being finite, bends, or loses its digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from gradcheck.arithmetic.balls import to_float
from gradcheck.checking import judge
from gradcheck.checking.exact import Level
from gradcheck.checking.judge import SlopeAnswer, Verdict
from gradcheck.checking.place import Place
from gradcheck.graph.graph import Graph
from gradcheck.ops import OPS


def first_without_gradient(graph: Graph, gradients: Sequence[Any]) -> int | None:
    """Return the gate at which backprop's gradient stops being finite, if it does."""
    for node in reversed(graph.gates):
        if gradients[node] is None or not _all_finite(gradients[node]):
            continue
        for operand in graph.operands(node):
            flow = gradients[operand]
            if flow is not None and operand not in graph.constants and not _all_finite(flow):
                return node
    return None


class Blame:
    """Which op it was that is behind a verdict at one place.

    Args:
        place: the place, with backprop's float64 gradient of each node.
        level: the same in balls.
        sharp: what the same rules give there.
    """

    def __init__(self, place: Place, level: Level, sharp: Sequence[Any]) -> None:
        self.place = place
        self.graph = place.graph
        self.level = level
        self.rough = place.gradients
        self.sharp = list(sharp)

    @cached_property
    def infinite(self) -> int | None:
        """The gate at which backprop's gradient stops being finite, if it does."""
        return first_without_gradient(self.graph, self.rough)

    @cached_property
    def lost(self) -> int | None:
        """The first gate whose value, or through which the gradient, loses its digits."""
        if self.place.scalar is not self.graph:
            return None
        gates = self.graph.gates
        for node in gates:
            if lost_digits(self.place.values[node], self.level.values[node]):
                return node
        for node in reversed(gates):
            if self.rough[node] is None or lost_digits(self.rough[node], self.sharp[node]):
                continue
            operands = self.graph.operands(node)
            if any(self.rough[k] is not None and lost_digits(self.rough[k], self.sharp[k]) for k in operands):
                return node
        return None

    @cached_property
    def undecided(self) -> int | None:
        """The first gate that chooses or jumps, and of which the digits do not tell where."""
        graph, values = self.level.graph, self.level.values
        choosers = (k for k in graph.gates if OPS[graph.ops[k]].locally_constant)
        return next((k for k in choosers if values[k].is_finite() and not values[k].is_exact()), None)

    def explain(self, verdict: Verdict, own: bool, slope: SlopeAnswer | None, rough: float) -> Verdict:
        """Add to a verdict's reason which op it was.

        Args:
            verdict: the verdict.
            own: whether it is about backprop, and not about the user's claim.
            slope: the finite difference.
            rough: backprop's float64 gradient.
        """
        reason = verdict.reason
        if reason is None:
            if slope is not None and slope.kind == "edge":
                return verdict._replace(reason="one-sided: the domain ends here")
            return verdict
        bends = self.named(self.level.graph, self.level.bends)
        smooth = slope is not None and slope.kind == "smooth"
        if verdict.word == judge.KINK and bends:
            reason = f"{reason}; kink of {bends}"
        elif verdict.word == judge.DISAGREE and own and not math.isfinite(rough):
            reason = _with(reason, "it comes from", self.named(self.graph, [self.infinite]))
        elif verdict.word == judge.DISAGREE and own and bends and smooth:
            reason = f"{reason}; the kinks of {bends} cancel"
        elif verdict.word == judge.INCONCLUSIVE and verdict.open and self.undecided is not None:
            which = self.named(self.level.graph, [self.undecided])
            reason = f"which side {which} is on cannot be told in {self.level.digits} digits"
        elif verdict.word == judge.LOSSY:
            reason = _with(reason, "digits are lost in", self.named(self.graph, [self.lost]))
        return verdict._replace(reason=reason)

    def named(self, graph: Graph, nodes: Sequence[int | None]) -> str:
        """Return the names of some gates, with their texts; empty if there are none."""
        names = [graph.described(node) for node in nodes[:3] if node is not None]
        return " and ".join(dict.fromkeys(names)) + (" and more" if len(nodes) > 3 else "")


def _with(reason: str, link: str, names: str) -> str:
    return f"{reason}; {link} {names}" if names else reason


def lost_digits(rough: float, sharp: Any) -> bool:
    """Return whether a float64 has certainly lost more than half its digits: a wide ball says nothing of them."""
    if sharp is None or not math.isfinite(rough):
        return False
    error = float((sharp - rough).abs_lower())
    return error > judge.KEPT * abs(to_float(sharp)) and error > judge.TINY


def _all_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    import numpy as np

    return bool(np.all(np.isfinite(value)))
