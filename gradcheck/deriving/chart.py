"""The graph that a derivation walks: groups in one piece or opened up, and a single number at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from math import prod
from typing import Any, NamedTuple

from gradcheck.arithmetic.system import System
from gradcheck.deriving.folding import decided, decimal
from gradcheck.deriving.shortcuts import SHORTCUTS, Found, Shortcut, matches, roots
from gradcheck.errors import Source
from gradcheck.graph.evaluation import Values, evaluate, recompute
from gradcheck.graph.graph import Graph, Group, Params
from gradcheck.language.parser import parse
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape, axes, elementwise

NEW = -1
"""Origin of a node that the original graph does not have."""

MOST_OPENED = 2_000
"""Gates beyond which nothing more is opened up."""

SUMMED = "sum of the output"
"""Part of a network to which the sum belongs that makes one number of its output."""

OVER_ALL: Params = (("axis", None), ("keepdims", False))


class Chart(NamedTuple):
    """A graph made of another.

    Attributes:
        graph: the graph.
        shapes: shape of each node.
        origin: for each node the node of the original graph with the same value; NEW if it has none.
        replaces: the original text of the nodes that stand for several gates.
    """

    graph: Graph
    shapes: list[Shape]
    origin: list[int]
    replaces: dict[int, str]


def original(graph: Graph, shapes: Sequence[Shape]) -> Chart:
    """Return a graph as a chart of itself."""
    return Chart(graph, list(shapes), list(range(len(graph))), {})


REDUCTIONS = frozenset({"sum", "mean", "prod", "amax", "amin"})


def single_numbers(graph: Graph) -> Graph:
    """Return a graph of single numbers without reductions: the mean of one number is that number."""
    copy = _Copy(original(graph, [()] * len(graph)))
    named = {*graph.stages.values(), graph.output}
    for node in graph.gates:
        if graph.ops[node] not in REDUCTIONS:
            copy.copied(node)
        elif node in named:
            copy.moved[node] = copy.gate("identity", [copy.operand(graph.left[node])], (), node)
        else:
            copy.moved[node] = copy.operand(graph.left[node])
    return copy.chart().graph


class _Copy:
    """A graph under construction from another."""

    def __init__(self, chart: Chart) -> None:
        self.old = chart
        self.result = Graph(chart.graph.source)
        self.shapes: list[Shape] = []
        self.origin: list[int] = []
        self.replaces: dict[int, str] = {}
        self.moved: dict[int, int] = {}
        self.constants: dict[tuple[str, bool], int] = {}
        for name, node in chart.graph.inputs.items():
            self.moved[node] = self.add(self.result.input(name, self.span(node)), node)

    def span(self, node: int) -> tuple[int, int, int]:
        graph = self.old.graph
        return (graph.start[node], graph.end[node], graph.at[node]) if node < len(graph.start) else (0, 0, 0)

    def add(self, node: int, old: int, shape: Shape | None = None) -> int:
        """Note down what is known of a new node."""
        self.shapes.append(self.old.shapes[old] if shape is None else shape)
        self.origin.append(NEW if shape is not None else self.old.origin[old])
        return node

    def operand(self, old: int) -> int:
        """Return the new node of an old one; numbers are copied when they are needed."""
        if old not in self.moved:
            # A number is copied when the first gate needs it: one that none needs any more is left out.
            self.moved[old] = self.constant(self.old.graph.constants[old], old, old in self.old.graph.literals)
        return self.moved[old]

    def constant(self, text: str, old: int, literal: bool) -> int:
        """Return the node of a number; that of a definition is an exact decimal (`literal`)."""
        if (text, literal) not in self.constants:
            node = self.constants[text, literal] = self.result.constant(text, self.span(old))
            if literal:
                self.result.literals.add(node)
            self.shapes.append(())
            self.origin.append(NEW)
        return self.constants[text, literal]

    def gate(self, op: str, operands: Sequence[int], params: Params, old: int, shape: Shape | None = None) -> int:
        """Add a gate in place of an old one, or with `shape` one that is new."""
        owner = self.old.graph.owner(old)
        if len(self.result.owners) and self.result.owners[-1][1] == SUMMED:
            owner = SUMMED
        if owner is not None and (not self.result.owners or self.result.owners[-1][1] != owner):
            self.result.owners.append((len(self.result), owner))
        return self.add(self.result.gate(op, operands, params, self.span(old)), old, shape)

    def copied(self, old: int) -> None:
        """Copy a gate."""
        graph = self.old.graph
        operands = [self.operand(k) for k in graph.operands(old)]
        self.moved[old] = self.gate(graph.ops[old], operands, graph.params.get(old, ()), old)
        if old in self.old.replaces:
            self.replaces[self.moved[old]] = self.old.replaces[old]

    def chart(self) -> Chart:
        """Finish: name the stages and the output."""
        graph = self.old.graph
        self.result.stages = {name: self.moved[node] for name, node in graph.stages.items()}
        self.result.output = self.operand(graph.output)
        return Chart(self.result, self.shapes, self.origin, self.replaces)


def summed(chart: Chart) -> Chart:
    """Return a chart whose output is a single number: the sum of the elements, if it was an array."""
    if not chart.shapes[chart.graph.output]:
        return chart
    copy = _Copy(chart)
    for node in chart.graph.gates:
        copy.copied(node)
    finished = copy.chart()
    if copy.result.owners:
        copy.result.owners.append((len(copy.result), SUMMED))
    end = copy.gate("sum", [finished.graph.output], OVER_ALL, chart.graph.output, ())
    finished.graph.output = end
    return finished


def shortened(chart: Chart, values: Values) -> Chart:
    """Return a chart in which every group that a layer names, or that a person recognises, is one gate.

    Args:
        chart: the chart.
        values: of the original graph; some groups are one only for certain numbers.
    """
    chart = _signed(_said(chart))
    for shortcut in SHORTCUTS:
        chosen = _choose(chart, shortcut, [None if k == NEW else values[k] for k in chart.origin])
        if chosen:
            chart = _replaced(chart, chosen)
    return chart


def _said(chart: Chart) -> Chart:
    """Return a chart in which the groups that layers name are one gate each."""
    graph = chart.graph
    chosen: Chosen = {last: (group, _between(graph, last, group.operands)) for last, group in graph.groups.items()}
    return _replaced(chart, chosen) if chosen else chart


def _between(graph: Graph, last: int, operands: Sequence[int]) -> set[int]:
    """Return the gates between operands and a gate that is computed from them."""
    found: set[int] = set()
    stack = list(graph.operands(last))
    while stack:
        node = stack.pop()
        if node not in operands and node not in found and graph.left[node] >= 0:
            found.add(node)
            stack.extend(graph.operands(node))
    return found


def _signed(chart: Chart) -> Chart:
    """Return a chart in which -2 is a number and not a gate."""
    graph = chart.graph
    named = {*graph.stages.values(), graph.output}
    numbers = {
        node
        for node in graph.gates
        if graph.ops[node] == "neg" and _is_number(graph, graph.left[node]) and node not in named
    }
    if not numbers:
        return chart
    copy = _Copy(chart)
    for node in graph.gates:
        if node in numbers:
            text = graph.constants[graph.left[node]]
            copy.moved[node] = copy.constant(f"-{text}", node, graph.left[node] in graph.literals)
        else:
            copy.copied(node)
    return copy.chart()


def _is_number(graph: Graph, node: int) -> bool:
    """Whether a node is a number that is written in digits: pi is none."""
    return node in graph.constants and graph.constants[node].startswith((".", *"0123456789"))


Chosen = dict[int, tuple[Group, AbstractSet[int]]]
"""Last gate → the op that takes its place, and the other gates that go."""


def _choose(chart: Chart, shortcut: Shortcut, values: Values) -> Chosen:
    graph = chart.graph
    chosen: Chosen = {}
    ends = roots(shortcut)
    candidates = [node for node in reversed(graph.gates) if graph.ops[node] in ends]
    if not candidates:
        return chosen
    first, user = graph.users()
    kept = {*graph.stages.values(), graph.output}
    taken: set[int] = set()
    for root in candidates:
        if root in taken:
            continue
        for match in matches(graph, root, shortcut):
            inside = match.inner | {root}
            changed = match.inner | match.merged
            outside = any(user[k] not in changed | {root} for n in changed for k in range(first[n], first[n + 1]))
            owners = {graph.owner(n) for n in inside}
            if outside or len(owners) > 1 or not changed.isdisjoint(kept | taken):
                continue
            params = shortcut.fits(Found(graph, chart.shapes, values, match, root))
            if params is not None:
                operands = tuple(match.operands[name] for name in shortcut.args.split())
                chosen[root] = (Group(shortcut.op, operands, tuple(sorted(params.items()))), match.inner)
                taken |= inside
                break
    return chosen


def _replaced(chart: Chart, chosen: Chosen) -> Chart:
    graph = chart.graph
    gone = {node for _, inner in chosen.values() for node in inner}
    copy = _Copy(chart)
    for node in graph.gates:
        if node in chosen:
            group, _ = chosen[node]
            operands = [copy.operand(k) for k in group.operands]
            copy.moved[node] = copy.gate(group.op, operands, group.params, node)
            copy.replaces[copy.moved[node]] = graph.text(node)
        elif node not in gone:
            copy.copied(node)
    return copy.chart()


def opened(chart: Chart, system: System, values: Values) -> Chart:
    """Return a chart in which every op with a definition is shown by the gates of that definition.

    An op stays closed where its definition overflows at these `values` (of the original graph).
    """
    while len(chart.graph) < MOST_OPENED:
        copy = _Copy(chart)
        known = evaluated(chart, system, values)
        changed = False
        for node in chart.graph.gates:
            definition = _definition(chart, system, node, known)
            if definition is None:
                copy.copied(node)
            else:
                changed = True
                _splice(copy, definition, node)
        if not changed:
            return chart
        chart = copy.chart()
    return chart


def _definition(chart: Chart, system: System, node: int, values: Values) -> Graph | None:
    """Return the form of an op as a graph, if it has one that can be computed here."""
    graph = chart.graph
    row = OPS[graph.ops[node]]
    if row.form is None:
        return None
    params = graph.params.get(node, ())
    form = parse(
        Source(row.form, row.name), row.args, static_names=dict(params), internal=True, functions=row.functions
    )
    operands = dict(zip(row.args, graph.operands(node), strict=True))
    with system.active():
        found, problems = evaluate(form, system, {name: values[operands[name]] for name in form.inputs})
    return None if problems or not all(map(_finite, found)) else form


def _finite(value: Any) -> bool:
    if not hasattr(value, "shape"):
        return value is not None and math.isfinite(value)
    import numpy as np

    return bool(np.all(np.isfinite(value)))


def _splice(copy: _Copy, form: Graph, node: int) -> None:
    """Put the gates of a definition in place of a gate; what follows from shapes alone becomes a number."""
    graph = copy.old.graph
    row = OPS[graph.ops[node]]
    operands = dict(zip(row.args, graph.operands(node), strict=True))
    place: dict[int, int] = {form.inputs[name]: copy.operand(operands[name]) for name in form.inputs}
    for k, text in form.constants.items():
        place[k] = copy.constant(text, node, True)
    for k in form.gates:
        inner = [place[n] for n in form.operands(k)]
        params = form.params.get(k, ())
        settled = _settled(copy, form.ops[k], inner, params)
        if settled is not None:
            place[k] = copy.constant(settled, node, True)
        else:
            shape = None if k == form.output else _shape(form.ops[k], [copy.shapes[n] for n in inner], params)
            place[k] = copy.gate(form.ops[k], inner, params, node, shape)
    copy.moved[node] = place[form.output]


def _settled(copy: _Copy, op: str, operands: Sequence[int], params: Params) -> str | None:
    """Return the number that a gate of a definition is, whatever the values are; None if it is none."""
    if op == "count":
        shape = copy.shapes[operands[0]]
        return str(prod(shape[k] for k in axes(shape, dict(params)["axis"])))
    return decided(op, [decimal(copy.result.constants.get(n)) for n in operands])


def _shape(op: str, shapes: Sequence[Shape], params: Params) -> Shape:
    rule = OPS[op].shape
    return elementwise(*shapes) if rule is None else rule(*shapes, **dict(params))


def evaluated(chart: Chart, system: System, values: Values) -> Values:
    """Return the value of each node: the original's where there is one, else computed from those."""
    graph = chart.graph
    result: Values = [None if k == NEW else values[k] for k in chart.origin]
    for node, text in graph.constants.items():
        result[node] = system.literal(text) if node in graph.literals else system.constant(text)
    new = [node for node in graph.gates if chart.origin[node] == NEW]
    with system.active():
        recompute(graph, system, result, new)
    return result
