"""Every number of an input moved by itself, end to end: the loss recomputed, many numbers at a time.

The step is so small that a curvature, or a kink, is the only thing to fear. Both show in the sum of
the changes ahead and behind. Every other number is moved ahead, the rest behind. A sample is moved
to both sides, which tells how much curvature does, and so are numbers about which there is a doubt.
A chunk of numbers is evaluated at once, only downstream of the input, and only in the slices that
move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck import progress
from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.engines.copies import Copies, Dense, Point, dense, destinations, elementwise, general, matmul
from gradcheck.engines.definitions import COPYING
from gradcheck.engines.directions import scale_of
from gradcheck.engines.flows import Array
from gradcheck.engines.local_differences import needed
from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import Graph, Params, upstream
from gradcheck.ops import OPS

STEP = 2.0**-17
"""The step as a part of the number, or of its tensor's size if that is larger."""

LEAST = 8
"""Numbers in a chunk, at least."""

ELEMENTS = 2**18
"""Float64 numbers that a chunk's largest array may hold: two megabytes."""

MOST_FACTORS = 4096
"""Terms of a sum that may be added up one after the other: rounding grows with their number."""

SAMPLE = 48
"""Numbers of an input, at least, that are moved to both sides at once."""

ACCURACY = 8
EPS = 2.0**-52


