"""Specs as trees: values, places, refusals, bounds on hostile files, and that both YAML parsers agree."""

from __future__ import annotations

import json
import math
import os
import pathlib
import random
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.errors import GradcheckError, LanguageError, Source, SpecError
from gradcheck.language.parser import parse
from gradcheck.networks.document import MAX_BYTES, MAX_PROBLEMS, decode, documents, read_file
from gradcheck.networks.tree import MAX_DIGITS, List, Map, Node, Scalar, numbers
from gradcheck.networks.yaml_syntax import COLUMN

PARSERS = pytest.mark.parametrize("pure", [False, True], ids=["C", "Python"])

SPEC = """\
# a small network
gradcheck: 1
name: "xor — π"
inputs:
  x: [[0.5, -1.0], [1.5, 0.25]]
  t: {value: [0, 2], dtype: int64}
layers:
- {name: fc1, type: Linear, in_features: 2, out_features: 3}
- "Tanh()"
- name: fc2
  type: Linear
ops:
  swish:
    args: x
    forward: x*sigmoid(x)
    backward: {x: "g*(out + sigmoid(x)*(1 - out))"}
    note: |
      two
        lines
loss: {type: CrossEntropyLoss, target: t}
expect: {loss: 0.949, eps: 1e-6}
"""


def tree(text: str, pure: bool = False) -> Node:
    roots, problems, _ = documents(Source(text, "n.yaml"), pure)
    assert [p.render() for p in problems] == []
    assert len(roots) == 1
    return roots[0]


def plain(node: Node) -> Any:
    """The tree as Python's own values."""
    if isinstance(node, Map):
        return {key: plain(value) for key, (_, value) in node.items.items()}
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def nodes(node: Node) -> list[Node]:
    if isinstance(node, Map):
        return [node, *(n for key, value in node.items.values() for n in (key, *nodes(value)))]
    return [node, *(n for item in node.items for n in nodes(item))] if isinstance(node, List) else [node]


def scalar_places(root: Node) -> list[tuple[int, int]]:
    return [node.span for node in nodes(root) if isinstance(node, Scalar) and node.text]


def complaints(text: str, pure: bool = False) -> list[tuple[str, str, str | None]]:
    """Each problem as its place, its message and its hint."""
    found = []
    for problem in documents(Source(text, "n.yaml"), pure)[1]:
        assert isinstance(problem, SpecError)
        assert problem.source is not None
        assert problem.span is not None
        line, column = problem.source.position(problem.span[0])
        found.append((f"{line}:{column}", problem.message, problem.hint))
    return found


@PARSERS
def test_a_spec(pure: bool) -> None:
    assert plain(tree(SPEC, pure)) == {
        "gradcheck": 1,
        "name": "xor — π",
        "inputs": {"x": [[0.5, -1.0], [1.5, 0.25]], "t": {"value": [0, 2], "dtype": "int64"}},
        "layers": [
            {"name": "fc1", "type": "Linear", "in_features": 2, "out_features": 3},
            "Tanh()",
            {"name": "fc2", "type": "Linear"},
        ],
        "ops": {
            "swish": {
                "args": "x",
                "forward": "x*sigmoid(x)",
                "backward": {"x": "g*(out + sigmoid(x)*(1 - out))"},
                "note": "two\n  lines\n",
            }
        },
        "loss": {"type": "CrossEntropyLoss", "target": "t"},
        "expect": {"loss": 0.949, "eps": 1e-6},
    }


CORE = [
    ("1e-6", 1e-6),
    ("1E5", 1e5),
    ("-1.5e+3", -1500.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("+1", 1),
    ("-0", 0),
    ("012", 12),
    ("0o17", 15),
    ("0x1F", 31),
    ("-.inf", -math.inf),
    (".Inf", math.inf),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("tRUE", "tRUE"),
    ("1_000", "1_000"),
    ("0b101", "0b101"),
    ("0o8", "0o8"),
    ("-0x1F", "-0x1F"),
    ("1:30", "1:30"),
    ("2020-01-01", "2020-01-01"),
    ("inf", "inf"),
    ("nan", "nan"),
    ("1e", "1e"),
    (".", "."),
    ("1.2.3", "1.2.3"),
    ("١٢", "١٢"),
    ("=", "="),
    ("'12'", "12"),
    ('"true"', "true"),
    ('"\\x41\\u00e9"', "Aé"),
    ("!!str 12", "12"),
    ("!!int 12", 12),
    ("! 12", "12"),
    ("!!null ~", None),
    ("x == 3", "x == 3"),
    ("a#b", "a#b"),
    ("9" * MAX_DIGITS, int("9" * MAX_DIGITS)),
]


@PARSERS
@pytest.mark.parametrize(("text", "value"), CORE, ids=[text[:20] for text, _ in CORE])
def test_scalars_mean_what_the_core_schema_says(text: str, value: Any, pure: bool) -> None:
    found = plain(tree(f"k: {text}\n", pure))["k"]
    assert (type(found), found) == (type(value), value)


def test_nan() -> None:
    assert math.isnan(plain(tree("k: .nan"))["k"])


def test_keys_are_text() -> None:
    root = tree("1: a\ntrue: b\n'<<': c\n1e3: d\n")
    assert plain(root) == {"1": "a", "true": "b", "<<": "c", "1e3": "d"}


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    # YAML takes a key of at most 1,024 characters, and no escaped half of a pair.
    | st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("abπ😀 :#", max_size=8), inner, max_size=5),
    max_leaves=20,
)


