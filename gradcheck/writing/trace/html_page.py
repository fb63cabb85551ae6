"""What every part of the page needs: the blocks, a typesetter, and when each number is revealed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gradcheck.deriving.records import Derivation, Leaf, Step, shape_of
from gradcheck.deriving.sheet import Backward, Block, ForwardBlock, GivenBlock, flat, sheet
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.notation.markup import escaped
from gradcheck.writing.trace.html_formulas import Typesetter
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


def timeline(type_: Typesetter, blocks: Iterable[Block]) -> Timeline:
    """Return when what is revealed: inputs, stage by stage forward, then back from the output.

    A gradient is known when the last of its contributions has arrived.
    """
    derivation, known = type_.derivation, type_.quantities
    speller = Speller(derivation)
    steps = [step for one in blocks if isinstance(one, ForwardBlock) for step in flat(one.layers)]
    backs = [back for one in blocks if isinstance(one, Backward) for back in flat(one.layers)]
    values = {leaf.name: 0 for leaf in derivation.leaves}
    moments = [Moment("The inputs are given.", "")]
    for k, step in enumerate(steps, 1):
        values[step.name] = k
        stage = f"{visible(step.name)} = {speller.formula(step.formula)}"
        moments.append(Moment(f"Forward, {k} of {len(steps)}: {stage}", str(step.number)))
    output = known.get(derivation.output)
    if output is not None and output.gradient is not None:
        moments.append(
            Moment(f"Backward begins with {speller.gradient_name(output.name)} = 1", type_.keys[output.name])
        )
    begin = len(moments) - 1
    flows: dict[int, int] = {}
    for k, (step, shares, _) in enumerate(backs, 1):
        flows[step.number] = len(moments)
        to = " and ".join(dict.fromkeys(visible(share.flow.operand) for share in shares))
        text = f"Backward, {k} of {len(backs)}: from {visible(step.name)} back to {to}"
        moments.append(Moment(text, str(step.number)))
    gradients = {
        name: max((flows.get(part.step, begin) for part in one.parts), default=begin) for name, one in known.items()
    }
    return Timeline(values, gradients, flows, moments)


PROOFS = {
    "agree": ("✓", "SymPy gives the same"),
    "kink": ("∧", "a kink: a convention decides"),
    "lossy": ("≈", "right rules, but few digits are left"),
    "disagree": ("✗", "SymPy gives another gradient"),
}
"""Verdict on a gradient → its mark and what that means; the others have none."""


class HtmlPage(NamedTuple):
    """A page.

    Attributes:
        trace: what is shown.
        blocks: the same, laid out.
        type: writes formulas.
        time: when what is revealed.
        drawn: the circuit; "" if it is too large.
    """

    trace: Trace
    blocks: tuple[Block, ...]
    type: Typesetter
    time: Timeline
    drawn: str = ""

    @property
    def derivation(self) -> Derivation:
        """The derivation."""
        return self.trace.derivation

    @property
    def leaves(self) -> list[Leaf]:
        """Variables and parameters."""
        return [leaf for one in self.blocks if isinstance(one, GivenBlock) for leaf in one.leaves]

    @property
    def arrays(self) -> bool:
        """Whether some quantity is an array: then a stage has no room in a line."""
        return any(shape_of(one.value) for one in self.derivation.quantities.values())

    def mark(self, one: Leaf | Step, at: int | None = None) -> str:
        """Return the attributes of an element about a leaf or step, which is revealed at a position."""
        return f' data-step="{self.type.keys[one.name]}"' + ("" if at is None else f' data-at="{at}"')

    def proof(self, one: Leaf | Step) -> str:
        """Return a mark for what SymPy says of a gradient."""
        if one.proof is None or one.proof.word not in PROOFS:
            return ""
        sign, title = PROOFS[one.proof.word]
        return f'<abbr class="proof {escaped(one.proof.word)}" title="{title}">{sign}</abbr>'


def page_of(trace: Trace) -> HtmlPage:
    """Return a trace with what a page needs to show it."""
    blocks, type_ = sheet(trace), Typesetter(trace.derivation, trace.digits)
    return HtmlPage(trace, blocks, type_, timeline(type_, blocks))
