"""Facts that a spec says must hold: the loss, outputs and gradients it expects."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from gradcheck.checking import judge
from gradcheck.checking.verdicts import Fact
from gradcheck.networks.network import Network
from gradcheck.networks.records import Expected

if TYPE_CHECKING:
    from gradcheck.checking.arrays import FloatPoint


def broken(network: Network, point: FloatPoint) -> list[Fact]:
    """Return the expectations of a network that do not hold at its point."""
    return [found for fact in network.expected if (found := _fact(network, point, fact)) is not None]


def _fact(network: Network, point: FloatPoint, fact: Expected) -> Fact | None:
    import numpy as np

    graph = network.graph
    if fact.what == "loss":
        actual = np.array([point.value])
    elif fact.what == "outputs":
        actual = point.values[graph.stages[fact.name]].ravel()
    else:
        gradient = point.rough[graph.inputs[fact.name]]
        actual = np.zeros(prod(network.tensors[fact.name].shape)) if gradient is None else np.ravel(gradient)
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
    place = fact.data.node.source.position(fact.place.start)
    return Fact(
        f"{fact.what} {fact.name}".strip(),
        place,
        f"{what}{where} is {float(actual[worst])!r}, expected {wanted[worst]!r}{more}",
    )
