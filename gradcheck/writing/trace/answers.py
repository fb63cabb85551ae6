"""What was asked beside the derivation: the sum over paths, and forward mode."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

from gradcheck.deriving.forward_mode import ForwardMode, ForwardPass, Operations
from gradcheck.deriving.paths import Path, PathGroup, Paths
from gradcheck.deriving.records import Step, shape_of, stage_names
from gradcheck.deriving.sheet import Tangents, Why
from gradcheck.errors import visible
from gradcheck.graph.graph import element_name
from gradcheck.notation.numbers import number
from gradcheck.notation.printer import POWER, Piece, applied, signed
from gradcheck.writing.text import Line, fold, plural
from gradcheck.writing.trace.matrices import matrix
from gradcheck.writing.trace.spelling import Speller

INDENT = 6


class AnswerText(NamedTuple):
    """What was asked, and what comes of it; the lines are folded, the title is not."""

    title: Line
    lines: list[Line]

    @property
    def plain(self) -> list[str]:
        """Title and lines without styles."""
        return ["".join(text for text, _ in line) for line in (self.title, *self.lines)]


def answer(block: Why | Tangents, speller: Speller, width: int) -> AnswerText:
    """Return what was asked for beside a derivation, with lines up to a width."""
    return paths(block.found, speller, width) if isinstance(block, Why) else passes(block.found, speller, width)


def paths(found: Paths, speller: Speller, width: int) -> AnswerText:
    """Return the gradient as a sum over paths."""
    d, name = speller.derivation, speller.gradient_name(found.name)
    many = f", the sum over {plural(found.count, 'path')} from {visible(found.name)} to {visible(d.output)}"
    result: list[Line] = []
    if not found.count:
        result.append([("  nothing flows back to it", "")])
    parts: list[Path | PathGroup] = [*found.paths] or [*found.groups]
    if found.count and not found.paths:
        result.append([("  too many to list; by the stage at which they begin:", "")])
    named = stage_names(d)
    arrow = " -> " if speller.ascii_only else " → "
    for part in parts:
        if isinstance(part, Path):
            stages = [f"[{k}] {visible(named.get(k, '…'))}" for k in part.steps]
            text = arrow.join([visible(found.name), *stages])
            product = _product(part, speller)
        else:
            text, product = f"[{part.step}]: {plural(part.count, 'path')}", ""
        line: Line = [(f"  {text}", ""), (f": {product}", "")] if product else [(f"  {text}", "")]
        result += _valued(line, part.value, speller, width)
    if found.closed:
        result.append([(f"  {plural(found.closed, 'path')} more where a slope is zero everywhere", "dim")])
    if len(parts) > 1:
        sums = [signed(number(float(part.value), speller.digits)) for part in parts] if not d.arrays else []
        line = [(f"  {name} = {_chained('add', sums, speller)}" if sums else f"  {name}, added up", "")]
        result += _valued(line, found.total, speller, width)
    return AnswerText([(f"Why {name}", "head"), (many, "")], result)


def _product(path: Path, speller: Speller) -> str:
    """Return the local derivatives along a path as a product, in the order of its stages."""
    return _chained("mul", [signed(number(x, speller.digits)) for x in path.locals], speller)


def _valued(line: Line, value: object, speller: Speller, width: int) -> list[Line]:
    """Return a line that ends with a number, or an array below it."""
    if not shape_of(value):
        end = number(float(value), speller.digits)  # type: ignore[arg-type]
        repeated = line[-1][0].endswith((f": {end}", f"= {end}"))
        return fold(line if repeated else [*line, (" = ", ""), (end, "backward")], width, INDENT)
    rows = matrix(value, speller.digits, width - INDENT - 4)
    return [*fold(line, width, INDENT), *([(" " * (INDENT + 4), ""), (row, "backward")] for row in rows)]


def passes(found: ForwardMode, speller: Speller, width: int) -> AnswerText:
    """Return the same gradients by forward mode, and what both modes cost."""
    result: list[Line] = []
    if found.refused:
        result += fold([(f"  not carried out: {found.refused}", "")], width, 2)
    for k, one in enumerate(found.passes, 1):
        result += _pass(one, k, speller, width)
    for mode, operations in (("Forward", found.forward_operations), ("Reverse", found.reverse_operations)):
        result += fold([(f"  {mode} mode: {cost(operations)}.", "")], width, 4)
    why = "  Every input number costs forward mode a pass; reverse mode goes back once for all of them."
    result += fold([(why, "dim")], width, 4)
    return AnswerText([("Forward mode", "head"), (", a pass for each input number", "")], result)


def cost(one: Operations) -> str:
    """Return what passes cost, in words."""
    passes = "1 pass" if one.passes == 1 else f"{one.passes:,} passes"
    text = f"{passes}, {plural(one.gates, 'gate')} visited"
    if one.products is not None and one.sums is not None:
        text += f", {plural(one.products, 'product')} (those by 1 too), {plural(one.sums, 'sum')}"
    return text


def _pass(one: ForwardPass, k: int, speller: Speller, width: int) -> list[Line]:
    d = speller.derivation
    along = visible(element_name(one.input, one.index))
    result = fold([(f"  pass {k}", "dim"), (f", along {along}: d{along}/d{along} = 1", "")], width, INDENT)
    if not d.arrays:
        for step in d.steps:
            tangent = one.tangents[step.number - 1]
            if tangent is not None:
                result += fold(_tangent(step, one, speller), width, INDENT + 4)
        return result
    end = number(one.derivative, speller.digits)
    return [*result, *fold([(f"      d{visible(d.output)}/d{along} = ", ""), (end, "backward")], width, INDENT + 4)]


def _tangent(step: Step, one: ForwardPass, speller: Speller) -> Line:
    """Return the line of one stage in a pass: the sum of local derivative times tangent."""
    along = visible(one.input)
    steps = {other.name: other for other in speller.derivation.steps}
    symbols, numbers = [], []
    for flow in step.flows:
        if flow.operand == one.input:
            tangent = 1.0
        else:
            other = steps.get(flow.operand)
            if other is None or one.tangents[other.number - 1] is None:
                continue
            tangent = float(one.tangents[other.number - 1])
        towards = Piece(f"d{visible(flow.operand)}/d{along}", POWER)
        local = _enclosed(speller.formula(flow.local)) if flow.local else Piece("?")
        factors = [signed(number(x, speller.digits)) for x in (float(flow.partial or 0.0), tangent)]
        plain = local.text == "1"
        symbols.append(towards if plain else applied(speller.notation, "mul", [local, towards]))
        numbers.append(factors[1] if plain else applied(speller.notation, "mul", factors))
    texts = [_chained("add", symbols, speller), _chained("add", numbers, speller)]
    value = number(float(one.tangents[step.number - 1]), speller.digits)
    head = f"    [{step.number}] d{visible(step.name)}/d{along} = "
    return [(head, ""), (" = ".join(text for text in texts if text != value), ""), (" = ", ""), (value, "backward")]


def _enclosed(text: str) -> Piece:
    """Return a local derivative as a factor: in brackets if it is more than a name or a call."""
    return Piece(text if text.replace("_", "").isalnum() else f"({text})")


def _chained(op: str, pieces: list[Piece], speller: Speller) -> str:
    """Return a sum or product of several; "" of none."""
    return reduce(lambda left, right: applied(speller.notation, op, [left, right]), pieces).text if pieces else ""
