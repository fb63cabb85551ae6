"""The comparison below a derivation: the same tables as those of `expr` and `verify`."""

from __future__ import annotations

from gradcheck.checking.report import Report
from gradcheck.writing import report as writer
from gradcheck.writing.text import Line
from gradcheck.writing.view import View


def chosen(report: Report | None) -> str:
    """Return a sentence about the point, if it was chosen for the user; else ""."""
    if report is None or report.of_files or report.seed is None or not report.checks[0].point:
        return ""
    return f"the point was chosen inside the domain, seed {report.seed}"


def check_lines(report: Report, width: int, plus_minus: str) -> list[Line]:
    """Return the comparison as `gradcheck expr` or `gradcheck verify` shows it."""
    view = View(width, plus_minus, verbose=True, titled=report.of_files)
    return [[("Check", "head")], *writer.lines(report, view)]
