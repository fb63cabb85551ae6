"""What `verify` found, as data: one record a spec, one a tensor. Printers read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.checking import judge
from gradcheck.checking.results import FORMAT, plain
from gradcheck.errors import GradcheckError

LISTED = 10_000
"""Numbers of one spec up to which the JSON report lists each; beyond, those that are not plain agreement."""

ERROR = "error"
"""The verdict of a run in which a spec could not be computed."""

METHODS = ("backprop", "symbolic", "finite_difference", "claimed")


class TensorResult(NamedTuple):
    """The gradient with respect to one tensor. Arrays are flat, in row-major order.

    Attributes:
        name: as in a state_dict, or the input's name.
        shape: its shape.
        line: the line of the spec that defines it.
        answers: method → the gradient's numbers, NaN where the method gave none; methods that were
            not asked are missing.
        error_bound: bound on the error of the finite difference.
        words: verdict of each number, as its place in judge.SEVERITY.
        reasons: place → one sentence, for numbers that are not plain agreement; the worst, not all.
        caught: the smallest relative error that would have shown in every number that agrees.
    """

    name: str
    shape: tuple[int, ...]
    line: int
    answers: Mapping[str, Any]
    error_bound: Any
    words: Any
    reasons: Mapping[int, str]
    caught: float | None

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return len(self.words)

    def counts(self) -> dict[str, int]:
        """Return how many numbers have which verdict, the worst first."""
        import numpy as np

        found = np.bincount(self.words, minlength=len(judge.SEVERITY)).tolist()
        return {word: found[k] for k, word in reversed(list(enumerate(judge.SEVERITY))) if found[k]}

    @property
    def verdict(self) -> str:
        """The word for the whole tensor."""
        return judge.overall(list(self.counts()))

    def covered(self, method: str) -> int:
        """Return how many numbers a method gave."""
        import numpy as np

        return int(np.count_nonzero(~np.isnan(self.answers[method]))) if method in self.answers else 0

    def place_index(self, place: int) -> tuple[int, ...]:
        """Return the index of a number."""
        import numpy as np

        return tuple(int(k) for k in np.unravel_index(place, self.shape))

    def graded(self) -> Any:
        """Return the numbers that were graded: the claim if there is one, else backprop's."""
        return self.answers.get("claimed", self.answers["backprop"])

    def truth(self) -> Any:
        """Return for each number the best of the other methods; NaN where there is none."""
        import numpy as np

        best = np.array(self.answers.get("symbolic", np.full(self.size, np.nan)))
        other = self.answers.get("finite_difference", best)
        best = np.where(np.isnan(best), other, best)
        return np.where(np.isnan(best), self.answers["backprop"], best) if "claimed" in self.answers else best

    def distance(self) -> Any:
        """Return for each number how far it is from the others, relative to the larger.

        A number that is zero up to rounding is measured by the tensor's largest.
        """
        import numpy as np

        graded, truth = self.graded(), self.truth()
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(graded), np.abs(truth))
            right = self.words != judge.SEVERITY.index(judge.DISAGREE)
            largest = np.max(size, initial=0.0, where=np.isfinite(size))
            size = np.where(right & (size <= judge.NOISE * largest), largest, size)
            gap = np.abs(graded - truth) / np.where(size == 0, 1, size)
        return np.where(np.isnan(graded), np.inf, np.where(np.isnan(gap), 0, gap))

    def worst(self) -> int:
        """Return the place of the worst number: the worst verdict, then the largest distance."""
        import numpy as np

        return int(np.lexsort((self.distance(), self.words))[-1])

    def notable(self) -> list[int]:
        """Return the places of numbers that are not plain agreement, the worst first."""
        import numpy as np

        places = np.flatnonzero(self.words != judge.SEVERITY.index(judge.AGREE))
        order = np.lexsort((-self.distance()[places], -self.words[places].astype(int)))
        return [int(places[k]) for k in order]

    def row(self, place: int) -> dict[str, Any]:
        """Return the JSON object of one number, with the keys that an expression's have."""

        def number(values: Any) -> Any:
            value = float(values[place])
            return None if value != value else plain(value)

        found = {method: number(self.answers[method]) if method in self.answers else None for method in METHODS}
        graded = float(self.graded()[place])
        if graded != graded:
            found["claimed" if "claimed" in self.answers else "backprop"] = "nan"
        return {
            "input": self.name, "index": list(self.place_index(place)),
            "backprop": found["backprop"], "symbolic": found["symbolic"],
            "finite_difference": found["finite_difference"], "error_bound": number(self.error_bound),
            "claimed": found["claimed"], "formula": None,
            "verdict": judge.SEVERITY[int(self.words[place])], "reason": self.reasons.get(place),
        }  # fmt: skip


