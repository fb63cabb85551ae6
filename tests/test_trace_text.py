from __future__ import annotations

import math
import pathlib
import re
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, networks
from support import trace_of, trace_of_network

from gradcheck.arithmetic.floats import IEEE
from gradcheck.deriving.records import CONSTANT, Derivation, Leaf, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.deriving.tracer import trace
from gradcheck.errors import Source, display_width, visible
from gradcheck.graph.evaluation import evaluate
from gradcheck.language.parser import parse
from gradcheck.networks.network import Network
from gradcheck.notation.numbers import inline, number, rounded
from gradcheck.writing.text import Line
from gradcheck.writing.trace.matrices import matrix
from gradcheck.writing.trace.picture import circuit_of
from gradcheck.writing.trace.spelling import Speller, without_repetition
from gradcheck.writing.trace.text import lines

SPECS = pathlib.Path(__file__).parent.parent / "specs"
WIDE = 100_000

MORE: list[tuple[str, dict[str, Any]]] = [
    ("2*(x*y + max(z, w))", {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0}),
    ("q = x + y; f = q*z; f^2 + q", {"x": -2.0, "y": 5.0, "z": -4.0}),
    ("x^y*y^3 - x^(-2)", {"x": 1.7, "y": 2.5}),
    ("-x^2 + (-x)^3 - (-(-x))", {"x": 1.5}),
    ("x/(y - z) - (x - y)/z - (x - (y - z))", {"x": 1.2, "y": 0.4, "z": -2.0}),
    ("log(x)/sqrt(y) + log1p(x) - log2(y)*log10(x)", {"x": 2.2, "y": 3.1}),
    ("sin(x*y)*cos(x) - tan(y)*atan2(y, x)", {"x": 0.8, "y": 0.5}),
    ("abs(x)*sign(y) + cbrt(x)*expm1(y)", {"x": -1.3, "y": 0.6}),
    ("elu(x, y) + selu(x) + celu(x, y) + softsign(y)", {"x": -0.7, "y": 1.1}),
    ("-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))", {"y": 0.3, "z": 1.7}),
    ("clip(x, -1, z)*clip(y, 0, z) + hardtanh(x)", {"x": 0.5, "y": 3.0, "z": 2.0}),
    ("(exp(x) - exp(-x))/(exp(x) + exp(-x))*x", {"x": 0.7}),
    ("a = x*x; b = a*a; a*b + sin(a)/b", {"x": 1.1}),
    ("x*y - y*x + exp(-x^2/2)/sqrt(2*pi)", {"x": 0.9, "y": 2.0}),
    ("β = α*x_1; σ = β + α; σ*β^2", {"α": 1.5, "x_1": -2.0}),
    ("x*1e300/1e300 + x*1e-5 + 123456789*x", {"x": 1.5}),
    ("(x >= y)*x + (x != 2)*y + (x < y)*3 + (x == y)", {"x": 1.5, "y": 0.5}),
    ("x*y*(z*w) + (x*y)*z/w/x/(y*z)", {"x": 1.5, "y": -0.5, "z": 2.5, "w": 3.0}),
    ("(x^y)^z + x^(y^z) + (-x)^2 + 2^(-x)", {"x": 1.5, "y": 1.2, "z": 0.8}),
]


def said(found: Trace, width: int = 80, plus_minus: str = "±") -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines(found, width, plus_minus))


def section(text: str, title: str) -> list[str]:
    """Return the lines of a section, its heading aside."""
    ends = "Forward|Stages|Backward|Why|Check|Stopped"
    found = re.search(rf"(?:^|\n){title}[^\n]*\n((?:.|\n)*?)(?=\n\n(?:{ends})|$)", text)
    return found[1].split("\n") if found else []


RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")

SIGNS = {"·": "*", "σ(": "sigmoid(", "≤": "<=", "≥": ">=", "≠": "!=", "π": "pi"}


