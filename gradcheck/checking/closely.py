"""One element of one op in a hundred digits, where differences in float64 see nothing."""

from __future__ import annotations

import math
from typing import Any

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.numbers import to_float
from gradcheck.checking.exact import Exact
from gradcheck.engines.elementwise_slopes import Close
from gradcheck.engines.finite_difference import EDGE, KINK, SMOOTH
from gradcheck.errors import GradcheckError, Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph, Params
from gradcheck.ops import OPS

MOST = 256
"""Elements of one graph that are looked at in this way; it takes milliseconds each."""

ULP = 2.0**-52
LAST = 8 * ULP
"""The last digits of a float64, which any way of computing it may lose."""

FAILURES = (GradcheckError, ArithmeticError, ValueError, NotImplementedError)

LEAST = 2.0**-1060
"""Stands for the size of a slope that is zero although the op does move."""

NOTHING = Close(0.0, math.inf)


class Closely:
    """Looks at single elements, each one once.

    Attributes:
        left: how many more it will look at.
    """

    def __init__(self) -> None:
        self.left = MOST
        self._seen: dict[Any, Close] = {}

    def __call__(self, op: str, params: Params, row: tuple[float, ...], k: int) -> Close | None:
        """Return what op `op` does around one element when operand `k` moves; None beyond the budget."""
        key = (op, repr(params), row, k)
        if key not in self._seen:
            if self.left <= 0:
                return None
            self.left -= 1
            self._seen[key] = self._look(op, params, row, k)
        return self._seen[key]

    def _look(self, op: str, params: Params, row: tuple[float, ...], k: int) -> Close:
        try:
            gate = _Gate(op, params, row)
            slope = gate.exact.slope(gate.nodes[k])
            if slope is None or slope.kind not in (SMOOTH, KINK, EDGE):
                return NOTHING
            with gate.exact.system.active():
                found = to_float(slope.value)
                if slope.kind == SMOOTH and abs(slope.value) <= slope.bar:
                    found = 0.0
                gap = abs(to_float(slope.right) - to_float(slope.left)) / 2 if slope.kind == KINK else 0.0
            bar = LAST * abs(found)
        except FAILURES:
            return NOTHING
        return Close(found, max(bar, LEAST), gap) if math.isfinite(found + gap) else NOTHING


class _Gate:
    """One gate as a graph of its own, in high precision."""

    def __init__(self, op: str, params: Params, row: tuple[float, ...]) -> None:
        self.graph = graph = Graph(Source(op, "gate"))
        args = OPS[op].args
        self.nodes = [graph.input(name) for name in args]
        graph.output = graph.gate(op, self.nodes, params)
        inputs = dict(zip(args, row, strict=True))
        floats, _ = evaluate(graph, FLOATS, dict(inputs))
        self.exact = Exact(graph, inputs, floats)
