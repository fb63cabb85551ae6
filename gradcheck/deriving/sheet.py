"""A derivation laid out once, as a sequence of blocks; writers set blocks and decide nothing.

What is shown, where a layer begins, behind which gate a sum is complete and what has to be said of all that is
settled here. Formulas stand in the blocks as records: each notation writes them in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

from gradcheck.checking.judge import DISAGREE, INCONCLUSIVE
from gradcheck.checking.report import Report
from gradcheck.deriving.forward_mode import ForwardMode
from gradcheck.deriving.paths import Paths
from gradcheck.deriving.records import CONSTANT, HIDDEN, Derivation, Flow, Leaf, Step, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.errors import visible
from gradcheck.notation.numbers import rounded


class Title(NamedTuple):
    """What is derived, what it comes to, and where.

    Attributes:
        text: the expression, or the name of a network.
        network: whether it is a network.
        output: name of the output.
        value: its value; None where the forward pass stopped.
        point: the single numbers that are given.
        summed: of an output that is an array, what was differentiated; else "".
    """

    text: str
    network: bool
    output: str
    value: float | None
    point: tuple[Leaf, ...]
    summed: str


class ProblemBlock(NamedTuple):
    """Why there is a value and no gradient."""

    message: str


class NamesBlock(NamedTuple):
    """The place for names that are too long to stand in formulas."""


class GivenBlock(NamedTuple):
    """Variables and parameters; `listed` where the title cannot say it all: there are arrays, or no value."""

    leaves: tuple[Leaf, ...]
    listed: bool


class Chosen(NamedTuple):
    """The place for a word about a point that the user did not give."""

    report: Report | None


class Hidden(NamedTuple):
    """How many stages a selection left out."""

    stages: int

    @property
    def said(self) -> str:
        """The same in words."""
        return f"{self.stages:,} stage{'s' * (self.stages != 1)} not shown"


class NoGates(NamedTuple):
    """There is nothing to derive."""


class CircuitBlock(NamedTuple):
    """The picture, with so many wires; none where a gate lacks its value, or there is no gate."""

    wires: int


class ShareLine(NamedTuple):
    """What an operand gets from a stage: a contribution to the gradient of `target`."""

    flow: Flow
    target: Leaf | Step

    @property
    def several(self) -> bool:
        """Whether there are other contributions too, and the sum of all stands elsewhere."""
        return len(self.target.parts) > 1

    @property
    def note(self) -> str:
        """That the operand was broadcast, and over which axes the contribution was added up; else ""."""
        axes = " and ".join(map(str, self.flow.summed))
        return f"summed over axis {axes}: {visible(self.flow.operand)} was broadcast" if axes else ""


class Back(NamedTuple):
    """What goes back from a stage.

    Attributes:
        step: the stage.
        shares: what each operand gets.
        sums: quantities of which that was the last contribution; their sum stands behind it.
    """

    step: Step
    shares: tuple[ShareLine, ...]
    sums: tuple[Leaf | Step, ...]

    @property
    def habit(self) -> str:
        """The gate, and what it does to gradients."""
        return f"{self.step.kind} {self.step.habit}".strip()


T = TypeVar("T")


class LayerBlock(NamedTuple, Generic[T]):
    """Consecutive stages of one layer, or what goes back from them; name and kind are "" outside of layers."""

    name: str
    kind: str
    lines: tuple[T, ...]


def flat(layers: Iterable[LayerBlock[T]]) -> list[T]:
    """Return the lines of all layers."""
    return [line for layer in layers for line in layer.lines]


class ForwardBlock(NamedTuple):
    """The forward pass; `tabular` where a table could say the same: single numbers, and none lacks its value."""

    layers: tuple[LayerBlock[Step], ...]
    tabular: bool


class Legend(NamedTuple):
    """What has to be said of the backward pass.

    Attributes:
        words: verdicts that stand at its lines.
        hidden: whether something comes back from stages that are not shown.
        proved: whether SymPy was asked of the gradients inside.
        rounded: whether some number shows fewer digits than it has.
    """

    words: frozenset[str]
    hidden: bool
    proved: bool
    rounded: bool


class Backward(NamedTuple):
    """The backward pass, from the output; without layers where nothing that was asked for is reached."""

    output: str
    layers: tuple[LayerBlock[Back], ...]
    legend: Legend


class Values(NamedTuple):
    """All quantities, in order."""

    quantities: tuple[Leaf | Step, ...]


class Why(NamedTuple):
    """A gradient as a sum over paths."""

    found: Paths


class Tangents(NamedTuple):
    """The same gradients by forward mode."""

    found: ForwardMode


class CheckBlock(NamedTuple):
    """The comparison with the other methods."""

    report: Report


class MeaningBlock(NamedTuple):
    """A sentence that was tried out."""

    text: str


class Stopped(NamedTuple):
    """Why the forward pass went no further."""

    message: str


Block = (
    Title | ProblemBlock | NamesBlock | GivenBlock | Chosen | Hidden | NoGates | CircuitBlock | ForwardBlock
    | Backward | Values | Why | Tangents | CheckBlock | MeaningBlock | Stopped
)  # fmt: skip

P = TypeVar("P")
Setters = Mapping[type[Block], Callable[[P, Any], Iterable[T]]]
"""Kind of block → the function (page, block) → parts of a page, in the order in which they stand there."""


def set_blocks(page: P, blocks: Iterable[Block], setters: Setters[P, T]) -> list[T]:
    """Return the parts of a page: the blocks that a table has, in its order."""
    found = list(blocks)
    return [part for kind, put in setters.items() for one in found if type(one) is kind for part in put(page, one)]


def without(*kinds: type[Block]) -> dict[type[Block], Callable[[Any, Any], tuple[()]]]:
    """Return the setters of blocks that a format has no place for."""
    return dict.fromkeys(kinds, lambda page, block: ())


def sheet(trace: Trace) -> tuple[Block, ...]:
    """Return a trace as blocks."""
    return tuple(_blocks(trace, trace.derivation))


def _blocks(trace: Trace, d: Derivation) -> Iterator[Block]:
    given = tuple(leaf for leaf in d.leaves if leaf.kind != CONSTANT)
    point = tuple(leaf for leaf in given if not shape_of(leaf.value))
    yield Title(d.title, bool(d.blocks), d.output, None if d.stopped else d.value, point, d.summed)
    if trace.problem is not None and trace.problem.message != d.stopped:
        yield ProblemBlock(trace.problem.message)
    yield NamesBlock()
    yield GivenBlock(given, bool(given) and (len(point) < len(given) or bool(d.stopped)))
    yield Chosen(trace.report)
    if d.hidden:
        yield Hidden(d.hidden)
    wires = sum(len(step.operands) for step in d.steps) + 1
    yield CircuitBlock(wires if d.steps and not d.stopped else 0)
    yield ForwardBlock(_layers(d, d.steps, lambda step: step.block), not d.arrays and not d.stopped)
    if not d.steps:
        yield NoGates()
    if d.stopped:
        yield Stopped(d.stopped)
        return
    if d.steps:
        yield _backward(d, trace.digits)
    yield Values((*given, *d.steps))
    if trace.paths is not None:
        yield Why(trace.paths)
    if trace.passes is not None:
        yield Tangents(trace.passes)
    if trace.report is not None:
        yield CheckBlock(trace.report)
    if trace.meaning:
        yield MeaningBlock(trace.meaning)


def _layers(d: Derivation, lines: Iterable[T], layer: Callable[[T], str | None]) -> tuple[LayerBlock[T], ...]:
    kinds = {block.name: block.kind for block in d.blocks}
    return tuple(LayerBlock(name or "", kinds.get(name or "", ""), tuple(some)) for name, some in groupby(lines, layer))


def _backward(d: Derivation, digits: int) -> Backward:
    forks, known = d.forks, d.quantities
    backs = [
        Back(
            step,
            tuple(ShareLine(flow, known[flow.operand]) for flow in step.flows),
            tuple(known[name] for name in forks.get(step.number, ())),
        )
        for step in reversed(d.steps)
        if step.flows
    ]
    return Backward(d.output, _layers(d, backs, lambda back: back.step.block), _legend(d, backs, digits))


def _legend(d: Derivation, backs: list[Back], digits: int) -> Legend:
    known = d.quantities.values()
    ended = [share.target for back in backs for share in back.shares if not share.several]
    ended += [one for back in backs for one in back.sums]
    proofs = [one.proof for one in ended if one.proof is not None]
    shown = [d.value, *(one.value for one in known if not (isinstance(one, Leaf) and one.kind == CONSTANT))]
    shown += [share.flow.value for back in backs for share in back.shares]
    for one in (one for back in backs for one in back.sums):
        shown += [one.gradient, *(part.value for part in one.parts if not shape_of(one.gradient))]
    shown += [proof.value for proof in proofs if proof.word == DISAGREE]
    return Legend(
        frozenset(proof.word for proof in proofs) - {INCONCLUSIVE},
        any(part.step == HIDDEN for one in known for part in one.parts),
        any(one.proof is not None for one in known),
        any(rounded(value, digits) for value in shown),
    )
