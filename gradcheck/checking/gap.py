"""What is proved to be small: a gradient that is graded minus the derivative, at a point or over a box.

The derivative is the first coefficient of the function's own Taylor series, which Arb computes from the forward
pass alone: neither a rule nor SymPy has a part in it. Only how it changes along the axis of another variable
takes SymPy's local derivatives, whose chain rule runs over the graph in series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcheck.arithmetic import balls, series
from gradcheck.arithmetic.arb import arb, arb_series
from gradcheck.arithmetic.balls import ZERO
from gradcheck.arithmetic.system import System
from gradcheck.engines.backprop import backprop
from gradcheck.engines.enclosure import ORDER, Box, around
from gradcheck.graph.evaluation import Values, evaluate
from gradcheck.graph.graph import Graph
from gradcheck.language.claims import Claim
from gradcheck.ops import OPS

DIGITS = 40
"""Decimal digits of the balls: what cancels leaves no more than 1e-38 behind."""

Graded = Callable[[Graph, System, Values], Any]
"""(graph, number system, its values there) → the gradient that is graded."""


def by_rules(name: str) -> Graded:
    """Return what backprop's rules give for an input."""

    def graded(graph: Graph, system: System, values: Values) -> Any:
        return backprop(graph, system, values, system.literal("1"))[graph.inputs[name]]

    return graded


def by_claim(claim: Claim) -> Graded:
    """Return what the user's formula gives."""
    backward = any(upstream for _, upstream in claim.uses.values())

    def graded(graph: Graph, system: System, values: Values) -> Any:
        gradients = backprop(graph, system, values, system.literal("1")) if backward else values
        known = {name: (gradients if upstream else values)[k] for name, (k, upstream) in claim.uses.items()}
        inputs = {name: ZERO if x is None else x for name, x in known.items()}
        return evaluate(claim.graph, system, inputs)[0][claim.graph.output]

    return graded


class Gap:
    """The difference between a graded gradient and the derivative.

    Attributes:
        graph: the function.
        wrt: the input that its gradient belongs to.
        names: the inputs that move, in the order of the axes.
    """

    def __init__(
        self, graph: Graph, wrt: str, names: Sequence[str], fixed: Mapping[str, float], graded: Graded
    ) -> None:
        self.graph = graph
        self.wrt = wrt
        self.names = list(names)
        self._fixed = fixed
        self._graded = graded
        self._balls, self._series = balls.system(DIGITS), series.system(DIGITS)

    def _inputs(self, point: Sequence[Any]) -> dict[str, Any]:
        return {**{n: arb(x) for n, x in self._fixed.items()}, **dict(zip(self.names, point, strict=True))}

    def at(self, point: Sequence[Any]) -> tuple[Any, Any]:
        """Return the graded gradient and the derivative at a point of balls."""
        inputs = self._inputs(point)
        with balls.precision(DIGITS, 2):
            inputs[self.wrt] = arb_series([inputs[self.wrt], 1])
            moved, _ = evaluate(self.graph, self._series, inputs)
            values = [x[0] if isinstance(x, arb_series) else x for x in moved]
            graded = self._graded(self.graph, self._balls, values)
            return ZERO if graded is None else graded, _coefficients(moved[self.graph.output], 2)[1]

    def known(self, box: Box) -> bool:
        """Return whether both gradients are finite and of one piece throughout a box."""
        graded, derivative = self.at([around(side) for side in box])
        return bool(graded.is_finite() and derivative.is_finite())

    def along(self, box: Box, axis: int) -> list[Any]:
        """Return the Taylor coefficients of the difference along an axis, anywhere in a box."""
        inputs = self._inputs([around(side) for side in box])
        moving = self.names[axis]
        with balls.precision(DIGITS, ORDER + 2):
            inputs[moving] = arb_series([inputs[moving], 1])
            values, _ = evaluate(self.graph, self._series, inputs)
            value = _coefficients(values[self.graph.output], ORDER + 2)
            if not all(c.is_finite() for c in value):
                # Its derivative would be taken for zero, as that of any constant.
                return value
            graded = self._graded(self.graph, self._series, values)
            if moving == self.wrt:
                derivative = series.moving(values[self.graph.output]).derivative()
            else:
                from gradcheck.engines import symbolic

                one = self._series.literal("1")
                derivative = symbolic.adjoints(self.graph, self._series, values, one)[self.graph.inputs[self.wrt]]
            difference = (ZERO if graded is None else graded) - (ZERO if derivative is None else derivative)
            return _coefficients(difference, ORDER + 1)

    def unknown(self, box: Box) -> str:
        """Say what has no series throughout a box: an op, or the gradient that is graded."""
        with balls.precision(DIGITS, 2):
            inputs = self._inputs([arb_series([around(side), 1]) for side in box])
            values, _ = evaluate(self.graph, self._series, inputs)
        for node in self.graph.gates:
            if not all(c.is_finite() for c in _coefficients(values[node], 2)):
                row = OPS[self.graph.ops[node]]
                bends = row.kink or row.choice
                return f"{'kink of' if bends else 'no series of'} {self.graph.described(node)}"
        return "no series of the gradient that is graded"


def _coefficients(x: Any, count: int) -> list[Any]:
    """Return the first coefficients of a number or a series; those that are not known are not finite."""
    if not isinstance(x, arb_series):
        return [x, *[ZERO if x.is_finite() else balls.NAN] * (count - 1)]
    found = x.coeffs()[:count]
    known = min(count, x.prec)
    return [*found, *[ZERO] * (known - len(found)), *[balls.NAN] * (count - known)]
