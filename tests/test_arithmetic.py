"""Number systems: one graph, several arithmetics, the same values; and balls that hold what they say."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
from typing import Any

import mpmath
import pytest
from flint import arb, arb_series
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.arithmetic import balls, series
from gradcheck.arithmetic.floats import FLOATS, IEEE
from gradcheck.arithmetic.symbols import SYMBOLS
from gradcheck.arithmetic.system import System
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate, same_values
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

SKIPPED = {"select", "identity"}
ELEMENTWISE = [name for name, op in OPS.items() if op.elementwise and name not in SKIPPED]
PRIMITIVES = [name for name in ELEMENTWISE if name in balls.NATIVES]
RANGES = {
    "asin": (-0.99, 0.99),
    "acos": (-0.99, 0.99),
    "atanh": (-0.99, 0.99),
    "acosh": (1.1, 5),
    "log": (0.1, 9),
    "log2": (0.1, 9),
    "log10": (0.1, 9),
    "log1p": (-0.9, 9),
    "sqrt": (0.1, 9),
    "pow": (0.1, 3),
    "gamma": (0.2, 5),
    "lgamma": (0.2, 50),
    "digamma": (0.2, 9),
    "polygamma": (0.2, 5),
    "trigamma": (0.2, 5),
    "beta": (0.2, 5),
    "betaln": (0.2, 50),
    "erfinv": (-0.99, 0.99),
    "erfcinv": (0.01, 1.99),
    "ndtri": (0.01, 0.99),
    "logit": (0.01, 0.99),
    "xlogy": (0.1, 9),
    "xlog1py": (-0.9, 9),
    "entr": (0.1, 9),
    "rel_entr": (0.1, 9),
    "rsqrt": (0.1, 9),
    "log1mexp": (0.1, 9),
    "celu": (0.1, 4),
    "softshrink": (0, 3),
    "hardshrink": (0, 3),
}
ORDERED = {"polygamma", "iv"}
"""Ops whose first operand is a whole order, which does not move."""

RUNS = settings(max_examples=25, deadline=None, derandomize=True)


def _angle(y: Any, x: Any) -> Any:
    if x == y == 0:
        raise ValueError("the origin has no angle")
    return mpmath.atan2(y, x)


MPMATH: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": lambda x, y: x**y,
    "abs": abs,
    "sign": mpmath.sign,
    "step": lambda x: mpmath.mpf(x > 0),
    "heaviside": lambda x: (mpmath.sign(x) + 1) / 2,
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "round": mpmath.nint,
    "max": max,
    "min": min,
    "where": lambda c, x, y: x if c else y,
    "lt": lambda x, y: mpmath.mpf(x < y),
    "le": lambda x, y: mpmath.mpf(x <= y),
    "gt": lambda x, y: mpmath.mpf(x > y),
    "ge": lambda x, y: mpmath.mpf(x >= y),
    "eq": lambda x, y: mpmath.mpf(x == y),
    "ne": lambda x, y: mpmath.mpf(x != y),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "digamma": lambda x: mpmath.psi(0, x),
    "polygamma": lambda n, x: mpmath.psi(int(n), x),
    "iv": lambda n, x: mpmath.besseli(int(n), x),
    "erfcinv": lambda x: mpmath.erfinv(1 - x),
    "sinc": mpmath.sincpi,
    "xlogy": lambda x, y: x * mpmath.log(y) if x else mpmath.mpf(0),
    "xlog1py": lambda x, y: x * mpmath.log(1 + y) if x else mpmath.mpf(0),
    "atan2": _angle,
    "hypot": mpmath.hypot,
    **{
        name: getattr(mpmath, name)
        for name in (
            "exp", "expm1", "log", "log1p", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "gamma",
        )
    },
}  # fmt: skip
"""What the primitives are, by another library."""


def operands(name: str) -> list[tuple[float, ...]]:
    generator = random.Random(f"operands of {name}")
    low, high = RANGES.get(name, (-7, 7))
    rows = [tuple(generator.uniform(low, high) for _ in OPS[name].args) for _ in range(12)]
    return [(2.0, *row[1:]) for row in rows] if name in ORDERED else rows


def apply(system: System, name: str, row: tuple[float, ...]) -> Any:
    with system.active():
        return system.function(name)(*[system.constant(repr(x)) for x in row])


def truth(name: str, row: tuple[float, ...]) -> Any:
    """The value of an op: by mpmath for a primitive, and of its form by mpmath's primitives."""
    if name in MPMATH:
        return MPMATH[name](*map(mpmath.mpf, row))
    graph = parse(Source(str(OPS[name].form)), OPS[name].args, internal=True)
    values: list[Any] = [None] * len(graph)
    for operand, node in graph.inputs.items():
        values[node] = mpmath.mpf(row[OPS[name].args.index(operand)])
    for node, text in graph.constants.items():
        values[node] = {"pi": mpmath.pi, "e": mpmath.e}.get(text) or mpmath.mpf(text)
    for node in graph.gates:
        try:
            values[node] = truth_of(graph.ops[node], [values[k] for k in graph.operands(node)])
        except (ValueError, ZeroDivisionError):
            values[node] = mpmath.nan
    return values[graph.output]


