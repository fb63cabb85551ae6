"""From specs to a verification: each network is checked, and what it expects is held against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gradcheck.checking import judge
from gradcheck.checking.expressions import Settings
from gradcheck.checking.verdicts import SpecResult, Verification
from gradcheck.errors import GradcheckError, UsageError, did_you_mean
from gradcheck.networks.files import networks_in
from gradcheck.networks.network import Network
from gradcheck.ops.shapes import show


def verify(
    paths: str | Sequence[str],
    *,
    pattern: str | None = None,
    exhaustive: bool = False,
    fail_fast: bool = False,
    outside: bool = False,
    **options: Any,
) -> Verification:
    """Check the gradients of networks in YAML specs.

    Args:
        paths: a file or directory, or several.
        pattern: check only specs whose name contains or fits this.
        exhaustive: perturb every number end to end, however many there are.
        fail_fast: stop at the first spec that is not right.
        outside: let specs read arrays outside of their own folders.
        **options: fields of the settings as keywords: wrt (patterns), seed, strict.

    Returns:
        The report: `.verdict`, `.exit_code`, `.specs[i].tensors[j]`, `.problems` and `.to_dict()`.

    Raises:
        SpecErrors: everything that is wrong in the files.
        NothingFound: if there is no spec.
    """
    chosen = networks_in([paths] if isinstance(paths, str) else paths, pattern, outside=outside)
    return verify_all(chosen, Settings(**options), exhaustive=exhaustive, fail_fast=fail_fast)


def verify_all(
    networks: Sequence[Network],
    settings: Settings,
    *,
    exhaustive: bool = False,
    fail_fast: bool = False,
    before: Callable[[int, str], None] | None = None,
) -> Verification:
    """Check networks one after the other; `before` is told the number and name of the next.

    Raises:
        UsageError: if a pattern of `settings.wrt` fits nothing in any of them.
    """
    _check_names(networks, settings.wrt)
    results: list[SpecResult] = []
    problems: list[GradcheckError] = []
    for k, network in enumerate(networks):
        if before is not None:
            before(k, network.name)
        if not selected(network, settings):
            continue
        try:
            results.append(check_network(network, settings, exhaustive))
            failed = judge.exit_code(results[-1].words, settings.strict) != 0
        except GradcheckError as error:
            problems.append(error)
            failed = True
        network.release()
        if fail_fast and failed and k + 1 < len(networks):
            return Verification(results, settings.strict, stopped=True, problems=problems)
    return Verification(results, settings.strict, problems=problems)


def _check_names(networks: Sequence[Network], wanted: Sequence[str] | None) -> None:
    """Refuse a pattern that fits nothing in any spec: it would check nothing and say so quietly."""
    known = {name for network in networks for name in network.wrt}
    for pattern in wanted or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            hint = did_you_mean(pattern, known) or f"there are {', '.join(sorted(known)[:20]) or 'none'}"
            raise UsageError(f"--wrt {pattern}: no spec has such a tensor", hint=hint)


def check_network(network: Network, settings: Settings, exhaustive: bool = False) -> SpecResult:
    """Check one network.

    Args:
        network: the network.
        settings: which tensors (`wrt`, patterns), and the seed of directions.
        exhaustive: whether every number is perturbed end to end, however many there are.

    Raises:
        DomainError: if the loss or a slope is not defined at the spec's numbers.
    """
    from gradcheck.checking import ways as network_checks
    from gradcheck.checking.expectations import broken
    from gradcheck.checking.own_rules import faults

    wrt = selected(network, settings)
    shape = network.shapes[network.graph.output]
    point, found = network_checks.check(network, wrt, settings, exhaustive)
    notes = list(found.notes)
    if shape:
        notes.append(f"the output is {show(shape)}: this is the gradient of the sum of its elements")
    facts = broken(network, point)
    return SpecResult(
        network.name, network.source.name, network.line, point.value, found.method, found.tensors, facts,
        len(network.expected) - len(facts), faults(network, point, settings), notes,
    )  # fmt: skip


def selected(network: Network, settings: Settings) -> list[str]:
    """Return the tensors to check: those of the spec that fit a pattern of --wrt."""
    if settings.wrt is None:
        return network.wrt
    return [name for name in network.wrt if any(fnmatchcase(name, pattern) for pattern in settings.wrt)]
