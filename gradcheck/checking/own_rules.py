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
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.report import Fact
from gradcheck.checking.settings import Settings
from gradcheck.checking.tensor import Tensor
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.ops import OWN

SMALL = 200
"""Numbers up to which an op is checked number by number."""

UPSTREAM = "upstream"


def wrong_rules(problem: Problem, place: Place, settings: Settings) -> list[Fact]:
    """Return the gates of the user's own ops whose rules are wrong under another upstream gradient.

    Gates of one op at operands of the same shapes are looked at up to three times.
    """
    graph = place.graph
    from gradcheck.engines.local_differences import needed

    depends = needed(graph, [graph.inputs[name] for name in problem.inputs])
    found: list[Fact] = []
    seen: dict[Any, int] = {}
    for node in graph.gates:
        op = graph.ops[node]
        if op not in OWN:
            continue
        key = op, tuple(place.values[k].shape for k in graph.operands(node))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= 3 and (reason := _wrong(place, node, depends, settings)) is not None:
            line, column = graph.source.position(graph.span(node)[0])
            called = graph.described(node)
            found.append(Fact(f"rule {called}", (line, column), f"the backward rule of {called} is wrong: {reason}"))
    return found


def _wrong(place: Place, node: int, depends: Sequence[bool], settings: Settings) -> str | None:
    """Check one gate; return what is wrong with its rule, or None."""
    import numpy as np

    from gradcheck.checking.array_place import ArrayPlace

    operands = place.graph.operands(node)
    row = OWN[place.graph.ops[node]]
    graph = Graph(Source("", place.graph.source.name))
    gate = graph.gate(row.name, [graph.input(name) for name in row.args])
    graph.output = graph.gate("mul", [gate, graph.input(UPSTREAM)])
    values = {name: place.values[k] for name, k in zip(row.args, operands, strict=True)}
    values[UPSTREAM] = np.random.default_rng([settings.seed, node]).standard_normal(place.values[node].shape)
    # Nobody asks for the gradient of data, such as a target or a mask: whatever is written for it.
    asked = [name for name, k in zip(row.args, operands, strict=True) if depends[k]]
    if not asked:
        return None
    alone = ArrayPlace(graph, values)
    small = sum(place.values[k].size for k in operands) <= SMALL
    for tensor in _tensors(alone, asked, settings, small):
        wrong = [k for k, word in enumerate(tensor.words) if word == judge.SEVERITY.index(judge.DISAGREE)]
        if wrong:
            return f"for {tensor.called(wrong[0])}, {tensor.reasons.get(wrong[0], 'it is not the slope')}"
    return None


def _tensors(place: Place, asked: list[str], settings: Settings, small: bool) -> list[Tensor]:
    if small:
        return number_by_number(place, NumbersAsked(asked, settings.engines, {}))[0]
    from gradcheck.checking.in_float64 import examine

    return examine(place, asked, seed=settings.seed).tensors
