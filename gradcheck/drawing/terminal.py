"""A circuit in characters: values above the wires and gradients below them, as on a blackboard.

What a box gives stands behind it; what a branch of a wire sends back stands before the box that it enters.
"""

from __future__ import annotations

from typing import NamedTuple

from gradcheck.drawing.canvas import Canvas, Line
from gradcheck.drawing.circuit import CONSTANT, GATE, INPUT, SHORTCUT, Box, Circuit
from gradcheck.drawing.layout import Layout, arrange, edges, incoming, outgoing
from gradcheck.drawing.sweeps import Size
from gradcheck.drawing.tracks import Net, nets, tracks, untangled
from gradcheck.errors import display_width, visible

MOST_GATES = 12
"""Gates of the largest circuit that is drawn in characters."""

FRAMES = {GATE: "┌─┐│└┘┤├", SHORTCUT: "╔═╗║╚╝╢╟"}

PLAIN = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "²": "^2", "³": "^3", "√": "sqrt", "…": "..."})
WORDS = str.maketrans({"σ": "sigmoid", "Σ": "sum", "Π": "prod"})
"""Signs in ASCII: in all texts but names; in the labels of gates alone."""


class _Form(NamedTuple):
    """How roomy a drawing is.

    Attributes:
        named: the names of gates stand before their values, `q = 3`, instead of in the frames.
        pad: blanks on both sides of a number.
        margin: blanks on both sides of a gate's label.
        lane: columns from one track to the next.
    """

    named: bool
    pad: int
    margin: int
    lane: int


FORMS = (_Form(True, 1, 1, 2), _Form(False, 1, 1, 2), _Form(False, 0, 1, 1), _Form(False, 0, 0, 1))
"""From roomy to tight; the first that fits is drawn."""


def circuit_lines(circuit: Circuit, width: int, ascii: bool = False) -> list[Line] | None:
    """Return the drawing as lines of (text, style), or None if it is too large for one.

    Args:
        circuit: what is drawn.
        width: columns that it may take.
        ascii: use no other characters than ASCII.

    Returns:
        Lines with the styles `forward` (values), `backward` (gradients), `head` (names and gates) and
        `dim` (frames and wires); None if there are more than `MOST_GATES` gates, or `width` is too small.
    """
    if sum(box.kind in FRAMES for box in circuit.boxes) > MOST_GATES:
        return None
    # Layers are not drawn here, and ranks of their own would only make the drawing wider.
    circuit = Circuit(
        tuple(_safe_box(box, ascii) for box in circuit.boxes),
        tuple(wire._replace(gradient=_safe(wire.gradient, ascii, PLAIN)) for wire in circuit.wires),
    )
    sizes = [_size(circuit, into) for into in incoming(circuit)]
    place = untangled(arrange(circuit, sizes, 2), sizes)
    for form in FORMS:
        drawing = _Drawing(circuit, sizes, place, form)
        if drawing.width <= width:
            return drawing.lines(ascii)
    return None


def _size(circuit: Circuit, into: list[int]) -> Size:
    """Return rows: a frame around ports two rows apart; a number above and one below the output."""
    reach = max(1, len(into))
    return Size(reach, reach, tuple(range(1 - len(into), len(into), 2)))


def _safe(text: str, ascii_only: bool, signs: dict[int, str]) -> str:
    """Return text that a terminal can show, each character where it belongs."""
    text = visible(text)
    if ascii_only:
        return text.translate(signs).encode("ascii", "backslashreplace").decode("ascii")
    # A mark that belongs to no letter stands on a dotted circle, or it would join what is to its left.
    return "◌" + text if text and not display_width(text[0]) else text


def _safe_box(box: Box, ascii_only: bool) -> Box:
    return box._replace(
        label=_safe(box.label, ascii_only, {INPUT: {}, CONSTANT: PLAIN}.get(box.kind, PLAIN | WORDS)),
        name=_safe(box.name, ascii_only, {}),
        value=_safe(box.value, ascii_only, PLAIN),
        gradient=_safe(box.gradient, ascii_only, PLAIN),
    )


