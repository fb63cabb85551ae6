"""The verdict: pure functions from answers with error bars to words. The only tolerances are here.

Two questions are kept apart. Are the rules right? The graded answer, computed without float64's
rounding, is a ball, and so is that of each reference: balls that do not meet are different, which is
proved. Is the number right? What float64 lost is the distance of its number from the ball. A verdict
that narrower balls could change is left open.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

AGREE, KINK, LOSSY, NOT_EXERCISED = "agree", "kink", "lossy", "not_exercised"
INCONCLUSIVE, DISAGREE = "inconclusive", "disagree"

PROVED, DISPROVED = "proved", "disproved"
"""What a proof over a box says; it may be inconclusive too."""

SEVERITY = (AGREE, NOT_EXERCISED, KINK, LOSSY, INCONCLUSIVE, DISAGREE)
"""Verdicts from the best to the worst."""

EXIT_CODES = (3, 2, 1, 4, 5, 0)
"""Exit statuses, the one that counts first."""

SHARP = 2.0**-60
"""A ball below this part of its number is sharper than any float64, and asks for no more digits."""

KEPT = 1e-6
"""A float64 gradient whose rounding exceeds this part of it has lost more than half its digits."""

NARROW = 1e-3
"""A bar wider than this part of the value could hide a bug."""

NOISE = 1e-12
"""A bar below this part of what the function's own values suggest surrounds a zero."""

TINY = 2.0**-1022
"""Below this float64 has fewer digits, which is no fault of a gradient."""

ULP = 2.0**-52

LEAST = 2.0**-1074
"""The smallest float64: a ball around zero that is narrower holds no other."""

LAST_DIGITS = 8
"""Units in the last place of a float64 that are granted to what a user computed in float64."""

DATA_DIGITS = 1e-12
"""Relative rounding granted to numbers that were computed elsewhere in float64, term by term."""

ZERO = 1e-300
"""Below this an expected number is zero."""

ALIKE = 1e-9
"""Relative distance below which no mistake hides: of two numbers that are told to be one, and of one number typed."""

SAID = 20
"""Wrong numbers of one tensor for which a reason is given."""

FEW, MANY = 3, 15
"""Digits from which a typed number says something, and from which it says enough."""

ANSWERED = 2
"""Digits from which a reader's answer is right as far as it goes."""

RECKONED = 2
"""Units in the last digit shown that are granted to what was reckoned from the numbers shown."""


class Given(NamedTuple):
    """A number that was given, and not a formula.

    Attributes:
        text: how it was typed; None for one that a program has computed in float64.
        bound: what float64 may lose on the way to it: the running error of the same graph and rules.
        strict: whether fewer digits than a float64 has say too little.
    """

    text: str | None
    bound: float
    strict: bool = False


class Answer(NamedTuple):
    """One method's gradient for one number.

    Attributes:
        value: as float64, the number that is reported.
        ball: the same without float64's rounding, in a ball.
        proved: whether it certainly lies in the ball.
        conventional: True if the value rests on a convention at a kink, and proves nothing.
        claimed: True for the user's own gradient; its constants are float64s, so it is right
            when it is right to the last digits of a float64.
        given: of a claim that is a number, how it was given.
        granted: of a formula of the user's own, what may be float64's error in it, if that is all that is wrong.
    """

    value: float
    ball: Any
    proved: bool = True
    conventional: bool = False
    claimed: bool = False
    given: Given | None = None
    granted: float = 0.0

    @property
    def finite(self) -> bool:
        """Whether there is a number at all."""
        return math.isfinite(self.value) and bool(self.ball.is_finite())

    @property
    def radius(self) -> float:
        """The ball's radius."""
        return float(self.ball.rad())


class SlopeAnswer(NamedTuple):
    """What finite differences answer: they also know what kind of place it is.

    Attributes:
        answer: the slope; at a kink both sides in one ball.
        kind, left, right, exercised: as in engines.finite_difference.Slope.
    """

    answer: Answer
    kind: str = "smooth"
    left: Any = None
    right: Any = None
    exercised: bool = True


