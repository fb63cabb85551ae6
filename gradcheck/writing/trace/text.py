"""The derivation as a teacher writes it on the board: circuit, forward, backward, check."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from gradcheck.checking.judge import AGREE, DISAGREE, INCONCLUSIVE, KINK
from gradcheck.deriving import sheet as blocks
from gradcheck.deriving.records import HIDDEN, Derivation, Leaf, Part, Step, shape_of
from gradcheck.deriving.sheet import Back, LayerBlock, Legend, Setters, ShareLine, set_blocks, sheet
from gradcheck.deriving.trace import Trace
from gradcheck.drawing.terminal import circuit_lines
from gradcheck.errors import visible
from gradcheck.notation.board import BOARD
from gradcheck.notation.numbers import number
from gradcheck.notation.plain import PLAIN
from gradcheck.writing.text import Line, aligned, fold, trimmed, width_of
from gradcheck.writing.trace import answers
from gradcheck.writing.trace.check import check_lines, chosen
from gradcheck.writing.trace.matrices import matrix
from gradcheck.writing.trace.picture import DRAWN, circuit_of
from gradcheck.writing.trace.spelling import Speller, shaped, sized, without_repetition
from gradcheck.writing.view import View

FORWARD, BACKWARD = "forward", "backward"
"""Styles of values and of gradients."""

INDENT = 6

LONGEST_TITLE = 2_000
"""Characters of an expression that is repeated."""

LONGEST_WRITTEN = 60
"""Characters of what a group of gates was written as, beside the stage."""

OWN_MARK = "#"
"""Stands in the name of every op that a spec defines."""


class TextPage(NamedTuple):
    """A screen.

    Attributes:
        derivation: what is shown.
        speller: writes its formulas.
        width: columns.
        plus_minus: what stands between a number and its error bar.
        drawn: the circuit; None where it does not fit.
    """

    derivation: Derivation
    speller: Speller
    width: int
    plus_minus: str
    drawn: list[Line] | None

    def number(self, value: float) -> str:
        """Return a number."""
        return number(float(value), self.speller.digits)

    def fold(self, line: Line, indent: int) -> list[Line]:
        """Return a line, broken where the screen ends."""
        return fold(line, self.width, indent)

    def body(self, value: object, style: str) -> list[Line]:
        """Return an array below the line that names it."""
        inner = INDENT + 4
        return [[(" " * inner, ""), (row, style)] for row in matrix(value, self.speller.digits, self.width - inner)]


def view_lines(found: Trace, view: View) -> list[Line]:
    """Return a derivation as lines for people."""
    return lines(found, view.width, view.plus_minus)


def lines(trace: Trace, width: int, plus_minus: str = "±") -> list[Line]:
    """Return the whole trace.

    Args:
        trace: what to show.
        width: columns of the screen.
        plus_minus: what stands between a number and its error bar; where that is not ±, the screen has
            no signs beyond ASCII.
    """
    d, plain = trace.derivation, plus_minus != "±"
    speller = Speller(d, trace.digits, PLAIN if plain else BOARD)
    whole = bool(d.steps) and not d.stopped
    drawn = circuit_lines(circuit_of(d, min(trace.digits, DRAWN)), width, plain) if whole else None
    page, laid = TextPage(d, speller, width, plus_minus, drawn), sheet(trace)
    sections = [set_blocks(page, laid, setters) for setters in SECTIONS]
    return [line for section in filter(None, sections) for line in [*section, []]][:-1]


def _title(page: TextPage, block: blocks.Title) -> list[Line]:
    # Of an array the gradient of the sum is taken: the header says so before the number.
    whole = block.summed == f"sum of {block.text}"
    title = visible(block.summed if whole else block.text)
    title = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
    # A long expression may be broken behind its operators.
    line: Line = [(part, "head") for part in re.findall(r"[^-+*/,;=()]*[-+*/,;=()]?", title) if part]
    if block.value is not None:
        named = (
            f"   {visible(block.summed or block.output)} = " if block.network or (block.summed and not whole) else " = "
        )
        line += [(named, ""), (page.number(block.value), "value")]
    shown = ", ".join(f"{visible(leaf.name)} = {page.number(leaf.value)}" for leaf in block.point)
    return page.fold([*line, *([(f"   at {shown}", "")] if shown else [])], 4)


def _given(page: TextPage, block: blocks.GivenBlock) -> list[Line]:
    """Return the arrays, each in the line of its name if it is short."""
    result: list[Line] = []
    for leaf in block.leaves:
        shape = shape_of(leaf.value)
        if shape:
            kind = "" if leaf.kind == "input" else f" {leaf.kind}"
            text = f"  {visible(leaf.name)}{kind}, {sized(shape)}"
            body = page.body(leaf.value, FORWARD)
            (_, (row, style)) = body[0]
            short = len(body) == 1 and len(text) + 3 + len(row) <= page.width
            result += [[(text + "   ", ""), (row, style)]] if short else [[(text, "")], *body]
    return result


def _circuit(page: TextPage, block: blocks.CircuitBlock) -> list[Line]:
    """Return the drawing; a word about it where an array graph has too many gates, and no table says more."""
    if page.drawn is not None:
        return [
            *page.fold([("Circuit", "head"), ("   values above the wires, gradients below", "dim")], 2),
            *page.drawn,
        ]
    if not block.wires or not page.derivation.arrays:
        return []
    return page.fold([("Circuit", "head"), (": does not fit here; -o svg:FILE draws it", "dim")], 2)


def _forward(page: TextPage, block: blocks.ForwardBlock) -> list[Line]:
    """Return every stage as symbol = numbers = value; or a table, where the circuit is too wide and that is not."""
    if not block.layers:
        return []
    if block.tabular and page.drawn is None:
        table = _table(page, blocks.flat(block.layers))
        if width_of(table) <= page.width:
            return table
    result: list[Line] = [[("Forward", "head")]]
    for layer in block.layers:
        result += _layer(layer)
        for step in layer.lines:
            result += (_array_stage if page.derivation.arrays else _number_stage)(page, step)
    return result


def _table(page: TextPage, steps: list[Step]) -> list[Line]:
    rows = [[(text, "dim") for text in ("stage", "with numbers", "value", "gradient", "gate")]]
    for step in steps:
        name = f"[{step.number}] {visible(step.name)} = {page.speller.formula(step.formula)}"
        gradient = "-" if step.gradient is None else page.number(step.gradient)
        numbers = page.speller.numbers(step.formula, float(step.value))
        rows.append([
            (name, ""), (numbers, ""), (page.number(step.value), FORWARD), (gradient, BACKWARD), (step.gate, ""),
        ])  # fmt: skip
    return [[("Stages", "head")], *aligned(rows, {0, 1, 4})]


def _layer(layer: LayerBlock[Any]) -> list[Line]:
    return [trimmed([(f"  {visible(layer.name)}", "head"), (f"  {layer.kind}", "dim")])] if layer.name else []


def _number_stage(page: TextPage, step: Step) -> list[Line]:
    formula, value = page.speller.formula(step.formula), _outcome(page, step)
    texts = without_repetition([formula, page.speller.numbers(step.formula, float(step.value)), value])
    before = "".join(f"{text} = " for text in texts[:-1])
    line: Line = [(f"  [{step.number}] ", "dim"), (f"{visible(step.name)} = {before}", ""), (texts[-1], FORWARD)]
    gate = "" if step.kind in formula or step.gate in formula else f"   {step.kind}"
    return page.fold([*line, (gate + _written(page, step), "dim")], INDENT)


def _array_stage(page: TextPage, step: Step) -> list[Line]:
    line: Line = [(f"  [{step.number}] ", "dim")]
    line += [(f"{visible(step.name)} = {page.speller.formula(step.formula)}", "")]
    if shape_of(step.value):
        shapes = _shapes(page, step.value, page.speller.in_shapes(step.formula))
        return [
            *page.fold([*line, (f"   {shapes}{_written(page, step)}", "dim")], INDENT),
            *page.body(step.value, FORWARD),
        ]
    return page.fold([*line, (" = ", ""), (page.number(step.value), FORWARD), (_written(page, step), "dim")], INDENT)


def _outcome(page: TextPage, step: Step) -> str:
    """Return the value of a stage of single numbers, or why there is none."""
    stopped = page.derivation.stopped
    if "overflows" in stopped and step is page.derivation.steps[-1]:
        return "too large for float64"
    return "undefined" if step.value != step.value else page.number(step.value)


def _written(page: TextPage, step: Step) -> str:
    """Return how the user wrote what is shown as one step, or defined it; "" where that is the layer's YAML."""
    own = step.block is None or OWN_MARK in page.derivation.graph.ops[step.node]
    text = " ".join(visible(step.replaces).split())
    return f"   for {text}" if own and 0 < len(text) <= LONGEST_WRITTEN else ""


