"""Large graphs gate by gate: right gradients pass, every wrong one is caught where it is wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from breaking import MUTATIONS, mutated, replaced, rules_replaced
from float_points import check, counted, culprits, examined, mlp, parameters, point_of, words
from support import cases

from gradcheck.checking import end_to_end as lines
from gradcheck.checking.array_place import ArrayPlace
from gradcheck.checking.gate_by_gate import _onward
from gradcheck.checking.in_float64 import examine
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.judge_arrays import Arrays, judge
from gradcheck.checking.points import read, resolve
from gradcheck.engines.flows import BarredFlow
from gradcheck.errors import DomainError, Source
from gradcheck.networks.loading import load
from gradcheck.ops import OPS

ROWS = cases("array_ops.jsonl")
IDS = [f"{row['expr']} at {row['at']}" for row in ROWS]


def at_of(text: str) -> dict[str, Any]:
    (point,) = read([text])
    return {name: np.asarray(resolve(value, name, 0), dtype=float) for name, value in point.items()}


# Every array op, right and broken.


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_right_rules_agree(row: dict[str, Any]) -> None:
    found = examined(row["expr"], at_of(row["at"]))
    assert set(counted(found)) <= {"agree", "not_exercised"}
    assert counted(found)["agree"] > 0
    assert [d.word for d in found.directions] == ["agree"]


def broken_rules(row: dict[str, Any]) -> dict[str, Any]:
    """Return what was done → the op's rules, broken: each rule in every way, and two exchanged."""
    op = OPS[row["op"]]
    rules = op.partials or (op.vjp[row["ranks"]] if isinstance(op.vjp, Mapping) else op.vjp)
    broken = {
        f"{k} {m}": replaced(tuple(rules), k, mutated(rule, m))
        for k, rule in enumerate(rules)
        for m in MUTATIONS
        if rule != "0"
    }
    if row.get("swap"):
        broken["swapped"] = (*rules[:-2], rules[-1], rules[-2])
    if isinstance(op.vjp, Mapping) and op.vjp:
        return {what: {**op.vjp, row["ranks"]: changed} for what, changed in broken.items()}
    return broken


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_broken_rules_are_caught_and_named(row: dict[str, Any]) -> None:
    at, missed = at_of(row["at"]), []
    field = "partials" if OPS[row["op"]].partials else "vjp"
    for what, rules in broken_rules(row).items():
        with rules_replaced(row["op"], field, rules):
            point = point_of(row["expr"], at)
            found = check(point)
        if not counted(found)["disagree"] or culprits(found, point) != [row["op"]]:
            missed.append((what, dict(counted(found)), culprits(found, point)))
    assert missed == []


# Networks.

NETWORKS = {
    "tanh": mlp((5, 7, 4, 3)),
    "relu": mlp((5, 7, 4, 3), "relu", seed=1),
    "gelu": mlp((5, 7, 4, 3), "gelu", seed=2),
    "wide": mlp((40, 30, 10), "silu", batch=20, seed=3),
}
ATTENTION = (
    "h = x @ Wq; k = x @ Wk; a = softmax(h @ k.mT / 2, axis=-1); o = a @ (x @ Wv);"
    " n = (o - mean(o, axis=-1, keepdims=True))/sqrt(var(o, axis=-1, keepdims=True) + 1e-5)*g;"
    " c = concat(n[:, 0], max(n, axis=1), axis=-1); sum(norm(c, axis=-1)) + sum(std(n, axis=1, ddof=1))"
)


def attention() -> dict[str, Any]:
    random = np.random.default_rng(5)
    shapes = {"x": (2, 4, 6), "Wq": (6, 5), "Wk": (6, 5), "Wv": (6, 5), "g": (5,)}
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_agree(name: str) -> None:
    text, at = NETWORKS[name]
    found = examined(text, at, parameters(at))
    assert set(counted(found)) <= {"agree", "not_exercised"}
    assert counted(found)["agree"] >= 40
    assert all(tensor.bound is not None and tensor.bound < 1e-3 for tensor in found.tensors)
    assert [d.word for d in found.directions] == ["agree"]


