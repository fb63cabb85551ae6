"""What the language's words look like.

Names are any Unicode identifiers, so that E, lambda and β are variables like any other. They may carry digits,
subscripts, accents and primes too (x₁, ŷ, w′), but no superscript: that is something done to a value.
"""

from __future__ import annotations

import re

NUMBER, NAME, CALL, ASSIGN, SYMBOL, NEWLINE, OTHER = range(1, 8)
"""Kinds of token: the number of the last group that matched. CALL and ASSIGN are names too."""

SUPERSCRIPTS = (
    "\u00aa\u00b2\u00b3\u00b9\u00ba\u02b0-\u02b8\u02e0-\u02e4\u1d2c-\u1d61\u1d78\u1d9b-\u1dbf"
    "\u2070\u2071\u2074-\u207f\u2c7d"
)
"""Letters and digits that are raised, as a class of a regular expression."""

_MARKS = "\u0300-\u036f\u2032-\u2034'"
"""Combining accents and primes."""

WORD = rf"[^\W0-9{SUPERSCRIPTS}][^\W{SUPERSCRIPTS}]*(?:[{_MARKS}][^\W{SUPERSCRIPTS}]*)*"
"""A name."""

TOKEN = re.compile(
    r"[ \t\r\f\v\u00a0]*(?:\#[^\n]*)?(?:"
    r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rf"|({WORD})(?:(?=[ \t]*(\())|(?=[ \t]*(=)(?!=)))?"
    r"|(\*\*|<=|>=|==|!=|[-+*/^@(),<>\[\]:.=−·⋅×÷])"
    r"|([;\n])"
    r"|(.))?"
)
"""One token with the blanks and the comment before it; no group matches at the end of the text.

A name followed by `(` or `=` also captures that sign, without consuming it.
"""

BINARY = {
    "+": ("add", 2),
    "-": ("sub", 2),
    "*": ("mul", 3),
    "/": ("div", 3),
    "@": ("matmul", 3),
    "^": ("pow", 5),
    "<": ("lt", 1),
    "<=": ("le", 1),
    ">": ("gt", 1),
    ">=": ("ge", 1),
    "==": ("eq", 1),
    "!=": ("ne", 1),
}
"""Operator → op and precedence. A power binds tightest and groups to the right."""

for _other, _plain in {"**": "^", "−": "-", "·": "*", "⋅": "*", "×": "*", "÷": "/"}.items():
    BINARY[_other] = BINARY[_plain]

TRANSPOSED = "ᵀ"
"""What stands behind a transposed matrix."""

NEGATION = 4
COMPARISON = 1
POWER = 5

CONSTANTS = {"pi": "pi", "π": "pi", "e": "e"}
"""Names that are constants as long as nobody gives them a value."""

PYTHON_WORDS = frozenset({"if", "else", "and", "or", "not", "in", "is"})
"""Words that belong to Python's conditions; as names they are variables like any other."""

FOREIGN = {
    "!": "for a factorial write gamma(n + 1)",
    "|": "write abs(x)",
    "²": "write x^2",
    "³": "write x^3",
    "ⁿ": "write x^n",
    "⁻": "write inv(A) for the inverse of a matrix, 1/x for a reciprocal",
    "√": "write sqrt(x)",
    "%": "remainders are not differentiable; write x - y*floor(x/y)",
    "&": "nest `where` instead of combining conditions",
    "{": "use round brackets ( )",
    "}": "use round brackets ( )",
    '"': "values come from --at, not from quoted text",
    "'": "values come from --at, not from quoted text",
    "?": "write where(condition, a, b)",
    "$": "write the formula without $",
    "\\": "write functions by name, without a backslash",
}
"""What to write instead of a character that the language lacks."""


def is_name(word: str) -> bool:
    """Return whether a word is an identifier, with subscripts, accents and primes where digits may stand."""
    return word.isidentifier() or (
        word[:1].isidentifier() and all(f"a{c}".isidentifier() or c in "′″‴'" or "₀" <= c <= "₉" for c in word[1:])
    )
