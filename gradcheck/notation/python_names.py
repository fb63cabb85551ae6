"""Names in a generated Python program: valid, unique, and none of those that the program itself uses."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Collection

from gradcheck.notation import python_helpers
from gradcheck.ops import COMPOUNDS, OPS

DEFINED = frozenset(
    op.name for op in (*OPS.values(), *COMPOUNDS.values()) if op.elementwise and (op.form or op.forward)
)
"""Ops that become a function by their own definition, unless Python or numpy has them."""

RESERVED = frozenset({
    *keyword.kwlist, "np", "math", "__debug__",
    "abs", "bool", "dict", "enumerate", "float", "int", "isinstance", "len", "list", "map", "max", "min", "print",
    "range", "repr", "reversed", "round", "slice", "sorted", "str", "sum", "super", "tuple", "type", "zip",
    "ArithmeticError", "ValueError",
    *python_helpers.NUMBERS, *python_helpers.ARRAYS, *DEFINED,
})  # fmt: skip
"""Names that no variable of a program may have: keywords, built-in functions in use, helpers."""


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """Return a valid Python identifier for any name; the user's own name wherever that is one.

    Args:
        name: any text; what cannot stand in an identifier becomes an underscore.
        taken: identifiers in use, the program's own ops (`own_name`) among them.
    """
    # Python itself reads identifiers in this normal form, so ﬁ and fi are one name.
    plain = unicodedata.normalize("NFKC", name)
    word = "".join(c if f"_{c}".isidentifier() else "_" for c in plain)
    if not word.isidentifier():
        word = f"_{word}"
    while word in RESERVED or word in taken:
        word += "_"
    return word


def own_name(op: str) -> str:
    """Return the function name of an op that a spec defines, for the key of its row.

    Names that differ stay different: what is not ASCII is spelled out.
    """
    name = op.partition("#")[0]
    return identifier("".join(c if c.isascii() else f"_u{ord(c):04x}" for c in name))
