"""Slopes from function values alone, each with an error bar.

The function is evaluated in numbers of a hundred digits and more, so the step can be so small
(1e-25 of the input) that truncation and rounding both vanish: there is no step to tune and no
noise to tolerate. A place that does not look plainly smooth is looked at again with 1e-120.
The slopes from the left and from the right are kept apart, because at a kink they are the
answer and their mean is not.

The bar is twice the largest distance between four estimates of the slope (from the left, from
the right, of second and of fourth order) plus the rounding that the number of digits allows;
the reported float64 adds its own rounding.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from gradcheck.arithmetic.numbers import is_finite, to_float
from gradcheck.arithmetic.system import System
from gradcheck.graph.evaluation import Values, recompute
from gradcheck.graph.graph import Graph, downstream

SMOOTH, KINK, JUMP, EDGE, INFINITE, UNDEFINED, UNSETTLED = (
    "smooth", "kink", "jump", "edge", "infinite", "undefined", "unsettled",
)  # fmt: skip

GUARD = 15
"""Digits left for rounding inside the function, beyond the range of its own values."""

CLEAR = 10**20
"""A slope whose bar is one part in so many is plainly smooth."""

FLAT = 150
"""Decimal places, beside the function's own size, at which four slopes of about zero are zero."""


class Slope(NamedTuple):
    """What finite differences say about one input number.

    Attributes:
        kind: smooth, or what kind of place this is: a kink (two slopes), a jump of the value,
            an edge of the domain (slope from one side only), infinite, undefined on both
            sides, or unsettled (no limit seen).
        value: the slope, in high precision; at a kink or jump the mean of both sides.
        bar: bound on the error of `value`; at a kink half the gap between the sides.
        left, right: the slopes from either side; None where the function is not defined.
        exercised: whether the function's value changed at all.
    """

    kind: str
    value: Any
    bar: Any
    left: Any
    right: Any
    exercised: bool


class Differences:
    """Finite differences of one graph of single numbers at one point, with one size of step.

    Args:
        graph: the graph.
        system: the number system of `values`.
        values: the value of each node; of `live` nodes only, if that is given.
        digits: the digits of the number system.
        power: the step is the input times 10 to minus this.
        live: the nodes that the output depends on here; None for all.
        fine: whether steps must also be small beside 1, for ops that jump at every whole number.
    """

    def __init__(
        self,
        graph: Graph,
        system: System,
        values: Values,
        *,
        digits: int,
        power: int,
        live: AbstractSet[int] | None,
        fine: bool = False,
    ) -> None:
        self.graph = graph
        self.system = system
        self.values = values
        self.power = power
        self.live = live
        self.fine = fine
        self.users: tuple[array[int], array[int]] = graph.users()
        with system.active():
            known = values if live is None else [values[k] for k in live]
            self.largest = max((abs(v) for v in known if is_finite(v)), default=system.literal("1"))
            self.last_digits = system.literal(f"1e-{digits - GUARD}")
            self.rounding_floor = self.largest * self.last_digits

    def cone(self, node: int, limit: int) -> list[int] | None:
        """Return the gates to recompute when `node` changes; None if there are more than `limit`."""
        cone = downstream(self.graph, node, self.users, limit)
        return cone if cone is None or self.live is None else [k for k in cone if k in self.live]

    def at(self, node: int, cone: list[int], moves: list[Any]) -> list[Any]:
        """Return the output's value with `node` moved by each of `moves`."""
        values, output = self.values, self.graph.output
        base, kept = values[node], [values[k] for k in cone]
        found = []
        for move in moves:
            values[node] = base + move
            recompute(self.graph, self.system, values, cone)
            found.append(values[output])
        values[node] = base
        for k, value in zip(cone, kept, strict=True):
            values[k] = value
        return found

    def scale(self, node: int) -> Any:
        """Return the size of the input, in which steps are measured."""
        x = self.values[node]
        return abs(x) if x != 0 else x + 1

    def step(self, node: int) -> Any:
        """Return the step for the input `node`; a fine step is never more than it would be at 1."""
        scale = self.scale(node)
        if self.fine and scale > 1:
            scale = scale / scale
        return scale * self.system.literal(f"1e-{self.power}")

    def stencil(self, node: int, cone: list[int]) -> list[Any]:
        """Return the output's value two steps and one step back, one and two steps ahead."""
        h = self.step(node)
        return self.at(node, cone, [-2 * h, -h, h, 2 * h])

    def still(self, stencil: list[Any]) -> bool:
        """Whether no step of the stencil changed the value, the rounding of its last digits aside."""
        f0 = self.values[self.graph.output]
        return all(f == f0 or (is_finite(f) and abs(f - f0) <= abs(f0) * self.last_digits) for f in stencil)

    def slope(self, node: int, stencil: list[Any], flat: bool = False) -> Slope:
        """Return the slope along `node`; with `flat`, four slopes of almost zero are zero."""
        f0, h = self.values[self.graph.output], self.step(node)
        back2, back, ahead, ahead2 = stencil
        noise = self.rounding_floor / h
        right = (-3 * f0 + 4 * ahead - ahead2) / (2 * h) if is_finite(ahead) and is_finite(ahead2) else None
        left = (3 * f0 - 4 * back + back2) / (2 * h) if is_finite(back) and is_finite(back2) else None
        if left is None or right is None:
            side = left if left is not None else right
            return Slope(UNDEFINED if side is None else EDGE, side, noise, left, right, True)
        second = (ahead - back) / (2 * h)
        value = (8 * (ahead - back) - (ahead2 - back2)) / (12 * h)
        bar = 2 * max(abs(value - other) for other in (second, left, right)) + noise
        smooth = value != 0 and bar * CLEAR <= abs(value)
        if flat and not smooth:
            size = max(abs(value), abs(left), abs(right)) + bar
            smooth = size <= self.largest / self.scale(node) * self.system.literal(f"1e-{FLAT}") + 4 * noise
        return Slope(SMOOTH if smooth else UNSETTLED, value, bar, left, right, True)

    def reacts(self, node: int, cone: list[int]) -> bool:
        """Return whether a visible step changes the value, however flat the function is here."""
        f0 = self.values[self.graph.output]
        small = self.system.literal("1e-8")
        steps = [self.scale(node) * small, max(self.scale(node), small / small) * small]
        found = self.at(node, cone, [sign * step for step in steps for sign in (-1, 1)])
        return any(is_finite(f) and abs(f - f0) > self.rounding_floor for f in found)


