"""The two ways to check a network: number by number in a hundred digits, or gate by gate in float64.

What a network costs to write out as single numbers is estimated from its shapes before anything is
computed; that alone decides which way it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcheck.arithmetic import decimals
from gradcheck.checking import judge
from gradcheck.checking.expressions import Settings
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.verdicts import TensorResult
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import CONSTANT, INPUT
from gradcheck.language.claims import Claim
from gradcheck.networks.network import Network
from gradcheck.ops import OPS, OWN

if TYPE_CHECKING:
    from gradcheck.checking.arrays import ArrayPoint, FloatPoint
    from gradcheck.checking.results import Gradient

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


class Found(NamedTuple):
    """What was found: the tensors, sentences for the reader, and how it was done."""

    tensors: list[TensorResult]
    notes: list[str]
    method: str


def written_out(network: Network) -> tuple[int, float]:
    """Return how many gates a network has when written out, and what evaluating them once costs."""
    graph, shapes = network.graph, network.shapes
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


def affordable(network: Network, wrt: Sequence[str]) -> tuple[bool, bool]:
    """Return whether every number can be moved by itself in high precision, and whether SymPy can be asked."""
    gates, cost = written_out(network)
    if gates > MOST_GATES:
        return False, False
    numbers = sum(prod(network.tensors[name].shape) for name in wrt)
    # Four evaluations a number, of what lies downstream: half of the network, as a rule.
    once = RUNS * cost + STEPS * gates
    return once + cost * 2 * numbers <= AFFORDABLE, once <= AFFORDABLE


def check(network: Network, wrt: Sequence[str], settings: Settings, exhaustive: bool) -> tuple[FloatPoint, Found]:
    """Check a network in the way that its size allows; return its point and what was found.

    Raises:
        DomainError: if the function or a slope is not defined there.
    """
    from gradcheck.checking.arrays import ArrayPoint, FloatPoint
    from gradcheck.checking.exact import SpreadError

    by_number, by_symbols = affordable(network, wrt)
    if not by_symbols:
        point = FloatPoint(network.graph, network.point, network.shapes[network.graph.output])
        point.gradients()
        return point, gatewise(network, wrt, point, settings, exhaustive)
    written = ArrayPoint(network.graph, network.point, network.shapes)
    written.gradients()
    try:
        if by_number:
            return written, exact(network, wrt, written, settings)
        return written, with_symbols(network, wrt, written, settings, exhaustive)
    except SpreadError:
        return written, gatewise(network, wrt, written, settings, exhaustive)


def exact(network: Network, wrt: Sequence[str], point: ArrayPoint, settings: Settings) -> Found:
    """Check every number by itself, with SymPy and with differences in high precision.

    Raises:
        DomainError: if a slope is infinite or not defined.
    """
    tensors = _graded(network, wrt, point, settings)
    notes: list[str] = []
    if any(t.verdict == judge.DISAGREE for t in tensors):
        notes = gatewise(network, wrt, point, settings, exhaustive=False).notes
    return Found(tensors, notes, "every number by itself, in a hundred digits")


def with_symbols(
    network: Network, wrt: Sequence[str], point: ArrayPoint, settings: Settings, exhaustive: bool
) -> Found:
    """Check gate by gate, and every number by SymPy in a hundred digits too.

    Raises:
        DomainError: if a slope is infinite.
    """
    found = gatewise(network, wrt, point, settings, exhaustive)
    graded = _graded(network, wrt, point, settings._replace(engines=("backprop", "symbolic")))
    tensors = [_blended(a, b) for a, b in zip(found.tensors, graded, strict=True)]
    return Found(tensors, found.notes, f"{found.method}; by SymPy in a hundred digits")


def _blended(rough: TensorResult, sharp: TensorResult) -> TensorResult:
    """Return one result of what the gates' differences and what SymPy say of a tensor."""
    words = judge.blended(rough.words, sharp.words)
    reasons = {k: reason for k, reason in sharp.reasons.items() if words[k] == sharp.words[k]}
    reasons |= {k: reason for k, reason in rough.reasons.items() if words[k] == rough.words[k]}
    return rough._replace(answers={**sharp.answers, **rough.answers}, words=words, reasons=reasons)


def _graded(network: Network, wrt: Sequence[str], point: ArrayPoint, settings: Settings) -> list[TensorResult]:
    """Grade every number with the high-precision engines of an expression."""
    from gradcheck.checking.exact import MOST_EXTRA
    from gradcheck.checking.number_by_number import Grading, Question

    tiny = len(point.scalar) * sum(prod(network.tensors[name].shape) for name in wrt) <= TINY
    extra = MOST_EXTRA if tiny else EXTRA_DIGITS

    def graded(names: Sequence[str], claims: Mapping[str, Claim]) -> dict[str, TensorResult]:
        rows: dict[str, list[Gradient]] = {name: [] for name in names}
        for row in Grading(Question(settings, names, claims, joint=True, most_extra=extra), point).check().gradients:
            rows[row.input].append(row)
        return {name: _from_rows(network, name, rows[name], settings) for name in names}

    found = graded(wrt, network.claims)
    # A formula of the user's own is graded, and what it stands in for is graded too.
    claimed = [name for name in wrt if name in network.claims]
    beside = graded(claimed, {}) if claimed else {}
    return [_both(found[name], beside[name]) if name in beside else found[name] for name in wrt]


