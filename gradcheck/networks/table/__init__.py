"""The table of layers and losses: what they are called in torch, and what they mean here."""

from __future__ import annotations

from gradcheck.networks.layer import Layer
from gradcheck.networks.table import (
    activations,
    attention,
    convolution,
    functions,
    linear,
    losses,
    normalization,
    pooling,
    recurrent,
)

FAMILIES = (linear, convolution, pooling, normalization, activations, recurrent, attention, functions, losses)

LAYERS: dict[str, Layer] = {row.name: row for family in FAMILIES for row in family.LAYERS}

SPELLINGS = {
    "HalfSquaredError": "HalfSquaredErrorLoss", "HalfMSELoss": "HalfSquaredErrorLoss", "Swish": "SiLU",
    "concat": "cat", "NonDynamicallyQuantizableLinear": "Linear",
}  # fmt: skip
"""Other names of rows."""


def find(name: str) -> Layer | None:
    """Return the row called `name`, if there is one."""
    return LAYERS.get(SPELLINGS.get(name, name))
