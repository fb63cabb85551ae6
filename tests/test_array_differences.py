"""Differences of arrays, part by part: slopes of elementwise ops, definitions, lines, every number end to end."""

from __future__ import annotations

import json
from typing import Any

import mpmath
import numpy as np
import pytest
from breaking import rules_replaced
from float_points import check, counted, examined, mlp, parameters, point_of, words
from support import cases

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.checking.array_place import ArrayPlace
from gradcheck.checking.closely import Closely
from gradcheck.engines import copies, end_to_end
from gradcheck.engines.definitions import others
from gradcheck.engines.directions import Along, Line, _trusted, random_direction, scale_of
from gradcheck.engines.elementwise_slopes import Close, Slopes, slopes
from gradcheck.engines.end_to_end import every_number
from gradcheck.engines.local_differences import needed
from gradcheck.engines.rounding import inside
from gradcheck.errors import Source
from gradcheck.networks.loading import load

EPS = 2.0**-52


def never(row: tuple[float, ...], k: int) -> Close | None:
    return None


def slopes_of(op: str, *operands: Any, k: int = 0, close: Any = never) -> Slopes:
    arrays = [np.asarray(x, dtype=float) for x in operands]
    function = FLOAT_ARRAYS.function(op)
    out = np.asarray(function(*arrays))
    with FLOAT_ARRAYS.active():
        return slopes(function, arrays, out, k, np.ones(out.shape), close, lambda x: inside(op, (), x))


# Slopes of elementwise ops against mpmath's derivatives.

TRUTH = {
    "exp": mpmath.exp,
    "tanh": mpmath.tanh,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
    "tanhshrink": lambda x: x - mpmath.tanh(x),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "reciprocal": lambda x: 1 / x,
}
POSITIVE = {"log", "sqrt", "reciprocal"}


@pytest.mark.parametrize("op", TRUTH)
def test_slopes_lie_within_their_bars(op: str) -> None:
    random = np.random.default_rng(3)
    x = np.concatenate([random.normal(size=60), 10.0 ** random.uniform(-12, 1.3, 60) * random.choice([-1, 1], 60)])
    x = np.abs(x) if op in POSITIVE else x
    found = slopes_of(op, x)
    with mpmath.workdps(60):
        true = [mpmath.diff(TRUTH[op], mpmath.mpf(one), h=mpmath.mpf(10) ** -25 * abs(one)) for one in x.tolist()]
        error = [abs(float(mpmath.mpf(v) - t)) for v, t in zip(found.value.tolist(), true, strict=True)]
    assert (np.array(error) <= found.bar).all()
    narrow = found.bar <= 1e-5 * np.abs(found.value)
    assert narrow.mean() > (0.6 if op == "tanhshrink" else 0.9)


@pytest.mark.parametrize(
    "bend", [lambda u: np.maximum(u, 0), lambda u: np.maximum(u, 0) ** 2, lambda u: np.abs(u) ** 3]
)
def test_a_bend_anywhere_within_the_steps_is_in_the_bar(bend: Any) -> None:
    away = np.linspace(-4.5, 4.5, 3001) * 2.0**-9
    with FLOAT_ARRAYS.active():
        found = slopes(bend, [away], bend(away), 0, np.zeros(away.shape), never, lambda x: np.zeros(x[0].shape))
    h = 1e-9
    true = (bend(away + h) - bend(away - h)) / (2 * h)
    far = np.abs(away) > 1e-8
    assert (np.abs(found.value - true)[far] <= found.bar[far] + 1e-7).all()


def test_what_steps_cannot_see_is_looked_at_closely() -> None:
    closely = Closely()

    def close(row: tuple[float, ...], k: int) -> Close | None:
        return closely("relu", row, k)

    found = slopes_of("relu", [0.0, 0.0, 1.0, -1.0, 1e-3], close=close)
    assert found.value.tolist() == pytest.approx([0.5, 0.5, 1, 0, 1], rel=1e-12)
    assert found.gap is not None
    assert found.gap.tolist() == [0.5, 0.5, 0, 0, 0]
    assert closely.left == 255
    assert np.isinf(slopes_of("relu", [0.0]).bar).all()


def test_a_slope_in_one_of_two_operands_is_broadcast() -> None:
    found = slopes_of("hypot", [[3.0], [5.0]], [4.0, 12.0, 0.5], k=1)
    x, y = np.array([[3.0], [5.0]]), np.array([4.0, 12.0, 0.5])
    assert found.value.shape == (2, 3)
    assert (np.abs(found.value - y / np.hypot(x, y)) <= found.bar).all()


# Definitions.


