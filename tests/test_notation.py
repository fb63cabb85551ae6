"""Formulas in four notations: read back or run, they are the op table's own."""

from __future__ import annotations

import ast
import itertools
import json
import math
import random
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_arithmetic import ORDERED

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.language.parser import parse
from gradcheck.notation import javascript, latex, python
from gradcheck.notation.board import BOARD
from gradcheck.notation.definitions import definition
from gradcheck.notation.plain import PLAIN
from gradcheck.notation.printer import Notation, Piece, trimmed, write
from gradcheck.ops import COMPOUNDS, OPS, OWN
from gradcheck.ops.op import Op
from gradcheck.ops.own import register

EVERY = [*OPS, *COMPOUNDS]

# Every text of the op table, with operands


class Case(NamedTuple):
    """A formula at a point; `of` says of which op it is which text."""

    of: str
    graph: Graph
    at: Mapping[str, Any]

    @property
    def single(self) -> bool:
        return all(np.ndim(value) == 0 for value in self.at.values()) and python.single_numbers(self.graph.ops)


AXES: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({}, (2, 3)),
    ({"axis": 0}, (2, 3)),
    ({"axis": -1, "keepdims": True}, (2, 3)),
    ({"axis": (0, -1)}, (2, 3, 2)),
    ({"keepdims": True}, (3,)),
]
REACHES: list[tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ({"kernel": (3,), "stride": (2,), "padding": ((1, 2),), "dilation": (1,)}, (2, 6), (2, 4, 3)),
    (
        {"kernel": (2, 3), "stride": (1, 2), "padding": ((0, -1), (1, 1)), "dilation": (2, 1), "edge": "inside"},
        (2, 5, 5),
        (2, 2, 3, 2, 3),
    ),
]
INDICES: list[tuple[tuple[Any, ...], tuple[int, ...]]] = [
    ((slice(1, 3), 0), (2,)),
    ((..., None, -1), (4, 1)),
    ((slice(None, None, -2),), (2, 3)),
    (((3, 0, 3),), (3, 3)),
    ((slice(1, 3), (2, 0)), (2, 2)),
]

ARRAY_OPS: dict[str, list[tuple[dict[str, Any], *tuple[tuple[int, ...], ...]]]] = {
    "matmul": [
        ({}, x, y) for x, y in [((2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((2, 2, 3), (2, 3, 2))]
    ],
    "outer": [({}, (3,), (4,))],
    **dict.fromkeys(("sum", "prod", "amax", "amin", "mean", "norm", "logsumexp"), AXES),
    **{name: [*AXES, ({"axis": 1, "ddof": 1}, (2, 3))] for name in ("var", "std")},
    **{name: [({}, (2, 3)), ({"axis": 0}, (3, 2))] for name in ("softmax", "log_softmax", "prod_others")},
    "cumsum": [({}, (2, 3)), ({"axis": 1}, (2, 3))],
    "flip": [({}, (3,)), ({"axis": 1}, (2, 3))],
    "count": [({}, (2, 3)), ({"axis": 1}, (2, 3)), ({"axis": (0, 2)}, (2, 3, 4))],
    "transpose": [({}, (2, 3)), ({"axes": (1, 2, 0)}, (2, 3, 4)), ({"axes": (-1, 0, 1)}, (2, 3, 4))],
    "untranspose": [({}, (2, 3)), ({"axes": (1, 2, 0)}, (3, 4, 2))],
    "mT": [({}, (2, 3)), ({}, (2, 3, 4))],
    "reshape": [({"shape": (3, 2)}, (2, 3)), ({"shape": -1}, (2, 3))],
    "reshape_like": [({}, (6,), (2, 3))],
    "concat": [({}, (2,), (3,)), ({"axis": 1}, (2, 3), (2, 1))],
    "head": [({}, (5,), (2,)), ({"axis": 1}, (2, 4), (2, 3))],
    "tail": [({}, (5,), (2,)), ({"axis": 1}, (2, 4), (2, 3))],
    "getitem": [({"index": index}, (4, 3)) for index, _ in INDICES],
    "put": [({"index": index}, shape, (4, 3)) for index, shape in INDICES],
    "broadcast_like": [
        ({}, (), (2, 3)),
        ({"axis": 0}, (3,), (2, 3)),
        ({"axis": 1, "keepdims": True}, (2, 1), (2, 3)),
        ({"axis": (0, -1)}, (3,), (2, 3, 2)),
    ],
    "windows": [(reach, x) for reach, x, _ in REACHES],
    "unwindow": [(reach, g, x) for reach, x, g in REACHES],
    "fold": [({**reach, "size": x[1:]}, g) for reach, x, g in REACHES],
    "select_index": [({"axis": 1, "index": (3, 1, 1)}, (3, 4)), ({"axis": -2, "index": (2,)}, (3, 4))],
    "unselect": [({"axis": 1, "index": (3, 1, 1)}, (3, 3), (3, 4)), ({"axis": -2, "index": (2,)}, (1, 4), (3, 4))],
    "lookup": [({}, (5, 3), (2, 2))],
    "unlookup": [({}, (2, 2, 3), (5, 3), (2, 2))],
    "affine": [({}, (2, 3), (3, 4), (4,)), ({}, (3,), (3, 4), (4,))],
    "linear": [({}, (2, 3), (4, 3), (4,)), ({}, (3,), (4, 3), (4,))],
    "linear_map": [({}, (2, 3), (4, 3)), ({}, (3,), (4, 3))],
    "squared_error": [({}, (2, 3), (2, 3))],
    "inv": [({}, ()), ({}, (3, 3)), ({}, (2, 2, 2))],
    **{
        name: [({}, (1, 1)), ({}, (3, 3)), ({}, (2, 3, 3))]
        for name in ("det", "logdet", "slogdet", "cholesky", "cofactor")
    },
    "solve": [({}, x, y) for x, y in [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 3))]],
    "pinv": [({}, (3, 2)), ({}, (2, 3)), ({}, (2, 3, 2))],
    **{name: [({}, (3, 3)), ({}, (2, 3))] for name in ("trace", "eye_like")},
    "diag": [({}, (3,)), ({}, (3, 3)), ({}, (3, 2))],
    "diagonal": [({}, (3, 3))],
    "undiag": [({}, (3,), (3, 3)), ({}, (2,), (3, 2))],
    **{name: [({}, (3, 3)), ({"k": -1}, (2, 3, 2)), ({"k": 1}, (2, 3))] for name in ("tril", "triu")},
    "kron": [({}, (2,), (3,)), ({}, (2, 1), (2, 3))],
    "blocks": [({}, (6,), (2,), (3,)), ({}, (4, 3), (2, 1), (2, 3))],
    "cross": [({}, (3,), (3,)), ({}, (2, 3), (3,))],
    "norm_p": [({"p": 3}, (3,)), ({"p": 1.5, "axis": 0}, (2, 3)), ({"p": 1, "axis": -1, "keepdims": True}, (2, 3))],
    **{name: [({}, (3,)), ({}, (2, 3))] for name in ("norm_1", "norm_inf")},
    "cumprod": [({}, (2, 3)), ({"axis": 1}, (2, 3))],
    "cumprod_slopes": [({}, (6,), (2, 3)), ({"axis": 1}, (2, 3), (2, 3))],
    "sort": [({}, (4,)), ({}, (2, 3)), ({}, (1,))],
    "topk": [({"k": 2}, (4,)), ({"k": 1}, (2, 3)), ({"k": 3}, (3,))],
    "pad": [({"width": 1}, (2, 3)), ({"width": (1, 2)}, (3,)), ({"width": ((0, 1), (2, 0))}, (2, 3))],
    "unpad": [({"width": 1}, (4, 5), (2, 3)), ({"width": (1, 2)}, (6,), (3,))],
    **{name: [({"shape": shape}, ()) for shape in ((3,), (2, 3))] for name in ("eye", "ones", "zeros")},
    **{f"{kind}cross_entropy": [({}, (2, 3), (2, 3)), ({"axis": 0}, (3,), (3,))] for kind in ("", "weighted_")},
    **{
        f"mean_{kind}cross_entropy": [({"n": 4}, (4, 3), (4, 3)), ({"n": 2, "axis": 0}, (3, 2), (3, 2))]
        for kind in ("", "weighted_")
    },
}


