"""The verdicts at one point: every engine is asked, every number graded, every reason named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gradcheck.arithmetic.numbers import to_float
from gradcheck.checking import judge, points
from gradcheck.checking.blame import Blame, worn
from gradcheck.checking.exact import MOST_EXTRA, Exact
from gradcheck.checking.judge import Answer, SlopeAnswer, Verdict
from gradcheck.checking.results import Check, Gradient
from gradcheck.engines.finite_difference import INFINITE, UNDEFINED, Slope
from gradcheck.errors import DomainError
from gradcheck.graph.graph import element_name

if TYPE_CHECKING:
    from gradcheck.arithmetic.system import System
    from gradcheck.checking.expressions import Settings
    from gradcheck.graph.graph import Graph
    from gradcheck.language.claims import Claim


MANY = 100
"""Wrong gradients beyond which nobody asks whether two were exchanged."""


class Place(Protocol):
    """A graph at a point, with backprop's answer there: single numbers or arrays.

    Attributes:
        graph: the user's graph.
        system: the number system of `values`.
        point: input name → value.
        values: the float64 value of each node.
        value, shape: the output, summed if it is an array, and its shape.
        scalar: the graph written out in single numbers (the graph itself if it is one).
        flat_inputs, flat_values: its inputs and the float64 value of each of its nodes.
    """

    graph: Graph
    system: System
    point: points.Point
    values: list[Any]
    value: float
    shape: tuple[int, ...]
    scalar: Graph
    flat_inputs: dict[str, float]
    flat_values: list[Any]

    def gradients(self) -> list[Any]:
        """Return backprop's float64 gradient of each node."""

    def exact_gradients(self, exact: Exact) -> list[Any]:
        """Return what the same rules give in the precision of `exact`."""

    def elements(self, name: str) -> list[tuple[tuple[int, ...], int, float]]:
        """Return (index, node of the scalar graph, value) for each element of an input."""

    def flat(self, gradients: list[Any], name: str, zero: Any) -> list[Any]:
        """Return the gradient of an input, element by element; `zero` where nothing flows."""

    def claim(self, claim: Claim, exact: Exact) -> tuple[list[float], list[Any]]:
        """Return the claimed gradient's elements, in float64 and in high precision."""


class Question(NamedTuple):
    """What is asked at a point.

    Attributes:
        settings: the engines, among other things.
        wrt: the inputs to check.
        claims: gradients that the user gave, by input.
        joint: whether kinks of several ops that meet in one number excuse each other: so in networks.
        most_extra: digits that may be added to a hundred where values lie far apart.
    """

    settings: Settings
    wrt: Sequence[str]
    claims: Mapping[str, Claim]
    joint: bool = False
    most_extra: int = MOST_EXTRA


