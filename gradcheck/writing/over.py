"""What was proved over boxes, as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcheck.checking.proof import RULE, BoxProof, Cut, Side
from gradcheck.errors import visible
from gradcheck.writing.text import Line, fold, number, plural
from gradcheck.writing.view import View

MOST_CUT = 4
"""Places cut out of a box of which each is named."""

WORTH_SAYING = 1e-3
"""Share of a box from which it is said how much was cut out."""

METHODS = {"claimed": "claimed", "backprop": "backprop's"}
"""What is graded, as the lines call it."""


def lines(proofs: Sequence[BoxProof], view: View) -> list[Line]:
    """Return some lines a proof; of files and ops, quietly, those that are not proved."""
    result: list[Line] = []
    for proof in proofs:
        if view.quiet and proof.word == "proved":
            continue
        result += fold(_title(proof), view.width, 4)
        result += fold([("  ", ""), (proof.word, proof.word), (f"{_said(proof)}", "")], view.width, 6)
        share = f" {proof.finding.share:.1%} of it" if proof.finding.share > WORTH_SAYING else ""
        for cut in proof.finding.cut[:MOST_CUT]:
            result += fold([(f"  cut out{share}: {_cut(proof, cut, view.plus_minus)}", "dim")], view.width, 6)
            share = ""
        if len(proof.finding.cut) > MOST_CUT:
            result.append([(f"  cut out: {plural(len(proof.finding.cut) - MOST_CUT, 'place')} more", "dim")])
    return [*result, []] if result else []


def summary(proofs: Sequence[BoxProof]) -> str:
    """Return in a sentence what came of all of them."""
    counts: dict[str, int] = {}
    for proof in proofs:
        counts[proof.word] = counts.get(proof.word, 0) + 1
    said = ", ".join(f"{count:,} {word}" for word, count in counts.items())
    return f"Graded {plural(len(proofs), 'gradient')} everywhere over a box: {said}."


def _title(proof: BoxProof) -> Line:
    where = f"{visible(proof.file)}:{proof.line}  " if proof.file else ""
    method = "rule" if proof.formula and proof.graded == RULE else METHODS[proof.graded]
    graded = f"{method} d/d{visible(proof.input)}"
    formula = f" = {visible(proof.formula)}" if proof.formula else ""
    at = "".join(f", {visible(name)} = {number(x)}" for name, x in proof.at.items())
    return [
        (where, ""), (visible(proof.source), "head"), (f"   {graded}{formula}", ""),
        (f"   over {_box(proof.box)}{at}", ""),
    ]  # fmt: skip


def _said(proof: BoxProof) -> str:
    """Return what is known, after its word."""
    found = proof.finding
    if found.identical:
        return ": SymPy finds it identical to the derivative, and both have values throughout"
    if found.wrong is not None:
        at = ", ".join(f"{visible(name)} = {x!r}" for name, x in zip(proof.box, found.wrong.point, strict=True))
        return f" at {at}: {found.wrong.graded!r} instead of {found.wrong.derivative!r}"
    if found.left is not None:
        return f" on {_box(proof.named(found.left))}: {visible(found.reason or '')}"
    if not found.bound:
        return f": exact, in {found.boxes:,} box{'es' if found.boxes != 1 else ''}"
    near = f", {found.relative:.1e} of the largest slope near by" if found.relative else ""
    return f": off by {found.bound:.1e} at most{near}, in {found.boxes:,} box{'es' if found.boxes != 1 else ''}"


def _cut(proof: BoxProof, cut: Cut, plus_minus: str) -> str:
    """Return what was cut out: of one variable the place, of several how much."""
    if len(cut.hull) > 1:
        parts = f"{cut.boxes:,} part{'s' if cut.boxes != 1 else ''} up to {cut.width:.1g} wide"
        return f"{parts} within {_box(proof.named(cut.hull))} ({visible(cut.reason)})"
    ((name, (low, high)),) = proof.named(cut.hull).items()
    middle = low / 2 + high / 2
    reach = f"{(high - low) / 2:.1e}"
    shown = number(round(middle, 7) if abs(middle) < 1e6 else middle)
    return f"{visible(name)} = {shown} {plus_minus} {reach} ({visible(cut.reason)})"


def _box(box: Mapping[str, Side]) -> str:
    return ", ".join(f"{visible(name)} = {number(low)}..{number(high)}" for name, (low, high) in box.items())
