"""The verdicts at one point: every engine is asked, every number graded, every reason named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gradcheck import compare, points
from gradcheck.compare import Answer, SlopeAnswer, Verdict
from gradcheck.engines.finite_difference import Slope
from gradcheck.errors import DomainError
from gradcheck.exact import Exact
from gradcheck.graph import Graph
from gradcheck.points import element_name
from gradcheck.results import Check, Gradient

if TYPE_CHECKING:
    from gradcheck.checking import Claim, Job


MANY = 100
"""Wrong gradients beyond which nobody asks whether two were exchanged."""


class Place(Protocol):
    """A graph at a point, with backprop's answer there: single numbers or arrays.

    Attributes:
        graph: the user's graph.
        point: input name → value.
        values: the float64 value of each node.
        value, shape: the output, summed if it is an array, and its shape.
        scalar: the graph written out in single numbers (the graph itself if it is one).
        flat_inputs, flat_values: its inputs and the float64 value of each of its nodes.
    """

    graph: Graph
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


class Grading:
    """The verdicts at one point."""

    def __init__(self, job: Job, place: Place) -> None:
        self.job = job
        self.place = place
        self.graph: Graph = place.graph
        self.exact = Exact(place.scalar, place.flat_inputs, place.flat_values)
        self.engines = set(job.settings.engines)
        self.bends: list[int] | None = None
        largest = max((abs(v) for v in place.flat_values if v is not None and math.isfinite(v)), default=1.0)
        self.largest = largest or 1.0

    def check(self) -> Check:
        """Ask the engines and grade every number."""
        with self.exact.system.active():
            return self._check()

    def _check(self) -> Check:
        place, job = self.place, self.job
        self.rough = place.gradients()
        self.sharp = place.exact_gradients(self.exact)
        self.adjoints, formulas = self._symbolic()
        rows: list[Gradient] = []
        for name in job.wrt:
            rows += self._input(name, formulas)
        rows = _name_exchanged(rows)
        return Check(
            self.graph.source.text, {n: _listed(v) for n, v in place.point.items()},
            place.value, place.shape, rows, self._stages(),
        )  # fmt: skip

    def _stages(self) -> list[tuple[str, float, float]]:
        found = []
        for name, node in self.graph.stages.items():
            value, gradient = self.place.values[node], self.rough[node]
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

    def _input(self, name: str, formulas: Mapping[str, str]) -> list[Gradient]:
        place, zero = self.place, self.exact.system.literal("0")
        rough = [float(x) for x in place.flat(self.rough, name, 0.0)]
        sharp = place.flat(self.sharp, name, zero)
        claim = self.job.claims.get(name)
        claimed = place.claim(claim, self.exact) if claim is not None else None
        rows, worn = [], self._worn_value()
        for k, (index, node, value) in enumerate(place.elements(name)):
            back = Answer(rough[k], sharp[k]) if "backprop" in self.engines else None
            symbolic = self._symbolic_answer(node)
            slope = self._slope_answer(node, name, index)
            typed = self._claim_answer(claim, claimed, k, rough[k], sharp[k]) if claim and claimed else None
            graded, others = typed or back, [symbolic]
            if graded is None:
                graded, others = symbolic or Answer(math.nan, self.exact.system.nan), [None]
            scale = self.largest / (abs(value) or 1.0)
            verdict = compare.judge(graded, others[0], slope, scale)
            if graded is back and verdict.word == compare.AGREE and worn is not None:
                verdict = worn
            if typed is not None and verdict.word == compare.DISAGREE and claim is not None:
                verdict = self._second_reading(claim, typed, k, node, verdict)
            verdict = self._explained(verdict, graded is back, node, slope, rough[k])
            formula = formulas.get(element_name(name, index))
            rows.append(_row(name, index, value, back, symbolic, slope, typed, formula, verdict))
        return rows

    def _symbolic_answer(self, node: int) -> Answer | None:
        if self.adjoints is None:
            return None
        found = self.adjoints[node]
        zero = self.exact.system.literal("0")
        exact = zero if found is None else found
        return Answer(_float(exact), exact, conventional=bool(self._bends()))

    def _bends(self) -> list[int]:
        """The gates that lie exactly on a kink of their op."""
        if self.bends is None:
            self.bends = points.kinks(self.exact.graph, self.exact.system, self.exact.values)
        return self.bends

    def _slope_answer(self, node: int, name: str, index: tuple[int, ...]) -> SlopeAnswer | None:
        if "finite_difference" not in self.engines:
            return None
        slope = self.exact.slope(node)
        if slope is None:
            return None
        called = element_name(name, index)
        if slope.kind in ("infinite", "undefined"):
            bad = self._culprit()
            word = "infinite" if slope.kind == "infinite" else "not defined"
            span = self.graph.span(self.graph.output) if bad is None else self.graph.span(bad)
            which = "" if bad is None else f", because of {self.graph.ops[bad]}"
            raise DomainError(
                f"the slope with respect to `{called}` is {word} here{which}", self.graph.source, span,
                "choose another point, or leave this input out with --wrt",
            )  # fmt: skip
        return _slope_answer(slope)

    def _claim_answer(
        self, claim: Claim, claimed: tuple[list[float], list[Any]], k: int, rough: float, sharp: Any
    ) -> Answer:
        value, exact = claimed[0][k], claimed[1][k]
        slack = 4 * abs(rough - _float(sharp)) if math.isfinite(rough) else 0.0
        return Answer(value, exact, written=claim.number, slack=slack)

    def _second_reading(self, claim: Claim, typed: Answer, k: int, node: int, verdict: Verdict) -> Verdict:
        """Forgive a claim that is right for the decimals as written: 0.3 for 3*0.1, say.

        float64 holds neither exactly; in decimals they are the same number.
        """
        symbolic = self.adjoints[node] if self.adjoints is not None else None
        slope = None if symbolic is not None else self.exact.slope(node)
        truth = symbolic if symbolic is not None else slope.value if slope is not None else None
        if truth is None or typed.written is not None or not typed.finite:
            return verdict
        if abs(_float(typed.exact - truth)) > 1e-12 * abs(_float(truth)):
            return verdict
        written = Exact(self.place.scalar, self.place.flat_inputs, self.place.flat_values, written=True)
        found = written.slope(node)
        if found is None:
            return verdict
        exact = self.place.claim(claim, written)[1][k]
        slope_as_written = _slope_answer(found)
        again = compare.judge(typed._replace(exact=exact), None, slope_as_written, self.largest)
        return again if again.word == compare.AGREE else verdict

    def _culprit(self) -> int | None:
        """Return the gate at which backprop's gradient stops being finite."""
        node: int
        for node in reversed(self.graph.gates):
            if self.rough[node] is None or not _all_finite(self.rough[node]):
                continue
            for operand in self.graph.operands(node):
                flow = self.rough[operand]
                if flow is not None and operand not in self.graph.constants and not _all_finite(flow):
                    return node
        return None

    def _explained(
        self, verdict: Verdict, own: bool, node: int, slope: SlopeAnswer | None, rough: float
    ) -> Verdict:
        """Add to the reason which op it was."""
        reason = verdict.reason
        if reason is None:
            if slope is not None and slope.kind == "edge":
                return verdict._replace(reason="one-sided: the domain ends here")
            return verdict
        bends = self._named(self._bends()) if verdict.word in (compare.KINK, compare.DISAGREE) else ""
        if verdict.word == compare.KINK and bends:
            reason = f"{reason}; kink of {bends}"
        elif verdict.word == compare.DISAGREE and own and not math.isfinite(rough):
            culprit = self._culprit()
            reason = f"{reason}; it comes from {self._named([culprit])}" if culprit is not None else reason
        elif verdict.word == compare.DISAGREE and own and bends:
            smooth = slope is not None and slope.kind == "smooth"
            reason = f"{reason}; the kinks of {bends} cancel" if smooth else reason
        elif verdict.word == compare.LOSSY:
            lost = self._lost()
            reason = f"{reason}; digits are lost in {self._named([lost])}" if lost is not None else reason
        return verdict._replace(reason=reason)

    def _worn_value(self) -> Verdict | None:
        """Return a verdict if the function's own value has lost its digits, though gradients have not.

        A value that the rounding of the inputs alone could turn into zero has no digits to lose.
        """
        exact = self.exact.values[self.exact.graph.output]
        true = _float(exact)
        if not _worn(self.place.value, exact):
            return None
        reach = sum(
            abs(_float(g)) * math.ulp(x)
            for name in self.graph.inputs
            for g, (_, _, x) in zip(
                self.place.flat(self.sharp, name, self.exact.system.literal("0")),
                self.place.elements(name), strict=True,
            )
        )  # fmt: skip
        if abs(true) <= 4 * reach:
            return None
        kept = max(0, math.floor(-math.log10(abs(self.place.value - true) / abs(true))))
        plural = "" if kept == 1 else "s"
        return Verdict(
            compare.LOSSY, f"right rules, but float64 kept {kept} digit{plural} of the value, truly {true!r}"
        )

    def _lost(self) -> int | None:
        """Return the first gate whose value, or through which the gradient, loses its digits."""
        if self.place.scalar is not self.graph:
            return None
        for node in self.graph.gates:
            if _worn(self.place.values[node], self.exact.values[node]):
                return node
        for node in reversed(self.graph.gates):
            if self.rough[node] is None or _worn(self.rough[node], self.sharp[node]):
                continue
            if any(
                self.rough[k] is not None and _worn(self.rough[k], self.sharp[k])
                for k in self.graph.operands(node)
            ):
                return node
        return None

    def _named(self, nodes: Sequence[int]) -> str:
        graph = self.exact.graph
        names = []
        for node in nodes[:3]:
            text = graph.text(node)
            names.append(f"{graph.ops[node]} in `{text}`" if len(text) <= 40 else graph.ops[node])
        return " and ".join(dict.fromkeys(names)) + (" and more" if len(nodes) > 3 else "")


