"""Convolutions: windows of the input, times the weights, added up.

Windows become the columns of a matrix (im2col), so that the product is one `matmul` and its
gradient the textbook one of an affine layer. The transposed convolution adds windows up instead.
"""

from __future__ import annotations

import math
from typing import Any

from gradcheck.networks.arguments import boolean, choice, inferred, integer, padding, per_axis
from gradcheck.networks.layer import Arguments, Layer, Misfit, NamedShortcut, Operand, Parameter, Plan
from gradcheck.networks.table.linear import feature, uniform
from gradcheck.ops import compounds
from gradcheck.ops.shapes import Shape, show, windows

Reach = dict[str, Any]


def spatial(x: Operand, rank: int) -> Shape:
    """Return the trailing axes of a batch (N×C×…) or of a single example (C×…).

    Raises:
        Misfit: if the input has another number of axes.
    """
    if len(x.shape) not in (rank + 1, rank + 2):
        axes = " × ".join(["N", "C", *["L"]] if rank == 1 else ["N", "C", "H", "W"])
        raise Misfit(f"the input is {show(x.shape)}; it must be {axes}, or the same without N")
    return x.shape[len(x.shape) - rank :]


def counted(x: Operand, reach: Reach) -> Shape:
    """Return how many windows there are along each axis."""
    try:
        full = windows(x.shape, **reach)
    except ValueError as error:
        raise Misfit(str(error), "kernel_size") from None
    rank = len(reach["kernel"])
    return full[len(full) - 2 * rank : len(full) - rank]


