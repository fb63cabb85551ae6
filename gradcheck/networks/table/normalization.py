"""Normalisations: subtract a mean, divide by a standard deviation, scale and shift."""

from __future__ import annotations

import math
from typing import Any

from gradcheck.networks.arguments import boolean, inferred, integer, number, optional_number, whole_numbers
from gradcheck.networks.layer import INFERRED, Arguments, Layer, Misfit, Operand, Parameter, Plan
from gradcheck.networks.table.linear import feature
from gradcheck.ops.shapes import Shape, show

ONES: tuple[str, dict[str, float]] = ("ones_", {})
ZEROS: tuple[str, dict[str, float]] = ("zeros_", {})

EPSILON = 2.0**-52
"""What torch's RMSNorm adds in float64 when no eps is given."""


def _normalized(over: str, eps: str = "eps") -> str:
    same = f"axis={over}, keepdims=True"
    return f"(x - mean(x, {same}))/sqrt(var(x, {same}) + {eps})"


def _scaled(program: str, a: Arguments, shape: Shape, names: dict[str, Any]) -> Plan:
    """Append the trained scale and shift of one number a channel."""
    if not a.affine:
        return Plan(program, names)
    parameters = {"weight": Parameter(shape, ONES)}
    program += "*reshape(weight, shape=column)"
    if a.bias:
        parameters["bias"] = Parameter(shape, ZEROS)
        program += " + reshape(bias, shape=column)"
    return Plan(program, names, parameters)


def _running(plan: Plan, channels: int) -> Plan:
    """Add the running statistics, which are in a state_dict even where they are not used."""
    buffers = {
        "running_mean": Parameter((channels,), ZEROS, buffer=True),
        "running_var": Parameter((channels,), ONES, buffer=True),
        "num_batches_tracked": Parameter((), ZEROS, buffer=True),
    }
    return plan._replace(parameters={**plan.parameters, **buffers})


FIXED = "(x - reshape(running_mean, shape=column))/sqrt(reshape(running_var, shape=column) + eps)"
"""In evaluation the running statistics take the place of the batch's."""


def _batch_norm(ranks: tuple[int, ...], over: str) -> Any:
    def plan(a: Arguments, x: Operand) -> Plan:
        if len(x.shape) not in ranks:
            expected = "N × C × H × W" if 4 in ranks else "N × C or N × C × L"
            raise Misfit(f"the input is {show(x.shape)}; it must be {expected}")
        channels = feature(a.num_features, x.shape[1], "num_features", "the input's number of channels")
        axes = (0, *range(2, len(x.shape)))
        names = {"axes": axes, "eps": a.eps, "column": (channels, *[1] * (len(x.shape) - 2))}
        fixed = a.track_running_stats and not a.training
        if not fixed and math.prod(x.shape[k] for k in axes) < 2:
            raise Misfit(f"one value for each channel has no variance: the input is {show(x.shape)}")
        found = _scaled(FIXED if fixed else _normalized(over), a, (channels,), names)
        return _running(found, channels) if a.track_running_stats else found

    return plan


def _instance_norm(a: Arguments, x: Operand) -> Plan:
    if len(x.shape) not in (3, 4):
        raise Misfit(f"the input is {show(x.shape)}; it must be N × C × H × W, or the same without N")
    channels = feature(a.num_features, x.shape[-3], "num_features", "the input's number of channels")
    names = {"axes": (-2, -1), "eps": a.eps, "column": (channels, 1, 1)}
    fixed = a.track_running_stats and not a.training
    if not fixed and x.shape[-1] * x.shape[-2] < 2:
        raise Misfit(f"one value for each channel has no variance: the input is {show(x.shape)}")
    found = _scaled(FIXED if fixed else _normalized("axes"), a, (channels,), names)
    return _running(found, channels) if a.track_running_stats else found


