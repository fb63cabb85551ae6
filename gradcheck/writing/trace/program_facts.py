"""What a program must know of a derivation before it is written: names, shapes, and where Python and numpy differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gradcheck.deriving.records import CONSTANT, Derivation, Flow, Leaf, Step
from gradcheck.errors import ShapeError, Source
from gradcheck.graph.graph import INPUT, Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.notation.python import ARRAYS, identifier, own_helpers
from gradcheck.ops import CHOICES, OPS, OWN
from gradcheck.ops.shapes import Shape

CALM = 1e150
"""Numbers below this (and above its inverse) can be squared without overflow; others go through numpy."""


class ProgramNames(NamedTuple):
    """What the quantities of a derivation are called in its program.

    Attributes:
        values: node → variable that holds its value.
        gradients: node → variable that holds its gradient.
    """

    values: Mapping[int, str]
    gradients: Mapping[int, str]


def names(derivation: Derivation) -> ProgramNames:
    """Return the variables of a derivation's program: dx for the gradient of x, d_x where there are arrays."""
    used = set(own_helpers(ops_of(derivation), ARRAYS))
    found: list[dict[int, str]] = []
    for prefix in ("", "d_" if derivation.arrays else "d"):
        called = {}
        for one in quantities(derivation):
            if not is_number(one):
                called[one.node] = identifier(f"{prefix}{one.name}", used)
                used.add(called[one.node])
        found.append(called)
    return ProgramNames(*found)


def quantities(derivation: Derivation) -> list[Leaf | Step]:
    """Return leaves and steps."""
    return [*derivation.leaves, *derivation.steps]


def is_number(one: Leaf | Step) -> bool:
    """Whether it is a number that stands in the formula itself."""
    return getattr(one, "kind", "") == CONSTANT


def is_zero(flow: Flow) -> bool:
    """Whether a rule passes nothing back, whatever the numbers are."""
    graph = flow.rule.graph
    return graph.constants.get(graph.output) == "0"


def ops_of(derivation: Derivation) -> set[str]:
    """Return the ops of all formulas, backward ones too."""
    formulas = [step.formula for step in derivation.steps]
    formulas += [flow.rule for step in derivation.steps for flow in step.flows]
    return {op for formula in formulas for op in formula.graph.ops}


def shares(graph: Graph) -> bool:
    """Whether the result of a formula may be one of its operands, seen in another way."""
    return _lender(graph) is not None


def _lender(graph: Graph) -> int | None:
    """Return the input whose memory the result of a formula may share, if there is one."""
    node = graph.output
    while graph.left[node] >= 0:
        row = OPS[graph.ops[node]]
        place = 0 if row.view else None
        if row.name in OWN and row.form is not None:
            form = parse(Source(row.form, row.name), row.args, functions=row.functions)
            lender = _lender(form)
            place = next((row.args.index(name) for name, k in form.inputs.items() if k == lender), None)
        if place is None:
            return None
        node = graph.operands(node)[place]
    return node if graph.ops[node] == INPUT else None


def masked(graph: Graph, flow: Flow) -> bool:
    """Whether zeros that a `where` of the graph sent back meet an infinite slope, and must stay zeros."""
    if CHOICES.isdisjoint(graph.ops) or flow.partial is None:
        return False
    import numpy as np

    return not np.all(np.isfinite(flow.partial)) and bool(np.any(np.isfinite(flow.value)))


def rule_shape(graph: Graph, shapes: Mapping[int, Shape], step: Step, flow: Flow) -> Shape | None:
    """Return the shape of a rule's result; None if it is only known when it runs.

    Args:
        graph: the graph that was differentiated.
        shapes: the shape of its nodes; () for those that are missing.
        step: a step.
        flow: what goes back from it.
    """
    row, operands = OPS[graph.ops[step.node]], graph.operands(step.node)
    if row.elementwise:
        return shapes[step.node]
    known = {arg: shapes.get(k, ()) for arg, k in zip(row.args, operands, strict=True)}
    known |= {"out": shapes[step.node], "g": shapes[step.node]}
    rule = flow.rule.graph
    try:
        return infer(rule, {arg: known[arg] for arg in rule.inputs})[rule.output]
    except ShapeError:
        return None


def calm(derivation: Derivation) -> bool:
    """Whether Python computes with all numbers, and with their squares, as numpy does."""
    return all(map(_calm, _numbers(derivation)))


def _numbers(derivation: Derivation) -> Iterator[Any]:
    for one in quantities(derivation):
        yield one.value
        if one.gradient is not None:
            yield one.gradient
    for step in derivation.steps:
        for flow in step.flows:
            yield flow.value
            if flow.partial is not None:
                yield flow.partial


def _calm(value: Any) -> bool:
    if not hasattr(value, "shape"):
        return bool(value == 0 or 1 / CALM < abs(value) < CALM)
    import numpy as np

    size = np.abs(value)
    return bool(np.all((size == 0) | ((size > 1 / CALM) & (size < CALM))))
