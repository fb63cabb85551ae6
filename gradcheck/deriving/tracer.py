"""From an expression or a network to its trace: stages, proofs, check and meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcheck.checking.check import check_place
from gradcheck.checking.points import Point, given, shape_of
from gradcheck.checking.problem import Problem, problem_of_text
from gradcheck.checking.report import Report
from gradcheck.checking.settings import Settings
from gradcheck.deriving.chart import single_numbers
from gradcheck.deriving.derive import Subject, Worked, derive, derive_until, work_out
from gradcheck.deriving.forward_mode import forward_mode
from gradcheck.deriving.meaning import meaning
from gradcheck.deriving.paths import paths_to
from gradcheck.deriving.records import Derivation
from gradcheck.deriving.selection import focused, shallow
from gradcheck.deriving.trace import Asked, Trace
from gradcheck.errors import DomainError, Source, UsageError, did_you_mean
from gradcheck.graph.shapes import infer


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
    problem = problem_of_text(Source(expression), given(at), {}, settings)
    result = trace_problem(problem, settings, Asked(**asked))
    if result.problem is not None:
        raise result.problem
    return result


def trace_problem(
    problem: Problem, settings: Settings, asked: Asked | None = None, point: Point | None = None,
    report: Report | None = None,
) -> Trace:  # fmt: skip
    """Derive the gradient of a problem at one point; `Trace.problem` says what stopped it, if anything.

    Args:
        problem: what is derived.
        settings: how it is checked.
        asked: what to show.
        point: the point, if it has been found; None for the problem's first.
        report: the comparison there, if it has been made; None to make it.

    Raises:
        GradcheckError: for shapes that do not fit, a missing value, and things asked for that are not there.
    """
    asked = asked or Asked()
    point = problem.points()[0] if point is None else point
    shapes = infer(problem.graph, {name: shape_of(value) for name, value in point.items()})
    shown = problem
    if not any(shapes) and not problem.every_number:
        # A network of single numbers is derived as one: the mean of one number is that number.
        shown = problem._replace(graph=single_numbers(problem.graph), every_number=True)
        shapes = [()] * len(shown.graph)
    arrays = any(shapes) or bool(shown.graph.params)
    numbers = dict(point) if arrays else {name: float(value) for name, value in point.items()}
    try:
        place = shown.place(numbers)
    except DomainError as stopped:
        subject = Subject.at(problem.title, shown.graph, shapes, numbers, arrays, problem.wrt)
        return _stopped(
            subject._replace(kinds=problem.kinds, layers=problem.layers, output=problem.output), stopped, asked
        )
    subject = Subject(
        problem.title, shown.graph, shapes, place.system, place.values, problem.wrt, problem.kinds, problem.layers,
        problem.output,
    )  # fmt: skip

    def checked() -> Report:
        if report is not None:
            return report
        own = place if shown is problem else problem.place(point)
        seed = problem.seed if problem.chosen else None
        checks, of_files = [check_place(problem, own, settings)], problem.origin.file is not None
        return Report(checks, settings.columns, seed, settings.strict, of_files=of_files)

    return _trace(subject, numbers, asked, checked)


def _trace(subject: Subject, point: Mapping[str, Any], asked: Asked, check: Callable[[], Any]) -> Trace:
    worked = work_out(subject, asked.expand)
    # Loaded once there is something to prove: a mistake in the text or the point must not wait for it.
    from gradcheck.deriving.proofs import prove

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
    known = [name for name, one in derivation.quantities.items() if one.gradient is not None]
    if name not in known:
        there = name in derivation.quantities
        what = "its gradient is not asked for" if there else "no such variable or stage"
        hint = did_you_mean(name, known) or f"there are {', '.join(known[:20])}"
        raise UsageError(f"--why {name}: {what}", hint=hint)
    return paths_to(derivation, worked, subject.system, name)


def _passes(derivation: Derivation, worked: Worked, subject: Subject) -> Any:
    return forward_mode(derivation, worked, subject.system)
