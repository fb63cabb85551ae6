"""A network: a graph, where its inputs come from, and what is to be checked about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.language.claims import Claim
from gradcheck.networks.records import Expected
from gradcheck.ops.shapes import Shape

PARAMETER, BUFFER, INPUT, DATA = "parameter", "buffer", "input", "data"
"""Kinds of tensors: trained, kept by the layer, given from outside, part of the definition."""


class NetworkInput(NamedTuple):
    """An input of the graph.

    Attributes:
        shape: its shape.
        make: (array of another tensor by name) → this array.
        kind: PARAMETER, BUFFER, INPUT or DATA.
        place: its place in the spec's text.
    """

    shape: Shape
    make: Callable[[Callable[[str], Any]], Any]
    kind: str
    place: tuple[int, int]


class Network:
    """A spec, built.

    Attributes:
        name: the spec's name, or the file's.
        source: the file.
        place: where the spec begins in it.
        graph: its graph; `graph.inputs` are parameters, inputs and data, `graph.stages` the nodes.
        shapes: shape of each node of the graph.
        tensors: the graph's inputs.
        wrt: names of the tensors that are checked.
        claims: hand-derived gradients by tensor.
        expected: facts that must hold.
        layers: node of the spec → its type; `expr` for an expression.
    """

    def __init__(self, name: str, source: Source, place: int, graph: Graph, shapes: list[Shape]) -> None:
        self.name = name
        self.source = source
        self.place = place
        self.graph = graph
        self.shapes = shapes
        self.tensors: dict[str, NetworkInput] = {}
        self.wrt: list[str] = []
        self.claims: dict[str, Claim] = {}
        self.expected: Sequence[Expected] = ()
        self.layers: Mapping[str, str] = {}
        self._arrays: dict[str, Any] = {}

    @property
    def line(self) -> int:
        """The line of the file on which the spec begins."""
        return self.source.position(self.place)[0]

    def array(self, name: str) -> Any:
        """Return the numbers of a tensor: float64, or int64 for indices."""
        if name not in self._arrays:
            self._arrays[name] = self.tensors[name].make(self.array)
        return self._arrays[name]

    @cached_property
    def point(self) -> Mapping[str, Any]:
        """Every input of the graph with its array."""
        return {name: self.array(name) for name in self.graph.inputs}

    def release(self) -> None:
        """Forget the arrays, so that many networks need no more memory than the largest."""
        self._arrays.clear()
        self.__dict__.pop("point", None)

    def position(self, name: str) -> int:
        """Return the line on which a tensor is defined."""
        return self.source.position(self.tensors[name].place[0])[0]
