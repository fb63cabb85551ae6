"""Where reports go: formats, files, standard streams. The only writing to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.writing.text import Line

FORMATS = ("table", "json")

Target = tuple[str, str | None]
"""A format, and the file it goes to; None for standard output."""

Layout = Callable[[int, str], "list[Line]"]
"""(columns, the sign between a number and its bar) → the report as lines."""


def target(text: str, formats: Sequence[str] = FORMATS) -> Target:
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


def finish(report: Any, targets: Sequence[Target], layout: Layout) -> None:
    """Write a report to all its targets and leave with its exit status.

    Raises:
        UsageError: if a file or stream cannot be written.
    """

    def as_json() -> str:
        from gradcheck.writing.writers import as_json

        return as_json(report)

    deliver(targets, layout, {"json": as_json})
    sys.exit(report.exit_code)


def deliver(targets: Sequence[Target], layout: Layout, texts: Mapping[str, Callable[[], str]]) -> None:
    """Write to all targets.

    Args:
        targets: formats and where they go.
        layout: makes the lines of the format that is for people.
        texts: format → makes its text, for all others.

    Raises:
        UsageError: if a file or stream cannot be written.
    """
    try:
        _write(targets, layout, texts)
    except BrokenPipeError:
        # The reader has gone; the verdict stands. Python's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        from gradcheck.errors import UsageError

        sys.stdout = None
        raise UsageError(f"cannot write the report: {error.strerror}") from None


def _write(targets: Sequence[Target], layout: Layout, texts: Mapping[str, Callable[[], str]]) -> None:
    from gradcheck.writing import writers

    if sys.stdout is None and any(path is None for _, path in targets):
        from gradcheck.errors import UsageError

        raise UsageError("standard output is closed")
    # What programs read has standard output to itself; people then read the other stream.
    alone = all(form not in texts or path is not None for form, path in targets)
    for form, path in targets:
        if form in texts:
            text = texts[form]()
            if path is None:
                sys.stdout.buffer.write(text.encode())
                sys.stdout.flush()
            else:
                _save(path, text)
        elif path is not None:
            import io

            buffer = io.StringIO()
            writers.plain(layout(80, "±"), buffer)
            _save(path, buffer.getvalue())
        else:
            stream = sys.stdout if alone else sys.stderr
            lines = layout(_width(), writers.plus_minus(stream))
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
        with suppress(OSError):
            os.remove(partial)
        raise UsageError(f"cannot write `{path}`: {error.strerror}") from None


def _width() -> int:
    if not sys.stdout.isatty():
        return 80
    from shutil import get_terminal_size

    return max(40, get_terminal_size((80, 24)).columns)
