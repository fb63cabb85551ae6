"""Other values of the same kind: what the given ones show of themselves is kept.

A matrix that is symmetric or positive definite stays so, rows that sum to one or are one-hot do, whole numbers stay
whole, signs and fractions are kept. Whatever else holds by accident at one point does not at another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.checking.judge import alike

Array = Any

SPREAD = 0.6
"""How far numbers are moved, as a part of their logarithm."""

GRAIN = 2.0**40
"""Numbers that sum to one are whole multiples of one over this, so that float64 adds them exactly."""


def redrawn(value: Any, random: np.random.Generator, spread: float = SPREAD) -> Any:
    """Return another number or array of the same kind.

    Args:
        value: a float, or an array of float64 or of whole numbers that say where to look.
        random: where the numbers come from.
        spread: how far they may lie; whole numbers are always drawn anew.
    """
    x = np.asarray(value)
    if x.dtype.kind == "i":
        return random.integers(0, max(int(x.max()), 0) + 1, x.shape)
    if is_square(x) and np.any(x) and bool(np.all(x == -np.swapaxes(x, -1, -2))):
        other = np.triu(x * np.exp(spread * random.uniform(-1, 1, x.shape)))
        return other - np.swapaxes(other, -1, -2)
    found = _whole(x, random, spread) if bool(np.all(x == np.round(x))) else _fractions(x, random, spread)
    return found if x.shape else float(found)


def _whole(x: Array, random: np.random.Generator, spread: float) -> Array:
    if spread < SPREAD or is_identity(x):
        return x
    if x.size > 1 and bool(np.all((x == 0) | (x == 1))):
        return _zeros_and_ones(x, random)
    if is_symmetric(x):
        return _symmetric(x, random, spread)
    if x.size > 2 and bool(np.all(np.abs(x) == 1)) and np.any(x > 0) and np.any(x < 0):
        return 2 * _mask(x, random) - 1
    sign = 1.0 if bool(np.all(x > 0)) else -1.0 if bool(np.all(x < 0)) else 0.0
    largest = max(3, min(int(np.abs(x).max(initial=0.0)), 2**40))
    drawn = random.integers(1, largest + 1, x.shape).astype(float)
    drawn = drawn + (drawn == np.abs(x))
    drawn = drawn * (sign or np.where(random.random(x.shape) < 0.5, 1.0, -1.0))
    return np.where(x == 0, 0.0, drawn) if _triangular(x) else drawn


def _zeros_and_ones(x: Array, random: np.random.Generator) -> Array:
    axes = _axes_of_one(x)
    if is_symmetric(x):
        # As the edges of a graph; one-hot rows are reordered, with the columns.
        order = random.permutation(x.shape[-1])
        drawn = np.triu(_mask(x, random), 1)
        edges = drawn + np.swapaxes(drawn, -1, -2) + x * np.eye(x.shape[-1])
        return x[..., order, :][..., :, order] if axes else edges
    if len(axes) > 1:
        return x[random.permutation(len(x))]
    return np.moveaxis(_one_hot(np.moveaxis(x, axes[0], -1), random), -1, axes[0]) if axes else _mask(x, random)


def _one_hot(x: Array, random: np.random.Generator) -> Array:
    places = random.integers(0, x.shape[-1], x.shape[:-1])
    return (np.arange(x.shape[-1]) == places[..., None]).astype(float)


def _mask(x: Array, random: np.random.Generator) -> Array:
    drawn = (random.random(x.shape) < 0.5).astype(float)
    # One of each, or it would show nothing.
    drawn.flat[0], drawn.flat[-1] = 1.0, 0.0
    return drawn


def _fractions(x: Array, random: np.random.Generator, spread: float) -> Array:
    inside = bool(np.all((x >= 0) & (x <= 1)))
    axes = _axes_of_one(x) if inside else []
    if is_symmetric(x):
        return _shares(x, random, spread) if len(axes) > 1 else _symmetric(x, random, spread)
    if axes:
        drawn = x * np.exp(spread * random.uniform(-1, 1, x.shape))
        return np.moveaxis(_to_one(np.moveaxis(drawn, axes[0], -1)), -1, axes[0])
    if inside and bool(np.all((x > 0) & (x < 1))):
        odds = x / (1 - x) * np.exp(spread * random.uniform(-1, 1, x.shape))
        return odds / (1 + odds)
    moved = x * np.exp(spread * random.uniform(-1, 1, x.shape))
    if not np.any(x == 0) or _triangular(x):
        return moved
    size = float(np.abs(x).max(initial=0.0)) or 1.0
    return np.where(x == 0, size * spread * random.uniform(0.2, 1, x.shape), moved)


def _axes_of_one(x: Array) -> list[int]:
    """Return the axes along which all sums are one, the last first."""
    return [axis for axis in range(-1, -x.ndim - 1, -1) if x.shape[axis] > 1 and alike(x.sum(axis=axis), 1.0)]


def _to_one(x: Array) -> Array:
    """Return numbers in the same proportions whose rows sum to one exactly: formulas are tried in exact arithmetic."""
    found = np.round(x / x.sum(axis=-1, keepdims=True) * GRAIN) / GRAIN
    largest = np.arange(x.shape[-1]) == np.argmax(found, axis=-1)[..., None]
    return np.where(largest, 1 - np.where(largest, 0, found).sum(axis=-1, keepdims=True), found)


def _shares(x: Array, random: np.random.Generator, spread: float) -> Array:
    """Return another symmetric matrix whose rows sum to one: a mean of this one, a uniform and a unit matrix."""
    n = x.shape[-1]
    one, other = spread * random.uniform(0.1, 0.5, (2, *x.shape[:-2], 1, 1))
    found = np.round(((1 - one - other) * x + one / n) * GRAIN) / GRAIN * (1 - np.eye(n))
    return found + (1 - found.sum(axis=-1, keepdims=True)) * np.eye(n)


def _symmetric(x: Array, random: np.random.Generator, spread: float) -> Array:
    n = x.shape[-1]
    if bool(np.all(np.linalg.eigvalsh(x) > 0)):
        scale = np.exp(spread * random.uniform(-1, 1, (*x.shape[:-1], 1)) / 2)
        other = random.standard_normal(x.shape)
        size = np.trace(x, axis1=-2, axis2=-1)[..., None, None] / n
        found = x * scale * np.swapaxes(scale, -1, -2) + spread * size * other @ np.swapaxes(other, -1, -2) / (4 * n)
    else:
        found = x * np.exp(spread * random.uniform(-1, 1, x.shape))
        found = np.where(x == 0, spread * float(np.abs(x).max()) * random.uniform(-1, 1, x.shape), found)
    return (found + np.swapaxes(found, -1, -2)) / 2


def is_square(x: Any) -> bool:
    """Return whether it is a square matrix of more than one number, or a batch of them."""
    return np.ndim(x) > 1 and np.shape(x)[-1] == np.shape(x)[-2] > 1


def is_symmetric(x: Any) -> bool:
    """Return whether it is a symmetric matrix, or a batch of them."""
    return is_square(x) and bool(np.all(np.asarray(x) == np.swapaxes(x, -1, -2)))


def is_identity(x: Any) -> bool:
    """Return whether it is a unit matrix, which may be one-hot rows as well as a covariance."""
    return is_square(x) and bool(np.all(np.asarray(x) == np.eye(np.shape(x)[-1])))


def _triangular(x: Array) -> bool:
    return is_square(x) and (not np.any(np.triu(x, 1)) or not np.any(np.tril(x, -1)))


def symmetrised(x: Array) -> Array:
    """Return the symmetric part of a matrix."""
    return (x + np.swapaxes(x, -1, -2)) / 2


def skewed(x: Array, random: np.random.Generator) -> list[Array]:
    """Return a symmetric matrix, made a little less so; if its rows sum to one, so do the rows, or the columns."""
    size = float(np.abs(x).max(initial=0.0) or 1.0)
    if alike(x.sum(axis=-1), 1.0):
        other = size * random.uniform(0.05, 0.2, x.shape)
        rows = x + np.round((other - other[..., :1]) * GRAIN) / GRAIN
        rows[..., 0] -= (rows - x)[..., 1:].sum(axis=-1)
        return [rows, np.swapaxes(rows, -1, -2)]
    other = random.uniform(0.05, 0.2, x.shape) * size
    return [x + (other - np.swapaxes(other, -1, -2)) / 2 + np.triu(other, 1) / 4]
