"""Whether the finite difference's error bar covers its true error, and how much wider it is.

100,000 points (2,000 with --quick), each with an expression of its own, drawn with fixed seeds: smooth
functions, depths 1 to 5, one to three variables of sizes 1e-3 to 10. Points where float64 or mpmath
has no finite value, or a rule has a pole (sqrt(x - x)), are drawn again. `gradcheck.check` gives
`finite_difference` and `error_bound` for each variable. The truth is `mpmath.diff` of the same tree
at the same float64 numbers, computed without gradcheck, with 60 digits and again with 90; it stands
if the two agree to 30 digits. Where they do not, or both are 0 (in the tail of erf, say, where 90
digits are not enough), 200 and 300 digits are tried, then 600 and 900. A number on which these
differ too is not used, and counted.

Coverage: the share of numbers with |finite_difference - truth| <= error_bound. Slack:
error_bound divided by the true error. A true error of 0 counts as covered and has no slack; how
many there were is printed, and so is the median with their slack taken as infinite. A number
that gradcheck calls a kink, or for which it has no finite difference, counts as not covered. Every bar
must be proved: those that are only estimated are counted. The work is shared among processes; who
draws which point does not depend on how many there are.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import statistics
import sys
import time
from typing import Any, NamedTuple

import mpmath
import random_functions as rf
from figures import Figure, progress, show

import gradcheck

QUICK = "--quick" in sys.argv
POINTS = 2000 if QUICK else 100_000
SHARE = 500
"""Points drawn from one seed."""

DIGITS = (60, 200, 600)
NAMES = ["x", "y", "z"]
LEAST_COVERED = 100.0
MOST_SLACK = 10
SMOOTH_WORDS = ("agree", "lossy", "not_exercised")


class Tally(NamedTuple):
    """What a share of the points showed; lines are complaints."""

    slacks: list[float]
    covered: int
    estimated: int
    doubtful: int
    odd: int
    refused: int
    seconds: float
    lines: list[str]


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


def draw_points(seed: int) -> tuple[list[tuple[rf.Tree, dict[str, float], Any]], int]:
    """Return expressions, points and gradcheck's reports, and how many draws had no value."""
    draw = random.Random(seed)
    found: list[tuple[rf.Tree, dict[str, float], Any]] = []
    refused = 0
    while len(found) < SHARE:
        tree = rf.tree(draw, NAMES[: draw.randint(1, 3)], draw.randint(1, 5))
        point = {name: number(draw) for name in rf.used(tree, NAMES)}
        if not point:
            continue
        try:
            report = gradcheck.check(rf.text(tree), at=point, engines=("backprop", "finite_difference"))
        except gradcheck.GradcheckError:
            refused += 1
            continue
        if not all(math.isfinite(g.backprop or 0.0) for g in report.checks[0].gradients):
            refused += 1
            continue
        found.append((tree, point, report))
    return found, refused


def share(seed: int) -> Tally:
    """Compare one share of the points with the truth."""
    started = time.process_time()
    found, refused = draw_points(seed)
    seconds = time.process_time() - started
    slacks: list[float] = []
    lines: list[str] = []
    covered = estimated = doubtful = odd = 0
    for tree, point, report in found:
        for gradient in report.checks[0].gradients:
            right = truth(tree, point, gradient.input)
            if right is None:
                doubtful += 1
                continue
            estimated += gradient.proved is not True
            if gradient.verdict not in SMOOTH_WORDS:
                odd += 1
                lines.append(complaint("not called smooth", tree, point, gradient, right))
            if gradient.finite_difference is None or gradient.error_bound is None or gradient.verdict == "kink":
                lines.append(complaint("no finite difference", tree, point, gradient, right))
                slacks.append(0.0)
                continue
            with mpmath.workdps(100):
                error = abs(mpmath.mpf(gradient.finite_difference) - right)
                inside = bool(error <= mpmath.mpf(gradient.error_bound))
                slacks.append(float(gradient.error_bound / error) if error else math.inf)
            covered += inside
            if not inside:
                lines.append(complaint("not covered", tree, point, gradient, right))
    return Tally(slacks, covered, estimated, doubtful, odd, refused, seconds, lines)


def measure() -> list[Figure]:
    """Compare every number with the truth."""
    progress(f"{POINTS:,} random points through gradcheck and mpmath, on {os.cpu_count()} processors")
    with multiprocessing.get_context("spawn").Pool() as pool:
        tallies = list(pool.imap(share, range(20, 20 + POINTS // SHARE)))
    slacks = [slack for tally in tallies for slack in tally.slacks]
    covered, estimated, doubtful, odd, refused = (
        sum(getattr(tally, name) for tally in tallies)
        for name in ("covered", "estimated", "doubtful", "odd", "refused")
    )
    for line in [line for tally in tallies for line in tally.lines][:20]:
        print(line, file=sys.stderr)
    total, exact = len(slacks), sum(s == math.inf for s in slacks)
    finite = statistics.median(s for s in slacks if s < math.inf)
    note = f"{total - covered} of {total:,} numbers at {POINTS:,} points outside; {doubtful} without a sure truth"
    seconds = sum(tally.seconds for tally in tallies)
    return [
        Figure("error bar covers the true error", 100 * covered / total, LEAST_COVERED, True, "%", note),
        Figure("bars that are estimated and not proved", estimated, 0),
        Figure("median slack", finite, MOST_SLACK, note=f"{exact} numbers with true error 0 left out"),
        Figure("median slack, true error 0 as infinite", statistics.median(slacks), MOST_SLACK),
        Figure("smooth numbers called kink, undecided or wrong", odd, note=f"{refused} draws had no value"),
        Figure("gradcheck.check, per point", 1000 * seconds / POINTS, unit="ms", note="refused draws included"),
    ]


def complaint(what: str, tree: rf.Tree, point: dict[str, float], gradient: Any, right: Any) -> str:
    """Return a number that is not covered, with what is needed to look at it."""
    return (
        f"  {what}: {rf.text(tree)} at {point}, {gradient.input}: {gradient.verdict} "
        f"{gradient.finite_difference} ± {gradient.error_bound}, truth {mpmath.nstr(right, 25)}; {gradient.reason}"
    )


if __name__ == "__main__":
    show(measure())