def convolution(x: tuple[int, ...], w: tuple[int, ...], groups: int = 1, step: int = 1, pad: int = 0) -> dict[str, Any]:
    """Return the static parameters of a convolution of x (N×C×…, or without N) with filters w."""
    rank = len(w) - 2
    lead, channels, kernel = x[: -rank - 1], x[-rank - 1], w[2:]
    places = tuple((n + 2 * pad - k) // step + 1 for n, k in zip(x[-rank:], kernel, strict=True))
    free, width = len(lead) + 1, w[1] * math.prod(kernel)
    order = (*range(free), *range(free + 1, free + 1 + rank), free, *range(free + 1 + rank, free + 1 + 2 * rank))
    grouped = (*lead, groups, channels // groups, *places, *kernel)
    return {
        "kernel": kernel, "stride": (step,) * rank, "padding": ((pad, pad),) * rank, "dilation": (1,) * rank,
        "edge": "zero", "grouped": grouped, "order": order, "patches": (*lead, groups, math.prod(places), width),
        "filters": (groups, w[0] // groups, width), "result": (*lead, w[0], *places),
        "permuted": tuple(grouped[k] for k in order), "product": (*lead, groups, w[0] // groups, math.prod(places)),
        "weights": (*lead, *w),
    }  # fmt: skip


def bias(x: tuple[int, ...], w: tuple[int, ...]) -> dict[str, Any]:
    """Return what a convolution with a bias has besides."""
    channel = len(x) - len(w) + 1
    return {"column": (w[0], *[1] * (len(w) - 2)), "others": tuple(k for k in range(len(x)) if k != channel)}


PICTURES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, int]]] = [
    ((2, 2, 5, 4), (3, 2, 2, 3), {}),
    ((4, 7), (6, 2, 3), {"groups": 2, "step": 2, "pad": 1}),
    ((2, 4, 6), (4, 1, 2), {"groups": 4}),
]
POOLS: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0),) * 2, "dilation": (1, 1), "edge": "zero"}, (1, 4, 5)),
    ({"kernel": (3,), "stride": (2,), "padding": ((1, 1),), "dilation": (1,), "edge": "inside"}, (2, 6)),
]
for _x, _w, _how in PICTURES:
    _places = convolution(_x, _w, **_how)
    ARRAY_OPS.setdefault("conv", []).append(({**_places, **bias(_x, _w)}, _x, _w, (_w[0],)))
    ARRAY_OPS.setdefault("conv_map", []).append((_places, _x, _w))
    ARRAY_OPS.setdefault("conv_input", []).append((_places, _places["result"], _w, _x))
    ARRAY_OPS.setdefault("conv_weight", []).append((_places, _places["result"], _x))
for _how, _x in POOLS:
    _reach = {**_how, "inner": tuple(range(-len(_how["kernel"]), 0))}
    _out = FLOAT_ARRAYS.function("average_pool", tuple(_reach.items()))(np.zeros(_x)).shape
    for _op, _shapes in {"average_pool": [_x], "max_pool": [_x], "average_unpool": [_out, _x]}.items():
        ARRAY_OPS.setdefault(_op, []).append((_reach, *_shapes))

MIXED = ["add", "mul", "where", "select", "gt", "max", "pow", "sigmoid", "gelu", "digamma", "clip", "erf"]
"""Elementwise ops that are also tried on arrays of different shapes."""


def call(op: str, params: Mapping[str, Any]) -> Graph:
    """Return the graph of an op applied to its own arguments."""
    graph = Graph(Source("", "call"))
    row = OPS[op]
    nodes = [graph.input(name) for name in row.args]
    graph.output = graph.gate(op, nodes, tuple(sorted({**row.params, **params}.items())))
    return graph


def run_graph(graph: Graph, at: Mapping[str, Any], arrays: bool = True) -> Any:
    with FLOAT_ARRAYS.active():
        values, problems = evaluate(graph, FLOAT_ARRAYS if arrays else FLOATS, dict(at))
    assert not problems
    return values[graph.output]


