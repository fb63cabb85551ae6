"""The report as data. Printers read it; nothing in it knows how it will be shown."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcheck.checking import judge
from gradcheck.graph.graph import element_name

FORMAT = 1
"""Version of the JSON report."""


class Gradient(NamedTuple):
    """The gradient with respect to one number, by every method, and the verdict on it.

    Attributes:
        input: name of the input.
        index: place in the input; () for a scalar.
        at: the input's value.
        backprop, symbolic, finite_difference, claimed: the gradient by each method; None where
            the method was not asked or has no number.
        error_bound: bound on the error of `finite_difference`; at a kink the two together span
            the one-sided slopes.
        formula: SymPy's closed form, in the language of the expression, if it is readable.
        verdict: agree, kink, lossy, not_exercised, inconclusive or disagree.
        reason: one sentence, or None for a plain agreement.
        caught: the smallest relative error that would have shown; None where it has no meaning.
    """

    input: str
    index: tuple[int, ...]  # type: ignore[assignment]
    at: float
    backprop: float | None
    symbolic: float | None
    finite_difference: float | None
    error_bound: float | None
    claimed: float | None
    formula: str | None
    verdict: str
    reason: str | None
    caught: float | None

    @property
    def name(self) -> str:
        """The number's name: x, or W[0,2]."""
        return element_name(self.input, self.index)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this gradient; NaN and infinities become strings."""
        numbers = ("backprop", "symbolic", "finite_difference", "error_bound", "claimed")
        return {
            "input": self.input,
            "index": list(self.index),
            **{key: plain(getattr(self, key)) for key in numbers},
            "formula": self.formula,
            "verdict": self.verdict,
            "reason": self.reason,
        }


class Check(NamedTuple):
    """One expression at one point.

    Attributes:
        source: the expression's text.
        point: input name → value (nested lists for arrays).
        value: the value of the expression (of its sum, if the output is an array).
        shape: shape of the output; () for a scalar.
        gradients: one entry a number, inputs in order of appearance, elements in row-major order.
        stages: (name, value, gradient) of each named stage that is a single number.
    """

    source: str
    point: dict[str, Any]
    value: float
    shape: tuple[int, ...]
    gradients: list[Gradient]
    stages: list[tuple[str, float, float]]

    @property
    def verdict(self) -> str:
        """The word for the whole point."""
        return judge.overall([g.verdict for g in self.gradients])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this check."""
        return {
            "source": self.source,
            "point": plain(self.point),
            "value": plain(self.value),
            "verdict": self.verdict,
            "gradients": [g.to_dict() for g in self.gradients],
        }


class Report(NamedTuple):
    """Everything one run found.

    Attributes:
        checks: one a point.
        engines: the methods that were asked, in the order of the columns.
        seed: the seed of the chosen points, or None if the user gave them.
        strict: whether anything but `agree` counts as a failure.
    """

    checks: list[Check]
    engines: tuple[str, ...]
    seed: int | None = None
    strict: bool = False

    @property
    def words(self) -> list[str]:
        """The verdicts of all numbers."""
        return [g.verdict for check in self.checks for g in check.gradients]

    @property
    def verdict(self) -> str:
        """The word for the whole run."""
        return judge.overall(self.words)

    @property
    def exit_code(self) -> int:
        """The exit status of the command."""
        return judge.exit_code(self.words, self.strict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, undecided or empty."""
        return self.exit_code == 0

    @property
    def caught(self) -> float | None:
        """The smallest relative error that would have shown in every number that has one."""
        bounds = [g.caught for check in self.checks for g in check.gradients if g.caught is not None]
        return max(bounds, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this report."""
        return {
            "gradcheck": FORMAT,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "checks": [check.to_dict() for check in self.checks],
        }


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN and infinities as the strings nan, inf and -inf."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        if value != value:
            return "nan"
        if value in (float("inf"), float("-inf")):
            return "inf" if value > 0 else "-inf"
    return value