class Verdict(NamedTuple):
    """The word, the reason in one sentence (None for a plain agreement), and the bar.

    Attributes:
        caught: the smallest relative error that would have shown; None where it has no meaning.
        open: whether more digits could change it.
    """

    word: str
    reason: str | None = None
    caught: float | None = None
    open: bool = False


NOTHING_MOVED = Verdict(NOT_EXERCISED, "the value does not change with this input here")


def judge(graded: Answer, symbolic: Answer | None, slope: SlopeAnswer | None, scale: float) -> Verdict:
    """Return the verdict on one number.

    Args:
        graded: the answer under test: the user's claim if there is one, else backprop's.
        symbolic: SymPy's answer, if it was asked.
        slope: the finite differences, if they were asked.
        scale: the size of slopes that the function's own values would suggest, for zeros.
    """
    if slope is not None and slope.kind in ("kink", "jump"):
        return _at_kink(graded, slope)
    difference = None if slope is None else slope.answer
    usable = [a for a in (difference, symbolic) if a is not None and a.finite]
    firm = [a for a in usable if not a.conventional]
    if not firm:
        why = "only a convention at a kink speaks for it" if usable else "no other method gave a number"
        return Verdict(INCONCLUSIVE, why, open=True)
    truth = min(firm, key=lambda a: a.radius)
    if len(firm) == 2 and not _meet(firm[0], firm[1]):
        if graded.finite and (_meet(graded, firm[0]) or _meet(graded, firm[1])):
            return Verdict(INCONCLUSIVE, f"SymPy says {firm[1].value!r}, finite differences {firm[0].value!r}")
        return Verdict(DISAGREE, "all three methods differ")
    if not graded.finite:
        if math.isfinite(graded.value):
            return Verdict(INCONCLUSIVE, "its rule gives no number in exact arithmetic", open=True)
        if graded.ball.is_finite() and not graded.claimed and all(_meet(graded, answer) for answer in firm):
            return Verdict(LOSSY, f"right rules, but float64 made {_spell(graded.value)} of {truth.value!r}")
        return Verdict(DISAGREE, f"it is {_spell(graded.value)}, the others say {truth.value!r}")
    verdict = _judge_by(graded, truth, firm, scale)
    if difference is not None and not _tells(difference, truth, scale):
        verdict = verdict._replace(open=True)
    moved = slope is None or slope.exercised or truth.value != 0
    if not moved and verdict.word != DISAGREE and abs(graded.value) <= KEPT * scale:
        return NOTHING_MOVED._replace(open=verdict.open)
    return verdict


def _judge_by(graded: Answer, truth: Answer, firm: list[Answer], scale: float) -> Verdict:
    """Return the verdict on a gradient by references that meet, the sharpest of which is `truth`."""
    if graded.given is not None:
        return judge_given(graded.value, graded.given, truth.value)._replace(open=not _sharp(truth))
    if not all(_meet(graded, answer) for answer in firm):
        return Verdict(DISAGREE, how_wrong(graded.value, truth.value))
    return _rounding(graded, truth, scale)


def _tells(difference: Answer, truth: Answer, scale: float) -> bool:
    """Whether a finite difference is as sharp as it is of use: a zero, beside what the values suggest."""
    return _sharp(difference) or (truth.value == 0 and difference.radius <= SHARP * scale)


def _spell(value: float) -> str:
    return "not a number" if math.isnan(value) else "infinite"


def _meet(a: Answer, b: Answer) -> bool:
    """Whether two balls overlap, for a claim but for the last digits of its float64s."""
    if a.ball.overlaps(b.ball):
        return True
    if not (a.claimed or b.claimed or a.granted or b.granted):
        return False
    size = max(float(abs(x.ball).abs_upper()) for x in (a, b)) if a.claimed or b.claimed else 0.0
    return float((a.ball - b.ball).abs_lower()) <= max(size * LAST_DIGITS * ULP, a.granted, b.granted)


