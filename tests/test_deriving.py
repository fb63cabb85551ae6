from __future__ import annotations

import math
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, networks
from support import cases, trace_of, trace_of_network

from gradcheck.arithmetic import arrays, balls
from gradcheck.arithmetic.floats import FLOATS, IEEE
from gradcheck.arithmetic.scalarize import single_numbers, written_out
from gradcheck.checking import forward
from gradcheck.checking.array_place import ArrayPlace
from gradcheck.checking.exact import Exact
from gradcheck.checking.points import given, resolve
from gradcheck.deriving import chart as charts
from gradcheck.deriving.chart import NEW, Chart
from gradcheck.deriving.derive import Subject, Worked, derive, work_out
from gradcheck.deriving.folding import folded
from gradcheck.deriving.meaning import CLOSE, meaning
from gradcheck.deriving.naming import STAGES
from gradcheck.deriving.proofs import prove
from gradcheck.deriving.records import CONSTANT, DATA, HIDDEN, Derivation, Leaf, Step, shape_of
from gradcheck.deriving.selection import focused, shallow
from gradcheck.deriving.shortcuts import SHORTCUTS, Shortcut
from gradcheck.deriving.tracer import trace
from gradcheck.engines.backprop import backprop
from gradcheck.engines.finite_difference import SMOOTH, Slope
from gradcheck.errors import DomainError, Source, UsageError
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.networks.layer import Layer
from gradcheck.networks.network import Network
from gradcheck.networks.table import LAYERS as TABLE
from gradcheck.notation.plain import PLAIN
from gradcheck.notation.printer import Piece, write
from gradcheck.ops import CHOICES, COMPOUNDS, OPS
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import reduction
from gradcheck.writing.tables import example

SPECS = pathlib.Path(__file__).parent.parent / "specs"

