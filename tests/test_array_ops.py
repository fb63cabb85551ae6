"""Every row of the op table that works on whole arrays: right as it stands, caught when broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from breaking import MUTATIONS, mutated, replaced, rules_replaced
from support import cases

import gradcheck
from gradcheck.checking.check import check_problem
from gradcheck.checking.problem import Origin, Problem
from gradcheck.checking.settings import Settings
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.ops import OPS

ROWS = cases("array_ops.jsonl")
IDS = [f"{row['expr']} at {row['at']}" for row in ROWS]
OWN = [row for row in ROWS if not OPS[row["op"]].partials]


def words(row: dict[str, Any]) -> set[str]:
    return {g.verdict for g in gradcheck.check(row["expr"], at=row["at"]).checks[0].gradients}


def rules_of(row: dict[str, Any]) -> tuple[str, ...]:
    vjp = OPS[row["op"]].vjp
    return tuple(vjp[row["ranks"]] if isinstance(vjp, Mapping) else vjp)


def with_rules(row: dict[str, Any], rules: tuple[str, ...]) -> Any:
    vjp = OPS[row["op"]].vjp
    return {**vjp, row["ranks"]: rules} if isinstance(vjp, Mapping) else rules


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_rule_is_right(row: dict[str, Any]) -> None:
    seen = words(row)
    assert "agree" in seen
    assert seen <= {"agree", "not_exercised"}


@pytest.mark.parametrize("row", OWN, ids=[f"{row['expr']} at {row['at']}" for row in OWN])
def test_broken_rule_is_caught(row: dict[str, Any]) -> None:
    rules, missed = rules_of(row), []
    broken = {
        f"{k} {m}": replaced(rules, k, mutated(rule, m))
        for k, rule in enumerate(rules)
        for m in MUTATIONS
        if rule != "0"  # the condition of `where`, which is itself a comparison without a slope
    }
    if row.get("swap"):
        broken["swapped"] = (*rules[:-2], rules[-1], rules[-2])
    for what, changed in broken.items():
        with rules_replaced(row["op"], "vjp", with_rules(row, changed)):
            if "disagree" not in words(row):
                missed.append(what)
    assert missed == []


def made_of_a_number(name: str, shape: tuple[int, ...]) -> str:
    """Return the verdict on an array made of a number that is an input, which no text can say."""
    graph = Graph(Source("", "a program"))
    x, w = graph.input("x"), graph.input("w")
    array = graph.gate(name, [x], (("shape", shape),))
    graph.output = graph.gate("sum", [graph.gate("mul", [array, w])], (("axis", None), ("keepdims", False)))
    rng = np.random.default_rng(4)
    point = {"x": np.array(1.5), "w": rng.standard_normal(shape * 2 if len(shape) == 1 and name == "eye" else shape)}
    problem = Problem(Origin("a program"), graph, ["x"], lambda: [point], ["x"])
    return check_problem(problem, Settings()).verdict


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.made])
def test_an_array_made_of_a_number(name: str, shape: tuple[int, ...]) -> None:
    assert made_of_a_number(name, shape) == "agree"
    for mutation in MUTATIONS:
        with rules_replaced(name, "vjp", (mutated(OPS[name].vjp[0], mutation),)):
            assert made_of_a_number(name, shape) == "disagree"


def test_every_rank_is_tested() -> None:
    for name, op in OPS.items():
        assert {row["ranks"] for row in ROWS if row["op"] == name and op.by_rank} == op.by_rank.keys()


def test_every_two_operand_rule_is_swapped_once() -> None:
    pairs = {name for name, op in OPS.items() if not op.elementwise and op.vjp and len(op.args) == 2}
    assert pairs <= {row["op"] for row in [*ROWS, *cases("windows.jsonl")] if row.get("swap")}


@pytest.mark.parametrize("text", ["q = sum(x); max(q)", "q = sum(x); min(q)", "max(max(x))"])
def test_reductions_of_one_number(text: str) -> None:
    assert gradcheck.check(text, at={"x": [1.0, 2.0, 3.5]}).verdict == "agree"
