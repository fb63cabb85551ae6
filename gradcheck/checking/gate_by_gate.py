"""Every number of a large graph of arrays, gate by gate, in float64.

Backprop's gradient of every node is compared with what the differences of the node's users make
of the gradients that backprop brought to them: so each rule is judged under the gradient it
really got, and a wrong one is found where it is. Where both agree the real gradient goes further
back; where they do not, the differences' own, so that what lies behind is judged by the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.checking import judge_arrays
from gradcheck.checking.closely import Closely
from gradcheck.checking.judge import LAST_DIGITS, ULP
from gradcheck.checking.judge_arrays import Arrays
from gradcheck.engines import rounding
from gradcheck.engines.directions import rounding_of
from gradcheck.engines.flows import Array, BarredFlow, joined
from gradcheck.engines.local_differences import DifferencePass, FlowShare, needed
from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import Graph
from gradcheck.ops import OPS


class Gates:
    """The verdict on every node, and the gates at fault.

    Attributes:
        upstream: what went further back from each node.
        found: what the differences say of each wanted input.
        words: the verdicts on its numbers.
        clean: the wanted inputs whose numbers all agree, beyond doubt.
        resolution: node → the relative error, as a part of the largest number, that would have shown in its
            gradient or anywhere between it and the output.
        wrong: node → the gates that brought it a wrong gradient; empty if they only passed it on.
    """

    def __init__(self, graph: Graph, values: Values, gradients: Sequence[Any], wanted: dict[int, str]) -> None:
        self.graph = graph
        self.values = values
        self.wanted = wanted
        self.depends = needed(graph, wanted)
        self.gradients = gradients
        self.upstream: dict[int, BarredFlow] = {}
        self.found: dict[int, Arrays] = {}
        self.words: dict[int, Array] = {}
        self.wrong: dict[int, list[int]] = {}
        self.resolution: dict[int, float] = {}
        self.clean: set[int] = set()
        self.closely = Closely()
        self.back = DifferencePass(graph, values, self.depends, self.closely)

    def run(self) -> None:
        """Go through the graph; inputs that nothing flows to are not exercised."""
        if self.depends[self.graph.output]:
            self.back.run(BarredFlow(np.ones(np.shape(self.values[self.graph.output]))), self._meet)
        for node in self.wanted:
            if node not in self.found:
                nothing = np.zeros(np.shape(self.values[node]))
                self._record(node, Arrays(nothing, nothing, nothing, nothing, nothing))

    def graded(self, node: int) -> Array:
        """Return backprop's gradient of a node; zeros where nothing flows."""
        g = self.gradients[node]
        return np.zeros(np.shape(self.values[node])) if g is None else np.asarray(g, dtype=float)

    def _record(self, node: int, found: Arrays) -> None:
        self.found[node] = found
        self.words[node] = judge_arrays.judge(self.graded(node), found)

    def _meet(self, node: int, total: BarredFlow, shares: list[FlowShare]) -> BarredFlow:
        """Compare, and return what goes further back."""
        graded = self.graded(node)
        wanted = node in self.wanted
        self.resolution[node] = max([self.resolution.get(share.user, 0.0) for share in shares])
        if total.size is None and total.bar is None and total.width is None and np.array_equal(graded, total.value):
            # Only moved, and both in the same way.
            if wanted:
                found = arrays_of(total)
                self.resolution[node] = max(self.resolution[node], LAST_DIGITS * ULP)
                self.found[node], self.words[node] = found, judge_arrays.judge_equal(found)
                if not self.words[node].any():
                    self.clean.add(node)
            self.upstream[node] = flow = BarredFlow(graded)
            return flow
        found = arrays_of(total)
        self.resolution[node] = max(self.resolution[node], judge_arrays.relative(found))
        if total.width is None and judge_arrays.clean(graded, found):
            if wanted:
                self.found[node], self.words[node] = found, np.zeros(found.value.shape, dtype=np.uint8)
                self.clean.add(node)
            self.upstream[node] = flow = BarredFlow(graded)
            return flow
        wrong = judge_arrays.outside(graded, found)
        if wrong.any():
            found = self._explained(node, found, shares)
            wrong = judge_arrays.outside(graded, found)
        if wanted:
            self._record(node, found)
        if wrong.any():
            self.wrong[node] = self._culprits(node, graded, shares)
        flow = _onward(graded, found, wrong, total.width is not None)
        if total.size is not None and flow.size is None and not flow.value.any():
            # The condition of a `where` gets no gradient, but the size of what depends on it.
            flow = flow._replace(size=total.size)
        self.upstream[node] = flow
        return flow

    def _explained(self, node: int, found: Arrays, shares: list[FlowShare]) -> Arrays:
        """Widen the bars by what rounding may do to the users' rules: losing digits is no mistake."""
        size = np.zeros(np.shape(found.value))
        for user, place, _ in shares:
            if user != node:
                operands = [self.values[k] for k in self.graph.operands(user)]
                size += rounding.sizes(self.graph, user, place, self.upstream[user].value, operands, self.values[user])
        return judge_arrays.widened(found, size)

    def _culprits(self, node: int, graded: Array, shares: list[FlowShare]) -> list[int]:
        """Return which users of a node brought it something wrong by themselves.

        A user that got a wrong gradient and passed it on by a right rule is not to blame.
        """
        users = [share for share in shares if share.user != node]
        real = {s.user: BarredFlow(self.graded(s.user)) for s in users}
        right = [FlowShare(s.user, s.place, self.back.pull(s.user, real[s.user], s.place)) for s in users]
        if not right or not judge_arrays.outside(graded, arrays_of(joined([share.flow for share in right]))).any():
            return []
        if len(right) == 1:
            return [right[0].user]
        blamed = {s.user for s in right if self._rule_differs(s)}
        return sorted(blamed or {s.user for s in right}, reverse=True)

    def _rule_differs(self, share: FlowShare) -> bool:
        """Whether the gate's own rule says something else than its differences, under the same gradient."""
        graph, user = self.graph, share.user
        operands = [self.values[k] for k in graph.operands(user)]
        ranks = OPS[graph.ops[user]].ranks(operands)
        rule = FLOAT_ARRAYS.rule(graph.ops[user], graph.params.get(user, ()), ranks)
        ruled = rule.fast(self.graded(user), *operands, self.values[user])[share.place]
        assert FLOAT_ARRAYS.accumulate is not None
        said = FLOAT_ARRAYS.accumulate(None, ruled, operands[share.place])
        return bool(judge_arrays.outside(said, arrays_of(share.flow)).any())

    def culprits(self, node: int) -> list[int]:
        """Return the gates at fault between a node and the output, nearest the output first."""
        first, user = self.graph.users()
        seen, stack = {node}, [node]
        while stack:
            one = stack.pop()
            for k in range(first[one], first[one + 1]):
                if user[k] not in seen:
                    seen.add(user[k])
                    stack.append(user[k])
        return sorted({gate for one in seen for gate in self.wrong.get(one, ())}, reverse=True)

    def doubtful(self, node: int, places: Array, slope: Array, bar: Array) -> Array:
        """Return which differences of single numbers of an input are at odds with backprop."""
        return ~(np.abs(self.graded(node).ravel()[places] - slope) <= bar)

    def rounding_floor(self, formulas: bool = False) -> float:
        """Return what float64 rounding may do to the function's value; with `formulas`, inside ops too."""
        gates = {node: flow.value for node, flow in self.upstream.items() if self.graph.left[node] >= 0}
        total = rounding_of(self.values, gates)
        total += ULP * self.back.inner
        if formulas:
            for node, g in gates.items():
                op, operands = self.graph.ops[node], [self.values[k] for k in self.graph.operands(node)]
                if OPS[op].elementwise:
                    size = rounding.inside(op, self.graph.params.get(node, ()), operands)
                    total += ULP * float(np.abs(g * size).sum())
        return total


def arrays_of(flow: BarredFlow) -> Arrays:
    """Return what a flow says, its own rounding added to the bar."""
    value, size = np.asarray(flow.value), flow.sizes
    allowed = judge_arrays.rounding(size, flow.terms)
    if flow.bar is not None:
        allowed += flow.bar
    bar = np.zeros(value.shape) if flow.bar is None else flow.bar
    width = np.zeros(value.shape) if flow.width is None else flow.width
    return Arrays(value, allowed, size, bar, width)


def _onward(graded: Array, found: Arrays, wrong: Array, kinks: bool) -> BarredFlow:
    """Return what goes further back: backprop's gradient where it is right, with its doubts."""
    amiss = wrong.any()
    value = np.where(wrong, found.value, graded) if amiss else graded
    doubtful = judge_arrays.vague(found.value, found.allowed)
    width = None
    if kinks:
        bent = found.width > found.allowed
        width = np.where(bent, found.width + np.abs(value - found.value), 0.0) if bent.any() else None
    if not doubtful.any():
        return BarredFlow(value, width=width)
    size = np.where(doubtful, np.maximum(found.size, np.abs(value)), np.abs(value))
    return BarredFlow(value, size, np.where(doubtful, found.allowed, 0.0), width)
