"""Activation functions, with torch's definitions and default arguments.

`form` is the definition as papers write it; `forward` is the same function arranged so that
float64 neither overflows nor cancels.
"""

from __future__ import annotations

from gradcheck.ops.op import Op

ALPHA = "1.6732632423543772848170429916717"
SCALE = "1.0507009873554804934193349852946"
"""Klambauer et al. 2017, Self-Normalizing Neural Networks: the fixed point of SELU."""

GELU_TANH = "sqrt(2/pi)*(x + 0.044715*x^3)"
"""Hendrycks and Gimpel 2016, Gaussian Error Linear Units: the tanh approximation."""

OPS = [
    Op(
        "sigmoid", "x", ("out*(1 - out)",), form="1/(1 + exp(-x))",
        forward="where(x >= 0, 1, exp(-abs(x)))/(1 + exp(-abs(x)))", aliases="expit logistic",
        habit="lets at most a quarter through",
    ),
    Op(
        "relu", "x", ("step(x)",), form="max(x, 0)", kink=("x",),
        habit="is a gate that is open above 0 and shut below",
    ),
    Op(
        "relu6", "x", ("step(x)*step(6 - x)",), form="min(max(x, 0), 6)", kink=("x", "x - 6"),
        over=({"x": (-4.0, 8.0)},),
    ),
    Op(
        "leaky_relu", "x a", ("where(x > 0, 1, a)", "where(x > 0, 0, x)"),
        form="where(x > 0, x, a*x)", kink=("x",), defaults={"a": "0.01"},
    ),
    Op(
        "prelu", "x a", ("where(x > 0, 1, a)", "where(x > 0, 0, x)"),
        form="where(x > 0, x, a*x)", kink=("x",),
    ),
    Op(
        "elu", "x a", ("where(x > 0, 1, a*exp(x))", "where(x > 0, 0, expm1(x))"),
        form="where(x > 0, x, a*(exp(x) - 1))", forward="where(x > 0, x, a*expm1(min(x, 0)))",
        kink=("where(a == 1, 1, x)",), defaults={"a": "1"},
    ),
    Op(
        "celu", "x a",
        ("where(x > 0, 1, exp(x/a))", "where(x > 0, 0, expm1(x/a) - x/a*exp(x/a))"),
        form="max(x, 0) + min(0, a*(exp(x/a) - 1))",
        forward="max(x, 0) + min(0, a*expm1(min(x/a, 0)))", domain=("a > 0",), defaults={"a": "1"},
        over=({"a": (0.5, 4.0)},),
    ),
    Op(
        "selu", "x", (f"{SCALE}*where(x > 0, 1, {ALPHA}*exp(x))",),
        form=f"{SCALE}*where(x > 0, x, {ALPHA}*(exp(x) - 1))",
        forward=f"{SCALE}*where(x > 0, x, {ALPHA}*expm1(min(x, 0)))", kink=("x",),
    ),
    Op(
        "gelu", "x", ("erfc(-x/sqrt(2))/2 + x*exp(-x^2/2)/sqrt(2*pi)",),
        form="x*(1 + erf(x/sqrt(2)))/2", forward="x*erfc(-x/sqrt(2))/2",
    ),
    Op(
        "gelu_tanh", "x",
        (
            f"(1 + tanh({GELU_TANH}))/2"
            f" + x/2*(1 - tanh({GELU_TANH})^2)*sqrt(2/pi)*(1 + 0.134145*x^2)",
        ),
        form=f"x*(1 + tanh({GELU_TANH}))/2",
    ),
    Op("silu", "x", ("sigmoid(x)*(1 + x*(1 - sigmoid(x)))",), form="x*sigmoid(x)", aliases="swish"),
    Op(
        "softplus", "x", ("sigmoid(x)",), form="log(1 + exp(x))",
        forward="max(x, 0) + log1p(exp(-abs(x)))",
    ),
    Op("softsign", "x", ("1/(1 + abs(x))^2",), form="x/(1 + abs(x))", aliases="soft_sign"),
    Op(
        "mish", "x",
        ("tanh(softplus(x)) + x*sigmoid(x)*(1 - tanh(softplus(x))^2)",),
        form="x*tanh(softplus(x))",
    ),
    Op(
        "hardtanh", "x", ("where(x > -1, 1, 0)*where(x < 1, 1, 0)",),
        form="min(max(x, -1), 1)", kink=("x + 1", "x - 1"), aliases="hard_tanh",
    ),
    Op(
        "hardsigmoid", "x", ("where(x > -3, 1, 0)*where(x < 3, 1, 0)/6",),
        form="min(max(x + 3, 0), 6)/6", kink=("x + 3", "x - 3"), aliases="hard_sigmoid",
    ),
    Op(
        "hardswish", "x",
        ("where(x <= -3, 0, where(x < 3, (2*x + 3)/6, 1))",),
        form="x*min(max(x + 3, 0), 6)/6", kink=("x + 3", "x - 3"), aliases="hard_swish hard_silu",
    ),
    Op(
        "logsigmoid", "x", ("sigmoid(-x)",), form="-log(1 + exp(-x))",
        forward="min(x, 0) - log1p(exp(-abs(x)))", aliases="log_sigmoid log_expit",
    ),
    Op("tanhshrink", "x", ("tanh(x)^2",), form="x - tanh(x)"),
    Op(
        "softshrink", "x a", ("where(abs(x) > a, 1, 0)", "where(abs(x) > a, -sign(x), 0)"),
        form="where(x > a, x - a, where(x < -a, x + a, 0))", kink=("abs(x) - a",),
        domain=("a >= 0",), defaults={"a": "0.5"},
    ),
    Op(
        "hardshrink", "x a", ("where(abs(x) > a, 1, 0)", "0"),
        form="where(abs(x) > a, x, 0)", kink=("abs(x) - a",),
        domain=("a >= 0",), defaults={"a": "0.5"},
    ),
]  # fmt: skip
