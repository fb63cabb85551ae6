"""The derivation in Markdown, as GitHub renders it: formulas in ```math blocks, the circuit by mermaid.

Formulas stand in fenced blocks alone, because Markdown does not touch what is in them; names stand in code
spans, and other text of the user's has its signs as entities.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from typing import Any

from gradcheck.deriving import sheet as blocks
from gradcheck.deriving.records import Leaf, Step
from gradcheck.deriving.sheet import LayerBlock, Setters, set_blocks, sheet
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.notation.board import BOARD
from gradcheck.notation.latex_names import on_web, word
from gradcheck.notation.numbers import number
from gradcheck.writing.trace.check_table import check_table
from gradcheck.writing.trace.equations import Document, Equation, Equations
from gradcheck.writing.trace.picture import quantity
from gradcheck.writing.trace.pictures import mermaid_text
from gradcheck.writing.trace.tex_width import ANSWER, END, GRADIENT, VALUE, rows, width

LINE, REMARK = 41.0, 8.0
"""Width of a line of formulas in em, that of a page on GitHub; and of the column of remarks in it."""

TYPED = 100
"""Characters of a line in typewriter type."""

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


def markdown(trace: Trace) -> str:
    """Return a trace as a Markdown document."""
    page = Document(trace, Equations(trace.derivation, trace.digits, web=True))
    return "\n\n".join(set_blocks(page, sheet(trace), SETTERS)) + "\n"


def _title(page: Document, block: blocks.Title) -> list[str]:
    heading = f"# {code(' '.join(block.text.split()))}"
    if block.value is None:
        return [heading]
    digits = page.trace.digits
    shown = ", ".join(f"{code(leaf.name)} = {number(float(leaf.value), digits)}" for leaf in block.point)
    point = f" at {shown}" if shown and not page.arrays else ""
    summed = f", the {prose(block.summed)}" if block.summed else ""
    return [heading, f"{code(block.output)} = {number(block.value, digits)}{summed}{point}"]


def _circuit(page: Document, block: blocks.CircuitBlock) -> list[str]:
    """Return the picture; nothing where mermaid would refuse it."""
    if not 0 < block.wires <= MOST_EDGES:
        return []
    drawn = mermaid_text(page.trace)
    if len(drawn) > MOST_CHARACTERS:
        return []
    return ["## Circuit", "Along each wire: the value \\| the gradient that flows back.", fenced("mermaid", drawn)]


def _forward(page: Document, block: blocks.ForwardBlock) -> list[str]:
    """Return every stage as symbol = formula = numbers = value."""
    result = ["## Forward"] if block.layers else []
    for layer in block.layers:
        notes = [f"[{step.number}] {step.kind}" for step in layer.lines]
        result += [*_layer(layer), *_aligned(page, map(page.equations.forward, layer.lines), notes)]
    return result


def _layer(layer: LayerBlock[Any]) -> list[str]:
    return [f"### {code(layer.name)} {phrase(layer.kind)}".rstrip()] if layer.name else []


def _backward(page: Document, block: blocks.Backward) -> list[str]:
    """Return the gradients from the output back, a block of formulas for each stage."""
    if not block.layers:
        return []
    seed = Equation(page.equations.gradient_name(block.output), ("1",))
    result = ["## Backward", "From the output back, beginning with", *_aligned(page, [seed])]
    for layer in block.layers:
        result += _layer(layer)
        for back in layer.lines:
            lines = page.equations.backward(back)
            result.append(f"**[{back.step.number}]** {phrase(back.habit)}")
            result += _aligned(page, lines)
            result += [prose(one.note) for one in lines if one.note]
    said = "Values are green, gradients red" + ("." if page.arrays else "; the gradients of the inputs are bold.")
    return [*result, " ".join([said, *map(prose, page.proofs)])]


def _values(page: Document, block: blocks.Values) -> list[str]:
    """Return all quantities with their values and gradients."""
    rows = [_row(page, one) for one in block.quantities]
    headings = ["quantity", "from", "value", "gradient"]
    return ["## Values and gradients", table(headings, rows, {0, 1})] if rows else []


def _row(page: Document, one: Leaf | Step) -> list[str]:
    """Return a row; arrays that are too large for it as their shapes."""
    source = f"[{one.number}] {one.kind}" if isinstance(one, Step) else one.kind
    numbers = ["" if value is None else quantity(value, page.trace.digits) for value in (one.value, one.gradient)]
    return [cell(one.name), *map(phrase, (source, *numbers))]


def _asked(page: Document, block: blocks.Why | blocks.Tangents) -> list[str]:
    title, *rest = page.answer(block, BOARD, TYPED)
    return [f"## {phrase(title)}", fenced("text", "\n".join(rest))]


def _check(page: Document, block: blocks.CheckBlock) -> list[str]:
    found = check_table(block.report)
    cells = [[cell(row[0]), *map(phrase, row[1:])] for row in found.rows]
    result = ["## Check", table(found.headings, cells, {0, len(found.headings) - 1}), prose(found.summary)]
    output = code(page.trace.derivation.output)
    forms = [f"- ∂{output}/∂{code(name)} = {code(form)}" for name, form in found.forms]
    result += ["SymPy's closed forms:", "\n".join(forms)] if forms else []
    return [*result, *(prose(note) for note in found.notes)]


SETTERS: Setters[Document, str] = {
    blocks.Title: _title,
    blocks.ProblemBlock: lambda page, block: [prose(block.message)],
    blocks.NamesBlock: lambda page, block: [
        f"{fenced('math', text)}\n\nstands for {code(name)} in formulas." for text, name in page.equations.short.items()
    ],
    blocks.CircuitBlock: _circuit,
    blocks.GivenBlock: lambda page, block: (
        ["## Given", *_aligned(page, map(page.equations.given, block.leaves))] if block.listed else []
    ),
    blocks.ForwardBlock: _forward,
    blocks.Hidden: lambda page, block: [f"{block.said}."],
    blocks.Stopped: lambda page, block: [f"**The forward pass stops here.** {phrase(block.message)}"],
    blocks.Backward: _backward,
    blocks.Values: _values,
    blocks.Why: _asked,
    blocks.Tangents: _asked,
    blocks.CheckBlock: _check,
    blocks.MeaningBlock: lambda page, block: [f"**What it means:** {phrase(block.text)} (tried out)."],
    **blocks.without(blocks.Chosen, blocks.NoGates),
}
"""The document from top to bottom: which blocks, and what sets them."""


def _aligned(page: Document, equations: Iterable[Equation], notes: Sequence[str] = ()) -> list[str]:
    """Return equations, with notes beside them, as blocks of formulas, none with more colours than GitHub takes."""
    every = list(equations)
    result: list[str] = []
    lines: list[str] = []
    colours = 0
    room = LINE - max((width(one.left) for one in every), default=0.0)
    room -= REMARK * bool(notes)
    for one, note in zip_longest(every, notes):
        found, count = rows(one.stages, room), _colours(one.stages)
        if count > MOST_COLOURS:
            found, count = rows([*map(page.equations.bare, one.stages[:-1]), one.stages[-1]], room), 1
        if lines and colours + count > MOST_COLOURS:
            result.append(_math(lines))
            lines, colours = [], 0
        remark = f" && {_remark(note)}" if note else ""
        lines += [f"{one.left} &{found[0]}{remark}", *(f"&{text}" for text in found[1:])]
        colours += count
    return [*result, _math(lines)] if lines else result


def _colours(stages: Sequence[str]) -> int:
    return sum(text.count(mark) for text in stages for mark in COLOURS)


def _remark(text: str) -> str:
    """Return a text within a formula; the commands of `latex_words` are not known to web pages."""
    plain = all(c.isalnum() or c in " []" for c in text)
    return rf"\text{{{text}}}" if plain else rf"\mathrm{{{word(visible(text), on_web)}}}"


def _math(lines: Sequence[str]) -> str:
    inside = " \\\\\n".join(lines)
    return fenced("math", _painted(f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"))


def _painted(text: str) -> str:
    """Return formulas with their colours."""
    for mark, colour in COLOURS.items():
        text = text.replace(mark, rf"{{\color{{{colour}}}")
    return text.replace(ANSWER, r"\mathbf{").replace(END, "}")
