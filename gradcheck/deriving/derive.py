"""From a graph at a point to its derivation: every stage, and what flows back from it to whom."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.system import System
from gradcheck.deriving import chart as charts
from gradcheck.deriving.chart import Chart
from gradcheck.deriving.folding import folded
from gradcheck.deriving.naming import distinct, names
from gradcheck.deriving.records import (  # fmt: skip
    CONSTANT,
    DATA,
    INPUT,
    Block,
    Derivation,
    Flow,
    Formula,
    Leaf,
    Part,
    Proof,
    Step,
    Symbol,
    shape_of,
)
from gradcheck.engines.backprop import backprop
from gradcheck.errors import DomainError, Source
from gradcheck.graph.evaluation import Values, evaluate
from gradcheck.graph.graph import Graph, Params
from gradcheck.language.parser import parse
from gradcheck.ops import CHOICES, OPS
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import Shape

SHOWN = frozenset({"axis", "n"})
"""Static parameters of compounds whose definition is what a stage shows."""


class Subject(NamedTuple):
    """What is derived.

    Attributes:
        title: the expression, or the name of the network.
        graph: its graph.
        shapes: shape of each node.
        system: the number system of `values`: float64 numbers or arrays.
        values: the value of each node.
        wanted: inputs whose gradients are asked for.
        kinds: input → its kind; INPUT for those that are missing.
        layers: name of a block → what kind of layer it is.
        output: what the output is called.
    """

    title: str
    graph: Graph
    shapes: list[Shape]
    system: System
    values: Values
    wanted: Collection[str]
    kinds: Mapping[str, str] = {}
    layers: Mapping[str, str] = {}
    output: str = ""

    @classmethod
    def at(
        cls, title: str, graph: Graph, shapes: list[Shape], point: Mapping[str, Any], arrays: bool,
        wanted: Collection[str],
    ) -> Subject:  # fmt: skip
        """Return a graph at a point where it has no value, with the values that there are."""
        system = FLOATS
        if arrays:
            from gradcheck.arithmetic.arrays import FLOAT_ARRAYS

            system = FLOAT_ARRAYS
        with system.active():
            values, _ = evaluate(graph, system, dict(point))
        return cls(title, graph, shapes, system, values, wanted)


class Worked(NamedTuple):
    """A chart with all its numbers.

    Attributes:
        chart: the chart.
        values, gradients: of each node; a gradient is None where nothing flows.
        flows: gate → what goes back to each operand.
    """

    chart: Chart
    values: Values
    gradients: list[Any]
    flows: dict[int, list[Any]]


def work_out(subject: Subject, expand: bool = False) -> Worked:
    """Choose the stages, and run backprop over them.

    Args:
        subject: what is derived.
        expand: whether every op with a definition is opened up, and no group is closed.
    """
    system = subject.system
    chart = charts.original(subject.graph, subject.shapes)
    chart = charts.opened(chart, system, subject.values) if expand else charts.shortened(chart, subject.values)
    chart = charts.summed(chart)
    values = charts.evaluated(chart, system, subject.values)
    seed: Any = 1.0
    if system.accumulate is not None:
        import numpy as np

        seed = np.ones(())
        values = [np.asarray(value) for value in values]
    flows: dict[int, list[Any]] = {}
    with system.active():
        gradients = backprop(chart.graph, system, values, seed, flows)
    return Worked(chart, values, gradients, flows)


def derive(subject: Subject, worked: Worked, proofs: Mapping[int, Proof] | None = None) -> Derivation:
    """Return the derivation as records.

    Args:
        subject: what is derived.
        worked: its stages and numbers.
        proofs: node of the chart → what SymPy says of its gradient.
    """
    return _Writer(subject, worked, proofs or {}).derivation()


def derive_until(subject: Subject, problem: DomainError) -> Derivation:
    """Return the forward pass up to the gate that has no value, which is the last step.

    Args:
        subject: the graph and the values that there are.
        problem: why it has none.
    """
    chart = charts.original(subject.graph, subject.shapes)
    worked = Worked(chart, subject.values, [None] * len(subject.graph), {})
    whole = _Writer(subject, worked, {}).derivation()
    steps = tuple(step for step in whole.steps if problem.node is None or step.node <= problem.node)
    used = {name for step in steps for name in step.operands}
    leaves = tuple(leaf for leaf in whole.leaves if leaf.name in used or leaf.kind != CONSTANT)
    numbers = {step.number for step in steps}
    blocks = tuple(
        block._replace(steps=tuple(n for n in block.steps if n in numbers))
        for block in whole.blocks
        if not numbers.isdisjoint(block.steps)
    )
    return whole._replace(leaves=leaves, steps=steps, blocks=blocks, stopped=problem.message)


class _Writer:
    def __init__(self, subject: Subject, worked: Worked, proofs: Mapping[int, Proof]) -> None:
        self.subject = subject
        self.chart, self.values, self.gradients, self.flows = worked
        self.graph = self.chart.graph
        self.proofs = proofs
        self.named = names(self.graph)
        self.named |= distinct(self.graph.constants, self.named.values())
        self.fixed = {self.named[node] for node in self.graph.constants}
        self.nodes = {name: node for node, name in self.named.items()}
        self.numbers = {node: k for k, node in enumerate(self.graph.gates, 1)}
        # Many gates are of one op: each rule is folded and compiled once.
        self.folded: dict[Any, Graph] = {}
        self.compiled: dict[Any, Callable[..., Any]] = {}
        self.wants = self._wants()
        self.live = self._live()
        self.parts = self._parts()

    def _wants(self) -> list[bool]:
        """Return for each node whether a wanted input lies behind it."""
        graph, found = self.graph, [False] * len(self.graph)
        for name in self.subject.wanted:
            found[graph.inputs[name]] = True
        for node in graph.gates:
            found[node] = any(found[k] for k in graph.operands(node))
        return found

    def _live(self) -> set[int]:
        """Return the nodes that something can come back to: a condition only decides, and passes nothing on."""
        graph, found = self.graph, {self.graph.output}
        for node in reversed(graph.gates):
            if node in found and node in self.flows:
                for slot, operand in enumerate(graph.operands(node)):
                    if self.flows[node][slot] is not None and not (slot == 0 and graph.ops[node] in CHOICES):
                        found.add(operand)
        return found

    def flowing(self, node: int, slot: int) -> Any:
        """Return what goes back from a gate to an operand that wants it; None if nothing does."""
        operand = self.graph.operands(node)[slot]
        if node not in self.live or node not in self.flows or not self.wants[operand]:
            return None
        return None if slot == 0 and self.graph.ops[node] in CHOICES else self.flows[node][slot]

    def _parts(self) -> dict[int, tuple[Part, ...]]:
        """Return the contributions to each node, in the order in which backprop adds them up."""
        found: dict[int, list[Part]] = {}
        for node in reversed(self.graph.gates):
            for slot, operand in enumerate(self.graph.operands(node)):
                flow = self.flowing(node, slot)
                if flow is not None:
                    found.setdefault(operand, []).append(Part(self.numbers[node], slot, flow))
        return {node: tuple(parts) for node, parts in found.items()}

    def formula(self, row: Op, text: str, params: Params, known: Mapping[str, Symbol]) -> Formula:
        """Return a rule at a gate; operands that are numbers stand in it as numbers."""
        numbers = {name: symbol.name for name, symbol in known.items() if symbol.name in self.fixed and name != "g"}
        shapes: dict[str, Shape] = {}
        if not row.elementwise:
            shapes = {name: self.chart.shapes[self.nodes[symbol.name]] for name, symbol in known.items()}
        key = (row.name, text, repr(params), *numbers.items(), *shapes.items())
        graph = self.folded.get(key)
        if graph is None:
            graph = self.folded[key] = folded(_parsed(text, row, params), numbers, shapes)
        return Formula(graph, {name: known[name] for name in graph.inputs}, text)

    def derivation(self) -> Derivation:
        subject, graph = self.subject, self.graph
        used = {k for node in graph.gates for k in graph.operands(node)}
        leaves = [self.leaf(node) for node in graph.inputs.values()]
        leaves += [
            Leaf(self.named[node], CONSTANT, node, self.values[node])
            for node in graph.constants
            if node in used or node == graph.output
        ]
        steps = tuple(self.step(node) for node in graph.gates)
        return Derivation(
            subject.title, graph, tuple(leaves), steps, self.blocks(steps), self.named[graph.output],
            _number(self.values[graph.output]), any(self.chart.shapes) or subject.system.accumulate is not None,
            summed=f"sum of {subject.output}" if subject.shapes[subject.graph.output] and subject.output else "",
        )  # fmt: skip

    def leaf(self, node: int) -> Leaf:
        name = self.named[node]
        kind = self.subject.kinds.get(name, INPUT)
        gradient = self.gradients[node] if self.wants[node] and node in self.live and kind != DATA else None
        return Leaf(name, kind, node, self.values[node], gradient, self.parts.get(node, ()), self.proved(node))

    def proved(self, node: int) -> Proof | None:
        """Return what SymPy says of a gradient that is shown: that of a number's stage is not."""
        return self.proofs.get(node) if self.wants[node] and node in self.live else None

    def step(self, node: int) -> Step:
        graph = self.graph
        operands = graph.operands(node)
        row = OPS[graph.ops[node]]
        symbols = {name: Symbol(self.named[k]) for name, k in zip(row.args, operands, strict=True)}
        return Step(
            self.numbers[node], self.named[node], graph.title(node), node, graph.owner(node),
            Formula(_gate(row, graph.params.get(node, ())), symbols),
            tuple(self.named[k] for k in operands), graph.params.get(node, ()),
            self.values[node], self.gradients[node] if self.wants[node] and node in self.live else None,
            self.parts.get(node, ()), self.back(node, row, symbols), row.habit,
            self.chart.replaces.get(node, "") or own_form(graph.ops[node]), self.proved(node),
        )  # fmt: skip

    def back(self, node: int, row: Op, symbols: Mapping[str, Symbol]) -> tuple[Flow, ...]:
        """Return what flows back from a gate to the operands that want it."""
        graph, operands = self.graph, self.graph.operands(node)
        texts, params = row.rules(row.ranks([self.values[k] for k in operands])), graph.params.get(node, ())
        known = {**symbols, "out": Symbol(self.named[node]), "g": Symbol(self.named[node], of_gradient=True)}
        found = []
        for slot, operand in enumerate(operands):
            value = self.flowing(node, slot)
            if value is None:
                continue
            local, partial = self.local(node, row, slot, known)
            found.append(
                Flow(
                    self.named[operand],
                    slot,
                    self.formula(row, texts[slot], params, known),
                    local,
                    partial,
                    value,
                    self.summed(node, operand) if row.elementwise else (),
                )
            )
        return tuple(found)

    def local(self, node: int, row: Op, slot: int, known: Mapping[str, Symbol]) -> tuple[Formula | None, Any]:
        """Return the local derivative for an operand, and its value."""
        if not row.partials:
            return None, None
        text, params = row.partials[slot], self.graph.params.get(node, ())
        key = (row.name, slot, repr(params))
        compiled = self.compiled.get(key)
        if compiled is None:
            compiled = self.compiled[key] = self.subject.system.careful.compile(
                [text], (*row.args, "out"), params, single=True, functions=row.functions
            )
        point = [self.values[k] for k in self.graph.operands(node)]
        with self.subject.system.active():
            try:
                value = compiled(*point, self.values[node])
            except (ArithmeticError, ValueError):
                value = self.subject.system.nan
        return self.formula(row, text, params, known), value

    def summed(self, node: int, operand: int) -> tuple[int, ...]:
        """Return the axes over which a contribution was added up, because the operand was broadcast."""
        shape, inner = shape_of(self.values[node]), shape_of(self.values[operand])
        extra = len(shape) - len(inner)
        return tuple(range(extra)) + tuple(extra + k for k, n in enumerate(inner) if n == 1 != shape[extra + k])

    def blocks(self, steps: tuple[Step, ...]) -> tuple[Block, ...]:
        found: dict[str, list[int]] = {}
        for step in steps:
            if step.block is not None:
                found.setdefault(step.block, []).append(step.number)
        return tuple(Block(name, self.subject.layers.get(name, ""), tuple(mine)) for name, mine in found.items())