def _both(claim: TensorResult, own: TensorResult) -> TensorResult:
    """Return the result on a claim, with backprop's mistakes where the claim has none."""
    wrong = SEVERITY.index(judge.DISAGREE)
    places = [k for k in range(claim.size) if own.words[k] == wrong != claim.words[k]]
    words = claim.words.copy()
    words[places] = wrong
    reasons = {**claim.reasons, **{k: f"the formula is right, but backprop is not: {own.reasons[k]}" for k in places}}
    return claim._replace(words=words, reasons=reasons)


def _from_rows(network: Network, name: str, rows: Sequence[Gradient], settings: Settings) -> TensorResult:
    import numpy as np

    def column(method: str) -> Any:
        return np.array([np.nan if (x := getattr(row, method)) is None else x for row in rows], dtype=float)

    methods: list[str] = [m for m in ("backprop", "symbolic", "finite_difference") if m in settings.engines]
    if name in network.claims:
        methods.append("claimed")
    bounds = [row.caught for row in rows if row.caught is not None]
    return TensorResult(
        name, network.tensors[name].shape, _line(network, name), {m: column(m) for m in methods},
        column("error_bound"), np.array([SEVERITY.index(row.verdict) for row in rows], dtype=np.uint8),
        {k: row.reason for k, row in enumerate(rows) if row.reason}, max(bounds, default=None),
    )  # fmt: skip


def _line(network: Network, name: str) -> int:
    """Return the line of what is graded: of the hand-derived formula, or of the tensor."""
    claim = network.claims.get(name)
    return network.position(name) if claim is None else network.source.position(claim.place)[0]


def gatewise(network: Network, wrt: Sequence[str], point: FloatPoint, settings: Settings, exhaustive: bool) -> Found:
    """Check gate by gate in float64, and with `exhaustive` every number end to end.

    Raises:
        DomainError: if a slope is infinite.
    """
    from gradcheck.checking.gate_by_gate import examine

    found = examine(network.graph, point.values, point.rough, wrt, seed=settings.seed, exhaustive=exhaustive)
    tensors = []
    for t in found.tensors:
        answers = {"backprop": t.backprop.ravel(), "finite_difference": t.finite_difference.ravel()}
        result = TensorResult(
            t.name, t.shape, _line(network, t.name), answers, t.error_bound.ravel(), t.words.ravel(), t.reasons,
            t.caught,
        )  # fmt: skip
        if t.name in network.claims:
            result = _claimed(network, point, network.claims[t.name], result)
        tensors.append(result)
    nodes = dict.fromkeys(n for tensor in found.tensors for n in tensor.culprits if _own_fault(network, point, n))
    notes = [*(_at_fault(network, node) for node in nodes), *found.notes]
    method = "gate by gate"
    if found.directions:
        count = len(found.directions)
        method += f", and along {count} random direction{'s' * (count != 1)} end to end"
    if exhaustive:
        method += ", and every number end to end"
    return Found(tensors, notes, method)


def _claimed(network: Network, point: FloatPoint, claim: Claim, result: TensorResult) -> TensorResult:
    """Grade a hand-derived formula by the numbers that have been checked."""
    import numpy as np

    values = point.used(claim, point.values, point.rough, 0.0)
    with point.system.active():
        computed, _ = evaluate(claim.graph, point.system, values)
        typed = np.broadcast_to(computed[claim.graph.output], result.shape).ravel().astype(float)
    words, reasons = judge.claimed(typed, result.answers["backprop"], result.words, result.error_bound)
    return result._replace(
        answers={**result.answers, "claimed": typed}, words=words, reasons={**result.reasons, **reasons}
    )


def _own_fault(network: Network, point: FloatPoint, node: int) -> bool:
    """Whether a gate's rule itself is wrong: not what came to it, and no pole of a built-in op."""
    import numpy as np

    graph = network.graph
    flows = [point.rough[k] for k in graph.operands(node)]
    finite = [flow is None or bool(np.all(np.isfinite(flow))) for flow in (point.rough[node], *flows)]
    return all(finite) or (finite[0] and graph.ops[node] in OWN)


def _at_fault(network: Network, node: int) -> str:
    line, column = network.source.position(network.graph.span(node)[0])
    return f"the backward rule of {network.graph.described(node)} is wrong ({network.source.name}:{line}:{column})"