def texts(row: Op, ranks: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
    """Return every text of a row over its arguments, g and out."""
    rules = row.rules(ranks)
    found = {"form": row.form, "forward": row.forward}
    return {
        **{what: (text,) for what, text in found.items() if text},
        "partial": row.partials,
        "rule": rules,
    }


def cases_of(op: str, params: Mapping[str, Any], at: dict[str, Any]) -> list[Case]:
    """Return the op's call and its texts at a point."""
    row = OPS[op]
    whole = call(op, params)
    out = run_graph(whole, at)
    found = [Case(f"{op} call {params}", whole, at)]
    g = np.random.default_rng(7).uniform(0.5, 2, np.shape(out))
    everything = {"g": g if np.ndim(g) else float(g), **at, "out": out if np.ndim(out) else float(out)}
    static = {**row.params, **params}
    for what, written in texts(row, tuple(np.ndim(at[name]) for name in row.args)).items():
        for k, text in enumerate(written):
            names = list(everything)
            graph = parse(Source(text, "rule"), names, static_names=static, internal=True, functions=row.functions)
            found.append(Case(f"{op} {what} {k} {params}", graph, {n: everything[n] for n in graph.inputs}))
    return found


def points(op: str, count: int = 4) -> list[dict[str, Any]]:
    """Draw operands at which an elementwise op and all of its texts have a value, the same on every run."""
    generator, row, found = random.Random(f"notation {op}"), OPS[op], []
    graphs = [case.graph for case in _unchecked(op)]
    for _ in range(1000):
        at = {name: round(generator.uniform(-2.5, 2.5), 3) for name in row.args}
        if op in ORDERED:
            at["n"] = float(generator.randrange(4))
        if op in ("where", "select"):
            at["c"] = float(len(found) % 2)
        everything = {**at, "g": 1.5}
        try:
            everything["out"] = FLOATS.function(op)(*[at[name] for name in row.args])
            if any(not np.isfinite(_value(graph, everything)) for graph in graphs):
                continue
        except (ArithmeticError, ValueError, TypeError):
            continue
        found.append(at)
        if len(found) == count:
            return found
    raise AssertionError(f"no points for {op}")


def _unchecked(op: str) -> list[Case]:
    row = OPS[op]
    written = [text for what in texts(row, ()).values() for text in what if "select" not in text]
    names = ["g", *row.args, "out"]
    return [Case(op, parse(Source(text, "rule"), names, internal=True), {}) for text in written]


def _value(graph: Graph, at: Mapping[str, float]) -> float:
    values, problems = evaluate(graph, FLOATS, {name: at[name] for name in graph.inputs})
    if problems:
        raise ValueError
    return float(values[graph.output])


def operand(op: str, name: str, shape: tuple[int, ...], generator: Any) -> Any:
    if name == "i":
        return generator.integers(0, 5, shape).astype(float)
    if name == "c":
        return generator.integers(0, 2, shape).astype(float)
    if OPS[op].eliminates and name == "x" and len(shape) > 1 and shape[-2] == shape[-1]:
        return generator.normal(size=shape) + 4 * np.eye(shape[-1])
    return generator.normal(size=shape) if op not in ("pow", "digamma") else generator.uniform(0.2, 3, shape)


@cache
def every_case() -> tuple[Case, ...]:
    """Return every text of every op, at points."""
    found: list[Case] = []
    for op in EVERY:
        for params, *shapes in ARRAY_OPS.get(op, []):
            generator = np.random.default_rng(len(found))
            drawn = [operand(op, *pair, generator) for pair in zip(OPS[op].args, shapes, strict=True)]
            at = dict(zip(OPS[op].args, drawn, strict=True))
            found += cases_of(op, params, {k: v if np.ndim(v) else float(v) for k, v in at.items()})
        if OPS[op].elementwise:
            drawn_at = points(op)
            for at in drawn_at:
                found += cases_of(op, {}, at)
            found += cases_of(op, {}, {name: np.array([at[name] for at in drawn_at]) for name in OPS[op].args})
        if op in MIXED:
            generator = np.random.default_rng(len(found))
            shapes = [(2, 3), (3,), (2, 1)]
            drawn = [operand(op, name, shapes[k], generator) for k, name in enumerate(OPS[op].args)]
            found += cases_of(op, {}, dict(zip(OPS[op].args, drawn, strict=True)))
    return tuple(found)


def test_every_op_and_every_text_has_a_case() -> None:
    heads = [case.of.split(" ") for case in every_case()]
    # `max_unpool` needs the op's value; it stands in the rule of `max_pool`.
    assert {head[0] for head in heads} == set(EVERY) - {"max_unpool"}
    for op in set(EVERY) - {"max_unpool"}:
        row = OPS[op]
        wanted = {what for what in ("form", "forward") if getattr(row, what)} | ({"partial"} if row.partials else set())
        wanted |= {"rule"} if row.vjp or row.partials else set()
        assert {head[1] for head in heads if head[0] == op} == wanted | {"call"}


def alone(case: Case) -> bool:
    """Whether a formula has a value in single numbers: `select` may have none, the others at least a zero."""
    return run_graph(case.graph, case.at, arrays=False) is not None


def different(found: Any, wanted: Any, tolerance: float = 1e-12) -> bool:
    same = np.shape(found) == np.shape(wanted)
    return not (same and np.allclose(found, wanted, rtol=tolerance, atol=1e-14, equal_nan=True))


def named(notation: Notation, case: Case) -> str:
    return write(case.graph, notation, {name: Piece(name) for name in case.graph.inputs}).text


# The board


BACK = {
    "…": "...", "ᵀ": ".T", "π": "pi", "σ": "sigmoid", "≤": "<=", "≥": ">=", "·": "*",
}  # fmt: skip
NOT_IN_THE_LANGUAGE = {"put", "unselect", "select_index", "windows", "unwindow", "fold", *COMPOUNDS}
"""Ops whose static parameters the language cannot read."""


def read_back(text: str, transposed: str = ".T") -> str:
    """Return a formula of the board in gradcheck's language."""
    for sign, plain in {**BACK, "ᵀ": transposed}.items():
        text = text.replace(sign, plain)
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"^{m[0].translate(digits)}", text)


