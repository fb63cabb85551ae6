"""A check with a row a number, for reports of a handful of them: numbers and names are never cut."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.checking.judge import DISAGREE, SEVERITY
from gradcheck.checking.report import Check, Report
from gradcheck.checking.tensor import Gradient
from gradcheck.errors import visible
from gradcheck.writing.text import DIGITS, TITLES, Line, Segment, aligned, fold, number, plural, width_of, with_bar
from gradcheck.writing.view import View

LONGEST = 200
"""Characters of an expression that is repeated."""

MOST_NAMED = 12
"""Values of the point in the header."""

NARROWER = (DIGITS, 6, 5)
"""Digits of a table's numbers, the fewer where it would not fit."""

EVERY = 24
"""Numbers up to which each gets a row; beyond, each input shows its worst."""


def lines(report: Report, view: View) -> list[Line]:
    """Return the checks of a report, a row a number."""
    result: list[Line] = []
    if view.replay:
        chosen = plural(len(report.checks), "point")
        result += [[(f"{chosen} chosen inside the domain, seed {report.seed}", "dim")], []]
    for k, check in enumerate(report.checks):
        result += [*(_heading(check, view.width) if view.titled else []), *_check(report, check, view)]
        if view.replay:
            result.append([(f"  replay: {visible(view.replay[k])}", "dim")])
        result.append([])
    return result


def _heading(check: Check, width: int) -> list[Line]:
    result = fold(_title(check), width, 4)
    for note in filter(None, (check.about_output, *check.notes)):
        result += fold([(f"  {visible(note)}", "dim")], width, 2)
    for name, value, gradient in check.stages:
        text = f"  {visible(name)} = {number(value)}    d/d{visible(name)} = {number(gradient)}"
        result.append([(text, "dim")])
    return result


def _check(report: Report, check: Check, view: View) -> list[Line]:
    rows = _chosen(check)
    table = _Table(report, rows, view.plus_minus)
    result, forms = table.fitting(view.width) if rows else ([], False)
    if not forms:
        for name, formula in _forms(check, rows):
            result += fold([(f"  d/d{visible(name)} = {visible(formula)}", "")], view.width, 6)
    result += _counts(check, rows, view.width)
    for g in sorted(rows, key=lambda g: -SEVERITY.index(g.verdict)):
        if g.reason:
            line = [(f"  {visible(g.name)}: ", ""), (g.verdict, g.verdict), (f": {visible(g.reason)}", "")]
            result += fold(line, view.width, 6)
        if g.proved is False:
            said = f"  {visible(g.name)}: the finite difference is estimated, not proved"
            result += fold([(said, "dim")], view.width, 6)
    return result


def _forms(check: Check, rows: Sequence[Gradient]) -> list[tuple[str, str]]:
    """Return (name, closed form): one for a whole array that has one, else one for each number shown."""
    whole = {tensor.name: tensor.formula for tensor in check.tensors if tensor.formula is not None}
    shown = {g.name: g.formula for g in rows if g.formula is not None and g.input not in whole}
    return [*whole.items(), *shown.items()]


