"""From what is asked over a box to proofs: of an expression's gradients, and of the rules of ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from gradcheck import progress
from gradcheck.arithmetic import balls
from gradcheck.arithmetic.arb import arb
from gradcheck.checking import forward
from gradcheck.checking.boxes import Interval
from gradcheck.checking.gap import DIGITS, Gap, by_claim, by_rules
from gradcheck.checking.identity import identical
from gradcheck.checking.over import Outside, prove
from gradcheck.checking.problem import Problem
from gradcheck.checking.proof import CLAIMED, RULE, Box, BoxProof, Side
from gradcheck.engines.enclosure import around
from gradcheck.errors import DomainError, PointError, Source, UsageError
from gradcheck.graph.graph import Graph
from gradcheck.ops import OWN
from gradcheck.ops.op import Op

CORNERS = 64
"""Corners of a box at which the function is computed first."""

UPSTREAM = "g"
"""The upstream gradient, among the variables of an op's box."""

USUAL: Side = (-4.0, 4.0)
"""Where an operand of an op moves, unless its row says otherwise."""


def prove_problem(problem: Problem, box: Mapping[str, Interval]) -> list[BoxProof]:
    """Grade an expression's gradients over a box: the claims if there are any, else what backprop's rules give.

    Raises:
        PointError: if it works on arrays.
        DomainError: if the function certainly has no value somewhere in the box.
    """
    (point,) = problem.points()
    graph = problem.graph
    arrays = [name for name, value in point.items() if not isinstance(value, float)]
    if arrays or graph.params:
        node = graph.inputs[arrays[0]] if arrays else next(iter(graph.params))
        what = f"`{arrays[0]}` is an array" if arrays else "this works on arrays"
        raise PointError(f"--over takes single numbers, and {what}", graph.source, graph.span(node))
    sides = {name: one.side for name, one in box.items()}
    fixed = {name: value for name, value in point.items() if name not in sides}
    outside = _refusing(graph, list(sides), fixed)
    for corner in islice(product(*sides.values()), CORNERS):
        outside(tuple((x, x) for x in corner), corner)
    found = []
    names = list(problem.claims or problem.wrt)
    for k, name in enumerate(names):
        progress.say(f"d/d{name} over the box", k, len(names))
        claim = problem.claims.get(name)
        if claim is not None and (name not in graph.inputs or claim.beside):
            raise UsageError(
                f"--claim {name}: over a box only inputs are claimed, by formulas of the expression's names"
            )
        if claim is not None and not len(claim.graph):
            raise UsageError(f"--claim {name}: {claim.source.text} is no gradient to prove", hint="claim a formula")
        graded = by_claim(claim) if claim else by_rules(name)
        same = identical(graph, name, graded, *([claim.graph] if claim else []))
        finding = prove(Gap(graph, name, list(sides), fixed, graded), tuple(sides.values()), outside, same)
        kind, formula = (CLAIMED, claim.source.text) if claim else (RULE, None)
        found.append(BoxProof(problem.title, name, kind, formula, sides, fixed, finding))
    return found


def _refusing(graph: Graph, names: Sequence[str], fixed: Mapping[str, float]) -> Outside:
    """Return a function that refuses a box in whose middle the function has no value."""

    def outside(box: Box, middle: tuple[float, ...]) -> bool:
        point = dict(zip(names, middle, strict=True))
        try:
            forward.run(graph, {**fixed, **point}, arrays=False)
        except DomainError as error:
            at = ", ".join(f"{name} = {x:.10g}" for name, x in point.items())
            hint = "choose a box in which the function is defined"
            raise DomainError(f"{error.message} (at {at})", error.source, error.span, hint, error.node) from None
        return False

    return outside


def prove_ops(rows: Sequence[Op]) -> list[BoxProof]:
    """Prove the rules of elementwise ops."""
    found: list[BoxProof] = []
    for k, row in enumerate(rows):
        progress.say(row.name, k, len(rows))
        found += prove_op(row)
    return found


def prove_own(problem: Problem) -> list[BoxProof]:
    """Prove the rules of the ops of a spec that say over which box.

    Raises:
        DomainError: if an op certainly has no value somewhere in its box.
    """
    graph = problem.graph
    found: list[BoxProof] = []
    seen: set[str] = set()
    for node in graph.gates:
        rows = [OWN[graph.ops[node]]] if graph.ops[node] in OWN else []
        while rows:
            row = rows.pop()
            rows += row.functions.values()
            if row.over and row.name not in seen:
                seen.add(row.name)
                found += _at_home(row, problem, node)
    return found


def _at_home(row: Op, problem: Problem, node: int) -> list[BoxProof]:
    """Prove the rules of an op of a spec, with the place where it is used."""
    source, span = problem.graph.source, problem.graph.span(node)
    try:
        proofs = prove_op(row, own=True)
    except DomainError as error:
        raise DomainError(f"over: {error.message}", source, span, error.hint) from None
    line = source.position(span[0])[0]
    return [proof._replace(file=problem.origin.file, line=line) for proof in proofs]


def prove_op(row: Op, own: bool = False, only: str | None = None) -> list[BoxProof]:
    """Prove each rule of an elementwise op over its boxes.

    Args:
        row: the op.
        only: the operand whose rule to prove; all of them without.
        own: whether someone chose the box, so that the op has to have a value in all of it.

    Raises:
        DomainError: if the op of a spec certainly has no value somewhere in the box.
    """
    return [proof for box in row.over or ({},) for proof in _in_box(row, box, own, only)]


def _in_box(row: Op, box: Mapping[str, Side], own: bool, only: str | None) -> Iterator[BoxProof]:
    graph = Graph(Source("", row.name.partition("#")[0]))
    gate = graph.gate(row.name, [graph.input(name) for name in row.args])
    sides = {name: box.get(name, USUAL) for name in row.args}
    graph.output = gate
    if not row.partials:
        # Where a rule is not a factor of the upstream gradient by construction, that moves too.
        sides[UPSTREAM] = box.get(UPSTREAM, (-2.0, 2.0))
        graph.output = graph.gate("mul", [gate, graph.input(UPSTREAM)])
    moving = {name: side for name, side in sides.items() if side[0] < side[1]}
    fixed = {name: side[0] for name, side in sides.items() if name not in moving}
    outside = _refusing(graph, list(moving), fixed) if own else _domain_of(row, list(moving), fixed)
    for name, rule in zip(row.args, row.rules(), strict=True):
        if name in moving and only in (None, name):
            gap = Gap(graph, name, list(moving), fixed, by_rules(name))
            finding = prove(gap, tuple(moving.values()), outside)
            formula = row.partials[row.args.index(name)] if row.partials else rule
            yield BoxProof(row.name.partition("#")[0], name, RULE, formula, moving, fixed, finding)


def _domain_of(row: Op, names: Sequence[str], fixed: Mapping[str, float]) -> Outside:
    """Return a function that tells whether an op's own conditions certainly fail in all of a box."""
    conditions = [text for text in row.domain if type(text) is str]
    if not conditions:
        return lambda box, middle: False
    with balls.precision(DIGITS):
        holds = balls.system(DIGITS).compile(conditions, row.args)
    still = {name: arb(x) for name, x in fixed.items()}

    def outside(box: Box, middle: tuple[float, ...]) -> bool:
        operands: dict[str, Any] = {**still, **dict(zip(names, map(around, box), strict=True))}
        return any(found == 0 for found in holds(*[operands[name] for name in row.args]))

    return outside
