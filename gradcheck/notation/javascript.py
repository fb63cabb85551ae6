"""Formulas of single numbers as JavaScript, for a page that computes a circuit again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.definitions import Syntax, definition, formula, needed, own_ops, statements
from gradcheck.notation.definitions import speaks as speaks_words
from gradcheck.notation.printer import (  # fmt: skip
    ATOM,
    NEGATION,
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
from gradcheck.notation.python_names import DEFINED
from gradcheck.ops import OPS
from gradcheck.ops.op import Op

__all__ = ["HELPERS", "JAVASCRIPT", "identifier", "needed", "own_helper", "own_helpers", "speaks", "statements"]

FUNCTIONS = {
    **{
        name: f"Math.{name}"
        for name in (
            "abs", "sign", "floor", "ceil", "max", "min", "pow", "exp", "expm1", "log", "log1p", "log2", "log10",
            "sqrt", "cbrt", "hypot", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
            "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
        )
    },
    "round": "rint",
}  # fmt: skip
"""Op → the function that JavaScript, or a helper, has for it."""

FORMS = {
    "add": Form("{0} + {1}", SUM, (SUM, PRODUCT)),
    "sub": Form("{0} - {1}", SUM, (SUM, PRODUCT)),
    "mul": Form("{0} * {1}", PRODUCT, (NEGATION, POWER)),
    "div": Form("{0} / {1}", PRODUCT, (NEGATION, POWER)),
    "neg": Form("-{0}", NEGATION, (POWER,)),
    **dict.fromkeys(("reciprocal", "inv"), Form("1 / {0}", PRODUCT, (POWER,))),
    "square": Form("Math.pow({0}, 2)"),
    "relu": Form("Math.max({0}, 0)"),
    "heaviside": Form("(Math.sign({0}) + 1) / 2", PRODUCT),
}

SOURCES: Mapping[str, str] = {
    "rint": """\
function rint(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}
""",
    # DLMF 7.6.2: every term has the sign of x, so nothing cancels.
    "erfSeries": """\
function erfSeries(x) {
  let term = x;
  let sum = x;
  for (let n = 1; n < 90; n += 1) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}
""",
    # DLMF 7.9.1, from the inside out; a hundred terms are enough from 2 on.
    "erfcFraction": """\
function erfcFraction(x) {
  let tail = x;
  for (let n = 100; n > 0; n -= 1) {
    tail = x + n / 2 / tail;
  }
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}
""",
    "erf": """\
function erf(x) {
  return Math.abs(x) > 2 ? Math.sign(x) * (1 - erfcFraction(Math.abs(x))) : erfSeries(x);
}
""",
    "erfc": """\
function erfc(x) {
  return x > 2 ? erfcFraction(x) : 1 - erf(x);
}
""",
    "erfcx": """\
function erfcx(x) {
  if (x < 2) {
    return Math.exp(x * x) * erfc(x);
  }
  let tail = x;
  for (let n = 100; n > 0; n -= 1) {
    tail = x + n / 2 / tail;
  }
  return 1 / (Math.sqrt(Math.PI) * tail);
}
""",
    # Newton's method on the logarithm of erfc, from the right.
    "erfcTail": """\
function erfcTail(y) {
  let x = Math.sqrt(-Math.log(y));
  for (let n = 0; n < 20; n += 1) {
    x += Math.log(erfc(x) / y) * erfc(x) * Math.sqrt(Math.PI) / 2 * Math.exp(x * x);
  }
  return x;
}
""",
    "erfinv": """\
function erfinv(x) {
  if (Math.abs(x) >= 0.5) {
    return Math.sign(x) * erfcTail(1 - Math.abs(x));
  }
  let y = Math.sqrt(Math.PI) / 2 * x;
  for (let n = 0; n < 20; n += 1) {
    y -= (erf(y) - x) * Math.sqrt(Math.PI) / 2 * Math.exp(y * y);
  }
  return y;
}
""",
    "erfcinv": """\
function erfcinv(x) {
  return x > 0.5 && x < 1.5 ? erfinv(1 - x) : x < 1 ? erfcTail(x) : -erfcTail(2 - x);
}
""",
    # The remainder of a quotient is exact, so that every whole number but zero gives zero.
    "sinc": """\
function sinc(x) {
  const r = Math.abs(x) % 2;
  const s = r > 1.5 ? r - 2 : r > 0.5 ? 1 - r : r;
  return x === 0 ? 1 : Math.sin(Math.PI * s) / (Math.PI * Math.abs(x));
}
""",
    # DLMF 10.25.2
    "iv": """\
function iv(n, x) {
  const order = Math.abs(n);
  let term = 1;
  for (let k = 1; k <= order; k += 1) {
    term *= x / 2 / k;
  }
  let sum = term;
  for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k += 1) {
    term *= x * x / 4 / (k * (order + k));
    sum += term;
  }
  return sum;
}
""",
    # DLMF 10.40.1
    "scaledBessel": """\