def _slope_answer(slope: Slope) -> SlopeAnswer:
    answer = Answer(_float(slope.value), slope.value, slope.bar)
    return SlopeAnswer(answer, slope.kind, slope.left, slope.right, slope.exercised)


def _worn(rough: float, sharp: Any) -> bool:
    """Whether a float64 has lost more than half its digits."""
    if sharp is None or not math.isfinite(rough):
        return False
    true = _float(sharp)
    return abs(rough - true) > compare.KEPT * abs(true) and abs(rough - true) > compare.TINY


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _all_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    import numpy as np

    return bool(np.all(np.isfinite(np.ma.filled(value, 0))))


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
        bound = max(abs(_float(exact - exact.__class__(value))) + _float(bar), math.ulp(value))
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
    wrong = [g for g in rows if g.verdict == compare.DISAGREE and not g.index]
    if not 2 <= len(wrong) <= MANY:
        return rows
    graded = {g.input: g.claimed if g.claimed is not None else g.backprop or 0.0 for g in wrong}
    truth = {g.input: g.symbolic if g.symbolic is not None else g.finite_difference or 0.0 for g in wrong}
    swapped = compare.exchanged(graded, truth)
    return [
        g._replace(reason=f"this is the gradient of `{swapped[g.input]}`: the two are exchanged")
        if g.verdict == compare.DISAGREE and g.input in swapped
        else g
        for g in rows
    ]
