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
    found = _whole(x, random, spread) if bool(np.all(x == np.round(x))) else _fractions(x, random, spread)
    return found if x.shape else float(found)


def _whole(x: Array, random: np.random.Generator, spread: float) -> Array:
    if spread < SPREAD or is_identity(x):
        return x
    if x.size > 1 and bool(np.all((x == 0) | (x == 1))):
        hot = bool(np.all(x.sum(axis=-1) == 1)) and x.shape[-1] > 1
        return _one_hot(x, random) if hot else _mask(x, random)
    if is_symmetric(x):
        return _symmetric(x, random, spread)
    sign = 1.0 if bool(np.all(x > 0)) else -1.0 if bool(np.all(x < 0)) else 0.0
    largest = max(3, min(int(np.abs(x).max(initial=0.0)), 2**40))
    drawn = random.integers(1, largest + 1, x.shape).astype(float)
    drawn = drawn + (drawn == np.abs(x))
    return drawn * (sign or np.where(random.random(x.shape) < 0.5, 1.0, -1.0))


def _one_hot(x: Array, random: np.random.Generator) -> Array:
    places = random.integers(0, x.shape[-1], x.shape[:-1])
    return (np.arange(x.shape[-1]) == places[..., None]).astype(float)


def _mask(x: Array, random: np.random.Generator) -> Array:
    drawn = (random.random(x.shape) < 0.5).astype(float)
    # One of each, or it would show nothing.
    drawn.flat[0], drawn.flat[-1] = 1.0, 0.0
    return drawn


def _fractions(x: Array, random: np.random.Generator, spread: float) -> Array:
    if is_symmetric(x):
        return _symmetric(x, random, spread)
    inside = bool(np.all((x >= 0) & (x <= 1)))
    if inside and x.ndim and x.shape[-1] > 1 and alike(x.sum(axis=-1), 1.0):
        drawn = x * np.exp(spread * random.uniform(-1, 1, x.shape))
        return drawn / drawn.sum(axis=-1, keepdims=True)
    if inside and bool(np.all((x > 0) & (x < 1))):
        odds = x / (1 - x) * np.exp(spread * random.uniform(-1, 1, x.shape))
        return odds / (1 + odds)
    moved = x * np.exp(spread * random.uniform(-1, 1, x.shape))
    if not np.any(x == 0) or _triangular(x):
        return moved
    size = float(np.abs(x).max(initial=0.0)) or 1.0
    return np.where(x == 0, size * spread * random.uniform(0.2, 1, x.shape), moved)


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


def skewed(x: Array, random: np.random.Generator) -> Array:
    """Return a symmetric matrix, made a little less so."""
    other = random.uniform(0.05, 0.2, x.shape) * float(np.abs(x).max(initial=0.0) or 1.0)
    return x + (other - np.swapaxes(other, -1, -2)) / 2 + np.triu(other, 1) / 4
