"""What a reader answers in a quiz: text in gradcheck's own language, parsed and computed, never executed."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from gradcheck.arithmetic.floats import FLOATS
from gradcheck.checking.values import parse_points
from gradcheck.deriving.records import CONSTANT, Derivation, Formula, Symbol, shape_of
from gradcheck.errors import GradcheckError, LanguageError, PointError, Source, did_you_mean
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

LONGEST = 10_000
"""Characters of an answer."""

LISTED = 20
"""Names in a hint."""

TYPED = frozenset({"mT", "getitem", "identity"})
"""Internal ops that the language has signs for."""

_NUMBER = re.compile(r"([+\-−]?)\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_MARK = "ǀ"
"""Begins the stand-ins for gradients written as quotients: a letter to the parser, and rare."""


class TypedAnswer(NamedTuple):
    """What a reader typed, computed.

    Attributes:
        value: a number or an array.
        texts: how each of its numbers was written, in row-major order; () for a formula.
        rounded: whether it is a formula in which decimals were written out.
    """

    value: Any
    texts: tuple[str | None, ...] = ()
    rounded: bool = False


class AnswerReader:
    """Reads answers to questions about one derivation."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        constants = {leaf.name for leaf in derivation.leaves if leaf.kind == CONSTANT}
        self.quantities = {name: one for name, one in derivation.quantities.items() if name not in constants}
        graph = derivation.graph
        own = {graph.title(node): OPS[op] for node, op in enumerate(graph.ops) if "#" in op}
        self.functions = {**own, **{name: op for row in own.values() for name, op in row.functions.items()}}
        over = f"d{re.escape(derivation.output)}"
        self.quotient = re.compile(rf"(?<![\w.]){over}[ \t]*/[ \t]*d(\w+(?:\.\w+)*)")

    def read(self, text: str, known: Collection[str]) -> TypedAnswer:
        """Read one answer.

        Args:
            text: a number, a list of numbers, or a formula over the derivation's values and the
                gradients in `known`, written as df/dq or d_q.
            known: names whose gradients may be used.

        Raises:
            GradcheckError: with the place in the answer.
        """
        source = Source(text, "answer")
        if len(text) > LONGEST:
            raise LanguageError(f"an answer of more than {LONGEST:,} characters")
        if text.lstrip().startswith("["):
            return _list(source)
        match = _NUMBER.fullmatch(text.strip())
        texts = (_written(match),) if match else ()
        return self.formula(source, known)._replace(texts=texts)

    def formula(self, source: Source, known: Collection[str]) -> TypedAnswer:
        """Read a formula, and compute it.

        Raises:
            GradcheckError: with the place in `source`.
        """
        text, gradients = self.without_quotients(source)

        def restored(words: str | None) -> str | None:
            for name, (written, _) in gradients.items():
                words = words.replace(name, written) if words else words
            return words

        try:
            graph = parse(
                Source(text, source.name), {*self.quantities, *gradients}, functions=self.functions,
                dotted=lambda name: self.symbol(name) is not None,
            )  # fmt: skip
            if graph.stages:
                node = next(iter(graph.stages.values()))
                raise LanguageError(
                    "an answer defines no names", source, graph.span(node), "give only what stands behind the ="
                )
            uses = {}
            for name, node in graph.inputs.items():
                found = Symbol(gradients[name][1], True) if name in gradients else self.symbol(name)
                uses[name] = self.allowed(found, restored(name) or name, source, graph.span(node), known)
            value = self.computed(graph, uses)
        except GradcheckError as error:
            raise type(error)(restored(error.message) or "", source, error.span, restored(error.hint)) from None
        # e and pi are constants too, and nobody rounded them.
        typed = [number for number in graph.constants.values() if number[0] in "0123456789."]
        return TypedAnswer(value, rounded=any(not number.isdigit() for number in typed))

    def without_quotients(self, source: Source) -> tuple[str, dict[str, tuple[str, str]]]:
        """Return a text with a name of the same length for each df/dq, and what each name stands for.

        Raises:
            PointError: for the gradient with respect to something that is not there.
        """
        found: dict[str, tuple[str, str]] = {}
        pieces, end = [], 0
        upper = f"d{self.derivation.output}"
        for match in self.quotient.finditer(source.text):
            parts = match[1].split(".")
            heads = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
            name = next((head for head in heads if head in self.quantities), None)
            if upper in self.quantities and (name is None or f"d{name}" in self.quantities):
                continue
            if name is None:
                known = did_you_mean(match[1], self.quantities)
                raise PointError(f"there is no `{match[1]}`", source, match.span(1), known)
            stop = match.start(1) + len(name)
            written = source.text[match.start() : stop]
            stand_in = self.stand_in(len(found), len(written), source.text)
            found[stand_in] = written, name
            pieces += [source.text[end : match.start()], stand_in]
            end = stop
        return "".join([*pieces, source.text[end:]]), found

    def stand_in(self, count: int, length: int, text: str) -> str:
        """Return a name of so many characters that occurs nowhere else."""
        mark = _MARK
        while mark in text or any(name.startswith(mark) for name in self.quantities):
            mark = chr(ord(mark) + 1)
        return f"{mark}{count}".ljust(length, mark)

    def symbol(self, name: str) -> Symbol | None:
        """Return what a name in an answer means; None if there is no such thing."""
        if name in self.quantities:
            return Symbol(name)
        if name.startswith("d_") and name[2:] in self.quantities:
            return Symbol(name[2:], of_gradient=True)
        return None

    def allowed(
        self, symbol: Symbol | None, name: str, source: Source, span: tuple[int, int], known: Collection[str]
    ) -> Symbol:
        """Return a symbol that an answer may use.

        Raises:
            PointError: if there is no such thing, or it is a gradient that is not known yet.
        """
        if symbol is None:
            words = [*self.quantities, *(f"d_{one}" for one in known)]
            listed = ", ".join(words[:LISTED]) + ("…" if len(words) > LISTED else "")
            hint = did_you_mean(name, words) or f"an answer may use {listed}"
            raise PointError(f"there is no `{name}`", source, span, hint)
        if symbol.of_gradient and symbol.name not in known:
            raise PointError(f"`{name}` is not known yet", source, span)
        return symbol

    def computed(self, graph: Graph, uses: dict[str, Symbol]) -> Any:
        """Return the value of an answer.

        Raises:
            ShapeError, SizeError: if shapes do not fit or there is too much to compute.
            PointError: if it has no finite value.
        """
        point = {}
        for name, symbol in uses.items():
            one = self.quantities[symbol.name]
            point[name] = one.gradient if symbol.of_gradient else one.value
        shapes = infer(graph, {name: shape_of(value) for name, value in point.items()})
        system = FLOATS
        if self.derivation.arrays or any(shapes) or graph.params:
            import numpy as np

            from gradcheck.arithmetic.arrays import FLOAT_ARRAYS

            system = FLOAT_ARRAYS
            point = {name: np.asarray(value) for name, value in point.items()}
        with system.active():
            values, problems = evaluate(graph, system, point)
        value = values[graph.output]
        if not all(map(math.isfinite, numbers(value))):
            node = problems[0][0] if problems else graph.output
            raise PointError("this has no finite value here", graph.source, graph.span(node))
        return value


