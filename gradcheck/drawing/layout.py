"""Where boxes and bends of wires stand: in ranks from left to right, wires as short and straight as may be.

The framework is that of K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of
hierarchical system structures" (IEEE Trans. SMC 11, 1981): ranks, bends where a wire passes a rank, an
order within each rank with few crossings, then heights (`sweeps`).

A box with several users has one wire that branches, so it bends once a rank however many use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from gradcheck.drawing.circuit import Circuit
from gradcheck.drawing.sweeps import Link, RankedNet, Size, ordered, placed


class Layout(NamedTuple):
    """Where everything stands.

    Attributes:
        ranks: the nodes of each rank from the top: boxes by their index, bends by larger numbers.
        rank: the rank of each node.
        y: the height of each node, downwards from 0, where its output leaves.
        paths: the nodes of each wire, from its source to its target.
        ports: which of the ports of its target each wire enters.
        height: of the whole.
    """

    ranks: list[list[int]]
    rank: list[int]
    y: list[int]
    paths: list[list[int]]
    ports: list[int]
    height: int


def arrange(circuit: Circuit, sizes: Sequence[Size], gap: int, centred: bool = False) -> Layout:
    """Return the layout of a circuit.

    Args:
        circuit: what is drawn.
        sizes: of each box, with as many ports as it has wires coming in.
        gap: the least distance between what is one above the other.
        centred: put a box halfway between two operands, instead of straight behind the first.
    """
    rank, ports = _ranks(circuit), _ports(circuit)
    paths = _paths(circuit, rank)
    net = _net(circuit, rank, paths, ports, sizes)
    ranks = ordered(_first_order(circuit, rank, paths), net)
    y = placed(ranks, net, gap, centred)
    top = min(y[n] - net.sizes[n].above for n in range(len(y)))
    height = max(y[n] + net.sizes[n].below for n in range(len(y))) - top
    return Layout(ranks, rank, [one - top for one in y], paths, ports, height)


def edges(place: Layout, lead: Sequence[int], tail: Sequence[int], channels: Sequence[int]) -> list[int]:
    """Return the place, from the left, of the line in each rank at which boxes end and outputs begin.

    Args:
        place: the layout.
        lead: what each box takes before that line.
        tail: what it takes behind it.
        channels: the space behind each rank in which wires change their height.
    """
    result, at = [], 0
    for rank, channel in zip(place.ranks, channels, strict=True):
        boxes = [n for n in rank if n < len(lead)]
        at += max((lead[n] for n in boxes), default=0)
        result.append(at)
        at += max((tail[n] for n in boxes), default=0) + channel
    return result


def incoming(circuit: Circuit) -> list[list[int]]:
    """Return the indices of the wires into each box, by slot."""
    result: list[list[int]] = [[] for _ in circuit.boxes]
    for k, wire in enumerate(circuit.wires):
        result[wire.target].append(k)
    return [sorted(into, key=lambda k: circuit.wires[k].slot) for into in result]


def outgoing(circuit: Circuit) -> list[list[int]]:
    """Return the indices of the wires out of each box."""
    result: list[list[int]] = [[] for _ in circuit.boxes]
    for k, wire in enumerate(circuit.wires):
        result[wire.source].append(k)
    return result


def _ports(circuit: Circuit) -> list[int]:
    result = [0] * len(circuit.wires)
    for into in incoming(circuit):
        for port, k in enumerate(into):
            result[k] = port
    return result


def _stages(circuit: Circuit) -> list[int]:
    """Return for each box a number that never falls along a wire: 1, 3, … for clusters, even between them."""
    own = {box: 2 * k + 1 for k, cluster in enumerate(circuit.clusters) for box in cluster.boxes}
    stages, into, out = [own.get(b, 0) for b in range(len(circuit.boxes))], incoming(circuit), outgoing(circuit)
    for b in range(len(stages)):
        if b not in own:
            stages[b] = max((stages[circuit.wires[k].source] + 1 & ~1 for k in into[b]), default=0)
    for b in range(len(stages)):
        if b not in own and not into[b]:
            stages[b] = min((stages[circuit.wires[k].target] & ~1 for k in out[b]), default=0)
    fit = all(stages[wire.source] <= stages[wire.target] for wire in circuit.wires)
    return stages if fit else [0] * len(stages)


def _ranks(circuit: Circuit) -> list[int]:
    """Return ranks: the longest path from the left, then to the right what gets shorter wires there."""
    stages, into, out = _stages(circuit), incoming(circuit), outgoing(circuit)
    rank, start, stage, last = [0] * len(stages), 0, 0, -1
    end: dict[int, int] = {}
    for b in sorted(range(len(stages)), key=lambda b: (stages[b], b)):
        if stages[b] != stage:
            stage, start = stages[b], last + 1
        rank[b] = max([start, *(rank[circuit.wires[k].source] + 1 for k in into[b])])
        last = max(last, rank[b])
        end[stage] = last
    for b in reversed(range(len(stages))):
        if out[b]:
            sources = {circuit.wires[k].source for k in into[b]}
            # A leaf of this box alone comes along; any other wire gets longer by what the output saves.
            stretched = sum(bool(into[s]) or any(circuit.wires[k].target != b for k in out[s]) for s in sources)
            limit = min(end[stages[b]], *(rank[circuit.wires[k].target] - 1 for k in out[b]))
            rank[b] = limit if stretched <= 1 else rank[b]
    dense = {old: new for new, old in enumerate(sorted(set(rank)))}
    return [dense[one] for one in rank]


def _paths(circuit: Circuit, rank: list[int]) -> list[list[int]]:
    """Return the nodes of each wire; appends the ranks of the bends to `rank`."""
    chains: list[list[int]] = []
    for b, out in enumerate(outgoing(circuit)):
        last = max((rank[circuit.wires[k].target] for k in out), default=0)
        bends = range(rank[b] + 1, last)
        chains.append([b, *range(len(rank), len(rank) + len(bends))])
        rank += bends
    return [[*chains[w.source][: rank[w.target] - rank[w.source]], w.target] for w in circuit.wires]


def _net(
    circuit: Circuit, rank: list[int], paths: list[list[int]], ports: list[int], sizes: Sequence[Size]
) -> RankedNet:
    boxes = len(circuit.boxes)
    links: dict[Link, None] = {}
    for path, port in zip(paths, ports, strict=True):
        for left, right in pairwise(path):
            links[Link(left, right, port if right < boxes else 0)] = None
    back: list[list[Link]] = [[] for _ in rank]
    ahead: list[list[Link]] = [[] for _ in rank]
    for link in links:
        back[link.right].append(link)
        ahead[link.left].append(link)
    return RankedNet(boxes, list(links), back, ahead, [*sizes, *[Size(0, 0, (0,))] * (len(rank) - boxes)])


def _first_order(circuit: Circuit, rank: list[int], paths: list[list[int]]) -> list[list[int]]:
    """Return the nodes as a walk back from the output meets them, first operands first: a tree has no crossing."""
    ranks: list[list[int]] = [[] for _ in range(max(rank) + 1)]
    into, met = incoming(circuit), set[int]()
    for root in reversed(range(len(circuit.boxes))):
        todo = [[root]]
        while todo:
            for n in reversed(todo.pop()):
                if n not in met:
                    met.add(n)
                    ranks[rank[n]].append(n)
                    if n < len(into):
                        # A target is met before its wires are, so each path is walked once.
                        todo += [paths[k][:-1] for k in reversed(into[n])]
    return ranks
