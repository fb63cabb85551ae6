"""Names, numbers and formulas of one derivation in MathML, each marked with what it belongs to."""

from __future__ import annotations

import re
from typing import Any

from gradcheck.deriving.records import Derivation, Flow, Formula, Symbol, shape_of
from gradcheck.notation.markup import escaped
from gradcheck.notation.mathml import DOT, MATH, signed_number
from gradcheck.notation.numbers import number
from gradcheck.notation.printer import NEGATION, POWER, Piece, bracketed, write
from gradcheck.writing.trace.spelling import Speller

SUBSCRIPT = re.compile(r"([^\W\d_])_?(\d{1,3})")


class Typesetter(Speller):
    """Writes formulas of one derivation in MathML; see `Speller`.

    Attributes:
        keys: leaf or step → the mark (`data-step`) of everything that belongs to it.
    """

    def __init__(self, derivation: Derivation, digits: int) -> None:
        super().__init__(derivation, digits, MATH)
        self.keys = {leaf.name: f"leaf-{k}" for k, leaf in enumerate(derivation.leaves)}
        self.keys |= {step.name: str(step.number) for step in derivation.steps}
        self._names = {name: self._named(name) for name in self.quantities}

    def _named(self, name: str) -> str:
        """Return a name; digits at its end become a subscript, unless that makes it look like another one."""
        parts = SUBSCRIPT.fullmatch(name)
        if parts is None or {parts[1] + parts[2], f"{parts[1]}_{parts[2]}"} <= set(self.quantities):
            inner = f"<mi>{escaped(name)}</mi>"
        else:
            inner = f"<msub><mi>{escaped(parts[1])}</mi><mn>{parts[2]}</mn></msub>"
        return f'<mrow data-step="{self.keys[name]}">{inner}</mrow>'

    def name(self, name: str) -> str:
        """Return a leaf or step; a constant is its number."""
        if self.fixed(name):
            return MATH.constant(name).text
        return self._names.get(name) or f"<mi>{escaped(name)}</mi>"

    def gradient_name(self, name: str) -> str:
        """Return the gradient of the output with respect to a leaf or step."""
        if self.derivation.arrays:
            return f'<msub><mi>d</mi><mrow class="of">{self.name(name)}</mrow></msub>'
        over, under = (f"<mrow><mi>∂</mi>{self.name(one)}</mrow>" for one in (self.derivation.output, name))
        return f"<mfrac>{over}{under}</mfrac>"

    def numeral(self, symbol: Symbol, digits: int | None = None) -> Piece:
        """Return the number that a symbol stands for; a constant keeps its own form."""
        if not symbol.of_gradient and self.fixed(symbol.name):
            return MATH.constant(symbol.name)
        return self.live(self.value(symbol), f"{'g' if symbol.of_gradient else 'v'}{self.quantities[symbol.name].node}")

    def live(self, value: Any, key: str) -> Piece:
        """Return a number that the page may change; in brackets where a negative one needs them."""
        text = number(float(value), self.digits)
        return Piece(f'<mrow class="n" data-n="{key}">{signed_number(text)}</mrow>', NEGATION, text.startswith("-"))

    def result(self, value: Any, key: str, kind: str) -> str:
        """Return a single number at the end of a calculation."""
        return f'<mrow class="n {kind}" data-n="{key}">{signed_number(number(float(value), self.digits))}</mrow>'

    def product(self, step: int, flow: Flow, upstream: Piece) -> str:
        """Return upstream × local derivative, in numbers."""
        local = self.live(flow.partial, f"l{step}_{flow.slot}")
        return upstream.text + DOT + bracketed(MATH, local, POWER, first=False)

    def shapes(self, formula: Formula) -> str:
        """Return a formula with shapes in place of names."""
        shapes = {name: shape_of(self.quantities[one.name].value) for name, one in formula.symbols.items()}
        texts = {name: "×".join(map(str, shape)) or "1" for name, shape in shapes.items()}
        names = {name: Piece(f"<mrow><mtext>({text})</mtext></mrow>") for name, text in texts.items()}
        return write(formula.graph, MATH, names).text
