"""What the rows of the op table say about their ops, against what the ops do.

Each field is compared for every op, in both directions: a fact that is missing fails as well as one that is wrong.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from derivations import networks, worked_out
from test_arithmetic import operands
from test_compounds import TRIALS, laid_out
from test_trace_program import check, network_derivation, written

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.arithmetic.floats import COMPARE, FLOATS
from gradcheck.arithmetic.scalarize import written_out
from gradcheck.arithmetic.structural import NATIVES as STRUCTURAL
from gradcheck.arithmetic.structural import accumulate
from gradcheck.deriving.chart import REDUCTIONS
from gradcheck.deriving.folding import _DECIDED
from gradcheck.deriving.quiz_answers import TYPED
from gradcheck.engines.copies import Dense, general
from gradcheck.engines.definitions import DEFINITIONS, STEPS
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.language import parser
from gradcheck.notation.printer import Piece, write
from gradcheck.notation.python import ARRAY_HELPERS, ARRAYS, imports, needed
from gradcheck.ops import COMPOUNDS, FUNCTIONS, OPS
from gradcheck.ops.op import REQUIRED, Op, Worded

Array = Any
EVERY: dict[str, Op] = {**OPS, **COMPOUNDS}
ELEMENTWISE = [name for name, op in EVERY.items() if op.elementwise]
ON_ARRAYS = [name for name, op in EVERY.items() if not op.elementwise]


class Sample(NamedTuple):
    """An op on arrays: the shapes of its operands, or the whole numbers that one must be, and its parameters."""

    shapes: tuple[Any, ...]
    params: Mapping[str, Any] = {}


class Square(NamedTuple):
    """A shape whose last two axes are a matrix that has an inverse, a positive determinant and a Cholesky factor."""

    shape: tuple[int, ...]

    def drawn(self, rng: np.random.Generator) -> Array:
        return rng.uniform(0.5, 2.0, self.shape) + 4 * np.eye(self.shape[-1])


SQUARES = [Sample((Square(shape),)) for shape in ((1, 1), (3, 3), (2, 3, 3))]
NUMBER: tuple[int, ...] = ()

REACH = {"kernel": (2,), "stride": (1,), "padding": ((1, 1),), "dilation": (1,), "edge": "zero"}
APART = {**REACH, "stride": (3,), "padding": ((0, 0),)}
OVER = [{}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": (0, 1)}]
CONV = laid_out(2, 2, 3, 3, 2, True)
MAP = laid_out(1, 2, 3, 3, 1, False)
POOL = {
    "kernel": (2, 2), "stride": (1, 1), "padding": ((0, 1), (0, 1)), "dilation": (1, 1), "edge": "inside",
    "inner": (-2, -1),
}  # fmt: skip
ROWS = np.array([[0.0, 2.0], [2.0, 1.0]])

SAMPLES: dict[str, list[Sample]] = {
    "matmul": [
        Sample(shapes)
        for shapes in (
            ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((4, 1, 2, 3), (2, 3, 2)),
            ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)),
        )
    ],
    "outer": [Sample(((2,), (3,)))],
    **{op: [Sample(((2, 3),), how) for how in OVER] for op in ("sum", "prod", "amax", "amin", "mean", "var", "std")},
    **{op: [Sample(((2, 3),), how) for how in OVER] for op in ("norm", "logsumexp")},
    **{op: [Sample(((2, 3),), how) for how in ({"axis": 0}, {"axis": -1})] for op in ("softmax", "log_softmax")},
    "inv": [Sample((NUMBER,)), *SQUARES],
    **dict.fromkeys(("det", "logdet", "slogdet", "cholesky", "cofactor"), SQUARES),
    "solve": [
        Sample((Square(x), y))
        for x, y in (
            ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 1)),
            ((4, 1, 2, 2), (3, 2, 2)),
        )
    ],
    "pinv": [Sample(((3, 2),)), Sample(((2, 3),)), Sample(((2, 2, 3),)), Sample((Square((3, 3)),))],
    "trace": [Sample(((3, 3),)), Sample(((2, 3),))],
    "eye_like": [Sample(((3, 3),)), Sample(((2, 3),))],
    "diag": [Sample(((3,),)), Sample(((3, 3),)), Sample(((2, 3),)), Sample(((1,),))],
    "diagonal": [Sample(((3, 3),))],
    "undiag": [Sample(((3,), (3, 3))), Sample(((2,), (2, 3)))],
    **{
        op: [Sample(((2, 3, 3),), {"k": k}) for k in (-1, 0, 1)] + [Sample(((3, 2),))] for op in ("tril", "triu")
    },
    "kron": [Sample(((2,), (3,))), Sample(((2, 3), (3, 1)))],
    "blocks": [Sample(((6,), (2,), (3,))), Sample(((4, 3), (2, 3), (2, 1)))],
    "cross": [Sample(((3,), (3,))), Sample(((2, 3), (3,))), Sample(((2, 1, 3), (4, 3)))],
    "norm_p": [
        *(Sample(((3,),), {"p": p}) for p in (1, 2, 3, 1.5)), Sample(((2, 3),), {"p": 3, "axis": 0, "keepdims": True}),
    ],
    **{op: [Sample(((3,),)), Sample(((2, 3),))] for op in ("norm_1", "norm_inf")},
    "cumprod": [Sample(((2, 3),), how) for how in ({}, {"axis": 0}, {"axis": -1})],
    "cumprod_slopes": [
        Sample(((6,), (2, 3))), *(Sample(((2, 3), (2, 3)), {"axis": axis}) for axis in (0, 1)),
    ],
    "sort": [Sample(((4,),)), Sample(((2, 4),)), Sample(((1,),))],
    "topk": [Sample(((4,),), {"k": 2}), Sample(((2, 4),), {"k": 1}), Sample(((3,),), {"k": 3})],
    "pad": [
        Sample(((3,),), {"width": (1, 2)}), Sample(((2, 3),), {"width": ((0, 1), (2, 0))}),
        Sample(((2, 3),), {"width": 1}),
    ],
    "unpad": [Sample(((6,), (3,)), {"width": (1, 2)}), Sample(((3, 5), (2, 3)), {"width": ((0, 1), (2, 0))})],
    "eye": [Sample((NUMBER,), {"shape": shape}) for shape in ((3,), (2, 3))],
    **{op: [Sample((NUMBER,), {"shape": shape}) for shape in ((3,), (2, 3))] for op in ("ones", "zeros")},
    "cumsum": [Sample(((2, 3),), how) for how in ({}, {"axis": 0}, {"axis": 1})],
    "transpose": [Sample(((2, 3, 4),), how) for how in ({}, {"axes": (1, 0, 2)}, {"axes": (2, 0, 1)})],
    "mT": [Sample(((2, 3),)), Sample(((4, 2, 3),))],
    "reshape": [Sample(((2, 3),), {"shape": (3, 2)}), Sample(((2, 3),), {"shape": (-1,)})],
    "concat": [Sample(((2, 3), (4, 3)), {"axis": 0}), Sample(((2, 3), (2, 1)), {"axis": 1})],
    "getitem": [
        Sample(((3, 4),), {"index": index}) for index in ((1,), (slice(1, None), 2), (None, ..., slice(None, None, 2)))
    ],
    "count": [Sample(((2, 3),), how) for how in ({"axis": None}, {"axis": 0}, {"axis": (0, 1)})],
    "broadcast_like": [
        Sample((g, (2, 3)), how) for g, how in (((), {}), ((3,), {"axis": 0}), ((1, 3), {"axis": 0, "keepdims": True}))
    ],
    "prod_others": [Sample(((2, 3),), how) for how in ({"axis": None}, {"axis": 0}, {"axis": (1,)})],
    "flip": [Sample(((2, 3),), {"axis": 1})],
    "untranspose": [Sample(((2, 3, 4),), how) for how in ({"axes": None}, {"axes": (2, 0, 1)}, {"axes": (-1, 0, 1)})],
    "reshape_like": [Sample(((6,), (2, 3)))],
    "head": [Sample(((6, 3), (2, 3)), {"axis": 0})],
    "tail": [Sample(((2, 4), (2, 3)), {"axis": 1})],
    "put": [Sample(((2,), (3, 2)), {"index": (1,)})],
    "windows": [Sample(((2, 4),), REACH), Sample(((4,),), {**REACH, "edge": "inside"})],
    "fold": [Sample(((5, 2),), {"size": (4,), **REACH}), Sample(((2, 2),), {"size": (5,), **APART})],
    "unwindow": [Sample(((2, 5, 2), (2, 4)), REACH), Sample(((2, 2), (5,)), APART)],
    "select_index": [Sample(((2, 3),), {"axis": 1, "index": (0, 2, 2)})],
    "unselect": [Sample(((2, 3), (2, 4)), {"axis": 1, "index": (0, 2, 2)})],
    "lookup": [Sample(((4, 3), ROWS))],
    "unlookup": [Sample(((2, 2, 3), (4, 3), ROWS))],
    "conv_input": [
        Sample(((2, 2, 2, 2), (2, 2, 2, 2), (2, 2, 3, 3)), CONV),
        Sample(((1, 2, 2, 2), (2, 1, 2, 2), (1, 1, 3, 3)), MAP),
    ],
    "conv_weight": [Sample(((2, 2, 2, 2), (2, 2, 3, 3)), CONV)],
    "average_unpool": [Sample(((2, 3, 3), (2, 3, 3)), POOL)],
    "max_unpool": [Sample(((2, 3, 3), (2, 3, 3), (2, 3, 3)), POOL)],
}  # fmt: skip
for trial in TRIALS:
    if trial.op in ON_ARRAYS:
        SAMPLES.setdefault(trial.op, []).append(Sample(trial.shapes, trial.params))
SAMPLES["max_pool"].append(Sample(((2, 3, 3),), POOL))
TAKEN = {name: {**{k: v for k, v in EVERY[name].params.items() if v is not REQUIRED}} for name in EVERY}


def how(name: str, sample: Sample) -> dict[str, Any]:
    """Return the parameters of a sample that the op has; a layout is shared by several."""
    return {**TAKEN[name], **{k: v for k, v in sample.params.items() if k in EVERY[name].params}}


def drawn(sample: Sample, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [
        s.drawn(rng) if isinstance(s, Square) else s if hasattr(s, "shape") else rng.uniform(0.5, 2.0, s)
        for s in sample.shapes
    ]


def compute(name: str, sample: Sample, values: list[Array]) -> Array:
    params = tuple(sorted(how(name, sample).items()))
    with FLOAT_ARRAYS.active():
        return FLOAT_ARRAYS.function(name, params)(*values)


def each(name: str) -> Iterator[tuple[Sample, list[Array]]]:
    """Yield samples of an op with operands; those of an elementwise op lie in its domain, in two axes."""
    if name in ON_ARRAYS:
        for sample in SAMPLES[name]:
            values = drawn(sample)
            if name == "max_unpool":
                values[2] = compute("max_pool", sample, values[1:2])
            yield sample, values
        return
    columns = np.array(points(name)).T.reshape(len(EVERY[name].args), 3, -1)
    yield Sample(tuple(column.shape for column in columns)), [np.array(column) for column in columns]


def points(name: str) -> list[tuple[float, ...]]:
    if name not in OPS:
        return [(x - 1.0, y - 1.0) for x, y in np.random.default_rng(1).uniform(0.0, 2.0, (12, 2)).tolist()]
    rows = operands(name)
    return [(float(k % 2), *row[1:]) for k, row in enumerate(rows)] if EVERY[name].args[0] == "c" else rows


def test_every_op_is_sampled() -> None:
    assert SAMPLES.keys() == set(ON_ARRAYS)


# Shapes and memory


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_shape_is_what_numpy_gives(name: str) -> None:
    rule = EVERY[name].shape
    assert rule is not None
    for sample, values in each(name):
        assert rule(*map(np.shape, values), **how(name, sample)) == np.shape(compute(name, sample, values)), sample


def in_python(name: str, sample: Sample, values: list[Array]) -> Array:
    """Compute an op as a generated program does."""
    graph = Graph(Source(name))
    nodes = [graph.input(arg) for arg in EVERY[name].args]
    graph.output = graph.gate(name, nodes, tuple(sorted(how(name, sample).items())))
    text = write(graph, ARRAYS, {arg: Piece(arg) for arg in EVERY[name].args}).text
    helpers = "\n".join(needed(text, ARRAY_HELPERS))
    variables = dict(zip(EVERY[name].args, values, strict=True))
    exec("\n".join([*imports(helpers + text), helpers]), variables)
    with FLOAT_ARRAYS.active():
        return eval(text, variables)


@pytest.mark.parametrize("name", EVERY)
def test_view_is_whether_memory_is_shared(name: str) -> None:
    found = False
    for sample, values in each(name):
        for way in (compute, in_python):
            result = way(name, sample, values)
            shared = [np.shares_memory(result, value) for value in values]
            assert not any(shared[1:]), "only the first operand may be lent"
            assert shared[0] == EVERY[name].view or (EVERY[name].view and np.ndim(result) == 0), way
            found |= shared[0]
    assert found == EVERY[name].view


@pytest.mark.parametrize("name", EVERY)
def test_a_program_means_the_same_op(name: str) -> None:
    for sample, values in each(name):
        here, there = compute(name, sample, values), in_python(name, sample, values)
        assert np.allclose(here, there, rtol=1e-12, atol=1e-14, equal_nan=True), sample


ALIASED = {
    "mT": "x.mT + u", "untranspose": "transpose(x, axes=(1, 0)) + u", "reshape_like": "reshape(x, (2, 2)) + u",
    "head": "concat(x, u, axis=1)", "tail": "concat(u, x, axis=1)",
}  # fmt: skip
"""View in a backward rule → what hands it a gradient that the gate before, `u`, still needs."""


@pytest.mark.parametrize("name", ALIASED)
def test_a_forgotten_view_would_print_a_wrong_gradient(name: str) -> None:
    text = f"u = y*y; p = sin(x); s = {ALIASED[name]}; sum(s*k) + sum(p)"
    k = [[1.0, 2.0], [3.0, 5.0]] if "concat" not in text else [[1.0, 2.0, 4.0, 3.0], [3.0, 5.0, 0.5, 2.0]]
    derivation = worked_out(text, {"x": [[1.0, 2.0], [3.0, 4.0]], "y": [[0.5, 1.0], [2.0, 3.0]], "k": k})[0]
    check(derivation)
    right = written(derivation)
    with mock.patch.object(EVERY[name], "view", False):
        assert written(derivation) != right
        if name not in ("head", "tail"):
            with pytest.raises(AssertionError, match="d y"):
                check(derivation)


def test_an_op_of_a_spec_may_lend_its_operand_too() -> None:
    spec = """
