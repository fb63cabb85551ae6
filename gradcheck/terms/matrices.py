"""Products, transposes and inverses of terms, with ones multiplied out and no transpose where none is needed."""

from __future__ import annotations

from typing import Any

from gradcheck.ops import matrix_shapes, shapes
from gradcheck.ops.shapes import Shape
from gradcheck.terms.reducing import kept, summed
from gradcheck.terms.term import (  # fmt: skip
    ONE,
    SUM,
    Term,
    UnsayableError,
    add,
    addends,
    number,
    power,
    single_factors,
    spread,
    stripped,
    times,
)

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
    """Return a product of batches; a matrix that is the same for all of a batch is written once."""
    before, left = _parted(x)
    after, right = _parted(y)
    for inner, whole in ((left, x), (right, y)):
        if inner.shape[-2:] != whole.shape[-2:]:
            raise UnsayableError
    if max(len(left.shape), len(right.shape)) <= 2:
        found = product(left, right)
    else:
        found = Term("matmul", (left, right), (), shapes.matmul(left.shape, right.shape))
    return times(before, after, spread(found, shape))


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
        below = summed(right, 0)
        return outer(left.args[0], below) if _is_column(left) else times(left, below)
    raise UnsayableError


def _columns_times(left: Term, right: Term, whole: Shape) -> Term:
    if right.shape == whole[1:]:
        return outer(summed(left, 1), right) if len(left.shape) == 2 else times(summed(left), right)
    if len(right.shape) == 2 and right.shape[1] == 1:
        return product(left, right)
    raise UnsayableError


def _is_column(x: Term) -> bool:
    """Whether a term is v[:, None]."""
    return x.op == "getitem" and dict(x.data)["index"] == (slice(None), None) and len(x.args[0].shape) == 1


def _without_transposes(left: Term, right: Term, shape: Shape) -> Term:
    """Return a product in which nothing is spread."""
    for one, other in ((left, right), (right, left)):
        if _is_unit(one):
            return other
        if one.op == "diag" and len(one.shape) == 2 and len(other.shape) == 1:
            return times(one.args[0], other)
    if _are_inverse(left, right):
        return unit(ONE, shape)
    if left.op == "matmul" and _are_inverse(left.args[1], right):
        return left.args[0]
    if _is_column(right) and len(left.shape) == 2:
        return kept(product(left, right.args[0]), (1,))
    if left.op == "outer" and left.shape[1] == left.args[1].shape[0]:
        return _times_vector(left.args[0], product(left.args[1], right))
    if right.op == "outer" and right.shape[0] == right.args[0].shape[0]:
        return _times_vector(product(left, right.args[0]), right.args[1])
    if is_transpose(left) and is_transpose(right):
        inner = product(right.args[0], left.args[0])
        if _is_symmetric(inner):
            return inner
        if inner.op == "matmul":
            return Term(TRANSPOSE, (inner,), (("axes", None),), shape)
    if right.op == "matmul" and all(len(one.shape) == 2 for one in right.args):
        return product(product(left, right.args[0]), right.args[1])
    if len(left.shape) == 1 and is_transpose(right):
        left, right = right.args[0], left
    elif len(right.shape) == 1 and is_transpose(left):
        left, right = right, left.args[0]
    return Term("matmul", (left, right), (), shape)


def _times_vector(x: Term, y: Term) -> Term:
    """Return the outer product of two vectors; one of them may be a number."""
    return outer(x, y) if x.shape and y.shape else times(x, y)


def _are_inverse(x: Term, y: Term) -> bool:
    return len(x.shape) == 2 and ((x.op == "inv" and x.args[0] == y) or (y.op == "inv" and y.args[0] == x))


def _is_unit(x: Term) -> bool:
    return x.op == "eye" and x.shape[0] == x.shape[1]


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


def is_transpose(x: Term) -> bool:
    """Whether a term is a transpose that is written without axes."""
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
    if order is None and is_transpose(x):
        return x.args[0]
    before, inside = single_factors(x)
    if before != ONE:
        return times(before, transposed(inside, axes))
    if x.op == "outer":
        return outer(x.args[1], x.args[0])
    if _is_symmetric(x):
        return x
    plain = Term(TRANSPOSE, (x,), (("axes", order),), shape)
    inside_out = _transposed_inside(x) if len(shape) == 2 else None
    return inside_out if inside_out is not None and inside_out.cost < plain.cost else plain


