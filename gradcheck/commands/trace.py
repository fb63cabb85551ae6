"""`gradcheck trace`: the derivation of a gradient, step by step."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from gradcheck.commands.command import ExpressionCommand
from gradcheck.commands.expr import standard_input
from gradcheck.commands.output import Target, color_option, deliver, names, output_option, targets_of, watched
from gradcheck.writing.formats import DERIVATION, FORMATS, check_size

if TYPE_CHECKING:
    from gradcheck.checking.problem import Problem
    from gradcheck.checking.settings import Settings
    from gradcheck.deriving.trace import Trace
    from gradcheck.errors import Source

SPEC_SUFFIXES = (".yaml", ".yml")


@click.command(cls=ExpressionCommand, short_help="Derive a gradient step by step.")
@click.argument("target", metavar="EXPRESSION|SPEC")
@click.option(
    "--at",
    "at",
    multiple=True,
    metavar="x=1,y=2",
    help="Values of the variables, as for `expr`; without it a point is chosen.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of what is chosen.")
@click.option("--wrt", metavar="x,y", help="Only the gradients of these inputs (in a spec, patterns).")
@click.option("-k", "pattern", metavar="PATTERN", help="Which spec of a file with several.")
@click.option("--expand", is_flag=True, help="Open sigmoid, softmax and other groups into their gates.")
@click.option(
    "--focus", metavar="NAME", help="Only the paths from this variable, parameter or stage (* and ? fit any)."
)
@click.option(
    "--depth", type=click.IntRange(1), metavar="N", help="Only the last N gates of each path (layers, in a spec)."
)
@click.option("--why", metavar="NAME", help="The gradient of NAME as a sum over all paths to the output.")
@click.option(
    "--order",
    type=click.Choice(["reverse", "forward"]),
    default="reverse",
    show_default=True,
    help="forward: the same by forward mode too, with what it costs.",
)
@click.option(
    "--digits", type=click.IntRange(1, 17), default=6, show_default=True, help="Significant digits of numbers."
)
@click.option("--quiz", is_flag=True, help="Be asked for each gradient before it is shown.")
@click.option("--outside-files", is_flag=True, help="Let a spec read arrays outside of its own folder.")
@output_option(DERIVATION)
@color_option
def trace(
    target: str, at: tuple[str, ...], seed: int, wrt: str | None, pattern: str | None, expand: bool, focus: str | None,
    depth: int | None, why: str | None, order: str, digits: int, quiz: bool, outside_files: bool,
    outputs: tuple[str, ...], color: str,
) -> None:  # fmt: skip
    """Derive the gradient of EXPRESSION, or of the network in SPEC (a .yaml file), step by step.

    \b
    gradcheck trace "(x+y)*z" --at x=-2,y=5,z=-4
    gradcheck trace net.yaml --focus fc1.weight
    gradcheck trace "(x+y)*z" -o html:circuit.html -o svg:circuit.svg

    Forward, every stage with its numbers; backward, upstream gradient times local derivative;
    then the comparison with SymPy and finite differences. `-` reads standard input.

    Exit status: as for `expr` and `verify`.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    targets = targets_of(outputs, DERIVATION, "text")
    if quiz:
        _check_quiz(target, outputs, why, order)

    request = _Request(at, names(wrt) if wrt is not None else None, seed, pattern, outside_files)
    problem, settings = _network(target, request) if _is_spec(target) else _expression(target, request)

    # Loaded only now: a mistake in the text must not wait for what follows.
    from gradcheck.deriving.trace import Asked
    from gradcheck.deriving.tracer import trace_problem

    with watched(color):
        found = trace_problem(problem, settings, Asked(expand, focus, depth, digits, why, order == "forward"))
    if quiz:
        from gradcheck.commands.quiz import ask

        sys.exit(ask(found))
    show(found, targets, color)
    finish(found)


def _check_quiz(target: str, outputs: tuple[str, ...], why: str | None, order: str) -> None:
    """Refuse what a quiz has no room for.

    Raises:
        UsageError: saying what.
    """
    from gradcheck.errors import UsageError

    if target == "-":
        raise UsageError(
            "--quiz reads the answers from standard input, so what is to be derived cannot come from there",
            hint="give the expression as an argument, or the name of a file",
        )
    given = {"-o": bool(outputs), "--why": why is not None, "--order": order != "reverse"}
    for option, there in given.items():
        if there:
            raise UsageError(f"--quiz asks, and {option} shows", hint="leave one of them out")


def show(found: Trace, targets: list[Target], color: str) -> None:
    """Write a trace to all its targets.

    Raises:
        SizeError: if it is too large for one of them.
        UsageError: if a file or stream cannot be written.
    """
    if ("text", None) in targets:
        check_size(found, FORMATS["text"].most, "a screen")
    from gradcheck.writing.view import View

    deliver(found, DERIVATION, targets, View(), color)


def finish(found: Trace) -> None:
    """Leave with the exit status of what was found.

    Raises:
        GradcheckError: what stopped the derivation.
    """
    if found.problem is not None:
        raise found.problem
    assert found.report is not None
    sys.exit(found.report.exit_code)


def _is_spec(target: str) -> bool:
    """Whether the argument names a spec: an expression has no such ending."""
    return target.endswith(SPEC_SUFFIXES) or (target != "-" and os.path.isdir(target))


class _Request(NamedTuple):
    """The options that say what is derived.

    Attributes:
        at: the --at options.
        wanted: inputs, or patterns of tensors; None for all.
        seed: of what is chosen.
        pattern: which spec of a file; None if there is but one.
        outside: whether a spec may read files elsewhere.
    """

    at: tuple[str, ...]
    wanted: tuple[str, ...] | None
    seed: int
    pattern: str | None
    outside: bool


def _expression(text: str, request: _Request) -> tuple[Problem, Settings]:
    from gradcheck.errors import Source, UsageError

    name = "expression"
    if text == "-":
        name, text = "<stdin>", standard_input()
        if _mentions_spec(text):
            return _network(Source(text, name), request._replace(outside=False))
    if request.pattern is not None:
        raise UsageError("-k chooses a spec of a file, and this is an expression")

    from gradcheck.checking.points import read
    from gradcheck.checking.problem import problem_of_text
    from gradcheck.checking.settings import Settings

    given = read(request.at) if request.at else []
    if len(given) > 1:
        raise UsageError(f"a trace shows one point, and --at gives {len(given)}")
    settings = Settings(wrt=request.wanted, points=1, seed=request.seed)
    return problem_of_text(Source(text, name), given, {}, settings), settings


def _mentions_spec(text: str) -> bool:
    return any(line.lstrip().startswith("gradcheck:") for line in text.splitlines())


def _network(where: str | Source, request: _Request) -> tuple[Problem, Settings]:
    from gradcheck.errors import UsageError
    from gradcheck.networks.files import network_in

    if request.at:
        raise UsageError("--at gives values to an expression; a spec has its own")
    if isinstance(where, str):
        network = network_in(where, request.pattern, outside=request.outside)
    else:
        source = where
        network = network_in("-", request.pattern, standard_input=lambda: source)
    from gradcheck.checking.problem import problem_of_network
    from gradcheck.checking.settings import Settings

    settings = Settings(wrt=request.wanted, seed=request.seed)
    return problem_of_network(network, settings), settings