function scaledBessel(n, x) {
  const size = Math.abs(x);
  if (size < 30) {
    return Math.exp(-size) * iv(n, x);
  }
  let term = 1;
  let sum = 1;
  for (let k = 1; k < 30; k += 1) {
    term *= (Math.pow(2 * k - 1, 2) - 4 * n * n) / (8 * k * size);
    sum += term;
  }
  return (n === 1 ? Math.sign(x) : 1) * sum / Math.sqrt(2 * Math.PI * size);
}
""",
    "i0e": """\
function i0e(x) {
  return scaledBessel(0, x);
}
""",
    "i1e": """\
function i1e(x) {
  return scaledBessel(1, x);
}
""",
}
"""Name → source of what JavaScript lacks."""

RESERVED = frozenset(
    (
        "arguments async await break case catch class const continue debugger default delete do else enum eval export "
        "extends false finally for function if implements import in instanceof interface let new null package private "
        "protected public return static super switch this throw true try typeof undefined var void while with yield "
        f"Infinity Math NaN Number Object {' '.join((*SOURCES, *sorted(DEFINED)))}"
    ).split()
)
"""Names that no variable of a page may have."""


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """Return a valid JavaScript identifier for any name; the user's own name wherever that is one.

    Args:
        name: any text; what cannot stand in an identifier becomes an underscore.
        taken: identifiers in use.
    """
    # Letters beyond the basic plane are younger than some browsers.
    word = "".join(c if f"_{c}".isidentifier() and c <= "\uffff" else "_" for c in name)
    if not word.isidentifier():
        word = f"_{word}"
    while word in RESERVED or word in taken:
        word += "_"
    return word


def _own_name(op: str) -> str:
    return identifier("".join(c if c.isascii() else f"_u{ord(c):04x}" for c in op.partition("#")[0]))


def _constant(text: str) -> Piece:
    if text in ("pi", "e"):
        return Piece({"pi": "Math.PI", "e": "Math.E"}[text])
    return signed(trimmed(text))


def _comparison(sign: str) -> Maker:
    def make(operands: Sequence[Piece], params: Params) -> Piece:
        left, right = (bracketed(JAVASCRIPT, one, SUM) for one in operands)
        condition = f"{left} {sign} {right}"
        return Piece(f"({condition} ? 1 : 0)", ATOM, False, condition)

    return make


def _step(operands: Sequence[Piece], params: Params) -> Piece:
    return _comparison(">")([operands[0], Piece("0")], params)


def _where(operands: Sequence[Piece], params: Params) -> Piece:
    test, yes, no = operands
    # NaN counts as true, as in Python.
    condition = test.condition or f"{bracketed(JAVASCRIPT, test, SUM)} !== 0"
    return Piece(f"({condition} ? {yes.text} : {no.text})")


def _select(operands: Sequence[Piece], params: Params) -> Piece:
    return _where([*operands, Piece("0")], params)


def _call(op: str, operands: Sequence[str], params: Params) -> str:
    name = FUNCTIONS.get(op) or (_own_name(op) if "#" in op else op)
    return f"{name}({', '.join(operands)})"


MAKERS: dict[str, Maker] = {
    "identity": same, "step": _step, "where": _where, "select": _select,
    **{
        op: _comparison(sign)
        for op, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "===", "ne": "!=="}.items()
    },
}  # fmt: skip

JAVASCRIPT = Notation(FORMS, MAKERS, _call, "({})".format, _constant)

_SYNTAX = Syntax(
    JAVASCRIPT, identifier, "function {name}({args}) {{", "  const {name} = {value};", "  return {value};", "}\n"
)


def own_helper(op: Op) -> str:
    """Return the source of a function that computes an op of a spec by its definition."""
    return definition(op, _own_name(op.name), _SYNTAX, [_own_name(one.name) for one in op.functions.values()])


def own_helpers(ops: Iterable[str]) -> dict[str, str]:
    """Return the functions for the ops of a spec among `ops` and those that they use: name → source."""
    return {_own_name(op.name): own_helper(op) for op in own_ops(ops)}


_PRESENT = {*FORMS, *MAKERS, *FUNCTIONS, *SOURCES}


def _defined() -> dict[str, str]:
    """Return the functions whose definitions need nothing that JavaScript lacks: name → source."""
    found: dict[str, str] = {}
    todo = sorted(DEFINED - _PRESENT)
    while ready := [name for name in todo if speaks_words(formula(OPS[name]).ops, _PRESENT | found.keys())]:
        found |= {name: definition(OPS[name], name, _SYNTAX) for name in ready}
        todo = [name for name in todo if name not in found]
    return found


HELPERS: Mapping[str, str] = {**SOURCES, **_defined()}
"""Functions that formulas call: name → source. `needed` picks those that a page needs."""


def speaks(ops: Iterable[str]) -> bool:
    """Return whether all of these ops can be written in JavaScript: the gamma functions and arrays cannot."""
    return speaks_words(ops, _PRESENT | HELPERS.keys())