@PARSERS
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON_VALUES, min_size=1, max_size=4), st.booleans())
def test_json_is_read_as_json_does(pure: bool, value: Any, indented: bool) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2 if indented else None)
    if documents(Source(text), pure)[1]:
        # Python escapes no more than it must: what YAML cannot take raw is all that may be refused.
        assert "cannot stand in a spec" in documents(Source(text), pure)[1][0].message
        return
    assert plain(tree(text, pure)) == json.loads(text)


@PARSERS
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("emoji", ["", "😀é変"], ids=["ASCII", "emoji"])
def test_places_are_exact(ends: str, mark: str, emoji: str, pure: bool) -> None:
    text = mark + f"# {emoji}\nα{emoji}: &a word\nb: ['{emoji}', 12, *a ]\nc:\n- {{d: \"x\"}}\n- 7 # {emoji}\n\ne: f\n"
    text = text.replace("\n", ends)
    root = tree(text, pure)
    assert isinstance(root, Map)
    written = [text[slice(*n.span)] for n in nodes(root) if isinstance(n, Scalar)]
    assert written == [
        f"α{emoji}", "word", "b", f"'{emoji}'", "12", "word", "c", "d", '"x"', "7", "e", "f"
    ]  # fmt: skip
    assert text[slice(*root.items["b"][1].span)] == f"['{emoji}', 12, *a ]"
    assert text[slice(*root.items["c"][1].span)] == f'- {{d: "x"}}{ends}- 7'
    source = root.source
    assert source.position(root.items["e"][1].span[0]) == (8, 4)
    assert source.position(root.items["b"][1].items[1].span[0]) == (3, 9 + len(emoji))  # type: ignore[attr-defined]


@PARSERS
def test_a_node_begins_behind_its_anchor_and_tag(pure: bool) -> None:
    text = "a: &x\n  b: 1\nc: &y # note\n- 1\nd: !!seq &z [1]\ne: !!str &w 'q'\nf: &v\ng: [&u , 1]\n"
    root = tree(text, pure)
    assert isinstance(root, Map)
    parts = [text[slice(*value.span)] for _, value in root.items.values()]
    assert parts == ["b: 1", "- 1", "[1]", "'q'", "", "[&u , 1]"]


def test_empty_values_and_block_texts_have_places() -> None:
    text = "a:\nb: |2-\n    x\n\n   y\n\nc: !!str\nd: &q\n"
    root = tree(text)
    assert isinstance(root, Map)
    assert plain(root) == {"a": None, "b": "  x\n\n y", "c": "", "d": None}
    assert [root.source.position(value.span[0]) for _, value in root.items.values()] == [(1, 3), (2, 4), (7, 9), (8, 6)]
    assert text[slice(*root.items["b"][1].span)] == "|2-\n    x\n\n   y"


INNER = [
    ("k: x*(y+2)", "y+2", 1, 7),
    ("k: 'x*(y+2)'", "y+2", 1, 8),
    ('k: "x*(y+2)"', "y+2", 1, 8),
    ("k: 'it''s y'", "y", 1, 11),
    ("{k: &a 'x + y'}", "y", 1, 13),
    ("k: |\n  a = x\n  b = y\n", "y", 3, 7),
    ("k: |2-  # note\n     a = x\n\n    b = y\n", "y", 4, 9),
    ("k: >-\n  a = x +\n  y\n", "y", 3, 3),
    ("k: >\r\n  a = x +\r\n  y\r\n", "y", 3, 3),
    ("k: a +\n  b +\n   y", "y", 3, 4),
    ("k: 'a +\n\n  y'", "y", 3, 3),
    ("- k: !!str x + y", "y", 1, 16),
]


