"""Large graphs of arrays in float64: gate by gate, then end to end, and one finding a tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.checking import judge_arrays
from gradcheck.checking.end_to_end import Directed, Lines
from gradcheck.checking.gate_by_gate import Gates
from gradcheck.checking.place import Place
from gradcheck.checking.tensor import Tensor
from gradcheck.engines.end_to_end import every_number
from gradcheck.engines.memory import keep_freed
from gradcheck.graph.graph import Graph

MOST_REASONS = 20
"""Numbers of one tensor of which it is said why they are not a plain agreement."""


class Examined(NamedTuple):
    """What was found.

    Attributes:
        tensors: one an input; NaN where the differences have no number, bars that hold one-sided slopes.
        culprits: input → the gates at fault behind it, nearest the output first.
        directions: the random directions tried.
        notes: what else there is to say.
    """

    tensors: list[Tensor]
    culprits: dict[str, list[int]]
    directions: list[Directed]
    notes: list[str]


def examine(place: Place, wrt: Sequence[str], *, seed: int = 0, exhaustive: bool = False) -> Examined:
    """Check backprop's gradient of the sum of the output with respect to the inputs `wrt`.

    Args:
        place: the graph at a point, in arrays.
        wrt: the inputs to check.
        seed: of the random directions.
        exhaustive: whether every number is also moved by itself, end to end.

    Raises:
        DomainError: if a slope is infinite.
    """
    keep_freed()
    graph, values = place.graph, place.values
    nodes = {place.node(name): name for name in wrt}
    with FLOAT_ARRAYS.active():
        gates = Gates(graph, values, place.gradients, nodes)
        gates.run()
        lines = Lines(graph, values, gates, seed)
        if exhaustive:
            for node in lines.moving:
                seen = every_number(graph, values, node, gates.rounding_floor(), partial(gates.doubtful, node))
                lines.moved_one_by_one(node, seen)
        lines.look(directions=not exhaustive)
        culprits = {name: gates.culprits(node) if gates.wrong else [] for node, name in nodes.items()}
        tensors = [_tensor(gates, lines, node, name, culprits[name]) for node, name in nodes.items()]
    return Examined(tensors, culprits, lines.directions, lines.notes)


def _tensor(gates: Gates, lines: Lines, node: int, name: str, culprits: list[int]) -> Tensor:
    graded, found, words = gates.graded(node), lines.found[node], lines.words[node]
    value, bound = found.value, found.allowed + found.width
    if not (known := np.isfinite(bound)).all():
        value, bound = (np.where(known, part, np.nan) for part in (value, bound))
    caught = judge_arrays.caught_by(found, words)
    if caught is not None and node in lines.local:
        # Moving numbers by themselves adds to what the gates told, and takes nothing away.
        caught = min(caught, judge_arrays.caught_by(lines.local[node], words) or caught)
    caught = None if caught is None else max(caught, gates.resolution.get(node, 0.0))
    at_fault = _named(gates.graph, culprits)
    reasons = {}
    if words.any():
        for place in judge_arrays.worst(graded, found, words, MOST_REASONS):
            word = int(words.flat[place])
            reasons[place] = judge_arrays.reason(float(graded.flat[place]), found, place, word, at_fault)
    reasons.update(lines.reasons.get(node, {}))
    at = gates.values[node].ravel()
    answers = {"backprop": graded.ravel(), "finite_difference": value.ravel()}
    caughts = [math.nan if caught is None else caught]
    return Tensor(name, np.shape(graded), None, at, answers, bound.ravel(), words.ravel(), reasons, caughts)


def _named(graph: Graph, nodes: list[int]) -> str:
    return " and ".join(dict.fromkeys(graph.described(node) for node in nodes[:3]))
