"""A report as lines of styled text, laid out once for every kind of screen.

The layout depends on the width alone, never on colour or on whether a person watches, so a piped
report and a terminal's are the same.
"""

from __future__ import annotations

from gradcheck.checking.judge import AGREE, DISAGREE
from gradcheck.checking.report import Report
from gradcheck.errors import GradcheckError, visible
from gradcheck.writing.text import TITLES, Line, fold, plural
from gradcheck.writing.view import View

MOST_FAILURES = 200
"""Files that could not be read or computed of which each gets a line."""


def lines(report: Report, view: View) -> list[Line]:
    """Return the whole report: of an expression a row a number, of files a line or a table a spec."""
    return [
        *body(report, view),
        *fold([(f"{summary(report)} Exit status {report.exit_code}.", report.verdict)], view.width, 0),
    ]


def body(report: Report, view: View) -> list[Line]:
    """Return the report without the sentence that ends it."""
    if report.of_files:
        from gradcheck.writing import by_tensor

        return [*by_tensor.lines(report, view), *_over(report, view), *_failures(report, view.width)]
    from gradcheck.writing import by_number

    return [*by_number.lines(report, view), *_over(report, view)]


def _over(report: Report, view: View) -> list[Line]:
    if not report.over:
        return []
    from gradcheck.writing import over

    # What is right takes no line of its own in files, unless all is asked for.
    return over.lines(report.over, view._replace(quiet=view.quiet or (report.of_files and not view.verbose)))


def _failures(report: Report, width: int) -> list[Line]:
    """Return a line for each file with something that could not be read or computed; streams have the details."""
    files: dict[str, list[GradcheckError]] = {}
    for failure in report.failures:
        files.setdefault(failure.source.name if failure.source else "", []).append(failure)
    result: list[Line] = []
    for name, failures in list(files.items())[:MOST_FAILURES]:
        first = failures[0]
        line = first.source.position(first.span[0])[0] if first.source and first.span else None
        where = f"{visible(name)}:{line}" if line is not None else visible(name)
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        said: Line = [
            (f"{where}  " if where else "", "head"),
            ("error", DISAGREE),
            (f"  {visible(first.message)}{more}", ""),
        ]
        result += fold(said, width, 4)
    if len(files) > MOST_FAILURES:
        result.append([(f"and {plural(len(files) - MOST_FAILURES, 'file')} more with errors", "dim")])
    return [*result, []] if result else []


def summary(report: Report) -> str:
    """Return in a sentence or some what was checked, by what, and what came of it."""
    if report.over and not report.checks:
        return _proved(report)
    counts = report.counts()
    said = ", ".join(f"{count:,} {word}" for word, count in counts.items()) or "nothing to check"
    text = f"Checked {_what(report)}: {said}."
    text += _covered(report)
    if report.caught is not None and AGREE in counts:
        text += f" A relative error of {report.caught:.1g} would have shown."
    if report.of_files:
        text += _beside(report)
    return f"{text} {_proved(report)}" if report.over else text


def _proved(report: Report) -> str:
    from gradcheck.writing import over

    return over.summary(report.over)


def _what(report: Report) -> str:
    if not report.of_files:
        spots = len(report.checks)
        methods = [TITLES[e] + ("s" if e == "finite_difference" else "") for e in report.engines]
        return f"{plural(report.size, 'gradient')} at {plural(spots, 'point')} by {listed(methods)}"
    files = len({check.origin.file for check in report.checks})
    return f"{plural(report.size, 'number')} of {plural(len(report.checks), 'spec')} in {plural(files, 'file')}"


def _covered(report: Report) -> str:
    """Return how many numbers each method gave: of files always, of an expression where it was not all."""
    total = report.size
    if report.of_files:
        parts = [f"{TITLES[m]} {report.covered(m):,} of {total:,}" for m in ("symbolic", "finite_difference")]
        return f" Covered: {', '.join(parts)}."
    parts = [f"{TITLES[m]} gave {n:,} of {total:,}" for m in report.engines if (n := report.covered(m)) < total]
    text = "; ".join(parts)
    return f" {text[0].upper()}{text[1:]}." if parts else ""


def _beside(report: Report) -> str:
    """Return what is to be said beside the numbers."""
    text = ""
    if wrong := sum(len(check.facts) for check in report.checks):
        text += f" {plural(wrong, 'expectation')} did not hold."
    if rules := sum(len(check.faults) for check in report.checks):
        text += f" {plural(rules, 'backward rule')} of the specs' own {'is' if rules == 1 else 'are'} wrong."
    if report.idle:
        text += f" Nothing was exercised in {plural(len(report.idle), 'spec')}."
    if report.failures:
        text += f" {plural(len(report.failures), 'error')}: not everything could be read or computed."
    if report.stopped:
        text += " Stopped at the first failure."
    return text


def listed(words: list[str]) -> str:
    """Return words in a row with an "and" before the last."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