def _sharp(*answers: Answer) -> bool:
    """Whether balls are so narrow that more digits would show nothing new."""
    return all(a.radius <= max(SHARP * float(a.ball.abs_lower()), LEAST / 2) for a in answers)


def known(answer: Answer | None, scale: float) -> bool:
    """Return whether a ball is narrow enough to say what number is in it."""
    if answer is None or not answer.finite:
        return False
    return answer.radius <= max(NARROW * float(answer.ball.abs_lower()), NOISE * scale)


def same(a: Answer, b: Answer) -> bool:
    """Return whether two answers are one number, or meet within their bars."""
    return a is b or (a.finite and b.finite and _meet(a, b))


def _at_kink(graded: Answer, slope: SlopeAnswer) -> Verdict:
    word = "the value jumps here" if slope.kind == "jump" else "not differentiable here"
    sides = f"{word}: slope {_short(float(slope.left))} from the left, {_short(float(slope.right))} from the right"
    low, high = sorted((slope.left, slope.right), key=float)
    slack = max(abs(float(low)), abs(float(high))) * LAST_DIGITS * ULP
    if graded.given is not None:
        slack = max(slack, _granted(graded.given))
    if graded.finite and not (graded.ball < low - slack or graded.ball > high + slack):
        return Verdict(KINK, sides)
    return Verdict(DISAGREE, f"{_short(graded.value)} is outside of the one-sided slopes; {sides}")


def joint_kink(verdict: Verdict, slope: SlopeAnswer | None, bends: int) -> Verdict:
    """Return the verdict in a network, where several kinks may meet in one number.

    Each op's rule takes one of its own slopes; where several ops bend at once, what the chain rule
    makes of their choices may leave the function's own one-sided slopes although no rule is wrong.
    Where the function has a slope it must be met all the same.
    """
    if slope is None or slope.kind != "kink" or bends < 2:
        return verdict
    return Verdict(KINK, f"{verdict.reason}; {bends} kinks meet here, and each rule took one of its own slopes")


def judge_given(value: float, given: Given, truth: float) -> Verdict:
    """Grade a number by the true one: the one rule for numbers that are claimed or expected.

    A number of a program is held to what float64 may lose on the way, and so is one typed with all the digits of a
    float64; of three digits or more, to the digits typed; any other is meant exactly, and so is every zero.
    """
    error, size = abs(value - truth), abs(truth)
    granted = _granted(given)
    exact = max(LAST_DIGITS * ULP * size, math.ulp(0.0))
    if error > max(granted, exact):
        return Verdict(DISAGREE, how_wrong(value, truth))
    if not size or error <= exact:
        return Verdict(AGREE, caught=exact / size if size else None)
    digits = MANY if given.text is None else _precision(given.text)[0]
    if digits < MANY:
        word = INCONCLUSIVE if given.strict else AGREE
        return Verdict(word, f"right to the {digits} digits typed", caught=granted / size)
    if granted > NARROW * size:
        return Verdict(LOSSY, f"right as far as float64 can tell: the true value is {truth!r}")
    return Verdict(AGREE, caught=granted / size)


def _granted(given: Given) -> float:
    """Return the error that is granted to a number that was given, beside the last digits of a float64."""
    if given.text is None:
        return given.bound
    digits, last = _precision(given.text)
    half = 0.500001 * last if digits >= FEW else 0.0
    return max(half, given.bound) if digits >= MANY else half


def granted(claim: Answer) -> float:
    """Return the error that is granted to a claim: by its digits, if it is a number."""
    return claim.granted if claim.given is None else _granted(claim.given)


def typed_digits(text: str) -> float:
    """Return the error that is granted to a number by the digits it was typed with."""
    return _granted(Given(text, 0.0))


