"""A number system is a set of functions; the same graph and the same formulas run in any of them.

Primitives are native to each system. Every other op is compiled from its text in the op
table, once, to a Python function over the system's own primitives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from gradcheck.arithmetic.compiling import OPERATORS, Function, Writer
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph, Params
from gradcheck.language.parser import parse
from gradcheck.ops import OPS
from gradcheck.ops.op import Op

WORTH_A_LOOP = 500
"""Nodes from which a loop of a graph's own is generated: compiling one takes a millisecond."""


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
        single: whether its numbers are single ones, of which whole graphs are computed by a loop.
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
        single: bool = False,
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
        self.single = single
        self.active = active
        self._loop: tuple[Sequence[str], int, Function] | None = None
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
                text = (row.forward if self.stable else None) or row.form or row.alone
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
        """Return a generated loop that computes a whole graph, if its numbers are single and it is worth one."""
        if not self.single or len(ops) < WORTH_A_LOOP:
            return None
        # Loaded for the first graph that is computed: a mistake in the text must not wait for it.
        from gradcheck.arithmetic import loops

        if self._loop is None or self._loop[0] is not ops or self._loop[1] != len(ops):
            self._loop = ops, len(ops), loops.forward_loop(self, loops.by_frequency(ops))
        return self._loop[2]

    def backward_loop(self, ops: Sequence[str]) -> Function | None:
        """Return the generated loop that goes back over a whole graph of single numbers, if it is worth one."""
        if len(ops) < WORTH_A_LOOP:
            return None
        from gradcheck.arithmetic import loops

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
