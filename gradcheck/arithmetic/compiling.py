"""Graphs written out as Python code over a number system's own functions, and compiled.

The only code that is ever executed is generated here, from graphs that the parser has validated:
names of the user never appear in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcheck.graph.graph import INPUT, Graph, Params

Function = Callable[..., Any]

OPERATORS = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "neg": "(-{0})",
    "identity": "{0}",
}
"""Ops that every system with Python operators writes inline."""

CHOICE = {"where": "({1} if {0} else {2})", "select": "({1} if {0} else None)"}
"""Inline forms for systems of single numbers: the branch not taken is not even computed."""


if TYPE_CHECKING:
    from typing import Protocol

    from gradcheck.graph.evaluation import Arithmetic

    class Compiled(Arithmetic, Protocol):
        """What writing code needs of a number system, beside what evaluation does."""

        name: str
        inline: Mapping[str, str]

        def rule(self, op: str, params: Params = (), ranks: tuple[int, ...] = ()) -> Any:
            """Return the backward rule of an op, compiled."""


class Writer:
    """Writes graphs as Python statements; equal subexpressions are computed once.

    Attributes:
        arguments: input name → the Python expression that stands for it.
        lines: the statements so far.
        namespace: functions and constants that the statements use.
    """

    def __init__(self, system: Compiled, names: Sequence[str]) -> None:
        self.system = system
        self.arguments = {name: f"a{k}" for k, name in enumerate(names)}
        self.namespace: dict[str, Any] = {}
        self.lines: list[str] = []

    def write(self, graph: Graph) -> str:
        """Write what `graph` needs and return the expression of its output."""
        same = _equal_nodes(graph)
        lazy = "where" in self.system.inline
        always, uses = _reached(graph, same, lazy)
        expression: dict[int, str] = {same[node]: self.arguments[n] for n, node in graph.inputs.items()}
        for node, text in graph.constants.items():
            expression[node] = self.bind("c", self.system.literal(text))
        for node in graph.gates:
            if same[node] != node or node not in uses:
                continue
            operands = [expression[same[k]] for k in graph.operands(node)]
            written = self.apply(graph.ops[node], graph.params.get(node, ()), operands)
            if uses[node] > 1 and node in always:
                name = self.bind("t", None)
                self.lines.append(f"{name} = {written}")
                written = name
            expression[node] = written
        return expression[same[graph.output]]

    def apply(self, op: str, params: Params, operands: Sequence[str]) -> str:
        """Return the expression of `op` applied to operands."""
        template = self.system.inline.get(op)
        if template is not None:
            return template.format(*operands)
        return f"{self.bind('f', self.system.function(op, params))}({', '.join(operands)})"

    def bind(self, kind: str, value: Any) -> str:
        """Return a new name for a value."""
        name = f"{kind}{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def function(self, arguments: str, lines: Sequence[str]) -> Function:
        """Compile statements to a function: the one place where text becomes code."""
        body = "\n".join(f"    {line}" for line in lines)
        code = f"def compiled({arguments}):\n{body}\n"
        exec(compile(code, f"<{self.system.name}>", "exec"), self.namespace)  # noqa: S102 - our own validated graph
        function: Function = self.namespace["compiled"]
        return function


def _equal_nodes(graph: Graph) -> list[int]:
    """Return for each node the first node that computes the same."""
    first: dict[Any, int] = {}
    same: list[int] = []
    for node in range(len(graph)):
        op = graph.ops[node]
        if op == INPUT:
            key: Any = (op, node)
        elif node in graph.constants:
            key = (op, graph.constants[node])
        else:
            key = (op, tuple(same[k] for k in graph.operands(node)), repr(graph.params.get(node, ())))
        same.append(first.setdefault(key, node))
    return same


def _reached(graph: Graph, same: list[int], lazy: bool) -> tuple[set[int], dict[int, int]]:
    """Return the nodes that are computed whatever `where` chooses, and each node's number of uses."""
    uses: dict[int, int] = {same[graph.output]: 1}
    always: set[int] = set()
    for certain in (False, True):
        stack, seen = [same[graph.output]], {same[graph.output]}
        while stack:
            node = stack.pop()
            if certain:
                always.add(node)
            operands = graph.operands(node)
            if certain and lazy and graph.ops[node] in CHOICE:
                operands = operands[:1]
            for operand in map(same.__getitem__, operands):
                if not certain:
                    uses[operand] = uses.get(operand, 0) + 1
                if operand not in seen:
                    seen.add(operand)
                    stack.append(operand)
    return always, uses