class Reader:
    """Reads formulas of the board back, and computes them."""

    def __init__(self, derivation: Derivation) -> None:
        self.known = derivation.quantities
        self.gradients = {f"d{derivation.output}/d{name}": name for name in self.known}
        self.values = {name: float(one.value) for name, one in self.known.items() if not shape_of(one.value)}
        self.values["nan"] = math.nan

    def text(self, formula: str) -> str:
        for shown in sorted(self.gradients, key=len, reverse=True):
            formula = formula.replace(shown, f"(upstream_{list(self.known).index(self.gradients[shown])})")
        formula = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^" + m[0].translate(RAISED), formula)
        for sign, plain in SIGNS.items():
            formula = formula.replace(sign, plain)
        return formula

    def number(self, formula: str) -> float:
        graph = parse(Source(self.text(formula)), internal=True)
        point = {}
        for name in graph.inputs:
            if name.startswith("upstream_"):
                one = list(self.known.values())[int(name.removeprefix("upstream_"))]
                point[name] = float(one.gradient)
            else:
                point[name] = self.values[name]
        values, _ = evaluate(graph, IEEE, point)
        return float(values[graph.output])


def same(mine: float, real: float, digits: int) -> bool:
    """Whether two numbers are the same when one was computed from numbers of so many digits."""
    return abs(mine - real) <= (1e-12 if digits == 17 else 2e-3) * (1 + abs(real))


def members(line: str) -> list[str]:
    """Return the stages of a calculation, without the marks and remarks behind it."""
    return re.split(" {2,}| ◀", line)[0].split(" = ")


def check_scalars(found: Trace, shown: str, digits: int) -> int:
    derivation, reader = found.derivation, Reader(found.derivation)
    table = section(shown, "Stages")
    count = 0
    if table:
        count += check_table(derivation, reader, table[2:], digits)
    for line, step in zip(section(shown, "Forward"), () if table else derivation.steps, strict=True):
        head, _, rest = line.partition("] ")
        assert head == f"  [{step.number}"
        name, *stages = members(rest)
        assert name == step.name
        if math.isnan(step.value):
            # In a branch that is not taken.
            assert stages[-1] == "undefined"
            continue
        assert stages[-1] == number(float(step.value), digits)
        for stage in stages:
            assert same(reader.number(stage), float(step.value), digits)
        count += len(stages)
    return count + check_backward(derivation, reader, section(shown, "Backward"), digits)


def check_table(derivation: Derivation, reader: Reader, rows: list[str], digits: int) -> int:
    for row, step in zip(rows, derivation.steps, strict=True):
        stage, numbers, value, gradient, _ = re.split(r"\s{2,}", row.strip())
        assert stage.startswith(f"[{step.number}] {step.name} = ")
        assert value == number(float(step.value), digits)
        assert gradient == ("-" if step.gradient is None else number(float(step.gradient), digits))
        for formula in (stage.split(" = ", 1)[1], numbers):
            assert same(reader.number(formula), float(step.value), digits)
    return 2 * len(rows)


def check_backward(derivation: Derivation, reader: Reader, shown: list[str], digits: int) -> int:
    step, count, forks = None, 0, set()
    steps = {one.number: one for one in derivation.steps}
    waiting: list[Any] = []
    for line in shown:
        opening = re.match(r"  \[(\d+)\] (.*)", line)
        if opening:
            assert not waiting
            step = steps[int(opening[1])]
            assert opening[2].startswith(step.gate.replace("_", " "))
            waiting = list(step.flows)
        elif line.startswith("      "):
            assert step is not None
            body = line.strip()
            several = " += " in body
            name, *stages = members(body.replace(" += ", " = ", 1))
            one = reader.known[reader.gradients[name]]
            if not several and re.match(r"\[\d+\]", stages[0]):
                check_fork(one, stages, reader, digits)
                forks.add(one.name)
            else:
                flow = waiting.pop(0)
                assert flow.operand == one.name
                assert several == (len(one.parts) > 1)
                assert stages[-1] == number(float(flow.value), digits)
                for stage in stages:
                    assert same(reader.number(stage), float(flow.value), digits), (line, stage)
            ends = not several
            assert (f" ◀ {one.name}" in line) == (ends and isinstance(one, Leaf))
            assert ("✓" in line) == (ends and one.proof is not None and one.proof.word == "agree")
            count += len(stages)
    assert forks == {name for name, one in reader.known.items() if len(one.parts) > 1}
    return count


