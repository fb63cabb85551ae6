"""What is drawn: boxes in the order in which they can be computed, and the wires between them.

Everything is text by now; how a number is written and what a gate is called was decided before.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

INPUT, CONSTANT, GATE, SHORTCUT = "input", "constant", "gate", "shortcut"
"""Kinds of boxes: a variable or parameter, a number, an op, and several ops shown as one."""


class Box(NamedTuple):
    """A leaf or a gate.

    Attributes:
        label: what stands in the box: the name of a leaf, the sign of a gate (`+`, `×`, `σ`, `max`).
        kind: INPUT, CONSTANT, GATE or SHORTCUT.
        name: the name of its value (`q`); for a leaf the same as the label.
        value: its value, as text.
        gradient: the gradient of the output with respect to it, as text; "" if there is none (constants).
        detail: a sentence for a tooltip: the formula.
    """

    label: str
    kind: str
    name: str
    value: str
    gradient: str
    detail: str = ""


class Wire(NamedTuple):
    """A connection from a box to an operand of a gate.

    Attributes:
        source, target: indices of boxes.
        slot: which operand of the target it is, from 0.
        gradient: what flows back along it, as text; "" if nothing does.
    """

    source: int
    target: int
    slot: int
    gradient: str


class Cluster(NamedTuple):
    """Boxes that belong together: a layer of a network.

    Attributes:
        label: its name, with the type of the layer.
        boxes: indices of boxes.
    """

    label: str
    boxes: tuple[int, ...]


class Circuit(NamedTuple):
    """A computation graph at a point, ready to be drawn.

    Attributes:
        boxes: leaves and gates; every wire goes from a lower to a higher index. The last is the output.
        wires: by target, then by slot.
        clusters: layers, in order; a box is in one at most.
    """

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    clusters: tuple[Cluster, ...] = ()


def forks(circuit: Circuit) -> set[int]:
    """Return the boxes whose value goes several ways, so that no single wire carries their whole gradient."""
    uses = Counter(wire.source for wire in circuit.wires)
    return {source for source, count in uses.items() if count > 1}
