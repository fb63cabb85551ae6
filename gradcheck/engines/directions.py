"""The whole function along lines through the point: what no look at single gates can replace.

Along a line the function is one of a single number, so six values give its slope, its one-sided
slopes and their bars. A random direction moves every number at once: one wrong gradient among
millions shows. Where the steps cross kinks the bars are wide, and smaller steps are tried; if none
is narrow the direction says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.engines.flows import Array
from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import Graph

STEPS = (2.0**-8, 2.0**-14, 2.0**-20, 2.0**-26)
"""Steps along a direction, whose numbers have the size of the tensor they move."""

GLANCE, SHARP = 2.0**-18, 2.0**-14
"""The step of a first look, and the bar that makes it the last, as a part of what there is to see."""

EPS = 2.0**-52

OFFSETS = (1, 2, 4, -1, -2, -4)

CLEAR = 2.0**-20
"""A bar below this part of what the direction could show needs no smaller steps."""

ENOUGH = 2.0**-10
"""A bar below this part of what the direction could show says something."""

ACCURACY = 8
"""How often the rounding of each value is granted."""

Direction = Mapping[int, Array]
"""Input node → by how much it moves; all others stay."""


class Along(NamedTuple):
    """The function's slope along a line.

    Attributes:
        value, bar: the slope, if it is smooth, and the bound on its error.
        left, right, sides_bar: the one-sided slopes; NaN where the function is not defined.
        noise: the part of the bar that is rounding.
        infinite: whether the slope grows without bound as the step shrinks.
        jumps: whether the value itself jumps; the one-sided slopes are then those beyond the jump.
    """

    value: float
    bar: float
    left: float
    right: float
    sides_bar: float
    noise: float = 0.0
    infinite: bool = False
    jumps: bool = False


class Line:
    """The function along any line through one point.

    Args:
        graph: the graph; the function is the sum of its output's elements.
        values: the float64 array of each node.
        depends: which nodes have to be computed again.
        rounding_floor: what rounding may do to the function's value.
    """

    def __init__(self, graph: Graph, values: Values, depends: Sequence[bool], rounding_floor: float = 0.0) -> None:
        self.graph = graph
        self.values = values
        self.rounding_floor = rounding_floor
        self.gates = [
            (node, FLOAT_ARRAYS.function(graph.ops[node], graph.params.get(node, ())), graph.operands(node))
            for node in graph.gates
            if depends[node] and node <= graph.output
        ]

    @property
    def size(self) -> float:
        """The size of the numbers that the function's value is made of."""
        return self.rounding_floor / EPS

    def at(self, direction: Direction, step: float) -> float:
        """Return by how much the function changes `step` times along the direction."""
        values = list(self.values)
        for node, move in direction.items():
            values[node] = values[node] + step * move
        for node, function, operands in self.gates:
            values[node] = function(*[values[k] for k in operands])
        output = self.graph.output
        return float(np.sum(values[output] - self.values[output]))

    def along(self, direction: Direction, size: float, expected: float = math.nan) -> Along:
        """Return the slope along a direction.

        Args:
            direction: the direction.
            size: a slope worth seeing.
            expected: where a narrow bar holds this slope at once, no more steps are tried.
        """
        if (glance := self._glance(direction)).bar <= SHARP * size and abs(glance.value - expected) <= glance.bar:
            return glance
        seen: list[Along] = []
        steep: list[tuple[float, float]] = []
        beyond: list[Along] = []
        for h in STEPS:
            changes = [self.at(direction, h * k) for k in OFFSETS]
            noise = ACCURACY * (self.rounding_floor + EPS * float(np.nanmax(np.abs([*changes, 0.0])))) / h
            found = _slopes(changes, h, noise)
            seen.append(found)
            if found.bar <= CLEAR * size and abs(found.value - expected) <= found.bar + CLEAR * size:
                return found
            steep.append((float(np.fmax(abs(changes[0]), abs(changes[3]))) / h, noise))
            beyond.append(_beyond_jump(changes, h, noise))
        best = _trusted(seen, ENOUGH * size)
        if not _jumping(steep):
            return best._replace(infinite=_growing(steep))
        near, nearer = beyond[1], beyond[2]
        unsure = abs(near.left - nearer.left) + abs(near.right - nearer.right) + near.sides_bar
        return near._replace(sides_bar=_or_infinite(unsure), jumps=True)

    def _glance(self, direction: Direction) -> Along:
        """Return the slope from one step to either side: a curvature, or a kink, shows in their sum."""
        ahead, behind = self.at(direction, GLANCE), self.at(direction, -GLANCE)
        noise = ACCURACY * (self.rounding_floor + EPS * max(abs(ahead), abs(behind))) / GLANCE
        bar = abs(ahead + behind) / GLANCE + noise
        return Along((ahead - behind) / (2 * GLANCE), _or_infinite(bar), math.nan, math.nan, math.inf, noise)


