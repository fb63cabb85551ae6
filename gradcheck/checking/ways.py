"""The ways to check a problem at a place, and which of them it goes: data in, findings out.

In balls where the graph can be written out as single numbers, else gate by gate in float64. How many
gates that takes is estimated from the shapes; that alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

from gradcheck.checking import judge
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.number_by_number import NumbersAsked, number_by_number
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.settings import Settings
from gradcheck.checking.tensor import Tensor
from gradcheck.language.claims import Claim
from gradcheck.ops import OPS, OWN

MOST_GATES = 100_000
"""Gates, written out, beyond which nothing is written out."""


class Findings(NamedTuple):
    """What a way found: one finding a tensor, sentences for the reader, and how it was done."""

    tensors: list[Tensor]
    notes: list[str]
    method: str


def check(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Check a problem at a place in the way that its size allows.

    Raises:
        DomainError: if a slope is infinite or not defined.
    """
    if problem.every_number or written_out(place) <= MOST_GATES:
        return _in_balls(problem, place, settings)
    return _in_float64(problem, place, settings)


def written_out(place: Place) -> int:
    """Return how many gates a graph has, about, when it is written out as single numbers."""
    graph, shapes = place.graph, [value.shape for value in place.values]
    gates = 0
    for node in graph.gates:
        row = OPS[graph.ops[node]]
        operands = graph.operands(node)
        if row.elementwise:
            gates += prod(shapes[node])
        elif row.contracts:
            gates += 2 * prod(shapes[node]) * shapes[operands[0]][-1]
        elif row.eliminates and shapes[operands[0]]:
            gates += 3 * prod(shapes[operands[0]]) * shapes[operands[0]][-1]
        elif not row.copies:
            gates += 2 * sum(prod(shapes[k]) for k in operands) + prod(shapes[node])
    return gates


def _in_balls(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Judge every number in balls, and beside a formula of a network's own also what it stands in for."""

    def judged(names: Sequence[str], claims: Mapping[str, Claim]) -> tuple[dict[str, Tensor], str]:
        asked = NumbersAsked(
            names, settings.engines, claims, problem.joint,
            formulas=problem.every_number, exhaustive=settings.exhaustive, seed=settings.seed,
        )  # fmt: skip
        tensors, method = number_by_number(place, asked)
        return {tensor.name: tensor for tensor in tensors}, method

    found, method = judged(problem.wrt, problem.claims)
    if problem.every_number:
        return Findings(list(found.values()), [], method)
    claimed = [name for name in problem.wrt if name in problem.claims]
    beside = judged(claimed, {})[0] if claimed else {}
    tensors = [_both(found[name], beside[name]) if name in beside else found[name] for name in problem.wrt]
    notes: list[str] = []
    if any(t.verdict == judge.DISAGREE for t in tensors):
        # Gate by gate it shows whose rule it was.
        notes = _in_float64(problem, place, settings._replace(exhaustive=False)).notes
    return Findings(tensors, notes, method)


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
    method = "gate by gate, estimated in float64"
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
