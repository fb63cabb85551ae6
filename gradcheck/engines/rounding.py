"""What float64 rounding may do inside a formula: of an op, or of its backward rule.

The differences may be sharper than the rule under test: `1 - out^2` keeps hardly a digit where a
tanh is saturated. Such a loss is told from a mistake by error analysis of the rule's own text,
right or wrong: for elementwise ops by adding up, over all intermediate values, how much the
result moves when they are rounded; for array ops by rounding the operands in several ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.engines.backprop import backprop
from gradcheck.engines.flows import Array, BarredFlow, to_shape
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph, Params
from gradcheck.language.parser import parse
from gradcheck.ops import OPS
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import Shape

SHAKES = 4
SHAKE = 2.0**-51
"""How often, and by how much, the operands of an array rule are moved."""

EPS = 2.0**-52


def sizes(graph: Graph, node: int, place: int, g: Array, operands: list[Array], out: Array) -> Array:
    """Return the size of the numbers whose rounding one rule of gate `node` passes on.

    In units of the contribution to operand `place`, in its shape; float64 loses a few parts in 2^52
    of it.
    """
    shape = np.shape(operands[place])
    if OPS[graph.ops[node]].partials:
        return to_shape(BarredFlow(_ruled(graph, node, place, g, operands, out)), shape).value
    return _shaken(graph, node, place, g, operands, out)


def inside(op: str, params: Params, operands: list[Array]) -> Array:
    """Return the size of the numbers whose rounding an elementwise op passes on to its value.

    Zero for a primitive, which is one function and as good as its value.
    """
    row = OPS[op]
    text = row.forward or row.form
    shape = np.broadcast_shapes(*(np.shape(x) for x in operands))
    if text is None or op in FLOAT_ARRAYS.natives:
        return np.zeros(shape)
    return _analysed(row, text, params, dict(zip(row.args, operands, strict=True)), shape)


def _ruled(graph: Graph, node: int, place: int, g: Array, operands: list[Array], out: Array) -> Array:
    row = OPS[graph.ops[node]]
    known = dict(zip(("g", *row.args, "out"), (g, *operands, out), strict=True))
    return _analysed(row, row.rules()[place], graph.params.get(node, ()), known, np.shape(out))


def _analysed(row: Op, text: str, params: Params, known: dict[str, Array], shape: Shape) -> Array:
    """Return the sum over all values in a formula of |value * derivative of the result by it|."""
    source = Source(text, "formula")
    formula = parse(source, tuple(known), static_names=dict(params), internal=True, functions=row.functions)
    inputs = {name: np.broadcast_to(known[name], shape) for name in formula.inputs}
    values, _ = evaluate(formula, FLOAT_ARRAYS, inputs)
    values = [np.asarray(v) for v in values]
    adjoints = backprop(formula, FLOAT_ARRAYS, values, np.ones(np.shape(values[formula.output])))
    total = np.zeros(shape)
    for k, adjoint in enumerate(adjoints):
        if adjoint is not None and k not in formula.constants:
            total = total + np.broadcast_to(np.abs(adjoint * values[k]), shape)
    return np.where(np.isfinite(total), total, 0.0)


def _shaken(graph: Graph, node: int, place: int, g: Array, operands: list[Array], out: Array) -> Array:
    """Return, in units of rounding, by how much the rule moves with the last digits of its operands."""
    op = graph.ops[node]
    rule = FLOAT_ARRAYS.rule(op, graph.params.get(node, ()), OPS[op].ranks(operands))
    random = np.random.default_rng(node)
    shape = np.shape(operands[place])

    def said(parts: list[Any]) -> Array:
        flow = np.asarray(rule.fast(*parts)[place])
        return to_shape(BarredFlow(flow), shape).value if flow.ndim >= len(shape) else np.broadcast_to(flow, shape)

    parts = [np.asarray(x) for x in (g, *operands, out)]
    base, reach = said(parts), np.zeros(shape)
    for _ in range(SHAKES):
        moved = [x * (1 + SHAKE * random.choice([-1.0, 1.0], x.shape)) if x.dtype.kind == "f" else x for x in parts]
        reach = np.fmax(reach, np.abs(said(moved) - base))
    return np.where(np.isfinite(reach), reach, 0.0) / EPS
