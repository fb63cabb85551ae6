"""The op table: calculus as data. A new op is a new row in one of the family files."""

from __future__ import annotations

from gradcheck.ops import activations, arithmetic, arrays, compounds, functions, piecewise, special, windows
from gradcheck.ops.op import Op

OWN: dict[str, Op] = {}
"""Ops that specs define; each has a name of its own."""


COMPOUNDS: dict[str, Op] = {**{op.name: op for op in compounds.OPS}, **compounds.BACK}
"""Several gates that derivations show as one; no text can name them."""


class _Table(dict[str, Op]):
    """The built-in ops; looking up finds compounds and those of specs too."""

    def __missing__(self, name: str) -> Op:
        return COMPOUNDS.get(name) or OWN[name]


OPS = _Table(
    (op.name, op)
    for family in (arithmetic, functions, special, piecewise, activations, arrays, windows)
    for op in family.OPS
)

FUNCTIONS: dict[str, Op] = {
    spelling: op for op in OPS.values() if not op.internal for spelling in (op.name, *op.aliases)
}
"""Every name that can be called in the language."""

REDUCTIONS = {"max": "amax", "min": "amin"}
"""Functions that mean a reduction when they get a single operand."""

CHOICES = frozenset(op.name for op in OPS.values() if op.choice)
"""Ops whose first operand chooses one of the other two: by name, for a look over a whole graph."""

VARIADIC = frozenset({"max", "min", "concat"})
"""Binary ops that accept more operands in the language, folded from the left."""
