"""Slopes at kinks, jumps, edges and flat places, against steps that mpmath takes: proved means true."""

from __future__ import annotations

import random
from typing import Any

import mpmath
import pytest
from test_arithmetic import outcome

import gradcheck
from gradcheck.checking import exact
from gradcheck.engines.finite_difference import EDGE, INFINITE, JUMP, KINK, SMOOTH, UNDEFINED, UNSETTLED, Slope
from gradcheck.errors import GradcheckError, Source
from gradcheck.graph.graph import Graph
from gradcheck.language.parser import parse

DIGITS = 500
STEPS = 20, 26, 32
"""Powers of ten of the referee's steps."""

BLIND, NONE, ENDLESS = "blind", "none", "endless"
"""What the referee says where its steps do not tell, where there is no value, and where the slope grows on."""


def slope(text: str, at: dict[str, float], name: str = "x") -> Slope | None:
    """What finite differences say, with as many digits as it takes."""
    graph = parse(Source(text))
    place = exact.Exact(graph, at, [0.0] * len(graph))
    found = None
    for level in place.levels():
        found = place.slope(level, graph.inputs[name])
        if found is None or found.kind != UNSETTLED:
            break
    return found


def value(graph: Graph, at: dict[str, Any]) -> Any:
    """The value of a graph in mpmath, NaN where there is none: a branch that is not taken does not matter."""
    values: list[Any] = [mpmath.nan] * len(graph)
    for name, node in graph.inputs.items():
        values[node] = at[name]
    for node, text in graph.constants.items():
        values[node] = mpmath.mpf(float(text))
    for node in graph.gates:
        operands = [values[k] for k in graph.operands(node)]
        if graph.ops[node] == "where" and not mpmath.isnan(operands[0]):
            values[node] = operands[1] if operands[0] else operands[2]
        elif not any(map(mpmath.isnan, operands)):
            values[node] = outcome(graph.ops[node], operands)
    return values[graph.output]


def side(graph: Graph, at: dict[str, Any], name: str, sign: int) -> Any:
    """Whether the value jumps to one side, and the slope there, from three steps; or a word."""
    start, found = value(graph, at), []
    for power in STEPS:
        h = sign * mpmath.mpf(10) ** -power
        near, far = (value(graph, {**at, name: at[name] + k * h}) for k in (1, 2))
        if mpmath.isnan(near) or mpmath.isnan(far):
            return NONE
        found.append(((4 * near - 3 * start - far) / (2 * h), (far - near) / h, near - start))
    (_, beside, gap), (sharp, sharper, last) = found[1:]
    middle = found[1][0]
    if abs(last) > 1e-9:
        settled = abs(gap - last) < abs(last) / 10 and abs(beside - sharper) < 1e-3 * (1 + abs(sharper))
        return (True, sharper) if settled else BLIND
    if abs(sharp) > 1e12 or (abs(sharp) > 30 * abs(middle) and abs(sharp) > 1e3):
        return ENDLESS
    return (False, sharp) if abs(middle - sharp) < 1e-2 * (1 + abs(sharp)) else BLIND


def held(ball: Any, number: Any) -> bool:
    """Whether a ball holds a slope that is known to three digits."""
    away = abs(mpmath.mpf(float(ball.mid())) - number)
    return bool(away <= 1e-3 * (1 + abs(number)) + mpmath.mpf(float(ball.rad())))


def right(found: Slope, left: Any, other: Any) -> bool:
    """Whether what is said of a place is what the referee sees to its left and right."""
    sides = (left, other)
    if BLIND in sides or (ENDLESS in sides and found.kind not in (EDGE, INFINITE, UNDEFINED)):
        return ENDLESS not in sides or abs(float(found.left)) + abs(float(found.right)) > 1e9
    if found.kind == INFINITE:
        return ENDLESS in sides
    if found.kind == UNDEFINED:
        return sides == (NONE, NONE)
    if found.kind == EDGE:
        return (left == NONE) != (other == NONE)
    if NONE in sides or not (held(found.left, left[1]) and held(found.right, other[1])):
        return False
    same = abs(left[1] - other[1]) <= 2e-3 * (1 + abs(left[1])) + float(found.left.rad())
    return (found.kind == JUMP) == (left[0] or other[0]) and (found.kind != SMOOTH or same)


def seen(text: str, at: dict[str, float], name: str = "x") -> tuple[Any, Any] | None:
    """What the referee sees to either side; nothing where the function has no value."""
    graph = parse(Source(text))
    with mpmath.workdps(DIGITS):
        exactly = {n: mpmath.mpf(x) for n, x in at.items()}
        if mpmath.isnan(value(graph, exactly)):
            return None
        left, other = (side(graph, exactly, name, sign) for sign in (-1, 1))
    return left, other


