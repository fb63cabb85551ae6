"""From problems to a report: each is put at its places, checked in the way that its size allows, and judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcheck import progress
from gradcheck.checking import points
from gradcheck.checking.judge import DISAGREE
from gradcheck.checking.problem import Problem, problem_of_text
from gradcheck.checking.settings import Settings
from gradcheck.errors import DomainError, Source
from gradcheck.ops import OWN

if TYPE_CHECKING:
    from gradcheck.checking.boxes import Interval
    from gradcheck.checking.place import Place
    from gradcheck.checking.report import Check, Fact, Report
    from gradcheck.checking.tensor import Tensor


def check(
    expression: str,
    at: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | None = None,
    *,
    claims: Mapping[str, str | float] | None = None,
    over: str | Mapping[str, tuple[float, float]] | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> Report:
    """Check the gradient of an expression by independent methods.

    Args:
        expression: text in gradcheck's language, such as "(x+y)*z".
        at: a point as a mapping of names to numbers or arrays, several points as a list of
            mappings or as the text of --at; None chooses seeded points inside the domain.
        claims: gradients to grade: input name → formula or number.
        over: a box on which to prove the claims, or else backprop's rules: input name → (low, high), or the
            text of --over. Without values for all inputs nothing else is checked.
        settings: what to check and how.
        **options: fields of the settings as keywords: wrt, engines, points, seed, strict.

    Returns:
        The report: `.verdict`, `.exit_code`, `.checks[i].gradients[j]` and `.to_dict()`.

    Raises:
        GradcheckError: for text that is not an expression (LanguageError), values that are
            missing or unknown (PointError), shapes that do not fit (ShapeError), and points
            where the function or its slope is not defined (DomainError).
    """
    settings = (settings or Settings())._replace(**options)
    given, box = points.given(at), {}
    if over is not None:
        from gradcheck.checking.boxes import box_of, completed

        box = box_of(over)
        given, named = completed(given, box), {*(given[0] if given else ())}
    problem = problem_of_text(Source(expression), given, claims or {}, settings)
    return check_problem(problem, settings) if over is None else check_over(problem, settings, box, named)


def check_over(problem: Problem, settings: Settings, box: Mapping[str, Interval], named: Collection[str]) -> Report:
    """Prove a problem over a box; check it at its point too if every input has been given a value.

    Args:
        problem: what is asked, at a point that the box completes.
        settings: how.
        box: where its inputs move.
        named: the inputs that have been given values.

    Raises:
        DomainError: if the function is certainly not defined somewhere in the box.
    """
    from gradcheck.checking.everywhere import prove_problem
    from gradcheck.checking.report import Report

    whole = all(name in named for name in problem.graph.inputs)
    report = check_problem(problem, settings) if whole else Report([], settings.columns, None, settings.strict)
    return report._replace(over=prove_problem(problem, box))


def check_problem(problem: Problem, settings: Settings, located: Sequence[points.Point] | None = None) -> Report:
    """Check one problem at all of its points.

    Args:
        problem: what is asked.
        settings: how.
        located: its points, if they have been found already.

    Raises:
        DomainError: if the function or a slope is not defined at a point that the user gave.
    """
    located = problem.points() if located is None else located
    checks: list[Check] = []
    for k, point in enumerate(located):
        if len(located) > 1:
            progress.say(problem.title, k, len(located))
        try:
            checks.append(check_place(problem, _placed(problem, point), settings))
        except DomainError:
            # A chosen point with an infinite slope is a bad choice, not the user's error.
            if not problem.chosen or (k == len(located) - 1 and not checks):
                raise
    from gradcheck.checking.report import Report

    of_files = problem.origin.file is not None
    return Report(checks, settings.columns, problem.seed, settings.strict, of_files=of_files)


def _placed(problem: Problem, point: points.Point) -> Place:
    """Return a problem at a point.

    Raises:
        DomainError: if it has no value there in float64; with its true value, if it has one.
    """
    try:
        return problem.place(point)
    except DomainError as error:
        if problem.chosen or error.certain:
            raise
        from gradcheck.checking.stable import told

        raise told(problem, point, error) from None


def check_place(problem: Problem, place: Place, settings: Settings) -> Check:
    """Check a problem at a place.

    Raises:
        DomainError: if a slope is infinite or not defined there.
    """
    # Loaded only now: a point outside the domain must not wait for the engines.
    from gradcheck.checking import ways
    from gradcheck.checking.report import Check

    found = ways.check(problem, place, settings)
    if problem.claims:
        from gradcheck.checking.other_points import tried

        tensors, notes, seen = tried(problem, place, settings, found.tensors)
        notes = [*found.notes, *notes, *first_wrong(problem, tensors)]
        elsewhere = f"claimed formulas also at {seen} other point{'s' * (seen != 1)}" if seen else ""
        if elsewhere and problem.origin.file is None:
            notes.append(elsewhere)
        elif elsewhere:
            found = found._replace(method=f"{found.method}; {elsewhere}")
        found = found._replace(tensors=tensors, notes=notes)
    facts, faults, tried_rules = _beside(problem, place, settings)
    if tried_rules:
        found = found._replace(method=f"{found.method}; own rules also at {tried_rules} other operands")
    typed = problem.origin.file is None
    return Check(
        problem.origin, f"sum of {problem.output}" if place.shape else problem.output,
        {name: _listed(value) for name, value in place.point.items()} if typed else None,
        place.value, place.shape, [tensor._replace(line=problem.lines.get(tensor.name)) for tensor in found.tensors],
        _stages(place), found.method, facts, held=len(problem.expected) - len(facts),
        faults=faults, notes=found.notes,
    )  # fmt: skip


def first_wrong(problem: Problem, tensors: Sequence[Tensor]) -> list[str]:
    """Say which of several claims is the first wrong one on the way back: there the mistake was made."""
    claimed = {claim.name for claim in problem.claims.values()}
    nodes = {**problem.graph.inputs, **problem.graph.stages}
    back = sorted((t for t in tensors if t.name in claimed), key=lambda t: -nodes[t.name])
    wrong = [t.name for t in back if t.verdict == DISAGREE]
    if len(back) < 2 or not wrong:
        return []
    before = [t.name for t in back[: [t.name for t in back].index(wrong[0])]]
    after = f", after {' and '.join(f'`{name}`' for name in before)} which {'is' if len(before) == 1 else 'are'} right"
    return [f"the first wrong claim on the way back is `{wrong[0]}`{after if before else ''}"]


def _beside(problem: Problem, place: Place, settings: Settings) -> tuple[list[Fact], list[Fact], int]:
    """Return the expectations that do not hold, the user's own rules that are wrong, and where else those were tried.

    The last is a count of other operands.
    """
    facts: list[Fact] = []
    faults: list[Fact] = []
    elsewhere = 0
    if problem.expected:
        from gradcheck.checking.expectations import broken

        facts = broken(problem, place)
    if not OWN.keys().isdisjoint(place.graph.ops):
        from gradcheck.checking.own_rules import wrong_rules

        faults, elsewhere = wrong_rules(problem, place, settings)
    return facts, faults, elsewhere


def _listed(value: Any) -> Any:
    return value if isinstance(value, float) else value.tolist()


def _stages(place: Place) -> list[tuple[str, float, float]]:
    """Return the name, value and gradient of each named stage that is a single number."""
    found = []
    for name, node in place.graph.stages.items():
        value, gradient = place.values[node], place.gradients[node]
        if not points.shape_of(value):
            found.append((name, float(value), 0.0 if gradient is None else float(gradient)))
    return found
