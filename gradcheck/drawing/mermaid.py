"""A circuit as a mermaid flowchart, which GitHub shows within Markdown."""

from __future__ import annotations

import re

from gradcheck.drawing.circuit import CONSTANT, GATE, INPUT, SHORTCUT, Box, Circuit, forks
from gradcheck.drawing.dot import wire_text
from gradcheck.drawing.layout import outgoing
from gradcheck.notation.markup import spelled

SHAPES = {INPUT: ("([", "])"), CONSTANT: ("(", ")"), GATE: ("((", "))"), SHORTCUT: ("[[", "]]")}

HARMFUL = re.compile(r"[^\w ,=.+\-\x80-\U0010ffff]|_|[.+\-](?!\w)")
"""All that does not stand for itself in a quoted label."""


def mermaid(circuit: Circuit) -> str:
    """Return a circuit as a flowchart.

    A wire is labelled `value | gradient`; the whole gradient of a box with several users stands in the box.
    """
    lines, branching = ["flowchart LR"], forks(circuit)
    boxes = [_box(box, b, b in branching) for b, box in enumerate(circuit.boxes)]
    inside = {b for cluster in circuit.clusters for b in cluster.boxes}
    lines += [f"  {box}" for b, box in enumerate(boxes) if b not in inside]
    for c, cluster in enumerate(circuit.clusters):
        lines.append(f'  subgraph layer{c}["{entities(cluster.label)}"]')
        lines += [f"    {boxes[b]}" for b in cluster.boxes]
        lines.append("  end")
    lines += [f"  b{w.source} -->{_label(circuit, w.source, w.gradient)} b{w.target}" for w in circuit.wires]
    for b, out in enumerate(outgoing(circuit)):
        if not out:
            lines.append(f'  b{b} -->{_label(circuit, b, circuit.boxes[b].gradient)} out{b}[" "]')
            lines.append(f"  style out{b} fill:none,stroke:none")
    constants = [f"b{b}" for b, box in enumerate(circuit.boxes) if box.kind == CONSTANT]
    if constants:
        lines.append("  classDef constant stroke-dasharray:4 3")
        lines.append(f"  class {','.join(constants)} constant")
    return "\n".join([*lines, ""])


def entities(text: str) -> str:
    """Return text that mermaid shows as it is: signs that could mean something to it as entities.

    A point or sign that stands before no letter or digit would begin a list, as in `1. one`.
    """
    return HARMFUL.sub(lambda found: f"#{ord(found[0])};", spelled(text))


def _box(box: Box, b: int, branching: bool) -> str:
    begin, end = SHAPES.get(box.kind, SHAPES[GATE])
    total = f"<br/>gradient {entities(box.gradient)}" if branching and box.gradient else ""
    return f'b{b}{begin}"{entities(box.label) or " "}{total}"{end}'


def _label(circuit: Circuit, source: int, gradient: str) -> str:
    """Return the label of a wire, or nothing."""
    parts = [text for text in (wire_text(circuit, source), gradient) if text]
    # Without blanks around it a minus looks like a piece of the wire.
    return f'|"#160;{" | ".join(map(entities, parts))}#160;"|' if parts else ""
