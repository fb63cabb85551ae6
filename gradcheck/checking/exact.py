"""One place in balls, as precise as it takes to decide: values, rules and differences with proven bars."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from random import Random
from typing import Any

from gradcheck.arithmetic import balls
from gradcheck.arithmetic.arb import arb
from gradcheck.checking import forward, points
from gradcheck.engines.backprop import backprop
from gradcheck.engines.finite_difference import ESTIMATED_FROM, KINK, SMOOTH, UNSETTLED, Differences, Slope
from gradcheck.engines.formulas import ROUNDING, taken_apart
from gradcheck.errors import DomainError
from gradcheck.graph.evaluation import evaluate, same_values
from gradcheck.graph.graph import CONSTANT, INPUT, Graph, upstream
from gradcheck.ops import OPS

DIGITS = (100, 200, 400, 800, 1600, 4000)
"""Numbers of digits that are tried in turn: each while something is undecided."""

COSTS = (1, 1.2, 1.6, 4, 12, 80)
"""What a gate costs with so many digits, in gates with a hundred."""

PASSES = 8
"""Evaluations of a graph that its values, the rules and SymPy's chain rule amount to."""

BUDGET = 2_000_000
"""Evaluations of gates with a hundred digits that one place may take: about a second."""

MOVES = 8
"""Evaluations that a finite difference amounts to: two of them, and one of series."""

AFFORDABLE = 40_000
"""Evaluations of gates up to which every number is moved by itself: some ten milliseconds."""


INSIDE = 8
"""Roundings, of what comes back to a function, that may be lost inside of it."""


