"""What an op is made of: its definition as a graph, arranged as float64 computes it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gradcheck.errors import Source
from gradcheck.graph.graph import Graph, Params, spliced
from gradcheck.language.parser import parse
from gradcheck.ops import OPS
from gradcheck.ops.op import Op


def definition(row: Op, params: Params) -> Graph | None:
    """Return the graph of an op's own definition, arranged as float64 computes it; None if it has none."""
    text = row.forward or row.form or row.alone
    return None if text is None else _parsed(row.name, text, _Static({**row.params, **dict(params)}))


class _Static(dict[str, Any]):
    """Parameters as a dictionary key: before Python 3.12 a slice is not hashable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(self))


ROUNDING = "±"
"""An input that is nothing but rounding."""


@lru_cache(maxsize=512)
def _parsed(op: str, text: str, static: _Static) -> Graph:
    row = OPS[op]
    source = Source(text, "definition")
    return _shared(parse(source, row.args, static_names=static, internal=True, functions=row.functions))


def _shared(graph: Graph) -> Graph:
    """Return a graph with equal gates computed once."""
    result = Graph(graph.source)
    names = {node: name for name, node in graph.inputs.items()}
    made: dict[Any, int] = {}
    to: list[int] = []
    for node, op in enumerate(graph.ops):
        operands = tuple(to[k] for k in graph.operands(node))
        params = graph.params.get(node, ())
        key = (op, names.get(node), graph.constants.get(node), operands, repr(params))
        if key not in made:
            if node in names:
                made[key] = result.input(names[node])
            elif node in graph.constants:
                made[key] = result.constant(graph.constants[node])
            else:
                made[key] = result.gate(op, operands, params)
        to.append(made[key])
    result.output = to[graph.output]
    return result


def taken_apart(graph: Graph) -> tuple[Graph, list[int]]:
    """Return a graph of single numbers with every op in the place of its definition, and where each node went.

    So would somebody compute it who has but the definitions: rules of primitives are all that is left. The input
    ROUNDING, nearly nothing, times its operands is added to each function that was taken apart.
    """
    result = Graph(graph.source)
    to: list[int] = []
    names = {node: name for name, node in graph.inputs.items()}
    for node, op in enumerate(graph.ops):
        if node in names:
            to.append(result.input(names[node]))
        elif node in graph.constants:
            to.append(result.constant(graph.constants[node]))
            if node in graph.literals:
                result.literals.add(to[-1])
        else:
            to.append(_apart(result, op, [to[k] for k in graph.operands(node)]))
    result.output = to[graph.output]
    return result, to


def _apart(graph: Graph, op: str, operands: list[int]) -> int:
    row = OPS[op]
    if row.form is None:
        return graph.gate(op, operands)
    sub, _ = _definition_apart(op)
    node = spliced(graph, sub, dict(zip(row.args, operands, strict=True)), (0, 0, 0))
    for operand in operands:
        node = graph.gate("add", [node, graph.gate("mul", [graph.input(ROUNDING), operand])])
    return node


@lru_cache(maxsize=512)
def _definition_apart(op: str) -> tuple[Graph, list[int]]:
    row = OPS[op]
    graph = parse(Source(row.form or "", "definition"), row.args, internal=True, functions=row.functions)
    graph.literals |= graph.constants.keys()
    return taken_apart(graph)
