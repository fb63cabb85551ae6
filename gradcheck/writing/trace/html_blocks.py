"""Derivations with arrays: layer by layer, every stage with its shape, value, gradient and backward rules."""

from __future__ import annotations

from gradcheck.deriving.records import CONSTANT, Block, Leaf, Step, shape_of
from gradcheck.errors import visible
from gradcheck.notation.markup import escaped
from gradcheck.writing.trace.html_arrays import array, shape_text
from gradcheck.writing.trace.html_math import SHORT, math, settings
from gradcheck.writing.trace.html_sheet import Sheet
from gradcheck.writing.trace.html_steps import flow_line, sums


def leaves(sheet: Sheet) -> str:
    """Return inputs and parameters with their values and gradients."""
    cards = "".join(_leaf(sheet, leaf) for leaf in sheet.derivation.leaves if leaf.kind != CONSTANT)
    return f'<div class="cards">{cards}</div>'


def _leaf(sheet: Sheet, leaf: Leaf) -> str:
    name = math(sheet.type.name(leaf.name))
    heading = f'<h3>{name}{_shape(leaf)}<span class="kind">{escaped(leaf.kind)}</span></h3>'
    return f'<article class="card"{sheet.mark(leaf)}>{heading}{_pair(sheet, leaf)}</article>'


def _shape(one: Leaf | Step) -> str:
    return f'<span class="shape">{shape_text(one.value)}</span>' if shape_of(one.value) else ""


def _pair(sheet: Sheet, one: Leaf | Step) -> str:
    """Return value and gradient beside each other."""
    name, digits = visible(one.name), sheet.trace.digits
    value = array(one.value, digits, f"value of {name}", "value")
    parts = [f'<figure data-at="{sheet.time.values[one.name]}"><figcaption>value</figcaption>{value}</figure>']
    if one.gradient is not None:
        gradient = array(one.gradient, digits, f"gradient of {name}", "gradient")
        caption = f"<figcaption>gradient {math(sheet.type.gradient(one.name))}{sheet.proof(one)}</figcaption>"
        parts.append(f'<figure data-at="{sheet.time.gradients[one.name]}">{caption}{gradient}</figure>')
    return f'<div class="pair">{"".join(parts)}</div>'


def blocks(sheet: Sheet) -> str:
    """Return the stages, those of a layer together."""
    steps = {step.number: step for step in sheet.derivation.steps}
    of_blocks = {number: block for block in sheet.derivation.blocks for number in block.steps}
    parts, done = [], set()
    for number, step in steps.items():
        block = of_blocks.get(number)
        if block is None:
            parts.append(_step(sheet, step))
        elif block.name not in done:
            done.add(block.name)
            parts.append(_block(sheet, block, [steps[n] for n in block.steps if n in steps]))
    return "".join(parts)


def _block(sheet: Sheet, block: Block, steps: list[Step]) -> str:
    kind = f'<span class="kind">{escaped(block.kind)}</span>' if block.kind not in ("", "expr") else ""
    summary = f'<summary><h3 class="layer">{escaped(block.name)}{kind}</h3></summary>'
    return f'<details class="block" open>{summary}{"".join(_step(sheet, step) for step in steps)}</details>'


def _step(sheet: Sheet, step: Step) -> str:
    """Return a stage: its formula, value and gradient, and what it hands back."""
    formula = math(sheet.type.name(step.name), "<mo>=</mo>", sheet.type.formula(step.formula), display=True)
    replaces = f'<span class="replaces">{escaped(step.replaces)}</span>' if step.replaces else ""
    said = settings(sheet.derivation.graph.ops[step.node], step.params)
    given = f'<span class="settings">{escaped(said)}</span>' if len(said) > SHORT else ""
    heading = (
        f'<h4><span class="place">{step.number}</span>{formula}{_shape(step)}'
        f'<span class="gate">{escaped(step.gate)}</span>{given}{replaces}</h4>'
    )
    back = ""
    if step.flows:
        habit = f'<p class="habit">{escaped(step.habit)}</p>' if step.habit else ""
        lines = "".join(flow_line(sheet, step, flow) for flow in step.flows)
        back = f'<div class="back">{habit}{lines}</div>'
    article = f'<article class="card"{sheet.mark(step)}>{heading}{_pair(sheet, step)}{back}</article>'
    return article + sums(sheet, step)