@PARSERS
@pytest.mark.parametrize(("text", "part", "line", "column"), INNER)
def test_a_part_of_a_text_has_its_own_place(text: str, part: str, line: int, column: int, pure: bool) -> None:
    scalar = nodes(tree(text, pure))[-1]
    assert isinstance(scalar, Scalar)
    start = scalar.text.index(part)
    span = scalar.inner(start, start + len(part))
    assert text[slice(*span)] == part
    assert scalar.source.position(span[0]) == (line, column)


def test_a_part_of_a_text_with_escapes_is_the_whole() -> None:
    scalar = nodes(tree('k: "x\\x2by"'))[-1]
    assert isinstance(scalar, Scalar)
    assert scalar.inner(2, 3) == scalar.span == (3, 11)
    assert scalar.inner(1, 2) == scalar.span
    assert scalar.inner(0, 1) == (4, 5)


def test_the_end_of_a_text_has_a_place() -> None:
    scalar = nodes(tree("k: 'x*'\n"))[-1]
    assert isinstance(scalar, Scalar)
    assert scalar.inner(2, 2) == (6, 6)
    assert scalar.inner(0, 0) == (4, 4)
    assert scalar.inner(2, 3) == scalar.span


def test_an_error_in_an_expression_points_into_the_file() -> None:
    scalar = nodes(tree("ops:\n  f: {forward: 'x*sgimoid(x)'}\n"))[-1]
    assert isinstance(scalar, Scalar)
    with pytest.raises(LanguageError) as caught:
        parse(Source(scalar.text))
    assert caught.value.span is not None
    again = SpecError(caught.value.message, scalar.source, scalar.inner(*caught.value.span), caught.value.hint)
    assert again.render() == (
        "n.yaml:2:19: error: unknown function `sgimoid`\n"
        "  2 |   f: {forward: 'x*sgimoid(x)'}\n"
        "    |                   ^^^^^^^\n"
        "  hint: did you mean `sigmoid`?"
    )


