"""Proofs over boxes: what is proved holds, what is wrong is never proved, and what is left is named."""

from __future__ import annotations

import json
import math
import pathlib
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import pytest
from flint import arb
from support import FORBIDDEN, IMPORTS, run

import gradcheck
from gradcheck.arithmetic import balls
from gradcheck.checking import everywhere, gap, over
from gradcheck.checking.gap import DIGITS, Gap, by_claim, by_rules
from gradcheck.checking.proof import Box, Finding
from gradcheck.engines import enclosure
from gradcheck.errors import GradcheckError, Source
from gradcheck.language.claims import read_claim
from gradcheck.language.parser import parse


def gap_of(text: str, names: str, wrt: str, claim: str | None = None) -> Gap:
    graph = parse(Source(text))
    graded = by_rules(wrt) if claim is None else by_claim(read_claim(graph, wrt, claim, []))
    return Gap(graph, wrt, names.split(), {}, graded)


def proved(text: str, box: dict[str, tuple[float, float]], wrt: str, claim: str | None = None) -> Finding:
    """Prove by boxes alone, without asking SymPy whether two formulas are the same."""
    return over.prove(gap_of(text, " ".join(box), wrt, claim), tuple(box.values()), lambda cell, middle: False)


X = {"x": (-5.0, 5.0)}


@pytest.mark.parametrize(
    ("text", "claim", "most"),
    [
        ("1/(1 + exp(-x))", "exp(-x)/(1 + exp(-x))^2", 25),
        ("sigmoid(x)", "exp(-x)/(1 + exp(-x))^2", 25),
        ("sigmoid(x)", "1/(2 + 2*cosh(x))", 60),
        ("tanh(x)", "1/cosh(x)^2", 80),
        ("tanh(x)", "4*exp(2*x)/(exp(2*x) + 1)^2", 60),
        ("sin(x)^2", "sin(2*x)", 5),
        ("log(1 + exp(x))", "(1 + tanh(x/2))/2", 40),
        ("x*exp(-x^2)", "exp(-x^2) - 2*x^2*exp(-x^2)", 40),
        ("atan(x)", "1/(1 + x^2)", 20),
        ("gelu(x)", None, 10),
    ],
)
def test_the_same_in_another_form_is_proved_with_few_boxes(text: str, claim: str | None, most: int) -> None:
    found = proved(text, X, "x", claim)
    assert (found.word, found.cut, found.identical) == ("proved", [], False)
    assert found.boxes <= most
    assert found.bound is not None
    assert found.relative is not None
    assert found.relative <= over.TOLERANCE


@pytest.mark.parametrize("factor", ["1.000000000001", "0.999999", "-1", "1.00000000000001"])
@pytest.mark.parametrize(("text", "claim"), [("1/(1 + exp(-x))", "exp(-x)/(1 + exp(-x))^2"), ("sin(x)^2", "sin(2*x)")])
def test_a_factor_that_float64_can_see_is_disproved_with_its_point(text: str, claim: str, factor: str) -> None:
    found = proved(text, X, "x", f"{factor}*({claim})")
    assert (found.word, found.bound) == ("disproved", None)
    assert found.wrong is not None
    (at,) = found.wrong.point
    truth = mpmath.diff(lambda x: 1 / (1 + mpmath.exp(-x)) if "exp" in text else mpmath.sin(x) ** 2, at)
    assert found.wrong.derivative == pytest.approx(float(truth), rel=1e-12)
    assert found.wrong.graded == pytest.approx(float(factor) * float(truth), rel=1e-12)


@pytest.mark.parametrize("eps", ["1e-16", "1e-17", "3e-16"])
def test_no_bound_is_below_the_error(eps: str) -> None:
    """Within float64's last digits a claim is right, and the bound is that of the error and not smaller."""
    found = proved("x^3", {"x": (1.0, 2.0)}, "x", f"3*x^2 + {eps}*x^2")
    assert found.word == "proved"
    assert found.bound is not None
    assert float(eps) * 4 <= found.bound <= 1e-14


