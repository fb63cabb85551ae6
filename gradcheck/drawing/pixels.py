"""Where everything in a picture is, in pixels.

Sizes of text are estimates for common fonts, on the generous side: what a font really takes is known
only to the program that shows the picture.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

from gradcheck.drawing.circuit import Circuit
from gradcheck.drawing.layout import arrange, edges, incoming, outgoing
from gradcheck.drawing.sweeps import Size
from gradcheck.errors import display_width
from gradcheck.notation.markup import spelled

LABEL, NUMBER = 15, 13
"""Sizes of type in pixels: what stands in boxes; numbers, and names before them."""

MARGIN, GAP, PAD = 16, 12, 7
"""Pixels around the picture, between what is one above the other, and beside a number."""

RADIUS = 22
"""Pixels of a round gate."""

REACH = 21
"""Pixels from a wire to the far ends of its numbers."""

SLACK = 3
"""Pixels by which a wire may miss its port or the place where it would bend."""

HEADING = 30
"""Pixels of the strip with the names of layers."""


def sans(text: str, size: int) -> int:
    """Return an estimate of the width of proportional text, in pixels."""
    ems = 0.0
    for c in spelled(text):
        columns = display_width(c)
        wide = 0.95 if c in "mwMW@%—…" else 0.75 if c.isupper() else 0.38 if c in "fijlrt.,:;'|![]() " else 0.62
        ems += wide if columns == 1 else columns * 0.5
    return math.ceil(ems * size)


def mono(text: str) -> int:
    """Return an estimate of the width of a number, in pixels."""
    return math.ceil(0.605 * NUMBER * display_width(spelled(text)))


class Shape(NamedTuple):
    """The outline of a box: half its height, its width, and whether it is a circle."""

    half: int
    width: int
    circle: bool


class Picture:
    """Where everything is, in pixels."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.into, self.out = incoming(circuit), outgoing(circuit)
        boxes = range(len(circuit.boxes))
        ports = [self._ports(b) for b in boxes]
        self.shapes = [self._shape(b, ports[b]) for b in boxes]
        self.sizes = [self._size(b, ports[b]) for b in boxes]
        self.place = arrange(circuit, self.sizes, GAP, centred=True)
        self.bands = self._bands()
        tail = [self.tail(b) for b in boxes]
        lead = [self._lead(b) for b in boxes]
        tails = [max((tail[n] for n in one if n < len(tail)), default=0) for one in self.place.ranks]
        space = self._spaces()
        extra = [0] * len(space)
        for _ in range(2):
            lines = edges(self.place, lead, tail, [a + b for a, b in zip(space, extra, strict=True)])
            self.edges = [MARGIN + one for one in lines]
            self.turns = [sum(one) for one in zip(self.edges, tails, extra, strict=True)]
            self.begins = [MARGIN, *(turn + more for turn, more in zip(self.turns, space, strict=True))]
            for c, (first, last) in self.bands.items():
                # The name of a layer must not be wider than the layer.
                extra[last] += max(0, sans(circuit.clusters[c].label, NUMBER) - self.turns[last] + self.begins[first])
        self.top = MARGIN + HEADING * bool(self.bands)
        self.width = self.turns[-1] + MARGIN
        self.height = self.top + self.place.height + MARGIN

    def flow(self, k: int) -> str:
        """Return the gradient that stands at the end of a wire: only where the wire has branches."""
        wire = self.circuit.wires[k]
        return wire.gradient if len(self.out[wire.source]) > 1 else ""

    def _ports(self, b: int) -> tuple[int, ...]:
        step = 34 if any(self.flow(k) for k in self.into[b]) else 20
        count = len(self.into[b])
        return tuple((2 * k - count + 1) * step // 2 for k in range(count))

    def _shape(self, b: int, ports: tuple[int, ...]) -> Shape:
        text = sans(self.circuit.boxes[b].label, LABEL)
        if not ports:
            return Shape(15, max(30, text + 22), False)
        if text <= 2 * RADIUS - 14 and len(ports) <= 2:
            return Shape(RADIUS, 2 * RADIUS, True)
        return Shape(max(18, ports[-1] + 14), max(2 * RADIUS, text + 24), False)

    def _size(self, b: int, ports: tuple[int, ...]) -> Size:
        half = max(self.shapes[b].half, REACH)
        last = ports[-1] + REACH if ports and self.flow(self.into[b][-1]) else 0
        return Size(half, max(half, last), ports)

    def _lead(self, b: int) -> int:
        """Return the pixels of a box and of the wires in front of it."""
        widest = max((mono(self.flow(k)) for k in self.into[b]), default=0)
        stub = (widest + 2 * PAD if widest else PAD) if self.into[b] else 0
        return self.shapes[b].width + stub

    def named(self, b: int) -> str:
        """Return what stands before the value of a box."""
        box = self.circuit.boxes[b]
        return f"{box.name} = " if self.into[b] and box.name else ""

    def value(self, b: int) -> str:
        """Return the value of a box, unless it is what stands in the box."""
        box = self.circuit.boxes[b]
        return "" if not self.into[b] and box.label == box.value else box.value

    def numbers(self, b: int) -> int:
        """Return the width of the numbers behind a box."""
        above = mono(self.named(b) + self.value(b))
        return max(above, mono(self.circuit.boxes[b].gradient))

    def tail(self, b: int) -> int:
        """Return the pixels of the output of a box."""
        return max(18, self.numbers(b) + 2 * PAD) + 10 * (not self.out[b])

    def _bands(self) -> dict[int, tuple[int, int]]:
        """Return the first and last rank of each cluster that has its ranks for itself."""
        result: dict[int, tuple[int, int]] = {}
        for c, cluster in enumerate(self.circuit.clusters):
            ranks = [self.place.rank[b] for b in cluster.boxes]
            if ranks:
                span = min(ranks), max(ranks)
                within = {n for one in self.place.ranks[span[0] : span[1] + 1] for n in one if n < len(self.into)}
                if within == set(cluster.boxes):
                    result[c] = span
        return result

    def links(self, k: int) -> list[tuple[int, int, int]]:
        """Return the parts of a wire: the rank where each begins, and its heights there and in the next."""
        y, path = self.place.y, self.place.paths[k]
        target = self.circuit.wires[k].target
        heights = [y[path[0]]]
        for wish in [*(y[n] for n in path[1:-1]), y[target] + self.sizes[target].ports[self.place.ports[k]]]:
            # A wire a little off its place goes straight on, and enters beside its port: a kink would look worse.
            heights.append(heights[-1] if abs(heights[-1] - wish) <= SLACK else wish)
        return [(self.place.rank[n], *pair) for n, pair in zip(path, pairwise(heights), strict=False)]

    def _spaces(self) -> list[int]:
        """Return the pixels behind each rank in which wires change their height: more for longer ways."""
        ways = [0] * len(self.place.ranks)
        for k in range(len(self.circuit.wires)):
            for r, before, after in self.links(k):
                ways[r] = max(ways[r], abs(after - before))
        return [*(min(96, 26 + way // 4) for way in ways[:-1]), 0]