class Level:
    """A graph of single numbers at one point, in balls of so many digits.

    Attributes:
        system: the number system.
        values: the ball of each node; equal numbers are one object.
        bends: the gates that lie exactly on a kink of their op.
    """

    def __init__(
        self, graph: Graph, inputs: Mapping[str, float], digits: int, same: list[int] | None, rough: bool = False,
        moves: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.digits = digits
        self.system = balls.rough(digits) if rough else balls.system(digits)
        known: dict[float, Any] = {}
        numbers = {name: known.setdefault(x, self.system.constant(repr(float(x)))) for name, x in inputs.items()}
        with self.active():
            if moves:
                numbers = {name: x + moves[name] if name in moves else x for name, x in numbers.items()}
            self.values, _ = evaluate(graph, self.system, numbers, same=same)
            self.bends = points.kinks(graph, self.system, self.values)

    def active(self) -> AbstractContextManager[Any]:
        """Return the context in which numbers of this level are computed."""
        return self.system.active()

    def backprop(self) -> list[Any]:
        """Run the op table's rules in this precision."""
        return backprop(self.graph, self.system, self.values, self.system.literal("1"))

    @cached_property
    def differences(self) -> Differences:
        """Finite differences at this place."""
        return Differences(self.graph, self.values, self.digits)

    @cached_property
    def bent(self) -> set[int]:
        """The nodes from which a gate that lies on a kink is computed."""
        return upstream(self.graph, self.bends)

    @cached_property
    def doubtful(self) -> set[int]:
        """The nodes from which a gate that may lie on a kink is computed."""
        with self.active():
            return upstream(
                self.graph, points.kinks(self.graph, self.system, self.values, lambda x: bool(x.contains(0)))
            )

    @cached_property
    def chained(self) -> list[Any]:
        """The output's slope in each node, by the chain rule over differences of the gates."""
        return self.differences.chained()

    def adds_up(self, nodes: list[int], seed: int) -> bool | None:
        """Return whether that meets the slope along a random direction, end to end; None if there is none."""
        random = Random(seed)
        weights = [random.choice((-1, 1)) * random.uniform(0.5, 1.5) for _ in nodes]
        slope, sizes = self.differences.along(nodes, weights)
        parts = [self.chained[k] * size for k, size in zip(nodes, sizes, strict=True) if self.chained[k] is not None]
        total = sum(parts, self.system.literal("0"))
        return bool(slope.overlaps(total)) if slope.is_finite() and total.is_finite() else None

    def bends_behind(self, node: int) -> int:
        """Return how many of the gates that depend on a node lie exactly on a kink."""
        cone = self.differences.cone(node, len(self.graph))
        return 0 if cone is None else len(set(self.bends).intersection(cone.gates))


class Exact:
    """A graph of single numbers at one point, in as many digits as are asked for.

    Args:
        graph: the graph.
        inputs: its inputs.
        floats: the float64 value of each node.
        numbers: how many numbers are moved, which decides whether each is moved by itself.

    Attributes:
        chained: whether slopes come from the gates by the chain rule, and not from moving each number.

    Raises:
        DomainError: if the function has no value in exact arithmetic.
    """

    def __init__(self, graph: Graph, inputs: Mapping[str, float], floats: list[Any], numbers: int = 1) -> None:
        self.graph = graph
        # What lies downstream of a number: half of the graph, as a rule.
        self.chained = numbers > 1 and len(graph) * MOVES / 2 * numbers > AFFORDABLE
        self.inputs = inputs
        self.floats = floats
        # Which nodes are one number matters where pieces are chosen: a tie must be known to be one.
        chooses = any(OPS[op].piecewise for op in set(graph.ops) - {INPUT, CONSTANT})
        self.same = same_values(graph, inputs) if chooses else None
        self.left = float(BUDGET)

    def levels(self) -> Iterator[Level]:
        """Give the place with ever more digits, as long as the function's value is known and the budget lasts.

        Raises:
            DomainError: if its value is known with no number of digits.
        """
        known = False
        for digits, cost in zip(DIGITS, COSTS, strict=True):
            self.cost = cost
            whole = cost * PASSES * len(self.graph)
            if whole > self.left and digits > DIGITS[0]:
                break
            self.left -= whole
            level = Level(self.graph, self.inputs, digits, self.same)
            if level.values[self.graph.output].is_finite():
                known = True
                yield level
        if not known:
            self._refuse(level)

    def slope(self, level: Level, node: int) -> Slope | None:
        """Return the finite difference along one input; None when the budget is spent."""
        if not self.chained:
            return self._moved(level, node)
        with level.active():
            value = level.chained[node]
        bent = node in level.bent
        if value is not None and value.is_finite() and node not in level.doubtful and not value.contains(0):
            return Slope(SMOOTH, value, value, value)
        moved = self._moved(level, node)
        if moved is not None or value is None or not value.is_finite() or (node in level.doubtful and not bent):
            return moved
        # What cannot be moved by itself any more has at a kink the slopes that the gates allow.
        low, high = value.lower(), value.upper()
        return Slope(KINK, value, low, high) if bent else Slope(SMOOTH, value, value, value, exercised=value != 0)

    def _moved(self, level: Level, node: int) -> Slope | None:
        each = MOVES * self.cost
        limit = int(self.left / each)
        cone = level.differences.cone(node, limit) if limit > 0 else None
        if cone is None:
            # Looking for it took time too.
            self.left -= max(limit, 0) / 2
            return None
        self.left -= each * (len(cone.gates) + 1)
        with level.active():
            found = level.differences.slope(node, cone)
        if found.kind == UNSETTLED and level.digits < ESTIMATED_FROM:
            # Nothing else needs to wait: what has no slope at all is no matter for SymPy.
            return self._moved(self._ahead, node)
        return found

    @cached_property
    def _ahead(self) -> Level:
        """The place with as many digits as it takes to estimate a slope."""
        return Level(self.graph, self.inputs, ESTIMATED_FROM, self.same)

    @property
    def zero(self) -> Any:
        """Nothing, as a ball."""
        return balls.ZERO

    def running(self, bits: int) -> Level:
        """Return the place in balls of so many binary digits, computed as a program would: rounding is their radius."""
        return Level(self.graph, self.inputs, bits, self.same, rough=True)

    def running_apart(self, bits: int) -> list[Any]:
        """Return each node's gradient in such balls, by a program that knows but the definitions of ops.

        A function of slopes of about one may lose a part of what comes back to it also where its slope is small: that
        of ELU may be the difference of its value and alpha.
        """
        apart, to = taken_apart(self.graph)
        inputs = {**self.inputs, ROUNDING: 0.0}
        same = None if self.same is None else same_values(apart, {**inputs, ROUNDING: ROUNDING})
        unit = arb(0, INSIDE * 2.0 ** (1 - bits))
        level = Level(
            apart, {name: inputs[name] for name in apart.inputs}, bits, same, rough=True, moves={ROUNDING: unit}
        )
        with level.active():
            found = level.backprop()
        return [found[node] for node in to]

    def moved(self, digits: int, direction: Mapping[str, float], bits: int) -> Level:
        """Return the place a step of 2^-bits away in a direction of all inputs, or of the smallest input's size."""
        _, exponent = math.frexp(min([abs(x) for x in self.inputs.values() if x] + [1.0]))
        step = arb(2) ** (exponent - bits)
        moves = {name: arb(d) * step for name, d in direction.items()}
        tied = None
        if self.same is not None:
            tied = same_values(self.graph, {name: (float(x), direction[name]) for name, x in self.inputs.items()})
        return Level(self.graph, self.inputs, digits, tied, moves=moves)

    def _refuse(self, level: Level) -> None:
        live = forward.live(self.graph, self.floats)
        unknown = (k for k in self.graph.gates if k in live and not level.values[k].is_finite())
        raise DomainError(
            "the expression has no value here, float64's rounding aside",
            self.graph.source, self.graph.span(next(unknown, self.graph.output)),
        )  # fmt: skip