def check_fork(one: Any, stages: list[str], reader: Reader, digits: int) -> None:
    assert len(stages) == 2
    shares = re.findall(r"\[(\d+)\] (\(-[^)]*\)|\S+)", stages[0])
    assert " + ".join(f"[{k}] {share}" for k, share in shares) == stages[0]
    assert [int(k) for k, _ in shares] == [part.step for part in one.parts]
    for (_, share), part in zip(shares, one.parts, strict=True):
        assert share.strip("()") == number(float(part.value), digits)
    assert stages[1] == number(float(one.gradient), digits)
    assert same(math.fsum(float(share.strip("()")) for _, share in shares), float(one.gradient), digits)


@pytest.mark.parametrize(
    ("text", "at", "expand"),
    [
        *((text, at, False) for text, at in (*SCALARS, *MORE)),
        *((text, at, True) for text, at in (*SCALARS, *MORE[::2])),
    ],
)
def test_every_member_of_every_chain_is_the_same_number(text: str, at: dict[str, Any], expand: bool) -> None:
    found = trace(text, at, expand=expand)
    for digits in (17, 6):
        count = check_scalars(found, said(found._replace(digits=digits), WIDE), digits)
        assert count >= 2 * len(found.derivation.steps)


def arrays_in(text: str) -> list[Any]:
    """Return every array of a text: numbers, or what a summary says."""
    text = re.sub(r"\nCircuit(.|\n)*?\n(?=Forward|Stages)", "", text).split("\n\nCheck")[0]
    found = []
    pattern = r"(?:^ {10}| {3})(\[\[(?:.|\n)*?\]\]|\[[^\]\n]*\]|from \S+ to \S+, mean \S+|all \S+)$"
    for match in re.finditer(pattern, text, re.M):
        words = match[1]
        if words.startswith("["):
            rows = [[float(x) for x in row.split()] for row in re.findall(r"\[([^\[\]]+)\]", words.replace(",", " "))]
            found.append(rows if words.startswith("[[") else rows[0])
        else:
            found.append([float(word.strip(",")) for word in words.split() if word.strip(",")[-1].isdigit()])
    return found


def arrays_of(derivation: Derivation) -> list[Any]:
    """Return every array that a trace of these records has to show, in order."""
    found = [leaf.value for leaf in derivation.leaves]
    found += [step.value for step in derivation.steps]
    last: dict[int, list[Any]] = {}
    for one in derivation.quantities.values():
        if len(one.parts) > 1:
            last.setdefault(min(part.step for part in one.parts), []).append(one.gradient)
    for step in reversed(derivation.steps):
        found += [flow.value for flow in step.flows] + last.get(step.number, [])
    return [value for value in found if shape_of(value)]


def check_arrays(found: Trace) -> int:
    shown = said(found, WIDE)
    mine, real = arrays_in(shown), arrays_of(found.derivation)
    assert len(mine) == len(real)
    for printed, value in zip(mine, real, strict=True):
        flat, wanted = np.ravel(printed), np.ravel(value)
        if flat.size != wanted.size:
            wanted = np.array([value.min(), value.max(), value.mean()])[: flat.size]
        assert np.allclose(flat, wanted, rtol=1e-5, atol=1e-300, equal_nan=True)
    for step in found.derivation.steps:
        if not shape_of(step.value):
            line = next(line for line in shown.split("\n") if line.startswith(f"  [{step.number}] {step.name} = "))
            assert members(line.strip())[-1] == number(float(step.value))
        for flow in step.flows:
            if not shape_of(flow.value):
                ending = f"d_{flow.operand} (\\+?=) .* = {re.escape(number(float(flow.value)))}( ◀|  |$)"
                assert re.search(ending, shown, re.M)
    return len(mine)


MANY = [*ARRAYS, ("sum(x @ y)", {"x": np.arange(90.0).reshape(9, 10), "y": np.arange(10.0)})]


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize(("text", "at"), MANY)
def test_every_array_is_the_one_in_the_records(text: str, at: dict[str, Any], expand: bool) -> None:
    assert check_arrays(trace(text, at, expand=expand)) >= 2


def spec(name: str) -> list[Network]:
    return networks((SPECS / f"{name}.yaml").read_text(encoding="utf-8"), f"specs/{name}.yaml")


@pytest.mark.parametrize("name", ["two-layer-by-hand", "conv-avgpool", "batch-norm", "regression", "losses", "own-op"])
def test_every_array_of_a_spec_is_the_one_in_the_records(name: str) -> None:
    for network in spec(name):
        assert check_arrays(trace_of_network(network)) >= 3


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")