PLACES = [
    # What is flat is not zero.
    ("where(x^13 > 0, x, 5*x)", {"x": 0.0}, KINK),
    ("step(x^13)*x + x", {"x": 0.0}, KINK),
    ("sign(x^21)*x", {"x": 0.0}, KINK),
    ("(x^13 == 0) + x", {"x": 0.0}, JUMP),
    ("floor(2 - x^14) + x", {"x": 0.0}, JUMP),
    ("where(abs(x)^0.5 > 0, x, 5*x)", {"x": 0.0}, SMOOTH),
    ("(relu(x)^1.5)^0.5", {"x": 0.0}, INFINITE),
    ("max(x, abs(x)^0.5)", {"x": 0.0}, INFINITE),
    ("digamma(1 + abs(x)^0.5)", {"x": 0.0}, INFINITE),
    ("max(2*x, x + x)", {"x": 1.0}, SMOOTH),
    ("abs(x^13)", {"x": 0.0}, SMOOTH),
    ("leaky_relu(0*x) + abs(x - 1)", {"x": 1.0}, KINK),
    # Two gates without a series are not the same.
    ("atan2(ceil(x) - floor(x), 1)", {"x": -1.0}, JUMP),
    ("exp(elu(x) - heaviside(x))", {"x": 0.0}, JUMP),
    ("softsign(step(x)) - where(cbrt(0) == abs(x)^2.5, 1, where(x < 1, 2, 0.5))", {"x": 0.0}, JUMP),
    # What is not defined is no number.
    ("0*acos(x)", {"x": 1.0}, EDGE),
    ("(y - y)^(acos(x) + 1)", {"x": 1.0, "y": 2.0}, EDGE),
    ("min(sign(y), relu(x^1.5))", {"x": 0.0, "y": 0.0}, EDGE),
    ("atan(cbrt(abs(x*2)))", {"x": 0.0}, INFINITE),
    ("atan2(atan2(where(x == 1, 2, 0.5), x^1.5), expm1(y)*softshrink(x))", {"x": 0.0, "y": 0.5}, EDGE),
    ("polygamma(x, 1.5)", {"x": 2.0}, UNDEFINED),
    # Jumps of what has no other kink, and ties with what has jumped.
    ("atan2(x, -2)", {"x": 0.0}, JUMP),
    ("atan2(sin(x), y)", {"x": 0.0, "y": -1.5}, JUMP),
    ("hardshrink(x)", {"x": 0.5}, JUMP),
    ("hardshrink(y, x)", {"x": 0.5, "y": 0.5}, JUMP),
    ("square(hardshrink(x))", {"x": -0.5}, JUMP),
    ("where(x >= where(0 < x, 0.5, x), x*x, cosh(x))", {"x": 0.0}, JUMP),
    ("where(round(max(ceil(x), 0.5)) > 0.3, sqrt(where(0 >= x, x, 2))*x^6, 0)", {"x": 0.0}, SMOOTH),
    # Ordinary ones.
    ("abs(x)*3 - max(x, 2*x)", {"x": 0.0}, KINK),
    ("sqrt(x^4 + x^2)", {"x": 0.0}, KINK),
    ("x*sqrt(x)", {"x": 0.0}, EDGE),
    ("x^0.3*x", {"x": 0.0}, EDGE),
    ("where(x > 0, x^2*log(x), 0)", {"x": 0.0}, SMOOTH),
    ("where(x > 0, x*log(x), 0)", {"x": 0.0}, INFINITE),
    ("where(x > 0, exp(-1/x), x)", {"x": 0.0}, KINK),
    ("hypot(x, x^2)", {"x": 0.0}, KINK),
    # Special functions that divide by zero, or meet a logarithm of zero.
    ("xlogy(x, y)", {"x": 0.0, "y": 2.0}, SMOOTH),
    ("xlogy(x, y)", {"x": 0.0, "y": 0.0}, UNDEFINED),
    ("xlogy(y, x)", {"x": 0.0, "y": 0.0}, SMOOTH),
    ("xlog1py(x, y)", {"x": 0.0, "y": -1.0}, UNDEFINED),
    ("entr(x)", {"x": 0.0}, INFINITE),
    ("x*entr(x)", {"x": 0.0}, EDGE),
    ("sinc(x)*3 + x", {"x": 0.0}, SMOOTH),
    ("abs(sinc(x))", {"x": 1.0}, KINK),
    ("i0e(x)", {"x": 0.0}, KINK),
    ("i1e(x)", {"x": 0.0}, SMOOTH),
    ("log_cosh(x) + i1(x)", {"x": 0.0}, SMOOTH),
    ("cbrt(x^3) + cbrt(x)^3", {"x": 0.0}, SMOOTH),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "kind"), PLACES)
