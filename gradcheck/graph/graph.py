"""A computation graph is a flat list of gates in the order in which they can be computed.

Nodes are numbers; everything about them lies in parallel lists, so that a graph of a million
gates is a few arrays and every pass over it is one loop. The graph does not know what any op
does: a number system brings the functions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.errors import Source

INPUT = "input"
CONSTANT = "constant"
LONGEST = 40
"""Characters of a subexpression that is quoted."""

NONE = -1
MORE = -2

Params = tuple[tuple[str, Any], ...]
"""Static parameters of a gate, sorted by name."""


class Group(NamedTuple):
    """Gates that people see as one op.

    Attributes:
        op: the op.
        operands: its operands; the group is what lies between them and its last gate.
        params: its static parameters.
    """

    op: str
    operands: tuple[int, ...]
    params: Params


class Graph:
    """A flat computation graph.

    Attributes:
        source: the text it came from.
        ops: the op name of each node; `input` and `constant` for leaves.
        left, right: operand nodes; `right` is NONE for a unary gate, and MORE for a gate with
            three or more operands, which are then in `rest`.
        params: static parameters, for the gates that have any.
        start, end, at: where the node stands in the source: its extent, and the place of its
            operator or function name.
        inputs: input name → node, in order of appearance.
        constants: constant node → its text.
        literals: constants that are exact decimals, from the definition of an op; others are float64s.
        stages: stage name → node, in order of appearance.
        output: the node whose gradient is taken.
        owners: (first node, name) of each part of a network, in order; empty for an expression.
        groups: last gate of a group → what it is, where a layer has said so; empty for an expression.
        append: the append methods of the columns, in the order ops, left, right, start, end, at.
    """

    __slots__ = (
        "append", "at", "constants", "end", "groups", "inputs", "left", "literals", "ops", "output", "owners",
        "params", "rest", "right", "source", "stages", "start",
    )  # fmt: skip

    def __init__(self, source: Source) -> None:
        self.source = source
        self.ops: list[str] = []
        self.left = array("i")
        self.right = array("i")
        self.rest: dict[int, tuple[int, ...]] = {}
        self.params: dict[int, Params] = {}
        self.start = array("i")
        self.end = array("i")
        self.at = array("i")
        self.inputs: dict[str, int] = {}
        self.constants: dict[int, str] = {}
        self.literals: set[int] = set()
        self.stages: dict[str, int] = {}
        self.output = NONE
        self.owners: list[tuple[int, str]] = []
        self.groups: dict[int, Group] = {}
        columns = (self.ops, self.left, self.right, self.start, self.end, self.at)
        self.append: tuple[Callable[[Any], None], ...] = tuple(column.append for column in columns)

    def __len__(self) -> int:
        return len(self.ops)

    def add(self, op: str, left: int, right: int, start: int, end: int, at: int) -> int:
        """Add a node with at most two operands; the parser's fast path."""
        add_op, add_left, add_right, add_start, add_end, add_at = self.append
        node = len(self.ops)
        add_op(op)
        add_left(left)
        add_right(right)
        add_start(start)
        add_end(end)
        add_at(at)
        return node

    def input(self, name: str, span: tuple[int, int, int] = (0, 0, 0)) -> int:
        """Return the node of the input `name`, adding it on first use."""
        node = self.inputs.get(name)
        if node is None:
            node = self.inputs[name] = self.add(INPUT, NONE, NONE, *span)
        return node

    def constant(self, text: str, span: tuple[int, int, int] = (0, 0, 0)) -> int:
        """Add a constant leaf."""
        node = self.add(CONSTANT, NONE, NONE, *span)
        self.constants[node] = text
        return node

    def gate(
        self,
        op: str,
        operands: Sequence[int],
        params: Params = (),
        span: tuple[int, int, int] = (0, 0, 0),
    ) -> int:
        """Add a gate and return its node; its operands must already be in the graph."""
        count = len(operands)
        right = NONE if count == 1 else operands[1] if count == 2 else MORE
        node = self.add(op, operands[0], right, *span)
        if count > 2:
            self.rest[node] = tuple(operands)
        if params:
            self.params[node] = params
        return node

    def row(self, op: str, operands: Sequence[Sequence[int]], span: tuple[int, int, int]) -> range:
        """Add a gate for each element of the columns `operands`, and return their nodes."""
        first, count = len(self.ops), len(operands[0])
        right = [NONE] * count if len(operands) == 1 else operands[1] if len(operands) == 2 else [MORE] * count
        self.ops.extend([op] * count)
        self.left.extend(operands[0])
        self.right.extend(right)
        for column, place in zip((self.start, self.end, self.at), span, strict=True):
            column.extend([place] * count)
        nodes = range(first, first + count)
        if len(operands) > 2:
            self.rest.update(zip(nodes, zip(*operands, strict=True), strict=True))
        return nodes

    @property
    def gates(self) -> list[int]:
        """The nodes that compute something, in order."""
        return [node for node, left in enumerate(self.left) if left >= 0]

    def operands(self, node: int) -> tuple[int, ...]:
        """Return the operand nodes of a gate; () for a leaf."""
        right = self.right[node]
        if right >= 0:
            return (self.left[node], right)
        if right == MORE:
            return self.rest[node]
        left = self.left[node]
        return (left,) if left >= 0 else ()

    def text(self, node: int) -> str:
        """Return the node's own text in the source; empty if the graph has none."""
        if node >= len(self.start):
            return ""
        return self.source.text[self.start[node] : self.end[node]]

    def span(self, node: int) -> tuple[int, int]:
        """Return the extent of the node in the source."""
        if node >= len(self.start):
            return 0, 0
        return self.start[node], self.end[node]

    def owner(self, node: int) -> str | None:
        """Return the name of the part of a network that the node belongs to."""
        place = bisect_right(self.owners, node, key=lambda part: part[0])
        return self.owners[place - 1][1] if place else None

    def title(self, node: int) -> str:
        """Return the op at a node as people write it: that of a spec's own op carries a number behind a #."""
        return self.ops[node].partition("#")[0]

    def described(self, node: int) -> str:
        """Return the op at a node and where it is: "tanh of `act1`", or "sin in `sin(x)`"."""
        op = self.title(node)
        owner = self.owner(node)
        if owner is not None:
            return f"{op} of `{owner}`"
        text = self.text(node)
        return f"{op} in `{text}`" if 0 < len(text) <= LONGEST else op

    def users(self) -> tuple[array[int], array[int]]:
        """Return the gates that use each node, as (first, user): user[first[n]:first[n + 1]]."""
        first = array("i", bytes(4 * (len(self) + 1)))
        for node in self.gates:
            for operand in self.operands(node):
                first[operand + 1] += 1
        for n in range(len(self)):
            first[n + 1] += first[n]
        user = array("i", bytes(4 * first[len(self)]))
        free = array("i", first)
        for node in self.gates:
            for operand in self.operands(node):
                user[free[operand]] = node
                free[operand] += 1
        return first, user


