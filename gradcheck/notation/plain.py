"""The notation of gradcheck's own language: the board's, in ASCII, for screens that have no other signs."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.board import ASCII, BOARD, FILLED, FORMS, called, filled, index
from gradcheck.notation.printer import ATOM, POWER, Form, Notation, Piece, bracketed, made, signed, undone

MATRIX_TRANSPOSE = Form("{0}.mT", ATOM, (ATOM,))


def _power(operands: Sequence[Piece], params: Params) -> Piece:
    base, exponent = operands
    return Piece(f"{bracketed(PLAIN, base, ATOM)}^{bracketed(PLAIN, exponent, POWER, first=False)}", POWER)


def _call(op: str, operands: Sequence[str], params: Params) -> str:
    return called({"diagonal": "diag"}.get(op, op.partition("#")[0]), op, operands, params)


def _getitem(operands: Sequence[Piece], params: Params) -> Piece:
    inner = index(dict(params)["index"]).replace("…", "...")
    return Piece(f"{bracketed(PLAIN, operands[0], ATOM)}[{inner}]")


def _transpose(operands: Sequence[Piece], params: Params) -> Piece:
    if dict(params).get("axes") is None:
        return Piece(bracketed(PLAIN, operands[0], ATOM) + ".T")
    return Piece(_call("transpose", [operands[0].text], params))


PLAIN: Notation = Notation(
    {**{op: form._replace(text=form.text.translate(ASCII)) for op, form in FORMS.items()}, "mT": MATRIX_TRANSPOSE},
    {
        **BOARD.makers,
        "pow": _power,
        "transpose": _transpose,
        "untranspose": undone(_transpose),
        "getitem": _getitem,
        **{op: made(op, lambda: PLAIN, filled) for op in FILLED},
    },
    _call,
    "({})".format,
    signed,
)
