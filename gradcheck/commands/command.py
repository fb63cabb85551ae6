"""How commands read their arguments: help where there are none, and expressions that begin with a minus sign."""

from __future__ import annotations

import re

import click


class NoArgumentsError(click.UsageError):
    """A command was given nothing at all: its help is the answer, and nothing was checked."""

    def format_message(self) -> str:
        """Return the command's help."""
        assert self.ctx is not None
        return self.ctx.get_help()


class Command(click.Command):
    """A command that shows its help when it is given nothing.

    click's own `no_args_is_help` changed its stream and exit status between versions.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        if not args and not ctx.resilient_parsing:
            raise NoArgumentsError("", ctx)
        return super().parse_args(ctx, args)


class ExpressionCommand(Command):
    """A command whose argument may begin with a minus sign, as in -x^2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, with an expression that begins with a minus sign put where no option is looked for."""
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
