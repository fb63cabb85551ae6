"""The command: which commands there are, and the exit statuses of failures.

Everything but click is imported when a command runs, so that --help and mistakes cost no more
than click itself.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import click

from gradcheck import __version__
from gradcheck.commands.command import Command, NoArgumentsError

EXIT_CRASH = 3
EXIT_INTERRUPTED = 130

COMMANDS = {
    "expr": "expr", "trace": "trace", "verify": "verify", "init": "init",
    "prove": "prove", "schema": "tables", "ops": "tables", "layers": "tables",
}  # fmt: skip
"""Command → its module in `gradcheck.commands`."""


class _Group(Command, click.Group):
    """A group that loads a command when it is asked for, and suggests the one that was meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        found: click.Command = getattr(import_module(f"gradcheck.commands.{COMMANDS[cmd_name]}"), cmd_name)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from gradcheck.errors import did_you_mean, visible

            hint = did_you_mean(args[0], COMMANDS)
            if hint is None and re.search(r"[-+*/^()]", args[0]):
                hint = f'for an expression: gradcheck expr "{visible(args[0][:40])}"'
            message = f"there is no command `{visible(args[0][:60])}`" + (f"; {hint}" if hint else "")
            raise click.UsageError(message, ctx) from error


@click.group(
    cls=_Group,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="gradcheck")
def commands() -> None:
    """Tell whether a gradient is right, and if not, where and why."""


def main() -> None:
    """Run the command; the only place that decides about exit statuses of failures."""
    from gradcheck.errors import GradcheckError, InternalError

    try:
        commands.main(standalone_mode=False)
    except NoArgumentsError as error:
        _complain(error.format_message())
        _leave(error.exit_code)
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
        _complain(InternalError(error).render())
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
