"""Whether the finite difference's error bar covers its true error, and how much wider it is.

2,000 points, each with an expression of its own, drawn with a fixed seed: smooth functions,
depths 1 to 5, one to three variables of sizes 1e-3 to 10. Points where float64 or mpmath has no
finite value are drawn again. `gradcheck.check` gives `finite_difference` and `error_bound` for
each variable. The truth is `mpmath.diff` of the same tree at the same float64 numbers, computed
without gradcheck, with 50 digits and again with 75; it stands if the two agree to 30 digits.
Where they do not, or both are 0 (in the tail of erf, say, where 75 digits are not enough), 200
and 300 digits are tried, then 600 and 900. A number on which these differ too is not used, and
counted.

Coverage: the share of numbers with |finite_difference - truth| <= error_bound. Slack:
error_bound divided by the true error. A true error of 0 counts as covered and has no slack; how
many there were is printed, and so is the median with their slack taken as infinite. A number
that gradcheck calls a kink, or for which it has no finite difference, counts as not covered.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from typing import Any

import mpmath
import random_functions as rf
from figures import Figure, progress, show

import gradcheck

POINTS = 2000
SEED = 20
DIGITS = (50, 200, 600)
NAMES = ["x", "y", "z"]
LEAST_COVERED = 99.9
MOST_SLACK = 10
SMOOTH_WORDS = ("agree", "lossy", "not_exercised")


def slope(tree: rf.Tree, point: dict[str, float], name: str, digits: int) -> Any:
    """Return the derivative along one variable from mpmath alone."""
    with mpmath.workdps(digits):
        exact = {n: mpmath.mpf(x) for n, x in point.items()}
        return mpmath.diff(lambda x: rf.value(tree, {**exact, name: x}), exact[name])


def truth(tree: rf.Tree, point: dict[str, float], name: str) -> Any:
    """Return the derivative to 30 digits and more, or None if mpmath cannot be sure of it."""
    for digits in DIGITS:
        try:
            rough, fine = slope(tree, point, name, digits), slope(tree, point, name, digits * 3 // 2)
        except (ArithmeticError, ValueError):
            return None
        if not mpmath.isfinite(fine) or mpmath.im(fine) != 0:
            return None
        with mpmath.workdps(digits):
            if abs(rough - fine) <= abs(fine) * mpmath.mpf("1e-30") and (fine != 0 or digits == DIGITS[-1]):
                return fine
    return None


def number(draw: random.Random) -> float:
    """Draw the value of a variable: any sign, sizes from 1e-3 to 10."""
    return draw.choice((-1, 1, 1)) * float(f"{10 ** draw.uniform(-3, 1):.4g}")


def draw_points() -> tuple[list[tuple[rf.Tree, dict[str, float], Any]], int]:
    """Return expressions, points and gradcheck's reports, and how many draws had no value."""
    draw = random.Random(SEED)
    found: list[tuple[rf.Tree, dict[str, float], Any]] = []
    refused = 0
    while len(found) < POINTS:
        tree = rf.tree(draw, NAMES[: draw.randint(1, 3)], draw.randint(1, 5))
        point = {name: number(draw) for name in rf.used(tree, NAMES)}
        if not point:
            continue
        try:
            report = gradcheck.check(rf.text(tree), at=point, engines=("backprop", "finite_difference"))
        except gradcheck.GradcheckError:
            refused += 1
            continue
        found.append((tree, point, report))
    return found, refused


def measure() -> list[Figure]:
    """Compare every number with the truth."""
    started = time.process_time()
    progress(f"{POINTS:,} random points through gradcheck")
    found, refused = draw_points()
    seconds = time.process_time() - started
    progress("the truth, from mpmath")
    slacks: list[float] = []
    covered = exact = doubtful = odd = total = 0
    for tree, point, report in found:
        for gradient in report.checks[0].gradients:
            right = truth(tree, point, gradient.input)
            if right is None:
                doubtful += 1
                continue
            total += 1
            if gradient.verdict not in SMOOTH_WORDS:
                odd += 1
                complain("not called smooth", tree, point, gradient, right)
            if gradient.finite_difference is None or gradient.error_bound is None or gradient.verdict == "kink":
                complain("no finite difference", tree, point, gradient, right)
                continue
            with mpmath.workdps(100):
                error = abs(mpmath.mpf(gradient.finite_difference) - right)
                inside = bool(error <= mpmath.mpf(gradient.error_bound))
                slack = float(gradient.error_bound / error) if error else math.inf
            covered += inside
            exact += slack == math.inf
            slacks.append(slack)
            if not inside:
                complain("not covered", tree, point, gradient, right)
    finite = statistics.median(s for s in slacks if s < math.inf)
    note = f"{total - covered} of {total:,} numbers at {POINTS:,} points outside; {doubtful} without a sure truth"
    return [
        Figure("error bar covers the true error", 100 * covered / total, LEAST_COVERED, True, "%", note),
        Figure("median slack", finite, MOST_SLACK, note=f"{exact} numbers with true error 0 left out"),
        Figure("median slack, true error 0 as infinite", statistics.median(slacks), MOST_SLACK),
        Figure("smooth numbers called kink, undecided or wrong", odd, note=f"{refused} draws had no value"),
        Figure("gradcheck.check, per point", 1000 * seconds / POINTS, unit="ms", note="refused draws included"),
    ]


def complain(what: str, tree: rf.Tree, point: dict[str, float], gradient: Any, right: Any) -> None:
    """Show a number that is not covered, with what is needed to look at it."""
    print(
        f"  {what}: {rf.text(tree)} at {point}, {gradient.input}: {gradient.verdict} "
        f"{gradient.finite_difference} ± {gradient.error_bound}, truth {mpmath.nstr(right, 25)}; {gradient.reason}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    show(measure())
