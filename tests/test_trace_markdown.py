"""The Markdown page: what a renderer makes of it, that names stay names, and GitHub's limits."""

from __future__ import annotations

import math
import re
from functools import cache

import pytest
from trace_examples import NAMED, NAMES, example, numbers

from gradcheck.deriving.records import CONSTANT, shape_of
from gradcheck.deriving.tracer import trace
from gradcheck.writing.trace.equations import Equations
from gradcheck.writing.trace.markdown import cell, code, fenced, markdown, phrase, prose

markdown_it = pytest.importorskip("markdown_it")

EVERY = [*NAMED, "hostile"]

FORBIDDEN = (r"\operatorname", r"\mbox", r"\phantom", r"\boxed", r"\hspace", r"\ensuremath", r"\newcommand", r"\href")

VALUE, GRADIENT = "#2da44e", "#e5534b"


@cache
def page(name: str) -> str:
    return markdown(example(name))


def tokens(text: str) -> list[object]:
    """Return all tokens of a page as GitHub reads it, those within paragraphs too."""
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = []
    for token in parser.parse(text):
        found += [token, *(token.children or [])]
    return found


def blocks(text: str, kind: str) -> list[str]:
    return [token.content for token in tokens(text) if token.type == "fence" and token.info == kind]


@pytest.mark.parametrize("name", EVERY)
def test_nothing_becomes_markup_that_is_not_ours(name: str) -> None:
    found = tokens(page(name))
    kinds = {token.type for token in found}
    assert not kinds & {"link_open", "image", "html_block", "em_open", "s_open", "hr", "blockquote_open", "code_block"}
    assert not kinds & {"ordered_list_open", "hardbreak", "lheading_open"}
    assert {token.content for token in found if token.type == "html_inline"} <= {"<code>", "</code>"}
    assert {token.info for token in found if token.type == "fence"} <= {"math", "mermaid", "text"}
    assert {token.tag for token in found if token.type == "heading_open"} <= {"h1", "h2", "h3"}
    assert sum(token.type == "heading_open" and token.tag == "h1" for token in found) == 1


@pytest.mark.parametrize("name", EVERY)
def test_rows_of_tables_are_as_long_as_their_headings(name: str) -> None:
    lines = page(name).splitlines()
    for k, line in enumerate(lines):
        if re.fullmatch(r"\|( -+:? \|)+", line):
            columns = line.count("|")
            begin = k - 1
            for row in lines[begin:]:
                if not row.startswith("|"):
                    break
                assert len(re.findall(r"(?<!\\)\|", row)) == columns


@pytest.mark.parametrize("name", EVERY)
def test_formulas_are_balanced_and_within_what_github_takes(name: str) -> None:
    for block in blocks(page(name), "math"):
        bare = re.sub(r"\\[{}\\]", "", block)
        assert bare.count("{") == bare.count("}")
        assert len(re.findall(r"\\left\b", block)) == len(re.findall(r"\\right\b", block))
        assert len(re.findall(r"\\begin\{", block)) == len(re.findall(r"\\end\{", block))
        assert block.count(r"\color") < 50
        assert not any(command in block for command in FORBIDDEN)
        assert not re.search(r"[\ue000-\ue00f]", block)
        assert not re.search(r"\\text\{[^{}]*\$", block)


@pytest.mark.parametrize("name", [name for name in NAMED if not name.startswith("stopped")])
@pytest.mark.parametrize("colour", [VALUE, GRADIENT])
def test_every_number_is_one_of_the_records(name: str, colour: str) -> None:
    found = example(name)
    shown = []
    for block in blocks(page(name), "math"):
        for text in re.findall(rf"\{{\\color\{{{colour}\}}((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}", block):
            inside = re.sub(r"\\(?:begin|end)\{pmatrix\}", "", text)
            if not inside.startswith(r"\text"):
                shown += [part.strip() for part in re.split(r"\\\\|&", inside)]
    values = [float(re.sub(r" \\times 10\^\{(-?\d+)\}", r"e\1", text).replace(r"\infty", "inf")) for text in shown]
    known = {value for value in numbers(found, colour == GRADIENT) if value == value}
    exact = 10.0 ** (1 - found.digits) / 2
    for value in values:
        assert any(math.isclose(value, one, rel_tol=exact) or value == one for one in known), value
    for one in found.derivation.quantities.values() if found.derivation.steps else ():
        wanted = one.gradient if colour == GRADIENT else one.value
        ours = getattr(one, "kind", "") == CONSTANT or (colour == GRADIENT and one.name == found.derivation.output)
        if wanted is None or ours or shape_of(wanted) or wanted != wanted:
            continue
        assert any(math.isclose(value, wanted, rel_tol=exact) or value == wanted for value in values), one.name


@pytest.mark.parametrize("name", ["lecture", "neuron", "staged", "powers of ten"])
def test_the_table_has_every_value_and_gradient(name: str) -> None:
    found = example(name)
    for one in found.derivation.quantities.values():
        if getattr(one, "kind", "") != CONSTANT:
            row = re.search(
                rf"^\| `{re.escape(one.name)}` \| (?:input|\[\d+\] \w+) \| (\S+) \| (\S+) \|$", page(name), re.M
            )
            assert row is not None
            assert math.isclose(float(row[1]), one.value, rel_tol=5e-6)
            assert math.isclose(float(row[2]), one.gradient, rel_tol=5e-6)


