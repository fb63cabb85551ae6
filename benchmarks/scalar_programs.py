"""The scalar programs of scalar_graphs.py, for gradcheck, micrograd, PyTorch and HIPS autograd."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.engines.backprop import backprop
from gradcheck.errors import Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph

INPUTS = {
    "chain": (0.5, 1 - 1e-7, 1e-7),
    "wide": tuple(0.1 + 0.125 * k for k in range(8)),
}
"""Numbers for which neither values nor gradients overflow or vanish at a million gates."""

Peer = Callable[[str, int], list[float]]


def chain_graph(gates: int) -> Graph:
    """Build v = v*y + z, repeated."""
    graph = Graph(Source(""))
    v, y, z = (graph.input(name) for name in "xyz")
    link = graph.linker()
    for _ in range(gates // 2):
        v = link("add", link("mul", v, y), z)
    graph.output = v
    return graph


def wide_graph(gates: int) -> Graph:
    """Build products of eight inputs, added up in a balanced tree."""
    graph = Graph(Source(""))
    x = [graph.input(f"x{k}") for k in range(8)]
    link = graph.linker()
    row = [link("mul", x[i % 8], x[(3 * i + 1) % 8]) for i in range(gates // 2)]
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = [link("add", a, b) for a, b in zip(row[::2], row[1::2], strict=False)] + odd
    graph.output = row[0]
    return graph


BUILDERS: dict[str, Callable[[int], Graph]] = {"chain": chain_graph, "wide": wide_graph}


def ours(program: str, gates: int, phases: dict[str, list[float]] | None = None) -> list[float]:
    """Build, evaluate and differentiate; return the gradient of each input."""
    marks = [time.process_time()]
    graph = BUILDERS[program](gates)
    marks.append(time.process_time())
    values, _ = evaluate(graph, FLOATS, dict(zip(graph.inputs, INPUTS[program], strict=True)))
    marks.append(time.process_time())
    gradients = backprop(graph, FLOATS, values, 1.0)
    marks.append(time.process_time())
    if phases is not None:
        for name, a, b in zip(("build", "forward", "backward"), marks, marks[1:], strict=False):
            phases.setdefault(name, []).append(b - a)
    return [gradients[node] for node in graph.inputs.values()]


def chain(inputs: Sequence[Any], gates: int) -> Any:
    """Compute v = v*y + z, repeated, with whatever the inputs are."""
    v, y, z = inputs
    for _ in range(gates // 2):
        v = v * y + z
    return v


def wide(inputs: Sequence[Any], gates: int) -> Any:
    """Compute products of eight inputs and add them up in a balanced tree."""
    row = [inputs[i % 8] * inputs[(3 * i + 1) % 8] for i in range(gates // 2)]
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = [a + b for a, b in zip(row[::2], row[1::2], strict=False)] + odd
    return row[0]


PROGRAMS = {"chain": chain, "wide": wide}


def micrograd() -> Peer:
    """Return micrograd's way."""
    from micrograd.engine import Value

    def run(program: str, gates: int) -> list[float]:
        inputs = [Value(x) for x in INPUTS[program]]
        PROGRAMS[program](inputs, gates).backward()
        return [x.grad for x in inputs]

    return run


def torch() -> Peer:
    """Return PyTorch's eager way: float64 tensors without axes, on one thread."""
    import torch as library

    library.set_num_threads(1)

    def run(program: str, gates: int) -> list[float]:
        inputs = [library.tensor(x, dtype=library.float64, requires_grad=True) for x in INPUTS[program]]
        PROGRAMS[program](inputs, gates).backward()
        return [float(x.grad) for x in inputs]

    return run


def autograd() -> Peer:
    """Return HIPS autograd's way: the gradient for all arguments at once."""
    from autograd import value_and_grad

    def run(program: str, gates: int) -> list[float]:
        numbers = INPUTS[program]
        function = value_and_grad(lambda *inputs: PROGRAMS[program](inputs, gates), argnum=tuple(range(len(numbers))))
        return [float(x) for x in function(*numbers)[1]]

    return run


def available() -> tuple[dict[str, Peer], dict[str, str]]:
    """Return the peers that are installed, and why the others are not."""
    found: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    for make in (micrograd, torch, autograd):
        try:
            found[make.__name__] = make()
        except ImportError as error:
            absent[make.__name__] = f"not installed ({error.name})"
    return found, absent
