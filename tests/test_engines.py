"""The three engines on random expressions, against mpmath's own derivative."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import mpmath
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from support import run

import gradcheck
from gradcheck.arithmetic import balls
from gradcheck.checking import exact
from gradcheck.engines import chain, finite_difference
from gradcheck.errors import DomainError, Source
from gradcheck.language.parser import parse

RUNS = settings(max_examples=120, deadline=None, derandomize=True)
NAMES = {
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "exp": mpmath.exp,
    "tanh": mpmath.tanh,
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "erf": mpmath.erf,
    "asinh": mpmath.asinh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
}

atoms = st.sampled_from(["x", "y", "x", "y", "2", "0.5", "3"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["+", "-", "*", "/"])
    return st.one_of(
        st.tuples(inner, operator, inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(st.sampled_from(sorted(NAMES)), inner).map("{0[0]}({0[1]})".format),
        inner.map("{}**2".format),
        inner.map("-{}".format),
    )


expressions = st.recursive(atoms, larger, max_leaves=9).filter(lambda t: "x" in t.replace("exp", ""))
numbers = st.integers(-300, 300).map(lambda k: k / 100)


def true_slope(text: str, name: str, point: dict[str, float]) -> Any:
    """mpmath's derivative of the text as Python reads it; whole numbers are divided exactly."""
    code = compile(re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)", r"mpf('\1')", text), "<generated>", "eval")

    def function(t: Any) -> Any:
        values = {n: mpmath.mpf(v) for n, v in point.items()}
        return eval(code, {"__builtins__": {}, "mpf": mpmath.mpf, **NAMES}, {**values, name: t})

    with mpmath.workdps(60):
        h = mpmath.mpf("1e-18") * (abs(mpmath.mpf(point[name])) or 1)
        x = mpmath.mpf(point[name])
        with mpmath.workdps(140):
            ahead, back, ahead2, back2 = (function(x + k * h) for k in (1, -1, 2, -2))
            return (8 * (ahead - back) - (ahead2 - back2)) / (12 * h)


@RUNS
@given(expressions, numbers, numbers)
def test_engines_meet_the_truth(text: str, x: float, y: float) -> None:
    at = {n: v for n, v in {"x": x, "y": y}.items() if n in text.replace("exp", "")}
    try:
        report = gradcheck.check(text, at=at)
    except DomainError:
        return
    for g in report.checks[0].gradients:
        try:
            true = true_slope(text, g.input, at)
        except ZeroDivisionError:
            return
        assert g.verdict in ("agree", "lossy", "not_exercised"), (text, at, g)
        with mpmath.workdps(60):
            assert abs(mpmath.mpf(g.finite_difference) - true) <= mpmath.mpf(g.error_bound) + abs(true) * 1e-40
        assert math.isclose(g.symbolic, float(true), rel_tol=1e-14, abs_tol=1e-40)
        if g.verdict == "agree":
            assert math.isclose(
                g.backprop, float(true), rel_tol=2e-6, abs_tol=1e-9 * max(1, abs(report.checks[0].value))
            )


@RUNS
@given(expressions, numbers.filter(bool), st.sampled_from(["1.001*({})", "({}) + 0.001", "-({})", "({})*(1 + 1e-9)"]))
def test_a_wrong_claim_never_passes(text: str, x: float, wrong: str) -> None:
    """Claims made from the closed form: itself agrees, itself broken does not."""
    at = {"x": x, "y": 0.75} if "y" in text else {"x": x}
    try:
        report = gradcheck.check(text, at=at)
    except DomainError:
        return
    g = report.checks[0].gradients[[c.input for c in report.checks[0].gradients].index("x")]
    if g.formula is None or g.verdict != "agree" or abs(g.symbolic) < 1e-6:
        return
    if wrong.endswith("0.001") and abs(g.symbolic) > 1e9:
        return  # beyond the last digits of a float64
    claimed = gradcheck.check(text, at=at, claims={"x": wrong.format(g.formula)}, wrt=("x",))
    assert claimed.verdict == "disagree"
    assert gradcheck.check(text, at=at, claims={"x": g.formula}, wrt=("x",)).verdict in ("agree", "lossy")


