"""A circuit as one SVG document: real text, light and dark, values above the wires and gradients below them."""

from __future__ import annotations

import math

from gradcheck.drawing.circuit import CONSTANT, GATE, INPUT, SHORTCUT, Circuit
from gradcheck.drawing.pixels import MARGIN, PAD, Picture
from gradcheck.notation.markup import escaped

RISE, DROP = 6, 16
"""Pixels from a wire up to the foot of its value, and down to that of its gradient."""

STYLE = """\
.circuit{font:15px system-ui,sans-serif}
.circuit text{white-space:pre;stroke:none;fill:#1f2328}
.circuit .paper{fill:#fff}
.circuit .layer rect{fill:#f6f8fa;stroke:#d0d7de}
.circuit .layer text{font-size:13px;fill:#59636e}
.circuit .shape{fill:#fff;stroke:#59636e;stroke-width:1.5}
.circuit .input .shape{fill:#ddf4ff;stroke:#0969da}
.circuit .constant .shape{stroke-dasharray:4 3}
.circuit .shortcut .shape{fill:#fff8c5;stroke:#9a6700}
.circuit .shortcut .inner{fill:none;stroke-width:1}
.circuit .label{text-anchor:middle}
.circuit .wire{fill:none;stroke:#818b98;stroke-width:1.5}
.circuit .tip{fill:#818b98}
.circuit .value,.circuit .gradient{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.circuit .value{fill:#1a7f37}
.circuit .gradient{fill:#cf222e}
.circuit .gradient,.circuit .value{text-anchor:end}
.circuit .name{fill:#59636e}
@media (prefers-color-scheme:dark){
.circuit text{fill:#f0f6fc}
.circuit .paper{fill:#0d1117}
.circuit .layer rect{fill:#151b23;stroke:#3d444d}
.circuit .layer text,.circuit .name{fill:#9198a1}
.circuit .shape{fill:#0d1117;stroke:#9198a1}
.circuit .input .shape{fill:#121d2f;stroke:#4493f8}
.circuit .shortcut .shape{fill:#272115;stroke:#d29922}
.circuit .shortcut .inner{fill:none}
.circuit .wire{stroke:#656c76}
.circuit .tip{fill:#656c76}
.circuit .value{fill:#3fb950}
.circuit .gradient{fill:#ff7b72}
}"""
"""All of it under `.circuit`, so that a page around the picture stays as it is."""


def svg(circuit: Circuit, title: str, description: str) -> str:
    """Return a circuit as an SVG file.

    Args:
        circuit: what is drawn.
        title: what it shows, in a few words.
        description: the same at length, for those who do not see it.
    """
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + svg_fragment(circuit, title, description)


def svg_fragment(circuit: Circuit, title: str, description: str) -> str:
    """Return a circuit as an `svg` element, which may stand in a page.

    Boxes have the identifiers `box-0`, …, with `value-0` and `gradient-0`; wires `wire-0`, …, with `flow-0`
    for the gradient at the end of a branch; the classes of boxes are `box` and their kind.

    Args:
        circuit: what is drawn.
        title: what it shows, in a few words.
        description: the same at length, for those who do not see it.
    """
    picture = Picture(circuit)
    size = f'width="{picture.width}" height="{picture.height}" viewBox="0 0 {picture.width} {picture.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="circuit" role="img" {size}>',
        f"<title>{escaped(title)}</title>",
        f"<desc>{escaped(description)}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{picture.width}" height="{picture.height}"/>',
        *_layers(picture),
        *(_wire(picture, k) for k in range(len(circuit.wires))),
        *(_box(picture, b) for b in range(len(circuit.boxes))),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _layers(picture: Picture) -> list[str]:
    """Return the strips behind layers, with their names at the top."""
    parts = []
    for c, (first, last) in picture.bands.items():
        left, right = picture.begins[first] - PAD, picture.turns[last] + PAD
        label = escaped(picture.circuit.clusters[c].label)
        parts.append(
            f'<g class="layer"><rect x="{left}" y="{MARGIN // 2}" width="{right - left}" '
            f'height="{picture.height - MARGIN}" rx="8"/>'
            f'<text x="{left + PAD}" y="{MARGIN // 2 + 18}">{label}</text></g>'
        )
    return parts


