"""Circuits as pictures: nothing overlaps, every wire ends where it should, and no name breaks a format."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from bisect import bisect_left
from collections import Counter
from itertools import combinations, pairwise

import pytest

from gradcheck.drawing import layout, sweeps, terminal
from gradcheck.drawing.canvas import EAST, NORTH, SOUTH, WEST, Canvas
from gradcheck.drawing.circuit import CONSTANT, GATE, INPUT, SHORTCUT, Box, Circuit, Cluster, Wire
from gradcheck.drawing.dot import dot
from gradcheck.drawing.layout import arrange, incoming, outgoing
from gradcheck.drawing.mermaid import mermaid
from gradcheck.drawing.pixels import NUMBER, SLACK, Picture, mono, sans, spelled
from gradcheck.drawing.svg import svg, svg_fragment
from gradcheck.drawing.sweeps import Size
from gradcheck.drawing.terminal import MOST_GATES, circuit_lines
from gradcheck.drawing.tracks import Net, tracks
from gradcheck.errors import display_width

SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = [
    "<script>alert(1)</script>",
    'a"b',
    "$x$",
    "]",
    "|",
    "two\nlines",
    "\x1b[31mred",
    "\\N",
    "back\\",
    "&amp;",
    "#quot;",
    "1. one",
    "`code`",
    '"]; b0 --> evil',
    "]]>",
    "-->",
    "%%{init: {}}%%",
    "\ufffe\uffff",
    "\u202eback",
    "\ud800",
    "\u0301x",
    "変数",
    "β",
    "end",
    "]) x",
]

SEEDS = range(20)

EXCHANGES = [98, 268, 329, 376]
"""Seeds of circuits in which two wires would exchange their rows, so that ranks must be shifted."""


def circuit(text: str) -> Circuit:
    """Return the circuit of a program like `x,3,6; f=× x x,9,1,3,3`: name, value, gradient, flows to the operands."""
    boxes: list[Box] = []
    wires: list[Wire] = []
    names: dict[str, int] = {}
    for step in filter(None, (one.strip() for one in text.split(";"))):
        head, value, gradient, *flows = (part.strip() for part in step.split(","))
        name, _, rest = head.partition("=")
        label, *operands = rest.split() or [name]
        kind = (SHORTCUT if label == "σ" else GATE) if operands else CONSTANT if not gradient else INPUT
        for slot, operand in enumerate(operands):
            source = names[operand]
            wires.append(Wire(source, len(boxes), slot, flows[slot] if flows else boxes[source].gradient))
        names[name] = len(boxes)
        boxes.append(Box(label, kind, name, value, gradient))
    return Circuit(tuple(boxes), tuple(wires))


LECTURE = circuit("x,-2,-4; y,5,-4; z,-4,3; q=+ x y,3,-4; f=× q z,-12,1")
SQUARE = circuit("x,3,6; f=× x x,9,1,3,3")
CHAIN = circuit("x,0.5,-0.256; s1=exp x,1.65,-0.155; s2=sin s1,0.997,1.99; f=² s2,0.994,1")
SWAPPED = circuit("x,3,1; y,2,5; a=− x y,1,1,1,-1; b=/ y x,0.667,1,0.333,-0.222; f=× a b,0.667,1")


def randomly(seed: int, gates: int | None = None) -> Circuit:
    """Return a random circuit in which every box but the last is used."""
    r = random.Random(seed)
    gates = gates or r.randint(1, 12)
    boxes = [Box(f"x{k}" * r.choice([1, 1, 4]), r.choice([INPUT, INPUT, CONSTANT]), f"x{k}", "", "") for k in range(3)]
    wires: list[Wire] = []
    unused = {0, 1, 2}
    for g in range(gates):
        me = len(boxes)
        count = r.choice([1, 2, 2, 3])
        chosen = [r.choice(sorted(unused)) if unused and r.random() < 0.6 else r.randrange(me) for _ in range(count)]
        chosen = sorted(unused) if g == gates - 1 else chosen
        wires += [
            Wire(s, me, slot, "" if boxes[s].kind == CONSTANT else f"{r.gauss(0, 9):.3g}")
            for slot, s in enumerate(chosen)
        ]
        unused = (unused - set(chosen)) | {me}
        boxes.append(
            Box(r.choice(["+", "×", "max", "σ"]), r.choice([GATE, GATE, SHORTCUT]), r.choice(["", f"s{g}"]), "", "")
        )
    numbers = [(f"{r.gauss(0, 99):.3g}", "" if box.kind == CONSTANT else f"{r.gauss(0, 9):.3g}") for box in boxes]
    boxes = [box._replace(value=v, gradient=g, detail=f"{v}!") for box, (v, g) in zip(boxes, numbers, strict=True)]
    cut = r.randint(3, len(boxes))
    clusters = (Cluster("first", tuple(range(3, cut))), Cluster("the second layer", tuple(range(cut, len(boxes)))))
    return Circuit(tuple(boxes), tuple(wires), r.choice([(), clusters]))


def hostile() -> Circuit:
    boxes = [Box(name, INPUT, name, name, name, name) for name in HOSTILE]
    boxes.append(Box("+", GATE, HOSTILE[0], "1", "1", HOSTILE[1]))
    wires = [Wire(k, len(HOSTILE), k, name) for k, name in enumerate(HOSTILE)]
    boxes.append(Box(HOSTILE[3], SHORTCUT, "\n", HOSTILE[0], HOSTILE[7]))
    wires += [Wire(0, len(HOSTILE) + 1, 0, HOSTILE[3]), Wire(len(HOSTILE), len(HOSTILE) + 1, 1, HOSTILE[0])]
    return Circuit(tuple(boxes), tuple(wires), (Cluster(" ".join(HOSTILE), (len(HOSTILE),)),))


def drawn(one: Circuit, width: int = 80, ascii: bool = False) -> str:
    lines = circuit_lines(one, width, ascii)
    assert lines is not None
    return "\n".join("".join(text for text, _ in line) for line in lines)


def size(into: list[int]) -> Size:
    return Size(len(into) + 1, len(into) + 1, tuple(range(1 - len(into), len(into), 2)))


@pytest.mark.parametrize("seed", SEEDS)
def test_layout_keeps_its_promises(seed: int) -> None:
    one = randomly(seed, 2 * seed + 1)
    sizes = [size(into) for into in incoming(one)]
    place = arrange(one, sizes, 2)
    for wire, path in zip(one.wires, place.paths, strict=True):
        assert (path[0], path[-1]) == (wire.source, wire.target)
        assert all(place.rank[b] == place.rank[a] + 1 for a, b in pairwise(path))
    every = [*sizes, *[Size(0, 0, (0,))] * (len(place.y) - len(sizes))]
    assert sorted(n for rank in place.ranks for n in rank) == list(range(len(every)))
    for r, rank in enumerate(place.ranks):
        assert all(place.rank[n] == r for n in rank)
        for a, b in pairwise(rank):
            assert place.y[b] - every[b].above - place.y[a] - every[a].below >= 2
    assert min(y - s.above for y, s in zip(place.y, every, strict=True)) == 0
    assert max(y + s.below for y, s in zip(place.y, every, strict=True)) == place.height
    assert place == arrange(one, sizes, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leaf_stands_next_to_its_first_user(seed: int) -> None:
    one = randomly(seed)._replace(clusters=())
    place = arrange(one, [size(into) for into in incoming(one)], 2)
    for b, out in enumerate(outgoing(one)):
        if not incoming(one)[b] and out:
            assert place.rank[b] == min(place.rank[one.wires[k].target] for k in out) - 1


def test_a_tree_has_no_crossing_and_its_operands_in_order() -> None:
    one = circuit("a,1,1; b,1,1; c,1,1; d,1,1; p=× d a,1,1; q=/ b c,1,1; f=− q p,1,1")
    place = arrange(one, [size(into) for into in incoming(one)], 2)
    assert [one.boxes[n].name for n in place.ranks[0]] == ["b", "c", "d", "a"]
    assert [one.boxes[n].name for n in place.ranks[1]] == ["q", "p"]


def test_sweeps_take_crossings_away() -> None:
    before = after = 0
    for seed in SEEDS:
        one = randomly(seed, 20)
        rank = layout._ranks(one)
        paths = layout._paths(one, rank)
        net = layout._net(one, rank, paths, layout._ports(one), [size(into) for into in incoming(one)])
        first = layout._first_order(one, rank, paths)
        counts = []
        for ranks in (first, sweeps.ordered(first, net)):
            position = {n: k for nodes in ranks for k, n in enumerate(nodes)}
            ends = [(rank[k.left], position[k.left], position[k.right], k.port) for k in net.links]
            pairs = [(a, b) for a, b in combinations(ends, 2) if a[0] == b[0] and a[1] != b[1]]
            counts.append(sum((a[1] < b[1]) == (a[2:] > b[2:]) and a[2:] != b[2:] for a, b in pairs))
            assert sweeps._crossings(ranks, net) == counts[-1]
        assert counts[1] <= counts[0]
        before, after = before + counts[0], after + counts[1]
    assert after < 0.75 * before


def test_neighbours_are_exchanged_where_medians_are_equal() -> None:
    # Both nodes of the right rank have the same median; only exchanging them takes the crossings away.
    one = circuit("a,1,1; b,1,1; c,1,1; p=+ a b c,1,1; q=σ b,1,1; f=+ p q,1,1")
    rank = layout._ranks(one)
    paths = layout._paths(one, rank)
    net = layout._net(one, rank, paths, layout._ports(one), [size(into) for into in incoming(one)])
    ranks = [[0, 1, 2], [4, 3], [5]]
    position = {n: k for nodes in ranks for k, n in enumerate(nodes)}
    before = sweeps._crossings(ranks, net)
    sweeps._exchange(ranks, position, net)
    assert sweeps._crossings(ranks, net) < before
    assert position == {n: k for nodes in ranks for k, n in enumerate(nodes)}


def test_a_chain_is_straight() -> None:
    assert len(set(arrange(CHAIN, [size(into) for into in incoming(CHAIN)], 2).y)) == 1


def test_layers_have_their_ranks_for_themselves() -> None:
    one = circuit("x,1,1; W,1,1; V,1,1; s=@ x W,1,1; h=σ s,1,1; t=@ h V,1,1; y,1,1; f=− t y,1,1")
    one = one._replace(clusters=(Cluster("fc1", (1, 3)), Cluster("fc2", (2, 5))))
    place = arrange(one, [size(into) for into in incoming(one)], 2)
    assert [{n for n in rank if n < 8} for rank in place.ranks] == [{0}, {1}, {3}, {4}, {2}, {5}, {6}, {7}]
    assert set(Picture(one).bands) == {0, 1}


def test_layers_against_the_order_of_wires_have_no_say() -> None:
    one = circuit("x,1,1; y,1,1; p=σ x,1,1; q=σ y,1,1; a=+ p q,1,1; b=σ a,1,1")
    one = one._replace(clusters=(Cluster("late", (5,)), Cluster("early", (4,))))
    assert arrange(one, [size(into) for into in incoming(one)], 2).ranks == [[0, 1], [2, 3], [4], [5]]


def test_a_layer_that_is_not_contiguous_has_no_rectangle() -> None:
    one = circuit("x,1,1; a=σ x,1,1; b=σ a,1,1; c=σ b,1,1")._replace(clusters=(Cluster("odd", (1, 3)),))
    assert not Picture(one).bands
    assert 'class="layer"' not in svg(one, "t", "d")


def test_hundreds_of_boxes_are_laid_out() -> None:
    one = randomly(1, 500)
    place = arrange(one, [size(into) for into in incoming(one)], 2)
    assert max(place.rank) > 10


class Strict(Canvas):
    """A canvas on which nothing may meet."""

    def text(self, row: int, column: int, text: str, style: str) -> None:
        for k in range(display_width(text)):
            assert (row, column + k) not in self._texts, f"two texts at {row}, {column + k}"
        super().text(row, column, text, style)

    def lines(self) -> list[list[tuple[str, str]]]:
        assert not self._strokes.keys() & self._texts.keys()
        for wires in self._strokes.values():
            if len(wires) > 1:
                assert sorted(wires.values()) == [NORTH | SOUTH, WEST | EAST]
        return super().lines()

    def reached(self, row: int, column: int) -> set[tuple[int, int]]:
        """Return the cells with texts at which a wire ends that goes right from a place."""
        steps = {NORTH: (-1, 0), SOUTH: (1, 0), WEST: (0, -1), EAST: (0, 1)}
        opposite = {NORTH: SOUTH, SOUTH: NORTH, WEST: EAST, EAST: WEST}
        todo, seen, ends = [(row, column, EAST)], set(), set()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            row, column, heading = state
            wires = self._strokes.get((row, column))
            if wires is None:
                ends.add((row, column))
                continue
            mask = next(m for m in wires.values() if m & opposite[heading])
            for way, (down, right) in steps.items():
                if mask & way and way != opposite[heading]:
                    todo.append((row + down, column + right, way))
        return ends


@pytest.mark.parametrize("form", range(len(terminal.FORMS)))
@pytest.mark.parametrize("seed", [*SEEDS, *EXCHANGES, "lecture", "square", "chain", "swapped"])
def test_terminal_wires_lead_where_they_should(seed: int | str, form: int, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"lecture": LECTURE, "square": SQUARE, "chain": CHAIN, "swapped": SWAPPED}
    one = randomly(seed) if isinstance(seed, int) else named[seed]
    made: list[Strict] = []

    def canvas(ascii_only: bool) -> Strict:
        made.append(Strict(ascii_only))
        return made[-1]

    monkeypatch.setattr(terminal, "Canvas", canvas)
    sizes = [terminal._size(one, into) for into in incoming(one)]
    place = terminal.untangled(arrange(one, sizes, 2), sizes)
    drawing = terminal._Drawing(one, sizes, place, terminal.FORMS[form])
    lines = drawing.lines(False)
    widest = max(display_width("".join(text for text, _ in line)) for line in lines)
    assert widest <= drawing.width
    for b, out in enumerate(outgoing(one)):
        row, edge = place.y[b], drawing.edges[place.rank[b]]
        ports = set()
        for k in out:
            target = one.wires[k].target
            offset = sizes[target].ports[place.ports[k]]
            ports.add((place.y[target] + offset, drawing.edges[place.rank[target]] - drawing._frame(target)))
        ends = made[0].reached(row, edge)
        assert {made[0]._texts[end][0] for end in ends} <= set("┤╢") if out else {"▶"}
        assert ends == ports or not out


@pytest.mark.parametrize("seed", SEEDS)
def test_terminal_shows_every_number_and_name_whole(seed: int) -> None:
    one = randomly(seed)
    words = Counter(
        word for line in circuit_lines(one, 1000) or [] for text, _ in line for word in re.split(r"[\s─┌┐╔╗═]+", text)
    )
    into, out = incoming(one), outgoing(one)
    expected: Counter[str] = Counter()
    for b, box in enumerate(one.boxes):
        expected.update(filter(None, (box.label, box.value, box.gradient, box.name if into[b] else "")))
        if len(out[b]) > 1:
            expected.update(filter(None, (one.wires[k].gradient for k in out[b])))
    assert not expected - words
    narrowest = bisect_left(range(400), True, key=lambda width: bool(circuit_lines(one, width)))
    shown = drawn(one, narrowest)
    assert max(map(display_width, shown.split("\n"))) <= narrowest
    assert all(word in shown for word in expected)


def test_terminal_styles() -> None:
    styles = {text.strip(): style for line in circuit_lines(LECTURE, 80) or [] for text, style in line if text.strip()}
    assert styles["-12"] == "forward"
    assert styles["-2"] == "forward"
    assert styles["1"] == "backward"
    assert styles["×"] == "head"
    assert styles["y"] == "head"
    assert styles["┌───┐"] == "dim"


def test_the_lecture_as_on_the_blackboard() -> None:
    assert (
        "\n" + drawn(LECTURE)
        == """
   -2   ┌───┐