def _transposed_inside(x: Term) -> Term | None:
    """Return a transpose of a product or a sum as one of transposes."""
    if x.op == "matmul" and all(len(one.shape) == 2 for one in x.args):
        return product(transposed(x.args[1]), transposed(x.args[0]))
    if x.op == SUM and all(one.shape == x.shape for one in x.args):
        return add((k, transposed(one)) for k, one in addends(x))
    return None


def _is_symmetric(x: Term) -> bool:
    """Whether a matrix is plainly its own transpose: eye(n), diag(v), X.T @ X, their sums and inverses."""
    if len(x.shape) != 2 or x.shape[0] != x.shape[1]:
        return False
    if x.op == SUM:
        return all(_is_symmetric(one) for one in map(_without_numbers, x.args) if one.shape)
    if x.op == "inv":
        return _is_symmetric(x.args[0])
    if x.op == "matmul":
        mirrored = [one.args[0] if is_transpose(one) else one for one in x.args]
        return mirrored[0] == mirrored[1] and is_transpose(x.args[0]) != is_transpose(x.args[1])
    return x.op == "eye" or (x.op == "diag" and len(x.args[0].shape) == 1)


def _without_numbers(x: Term) -> Term:
    return single_factors(x)[1]


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


def inverse(x: Term) -> Term:
    """Return the reciprocal of a number or the inverse of a matrix."""
    if not x.shape:
        return power(x, -1)
    if x is not stripped(x):
        raise UnsayableError
    if _is_unit(x):
        return x
    return x.args[0] if x.op == "inv" else Term("inv", (x,), (), x.shape)


def cofactors(x: Term) -> Term:
    """Return the derivative of a determinant, as it reads where that is not zero."""
    count = len(x.shape)
    determinant = kept(Term("det", (x,), (), x.shape[:-2]), (count - 2, count - 1))
    return times(determinant, flipped(inverse(x)))


def solved(x: Term, y: Term) -> Term:
    """Return the solution of a system of equations; of ones alone one column is written."""
    shape = matrix_shapes.solve(x.shape, y.shape)
    if x is not stripped(x):
        raise UnsayableError
    before, right = _parted(y)
    if not right.shape and len(x.shape) == len(shape) == 2:
        return times(before, spread(kept(solved(x, spread(right, shape[:1])), (1,)), shape))
    return times(before, Term("solve", (x, filled(right, y.shape)), (), shape))


def filled(x: Term, shape: Shape) -> Term:
    """Return a term as an array of a shape, written out where it is one number."""
    if x.shape == shape:
        return x
    if x.shape:
        raise UnsayableError
    return times(x, Term("ones", (ONE,), (("shape", shape),), shape))


def unit(x: Term, shape: Shape) -> Term:
    """Return a number times a matrix with ones in its diagonal."""
    rows, columns = shape * 2 if len(shape) == 1 else shape
    lengths = (rows,) if rows == columns else (rows, columns)
    return times(x, Term("eye", (ONE,), (("shape", lengths),), (rows, columns)))


def diagonal(x: Term) -> Term:
    """Return the diagonal of a matrix, or the matrix with a diagonal."""
    shape = matrix_shapes.diagonal(x.shape)
    before, inside = _parted(x)
    if not inside.shape:
        return unit(times(before, inside), shape) if len(shape) == 2 else spread(times(before, inside), shape)
    if len(inside.shape) == 2 and inside.op in ("diag", "eye"):
        return times(before, inside.args[0] if inside.op == "diag" else spread(ONE, shape))
    if inside.op == "outer" and len(set(x.shape)) == 1:
        return times(before, *inside.args)
    if inside.shape == x.shape[1:] and len(set(x.shape)) == 1:
        return times(before, inside)
    if inside.shape != x.shape:
        raise UnsayableError
    return times(before, Term("diag", (inside,), (), shape))


def undiagonal(g: Term, x: Term) -> Term:
    """Return what arrives at the diagonal of a square matrix, in its place."""
    if x.shape[0] != x.shape[1]:
        raise UnsayableError
    return diagonal(g)


def triangle(op: str, x: Term, k: int = 0) -> Term:
    """Return one triangle of a matrix."""
    before, inside = _parted(x)
    shape = matrix_shapes.triangle(x.shape, k=k)
    if inside.shape == shape:
        return times(before, Term(op, (inside,), (("k", k),), shape))
    return times(before, inside, Term(op, (filled(ONE, shape),), (("k", k),), shape))
