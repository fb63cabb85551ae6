"""The gradient with respect to one tensor, by every method, with the verdicts; a scalar has shape ()."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.checking import judge
from gradcheck.graph.graph import element_name

METHODS = ("backprop", "symbolic", "finite_difference", "claimed")
"""The methods, as columns and keys are called; the last is the user's own."""


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
        proved: whether that bound is proved, and not estimated; None where there is none.
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
    proved: bool | None
    claimed: float | None
    formula: str | None
    verdict: str
    reason: str | None
    caught: float | None

    @property
    def name(self) -> str:
        """The number's name: x, or W[0,2]."""
        return element_name(self.input, self.index)

    @property
    def graded(self) -> float | None:
        """The number that was graded: the claim if there is one, else backprop's."""
        return self.claimed if self.claimed is not None else self.backprop

    @property
    def truth(self) -> float | None:
        """The best of the other methods' numbers."""
        return self.symbolic if self.symbolic is not None else self.finite_difference

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of this gradient; NaN and infinities become strings."""
        numbers = ("backprop", "symbolic", "finite_difference", "error_bound", "proved", "claimed")
        return {
            "input": self.input,
            "index": list(self.index),
            **{key: plain(getattr(self, key)) for key in numbers},
            "formula": self.formula,
            "verdict": self.verdict,
            "reason": self.reason,
        }


class Tensor(NamedTuple):
    """The gradient with respect to one tensor. Columns are flat, in row-major order: lists or arrays.

    Attributes:
        name: as in a state_dict, or the input's name.
        shape: its shape; () for a scalar.
        line: the line of the file that defines it; None for an input of a typed expression.
        at: its numbers.
        answers: method → the gradient's numbers, NaN where the method gave none; methods that were
            not asked are missing.
        error_bound: bound on the error of the finite difference.
        words: verdict of each number, as its place in judge.SEVERITY.
        reasons: place → one sentence, for numbers that are not plain agreement; the worst, not all.
        caught: for each number, or once for all of them, the smallest relative error that would have
            shown; NaN where it has no meaning.
        formulas: place → SymPy's closed form, where it is readable.
        proved: for each number whether its error bound is proved; empty where all are estimated.
        formula: the closed form of a whole array, where there is a short one.
    """

    name: str
    shape: tuple[int, ...]
    line: int | None
    at: Sequence[float]
    answers: Mapping[str, Any]
    error_bound: Any
    words: Any
    reasons: Mapping[int, str]
    caught: Sequence[float]
    formulas: Mapping[int, str] = {}
    proved: Sequence[bool] = ()
    formula: str | None = None

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return len(self.words)

    def counts(self) -> dict[str, int]:
        """Return how many numbers have which verdict, the worst first."""
        places = bytes(self.words)
        found = {word: places.count(k) for k, word in enumerate(judge.SEVERITY)}
        return {word: found[word] for word in reversed(judge.SEVERITY) if found[word]}

    @property
    def verdict(self) -> str:
        """The word for the whole tensor."""
        return judge.overall(list(self.counts()))

    @property
    def bound(self) -> float | None:
        """The smallest relative error that would have shown in every number that has one."""
        return max((c for c in self.caught if c == c), default=None)

    def covered(self, method: str) -> int:
        """Return how many numbers a method gave."""
        column = self.answers.get(method, ())
        if isinstance(column, (list, tuple)):
            return sum(x == x for x in column)
        return int((column == column).sum())

    def place_index(self, place: int) -> tuple[int, ...]:
        """Return the index of a number."""
        index = []
        for n in reversed(self.shape):
            place, k = divmod(place, n)
            index.append(k)
        return tuple(reversed(index))

    def called(self, place: int) -> str:
        """Return the name of a number: x, or W[0,2]."""
        return element_name(self.name, self.place_index(place))

    def graded(self) -> Any:
        """Return the numbers that were graded, as an array: the claim if there is one, else backprop's."""
        import numpy as np

        own = np.asarray(self.answers.get("backprop", self.answers.get("claimed")), dtype=float)
        claimed = np.asarray(self.answers.get("claimed", own), dtype=float)
        free = np.isnan(claimed) & (np.asarray(self.words) != judge.SEVERITY.index(judge.DISAGREE))
        return np.where(free, own, claimed)

    def truth(self) -> Any:
        """Return for each number the best of the other methods, as an array; NaN where there is none."""
        import numpy as np

        best = np.array(self.answers.get("symbolic", np.full(self.size, np.nan)), dtype=float)
        other = np.asarray(self.answers.get("finite_difference", best), dtype=float)
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
            right = np.asarray(self.words) != judge.SEVERITY.index(judge.DISAGREE)
            largest = np.max(size, initial=0.0, where=np.isfinite(size))
            size = np.where(right & (size <= judge.NOISE * largest), largest, size)
            gap = np.abs(graded - truth) / np.where(size == 0, 1, size)
        return np.where(np.isnan(graded), np.inf, np.where(np.isnan(gap), 0, gap))

    def worst(self) -> int:
        """Return the place of the worst number: the worst verdict, then the largest distance."""
        import numpy as np

        return int(np.lexsort((self.distance(), np.asarray(self.words)))[-1])

    def notable(self) -> list[int]:
        """Return the places of numbers that are not plain agreement, the worst first."""
        if not any(bytes(self.words)):
            return []
        import numpy as np

        words = np.asarray(self.words)
        places = np.flatnonzero(words)
        order = np.lexsort((-self.distance()[places], -words[places].astype(int)))
        return [int(places[k]) for k in order]

    def number(self, place: int) -> Gradient:
        """Return one number with everything that is known of it."""

        def given(column: Any) -> float | None:
            value = float(column[place])
            return None if value != value else value

        # What is graded was given, even where it is NaN.
        own = {"backprop", "claimed"} & self.answers.keys()
        bound = given(self.error_bound)
        proved = None if bound is None else bool(self.proved) and bool(self.proved[place])
        found = {m: float(self.answers[m][place]) if m in own else given(self.answers[m]) for m in self.answers}
        if "claimed" in own and self.words[place] != judge.SEVERITY.index(judge.DISAGREE):
            # Of the elements beside it nothing may be claimed.
            found["claimed"] = given(self.answers["claimed"])
        return Gradient(
            self.name, self.place_index(place), float(self.at[place]),
            found.get("backprop"), found.get("symbolic"), found.get("finite_difference"), bound, proved,
            found.get("claimed"),
            self.formulas.get(place), judge.SEVERITY[int(self.words[place])], self.reasons.get(place),
            given(self.caught if len(self.caught) == self.size else [self.caught[0]] * self.size),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that sums this tensor up."""
        return {
            "input": self.name, "shape": list(self.shape), "line": self.line, "numbers": self.size,
            "verdict": self.verdict, "counts": self.counts(),
            "covered": {method: self.covered(method) for method in METHODS[:3]}, "caught": plain(self.bound),
        }  # fmt: skip


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
