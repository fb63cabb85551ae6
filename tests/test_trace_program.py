from __future__ import annotations

import ast
import contextlib
import io
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, network_derivation, networks, worked_out
from support import cases, trace_of
from test_arithmetic import ORDERED
from test_ops import ELEMENTWISE, expression, points

import gradcheck
from gradcheck.deriving.records import Derivation
from gradcheck.deriving.selection import focused, shallow
from gradcheck.deriving.trace import Trace
from gradcheck.deriving.tracer import trace
from gradcheck.errors import SizeError
from gradcheck.writing.trace.program import program
from gradcheck.writing.trace.program_facts import names

SPECS = pathlib.Path(__file__).parent.parent / "specs"
LAYERS = cases("layers.jsonl")
CLOSE = 1e-12
"""Relative to the largest number of a tensor: Python's math and numpy differ in last digits."""


def written(derivation: Derivation) -> str:
    return program(Trace(derivation, None, "", 6))


def run(text: str) -> tuple[dict[str, Any], str]:
    """Run a program as a file of its own would be; return its variables and what it prints."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    before = np.geterr()
    try:
        with contextlib.redirect_stdout(printed), np.errstate(all="ignore"):
            exec(compile(text, "program", "exec"), variables)
    finally:
        np.seterr(**before)
    return variables, printed.getvalue()


def close(found: Any, wanted: Any) -> bool:
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    if found.shape != wanted.shape:
        return False
    finite = np.isfinite(wanted)
    same = np.array_equal(found[~finite], wanted[~finite], equal_nan=True)
    largest = max(1.0, np.max(np.abs(wanted[finite]), initial=0.0))
    return same and bool(np.all(np.abs(found[finite] - wanted[finite]) <= CLOSE * largest))


def check(derivation: Derivation) -> str:
    """Run a derivation's program and compare every value and gradient; return its text."""
    text = written(derivation)
    variables, _ = run(text)
    called, shown = names(derivation), {step.number for step in derivation.steps}
    for one in (*derivation.leaves, *derivation.steps):
        if one.node not in called.values:
            continue
        found = variables[called.values[one.node]]
        # In a branch that is not taken a pole may be infinite or nothing at all.
        assert close(found, one.value) or (one.gradient is None and not np.isfinite([found, one.value]).any()), text
        parts = [part.value for part in one.parts if part.step in shown]
        if parts:
            gradient = sum(parts)
            assert close(variables[called.gradients[one.node]], gradient), f"d {one.name}\n{text}"
            assert derivation.hidden or close(gradient, one.gradient)
    assert text == written(derivation)
    return text


LECTURE = """\
# (x+y)*z: forward and backward pass, stage by stage

# inputs
x = -2.0
y = 5.0
z = -4.0

# forward
q = x + y  # [1] add
f = q * z  # [2] mul

# backward
df = 1.0
# [2] mul (switches: each input gets the upstream gradient times the other)
dq = df * z
dz = df * q
# [1] add (distributes: each input gets the whole upstream gradient)
dx = dq
dy = dq

print("f =", f)
print("df/dx =", dx)
print("df/dy =", dy)
print("df/dz =", dz)
"""