x ──────┤   │ q = 3   ┌───┐
   -4   │ + ├─────────┤   │ f = -12
      ╭─┤   │    -4   │ × ├─────────▶
    5 │ └───┘       ╭─┤   │       1
y ────╯             │ └───┘
   -4         -4    │
           z ───────╯
               3"""
    )


def test_the_lecture_in_ascii() -> None:
    shown = drawn(LECTURE, ascii=True)
    assert shown.isascii()
    assert (
        "\n" + shown
        == """
   -2   +---+
x ------+   | q = 3   +---+
   -4   | + +---------+   | f = -12
      +-+   |    -4   | * +--------->
    5 | +---+       +-+   |       1
y ----+             | +---+
   -4         -4    |
           z -------+
               3"""
    )


def test_a_square_has_both_operands_from_one_box() -> None:
    assert (
        "\n" + drawn(SQUARE)
        == """
         ┌───┐
   3 ╭───┤   │ f = 9
x ───┤ 3 │ × ├───────▶
   6 ╰───┤   │     1
       3 └───┘"""
    )


def test_a_narrow_chain_has_names_in_the_frames() -> None:
    assert (
        "\n" + drawn(CHAIN, 60)
        == """
      0.5  ┌─s1──┐   1.65  ┌─s2──┐ 0.997  ┌─f─┐ 0.994
