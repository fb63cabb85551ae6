"""Tracks for wires on a grid: between two ranks each wire that changes rows gets a column for it.

This is channel routing, turned by a quarter: wires whose rows do not overlap share a track (the
left-edge method of A. Hashimoto and J. Stevens, "Wire routing by optimizing channel assignment within
large apertures", 1971), and a wire that comes in at the row where another goes out turns first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from gradcheck.drawing.layout import Layout
from gradcheck.drawing.sweeps import Size


class Net(NamedTuple):
    """All parts of one wire between two ranks.

    Attributes:
        node: where they come from.
        left: the row in which they come in.
        rights: the rows in which they go out.
        ends: the nodes to which they go, one for each of those rows.
    """

    node: int
    left: int
    rights: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def top(self) -> int:
        """The first row."""
        return min(self.left, *self.rights)

    @property
    def bottom(self) -> int:
        """The last row."""
        return max(self.left, *self.rights)

    def before(self, other: Net) -> bool:
        """Return whether this wire must change rows to the left of where the other does."""
        return self.left in other.rights

    def meets(self, other: Net) -> bool:
        """Return whether the two have a row in common."""
        return self.top <= other.bottom and other.top <= self.bottom

    def crossings(self, other: Net) -> int:
        """Return how often the two cross if this one changes rows to the left of the other."""
        return sum(other.top < row < other.bottom for row in self.rights) + (self.top < other.left < self.bottom)


def nets(place: Layout, sizes: Sequence[Size]) -> list[list[Net]]:
    """Return the wires between each rank and the next, from the top."""
    links: dict[int, dict[tuple[int, int], None]] = {}
    for path, port in zip(place.paths, place.ports, strict=True):
        for left, right in pairwise(path):
            offset = sizes[right].ports[port] if right < len(sizes) else 0
            links.setdefault(left, {})[place.y[right] + offset, right] = None
    result = []
    for one in place.ranks:
        found = [(node, sorted(links[node])) for node in one if node in links]
        result.append([Net(n, place.y[n], tuple(r for r, _ in to), tuple(e for _, e in to)) for n, to in found])
    return result


def untangled(place: Layout, sizes: Sequence[Size]) -> Layout:
    """Return the layout with ranks shifted up or down where no order of tracks would do otherwise.

    That is so where two wires exchange their rows: each would have to turn first.
    """
    y = list(place.y)
    for r in range(len(place.ranks) - 1):
        later = [n for one in place.ranks[r + 1 :] for n in one]
        step = 0
        # By 1, -1, 2, -2, … in all; at the latest when nothing is at the same height any more, it is free.
        while _order(nets(place._replace(y=y), sizes)[r]) is None:
            step = -step - 1 if step > 0 else 1 - step
            for n in later:
                y[n] += step
    top = min(y[n] - size.above for n, size in enumerate(sizes))
    bottom = max(y[n] + size.below for n, size in enumerate(sizes))
    return place._replace(y=[one - top for one in y], height=bottom - top)


def tracks(channel: list[Net]) -> dict[int, int]:
    """Return the track, from the left, of each wire that changes rows; by the node from which it comes."""
    order = _order(channel) or []
    for _ in order:
        for k in range(len(order) - 1):
            first, second = order[k : k + 2]
            if not first.before(second) and second.crossings(first) < first.crossings(second):
                order[k : k + 2] = second, first
    result: dict[int, int] = {}
    for k, net in enumerate(order):
        result[net.node] = max((result[other.node] + 1 for other in order[:k] if net.meets(other)), default=0)
    return result


def _order(channel: list[Net]) -> list[Net] | None:
    """Return the wires that change rows so that each turns before those that it must; None if none will do."""
    waiting = [net for net in channel if net.top < net.bottom]
    result: list[Net] = []
    while waiting:
        free = next((net for net in waiting if not any(o.before(net) for o in waiting if o is not net)), None)
        if free is None:
            return None
        waiting.remove(free)
        result.append(free)
    return result
