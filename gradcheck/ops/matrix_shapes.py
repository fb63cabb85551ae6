"""Shapes of linear algebra: what numpy would do with these shapes, or why it could not."""

from __future__ import annotations

from typing import Any

from gradcheck.ops.shapes import Axis, Shape, along, axes, elementwise, reduction, show


def square(x: Shape, **_: Any) -> Shape:
    """Keep the shape of a square matrix, or of a batch of them."""
    if len(x) < 2 or x[-1] != x[-2]:
        raise ValueError(f"this needs a square matrix, not {show(x)}")
    return x


def inverse(x: Shape) -> Shape:
    """The reciprocal of a number or the inverse of a matrix; a vector has neither."""
    if len(x) == 1:
        raise ValueError("`inv` of a vector can be read in two ways: write 1/v for the reciprocal of each element, "
                         "or give a matrix for a matrix inverse")  # fmt: skip
    return square(x) if x else x


def of_matrix(x: Shape) -> Shape:
    """One number for each square matrix."""
    return square(x)[:-2]


def sign_and_log(x: Shape) -> Shape:
    """Two numbers for each square matrix: [0] is the sign, [1] the logarithm."""
    return (2, *of_matrix(x))


def solve(x: Shape, y: Shape) -> Shape:
    """A system of equations with one right-hand side, or with one a column."""
    square(x)
    if not y or y[max(len(y) - 2, 0)] != x[-1]:
        raise ValueError(f"cannot solve {show(x)} against {show(y)}: as many rows are needed")
    if len(y) == 1 and len(x) > 2:
        raise ValueError(f"cannot solve {show(x)} against {show(y)}: give the vector an axis, as in y[:, None]")
    if len(x) > 2 and y == x[:-1]:
        raise ValueError(f"{show(x)} against {show(y)} can be read as one matrix (numpy) or as a vector for each "
                         "(torch): write y[None] or y[..., None]")  # fmt: skip
    if len(y) == 1:
        return x[:-1]
    return (*elementwise(x[:-2], y[:-2]), *y[-2:])


def trace(x: Shape) -> Shape:
    """One number for a matrix; of a batch it is not said over which axes."""
    if len(x) != 2:
        more = "; for a batch write sum(x*eye(n), axis=(-2, -1))" if len(x) > 2 else ""
        raise ValueError(f"trace needs a matrix, not {show(x)}{more}")
    return ()


def diagonal(x: Shape) -> Shape:
    """The diagonal of a matrix, or the matrix with a diagonal."""
    if len(x) not in (1, 2):
        raise ValueError(f"diag needs a vector or a matrix, not {show(x)}")
    return x * 2 if len(x) == 1 else (min(x),)


def square_diagonal(x: Shape) -> Shape:
    """The diagonal of a square matrix."""
    if len(x) != 2 or x[0] != x[1]:
        raise ValueError(f"a letter that stands twice needs a square matrix, not {show(x)}")
    return x[:1]


def triangle(x: Shape, *, k: int) -> Shape:
    """Keep the shape of a matrix."""
    if len(x) < 2:
        raise ValueError(f"a triangle needs a matrix, not {show(x)}")
    if not isinstance(k, int) or isinstance(k, bool):
        raise ValueError(f"k must be an integer, not {k!r}")
    return x


def kron(x: Shape, y: Shape) -> Shape:
    """Every element of one, times the whole other."""
    if len(x) != len(y) or len(x) not in (1, 2):
        raise ValueError(f"kron needs two vectors or two matrices, not {show(x)} and {show(y)}")
    return tuple(n * m for n, m in zip(x, y, strict=True))


def blocks(g: Shape, x: Shape, y: Shape) -> Shape:
    """The axes of a Kronecker product apart: one of x and one of y, in turn."""
    return tuple(n for pair in zip(x, y, strict=True) for n in pair)


def cross(x: Shape, y: Shape) -> Shape:
    """Vectors of three along the last axis."""
    if not x or not y or x[-1] != 3 or y[-1] != 3:
        raise ValueError(f"cross needs vectors of three elements, not {show(x)} and {show(y)}")
    return elementwise(x, y)


def vector_norm(x: Shape, *, p: Any, axis: Axis, keepdims: bool) -> Shape:
    """One number for a vector; for a matrix only along one axis."""
    if isinstance(axis, tuple) and len(axis) > 1:
        raise ValueError(f"ord={p} over several axes can be read as a norm of matrices or of all elements: "
                         "write sum(abs(x)^p, axis=…)^(1/p) for the latter")  # fmt: skip
    if axis is None and len(x) != 1:
        what = "the largest singular value (numpy) or the root of the sum of squares (torch)"
        if p == 2 and len(x) == 2:
            raise ValueError(f"ord=2 of a matrix can be read in two ways, as {what}: write norm(x) for the latter")
        raise ValueError(f"ord={p} needs a vector or axis=, not {show(x)}")
    return reduction(x, axis=axis, keepdims=keepdims)


def vector_or_matrix(x: Shape) -> Shape:
    """One number for a vector or a matrix."""
    if len(x) not in (1, 2):
        raise ValueError(f"this norm needs a vector, a matrix or axis=, not {show(x)}")
    return ()


def largest(x: Shape, *, k: int) -> Shape:
    """The k largest elements along the last axis."""
    if not x or not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= x[-1]:
        raise ValueError(f"k={k!r} of {show(x)}: it must be from 1 to the length of the last axis")
    return (*x[:-1], k)


def sorted_last(x: Shape, *, axis: Axis) -> Shape:
    """Keep the shape; elements are sorted along the last axis."""
    if axes(along(x, axis=axis), axis) != (len(x) - 1,):
        raise ValueError(f"this sorts along the last axis of {show(x)}: transpose before and after")
    return x


def pad(x: Shape, *, width: Any) -> Shape:
    """Add zeros before and after, along each axis."""
    return tuple(before + n + after for n, (before, after) in zip(x, pairs(x, width), strict=True))


def pairs(x: Shape, width: Any) -> tuple[tuple[int, int], ...]:
    """Return how many zeros stand before and after each axis, as numpy reads its pad_width.

    Raises:
        ValueError: if it can be read in two ways, or in none.
    """
    whole = isinstance(width, int) and not isinstance(width, bool)
    if whole:
        found = ((width, width),) * len(x)
    elif isinstance(width, tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in width):
        found = width
    elif isinstance(width, tuple) and len(width) == 2 and len(x) == 1:
        found = (width,)
    elif isinstance(width, tuple) and len(width) == 2 and len(x) > 1:
        raise ValueError("one pair for several axes can be read as all axes (numpy) or the last (torch): "
                         "write a pair for each, as in pad(x, ((0, 0), (1, 1)))")  # fmt: skip
    else:
        raise ValueError(f"{width!r} is no padding: write a number, or a pair for each axis")
    if len(found) != len(x) or any(not isinstance(n, int) or n < 0 for one in found for n in one):
        raise ValueError(f"padding of {show(x)} takes a pair of whole numbers for each of its axes, not {width!r}")
    return found


def made(_: Shape, *, shape: tuple[int, ...]) -> Shape:
    """The shape that is asked for."""
    if (
        not isinstance(shape, tuple)
        or not shape
        or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in shape)
    ):
        raise ValueError(f"{shape!r} is not a shape: write whole numbers of at least 1")
    return shape


def made_square(x: Shape, *, shape: tuple[int, ...]) -> Shape:
    """A square matrix, or one of two given lengths."""
    if len(shape) > 2:
        raise ValueError(f"eye takes one or two lengths, not {len(shape)}")
    made(x, shape=shape)
    return shape * 2 if len(shape) == 1 else shape
