"""An op that has a definition, as a function of a programming language: the op table's own text, printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from gradcheck.errors import Source
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.language.parser import parse
from gradcheck.notation.printer import Notation, Piece, applied
from gradcheck.ops import OPS
from gradcheck.ops.op import Op

Identifier = Callable[[str, Collection[str]], str]
"""(any name, identifiers in use) → an identifier that is not among them."""

_CALLED = re.compile(r"(?<![\w.$])([^\W\d]\w*)(?=\()")


class Syntax(NamedTuple):
    """How a programming language defines a function.

    Attributes:
        notation: how it writes formulas.
        identifier: makes an identifier of a name.
        opening: the line that begins the function, with {name} and {args}.
        assignment: a line that names a value, with {name} and {value}.
        result: the line that returns {value}.
        closing: the end, after the last line.
    """

    notation: Notation
    identifier: Identifier
    opening: str
    assignment: str
    result: str
    closing: str = ""


def formula(op: Op) -> Graph:
    """Return the graph of an elementwise or user-defined op's definition, arranged for float64.

    Raises:
        ValueError: if the op is a primitive.
    """
    text = op.forward or op.form
    if text is None:
        raise ValueError(f"{op.name} has no definition")
    return parse(Source(text, "rule"), op.args, internal=True, functions=op.functions)


def statements(
    graph: Graph, notation: Notation, names: Mapping[str, Piece], identifier: Identifier, taken: Collection[str]
) -> tuple[list[tuple[str, str]], Piece]:
    """Write a formula whose stages have names of their own, each stage once.

    Args:
        graph: the formula.
        notation: how to write it.
        names: input name → what stands for it.
        identifier: makes an identifier of a stage's name.
        taken: identifiers in use.

    Returns:
        The stages before the last in order, (identifier, formula) each, and the formula of the output.
    """
    used = set(taken)
    stages: dict[int, str] = {}
    for name, node in graph.stages.items():
        if node != graph.output:
            stages[node] = identifier(name, used)
            used.add(stages[node])
    pieces = {node: names[name] for name, node in graph.inputs.items()}
    pieces |= {node: notation.constant(text) for node, text in graph.constants.items()}
    lines = []
    for node in graph.gates:
        operands = [pieces[k] for k in graph.operands(node)]
        piece = applied(notation, graph.ops[node], operands, graph.params.get(node, ()))
        if node in stages:
            lines.append((stages[node], piece.text))
            piece = Piece(stages[node])
        pieces[node] = piece
    return lines, pieces[graph.output]


def definition(op: Op, name: str, syntax: Syntax, taken: Collection[str] = ()) -> str:
    """Return the source of a function `name` that computes an op by its definition.

    `taken` are identifiers that its arguments and stages must leave alone.

    Raises:
        ValueError: if the op is a primitive.
    """
    used = {name, *taken}
    arguments: dict[str, str] = {}
    for argument in op.args:
        arguments[argument] = syntax.identifier(argument, used)
        used.add(arguments[argument])
    pieces = {argument: Piece(word) for argument, word in arguments.items()}
    lines, result = statements(formula(op), syntax.notation, pieces, syntax.identifier, used)
    text = [syntax.opening.format(name=name, args=", ".join(arguments.values()))]
    text += [syntax.assignment.format(name=local, value=value) for local, value in lines]
    return "\n".join([*text, syntax.result.format(value=result.text)]) + "\n" + syntax.closing


def needed(text: str, table: Mapping[str, str]) -> list[str]:
    """Return the sources of the functions that a program calls, each after those that it calls itself.

    Args:
        text: the program.
        table: name of a function → its source.
    """
    wanted: dict[str, set[str]] = {}
    todo = [text]
    while todo:
        for name in _called(todo.pop(), table):
            if name not in wanted:
                wanted[name] = _called(table[name], table) - {name}
                todo.append(table[name])
    ordered: dict[str, str] = {}
    while len(ordered) < len(wanted):
        name = next(k for k in sorted(wanted) if k not in ordered and wanted[k] <= ordered.keys())
        ordered[name] = table[name]
    return list(ordered.values())


def _called(text: str, table: Mapping[str, str]) -> set[str]:
    return {name for name in _CALLED.findall(text) if name in table}


def own_ops(ops: Iterable[str]) -> list[Op]:
    """Return the ops of a spec among `ops`, and those that their definitions use, by the names of their rows."""
    found: dict[str, Op] = {}
    todo = [op for op in ops if "#" in op]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = OPS[name]
            todo += [op for op in formula(found[name]).ops if "#" in op]
    return sorted(found.values(), key=lambda op: (op.name.partition("#")[0], op.name))


def speaks(ops: Iterable[str], words: Collection[str]) -> bool:
    """Return whether a notation that has `words` can write all of `ops`; a spec's ops by their definitions."""
    given = set(ops)
    plain = {op for op in given if "#" not in op}
    plain |= {inner for op in own_ops(given) for inner in formula(op).ops if "#" not in inner}
    return all(op in words for op in plain - {INPUT, CONSTANT})