def test_the_lecture_is_what_a_teacher_would_write() -> None:
    text = page("lecture")
    bare = re.sub(r"\{\\color\{#\w+\}([^{}]*)\}", r"\1", text)
    assert text.startswith("# `(x+y)*z`\n\n`f` = -12 at `x` = -2, `y` = 5, `z` = -4\n\n## Circuit\n")
    assert "\n```mermaid\nflowchart LR\n" in text
    assert r"q &= x + y = -2 + 5 = 3 && \text{[1] add} \\" in bare
    assert "**[2]** mul switches: each input gets the upstream gradient times the other\n\n```math\n" in bare
    assert r"\frac{\partial f}{\partial z} &= \frac{\partial f}{\partial f} \cdot q = 1 \cdot 3 = \mathbf{3}" in bare
    assert "| `x` | -2 | -4 | -4 | -4 ± 9e-16 | agree |" in text
    assert "- ∂`f`/∂`z` = `x + y`" in text
    assert "**What it means:** raise x by 0.01 and f falls by about 0.04 (tried out)." in text
    assert "Exit status" not in text


def test_a_fork_is_a_sum_that_names_the_stages() -> None:
    bare = re.sub(r"\{\\color\{#\w+\}([^{}]*)\}", r"\1", page("staged"))
    total = r"\underbrace{1.58319}_{[4]} + \underbrace{(-0.0357615)}_{[3]} + \underbrace{0.512144}_{[2]}"
    assert rf"\frac{{\partial f}}{{\partial x}} &= {total} = \mathbf{{2.05957}}" in bare


def test_a_stopped_pass_says_so_and_has_no_gradients() -> None:
    text = page("stopped")
    assert "**The forward pass stops here.** log is not defined here: it needs x\\*y &#62; 0" in text
    assert r"\text{undefined}" in text
    assert "## Backward" not in text
    assert "mermaid" not in text


def test_what_was_asked_for_is_there() -> None:
    assert "## Why df/dx, the sum over 3 paths from x to f\n\n```text\n" in page("asked")
    assert "## Forward mode, a pass for each input number\n\n```text\n" in page("asked")


def test_a_circuit_that_mermaid_refuses_is_left_out() -> None:
    assert blocks(page("deep"), "mermaid")
    edges = markdown(trace("+".join(["x"] * 300), {"x": 1.0}))
    assert not blocks(edges, "mermaid")
    names = [f"{'x' * 900}{k}" for k in range(60)]
    assert not blocks(markdown(trace("+".join(names), dict.fromkeys(names, 1.0))), "mermaid")


def test_remarks_say_what_was_summed_and_where_a_convention_decides() -> None:
    assert "summed over axis 0: y was broadcast" in page("broadcast")
    assert "x: not differentiable here; a convention decides." in page("kink")


def test_hostile_names_stand_in_code() -> None:
    spans = {token.content for token in tokens(page("hostile")) if token.type == "code_inline"}
    for key in ("x", "z", "w", "u", "f"):
        assert NAMES[key] in spans
    text = page("hostile")
    assert "<img" not in re.sub(r"`[^`]*`", "", re.sub(r"(?s)```+.*?\n```+", "", text))
    assert "```math" not in "".join(blocks(text, "math"))


@pytest.mark.parametrize("name", ["`x`", "``", "a`b", " x ", "|", "a|b", "\\|", "x\n```\ny", "", "<b>", "$$", "_a_"])
def test_names_come_back_from_code_spans_and_cells(name: str) -> None:
    seen = name.replace("\n", "\\x0a") or " "
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table")
    inline = parser.parse(f"a {code(name)} b")[1].children
    assert [token.content for token in inline if token.type == "code_inline"] == [seen]
    html = parser.render(f"| a | b |\n|---|---|\n| {cell(name)} | end |\n")
    found = re.findall(r"<td>(.*)</td>", html)
    shown = found[0].replace("&lt;", "<").replace("&gt;", ">")
    assert shown == f"<code>{seen}</code>"
    assert found[1:] == ["end"]


@pytest.mark.parametrize(
    "text",
    [
        *NAMES.values(), "# h", "- a", "+ a", "1. a", "12) a", "=== a", "[a](b)", "[a]: b", "![a](b)", "https://b.c",
        "<!-- a -->", "&lt;", "~~a~~", "`a", "\\*a*", "a|b", "$x$",
    ],
)  # fmt: skip
def test_prose_is_shown_as_it_is(text: str) -> None:
    from html import unescape

    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    html = parser.render(prose(text) + "\n")
    assert re.fullmatch(r"<p>[^<]*</p>\n", html)
    seen = unescape(html[3:-5])
    escaped = {"\n": "\\x0a", "\x1b": "\\x1b", "\u202e": "\\u202e", "\ud800": "\\ud800"}
    assert seen == "".join(escaped.get(c, c) for c in text)


@pytest.mark.parametrize(("text", "shown"), [("2.5", "2.5"), ("-2", "-2"), ("[0.1, 2]", "[0.1, 2]"), ("a_b", r"a\_b")])
def test_numbers_in_phrases_stay_readable(text: str, shown: str) -> None:
    assert phrase(text) == shown


def test_a_fence_is_longer_than_what_it_holds() -> None:
    assert fenced("math", "a\n```\nb") == "````math\na\n```\nb\n````"
    assert fenced("math", "a") == "```math\na\n```"


def test_letters_that_a_web_page_can_show_are_shown() -> None:
    found = example("lecture")
    d = found.derivation
    names = {leaf.name: new for leaf, new in zip(d.leaves, ("größe", "中", "x"), strict=True)}
    leaves = tuple(leaf._replace(name=names[leaf.name]) for leaf in d.leaves)
    text = Equations(d._replace(leaves=leaves), 6).name("größe")
    assert r"\text{\ss}" in text
    changed = found._replace(derivation=d._replace(leaves=leaves, steps=()), report=None, meaning="")
    shape = changed._replace(derivation=changed.derivation._replace(stopped="here"))
    assert r"gr\ddot{o}\text{ß}e" in markdown(shape)
    assert r"\text{中} &=" in markdown(shape)