@pytest.mark.parametrize(
    "claim", ["where(x > 4.9, 0, cos(x))", "cos(x) + max(x - 4.99, 0)", "cos(x)*where(x < -4.999, 1.001, 1)"]
)
def test_what_is_wrong_in_a_corner_is_found_there(claim: str) -> None:
    found = proved("sin(x)", X, "x", claim)
    assert found.word == "disproved"
    assert found.wrong is not None
    assert abs(found.wrong.point[0]) > 4.9


def test_a_tail_is_judged_by_its_own_size() -> None:
    """Beside the largest slope of all, whatever is claimed of a tail would be right."""
    found = proved("sigmoid(x)", {"x": (-40.0, 40.0)}, "x", "where(abs(x) > 30, 0, sigmoid(x)*sigmoid(-x))")
    assert found.word == "disproved"
    assert found.wrong is not None
    assert abs(found.wrong.point[0]) > 30
    assert proved("sigmoid(x)", {"x": (-40.0, 40.0)}, "x", "sigmoid(x)*sigmoid(-x)").word == "proved"


@pytest.mark.parametrize(
    ("text", "box", "wrt", "claim"),
    [
        ("exp(-x)*sin(y*x)", {"x": (-1.0, 1.0), "y": (-1.0, 2.0)}, "x", "-exp(-x)*sin(x*y) + y*exp(-x)*cos(x*y)"),
        ("x^y", {"x": (0.5, 3.0), "y": (-2.0, 2.0)}, "y", "exp(y*log(x))*log(x)"),
        ("x*y*z", {"x": (-3.0, 3.0), "y": (-3.0, 3.0), "z": (-3.0, 3.0)}, "y", "z*x"),
        ("sin(x + y)", {"x": (-2.0, 2.0), "y": (-2.0, 2.0)}, "x", "cos(x)*cos(y) - sin(x)*sin(y)"),
        ("q = w*x; tanh(q)", {"w": (-1.0, 1.0), "x": (-1.0, 1.0)}, "w", "x*(1 - tanh(q)^2)"),
        ("q = w*x; tanh(q)", {"w": (-1.0, 1.0), "x": (-1.0, 1.0)}, "x", "d_q*w"),
    ],
)
def test_several_variables(text: str, box: dict[str, tuple[float, float]], wrt: str, claim: str) -> None:
    assert proved(text, box, wrt).word == "proved"
    assert proved(text, box, wrt, claim).word == "proved"
    found = proved(text, box, wrt, f"1.000000001*({claim})")
    assert found.word == "disproved"
    assert found.wrong is not None
    assert all(low <= x <= high for x, (low, high) in zip(found.wrong.point, box.values(), strict=True))


def test_variables_that_stand_still() -> None:
    graph = parse(Source("exp(a*x)"))
    moving = Gap(graph, "a", ["x"], {"a": 0.5}, by_rules("a"))
    assert over.prove(moving, ((-1.0, 1.0),), lambda cell, middle: False).word == "proved"


# Kinks, edges and poles


def test_kinks_are_cut_out_and_named() -> None:
    found = proved("relu(x)*x + abs(x - 2)", X, "x")
    assert found.word == "proved"
    assert [cut.reason for cut in found.cut] == ["kink of relu in `relu(x)`", "kink of abs in `abs(x - 2)`"]
    for cut, place in zip(found.cut, (0, 2), strict=True):
        ((low, high),) = cut.hull
        assert low <= place <= high
        assert high - low < 1e-7


def test_a_whole_turn_is_a_jump() -> None:
    """Left of the origin the angle jumps, and its slope is the same on both sides."""
    found = proved("atan2(y, -1)", {"y": (-1.0, 1.0)}, "y")
    assert [cut.reason for cut in found.cut] == ["no series of atan2 in `atan2(y, -1)`"]
    assert proved("atan2(y, 1)", {"y": (-1.0, 1.0)}, "y").cut == []