def _precision(text: str) -> tuple[int, float]:
    """Return how many significant digits a number was written with, and the size of the last.

    A whole number is exact: it has no last digit to doubt.
    """
    mantissa, _, exponent = text.lower().strip("+-").partition("e")
    whole, point, fraction = mantissa.partition(".")
    if not point:
        return 0, 0.0
    digits = len((whole + fraction).lstrip("0"))
    # A zero may be written with any exponent.
    return digits, 10.0 ** min(int(exponent or 0) - len(fraction), 308)


def _rounding(graded: Answer, truth: Answer, scale: float) -> Verdict:
    """The rules are right, as far as their ball tells; say what float64 made of them."""
    size = abs(truth.value)
    error = float((truth.ball - graded.value).abs_upper())
    blunt = not _sharp(graded, truth)
    if not (known(graded, scale) and known(truth, scale)):
        return Verdict(INCONCLUSIVE, "the error bars are too wide to have caught a bug", open=True)
    if size < TINY:
        if size == 0:
            left = f"it is exactly 0; float64 rounding left {graded.value!r}" if error > KEPT * scale else None
            return Verdict(AGREE, left, open=blunt)
        if error <= 4 * TINY * ULP:
            return Verdict(AGREE, open=blunt)
        why = f"right rules, but float64 rounding left {graded.value!r} instead of {truth.value!r}"
        return Verdict(LOSSY, why, open=blunt)
    if error > KEPT * size:
        kept = max(0, math.floor(-math.log10(error / size)))
        plural = "" if kept == 1 else "s"
        why = f"right rules, but float64 kept {kept} digit{plural}: the true value is {truth.value!r}"
        return Verdict(LOSSY, why, open=blunt)
    granted = LAST_DIGITS if graded.claimed else 1
    return Verdict(AGREE, caught=(error + granted * ULP * size + truth.radius) / size, open=blunt)


def _short(value: float) -> str:
    return f"{value + 0.0:.6g}"


def how_wrong(value: float, truth: float) -> str:
    """Describe a wrong gradient by its relation to the right one."""
    if value == 0:
        return f"it is 0, the others say {truth!r}"
    if truth == 0:
        return f"it is {value!r}, the others say 0"
    ratio = value / truth
    if abs(ratio + 1) < 1e-9:
        return f"the sign is wrong: {value!r} instead of {truth!r}"
    for simple, name in ((2.0, "twice"), (0.5, "half")):
        if abs(ratio - simple) < 1e-9:
            return f"it is {name} the right value: {value!r} instead of {truth!r}"
    if abs(ratio - 1) < 1e-2:
        return f"relative error {abs(ratio - 1):.1e}: {value!r} instead of {truth!r}"
    return f"{_short(ratio)} times the right value: {value!r} instead of {truth!r}"


def exchanged(graded: dict[str, float], truth: dict[str, float]) -> dict[str, str]:
    """Return, for wrong gradients, the input whose right gradient they equal, if they are swapped."""
    found: dict[str, str] = {}
    for name, value in graded.items():
        for other, right in truth.items():
            mutual = graded.get(other)
            if (
                other != name
                and value == value
                and _near(value, right)
                and mutual is not None
                and (_near(mutual, truth.get(name, math.nan)))
            ):
                found[name] = other
    return found


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=ALIKE)


def alike(a: Any, b: Any, scale: float = 0.0) -> bool:
    """Return whether two arrays of float64 are the same but for what is lost in computing them."""
    import numpy as np

    return bool(np.allclose(a, b, rtol=ALIKE, atol=DATA_DIGITS * scale))


def overall(words: list[str]) -> str:
    """Return the word for many numbers: the worst; not_exercised only if nothing else is there."""
    exercised = [w for w in words if w != NOT_EXERCISED]
    if not exercised:
        return NOT_EXERCISED
    return max(exercised, key=SEVERITY.index)


