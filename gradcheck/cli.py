"""The command: options, streams and exit statuses, and nothing of mathematics.

Everything but click is imported when a command runs, so that --help and mistakes cost no more
than click itself.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from gradcheck import __version__

if TYPE_CHECKING:
    from gradcheck.results import Report

EXIT_CRASH = 3
EXIT_INTERRUPTED = 130

FORMATS = ("table", "json")

MAX_REPLAY = 1000
"""Characters of a command that repeats a check."""

MAX_INPUT = 64_000_000
"""Characters of an expression on standard input."""


class _Group(click.Group):
    """A group that suggests the command meant, and turns every failure into one message."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from gradcheck.errors import did_you_mean, visible

            hint = did_you_mean(args[0], self.commands)
            if hint is None and re.search(r"[-+*/^()]", args[0]):
                hint = f'for an expression: gradcheck expr "{visible(args[0][:40])}"'
            message = f"there is no command `{visible(args[0][:60])}`" + (f"; {hint}" if hint else "")
            raise click.UsageError(message, ctx) from error


class _ExpressionCommand(click.Command):
    """A command whose argument may begin with a minus sign, as in -x^2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name for param in self.params for name in param.opts}
        mended: list[str] = []
        takes_value = {name for p in self.params if isinstance(p, click.Option) and not p.is_flag for name in p.opts}
        expression: str | None = None
        while args:
            word = args.pop(0)
            if word == "--":
                mended += ["--", *args]
                break
            name = word.partition("=")[0] if word.startswith("--") else word
            if name in takes_value and name == word and args:
                mended += [word, args.pop(0)]
            elif word.startswith("-") and word != "-" and expression is None and not _is_option(word, known):
                expression = word
            else:
                mended.append(word)
        if expression is not None:
            mended += ["--", expression]
        return super().parse_args(ctx, mended)


def _is_option(word: str, known: set[str]) -> bool:
    """Whether a word that starts with a minus sign is (or was meant to be) an option."""
    if word.startswith("--"):
        return re.match(r"--[a-z][a-z-]+(=|$)", word) is not None
    return word in known or re.match(r"-o(table|json)", word) is not None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="gradcheck")
def commands() -> None:
    """Tell whether a gradient is right, and if not, where and why."""


@commands.command(cls=_ExpressionCommand, no_args_is_help=True)
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
    help="Your own gradient for an input, a formula or a number: the verdict is about it.",
)
@click.option(
    "--engine", "engines", metavar="a,b", help="Methods: backprop, symbolic, finite_difference (default: all)."
)
@click.option("--strict", is_flag=True, help="Exit with 1 on anything but `agree`.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[:PATH]",
    help="table or json, to standard output or to a file; repeatable.",
)
def expr(
    expression: str, at: tuple[str, ...], points: int, seed: int, wrt: str | None,
    claims: tuple[str, ...], engines: str | None, strict: bool, outputs: tuple[str, ...],
) -> None:  # fmt: skip
    """Check the gradient of EXPRESSION (`-` reads it from standard input).

    \b
    gradcheck expr "(x+y)*z" --at x=-2,y=5,z=-4
    gradcheck expr "q = x + y; f = q*z" --claim x=z
    gradcheck expr "sum(W @ x)" --at "W=randn(2,3),x=[1,2,3]"

    Exit status: 0 right, 1 wrong, 2 bad input, 4 undecided, 5 nothing was exercised.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    targets = [_target(o) for o in outputs] or [("table", None)]

    from gradcheck.checking import ENGINES, Job, Settings
    from gradcheck.errors import Source
    from gradcheck.points import read

    name = "expression"
    if expression == "-":
        name, expression = "<stdin>", _standard_input()
    settings = Settings(
        wrt=_names(wrt) if wrt is not None else None,
        engines=_names(engines) if engines is not None else ENGINES,
        points=points, seed=seed, strict=strict,
    )  # fmt: skip
    job = Job(Source(expression, name), read(at) if at else [], _claims(claims), settings)
    report = job.run()
    options = [f"--claim={c}" for c in claims]
    options += [f"--wrt={wrt}"] if wrt is not None else []
    options += [f"--engine={engines}"] if engines is not None else []
    options += ["--strict"] if strict else []
    try:
        _write(report, targets, [] if at or not job.graph.inputs else _replays(report, expression, options))
    except BrokenPipeError:
        # The reader has gone; the verdict stands. Python's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        from gradcheck.errors import UsageError

        sys.stdout = None
        raise UsageError(f"cannot write the report: {error.strerror}") from None
    sys.exit(report.exit_code)


