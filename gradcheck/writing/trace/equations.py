r"""The lines of a derivation as equations in LaTeX, for everything that shows LaTeX.

Colours and frames are only marked, because a paper and a web page set them in different ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from gradcheck.deriving.records import HIDDEN, INPUT, PARAMETER, Derivation, Formula, Leaf, Part, Step, Symbol, shape_of
from gradcheck.deriving.sheet import Back, ShareLine, Tangents, Why
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.graph.graph import Graph, Params
from gradcheck.notation import numbers
from gradcheck.notation.definitions import statements
from gradcheck.notation.latex import LATEX, WEB, number, symbol
from gradcheck.notation.latex_names import on_paper, on_web, word
from gradcheck.notation.printer import POWER, Maker, Notation, Piece, write
from gradcheck.writing.trace.answers import answer
from gradcheck.writing.trace.check_table import proofs
from gradcheck.writing.trace.matrices import cells, summary
from gradcheck.writing.trace.spelling import Speller, without_repetition
from gradcheck.writing.trace.tex_width import ANSWER, END, GRADIENT, MARKS, VALUE, width

MOST_CHARACTERS = 112
"""Characters of a row of a matrix that is shown whole: on paper in small type, on a page of GitHub by scrolling."""

WIDEST = 22.0
"""Width in em up to which a name stands in formulas itself; a wider one has a short name for it."""


class Equation(NamedTuple):
    """One line of a derivation.

    Attributes:
        left: what is computed.
        stages: what stands between the signs of equality, from the formula to the result.
        note: a remark in plain text; "" if there is none.
    """

    left: str
    stages: tuple[str, ...]
    note: str = ""


class Equations(Speller):
    """Writes the lines of one derivation; see `Speller`.

    Attributes:
        names: leaf or step → its name in LaTeX, no two of them alike.
        short: short name in LaTeX → the name that is too long for formulas.
        letters: how letters beyond ASCII are shown.
    """

    def __init__(self, derivation: Derivation, digits: int, web: bool = False) -> None:
        super().__init__(derivation, digits, WEB if web else LATEX)
        self.letters = on_web if web else on_paper
        self.inputs = {leaf.name for leaf in derivation.leaves if leaf.kind in (INPUT, PARAMETER)}
        self.names: dict[str, str] = {}
        self.short: dict[str, str] = {}
        self.layers = {block.name for block in derivation.blocks}
        for name in self.quantities:
            self.names[name] = self._named(visible(name))

    def _named(self, name: str) -> str:
        text = symbol(name, self.letters)
        # x1 and x_1 look alike as a letter with a subscript; and fc1 should look like fc1.weight.
        if name in self.layers or text in self.names.values():
            text = rf"\mathit{{{word(name, self.letters)}}}"
        if width(text) <= WIDEST and text not in self.names.values():
            return text
        text = rf"\mathcal{{N}}_{{{len(self.short) + 1}}}"
        self.short[text] = name
        return text

    def name(self, name: str) -> str:
        """Return a quantity's name; a constant is its number."""
        known = self.names.get(name) or symbol(visible(name), self.letters)
        return self.notation.constant(name).text if self.fixed(name) else known

    def gradient_name(self, name: str) -> str:
        """Return what the gradient of the output with respect to `name` is called."""
        if self.derivation.arrays:
            # A user's own d_x is written like the gradient of x, which then gets a mark.
            mark = "'" if f"d_{name}" in self.quantities else ""
            return f"d{mark}_{{{self.name(name)}}}"
        return rf"\frac{{\partial {self.name(self.derivation.output)}}}{{\partial {self.name(name)}}}"

    def figure(self, value: Any, of_gradient: bool | None = None, digits: int | None = None) -> Piece:
        """Return a number, marked as a value or a gradient."""
        piece = number(numbers.number(float(value), digits or self.digits))
        if of_gradient is None:
            return piece
        return piece._replace(text=f"{GRADIENT if of_gradient else VALUE}{piece.text}{END}")

    def numeral(self, symbol: Symbol, digits: int | None = None) -> Piece:
        """Return the number that a symbol stands for; a constant keeps its own form and is not marked."""
        fixed = self.fixed(symbol.name) and not symbol.of_gradient
        return self.notation.constant(symbol.name) if fixed else super().numeral(symbol, digits)

    def bare(self, text: str) -> str:
        """Return a text without marks."""
        return MARKS.sub("", text)

    def formula(self, formula: Formula) -> str:
        """Return a formula in names; each factor of a product of matrices has its shape below it."""
        if not self.in_shapes(formula):
            return super().formula(formula)
        names, turned = {}, {}
        for name, one in formula.symbols.items():
            text, shape = self.symbol(one).text, shape_of(self.value(one))
            names[name] = Piece(_below(shape, text) if shape else text)
            # A transposed one has the shape that it then has, so that shapes meet.
            turned[names[name].text] = _below(shape[::-1], rf"{text}^{{\top}}") if shape else ""

        def transposed(usual: Maker, operands: Sequence[Piece], params: Params) -> Piece:
            text = turned.get(operands[0].text, "") if dict(params).get("axes") is None else ""
            return Piece(text, POWER) if text else usual(operands, params)

        makers = {op: partial(transposed, self.notation.makers[op]) for op in ("mT", "transpose")}
        notation = self.notation._replace(makers={**self.notation.makers, **makers})
        return write(formula.graph, notation, names).text

    def shaped(self, text: str, value: Any) -> str:
        """Return a name with the shape of its array below it."""
        shape = shape_of(value)
        return _below(shape, text) if shape else text

    def array(self, value: Any, of_gradient: bool) -> str:
        """Return a number, a small array as a matrix, or what there is to say of a large one."""
        mark = GRADIENT if of_gradient else VALUE
        if value is None or (not shape_of(value) and value != value):
            return r"\text{undefined}"
        if not shape_of(value):
            return self.figure(value, of_gradient).text
        rows = cells(value, self.digits, MOST_CHARACTERS)
        if not rows:
            said = [
                word + (f"}}{{{number(text).text}}}\\text{{" if text else "")
                for word, text in summary(value, self.digits)
            ]
            return f"{mark}\\text{{{''.join(said)}}}{END}"
        inside = r" \\ ".join(" & ".join(number(cell).text for cell in row) for row in rows)
        return rf"{mark}\begin{{pmatrix}} {inside} \end{{pmatrix}}{END}"

    def forward(self, step: Step) -> Equation:
        """Return symbol = formula = numbers = value."""
        formula, value = self.formula(step.formula), self.array(step.value, False)
        if self.derivation.arrays:
            return Equation(self.shaped(self.name(step.name), step.value), (formula, value))
        stages = without_repetition([formula, self.numbers(step.formula, float(step.value)), value], self.bare)
        return Equation(self.name(step.name), tuple(stages))

    def given(self, leaf: Leaf) -> Equation:
        """Return the value of a variable or parameter."""
        kind = "" if leaf.kind == "input" else leaf.kind
        return Equation(self.shaped(self.name(leaf.name), leaf.value), (self.array(leaf.value, False),), kind)

    def backward(self, back: Back) -> list[Equation]:
        """Return what goes back from a stage, and the sums that are then complete."""
        return [*(self.back(back.step, share) for share in back.shares), *map(self.sum, back.sums)]

    def back(self, step: Step, share: ShareLine) -> Equation:
        """Return what goes back to one operand: upstream gradient times local derivative."""
        flow, name = share.flow, self.gradient_name(share.flow.operand)
        left = self.share(name, step.number) if share.several else self.shaped(name, flow.value)
        if self.derivation.arrays:
            stages = [self.formula(flow.rule), self.array(flow.value, True)]
        else:
            stages = self.chain(flow, float(step.gradient))
        return Equation(left, tuple(stages if share.several else self.answered(share.target, stages)), share.note)

    def share(self, left: str, step: int) -> str:
        """Return what a stage contributes to a gradient, as a name."""
        return rf"\left. {left} \right|_{{{_stage(step)}}}"

    def sum(self, one: Leaf | Step) -> Equation:
        """Return a gradient as the sum of what its uses contribute, each with its stage."""
        left = self.gradient_name(one.name)
        if shape_of(one.gradient):
            total = " + ".join(self.share(left, part.step) for part in one.parts)
        else:
            total = " + ".join(self.term(part, k > 0) for k, part in enumerate(one.parts))
        stages = self.answered(one, [total, self.array(one.gradient, True)])
        return Equation(self.shaped(left, one.gradient), tuple(stages))

    def term(self, part: Part, later: bool) -> str:
        """Return a number of a sum with the stage it comes from; a negative one that is not the first in brackets."""
        piece = self.figure(part.value, True)
        text = f"({piece.text})" if later and piece.signed else piece.text
        return rf"\underbrace{{{text}}}_{{{_stage(part.step)}}}"

    def answered(self, one: Leaf | Step, stages: list[str]) -> list[str]:
        """Return stages whose last is marked as an answer, if they end with the gradient of an input."""
        if one.name in self.inputs and not shape_of(one.gradient):
            return [*stages[:-1], f"{ANSWER}{stages[-1]}{END}"]
        return stages

    def written(self, graph: Graph) -> list[Equation]:
        """Return an expression of the user's as it was written: its stages, then the output."""
        names = {name: Piece(self.name(name)) for name in graph.inputs}
        lines, result = statements(graph, LATEX, names, lambda name, taken: self.name(name), ())
        output = self.derivation.output
        left = self.name(output) if graph.gates else ""
        return [*(Equation(name, (value,)) for name, value in lines), Equation(left, (result.text,))]


class Document(NamedTuple):
    """A trace, and what writes its formulas in LaTeX: what a document is made of."""

    trace: Trace
    equations: Equations

    @property
    def arrays(self) -> bool:
        """Whether anything is an array."""
        return self.trace.derivation.arrays

    def answer(self, block: Why | Tangents, notation: Notation, width: int) -> list[str]:
        """Return what was asked for as a title and lines of plain text."""
        return answer(block, Speller(self.trace.derivation, self.trace.digits, notation), width).plain

    @property
    def proofs(self) -> list[str]:
        """What SymPy says of the gradients inside, in sentences."""
        return proofs(self.trace.derivation, self.trace.digits)


def _stage(step: int) -> str:
    return r"\text{not shown}" if step == HIDDEN else f"[{step}]"


def _below(shape: tuple[int, ...], text: str) -> str:
    size = r" \times ".join(map(str, shape))
    return rf"\underset{{\,{size}\,}}{{{text}}}"
