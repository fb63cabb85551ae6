"""Formulas of a derivation in MathML, which browsers typeset themselves.

A number in a formula carries the key of what it shows (`data-n`), so that a page can write another one in
its place; the brackets that only a negative number needs belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gradcheck.deriving.records import Derivation, Flow, Formula, Symbol, shape_of
from gradcheck.graph.graph import Params
from gradcheck.notation.board import index
from gradcheck.notation.markup import escaped
from gradcheck.notation.numbers import number
from gradcheck.notation.printer import (  # fmt: skip
    ATOM,
    COMPARISON,
    NEGATION,
    OPEN,
    POWER,
    PRODUCT,
    SUM,
    Form,
    Notation,
    Piece,
    bracketed,
    given,
    inverted,
    same,
    write,
)

MINUS = '<mo form="prefix" lspace="0" rspace="0">−</mo>'
"""The sign of a number or a product."""

BRACKET = '<mo form="{}fix" stretchy="{}" lspace="0" rspace="0">{}</mo>'

DOT = '<mo lspace="0.22em" rspace="0.22em">·</mo>'
WORD = re.compile("<mi>[^<]{2,}</mi>")
"""A name of several letters."""

FORMS = {
    "add": Form("{0}<mo>+</mo>{1}", SUM, (SUM, PRODUCT)),
    "sub": Form("{0}<mo>−</mo>{1}", SUM, (SUM, PRODUCT)),
    "mul": Form(f"{{0}}{DOT}{{1}}", PRODUCT, (NEGATION, POWER)),
    "div": Form("<mfrac><mrow>{0}</mrow><mrow>{1}</mrow></mfrac>", POWER, (OPEN, OPEN)),
    "inv": Form("<mfrac><mn>1</mn><mrow>{0}</mrow></mfrac>", POWER, (OPEN,)),
    "pow": Form("<msup><mrow>{0}</mrow><mrow>{1}</mrow></msup>", POWER, (ATOM, OPEN)),
    "square": Form("<msup><mrow>{0}</mrow><mn>2</mn></msup>", POWER, (ATOM,)),
    "sqrt": Form("<msqrt>{0}</msqrt>", ATOM, (OPEN,)),
    "abs": Form('<mrow><mo form="prefix">|</mo>{0}<mo form="postfix">|</mo></mrow>', ATOM, (OPEN,)),
    "lt": Form("{0}<mo>&lt;</mo>{1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "le": Form("{0}<mo>≤</mo>{1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "gt": Form("{0}<mo>&gt;</mo>{1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "ge": Form("{0}<mo>≥</mo>{1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "eq": Form("{0}<mo>=</mo>{1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "ne": Form("{0}<mo>≠</mo>{1}", COMPARISON, (SUM, SUM), bare_sign=True),
}

SPELLINGS = {"sigmoid": "σ", "amax": "max", "amin": "min"}

CASES = '<mrow class="cases"><mo form="prefix" stretchy="true">{</mo><mtable>'
END = "</mtable></mrow>"

SHORT = 32
"""Characters of static parameters that may stand within a formula; a page shows longer ones beside it."""

LIVE = re.compile(r'<mrow class="n" data-n="[^"]*">(?:<mo[^>]*>−</mo>)?<mn>[^<]*</mn></mrow>')
"""A number that may change its sign."""

SUBSCRIPT = re.compile(r"([^\W\d_])_?(\d{1,3})")


def signed_number(text: str) -> str:
    """Return the text of a number in MathML; its sign is an operator, so that it looks like one."""
    if text.startswith("-"):
        return f"{MINUS}<mn>{text[1:]}</mn>"
    return f"<mn>{text}</mn>"


def _bracket(text: str) -> str:
    if not LIVE.fullmatch(text):
        return f"<mrow>{_enclosed(text)}</mrow>"
    left, right = ("(", ")") if "<mo" in text else ("", "")
    return f'<mrow class="b">{_enclosed(text, left, right)}</mrow>'


def _enclosed(text: str, left: str = "(", right: str = ")") -> str:
    """Return a text between brackets, which are as tall as a fraction if there is one."""
    tall = "true" if "<mfrac" in text or "<mtable" in text else "false"
    return BRACKET.format("pre", tall, left) + text + BRACKET.format("post", tall, right)


def _negative(operands: Sequence[Piece], params: Params) -> Piece:
    operand = bracketed(MATH, operands[0], PRODUCT, first=False)
    return Piece(f"<mrow>{MINUS}{operand}</mrow>", NEGATION, True)


def _matmul(operands: Sequence[Piece], params: Params) -> Piece:
    """Write matrices one beside the other; between longer names a sign keeps them apart."""
    first, second = operands
    left, right = bracketed(MATH, first, NEGATION), bracketed(MATH, second, POWER, first=False)
    times = "<mo>@</mo>" if WORD.search(left + right) else '<mspace width="0.2em"/>'
    return Piece(left + times + right, PRODUCT, first.signed and left == first.text)


def _transpose(operands: Sequence[Piece], params: Params) -> Piece:
    if dict(params).get("axes") is not None:
        return Piece(_call("transpose", [operands[0].text], params))
    return Piece(f"<msup><mrow>{bracketed(MATH, operands[0], ATOM)}</mrow><mo>⊤</mo></msup>", POWER)


def _getitem(operands: Sequence[Piece], params: Params) -> Piece:
    place = f"<mtext>[{escaped(index(dict(params)['index']))}]</mtext>"
    return Piece(f"<mrow>{bracketed(MATH, operands[0], ATOM)}{place}</mrow>")


def _row(value: str, condition: str) -> str:
    return f"<mtr><mtd>{value}</mtd><mtd>{condition}</mtd></mtr>"


def _where(operands: Sequence[Piece], params: Params) -> Piece:
    condition, value, other = (piece.text for piece in operands)
    first = _row(value, f"<mtext>if\u00a0</mtext>{condition}")
    if operands[2].binds == COMPARISON and other.startswith(CASES):
        rest = other.removeprefix(CASES).removesuffix(END)
    else:
        rest = _row(other, "<mtext>otherwise</mtext>")
    return Piece(f"{CASES}{first}{rest}{END}", COMPARISON)


def _select(operands: Sequence[Piece], params: Params) -> Piece:
    condition, value = (piece.text for piece in operands)
    return Piece(CASES + _row(value, f"<mtext>if\u00a0</mtext>{condition}") + END, COMPARISON)


def _call(op: str, operands: Sequence[str], params: Params) -> str:
    name = escaped(SPELLINGS.get(op, op.partition("#")[0]))
    said = settings(op, params)
    within = [f"<mtext>{escaped(said)}</mtext>"] if 0 < len(said) <= SHORT else []
    inner = "<mo>,</mo>".join([*operands, *within])
    return f'<mrow><mi class="function">{name}</mi>{_enclosed(inner)}</mrow>'


def settings(op: str, params: Params) -> str:
    """Return the static parameters of an op that are not the usual ones."""
    return ", ".join(f"{key}={value}" for key, value in given(op, params))


def _constant(text: str) -> Piece:
    if text in ("pi", "e"):
        return Piece(f"<mi>{'π' if text == 'pi' else 'e'}</mi>")
    return Piece(signed_number(escaped(text)), NEGATION if text.startswith("-") else ATOM, text.startswith("-"))


MATH = Notation(
    FORMS,
    {
        "neg": _negative, "getitem": _getitem, "where": _where, "select": _select, "identity": same,
        "matmul": _matmul, "mT": _transpose,
        "transpose": _transpose, "untranspose": lambda operands, params: _transpose(operands, inverted(params)),
    },
    _call,
    _bracket,
    _constant,
)  # fmt: skip


class Typesetter:
    """Writes formulas of one derivation in MathML.

    Attributes:
        derivation: the derivation.
        digits: significant digits of numbers.
        keys: leaf or step → the mark (`data-step`) of everything that belongs to it.
        values: leaf or step → the key of its value; gradients have the same with a g.
    """

    def __init__(self, derivation: Derivation, digits: int) -> None:
        self.derivation = derivation
        self.digits = digits
        self.quantities = derivation.quantities
        self.keys = {leaf.name: f"leaf-{k}" for k, leaf in enumerate(derivation.leaves)}
        self.keys |= {step.name: str(step.number) for step in derivation.steps}
        self.values = {name: str(one.node) for name, one in self.quantities.items()}
        self._names = {name: self._name(name) for name in self.quantities}

    def _name(self, name: str) -> str:
        """Return a name; digits at its end become a subscript, unless that makes it look like another one."""
        parts = SUBSCRIPT.fullmatch(name)
        if parts is None or {parts[1] + parts[2], f"{parts[1]}_{parts[2]}"} <= set(self.quantities):
            inner = f"<mi>{escaped(name)}</mi>"
        else:
            inner = f"<msub><mi>{escaped(parts[1])}</mi><mn>{parts[2]}</mn></msub>"
        return f'<mrow data-step="{self.keys[name]}">{inner}</mrow>'

    def name(self, name: str) -> str:
        """Return a leaf or step; a constant is its number."""
        one = self.quantities[name]
        return _constant(name).text if one.node in self.derivation.graph.constants else self._names[name]

    def gradient(self, name: str) -> str:
        """Return the gradient of the output with respect to a leaf or step."""
        if self.derivation.arrays:
            return f'<msub><mi>d</mi><mrow class="of">{self.name(name)}</mrow></msub>'
        over, under = (f"<mrow><mi>∂</mi>{self.name(one)}</mrow>" for one in (self.derivation.output, name))
        return f"<mfrac>{over}{under}</mfrac>"

    def symbol(self, symbol: Symbol) -> Piece:
        """Return a symbol of a formula."""
        if symbol.of_gradient:
            return Piece(self.gradient(symbol.name), ATOM if self.derivation.arrays else POWER)
        if self.quantities[symbol.name].node in self.derivation.graph.constants:
            return _constant(symbol.name)
        return Piece(self.name(symbol.name))

    def formula(self, formula: Formula) -> str:
        """Return a formula in names."""
        return self.written(formula, self.symbol)

    def numbers(self, formula: Formula) -> str:
        """Return a formula of single numbers with the numbers in place of the names."""
        return self.written(formula, self._numeral)

    def written(self, formula: Formula, symbol: Callable[[Symbol], Piece]) -> str:
        """Return a formula with a piece for each symbol."""
        names = {name: symbol(one) for name, one in formula.symbols.items()}
        return write(formula.graph, MATH, names).text

    def _numeral(self, symbol: Symbol) -> Piece:
        one = self.quantities[symbol.name]
        if not symbol.of_gradient and one.node in self.derivation.graph.constants:
            return _constant(symbol.name)
        value = one.gradient if symbol.of_gradient else one.value
        return self.numeral(value, f"{'g' if symbol.of_gradient else 'v'}{one.node}")

    def numeral(self, value: Any, key: str) -> Piece:
        """Return a number that the page may change; in brackets where a negative one needs them."""
        text = number(float(value), self.digits)
        return Piece(f'<mrow class="n" data-n="{key}">{signed_number(text)}</mrow>', NEGATION, text.startswith("-"))

    def result(self, value: Any, key: str, kind: str) -> str:
        """Return a single number at the end of a calculation."""
        text = signed_number(number(float(value), self.digits))
        return f'<mrow class="n {kind}" data-n="{key}">{text}</mrow>'

    def product(self, step: int, flow: Flow, upstream: Piece) -> str:
        """Return upstream × local derivative, in numbers."""
        local = self.numeral(flow.partial, f"l{step}_{flow.slot}")
        return upstream.text + DOT + bracketed(MATH, local, POWER, first=False)

    def shapes(self, formula: Formula) -> str:
        """Return a formula with shapes in place of names."""
        return self.written(formula, partial(_shape, self.quantities))


def _shape(quantities: Mapping[str, Any], symbol: Symbol) -> Piece:
    shape = shape_of(quantities[symbol.name].value)
    text = "×".join(map(str, shape)) or "1"
    return Piece(f"<mrow><mtext>({text})</mtext></mrow>")


EQUALS = '<mo form="infix" lspace="0" rspace="0.28em">=</mo>'


def math(*parts: str, display: bool = False) -> str:
    """Return a formula as an element; with `display`, fractions are large."""
    style = ' displaystyle="true"' * display
    return f"<math{style}>{''.join(parts)}</math>"
