"""What was asked beside the derivation: the gradient as a sum over paths, and the same by forward mode."""

from __future__ import annotations

from typing import Any

from gradcheck.deriving.forward_mode import ForwardMode, ForwardPass
from gradcheck.deriving.paths import Path, PathGroup, Paths
from gradcheck.deriving.records import shape_of, stage_names
from gradcheck.graph.graph import element_name
from gradcheck.notation.markup import escaped
from gradcheck.notation.mathml import MATH, math, signed_number
from gradcheck.notation.numbers import number
from gradcheck.notation.printer import PRODUCT, SUM, Piece, applied
from gradcheck.writing.text import plural
from gradcheck.writing.trace.answers import cost
from gradcheck.writing.trace.html_arrays import array, data
from gradcheck.writing.trace.html_page import HtmlPage

ARROW = "<mo>→</mo>"


def paths(page: HtmlPage, found: Paths) -> str:
    """Return the gradient as a sum over paths: along each the local derivatives, multiplied."""
    name = math(page.type.gradient_name(found.name), display=True)
    count = f"{plural(found.count, 'path')} from {math(page.type.name(found.name))} to the output"
    lead = f"<p>{name} is the sum over {count}: along each the local derivatives are multiplied.</p>"
    if not found.count:
        lead = f"<p>No path leads from {math(page.type.name(found.name))} to the output on which anything flows.</p>"
    parts = [_path(page, found.name, path) for path in found.paths]
    if found.count and not parts:
        parts = [_group(page, group) for group in found.groups]
        lead += "<p>They are too many to list; here they are together by the stage at which they begin.</p>"
    total = f'<li class="total">{math(page.type.gradient_name(found.name), "<mo>=</mo>", display=True)}'
    total += f"{_value(page, found.total)}</li>"
    closed = plural(found.closed, "further path")
    note = f'<p class="note">{closed} would be there if no slope were zero everywhere.</p>' if found.closed else ""
    return f'{lead}<ul class="paths">{"".join(parts)}{total}</ul>{note}'


def _value(page: HtmlPage, value: Any) -> str:
    if shape_of(value):
        return array(value, page.trace.digits, "contribution", "gradient")
    return math(_numeral(page, value, "gradient").text)


def _numeral(page: HtmlPage, value: float, kind: str = "") -> Piece:
    text = number(float(value), page.trace.digits)
    sign = text.startswith("-")
    inner = signed_number(text)
    return Piece(f'<mrow class="{kind}">{inner}</mrow>' if kind else inner, SUM if sign else PRODUCT, sign)


def _path(page: HtmlPage, name: str, path: Path) -> str:
    named = stage_names(page.derivation)
    stages = [page.type.name(name)]
    stages += [page.type.name(named[k]) if k in named else f"<mtext>[{k}]</mtext>" for k in path.steps]
    way = f'<span class="way">{math(ARROW.join(stages))}</span>'
    return f"<li>{way} {_product(page, path)} {math('<mo>=</mo>')} {_value(page, path.value)}</li>"


def _product(page: HtmlPage, path: Path) -> str:
    """Return the local derivatives along a path, from the output back."""
    factors = [_factor(page, x) for x in reversed(path.locals)]
    if not factors:
        return ""
    product = factors[0]
    for factor in factors[1:]:
        product = applied(MATH, "mul", [product, factor])
    return math("<mo>=</mo>", product.text)


def _factor(page: HtmlPage, value: float) -> Piece:
    return _numeral(page, value)._replace(binds=PRODUCT if value < 0 else PRODUCT + 2)


def _group(page: HtmlPage, group: PathGroup) -> str:
    step = f'<span data-step="{group.step}">[{group.step}]</span>'
    return f"<li>{step}: {plural(group.count, 'path')} {math('<mo>=</mo>')} {_value(page, group.value)}</li>"


def passes(page: HtmlPage, found: ForwardMode) -> str:
    """Return the tangents of every pass of forward mode, and what both modes cost."""
    parts = [f"<p>Not carried out: {escaped(found.refused)}</p>"] if found.refused else [_tangents(page, found)]
    costs = (("Forward mode", found.forward_operations), ("Reverse mode", found.reverse_operations))
    parts += [f"<p>{mode}: {cost(operations)}.</p>" for mode, operations in costs]
    parts.append("<p>Every input number costs forward mode a pass; reverse mode goes back once for all of them.</p>")
    return "".join(parts)


def _tangents(page: HtmlPage, found: ForwardMode) -> str:
    """Return a table with a row for each pass; of arrays it has the last column alone."""
    steps = [] if page.derivation.arrays else page.derivation.steps
    head = "".join(f'<th scope="col">{math(page.type.name(step.name))}</th>' for step in steps[:-1])
    rows = "".join(_pass(page, one, [step.number for step in steps[:-1]]) for one in found.passes)
    output = math(page.type.name(page.derivation.output))
    return (
        "<p>One pass for each input number: how fast every stage changes with it.</p>"
        '<div class="wide" role="region" aria-label="Forward mode" tabindex="0"><table class="check tangents">'
        f'<thead><tr><th scope="col">along</th>{head}<th scope="col">{output}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _pass(page: HtmlPage, one: ForwardPass, steps: list[int]) -> str:
    tangents = [one.tangents[k - 1] for k in steps]
    cells = ["" if value is None else number(float(value), page.trace.digits) for value in tangents]
    inner = "".join(f"<td>{text}</td>" for text in cells)
    end = data(one.derivative, page.trace.digits, kind="gradient")
    name = escaped(element_name(one.input, one.index))
    return f'<tr><th scope="row">{name}</th>{inner}<td>{end}</td></tr>'