def test_board_texts_of_every_op_mean_the_same() -> None:
    wrong, seen = [], set()
    for case in every_case():
        if NOT_IN_THE_LANGUAGE & set(case.graph.ops):
            continue
        seen.add(case.of.split(" ")[0])
        text = named(BOARD, case)
        back = read_back(text, ".mT" if "mT" in case.graph.ops else ".T")
        again = parse(Source(back, "board"), list(case.at), internal=True)
        found = run_graph(again, {name: case.at[name] for name in again.inputs})
        if different(found, run_graph(case.graph, case.at)):
            wrong.append((case.of, text))
    assert wrong == []
    assert seen >= set(OPS) - NOT_IN_THE_LANGUAGE


SHAPES = [
    *[f"({{}}) {sign} ({{}})" for sign in ("+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=")],
    "-({})", "sin({})", "sigmoid({})", "({})^2", "({})^10", "max({}, {})", "where({}, {}, {})",
]  # fmt: skip
LEAVES = ["x", "y", "z", "2", "0.5", "1e-3", "pi", "010"]


def filled(shape: str, *parts: str) -> str:
    """Put parts into a shape, and plain names into what is left of it."""
    return shape.format(*parts, *"xyz")


def nested() -> list[str]:
    """Return every shape inside of every other in each place, beside and below a negation too."""
    found = []
    for outer, inner in itertools.product(SHAPES, repeat=2):
        for place in range(outer.count("{}")):
            others = ["x", "y"][:place]
            found.append(filled(outer, *others, filled(inner)))
            found.append(filled(outer, *others, filled(inner, "-(z)")))
            found.append(filled(outer, *others, filled(inner, "(-(z)) * y")))
    return found


def grown(generator: random.Random, size: int) -> str:
    """Return a random expression with about `size` leaves."""
    if size <= 1:
        return generator.choice(LEAVES)
    shape = generator.choice(SHAPES)
    places = shape.count("{}")
    return shape.format(*[grown(generator, generator.randrange(1, size) if size > 1 else 1) for _ in range(places)])


EXPRESSIONS = [*nested(), *(grown(random.Random(seed), 6) for seed in range(600))]


def shape_of(graph: Graph) -> list[Any]:
    """Return the gates in order, each with its operands."""
    leaf = {node: name for name, node in graph.inputs.items()} | graph.constants
    number = {node: k for k, node in enumerate(graph.gates)}
    return [(graph.ops[n], *[leaf.get(k, number.get(k)) for k in graph.operands(n)]) for n in graph.gates]


def test_board_keeps_the_users_form() -> None:
    at = {"x": -1.25, "y": 0.75, "z": 2.0}
    for text in EXPRESSIONS:
        graph = parse(Source(text, "expression"))
        names = {name: Piece(name) for name in graph.inputs}
        for spelled in (read_back(write(graph, BOARD, names).text), write(graph, PLAIN, names).text):
            again = parse(Source(spelled, "board"))
            assert shape_of(again) == shape_of(graph), (text, spelled)
        first, second = (evaluate(g, FLOATS, {n: at[n] for n in g.inputs})[0][g.output] for g in (graph, again))
        assert repr(first) == repr(second), text


def test_other_notations_keep_the_users_values() -> None:
    """Brackets that decide about the order are there: Python and JavaScript compute what the text says."""
    at = {"x": 1.25, "y": 0.75, "z": 2.0}
    graphs, scripts, wanted = [], [], []
    for text in EXPRESSIONS:
        graph = parse(Source(text, "expression"))
        values, problems = evaluate(graph, FLOATS, {name: at[name] for name in graph.inputs})
        if not problems and math.isfinite(values[graph.output]):
            graphs.append(graph)
            wanted.append(values[graph.output])
    assert len(graphs) > 1500
    for graph, value in zip(graphs, wanted, strict=True):
        names = {name: Piece(name) for name in graph.inputs}
        text = write(graph, python.SCALARS, names).text
        sigmoid = FLOATS.function("sigmoid")
        found = eval(text, {"math": math, "sigmoid": sigmoid, **at})
        assert not different(found, value), text
        arrays = eval(write(graph, python.ARRAYS, names).text, {"np": np, "sigmoid": sigmoid, **at})
        assert not different(arrays, value), text
        scripts.append(write(graph, javascript.JAVASCRIPT, names).text)
    head = "\n".join([javascript.HELPERS["sigmoid"], *(f"const {name} = {value};" for name, value in at.items())])
    values = node(f"{head}\nconsole.log(JSON.stringify([{', '.join(scripts)}]));")
    assert [s for s, f, w in zip(scripts, values, wanted, strict=True) if different(f, w)] == []


