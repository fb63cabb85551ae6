"""The check beside the derivation: what the other methods say of each gradient."""

from __future__ import annotations

from gradcheck.checking.report import Report
from gradcheck.notation.markup import escaped
from gradcheck.writing.trace.check_table import check_table
from gradcheck.writing.trace.html_page import HtmlPage
from gradcheck.writing.trace.spelling import Speller


def check(page: HtmlPage, report: Report) -> str:
    """Return the comparison as a table, with its notes."""
    found, speller = check_table(report), Speller(page.derivation)
    head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in found.headings)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in found.rows)
    forms = "".join(
        f"<div><dt>{escaped(speller.gradient_name(name))}</dt><dd>{escaped(text)}</dd></div>"
        for name, text in found.forms
    )
    notes = "".join(f"<li>{escaped(note)}</li>" for note in found.notes)
    return "".join(
        [
            '<div class="wide" role="region" aria-label="Check" tabindex="0">',
            f'<table class="check"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
            f"<p>{escaped(found.summary)}</p>",
            f'<ul class="notes">{notes}</ul>' if notes else "",
            f'<h3>In closed form, by SymPy</h3><dl class="forms">{forms}</dl>' if forms else "",
        ]
    )


def _row(row: tuple[str, ...]) -> str:
    name, *cells, verdict = row
    kind = escaped(verdict.split()[-1]) if verdict else ""
    inner = "".join(f"<td>{escaped(text)}</td>" for text in cells)
    return f'<th scope="row">{escaped(name)}</th>{inner}<td class="verdict {kind}">{escaped(verdict)}</td>'
