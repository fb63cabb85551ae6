from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from breaking import MUTATIONS, mutated, replaced, rules_replaced

from gradcheck.checking import forward
from gradcheck.deriving.chart import Chart, original, shortened
from gradcheck.deriving.derive import Subject, Worked, derive, work_out
from gradcheck.deriving.proofs import prove
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.networks.loading import load
from gradcheck.ops import COMPOUNDS, FUNCTIONS, OPS, compounds

WHERE = {"kernel": (2, 2), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "edge": "zero"}

PADDED = {**WHERE, "stride": (2, 1), "padding": ((1, 0), (0, 1))}

INNER = {"inner": (-2, -1)}


def laid_out(channels: int, out: int, rows: int, columns: int, batch: int, bias: bool) -> dict[str, Any]:
    """Return how a convolution without groups becomes a product, as the layers write it."""
    sizes = f"in_channels: {channels}, out_channels: {out}, kernel_size: 2, bias: {str(bias).lower()}"
    spec = (
        f"gradcheck: 1\ninputs: {{x: {{shape: [{batch}, {channels}, {rows}, {columns}]}}}}\nlayers:\n"
        f"- {{name: conv, type: Conv2d, {sizes}}}\n"
    )
    (network,), _ = load(Source(spec))
    values = [None] * len(network.graph)
    chart = shortened(original(network.graph, network.shapes), values)
    return dict(chart.graph.params[chart.graph.gates[0]])


class Trial(NamedTuple):
    """A compound with operands of these shapes."""

    op: str
    ranks: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    params: Mapping[str, Any] = {}


TRIALS = [
    Trial("affine", (2, 2, 1), ((3, 2), (2, 4), (4,))),
    Trial("affine", (1, 2, 1), ((2,), (2, 4), (4,))),
    Trial("linear", (2, 2, 1), ((3, 2), (4, 2), (4,))),
    Trial("linear", (1, 2, 1), ((2,), (4, 2), (4,))),
    Trial("linear_map", (2, 2), ((3, 2), (4, 2))),
    Trial("linear_map", (1, 2), ((2,), (4, 2))),
    Trial("squared_error", (), ((2, 3), (2, 3))),
    Trial("squared_error", (), ((3,), (3,))),
    Trial("cross_entropy", (), ((2, 3), (2, 3)), {"axis": 1}),
    Trial("cross_entropy", (), ((3, 2), (3, 2)), {"axis": 0}),
    Trial("mean_cross_entropy", (), ((2, 3), (2, 3)), {"axis": -1, "n": 5}),
    Trial("weighted_cross_entropy", (), ((2, 3), (2, 3)), {"axis": -1}),
    Trial("mean_weighted_cross_entropy", (), ((3, 2), (3, 2)), {"axis": 0, "n": 2}),
    Trial("conv", (), ((2, 2, 3, 3), (2, 2, 2, 2), (2,)), laid_out(2, 2, 3, 3, 2, True)),
    Trial("conv_map", (), ((1, 1, 3, 3), (2, 1, 2, 2)), laid_out(1, 2, 3, 3, 1, False)),
    Trial("average_pool", (), ((1, 2, 3, 3),), {**WHERE, **INNER}),
    Trial("average_pool", (), ((2, 3, 3),), {**PADDED, **INNER}),
    Trial("max_pool", (), ((1, 2, 3, 3),), {**WHERE, **INNER}),
    Trial("max_pool", (), ((2, 4, 4),), {**PADDED, "edge": "inside", **INNER}),
    Trial("logistic_loss", (), ((2, 3), (2, 3))),
    Trial("logistic_loss", (), ((), ())),
]


class Built(NamedTuple):
    """A compound on stages sin(a), sin(b), …, times an input."""

    subject: Subject
    point: dict[str, Any]
    operands: list[str]


def built(trial: Trial) -> Built:
    graph = Graph(Source(trial.op))
    row = OPS[trial.op]
    rng = np.random.default_rng(len(trial.op) + len(trial.shapes[0]))
    point: dict[str, Any] = {}
    operands = []
    for name, shape in zip(row.args, trial.shapes, strict=True):
        point[f"in_{name}"] = rng.uniform(0.2, 1.4, shape)
        node = graph.input(f"in_{name}")
        # Targets that add up to one stay so only when nothing comes before them.
        if "cross_entropy" not in trial.op or name != "t":
            node = graph.gate("sin", [node])
            graph.stages[name] = node
        operands.append(node)
    if "cross_entropy" in trial.op and "weighted" not in trial.op:
        point["in_t"] = np.moveaxis(
            np.full_like(np.moveaxis(point["in_t"], trial.params["axis"], -1), 1 / 2), -1, trial.params["axis"]
        )
        chosen = [slice(None)] * point["in_t"].ndim
        chosen[trial.params["axis"]] = slice(2, None)
        point["in_t"][tuple(chosen)] = 0.0
    graph.stages["h"] = graph.gate(trial.op, operands, tuple(sorted(trial.params.items())))
    graph.output = graph.gate("mul", [graph.stages["h"], graph.input("w")])
    arrays = any(trial.shapes)
    point["w"] = rng.uniform(0.5, 2.0, ()) if arrays else 1.75
    if not arrays:
        point = {name: float(value) for name, value in point.items()}
    shapes = infer(graph, {name: np.shape(value) for name, value in point.items()})
    system, values = forward.run(graph, point, arrays=arrays)
    subject = Subject(trial.op, graph, shapes, system, values, list(graph.inputs))
    return Built(subject, point, [name for name in graph.stages if name != "h"])


def words(one: Built) -> dict[str, str]:
    worked = work_out(one.subject)
    derivation = derive(one.subject, worked, prove(worked, one.point))
    return {name: q.proof.word for name, q in derivation.quantities.items() if q.proof is not None}