@pytest.mark.parametrize("length", [0, 1, 2, 31, 33, 100, 1500])
def test_products_of_the_others(length: int) -> None:
    x = np.random.default_rng(length).uniform(0.9, 1.1, size=(3, length))
    if length > 2:
        x[0, 1] = x[1, 0] = x[1, 2] = 0
    expected = [[np.prod(np.delete(row, k)) for k in range(length)] for row in x]
    np.testing.assert_allclose(others(x), np.reshape(expected, x.shape), rtol=1e-12)


# Lines.


def test_the_slope_along_a_direction_is_the_gradient_times_it() -> None:
    text, at = mlp((6, 5, 3))
    point = point_of(text, at)
    nodes = [point.graph.inputs[name] for name in parameters(at)]
    line = Line(point.graph, point.values, needed(point.graph, nodes), 1e-15)
    direction = random_direction({node: point.values[node] for node in nodes}, 0)
    expected = sum(float((point.gradients[node] * move).sum()) for node, move in direction.items())
    seen = line.along(direction, abs(expected))
    assert abs(seen.value - expected) <= seen.bar <= 1e-6 * abs(expected)
    assert abs(seen.left - expected) <= seen.sides_bar <= 1e-3 * abs(expected)


def line_of(text: str, x: float) -> Line:
    point = point_of(text, {"x": [x]})
    return Line(point.graph, point.values, [True] * len(point.graph), 4 * EPS)


def test_lines_tell_kinks_jumps_and_roots_apart() -> None:
    kink = line_of("sum(abs(x) + 2*x)", 0.0).along({0: np.ones(1)}, 1.0)
    assert (round(kink.left, 6), round(kink.right, 6)) == (1, 3)
    assert kink.bar > 1 > 1e-3 > kink.sides_bar
    jump = line_of("sum(where(x > 0, 3*x + 1, -x))", 0.0).along({0: np.ones(1)}, 1.0)
    assert jump.jumps
    assert (round(jump.left, 6), round(jump.right, 6)) == (-1, 3)
    root = line_of("sum(sqrt(abs(x)))", 0.0).along({0: np.ones(1)}, 1.0)
    assert root.infinite
    assert [root.jumps, kink.jumps, kink.infinite, jump.infinite] == [False] * 4


def test_an_average_over_fine_structure_is_not_taken_for_a_slope() -> None:
    """From afar a fine staircase looks like a slope; small steps show that it is none."""
    seen = line_of("sum(floor(1e6*x)/1e6)", 0.3).along({0: np.ones(1)}, 1.0)
    assert not abs(seen.value - 1) <= seen.bar <= 1e-3


def test_a_small_step_that_sees_more_than_rounding_overrules_a_large_one() -> None:
    flat = Along(0.0, 1e-6, 0.0, 0.0, 1e-6, 1e-9)
    rough = Along(0.4, 0.6, 0.4, 0.4, 0.6, 1e-8)
    noisy = Along(0.4, 0.6, 0.4, 0.4, 0.6, 0.5)
    assert _trusted([flat, flat, rough], 1e-3).bar == 0.6
    assert _trusted([flat, flat, noisy], 1e-3).bar == 1e-6
    assert _trusted([flat, noisy._replace(value=9.0, left=9.0, right=9.0)], 1e-3).value == 9


def test_the_size_of_a_tensor_is_its_spread() -> None:
    random = np.random.default_rng(0)
    assert scale_of(random.normal(size=10_000)) == pytest.approx(1, rel=0.05)
    assert scale_of(1e6 + random.normal(size=10_000)) == pytest.approx(1, rel=0.05)
    assert scale_of(np.full(5, -3.0)) == 3
    assert scale_of(np.zeros(5)) == scale_of(np.zeros(0)) == 1
    with FLOAT_ARRAYS.active():
        assert scale_of(np.array([1e200, -1e200])) == pytest.approx(1e200)


# Every number end to end.


def no_doubt(places: Any, slope: Any, bar: Any) -> Any:
    return np.zeros(len(places), dtype=bool)


def agree_end_to_end(point: ArrayPlace, name: str) -> int:
    """Compare every number with backprop; return how many bars were narrow: nearly all."""
    node = point.graph.inputs[name]
    with FLOAT_ARRAYS.active():
        value, bar = every_number(point.graph, point.values, node, 1e-14 * (1 + abs(point.value)), no_doubt)
    gradient = np.zeros(value.shape) if point.gradients[node] is None else point.gradients[node]
    assert value.shape == gradient.shape
    assert (np.abs(value - gradient) <= bar).all(), name
    large = np.abs(gradient) > 1e-2 * np.abs(gradient).max(initial=0.0)
    narrow = large & (bar <= 1e-2 * np.abs(value))
    assert narrow.sum() >= 0.9 * large.sum(), name
    return int(narrow.sum())


