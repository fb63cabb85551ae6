"""The circuit within the page: every box, wire and number is marked with what it belongs to."""

from __future__ import annotations

import re

from gradcheck.deriving.records import Leaf, Step
from gradcheck.drawing.circuit import Box, Circuit, Wire
from gradcheck.drawing.svg import svg_fragment
from gradcheck.errors import visible
from gradcheck.writing.trace.html_page import HtmlPage
from gradcheck.writing.trace.picture import circuit_of

ROOM = 9
"""Characters that a number may grow to while its input moves; the picture leaves room for them."""

MOST_BOXES = 400
"""Boxes beyond which no one can follow a picture."""

MARKED = re.compile(r' id="(box|value|gradient|wire|flow)-(\d+)"')
PADDED = re.compile(r'(<text id="(?:value|gradient|flow)-\d+"[^>]*>(?:<tspan class="name">[^<]*</tspan>)?) +')


def picture(page: HtmlPage, live: bool) -> str:
    """Return the circuit as an `svg` element; "" if it is too large.

    Args:
        page: where it stands.
        live: whether its numbers may change.
    """
    circuit = circuit_of(page.derivation, page.trace.digits)
    if len(circuit.boxes) > MOST_BOXES:
        return ""
    name = visible(page.derivation.output)
    steps = len(page.derivation.steps)
    description = f"{steps} gate{'s' * (steps != 1)} from the inputs to {name}. The stages below say the same in words."
    drawn = svg_fragment(_roomy(circuit) if live else circuit, f"Circuit of {name}", description)
    return PADDED.sub(r"\1", _Marker(page, circuit).marked(drawn))


def _roomy(circuit: Circuit) -> Circuit:
    """Return the circuit with blanks before numbers, for which the layout leaves room."""

    def wider(text: str) -> str:
        return text.rjust(ROOM) if text else ""

    boxes = [box._replace(value=wider(box.value), gradient=wider(box.gradient)) for box in circuit.boxes]
    wires = [wire._replace(gradient=wider(wire.gradient)) for wire in circuit.wires]
    return circuit._replace(boxes=tuple(boxes), wires=tuple(wires))


class _Marker:
    def __init__(self, page: HtmlPage, circuit: Circuit) -> None:
        self.page, self.circuit = page, circuit
        self.known = {visible(name): one for name, one in page.derivation.quantities.items()}

    def marked(self, drawn: str) -> str:
        return MARKED.sub(lambda m: m[0] + getattr(self, m[1])(int(m[2])), drawn)

    def quantity(self, box: Box) -> Leaf | Step:
        return self.known[box.name]

    def box(self, k: int) -> str:
        return self.page.mark(self.quantity(self.circuit.boxes[k]))

    def number(self, key: str, text: str, at: int) -> str:
        return f' data-n="{key}" data-at="{at}" data-room="{max(ROOM, len(text))}"'

    def value(self, k: int) -> str:
        one = self.quantity(self.circuit.boxes[k])
        return self.number(f"v{one.node}", self.circuit.boxes[k].value, self.page.time.values[one.name])

    def gradient(self, k: int) -> str:
        one = self.quantity(self.circuit.boxes[k])
        return self.number(f"g{one.node}", self.circuit.boxes[k].gradient, self.page.time.gradients[one.name])

    def wire(self, k: int) -> str:
        return self.box(self.circuit.wires[k].source)

    def flow(self, k: int) -> str:
        wire: Wire = self.circuit.wires[k]
        step = self.quantity(self.circuit.boxes[wire.target])
        number = getattr(step, "number", 0)
        return self.number(f"c{number}_{wire.slot}", wire.gradient, self.page.time.flows.get(number, 0))
