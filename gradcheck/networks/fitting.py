"""What shapes go through a printed model: print() does not show them, so an input that fits is looked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.networks.torch_repr import Call

Shape = tuple[int, ...]

LARGEST = 256
"""The longest side of a picture that is tried."""

_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
_POOL = ("kernel_size", "stride", "padding")
_CELL = ("input_size", "hidden_size")
_ARGUMENTS: Mapping[str, Sequence[str]] = {
    "Linear": ("in_features", "out_features"),
    "Embedding": ("num_embeddings", "embedding_dim"),
    "Conv1d": _CONVOLUTION,
    "Conv2d": _CONVOLUTION,
    "ConvTranspose2d": _CONVOLUTION,
    "MaxPool1d": _POOL,
    "MaxPool2d": _POOL,
    "AvgPool1d": _POOL,
    "AvgPool2d": _POOL,
    "AdaptiveAvgPool2d": ("output_size",),
    "ZeroPad2d": ("padding",),
    "Upsample": ("size", "scale_factor"),
    "Flatten": ("start_dim", "end_dim"),
    "BatchNorm1d": ("num_features",),
    "BatchNorm2d": ("num_features",),
    "InstanceNorm2d": ("num_features",),
    "LayerNorm": ("normalized_shape",),
    "RMSNorm": ("normalized_shape",),
    "GroupNorm": ("num_groups", "num_channels"),
    "RNNCell": _CELL,
    "LSTMCell": _CELL,
    "GRUCell": _CELL,
    "GLU": ("dim",),
    "PReLU": ("num_parameters",),
    "MultiheadAttention": ("embed_dim", "num_heads"),
}
_PLANES = frozenset(
    {"Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "ZeroPad2d", "Upsample", "BatchNorm2d",
     "InstanceNorm2d"}
)  # fmt: skip
_LINES = frozenset({"Conv1d", "MaxPool1d", "AvgPool1d"})
_CHANNELS = ("in_channels", "num_features", "num_channels")


class Fit(NamedTuple):
    """An input shape and what comes of it.

    Attributes:
        entering: the input's shape.
        leaving: the output's shape; None if no input was found that fits.
        flattened: numbers of the layers whose input must be flattened first.
    """

    entering: Shape
    leaving: Shape | None
    flattened: frozenset[int] = frozenset()


def arguments(call: Call) -> dict[str, Any]:
    """Return the arguments of a layer by name."""
    named = dict(zip(_ARGUMENTS.get(call.type, ()), call.positional, strict=False))
    return {**named, **call.keywords}


def fit(calls: Sequence[Call], flatten: bool) -> Fit:
    """Find an input for a chain of layers.

    Args:
        calls: the layers.
        flatten: whether a Linear layer may get its input flattened, as forward() often does.
    """
    shapes = list(_inputs(calls))
    for entering in shapes:
        try:
            leaving, flattened = _through(calls, entering, flatten)
        except (ValueError, TypeError, LookupError, ArithmeticError):
            continue
        return Fit(entering, leaving, flattened)
    return Fit(shapes[0], None)


def _inputs(calls: Sequence[Call]) -> Iterator[Shape]:
    """Yield the shapes to try, the likeliest first."""
    batch = 4 if any(call.type.startswith("BatchNorm") for call in calls) else 2
    sides = [8, *range(9, LARGEST + 1), *range(7, 0, -1)]
    if calls and calls[0].type == "Embedding":
        yield from ((batch, length) for length in sorted(sides, key=lambda side: (side != 3, side)))
        return
    rank = 0
    for call in calls:
        given = arguments(call)
        rank = max(rank, 4 if call.type in _PLANES else 3 if call.type in _LINES else 0)
        channels = next((given[key] for key in _CHANNELS if _positive(given.get(key))), None)
        if channels is not None and (rank or call.type != "BatchNorm1d"):
            rank = rank or (4 if any(one.type in _PLANES for one in calls) else 3)
            yield from ((batch, channels) + (side,) * (rank - 2) for side in sides)
            return
        shape = _features(call.type, given, batch)
        if shape is not None and (not rank or call.type != "Linear"):
            yield shape
            return
        if shape is not None:
            break
    if rank:
        yield from ((batch, width) + (side,) * (rank - 2) for width in (3, 1) for side in sides)
    yield (batch, 3)


def _features(kind: str, given: Mapping[str, Any], batch: int) -> Shape | None:
    """Return the input of a layer that says all about it."""
    if kind == "MultiheadAttention" and _positive(given.get("embed_dim")):
        return 3, batch, given["embed_dim"]
    if kind in ("LayerNorm", "RMSNorm"):
        axes = given.get("normalized_shape")
        axes = axes if isinstance(axes, tuple) else (axes,)
        return (batch, *axes) if all(map(_positive, axes)) else None
    for key in ("in_features", "input_size", "num_features", "num_parameters"):
        if _positive(given.get(key)) and (key, given[key]) != ("num_parameters", 1):
            return batch, given[key]
    return None


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _through(calls: Sequence[Call], shape: Shape, flatten: bool) -> tuple[Shape, frozenset[int]]:
    """Return the output's shape, and where the input of a layer was flattened.

    Raises:
        ValueError, TypeError, LookupError, ArithmeticError: if the layers do not fit.
    """
    flattened: set[int] = set()
    picture = False
    for number, call in enumerate(calls):
        given = arguments(call)
        picture = picture or call.type in _PLANES or call.type in _LINES
        if flatten and call.type == "Linear" and len(shape) > 2 and (picture or shape[-1] != given["in_features"]):
            shape = _flat(shape, 1, -1)
            flattened.add(number)
        step = _STEPS.get(call.type)
        if step is not None:
            shape = step(shape, given)
        _must(all(map(_positive, shape)))
    return shape, frozenset(flattened)


def _must(condition: bool) -> None:
    if not condition:
        raise ValueError


def _pair(value: Any, count: int) -> tuple[int, ...]:
    found = value if isinstance(value, tuple) else (value,) * count
    _must(len(found) == count and all(isinstance(part, int) for part in found))
    return found


def _linear(shape: Shape, given: Mapping[str, Any]) -> Shape:
    _must(shape[-1] == given["in_features"])
    return *shape[:-1], given["out_features"]


def _cell(shape: Shape, given: Mapping[str, Any]) -> Shape:
    _must(len(shape) == 2 and shape[1] == given["input_size"])
    return shape[0], given["hidden_size"]


def _window(rank: int, channels: bool) -> Callable[[Shape, Mapping[str, Any]], Shape]:
    """Return the rule of convolutions and pools over `rank` axes."""

    def after(shape: Shape, given: Mapping[str, Any]) -> Shape:
        _must(len(shape) == rank + 2)
        kernel = _pair(given["kernel_size"], rank)
        stride = kernel if given.get("stride") is None and not channels else _pair(given.get("stride") or 1, rank)
        dilation = _pair(given.get("dilation", 1), rank)
        padding = given.get("padding", 0)
        if channels:
            _must(shape[1] == given["in_channels"])
        kept = given["out_channels"] if channels else shape[1]
        if padding == "same":
            return shape[0], kept, *shape[2:]
        edges = _pair(0 if padding == "valid" else padding, rank)
        sides = [
            _windows(side + 2 * edge, step * (size - 1) + 1, jump, side + edge, bool(given.get("ceil_mode")))
            for side, edge, step, size, jump in zip(shape[2:], edges, dilation, kernel, stride, strict=True)
        ]
        return shape[0], kept, *sides

    return after


def _windows(side: int, size: int, stride: int, last: int, ceil: bool) -> int:
    """Return how many windows fit on a side; with `ceil` one may hang over, if it begins before `last`."""
    count = (side - size) // stride + 1
    return count + (ceil and (side - size) % stride > 0 and count * stride < last)


def _transposed(shape: Shape, given: Mapping[str, Any]) -> Shape:
    _must(len(shape) == 4 and shape[1] == given["in_channels"])
    parts = [_pair(given.get(key, default), 2) for key, default in (
        ("kernel_size", None), ("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1),
    )]  # fmt: skip
    sides = [
        (side - 1) * jump - 2 * edge + step * (size - 1) + more + 1
        for side, size, jump, edge, more, step in zip(shape[2:], *parts, strict=True)
    ]
    return shape[0], given["out_channels"], *sides


def _adaptive(shape: Shape, given: Mapping[str, Any]) -> Shape:
    size = given["output_size"]
    wanted = size if isinstance(size, tuple) else (size, size)
    _must(len(shape) == 4 and len(wanted) == 2)
    return *shape[:2], *(side if want is None else want for side, want in zip(shape[2:], wanted, strict=True))


def _pad(shape: Shape, given: Mapping[str, Any]) -> Shape:
    left, right, top, bottom = _pair(given["padding"], 4)
    return *shape[:-2], shape[-2] + top + bottom, shape[-1] + left + right


def _upsample(shape: Shape, given: Mapping[str, Any]) -> Shape:
    rank = len(shape) - 2
    if given.get("size") is not None:
        return *shape[:2], *_pair(given["size"], rank)
    factor = given["scale_factor"]
    factors = factor if isinstance(factor, tuple) else (factor,) * rank
    return *shape[:2], *(math.floor(side * by) for side, by in zip(shape[2:], factors, strict=True))


def _flat(shape: Shape, first: int, last: int) -> Shape:
    first, last = first % len(shape), last % len(shape)
    _must(first <= last)
    return *shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]


def _channels(shape: Shape, given: Mapping[str, Any]) -> Shape:
    _must(len(shape) > 1 and shape[1] == given.get("num_features", given.get("num_channels")))
    return shape


def _layer_norm(shape: Shape, given: Mapping[str, Any]) -> Shape:
    axes = given["normalized_shape"]
    axes = axes if isinstance(axes, tuple) else (axes,)
    _must(shape[-len(axes) :] == axes)
    return shape


def _halved(shape: Shape, given: Mapping[str, Any]) -> Shape:
    axis = given.get("dim", -1) % len(shape)
    _must(shape[axis] % 2 == 0)
    return *shape[:axis], shape[axis] // 2, *shape[axis + 1 :]


def _same_width(shape: Shape, given: Mapping[str, Any]) -> Shape:
    _must(shape[-1] == given["embed_dim"])
    return shape


_STEPS: Mapping[str, Callable[[Shape, Mapping[str, Any]], Shape]] = {
    "Linear": _linear,
    "Embedding": lambda shape, given: (*shape, given["embedding_dim"]),
    "Conv1d": _window(1, channels=True),
    "Conv2d": _window(2, channels=True),
    "ConvTranspose2d": _transposed,
    "MaxPool1d": _window(1, channels=False),
    "AvgPool1d": _window(1, channels=False),
    "MaxPool2d": _window(2, channels=False),
    "AvgPool2d": _window(2, channels=False),
    "AdaptiveAvgPool2d": _adaptive,
    "ZeroPad2d": _pad,
    "Upsample": _upsample,
    "Flatten": lambda shape, given: _flat(shape, given.get("start_dim", 1), given.get("end_dim", -1)),
    "BatchNorm1d": _channels,
    "BatchNorm2d": _channels,
    "InstanceNorm2d": _channels,
    "GroupNorm": _channels,
    "LayerNorm": _layer_norm,
    "RMSNorm": _layer_norm,
    "RNNCell": _cell,
    "LSTMCell": _cell,
    "GRUCell": _cell,
    "GLU": _halved,
    "MultiheadAttention": _same_width,
}
