"""`gradcheck prove`: every elementwise rule of the op table, proved over its domain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gradcheck.commands.output import color_option, deliver, output_option, targets_of, watched
from gradcheck.writing.formats import REPORT

if TYPE_CHECKING:
    from gradcheck.ops.op import Op


@click.command(short_help="Prove the rules of the op table over boxes.")
@click.argument("names", nargs=-1, metavar="[OP…]")
@click.option("-q", "--quiet", is_flag=True, help="Show only what is not proved.")
@output_option(REPORT)
@color_option
def prove(names: tuple[str, ...], quiet: bool, outputs: tuple[str, ...], color: str) -> None:
    """Prove the gradient rules of elementwise ops over boxes of their operands (all of them without OP).

    \b
    gradcheck prove tanh gelu
    gradcheck prove -q

    The rule is nowhere off by more than the bound; kinks and poles are cut out, and named.

    Exit status: 0 proved, 1 disproved, 2 bad input, 4 undecided.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    targets = targets_of(outputs, REPORT, "table")

    from gradcheck.ops import FUNCTIONS, OPS

    rows = [row for row in OPS.values() if row.elementwise and not row.internal]
    if names:
        rows = [_row(name, FUNCTIONS.get(name) or OPS.get(name)) for name in names]

    from gradcheck.checking.everywhere import prove_ops
    from gradcheck.checking.report import Report
    from gradcheck.writing.view import View

    with watched(color):
        report = Report([], (), over=prove_ops(rows))
    deliver(report, REPORT, targets, View(quiet=quiet), color)
    sys.exit(report.exit_code)


def _row(name: str, row: Op | None) -> Op:
    from gradcheck.errors import UsageError
    from gradcheck.ops import FUNCTIONS
    from gradcheck.ops.elsewhere import suggestion

    if row is None:
        raise UsageError(f"there is no op `{name}`", hint=suggestion(name, FUNCTIONS) or "gradcheck ops lists them")
    if not row.elementwise:
        raise UsageError(f"`{name}` works on whole arrays", hint="gradcheck expr checks it at points")
    return row
