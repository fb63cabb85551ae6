"""Facts that a spec says must hold: the loss, outputs and gradients it expects."""

from __future__ import annotations

from gradcheck.checking import judge
from gradcheck.checking.place import Place
from gradcheck.checking.problem import Problem
from gradcheck.checking.report import Fact
from gradcheck.networks.records import Expected


def broken(problem: Problem, place: Place) -> list[Fact]:
    """Return the expectations of a problem that do not hold at a place."""
    return [found for fact in problem.expected if (found := _fact(place, fact)) is not None]


def _fact(place: Place, fact: Expected) -> Fact | None:
    import numpy as np

    graph = place.graph
    if fact.what == "loss":
        actual = np.array([place.value])
    elif fact.what == "outputs":
        actual = np.ravel(place.values[graph.stages[fact.name]])
    else:
        gradient = place.gradients[graph.inputs[fact.name]]
        actual = np.zeros(np.size(place.point[fact.name])) if gradient is None else np.ravel(gradient)
    wanted = list(fact.data.numbers or ())
    scale = max(map(abs, wanted), default=0.0)
    bad = [
        k for k, (found, number) in enumerate(zip(actual.tolist(), wanted, strict=True))
        if not judge.expected(found, number, fact.rtol, fact.texts[k] if fact.texts else None, scale)
    ]  # fmt: skip
    if not bad:
        return None
    worst = max(bad, key=lambda k: abs(actual[k] - wanted[k]) if np.isfinite(actual[k]) else np.inf)
    index = [int(k) for k in np.unravel_index(worst, fact.data.shape)] if fact.data.shape else None
    what = {"loss": "the loss", "outputs": f"`{fact.name}`", "grads": f"the gradient of `{fact.name}`"}[fact.what]
    where = f" at {index}" if index else ""
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    position = fact.data.node.source.position(fact.place.start)
    return Fact(
        f"{fact.what} {fact.name}".strip(),
        position,
        f"{what}{where} is {float(actual[worst])!r}, expected {wanted[worst]!r}{more}",
    )
