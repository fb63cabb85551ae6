"""The checker is itself tested: each part broken on purpose must change the verdict."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import gradcheck
from gradcheck.arithmetic import arrays, balls, loops, series, structural, system
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.symbols import SYMBOLS
from gradcheck.checking import exact, judge
from gradcheck.checking import number_by_number as grading
from gradcheck.checking.judge import Answer
from gradcheck.engines import backprop, finite_difference, symbolic
from gradcheck.ops import OPS

FORKED = ("x*y + x*z", {"x": 2.0, "y": 3.0, "z": 5.0})
BROADCAST = ("sum(w*(x + y))", {"x": [[1.0, 2.0], [3.0, 4.0]], "y": [0.5, -1.5], "w": [[1.0, 3.0], [0.5, 2.0]]})
STRETCHED = ("sum(w*(x + y))", {"x": [[1.0, 2.0]], "y": [[0.5], [-1.5]], "w": [[1.0, 3.0], [0.5, 2.0]]})


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Compiled functions outlive a test: forget them before and after."""
    forget()
    yield
    forget()


def forget() -> None:
    for module in (arrays, balls, series, symbolic):
        for value in list(vars(module).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    symbolic._partials.clear()
    SYMBOLS._functions.clear()
    loops.forward_loop.cache_clear()
    loops.backward_loop.cache_clear()


def verdict(expression: str, at: Any, **options: Any) -> str:
    return gradcheck.check(expression, at=at, **options).verdict


def test_nothing_is_broken_to_begin_with() -> None:
    assert [verdict(*FORKED), verdict(*BROADCAST), verdict(*STRETCHED)] == ["agree"] * 3


def rewriting(monkeypatch: pytest.MonkeyPatch, before: str, after: str) -> None:
    """Change a piece of the generated backward loop."""
    plain = loops._rules

    def changed(writer: Any, op: str) -> list[str]:
        return [line.replace(before, after) for line in plain(writer, op)]

    monkeypatch.setattr(loops, "_rules", changed)


def test_accumulate_overwrites(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last contribution wins, as with = where += is right."""
    source = inspect.getsource(backprop._over_gate)
    wrong = source.replace("flow if so_far is None else so_far + flow", "flow")
    assert wrong != source
    names = dict(vars(backprop))
    exec("from __future__ import annotations\n" + wrong, names)
    monkeypatch.setattr(backprop, "_over_gate", names["_over_gate"])
    report = gradcheck.check(FORKED[0], at=FORKED[1])
    assert [g.verdict for g in report.checks[0].gradients] == ["disagree", "agree", "agree"]


def test_accumulate_overwrites_in_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "WORTH_A_LOOP", 0)
    rewriting(monkeypatch, "u if so_far is None else so_far + u", "u")
    rewriting(monkeypatch, "w if so_far is None else so_far + w", "w")
    report = gradcheck.check(FORKED[0], at=FORKED[1])
    assert [g.verdict for g in report.checks[0].gradients] == ["disagree", "agree", "agree"]
    assert report.checks[0].gradients[0].backprop == 3.0


@pytest.mark.parametrize(("case", "wrong"), [(BROADCAST, "y"), (STRETCHED, "xy")])
def test_array_accumulate_overwrites(case: Any, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum over the broadcast axes is left out: one row stands for all."""

    def first_row_only(total: Any, contribution: Any, operand: Any) -> Any:
        import numpy as np

        shape, c = np.shape(operand), np.asarray(contribution)
        while c.ndim > len(shape):
            c = c[0]
        for k, n in enumerate(shape):
            if n == 1 and c.shape[k] != 1:
                c = np.take(c, [0], axis=k)
        return structural.accumulate(total, c, operand)

    patched = (arrays.FLOAT_ARRAYS, "accumulate", first_row_only)
    monkeypatch.setattr(*patched)
    monkeypatch.setattr(arrays, "accumulate", first_row_only)
    found = gradcheck.check(case[0], at=case[1]).checks[0].gradients
    assert {g.input for g in found if g.verdict == "disagree"} == set(wrong)


def test_array_contributions_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def last_wins(_: Any, contribution: Any, operand: Any) -> Any:
        return structural.accumulate(None, contribution, operand)

    monkeypatch.setattr(arrays.FLOAT_ARRAYS, "accumulate", last_wins)
    monkeypatch.setattr(arrays, "accumulate", last_wins)
    assert verdict("sum(x*x)", {"x": [1.0, 2.0]}) == "disagree"


@pytest.mark.parametrize("text", ["sin(x*y)/(y + 2)^x", "where(x > y, log(y), sqrt(x))*max(x, y)", "1/(x - x*y) + y"])
def test_a_loop_and_single_gates_compute_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at = {"x": 0.75, "y": 1.0} if "1/" in text else {"x": 0.75, "y": 1.25}
    found = []
    for least in (0, 10**9):
        monkeypatch.setattr(system, "WORTH_A_LOOP", least)
        try:
            found.append(gradcheck.check(text, at=at).to_dict())
        except gradcheck.GradcheckError as error:
            found.append(str(error))
    assert found[0] == found[1]


def test_backprop_skips_a_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "WORTH_A_LOOP", 0)
    plain = loops._rules
    monkeypatch.setattr(loops, "_rules", lambda writer, op: ["pass"] if op == "tanh" else plain(writer, op))
    assert verdict("tanh(x) + x", {"x": 0.5}) == "disagree"


@pytest.mark.parametrize("seed", [-1, 2, 1.0001])
def test_backprop_starts_from_another_seed(seed: float, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = exact.backprop

    def other(graph: Any, system: Any, values: Any, one: Any) -> Any:
        return plain(graph, system, values, one * system.literal(str(seed)))

    monkeypatch.setattr(exact, "backprop", other)
    monkeypatch.setattr("gradcheck.engines.backprop.backprop", other)
    assert verdict("x^2", {"x": 3.0}) == "disagree"


@pytest.mark.parametrize("wrong", ["sin(x)", "1.001*cos(x)", "cos(x) + 0.001", "0"])
def test_sympy_is_wrong(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two references is wrong: undecided, never a majority vote and never a tick."""
    monkeypatch.setitem(symbolic._partials, "sin", (wrong,))
    assert verdict("sin(x)", {"x": 0.6}) == "inconclusive"
    assert verdict("sin(x)", {"x": 0.6}, engines=("backprop", "symbolic")) == "disagree"


@pytest.mark.parametrize("factor", ["1.001", "-1", "0", "1.000000000000000000001"])
def test_differences_are_wrong(factor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = finite_difference.Differences.slope

    def wrong(self: Any, node: int, cone: list[int]) -> Any:
        found = plain(self, node, cone)
        return found._replace(value=found.value * self.numbers.literal(factor))

    monkeypatch.setattr(finite_difference.Differences, "slope", wrong)
    assert verdict("sin(x)*x", {"x": 0.6}) == "inconclusive"
    assert verdict("sin(x)*x", {"x": 0.6}, engines=("backprop", "finite_difference")) == "disagree"


def test_differences_lose_a_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cone that misses gates leaves stale values: the slope is that of another function."""
    plain = finite_difference.Differences.cone

    def short(self: Any, node: int, limit: int) -> Any:
        return finite_difference.Cone(*(column[1:] for column in plain(self, node, limit)))

    monkeypatch.setattr(finite_difference.Differences, "cone", short)
    assert verdict("sin(x)*x", {"x": 0.6}) != "agree"


def test_differences_with_wide_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars that could hide a bug must not be called agreement."""
    plain = finite_difference.Differences.slope

    def wide(self: Any, node: int, cone: list[int]) -> Any:
        found = plain(self, node, cone)
        return found._replace(value=found.value + found.value * balls.ANY_SIGN / 50)

    monkeypatch.setattr(finite_difference.Differences, "slope", wide)
    report = gradcheck.check("sin(x)*exp(x)", at={"x": 0.6}, engines=("backprop", "finite_difference"))
    assert (report.verdict, report.exit_code) == ("inconclusive", 4)


def test_differences_with_too_few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rounding leaves of a quotient is in its ball, and must not agree with anything."""
    monkeypatch.setattr(exact, "DIGITS", (4,))
    monkeypatch.setattr(exact, "COSTS", (1,))
    assert verdict("sin(x)*exp(x)", {"x": 0.6}, engines=("backprop", "finite_difference")) != "agree"


def test_comparison_lets_everything_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is what keeps a wrong claim out; without it the claim would get through."""
    claims = {"x": "2*x + 0.001"}
    assert verdict("x^2", {"x": 3.0}, claims=claims) == "disagree"
    monkeypatch.setattr(judge, "_meet", lambda a, b: True)
    monkeypatch.setattr(judge, "KEPT", 1.0)
    monkeypatch.setattr(judge, "NARROW", 1.0)
    assert verdict("x^2", {"x": 3.0}, claims=claims) == "agree"


def test_comparison_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_meet", lambda a, b: False)
    assert verdict("x^2", {"x": 3.0}) == "disagree"


def test_float_rules_differ_from_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number that is reported is judged, not only its high-precision twin."""
    plain = grading.Answer

    def worse(value: float, *rest: Any, **more: Any) -> Answer:
        return plain(value * 1.01, *rest, **more)

    monkeypatch.setattr(grading, "Answer", worse)
    assert verdict("x^2", {"x": 3.0}, engines=("backprop", "finite_difference")) in ("lossy", "disagree")


def test_forward_in_float_differs_from_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong float64 implementation of an op shows as a lossy value, never as agreement."""
    monkeypatch.setitem(FLOATS._functions, ("sinh", ""), lambda x: x)
    assert verdict("sinh(x)*y", {"x": 1.0, "y": 2.0}) in ("lossy", "disagree")


def test_definitions_differ_between_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """SymPy differentiates the op's form; another form is another function."""
    monkeypatch.setattr(OPS["softplus"], "form", "log(2 + exp(x))")
    assert verdict("softplus(x)", {"x": 0.5}) in ("inconclusive", "disagree")