MATRIX = [[0.5, -1.25], [2.0, 0.75]]
ROWS = [[0.2, -1.0, 0.7], [1.5, 0.1, -0.4]]
TARGETS = [[1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]

MORE_SCALARS: list[tuple[str, dict[str, Any]]] = [
    ("2*(x*y + max(z, w))", {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0}),
    ("q = x + y; f = q*z; f^2 + q", {"x": -2.0, "y": 5.0, "z": -4.0}),
    ("x^y*y^3 - x^(-2)", {"x": 1.7, "y": 2.5}),
    ("-x^2 + (-x)^3 - (-(-x))", {"x": 1.5}),
    ("x/(y - z) - (x - y)/z", {"x": 1.2, "y": 0.4, "z": -2.0}),
    ("log(x)/sqrt(y) + log1p(x) - log2(y)*log10(x)", {"x": 2.2, "y": 3.1}),
    ("sin(x*y)*cos(x) - tan(y)*atan2(y, x)", {"x": 0.8, "y": 0.5}),
    ("abs(x)*sign(y) + cbrt(x)*expm1(y)", {"x": -1.3, "y": 0.6}),
    ("gelu(x) + silu(x*y) + mish(y) + gelu_tanh(x)", {"x": 0.7, "y": -1.1}),
    ("elu(x, y) + selu(x) + celu(x, y) + softsign(y)", {"x": -0.7, "y": 1.1}),
    ("erf(x)*lgamma(y) + erfc(x*y) + gamma(y)", {"x": 0.4, "y": 2.3}),
    ("-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))", {"y": 0.3, "z": 1.7}),
    ("clip(x, -1, z)*clip(y, 0, z) + hardtanh(x)", {"x": 0.5, "y": 3.0, "z": 2.0}),
    ("min(x, y, z)*max(x, y, z) + y", {"x": 1.0, "y": 2.5, "z": -3.0}),
    ("(exp(x) - exp(-x))/(exp(x) + exp(-x))*x", {"x": 0.7}),
    ("1/(1 + exp(-x))*log(1 + exp(y)) + inv(x) + square(y)", {"x": 0.7, "y": -0.2}),
    ("a = x*x; b = a*a; a*b + sin(a)/b", {"x": 1.1}),
    ("asin(x) + acosh(y)*atanh(x^2) + sinh(x)/cosh(y)", {"x": 0.3, "y": 1.8}),
    ("hardswish(x)*hardsigmoid(y) + relu6(x) + softshrink(y)", {"x": 1.5, "y": 0.9}),
    ("x*y - y*x + exp(-x^2/2)/sqrt(2*pi)", {"x": 0.9, "y": 2.0}),
]

MORE_ARRAYS: list[tuple[str, dict[str, Any]]] = [
    ("mean((x - y)^2)", {"x": MATRIX, "y": [[1.0, 2.0], [0.0, -1.0]]}),
    ("sum((x - y)^2)/4 + mean(x)", {"x": MATRIX, "y": [1.0, 2.0]}),
    ("-sum(t*log_softmax(z, axis=1))/2", {"z": ROWS, "t": TARGETS}),
    ("-sum(t*log(softmax(z)))", {"z": ROWS, "t": [[1.0, 2.0, 0.0], [0.0, 0.5, 0.0]]}),
    ("mean(-sum(t*log_softmax(z, axis=-1), axis=-1))", {"z": ROWS, "t": TARGETS}),
    ("sum(x, axis=1, keepdims=True)/x", {"x": MATRIX}),
    ("norm(x - 1) + norm(x, axis=0) @ y", {"x": MATRIX, "y": [2.0, -1.0]}),
    ("clip(x, -1, 1)*y + x^2", {"x": MATRIX, "y": [[3.0], [-2.0]]}),
    ("std(x) + var(x, axis=1, ddof=1) @ y", {"x": ROWS, "y": [2.0, -1.0]}),
    ("logsumexp(x, axis=1)*y + prod(x, axis=1)", {"x": ROWS, "y": 1.5}),
    ("softmax(x, axis=0)*y", {"x": ROWS, "y": [1.0, 2.0, 3.0]}),
    ("exp(v)/sum(exp(v))*w", {"v": [0.1, 0.9, -0.4], "w": [1.0, -2.0, 0.5]}),
    ("tanh(x @ W.T + b) @ v", {"x": ROWS, "W": [[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]], "b": [0.1, 0.2], "v": [1.0, 2.0]}),
    ("outer(x, y) @ x + cumsum(y) @ x", {"x": [1.0, -2.0], "y": [0.5, 2.0]}),
    ("reshape(x, shape=(3, 2)) @ y.T", {"x": ROWS, "y": MATRIX}),
    ("amax(x, axis=1) - amin(x, axis=1) + x[:, 1]*x[0, 0]", {"x": ROWS}),
    ("(x - mean(x, axis=0))/sqrt(var(x, axis=0) + 0.01)*y", {"x": ROWS, "y": [[2.0], [-1.0]]}),
    ("where(x > y, x*y, x/y)", {"x": MATRIX, "y": [[0.6, 2.0]]}),
    ("log(1 + exp(x)) + 1/(1 + exp(-x))*sum(x)", {"x": [0.3, -0.8]}),
]

EVERY = [*SCALARS, *MORE_SCALARS, *ARRAYS, *MORE_ARRAYS]


COMPARISONS = {op.name for op in OPS.values() if op.comparison}
DECIDING = CHOICES | COMPARISONS

LARGE = 1_500
"""Gates, written out, from which on four numbers of each array are differentiated: the time goes with their square."""


class Case(NamedTuple):
    """A subject, worked out."""

    subject: Subject
    point: dict[str, Any]
    worked: Worked

    @property
    def derivation(self) -> Derivation:
        return derive(self.subject, self.worked)

    @property
    def proofs(self) -> dict[str, str]:
        """The word on each quantity."""
        derivation = derive(self.subject, self.worked, prove(self.worked, self.point))
        return {name: one.proof.word for name, one in derivation.quantities.items() if one.proof is not None}


def at_point(graph: Graph, point: dict[str, Any]) -> Subject:
    shapes = infer(graph, {name: np.shape(value) for name, value in point.items()})
    arrays = any(shapes) or bool(graph.params)
    if arrays:
        point.update({name: np.asarray(value, dtype=float) for name, value in point.items()})
    system, values = forward.run(graph, point, arrays=arrays)
    return Subject(graph.source.text, graph, shapes, system, values, list(graph.inputs))


def case(text: str, at: Mapping[str, Any], expand: bool = False) -> Case:
    point = dict(at)
    subject = at_point(parse(Source(text)), point)
    return Case(subject, point, work_out(subject, expand))


def network_case(network: Network, expand: bool = False) -> Case:
    place = ArrayPlace(network.graph, dict(network.point))
    kinds = {name: tensor.kind for name, tensor in network.tensors.items()}
    subject = Subject(
        network.name, network.graph, network.shapes, place.system, place.values, network.wrt, kinds, network.layers
    )
    return Case(subject, dict(place.point), work_out(subject, expand))


def all_networks() -> list[Network]:
    return [net for path in sorted(SPECS.glob("*.yaml")) for net in networks(path.read_text(encoding="utf-8"), path)]


NETWORKS = all_networks()


class Truth:
    """A graph in balls: values from definitions, slopes by differences at any node."""

    def __init__(self, graph: Graph, point: dict[str, Any]) -> None:
        given = {name: np.asarray(value) for name, value in point.items()}
        self.graph, self.cells = written_out(graph, given, apart=range(len(graph)))
        numbers = single_numbers(given)
        floats, _ = evaluate(self.graph, FLOATS, numbers)
        self.exact = Exact(self.graph, numbers, floats)
        self.exact.left = 1e15
        self.levels = []
        for level in self.exact.levels():
            self.levels.append(level)
            if level.digits >= 400:
                break
        self.values = self.levels[-1].values
        self.largest = max(abs(x) for x in floats if x is not None and math.isfinite(x))
        self.compared = 0

    def flat(self, node: int) -> list[int]:
        return np.ravel(self.cells[node]).tolist()

    def check_value(self, node: int, value: Any) -> None:
        for cell, mine in zip(self.flat(node), np.ravel(value).tolist(), strict=True):
            real = self.values[cell]
            if real.is_finite() and math.isfinite(mine):
                assert close(mine, float(real), 1e-9, self.largest)
                self.compared += 1

    def check_gradient(self, node: int, gradient: Any) -> None:
        pairs = list(zip(self.flat(node), np.ravel(gradient).tolist(), strict=True))
        if len(self.graph) > LARGE:
            pairs = pairs[:: max(1, len(pairs) // 4)]
        for cell, mine in pairs:
            # A step changes what a condition decides, however small it is; nothing may flow there.
            if not self.values[cell].is_finite() or self.graph.ops[cell] in COMPARISONS:
                assert mine == 0
                continue
            slope = self.slope(cell)
            at = abs(float(self.values[cell])) or 1.0
            if slope.kind == SMOOTH:
                assert close(mine, float(slope.value), 1e-9, self.largest / at)
            else:
                sides = [side for side in (slope.left, slope.right) if side is not None]
                assert min(float(s.lower()) for s in sides) <= mine <= max(float(s.upper()) for s in sides)
            self.compared += 1

    def slope(self, cell: int) -> Slope:
        for level in self.levels:
            slope = self.exact.slope(level, cell)
            if slope is not None and slope.value is not None:
                break
        assert slope is not None
        return slope


def close(mine: float, real: float, relative: float, scale: float = 1.0) -> bool:
    return abs(mine - real) <= relative * abs(real) + 1e-13 * scale


def check_all(one: Case, truth: Truth, places: list[int], nodes: dict[str, int]) -> None:
    """Compare everything that a derivation says; `places` lead from nodes of the chart to those of the truth."""
    derivation = one.derivation
    for name, quantity in derivation.quantities.items():
        place = places[nodes[name]]
        if place == NEW or (isinstance(quantity, Leaf) and quantity.kind == CONSTANT):
            continue
        if np.asarray(quantity.value).dtype.kind != "i":
            truth.check_value(place, quantity.value)
        if quantity.gradient is not None:
            truth.check_gradient(place, quantity.gradient)
        elif isinstance(quantity, Leaf) and name in one.subject.wanted and quantity.kind != DATA:
            truth.check_gradient(place, np.zeros(shape_of(quantity.value)))
    assert close(derivation.value, float(truth.values[truth.graph.output]), 1e-9, truth.largest)


def nodes_of(derivation: Derivation) -> dict[str, int]:
    return {name: one.node for name, one in derivation.quantities.items()}


# Every number against engines that know neither the rules nor the shortcuts


@pytest.mark.parametrize(("text", "at"), EVERY)
def test_every_number_of_an_expression(text: str, at: dict[str, Any]) -> None:
    one = case(text, at)
    truth = Truth(one.subject.graph, one.point)
    check_all(one, truth, one.worked.chart.origin, nodes_of(one.derivation))
    assert truth.compared >= 2 * len(at)


@pytest.mark.parametrize(("text", "at"), EVERY[::2])
def test_every_number_of_an_opened_expression(text: str, at: dict[str, Any]) -> None:
    one = case(text, at, expand=True)
    graph = one.worked.chart.graph
    truth = Truth(graph, one.point)
    check_all(one, truth, list(range(len(graph))), nodes_of(one.derivation))
    assert truth.compared >= 2 * len(at)


def test_there_are_all_the_specs() -> None:
    assert len(NETWORKS) == 26


@pytest.mark.parametrize("network", NETWORKS, ids=lambda net: net.name)
def test_every_number_of_a_spec(network: Network) -> None:
    one = network_case(network)
    truth = Truth(network.graph, one.point)
    check_all(one, truth, one.worked.chart.origin, nodes_of(one.derivation))
    assert truth.compared > len(network.graph.inputs)


def check_shares(one: Case) -> int:
    """Compare what each gate hands back with the differences of that gate alone, under its upstream gradient."""
    graph, compared = one.worked.chart.graph, 0
    arrays = one.subject.system.accumulate is not None
    for step in one.derivation.steps:
        row = OPS[graph.ops[step.node]]
        # An element of a branch that is not taken may have no value.
        if row.name in DECIDING or not step.flows or not np.all(np.isfinite(step.value)):
            continue
        alone = Graph(Source(""))
        inputs = [alone.input(f"a{k}") for k in range(len(step.operands))]
        end = alone.gate("mul", [alone.gate(row.name, inputs, step.params), alone.input("g")])
        alone.output = alone.gate("sum", [end], charts.OVER_ALL) if arrays else end
        point = {f"a{k}": one.worked.values[n] for k, n in enumerate(graph.operands(step.node))}
        truth = Truth(alone, {**point, "g": step.gradient})
        if len(truth.graph) > LARGE:
            continue
        for flow in step.flows:
            truth.check_gradient(inputs[flow.slot], flow.value)
            if flow.partial is not None and not shape_of(step.value):
                assert close(float(step.gradient * flow.partial), float(flow.value), 1e-12)
        compared += truth.compared
    return compared


@pytest.mark.parametrize(("text", "at"), EVERY)
def test_every_share(text: str, at: dict[str, Any]) -> None:
    assert check_shares(case(text, at)) >= len(at) or text == "x" or "where" in text


@pytest.mark.parametrize("network", NETWORKS, ids=lambda net: net.name)
def test_every_share_in_a_spec(network: Network) -> None:
    assert check_shares(network_case(network))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda net: net.name)
def test_the_parts_add_up_in_a_spec(network: Network) -> None:
    derivation = network_case(network).derivation
    flows = {(step.number, flow.slot): flow for step in derivation.steps for flow in step.flows}
    for name, one in derivation.quantities.items():
        for part in one.parts:
            flow = flows.pop((part.step, part.slot))
            assert flow.operand == name
            assert np.array_equal(flow.value, part.value)
        if one.parts and one.gradient is not None:
            assert np.allclose(sum(part.value for part in one.parts), one.gradient, rtol=1e-13, atol=1e-300)
    assert not flows


# Shortcuts


class Setting(NamedTuple):
    """Shapes and static parameters with which a pattern is tried; `n` is the number that stands in it."""

    shapes: tuple[tuple[int, ...], ...]
    params: dict[str, Any]
    n: int = 0


def elementwise_settings(count: int) -> list[Setting]:
    return [Setting((shape,) * count, {}) for shape in ((), (3,), (2, 3))]


def class_settings(*counts: int) -> list[Setting]:
    shapes = [((2, 3), 1), ((2, 3), -1), ((3, 2), 0), ((3,), -1)]
    return [Setting((shape, shape), {"axis": axis, "over": axis}, n) for shape, axis in shapes for n in counts]


def product_settings(transposed: bool, bias: bool) -> list[Setting]:
    return [
        Setting((shape, (4, 3) if transposed else (3, 4), *([(4,)] * bias)), {}) for shape in ((3,), (2, 3), (1, 3))
    ]


REDUCED = [
    Setting(((4,),), {"axis": None, "keepdims": False}, 4),
    Setting(((2, 3),), {"axis": 0, "keepdims": True}, 2),
    Setting(((2, 3),), {"axis": -1, "keepdims": False}, 3),
    Setting(((2, 3),), {"axis": (0, 1), "keepdims": False}, 6),
]

KEPT = [
    Setting((shape,), {"axis": axis, "keepdims": True})
    for shape, axis in (((4,), 0), ((2, 3), 0), ((2, 3), -1), ((2, 3, 2), 1))
]

SETTINGS: dict[str, list[Setting]] = {
    "sigmoid": elementwise_settings(1),
    "tanh": elementwise_settings(1),
    "softplus": elementwise_settings(1),
    "logistic_loss": elementwise_settings(2),
    "log_softmax": [Setting(((3,),), {"axis": -1}), Setting(((2, 3),), {"axis": 0})],
    "squared_error": [Setting(((3,), (3,)), {}, 3), Setting(((2, 3), (2, 3)), {}, 6)],
    "mean": REDUCED,
    "cross_entropy": class_settings(1),
    "mean_cross_entropy": class_settings(2, 5),
    "weighted_cross_entropy": class_settings(1),
    "mean_weighted_cross_entropy": class_settings(2, 5),
    "linear": product_settings(True, True),
    "linear_map": product_settings(True, False),
    "affine": product_settings(False, True),
}

OF_LAYERS = {"conv", "conv_map", "average_pool", "max_pool"}
"""Shortcuts whose patterns have many parameters: they are tried with layers."""


def settings_of(shortcut: Shortcut, pattern: str) -> list[Setting]:
    if shortcut.op == "softmax":
        return KEPT if "keepdims" in pattern else [Setting(((4,),), {})]
    return SETTINGS[shortcut.op]


PATTERNS = [
    pytest.param(shortcut, pattern, setting, id=f"{shortcut.op}: {pattern} {setting}")
    for shortcut in SHORTCUTS
    if shortcut.op not in OF_LAYERS
    for pattern in shortcut.patterns
    for setting in settings_of(shortcut, pattern)
]


SPARSE = list({one.values[:2]: one for one in PATTERNS}.values())
"""Each pattern once."""


def written(shortcut: Shortcut, pattern: str, setting: Setting) -> tuple[Graph, dict[str, Any]]:
    """Return a pattern times a number, as a graph, and a point."""
    text = pattern.replace("/n", f"/{setting.n}")
    graph = parse(Source(text), static_names=setting.params, internal=True)
    rng = np.random.default_rng(len(text))
    point = {
        name: rng.uniform(-1.5, 1.5, shape) for name, shape in zip(shortcut.args.split(), setting.shapes, strict=True)
    }
    if "cross_entropy" in shortcut.op and "weighted" not in shortcut.op:
        axis = setting.params["axis"]
        rows = np.broadcast_to([0.25, 0.5, 0.25], (*np.moveaxis(point["t"], axis, -1).shape[:-1], 3))
        point["t"] = np.moveaxis(rows, -1, axis)
    graph.output = graph.gate("mul", [graph.output, graph.input("w")])
    return graph, {**point, "w": 1.75}


def root_of(graph: Graph) -> int:
    return graph.operands(graph.output)[0]


def shortened(subject: Subject) -> Chart:
    return charts.shortened(charts.original(subject.graph, subject.shapes), subject.values)


def op_at(chart: Chart, node: int) -> str:
    """Return the op that has the value of a node of the original graph; "" if none has."""
    return chart.graph.ops[chart.origin.index(node)] if node in chart.origin else ""


def same_gradients(one: Case) -> None:
    """Compare all gradients with those of backprop over the graph as it was."""
    subject = one.subject
    seed: Any = 1.0
    if subject.system.accumulate is not None:
        seed = np.ones(subject.shapes[subject.graph.output])
    with subject.system.active():
        plain = backprop(subject.graph, subject.system, list(map(as_it_is, subject.values)), seed)
    compared = 0
    for mine, node in zip(one.worked.gradients, one.worked.chart.origin, strict=True):
        if (node != NEW and subject.graph.left[node] >= 0) or node in subject.graph.inputs.values():
            assert np.allclose(flowing(mine), flowing(plain[node]), rtol=1e-10, atol=1e-13)
            compared += 1
    assert compared >= len(subject.graph.inputs)


def flowing(gradient: Any) -> Any:
    """Return a gradient; zero where nothing flows."""
    return 0.0 if gradient is None else gradient


def as_it_is(value: Any) -> Any:
    return value if isinstance(value, float) else np.asarray(value)


@pytest.mark.parametrize(("shortcut", "pattern", "setting"), PATTERNS)
def test_a_shortcut_is_taken(shortcut: Shortcut, pattern: str, setting: Setting) -> None:
    graph, point = written(shortcut, pattern, setting)
    subject = at_point(graph, point)
    one = Case(subject, point, work_out(subject))
    chart = one.worked.chart
    assert op_at(chart, root_of(graph)) == shortcut.op
    assert len(chart.graph.gates) == 2 + bool(chart.shapes[-2])
    node = chart.origin.index(root_of(graph))
    assert chart.replaces[node]
    with subject.system.active():
        function = subject.system.function(shortcut.op, chart.graph.params.get(node, ()))
        value = function(*[one.worked.values[k] for k in chart.graph.operands(node)])
    assert np.allclose(value, subject.values[root_of(graph)], rtol=1e-12, atol=1e-14)
    same_gradients(one)


def inner_gates(graph: Graph) -> list[int]:
    """Return the gates that a shortcut hides; the minus sign of a number is none."""
    return [
        node
        for node in graph.gates
        if node not in (root_of(graph), graph.output)
        and not (graph.ops[node] == "neg" and graph.left[node] in graph.constants)
    ]


@pytest.mark.parametrize(("shortcut", "pattern", "setting"), SPARSE)
def test_a_shortcut_hides_no_named_stage(shortcut: Shortcut, pattern: str, setting: Setting) -> None:
    for place in range(len(inner_gates(written(shortcut, pattern, setting)[0]))):
        graph, point = written(shortcut, pattern, setting)
        inner = inner_gates(graph)[place]
        graph.stages["h"] = inner
        chart = shortened(at_point(graph, point))
        assert chart.origin[chart.graph.stages["h"]] == inner
        assert op_at(chart, root_of(graph)) != shortcut.op


@pytest.mark.parametrize(("shortcut", "pattern", "setting"), SPARSE)
def test_a_shortcut_hides_nothing_that_is_used_elsewhere(shortcut: Shortcut, pattern: str, setting: Setting) -> None:
    for place in range(len(inner_gates(written(shortcut, pattern, setting)[0]))):
        graph, point = written(shortcut, pattern, setting)
        inner = inner_gates(graph)[place]
        root, ends = root_of(graph), [graph.output, inner]
        if any(setting.shapes):
            ends = [graph.gate("sum", [end], charts.OVER_ALL) for end in ends]
        graph.output = graph.gate("add", ends)
        subject = at_point(graph, point)
        assert op_at(shortened(subject), inner)
        assert op_at(shortened(subject), root) != shortcut.op
        same_gradients(Case(subject, point, work_out(subject)))


@pytest.mark.parametrize(("shortcut", "pattern", "setting"), PATTERNS[::5])
def test_the_root_may_be_named_and_shared(shortcut: Shortcut, pattern: str, setting: Setting) -> None:
    graph, point = written(shortcut, pattern, setting)
    root = root_of(graph)
    graph.stages["h"] = root
    graph.output = graph.gate("mul", [graph.output, root])
    subject = at_point(graph, point)
    assert op_at(shortened(subject), root) == shortcut.op


UNFIT: list[tuple[str, dict[str, Any], set[str]]] = [
    ("sum(x)/3", {"x": [1.0, 2.0, 3.0, 4.0]}, {"mean"}),
    ("sum(x, axis=0)/3", {"x": ROWS}, {"mean"}),
    ("sum(x)/n", {"x": [1.0, 2.0], "n": 2.0}, {"mean"}),
    ("1/3*sum(x)", {"x": [1.0, 2.0]}, {"mean"}),
    ("sum(x)/pi", {"x": [1.0, 2.0, 3.0]}, {"mean"}),
    ("mean((x - y)^2)", {"x": ROWS, "y": 1.0}, {"squared_error"}),
    ("mean((x - y)^2)", {"x": ROWS, "y": [1.0, 2.0, 3.0]}, {"squared_error"}),
    ("mean((x - y)^2, axis=0)", {"x": ROWS, "y": ROWS}, {"squared_error"}),
    ("mean((x - y)^3)", {"x": ROWS, "y": ROWS}, {"squared_error"}),
    ("mean((x - y)*(x + y))", {"x": ROWS, "y": ROWS}, {"squared_error"}),
    ("sum((x - y)^2)/5", {"x": ROWS, "y": ROWS}, {"squared_error", "mean"}),
    ("(x - y)^2/1", {"x": 1.0, "y": 2.0}, {"squared_error", "mean"}),
    ("exp(x)/sum(exp(x))", {"x": ROWS}, {"softmax"}),
    ("exp(x)/sum(exp(x), axis=1)", {"x": [[1.0, 2.0], [3.0, 5.0]]}, {"softmax"}),
    ("exp(x)/sum(exp(y))", {"x": [1.0, 2.0], "y": [1.0, 2.0]}, {"softmax"}),
    ("exp(x)/sum(exp(x), axis=(0, 1), keepdims=True)", {"x": ROWS}, {"softmax"}),
    ("exp(x - amax(x))/sum(exp(x - amin(x)))", {"x": [1.0, 2.0]}, {"softmax"}),
    (
        "exp(x - amax(x, axis=0, keepdims=True))/sum(exp(x - amax(x, axis=1, keepdims=True)), axis=0, keepdims=True)",
        {"x": [[1.0, 2.0], [3.0, 5.0]]}, {"softmax"},
    ),
    ("log2(softmax(x))", {"x": [1.0, 2.0]}, {"log_softmax"}),
    ("1/(2 + exp(-x))", {"x": 1.0}, {"sigmoid"}),
    ("2/(1 + exp(-x))", {"x": 1.0}, {"sigmoid"}),
    ("exp(x)/(1 + exp(y))", {"x": 1.0, "y": 1.0}, {"sigmoid"}),
    ("exp(-x)/(1 + exp(x))", {"x": 1.0}, {"sigmoid"}),
    ("(1 + exp(-x))^(-2)", {"x": 1.0}, {"sigmoid"}),
    ("(exp(3*x) - 1)/(exp(3*x) + 1)", {"x": 1.0}, {"tanh"}),
    ("(exp(2*x) - 1)/(exp(2*y) + 1)", {"x": 1.0, "y": 1.0}, {"tanh"}),
    ("(exp(x) + exp(-x))/(exp(x) - exp(-x))", {"x": 1.0}, {"tanh"}),
    ("2*sigmoid(x) - 1", {"x": 1.0}, {"tanh"}),
    ("3/(1 + exp(-2*x)) - 1", {"x": 1.0}, {"tanh"}),
    ("log(2 + exp(x))", {"x": 1.0}, {"softplus"}),
    ("-sum(t*log_softmax(z))/2.5", {"z": ROWS, "t": TARGETS}, {"mean_cross_entropy", "mean_weighted_cross_entropy"}),
    ("-sum(t*log_softmax(z))", {"z": ROWS, "t": [1.0, 0.0, 0.0]}, {"cross_entropy", "weighted_cross_entropy"}),
    ("-sum(t*log_softmax(z))", {"z": ROWS, "t": [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]}, {"cross_entropy"}),
    ("-sum(t*log_softmax(z))", {"z": ROWS, "t": [[1.0, 0.0, 0.0], [0.1, 0.2, 0.7000001]]}, {"cross_entropy"}),
    (
        "-mean(sum(t*log_softmax(z, axis=1), axis=0))", {"z": ROWS, "t": TARGETS},
        {"mean_cross_entropy", "mean_weighted_cross_entropy"},
    ),
    ("-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(w)))", {"y": 0.5, "z": 1.0, "w": 1.0}, {"logistic_loss"}),
    ("-(y*log(sigmoid(z)) + (2 - y)*log(1 - sigmoid(z)))", {"y": 0.5, "z": 1.0}, {"logistic_loss"}),
    ("-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))", {"y": 0.5, "z": [1.0, 2.0]}, {"logistic_loss"}),
    ("x @ W + b", {"x": MATRIX, "W": MATRIX, "b": MATRIX}, {"affine"}),
    ("x @ W + b", {"x": MATRIX, "W": MATRIX, "b": 1.0}, {"affine"}),
    ("x @ W + b", {"x": MATRIX, "W": MATRIX, "b": [[1.0, 2.0]]}, {"affine"}),
    ("x @ W + b", {"x": [MATRIX], "W": MATRIX, "b": [1.0, 2.0]}, {"affine"}),
    ("x @ W - b", {"x": MATRIX, "W": MATRIX, "b": [1.0, 2.0]}, {"affine"}),
    ("x @ W.T + b", {"x": MATRIX, "W": MATRIX, "b": [[1.0], [2.0]]}, {"linear"}),
    ("x @ w + b", {"x": MATRIX, "w": [1.0, 2.0], "b": [1.0, 2.0]}, {"affine", "linear"}),
    ("x.T @ W", {"x": MATRIX, "W": MATRIX}, {"linear_map"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "ops"), UNFIT)
def test_what_only_looks_like_a_shortcut(text: str, at: dict[str, Any], ops: set[str]) -> None:
    one = case(text, at)
    assert ops.isdisjoint(one.worked.chart.graph.ops)
    same_gradients(one)


@pytest.mark.parametrize(
    "flow", ["y*log(sigmoid(z)) + log(1 - sigmoid(z))*(1 - y)", "log(sigmoid(z))*y + (1 - y)*log(1 - sigmoid(z))"]
)
def test_sums_and_products_are_known_in_any_order(flow: str) -> None:
    assert "logistic_loss" in case(f"-({flow})", {"y": 0.5, "z": 1.0}).worked.chart.graph.ops


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize(
    ("text", "at", "ops"),
    [
        ("exp(2*x)/(1 + exp(2*x))", {"x": 0.7}, ["mul", "sigmoid"]),
        ("(exp(x*y) - exp(-(x*y)))/(exp(x*y) + exp(-(x*y)))", {"x": 0.7, "y": 0.4}, ["mul", "tanh"]),
        (
            "exp(x @ W)/sum(exp(x @ W))*w", {"x": [1.0, 2.0], "W": MATRIX, "w": [1.0, 3.0]},
            ["matmul", "softmax", "mul", "sum"],
        ),
        (
            "exp(1/(1 + exp(-(2*x))))/(1 + exp(1/(1 + exp(-(2*x)))))", {"x": 0.7}, ["mul", "sigmoid", "sigmoid"],
        ),
    ],
)  # fmt: skip
def test_an_operand_that_is_written_twice_is_one_stage(
    text: str, at: dict[str, Any], ops: list[str], expand: bool
) -> None:
    one = case(text, at, expand)
    graph = one.worked.chart.graph
    assert expand or [graph.ops[k] for k in graph.gates] == ops
    check_all(one, Truth(graph, one.point), list(range(len(graph))), nodes_of(one.derivation))
    outside = Truth(one.subject.graph, one.point)
    for leaf in one.derivation.leaves[: len(at)]:
        outside.check_gradient(one.subject.graph.inputs[leaf.name], leaf.gradient)
    assert set(one.proofs.values()) == {"agree"}
    assert all(step.gradient is not None for step in one.derivation.steps)


@pytest.mark.parametrize(
    "text",
    [
        "a = 2*x; exp(a)/(1 + exp(2*x)) + a",
        "a = 2*x; exp(2*x)/(1 + exp(a))",
        "a = 2*x; exp(a)/(1 + exp(2*x))",
        "m = x*x; exp(m*2)/(1 + exp((x*x)*2))*m",
    ],
)
def test_a_named_stage_is_never_one_with_another(text: str) -> None:
    one = case(text, {"x": 0.7})
    check_all(one, Truth(one.subject.graph, one.point), one.worked.chart.origin, nodes_of(one.derivation))
    assert "sigmoid" not in one.worked.chart.graph.ops


def test_a_shortcut_may_be_made_of_shortcuts() -> None:
    logits = "-sum(t*log(exp(z)/sum(exp(z), axis=1, keepdims=True)))/2"
    chart = case(logits, {"z": ROWS, "t": TARGETS}).worked.chart
    assert [chart.graph.ops[k] for k in chart.graph.gates] == ["mean_cross_entropy"]
    chart = case("2*(1/(1 + exp(-(2*x)))) - 1", {"x": 0.5}).worked.chart
    assert [chart.graph.ops[k] for k in chart.graph.gates] == ["tanh"]
    chart = case("sum((x @ W.T + b - y)^2)/4", {"x": MATRIX, "W": MATRIX, "b": [1.0, 2.0], "y": MATRIX}).worked.chart
    assert [chart.graph.ops[k] for k in chart.graph.gates] == ["linear", "squared_error"]


LAYERS = [
    ("conv", "Conv2d, in_channels: 2, out_channels: 3, kernel_size: 2", (1, 2, 4, 4)),
    ("conv_map", "Conv2d, in_channels: 2, out_channels: 3, kernel_size: 2, bias: false", (2, 2, 4, 3)),
    ("conv", "Conv2d, in_channels: 1, out_channels: 2, kernel_size: [2, 3], stride: 2, padding: 1", (2, 1, 4, 5)),
    ("conv", "Conv2d, in_channels: 2, out_channels: 2, kernel_size: 2, dilation: 2, groups: 2", (1, 2, 4, 4)),
    ("conv_map", "Conv2d, in_channels: 2, out_channels: 4, kernel_size: 2, groups: 2, bias: false", (2, 2, 3, 3)),
    ("conv", "Conv1d, in_channels: 2, out_channels: 3, kernel_size: 3, padding: 1", (2, 2, 5)),
    ("conv", "Conv2d, in_channels: 1, out_channels: 2, kernel_size: 2", (1, 3, 3)),
    ("average_pool", "AvgPool2d, kernel_size: 2", (1, 2, 4, 4)),
    ("average_pool", "AvgPool2d, kernel_size: 2, stride: 1", (2, 1, 3, 4)),
    ("average_pool", "AvgPool1d, kernel_size: 2", (1, 2, 4)),
    ("max_pool", "MaxPool2d, kernel_size: 2, stride: 1", (1, 2, 3, 4)),
    ("max_pool", "MaxPool2d, kernel_size: 2, padding: 1", (2, 1, 4, 4)),
    ("max_pool", "MaxPool1d, kernel_size: 3, stride: 2", (1, 2, 7)),
]


def layer_spec(layer: str, shape: tuple[int, ...]) -> str:
    return (
        f"gradcheck: 1\nseed: 3\ninputs: {{x: {{shape: {list(shape)}}}}}\nlayers:\n- {{name: layer, type: {layer}}}\n"
        "loss: {type: HalfSquaredErrorLoss, target: 0.5}\n"
    ).replace("loss: {type: HalfSquaredErrorLoss, target: 0.5}\n", "")


@pytest.mark.parametrize(("op", "layer", "shape"), LAYERS)
def test_layers_are_shortcuts(op: str, layer: str, shape: tuple[int, ...]) -> None:
    (network,) = networks(layer_spec(layer, shape))
    graph = network.graph
    graph.output = graph.gate("square", [graph.output])
    network.shapes.append(network.shapes[-1])
    one = network_case(network)
    chart = one.worked.chart
    assert op_at(chart, graph.stages["layer"]) == op
    assert [chart.graph.ops[k] for k in chart.graph.gates] == [op, "square", "sum"]
    same_gradients(one)
    truth = Truth(graph, one.point)
    check_all(one, truth, chart.origin, nodes_of(one.derivation))
    assert truth.compared
    assert set(one.proofs.values()) == {"agree"}


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("AvgPool2d, kernel_size: 2, divisor_override: 3", (1, 2, 4, 4)),
        ("AvgPool2d, kernel_size: 2, padding: 1, count_include_pad: false", (1, 1, 4, 4)),
        ("ZeroPad2d, padding: 1", (1, 1, 2, 2)),
        ("ConvTranspose2d, in_channels: 2, out_channels: 3, kernel_size: 2", (1, 2, 3, 3)),
    ],
)
def test_layers_that_only_look_like_a_shortcut(layer: str, shape: tuple[int, ...]) -> None:
    (network,) = networks(layer_spec(layer, shape))
    assert network.graph.groups == {}
    assert COMPOUNDS.keys().isdisjoint(network_case(network).worked.chart.graph.ops)


@pytest.mark.parametrize("row", [row for row in TABLE.values() if example(row)[2].shortcut], ids=lambda row: row.name)
def test_a_shortcut_is_the_whole_program(row: Layer) -> None:
    """What the op computes is what the layer's program computes, in exact arithmetic."""
    _, operands, plan = example(row)
    assert plan.shortcut is not None
    op, covered, more = plan.shortcut
    program = parse(Source(plan.program), covered, static_names=plan.names, internal=True)
    rng = np.random.default_rng(5)
    shapes = {"x": operands[0].shape, **{name: one.shape for name, one in plan.parameters.items()}}
    inputs = {name: rng.integers(-9, 10, shapes[name]) for name in covered}
    system = arrays.of(balls.system(60))
    lifted = {name: np.vectorize(lambda x: system.literal(str(x)), otypes=[object])(x) for name, x in inputs.items()}
    values, _ = evaluate(program, system, lifted)
    params = {name: {**plan.names, **more}[name] for name in OPS[op].params}
    found = system.function(op, tuple(sorted(params.items())))(*[lifted[name] for name in covered])
    assert np.array_equal(values[program.output], found)
    assert program.inputs.keys() == set(covered)
    if "others" in params:
        assert reduction(found.shape, axis=params["others"]) == shapes["bias"]


# Opening groups

WITH_FORMS = [op for op in OPS.values() if op.form is not None and not op.internal]

PLACES = {"x": 0.37, "y": 1.3, "a": 0.8, "lo": -1.0, "hi": 1.0}

SETTLED = {"axis": [None, 0, -1, (0, 1)], "keepdims": [False, True], "ddof": [0, 1]}


def has_value(op: Op, x: float) -> bool:
    try:
        return math.isfinite(FLOATS.function(op.name)(*[x if a == "x" else PLACES[a] for a in op.args]))
    except (ArithmeticError, ValueError):
        return False


def calls() -> list[Any]:
    found = []
    for op in WITH_FORMS:
        if op.elementwise:
            places = [0.37, [[0.37], [1.1 if has_value(op, 1.1) else 0.9]], *([-0.6] if has_value(op, -0.6) else [])]
            found += [pytest.param(op.name, x, {}, id=f"{op.name} {x}") for x in places]
            continue
        for axis in (None, 0, -1, (0, 1)) if "axis" in op.params else ():
            for keepdims in (False, True):
                params = {"axis": axis, "keepdims": keepdims} if "keepdims" in op.params else {"axis": axis}
                if "ddof" in op.params:
                    params["ddof"] = int(keepdims)
                if "keepdims" in op.params or (not keepdims and isinstance(axis, int)):
                    found.append(pytest.param(op.name, ROWS, params, id=f"{op.name} {params}"))
    return found


def test_there_are_forms_to_be_opened() -> None:
    assert len(WITH_FORMS) > 35


@pytest.mark.parametrize(("name", "x", "params"), calls())
def test_every_op_with_a_definition_can_be_opened(name: str, x: Any, params: dict[str, Any]) -> None:
    others = [argument for argument in OPS[name].args if argument != "x"]
    settings = [f"{key}={value}" for key, value in params.items()]
    text = f"w*{name}({', '.join(['x', *others, *settings])})"
    can_be_opened(name, text, {"x": x, "w": 1.75, **{other: PLACES[other] for other in others}})


ON_MATRICES = [row for row in cases("array_ops.jsonl") if OPS[row["op"]].form and "axis" not in OPS[row["op"]].params]


@pytest.mark.parametrize("row", ON_MATRICES, ids=lambda row: f"{row['expr']} at {row['at']}")
def test_every_op_on_matrices_with_a_definition_can_be_opened(row: dict[str, Any]) -> None:
    (point,) = given(row["at"])
    can_be_opened(row["op"], row["expr"], {name: resolve(value, name, 0) for name, value in point.items()})


@pytest.mark.parametrize("row", cases("array_ops.jsonl"), ids=lambda row: f"{row['expr']} at {row['at']}")
def test_every_line_about_an_array_op_is_proved(row: dict[str, Any]) -> None:
    (point,) = given(row["at"])
    found = case(row["expr"], {name: resolve(value, name, 0) for name, value in point.items()}).proofs
    assert found
    # Within a norm the sizes of elements bend where they are zero.
    assert set(found.values()) <= {"agree", "not_exercised", *["kink"] * row["expr"].startswith("w*norm(")}


def test_every_definition_is_opened() -> None:
    opened = {parameter.values[0] for parameter in calls()} | {row["op"] for row in ON_MATRICES}
    assert opened >= {op.name for op in WITH_FORMS}


def can_be_opened(name: str, text: str, at: Mapping[str, Any]) -> None:
    closed, opened = case(text, at), case(text, at, expand=True)
    ops = [opened.worked.chart.graph.ops[k] for k in opened.worked.chart.graph.gates]
    assert name in closed.worked.chart.graph.ops
    assert [op for op in ops if OPS[op].form is not None] == []
    assert len(opened.derivation.steps) >= len(closed.derivation.steps)
    assert math.isclose(opened.derivation.value, closed.derivation.value, rel_tol=1e-12)
    same_gradients(opened)
    for mine, other in zip(opened.derivation.leaves[: len(at)], closed.derivation.leaves[: len(at)], strict=True):
        assert mine.name == other.name
        assert np.allclose(flowing(mine.gradient), flowing(other.gradient), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda net: net.name)
def test_every_spec_can_be_opened(network: Network) -> None:
    opened, closed = network_case(network, expand=True), network_case(network)
    assert all(OPS[op].form is None for op in opened.worked.chart.graph.ops if op not in ("input", "constant"))
    assert len(opened.derivation.steps) >= len(closed.derivation.steps)
    wanted = [leaf for leaf in closed.derivation.leaves if leaf.gradient is not None]
    for leaf in wanted:
        # At a kink the definition may follow another convention.
        smooth = np.asarray(leaf.value) != 0 if network.name == "relu" else True
        mine = opened.derivation.quantities[leaf.name].gradient
        assert np.allclose(mine * smooth, leaf.gradient * smooth, rtol=1e-9, atol=1e-12)
    assert {block.name for block in opened.derivation.blocks} == {block.name for block in closed.derivation.blocks}


@pytest.mark.parametrize(
    ("text", "at", "stays"),
    [
        ("sigmoid(x)", {"x": -1000.0}, ["sigmoid"]),
        ("sigmoid(x)", {"x": [-1000.0, 0.5]}, ["sigmoid"]),
        ("softplus(x)*y", {"x": 1000.0, "y": 2.0}, ["softplus"]),
        ("softmax(x)", {"x": [1000.0, 0.0]}, ["softmax"]),
        ("logsumexp(x)", {"x": [1000.0, 0.0]}, ["logsumexp"]),
        ("sigmoid(x)*sigmoid(1000*x)", {"x": -1.0}, ["sigmoid"]),
        ("mish(x)", {"x": 1000.0}, ["softplus"]),
        ("logsigmoid(x) + log1p(y)", {"x": -1000.0, "y": 0.5}, ["logsigmoid"]),
    ],
)
def test_a_definition_that_overflows_stays_closed(text: str, at: dict[str, Any], stays: list[str]) -> None:
    graph = case(text, at, expand=True).worked.chart.graph
    assert [graph.ops[k] for k in graph.gates if OPS[graph.ops[k]].form is not None] == stays
    closed, opened = case(text, at), case(text, at, expand=True)
    assert closed.derivation.value == opened.derivation.value
    for leaf in closed.derivation.leaves[: len(at)]:
        assert np.allclose(opened.derivation.quantities[leaf.name].gradient, leaf.gradient)


def test_very_large_graphs_are_not_opened() -> None:
    text = "sigmoid(x)" + " + x" * charts.MOST_OPENED
    assert "sigmoid" in case(text, {"x": 0.5}, expand=True).worked.chart.graph.ops


def test_opening_closes_nothing() -> None:
    ops = case("1/(1 + exp(-x))", {"x": 0.5}, expand=True).worked.chart.graph.ops
    assert [op for op in ops if op not in ("input", "constant")] == ["neg", "exp", "add", "div"]


# Names


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("q = x + y; f = q*x; f", ["q", "f"]),
        ("f = x + y; q = f*x; sin(q) + f", ["f", "q"]),
        ("s1 = x + y; (s1*x + 1)*y", ["s1"]),
        ("df = x + y; (df*x + 1)*y", ["df"]),
        ("β = x + y; θ_1 = β*x; sin(θ_1*y)", ["β", "θ_1"]),
        ("f = x*y; F = f + x; out = F*y; output = out + x; output + f1", ["f", "F", "out", "output"]),
        ("f = x*y; F = f + x; out = F*y; output = out + x; (output + x)*y + f1", ["f", "F", "out", "output"]),
        ("q = x*y; r = q*x; dq = r + x; ds = dq*y; sin(ds*x)*dt + r*y", ["q", "r", "dq", "ds"]),
        ("x*y + (x + y)*(x - y)*x + x/y + y/x + sin(x) + cos(y)*exp(x) + x^2", []),
        ("x*y + (x + y)*(x - y)*s1 + x/y + y/s2 + sin(x) + cos(y)*exp(x) + x^2", []),
    ],
)
@pytest.mark.parametrize("expand", [False, True])
def test_names(text: str, kept: list[str], expand: bool) -> None:
    graph = parse(Source(text))
    one = case(text, dict.fromkeys(graph.inputs, 1.25), expand)
    derivation = one.derivation
    named = [one.name for one in (*derivation.leaves, *derivation.steps)]
    assert len(set(named)) == len(named)
    for name in kept:
        assert derivation.quantities[name].node == one.worked.chart.graph.stages[name]
    given = {*graph.inputs, *graph.stages}
    made = [step.name for step in derivation.steps if step.name not in given]
    assert given.isdisjoint(made)
    assert {"pi", "e"}.isdisjoint(made)
    if len(made) <= len(STAGES):
        assert {f"d{name}" for name in made if name != derivation.output}.isdisjoint(given)
    else:
        assert all(name[0] == "s" and name[1:].isdigit() for name in made if name != derivation.output)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("x*y", "f"),
        ("f*y", "F"),
        ("f*F", "out"),
        ("f*F*out", "output"),
        ("f*F*out*output", "f1"),
        ("f*F*out*output*f1", "f2"),
        ("f = x*y; f", "f"),
        ("loss = x*y; loss", "loss"),
        ("x", "x"),
    ],
)
def test_the_name_of_the_output(text: str, output: str) -> None:
    assert case(text, dict.fromkeys(parse(Source(text)).inputs, 1.5)).derivation.output == output


