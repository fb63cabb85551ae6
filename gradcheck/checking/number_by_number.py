"""Every number by itself, in a hundred digits: each engine is asked, and the answers are judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck import progress
from gradcheck.arithmetic.numbers import to_float
from gradcheck.checking import judge
from gradcheck.checking.blame import Blame, first_without_gradient, lost_digits
from gradcheck.checking.exact import MOST_EXTRA, Exact
from gradcheck.checking.judge import Answer, SlopeAnswer, Verdict
from gradcheck.checking.place import Place
from gradcheck.checking.tensor import Tensor
from gradcheck.engines.finite_difference import INFINITE, UNDEFINED, Slope
from gradcheck.errors import DomainError
from gradcheck.graph.graph import element_name
from gradcheck.language.claims import Claim

MANY = 100
"""Wrong gradients beyond which nobody asks whether two were exchanged."""


class NumbersAsked(NamedTuple):
    """What is asked at a place.

    Attributes:
        wrt: the inputs to check.
        engines: the methods.
        claims: gradients that the user gave, by input.
        joint: whether kinks of several ops that meet in one number excuse each other: so in networks.
        most_extra: digits that may be added to a hundred where values lie far apart.
        formulas: whether SymPy's closed forms are wanted too.
    """

    wrt: Sequence[str]
    engines: Sequence[str]
    claims: Mapping[str, Claim]
    joint: bool = False
    most_extra: int = MOST_EXTRA
    formulas: bool = False


def number_by_number(place: Place, asked: NumbersAsked) -> list[Tensor]:
    """Ask the engines and judge every number.

    Raises:
        DomainError: if a slope is infinite or not defined.
        SpreadError: if it takes more digits than were granted.
    """
    return _NumberByNumber(place, asked).check()


Row = tuple[float, Answer | None, Answer | None, SlopeAnswer | None, Answer | None, str | None, Verdict]
"""One number: its value, what backprop, SymPy, the differences and the user say, the closed form, the verdict."""


class _NumberByNumber:
    def __init__(self, place: Place, asked: NumbersAsked) -> None:
        self.asked = asked
        self.place = place
        also = {op for claim in asked.claims.values() for op in claim.graph.ops}
        self.exact = Exact(place.scalar, place.flat_inputs, place.flat_values, also, asked.most_extra)
        sizes = [abs(v) for v in place.flat_values if v is not None and math.isfinite(v)]
        self.largest = max(sizes, default=1.0) or 1.0

    def check(self) -> list[Tensor]:
        slopes = self._slopes()
        if self.exact.refined:
            self.exact.refine()
        with self.exact.system.active():
            self.sharp = self.place.exact_gradients(self.exact)
            self.blame = Blame(self.place, self.exact, self.sharp)
            self.adjoints, formulas = self._symbolic()
            self.lossy_value = self._lossy_value()
            return _name_exchanged([self._tensor(name, slopes, formulas) for name in self.asked.wrt])

    def _slopes(self) -> dict[int, SlopeAnswer]:
        """Return the finite difference for each number that is checked and affordable."""
        found: dict[int, SlopeAnswer] = {}
        if "finite_difference" not in self.asked.engines:
            return found
        for name in self.asked.wrt:
            elements = self.place.elements(name)
            for k, (index, node, _) in enumerate(elements):
                progress.say(name, k, len(elements), inner=True)
                slope = self.exact.slope(node)
                if slope is not None:
                    found[node] = self._defined(slope, element_name(name, index))
        return found

    def _defined(self, slope: Slope, called: str) -> SlopeAnswer:
        graph = self.place.graph
        value = math.nan if slope.value is None else to_float(slope.value)
        word = {INFINITE: "infinite", UNDEFINED: "not defined"}.get(slope.kind)
        if word is None and math.isinf(value):
            word = "beyond the range of float64"
        if word is not None:
            bad = first_without_gradient(graph, self.place.gradients)
            span = graph.span(graph.output if bad is None else bad)
            which = "" if bad is None else f", because of {graph.title(bad)}"
            raise DomainError(
                f"the slope with respect to `{called}` is {word} here{which}", graph.source, span,
                "choose another point, or leave this input out with --wrt",
            )  # fmt: skip
        if abs(slope.value) <= slope.bar and slope.left == slope.right:
            value = 0.0
        return SlopeAnswer(Answer(value, slope.value, slope.bar), slope.kind, slope.left, slope.right, slope.exercised)

    def _symbolic(self) -> tuple[list[Any] | None, dict[str, str]]:
        if "symbolic" not in self.asked.engines:
            return None, {}
        from gradcheck.engines import symbolic

        exact = self.exact
        adjoints = symbolic.adjoints(exact.graph, exact.system, exact.values, exact.system.literal("1"))
        checked = set(self.asked.wrt)
        names = [n for n in exact.graph.inputs if n.partition("[")[0] in checked]
        return adjoints, symbolic.closed_forms(exact.graph, names) if self.asked.formulas else {}

    def _tensor(self, name: str, slopes: Mapping[int, SlopeAnswer], formulas: Mapping[str, str]) -> Tensor:
        rows = self._rows(name, slopes, formulas)
        answers = {
            "backprop": [_number(back) for _, back, *_ in rows],
            "symbolic": [_number(symbolic) for _, _, symbolic, *_ in rows],
            "finite_difference": [_number(slope.answer if slope else None) for _, _, _, slope, *_ in rows],
            "claimed": [_number(typed) for *_, typed, _, _ in rows],
        }
        asked = {*self.asked.engines, *(["claimed"] if name in self.asked.claims else [])}
        verdicts = [verdict for *_, verdict in rows]
        return Tensor(
            name, getattr(self.place.point[name], "shape", ()), None, [at for at, *_ in rows],
            {method: column for method, column in answers.items() if method in asked},
            [_bound(slope) for _, _, _, slope, *_ in rows],
            [judge.SEVERITY.index(verdict.word) for verdict in verdicts],
            {k: verdict.reason for k, verdict in enumerate(verdicts) if verdict.reason},
            [math.nan if verdict.caught is None else verdict.caught for verdict in verdicts],
            {k: formula for k, (*_, formula, _) in enumerate(rows) if formula is not None},
        )  # fmt: skip

    def _rows(self, name: str, slopes: Mapping[int, SlopeAnswer], formulas: Mapping[str, str]) -> list[Row]:
        place, zero = self.place, self.exact.system.literal("0")
        rough = [float(x) for x in place.flat(place.gradients, name, 0.0)]
        sharp = place.flat(self.sharp, name, zero)
        claim = self.asked.claims.get(name)
        claimed = self._claimed(claim)
        rows: list[Row] = []
        for k, (index, node, value) in enumerate(place.elements(name)):
            floor = self.exact.rounding_floor(value)
            back = Answer(rough[k], sharp[k], floor) if "backprop" in self.asked.engines else None
            symbolic, slope = self._symbolic_answer(node, floor), slopes.get(node)
            typed = None
            if claim is not None and claimed is not None:
                slack = 4 * abs(rough[k] - to_float(sharp[k])) if math.isfinite(rough[k]) else 0.0
                typed = Answer(claimed[0][k], claimed[1][k], floor, claimed=True, written=claim.number, slack=slack)
            graded = typed or back or symbolic
            assert graded is not None
            scale = self.largest / (abs(value) or 1.0)
            verdict = judge.judge(graded, None if graded is symbolic else symbolic, slope, scale)
            if self.asked.joint and back is not None and verdict.word == judge.DISAGREE and judge.same(graded, back):
                verdict = judge.joint_kink(verdict, slope, self.exact.bends_behind(node))
            if graded is back and verdict.word == judge.AGREE and self.lossy_value is not None:
                verdict = self.lossy_value
            verdict = self.blame.explain(verdict, graded is back, slope, rough[k])
            formula = formulas.get(element_name(name, index))
            rows.append((value, back, _shown(symbolic, slope), slope, typed, formula, verdict))
        return rows

    def _claimed(self, claim: Claim | None) -> tuple[list[float], list[Any]] | None:
        if claim is None:
            return None
        if claim.special is None:
            return self.place.claim(claim, self.exact, self.sharp)
        count = len(self.place.elements(claim.name))
        return [claim.special] * count, [self.exact.system.nan] * count

    def _symbolic_answer(self, node: int, floor: Any) -> Answer | None:
        if self.adjoints is None:
            return None
        found = self.adjoints[node]
        exact = self.exact.system.literal("0") if found is None else found
        return Answer(to_float(exact), exact, floor, conventional=bool(self.exact.bends))

    def _lossy_value(self) -> Verdict | None:
        """Return a verdict if the function's own value has lost its digits, though gradients have not.

        A value that the rounding of the inputs alone could turn into zero has no digits to lose.
        """
        exact = self.exact.values[self.exact.graph.output]
        true = to_float(exact)
        if not lost_digits(self.place.value, exact):
            return None
        zero = self.exact.system.literal("0")
        reach = 0.0
        for name in self.place.graph.inputs:
            gradients = self.place.flat(self.sharp, name, zero)
            for gradient, (_, _, x) in zip(gradients, self.place.elements(name), strict=True):
                reach += abs(to_float(gradient)) * math.ulp(x)
        if abs(true) <= 4 * reach:
            return None
        kept = max(0, math.floor(-math.log10(abs(self.place.value - true) / abs(true))))
        plural = "" if kept == 1 else "s"
        return Verdict(judge.LOSSY, f"right rules, but float64 kept {kept} digit{plural} of the value, truly {true!r}")


def _shown(symbolic: Answer | None, slope: SlopeAnswer | None) -> Answer | None:
    """Return SymPy's answer as it is reported: not a convention that the differences refute.

    A zero that is known only to the digits computed is shown as zero.
    """
    if symbolic is None or not symbolic.finite:
        return None
    if slope is not None and slope.kind == "smooth":
        gap = abs(symbolic.exact - slope.answer.exact)
        if symbolic.conventional and gap > slope.answer.bar + abs(slope.answer.exact) / 10**9:
            return None
        if slope.answer.value == 0 and abs(symbolic.exact) <= slope.answer.bar + symbolic.bar:
            return symbolic._replace(value=0.0)
    return symbolic


def _number(answer: Answer | None) -> float:
    return math.nan if answer is None else answer.value


def _bound(slope: SlopeAnswer | None) -> float:
    """Return the bound on the error of the float64 that is reported: its own rounding belongs to the bar."""
    if slope is None:
        return math.nan
    value, exact, bar = slope.answer[:3]
    return max(abs(to_float(exact - exact.__class__(value))) + to_float(bar), math.ulp(value))


def _name_exchanged(tensors: list[Tensor]) -> list[Tensor]:
    """Say of wrong gradients of single numbers that they are each other's."""
    wrong = {t.name: t.number(0) for t in tensors if not t.shape and t.verdict == judge.DISAGREE}
    if not 2 <= len(wrong) <= MANY:
        return tensors
    graded = {name: g.graded or 0.0 for name, g in wrong.items()}
    truth = {name: g.truth or 0.0 for name, g in wrong.items()}
    swapped = judge.exchanged(graded, truth)
    return [
        t._replace(reasons={0: f"this is the gradient of `{swapped[t.name]}`: the two are exchanged"})
        if t.name in swapped
        else t
        for t in tensors
    ]
