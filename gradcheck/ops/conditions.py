"""What a matrix must be: decided in float64 where that is sure, else exactly, in whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.ops.op import Worded

SURE = 1e-9
"""Share of the largest singular value or eigenvalue above which float64's word on the smallest one is taken."""


def _of_matrices(text: str, check: Callable[[Any], bool]) -> Worded:
    """Return a condition on the first operand: on each matrix of a batch, and on a number as a matrix of one."""

    def holds(*operands: Any) -> bool:
        import numpy as np

        x = np.asarray(operands[0], dtype=float)
        matrices = x.reshape(-1, *(x.shape[-2:] if x.ndim > 1 else (1, 1)))
        return all(check(one) for one in matrices)

    return Worded(text, holds)


def _full_rank(matrix: Any) -> bool:
    import numpy as np

    sizes = np.linalg.svd(matrix, compute_uv=False)
    return bool(sizes[-1] > SURE * sizes[0]) or len(_pivots(matrix)) == len(sizes)


def _positive_determinant(matrix: Any) -> bool:
    import numpy as np

    sizes = np.linalg.svd(matrix, compute_uv=False)
    if sizes[-1] > SURE * sizes[0]:
        return float(np.linalg.slogdet(matrix)[0]) > 0
    pivots = _pivots(matrix)
    return len(pivots) == len(matrix) and pivots[-1][1] > 0


def _positive_definite(matrix: Any) -> bool:
    import numpy as np

    symmetric = matrix + matrix.T
    values = np.linalg.eigvalsh(symmetric)
    if abs(values[0]) > SURE * abs(values).max():
        return float(values[0]) > 0
    # Sylvester: every leading minor is positive.
    pivots = _pivots(symmetric)
    return len(pivots) == len(matrix) and all(not moved and minor > 0 for moved, minor in pivots)


def _pivots(matrix: Any) -> list[tuple[bool, int]]:
    """Eliminate exactly, without fractions (Bareiss); return each pivot: was it moved there, and the minor."""
    rows, found, previous, sign = _whole(matrix), [], 1, 1
    while rows and rows[0]:
        places = [(i, j) for i, row in enumerate(rows) for j, x in enumerate(row) if x]
        if not places:
            break
        i, j = places[0]
        sign *= (-1) ** (i + j)
        top = rows.pop(i)
        pivot = top.pop(j)
        heads = [row.pop(j) for row in rows]
        rows = [
            [(pivot * x - head * y) // previous for x, y in zip(row, top, strict=True)]
            for row, head in zip(rows, heads, strict=True)
        ]
        previous = pivot
        found.append(((i, j) != (0, 0), sign * pivot))
    return found


def _whole(matrix: Any) -> list[list[int]]:
    """Return a matrix of floats times a power of two that makes all of them whole."""
    ratios = [[float(x).as_integer_ratio() for x in row] for row in matrix]
    common = max(below for row in ratios for _, below in row)
    return [[above * (common // below) for above, below in row] for row in ratios]


REGULAR = _of_matrices("a matrix that is not singular", _full_rank)
FULL_RANK = _of_matrices("a matrix of full rank", _full_rank)
POSITIVE = _of_matrices("a matrix with a positive determinant", _positive_determinant)
DEFINITE = _of_matrices("a matrix whose symmetric part is positive definite", _positive_definite)
