"""Write tests/cases/layers.jsonl: specs with PyTorch's values and gradients of them.

Run by hand, `python tests/referee/record_layers.py`, with the torch of the `referees` extra.
"""

from __future__ import annotations

import json
import math
import pathlib
import random
from collections.abc import Iterator
from typing import Any

import torch
from layer_cases import Case, Draw, layers
from loss_cases import losses
from torch_specs import Evaluation, double_precision, given, results

PATH = pathlib.Path(__file__).parents[1] / "cases" / "layers.jsonl"

GRID = range(-19999, 20000, 14)
"""Distinct numbers in ten-thousandths that keep away from 0, ±0.5, ±1 and from one another: no kinks, no ties."""


def nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    """Return a flat list in rows."""
    if not shape:
        return flat[0]
    step = len(flat) // shape[0]
    return [nested(flat[k * step : (k + 1) * step], shape[1:]) for k in range(shape[0])]


def shares(draw: Draw, source: random.Random) -> Any:
    """Return positive numbers that add up to 1 along the axis of the classes, to four digits."""
    raw = torch.tensor([source.uniform(0.2, 1) for _ in range(math.prod(draw.shape))]).reshape(draw.shape)
    found = raw / raw.sum(1 if len(draw.shape) > 1 else 0, keepdim=True)
    flat = (found.log() if draw.kind == "logs" else found).flatten().tolist()
    return nested([round(n, 4) for n in flat], draw.shape)


def drawn(draw: Draw, seed: str) -> Any:
    """Return numbers of four decimals, always the same for a seed."""
    source, count = random.Random(seed), math.prod(draw.shape)
    if draw.kind in ("probabilities", "logs"):
        return shares(draw, source)
    if draw.kind == "integers":
        return {"value": nested([source.randrange(draw.below) for _ in range(count)], draw.shape), "dtype": "int64"}
    if draw.kind in ("signs", "bits"):
        # Both occur.
        flat = [(-1 if draw.kind == "signs" else 0), 1] * -(-count // 2)
        source.shuffle(flat)
        return nested(flat[:count], draw.shape)
    scale, shift = {"floats": (1, 0), "small": (0.4, 0), "positive": (0.45, 1.2), "unit": (0.22, 0.5)}[draw.kind]
    return nested([round(n / 10_000 * scale + shift, 4) for n in source.sample(GRID, count)], draw.shape)


@double_precision()
def with_numbers(case: Case) -> dict[str, Any]:
    """Return a case's spec with inputs, parameters and upstream gradients."""
    spec = {**case.spec}
    spec["inputs"] = {
        n: drawn(d, f"{case.id}:{n}") if isinstance(d, Draw) else d for n, d in case.spec["inputs"].items()
    }
    params: dict[str, Any] = {}

    def parameter(name: str, initial: torch.Tensor) -> torch.Tensor:
        if not initial.is_floating_point():
            params[name] = 3
        else:
            kind = "positive" if name.endswith("running_var") else "small"
            params[name] = drawn(Draw(kind, tuple(initial.shape)), f"{case.id}:{name}")
        return torch.tensor(params[name], dtype=initial.dtype)

    evaluation = Evaluation(spec, given({}) if case.initial else parameter)
    if params:
        spec["params"] = params
    if not case.upstream:
        return spec
    names = ["u"] if len(evaluation.nodes) == 1 else [f"u{k}" for k in range(len(evaluation.nodes))]
    terms = []
    for name, node in zip(names, evaluation.nodes, strict=True):
        shape = tuple(evaluation.known[node].shape)
        spec["inputs"][name] = drawn(Draw("floats", shape), f"{case.id}:{name}")
        terms.append(f"sum({node}*{name})" if shape else f"{node}*{name}")
    spec["nodes"] = {**spec["nodes"], "out": {"expr": " + ".join(terms)}}
    spec["output"] = "out"
    wrt = spec["check"]["wrt"] + (["h.*"] if evaluation.trained else [])
    return {**spec, "check": {"wrt": wrt}}


def records() -> Iterator[dict[str, Any]]:
    """Yield every record."""
    found = [*layers(), *losses()]
    assert len({case.id for case in found}) == len(found)
    for case in found:
        spec = with_numbers(case)
        yield {"id": case.id, "spec": spec, **results(spec)}


if __name__ == "__main__":
    lines = [json.dumps(record, separators=(",", ":"), ensure_ascii=False) for record in records()]
    PATH.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} records, {PATH.stat().st_size:,} bytes")
