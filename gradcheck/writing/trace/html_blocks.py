"""Derivations with arrays: layer by layer, every stage with its shape, value, gradient and backward rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gradcheck.deriving.records import Leaf, Step, shape_of
from gradcheck.deriving.sheet import Back, Backward, LayerBlock, flat
from gradcheck.errors import visible
from gradcheck.notation.markup import escaped
from gradcheck.notation.mathml import SHORT, math, settings
from gradcheck.writing.trace.html_arrays import array, shape_text
from gradcheck.writing.trace.html_page import HtmlPage
from gradcheck.writing.trace.html_steps import shares, sums


def leaves(page: HtmlPage) -> str:
    """Return inputs and parameters with their values and gradients."""
    cards = "".join(_leaf(page, leaf) for leaf in page.leaves)
    return f'<div class="cards">{cards}</div>'


def _leaf(page: HtmlPage, leaf: Leaf) -> str:
    name = math(page.type.name(leaf.name))
    heading = f'<h3>{name}{_shape(leaf)}<span class="kind">{escaped(leaf.kind)}</span></h3>'
    return f'<article class="card"{page.mark(leaf)}>{heading}{_pair(page, leaf)}</article>'


def _shape(one: Leaf | Step) -> str:
    return f'<span class="shape">{shape_text(one.value)}</span>' if shape_of(one.value) else ""


def _pair(page: HtmlPage, one: Leaf | Step) -> str:
    """Return value and gradient beside each other."""
    name, digits = visible(one.name), page.trace.digits
    value = array(one.value, digits, f"value of {name}", "value")
    parts = [f'<figure data-at="{page.time.values[one.name]}"><figcaption>value</figcaption>{value}</figure>']
    if one.gradient is not None:
        gradient = array(one.gradient, digits, f"gradient of {name}", "gradient")
        caption = f"<figcaption>gradient {math(page.type.gradient_name(one.name))}{page.proof(one)}</figcaption>"
        parts.append(f'<figure data-at="{page.time.gradients[one.name]}">{caption}{gradient}</figure>')
    return f'<div class="pair">{"".join(parts)}</div>'


def stages(page: HtmlPage, layers: Iterable[LayerBlock[Step]]) -> str:
    """Return the stages, those of a layer together, each with what it hands back."""
    backs = {back.step.number: back for one in page.blocks if isinstance(one, Backward) for back in flat(one.layers)}
    return "".join(_layer(layer, "".join(_step(page, step, backs) for step in layer.lines)) for layer in layers)


def _layer(layer: LayerBlock[Step], inside: str) -> str:
    if not layer.name:
        return inside
    kind = f'<span class="kind">{escaped(layer.kind)}</span>' if layer.kind not in ("", "expr") else ""
    summary = f'<summary><h3 class="layer">{escaped(layer.name)}{kind}</h3></summary>'
    return f'<details class="block" open>{summary}{inside}</details>'


def _step(page: HtmlPage, step: Step, backs: Mapping[int, Back]) -> str:
    """Return a stage: its formula, value and gradient, and what it hands back."""
    formula = math(page.type.name(step.name), "<mo>=</mo>", page.type.formula(step.formula), display=True)
    replaces = f'<span class="replaces">{escaped(step.replaces)}</span>' if step.replaces else ""
    said = settings(page.derivation.graph.ops[step.node], step.params)
    given = f'<span class="settings">{escaped(said)}</span>' if len(said) > SHORT else ""
    heading = (
        f'<h4><span class="place">{step.number}</span>{formula}{_shape(step)}'
        f'<span class="gate">{escaped(step.gate)}</span>{given}{replaces}</h4>'
    )
    article = f'<article class="card"{page.mark(step)}>{heading}{_pair(page, step)}'
    back = backs.get(step.number)
    if back is None:
        return f"{article}</article>"
    habit = f'<p class="habit">{escaped(step.habit)}</p>' if step.habit else ""
    return f'{article}<div class="back">{habit}{shares(page, back)}</div></article>{sums(page, back)}'
