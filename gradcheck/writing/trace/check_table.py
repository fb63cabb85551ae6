"""The check beside a derivation as cells and sentences of plain text, for formats with tables of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gradcheck.checking.judge import AGREE, DISAGREE, KINK, SEVERITY
from gradcheck.checking.report import Check, Report
from gradcheck.checking.tensor import Gradient, Tensor
from gradcheck.deriving.records import Derivation
from gradcheck.ops.shapes import show
from gradcheck.writing.by_number import EVERY
from gradcheck.writing.by_tensor import METHODS, MOST_REASONS, MOST_ROWS
from gradcheck.writing.report import summary
from gradcheck.writing.text import TITLES, number, plural, with_bar
from gradcheck.writing.trace.spelling import inline


class Table(NamedTuple):
    """A comparison.

    Attributes:
        headings: of the columns; the first names what is compared, the last is the verdict.
        rows: cells.
        notes: sentences about single numbers and about how the check was made.
        forms: (input, closed form of its gradient in gradcheck's language), where there is one.
        summary: what was checked, and what came of it.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    forms: tuple[tuple[str, str], ...]
    summary: str


def check_table(report: Report) -> Table:
    """Return the comparison as a table: of files a row a tensor, else a row a number."""
    return _tensors(report) if report.of_files else _gradients(report)


def _gradients(report: Report) -> Table:
    found = [g for one in report.checks for g in one.gradients]
    claimed = any(g.claimed is not None for g in found)
    headings = ["input", "value", *(TITLES[engine] for engine in report.engines), *["claimed"] * claimed, "verdict"]
    shown = sorted(found, key=lambda g: -SEVERITY.index(g.verdict))[:EVERY] if len(found) > EVERY else found
    notes = [f"These are {EVERY} of {plural(len(found), 'number')}, the worst first."] * (len(shown) < len(found))
    notes += [f"{g.name}: {g.verdict}: {g.reason}" for g in shown if g.reason]
    forms = [(g.name, g.formula) for g in shown if g.formula is not None and not g.index]
    forms += [(one.name, one.formula) for check in report.checks for one in check.tensors if one.formula is not None]
    rows = tuple(_row(report, g, claimed) for g in shown)
    return Table(tuple(headings), rows, tuple(notes), tuple(forms), summary(report))


def _row(report: Report, g: Gradient, claimed: bool) -> tuple[str, ...]:
    cells = [g.name, number(g.at)]
    for engine in report.engines:
        bar = g.error_bound if engine == "finite_difference" else None
        cells.append(with_bar(getattr(g, engine), bar, "±"))
    return (*cells, *[number(g.claimed)] * claimed, g.verdict)


def _tensors(report: Report) -> Table:
    tensors = [tensor for check in report.checks for tensor in check.tensors]
    methods = [m for m in METHODS if any(m in tensor.answers for tensor in tensors)]
    headings = ("tensor", "shape", *(TITLES[m] for m in methods), "verdict")
    worst = sorted(tensors, key=lambda t: -SEVERITY.index(t.verdict))[:MOST_ROWS]
    shown = worst if len(worst) < len(tensors) else tensors
    notes = [f"These are {len(shown)} of {len(tensors)} tensors, the worst first."] * (len(shown) < len(tensors))
    notes += [note for check in report.checks for note in _notes(check)]
    return Table(headings, tuple(_tensor(tensor, methods) for tensor in shown), tuple(notes), (), summary(report))


def _tensor(tensor: Tensor, methods: Sequence[str]) -> tuple[str, ...]:
    covered = [f"{tensor.covered(method):,} of {tensor.size:,}" for method in methods]
    verdict = ", ".join(f"{count:,} {word}" for word, count in tensor.counts().items())
    return (tensor.name, show(tensor.shape) if tensor.shape else "scalar", *covered, verdict)


def _notes(check: Check) -> list[str]:
    notes = [fact.reason for fact in (*check.facts, *check.faults)]
    for tensor in check.tensors:
        notes += [f"{tensor.name}: {reason}" for reason in list(tensor.reasons.values())[:MOST_REASONS]]
    held = f"; {plural(check.held, 'expectation')} held" if check.held else ""
    about = [check.about_output] if check.about_output else []
    return [*notes, *check.notes, *about, f"Checked {check.method}{held}."]


def proofs(derivation: Derivation, digits: int) -> list[str]:
    """Return what SymPy says of the gradients within a derivation, in sentences."""
    asked = {name: one for name, one in derivation.quantities.items() if one.proof is not None}
    words = {name: one.proof.word for name, one in asked.items() if one.proof is not None}
    agreed = sum(word == AGREE for word in words.values())
    result = []
    if agreed:
        which = "each of these gradients" if agreed == len(words) else f"{agreed:,} of these {len(words):,} gradients"
        result.append(f"SymPy's derivative says the same of {which}, in a hundred digits.")
    for name, word in words.items():
        proof = asked[name].proof
        if word == KINK:
            result.append(f"{name}: not differentiable here; a convention decides.")
        elif word == DISAGREE and proof is not None:
            result.append(f"{name}: SymPy disagrees, with {inline(proof.value, digits)}.")
    return result
