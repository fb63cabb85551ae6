"""The derivation in Markdown, as GitHub renders it: formulas in ```math blocks, the circuit by mermaid.

Formulas stand in fenced blocks alone, because Markdown does not touch what is in them; names stand in code
spans, and other text of the user's has its signs as entities.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from gradcheck.deriving.records import CONSTANT, Leaf, Step, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.notation.latex_names import CHARACTERS, word
from gradcheck.writing.text import plural
from gradcheck.writing.trace import answers
from gradcheck.writing.trace.check_table import check_table, proofs
from gradcheck.writing.trace.equations import Equation, Equations
from gradcheck.writing.trace.picture import quantity
from gradcheck.writing.trace.pictures import mermaid_text
from gradcheck.writing.trace.spelling import Speller, number
from gradcheck.writing.trace.tex_width import ANSWER, END, GRADIENT, VALUE, rows, width

LINE, REMARK = 41.0, 8.0
"""Width of a line of formulas in em, that of a page on GitHub; and of the column of remarks in it."""

MOST_EDGES, MOST_CHARACTERS = 500, 50_000
"""What mermaid draws, unless it is told otherwise."""

MOST_COLOURS = 40
"""Colours in one block of formulas; GitHub fails at fifty."""

COLOURS = {VALUE: "#2da44e", GRADIENT: "#e5534b"}
"""Green and red that can be read on white and on black."""

EMPHASIS = re.compile(r"[\\`*_]")
ENTITIES = re.compile(r"[<>&|$~]|\](?=[(\[:])|(?<=www)\.|:(?=//)")
"""What Markdown, HTML or GitHub might take for markup within a text."""

BEGINNING = re.compile(r"^[-+#=.)]")
"""What they might take for the beginning of a heading or of a list."""

FOREIGN = {tex: rf"\text{{{sign}}}" for sign, tex in CHARACTERS.items() if tex.startswith(r"\text{")}
"""Letters that a TeX of plain ASCII needs commands for, and a web page does not."""

UNKNOWN = re.compile(r"\\text\{U\+([0-9A-F]+)\}")


def markdown(trace: Trace) -> str:
    """Return a trace as a Markdown document."""
    return _Page(trace).text()


def code(text: str) -> str:
    """Return a text of the user's as a code span, for a paragraph."""
    shown = visible(text) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) or (shown[0] == shown[-1] == " " and shown.strip()) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def phrase(text: str) -> str:
    """Return a part of a sentence in which the user's names may stand."""
    return _entities(ENTITIES, EMPHASIS.sub(r"\\\g<0>", visible(text)))


def prose(text: str) -> str:
    """Return a paragraph in which the user's names may stand."""
    rest = text.lstrip("0123456789")
    return text[: len(text) - len(rest)] + _entities(BEGINNING, phrase(rest))


def _entities(signs: re.Pattern[str], text: str) -> str:
    return signs.sub(lambda found: f"&#{ord(found[0])};", text)


