"""Array expressions at a point in float64: how several test files get the values and backprop's gradients."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.checking.array_place import ArrayPlace
from gradcheck.checking.in_float64 import Examined, examine
from gradcheck.checking.judge import SEVERITY
from gradcheck.checking.tensor import Tensor
from gradcheck.errors import Source
from gradcheck.language.parser import parse


def point_of(text: str, at: Mapping[str, Any]) -> ArrayPlace:
    """Parse an expression and run backprop over it at a point; inputs that it does not use are dropped."""
    graph = parse(Source(text, "expression"), list(at))
    used = {name: np.asarray(x) for name, x in at.items() if name in graph.inputs}
    return ArrayPlace(graph, used)


def check(point: ArrayPlace, wrt: Sequence[str] | None = None, **options: Any) -> Examined:
    """Examine a point with respect to all of its inputs, or to some."""
    return examine(point, list(wrt or point.point), **options)


def examined(text: str, at: Mapping[str, Any], wrt: Sequence[str] | None = None, **options: Any) -> Examined:
    """Parse an expression and examine backprop's gradients at a point."""
    return check(point_of(text, at), wrt, **options)


def words(tensor: Tensor) -> list[str]:
    """Return the verdicts on a tensor's numbers, in row-major order."""
    return [SEVERITY[k] for k in tensor.words]


def counted(found: Examined) -> Counter[str]:
    """Return how many numbers have which verdict."""
    return Counter(word for tensor in found.tensors for word in words(tensor))


def culprits(found: Examined, point: ArrayPlace) -> list[str]:
    """Return the names of the ops at fault, nearest the output first, each one once."""
    nodes = [node for culprits in found.culprits.values() for node in culprits]
    return list(dict.fromkeys(point.graph.ops[node] for node in sorted(nodes, reverse=True)))


def mlp(sizes: Sequence[int], activation: str = "tanh", batch: int = 8, seed: int = 0) -> tuple[str, dict[str, Any]]:
    """Return a classifier's loss as an expression, with a point: layers of these sizes, softmax cross-entropy."""
    random = np.random.default_rng(seed)
    at: dict[str, Any] = {"x": random.normal(size=(batch, sizes[0]))}
    hidden = "x"
    for k, (before, after) in enumerate(itertools.pairwise(sizes), 1):
        at[f"W{k}"] = random.normal(size=(after, before)) / before**0.5
        at[f"b{k}"] = random.normal(size=after)
        hidden = f"{hidden} @ W{k}.T + b{k}"
        if k < len(sizes) - 1:
            hidden = f"{activation}({hidden})"
    at["t"] = np.eye(sizes[-1])[random.integers(0, sizes[-1], batch)]
    return f"-sum(t*log_softmax({hidden}))/{batch}", at


def parameters(at: Mapping[str, Any]) -> list[str]:
    """Return the names of a network's parameters."""
    return [name for name in at if name not in ("x", "t")]
