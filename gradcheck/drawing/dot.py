"""A circuit as text for Graphviz, which lays it out itself."""

from __future__ import annotations

from gradcheck.drawing.circuit import CONSTANT, GATE, INPUT, SHORTCUT, Circuit, forks
from gradcheck.drawing.layout import outgoing
from gradcheck.notation.markup import escaped, spelled

LOOKS = {
    INPUT: 'shape=box, style="rounded,filled", fillcolor="#ddf4ff", color="#0969da"',
    CONSTANT: 'shape=box, style="rounded,dashed"',
    GATE: "shape=circle",
    SHORTCUT: 'shape=box, peripheries=2, style=filled, fillcolor="#fff8c5", color="#9a6700"',
}
"""How the kinds of boxes look; a gate whose label is long is a box too."""

QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})
"""Graphviz reads escapes in labels, and the entities of HTML as well."""


def dot(circuit: Circuit, title: str) -> str:
    """Return a circuit in the language of Graphviz.

    A wire has its value in the first line of its label, and what flows back along it in the second; the whole
    gradient of a box with several users stands beside the box.

    Args:
        circuit: what is drawn.
        title: stands above the picture.
    """
    lines = [
        "digraph circuit {",
        f"  graph [rankdir=LR, labelloc=t, label={quoted(title)}, fontname=Helvetica];",
        "  node [fontname=Helvetica, margin=0.08, height=0.4, width=0.4];",
        "  edge [fontname=Courier, fontsize=11, arrowsize=0.6];",
    ]
    branching = forks(circuit)
    for b, box in enumerate(circuit.boxes):
        look = LOOKS[SHORTCUT if box.kind == SHORTCUT else box.kind if box.kind in LOOKS else GATE]
        look = "shape=box" if look == LOOKS[GATE] and len(box.label) > 3 else look
        tooltip = f", tooltip={quoted(box.detail)}" if box.detail else ""
        total = f", xlabel={quoted(f'gradient {box.gradient}')}" if b in branching and box.gradient else ""
        lines.append(f"  b{b} [label={quoted(box.label)}, {look}{total}{tooltip}];")
    for c, cluster in enumerate(circuit.clusters):
        nodes = " ".join(f"b{b};" for b in cluster.boxes)
        lines.append(
            f'  subgraph cluster_{c} {{ label={quoted(cluster.label)}; style=rounded; color="#818b98"; {nodes} }}'
        )
    lines += [f"  b{w.source} -> b{w.target}{_label(circuit, w.source, w.gradient)};" for w in circuit.wires]
    for b, out in enumerate(outgoing(circuit)):
        if not out:
            lines.append(f'  out{b} [shape=none, label="", width=0, height=0];')
            lines.append(f"  b{b} -> out{b}{_label(circuit, b, circuit.boxes[b].gradient)};")
    return "\n".join([*lines, "}\n"])


def quoted(text: str) -> str:
    """Return text as a quoted string of Graphviz; what cannot be seen is spelled out."""
    return f'"{spelled(text).translate(QUOTED)}"'


def _label(circuit: Circuit, source: int, gradient: str) -> str:
    """Return the attribute with the numbers of a wire, or nothing."""
    parts = [(wire_text(circuit, source), "#1a7f37"), (gradient, "#cf222e")]
    # Graphviz 2.43 takes a text of nothing but a bracket for a syntax error.
    texts = [(escaped(text).replace("]", "&#93;"), colour) for text, colour in parts if text]
    fonts = [f'<font color="{colour}">{text}</font>' for text, colour in texts]
    return f" [label=<{'<br/>'.join(fonts)}>]" if fonts else ""


def wire_text(circuit: Circuit, source: int) -> str:
    """Return the value on the wires out of a box, with its name if it comes from a gate."""
    box = circuit.boxes[source]
    if box.kind in (INPUT, CONSTANT):
        return "" if box.label == box.value else box.value
    return f"{box.name} = {box.value}" if box.name else box.value
