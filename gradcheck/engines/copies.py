"""Ops over many copies of their operands at once, the copies along one more axis at the end.

Most ops do not notice an axis behind their own, once their axes are counted from the front. Where
copies differ from the original in one place only, or in one slice along an axis, only that is
kept, as long as the ops allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.engines.flows import Array
from gradcheck.graph.graph import Params
from gradcheck.ops import OPS
from gradcheck.ops.shapes import axes, cumulative


class Point(NamedTuple):
    """Copies that differ from the original in a single element each: its flat index, and its new value."""

    place: Array
    value: Array


class Slab(NamedTuple):
    """Copies that differ in a single slice along `axis`: its position, and the slice in each copy."""

    axis: int
    place: Array
    data: Array


class Dense(NamedTuple):
    """Copies as a whole, along the last axis."""

    data: Array


Copies = Point | Slab | Dense


def dense(base: Array, copies: Copies) -> Array:
    """Return the copies as one array, whatever they differ in."""
    if isinstance(copies, Dense):
        return copies.data
    count = len(copies.place)
    whole = np.repeat(base[..., None], count, axis=-1)
    if isinstance(copies, Point):
        whole.reshape(-1, count)[copies.place, np.arange(count)] = copies.value
    else:
        np.moveaxis(whole, copies.axis, 0)[copies.place, ..., np.arange(count)] = np.moveaxis(copies.data, -1, 0)
    return whole


def slab(base: Array, point: Point) -> Slab:
    """Return copies that differ in one element as copies that differ in a slice along the longest axis."""
    axis = int(np.argmax(base.shape))
    where = np.unravel_index(point.place, base.shape)
    data = _taken(base, where[axis], axis)
    rest = tuple(index for k, index in enumerate(where) if k != axis)
    data[(*rest, np.arange(len(point.place)))] = point.value
    return Slab(axis, where[axis], data)


def elementwise(
    function: Callable[..., Any], bases: Sequence[Array], copies: Sequence[Copies | None], spare: int | None = None
) -> Copies:
    """Apply an elementwise op; slices along the same axis stay slices. The copies of operand `spare` may go."""
    if all(c is None or isinstance(c, Dense) for c in copies):
        parts = [c.data if isinstance(c, Dense) else x[..., None] for x, c in zip(bases, copies, strict=True)]
        reused = None if spare is None else copies[spare]
        return Dense(function(*parts) if not isinstance(reused, Dense) else function(*parts, out=reused.data))
    rank = max(np.ndim(x) for x in bases)
    moving = [slab(x, c) if isinstance(c, Point) and np.ndim(x) else c for x, c in zip(bases, copies, strict=True)]
    slabs = [(c, rank - np.ndim(x)) for x, c in zip(bases, moving, strict=True) if isinstance(c, Slab)]
    alike = len(slabs) == sum(c is not None for c in moving) and _alike(slabs) and _whole(bases, moving)
    if not alike:
        parts = [x[..., None] if c is None else dense(x, c) for x, c in zip(bases, moving, strict=True)]
        return Dense(function(*parts))
    first, shift = slabs[0]
    axis = first.axis + shift
    parts = [
        c.data if isinstance(c, Slab) else _slices(x, axis - (rank - np.ndim(x)), first.place)
        for x, c in zip(bases, moving, strict=True)
    ]
    return Slab(axis, first.place, function(*parts))


def _alike(slabs: list[tuple[Slab, int]]) -> bool:
    """Whether slices lie along the same axis, counted from the back, and at the same positions."""
    first, shift = slabs[0] if slabs else (None, 0)
    return first is not None and all(
        c.axis + s == first.axis + shift and (c.place is first.place or np.array_equal(c.place, first.place))
        for c, s in slabs
    )


def _whole(bases: Sequence[Array], copies: Sequence[Copies | None]) -> bool:
    """Whether no slice would be stretched by broadcasting."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in bases))
    return all(
        np.shape(x)[c.axis] == shape[c.axis + len(shape) - np.ndim(x)]
        for x, c in zip(bases, copies, strict=True)
        if isinstance(c, Slab)
    )


def _slices(x: Array, axis: int, place: Array) -> Array:
    """Return the slices of an operand that does not move, where the others' slices are."""
    if axis < 0:
        return x[..., None]
    if x.shape[axis] == 1:
        return np.squeeze(x, axis)[..., None]
    return _taken(x, place, axis)


def _taken(x: Array, place: Array, axis: int) -> Array:
    """Return slices of an array, one a copy, laid out with the copies together."""
    return np.ascontiguousarray(np.moveaxis(np.take(x, place, axis), axis, -1))


def destinations(function: Callable[..., Any], base: Array) -> Array | None:
    """Return where an op that moves elements puts each of them; None if one is lost or doubled."""
    numbers = np.asarray(function(np.arange(base.size).reshape(base.shape))).ravel()
    if len(numbers) != base.size:
        return None
    to = np.full(base.size, -1)
    to[numbers] = np.arange(len(numbers))
    return to if (to >= 0).all() else None