def fenced(kind: str, text: str) -> str:
    """Return a block that its content cannot end."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def table(headings: Sequence[str], cells: Sequence[Sequence[str]], left: Collection[int]) -> str:
    """Return a table; columns in `left` are flush left, the others flush right."""
    rule = ["---" if k in left else "---:" for k in range(len(headings))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rule, *cells])


def cell(text: str) -> str:
    """Return a name for a table, which no sign can end, not even within code."""
    if "|" not in text and "\\" not in text:
        return code(text)
    return f"<code>{''.join(c if c.isalnum() else f'&#{ord(c)};' for c in visible(text))}</code>"


class _Page:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.derivation = trace.derivation
        self.equations = Equations(trace.derivation, trace.digits)

    def text(self) -> str:
        """Return all sections."""
        parts = [*self.title(), *self.circuit(), *self.given(), *self.forward()]
        if self.derivation.stopped:
            parts.append(f"**The forward pass stops here.** {phrase(self.derivation.stopped)}")
        else:
            parts += [*self.backward(), *self.values(), *self.asked(), *self.check()]
        return "\n\n".join(filter(None, parts)) + "\n"

    def title(self) -> list[str]:
        """Return the expression or the name of the network, its value and the point."""
        d = self.derivation
        result = [f"# {code(' '.join(d.title.split()))}"]
        if not d.stopped:
            line = f"{code(d.output)} = {self.number(d.value)}"
            scalars = [leaf for leaf in d.leaves if leaf.kind != CONSTANT and not shape_of(leaf.value)]
            shown = ", ".join(f"{code(leaf.name)} = {self.number(float(leaf.value))}" for leaf in scalars)
            result.append(line + (f" at {shown}" if shown and not d.arrays else ""))
        if self.trace.problem is not None and self.trace.problem.message != d.stopped:
            result.append(prose(self.trace.problem.message))
        for text, name in self.equations.short.items():
            result.append(f"{fenced('math', text)}\n\nstands for {code(name)} in formulas.")
        return result

    def number(self, value: float) -> str:
        return number(value, self.trace.digits)

    def circuit(self) -> list[str]:
        """Return the picture; nothing where mermaid would refuse it."""
        edges = sum(len(step.operands) for step in self.derivation.steps) + 1
        if not self.derivation.steps or edges > MOST_EDGES or self.derivation.stopped:
            return []
        drawn = mermaid_text(self.trace)
        if len(drawn) > MOST_CHARACTERS:
            return []
        return ["## Circuit", "Along each wire: the value \\| the gradient that flows back.", fenced("mermaid", drawn)]

    def given(self) -> list[str]:
        """Return the arrays that are given."""
        leaves = [one for one in self.derivation.leaves if one.kind != CONSTANT]
        if not any(shape_of(leaf.value) for leaf in leaves) and not self.derivation.stopped:
            return []
        return ["## Given", *self.blocks([self.equations.given(leaf)._replace(note="") for leaf in leaves])]

    def forward(self) -> list[str]:
        """Return every stage as symbol = formula = numbers = value."""
        if not self.derivation.steps:
            return []
        result = ["## Forward"]
        waiting: list[Equation] = []
        block = None
        for step in self.derivation.steps:
            if step.block != block:
                result += self.blocks(waiting)
                waiting, block = [], step.block
                result.append(self.heading(step))
            equation = self.equations.forward(step)
            waiting.append(equation._replace(note=f"[{step.number}] {_kind(step)}"))
        result += self.blocks(waiting)
        if self.derivation.hidden:
            result.append(f"{plural(self.derivation.hidden, 'stage')} not shown.")
        return result

    def heading(self, step: Step) -> str:
        """Return the line that opens a layer."""
        block = self.derivation.layer(step)
        if block is None:
            return ""
        return f"### {code(block.name)} {phrase(block.kind)}".rstrip()

    def backward(self) -> list[str]:
        """Return the gradients from the output back, a block of formulas for each stage."""
        d = self.derivation
        steps = [step for step in reversed(d.steps) if step.flows]
        if not steps:
            return []
        seed = Equation(self.equations.gradient_name(d.output), ("1",))
        result = ["## Backward", "From the output back, beginning with", *self.blocks([seed])]
        forks, block = d.forks, None
        for step in steps:
            if step.block != block:
                block = step.block
                result.append(self.heading(step))
            result.append(f"**[{step.number}]** {phrase(f'{_kind(step)} {step.habit}'.strip())}")
            mine = [self.equations.back(step, flow) for flow in step.flows]
            mine += [self.equations.fork(name) for name in forks.get(step.number, [])]
            result += [*self.blocks([one._replace(note="") for one in mine]), *(prose(one.note) for one in mine)]
        said = "Values are green, gradients red" + ("." if d.arrays else "; the gradients of the inputs are bold.")
        return [*result, " ".join([said, *map(prose, proofs(d, self.trace.digits))])]

    def blocks(self, equations: Sequence[Equation]) -> list[str]:
        """Return equations as blocks of formulas, none with more colours than GitHub takes."""
        result: list[str] = []
        lines: list[str] = []
        colours = 0
        room = LINE - max((width(one.left) for one in equations), default=0.0)
        room -= REMARK * any(one.note for one in equations)
        for one in equations:
            found, count = rows(one.stages, room), _colours(one.stages)
            if count > MOST_COLOURS:
                found, count = rows([*map(self.equations.bare, one.stages[:-1]), one.stages[-1]], room), 1
            if lines and colours + count > MOST_COLOURS:
                result.append(_aligned(lines))
                lines, colours = [], 0
            remark = f" && {_remark(one.note)}" if one.note else ""
            lines += [f"{one.left} &{found[0]}{remark}", *(f"&{text}" for text in found[1:])]
            colours += count
        return [*result, _aligned(lines)] if lines else result

    def values(self) -> list[str]:
        """Return all quantities with their values and gradients."""
        leaves = [leaf for leaf in self.derivation.leaves if leaf.kind != CONSTANT]
        cells = [*map(self.row, leaves), *map(self.row, self.derivation.steps)]
        return (
            ["## Values and gradients", table(["quantity", "from", "value", "gradient"], cells, {0, 1})]
            if cells
            else []
        )

    def row(self, one: Leaf | Step) -> list[str]:
        """Return a row; arrays that are too large for it as their shapes."""
        source = f"[{one.number}] {_kind(one)}" if isinstance(one, Step) else one.kind
        gradient = "" if one.gradient is None else quantity(one.gradient, self.trace.digits)
        return [cell(one.name), phrase(source), phrase(quantity(one.value, self.trace.digits)), phrase(gradient)]

    def asked(self) -> list[str]:
        """Return the sum over paths and forward mode, where they were asked for."""
        trace, result = self.trace, []
        speller = Speller(trace.derivation, trace.digits)
        lines = [answers.paths(trace, speller, 100)] if trace.paths else []
        lines += [answers.passes(trace, speller, 100)] if trace.passes else []
        for some in lines:
            title, *rest = ["".join(text for text, _ in line) for line in some]
            result += [f"## {phrase(title)}", fenced("text", "\n".join(rest))]
        return result

    def check(self) -> list[str]:
        """Return the comparison with the other methods, and the sentence of meaning."""
        result = []
        if self.trace.report is not None:
            found = check_table(self.trace.report)
            cells = [[cell(row[0]), *map(phrase, row[1:])] for row in found.rows]
            result = ["## Check", table(found.headings, cells, {0, len(found.headings) - 1}), prose(found.summary)]
            output = code(self.derivation.output)
            forms = [f"- ∂{output}/∂{code(name)} = {code(form)}" for name, form in found.forms]
            result += ["SymPy's closed forms:", "\n".join(forms)] if forms else []
            result += [prose(note) for note in found.notes]
        if self.trace.meaning:
            result.append(f"**What it means:** {phrase(self.trace.meaning)} (tried out).")
        return result


def _colours(stages: Sequence[str]) -> int:
    return sum(text.count(mark) for text in stages for mark in COLOURS)


def _kind(step: Step) -> str:
    return step.gate.replace("_", " ")


def _remark(text: str) -> str:
    """Return a text within a formula; the commands of `latex_words` are not known to web pages."""
    plain = all(c.isalnum() or c in " []" for c in text)
    return rf"\text{{{text}}}" if plain else rf"\mathrm{{{word(visible(text))}}}"


def _aligned(lines: Sequence[str]) -> str:
    inside = " \\\\\n".join(lines)
    return fenced("math", _painted(f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"))


def _painted(text: str) -> str:
    """Return formulas as GitHub takes them: with its colours, and without the commands that it forbids."""
    for mark, colour in COLOURS.items():
        text = text.replace(mark, rf"{{\color{{{colour}}}")
    for tex, shown in FOREIGN.items():
        text = text.replace(tex, shown)
    text = UNKNOWN.sub(lambda found: rf"\text{{{chr(int(found[1], 16))}}}", text)
    return text.replace(ANSWER, r"\mathbf{").replace(END, "}").replace(r"\operatorname{", r"\mathrm{")
