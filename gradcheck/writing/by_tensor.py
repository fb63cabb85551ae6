"""A check with a row a tensor: one line where all is well, else what is not right, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.checking.judge import AGREE, DISAGREE, INCONCLUSIVE, NOT_EXERCISED, SEVERITY, exit_code
from gradcheck.checking.report import Check, Fact, Report
from gradcheck.checking.tensor import Tensor
from gradcheck.errors import visible
from gradcheck.ops.shapes import show
from gradcheck.writing.text import TITLES, Line, Segment, aligned, fold, number, plural, width_of
from gradcheck.writing.view import View

METHODS = ("symbolic", "finite_difference")

MOST_ROWS = 40
"""Tensors of one spec up to which each gets a row; beyond, those that are not plain agreement come first."""

MOST_REASONS = 5
"""Numbers of one tensor for which a reason is shown."""


def lines(report: Report, view: View) -> list[Line]:
    """Return the checks of a report: a line each, and the details where something is to be said."""
    result: list[Line] = []
    brief = False
    for check in report.checks:
        if view.quiet and not exit_code(check.words, report.strict):
            continue
        plain = check.words == [AGREE] and not check.notes and not view.verbose
        # Lines stand together; what has details stands apart.
        result += [[]] if brief and not plain else []
        result += _title(check, view.width, plain) if view.titled or plain else []
        result += [] if plain else [*_details(check, view.width), []]
        brief = plain
    return [*result, []] if brief else result


def _title(check: Check, width: int, brief: bool) -> list[Line]:
    """Return the line of a spec; a brief one goes without the value where that would not fit."""
    name: Line = [
        (f"{visible(check.origin.file or '')}:{check.origin.line}", "head"), (f"  {visible(check.spec)}", "head"),
    ]  # fmt: skip
    value: Line = [(f"  {visible(check.differentiated)} = {number(check.value)}", "value")]
    whole = [*name, *value, *_verdict(check)]
    return fold([*name, *_verdict(check)] if brief and width_of([whole]) > width else whole, width, 4)


def _verdict(check: Check) -> Line:
    """Return how many numbers have the verdict: 139 numbers agree, or 3 of 139 disagree."""
    count, word = check.counts().get(check.verdict, 0), check.verdict
    if count == check.size:
        return [(f"  {plural(count, 'number')}  ", ""), (word, word)]
    if count:
        return [(f"  {count:,} of {plural(check.size, 'number')}  ", ""), (word, word)]
    wrong = len(check.facts) + len(check.faults)
    return [(f"  {plural(check.size, 'number')}, {plural(wrong, 'fact')}  ", ""), (word, word)]


def _details(check: Check, width: int) -> list[Line]:
    result: list[Line] = []
    shown = list(check.tensors)
    if len(shown) > MOST_ROWS:
        shown = sorted(shown, key=lambda t: -SEVERITY.index(t.verdict))[:MOST_ROWS]
    if shown:
        result += _table(shown, width)
    if len(shown) < len(check.tensors):
        result.append([(f"  and {plural(len(check.tensors) - len(shown), 'tensor')} more; -o json has all", "dim")])
    for fact in (*check.facts, *check.faults):
        result += _fact(check, fact, width)
    for tensor in sorted(check.tensors, key=lambda t: -SEVERITY.index(t.verdict)):
        result += _reasons(check, tensor, width)
    for note in filter(None, (*check.notes, check.about_output)):
        result += fold([(f"  {visible(note)}", "")], width, 6)
    kept = f"  checked {check.method}"
    if check.held:
        kept += f"; {plural(check.held, 'expectation')} held"
    return [*result, *fold([(kept, "dim")], width, 6)]


def _table(tensors: Sequence[Tensor], width: int) -> list[Line]:
    """Return a row a tensor; on a narrow screen with less on it, or in two lines."""
    methods = [m for m in METHODS if any(m in t.answers for t in tensors)]
    full = _grid(tensors, methods)
    if width_of(full) <= width:
        return full
    counts = [(TITLES[m], sum(t.covered(m) for t in tensors), sum(t.size for t in tensors)) for m in methods]
    said = ", ".join(f"{title} {have:,} of {total:,}" for title, have, total in counts)
    short = _grid(tensors, [])
    if width_of(short) > width:
        short = []
        for tensor in tensors:
            size = f"{show(tensor.shape) if tensor.shape else 'scalar'}, {plural(tensor.size, 'number')}, "
            short.append([("  ", ""), (visible(tensor.name), "head")])
            line = [(f"    {size}worst {_worst(tensor)}: ", ""), (tensor.verdict, tensor.verdict)]
            short += fold(line, width, 6)
    return [*short, *fold([(f"  numbers by {said}", "dim")], width, 6)]


def _grid(tensors: Sequence[Tensor], methods: Sequence[str]) -> list[Line]:
    table: list[list[Segment]] = [
        [(text, "dim") for text in ("tensor", "shape", *(TITLES[m] for m in methods), "worst number", "verdict")]
    ]
    for tensor in tensors:
        covered = [f"{tensor.covered(m):,} of {tensor.size:,}" for m in methods]
        table.append(
            [
                (visible(tensor.name), "head"), (show(tensor.shape) if tensor.shape else "scalar", ""),
                *((text, "") for text in covered), (_worst(tensor), ""), (tensor.verdict, tensor.verdict),
            ]
        )  # fmt: skip
    return aligned(table, {0, len(table[0]) - 2, len(table[0]) - 1})


def _worst(tensor: Tensor) -> str:
    place = tensor.worst()
    distance = float(tensor.distance()[place])
    index = f"[{','.join(map(str, tensor.place_index(place)))}] " if tensor.shape else ""
    return f"{index}relative error {distance:.1g}" if distance else f"{index}exact"


def _reasons(check: Check, tensor: Tensor, width: int) -> list[Line]:
    result: list[Line] = []
    # Numbers that were not exercised share one reason: the counts say it all.
    idle = SEVERITY.index(NOT_EXERCISED)
    places = [p for p in tensor.notable() if p in tensor.reasons and tensor.words[p] != idle]
    for place in places[:MOST_REASONS]:
        word = SEVERITY[int(tensor.words[place])]
        where = f" ({visible(check.origin.file or '')}:{tensor.line})" if word in (DISAGREE, INCONCLUSIVE) else ""
        line = [
            (f"  {visible(tensor.called(place))}: ", ""),
            (word, word),
            (f": {visible(tensor.reasons[place])}{where}", ""),
        ]
        result += fold(line, width, 6)
    counts = tensor.counts()
    others = tensor.size - counts.get(AGREE, 0) - min(len(places), MOST_REASONS)
    if others:
        said = ", ".join(f"{count:,} {word}" for word, count in counts.items())
        why = next((tensor.reasons[p] for p in tensor.notable() if p in tensor.reasons), "") if not places else ""
        text = f"  {visible(tensor.name)}: {plural(tensor.size, 'number')}: {said}" + (
            f": {visible(why)}" if why else ""
        )
        result += fold([(text, "dim")], width, 6)
    return result


def _fact(check: Check, fact: Fact, width: int) -> list[Line]:
    where = f"{visible(check.origin.file or '')}:{fact.place[0]}:{fact.place[1]}"
    return fold([(f"  {where}: ", ""), (DISAGREE, DISAGREE), (f": {visible(fact.reason)}", "")], width, 6)
