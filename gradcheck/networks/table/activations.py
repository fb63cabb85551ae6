"""Activations under torch's class names; what they compute is in the op table."""

from __future__ import annotations

from typing import Any

from gradcheck.networks.arguments import axis, boolean, choice, integer, number
from gradcheck.networks.layer import Argument, Arguments, Layer, Misfit, Operand, Parameter, Plan
from gradcheck.ops.shapes import show

PLAIN = {
    "ReLU": "relu", "ReLU6": "relu6", "SELU": "selu", "SiLU": "silu", "Sigmoid": "sigmoid", "Tanh": "tanh",
    "Softsign": "softsign", "Mish": "mish", "Hardsigmoid": "hardsigmoid", "Hardswish": "hardswish",
    "LogSigmoid": "logsigmoid", "Tanhshrink": "tanhshrink",
}  # fmt: skip
"""Class → op, for those without arguments that matter."""

INPLACE = boolean("inplace", False, inert=True)


def _program(text: str, *names: str) -> Any:
    return lambda a, x: Plan(text, {name: getattr(a, name) for name in names})


def _activation(name: str, text: str, *arguments: Argument) -> Layer:
    names = tuple(a.name for a in arguments)
    return Layer(name, ("x",), (*arguments, INPLACE), _program(text, *names), ({}, [(2, 3)]), family="activation")


def _gelu(a: Arguments, x: Operand) -> Plan:
    return Plan("gelu(x)" if a.approximate == "none" else "gelu_tanh(x)")


def _softplus(a: Arguments, x: Operand) -> Plan:
    # Above the threshold torch's softplus is the identity.
    return Plan("where(beta*x > threshold, x, softplus(beta*x)/beta)", {"beta": a.beta, "threshold": a.threshold})


def _hardtanh(a: Arguments, x: Operand) -> Plan:
    if a.min_val >= a.max_val:
        raise Misfit(f"min_val {a.min_val:g} is not below max_val {a.max_val:g}", "min_val")
    return Plan("clip(x, min_val, max_val)", {"min_val": a.min_val, "max_val": a.max_val})


def _prelu(a: Arguments, x: Operand) -> Plan:
    count = a.num_parameters
    parameters = {"weight": Parameter((count,), ("constant_", {"val": a.init}))}
    if count == 1:
        return Plan("prelu(x, weight)", parameters=parameters)
    channels = x.shape[1] if len(x.shape) > 1 else 1
    if channels != count:
        raise Misfit(f"num_parameters is {count}, but the input has {channels} channels", "num_parameters")
    column = (count, *[1] * (len(x.shape) - 2))
    return Plan("prelu(x, reshape(weight, shape=column))", {"column": column}, parameters)


def implicit(dim: int | None, x: Operand) -> int:
    """Return the axis that torch's softmax takes when none is given."""
    if dim is None:
        return 0 if len(x.shape) in (0, 1, 3) else 1
    return dim


def _softmax(op: str) -> Any:
    return lambda a, x: Plan(f"{op}(x, axis=axis)", {"axis": implicit(a.dim, x)})


def _glu(a: Arguments, x: Operand) -> Plan:
    rank = len(x.shape)
    if not -rank <= a.dim < rank:
        raise Misfit(f"axis {a.dim} does not exist: the input is {show(x.shape)}", "dim")
    k = a.dim % rank
    if x.shape[k] % 2:
        raise Misfit(f"axis {a.dim} of {show(x.shape)} cannot be halved", "dim")
    half, before = x.shape[k] // 2, (slice(None),) * k
    names = {"first": (*before, slice(0, half)), "second": (*before, slice(half, None))}
    return Plan("x[first]*sigmoid(x[second])", names)


SOFTMAX_AXIS = axis("dim", None)._replace(expects="an axis", kind={"type": ["integer", "null"]})

LAYERS = [
    *(_activation(name, f"{op}(x)") for name, op in PLAIN.items()),
    _activation("LeakyReLU", "leaky_relu(x, negative_slope)", number("negative_slope", 0.01)),
    _activation("ELU", "elu(x, alpha)", number("alpha", 1.0)),
    _activation("CELU", "celu(x, alpha)", number("alpha", 1.0, above=0)),
    _activation("Softshrink", "softshrink(x, lambd)", number("lambd", 0.5, least=0)),
    _activation("Hardshrink", "hardshrink(x, lambd)", number("lambd", 0.5, least=0)),
    Layer(
        "GELU", ("x",), (choice("approximate", ("none", "tanh"), "none"),), _gelu, ({}, [(2, 3)]), family="activation",
    ),
    Layer(
        "Softplus", ("x",), (number("beta", 1.0, above=0), number("threshold", 20.0)), _softplus, ({}, [(2, 3)]),
        family="activation", note="the identity where beta*x exceeds the threshold, as in torch",
    ),
    Layer(
        "Hardtanh", ("x",), (number("min_val", -1.0), number("max_val", 1.0), INPLACE), _hardtanh, ({}, [(2, 3)]),
        family="activation",
    ),
    Layer(
        "PReLU", ("x",), (integer("num_parameters", 1), number("init", 0.25)), _prelu, ({}, [(2, 3)]),
        family="activation",
    ),
    Layer(
        "Softmax", ("x",), (SOFTMAX_AXIS,), _softmax("softmax"),
        ({"dim": 1}, [(2, 3)]), family="activation",
    ),
    Layer(
        "LogSoftmax", ("x",), (SOFTMAX_AXIS,), _softmax("log_softmax"),
        ({"dim": 1}, [(2, 3)]), family="activation",
    ),
    Layer("GLU", ("x",), (axis("dim", -1),), _glu, ({}, [(2, 4)]), family="activation"),
]  # fmt: skip