WRITTEN = [
    ("(x + y)*z", "(x + y) · z", r"(x + y) \cdot z", "(x + y) * z", "(x + y) * z"),
    ("x + (y + z)", "x + (y + z)", "x + (y + z)", "x + (y + z)", "x + (y + z)"),
    ("x - (y - z)", "x - (y - z)", "x - (y - z)", "x - (y - z)", "x - (y - z)"),
    ("x*(y*z)", "x · (y · z)", r"x \cdot (y \cdot z)", "x * (y * z)", "x * (y * z)"),
    ("(x^y)^z", "(x^y)^z", "(x^{y})^{z}", "(x**y) ** z", "Math.pow(Math.pow(x, y), z)"),
    ("x - y/(z + 1)", "x - y/(z + 1)", r"x - \frac{y}{z + 1}", "x - y / (z + 1.0)", "x - y / (z + 1)"),
    ("-(x*y)", "-(x · y)", r"-(x \cdot y)", "-(x * y)", "-(x * y)"),
    ("-x*y", "-x · y", r"-x \cdot y", "-x * y", "-x * y"),
    ("x - -y*z", "x - (-y · z)", r"x - (-y \cdot z)", "x - (-y * z)", "x - (-y * z)"),
    ("(-x)^2", "(-x)²", "(-x)^{2}", "(-x) ** 2", "Math.pow(-x, 2)"),
    ("-x^2", "-x²", "-x^{2}", "-x**2", "-Math.pow(x, 2)"),
    ("x^(y + 1)", "x^(y + 1)", "x^{y + 1}", "x ** (y + 1.0)", "Math.pow(x, y + 1)"),
    ("sin(x)^2", "sin(x)²", r"(\sin(x))^{2}", "math.sin(x) ** 2", "Math.pow(Math.sin(x), 2)"),
    ("1/(1 + exp(-x))", "1/(1 + exp(-x))", r"\frac{1}{1 + \mathrm{e}^{-x}}", "1.0 / (1.0 + math.exp(-x))",
     "1 / (1 + Math.exp(-x))"),
    ("(x/y)^2*z", "(x/y)² · z", r"\left(\frac{x}{y}\right)^{2} \cdot z", "(x / y) ** 2 * z",
     "Math.pow(x / y, 2) * z"),
    ("sigmoid(x)*1e-06", "σ(x) · 1e-06", r"\sigma(x) \cdot (1 \times 10^{-6})", "sigmoid(x) * 1e-06",
     "sigmoid(x) * 1e-06"),
    ("where(x > 0, x, -y)*z", "where(x > 0, x, -y) · z",
     r"\left(\begin{cases} x & \text{if } x > 0 \\ -y & \text{otherwise} \end{cases}\right) \cdot z",
     "(x if x > 0.0 else -y) * z", "(x > 0 ? x : -y) * z"),
    ("y*(x >= z)", "y · (x ≥ z)", r"y \cdot \left[x \geq z\right]", "y * (x >= z)", "y * (x >= z ? 1 : 0)"),
    ("max(x, y) + (x < y)", "max(x, y) + (x < y)", r"\max(x, y) + \left[x < y\right]", "max(x, y) + float(x < y)",
     "Math.max(x, y) + (x < y ? 1 : 0)"),
    ("where(where(x, y, z), x, y)", "where(where(x, y, z), x, y)",
     r"\begin{cases} x & \text{if } \left(\begin{cases} y & \text{if } x \neq 0 \\ z & \text{otherwise} \end{cases}"
     r"\right) \neq 0 \\ y & \text{otherwise} \end{cases}",
     "x if (y if x else z) else y", "((x !== 0 ? y : z) !== 0 ? x : y)"),
    ("where(x > 0, x, where(y > 0, y, z))", "where(x > 0, x, where(y > 0, y, z))",
     r"\begin{cases} x & \text{if } x > 0 \\ y & \text{if } y > 0 \\ z & \text{otherwise} \end{cases}",
     "x if x > 0.0 else (y if y > 0.0 else z)", "(x > 0 ? x : (y > 0 ? y : z))"),
    ("y*where(x > 0, 1, 0)", "y · where(x > 0, 1, 0)", r"y \cdot \left[x > 0\right]",
     "y * (1.0 if x > 0.0 else 0.0)", "y * (x > 0 ? 1 : 0)"),
    ("010*x", "010 · x", r"010 \cdot x", "10.0 * x", "10 * x"),
    ("e^x + pi", "e^x + π", r"\mathrm{e}^{x} + \pi", "math.e**x + math.pi", "Math.pow(Math.E, x) + Math.PI"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "board", "tex", "program", "script"), WRITTEN, ids=[row[0] for row in WRITTEN])
def test_formulas_look_as_people_write_them(text: str, board: str, tex: str, program: str, script: str) -> None:
    graph = parse(Source(text, "expression"))
    names = {name: Piece(name) for name in graph.inputs}
    notations = (BOARD, latex.LATEX, python.SCALARS, javascript.JAVASCRIPT)
    assert [write(graph, notation, names).text for notation in notations] == [board, tex, program, script]


ARRAYS_WRITTEN = [
    ("x @ y @ z", "x @ y @ z", r"x\,y\,z", "x @ y @ z"),
    ("x @ (y @ z)", "x @ (y @ z)", r"x\,(y\,z)", "x @ (y @ z)"),
    ("(x*y) @ z", "x · y @ z", r"(x \cdot y)\,z", "x * y @ z"),
    ("x*(y @ z)", "x · (y @ z)", r"x \cdot y\,z", "x * (y @ z)"),
    ("-(x @ y)", "-(x @ y)", r"-x\,y", "-(x @ y)"),
    ("-x @ y", "-x @ y", r"(-x)\,y", "-x @ y"),
    ("(x @ y).T", "(x @ y)ᵀ", r"(x\,y)^{\top}", "(x @ y).T"),
    ("x.mT @ y", "xᵀ @ y", r"x^{\top}\,y", "x.mT @ y"),
    ("x[0, 1:]^2", "x[0, 1:]²", "x_{0,1:}^{2}", "x[0, 1:] ** 2"),
    ("x_1[..., None]", "x_1[…, None]", r"(x_{1})_{\dots,\text{None}}", "x_1[..., None]"),
    ("sum(x, axis=0)", "sum(x, axis=0)", r"\operatorname{sum}_{\text{axis }0}(x)", "np.sum(x, axis=0)"),
    ("max(x, axis=-1, keepdims=True)", "max(x, axis=-1, keepdims=True)", r"\max_{\text{axis }-1}(x)",
     "np.max(x, axis=-1, keepdims=True)"),
    ("transpose(x, axes=(1, 2, 0))", "transpose(x, axes=(1, 2, 0))",
     r"\operatorname{transpose}_{\text{axes}=(1, 2, 0)}(x)", "np.transpose(x, (1, 2, 0))"),
    ("y*(x > 0)", "y · (x > 0)", r"y \cdot \left[x > 0\right]", "y * (x > 0.0)"),
    ("sum(x == y)", "sum(x == y)", r"\operatorname{sum}(\left[x = y\right])", "np.sum(1.0 * (x == y))"),
    ("norm(x)", "norm(x)", r"\left\|x\right\|", "np.sqrt(np.sum(x**2))"),
    ("-inv(x) @ y", "-inv(x) @ y", r"(-x^{-1})\,y", "-inv(x) @ y"),
    ("solve(x + y, z)", "solve(x + y, z)", r"(x + y)^{-1}\,z", "np.linalg.solve(x + y, z)"),
    ("pinv(x)*det(y)", "pinv(x) · det(y)", r"x^{+} \cdot \det(y)", "np.linalg.pinv(x) * np.linalg.det(y)"),
    ("trace(x) + logdet(y)", "trace(x) + logdet(y)", r"\operatorname{tr}(x) + \log\det(y)",
     "np.trace(x) + np.linalg.slogdet(y)[1]"),
    ("kron(x + y, z)*2", "kron(x + y, z) · 2", r"((x + y) \otimes z) \cdot 2", "np.kron(x + y, z) * 2.0"),
    ("x - cross(y, z)", "x - cross(y, z)", r"x - (y \times z)", "x - np.cross(y, z)"),
    ("norm(x, ord=3, axis=0)", "norm(x, ord=3, axis=0)", r"\left\|x\right\|_{3, \text{axis }0}",
     "np.linalg.norm(x, ord=3, axis=0)"),
    ("norm(x, ord=inf)", "norm(x, ord=inf)", r"\left\|x\right\|_{\infty}", "np.linalg.norm(x, ord=np.inf)"),
    ("x*eye(3) + ones(2, 3)", "x · eye(3) + ones(2, 3)", r"x \cdot I_{3} + \mathbf{1}_{2 \times 3}",
     "x * np.eye(3) + np.ones((2, 3))"),
    ("x[[0, 2], 1:] + topk(y, 2)", "x[[0, 2], 1:] + topk(y, k=2)",
     r"x_{[0,2],1:} + \operatorname{topk}_{\text{k}=2}(y)", "x[[0, 2], 1:] + np.sort(y)[..., :-3:-1]"),
    ("sigmoid(x)*relu(y)", "σ(x) · relu(y)", r"\sigma(x) \cdot \operatorname{relu}(y)",
     "sigmoid(x) * np.maximum(y, 0.0)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "board", "tex", "program"), ARRAYS_WRITTEN, ids=[row[0] for row in ARRAYS_WRITTEN])
def test_formulas_of_arrays_look_as_people_write_them(text: str, board: str, tex: str, program: str) -> None:
    graph = parse(Source(text, "expression"))
    names = {name: Piece(name) for name in graph.inputs}
    tex_names = {name: Piece(latex.symbol(name)) for name in graph.inputs}
    assert write(graph, BOARD, names).text == board
    assert write(graph, latex.LATEX, tex_names).text == tex
    assert write(graph, python.ARRAYS, names).text == program
    assert write(graph, python.MATRICES, names).text == program.replace(".mT", ".T")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0", "0"), ("000", "0"), ("010", "10"), ("0.5", "0.5"), ("00.5", "0.5"), (".5", ".5"), ("0e3", "0e3"),
     ("00e1", "0e1"), ("1e-06", "1e-06"), ("5.", "5."), ("100", "100")],
)  # fmt: skip
def test_numbers_lose_leading_zeros_alone(text: str, wanted: str) -> None:
    assert trimmed(text) == wanted