x ─────────┤ exp ├─────────┤ sin ├────────┤ ² ├───────▶
   -0.256  └─────┘ -0.155  └─────┘  1.99  └───┘     1"""
    )


@pytest.mark.parametrize("order", ["down first", "across first"])
@pytest.mark.parametrize(("wire", "expected"), [(1, "─│─"), (0, "─┼─")])
def test_the_wire_that_runs_down_is_drawn_through(order: str, wire: int, expected: str) -> None:
    canvas = Canvas(False)
    for row in (0, 2):
        canvas.across(row, 3, 4, 0)
    strokes = [lambda: canvas.down(1, 0, 2, 0), lambda: canvas.across(1, 0, 6, wire)]
    for stroke in strokes if order == "down first" else reversed(strokes):
        stroke()
    assert canvas.lines()[1] == [(expected, "dim")]


def test_crossing_wires_are_told_from_branches() -> None:
    assert (
        "\n" + drawn(SWAPPED)
        == """
                ┌───┐
     ╭──────────┤   │ a = 1
   3 │        1 │ − ├───────────╮
x ───┤ ╭────────┤   │     1     │ ┌───┐
   1 │ │     -1 └───┘           ╰─┤   │ f = 0.667
     │ │                          │ × ├───────────▶
   2 │ │        ┌───┐           ╭─┤   │         1
