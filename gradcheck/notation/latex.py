r"""Formulas as LaTeX, for amsmath: \frac{x}{1 + e^{-y}}, x^{\top}, \sigma(z).

Functions always have brackets, a comparison as a number stands in square ones (Iverson's), and a
product without a sign is a matrix product.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.board import FILLED, index, unsaid
from gradcheck.notation.latex_names import on_web, symbol, word
from gradcheck.notation.printer import (  # fmt: skip
    ATOM,
    JUXTAPOSED,
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
    given,
    made,
    same,
    signed,
    undone,
)

__all__ = ["LATEX", "WEB", "number", "symbol"]

_NUMBER = re.compile(r"([-−]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([-+]?[0-9]+))?")
_BEGIN, _END = r"\begin{cases} ", r" \end{cases}"
MADE = {"eye": "I", "ones": r"\mathbf{1}", "zeros": r"\mathbf{0}"}
_TALL = re.compile(r"\\(?:(?:frac|begin|sqrt)\b|left\()")


def number(text: str) -> Piece:
    r"""Write a number: 1e-06 as 1 \times 10^{-6}, NaN and infinity as such; any other text as a name."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        special = {"nan": r"\text{NaN}", "inf": r"\infty", "-inf": r"-\infty", "−inf": r"-\infty"}
        return signed(special.get(text) or symbol(text))
    sign, digits, exponent = found.groups()
    sign = "-" if sign else ""
    if exponent is None:
        return signed(sign + digits)
    return Piece(rf"{sign}{digits} \times 10^{{{int(exponent)}}}", PRODUCT, bool(sign))


def _constant(text: str) -> Piece:
    # Upright, so that nobody takes it for a variable e.
    return {"pi": Piece(r"\pi"), "e": Piece(r"\mathrm{e}")}.get(text) or number(text)


def _round(text: str) -> str:
    return rf"\left({text}\right)" if _TALL.search(text) else f"({text})"


def _raised(piece: Piece) -> str:
    """Return the text of what gets an exponent: (sin(x))², never sin(x)², which might be sin(x²)."""
    if piece.binds == ATOM and piece.text.endswith(")"):
        return _round(piece.text)
    return bracketed(LATEX, piece, ATOM)


