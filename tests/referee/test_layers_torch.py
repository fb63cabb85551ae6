"""The recorded layers are what PyTorch computes, and what differences of its values confirm."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import record_layers  # noqa: E402
import torch_specs  # noqa: E402

pytestmark = [
    pytest.mark.referee,
    pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning"),
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning"),
]
STORED = [json.loads(line) for line in record_layers.PATH.read_text(encoding="utf-8").splitlines()]


def far(ours: Any, theirs: Any) -> bool:
    a, b = (torch.tensor(value, dtype=torch.float64) for value in (ours, theirs))
    return a.shape != b.shape or not bool((a - b).abs().max() <= 1e-12 * b.abs().max())


def test_the_records_are_what_torch_computes() -> None:
    fresh = list(record_layers.records())
    assert [r["id"] for r in fresh] == [r["id"] for r in STORED]
    assert [r["id"] for new, r in zip(fresh, STORED, strict=True) if new["spec"] != r["spec"]] == []
    wrong = []
    for new, old in zip(fresh, STORED, strict=True):
        assert new["outputs"].keys() == old["outputs"].keys()
        assert new["grads"].keys() == old["grads"].keys()
        pairs = [(new["loss"], old["loss"])]
        pairs += [(new[key][name], old[key][name]) for key in ("outputs", "grads") for name in old[key]]
        wrong += [old["id"]] if any(far(a, b) for a, b in pairs) else []
    assert wrong == []


def moved(value: Any, source: random.Random, gradient: Any, step: float) -> tuple[Any, float, float]:
    """Move each number by ±step; return the new numbers, the change a gradient predicts, and its size."""
    if isinstance(value, list):
        parts = [moved(v, source, g, step) for v, g in zip(value, gradient, strict=True)]
        return [p[0] for p in parts], sum(p[1] for p in parts), sum(p[2] for p in parts)
    sign = source.choice((-1, 1))
    return value + sign * step, sign * gradient, abs(gradient)


def displaced(record: dict[str, Any], step: float) -> tuple[dict[str, Any], float, float]:
    """Return the spec with every differentiated number moved, the slope that the gradients predict, and its size."""
    spec = {**record["spec"], "inputs": {**record["spec"]["inputs"]}, "params": {**record["spec"].get("params", {})}}
    slope = size = 0.0
    source = random.Random(record["id"])
    for name, gradient in record["grads"].items():
        where = spec["inputs"] if name in spec["inputs"] else spec["params"]
        old = where[name]["value"] if isinstance(where[name], dict) else where[name]
        scale = min(1.0, float(torch.tensor(old, dtype=torch.float64).abs().max()))
        where[name], change, much = moved(old, source, gradient, step * scale)
        slope, size = slope + scale * change, size + scale * much
    return spec, slope, size


STEP = 1e-6


def confirmable(record: dict[str, Any]) -> bool:
    """Whether all gradients belong to numbers of the spec; at padding_idx torch cuts a gradient off."""
    numbers = {*record["spec"]["inputs"], *record["spec"].get("params", {})}
    return set(record["grads"]) <= numbers and "padding_idx" not in record["id"]


CONFIRMED = [record for record in STORED if confirmable(record)]


@pytest.mark.parametrize("record", CONFIRMED, ids=[record["id"] for record in CONFIRMED])
def test_differences_confirm_the_gradients(record: dict[str, Any]) -> None:
    """No record lies at a kink or a tie, and no gradient of torch differs from the derivative."""
    above, slope, size = displaced(record, STEP)
    below = displaced(record, -STEP)[0]
    rise = torch_specs.results(above)["loss"] - torch_specs.results(below)["loss"]
    assert abs(rise / (2 * STEP) - slope) <= 1e-6 * size + 1e-9 * abs(record["loss"])


def test_nearly_all_are_confirmed() -> None:
    assert len(CONFIRMED) >= len(STORED) - 13
