"""Slopes from function values alone, each with an error bar.

The function is evaluated in numbers of a hundred digits and more, so the step can be so small
(1e-25 of the input) that truncation and rounding both vanish: there is no step to tune and no
noise to tolerate. The slopes from the left and from the right are kept apart, because at a
kink they are the answer and their mean is not.

The bar is the distance between two stencils of different order plus the rounding that the
number of digits allows; the reported float64 adds its own rounding.
"""

from __future__ import annotations

import math
from array import array
from typing import Any, NamedTuple

from gradcheck.graph import Graph, Values, downstream, recompute
from gradcheck.systems.system import System

SMOOTH, KINK, JUMP, EDGE, INFINITE, UNDEFINED, UNSETTLED = (
    "smooth", "kink", "jump", "edge", "infinite", "undefined", "unsettled",
)  # fmt: skip

STEPS = ((25, 100), (340, 1150))
"""(step as a power of ten, digits). The second only where the first finds something unusual:
its step is smaller than any float64, so that no bend of the function can hide inside."""

GUARD = 15
"""Digits left for rounding inside the function, beyond the range of its own values."""


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
    """Finite differences of one graph of single numbers at one point."""

    def __init__(self, graph: Graph, system: System, values: Values, digits: int, power: int) -> None:
        self.graph = graph
        self.system = system
        self.values = values
        self.digits = digits
        self.power = power
        self.users: tuple[array[int], array[int]] = graph.users()
        self.largest = max((abs(v) for v in values if _finite(v)), default=1)

    def cone(self, node: int, limit: int) -> list[int] | None:
        """Return the gates to recompute when `node` changes; None if there are more than `limit`."""
        return downstream(self.graph, node, self.users, limit)

    def at(self, node: int, cone: list[int], moves: list[Any]) -> list[Any]:
        """Return the output's value with `node` moved by each of `moves`."""
        with self.system.active():
            return self._at(node, cone, moves)

    def _at(self, node: int, cone: list[int], moves: list[Any]) -> list[Any]:
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
        """Return the step for the input `node`."""
        return self.scale(node) * self.system.literal(f"1e-{self.power}")

    def slope(self, node: int, cone: list[int]) -> Slope:
        """Return the slope of the output along `node`."""
        with self.system.active():
            return self._slope(node, cone)

    def _slope(self, node: int, cone: list[int]) -> Slope:
        f0 = self.values[self.graph.output]
        if self.graph.output != node and (not cone or self.graph.output not in cone):
            zero = f0 - f0
            return Slope(SMOOTH, zero, zero, zero, zero, False)
        scale, h = self.scale(node), self.step(node)
        back2, back, ahead, ahead2 = self.at(node, cone, [-2 * h, -h, h, 2 * h])
        noise = self.largest * self.system.literal(f"1e-{self.digits - GUARD}") / h
        right = (-3 * f0 + 4 * ahead - ahead2) / (2 * h) if _finite(ahead) and _finite(ahead2) else None
        left = (3 * f0 - 4 * back + back2) / (2 * h) if _finite(back) and _finite(back2) else None
        if left is None or right is None:
            side = left if left is not None else right
            value = f0 - f0 if side is None else side
            return Slope(UNDEFINED if side is None else EDGE, value, noise, left, right, True)
        second = (ahead - back) / (2 * h)
        fourth = (8 * (ahead - back) - (ahead2 - back2)) / (12 * h)
        truncation = abs(fourth - second)
        bar = truncation + noise
        small = self.system.literal("1e-20") * max(abs(fourth), self.largest / scale)
        if abs(right - left) <= 10 * bar and truncation <= small:
            moved = max(abs(f - f0) for f in (back2, back, ahead, ahead2)) > noise * h
            return Slope(SMOOTH, fourth, bar, left, right, moved or self.reacts(node, cone, f0))
        return Slope(UNSETTLED, fourth, bar, left, right, True)

    def reacts(self, node: int, cone: list[int], f0: Any) -> bool:
        """Return whether a visible step changes the value, however flat the function is here."""
        step = self.scale(node) * self.system.literal("1e-8")
        noise = self.largest * self.system.literal(f"1e-{self.digits - GUARD}")
        return any(_finite(f) and abs(f - f0) > noise for f in self.at(node, cone, [-step, step]))


def settle(coarse: Differences, fine: Differences, node: int, cone: list[int]) -> Slope:
    """Say what kind of place this is, from how the slopes change when the step shrinks."""
    first, second = coarse.slope(node, cone), fine.slope(node, cone)
    if second.kind in (SMOOTH, UNDEFINED):
        return second
    sides: list[Any] = []
    jumps = False
    with fine.system.active():
        for sign, rough, sharp in ((-1, first.left, second.left), (1, first.right, second.right)):
            side = sharp
            if rough is not None and sharp is not None and not _close(rough, sharp):
                beyond = _beyond_jump(coarse, fine, node, cone, sign)
                if beyond is None and abs(_float(sharp)) < 1e-3 * abs(_float(rough)):
                    side = sharp - sharp
                elif beyond is None:
                    kind = INFINITE if abs(_float(sharp)) > 1.1 * abs(_float(rough)) else UNSETTLED
                    return Slope(kind, sharp, second.bar, second.left, second.right, True)
                else:
                    jumps, side = True, beyond
            sides.append(side)
        left, right = sides
        if left is None or right is None:
            side = left if right is None else right
            return Slope(EDGE, side, second.bar, left, right, True)
        gap = abs(right - left) / 2
        smooth = not jumps and gap <= second.bar
        kind = JUMP if jumps else SMOOTH if smooth else KINK
        bar = gap if jumps else gap + second.bar
        return Slope(kind, (left + right) / 2, bar, left, right, True)


def _beyond_jump(coarse: Differences, fine: Differences, node: int, cone: list[int], sign: int) -> Any:
    """Return the slope just beyond a jump of the value on this side, or None if there is no jump."""
    (far,) = coarse.at(node, cone, [sign * coarse.step(node)])
    step = sign * fine.step(node)
    near, further = fine.at(node, cone, [step, 2 * step])
    gap = abs(_float(near - fine.values[fine.graph.output]))
    rough_gap = abs(_float(far) - _float(coarse.values[coarse.graph.output]))
    return (further - near) / step if gap > 0 and 2 * gap > rough_gap else None


def _close(rough: Any, sharp: Any) -> bool:
    a, b = _float(rough), _float(sharp)
    return math.isfinite(b) and abs(a - b) <= 1e-10 * abs(b)


def _float(value: Any) -> float:
    """Convert any number; one beyond float64 becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def _finite(value: Any) -> bool:
    return bool(value - value == 0)