def test_up_to_fourteen_stages_have_letters() -> None:
    for count, wanted in ((14, STAGES), (15, tuple(f"s{k}" for k in range(1, 16)))):
        derivation = case("x" + " + x" * (count + 1), {"x": 1.0}).derivation
        assert tuple(step.name for step in derivation.steps[:-1]) == wanted


SEQUENTIAL = """
gradcheck: 1
inputs: {x: [[1.0, -2.0]], y: [[0.5, 0.0]]}
layers:
- "(0): Linear(2, 3)"
- "(1): Sigmoid()"
- "(2): Linear(3, 2)"
- "(3): Softplus()"
loss: {type: HalfSquaredErrorLoss, target: y}
"""


def test_numbers_that_look_like_names_of_layers() -> None:
    (network,) = networks(SEQUENTIAL)
    derivation = network_case(network).derivation
    named = [one.name for one in (*derivation.leaves, *derivation.steps)]
    assert len(set(named)) == len(named)
    assert {"layer0", "layer1", "layer2", "layer3"} <= {step.name for step in derivation.steps}
    # A number in a formula is never the name of anything else.
    constants = {leaf.name for leaf in derivation.leaves if leaf.kind == CONSTANT}
    assert constants
    assert not any(re.fullmatch(r"[\d.]+", name) for name in {*derivation.quantities} - constants)
    for step in derivation.steps:
        assert all(name in derivation.quantities for name in step.operands)


