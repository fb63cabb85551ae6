"""The three engines on random expressions, against mpmath's own derivative."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck
from gradcheck.checking import exact
from gradcheck.errors import DomainError

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
    """mpmath's derivative of the text as Python reads it."""
    code = compile(text, "<generated>", "eval")

    def function(t: Any) -> Any:
        values = {n: mpmath.mpf(v) for n, v in point.items()}
        return eval(code, {"__builtins__": {}, **NAMES}, {**values, name: t})

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


def test_a_smooth_place_needs_no_fine_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass in 420 digits costs more than all else together."""
    asked: list[int] = []
    known = exact.number_system
    monkeypatch.setattr(exact, "number_system", lambda simple, digits: asked.append(digits) or known(simple, digits))
    gradcheck.check("sin(x*y) + y^2", at={"x": 0.5, "y": 1.5})
    assert asked
    assert max(asked) < 420
    gradcheck.check("abs(x)", at={"x": 0})
    assert max(asked) >= 420
