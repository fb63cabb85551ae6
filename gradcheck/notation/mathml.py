"""Formulas in MathML, which browsers typeset themselves.

A number in a formula carries the key of what it shows (`data-n`), so that a page can write another one in
its place; the brackets that only a negative number needs belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.board import BOARD, FILLED, index
from gradcheck.notation.markup import escaped
from gradcheck.notation.printer import (
    ATOM,
    COMPARISON,
    NEGATION,
    OPEN,
    POWER,
    PRODUCT,
    SUM,
    Form,
    Maker,
    Notation,
    Piece,
    applied,
    bracketed,
    given,
    made,
    same,
    undone,
)

MINUS = '<mo form="prefix" lspace="0" rspace="0">−</mo>'
"""The sign of a number or a product."""

BRACKET = '<mo form="{}fix" stretchy="{}" lspace="0" rspace="0">{}</mo>'

DOT = '<mo lspace="0.22em" rspace="0.22em">·</mo>'
WORD = re.compile("<mi>[^<]{2,}</mi>")
"""A name of several letters."""

SIGNS = {
    "add": "<mo>+</mo>", "sub": "<mo>−</mo>", "mul": DOT, "lt": "<mo>&lt;</mo>", "le": "<mo>≤</mo>",
    "gt": "<mo>&gt;</mo>", "ge": "<mo>≥</mo>", "eq": "<mo>=</mo>", "ne": "<mo>≠</mo>",
}  # fmt: skip
"""Op → the sign between its operands, which bind as on the board."""

FORMS = {
    **{op: BOARD.forms[op]._replace(text=f"{{0}}{sign}{{1}}") for op, sign in SIGNS.items()},
    "div": Form("<mfrac><mrow>{0}</mrow><mrow>{1}</mrow></mfrac>", POWER, (OPEN, OPEN)),
    "reciprocal": Form("<mfrac><mn>1</mn><mrow>{0}</mrow></mfrac>", POWER, (OPEN,)),
    "pow": Form("<msup><mrow>{0}</mrow><mrow>{1}</mrow></msup>", POWER, (ATOM, OPEN)),
    "square": Form("<msup><mrow>{0}</mrow><mn>2</mn></msup>", POWER, (ATOM,)),
    "inv": Form("<msup><mrow>{0}</mrow><mn>-1</mn></msup>", POWER, (ATOM,)),
    "pinv": Form("<msup><mrow>{0}</mrow><mo>+</mo></msup>", POWER, (ATOM,)),
    "kron": Form("{0}<mo>⊗</mo>{1}", SUM, (POWER, POWER)),
    "cross": Form("{0}<mo>×</mo>{1}", SUM, (POWER, POWER)),
    "sqrt": Form("<msqrt>{0}</msqrt>"),
    "abs": Form('<mrow><mo form="prefix">|</mo>{0}<mo form="postfix">|</mo></mrow>'),
}

SPELLINGS = {"sigmoid": "σ", "amax": "max", "amin": "min", "trace": "tr", "diagonal": "diag"}

CASES = '<mrow class="cases"><mo form="prefix" stretchy="true">{</mo><mtable>'
END = "</mtable></mrow>"

SHORT = 32
"""Characters of static parameters that may stand within a formula; a page shows longer ones beside it."""

LIVE = re.compile(r'<mrow class="n" data-n="[^"]*">(?:<mo[^>]*>−</mo>)?<mn>[^<]*</mn></mrow>')
"""A number that may change its sign."""


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


def _solve(operands: Sequence[Piece], params: Params) -> Piece:
    return _matmul([applied(MATH, "inv", operands[:1]), operands[1]], ())


def _norm_of(order: str) -> Maker:
    def make(operands: Sequence[Piece], params: Params) -> Piece:
        said = order or str(dict(params)["p"])
        rest = settings("norm", tuple((name, value) for name, value in params if name != "p"))
        below = f"<mtext>{escaped(', '.join(part for part in (said, rest) if part))}</mtext>"
        bars = [f'<mo form="{side}fix">‖</mo>' for side in ("pre", "post")]
        return Piece(f"<msub><mrow>{bars[0]}{operands[0].text}{bars[1]}</mrow>{below}</msub>")

    return make


def _filled(op: str, shape: tuple[int, ...]) -> str:
    sign = {"eye": "<mi>I</mi>", "ones": "<mn>𝟏</mn>", "zeros": "<mn>𝟎</mn>"}[op]
    return f"<msub>{sign}<mtext>{'×'.join(map(str, shape))}</mtext></msub>"


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


MATH: Notation = Notation(
    FORMS,
    {
        "neg": _negative, "getitem": _getitem, "where": _where, "select": _select, "identity": same,
        "matmul": _matmul, "mT": _transpose, "solve": _solve,
        "norm_p": _norm_of(""), "norm_1": _norm_of("1"), "norm_inf": _norm_of("∞"),
        **{op: made(op, lambda: MATH, _filled) for op in FILLED},
        "transpose": _transpose, "untranspose": undone(_transpose),
    },
    _call,
    _bracket,
    _constant,
)  # fmt: skip


EQUALS = '<mo form="infix" lspace="0" rspace="0.28em">=</mo>'


def math(*parts: str, display: bool = False) -> str:
    """Return a formula as an element; with `display`, fractions are large."""
    style = ' displaystyle="true"' * display
    return f"<math{style}>{''.join(parts)}</math>"
