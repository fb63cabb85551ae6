"""The parser against Python's own, and against text that nobody would write."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.checking.values import parse_points
from gradcheck.errors import GradcheckError, Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import CONSTANT, Graph
from gradcheck.language.parser import parse

RUNS = settings(max_examples=250, deadline=None, derandomize=True)
VALUES = {"x": 1.25, "y": -0.5, "z": 3.0, "w0": 0.75}
BINARY = {"Add": "add", "Sub": "sub", "Mult": "mul", "Div": "div", "Pow": "pow", "MatMult": "matmul"}

blanks = st.sampled_from(["", "", "", " ", "  ", "\t"])
atoms = st.sampled_from([*VALUES, "2", "0.5", ".25", "3.", "1e-1", "2E+0"])
signs = st.sampled_from(["-", "- ", "--", "+", "-+"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["+", "-", "*", "/", "**"])
    return st.one_of(
        st.tuples(inner, blanks, operator, blanks, inner).map("".join),
        st.tuples(inner, operator, inner, operator, inner).map("".join),
        st.tuples(signs, inner).map("".join),
        inner.map("({})".format),
        st.tuples(st.sampled_from(["sin", "exp", "abs"]), inner).map("{0[0]}({0[1]})".format),
        st.tuples(inner, inner).map("max({0[0]}, {0[1]})".format),
    )


expressions = st.recursive(atoms, larger, max_leaves=12)


def python_tree(node: Any) -> Any:
    if isinstance(node, ast.BinOp):
        return BINARY[type(node.op).__name__], python_tree(node.left), python_tree(node.right)
    if isinstance(node, ast.UnaryOp):
        inner = python_tree(node.operand)
        return ("neg", inner) if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Call):
        return (node.func.id, *map(python_tree, node.args))  # type: ignore[attr-defined]
    return node.id if isinstance(node, ast.Name) else float(node.value)


def own_tree(graph: Graph, node: int) -> Any:
    if graph.ops[node] == CONSTANT:
        return float(graph.constants[node])
    for name, place in graph.inputs.items():
        if place == node:
            return name
    return (graph.ops[node], *(own_tree(graph, k) for k in graph.operands(node)))


def tree(text: str) -> Any:
    graph = parse(Source(text))
    return own_tree(graph, graph.output)


def value(text: str, values: dict[str, float] = VALUES) -> float:
    graph = parse(Source(text))
    found, problems = evaluate(graph, FLOATS, {n: values[n] for n in graph.inputs})
    assert not problems
    return float(found[graph.output])


@RUNS
@given(expressions)
@example("-x**-y**2")
@example("x--y**2*-z/w0")
def test_structure_is_pythons(text: str) -> None:
    assert tree(text) == python_tree(ast.parse(text.strip(), mode="eval").body)


@RUNS
@given(expressions)
def test_value_is_pythons(text: str) -> None:
    names = {**VALUES, "sin": math.sin, "exp": math.exp, "abs": abs, "max": max}
    try:
        expected = eval(text.strip(), {"__builtins__": {}}, names)
    except (ArithmeticError, ValueError):
        return
    if isinstance(expected, complex) or not math.isfinite(expected) or abs(expected) > 1e300:
        return
    assert math.isclose(value(text), expected, rel_tol=1e-12, abs_tol=1e-300)


@RUNS
@given(expressions)
def test_a_caret_is_two_stars(text: str) -> None:
    assert tree(text.replace("**", "^")) == tree(text)


@RUNS
@given(expressions)
def test_spans_cut_out_the_text_of_each_gate(text: str) -> None:
    """A gate's own text, parsed alone, is the same gate."""
    graph = parse(Source(text))
    for node in graph.gates:
        assert tree(graph.text(node)) == own_tree(graph, node)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-x^2", "-(x^2)"),
        ("x^-y^z", "x^(-(y^z))"),
        ("x^y^z", "x^(y^z)"),
        ("-x*y", "(-x)*y"),
        ("x - y - z", "(x - y) - z"),
        ("x/y*z", "(x/y)*z"),
        ("x - y + z", "(x - y) + z"),
        ("x*y^2*z", "(x*(y^2))*z"),
        ("2^-x", "2^(-x)"),
        ("x*-y", "x*(-y)"),
        ("- -x", "-(-x)"),
        ("x @ y * z", "(x @ y) * z"),
        ("where(x + 1 < y*2, x, y)", "where((x + 1) < (y*2), x, y)"),
        ("x^2.T", "x^(2.T)") if False else ("-x.T", "-(x.T)"),
        ("x[0]^2", "(x[0])^2"),
        ("max(x, y, z)", "max(max(x, y), z)"),
        ("ln(x)", "log(x)"),
        ("x ÷ y × z · w", "x/y*z*w"),
        ("x − y", "x - y"),
        ("x.dot(y)", "dot(x, y)"),
        ("x ** y", "x^y"),
        ("dot(x, y)", "x @ y"),
        ("arcsin(x)", "asin(x)"),
        ("elu(x)", "elu(x, 1)"),
    ],
)
def test_precedence(text: str, same: str) -> None:
    first, second = tree(text), tree(same)
    assert first == second


