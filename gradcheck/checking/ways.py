"""The ways to check a problem at a place, and which of them it goes: data in, findings out.

In balls where the graph can be written out as single numbers, else gate by gate in float64. How many
gates that takes is estimated from the shapes; that alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gradcheck.checking import judge
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.number_by_number import NumbersAsked, number_by_number
from gradcheck.checking.place import MOST_GATES, Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.settings import Settings
from gradcheck.checking.tensor import Tensor
from gradcheck.errors import ClaimShapeError
from gradcheck.language.claims import Claim
from gradcheck.ops import OWN


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
    if problem.every_number or place.written_gates <= MOST_GATES:
        return _in_balls(problem, place, settings)
    return _in_float64(problem, place, settings)


def _in_balls(problem: Problem, place: Place, settings: Settings) -> Findings:
    """Judge every number in balls, and beside a formula of a network's own also what it stands in for."""

    def judged(names: Sequence[str], claims: Mapping[str, Claim]) -> tuple[dict[str, Tensor], str]:
        asked = NumbersAsked(
            names, settings.engines, claims, problem.joint,
            formulas=problem.every_number, exhaustive=settings.exhaustive, seed=settings.seed, strict=settings.strict,
        )  # fmt: skip
        tensors, method = number_by_number(place, asked)
        return {tensor.name: tensor for tensor in tensors}, method

    found, method = judged(problem.wrt, problem.claims)
    if problem.every_number:
        return Findings(list(found.values()), [], method)
    claimed = [name for name in problem.wrt if _claims_of(problem, name)]
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
        _claimed(place, claims, tensor) if (claims := _claims_of(problem, tensor.name)) else tensor
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


def _claims_of(problem: Problem, name: str) -> list[Claim]:
    return [claim for claim in problem.claims.values() if claim.name == name]


def _claimed(place: Place, claims: Sequence[Claim], found: Tensor) -> Tensor:
    """Judge what was claimed of a tensor by the numbers that have been checked."""
    import numpy as np

    typed = np.full(found.shape, np.nan)
    granted = np.zeros(found.shape)
    for claim in claims:
        places = ... if claim.index is None else claim.index
        shape = np.shape(typed[places])
        numbers = np.asarray(place.claimed_floats(claim), dtype=float)
        try:
            typed[places] = np.broadcast_to(numbers, shape)
        except ValueError:
            try:
                place.refuse_shape(claim, numbers.shape, shape)
            except ClaimShapeError as error:
                words = [SEVERITY.index(judge.DISAGREE)] * found.size
                return found._replace(words=words, reasons={0: error.message})
        if claim.numbers is not None and claim.numbers.texts is not None:
            granted[places] = np.reshape([judge.typed_digits(text) for text in claim.numbers.texts], numbers.shape)
    backprop = np.asarray(found.answers["backprop"])
    typed, asked = typed.ravel(), ~np.isnan(typed.ravel()) | (len(claims) == 1 and claims[0].index is None)
    bound = np.asarray(found.error_bound) + granted.ravel()
    words, reasons = judge.claimed(np.where(asked, typed, backprop), backprop, found.words, bound)
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
