"""Special functions against mpmath at 50 digits, at ordinary and at extreme points; names of other libraries."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import pytest
from support import run
from test_arithmetic import apply
from test_notation import executed, node

import gradcheck
from gradcheck.arithmetic import arrays
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.errors import LanguageError, Source, nearest
from gradcheck.language.parser import parse
from gradcheck.notation import javascript, python
from gradcheck.ops import FUNCTIONS, OPS
from gradcheck.ops.elsewhere import ELSEWHERE, MISSING

ROOT = mpmath.sqrt


def _erfc_is(y: Any) -> Any:
    """Where erfc is y, for small y too: from where its logarithm is right."""
    if y > 0.5:
        return mpmath.erfinv(1 - y)
    return mpmath.findroot(lambda x: mpmath.log(mpmath.erfc(x)) - mpmath.log(y), ROOT(-mpmath.log(y)))


def _times_log(x: Any, y: Any) -> Any:
    return x * mpmath.log(y) if x else mpmath.mpf(0)


def _bessel(n: Any, x: Any) -> Any:
    # With a whole order and real operands it is real, whatever mpmath's rounding leaves.
    return mpmath.re(mpmath.besseli(abs(int(n)), x)) if x else mpmath.mpf(int(n) == 0)


MEANT: dict[str, Any] = {
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "digamma": lambda x: mpmath.psi(0, x),
    "trigamma": lambda x: mpmath.psi(1, x),
    "beta": mpmath.beta,
    "betaln": lambda x, y: mpmath.log(abs(mpmath.beta(x, y))),
    "erfinv": mpmath.erfinv,
    "erfcinv": _erfc_is,
    "erfcx": lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
    "norm_pdf": mpmath.npdf,
    "norm_logpdf": lambda x: -x * x / 2 - mpmath.log(2 * mpmath.pi) / 2,
    "ndtr": lambda x: mpmath.erfc(-x / ROOT(2)) / 2,
    "log_ndtr": lambda x: mpmath.log(mpmath.erfc(-x / ROOT(2)) / 2),
    "ndtri": lambda x: -ROOT(2) * _erfc_is(2 * x),
    "xlogy": _times_log,
    "xlog1py": lambda x, y: _times_log(x, 1 + y),
    "entr": lambda x: -_times_log(x, x),
    "rel_entr": lambda x, y: _times_log(x, x / y),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "logaddexp2": lambda x, y: mpmath.log(2**x + 2**y, 2),
    "log1mexp": lambda x: mpmath.log(1 - mpmath.exp(-x)),
    "logit": lambda x: mpmath.log(x / (1 - x)),
    "log_cosh": lambda x: mpmath.log(mpmath.cosh(x)),
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "exp10": lambda x: mpmath.mpf(10) ** x,
    "cosm1": lambda x: mpmath.cos(x) - 1,
    "rsqrt": lambda x: 1 / ROOT(x),
    "sinc": mpmath.sincpi,
    "iv": _bessel,
    "i0": lambda x: _bessel(0, x),
    "i1": lambda x: _bessel(1, x),
    "i0e": lambda x: mpmath.exp(-abs(x)) * _bessel(0, x),
    "i1e": lambda x: mpmath.exp(-abs(x)) * _bessel(1, x),
}

REAL = (-9.5, -1.25, -0.3, 0.01, 0.7, 2.6, 12.5)
POSITIVE = (1e-8, 0.02, 0.7, 1.0, 3.5, 60.25, 1e6)
UNIT = (1e-300, 1e-20, 1e-3, 0.25, 0.4999, 0.5, 0.75, 0.9, 1 - 2.0**-53)

POINTS: dict[str, list[tuple[float, ...]]] = {
    **{name: [(x,) for x in (*REAL, -1e-12, 1e-12)] for name in MEANT},
    **{name: [(x,) for x in (*POSITIVE, -0.3, -7.75)] for name in ("lgamma", "digamma", "trigamma")},
    **{name: [(1.5, 2.25), (0.01, 3.0), (-0.3, 1.5), (-1.25, -0.5), (40.0, 2.5)] for name in ("beta", "betaln")},
    "erfinv": [(s * x,) for s in (-1, 1) for x in (1e-300, 1e-9, 0.3, 0.5, 0.99, 1 - 2.0**-53)],
    "erfcinv": [(x,) for x in (*UNIT, 1.25, 1.9999, 2 - 2.0**-52)],
    "ndtri": [(x,) for x in UNIT],
    "logit": [(x,) for x in UNIT],
    "ndtr": [(x,) for x in (*REAL, -37.0)],
    "log_ndtr": [(x,) for x in (*REAL, -1.0, -40.0, 10.0, -1e4, -37.6, 36.0)],
    "erfcx": [(x,) for x in (*REAL, 2.0, 27.5, 1e5, 1e30, -26.0)],
    "xlogy": [(0.0, 0.0), (0.0, -3.0), (0.0, 2.0), (-1.5, 2.5), (3.0, 1e-300), (2.0, 1e300)],
    "xlog1py": [(0.0, -1.0), (0.0, -3.0), (-1.5, 1e-20), (3.0, -0.999)],
    "entr": [(0.0,), *[(x,) for x in POSITIVE]],
    "rel_entr": [(0.0, 2.0), (0.3, 0.7), (2.5, 1e-8), (4.0, 3.0)],
    "logaddexp": [(0.0, 0.0), (-1.5, 2.0), (1000.0, 999.0), (-1000.0, -1001.5), (800.0, -800.0)],
    "logaddexp2": [(0.0, 0.0), (-1.5, 2.0), (3000.0, 2999.0), (-3000.0, -3001.5), (2000.0, -2000.0)],
    "log1mexp": [(x,) for x in (1e-300, 1e-8, 0.5, 0.7, 3.0, 40.0, 700.0)],
    "log_cosh": [(x,) for x in (*REAL, 0.0, 1e-8, 1.0, -1000.0)],
    "rsqrt": [(x,) for x in POSITIVE],
    "sinc": [(x,) for x in (*REAL, 0.0, 1e-9, -1e-9, 1.0, -3.0, 1e15, 1000.5)],
    "iv": [(n, x) for n in (0.0, 1.0, 2.0, 7.0, -3.0) for x in (-4.5, 0.0, 1e-9, 0.5, 20.0)],
    **{name: [(x,) for x in (*REAL, 0.0, 1e-9, 600.0)] for name in ("i0", "i1")},
    **{name: [(x,) for x in (*REAL, 0.0, 1e-9, 1000.0, -1e6)] for name in ("i0e", "i1e")},
}
POINTS["betaln"] += [(1e6, 1e6), (1e10, 3.5), (1e6, 1e-6), (1e-300, 1e-300)]
CASES = [(name, point) for name in MEANT for point in POINTS[name]]
CANCELS = {"rel_entr", "logaddexp", "logaddexp2"}
"""Near a zero these are a difference of what float64 has: right in the last digit of what is subtracted."""


def truth(name: str, point: tuple[float, ...]) -> Any:
    # Enough that 1 - 1e-300 is not 1.
    with mpmath.workdps(700):
        return +mpmath.mpmathify(MEANT[name](*map(mpmath.mpf, point)))


@pytest.mark.parametrize(("name", "point"), CASES)
def test_value_is_right_to_the_last_digits(name: str, point: tuple[float, ...]) -> None:
    value, found = truth(name, point), FLOATS.function(name)(*point)
    with arrays.FLOAT_ARRAYS.active():
        in_array = float(arrays.FLOAT_ARRAYS.function(name)(*point))
    for one in (found, in_array):
        assert math.isclose(one, float(value), rel_tol=1e-14, abs_tol=1e-15 if name in CANCELS else 0), (one, value)


@pytest.mark.parametrize("name", MEANT)
def test_gradient_is_mpmaths(name: str) -> None:
    """Each slope is what mpmath's differences give, and every engine that has one agrees."""
    row = OPS[name]
    for point in POINTS[name][:6]:
        at = {arg: x for arg, x in zip(row.args, point, strict=True) if arg != "n"}
        given = ["(" + repr(x) + ")" if arg == "n" else arg for arg, x in zip(row.args, point, strict=True)]
        text = f"{name}({', '.join(given)})"
        if name in ("xlogy", "xlog1py", "entr", "rel_entr") and point[0] == 0:
            continue
        for g in gradcheck.check(text, at=at).checks[0].gradients:
            with mpmath.workdps(700):
                exact, k, h = list(map(mpmath.mpf, point)), row.args.index(g.input), mpmath.mpf(10) ** -320
                moved = [[x + s * h * (j == k) for j, x in enumerate(exact)] for s in (-1, 1)]
                slope = (MEANT[name](*moved[1]) - MEANT[name](*moved[0])) / (2 * h)
            assert g.verdict in ("agree", "lossy", "not_exercised"), (point, g)
            for mine in (g.symbolic, g.finite_difference):
                assert mine is None or math.isclose(mine, float(slope), rel_tol=1e-13, abs_tol=1e-300), (point, g)
            assert g.verdict == "lossy" or math.isclose(g.backprop, float(slope), rel_tol=1e-8, abs_tol=1e-13)


