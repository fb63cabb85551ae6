"""The derivation as one page that needs nothing else: no network, and to be read no script either."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

from gradcheck.deriving.records import CONSTANT, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.drawing.svg import STYLE
from gradcheck.notation.markup import escaped
from gradcheck.writing.trace import html_answers, html_blocks, html_live, html_steps
from gradcheck.writing.trace.check_table import proofs
from gradcheck.writing.trace.html_check import check
from gradcheck.writing.trace.html_math import math
from gradcheck.writing.trace.html_picture import picture
from gradcheck.writing.trace.html_sheet import Sheet, sheet

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
    page = sheet(trace)
    live = bool(html_live.inputs(trace.derivation))
    drawn = picture(page, live)
    style = _resource("page.css") + _least_width(drawn)
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
            f"<title>{' '.join(_title_lines(page))}: the gradient step by step</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            _header(page),
            _circuit(page, drawn),
            *_derivation(page),
            *_answers(page),
            _check(page),
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


def _title_lines(page: Sheet) -> list[str]:
    return [escaped(line.strip()) for line in page.derivation.title.splitlines() if line.strip()]


def _header(page: Sheet) -> str:
    """Return title, value, point and what the gradient means."""
    derivation = page.derivation
    long = ' class="long"' * (len(derivation.title) > LONG)
    parts = [f"<h1{long}>{'<br>'.join(_title_lines(page))}</h1>"]
    if derivation.stopped:
        parts.append(f'<p class="stopped">The forward pass stops: {escaped(derivation.stopped)}</p>')
    else:
        output = derivation.quantities.get(derivation.output)
        key = f"v{output.node}" if output is not None else ""
        value = page.type.result(derivation.value, key, "value")
        parts.append(f'<p class="result">{_equation(page, derivation.output, value)}{_point(page)}</p>')
    if page.trace.problem is not None and page.trace.problem.message != derivation.stopped:
        parts.append(f'<p class="stopped">{escaped(page.trace.problem.message)}</p>')
    if page.trace.meaning:
        parts.append(f'<p class="meaning">{escaped(page.trace.meaning)}.</p>')
    if derivation.hidden:
        parts.append(f'<p class="note">{derivation.hidden:,} further steps are not shown.</p>')
    return f"<header>{''.join(parts)}</header>"


def _equation(page: Sheet, name: str, value: str) -> str:
    known = name in page.derivation.quantities
    return math(page.type.name(name) if known else f"<mi>{escaped(name)}</mi>", "<mo>=</mo>", value)


def _point(page: Sheet) -> str:
    leaves = [leaf for leaf in page.derivation.leaves if leaf.kind != CONSTANT]
    if not leaves or len(leaves) > MOST_NAMED or any(shape_of(leaf.value) for leaf in leaves):
        return ""
    shown = [_equation(page, leaf.name, page.type.result(leaf.value, f"v{leaf.node}", "value")) for leaf in leaves]
    return f' <span class="at">at {", ".join(shown)}</span>'


def _circuit(page: Sheet, drawn: str) -> str:
    count = len(page.derivation.steps)
    figure = (
        f'<figure class="picture"><div class="wide" role="region" aria-label="Circuit" tabindex="0">{drawn}</div>'
        '<figcaption>Above a wire stands its <span class="value">value</span>, below it its '
        '<span class="gradient">gradient</span>: how fast the output changes with it.</figcaption></figure>'
    )
    note = f'<p class="note">{count:,} gates are too many for a picture.</p>'
    return _section("circuit", "Circuit", f"{figure if drawn else note}{_walk(page)}{html_live.sliders(page)}")


def _walk(page: Sheet) -> str:
    """Return the slider that walks through the derivation, hidden until a script shows it."""
    last = len(page.time.moments) - 1
    return (
        '<div class="walk scripted" id="walk" role="group" aria-label="Step through the derivation" hidden>'
        '<button type="button" id="back" aria-label="One step back">◀</button>'
        f'<input type="range" id="moment" min="0" max="{last}" step="1" value="{last}" aria-label="Step">'
        '<button type="button" id="forth" aria-label="One step forward">▶</button>'
        '<output id="said" for="moment" aria-live="polite"></output></div>'
    )


def _derivation(page: Sheet) -> list[str]:
    """Return the stages and the backward pass; where there are arrays both together, layer by layer."""
    if any(shape_of(one.value) for one in page.derivation.quantities.values()):
        return [
            _section("variables", "Inputs and parameters", html_blocks.leaves(page)),
            _section("stages", "Stages", html_blocks.blocks(page) + _proofs(page)),
        ]
    parts = [_section("stages", "Forward, stage by stage", html_steps.table(page) + _proofs(page))]
    if any(step.flows for step in page.derivation.steps):
        lead = "<p>From the output back: upstream gradient times local derivative.</p>"
        parts.append(_section("backward", "Backward", lead + html_steps.backward(page)))
    return parts


def _proofs(page: Sheet) -> str:
    said = "".join(f"<li>{escaped(text)}</li>" for text in proofs(page.derivation, page.trace.digits))
    return f'<ul class="notes legend">{said}</ul>' if said else ""


def _answers(page: Sheet) -> list[str]:
    """Return what was asked for beside the derivation."""
    parts = []
    if page.trace.paths is not None:
        parts.append(_section("paths", "The sum over paths", html_answers.paths(page, page.trace.paths)))
    if page.trace.passes is not None:
        parts.append(_section("passes", "The same by forward mode", html_answers.passes(page, page.trace.passes)))
    return parts


def _check(page: Sheet) -> str:
    if page.trace.report is None:
        return ""
    note = '<p class="moved scripted" hidden>This check was made at the point of the trace, not at the sliders’.</p>'
    return _section("check", "Check", note + check(page, page.trace.report))


def _section(name: str, title: str, content: str) -> str:
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{content}</section>'
