"""Facts that a spec says must hold: the loss, outputs and gradients it expects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gradcheck.checking import judge
from gradcheck.checking.judge import Given
from gradcheck.checking.known import Known
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.report import Fact
from gradcheck.networks.records import Expected


def broken(problem: Problem, place: Place) -> list[Fact]:
    """Return the expectations of a problem that do not hold at a place."""
    known = Known(place)
    return [found for fact in problem.expected if (found := _fact(place, known, fact)) is not None]


def _fact(place: Place, known: Known, fact: Expected) -> Fact | None:
    import numpy as np

    truth, bounds = _truth(place, known, fact)
    wanted = list(fact.data.numbers or ())
    reasons = {
        k: why
        for k, (true, bound, number) in enumerate(zip(truth, bounds, wanted, strict=True))
        if (why := _wrong(number, true, bound, fact, k)) is not None
    }
    if not reasons:
        return None
    worst = max(reasons, key=lambda k: abs(truth[k] - wanted[k]) if math.isfinite(truth[k]) else math.inf)
    index = [int(k) for k in np.unravel_index(worst, fact.data.shape)] if fact.data.shape else None
    what = {"loss": "the loss", "outputs": f"`{fact.name}`", "grads": f"the gradient of `{fact.name}`"}[fact.what]
    where = f" at {index}" if index else ""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    position = fact.data.node.source.position(fact.place.start)
    return Fact(
        f"{fact.what} {fact.name}".strip(),
        position,
        f"{what}{where} is {truth[worst]!r}, expected {wanted[worst]!r}{more}",
    )


def _wrong(number: float, true: float, bound: float, fact: Expected, k: int) -> str | None:
    """Return why an expected number is not the true one; None if it is."""
    if not math.isfinite(true):
        return "there is no number"
    if fact.rtol is not None:
        return None if abs(number - true) <= fact.rtol * abs(number) else "beyond the tolerance"
    verdict = judge.judge_given(number, Given(fact.texts[k] if fact.texts else None, bound), true)
    return verdict.reason if verdict.word == judge.DISAGREE else None


def _truth(place: Place, known: Known, fact: Expected) -> tuple[Sequence[float], Sequence[float]]:
    """Return the true numbers that a fact speaks of, and what float64 may lose in each."""
    if fact.what == "loss":
        return known.values(place.graph.output, total=True)
    node: Any = place.node(fact.name)
    return known.values(node) if fact.what == "outputs" else known.gradients(fact.name)
