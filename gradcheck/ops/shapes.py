"""Shapes without arrays: what numpy would do with these shapes, or why it could not.

Shapes are checked before anything is allocated, and without importing numpy. Every rule
takes the operand shapes and the op's static parameters and returns the result's shape;
it raises ValueError with a message that shows the shapes involved.
"""

from __future__ import annotations

from math import prod
from typing import Any

Shape = tuple[int, ...]
Axis = int | tuple[int, ...] | None


def show(shape: Shape) -> str:
    """Return a shape as people write it: 5×10, or "a scalar"."""
    return "×".join(map(str, shape)) if shape else "a scalar"


def elementwise(*shapes: Shape) -> Shape:
    """Broadcast by numpy's rules: align at the right, a length of 1 stretches."""
    result: list[int] = []
    for k in range(1, max(map(len, shapes), default=0) + 1):
        lengths = {shape[-k] for shape in shapes if len(shape) >= k} - {1}
        if len(lengths) > 1:
            raise ValueError(f"shapes do not broadcast: {' and '.join(map(show, shapes))}")
        result.append(lengths.pop() if lengths else 1)
    return tuple(reversed(result))


def matmul(x: Shape, y: Shape) -> Shape:
    """Rows by columns over the last two axes; a vector is a row on the left, a column on the right."""
    if not x or not y:
        raise ValueError(f"@ needs vectors or matrices, not {show(x)} @ {show(y)}; use * with a scalar")
    if 1 in (len(x), len(y)) and len(x) + len(y) > 3:
        raise ValueError(f"cannot multiply {show(x)} @ {show(y)}: give the vector an axis, as in v[:, None]")
    inner = y[0] if len(y) == 1 else y[-2]
    if x[-1] != inner:
        raise ValueError(f"cannot multiply {show(x)} @ {show(y)}: {x[-1]} columns against {inner} rows")
    if len(x) == 1 or len(y) == 1:
        return x[:-1] if len(y) == 1 else y[:-2] + y[-1:]
    return (*elementwise(x[:-2], y[:-2]), x[-2], y[-1])


def affine(x: Shape, weight: Shape, bias: Shape) -> Shape:
    """A matrix product and a broadcast sum."""
    return elementwise(matmul(x, weight), bias)


def linear(x: Shape, weight: Shape, bias: Shape = ()) -> Shape:
    """The same with a weight that has a row for each output."""
    return affine(x, matrix_transpose(weight), bias)


def result(*_: Shape, result: Shape, **__: Any) -> Shape:
    """The shape that a convolution was found to have."""
    return result


def second(_g: Shape, x: Shape, *_: Shape, **__: Any) -> Shape:
    """The shape of the second operand."""
    return x


def third(_g: Shape, _weight: Shape, x: Shape, **_: Any) -> Shape:
    """The shape of the third operand."""
    return x


def weights(*_: Shape, weights: Shape, **__: Any) -> Shape:
    """The shape of the weights, with the batch's axes before it."""
    return weights


def pooled(x: Shape, *, inner: Axis, **reach: Any) -> Shape:
    """One number a window."""
    return reduction(windows(x, **reach), axis=inner)


def scalar(*_: Shape, **__: Any) -> Shape:
    """One number, whatever goes in."""
    return ()


def outer(x: Shape, y: Shape) -> Shape:
    """Every product of an element of x with an element of y."""
    if len(x) != 1 or len(y) != 1:
        raise ValueError(f"outer needs two vectors, not {show(x)} and {show(y)}")
    return x + y


def axes(shape: Shape, axis: Axis) -> tuple[int, ...]:
    """Return the axes that `axis` names, counted from 0."""
    if axis is None:
        return tuple(range(len(shape)))
    chosen = axis if isinstance(axis, tuple) else (axis,)
    for one in chosen:
        if not isinstance(one, int) or isinstance(one, bool):
            raise ValueError(f"an axis must be an integer, not {one!r}")
        if not -len(shape) <= one < len(shape):
            raise ValueError(f"axis {one} does not exist: the operand is {show(shape)}")
    counted = tuple(one % len(shape) for one in chosen)
    if len(set(counted)) < len(counted):
        raise ValueError(f"an axis is named twice in {axis}")
    return counted


def reduction(x: Shape, *, axis: Axis = None, keepdims: bool = False, **_: Any) -> Shape:
    """Drop the reduced axes, or keep them with length 1."""
    if not isinstance(keepdims, bool):
        raise ValueError(f"keepdims must be True or False, not {keepdims!r}")
    dropped = axes(x, axis)
    if keepdims:
        return tuple(1 if k in dropped else n for k, n in enumerate(x))
    return tuple(n for k, n in enumerate(x) if k not in dropped)


def nonempty_reduction(x: Shape, *, axis: Axis = None, keepdims: bool = False, **_: Any) -> Shape:
    """Like `reduction`, for ops that have no value over no elements."""
    if any(x[k] == 0 for k in axes(x, axis)):
        raise ValueError(f"nothing to reduce: the operand is {show(x)}")
    return reduction(x, axis=axis, keepdims=keepdims)


def along(x: Shape, *, axis: Axis = None, **_: Any) -> Shape:
    """Keep the shape, after checking that the axis exists."""
    axes(x, axis)
    return x


def cumulative(x: Shape, *, axis: Axis = None) -> Shape:
    """Keep the shape; without an axis the operand is flattened first."""
    if axis is not None and not isinstance(axis, int):
        raise ValueError(f"running sums and products go along one axis, not {axis}")
    axes(x, axis)
    return x if axis is not None else (prod(x),)


