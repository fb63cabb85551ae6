"""A claimed formula beyond the point: whether it holds at others, and whether it is symmetry that it lacks.

At one point a wrong formula may be right by accident (x for the gradient of x² at 0). So formulas are tried at other
seeded points of the same kind and on the same pieces of the function; numbers are claims about one point alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.checking import judge
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.number_by_number import NumbersAsked, number_by_number
from gradcheck.checking.place import Place
from gradcheck.checking.points import looked_up
from gradcheck.checking.problem import Problem
from gradcheck.checking.redrawn import SPREAD, is_square, is_symmetric, redrawn, skewed, symmetrised
from gradcheck.checking.settings import Settings
from gradcheck.checking.tensor import Tensor
from gradcheck.errors import GradcheckError
from gradcheck.ops import OPS

POINTS, TRIES = 3, 12
"""Other points, and how many are tried to find them."""

MOST_GATES = 20_000
"""Gates, written out, up to which other points are looked at: a second or so each."""

LONGEST = 160
"""Characters of a point that is shown."""

WRONG = SEVERITY.index(judge.DISAGREE)

Point = dict[str, Any]


def tried(
    problem: Problem, place: Place, settings: Settings, tensors: Sequence[Tensor]
) -> tuple[list[Tensor], list[str], int]:
    """Return the findings with what other points say of claimed formulas, notes, and how many points were looked at."""
    elsewhere = _Elsewhere(problem, place, settings)
    formulas = [tensor for tensor in tensors if tensor.name in elsewhere.names]
    if place.written_gates > MOST_GATES:
        return list(tensors), [], 0
    right = [tensor.name for tensor in formulas if tensor.verdict != judge.DISAGREE]
    found = elsewhere.refuted(right)
    notes = elsewhere.needing_symmetry([name for name in right if name not in found])
    result = []
    for tensor in tensors:
        if tensor.name in found:
            result.append(_wrong_elsewhere(tensor, *found[tensor.name]))
        elif tensor.name in elsewhere.claimed and tensor.verdict == judge.DISAGREE:
            hint = elsewhere.lacking(tensor)
            result.append(_with_hint(tensor, hint) if hint else tensor)
        else:
            result.append(tensor)
    return result, notes, elsewhere.seen


def _wrong_elsewhere(tensor: Tensor, other: Tensor, at: str) -> Tensor:
    wrong = [k for k, word in enumerate(other.words) if word == WRONG]
    words = [max(word, WRONG) if k in wrong else word for k, word in enumerate(tensor.words)]
    why = {k: f"right at this point only: at {at}, {other.reasons.get(k, 'it is wrong')}" for k in wrong}
    return tensor._replace(words=words, reasons={**tensor.reasons, **why})


def _with_hint(tensor: Tensor, hint: str) -> Tensor:
    reasons = {k: f"{why}; {hint}" for k, why in tensor.reasons.items() if tensor.words[k] == WRONG}
    return tensor._replace(reasons={**tensor.reasons, **reasons})


class _Elsewhere:
    """Judges claims at other points than the user's.

    Attributes:
        names: the inputs and stages that formulas are claimed of.
        claimed: those that anything is claimed of.
        positions: the inputs that say where to look something up.
        seen: how many other points were looked at.
    """

    def __init__(self, problem: Problem, place: Place, settings: Settings) -> None:
        self.problem, self.place, self.settings = problem, place, settings
        self.formulas = {called: claim for called, claim in problem.claims.items() if claim.uses}
        self.names = list(dict.fromkeys(claim.name for claim in self.formulas.values()))
        self.claimed = {claim.name for claim in problem.claims.values()}
        self.seen = 0
        self.positions = looked_up(problem.graph)

    def judged(self, point: Mapping[str, Any], names: Sequence[str], like: Place | None = None) -> list[Tensor] | None:
        """Return what is found of some claims at another point; None where the function is not defined there.

        With `like`, also where it is made of other pieces than there.
        """
        try:
            other = self.problem.place({**point, **self.place.beside})
            there = pieces(other) if like is not None else []
            if like is not None and there != pieces(like, there):
                return None
            claims = {called: claim for called, claim in self.formulas.items() if claim.name in names}
            asked = NumbersAsked(names, self.settings.engines, claims, self.problem.joint, seed=self.settings.seed)
            return number_by_number(other, asked)[0]
        except GradcheckError:
            return None

    def points(self) -> Iterator[Point]:
        """Yield other points of the same kind, the later ones nearer."""
        for k in range(TRIES):
            random = np.random.default_rng([self.settings.seed, 977, k])
            spread = SPREAD * (1.0 if k < TRIES / 2 else 0.1)
            # What only claims use may be made of labels, and stands still: so do the labels.
            still = {
                name for name, x in self.place.point.items() if self.place.beside and bool(np.all(x == np.round(x)))
            }
            # What a layer is made of, such as the state that a recurrent one begins with, is no input.
            still |= {name for name, kind in self.problem.kinds.items() if kind not in ("parameter", "input")}
            point = {name: np.asarray(x).astype(int) if name in self.positions else x
                     for name, x in self.place.point.items()}  # fmt: skip
            yield {name: x if name in still else redrawn(x, random, spread) for name, x in point.items()}

    def refuted(self, names: Sequence[str]) -> dict[str, tuple[Tensor, str]]:
        """Return the claims among those that are right here which are wrong elsewhere, with what was found where."""
        found: dict[str, tuple[Tensor, str]] = {}
        for point in self.points() if names else ():
            tensors = self.judged(point, names, self.place)
            if tensors is None:
                continue
            self.seen += 1
            for tensor in tensors:
                if tensor.verdict == judge.DISAGREE:
                    found.setdefault(tensor.name, (tensor, shown(point)))
            if self.seen >= POINTS:
                break
        return found

    def needing_symmetry(self, names: Sequence[str]) -> list[str]:
        """Say which claims hold only because a matrix is symmetric."""
        random = np.random.default_rng([self.settings.seed, 978])
        notes = []
        for name in self._matrices(is_symmetric) if names else ():
            points = [{**self.place.point, name: x} for x in skewed(self.place.point[name], random)]
            found = [{t.name for t in self.judged(p, names) or () if t.verdict == judge.DISAGREE} for p in points]
            wrong = [each for each in names if all(each in some for some in found)]
            if wrong:
                claims = " and ".join(f"`{one}`" for one in wrong)
                notes.append(
                    f"the claim for {claims} is right because `{name}` is symmetric, and for no other `{name}`"
                )
        return notes

    def lacking(self, tensor: Tensor) -> str | None:
        """Say what a wrong claim lacks: a transpose, or the symmetry of a matrix."""
        return _turned(tensor) or self._symmetric_only(tensor.name)

    def _symmetric_only(self, name: str) -> str | None:
        lopsided = self._matrices(lambda x: is_square(x) and not is_symmetric(x))
        if name not in self.names or not lopsided:
            return None
        for group in [[one] for one in lopsided] + ([lopsided] if len(lopsided) > 1 else []):
            point = {**self.place.point, **{one: symmetrised(self.place.point[one]) for one in group}}
            found = self.judged(point, [name])
            if found is not None and all(tensor.verdict == judge.AGREE for tensor in found):
                called = " and ".join(f"`{one}`" for one in group)
                return f"it would be right if {called} were symmetric, which {'they are' if group[1:] else 'it is'} not"
        return None

    def _matrices(self, kind: Callable[[Any], bool]) -> list[str]:
        return [name for name, x in self.place.point.items() if np.asarray(x).dtype.kind == "f" and kind(x)]


def _turned(tensor: Tensor) -> str | None:
    """Say of a wrong matrix that its transpose is right, or that it is right once both are symmetrised."""
    if len(tensor.shape) < 2 or tensor.shape[-1] != tensor.shape[-2]:
        return None
    graded, truth = (np.reshape(x, tensor.shape) for x in (tensor.graded(), tensor.truth()))
    if not (np.all(np.isfinite(graded)) and np.all(np.isfinite(truth))):
        return None

    scale = float(np.abs(truth).max())
    if judge.alike(graded, truth, scale):
        return None
    if judge.alike(graded, np.swapaxes(truth, -1, -2), scale):
        return "the claim is the transpose of the gradient"
    if judge.alike(symmetrised(graded), symmetrised(truth), scale):
        return "it is right only after both are symmetrised, as for a symmetric argument"
    return None


def pieces(place: Place, like: Sequence[int] | None = None) -> list[int]:
    """Return on which side of each kink a function is at a place; where that is on it, what `like` says."""
    graph, values = place.scalar, place.flat_values
    found: list[int] = []
    from gradcheck.arithmetic.floats import IEEE

    compiled: dict[str, Any] = {}
    for node in graph.gates:
        row = OPS[graph.ops[node]]
        if not (row.kink or row.choice) or row.staircase:
            continue
        point = [values[k] for k in graph.operands(node)]
        if row.choice:
            found.append(int(point[0] != 0))
            continue
        if row.name not in compiled:
            compiled[row.name] = IEEE.compile(row.kink, (*row.args, "out"))
        found += [(edge > 0) - (edge < 0) for edge in compiled[row.name](*point, values[node])]
    if like is not None and len(like) == len(found):
        found = [there if here == 0 else here for here, there in zip(found, like, strict=True)]
    return found


def shown(point: Mapping[str, Any]) -> str:
    """Return a point as --at takes it, cut short."""
    text = ",".join(f"{name}={_spelled(x)}" for name, x in point.items())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _spelled(x: Any) -> str:
    if isinstance(x, float):
        return repr(x).removesuffix(".0") if math.isfinite(x) else str(x)
    return str(np.asarray(x).tolist()).replace(" ", "")