@pytest.mark.parametrize(("text", "at"), [*SCALARS, *MORE[:10]])
def test_the_circuit_shows_values_and_gradients(text: str, at: dict[str, Any]) -> None:
    found = trace(text, at)
    drawing = section(said(found, 200), "Circuit")
    if not drawing:
        assert len(found.derivation.steps) > 12 or not found.derivation.steps
        return
    quantities = found.derivation.quantities.values()
    shown = set(re.findall(NUMBER, re.sub(r"[^\d.e+ -]", " ", "\n".join(drawing).replace("-\n", " "))))
    allowed = {number(float(x), 4) for one in quantities for x in (one.value, one.gradient) if x is not None}
    allowed |= {number(float(part.value), 4) for one in quantities for part in one.parts}
    for one in quantities:
        if not (isinstance(one, Leaf) and one.kind == CONSTANT):
            assert math.isnan(one.value) or number(float(one.value), 4) in shown
            assert one.gradient is None or number(float(one.gradient), 4) in shown
    names = {word for one in quantities for word in re.findall(NUMBER, f"{one.name} {getattr(one, 'gate', '')}")}
    assert shown <= allowed | names


def test_the_lectures_circuit_as_it_is_printed() -> None:
    found = trace("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0})
    assert (
        said(found).split("\n\nCheck\n")[0]
        == """\
(x+y)*z = -12   at x = -2, y = 5, z = -4

Circuit   values above the wires, gradients below
   -2   ┌───┐
x ──────┤   │ q = 3   ┌───┐
   -4   │ + ├─────────┤   │ f = -12
      ╭─┤   │    -4   │ × ├─────────▶
    5 │ └───┘       ╭─┤   │       1
y ────╯             │ └───┘
   -4         -4    │
           z ───────╯
               3

Forward
  [1] q = x + y = -2 + 5 = 3   add
  [2] f = q · z = 3 · (-4) = -12   mul

Backward, from df/df = 1
  [2] mul switches: each input gets the upstream gradient times the other
      df/dq = df/df · z = 1 · (-4) = -4  ✓
      df/dz = df/df · q = 1 · 3 = 3 ◀ z  ✓
  [1] add distributes: each input gets the whole upstream gradient
      df/dx = df/dq = -4 ◀ x  ✓
      df/dy = df/dq = -4 ◀ y  ✓
  ✓ SymPy's derivative says the same, in a hundred digits."""
    )
    assert said(found).split("\n")[-1] == "Tried: raise x by 0.01 and f falls by about 0.04."


def test_a_staged_name_and_a_fork() -> None:
    shown = said(trace("q = x*y; q*x", {"x": 3.0, "y": -0.5}))
    assert "  [2] f = q · x = -1.5 · 3 = -4.5   mul" in shown
    assert "      df/dx += df/df · q = 1 · (-1.5) = -1.5" in shown
    assert "      df/dx = [2] -1.5 + [1] (-1.5) = -3 ◀ x  ✓" in shown


def test_ascii_has_only_ascii() -> None:
    for text, at in [*SCALARS, *MORE[:14], *ARRAYS]:
        shown = said(trace(text, at, why=next(iter(at)), forward=True), 80, "+-")
        body = [line for line in shown.split("\n") if not line.isascii()]
        # What is left are the rules and marks that the stream writes in other signs.
        assert set("".join(body)) - set(map(chr, range(128))) <= set("─◀✓✗×…")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        *[(text, at) for text, at in (*SCALARS, *MORE, *ARRAYS)],
        (
            "long_name_number_one*another_long_name + yet_another_long_name^2/long_name_number_one",
            dict.fromkeys(("long_name_number_one", "another_long_name", "yet_another_long_name"), 123.456789e20),
        ),
        (" + ".join(f"x{k}*y{k}" for k in range(40)), {f"{n}{k}": k + 0.123456 for n in "xy" for k in range(40)}),
        ("mul_名前*变量 + 名前", {"mul_名前": 1.5, "变量": 2.0, "名前": 3.0}),
        ("sum(x @ y)", {"x": np.linspace(1e-9, 1e9, 64).reshape(8, 8), "y": np.linspace(-1e-9, 1e-9, 8)}),
    ],
)
def test_no_line_is_longer_than_the_screen(text: str, at: dict[str, Any]) -> None:
    found = trace(text, at, why=next(iter(at)), forward=len(at) < 5)
    for width in (80, 60):
        long = [line for line in said(found, width).split("\n") if display_width(line) > width]
        assert [line for line in long if " " in line.strip()] == []


