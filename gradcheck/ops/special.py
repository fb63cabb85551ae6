"""Special functions of probability and physics: gamma and error functions' kin, the normal law, Bessel functions.

Names are SciPy's and PyTorch's where the two agree.
"""

from __future__ import annotations

import math

from gradcheck.ops.op import Op, Worded

_POLE_FREE = ("x > 0 or x not an integer", "y > 0 or y not an integer", "x + y > 0 or x + y not an integer")


def _off_poles(x: float) -> bool:
    return x > 0 or x != math.floor(x)


_BETA = (
    Worded(_POLE_FREE[0], lambda x, y: _off_poles(x)),
    Worded(_POLE_FREE[1], lambda x, y: _off_poles(y)),
    Worded(_POLE_FREE[2], lambda x, y: _off_poles(x + y)),
)
_POLE = Worded(_POLE_FREE[0], _off_poles)
_ORDER = Worded("n integer from -1000 to 1000", lambda n, _: abs(n) <= 1000 and n == math.floor(n))

_POSITIVE = {"x": (0.75, 1.5), "y": (1.25, 1.75)}
_NEAR = {"x": (-1.0, 2.0), "y": (-2.0, 1.0)}
_UNIT = {"x": (0.0, 1.0)}

OPS = [
    # Kin of gamma.
    Op(
        "trigamma", "x", ("polygamma(2, x)",), form="polygamma(1, x)", domain=(_POLE,),
        over=({"x": (0.0, 4.0)},),
    ),
    Op(
        "beta", "x y", ("out*(digamma(x) - digamma(x + y))", "out*(digamma(y) - digamma(x + y))"),
        form="gamma(x)*gamma(y)/gamma(x + y)", domain=_BETA, over=({"x": (1.0, 1.25), "y": (1.25, 1.5)},),
    ),
    Op(
        "betaln", "x y", ("digamma(x) - digamma(x + y)", "digamma(y) - digamma(x + y)"),
        form="lgamma(x) + lgamma(y) - lgamma(x + y)", domain=_BETA, aliases="lbeta", over=(_POSITIVE,),
    ),
    # Kin of erf.
    Op("erfinv", "x", ("sqrt(pi)/2*exp(out^2)",), domain=("x > -1", "x < 1"), over=({"x": (-1.0, 1.0)},)),
    Op("erfcinv", "x", ("-sqrt(pi)/2*exp(out^2)",), domain=("x > 0", "x < 2"), over=({"x": (0.0, 2.0)},)),
    Op("erfcx", "x", ("2*x*out - 2/sqrt(pi)",), form="exp(x^2)*erfc(x)"),
    # The normal law.
    Op(
        "norm_pdf", "x", ("-x*out",), form="exp(-x^2/2)/sqrt(2*pi)", aliases="normal_pdf",
    ),
    Op(
        "norm_logpdf", "x", ("-x",), form="-x^2/2 - log(2*pi)/2", aliases="normal_logpdf",
    ),
    Op(
        "ndtr", "x", ("exp(-x^2/2)/sqrt(2*pi)",), form="erfc(-x/sqrt(2))/2",
        aliases="norm_cdf normal_cdf",
    ),
    Op(
        "log_ndtr", "x", ("sqrt(2/pi)/erfcx(-x/sqrt(2))",), form="log(erfc(-x/sqrt(2))/2)",
        forward="s = x/sqrt(2); where(x > -1, log1p(-erfc(s)/2), log(erfcx(-s)/2) - x^2/2)",
        aliases="norm_logcdf normal_logcdf",
    ),
    Op(
        "ndtri", "x", ("sqrt(2*pi)*exp(out^2/2)",), form="-sqrt(2)*erfcinv(2*x)", domain=("x > 0", "x < 1"),
        aliases="norm_ppf normal_ppf norm_icdf normal_icdf", over=(_UNIT,),
    ),
    # Logarithms of what float64 cannot hold, or of what cancels.
    Op(
        "xlogy", "x y", ("log(y)", "where(x == 0, 0, x/y)"), form="where(x == 0, 0, x*log(y))",
        domain=(Worded("y > 0, or x = 0", lambda x, y: y > 0 or x == 0),), over=({"y": (0.25, 4.0)},),
    ),
    Op(
        "xlog1py", "x y", ("log1p(y)", "where(x == 0, 0, x/(1 + y))"), form="where(x == 0, 0, x*log1p(y))",
        domain=(Worded("y > -1, or x = 0", lambda x, y: y > -1 or x == 0),),
        over=({"y": (-0.75, 4.0)},),
    ),
    Op("entr", "x", ("-1 - log(x)",), form="-xlogy(x, x)", domain=("x >= 0",)),
    Op(
        "rel_entr", "x y", ("1 + log(x/y)", "-x/y"), form="xlogy(x, x/y)", domain=("x >= 0", "y > 0"),
        over=({"x": (0.25, 4.0), "y": (0.25, 4.0)},),
    ),
    Op(
        "logaddexp", "x y", ("sigmoid(x - y)", "sigmoid(y - x)"), form="log(exp(x) + exp(y))",
        forward="max(x, y) + log1p(exp(-abs(x - y)))", over=(_NEAR,),
    ),
    Op(
        "logaddexp2", "x y", ("sigmoid((x - y)*log(2))", "sigmoid((y - x)*log(2))"), form="log2(2^x + 2^y)",
        forward="max(x, y) + log1p(2^(-abs(x - y)))/log(2)", over=(_NEAR,),
    ),
    Op(
        "log1mexp", "x", ("1/expm1(x)",), form="log(1 - exp(-x))",
        forward="where(x < 0.5, log(-expm1(-x)), log1p(-exp(-x)))", domain=("x > 0",),
    ),
    Op(
        "logit", "x", ("1/(x*(1 - x))",), form="log(x/(1 - x))",
        forward="where(abs(x - 0.5) < 0.25, 2*atanh(2*x - 1), log(x) - log1p(-x))", domain=("x > 0", "x < 1"),
        over=(_UNIT,),
    ),
    Op(
        "log_cosh", "x", ("tanh(x)",), form="log(cosh(x))",
        forward="s = abs(x); where(s < 1, log1p(2*sinh(s/2)^2), s + log1p(exp(-2*s)) - log(2))",
        aliases="logcosh",
    ),
    Op("sinc", "x", ("where(x == 0, 0, (cos(pi*x) - out)/x)",)),
    # Modified Bessel functions; those with an e are scaled by exp(-|x|).
    Op(
        "iv", "n x", ("0", "(iv(n - 1, x) + iv(n + 1, x))/2"), domain=(_ORDER,),
        over=({"n": (2.0, 2.0), "x": (-4.0, 4.0)},),
    ),
    Op("i0", "x", ("i1(x)",), form="iv(0, x)"),
    Op("i1", "x", ("where(x == 0, 0.5, i0(x) - out/x)",), form="iv(1, x)"),
    Op("i0e", "x", ("i1e(x) - sign(x)*out",), form="exp(-abs(x))*iv(0, x)", kink=("x",)),
    Op(
        "i1e", "x", ("where(x == 0, 0.5, i0e(x) - out/x) - sign(x)*out",), form="exp(-abs(x))*iv(1, x)",
    ),
]  # fmt: skip