def _title(check: Check) -> Line:
    text = " ".join(visible(check.source.strip().replace("\n", "; ")).split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    what: Line = [(text, "head"), (" = ", "")]
    if check.shape:
        # Of an array the gradient of the sum is taken: the header says so before the number.
        whole = check.differentiated == f"sum of {' '.join(check.source.split())}"
        of = f"sum of {text}" if whole else visible(check.differentiated)
        what = [*([] if whole else [(text, "head"), ("   ", "")]), (of, "head"), (" = ", "")]
    shown = _point(check)
    return [*what, (number(check.value), "value"), (f"   at {shown}" if shown else "", "")]


def _point(check: Check) -> str:
    point = check.point or {}
    small = {name: v for name, v in point.items() if isinstance(v, float)}
    parts = [f"{visible(name)} = {number(v)}" for name, v in list(small.items())[:MOST_NAMED]]
    if len(small) > MOST_NAMED:
        parts.append(f"…and {len(small) - MOST_NAMED:,} more")
    arrays = ", ".join(visible(name) for name in point if name not in small)
    return ", ".join([*parts, *([f"arrays {arrays}"] if arrays else [])])


def _chosen(check: Check) -> list[Gradient]:
    """Return the rows to show: all, or for large arrays the worst of each input."""
    if check.size <= EVERY:
        return check.gradients
    rows: list[Gradient] = []
    for tensor in check.tensors:
        numbers = [tensor.number(place) for place in range(tensor.size)]
        rows += [g for g in numbers if g.verdict == DISAGREE][:5] or [max(numbers, key=_severity)]
    return sorted(rows, key=_severity, reverse=True)[:EVERY] if len(rows) > EVERY else rows


def _severity(g: Gradient) -> tuple[int, float]:
    return SEVERITY.index(g.verdict), g.caught or 0.0


def _counts(check: Check, rows: list[Gradient], width: int) -> list[Line]:
    if len(rows) == check.size:
        return []
    result: list[Line] = []
    for tensor in check.tensors[:EVERY]:
        if tensor.size > 1:
            counts = ", ".join(f"{count:,} {word}" for word, count in tensor.counts().items())
            result.append([(f"  {visible(tensor.name)}: {tensor.size:,} numbers: {counts}", "dim")])
    hidden = len(check.tensors) - len({g.input for g in rows})
    if hidden > 0:
        result += fold([(f"  and {plural(hidden, 'input')} more, no worse; -o json lists all", "dim")], width, 4)
    return result


class _Table:
    """Numbers by every method, in the widest form that fits: fewer digits first, then two tables, then a list."""

    def __init__(self, report: Report, rows: list[Gradient], plus_minus: str) -> None:
        self.rows = rows
        self.plus_minus = plus_minus
        claimed = any("claimed" in tensor.answers for check in report.checks for tensor in check.tensors)
        self.methods = [*report.engines, *(["claimed"] if claimed else [])]
        self.forms = not any(g.index for g in rows) and any(g.formula for g in rows)

    def fitting(self, width: int) -> tuple[list[Line], bool]:
        """Return the table, and whether it holds the closed forms."""
        for digits in NARROWER:
            # A wrong number must not look like the right one.
            full = any(_looks_right(g, digits) for g in self.rows)
            if full and digits != NARROWER[0]:
                continue
            for forms in (True, False) if self.forms and digits == NARROWER[0] else (False,):
                table = self.grid(self.methods, digits, full, True, forms)
                if width_of(table) <= width:
                    return table, forms
        full = any(_looks_right(g, DIGITS) for g in self.rows)
        for k in range(len(self.methods) - 1, 0, -1):
            first = self.grid(self.methods[:k], DIGITS, full, False, False)
            second = self.grid(self.methods[k:], DIGITS, full, True, False)
            if max(width_of(first), width_of(second)) <= width:
                return [*first, *second], False
        return [line for g in self.rows for line in self.stacked(g, width)], False

    def grid(self, methods: Sequence[str], digits: int, full: bool, last: bool, forms: bool) -> list[Line]:
        """Return a table; the last of two has the verdicts, the first of two the values."""
        whole = len(methods) == len(self.methods)
        at = ["value"] if whole or not last else []
        heads = ["input", *at, *(TITLES[m] for m in methods), *(["verdict"] if last else [])]
        table = [[(text, "dim") for text in [*heads, *(["closed form"] if forms else [])]]]
        for g in self.rows:
            cells: list[Segment] = [(visible(g.name), "head"), *[(number(g.at, digits=digits), "")] * len(at)]
            cells += [(self.cell(g, method, full, digits), "") for method in methods]
            cells += [(g.verdict, g.verdict)] if last else []
            table.append([*cells, *([(visible(g.formula or ""), "")] if forms else [])])
        left = {0, *([len(heads) - 1, len(heads)] if last else [])}
        return aligned(table, left)

    def cell(self, g: Gradient, method: str, full: bool, digits: int = DIGITS) -> str:
        """Return the text of one number; a finite difference comes with its bar."""
        bar = g.error_bound if method == "finite_difference" else None
        return with_bar(getattr(g, method), bar, self.plus_minus, full, digits)

    def stacked(self, g: Gradient, width: int) -> list[Line]:
        """Return one number as lines, with as many digits as fit."""
        result: list[Line] = []
        for digits in NARROWER:
            full = _looks_right(g, digits)
            cells = [(TITLES[m], (self.cell(g, m, full, digits), "")) for m in self.methods]
            result = [[("  ", ""), (visible(g.name), "head"), (" = ", ""), (number(g.at, digits=digits), "")]]
            for title, cell in [*cells, ("verdict", (g.verdict, g.verdict))]:
                result.append([(f"    {title:<18} ", "dim"), cell])
            if width_of(result) <= width:
                break
        return result


def _looks_right(g: Gradient, digits: int) -> bool:
    """Whether a wrong number differs from the right one only beyond the digits shown."""
    return g.verdict == DISAGREE and number(g.graded, digits=digits) == number(g.truth, digits=digits)