def test_a_word_that_is_too_long_stays_whole() -> None:
    name = "x" * 90
    assert name in said(trace(f"{name}*2", {name: 1.0}))
    digits = "1.2345678901234567e-217"
    assert digits in said(trace("x*1.0", {"x": float(digits)})._replace(digits=17), 40)


def test_marks_and_legend() -> None:
    shown = said(trace("relu(x)*y", {"x": 0.0, "y": 0.1}))
    assert "◀ x  kink" in shown
    assert "kink: not differentiable here; a convention decides." in " ".join(shown.split())
    assert "Numbers are rounded" not in shown
    assert "Numbers are rounded to 3 digits" in " ".join(said(trace("x/3", {"x": 1.0})._replace(digits=3)).split())
    assert "Numbers are rounded" not in said(trace("x*3", {"x": 1.0}))


def test_a_wrong_rule_is_marked_with_what_sympy_says() -> None:
    (network,) = networks("""
gradcheck: 1
ops:
  twice: {args: x, forward: "2*x", backward: {x: "2.002*g"}}
inputs: {x: 3}
nodes:
  h: {expr: "x*5"}
  t: {type: twice, inputs: h}
  f: {expr: "t*7"}
""")
    shown = said(trace_of_network(network))
    assert "df/dt = df/df · 7 = 1 · 7 = 7  ✓" in shown
    assert "df/dh = 2.002 · df/dt = 2.002 · 7 = 14.014  ✗ SymPy: 14" in shown
    assert "df/dx = df/dh · 5 = 14.014 · 5 = 70.07 ◀ x  ✗ SymPy: 70" in shown


def test_a_large_expression_has_a_table_instead_of_a_circuit() -> None:
    found = trace("x*y + x/y + sin(x) + cos(y) + x^2 + y^2 + exp(x) + x*x*y", {"x": 0.5, "y": 2.0})
    wide = said(found, 120)
    assert section(wide, "Stages")
    assert not section(wide, "Circuit")
    assert not section(wide, "Forward")
    assert section(wide, "Stages")[0].split() == ["stage", "with", "numbers", "value", "gradient", "gate"]
    # Where the table does not fit, the lines can fold.
    names = [f"quite_a_long_name_{k}" for k in range(12)]
    at = dict.fromkeys(names, 1.23456)
    narrow = said(trace(" + ".join(f"{name}*{other}" for name, other in pairwise(names)), at))
    assert section(narrow, "Forward")
    assert not section(narrow, "Stages")


def test_slices_without_elements() -> None:
    found = trace("sum(x[0:0]*2) + mean(x)", {"x": [[1.0, 2.0], [3.0, 4.0]]})
    shown = said(found)
    assert "[1] q = x[0:0]   0×2\n          no elements\n" in shown
    assert "✗" not in shown
    assert found.report is not None
    assert found.report.exit_code == 0


def test_an_expression_without_a_gate() -> None:
    shown = said(trace("x", {"x": 2.0}))
    assert "there is no gate" in shown
    assert "Check" in shown


def stopped(text: str, at: dict[str, Any]) -> Trace:
    return trace_of(text, at)


def test_a_pass_that_stops() -> None:
    shown = said(stopped("y = x - 3; log(y)*x", {"x": 1.0}))
    assert (
        shown
        == """\
y = x - 3; log(y)*x   at x = 1

Forward
  [1] y = x - 3 = 1 - 3 = -2   sub
  [2] q = log(y) = log(-2) = undefined

Stopped: log is not defined here: it needs y > 0, but y = -2"""
    )


def test_a_pass_over_arrays_that_stops() -> None:
    shown = said(stopped("sum(log(x*2))*3", {"x": [1.0, -1.0]}))
    assert "[1] q = x · 2   2" in shown
    assert "[2] r = log(q)   2" in shown
    assert "[0.693147, nan]" in shown
    assert "sum" not in shown.split("Forward")[1].split("Stopped")[0]
    assert "Backward" not in shown


