"""The value of the function in float64, or the gate and the requirement that denies it one."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, NoReturn

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.arithmetic.system import System
from gradcheck.errors import DomainError
from gradcheck.graph.evaluation import Failure, Values, evaluate
from gradcheck.graph.graph import LONGEST, Graph
from gradcheck.ops import CHOICES, OPS
from gradcheck.ops.op import Worded


class Evaluated(NamedTuple):
    """Values of every node in float64, and the number system they are in."""

    system: System
    values: Values


def run(graph: Graph, inputs: dict[str, Any], arrays: bool, finite: bool = True) -> Evaluated:
    """Compute the graph at a point; unless it must be `finite`, also where it has no value.

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
    if arrays and finite:
        _check_arrays(graph, values)
    elif finite:
        _check_numbers(graph, values, failures)
    return Evaluated(system, values)


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
            if OPS[graph.ops[node]].eliminates:
                # Rounding gives singular matrices an inverse.
                _refuse_matrix(graph, node, [np.asarray(values[k]) for k in graph.operands(node)])
            continue
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        operands = [values[k] for k in graph.operands(node)]
        if OPS[graph.ops[node]].elementwise:
            operands = [np.broadcast_to(x, np.shape(values[node]))[index] for x in operands]
            explain(graph, node, [float(x) for x in operands], index)
        _refuse_matrix(graph, node, [np.asarray(x) for x in operands])
        explain(graph, node, [], index)


def _refuse_matrix(graph: Graph, node: int, operands: list[Any]) -> None:
    """Raise the error of an op on whole matrices that has no value for these.

    Raises:
        DomainError: with what it needs.
    """
    for condition in OPS[graph.ops[node]].domain:
        if isinstance(condition, Worded) and all(map(_all_finite, operands)) and not condition.holds(*operands):
            called = _called(graph, node, 0)
            raise DomainError(
                f"{graph.title(node)} is not defined here: it needs {condition}, and `{called}` is none",
                graph.source, graph.span(node), f"`{_shortened(graph, node)}` has no value at this point", node,
            )  # fmt: skip


def _all_finite(x: Any) -> bool:
    import numpy as np

    return bool(np.all(np.isfinite(x)))


def _shortened(graph: Graph, node: int) -> str:
    text = " ".join(graph.text(node).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def explain(graph: Graph, node: int, operands: list[float], index: tuple[int, ...] = ()) -> NoReturn:
    """Raise the error that says why the gate `node` has no finite value for these operands."""
    row, operation = OPS[graph.ops[node]], graph.title(node)
    where = f" (element {list(index)})" if index else ""
    named = dict(zip(row.args, operands, strict=False))
    failed = next((c for c in row.domain if not _holds(c, row.args, operands)), None)
    text = _shortened(graph, node)
    nodes = dict(zip(row.args, graph.operands(node), strict=False))
    used = [name for name in named if failed is None or name in _words(failed)]
    # Nobody needs to be told what a 9 is, unless there is nothing else to say.
    told = [name for name in used if nodes[name] not in graph.constants] or used
    called = {name: _called(graph, node, k) for k, name in enumerate(nodes)}
    called |= {name: _ORDINALS[k] for k, name in enumerate(nodes) if name in told and nodes[name] in graph.constants}
    shown = ", ".join(f"{called[name]} = {named[name]:.10g}" for name in told)
    if failed is None:
        said = "has no finite value here" if operation != row.name else "overflows float64"
        raise DomainError(
            f"{operation} {said}{where}" + (f": {shown}" if shown else ""),
            graph.source, graph.span(node), f"`{text}` is not finite here", node,
        )  # fmt: skip
    raise DomainError(
        f"{operation} is not defined here: it needs {_condition(failed, called)}, but {shown}{where}",
        graph.source, graph.span(node), f"`{text}` has no value at this point", node,
        all(graph.left[k] < 0 for k in graph.operands(node)),
    )  # fmt: skip


_ORDINALS = ("its first input", "its second input", "its third input", "its fourth input", "its fifth input")
"""What operands are called that the user has no name for."""


def _called(graph: Graph, node: int, place: int) -> str:
    """Return what the user calls an operand of a gate: its name, or its text if that stands within the gate's own."""
    operands = graph.operands(node)
    operand = operands[place]
    names = {k: name for table in (graph.inputs, graph.stages) for name, k in table.items()}
    if operand in names:
        return names[operand]
    start, end = graph.span(node)
    first, last = graph.span(operand)
    inside = start <= first and last <= end and (first, last) != (start, end)
    text = " ".join(graph.text(operand).split()) if inside else ""
    if text:
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "its input" if len(operands) == 1 else _ORDINALS[min(place, len(_ORDINALS) - 1)]


def _condition(text: str, called: dict[str, str]) -> str:
    """Return a condition of the op table over the user's own operands."""
    alone = re.fullmatch(r"\w+ [<>=!]+ \S+", text) is not None

    def operand(match: re.Match[str]) -> str:
        name = called.get(match[0], match[0])
        bracketed = text[: match.start()].endswith("(") and text[match.end() :].startswith(")")
        plain = bracketed or name.startswith("its ") or re.fullmatch(r"[\w.]+|\w+\([^()]*\)", name)
        return name if plain or (alone and not re.search("[<>=]", name)) else f"({name})"

    return re.sub(r"[A-Za-z_]\w*", operand, text)


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
