"""A gradient that the user gives, to be graded: a formula over values and upstream gradients, or numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from gradcheck.errors import LanguageError, PointError, Source, did_you_mean
from gradcheck.graph.graph import Graph, element_name
from gradcheck.language import array_files
from gradcheck.language.parser import parse
from gradcheck.language.tokens import WORD

Shape = tuple[int, ...]

_SPECIAL = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\s*([+−-]?)\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")
_LISTED = re.compile(r"[\[\],]|[^\[\],\s]+")
_TARGET = re.compile(rf"\s*({WORD}(?:\.\w+)*)\s*(?:\[\s*([0-9]+(?:\s*,\s*[0-9]+)*)\s*\])?\s*=(?!=)\s*", re.DOTALL)

DEEPEST = 32
"""Axes of a list of numbers."""

FLOAT64, FLOAT32, FLOAT16 = 53, 24, 11
"""Binary digits of the numbers that programs reckon with."""


class Numbers(NamedTuple):
    """A gradient given as numbers.

    Attributes:
        values: the numbers in row-major order.
        shape: their shape; () for one, which may stand for all.
        texts: how each was typed; None for numbers that a program has computed.
        bits: the binary digits that a program had for them.
    """

    values: Sequence[float]
    shape: Shape
    texts: Sequence[str] | None = None
    bits: int = FLOAT64


class Claim(NamedTuple):
    """A gradient the user gives.

    Attributes:
        name: the input, or the stage.
        source: the text.
        graph: the formula; of several numbers an empty one.
        uses: name in the formula → the node it speaks of, and whether of its upstream gradient.
        numbers: the numbers; None for a formula.
        index: the element of the input that alone is claimed; None for all of it.
        place: where it stands in the source.
        beside: values of names that only the formula uses.
    """

    name: str
    source: Source
    graph: Graph
    uses: Mapping[str, tuple[int, bool]]
    numbers: Numbers | None = None
    index: tuple[int, ...] | None = None  # type: ignore[assignment]
    place: int = 0
    beside: frozenset[str] = frozenset()

    @property
    def called(self) -> str:
        """What is claimed: x, or z[0]."""
        return element_name(self.name, self.index or ())


def split(text: str) -> tuple[str, tuple[int, ...] | None, str] | None:
    """Return name, index and claim of `z[0]=0.5`; None if there is no name or no equals sign."""
    match = _TARGET.match(text)
    if match is None or not text[match.end() :].strip():
        return None
    index = tuple(int(k) for k in match[2].split(",")) if match[2] else None
    return match[1], index, text[match.end() :].strip()


def quantity(graph: Graph, name: str) -> tuple[int, bool] | None:
    """Return what a name in a claim means: (node, False) for a value, (node, True) for `d_<node>`.

    `d_q` is the gradient of the output with respect to q, the upstream gradient of the gate q.
    """
    nodes = {**graph.inputs, **graph.stages}
    if name in nodes:
        return nodes[name], False
    if name.startswith("d_") and name[2:] in nodes:
        return nodes[name[2:]], True
    return None


def read_claim(
    graph: Graph, name: str, claim: Any, named: Iterable[str], index: tuple[int, ...] | None = None
) -> Claim:
    """Read the claim for the input or stage `name` of an expression's graph.

    Args:
        graph: the expression.
        name: the input or stage.
        claim: a formula over its inputs and stages (and `d_<stage>`) and other names that have values; a number,
            a list of numbers or @file as text; or numbers from a program.
        named: names that have values, and so are variables.
        index: the element that is claimed; None for all.

    Raises:
        LanguageError, PointError: with the place in the claim.
    """
    title = f"--claim {element_name(name, index or ())}"
    if not isinstance(claim, str):
        numbers = computed(claim, name)
        source = Source(str(claim), title)
        return Claim(name, source, constant_of(numbers, source), {}, numbers, index)
    source = Source(claim, title)
    if (found := numbers_of(source, graph)) is not None:
        return Claim(name, source, constant_of(found, source), {}, found, index)
    others = {*named} - {*graph.inputs, *graph.stages}
    formula = parse(source, {*graph.inputs, *graph.stages, *named})
    uses = {}
    for other, node in formula.inputs.items():
        meant = quantity(graph, other)
        if meant is not None:
            uses[other] = meant
        elif other not in others:
            known = [*graph.inputs, *graph.stages, *sorted(others)]
            hint = did_you_mean(other, known) or f"a claim may use {', '.join(known)}; --at may give others a value"
            raise PointError(f"the expression has no variable `{other}`", source, formula.span(node), hint)
    return Claim(name, source, formula, uses, index=index, beside=frozenset(formula.inputs.keys() - uses.keys()))


def constant_of(numbers: Numbers, source: Source) -> Graph:
    """Return a number that is the same everywhere as a formula; of several numbers an empty one."""
    if numbers.shape or not math.isfinite(numbers.values[0]):
        return Graph(source)
    return parse(Source(numbers.texts[0] if numbers.texts else repr(numbers.values[0]), source.name))


def numbers_of(source: Source, graph: Graph | None = None) -> Numbers | None:
    """Return the numbers that a text gives: one, a list of them, or those in a file; None for a formula.

    Raises:
        LanguageError, PointError: for a list or a file that cannot be read.
    """
    text = source.text.strip()
    if _SPECIAL.fullmatch(text) and (graph is None or text not in graph.inputs):
        return Numbers([float(text)], (), [text])
    if match := _NUMBER.fullmatch(text):
        typed = match[1].replace("−", "-") + match[2]
        return Numbers([float(typed)], (), [typed])
    if text.startswith("["):
        return _listed(source)
    if text.startswith("@"):
        return _filed(source)
    return None


def computed(claim: Any, name: str) -> Numbers:
    """Return numbers from a program as a claim: a number, nested lists, or an array with its own precision.

    Raises:
        PointError: if they are no numbers.
    """
    if isinstance(claim, (int, float)):
        return Numbers([float(claim)], ())
    import numpy as np

    try:
        array = np.asarray(claim)
        floats = array.astype(float)
    except (TypeError, ValueError):
        raise PointError(f"the claim for `{name}` is no array of numbers") from None
    return Numbers(floats.ravel().tolist(), floats.shape, None, _bits(array))


def _bits(array: Any) -> int:
    return {2: FLOAT16, 4: FLOAT32}.get(array.dtype.itemsize, FLOAT64) if array.dtype.kind == "f" else FLOAT64


def _filed(source: Source) -> Numbers:
    start = source.text.index("@")
    span = (start, len(source.text))
    path, _, key = source.text[start + 1 :].strip().rpartition(":") if ".npz:" in source.text else (
        source.text[start + 1 :].strip(), "", "",
    )  # fmt: skip

    def refuse(message: str, hint: str | None = None) -> PointError:
        return PointError(message, source, span, hint)

    array = array_files.stored(path, key, refuse, lambda name: f"choose as in @{path}:{name}")
    return Numbers(array.astype(float).ravel().tolist(), array.shape, None, _bits(array))


def _listed(source: Source) -> Numbers:
    """Read nested lists of typed numbers.

    Raises:
        LanguageError: with the place of what is none.
    """
    texts: list[str] = []
    lengths: dict[int, int] = {}
    counts: list[int] = []
    leaves: set[int] = set()
    closed = comma = False
    for match in _LISTED.finditer(source.text):
        sign = match[0]
        if closed:
            _unfit(source, match.span(), "nothing may follow the list")
        if sign == "[":
            counts.append(0)
            if len(counts) > DEEPEST:
                _unfit(source, match.span(), f"more than {DEEPEST} axes")
        elif sign == "]":
            if comma or not counts or not counts[-1]:
                _unfit(source, match.span(), "a number is missing here")
            length = counts.pop()
            if lengths.setdefault(len(counts), length) != length:
                _unfit(source, match.span(), f"this list has {length} elements, another has {lengths[len(counts)]}")
            closed = not counts
        elif sign != ",":
            number = _NUMBER.fullmatch(sign)
            if number is None:
                _unfit(
                    source, match.span(), f"`{sign}` is not a number", "a list holds numbers; claim a formula instead"
                )
            texts.append(number[1].replace("−", "-") + number[2])
            leaves.add(len(counts))
        if sign in "[,":
            comma = sign == ","
            continue
        comma = False
        if counts:
            counts[-1] += 1
    if not closed or len(leaves) != 1:
        _unfit(source, (0, len(source.text)), "this is no array of numbers", "as in [[1, 2], [3, 4]]")
    shape = tuple(lengths[depth] for depth in sorted(lengths))
    if leaves != {len(shape)} or math.prod(shape) != len(texts):
        _unfit(source, (0, len(source.text)), "numbers and lists are mixed in one array")
    return Numbers([float(text) for text in texts], shape, texts)


def _unfit(source: Source, span: tuple[int, int], message: str, hint: str | None = None) -> NoReturn:
    raise LanguageError(message, source, span, hint)