def test_networks_show_layers_and_shapes() -> None:
    (network,) = spec("two-layer-by-hand")
    shown = said(trace_of_network(network))
    assert "  a1  expr\n  [1] a1 = x @ W1 + b1   3×3 = 3×2 @ 2×3 + (3,)\n" in shown
    assert "d_W2 = z1ᵀ @ d_a2   3×3 = (3×3)ᵀ @ 3×3 ◀ W2  ✓" in shown
    assert "      d_W1 = xᵀ @ d_a1   2×3 = (3×2)ᵀ @ 3×3 ◀ W1  ✓" in shown
    assert shown.count("Forward\n") == shown.count("Backward, from d_loss = 1") == 1


def test_broadcasting_is_said() -> None:
    shown = said(trace("sum(x*y)", {"x": [[1.0, 2.0], [3.0, 4.0]], "y": [[5.0], [6.0]]}))
    assert "summed over axis 1: y was broadcast" in shown
    shown = said(trace("sum(x*y)", {"x": [[1.0, 2.0], [3.0, 4.0]], "y": 5.0}))
    assert re.search(r"d_y = sum\(d_q · x\) = 10.* ◀ y  ✓", " ".join(shown.split("\n")))


def mentioned(shown: str) -> set[int]:
    return {int(k) for k in re.findall(r"\[(\d+)\]", shown.split("\n\nCheck", maxsplit=1)[0])}


@cache
def traced(name: str) -> Trace:
    (network,) = spec(name)
    return trace_of_network(network)


@pytest.mark.parametrize("name", ["two-layer-classifier", "rnn-unrolled"])
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_a_selection_mentions_only_what_it_shows(name: str, depth: int | None) -> None:
    from gradcheck.deriving.selection import focused, shallow

    whole = traced(name)
    leaves = [leaf.name for leaf in whole.derivation.leaves if leaf.kind != CONSTANT]
    assert mentioned(said(whole, WIDE)) == {step.number for step in whole.derivation.steps}
    for focus in [None, *leaves, whole.derivation.steps[1].name, whole.derivation.output]:
        part = whole.derivation
        part = part if focus is None else focused(part, focus)
        part = part if depth is None else shallow(part, depth)
        shown = said(whole._replace(derivation=part), WIDE)
        assert mentioned(shown) <= {step.number for step in part.steps}
        if part.hidden:
            assert f"  {part.hidden} stage" in shown
        for name in re.findall(r"^      d_(\S+) ", shown, re.M):
            assert name in part.quantities


def test_what_a_selection_leaves_out_stands_in_sums() -> None:
    found = trace("a = x*y; b = a + x; c = sin(b); c*a", {"x": 2.0, "y": 3.0}, depth=1)
    shown = said(found)
    assert "3 stages not shown" in shown
    assert "df/da = [4] 0.989358 + […] (-0.873" in shown


def test_the_title_of_a_long_expression_is_cut() -> None:
    text = " + ".join(["x*y"] * 400)
    shown = said(trace(text, {"x": 1.0, "y": 2.0}, depth=2))
    title = shown.split("\n\n")[0]
    assert text not in " ".join(title.split())
    assert len(title) < 2_500
    assert "= 800" in title


