"""From specs to a report: networks are checked one after the other, and none hides another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from gradcheck import progress
from gradcheck.checking.check import check_problem
from gradcheck.checking.problem import Problem, problem_of_network, selected
from gradcheck.checking.proof import BoxProof
from gradcheck.checking.report import Check, Report
from gradcheck.checking.settings import Settings
from gradcheck.errors import GradcheckError, InternalError, UsageError, did_you_mean
from gradcheck.networks.files import networks_in
from gradcheck.networks.network import Network
from gradcheck.ops import OWN


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
    settings.check()
    if not failures:
        _check_names(networks, settings.wrt)
    checks: list[Check] = []
    over: list[BoxProof] = []
    failed, stopped = list(failures), False
    # With patterns a spec without such a tensor is passed over; one that has nothing to check is not.
    chosen = [network for network in networks if settings.wrt is None or selected(network, settings)]
    for k, network in enumerate(chosen):
        progress.say(network.name, k, len(chosen))
        one = _checked(network, settings)
        checks += one.checks
        failed += one.failures
        over += one.over
        if fail_fast and not one.ok:
            stopped = k + 1 < len(chosen)
            break
    return Report(checks, settings.columns, None, settings.strict, failed, stopped, True, over)


def _checked(network: Network, settings: Settings) -> Report:
    """Check one network; what stops it, even a bug of ours, stands in its report."""
    problem = problem_of_network(network, settings)
    try:
        report = check_problem(problem, settings)
        return report._replace(over=_proved(problem)) if any(row.over for row in OWN.values()) else report
    except GradcheckError as error:
        return Report([], settings.columns, failures=[error], of_files=True)
    except Exception as error:
        if os.environ.get("GRADCHECK_DEBUG"):
            raise
        place = network.place, network.place + 1
        return Report([], settings.columns, failures=[InternalError(error, network.source, place)], of_files=True)
    finally:
        problem.release()


def _proved(problem: Problem) -> list[BoxProof]:
    """Return what is proved over the boxes that the ops of a spec name."""
    from gradcheck.checking.everywhere import prove_own

    return prove_own(problem)


def _check_names(networks: Sequence[Network], wanted: Sequence[str] | None) -> None:
    """Refuse a pattern that fits nothing in any spec: it would check nothing and say so quietly."""
    known = {name for network in networks for name in network.wrt}
    for pattern in wanted or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            hint = did_you_mean(pattern, known) or f"there are {', '.join(sorted(known)[:20]) or 'none'}"
            raise UsageError(f"--wrt {pattern}: no spec has such a tensor", hint=hint)