def downstream(graph: Graph, node: int, users: tuple[array[int], array[int]], limit: int) -> list[int] | None:
    """Return the gates whose value depends on `node`, in the order in which to compute them.

    None if there are more than `limit`.
    """
    first, user = users
    seen = {node}
    stack = [node]
    while stack:
        if len(seen) > limit:
            return None
        n = stack.pop()
        for k in range(first[n], first[n + 1]):
            u = user[k]
            if u not in seen:
                seen.add(u)
                stack.append(u)
    seen.discard(node)
    return sorted(seen)


def upstream(graph: Graph, nodes: Iterable[int]) -> set[int]:
    """Return the nodes that some are computed from, themselves included."""
    stack = list(nodes)
    found = set(stack)
    while stack:
        for operand in graph.operands(stack.pop()):
            if operand not in found:
                found.add(operand)
                stack.append(operand)
    return found


def element_name(name: str, index: tuple[int, ...]) -> str:
    """Return how an element of an input is called: W[0,2], or just x for a scalar."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def spliced(graph: Graph, sub: Graph, operands: Mapping[str, int], span: tuple[int, int, int]) -> int:
    """Copy the gates of a formula into a graph, and return the node of its value.

    Args:
        graph: the graph to add to.
        sub: the formula.
        operands: the formula's inputs → the nodes that stand for them; others are inputs of the graph too.
        span: the place of all that is added.
    """
    moved = [NONE] * len(sub)
    for name, node in sub.inputs.items():
        moved[node] = operands[name] if name in operands else graph.input(name, span)
    for node, text in sub.constants.items():
        moved[node] = graph.constant(text, span)
        if node in sub.literals:
            graph.literals.add(moved[node])
    for node in sub.gates:
        moved[node] = graph.gate(sub.ops[node], [moved[k] for k in sub.operands(node)], sub.params.get(node, ()), span)
    return moved[sub.output]