def _group_norm(a: Arguments, x: Operand) -> Plan:
    if len(x.shape) < 2:
        raise Misfit(f"the input is {show(x.shape)}; it must be N × C × …")
    channels = feature(a.num_channels, x.shape[1], "num_channels", "the input's number of channels")
    if channels % a.num_groups:
        raise Misfit(f"num_channels is {channels}, which num_groups={a.num_groups} does not divide", "num_groups")
    names = {
        "groups": (x.shape[0], a.num_groups, -1), "whole": x.shape, "eps": a.eps,
        "column": (channels, *[1] * (len(x.shape) - 2)),
    }  # fmt: skip
    program = (
        "y = reshape(x, shape=groups)\n"
        "z = (y - mean(y, axis=-1, keepdims=True))/sqrt(var(y, axis=-1, keepdims=True) + eps)\n"
        "reshape(z, shape=whole)"
    )
    return _scaled(program, a, (channels,), names)


def _trailing(a: Arguments, x: Operand) -> tuple[int, ...]:
    """Return the trailing axes that `normalized_shape` names."""
    shape: Shape = a.normalized_shape if a.normalized_shape is not INFERRED else x.shape[-1:]
    if not shape or x.shape[len(x.shape) - len(shape) :] != shape:
        raise Misfit(f"normalized_shape is {show(shape)}, but the input is {show(x.shape)}", "normalized_shape")
    return tuple(range(-len(shape), 0))


def _layer_norm(a: Arguments, x: Operand) -> Plan:
    axes = _trailing(a, x)
    program, parameters = _normalized("axes"), {}
    if a.elementwise_affine:
        shape = x.shape[len(x.shape) - len(axes) :]
        parameters["weight"] = Parameter(shape, ONES)
        program += "*weight"
        if a.bias:
            parameters["bias"] = Parameter(shape, ZEROS)
            program += " + bias"
    return Plan(program, {"axes": axes, "eps": a.eps}, parameters)


def _rms_norm(a: Arguments, x: Operand) -> Plan:
    axes = _trailing(a, x)
    program, parameters = "x/sqrt(mean(x^2, axis=axes, keepdims=True) + eps)", {}
    if a.elementwise_affine:
        parameters["weight"] = Parameter(x.shape[len(x.shape) - len(axes) :], ONES)
        program += "*weight"
    return Plan(program, {"axes": axes, "eps": EPSILON if a.eps is None else a.eps}, parameters)


def _arguments(affine: bool, track: bool) -> tuple[Any, ...]:
    return (
        inferred("num_features"), number("eps", 1e-5, least=0), optional_number("momentum")._replace(inert=True),
        boolean("affine", affine), boolean("track_running_stats", track), boolean("bias", True),
    )  # fmt: skip


def _shape() -> Any:
    return whole_numbers("normalized_shape", INFERRED, least=1)


LAYERS = [
    Layer(
        "BatchNorm1d", ("x",), _arguments(True, True), _batch_norm((2, 3), "axes"), ({}, [(4, 3)]),
        note="in training it uses the batch's own statistics, in eval running_mean and running_var",
    ),
    Layer(
        "BatchNorm2d", ("x",), _arguments(True, True), _batch_norm((4,), "axes"), ({}, [(2, 3, 4, 4)]),
        note="in training it uses the batch's own statistics, in eval running_mean and running_var",
    ),
    Layer(
        "LayerNorm", ("x",),
        (_shape(), number("eps", 1e-5, least=0), boolean("elementwise_affine", True), boolean("bias", True)),
        _layer_norm, ({"normalized_shape": 3}, [(4, 3)]),
    ),
    Layer(
        "GroupNorm", ("x",),
        (
            integer("num_groups"), inferred("num_channels"), number("eps", 1e-5, least=0), boolean("affine", True),
            boolean("bias", True),
        ),
        _group_norm, ({"num_groups": 2}, [(2, 4, 3, 3)]),
    ),
    Layer("InstanceNorm2d", ("x",), _arguments(False, False), _instance_norm, ({}, [(2, 3, 4, 4)])),
    Layer(
        "RMSNorm", ("x",), (_shape(), optional_number("eps"), boolean("elementwise_affine", True)),
        _rms_norm, ({"normalized_shape": 3}, [(4, 3)]),
    ),
]  # fmt: skip