def test_attention_agrees_and_so_do_products_of_four_axes() -> None:
    assert set(counted(examined(ATTENTION, attention()))) == {"agree"}
    random = np.random.default_rng(0)
    at = {"x": random.normal(size=(2, 3, 4, 5)), "y": random.normal(size=(3, 5, 2)), "w": random.normal(size=(4, 2))}
    assert set(counted(examined("sum(w*(x @ y)^2)", at))) == {"agree"}


@pytest.mark.parametrize("row", cases("layers.jsonl")[::9], ids=lambda row: row["id"])
def test_no_layer_raises_a_false_alarm(row: dict[str, Any]) -> None:
    (network,), _ = load(Source(json.dumps(row["spec"]), "case"))
    point = ArrayPlace(network.graph, network.point)
    found = examine(point, network.wrt)
    assert set(counted(found)) <= {"agree", "not_exercised", "lossy"}
    assert {d.word for d in found.directions} <= {"agree", "inconclusive"}


# One wrong number among many.


def wrong_once(point: ArrayPlace, name: str, place: int, factor: float) -> None:
    node = point.graph.inputs[name]
    gradient = np.array(point.gradients[node])
    gradient.flat[place] *= factor
    point.gradients[node] = gradient


@pytest.mark.parametrize("factor", [1 + 1e-5, 1 - 1e-5, -1.0, 0.0, np.nan, np.inf, 2.0])
@pytest.mark.parametrize("net", ["tanh", "relu", "wide"])
def test_one_wrong_number_is_caught_and_no_other(net: str, factor: float) -> None:
    text, at = NETWORKS[net]
    point = point_of(text, at)
    for name in parameters(at):
        place = int(np.argmax(np.abs(point.gradients[point.graph.inputs[name]])))
        before = point.gradients[point.graph.inputs[name]]
        wrong_once(point, name, place, factor)
        found = check(point, parameters(at))
        point.gradients[point.graph.inputs[name]] = before
        wrong = [(t.name, k) for t in found.tensors for k, word in enumerate(words(t)) if word == "disagree"]
        assert wrong == [(name, place)]


def test_a_wrong_number_inside_is_caught_though_nothing_else_is_wrong_there() -> None:
    """One element of one gate's contribution, 1e-5 too large: what lies behind is wrong, the gate is named."""
    text, at = NETWORKS["wide"]
    point = point_of(text, at)
    tanh = point.graph.ops.index("silu")
    (before,) = point.graph.operands(tanh)
    gradient = np.array(point.gradients[before])
    gradient[3, 4] *= 1 + 1e-5
    point.gradients[before] = gradient
    found = check(point, parameters(at))
    assert culprits(found, point)[0] == "silu"


def test_a_rule_that_only_passes_on_a_wrong_gradient_is_not_blamed() -> None:
    text, at = NETWORKS["tanh"]
    with rules_replaced("log_softmax", "vjp", ("g - 1.001*exp(out)*sum(g, axis=axis, keepdims=True)",)):
        point = point_of(text, at)
        found = check(point, parameters(at))
    assert culprits(found, point) == ["log_softmax"]
    assert counted(found)["disagree"] > 50
    reasons = [why for tensor in found.tensors for why in tensor.reasons.values()]
    assert all("at fault: log_softmax" in why for why in reasons)


def test_two_broken_rules_are_both_named() -> None:
    with rules_replaced("tanh", "partials", ("1.01*(1 - out^2)",)), rules_replaced("exp", "partials", ("-out",)):
        point = point_of("sum(exp(sin(tanh(x))))", {"x": [0.3, -0.7, 1.1]})
        found = check(point)
    assert culprits(found, point) == ["exp", "tanh"]
    assert set(words(found.tensors[0])) == {"disagree"}


def test_of_several_users_only_the_wrong_one_is_named() -> None:
    with rules_replaced("sin", "partials", ("-cos(x)",)):
        point = point_of("h = x*y; sum(sin(h) + exp(h) + h^2)", {"x": [0.3, 0.7], "y": [1.5, -0.4]})
        found = check(point)
    assert culprits(found, point) == ["sin"]


# Kinks, jumps, edges.


def test_kinks_at_zero_are_kinks_and_the_rest_agrees() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(6, 5))
    x[1, 2] = x[4, 0] = 0.0
    tensor = examined("sum(w*relu(x))", {"x": x, "w": random.normal(size=(6, 5))}).tensors[0]
    assert Counter(words(tensor)) == {"kink": 2, "agree": int((x > 0).sum()), "not_exercised": int((x < 0).sum())}
    assert tensor.words[1 * 5 + 2] == tensor.words[4 * 5 + 0] == SEVERITY.index("kink")