def test_a_kink_across_the_box_is_cut_out_in_parts() -> None:
    found = proved("max(x, y)", {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, "x")
    assert found.word == "proved"
    (cut,) = found.cut
    assert cut.boxes < 300
    assert cut.width <= 1 / 32
    assert 0.02 < found.share < 0.06


def test_little_may_be_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kink is thin; of what merely has no series in a wide cell nothing is known."""
    monkeypatch.setattr(over, "MOST_CUT", 0.01)
    found = proved("max(x, y)", {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, "x")
    assert (found.word, found.bound) == ("inconclusive", None)
    assert found.reason == "5% of it would have to be cut out"


@pytest.mark.parametrize(("text", "place"), [("sqrt(x)", 0.0), ("asin(x - 1)", 0.0), ("x^1.5", 0.0), ("cbrt(x)", 0.0)])
def test_where_a_slope_is_infinite_the_edge_is_cut_out(text: str, place: float) -> None:
    found = proved(text, {"x": (0.0, 1.0)}, "x")
    assert found.word == "proved"
    assert found.cut[0].hull[0][0] == place


def test_a_wrong_slope_beside_a_kink_is_found() -> None:
    """The kink itself proves nothing, and hides nothing beside it."""
    found = proved("abs(x)", X, "x", "where(x > 1e-6, 1, -1)")
    assert found.word == "disproved"
    assert found.wrong is not None
    assert 0 < found.wrong.point[0] < 1e-6


@pytest.mark.parametrize("text", ["sign(x)", "floor(3*x)", "round(x)", "heaviside(x)", "x > y", "where(x > 0, 1, 2)"])
def test_a_jump_is_not_passed_over_in_a_single_box(text: str) -> None:
    """The derivative of what is constant beside it is zero, and so would be that of what is not known."""
    names = {"x": (-3.0, 3.0), **({"y": (-3.0, 3.0)} if "y" in text else {})}
    found = proved(text, names, "x")
    assert found.word == "proved"
    assert found.cut


def test_nothing_but_kinks_is_not_proved() -> None:
    found = proved("floor(1e12*x)", {"x": (0.0, 1.0)}, "x")
    assert found.word == "inconclusive"


# What is proved is true


def chebyshev(degree: int) -> str:
    """Return the Chebyshev polynomial of a degree as text in x."""
    rows: list[list[int]] = [[1], [0, 1]]
    while len(rows) <= degree:
        longer, shorter = [0, *(2 * c for c in rows[-1])], rows[-2]
        rows.append([c - (shorter[k] if k < len(shorter) else 0) for k, c in enumerate(longer)])
    return " + ".join(f"({c})*x^{k}" for k, c in enumerate(rows[degree]))


def bound_of(difference: Gap, box: Box, wanted: float) -> float:
    """Return what one cell's bound is made of, whatever its word would be."""
    with balls.precision(DIGITS):
        series = [difference.along(box, axis) for axis in range(len(box))]
        plan = enclosure.planned(box, series, wanted)
        assert not isinstance(plan, int)
        size = 0.0
        for node in enclosure.nodes(box, plan):
            graded, derivative = difference.at(node)
            size = max(size, balls.above(graded - derivative))
    return plan.lebesgue * size + plan.remainder


def worst(difference: Gap, box: Box, count: int = 41) -> float:
    """Return the largest difference on a grid, ends included."""
    found = 0.0
    places: list[tuple[Fraction, ...]] = [()]
    for low, high in box:
        steps = [Fraction(low) + (Fraction(high) - Fraction(low)) * k / (count - 1) for k in range(count)]
        places = [(*place, step) for place in places for step in steps]
    with balls.precision(DIGITS):
        for place in places:
            graded, derivative = difference.at([arb(x.numerator) / x.denominator for x in place])
            found = max(found, balls.below(graded - derivative))
    return found


TRUTHS: list[tuple[str, str, Box, str, float]] = [
    # The nodes see nothing of these: the remainder is all there is, and it is met at the ends.
    *(("x^2/2", f"x + 1e-3*({chebyshev(n)})", ((-1.0, 1.0),), "x", 1.05e-3) for n in (1, 2, 3, 5, 8, 13)),
    ("x^2/2", "x + 1e-3*(4*(x - 3)^3 - 3*(x - 3))", ((2.0, 4.0),), "x", 1.05e-3),
    # Over wide boxes with few nodes.
    ("sin(x)", "cos(x) + 1e-3*exp(x)", ((-1.0, 2.0),), "x", 1e-2),
    ("x*y", "y + 1e-3*(2*x^2 - 1)", ((-1.0, 1.0), (-1.0, 1.0)), "x y", 2.1e-3),
    ("x*y", "y + 1e-3*(2*y^2 - 1)", ((-1.0, 1.0), (-1.0, 1.0)), "x y", 2.1e-3),
    ("x*y", "y + 1e-3*sin(x + 2*y)", ((-1.0, 1.0), (-1.0, 1.0)), "x y", 1e-3),
]  # fmt: skip


def unsound() -> list[str]:
    """Return the claims whose bound is below what a grid shows."""
    wrong = []
    for text, claim, box, names, wanted in TRUTHS:
        difference = gap_of(text, names, "x", claim)
        if bound_of(difference, box, wanted) < worst(difference, box, 9 if len(box) > 1 else 41):
            wrong.append(claim)
    return wrong


def test_no_difference_is_larger_than_its_bound() -> None:
    assert unsound() == []


@pytest.mark.parametrize("wave", ["cos(3*x)", "exp(-x^2)", "x^2 - 0.3", "sin(7*x)*x"])
@pytest.mark.parametrize(
    ("text", "claim", "low"), [("sin(x)", "cos(x)", -2.0), ("x*exp(x)", "exp(x) + x*exp(x)", -0.5)]
)
def test_a_proved_bound_holds(text: str, claim: str, low: float, wave: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a counterexample what is a little wrong is proved to be no more than a little wrong."""
    monkeypatch.setattr(over, "refuted", lambda *found: None)
    found = proved(text, {"x": (low, 1.5)}, "x", f"{claim} + 1e-11*({wave})")
    difference = gap_of(text, "x", "x", f"{claim} + 1e-11*({wave})")
    assert found.word == "proved"
    assert found.bound is not None
    assert worst(difference, ((low, 1.5),), 301) <= found.bound <= 1e-8


def broken_errors(change: Callable[[float], float]) -> Callable[..., Any]:
    sound = enclosure._errors
    return lambda coefficients, reach: map(change, sound(coefficients, reach))


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        ("errors", "_errors", broken_errors(lambda error: 0.1 * error)),
        ("errors", "_errors", broken_errors(lambda error: 0.0)),
        ("radius", "radius", lambda side: 0.05 * (side[1] - side[0])),
        ("lebesgue", "above", lambda ball: 0.1 * float(ball.abs_upper())),
    ],
)
def test_bounds_too_narrow_are_noticed(where: str, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclosure, name, broken)
    assert unsound() != []


def series_missed() -> list[int]:
    """Return the orders of a series over a box that miss a coefficient at a point in it."""
    box: Box = ((0.25, 1.5),)
    missed = set()
    with balls.precision(DIGITS), mpmath.workdps(60):
        wide = gap_of("tanh(x)*x", "x", "x", "0").along(box, 0)
        for k in range(6):
            at = 0.25 + 1.25 * k / 5
            true = mpmath.taylor(lambda x: mpmath.tanh(x) * x, at, 13)
            for order in range(12):
                if not wide[order].overlaps(arb(-float((order + 1) * true[order + 1]), 1e-9)):
                    missed.add(order)
    return sorted(missed)


def test_series_over_a_box_hold_the_coefficients_everywhere() -> None:
    assert series_missed() == []


def test_balls_too_narrow_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gap.around
    monkeypatch.setattr(gap, "around", lambda side: arb(float(whole(side).mid()), 0.1 * float(whole(side).rad())))
    assert series_missed() != []


@pytest.mark.parametrize(
    "side", [(0.1, 0.3), (-1.0, 1e-300), (1e16, 1e16 + 2), (0.1, 0.1), (-5e-324, 5e-324), (0.0, 1e308)]
)
def test_balls_cover_their_intervals(side: tuple[float, float]) -> None:
    ball = enclosure.around(side)
    assert ball.lower() <= side[0]
    assert ball.upper() >= side[1]
    assert side[0] <= enclosure.middle(side) <= side[1]


# Budgets and order


def test_when_the_work_is_spent_what_is_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over, "WORK", 2_000)
    found = proved("tanh(x)", X, "x", "1/cosh(x)^2")
    assert (found.word, found.bound) == ("inconclusive", None)
    assert found.left is not None
    assert -5 <= found.left[0][0] < found.left[0][1] <= 5
    assert "were left when 2,000 steps were spent" in (found.reason or "")
    done = run("expr", "relu(tanh(x))", "--over", "x=-5..5")
    assert done.status == 4
    assert "inconclusive on x = " in done.out


def test_deterministic() -> None:
    arguments = ("expr", "relu(x)*exp(y*x)", "--over", "x=-1..1,y=0..1", "-o", "json")
    assert run(*arguments) == run(*arguments)


# The command


def test_a_claim_is_proved() -> None:
    done = run("expr", "log(1 + exp(x))", "--over", "x=-5..5", "--claim", "x=(1 + tanh(x/2))/2")
    assert (done.status, done.err) == (0, "")
    assert "claimed d/dx = (1 + tanh(x/2))/2   over x = -5..5" in done.out
    assert "proved" in done.out
    assert done.out.endswith("Graded 1 gradient everywhere over a box: 1 proved. Exit status 0.\n")


def test_sympy_is_asked_first() -> None:
    done = run("expr", "1/(1 + exp(-x))", "--over", "x=-5..5", "--claim", "x=exp(-x)/(1 + exp(-x))^2", "-o", "json")
    (found,) = done.report["over"]
    assert (found["verdict"], found["identical"], found["bound"], found["boxes"]) == ("proved", True, 0.0, 0)


@pytest.mark.parametrize(
    ("text", "claim", "box"),
    [("x^2/20", "0.1*x", "x=1..2"), ("relu(x)", "step(x)", "x=1..2"), ("sin(x)", "cos(x) + 1e-17", "x=1..2")],
)
def test_sympy_is_not_asked_about_numbers_that_float64_rounds_or_pieces(text: str, claim: str, box: str) -> None:
    (found,) = run("expr", text, "--over", box, "--claim", f"x={claim}", "-o", "json").report["over"]
    assert (found["verdict"], found["identical"]) == ("proved", False)


def test_what_is_identical_must_be_defined() -> None:
    """SymPy takes log(x)/log(x) for 1, and it is nothing left of zero."""
    done = run("expr", "x", "--over", "x=-3..2", "--claim", "x=log(x)/log(x)", "-o", "json")
    assert done.report["over"][0]["verdict"] != "proved" or done.report["over"][0]["cut_out"]
    assert run("expr", "x^2", "--over", "x=-3..-2", "--claim", "x=2*x*log(x)/log(x)").status == 4


def test_a_claim_is_disproved_with_its_point() -> None:
    done = run("expr", "exp(-x)*y", "--over", "x=0..1,y=1..2", "--claim", "x=exp(-x)*y")
    assert done.status == 1
    assert "disproved at x = 0." in done.out
    assert "instead of -" in " ".join(done.out.split())


def test_json_has_exactly_the_promised_keys() -> None:
    done = run("expr", "x*y", "--over", "x=1..2", "--at", "y=3", "--claim", "x=2*y", "-o", "json")
    report = json.loads(done.out, parse_constant=pytest.fail)
    assert list(report) == ["gradcheck", "verdict", "exit_code", "checks", "over"]
    assert (report["verdict"], report["exit_code"], report["checks"]) == ("disproved", 1, [])
    (found,) = report["over"]
    assert list(found) == [
        "file", "line", "source", "input", "graded", "formula", "box", "at", "verdict", "bound", "relative", "boxes",
        "identical", "counterexample", "left", "reason", "cut_share", "cut_out",
    ]  # fmt: skip
    assert (found["box"], found["at"], found["graded"], found["formula"]) == ({"x": [1, 2]}, {"y": 3}, "claimed", "2*y")
    assert found["counterexample"] == {"point": {"x": 1.5}, "graded": 6.0, "derivative": 3.0}


def test_beside_a_point() -> None:
    done = run("expr", "relu(x)*y", "--over", "x=-5..5", "--at", "y=3,x=2")
    assert done.status == 0
    assert "relu(x)*y = 6   at x = 2, y = 3" in done.out
    assert "kink of relu in `relu(x)`" in done.out
    assert "2 agree." in " ".join(done.out.split())
    assert "2 proved." in done.out


def test_the_worst_of_both_counts() -> None:
    assert run("expr", "x^2", "--over", "x=1..2", "--at", "x=1", "--claim", "x=2").status == 1
    report = run("expr", "x^2", "--over", "x=1..2", "--at", "x=1", "--claim", "x=2", "-o", "json").report
    assert (report["checks"][0]["verdict"], report["over"][0]["verdict"]) == ("agree", "disproved")
    assert report["verdict"] == "disproved"


def test_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("expr", "tanh(x)", "--over", "x=-5..5", "--strict").status == 0
    monkeypatch.setattr(over, "WORK", 100)
    assert run("expr", "relu(tanh(x))", "--over", "x=-5..5", "--strict").status == 1


def test_wrt_and_constants() -> None:
    done = run("expr", "x^2*y", "--over", "x=0..pi/2,y=-(1)..exp(1)", "--wrt", "x", "-o", "json")
    (found,) = done.report["over"]
    assert found["box"] == {"x": [0, math.pi / 2], "y": [-1, math.e]}


@pytest.mark.parametrize(
    ("arguments", "place", "said"),
    [
        (["x", "--over", "x=5..-5"], "--over:1:3", "write x=-5..5"),
        (["x", "--over", "x=1..1"], "--over:1:3", "--at x=1"),
        (["x", "--over", "x=1"], "--over:1:3", "expected two bounds with `..`"),
        (["x", "--over", "x=1.."], "--over:1:4", "a bound is missing"),
        (["x", "--over", "x=..2"], "--over:1:3", "a bound is missing"),
        (["x", "--over", "x=-inf..2"], "--over:1:4", "values must be finite"),
        (["x", "--over", "x=1..nan"], "--over:1:6", "values must be finite"),
        (["x", "--over", "x=1..1e999"], "--over:1:6", "too large"),
        (["x", "--over", "x=1..2,x=2..3"], "--over:1:8", "given twice"),
        (["x", "--over", "x=1..2;x=2..3"], "--over:1:7", "one box at a time"),
        (["x", "--over", ""], "--over:1:1", "as in --over x=-5..5"),
        (["x", "--over", "1..2"], "--over:1:1", "as in --over x=-5..5"),
        (["x", "--over", "x=1..2,"], None, None),
        (["x", "--over", "x=1..2,z=1..2"], "--over:1:10", "no variable `z`"),
        (["sigma*x", "--over", "x=1..2,sigm=1..2"], "--over:1:13", "did you mean `sigma`?"),
        (["x*y", "--over", "x=1..2"], "expression:1:3", "`y` has no value"),
        (["x*y", "--over", "x=1..2", "--at", "y=1;y=2"], "error", "one point"),
        (["log(x)", "--over", "x=-1..2"], "expression:1:1", "needs x > 0, but x = -1"),
        (["1/x", "--over", "x=-1..1"], "expression:1:1", "choose a box in which the function is defined"),
        (["exp(x)", "--over", "x=1..1000"], "expression:1:1", "overflows float64"),
        (["sum(W*x)", "--over", "x=1..2", "--at", "W=[1,2]"], "expression:1:5", "`W` is an array"),
        (["x", "--over", "x=1..2", "--claim", "x=nan"], "error", "no gradient to prove"),
        (["x", "--over", "x=1..2", "--claim", "y=1"], "--claim y:1:1", "no such input"),
    ],
)  # fmt: skip
def test_mistakes_are_pointed_at(arguments: list[str], place: str | None, said: str | None) -> None:
    done = run("expr", *arguments)
    if place is None or said is None:
        assert done.status == 0, done
        return
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(place), done.err
    assert said in done.err
    assert not FORBIDDEN.search(done.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["prove", "--help"],
        ["prove", "tnah"],
        ["expr", "x", "--over", "x=5..-5"],
        ["expr", "x", "--over", "x=1..pi/0"],
        ["expr", "x", "--over", "y=1..2"],
    ],
)
def test_help_and_mistakes_load_nothing(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.splitlines()[-1] == "LOADED"


# From Python, and in specs


def test_from_python() -> None:
    report = gradcheck.check("sin(x)", over={"x": (-1, 1)}, claims={"x": "cos(x)"})
    assert (report.verdict, report.exit_code, report.checks) == ("proved", 0, [])
    assert gradcheck.check("sin(x)", {"x": 0.5}, over="x=-1..1").verdict == "agree"
    for bad in ({"x": 1}, {"x": (1, 2, 3)}, [1], {"x": ("a", "b")}, {"x": (2, 1)}, {"x": (0, math.inf)}):
        with pytest.raises(GradcheckError):
            gradcheck.check("sin(x)", over=bad)  # type: ignore[arg-type]


def spec(over_text: str, rule: str = "2*x*g", forward: str = "x^2") -> bytes:
    op = f'{{args: x, forward: "{forward}", backward: {{x: "{rule}"}}, over: {over_text}}}'
    return f"gradcheck: 1\ninputs: {{x: 0.5}}\nops:\n  own: {op}\nnodes:\n  y: {{expr: own(x)}}\n".encode()


def test_an_op_of_a_spec_is_proved_over_its_box() -> None:
    done = run("verify", "-", "-o", "json", stdin=spec("{x: [-5, 5], g: [-2, 2]}"))
    assert (done.status, done.report["verdict"]) == (0, "agree"), done
    (found,) = done.report["over"]
    assert (found["file"], found["line"], found["source"], found["verdict"]) == ("<stdin>", 6, "own", "proved")
    assert found["box"] == {"x": [-5, 5], "g": [-2, 2]}
    assert "1 proved" in run("verify", "-", stdin=spec("{x: [-5, 5]}")).out
    assert "proved: " in run("verify", "-v", "-", stdin=spec("{x: [-5, 5]}")).out


@pytest.mark.parametrize("rule", ["2*x*abs(g)", "2*x*g + 1e-9*max(x - 4, 0)", "2*x*g^3"])
def test_a_rule_that_is_right_at_the_point_alone_is_disproved(rule: str) -> None:
    done = run("verify", "-", stdin=spec("{x: [-5, 5]}", rule))
    assert done.status == 1
    assert "disproved at x = " in done.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{y: [1, 2]}", "no argument `y`"),
        ("{g: [1, 2]}", "no interval for `x`"),
        ("{x: [2, 1]}", "write x: [1, 2]"),
        ("{x: [1, 2, 3]}", "two numbers"),
        ("{x: a}", "two numbers"),
        ("{x: [1, .inf]}", "finite"),
        ("{x: 1}", "no argument moves"),
        ("3", "over: an interval for each argument"),
    ],
)
def test_mistakes_in_a_box_of_a_spec(text: str, said: str) -> None:
    done = run("verify", "-", stdin=spec(text))
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert done.err.startswith("<stdin>:4:")


def test_an_op_of_a_spec_must_be_defined_in_its_box() -> None:
    done = run("verify", "-", stdin=spec("{x: [-1, 2]}", "g/x", "log(x)"))
    assert done.status == 2
    assert "needs x > 0" in done.err or "own has no finite value" in done.err


def test_the_schema_knows_the_key(tmp_path: pathlib.Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import yaml

    checker = jsonschema.Draft202012Validator(json.loads(run("schema").out))
    for box, right in (("{x: [-5, 5], g: 1}", True), ("{x: [1, 2, 3]}", False), ("{x: word}", False)):
        assert checker.is_valid(yaml.safe_load(spec(box))) is right


def test_corners_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box in forty variables has more corners than atoms in a room; a sum of them is one part."""
    names = [f"x{k}" for k in range(40)]
    monkeypatch.setattr(everywhere, "CORNERS", 4)
    done = run("expr", " + ".join(names), "--over", ",".join(f"{name}=0..1" for name in names), "--wrt", "x0")
    assert done.status == 0
