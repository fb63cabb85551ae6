"""Reverse mode: upstream gradient times local rule, from the output back, added up at forks.

The pass knows no op. It runs the rules of the op table over the flat graph, in whatever
number system it is given: float64 for the answer under test, high precision for what the
same rules would say if float64 did not round.
"""

from __future__ import annotations

from typing import Any

from gradcheck.graph import NONE, Graph, Values
from gradcheck.ops import OPS
from gradcheck.systems.system import Rule, System

Gradients = list[Any]


def backprop(graph: Graph, system: System, values: Values, seed: Any) -> Gradients:
    """Return d output / d node for every node; None where nothing flows.

    Args:
        graph: the graph.
        system: the number system of `values`.
        values: the forward value of each node, as `graph.evaluate` returns them.
        seed: the upstream gradient of the output, in its shape.
    """
    gradients: Gradients = [None] * len(graph)
    gradients[graph.output] = seed
    run = _run if system.accumulate is None else _run_arrays
    todo = reversed(graph.gates)
    rules: dict[Any, Rule] = {}
    while True:
        stuck = run(graph, system, values, gradients, todo, rules)
        if stuck == NONE:
            return gradients
        operands = graph.operands(stuck)
        rule = _rule(graph, system, values, stuck)
        flows = rule.careful(gradients[stuck], *[values[k] for k in operands], values[stuck])
        for operand, flow in zip(operands, flows, strict=True):
            if flow is not None:
                so_far = gradients[operand]
                gradients[operand] = flow if so_far is None else so_far + flow


def _rule(graph: Graph, system: System, values: Values, node: int) -> Rule:
    op = graph.ops[node]
    ranks: tuple[int, ...] = ()
    if isinstance(OPS[op].vjp, dict):
        ranks = tuple(len(values[k].shape) for k in graph.operands(node))
    return system.rule(op, graph.params.get(node, ()), ranks)


def _run(
    graph: Graph, system: System, values: Values, gradients: Gradients, todo: Any, rules: dict[Any, Rule]
) -> int:
    """Go back over gates of single numbers; return the gate whose rule raised, or NONE."""
    ops, left, right, rest = graph.ops, graph.left, graph.right, graph.rest
    fast = {op: system.rule(op).fast for op in set(ops) if op in OPS}
    node = NONE
    try:
        for node in todo:
            g = gradients[node]
            if g is None:
                continue
            i, j = left[node], right[node]
            if j >= 0:
                gi, gj = fast[ops[node]](g, values[i], values[j], values[node])
                so_far = gradients[i]
                gradients[i] = gi if so_far is None else so_far + gi
                so_far = gradients[j]
                gradients[j] = gj if so_far is None else so_far + gj
            elif j == NONE:
                (gi,) = fast[ops[node]](g, values[i], values[node])
                so_far = gradients[i]
                gradients[i] = gi if so_far is None else so_far + gi
            else:
                operands = rest[node]
                flows = fast[ops[node]](g, *[values[k] for k in operands], values[node])
                for operand, flow in zip(operands, flows, strict=True):
                    if flow is not None:
                        so_far = gradients[operand]
                        gradients[operand] = flow if so_far is None else so_far + flow
    except (ArithmeticError, ValueError):
        return node
    return NONE


def _run_arrays(
    graph: Graph, system: System, values: Values, gradients: Gradients, todo: Any, rules: dict[Any, Rule]
) -> int:
    """Go back over gates of arrays; contributions are summed to their operand's shape."""
    accumulate = system.accumulate
    assert accumulate is not None
    for node in todo:
        g = gradients[node]
        if g is None:
            continue
        operands = graph.operands(node)
        flows = _rule(graph, system, values, node).fast(g, *[values[k] for k in operands], values[node])
        for operand, flow in zip(operands, flows, strict=True):
            gradients[operand] = accumulate(gradients[operand], flow, values[operand])
    return NONE