@pytest.mark.parametrize(
    ("text", "x", "left", "right"),
    [
        ("abs(x)", 0.0, -1, 1),
        ("relu(x - 2)", 2.0, 0, 1),
        ("max(2*x, x^2)", 2.0, 2, 4),
        ("min(x, 3*x)", 0.0, 3, 1),
        ("leaky_relu(x)", 0.0, 0.01, 1),
        ("x*step(x) + abs(x)*2", 0.0, -2, 3),
        ("clip(x, -1, 1)", 1.0, 1, 0),
        ("hardtanh(4*x)", -0.25, 0, 4),
        ("elu(x, 3)", 0.0, 3, 1),
        ("where(x > 1, x^2, 3*x - 2)", 1.0, 3, 2),
        ("abs(sin(x))", 0.0, -1, 1),
        ("exp(abs(x))", 0.0, -1, 1),
        ("max(x, 0)*1e-12", 0.0, 0, 1e-12),
    ],
)
def test_one_sided_slopes(text: str, x: float, left: float, right: float) -> None:
    (g,) = gradcheck.check(text, at={"x": x}).checks[0].gradients
    assert g.verdict == "kink"
    assert f"slope {left:g} from the left, {right:g} from the right" in str(g.reason)
    low, high = sorted((left, right))
    assert math.isclose(g.finite_difference - g.error_bound, low, rel_tol=1e-9, abs_tol=1e-9 * abs(high))
    assert math.isclose(g.finite_difference + g.error_bound, high, rel_tol=1e-9, abs_tol=1e-9 * abs(low))


@pytest.mark.parametrize(
    "text", ["relu(x)^2", "x*abs(x)", "abs(x)^3", "relu(x)*x", "softsign(x) - x", "elu(x)", "where(x > 0, x^2, x^3)"]
)
def test_smooth_places_built_from_kinks_are_smooth(text: str) -> None:
    (g,) = gradcheck.check(text, at={"x": 0.0}, engines=("backprop", "finite_difference")).checks[0].gradients
    assert g.verdict == "agree", g


def test_depth_costs_no_recursion_and_no_blow_up() -> None:
    text = "; ".join(f"x{k + 1} = sin(x{k})*x{k} + y" for k in range(60)) + "; x60"
    report = gradcheck.check(text, at={"x0": 0.7, "y": 0.1})
    assert {g.verdict for g in report.checks[0].gradients} == {"agree"}


def test_a_long_chain() -> None:
    text = "+".join(["x*y"] * 3000)
    report = gradcheck.check(text, at={"x": 2.0, "y": 3.0})
    assert [g.backprop for g in report.checks[0].gradients] == [9000.0, 6000.0]


# Proofs.

STEEP = ["exp(3*x)", "sin(5*x)", "x^7", "1/(x + 0.1)", "tanh(4*x)*x", "lgamma(x)", "erf(2*x)", "sqrt(x)*log(x)"]
TRUTHS: dict[str, Any] = {
    "exp(3*x)": lambda x: 3 * mpmath.exp(3 * x),
    "sin(5*x)": lambda x: 5 * mpmath.cos(5 * x),
    "x^7": lambda x: 7 * x**6,
    "1/(x + 0.1)": lambda x: -1 / (x + mpmath.mpf(0.1)) ** 2,
    "tanh(4*x)*x": lambda x: mpmath.tanh(4 * x) + 4 * x * mpmath.sech(4 * x) ** 2,
    "lgamma(x)": lambda x: mpmath.psi(0, x),
    "erf(2*x)": lambda x: 4 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-4 * x * x),
    "sqrt(x)*log(x)": lambda x: mpmath.log(x) / (2 * mpmath.sqrt(x)) + 1 / mpmath.sqrt(x),
}


def ball_of(text: str, x: float, digits: int) -> Any:
    """The finite difference in balls of so many digits."""
    graph = parse(Source(text))
    level = exact.Level(graph, {"x": x}, digits, None)
    node = graph.inputs["x"]
    cone = level.differences.cone(node, 1000)
    assert cone is not None
    with level.active():
        return level.differences.slope(node, cone).value


