"""The slopes of an elementwise op at every element at once, from its values alone.

Central differences with steps h, 2h and 4h give two estimates of fourth order and one of sixth;
the distance between the former is the bar, beside what rounding of the values can do. The even
part of the same values gives the gap between the one-sided slopes, which is zero only where the
op is smooth: at an exact kink every central difference says the same mean. Steps are tried in
families, and per element the narrowest bar counts. Elements where no family is narrow (a kink
nearer than any step, an edge of the domain) are looked at alone, closely, by whoever is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = Any
Function = Callable[..., Any]

OFFSETS = np.array([1.0, 2.0, 4.0, -1.0, -2.0, -4.0])

WEIGHTS = np.zeros((4, 6))
"""From central differences and from second differences over h, 2h, 4h: what `_central` reads off."""
WEIGHTS[:2, :3] = np.array([[64.0, -20.0, 1.0], [120.0, -150.0, 30.0]]) / 45
WEIGHTS[2:, 3:] = np.array([[16.0, -10.0, 1.0], [7.0, 0.0, 0.0]]) / 7
# The slope to sixth order; twice the distance of two estimates of fourth order;
# the gap between the one-sided slopes; h times the curvature.

EPS = 2.0**-52
ACCURACY = 8
"""Units of rounding granted to one application of an op."""

SETTLED = 2.0**-20
"""A bar below this part of the slope needs no other steps."""

NATURAL = 2.0**40
"""Rounding of differences with the usual step, as a part of the slope that the values suggest."""

FIRST = 2.0**-9

FAMILIES: tuple[Callable[[Array], Any], ...] = (
    lambda x: np.abs(x) * 2.0**-9,
    lambda _: 2.0**-17,
    lambda x: np.maximum(np.abs(x), 1.0) * 2.0**-26,
    lambda x: np.abs(x) * 2.0**-22,
)
"""Steps after the first, which is absolute: relative, for small and huge operands; ever smaller,
beside kinks and poles."""


Inside = Callable[[list[Array]], Array]
"""Operands → the size of the numbers that an op rounds inside."""


class Slopes(NamedTuple):
    """Slopes of an op with respect to one operand, at every element of its result.

    Attributes:
        value: the slope; the mean of both sides at a kink.
        bar: bound on its error; infinite where nothing is known.
        noise: the part of `bar` that float64 rounding alone accounts for.
        gap: half the distance of the one-sided slopes; None where there is no kink anywhere.
    """

    value: Array
    bar: Array
    noise: Array
    gap: Array | None = None


KNOWN = 1e-8
"""A bar below this part of the largest slope of a gate is no kink's: it is a saturated element's."""


class Close(NamedTuple):
    """What a close look at one element found; `slope` is infinite where the op is steeper than that."""

    slope: float
    bar: float
    gap: float = 0.0


Closer = Callable[[tuple[float, ...], int], Close | None]
"""(the operands of one element, which one moves) → what there is; None if it is one too many."""


def slopes(
    function: Function, operands: Sequence[Array], out: Array, k: int, alive: Array, close: Closer, inside: Inside
) -> Slopes:
    """Return the slopes of `function` with respect to operand `k`.

    Args:
        function: the op, over arrays.
        operands: its operands, broadcastable to the shape of the result.
        out: the result.
        k: which operand moves.
        alive: the upstream gradient; where it is zero the slope does not matter.
        close: looks at one element.
        inside: how large the numbers are whose rounding the op passes on, beside its own value.
    """
    shape = np.shape(alive)
    full = list(operands)
    if np.shape(full[k]) != shape:
        full[k] = np.broadcast_to(full[k], shape)
    found = _central(function, full, k, FIRST, out)
    # `not <=`, so that NaN counts as open
    pending = ~(found.bar <= SETTLED * np.abs(found.value))
    if not pending.any():
        return found
    pending &= (alive != 0) & (found.bar != 0)
    if pending.any():
        found = _settle(function, full, k, found, pending, close, inside)
    bad = ~np.isfinite(found.value + found.bar)
    if bad.any():
        dead = bad & (alive == 0)
        bar = np.where(dead, 0.0, np.where(bad, np.inf, found.bar))
        noise = np.where(bad, 0.0, found.noise)
        found = found._replace(value=np.where(bad, 0.0, found.value), bar=bar, noise=noise)
    return found


def _settle(
    function: Function, full: list[Array], k: int, found: Slopes, pending: Array, close: Closer, inside: Inside
) -> Slopes:
    """Try the other steps where the bar is not narrow, and look closely where none of them helps."""
    where = np.nonzero(pending.ravel())[0]
    shape = pending.shape
    small = [x if x.ndim == 0 else np.broadcast_to(x, shape).ravel()[where] for x in full]
    small[k] = np.broadcast_to(full[k], shape).ravel()[where]
    best = Slopes(found.value.ravel()[where], found.bar.ravel()[where], found.noise.ravel()[where])
    best = _rounded(best, small, k, FIRST, inside)
    todo = np.arange(len(where))
    for family in FAMILIES:
        some = [x if x.ndim == 0 else x[todo] for x in small]
        h = family(some[k])
        tried = _rounded(_central(function, some, k, h, function(*some)), some, k, h, inside)
        better = (tried.bar < best.bar[todo]) | np.isnan(best.bar[todo])
        for part, new in zip(best[:3], tried[:3], strict=True):
            part[todo[better]] = new[better]
        todo = todo[~(best.bar[todo] <= SETTLED * np.abs(best.value[todo]))]
        if not len(todo):
            break
    gap = np.zeros(len(where))
    if len(todo):
        known = KNOWN * float(np.max(np.abs(found.value), initial=0.0, where=np.isfinite(found.value)))
        operands = [x if x.ndim == 0 else x[todo] for x in small]
        gap[todo] = _closely(best, todo, operands, lambda row: close(row, k), known)
    parts = [part.ravel().copy() for part in found[:3]]
    for part, new in zip(parts, best[:3], strict=True):
        part[where] = new
    whole = None
    if gap.any():
        whole = np.zeros(pending.size)
        whole[where] = gap
        whole = whole.reshape(shape)
    value, bar, noise = (part.reshape(shape) for part in parts)
    return Slopes(value, bar, noise, whole)


def _closely(
    best: Slopes, todo: Array, operands: list[Array], close: Callable[[tuple[float, ...]], Close | None], known: float
) -> Array:
    """Ask `close` about each of the elements `todo`, equal operands once; return half the gaps found at kinks.

    Where there are too many, a bar stands that is mere rounding, or far below the slopes around it; any
    other may hide a kink and is infinite.
    """
    seen: dict[tuple[float, ...], Close | None] = {}
    gaps = np.zeros(len(todo))
    columns = [np.broadcast_to(x, todo.shape).tolist() for x in operands]
    for place, (element, *row) in enumerate(zip(todo.tolist(), *columns, strict=True)):
        key = tuple(row)
        if key not in seen:
            seen[key] = close(key)
        answer = seen[key]
        if answer is None:
            if not best.bar[element] <= max(4 * best.noise[element], known):
                best.bar[element] = np.inf
            continue
        best.value[element], gaps[place] = answer.slope, answer.gap
        best.bar[element] = max(answer.bar, ACCURACY * EPS * abs(answer.slope))
        best.noise[element] = answer.bar if np.isfinite(answer.bar) else 0.0
    return gaps


def _rounded(found: Slopes, operands: list[Array], k: int, h: Array, inside: Inside) -> Slopes:
    """Add what is rounded inside the op. With small steps it may be the same everywhere, and not show."""
    moved = [x + 4 * h if j == k else x for j, x in enumerate(operands)]
    noise = ACCURACY * EPS * np.fmax(inside(operands), inside(moved)) / h
    return found._replace(bar=found.bar + noise, noise=found.noise + noise)


def _central(function: Function, operands: list[Array], k: int, h: Any, out: Array) -> Slopes:
    """Return central differences of sixth order with steps h, 2h, 4h around operand `k`."""
    x = operands[k]
    steps = h * OFFSETS.reshape(-1, *[1] * x.ndim)
    points = x + steps
    moved: list[Any] = list(operands)
    moved[k] = points
    f = np.asarray(function(*moved))
    if f.shape != points.shape:
        f = np.broadcast_to(f, points.shape)
    parts = np.empty_like(points)
    np.subtract(f[:3], f[3:], out=parts[:3])
    parts[:3] /= points[:3] - points[3:]
    np.add(f[:3], f[3:], out=parts[3:])
    parts[3:] -= 2 * out
    parts[3:] /= steps[:3]
    value, distance, gap, bend = (WEIGHTS @ parts.reshape(6, -1)).reshape(4, *x.shape)
    noise = (np.abs(f).max(axis=0) + np.abs(bend * x)) * (ACCURACY * EPS / h)
    return Slopes(value, np.abs(distance) + np.abs(gap) + noise, noise)
