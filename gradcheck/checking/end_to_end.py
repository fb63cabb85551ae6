"""Numbers and directions end to end: what the gates by themselves cannot tell.

A random direction over all inputs is compared with backprop, and single numbers where the gates
left something open: at kinks, which may cancel, and where no bar was narrow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.checking import judge_arrays
from gradcheck.checking.gate_by_gate import Gates
from gradcheck.checking.judge import DISAGREE, INCONCLUSIVE, KINK, SEVERITY
from gradcheck.checking.judge_arrays import Arrays
from gradcheck.engines.directions import STEPS, Along, Direction, Line, random_direction, scale_of
from gradcheck.engines.flows import Array
from gradcheck.errors import DomainError
from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import Graph
from gradcheck.ops import OPS

MOST_SINGLE = 48
"""Numbers that are moved one by one, of those that are open, and of those at kinks."""

WORK = 20_000_000
"""Values of the whole graph, once each, that such moves may take beyond that; each takes some forty."""

SHRINK = (2.0**-12, 2.0**-22)
"""How much smaller a direction is looked at before it may say that something is wrong."""

MOST_GROUPS = 64
"""Groups of numbers with gradient zero that are moved to see whether the function changes at all."""

WORTH = 2.0**-20
"""A slope of this part of the size of its terms is worth seeing."""

NUDGE = 2.0**-16
"""By which part of their size: enough to see a curvature, not enough to wake what is idle."""


class Directed(NamedTuple):
    """What one direction said.

    Attributes:
        backprop: backprop's gradient times the direction.
        finite_difference, error_bound: the slope along it; NaN where its bar was not narrow.
        word: agree, disagree, or inconclusive where the direction says nothing.
    """

    backprop: float
    finite_difference: float
    error_bound: float
    word: str


class Lines:
    """What is looked at end to end after the gates.

    Attributes:
        directions: the directions tried.
        notes: sentences for the report.
        reasons: input node → flat index → sentence, of numbers looked at here.
        found: what is known of each wanted input: at first what the gates said.
        words: the verdicts on its numbers.
        local: what the gates said of inputs that were then moved number by number.
    """

    def __init__(self, graph: Graph, values: Values, gates: Gates, seed: int) -> None:
        self.graph = graph
        self.gates = gates
        self.seed = seed
        self.line = Line(graph, values, gates.depends, gates.rounding_floor())
        self.values = values
        # What is computed cannot be moved by itself: the gates alone tell of claimed stages.
        self.moving = [node for node in gates.wanted if graph.left[node] < 0]
        self.directions: list[Directed] = []
        self.thorough = False
        # From a step's distance a staircase looks like a slope.
        self.whole = any(gates.depends[node] and OPS[graph.ops[node]].staircase for node in graph.gates)
        self.notes: list[str] = []
        self.reasons: dict[int, dict[int, str]] = {}
        self.local: dict[int, Arrays] = {}
        self.found = dict(gates.found)
        self.words = dict(gates.words)

    def look(self, directions: bool = True) -> None:
        """Look at open numbers, then along random directions; words are changed where more is known."""
        if not self.gates.depends[self.graph.output]:
            return
        self._unmoved()
        self._singles(INCONCLUSIVE)
        self._singles(KINK)
        if self.whole:
            self.notes.append("not looked at along directions: the function jumps at whole numbers")
        elif directions:
            self._everything()

    def _everything(self) -> None:
        """Move all numbers at once; a second time if the first direction says nothing."""
        inputs = {node: self.values[node] for node in self.moving}
        for turn in range(2):
            direction = random_direction(inputs, self.seed + turn)
            found = self._directed(direction)
            if found.word == DISAGREE and self._with_formulas():
                found = self._directed(direction)
            if found.word == DISAGREE:
                found, direction = self._closer(found, direction)
            self.directions.append(found)
            if found.word == DISAGREE:
                self._blame(direction)
            if found.word != INCONCLUSIVE:
                break

    def _closer(self, found: Directed, direction: dict[int, Array]) -> tuple[Directed, dict[int, Array]]:
        """Look again with steps far smaller: what a step skips over is not the slope.

        A direction that disagrees only with large steps says nothing.
        """
        for shrink in SHRINK:
            small = {node: move * shrink for node, move in direction.items()}
            again = self._directed(small)
            if again.word != INCONCLUSIVE:
                return again, small
        return found._replace(word=INCONCLUSIVE), direction

    def _open(self, word: str) -> list[tuple[int, int]]:
        """Return the numbers with this word; those of which nothing is known are inconclusive, whatever they are."""
        place, found = SEVERITY.index(word), []
        for node in self.moving:
            if node in self.gates.clean:
                continue
            open_ = self.words[node].ravel() == place
            if word == INCONCLUSIVE:
                open_ = open_ | ~np.isfinite(self.found[node].allowed).ravel()
            found += [(node, int(k)) for k in np.flatnonzero(open_)]
        return found

    def _singles(self, word: str) -> None:
        """Move numbers whose word is still open, one by one: all of them, or some drawn at random."""
        todo = self._open(word)
        size = sum(np.size(self.values[node]) for node in self.graph.gates) + 1
        most = max(MOST_SINGLE, WORK // size)
        if len(todo) > most:
            random = np.random.default_rng([self.seed, len(todo)])
            todo = [todo[k] for k in sorted(random.choice(len(todo), most, replace=False))]
        for node, k in todo:
            self._single(node, k)

    def _single(self, node: int, k: int) -> None:
        x, graded = self.values[node], float(self.gates.graded(node).flat[k])
        scale = min(abs(float(x.flat[k])) or np.inf, scale_of(x))
        move = np.zeros(x.shape)
        move.flat[k] = scale
        known = float(self.found[node].size.flat[k]) * scale
        # Where nothing is known of the terms, the function's own values tell how large they might be.
        size = known if 0 < known < np.inf else self.line.size
        self._with_formulas()
        seen = self.line.along({node: move}, max(abs(graded) * scale, WORTH * size), graded * scale)
        flat = abs(seen.value) <= seen.bar <= 16 * seen.noise
        if self.whole and not (seen.jumps or flat):
            return
        if self._beyond({node: move}, abs(float(self.found[node].value.flat[k])) * scale):
            return
        if seen.infinite:
            raise self._infinite(node, k)
        if not judge_arrays.tells(seen.bar, seen.sides_bar, abs(graded) * scale, size):
            return
        self._settle(node, k, seen, scale, size)

    def _with_formulas(self) -> bool:
        """Take into account what is rounded inside ops, before anything is called wrong; False if it was."""
        if self.thorough:
            return False
        self.thorough = True
        self.line.rounding_floor = self.gates.rounding_floor(formulas=True)
        return True

    def _settle(self, node: int, k: int, seen: Along, scale: float, size: float) -> None:
        """Put what was seen of one number in the place of what the gates said."""
        found = Arrays(*(np.array(part) for part in self.found[node]))
        if seen.bar <= seen.sides_bar or not np.isfinite(seen.sides_bar):
            parts = (seen.value, seen.bar, max(size, abs(seen.value)), seen.bar, 0.0)
        else:
            gap = abs(seen.right - seen.left) / 2
            parts = ((seen.left + seen.right) / 2, seen.sides_bar, max(size, abs(seen.left), abs(seen.right)), 0.0, gap)
        for array, part in zip(found, parts, strict=True):
            array.flat[k] = part / scale
        self.found[node] = found
        one = Arrays(*(part.flat[k : k + 1] for part in found))
        words = self.words[node].copy()
        graded = self.gates.graded(node).flat[k : k + 1]
        words.flat[k], reason = judge_arrays.judge_again(words.flat[k], graded, one, seen.jumps)
        self.words[node] = words
        if reason is not None:
            self.reasons.setdefault(node, {})[k] = reason

    def _infinite(self, node: int, k: int) -> DomainError:
        name = self.gates.wanted[node]
        index = [int(i) for i in np.unravel_index(k, self.values[node].shape)]
        called = f"{name}{index}" if index else name
        return DomainError(
            f"the slope with respect to `{called}` is infinite here", self.graph.source,
            self.graph.span(self.graph.output), "choose another point, or leave this input out with --wrt",
        )  # fmt: skip

    def _directed(self, direction: Direction) -> Directed:
        """Compare backprop with the function along a direction."""
        expected, size, slack, width = 0.0, 0.0, 0.0, 0.0
        for node, move in direction.items():
            graded, found = self.gates.graded(node), self.found[node]
            reach, terms = np.abs(move), graded * move
            expected += float(terms.sum())
            size += float(np.square(found.value * move).sum())
            open_ = found.allowed * reach
            sure = float(open_.sum())
            slack += sure if np.isfinite(sure) else float(open_[np.isfinite(open_)].sum())
            slack += float(judge_arrays.rounding(np.abs(terms).sum(), terms.size))
            if found.width.any():
                width += float((found.width * reach).sum())
        size = float(np.sqrt(size))
        seen = self.line.along(direction, size, expected)
        if seen.jumps or self._beyond(direction, size):
            return Directed(expected, np.nan, np.nan, INCONCLUSIVE)
        word, value, bar = judge_arrays.judge_direction(expected, seen, size, slack, width)
        return Directed(expected, value, bar, word)

    def _beyond(self, direction: Direction, size: float) -> bool:
        """Whether even the smallest step along a slope of this size would leave the function's own range."""
        height = float(np.abs(self.values[self.graph.output]).sum())
        if not 0 < height < size * STEPS[-1]:
            return False
        return not abs(self.line.at(direction, STEPS[-1])) > size * STEPS[-1] / 100

    def _blame(self, direction: Direction) -> None:
        """Halve a direction that disagrees until a single number is left, and say that it is wrong."""
        for node in direction:
            if SEVERITY.index(DISAGREE) in self.words[node]:
                return
        for node, move in direction.items():
            if self._directed({node: move}).word != DISAGREE:
                continue
            places = np.arange(move.size)
            while len(places) > 1:
                half = places[: len(places) // 2]
                part = np.zeros(move.size)
                part[half] = move.ravel()[half]
                wrong = self._directed({node: part.reshape(move.shape)}).word == DISAGREE
                places = half if wrong else places[len(half) :]
            part = np.zeros(move.shape)
            part.flat[places] = move.flat[places]
            if self._directed({node: part}).word == DISAGREE:
                self._condemn(node, int(places[0]))

    def _condemn(self, node: int, k: int) -> None:
        words = self.words[node].copy()
        words.flat[k], reason = judge_arrays.judge_by_line(float(self.gates.graded(node).flat[k]))
        self.words[node] = words
        self.reasons.setdefault(node, {})[k] = reason

    def _unmoved(self) -> None:
        """Tell numbers that the function does not change with from those whose gradient is zero only here."""
        parts: list[tuple[int, Array]] = []
        for node in self.moving:
            if node in self.gates.clean:
                continue
            zero = judge_arrays.zeros(self.words[node], self.gates.graded(node), self.found[node])
            places = np.flatnonzero(zero)
            if len(places):
                self.words[node] = np.array(self.words[node])
                parts.append((node, places))
        for _ in range(MOST_GROUPS):
            if not parts:
                return
            node, places = parts.pop()
            reacts = self._reacts(node, places)
            if reacts and len(places) > 1:
                half = len(places) // 2
                parts += [(node, places[:half]), (node, places[half:])]
            else:
                self.words[node].flat[places] = judge_arrays.judge_zero(reacts)

    def _reacts(self, node: int, places: Array) -> bool:
        """Return whether the function changes visibly when some numbers of an input move."""
        move = np.zeros(np.shape(self.values[node]))
        move.flat[places] = scale_of(self.values[node])
        return any(
            not abs(self.line.at({node: move}, step)) <= 8 * self.line.rounding_floor for step in (NUDGE, -NUDGE)
        )

    def moved_one_by_one(self, node: int, seen: tuple[Array, Array]) -> None:
        """Take the differences of every single number, end to end, where their bars are narrow."""
        value, bar = seen
        found = self.local[node] = self.found[node]
        better = (found.width == 0) & (~judge_arrays.vague(value, bar) | (bar <= found.allowed))
        size = np.where(better, np.maximum(np.abs(value), found.size), found.size)
        merged = Arrays(
            np.where(better, value, found.value), np.where(better, bar, found.allowed), size,
            np.where(better, bar, found.bar), found.width,
        )  # fmt: skip
        words = judge_arrays.judge(self.gates.graded(node), merged)
        self.found[node] = merged
        self.words[node] = judge_arrays.worse_of(self.words[node], words)
