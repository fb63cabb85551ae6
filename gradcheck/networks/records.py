"""What a spec says, as records: nothing is looked up and no shape is known yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.networks.data import Data, Folder
from gradcheck.networks.tree import Map, Node, Scalar

BROKEN: Any = object()
"""The value of an argument that could not be read; its mistake has been reported."""


class Unknown(Exception):  # noqa: N818 (nothing is wrong)
    """Something stands for what could not be read or built; its own mistake has been reported."""


class Ref(NamedTuple):
    """A name in a spec, and where it stands."""

    name: str
    place: Node


class GivenArgument(NamedTuple):
    """The value of an argument, and where it stands."""

    value: Any
    place: Node


class NodeSpec(NamedTuple):
    """A layer, function, loss or expression.

    Attributes:
        name: of the node.
        node: the whole of it, for messages.
        type: the class; None for an expression.
        formula: the expression; None for a layer.
        arguments, positional: what its constructor is given.
        inputs: the names of its inputs; None where the chain decides.
        targets: what a loss gets besides (target, var).
        prefix: of its parameters' names.
        tied: local parameter name → the name it goes by.
        training: its own mode; None for the spec's.
    """

    name: str
    node: Node
    type: Ref | None = None
    formula: Scalar | None = None
    arguments: Mapping[str, GivenArgument] = {}
    positional: Sequence[GivenArgument] = ()
    inputs: Sequence[Ref] | None = None
    targets: Sequence[Ref] = ()
    prefix: str = ""
    tied: Mapping[str, Ref] = {}
    training: bool | None = None


class Expected(NamedTuple):
    """A number or an array that must come out.

    Attributes:
        what: loss, outputs or grads.
        name: the node, parameter or input; empty for the loss.
        data: the numbers.
        rtol: relative tolerance; None for "to the digits written".
        texts: the numbers as written, for those digits; None for a file.
    """

    what: str
    name: str
    place: Node
    data: Data
    rtol: float | None
    texts: Sequence[str] | None


class Spec:
    """A document, read. The attributes are the keys of the format."""

    def __init__(self, node: Map, folder: Folder) -> None:
        self.node = node
        self.folder = folder
        self.name = ""
        self.training = True
        self.inputs: dict[str, Data] = {}
        self.broken: set[str] = set()
        self.unreadable = False
        self.steps: dict[str, NodeSpec] = {}
        self.last: str | None = None
        self.loss: NodeSpec | None = None
        self.output: Ref | None = None
        self.params: dict[str, Ref] = {}
        self.ops: dict[str, Ref] = {}
        self.backward: dict[str, tuple[Ref, Scalar | Data]] = {}
        self.wrt: list[Ref] | None = None
        self.expected: list[Expected] = []
