"""Functions that move, add up or select elements, for numpy arrays of any kind of number."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.arithmetic import matrices
from gradcheck.arithmetic.compiling import Function
from gradcheck.ops.shapes import reached

Array = Any


def _normal(x: Array, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(np.ndim(x)))
    return tuple(a % max(np.ndim(x), 1) for a in (axis if isinstance(axis, tuple) else (axis,)))


def broadcast_like(g: Array, x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Undo a reduction's shape: give every reduced element its group's value."""
    g = np.asanyarray(g)
    if not keepdims:
        g = g.reshape([1 if k in _normal(x, axis) else n for k, n in enumerate(np.shape(x))])
    return np.broadcast_to(g, np.shape(x)).copy()


def count(x: Array, *, axis: Any = None) -> int:
    """Return how many elements each group of a reduction has."""
    shape = np.shape(x)
    return int(np.prod([shape[k] for k in _normal(x, axis)], dtype=int))


def prod_others(x: Array, *, axis: Any = None) -> Array:
    """For each element, the product of the others in its group; right at zeros too."""
    axes = _normal(x, axis)
    moved = np.moveaxis(np.asarray(x), axes, range(len(axes)))
    flat = moved.reshape(-1, *moved.shape[len(axes) :])
    result = np.empty_like(flat)
    running = np.ones(flat.shape[1:], dtype=int) * (flat[0] * 0 + 1) if len(flat) else 1
    for k in range(len(flat)):
        result[k] = running
        running = running * flat[k]
    running = flat[0] * 0 + 1 if len(flat) else 1
    for k in reversed(range(len(flat))):
        result[k] = result[k] * running
        running = running * flat[k]
    return np.moveaxis(result.reshape(moved.shape), range(len(axes)), axes)


def flip(g: Array, *, axis: Any = None) -> Array:
    """Reverse along an axis; without one, a flattened array."""
    return np.flip(g, axis)


def untranspose(g: Array, *, axes: Any = None) -> Array:
    """Undo a transpose."""
    return np.transpose(g, None if axes is None else np.argsort([a % len(axes) for a in axes]))


def places(index: Any) -> Any:
    """Return an index as numpy takes it: tuples within it are lists of positions."""
    if not isinstance(index, tuple):
        return index
    return tuple([list(part) if isinstance(part, tuple) else part for part in index])


def put(g: Array, x: Array, *, index: Any) -> Array:
    """Return zeros like x with g at `index`, added up where an element was picked more than once."""
    g = np.asanyarray(g)
    result = np.zeros(np.shape(x), dtype=g.dtype)
    np.add.at(result, places(index), g)
    return result


def head(g: Array, x: Array, *, axis: int = 0) -> Array:
    """The part of a concatenation's gradient that belongs to its first operand."""
    return np.split(g, [np.shape(x)[axis]], axis=axis)[0]


def tail(g: Array, y: Array, *, axis: int = 0) -> Array:
    """The part of a concatenation's gradient that belongs to its second operand."""
    return np.split(g, [np.shape(g)[axis] - np.shape(y)[axis]], axis=axis)[1]


def _places(length: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, edge: str) -> Array:
    """Return which element each place of each window is: one row a window; -1 beyond the edge."""
    first = np.arange(reached(length, kernel, stride, padding, dilation)) * stride - padding[0]
    places = first[:, None] + np.arange(kernel) * dilation
    inside = (places >= 0) & (places < length)
    if edge == "zero":
        return np.where(inside, places, -1)
    rows = np.arange(len(places))
    return np.where(inside, places, places[rows, inside.argmax(axis=1)][:, None])


def _grid(x: Array, reach: dict[str, Any]) -> tuple[Array, ...]:
    """Return index arrays that take the windows out of an array with `x`'s trailing axes."""
    rank = len(reach["kernel"])
    lengths = np.shape(x)[np.ndim(x) - rank :]
    grid = []
    for k, length in enumerate(lengths):
        kernel, stride, padding, dilation = (reach[part][k] for part in ("kernel", "stride", "padding", "dilation"))
        places = _places(length, kernel, stride, padding, dilation, reach["edge"])
        shape = [1] * (2 * rank)
        shape[k], shape[rank + k] = places.shape
        grid.append(places.reshape(shape))
    return tuple(grid)


def windows(x: Array, *, zero: Any = 0, **reach: Any) -> Array:
    """Take the windows out of the trailing axes; `zero` lies beyond the edge."""
    x = np.asanyarray(x)
    grid = _grid(x, reach)
    lead = x.ndim - len(grid)
    # One place more along each axis: index -1, beyond the edge.
    padded: Array = np.full([*x.shape[:lead], *(n + 1 for n in x.shape[lead:])], zero, x.dtype)
    inside: tuple[Any, ...] = (..., *[slice(0, -1)] * len(grid))
    padded[inside] = x
    return padded[(..., *grid)]


