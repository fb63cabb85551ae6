"""SymPy's derivatives: each op's definition differentiated once, then the chain rule.

Differentiating a whole expression grows exponentially with its depth, so SymPy is asked only
for the local derivatives of the ops that occur; the chain rule runs over the graph in high
precision, in time proportional to its gates. For an expression small enough to read, the same
chain rule runs over SymPy expressions and gives the closed form.

Nothing here reads a rule of the op table: SymPy sees definitions only.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import sympy

from gradcheck.arithmetic.symbols import SYMBOLS
from gradcheck.arithmetic.system import System
from gradcheck.engines import chain
from gradcheck.errors import LanguageError, Source
from gradcheck.graph.evaluation import Values
from gradcheck.graph.graph import Graph
from gradcheck.language.from_sympy import to_text
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

MAX_SHOWN = 64
"""Operations, with shared parts written out, up to which a closed form is computed."""

MAX_LENGTH = 400
"""Characters up to which a closed form is shown."""

MAX_BENDS = 5
"""Piecewise ops in a closed form: SymPy's combining of cases is exponential in them."""

_partials: dict[str, tuple[str, ...]] = {}


def partials(op: str) -> tuple[str, ...]:
    """Return SymPy's local derivatives of `op` for each operand, as text over the operands."""
    found = _partials.get(op)
    if found is None:
        row = OPS[op]
        if row.locally_constant:
            found = ("0",) * len(row.args)
        else:
            symbols = [sympy.Symbol(name, real=True) for name in row.args]
            definition = SYMBOLS.function(op)(*symbols)
            found = tuple(_local(definition, symbol) for symbol in symbols)
        _partials[op] = found
    return found


def _local(definition: Any, symbol: Any) -> str:
    derivative = definition.diff(symbol)
    # A jump has slope zero on both sides; its place is judged by the finite differences.
    derivative = derivative.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    try:
        return to_text(sympy.powsimp(derivative))
    except ValueError:
        return "0/0"


@lru_cache(maxsize=1024)
def _local_functions(op: str, system: System) -> list[Any]:
    """Return SymPy's local derivatives of `op` in a number system: compiled, or the number that one is."""
    return [
        system.literal(text) if text.lstrip("-").isdigit() else system.compile([text], OPS[op].args, single=True)
        for text in partials(op)
    ]


def adjoints(graph: Graph, system: System, values: Values, one: Any) -> Values:
    """Return d output / d node for every node of a graph of single numbers, by SymPy's local derivatives."""
    return chain.adjoints(graph, values, one, lambda op: _local_functions(op, system), system.nan)


def closed_forms(graph: Graph, wrt: list[str]) -> dict[str, str]:
    """Return the closed form of the derivative for each input in `wrt` that has a readable one."""
    if not _readable(graph):
        return {}
    depends = chain.depends_on_inputs(graph)
    values: Values = [None] * len(graph)
    for name, node in graph.inputs.items():
        values[node] = sympy.Symbol(name, real=True)
    for node, text in graph.constants.items():
        values[node] = SYMBOLS.constant(text)
    try:
        for node in graph.gates:
            if not depends[node] and graph.ops[node] not in ("add", "sub", "mul", "div", "neg"):
                # Left as written: SymPy would multiply out 1.0000001^1000000000.
                text = graph.text(node)
                values[node] = sympy.Symbol(text if text.isidentifier() else f"({text})", real=True)
            else:
                values[node] = SYMBOLS.function(graph.ops[node])(*[values[k] for k in graph.operands(node)])
        result = _symbolic_adjoints(graph, values, depends)
        forms = {name: result[graph.inputs[name]] for name in wrt}
        texts = {name: "0" if form is None else to_text(form) for name, form in forms.items()}
    except (ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError):
        return {}
    return {name: text for name, text in texts.items() if len(text) <= MAX_LENGTH and _sayable(text)}


def _sayable(text: str) -> bool:
    """Whether the language can say what SymPy printed: its conditions may hold And and ITE."""
    try:
        parse(Source(re.sub(r"\[[\d,]*\]", "", text)))
    except LanguageError:
        return False
    return True


def _symbolic_adjoints(graph: Graph, values: Values, depends: bytearray) -> Values:
    result: Values = [None] * len(graph)
    result[graph.output] = sympy.S.One
    for node in reversed(graph.gates):
        if result[node] is None:
            continue
        operands = graph.operands(node)
        for operand, derivative in zip(operands, _local_functions(graph.ops[node], SYMBOLS), strict=True):
            if depends[operand]:
                point = [values[k] for k in operands]
                term = result[node] * (derivative(*point) if callable(derivative) else derivative)
                result[operand] = term if result[operand] is None else result[operand] + term
    return result


def _readable(graph: Graph) -> bool:
    size = [1] * len(graph)
    if len(size) > 4 * MAX_SHOWN:
        return False
    for node in graph.gates:
        size[node] = 1 + sum(size[k] for k in graph.operands(node))
        if size[node] > MAX_SHOWN:
            return False
    if max(map(len, graph.constants.values()), default=0) > 25:
        return False
    bends = sum(1 for op in graph.ops if op in OPS and OPS[op].piecewise)
    return bends <= MAX_BENDS
