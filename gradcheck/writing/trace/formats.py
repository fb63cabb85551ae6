"""The formats of a trace: one function each, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from gradcheck.deriving.trace import Trace
from gradcheck.errors import SizeError


class Format(NamedTuple):
    """One format.

    Attributes:
        function: module and name of the function (trace) → text.
        most: stages up to which it is of use.
    """

    function: str
    most: int


FORMATS = {
    "markdown": Format("gradcheck.writing.trace.markdown:markdown", 2_000),
    "latex": Format("gradcheck.writing.trace.latex:latex", 2_000),
    "html": Format("gradcheck.writing.trace.html:html", 2_000),
    "svg": Format("gradcheck.writing.trace.pictures:svg_text", 2_000),
    "mermaid": Format("gradcheck.writing.trace.pictures:mermaid_text", 2_000),
    "dot": Format("gradcheck.writing.trace.pictures:dot_text", 20_000),
    "json": Format("gradcheck.writing.trace.as_json:as_json", 1_000_000),
    "python": Format("gradcheck.writing.trace.program:program", 100_000),
}
"""Format → what writes it; the text for people is `writing.trace.text`."""

MOST_ON_SCREEN = 250
"""Stages that a person will read."""


def writer(name: str) -> Callable[[Trace], str]:
    """Return the function of a format.

    The function raises SizeError for a trace with more stages than the format can show.
    """
    form = FORMATS[name]
    module, _, function = form.function.partition(":")

    def write(trace: Trace) -> str:
        check_size(trace, form.most, name)
        text: str = getattr(import_module(module), function)(trace)
        return text

    return write


def check_size(trace: Trace, most: int, name: str) -> None:
    """Refuse a trace that nobody could read.

    Raises:
        SizeError: with what to do about it.
    """
    count = len(trace.derivation.steps)
    if count > most:
        raise SizeError(
            f"{count:,} stages are too many for {name}: {most:,} at most",
            hint="show a part with --focus NAME or --depth N, or write -o text:FILE, python:FILE or json:FILE",
        )
