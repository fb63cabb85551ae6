"""One loop over a whole graph, with a branch an op: the op table written out as code.

Calling a function for each gate costs more than what most gates compute. So for the few ops
that occur in a graph, a loop is generated from the same texts that `System.function` and
`System.rule` compile, and kept: its cost is the number of different ops, not of gates.

A loop stops at a gate that raises and returns its node; the caller goes on from there with the
functions, one gate at a time, with care.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gradcheck.arithmetic.compiling import Writer
from gradcheck.errors import Source
from gradcheck.graph.graph import CONSTANT, INPUT, NONE
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

if TYPE_CHECKING:
    from gradcheck.arithmetic.compiling import Compiled

Loop = Callable[..., int]

SAMPLE = 2000
"""Nodes looked at to put the commonest op's branch first."""


def by_frequency(ops: Sequence[str]) -> tuple[str, ...]:
    """Return the ops of a graph, the commonest first, leaves left out."""
    counts = Counter(ops[:: len(ops) // SAMPLE + 1])
    present = set(ops) - {INPUT, CONSTANT}
    return tuple(sorted(present, key=lambda op: (-counts[op], op)))


@lru_cache(maxsize=256)
def forward_loop(system: Compiled, ops: tuple[str, ...]) -> Loop:
    """Return the loop (nodes, ops, left, right, rest, values) → NONE, or the gate that raised.

    The first four run alongside each other: over the whole graph, or over some gates of it.
    """
    writer = Writer(system, ())
    lines = ["node = -1", "try:", "    for node, op, i, j in zip(nodes, ops, left, right):"]
    for k, op in enumerate(ops):
        row = OPS[op]
        if len(row.args) > 2:
            written = f"{writer.bind('f', system.function(op))}(*[values[k] for k in rest[node]])"
        else:
            written = writer.apply(op, (), ["values[i]", "values[j]"][: len(row.args)])
        lines += [f"        {'el' if k else ''}if op == {op!r}:", f"            values[node] = {written}"]
    return _compiled(writer, "nodes, ops, left, right, rest, values", lines)


@lru_cache(maxsize=256)
def backward_loop(system: Compiled, ops: tuple[str, ...]) -> Loop:
    """Return the loop (ops, left, right, rest, values, gradients) → NONE, or the gate that raised."""
    writer = Writer(system, ())
    lines = [
        "node = len(ops)", "try:",
        "    for node, op, i, j in zip(range(node - 1, -1, -1), reversed(ops), left[::-1], right[::-1]):",
        "        g = gradients[node]",
        "        if g is None:",
        "            continue",
    ]  # fmt: skip
    for k, op in enumerate(ops):
        lines.append(f"        {'el' if k else ''}if op == {op!r}:")
        body = _many(writer, op) if len(OPS[op].args) > 2 else _rules(writer, op)
        lines += [f"            {line}" for line in body]
    return _compiled(writer, "ops, left, right, rest, values, gradients", lines)


def _rules(writer: Writer, op: str) -> list[str]:
    """Write the rules of a unary or binary op: all contributions first, since one may raise."""
    row = OPS[op]
    names = dict(zip(("g", "out", *row.args), ("g", "values[node]", "values[i]", "values[j]"), strict=False))
    graphs = [parse(Source(text, "rule"), names, internal=True) for text in row.rules()]
    writer.arguments, writer.lines = names, []
    flows = [writer.write(graph) for graph in graphs]
    lines = writer.lines
    for name, flow in zip("uw", flows, strict=False):
        lines.append(f"{name} = {flow}")
    for name, operand in zip("uw"[: len(flows)], "ij", strict=False):
        lines += [
            f"so_far = gradients[{operand}]",
            f"gradients[{operand}] = {name} if so_far is None else so_far + {name}",
        ]
    return lines


def _many(writer: Writer, op: str) -> list[str]:
    """Write the step for an op with three or more operands; a contribution may be None."""
    rule = writer.bind("r", writer.system.rule(op).fast)
    return [
        "operands = rest[node]",
        f"flows = {rule}(g, *[values[k] for k in operands], values[node])",
        "for operand, flow in zip(operands, flows):",
        "    if flow is not None:",
        "        so_far = gradients[operand]",
        "        gradients[operand] = flow if so_far is None else so_far + flow",
    ]


def _compiled(writer: Writer, arguments: str, lines: list[str]) -> Loop:
    ending = ["        pass", "except (ArithmeticError, ValueError):", "    return node", f"return {NONE}"]
    return writer.function(arguments, [*lines, *ending])
