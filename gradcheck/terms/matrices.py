"""Products and transposes of terms, with ones multiplied out and no transpose where none is needed."""

from __future__ import annotations

from typing import Any

from gradcheck.ops import shapes
from gradcheck.ops.shapes import Shape
from gradcheck.terms.reducing import kept, summed
from gradcheck.terms.term import ONE, Term, UnsayableError, number, single_factors, spread, stripped, times

TRANSPOSE = "transpose"


def product(x: Term, y: Term) -> Term:
    """Return a matrix product."""
    shape = shapes.matmul(x.shape, y.shape)
    if max(len(x.shape), len(y.shape)) > 2:
        return _plain(x, y, shape)
    before, left = _parted(x)
    after, right = _parted(y)
    if not left.shape:
        found = _ones_at_the_left(x, right, y.shape)
    elif not right.shape:
        found = _ones_at_the_right(left, x.shape, y)
    elif left.shape != x.shape:
        found = _rows_alike(left, x.shape, right, y.shape)
    elif right.shape != y.shape:
        found = _columns_times(left, right, y.shape)
    else:
        found = _without_transposes(left, right, shape)
    return times(before, after, spread(found, shape))


def _plain(x: Term, y: Term, shape: Shape) -> Term:
    if x is not stripped(x) or y is not stripped(y):
        raise UnsayableError
    return Term("matmul", (x, y), (), shape)


def _parted(x: Term) -> tuple[Term, Term]:
    """Return what is one number in an array, and the rest: the number one where it is the same everywhere."""
    inner = stripped(x)
    return single_factors(inner) if inner.shape else (inner, ONE)


def _ones_at_the_left(x: Term, right: Term, whole: Shape) -> Term:
    if not right.shape:
        return number(x.shape[-1])
    if right.shape != whole:
        raise UnsayableError
    return summed(right, 0)


def _ones_at_the_right(left: Term, whole: Shape, y: Term) -> Term:
    total = summed(left, len(left.shape) - 1)
    return kept(total, (1,)) if left.shape == whole and len(whole) == 2 == len(y.shape) else total


def _rows_alike(left: Term, whole: Shape, right: Term, other: Shape) -> Term:
    if left.shape == whole[1:] and right.shape == other:
        return product(left, right)
    if len(left.shape) == 2 and left.shape[1] == 1 and right.shape == other and len(other) == 2:
        return times(left, summed(right, 0))
    raise UnsayableError


def _columns_times(left: Term, right: Term, whole: Shape) -> Term:
    if right.shape == whole[1:]:
        return outer(summed(left, 1), right) if len(left.shape) == 2 else times(summed(left), right)
    if len(right.shape) == 2 and right.shape[1] == 1:
        return product(left, right)
    raise UnsayableError


def _without_transposes(left: Term, right: Term, shape: Shape) -> Term:
    if len(left.shape) == 1 and _is_transpose(right):
        left, right = right.args[0], left
    elif len(right.shape) == 1 and _is_transpose(left):
        left, right = right, left.args[0]
    return Term("matmul", (left, right), (), shape)


def outer(x: Term, y: Term) -> Term:
    """Return all products of two vectors' elements."""
    shape = shapes.outer(x.shape, y.shape)
    before, left = _parted(x)
    after, right = _parted(y)
    if not left.shape:
        found = right
    elif not right.shape:
        found = kept(left, (1,))
    else:
        found = Term("outer", (left, right), (), shape)
    return times(before, after, spread(found, shape))


def _is_transpose(x: Term) -> bool:
    return x.op == TRANSPOSE and dict(x.data)["axes"] is None


def transposed(x: Term, axes: Any = None) -> Term:
    """Return a transpose; that of a matrix is written without axes."""
    shape = shapes.transpose(x.shape, axes=axes)
    inner = stripped(x)
    order = None if axes is None else tuple(k % len(x.shape) for k in axes)
    if not inner.shape or order == tuple(range(len(x.shape))) or len(x.shape) < 2:
        return spread(inner, shape)
    if inner is not x and inner.shape == x.shape[1:] and len(x.shape) == 2:
        return spread(kept(inner, (1,)), shape)
    if inner is not x:
        raise UnsayableError
    if order == tuple(reversed(range(len(x.shape)))):
        order = None
    if order is None and _is_transpose(x):
        return x.args[0]
    before, inside = single_factors(x)
    if before != ONE:
        return times(before, transposed(inside, axes))
    if x.op == "outer":
        return outer(x.args[1], x.args[0])
    return Term(TRANSPOSE, (x,), (("axes", order),), shape)


def flipped(x: Term) -> Term:
    """Return an array with its last two axes exchanged."""
    count = len(x.shape)
    if count == 2:
        return transposed(x)
    return transposed(x, (*range(count - 2), count - 1, count - 2))


def untransposed(g: Term, axes: Any = None) -> Term:
    """Undo a transpose."""
    if axes is None:
        return transposed(g)
    order = [k % len(axes) for k in axes]
    return transposed(g, tuple(order.index(k) for k in range(len(order))))