def _shapes(page: TextPage, value: object, made: str) -> str:
    """Return the shape of an array, and for products how it comes about."""
    return f"{shaped(shape_of(value))} = {made}" if made else sized(shape_of(value))


def _backward(page: TextPage, block: blocks.Backward) -> list[Line]:
    """Return the gradients from the output back."""
    seed = page.speller.gradient_name(block.output)
    result: list[Line] = [[("Backward", "head"), (f", from {seed} = 1", "")]]
    for layer in block.layers:
        result += _layer(layer)
        for back in layer.lines:
            result += _back(page, back)
    if not block.layers:
        result.append([("  nothing flows back to what is asked for", "dim")])
    notes = " ".join(_notes(block.legend, page.speller.digits))
    return [*result, *(page.fold([(f"  {notes}", "dim")], 2) if notes else [])]


def _back(page: TextPage, back: Back) -> list[Line]:
    result = page.fold([(f"  [{back.step.number}] ", "dim"), (back.habit, "dim")], INDENT)
    for share in back.shares:
        result += (_array_share if page.derivation.arrays else _number_share)(page, back.step, share)
    for one in back.sums:
        result += _sum(page, one)
    return result


def _begun(page: TextPage, share: ShareLine) -> Line:
    name = page.speller.gradient_name(share.flow.operand)
    return [(" " * INDENT + name, ""), (" += " if share.several else " = ", "")]


