"""Stages and backward lines of a graph of single numbers: a table forward, and a line a contribution back."""

from __future__ import annotations

from gradcheck.deriving.records import CONSTANT, Flow, Leaf, Step, shape_of
from gradcheck.notation.markup import escaped
from gradcheck.writing.trace.html_arrays import array, data, shape_text
from gradcheck.writing.trace.html_math import EQUALS, math
from gradcheck.writing.trace.html_sheet import Sheet

GAP = '<mspace width="0.2em"/>'

HEADINGS = ("Step", "Stage", "Formula", "With numbers", "Value", "Gradient", "Gate")


def table(sheet: Sheet) -> str:
    """Return the stage table: variables, then stages in the order of the forward pass."""
    head = "".join(f'<th scope="col">{text}</th>' for text in HEADINGS)
    rows = [_leaf(sheet, leaf) for leaf in sheet.derivation.leaves if leaf.kind != CONSTANT]
    block = None
    for step in sheet.derivation.steps:
        if step.block is not None and step.block != block:
            block = step.block
            rows.append(f'<tr class="block"><th colspan="7" scope="rowgroup">{escaped(block)}</th></tr>')
        rows.append(_step(sheet, step))
    return (
        '<div class="wide" role="region" aria-label="Stages" tabindex="0"><table class="stages">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _leaf(sheet: Sheet, leaf: Leaf) -> str:
    name = math(sheet.type.name(leaf.name))
    cells = ["", name, f'<span class="kind">{escaped(leaf.kind)}</span>', "", *_numbers(sheet, leaf), ""]
    return _row(sheet, leaf, cells, "leaf")


def _step(sheet: Sheet, step: Step) -> str:
    at = sheet.time.values[step.name]
    numbers = f'<span data-at="{at}">{math(sheet.type.numbers(step.formula), display=True)}</span>'
    cells = [
        str(step.number),
        math(sheet.type.name(step.name)),
        math(sheet.type.formula(step.formula), display=True),
        numbers,
        *_numbers(sheet, step),
        _gate(step),
    ]
    return _row(sheet, step, cells, "step")


def _gate(step: Step) -> str:
    return escaped(step.gate) + (f'<span class="replaces">{escaped(step.replaces)}</span>' if step.replaces else "")


def _row(sheet: Sheet, one: Leaf | Step, cells: list[str], kind: str) -> str:
    place, name, formula, numbers, value, gradient, gate = cells
    return (
        f'<tr class="{kind}"{sheet.mark(one)}><td class="place">{place}</td>'
        f'<th scope="row">{name}</th><td class="formula">{formula}</td><td class="with">{numbers}</td>'
        f'<td class="number of-value">{value}</td><td class="number of-gradient">{gradient}</td>'
        f'<td class="gate">{gate}</td></tr>'
    )


def _numbers(sheet: Sheet, one: Leaf | Step) -> tuple[str, str]:
    """Return value and gradient as cells."""
    digits = sheet.trace.digits
    undefined = bool(sheet.derivation.stopped) and one.value != one.value
    value = "undefined" if undefined else data(one.value, digits, f"v{one.node}", "value")
    value = f'<span data-at="{sheet.time.values[one.name]}">{value}</span>'
    if one.gradient is None:
        return value, ""
    gradient = data(one.gradient, digits, f"g{one.node}", "gradient") + sheet.proof(one)
    return value, f'<span data-at="{sheet.time.gradients[one.name]}">{gradient}</span>'


def backward(sheet: Sheet) -> str:
    """Return the backward pass: for each stage, from the last, what it hands back to its operands."""
    parts = [_seed(sheet)]
    for step in reversed(sheet.derivation.steps):
        if step.flows:
            lines = "".join(flow_line(sheet, step, flow) for flow in step.flows)
            parts.append(f'<section class="back"{sheet.mark(step)}>{gate_heading(sheet, step)}{lines}</section>')
        parts.append(sums(sheet, step))
    return "".join(parts)


def _seed(sheet: Sheet) -> str:
    derivation = sheet.derivation
    output = derivation.quantities.get(derivation.output)
    if output is None or output.gradient is None:
        return ""
    marks = sheet.mark(output, sheet.time.gradients[output.name])
    start = sheet.type.result(output.gradient, f"g{output.node}", "gradient")
    return _line(f' class="line seed"{marks}', sheet.type.gradient(output.name), [_stage(start)])


def _line(attributes: str, left: str, stages: list[str], note: str = "") -> str:
    """Return a calculation: what is computed, and the stages of computing it."""
    place = f'<span class="left">{note}{math(left, display=True)}</span>'
    return f'<div{attributes}>{place} <span class="chain">{" ".join(stages)}</span></div>'


def _stage(formula: str) -> str:
    return math(EQUALS, formula, display=True)


def gate_heading(sheet: Sheet, step: Step) -> str:
    """Return a stage as a heading, with what its gate does to gradients."""
    formula = math(sheet.type.name(step.name), "<mo>=</mo>", sheet.type.formula(step.formula), display=True)
    habit = f'<span class="habit">{escaped(step.habit)}</span>' if step.habit else ""
    return f'<h3><span class="place">{step.number}</span>{formula}{habit}</h3>'


def flow_line(sheet: Sheet, step: Step, flow: Flow) -> str:
    """Return one contribution as a line: rule, numbers, upstream × local, result."""
    type_, key = sheet.type, f"c{step.number}_{flow.slot}"
    operand = sheet.derivation.quantities[flow.operand]
    several = len(operand.parts) > 1
    stages = [_stage(type_.formula(flow.rule))]
    if shape_of(flow.value) or shape_of(step.value):
        stages += _array_stages(sheet, flow, several)
    else:
        upstream = type_.numeral(step.gradient, f"g{step.node}")
        if len(flow.rule.graph.gates) > (0 if flow.partial is None else 1):
            stages.append(_stage(type_.numbers(flow.rule)))
        if flow.partial is not None:
            stages.append(_stage(type_.product(step.number, flow, upstream)))
        stages.append(_stage(type_.result(flow.value, key, "gradient")))
    marks = f' class="line" data-step="{step.number}" data-at="{sheet.time.flows[step.number]}"'
    note = '<span class="part">part of</span> ' if several else ""
    return _line(marks, type_.gradient(flow.operand), stages, note)


def _array_stages(sheet: Sheet, flow: Flow, several: bool) -> list[str]:
    """Return a rule's shapes, and its result unless that is the whole gradient, which stands elsewhere."""
    note = f'<span class="shape">{shape_text(flow.value)}</span>'
    if "matmul" in flow.rule.graph.ops:
        shapes = sheet.type.shapes(flow.rule)
        note = f'<span class="shape">{math(shapes, "<mo>→</mo>")} {shape_text(flow.value)}</span>'
    if flow.summed:
        axes = ", ".join(map(str, flow.summed))
        note += f'<span class="note">added up over axis {axes}, along which it was broadcast</span>'
    if several:
        value = array(flow.value, sheet.trace.digits, f"part of the gradient of {flow.operand}", "gradient")
        return [f"{_stage('')}{value}", note]
    return [note]


def sums(sheet: Sheet, step: Step) -> str:
    """Return the sums that are complete when a stage has handed back its contributions."""
    lines = []
    for operand in dict.fromkeys(step.operands):
        one = sheet.derivation.quantities[operand]
        steps = {part.step for part in one.parts}
        known = steps & sheet.time.flows.keys()
        if len(one.parts) > 1 and one.gradient is not None and known and min(known) == step.number:
            lines.append(_sum(sheet, one))
    return "".join(lines)


def _sum(sheet: Sheet, one: Leaf | Step) -> str:
    single = not shape_of(one.gradient)
    terms = []
    for part in one.parts:
        number = sheet.type.numeral(part.value, f"c{part.step}_{part.slot}").text if single else ""
        mark = f' data-step="{part.step}"' if part.step in sheet.time.flows else ""
        terms.append(f'<mtext class="from"{mark}>{part.label}</mtext>{GAP * single}{number}')
    stages = [_stage("<mo>+</mo>".join(terms))]
    if single:
        stages.append(_stage(sheet.type.result(one.gradient, f"g{one.node}", "gradient")))
    marks = sheet.mark(one, sheet.time.gradients[one.name])
    return _line(f' class="line sum"{marks}', sheet.type.gradient(one.name), stages)
