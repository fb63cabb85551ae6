"""`gradcheck expr`: check the gradient of an expression."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gradcheck.commands.command import ExpressionCommand
from gradcheck.commands.output import color_option, deliver, names, output_option, targets_of, watched
from gradcheck.writing.formats import REPORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradcheck.checking.boxes import Interval
    from gradcheck.checking.problem import Problem
    from gradcheck.checking.report import Report
    from gradcheck.checking.settings import Settings
    from gradcheck.deriving.trace import Trace

MAX_REPLAY = 1000
"""Characters of a command that repeats a check."""

MAX_INPUT = 64_000_000
"""Characters of an expression on standard input."""


@click.command(cls=ExpressionCommand, short_help="Check the gradient of an expression.")
@click.argument("expression")
@click.option(
    "--at",
    "at",
    multiple=True,
    metavar="x=1,y=2",
    help="Values of the variables; `;` separates points, a further --at adds variables. Arrays: "
    "W=[[1,2],[3,4]], W=@file.npy, W=@file.npz:key, W=randn(5,10), x=linspace(-1,1,5).",
)
@click.option("--points", type=int, default=3, show_default=True, help="Points to choose without --at.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of what is chosen.")
@click.option("--wrt", metavar="x,y", help="Check only these inputs.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar='x="z + 1"',
    help="Your own gradient for an input or a stage (q=z), or an element (z[0]=0.22): a formula, numbers "
    "([0.22,-0.66]) or @file.npy. The verdict is about it; names that only claims use may stand in --at.",
)
@click.option(
    "--over",
    metavar="x=-5..5,y=0..1",
    help="Prove it everywhere: your claims, or else backprop's rules, over a box; what does not move has its value "
    "in --at. Without values for all variables nothing else is checked.",
)
@click.option(
    "--engine", "engines", metavar="a,b", help="Methods: backprop, symbolic, finite_difference (default: all)."
)
@click.option("--strict", is_flag=True, help="Exit with 1 on anything but `agree`.")
@click.option("--trace", "traced", is_flag=True, help="Show the derivation at the first point too, as `trace` does.")
@output_option(REPORT)
@color_option
def expr(
    expression: str, at: tuple[str, ...], points: int, seed: int, wrt: str | None,
    claims: tuple[str, ...], over: str | None, engines: str | None, strict: bool, traced: bool,
    outputs: tuple[str, ...], color: str,
) -> None:  # fmt: skip
    """Check the gradient of EXPRESSION (`-` reads it from standard input).

    \b
    gradcheck expr "(x+y)*z" --at x=-2,y=5,z=-4
    gradcheck expr "q = x + y; f = q*z" --claim x=z
    gradcheck expr "sum(W @ x)" --at "W=randn(2,3),x=[1,2,3]"
    gradcheck expr "1/(1+exp(-x))" --over x=-5..5 --claim x="exp(-x)/(1+exp(-x))^2"

    Exit status: 0 right, 1 wrong, 2 bad input, 4 undecided, 5 nothing was exercised.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    targets = targets_of(outputs, REPORT, "table")

    from gradcheck.checking.points import read
    from gradcheck.checking.problem import problem_of_text
    from gradcheck.checking.settings import ENGINES, Settings
    from gradcheck.errors import Source

    name = "expression"
    if expression == "-":
        name, expression = "<stdin>", standard_input()
    settings = Settings(
        wrt=names(wrt) if wrt is not None else None,
        engines=names(engines) if engines is not None else ENGINES,
        points=points, seed=seed, strict=strict,
    )  # fmt: skip
    given = read(at) if at else []
    box, named = None, set()
    if over is not None:
        from gradcheck.checking.boxes import completed, parse_box

        box = parse_box(Source(over, "--over"))
        given, named = completed(given, box), {*(given[0] if given else ())}
    problem = problem_of_text(Source(expression, name), given, _claims(claims), settings)
    with watched(color):
        report, derived = _run(problem, settings, traced, box, named)
    options = [f"--claim={c}" for c in claims]
    options += [f"--wrt={wrt}"] if wrt is not None else []
    options += [f"--engine={engines}"] if engines is not None else []
    options += ["--strict"] if strict else []
    replay = () if given or not problem.graph.inputs else _replays(report, expression, options)
    from gradcheck.writing.view import View

    deliver(report, REPORT, targets, View(replay=replay, above=derived), color)
    sys.exit(report.exit_code)


def _run(
    problem: Problem, settings: Settings, traced: bool, box: Mapping[str, Interval] | None, named: set[str]
) -> tuple[Report, Trace | None]:
    """Check every point, or prove it over a box, and derive the gradient at the first point."""
    from gradcheck.checking.check import check_over, check_problem

    if box is not None:
        report, located = check_over(problem, settings, box, named), problem.points()
    else:
        located = problem.points()
        report = check_problem(problem, settings, located)
    if not traced:
        return report, None
    from gradcheck.deriving.tracer import trace_problem

    return report, trace_problem(problem, settings, None, located[0], report)


def _claims(texts: tuple[str, ...]) -> dict[str, str]:
    if not texts:
        return {}
    from gradcheck.errors import UsageError
    from gradcheck.graph.graph import element_name
    from gradcheck.language.claims import split

    found: dict[str, str] = {}
    for text in texts:
        parts = split(text)
        if parts is None:
            raise UsageError(f"--claim {text}: expected name=formula", hint='as in --claim x="z + 1" or q=[0.25,-1]')
        called = element_name(parts[0], parts[1] or ())
        if called in found:
            raise UsageError(f"--claim {text}: `{called}` is claimed twice")
        found[called] = parts[2]
    return found


def standard_input() -> str:
    """Return the text on standard input.

    Raises:
        UsageError: if it is closed.
        LanguageError: if it is too long or no text.
    """
    if sys.stdin is None:
        from gradcheck.errors import UsageError

        raise UsageError("standard input is closed")
    data = sys.stdin.buffer.read(MAX_INPUT + 1)
    from gradcheck.errors import LanguageError

    if len(data) > MAX_INPUT:
        raise LanguageError(f"more than {MAX_INPUT:,} bytes on standard input")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LanguageError(f"standard input is not UTF-8: byte {error.start}") from None


def _replays(report: Report, expression: str, options: list[str]) -> tuple[str, ...]:
    from shlex import quote

    shown = expression if len(expression) <= 200 else "…"
    if "\n" in shown:
        shown = "; ".join(line for line in shown.splitlines() if line.strip()) if "#" not in shown else "…"
    extra = "".join(f" {quote(option)}" for option in options)
    result = []
    for check in report.checks:
        values = ",".join(f"{n}={_short(v)}" for n, v in (check.point or {}).items())
        at = f" --at {quote(values)}" if values else ""
        command = f"gradcheck expr {quote(shown)}{at}{extra}"
        result.append(command if len(command) <= MAX_REPLAY else "too long to print; -o json has the point")
    return tuple(result)


def _short(value: float) -> str:
    return repr(value).removesuffix(".0")