def settle(coarse: Differences, fine: Differences, node: int, cone: list[int], rough: list[Any]) -> Slope:
    """Say what kind of place this is, from how the slopes change when the step shrinks.

    `rough` is the coarse stencil.
    """
    first = coarse.slope(node, rough)
    stencil = fine.stencil(node, cone)
    second = fine.slope(node, stencil, flat=True)
    if second.kind == SMOOTH:
        moved = not fine.still(stencil) or fine.reacts(node, cone)
        return second._replace(exercised=moved)
    if second.kind == UNDEFINED:
        return second
    sides: list[Any] = []
    jumps = False
    f0 = fine.values[fine.graph.output]
    beyond = (stencil[1], stencil[0], -1), (stencil[2], stencil[3], 1)
    slopes = (first.left, second.left), (first.right, second.right)
    for (near, further, sign), (dull, sharp) in zip(beyond, slopes, strict=True):
        side = sharp
        if dull is not None and sharp is not None and not _close(dull, sharp):
            # Beside a jump the value is the same one step away and two; a root or a pole is not.
            if 1000 * abs(further - near) < abs(near - f0):
                jumps, side = True, sign * (further - near) / fine.step(node)
            elif abs(to_float(sharp)) < 1e-3 * abs(to_float(dull)):
                side = sharp - sharp
            else:
                kind = INFINITE if abs(to_float(sharp)) > 1.1 * abs(to_float(dull)) else UNSETTLED
                return second._replace(kind=kind)
        sides.append(side)
    left, right = sides
    if left is None or right is None:
        return Slope(EDGE, left if right is None else right, second.bar, left, right, True)
    gap = abs(right - left) / 2
    kind = JUMP if jumps else SMOOTH if gap * CLEAR <= max(abs(left), abs(right)) else KINK
    return Slope(kind, (left + right) / 2, gap, left, right, True)


def _close(dull: Any, sharp: Any) -> bool:
    a, b = to_float(dull), to_float(sharp)
    return math.isfinite(b) and abs(a - b) <= 1e-10 * abs(b)