def test_different_groupings_are_different_trees() -> None:
    assert tree("(-x)^2") != tree("-x^2")
    assert tree("(x^y)^z") != tree("x^y^z")
    assert tree("x/(y*z)") != tree("x/y*z")


@pytest.mark.parametrize("count", [10**5])
def test_deep_nesting(count: int) -> None:
    assert value("(" * count + "x" + ")" * count) == VALUES["x"]
    assert value("-" * count + "x") == VALUES["x"]
    assert value("abs(" * 1000 + "y" + ")" * 1000) == 0.5


def test_deep_nesting_that_is_left_open() -> None:
    with pytest.raises(GradcheckError) as caught:
        parse(Source("(" * 10**5 + "x"))
    assert caught.value.span is not None


def test_long_sums() -> None:
    graph = parse(Source("+".join(["x"] * 10**5)))
    assert len(graph.gates) == 10**5 - 1
    assert evaluate(graph, FLOATS, {"x": 2.0})[0][graph.output] == 2e5


def test_long_towers() -> None:
    assert value("^".join(["x"] + ["1"] * 20000)) == VALUES["x"]


def test_stages_and_lines() -> None:
    graph = parse(Source("q = x + y  # the sum\n\nf = q*z; f"))
    assert list(graph.stages) == ["q", "f"]
    assert list(graph.inputs) == ["x", "y", "z"]
    assert graph.output == graph.stages["f"]
    assert [graph.text(n) for n in graph.gates] == ["x + y", "q*z"]


def test_a_stage_of_an_input_is_a_node_of_its_own() -> None:
    graph = parse(Source("q = x; q*x"))
    assert graph.stages["q"] != graph.inputs["x"]


@pytest.mark.parametrize(
    "name", ["E", "I", "S", "N", "Q", "beta", "gamma", "lambda", "w0", "ϵ", "x_1", "None", "__import__"]
)
def test_any_name_is_a_variable(name: str) -> None:
    assert list(parse(Source(f"{name}*2")).inputs) == [name]


def test_constants_give_way_to_values() -> None:
    assert list(parse(Source("e*pi + x")).inputs) == ["x"]
    assert list(parse(Source("e*pi + x"), ["e"]).inputs) == ["e", "x"]


alphabet = "xyz0123456789.()[]+-*/^@,;=<>! \n\tsinexpmaxwheresum'\"#:_eE−√²$\\"


@settings(RUNS, max_examples=400)
@given(st.one_of(st.text(max_size=40), st.text(alphabet, max_size=60)))
@example("x[")
@example("sum(x, axis=")
@example("x[0,")
@example("reshape(x, (2,")
@example(".T")
@example("x.")
@example("9" * 5000)
@example("x[99999999999999999999]")
@example("\ud800")
@example("max()")
@example("sum(axis=0)")
def test_no_text_does_worse_than_an_error_with_a_place(text: str) -> None:
    error = refusal(lambda: parse(Source(text)))
    if error is not None:
        start, end = error.span or (-1, -1)
        assert error.source is not None
        assert 0 <= start < end <= len(text) + 1
        assert error.render()


def refusal(action: Callable[[], Any]) -> GradcheckError | None:
    """Return the deliberate error that an action ends in; any other exception passes through."""
    try:
        action()
    except GradcheckError as error:
        return error
    return None


@settings(RUNS, max_examples=300)
@given(st.one_of(st.text(max_size=30), st.text("xyz=0123456789.,;[]()@:-+*e randlispcoszero", max_size=40)))
@example("x=[[1],2]")
@example("x=[")
@example("x=randn(1e400)")
@example("x=arange(0,1,0)")
@example("x=" + "[" * 40)
@example("x=1/0")
@example("x=eye(-1)")
@example("x=randn(nan)")
@example("x=arange(1e308,-1e308)")
def test_no_value_does_worse_than_an_error(text: str) -> None:
    error = refusal(lambda: parse_points(Source(text, "--at")))
    assert error is None or error.render()