gradcheck: 1
ops:
  flipped: {args: x, forward: "x.T", backward: {x: "g.T"}}
  twice: {args: x, forward: "x.T", backward: {x: "flipped(g)"}}
inputs: {x: [[1, 2], [3, 4]], y: [[0.5, 1], [2, 3]], k: [[1, 2], [3, 5]]}
nodes: {out: {expr: "u = y*y; p = sin(flipped(x)); z = twice(x); s = z + u; sum(s*k) + sum(p)"}}
output: out
"""
    (network,) = networks(spec)
    assert "d_x = np.array(flipped(" in check(network_derivation(network))


# Where elements go


@pytest.mark.parametrize("name", EVERY)
def test_fills_is_whether_zeros_are_put_in(name: str) -> None:
    if name not in STRUCTURAL and name != "select":
        assert not EVERY[name].fills
        return
    found = False
    for sample, values in each(name):
        exact = [x if x is ROWS else np.vectorize(Fraction, otypes=[object])(x) for x in values]
        result = FLOAT_ARRAYS.natives[name](*exact, **how(name, sample))
        found |= any(isinstance(x, int) and x == 0 for x in np.ravel(np.asarray(result, dtype=object)))
    assert found == EVERY[name].fills


def jacobian(name: str, sample: Sample, values: list[Array], place: int) -> Array:
    """Return what the rule makes of upstream gradients that are one in one place."""
    row, out = EVERY[name], compute(name, sample, values)
    rule = FLOAT_ARRAYS.rule(name, tuple(sorted(how(name, sample).items())), row.ranks(values))
    units = np.eye(np.size(out)).reshape(-1, *np.shape(out))
    return np.array([accumulate(None, rule.fast(g, *values, out)[place], values[place]) for g in units])


@pytest.mark.parametrize("name", EVERY)
def test_moves_is_whether_rules_only_carry_gradients(name: str) -> None:
    row, carries = EVERY[name], True
    if not row.vjp:
        assert not row.moves
        return
    for sample, values in each(name):
        fixed = [k for k, arg in enumerate(row.args) if arg in ("c", "i")]
        others = [x if k in fixed else 2.5 - x for k, x in enumerate(values)]
        for place in range(len(row.args)):
            first, second = (jacobian(name, sample, x, place) for x in (values, others))
            carries &= np.array_equal(first, second) and set(np.unique(first)) <= {0.0, 1.0}
    assert carries == row.moves


@pytest.mark.parametrize("name", EVERY)
def test_sums_is_whether_moved_elements_are_added_up(name: str) -> None:
    row, added = EVERY[name], False
    for sample, values in each(name):
        known = np.concatenate([[0.0], *map(np.ravel, values)])
        added |= not np.isin(compute(name, sample, values), known).all()
    assert row.sums == (row.moves and added)
    assert row.copies == (row.moves and not added and not row.elementwise)


CHANGES: list[Callable[[Array], Array]] = [lambda x: 0.75 * x + 0.125, lambda x: np.roll(x, 1)]


@pytest.mark.parametrize("name", EVERY)
def test_measures_is_whether_only_shapes_count(name: str) -> None:
    same = True
    for sample, values in each(name):
        alike = values[:1] * len(values) if len({np.shape(x) for x in values}) == 1 else values
        for others in (alike, *([x if x is ROWS else change(x) for x in values] for change in CHANGES)):
            same &= np.array_equal(compute(name, sample, values), compute(name, sample, others), equal_nan=True)
    assert same == EVERY[name].measures


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_ops_with_axes_do_not_notice_one_more(name: str) -> None:
    """Copies of an operand along one more axis give the same as one copy after the other."""
    row = EVERY[name]
    if len(row.args) != 1 or (row.habit == "" and row.internal and name in ("flip", "untranspose", "count")):
        return
    for sample, (x,) in each(name):
        params = tuple(sorted(how(name, sample).items()))
        copies = np.stack([x, x + 0.25, x * 2], axis=-1)
        found = general(name, params, [x], [Dense(copies)], compute(name, sample, [x]))
        one_by_one = [compute(name, sample, [copies[..., k]]) for k in range(3)]
        assert np.allclose(found.data, np.stack(one_by_one, axis=-1), rtol=1e-13), sample


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_contracts_is_whether_products_are_added_up(name: str) -> None:
    row = EVERY[name]
    added = []
    for sample, values in each(name):
        ones = [np.zeros(np.shape(x)) if k == 2 else np.ones(np.shape(x)) for k, x in enumerate(values)]
        inner = np.shape(values[0])[-1:]
        added.append(len(row.args) > 1 and inner != () and bool(np.all(compute(name, sample, ones) == inner[0])))
    assert row.contracts == all(added)
    assert {"".join(str(min(np.ndim(x), 2)) for x in v) for _, v in each(name)} >= row.by_rank.keys()


def steps(name: str, rows: int) -> float:
    """Return how many gates an op takes for an element of square matrices, written out; 0 if it takes no such."""
    row, shape = EVERY[name], (rows, rows)
    if REQUIRED in row.params.values():
        return 0
    graph = Graph(Source(name))
    nodes = [graph.input(arg) for arg in row.args]
    graph.output = graph.gate(name, nodes, tuple(sorted(row.params.items())))
    point = {arg: Square(shape).drawn(np.random.default_rng(k)) for k, arg in enumerate(row.args)}
    if "i" in point:
        point["i"] = np.zeros(shape, dtype=int)
    try:
        assert row.shape is not None
        # A result that is larger than its operands takes its own size.
        if math.prod(row.shape(*[shape] * len(row.args), **row.params)) > rows**2:
            return 0
        return len(list(written_out(graph, point)[0].gates)) / rows**2
    except (TypeError, ValueError, NotImplementedError):
        return 0


@pytest.mark.parametrize("name", EVERY)
def test_eliminates_is_whether_an_element_takes_as_many_steps_as_there_are_rows(name: str) -> None:
    row = EVERY[name]
    if row.contracts or row.elementwise:
        assert not row.eliminates
        return
    few, many = steps(name, 16), steps(name, 32)
    assert row.eliminates == (many > 1.55 * few > 0)


# Single numbers


def numbers(name: str, *columns: Array) -> Array:
    with FLOAT_ARRAYS.active():
        return np.asarray(FLOAT_ARRAYS.function(name)(*columns), dtype=float)


@pytest.mark.parametrize("name", EVERY)
def test_choice_is_whether_one_operand_chooses_another(name: str) -> None:
    row = EVERY[name]
    chooses = row.elementwise and len(row.args) == 3
    if chooses:
        chooses = numbers(name, 1.0, 3.0, math.nan) == 3.0 and numbers(name, 0.0, math.nan, 4.0) == 4.0
    assert chooses == row.choice


@pytest.mark.parametrize("name", EVERY)
def test_locally_constant_is_whether_nothing_moves(name: str) -> None:
    row = EVERY[name]
    still = row.elementwise
    if still:
        columns = [np.array(column) for column in zip(*points(name), strict=True)]
        moved = [x if arg in ("c", "n") else x + 1e-7 for arg, x in zip(row.args, columns, strict=True)]
        still = np.array_equal(numbers(name, *columns), numbers(name, *moved))
    assert still == row.locally_constant


@pytest.mark.parametrize("name", EVERY)
def test_staircase_is_whether_every_unit_has_a_jump(name: str) -> None:
    row = EVERY[name]
    grid = np.arange(0.005, 1.0, 0.01)
    steps = row.elementwise and len(row.args) == 1
    if steps:
        with np.errstate(all="ignore"):
            steps = all(len(np.unique(numbers(name, n + grid))) == 2 for n in (0.25, 1000.25, 1e9 + 0.25))
    assert steps == row.staircase


@pytest.mark.parametrize("name", EVERY)
def test_comparison_is_whether_two_numbers_are_compared(name: str) -> None:
    row = EVERY[name]
    compares = row.elementwise and len(row.args) == 2
    if compares:
        x, y = (
            np.array(column, dtype=float) for column in zip(*itertools.product(range(-2, 3), repeat=2), strict=True)
        )
        compares = set(np.unique(numbers(name, x, y))) == {0.0, 1.0}
    assert compares == row.comparison


def test_who_writes_comparisons_by_hand_writes_all() -> None:
    comparing = {op.name for op in OPS.values() if op.comparison}
    assert comparing == COMPARE.keys() == _DECIDED.keys() == parser._COMPARISONS
    assert {op.name for op in OPS.values() if op.locally_constant and len(op.args) == 1} == STEPS.keys()
    assert {op.name for op in OPS.values() if op.copies} < DEFINITIONS.keys()


def test_who_names_ops_by_hand_names_all() -> None:
    typed = parser.parse(Source("a = x; b = a; x.mT + b[0]"))
    assert {op for op in typed.ops if op in OPS and OPS[op].internal} == TYPED
    one = np.array([-2.5])
    reductions = [name for name, op in OPS.items() if "keepdims" in op.params and len(op.args) == 1]
    required = {name: 3 for name in reductions for name, value in OPS[name].params.items() if value is REQUIRED}
    alone = {name for name in reductions if compute(name, Sample(((1,),), required), [one]) == one[0]}
    # A log-sum-exp of one number is that number too, but a derivation shows it.
    assert alone - {"logsumexp"} == REDUCTIONS


def combines(name: str, group: tuple[int, ...]) -> bool:
    """Whether an op is linear in a group of operands, the others standing still."""
    rng = np.random.default_rng(3)
    count = len(EVERY[name].args)
    still, u, v = (rng.integers(-9, 10, (count, 200)) / 4 for _ in range(3))
    a, b = rng.integers(-3, 4, (2, 200))
    if EVERY[name].args[0] == "c":
        still[0] = rng.integers(0, 2, 200)
    still[still == 0] = 0.75 if EVERY[name].args[0] != "c" else 0.0

    def at(parts: Array) -> Array:
        return numbers(name, *[parts[k] if k in group else still[k] for k in range(count)])

    with np.errstate(all="ignore"):
        whole, parts = at(a * u + b * v), a * at(u) + b * at(v)
        return bool(np.all(np.abs(whole - parts) <= 1e-12 * (1 + np.abs(whole))))


@pytest.mark.parametrize("name", EVERY)
def test_linear_is_in_which_operands_it_is(name: str) -> None:
    row = EVERY[name]
    if not row.elementwise:
        assert row.linear == ()
        return
    places = range(len(row.args))
    groups = [g for n in range(1, len(row.args) + 1) for g in itertools.combinations(places, n) if combines(name, g)]
    largest = [g for g in groups if not any(set(g) < set(other) for other in groups)]
    assert {tuple(row.args[k] for k in g) for g in largest} == set(row.linear)


def matrices() -> Iterator[tuple[Array, ...]]:
    """Yield small matrices of whole numbers, with a right-hand side: many are singular, and float64 may not know."""
    for entries in itertools.product((-1, 0, 1, 2), repeat=4):
        yield np.array(entries, dtype=float).reshape(2, 2), np.ones(2)
    rng = np.random.default_rng(5)
    for _ in range(200):
        factor = rng.integers(-3, 4, (3, 2)).astype(float)
        yield factor @ factor.T, np.ones(3)
        yield factor @ rng.integers(-3, 4, (2, 3)).astype(float) + rng.integers(-1, 1, (3, 3)), np.ones(3)


GRIDS: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("logdet", "slogdet", "solve", "pinv", "cholesky"), matrices),
    "pow": lambda: itertools.product((-2.0, -1.5, 0.0, 1.0, 2.5), (-2.0, -0.5, 0.0, 0.5, 3.0)),
    **dict.fromkeys(("beta", "betaln"), lambda: itertools.product((-2.0, -1.5, -0.5, 0.0, 0.75, 2.0), repeat=2)),
    **dict.fromkeys(("xlogy", "xlog1py"), lambda: itertools.product((-1.0, 0.0, 2.0), (-2.0, -1.0, -0.5, 0.0, 3.0))),
    "iv": lambda: itertools.product((-1001.0, -2.0, 0.0, 0.5, 1.0, 1000.0), (-2.0, 0.0, 1.5)),
    "polygamma": lambda: itertools.product((-1.0, 0.0, 0.5, 1.0, 3.0, 1001.0), (-2.0, -1.5, 0.0, 2.0)),
}


def has_value(name: str, point: tuple[Any, ...]) -> bool:
    """Whether an op has a value: of matrices by elimination in fractions, which knows a zero."""
    if np.ndim(point[0]):
        minors = [
            exact_determinant(point[0][:k, :k] + (point[0].T[:k, :k] if name == "cholesky" else 0)) for k in (1, 2, 3)
        ]
        last = minors[len(point[0]) - 1]
        return {"logdet": last > 0, "cholesky": min(minors[: len(point[0])]) > 0}.get(name, last != 0)
    try:
        value = FLOATS.function(name)(*point)
        return isinstance(value, (int, float)) and math.isfinite(value)
    except (ArithmeticError, ValueError):
        return False


def exact_determinant(matrix: Array) -> int:
    """Return the determinant of a matrix of whole numbers, by its definition."""
    n, total = len(matrix), 0
    for order in itertools.permutations(range(n)):
        inversions = sum(order[i] > order[j] for i, j in itertools.combinations(range(n), 2))
        total += (-1) ** inversions * math.prod(int(matrix[k, order[k]]) for k in range(n))
    return total


@pytest.mark.parametrize("name", [name for name, op in EVERY.items() if any(isinstance(d, Worded) for d in op.domain)])
def test_conditions_in_words_hold_where_there_is_a_value(name: str) -> None:
    for point in GRIDS[name]() if name in GRIDS else [(k / 2,) for k in range(-6, 7)]:
        real = has_value(name, point[: len(EVERY[name].args)])
        conditions = [condition for condition in EVERY[name].domain if isinstance(condition, Worded)]
        assert real == all(condition.holds(*point) for condition in conditions), point


def test_conditions_in_words_say_how_they_are_decided() -> None:
    for op in EVERY.values():
        for condition in op.domain:
            in_words = re.search("integer|matrix|\\bor\\b", condition)
            assert isinstance(condition, Worded) == bool(in_words)


def test_no_text_can_call_what_is_internal() -> None:
    for name, op in EVERY.items():
        assert op.internal == (name not in FUNCTIONS)


GUARDS: dict[str, Callable[[str], None]] = {
    "view": test_view_is_whether_memory_is_shared, "fills": test_fills_is_whether_zeros_are_put_in,
    "moves": test_moves_is_whether_rules_only_carry_gradients,
    "sums": test_sums_is_whether_moved_elements_are_added_up,
    "measures": test_measures_is_whether_only_shapes_count,
    "contracts": test_contracts_is_whether_products_are_added_up,
    "eliminates": test_eliminates_is_whether_an_element_takes_as_many_steps_as_there_are_rows,
    "choice": test_choice_is_whether_one_operand_chooses_another,
    "locally_constant": test_locally_constant_is_whether_nothing_moves,
    "staircase": test_staircase_is_whether_every_unit_has_a_jump,
}  # fmt: skip


@pytest.mark.parametrize("field", GUARDS)
def test_every_fact_is_guarded_for_every_op(field: str) -> None:
    unseen = []
    for name, row in EVERY.items():
        with mock.patch.object(row, field, not getattr(row, field)):
            try:
                GUARDS[field](name)
            except AssertionError:
                continue
        unseen.append(name)
    assert unseen == []


def test_the_others_are_not_yes_or_no() -> None:
    """A new field of yes or no needs a guard, or a reason why it can have none."""
    flags = {field for field in Op.__slots__ if isinstance(getattr(OPS["sin"], field), bool)}
    assert flags - GUARDS.keys() == {"internal"}
