"""Ops that look elements up: windows of a convolution or pooling, rows of a table, positions of an axis.

They only move elements, so a convolution is `windows` and a matrix product, and max pooling is
`windows` and a maximum. Layers use them; the language has no names for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.ops import shapes
from gradcheck.ops.op import REQUIRED, Op

REACH: Mapping[str, Any] = {
    "kernel": REQUIRED, "stride": REQUIRED, "padding": REQUIRED, "dilation": REQUIRED, "edge": "zero",
}  # fmt: skip
"""Which elements the windows reach: a tuple an axis; padding is a pair (before, after) an axis.

Beyond the edge there are zeros, or with `edge="inside"` (max pooling, where nothing may come from
outside) the window's first element inside once more.
"""

SAME = "kernel=kernel, stride=stride, padding=padding, dilation=dilation, edge=edge"
"""The same in a formula."""

WINDOWS = f"windows(x, {SAME})"

OPS = [
    Op(
        "windows", "x", vjp=(f"unwindow(g, x, {SAME})",), params=REACH, shape=shapes.windows,
        moves=True, fills=True, internal=True, habit="copies: where windows overlap, what comes back is added up",
    ),
    Op(
        "fold", "x", vjp=(f"windows(g, {SAME})",), params={"size": REQUIRED, **REACH},
        shape=shapes.fold, moves=True, sums=True, fills=True, internal=True,
    ),
    Op(
        "select_index", "x", vjp=("unselect(g, x, axis=axis, index=index)",),
        params={"axis": REQUIRED, "index": REQUIRED}, shape=shapes.select_index, moves=True, internal=True,
    ),
    Op("lookup", "x i", vjp=("unlookup(g, x, i)", "0"), shape=shapes.lookup, moves=True, internal=True),
    Op("unwindow", "g x", params=REACH, shape=shapes.second, fills=True, internal=True),
    Op(
        "unselect", "g x", params={"axis": REQUIRED, "index": REQUIRED}, shape=shapes.second, fills=True, internal=True,
    ),
    Op("unlookup", "g x i", shape=shapes.second, fills=True, internal=True),
]  # fmt: skip