def transpose(x: Shape, *, axes: Axis = None) -> Shape:
    """Permute the axes, or reverse them all."""
    order = tuple(reversed(range(len(x)))) if axes is None else axes
    if not isinstance(order, tuple) or sorted(k % max(len(x), 1) for k in order) != list(range(len(x))):
        raise ValueError(f"axes={axes} is not a permutation of the axes of {show(x)}")
    return tuple(x[k] for k in order)


def untranspose(g: Shape, *, axes: Axis = None) -> Shape:
    """Undo a permutation of the axes."""
    if not isinstance(axes, tuple):
        return transpose(g)
    order = [k % len(axes) for k in axes]
    return tuple(g[order.index(k)] for k in range(len(g)))


def matrix_transpose(x: Shape) -> Shape:
    """Exchange the last two axes."""
    if len(x) < 2:
        raise ValueError(f".mT needs a matrix, not {show(x)}")
    return (*x[:-2], x[-1], x[-2])


def reshape(x: Shape, *, shape: Any) -> Shape:
    """Keep the number of elements; one length may be -1."""
    wanted = shape if isinstance(shape, tuple) else (shape,)
    if any(not isinstance(n, int) or isinstance(n, bool) or n < -1 for n in wanted) or wanted.count(-1) > 1:
        raise ValueError(f"{shape} is not a shape")
    known = prod(n for n in wanted if n != -1)
    if -1 in wanted and known and prod(x) % known == 0:
        wanted = tuple(prod(x) // known if n == -1 else n for n in wanted)
    if -1 in wanted or prod(wanted) != prod(x):
        raise ValueError(f"cannot reshape {show(x)} ({prod(x)} elements) to {shape}")
    return wanted


def concat(x: Shape, y: Shape, *, axis: int = 0) -> Shape:
    """Join along one axis; all the others must match."""
    if len(x) != len(y) or not x:
        raise ValueError(f"cannot concatenate {show(x)} and {show(y)}")
    (k,) = axes(x, axis)
    if x[:k] + x[k + 1 :] != y[:k] + y[k + 1 :]:
        raise ValueError(f"cannot concatenate {show(x)} and {show(y)} along axis {axis}")
    return (*x[:k], x[k] + y[k], *x[k + 1 :])


def getitem(x: Shape, *, index: tuple[Any, ...]) -> Shape:
    """Basic indexing: integers, slices, None (a new axis) and one ellipsis."""
    used = sum(1 for part in index if part is not None and part is not Ellipsis)
    if used > len(x):
        raise ValueError(f"too many indices: {used} for {show(x)}")
    if index.count(Ellipsis) > 1:
        raise ValueError("an index can have only one `...`")
    if any(isinstance(part, tuple) for part in index):
        return picked(x, index)
    if Ellipsis not in index:
        index = (*index, Ellipsis)
    result: list[int] = []
    k = 0
    for part in index:
        if part is None:
            result.append(1)
        elif part is Ellipsis:
            result.extend(x[k : k + len(x) - used])
            k += len(x) - used
        elif isinstance(part, slice):
            result.append(len(range(*part.indices(x[k]))))
            k += 1
        else:
            if not -x[k] <= part < x[k]:
                raise ValueError(f"index {part} is out of range: axis {k} of {show(x)} has length {x[k]}")
            k += 1
    return tuple(result)


def picked(x: Shape, index: tuple[Any, ...]) -> Shape:
    """Return the shape of x at lists of positions, as numpy has it: one axis for all of them, where they stand."""
    lists = [k for k, part in enumerate(index) if isinstance(part, tuple)]
    if len({len(index[k]) for k in lists}) != 1 or lists != list(range(lists[0], lists[-1] + 1)):
        raise ValueError("lists of positions must be equally long and stand side by side")
    if any(part is None or part is Ellipsis for part in index):
        raise ValueError("lists of positions stand beside slices and whole numbers only")
    result: list[int] = []
    for k, (part, n) in enumerate(zip((*index, *[slice(None)] * (len(x) - len(index))), x, strict=True)):
        for one in part if isinstance(part, tuple) else [part] if isinstance(part, int) else []:
            if not -n <= one < n:
                raise ValueError(f"index {one} is out of range: axis {k} of {show(x)} has length {n}")
        if isinstance(part, slice):
            result.append(len(range(*part.indices(n))))
        elif isinstance(part, int):
            raise ValueError("a list of positions beside a whole number: pick one after the other")
        elif k == lists[0]:
            result.append(len(part))
    return tuple(result)


def reached(length: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """Return how many windows fit along an axis of `length`."""
    return (length + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1


def windows(
    x: Shape, *, kernel: Shape, stride: Shape, padding: tuple[tuple[int, int], ...], dilation: Shape, edge: str
) -> Shape:
    """Replace the trailing axes by the windows' places, then by the places within a window."""
    rank = len(kernel)
    if len(x) < rank:
        raise ValueError(f"windows over {rank} axes need as many; the operand is {show(x)}")
    counts = tuple(map(reached, x[len(x) - rank :], kernel, stride, padding, dilation))
    if min(counts) < 1:
        raise ValueError(f"a window of {show(kernel)} does not fit into {show(x[len(x) - rank :])} with its padding")
    return (*x[: len(x) - rank], *counts, *kernel)


def fold(x: Shape, *, size: Shape, kernel: Shape, **_: Any) -> Shape:
    """Undo `windows`: the trailing axes become `size`."""
    return (*x[: len(x) - 2 * len(kernel)], *size)


def select_index(x: Shape, *, axis: int, index: tuple[int, ...]) -> Shape:
    """Replace one axis by the chosen positions."""
    (k,) = axes(x, axis)
    return (*x[:k], len(index), *x[k + 1 :])


def lookup(x: Shape, i: Shape) -> Shape:
    """What x holds at each element of i, along its first axis."""
    if not x:
        raise ValueError("a number has no elements to look up")
    return (*i, *x[1:])
