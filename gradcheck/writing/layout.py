"""The report as lines of styled text, laid out once for every kind of screen.

The layout depends on the width alone, never on colour or on whether a person watches, so a
piped report and a terminal's are the same. Numbers and names are never cut: a table that does
not fit becomes one block a number.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.checking.judge import AGREE, DISAGREE, SEVERITY
from gradcheck.checking.results import Check, Gradient, Report
from gradcheck.errors import visible
from gradcheck.ops.shapes import show
from gradcheck.writing.text import Line, Segment, aligned, fold, number, plural, width_of

TITLES = {"backprop": "backprop", "symbolic": "SymPy", "finite_difference": "finite difference"}

EVERY = 24
"""Numbers up to which each gets a row; beyond, each input shows its worst."""


def lines(
    report: Report, width: int, replay: Sequence[str] = (), plus_minus: str = "±", titled: bool = True
) -> list[Line]:
    """Return the whole report.

    Args:
        report: what to show.
        width: columns of the screen.
        replay: a command for each check that repeats it, shown for chosen points.
        plus_minus: what stands between a number and its error bar.
        titled: whether each check begins with the expression, its value, the point and the stages.
    """
    result: list[Line] = []
    if replay:
        chosen = plural(len(report.checks), "point")
        result += [[(f"{chosen} chosen inside the domain, seed {report.seed}", "dim")], []]
    for k, check in enumerate(report.checks):
        result += [*(_heading(check, width) if titled else []), *_check(report, check, width, plus_minus)]
        if replay:
            result.append([(f"  replay: {visible(replay[k])}", "dim")])
        result.append([])
    return [*result, *fold([(_summary(report), report.verdict)], width, 0)]


def _heading(check: Check, width: int) -> list[Line]:
    result = fold(_title(check), width, 4)
    if check.shape:
        note = f"the output is {show(check.shape)}: this is the gradient of the sum of its elements"
        result += fold([(f"  {note}", "dim")], width, 2)
    for name, value, gradient in check.stages:
        text = f"  {visible(name)} = {number(value)}    d/d{visible(name)} = {number(gradient)}"
        result.append([(text, "dim")])
    return result


def _check(report: Report, check: Check, width: int, plus_minus: str) -> list[Line]:
    result: list[Line] = []
    rows = _chosen(check)
    forms = not any(g.index for g in rows) and any(g.formula for g in rows)
    wide = _grid(report, rows, forms, plus_minus) if rows else []
    if forms and width_of(wide) > width:
        wide = _grid(report, rows, False, plus_minus)
        forms = False
    if width_of(wide) <= width:
        result += wide
    else:
        for row in rows:
            result += _stacked(report, row, plus_minus)
    if not forms:
        for g in rows:
            if g.formula is not None:
                result += fold([(f"  d/d{visible(g.name)} = {visible(g.formula)}", "")], width, 6)
    result += _counts(check, rows)
    for g in sorted(rows, key=lambda g: -SEVERITY.index(g.verdict)):
        if g.reason:
            line = [(f"  {visible(g.name)}: ", ""), (g.verdict, g.verdict), (f": {visible(g.reason)}", "")]
            result += fold(line, width, 6)
    return result


def _title(check: Check) -> Line:
    text = " ".join(visible(check.source.strip().replace("\n", "; ")).split())
    text = text if len(text) <= 200 else text[:199] + "…"
    small = {name: v for name, v in check.point.items() if isinstance(v, float)}
    shown = ", ".join(f"{visible(name)} = {number(v)}" for name, v in list(small.items())[:12])
    arrays = ", ".join(visible(name) for name in check.point if name not in small)
    shown += (", " if shown and arrays else "") + (f"arrays {arrays}" if arrays else "")
    return [(text, "head"), (" = ", ""), (number(check.value), "value"), (f"   at {shown}" if shown else "", "")]


def _chosen(check: Check) -> list[Gradient]:
    """Return the rows to show: all, or for large arrays the worst of each input."""
    if len(check.gradients) <= EVERY:
        return check.gradients
    rows: list[Gradient] = []
    for mine in _by_input(check).values():
        bad = [g for g in mine if g.verdict == DISAGREE][:5]
        rows += bad or [max(mine, key=_severity)]
    return sorted(rows, key=_severity, reverse=True)[:EVERY] if len(rows) > EVERY else rows


def _severity(g: Gradient) -> tuple[int, float]:
    return SEVERITY.index(g.verdict), g.caught or 0.0


def _by_input(check: Check) -> dict[str, list[Gradient]]:
    found: dict[str, list[Gradient]] = {}
    for g in check.gradients:
        found.setdefault(g.input, []).append(g)
    return found


def _counts(check: Check, rows: list[Gradient]) -> list[Line]:
    if len(rows) == len(check.gradients):
        return []
    result: list[Line] = []
    inputs = _by_input(check)
    for name, mine in list(inputs.items())[:EVERY]:
        if len(mine) > 1:
            words = [g.verdict for g in mine]
            counts = ", ".join(f"{words.count(w):,} {w}" for w in reversed(SEVERITY) if w in words)
            result.append([(f"  {visible(name)}: {len(words):,} numbers: {counts}", "dim")])
    hidden = len(inputs) - len({g.input for g in rows})
    if hidden > 0:
        result.append([(f"  and {plural(hidden, 'input')} more, no worse; -o json lists all", "dim")])
    return result


def _cells(report: Report, g: Gradient, full: bool, plus_minus: str) -> list[Segment]:
    cells = [(visible(g.name), "head"), (number(g.at), "")]
    for engine in report.engines:
        if engine == "finite_difference":
            cells.append((_with_bar(g, full, plus_minus), ""))
        else:
            cells.append((number(getattr(g, engine), full), ""))
    if any(x.claimed is not None for c in report.checks for x in c.gradients):
        cells.append((number(g.claimed, full), ""))
    return [*cells, (g.verdict, g.verdict)]


def _headings(report: Report) -> list[str]:
    claimed = any(x.claimed is not None for c in report.checks for x in c.gradients)
    return ["input", "value", *(TITLES[e] for e in report.engines), *(["claimed"] if claimed else []), "verdict"]


def _grid(report: Report, rows: list[Gradient], forms: bool, plus_minus: str) -> list[Line]:
    table = [[(text, "dim") for text in _headings(report)]]
    full = any(map(_looks_right, rows))
    table += [_cells(report, g, full, plus_minus) for g in rows]
    if forms:
        table[0].append(("closed form", "dim"))
        for cells, g in zip(table[1:], rows, strict=True):
            cells.append((visible(g.formula or ""), ""))
    return aligned(table, {0, len(_headings(report)) - 1, len(_headings(report))})


def _stacked(report: Report, g: Gradient, plus_minus: str) -> list[Line]:
    cells = _cells(report, g, _looks_right(g), plus_minus)
    result: list[Line] = [[("  ", ""), cells[0], (" = ", ""), cells[1]]]
    for heading, cell in zip(_headings(report)[2:], cells[2:], strict=True):
        result.append([(f"    {heading:<18} ", "dim"), cell])
    return result


def _looks_right(g: Gradient) -> bool:
    """Whether a wrong number differs from the right one only beyond the digits usually shown."""
    graded = g.claimed if g.claimed is not None else g.backprop
    truth = g.symbolic if g.symbolic is not None else g.finite_difference
    return g.verdict == DISAGREE and number(graded) == number(truth)


def _with_bar(g: Gradient, full: bool, plus_minus: str) -> str:
    if g.finite_difference is None:
        return "-"
    if g.error_bound is None:
        return number(g.finite_difference, full)
    return f"{number(g.finite_difference, full)} {plus_minus} {g.error_bound:.1g}"


def _summary(report: Report) -> str:
    words = report.words
    count, spots = len(words), len(report.checks)
    methods = [TITLES[e] + ("s" if e == "finite_difference" else "") for e in report.engines]
    by = f"{', '.join(methods[:-1])} and {methods[-1]}" if len(methods) > 1 else methods[0]
    said = ", ".join(f"{words.count(w):,} {w}" for w in reversed(SEVERITY) if w in words) or "nothing to check"
    text = f"Checked {plural(count, 'gradient')} at {plural(spots, 'point')} by {by}: {said}."
    missing = _not_covered(report)
    if missing:
        text += f" {missing}"
    if report.caught is not None and AGREE in words:
        text += f" A relative error of {report.caught:.1g} would have shown."
    return f"{text} Exit status {report.exit_code}."


def _not_covered(report: Report) -> str:
    notes = []
    for engine in report.engines:
        values = [getattr(g, engine) for c in report.checks for g in c.gradients]
        covered = sum(v is not None for v in values)
        if covered < len(values):
            notes.append(f"{TITLES[engine]} gave {covered:,} of {len(values):,}")
    text = "; ".join(notes)
    return f"{text[0].upper()}{text[1:]}." if notes else ""