def _frac(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(rf"\frac{{{operands[0].text}}}{{{operands[1].text}}}", POWER)


def _inverse(operands: Sequence[Piece], params: Params) -> Piece:
    return _frac([Piece("1"), *operands], params)


def _power(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(f"{_raised(operands[0])}^{{{operands[1].text}}}", POWER)


def _square(operands: Sequence[Piece], params: Params) -> Piece:
    return _power([*operands, Piece("2")], params)


def _exp(operands: Sequence[Piece], params: Params) -> Piece:
    text = operands[0].text
    return Piece(rf"\exp{_round(text)}") if _TALL.search(text) else Piece(rf"\mathrm{{e}}^{{{text}}}", POWER)


def _log_gamma(operands: Sequence[Piece], params: Params) -> Piece:
    inner = rf"\Gamma{_round(operands[0].text)}"
    return Piece(rf"\log{_round(inner)}")


def _polygamma(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(rf"\psi^{{({operands[0].text})}}{_round(operands[1].text)}")


def _bessel(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(rf"I_{{{operands[0].text}}}{_round(operands[1].text)}")


def _norm(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(rf"\left\|{operands[0].text}\right\|{_subscript('norm', params)}")


def _norm_of(order: str) -> Maker:
    def make(operands: Sequence[Piece], params: Params) -> Piece:
        rest = tuple((name, value) for name, value in params if name != "p")
        along = _subscript("norm", rest)[2:-1]
        said = ", ".join(part for part in (order or str(dict(params)["p"]), along) if part)
        return Piece(rf"\left\|{operands[0].text}\right\|_{{{said}}}")

    return make


def _raised_to(exponent: str) -> Maker:
    return lambda operands, params: Piece(f"{_raised(operands[0])}^{{{exponent}}}", POWER)


def _solve(operands: Sequence[Piece], params: Params) -> Piece:
    matrix, right = operands
    return Piece(rf"{_raised(matrix)}^{{-1}}\,{bracketed(LATEX, right, POWER, first=False)}", JUXTAPOSED)


def _filled(op: str, shape: tuple[int, ...]) -> str:
    lengths = r" \times ".join(map(str, shape))
    return f"{MADE[op]}_{{{lengths}}}"


def _iverson(condition: str) -> Piece:
    return Piece(rf"\left[{condition}\right]", ATOM, False, condition)


def _comparison(sign: str) -> Maker:
    def make(operands: Sequence[Piece], params: Params) -> Piece:
        left, right = (bracketed(LATEX, one, SUM) for one in operands)
        return _iverson(f"{left} {sign} {right}")

    return make


def _product(operands: Sequence[Piece], params: Params) -> Piece:
    # As a factor, 1 if x > y and else 0 is better read in one line.
    left, right = (_iverson(one.condition) if one.condition else one for one in operands)
    text = rf"{bracketed(LATEX, left, NEGATION)} \cdot {bracketed(LATEX, right, JUXTAPOSED, first=False)}"
    return Piece(text, PRODUCT, left.signed and left.binds >= NEGATION)


def _where(operands: Sequence[Piece], params: Params) -> Piece:
    test, yes, no = operands
    condition = test.condition or rf"{bracketed(LATEX, test, SUM)} \neq 0"
    chain = no.text.removeprefix(_BEGIN).removesuffix(_END)
    rest = chain if len(chain) < len(no.text) and no.binds == OPEN else rf"{no.text} & \text{{otherwise}}"
    cases = rf"{_BEGIN}{yes.text} & \text{{if }} {condition} \\ {rest}{_END}"
    return Piece(cases, OPEN, False, condition if (yes.text, no.text) == ("1", "0") else "")


def _select(operands: Sequence[Piece], params: Params) -> Piece:
    return _where([*operands, Piece("0")], params)


def _getitem(operands: Sequence[Piece], params: Params) -> Piece:
    base = _raised(operands[0])
    # A second subscript would be an error in TeX.
    base = _round(base) if "_{" in base and not base.endswith(")") else base
    places = index(dict(params)["index"]).replace("…", r"\dots").replace("None", r"\text{None}")
    return Piece(f"{base}_{{{places.replace(', ', ',')}}}")


def _transpose(operands: Sequence[Piece], params: Params) -> Piece:
    if dict(params).get("axes") is None:
        return Piece(rf"{_raised(operands[0])}^{{\top}}", POWER)
    return Piece(_call("transpose", [operands[0].text], params))


def _web_transpose(operands: Sequence[Piece], params: Params) -> Piece:
    named = dict(params).get("axes") is not None
    return Piece(_web_call("transpose", [operands[0].text], params)) if named else _transpose(operands, params)


def _subscript(op: str, params: Params) -> str:
    # Whether reduced axes are kept changes no number, and a reader sees it from the context.
    said = [(name, value) for name, value in given(op, params) if name != "keepdims" and not unsaid(name, value)]
    parts = [_setting(name, value) for name, value in said]
    return f"_{{{', '.join(parts)}}}" if parts else ""


def _setting(name: str, value: object) -> str:
    if name == "index":
        return index(value).replace("…", r"\dots").replace("None", r"\text{None}")
    while isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    shown = str(value) if isinstance(value, (int, tuple)) else rf"\text{{{value}}}"
    if name == "axis":
        return rf"\text{{axes }}{shown[1:-1]}" if isinstance(value, tuple) else rf"\text{{axis }}{shown}"
    return rf"\text{{{name}}}={shown}"


def _call(op: str, operands: Sequence[str], params: Params) -> str:
    name = COMMANDS.get(op) or rf"\operatorname{{{word(op.partition('#')[0])}}}"
    return f"{name}{_subscript(op, params)}{_round(', '.join(operands))}"


def _web_call(op: str, operands: Sequence[str], params: Params) -> str:
    name = rf"\mathrm{{{word(op.partition('#')[0], on_web)}}}"
    name = COMMANDS[op].replace(r"\operatorname", r"\mathrm") if op in COMMANDS else name
    return f"{name}{_subscript(op, params)}{_round(', '.join(operands))}"


COMMANDS = {
    **{name: f"\\{name}" for name in ("log", "sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh")},
    **{f"a{name}": rf"\arc{name}" for name in ("sin", "cos", "tan")},
    **{f"a{name}": rf"\operatorname{{ar{name}}}" for name in ("sinh", "cosh", "tanh")},
    "log2": r"\log_{2}", "log10": r"\log_{10}", "max": r"\max", "min": r"\min", "amax": r"\max", "amin": r"\min",
    "det": r"\det", "logdet": r"\log\det", "trace": r"\operatorname{tr}", "cofactor": r"\operatorname{cof}",
    "diagonal": r"\operatorname{diag}",
    "sigmoid": r"\sigma", "gamma": r"\Gamma", "digamma": r"\psi",
    "beta": r"\mathrm{B}", "ndtr": r"\Phi", "ndtri": r"\Phi^{-1}", "norm_pdf": r"\varphi", "i0": "I_{0}", "i1": "I_{1}",
    "erfinv": r"\operatorname{erf}^{-1}", "erfcinv": r"\operatorname{erfc}^{-1}", "trigamma": r"\psi^{(1)}",
}  # fmt: skip
"""Functions that are not written in their own letters."""

FORMS = {
    "add": Form("{0} + {1}", SUM, (SUM, PRODUCT)),
    "sub": Form("{0} - {1}", SUM, (SUM, PRODUCT)),
    "matmul": Form(r"{0}\,{1}", JUXTAPOSED, (JUXTAPOSED, POWER)),
    "neg": Form("-{0}", NEGATION, (JUXTAPOSED,)),
    # Nobody agrees whether these bind more tightly than a product.
    "kron": Form(r"{0} \otimes {1}", SUM, (POWER, POWER)),
    "cross": Form(r"{0} \times {1}", SUM, (POWER, POWER)),
    "sqrt": Form(r"\sqrt{{{0}}}"),
    "cbrt": Form(r"\sqrt[3]{{{0}}}"),
    "abs": Form(r"\left|{0}\right|"),
    "floor": Form(r"\left\lfloor {0} \right\rfloor"),
    "ceil": Form(r"\left\lceil {0} \right\rceil"),
}

MAKERS: dict[str, Maker] = {
    "mul": _product, "div": _frac, "reciprocal": _inverse, "pow": _power, "square": _square, "exp": _exp,
    "identity": same, "lgamma": _log_gamma, "polygamma": _polygamma, "iv": _bessel, "norm": _norm,
    "norm_p": _norm_of(""), "norm_1": _norm_of("1"), "norm_inf": _norm_of(r"\infty"),
    "inv": _raised_to("-1"), "pinv": _raised_to("+"), "solve": _solve,
    **{op: made(op, lambda: LATEX, _filled) for op in FILLED},
    "where": _where, "select": _select,
    "getitem": _getitem, "transpose": _transpose, "untranspose": undone(_transpose), "mT": _transpose,
    **{
        op: _comparison(sign)
        for op, sign in {"lt": "<", "le": r"\leq", "gt": ">", "ge": r"\geq", "eq": "=", "ne": r"\neq"}.items()
    },
}  # fmt: skip

LATEX: Notation = Notation(FORMS, MAKERS, _call, _round, _constant)

WEB = LATEX._replace(
    makers={**MAKERS, "transpose": _web_transpose, "untranspose": undone(_web_transpose)}, call=_web_call
)
"""What GitHub takes of it: it forbids \\operatorname, and has all letters."""