def own_form(op: str) -> str:
    """Return the definition of an op that a spec defines; "" for all others."""
    return (OPS[op].form or "") if "#" in op else ""


def _number(value: Any) -> float:
    """Return the output's value; NaN for an array, which only a stopped pass ends with."""
    return float(value) if value is not None and not shape_of(value) else math.nan


def _parsed(text: str, row: Op, params: Params) -> Graph:
    if params or row.functions:
        return _parse(text, row, params)
    return _plain(text, row.args)


@lru_cache(maxsize=1024)
def _plain(text: str, args: tuple[str, ...]) -> Graph:
    return parse(Source(text, "rule"), ("g", *args, "out"), internal=True)


def _parse(text: str, row: Op, params: Params) -> Graph:
    return parse(
        Source(text, "rule"), ("g", *row.args, "out"), static_names=dict(params), internal=True, functions=row.functions
    )


def _gate(row: Op, params: Params) -> Graph:
    """Return a graph of one gate; a compound's gates are those of its definition, if that is short."""
    if row.internal and row.form is not None and SHOWN.issuperset(row.params):
        return _parsed(row.form, row, params)
    return _alone(row, params) if params else _plain_gate(row)


@lru_cache(maxsize=1024)
def _plain_gate(row: Op) -> Graph:
    return _alone(row, ())


def _alone(row: Op, params: Params) -> Graph:
    graph = Graph(Source("", row.name))
    graph.output = graph.gate(row.name, [graph.input(name) for name in row.args], params)
    return graph