@pytest.mark.parametrize("name", MEANT)
def test_programs_have_the_same_values(name: str) -> None:
    """What a generated program brings along, at extreme operands too."""
    loose = {"betaln": 1e-12, "erfcx": 1e-13, "i0": 1e-14, "ndtri": 1e-13, "erfcinv": 1e-13, "log_ndtr": 1e-13}
    args = OPS[name].args
    points = [p for p in POINTS[name] if abs(p[0]) < 1e14]
    spoken = javascript.speaks([name])
    call = f"{name}({', '.join(args)})"
    if spoken:
        lines = ['"use strict";', *javascript.needed(call, javascript.HELPERS)]
        texts = [f"{name}({', '.join(map(repr, p))})" for p in points]
        text = node("\n".join([*lines, f"console.log(JSON.stringify([{', '.join(texts)}]));"]))
    for k, point in enumerate(points):
        value = float(truth(name, point))
        # At whole numbers a sinc is zero, and not nearly.
        close = {"rel_tol": loose.get(name, 4e-14), "abs_tol": 3e-16 if name != "sinc" else 0.0}
        at = dict(zip(args, point, strict=True))
        if name not in javascript.FUNCTIONS and name in python.SCALAR_HELPERS:
            assert math.isclose(executed(call, python.SCALAR_HELPERS, at), value, **close), point
        if spoken and name in javascript.HELPERS:
            # Its erfc is good to thirteen digits.
            assert math.isclose(text[k], value, rel_tol=1e-11, abs_tol=close["abs_tol"]), (point, text[k])


