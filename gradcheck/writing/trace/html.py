"""The derivation as one page that needs nothing else: no network, and to be read no script either."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from gradcheck.deriving import sheet as blocks
from gradcheck.deriving.records import Leaf
from gradcheck.deriving.sheet import Setters, set_blocks
from gradcheck.deriving.trace import Trace
from gradcheck.drawing.svg import STYLE
from gradcheck.notation.markup import escaped
from gradcheck.notation.mathml import math
from gradcheck.writing.trace import html_answers, html_blocks, html_live, html_steps
from gradcheck.writing.trace.check_table import proofs
from gradcheck.writing.trace.html_check import check
from gradcheck.writing.trace.html_page import HtmlPage, page_of
from gradcheck.writing.trace.html_picture import picture

MOST_NAMED = 12
"""Inputs up to which the point stands below the title."""

LONG = 60
"""Characters of a title beyond which it is set in smaller type."""


def html(trace: Trace) -> str:
    """Return a trace as a self-contained HTML page.

    The circuit, the stages and the backward lines are linked with each other; a slider walks through them.
    Where everything is a single number, sliders for the inputs compute value and gradients anew. The page
    loads nothing: its policy allows its own styles and its own script, by their hashes, and nothing else.
    """
    page = page_of(trace)
    live = bool(html_live.inputs(trace.derivation))
    page = page._replace(drawn=picture(page, live))
    style = _resource("page.css") + _least_width(page.drawn)
    script = (html_live.program(trace.derivation) if live else "const compute = null;\n") + _resource("page.js")
    script = f'"use strict";\n{script}'
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{' '.join(_title_lines(trace.derivation.title))}: the gradient step by step</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<header>{''.join(set_blocks(page, page.blocks, HEADER))}</header>",
            *set_blocks(page, page.blocks, SECTIONS),
            "</main>",
            f'<script type="application/json" id="data">{html_live.data(page)}</script>',
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


@lru_cache(maxsize=4)
def _resource(name: str) -> str:
    return (files("gradcheck.writing.trace") / name).read_text(encoding="utf-8")


def _least_width(drawn: str) -> str:
    """Return a style rule for a picture that is wider than the page: it shrinks only as long as it can be read."""
    found = re.search(r'<svg[^>]* width="(\d+)"', drawn)
    return f".picture svg{{min-width:{int(found[1]) * 3 // 4}px}}\n" if found else ""


def _policy(style: str, script: str) -> str:
    styles = " ".join(map(_hash, (style, STYLE)))
    return f"default-src 'none'; style-src {styles}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _title_lines(text: str) -> list[str]:
    return [escaped(line.strip()) for line in text.splitlines() if line.strip()]


def _title(page: HtmlPage, block: blocks.Title) -> list[str]:
    """Return title, value and point."""
    long = ' class="long"' * (len(block.text) > LONG)
    heading = f"<h1{long}>{'<br>'.join(_title_lines(block.text))}</h1>"
    if block.value is None:
        return [heading]
    output = page.derivation.quantities.get(block.output)
    value = page.type.result(block.value, f"v{output.node}" if output is not None else "", "value")
    summed = f", the {escaped(block.summed)}" if block.summed else ""
    return [heading, f'<p class="result">{_equation(page, block.output, value)}{summed}{_point(page, block.point)}</p>']


def _equation(page: HtmlPage, name: str, value: str) -> str:
    return math(page.type.name(name), "<mo>=</mo>", value)


def _point(page: HtmlPage, leaves: Sequence[Leaf]) -> str:
    if not 0 < len(leaves) <= MOST_NAMED or len(leaves) < len(page.leaves):
        return ""
    shown = [_equation(page, leaf.name, page.type.result(leaf.value, f"v{leaf.node}", "value")) for leaf in leaves]
    return f' <span class="at">at {", ".join(shown)}</span>'


def _circuit(page: HtmlPage, block: blocks.CircuitBlock) -> list[str]:
    count = len(page.derivation.steps)
    figure = (
        f'<figure class="picture"><div class="wide" role="region" aria-label="Circuit" tabindex="0">{page.drawn}</div>'
        '<figcaption>Above a wire stands its <span class="value">value</span>, below it its '
        '<span class="gradient">gradient</span>: how fast the output changes with it.</figcaption></figure>'
    )
    note = f'<p class="note">{count:,} gates are too many for a picture.</p>'
    return _section("circuit", "Circuit", f"{figure if page.drawn else note}{_walk(page)}{html_live.sliders(page)}")


def _walk(page: HtmlPage) -> str:
    """Return the slider that walks through the derivation, hidden until a script shows it."""
    last = len(page.time.moments) - 1
    return (
        '<div class="walk scripted" id="walk" role="group" aria-label="Step through the derivation" hidden>'
        '<button type="button" id="back" aria-label="One step back">◀</button>'
        f'<input type="range" id="moment" min="0" max="{last}" step="1" value="{last}" aria-label="Step">'
        '<button type="button" id="forth" aria-label="One step forward">▶</button>'
        '<output id="said" for="moment" aria-live="polite"></output></div>'
    )


def _given(page: HtmlPage, block: blocks.GivenBlock) -> list[str]:
    """Return what is given; single numbers stand in the table of stages."""
    return _section("variables", "Inputs and parameters", html_blocks.leaves(page)) if page.arrays else []


def _forward(page: HtmlPage, block: blocks.ForwardBlock) -> list[str]:
    """Return the stages; arrays each with what flows back from it."""
    said = "".join(f"<li>{escaped(text)}</li>" for text in proofs(page.derivation, page.trace.digits))
    legend = f'<ul class="notes legend">{said}</ul>' if said else ""
    if page.arrays:
        return _section("stages", "Stages", html_blocks.stages(page, block.layers) + legend)
    return _section("stages", "Forward, stage by stage", html_steps.table(page, block.layers) + legend)


def _backward(page: HtmlPage, block: blocks.Backward) -> list[str]:
    if page.arrays or not block.layers:
        return []
    lead = "<p>From the output back: upstream gradient times local derivative.</p>"
    return _section("backward", "Backward", lead + html_steps.backward(page, block.layers))


def _check(page: HtmlPage, block: blocks.CheckBlock) -> list[str]:
    note = '<p class="moved scripted" hidden>This check was made at the point of the trace, not at the sliders’.</p>'
    return _section("check", "Check", note + check(page, block.report))


def _section(name: str, title: str, content: str) -> list[str]:
    heading = f'<h2 id="{name}-title">{title}</h2>'
    return [f'<section id="{name}" aria-labelledby="{name}-title">{heading}{content}</section>']


HEADER: Setters[HtmlPage, str] = {
    blocks.Title: _title,
    blocks.Stopped: lambda page, block: [f'<p class="stopped">The forward pass stops: {escaped(block.message)}</p>'],
    blocks.ProblemBlock: lambda page, block: [f'<p class="stopped">{escaped(block.message)}</p>'],
    blocks.MeaningBlock: lambda page, block: [f'<p class="meaning">{escaped(block.text)}.</p>'],
    blocks.Hidden: lambda page, block: [f'<p class="note">{block.stages:,} further steps are not shown.</p>'],
}
"""What stands at the top of the page, and what sets it."""

SECTIONS: Setters[HtmlPage, str] = {
    blocks.CircuitBlock: _circuit,
    blocks.GivenBlock: _given,
    blocks.ForwardBlock: _forward,
    blocks.Backward: _backward,
    blocks.Why: lambda page, block: _section("paths", "The sum over paths", html_answers.paths(page, block.found)),
    blocks.Tangents: lambda page, block: _section(
        "passes", "The same by forward mode", html_answers.passes(page, block.found)
    ),
    blocks.CheckBlock: _check,
    **blocks.without(blocks.Chosen, blocks.NoGates, blocks.NamesBlock, blocks.Values),
}
"""The sections of the page from top to bottom, and what sets them."""