def test_what_kind_of_place_it_is(text: str, at: dict[str, float], kind: str) -> None:
    found = slope(text, at)
    assert found is not None
    assert found.kind == kind
    if not text.startswith("polygamma"):
        sides = seen(text, at)
        assert sides is not None
        assert right(found, *sides), (found, sides)


ONE = [
    "abs", "relu", "sqrt", "cbrt", "floor", "ceil", "round", "step", "sign", "heaviside", "square", "sin", "exp",
    "tanh", "leaky_relu", "elu", "hardtanh", "hardswish", "softsign", "log1p", "expm1", "atan", "acos", "gelu",
    "relu6", "hardshrink", "softshrink", "selu", "digamma", "lgamma", "cosh",
    "sinc", "erfinv", "i0e", "i1e", "log_cosh", "ndtr", "entr",
]  # fmt: skip
TWO = ["max", "min", "hypot", "atan2", "xlogy", "logaddexp"]


def drawn(draw: random.Random, depth: int) -> str:
    """An expression full of kinks."""
    if depth == 0 or draw.random() < 0.12:
        return draw.choice(["x", "x", "x", "y", "2", "1", "0.5", "0"])
    kind = draw.random()
    one, two = drawn(draw, depth - 1), drawn(draw, depth - 1)
    if kind < 0.4:
        return f"{draw.choice(ONE)}({one})"
    if kind < 0.5:
        return f"{draw.choice(TWO)}({one}, {two})"
    if kind < 0.57:
        branches = f"{drawn(draw, depth - 1)}, {drawn(draw, depth - 1)}"
        return f"where({one} {draw.choice(['>', '>=', '<', '=='])} {two}, {branches})"
    if kind < 0.7:
        return f"({one})^{draw.choice(['2', '3', '0.5', '1.5', '13', '2.5'])}"
    return f"({one} {draw.choice(['+', '-', '*', '*', '/'])} {two})"


def wrong_places(seed: int, count: int) -> tuple[list[str], int]:
    """Draw expressions at the places where they bend; say which slopes are proved and wrong, and how many are right."""
    draw = random.Random(seed)
    wrong, good = [], 0
    for _ in range(count):
        text = drawn(draw, draw.choice([2, 3, 4]))
        try:
            names = parse(Source(text)).inputs
            at = {name: draw.choice([0.0, 1.0, -1.0, 0.5, 2.0, 0.0]) for name in names}
            found = slope(text, at) if "x" in names else None
        except GradcheckError:
            continue
        # What is estimated may be wrong, and it says so.
        if found is None or not found.proved or found.kind == UNSETTLED or max(sizes(found)) > 1e9:
            continue
        sides = seen(text, at)
        # Where there is no value nobody asks for a slope.
        if sides is None:
            continue
        if right(found, *sides):
            good += 1
        else:
            wrong.append(f"{text} at {at}: {found}")
    return wrong, good


def sizes(found: Slope) -> list[float]:
    return [abs(float(one)) + float(one.rad()) for one in (found.left, found.right) if one is not None] or [0.0]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_proved_is_true(seed: int) -> None:
    wrong, good = wrong_places(seed, 400)
    assert wrong == []
    assert good > 150


@pytest.mark.parametrize(
    "head", ["floor(exp(log(x0))) + x0", "step(exp(log(x0)) - 3) + x0", "x0*step(exp(log(x0)) - x0) + x0"]
)
def test_many_numbers_hide_no_jump_that_may_be_one(head: str) -> None:
    """The chain rule adds up slopes of gates; one of them may jump, and no number of digits tells."""
    text = head + "".join(f" + sin(x{k}*y)" for k in range(1, 120))
    at = {"y": 0.7, "x0": 3.0, **{f"x{k}": 0.01 * k - 0.3 for k in range(1, 120)}}
    check = gradcheck.check(text, at=at, engines=("backprop", "finite_difference")).checks[0]
    assert "differences of the gates" in check.method
    found = {g.input: g for g in check.gradients}
    assert found["x0"].verdict == "inconclusive"
    assert found["x7"].verdict == "agree"
