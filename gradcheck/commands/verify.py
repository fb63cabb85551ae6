"""`gradcheck verify`: check the gradients of the networks that specs describe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gradcheck.commands.command import Command
from gradcheck.commands.output import color_option, complain, deliver, names, output_option, targets_of, watched
from gradcheck.writing.formats import FORMATS, REPORT

if TYPE_CHECKING:
    from gradcheck.errors import Source


@click.command(cls=Command, short_help="Check the networks in YAML specs.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("-k", "pattern", metavar="PATTERN", help="Only specs whose name or file::name contains or fits this.")
@click.option("--wrt", metavar="fc1.*,x", help="Check only these tensors; * and ? stand for anything.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of random directions.")
@click.option("--exhaustive", is_flag=True, help="Perturb every number end to end, however many there are.")
@click.option("--strict", is_flag=True, help="Exit with 1 on anything but `agree`.")
@click.option("-q", "--quiet", is_flag=True, help="Show only specs with which something is not right.")
@click.option("-v", "--verbose", is_flag=True, help="Show every tensor of what is right too.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first spec that is wrong.")
@click.option("--outside-files", is_flag=True, help="Let specs read arrays outside of their own folder.")
@output_option(REPORT)
@color_option
def verify(
    paths: tuple[str, ...], pattern: str | None, wrt: str | None, seed: int, exhaustive: bool, strict: bool,
    quiet: bool, verbose: bool, fail_fast: bool, outside_files: bool, outputs: tuple[str, ...], color: str,
) -> None:  # fmt: skip
    """Check the networks in YAML specs: files, or directories of them (`-` reads standard input).

    \b
    gradcheck verify specs/
    gradcheck verify net.yaml --wrt "fc1.*" --exhaustive
    gradcheck verify specs/ -q -o json:report.json

    In a directory, every .yaml or .yml with a `gradcheck:` key is a spec.

    Exit status: 0 right, 1 wrong, 2 bad input, 4 undecided, 5 nothing was exercised.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    targets = targets_of(outputs, REPORT, "table")
    wanted = names(wrt) if wrt is not None else None

    from gradcheck.networks.files import networks_in

    networks, failures = networks_in(paths, pattern, outside=outside_files, standard_input=_standard_input)

    from gradcheck.checking.settings import Settings
    from gradcheck.checking.verify import check_networks

    settings = Settings(wrt=wanted, seed=seed, strict=strict, exhaustive=exhaustive)
    with watched(color):
        report = check_networks(networks, settings, failures=failures, fail_fast=fail_fast)
    complain(report.failures)
    if report.failures and not report.checks:
        # Nothing was checked beside what could not be read: standard error has said it all.
        targets = [(form, path) for form, path in targets if path is not None or not FORMATS[form].styled]
    from gradcheck.writing.view import View

    deliver(report, REPORT, targets, View(quiet=quiet, verbose=verbose), color)
    sys.exit(report.exit_code)


def _standard_input() -> Source:
    from gradcheck.errors import UsageError
    from gradcheck.networks.document import MAX_BYTES, decode

    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>")