def _number_share(page: TextPage, step: Step, share: ShareLine) -> list[Line]:
    texts = page.speller.chain(share.flow, float(step.gradient))
    line = _begun(page, share)
    line += [(" = ".join(texts[:-1]) + " = ", "")] if len(texts) > 1 else []
    return _ended(page, [*line, (texts[-1], BACKWARD)], None if share.several else share.target)


def _array_share(page: TextPage, step: Step, share: ShareLine) -> list[Line]:
    flow, formula = share.flow, page.speller.formula(share.flow.rule)
    line, target = _begun(page, share), None if share.several else share.target
    if not shape_of(flow.value):
        # A single number that was broadcast gets the sum over all the elements.
        line += [(f"sum({formula})" if flow.summed else formula, ""), (" = ", ""), (page.number(flow.value), BACKWARD)]
        line += [(f"   {visible(flow.operand)} was broadcast", "dim")] if flow.summed else []
        return _ended(page, line, target)
    shapes = _shapes(page, flow.value, page.speller.in_shapes(flow.rule))
    line += [(formula, ""), (f"   {shapes}{f', {share.note}' if share.note else ''}", "dim")]
    return [*_ended(page, line, target), *page.body(flow.value, BACKWARD), *_disputed(page, target)]


def _sum(page: TextPage, one: Leaf | Step) -> list[Line]:
    """Return the sum at a fork: which stages contributed what."""
    line: Line = [(" " * INDENT + page.speller.gradient_name(one.name) + " = ", "")]
    if shape_of(one.gradient):
        line.append((" + ".join(part.label for part in one.parts), ""))
        return [*_ended(page, line, one), *page.body(one.gradient, BACKWARD), *_disputed(page, one)]
    shares = [f"{part.label} {_bracketed(page.number(part.value), k)}" for k, part in enumerate(one.parts)]
    return _ended(page, [*line, (" + ".join(shares) + " = ", ""), (page.number(one.gradient), BACKWARD)], one)


