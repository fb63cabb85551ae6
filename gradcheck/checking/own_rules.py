"""Ops of one's own, each by itself: their rules under an upstream gradient that nothing excuses.

In the network an op may get an upstream gradient of ones, or one that is the same everywhere; a
rule that forgets the upstream gradient, transposes or mixes it is right under it. So every gate
of such an op is checked once more, at its own operands, under a seeded random gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcheck.checking import judge
from gradcheck.checking.number_by_number import NumbersAsked, number_by_number
from gradcheck.checking.other_points import POINTS, TRIES, shown
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.redrawn import redrawn
from gradcheck.checking.report import Fact
from gradcheck.checking.settings import Settings
from gradcheck.checking.tensor import Tensor
from gradcheck.errors import GradcheckError, Source
from gradcheck.graph.graph import Graph
from gradcheck.ops import OWN

SMALL = 200
"""Numbers up to which an op is checked number by number."""

UPSTREAM = "upstream"


def wrong_rules(problem: Problem, place: Place, settings: Settings) -> tuple[list[Fact], int]:
    """Return the gates of the user's own ops whose rules are wrong under another upstream gradient, or elsewhere.

    Gates of one op at operands of the same shapes are looked at up to three times, and the first of them at other
    seeded operands of the same kind: a rule may be right where a mask is one everywhere. The count of those is
    returned too.
    """
    graph = place.graph
    from gradcheck.engines.local_differences import needed

    depends = needed(graph, [graph.inputs[name] for name in problem.inputs])
    found: list[Fact] = []
    seen: dict[Any, int] = {}
    elsewhere = 0
    for node in graph.gates:
        op = graph.ops[node]
        if op not in OWN:
            continue
        key = op, tuple(place.values[k].shape for k in graph.operands(node))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 3:
            continue
        gate = _Gate(place, node, depends, settings)
        reason = gate.wrong_here()
        if reason is None and seen[key] == 1:
            reason, tried = gate.wrong_elsewhere()
            elsewhere += tried
        if reason is not None:
            line, column = graph.source.position(graph.span(node)[0])
            called = graph.described(node)
            found.append(Fact(f"rule {called}", (line, column), f"the backward rule of {called} is wrong: {reason}"))
    return found, elsewhere


class _Gate:
    """One gate of an op of the user's own, by itself: times a random upstream gradient."""

    def __init__(self, place: Place, node: int, depends: Sequence[bool], settings: Settings) -> None:
        self.place, self.node, self.settings = place, node, settings
        self.operands = place.graph.operands(node)
        self.row = OWN[place.graph.ops[node]]
        self.graph = Graph(Source("", place.graph.source.name))
        gate = self.graph.gate(self.row.name, [self.graph.input(name) for name in self.row.args])
        self.graph.output = self.graph.gate("mul", [gate, self.graph.input(UPSTREAM)])
        # Nobody asks for the gradient of data, such as a target or a mask: whatever is written for it.
        self.asked = [name for name, k in zip(self.row.args, self.operands, strict=True) if depends[k]]
        self.small = sum(place.values[k].size for k in self.operands) <= SMALL

    def wrong_here(self) -> str | None:
        """Return what is wrong with the rule at the gate's own operands, or None."""
        return self._wrong({name: self.place.values[k] for name, k in zip(self.row.args, self.operands, strict=True)})

    def wrong_elsewhere(self) -> tuple[str | None, int]:
        """Return what is wrong with the rule at other operands, and at how many it was tried."""
        import numpy as np

        tried = 0
        for turn in range(TRIES if self.small else 0):
            random = np.random.default_rng([self.settings.seed, self.node, turn])
            given = zip(self.row.args, self.operands, strict=True)
            values = {name: np.asarray(redrawn(self.place.values[k], random)) for name, k in given}
            try:
                reason = self._wrong(values)
            except GradcheckError:
                continue
            tried += 1
            if reason is not None:
                return f"at {shown(values)}, {reason}", tried
            if tried == POINTS:
                break
        return None, tried

    def _wrong(self, operands: dict[str, Any]) -> str | None:
        import numpy as np

        from gradcheck.checking.array_place import ArrayPlace

        if not self.asked:
            return None
        upstream = np.random.default_rng([self.settings.seed, self.node]).standard_normal(
            self.place.values[self.node].shape
        )
        alone = ArrayPlace(self.graph, {**operands, UPSTREAM: upstream})
        for tensor in self._tensors(alone):
            wrong = [k for k, word in enumerate(tensor.words) if word == judge.SEVERITY.index(judge.DISAGREE)]
            if wrong:
                return f"for {tensor.called(wrong[0])}, {tensor.reasons.get(wrong[0], 'it is not the slope')}"
        return None

    def _tensors(self, place: Place) -> list[Tensor]:
        if self.small:
            return number_by_number(place, NumbersAsked(self.asked, self.settings.engines, {}))[0]
        from gradcheck.checking.in_float64 import examine

        return examine(place, self.asked, seed=self.settings.seed).tensors