class Grading:
    """The verdicts at one point."""

    def __init__(self, job: Question, place: Place) -> None:
        self.job = job
        self.place = place
        also = {op for claim in job.claims.values() for op in claim.graph.ops}
        self.exact = Exact(place.scalar, place.flat_inputs, place.flat_values, also, job.most_extra)
        self.engines = set(job.settings.engines)
        sizes = [abs(v) for v in place.flat_values if v is not None and math.isfinite(v)]
        self.largest = max(sizes, default=1.0) or 1.0

    def check(self) -> Check:
        """Ask the engines and grade every number.

        Raises:
            DomainError: if a slope is infinite or not defined.
        """
        place, job = self.place, self.job
        rough = place.gradients()
        slopes = self._slopes(Blame(place, self.exact, rough))
        if self.exact.refined:
            self.exact.refine()
        with self.exact.system.active():
            self.blame = Blame(place, self.exact, rough, place.exact_gradients(self.exact))
            self.adjoints, formulas = self._symbolic()
            self.worn_value = self._worn_value()
            rows: list[Gradient] = []
            for name in job.wrt:
                rows += self._input(name, slopes, formulas)
        return Check(
            place.graph.source.text, {n: _listed(v) for n, v in place.point.items()},
            place.value, place.shape, _name_exchanged(rows), self._stages(),
        )  # fmt: skip

    def _slopes(self, blame: Blame) -> dict[int, SlopeAnswer]:
        """Return the finite difference for each number that is checked and affordable."""
        found: dict[int, SlopeAnswer] = {}
        if "finite_difference" not in self.engines:
            return found
        for name in self.job.wrt:
            for index, node, _ in self.place.elements(name):
                slope = self.exact.slope(node)
                if slope is not None:
                    found[node] = self._defined(slope, element_name(name, index), blame)
        return found

    def _defined(self, slope: Slope, called: str, blame: Blame) -> SlopeAnswer:
        graph = self.place.graph
        value = math.nan if slope.value is None else to_float(slope.value)
        word = {INFINITE: "infinite", UNDEFINED: "not defined"}.get(slope.kind)
        if word is None and math.isinf(value):
            word = "beyond the range of float64"
        if word is not None:
            bad = blame.culprit
            span = graph.span(graph.output if bad is None else bad)
            which = "" if bad is None else f", because of {graph.title(bad)}"
            raise DomainError(
                f"the slope with respect to `{called}` is {word} here{which}", graph.source, span,
                "choose another point, or leave this input out with --wrt",
            )  # fmt: skip
        if abs(slope.value) <= slope.bar and slope.left == slope.right:
            value = 0.0
        return SlopeAnswer(Answer(value, slope.value, slope.bar), slope.kind, slope.left, slope.right, slope.exercised)

    def _stages(self) -> list[tuple[str, float, float]]:
        found = []
        for name, node in self.place.graph.stages.items():
            value, gradient = self.place.values[node], self.blame.rough[node]
            if not points.shape_of(value):
                found.append((name, float(value), 0.0 if gradient is None else float(gradient)))
        return found

    def _symbolic(self) -> tuple[list[Any] | None, dict[str, str]]:
        if "symbolic" not in self.engines:
            return None, {}
        from gradcheck.engines import symbolic

        exact = self.exact
        adjoints = symbolic.adjoints(exact.graph, exact.system, exact.values, exact.system.literal("1"))
        checked = set(self.job.wrt)
        names = [n for n in exact.graph.inputs if n.partition("[")[0] in checked]
        return adjoints, symbolic.closed_forms(exact.graph, names)

    def _input(self, name: str, slopes: Mapping[int, SlopeAnswer], formulas: Mapping[str, str]) -> list[Gradient]:
        place, zero = self.place, self.exact.system.literal("0")
        rough = [float(x) for x in place.flat(self.blame.rough, name, 0.0)]
        sharp = place.flat(self.blame.sharp, name, zero)
        claim = self.job.claims.get(name)
        claimed = self._claimed(claim)
        rows = []
        for k, (index, node, value) in enumerate(place.elements(name)):
            dust = self.exact.dust(value)
            back = Answer(rough[k], sharp[k], dust) if "backprop" in self.engines else None
            symbolic, slope = self._symbolic_answer(node, dust), slopes.get(node)
            typed = None
            if claim is not None and claimed is not None:
                slack = 4 * abs(rough[k] - to_float(sharp[k])) if math.isfinite(rough[k]) else 0.0
                typed = Answer(claimed[0][k], claimed[1][k], dust, claimed=True, written=claim.number, slack=slack)
            graded = typed or back or symbolic
            assert graded is not None
            scale = self.largest / (abs(value) or 1.0)
            verdict = judge.judge(graded, None if graded is symbolic else symbolic, slope, scale)
            if self.job.joint and back is not None and verdict.word == judge.DISAGREE and judge.same(graded, back):
                verdict = judge.joint_kink(verdict, slope, self.exact.bends_behind(node))
            if graded is back and verdict.word == judge.AGREE and self.worn_value is not None:
                verdict = self.worn_value
            verdict = self.blame.explain(verdict, graded is back, slope, rough[k])
            symbolic = _shown(symbolic, slope)
            formula = formulas.get(element_name(name, index))
            rows.append(_row(name, index, value, back, symbolic, slope, typed, formula, verdict))
        return rows

    def _claimed(self, claim: Claim | None) -> tuple[list[float], list[Any]] | None:
        if claim is None:
            return None
        if claim.special is None:
            return self.place.claim(claim, self.exact)
        count = len(self.place.elements(claim.name))
        return [claim.special] * count, [self.exact.system.nan] * count

    def _symbolic_answer(self, node: int, dust: Any) -> Answer | None:
        if self.adjoints is None:
            return None
        found = self.adjoints[node]
        exact = self.exact.system.literal("0") if found is None else found
        return Answer(to_float(exact), exact, dust, conventional=bool(self.exact.bends))

    def _worn_value(self) -> Verdict | None:
        """Return a verdict if the function's own value has lost its digits, though gradients have not.

        A value that the rounding of the inputs alone could turn into zero has no digits to lose.
        """
        exact = self.exact.values[self.exact.graph.output]
        true = to_float(exact)
        if not worn(self.place.value, exact):
            return None
        zero = self.exact.system.literal("0")
        reach = 0.0
        for name in self.place.graph.inputs:
            gradients = self.place.flat(self.blame.sharp, name, zero)
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


def _listed(value: Any) -> Any:
    return value if isinstance(value, float) else value.tolist()


def _row(
    name: str, index: tuple[int, ...], at: float, back: Answer | None, symbolic: Answer | None,
    slope: SlopeAnswer | None, typed: Answer | None, formula: str | None, verdict: Verdict,
) -> Gradient:  # fmt: skip
    bound = None
    if slope is not None:
        # The number that is reported is a float64: its own rounding belongs to the bar.
        value, exact, bar = slope.answer[:3]
        bound = max(abs(to_float(exact - exact.__class__(value))) + to_float(bar), math.ulp(value))
    return Gradient(
        name, index, at,
        None if back is None else back.value,
        None if symbolic is None or not symbolic.finite else symbolic.value,
        None if slope is None else slope.answer.value,
        bound,
        None if typed is None else typed.value,
        formula, verdict.word, verdict.reason, verdict.caught,
    )  # fmt: skip


def _name_exchanged(rows: list[Gradient]) -> list[Gradient]:
    """Say of wrong gradients that they are each other's."""
    wrong = [g for g in rows if g.verdict == judge.DISAGREE and not g.index]
    if not 2 <= len(wrong) <= MANY:
        return rows
    graded = {g.input: g.claimed if g.claimed is not None else g.backprop or 0.0 for g in wrong}
    truth = {g.input: g.symbolic if g.symbolic is not None else g.finite_difference or 0.0 for g in wrong}
    swapped = judge.exchanged(graded, truth)
    return [
        g._replace(reason=f"this is the gradient of `{swapped[g.input]}`: the two are exchanged")
        if g.verdict == judge.DISAGREE and g.input in swapped
        else g
        for g in rows
    ]
