"""Every elementwise row of the op table: right as it stands, caught when broken on purpose."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from breaking import MUTATIONS, mutated, replaced, rules_replaced
from support import cases
from test_arithmetic import ORDERED

import gradcheck
from gradcheck.arithmetic.floats import FLOATS
from gradcheck.ops import OPS
from gradcheck.ops.op import Worded

ELEMENTWISE = [name for name, op in OPS.items() if op.elementwise and (op.partials or op.vjp)]
WEIGHT = 1.7
"""Upstream gradient: a rule that forgets it is wrong."""

POINTS = 8


def expression(name: str, point: dict[str, float]) -> str:
    if name == "where" and point["c"] < 0:
        return "w*where(c > 0, x, y)"
    if name == "identity":
        return "f = x; w*f"
    if name in ORDERED:
        return f"w*{name}(2, x)"
    return f"w*{name}({', '.join(OPS[name].args)})"


def inside(name: str, point: dict[str, float]) -> bool:
    """Whether the point lies in the op's domain and off its kinks, by the row's own fields."""
    row, operands = OPS[name], tuple(point[a] for a in OPS[name].args)
    if any(len({round(v, 6), 0.0}) == 1 for v in operands):
        return False
    for condition in row.domain:
        if isinstance(condition, Worded):
            # Off the whole numbers too, where some rules have poles.
            if not condition.holds(*operands) or ("integer" in condition and min(operands) <= 0 and name != "iv"):
                return False
        elif not FLOATS.compile([condition], row.args, single=True)(*operands):
            return False
    return not any(
        FLOATS.compile([bend], row.args, single=True)(*operands) == 0 for bend in row.kink if "out" not in bend
    )


@cache
def points(name: str) -> list[dict[str, float]]:
    """Draw points, the same on every run, in the op's domain and at several scales."""
    generator, found = random.Random(f"points of {name}"), []
    for attempt in range(4000):
        scale = (1.0, 3.0, 9.0)[attempt % 3]
        point = {a: round(generator.uniform(-scale, scale), 3) for a in OPS[name].args}
        if name in ORDERED:
            point["n"] = 2.0
        if name == "clip" and attempt % 2:
            point["hi"] = point["lo"] + abs(point["hi"])
        if inside(name, point):
            found.append(point)
        if len(found) == POINTS:
            break
    return found


def words(name: str, point: dict[str, float]) -> list[str]:
    used = {key: value for key, value in point.items() if not (name in ORDERED and key == "n")}
    report = gradcheck.check(expression(name, point), at={**used, "w": WEIGHT})
    return [g.verdict for g in report.checks[0].gradients if g.input != "w"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_rule_is_right(name: str) -> None:
    drawn = points(name)
    assert len(drawn) == POINTS
    seen = {word for point in drawn for word in words(name, point)}
    assert seen <= {"agree", "not_exercised", "lossy"}
    assert "agree" in seen or all(rule in ("0", "0*g") for rule in OPS[name].partials)


def rule_values(name: str, rules: tuple[str, ...]) -> list[Any]:
    """What the rules say at the op's points, to tell a mutation that changes nothing."""
    row = OPS[name]
    result: list[Any] = []
    for point in points(name):
        operands = [point[a] for a in row.args]
        if name == "where":
            operands[0] = float(operands[0] > 0)
        out = FLOATS.function(name)(*operands)
        texts = rules if row.vjp else tuple(f"g*({rule})" for rule in rules)
        result.append(FLOATS.compile(texts, ("g", *row.args, "out"))(1.0, *operands, out))
    return result


def mutations() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Return (op, what was done, field, broken rules) for every way of breaking a rule."""
    found = []
    for name in ELEMENTWISE:
        row, field = OPS[name], "partials" if OPS[name].partials else "vjp"
        rules = tuple(getattr(row, field))
        for k, rule in enumerate(rules):
            if name in ORDERED and k == 0:
                continue
            found += [(name, f"{row.args[k]} {m}", field, replaced(rules, k, mutated(rule, m))) for m in MUTATIONS]
        if len(rules) == 2 and name not in ORDERED:
            found.append((name, "swapped", field, rules[::-1]))
        if len(rules) == 3:
            found.append((name, "last two swapped", field, (rules[0], rules[2], rules[1])))
    return found


def harmless(name: str, field: str, rules: tuple[str, ...]) -> bool:
    return rule_values(name, rules) == rule_values(name, tuple(getattr(OPS[name], field)))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_broken_rule_is_caught(name: str) -> None:
    missed = []
    for _, what, field, rules in [m for m in mutations() if m[0] == name]:
        if harmless(name, field, rules):
            continue
        with rules_replaced(name, field, rules):
            if not any("disagree" in words(name, point) for point in points(name)):
                missed.append(what)
    assert missed == []


def test_only_mutations_that_change_nothing_are_skipped() -> None:
    skipped = {(name, what) for name, what, field, rules in mutations() if harmless(name, field, rules)}
    flat = {
        (n, f"x {m}")
        for n in ("sign", "step", "heaviside", "floor", "ceil", "round")
        for m in ("sign", "times 1.001", "zero")
    }
    compare = {
        (n, what)
        for n in ("lt", "le", "gt", "ge", "eq", "ne")
        for what in ["swapped", *(f"{a} {m}" for a in "xy" for m in ("sign", "times 1.001", "zero"))]
    }
    alone = {("where", f"c {m}") for m in ("sign", "times 1.001", "zero")}
    alone |= {("hardshrink", f"a {m}") for m in ("sign", "times 1.001", "zero")} | {("add", "swapped")}
    assert skipped == flat | compare | alone
    assert len(mutations()) > 350


def test_every_row_is_tested() -> None:
    in_arrays = {row["op"] for name in ("array_ops.jsonl", "windows.jsonl") for row in cases(name)}
    without_rules = {name for name, op in OPS.items() if not op.partials and not op.vjp}
    made = {name for name, op in OPS.items() if op.made}  # as `test_array_ops` does, without a text
    assert set(OPS) == set(ELEMENTWISE) | in_arrays | without_rules | made
    assert all(OPS[name].internal for name in without_rules)