# Numbers and arrays as text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (3.0, 6, "3"), (-0.0, 6, "0"), (1 / 3, 6, "0.333333"), (1 / 3, 17, "0.33333333333333331"),
        (123456789.0, 3, "123456789"),
        (1e15, 6, "1e+15"), (999999999999999.0, 6, "999999999999999"), (1.5e-7, 6, "1.5e-07"), (math.inf, 6, "inf"),
        (-math.inf, 6, "-inf"), (math.nan, 6, "nan"), (123456.789, 6, "123457"), (2.5, 1, "2"),
    ],
)  # fmt: skip
def test_numbers(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_arrays_in_one_line() -> None:
    assert inline(np.array([[1.0, 2.5], [-3.0, 1 / 3]])) == "[[1, 2.5], [-3, 0.333333]]"
    assert rounded(np.array([1.0, 1 / 3]))
    assert not any(map(rounded, (np.array([1.0, 0.25]), math.nan, math.inf, 3.0)))


@pytest.mark.parametrize(
    ("value", "width", "rows"),
    [
        (np.array(2.5), 80, ["2.5"]),
        (np.array([1.0, -2.5]), 80, ["[1, -2.5]"]),
        (np.array([[1.0, -2.5], [10.0, 3.0]]), 80, ["[[ 1  -2.5]", " [10     3]]"]),
        (np.array([[[1.0, 2.0]]]), 80, ["[[1  2]]"]),
        (np.array([[1.0, -2.5], [10.0, 3.0]]), 10, ["from -2.5 to 10, mean 2.875"]),
        (np.ones((9, 2)), 80, ["all 1"]),
        (np.ones((2, 9)), 80, ["all 1"]),
        (np.arange(8.0).reshape(2, 2, 2), 80, ["from 0 to 7, mean 3.5"]),
        (
            np.ones((8, 8)),
            80,
            ["[[1  1  1  1  1  1  1  1]", *[" [1  1  1  1  1  1  1  1]"] * 6, " [1  1  1  1  1  1  1  1]]"],
        ),
        (np.zeros((0, 3)), 80, ["no elements"]),
    ],
)
def test_matrices(value: Any, width: int, rows: list[str]) -> None:
    assert matrix(value, 6, width) == rows


def test_repetition_is_left_out() -> None:
    assert without_repetition(["q", "3", "3"]) == ["q", "3"]
    assert without_repetition(["3"]) == ["3"]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\u202e", "\ud800", "x\ty", "\x7f"])
def test_hostile_names_are_made_visible(name: str) -> None:
    found = trace("x*2 + x", {"x": 3.0}, why="x", forward=True)
    d = found.derivation
    leaves = tuple(leaf._replace(name=name) if leaf.name == "x" else leaf for leaf in d.leaves)
    steps = tuple(
        step._replace(
            operands=tuple(name if one == "x" else one for one in step.operands),
            flows=tuple(
                flow._replace(
                    operand=name if flow.operand == "x" else flow.operand,
                    rule=renamed(flow.rule, name), local=renamed(flow.local, name),
                )
                for flow in step.flows
            ),
            formula=renamed(step.formula, name),
        )
        for step in d.steps
    )  # fmt: skip
    assert found.paths is not None
    assert found.passes is not None
    passes = found.passes._replace(passes=tuple(one._replace(input=name) for one in found.passes.passes))
    hostile = found._replace(
        derivation=d._replace(leaves=leaves, steps=steps, title=name),
        paths=found.paths._replace(name=name), passes=passes, meaning=f"raise {name}",
    )  # fmt: skip
    shown = said(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", shown)
    assert visible(name) in shown


def renamed(formula: Any, name: str) -> Any:
    if formula is None:
        return None
    symbols = {k: one._replace(name=name) if one.name == "x" else one for k, one in formula.symbols.items()}
    return formula._replace(symbols=symbols)


def test_styles_say_what_is_value_and_what_gradient() -> None:
    shown: list[Line] = lines(trace("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}), 80)
    green = {text for line in shown for text, style in line if style == "forward"}
    red = {text for line in shown for text, style in line if style == "backward"}
    assert {"3", "-12"} <= green
    assert {"-4", "3", "1"} <= {text.strip() for text in red}


def test_the_picture_knows_every_quantity() -> None:
    found = trace("q = x*y; q*x + 2", {"x": 3.0, "y": -0.5}).derivation
    drawn = circuit_of(found, 4)
    assert [box.name for box in drawn.boxes] == ["x", "y", "q", "r", "2", "f"]
    assert [(wire.source, wire.target, wire.slot) for wire in drawn.wires] == [
        (0, 2, 0),
        (1, 2, 1),
        (2, 3, 0),
        (0, 3, 1),
        (3, 5, 0),
        (4, 5, 1),
    ]
    assert [wire.gradient for wire in drawn.wires] == ["-1.5", "9", "3", "-1.5", "1", ""]


def test_formulas_in_shapes() -> None:
    found = trace("sum(x @ W + b)", {"x": [[1.0, 2.0]], "W": [[1.0, 2.0, 3.0]] * 2, "b": [1.0, 2.0, 3.0]}).derivation
    speller = Speller(found)
    assert speller.in_shapes(found.steps[0].formula) == "1×2 @ 2×3 + (3,)"
    assert speller.in_shapes(found.steps[1].formula) == ""
