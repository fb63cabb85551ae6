"""Where reports go: formats, files, standard streams. The only writing to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from gradcheck.writing.formats import FORMATS, formats_of, written

if TYPE_CHECKING:
    from gradcheck.errors import GradcheckError
    from gradcheck.writing.view import View

Target = tuple[str, str | None]
"""A format, and the file it goes to; None for standard output."""


def output_option(kind: str) -> Callable[[Any], Any]:
    """Return the -o option of a command that shows reports, or derivations."""
    return click.option(
        "-o", "--output", "outputs", multiple=True, metavar="FORMAT[:PATH]",
        help=f"{', '.join(formats_of(kind))}; to standard output or to a file; repeatable.",
    )  # fmt: skip


color_option = click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Colours; auto heeds NO_COLOR and FORCE_COLOR, and else colours what a terminal shows.",
)  # fmt: skip


def targets_of(outputs: Sequence[str], kind: str, usual: str) -> list[Target]:
    """Read the -o options.

    Args:
        outputs: each FORMAT or FORMAT:PATH; none for `usual` on standard output.
        kind: what is written.
        usual: the format for people.

    Raises:
        UsageError: for an unknown format, and for two formats for programs on standard output.
    """
    found = [target(text, formats_of(kind)) for text in outputs] or [(usual, None)]
    piped = [form for form, path in found if path is None and not FORMATS[form].styled]
    if len(piped) > 1:
        from gradcheck.errors import UsageError

        raise UsageError(
            f"{' and '.join(piped)} cannot both go to standard output", hint=f"give a file, as in -o {piped[1]}:FILE"
        )
    return found


def target(text: str, formats: Sequence[str]) -> Target:
    """Read an -o option.

    Args:
        text: FORMAT or FORMAT:PATH.
        formats: the formats that there are.

    Raises:
        UsageError: for an unknown format.
    """
    form, colon, path = text.partition(":")
    if form not in formats or (colon and not path):
        from gradcheck.errors import UsageError, did_you_mean

        if form in formats:
            raise UsageError(f"-o {text}: no path after the colon")
        hint = did_you_mean(form, formats) or ", ".join(formats)
        raise UsageError(f"-o {text}: there is no format `{form}`", hint=hint)
    return form, path or None


def names(text: str) -> tuple[str, ...]:
    """Read a list of names separated by commas.

    Raises:
        UsageError: if it is empty.
    """
    names = tuple(word.strip() for word in text.split(",") if word.strip())
    if not names:
        from gradcheck.errors import UsageError

        raise UsageError("an empty list of names")
    return names


def complain(failures: Sequence[GradcheckError]) -> None:
    """Say on standard error what could not be read or computed, with the places."""
    if failures and sys.stderr is not None:
        from gradcheck.errors import SpecErrors

        click.echo((failures[0] if len(failures) == 1 else SpecErrors(failures)).render(), err=True)


@contextmanager
def watched(color: str) -> Iterator[None]:
    """Show how far the work within the block is, on a terminal and only if it takes longer than a second."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    from gradcheck import progress
    from gradcheck.commands.watching import Bars

    bars = Bars(color)
    try:
        with progress.heard_by(bars.hear):
            yield
    finally:
        bars.clear()


def deliver(subject: Any, kind: str, targets: Sequence[Target], view: View, color: str = "auto") -> None:
    """Write a report or a derivation to all its targets.

    Args:
        subject: a Report or a Trace.
        kind: which of them.
        targets: formats and where they go.
        view: how people are shown it, the width and signs of the screen aside.
        color: auto, always or never.

    Raises:
        SizeError: if it is too large for a format.
        UsageError: if a file or stream cannot be written.
    """
    try:
        _write(subject, kind, targets, view, color)
    except BrokenPipeError:
        # The reader has gone; the verdict stands. Python's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        from gradcheck.errors import UsageError

        sys.stdout = None
        raise UsageError(f"cannot write the report: {error.strerror}") from None


def _write(subject: Any, kind: str, targets: Sequence[Target], view: View, color: str) -> None:
    from gradcheck.writing import screen

    if sys.stdout is None and any(path is None for _, path in targets):
        from gradcheck.errors import UsageError

        raise UsageError("standard output is closed")
    # What programs read has standard output to itself; people then read the other stream.
    alone = all(FORMATS[form].styled or path is not None for form, path in targets)
    for form, path in targets:
        if not FORMATS[form].styled:
            text = written(form, kind, subject)
            if path is None:
                sys.stdout.buffer.write(text.encode())
                sys.stdout.flush()
            else:
                _save(path, text)
        elif path is not None:
            import io

            buffer = io.StringIO()
            screen.plain(written(form, kind, subject, view._replace(width=80, plus_minus="±")), buffer)
            _save(path, buffer.getvalue())
        else:
            stream = sys.stdout if alone else sys.stderr
            if stream is None:
                continue
            shown = view._replace(width=screen.width_of_screen(stream), plus_minus=screen.plus_minus(stream))
            screen.show(written(form, kind, subject, shown), stream, color)
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
        with suppress(OSError):
            os.remove(partial)
        raise UsageError(f"cannot write `{path}`: {error.strerror}") from None
