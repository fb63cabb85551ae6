"""A claimed gradient at a kink as a whole: whether it is a generalized gradient, some number of it or all.

Each number may lie between its one-sided slopes and all of them together be wrong: at x = y no subgradient of
max(x, y) is (1, 1). The generalized gradient is the hull of the gradients of the pieces that meet here (Clarke 1983,
Optimization and nonsmooth analysis, theorem 2.5.1). The pieces are found by stepping off the kink along directions,
where there is a gradient: single inputs, pairs, random ones, and last the direction that would tell the claim from
the hull so far. What is not claimed is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from gradcheck.arithmetic.balls import to_float
from gradcheck.checking.exact import Exact

Array = Any

MOST = 64
"""Claimed numbers at a kink beyond which they are judged one by one only."""

WORK = 3_000_000
"""Gates to be computed, in all, beyond which the search ends."""

PASSES = 6
"""Evaluations of the graph that one gradient amounts to."""

PAIRS, RANDOM, ROUNDS = 40, 24, 40
"""Directions of two inputs, random ones, and turns of the search."""

STEP = 100
"""Binary digits by which a step off the kink is smaller than the inputs: nothing else lies so near."""

ASIDE = 1e-6
"""By how much a direction is turned aside, so that it lies inside of one piece."""

CLOSE = 1e-9
"""Distances below this part of the slopes are none."""


class Whole(NamedTuple):
    """Claimed numbers that belong together.

    Attributes:
        names: what the numbers are called.
        nodes: their nodes, inputs of the graph.
        claimed: the numbers.
        granted: the error that is granted to each.
    """

    names: Sequence[str]
    nodes: Sequence[int]
    claimed: Sequence[float]
    granted: Sequence[float]


def no_subgradient(exact: Exact, digits: int, whole: Whole, seed: int) -> str | None:
    """Return how it shows that claims are no generalized gradient together; None if they may be one."""
    if not 1 < len(whole.nodes) <= MOST:
        return None
    search = _Search(exact, digits, whole, seed)
    outward = search.outward()
    return None if outward is None else search.told(outward)


class _Search:
    def __init__(self, exact: Exact, digits: int, whole: Whole, seed: int) -> None:
        self.exact, self.digits, self.whole = exact, digits, whole
        self.random = np.random.default_rng([seed, len(whole.nodes)])
        self.inputs = list(exact.graph.inputs.items())
        places = {node: k for k, (_, node) in enumerate(self.inputs)}
        self.places = [places[node] for node in whole.nodes]
        self.claimed = np.array(whole.claimed)
        self.granted = np.array(whole.granted)
        self.left = int(WORK / (PASSES * (len(exact.graph) + 1)))
        self.pieces: list[Array] = []

    @property
    def slack(self) -> float:
        """The size below which slopes are alike."""
        return CLOSE * float(max(np.abs(self.claimed).max(), *(np.abs(p).max() for p in self.pieces)))

    def look(self, direction: Array) -> Array | None:
        """Step off the kink in a direction of all inputs, and keep the claimed part of the gradient there."""
        if self.left <= 0:
            return None
        self.left -= 1
        moves = {name: float(d) for (name, _), d in zip(self.inputs, direction, strict=True)}
        level = self.exact.moved(self.digits, moves, STEP)
        with level.active():
            slopes = level.chained
            found = [slopes[node] for node in self.whole.nodes]
            if not all(x is None or (x.is_finite() and float(x.rad()) < 1e-20) for x in found):
                return None
            piece = np.array([0.0 if x is None else to_float(x) for x in found])
        self.pieces.append(piece)
        return piece

    def along(self, part: Array, others: float = ASIDE) -> Array | None:
        """Look in a direction of the claimed inputs, turned a little aside."""
        direction = self.random.standard_normal(len(self.inputs)) * others
        direction[self.places] = part + ASIDE * self.random.standard_normal(len(part))
        return self.look(direction)

    def simple(self) -> Iterator[Array]:
        """Yield directions that a reader understands at once: one input, all, and two of them."""
        n = len(self.places)
        unit = np.eye(n)
        yield np.ones(n)
        yield -np.ones(n)
        for k in range(n):
            yield unit[k]
            yield -unit[k]
        for j, k in list(combinations(range(n), 2))[:PAIRS]:
            for sign in (1, -1):
                yield unit[j] + sign * unit[k]
                yield -unit[j] - sign * unit[k]

    def outward(self) -> Array | None:
        """Return a direction in which the claims lie outside of all pieces; None if none is found."""
        for part in self.simple():
            self.along(part)
        for _ in range(RANDOM):
            self.along(self.random.standard_normal(len(self.places)), 1.0)
        for _ in range(ROUNDS):
            if not self.pieces:
                return None
            pieces = np.array(self.pieces)
            gap = self.claimed - nearest(pieces, self.claimed)
            distance = float(np.linalg.norm(gap))
            if distance <= self.slack + float(np.linalg.norm(self.granted)):
                return None
            part = gap / distance
            if not self.reached(part):
                return part if self.left > 0 else None
        return None

    def reached(self, part: Array) -> bool:
        """Look for a piece that reaches as far as the claims do in a direction."""
        before = len(self.pieces)
        wanted = float(self.claimed @ part) - self.slack

        def enough(piece: Array | None) -> bool:
            return piece is not None and float(piece @ part) >= wanted

        if enough(self.along(part)) or enough(self.along(-part)):
            return True
        flips = [part * np.where(np.arange(len(part)) == k, -1, 1) for k in range(min(len(part), 16))]
        around = [part + self.random.standard_normal(len(part)) / len(part) ** 0.5 for _ in range(RANDOM)]
        if any(enough(self.along(one, 1.0)) for one in (*flips, *around)):
            return True
        # A piece that is new and nearer may lead on.
        return any(float(piece @ part) > float(np.max(np.array(self.pieces[:before]) @ part)) + self.slack
                   for piece in self.pieces[before:])  # fmt: skip

    def told(self, outward: Array) -> str:
        """Say along which direction it shows: a simple one if there is any."""
        pieces = np.array(self.pieces)
        for part in (*self.simple(), outward):
            along, claim = pieces @ part, float(self.claimed @ part)
            if claim > float(along.max()) + self.slack + float(self.granted @ np.abs(part)):
                break
        names = [name for name, x in zip(self.whole.names, part, strict=True) if abs(x) > CLOSE]
        numbers = ", ".join(f"{x:.4g}" for x in part if abs(x) > CLOSE)
        low, high = float(along.min()) + 0.0, float(along.max()) + 0.0
        slopes = f"the slope is {high:.6g}" if high - low <= self.slack else f"slopes go from {low:.6g} to {high:.6g}"
        shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        numbers = numbers if len(names) <= 6 else f"{numbers[:40]}…"
        return (
            f"the claims together are no subgradient: along the direction ({numbers}) of {shown} {slopes}, "
            f"the claims add up to {claim:.6g}"
        )


def nearest(points: Array, target: Array) -> Array:
    """Return the point of the convex hull of some points that is nearest to the target.

    Non-negative least squares, by active sets (Lawson and Hanson 1974, chapter 23), with a row that makes the
    weights add up to one.
    """
    weight = 1e4 * float(max(np.abs(points).max(), np.abs(target).max(), 1e-300))
    matrix = np.vstack([points.T, np.full(len(points), weight)])
    right = np.append(target, weight)
    weights = np.zeros(len(points))
    used = np.zeros(len(points), dtype=bool)
    for _ in range(3 * len(points)):
        gradient = matrix.T @ (right - matrix @ weights)
        gradient[used] = -np.inf
        best = int(np.argmax(gradient))
        if not gradient[best] > 1e-12 * weight * weight:
            break
        used[best] = True
        while used.any():
            found = np.zeros(len(points))
            found[used] = np.linalg.lstsq(matrix[:, used], right, rcond=None)[0]
            if (found[used] > 0).all():
                weights = found
                break
            falling = used & (found <= 0)
            share = weights[falling] / (weights[falling] - found[falling])
            weights = weights + float(np.min(share, initial=1.0)) * (found - weights)
            weights[weights <= 1e-15] = 0.0
            used &= weights > 0
    total = float(weights.sum())
    result: Array = (weights / total) @ points if total else points[0]
    return result