def test_stages_of_layers_are_named_after_them() -> None:
    (network,) = networks("gradcheck: 1\ninputs: {x: [1.0, 2.0]}\nnodes:\n  h: {expr: 'sin(x)*x + sin(2*x)'}\n")
    derivation = network_case(network).derivation
    assert [step.name for step in derivation.steps] == ["h.sin", "h.mul", "h.mul2", "h.sin2", "h", "f"]


ELSEWHERE = """
import sys
sys.path.insert(0, "tests")
from support import run
for arguments in (
    ["(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", "--at", "x=3,y=-4", "--why", "x", "--order", "forward"],
    ["specs/two-layer-classifier.yaml", "--expand"],
    ["sin(x*y)*tanh(W @ v) + b"],
):
    ran = run("trace", *arguments)
    print(ran.status, ran.out, ran.err)
"""


def test_the_same_bytes_every_time() -> None:
    root = pathlib.Path(__file__).parent.parent
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE],
            env={**os.environ, "PYTHONHASHSEED": seed}, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    first, second = (process.communicate() for process in processes)
    assert first == second
    assert first[0].count(b"\n") > 100
    assert first[1] == b""


# Folding


@pytest.mark.parametrize(
    ("rule", "numbers", "becomes"),
    [
        ("g*(where(y == 0, 0, y*x^(y - 1)))", {"y": "2"}, "g*(2*x)"),
        ("g*(where(y == 0, 0, y*x^(y - 1)))", {"y": "3.0"}, "g*(3.0*x^2)"),
        ("g*(where(y == 0, 0, y*x^(y - 1)))", {"y": "1"}, "g*x^0"),
        ("g*(where(y == 0, 0, y*x^(y - 1)))", {"y": "0"}, "g*0"),
        ("g*(where(y == 0, 0, y*x^(y - 1)))", {"y": "0.5"}, "g*(0.5*x^-0.5)"),
        ("g*(where(y == 0, 0, y*x^(y - 1)))", {"x": "2"}, "g*(where(y == 0, 0, y*2^(y - 1)))"),
        ("g*(x)", {"x": "1"}, "g"),
        ("g*(x)", {}, "g*x"),
        ("where(x > 0, 1, a)*g", {"a": "1"}, "where(x > 0, 1, 1)*g"),
        ("where(x > 0, 1, a)*g", {"x": "-3"}, "a*g"),
        ("x + y - 1", {"x": "1000000", "y": "2"}, "1000000 + 2 - 1"),
        ("x + y - 1", {"x": "999999", "y": "2"}, "999999 + 2 - 1"),
        ("x*y", {"x": "pi", "y": "2"}, "pi*2"),
    ],
)
def test_folding(rule: str, numbers: dict[str, str], becomes: str) -> None:
    found = folded(parse(Source(rule), internal=True), numbers)
    wanted = parse(Source(becomes), internal=True)
    names = {name: Piece(name) for name in "gxya"}
    assert write(found, PLAIN, names) == write(wanted, PLAIN, names)
    assert set(found.inputs) == set(wanted.inputs)


