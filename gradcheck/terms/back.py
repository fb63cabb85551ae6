"""Gradients as terms: back over a graph by the rules of its ops, a formula where backprop has numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from gradcheck.errors import Source
from gradcheck.graph.graph import Graph, Params
from gradcheck.language.parser import parse
from gradcheck.ops import OPS
from gradcheck.ops.op import Op, times_g
from gradcheck.ops.shapes import Shape
from gradcheck.terms.making import apply
from gradcheck.terms.reducing import fitted
from gradcheck.terms.shortening import shortened
from gradcheck.terms.term import CONSTANT, NAME, ONE, ZERO, Term, UnsayableError, add, number, spread, stripped

MOST_GATES = 64
"""Gates of a graph up to which its derivative is one that people read."""

Slopes = Callable[[Op], Sequence[str]]
"""An op that works by element → its local derivatives, as text over its operands and `out`."""


def gradients(graph: Graph, shapes: Sequence[Shape], wrt: Sequence[str], slopes: Slopes) -> dict[str, Term]:
    """Return the gradient of the sum of a graph's output for each input that has one in words.

    Args:
        graph: the graph.
        shapes: of each of its nodes.
        wrt: the inputs.
        slopes: the local derivatives to go by.
    """
    if len(graph.gates) > MOST_GATES:
        return {}
    try:
        values = _values(graph, shapes)
    except UnsayableError:
        return {}
    found = _backward(graph, shapes, values, slopes)
    result = {}
    for name in wrt:
        term = found.get(graph.inputs[name], ZERO)
        if term is not None and not _holds(term, "put"):
            try:
                result[name] = stripped(shortened(stripped(term)))
            except UnsayableError:
                continue
    return result


def _holds(term: Term, op: str) -> bool:
    return term.op == op or any(_holds(one, op) for one in term.args)


def _values(graph: Graph, shapes: Sequence[Shape]) -> dict[int, Term]:
    values = {node: Term(NAME, (), name, shapes[node]) for name, node in graph.inputs.items()}
    values |= {node: _constant(text) for node, text in graph.constants.items()}
    for node in graph.gates:
        values[node] = apply(graph.ops[node], [values[k] for k in graph.operands(node)], graph.params.get(node, ()))
    return values


def _constant(text: str) -> Term:
    return Term(CONSTANT, (), text, ()) if text in ("pi", "e") else number(Fraction(text))


def _backward(
    graph: Graph, shapes: Sequence[Shape], values: Mapping[int, Term], slopes: Slopes
) -> dict[int, Term | None]:
    """Return the gradient of each node; None where there are no words for it."""
    found: dict[int, Term | None] = {graph.output: spread(ONE, shapes[graph.output])}
    for node in reversed(graph.gates):
        if node not in found:
            continue
        operands = graph.operands(node)
        for k, text in zip(operands, _rules(graph, shapes, node, slopes), strict=True):
            if graph.left[k] < 0 and k in graph.constants:
                continue
            try:
                flow = _flow(graph, node, text, found[node], values)
                so_far = found.get(k, ZERO)
                if so_far is None or stripped(flow) == ZERO:
                    continue
                flow = fitted(flow, shapes[k])
                found[k] = flow if so_far == ZERO else add([(1, so_far), (1, flow)])
            except (UnsayableError, NotImplementedError):
                found[k] = None
    return found


def _rules(graph: Graph, shapes: Sequence[Shape], node: int, slopes: Slopes) -> Sequence[str]:
    row = OPS[graph.ops[node]]
    if row.partials:
        return [times_g(text) for text in slopes(row)]
    return row.rules(tuple(len(shapes[k]) for k in graph.operands(node)) if row.by_rank else ())


def _flow(graph: Graph, node: int, text: str, g: Term | None, values: Mapping[int, Term]) -> Term:
    """Return what flows back to one operand, as a rule has it."""
    if g is None:
        raise UnsayableError
    row, params = OPS[graph.ops[node]], graph.params.get(node, ())
    rule = _parsed(row.name, text, _Static(params))
    known = dict(zip(row.args, (values[k] for k in graph.operands(node)), strict=True))
    terms = {k: {**known, "g": g, "out": values[node]}[name] for name, k in rule.inputs.items()}
    terms |= {k: _constant(one) for k, one in rule.constants.items()}
    for k in rule.gates:
        args = [terms[n] for n in rule.operands(k)]
        # What a rule says where its formula has no value would hide the formula.
        guard = rule.ops[k] == "where" and args[1] == ZERO and stripped(args[0]).op == "eq"
        terms[k] = spread(args[2], args[0].shape) if guard else apply(rule.ops[k], args, rule.params.get(k, ()))
    return terms[rule.output]


class _Static(tuple[tuple[str, object], ...]):
    """Parameters as a dictionary key: before Python 3.12 a slice is not hashable."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(repr(self))


@lru_cache(maxsize=512)
def _parsed(op: str, text: str, params: Params) -> Graph:
    row = OPS[op]
    names = {**row.params, **dict(params)}
    return parse(Source(text, "rule"), ("g", *row.args, "out"), static_names=names, internal=True,
                 functions=row.functions)  # fmt: skip
