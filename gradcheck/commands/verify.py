"""`gradcheck verify`: check the gradients of the networks that specs describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gradcheck.commands.output import finish, names, target

if TYPE_CHECKING:
    from gradcheck.checking import Settings
    from gradcheck.errors import GradcheckError, Source
    from gradcheck.networks.network import Network
    from gradcheck.report.text import Line
    from gradcheck.verdicts import SpecResult

SUFFIXES = (".yaml", ".yml")

PATIENCE = 1.0
"""Seconds after which a person who watches is told what is going on."""


@click.command(no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("-k", "pattern", metavar="PATTERN", help="Only specs whose name or file::name contains or fits this.")
@click.option("--wrt", metavar="fc1.*,x", help="Check only these tensors; * and ? stand for anything.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of random directions.")
@click.option("--exhaustive", is_flag=True, help="Perturb every number end to end, however many there are.")
@click.option("--strict", is_flag=True, help="Exit with 1 on anything but `agree`.")
@click.option("-q", "--quiet", is_flag=True, help="Show only specs with which something is not right.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first spec that is wrong.")
@click.option("--outside-files", is_flag=True, help="Let specs read arrays outside of their own folder.")
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="FORMAT[:PATH]",
    help="table or json, to standard output or to a file; repeatable.",
)  # fmt: skip
def verify(
    paths: tuple[str, ...], pattern: str | None, wrt: str | None, seed: int, exhaustive: bool, strict: bool,
    quiet: bool, fail_fast: bool, outside_files: bool, outputs: tuple[str, ...],
) -> None:  # fmt: skip
    """Check the networks in YAML specs: files, or directories of them (`-` reads standard input).

    \b
    gradcheck verify specs/
    gradcheck verify net.yaml --wrt "fc1.*" --exhaustive
    gradcheck verify specs/ -q -o json:report.json

    In a directory, every .yaml or .yml with a `gradcheck:` key is a spec.

    Exit status: 0 right, 1 wrong, 2 bad input, 4 undecided, 5 nothing was exercised.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    targets = [target(o) for o in outputs] or [("table", None)]
    wanted = names(wrt) if wrt is not None else None
    networks = _networks(paths, pattern, outside_files)

    from gradcheck.checking import Settings
    from gradcheck.verdicts import Verification

    settings = Settings(wrt=wanted, seed=seed, strict=strict)
    _check_names(networks, wanted)
    results, problems, stopped = _verified(networks, settings, exhaustive, fail_fast)
    report = Verification(results, strict, stopped, problems)
    for problem in problems:
        click.echo(problem.render(), err=True)

    def layout(width: int, plus_minus: str) -> list[Line]:
        from gradcheck.report.networks import lines

        return lines(report, width, quiet)

    finish(report, targets, layout)


def _networks(paths: tuple[str, ...], pattern: str | None, outside: bool) -> list[Network]:
    """Return the networks of all files, in order; every mistake in any of them is reported at once.

    Raises:
        SpecErrors: if something is wrong in a file.
        NothingFound: if there is no spec.
    """
    from gradcheck.errors import GradcheckError, NothingFound, SpecErrors
    from gradcheck.networks.document import read_file
    from gradcheck.networks.loading import load, matching

    problems: list[GradcheckError] = []
    found: list[Network] = []
    for path, certain in _files(paths, problems):
        try:
            source = read_file(path) if path != "-" else _standard_input()
        except GradcheckError as error:
            problems.append(error)
            continue
        if not certain and not _has_key(source.text):
            continue
        networks, wrong = load(source, os.path.dirname(path) if path != "-" else ".", outside=outside)
        found += networks
        problems += wrong
    if problems:
        raise problems[0] if len(problems) == 1 else SpecErrors(problems)
    chosen = matching(found, pattern)
    if not chosen:
        if found:
            raise NothingFound(f"no spec fits -k {pattern}", hint=f"there are {', '.join(n.name for n in found[:20])}")
        raise NothingFound(f"no spec in {', '.join(paths)}", hint="a spec is a .yaml file with a `gradcheck: 1` key")
    return chosen


def _files(paths: tuple[str, ...], problems: list[GradcheckError]) -> Iterator[tuple[str, bool]]:
    """Yield each file, and whether the user named it: what lies in a directory may be something else."""
    from gradcheck.errors import SpecError

    seen: set[str] = set()
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            if path == "-" or os.path.exists(path):
                yield path, True
            else:
                problems.append(SpecError(f"there is no file or directory `{path}`"))
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                full = os.path.join(folder, name)
                if name.endswith(SUFFIXES) and os.path.realpath(full) not in seen:
                    seen.add(os.path.realpath(full))
                    yield full, False


def _has_key(text: str) -> bool:
    """Whether a file in a directory is meant to be a spec."""
    import re

    return re.search(r"""^\s*(?:\{\s*)?["']?gradcheck["']?\s*:""", text, re.MULTILINE) is not None


def _standard_input() -> Source:
    from gradcheck.errors import UsageError
    from gradcheck.networks.document import MAX_BYTES, decode

    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>")


def _check_names(networks: list[Network], wanted: tuple[str, ...] | None) -> None:
    """Refuse a --wrt that fits nothing in any spec: it would check nothing and say so quietly."""
    from fnmatch import fnmatchcase

    from gradcheck.errors import UsageError, did_you_mean

    known = {name for network in networks for name in network.wrt}
    for pattern in wanted or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            hint = did_you_mean(pattern, known) or f"there are {', '.join(sorted(known)[:20]) or 'none'}"
            raise UsageError(f"--wrt {pattern}: no spec has such a tensor", hint=hint)


def _verified(
    networks: list[Network], settings: Settings, exhaustive: bool, fail_fast: bool
) -> tuple[list[SpecResult], list[GradcheckError], bool]:
    """Check the networks one after the other.

    Returns the results, the errors of networks that have no value or slope at their numbers, and
    whether --fail-fast left some out.
    """
    from gradcheck.compare import exit_code
    from gradcheck.errors import GradcheckError
    from gradcheck.verifying import selected, verify

    results: list[SpecResult] = []
    problems: list[GradcheckError] = []
    progress = _Progress(len(networks))
    try:
        for k, network in enumerate(networks):
            progress.show(k, network.name)
            if not selected(network, settings):
                continue
            try:
                results.append(verify(network, settings, exhaustive))
                failed = exit_code(results[-1].words, settings.strict) != 0
            except GradcheckError as error:
                problems.append(error)
                failed = True
            network.release()
            if fail_fast and failed and k + 1 < len(networks):
                return results, problems, True
    finally:
        progress.clear()
    return results, problems, False


class _Progress:
    """A line on standard error while it takes long and a person watches."""

    def __init__(self, count: int) -> None:
        from time import monotonic

        self.clock = monotonic
        self.start = monotonic()
        self.count = count
        self.shown = False
        self.watched = sys.stderr is not None and sys.stderr.isatty() and count > 0

    def show(self, done: int, name: str) -> None:
        """Say which spec is next."""
        if self.watched and self.clock() - self.start > PATIENCE:
            from gradcheck.errors import visible

            filled = 20 * done // self.count
            bar = "█" * filled + "░" * (20 - filled)
            sys.stderr.write(f"\r\x1b[K{bar} {done}/{self.count} {visible(name)[:40]}")
            sys.stderr.flush()
            self.shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
