"""Ops that a spec defines by formulas, in the form of the built-in table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.errors import GradcheckError, LanguageError, ShapeError, Source, SpecError, did_you_mean
from gradcheck.graph import Graph
from gradcheck.language.parser import parse
from gradcheck.networks.records import Ref, Spec
from gradcheck.networks.steps import NAME, mapping, refs, text
from gradcheck.networks.tree import Map, Node, Scalar
from gradcheck.ops.op import Op
from gradcheck.ops.own import register
from gradcheck.ops.shapes import Shape, elementwise, show
from gradcheck.shapes import infer

KEYS = ("args", "forward", "backward")


def own_ops(spec: Spec, problems: list[GradcheckError]) -> dict[str, Op]:
    """Return the rows of the ops that a spec defines, by the names it gives them.

    A later op may use an earlier one. Mistakes are added to `problems`.
    """
    found: dict[str, Op] = {}
    for name, ref in spec.ops.items():
        try:
            found[name] = _row(name, ref, found)
        except GradcheckError as error:
            problems.append(error)
    return found


def _row(name: str, ref: Ref, others: Mapping[str, Op]) -> Op:
    node = mapping(ref.place, f"op {name}: args, forward and backward")
    for key, (place, _) in node.items.items():
        if key not in KEYS:
            raise place.error(f"unknown key `{key}`", did_you_mean(key, KEYS) or f"known here: {', '.join(KEYS)}")
    for key in KEYS:
        if key not in node.items:
            raise node.error(f"op `{name}` has no {key}", 'as in {args: x, forward: "x^2", backward: {x: "2*x*g"}}')
    args = _args(node.items["args"][1])
    forward = text(node.items["forward"][1], "a formula")
    definition = _parsed(forward, args, others, f"the arguments {', '.join(args)}")
    rules = _rules(name, node, args, others)
    row = Op(
        name, " ".join(args), vjp=tuple(rule.text for rule in rules), form=forward.text,
        shape=lambda *shapes: _shape(definition, args, shapes),
    )  # fmt: skip
    row.functions = dict(others)
    row.rule_shapes = tuple(
        lambda shapes, out, rule=rule, arg=arg: _rule_shape(name, rule, arg, args, others, shapes, out)
        for rule, arg in zip(rules, args, strict=True)
    )
    return register(row)


def _args(node: Node) -> list[str]:
    names = [ref.name for ref in refs(node, "names of arguments")]
    names = [word for name in names for word in name.replace(",", " ").split()]
    for name in names:
        if not NAME.fullmatch(name) or name in ("g", "out"):
            reason = "it stands for the upstream gradient" if name == "g" else "it stands for the op's value"
            raise node.error(
                f"`{name}` cannot be an argument", reason if name in ("g", "out") else "letters, digits and _"
            )
    if len(set(names)) != len(names) or not names:
        raise node.error("an argument is named twice" if names else "an op has at least one argument")
    return names


def _parsed(scalar: Scalar, names: list[str], others: Mapping[str, Op], allowed: str) -> Graph:
    try:
        graph = parse(Source(scalar.text, "formula"), names, functions=others)
    except LanguageError as error:
        span = scalar.inner(*error.span) if error.span else scalar.span
        raise LanguageError(error.message, scalar.source, span, error.hint) from None
    for name, node in graph.inputs.items():
        if name not in names:
            span = scalar.inner(*graph.span(node))
            raise SpecError(f"`{name}` means nothing here", scalar.source, span, f"the formula may use {allowed}")
    return graph


def _rules(name: str, node: Map, args: list[str], others: Mapping[str, Op]) -> list[Scalar]:
    place = node.items["backward"][1]
    if isinstance(place, Scalar) and len(args) == 1:
        rules = {args[0]: place}
    else:
        rules = {
            k: text(v, "a formula")
            for k, (_, v) in mapping(place, "backward: a formula for each argument").items.items()
        }
    for key in rules:
        if key not in args:
            raise place.error(f"op `{name}` has no argument `{key}`", did_you_mean(key, args))
    for arg in args:
        if arg not in rules:
            raise place.error(f"backward has no formula for `{arg}`", f'add {arg}: "…", the upstream gradient is g')
    for rule in rules.values():
        _parsed(rule, [*args, "g", "out"], others, f"{', '.join(args)}, out and g (the upstream gradient)")
    return [rules[arg] for arg in args]


def _shape(definition: Graph, args: list[str], shapes: tuple[Shape, ...]) -> Shape:
    named = dict(zip(args, shapes, strict=True))
    try:
        return infer(definition, {n: named[n] for n in definition.inputs})[definition.output]
    except ShapeError as error:
        raise ValueError(error.message) from None


def _rule_shape(
    name: str, rule: Scalar, arg: str, args: list[str], others: Mapping[str, Op], shapes: tuple[Shape, ...], out: Shape
) -> None:  # fmt: skip
    """Refuse a rule whose result does not fit its argument.

    Raises:
        ShapeError: with its place.
    """
    named: dict[str, Any] = {**dict(zip(args, shapes, strict=True)), "g": out, "out": out}
    graph = _parsed(rule, list(named), others, "")
    try:
        found = infer(graph, {n: named[n] for n in graph.inputs})[graph.output]
        elementwise(found, named[arg])
    except ShapeError as error:
        span = rule.inner(*error.span) if error.span else rule.span
        raise ShapeError(f"op `{name}`: {error.message}", rule.source, span, error.hint) from None
    except ValueError:
        raise ShapeError(
            f"op `{name}`: the formula for `{arg}` gives {show(found)}, but `{arg}` is {show(named[arg])}",
            rule.source, rule.span,
        ) from None  # fmt: skip
