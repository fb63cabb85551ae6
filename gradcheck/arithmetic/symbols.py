"""SymPy expressions as a number system: the ops by SymPy's own functions, nothing of our rules."""

from __future__ import annotations

import operator
from typing import Any

import sympy

from gradcheck.arithmetic.compiling import OPERATORS, Function
from gradcheck.arithmetic.system import System

MAX_EXPONENT = 100
"""Whole numbers up to which SymPy may carry out powers and factorials in a closed form."""


def _compare(relation: Any) -> Function:
    return lambda x, y: sympy.Piecewise((1, relation(x, y)), (0, True))


def _where(c: Any, x: Any, y: Any) -> Any:
    if isinstance(c, sympy.Piecewise) and len(c.args) == 2 and c.args[0][0] == 1 and c.args[1][0] == 0:
        return sympy.Piecewise((x, c.args[0][1]), (y, True))
    return sympy.Piecewise((x, sympy.Ne(c, 0)), (y, True))


def _add(x: Any, y: Any) -> Any:
    # Two different symbols have nothing to combine. SymPy's general sum would first load its
    # tensor and combinatorics modules: an eighth of the time that SymPy itself takes to load.
    if x.is_Symbol and y.is_Symbol and x != y:
        return sympy.Add(x, y, evaluate=False)
    return x + y


def _power(x: Any, y: Any) -> Any:
    # SymPy would carry out 3^1000000000, also inside (3*x)^1000000000.
    if y.is_Rational and abs(y) > MAX_EXPONENT and not x.is_Symbol:
        raise ValueError("the exponent is too large to write out")
    return x**y


def _unevaluated(function: Any) -> Function:
    # Of whole numbers SymPy computes these exactly: gamma(10000000) has 65 million digits.
    def apply(*x: Any) -> Any:
        if any(one.is_number and abs(one) > MAX_EXPONENT for one in x):
            raise ValueError("the operand is too large to write out")
        return function(*x)

    return apply


def _constant(text: str) -> Any:
    if text in ("pi", "e"):
        return sympy.pi if text == "pi" else sympy.E
    return sympy.Rational(text)


NATIVES: dict[str, Function] = {
    "add": _add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "pow": _power,
    "identity": lambda x: x,
    "sign": sympy.sign,
    "abs": sympy.Abs,
    "step": lambda x: sympy.Heaviside(x, 0),
    "heaviside": sympy.Heaviside,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "round": lambda x: sympy.floor(x + sympy.S.Half),
    "max": sympy.Max,
    "min": sympy.Min,
    "where": _where,
    "select": lambda c, g: _where(c, g, sympy.S.Zero),
    "cbrt": lambda x: sympy.sign(x) * sympy.Abs(x) ** sympy.Rational(1, 3),
    "lgamma": _unevaluated(sympy.loggamma),
    "digamma": _unevaluated(sympy.digamma),
    "gamma": _unevaluated(sympy.gamma),
    "polygamma": _unevaluated(sympy.polygamma),
    "iv": sympy.besseli,
    "sinc": lambda x: sympy.sinc(sympy.pi * x),
    # Off x = 0 that is what it is, and the slopes are those there too, while SymPy would take x = 0 for a place apart.
    "xlogy": lambda x, y: x * sympy.log(y),
    "xlog1py": lambda x, y: x * sympy.log(1 + y),
    "lt": _compare(sympy.Lt),
    "le": _compare(sympy.Le),
    "gt": _compare(sympy.Gt),
    "ge": _compare(sympy.Ge),
    "eq": _compare(sympy.Eq),
    "ne": _compare(sympy.Ne),
    **{
        name: getattr(sympy, name)
        for name in (
            "exp", "log", "sqrt", "sin", "cos", "tan", "sec", "csc", "cot",
            "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
            "erf", "erfc", "erfinv", "erfcinv",
        )
    },
}  # fmt: skip

INLINE = {op: text for op, text in OPERATORS.items() if op != "add"}

SYMBOLS = System("SymPy", NATIVES, _constant, inline={**INLINE, "div": "({0} / {1})"})
