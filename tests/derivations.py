"""Expressions at a point, ready to be derived, for the tests of everything that reads derivations."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.arithmetic.system import System
from gradcheck.checking import forward
from gradcheck.checking.array_place import ArrayPlace
from gradcheck.deriving.derive import Subject, Worked, derive, work_out
from gradcheck.deriving.records import Derivation
from gradcheck.errors import Source
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.networks.loading import load
from gradcheck.networks.network import Network


def worked_out(text: str, at: dict[str, Any], expand: bool = False) -> tuple[Derivation, Worked, System]:
    """Return the derivation of an expression at a point with its numbers; lists are arrays."""
    graph = parse(Source(text))
    shapes = infer(graph, {name: np.shape(value) for name, value in at.items()})
    arrays = any(shapes) or bool(graph.params)
    point = {name: np.asarray(value, dtype=float) if arrays else value for name, value in at.items()}
    system, values = forward.run(graph, point, arrays=arrays)
    subject = Subject(text, graph, shapes, system, values, list(graph.inputs))
    worked = work_out(subject, expand)
    return derive(subject, worked), worked, system


def network_derivation(network: Network) -> Derivation:
    """Return the derivation of a network, without proofs and check."""
    graph, shapes = network.graph, network.shapes
    place = ArrayPlace(graph, dict(network.point))
    kinds = {name: tensor.kind for name, tensor in network.tensors.items()}
    subject = Subject(network.name, graph, shapes, place.system, place.values, network.wrt, kinds, network.layers)
    return derive(subject, work_out(subject))


def networks(text: str, name: str = "spec") -> list[Network]:
    """Return the networks of a spec that is right."""
    found, problems = load(Source(text, name))
    assert not problems, "\n".join(problem.render() for problem in problems)
    return found


SCALARS: list[tuple[str, dict[str, Any]]] = [
    ("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}),
    ("x*x", {"x": 3.0}),
    ("x^2 + 3*x", {"x": -3.0}),
    ("1/(1+exp(-(w0*x0+w1*x1+w2)))", {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}),
    ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", {"x": 3.0, "y": -4.0}),
    ("max(x*y, x) + min(x, y)*hypot(x, y)", {"x": 3.0, "y": -4.0}),
    ("where(x > 0, x*y, log(x)) + floor(x)*y", {"x": 2.5, "y": 2.0}),
    ("where(x > 0, log(x), sin(x)*x)", {"x": -2.5}),
    ("where(x > y, x, where(y > 1, sqrt(x), y*x))", {"x": -2.0, "y": 0.5}),
    ("relu(x) + leaky_relu(-x) + softplus(x*y)", {"x": 0.75, "y": -2.0}),
    ("x", {"x": 2.0}),
    ("3 + 0*x", {"x": 2.0}),
]

ARRAYS: list[tuple[str, dict[str, Any]]] = [
    ("sum(x*y)", {"x": [1.0, 2.0, 3.0], "y": 2.0}),
    ("x*y + x", {"x": [[1.0, 2.0], [3.0, -4.0]], "y": [0.5, 2.0]}),
    (
        "-sum(t*log(softmax(x @ W + b)))",
        {"x": [1.0, 2.0], "W": [[1.0, 2.0, 3.0], [0.4, 0.5, 0.6]], "b": [0.0, 1.0, 0.0], "t": [0.0, 1.0, 0.0]},
    ),
    ("sum(relu(x @ W)^2)", {"x": [[1.0, -2.0], [0.5, 3.0]], "W": [[1.0, -0.5], [0.25, 2.0]]}),
    ("sum(where(x > 0, sqrt(x)*x, y*x))", {"x": [1.0, -2.0, 4.0], "y": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}),
    ("sum(where(x > 0, x*sin(sqrt(abs(x))), 3*x))", {"x": [0.0, 2.0]}),
    ("sum(where(x > 0, log(x), where(x < -1, x*x, x)))", {"x": [1.0, -2.0, -0.5]}),
    ("mean(x*y, axis=0) @ softmax(x[0])", {"x": [[1.0, 2.0], [3.0, -4.0]], "y": [[0.5], [2.0]]}),
    ("concat(x, x*x)[1:] @ cumsum(concat(x, y))[:3]", {"x": [1.0, -2.0], "y": [0.5, 2.0]}),
    ("sum(x.T @ x) + prod(x) + amax(x*x) + norm(x)", {"x": [[1.0, -2.0], [0.5, 3.0]]}),
]
