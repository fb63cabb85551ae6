"""The derivation as a teacher writes it on the board: circuit, forward, backward, check."""

from __future__ import annotations

import re

from gradcheck.checking.judge import AGREE, DISAGREE, INCONCLUSIVE, KINK
from gradcheck.deriving.records import CONSTANT, HIDDEN, Derivation, Flow, Leaf, Part, Step, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.notation.board import BOARD
from gradcheck.notation.plain import PLAIN
from gradcheck.writing.formats import View
from gradcheck.writing.text import Line, aligned, fold, plural, trimmed, width_of
from gradcheck.writing.trace import answers
from gradcheck.writing.trace.check import check_lines, chosen
from gradcheck.writing.trace.matrices import matrix
from gradcheck.writing.trace.picture import DRAWN, circuit_of
from gradcheck.writing.trace.spelling import Speller, number, rounded, shaped, sized, without_repetition

FORWARD, BACKWARD = "forward", "backward"
"""Styles of values and of gradients."""

INDENT = 6

LONGEST_TITLE = 2_000
"""Characters of an expression that is repeated."""

LONGEST_WRITTEN = 60
"""Characters of what a group of gates was written as, beside the stage."""

OWN_MARK = "#"
"""Stands in the name of every op that a spec defines."""


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
    return _Board(trace, width, plus_minus).lines()