def rules_of(trial: Trial) -> tuple[str, Any, tuple[str, ...]]:
    """Return the field with the rules of an op, what stands there, and the rules for these ranks."""
    row = OPS[trial.op]
    field = "partials" if row.partials else "vjp"
    return field, getattr(row, field), row.partials or row.rules(trial.ranks)


def broken(trial: Trial, slot: int, text: str) -> Any:
    _, all_rules, mine = rules_of(trial)
    rules = replaced(tuple(mine), slot, text)
    if not isinstance(all_rules, Mapping):
        return rules
    return {**all_rules, "".join(map(str, trial.ranks)): rules}


def wrongs() -> list[Any]:
    found = []
    for trial in {(trial.op, trial.ranks, "edge" in trial.params): trial for trial in TRIALS}.values():
        _, _, rules = rules_of(trial)
        for slot, rule in enumerate(rules):
            name = f"{trial.op} {trial.shapes} {OPS[trial.op].args[slot]}"
            for mutation in MUTATIONS if "conv" not in trial.op else ("sign", "times 1.001"):
                found.append(pytest.param(trial, slot, mutated(rule, mutation), id=f"{name} {mutation}"))
    return found


def test_every_compound_and_all_its_ranks_are_tried() -> None:
    assert {trial.op for trial in TRIALS} == {op.name for op in compounds.OPS}
    for op in compounds.OPS:
        if isinstance(op.vjp, Mapping):
            tried = {"".join(map(str, trial.ranks)) for trial in TRIALS if trial.op == op.name}
            assert tried == set(op.vjp)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.op} {trial.shapes}")
def test_the_rules_are_right(trial: Trial) -> None:
    one = built(trial)
    assert trial.op in one.subject.graph.ops
    found = words(one)
    assert {*one.subject.graph.inputs, *one.operands, "h"} < set(found)
    assert set(found.values()) == {"agree"}


@pytest.mark.parametrize(("trial", "slot", "text"), wrongs())
def test_a_broken_rule_shows_at_its_operand_and_behind(trial: Trial, slot: int, text: str) -> None:
    field, _, _ = rules_of(trial)
    argument = OPS[trial.op].args[slot]
    with rules_replaced(trial.op, field, broken(trial, slot, text)):
        found = words(built(trial))
    assert {name for name, word in found.items() if word != "agree"} == {argument, f"in_{argument}"} & set(found)
    assert found[f"in_{argument}"] == "disagree"


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.op} {trial.shapes}")
def test_two_operands_that_change_places_are_noticed(trial: Trial) -> None:
    field, everything, rules = rules_of(trial)
    if len(rules) < 2 or len(set(trial.shapes[:2])) > 1:
        assert len(rules) == 1 or trial.shapes[0] != trial.shapes[1]
        return
    swapped = (rules[1], rules[0], *rules[2:])
    assert not isinstance(everything, Mapping)
    with rules_replaced(trial.op, field, swapped):
        found = words(built(trial))
    first, second = (f"in_{name}" for name in OPS[trial.op].args[:2])
    assert {found[first], found[second]} == {"disagree"}


def test_no_text_can_name_a_compound() -> None:
    assert COMPOUNDS.keys().isdisjoint(FUNCTIONS)
    assert all(op.internal for op in COMPOUNDS.values())
    assert COMPOUNDS.keys().isdisjoint(OPS.keys())
    for name in COMPOUNDS:
        assert OPS[name] is COMPOUNDS[name]


@pytest.mark.parametrize("name", sorted(COMPOUNDS))
def test_the_formulas_of_a_compound_can_be_read(name: str) -> None:
    op = COMPOUNDS[name]
    every = op.vjp.values() if isinstance(op.vjp, Mapping) else [op.rules()]
    assert op.form is not None
    for rules in every:
        assert len(rules) in (0, len(op.args))
        for rule in (*rules, op.form):
            names = dict.fromkeys(op.params, 0)
            graph = parse(
                Source(rule), ("g", *op.args, "out"), static_names=names, internal=True, functions=op.functions
            )
            assert set(graph.inputs) <= {"g", *op.args, "out"}


def charted(text: str, at: dict[str, Any]) -> Chart:
    graph = parse(Source(text))
    arrays = {name: np.asarray(value, dtype=float) for name, value in at.items()}
    shapes = infer(graph, {name: np.shape(value) for name, value in at.items()})
    system, values = forward.run(graph, arrays, arrays=True)
    worked: Worked = work_out(Subject(text, graph, shapes, system, values, list(graph.inputs)))
    return worked.chart


@pytest.mark.parametrize(
    ("t", "op"),
    [
        ([[1.0, 0.0], [0.5, 0.5]], "cross_entropy"),
        ([[1.0, 0.0], [0.25, 0.75]], "cross_entropy"),
        ([[1.0, 0.0], [0.1, 0.9]], "cross_entropy"),
        ([[1.0, 0.0], [0.0, 0.0]], "weighted_cross_entropy"),
        ([[0.5, 0.0], [0.5, 1.0]], "weighted_cross_entropy"),
        ([[1.0, 0.0], [0.3, 0.7000000000000001]], "weighted_cross_entropy"),
        ([[1.5, -0.5], [0.0, 1.0]], "cross_entropy"),
    ],
)
def test_predicted_minus_true_needs_targets_that_add_up_to_one(t: Any, op: str) -> None:
    chart = charted("-sum(t*log_softmax(z, axis=1))", {"z": [[1.0, 2.0], [0.5, -1.0]], "t": t})
    assert [chart.graph.ops[k] for k in chart.graph.gates] == [op]
