"""From an expression or a network to its trace: stages, proofs, check and meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcheck.checking.expressions import Job, Settings, read_points
from gradcheck.checking.points import shape_of
from gradcheck.deriving.chart import single_numbers
from gradcheck.deriving.derive import Subject, Worked, derive, derive_until, work_out
from gradcheck.deriving.meaning import meaning
from gradcheck.deriving.proofs import prove
from gradcheck.deriving.selection import focused, shallow
from gradcheck.deriving.trace import Asked, Trace
from gradcheck.errors import DomainError, Source, UsageError, did_you_mean
from gradcheck.graph.shapes import infer

if TYPE_CHECKING:
    from gradcheck.checking.results import Report
    from gradcheck.deriving.records import Derivation
    from gradcheck.networks.network import Network


def trace(
    expression: str,
    at: Mapping[str, Any] | str | None = None,
    *,
    wrt: Sequence[str] | None = None,
    seed: int = 0,
    **asked: Any,
) -> Trace:
    """Derive the gradient of an expression at a point, step by step.

    Args:
        expression: text in gradcheck's language, such as "(x+y)*z".
        at: a point as a mapping of names to numbers or arrays, or as the text of --at; None chooses a
            seeded one inside the domain.
        wrt: inputs whose gradients are shown; None for all.
        seed: seed of a chosen point.
        **asked: what to show: expand, focus, depth, digits, why, forward.

    Returns:
        The trace: `.derivation.steps`, `.derivation.leaves`, `.report`, `.meaning`.

    Raises:
        GradcheckError: as `gradcheck.check` does.
    """
    settings = Settings(wrt=None if wrt is None else tuple(wrt), points=1, seed=seed)
    result = trace_job(Job(Source(expression), read_points(at), {}, settings), Asked(**asked))
    if result.problem is not None:
        raise result.problem
    return result


def trace_job(job: Job, asked: Asked, report: Report | None = None) -> Trace:
    """Derive the gradient of a job's expression at its first point; `problem` says what stopped it, if anything.

    Args:
        job: the expression and the point.
        asked: what to show.
        report: the comparison, if it has been made; None to make it.

    Raises:
        GradcheckError: for shapes that do not fit, a missing value, and things asked for that are not there.
    """
    point = job.located()[0]
    shapes = infer(job.graph, {name: shape_of(value) for name, value in point.items()})
    title = " ".join(job.graph.source.text.replace("\n", "; ").split())

    try:
        place = job.place(point)
    except DomainError as problem:
        arrays = any(shapes) or bool(job.graph.params)
        return _stopped(Subject.at(title, job.graph, shapes, point, arrays, job.wrt), problem, asked)
    subject = Subject(title, job.graph, shapes, place.system, place.values, job.wrt)

    def checked() -> Report:
        from gradcheck.checking.results import Report

        seed = None if job.given else job.settings.seed
        return report or Report([job.graded(place)], job.columns, seed, job.settings.strict)

    return _trace(subject, point, asked, checked)


def trace_network(network: Network, settings: Settings | None = None, asked: Asked | None = None) -> Trace:
    """Derive the gradients of a network; `problem` says what stopped it, if anything.

    Args:
        network: the network.
        settings: which tensors (`wrt`, patterns), and the seed of the check's directions.
        asked: what to show.
    """
    from gradcheck.checking.arrays import FloatPoint
    from gradcheck.checking.scalars import ScalarPoint
    from gradcheck.checking.verdicts import Verification
    from gradcheck.checking.verifying import check_network, selected

    settings, asked = settings or Settings(), asked or Asked()
    graph, shapes, point = network.graph, network.shapes, dict(network.point)
    kinds = {name: tensor.kind for name, tensor in network.tensors.items()}
    wanted = selected(network, settings)
    if not any(shapes):
        graph = single_numbers(graph)
        shapes = [()] * len(graph)
    arrays = any(shapes) or bool(graph.params)
    try:
        place = FloatPoint(graph, point, shapes[graph.output]) if arrays else ScalarPoint(graph, _numbers(point))
    except DomainError as problem:
        subject = Subject.at(network.name, graph, shapes, point if arrays else _numbers(point), arrays, wanted)
        return _stopped(subject._replace(kinds=kinds, layers=network.layers), problem, asked)
    subject = Subject(network.name, graph, shapes, place.system, place.values, wanted, kinds, network.layers)
    point = point if arrays else _numbers(point)
    return _trace(subject, point, asked, lambda: Verification([check_network(network, settings)], settings.strict))


def _numbers(point: Mapping[str, Any]) -> dict[str, float]:
    """Return the point of a network of single numbers: the lecture's circuits."""
    return {name: float(value) for name, value in point.items()}


def _trace(subject: Subject, point: Mapping[str, Any], asked: Asked, check: Callable[[], Any]) -> Trace:
    worked = work_out(subject, asked.expand)
    whole = derive(subject, worked, prove(worked, point))
    report, problem = None, None
    try:
        report = check()
    except DomainError as error:
        problem = error
    found = None if problem is not None else meaning(subject, point, whole)
    return Trace(
        _selected(whole, asked), report, found.sentence(whole.output) if found else "", asked.digits,
        _paths(whole, worked, subject, asked.why) if asked.why is not None else None,
        _passes(whole, worked, subject) if asked.forward else None, problem,
    )  # fmt: skip


def _stopped(subject: Subject, problem: DomainError, asked: Asked) -> Trace:
    return Trace(derive_until(subject, problem), None, "", asked.digits, problem=problem)


def _selected(derivation: Derivation, asked: Asked) -> Derivation:
    found = derivation
    if asked.focus is not None:
        found = focused(found, asked.focus)
    if asked.depth is not None:
        found = shallow(found, asked.depth)
    if found.steps or not derivation.steps:
        return found if found.steps else derivation
    raise UsageError(f"--focus {asked.focus}: no stage lies between it and the output", hint="choose another")


def _paths(derivation: Derivation, worked: Worked, subject: Subject, name: str) -> Any:
    from gradcheck.deriving.paths import paths_to

    known = [name for name, one in derivation.quantities.items() if one.gradient is not None]
    if name not in known:
        there = name in derivation.quantities
        what = "its gradient is not asked for" if there else "no such variable or stage"
        hint = did_you_mean(name, known) or f"there are {', '.join(known[:20])}"
        raise UsageError(f"--why {name}: {what}", hint=hint)
    return paths_to(derivation, worked, subject.system, name)


def _passes(derivation: Derivation, worked: Worked, subject: Subject) -> Any:
    from gradcheck.deriving.forward_mode import forward_mode

    return forward_mode(derivation, worked, subject.system)