def truth_of(op: str, point: list[Any]) -> Any:
    return MPMATH[op](*point) if op in MPMATH else truth(op, tuple(point))


def holds(ball: Any, value: Any) -> bool:
    """Whether a ball holds a number of mpmath's, which is known to the digits mpmath works with."""
    given = arb(mpmath.nstr(value, mpmath.mp.dps, strip_zeros=False))
    with balls.precision(2 * mpmath.mp.dps):
        return bool(
            ball.overlaps(arb(mpmath.nstr(value, mpmath.mp.dps)) + given * arb(0, 1) * arb(10) ** (3 - mpmath.mp.dps))
        )


# Balls.


def test_every_primitive_has_a_referee() -> None:
    assert set(PRIMITIVES) == {name for name in ELEMENTWISE if OPS[name].form is None or name in balls.NATIVES}
    assert set(PRIMITIVES) - {"identity"} <= MPMATH.keys()


@pytest.mark.parametrize("digits", [60, 100, 400])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_balls_hold_what_mpmath_says_and_are_narrow(name: str, digits: int) -> None:
    for row in operands(name):
        ball = apply(balls.system(digits), name, row)
        with mpmath.workdps(digits + 30):
            value = truth(name, row)
            assert holds(ball, value), row
            assert mpmath.mpf(balls.radius(ball) if digits < 300 else 0) <= mpmath.mpf(10) ** (8 - digits) * (
                1 + abs(value)
            )
        assert ball.rel_accuracy_bits() > balls.bits_of(digits) - 60 or abs(ball) < 1e-6


EXTREME = [
    ("sin", 1e300), ("cos", 1e22), ("exp", 700.5), ("exp", -1e5), ("exp", 1e-300), ("expm1", -1e-300), ("expm1", 1e4),
    ("log", 1e-308), ("log", 1e308), ("log1p", 1e-300), ("log1p", -1 + 2**-53), ("sqrt", 5e-324), ("cbrt", -1e-300),
    ("cbrt", -8.0), ("tan", 1.5707963267948966), ("atan", 1e300), ("asin", 1.0), ("acos", -1.0), ("atanh", 1 - 2**-53),
    ("acosh", 1.0), ("acosh", 1e300), ("asinh", -1e300), ("sinh", 1e-300), ("tanh", 400.0), ("tanh", -1e-300),
    ("erf", 1e-300), ("erf", -30.0), ("erfc", 30.0), ("erfc", -30.0),
    ("gamma", 1e-300), ("gamma", -20.5), ("gamma", 171.5),
    ("lgamma", -1e-8), ("lgamma", -20.5), ("lgamma", 1e10), ("lgamma", 1e-300), ("digamma", 1e-8), ("digamma", -3.25),
    ("digamma", 1e-300), ("sigmoid", -800.0), ("softplus", 800.0), ("tanhshrink", 1e-30), ("logsigmoid", -1e4),
    ("gelu", -40.0), ("mish", 300.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "x"), EXTREME)
