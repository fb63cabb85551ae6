"""From problems to a report: each is put at its places, checked in the way that its size allows, and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gradcheck import progress
from gradcheck.checking import points
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem, problem_of_network, problem_of_text, selected
from gradcheck.checking.report import Check, Report
from gradcheck.checking.settings import Settings
from gradcheck.errors import DomainError, GradcheckError, Source, UsageError, did_you_mean
from gradcheck.networks.files import networks_in
from gradcheck.networks.network import Network


def check(
    expression: str,
    at: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | None = None,
    *,
    claims: Mapping[str, str | float] | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> Report:
    """Check the gradient of an expression by independent methods.

    Args:
        expression: text in gradcheck's language, such as "(x+y)*z".
        at: a point as a mapping of names to numbers or arrays, several points as a list of
            mappings or as the text of --at; None chooses seeded points inside the domain.
        claims: gradients to grade: input name → formula or number.
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
    return check_problem(problem_of_text(Source(expression), points.given(at), claims or {}, settings), settings)


def verify(
    paths: str | Sequence[str],
    *,
    pattern: str | None = None,
    fail_fast: bool = False,
    outside: bool = False,
    **options: Any,
) -> Report:
    """Check the gradients of networks in YAML specs.

    Args:
        paths: a file or directory, or several.
        pattern: check only specs whose name contains or fits this.
        fail_fast: stop at the first spec that is not right.
        outside: let specs read arrays outside of their own folders.
        **options: fields of the settings as keywords: wrt (patterns), seed, strict, exhaustive (perturb
            every number end to end, however many there are).

    Returns:
        The report: `.verdict`, `.exit_code`, `.checks[i].tensors[j]`, `.failures` (specs that could not
        be read or computed) and `.to_dict()`.

    Raises:
        NothingFound: if there is no spec.
    """
    networks, failures = networks_in([paths] if isinstance(paths, str) else paths, pattern, outside=outside)
    return check_networks(networks, Settings(**options), failures=failures, fail_fast=fail_fast)


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
            checks.append(check_place(problem, problem.place(point), settings))
        except DomainError:
            # A chosen point with an infinite slope is a bad choice, not the user's error.
            if not problem.chosen or (k == len(located) - 1 and not checks):
                raise
    return Report(checks, settings.columns, problem.seed, settings.strict)


def check_networks(
    networks: Sequence[Network],
    settings: Settings,
    *,
    failures: Sequence[GradcheckError] = (),
    fail_fast: bool = False,
) -> Report:
    """Check networks one after the other; one that cannot be computed does not hide the others.

    Args:
        networks: the networks.
        settings: which tensors (`wrt`, patterns), and how.
        failures: errors of specs that could not be read.
        fail_fast: whether to stop at the first that is not right.

    Raises:
        UsageError: if a pattern of `settings.wrt` fits nothing in any of them.
    """
    if not failures:
        _check_names(networks, settings.wrt)
    report = Report([], settings.columns, None, settings.strict, failures)
    chosen = [network for network in networks if selected(network, settings)]
    for k, network in enumerate(chosen):
        if fail_fast and not report.ok and (report.checks or report.failures):
            return report._replace(stopped=True)
        progress.say(network.name, k, len(chosen))
        problem = problem_of_network(network, settings)
        try:
            report = report._replace(checks=[*report.checks, *check_problem(problem, settings).checks])
        except GradcheckError as error:
            report = report._replace(failures=[*report.failures, error])
        problem.release()
    return report


def _check_names(networks: Sequence[Network], wanted: Sequence[str] | None) -> None:
    """Refuse a pattern that fits nothing in any spec: it would check nothing and say so quietly."""
    known = {name for network in networks for name in network.wrt}
    for pattern in wanted or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            hint = did_you_mean(pattern, known) or f"there are {', '.join(sorted(known)[:20]) or 'none'}"
            raise UsageError(f"--wrt {pattern}: no spec has such a tensor", hint=hint)


def check_place(problem: Problem, place: Place, settings: Settings) -> Check:
    """Check a problem at a place.

    Raises:
        DomainError: if a slope is infinite or not defined there.
    """
    # Loaded only now: a point outside the domain must not wait for the engines.
    from gradcheck.checking import ways
    from gradcheck.checking.expectations import broken
    from gradcheck.checking.own_rules import faults

    found = ways.check(problem, place, settings)
    facts = broken(problem, place)
    typed = problem.origin.file is None
    return Check(
        problem.origin, f"sum of {problem.output}" if place.shape else problem.output,
        {name: _listed(value) for name, value in place.point.items()} if typed else None,
        place.value, place.shape, [tensor._replace(line=problem.lines.get(tensor.name)) for tensor in found.tensors],
        _stages(place), found.method, facts, held=len(problem.expected) - len(facts),
        faults=faults(problem, place, settings), notes=found.notes,
    )  # fmt: skip


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
