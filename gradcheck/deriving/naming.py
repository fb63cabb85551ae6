"""Short names for stages that the user gave none, which clash with nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.language.tokens import CONSTANTS

OUTPUTS = ("f", "F", "out", "output")
"""Names tried for the output."""

STAGES = ("q", "r", "s", "t", "u", "v", "p", "h", "a", "b", "c", "k", "m", "n")
"""Names for a few stages; where they do not suffice all of them are s1, s2, …"""


def names(graph: Graph, taken: Collection[str] = ()) -> dict[int, str]:
    """Return the name of each node, numbers aside.

    Args:
        graph: the graph; its stages keep their names.
        taken: further names that must not be used.
    """
    found = {node: name for name, node in graph.inputs.items()}
    # A node that has two names in a network goes by the first.
    for name, node in graph.stages.items():
        found.setdefault(node, spoken(name, graph))
    used = {*found.values(), *graph.stages, *graph.inputs, *CONSTANTS, *taken}
    if graph.output not in found and graph.ops[graph.output] not in (INPUT, CONSTANT):
        found[graph.output] = next(name for name in _endless(OUTPUTS, "f") if name not in used)
        used.add(found[graph.output])
    unnamed = [node for node in graph.gates if node not in found]
    owned = [node for node in unnamed if graph.owner(node) is not None]
    for node in owned:
        stem = f"{spoken(str(graph.owner(node)), graph)}.{graph.title(node)}"
        found[node] = next(name for name in _numbered(stem) if name not in used)
        used.add(found[node])
    free = [node for node in unnamed if node not in found]
    short = [name for name in STAGES if name not in used and f"d{name}" not in used]
    choices = iter(short) if len(free) <= len(short) else (n for n in _endless((), "s") if n not in used)
    for node, name in zip(free, choices, strict=False):
        found[node] = name
    return found


def spoken(name: str, graph: Graph) -> str:
    """Return the name of a stage in formulas: a layer that is called 6 would be read as a number."""
    if not name[:1].isdigit():
        return name
    found = f"layer{name}"
    while found in graph.stages or found in graph.inputs:
        found += "_"
    return found


def _endless(first: tuple[str, ...], stem: str) -> Iterator[str]:
    yield from first
    k = 1
    while True:
        yield f"{stem}{k}"
        k += 1


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    k = 2
    while True:
        yield f"{stem}{k}"
        k += 1


def distinct(constants: Mapping[int, str], named: Collection[str]) -> dict[int, str]:
    """Return the texts of numbers, written so that none is also a name: a layer may be called 2."""
    used, found = set(named), {}
    for node, text in constants.items():
        number = text
        while number in used:
            number += "0" if "." in number else ".0"
        found[node] = number
        used.add(number)
    return found