def test_balls_keep_digits_at_extreme_operands(name: str, x: float) -> None:
    ball = apply(balls.system(700), name, (x,))
    with mpmath.workdps(750):
        value = truth(name, (x,))
        assert holds(ball, value)
    assert ball.rel_accuracy_bits() > 300 or ball == 0


@pytest.mark.parametrize(("order", "x"), [(0, 0.3), (1, 1e-10), (3, -2.5), (40, 2.0), (1000, 900.0)])
def test_balls_of_polygamma(order: int, x: float) -> None:
    ball = apply(balls.system(60), "polygamma", (float(order), x))
    with mpmath.workdps(90):
        assert holds(ball, mpmath.psi(order, x))


def outcome(name: str, point: list[Any]) -> Any:
    """What an op makes of numbers, by mpmath; NaN where it is not a real number."""
    try:
        value = mpmath.mpmathify(truth_of(name, point))
    except (ValueError, ZeroDivisionError):
        return mpmath.nan
    return value if mpmath.isfinite(value) and mpmath.im(value) == 0 else mpmath.nan


MIDDLES = st.one_of(
    st.integers(-9, 9).map(lambda k: k / 2),
    st.floats(-7, 7),
    st.builds(lambda sign, k: sign * 10.0**k, st.sampled_from([1, -1]), st.integers(-30, 6)),
)
RADII = st.sampled_from([0.0, 1e-25, 1e-3, 0.25, 0.5, 1.0, 3.0])
SHARES = st.one_of(st.sampled_from([-1.0, 0.0, 1.0, None]), st.floats(-1, 1))
"""Where in a ball a number lies, as a part of the radius; None is zero, if that lies inside."""


def inside(middle: float, radius: float, share: float | None) -> Any:
    if share is None:
        share = -middle / radius if radius and abs(middle) <= radius else 0.0
    return mpmath.mpf(middle) + mpmath.mpf(radius) * mpmath.mpf(share)


@RUNS
@given(st.data())
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_wide_balls_hold_every_outcome(name: str, data: st.DataObject) -> None:
    """Also of comparisons, choices and jumps that it does not decide; it has none where one of them has none."""
    system = balls.system(data.draw(st.sampled_from([15, 40]), "digits"))
    middles = [data.draw(MIDDLES, arg) for arg in OPS[name].args]
    radii = [data.draw(RADII, f"radius of {arg}") for arg in OPS[name].args]
    if name in ORDERED:
        middles[0], radii[0] = float(data.draw(st.integers(0, 3))), 0.0
    shares = data.draw(st.lists(st.tuples(*[SHARES] * len(middles)), min_size=4, max_size=4), "inside")
    if OPS[name].choice:
        # A condition is zero almost nowhere in its ball: half of the points are there.
        middles[0] = 0.0
        shares = [(share, *rest) for share, (_, *rest) in zip((None, 1.0, None, 1.0), shares, strict=True)]
    with system.active():
        result = system.function(name)(*map(arb, middles, radii))
    if not result.is_finite():
        return
    with mpmath.workdps(60):
        for share in shares:
            point = list(map(inside, middles, radii, share))
            assert holds(result, outcome(name, point)), (point, result)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if not OPS[name].locally_constant])