# Python


def executed(text: str, table: Mapping[str, str], at: Mapping[str, Any]) -> Any:
    """Run a formula as the last line of a program that brings its helpers along."""
    helpers = "\n\n".join(python.needed(text, table))
    program = "\n".join([*python.imports(helpers + text), helpers, f"result = {text}"])
    namespace: dict[str, Any] = dict(at)
    assert "gradcheck" not in program
    with np.errstate(all="ignore"):
        exec(program, namespace)
    return namespace["result"]


def test_numpy_texts_of_every_op_give_the_same_numbers() -> None:
    wrong = []
    for case in every_case():
        text = named(python.ARRAYS, case)
        found = executed(text, python.ARRAY_HELPERS, case.at)
        if different(found, run_graph(case.graph, case.at), 2e-12):
            wrong.append((case.of, text))
    assert wrong == []


def test_plain_texts_of_every_op_give_the_same_numbers() -> None:
    wrong, seen = [], set()
    for case in every_case():
        if not case.single or not alone(case):
            continue
        seen.add(case.of.split(" ")[0])
        text = named(python.SCALARS, case)
        found = executed(text, python.SCALAR_HELPERS, case.at)
        if type(found) is not float or different(found, run_graph(case.graph, case.at, arrays=False), 2e-12):
            wrong.append((case.of, text, found))
    assert wrong == []
    assert seen >= {op for op in EVERY if OPS[op].elementwise}


@pytest.mark.parametrize("x", [1000.0, -1000.0, 40.0, -40.0, 0.0])
@pytest.mark.parametrize("op", ["sigmoid", "softplus", "logsigmoid", "elu", "selu", "gelu", "mish", "silu", "celu"])
def test_helpers_neither_overflow_nor_cancel(op: str, x: float) -> None:
    wanted = FLOATS.function(op)(*[x, 1.0][: len(OPS[op].args)])
    text = f"{op}({', '.join(['x', '1.0'][: len(OPS[op].args)])})"
    assert math.isclose(executed(text, python.SCALAR_HELPERS, {"x": x}), wanted, rel_tol=1e-14)
    assert np.allclose(executed(text, python.ARRAY_HELPERS, {"x": np.array([x])}), wanted, rtol=1e-14, atol=0)


def test_a_select_passes_nothing_of_the_other_branch() -> None:
    graph = parse(Source("select(c, g/x)"), ["c", "g", "x"], internal=True)
    names = {name: Piece(name) for name in "cgx"}
    at = {"c": np.array([0.0, 1.0]), "g": np.ones(2), "x": np.array([0.0, 4.0])}
    text = write(graph, python.ARRAYS, names).text
    assert executed(text, python.ARRAY_HELPERS, at).tolist() == [0.0, 0.25]
    text = write(graph, python.SCALARS, names).text
    assert executed(text, python.SCALAR_HELPERS, {"c": 0.0, "g": 1.0, "x": 0.0}) == 0.0
    assert executed(text, python.SCALAR_HELPERS, {"c": 1.0, "g": 1.0, "x": 4.0}) == 0.25


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (2, 1), (2, 3), (1, 1)])
def test_unbroadcast_adds_up_what_was_repeated(shape: tuple[int, ...]) -> None:
    g = np.arange(24.0).reshape(4, 2, 3)
    at = {"g": g, "x": np.zeros(shape)}
    found = executed("unbroadcast(g, x)", python.ARRAY_HELPERS, at)
    assert np.array_equal(found, FLOAT_ARRAYS.accumulate(None, g, at["x"]))  # type: ignore[misc]
    assert np.shape(found) == shape
    row = executed("unbroadcast(2.0, x)", python.ARRAY_HELPERS, at)
    assert np.array_equal(row, np.full(shape, 2.0))


