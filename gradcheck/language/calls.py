"""An open bracket, and the gate that a function call becomes when its bracket closes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

from gradcheck.errors import LanguageError, Source
from gradcheck.graph.graph import Graph, Params
from gradcheck.language.einsum import einsum
from gradcheck.ops import EINSUM, NORMS, OPS, REDUCTIONS, VARIADIC
from gradcheck.ops.op import REQUIRED, Op

ORDERS = 'ord is a number above 0, inf or "fro"'


class Bracket:
    """An open bracket that only groups; it opens at `start`."""

    __slots__ = ("start",)

    def __init__(self, start: int) -> None:
        self.start = start

    @property
    def opened(self) -> int:
        """Where the bracket stands."""
        return self.start


class Call:
    """An open function call with the arguments read so far.

    Attributes:
        op: the function.
        spelling: the function's name as the user wrote it.
        start: where the whole call starts (at the object, for a method).
        at: where the name stands.
        opened: where the bracket stands.
        base: how many operands were waiting when it opened.
        params: the named arguments read so far.
    """

    __slots__ = ("at", "base", "op", "opened", "params", "spelling", "start")

    def __init__(self, op: Op, spelling: str, start: int, at: int, opened: int, base: int) -> None:
        self.op = op
        self.spelling = spelling
        self.start = start
        self.at = at
        self.opened = opened
        self.base = base
        self.params: dict[str, Any] = {}

    def fail(self, source: Source, message: str, hint: str | None = None) -> NoReturn:
        """Raise an error that points at the function's name."""
        raise LanguageError(message, source, (self.at, self.at + len(self.spelling)), hint)

    def gate(
        self, graph: Graph, given: list[int], span: tuple[int, int, int], number: Callable[[str, int, int], int]
    ) -> int:
        """Add the gate of the complete call, with what was left out filled in.

        Args:
            graph: the graph to add to.
            given: the operands.
            span: the extent of the call and the place of its name.
            number: returns the node of a constant.
        """
        op, params = self.op, self.params
        if op is EINSUM:
            subscripts = params.get("subscripts")
            return einsum(graph, subscripts, given, span, lambda message: self.fail(graph.source, message))
        if "ord" in params:
            op, params = self.normed(graph.source, params)
            if op is OPS["amax"]:
                given = [graph.gate("abs", given, (), span)]
        if len(given) == 1 and op.name in REDUCTIONS:
            op = OPS[REDUCTIONS[op.name]]
        for name in params:
            if name not in op.params:
                self.fail(graph.source, f"`{self.spelling}` takes no `{name}` here")
        for name in op.args[len(given) :]:
            if name in op.defaults:
                given.append(number(op.defaults[name], self.start, self.start))
        if len(given) != len(op.args) and not (op.name in VARIADIC and len(given) > 2):
            self.wrong_count(graph.source, len(given))
        missing = [name for name, value in op.params.items() if value is REQUIRED and name not in params]
        if missing:
            self.fail(graph.source, f"`{self.spelling}` needs {missing[0]}=…")
        bound: Params = tuple(sorted({**op.params, **params}.items()))
        if op.name not in VARIADIC:
            return graph.gate(op.name, given, bound, span)
        node = given[0]
        for other in given[1:]:
            node = graph.gate(op.name, [node, other], bound, span)
        return node

    def normed(self, source: Source, params: dict[str, Any]) -> tuple[Op, dict[str, Any]]:
        """Return the op that a norm is by its `ord`, and the arguments left to it."""
        how = {name: value for name, value in params.items() if name != "ord"}
        order = params["ord"]
        if order in ("nuc", -math.inf, 0) or isinstance(order, (bool, tuple)):
            self.fail(source, f"norms with ord={order} are not known here", ORDERS)
        if isinstance(order, str) and order != "fro":
            self.fail(source, f"unknown ord `{order}`", ORDERS)
        if order == math.inf and how:
            if not isinstance(how.get("axis"), int):
                self.fail(source, "ord=inf takes one axis here", "as in norm(x, ord=inf, axis=0)")
            return OPS["amax"], how
        if order in NORMS and (order in (None, "fro") or not how):
            return OPS[NORMS[order]], how
        if not order > 0:
            self.fail(source, f"ord={order} is no norm", ORDERS)
        return OPS["norm_p"], {**how, "p": order}

    def wrong_count(self, source: Source, count: int) -> NoReturn:
        """Raise the error that says how many arguments the function takes."""
        op = self.op
        wanted = len(op.args)
        least = wanted - len(op.defaults)
        number = f"{least} or more" if op.name in VARIADIC else str(wanted)
        if op.defaults:
            number = f"{least} to {wanted}"
        plural = "" if number == "1" else "s"
        message = f"`{self.spelling}` takes {number} argument{plural}, not {count}"
        self.fail(source, message, f"as in {self.spelling}({', '.join(op.args)})")