def test_a_tenth_of_a_ball_does_not_hold_every_outcome(name: str) -> None:
    """So the test above would notice it."""
    system, missed = balls.system(40), False
    for row in operands(name):
        radii = [0.0 if arg == "n" else 0.01 for arg in OPS[name].args]
        with system.active():
            result = system.function(name)(*map(arb, row, radii))
            tenth = arb(result.mid(), result.rad() * 0.1)
        with mpmath.workdps(60):
            corners = itertools.product((-1.0, 1.0), repeat=len(row))
            ends = [outcome(name, list(map(inside, row, radii, corner))) for corner in corners]
            assert all(holds(result, end) for end in ends)
            missed |= not all(holds(tenth, end) for end in ends)
    assert missed


UNDECIDED = {"lt", "le", "gt", "ge", "eq", "ne", "step"}
"""Of what is no number these say nothing, which is a ball around both answers."""


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name not in ORDERED])
def test_no_number_comes_of_what_is_none(name: str) -> None:
    """NaN is one object in many gates: neither that nor Arb's own functions may make a number of it."""
    count = len(OPS[name].args)
    for nan in (balls.NAN, arb.nan()):
        with balls.precision(60):
            found = balls.system(60).function(name)(*[nan] * count)
        assert not found.is_finite() or (name in UNDECIDED and found.contains(0) and found.contains(1))
        for moving in ([nan] * count, [arb_series([nan, 1])] * count, [arb_series([nan, 0])] * count):
            with balls.precision(60, 4), contextlib.suppress(ArithmeticError, ValueError):
                assert not series.known(series.system(60).function(name)(*moving), 1)


@pytest.mark.parametrize("name", [n for n in PRIMITIVES if len(OPS[n].args) == 2 and n not in (*ORDERED, "pow")])
def test_no_number_comes_of_one_operand_that_is_none(name: str) -> None:
    for other in (0.0, 1.0, -2.5):
        for point in ([balls.NAN, arb(other)], [arb(other), balls.NAN]):
            with balls.precision(60):
                found = balls.system(60).function(name)(*point)
            assert not found.is_finite() or (name in UNDECIDED and found.contains(0) and found.contains(1))
            steps = [arb_series([x, 1]) for x in point]
            for moved_ones in (steps, [steps[0], point[1]], [point[0], steps[1]]):
                with balls.precision(60, 4), contextlib.suppress(ArithmeticError, ValueError):
                    assert not series.known(series.system(60).function(name)(*moved_ones), 1)


@pytest.mark.parametrize(("power", "low", "high"), [("2", 0, 0.25), ("3", -0.125, 0.125), ("7", -(2.0**-7), 2.0**-7)])
def test_whole_powers_of_balls_around_zero(power: str, low: float, high: float) -> None:
    """Arb has none if the ball's middle is zero, as where something is taken from what it equals."""
    for middle in (0.0, 1e-20):
        with balls.precision(60):
            found = balls.system(60).function("pow")(arb(middle, 0.5), arb(power))
        assert found.contains(low)
        assert found.contains(high)
        assert float(found.abs_upper()) < 1.1 * high


@pytest.mark.parametrize("text", ["(x - x)^(y + 2)", "((x - x)/y)^(2*y)", "sqrt((x - x)/y) + y", "cbrt(0*y) - y"])
def test_what_is_zero_over_a_box_stays_zero(text: str) -> None:
    graph = parse(Source(text))
    system = series.system(60)
    with system.active():
        values, failures = evaluate(graph, system, {"x": arb(0.5), "y": arb_series([arb(0.75, 1e-20), 1])})
    assert not failures
    assert series.known(values[graph.output], 4)


def test_a_number_is_itself_although_its_ball_has_a_radius() -> None:
    system = balls.system(50)
    with system.active():
        third, other = arb(1) / 3, arb(1) / 3
        assert system.function("sub")(third, third) == 0
        assert not system.function("sub")(third, other).is_exact()
        assert system.function("max")(third, third) is third
        assert system.function("eq")(third, third) == 1
        assert system.function("lt")(third, third) == 0
        assert not system.function("eq")(third, other).is_exact()
        assert system.function("lt")(third, arb(1)) == 1


