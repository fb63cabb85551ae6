"""What was found, as data: a report is checks and failures, a check is tensors.

Writers read it; nothing in it knows how it will be shown. The keys of the JSON report are spelt here
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from gradcheck.checking import judge
from gradcheck.checking.problem import Origin
from gradcheck.checking.proof import CODES, BoxProof
from gradcheck.checking.tensor import Gradient, Tensor, plain
from gradcheck.errors import GradcheckError
from gradcheck.ops.shapes import show

FORMAT = 1
"""Version of the JSON report."""

LISTED = 10_000
"""Numbers of one spec up to which the JSON report lists each; beyond, those that are not plain agreement."""

WORST = (judge.PROVED, *judge.SEVERITY, judge.DISPROVED)
"""Words of numbers and of proofs, from the best to the worst."""

ERROR = "error"
"""The verdict of a run in which something could not be read or computed."""


class Fact(NamedTuple):
    """An expected value that does not hold, or an op of the user's own whose rule is wrong.

    Attributes:
        what: what was expected of: loss, outputs or grads, and the name; or the rule.
        place: line and column of the expectation, or of the node.
        reason: one sentence.
    """

    what: str
    place: tuple[int, int]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this fact."""
        return {"what": self.what, "line": self.place[0], "column": self.place[1], "reason": self.reason}


