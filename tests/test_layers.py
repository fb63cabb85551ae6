"""Every layer, loss and function against PyTorch, from recorded values (tests/referee/record_layers.py)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import cases

from gradcheck.checking.array_place import ArrayPlace
from gradcheck.errors import Source
from gradcheck.networks.layer import INFERRED, REQUIRED, Argument
from gradcheck.networks.loading import load
from gradcheck.networks.table import LAYERS

RECORDS = {record["id"]: record for record in cases("layers.jsonl")}
CLOSE = 1e-12
"""Relative to the largest number of a tensor: some hundred roundings of float64, a thousandth of any mistake."""


class Computed(NamedTuple):
    """A spec's value, the values of its nodes and its gradients."""

    loss: float
    outputs: dict[str, Any]
    grads: dict[str, Any]


def computed(spec: dict[str, Any], outputs: Any) -> Computed:
    """Build a spec's network, run it and run backprop over it."""
    networks, problems = load(Source(json.dumps(spec), "case"))
    assert not problems, "\n".join(problem.render() for problem in problems)
    (network,) = networks
    graph = network.graph
    point = ArrayPlace(graph, network.point)
    gradients = point.gradients
    # The first of several outputs goes by the node's own name.
    nodes = {name: name if name in graph.stages else name.rpartition(".")[0] for name in outputs}
    grads = {name: gradients[graph.inputs[name]] for name in network.wrt}
    return Computed(
        point.value,
        {name: point.values[graph.stages[node]] for name, node in nodes.items()},
        {name: np.zeros(network.tensors[name].shape) if g is None else g for name, g in grads.items()},
    )


def distance(ours: Any, theirs: Any) -> float:
    """Return the largest difference, relative to the largest number; infinite for another shape."""
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) or 1.0))


@pytest.mark.parametrize("name", RECORDS)
def test_values_and_gradients_are_those_of_torch(name: str) -> None:
    record = RECORDS[name]
    ours = computed(record["spec"], record["outputs"])
    assert ours.grads.keys() == record["grads"].keys()
    far = {
        node: d for node, value in record["outputs"].items() if not (d := distance(ours.outputs[node], value)) <= CLOSE
    }
    far |= {f"d/d{n}": d for n, value in record["grads"].items() if not (d := distance(ours.grads[n], value)) <= CLOSE}
    assert far == {}
    assert distance(ours.loss, record["loss"]) <= CLOSE


def test_the_comparison_sees_small_and_large_mistakes() -> None:
    record = RECORDS["Linear/in_features=2"]
    right = np.array(record["grads"]["h.weight"])
    for wrong in (right * (1 + 1e-11), -right, right.T, right[:2], right + np.nan, np.zeros_like(right)):
        assert distance(wrong, right) > CLOSE
    assert distance(right, right) == 0


UNVARIED = {
    ("MaxPool1d", "return_indices"): "refused: places have no gradient",
    ("MaxPool2d", "return_indices"): "refused: places have no gradient",
    ("scaled_dot_product_attention", "dropout_p"): "refused: it draws a mask",
    ("MultiheadAttention", "add_bias_kv"): "refused",
    ("MultiheadAttention", "add_zero_attn"): "refused",
    ("Conv1d", "padding_mode"): "zeros is the only choice",
    ("Conv2d", "padding_mode"): "zeros is the only choice",
    ("ConvTranspose2d", "padding_mode"): "zeros is the only choice",
    ("Upsample", "mode"): "nearest is the only choice",
}
"""Arguments that no record varies, and why."""


def used() -> dict[str, list[dict[str, Any]]]:
    """Return the arguments that records give, by type; layers as torch prints them are not counted."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in RECORDS.values():
        spec = record["spec"]
        for step in [*spec.get("nodes", {}).values(), *spec.get("layers", ()), spec.get("loss", {})]:
            if isinstance(step, dict) and "type" in step:
                found.setdefault(step["type"], []).append(step)
    return found


def varied(argument: Argument, steps: list[dict[str, Any]]) -> bool:
    """Whether some record gives an argument that has no default, or another value than the default."""
    values = [step[argument.name] for step in steps if argument.name in step]
    if argument.default is REQUIRED or argument.default is INFERRED or argument.operand:
        return bool(values)
    values = [tuple(value) if isinstance(value, list) else value for value in values]
    return any(argument.read(value) != argument.default for value in values)


def test_every_row_is_recorded() -> None:
    assert set(LAYERS) - set(used()) == set()


def test_every_argument_is_varied() -> None:
    steps = used()
    same = {
        (row.name, a.name)
        for row in LAYERS.values()
        for a in row.arguments
        if not a.inert and not varied(a, steps[row.name])
    }
    assert same == set(UNVARIED)
