"""Ops of one's own, each by itself: their rules under an upstream gradient that nothing excuses.

In the network an op may get an upstream gradient of ones, or one that is the same everywhere; a
rule that forgets the upstream gradient, transposes or mixes it is right under it. So every gate
of such an op is checked once more, at its own operands, under a seeded random gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from gradcheck.checking import judge
from gradcheck.checking.verdicts import Fact
from gradcheck.checking.ways import EXTRA_DIGITS
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.networks.network import Network
from gradcheck.ops import OWN

if TYPE_CHECKING:
    from gradcheck.checking.arrays import FloatPoint
    from gradcheck.checking.expressions import Settings

SMALL = 200
"""Numbers up to which an op is checked in a hundred digits."""

UPSTREAM = "upstream"


def faults(network: Network, point: FloatPoint, settings: Settings) -> list[Fact]:
    """Return the gates of the spec's own ops whose rules are wrong under another upstream gradient.

    Gates of one op at operands of the same shapes are looked at up to three times.
    """
    if set(network.graph.ops).isdisjoint(OWN):
        return []
    from gradcheck.engines.local_differences import needed

    depends = needed(network.graph, [network.graph.inputs[name] for name in network.wrt])
    found: list[Fact] = []
    seen: dict[Any, int] = {}
    for node in network.graph.gates:
        op = network.graph.ops[node]
        if op not in OWN:
            continue
        key = op, tuple(network.shapes[k] for k in network.graph.operands(node))
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= 3 and (reason := _wrong(network, point, node, depends, settings)) is not None:
            line, column = network.source.position(network.graph.span(node)[0])
            called = network.graph.described(node)
            found.append(Fact(f"rule {called}", (line, column), f"the backward rule of {called} is wrong: {reason}"))
    return found


def _wrong(network: Network, point: FloatPoint, node: int, depends: Sequence[bool], settings: Settings) -> str | None:
    """Check one gate; return what is wrong with its rule, or None."""
    import numpy as np

    op, operands = network.graph.ops[node], network.graph.operands(node)
    row = OWN[op]
    graph = Graph(Source("", network.source.name))
    nodes = [graph.input(name) for name in row.args]
    gate = graph.gate(op, nodes)
    graph.output = graph.gate("mul", [gate, graph.input(UPSTREAM)])
    values = {name: point.values[k] for name, k in zip(row.args, operands, strict=True)}
    shape = network.shapes[node]
    values[UPSTREAM] = np.random.default_rng([settings.seed, node]).standard_normal(shape)
    # Nobody asks for the gradient of data, such as a target or a mask: whatever is written for it.
    asked = [name for name, k in zip(row.args, operands, strict=True) if depends[k]]
    if not asked:
        return None
    size = sum(prod(network.shapes[k]) for k in operands)
    number = _worst_exactly if size <= SMALL else _worst_gatewise
    return number(graph, values, asked, settings)


def _worst_exactly(graph: Graph, values: dict[str, Any], args: list[str], settings: Settings) -> str | None:
    from gradcheck.checking.arrays import ArrayPoint
    from gradcheck.checking.exact import SpreadError
    from gradcheck.checking.number_by_number import Grading, Question
    from gradcheck.graph.shapes import infer

    shapes = infer(graph, {name: value.shape for name, value in values.items()})
    question = Question(settings, args, {}, most_extra=EXTRA_DIGITS)
    try:
        rows = Grading(question, ArrayPoint(graph, values, shapes)).check().gradients
    except SpreadError:
        return _worst_gatewise(graph, values, args, settings)
    return next((f"for {row.name}, {row.reason}" for row in rows if row.verdict == judge.DISAGREE), None)


def _worst_gatewise(graph: Graph, values: dict[str, Any], args: list[str], settings: Settings) -> str | None:
    import numpy as np

    from gradcheck.checking.arrays import FloatPoint
    from gradcheck.checking.gate_by_gate import examine
    from gradcheck.graph.graph import element_name

    point = FloatPoint(graph, values, values[UPSTREAM].shape)
    found = examine(graph, point.values, point.gradients(), args, seed=settings.seed)
    for tensor in found.tensors:
        wrong = np.flatnonzero(tensor.words.ravel() == judge.SEVERITY.index(judge.DISAGREE))
        if len(wrong):
            index = tuple(int(k) for k in np.unravel_index(wrong[0], tensor.shape))
            return f"for {element_name(tensor.name, index)}, {tensor.reasons.get(int(wrong[0]), 'it is not the slope')}"
    return None
