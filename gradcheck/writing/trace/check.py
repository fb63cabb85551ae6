"""The comparison below a derivation: the same tables as those of `expr` and `verify`."""

from __future__ import annotations

from gradcheck.checking.results import Report
from gradcheck.checking.verdicts import Verification
from gradcheck.writing import layout, networks
from gradcheck.writing.text import Line


def chosen(report: Report | Verification | None) -> str:
    """Return a sentence about the point, if it was chosen for the user; else ""."""
    if not isinstance(report, Report) or report.seed is None or not report.checks[0].point:
        return ""
    return f"the point was chosen inside the domain, seed {report.seed}"


def check_lines(report: Report | Verification, width: int, plus_minus: str) -> list[Line]:
    """Return the comparison as `gradcheck expr` or `gradcheck verify` shows it."""
    head: Line = [("Check", "head")]
    if isinstance(report, Verification):
        return [head, *networks.lines(report, width, False)]
    return [head, *layout.lines(report, width, (), plus_minus, titled=False)]
