"""Number systems: one graph, several arithmetics, the same values."""

from __future__ import annotations

import math
import random
from typing import Any

import mpmath
import pytest

from gradcheck.arithmetic import decimals, multiprecision
from gradcheck.arithmetic.floats import FLOATS, IEEE
from gradcheck.arithmetic.symbols import SYMBOLS
from gradcheck.arithmetic.system import System
from gradcheck.checking.exact import number_system
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

SKIPPED = {"select", "identity"}
ELEMENTWISE = [name for name, op in OPS.items() if op.elementwise and name not in SKIPPED]
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
    "celu": (0.1, 4),
    "softshrink": (0, 3),
    "hardshrink": (0, 3),
}


def operands(name: str) -> list[tuple[float, ...]]:
    generator = random.Random(f"operands of {name}")
    low, high = RANGES.get(name, (-7, 7))
    rows = [tuple(generator.uniform(low, high) for _ in OPS[name].args) for _ in range(12)]
    return [(2.0, *row[1:]) for row in rows] if name == "polygamma" else rows


def apply(system: System, name: str, row: tuple[float, ...]) -> Any:
    with system.active():
        return system.function(name)(*[system.constant(repr(x)) for x in row])


def truth(name: str, row: tuple[float, ...]) -> Any:
    return apply(multiprecision.system(60), name, row)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("system", [FLOATS, IEEE], ids=lambda s: s.name)
def test_floats_are_within_rounding_of_mpmath(system: System, name: str) -> None:
    for row in operands(name):
        assert math.isclose(apply(system, name, row), float(truth(name, row)), rel_tol=4e-14, abs_tol=4e-15), row


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if decimals.supports({name})])
def test_decimals_agree_with_mpmath_to_fifty_digits(name: str) -> None:
    system = decimals.system(60)
    for row in operands(name):
        exact = truth(name, row)
        with mpmath.workdps(70):
            gap = abs(mpmath.mpf(str(apply(system, name, row))) - mpmath.mpf(mpmath.nstr(exact, 60)))
            assert gap <= mpmath.mpf("1e-50") * (1 + abs(exact)), row


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.elementwise])
def test_decimals_support_what_they_can_compute(name: str) -> None:
    try:
        decimals.system(30).function(name)
    except NotImplementedError:
        assert not decimals.supports({name})
    else:
        assert decimals.supports({name, "add"})


@pytest.mark.parametrize("tiny", ["1e-30", "-1e-30", "3e-200", "1e-7", "-0.00001", "0", "10", "-10"])
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "sinh", "cosh", "tanhshrink", "sigmoid", "softplus"])
def test_decimals_keep_digits_at_extreme_operands(name: str, tiny: str) -> None:
    if name == "log1p":
        tiny = tiny.replace("-10", "-0.9")
    ours, theirs = decimals.system(80), multiprecision.system(1500)
    a, b = apply(ours, name, (float(tiny),)), apply(theirs, name, (float(tiny),))
    with mpmath.workdps(1500):
        a, b = mpmath.mpf(str(a)), mpmath.mpf(mpmath.nstr(b, 1400))
        assert abs(a - b) <= mpmath.mpf("1e-70") * max(abs(b), mpmath.mpf(0 if name != "tanhshrink" else "1"))


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if OPS[n].forward or (OPS[n].form and n in FLOATS.natives)])
def test_forward_equals_form(name: str) -> None:
    """What float64 computes is the function that the form defines."""
    row = OPS[name]
    system = multiprecision.system(60)
    form = system.compile([str(row.form)], row.args, single=True)
    for values in operands(name):
        with system.active():
            defined = form(*map(system.constant, map(repr, values)))
            if row.forward:
                arranged = system.compile([row.forward], row.args, single=True)(
                    *map(system.constant, map(repr, values))
                )
                assert abs(arranged - defined) <= 1e-50 * (1 + abs(defined))
        assert math.isclose(FLOATS.function(name)(*values), float(defined), rel_tol=1e-13, abs_tol=1e-14)


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n not in ("polygamma",)])
def test_sympy_means_the_same_function(name: str) -> None:
    import sympy

    for row in operands(name)[:4]:
        value = SYMBOLS.function(name)(*[sympy.Rational(x) for x in row])
        assert math.isclose(float(sympy.N(value, 30)), float(truth(name, row)), rel_tol=1e-14, abs_tol=1e-15), row


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_arrays_are_their_elements(name: str) -> None:
    import numpy as np

    from gradcheck.arithmetic.arrays import FLOAT_ARRAYS

    rows = operands(name)
    with FLOAT_ARRAYS.active():
        found = FLOAT_ARRAYS.function(name)(*map(np.array, zip(*rows, strict=True)))
    expected = [FLOATS.function(name)(*row) for row in rows]
    assert np.allclose(found, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("text", ["pi", "e"])
def test_constants_to_a_thousand_digits(text: str) -> None:
    system = number_system(True, 1000)
    with system.active(), mpmath.workdps(1010):
        assert abs(mpmath.mpf(str(system.constant(text))) - (mpmath.pi if text == "pi" else mpmath.e)) < mpmath.mpf(
            "1e-997"
        )


@pytest.mark.parametrize("simple", [True, False])
def test_numbers_of_the_user_are_float64(simple: bool) -> None:
    """0.1 is the float64 that the computation under test uses, not the decimal."""
    system = number_system(simple, 60)
    with system.active():
        assert float(system.constant("0.1")) == 0.1
        assert system.constant("0.1") != system.literal("0.1")


@pytest.mark.parametrize("system", [FLOATS, number_system(True, 50), number_system(False, 50)], ids=lambda s: s.name)
def test_a_gate_without_a_value_does_not_stop_the_rest(system: System) -> None:
    graph = parse(Source("where(x > 0, log(x), x*2)"))
    with system.active():
        values, _ = evaluate(graph, system, {"x": system.constant("-3.0")})
    assert float(values[graph.output]) == -6.0


def test_rounding_to_whole_numbers_is_the_same_everywhere() -> None:
    halves = [(k / 2,) for k in range(-7, 8)]
    for name in ("floor", "ceil", "round"):
        results = [
            [float(apply(s, name, row)) for row in halves]
            for s in (FLOATS, decimals.system(40), multiprecision.system(40))
        ]
        assert results[0] == results[1] == results[2]
    assert apply(FLOATS, "round", (2.5,)) == 2.0