def test_equal_gates_of_equal_numbers_are_one() -> None:
    graph = parse(Source("max(tanh(x)*2, tanh(y)*2) + tanh(1)"))
    same = same_values(graph, {"x": 1.0, "y": 1.0})
    assert same is not None
    system = balls.system(60)
    with system.active():
        values, _ = evaluate(graph, system, {"x": arb(1), "y": arb(1)}, same=same)
    tanhs = [values[k] for k in graph.gates if graph.ops[k] == "tanh"]
    assert all(one is tanhs[0] for one in tanhs)
    assert same_values(graph, {"x": 1.0, "y": 2.0}) != same
    assert same_values(parse(Source("tanh(x) - sin(y)")), {"x": 1.0, "y": 1.0}) is None


@pytest.mark.parametrize("text", ["pi", "e"])
def test_constants_to_a_thousand_digits(text: str) -> None:
    system = balls.system(1000)
    with system.active(), mpmath.workdps(1010):
        assert holds(system.constant(text), mpmath.pi if text == "pi" else mpmath.e)


def test_numbers_of_the_user_are_float64() -> None:
    """0.1 is the float64 that the computation under test uses, not the decimal; a literal is the decimal."""
    system = balls.system(60)
    with system.active():
        user, literal = system.constant("0.1"), system.literal("0.1")
        assert user.is_exact()
        assert float(user) == 0.1
        assert not user.overlaps(literal)
        assert literal.contains(arb("0.1"))


def test_the_precision_is_given_back() -> None:
    from flint import ctx

    before = ctx.prec, ctx.cap
    inside = []
    with contextlib.suppress(ZeroDivisionError), balls.system(77).active():
        inside.append(ctx.prec)
        raise ZeroDivisionError
    assert inside == [balls.bits_of(77)]
    assert (ctx.prec, ctx.cap) == before


# Series.


def moved(name: str, row: tuple[float, ...], k: int, start: Any, digits: int = 60) -> Any:
    """The series of an op when operand `k` moves."""
    system = series.system(digits)
    with balls.precision(digits, 5):
        point = [system.constant(repr(x)) for x in row]
        point[k] = arb_series([start, 1])
        return system.function(name)(*point)


def coefficients(found: Any) -> list[Any]:
    return [found[n] for n in range(4)] if isinstance(found, arb_series) else [found, *[arb(0)] * 3]


def along(name: str, start: tuple[Any, ...], speed: tuple[float, ...]) -> list[Any]:
    """The first Taylor coefficients of an op whose operands move, from mpmath's values alone, to 50 digits."""
    with mpmath.workdps(300):
        h = mpmath.mpf(10) ** -40
        line = [[mpmath.mpf(x) + j * h * v for x, v in zip(start, speed, strict=True)] for j in range(-3, 4)]
        m3, m2, m1, f, p1, p2, p3 = [truth_of(name, point) for point in line]
        first = (45 * (p1 - m1) - 9 * (p2 - m2) + (p3 - m3)) / (60 * h)
        second = (270 * (p1 + m1) - 27 * (p2 + m2) + 2 * (p3 + m3) - 490 * f) / (180 * h * h) / 2
        third = (8 * (p2 - m2) - 13 * (p1 - m1) - (p3 - m3)) / (8 * h**3) / 6
        return [f, first, second, third]


