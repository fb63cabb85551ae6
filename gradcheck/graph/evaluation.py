"""Forward evaluation: one loop over the nodes, in any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
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
    graph: Graph, system: Arithmetic, inputs: Mapping[str, Any], only: AbstractSet[int] | None = None
) -> tuple[Values, list[Failure]]:
    """Compute every node, or `only` some and the leaves, in the arithmetic of `system`.

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
    if only is None and not graph.params and (loop := system.forward_loop(graph.ops)) is not None:
        start = loop(graph.ops, graph.left, graph.right, graph.rest, values)
        if start == NONE:
            return values, []
    left = graph.left
    gates = [k for k in range(start, len(left)) if left[k] >= 0 and (only is None or k in only)]
    return values, recompute(graph, system, values, gates)


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
