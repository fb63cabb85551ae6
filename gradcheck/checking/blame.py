"""Which op it was: where a gradient stops being finite, bends, or loses its digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gradcheck.arithmetic.numbers import to_float
from gradcheck.checking import judge
from gradcheck.checking.exact import Exact
from gradcheck.checking.judge import SlopeAnswer, Verdict

if TYPE_CHECKING:
    from gradcheck.checking.number_by_number import Place


class Blame:
    """The gradients of every node at one point, in float64 and exactly.

    Attributes:
        rough: backprop's float64 gradient of each node.
        sharp: the same rules in high precision; empty until they have been run.
    """

    def __init__(self, place: Place, exact: Exact, rough: list[Any], sharp: Sequence[Any] = ()) -> None:
        self.place = place
        self.graph = place.graph
        self.exact = exact
        self.rough = rough
        self.sharp = list(sharp)

    @cached_property
    def culprit(self) -> int | None:
        """The gate at which backprop's gradient stops being finite, if it does."""
        gates: list[int] = self.graph.gates
        for node in reversed(gates):
            if self.rough[node] is None or not _all_finite(self.rough[node]):
                continue
            for operand in self.graph.operands(node):
                flow = self.rough[operand]
                if flow is not None and operand not in self.graph.constants and not _all_finite(flow):
                    return node
        return None

    @cached_property
    def lost(self) -> int | None:
        """The first gate whose value, or through which the gradient, loses its digits."""
        graph: Any = self.place.scalar
        if graph is not self.graph:
            return None
        gates: list[int] = self.graph.gates
        for node in gates:
            if worn(self.place.values[node], self.exact.values[node]):
                return node
        for node in reversed(gates):
            if self.rough[node] is None or worn(self.rough[node], self.sharp[node]):
                continue
            operands = self.graph.operands(node)
            if any(self.rough[k] is not None and worn(self.rough[k], self.sharp[k]) for k in operands):
                return node
        return None

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
        bends = self.named(self.exact.graph, self.exact.bends)
        smooth = slope is not None and slope.kind == "smooth"
        if verdict.word == judge.KINK and bends:
            reason = f"{reason}; kink of {bends}"
        elif verdict.word == judge.DISAGREE and own and not math.isfinite(rough):
            reason = _with(reason, "it comes from", self.named(self.graph, [self.culprit]))
        elif verdict.word == judge.DISAGREE and own and bends and smooth:
            reason = f"{reason}; the kinks of {bends} cancel"
        elif verdict.word == judge.LOSSY:
            reason = _with(reason, "digits are lost in", self.named(self.graph, [self.lost]))
        return verdict._replace(reason=reason)

    def named(self, graph: Any, nodes: Sequence[int | None]) -> str:
        """Return the names of some gates, with their texts; empty if there are none."""
        names = [graph.described(node) for node in nodes[:3] if node is not None]
        return " and ".join(dict.fromkeys(names)) + (" and more" if len(nodes) > 3 else "")


def _with(reason: str, link: str, names: str) -> str:
    return f"{reason}; {link} {names}" if names else reason


def worn(rough: float, sharp: Any) -> bool:
    """Return whether a float64 has lost more than half its digits."""
    if sharp is None or not math.isfinite(rough):
        return False
    true = to_float(sharp)
    return abs(rough - true) > judge.KEPT * abs(true) and abs(rough - true) > judge.TINY


def _all_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    import numpy as np

    return bool(np.all(np.isfinite(value)))
