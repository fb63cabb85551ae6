"""Every gate's differences under the gradient that backprop brought it: large graphs, completely.

End-to-end differences cost one evaluation of the function a number; this costs a few evaluations
of each gate, whatever the number of parameters. For each gate, with the upstream gradient g, the
contribution d<g, f(operands)>/d operand comes from what the op does, never from its rule; the
contributions of a node's users are added up and shown to the caller, who compares them with what
backprop says of this node and decides which of the two goes further back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from gradcheck import progress
from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.engines.definitions import COPYING, DEFINITIONS, NUMBERS, Gate
from gradcheck.engines.elementwise_slopes import NATURAL, Close, slopes
from gradcheck.engines.flows import Array, BarredFlow, joined, to_shape, weighted
from gradcheck.engines.formulas import definition
from gradcheck.engines.matrix_slopes import pulled
from gradcheck.engines.rounding import inside
from gradcheck.graph.evaluation import Values, evaluate
from gradcheck.graph.graph import Graph, Params
from gradcheck.ops import OPS

Closer = Callable[[str, tuple[float, ...], int], Close | None]
"""(op, parameters, operands of one element, which one moves) → what a close look finds there."""


class FlowShare(NamedTuple):
    """What one user of a node contributes to its gradient: operand `place` of gate `user`."""

    user: int
    place: int
    flow: BarredFlow


Meet = Callable[[int, BarredFlow, list[FlowShare]], BarredFlow]
"""(node, its gradient by differences, the users' shares) → the flow that goes further back."""


def needed(graph: Graph, wanted: Collection[int]) -> list[bool]:
    """Return for each node whether it depends on one of the `wanted` nodes."""
    depends = [False] * len(graph)
    for node in wanted:
        depends[node] = True
    for node in graph.gates:
        if not OPS[graph.ops[node]].measures:
            depends[node] = depends[node] or any(depends[k] for k in graph.operands(node))
    return depends


class DifferencePass:
    """One way back over a graph at one point.

    Args:
        graph: the graph.
        values: the float64 array of each node.
        depends: which nodes matter, as `needed` returns it.
        close: looks closely at single elements.

    Attributes:
        inner: |gradient value|, added up over what is computed inside the array ops taken apart.
    """

    def __init__(self, graph: Graph, values: Values, depends: list[bool], close: Closer) -> None:
        self.graph = graph
        self.values = values
        self.depends = depends
        self.close = close
        self.inner = 0.0

    def run(self, seed: BarredFlow, meet: Meet) -> None:
        """Go from the output back to the leaves; `meet` sees every node that anything flows to."""
        graph, depends = self.graph, self.depends
        shares: dict[int, list[FlowShare]] = {graph.output: [FlowShare(graph.output, 0, seed)]}
        for node in range(graph.output, -1, -1):
            found = shares.pop(node, None)
            if found is None or not depends[node]:
                continue
            progress.say("gate by gate", graph.output - node, graph.output + 1, inner=True)
            flow = meet(node, joined([share.flow for share in found]), found)
            for place, operand in enumerate(graph.operands(node)):
                if depends[operand]:
                    share = FlowShare(node, place, self.pull(node, flow, place))
                    shares.setdefault(operand, []).append(share)

    def pull(self, node: int, flow: BarredFlow, place: int, operands: list[Array] | None = None) -> BarredFlow:
        """Return what flows to one operand of a gate, in the operand's shape.

        With `operands`, the gate is taken at these values instead of its own.
        """
        graph = self.graph
        op, params = graph.ops[node], graph.params.get(node, ())
        function = FLOAT_ARRAYS.function(op, params)
        out = self.values[node]
        if operands is None:
            operands = [self.values[k] for k in graph.operands(node)]
        else:
            out = np.asarray(function(*operands))
        if op in DEFINITIONS:
            gate = Gate(op, dict(params), operands, out, function, lambda k: self._origin(graph.operands(node)[k]))
            return DEFINITIONS[op](gate, flow, place)
        if OPS[op].elementwise:
            return to_shape(self._elementwise(op, params, flow, operands, out, place), np.shape(operands[place]))
        if OPS[op].eliminates and OPS[op].form is None and np.ndim(operands[0]):
            return pulled(function, operands[0], out, flow)
        return self._apart(op, params, flow, operands)[place]

    def _elementwise(
        self, op: str, params: Params, flow: BarredFlow, operands: list[Array], out: Array, k: int
    ) -> BarredFlow:
        row = OPS[op]
        if row.linear == (row.args,):
            return weighted(flow, _slope(op, k))
        function = FLOAT_ARRAYS.function(op, params)
        if (row.args[k],) in row.linear:
            half: list[Any] = list(operands)
            half[k] = 0.5
            ahead = function(*half)
            half[k] = -0.5
            return weighted(flow, ahead - function(*half))
        g = flow.value

        def close(row: tuple[float, ...], j: int) -> Close | None:
            return self.close(op, row, j)

        found = slopes(function, operands, out, k, g, close, partial(inside, op, params))
        steep, force = np.abs(found.value), np.abs(g)
        natural = NATURAL * found.noise
        natural += steep
        size = (force if flow.size is None else flow.size) * natural
        bar = force * found.bar
        if not np.isfinite(bar).all():
            bar = np.where(g == 0, 0.0, bar)
        if flow.bar is not None:
            # What is level here does not pass anything on; a slope that is only zero might.
            level = (steep == 0) & (found.bar == 0)
            passed = flow.bar * steep
            bar = bar + np.where(np.isnan(passed), np.where(level, 0.0, np.inf), passed)
        width = None if flow.width is None else flow.width * steep
        if found.gap is not None:
            width = force * found.gap + (0.0 if width is None else width)
        return BarredFlow(g * found.value, size, bar, width, flow.terms + 2)

    def _origin(self, node: int) -> Array | None:
        """Return which element of some earlier node each element of `node` is a copy of."""
        graph, chain = self.graph, []
        while graph.ops[node] in COPYING and len(graph.operands(node)) == 1:
            chain.append(node)
            (node,) = graph.operands(node)
        numbers = np.arange(np.size(self.values[node])).reshape(np.shape(self.values[node]))
        for move in reversed(chain):
            function = FLOAT_ARRAYS.function(graph.ops[move], graph.params.get(move, ()))
            numbers = np.asarray(function(numbers, **NUMBERS.get(graph.ops[move], {})))
        return numbers if chain else None

    def _apart(self, op: str, params: Params, flow: BarredFlow, operands: list[Array]) -> dict[int, BarredFlow]:
        """Take an op apart by its definition and go back through the parts."""
        row = OPS[op]
        part = definition(row, params)
        if part is None:
            unknown = [BarredFlow(np.zeros(np.shape(x)), bar=np.full(np.shape(x), np.inf)) for x in operands]
            return dict(enumerate(unknown))
        inputs = {name: x for name, x in zip(row.args, operands, strict=True) if name in part.inputs}
        values, _ = evaluate(part, FLOAT_ARRAYS, inputs)
        values = [np.asarray(v) for v in values]
        leaves = {node: row.args.index(name) for name, node in part.inputs.items()}
        found = {k: BarredFlow(np.zeros(np.shape(x))) for k, x in enumerate(operands)}

        def meet(node: int, total: BarredFlow, _: list[FlowShare]) -> BarredFlow:
            self.inner += float(np.abs(total.value * values[node]).sum())
            if node in leaves:
                found[leaves[node]] = settled(total)
            return settled(total)

        inner = DifferencePass(part, values, needed(part, leaves), self.close)
        inner.run(flow, meet)
        return found


@lru_cache(maxsize=64)
def _slope(op: str, k: int) -> float:
    """Return the slope for operand `k` of an op that is linear in all of them at once: the same everywhere."""
    unit = [float(j == k) for j in range(len(OPS[op].args))]
    return float(FLOAT_ARRAYS.function(op)(*unit))


def settled(flow: BarredFlow) -> BarredFlow:
    """Return a flow whose bar holds the rounding of its own sum too, and no width that is mere rounding."""
    rounding = (4 + flow.terms) * 2.0**-52 * flow.sizes
    bar = rounding if flow.bar is None else flow.bar + rounding
    width = flow.width
    if width is not None:
        width = np.where(width > bar, width, 0.0)
        width = width if width.any() else None
    return BarredFlow(flow.value, flow.sizes, bar, width, 0)
