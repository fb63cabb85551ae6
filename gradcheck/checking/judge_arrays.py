"""The verdict on many numbers at once: the questions of `judge`, asked of float64 arrays.

The differences of arrays are taken in float64, so their bars hold rounding too. What is mere
rounding is told from a bar that hides something by the size of the terms a number was added up
from: rounding is a small part of these, always.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.checking.judge import (
    AGREE,
    DISAGREE,
    INCONCLUSIVE,
    KINK,
    LAST_DIGITS,
    LOSSY,
    NARROW,
    NOT_EXERCISED,
    SEVERITY,
    ULP,
    how_wrong,
)

CANCELLED = 64 * ULP
"""A sum below this part of the sizes of its terms is a zero, within rounding."""

ROUNDING_SHARE = 1e-9
"""A bar that is no more than this part of the sizes of the terms is rounding, and nothing worse."""

SMALLEST = 2.0**-1040
"""Gradients of arrays are not told apart below this: float64 keeps hardly a digit there."""


def rounding(size: Any, terms: int) -> Any:
    """Return what float64 may lose, and lose twice, in a sum of `terms` numbers of this total size."""
    return (LAST_DIGITS + 2 * terms) * ULP * size + SMALLEST


def vague(value: Any, allowed: Any) -> Any:
    """Say, for each number, whether what is allowed could hide a bug."""
    return ~(allowed <= NARROW * abs(value) + 2 * SMALLEST)


class Arrays(NamedTuple):
    """What the differences say of many numbers at once, as arrays of one shape.

    Attributes:
        value: the gradients.
        allowed: bound on their error, everything in it.
        size: the sum of the absolute values of each number's terms.
        bar: the part of `allowed` that is not rounding of the sum.
        width: half the gap between one-sided slopes.
    """

    value: Any
    allowed: Any
    size: Any
    bar: Any
    width: Any


def outside(graded: Any, found: Arrays) -> Any:
    """Say, for each number, whether it is wrong: outside of the bar and of the one-sided slopes."""
    return ~(abs(graded - found.value) <= found.allowed + found.width)


def clean(graded: Any, found: Arrays) -> bool:
    """Return whether every number is right, none is zero and no bar is wide: nothing more to tell.

    What is allowed is never zero, so a zero has a wide bar.
    """
    top = np.abs(found.value) * NARROW
    return bool((found.allowed <= top).all() and (np.abs(graded - found.value) <= found.allowed).all())


def judge(graded: Any, found: Arrays) -> Any:
    """Return for each number the place of its verdict in SEVERITY.

    A bar that is too wide says nothing, unless it is mere rounding: then the number is zero as
    far as anyone can tell, or it has lost its digits.
    """
    words = np.zeros(np.shape(graded), dtype=np.uint8)
    open_ = vague(found.value, found.allowed)
    wrong = outside(graded, found)
    if not (open_.any() or wrong.any() or found.width.any()) and graded.all():
        return words
    if open_.any():
        rounded = found.bar <= ROUNDING_SHARE * found.size + 2 * SMALLEST
        zero = rounded & (abs(found.value) <= CANCELLED * found.size + SMALLEST) & (abs(found.value) <= found.allowed)
        words[open_] = SEVERITY.index(INCONCLUSIVE)
        words[open_ & rounded] = SEVERITY.index(LOSSY)
        words[open_ & zero] = SEVERITY.index(AGREE)
    words[(graded == 0) & (found.value == 0) & (found.size == 0) & (found.bar == 0)] = SEVERITY.index(NOT_EXERCISED)
    words[found.width > found.allowed] = SEVERITY.index(KINK)
    words[wrong | ~np.isfinite(graded)] = SEVERITY.index(DISAGREE)
    return words


def judge_equal(found: Arrays) -> Any:
    """Return the verdicts where both gradients are the same to the last digit: agreement, and what does not move."""
    idle = found.value == 0
    return np.asarray(idle * np.uint8(SEVERITY.index(NOT_EXERCISED)))


def caught_by(found: Arrays, words: Any) -> float | None:
    """Return the smallest relative error that would have shown in every agreeing number but zeros."""
    part = found.allowed / np.abs(found.value)
    if words.any() or not (top := float(np.max(part, initial=0.0))) <= NARROW:
        part = part[(words == SEVERITY.index(AGREE)) & (part <= NARROW)]
        top = float(np.max(part, initial=0.0))
    return top or None


def widened(found: Arrays, size: Any) -> Arrays:
    """Grant the rounding of numbers of this size, where it cannot pass for anything else."""
    reach = rounding(size, 0)
    reach = np.where(reach <= NARROW * np.maximum(found.size, size), reach, 0.0)
    return found._replace(allowed=found.allowed + reach, size=np.maximum(found.size, size), bar=found.bar + reach)


def relative(found: Arrays) -> float:
    """Return what is allowed as a part of the largest number; zero if nothing is known."""
    top, allowed = float(np.max(np.abs(found.value), initial=0.0)), float(np.max(found.allowed, initial=0.0))
    # A tensor that is zero up to rounding could have told nothing, and is not asked.
    known = top > CANCELLED * float(np.max(found.size, initial=0.0)) and np.isfinite(allowed)
    return allowed / top if top > 0 and known else 0.0


def worst(graded: Any, found: Arrays, words: Any, most: int) -> list[int]:
    """Return the flat indices of numbers that are not a plain agreement, the worst first."""
    open_ = np.flatnonzero(words.ravel())
    error = np.abs(graded - found.value).ravel()[open_]
    order = np.lexsort((-np.where(np.isnan(error), np.inf, error), -words.ravel()[open_].astype(int)))
    open_ = open_[order[:most]]
    return [int(k) for k in open_]


def reason(graded: float, found: Arrays, place: int, word: int, at_fault: str) -> str:
    """Return one sentence on a number that is not a plain agreement."""
    value, width = float(found.value.flat[place]), float(found.width.flat[place])
    allowed = float(found.allowed.flat[place])
    name = SEVERITY[word]
    if name == NOT_EXERCISED:
        return "the value does not change with this input here"
    if name == KINK:
        return f"not differentiable here: slopes from {value - width + 0.0:.6g} to {value + width + 0.0:.6g}"
    if name == LOSSY:
        size = float(found.size.flat[place])
        return f"right as far as float64 can tell: {value!r} is what is left of terms of {size:.1e}"
    if name == INCONCLUSIVE:
        return "the error bars are too wide to have caught a bug" if np.isfinite(allowed) else "no method gave a number"
    what = "it is not a number" if graded != graded else "it is infinite"
    if np.isfinite(graded):
        what = how_wrong(graded, value) if not width else _beyond(graded, value, width)
    elif np.isfinite(allowed):
        what += f", the differences say {value!r}"
    return f"{what}; at fault: {at_fault}" if at_fault else what


def _beyond(graded: float, value: float, width: float) -> str:
    low, high = value - width + 0.0, value + width + 0.0
    return f"{graded:.6g} is outside of the one-sided slopes, {low:.6g} to {high:.6g}"


def judge_again(before: int, graded: Any, one: Arrays, jumps: bool) -> tuple[int, str | None]:
    """Return the place of the word on one number that was moved end to end, and a sentence if it needs one.

    Args:
        before: the place of the word that the gates gave it.
        graded: backprop's gradient, an array of one number.
        one: what moving it has shown, likewise.
        jumps: whether the value jumps there.
    """
    word, reason = int(judge(graded, one)[0]), None
    if before == SEVERITY.index(KINK) and word == SEVERITY.index(DISAGREE) and one.width[0] > one.allowed[0]:
        # Several kinks meet, and each rule took one of its own slopes: the gates have seen to that.
        word = SEVERITY.index(KINK)
        beyond = _beyond(float(graded[0]), float(one.value[0]), float(one.width[0]))
        reason = f"{beyond}; several kinks meet here, and each rule took one of its own slopes"
    return (max(word, SEVERITY.index(KINK)) if jumps else word), reason


def judge_by_line(graded: float) -> tuple[int, str]:
    """Return the place of the word on a number with which a line disagrees, though no gate does, and why."""
    why = f"{graded!r} disagrees with the function's change along a line, though every gate agrees"
    return SEVERITY.index(DISAGREE), why


def zeros(words: Any, graded: Any, found: Arrays) -> Any:
    """Say, for each number, whether it is right and zero by every account: which may prove nothing."""
    right = (words == SEVERITY.index(AGREE)) | (words == SEVERITY.index(NOT_EXERCISED))
    return right & (graded == 0) & (found.value == 0)


def judge_zero(reacts: bool) -> int:
    """Return the place of the word on a zero, by whether the function changes with the number at all."""
    return SEVERITY.index(AGREE if reacts else NOT_EXERCISED)


def worse_of(gates: Any, alone: Any) -> Any:
    """Return the words on numbers that were moved by themselves; what a gate has wrong stays wrong."""
    return np.where(gates == SEVERITY.index(DISAGREE), gates, alone)


def tells(bar: float, sides_bar: float, graded: float, size: float) -> bool:
    """Return whether what was seen along a line is sharp enough to judge a gradient made of terms of this size."""
    return min(bar, sides_bar) <= max(NARROW * abs(graded), ROUNDING_SHARE * size) + SMALLEST


def judge_direction(graded: float, seen: Any, size: float, slack: float, width: float) -> tuple[str, float, float]:
    """Return the word on a direction, its slope and its bar; NaN where it says nothing.

    Args:
        graded: backprop's gradient along the direction.
        seen: the slope, as engines.directions.Along.
        size: what the direction would show of gradients that do not cancel.
        slack: what the bars of the single numbers leave open.
        width: half the gap that their kinks leave open.
    """
    if graded != graded:
        return DISAGREE, seen.value, seen.bar
    if not np.isfinite(size):
        return INCONCLUSIVE, float("nan"), float("nan")
    if seen.bar <= NARROW * size:
        word = AGREE if abs(graded - seen.value) <= seen.bar + slack + width else DISAGREE
        return word, seen.value, seen.bar
    if seen.sides_bar <= NARROW * size:
        low, high = sorted((seen.left, seen.right))
        room = seen.sides_bar + slack + width
        word = AGREE if low - room <= graded <= high + room else DISAGREE
        return word, (low + high) / 2, (high - low) / 2 + seen.sides_bar
    return INCONCLUSIVE, float("nan"), float("nan")