def exit_code(words: list[str], strict: bool = False) -> int:
    """Return the exit status: 1 over 4 over 5 over 0; strict accepts nothing but agreement."""
    if DISAGREE in words or (strict and (not words or any(w != AGREE for w in words))):
        return 1
    if INCONCLUSIVE in words:
        return 4
    return 0 if any(w != NOT_EXERCISED for w in words) else 5


def expected(found: float, wanted: float, rtol: float | None, text: str | None, scale: float = 0.0) -> bool:
    """Return whether a computed number is the one that was expected.

    Args:
        found: the computed number.
        wanted: the expected number.
        rtol: relative tolerance, if one was given.
        text: how the expected number was written: three digits or more are right as far as they go,
            fewer (2, 0.5, 0.0) mean the number itself; None for a number from a file.
        scale: the largest number of the same tensor: rounding is relative to it.
    """
    if not math.isfinite(found):
        return False
    allowed = DATA_DIGITS * max(abs(found), abs(wanted), scale)
    if rtol is not None:
        allowed = rtol * abs(wanted)
    elif text is not None:
        digits, last = _precision(text)
        if wanted == 0:
            digits = len(text.lower().partition("e")[0].partition(".")[2])
        if digits >= FEW:
            allowed = max(allowed, 0.500001 * last)
    return abs(found - wanted) <= max(allowed, ZERO)


def answered(
    value: float, wanted: float, text: str | None, shown: int, scale: float = 0.0, noise: float = 0.0
) -> bool | None:
    """Grade a number that a reader gives, who sees numbers of `shown` significant digits.

    Args:
        value: the answer.
        wanted: the right number.
        text: how the answer was written: a whole number means itself, any other is right as far as
            its digits go; None for a formula, which is computed in float64.
        shown: significant digits of the numbers that the reader sees.
        scale: the largest number of the same tensor, and of those that it was added up from.
        noise: the size of what may cancel in it: float64's rounding is relative to it.

    Returns:
        Whether it is right; None if it is as far as it goes, and that is not far enough.
    """
    error = abs(value - wanted)
    if not math.isfinite(error):
        return False
    if expected(value, wanted, None, None, max(scale, noise)):
        return True
    if text is None:
        return False
    if wanted and error <= 0.5 * 10.0 ** (math.floor(math.log10(abs(wanted))) + 1 - shown):
        return True
    mantissa, _, exponent = text.lower().partition("e")
    if value == 0 or ("." not in mantissa and not exponent):
        return False
    digits, last = _precision(text if "." in mantissa else f"{mantissa}.e{exponent}")
    slack = min(RECKONED * 10.0 ** (1 - shown), NARROW) * max(abs(wanted), scale)
    if error > 0.500001 * last + slack:
        return False
    return True if digits >= ANSWERED else None


def claimed(typed: Any, backprop: Any, words: Any, bound: Any) -> tuple[Any, dict[int, str]]:
    """Grade a hand-derived gradient, computed in float64, by numbers that have been checked.

    Args:
        typed: the claim's numbers, a flat array of float64.
        backprop: backprop's gradient, likewise.
        words: the verdicts on backprop's numbers, as places in SEVERITY.
        bound: the error bound of the finite differences.

    Returns:
        the verdicts on the claim, and reasons for numbers that are wrong.
    """
    import numpy as np

    # Rounding further up, in sums that cancel, is a part of the tensor's largest number.
    largest = np.max(np.abs(backprop), initial=0.0, where=np.isfinite(backprop))
    bar = np.where(np.isfinite(bound), bound, 0.0) + DATA_DIGITS * largest
    with np.errstate(all="ignore"):
        wrong = ~(np.abs(typed - backprop) <= bar)
    graded = np.where(wrong, SEVERITY.index(DISAGREE), words).astype(np.uint8)
    places = np.flatnonzero(wrong)[:SAID]
    return graded, {int(k): how_wrong(float(typed[k]), float(backprop[k])) for k in places}