TAGS = "remove it, or put a text that begins with ! in quotes"
MISTAKES = [
    ("a: 1\nb: 2\na: 3\n", "3:1", "`a` is given twice", "it is given on line 1 already"),
    ("x: {b: 1, c: 2, 'b': 3}", "1:17", "`b` is given twice", "it is given on line 1 already"),
    ("? \n: 3\n", "1:2", "a key is missing here", "write `key: value`"),
    ("{: 3}", "1:2", "a key is missing here", "write `key: value`"),
    ("a: 1\n: 3\n", "2:1", "a key is missing here", "write `key: value`"),
    ("? [1, 2]\n: 3\n", "1:3", "a key must be a word", "lists, maps and aliases cannot be keys"),
    ("{{a: 1}: 3}", "1:2", "a key must be a word", "lists, maps and aliases cannot be keys"),
    ("a: &x b\n*x : 3\n", "2:1", "a key must be a word", "lists, maps and aliases cannot be keys"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3", "merge keys are not used in specs", "write the keys out"),
    ("a: !!python/object/apply:os.system [ls]", "1:4", "tags are not used in specs", TAGS),
    ("a: !thing 3", "1:4", "tags are not used in specs", TAGS),
    ("a: !!binary aGk=", "1:4", "tags are not used in specs", TAGS),
    ("a: !!set {x: null}", "1:4", "tags are not used in specs", TAGS),
    ("a: !!timestamp 2020-01-01", "1:4", "tags are not used in specs", TAGS),
    ("a: !!map [1]", "1:4", "tags are not used in specs", TAGS),
    ("a: !!float 3", "1:4", "this is not what the tag !!float says", "remove the tag"),
    ("a: !!int '3'", "1:4", "this is not what the tag !!int says", "remove the tag"),
    ("a: !e!x y", "1:4", "tags are not used in specs", "put a text that begins with ! in quotes"),
    ("a: *b\n", "1:4", "unknown alias", "no `&b` comes before it"),
    ("a: &b [1, *b]\n", "1:11", "a list or map that contains itself", "it stands inside what it names"),
    ("a: &b {c: {d: *b}}\n", "1:15", "a list or map that contains itself", "it stands inside what it names"),
    ("a: 1\n---\n---\nb: 1\n", "2:1", "this document is empty", "`---` separates specs: remove one"),
    ("a: 1\n---\n", "2:1", "this document is empty", "`---` separates specs: remove one"),
    ("# nothing\n", "1:1", "there is no spec in this file", None),
    ("a: " + "9" * 4001, "1:4", "a whole number of too many digits", "float64 holds 17"),
    ("a: 0x" + "9" * 4001, "1:4", "a whole number of too many digits", "float64 holds 17"),
    ("a:\n\tb: 1\n", "2:1", "a tab cannot indent a line", "indent with blanks"),
    ("a:\n  \tb: 1\n", "2:3", "a tab cannot indent a line", "indent with blanks"),
    ("a: |\n\tfoo\n", "2:1", "a tab cannot indent a line", "indent with blanks"),
    ("a: [1, 2\nb: 3\n", "1:4", "this `[` is not closed", "add `]`"),
    ("a: [\n", "1:4", "this `[` is not closed", "add `]`"),
    ("a: {b: [1], c: [2,\n", "1:16", "this `[` is not closed", "add `]`"),
    ("a: {x: [1, 2\n", "1:8", "this `[` is not closed", "add `]`"),
    ("a: {x: 1\nb: 2\n", "1:4", "this `{` is not closed", "add `}`"),
    ("a:\n  x: [[1, 2],\n    [3, 4]\n  y: 2\n", "2:6", "this `[` is not closed", "add `]`"),
    ("a: [1, 2}\n", "1:9", "expected `,` or `]` here", "`[` was opened on line 1"),
    ("a: ['x' 'y']\n", "1:9", "expected `,` or `]` here", "`[` was opened on line 1"),
    ("a: [1, 2]]\n", "1:10", "nothing is open that this `]` could close", None),
    ("a: }", "1:4", "nothing is open that this `}` could close", None),
    ("a: [1,,2]\n", "1:7", "a value is missing here", None),
    ('a: "abc\nb: 1\n', "1:4", "this quote is never closed", 'add " at the end of the text'),
    ("a: 'x\n---\nb: 1\n", "1:4", "this quote is never closed", "add ' at the end of the text"),
    ("a: 'it's'\n", "1:8", "unexpected text after the value", "put the whole value in quotes"),
    ('a: "x" y\n', "1:8", "unexpected text after the value", "put the whole value in quotes"),
    ("a: @x\n", "1:4", "a value cannot begin with `@`", "put the text in quotes"),
    ("a: %x\n", "1:4", "a value cannot begin with `%`", "put the text in quotes"),
    ("a: &\n", "1:4", "expected a name after `&`", "put a text that begins with `&` in quotes"),
    ("a: * b\n", "1:4", "expected a name after `*`", "put a text that begins with `*` in quotes"),
    ("%YAML 1.1\n%YAML 1.1\n---\na: 1\n", "2:1", "lines that begin with % are not used in specs", None),
    ("%YAML 3.0\n---\na: 1\n", "1:1", "lines that begin with % are not used in specs", None),
    ("a: b: c\n", "1:5", "a second `: ` on one line", "put a text that contains `: ` in quotes"),
    ("a: 1\n  b: 2\n", "2:3", "this line is indented too far", "keys of one map begin in the same column"),
    ("key:value\nb: 2\n", "1:4", "a blank is missing after `:`", "write `key: value`"),
    ("a: 1\nkey:value\nb: 2\n", "2:4", "a blank is missing after `:`", "write `key: value`"),
    ("a:1\nb:2\n", "1:2", "a blank is missing after `:`", "write `key: value`"),
    ("a: {b:1}\n", "1:6", "a blank is missing after `:`", "write `key: value`"),
    ("a: b\nc\nd: e\n", "2:1", "this line has no `:`", "a map is written `key: value`"),
    ("a\nb: 1\n", "1:1", "this line has no `:`", "a map is written `key: value`"),
    ("a:\n  b: 1\n c: 2\n", "3:2", "bad indentation", COLUMN),
    ("a:\n  - 1\n - 2\n", "3:2", "bad indentation", COLUMN),
    ("- 1\nb: 2\n", "2:1", "a key among the items of a list", "begin the line with `- `, or indent it below its item"),
    ("a: 1\n- 2\n", "2:1", "a list item among the keys of a map", "indent the list below its key"),
    ("a: - b\n", "1:4", "a list cannot begin on this line", "put `- ` on a line of its own, or write [a, b]"),
    ("a: |x\n foo\n", "1:5", "unexpected text after `|` or `>`", "the text begins on the next line"),
    ("a: 1\n...\nb: 2\n", "3:1", "expected `---` here", "it separates two specs in one file"),
    ("a: b\x1b[31m", "1:5", "the character U+001B cannot stand in a spec",
     "between double quotes it can be written as an escape"),
    ("a: 1\n# \u2028b: 2\n", "2:3", "the character U+2028 cannot stand in a spec",
     "between double quotes it can be written as an escape"),
    ("a: \ufeff1\n", "1:4", "the character U+FEFF cannot stand in a spec",
     "between double quotes it can be written as an escape"),
    ("a: 1\rb: 2\r", "1:5", "a line ends in a bare carriage return", "end lines with LF or CR LF"),
]  # fmt: skip


@PARSERS
@pytest.mark.parametrize(("text", "place", "message", "hint"), MISTAKES, ids=[repr(row[0])[:40] for row in MISTAKES])
def test_mistakes(text: str, place: str, message: str, hint: str | None, pure: bool) -> None:
    if pure and message in ("expected `---` here",):
        pytest.skip("the parser in Python says so in other words")
    assert complaints(text, pure) == [(place, message, hint)]


def test_unknown_escapes() -> None:
    hint = "between '…' a backslash is an ordinary character"
    assert complaints('a: "b\\q"') == [("1:6", "unknown escape in a text", hint)]
    assert complaints('a: "b\\q"', pure=True) == [("1:7", "unknown escape in a text", hint)]


def test_a_range_of_unicode_that_python_refuses() -> None:
    assert complaints('a: "\\UFFFFFFFF"', pure=True) == [("1:1", "this is not valid YAML", None)]


@PARSERS
def test_all_problems_are_collected(pure: bool) -> None:
    text = "a: 1\na: !x 2\nb: {c: 1, c: 2}\n? []\n: 5\nd: *no\n---\ne: 1\ne: 2\n---\nf: [1\n"
    assert [(place, message) for place, message, _ in complaints(text, pure)] == [
        ("2:1", "`a` is given twice"),
        ("2:4", "tags are not used in specs"),
        ("3:11", "`c` is given twice"),
        ("4:3", "a key must be a word"),
        ("6:4", "unknown alias"),
        ("9:1", "`e` is given twice"),
        ("11:4", "this `[` is not closed"),
    ]
    roots, _, _ = documents(Source(text), pure)
    assert [plain(root) for root in roots] == [{"e": 1}]


def test_refused_keys_and_tags_leave_the_rest() -> None:
    roots, problems, _ = documents(Source("a: 1\na: 2\n[x]: {y: [1]}\nb: !z 3\n<<: {q: 1}\nc: 4"))
    assert len(problems) == 4
    assert [plain(root) for root in roots] == [{"a": 1, "b": 3, "c": 4}]


def test_several_documents() -> None:
    roots, problems, _ = documents(Source("%YAML 1.2\n---\na: 1\n--- # two\n[b]\n...\n---\nc\n"))
    assert problems == []
    assert [plain(root) for root in roots] == [{"a": 1}, ["b"], "c"]


@PARSERS
def test_aliases(pure: bool) -> None:
    root = tree("a: &r [1, &s x]\nb: *r\nc: {d: *s, e: &r 5}\nf: *r\n", pure)
    assert plain(root) == {"a": [1, "x"], "b": [1, "x"], "c": {"d": "x", "e": 5}, "f": 5}
    assert isinstance(root, Map)
    assert root.items["b"][1] is root.items["a"][1]


def test_anchors_end_with_their_document() -> None:
    assert complaints("a: &x 1\n---\nb: *x\n") == [("3:4", "unknown alias", "no `&x` comes before it")]


def bounded(text: str, pure: bool) -> tuple[list[tuple[str, str, str | None]], float, int]:
    tracemalloc.start()
    begin = time.perf_counter()
    found = complaints(text, pure)
    seconds = time.perf_counter() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, seconds, peak


@PARSERS
def test_a_billion_laughs(pure: bool) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{k}: &a{k} [" + ", ".join([f"*a{k - 1}"] * 10) + "]" for k in range(1, 12)]
    found, seconds, peak = bounded("\n".join(lines), pure)
    # Up to a5 there are 1,234,566 values, and a5 stands for 1,111,111.
    assert [(p, m) for p, m, _ in found] == [("7:10", "more than 2,000,000 values when aliases are written out")]
    assert seconds < 1
    assert peak < 3_000_000


def test_laughs_spread_over_documents_are_counted_together() -> None:
    text = "---\n- &a [" + "1, " * 999 + "1]\n- [" + "*a, " * 500 + "]\n"
    assert complaints(text * 3) == []
    assert [message for _, message, _ in complaints(text * 5)] == [
        "more than 2,000,000 values when aliases are written out"
    ]


@PARSERS
@pytest.mark.parametrize("mark", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_depth_bombs(mark: str, pure: bool) -> None:
    found, seconds, peak = bounded(mark * 100_000, pure)
    assert [message for _, message, _ in found] == ["more than 64 levels of lists and maps"]
    assert found[0][0] == {"[": "1:65", "{a: ": "1:257", "- ": "1:129", "? ": "1:129", "[{a: ": "1:161"}[mark]
    assert seconds < 3
    assert peak < 20_000_000


@PARSERS
def test_a_depth_bomb_behind_a_spec(pure: bool) -> None:
    found = complaints("a: 1\n---\nb: " + "[" * 5000, pure)
    assert [(place, message) for place, message, _ in found] == [("3:67", "more than 64 levels of lists and maps")]


def test_depth_through_aliases() -> None:
    half = "[" * 40 + "]" * 40
    assert complaints(f"a: &x {half}\nb: *x") == []
    found = complaints(f"a: &x {half}\nb: " + "[" * 30 + "*x" + "]" * 30)
    assert [(place, message) for place, message, _ in found] == [
        ("2:34", "more than 64 levels when aliases are written out")
    ]


@PARSERS
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
def test_problems_have_exact_places(mark: str, pure: bool) -> None:
    text = mark + "é: [*no]\r\né: !x 2\r\n😀: [\r\n"
    problems = documents(Source(text), pure)[1]
    spans = [problem.span for problem in problems]
    assert None not in spans
    assert [text[slice(*span)] for span in spans if span] == ["*no", "é", "!x ", "["]
    text = mark + "é: 'x' yz\r\n"
    (problem,) = documents(Source(text), pure)[1]
    assert problem.span is not None
    assert text[slice(*problem.span)] == "y"


def test_as_many_values_as_there_may_be_through_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, 2]\nb: [*x, *x]\n"
    monkeypatch.setattr("gradcheck.networks.document.MAX_NODES", 13)
    assert complaints(text) == []
    for limit, place in ((12, "2:9"), (10, "2:9"), (9, "2:5")):
        monkeypatch.setattr("gradcheck.networks.document.MAX_NODES", limit)
        assert [where for where, _, _ in complaints(text)] == [place]


def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.networks.document.MAX_NODES", 1000)
    assert complaints("[" + "1," * 998 + "1]") == []
    assert complaints("[" + "1," * 999 + "1]") == [
        ("1:2000", "more than 1,000 values", "keep arrays in .npy or .npz files")
    ]


def test_thousands_of_problems() -> None:
    text = "\n".join(f"a: {k}" for k in range(20_000))
    begin = time.perf_counter()
    found = complaints(text)
    assert len(found) == MAX_PROBLEMS
    assert found[-1] == (f"{MAX_PROBLEMS + 1}:1", "`a` is given twice", "it is given on line 1 already")
    assert time.perf_counter() - begin < 2


ARRAYS = [
    ("5", [5.0], (), True),
    ("1e-3", [1e-3], (), False),
    ("[1, 2, 3]", [1.0, 2.0, 3.0], (3,), True),
    ("[[1, 2.0], [3, 4], [5, 6]]", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (3, 2), False),
    ("[[[1], [0x10]], [[0o10], [+4]]]", [1.0, 16.0, 8.0, 4.0], (2, 2, 1), True),
    ("[1e3, 2]", [1000.0, 2.0], (2,), False),
    ("[1, 2E0]", [1.0, 2.0], (2,), False),
    ("[-0, 0]", [0.0, 0.0], (2,), True),
    ("- - 1\n  - .5\n- - 5.\n  - -1E2\n", [1.0, 0.5, 5.0, -100.0], (2, 2), False),
    ("- &r [1, 2]\n- *r\n", [1.0, 2.0, 1.0, 2.0], (2, 2), True),
]


@pytest.mark.parametrize(("text", "flat", "shape", "whole"), ARRAYS)
def test_numbers(text: str, flat: list[float], shape: tuple[int, ...], whole: bool) -> None:
    found = numbers(tree(text))
    assert found == (flat, shape, whole)
    assert [math.copysign(1, number) for number in found[0]] == [math.copysign(1, number) for number in flat]


NOT_NUMBERS = [
    ("[[1, 2], [3]]", "1:10", "this list has 1 element, the first one has 2",
     "the lists of an array are equally long; the first one is on line 1"),
    ("- [1]\n- [2, 3]\n", "2:3", "this list has 2 elements, the first one has 1",
     "the lists of an array are equally long; the first one is on line 1"),
    ("[[[1], [2]], [[3], [4, 5]]]", "1:20", "this list has 2 elements, the first one has 1",
     "the lists of an array are equally long; the first one is on line 1"),
    ("[1, [2]]", "1:5", "numbers and lists are mixed in one array", None),
    ("[[1], 2]", "1:7", "numbers and lists are mixed in one array", None),
    ("[[1], abc]", "1:7", "`abc` is not a number", None),
    ("[]", "1:1", "this list is empty", "an array has at least one number"),
    ("[[1], []]", "1:7", "this list is empty", "an array has at least one number"),
    ("[1, abc, 3]", "1:5", "`abc` is not a number", None),
    ("[1, '2']", "1:5", "`2` is not a number", "numbers are written without quotes"),
    ("[1, true]", "1:5", "`true` is not a number", "write 1 or 0"),
    ("[1, ~]", "1:5", "a number is missing here", None),
    ("[1, 1_000]", "1:5", "`1_000` is not a number", "digits are not grouped with _"),
    ("[1, nan]", "1:5", "`nan` is not a number", "values must be finite"),
    ("[1, .nan]", "1:5", "this value is not finite", "float64 ends at about 1.8e308"),
    ("[1, -.inf, 2]", "1:5", "this value is not finite", "float64 ends at about 1.8e308"),
    ("[1e400, -1e400]", "1:2", "this value is not finite", "float64 ends at about 1.8e308"),
    ("[1" + "0" * 400 + "]", "1:2", "this value is not finite", "float64 ends at about 1.8e308"),
    ("[1 2]", "1:2", "`1 2` is not a number", "numbers are separated by commas"),
    ("- 1,5\n- 2,5\n", "1:3", "`1,5` is not a number", None),
    ("'[1, 2]'", "1:1", "`[1, 2]` is not a number", "an array is a list in square brackets, without quotes"),
    ("{a: 1}", "1:1", "expected a number, not a map", None),
    ("[1, {a: 1}]", "1:5", "expected a number, not a map", None),
    ("[" * 33 + "1" + "]" * 33, "1:33", "more than 32 axes", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message", "hint"), NOT_NUMBERS, ids=[r[0][:30] for r in NOT_NUMBERS])
def test_what_is_no_array(text: str, place: str, message: str, hint: str | None) -> None:
    root = tree(text)
    with pytest.raises(SpecError) as caught:
        numbers(root)
    error = caught.value
    assert error.span is not None
    line, column = root.source.position(error.span[0])
    assert (f"{line}:{column}", error.message, error.hint) == (place, message, hint)


def test_the_largest_finite_numbers_are_numbers() -> None:
    flat, shape, whole = numbers(tree("[1e308, 1e308, -1.5]"))
    assert (flat, shape, whole) == ([1e308, 1e308, -1.5], (3,), False)


def test_large_arrays_are_read_quickly() -> None:
    rng = random.Random(0)
    rows = [[round(rng.gauss(0, 1), 6) for _ in range(300)] for _ in range(300)]
    root = tree(json.dumps(rows))
    begin = time.perf_counter()
    flat, shape, whole = numbers(root)
    # A million numbers in 1.5 s; here are 90,000 of them, on a machine that may be busy.
    assert time.perf_counter() - begin < 0.5
    assert (shape, whole) == ((300, 300), False)
    assert flat == [number for row in rows for number in row]


def outcome(text: str, pure: bool) -> tuple[list[Any], list[str]]:
    """Read a text and all numbers in it; nothing but deliberate errors may come of it, and all can be shown."""
    roots, problems, _ = documents(Source(text, "n.yaml"), pure)
    shown = [problem.render() for problem in problems]
    for root in roots:
        for node in nodes(root):
            assert 0 <= node.span[0] <= node.span[1] <= len(text)
            if isinstance(node, Scalar):
                first, behind = node.inner(0, len(node.text))
                assert node.span[0] <= first <= behind
            try:
                numbers(node)
            except SpecError as error:
                error.render()
    return [(plain(root), [scalar_places(root)]) for root in roots], shown


def mutate(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + rng.randint(1, 6) :]
        elif kind == 1:
            text = (
                text[:at] + rng.choice("[]{}:,-&*!|>'\"%@`#?\n\r\t \\\x00\x1b~<é😀\ufeff\u2028" + "ab01.") + text[at:]
            )
        elif kind == 2:
            other = rng.randrange(len(text))
            text = text[:at] + text[other : other + rng.randint(1, 40)] + text[at:]
        else:
            text = (
                text[:at]
                + rng.choice(["&a ", "*a", "!!x ", "<<: ", ": ", "\n- ", "\n---\n", "\r\n", "{}", "|\n"])
                + text[at:]
            )
        text = text or "a"
    return text


def test_mutated_specs_raise_nothing_else_and_the_parsers_agree() -> None:
    rng = random.Random(7)
    accepted = agreed = 0
    for _ in range(2000):
        text = mutate(rng, SPEC)
        trees, problems = outcome(text, pure=False)
        accepted += not problems
        if not problems and len(text) % 4 == 0:
            others, complaints = outcome(text, pure=True)
            # The parser in Python takes no tabs between words, and no `?` or `:` alone within brackets.
            if not complaints:
                assert others == trees, text
                agreed += 1
    assert accepted > 200
    assert agreed > 40


BYTES_OF_YAML = b"[]{}:,-&*!|>'\"%#?\n\t ab01.    \n\n"


def test_random_bytes_raise_nothing_else() -> None:
    rng = random.Random(11)
    read = 0
    for _ in range(500):
        data = bytes(rng.choice(BYTES_OF_YAML) for _ in range(rng.randint(1, 60)))
        data += rng.choice([b"", b"", b"", b"\xc3", b"\xff", b"\xef\xbb\xbf", b"\x00"])
        try:
            source = decode(data, "n.yaml")
        except SpecError:
            continue
        outcome(source.text, pure=False)
        outcome(source.text, pure=True)
        read += 1
    assert read > 100


def refusal(path: Any, shown: str | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        read_file(str(path), shown)
    return caught.value.render()


def test_files(tmp_path: pathlib.Path) -> None:
    spec = tmp_path / "a.yaml"
    spec.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n")
    assert (read_file(str(spec)).name, read_file(str(spec)).text) == (str(spec), "a: 1\r\nb: é\r\n")
    assert read_file(str(spec), "shown.yaml").name == "shown.yaml"


def test_files_that_are_no_text(tmp_path: pathlib.Path) -> None:
    bad = tmp_path / "bad.yaml"
    assert refusal(bad, "bad.yaml") == "error: cannot read `bad.yaml`: No such file or directory"
    assert refusal(tmp_path, "nets") == "error: `nets` is a directory\n  hint: name the spec in it"
    assert refusal("/dev/null") == "error: `/dev/null` is not a regular file"
    assert refusal("a\x00b") == "error: `a\\x00b` is not the name of a file"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe", "pipe") == "error: `pipe` is not a regular file"


EMPTY = "error: `b.yaml` is empty\n  hint: `gradcheck init` prints a spec to begin with"
BINARY = "error: `b.yaml` is a binary file\n  hint: arrays are named in a spec: {file: data.npz, key: x}"
WIDE = "error: `b.yaml` is written in UTF-16 or UTF-32\n  hint: save it as UTF-8"
LARGE = "error: `b.yaml` is larger than 16,000,000 bytes\n  hint: keep arrays in .npy or .npz files"
LATIN = """\
b.yaml:2:4: error: this byte is not UTF-8
  2 | b: \\xe9+\\xfc
    |    ^^^^
  hint: save the file as UTF-8"""
BYTES = [
    (b"", EMPTY),
    (b"\xef\xbb\xbf \n", EMPTY),
    (b"PK\x03\x04\x00", BINARY),
    ("a: 1".encode("utf-16"), WIDE),
    ("a: 1".encode("utf-32"), WIDE),
    ("a: 1\nb: é+ü".encode("latin-1"), LATIN),
    (b"\xef\xbb\xbf" + "a: 1\nb: é+ü".encode("latin-1"), LATIN),
    (b" " * (MAX_BYTES + 1), LARGE),
]


@pytest.mark.parametrize(("data", "shown"), BYTES, ids=[repr(row[0][:12]) for row in BYTES])
def test_bytes_that_are_no_spec(data: bytes, shown: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "b.yaml").write_bytes(data)
    assert refusal(tmp_path / "b.yaml", "b.yaml") == shown


def test_errors_are_deliberate_errors() -> None:
    assert issubclass(SpecError, GradcheckError)
    assert SpecError("x").exit_code == 2
