"""Reading one layer, loss or expression of a spec: a map, or text as torch prints it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.errors import GradcheckError
from gradcheck.networks.records import BROKEN, GivenArgument, NodeSpec, Ref
from gradcheck.networks.torch_repr import parse_call
from gradcheck.networks.tree import List, Map, Node, Scalar

STEP_KEYS = frozenset({"name", "type", "inputs", "input", "target", "var", "params", "training", "expr"})
"""Keys of a layer that are not its constructor's arguments."""

NAME = re.compile(r"[^\W0-9]\w*")
PATH = re.compile(r"\w+(?:\.\w+)*")


def mapping(node: Node, what: str) -> Map:
    """Return a node that must be a map.

    Raises:
        SpecError: otherwise.
    """
    if isinstance(node, Map):
        return node
    hint = "write a blank behind the colon" if isinstance(node, Scalar) and node.missing_blank else None
    raise node.error(f"expected {what}", hint)


def text(node: Node, what: str) -> Scalar:
    """Return a node that must be a text or a word.

    Raises:
        SpecError: otherwise.
    """
    if isinstance(node, Scalar) and node.text:
        return node
    raise node.error(f"expected {what}")


def refs(node: Node, what: str) -> list[Ref]:
    """Read one name or a list of names."""
    items = node.items if isinstance(node, List) else [node]
    return [Ref(text(item, what).text, item) for item in items]


def plain(node: Node) -> Any:
    """Return an argument's value: number, word, true, false, None or tuples of them.

    Raises:
        SpecError: for a map.
    """
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, List):
        return tuple(plain(item) for item in node.items)
    raise node.error("expected a value, not a map")


def step(node: Map, name: str, attempt: Callable[..., Any]) -> NodeSpec:
    """Read a layer, loss or expression that is written as a map.

    Raises:
        SpecError: with the place.
    """
    items = node.items
    if "name" in items:
        name = text(items["name"][1], "a name").text
        if not PATH.fullmatch(name):
            raise items["name"][1].error(f"`{name}` is not a name", "letters, digits and _, parts joined by dots")
    if "expr" in items:
        for key, (place, _) in items.items():
            if key not in ("expr", "name"):
                raise place.error(f"an expression takes no `{key}`", "its inputs are the names in it")
        return NodeSpec(name, node, formula=text(items["expr"][1], "an expression"))
    if "type" not in items:
        raise node.error(f"`{name}` has no type", "add type: and the name of a layer, or expr: and an expression")
    arguments = {}
    for key, (_, value) in items.items():
        if key not in STEP_KEYS:
            read = attempt(lambda node: (plain(node),), value)
            arguments[key] = GivenArgument(BROKEN if read is None else read[0], value)
    inputs = _inputs(items)
    prefix, tied = _params(items, name)
    targets = [ref for key in ("target", "var") if key in items for ref in refs(items[key][1], "the name of an input")]
    return NodeSpec(
        name, node, Ref(text(items["type"][1], "the name of a layer").text, items["type"][1]), None, arguments, (),
        inputs, targets, prefix, tied, _training(items),
    )  # fmt: skip


def _inputs(items: Mapping[str, tuple[Scalar, Node]]) -> list[Ref] | None:
    """Return the inputs that `inputs` or `input` names."""
    found: list[Ref] | None = None
    for key in ("inputs", "input"):
        if key in items:
            if found is not None:
                raise items[key][0].error("give inputs or input, not both")
            found = refs(items[key][1], "the name of an input or a node")
    return found


def _params(items: Mapping[str, tuple[Scalar, Node]], name: str) -> tuple[str, dict[str, Ref]]:
    if "params" not in items:
        return name, {}
    node = items["params"][1]
    if not isinstance(node, Map):
        prefix = text(node, "the prefix of the parameters' names, or a map of names").text
        if not PATH.fullmatch(prefix):
            raise node.error(f"`{prefix}` is not a name", "letters, digits and _, parts joined by dots")
        return prefix, {}
    tied = {key: Ref(text(value, "the name of a parameter").text, value) for key, (_, value) in node.items.items()}
    for ref in tied.values():
        if not PATH.fullmatch(ref.name):
            raise ref.place.error(f"`{ref.name}` is not a name", "letters, digits and _, parts joined by dots")
    return name, tied


def _training(items: Mapping[str, tuple[Scalar, Node]]) -> bool | None:
    if "training" not in items:
        return None
    node = items["training"][1]
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, bool):
        raise node.error("training is true or false")
    return value


def printed(item: Scalar, place: str) -> NodeSpec:
    """Read a layer as torch prints it: `Linear(in_features=2, out_features=3)`.

    Raises:
        SpecError: with the place in the file.
    """
    try:
        call = parse_call(item.text)
    except GradcheckError as error:
        raise item.outward(error) from None
    name = call.name or place
    arguments = {key: GivenArgument(value, _part(item, call.places[key])) for key, value in call.keywords.items()}
    positional = [GivenArgument(value, _part(item, call.places[k])) for k, value in enumerate(call.positional)]
    return NodeSpec(name, item, Ref(call.type, _part(item, call.span)), None, arguments, positional, None, (), name)


def _part(item: Scalar, span: tuple[int, int]) -> Scalar:
    """Return a part of a text as a node of its own, for messages about it."""
    return Scalar(item.source, *item.inner(*span), item.text[slice(*span)], "'")
