"""A derivation is a list of small records; printers read them and compute nothing.

Numbers are Python floats where the graph is one of single numbers, else numpy arrays of float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradcheck.graph.graph import Graph, Params

FORMAT = 1
"""Version of the JSON derivation."""

HIDDEN = 0
"""Number of no step: that of contributions from stages that are not shown."""

INPUT, PARAMETER, BUFFER, DATA, CONSTANT = "input", "parameter", "buffer", "data", "constant"
STAGE = "stage"
"""Kinds of leaves; a STAGE is one that a selection shows as given."""


class Symbol(NamedTuple):
    """What a name in a formula stands for.

    Attributes:
        name: a leaf or a step.
        of_gradient: whether it is the gradient of the output with respect to it, and not its value.
    """

    name: str
    of_gradient: bool = False


class Formula(NamedTuple):
    """A formula over leaves and steps.

    Attributes:
        graph: the formula; its inputs are names of its own (the arguments of an op, `out`, `g`).
        symbols: input of `graph` → what it stands for.
        text: the rule as the op table has it, in gradcheck's language; "" for a forward formula.
    """

    graph: Graph
    symbols: Mapping[str, Symbol]
    text: str = ""


class Proof(NamedTuple):
    """What SymPy says of a gradient inside of the graph.

    Attributes:
        word: agree, kink (a convention decides there) or disagree.
        value: SymPy's gradient, in the shape of the quantity.
    """

    word: str
    value: Any


class Part(NamedTuple):
    """One contribution to a gradient.

    Attributes:
        step: number of the step it comes back from; HIDDEN for all that a selection left out, together.
        slot: which operand of that step.
        value: the contribution, in the shape of the quantity.
    """

    step: int
    slot: int
    value: Any

    @property
    def label(self) -> str:
        """What stands before the contribution in a sum: the number of its step."""
        return f"[{self.step}]" if self.step != HIDDEN else "[…]"


class Leaf(NamedTuple):
    """A variable, parameter or number.

    Attributes:
        name: its name; for a constant its text.
        kind: INPUT, PARAMETER, BUFFER, DATA, CONSTANT or STAGE.
        node: its node in the graph.
        value: its value.
        gradient: the gradient of the output; None for constants, data and where nothing flows.
        parts: the contributions it is the sum of, in the order in which backprop adds them up.
        proof: what SymPy says; None if it was not asked.
    """

    name: str
    kind: str
    node: int
    value: Any
    gradient: Any = None
    parts: tuple[Part, ...] = ()
    proof: Proof | None = None


class Flow(NamedTuple):
    """What goes back from a step to one of its operands.

    Attributes:
        operand: name of the operand.
        slot: which operand of the step it is.
        rule: the vector–Jacobian product, upstream gradient included.
        local: the local derivative; None for ops that are not elementwise.
        partial: the value of the local derivative, in the shape of the step; None if there is none.
        value: the contribution, in the shape of the operand.
        summed: axes of the step over which it was added up, because the operand was broadcast.
    """

    operand: str
    slot: int
    rule: Formula
    local: Formula | None
    partial: Any
    value: Any
    summed: tuple[int, ...] = ()


class Step(NamedTuple):
    """A stage: one gate, or several that a person sees as one.

    Attributes:
        number: counted from 1, in the order of the forward pass.
        name: the user's name, or a short one.
        gate: the op, as people write it.
        node: its node in the graph.
        block: the layer it belongs to; None in an expression.
        formula: what it computes.
        operands: names of its operands.
        params: static parameters.
        value, gradient: its value, and the gradient of the output with respect to it (its upstream
            gradient); gradient None where nothing flows.
        parts: the contributions the gradient is the sum of; empty for the output.
        flows: what goes back to each operand that wants it, by slot.
        habit: what this gate does to gradients, in words; "" if there is nothing to say.
        replaces: the user's own text of what is shown as one step, or the definition of an op of their own; ""
            if it is one gate of the table.
        proof: what SymPy says of the gradient; None if it was not asked.
    """

    number: int
    name: str
    gate: str
    node: int
    block: str | None
    formula: Formula
    operands: tuple[str, ...]
    params: Params
    value: Any
    gradient: Any
    parts: tuple[Part, ...]
    flows: tuple[Flow, ...]
    habit: str = ""
    replaces: str = ""
    proof: Proof | None = None

    @property
    def kind(self) -> str:
        """Its gate, as people say it."""
        return self.gate.replace("_", " ")


class Block(NamedTuple):
    """A layer of a network.

    Attributes:
        name: the name of the node in the spec.
        kind: what it is: the layer's type, or `expr`.
        steps: numbers of its steps.
    """

    name: str
    kind: str
    steps: tuple[int, ...]


class Derivation(NamedTuple):
    """Everything about one gradient at one point.

    Attributes:
        title: the expression, or the name of the network.
        graph: the graph that was differentiated, with groups in one piece and a single number as output.
        leaves: variables and parameters in order of appearance, then constants.
        steps: in the order of the forward pass.
        blocks: layers; empty for an expression.
        output: name of the output.
        value: its value.
        arrays: whether anything in it is an array.
        stopped: why the forward pass stopped behind the last step; "" if it did not.
        hidden: how many steps a selection left out.
        summed: of an output that is an array, what was differentiated ("sum of W.dot(X)"); else "".
    """

    title: str
    graph: Graph
    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    blocks: tuple[Block, ...]
    output: str
    value: float
    arrays: bool
    stopped: str = ""
    hidden: int = 0
    summed: str = ""

    @property
    def quantities(self) -> dict[str, Leaf | Step]:
        """Leaves and steps by name."""
        every: list[Leaf | Step] = [*self.leaves, *self.steps]
        return {one.name: one for one in every}

    @property
    def forks(self) -> dict[int, list[str]]:
        """Names of the quantities with several contributions, by the step behind which their sum is complete."""
        found: dict[int, list[str]] = {}
        for name, one in self.quantities.items():
            steps = [part.step for part in one.parts if part.step != HIDDEN]
            if len(one.parts) > 1 and steps:
                found.setdefault(min(steps), []).append(name)
        return found


def stage_names(derivation: Derivation) -> dict[int, str]:
    """Return the name of each stage by its number, those that a selection left out aside."""
    return {step.number: step.name for step in derivation.steps}


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of a value; () for a single number."""
    return tuple(getattr(value, "shape", ()))
