"""The ways to check a problem at a place, and which of them it goes: data in, findings out.

Number by number in a hundred digits; by SymPy's chain rule in a hundred digits beside the gates; gate
by gate in float64. What a problem costs to write out as single numbers is estimated from its shapes;
that alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

from gradcheck.arithmetic import decimals
from gradcheck.checking import judge
from gradcheck.checking.exact import MOST_EXTRA, SpreadError
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.number_by_number import NumbersAsked, number_by_number
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.settings import Settings
from gradcheck.checking.tensor import Tensor
from gradcheck.graph.graph import CONSTANT, INPUT
from gradcheck.language.claims import Claim
from gradcheck.ops import OPS, OWN

AFFORDABLE = 2_000_000
"""Cost, in additions of two numbers of a hundred digits, up to which every number is checked on its own:
about a second."""

MOST_GATES = 100_000
"""Gates, written out, beyond which nothing is written out."""

EXTRA_DIGITS = 100
"""Digits that may be added to a hundred: exp(-10000) beside 1 would take thousands, and minutes."""

TINY = 100
"""Gates times numbers up to which digits do not matter."""

RUNS, STEPS = 4, 20
"""Evaluations that values and rules in high precision amount to, and what SymPy's chain rule costs a gate."""

DEAR, SPECIAL = 60, 400
"""What an exponential or a root costs in decimals, and what any function costs in mpmath numbers."""


class Findings(NamedTuple):
    """What a way found: one finding a tensor, sentences for the reader, and how it was done."""

    tensors: list[Tensor]
    notes: list[str]
    method: str


EVERY_NUMBER = "every number by itself, in a hundred digits"


