"""Shapes of every node before any number is computed, and what it would cost to compute them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

from gradcheck.errors import ShapeError, SizeError
from gradcheck.graph.graph import Graph
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape, elementwise, show

MAX_ELEMENTS = 50_000_000
"""Elements of all intermediate values together: 400 MB of float64."""


def infer(graph: Graph, inputs: Mapping[str, Shape]) -> list[Shape]:
    """Return the shape of each node for inputs of the given shapes.

    Raises:
        ShapeError: naming the op, its operands and their shapes.
        SizeError: if the values would not fit in the stated memory.
    """
    if not any(inputs.values()) and not graph.params and set(graph.ops).isdisjoint(_ARRAY_OPS):
        return [()] * len(graph)
    result: list[Shape] = [()] * len(graph)
    for name, node in graph.inputs.items():
        result[node] = inputs[name]
    total = 0
    for node in graph.gates:
        row = OPS[graph.ops[node]]
        operands = graph.operands(node)
        shapes = [result[k] for k in operands]
        if graph.ops[node] in ("mul", "pow") and all(shapes[: 2 if graph.ops[node] == "mul" else 1]):
            _refuse_two_readings(graph, node, shapes)
        try:
            if row.shape is None:
                result[node] = elementwise(*shapes)
            else:
                result[node] = row.shape(*shapes, **dict(graph.params.get(node, ())))
        except ValueError as error:
            texts = {k: graph.text(k) for k in operands}
            named = [k for k in operands if 0 < len(texts[k]) < 40 and texts[k] != graph.text(node)]
            known = [f"`{texts[k]}` is {show(result[k])}" for k in named]
            hint = "; ".join(known) or None
            at = graph.at[node]
            raise ShapeError(str(error), graph.source, (at, at + 1), hint) from None
        total += prod(result[node])
        if total > MAX_ELEMENTS:
            raise SizeError(
                f"the values up to here take {total:,} numbers", graph.source, graph.span(node),
                f"the limit is {MAX_ELEMENTS:,}",
            )  # fmt: skip
    return result


DOTS = {"·": "inner or matrix product", "⋅": "inner or matrix product", "×": "cross product"}
"""Signs of a product of numbers that mean something else between arrays."""


def _refuse_two_readings(graph: Graph, node: int, shapes: list[Shape]) -> None:
    """Refuse a sign between arrays that people read in two ways.

    Raises:
        ShapeError: with both spellings.
    """
    at = graph.at[node]
    named = {k: name for name, k in graph.stages.items()}
    left, right = (named.get(k) or graph.text(k) for k in graph.operands(node))
    if graph.ops[node] == "pow":
        if shapes[0][-2:-1] == shapes[0][-1:] and "".join(right.split()) in ("-1", "(-1)", "−1", "(−1)"):
            raise ShapeError(
                f"`{graph.text(node)}` of a square matrix can be read in two ways", graph.source, (at, at + 1),
                f"write inv({left}) for the inverse, 1/{_bracketed(left)} for the reciprocal of each element",
            )  # fmt: skip
        return
    sign = graph.source.text[at : at + 1]
    if sign in DOTS:
        a, b = (left, right) if len(left) + len(right) <= 60 else ("a", "b")
        spelled = f"cross({a}, {b})" if sign == "×" else " @ ".join(map(_bracketed, (a, b)))
        by_element = " * ".join(map(_bracketed, (a, b)))
        raise ShapeError(
            f"`{sign}` between arrays can be read in two ways", graph.source, (at, at + 1),
            f"write {spelled} for the {DOTS[sign]}, {by_element} for the product of each pair of elements",
        )  # fmt: skip


def _bracketed(text: str) -> str:
    """Return an operand that another operator may stand beside."""
    return text if re.fullmatch(r"[\w.]+|\w+\([^()]*\)|\([^()]*\)", text) else f"({text})"


_ARRAY_OPS = frozenset(op.name for op in OPS.values() if not op.elementwise)
