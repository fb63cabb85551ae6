"""What flows back through an op on whole matrices, by moving one element after the other.

Central differences at several steps, extrapolated (Richardson); of each slope the step is taken that says least
against itself. Nothing is known of the op but what it computes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcheck.engines.flows import Array, BarredFlow, contracted

STEPS = 2.0 ** -np.array([6, 10, 14, 18, 22])
"""Steps, as shares of the smallest singular value; each is halved once."""

MOST = 4_000_000
"""Slopes of one matrix that are written down."""

EPS = 2.0**-52
ROUNDED = 1e-14
"""Share of the largest singular value below which float64 does not know the smallest."""

CAUTION = 4
"""How many times what the differences say against themselves they may be wrong."""


POLE = 10
"""How many times larger than a step away a value is at least, beside a pole."""


def pulled(function: Callable[[Array], Array], x: Array, out: Array, flow: BarredFlow) -> BarredFlow:
    """Return what flows back to each matrix of a batch.

    Args:
        function: computes the op, of batches too.
        x: the matrices.
        out: the op's value.
        flow: what flows to the value.
    """
    inner = out.shape[x.ndim - 2 :]
    size, reach = int(np.prod(x.shape[-2:])), int(np.prod(inner))
    if size * reach > MOST:
        return BarredFlow(np.zeros(x.shape), bar=np.full(x.shape, np.inf))
    slopes, errors = zip(*(_slopes(function, one) for one in x.reshape(-1, *x.shape[-2:])), strict=True)
    slope, error = np.array(slopes), np.array(errors)

    def flat(part: Array) -> Array:
        return np.reshape(part, (-1, reach))

    def add_up(g: Array, d: Array) -> Array:
        return np.einsum("br,bir->bi", flat(g), d).reshape(x.shape)

    found = contracted(flow, slope, add_up, add_up, reach)
    doubt = add_up(np.abs(flow.value), error)
    # What is zero by cancellation is as good as the slopes beside it.
    natural = np.abs(slope).max(axis=1, keepdims=True) * np.ones(slope.shape)
    return found._replace(
        size=found.sizes + add_up(flow.sizes, natural), bar=doubt if found.bar is None else found.bar + doubt
    )


def _slopes(function: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """Return the slope of each element of the value by each element of one matrix, and how wrong it may be."""
    sizes = np.linalg.svd(x, compute_uv=False)
    singular = sizes[-1] <= ROUNDED * sizes[0]
    # An inverse has a pole where a matrix is singular, which no step may come near.
    scale = float(sizes[0] if singular else sizes[-1]) or 1.0
    unit = np.eye(x.size).reshape(x.size, *x.shape)
    with np.errstate(all="ignore"):
        moves = [(h, *_central(function, x, unit, h), *_central(function, x, unit, h / 2)) for h in scale * STEPS]
        slopes = np.array([(4 * near - wide) / 3 for _, wide, _, near, _ in moves])
        # A stable method gives the right value of a matrix that is wrong in its last digits.
        shaken = len(x) * np.linalg.norm(x) * np.nanmax(np.abs(slopes), axis=(0, 1))
        noise = np.array([EPS * (size + shaken) / h for h, _, size, _, _ in moves])[:, None]
        errors = CAUTION * (np.abs(slopes - [near for _, _, _, near, _ in moves]) + noise)
        if singular:
            # Near a pole the value is larger here than a step away; without one all steps should say the same.
            pole = np.abs(function(x)).max() > POLE * max(size.max() for _, _, size, _, _ in moves)
            shaken = np.array([_shaken(function, x, unit, h) for h, *_ in moves])
            errors = np.inf if pole else errors + CAUTION * (np.ptp(slopes, axis=0) + shaken)
        known = np.isfinite(errors) & np.isfinite(slopes)
        slopes, errors = np.where(known, slopes, 0.0), np.where(known, errors, np.inf)
    best = np.argmin(errors, axis=0)[None]
    slope, error = (np.take_along_axis(one, best, 0)[0] for one in (slopes, errors))
    # What may be zero is said to be zero, and not what rounding left of it.
    unsure = np.abs(slope) <= error
    return np.where(unsure, 0.0, slope), np.where(unsure, error + np.abs(slope), error)


def _shaken(function: Callable[[Array], Array], x: Array, unit: Array, h: float) -> Array:
    """Return how much a slope moves with the last digits of a matrix."""
    other = x * (1 + 2 * EPS * np.random.default_rng(len(x)).choice([-1.0, 1.0], x.shape))
    moved = np.asarray(function(other + h * unit)) - np.asarray(function(x + h * unit))
    return np.abs(moved.reshape(len(unit), -1)) * len(x) / h


def _central(function: Callable[[Array], Array], x: Array, unit: Array, h: float) -> tuple[Array, Array]:
    """Return central differences, and the size of the values that they are taken of."""
    ahead, behind = (np.asarray(function(x + sign * h * unit)).reshape(len(unit), -1) for sign in (1, -1))
    return (ahead - behind) / (2 * h), np.maximum(np.abs(ahead), np.abs(behind)).max(axis=0)
