"""Formulas of single numbers as plain Python, with nothing but `math`; and what all Python formulas share."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.printer import (  # fmt: skip
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
    bracketed,
    same,
    signed,
    trimmed,
)
from gradcheck.notation.python_names import own_name

SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}

PLAIN = {
    "add": Form("{0} + {1}", SUM, (SUM, PRODUCT)),
    "sub": Form("{0} - {1}", SUM, (SUM, PRODUCT)),
    "div": Form("{0} / {1}", PRODUCT, (NEGATION, POWER)),
    "neg": Form("-{0}", NEGATION, (POWER,)),
    "reciprocal": Form("1.0 / {0}", PRODUCT, (POWER,)),
}
"""Python's own operators."""

_WHOLE = re.compile(r"([0-9]+)\.0")
_SIMPLE = re.compile(r"[\w.]+")


def enclosed(piece: Piece, needs: int, first: bool = True) -> str:
    """Return the text of an operand, in brackets where it binds less tightly than it must."""
    return bracketed(NUMBERS, piece, needs, first)


def constant(text: str, module: str) -> Piece:
    """Write a number of a graph as a float; pi and e are those of a module."""
    if text in ("pi", "e"):
        return Piece(f"{module}.{text}")
    plain = trimmed(text)
    return signed(f"{plain}.0" if plain.isdigit() else plain)


def product(operands: Sequence[Piece], params: Params) -> Piece:
    """Write a product; a comparison in it stands as it is, since Python multiplies by True and False."""
    left, right = operands
    if bool(left.condition) != bool(right.condition):
        left, right = (Piece(f"({one.condition})") if one.condition else one for one in operands)
    text = f"{enclosed(left, NEGATION)} * {enclosed(right, POWER, first=False)}"
    return Piece(text, PRODUCT, left.signed and left.binds >= NEGATION)


def power(operands: Sequence[Piece], params: Params) -> Piece:
    """Write a power, with a whole exponent as a whole number."""
    base, exponent = enclosed(operands[0], ATOM), enclosed(operands[1], POWER, first=False)
    if whole := _WHOLE.fullmatch(exponent):
        exponent = whole[1]
    space = "" if _SIMPLE.fullmatch(base) and _SIMPLE.fullmatch(exponent) else " "
    return Piece(f"{base}{space}**{space}{exponent}", POWER)


def square(operands: Sequence[Piece], params: Params) -> Piece:
    """Write a square."""
    return power([operands[0], Piece("2")], params)


def comparison(sign: str, number: Piece) -> Maker:
    """Return what writes a comparison; `number` has a hole for the condition and gives its number."""

    def make(operands: Sequence[Piece], params: Params) -> Piece:
        condition = f"{enclosed(operands[0], SUM)} {sign} {enclosed(operands[1], SUM)}"
        return Piece(number.text.format(condition), number.binds, False, condition)

    return make


def comparisons(number: Piece) -> dict[str, Maker]:
    """Return what writes each comparison, and the step function, which is one with zero."""
    greater = comparison(">", number)
    return {
        **{op: comparison(sign, number) for op, sign in SIGNS.items()},
        "step": lambda operands, params: greater([operands[0], Piece("0")], params),
    }


def called(functions: dict[str, str], op: str, operands: Sequence[str], keywords: Sequence[str] = ()) -> str:
    """Write a call; what is not in `functions` has a helper under its own name."""
    name = functions.get(op) or (own_name(op) if "#" in op else op)
    return f"{name}({', '.join([*operands, *keywords])})"


def _where(operands: Sequence[Piece], params: Params) -> Piece:
    test, yes, no = operands
    condition = test.condition or enclosed(test, COMPARISON)
    return Piece(f"{enclosed(yes, COMPARISON)} if {condition} else {enclosed(no, COMPARISON)}", OPEN)


def _select(operands: Sequence[Piece], params: Params) -> Piece:
    return _where([*operands, Piece("0.0")], params)


FUNCTIONS = {
    **{
        name: f"math.{name}"
        for name in (
            "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "hypot",
            "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "gamma", "lgamma",
        )
    },
    "abs": "abs", "max": "max", "min": "min",
}  # fmt: skip
"""Op → the function that Python has for it."""

FORMS = {
    **PLAIN,
    **{name: Form(f"float(math.{name}({{0}}))") for name in ("floor", "ceil")},
    "round": Form("float(round({0}))"),
    "relu": Form("max({0}, 0.0)"),
    "inv": PLAIN["reciprocal"],
}

MAKERS: dict[str, Maker] = {
    "mul": product, "pow": power, "square": square, "identity": same, "where": _where, "select": _select,
    **comparisons(Piece("float({})")),
}  # fmt: skip

NUMBERS = Notation(
    FORMS,
    MAKERS,
    lambda op, operands, params: called(FUNCTIONS, op, operands),
    "({})".format,
    lambda text: constant(text, "math"),
)
"""Single numbers."""
