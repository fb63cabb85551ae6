"""The chain rule over local slopes, whoever found them: from the output back, added up at forks.

Backprop has its own loop; this one is for those that check it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import CONSTANT, INPUT, NONE, Graph
from gradcheck.ops import OPS

TIE = ("x - y",)
"""The kink of ops whose slopes depend on nothing but how their operands differ."""

Local = Callable[..., Any]
"""The values of a gate's operands → its slope in one of them. One that is the same everywhere may stand as a number."""


def adjoints(graph: Graph, values: Values, one: Any, local: Callable[[str], Sequence[Any]], nan: Any) -> Values:
    """Return d output / d node for every node of a graph of single numbers.

    None means that the output does not depend on the node.

    Args:
        graph: the graph.
        values: the value of each node.
        one: the derivative of the output with respect to itself.
        local: op → its slopes, one an operand.
        nan: what stands where a slope has no value (0/0).
    """
    result: Values = [None] * len(graph)
    result[graph.output] = one
    slopes = {op: [_ready(slope, one) for slope in local(op)] for op in set(graph.ops) - {INPUT, CONSTANT}}
    flat = {op for op in slopes if OPS[op].piecewise}
    # Moving both operands alike changes nothing, and at zero it is plain that they are equal.
    ties = {op for op in slopes if OPS[op].kink == TIE}
    needed = depends_on_inputs(graph)
    ops, left, right, rest = graph.ops, graph.left, graph.right, graph.rest
    for node in range(len(graph) - 1, -1, -1):
        adjoint, i, j = result[node], left[node], right[node]
        if adjoint is None or i < 0:
            continue
        op = ops[node]
        operands = (i, j) if j >= 0 else (i,) if j == NONE else rest[node]
        point = [values[k] for k in operands]
        if op in ties and point[0] is point[1]:
            point = [one - one] * 2
        for operand, (derivative, always) in zip(operands, slopes[op], strict=True):
            if not needed[operand]:
                continue
            try:
                slope = always if derivative is None else derivative(*point)
                # A piece that is not chosen passes nothing on, not even to an infinite slope.
                if op in flat and slope == 0:
                    continue
                term = adjoint if slope is one else adjoint * slope
            except (ArithmeticError, ValueError):
                term = nan
            so_far = result[operand]
            result[operand] = term if so_far is None else so_far + term
    return result


def _ready(slope: Any, one: Any) -> tuple[Local | None, Any]:
    """Return a slope as a function, or as a number that holds everywhere."""
    if callable(slope):
        return slope, None
    return None, one if slope == one else slope


def depends_on_inputs(graph: Graph) -> bytearray:
    """Return for each node whether an input lies behind it."""
    depends = bytearray(len(graph))
    for node in graph.inputs.values():
        depends[node] = 1
    left, right, rest = graph.left, graph.right, graph.rest
    for node in graph.gates:
        r = right[node]
        if depends[left[node]] or (r >= 0 and depends[r]) or (r < NONE and any(depends[k] for k in rest[node])):
            depends[node] = 1
    return depends