# Places of their own.


def words(text: str, **at: float) -> dict[str, tuple[str, float | None]]:
    return {g.input: (g.verdict, g.backprop) for g in gradcheck.check(text, at=at).checks[0].gradients}


def test_xlogy_has_a_slope_at_zero() -> None:
    assert words("xlogy(x, y)", x=0.0, y=2.0) == {"x": ("agree", math.log(2)), "y": ("not_exercised", 0.0)}
    assert words("xlog1py(x, y)", x=0.0, y=2.0)["x"] == ("agree", math.log1p(2))
    for y in (0.0, -1.0):
        assert gradcheck.check("xlogy(x, y) + y", at={"x": 0.0, "y": y}, wrt=["y"]).exit_code == 0
        with pytest.raises(gradcheck.GradcheckError, match="not defined here, because of xlogy"):
            gradcheck.check("xlogy(x, y)", at={"x": 0.0, "y": y})
    with pytest.raises(gradcheck.GradcheckError, match="needs y > 0, or x = 0"):
        gradcheck.check("xlogy(x, y)", at={"x": 1.0, "y": 0.0})


def test_smooth_where_the_formula_divides_by_zero() -> None:
    assert words("sinc(x) + x", x=0.0) == {"x": ("agree", 1.0)}
    assert words("sinc(x)", x=2.0) == {"x": ("agree", 0.5)}
    assert words("i1(x)", x=0.0) == words("i1e(x)", x=0.0) == {"x": ("agree", 0.5)}
    assert words("i0(x) + x", x=0.0) == {"x": ("agree", 1.0)}
    assert words("i0e(x)", x=0.0)["x"][0] == "kink"
    assert words("log_cosh(x) + x", x=0.0) == {"x": ("agree", 1.0)}