class _Board:
    def __init__(self, trace: Trace, width: int, plus_minus: str) -> None:
        self.trace = trace
        self.derivation: Derivation = trace.derivation
        self.width = width
        self.plus_minus = plus_minus
        self.ascii_only = plus_minus != "±"
        self.digits = trace.digits
        self.speller = Speller(self.derivation, trace.digits, PLAIN if self.ascii_only else BOARD)
        self.rounded = False
        self.marks: set[str] = set()

    def lines(self) -> list[Line]:
        """Return all sections, with an empty line between them."""
        if not self.derivation.steps:
            return [*self.title(), [("  there is no gate: nothing is to be derived", "dim")], [], *self.check()]
        circuit = self.circuit()
        table = self.stages() if not circuit and not self.derivation.arrays and not self.derivation.stopped else []
        fits = bool(table) and width_of(table) <= self.width
        sections = [self.title(), circuit, table if fits else self.forward()]
        if not self.derivation.stopped:
            sections += [self.backward()]
            sections += [answers.paths(self.trace, self.speller, self.width)] if self.trace.paths else []
            sections += [answers.passes(self.trace, self.speller, self.width)] if self.trace.passes else []
            sections += [self.check()]
        stopped = self.derivation.stopped or (self.trace.problem.message if self.trace.problem else "")
        sections += [fold([("Stopped: ", DISAGREE), (visible(stopped), "")], self.width, 4)] if stopped else []
        result: list[Line] = []
        for section in filter(None, sections):
            result += [*section, []]
        return result[:-1]

    def title(self) -> list[Line]:
        """Return the expression, its value, and the point."""
        d = self.derivation
        title = visible(d.title)
        title = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
        # A long expression may be broken behind its operators.
        line: Line = [(part, "head") for part in re.findall(r"[^-+*/,;=()]*[-+*/,;=()]?", title) if part]
        if not d.stopped:
            line += (
                [(" = ", ""), (self.number(d.value), "value")]
                if not d.blocks
                else [(f"   {visible(d.output)} = ", ""), (self.number(d.value), "value")]
            )
        given = [leaf for leaf in d.leaves if leaf.kind != CONSTANT and not shape_of(leaf.value)]
        shown = ", ".join(f"{visible(leaf.name)} = {self.number(float(leaf.value))}" for leaf in given)
        arrays = [leaf for leaf in d.leaves if shape_of(leaf.value)]
        line += [(f"   at {shown}", "")] if shown else []
        result = fold(line, self.width, 4)
        for leaf in arrays:
            kind = "" if leaf.kind == "input" else f" {leaf.kind}"
            text = f"  {visible(leaf.name)}{kind}, {sized(shape_of(leaf.value))}"
            result += self.array(text, leaf.value, FORWARD)
        if said := chosen(self.trace.report):
            result.append([(f"  {said}", "dim")])
        if d.hidden:
            result.append([(f"  {plural(d.hidden, 'stage')} not shown", "dim")])
        return result

    def circuit(self) -> list[Line]:
        """Return the drawing; a word about it where an array graph has too many gates, and no table says more."""
        from gradcheck.drawing.terminal import circuit_lines

        d = self.derivation
        if d.stopped or not d.steps:
            return []
        drawn = circuit_lines(circuit_of(d, min(self.digits, DRAWN)), self.width, self.ascii_only)
        if drawn is not None:
            heading: Line = [("Circuit", "head"), ("   values above the wires, gradients below", "dim")]
            return [*fold(heading, self.width, 2), *drawn]
        if not d.arrays:
            return []
        return fold([("Circuit", "head"), (": does not fit here; -o svg:FILE draws it", "dim")], self.width, 2)

    def stages(self) -> list[Line]:
        """Return the numbered table of stages, which takes the place of the circuit and the forward pass."""
        heading = ("stage", "with numbers", "value", "gradient", "gate")
        rows = [[(text, "dim") for text in heading]]
        for step in self.derivation.steps:
            name = f"[{step.number}] {visible(step.name)} = {self.speller.formula(step.formula)}"
            gradient = "-" if step.gradient is None else self.number(float(step.gradient))
            numbers = self.speller.numbers(step.formula, float(step.value))
            rows.append([
                (name, ""), (numbers, ""), (self.number(float(step.value)), FORWARD),
                (gradient, BACKWARD), (step.gate, ""),
            ])  # fmt: skip
        return [[("Stages", "head")], *aligned(rows, {0, 1, 4})]

    def forward(self) -> list[Line]:
        """Return every stage as symbol = numbers = value."""
        result: list[Line] = [[("Forward", "head")]]
        block = None
        for step in self.derivation.steps:
            if step.block != block:
                block = step.block
                result += self.heading(step)
            result += self.stage(step)
        return result if len(result) > 1 else []

    def heading(self, step: Step) -> list[Line]:
        """Return the line that opens a layer."""
        block = self.derivation.layer(step)
        if block is None:
            return []
        return [trimmed([(f"  {visible(block.name)}", "head"), (f"  {block.kind}", "dim")])]

    def stage(self, step: Step) -> list[Line]:
        """Return one line of the forward pass, and the array that comes out."""
        number_text = f"  [{step.number}] "
        formula = self.speller.formula(step.formula)
        kind = step.gate.replace("_", " ")
        if self.derivation.arrays:
            line: Line = [(number_text, "dim"), (f"{visible(step.name)} = {formula}", "")]
            if shape_of(step.value):
                line.append((f"   {self.shapes(step)}{self.written(step)}", "dim"))
                return [*fold(line, self.width, INDENT), *self.body(step.value, FORWARD)]
            line += [(" = ", ""), (self.number(float(step.value)), FORWARD), (self.written(step), "dim")]
            return fold(line, self.width, INDENT)
        value = self.outcome(step)
        texts = without_repetition([formula, self.speller.numbers(step.formula, float(step.value)), value])
        before = "".join(f"{text} = " for text in texts[:-1])
        line = [(number_text, "dim"), (f"{visible(step.name)} = {before}", ""), (texts[-1], FORWARD)]
        gate = "" if kind in formula or step.gate in formula else f"   {kind}"
        return fold([*line, (gate + self.written(step), "dim")], self.width, INDENT)

    def outcome(self, step: Step) -> str:
        """Return the value of a stage of single numbers, or why there is none."""
        last = self.derivation.stopped and step is self.derivation.steps[-1]
        if last and "overflows" in self.derivation.stopped:
            return "too large for float64"
        return "undefined" if step.value != step.value else self.number(float(step.value))

    def written(self, step: Step) -> str:
        """Return how the user wrote what is shown as one step, or defined it; "" where that is the layer's YAML."""
        own = step.block is None or OWN_MARK in self.derivation.graph.ops[step.node]
        text = " ".join(visible(step.replaces).split())
        return f"   for {text}" if own and 0 < len(text) <= LONGEST_WRITTEN else ""

    def shapes(self, step: Step) -> str:
        """Return the shape of a stage, and for products how it comes about."""
        shape = shape_of(step.value)
        made = self.speller.in_shapes(step.formula)
        return f"{shaped(shape)} = {made}" if made else sized(shape)

    def backward(self) -> list[Line]:
        """Return the gradients from the output back."""
        d = self.derivation
        seed = self.speller.gradient_name(d.output)
        result: list[Line] = [[("Backward", "head"), (f", from {seed} = 1", "")]]
        block = None
        last = d.forks
        for step in reversed(d.steps):
            if not step.flows:
                continue
            if step.block != block:
                block = step.block
                result += self.heading(step)
            kind = step.gate.replace("_", " ")
            habit = f" {step.habit}" if step.habit else ""
            result += fold([(f"  [{step.number}] ", "dim"), (f"{kind}{habit}", "dim")], self.width, INDENT)
            for flow in step.flows:
                result += self.flow(step, flow)
            for name in last.get(step.number, []):
                result += self.fork(name)
        if len(result) == 1:
            result.append([("  nothing flows back to what is asked for", "dim")])
        return [*result, *self.legend()]

    def flow(self, step: Step, flow: Flow) -> list[Line]:
        """Return what goes back to one operand."""
        one = self.speller.quantities[flow.operand]
        name, several = self.speller.gradient_name(flow.operand), len(one.parts) > 1
        sign = " += " if several else " = "
        line: Line = [(" " * INDENT + name, ""), (sign, "")]
        if not self.derivation.arrays:
            texts = self.speller.chain(flow, float(step.gradient))
            self.note(flow.value)
            line += [(" = ".join(texts[:-1]) + " = ", "")] if len(texts) > 1 else []
            line += [(texts[-1], BACKWARD)]
            line += [] if several else self.ending(one)
            return fold(line, self.width, INDENT + 4)
        formula = self.speller.formula(flow.rule)
        if not shape_of(flow.value):
            # A single number that was broadcast gets the sum over all the elements.
            line.append((f"sum({formula})" if flow.summed else formula, ""))
            line += [(" = ", ""), (self.number(float(flow.value)), BACKWARD)]
            line += [(f"   {visible(flow.operand)} was broadcast", "dim")] if flow.summed else []
            return fold([*line, *([] if several else self.ending(one))], self.width, INDENT + 4)
        line += [(formula, ""), (f"   {self.flow_shapes(flow)}", "dim")]
        if several:
            return [*fold(line, self.width, INDENT + 4), *self.body(flow.value, BACKWARD)]
        return [*self.ended(line, one), *self.body(flow.value, BACKWARD), *self.disputed(one)]

    def ended(self, line: Line, one: Leaf | Step) -> list[Line]:
        """Return a line with the marks that end it."""
        return fold([*line, *self.ending(one)], self.width, INDENT + 4)

    def disputed(self, one: Leaf | Step) -> list[Line]:
        """Return what SymPy has in place of an array that it does not agree with."""
        if one.proof is None or one.proof.word != DISAGREE or not shape_of(one.gradient):
            return []
        return [[(" " * (INDENT + 4) + "SymPy:", DISAGREE)], *self.body(one.proof.value, DISAGREE)]

    def flow_shapes(self, flow: Flow) -> str:
        """Return the shape of a contribution, and how it comes about."""
        shape = shape_of(flow.value)
        made = self.speller.in_shapes(flow.rule)
        summed = ""
        if flow.summed:
            axes = " and ".join(map(str, flow.summed))
            summed = f", summed over axis {axes}: {visible(flow.operand)} was broadcast"
        return (f"{shaped(shape)} = {made}" if made else sized(shape)) + summed

    def fork(self, name: str) -> list[Line]:
        """Return the sum at a fork: which stages contributed what."""
        one = self.speller.quantities[name]
        line: Line = [(" " * INDENT + self.speller.gradient_name(name) + " = ", "")]
        if shape_of(one.gradient):
            line.append((" + ".join(part.label for part in one.parts), ""))
            return [*self.ended(line, one), *self.body(one.gradient, BACKWARD), *self.disputed(one)]
        shares = [f"{part.label} {self.bracketed(float(part.value), k)}" for k, part in enumerate(one.parts)]
        line += [(" + ".join(shares) + " = ", ""), (self.number(float(one.gradient)), BACKWARD)]
        return fold([*line, *self.ending(one)], self.width, INDENT + 4)

    def bracketed(self, value: float, place: int) -> str:
        """Return a number of a sum; a negative one that is not the first in brackets."""
        text = self.number(value)
        return f"({text})" if place and text.startswith("-") else text

    def ending(self, one: Leaf | Step) -> Line:
        """Return the sign that a leaf is reached, and what SymPy says."""
        line: Line = [(f" ◀ {visible(one.name)}", "head")] if isinstance(one, Leaf) else []
        if one.proof is None or one.proof.word == INCONCLUSIVE:
            return line
        word = one.proof.word
        self.marks.add(word)
        if word == AGREE:
            return [*line, ("  ✓", AGREE)]
        if word == DISAGREE:
            known = "" if shape_of(one.proof.value) else f" SymPy: {self.number(float(one.proof.value))}"
            return [*line, (f"  ✗{known}", DISAGREE)]
        return [*line, (f"  {word}", word)]

    def legend(self) -> list[Line]:
        """Return what the marks and the digits mean."""
        notes = []
        if AGREE in self.marks:
            notes.append("✓ SymPy's derivative says the same, in a hundred digits.")
        if DISAGREE in self.marks:
            notes.append("✗: SymPy's derivative says something else.")
        if KINK in self.marks:
            notes.append("kink: not differentiable here; a convention decides.")
        if any(part.step == HIDDEN for one in self.speller.quantities.values() for part in one.parts):
            notes.append(f"{Part(HIDDEN, 0, 0).label}: what comes back from stages that are not shown.")
        if all(one.proof is None for one in self.speller.quantities.values()):
            notes.append("The lines are not proved one by one here: the check below is about the inputs alone.")
        if self.rounded:
            notes.append(f"Numbers are rounded to {self.digits} digits; --digits 17 shows all.")
        return fold([(f"  {' '.join(notes)}", "dim")], self.width, 2) if notes else []

    def check(self) -> list[Line]:
        """Return the comparison with the other engines, and the tested sentence."""
        result = check_lines(self.trace.report, self.width, self.plus_minus) if self.trace.report else []
        if self.trace.meaning:
            text = self.trace.meaning
            result += fold([(f"Tried: {visible(text)}.", "")], self.width, 2)
        return result

    def number(self, value: float) -> str:
        """Return a number, and remember whether it was rounded."""
        self.note(value)
        return number(value, self.digits)

    def note(self, value: object) -> None:
        """Remember whether some number shows fewer digits than it has."""
        self.rounded = self.rounded or rounded(value, self.digits)

    def body(self, value: object, style: str) -> list[Line]:
        """Return an array below the line that names it."""
        return self.array("", value, style)

    def array(self, text: str, value: object, style: str) -> list[Line]:
        """Return an array, in the line of its name if it is short."""
        self.note(value)
        inner = INDENT + 4
        shown = matrix(value, self.digits, self.width - inner)
        if text and len(shown) == 1 and len(text) + 3 + len(shown[0]) <= self.width:
            return [[(text + "   ", ""), (shown[0], style)]]
        head: list[Line] = [[(text, "")]] if text else []
        return [*head, *([(" " * inner, ""), (row, style)] for row in shown)]
