"""A number system is a set of functions; the same graph and the same formulas run in any of them.

Primitives are native to each system. Every other op is compiled from its text in the op
table, once, to a Python function over the system's own primitives. The only code that is
ever executed is generated here, from graphs that the parser has validated: names of the user
never appear in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from gradcheck.errors import Source
from gradcheck.graph import INPUT, Graph, Params
from gradcheck.language.parser import parse
from gradcheck.ops import OPS
from gradcheck.ops.op import Op

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


class System:
    """One arithmetic.

    Attributes:
        name: for messages and caches.
        natives: op name → function, for the primitives.
        inline: op name → Python expression with {0}, {1}, … for the operands.
        constant: text of a number (or pi, e) in the user's graph → number.
        literal: the same for numbers in the op table, which are exact decimals.
        nan: the value of a gate that has none.
        careful: the system in which to redo a rule that raised; it returns infinities.
        stable: whether to prefer an op's `forward` (float64) to its `form`.
        accumulate: (gradient so far or None, contribution, operand) → gradient, for systems
            where shapes matter; None for single numbers, which are just added.
    """

    careful: System

    def __init__(
        self,
        name: str,
        natives: Mapping[str, Function],
        constant: Callable[[str], Any],
        *,
        literal: Callable[[str], Any] | None = None,
        inline: Mapping[str, str] = OPERATORS,
        nan: Any = float("nan"),
        careful: System | None = None,
        stable: bool = False,
        accumulate: Function | None = None,
        active: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.name = name
        self.natives = natives
        self.inline = inline
        self.constant = constant
        self.literal = literal or constant
        self.nan = nan
        self.careful = careful or self
        self.stable = stable
        self.accumulate = accumulate
        self.active = active
        self._functions: dict[tuple[str, str], Function] = {}
        self._rules: dict[tuple[str, str, tuple[int, ...]], Rule] = {}

    def function(self, op: str, params: Params = ()) -> Function:
        """Return the function that computes `op` with the given static parameters."""
        key = (op, _text(params))
        found = self._functions.get(key)
        if found is None:
            native = self.natives.get(op)
            if native is not None:
                found = partial(native, **dict(params)) if params else native
            else:
                row = OPS[op]
                text = (row.forward if self.stable else None) or row.form
                if text is None:
                    raise NotImplementedError(f"{self.name} has no {op}")
                found = self.compile([text], row.args, params, single=True, functions=row.functions)
            self._functions[key] = found
        return found

    def rule(self, op: str, params: Params = (), ranks: tuple[int, ...] = ()) -> Rule:
        """Return the backward rule of `op`: (g, operands…, out) → a contribution for each operand."""
        key = (op, _text(params), ranks)
        found = self._rules.get(key)
        if found is None:
            row = OPS[op]
            found = self._rules[key] = Rule(self, row.rules(ranks), row, params)
        return found

    def forward_loop(self, ops: Sequence[str]) -> Function | None:
        """Return a generated loop that computes a whole graph, if this is a system of single numbers."""
        if self.accumulate is not None or "where" not in self.inline:
            return None
        from gradcheck.systems import loops

        return loops.forward_loop(self, loops.by_frequency(ops))

    def backward_loop(self, ops: Sequence[str]) -> Function:
        """Return the generated loop that goes back over a whole graph of single numbers."""
        from gradcheck.systems import loops

        return loops.backward_loop(self, loops.by_frequency(ops))

    def compile(
        self,
        texts: Sequence[str],
        names: Sequence[str],
        params: Params = (),
        *,
        single: bool = False,
        functions: Mapping[str, Op] | None = None,
    ) -> Function:
        """Compile formulas over `names` to one function that returns a tuple of their values.

        With `single`, there is one formula and its bare value is returned. `functions` are ops that
        they may call beside the table's.
        """
        graphs = [
            parse(Source(text, "rule"), names, static_names=dict(params), internal=True, functions=functions)
            for text in texts
        ]
        return self.compile_graphs(graphs, names, single=single)

    def compile_graphs(self, graphs: Sequence[Graph], names: Sequence[str], *, single: bool = False) -> Function:
        """Compile validated graphs over the inputs `names`, as `compile` does with text."""
        writer = Writer(self, names)
        results = [writer.write(graph) for graph in graphs]
        answer = results[0] if single else f"({', '.join(results)},)"
        return writer.function(", ".join(writer.arguments.values()), [*writer.lines, f"return {answer}"])


def _text(params: Params) -> str:
    """Return parameters as a dictionary key: before Python 3.12 a slice is not hashable."""
    return repr(params) if params else ""


class Rule:
    """Formulas over g, the operands and out, compiled: what flows back through one op.

    Attributes:
        texts: the formulas, one an operand.
        fast: the compiled function; it may raise where a formula has a pole.
    """

    __slots__ = ("_args", "_functions", "_params", "_slow", "_system", "fast", "texts")

    def __init__(self, system: System, texts: Sequence[str], row: Op, params: Params = ()) -> None:
        self._system = system
        self._args = ("g", *row.args, "out")
        self._params = params
        self._functions = row.functions
        self._slow: list[Function] = []
        self.texts = tuple(texts)
        self.fast = system.compile(texts, self._args, params, functions=row.functions)

    def careful(self, *values: Any) -> tuple[Any, ...]:
        """Apply each formula by itself, so that the pole of one leaves the others alone."""
        if not self._slow:
            careful = self._system.careful
            self._slow = [
                careful.compile([t], self._args, self._params, single=True, functions=self._functions)
                for t in self.texts
            ]
        return tuple(_attempt(one, values, self._system.nan) for one in self._slow)


def _attempt(function: Function, values: Sequence[Any], nan: Any) -> Any:
    try:
        return function(*values)
    except (ArithmeticError, ValueError):
        return nan


class Writer:
    """Writes graphs as Python statements; equal subexpressions are computed once.

    Attributes:
        arguments: input name → the Python expression that stands for it.
        lines: the statements so far.
        namespace: functions and constants that the statements use.
    """

    def __init__(self, system: System, names: Sequence[str]) -> None:
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
