"""From a network to a result: small ones number by number in a hundred digits, large ones gate by gate.

What a network costs to write out as single numbers is estimated from its shapes before anything is
computed; that alone decides which way it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from gradcheck import compare
from gradcheck.checking import Settings
from gradcheck.claims import Claim
from gradcheck.compare import SEVERITY
from gradcheck.graph import CONSTANT, INPUT, evaluate
from gradcheck.networks.network import Network
from gradcheck.networks.records import Expected
from gradcheck.ops import OPS
from gradcheck.systems import decimals
from gradcheck.verdicts import Fact, SpecResult, TensorResult

if TYPE_CHECKING:
    from gradcheck.arrays import FloatPoint
    from gradcheck.results import Gradient

AFFORDABLE = 2_000_000
"""Cost, in additions of two numbers of a hundred digits, up to which every number is checked on its own:
about a second."""

MOST_GATES = 100_000
"""Gates, written out, beyond which nothing is written out."""

DEAR, SPECIAL = 60, 400
"""What an exponential or a root costs in decimals, and what any function costs in mpmath numbers."""

CHEAP = frozenset(
    {"add", "sub", "mul", "neg", "identity", "max", "min", "abs", "where", "relu", "step", "square", "div"}
)


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
            each = 1.0 if row.name in CHEAP else DEAR
        elif row.name == "matmul":
            count, each = 2 * prod(shapes[node]) * shapes[operands[0]][-1], 1.0
        elif row.moves and row.name not in ("sum", "cumsum", "fold"):
            count, each = 0, 0.0
        else:
            count, each = 2 * sum(prod(shapes[k]) for k in operands) + prod(shapes[node]), DEAR / 4
        gates += count
        cost += count * each * (1.0 if simple else SPECIAL / DEAR)
    return gates, cost


def affordable(network: Network) -> bool:
    """Return whether every number can be checked on its own in high precision."""
    gates, cost = written_out(network)
    numbers = sum(prod(network.tensors[name].shape) for name in network.wrt)
    # Four evaluations a number, of what lies downstream: half of the network, as a rule.
    return gates <= MOST_GATES and cost * (2 * numbers + 10) <= AFFORDABLE


def verify(network: Network, settings: Settings, exhaustive: bool = False) -> SpecResult:
    """Check one network.

    Args:
        network: the network.
        settings: which tensors (`wrt`, patterns), and the seed of directions.
        exhaustive: whether every number is perturbed end to end, however many there are.

    Raises:
        DomainError: if the loss or a slope is not defined at the spec's numbers.
    """
    from gradcheck.arrays import FloatPoint

    wrt = selected(network, settings)
    if affordable(network):
        value, tensors, notes = _exact(network, wrt, settings)
        method = "every number by itself, in a hundred digits"
        point = None
    else:
        point = FloatPoint(network.graph, network.point, network.shapes[network.graph.output])
        point.gradients()
        value, tensors, notes, method = _gatewise(network, wrt, point, settings, exhaustive)
    facts: list[Fact] = []
    if network.expected:
        if point is None:
            point = FloatPoint(network.graph, network.point, network.shapes[network.graph.output])
            point.gradients()
        facts = [found for fact in network.expected if (found := _fact(network, point, fact)) is not None]
    return SpecResult(
        network.name, network.source.name, network.line, value, method, tensors, facts,
        len(network.expected) - len(facts), notes,
    )  # fmt: skip


def selected(network: Network, settings: Settings) -> list[str]:
    """Return the tensors to check: those of the spec that fit a pattern of --wrt."""
    from fnmatch import fnmatchcase

    if settings.wrt is None:
        return network.wrt
    return [name for name in network.wrt if any(fnmatchcase(name, pattern) for pattern in settings.wrt)]


def _exact(network: Network, wrt: Sequence[str], settings: Settings) -> tuple[float, list[TensorResult], list[str]]:
    """Check every number by itself, with SymPy and with differences in high precision."""
    from gradcheck.arrays import ArrayPoint
    from gradcheck.grading import Grading, Question

    point = ArrayPoint(network.graph, dict(network.point), network.shapes)
    check = Grading(Question(settings, wrt, network.claims), point).check()
    rows: dict[str, list[Gradient]] = {name: [] for name in wrt}
    for row in check.gradients:
        rows[row.input].append(row)
    tensors = [_from_rows(network, name, rows[name], settings) for name in wrt]
    notes: list[str] = []
    wrong = [t for t in tensors if t.verdict == compare.DISAGREE and "claimed" not in t.answers]
    if wrong:
        notes = _culprits(network, point, wrt, settings)
    return point.value, tensors, notes


def _from_rows(network: Network, name: str, rows: Sequence[Gradient], settings: Settings) -> TensorResult:
    import numpy as np

    def column(method: str) -> Any:
        return np.array([np.nan if (x := getattr(row, method)) is None else x for row in rows], dtype=float)

    methods: list[str] = [m for m in ("backprop", "symbolic", "finite_difference") if m in settings.engines]
    if name in network.claims:
        methods.append("claimed")
    bounds = [row.caught for row in rows if row.caught is not None]
    return TensorResult(
        name, network.tensors[name].shape, network.position(name), {m: column(m) for m in methods},
        column("error_bound"), np.array([SEVERITY.index(row.verdict) for row in rows], dtype=np.uint8),
        {k: row.reason for k, row in enumerate(rows) if row.reason}, max(bounds, default=None),
    )  # fmt: skip


def _culprits(network: Network, point: FloatPoint, wrt: Sequence[str], settings: Settings) -> list[str]:
    """Return the gates whose backward rules disagree with their definitions, in words."""
    from gradcheck.gatewise import examine

    found = examine(network.graph, point.values, point.rough, wrt, seed=settings.seed)
    nodes = dict.fromkeys(node for tensor in found.tensors for node in tensor.culprits)
    return [_at_fault(network, node) for node in nodes]


def _at_fault(network: Network, node: int) -> str:
    line, column = network.source.position(network.graph.span(node)[0])
    return f"the backward rule of {network.graph.described(node)} is wrong ({network.source.name}:{line}:{column})"


def _gatewise(
    network: Network, wrt: Sequence[str], point: FloatPoint, settings: Settings, exhaustive: bool
) -> tuple[float, list[TensorResult], list[str], str]:
    """Check gate by gate in float64, or every number end to end."""
    from gradcheck.gatewise import examine

    found = examine(network.graph, point.values, point.rough, wrt, seed=settings.seed, exhaustive=exhaustive)
    tensors = []
    for t in found.tensors:
        answers = {"backprop": t.backprop.ravel(), "finite_difference": t.finite_difference.ravel()}
        result = TensorResult(
            t.name,
            t.shape,
            network.position(t.name),
            answers,
            t.error_bound.ravel(),
            t.words.ravel(),
            t.reasons,
            t.caught,
        )
        if t.name in network.claims:
            result = _claimed(network, point, network.claims[t.name], result)
        tensors.append(result)
    nodes = dict.fromkeys(node for tensor in found.tensors for node in tensor.culprits)
    notes = [*(_at_fault(network, node) for node in nodes), *found.notes]
    method = "gate by gate"
    if found.directions:
        count = len(found.directions)
        method += f", and along {count} random direction{'s' * (count != 1)} end to end"
    if exhaustive:
        method = "every number end to end"
    return point.value, tensors, notes, method


def _claimed(network: Network, point: FloatPoint, claim: Claim, result: TensorResult) -> TensorResult:
    """Grade a hand-derived formula by the numbers that have been checked."""
    import numpy as np

    values: dict[str, Any] = {}
    for name, (node, upstream) in claim.uses.items():
        value = point.rough[node] if upstream else point.values[node]
        values[name] = np.zeros(point.values[node].shape) if value is None else value
    with point.forward.system.active():
        computed, _ = evaluate(claim.graph, point.forward.system, values)
        typed = np.broadcast_to(computed[claim.graph.output], result.shape).ravel().astype(float)
    words, reasons = compare.claimed(typed, result.answers["backprop"], result.words, result.error_bound)
    return result._replace(
        answers={**result.answers, "claimed": typed}, words=words, reasons={**result.reasons, **reasons}
    )


def _fact(network: Network, point: FloatPoint, fact: Expected) -> Fact | None:
    """Return what is wrong with an expectation; None if it holds."""
    import numpy as np

    graph = network.graph
    if fact.what == "loss":
        actual = np.array([point.value])
    elif fact.what == "outputs":
        actual = point.values[graph.stages[fact.name]].ravel()
    else:
        gradient = point.rough[graph.inputs[fact.name]]
        actual = np.zeros(prod(network.tensors[fact.name].shape)) if gradient is None else np.ravel(gradient)
    wanted = list(fact.data.numbers or ())
    scale = max(map(abs, wanted), default=0.0)
    bad = [
        k for k, (found, number) in enumerate(zip(actual.tolist(), wanted, strict=True))
        if not compare.expected(found, number, fact.rtol, fact.texts[k] if fact.texts else None, scale)
    ]  # fmt: skip
    if not bad:
        return None
    worst = max(bad, key=lambda k: abs(actual[k] - wanted[k]) if np.isfinite(actual[k]) else np.inf)
    index = [int(k) for k in np.unravel_index(worst, fact.data.shape)] if fact.data.shape else None
    what = {"loss": "the loss", "outputs": f"`{fact.name}`", "grads": f"the gradient of `{fact.name}`"}[fact.what]
    where = f" at {index}" if index else ""
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    place = fact.data.node.source.position(fact.place.start)
    return Fact(
        f"{fact.what} {fact.name}".strip(),
        place,
        f"{what}{where} is {float(actual[worst])!r}, expected {wanted[worst]!r}{more}",
    )
