"""The value of the function in float64, or the gate and the requirement that denies it one."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, NoReturn

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.system import System
from gradcheck.errors import DomainError
from gradcheck.graph.evaluation import Failure, Values, evaluate
from gradcheck.graph.graph import Graph
from gradcheck.ops import CHOICES, OPS
from gradcheck.ops.op import Worded


class Forward(NamedTuple):
    """Values of every node in float64, and the number system they are in."""

    system: System
    values: Values


def run(graph: Graph, inputs: dict[str, Any], arrays: bool) -> Forward:
    """Compute the graph at a point.

    Raises:
        DomainError: naming the first op that has no finite value on the way to the output, its
            requirement and its operand.
    """
    system = FLOATS
    if arrays:
        from gradcheck.arithmetic.arrays import FLOAT_ARRAYS

        system = FLOAT_ARRAYS
    with system.active():
        values, failures = evaluate(graph, system, inputs)
    if arrays:
        _check_arrays(graph, values)
    else:
        _check_numbers(graph, values, failures)
    return Forward(system, values)


def _check_numbers(graph: Graph, values: Values, failures: list[Failure]) -> None:
    if not failures and all(map(math.isfinite, values)):
        return
    needed = live(graph, values)
    for node in graph.gates:
        if node in needed and not math.isfinite(values[node]):
            explain(graph, node, [values[k] for k in graph.operands(node)])


def live(graph: Graph, values: Values) -> set[int]:
    """Return the nodes that the output is computed from, untaken branches of `where` aside."""
    found, stack = {graph.output}, [graph.output]
    while stack:
        node = stack.pop()
        operands = graph.operands(node)
        if graph.ops[node] in CHOICES:
            operands = (operands[0], operands[1] if values[operands[0]] else operands[2])
        for operand in operands:
            if operand not in found:
                found.add(operand)
                stack.append(operand)
    return found


def _check_arrays(graph: Graph, values: Values) -> None:
    import numpy as np

    finite = bool(np.all(np.isfinite(values[graph.output])))
    if finite and not CHOICES.isdisjoint(graph.ops):
        return
    for node in graph.gates:
        bad = ~np.isfinite(values[node])
        if not np.any(bad):
            continue
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        operands = [values[k] for k in graph.operands(node)]
        if OPS[graph.ops[node]].elementwise:
            operands = [np.broadcast_to(x, np.shape(values[node]))[index] for x in operands]
            explain(graph, node, [float(x) for x in operands], index)
        explain(graph, node, [], index)


def explain(graph: Graph, node: int, operands: list[float], index: tuple[int, ...] = ()) -> NoReturn:
    """Raise the error that says why the gate `node` has no finite value for these operands."""
    row = OPS[graph.ops[node]]
    where = f" (element {list(index)})" if index else ""
    named = dict(zip(row.args, operands, strict=False))
    failed = next((c for c in row.domain if not _holds(c, row.args, operands)), None)
    text = graph.text(node)
    text = text if len(text) <= 40 else text[:39] + "…"
    if failed is None:
        shown = ", ".join(f"{name} = {value:.10g}" for name, value in named.items())
        raise DomainError(
            f"{row.name} overflows float64{where}" + (f": {shown}" if shown else ""),
            graph.source, graph.span(node), f"`{text}` is not finite here", node,
        )  # fmt: skip
    used = [name for name in row.args if name in _words(failed) and name in named]
    shown = ", ".join(f"{name} = {named[name]:.10g}" for name in used)
    raise DomainError(
        f"{row.name} is not defined here: it needs {failed}, but {shown}{where}",
        graph.source, graph.span(node), f"`{text}` has no value at this point", node,
    )  # fmt: skip


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))


def _holds(condition: str, args: tuple[str, ...], operands: list[float]) -> bool:
    """Evaluate a domain condition; one in words cannot be evaluated and is taken as broken."""
    if not operands:
        return True
    if isinstance(condition, Worded):
        return condition.holds(*operands)
    try:
        return bool(FLOATS.compile([condition], args, single=True)(*operands))
    except (ArithmeticError, ValueError):
        return False