def test_the_beta_law() -> None:
    text = "gammaln(a+b) - gammaln(a) - gammaln(b) + (a-1)*log(x) + (b-1)*log(1-x)"
    done = run("expr", text, "--at", "a=1.6,b=2.3,x=0.35", "--claim", "a=psi(a+b) - psi(a) + log(x)")
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("sinc(x)", "sin"),
        ("x*sinc(x)", "cos(pi*x)"),
        ("i0(x)", "i1(x)"),
        ("i1(x)", "i0(x) - i1(x)/x"),
        ("erfinv(x)", "erfinv(x)^2"),
        ("xlogy(x, 3)", "log"),
    ],
)
def test_closed_forms_speak_the_language(text: str, closed: str) -> None:
    found = str(gradcheck.check(text, at={"x": 0.3}).checks[0].gradients[0].formula)
    assert closed in found
    value = FLOATS.compile([found], ("x",), single=True)(0.3)
    assert math.isclose(value, words(text, x=0.3)["x"][1] or 0.0, rel_tol=1e-12)


# Names.

SAME = {
    "gammaln": "lgamma", "loggamma": "lgamma", "psi": "digamma", "lbeta": "betaln", "normal_pdf": "norm_pdf",
    "norm_cdf": "ndtr", "normal_cdf": "ndtr", "norm_logcdf": "log_ndtr", "norm_ppf": "ndtri", "logcosh": "log_cosh",
    "absolute": "abs", "fabs": "abs", "sgn": "sign", "rint": "round", "power": "pow", "multiply": "mul",
    "subtract": "sub", "divide": "div", "true_divide": "div", "negative": "neg", "less": "lt", "greater_equal": "ge",
    "fmax": "max", "fmin": "min", "log_expit": "logsigmoid", "hard_swish": "hardswish", "soft_sign": "softsign",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_other_names_are_the_same_op(name: str) -> None:
    assert FUNCTIONS[name] is OPS[SAME[name]]


def test_a_name_is_one_op() -> None:
    names = [name for op in OPS.values() for name in (op.name, *op.aliases)]
    assert len(names) == len(set(names))


def test_names_of_other_libraries_are_never_taken_for_others() -> None:
    missing = ELSEWHERE - FUNCTIONS.keys()
    assert sum(nearest(name, FUNCTIONS) is not None for name in missing) > 30
    for name in missing:
        with pytest.raises(LanguageError, match=f"unknown function `{name}`") as caught:
            parse(Source(f"{name}(x)"))
        assert caught.value.hint == MISSING
    with pytest.raises(LanguageError) as caught:
        parse(Source("gamaln(x)"))
    assert caught.value.hint == "did you mean `gammaln`?"
    for command in ("ops", "prove"):
        assert MISSING in " ".join(run(command, "gammainc").err.split())


def test_orders_are_whole() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="integer"):
        gradcheck.check("iv(0.5, x)", at={"x": 1.0})
    assert apply(FLOATS, "iv", (-3.0, 1.5)) == apply(FLOATS, "iv", (3.0, 1.5))