def _target(text: str) -> tuple[str, str | None]:
    form, colon, path = text.partition(":")
    if form not in FORMATS or (colon and not path):
        from gradcheck.errors import UsageError, did_you_mean

        if form in FORMATS:
            raise UsageError(f"-o {text}: no path after the colon")
        hint = did_you_mean(form, FORMATS) or ", ".join(FORMATS)
        raise UsageError(f"-o {text}: there is no format `{form}`", hint=hint)
    return form, path or None


def _names(text: str) -> tuple[str, ...]:
    names = tuple(word.strip() for word in text.split(",") if word.strip())
    if not names:
        from gradcheck.errors import UsageError

        raise UsageError("an empty list of names")
    return names


def _claims(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, formula = text.partition("=")
        name, formula = name.strip(), formula.strip()
        if not equals or not name or not formula or name in found:
            from gradcheck.errors import UsageError

            if name in found:
                raise UsageError(f"--claim {text}: `{name}` is claimed twice")
            raise UsageError(f"--claim {text}: expected name=formula", hint='as in --claim x="z + 1"')
        found[name] = formula
    return found


def _standard_input() -> str:
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


def _replays(report: Report, expression: str, options: list[str]) -> list[str]:
    from shlex import quote

    shown = expression if len(expression) <= 200 else "…"
    if "\n" in shown:
        shown = "; ".join(line for line in shown.splitlines() if line.strip()) if "#" not in shown else "…"
    extra = "".join(f" {quote(option)}" for option in options)
    result = []
    for check in report.checks:
        values = ",".join(f"{n}={_short(v)}" for n, v in check.point.items())
        at = f" --at {quote(values)}" if values else ""
        command = f"gradcheck expr {quote(shown)}{at}{extra}"
        result.append(command if len(command) <= MAX_REPLAY else "too long to print; -o json has the point")
    return result


def _short(value: float) -> str:
    return repr(value).removesuffix(".0")


def _write(report: Report, targets: list[tuple[str, str | None]], replay: list[str]) -> None:
    from gradcheck.report import layout, writers

    if sys.stdout is None and any(path is None for _, path in targets):
        from gradcheck.errors import UsageError

        raise UsageError("standard output is closed")
    for form, path in targets:
        if form == "json":
            text = writers.as_json(report)
            if path is None:
                sys.stdout.buffer.write(text.encode())
                sys.stdout.flush()
            else:
                _save(path, text)
        elif path is not None:
            import io

            buffer = io.StringIO()
            writers.plain(layout.lines(report, 80, replay), buffer)
            _save(path, buffer.getvalue())
        else:
            alone = all(f != "json" or p is not None for f, p in targets)
            stream = sys.stdout if alone else sys.stderr
            lines = layout.lines(report, _width(), replay, plus_minus=writers.plus_minus(stream))
            (writers.terminal if stream.isatty() else writers.plain)(lines, stream)
            stream.flush()


def _save(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    from gradcheck.errors import UsageError

    partial = f"{path}.partial"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "w", encoding="utf-8") as device:
                device.write(text)
            return
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    except OSError as error:
        raise UsageError(f"cannot write `{path}`: {error.strerror}") from None


def _width() -> int:
    if not sys.stdout.isatty():
        return 80
    from shutil import get_terminal_size

    return max(40, get_terminal_size((80, 24)).columns)


def main() -> None:
    """Run the command; the only place that decides about exit statuses of failures."""
    from gradcheck.errors import GradcheckError

    try:
        commands.main(standalone_mode=False)
    except click.ClickException as error:
        _complain(_usage(error))
        _leave(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        _leave(EXIT_INTERRUPTED)
    except GradcheckError as error:
        _complain(error.render())
        _leave(error.exit_code)
    except (RecursionError, MemoryError, Exception) as error:
        if os.environ.get("GRADCHECK_DEBUG"):
            raise
        _complain(
            f"error: gradcheck itself failed ({type(error).__name__}); this is a bug\n"
            "  hint: run again with GRADCHECK_DEBUG=1 for the details, and report them"
        )
        _leave(EXIT_CRASH)


def _usage(error: click.ClickException) -> str:
    """Return click's message, with what the user typed made safe to show."""
    from gradcheck.errors import visible

    context = getattr(error, "ctx", None)
    usage = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n" if context else ""
    return f"{usage}Error: {visible(error.format_message())}"


def _complain(text: str) -> None:
    if sys.stderr is None:
        return
    encoding = sys.stderr.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), err=True)


def _leave(code: int) -> None:
    sys.exit(code)
