"""Stages and backward lines of a graph of single numbers: a table forward, and a line a contribution back."""

from __future__ import annotations

from collections.abc import Iterable

from gradcheck.deriving.records import Leaf, Step, shape_of
from gradcheck.deriving.sheet import Back, LayerBlock, ShareLine, flat
from gradcheck.notation.markup import escaped
from gradcheck.notation.mathml import EQUALS, math
from gradcheck.writing.trace.html_arrays import array, data, shape_text
from gradcheck.writing.trace.html_page import HtmlPage

GAP = '<mspace width="0.2em"/>'

HEADINGS = ("Step", "Stage", "Formula", "With numbers", "Value", "Gradient", "Gate")


def table(page: HtmlPage, layers: Iterable[LayerBlock[Step]]) -> str:
    """Return the stage table: variables, then stages in the order of the forward pass."""
    head = "".join(f'<th scope="col">{text}</th>' for text in HEADINGS)
    rows = [_leaf(page, leaf) for leaf in page.leaves]
    for layer in layers:
        if layer.name:
            rows.append(f'<tr class="block"><th colspan="7" scope="rowgroup">{escaped(layer.name)}</th></tr>')
        rows += [_step(page, step) for step in layer.lines]
    return (
        '<div class="wide" role="region" aria-label="Stages" tabindex="0"><table class="stages">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _leaf(page: HtmlPage, leaf: Leaf) -> str:
    name = math(page.type.name(leaf.name))
    cells = ["", name, f'<span class="kind">{escaped(leaf.kind)}</span>', "", *_numbers(page, leaf), ""]
    return _row(page, leaf, cells, "leaf")


def _step(page: HtmlPage, step: Step) -> str:
    at = page.time.values[step.name]
    numbers = f'<span data-at="{at}">{math(page.type.numbers(step.formula), display=True)}</span>'
    cells = [
        str(step.number),
        math(page.type.name(step.name)),
        math(page.type.formula(step.formula), display=True),
        numbers,
        *_numbers(page, step),
        _gate(step),
    ]
    return _row(page, step, cells, "step")


def _gate(step: Step) -> str:
    return escaped(step.gate) + (f'<span class="replaces">{escaped(step.replaces)}</span>' if step.replaces else "")


def _row(page: HtmlPage, one: Leaf | Step, cells: list[str], kind: str) -> str:
    place, name, formula, numbers, value, gradient, gate = cells
    return (
        f'<tr class="{kind}"{page.mark(one)}><td class="place">{place}</td>'
        f'<th scope="row">{name}</th><td class="formula">{formula}</td><td class="with">{numbers}</td>'
        f'<td class="number of-value">{value}</td><td class="number of-gradient">{gradient}</td>'
        f'<td class="gate">{gate}</td></tr>'
    )


def _numbers(page: HtmlPage, one: Leaf | Step) -> tuple[str, str]:
    """Return value and gradient as cells."""
    digits = page.trace.digits
    undefined = bool(page.derivation.stopped) and one.value != one.value
    value = "undefined" if undefined else data(one.value, digits, f"v{one.node}", "value")
    value = f'<span data-at="{page.time.values[one.name]}">{value}</span>'
    if one.gradient is None:
        return value, ""
    gradient = data(one.gradient, digits, f"g{one.node}", "gradient") + page.proof(one)
    return value, f'<span data-at="{page.time.gradients[one.name]}">{gradient}</span>'


def backward(page: HtmlPage, layers: Iterable[LayerBlock[Back]]) -> str:
    """Return the backward pass: for each stage, from the last, what it hands back to its operands."""
    parts = [_seed(page)]
    for back in flat(layers):
        heading = gate_heading(page, back.step)
        parts.append(f'<section class="back"{page.mark(back.step)}>{heading}{shares(page, back)}</section>')
        parts.append(sums(page, back))
    return "".join(parts)


def _seed(page: HtmlPage) -> str:
    derivation = page.derivation
    output = derivation.quantities.get(derivation.output)
    if output is None or output.gradient is None:
        return ""
    marks = page.mark(output, page.time.gradients[output.name])
    start = page.type.result(output.gradient, f"g{output.node}", "gradient")
    return _line(f' class="line seed"{marks}', page.type.gradient_name(output.name), [_stage(start)])


def _line(attributes: str, left: str, stages: list[str], note: str = "") -> str:
    """Return a calculation: what is computed, and the stages of computing it."""
    place = f'<span class="left">{note}{math(left, display=True)}</span>'
    return f'<div{attributes}>{place} <span class="chain">{" ".join(stages)}</span></div>'


def _stage(formula: str) -> str:
    return math(EQUALS, formula, display=True)


def gate_heading(page: HtmlPage, step: Step) -> str:
    """Return a stage as a heading, with what its gate does to gradients."""
    formula = math(page.type.name(step.name), "<mo>=</mo>", page.type.formula(step.formula), display=True)
    habit = f'<span class="habit">{escaped(step.habit)}</span>' if step.habit else ""
    return f'<h3><span class="place">{step.number}</span>{formula}{habit}</h3>'


def shares(page: HtmlPage, back: Back) -> str:
    """Return the contributions of a stage, a line each."""
    return "".join(_share(page, back.step, share) for share in back.shares)


def _share(page: HtmlPage, step: Step, share: ShareLine) -> str:
    """Return one contribution as a line: rule, numbers, upstream × local, result."""
    type_, flow = page.type, share.flow
    stages = [_stage(type_.formula(flow.rule))]
    if shape_of(flow.value) or shape_of(step.value):
        stages += _array_stages(page, share)
    else:
        if len(flow.rule.graph.gates) > (0 if flow.partial is None else 1):
            stages.append(_stage(type_.numbers(flow.rule)))
        if flow.partial is not None:
            stages.append(_stage(type_.product(step.number, flow, type_.live(step.gradient, f"g{step.node}"))))
        stages.append(_stage(type_.result(flow.value, f"c{step.number}_{flow.slot}", "gradient")))
    marks = f' class="line" data-step="{step.number}" data-at="{page.time.flows[step.number]}"'
    note = '<span class="part">part of</span> ' if share.several else ""
    return _line(marks, type_.gradient_name(flow.operand), stages, note)


def _array_stages(page: HtmlPage, share: ShareLine) -> list[str]:
    """Return a rule's shapes, and its result unless that is the whole gradient, which stands elsewhere."""
    flow = share.flow
    note = f'<span class="shape">{shape_text(flow.value)}</span>'
    if "matmul" in flow.rule.graph.ops:
        shapes = page.type.shapes(flow.rule)
        note = f'<span class="shape">{math(shapes, "<mo>→</mo>")} {shape_text(flow.value)}</span>'
    if flow.summed:
        axes = ", ".join(map(str, flow.summed))
        note += f'<span class="note">added up over axis {axes}, along which it was broadcast</span>'
    if share.several:
        value = array(flow.value, page.trace.digits, f"part of the gradient of {flow.operand}", "gradient")
        return [f"{_stage('')}{value}", note]
    return [note]


def sums(page: HtmlPage, back: Back) -> str:
    """Return the sums that are complete when a stage has handed back its contributions."""
    return "".join(_sum(page, one) for one in back.sums)


def _sum(page: HtmlPage, one: Leaf | Step) -> str:
    single = not shape_of(one.gradient)
    terms = []
    for part in one.parts:
        number = page.type.live(part.value, f"c{part.step}_{part.slot}").text if single else ""
        mark = f' data-step="{part.step}"' if part.step in page.time.flows else ""
        terms.append(f'<mtext class="from"{mark}>{part.label}</mtext>{GAP * single}{number}')
    stages = [_stage("<mo>+</mo>".join(terms))]
    if single:
        stages.append(_stage(page.type.result(one.gradient, f"g{one.node}", "gradient")))
    marks = page.mark(one, page.time.gradients[one.name])
    return _line(f' class="line sum"{marks}', page.type.gradient_name(one.name), stages)