def _padding(a: Arguments, rank: int) -> tuple[tuple[int, int], ...]:
    if a.padding == "valid":
        return ((0, 0),) * rank
    if a.padding == "same":
        if any(s != 1 for s in a.stride):
            raise Misfit("padding: same needs a stride of 1", "padding")
        totals = [d * (k - 1) for d, k in zip(a.dilation, a.kernel_size, strict=True)]
        return tuple((t // 2, t - t // 2) for t in totals)
    return tuple((p, p) for p in a.padding)


def _grouped(a: Arguments, channels: int) -> int:
    groups: int = a.groups
    for name, count in (("in_channels", channels), ("out_channels", a.out_channels)):
        if count % groups:
            raise Misfit(f"{name} is {count}, which groups={groups} does not divide", "groups")
    return groups


def _layout(lead: Shape, groups: int, weight: Shape, places: Shape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how a convolution becomes a product of matrices: the shapes on the way there, and on the way back."""
    out, depth, *kernel = weight
    rank, free = len(kernel), len(lead) + 1
    per_group, width, count = out // groups, depth * math.prod(kernel), math.prod(places)
    order = (*range(free), *(free + 1 + k for k in range(rank)), free, *(free + 1 + rank + k for k in range(rank)))
    grouped = (*lead, groups, depth, *places, *kernel)
    there = {
        "grouped": grouped,
        "order": order,
        "patches": (*lead, groups, count, width),
        "filters": (groups, per_group, width),
        "result": (*lead, out, *places),
        "column": (out, *[1] * rank),
    }
    back = {
        "permuted": tuple(grouped[k] for k in order),
        "product": (*lead, groups, per_group, count),
        "weights": (*lead, *weight),
        "others": (*range(len(lead)), *(free + k for k in range(rank))),
    }
    return there, back


def convolution(rank: int) -> Any:
    """Return the plan of a convolution over `rank` axes."""

    def plan(a: Arguments, x: Operand) -> Plan:
        spatial(x, rank)
        channels = feature(a.in_channels, x.shape[-rank - 1], "in_channels", "the input's number of channels")
        groups, kernel = _grouped(a, channels), a.kernel_size
        reach = {
            "kernel": kernel, "stride": a.stride, "padding": _padding(a, rank), "dilation": a.dilation, "edge": "zero",
        }  # fmt: skip
        weight = (a.out_channels, channels // groups, *kernel)
        there, back = _layout(x.shape[: len(x.shape) - rank - 1], groups, weight, counted(x, reach))
        init = uniform(1 / math.sqrt(math.prod(weight[1:])))
        parameters = {"weight": Parameter(weight, init)}
        if a.bias:
            parameters["bias"] = Parameter((a.out_channels,), init)
        program = compounds.convolution("weight", "bias" if a.bias else None)
        shortcut = NamedShortcut("conv" if a.bias else "conv_map", ("x", *parameters), back)
        return Plan(program, {**reach, **there}, parameters, shortcut=shortcut)

    return plan


def transposed(rank: int) -> Any:
    """Return the plan of a transposed convolution over `rank` axes."""

    def plan(a: Arguments, x: Operand) -> Plan:
        size = spatial(x, rank)
        channels = feature(a.in_channels, x.shape[-rank - 1], "in_channels", "the input's number of channels")
        groups, kernel = _grouped(a, channels), a.kernel_size
        for extra, step, dilation in zip(a.output_padding, a.stride, a.dilation, strict=True):
            if extra >= max(step, dilation):
                raise Misfit("output_padding must be smaller than stride or dilation", "output_padding")
        out = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
            for n, s, p, d, k, extra in zip(
                size, a.stride, a.padding, a.dilation, kernel, a.output_padding, strict=True
            )
        )
        if min(out) < 1:
            raise Misfit(f"the output would be {show(out)}", "padding")
        lead = x.shape[: len(x.shape) - rank - 1]
        per_group, taps = a.out_channels // groups, math.prod(kernel)
        free = len(lead) + 1
        names = {
            "kernel": kernel, "stride": a.stride, "dilation": a.dilation, "edge": "zero",
            "padding": tuple((p, p - extra) for p, extra in zip(a.padding, a.output_padding, strict=True)),
            "filters": (groups, channels // groups, per_group * taps),
            "grouped": (*lead, groups, channels // groups, math.prod(size)),
            "parts": (*lead, a.out_channels, *kernel, *size),
            "order": (*range(free), *(free + rank + k for k in range(rank)), *(free + k for k in range(rank))),
            "out": out,
            "column": (a.out_channels, *[1] * rank),
        }  # fmt: skip
        init = uniform(1 / math.sqrt(per_group * taps))
        parameters = {"weight": Parameter((channels, per_group, *kernel), init)}
        program = (
            "cols = reshape(weight, shape=filters).mT @ reshape(x, shape=grouped)\n"
            "fold(transpose(reshape(cols, shape=parts), axes=order), size=out, kernel=kernel, stride=stride, "
            "padding=padding, dilation=dilation, edge=edge)"
        )
        if a.bias:
            parameters["bias"] = Parameter((a.out_channels,), init)
            program += " + reshape(bias, shape=column)"
        return Plan(program, names, parameters)

    return plan


def _arguments(rank: int) -> tuple[Any, ...]:
    return (
        inferred("in_channels"), integer("out_channels"), per_axis("kernel_size", rank),
        per_axis("stride", rank, (1,) * rank), padding(rank), per_axis("dilation", rank, (1,) * rank),
        integer("groups", 1), boolean("bias", True), choice("padding_mode", ("zeros",), "zeros"),
    )  # fmt: skip


LAYERS = [
    Layer(
        "Conv1d", ("x",), _arguments(1), convolution(1), ({"out_channels": 3, "kernel_size": 2}, [(2, 2, 5)]),
    ),
    Layer(
        "Conv2d", ("x",), _arguments(2), convolution(2), ({"out_channels": 3, "kernel_size": 2}, [(2, 2, 4, 4)]),
    ),
    Layer(
        "ConvTranspose2d", ("x",),
        (
            inferred("in_channels"), integer("out_channels"), per_axis("kernel_size", 2), per_axis("stride", 2, (1, 1)),
            per_axis("padding", 2, (0, 0), least=0), per_axis("output_padding", 2, (0, 0), least=0),
            integer("groups", 1), boolean("bias", True), per_axis("dilation", 2, (1, 1)),
            choice("padding_mode", ("zeros",), "zeros"),
        ),
        transposed(2), ({"out_channels": 3, "kernel_size": 2}, [(2, 2, 3, 3)]),
    ),
]  # fmt: skip
