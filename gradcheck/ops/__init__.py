"""The op table: calculus as data. A new op is a new row in one of the family files."""

from __future__ import annotations

import math

from gradcheck.ops import (
    activations,
    arithmetic,
    arrays,
    compounds,
    functions,
    matrices,
    piecewise,
    shapes,
    special,
    windows,
)
from gradcheck.ops.op import REQUIRED, Op

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
    for family in (arithmetic, functions, special, piecewise, activations, arrays, matrices, windows)
    for op in family.OPS
)

EINSUM = Op("einsum", "x y", params={"subscripts": REQUIRED}, shape=shapes.scalar)
"""Written out by the parser as other ops; it takes any number of operands."""

FUNCTIONS: dict[str, Op] = {
    spelling: op for op in OPS.values() if not op.internal for spelling in (op.name, *op.aliases)
} | {EINSUM.name: EINSUM}
"""Every name that can be called in the language."""

NORMS = {None: "norm", 1: "norm_1", math.inf: "norm_inf", "fro": "norm"}
"""Which op a norm of a vector or a matrix is, by its ord; any other is `norm_p`, of vectors."""

REDUCTIONS = {"max": "amax", "min": "amin"}
"""Functions that mean a reduction when they get a single operand."""

CHOICES = frozenset(op.name for op in OPS.values() if op.choice)
"""Ops whose first operand chooses one of the other two: by name, for a look over a whole graph."""

VARIADIC = frozenset({"max", "min", "concat", "einsum"})
"""Binary ops that accept more operands in the language, folded from the left."""
