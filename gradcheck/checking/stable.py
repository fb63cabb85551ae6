"""A value that float64 cannot reach on the way typed: what it truly is, and the spelling that gets there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gradcheck.checking.exact import Exact
from gradcheck.checking.place import MOST_GATES
from gradcheck.checking.problem import Problem
from gradcheck.errors import DomainError, GradcheckError, Source
from gradcheck.graph.graph import CONSTANT, INPUT, Graph, element_name, upstream
from gradcheck.language.parser import parse

SPELLINGS = {
    "log(1 + exp(x))": "softplus(x)",
    "log(exp(x) + exp(y))": "logaddexp(x, y)",
    "log(sum(exp(x)))": "logsumexp(x{})",
    "log(exp(x)/sum(exp(x)))": "log_softmax(x{})",
    "log(softmax(x))": "log_softmax(x{})",
    "exp(x)/sum(exp(x))": "softmax(x{})",
    "exp(x)/(1 + exp(x))": "sigmoid(x)",
    "1/(1 + exp(-x))": "sigmoid(x)",
    "1/(1 + exp(x))": "sigmoid(-(x))",
    "log(sigmoid(x))": "logsigmoid(x)",
    "log(1/(1 + exp(-x)))": "logsigmoid(x)",
    "log(1 - sigmoid(x))": "logsigmoid(-(x))",
    "(exp(x) - exp(-x))/(exp(x) + exp(-x))": "tanh(x)",
    "log(cosh(x))": "log_cosh(x)",
    "sqrt(x^2 + y^2)": "hypot(x, y)",
    "sqrt(x*x + y*y)": "hypot(x, y)",
    "sqrt(sum(x^2))": "norm(x{})",
    "sqrt(sum(x*x))": "norm(x{})",
    "exp(x)/exp(y)": "exp(x - (y))",
    "log(exp(x))": "x",
    "log(gamma(x))": "lgamma(x)",
    "gamma(x)/gamma(y)": "exp(lgamma(x) - lgamma(y))",
    "gamma(x)*gamma(y)/gamma(x + y)": "beta(x, y)",
    "log(det(x))": "logdet(x)",
    "log(prod(x))": "sum(log(x))",
    "log(ndtr(x))": "log_ndtr(x)",
    "exp(x)*erfc(y)": "erfcx(y)*exp(x - (y)^2)",
}
"""What leaves float64's range on the way → the spelling that does not; {} stands for the axis of a reduction."""

SHOWN = 4
"""Gradients that are told."""

COMMUTES = ("add", "mul")


def told(problem: Problem, point: Mapping[str, Any], error: DomainError) -> DomainError:
    """Return an error with the true value and gradient, and a stable spelling, where there are any."""
    spelling = _spelling(problem.graph, error.node)
    true = _true(problem, point)
    if true is None:
        return error
    hint = f"write {spelling}, which float64 can compute" if spelling else error.hint
    return DomainError(f"{error.message}; float64 aside, {true}", error.source, error.span, hint, error.node)


def _true(problem: Problem, point: Mapping[str, Any]) -> str | None:
    """Return what the value and its gradient are, in words; None if they are not known or beyond float64 too."""
    from gradcheck.arithmetic.balls import to_float

    try:
        place = problem.place(dict(point), finite=False)
        if place.written_gates > MOST_GATES:
            return None
        level = next(iter(Exact(place.scalar, place.flat_inputs, place.flat_values).levels()), None)
        if level is None:
            return None
        with level.active():
            gradients = level.backprop()
            names = {element_name(name, index): node for name in problem.wrt if name in place.graph.inputs
                     for index, node, _ in place.elements(name)}  # fmt: skip
            found = {name: gradients[node] for name, node in names.items()}
            if any(ball is not None and not ball.is_finite() for ball in found.values()):
                return None
            balls = [level.values[level.graph.output], *found.values()]
            if any(ball is not None and to_float(ball) == 0 and not ball.contains(0) for ball in balls):
                return None
            value = to_float(balls[0])
            slopes = {name: 0.0 if ball is None else to_float(ball) + 0.0 for name, ball in found.items()}
    except GradcheckError:
        return None
    if not all(abs(x) < float("inf") for x in (value, *slopes.values())):
        return None
    listed = ", ".join(f"d/d{name} = {slope:.10g}" for name, slope in list(slopes.items())[:SHOWN])
    more = f" ({len(slopes) - SHOWN} more)" if len(slopes) > SHOWN else ""
    return f"the value is {value:.10g}" + (f" and {listed}{more}" if listed else "")


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[Graph, str]]:
    return [(parse(Source(text, "pattern")), spelling) for text, spelling in SPELLINGS.items()]


def _spelling(graph: Graph, failed: int | None) -> str | None:
    """Return the stable spelling of the largest part that holds the gate that failed."""
    for node in reversed(graph.gates):
        if failed is None or failed not in upstream(graph, [node]):
            continue
        for pattern, spelling in _patterns():
            bound: dict[str, int] = {}
            if _matches(pattern, pattern.output, graph, node, bound):
                return _filled(spelling, graph, bound, node)
    return None


def _filled(spelling: str, graph: Graph, bound: Mapping[str, int], node: int) -> str:
    texts = {name: " ".join(graph.text(k).split()) for name, k in bound.items()}
    sums = [k for k in upstream(graph, [node]) if graph.ops[k] in ("sum", "softmax")]
    axis = next((dict(graph.params[k]).get("axis") for k in sums), None)
    plain = spelling.format("" if axis in (None, -1) else f", axis={axis}") if "{}" in spelling else spelling
    filled = re.sub(r"\b[xy]\b", lambda m: texts[m[0]], plain)
    return re.sub(r"\((\w+)\)(?=\))", r"\1", filled) if "-(" in filled or "- (" in filled else filled


def _matches(pattern: Graph, k: int, graph: Graph, node: int, bound: dict[str, int]) -> bool:
    """Return whether a node is the pattern's; what its letters stand for goes into `bound`."""
    op = pattern.ops[k]
    if op == INPUT:
        name = next(name for name, n in pattern.inputs.items() if n == k)
        return _same(graph, bound.setdefault(name, node), node)
    if op == CONSTANT:
        return node in graph.constants and _number(graph, node) == _number(pattern, k)
    if graph.ops[node] != op:
        return False
    ours, theirs = graph.operands(node), pattern.operands(k)
    for order in (ours, ours[::-1]) if op in COMMUTES else (ours,):
        trial = dict(bound)
        if all(_matches(pattern, p, graph, n, trial) for p, n in zip(theirs, order, strict=True)):
            bound.update(trial)
            return True
    return False


def _number(graph: Graph, node: int) -> float | str:
    text = graph.constants[node]
    return text if text in ("pi", "e") else float(text)


def _same(graph: Graph, a: int, b: int) -> bool:
    """Return whether two nodes are the same formula."""
    if a == b:
        return True
    if graph.ops[a] != graph.ops[b] or graph.left[a] < 0 or graph.params.get(a) != graph.params.get(b):
        return False
    return all(_same(graph, x, y) for x, y in zip(graph.operands(a), graph.operands(b), strict=True))