@pytest.mark.parametrize(
    "op", [op for op in OPS.values() if op.elementwise and not op.internal], ids=lambda op: op.name
)
def test_folding_changes_no_value(op: Op) -> None:
    point = {"g": 1.75, "x": 0.7, "y": 1.3, "a": 0.8, "lo": 0.1, "hi": 0.9, "out": 0.6, "c": 1.0, "n": 2.0}
    for rule in op.rules():
        graph = parse(Source(rule), ("g", *op.args, "out"), internal=True)
        for argument in [name for name in op.args if name in graph.inputs]:
            for number in ("0", "1", "2", "3.0", "-1", "0.5", "1e9"):
                there = {name: float(number) if name == argument else point[name] for name in graph.inputs}
                less = folded(graph, {argument: number})
                assert argument not in less.inputs
                plain, _ = evaluate(graph, IEEE, there)
                found, _ = evaluate(less, IEEE, {name: there[name] for name in less.inputs})
                right, mine = plain[graph.output], found[less.output]
                assert right is None or not math.isfinite(right) or math.isclose(mine, right, rel_tol=1e-15)


# Proofs


def words_of(text: str, at: dict[str, Any], expand: bool = False) -> dict[str, str]:
    return case(text, at, expand).proofs


@pytest.mark.parametrize(
    ("text", "at", "expand"),
    [
        *((text, at, False) for text, at in (*MORE_SCALARS, *ARRAYS, *MORE_ARRAYS)),
        *((text, at, True) for text, at in (*MORE_SCALARS[::2], *ARRAYS[::2], *MORE_ARRAYS[::2])),
    ],
)
def test_every_gradient_is_proved(text: str, at: dict[str, Any], expand: bool) -> None:
    one = case(text, at, expand)
    flowing = {n for n, q in one.derivation.quantities.items() if q.gradient is not None}
    words = one.proofs
    # At 0 lies the border between two branches.
    kinks = {"x", "q"} if text == "sum(where(x > 0, x*sin(sqrt(abs(x))), 3*x))" else set()
    assert set(words) == flowing
    assert {name for name, word in words.items() if word != "agree"} <= kinks