def check(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Check a problem at a place in the way that its size allows.

    Raises:
        DomainError: if a slope is infinite or not defined.
    """
    if problem.every_number:
        asked = NumbersAsked(problem.wrt, settings.engines, problem.claims, problem.joint, formulas=True)
        return Findings(number_by_number(place, asked), [], EVERY_NUMBER)
    by_number, by_symbols = affordable(place, problem.wrt)
    if by_symbols:
        try:
            return _exact(problem, place, settings) if by_number else _with_symbols(problem, place, settings)
        except SpreadError:
            pass
    return _in_float64(problem, place, settings)


def written_out(place: Place) -> tuple[int, float]:
    """Return how many gates a graph has when written out, and what evaluating them once costs."""
    graph, shapes = place.graph, [value.shape for value in place.values]
    simple = decimals.supports({op for op in graph.ops if op not in (INPUT, CONSTANT) and OPS[op].elementwise})
    gates, cost = 0, 0.0
    for node in graph.gates:
        row = OPS[graph.ops[node]]
        operands = graph.operands(node)
        if row.elementwise:
            count = prod(shapes[node])
            each = 1.0 if row.cheap else DEAR
        elif row.contracts:
            count, each = 2 * prod(shapes[node]) * shapes[operands[0]][-1], 1.0
        elif row.copies:
            count, each = 0, 0.0
        else:
            count, each = 2 * sum(prod(shapes[k]) for k in operands) + prod(shapes[node]), DEAR / 4
        gates += count
        cost += count * each * (1.0 if simple else SPECIAL / DEAR)
    return gates, cost


def affordable(place: Place, wrt: Sequence[str]) -> tuple[bool, bool]:
    """Return whether every number can be moved by itself in high precision, and whether SymPy can be asked."""
    gates, cost = written_out(place)
    if gates > MOST_GATES:
        return False, False
    numbers = _numbers(place, wrt)
    # Four evaluations a number, of what lies downstream: half of the network, as a rule.
    once = RUNS * cost + STEPS * gates
    return once + cost * 2 * numbers <= AFFORDABLE, once <= AFFORDABLE


def _numbers(place: Place, wrt: Sequence[str]) -> int:
    return sum(place.point[name].size for name in wrt)


def _exact(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Check every number by itself, with SymPy and with differences in high precision."""
    tensors = _judged(problem, place, settings.engines)
    notes: list[str] = []
    if any(t.verdict == judge.DISAGREE for t in tensors):
        notes = _in_float64(problem, place, settings._replace(exhaustive=False)).notes
    return Findings(tensors, notes, EVERY_NUMBER)


def _with_symbols(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Check gate by gate, and every number by SymPy in a hundred digits too."""
    found = _in_float64(problem, place, settings)
    sharp = _judged(problem, place, ("backprop", "symbolic"))
    tensors = [_blended(a, b) for a, b in zip(found.tensors, sharp, strict=True)]
    return Findings(tensors, found.notes, f"{found.method}; by SymPy in a hundred digits")


def _blended(rough: Tensor, sharp: Tensor) -> Tensor:
    """Return one finding of what the gates' differences and what SymPy say of a tensor."""
    words = judge.blended(rough.words, sharp.words)
    reasons = {k: reason for k, reason in sharp.reasons.items() if words[k] == sharp.words[k]}
    reasons |= {k: reason for k, reason in rough.reasons.items() if words[k] == rough.words[k]}
    return rough._replace(answers={**sharp.answers, **rough.answers}, words=words, reasons=reasons)


def _judged(problem: Problem, place: Place, engines: Sequence[str]) -> list[Tensor]:
    """Judge every number, and beside a formula of the user's own also what it stands in for."""
    tiny = len(place.scalar) * _numbers(place, problem.wrt) <= TINY
    extra = MOST_EXTRA if tiny else EXTRA_DIGITS

    def judged(names: Sequence[str], claims: Mapping[str, Claim]) -> dict[str, Tensor]:
        asked = NumbersAsked(names, engines, claims, problem.joint, extra)
        return {tensor.name: tensor for tensor in number_by_number(place, asked)}

    found = judged(problem.wrt, problem.claims)
    claimed = [name for name in problem.wrt if name in problem.claims]
    beside = judged(claimed, {}) if claimed else {}
    return [_both(found[name], beside[name]) if name in beside else found[name] for name in problem.wrt]


def _both(claim: Tensor, own: Tensor) -> Tensor:
    """Return the finding on a claim, with backprop's mistakes where the claim has none."""
    wrong = SEVERITY.index(judge.DISAGREE)
    places = [k for k in range(claim.size) if own.words[k] == wrong != claim.words[k]]
    words = [wrong if k in places else word for k, word in enumerate(claim.words)]
    reasons = {**claim.reasons, **{k: f"the formula is right, but backprop is not: {own.reasons[k]}" for k in places}}
    return claim._replace(words=words, reasons=reasons)


def _in_float64(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Check gate by gate in float64, and where it is asked for every number end to end."""
    from gradcheck.checking.in_float64 import examine

    found = examine(place, problem.wrt, seed=settings.seed, exhaustive=settings.exhaustive)
    tensors = [
        _claimed(place, problem.claims[tensor.name], tensor) if tensor.name in problem.claims else tensor
        for tensor in found.tensors
    ]
    nodes = dict.fromkeys(n for culprits in found.culprits.values() for n in culprits if _own_fault(place, n))
    method = "gate by gate"
    if found.directions:
        count = len(found.directions)
        method += f", and along {count} random direction{'s' * (count != 1)} end to end"
    if settings.exhaustive:
        method += ", and every number end to end"
    return Findings(tensors, [*(_at_fault(place, node) for node in nodes), *found.notes], method)


def _claimed(place: Place, claim: Claim, found: Tensor) -> Tensor:
    """Judge a hand-derived formula by the numbers that have been checked."""
    import numpy as np

    typed = np.broadcast_to(place.claimed_floats(claim), found.shape).ravel().astype(float)
    words, reasons = judge.claimed(typed, found.answers["backprop"], found.words, found.error_bound)
    answers = {**found.answers, "claimed": typed}
    return found._replace(answers=answers, words=words, reasons={**found.reasons, **reasons})


def _own_fault(place: Place, node: int) -> bool:
    """Whether a gate's rule itself is wrong: not what came to it, and no pole of a built-in op."""
    import numpy as np

    graph = place.graph
    flows = [place.gradients[k] for k in graph.operands(node)]
    finite = [flow is None or bool(np.all(np.isfinite(flow))) for flow in (place.gradients[node], *flows)]
    return all(finite) or (finite[0] and graph.ops[node] in OWN)


def _at_fault(place: Place, node: int) -> str:
    source = place.graph.source
    line, column = source.position(place.graph.span(node)[0])
    return f"the backward rule of {place.graph.described(node)} is wrong ({source.name}:{line}:{column})"
