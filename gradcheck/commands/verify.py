"""`gradcheck verify`: check the gradients of the networks that specs describe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gradcheck.commands.command import Command
from gradcheck.commands.output import finish, names, target

if TYPE_CHECKING:
    from gradcheck.errors import Source
    from gradcheck.writing.text import Line

PATIENCE = 1.0
"""Seconds after which a person who watches is told what is going on."""


@click.command(cls=Command, short_help="Check the networks in YAML specs.")
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

    from gradcheck.networks.files import networks_in

    networks = networks_in(paths, pattern, outside=outside_files, standard_input=_standard_input)

    from gradcheck.checking.expressions import Settings
    from gradcheck.checking.verifying import verify_all

    settings = Settings(wrt=wanted, seed=seed, strict=strict)
    progress = _Progress(len(networks))
    try:
        report = verify_all(networks, settings, exhaustive=exhaustive, fail_fast=fail_fast, before=progress.show)
    finally:
        progress.clear()
    for problem in report.problems:
        click.echo(problem.render(), err=True)

    def layout(width: int, plus_minus: str) -> list[Line]:
        from gradcheck.writing.networks import lines

        return lines(report, width, quiet)

    finish(report, targets, layout)


def _standard_input() -> Source:
    from gradcheck.errors import UsageError
    from gradcheck.networks.document import MAX_BYTES, decode

    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>")


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