def _bracketed(text: str, place: int) -> str:
    """Return a number of a sum; a negative one that is not the first in brackets."""
    return f"({text})" if place and text.startswith("-") else text


def _ended(page: TextPage, line: Line, one: Leaf | Step | None) -> list[Line]:
    """Return a line; if that completes a gradient, with the sign that a leaf is reached, and what SymPy says."""
    reached: Line = [(f" ◀ {visible(one.name)}", "head")] if isinstance(one, Leaf) else []
    proof = one.proof if one is not None else None
    if proof is not None and proof.word != INCONCLUSIVE:
        said = {AGREE: "✓", DISAGREE: "✗"}.get(proof.word, proof.word)
        if proof.word == DISAGREE and not shape_of(proof.value):
            said += f" SymPy: {page.number(proof.value)}"
        reached.append((f"  {said}", proof.word))
    return page.fold([*line, *reached], INDENT + 4)


def _disputed(page: TextPage, one: Leaf | Step | None) -> list[Line]:
    """Return what SymPy has in place of an array that it does not agree with."""
    if one is None or one.proof is None or one.proof.word != DISAGREE or not shape_of(one.gradient):
        return []
    return [[(" " * (INDENT + 4) + "SymPy:", DISAGREE)], *page.body(one.proof.value, DISAGREE)]


MARKS = {
    AGREE: "✓ SymPy's derivative says the same, in a hundred digits.",
    DISAGREE: "✗: SymPy's derivative says something else.",
    KINK: "kink: not differentiable here; a convention decides.",
}
"""Verdict → what its mark at a line means."""


def _notes(legend: Legend, digits: int) -> list[str]:
    notes = [text for word, text in MARKS.items() if word in legend.words]
    if legend.hidden:
        notes.append(f"{Part(HIDDEN, 0, 0).label}: what comes back from stages that are not shown.")
    if not legend.proved:
        notes.append("The lines are not proved one by one here: the check below is about the inputs alone.")
    if legend.rounded:
        notes.append(f"Numbers are rounded to {digits} digits; --digits 17 shows all.")
    return notes


def _asked(page: TextPage, block: blocks.Why | blocks.Tangents) -> list[Line]:
    found = answers.answer(block, page.speller, page.width)
    return [*page.fold(found.title, 4), *found.lines]


def _stopped(page: TextPage, block: blocks.Stopped | blocks.ProblemBlock) -> list[Line]:
    return page.fold([("Stopped: ", DISAGREE), (visible(block.message), "")], 4)


SECTIONS: tuple[Setters[TextPage, Line], ...] = (
    {
        blocks.Title: _title,
        blocks.GivenBlock: _given,
        blocks.Chosen: lambda page, block: [[(f"  {said}", "dim")] for said in [chosen(block.report)] if said],
        blocks.Hidden: lambda page, block: [[(f"  {block.said}", "dim")]],
        blocks.NoGates: lambda page, block: [[("  there is no gate: nothing is to be derived", "dim")]],
    },
    {blocks.CircuitBlock: _circuit},
    {blocks.ForwardBlock: _forward},
    {blocks.Backward: _backward},
    {blocks.Why: _asked},
    {blocks.Tangents: _asked},
    {
        blocks.CheckBlock: lambda page, block: check_lines(block.report, page.width, page.plus_minus),
        blocks.MeaningBlock: lambda page, block: page.fold([(f"Tried: {visible(block.text)}.", "")], 2),
    },
    {blocks.Stopped: _stopped, blocks.ProblemBlock: _stopped},
    blocks.without(blocks.NamesBlock, blocks.Values),
)
"""The sections of the page, with an empty line between them: which blocks, and what sets them."""
