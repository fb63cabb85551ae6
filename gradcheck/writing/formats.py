"""The formats: one table for reports and derivations, a function each, loaded when it is asked for.

To add a format, write a function (subject, view) → text and give it a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.writing.view import View

REPORT, DERIVATION = "report", "derivation"


class Format:
    """One format.

    Attributes:
        report: module and name of the function that writes a report; None if it writes none.
        derivation: the same for a derivation.
        styled: whether it returns styled lines for people, and not text.
        most: stages of a derivation up to which it is of use.
    """

    __slots__ = ("derivation", "most", "report", "styled")

    def __init__(
        self, report: str | None = None, derivation: str | None = None, styled: bool = False, most: int = 0
    ) -> None:
        self.report = report
        self.derivation = derivation
        self.styled = styled
        self.most = most


FORMATS = {
    "table": Format("gradcheck.writing.report:lines", styled=True),
    "text": Format(None, "gradcheck.writing.trace.text:view_lines", styled=True, most=250),
    "markdown": Format(None, "gradcheck.writing.trace.markdown:markdown", most=2_000),
    "latex": Format(None, "gradcheck.writing.trace.latex:latex", most=2_000),
    "html": Format(None, "gradcheck.writing.trace.html:html", most=2_000),
    "svg": Format(None, "gradcheck.writing.trace.pictures:svg_text", most=2_000),
    "mermaid": Format(None, "gradcheck.writing.trace.pictures:mermaid_text", most=2_000),
    "dot": Format(None, "gradcheck.writing.trace.pictures:dot_text", most=20_000),
    "json": Format("gradcheck.writing.as_json:as_json", "gradcheck.writing.trace.as_json:as_json", most=1_000_000),
    "python": Format(None, "gradcheck.writing.trace.program:program", most=100_000),
}


def formats_of(kind: str) -> tuple[str, ...]:
    """Return the names of the formats for reports, or for derivations."""
    return tuple(name for name, form in FORMATS.items() if getattr(form, kind) is not None)


def written(name: str, kind: str, subject: Any, view: View | None = None) -> Any:
    """Return a report or a derivation in a format: text, or styled lines.

    Args:
        name: the format.
        kind: REPORT or DERIVATION.
        subject: a Report or a Trace.
        view: how people are shown it.

    Raises:
        SizeError: if a derivation has more stages than the format can show.
    """
    from importlib import import_module

    form = FORMATS[name]
    if kind == DERIVATION and not form.styled:
        check_size(subject, form.most, name)
    module, _, function = getattr(form, kind).partition(":")
    found = getattr(import_module(module), function)
    if not form.styled:
        return found(subject)
    from gradcheck.writing.view import View

    view = view or View()
    if view.above is None:
        return found(subject, view)
    before = written("text", DERIVATION, view.above._replace(report=None), view._replace(above=None))
    return [*before, [], *found(subject, view)]


def check_size(trace: Any, most: int, name: str) -> None:
    """Refuse a derivation that nobody could read.

    Raises:
        SizeError: with what to do about it.
    """
    count = len(trace.derivation.steps)
    if count > most:
        from gradcheck.errors import SizeError

        raise SizeError(
            f"{count:,} stages are too many for {name}: {most:,} at most",
            hint="show a part with --focus NAME or --depth N, or write -o text:FILE, python:FILE or json:FILE",
        )