def test_kinks_have_a_word_of_their_own() -> None:
    assert words_of("f = relu(x*y)*z; f", {"x": 0.0, "y": 2.0, "z": 3.0})["x"] == "kink"
    found = words_of("relu(x)*y + relu6(z)", {"x": [0.0, 1.0], "y": 2.0, "z": 1.0})
    assert found["x"] == "kink"
    assert {found[name] for name in ("y", "z")} == {"agree"}
    # Also where two conventions are the same one: that proves nothing.
    assert words_of("abs(x)*y", {"x": 0.0, "y": 2.0}) == {"x": "kink", "y": "agree", "q": "agree", "f": "agree"}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("sum(softmax(x))", {"x": [0.1, 0.2, 0.7]}),
        ("sum(x - mean(x))", {"x": [0.1, 0.2, 0.7]}),
        ("sigmoid(x) + sigmoid(-x)", {"x": 0.3}),
        ("sin(x)^2 + cos(x)^2", {"x": 0.7}),
    ],
)
def test_noise_beyond_the_digits_is_zero(text: str, at: dict[str, Any]) -> None:
    one = case(text, at)
    x = derive(one.subject, one.worked, prove(one.worked, one.point)).quantities["x"]
    assert x.proof is not None
    assert x.proof.word == "agree"
    assert np.all(np.asarray(x.proof.value) == 0)