def test_the_lectures_circuit() -> None:
    text = check(worked_out("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0})[0])
    assert text == LECTURE
    assert run(text)[1] == "f = -12.0\ndf/dx = -4.0\ndf/dy = -4.0\ndf/dz = 3.0\n"


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize(("text", "at"), [*SCALARS, *ARRAYS])
def test_expressions(text: str, at: dict[str, Any], expand: bool) -> None:
    check(worked_out(text, at, expand)[0])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_elementwise_op(name: str) -> None:
    for point in points(name):
        used = {key: value for key, value in point.items() if not (name in ORDERED and key == "n")}
        text = check(worked_out(expression(name, point), {**used, "w": 1.7})[0])
        assert "np." not in text or name == "where"
    if name == "identity":
        return
    # The same in one array, an operand that is repeated along a new axis and one along an old one.
    stacked = {key: np.array([point[key] for point in points(name)]) for key in used}
    text = expression(name, dict.fromkeys(used, 1.0))
    check(worked_out(text, {**stacked, "w": 1.7})[0])
    at: dict[str, Any] = {"w": np.array([[0.5], [-1.5]]), **stacked}
    check(worked_out(text, at)[0])
    if len(used) > 1:
        first = next(iter(used))
        check(worked_out(text, {**at, first: stacked[first][0]})[0])
        check(worked_out(text, {**at, first: stacked[first][:1]})[0])


@pytest.mark.parametrize(
    ("shape", "sum_"),
    [
        ((2, 3), "d_x = d_q"),
        ((3,), "d_x = np.sum(d_q, axis=0)"),
        ((1, 3), "d_x = np.sum(d_q, axis=0, keepdims=True)"),
        ((1, 1), "d_x = np.sum(d_q, axis=(0, 1), keepdims=True)"),
        ((), "d_x = np.sum(d_q)"),
        ((1,), "d_x = unbroadcast(d_q, x)"),
    ],
)
def test_repeated_operands_are_summed_as_people_write_it(shape: tuple[int, ...], sum_: str) -> None:
    text = check(worked_out("q = x + y; sum(q*y)", {"x": np.ones(shape), "y": np.arange(6.0).reshape(2, 3)})[0])
    assert f"{sum_}\n" in text


@pytest.mark.parametrize("row", cases("array_ops.jsonl"), ids=lambda row: f"{row['expr']} at {row['at']}")
def test_every_array_op(row: dict[str, Any]) -> None:
    point = trace(row["expr"], row["at"]).derivation
    check(point)


@pytest.mark.parametrize("row", cases("windows.jsonl"), ids=lambda row: row["op"])
def test_windows(row: dict[str, Any]) -> None:
    for network in networks(json.dumps(row["spec"])):
        check(network_derivation(network))


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_specs(path: pathlib.Path) -> None:
    for network in networks(path.read_text(encoding="utf-8"), path.name):
        text = check(network_derivation(network))
        assert max(len(line) for line in text.splitlines()) <= 120


@pytest.mark.parametrize("kind", sorted({record["id"].partition("/")[0] for record in LAYERS}))
def test_layers_against_torch(kind: str) -> None:
    mine = [one for one in LAYERS if one["id"].partition("/")[0] == kind]
    for record in mine[:: max(1, len(mine) // 2)]:
        (network,) = networks(json.dumps(record["spec"]))
        derivation = network_derivation(network)
        variables, _ = run(check(derivation))
        called = names(derivation)
        for leaf in derivation.leaves:
            if leaf.name in record["grads"] and leaf.parts:
                assert close(variables[called.gradients[leaf.node]], record["grads"][leaf.name]), record["id"]


@pytest.mark.parametrize("record", [r for r in LAYERS if r["id"].startswith("CrossEntropyLoss")], ids=lambda r: r["id"])
def test_cross_entropy_whatever_the_targets_add_up_to(record: dict[str, Any]) -> None:
    (network,) = networks(json.dumps(record["spec"]))
    derivation = network_derivation(network)
    variables, _ = run(check(derivation))
    gradients = {
        leaf.name: variables[names(derivation).gradients[leaf.node]] for leaf in derivation.leaves if leaf.parts
    }
    assert record["grads"].keys() <= gradients.keys()
    assert all(close(gradients[name], wanted) for name, wanted in record["grads"].items())


def test_forks_add_to_a_copy() -> None:
    # d_q is the gradient of three quantities; adding to one of them must leave the others alone.
    at = {"x": [1.0, 2.0], "y": [3.0, 4.0], "w": [5.0, 6.0]}
    text = check(worked_out("p = x*x*y; q = x + y; sum(q*w) + sum(p)", at)[0])
    assert "d_x = np.array(d_q)" in text
    assert "d_y = np.array(d_q)" in text
    for other in ("sum((x + x.T)*x)", "sum((x.T + x)*x.T)", "reshape(x, (4,)) @ reshape(x.T, (4,)) + sum(x[0])"):
        check(worked_out(other, {"x": [[1.0, 2.0], [3.0, -4.0]]})[0])


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("atan(x)", {"x": 1e200}),
        ("where(x > 0, sqrt(x), 1/x)", {"x": -2.0}),
        ("where(x > 0, x, exp(-x))", {"x": 1000.0}),
        ("where(x > 0, x, 1/0)", {"x": 3.0}),
        ("x*x/y", {"x": 1e-170, "y": 1e-300}),
        ("sum(where(x > 0, sqrt(x)*3, x))", {"x": [0.0, 4.0]}),
        ("sum(where(x > 0, log(x)*y, y/x))", {"x": [-1.0, 4.0], "y": [2.0, 3.0]}),
    ],
)
def test_limits_of_float64(text: str, at: dict[str, Any]) -> None:
    check(worked_out(text, at)[0])


def traced(text: str, at: dict[str, Any]) -> Trace:
    """Return a trace, whether or not there is a value or a gradient."""
    return trace_of(text, at)


def test_a_slope_with_a_pole() -> None:
    found = traced("sqrt(x)*y", {"x": 0.0, "y": 1.0})
    assert found.problem is not None
    variables, printed = run(program(found))
    assert variables["dx"] == np.inf
    assert "df/dx = inf" in printed
    assert "# " + found.problem.message[:30] in program(found)


def test_it_stops_where_the_function_does() -> None:
    found = traced("y = x - 3; log(y) + x*x", {"x": 1.0})
    text = program(found)
    assert found.derivation.stopped
    variables, printed = run(text)
    assert variables["y"] == -2.0
    assert printed == ""
    assert text.rstrip().splitlines()[-1].startswith("# ")
    assert "here it stops" in text
    assert "-2" in text.partition("here it stops")[2]
    assert "log(" not in text.partition("# forward")[2].partition("here it stops")[0]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_part_of_a_derivation(depth: int) -> None:
    whole = worked_out("a = x*y; b = a + x; c = sin(b); c*a", {"x": 2.0, "y": 3.0})[0]
    text = check(shallow(whole, depth))
    assert ("df/da from these stages" in text) == (depth < 3)
    part = focused(whole, "b")
    text = check(part)
    assert "a = 6.0" in text
    assert "df/da" not in text


HOSTILE = [
    "β", "x_1", "fc1.weight", "lambda", "np", "print", "df", "1x", "a b", 'q"""', "'", "# x", "a\nimport os", "\\",
    "\u202e", "x]",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    derivation = worked_out("q = x*y; q + x", {"x": 2.0, "y": 3.0})[0]
    for part, attack in (("x", name), ("q", name), ("y", name)):
        renamed = rename(derivation, part, attack)
        text = written(renamed)
        variables, printed = run(text)
        assert [line.rpartition("= ")[2] for line in printed.splitlines()] == ["8.0", "4.0", "2.0"]
        tree = ast.parse(text)
        assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
        called = names(renamed)
        assert len({*called.values.values(), *called.gradients.values()}) == 2 * len(called.values)
        for one in (*renamed.leaves, *renamed.steps):
            assert variables[called.values[one.node]] == one.value


def rename(derivation: Derivation, old: str, new: str) -> Derivation:
    """Give a quantity another name, as a spec may."""

    def symbols(formula: Any) -> Any:
        renamed = {k: s._replace(name=new if s.name == old else s.name) for k, s in formula.symbols.items()}
        return formula._replace(symbols=renamed)

    leaves = tuple(leaf._replace(name=new if leaf.name == old else leaf.name) for leaf in derivation.leaves)
    steps = tuple(
        step._replace(
            name=new if step.name == old else step.name,
            block=new,
            replaces=new,
            habit=new,
            gate=new,
            formula=symbols(step.formula),
            flows=tuple(flow._replace(rule=symbols(flow.rule)) for flow in step.flows),
        )
        for step in derivation.steps
    )
    return derivation._replace(leaves=leaves, steps=steps, title=new)


def test_large_inputs() -> None:
    random = np.random.default_rng(0)
    at = {"x": random.normal(size=(30, 20)), "W": random.normal(size=(20, 40))}
    text = check(worked_out("sum(tanh(x @ W))", at)[0])
    assert max(map(len, text.splitlines())) <= 100
    with pytest.raises(SizeError, match="6,000"):
        written(worked_out("sum(x)", {"x": np.ones((60, 100))})[0])


def test_it_runs_by_itself(tmp_path: pathlib.Path) -> None:
    for text, at in [SCALARS[4], ARRAYS[2]]:
        derivation = worked_out(text, at)[0]
        file = tmp_path / "program.py"
        file.write_text(written(derivation), encoding="utf-8")
        done = subprocess.run([sys.executable, "-I", str(file)], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert done.stdout == run(written(derivation))[1]


def test_only_what_is_needed_is_in_it() -> None:
    assert "import" not in written(worked_out("(x+y)*z", {"x": 1.0, "y": 2.0, "z": 3.0})[0])
    assert "numpy" not in written(worked_out("sigmoid(x)*tanh(x)", {"x": 1.0})[0])
    # User text that looks like a call brings nothing along.
    derivation = worked_out("x*2", {"x": 1.0})[0]
    steps = tuple(step._replace(block="digamma(1)", habit="softplus(2)") for step in derivation.steps)
    assert "def " not in written(derivation._replace(title="sigmoid(3)", steps=steps))


def test_a_network_of_single_numbers_needs_no_numpy() -> None:
    path = SPECS / "circuits.yaml"
    first = networks(path.read_text(encoding="utf-8"), path.name)[0]
    assert "import" not in check(network_derivation(first))


def test_own_ops_whatever_they_are_called() -> None:
    ops = {
        "print": {"args": "np", "forward": "np*np", "backward": {"np": "g*2*np"}},
        "β": {"args": "x y", "forward": "print(x)@y", "backward": {"x": "2*x*outer(g, y)", "y": "print(x).T@g"}},
    }
    inputs = {"x": [[1.0, 2.0], [3.0, 4.0]], "y": [0.5, -1.0]}
    spec = {"gradcheck": 1, "ops": ops, "inputs": inputs, "nodes": {"h": {"expr": "sum(β(x, y))"}}, "output": "h"}
    (network,) = networks(json.dumps(spec))
    text = check(network_derivation(network))
    assert "def print_(np_):" in text


def test_zeros_are_written_only_where_nothing_else_comes_back() -> None:
    text = check(worked_out("where(x > 0, x*x, y)*y", {"x": 2.0, "y": 3.0})[0])
    assert "0.0" not in text.partition("dx =")[2]
    assert "dx = 0.0\n" in check(worked_out("floor(x)*y", {"x": 2.5, "y": 3.0})[0])


def test_long_statements_are_broken_at_operators_and_arguments() -> None:
    names_ = [f"a_rather_long_name_{k}" for k in range(3)]
    text = check(worked_out(f"hypot({', '.join(names_[:2])}) + {names_[2]}", dict.fromkeys(names_, 1.5))[0])
    assert max(map(len, text.splitlines())) <= 100


def test_the_public_example() -> None:
    found = gradcheck.check("(x+y)*z", at={"x": -2.0, "y": 5.0, "z": -4.0})
    printed = run(program(trace("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0})))[1]
    for gradient in found.checks[0].gradients:
        assert f"df/d{gradient.input} = {gradient.symbolic}" in printed
