"""Formulas as Python, for programs that run by themselves: notations, the functions they call, and names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from gradcheck.notation import python_arrays, python_helpers, python_numbers
from gradcheck.notation.definitions import Syntax, definition, needed, own_ops, speaks, statements
from gradcheck.notation.printer import ATOM, Form, Notation
from gradcheck.notation.python_names import DEFINED, identifier, own_name
from gradcheck.ops import OPS
from gradcheck.ops.op import Op

__all__ = [
    "ARRAYS", "ARRAY_HELPERS", "MATRICES", "SCALARS", "SCALAR_HELPERS",
    "identifier", "imports", "needed", "own_helper", "own_helpers", "own_name", "single_numbers", "statements",
]  # fmt: skip

SCALARS: Notation = python_numbers.NUMBERS
"""Single numbers, with `math`."""

ARRAYS: Notation = python_arrays.ARRAYS
"""Arrays with any number of axes, with numpy 2 as np."""

MATRICES: Notation = ARRAYS._replace(forms={**ARRAYS.forms, "mT": Form("{0}.T", ATOM, (ATOM,))})
"""The same where no array has more than two axes: transposes as lectures write them."""


def own_helper(op: Op, notation: Notation) -> str:
    """Return the source of a function that computes an op by its definition.

    Args:
        op: an op of a spec.
        notation: SCALARS, ARRAYS or MATRICES.
    """
    others = [own_name(one.name) for one in op.functions.values()]
    return definition(op, own_name(op.name), _syntax(notation), others)


def own_helpers(ops: Iterable[str], notation: Notation) -> dict[str, str]:
    """Return the functions for the ops of a spec among `ops` and those that they use: name → source."""
    return {own_name(op.name): own_helper(op, notation) for op in own_ops(ops)}


def imports(text: str) -> list[str]:
    """Return the import lines that a program needs."""
    lines = {"math": "import math", "np": "import numpy as np"}
    return [line for word, line in lines.items() if re.search(rf"(?<![\w.]){word}\.", text)]


def single_numbers(ops: Iterable[str]) -> bool:
    """Return whether SCALARS can write all of these ops."""
    words = {*SCALARS.forms, *SCALARS.makers, *python_numbers.FUNCTIONS, *SCALAR_HELPERS}
    return speaks(ops, words)


def _syntax(notation: Notation) -> Syntax:
    return Syntax(notation, identifier, "def {name}({args}):", "    {name} = {value}", "    return {value}")


def _table(notation: Notation, functions: Collection[str], sources: Mapping[str, str]) -> dict[str, str]:
    """Return the functions that formulas may call: name → source."""
    present = {*notation.forms, *notation.makers, *functions, *sources}
    return {**sources, **{name: definition(OPS[name], name, _syntax(notation)) for name in sorted(DEFINED - present)}}


SCALAR_HELPERS: Mapping[str, str] = _table(SCALARS, python_numbers.FUNCTIONS, python_helpers.NUMBERS)
"""Functions that formulas of single numbers call: name → source. `needed` picks those that a program needs."""

ARRAY_HELPERS: Mapping[str, str] = _table(ARRAYS, python_arrays.FUNCTIONS, python_helpers.ARRAYS)
"""The same for arrays, with `unbroadcast` for the gradient of an operand that was repeated."""
