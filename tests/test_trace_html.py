"""The page of a trace: structure, escaping, self-containedness, and the script's arithmetic."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support import trace_of, trace_of_network

from gradcheck.deriving.records import Block, Derivation, Formula
from gradcheck.deriving.trace import Trace
from gradcheck.deriving.tracer import trace
from gradcheck.errors import Source
from gradcheck.networks.loading import load
from gradcheck.writing.trace import html_arrays, html_live
from gradcheck.writing.trace.check_table import check_table
from gradcheck.writing.trace.html import html
from gradcheck.writing.trace.html_formulas import Typesetter
from gradcheck.writing.trace.html_page import page_of
from gradcheck.writing.trace.spelling import number

SPECS = Path(__file__).parent.parent / "specs"
LECTURE = ("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0})
NEURON = ("1/(1+exp(-(w0*x0+w1*x1+w2)))", {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0})
STAGED = ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", {"x": 3.0, "y": -4.0})
MATRICES = (
    "-sum(t*log(softmax(x @ W + b)))",
    {"x": [1.0, 2.0], "W": [[1.0, 2, 3], [0.4, 0.5, 0.6]], "b": [0.0, 0, 0], "t": [0, 1.0, 0]},
)
EXAMPLES = [LECTURE, NEURON, STAGED, MATRICES]

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes and texts; mistakes in nesting fail at once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.stack[-1] if self.stack else "", data))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def inside(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def networks() -> list[Trace]:
    found = []
    for name in ("two-layer-by-hand.yaml", "conv-avgpool.yaml", "circuits.yaml"):
        source = Source((SPECS / name).read_text(encoding="utf-8"), name)
        found += [trace_of_network(network) for network in load(source, str(SPECS))[0]]
    return found


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    return [*(trace(*example) for example in EXAMPLES), *networks()]


def test_a_page_is_well_nested_and_its_identifiers_are_unique(traces: list[Trace]) -> None:
    for one in traces:
        page = Page(html(one))
        names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(names) == len(set(names))
        for _, attributes in page.elements:
            for key in ("for", "aria-labelledby"):
                assert set(attributes.get(key, "").split()) <= set(names)


def test_a_page_refers_to_nothing_outside(traces: list[Trace]) -> None:
    for one in traces:
        text = html(one)
        page = Page(text)
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"link", "img", "iframe", "object", "embed", "base", "audio", "video", "image", "use", "a"}
        for _, attributes in page.elements:
            assert not attributes.keys() & {"src", "href", "xlink:href", "style", "action", "srcset", "background"}
            assert not [key for key in attributes if key.startswith("on")]
        assert set(re.findall(r"\w+://[^\s\"']+", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1998/Math/MathML",
        }
        assert "@import" not in text
        assert "url(" not in text


def test_the_policy_allows_the_pages_own_styles_and_script_alone(traces: list[Trace]) -> None:
    for one in traces:
        text = html(one)
        policy = next(m["content"] for m in Page(text).of("meta") if m.get("http-equiv") == "Content-Security-Policy")
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        for rule, tag in (("style-src", "style"), ("script-src", "script")):
            found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
            hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in found]
            assert found
            assert sorted(rules[rule].split()) == sorted(f"'sha256-{one}'" for one in hashes)


def test_the_same_trace_gives_the_same_bytes() -> None:
    assert html(trace(*STAGED)) == html(trace(*STAGED))


def test_every_small_array_is_on_the_page_whole() -> None:
    found = trace(*MATRICES)
    page = Page(html(found))
    tables = re.findall(r'<table class="matrix \w+" aria-label="([^"]*)">(.*?)</table>', html(found))
    shown = {label: [re.findall("<td>(.*?)</td>", row) for row in table.split("</tr>")[:-1]] for label, table in tables}
    for quantity in found.derivation.quantities.values():
        for word, value in (("value", quantity.value), ("gradient", quantity.gradient)):
            if getattr(value, "shape", ()):
                rows = value.reshape(-1, value.shape[-1])
                assert shown[f"{word} of {quantity.name}"] == [[number(float(n)) for n in row] for row in rows]
    assert number(found.derivation.value) in page.inside("data")


@pytest.mark.parametrize("example", [LECTURE, NEURON, STAGED])
def test_the_table_holds_the_records(example: tuple[str, dict[str, float]]) -> None:
    found = trace(*example)
    cells = {a["data-n"]: a["value"] for a in Page(html(found)).of("data")}
    for quantity in (*found.derivation.steps, *found.derivation.leaves):
        if quantity.node not in found.derivation.graph.constants:
            assert float(cells[f"v{quantity.node}"]) == quantity.value
            assert float(cells[f"g{quantity.node}"]) == quantity.gradient


def test_a_sum_stands_behind_its_last_contribution() -> None:
    page = re.sub("<.*?>", "", html(trace(*STAGED)).partition('id="backward"')[2])
    total = "=[4]1.58319+[3]−0.0357615+[2]0.512144 =2.05957"
    assert page.index("2r=x+q") < page.index(total) < page.index("1q=σ(y)")


def test_the_check_stands_in_a_table(traces: list[Trace]) -> None:
    for one in traces:
        text = html(one).partition('id="check"')[2]
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", text)]
        table = check_table(one.report)
        assert [tuple(map(unescape, row)) for row in rows] == [table.headings, *table.rows]
        assert table.summary in unescape(text)


def test_what_belongs_to_a_step_is_marked() -> None:
    page = Page(html(trace(*LECTURE)))
    marked = {(tag, a["data-step"]) for tag, a in page.elements if "data-step" in a}
    for step in ("1", "2"):
        assert {("g", step), ("tr", step), ("section", step), ("div", step), ("mrow", step)} <= marked
    assert ("path", "leaf-0") in marked


def test_controls_are_hidden_until_a_script_shows_them() -> None:
    page = Page(html(trace(*STAGED)))
    controls = [a for tag, a in page.elements if "scripted" in a.get("class", "")]
    assert len(controls) == 3
    assert all("hidden" in a for a in controls)
    assert len(page.of("input")) == 1 + 2 * 2


@pytest.mark.parametrize("example", [MATRICES, ("where(x > 0, x, y)", {"x": 1.0, "y": 2.0}), ("gamma(x)", {"x": 2.5})])
def test_no_sliders_where_the_page_cannot_compute(example: tuple[str, Any]) -> None:
    text = html(trace(*example))
    assert 'type="number"' not in text
    assert "const compute = null;" in text


# --- reveal order ---


def test_a_gradient_is_revealed_with_its_last_contribution() -> None:
    found = page_of(trace(*STAGED)).time
    assert [moment.text for moment in found.moments][:2] == ["The inputs are given.", "Forward, 1 of 7: q = σ(y)"]
    assert found.values == {"x": 0, "y": 0, "2": 0, "q": 1, "r": 2, "s": 3, "t": 4, "u": 5, "v": 6, "f": 7}
    assert found.flows == {7: 9, 6: 10, 5: 11, 4: 12, 3: 13, 2: 14, 1: 15}
    gradients = {name: found.gradients[name] for name in "xyqrstuvf"}
    assert gradients == {"x": 14, "y": 15, "q": 14, "r": 9, "s": 10, "t": 11, "u": 10, "v": 9, "f": 8}
    assert len(found.moments) == 16


# --- what was asked beside the derivation ---


def test_paths_and_passes_have_their_sections() -> None:
    found = trace(*STAGED, why="x", forward=True)
    text = html(found)
    page = Page(text)
    assert {"paths", "passes"} <= {a["id"] for a in page.of("section") if "id" in a}
    ways = re.findall(r'<span class="way">(.*?)</span>', text)
    assert [re.sub("<.*?>", "", way) for way in ways] == ["x→t→u→v→f", "x→s→v→f", "x→r→f"]
    paths = text[text.index('id="paths"') : text.index('id="passes"')]
    for path in found.paths.paths:
        assert re.sub("<.*?>", "", paths).count(number(path.value).replace("-", "−")) >= 1
    assert "=−0.791593·1·(−2)·1 = 1.58319" in re.sub("<.*?>", "", paths)
    assert text.count(f"<td>{number(found.passes.passes[0].tangents[5])}</td>") == 1


def test_paths_too_many_to_list_are_grouped() -> None:
    found = trace("\n".join(["a = x + x", *(f"{b} = {a} + {a}" for a, b in pairwise("abcdefgh")), "h"]), "x=1", why="x")
    text = html(found)
    assert "256 paths" in text
    assert "too many to list" in text


def test_a_part_of_a_derivation_sums_up_what_is_not_shown() -> None:
    found = trace(*STAGED, depth=2)
    text = html(found)
    assert "further steps are not shown" in text
    assert '<mtext class="from">[…]</mtext>' in text
    assert 'type="number"' not in text
    Page(text)


# --- user text ---

HOSTILE = {
    "x": "<script>alert(1)</script>",
    "y": "a\"b' onmouseover=alert(1)",
    "z": "--> ]]> </style> &amp; \x1b[31m\n \u202e \u2028 \ud800",
    "q": "</script><!--",
    "f": "$x$ | ` {0} {",
}


def renamed(derivation: Derivation, names: dict[str, str]) -> Derivation:
    def new(name: str) -> str:
        return names.get(name, name)

    def formula(one: Formula | None) -> Formula | None:
        if one is None:
            return None
        symbols = {key: symbol._replace(name=new(symbol.name)) for key, symbol in one.symbols.items()}
        return one._replace(symbols=symbols)

    leaves = [leaf._replace(name=new(leaf.name)) for leaf in derivation.leaves]
    steps = [
        step._replace(
            name=new(step.name),
            gate=HOSTILE["x"],
            block=HOSTILE["x"],
            habit=HOSTILE["q"],
            replaces=HOSTILE["z"],
            operands=tuple(map(new, step.operands)),
            formula=formula(step.formula),
            flows=tuple(
                flow._replace(operand=new(flow.operand), rule=formula(flow.rule), local=formula(flow.local))
                for flow in step.flows
            ),
        )
        for step in derivation.steps
    ]
    return derivation._replace(
        title="\n".join(names.values()),
        leaves=tuple(leaves),
        steps=tuple(steps),
        output=new(derivation.output),
        blocks=(Block(HOSTILE["x"], HOSTILE["z"], tuple(step.number for step in steps)),),
    )


@pytest.mark.parametrize("point", [LECTURE[1], {"x": [1.0, 2.0], "y": [3.0, 4.0], "z": [0.5, 0.25]}])
def test_user_text_stays_text(point: dict[str, Any]) -> None:
    found = trace(LECTURE[0], point)
    hostile = found._replace(derivation=renamed(found.derivation, HOSTILE), meaning=HOSTILE["x"])
    plain, page = Page(html(found)), Page(html(hostile))
    more = {"br", "tr", "th", "span", "p", "abbr", "details", "summary"}
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | more
    keys = {key for _, attributes in plain.elements for key in attributes}
    assert {key for _, attributes in page.elements for key in attributes} <= keys | {"colspan", "open"}
    assert len(page.of("script")) == 2
    assert len(page.of("style")) == 2
    text = html(hostile)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\ud800]", text)
    told = json.loads(next(t for t in page.inside("script") if t.startswith("{")))
    assert any("</script><!--" in moment["text"] for moment in told["moments"])
    code = page.inside("script")[-1]
    assert "alert" not in code
    assert 'aria-label="&lt;script&gt;' in text or point != LECTURE[1]


def test_json_within_a_script_cannot_end_it() -> None:
    text = html_live.as_json({"a": "</script><!-- & \u2028\u2029 \u202e ]]> \ud800 \x00"})
    assert not set("<>&\u2028\u2029\u202e") & set(text)
    assert json.loads(text) == {"a": "</script><!-- & \u2028\u2029 \u202e ]]> \ud800 \x00"}


def test_names_never_stand_in_code() -> None:
    derivation = trace("alpha*beta + exp(alpha)", {"alpha": 1.0, "beta": 2.0}).derivation
    assert not re.search("alpha|beta", html_live.program(derivation))


# --- formulas ---


def plain(formula: str) -> str:
    return unescape(re.sub("<.*?>", "", formula)).replace("\u00a0", " ")


A, B = [[1.0, 2], [3, 4]], [[1.0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("text", "point", "forward", "back"),
    [
        ("a - (b - c)", {"a": 1.0, "b": -2.0, "c": 3.0}, "b−c, a−q", "∂f∂q, −∂f∂q, ∂f∂f, −∂f∂f"),
        ("-a*c^2", {"a": 1.0, "c": 3.0}, "−a, c2, q·r", "−∂f∂q, ∂f∂r·(2·c), ∂f∂f·r, ∂f∂f·q"),
        ("A @ B", {"A": A, "B": B}, "AB, sum(q)", "dqB⊤, A⊤dq, broadcast_like(df,q)"),
        ("one @ B", {"one": A, "B": B}, "one@B, sum(q)", "dqB⊤, one⊤@dq, broadcast_like(df,q)"),
        ("where(x < 2, x, 2)", {"x": 1.0}, "x<2, {xif q2otherwise", "{∂f∂fif q"),
        ("max(x, y)", {"x": 1.0, "y": 2.0}, "max(x,y)", "∂f∂f·({1if x>y0.5if x=y0otherwise), "
         "∂f∂f·({1if y>x0.5if x=y0otherwise)"),
    ],
)  # fmt: skip
def test_formulas_are_typeset(text: str, point: dict[str, Any], forward: str, back: str) -> None:
    derivation = trace(text, point).derivation
    type_ = Typesetter(derivation, 6)
    assert ", ".join(plain(type_.formula(step.formula)) for step in derivation.steps) == forward
    assert ", ".join(plain(type_.formula(flow.rule)) for step in derivation.steps for flow in step.flows) == back


def test_digits_of_a_name_become_a_subscript_unless_two_names_would_look_alike() -> None:
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in Typesetter(trace("x_1*y", "x_1=1,y=2").derivation, 6).name("x_1")
    both = Typesetter(trace("x_1*x1", "x_1=1,x1=2").derivation, 6)
    assert [plain(both.name(name)) for name in ("x_1", "x1")] == ["x_1", "x1"]


@pytest.mark.parametrize("b", [2.0, -2.0])
def test_only_negative_numbers_stand_in_brackets(b: float) -> None:
    derivation = trace("a*b + b^2", {"a": -1.0, "b": b}).derivation
    type_ = Typesetter(derivation, 6)
    found = [plain(type_.numbers(step.formula)) for step in derivation.steps]
    assert found == (["−1·2", "22", "−2+4"] if b > 0 else ["−1·(−2)", "(−2)2", "2+4"])


# --- arrays ---


def test_small_arrays_are_whole_and_large_ones_summarised() -> None:
    np = pytest.importorskip("numpy")
    whole = html_arrays.array(np.arange(36.0).reshape(6, 6), 6, "value of x", "value")
    assert [int(n) for n in re.findall(r"<td>(\d+)</td>", whole)] == list(range(36))
    stacked = html_arrays.array(np.arange(8.0).reshape(2, 1, 2, 2), 6, "x", "value")
    assert re.findall(r'class="slice">(.*?)<', stacked) == ["[0, 0]", "[1, 0]"]
    large = html_arrays.array(np.arange(49.0).reshape(7, 7), 6, "x", "gradient")
    assert re.findall(r"<dt>(\w+)</dt><dd>(.*?)</dd>", large) == [
        ("min", "0"), ("max", "48"), ("mean", "24"), ("first", "0"), ("last", "48")
    ]  # fmt: skip
    assert "empty" in html_arrays.array(np.zeros((0, 3)), 6, "x", "value")


def test_array_of_infinities_is_summarised_without_a_warning() -> None:
    np = pytest.importorskip("numpy")
    text = html_arrays.array(np.array([np.inf, -np.inf] * 10), 6, "x", "value")
    assert re.findall(r"<dd>(.*?)</dd>", text) == ["-inf", "inf", "nan", "inf", "-inf"]


# --- a forward pass that stops ---


def test_a_stopped_trace_says_where_and_has_no_sliders() -> None:
    found = trace_of("exp(y)*log(x - 3)*y", {"x": 2.0, "y": 1.0})
    text = html(found)
    assert found.derivation.stopped
    assert html_live.inputs(found.derivation) == []
    assert text.count("The forward pass stops") == 1
    assert text.count(">undefined<") == 1
    assert {a["data-step"] for a in Page(text).of("tr") if "data-step" in a} == {"leaf-0", "leaf-1", "1", "2", "3"}


# --- the script ---

NODE = shutil.which("node")
TEXTS = [
    *(example[0] for example in EXAMPLES[:3]),
    "2*(x*y + max(z, w))",
    "x^y + y^x - (x*y)^2",
    "abs(x - y)*min(x, y)/hypot(x, y)",
    "gelu(x) - silu(y)*softplus(-x) + erf(x*y)",
    "-x/-y - -x^2*(y - (x - y))",
    "tanh(x)*atan2(x, y) + log(x) + sqrt(y)*cbrt(x)",
    "x*x*x + pi*e*x",
]


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_script_computes_what_the_records_say() -> None:
    draw = random.Random(0)
    program, wanted = [], []
    for k, text in enumerate(TEXTS):
        names = sorted(set(re.findall(r"\b(?:[wxyz]\d?)\b", text)))
        start = trace(text, {name: draw.uniform(0.2, 2) for name in names})
        program.append(f"const p{k} = (() => {{\n{html_live.program(start.derivation)}return compute;\n}})();")
        for _ in range(5):
            point = {name: draw.uniform(0.2, 2) for name in names}
            here = trace(text, point).derivation
            order = [leaf.name for leaf in html_live.inputs(here)]
            program.append(f"console.log(JSON.stringify(p{k}({[point[name] for name in order]})));")
            wanted.append(here)
    ran = subprocess.run([str(NODE), "-"], input="\n".join(program), capture_output=True, text=True, check=True)
    for line, here in zip(ran.stdout.splitlines(), wanted, strict=True):
        found = json.loads(line)
        for quantity in here.quantities.values():
            if quantity.node in here.graph.constants:
                continue
            assert math.isclose(found[f"v{quantity.node}"], quantity.value, rel_tol=1e-12, abs_tol=1e-14)
            if quantity.gradient is not None:
                assert math.isclose(found[f"g{quantity.node}"], quantity.gradient, rel_tol=1e-12, abs_tol=1e-14)
        for step in here.steps:
            for flow in step.flows:
                place = f"{step.number}_{flow.slot}"
                assert math.isclose(found[f"c{place}"], flow.value, rel_tol=1e-12, abs_tol=1e-14)
                assert math.isclose(found[f"l{place}"], flow.partial, rel_tol=1e-12, abs_tol=1e-14)


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_script_writes_numbers_as_python_does() -> None:
    draw = random.Random(1)
    values = [draw.uniform(-1, 1) * 10 ** draw.randint(-25, 25) for _ in range(500)]
    values += [
        100000.5,
        100001.5,
        1234567.5,
        0.5,
        1e-4,
        1e-5,
        99999.95,
        999999.5,
        1e15,
        1e14 + 1,
        -0.0,
        5e-324,
        1.5e300,
    ]
    values += [2.0**-k for k in range(60)] + [n + 0.5 for n in range(99990, 100010)]
    source = (files("gradcheck.writing.trace") / "page.js").read_text(encoding="utf-8")
    functions = source[source.index("  function format(") : source.index("  /* In the picture")]
    cases = [(value, digits) for value in values for digits in (6, 3, 12)]
    texts = [[repr(value), digits] for value, digits in cases]
    script = f"{functions}\nfor (const [x, d] of {json.dumps(texts)}) console.log(format(Number(x), d));"
    ran = subprocess.run([str(NODE), "-"], input=script, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [number(value, digits) for value, digits in cases]
