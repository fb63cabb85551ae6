"""Ops that a spec defines by formulas, in the form of the built-in table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gradcheck.errors import GradcheckError, LanguageError, ShapeError, Source, SpecError, did_you_mean
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.networks.records import Ref, Spec
from gradcheck.networks.steps import NAME, mapping, refs, text
from gradcheck.networks.tree import List, Map, Node, Scalar
from gradcheck.ops import OPS
from gradcheck.ops.op import Op
from gradcheck.ops.own import register
from gradcheck.ops.shapes import Shape, elementwise, show

KEYS = ("args", "forward", "backward")
OVER = "over"
"""A key that an op may have: the box over which its rules are proved."""


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
        if key not in (*KEYS, OVER):
            hint = did_you_mean(key, (*KEYS, OVER)) or f"known here: {', '.join((*KEYS, OVER))}"
            raise place.error(f"unknown key `{key}`", hint)
    for key in KEYS:
        if key not in node.items:
            raise node.error(f"op `{name}` has no {key}", 'as in {args: x, forward: "x^2", backward: {x: "2*x*g"}}')
    args = _args(node.items["args"][1])
    forward = text(node.items["forward"][1], "a formula")
    definition = _parsed(forward, args, others, f"the arguments {', '.join(args)}")
    rules = _rules(name, node, args, others)
    elementwise_only = all(OPS[op].elementwise for op in definition.ops if op not in (INPUT, CONSTANT))
    over = _over(node.items[OVER][1], args, elementwise_only) if OVER in node.items else None
    row = Op(
        name, " ".join(args), vjp=tuple(rules[arg].text if arg in rules else "0" for arg in args), form=forward.text,
        shape=lambda *shapes: _shape(definition, args, shapes), over=() if over is None else (over,),
    )  # fmt: skip
    row.functions = dict(others)
    row.rule_shapes = tuple(
        _rule_shape(_Rule(name, rules[arg], arg, args, others, elementwise_only)) for arg in args if arg in rules
    )
    row.unruled = frozenset(arg for arg in args if arg not in rules)
    return register(row)


def _over(node: Node, args: list[str], elementwise_only: bool) -> dict[str, tuple[float, float]]:
    """Read the box over which an op's rules are proved: argument → [low, high], or a number that stands still."""
    if not elementwise_only:
        raise node.error("only ops of single numbers are proved over a box", "this one works on whole arrays")
    found: dict[str, tuple[float, float]] = {}
    for name, (place, value) in mapping(node, "over: an interval for each argument").items.items():
        if name not in args and name != "g":
            raise place.error(f"the op has no argument `{name}`", did_you_mean(name, [*args, "g"]))
        found[name] = _side(value, name)
    for name in args:
        if name not in found:
            raise node.error(f"over has no interval for `{name}`", f"add {name}: [-5, 5]")
    if all(low == high for name, (low, high) in found.items() if name in args):
        raise node.error("no argument moves", f"as in {args[0]}: [-5, 5]")
    return found


def _side(node: Node, name: str) -> tuple[float, float]:
    ends = node.items if isinstance(node, List) else [node, node]
    numbers = [one.value if isinstance(one, Scalar) else None for one in ends]
    if len(numbers) != 2 or not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in numbers):
        raise node.error(f"an interval is two numbers, as in {name}: [-5, 5]")
    low, high = (float(x) for x in numbers if x is not None)
    if not -math.inf < low <= high < math.inf:
        hint = f"write {name}: [{high:.10g}, {low:.10g}]" if math.isfinite(low - high) else "intervals are finite"
        raise node.error(f"from {low:.10g} to {high:.10g} is no interval", hint)
    return low, high


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
        raise scalar.outward(error) from None
    for name, node in graph.inputs.items():
        if name not in names:
            span = scalar.inner(*graph.span(node))
            raise SpecError(f"`{name}` means nothing here", scalar.source, span, f"the formula may use {allowed}")
    return graph


def _rules(name: str, node: Map, args: list[str], others: Mapping[str, Op]) -> dict[str, Scalar]:
    """Read the backward formulas by argument; one that is whole numbers wherever the op is used needs none."""
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
    if not rules:
        raise place.error(f"backward has no formula for `{args[0]}`", f'add {args[0]}: "…", the upstream gradient is g')
    for rule in rules.values():
        _parsed(rule, [*args, "g", "out"], others, f"{', '.join(args)}, out and g (the upstream gradient)")
    return rules


def _shape(definition: Graph, args: list[str], shapes: tuple[Shape, ...]) -> Shape:
    named = dict(zip(args, shapes, strict=True))
    try:
        return infer(definition, {n: named[n] for n in definition.inputs})[definition.output]
    except ShapeError as error:
        raise ValueError(error.message) from None


class _Rule(NamedTuple):
    """One backward formula: of which op, where it stands, for which argument."""

    op: str
    formula: Scalar
    arg: str
    args: list[str]
    functions: Mapping[str, Op]
    elementwise: bool


def _rule_shape(rule: _Rule) -> Callable[[tuple[Shape, ...], Shape], None]:
    """Return a function that refuses the rule if its result does not fit its argument.

    It raises ShapeError with its place. An elementwise op's rules are like the table's: they have the
    shape of the result, and backprop sums them over broadcast axes. Any other rule has to do so itself.
    """
    formula = rule.formula

    def fits(shapes: tuple[Shape, ...], out: Shape) -> None:
        named: dict[str, Any] = {**dict(zip(rule.args, shapes, strict=True)), "g": out, "out": out}
        graph = _parsed(formula, list(named), rule.functions, "")
        wanted = named[rule.arg]
        try:
            found = infer(graph, {n: named[n] for n in graph.inputs})[graph.output]
            both = elementwise(found, wanted)
        except ShapeError as error:
            span = formula.inner(*error.span) if error.span else formula.span
            raise ShapeError(f"op `{rule.op}`: {error.message}", formula.source, span, error.hint) from None
        except ValueError:
            both = ()
        if both == wanted or (rule.elementwise and both == out):
            return
        hint = None if len(found) <= len(wanted) else "sum it over the axes along which the argument was repeated"
        raise ShapeError(
            f"op `{rule.op}`: the formula for `{rule.arg}` gives {show(found)}, but `{rule.arg}` is {show(wanted)}",
            formula.source, formula.span, hint,
        )  # fmt: skip

    return fits