def excess(text: str, x: float, digits: int) -> float:
    """The true error of a finite difference, as a part of its ball's radius."""
    ball = ball_of(text, x, digits)
    with mpmath.workdps(digits + 60), balls.precision(digits + 60):
        right = arb(mpmath.nstr(TRUTHS[text](mpmath.mpf(x)), digits + 50))
        return float(abs(ball.mid() - right) / ball.rad())


@pytest.mark.parametrize("text", STEEP)
@pytest.mark.parametrize("digits", [30, 100])
def test_the_ball_holds_the_slope_and_a_tenth_of_it_would_not(text: str, digits: int) -> None:
    found = [excess(text, x / 16, digits) for x in range(3, 51, 4)]
    assert max(found) <= 1
    assert max(found) > 0.1


@pytest.mark.parametrize("text", STEEP)
@pytest.mark.parametrize("digits", [30, 100])
def test_balls_too_narrow_are_noticed(text: str, digits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = finite_difference.quotient

    def narrow(ahead: Any, back: Any, rest: Any, h: Any) -> Any:
        found = plain(ahead, back, rest, h)
        return arb(found.mid(), found.rad() * 0.1)

    monkeypatch.setattr(finite_difference, "quotient", narrow)
    assert max(excess(text, x / 16, digits) for x in range(3, 51, 4)) > 1


def test_what_the_quotient_leaves_out_is_in_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = finite_difference.quotient

    def without(ahead: Any, back: Any, rest: Any, h: Any) -> Any:
        return (ahead - back) / (2 * h) if plain(ahead, back, rest, h).is_finite() else balls.NAN

    monkeypatch.setattr(finite_difference, "quotient", without)
    assert max(excess("exp(3*x)", x, 30) for x in (0.3, 0.7, 1.3, 2.9)) > 1


def row_of(text: str, at: dict[str, Any], name: str = "x", **options: Any) -> Any:
    found = gradcheck.check(text, at=at, **options).checks[0].gradients
    return next(g for g in found if g.input == name)


MORE_DIGITS = [
    ("cos(x) + y", {"x": 1e-200, "y": 2.0}, -1e-200),
    ("exp(-x) + 1", {"x": 600.0}, -math.exp(-600)),
    ("(x + 1e120) - 1e120 + 0*x^2", {"x": 3.0}, 1.0),
    ("erf(x)", {"x": 25.0}, 2 / math.sqrt(math.pi) * math.exp(-625)),
    ("sin(x)^2 + cos(x)^2 - 1 + 1e-150*x", {"x": 0.7}, 1e-150),
    ("exp(-300)*x + 1 - 1", {"x": 2.0}, math.exp(-300)),
    ("max(1 + tanh(x)*1e-150, 1 + tanh(y)*1e-150)", {"x": 0.7, "y": 0.5}, (1 - math.tanh(0.7) ** 2) * 1e-150),
    ("x/1e90 + y*1e90 - y*1e90", {"x": 3.0, "y": 0.1}, 1e-90),
]


@pytest.mark.parametrize(("text", "at", "slope"), MORE_DIGITS)
def test_more_digits_are_taken_until_it_is_decided(
    text: str, at: dict[str, Any], slope: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = row_of(text, at)
    assert math.isclose(g.finite_difference, slope, rel_tol=1e-14)
    assert g.error_bound <= 1e-13 * abs(slope) + 1e-323
    assert g.proved
    monkeypatch.setattr(exact, "DIGITS", (100,))
    monkeypatch.setattr(exact, "COSTS", (1,))
    monkeypatch.setattr(finite_difference, "ESTIMATED_FROM", 10**6)
    monkeypatch.setattr(exact.Exact, "_ahead", property(lambda self: next(self.levels())), raising=True)
    monkeypatch.setattr(exact, "ESTIMATED_FROM", 0)
    g = row_of(text, at)
    assert g.finite_difference is None or g.error_bound > 1e-13 * abs(slope)


@pytest.mark.parametrize(
    ("text", "at", "name"),
    [
        ("sum(softmax(x))", {"x": [0.1, 0.7, -0.4]}, "x"),
        ("softmax(q*(k + b))@v", {"q": 0.7, "k": [0.1, 0.9, -0.3], "b": 0.3, "v": [1.0, 2.0, 4.0]}, "b"),
        ("sum(w*(h + b - mean(h + b))/sqrt(var(h + b)))", {"w": [0.3, 1.1, 2.0], "h": [0.1, 0.4, 0.9], "b": 0.7}, "b"),
        ("sigmoid(x) + sigmoid(-x)", {"x": 0.3}, "x"),
        ("sin(x)^2 + cos(x)^2", {"x": 0.7}, "x"),
    ],
)
def test_a_gradient_that_is_zero_is_zero(text: str, at: dict[str, Any], name: str) -> None:
    """It is known as a ball that shrinks around zero with every digit, and never as a number like -2e-122."""
    found = [g for g in gradcheck.check(text, at=at).checks[0].gradients if g.input == name]
    assert found
    for g in found:
        assert (g.symbolic, g.finite_difference) == (0.0, 0.0)
        assert g.verdict in ("agree", "not_exercised")


@pytest.mark.parametrize(
    ("text", "at", "proved"),
    [
        ("sin(x)*x", {"x": 0.4}, True),
        ("abs(x)", {"x": 0.0}, True),
        ("floor(x) + x", {"x": 2.0}, True),
        ("x^1.5", {"x": 0.0}, True),
        ("max(tanh(x), tanh(y))", {"x": 1.0, "y": 1.0}, True),
        ("tanh(expm1(x) - expm1(x)) + x^2", {"x": 0.5}, True),
        ("cos(x)*((x - x)^(x + 1) + 2)", {"x": 0.5}, True),
        ("where(x > 0, x*sqrt(x), 0)*x", {"x": 0.0}, False),
        ("where(x > 0, x^2*log(x), 0)", {"x": 0.0}, False),
    ],
)
def test_it_is_said_whether_the_bar_is_proved(text: str, at: dict[str, Any], proved: bool) -> None:
    g = row_of(text, at)
    assert g.finite_difference is not None
    assert (g.proved, g.to_dict()["proved"]) == (proved, proved)


def test_what_no_digits_decide_is_said() -> None:
    text = "where(sin(x)^2 + cos(x)^2 >= 1, x, 2*x)"
    report = gradcheck.check(text, at={"x": 0.3})
    (g,) = report.checks[0].gradients
    assert (report.exit_code, g.verdict) == (4, "inconclusive")
    assert g.reason == "which side ge in `sin(x)^2 + cos(x)^2 >= 1` is on cannot be told in 4000 digits"
    assert (g.symbolic, g.finite_difference) == (None, None)


@pytest.mark.parametrize(
    ("text", "at", "left", "right"),
    [
        ("atan2(x, y)", {"x": 0.0, "y": -2.0}, -0.5, -0.5),
        ("floor(x)*3 + x^2", {"x": 2.0}, 4, 4),
        ("where(x > 1, 5, 2)*x", {"x": 1.0}, 2, 5),
    ],
)
def test_a_jump_has_no_slope(text: str, at: dict[str, Any], left: float, right: float) -> None:
    g = row_of(text, at)
    assert g.verdict == "kink"
    assert g.proved
    assert str(g.reason).startswith(f"the value jumps here: slope {left:g} from the left, {right:g} from the right")


@pytest.mark.parametrize("x", [-0.5, -3.25, -40.125])
def test_gamma_functions_left_of_zero_are_proved(x: float) -> None:
    for name in ("gamma", "lgamma", "digamma"):
        g = row_of(f"{name}(x)", {"x": x})
        assert (g.verdict, g.proved) == ("agree", True)


@pytest.mark.parametrize(
    "text", ["sqrt(x) + step(x)", "cbrt(where(x > 0, x, -1))", "step(x) - where(x > 0, sqrt(x), x)"]
)
def test_beside_a_jump_a_slope_may_be_infinite_too(text: str) -> None:
    with pytest.raises(DomainError, match="infinite"):
        gradcheck.check(text, at={"x": 0.0}, engines=("backprop", "finite_difference"))


@pytest.mark.parametrize("text", ["max(acosh(x), 1)*x", "asin(x)*0 + x"])
def test_where_a_domain_ends_there_is_one_side(text: str) -> None:
    graph = parse(Source(text))
    level = exact.Level(graph, {"x": 1.0}, 400, None)
    cone = level.differences.cone(graph.inputs["x"], 100)
    assert cone is not None
    with level.active():
        slope = level.differences.slope(graph.inputs["x"], cone)
    assert slope.kind == finite_difference.EDGE
    assert (slope.left is None) == ("asin" not in text)
    assert slope.value.overlaps(arb(1))


def test_ties_of_numbers_that_are_computed_alike_are_ties() -> None:
    found = gradcheck.check("max(tanh(x)*3, tanh(y)*3) + z", at={"x": 0.7, "y": 0.7, "z": 1.0}).checks[0].gradients
    assert [g.verdict for g in found] == ["kink", "kink", "agree"]


def test_many_numbers_are_checked_gate_by_gate_and_all_of_them() -> None:
    text = "+".join(f"{'tanh' if k % 2 else 'sin'}(x{k}*y)" for k in range(300))
    at = {"y": 0.7, **{f"x{k}": 0.01 * k - 1.2 for k in range(300)}}
    report = gradcheck.check(text, at=at)
    assert "along a random direction end to end" in report.checks[0].method
    found = report.checks[0].gradients
    assert {g.verdict for g in found} == {"agree"}
    assert all(g.finite_difference is not None and g.proved for g in found)
    for g in [g for g in found if g.input != "y"][1:4]:
        k = int(g.input[1:])
        slope = (1 / math.cosh(g.at * 0.7) ** 2 if k % 2 else math.cos(g.at * 0.7)) * 0.7
        assert math.isclose(g.finite_difference, slope, rel_tol=1e-12)


def test_gates_that_do_not_add_up_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The direction goes end to end: it notices a chain rule that is wrong, and numbers are moved one by one."""
    text = "+".join(f"sin(x{k}*y)" for k in range(120))
    at = {"y": 0.7, **{f"x{k}": 0.01 * k - 0.3 for k in range(120)}}
    plain = chain.adjoints

    def loses(graph: Any, values: Any, one: Any, local: Any, nan: Any) -> Any:
        found = plain(graph, values, one, local, nan)
        node = graph.inputs["y"]
        return [x * 2 if k == node else x for k, x in enumerate(found)]

    monkeypatch.setattr(finite_difference.chain, "adjoints", loses)
    report = gradcheck.check(text, at=at, engines=("backprop", "finite_difference"))
    assert "direction" not in report.checks[0].method
    assert report.verdict == "agree"


LINEAR = """\
gradcheck: 1
inputs: {{x: {{shape: [{rows}, {columns}], init: normal_}}}}
layers:
- {{name: fc, type: Linear, in_features: {columns}, out_features: 5}}
- {{name: act, type: Tanh}}
"""


@pytest.mark.parametrize(
    ("rows", "columns", "exhaustive", "said", "proved"),
    [
        (2, 3, False, "every number by itself, proved in balls", True),
        (20, 40, False, "every number by the differences of the gates, proved in balls, and along", True),
        (5, 20, True, "every number by itself, proved in balls", True),
        (120, 120, False, "gate by gate, estimated in float64", False),
    ],
)
def test_how_a_network_is_checked_is_said(
    rows: int, columns: int, exhaustive: bool, said: str, proved: bool, tmp_path: Path
) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(LINEAR.format(rows=rows, columns=columns), encoding="utf-8")
    (check,) = gradcheck.verify(str(spec), exhaustive=exhaustive).checks
    assert check.method.startswith(said)
    assert {tensor.number(0).proved for tensor in check.tensors} == {proved}


def test_json_says_it_too() -> None:
    done = run("expr", "sin(x)*x", "--at", "x=1", "-o", "json")
    assert json.loads(done.out)["checks"][0]["gradients"][0]["proved"] is True
