"""The flat graph built by a program, without any text."""

from __future__ import annotations

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.engines.backprop import backprop
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph


def test_a_graph_without_text_is_evaluated_and_differentiated() -> None:
    graph = Graph(Source(""))
    x, y = graph.input("x"), graph.input("y")
    product = graph.gate("mul", [x, y])
    graph.output = graph.gate("add", [product, graph.gate("neg", [x])])
    values, problems = evaluate(graph, FLOATS, {"x": 3.0, "y": 5.0})
    gradients = backprop(graph, FLOATS, values, 1.0)
    assert (values[graph.output], problems) == (12.0, [])
    assert [gradients[x], gradients[y], gradients[product]] == [4.0, 3.0, 1.0]
    assert (graph.text(product), graph.span(product)) == ("", (0, 0))


def test_a_chain_of_a_million_gates() -> None:
    graph = Graph(Source(""))
    v = graph.input("x")
    for _ in range(10**6):
        v = graph.gate("neg", [v])
    graph.output = v
    values, _ = evaluate(graph, FLOATS, {"x": 2.0})
    assert values[v] == 2.0
    assert backprop(graph, FLOATS, values, 1.0)[graph.inputs["x"]] == 1.0
