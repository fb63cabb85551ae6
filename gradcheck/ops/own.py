"""Ops that a spec defines: rows like the others, for as long as the process lives."""

from __future__ import annotations

import itertools

from gradcheck.ops import OWN
from gradcheck.ops.op import Op

_count = itertools.count(1)


def register(row: Op) -> Op:
    """Enter a row under a key of its own, so that two specs may define the same name differently.

    Returns the row; its `name` is the key: what the user called it, a # and a number.
    """
    row.name = f"{row.name}#{next(_count)}"
    OWN[row.name] = row
    return row
