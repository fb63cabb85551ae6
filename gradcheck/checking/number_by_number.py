"""Every number by itself, in balls: each engine is asked, with more digits until its answer decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck import progress
from gradcheck.arithmetic import balls
from gradcheck.arithmetic.balls import to_float
from gradcheck.checking import judge
from gradcheck.checking.blame import Blame, first_without_gradient, lost_digits
from gradcheck.checking.claimed import Claims
from gradcheck.checking.exact import Exact, Level
from gradcheck.checking.judge import Answer, SlopeAnswer, Verdict
from gradcheck.checking.place import Place
from gradcheck.checking.tensor import Tensor
from gradcheck.engines.finite_difference import INFINITE, JUMP, KINK, UNDEFINED, UNSETTLED, Slope
from gradcheck.errors import DomainError
from gradcheck.graph.graph import element_name
from gradcheck.language.claims import FLOAT64, Claim
from gradcheck.ops import OWN

ONE_BY_ONE = "every number by itself, proved in balls"
CHAINED = "every number by the differences of the gates, proved in balls"
END_TO_END = ", and along a random direction end to end"

MANY = 100
"""Wrong gradients beyond which nobody asks whether two were exchanged."""


class NumbersAsked(NamedTuple):
    """What is asked at a place.

    Attributes:
        wrt: the inputs to check.
        engines: the methods.
        claims: gradients that the user gave, by what is claimed: x, or z[0].
        joint: whether kinks of several ops that meet in one number excuse each other: so in networks.
        formulas: whether SymPy's closed forms are wanted too.
        exhaustive: whether every number is moved by itself, however many there are.
        seed: of the random direction in which all move, where they are too many for that.
        strict: whether a claim needs all digits of a float64.
    """

    wrt: Sequence[str]
    engines: Sequence[str]
    claims: Mapping[str, Claim]
    joint: bool = False
    formulas: bool = False
    exhaustive: bool = False
    seed: int = 0
    strict: bool = False


def number_by_number(place: Place, asked: NumbersAsked) -> tuple[list[Tensor], str]:
    """Ask the engines, judge every number, and say how it was done.

    Raises:
        DomainError: if a slope is infinite or not defined.
    """
    return _NumberByNumber(place, asked).check()


class Row(NamedTuple):
    """One number: its value, what backprop, SymPy, the differences and the user say, and the verdict."""

    value: float
    backprop: Answer | None
    symbolic: Answer | None
    slope: SlopeAnswer | None
    claimed: Answer | None
    verdict: Verdict


class _NumberByNumber:
    def __init__(self, place: Place, asked: NumbersAsked) -> None:
        self.asked = asked
        self.place = place
        inputs = [name for name in asked.wrt if name in place.graph.inputs]
        self.nodes = [node for name in inputs for _, node, _ in place.elements(name)]
        moved = len(self.nodes) if "finite_difference" in asked.engines and not asked.exhaustive else 1
        self.exact = Exact(place.scalar, place.flat_inputs, place.flat_values, moved)
        sizes = [abs(v) for v in place.flat_values if v is not None and math.isfinite(v)]
        self.largest = max(sizes, default=1.0) or 1.0
        self.claims = Claims(place, self.exact, asked.claims, asked.strict)

    def check(self) -> tuple[list[Tensor], str]:
        method = ONE_BY_ONE
        rows: dict[str, list[Row]] = {}
        slopes: dict[int, SlopeAnswer] = {}
        pending = {name: list(range(len(self.place.elements(name)))) for name in self.asked.wrt}
        for level in self.exact.levels():
            with level.active():
                if self.exact.chained and method == ONE_BY_ONE:
                    adds_up = level.adds_up(self.nodes, self.asked.seed)
                    self.exact.chained = adds_up is not False
                    method = {True: CHAINED + END_TO_END, None: CHAINED, False: ONE_BY_ONE}[adds_up]
                # The differences first: where a slope is infinite, nobody waits for SymPy.
                slopes |= self._slopes(level, pending)
                seen = _Seen(self.place, level, self.asked, self.largest, slopes, self.claims)
                for name, places in pending.items():
                    known = rows.setdefault(name, [])
                    for k, row in seen.rows(name, places):
                        known[k : k + 1] = [row]
            pending = {name: [k for k in places if rows[name][k].verdict.open] for name, places in pending.items()}
            if not any(pending.values()):
                break
        self._judge_together(rows, level)
        formulas = self._formulas()
        guessed = sum(row.slope is not None and not row.slope.answer.proved for each in rows.values() for row in each)
        method += f"; {guessed:,} of them estimated" * (guessed > 0)
        return _name_exchanged([self._tensor(name, rows[name], formulas) for name in self.asked.wrt]), method

    def _judge_together(self, rows: dict[str, list[Row]], level: Level) -> None:
        """Judge the claims at a kink once more, as a whole; a wrong whole makes each of its numbers wrong."""
        places = [
            (name, k, row)
            for name in rows if name in self.place.graph.inputs
            for k, row in enumerate(rows[name])
            if row.claimed is not None and row.verdict.word == judge.KINK
            and row.slope is not None and row.slope.kind == KINK
        ]  # fmt: skip
        claims = [row.claimed for *_, row in places if row.claimed is not None]
        backs = [row.backprop for *_, row in places]
        own = all(back is not None and judge.same(one, back) for one, back in zip(claims, backs, strict=True))
        if len(places) < 2 or (self.asked.joint and own):
            return
        from gradcheck.checking.together import Whole, no_subgradient

        elements = {name: self.place.elements(name) for name, *_ in places}
        whole = Whole(
            [element_name(name, elements[name][k][0]) for name, k, _ in places],
            [elements[name][k][1] for name, k, _ in places],
            [claim.value for claim in claims],
            [judge.granted(claim) for claim in claims],
        )
        reason = no_subgradient(self.exact, level.digits, whole, self.asked.seed)
        if reason is not None:
            for name, k, row in places:
                rows[name][k] = row._replace(verdict=Verdict(judge.DISAGREE, reason))

    def _slopes(self, level: Level, pending: Mapping[str, Sequence[int]]) -> dict[int, SlopeAnswer]:
        """Return the finite difference for each number that is asked for, affordable and known."""
        found: dict[int, SlopeAnswer] = {}
        for name, places in pending.items() if "finite_difference" in self.asked.engines else ():
            elements = self.place.elements(name)
            for k in places:
                index, node, _ = elements[k]
                progress.say(name, k, len(elements), inner=True)
                slope = self.exact.slope(level, node)
                if slope is not None and slope.kind != UNSETTLED:
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
        if slope.left is not None and slope.right is not None and slope.kind in (KINK, JUMP):
            value = to_float((slope.left + slope.right) / 2)
        answer = Answer(value, slope.value, proved=slope.proved)
        return SlopeAnswer(answer, slope.kind, slope.left, slope.right, slope.exercised)

    def _formulas(self) -> dict[str, str]:
        """Return the closed forms of numbers and of whole arrays, by name."""
        if "symbolic" not in self.asked.engines or not self.asked.formulas:
            return {}
        from gradcheck.checking.closed_forms import closed_forms

        return closed_forms(self.place, [name for name in self.asked.wrt if name in self.place.graph.inputs])

    def _tensor(self, name: str, rows: Sequence[Row], formulas: Mapping[str, str]) -> Tensor:
        answers = {
            "backprop": [_number(row.backprop) for row in rows],
            "symbolic": [_number(_shown(row.symbolic, row.slope)) for row in rows],
            "finite_difference": [_number(row.slope.answer if row.slope else None) for row in rows],
            "claimed": [_number(row.claimed) for row in rows],
        }
        claimed = any(claim.name == name for claim in self.asked.claims.values())
        asked = {*self.asked.engines, *(["claimed"] if claimed else [])}
        verdicts = [row.verdict for row in rows]
        called = [element_name(name, index) for index, *_ in self.place.elements(name)]
        return Tensor(
            name, self.place.shape_of(name), None, [row.value for row in rows],
            {method: column for method, column in answers.items() if method in asked},
            [_bound(row.slope) for row in rows],
            [judge.SEVERITY.index(verdict.word) for verdict in verdicts],
            {k: verdict.reason for k, verdict in enumerate(verdicts) if verdict.reason},
            [math.nan if verdict.caught is None else verdict.caught for verdict in verdicts],
            {k: formulas[one] for k, one in enumerate(called) if one in formulas},
            [row.slope is not None and row.slope.answer.proved for row in rows],
            None if called == [name] else formulas.get(name),
        )  # fmt: skip


class _Seen:
    """What each engine says at one place with so many digits."""

    def __init__(
        self, place: Place, level: Level, asked: NumbersAsked, largest: float, slopes: Mapping[int, SlopeAnswer],
        claims: Claims,
    ) -> None:  # fmt: skip
        self.place = place
        self.level = level
        self.asked = asked
        self.largest = largest
        self.slopes = slopes
        self.claims = claims
        self.sharp = place.exact_gradients(level)
        self.blame = Blame(place, level, self.sharp)
        self.adjoints: list[Any] | None = None
        if "symbolic" in asked.engines:
            from gradcheck.engines import symbolic

            self.adjoints = symbolic.adjoints(level.graph, level.system, level.values, level.system.literal("1"))
        self.lossy_value = self._lossy_value()
        self.own = not OWN.keys().isdisjoint(place.graph.ops)

    def rows(self, name: str, places: Sequence[int]) -> Iterator[tuple[int, Row]]:
        """Ask about some numbers of an input."""
        if not places:
            return
        zero = self.level.system.literal("0")
        rough = [float(x) for x in self.place.flat(self.place.gradients, name, 0.0)]
        sharp = self.place.flat(self.sharp, name, zero)
        elements = self.place.elements(name)
        claimed = self.claims.answers(name, self.level, self.sharp)
        for k in places:
            index, node, value = elements[k]
            back = Answer(rough[k], sharp[k]) if "backprop" in self.asked.engines else None
            if back is not None and self.own:
                back = back._replace(granted=self._granted(name, k, sharp, self._symbolic_answer(node)))
            row = self._row(value, node, back, claimed.get(k), rough[k])
            if claimed and (why := self.claims.misfits.get(element_name(name, index), self.claims.misfits.get(name))):
                row = row._replace(verdict=Verdict(judge.DISAGREE, why))
            yield k, row

    def _granted(self, name: str, k: int, sharp: list[Any], symbolic: Answer | None) -> float:
        """Return how far rules of the user's own are off, where they are all but right: within float64's error in them.

        A rule may rest on what holds of the data but for a last digit, as a claimed formula may.
        """
        if symbolic is None or not (symbolic.finite and sharp[k].is_finite()) or symbolic.ball.overlaps(sharp[k]):
            return 0.0
        off, size = float((symbolic.ball - sharp[k]).abs_upper()), abs(symbolic.value)
        if off >= judge.ALIKE * size:
            return 0.0
        return off if off <= self.claims.running.lost(name, FLOAT64, sharp)[k] else 0.0

    def _row(self, value: float, node: int, back: Answer | None, typed: Answer | None, rough: float) -> Row:
        symbolic, slope = self._symbolic_answer(node), self.slopes.get(node)
        graded = typed or back or symbolic
        assert graded is not None
        scale = self.largest / (abs(value) or 1.0)
        verdict = judge.judge(graded, None if graded is symbolic else symbolic, slope, scale)
        if self.asked.joint and back is not None and verdict.word == judge.DISAGREE and judge.same(graded, back):
            verdict = judge.joint_kink(verdict, slope, self.level.bends_behind(node))
        if graded is back and verdict.word == judge.AGREE and self.lossy_value is not None:
            verdict = self.lossy_value._replace(open=verdict.open)
        verdict = self.blame.explain(verdict, graded is back, slope, rough)
        return Row(value, back, symbolic if judge.known(symbolic, scale) else None, slope, typed, verdict)

    def _symbolic_answer(self, node: int) -> Answer | None:
        if self.adjoints is None:
            return None
        found = self.adjoints[node]
        ball = self.level.system.literal("0") if found is None else found
        return Answer(to_float(ball), ball, conventional=node in self.level.bent)

    def _lossy_value(self) -> Verdict | None:
        """Return a verdict if the function's own value has lost its digits, though gradients have not.

        A value that the rounding of the inputs alone could turn into zero has no digits to lose.
        """
        ball = self.level.values[self.level.graph.output]
        true = to_float(ball)
        if not lost_digits(self.place.value, ball):
            return None
        zero = self.level.system.literal("0")
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
    """Return SymPy's answer as it is reported: not a convention that the differences refute."""
    if symbolic is None or not symbolic.finite:
        return None
    if symbolic.conventional and slope is not None and slope.kind == "smooth":
        return symbolic if judge.same(symbolic, slope.answer) else None
    return symbolic


def _number(answer: Answer | None) -> float:
    return math.nan if answer is None else answer.value


def _bound(slope: SlopeAnswer | None) -> float:
    """Return the bound on the error of the float64 that is reported: its own rounding belongs to the bar."""
    if slope is None:
        return math.nan
    value = slope.answer.value
    sides = [slope.left, slope.right] if slope.kind in (KINK, JUMP) else [slope.answer.ball]
    return max(*(balls.above(side - value) for side in sides), math.ulp(value))


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
