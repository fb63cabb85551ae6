"""Every line proved: SymPy's chain rule gives the gradient inside of the graph too.

The graph is written out as single numbers, each gate's elements apart from all others; SymPy
differentiates the definitions, and the same rules that backprop ran are run in balls.
What the verdict on a line is, `judge` decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.arithmetic.balls import to_float
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.checking import judge
from gradcheck.checking.exact import Exact, Level
from gradcheck.checking.judge import Answer, Verdict
from gradcheck.deriving.derive import Worked
from gradcheck.deriving.records import Proof, shape_of
from gradcheck.errors import DomainError, SizeError
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph, upstream
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape

MOST_GATES = 20_000
"""Gates, written out, up to which every line is proved: some seconds."""


class _Written(NamedTuple):
    """A graph of single numbers, and where the elements of each original node are in it.

    Attributes:
        graph: the graph.
        inputs: its inputs.
        cells: original node → nodes of its elements in row-major order.
        sharp: (level) → what the rules give for each original node, elements in row-major order.
    """

    graph: Graph
    inputs: dict[str, float]
    cells: list[list[int]]
    sharp: Any


def prove(worked: Worked, point: Mapping[str, Any]) -> dict[int, Proof]:
    """Return for each node what SymPy says of its gradient; nothing where that takes too long.

    Args:
        worked: stages and numbers.
        point: input → value, as the graph was evaluated at.
    """
    if _estimate(worked.chart.graph, worked.chart.shapes) > MOST_GATES:
        return {}
    arrays = hasattr(worked.values[worked.chart.graph.output], "shape")
    try:
        written = _array_graph(worked, point) if arrays else _number_graph(worked, point)
        floats, _ = evaluate(written.graph, FLOATS, written.inputs)
        proofs = _Proofs(worked, written, floats)
        for level in Exact(written.graph, written.inputs, floats).levels():
            with level.active():
                proofs.look(level)
            if not proofs.open:
                break
    except (SizeError, DomainError):
        return {}
    return proofs.found


def _differentiable(graph: Graph, written: _Written, node: int) -> bool:
    """Whether the node is a quantity: neither a number, nor indices, nor a sum of no elements."""
    cells = written.cells[node]
    return node not in graph.constants and bool(cells) and written.graph.constants.keys().isdisjoint(cells)


def _estimate(graph: Graph, shapes: list[Shape]) -> int:
    """Return about how many gates the graph has when it is written out."""
    total = 0
    for node in graph.gates:
        sizes = [math.prod(shapes[k]) for k in (node, *graph.operands(node))]
        inner = shapes[graph.left[node]][-1] if shapes[graph.left[node]] else 1
        row = OPS[graph.ops[node]]
        steps = 2 * sizes[0] * inner if row.contracts else 3 * sizes[1] * inner if row.eliminates else 3 * max(sizes)
        total += steps
    return total


def _number_graph(worked: Worked, point: Mapping[str, Any]) -> _Written:
    graph = worked.chart.graph
    inputs = {name: float(point[name]) for name in graph.inputs}
    return _Written(graph, inputs, [[k] for k in range(len(graph))], lambda level: [_row(x) for x in level.backprop()])


def _row(gradient: Any) -> list[Any] | None:
    return None if gradient is None else [gradient]


def _array_graph(worked: Worked, point: Mapping[str, Any]) -> _Written:
    import numpy as np

    from gradcheck.arithmetic import arrays
    from gradcheck.arithmetic.scalarize import gathered, single_numbers, written_out
    from gradcheck.engines.backprop import backprop

    graph = worked.chart.graph
    given = {name: np.asarray(point[name]) for name in graph.inputs}
    indices = {name: x for name, x in given.items() if x.dtype.kind == "i"}
    scalar, cells = written_out(graph, given, apart=range(len(graph)))
    places = {graph.inputs[name]: x for name, x in indices.items()}

    def sharp(level: Level) -> list[Any]:
        zero = level.system.literal("0")
        one = np.full((), level.system.literal("1"), dtype=object)
        found = backprop(graph, arrays.of(level.system), gathered(cells, level.values, places), one)
        return [None if x is None else [y + zero for y in np.ravel(x)] for x in found]

    flat = [[] if k in places else np.ravel(one).tolist() for k, one in enumerate(cells)]
    return _Written(scalar, single_numbers(given), flat, sharp)


class _Proofs:
    """What is known of each gradient so far.

    Attributes:
        found: node → what is proved of its gradient.
        open: the nodes of which more digits could say more.
    """

    def __init__(self, worked: Worked, written: _Written, floats: Sequence[float | None]) -> None:
        self.worked = worked
        self.written = written
        # Zeros are judged against what the function's own values would suggest, as in the comparison.
        self.largest = max((abs(x) for x in floats if x is not None and math.isfinite(x)), default=1.0) or 1.0
        self.found: dict[int, Proof] = {}
        graph = worked.chart.graph
        self.open = [
            node
            for node, gradient in enumerate(worked.gradients)
            if gradient is not None and _differentiable(graph, written, node)
        ]

    def look(self, level: Level) -> None:
        """Judge what is open with so many digits."""
        from gradcheck.engines import chain, symbolic

        graph = self.written.graph
        adjoints = symbolic.adjoints(graph, level.system, level.values, level.system.literal("1"))
        sharp = self.written.sharp(level)
        bent = upstream(graph, [k for bend in level.bends for k in graph.operands(bend)])
        # SymPy is not asked of the zeros of a padding.
        moves = chain.depends_on_inputs(graph)
        zero, still = level.system.literal("0"), []
        for node in self.open:
            if sharp[node] is None:
                continue
            cells = self.written.cells[node]
            truth = [adjoints[k] if moves[k] else own for k, own in zip(cells, sharp[node], strict=True)]
            truth = [zero if x is None else x for x in truth]
            self.found[node], unsure = self._proof(node, sharp[node], truth, [cell in bent for cell in cells])
            if unsure:
                still.append(node)
        self.open = still

    def _proof(self, node: int, sharp: list[Any], truth: list[Any], behind: list[bool]) -> tuple[Proof, bool]:
        """Return the verdict on one gradient, that of its worst number, and whether more digits could change it."""
        rough, values = self.worked.gradients[node], self.worked.values[node]
        numbers, at = (x.ravel().tolist() if shape_of(x) else [float(x)] for x in (rough, values))
        # An element of a branch that is not taken may have no value.
        scales = [self.largest / (abs(x) if math.isfinite(x) and x else 1.0) for x in at]
        verdicts = [_verdict(*one) for one in zip(numbers, sharp, truth, scales, behind, strict=True)]
        floats: Any = [to_float(x) for x in truth]
        if hasattr(rough, "shape"):
            import numpy as np

            floats = np.array(floats).reshape(rough.shape)
        else:
            (floats,) = floats
        return Proof(judge.overall([v.word for v in verdicts]), floats), any(v.open for v in verdicts)


def _verdict(rough: float, sharp: Any, truth: Any, scale: float, conventional: bool) -> Verdict:
    if conventional:
        # At a kink each rule follows a convention: that two of them are alike proves nothing.
        return Verdict(judge.KINK)
    return judge.judge(Answer(rough, sharp), Answer(to_float(truth), truth), None, scale)