class Chunked:
    """The function of one input, many numbers moved at a time.

    Attributes:
        largest: the elements of the largest array that a copy takes; the largest value, until seen.
    """

    def __init__(self, graph: Graph, values: Values, node: int) -> None:
        self.graph = graph
        self.values = values
        self.node = node
        depends = needed(graph, [node])
        live = upstream(graph, [graph.output])
        gates = [k for k in graph.gates if depends[k] and k in live]
        self.gates = [
            (
                gate, graph.ops[gate], graph.params.get(gate, ()), graph.operands(gate),
                [self.values[k] for k in graph.operands(gate)],
                FLOAT_ARRAYS.function(graph.ops[gate], graph.params.get(gate, ())),
            )
            for gate in gates
        ]  # fmt: skip
        self.last = self._last_uses()
        self.spare = self._spare()
        self.weighted = self._weighted(depends)
        self.to: dict[int, Array | None] = {}
        self.largest = max([np.size(values[gate]) for gate, op, *_ in self.gates if op not in COPYING], default=1)

    def changes(self, place: Array, value: Array) -> Array:
        """Return by how much the output's sum changes when elements `place`, one a copy, become `value`."""
        copies: dict[int, Copies] = {self.node: Point(place, value)}
        seen = 1
        skipped = {products for products, _, _ in self.weighted.values()}
        for gate, op, params, operands, bases, function in self.gates:
            if gate in skipped:
                continue
            moving = [copies.get(k) for k in operands]
            if gate in self.weighted:
                _, operand, weights = self.weighted[gate]
                whole = dense(self.values[operand], copies[operand])
                made: Copies = Dense(weights @ whole.reshape(len(weights), -1))
            elif OPS[op].elementwise:
                made = elementwise(function, bases, moving, self.spare.get(gate))
            elif op == "matmul":
                made = matmul(bases[0], bases[1], self.values[gate], moving[0], moving[1])
            else:
                made = self._other(gate, op, params, bases, moving)
            copies[gate] = made
            data = made.value if isinstance(made, Point) else made.data
            seen = max(seen, data.size // len(place))
            for operand in self.last.get(gate, ()):
                copies.pop(operand, None)
        self.largest = seen
        base = self.values[self.graph.output]
        whole = dense(base, copies[self.graph.output]) - base[..., None]
        return whole.reshape(-1, len(place)).sum(axis=0)

    def _other(self, gate: int, op: str, params: Params, bases: list[Array], moving: list[Copies | None]) -> Copies:
        if op in COPYING and len(bases) == 1 and isinstance(moving[0], Point):
            if gate not in self.to:
                self.to[gate] = destinations(FLOAT_ARRAYS.function(op, params), bases[0])
            to = self.to[gate]
            if to is not None:
                return Point(to[moving[0].place], moving[0].value)
        return general(op, params, bases, moving, self.values[gate])

    def _spare(self) -> dict[int, int]:
        """Return gate → the operand whose copies it may overwrite: made for nobody else, and no view of others."""
        uses = Counter(k for _, _, _, operands, *_ in self.gates for k in operands)
        fresh = {gate for gate, op, *_, function in self.gates if op == "matmul" or isinstance(function, np.ufunc)}
        found = {}
        for gate, _, _, operands, _, function in self.gates:
            for place, operand in enumerate(operands):
                same = np.shape(self.values[operand]) == np.shape(self.values[gate])
                if operand in fresh and uses[operand] == 1 and same and isinstance(function, np.ufunc):
                    found[gate] = place
        return found

    def _weighted(self, depends: Sequence[bool]) -> dict[int, tuple[int, int, Array]]:
        """Return sums of products with constant factors: sum → (product, the operand that moves, the factors).

        Such a sum is one product of matrices, and the products need not be written down.
        """
        operands = {gate: found for gate, _, _, found, *_ in self.gates}
        ops = {gate: op for gate, op, *_ in self.gates}
        uses = Counter(k for found in operands.values() for k in found)
        result = {}
        for gate, op, params, (product, *_), *_ in self.gates:
            if op != "sum" or dict(params).get("axis") is not None or ops.get(product) != "mul" or uses[product] > 1:
                continue
            moving = [k for k in operands[product] if depends[k]]
            shape = np.shape(self.values[product])
            if len(moving) == 1 and np.shape(self.values[moving[0]]) == shape and np.ndim(self.values[gate]) == 0:
                other = next(k for k in operands[product] if k != moving[0])
                factors = np.broadcast_to(self.values[other], shape).ravel()
                if factors.size <= MOST_FACTORS:
                    result[gate] = (product, moving[0], factors)
        return result

    def _last_uses(self) -> dict[int, list[int]]:
        last: dict[int, int] = {}
        for gate, _, _, operands, *_ in self.gates:
            for operand in operands:
                last[operand] = gate
        found: dict[int, list[int]] = {}
        for operand, gate in last.items():
            found.setdefault(gate, []).append(operand)
        return found


Doubt = Callable[[Array, Array, Array], Array]
"""(flat indices, slopes, bars) → which of these numbers deserve both sides."""


def every_number(
    graph: Graph, values: Sequence[Any], node: int, rounding_floor: float, doubt: Doubt
) -> tuple[Array, Array]:
    """Return the slope along every number of an input, and the bound on its error; infinite where unknown.

    Args:
        graph: the graph; the function is the sum of its output's elements.
        values: the float64 array of each node.
        node: the input.
        rounding_floor: what rounding may do to the function's value.
        doubt: says for which numbers a step to one side does not do.
    """
    x = np.asarray(values[node], dtype=float)
    chunked = Chunked(graph, list(values), node)
    if not chunked.gates and node != graph.output:
        return np.zeros(x.shape), np.zeros(x.shape)
    flat = x.ravel()
    steps = STEP * np.maximum(np.abs(flat), scale_of(x))
    steps[1::2] *= -1
    sample = np.arange(0, x.size, max(1, x.size // SAMPLE))
    once = _to(chunked, flat, np.concatenate([np.arange(x.size), sample]), np.concatenate([steps, -steps[sample]]))
    one, other = once[: x.size], once[x.size :]
    slope = one / ((flat + steps) - flat)
    noise = ACCURACY * (rounding_floor + EPS * np.abs(one)) / np.abs(steps)
    bent = np.abs(one[sample] + other) / np.abs(steps[sample])
    bar = noise + 2 * bent[np.isfinite(bent)].max(initial=0.0)
    places = np.arange(x.size)
    again = np.union1d(sample, places[doubt(places, slope, np.where(np.isnan(bar), np.inf, bar))])
    back = np.zeros(x.size)
    back[sample] = other
    new = np.setdiff1d(again, sample)
    if len(new):
        back[new] = _to(chunked, flat, new, -steps[new])
    h = steps[again]
    slope[again] = (one[again] - back[again]) / ((flat[again] + h) - (flat[again] - h))
    bar[again] = noise[again] + np.abs(one[again] + back[again]) / np.abs(h)
    bad = ~np.isfinite(slope + bar)
    slope[bad], bar[bad] = 0.0, np.inf
    return slope.reshape(x.shape), bar.reshape(x.shape)


def _to(chunked: Chunked, x: Array, places: Array, steps: Array) -> Array:
    """Return by how much the function changes when each of the elements `places` makes its step."""
    found = np.empty(len(places))
    start = 0
    while start < len(places):
        progress.say("every number, end to end", start, len(places), inner=True)
        end = start + max(LEAST, ELEMENTS // chunked.largest)
        some = places[start:end]
        found[start:end] = chunked.changes(some, x[some] + steps[start:end])
        start = end
    return found
