"""The notation of a blackboard, in plain text: (x + y)·z, xᵀ, x², σ(z).

Every sign has an ASCII form, for screens that lack the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.printer import (  # fmt: skip
    ATOM,
    COMPARISON,
    NEGATION,
    POWER,
    PRODUCT,
    SUM,
    Form,
    Maker,
    Notation,
    Piece,
    bracketed,
    given,
    made,
    same,
    signed,
    undone,
)
from gradcheck.ops.compounds import FOLLOWING

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

ASCII = str.maketrans({
    "·": "*", "−": "-", "ᵀ": ".T", "σ": "sigmoid", "π": "pi", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!=", "×": "x",
    "∂": "d", "Σ": "sum", "→": "->", "◀": "<-", "✓": "ok", "✗": "wrong", "≈": "~",
    **{mark: f"^{digit}" for digit, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
})  # fmt: skip
"""What stands for the signs of this notation where a stream cannot hold them; for whole formulas there is `plain`."""

FORMS = {
    "add": Form("{0} + {1}", SUM, (SUM, PRODUCT)),
    "sub": Form("{0} - {1}", SUM, (SUM, PRODUCT)),
    "mul": Form("{0} · {1}", PRODUCT, (NEGATION, POWER)),
    "div": Form("{0}/{1}", PRODUCT, (NEGATION, POWER)),
    "matmul": Form("{0} @ {1}", PRODUCT, (NEGATION, POWER)),
    "neg": Form("-{0}", NEGATION, (POWER,)),
    "mT": Form("{0}ᵀ", ATOM, (ATOM,)),
    "reciprocal": Form("1/{0}", PRODUCT, (POWER,)),
    "square": Form("{0}²", POWER, (ATOM,)),
    "lt": Form("{0} < {1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "le": Form("{0} ≤ {1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "gt": Form("{0} > {1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "ge": Form("{0} ≥ {1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "eq": Form("{0} == {1}", COMPARISON, (SUM, SUM), bare_sign=True),
    "ne": Form("{0} != {1}", COMPARISON, (SUM, SUM), bare_sign=True),
}

SPELLINGS = {"sigmoid": "σ", "amax": "max", "amin": "min", "diagonal": "diag"}
"""Functions whose sign on the board is not their name."""


def _power(operands: Sequence[Piece], params: Params) -> Piece:
    base, exponent = operands
    below = bracketed(BOARD, base, ATOM)
    if exponent.text.isascii() and exponent.text.isdigit():
        return Piece(below + exponent.text.translate(SUPERSCRIPTS), POWER)
    return Piece(f"{below}^{bracketed(BOARD, exponent, POWER, first=False)}", POWER)


def _getitem(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(f"{bracketed(BOARD, operands[0], ATOM)}[{index(dict(params)['index'])}]")


def index(value: object) -> str:
    """Return what stands between the brackets of `x[…]`."""
    parts = value if isinstance(value, tuple) else (value,)
    return ", ".join(map(_part, parts))


def _part(part: object) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    if isinstance(part, tuple):
        return str(list(part))
    return {"None": "None", "Ellipsis": "…"}.get(str(part), str(part))


def _transpose(operands: Sequence[Piece], params: Params) -> Piece:
    if dict(params).get("axes") is None:
        return Piece(bracketed(BOARD, operands[0], ATOM) + "ᵀ")
    return Piece(_call("transpose", [operands[0].text], params))


def _call(op: str, operands: Sequence[str], params: Params) -> str:
    return called(SPELLINGS.get(op, op.partition("#")[0]), op, operands, params)


def called(name: str, op: str, operands: Sequence[str], params: Params) -> str:
    """Return a call under a name, with the static parameters that somebody would write."""
    settings = [f"{key}={_setting(key, value)}" for key, value in given(op, params) if not unsaid(key, value)]
    return f"{name}({', '.join([*operands, *settings])})"


UNWRITTEN = FOLLOWING | {"edge"}
"""Static parameters that nobody writes on a board."""

USUAL = {"stride": 1, "dilation": 1, "padding": 0}
"""Static parameters of windows that are left out where they are all this number."""


def unsaid(key: str, value: object) -> bool:
    """Return whether people leave a static parameter out."""
    if key not in USUAL:
        return key in UNWRITTEN
    parts = value if isinstance(value, tuple) else (value,)
    return all(part in (USUAL[key], (USUAL[key],) * 2) for part in parts)


def _setting(key: str, value: object) -> str:
    if key == "axis" and isinstance(value, tuple) and len(value) == 1:
        return str(value[0])
    return f"[{index(value)}]" if key == "index" else str(value)


def norm_of(order: str) -> Maker:
    """Return what writes a norm by its `ord`; "" where that is the parameter p."""

    def make(operands: Sequence[Piece], params: Params) -> Piece:
        rest = {name: value for name, value in params if name != "p"}
        said = order or dict(params)["p"]
        return Piece(called("norm", "norm", [operands[0].text, f"ord={said}"], tuple(rest.items())))

    return make


NORMS = {"norm_p": norm_of(""), "norm_1": norm_of("1"), "norm_inf": norm_of("inf")}

FILLED = ("eye", "ones", "zeros")
"""Arrays made of one number."""


def filled(op: str, shape: tuple[int, ...]) -> str:
    """Return the call that makes such an array."""
    return f"{op}({', '.join(map(str, shape))})"


def _constant(text: str) -> Piece:
    return Piece("π") if text == "pi" else signed(text)


BOARD: Notation = Notation(
    FORMS,
    {
        "pow": _power, "getitem": _getitem, "transpose": _transpose, "untranspose": undone(_transpose),
        "identity": same, **NORMS, **{op: made(op, lambda: BOARD, filled) for op in FILLED},
    },
    _call,
    "({})".format,
    _constant,
)  # fmt: skip
