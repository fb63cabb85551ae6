"""Forward evaluation: one loop over the nodes, in any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcheck.graph.graph import NONE, Graph, Params

Values = list[Any]
Failure = tuple[int, Exception]
"""A gate that has no value, and what its function raised."""


if TYPE_CHECKING:
    from typing import Protocol

    class Arithmetic(Protocol):
        """What evaluation needs of a number system; `gradcheck.arithmetic` has several."""

        nan: Any

        @property
        def constant(self) -> Callable[[str], Any]:
            """Text of a number in the user's graph → number."""

        @property
        def literal(self) -> Callable[[str], Any]:
            """The same for an exact decimal of an op's definition."""

        def function(self, op: str, params: Params = ()) -> Callable[..., Any]:
            """Return the function that computes an op."""

        def forward_loop(self, ops: Sequence[str]) -> Callable[..., Any] | None:
            """Return a loop that computes a whole graph of such ops, if there is one."""


def evaluate(
    graph: Graph, system: Arithmetic, inputs: Mapping[str, Any], *, same: Sequence[int] | None = None
) -> tuple[Values, list[Failure]]:
    """Compute every node in the arithmetic of `system`.

    With `same`, as `same_values` returns it, nodes of one number share one value.

    Returns the values by node, and the gates that have none with the exception each raised
    (log of -1, say). Such a gate's value is the system's NaN, and computing goes on: it may
    lie in a branch of `where` that is not taken.
    """
    values: Values = [None] * len(graph)
    for name, node in graph.inputs.items():
        values[node] = inputs[name]
    for node, text in graph.constants.items():
        values[node] = system.literal(text) if node in graph.literals else system.constant(text)
    start = 0
    if same is None and not graph.params and (loop := system.forward_loop(graph.ops)) is not None:
        start = loop(range(len(values)), graph.ops, graph.left, graph.right, graph.rest, values)
        if start == NONE:
            return values, []
    if same is None:
        return values, recompute(graph, system, values, [k for k in graph.gates if k >= start])
    failures: list[Failure] = []
    for node in range(len(values)):
        if same[node] != node:
            values[node] = values[same[node]]
        elif graph.left[node] >= 0:
            failures += recompute(graph, system, values, (node,))
    return values, failures


def same_values(graph: Graph, inputs: Mapping[str, Hashable]) -> list[int] | None:
    """Return for each node the first that certainly has the same value; None if no two gates have.

    Equal inputs through equal gates give equal numbers, which balls with a radius could not tell: so a tie
    is known to be one. `graph` is one of single numbers.
    """
    first: dict[Any, int] = {}
    same: list[int] = [0] * len(graph)
    for name, node in graph.inputs.items():
        same[node] = first.setdefault(inputs[name], node)
    for node, text in graph.constants.items():
        exact = node in graph.literals or text in ("pi", "e")
        same[node] = first.setdefault(text if exact else float(text), node)
    for node in graph.gates:
        same[node] = first.setdefault((graph.ops[node], *[same[k] for k in graph.operands(node)]), node)
    return same if any(same[node] != node for node in graph.gates) else None


def recompute(graph: Graph, system: Arithmetic, values: Values, gates: Sequence[int]) -> list[Failure]:
    """Compute the `gates` in place, in the given order; return those that raised."""
    failures: list[Failure] = []
    todo = iter(gates)
    while True:
        failed = _run(graph, system, values, todo)
        if failed is None:
            return failures
        values[failed[0]] = system.nan
        failures.append(failed)


def _run(graph: Graph, system: Arithmetic, values: Values, todo: Iterator[int]) -> Failure | None:
    ops, left, right, params = graph.ops, graph.left, graph.right, graph.params
    functions: dict[str, Callable[..., Any]] = {}
    node = NONE
    try:
        for node in todo:
            op = ops[node]
            function = functions.get(op)
            if function is None or params:
                function = functions[op] = system.function(op, params.get(node, ()))
            r = right[node]
            if r >= 0:
                values[node] = function(values[left[node]], values[r])
            elif r == NONE:
                values[node] = function(values[left[node]])
            else:
                values[node] = function(*[values[k] for k in graph.rest[node]])
    except (ArithmeticError, ValueError) as error:
        return node, error
    return None
