"""The order of nodes within ranks, and their heights, by sweeping over the ranks to and fro.

The order by medians with exchanges of neighbours, and the weights of wires, are those of E. Gansner,
E. Koutsofios, S. North and K.-P. Vo, "A technique for drawing directed graphs" (IEEE Trans. Software
Engineering 19, 1993). The heights of a rank are the best ones for given neighbours: pooling adjacent
violators solves this isotonic regression for absolute deviations (R. Barlow, D. Bartholomew, J. Bremner
and H. Brunk, "Statistical inference under order restrictions", 1972).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

IDLE, WEIGHTS = 1, (16, 32, 128)
"""How much a place matters: of nothing that pulls; of a wire whose ends are 0, 1, 2 bends."""

SWEEPS, PATIENCE = 12, 40_000
"""Sweeps for order and for places, and what they may cost: sweeps times nodes."""


class Size(NamedTuple):
    """What a box takes, in the units of the caller, from the height at which its output leaves.

    Attributes:
        above, below: how far it reaches up and down, with its texts.
        ports: the heights at which its operands enter, downwards.
    """

    above: int
    below: int
    ports: tuple[int, ...]


class Link(NamedTuple):
    """A part of a wire between neighbouring ranks."""

    left: int
    right: int
    port: int


class RankedNet(NamedTuple):
    """What ordering and placing look at.

    Attributes:
        boxes: how many nodes are boxes; those after them are bends.
        links: all links.
        back, ahead: the links of each node to its left and to its right.
        sizes: of all nodes.
    """

    boxes: int
    links: list[Link]
    back: list[list[Link]]
    ahead: list[list[Link]]
    sizes: list[Size]


def ordered(ranks: list[list[int]], net: RankedNet) -> list[list[int]]:
    """Return ranks in an order with few crossings: medians from either side, then exchanges of neighbours."""
    best, fewest = ranks, _crossings(ranks, net)
    for sweep in range(min(SWEEPS, max(2, PATIENCE // len(net.sizes)))):
        if not fewest:
            break
        ranks = [list(one) for one in ranks]
        position = {n: k for one in ranks for k, n in enumerate(one)}
        for one in ranks if sweep % 2 == 0 else reversed(ranks):
            _by_median(one, position, net, sweep % 2 == 0)
        _exchange(ranks, position, net)
        count = _crossings(ranks, net)
        if count < fewest:
            best, fewest = ranks, count
    return best


def _places(node: int, position: dict[int, int], net: RankedNet, back: bool) -> list[tuple[int, int]]:
    """Return where the links of a node end on one side, in order."""
    if back:
        return [(position[link.left], 0) for link in net.back[node]]
    return sorted((position[link.right], link.port) for link in net.ahead[node])


def _by_median(one: list[int], position: dict[int, int], net: RankedNet, back: bool) -> None:
    """Sort a rank by the medians of its neighbours; a node without any keeps its place."""
    keys = {n: sorted(_places(n, position, net, back)) for n in one}
    moving = iter(sorted((n for n in one if keys[n]), key=lambda n: keys[n][(len(keys[n]) - 1) // 2]))
    one[:] = [next(moving) if keys[n] else n for n in one]
    position.update({n: k for k, n in enumerate(one)})


def _exchange(ranks: list[list[int]], position: dict[int, int], net: RankedNet) -> None:
    """Exchange neighbours as long as that takes crossings away; not in what is too large to be looked at."""
    for _ in range(min(4, PATIENCE // len(net.sizes))):
        changed = False
        for one in ranks:
            for k in range(len(one) - 1):
                gain = 0
                for back in (True, False):
                    above, below = (_places(n, position, net, back) for n in one[k : k + 2])
                    gain += sum((a > b) - (a < b) for a in above for b in below)
                if gain > 0:
                    one[k], one[k + 1] = one[k + 1], one[k]
                    position[one[k]], position[one[k + 1]] = k, k + 1
                    changed = True
        if not changed:
            return


def _crossings(ranks: list[list[int]], net: RankedNet) -> int:
    """Return how many pairs of links cross, counted with a binary indexed tree."""
    position = {n: k for one in ranks for k, n in enumerate(one)}
    total = 0
    for one in ranks:
        ends = [end for n in one for end in _places(n, position, net, False)]
        number = {end: k + 1 for k, end in enumerate(sorted(set(ends)))}
        tree = [0] * (len(number) + 1)
        for before, end in enumerate(ends):
            at, notabove = number[end], 0
            while at:
                notabove += tree[at]
                at &= at - 1
            total += before - notabove
            at = number[end]
            while at < len(tree):
                tree[at] += 1
                at += at & -at
    return total


def placed(ranks: list[list[int]], net: RankedNet, gap: int, centred: bool) -> list[int]:
    """Return the height of each node; of all sweeps' results the one with the shortest weighted wires.

    Args:
        ranks: the nodes in order.
        net: their links and sizes.
        gap: the least distance between what is one above the other.
        centred: take the middle where a whole stretch is equally good, instead of its upper end.
    """
    y = [0] * len(net.sizes)
    for one in ranks:
        offsets = _offsets(one, net, gap)
        for n, offset in zip(one, offsets, strict=True):
            y[n] = offset - offsets[-1] // 2
    best, least = y, _cost(y, net)
    sweeps = min(SWEEPS, max(4, PATIENCE // len(y)))
    for sweep in range(sweeps):
        y, settling = list(y), 2 * sweep >= sweeps
        for one in ranks if sweep % 2 == 0 else reversed(ranks):
            _settle(one, y, net, gap, (settling or sweep % 2 == 0, settling or sweep % 2 == 1), centred)
        cost = _cost(y, net)
        # Among equals the first is straight behind first operands, the last has come to the middle.
        if cost < least or (centred and cost == least):
            best, least = y, cost
    return best


def _offsets(one: list[int], net: RankedNet, gap: int) -> list[int]:
    """Return the least distances of a rank's nodes from its first."""
    result = [0]
    for above, below in pairwise(one):
        result.append(result[-1] + net.sizes[above].below + gap + net.sizes[below].above)
    return result