def near(ball: Any, value: Any) -> bool:
    """Whether a ball holds a number that is known to 50 digits."""
    with balls.precision(100):
        return bool(arb(mpmath.nstr(value, 80)).overlaps(ball + arb(0, 1) * (1 + abs(ball)) * arb("1e-50")))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_series_are_mpmaths_taylor_series(name: str) -> None:
    """One operand moves, or all of them."""
    count = len(OPS[name].args)
    speeds = [tuple(float(j == k) for j in range(count)) for k in range(count)]
    if name in ORDERED:
        speeds = speeds[1:]
    elif count > 1:
        speeds.append((1.0, -0.75, 0.5)[:count])
    for row in operands(name)[:3]:
        for speed in speeds:
            with balls.precision(60, 5):
                point = [arb_series([arb(x), arb(v)]) if v else arb(x) for x, v in zip(row, speed, strict=True)]
                found = coefficients(series.system(60).function(name)(*point))
            with mpmath.workdps(100):
                assert all(map(near, found, along(name, row, speed))), (row, speed)
            assert all(balls.radius(c) <= 1e-45 * (1 + abs(float(c))) for c in found), (row, speed)


BOXES = st.sampled_from([1e-20, 0.01, 0.1, 0.5, 2.0])


@RUNS
@given(st.data())
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_series_over_a_box_hold_those_of_every_point_in_it(name: str, data: st.DataObject) -> None:
    """Where there is one, the function is smooth in the whole box: no kink is passed over, no jump, no pole."""
    count = len(OPS[name].args)
    k = data.draw(st.integers(0, count - 1), "moving")
    if name in ORDERED and k == 0:
        return
    row = [data.draw(MIDDLES, arg) for arg in OPS[name].args]
    if name in ORDERED:
        row[0] = float(data.draw(st.integers(0, 3)))
    radius = data.draw(BOXES, "radius")
    try:
        box = moved(name, tuple(row), k, arb(row[k], radius))
    except (ArithmeticError, ValueError):
        return
    if not series.known(box, 4):
        return
    shares = data.draw(st.lists(SHARES, min_size=2, max_size=4), "inside")
    with mpmath.workdps(60):
        places = [inside(row[k], radius, share) for share in shares]
        values = [outcome(name, [*map(mpmath.mpf, row[:k]), x, *map(mpmath.mpf, row[k + 1 :])]) for x in places]
        held = coefficients(box)
        assert all(holds(held[0], value) for value in values), (places, values)
        for x, y, f, g in zip(places, places[1:], values, values[1:], strict=False):
            if abs(x - y) > 1e-30:
                # By the mean value theorem; where the function jumps it does not hold.
                noise = mpmath.mpf("1e-25") * (1 + abs(f))
                with balls.precision(60):
                    slope = held[1] + arb(0, 1) * arb(mpmath.nstr(noise / abs(x - y), 10))
                assert holds(slope, (f - g) / (x - y)), (x, y)
    for x in places:
        if abs(x - row[k]) < radius / 2:
            sharp = moved(name, tuple(row), k, arb(mpmath.nstr(x, 60)))
            assert all(a.overlaps(b) for a, b in zip(held, coefficients(sharp), strict=True) if b.is_finite())


def one_sided(text: str, x: float, sign: int) -> list[float]:
    """The first coefficients of an expression for a small step to one side."""
    graph = parse(Source(text))
    system = series.system(60)
    with balls.precision(60, 12):
        values, failures = evaluate(graph, system, {"x": arb_series([arb(x), sign])})
    if failures:
        raise failures[0][1]
    return [float(c) for c in coefficients(values[graph.output])[:2]]


