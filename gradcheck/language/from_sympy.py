"""SymPy expressions as text of gradcheck's own language.

The closed form a user reads can be pasted into --claim, and the text that is shown is the
text that is parsed and evaluated.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.str import StrPrinter

NAMES = {
    "Abs": "abs",
    "besseli": "iv",
    "ceiling": "ceil",
    "Heaviside": "heaviside",
    "loggamma": "lgamma",
    "Max": "max",
    "Min": "min",
}


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy's own printer, with this language's power sign, function names and `where`."""

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.as_base_exp()
        if exponent == sympy.S.Half:
            return f"sqrt({self._print(base)})"
        if exponent == -sympy.S.Half:
            return f"1/sqrt({self._print(base)})"
        if base is sympy.E:
            return f"exp({self._print(exponent)})"
        if expr.is_commutative and exponent.is_Rational and exponent < 0:
            below = base if exponent == -1 else base**-exponent
            return f"1/{self._atom(below) if exponent == -1 else self._print(below)}"
        return f"{self._atom(base)}^{self._atom(exponent)}"

    def _atom(self, expr: Any) -> str:
        text: str = self._print(expr)
        plain = expr.is_Symbol or (expr.is_Integer and expr >= 0) or (expr.is_Function and not expr.is_Piecewise)
        return text if plain else f"({text})"

    def _print_Function(self, expr: Any) -> str:
        name = expr.func.__name__
        arguments = list(expr.args)
        if name == "Heaviside":
            name, arguments = "step" if expr.args[1:] == (0,) else name, arguments[:1]
        if name == "polygamma" and arguments[0] == 0:
            name, arguments = "digamma", arguments[1:]
        if name == "besseli" and arguments[0] in (0, 1):
            name, arguments = f"i{arguments[0]}", arguments[1:]
        if name == "sinc":
            # Ours is normalised.
            arguments = [arguments[0] / sympy.pi]
        return f"{NAMES.get(name, name)}({', '.join(map(self._print, arguments))})"

    _print_Heaviside = _print_Max = _print_Min = _print_Abs = _print_Function
    _print_ExpBase = _print_exp = _print_Function

    def _print_LatticeOp(self, expr: Any) -> str:
        arguments = sorted(map(self._print, expr.args))
        return f"{NAMES.get(expr.func.__name__, expr.func.__name__)}({', '.join(arguments)})"

    _print_Max = _print_Min = _print_LatticeOp

    def _print_Exp1(self, expr: Any) -> str:
        return "e"

    def _print_Piecewise(self, expr: Any) -> str:
        *chosen, last = expr.args
        text: str = self._print(last[0])
        if last[1] is not sympy.true:
            chosen, text = list(expr.args), "0/0"
        for value, condition in reversed(chosen):
            text = f"where({self._print(condition)}, {self._print(value)}, {text})"
        return text

    def _print_Relational(self, expr: Any) -> str:
        sign = {"Equality": "==", "Unequality": "!="}.get(type(expr).__name__, expr.rel_op)
        return f"{self._print(expr.lhs)} {sign} {self._print(expr.rhs)}"


_PRINTER = _Printer({"order": None})


def to_text(expression: Any) -> str:
    """Return a SymPy expression in gradcheck's language.

    Raises:
        ValueError: if it holds something the language cannot say (an unevaluated derivative).
    """
    if expression.has(sympy.Derivative, sympy.Subs, sympy.Integral, sympy.I, sympy.nan, sympy.zoo, sympy.oo):
        raise ValueError("not expressible")
    text: str = _PRINTER.doprint(expression)
    return text