class _Drawing:
    """A circuit in one form: which columns everything takes, and then the characters."""

    def __init__(self, circuit: Circuit, sizes: list[Size], place: Layout, form: _Form) -> None:
        self.circuit, self.sizes, self.place, self.form = circuit, sizes, place, form
        self.into, self.out = incoming(circuit), outgoing(circuit)
        self.channels = nets(place, sizes)
        self.tracks = [tracks(channel) for channel in self.channels]
        tail = [self._tail(b) for b in range(len(sizes))]
        lead = [self._frame(b) + self._stub(b) for b in range(len(sizes))]
        room = [max((form.lane * track + 1 for track in one.values()), default=0) for one in self.tracks]
        self.edges = edges(place, lead, tail, room)
        # Where the wires of each rank may change rows, and where the next rank begins.
        self.turns = [
            e + max((tail[n] for n in one if n < len(tail)), default=0)
            for e, one in zip(self.edges, place.ranks, strict=True)
        ]
        self.begins = [0, *(turn + more for turn, more in zip(self.turns, room, strict=True))]
        self.width = self.begins[-1]

    def _frame(self, b: int) -> int:
        """Return the columns of a box; a leaf has no frame, but a blank behind it."""
        box = self.circuit.boxes[b]
        if not self.into[b]:
            return display_width(box.label) + 1
        name = 0 if self.form.named else display_width(box.name)
        return max(display_width(box.label) + 2 * self.form.margin, name) + 2

    def _flow(self, k: int) -> str:
        """Return the gradient that stands at the end of a wire: only where the wire has branches."""
        wire = self.circuit.wires[k]
        return wire.gradient if len(self.out[wire.source]) > 1 else ""

    def _stub(self, b: int) -> int:
        """Return the columns of the wires in front of a box."""
        widest = max((display_width(self._flow(k)) for k in self.into[b]), default=0)
        return widest + 2 * self.form.pad if widest else min(1, len(self.into[b]))

    def _value(self, b: int) -> Line:
        """Return what stands above the output of a box."""
        box = self.circuit.boxes[b]
        if not self.into[b] and box.label == box.value:
            return []
        name = f"{box.name} = " if self.form.named and self.into[b] and box.name else ""
        return [(name, ""), (box.value, "forward")]

    def _tail(self, b: int) -> int:
        """Return the columns of the output of a box."""
        value = sum(display_width(text) for text, _ in self._value(b))
        widest = max(value, display_width(self.circuit.boxes[b].gradient))
        return max(1, widest + 2 * self.form.pad) + (not self.out[b])

    def lines(self, ascii_only: bool) -> list[Line]:
        """Return the drawing."""
        canvas = Canvas(ascii_only)
        for b, box in enumerate(self.circuit.boxes):
            row, edge = self.place.y[b], self.edges[self.place.rank[b]]
            if self.into[b]:
                self._gate(canvas, b, row, edge)
            else:
                canvas.text(row, edge - self._frame(b), box.label, "head")
            self._numbers(canvas, b, row, edge)
        for r, channel in enumerate(self.channels):
            for net in channel:
                self._wire(canvas, r, net)
        return canvas.lines()

    def _gate(self, canvas: Canvas, b: int, row: int, edge: int) -> None:
        """Draw a gate with its ports, and the gradients that go back from them."""
        box, size, width = self.circuit.boxes[b], self.sizes[b], self._frame(b)
        corner, flat, end, side, low, last, port, leave = tuple(FRAMES.get(box.kind, FRAMES[GATE]))
        left, inner = edge - width, width - 2
        name = "" if self.form.named else box.name
        before = (inner - display_width(name)) // 2
        canvas.text(row - size.above, left, corner + flat * before, "dim")
        canvas.text(row - size.above, left + 1 + before, name, "")
        rest = inner - before - display_width(name)
        canvas.text(row - size.above, edge - 1 - rest, flat * rest + end, "dim")
        canvas.text(row + size.below, left, low + flat * inner + last, "dim")
        for k in range(1 - size.above, size.below):
            canvas.text(row + k, left, port if k in size.ports else side, "dim")
            canvas.text(row + k, edge - 1, leave if k == 0 else side, "dim")
        canvas.text(row, left + 1 + (inner - display_width(box.label)) // 2, box.label, "head")
        for k, offset in zip(self.into[b], size.ports, strict=True):
            flow = self._flow(k)
            canvas.text(row + offset + 1, left - self.form.pad - display_width(flow), flow, "backward")

    def _numbers(self, canvas: Canvas, b: int, row: int, edge: int) -> None:
        """Write the value above the output and the gradient below it, flush right."""
        value, gradient = self._value(b), self.circuit.boxes[b].gradient
        widths = [sum(display_width(text) for text, _ in value), display_width(gradient)]
        at = edge + self.form.pad + max(widths) - widths[0]
        for text, style in value:
            canvas.text(row - 1, at, text, style)
            at += display_width(text)
        canvas.text(row + 1, edge + self.form.pad + max(widths) - widths[1], gradient, "backward")
        if not self.out[b]:
            tip = edge + self._tail(b) - 1
            canvas.across(row, 2 * edge, 2 * tip, b)
            canvas.text(row, tip, "▶", "dim")

    def _wire(self, canvas: Canvas, r: int, net: Net) -> None:
        """Draw a wire from one rank to the next."""
        boxes = len(self.circuit.boxes)
        begin = self.edges[r] if net.node < boxes else self.begins[r]
        ends = [self.edges[r + 1] - self._frame(n) if n < boxes else self.begins[r + 1] for n in net.ends]
        if net.node in self.tracks[r]:
            column = self.turns[r] + self.form.lane * self.tracks[r][net.node]
            canvas.across(net.left, 2 * begin, 2 * column + 1, net.node)
            canvas.down(column, net.top, net.bottom, net.node)
            begin = column
        half = net.node in self.tracks[r]
        for row, end in zip(net.rights, ends, strict=True):
            canvas.across(row, 2 * begin + half, 2 * end, net.node)
