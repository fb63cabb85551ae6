"""What the page's script needs: the moments of its slider, and the graph as a function of its inputs.

The code is generated from the derivation's own validated formulas; nothing that a user wrote stands in it,
names of variables included. Names reach the script as JSON text alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gradcheck.deriving.records import CONSTANT, Derivation, Formula, Leaf, Step, Symbol, shape_of
from gradcheck.errors import UNSAFE
from gradcheck.graph.graph import CONSTANT as NUMBER
from gradcheck.graph.graph import INPUT
from gradcheck.notation.javascript import HELPERS, JAVASCRIPT, needed, speaks
from gradcheck.notation.markup import escaped
from gradcheck.notation.mathml import math
from gradcheck.notation.printer import Piece, write
from gradcheck.writing.trace.html_page import HtmlPage

MOST_INPUTS = 40
"""Sliders beyond which a page is no longer clear."""

MOST_STEPS = 400
"""Stages beyond which a page no longer follows a slider at once."""

MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""What could end a script element, or begin a comment, within a text in JSON."""


def inputs(derivation: Derivation) -> list[Leaf]:
    """Return the leaves that get a slider; none where the page cannot compute the graph.

    It can where everything is a single number and JavaScript has every op. A `where` keeps its branches
    apart: what flows into the one that was not taken is no part of the derivation.
    """
    found = [leaf for leaf in derivation.leaves if leaf.kind != CONSTANT]
    single = not any(shape_of(one.value) for one in derivation.quantities.values())
    whole = not derivation.stopped and not derivation.hidden and len(derivation.steps) <= MOST_STEPS
    ops = {op for formula in _formulas(derivation) for op in formula.graph.ops} - {INPUT, NUMBER}
    plain = "where" not in derivation.graph.ops and not any("#" in op for op in ops)
    return found if single and whole and plain and 0 < len(found) <= MOST_INPUTS and speaks(ops) else []


def _formulas(derivation: Derivation) -> Iterator[Formula]:
    for step in derivation.steps:
        yield step.formula
        for flow in step.flows:
            yield flow.rule
            if flow.local is not None:
                yield flow.local


def program(derivation: Derivation) -> str:
    """Return a JavaScript function `compute`: the inputs' values → every number of the page by its key."""
    known = derivation.quantities
    names: list[str] = [f"v{leaf.node}" for leaf in inputs(derivation)]
    arguments = ", ".join(names)
    lines: list[str] = []

    def define(name: str, text: str) -> None:
        lines.append(f"  const {name} = {text};")
        names.append(name)

    def symbol(one: Symbol) -> Piece:
        if derivation.graph.ops[known[one.name].node] == NUMBER:
            return JAVASCRIPT.constant(one.name)
        return Piece(f"{'g' if one.of_gradient else 'v'}{known[one.name].node}")

    def formula(one: Formula) -> str:
        return write(one.graph, JAVASCRIPT, {name: symbol(what) for name, what in one.symbols.items()}).text

    for step in derivation.steps:
        define(f"v{step.node}", formula(step.formula))
    for one in (*reversed(derivation.steps), *derivation.leaves):
        if one.gradient is None:
            continue
        define(f"g{one.node}", _total(one))
        for flow in getattr(one, "flows", ()):
            place = f"{one.number}_{flow.slot}"
            if flow.local is not None:
                define(f"l{place}", formula(flow.local))
            define(f"c{place}", formula(flow.rule))
    body = "\n".join([*lines, f"  return {{{', '.join(names)}}};"])
    code = f"function compute([{arguments}]) {{\n{body}\n}}\n"
    return "".join([*needed(code, HELPERS), code])


def _total(one: Leaf | Step) -> str:
    """Return the sum of the contributions to a gradient, in the order in which backprop adds them up."""
    return " + ".join(f"c{part.step}_{part.slot}" for part in one.parts) or "1"


def as_json(value: Any) -> str:
    """Return a value as JSON that may stand in a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(MARKUP)
    return UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def data(page: HtmlPage) -> str:
    """Return what the script is told, as JSON."""
    return as_json(
        {
            "digits": page.trace.digits,
            "moments": [moment._asdict() for moment in page.time.moments],
            "inputs": [float(leaf.value) for leaf in inputs(page.derivation)],
        }
    )


def reach(value: float) -> tuple[str, str, str]:
    """Return the ends of an input's slider, and its step: the value in the middle, and zero within."""
    middle = Decimal(repr(float(value)))
    size = max(abs(middle), Decimal(1)) * 2
    ten = Decimal(10) ** size.adjusted()
    half = next(ten * k for k in (1, 2, 5, 10) if ten * k >= size)
    return str(middle - half), str(middle + half), str(half / 100)


def sliders(page: HtmlPage) -> str:
    """Return a slider and a field for each input, hidden until a script shows them; "" if there are none."""
    rows = []
    for k, leaf in enumerate(inputs(page.derivation)):
        low, high, step = reach(leaf.value)
        name, value = escaped(leaf.name), repr(float(leaf.value)).removesuffix(".0")
        gradient, at = "", page.time.gradients[leaf.name]
        if leaf.gradient is not None:
            shown = page.type.result(leaf.gradient, f"g{leaf.node}", "gradient")
            gradient = math(page.type.gradient_name(leaf.name), "<mo>=</mo>", shown, display=True)
        rows.append(
            f'<div class="input"{page.mark(leaf)}><label for="number-{k}">{math(page.type.name(leaf.name))}</label>'
            f'<input type="range" id="range-{k}" min="{low}" max="{high}" step="{step}" value="{value}" '
            f'aria-label="{name}"><input type="number" id="number-{k}" step="any" value="{value}" '
            f'aria-label="{name}"><span class="slope" data-at="{at}">{gradient}</span></div>'
        )
    if not rows:
        return ""
    reset = '<button type="button" id="reset" disabled>Back to the point of the trace</button>'
    return f'<form class="inputs scripted" id="inputs" hidden aria-label="Inputs">{"".join(rows)}{reset}</form>'