@pytest.mark.parametrize(
    ("text", "x", "left", "right"),
    [
        ("abs(x)", 0.0, [0, 1], [0, 1]),
        ("max(x, 2*x)", 0.0, [0, -1], [0, 2]),
        ("min(x, 2*x)", 0.0, [0, -2], [0, 1]),
        ("where(x > 1, x^2, 5*x)", 1.0, [5, -5], [1, 2]),
        ("where(x >= 1, x, 0)", 1.0, [0, 0], [1, 1]),
        ("floor(x) + x", 2.0, [3, -1], [4, 1]),
        ("ceil(x) + x", 2.0, [4, -1], [5, 1]),
        ("round(x) + x", 2.5, [4.5, -1], [5.5, 1]),
        ("sign(x)", 0.0, [-1, 0], [1, 0]),
        ("step(x)*x", 0.0, [0, 0], [0, 1]),
        ("heaviside(x)", 0.0, [0, 0], [1, 0]),
        ("sqrt(x^2)", 0.0, [0, 1], [0, 1]),
        ("cbrt(x^3)", 0.0, [0, -1], [0, 1]),
        ("sin(x)/x", 0.0, [1, 0], [1, 0]),
        ("(x^2)^1.5 + x", 0.0, [0, -1], [0, 1]),
        ("abs(x)^1.5", 0.0, [0, 0], [0, 0]),
        ("hypot(x, 3*x)", 0.0, [0, 10**0.5], [0, 10**0.5]),
        ("(x == 0) + x", 0.0, [0, -1], [0, 1]),
        ("(-x)^3", 0.0, [0, 0], [0, 0]),
        ("max(x, x + x^30)", 0.0, [0, -1], [0, 1]),
        ("abs(x^30) + x", 0.0, [0, -1], [0, 1]),
        ("atan2(x, -2)", 0.0, [-math.pi, 0.5], [math.pi, -0.5]),
        ("atan2(-x, -2)", 0.0, [math.pi, -0.5], [-math.pi, 0.5]),
        ("x*round(0.5) + round(2.5)", 0.0, [2, 0], [2, 0]),
        ("abs(x)^2.5/abs(x)", 0.0, [0, 0], [0, 0]),
    ],
)
def test_a_piece_is_chosen_by_the_first_coefficient_that_is_not_zero(
    text: str, x: float, left: list[float], right: list[float]
) -> None:
    assert one_sided(text, x, -1) == pytest.approx(left)
    assert one_sided(text, x, 1) == pytest.approx(right)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("sqrt(x)", series.UndecidedError), ("1/x", series.UndecidedError), ("x/x^2", series.UndecidedError),
        ("cbrt(x)", series.UndecidedError), ("where(x^30 > 0, x, 5*x)", series.UndecidedError),
        ("x^30 == 0", series.UndecidedError), ("step(x^30)", series.UndecidedError),
        ("sign(x^30)", series.UndecidedError), ("floor(2 - x^30)", series.UndecidedError),
        ("heaviside(x^30)", series.UndecidedError), ("round(0.5 + x^30)", series.UndecidedError),
        ("where(abs(x)^0.5 > 0, x, 5*x)", series.UndecidedError), ("max(x, abs(x)^0.5)", series.UndecidedError),
        ("sqrt(abs(x)^1.5)", series.UndecidedError), ("(abs(x)^1.5)^0.5", series.UndecidedError),
        ("atan2(x^30, -2)", series.UndecidedError), ("atan2(x, 0*x)", series.UndecidedError),
        ("sqrt(-x)", series.OutsideError), ("(-x)^1.5", series.OutsideError),
        ("abs(sin(x)^2 + cos(x)^2 - 1 + 0*x)", series.UndecidedError),
    ],
)  # fmt: skip
def test_what_has_no_series(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        one_sided(text, 0.0 if "cos" not in text else 0.3, 1)


@pytest.mark.parametrize("text", ["digamma(1 + abs(x)^0.5)", "lgamma(1 + abs(x)^0.5)", "tanh(abs(x)^0.5)"])
def test_no_more_coefficients_are_known_than_those_of_the_operand(text: str) -> None:
    graph = parse(Source(text))
    with balls.precision(60, 12):
        values, _ = evaluate(graph, series.system(60), {"x": arb_series([arb(0), 1])})
    assert not series.known(values[graph.output], 2)


def test_a_power_that_is_not_known_exactly_knows_the_fewest_coefficients() -> None:
    with balls.precision(60, 12):
        wide = series.system(60).function("pow")(arb_series([arb(0), 1]), arb(1.5, 0.75))
    assert not series.known(wide, 2)


def test_nothing_times_what_is_not_defined_is_not_defined() -> None:
    with balls.precision(60, 4):
        edge = arb_series([arb(1), 1]).acos()
        for product in (series.NATIVES["mul"](arb(0), edge), series.NATIVES["mul"](edge, arb(0))):
            assert not series.known(product, 2)


def test_a_box_on_a_kink_has_no_series() -> None:
    for name in ("abs", "relu", "sign", "floor", "round"):
        at = 0.5 if name == "round" else 0.0
        try:
            found = moved(name, (at,), 0, arb(at, 0.1))
        except series.UndecidedError:
            continue
        assert not all(c.is_finite() for c in coefficients(found))


# What holds in every system.


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("system", [FLOATS, IEEE], ids=lambda s: s.name)
def test_floats_are_within_rounding_of_mpmath(system: System, name: str) -> None:
    with mpmath.workdps(60):
        for row in operands(name):
            assert math.isclose(apply(system, name, row), float(truth(name, row)), rel_tol=4e-14, abs_tol=4e-15), row


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if OPS[n].forward or (OPS[n].form and n in FLOATS.natives)])
def test_forward_equals_form(name: str) -> None:
    """What float64 computes is the function that the form defines."""
    row = OPS[name]
    system = balls.system(60)
    form = system.compile([str(row.form)], row.args, single=True)
    for values in operands(name):
        with system.active():
            point = [system.constant(repr(x)) for x in values]
            defined = form(*point)
            if row.forward:
                assert system.compile([row.forward], row.args, single=True)(*point).overlaps(defined)
        assert math.isclose(FLOATS.function(name)(*values), float(defined), rel_tol=1e-13, abs_tol=1e-14)


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n not in ORDERED])
def test_sympy_means_the_same_function(name: str) -> None:
    import sympy

    with mpmath.workdps(60):
        for row in operands(name)[:4]:
            value = SYMBOLS.function(name)(*[sympy.Rational(x) for x in row])
            # mpmath has no erfcinv.
            value = value.replace(sympy.erfcinv, lambda x: sympy.erfinv(1 - x))
            assert math.isclose(float(sympy.N(value, 30)), float(truth(name, row)), rel_tol=1e-14, abs_tol=1e-15), row


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_arrays_are_their_elements(name: str) -> None:
    import numpy as np

    from gradcheck.arithmetic import arrays

    rows = operands(name)
    with arrays.FLOAT_ARRAYS.active():
        found = arrays.FLOAT_ARRAYS.function(name)(*map(np.array, zip(*rows, strict=True)))
    assert np.allclose(found, [FLOATS.function(name)(*row) for row in rows], rtol=1e-13, atol=1e-14)
    system = balls.system(50)
    with system.active():
        columns = [
            np.array([system.constant(repr(x)) for x in column], dtype=object) for column in zip(*rows, strict=True)
        ]
        lifted = arrays.of(system).function(name)(*columns)
    assert all(a.overlaps(apply(system, name, row)) for a, row in zip(lifted, rows, strict=True))


@pytest.mark.parametrize("system", [FLOATS, balls.system(50)], ids=lambda s: s.name)
def test_a_gate_without_a_value_does_not_stop_the_rest(system: System) -> None:
    graph = parse(Source("where(x > 0, log(x), x*2)"))
    with system.active():
        values, _ = evaluate(graph, system, {"x": system.constant("-3.0")})
    assert float(values[graph.output]) == -6.0


def test_rounding_to_whole_numbers_is_the_same_everywhere() -> None:
    halves = [(k / 2,) for k in range(-7, 8)]
    for name in ("floor", "ceil", "round"):
        results = [[float(apply(s, name, row)) for row in halves] for s in (FLOATS, balls.system(40))]
        assert results[0] == results[1]
    assert apply(FLOATS, "round", (2.5,)) == 2.0
