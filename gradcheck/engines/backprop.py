"""Reverse mode: upstream gradient times local rule, from the output back, added up at forks.

The pass knows no op, only that a choice drops what flows back to the other branch. It runs the rules of the
op table over the flat graph, in whatever number system it is given: float64 for the answer under
test, high precision for what the same rules would say if float64 did not round.
"""

from __future__ import annotations

from typing import Any

from gradcheck.arithmetic.system import Rule, System
from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import NONE, Graph
from gradcheck.ops import CHOICES, OPS
from gradcheck.ops.op import Op

Gradients = list[Any]


def backprop(
    graph: Graph, system: System, values: Values, seed: Any, flows: dict[int, list[Any]] | None = None
) -> Gradients:
    """Return d output / d node for every node; None where nothing flows.

    Args:
        graph: the graph.
        system: the number system of `values`.
        values: the forward value of each node, as `graph.evaluate` returns them.
        seed: the upstream gradient of the output, in its shape.
        flows: takes for each gate what goes back to each of its operands, in the operand's shape; None
            where nothing does.
    """
    gradients: Gradients = [None] * len(graph)
    gradients[graph.output] = seed
    if system.accumulate is not None:
        _over_arrays(graph, system, values, gradients, flows)
        return gradients
    stuck = graph.output
    if flows is None and (loop := system.backward_loop(graph.ops)) is not None:
        stuck = loop(graph.ops, graph.left, graph.right, graph.rest, values, gradients)
    for node in range(stuck, NONE, -1):
        if gradients[node] is not None and graph.left[node] >= 0:
            back = _over_gate(graph, system, values, gradients, node)
            if flows is not None:
                flows[node] = back
    return gradients


def _over_gate(graph: Graph, system: System, values: Values, gradients: Gradients, node: int) -> list[Any]:
    operands = graph.operands(node)
    rule = system.rule(graph.ops[node])
    point = [gradients[node], *[values[k] for k in operands], values[node]]
    try:
        flows = rule.fast(*point)
    except (ArithmeticError, ValueError):
        # One of the formulas has a pole: each is applied by itself.
        flows = rule.careful(*point)
    for operand, flow in zip(operands, flows, strict=True):
        if flow is not None:
            so_far = gradients[operand]
            gradients[operand] = flow if so_far is None else so_far + flow
    return list(flows)


def _over_arrays(
    graph: Graph, system: System, values: Values, gradients: Gradients, record: dict[int, list[Any]] | None = None
) -> None:
    """Go back over gates of arrays; contributions are summed to their operand's shape.

    Where `where` takes the other branch, nothing flows: not even a zero, which would turn into
    NaN at an infinite slope further back. `reached` keeps, for each node behind a `where`, which
    of its elements anything flows to.
    """
    accumulate = system.accumulate
    assert accumulate is not None
    import numpy as np

    masked = not CHOICES.isdisjoint(graph.ops)
    reached: dict[int, Any] = {}
    for node in reversed(graph.gates):
        g, here = gradients[node], reached.get(node)
        if g is None or (here is not None and not here.any()):
            continue
        operands = graph.operands(node)
        point = [values[k] for k in operands]
        row = OPS[graph.ops[node]]
        rule = system.rule(graph.ops[node], graph.params.get(node, ()), row.ranks(point))
        point.append(values[node])
        flows = rule.fast(g, *point)
        if here is not None and row.elementwise:
            flows = [np.where(here, flow, 0) for flow in flows]
        if record is not None:
            record[node] = [accumulate(None, flow, values[k]) for k, flow in zip(operands, flows, strict=True)]
        if not masked:
            for operand, flow in zip(operands, flows, strict=True):
                gradients[operand] = accumulate(gradients[operand], flow, values[operand])
            continue
        patterns = _patterns(row, rule, here, point)
        for operand, flow, pattern in zip(operands, flows, patterns, strict=True):
            first = gradients[operand] is None
            gradients[operand] = accumulate(gradients[operand], flow, values[operand])
            if pattern is None:
                reached.pop(operand, None)
            elif first or operand in reached:
                arrives = np.asarray(accumulate(None, pattern, values[operand]) != 0)
                reached[operand] = arrives if first else reached[operand] | arrives


def _patterns(row: Op, rule: Rule, here: Any, point: list[Any]) -> list[Any]:
    """Return for each operand which elements of the contribution carry anything; None for all.

    An op that only moves upstream gradients moves this pattern in the same way.
    """
    import numpy as np

    count = len(point) - 1
    if row.moves and (here is not None or row.choice):
        return list(rule.fast(np.ones(np.shape(point[-1]), dtype=int) if here is None else here.astype(int), *point))
    return [None if here is None or not row.elementwise else here.astype(int)] * count