y ───│─┴────────┤   │ b = 0.667 │ └───┘
   5 │    0.333 │ / ├───────────╯
     ╰──────────┤   │         1
         -0.222 └───┘"""
    )


def test_one_box_alone() -> None:
    assert drawn(circuit("x,3,1")) == "   3\nx ───▶\n   1"


def test_what_does_not_fit_is_not_drawn() -> None:
    assert circuit_lines(CHAIN, 40) is None
    many = "x0,1,1;" + ";".join(f"x{k + 1}=σ x{k},1,1" for k in range(MOST_GATES + 1))
    assert circuit_lines(circuit(many), 1000) is None
    fewer = many.rpartition(";")[0]
    assert circuit_lines(circuit(fewer), 1000)


def test_layers_do_not_widen_a_drawing() -> None:
    one = circuit("x,1,1; W,1,1; V,1,1; s=@ x W,1,1; h=σ s,1,1; f=@ h V,1,1")
    layered = one._replace(clusters=(Cluster("fc1", (3, 4)), Cluster("fc2", (5,))))
    assert drawn(layered) == drawn(one)


def test_five_gates_deep_fit_eighty_columns() -> None:
    steps = ";".join(f"w{k},-0.893,0.482;s{k + 1}=× s{k} w{k},-0.393,0.161" for k in range(5))
    shown = drawn(circuit(f"s0,0.3,-0.143;{steps}"))
    assert shown.count("-0.393") == 5


def test_names_that_only_unicode_can_show_are_spelled_in_ascii() -> None:
    assert drawn(circuit("β,2,1; q=σ β,1 × 2,3; f=× q β,1,1"), ascii=True).count("\\u03b2") == 1
    shown = drawn(circuit("σ,2,1; q=σ σ,1,1"), ascii=True)
    assert "| sigmoid +" in shown or "+ sigmoid +" in shown
    assert "\\u03c3 -" in shown


def test_wide_characters_take_two_columns() -> None:
    shown = drawn(circuit("変数,2,3; x,1,1; f=× 変数 x,6,1")).split("\n")
    bare = drawn(circuit("abcd,2,3; x,1,1; f=× abcd x,6,1")).split("\n")
    assert [line.replace("変数", "abcd") for line in shown] == bare


def test_wide_characters_at_the_end_of_a_branch() -> None:
    assert (
        "\n" + drawn(circuit("x,3,6; f=× x x,9,1,無限,限"))
        == """
            ┌───┐
   3 ╭──────┤   │ f = 9
