"""Pooling, padding and upsampling: what is done with windows, or with positions along an axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradcheck.networks.arguments import (
    boolean,
    choice,
    inert,
    optional_integer,
    optional_number,
    optional_per_axis,
    per_axis,
    whole_numbers,
)
from gradcheck.networks.layer import Argument, Arguments, Constant, Layer, Misfit, NamedShortcut, Operand, Plan
from gradcheck.networks.table.convolution import Reach, counted, spatial
from gradcheck.ops.shapes import show
from gradcheck.ops.windows import WINDOWS


def _reach(a: Arguments, x: Operand, rank: int, edge: str) -> Reach:
    """Return the windows of a pooling layer; `ceil_mode` lets the last one reach over the end."""
    size = spatial(x, rank)
    stride = a.stride or a.kernel_size
    dilation = getattr(a, "dilation", (1,) * rank)
    pads = []
    for n, k, s, p, d in zip(size, a.kernel_size, stride, a.padding, dilation, strict=True):
        if p > k // 2:
            raise Misfit(f"padding may be at most half of kernel_size, which is {k}", "padding")
        span = d * (k - 1) + 1
        count = (n + 2 * p - span + (s - 1 if a.ceil_mode else 0)) // s + 1
        if a.ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        pads.append((p, (count - 1) * s + span - n - p))
    return {"kernel": a.kernel_size, "stride": stride, "padding": tuple(pads), "dilation": dilation, "edge": edge}


def max_pool(rank: int) -> Any:
    """Return the plan of max pooling over `rank` axes."""

    def plan(a: Arguments, x: Operand) -> Plan:
        if a.return_indices:
            raise Misfit("return_indices: the places of the maxima have no gradient", "return_indices")
        reach = _reach(a, x, rank, "inside")
        counted(x, reach)
        names = {**reach, "inner": tuple(range(-rank, 0))}
        return Plan(f"amax({WINDOWS}, axis=inner)", names, shortcut=NamedShortcut("max_pool", ("x",)))

    return plan


def _divisors(a: Arguments, n: int, k: int, s: int, p: int, count: int) -> list[int]:
    """Return by how many elements each window along an axis is divided, as torch counts them."""
    found = []
    for place in range(count):
        start = place * s - p
        end = min(start + k, n + p)
        found.append(end - start if a.count_include_pad else min(end, n) - max(start, 0))
    return found


def avg_pool(rank: int) -> Any:
    """Return the plan of average pooling over `rank` axes."""

    def plan(a: Arguments, x: Operand) -> Plan:
        reach = _reach(a, x, rank, "zero")
        places = counted(x, reach)
        names: dict[str, Any] = {**reach, "inner": tuple(range(-rank, 0))}
        program = f"sum({WINDOWS}, axis=inner)/size"
        fixed = getattr(a, "divisor_override", None)
        per_axis_sizes = [
            _divisors(a, *numbers)
            for numbers in zip(spatial(x, rank), a.kernel_size, reach["stride"], a.padding, places, strict=True)
        ]
        sizes = {math.prod(row) for row in zip(*([max(s), min(s)] for s in per_axis_sizes), strict=True)}
        if fixed is not None or len(sizes) == 1:
            divisor = fixed if fixed is not None else sizes.pop()
            plan = Plan(program, {**names, "size": divisor})
            mean = divisor == math.prod(a.kernel_size)
            return plan._replace(shortcut=NamedShortcut("average_pool", ("x",))) if mean else plan

        def size(_: Mapping[str, Any]) -> Any:
            import numpy as np

            result = np.array(per_axis_sizes[0], dtype=float)
            for row in per_axis_sizes[1:]:
                result = result[..., None] * np.array(row, dtype=float)
            return result

        return Plan(program, names, data={"size": Constant(places, size)})

    return plan


def _adaptive(a: Arguments, x: Operand) -> Plan:
    size = spatial(x, 2)
    if a.output_size is None:
        raise Misfit("output_size is missing", "output_size")
    out = tuple(n if wanted is None else wanted for n, wanted in zip(size, a.output_size, strict=True))

    def averages(n: int, count: int) -> Any:
        import numpy as np

        matrix = np.zeros((count, n))
        for k in range(count):
            start, end = k * n // count, -(-(k + 1) * n // count)
            matrix[k, start:end] = 1 / (end - start)
        return matrix

    data = {
        "down": Constant((out[0], size[0]), lambda _: averages(size[0], out[0])),
        "across": Constant((size[1], out[1]), lambda _: averages(size[1], out[1]).T),
    }
    return Plan("down @ x @ across", data=data)


def _zero_pad(a: Arguments, x: Operand) -> Plan:
    spatial(x, 2)
    sides = a.padding * 4 if len(a.padding) == 1 else a.padding
    if len(sides) != 4:
        raise Misfit("padding takes one number, or left, right, top and bottom", "padding")
    left, right, top, bottom = sides
    names = {
        "kernel": (1, 1), "stride": (1, 1), "padding": ((top, bottom), (left, right)), "dilation": (1, 1),
        "edge": "zero",
    }  # fmt: skip
    counted(x, names)
    return Plan(f"{WINDOWS}[..., 0, 0]", names)


def _nearest(n: int, count: int, factor: float | None) -> tuple[int, ...]:
    """Return which element each place copies; torch finds it in single precision."""
    import struct

    def single(value: float) -> float:
        found: float = struct.unpack("f", struct.pack("f", value))[0]
        return found

    if count == n:
        return tuple(range(n))
    if count == 2 * n:
        return tuple(k // 2 for k in range(count))
    step = single(1 / factor) if factor else single(single(n) / single(count))
    return tuple(min(math.floor(single(k * step)), n - 1) for k in range(count))


def _upsample(a: Arguments, x: Operand) -> Plan:
    rank = len(x.shape) - 2
    if rank not in (1, 2, 3):
        raise Misfit(f"the input is {show(x.shape)}; it must be N × C × one to three axes")
    if (a.size is None) == (a.scale_factor is None):
        raise Misfit("give one of size and scale_factor", "size")
    given = a.size if a.size is not None else a.scale_factor
    each = given * rank if len(given) == 1 else given
    if len(each) != rank:
        raise Misfit(f"give one number, or one for each of the {rank} axes", "size" if a.size else "scale_factor")
    names: dict[str, Any] = {}
    program = "x"
    for k, (n, wanted) in enumerate(zip(x.shape[2:], each, strict=True)):
        count = wanted if a.size is not None else math.floor(n * wanted)
        if not 1 <= count <= 1_000_000:
            raise Misfit(f"axis {k + 2} would have {count:,} elements", "size" if a.size else "scale_factor")
        names[f"places{k}"], names[f"axis{k}"] = _nearest(n, count, None if a.size else wanted), k + 2
        program = f"select_index({program}, axis=axis{k}, index=places{k})"
    return Plan(program, names)


def _factors() -> Argument:
    plain = optional_number("scale_factor", above=0)

    def read(value: Any) -> Any:
        if value is None:
            return None
        return tuple(plain.read(part) for part in (value if isinstance(value, tuple) else (value,)))

    kind = {"anyOf": [plain.kind, {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}}]}
    return plain._replace(read=read, expects="a number, a list of them, or null", kind=kind)


def _sizes() -> Argument:
    plain = whole_numbers("size", None, least=1)
    kind = {"anyOf": [plain.kind, {"type": "null"}]}
    return plain._replace(read=lambda v: None if v is None else plain.read(v), kind=kind)


def _max_arguments(rank: int) -> tuple[Argument, ...]:
    return (
        per_axis("kernel_size", rank), optional_per_axis("stride", rank),
        per_axis("padding", rank, (0,) * rank, least=0),
        per_axis("dilation", rank, (1,) * rank), boolean("return_indices", False), boolean("ceil_mode", False),
    )  # fmt: skip


def _avg_arguments(rank: int) -> tuple[Argument, ...]:
    return (
        per_axis("kernel_size", rank), optional_per_axis("stride", rank),
        per_axis("padding", rank, (0,) * rank, least=0),
        boolean("ceil_mode", False), boolean("count_include_pad", True),
        *([optional_integer("divisor_override")] if rank > 1 else []),
    )  # fmt: skip


TIES = "equal maxima share the gradient; torch gives all of it to one of them"

LAYERS = [
    Layer("MaxPool1d", ("x",), _max_arguments(1), max_pool(1), ({"kernel_size": 2}, [(2, 3, 4)]), note=TIES),
    Layer("MaxPool2d", ("x",), _max_arguments(2), max_pool(2), ({"kernel_size": 2}, [(2, 3, 4, 4)]), note=TIES),
    Layer("AvgPool1d", ("x",), _avg_arguments(1), avg_pool(1), ({"kernel_size": 2}, [(2, 3, 4)])),
    Layer("AvgPool2d", ("x",), _avg_arguments(2), avg_pool(2), ({"kernel_size": 2}, [(2, 3, 4, 4)])),
    Layer(
        "AdaptiveAvgPool2d", ("x",), (optional_per_axis("output_size", 2, inner=True),), _adaptive,
        ({"output_size": 2}, [(2, 3, 5, 5)]),
    ),
    Layer(
        "ZeroPad2d", ("x",), (whole_numbers("padding", least=-(2**20)),), _zero_pad, ({"padding": 1}, [(2, 3, 4, 4)]),
    ),
    Layer(
        "Upsample", ("x",),
        (
            _sizes(), _factors(), choice("mode", ("nearest",), "nearest"), inert("align_corners"),
            inert("recompute_scale_factor"),
        ),
        _upsample, ({"scale_factor": 2}, [(1, 2, 3, 3)]),
    ),
]  # fmt: skip
