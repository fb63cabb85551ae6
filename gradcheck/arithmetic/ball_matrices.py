"""Matrices of balls: inverses and determinants by Arb, which knows how to keep them narrow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gradcheck.arithmetic import matrices
from gradcheck.arithmetic.arb import arb, arb_mat
from gradcheck.arithmetic.balls import NAN, NATIVES, ONE, ZERO
from gradcheck.arithmetic.compiling import Function

Array = Any


def do(op: str, *operands: Array) -> Array:
    """Compute an elementwise op on arrays of balls."""
    return np.frompyfunc(NATIVES[op], len(operands), 1)(*operands)


def _each(function: Callable[[Any], Any], x: Array, shape: tuple[int, ...]) -> Array:
    """Apply a function of one matrix to each; where it has no value it is not a number."""
    result = np.full((*x.shape[:-2], *shape), NAN, dtype=object)
    for place in np.ndindex(x.shape[:-2]):
        try:
            result[place] = function(arb_mat([[arb(one) for one in row] for row in x[place]]))
        except ZeroDivisionError:
            continue
    return result


def _entries(matrix: Any) -> Array:
    return np.array(matrix.entries(), dtype=object).reshape(matrix.nrows(), matrix.ncols())


def inverse(x: Array) -> Array:
    """Return the inverse of each matrix, or the reciprocal of a number."""
    x = np.asarray(x, dtype=object)
    return _each(lambda one: _entries(one.inv()), x, x.shape[-2:]) if x.ndim else do("div", ONE, x)


def determinant(x: Array) -> Array:
    """Return the determinant of each matrix."""
    return _each(lambda one: one.det(), x, ())


def cofactors(x: Array) -> Array:
    """Return the cofactors of each matrix: by its inverse if it is sure to have one."""
    found = do("mul", np.asarray(determinant(x))[..., None, None], np.swapaxes(inverse(x), -1, -2))
    if all(one.is_finite() for one in found.ravel()):
        return found
    return matrices.cofactors(x, lambda y: np.trace(y, axis1=-2, axis2=-1), ONE)


LINEAR: dict[str, Function] = {
    "inv": inverse,
    "det": determinant,
    "cofactor": cofactors,
    "pinv": partial(matrices.pseudo_inverse, np.matmul, inverse),
    "cholesky": lambda x: matrices.cholesky(do, x, ZERO, arb(0.5)),
    "sort": lambda x, axis=-1: matrices.ordered(do, x),
    "cumprod": partial(matrices.running_product, do),
}
"""Linear algebra that has no definition in simpler ops."""