def test_kinks_are_seen_through_the_layers_behind_them() -> None:
    text, at = mlp((4, 5, 3), "relu")
    at["x"][0] = 0
    at["b1"][:] = 0
    tensors = {t.name: t for t in examined(text, at, parameters(at)).tensors}
    assert set(words(tensors["b1"])) == {"kink"}
    assert "disagree" not in words(tensors["W1"])
    assert set(words(tensors["W2"])) == {"agree"}


def test_a_wrong_value_at_a_kink_is_wrong() -> None:
    with rules_replaced("relu", "partials", ("where(x == 0, 1.5, step(x))",)):
        tensor = examined("sum(w*relu(x))", {"x": [0.0, 1.0], "w": [2.0, 3.0]}).tensors[0]
    assert words(tensor) == ["disagree", "agree"]
    assert "one-sided" in tensor.reasons[0]


@pytest.mark.parametrize("size", [1, 30])
def test_kinks_that_cancel_leave_a_slope(size: int) -> None:
    tensor = examined("sum(relu(x) - relu(-x))", {"x": np.zeros(size)}).tensors[0]
    assert set(words(tensor)) == {"disagree"}


def test_the_largest_of_several_equals_is_a_kink_but_not_of_its_own_copy() -> None:
    assert words(examined("max(x)", {"x": [2.0, 2.0, 1.0]}).tensors[0]) == ["kink", "kink", "not_exercised"]
    assert words(examined("max(concat(x, x))", {"x": [2.0, 1.0]}).tensors[0])[0] in ("agree", "kink")
    tensor = examined("sum(softmax(x)*w)", {"x": [0.0, 0.0, 0.0], "w": [1.0, 2.0, 4.0]}).tensors[0]
    assert set(words(tensor)) <= {"agree"}