def can_be_typed(formula: Formula) -> bool:
    """Whether an answer may be this formula: some rules use functions that the language does not offer."""
    ops = [op for op in formula.graph.ops if op in OPS]
    return all(not OPS[op].internal or op in TYPED or "#" in op for op in ops)


def _written(match: re.Match[str]) -> str:
    return match[1].replace("−", "-") + match[2]


def _list(source: Source) -> TypedAnswer:
    """Read a list of numbers, as --at has them."""
    head = "a="
    try:
        points = parse_points(Source(head + source.text, source.name))
    except GradcheckError as error:
        start, end = error.span or (len(head), len(head) + 1)
        raise type(error)(
            error.message, source, (max(start - len(head), 0), max(end - len(head), 1)), error.hint
        ) from None
    if len(points) != 1 or len(points[0]) != 1:
        raise LanguageError("an answer is one list of numbers", source, (0, len(source.text)))
    import numpy as np

    value = points[0]["a"]
    cells = [cell.strip() for cell in re.split(r"[\[\],]", source.text) if cell.strip()]
    matches = [_NUMBER.fullmatch(cell) for cell in cells]
    texts: list[str | None] = [_written(match) if match else None for match in matches]
    if len(texts) != len(value.data):
        texts = [None] * len(value.data)
    return TypedAnswer(np.array(value.data, dtype=float).reshape(value.shape), tuple(texts))


def numbers(value: Any) -> list[float]:
    """Return the numbers of an array in row-major order; of a number, itself."""
    return list(value.astype(float).ravel().tolist()) if shape_of(value) else [float(value)]