@pytest.mark.parametrize("row", cases("layers.jsonl")[4::9], ids=lambda row: row["id"])
def test_every_number_of_every_layer(row: dict[str, Any]) -> None:
    if "GaussianNLL" in row["id"]:
        pytest.skip("its values are so large that a fixed bound on rounding does not do")
    (network,), _ = load(Source(json.dumps(row["spec"]), "case"))
    point = ArrayPlace(network.graph, network.point)
    narrow = sum(agree_end_to_end(point, name) for name in network.wrt)
    assert narrow > 0


@pytest.mark.parametrize("row", cases("array_ops.jsonl"), ids=lambda row: f"{row['expr']} at {row['at']}")
def test_every_number_of_every_array_op(row: dict[str, Any]) -> None:
    from test_gate_by_gate import at_of

    point = point_of(row["expr"], at_of(row["at"]))
    assert sum(agree_end_to_end(point, name) for name in point.point) > 0


def test_large_inputs_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end, "ELEMENTS", 2000)
    text, at = mlp((30, 20, 5), "gelu", batch=4)
    point = point_of(text, at)
    assert sum(agree_end_to_end(point, name) for name in parameters(at)) > 500


def test_only_slices_are_kept_of_what_moves_in_slices() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4))
    place = np.array([0, 5, 11])
    point = copies.Point(place, np.array([7.0, 8.0, 9.0]))
    made = copies.elementwise(np.multiply, [x, y], [point, None])
    assert isinstance(made, copies.Slab)
    whole = copies.dense(x * y, made)
    for k, one in enumerate(place):
        moved = x.copy()
        moved.flat[one] = point.value[k]
        assert np.array_equal(whole[..., k], moved * y)
    both = copies.elementwise(np.add, [x * y, x], [made, copies.slab(x, point)])
    assert isinstance(both, copies.Slab)
    spread = copies.elementwise(np.add, [x[:1], y], [copies.Point(place[:1] * 0, point.value[:1]), None])
    assert np.array_equal(copies.dense(x[:1] + y, spread)[..., 0], np.where(np.arange(4) == 0, 7.0, x[:1]) + y)
    stretched = copies.elementwise(np.add, [x[:1, :1], y], [copies.Point(place[:1] * 0, point.value[:1]), None])
    assert np.array_equal(copies.dense(x[:1, :1] + y, stretched)[..., 0], 7.0 + y)


def test_an_exhaustive_check_grades_by_single_numbers() -> None:
    text, at = mlp((6, 5, 3), "relu")
    point = point_of(text, at)
    found = check(point, parameters(at), exhaustive=True)
    assert set(counted(found)) <= {"agree", "not_exercised"}
    assert found.directions == []
    plain = check(point, parameters(at))
    pairs = [[t.answers["finite_difference"] for t in pair] for pair in zip(found.tensors, plain.tensors, strict=True)]
    moved = sum((a != b).sum() for a, b in pairs)
    assert moved > 30
    for factor in (1.01, -1.0):
        node = point.graph.inputs["W1"]
        before = point.gradients[node]
        point.gradients[node] = np.array(before)
        k = int(np.argmax(np.abs(before)))
        point.gradients[node].flat[k] *= factor
        again = check(point, parameters(at), exhaustive=True)
        wrong = [(t.name, j) for t in again.tensors for j, word in enumerate(words(t)) if word == "disagree"]
        assert wrong == [("W1", k)]
        point.gradients[node] = before


# Rules that lose digits, and rules that are wrong by as little.


@pytest.mark.parametrize("rule", ["(1 + out)*(1 - out)*1.0001", "1 - out^2 + 1e-6"])
def test_losing_digits_is_no_excuse_for_being_wrong(rule: str) -> None:
    at = {"x": [0.1, 3.0, 6.0, 9.0]}
    with rules_replaced("tanh", "partials", (rule,)):
        tensor = examined("sum(tanh(x))", at).tensors[0]
    assert set(words(tensor)) == {"disagree"}
    assert set(words(examined("sum(tanh(x))", at).tensors[0])) == {"agree"}


def test_rounding_inside_a_formula_is_known() -> None:
    with FLOAT_ARRAYS.active():
        size = inside("gelu_tanh", (), [np.array([-6.0, 1.0])])
    value = FLOAT_ARRAYS.function("gelu_tanh")(np.array([-6.0, 1.0]))
    assert size[0] > 1 > 1e-6 > abs(value[0])
    assert size[1] < 20 * value[1]
    assert inside("tanh", (), [np.array([5.0])]) == 0
