"""A rule as it reads at one gate: what its fixed numbers decide is decided.

The rule of x^y for the gate t^2 is y*x^(y - 1) with a guard; on the board that is 2·t. Only numbers
that stand in the formula itself are folded, and only short decimals, exactly, so that the result is the
same text carried further and not another rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from math import prod
from typing import Any

from gradcheck.graph.graph import CONSTANT, INPUT, Graph, upstream
from gradcheck.ops import CHOICES
from gradcheck.ops.shapes import Shape, axes

_DECIDED: dict[str, Callable[..., Any]] = {
    "lt": lambda x, y: x < y, "le": lambda x, y: x <= y, "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y, "eq": lambda x, y: x == y, "ne": lambda x, y: x != y,
}  # fmt: skip

_COMPUTED: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "neg": lambda x: -x,
}

LARGEST = 10**6
"""Numbers beyond this are not folded."""

LONGEST = 12
"""Characters of a number that is folded."""


def folded(graph: Graph, numbers: Mapping[str, str], shapes: Mapping[str, Shape] = {}) -> Graph:
    """Return the formula with some of its inputs replaced by numbers, and what they decide decided.

    Args:
        graph: the formula.
        numbers: input → text of the number that it stands for.
        shapes: shapes of inputs, where they are known: they say how many elements there are.
    """
    sizes = {graph.inputs[name]: shape for name, shape in shapes.items() if name in graph.inputs}
    result = Graph(graph.source)
    moved: dict[int, int] = {}
    constants: dict[str, int] = {}

    def constant(text: str) -> int:
        if text not in constants:
            constants[text] = result.constant(text)
        return constants[text]

    for name, node in graph.inputs.items():
        moved[node] = constant(numbers[name]) if name in numbers else result.input(name)
    for node, text in graph.constants.items():
        moved[node] = constant(text)
    for node in graph.gates:
        operands = [moved[k] for k in graph.operands(node)]
        known = [decimal(result.constants.get(k)) for k in operands]
        same = _same(graph.ops[node], operands, known)
        if same is not None:
            moved[node] = same
            continue
        result_text = decided(graph.ops[node], known)
        if graph.ops[node] == "count" and graph.left[node] in sizes:
            shape = sizes[graph.left[node]]
            result_text = str(prod(shape[k] for k in axes(shape, dict(graph.params[node])["axis"])))
        if result_text is not None:
            moved[node] = constant(result_text)
        else:
            moved[node] = result.gate(graph.ops[node], operands, graph.params.get(node, ()))
    result.output = moved[graph.output]
    return _pruned(result)


def decimal(text: str | None) -> Decimal | None:
    """Return the short decimal that a text is; None for anything else."""
    if text is None or len(text) > LONGEST:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _same(op: str, operands: list[int], known: list[Decimal | None]) -> int | None:
    """Return the operand that an op hands on unchanged, if it does."""
    if op in CHOICES and known[0] is not None:
        return operands[1] if known[0] else operands[2]
    if (op, known[-1]) in NEUTRAL:
        return operands[0]
    if op in ("mul", "add") and (op, known[0]) in NEUTRAL:
        return operands[1]
    return None


NEUTRAL: frozenset[tuple[str, Any]] = frozenset({("pow", 1), ("mul", 1), ("div", 1), ("add", 0), ("sub", 0)})
"""Ops whose second operand may be a number that changes nothing."""


def decided(op: str, known: Sequence[Decimal | None]) -> str | None:
    """Return the text of the decimal that an op of short decimals is, if it is one."""
    if any(value is None for value in known):
        return None
    if op in _DECIDED:
        return str(int(_DECIDED[op](*known)))
    if op in _COMPUTED:
        result = _COMPUTED[op](*known)
        text = f"{result.normalize():f}" if abs(result) < LARGEST else ""
        return text if 0 < len(text) <= 2 * LONGEST else None
    return None


def _pruned(graph: Graph) -> Graph:
    """Drop what the output does not need."""
    result = Graph(graph.source)
    moved: dict[int, int] = {}
    names = {node: name for name, node in graph.inputs.items()}
    for node in sorted(upstream(graph, [graph.output])):
        if graph.ops[node] == INPUT:
            moved[node] = result.input(names[node])
        elif graph.ops[node] == CONSTANT:
            moved[node] = result.constant(graph.constants[node])
        else:
            operands = [moved[k] for k in graph.operands(node)]
            moved[node] = result.gate(graph.ops[node], operands, graph.params.get(node, ()))
    result.output = moved[graph.output]
    return result