class Check(NamedTuple):
    """One problem at one point.

    Attributes:
        origin: where the problem came from.
        differentiated: what the gradient is of, in words: the expression, or "sum of W.dot(X)".
        point: input name → value (nested lists for arrays); None where a file has it.
        value: the value of that.
        shape: shape of the output; () for a scalar.
        tensors: one an input or parameter, in order of appearance.
        stages: (name, value, gradient) of each named stage that is a single number.
        method: how it was checked, in words.
        facts: expectations that do not hold.
        held: how many hold.
        faults: rules that are wrong under another upstream gradient than the network's.
        notes: sentences for the reader: ops at fault, directions, kinks.
    """

    origin: Origin
    differentiated: str
    point: Mapping[str, Any] | None
    value: float
    shape: tuple[int, ...]
    tensors: Sequence[Tensor]
    stages: Sequence[tuple[str, float, float]]
    method: str
    facts: Sequence[Fact] = ()
    held: int = 0
    faults: Sequence[Fact] = ()
    notes: Sequence[str] = ()

    @property
    def about_output(self) -> str | None:
        """A sentence on an output that is an array; None for a single number."""
        if not self.shape:
            return None
        return f"the output is {show(self.shape)}: this is the gradient of the sum of its elements"

    @property
    def told(self) -> list[str]:
        """Sentences for the reader, the one on the output last."""
        return [*self.notes, *([self.about_output] if self.about_output else [])]

    @property
    def spec(self) -> str:
        """The name of the spec."""
        return self.origin.text

    @property
    def source(self) -> str:
        """The text of the expression."""
        return self.origin.text

    @property
    def gradients(self) -> list[Gradient]:
        """Every number by itself: inputs in order of appearance, elements in row-major order."""
        return [tensor.number(place) for tensor in self.tensors for place in range(tensor.size)]

    @property
    def size(self) -> int:
        """How many numbers were checked."""
        return sum(tensor.size for tensor in self.tensors)

    def counts(self) -> dict[str, int]:
        """Return how many numbers have which verdict, the worst first."""
        return _added(tensor.counts() for tensor in self.tensors)

    @property
    def words(self) -> list[str]:
        """The verdicts that occur, once each, the best first; what is not right beside the numbers counts."""
        found = {*self.counts(), *([judge.DISAGREE] if self.facts or self.faults else [])}
        return sorted(found, key=judge.SEVERITY.index)

    @property
    def verdict(self) -> str:
        """The word for the whole check."""
        return judge.overall(self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this check."""
        found = {"value": plain(self.value), "differentiated": self.differentiated, "verdict": self.verdict}
        if self.origin.file is None:
            rows = [number.to_dict() for number in self.gradients]
            whole = {tensor.name: tensor.formula for tensor in self.tensors if tensor.formula is not None}
            return {
                "source": self.source, "point": plain(self.point), **found, "gradients": rows, "formulas": whole,
                "notes": self.told,
            }  # fmt: skip
        listed: list[dict[str, Any]] = []
        for tensor in self.tensors:
            places: Sequence[int] = range(tensor.size)
            if self.size > LISTED:
                places = sorted({*tensor.notable()[:LISTED], tensor.worst()})
            listed += [tensor.number(place).to_dict() for place in places]
        return {
            "file": self.origin.file, "line": self.origin.line, "spec": self.spec, **found, "method": self.method,
            "tensors": [tensor.to_dict() for tensor in self.tensors],
            "listed": len(listed), "numbers": self.size, "gradients": listed,
            "expect": [fact.to_dict() for fact in self.facts], "rules": [fact.to_dict() for fact in self.faults],
            "notes": self.told,
        }  # fmt: skip


class Report(NamedTuple):
    """Everything one run found.

    Attributes:
        checks: one a problem and point.
        engines: the methods that were asked, in the order of the columns.
        seed: the seed of the chosen points, or None if nothing was chosen.
        strict: whether anything but `agree` counts as a failure.
        failures: errors of problems that could not be read or computed.
        stopped: True if --fail-fast left problems out.
        of_files: whether it is about files, and not about an expression that was typed.
        over: what was proved over boxes.
    """

    checks: Sequence[Check]
    engines: tuple[str, ...]
    seed: int | None = None
    strict: bool = False
    failures: Sequence[GradcheckError] = ()
    stopped: bool = False
    of_files: bool = False
    over: Sequence[BoxProof] = ()

    @property
    def words(self) -> list[str]:
        """The verdicts that occur."""
        return list(dict.fromkeys(word for check in self.checks for word in check.words))

    def counts(self) -> dict[str, int]:
        """Return how many numbers have which verdict, the worst first."""
        return _added(check.counts() for check in self.checks)

    @property
    def size(self) -> int:
        """How many numbers were checked."""
        return sum(check.size for check in self.checks)

    @property
    def problems(self) -> list[list[Check]]:
        """The checks of each problem: one a point."""
        return [list(checks) for _, checks in groupby(self.checks, lambda check: check.origin)]

    @property
    def idle(self) -> list[list[Check]]:
        """The problems in which nothing was exercised."""
        return [one for one in self.problems if all(check.verdict == judge.NOT_EXERCISED for check in one)]

    @property
    def verdict(self) -> str:
        """The word for the whole run; `error` if something could not be read or computed."""
        if self.failures:
            return ERROR
        if self.exit_code == 5:
            return judge.NOT_EXERCISED
        found = [judge.overall(self.words)] if self.checks else []
        return max([*found, *(proof.word for proof in self.over)], key=WORST.index)

    @property
    def exit_code(self) -> int:
        """The exit status; a problem in which nothing was exercised is as bad as none at all."""
        codes = [failure.exit_code for failure in self.failures]
        codes += [judge.exit_code([w for check in one for w in check.words], self.strict) for one in self.problems]
        codes += [1 if self.strict and proof.word != judge.PROVED else CODES[proof.word] for proof in self.over]
        return next((code for code in judge.EXIT_CODES if code in codes), 5)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, undecided or empty."""
        return self.exit_code == 0

    @property
    def caught(self) -> float | None:
        """The smallest relative error that would have shown in every number that has one."""
        bounds = [tensor.bound for check in self.checks for tensor in check.tensors]
        return max((bound for bound in bounds if bound is not None), default=None)

    def covered(self, method: str) -> int:
        """Return how many numbers a method gave."""
        return sum(tensor.covered(method) for check in self.checks for tensor in check.tensors)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this report."""
        found = {
            "gradcheck": FORMAT,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "checks": [check.to_dict() for check in self.checks],
        }
        if self.over:
            found["over"] = [proof.to_dict() for proof in self.over]
        return {**found, "errors": [located(failure) for failure in self.failures]} if self.of_files else found


def located(failure: GradcheckError) -> dict[str, Any]:
    """Return the JSON object of something that could not be read or computed."""
    source, span = failure.source, failure.span
    line, column = source.position(span[0]) if source and span else (None, None)
    name = source.name if source else None
    return {"file": name, "line": line, "column": column, "message": failure.message, "hint": failure.hint}


def _added(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for word, count in one.items():
            total[word] = total.get(word, 0) + count
    return {word: total[word] for word in reversed(judge.SEVERITY) if word in total}
