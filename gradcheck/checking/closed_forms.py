"""The derivative in words: the shortest form that is proved to be what SymPy's chain rule gives.

Candidates come from the rules of the op table, with the user's functions kept, and from SymPy itself. None is
believed: its text is parsed and computed in balls at the place of the check and at others near by, and
must meet SymPy's local derivatives there, added up by the chain rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from gradcheck.checking.place import Place
from gradcheck.checking.trials import PROVED, REFUTED, Trials
from gradcheck.engines import symbolic
from gradcheck.errors import Source
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import Shape
from gradcheck.terms.back import gradients
from gradcheck.terms.text import write

LONGEST = 200
"""Characters up to which a form from the rules is shown."""

LONGEST_OF_ARRAYS = 120
"""The same for whole arrays, which have longer names for the same things."""

SHORT = 8
"""Operations up to which a form is good enough not to ask SymPy for a shorter one."""

MOST_WRITTEN_OUT = 4_000
"""Nodes of an array graph written out up to which the form of a whole array is proved."""


def closed_forms(place: Place, wrt: Sequence[str]) -> dict[str, str]:
    """Return the closed forms of single numbers and of whole arrays, by name: x, W[0,2], W.

    Args:
        place: the graph at a point.
        wrt: the inputs.
    """
    trials = Trials(place)
    numbers = [name for name in place.scalar.inputs if name.partition("[")[0] in set(wrt)]
    arrays = [name for name in wrt if getattr(place.point[name], "shape", ())]
    return {**_of_numbers(place.scalar, trials, numbers), **_of_arrays(place, trials, arrays)}


def _of_numbers(graph: Graph, trials: Trials, wrt: Sequence[str]) -> dict[str, str]:
    found = _proved(graph, {}, trials, wrt)
    open_ones = [name for name in wrt if name not in found or _operations(found[name]) > SHORT]
    own = symbolic.closed_forms(graph, open_ones) if open_ones else {}
    for name, text in own.items():
        if name not in found:
            if trials.verdict(name, text) != REFUTED:
                found[name] = text
        elif _operations(text) < _operations(found[name]) and trials.verdict(name, text) == PROVED:
            found[name] = text
    return found


def _of_arrays(place: Place, trials: Trials, wrt: Sequence[str]) -> dict[str, str]:
    if not wrt or len(place.scalar) > MOST_WRITTEN_OUT:
        return {}
    return _proved(place.graph, {name: getattr(x, "shape", ()) for name, x in place.point.items()}, trials, wrt)


def _proved(graph: Graph, shapes: Mapping[str, Shape], trials: Trials, wrt: Sequence[str]) -> dict[str, str]:
    """Return the forms by the rules that are proved."""
    texts = _candidates(graph, tuple(shapes.items()), tuple(wrt))
    return {name: text for name, text in texts.items() if trials.verdict(name, text) == PROVED}


@lru_cache(maxsize=8)
def _candidates(graph: Graph, shapes: tuple[tuple[str, Shape], ...], wrt: tuple[str, ...]) -> Mapping[str, str]:
    """Return a form for each input that has a short one; the next point asks for the same."""
    known = infer(graph, {**dict.fromkeys(graph.inputs, ()), **dict(shapes)})
    decimals = any("." in text for text in graph.constants.values())
    texts = {name: write(one, decimals) for name, one in gradients(graph, known, wrt, _slopes).items()}
    longest = LONGEST_OF_ARRAYS if shapes else LONGEST
    return {name: text for name, text in texts.items() if len(text) <= longest}


def _slopes(row: Op) -> Sequence[str]:
    """Return an op's local derivatives: its rules, or where it bends SymPy's if they are as simple."""
    if not row.piecewise:
        return row.partials
    pairs = zip(symbolic.partials(row.name), row.partials, strict=True)
    return [min(pair, key=lambda text: text.count("(")) for pair in pairs]


def _operations(text: str) -> int:
    """Count the operations of a formula; to name an element is none."""
    return sum(op not in (INPUT, CONSTANT, "getitem") for op in parse(Source(text)).ops)
