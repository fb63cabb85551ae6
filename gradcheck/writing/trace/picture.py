"""A derivation as a circuit: what stands in the boxes and along the wires."""

from __future__ import annotations

from gradcheck.deriving import records
from gradcheck.deriving.records import Derivation, Leaf, Step, shape_of
from gradcheck.drawing.circuit import CONSTANT, GATE, INPUT, SHORTCUT, Box, Circuit, Cluster, Wire
from gradcheck.errors import visible
from gradcheck.notation.numbers import inline, number
from gradcheck.writing.trace.spelling import Speller, shaped

SIGNS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−", "pow": "^", "reciprocal": "1/x", "square": "x²",
    "matmul": "@", "sigmoid": "σ", "identity": "=", "mT": "ᵀ", "transpose": "ᵀ", "affine": "X·W+b",
    "linear": "X·Wᵀ+b", "linear_map": "X·Wᵀ", "amax": "max", "amin": "min", "lt": "<", "le": "≤", "gt": ">",
    "ge": "≥", "eq": "==", "ne": "!=", "getitem": "[ ]", "squared_error": "MSE", "cross_entropy": "cross entropy",
    "mean_cross_entropy": "cross entropy", "weighted_cross_entropy": "cross entropy",
    "mean_weighted_cross_entropy": "cross entropy", "logistic_loss": "logistic loss",
}  # fmt: skip
"""What stands in the box of a gate whose name is not its sign."""

DRAWN = 4
"""Significant digits in a picture, unless fewer are asked for: there is no room for more."""

WHOLE = 4
"""Numbers of an array that are written along a wire; a larger one shows its shape."""


def quantity(value: object, digits: int) -> str:
    """Return a value as it stands along a wire: numbers, or the shape of a larger array."""
    shape = shape_of(value)
    size = 1
    for n in shape:
        size *= n
    if size <= WHOLE and len(shape) <= 1:
        return inline(value, digits)
    return shaped(shape) or number(float(value), digits)  # type: ignore[arg-type]


def circuit_of(derivation: Derivation, digits: int) -> Circuit:
    """Return a derivation as a circuit; constants get a box of their own for each use."""
    return _Drawer(derivation, digits).circuit()


class _Drawer:
    def __init__(self, derivation: Derivation, digits: int) -> None:
        self.derivation = derivation
        self.digits = digits
        self.speller = Speller(derivation, digits)
        self.boxes: list[Box] = []
        self.wires: list[Wire] = []
        self.place: dict[str, int] = {}

    def circuit(self) -> Circuit:
        constants = {}
        # A variable that nothing uses would be a wire to nowhere, unless it is the output itself.
        used = {name for step in self.derivation.steps for name in step.operands} or {self.derivation.output}
        for leaf in self.derivation.leaves:
            if leaf.kind == records.CONSTANT:
                constants[leaf.name] = leaf
            elif leaf.name in used:
                self.place[leaf.name] = self.add(self.leaf(leaf))
        members: dict[str, list[int]] = {}
        for step in self.derivation.steps:
            sources = []
            for operand in step.operands:
                if operand not in self.place and operand in constants:
                    sources.append(self.add(self.leaf(constants[operand])))
                else:
                    sources.append(self.place[operand])
            here = self.place[step.name] = self.add(self.gate(step))
            flows = {flow.slot: quantity(flow.value, self.digits) for flow in step.flows}
            self.wires += [Wire(source, here, slot, flows.get(slot, "")) for slot, source in enumerate(sources)]
            if step.block is not None:
                members.setdefault(step.block, []).append(here)
        if not self.boxes:
            self.boxes = [self.leaf(leaf) for leaf in constants.values()]
        clusters = tuple(
            Cluster(" ".join(filter(None, (visible(block.name), block.kind))), tuple(members[block.name]))
            for block in self.derivation.blocks
        )
        return Circuit(tuple(self.boxes), tuple(self.wires), clusters)

    def add(self, box: Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1

    def leaf(self, leaf: Leaf) -> Box:
        name = visible(leaf.name)
        kind = CONSTANT if leaf.kind == records.CONSTANT else INPUT
        value = "" if kind == CONSTANT else quantity(leaf.value, self.digits)
        return Box(name, kind, name, value, self.gradient(leaf), f"{name} = {quantity(leaf.value, self.digits)}")

    def gate(self, step: Step) -> Box:
        detail = f"[{step.number}] {visible(step.name)} = {self.speller.formula(step.formula)}"
        kind = SHORTCUT if step.replaces else GATE
        value = quantity(step.value, self.digits)
        return Box(
            SIGNS.get(step.gate, visible(step.gate.replace("_", " "))),
            kind,
            visible(step.name),
            value,
            self.gradient(step),
            detail,
        )

    def gradient(self, one: Leaf | Step) -> str:
        return "" if one.gradient is None else quantity(one.gradient, self.digits)
