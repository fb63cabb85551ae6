"""Smooth elementary and special functions."""

from __future__ import annotations

import math

from gradcheck.ops.op import Op, Worded

_NO_POLE = Worded("x > 0 or x not an integer", lambda *a: a[-1] > 0 or a[-1] != math.floor(a[-1]))
_ORDER = Worded("n integer from 0 to 1000", lambda n, _: 0 <= n <= 1000 and n == math.floor(n))

_POSITIVE = ({"x": (0.0, 4.0)},)
"""Arb gives digamma no value over an interval left of zero."""

OPS = [
    Op("exp", "x", ("out",), habit="is its own slope"),
    Op("log", "x", ("1/x",), domain=("x > 0",), aliases="ln"),
    Op("log2", "x", ("1/(x*log(2))",), form="log(x)/log(2)", domain=("x > 0",)),
    Op("log10", "x", ("1/(x*log(10))",), form="log(x)/log(10)", domain=("x > 0",)),
    Op("log1p", "x", ("1/(1 + x)",), form="log(1 + x)", domain=("x > -1",)),
    Op("expm1", "x", ("exp(x)",), form="exp(x) - 1"),
    Op("exp2", "x", ("out*log(2)",), form="2^x"),
    Op("exp10", "x", ("out*log(10)",), form="10^x", over=({"x": (-2.0, 2.0)},)),
    Op("sqrt", "x", ("1/(2*out)",), domain=("x >= 0",)),
    Op("rsqrt", "x", ("-out^3/2",), form="1/sqrt(x)", domain=("x > 0",), over=({"x": (0.25, 4.0)},)),
    Op("cbrt", "x", ("1/(3*out^2)",), form="sign(x)*abs(x)^(1/3)"),
    Op(
        "hypot", "x y", ("where(out == 0, 0, x/out)", "where(out == 0, 0, y/out)"),
        form="sqrt(x^2 + y^2)", over=({"x": (-1.0, 2.0), "y": (1.0, 3.0)},),
    ),
    Op("sin", "x", ("cos(x)",)),
    Op("cos", "x", ("-sin(x)",)),
    Op("cosm1", "x", ("-sin(x)",), form="cos(x) - 1", forward="-2*sin(x/2)^2"),
    Op("tan", "x", ("1 + out^2",)),
    Op("sec", "x", ("out*tan(x)",), form="1/cos(x)"),
    Op("csc", "x", ("-out*cot(x)",), form="1/sin(x)", domain=("sin(x) != 0",)),
    Op("cot", "x", ("-(1 + out^2)",), form="cos(x)/sin(x)", domain=("sin(x) != 0",)),
    Op("asin", "x", ("1/sqrt(1 - x^2)",), domain=("x >= -1", "x <= 1"), aliases="arcsin"),
    Op("acos", "x", ("-1/sqrt(1 - x^2)",), domain=("x >= -1", "x <= 1"), aliases="arccos"),
    Op("atan", "x", ("1/(1 + x^2)",), aliases="arctan"),
    Op(
        "atan2", "x y", ("y/(x^2 + y^2)", "-x/(x^2 + y^2)"),
        domain=("x^2 + y^2 != 0",), aliases="arctan2", over=({"y": (1.0, 4.0)},),
    ),
    Op("sinh", "x", ("cosh(x)",)),
    Op("cosh", "x", ("sinh(x)",)),
    Op("tanh", "x", ("1 - out^2",)),
    Op("asinh", "x", ("1/sqrt(x^2 + 1)",), aliases="arcsinh"),
    Op("acosh", "x", ("1/sqrt((x - 1)*(x + 1))",), domain=("x >= 1",), aliases="arccosh"),
    Op("atanh", "x", ("1/(1 - x^2)",), domain=("x > -1", "x < 1"), aliases="arctanh"),
    Op("erf", "x", ("2/sqrt(pi)*exp(-x^2)",)),
    Op("erfc", "x", ("-2/sqrt(pi)*exp(-x^2)",)),
    Op("gamma", "x", ("out*digamma(x)",), domain=(_NO_POLE,), over=_POSITIVE),
    Op("lgamma", "x", ("digamma(x)",), domain=(_NO_POLE,), aliases="gammaln loggamma lngamma", over=_POSITIVE),
    Op("digamma", "x", ("polygamma(1, x)",), domain=(_NO_POLE,), aliases="psi", over=_POSITIVE),
    Op(
        "polygamma", "n x", ("0", "polygamma(n + 1, x)"),
        domain=(_ORDER, _NO_POLE), over=({"n": (2.0, 2.0), "x": (-1.0, 4.0)},),
    ),
]  # fmt: skip
