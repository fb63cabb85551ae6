"""What every part of the page needs: the trace, its typesetter, and when each number is revealed."""

from __future__ import annotations

from typing import NamedTuple

from gradcheck.deriving.records import Derivation, Leaf, Step
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.notation.markup import escaped
from gradcheck.writing.trace.html_math import Typesetter
from gradcheck.writing.trace.spelling import Speller


class Moment(NamedTuple):
    """A position of the slider that walks forward through the stages and back through the gradients.

    Attributes:
        text: what happens there.
        key: the mark of what it happens to; "" for the inputs.
    """

    text: str
    key: str


class Timeline(NamedTuple):
    """When what is revealed.

    Attributes:
        values, gradients: leaf or step → position at which its value, its whole gradient is known.
        flows: number of a step → position at which it hands back its contributions.
        moments: what happens at each position.
    """

    values: dict[str, int]
    gradients: dict[str, int]
    flows: dict[int, int]
    moments: list[Moment]


def timeline(derivation: Derivation) -> Timeline:
    """Return when what is revealed: inputs, stage by stage forward, then back from the output.

    A gradient is known when the last of its contributions has arrived.
    """
    speller = Speller(derivation)
    count = len(derivation.steps)
    values = {leaf.name: 0 for leaf in derivation.leaves}
    moments = [Moment("The inputs are given.", "")]
    for k, step in enumerate(derivation.steps, 1):
        values[step.name] = k
        stage = f"{visible(step.name)} = {speller.formula(step.formula)}"
        moments.append(Moment(f"Forward, {k} of {count}: {stage}", str(step.number)))
    flows: dict[int, int] = {}
    known = derivation.quantities
    if derivation.output in known and known[derivation.output].gradient is not None:
        name = speller.gradient_name(derivation.output)
        moments.append(Moment(f"Backward begins with {name} = 1", _key(derivation, derivation.output)))
    begin = len(moments) - 1
    back = [step for step in reversed(derivation.steps) if step.flows]
    for k, step in enumerate(back, 1):
        flows[step.number] = len(moments)
        to = " and ".join(dict.fromkeys(visible(flow.operand) for flow in step.flows))
        text = f"Backward, {k} of {len(back)}: from {visible(step.name)} back to {to}"
        moments.append(Moment(text, str(step.number)))
    gradients = {
        name: max((flows.get(part.step, begin) for part in one.parts), default=begin) for name, one in known.items()
    }
    return Timeline(values, gradients, flows, moments)


def _key(derivation: Derivation, name: str) -> str:
    return Typesetter(derivation, 0).keys[name]


PROOFS = {
    "agree": ("✓", "SymPy gives the same"),
    "kink": ("∧", "a kink: a convention decides"),
    "lossy": ("≈", "right rules, but few digits are left"),
    "disagree": ("✗", "SymPy gives another gradient"),
}
"""Verdict on a gradient → its mark and what that means; the others have none."""


class Sheet(NamedTuple):
    """A trace and how it is written.

    Attributes:
        trace: the trace.
        type: writes formulas.
        speller: writes plain text.
        time: when what is revealed.
    """

    trace: Trace
    type: Typesetter
    speller: Speller
    time: Timeline

    @property
    def derivation(self) -> Derivation:
        """The derivation."""
        return self.trace.derivation

    def mark(self, one: Leaf | Step, at: int | None = None) -> str:
        """Return the attributes of an element about a leaf or step, which is revealed at a position."""
        return f' data-step="{self.type.keys[one.name]}"' + ("" if at is None else f' data-at="{at}"')

    def proof(self, one: Leaf | Step) -> str:
        """Return a mark for what SymPy says of a gradient."""
        if one.proof is None or one.proof.word not in PROOFS:
            return ""
        sign, title = PROOFS[one.proof.word]
        return f'<abbr class="proof {escaped(one.proof.word)}" title="{title}">{sign}</abbr>'


def sheet(trace: Trace) -> Sheet:
    """Return a trace with what the page needs to write it."""
    derivation = trace.derivation
    return Sheet(trace, Typesetter(derivation, trace.digits), Speller(derivation, trace.digits), timeline(derivation))