def unwindow(g: Array, x: Array, **reach: Any) -> Array:
    """Add what flows back from each place of each window to the element it was taken from."""
    g, grid = np.asanyarray(g), _grid(x, reach)
    shape, rank = np.shape(x), len(grid)
    lead = len(shape) - rank
    result: Array = np.zeros([*shape[:lead], *(n + 1 for n in shape[lead:])], dtype=g.dtype)
    for place in np.ndindex(*reach["kernel"]):
        here = [one[(..., *(k if one.shape[rank + a] > 1 else 0 for a, k in enumerate(place)))] for one in grid]
        np.add.at(result, (..., *here), g[(..., *place)])
    inside: tuple[Any, ...] = (..., *[slice(0, -1)] * rank)
    return result[inside]


def fold(x: Array, *, size: tuple[int, ...], **reach: Any) -> Array:
    """Add up windows at the places they would be taken from: the transpose of `windows`."""
    x = np.asanyarray(x)
    lead = x.shape[: x.ndim - 2 * len(size)]
    return unwindow(x, np.broadcast_to(0, (*lead, *size)), **reach)


def unselect(g: Array, x: Array, *, axis: int, index: tuple[int, ...]) -> Array:
    """Add what flows back from each chosen position to the position it was taken from."""
    g = np.asanyarray(g)
    result = np.zeros(np.shape(x), dtype=g.dtype)
    np.add.at(np.moveaxis(result, axis, 0), list(index), np.moveaxis(g, axis, 0))
    return result


def unlookup(g: Array, x: Array, i: Array) -> Array:
    """Add what flows back from each row that was looked up to its row of the table."""
    g = np.asanyarray(g)
    result = np.zeros(np.shape(x), dtype=g.dtype)
    np.add.at(result, np.asarray(i).astype(int), g)
    return result


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """Return the same elements in another shape; numpy 2.0 has another name for the argument."""
    return np.reshape(x, shape)


MOVES: dict[str, Function] = {
    **matrices.MOVES,
    "transpose": np.transpose,
    "mT": lambda x: np.swapaxes(x, -1, -2),
    "reshape": reshape,
    "getitem": lambda x, index: np.asanyarray(x)[places(index)],
    "concat": lambda x, y, axis=0: np.concatenate([x, y], axis),
    "windows": windows,
    "select_index": lambda x, axis, index: np.take(x, list(index), axis),
    "lookup": lambda x, i: np.asanyarray(x)[np.asarray(i).astype(int)],
    "count": count,
    "identity": lambda x: x,
}
"""Ops that need no arithmetic; they work on arrays of node numbers as well."""

NATIVES: dict[str, Function] = {
    **matrices.NATIVES,
    **MOVES,
    "matmul": np.matmul,
    "outer": lambda x, y: np.asanyarray(x)[:, None] * np.asanyarray(y)[None, :],
    "sum": lambda x, axis=None, keepdims=False: np.sum(x, axis=axis, keepdims=keepdims),
    "prod": lambda x, axis=None, keepdims=False: np.prod(x, axis=axis, keepdims=keepdims),
    "amax": lambda x, axis=None, keepdims=False: np.max(np.asanyarray(x), axis=axis, keepdims=keepdims),
    "amin": lambda x, axis=None, keepdims=False: np.min(np.asanyarray(x), axis=axis, keepdims=keepdims),
    "cumsum": lambda x, axis=None: np.cumsum(x, axis=axis),
    "broadcast_like": broadcast_like,
    "prod_others": prod_others,
    "flip": flip,
    "untranspose": untranspose,
    "reshape_like": lambda g, x: np.reshape(g, np.shape(x)),
    "head": head,
    "tail": tail,
    "put": put,
    "fold": fold,
    "unwindow": unwindow,
    "unselect": unselect,
    "unlookup": unlookup,
}


def accumulate(total: Array | None, contribution: Array, operand: Array) -> Array:
    """Add a contribution to a gradient, summed over the axes that were broadcast."""
    shape = np.shape(operand)
    contribution = np.asarray(contribution)
    extra = contribution.ndim - len(shape)
    if extra > 0:
        contribution = contribution.sum(axis=tuple(range(extra)))
    shapes = zip(shape, contribution.shape[-len(shape) :] if shape else (), strict=False)
    stretched = tuple(k for k, (n, m) in enumerate(shapes) if n == 1 != m)
    if stretched:
        contribution = contribution.sum(axis=stretched, keepdims=True)
    if np.shape(contribution) != shape:
        contribution = contribution * np.ones(shape, dtype=int)
    return contribution if total is None else total + contribution
