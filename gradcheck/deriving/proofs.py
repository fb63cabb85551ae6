"""Every line proved: SymPy's chain rule gives the gradient inside of the graph too.

The graph is written out as single numbers, each gate's elements apart from all others; SymPy
differentiates the definitions, and the same rules that backprop ran are run in a hundred digits.
What the verdict on a line is, `judge` decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.numbers import to_float
from gradcheck.checking import judge
from gradcheck.checking.exact import Exact, SpreadError
from gradcheck.checking.judge import Answer
from gradcheck.deriving.derive import Worked
from gradcheck.deriving.records import Proof, shape_of
from gradcheck.errors import DomainError, SizeError
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph, upstream
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape

MOST_GATES = 20_000
"""Gates, written out, up to which every line is proved: some seconds."""

EXTRA_DIGITS = 300
"""Digits that may be added to a hundred where values lie far apart."""


class _Written(NamedTuple):
    """A graph of single numbers, and where the elements of each original node are in it.

    Attributes:
        graph: the graph.
        inputs: its inputs.
        cells: original node → nodes of its elements in row-major order.
        sharp: (exact) → what the rules give for each original node, elements in row-major order.
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
        exact = Exact(written.graph, written.inputs, floats, frozenset(), EXTRA_DIGITS)
    except (SizeError, SpreadError, DomainError):
        return {}
    from gradcheck.engines import symbolic

    # Zeros are judged against what the function's own values would suggest, as in the comparison.
    largest = max((abs(x) for x in floats if x is not None and math.isfinite(x)), default=1.0) or 1.0
    with exact.system.active():
        one = exact.system.literal("1")
        adjoints = symbolic.adjoints(written.graph, exact.system, exact.values, one)
        sharp = written.sharp(exact)
        bent = {k for bend in exact.bends for k in upstream(written.graph, bend) - {bend}}
        referee = _Referee(exact, adjoints, largest, bent, symbolic.depends_on_inputs(written.graph))
        return {
            node: _proof(worked, node, written.cells[node], sharp[node], referee)
            for node, gradient in enumerate(worked.gradients)
            if gradient is not None and sharp[node] is not None and _differentiable(worked.chart.graph, written, node)
        }


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
        total += 2 * sizes[0] * inner if OPS[graph.ops[node]].contracts else 3 * max(sizes)
    return total


def _number_graph(worked: Worked, point: Mapping[str, Any]) -> _Written:
    graph = worked.chart.graph
    inputs = {name: float(point[name]) for name in graph.inputs}
    return _Written(graph, inputs, [[k] for k in range(len(graph))], lambda exact: [_row(x) for x in exact.backprop()])


def _row(gradient: Any) -> list[Any] | None:
    return None if gradient is None else [gradient]


def _array_graph(worked: Worked, point: Mapping[str, Any]) -> _Written:
    import numpy as np

    from gradcheck.arithmetic import arrays
    from gradcheck.arithmetic.scalarize import written_out
    from gradcheck.engines.backprop import backprop
    from gradcheck.graph.graph import element_name

    graph = worked.chart.graph
    given = {name: np.asarray(point[name]) for name in graph.inputs}
    indices = {name: x for name, x in given.items() if x.dtype.kind == "i"}
    scalar, cells = written_out(graph, {name: x.shape for name, x in given.items()}, indices, apart=True)
    inputs = {
        element_name(name, k): float(x[k])
        for name, x in given.items()
        if name not in indices
        for k in np.ndindex(x.shape)
    }

    def sharp(exact: Exact) -> list[Any]:
        lifted = np.frompyfunc(lambda x: exact.system.constant(repr(float(x))), 1, 1)
        numbers = {n: x if n in indices else np.asarray(lifted(x), dtype=object) for n, x in given.items()}
        system = arrays.of(exact.system)
        values, _ = evaluate(graph, system, numbers)
        values = [np.asarray(value, dtype=object) for value in values]
        zero = exact.system.literal("0")
        found = backprop(graph, system, values, np.full((), exact.system.literal("1"), dtype=object))
        return [None if x is None else [y + zero for y in np.ravel(x)] for x in found]

    places = {graph.inputs[name] for name in indices}
    flat = [[] if k in places else np.ravel(one).tolist() for k, one in enumerate(cells)]
    return _Written(scalar, inputs, flat, sharp)


class _Referee(NamedTuple):
    """What is known of the written graph.

    Attributes:
        exact: its values in a hundred digits.
        adjoints: SymPy's derivative of the output for each of its nodes.
        largest: the size of its largest value.
        bent: nodes whose gradient passes through a kink.
        moves: for each node whether an input lies behind it; SymPy is not asked of the zeros of a padding.
    """

    exact: Exact
    adjoints: list[Any]
    largest: float
    bent: Set[int]
    moves: bytearray


def _proof(worked: Worked, node: int, cells: list[int], sharp: list[Any], referee: _Referee) -> Proof:
    """Return the verdict on one gradient: that of its worst number."""
    exact, adjoints = referee.exact, referee.adjoints
    zero = exact.system.literal("0")
    values = worked.values[node]
    # An element of a branch that is not taken may have no value.
    at = [x if math.isfinite(x) else 0.0 for x in (values.ravel().tolist() if shape_of(values) else [float(values)])]
    rounding_floor = [exact.rounding_floor(x) for x in at]
    # What lies below the digits computed is zero.
    found = [adjoints[k] if referee.moves[k] else own for k, own in zip(cells, sharp, strict=True)]
    truth = [zero if x is None or abs(x) <= bar else x for x, bar in zip(found, rounding_floor, strict=True)]
    rough = worked.gradients[node]
    numbers = rough.ravel().tolist() if shape_of(rough) else [float(rough)]
    scales = [referee.largest / (abs(x) or 1.0) for x in at]
    behind = [cell in referee.bent for cell in cells]
    words = [_word(*one) for one in zip(numbers, sharp, truth, rounding_floor, scales, behind, strict=True)]
    floats: Any = [to_float(x) for x in truth]
    if hasattr(rough, "shape"):
        import numpy as np

        floats = np.array(floats).reshape(rough.shape)
    else:
        (floats,) = floats
    return Proof(judge.overall(words), floats)


def _word(rough: float, sharp: Any, truth: Any, bar: Any, scale: float, conventional: bool) -> str:
    answer, symbolic = Answer(rough, sharp, bar), Answer(to_float(truth), truth, bar, conventional=conventional)
    if conventional:
        # At a kink each rule follows a convention: that two of them are alike proves nothing.
        return judge.KINK
    return judge.judge(answer, symbolic, None, scale).word
