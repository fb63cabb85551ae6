"""Linear algebra by its definitions, over arrays of anything that can be added and multiplied.

`do(op, *arrays)` computes an elementwise op: on nodes of a graph under construction it makes gates, on numbers
it reckons. So one text serves the graph that is written out and arrays of balls. What float64 and Arb do well
by themselves is taken from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import combinations
from typing import Any

import numpy as np

from gradcheck.arithmetic.compiling import Function
from gradcheck.ops.matrix_shapes import pairs

Array = Any
Do = Callable[..., Array]

LAPLACE = 6
"""Rows up to which a determinant is expanded: no pivots, so that it is right for singular matrices too."""


def pivoted(numbers: Array) -> Array:
    """Return for each matrix of floats the order of its rows that elimination with partial pivoting takes."""
    found = np.empty(numbers.shape[:-1], dtype=np.int64)
    for place in np.ndindex(numbers.shape[:-2]):
        matrix = np.array(numbers[place], dtype=float)
        rows = np.arange(len(matrix))
        for k in range(len(matrix)):
            column = np.abs(matrix[k:, k])
            best = k + int(np.argmax(np.where(np.isnan(column), -1, column)))
            matrix[[k, best]], rows[[k, best]] = matrix[[best, k]], rows[[best, k]]
            with np.errstate(all="ignore"):
                matrix[k + 1 :] -= np.outer(matrix[k + 1 :, k] / matrix[k, k], matrix[k])
        found[place] = rows
    return found


def _triangular(do: Do, x: Array, y: Array) -> tuple[Array, Array]:
    """Eliminate below the diagonal, in the order of the rows as they are; return both sides of the system."""
    x, y = x.copy(), y.copy()
    for k in range(x.shape[-1] - 1):
        factor = do("div", x[..., k + 1 :, k, None], x[..., k, None, k, None])
        x[..., k + 1 :, k + 1 :] = do("sub", x[..., k + 1 :, k + 1 :], do("mul", factor, x[..., k, None, k + 1 :]))
        y[..., k + 1 :, :] = do("sub", y[..., k + 1 :, :], do("mul", factor, y[..., k, None, :]))
    return x, y


def solved(do: Do, x: Array, y: Array, order: Array) -> Array:
    """Solve x·z = y by elimination, the rows in the given order, and substitution from the last row back."""
    x, y = (np.take_along_axis(one, order[..., None], -2) for one in (x, y))
    x, y = _triangular(do, x, y)
    for k in reversed(range(x.shape[-1])):
        y[..., k, :] = do("div", y[..., k, :], x[..., k, k, None])
        if k:
            y[..., :k, :] = do("sub", y[..., :k, :], do("mul", x[..., :k, k, None], y[..., k, None, :]))
    return y


def determinant(do: Do, x: Array, order: Callable[[], Array]) -> Array:
    """Return the determinant: of a small matrix expanded along its rows (Laplace), else the product of its pivots."""
    n = x.shape[-1]
    if n > LAPLACE:
        return _pivots(do, x, order())
    minors: dict[tuple[int, ...], Array] = {(j,): x[..., 0, j] for j in range(n)}
    for row in range(1, n):
        minors = {
            columns: _expanded(do, x[..., row, :], columns, minors) for columns in combinations(range(n), row + 1)
        }
    return minors[tuple(range(n))]


def divided_by_whole_numbers(do: Do, matmul: Function, whole: Callable[[int], Any], x: Array) -> Array:
    """Return the determinant without pivots, for singular matrices (Faddeev and LeVerrier).

    Args:
        do: computes an elementwise op.
        matmul: multiplies matrices.
        whole: returns a whole number.
        x: the matrices.
    """
    n, power = x.shape[-1], x
    for k in range(1, n):
        rest = power.copy()
        share = do("div", _trace(do, power), whole(k))
        for i in range(n):
            rest[..., i, i] = do("sub", power[..., i, i], share)
        power = matmul(x, rest)
    found = do("div", _trace(do, power), whole(n))
    return found if n % 2 else do("neg", found)


def _trace(do: Do, x: Array) -> Array:
    return reduce(partial(do, "add"), [x[..., i, i] for i in range(x.shape[-1])])


def _expanded(do: Do, row: Array, columns: tuple[int, ...], minors: dict[tuple[int, ...], Array]) -> Array:
    """Expand a minor along its last row, the last element first."""
    total = None
    for place in reversed(range(len(columns))):
        term = do("mul", row[..., columns[place]], minors[columns[:place] + columns[place + 1 :]])
        odd = (len(columns) - 1 - place) % 2
        total = term if total is None else do("sub" if odd else "add", total, term)
    return total


def _pivots(do: Do, x: Array, order: Array) -> Array:
    upper, _ = _triangular(do, np.take_along_axis(x, order[..., None], -2), x[..., :0])
    diagonal = [upper[..., k, k] for k in range(x.shape[-1])]
    product = reduce(partial(do, "mul"), diagonal)
    signs = np.linalg.det(np.eye(x.shape[-1])[order]) < 0
    return np.where(signs, do("neg", product), product) if np.any(signs) else product


def cholesky(do: Do, x: Array, zero: Any, half: Any) -> Array:
    """Return the lower triangular factor of the symmetric part, row by row (Cholesky and Banachiewicz)."""
    n = x.shape[-1]
    x = do("mul", do("add", x, np.swapaxes(x, -1, -2)), np.asarray(half))
    result = np.full(x.shape, zero, dtype=x.dtype)
    for i in range(n):
        for j in range(i + 1):
            rest = x[..., i, j]
            for k in range(j):
                rest = do("sub", rest, do("mul", result[..., i, k], result[..., j, k]))
            result[..., i, j] = do("sqrt", rest) if i == j else do("div", rest, result[..., j, j])
    return result


def network(count: int) -> list[tuple[int, int]]:
    """Return the pairs to put in order, one after the other, that sort so many numbers.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M).
    """
    found = []
    p = 1
    while p < count:
        k = p
        while k:
            for j in range(k % p, count - k, 2 * k):
                for i in range(min(k, count - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        found.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return found


def ordered(do: Do, x: Array) -> Array:
    """Sort along the last axis by exchanging pairs."""
    x = x.copy()
    for low, high in network(x.shape[-1]):
        x[..., low], x[..., high] = do("min", x[..., low], x[..., high]), do("max", x[..., low], x[..., high])
    return x


def running_product(do: Do, x: Array, axis: int | None = None) -> Array:
    """Multiply along an axis, or of a flattened array."""
    x = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
    rows = [x[0]]
    for row in x[1:]:
        rows.append(do("mul", rows[-1], row))
    result = np.array(rows, dtype=x.dtype).reshape(x.shape)
    return result if axis is None else np.moveaxis(result, 0, axis)


def kron(do: Do, x: Array, y: Array) -> Array:
    """Return every element of one, times the whole other."""
    if x.ndim == 1:
        return do("mul", x[:, None], y[None, :]).ravel()
    products = do("mul", x[:, None, :, None], y[None, :, None, :])
    return products.reshape(x.shape[0] * y.shape[0], x.shape[1] * y.shape[1])


def pseudo_inverse(matmul: Function, inverse: Function, x: Array) -> Array:
    """Return the pseudo-inverse of a matrix of full rank, by the normal equations of its smaller side."""
    turned = np.swapaxes(x, -1, -2)
    if x.shape[-2] >= x.shape[-1]:
        return matmul(inverse(matmul(turned, x)), turned)
    return matmul(turned, inverse(matmul(x, turned)))


def diag(x: Array, *, zero: Any = 0) -> Array:
    """Return the diagonal of a matrix, or the matrix with a diagonal."""
    x = np.asanyarray(x)
    if x.ndim == 2:
        return np.diagonal(x).copy()
    result = np.full((len(x), len(x)), zero, dtype=x.dtype)
    np.fill_diagonal(result, x)
    return result


def _triangle(x: Array, *, k: int, zero: Any = 0, upper: bool) -> Array:
    x = np.asanyarray(x)
    row, column = np.ogrid[: x.shape[-2], : x.shape[-1]]
    return np.where(column - row >= k if upper else column - row <= k, x, np.asarray(zero, dtype=x.dtype))


def eye(x: Array, *, shape: Sequence[int], zero: Any = 0) -> Array:
    """Return a matrix with x on its diagonal."""
    x = np.asanyarray(x)
    result = np.full((shape[0], shape[-1]), zero, dtype=x.dtype)
    np.fill_diagonal(result, x)
    return result


def pad(x: Array, *, width: Any, zero: Any = 0) -> Array:
    """Add zeros before and after."""
    x = np.asanyarray(x)
    around = pairs(x.shape, width)
    result = np.full([before + n + after for n, (before, after) in zip(x.shape, around, strict=True)], zero, x.dtype)
    result[_inside(x.shape, width)] = x
    return result


def _inside(shape: tuple[int, ...], width: Any) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, pairs(shape, width), strict=True))


def diagonal(x: Array) -> Array:
    """Return the diagonal of a matrix."""
    return np.diagonal(x).copy()


def undiag(g: Array, x: Array) -> Array:
    """Return zeros like x with g on the diagonal."""
    g = np.asanyarray(g)
    result = np.zeros(np.shape(x), dtype=g.dtype)
    np.fill_diagonal(result, g)
    return result


def blocks(g: Array, x: Array, y: Array) -> Array:
    """Return a Kronecker product with the axes of its factors apart."""
    return np.reshape(g, [n for pair in zip(np.shape(x), np.shape(y), strict=True) for n in pair])


def cumprod_slopes(g: Array, x: Array, *, axis: int | None = None) -> Array:
    """Return what goes back through a running product, right at zeros too.

    What element i gets is the product before it, times g_i + x_(i+1)·(g_(i+1) + x_(i+2)·(…)): Horner's scheme.
    """
    shape = np.shape(x)
    x, g = (np.ravel(one) if axis is None else np.moveaxis(one, axis, 0) for one in (x, g))
    result = np.empty_like(g * x)
    behind = g[-1] * 0
    for k in reversed(range(len(x))):
        behind = g[k] + (x[k + 1] * behind if k + 1 < len(x) else behind)
        result[k] = behind
    before = x[0] * 0 + 1
    for k in range(len(x)):
        result[k] = result[k] * before
        before = before * x[k]
    return result.reshape(shape) if axis is None else np.moveaxis(result, 0, axis)


def cofactors(x: Array, trace: Callable[[Array], Any], one: Any) -> Array:
    """Return the matrix of cofactors without a division by anything but whole numbers (Faddeev and LeVerrier)."""
    n = x.shape[-1]
    unit = np.where(np.eye(n, dtype=bool), one, one * 0)
    power = unit
    for k in range(1, n):
        product = x @ power
        power = product - unit * np.asarray(trace(product) / k)[..., None, None]
    return np.swapaxes(power if n % 2 else -power, -1, -2)


MOVES: dict[str, Function] = {
    "diag": diag,
    "diagonal": diagonal,
    "tril": partial(_triangle, upper=False),
    "triu": partial(_triangle, upper=True),
    "eye": eye,
    **dict.fromkeys(("ones", "zeros"), lambda x, shape: np.full(shape, x)),
    "pad": pad,
}
"""Ops that need no arithmetic; what they fill in is their argument `zero`."""

NATIVES: dict[str, Function] = {
    **MOVES,
    "undiag": undiag,
    "blocks": blocks,
    "cumprod": lambda x, axis=None: np.cumprod(x, axis=axis),
    "cumprod_slopes": cumprod_slopes,
    "unpad": lambda g, x, width: np.asanyarray(g)[_inside(np.shape(x), width)],
    "eye_like": lambda x: np.eye(*np.shape(x)[-2:], dtype=int),
    "kron": np.kron,
}


def _regular_or_nan(function: Function) -> Function:
    def attempt(x: Array, *rest: Array) -> Array:
        try:
            return function(x, *rest)
        except np.linalg.LinAlgError:
            return np.full(np.shape(x), np.nan)

    return attempt


def _inverse(x: Array) -> Array:
    return np.linalg.inv(x) if np.ndim(x) else np.divide(1.0, x)


def _slogdet(x: Array) -> Array:
    return np.stack(np.linalg.slogdet(x))


def _logdet(x: Array) -> Array:
    sign, size = np.linalg.slogdet(x)
    return np.where(sign > 0, size, np.nan)


def _solve(x: Array, y: Array) -> Array:
    try:
        return np.linalg.solve(x, y) if np.ndim(y) != 1 else np.linalg.solve(x, np.asarray(y)[:, None])[..., 0]
    except np.linalg.LinAlgError:
        return np.full((*np.shape(x)[:-1], *np.shape(y)[1 if np.ndim(y) == 1 else -1 :]), np.nan)


def _float_cofactors(x: Array) -> Array:
    # By singular values, so that a singular matrix loses no digits.
    left, size, right = np.linalg.svd(x)
    others = np.where(np.eye(x.shape[-1], dtype=bool), 1.0, size[..., None, :]).prod(axis=-1)
    signs = np.linalg.det(left) * np.linalg.det(right)
    return np.rint(signs)[..., None, None] * ((left * others[..., None, :]) @ right)


FLOATS: dict[str, Function] = {
    "inv": _regular_or_nan(_inverse),
    "det": np.linalg.det,
    "logdet": _logdet,
    "slogdet": _slogdet,
    "solve": _solve,
    # Full rank is asked for, so no singular value is taken for zero.
    "pinv": _regular_or_nan(partial(np.linalg.pinv, rcond=0.0)),
    "cholesky": _regular_or_nan(lambda x: np.linalg.cholesky((x + np.swapaxes(x, -1, -2)) / 2)),
    "cofactor": _float_cofactors,
    "sort": lambda x, axis=-1: np.sort(x, axis=axis),
}
"""What LAPACK does better than its definition."""