def test_padding_that_repeats_an_element_makes_no_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gates know it by themselves, without moving single numbers."""
    monkeypatch.setattr(lines, "MOST_SINGLE", 0)
    monkeypatch.setattr(lines, "WORK", 0)
    pool = {"type": "MaxPool1d", "inputs": "x", "kernel_size": 3, "stride": 2, "padding": 1}
    spec = {
        "gradcheck": 1, "inputs": {"x": [[[3.0, 1.0, 2.0, 5.0]]]},
        "nodes": {"p": pool, "out": {"expr": "mean(p^2)"}}, "output": "out",
    }  # fmt: skip
    (network,), _ = load(Source(json.dumps(spec), "case"))
    point = ArrayPlace(network.graph, network.point)
    assert words(examine(point, ["x"]).tensors[0]) == [
        "agree", "not_exercised", "not_exercised", "agree",
    ]  # fmt: skip


@pytest.mark.parametrize("near", [1e-3, 1e-6, 1e-9, 1e-13, 1e-300])
def test_just_beside_a_kink_there_is_none(near: float) -> None:
    tensor = examined("sum(w*relu(x))", {"x": [near, -near, 2 * near], "w": [1.0, 2.0, 3.0]}).tensors[0]
    assert words(tensor) == ["agree", "not_exercised", "agree"]
    if near > 1e-15:
        tensor = examined("sum(w*hardtanh(x))", {"x": [1 + near, 1 - near, -1 + near], "w": [1.0, 2.0, 3.0]}).tensors[0]
        assert words(tensor)[1:] == ["agree", "agree"]
        assert words(tensor)[0] in ("agree", "not_exercised")


def test_an_infinite_slope_is_an_error_and_a_dead_branch_is_not() -> None:
    with pytest.raises(DomainError, match="infinite"):
        examined("sum(w*sqrt(x))", {"x": [1.0, 0.0], "w": [1.0, 2.0]})
    found = examined("sum(where(x > 0.5, sqrt(x), x))", {"x": [1.0, 0.0]})
    assert set(counted(found)) == {"agree"}


def test_a_norm_of_nothing_is_a_kink() -> None:
    tensor = examined("sum(norm(x, axis=1))", {"x": [[0.0, 0.0], [3.0, 4.0]]}).tensors[0]
    assert words(tensor) == ["kink", "kink", "agree", "agree"]


def test_a_steep_op_behind_a_level_one_does_not_matter() -> None:
    at = {"x": [[1.0, 2.0], [1.0, 1.0]], "W": [[1.0, -2.0], [1.0, -0.1]]}
    found = examined("sum(norm(relu(x @ W), axis=0))", at, ["W"])
    assert words(found.tensors[0]) == ["agree", "not_exercised"] * 2
    found = examined("sum(norm(relu(x @ W - 5), axis=1))", at)
    assert set(counted(found)) == {"not_exercised"}


def test_the_border_of_a_choice_is_seen() -> None:
    tensor = examined("sum(where(x > 0, x, 0.1*x))", {"x": [0.0, 2.0, -1.0]}).tensors[0]
    assert words(tensor) == ["kink", "agree", "agree"]


# Numbers that prove nothing, and numbers without digits.


def test_an_input_without_a_say_is_not_exercised() -> None:
    found = examined("sum(x) + 0*sum(y) + sum(floor(z))", {"x": [1.0], "y": [1.0, 2.0], "z": [0.5, 2.5]})
    assert [words(tensor) for tensor in found.tensors] == [["agree"], ["not_exercised"] * 2, ["not_exercised"] * 2]
    assert found.tensors[1].reasons[0] == "the value does not change with this input here"


def test_a_gradient_that_is_zero_only_here_agrees() -> None:
    assert words(examined("sum(x^2)", {"x": [0.0, 1.0]}).tensors[0]) == ["agree", "agree"]


def test_a_saturated_unit_is_not_a_mistake() -> None:
    at = {"x": [5.0, 9.0, 14.0, 18.0, 25.0, -30.0, 0.1]}
    for text in ("sum(tanh(x))", "sum(sigmoid(x))", "sum(gelu_tanh(-x))", "sum(erf(x))", "sum(softplus(-x))"):
        seen = words(examined(text, at).tensors[0])
        assert set(seen) <= {"agree", "lossy", "not_exercised"}, (text, seen)
        assert seen[0] == seen[6] == "agree"


def test_cancelled_digits_are_lossy_and_a_cancelled_sum_is_a_zero() -> None:
    at = {"x": [1.0, 2.0], "w": [[1e10, 1.0], [-1e10, 1.0]], "v": [[1e10], [1e10 + 1e-4]]}
    tensor = examined("sum(x @ (w*v))", at, ["x", "v"]).tensors[0]
    assert set(words(tensor)) <= {"agree"}
    found = examined("sum(a*x) - sum(b*x)", {"a": [1e10], "b": [1e10 - 0.03], "x": [2.0]}, ["x"])
    assert words(found.tensors[0]) == ["lossy"]
    assert "terms" in found.tensors[0].reasons[0]
    found = examined("sum(softmax(x))", {"x": np.linspace(-1, 1, 7)})
    assert set(counted(found)) <= {"agree", "not_exercised"}


def test_what_lies_behind_lost_digits_has_lost_them_too() -> None:
    at = {"a": [1e10], "b": [1e10 - 0.03], "x": [2.0], "p": [0.7]}
    found = examined("h = sin(p)*x; sum(a*h) - sum(b*h)", at, ["p", "x", "a"])
    assert [words(tensor) for tensor in found.tensors] == [["lossy"], ["lossy"], ["agree"]]


def test_doubts_go_further_back_and_nothing_else_does() -> None:
    parts = [[1.0, 2.0], [1e-12, np.inf], [1.0, 2.0], [0.0, np.inf], [0.0, 0.0]]
    found = Arrays(*(np.array(part) for part in parts))
    flow = _onward(np.array([1.0, 7.0]), found, np.array([False, False]), False)
    assert flow.value.tolist() == [1, 7]
    assert flow.bar.tolist() == [0, np.inf]
    sure = found._replace(allowed=np.full(2, 1e-12), bar=np.zeros(2))
    assert _onward(np.array([1.0, 7.0]), sure, np.array([False, True]), False) == BarredFlow(pytest.approx([1.0, 2.0]))


# A number: backprop's gradient, then value, allowed, size, bar and width of the differences.
JUDGED = [
    ((1.0, 1.0, 1e-12, 1.0, 0.0, 0.0), "agree"),
    ((1.1, 1.0, 1e-2, 1.0, 0.0, 0.0), "disagree"),
    ((1.0, 1.0, 1e-2, 1.0, 1e-2, 0.0), "inconclusive"),
    ((1.0, 1.0, 2e-3, 10.0, 2e-3, 0.0), "inconclusive"),
    ((1.0, 1.0, np.inf, 1.0, np.inf, 0.0), "inconclusive"),
    ((1.0, 1.0, 1e-2, 1e10, 1e-6, 0.0), "lossy"),
    ((1e-3, 0.0, 1e-2, 1e10, 1e-6, 0.0), "agree"),
    ((1e-1, 0.0, 1e-2, 1e10, 1e-6, 0.0), "disagree"),
    ((0.0, 0.0, 2.0**-1040, 0.0, 0.0, 0.0), "not_exercised"),
    ((0.0, 0.5, 1e-9, 1.0, 0.0, 0.5), "kink"),
    ((1.1, 0.5, 1e-9, 1.0, 0.0, 0.5), "disagree"),
    ((np.nan, 1.0, 1e-12, 1.0, 0.0, 0.0), "disagree"),
    ((np.nan, 1.0, np.inf, 1.0, np.inf, 0.0), "disagree"),
    ((np.inf, 1.0, 1e-12, 1.0, 0.0, 0.0), "disagree"),
]


@pytest.mark.parametrize(("number", "word"), JUDGED)
def test_one_number_is_judged(number: tuple[float, ...], word: str) -> None:
    graded, *parts = (np.array([part]) for part in number)
    beside = [np.append(part, default) for part, default in zip(parts, (1.0, 1e-12, 1.0, 0.0, 0.0), strict=True)]
    assert SEVERITY[judge(graded, Arrays(*parts))[0]] == word
    assert [SEVERITY[k] for k in judge(np.append(graded, 1.0), Arrays(*beside))] == [word, "agree"]


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e-5, 1e5, 1e30, 1e150])
def test_scales_do_not_matter(scale: float) -> None:
    at = {"x": scale * np.array([1.5, -0.7, 0.3]), "w": [1.0, -2.0, 3.0]}
    texts = ("sum(w*x^2)", "sum(w*x)/norm(x)", "sum(w*abs(x))", "max(w*x)", "sum(w*relu(x))", "sum(x*x/(1 + abs(x)))")
    for text in texts:
        found = examined(text, at, ["x"])
        assert set(counted(found)) <= {"agree", "not_exercised"}, text
        assert counted(found)["agree"] >= 1, text


def test_a_large_offset_does_not_matter() -> None:
    x = 1e8 + np.random.default_rng(1).normal(size=(4, 6))
    text = "sum(w*(x - mean(x, axis=0, keepdims=True))/sqrt(var(x, axis=0, keepdims=True) + 1e-5))"
    found = examined(text, {"x": x, "w": np.random.default_rng(2).normal(size=(4, 6))})
    assert set(counted(found)) <= {"agree", "lossy"}
    found = examined("sum(w*logsumexp(x, axis=1))", {"x": x, "w": [1.0, 2.0, 3.0, 4.0]})
    assert set(counted(found)) == {"agree"}


def test_results_are_arrays_of_the_inputs_shapes() -> None:
    text, at = NETWORKS["tanh"]
    point = point_of(text, at)
    found = check(point, ["W2", "b1"])
    assert [t.name for t in found.tensors] == ["W2", "b1"]
    for tensor in found.tensors:
        whole = point.gradients[point.graph.inputs[tensor.name]]
        assert tensor.shape == whole.shape
        gradient = whole.ravel()
        assert np.array_equal(tensor.answers["backprop"], gradient)
        assert np.array_equal(tensor.at, point.point[tensor.name].ravel())
        assert gradient.shape == tensor.words.shape == tensor.error_bound.shape
        assert (np.abs(tensor.answers["finite_difference"] - gradient) <= tensor.error_bound).all()
        assert (tensor.error_bound < 1e-6 * np.abs(gradient) + 1e-9).all()
        assert tensor.reasons == {}
        assert found.culprits[tensor.name] == []


def test_the_seed_chooses_the_direction() -> None:
    text, at = NETWORKS["tanh"]
    first, again, other = (examined(text, at, parameters(at), seed=seed).directions[0] for seed in (0, 0, 1))
    assert first == again
    assert first.backprop != other.backprop
