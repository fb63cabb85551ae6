"""An array graph written out as a graph of single numbers, one gate an element.

Array ops disappear here by their definitions, so that the engines that know only calculus of
single numbers (SymPy, high-precision differences) check every array rule from outside.
Sums become balanced trees: changing one element changes only logarithmically many gates.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from gradcheck.arithmetic import matrices
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.structural import MOVES, _normal
from gradcheck.arithmetic.system import System
from gradcheck.errors import SizeError
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph, Params, element_name
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape

MAX_GATES = 400_000
"""Single-number gates that the exact engines will write out."""

Span = tuple[int, int, int]


def written_out(graph: Graph, point: Mapping[str, Any], apart: Container[int] = ()) -> tuple[Graph, list[Any]]:
    """Write `graph` out for inputs of the shapes that they have at a point, and return the elements of every node.

    Args:
        graph: the graph.
        point: its inputs. Whole-number arrays, which say where to look things up, are not numbers to
            calculate with and do not become nodes; other numbers decide about nothing but the order in which
            a matrix is eliminated.
        apart: the gates that get nodes of their own although they only move elements, or use one element of
            their result for another: then the gradient of an element is that of this gate's value, and not of
            all that share the number.

    Returns:
        the graph of single numbers, whose output is the sum of the output's elements, and for each node
        an array of the nodes of its elements.

    Raises:
        SizeError: if that takes more than MAX_GATES gates.
    """
    for name, x in point.items():
        if x.size > MAX_GATES:
            raise _too_many(graph, graph.span(graph.inputs[name]))
    builder = _Builder(graph, point)
    values: list[Any] = [None] * len(graph)
    positions = {graph.inputs[name] for name, x in point.items() if x.dtype.kind == "i"}
    for name, node in graph.inputs.items():
        if node in positions:
            values[node] = point[name]
            continue
        span = (graph.start[node], graph.end[node], graph.at[node])
        shape = point[name].shape
        ids = [builder.result.input(element_name(name, k), span) for k in np.ndindex(shape)]
        values[node] = np.array(ids, dtype=np.int64).reshape(shape)
    for node, text in graph.constants.items():
        made = builder.literal(text) if node in graph.literals else builder.constant(text)
        values[node] = np.array(made, dtype=np.int64)
    for node in graph.gates:
        builder.span = (graph.start[node], graph.end[node], graph.at[node])
        if (owner := graph.owner(node)) is not None:
            builder.result.owners.append((len(builder.result), owner))
        known = len(builder.result)
        if graph.ops[node] == "lookup":
            # Positions are numbers to look at, not nodes.
            assert graph.right[node] in positions
        function = builder.system.function(graph.ops[node], graph.params.get(node, ()))
        values[node] = np.asarray(function(*[values[k] for k in graph.operands(node)]))
        if node in apart and _shared(builder.result, values[node], known):
            values[node] = builder.elementwise("identity", values[node])
    builder.span = (graph.start[graph.output], graph.end[graph.output], graph.at[graph.output])
    total = builder.system.function("sum", (("axis", None), ("keepdims", False)))(values[graph.output])
    builder.result.output = int(total)
    return builder.result, values


def _shared(graph: Graph, cells: Any, known: int) -> bool:
    """Return whether the cells of a gate are nodes from before it, or go on to be used within it."""
    if (cells < known).any():
        return True
    within = [operand for node in range(known, len(graph)) for operand in graph.operands(node)]
    return bool(np.isin(cells, within).any())


def single_numbers(point: Mapping[str, Any]) -> dict[str, float]:
    """Return the inputs of a graph written out, by name; whole numbers, which say where to look, are none."""
    return {
        element_name(name, k): float(x[k])
        for name, x in point.items()
        if x.dtype.kind != "i"
        for k in np.ndindex(x.shape)
    }


def gathered(cells: Sequence[Any], numbers: Sequence[Any], indices: Mapping[int, Any]) -> list[Any]:
    """Return the value of each node of the original graph, as arrays of the numbers of the one written out.

    Args:
        cells: for each node an array of the nodes of its elements.
        numbers: the value of each of these.
        indices: the integer arrays among the inputs, by node.
    """
    look_up = np.frompyfunc(numbers.__getitem__, 1, 1)
    return [indices[k] if k in indices else np.asarray(look_up(one), dtype=object) for k, one in enumerate(cells)]


def _too_many(graph: Graph, span: tuple[int, int]) -> SizeError:
    return SizeError(
        f"written out element by element, this takes more than {MAX_GATES:,} gates",
        graph.source, span, "give smaller arrays: a rule that is right for 5×10 is right for 500×1000",
    )  # fmt: skip


class _Tracing(System):
    """The system whose numbers are nodes of a graph under construction."""

    def __init__(self, builder: _Builder) -> None:
        super().__init__("graph", builder.natives(), builder.constant, literal=builder.literal, inline={})
        self.builder = builder

    def function(self, op: str, params: Params = ()) -> Callable[..., Any]:
        if op not in self.natives and OPS[op].elementwise:
            return lambda *x: self.builder.elementwise(op, *x)
        return super().function(op, params)


class _Builder:
    def __init__(self, graph: Graph, point: Mapping[str, Any]) -> None:
        self.inputs = single_numbers(point)
        self.result = Graph(graph.source)
        self.span: Span = (0, 0, 0)
        self.constants: dict[str, int] = {}
        self.system = _Tracing(self)

    def constant(self, text: str) -> int:
        node = self.constants.get(text)
        if node is None:
            node = self.constants[text] = self.result.constant(text, self.span)
        return node

    def literal(self, text: str) -> int:
        """Return the node of a number in an op's definition, which is exact as it is written."""
        key = f"exactly {text}"
        if key not in self.constants:
            self.constants[key] = self.result.constant(text, self.span)
            self.result.literals.add(self.constants[key])
        return self.constants[key]

    def elementwise(self, op: str, *operands: Any) -> Any:
        arrays = np.broadcast_arrays(*operands)
        if len(self.result) + arrays[0].size > MAX_GATES:
            raise _too_many(self.result, (self.span[0], self.span[1]))
        nodes = self.result.row(op, [a.ravel().tolist() for a in arrays], self.span)
        return np.arange(nodes.start, nodes.stop).reshape(arrays[0].shape)

    def tree(self, op: str, nodes: list[int], empty: str) -> int:
        """Combine nodes pairwise, level by level."""
        if op in ("max", "min"):
            # A padded window holds an element twice: max(x, x) would look like a tie.
            nodes = list(dict.fromkeys(nodes))
        return int(self.trees(op, np.array([nodes], dtype=np.int64), empty)[0])

    def trees(self, op: str, rows: Any, empty: str) -> Any:
        """Combine the nodes of each row pairwise, level by level, all rows at once."""
        if not rows.shape[1]:
            return np.full(len(rows), self.constant(empty))
        while rows.shape[1] > 1:
            pairs = self.elementwise(op, rows[:, :-1:2], rows[:, 1::2])
            rows = np.concatenate([pairs, rows[:, rows.shape[1] & ~1 :]], axis=1)
        return rows[:, 0]

    def reduction(self, op: str, empty: str) -> Callable[..., Any]:
        def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            x = np.asarray(x)
            axes = _normal(x, axis)
            kept = [n for k, n in enumerate(x.shape) if k not in axes]
            moved = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
            rows = moved.reshape(prod(kept), prod(x.shape[k] for k in axes))
            if op in ("max", "min"):
                flat = np.array([self.tree(op, row.tolist(), empty) for row in rows], dtype=np.int64)
            else:
                flat = self.trees(op, rows, empty)
            return flat.reshape([1 if k in axes else n for k, n in enumerate(x.shape)] if keepdims else kept)

        return reduce

    def matmul(self, x: Any, y: Any) -> Any:
        left = x[None, :] if x.ndim == 1 else x
        right = y[:, None] if y.ndim == 1 else y
        products = self.elementwise("mul", left[..., :, :, None], right[..., None, :, :])
        total = self.reduction("add", "0")(products, axis=-2)
        if x.ndim == 1:
            total = total[..., 0, :]
        return total[..., 0] if y.ndim == 1 else total

    def at_point(self, x: Any) -> Any:
        """Return the numbers of nodes at the point."""
        numbers, _ = evaluate(self.result, FLOATS, self.inputs)
        return np.array(numbers, dtype=float)[x]

    def order(self, x: Any) -> Any:
        """Return the order of the rows in which each matrix is eliminated, by its numbers at the point."""
        return matrices.pivoted(self.at_point(x))

    def determinant(self, x: Any) -> Any:
        if x.shape[-1] > matrices.LAPLACE and (np.linalg.matrix_rank(self.at_point(x)) < x.shape[-1]).any():
            whole = lambda k: np.array(self.literal(str(k)))  # noqa: E731 (an argument)
            return matrices.divided_by_whole_numbers(self.elementwise, self.matmul, whole, x)
        return matrices.determinant(self.elementwise, x, lambda: self.order(x))

    def inverse(self, x: Any) -> Any:
        if not x.ndim:
            return self.elementwise("reciprocal", x)
        unit = MOVES["eye"](self.constant("1"), shape=x.shape[-1:], zero=self.constant("0"))
        return matrices.solved(self.elementwise, x, np.broadcast_to(unit, x.shape), self.order(x))

    def solve(self, x: Any, y: Any) -> Any:
        columns = y[..., None] if y.ndim == 1 else y
        lead = np.broadcast_shapes(x.shape[:-2], columns.shape[:-2])
        x, columns = (np.broadcast_to(one, (*lead, *one.shape[-2:])) for one in (x, columns))
        found = matrices.solved(self.elementwise, x, columns, self.order(x))
        return found[..., 0] if y.ndim == 1 else found

    def filled(self, op: str) -> Callable[..., Any]:
        return lambda x, **how: MOVES[op](x, zero=self.constant("0"), **how)

    def cumsum(self, x: Any, axis: int | None = None) -> Any:
        x = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
        rows = list(x[:1])
        for row in x[1:]:
            rows.append(self.elementwise("add", rows[-1], row))
        result = np.array(rows, dtype=np.int64).reshape(x.shape)
        return result if axis is None else np.moveaxis(result, 0, axis)

    def fold(self, x: Any, *, size: Shape, **reach: Any) -> Any:
        cells = np.asarray(MOVES["windows"](np.arange(prod(size)).reshape(size), zero=-1, **reach)).ravel()
        lead = x.shape[: x.ndim - 2 * len(size)]
        flat = []
        for row in x.reshape(*lead, -1).reshape(-1, len(cells)):
            parts: list[list[int]] = [[] for _ in range(prod(size))]
            for cell, node in zip(cells.tolist(), row.tolist(), strict=True):
                if cell >= 0:
                    parts[cell].append(node)
            flat += [self.tree("add", part, "0") for part in parts]
        return np.array(flat, dtype=np.int64).reshape(*lead, *size)

    def natives(self) -> dict[str, Callable[..., Any]]:
        return {
            **MOVES,
            "count": lambda x, axis=None: np.array(self.constant(str(MOVES["count"](x, axis=axis)))),
            "sum": self.reduction("add", "0"),
            "prod": self.reduction("mul", "1"),
            "amax": self.reduction("max", "0"),
            "amin": self.reduction("min", "0"),
            "matmul": self.matmul,
            "outer": lambda x, y: self.elementwise("mul", x[:, None], y[None, :]),
            "cumsum": self.cumsum,
            **{op: self.filled(op) for op in ("windows", "diag", "tril", "triu", "eye", "pad")},
            "inv": self.inverse,
            "solve": self.solve,
            "det": self.determinant,
            "pinv": lambda x: matrices.pseudo_inverse(self.matmul, self.inverse, x),
            "cholesky": lambda x: matrices.cholesky(self.elementwise, x, self.constant("0"), self.constant("0.5")),
            "kron": lambda x, y: matrices.kron(self.elementwise, x, y),
            "sort": lambda x, axis=-1: matrices.ordered(self.elementwise, x),
            "cumprod": lambda x, axis=None: matrices.running_product(self.elementwise, x, axis),
            "fold": self.fold,
        }