def test_very_large_graphs_are_not_proved() -> None:
    assert words_of("x*y" + " + x" * 7_000, {"x": 1.0, "y": 2.0}) == {}
    assert len(words_of("x*y" + " + x" * 60, {"x": 1.0, "y": 2.0})) > 60


BROKEN = """
gradcheck: 1
ops:
  swish:
    args: x
    forward: "x*sigmoid(x)"
    backward: {x: "FACTOR*g*(out + sigmoid(x)*(1 - out))"}
inputs: {x: [[1.0, -2.0], [0.5, 0.25]], y: [[0.5, 0.1], [0.2, 0.3]]}
params: {w: [[0.3, -0.4], [0.5, 0.1]], v: [[0.2, 0.4], [0.7, -0.1]]}
nodes:
  h: {expr: "x @ w"}
  s: {type: swish, inputs: h}
  o: {expr: "s @ v"}
loss: {type: HalfSquaredErrorLoss, input: o, target: y}
"""


@pytest.mark.parametrize(("factor", "behind", "status"), [("1.001", "disagree", 1), ("1.0", "agree", 0)])
def test_a_wrong_rule_shows_behind_it_and_nowhere_else(factor: str, behind: str, status: int) -> None:
    (network,) = networks(BROKEN.replace("FACTOR", factor))
    found = trace_of_network(network)
    words = {n: q.proof.word for n, q in found.derivation.quantities.items() if q.proof is not None}
    assert {name: words[name] for name in ("o", "s", "v")} == dict.fromkeys(("o", "s", "v"), "agree")
    assert {name: words[name] for name in ("h", "w", "x")} == dict.fromkeys(("h", "w", "x"), behind)
    assert found.report is not None
    assert found.report.exit_code == status


# Parts


def lineage(derivation: Derivation, start: set[str]) -> set[str]:
    """Return the stages on all paths from some quantities to the output, found by walking from both ends."""
    operands = {step.name: step.operands for step in derivation.steps}
    ahead, todo = set(start), list(start)
    while todo:
        name = todo.pop()
        for user in {user for user, inner in operands.items() if name in inner} - ahead:
            ahead.add(user)
            todo.append(user)
    back, todo = {derivation.output}, [derivation.output]
    while todo:
        for name in set(operands.get(todo.pop(), ())) - back:
            back.add(name)
            todo.append(name)
    return ahead & back & set(operands)