@pytest.mark.parametrize("table", [python.SCALAR_HELPERS, python.ARRAY_HELPERS], ids=["numbers", "arrays"])
def test_helpers_call_only_what_comes_along(table: Mapping[str, str]) -> None:
    for name in table:
        program = "\n\n".join(python.needed(f"{name}(x)", table))
        tree = ast.parse(program)
        defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert defined[-1] == name
        for k, node in enumerate(tree.body):
            calls = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
            assert calls & set(table) <= set(defined[: k + 1])
        assert all(line == line.rstrip() and len(line) <= 120 for line in program.splitlines() if name != "selu")
        assert python.identifier(name) != name


def test_only_what_is_called_comes_along() -> None:
    assert python.needed("y = x.mish(2) + np.sign(x)  # softplus", python.SCALAR_HELPERS) == []
    names = [source.split("(")[0] for source in python.needed("mish(x) + silu(x)", python.SCALAR_HELPERS)]
    assert names == ["def sigmoid", "def silu", "def softplus", "def mish"]


NAMES = [
    ("x", "x"), ("β", "β"), ("fc1.weight", "fc1_weight"), ("lambda", "lambda_"), ("np", "np_"), ("sigmoid", "sigmoid_"),
    ("max", "max_"), ("1x", "_1x"), ("", "_"), ("a b\n#", "a_b__"), ("ﬁ", "fi"), ("x; import os", "x__import_os"),
    ("__debug__", "__debug___"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wanted"), NAMES)
def test_identifiers_of_python(name: str, wanted: str) -> None:
    assert python.identifier(name) == wanted
    assert python.identifier(name, {wanted, f"{wanted}_"}) == f"{wanted}__"


@given(st.lists(st.text(max_size=6), max_size=5))
def test_any_names_become_different_identifiers(names: list[str]) -> None:
    for identifier in (python.identifier, javascript.identifier):
        taken: list[str] = []
        for name in names:
            taken.append(identifier(name, taken))
        assert len(set(taken)) == len(names)
        assert all(word.isidentifier() for word in taken)
    namespace: dict[str, Any] = {}
    words = []
    for name in names:
        words.append(python.identifier(name, words))
    exec("\n".join(f"{word} = {k}" for k, word in enumerate(words)), {}, namespace)
    assert namespace == {word: k for k, word in enumerate(words)}


# JavaScript


def node(script: str) -> Any:
    binary = shutil.which("node")
    if binary is None:
        pytest.skip("node is not installed")
    done = subprocess.run([binary, "-"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, parse_int=float)


def test_javascript_of_every_op_gives_the_same_numbers() -> None:
    spoken = [c for c in every_case() if c.single and javascript.speaks(c.graph.ops) and alone(c)]
    silent = {c.of.split(" ")[0] for c in every_case() if c.single and not javascript.speaks(c.graph.ops)}
    assert silent == {"gamma", "lgamma", "digamma", "polygamma", "trigamma", "beta", "betaln"}
    lines = ['"use strict";', *javascript.HELPERS.values(), "const found = [];"]
    for case in spoken:
        pairs = [f"const {name} = {value!r};" for name, value in case.at.items()]
        lines.append(f"{{ {' '.join(pairs)} found.push({named(javascript.JAVASCRIPT, case)}); }}")
    lines.append("console.log(JSON.stringify(found));")
    values = node("\n".join(lines))
    assert len(values) == len(spoken)
    wrong = [
        (case.of, value)
        for case, value in zip(spoken, values, strict=True)
        if different(value, run_graph(case.graph, case.at, arrays=False))
    ]
    assert wrong == []
    assert {case.of.split(" ")[0] for case in spoken} >= {op for op in EVERY if OPS[op].elementwise} - silent - {
        "select"
    }


def test_javascript_helpers_at_the_edges() -> None:
    halves = [k / 2 for k in range(-9, 10)]
    ranges = [k / 8 for k in range(-60, 61)] + [10.0, 20.0, 26.0, -30.0, 1e-10]
    large = ["sigmoid", "softplus", "logsigmoid", "gelu", "mish"]
    script = [*javascript.HELPERS.values(), f"const h = {halves}, r = {ranges};", "console.log(JSON.stringify(["]
    script += ["h.map(rint), r.map(erf), r.map(erfc),", *(f"[-1000, 1000].map({op})," for op in large), "]));"]
    rounded, erf, erfc, *others = node("\n".join(script).replace(",\n]));", "\n]));"))
    assert rounded == [round(x) for x in halves]
    assert np.allclose(erf, [math.erf(x) for x in ranges], rtol=1e-15, atol=1e-15)
    assert np.allclose(erfc, [math.erfc(x) for x in ranges], rtol=2e-13, atol=0)
    assert others == [[FLOATS.function(op)(x) for x in (-1000.0, 1000.0)] for op in large]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("x", "x"), ("β", "β"), ("fc1.weight", "fc1_weight"), ("let", "let_"), ("Math", "Math_"), ("erf", "erf_"),
     ("1x", "_1x"), ("𝛽", "_"), ("a</script>", "a__script_"), ("", "_")],
)  # fmt: skip
def test_identifiers_of_javascript(name: str, wanted: str) -> None:
    assert javascript.identifier(name) == wanted
    assert javascript.identifier(name, {wanted, f"{wanted}_"}) == f"{wanted}__"


# Ops that a spec defines


@pytest.fixture
def own() -> Any:
    """Two ops of a spec, one with stages that is called like a keyword, the other with hostile names."""
    with mock.patch.dict(OWN):
        inner = register(Op("lambda", "np sum", form="t = np*sum; u = t + t; sigmoid(u)*u + t"))
        outer = Op("sigmoid", "x β", form="f(x, β) - max(x, β)^2")
        outer.functions = {"f": inner}
        yield inner, register(outer)


def test_ops_of_a_spec_become_functions(own: tuple[Op, Op]) -> None:
    inner, outer = own
    graph = Graph(Source("", "call"))
    graph.output = graph.gate(outer.name, [graph.input("x"), graph.input("y")])
    x, y = 0.75, -1.5
    wanted = FLOATS.function(outer.name)(x, y)
    assert python.single_numbers(graph.ops)
    assert javascript.speaks(graph.ops)
    names = {"x": Piece("x"), "y": Piece("y")}
    for notation, table in ((python.SCALARS, python.SCALAR_HELPERS), (python.ARRAYS, python.ARRAY_HELPERS)):
        text = write(graph, notation, names).text
        assert text == "sigmoid_(x, y)"
        found = executed(text, {**table, **python.own_helpers(graph.ops, notation)}, {"x": x, "y": y})
        assert math.isclose(found, wanted, rel_tol=1e-15)
    assert python.own_helper(inner, python.SCALARS) == (
        "def lambda_(np_, sum_):\n    t = np_ * sum_\n    u = t + t\n    return sigmoid(u) * u + t\n"
    )
    text = write(graph, javascript.JAVASCRIPT, names).text
    sources = javascript.needed(text, {**javascript.HELPERS, **javascript.own_helpers(graph.ops)})
    assert math.isclose(node("\n".join([*sources, f"console.log(sigmoid_({x}, {y}));"])), wanted, rel_tol=1e-15)
    assert write(graph, latex.LATEX, names).text == r"\operatorname{sigmoid}(x, y)"


def test_a_long_chain_of_stages_is_written_once() -> None:
    stages = "; ".join(f"s{k + 1} = s{k} + s{k}" for k in range(60))
    row = Op("doubled", "x", form=f"s0 = x*1; {stages}; s60")
    assert len(definition(row, "doubled", python._syntax(python.SCALARS))) < 2500


def test_ops_of_a_spec_that_need_arrays_or_gamma_are_not_for_single_numbers() -> None:
    with mock.patch.dict(OWN):
        total, special = register(Op("total", "x", form="sum(x*x)")), register(Op("special", "x", form="lgamma(x)"))
        assert not python.single_numbers([total.name])
        assert python.single_numbers([special.name])
        assert not javascript.speaks([special.name])


def test_names_of_ops_that_differ_stay_different() -> None:
    names = [python.own_name(f"{name}#1") for name in ("a²", "a2", "ﬁ", "fi", "é", "e\u0301")]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


# LaTeX


HOSTILE = [
    "x", "x_1", "w0", "β", "β_12", "Ω", "fc1.weight", "d_model", "batch_size", "x_1_2", "année", "straße", "中",
    "<script>", 'a"b', "$x$", "]", "|", "a\nb", "\x1b[0m", "\\input{/etc/passwd}", "a{b", "}", "50%", "a#b", "a&b",
    "~^_",
    "_", "__", "x_", "_x", "a b ", " ", "", "'", "''", "`a`", "--", "x^2_", "a_}b", "a_\\", "\u202e", "x'_1",
    "Ωmega", "ἄ", "é_1", "a_é", "\ud800", "!`?`", "%", "end\\", "l₁",
]  # fmt: skip


def unescaped(text: str) -> str:
    return re.sub(r"\\[^a-zA-Z]", "", text)


def balanced(text: str) -> bool:
    plain, depth = unescaped(text), 0
    for c in plain:
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth < 0:
            return False
    words = re.findall(r"\\(left|right)(?![a-z])", text)
    fences = 0
    for word in words:
        fences += 1 if word == "left" else -1
        if fences < 0:
            return False
    environments = re.findall(r"\\(begin|end)\{", text)
    return depth == fences == 0 and environments.count("begin") == environments.count("end")


def tex_of(case: Case) -> str:
    return write(case.graph, latex.LATEX, {name: Piece(latex.symbol(name)) for name in case.graph.inputs}).text


def test_brackets_of_latex_are_balanced() -> None:
    assert [case.of for case in every_case() if not balanced(tex_of(case))] == []
    assert [name for name in HOSTILE if not balanced(latex.symbol(name))] == []
    assert not balanced(r"\left(x")
    assert not balanced(r"{x}}")


@given(st.text(max_size=8))
def test_names_in_latex_are_balanced_ascii(name: str) -> None:
    text = latex.symbol(name)
    assert balanced(text)
    assert text.isascii()
    assert text.isprintable()
    assert "%" not in unescaped(text)
    assert not set("$&#~^") & set(unescaped(text).replace(r"\hat", ""))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("x", "x"), ("x_1", "x_{1}"), ("w0", "w_{0}"), ("β", r"\beta"), ("β2", r"\beta_{2}"), ("π", r"\pi"),
        ("loss", r"\mathit{loss}"), ("fc1.weight", r"\mathit{fc1.weight}"), ("x_max", r"x_{\mathit{max}}"),
        ("batch_size", r"\mathit{batch\_size}"), ("Δx", r"\mathit{\Delta x}"), ("中", r"\text{U+4E2D}"),
        ("x_i", "x_{i}"),
        ("é", r"\acute{e}"), ("a b", r"\mathit{a{\ }b}"),
    ],
)  # fmt: skip
def test_names_in_latex(name: str, wanted: str) -> None:
    assert latex.symbol(name) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1e-06", r"1 \times 10^{-6}"), ("-2.5e+20", r"-2.5 \times 10^{20}"), ("-0.393", "-0.393"), ("12", "12"),
     ("nan", r"\text{NaN}"), ("inf", r"\infty"), ("-inf", r"-\infty"), ("−3", "-3")],
)  # fmt: skip
def test_numbers_in_latex(text: str, wanted: str) -> None:
    piece = latex.number(text)
    assert piece.text == wanted
    assert piece.signed == text.startswith(("-", "−"))


def document() -> str:
    """Return a document with every text of every op and every name."""
    seen = dict.fromkeys((case.of.split(" {")[0], tex_of(case)) for case in every_case())
    rows = [rf"\noindent\text{{{latex.word(of)}}}: ${text}$\par" for of, text in seen]
    rows += [rf"\[{latex.symbol(name)}^{{2}} + {latex.symbol(name)}_0\]" if "_{" not in latex.symbol(name)
             else rf"\[{latex.symbol(name)}^{{2}}\]" for name in HOSTILE]  # fmt: skip
    packages = r"\documentclass{article}\usepackage{amsmath,xcolor}\usepackage[margin=2cm]{geometry}"
    return "\n".join([packages, r"\begin{document}", *rows, r"\end{document}", ""])


def test_every_text_compiles(tmp_path: Any) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("TeX is not installed")
    source = document()
    assert source.isascii()
    (tmp_path / "ops.tex").write_text(source, encoding="ascii")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "ops.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "ops.log").read_text(encoding="latin-1")
