"""What flows back through array ops, from what the ops do and not from their rules.

An op that is linear has the same slope everywhere, so its differences may be taken from zero
with steps of a half, where they are exact. What is left is where each element goes: an op that
only moves elements is asked to move their numbers, or to lend its view to write through.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from gradcheck.arithmetic.structural import MOVES
from gradcheck.engines.flows import Array, BarredFlow, contracted, moved, to_shape, weighted
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape, axes

NUMBERS = {op.name: {"zero": -1} for op in OPS.values() if op.copies and op.fills}
"""Arguments that make an op work on element numbers: what stands for a zero beside the elements."""


class Gate(NamedTuple):
    """One gate at one point.

    Attributes:
        op: its name.
        params: its static parameters.
        operands: the operands' values.
        out: its own value.
        function: what computes it from its operands.
        origin: (operand's place) → for each of its elements the number of the element it is a
            copy of, or None if it is no copy.
    """

    op: str
    params: dict[str, Any]
    operands: list[Array]
    out: Array
    function: Callable[..., Any]
    origin: Callable[[int], Array | None]


def _written_through(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """Write through the view that the op gives of an array of zeros: each element has its place."""
    shape = np.shape(gate.operands[k])

    def write(part: Array) -> Array:
        zeros = np.zeros(shape)
        view = gate.function(zeros)
        if not np.shares_memory(zeros, view):
            return _scattered(gate, part, k)
        view[...] = part
        return zeros

    return moved(flow, write)


def _numbered(gate: Gate, k: int) -> Array:
    """Return for each element of the result the number of the element of operand `k` it is, or -1."""
    numbers = [np.full(np.shape(x), -1) for x in gate.operands]
    numbers[k] = np.arange(numbers[k].size).reshape(numbers[k].shape)
    if gate.op == "lookup":
        numbers[1] = gate.operands[1]
    return np.asarray(gate.function(*numbers, **NUMBERS.get(gate.op, {})))


def _scattered(gate: Gate, part: Array, k: int) -> Array:
    numbers = _numbered(gate, k).ravel()
    shape = np.shape(gate.operands[k])
    inside = numbers >= 0
    weights = np.broadcast_to(part, np.shape(gate.out)).ravel()
    if not inside.all():
        numbers, weights = numbers[inside], weights[inside]
    return np.bincount(numbers, weights, prod(shape)).reshape(shape)


def _copied(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """Add up what flows back to each element from its copies."""
    copies = 0 if gate.op == "concat" else np.size(gate.out) // max(1, np.size(gate.operands[k])) + 1
    return moved(flow, lambda part: _scattered(gate, part, k), adds=copies)


def _folded(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """`fold` adds up windows: each place of each window gets what its cell of the result gets."""
    reach = dict(gate.params)
    size = reach.pop("size")
    numbers = np.arange(prod(size)).reshape(size)
    windows = Gate("windows", reach, [numbers], None, _windows(reach), gate.origin)
    cells = _numbered(windows, 0)
    shape = np.shape(gate.operands[k])

    def take(part: Array) -> Array:
        flat = part.reshape(*np.shape(part)[: np.ndim(part) - len(size)], -1)
        return np.where(cells >= 0, flat[..., cells], 0.0).reshape(shape)

    return moved(flow, take)


def _windows(reach: dict[str, Any]) -> Callable[..., Any]:
    return lambda x, zero=0: MOVES["windows"](x, zero=zero, **reach)


def _spread(gate: Gate) -> Callable[[Array], Array]:
    """Return what gives every element of a reduction's operand the number that belongs to its group."""
    shape: Shape = np.shape(gate.operands[0])
    over = axes(shape, gate.params.get("axis"))
    kept = [1 if k in over else n for k, n in enumerate(shape)]

    def spread(part: Array) -> Array:
        whole = np.empty(shape)
        whole[...] = np.reshape(part, kept)
        return whole

    return spread


def _summed(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """Every element moves its group's sum by as much as it moves itself."""
    return moved(flow, _spread(gate))


def _running(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """An element moves its own running sum and all that follow."""
    axis, shape = gate.params.get("axis"), np.shape(gate.operands[0])
    along = 0 if axis is None else axis

    def later(part: Array) -> Array:
        so_far = np.cumsum(np.flip(part, along), along)
        return np.flip(so_far, along).reshape(shape)

    return moved(flow, later, adds=shape[along] if axis is not None else prod(shape))


def _extreme(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """The only largest element moves the maximum both ways; one of several only away from them."""
    x = gate.operands[0]
    shape = np.shape(x)
    spread = _spread(gate)
    tied = x == spread(gate.out)
    if np.count_nonzero(tied) == np.size(gate.out):
        return moved(flow, lambda part: spread(part) * tied)
    over = axes(shape, gate.params.get("axis"))
    count = tied.sum(axis=over, keepdims=True)
    several, numbers = count > 1, gate.origin(0)
    if numbers is not None:
        # Copies of one element are tied with themselves: they move together.
        first = np.where(tied, numbers, np.iinfo(np.int64).max).min(axis=over, keepdims=True)
        several = several & (tied & (numbers != first)).any(axis=over, keepdims=True)
    slope = np.where(tied, np.where(several, 0.5, 1 / np.maximum(count, 1)), 0.0)
    here = moved(flow, spread)
    found = weighted(here, slope)
    if several.any():
        gap = np.abs(here.value) * (tied & several) / 2
        found = found._replace(width=gap if found.width is None else found.width + gap)
    return found


def others(x: Array) -> Array:
    """Return, along the last axis, the product of all other elements: no division, zeros or not."""
    n = x.shape[-1]
    if n > 32:
        rows = int(np.ceil(np.sqrt(n)))
        columns = -(-n // rows)
        padded = np.ones((*x.shape[:-1], rows * columns))
        padded[..., :n] = x
        blocks = padded.reshape(*x.shape[:-1], rows, columns)
        outside = others(blocks.prod(axis=-1))
        return (outside[..., None] * others(blocks)).reshape(padded.shape)[..., :n]
    square = np.where(np.eye(n, dtype=bool), 1.0, x[..., None, :])
    return square.prod(axis=-1)


def _product(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """A product is linear in each factor: its slope is the product of the others."""
    x = gate.operands[0]
    shape = np.shape(x)
    over = axes(shape, gate.params.get("axis"))
    moved_last = np.moveaxis(x, over, range(len(shape) - len(over), len(shape)))
    flat = moved_last.reshape(*moved_last.shape[: len(shape) - len(over)], -1)
    slope = np.moveaxis(others(flat).reshape(moved_last.shape), range(len(shape) - len(over), len(shape)), over)
    here = moved(flow, _spread(gate))
    return weighted(here, slope)._replace(terms=flow.terms + flat.shape[-1])


def _multiplied(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """Rows by columns: sums of products, and a product is linear in either factor."""
    x, y = gate.operands
    wide = moved(flow, lambda part: np.reshape(part, _matrix_shape(x, y)))
    left = x[None, :] if x.ndim == 1 else x
    right = y[:, None] if y.ndim == 1 else y
    if k == 0:
        slope = 0.5 * right - -0.5 * right
        found = contracted(
            wide, slope, lambda g, d: np.einsum("...ij,...kj->...ik", g, d),
            lambda g, d: g @ np.swapaxes(d, -1, -2), right.shape[-1],
        )  # fmt: skip
    else:
        if right.ndim == 2 and left.ndim > 2:
            columns = np.shape(wide.value)[-1]
            wide = moved(wide, lambda part: np.reshape(part, (-1, columns)))
            left = left.reshape(-1, left.shape[-1])
        slope = left * 0.5 - left * -0.5
        found = contracted(
            wide, slope, lambda g, d: np.einsum("...ik,...ij->...kj", d, g),
            lambda g, d: np.swapaxes(d, -1, -2) @ g, left.shape[-2],
        )  # fmt: skip
    one = (left if k == 0 else right).shape
    shape = np.shape(gate.operands[k])
    return moved(to_shape(found, one), lambda part: np.reshape(part, shape))


def _matrix_shape(x: Array, y: Array) -> Shape:
    """Return the shape that the product has when vectors are taken for matrices."""
    left, right = (x[None, :] if x.ndim == 1 else x).shape, (y[:, None] if y.ndim == 1 else y).shape
    return (*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])


def _every_product(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """`outer` has every product of an element of one vector with an element of the other."""
    other = gate.operands[1 - k]
    slope = 0.5 * other - -0.5 * other
    way = "ij,j->i" if k == 0 else "ij,i->j"
    fast: Callable[[Array, Array], Array] = (lambda g, d: g @ d) if k == 0 else (lambda g, d: d @ g)
    return contracted(flow, slope, lambda g, d: np.einsum(way, g, d), fast, len(other))


def _kronecker(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """`kron` has every product of an element of one operand with an element of the other, their axes in turn."""
    x, y = gate.operands
    other = gate.operands[1 - k]
    slope = 0.5 * other - -0.5 * other
    letters = ("ij"[: x.ndim], "pq"[: y.ndim])
    way = f"{''.join(map(''.join, zip(*letters, strict=True)))},{letters[1 - k]}->{letters[k]}"
    apart = [n for pair in zip(x.shape, y.shape, strict=True) for n in pair]

    def add_up(g: Array, d: Array) -> Array:
        return np.einsum(way, g, d)

    return contracted(moved(flow, lambda part: np.reshape(part, apart)), slope, add_up, add_up, other.size)


MOST_SLOPES = 10_000_000
"""Slopes of a running product that are written down."""


def _running_product(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """A running product is linear in each factor so far: its slope is the product of the others."""
    x, axis = gate.operands[0], gate.params.get("axis")
    rows = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
    if len(rows) * rows.size > MOST_SLOPES:
        return BarredFlow(np.zeros(x.shape), bar=np.full(x.shape, np.inf))
    slope, before = np.zeros((len(rows), *rows.shape)), np.ones(rows.shape[1:])
    for k, row in enumerate(rows):
        slope[k] = slope[k - 1] * row
        slope[k, k] = before
        before = before * row

    def add_up(g: Array, d: Array) -> Array:
        return np.einsum("k...,ki...->i...", g, d)

    first = flow if axis is None else moved(flow, lambda part: np.moveaxis(part, axis, 0))
    found = contracted(first, slope, add_up, add_up, 2 * len(rows))
    return moved(found, lambda part: part.reshape(x.shape) if axis is None else np.moveaxis(part, 0, axis))


def _sorted(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """Each place of the result moves as the element that has come there; who is first of equal ones nobody knows."""
    (x,) = gate.operands
    order = np.argsort(x, axis=-1, kind="stable")

    def back(part: Array) -> Array:
        whole = np.zeros(x.shape)
        np.put_along_axis(whole, order, part, -1)
        return whole

    found = moved(flow, back)
    tied = np.diff(gate.out, axis=-1) == 0
    if not tied.any():
        return found
    beside = [(0, 0)] * (x.ndim - 1)
    doubt = back(np.pad(tied, [*beside, (1, 0)]) | np.pad(tied, [*beside, (0, 1)]))
    return found._replace(bar=np.where(doubt > 0, np.inf, 0.0 if found.bar is None else found.bar))


def _chosen(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """`where` hands its result from one branch; its condition only says which."""
    if k == 0:
        return to_shape(BarredFlow(np.zeros(np.shape(flow.value)), flow.sizes), np.shape(gate.operands[0]))
    chosen = np.asarray(gate.operands[0], dtype=bool)
    if k == 2:
        chosen = ~chosen
    return to_shape(moved(flow, lambda part: np.where(chosen, part, 0.0)), np.shape(gate.operands[k]))


def _compared(gate: Gate, flow: BarredFlow, k: int) -> BarredFlow:
    """A comparison does not change in the small, except on its very border, where nobody knows."""
    x, y = gate.operands
    nothing = np.zeros(np.shape(gate.out))
    border = (x == y) & (flow.sizes > 0)
    return to_shape(
        BarredFlow(nothing, bar=np.where(border, np.inf, 0.0) if border.any() else None), np.shape(gate.operands[k])
    )


def _stepped(gate: Gate, flow: BarredFlow, _: int) -> BarredFlow:
    """A staircase is level, except on its very steps, where nobody knows."""
    (x,) = gate.operands
    border = (STEPS[gate.op](x)) & (flow.sizes > 0)
    return BarredFlow(np.zeros(np.shape(x)), bar=np.where(border, np.inf, 0.0) if border.any() else None)


STEPS: dict[str, Callable[[Array], Array]] = {
    "floor": lambda x: x == np.floor(x),
    "ceil": lambda x: x == np.floor(x),
    "round": lambda x: (x - np.floor(x) == 0.5) | (np.abs(x) >= 2.0**52),
    "sign": lambda x: x == 0,
    "step": lambda x: x == 0,
    "heaviside": lambda x: x == 0,
}
"""Where ops that are constant otherwise jump."""

Handler = Callable[[Gate, BarredFlow, int], BarredFlow]

DEFINITIONS: dict[str, Handler] = {
    "transpose": _written_through,
    "mT": _written_through,
    "reshape": _written_through,
    "getitem": _written_through,
    "concat": _copied,
    "windows": _copied,
    **dict.fromkeys(
        ("select_index", "lookup", "diag", "diagonal", "tril", "triu", "eye", "ones", "zeros", "pad"), _copied
    ),
    "fold": _folded,
    "sum": _summed,
    "cumsum": _running,
    "prod": _product,
    "amax": _extreme,
    "amin": _extreme,
    "matmul": _multiplied,
    "outer": _every_product,
    "kron": _kronecker,
    "sort": _sorted,
    "cumprod": _running_product,
    "where": _chosen,
    **{op.name: _compared for op in OPS.values() if op.comparison},
    **dict.fromkeys(STEPS, _stepped),
}
"""How each array op's elements flow; ops that are not here are taken apart by their definition."""

COPYING = frozenset(op.name for op in OPS.values() if op.copies)
"""Ops whose result is made of copies of their operands' elements."""