def nothing_dangles(part: Derivation, whole: Derivation) -> None:
    numbers = {step.number for step in part.steps}
    assert len(part.steps) + part.hidden == len(whole.steps)
    for step in part.steps:
        assert all(name in part.quantities for name in step.operands)
        assert all(flow.operand in part.quantities for flow in step.flows)
        assert whole.quantities[step.name].gradient is step.gradient
    for name, one in part.quantities.items():
        assert np.array_equal(one.value, whole.quantities[name].value, equal_nan=True)
        assert all(part.step in numbers or part.step == HIDDEN for part in one.parts)
        if one.parts:
            assert np.allclose(sum(part.value for part in one.parts), one.gradient, rtol=1e-13, atol=1e-300)
    blocks = {block.name: block.steps for block in part.blocks}
    assert {n for steps in blocks.values() for n in steps} == (numbers if whole.blocks else set())
    used = {name for step in part.steps for name in step.operands}
    assert all(leaf.name in used for leaf in part.leaves)


CLASSIFIER, RECURRENT = (
    network_case(next(net for net in NETWORKS if net.name == name)).derivation
    for name in ("two-layer classifier", "RNN over three steps")
)
PARTS = [CLASSIFIER, RECURRENT]
PARTS += [case(*one).derivation for one in (MORE_SCALARS[1], MORE_SCALARS[14], MORE_ARRAYS[12], MORE_ARRAYS[16])]
PARTS += [case("a = x*y; b = a + x; c = sin(b); c*a", {"x": 2.0, "y": 3.0}).derivation]
PARTS += [case("a = x*y; b = a + x; c = sin(b); dead = c + x; c*a", {"x": 2.0, "y": 3.0}).derivation]


@pytest.mark.parametrize("whole", PARTS, ids=lambda one: one.title)
def test_focus_keeps_exactly_the_paths(whole: Derivation) -> None:
    for name, one in whole.quantities.items():
        if isinstance(one, Leaf) and one.kind == CONSTANT:
            continue
        part = focused(whole, name)
        on_paths = lineage(whole, {name})
        assert {step.name for step in part.steps} == on_paths
        nothing_dangles(part, whole)
        reached = on_paths | {name}
        assert {n for n, q in part.quantities.items() if q.gradient is not None} <= reached
        for step in part.steps:
            assert {flow.operand for flow in step.flows} <= reached


@pytest.mark.parametrize("whole", PARTS, ids=lambda one: one.title)
@pytest.mark.parametrize("depth", [1, 2, 3, 100])
def test_depth_keeps_the_last_stages(whole: Derivation, depth: int) -> None:
    part = shallow(whole, depth)
    nothing_dangles(part, whole)
    assert whole.output in {step.name for step in part.steps}
    users: dict[str, list[Step]] = {}
    for step in whole.steps:
        for name in step.operands:
            users.setdefault(name, []).append(step)
    # The longest way, by trying all stages again until nothing changes.
    level = {step.name: 0 for step in whole.steps}
    for _ in whole.steps:
        for step in whole.steps:
            for user in users.get(step.name, []):
                level[step.name] = max(
                    level[step.name], level[user.name] + (not step.block or step.block != user.block)
                )
    assert {step.name for step in part.steps} == {name for name, far in level.items() if far < depth}
    if depth == 100:
        assert part == whole


def test_a_part_of_a_part() -> None:
    whole = CLASSIFIER
    part = shallow(focused(whole, "fc1.weight"), 2)
    assert {step.name for step in part.steps} < lineage(whole, {"fc1.weight"})
    nothing_dangles(part, whole)


def test_patterns() -> None:
    whole = CLASSIFIER
    part = focused(whole, "*.weight")
    assert {step.name for step in part.steps} == lineage(whole, {"fc1.weight", "fc2.weight"})
    assert {leaf.name for leaf in part.leaves if leaf.gradient is not None} == {"fc1.weight", "fc2.weight"}


@pytest.mark.parametrize(("name", "hint"), [("fc1.wieght", "fc1.weight"), ("fc3*", "fc"), ("zzz", "there are")])
def test_what_is_not_there(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=r"no such variable or stage") as caught:
        focused(CLASSIFIER, name)
    assert hint in (caught.value.hint or "")


def test_what_other_stages_give_is_one_contribution() -> None:
    whole = case("a = x*y; b = a + x; c = sin(b); c*a", {"x": 2.0, "y": 3.0}).derivation
    part = shallow(whole, 1)
    a = part.quantities["a"]
    assert [one.label for one in a.parts] == ["[4]", "[…]"]
    assert math.isclose(a.parts[0].value, math.sin(8.0))
    assert math.isclose(a.parts[1].value, math.cos(8.0) * 6.0)


# Meaning


@pytest.mark.parametrize(("text", "at"), EVERY)
def test_the_sentence_is_true(text: str, at: dict[str, Any]) -> None:
    one = case(text, at)
    found = meaning(one.subject, one.point, one.derivation)
    if found is None:
        # A flat function, and one whose steepest number lies on a kink.
        assert text in ("3 + 0*x", "sum(where(x > 0, x*sin(sqrt(abs(x))), 3*x))")
        return
    moved = {name: np.array(value, dtype=float) for name, value in one.point.items()}
    name, _, inner = found.input.partition("[")
    moved[name][tuple(int(k) for k in inner.rstrip("]").split(",")) if inner else ()] += found.step
    scalar = one.subject.system.accumulate is None
    _, after = forward.run(
        one.subject.graph, {n: float(v) if scalar else v for n, v in moved.items()}, arrays=not scalar
    )
    change = float(np.sum(after[one.subject.graph.output])) - one.derivation.value
    assert abs(change - found.predicted) <= CLOSE * abs(found.predicted)
    words = found.sentence("f").split()
    assert words[:2] == ["raise", found.input]
    assert float(words[3]) == found.step
    assert (words[6] == "rises") == (change > 0)
    assert abs(float(words[-1]) - abs(change)) <= 2 * CLOSE * abs(change)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("x^2", {"x": 0.0}),
        ("sum(x^2)", {"x": [0.0, 0.0]}),
        ("abs(x)", {"x": 0.0}),
        ("relu(x)", {"x": 0.0}),
        ("max(x, y)", {"x": 1.0, "y": 1.0}),
        ("floor(x)", {"x": 0.5}),
        ("sqrt(x)*sqrt(y)", {"x": 1.0, "y": 0.0}),
        ("x*0", {"x": 1.0}),
    ],
)
def test_no_sentence_where_none_is_true(text: str, at: dict[str, Any]) -> None:
    one = case(text, at)
    assert meaning(one.subject, one.point, one.derivation) is None


@pytest.mark.parametrize(
    ("text", "at", "sentence"),
    [
        ("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}, "raise x by 0.01 and f falls by about 0.04"),
        ("abs(x)*y", {"x": 0.0, "y": 1.0}, ""),
        ("abs(x) + y", {"x": 0.0, "y": 1.0}, "raise y by 0.01 and f rises by about 0.01"),
        ("x*2", {"x": 3e6}, "raise x by 10000 and f rises by about 20000"),
        ("100*x^2 + y*0", {"x": 0.001, "y": 1.0}, "raise x by 1e-05 and f rises by about 2e-06"),
        ("sum(x*y)", {"x": [1.0, 2.0], "y": [3.0, -5.0]}, "raise x[1] by 0.01 and f falls by about 0.05"),
        ("loss = x*y; loss", {"x": 1.0, "y": 2.0}, "raise x by 0.01 and loss rises by about 0.02"),
    ],
)
def test_sentences(text: str, at: dict[str, Any], sentence: str) -> None:
    assert trace(text, at).meaning == sentence


# Where there is no value


def test_a_derivation_stops_where_the_function_does() -> None:
    found = trace_of("where(x > 0, log(x)*2, y) + log(x - 3)*y", {"x": 2.0, "y": 1.0})
    assert found.problem is not None
    assert [step.gate for step in found.derivation.steps] == ["gt", "log", "mul", "where", "sub", "log"]
    assert found.derivation.stopped == found.problem.message
    assert all(step.gradient is None and step.flows == () for step in found.derivation.steps)
    assert [step.value for step in found.derivation.steps[:5]] == [
        1.0,
        math.log(2.0),
        2 * math.log(2.0),
        2 * math.log(2.0),
        -1.0,
    ]
    assert found.report is None
    assert found.meaning == ""
    with pytest.raises(DomainError):
        trace("log(x - 3)", {"x": 2.0})


def test_an_infinite_slope_is_shown_and_reported() -> None:
    found = trace_of("sqrt(x)*y", {"x": 0.0, "y": 1.0})
    assert found.problem is not None
    assert found.derivation.quantities["x"].gradient == math.inf
    assert found.derivation.stopped == ""
