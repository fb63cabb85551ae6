"""How numbers, names and formulas of a derivation are written in plain text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.deriving.records import Derivation, Flow, Formula, Leaf, Step, Symbol, shape_of
from gradcheck.errors import visible
from gradcheck.graph.evaluation import evaluate
from gradcheck.notation.board import BOARD
from gradcheck.notation.numbers import DIGITS, inline, number
from gradcheck.notation.printer import ATOM, POWER, Notation, Piece, applied, signed, write
from gradcheck.ops.shapes import show
from gradcheck.writing.text import plural

__all__ = ["Speller", "inline", "number", "shaped", "sized", "without_repetition"]

PRODUCTS = frozenset({"matmul", "outer"})
IN_SHAPES = PRODUCTS | {"input", "mT", "add", "transpose"}
"""Ops of formulas that are shown in shapes: products of matrices, and what is added to them."""

CHOICES = frozenset({"where", "step", "select", "sign"})
"""Ops that choose between pieces of a rule."""

FINER = (9, 12, 15, 17)
"""Digits that are tried where the usual ones cancel."""

LOST = 2
"""Digits that rounded numbers may lose on the way to their result."""


def shaped(shape: tuple[int, ...]) -> str:
    """Return a shape beside a formula or along a wire: 2×3, or (3,), which no one takes for a number."""
    return "×".join(map(str, shape)) if len(shape) != 1 else f"({shape[0]},)"


def sized(shape: tuple[int, ...]) -> str:
    """Return a shape in a sentence: 2×3, 3 numbers, or "a scalar"."""
    return plural(shape[0], "number") if len(shape) == 1 else show(shape)


class Speller:
    """Writes formulas of one derivation.

    Attributes:
        derivation: the derivation.
        digits: significant digits of numbers.
        notation: how formulas are written.
        ascii_only: whether that has no signs beyond ASCII.
        quantities: leaves and steps by name.
    """

    def __init__(self, derivation: Derivation, digits: int = DIGITS, notation: Notation = BOARD) -> None:
        self.derivation = derivation
        self.digits = digits
        self.notation = notation
        self.ascii_only = notation is not BOARD
        self.quantities: Mapping[str, Leaf | Step] = derivation.quantities

    def gradient_name(self, name: str) -> str:
        """Return what the gradient of the output with respect to `name` is called."""
        if self.derivation.arrays:
            # A user may call a variable d_x; the gradient of x then is d_x_.
            found = f"d_{name}"
            while found in self.quantities:
                found += "_"
            return visible(found)
        return visible(f"d{self.derivation.output}/d{name}")

    def fixed(self, name: str) -> bool:
        """Whether a quantity is a number of the expression itself."""
        return name in self.quantities and self.quantities[name].node in self.derivation.graph.constants

    def name(self, name: str) -> str:
        """Return what a leaf or step is called."""
        return visible(name)

    def symbol(self, symbol: Symbol) -> Piece:
        """Return a symbol of a formula."""
        if symbol.of_gradient:
            return Piece(self.gradient_name(symbol.name), ATOM if self.derivation.arrays else POWER)
        return self.notation.constant(symbol.name) if self.fixed(symbol.name) else Piece(self.name(symbol.name))

    def formula(self, formula: Formula) -> str:
        """Return a formula in names."""
        names = {name: self.symbol(symbol) for name, symbol in formula.symbols.items()}
        return write(formula.graph, self.notation, names).text

    def figure(self, value: Any, of_gradient: bool | None = None, digits: int | None = None) -> Piece:
        """Return a number; `of_gradient` says of what it is, and is None for a local derivative."""
        text = inline(value, digits or self.digits)
        piece = signed(text)
        # 2e-05² would be read as 2e-(05²).
        return piece._replace(binds=POWER) if "e" in text and piece.binds == ATOM else piece

    def numeral(self, symbol: Symbol, digits: int | None = None) -> Piece:
        """Return the number that a symbol of a formula stands for."""
        return self.figure(self.value(symbol), symbol.of_gradient, digits)

    def bare(self, text: str) -> str:
        """Return a text without what tells values from gradients; two stages that are then equal say the same."""
        return text

    def numbers(self, formula: Formula, result: float | None = None) -> str:
        """Return a formula of single numbers with the numbers in place of the names.

        Where rounded numbers would not give the `result` that is shown beside them, because digits cancel,
        they get more digits; "" if no digits suffice.
        """
        for digits in (self.digits, *(finer for finer in FINER if finer > self.digits)):
            if result is None or self.gives(formula, result, digits):
                names = {name: self.numeral(symbol, digits) for name, symbol in formula.symbols.items()}
                return write(formula.graph, self.notation, names).text
        return ""

    def gives(self, formula: Formula, result: float, digits: int) -> bool:
        """Whether a formula of numbers that are rounded to `digits` gives what is shown as the result."""
        values = {}
        for name, symbol in formula.symbols.items():
            value = float(self.value(symbol))
            values[name] = float(number(value, digits)) if math.isfinite(value) else value
        found, problems = evaluate(formula.graph, FLOATS, values)
        if problems or not math.isfinite(result) or not math.isfinite(found[formula.graph.output]):
            return True
        return bool(abs(found[formula.graph.output] - result) <= 10.0 ** (LOST - self.digits) * abs(result))

    def in_shapes(self, formula: Formula) -> str:
        """Return a product of matrices with the shapes in place of the names; "" for any other formula."""
        graph = formula.graph
        if PRODUCTS.isdisjoint(graph.ops) or not IN_SHAPES.issuperset(graph.ops):
            return ""
        names = {}
        for name, symbol in formula.symbols.items():
            shape = shape_of(self.value(symbol))
            names[name] = Piece(shaped(shape), ATOM if len(shape) < 2 else POWER)
        return write(graph, self.notation, names).text

    def value(self, symbol: Symbol) -> Any:
        """Return what a symbol stands for."""
        one = self.quantities[symbol.name]
        return one.gradient if symbol.of_gradient else one.value

    def chain(self, flow: Flow, upstream: float) -> list[str]:
        """Return the stages of upstream × local = contribution for single numbers, without repetition."""
        end = self.figure(float(flow.value), True).text
        stages = [self.formula(flow.rule)]
        # The number that a choice comes to says more than the choice with numbers in it.
        if CHOICES.isdisjoint(flow.rule.graph.ops):
            stages.append(self.numbers(flow.rule, float(flow.value)))
        if flow.partial is not None and abs(flow.partial) != 1 and self.bare(stages[-1]) != self.bare(end):
            factors = [self.figure(upstream, True), self.figure(float(flow.partial))]
            stages.append(applied(self.notation, "mul", factors).text)
        return without_repetition([*stages, end], self.bare)


def without_repetition(stages: list[str], bare: Callable[[str], str] = str) -> list[str]:
    """Return stages of a calculation without those that only repeat the one before; `bare` says what counts."""
    told = [text for text in stages if text]
    return [text for k, text in enumerate(told) if k == 0 or bare(text) != bare(told[k - 1])]
