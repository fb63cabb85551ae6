from __future__ import annotations

import json
import math
import pathlib
import re
from typing import Any

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, network_derivation, networks, worked_out
from support import cases, trace_of

import gradcheck
from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.arithmetic.floats import IEEE
from gradcheck.deriving.trace import Trace
from gradcheck.deriving.tracer import trace
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.language.parser import parse
from gradcheck.writing.trace.as_json import as_json

SPECS = pathlib.Path(__file__).parent.parent / "specs"


def read(found: Trace) -> dict[str, Any]:
    text = as_json(found)
    assert text == as_json(found)
    assert text.count("\n") == 1
    return json.loads(text)


def array(value: Any) -> Any:
    return np.array(value, dtype=float)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (*found["leaves"], *found["steps"])}


def test_the_lectures_circuit() -> None:
    found = read(trace("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}))
    assert found["gradcheck_trace"] == 1
    assert (found["title"], found["output"], found["value"]) == ("(x+y)*z", "f", -12.0)
    last = found["steps"][1]
    proof = {"word": "agree", "value": 1.0}
    assert last == {
        "number": 2, "name": "f", "gate": "mul", "block": None, "formula": "q * z", "inputs": ["q", "z"], "params": {},
        "shape": [], "value": -12.0, "upstream": 1.0, "parts": [],
        "flows": [
            {
                "input": "q", "slot": 0, "rule": "g*(y)", "formula": "d_f * z",
                "local": {"formula": "z", "value": -4.0}, "gradient": -4.0, "summed": [],
            },
            {
                "input": "z", "slot": 1, "rule": "g*(x)", "formula": "d_f * q",
                "local": {"formula": "q", "value": 3.0}, "gradient": 3.0, "summed": [],
            },
        ],
        "habit": last["habit"], "replaces": "", "proof": proof,
    }  # fmt: skip
    assert last["habit"].startswith("switches")
    assert found["leaves"][0] == {
        "name": "x", "kind": "input", "shape": [], "value": -2.0, "gradient": -4.0,
        "parts": [{"step": 1, "slot": 0, "gradient": -4.0}], "proof": {"word": "agree", "value": -4.0},
    }  # fmt: skip
    assert found["check"]["verdict"] == "agree"
    assert found["meaning"]
    assert (found["paths"], found["passes"], found["problem"], found["stopped"], found["hidden"]) == (None,) * 3 + (
        "",
        0,
    )


@pytest.mark.parametrize(("text", "at"), [*SCALARS, *ARRAYS])
def test_what_it_says_adds_up(text: str, at: dict[str, Any]) -> None:
    found = read(Trace(worked_out(text, at)[0], None, "", 6))
    known = by_name(found)
    for step in found["steps"]:
        for flow in step["flows"]:
            part = {"step": step["number"], "slot": flow["slot"], "gradient": flow["gradient"]}
            assert part in known[flow["input"]]["parts"]
            assert step["inputs"][flow["slot"]] == flow["input"]
    for one in known.values():
        gradient = one.get("gradient", one.get("upstream"))
        assert list(np.shape(one["value"])) == one["shape"]
        if one["parts"]:
            total = sum(array(part["gradient"]) for part in one["parts"])
            assert np.array_equal(total, array(gradient), equal_nan=True)


@pytest.mark.parametrize(("text", "at"), [*SCALARS, *ARRAYS])
def test_formulas_are_expressions_of_the_language(text: str, at: dict[str, Any]) -> None:
    derivation = worked_out(text, at)[0]
    found = read(Trace(derivation, None, "", 6))
    values = {one["name"]: array(one["value"]) for one in by_name(found).values()}
    gradients = {name: one.get("gradient", one.get("upstream")) for name, one in by_name(found).items()}
    values |= {f"d_{name}": array(gradient) for name, gradient in gradients.items() if gradient is not None}
    for step in found["steps"]:
        formulas = [(step["formula"], step["value"])]
        formulas += [(flow["formula"], flow["gradient"]) for flow in step["flows"] if not flow["summed"]]
        formulas += [(flow["local"]["formula"], flow["local"]["value"]) for flow in step["flows"] if flow["local"]]
        for formula, wanted in formulas:
            if "put(" in formula:  # an op that no text can name
                continue
            graph = parse(Source(formula), values, internal=True)
            point = {name: values[name] if found["arrays"] else float(values[name]) for name in graph.inputs}
            system = FLOAT_ARRAYS if found["arrays"] else IEEE
            with system.active():
                ours, _ = evaluate(graph, system, point)
            result = array(ours[graph.output])
            result, right = np.broadcast_to(result, np.shape(wanted)), array(wanted)
            # Zeros that come from a branch that was not taken stay zeros, whatever the slope is.
            certain = np.isfinite(right) & ~((right == 0) & np.isnan(result))
            far = np.abs(result[certain] - right[certain])
            assert np.all(far <= 1e-12 * (1 + np.abs(right[certain]))), formula


def test_numbers_that_json_has_not() -> None:
    found = read(trace("where(x > 0, x, log(x)/y)", {"x": 3.0, "y": 2.0}))
    assert found["value"] == 3.0
    found = read(trace_of("sqrt(x)*y", {"x": 0.0, "y": 1.0}))
    assert by_name(found)["x"]["gradient"] == "inf"
    assert found["problem"]
    assert found["check"] is None


def test_it_stops_where_the_function_does() -> None:
    found = read(trace_of("y = x - 3; log(y) + x*x", {"x": 1.0}))
    assert [step["gate"] for step in found["steps"]] == ["sub", "log"]
    assert found["steps"][-1]["value"] == "nan"
    assert "log" in found["stopped"]
    assert all(step["upstream"] is None and step["flows"] == [] for step in found["steps"])


def test_paths_and_passes() -> None:
    found = read(trace("x*x + y", {"x": 3.0, "y": 1.0}, why="x", forward=True))
    path = {"steps": [1, 2], "slots": [0, 0], "locals": [3.0, 1.0], "gradient": 3.0}
    assert found["paths"] == {
        "name": "x", "count": 2, "closed": 0, "paths": [path, {**path, "slots": [1, 0]}],
        "groups": [{"step": 1, "slot": slot, "count": 1, "gradient": 3.0} for slot in (0, 1)], "total": 6.0,
    }  # fmt: skip
    passes = found["passes"]
    assert passes["passes"][0] == {
        "input": "x", "index": [], "derivative": 6.0,
        "tangents": [{"step": 1, "value": 6.0}, {"step": 2, "value": 6.0}],
    }  # fmt: skip
    assert passes["passes"][1]["tangents"][0] == {"step": 1, "value": None}
    assert passes["forward_operations"] == {"passes": 2, "gates": 3, "products": 4, "sums": 1}
    assert passes["reverse_operations"] == {"passes": 1, "gates": 2, "products": 4, "sums": 1}
    assert passes["refused"] == ""


def test_paths_of_arrays_and_of_a_part() -> None:
    found = read(trace("a = x*x; b = a*y; sum(b + x)", {"x": [1.0, 2.0], "y": 3.0}, why="x", forward=True, depth=2))
    assert found["hidden"] == 2
    assert sum(array(path["gradient"]) for path in found["paths"]["paths"]).tolist() == found["paths"]["total"]
    tangents = found["passes"]["passes"][0]["tangents"]
    # With respect to the first element of x: b + x changes there alone, by 2·x·y + 1.
    assert tangents == [{"step": 3, "value": [7.0, 0.0]}, {"step": 4, "value": 7.0}]


@pytest.mark.parametrize("row", cases("array_ops.jsonl"), ids=lambda row: f"{row['expr']} at {row['at']}")
def test_every_array_op(row: dict[str, Any]) -> None:
    found = read(trace(row["expr"], row["at"]))
    wanted = {(g.input, g.index): g.symbolic for g in gradcheck.check(row["expr"], row["at"]).checks[0].gradients}
    for leaf in found["leaves"]:
        for index in np.ndindex(*leaf["shape"]):
            slope = wanted.get((leaf["name"], index))
            if slope is not None and leaf["gradient"] is not None:
                assert math.isclose(array(leaf["gradient"])[index], slope, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_specs(path: pathlib.Path) -> None:
    for network in networks(path.read_text(encoding="utf-8"), path.name):
        derivation = network_derivation(network)
        found = read(Trace(derivation, None, "", 6))
        known = by_name(found)
        for one in (*derivation.leaves, *derivation.steps):
            entry = known[one.name]
            assert np.array_equal(array(entry["value"]), one.value)
            if one.gradient is not None:
                assert np.array_equal(array(entry.get("gradient", entry.get("upstream"))), one.gradient)
        assert {n for block in found["blocks"] for n in block["steps"]} == {step.number for step in derivation.steps}


def test_static_parameters() -> None:
    found = read(trace("sum(x[0, ..., None, 1:3]) + sum(sum(x, axis=(0, 1)))", {"x": np.ones((2, 3, 4))}))
    params = [step["params"] for step in found["steps"]]
    assert {"index": [0, "...", None, "1:3"]} in params
    assert {"axis": [0, 1], "keepdims": False} in params


@pytest.mark.parametrize("name", ["a\nb", 'q"', "\u202e", "\x1b[31m", "</script>", "\ud800", "β", "\\u0041"])
def test_hostile_names(name: str) -> None:
    derivation = worked_out("x*2", {"x": 3.0})[0]
    leaves = tuple(leaf._replace(name=name) if leaf.name == "x" else leaf for leaf in derivation.leaves)
    text = as_json(Trace(derivation._replace(leaves=leaves, title=name), None, "", 6))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    found = json.loads(text)
    assert found["title"] == found["leaves"][0]["name"] == name
