"""`where` on arrays: an element that is not chosen passes nothing back, not even a zero."""

from __future__ import annotations

from typing import Any

import pytest

import gradcheck

MASK = [1.0, -1.0]

CASES: list[tuple[str, dict[str, Any]]] = [
    ("where(x > 0, log(x), x)", {"x": [-1.0, 2.0]}),
    ("where(x > 0, sqrt(x), x)", {"x": [4.0, -1.0]}),
    ("where(x >= 0, sqrt(x - 1), x)", {"x": [-1.0, 2.0]}),
    ("where(x != 0, sin(x)/x, 1)", {"x": [0.5, 2.0]}),
    ("where(x > 0, where(x > 1, x^2, x), x^3)", {"x": [-1.0, 2.0, 0.5]}),
    ("where(m > 0, y[::-1], 0)", {"m": MASK, "y": [5.0, 6.0]}),
    ("where(m > 0, y[1:], 0)", {"m": MASK, "y": [4.0, 5.0, 6.0]}),
    ("where(m > 0, norm(y, axis=0), 0)", {"m": MASK, "y": [[5.0, 6.0], [7.0, 3.0]]}),
    ("where(m > 0, softmax(y), 0)", {"m": MASK, "y": [5.0, 6.0]}),
    ("where(m > 0, W @ y, 0)", {"m": MASK, "W": [[1.0, 2.0], [3.0, 4.0]], "y": [5.0, 6.0]}),
    ("where(m > 0, outer(y, y), 0)", {"m": MASK, "y": [5.0, 6.0]}),
    ("where(m > 0, y.reshape(2, 1), 0)", {"m": [[1.0], [-1.0]], "y": [5.0, 6.0]}),
    ("where(m > 0, concat(y, y)[1:3], y)", {"m": MASK, "y": [5.0, 6.0]}),
    ("where(x > 0, x, y)", {"x": [1.0, 2.0], "y": 3.0}),
    ("where(x > y, x*y, y)", {"x": [1.0, 2.0, 3.0], "y": 9.0}),
    ("where(x > y, x*y, y)", {"x": [1.0], "y": [2.0, 3.0]}),
    ("where(sum(x) > 0, log(sum(x)), x[0])", {"x": [-1.0, -2.0]}),
    ("where(x > 1, sqrt(cumsum(x) - 1), x)", {"x": [0.5, 2.0]}),
]


@pytest.mark.parametrize(("expression", "at"), CASES)
def test_right_gradients_are_accepted(expression: str, at: dict[str, Any]) -> None:
    report = gradcheck.check(expression, at=at)
    assert {g.verdict for g in report.checks[0].gradients} <= {"agree", "not_exercised"}
    assert report.exit_code == 0


def test_guarded_division_at_the_guard() -> None:
    """x/norm(x) behind a test for zero: the value jumps there, and backprop's 0 is no NaN."""
    report = gradcheck.check("where(norm(x) > 0, x/norm(x), 0)", at={"x": [0.0, 0.0]})
    assert [(g.verdict, g.backprop) for g in report.checks[0].gradients] == [("kink", 0.0)] * 2


def test_a_nan_that_is_reached_is_reported() -> None:
    """Without `where`, zero times an infinite slope is NaN, and wrong."""
    report = gradcheck.check("sum(sqrt(sum(x^2, axis=0))^2)", at={"x": [[0.0], [0.0]]})
    assert {g.verdict for g in report.checks[0].gradients} == {"disagree"}
    assert "sqrt" in (report.checks[0].gradients[0].reason or "")


@pytest.mark.parametrize("expression", ["logsumexp(x)", "softmax(x)[0]", "log_softmax(x)[0]"])
def test_large_logits(expression: str) -> None:
    """The definition passes through exp(1000); the stable float64 form does not."""
    report = gradcheck.check(expression, at={"x": [1000.0, 999.0]})
    for g in report.checks[0].gradients:
        assert g.verdict == "agree"
        assert g.error_bound is not None
        assert g.error_bound < 1e-15