def matmul(x: Array, y: Array, out: Array, cx: Copies | None, cy: Copies | None) -> Copies:
    """Rows by columns; where one element or one slice moves, only what it moves is computed."""
    if x.ndim >= 2 and y.ndim == 2 and (cx is None or cy is None):
        if isinstance(cy, Point):
            row, column = np.divmod(cy.place, y.shape[1])
            step = cy.value - y[row, column]
            return Slab(out.ndim - 1, column, _taken(out, column, out.ndim - 1) + _taken(x, row, x.ndim - 1) * step)
        if isinstance(cx, Point):
            cx = slab(x, cx)
        if isinstance(cx, Slab):
            if cx.axis == x.ndim - 1:
                step = cx.data - _taken(x, cx.place, cx.axis)
                change = step[..., None, :] * _taken(y, cx.place, 0)
                change += out[..., None]
                return Dense(change)
            return Slab(cx.axis, cx.place, np.matmul(y.T, cx.data))
        if isinstance(cx, Dense):
            return Dense(np.matmul(y.T, cx.data))
    depth = max(x.ndim, y.ndim, 2) + 1
    left, right = _matrices(x, cx, depth, -2), _matrices(y, cy, depth, -1)
    result = np.matmul(left, right)
    if y.ndim == 1:
        result = result[..., 0]
    if x.ndim == 1:
        result = result[..., 0] if y.ndim == 1 else result[..., 0, :]
    return Dense(np.moveaxis(result, 0, -1))


def _matrices(base: Array, copies: Copies | None, depth: int, vector: int) -> Array:
    """Return matrices, the copies along the first of `depth` axes; a vector gets an axis at `vector`."""
    part = base if copies is None else np.moveaxis(dense(base, copies), -1, 0)
    if base.ndim == 1:
        part = np.expand_dims(part, vector)
    if copies is None:
        return part
    return part.reshape(part.shape[0], *[1] * (depth - part.ndim), *part.shape[1:])


def shifted(op: str, params: Params, shape: tuple[int, ...]) -> Params:
    """Return an op's parameters with its axes counted from the front, the copies' axis left alone."""
    found = dict(params)
    row = OPS[op]
    if "axis" in row.params:
        chosen = found.get("axis", row.params["axis"])
        if row.shape is cumulative or isinstance(chosen, int):
            found["axis"] = axes(shape, chosen)[0] if chosen is not None else None
        else:
            found["axis"] = axes(shape, chosen)
    if "axes" in row.params:
        order = found.get("axes")
        order = tuple(reversed(range(len(shape)))) if order is None else tuple(k % len(shape) for k in order)
        found["axes"] = (*order, len(shape))
    if "index" in row.params and op == "getitem":
        index = tuple(found["index"])
        used = sum(part is not None and part is not Ellipsis for part in index)
        fill = (slice(None),) * (len(shape) - used)
        at = index.index(Ellipsis) if Ellipsis in index else len(index)
        found["index"] = (*index[:at], *fill, *index[at + 1 :])
    return tuple(sorted(found.items()))


def _indifferent(op: str, params: Params) -> bool:
    """Whether an op does not notice an axis behind its operand's own, once its axes are shifted."""
    row = OPS[op]
    flattens = row.shape is cumulative and dict(params).get("axis") is None
    return len(row.args) == 1 and not flattens and not row.params.keys().isdisjoint(("axis", "axes", "index"))


def general(op: str, params: Params, bases: Sequence[Array], copies: Sequence[Copies | None], out: Array) -> Copies:
    """Apply any other op to whole copies: at once where its axes can be shifted, else copy by copy."""
    parts = [None if c is None else dense(x, c) for x, c in zip(bases, copies, strict=True)]
    only: Any = parts[0]
    if _indifferent(op, params):
        return Dense(FLOAT_ARRAYS.function(op, shifted(op, params, np.shape(bases[0])))(only))
    if op == "reshape" and only is not None:
        return Dense(only.reshape(*out.shape, only.shape[-1]))
    if op == "mT" and only is not None:
        return Dense(np.swapaxes(only, -2, -3))
    count = next(part.shape[-1] for part in parts if part is not None)
    if op == "concat":
        whole = [np.repeat(x[..., None], count, -1) if p is None else p for x, p in zip(bases, parts, strict=True)]
        axis = axes(np.shape(bases[0]), dict(params).get("axis", 0))[0]
        return Dense(np.concatenate(whole, axis))
    function = FLOAT_ARRAYS.function(op, params)
    if op in ("windows", "fold"):
        return Dense(np.moveaxis(function(np.moveaxis(only, -1, 0)), 0, -1))
    one_by_one = [
        np.asarray(function(*[x if p is None else p[..., k] for x, p in zip(bases, parts, strict=True)]))
        for k in range(count)
    ]
    return Dense(np.stack(one_by_one, axis=-1))
