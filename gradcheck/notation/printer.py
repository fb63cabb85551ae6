"""A graph as a formula: one walk over the gates, with as few brackets as the notation allows.

What differs between notations is data: how each op looks and how tightly it binds. The user's own
form is kept: nothing is reordered, and a bracket that decides about the order of evaluation stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gradcheck.graph.graph import Graph, Params, upstream
from gradcheck.ops import OPS

OPEN, COMPARISON, SUM, NEGATION, PRODUCT, JUXTAPOSED, POWER, ATOM = range(8)
"""How tightly a piece binds. OPEN asks for nothing: what is enclosed needs no bracket.

JUXTAPOSED is a product without a sign, in notations that have one: a · b c is a · (b c).
"""


class Piece(NamedTuple):
    """A part of a formula.

    Attributes:
        text: the part itself.
        binds: how tightly it binds.
        signed: whether it begins with a sign.
        condition: a comparison as a condition; "" for anything else. Some notations write the number
            that it stands for in another way.
    """

    text: str
    binds: int = ATOM
    signed: bool = False
    condition: str = ""


class Form(NamedTuple):
    """How an op looks.

    Attributes:
        text: with {0}, {1}, … for the operands.
        binds: how tightly the result binds.
        needs: how tightly each operand must bind to stand without brackets.
        bare_sign: whether an operand with a sign may stand in a place other than the first.
    """

    text: str
    binds: int = ATOM
    needs: tuple[int, ...] = (OPEN,)
    bare_sign: bool = False


Maker = Callable[[Sequence[Piece], Params], Piece]
"""(operands, static parameters) → the op applied, where a text with holes does not do."""


class Notation(NamedTuple):
    """How formulas are written.

    Attributes:
        forms: op → how it looks.
        makers: op → the function that writes it; asked before `forms`.
        call: (op, operand texts, static parameters) → text, for every other op.
        bracket: puts brackets around a text.
        constant: text of a number in the graph → its text here.
    """

    forms: Mapping[str, Form]
    makers: Mapping[str, Maker]
    call: Callable[[str, Sequence[str], Params], str]
    bracket: Callable[[str], str]
    constant: Callable[[str], Piece]


def bracketed(notation: Notation, piece: Piece, needs: int, first: bool = True, bare_sign: bool = False) -> str:
    """Return the text of an operand, in brackets where it binds less tightly than it must."""
    loose = piece.binds < needs or (piece.signed and not first and not bare_sign and needs > OPEN)
    return notation.bracket(piece.text) if loose else piece.text


def signed(text: str) -> Piece:
    """Return a number as a piece: a negative one binds as loosely as a negation."""
    return Piece(text, NEGATION, True) if text.startswith(("-", "−")) else Piece(text)


def trimmed(text: str) -> str:
    """Return a number without leading zeros, which programming languages refuse or take for octal."""
    stripped = text.lstrip("0")
    return stripped if stripped[:1].isdigit() else text[max(len(text) - len(stripped) - 1, 0) :]


def write(graph: Graph, notation: Notation, names: Mapping[str, Piece], node: int | None = None) -> Piece:
    """Write the formula of a node.

    Args:
        graph: the graph; what several gates share is written out each time.
        notation: how.
        names: input name → what stands for it.
        node: the node; the output if None.
    """
    end = graph.output if node is None else node
    pieces: dict[int, Piece] = {}
    for name, k in graph.inputs.items():
        pieces[k] = names[name]
    for k, text in graph.constants.items():
        pieces[k] = notation.constant(text)
    needed = upstream(graph, [end])
    for k in sorted(needed):
        if k not in pieces:
            operands = [pieces[n] for n in graph.operands(k)]
            pieces[k] = applied(notation, graph.ops[k], operands, graph.params.get(k, ()))
    return pieces[end]


def applied(notation: Notation, op: str, operands: Sequence[Piece], params: Params = ()) -> Piece:
    """Write an op applied to operands."""
    maker = notation.makers.get(op)
    if maker is not None:
        return maker(operands, params)
    form = notation.forms.get(op)
    if form is None:
        return Piece(notation.call(op, [piece.text for piece in operands], params))
    needs = form.needs if len(form.needs) == len(operands) else form.needs * len(operands)
    texts = [
        bracketed(notation, piece, need, first=k == 0, bare_sign=form.bare_sign)
        for k, (piece, need) in enumerate(zip(operands, needs, strict=True))
    ]
    begins = form.text.startswith("{0}") and needs[0] > OPEN and operands[0].signed and texts[0] == operands[0].text
    return Piece(form.text.format(*texts), form.binds, begins or form.text.startswith(("-", "−")))


def given(op: str, params: Params) -> list[tuple[str, object]]:
    """Return the static parameters that differ from the op's defaults, in the op's own order."""
    row, values = OPS[op], dict(params)
    return [(name, values[name]) for name, usual in row.params.items() if name in values and values[name] != usual]


def same(operands: Sequence[Piece], params: Params) -> Piece:
    """Write an op that changes nothing."""
    return operands[0]


def made(op: str, notation: Callable[[], Notation], spelled: Callable[[str, tuple[int, ...]], str]) -> Maker:
    """Return what writes an array made of one number: by its name if it is the usual one, else as a multiple.

    Args:
        op: the op: "eye", "ones" or "zeros".
        notation: returns the notation.
        spelled: (op, shape) → how the array is written.
    """

    def make(operands: Sequence[Piece], params: Params) -> Piece:
        shape = dict(params)["shape"]
        assert isinstance(shape, tuple)
        if operands[0].text == notation().constant(OPS[op].defaults["x"]).text:
            return Piece(spelled(op, shape))
        return applied(notation(), "mul", [operands[0], Piece(spelled("ones" if op == "zeros" else op, shape))])

    return make


def undone(transpose: Maker) -> Maker:
    """Return what writes the transpose that undoes a transpose."""

    def make(operands: Sequence[Piece], params: Params) -> Piece:
        axes = dict(params).get("axes")
        if axes is None:
            return transpose(operands, params)
        order = [axis % len(axes) for axis in axes]
        return transpose(operands, (("axes", tuple(order.index(k) for k in range(len(order)))),))

    return make
