"""The sheet of a derivation: laid out once, set by a table a format."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, get_args

import pytest
from trace_examples import EXPRESSIONS, NAMED, example

from gradcheck.deriving import sheet as blocks
from gradcheck.deriving.records import HIDDEN
from gradcheck.deriving.sheet import Backward, Block, ForwardBlock, flat, set_blocks, sheet
from gradcheck.deriving.tracer import trace
from gradcheck.writing.formats import DERIVATION, written
from gradcheck.writing.trace import html, html_blocks, html_page, html_steps, latex, markdown, text
from gradcheck.writing.trace.text import lines

TABLES: dict[str, tuple[Mapping[Any, Any], ...]] = {
    "text": text.SECTIONS,
    "markdown": (markdown.SETTERS,),
    "latex": (latex.SETTERS,),
    "html": (html.HEADER, html.SECTIONS),
}

MODULES = {"text": text, "markdown": markdown, "latex": latex, "html": html}


def only(kind: type[Any], found: tuple[Block, ...]) -> Any:
    (one,) = (block for block in found if type(block) is kind)
    return one


@pytest.mark.parametrize("name", TABLES)
def test_every_writer_sets_every_kind_of_block_once(name: str) -> None:
    kinds = [kind for table in TABLES[name] for kind in table]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) == set(get_args(Block))


LEFT_OUT = {
    "text": {blocks.NamesBlock, blocks.Values},
    "markdown": {blocks.Chosen, blocks.NoGates},
    "latex": {blocks.CircuitBlock, blocks.Values, blocks.Chosen, blocks.NoGates},
    "html": {blocks.NamesBlock, blocks.Values, blocks.Chosen, blocks.NoGates},
}
"""Format → the blocks that it has no place for."""


@pytest.mark.parametrize("name", TABLES)
def test_every_kind_of_block_that_a_format_has_comes_to_something(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = set()

    def record(page: Any, laid: Any, table: Any) -> list[Any]:
        shown.update(kind for kind, put in table.items() for one in laid if type(one) is kind and list(put(page, one)))
        return set_blocks(page, laid, table)

    monkeypatch.setattr(MODULES[name], "set_blocks", record)
    for found in [*map(example, [*NAMED, "hostile"]), trace("x*y")]:
        lines(found, 100) if name == "text" else written(name, DERIVATION, found)
    assert shown == set(get_args(Block)) - LEFT_OUT[name]


def test_a_table_gives_the_order_and_a_new_kind_of_block_is_a_row() -> None:
    class New(blocks.Hidden):
        pass

    laid: Any = [blocks.Hidden(3), blocks.MeaningBlock("so"), New(4)]
    table: Any = {blocks.MeaningBlock: lambda page, block: [page + block.text]}
    assert set_blocks("> ", laid, table) == ["> so"]
    table |= {New: lambda page, block: ["new"] * 2, blocks.Hidden: lambda page, block: [str(block.stages)]}
    assert set_blocks("> ", laid, table) == ["> so", "new", "new", "3"]
    table |= blocks.without(blocks.MeaningBlock, New)
    assert set_blocks("> ", laid, table) == ["3"]


@pytest.mark.parametrize("module", [text, markdown, latex, html, html_blocks, html_steps, html_page])
def test_no_writer_walks_the_derivation(module: Any) -> None:
    tree = ast.parse(inspect.getsource(module))
    loops = [node.iter for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension))]
    inside = {one.attr for loop in loops for one in ast.walk(loop) if isinstance(one, ast.Attribute)}
    assert not inside & {"steps", "flows", "forks"}


@pytest.mark.parametrize("name", NAMED)
def test_the_sheet_holds_every_stage_every_contribution_and_every_sum_once(name: str) -> None:
    d, found = example(name).derivation, sheet(example(name))
    assert flat(only(ForwardBlock, found).layers) == list(d.steps)
    if d.stopped or not d.steps:
        assert Backward not in map(type, found)
        return
    backs = flat(only(Backward, found).layers)
    assert [back.step for back in backs] == [step for step in reversed(d.steps) if step.flows]
    assert [share.flow for back in backs for share in back.shares] == [flow for b in backs for flow in b.step.flows]
    sums = {one.name: back.step.number for back in backs for one in back.sums}
    for one in d.quantities.values():
        steps = [part.step for part in one.parts if part.step != HIDDEN]
        assert sums.get(one.name) == (min(steps) if len(one.parts) > 1 and steps else None)


@pytest.mark.parametrize("name", NAMED)
def test_layers_are_headed_where_they_begin(name: str) -> None:
    d, found = example(name).derivation, sheet(example(name))
    layers = only(ForwardBlock, found).layers
    kinds = {block.name: block.kind for block in d.blocks}
    for layer in layers:
        assert {step.block for step in layer.lines} == {layer.name or None}
        assert layer.kind == kinds.get(layer.name, "")
    names = [layer.name for layer in layers]
    assert all(one != other for one, other in pairwise(names))


def test_the_legend_speaks_of_what_is_there() -> None:
    legends = {name: only(Backward, sheet(example(name))).legend for name in ("lecture", "shallow", "kink", "neuron")}
    assert legends["lecture"] == (frozenset({"agree"}), False, True, False)
    assert legends["shallow"].hidden
    assert "kink" in legends["kink"].words
    assert legends["neuron"].rounded
    assert not only(Backward, sheet(example("lecture")._replace(digits=1))).legend.rounded


def test_a_path_from_an_input_that_is_not_shown_has_its_name() -> None:
    expression, at, _ = EXPRESSIONS["shallow"]
    found = trace(expression, at, depth=1, why="x")
    assert "x" not in found.derivation.quantities
    for name in ("html", "markdown", "latex"):
        assert written(name, DERIVATION, found)
    assert "<mi>x</mi>" in written("html", DERIVATION, found)


def test_letters_that_tex_lacks_stand_on_a_web_page_as_they_are() -> None:
    found = trace("größe*中 + asinh(größe)", "größe=0.5,中=2")
    assert r"\text{ß}" in written("markdown", DERIVATION, found)
    assert r"\text{中}" in written("markdown", DERIVATION, found)
    assert r"\mathrm{arsinh}" in written("markdown", DERIVATION, found)
    assert r"\text{U+4E2D}" in written("latex", DERIVATION, found)
    assert r"\operatorname{arsinh}" in written("latex", DERIVATION, found)