def _trusted(seen: list[Along], enough: float) -> Along:
    """Return the narrowest of the slopes seen with steps that are smaller than anything the function does.

    Where a smaller step shows more than rounding can account for, a larger one sees only an average.
    """
    nothing = smooth = sides = Along(math.nan, math.inf, math.nan, math.nan, math.inf)
    for part in ("bar", "sides_bar"):
        best = nothing
        for found in reversed(seen):
            bar = getattr(found, part)
            if not all(gap <= bar + getattr(best, part) for gap in _apart(found, best, part)):
                break
            if bar < getattr(best, part):
                best = found
            if not bar <= max(enough, 16 * found.noise):
                break
        smooth, sides = (best, sides) if part == "bar" else (smooth, best)
    return Along(smooth.value, smooth.bar, sides.left, sides.right, sides.sides_bar, smooth.noise)


def _apart(a: Along, b: Along, part: str) -> tuple[float, ...]:
    """Return how far two estimates are apart; zero for one that is not there."""
    gaps = (a.value - b.value,) if part == "bar" else (a.left - b.left, a.right - b.right)
    return tuple(0.0 if math.isnan(gap) else abs(gap) for gap in gaps)


def _slopes(changes: list[float], h: float, noise: float) -> Along:
    """Return what six changes of the function say about its slope."""
    ahead = [f / (k * h) for f, k in zip(changes[:3], OFFSETS[:3], strict=True)]
    behind = [f / (k * h) for f, k in zip(changes[3:], OFFSETS[3:], strict=True)]
    middle = [(a + b) / 2 for a, b in zip(ahead, behind, strict=True)]
    value = (64 * middle[0] - 20 * middle[1] + middle[2]) / 45
    distance = (4 * middle[0] - 5 * middle[1] + middle[2]) / 3
    gaps = [a - b for a, b in zip(ahead, behind, strict=True)]
    gap = (16 * gaps[0] - 10 * gaps[1] + gaps[2]) / 7
    right, left = (8 * s[0] / 3 - 2 * s[1] + s[2] / 3 for s in (ahead, behind))
    unsure = abs(right - (2 * ahead[0] - ahead[1])) + abs(left - (2 * behind[0] - behind[1]))
    bar = abs(distance) + abs(gap) + noise
    sides_bar = unsure + 4 * noise
    return Along(value, _or_infinite(bar), left, right, _or_infinite(sides_bar), noise)


def _or_infinite(bar: float) -> float:
    return math.inf if math.isnan(bar) else bar


def _beyond_jump(changes: list[float], h: float, noise: float) -> Along:
    """Return the one-sided slopes from the values beside the point, without its own."""
    right = 2 * (changes[1] - changes[0]) / h - (changes[2] - changes[1]) / (2 * h)
    left = 2 * (changes[3] - changes[4]) / h - (changes[4] - changes[5]) / (2 * h)
    return Along(math.nan, math.inf, left, right, 10 * noise, noise)


def _jumping(steep: list[tuple[float, float]]) -> bool:
    """Whether the value changes by as much in a small step as in a large one."""
    (near, noise), (nearer, _) = steep[-2:]
    ratio = STEPS[-2] / STEPS[-1]
    return math.isfinite(nearer) and near > 100 * noise and 0.99 * ratio * near < nearer < 1.01 * ratio * near


def _growing(steep: list[tuple[float, float]]) -> bool:
    """Whether secants grow like a root's: by much, each time, and beyond any rounding."""
    return all(math.isfinite(b[0]) and 1.5 * a[0] < b[0] < 40 * a[0] and b[0] > 10 * b[1] for a, b in pairwise(steep))


def rounding_of(values: Values, gradients: Mapping[int, Array]) -> float:
    """Return what rounding each node's value may do to the function: at most eps |gradient value|, added up."""
    total = 0.0
    for node, g in gradients.items():
        terms = np.abs(g * values[node])
        whole = float(np.add.reduce(terms, axis=None))
        total += whole if math.isfinite(whole) else float(terms[np.isfinite(terms)].sum())
    return EPS * total


def scale_of(x: Any) -> float:
    """Return the size of a tensor's numbers: how far they are spread, or how large they are, or one."""
    flat = np.ravel(x)
    if not flat.size:
        return 1.0
    mean, square = float(flat.sum()) / flat.size, float(np.dot(flat, flat)) / flat.size
    spread = square - mean * mean
    if spread > CLEAR * square and math.isfinite(square):
        return math.sqrt(spread)
    top = float(np.max(np.abs(flat)))
    return (float(np.std(flat / top)) * top or top) if top else 1.0


def random_direction(inputs: Mapping[int, Array], seed: int) -> dict[int, Array]:
    """Return a direction along which every number of the inputs moves by its tensor's size, up or down."""
    random = np.random.default_rng([seed, 0xD1EC])
    found = {}
    for node, x in inputs.items():
        scale = scale_of(x)
        signs = random.integers(0, 2, np.shape(x), dtype=np.int8)
        found[node] = np.where(signs, scale, -scale)
    return found
