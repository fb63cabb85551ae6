"""The derivative in words: the shortest form that is proved to be what SymPy's chain rule gives.

Candidates come from the rules of the op table, with the user's functions kept, and from SymPy itself. None is
believed: its text is parsed and computed in balls at the place of the check and at others near by, and
must meet SymPy's local derivatives there, added up by the chain rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.checking.place import Place
from gradcheck.checking.trials import PROVED, REFUTED, Trials
from gradcheck.engines import symbolic
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.ops.op import Op
from gradcheck.terms.back import gradients
from gradcheck.terms.text import write

LONGEST = 120
"""Characters up to which a form from the rules is shown."""

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
    found = {name: trials.first(name, texts) for name, texts in _candidates(graph, {}, wrt).items()}
    open_ones = [name for name in wrt if (text := found.get(name)) is None or _operations(text) > SHORT]
    own = symbolic.closed_forms(graph, open_ones) if open_ones else {}
    for name, text in own.items():
        known = found.get(name)
        if known is None:
            found[name] = None if trials.verdict(name, text) == REFUTED else text
        elif _operations(text) < _operations(known) and trials.verdict(name, text) == PROVED:
            found[name] = text
    return {name: found[name] for name in wrt if found.get(name) is not None}  # type: ignore[misc]


def _of_arrays(place: Place, trials: Trials, wrt: Sequence[str]) -> dict[str, str]:
    if not wrt or len(place.scalar) > MOST_WRITTEN_OUT:
        return {}
    shapes = {name: getattr(value, "shape", ()) for name, value in place.point.items()}
    found = {name: trials.first(name, texts) for name, texts in _candidates(place.graph, shapes, wrt).items()}
    return {name: text for name, text in found.items() if text is not None}


def _candidates(graph: Graph, shapes: Mapping[str, Any], wrt: Sequence[str]) -> dict[str, list[str]]:
    """Return forms that may be right, by input: the rules' own, without and with their guards."""
    known = infer(graph, {name: shapes.get(name, ()) for name in graph.inputs})
    decimals = any("." in text for text in graph.constants.values())
    found: dict[str, list[str]] = {}
    for guarded in (False, True):
        for name, term in gradients(graph, known, wrt, _slopes, guarded).items():
            text = write(term, decimals)
            if len(text) <= LONGEST and text not in found.setdefault(name, []):
                found[name].append(text)
    return found


def _slopes(row: Op) -> Sequence[str]:
    """Return an op's local derivatives: its rules, or where it bends SymPy's if they are as simple."""
    if not row.piecewise:
        return row.partials
    pairs = zip(symbolic.partials(row.name), row.partials, strict=True)
    return [min(pair, key=lambda text: text.count("(")) for pair in pairs]


def _operations(text: str) -> int:
    return len(parse(Source(text)).gates)