class Fact(NamedTuple):
    """An expected value that does not hold, or an op of the spec's own whose rule is wrong.

    Attributes:
        what: what was expected of: loss, outputs or grads, and the name; or the rule.
        place: line and column of the expectation, or of the node.
        reason: one sentence.
    """

    what: str
    place: tuple[int, int]
    reason: str


class SpecResult(NamedTuple):
    """One spec, checked.

    Attributes:
        spec: its name.
        file: as the user gave it.
        line: where it begins.
        value: the loss.
        method: how it was checked, in words.
        tensors: one a parameter or input.
        facts: expectations that do not hold.
        held: how many hold.
        faults: rules that are wrong under another upstream gradient than the network's.
        notes: sentences for the reader: ops at fault, directions, kinks.
    """

    spec: str
    file: str
    line: int
    value: float
    method: str
    tensors: Sequence[TensorResult]
    facts: Sequence[Fact]
    held: int
    faults: Sequence[Fact]
    notes: Sequence[str]

    @property
    def words(self) -> list[str]:
        """The verdicts that occur, once each."""
        found = {word for tensor in self.tensors for word in tensor.counts()}
        return sorted(found | ({judge.DISAGREE} if self.facts or self.faults else set()), key=judge.SEVERITY.index)

    @property
    def verdict(self) -> str:
        """The word for the whole spec."""
        return judge.overall(self.words)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return sum(tensor.size for tensor in self.tensors)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this spec."""
        rows = []
        for tensor in self.tensors:
            places: Sequence[int] = range(tensor.size)
            if self.size > LISTED:
                places = sorted({*tensor.notable()[:LISTED], tensor.worst()})
            rows += [tensor.row(place) for place in places]
        return {
            "file": self.file, "line": self.line, "spec": self.spec, "value": plain(self.value),
            "verdict": self.verdict, "method": self.method,
            "tensors": [
                {
                    "input": t.name, "shape": list(t.shape), "line": t.line, "numbers": t.size, "verdict": t.verdict,
                    "counts": t.counts(), "covered": {m: t.covered(m) for m in METHODS[:3]}, "caught": plain(t.caught),
                }
                for t in self.tensors
            ],
            "listed": len(rows), "numbers": self.size, "gradients": rows,
            "expect": [_fact(fact) for fact in self.facts],
            "rules": [_fact(fact) for fact in self.faults],
            "notes": list(self.notes),
        }  # fmt: skip


class Verification(NamedTuple):
    """Everything one run of `verify` found.

    Attributes:
        specs: one a spec, in the order of the files.
        strict: whether anything but agreement counts as a failure.
        stopped: True if --fail-fast left specs out.
        problems: errors of specs whose loss or slopes are not defined at their numbers.
    """

    specs: Sequence[SpecResult]
    strict: bool = False
    stopped: bool = False
    problems: Sequence[GradcheckError] = ()

    @property
    def words(self) -> list[str]:
        """The verdicts of all specs."""
        return [word for spec in self.specs for word in spec.words]

    @property
    def verdict(self) -> str:
        """The word for the whole run; `error` if a spec has no value or slope at its numbers."""
        if self.problems:
            return ERROR
        return judge.NOT_EXERCISED if self.exit_code == 5 else judge.overall(self.words)

    @property
    def idle(self) -> list[SpecResult]:
        """The specs in which nothing was exercised."""
        return [spec for spec in self.specs if spec.verdict == judge.NOT_EXERCISED]

    @property
    def exit_code(self) -> int:
        """The exit status; a spec in which nothing was exercised is as bad as none at all."""
        if self.problems:
            return self.problems[0].exit_code
        codes = [judge.exit_code(spec.words, self.strict) for spec in self.specs]
        return next((code for code in (1, 4, 5) if code in codes), 0) if codes else 5

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this run."""
        return {
            "gradcheck": FORMAT,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "checks": [spec.to_dict() for spec in self.specs],
            "errors": [_error(problem) for problem in self.problems],
        }


def _fact(fact: Fact) -> dict[str, Any]:
    return {"what": fact.what, "line": fact.place[0], "column": fact.place[1], "reason": fact.reason}


def _error(problem: GradcheckError) -> dict[str, Any]:
    line, column = problem.source.position(problem.span[0]) if problem.source and problem.span else (None, None)
    name = problem.source.name if problem.source else None
    return {"file": name, "line": line, "column": column, "message": problem.message, "hint": problem.hint}