def _weight(link: Link, net: RankedNet) -> int:
    bends = (link.left >= net.boxes) + (link.right >= net.boxes)
    return WEIGHTS[bends]


def _cost(y: list[int], net: RankedNet) -> tuple[int, int]:
    """Return the height that all links cover, by weight, and how many climb that might be straight."""
    length = climbing = 0
    for link in net.links:
        ports = net.sizes[link.right].ports
        climb = abs(y[link.left] - y[link.right] - ports[link.port])
        length += _weight(link, net) * climb
        climbing += climb > 0 and len(ports) == 1
    return length, climbing


def _wishes(node: int, y: list[int], net: RankedNet, sides: tuple[bool, bool]) -> list[tuple[int, int]]:
    """Return the heights that the neighbours of a node wish for it, with weights."""
    wishes = []
    if sides[0]:
        ports = net.sizes[node].ports
        wishes += [(y[link.left] - ports[link.port], _weight(link, net)) for link in net.back[node]]
    if sides[1]:
        for link in net.ahead[node]:
            wishes.append((y[link.right] + net.sizes[link.right].ports[link.port], _weight(link, net)))
    return wishes or [(y[node], IDLE)]


def _settle(one: list[int], y: list[int], net: RankedNet, gap: int, sides: tuple[bool, bool], centred: bool) -> None:
    """Give the nodes of a rank the heights nearest to what their neighbours wish."""
    offsets = _offsets(one, net, gap)
    blocks: list[tuple[int, int, list[tuple[int, int]]]] = []
    for n, offset in zip(one, offsets, strict=True):
        wishes = sorted((at - offset, weight) for at, weight in _wishes(n, y, net, sides))
        place, count = _median(wishes, centred), 1
        while blocks and blocks[-1][0] > place:
            _, more, others = blocks.pop()
            wishes, count = sorted(others + wishes), count + more
            place = _median(wishes, centred)
        blocks.append((place, count, wishes))
    places = [place for place, count, _ in blocks for _ in range(count)]
    for n, place, offset in zip(one, places, offsets, strict=True):
        y[n] = place + offset


def _median(wishes: list[tuple[int, int]], centred: bool) -> int:
    """Return a weighted median of sorted wishes: the lowest, or the middle of all."""
    total, so_far = sum(weight for _, weight in wishes), 0
    for k, (at, weight) in enumerate(wishes):
        so_far += weight
        if 2 * so_far >= total:
            return (at + wishes[k + 1][0]) // 2 if centred and 2 * so_far == total else at
    return 0
