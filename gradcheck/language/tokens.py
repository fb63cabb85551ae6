"""What the language's words look like.

Names are any Unicode identifiers, so that E, lambda and β are variables like any other.
"""

from __future__ import annotations

import re

NUMBER, NAME, CALL, ASSIGN, SYMBOL, NEWLINE, OTHER = range(1, 8)
"""Kinds of token: the number of the last group that matched. CALL and ASSIGN are names too."""

TOKEN = re.compile(
    r"[ \t\r\f\v\u00a0]*(?:\#[^\n]*)?(?:"
    r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|([^\W0-9]\w*)(?:(?=[ \t]*(\())|(?=[ \t]*(=)(?!=)))?"
    r"|(\*\*|<=|>=|==|!=|[-+*/^@(),<>\[\]:.=−·×÷])"
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

for _other, _plain in {"**": "^", "−": "-", "·": "*", "×": "*", "÷": "/"}.items():
    BINARY[_other] = BINARY[_plain]

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
