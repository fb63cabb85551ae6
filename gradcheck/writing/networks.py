"""What `verify` found, as lines: one a spec, one row a tensor, then what is not right, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.checking.judge import AGREE, DISAGREE, INCONCLUSIVE, NOT_EXERCISED, SEVERITY, exit_code
from gradcheck.checking.verdicts import Fact, SpecResult, TensorResult, Verification
from gradcheck.errors import visible
from gradcheck.ops.shapes import show
from gradcheck.writing.text import Line, Segment, aligned, fold, number, plural, width_of

MOST_ROWS = 40
"""Tensors of one spec up to which each gets a row; beyond, those that are not plain agreement come first."""

MOST_REASONS = 5
"""Numbers of one tensor for which a reason is shown."""

TITLES = {"symbolic": "SymPy", "finite_difference": "finite difference"}


def lines(found: Verification, width: int, quiet: bool = False) -> list[Line]:
    """Return the whole report.

    Args:
        found: what to show.
        width: columns of the screen.
        quiet: whether to leave out specs with which all is well.
    """
    result: list[Line] = []
    for spec in found.specs:
        if not quiet or exit_code(spec.words, found.strict):
            result += [*_spec(spec, width), []]
    return [*result, *fold([(_summary(found), found.verdict)], width, 0)]


def _spec(spec: SpecResult, width: int) -> list[Line]:
    title: Line = [
        (f"{visible(spec.file)}:{spec.line}", "head"), (f"  {visible(spec.spec)}  ", "head"),
        (f"loss = {number(spec.value)}", "value"), (f"  {plural(spec.size, 'number')}", ""), ("  ", ""),
        (spec.verdict, spec.verdict),
    ]  # fmt: skip
    result = fold(title, width, 4)
    shown = list(spec.tensors)
    if len(shown) > MOST_ROWS:
        shown = sorted(shown, key=lambda t: -SEVERITY.index(t.verdict))[:MOST_ROWS]
    if shown:
        result += _table(shown, width)
    if len(shown) < len(spec.tensors):
        result.append([(f"  and {plural(len(spec.tensors) - len(shown), 'tensor')} more; -o json has all", "dim")])
    for fact in (*spec.facts, *spec.faults):
        result += _fact(spec, fact, width)
    for tensor in sorted(spec.tensors, key=lambda t: -SEVERITY.index(t.verdict)):
        result += _reasons(spec, tensor, width)
    for note in spec.notes:
        result += fold([(f"  {visible(note)}", "")], width, 6)
    kept = f"  checked {spec.method}"
    if spec.held:
        kept += f"; {plural(spec.held, 'expectation')} held"
    return [*result, *fold([(kept, "dim")], width, 6)]


def _table(tensors: Sequence[TensorResult], width: int) -> list[Line]:
    """Return a row a tensor; on a narrow screen with less on it, or in two lines."""
    methods = [m for m in TITLES if any(m in t.answers for t in tensors)]
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


def _grid(tensors: Sequence[TensorResult], methods: Sequence[str]) -> list[Line]:
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


def _worst(tensor: TensorResult) -> str:
    place = tensor.worst()
    distance = float(tensor.distance()[place])
    index = f"[{','.join(map(str, tensor.place_index(place)))}] " if tensor.shape else ""
    return f"{index}off by {distance:.1g}" if distance else f"{index}exact"


def _called(tensor: TensorResult, place: int) -> str:
    return visible(tensor.name) + (f"[{','.join(map(str, tensor.place_index(place)))}]" if tensor.shape else "")


def _reasons(spec: SpecResult, tensor: TensorResult, width: int) -> list[Line]:
    result: list[Line] = []
    # Numbers that were not exercised share one reason: the counts say it all.
    idle = SEVERITY.index(NOT_EXERCISED)
    places = [p for p in tensor.notable() if p in tensor.reasons and tensor.words[p] != idle]
    for place in places[:MOST_REASONS]:
        word = SEVERITY[int(tensor.words[place])]
        where = f" ({visible(spec.file)}:{tensor.line})" if word in (DISAGREE, INCONCLUSIVE) else ""
        line = [(f"  {_called(tensor, place)}: ", ""), (word, word), (f": {visible(tensor.reasons[place])}{where}", "")]
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


def _fact(spec: SpecResult, fact: Fact, width: int) -> list[Line]:
    where = f"{visible(spec.file)}:{fact.place[0]}:{fact.place[1]}"
    return fold([(f"  {where}: ", ""), (DISAGREE, DISAGREE), (f": {visible(fact.reason)}", "")], width, 6)


def _summary(found: Verification) -> str:
    specs = found.specs
    files = len({spec.file for spec in specs})
    counts: dict[str, int] = {}
    for spec in specs:
        for tensor in spec.tensors:
            for word, count in tensor.counts().items():
                counts[word] = counts.get(word, 0) + count
    total = sum(spec.size for spec in specs)
    said = ", ".join(f"{counts[w]:,} {w}" for w in reversed(SEVERITY) if w in counts) or "nothing to check"
    text = f"Checked {plural(total, 'number')} of {plural(len(specs), 'spec')} in {plural(files, 'file')}: {said}."
    covered = []
    for method, title in TITLES.items():
        count = sum(tensor.covered(method) for spec in specs for tensor in spec.tensors)
        covered.append(f"{title} {count:,} of {total:,}")
    text += f" Covered: {', '.join(covered)}."
    wrong = sum(len(spec.facts) for spec in specs)
    if wrong:
        text += f" {plural(wrong, 'expectation')} did not hold."
    bounds = [t.caught for s in specs for t in s.tensors if t.caught is not None]
    rules = sum(len(spec.faults) for spec in specs)
    if rules:
        text += f" {plural(rules, 'backward rule')} of the specs' own {'is' if rules == 1 else 'are'} wrong."
    if bounds and AGREE in counts:
        text += f" A relative error of {max(bounds):.1g} would have shown."
    if found.idle:
        text += f" Nothing was exercised in {plural(len(found.idle), 'spec')}."
    if found.problems:
        what = plural(len(found.problems), "spec")
        text += f" {what} {'has' if len(found.problems) == 1 else 'have'} no value or slope at the numbers given."
    if found.stopped:
        text += " Stopped at the first failure."
    return f"{text} Exit status {found.exit_code}."
