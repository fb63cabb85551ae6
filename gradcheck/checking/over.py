"""Proved everywhere: a gradient that is graded meets the derivative on a whole box, or a counterexample is found.

The box is halved until in each part the difference of the two is certainly small beside the derivative there, or a
float64 point is met where it is certainly not. Parts around a kink, an edge of the domain or a pole, where there is
no Taylor series however small they are, are cut out and named. Nothing depends on a clock: what is left when the
work is spent is named too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gradcheck.arithmetic import balls
from gradcheck.arithmetic.arb import arb
from gradcheck.arithmetic.balls import above, below
from gradcheck.checking import judge
from gradcheck.checking.gap import DIGITS, Gap
from gradcheck.checking.proof import Box, Counterexample, Cut, Finding
from gradcheck.engines.enclosure import middle, nodes, planned

TOLERANCE = 1e-9
"""The bound to prove, as a part of the largest derivative met in a part of the box."""

FLOOR = 1e-18
"""The same as a part of the largest derivative met anywhere: enough where it is as good as zero."""

LEAST = 1e-30
"""The bound to prove where no derivative can be told from zero at all."""

WORK = 1_000_000
"""Gates that may be computed: some five seconds."""

CALL, SERIES = 10, 6
"""What it takes to compute a graph at all, in gates; and a series over a box, in points."""

HALVINGS = (30, 6, 4)
"""How often each side of a box in one, two, or three variables is halved before a part of it is cut out."""

MOST_CUT = 0.2
"""The share of a box that may be cut out: kinks are thin, and what is merely hard to bound is not."""

PROBES = (0.5, 0.125, 0.875)
"""Where a part is looked at first, between its two ends."""

SIGNIFICANT = 3 / 8
"""Where a side is held when it is asked along which axis a kink lies: not in the middle, where kinks are."""


class Cell(NamedTuple):
    """A part of the box, and how often each of its sides has been halved."""

    box: Box
    halved: tuple[int, ...]


Outside = Callable[[Box, tuple[float, ...]], bool]
"""(part, its middle) → whether the function is defined nowhere in it; it may raise at points that were asked for."""


def prove(gap: Gap, box: Box, outside: Outside, identical: bool = False) -> Finding:
    """Prove that a difference is small on a box, or find where it is not.

    Args:
        gap: the difference.
        box: the interval of each of its variables.
        outside: tells whether the function is not defined.
        identical: whether the two are known to be one function, so that only being defined is left to prove.
    """
    with balls.precision(DIGITS):
        return _Proof(gap, box, outside, identical).run()


class _Proof:
    def __init__(self, gap: Gap, box: Box, outside: Outside, identical: bool) -> None:
        self.gap = gap
        self.whole = box
        self.outside = outside
        self.identical = identical
        self.left = WORK
        self.cost = len(gap.graph) + CALL
        self.largest = 0.0
        self.bound = self.relative = 0.0
        self.boxes = 0
        self.cut: list[tuple[Box, str]] = []
        self.share = 0.0
        count = len(box)
        self.finest = HALVINGS[min(count, len(HALVINGS)) - 1] if count else 0

    def run(self) -> Finding:
        parts = deque([Cell(self.whole, (0,) * len(self.whole))])
        while parts:
            part = parts.popleft()
            if self.left < 0:
                reason = f"{len(parts) + 1:,} parts were left when {WORK:,} steps were spent"
                return self._finding(judge.INCONCLUSIVE, left=part.box, reason=reason)
            found = self._look(part)
            if isinstance(found, Counterexample):
                return self._finding(judge.DISPROVED, wrong=found)
            if isinstance(found, str):
                return self._finding(judge.INCONCLUSIVE, left=part.box, reason=found)
            parts.extend(found)
        if not self.boxes:
            return self._finding(judge.INCONCLUSIVE, left=self.whole, reason="all of it was cut out")
        if self.share > MOST_CUT:
            reason = f"{self.share:.0%} of it would have to be cut out"
            return self._finding(judge.INCONCLUSIVE, left=hull([box for box, _ in self.cut]), reason=reason)
        return self._finding(judge.PROVED)

    def _finding(self, word: str, **more: Any) -> Finding:
        known = word == judge.PROVED
        bound, relative = (self.bound, self.relative) if known else (None, None)
        cut = merged(self.cut)
        identical = self.identical and known
        boxes = 0 if identical else self.boxes
        return Finding(word, bound, relative, boxes, cut=cut, share=self.share, identical=identical, **more)

    def _look(self, part: Cell) -> Counterexample | str | list[Cell]:
        """Look at a part: a counterexample, why nothing is to be had, or the parts to look at next."""
        box, gap = part.box, self.gap
        self.left -= self.cost
        if self.outside(box, tuple(map(middle, box))):
            return []
        if self.identical:
            if not gap.known(box):
                return self._closer(part)
            self.boxes += 1
            return []
        series = []
        for axis in range(len(box)):
            self.left -= self.cost * SERIES
            coefficients = gap.along(box, axis)
            if not all(c.is_finite() for c in coefficients):
                return self._closer(part)
            series.append(coefficients)
        return self._measured(part, series)

    def _measured(self, part: Cell, series: list[list[Any]]) -> Counterexample | str | list[Cell]:
        """Bound the difference in a part where both are smooth."""
        box, scale = part.box, 0.0
        self.left -= self.cost * len(PROBES)
        for share in PROBES:
            point = tuple(low + share * (high - low) for low, high in box)
            graded, derivative = self.gap.at([arb(x) for x in point])
            scale = max(scale, below(derivative))
            if (wrong := refuted(graded, derivative, scale, point)) is not None:
                return wrong
        self.largest = max(self.largest, scale)
        plan = planned(box, series, self._enough(scale) / 2)
        if isinstance(plan, int):
            return halves(part, plan) or "float64 has no number between its ends"
        size = 0.0
        for node in nodes(box, plan):
            self.left -= self.cost
            graded, derivative = self.gap.at(node)
            difference = graded - derivative
            size, scale = max(size, above(difference)), max(scale, below(derivative))
            point = tuple(float(x) for x in node)
            if refuted(graded, derivative, scale, point) is not None:
                at_float = self.gap.at([arb(x) for x in point])
                if (wrong := refuted(*at_float, scale, point)) is not None:
                    return wrong
        bound = above(arb(plan.lebesgue) * arb(size) + arb(plan.remainder))
        if bound > self._enough(scale):
            return halves(part, widest(part)) or "float64 has no number between its ends"
        self.boxes += 1
        self.bound = max(self.bound, bound)
        if beside := max(scale, self.largest * FLOOR / TOLERANCE):
            self.relative = max(self.relative, bound / beside)
        return []

    def _enough(self, scale: float) -> float:
        """Return the bound to prove in a part with derivatives of such a size."""
        return max(scale * TOLERANCE, self.largest * FLOOR) or LEAST

    def _closer(self, part: Cell) -> str | list[Cell]:
        """Halve a part in which something has no series, across the axis that tells; or cut it out."""
        box = part.box
        axes = [k for k, n in enumerate(part.halved) if box[k][0] < box[k][1]]
        self.left -= self.cost * (len(axes) + 1)
        telling = [axis for axis in axes if self.gap.known(held(box, axis))]
        limit = HALVINGS[0] if len(telling) == 1 else self.finest
        axis = min(telling or axes, key=lambda k: part.halved[k], default=None)
        if axis is None or part.halved[axis] >= limit or not (parts := halves(part, axis)):
            self.cut.append((box, self.gap.unknown(box)))
            self.share += math.ldexp(1.0, -sum(part.halved))
            return []
        return parts


def held(box: Box, axis: int) -> Box:
    """Return a box with one side held at a point."""
    low, high = box[axis]
    at = low + SIGNIFICANT * (high - low)
    return (*box[:axis], (at, at), *box[axis + 1 :])


def widest(part: Cell) -> int:
    """Return the axis along which a part has been halved least."""
    return part.halved.index(min(part.halved))


def halves(part: Cell, axis: int) -> list[Cell]:
    """Return the two halves of a part; none if no float64 lies between its ends."""
    box, halved = part
    low, high = box[axis]
    at = middle(box[axis])
    if not low < at < high:
        return []
    often = (*halved[:axis], halved[axis] + 1, *halved[axis + 1 :])
    return [Cell((*box[:axis], side, *box[axis + 1 :]), often) for side in ((low, at), (at, high))]


def refuted(graded: Any, derivative: Any, scale: float, point: tuple[float, ...]) -> Counterexample | None:
    """Return a counterexample if two balls differ by more than a float64's last digits."""
    if not derivative.is_finite() or not graded.is_finite():
        return None
    if below(graded - derivative) <= judge.LAST_DIGITS * judge.ULP * max(scale, above(derivative)):
        return None
    return Counterexample(point, float(graded), float(derivative))


def merged(cut: Sequence[tuple[Box, str]]) -> list[Cut]:
    """Return what was cut out: neighbours in one variable together, else all with one reason."""
    groups: list[tuple[str, list[Box]]] = []
    for box, reason in sorted(cut):
        apart = len(box) == 1
        known = [boxes for why, boxes in groups if why == reason and (not apart or boxes[-1][0][1] >= box[0][0])]
        if known:
            known[-1].append(box)
        else:
            groups.append((reason, [box]))
    return [Cut(reason, len(boxes), hull(boxes), max(map(narrowest, boxes))) for reason, boxes in groups]


def hull(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around some."""
    sides = zip(*boxes, strict=True)
    return tuple((min(low for low, _ in side), max(high for _, high in side)) for side in map(list, sides))


def narrowest(box: Box) -> float:
    """Return the width of a box along its narrowest side that has any."""
    return min((high - low for low, high in box if high > low), default=0.0)