def _inset(picture: Picture, b: int, offset: int) -> int:
    """Return how far to the right of the left edge of a box a port is that lies off its middle."""
    shape = picture.shapes[b]
    return shape.half - math.isqrt(shape.half**2 - offset**2) if shape.circle else 0


def _wire(picture: Picture, k: int) -> str:
    """Return a wire, with the gradient at its end if it is a branch."""
    wire, links = picture.circuit.wires[k], picture.links(k)
    port = links[-1][2] - picture.place.y[wire.target]
    left = picture.edges[picture.place.rank[wire.target]] - picture.shapes[wire.target].width
    path = f"M{picture.edges[links[0][0]]} {picture.top + links[0][1]}"
    for rank, before, after in links:
        if before != after:
            turn, begin = picture.turns[rank], picture.begins[rank + 1]
            middle, up, down = (turn + begin) // 2, picture.top + before, picture.top + after
            path += f"H{turn}C{middle} {up} {middle} {down} {begin} {down}"
    part = f'<path id="wire-{k}" class="wire" d="{path}H{left + _inset(picture, wire.target, port)}"/>'
    if flow := picture.flow(k):
        y = picture.top + links[-1][2] + DROP
        part += f'<text id="flow-{k}" class="gradient" x="{left - PAD}" y="{y}">{escaped(flow)}</text>'
    return part


def _box(picture: Picture, b: int) -> str:
    """Return a box with its numbers and its tooltip."""
    box, shape, edge = picture.circuit.boxes[b], picture.shapes[b], picture.edges[picture.place.rank[b]]
    y, middle = picture.top + picture.place.y[b], edge - shape.width / 2
    kind = box.kind if box.kind in (INPUT, CONSTANT, SHORTCUT) else GATE
    parts = [f'<g id="box-{b}" class="box {kind}">']
    if box.detail:
        parts.append(f"<title>{escaped(box.detail)}</title>")
    parts.append(_outline(picture, b, 0))
    if kind == SHORTCUT:
        parts.append(_outline(picture, b, 3))
    parts.append(f'<text class="label" x="{middle:g}" y="{y + 5}">{escaped(box.label)}</text>')
    right, value, name = edge + PAD + picture.numbers(b), picture.value(b), picture.named(b)
    if name or value:
        name = name and f'<tspan class="name">{escaped(name)}</tspan>'
        parts.append(f'<text id="value-{b}" class="value" x="{right}" y="{y - RISE}">{name}{escaped(value)}</text>')
    if box.gradient:
        gradient = escaped(box.gradient)
        parts.append(f'<text id="gradient-{b}" class="gradient" x="{right}" y="{y + DROP}">{gradient}</text>')
    if not picture.out[b]:
        tip = edge + picture.tail(b)
        parts.append(f'<path class="wire" d="M{edge} {y}H{tip - 8}"/>')
        parts.append(f'<path class="tip" d="M{tip} {y}l-9 -5v10z"/>')
    return "".join([*parts, "</g>"])


def _outline(picture: Picture, b: int, inset: int) -> str:
    """Return the shape of a box, or a line within it."""
    shape, edge = picture.shapes[b], picture.edges[picture.place.rank[b]]
    y, half, name = picture.top + picture.place.y[b], shape.half - inset, "shape inner" if inset else "shape"
    if shape.circle:
        return f'<circle class="{name}" cx="{edge - shape.half}" cy="{y}" r="{half}"/>'
    corner = half if not picture.into[b] else 8 - inset
    left, width = edge - shape.width + inset, shape.width - 2 * inset
    return f'<rect class="{name}" x="{left}" y="{y - half}" width="{width}" height="{2 * half}" rx="{corner}"/>'
