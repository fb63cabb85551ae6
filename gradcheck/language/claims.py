"""A gradient that the user gives, to be graded: a formula over values and upstream gradients, or a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gradcheck.errors import PointError, Source, did_you_mean
from gradcheck.graph.graph import Graph
from gradcheck.language.parser import parse

_SPECIAL = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\s*([+-]?)\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*")


class Claim(NamedTuple):
    """A gradient the user gives.

    Attributes:
        name: the input.
        source: the text.
        graph: the formula.
        uses: name in the formula → the node it speaks of, and whether of its upstream gradient.
        number: the text of a number; None for a formula.
        special: NaN or an infinity, which the language has no word for; else None.
        place: where it stands in the source.
    """

    name: str
    source: Source
    graph: Graph
    uses: Mapping[str, tuple[int, bool]]
    number: str | None = None
    special: float | None = None
    place: int = 0


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


def read_claim(graph: Graph, name: str, claim: str | float, named: Iterable[str]) -> Claim:
    """Read the claim for the input `name` of an expression's graph.

    Args:
        graph: the expression.
        name: the input.
        claim: a formula over its inputs and stages (and `d_<stage>`), or a number.
        named: names that have values, and so are variables.

    Raises:
        LanguageError, PointError: with the place in the claim.
    """
    text = claim if isinstance(claim, str) else repr(float(claim))
    special = float(text) if _SPECIAL.fullmatch(text) and text not in graph.inputs else None
    source = Source(text if special is None else "0", f"--claim {name}")
    formula = parse(source, {*graph.inputs, *graph.stages, *named})
    uses = {}
    for other, node in formula.inputs.items():
        found = quantity(graph, other)
        if found is None:
            known = [*graph.inputs, *graph.stages]
            hint = did_you_mean(other, known) or f"a claim may use {', '.join(known)}"
            raise PointError(f"the expression has no variable `{other}`", source, formula.span(node), hint)
        uses[other] = found
    match = _NUMBER.fullmatch(text)
    number = match[1] + match[2] if match else None
    if number is not None and not isinstance(claim, str):
        # A float from a program means all of its digits.
        number = f"{float(claim):.17e}"
    return Claim(name, source, formula, uses, number, special)
