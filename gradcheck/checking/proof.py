"""What is proved of a gradient over a box, as data; the keys of its JSON object are spelt here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.checking.judge import DISPROVED, INCONCLUSIVE, PROVED

Side = tuple[float, float]
Box = tuple[Side, ...]
"""The least and the largest value of each variable."""

CODES = {PROVED: 0, DISPROVED: 1, INCONCLUSIVE: 4}
"""Word → exit status."""

CLAIMED, RULE = "claimed", "backprop"
"""What is graded: the user's formula, or what backprop's rules give."""


class Cut(NamedTuple):
    """Parts of a box that were cut out.

    Attributes:
        reason: what has no series there.
        boxes: how many parts.
        hull: a box around them.
        width: the width of the widest, along its narrowest side.
    """

    reason: str
    boxes: int
    hull: Box
    width: float


class Counterexample(NamedTuple):
    """A point where the graded gradient certainly is not the derivative, and both."""

    point: tuple[float, ...]
    graded: float
    derivative: float


class Finding(NamedTuple):
    """What is known of a gradient on a box.

    Attributes:
        word: proved, disproved or inconclusive.
        bound: the difference is certainly nowhere larger; None if that is not known.
        relative: the same as a part of the largest derivative met near by.
        boxes: the parts in which it was proved.
        wrong: the counterexample.
        left: a part in which nothing is known, after the work was spent.
        reason: why nothing is known there.
        cut: what was cut out.
        share: which part of the whole box that is.
        identical: whether SymPy says that the two are one function.
    """

    word: str
    bound: float | None = None
    relative: float | None = None
    boxes: int = 0
    wrong: Counterexample | None = None
    left: Box | None = None
    reason: str | None = None
    cut: Sequence[Cut] = ()
    share: float = 0.0
    identical: bool = False


class BoxProof(NamedTuple):
    """A gradient that was graded over a box.

    Attributes:
        source: the expression, or the op.
        input: the input that the gradient belongs to.
        graded: CLAIMED or RULE.
        formula: what is graded, as text; None for the rules of an expression's ops.
        box: variable → its interval.
        at: the variables that stand still, and their values.
        finding: what is known.
        file, line: where it stands; None if it was typed or is built in.
    """

    source: str
    input: str
    graded: str
    formula: str | None
    box: Mapping[str, Side]
    at: Mapping[str, float]
    finding: Finding
    file: str | None = None
    line: int | None = None

    @property
    def word(self) -> str:
        """The verdict."""
        return self.finding.word

    def named(self, box: Box) -> dict[str, Side]:
        """Return the sides of a box by the names of the variables."""
        return dict(zip(self.box, box, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this proof."""
        found, wrong = self.finding, self.finding.wrong
        return {
            "file": self.file, "line": self.line, "source": self.source, "input": self.input, "graded": self.graded,
            "formula": self.formula, "box": _lists(self.box), "at": dict(self.at), "verdict": self.word,
            "bound": found.bound, "relative": found.relative, "boxes": found.boxes, "identical": found.identical,
            "counterexample": None if wrong is None else {
                "point": dict(zip(self.box, wrong.point, strict=True)),
                "graded": wrong.graded, "derivative": wrong.derivative,
            },
            "left": None if found.left is None else _lists(self.named(found.left)), "reason": found.reason,
            "cut_share": found.share, "cut_out": [
                {"reason": cut.reason, "boxes": cut.boxes, "box": _lists(self.named(cut.hull)), "width": cut.width}
                for cut in found.cut
            ],
        }  # fmt: skip


def _lists(box: Mapping[str, Side]) -> dict[str, list[float]]:
    return {name: list(side) for name, side in box.items()}