x ───┤ 無限 │ × ├───────▶
   6 ╰──────┤   │     1
         限 └───┘"""
    )


def test_hostile_names_stay_in_their_cells() -> None:
    for ascii_only in (False, True):
        shown = drawn(hostile(), 1000, ascii_only)
        assert shown.isascii() == ascii_only
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\ud800]", shown)
        assert "two\\x0alines ─" in shown or "two\\x0alines -" in shown


def boxes_and_texts(picture: ET.Element) -> tuple[list[tuple[float, ...]], list[tuple[str, tuple[float, ...]]]]:
    """Return the rectangles (left, top, right, bottom) of boxes, and those of the numbers."""
    boxes, texts = [], []
    for shape in picture.iter():
        get = {key: float(value) for key, value in shape.attrib.items() if re.fullmatch(r"-?[\d.]+", value)}
        if shape.get("class") == "shape" and shape.tag == f"{SVG}circle":
            x, y, r = get["cx"], get["cy"], get["r"]
            boxes.append((x - r, y - r, x + r, y + r))
        elif shape.get("class") == "shape":
            boxes.append((get["x"], get["y"], get["x"] + get["width"], get["y"] + get["height"]))
        elif shape.tag == f"{SVG}text" and shape.get("class") in ("value", "gradient"):
            text = "".join(shape.itertext())
            texts.append((text, (get["x"] - mono(text), get["y"] - 0.8 * NUMBER, get["x"], get["y"] + 2)))
    return boxes, texts


def points(path: str) -> list[tuple[float, float]]:
    """Return points all along a path of the commands M, H and C."""
    result: list[tuple[float, float]] = []
    for command, rest in re.findall(r"([MHC])([-\d. ]+)", path):
        numbers = [float(n) for n in rest.split()]
        if command == "M":
            result.append((numbers[0], numbers[1]))
        elif command == "H":
            x, y = result[-1]
            result += [(x + (numbers[0] - x) * k / 50, y) for k in range(1, 51)]
        else:
            p = [result[-1], *zip(numbers[::2], numbers[1::2], strict=True)]
            for k in range(1, 51):
                t = k / 50
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                result.append(tuple(sum(w * q[axis] for w, q in zip(weights, p, strict=True)) for axis in (0, 1)))
    return result


def apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize("seed", [*range(16), "hostile"])
def test_in_a_picture_nothing_overlaps(seed: int | str) -> None:
    one = randomly(seed, 2 * seed + 1) if isinstance(seed, int) else hostile()
    picture = ET.fromstring(svg_fragment(one, "t", "d"))
    boxes, texts = boxes_and_texts(picture)
    assert len(boxes) == len(one.boxes)
    assert all(apart(a, b) for a, b in combinations(boxes, 2))
    assert all(apart(a, b) for (_, a), (_, b) in combinations(texts, 2))
    assert all(apart(a, b) for a in boxes for _, b in texts)
    width, height = float(picture.get("width", "")), float(picture.get("height", ""))
    assert picture.get("viewBox") == f"0 0 {width:g} {height:g}"
    assert all(r[0] >= 0 and r[1] >= 0 and r[2] <= width and r[3] <= height for r in [*boxes, *(r for _, r in texts)])
    for k, wire in enumerate(one.wires):
        (path,) = (p.get("d", "") for p in picture.iter(f"{SVG}path") if p.get("id") == f"wire-{k}")
        line = points(path)
        left, top, right, bottom = boxes[wire.source]
        assert line[0] == (right, (top + bottom) / 2)
        left, top, right, bottom = boxes[wire.target]
        assert left <= line[-1][0] < (left + right) / 2
        assert top < line[-1][1] < bottom
        for x, y in line:
            assert not any(r[0] < x < r[2] and r[1] < y < r[3] for _, r in texts)
            assert not any(r[0] < x < r[2] and r[1] < y < r[3] for b, r in enumerate(boxes) if b not in wire[:2])


@pytest.mark.parametrize("seed", range(10))
def test_a_wire_of_a_picture_ends_on_the_outline(seed: int) -> None:
    one = randomly(seed)
    picture = ET.fromstring(svg_fragment(one, "t", "d"))
    groups = {g.get("id"): g for g in picture.iter(f"{SVG}g")}
    paths = {p.get("id"): p.get("d", "") for p in picture.iter(f"{SVG}path")}
    for k, wire in enumerate(one.wires):
        x, y = points(paths[f"wire-{k}"])[-1]
        shape = next(s for s in groups[f"box-{wire.target}"] if s.get("class") == "shape")
        if shape.tag == f"{SVG}circle":
            cx, cy, r = (float(shape.get(key, "")) for key in ("cx", "cy", "r"))
            assert abs(((x - cx) ** 2 + (y - cy) ** 2) ** 0.5 - r) < 1
        else:
            assert x == float(shape.get("x", ""))


def test_values_stand_above_the_wire_and_gradients_below() -> None:
    picture = ET.fromstring(svg_fragment(SWAPPED, "t", "d"))
    found = {e.get("id"): e for e in picture.iter() if e.get("id")}
    for b in range(len(SWAPPED.boxes)):
        k = next((k for k, w in enumerate(SWAPPED.wires) if w.source == b), None)
        if k is not None:
            height = points(found[f"wire-{k}"].get("d", ""))[0][1]
            assert float(found[f"value-{b}"].get("y", "")) < height < float(found[f"gradient-{b}"].get("y", "")) - 9
    flow, end = found["flow-0"], points(found["wire-0"].get("d", ""))[-1][1]
    assert flow.text == "1"
    assert float(flow.get("y", "")) > end + 9


@pytest.mark.parametrize("seed", range(10))
def test_what_flows_back_stands_below_the_straight_end_of_its_wire(seed: int) -> None:
    picture = Picture(randomly(seed))
    drawing = ET.fromstring(svg_fragment(picture.circuit, "t", "d"))
    found = {e.get("id"): e for e in drawing.iter() if e.get("id")}
    for k, wire in enumerate(picture.circuit.wires):
        if (flow := found.get(f"flow-{k}")) is not None:
            bend = picture.begins[picture.place.rank[wire.target]]
            assert float(flow.get("x", "")) - mono(flow.text or "") > bend


@pytest.mark.parametrize("seed", SEEDS)
def test_wires_of_a_picture_have_no_kinks(seed: int) -> None:
    picture = Picture(randomly(seed, 2 * seed + 1))
    steps = [abs(after - before) for k in range(len(picture.circuit.wires)) for _, before, after in picture.links(k)]
    assert not [step for step in steps if 0 < step <= SLACK]


@pytest.mark.parametrize("seed", range(10))
def test_what_flows_back_stands_nearer_to_its_own_wire(seed: int) -> None:
    one = randomly(seed)
    picture = ET.fromstring(svg_fragment(one, "t", "d"))
    found = {e.get("id"): e for e in picture.iter() if e.get("id")}
    ends = [points(found[f"wire-{k}"].get("d", ""))[-1][1] for k in range(len(one.wires))]
    for into in incoming(one):
        for k, following in pairwise(into):
            if f"flow-{k}" in found:
                # Between the middle of its digits and the wires above and below.
                middle = float(found[f"flow-{k}"].get("y", "")) - 0.35 * NUMBER
                assert middle - ends[k] < ends[following] - middle


def test_a_long_name_widens_its_layer() -> None:
    one = circuit("x,1,1; a=σ x,1,1; b=σ a,1,1; c=σ b,1,1")
    one = one._replace(clusters=(Cluster("a layer with a name " * 3, (1,)), Cluster("next", (2,))))
    picture = ET.fromstring(svg_fragment(one, "t", "d"))
    first, second = (g for g in picture.iter(f"{SVG}g") if g.get("class") == "layer")
    x, label = (float(first[1].get("x", "")), first[1].text or "")
    right = float(first[0].get("x", "")) + float(first[0].get("width", ""))
    assert x + sans(label, NUMBER) <= right < float(second[0].get("x", ""))


def test_a_picture_is_accessible_and_says_kinds() -> None:
    one = circuit("x,3,1; 2,2,; q=σ x,1,1; f=× q 2,2,1")
    one = one._replace(boxes=tuple(box._replace(detail=f"{box.name}!") for box in one.boxes))
    text = svg(one, "A title", "Words & more")
    picture = ET.fromstring(text.encode())
    assert text.startswith("<?xml")
    assert svg_fragment(one, "A title", "Words & more") in text
    assert picture.get("role") == "img"
    assert [picture[k].text for k in (0, 1)] == ["A title", "Words & more"]
    groups = {g.get("id"): g for g in picture.iter(f"{SVG}g")}
    assert [groups[f"box-{k}"].get("class") for k in range(4)] == [
        "box input",
        "box constant",
        "box shortcut",
        "box gate",
    ]
    assert groups["box-2"][0].text == "q!"
    assert sum("inner" in (s.get("class") or "") for s in groups["box-2"]) == 1
    assert "script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "prefers-color-scheme:dark" in text


def test_styles_of_a_picture_reach_nothing_else() -> None:
    style = re.search(r"<style>(.*?)</style>", svg_fragment(LECTURE, "t", "d"), re.S)
    assert style
    for rule in re.findall(r"([^{}]+)\{[^{}]*\}", style[1].replace("@media (prefers-color-scheme:dark){", "")):
        assert all(selector.strip().startswith(".circuit") for selector in rule.split(",")), rule


def test_hostile_names_are_text_in_a_picture() -> None:
    one = hostile()
    picture = ET.fromstring(svg(one, HOSTILE[0], HOSTILE[6]).encode())
    assert picture[0].text == spelled(HOSTILE[0])
    groups = {g.get("id"): g for g in picture.iter(f"{SVG}g")}
    for k, name in enumerate(HOSTILE):
        label = next(t for t in groups[f"box-{k}"] if t.get("class") == "label")
        assert label.text == spelled(name)
    tags = {element.tag.removeprefix(SVG) for element in picture.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "circle", "path", "g", "text", "tspan"}


@pytest.mark.parametrize("seed", range(10))
def test_a_layer_covers_its_own_boxes_alone(seed: int) -> None:
    one = randomly(seed, 20)
    picture = ET.fromstring(svg_fragment(one, "t", "d"))
    boxes, _ = boxes_and_texts(picture)
    clusters = {cluster.label: set(cluster.boxes) for cluster in one.clusters}
    for layer in (g for g in picture.iter(f"{SVG}g") if g.get("class") == "layer"):
        x, y, width, height = (float(layer[0].get(key, "")) for key in ("x", "y", "width", "height"))
        label = layer[1].text or ""
        covered = {b for b, r in enumerate(boxes) if not apart(r, (x, y, x + width, y + height))}
        assert covered == clusters.pop(label)
        assert sans(label, NUMBER) <= width
        assert all(r[1] > float(layer[1].get("y", "")) + 3 for r in boxes)


STRING = r'"(?:[^"\\\n]|\\.)*"'
DOT = re.compile(
    rf"digraph circuit \{{|\}}|  (?:graph|node|edge|b\d+|out\d+) \[(?:[^\"<>\n]|{STRING})*\];"
    rf"|  subgraph cluster_\d+ \{{ (?:[^\"<>{{}}\n]|{STRING})*\}}"
    r"|  b\d+ -> (?:b|out)\d+( \[label=<(?:<font color=\"#\w+\">[^<>\n]*</font>(?:<br/>)?)+>\])?;"
)
WORDS = r"(?:[^\W_]|[^\x00-\x7f]|[ ,=]|[.+-](?=\w)|#\d+;)*"
LABEL, INSIDE = f'"{WORDS}(?: [|] {WORDS})?"', f'"{WORDS}(?:<br/>gradient {WORDS})?"'
MERMAID = re.compile(
    rf"flowchart LR| +b\d+(?:\(\[{INSIDE}\]\)|\({INSIDE}\)|\(\({INSIDE}\)\)|\[\[{INSIDE}\]\])"
    rf"|  subgraph layer\d+\[{LABEL}\]|  end"
    rf"|  b\d+ -->(?:\|{LABEL}\|)? (?:b\d+|out\d+\[\" \"\])|  style out\d+ fill:none,stroke:none"
    r"|  classDef constant [\w:, -]+|  class [b\d,]+ constant"
)


@pytest.mark.parametrize("one", [hostile(), *map(randomly, range(8))])
def test_text_for_other_tools_is_well_formed(one: Circuit) -> None:
    formats = [
        (dot(one, HOSTILE[1] + HOSTILE[8]), DOT, r"^  b(\d+) -> b(\d+)"),
        (mermaid(one), MERMAID, r"^  b(\d+) -->.* b(\d+)$"),
    ]
    for text, grammar, arrow in formats:
        assert text.endswith("\n")
        for line in text[:-1].split("\n"):
            assert grammar.fullmatch(line), line
        arrows = re.findall(arrow, text, re.M)
        assert Counter(arrows) == Counter((str(w.source), str(w.target)) for w in one.wires)


def test_labels_in_other_formats() -> None:
    assert '  b0 [label="a\\"b", ' in dot(circuit('a"b,1,1'), "t")
    assert '  b0 [label="\\\\N &amp;amp;", ' in dot(Circuit((Box("\\N &amp;", INPUT, "x", "1", "1"),), ()), "t")
    assert '  b3 -> b4 [label=<<font color="#1a7f37">q = 3</font><br/><font color="#cf222e">-4</font>>];' in dot(
        LECTURE, "t"
    )
    assert "#93;</font>" in dot(circuit("],2,],; f=σ ],1,1"), "t")
    assert '  b0(["a#34;b"])\n' in mermaid(circuit('a"b,1,1'))
    assert '  b0(["#95;x#95;"])\n' in mermaid(circuit("_x_,1,1"))
    assert '  b3 -->|"#160;q = 3 | -4#160;"| b4\n' in mermaid(LECTURE)
    assert '"1#46; one"' in mermaid(circuit("1. one,1,1"))
    assert "class b1 constant" in mermaid(circuit("x,3,1; 2,2,; f=× x 2,2,1"))


def test_other_formats_give_the_whole_gradient_where_a_wire_branches() -> None:
    assert 'xlabel="gradient 6", ' in dot(SQUARE, "t").replace("];", ", ")
    assert '  b0(["x<br/>gradient 6"])\n' in mermaid(SQUARE)
    assert "gradient" not in dot(LECTURE, "t") + mermaid(LECTURE)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("one", [hostile(), randomly(3)])
def test_graphviz_reads_it(one: Circuit) -> None:
    run = subprocess.run(
        ["dot", "-Tplain"], input=dot(one, HOSTILE[0]), capture_output=True, encoding="utf-8", check=True
    )
    assert run.stderr == ""
    assert sum(line.startswith("node ") for line in run.stdout.split("\n")) == len(one.boxes) + 1


def test_the_same_circuit_gives_the_same_bytes() -> None:
    for seed in range(5):
        first, second = randomly(seed), randomly(seed)
        assert svg(first, "t", "d") == svg(second, "t", "d")
        assert dot(first, "t") == dot(second, "t")
        assert mermaid(first) == mermaid(second)
        assert circuit_lines(first, 200) == circuit_lines(second, 200)


def test_a_gate_between_two_leaves_stands_in_the_middle_if_asked() -> None:
    one = circuit("x,1,1; y,1,1; f=+ x y,1,1")
    sizes = [size(into) for into in incoming(one)]
    x, y, f = arrange(one, sizes, 8, centred=True).y
    assert 2 * f == x + y
    assert sweeps._median([(0, 16), (10, 16)], True) == 5
    assert sweeps._median([(0, 16), (10, 16)], False) == 0


def test_a_gate_of_leaves_of_its_own_stands_next_to_its_user() -> None:
    """`exp` has one operand that gets longer by what its output saves, so it comes along to the right."""
    one = circuit("a,1,1; b,1,1; x,1,1; p=× a b,1,1; q=exp p,1,1; r=σ x,1,1; s=σ r,1,1; t=σ s,1,1; f=+ t q,1,1")
    place = arrange(one, [size(into) for into in incoming(one)], 2)
    names = {box.name: place.rank[b] for b, box in enumerate(one.boxes)}
    assert (names["q"], names["p"], names["a"]) == (names["f"] - 1, names["f"] - 2, names["f"] - 3)


def test_tracks_are_ordered_for_few_crossings() -> None:
    """Two wires that both go down: the lower one must turn first."""
    upper, lower = Net(0, 1, (5,), (2,)), Net(1, 3, (7,), (3,))
    assert tracks([upper, lower]) == {1: 0, 0: 1}


def test_marks_stay_with_their_letters() -> None:
    assert "x\u0302 ─" in drawn(circuit("x\u0302,2,1; f=σ x\u0302,1,1"))
    assert "\u25cc\u0301x ─" in drawn(circuit("\u0301x,2,1; f=σ \u0301x,1,1"))


def test_a_long_wire_counts_for_more_than_a_short_one() -> None:
    bends = sweeps.RankedNet(1, [], [[]] * 3, [[]] * 3, [Size(0, 0, (0,))] * 3)
    weights = [sweeps._weight(sweeps.Link(a, b, 0), bends) for a, b in ((0, 0), (0, 1), (1, 2))]
    assert weights == sorted(set(weights))


def test_of_equally_short_drawings_the_straighter_one_is_taken() -> None:
    sizes = [Size(0, 0, (0,)), Size(0, 0, (0,))]
    link = sweeps.Link(0, 1, 0)
    net = sweeps.RankedNet(2, [link], [[], [link]], [[link], []], sizes)
    assert sweeps._cost([0, 0], net)[1] == 0
    assert sweeps._cost([0, 1], net)[1] == 1
