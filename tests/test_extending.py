"""The worked examples of CONTRIBUTING.md: an op, a layer, a format, a kind of problem, each in one place."""

from __future__ import annotations

from importlib import import_module

import pytest
from support import run

from gradcheck.checking.check import check_problem
from gradcheck.checking.problem import Origin, Problem
from gradcheck.checking.report import Report
from gradcheck.checking.settings import Settings
from gradcheck.deriving.trace import Asked, Trace
from gradcheck.deriving.tracer import trace_problem
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.networks.arguments import number
from gradcheck.networks.layer import Layer, Plan
from gradcheck.networks.table import LAYERS
from gradcheck.ops import FUNCTIONS, OPS
from gradcheck.ops.op import Op
from gradcheck.writing.formats import DERIVATION, FORMATS, REPORT, Format, formats_of

SPEC = "gradcheck: 1\ninputs: {x: [1, 2]}\nnodes: {y: {expr: sum(x^2)}}\n"


def added(monkeypatch: pytest.MonkeyPatch, op: Op) -> None:
    monkeypatch.setitem(OPS, op.name, op)
    monkeypatch.setitem(FUNCTIONS, op.name, op)


@pytest.mark.parametrize(("rule", "verdict", "status"), [("3*x^2", "agree", 0), ("2*x^2", "disagree", 1)])
def test_a_new_op_is_a_row(rule: str, verdict: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parser, backprop, SymPy, differences, traces and every notation know it from its row alone."""
    name = f"cubed{status}"
    added(monkeypatch, Op(name, "x", (rule,), form="x^3"))
    done = run("expr", f"{name}(a)*b", "--at", "a=1.5,b=2", "--wrt", "a", "-o", "json")
    assert (done.status, done.report["verdict"]) == (status, verdict)
    assert done.report["checks"][0]["gradients"][0]["symbolic"] == 13.5
    for form in ("text", "latex", "html", "python"):
        assert name in run("trace", f"{name}(a)*b", "--at", "a=1.5,b=2", "-o", form).out
    assert rule in run("ops", name).out


def test_a_new_layer_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spec may name it, `layers` lists it, and its gradient needs no rule."""
    plan = lambda a, x: Plan("x*power", {"power": a.power})  # noqa: E731 (as the tables have them)
    monkeypatch.setitem(LAYERS, "Scaled", Layer("Scaled", ("x",), (number("power", 3.0),), plan, ({}, [(2, 3)])))
    nodes = "{s: {type: Scaled, power: 4, inputs: x}, y: {expr: sum(s^2)}}"
    spec = f"gradcheck: 1\ninputs: {{x: [1, 2]}}\nnodes: {nodes}\n"
    done = run("verify", "-", "-o", "json", stdin=spec.encode())
    assert (done.status, done.report["verdict"]) == (0, "agree"), done
    assert [g["backprop"] for g in done.report["checks"][0]["gradients"]] == [32.0, 64.0]
    assert "power" in run("layers", "Scaled").out


def test_a_new_kind_of_problem_is_a_function_that_makes_one() -> None:
    """What comes from elsewhere is checked, derived and written like an expression or a network."""
    graph = Graph(Source("", "a program"))
    x, y = graph.input("x"), graph.input("y")
    graph.output = graph.gate("mul", [graph.gate("tanh", [x]), y])
    problem = Problem(
        Origin("a program of mine", "mine.py", 12), graph, ["x", "y"], lambda: [{"x": 0.5, "y": 2.0}], ["x", "y"],
        lines={"x": 13, "y": 14},
    )  # fmt: skip
    report = check_problem(problem, Settings())
    assert (report.verdict, report.exit_code) == ("agree", 0)
    (check,) = report.to_dict()["checks"]
    assert (check["file"], check["line"], check["spec"]) == ("mine.py", 12, "a program of mine")
    assert [tensor["line"] for tensor in check["tensors"]] == [13, 14]
    trace = trace_problem(problem, Settings(), Asked())
    assert [step.gate for step in trace.derivation.steps] == ["tanh", "mul"]


def csv(report: Report) -> str:
    """Write a report as CSV: the worked example of CONTRIBUTING.md."""
    numbers = [number for check in report.checks for number in check.gradients]
    return "".join(f"{number.name},{number.backprop},{number.verdict}\n" for number in numbers)


def stages(trace: Trace) -> str:
    """Write how many stages a derivation has."""
    return f"{len(trace.derivation.steps)}\n"


def test_a_new_format_is_a_function_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Format(report="test_extending:csv", derivation="test_extending:stages", most=10)
    monkeypatch.setitem(FORMATS, "csv", row)
    done = run("expr", "x*y", "--at", "x=2,y=3", "-o", "csv")
    assert (done.status, done.out, done.err) == (0, "x,3.0,agree\ny,2.0,agree\n", "")
    done = run("verify", "-", "-o", "csv", stdin=SPEC.encode())
    assert (done.status, done.out) == (0, '"x[0]",2.0,agree\n"x[1]",4.0,agree\n'.replace('"', ""))
    assert run("trace", "x*y + x", "--at", "x=2,y=3", "-o", "csv").out == "2\n"


@pytest.mark.parametrize("kind", [REPORT, DERIVATION])
def test_every_row_names_a_function(kind: str) -> None:
    for name in formats_of(kind):
        module, _, function = getattr(FORMATS[name], kind).partition(":")
        assert callable(getattr(import_module(module), function)), name


def test_every_format_is_of_use() -> None:
    assert set(FORMATS) == {*formats_of(REPORT), *formats_of(DERIVATION)}
    assert formats_of(REPORT) == ("table", "json")
