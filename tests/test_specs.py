"""The specs of specs/: right as they stand, and caught wherever one thing in them is damaged."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
import yaml
from breaking import mutated, replaced, rules_replaced
from support import HERE, Ran, run

from gradcheck.ops import OPS

FOLDER = pathlib.Path(__file__).parent.parent / "specs"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))


class Number(NamedTuple):
    """A number that is expected: where it stands, and the fact it belongs to.

    Attributes:
        start, end: its place in the text.
        fact: (document, what), as in the report: (0, "grads W1").
        line: on which the fact's value begins.
        place: the number's place in the fact, in row-major order.
    """

    start: int
    end: int
    fact: tuple[int, str]
    line: int
    place: int


class Formula(NamedTuple):
    """A formula: where it stands, in which part of the document, and for which name."""

    start: int
    end: int
    document: int
    keys: tuple[str, ...]
    line: int


@cache
def text_of(file: str) -> str:
    return (FOLDER / file).read_text(encoding="utf-8")


@cache
def names_of(file: str) -> list[str]:
    """Return the names of the specs of a file."""
    return [document["name"] for document in yaml.safe_load_all(text_of(file))]


def entries(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value:
        yield key.value, value


def leaves(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Yield the scalars of a nested list."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from leaves(item)
    else:
        assert isinstance(node, yaml.ScalarNode)
        yield node


def facts(file: str) -> Iterator[tuple[tuple[int, str], yaml.Node]]:
    """Yield what a file expects, as PyYAML reads it."""
    for k, document in enumerate(yaml.compose_all(text_of(file))):
        for what, value in entries(dict(entries(document)).get("expect", yaml.MappingNode("map", []))):
            if what == "loss":
                yield (k, "loss"), value
            else:
                yield from (((k, f"{what} {name}"), inner) for name, inner in entries(value))


@cache
def numbers(file: str) -> list[Number]:
    return [
        Number(leaf.start_mark.index, leaf.end_mark.index, fact, node.start_mark.line + 1, place)
        for fact, node in facts(file)
        for place, leaf in enumerate(leaves(node))
    ]


@cache
def formulas(file: str) -> list[Formula]:
    """Return the backward formulas of a file: ("ops", op, argument) or ("backward", tensor)."""
    found = []
    for k, document in enumerate(yaml.compose_all(text_of(file))):
        keys = dict(entries(document))
        rules = [(("backward", name), node) for name, node in entries(keys["backward"])] if "backward" in keys else []
        for op, definition in entries(keys["ops"]) if "ops" in keys else ():
            backward = dict(entries(definition))["backward"]
            if isinstance(backward, yaml.ScalarNode):
                rules.append((("ops", op, ""), backward))
            else:
                rules += [(("ops", op, argument), node) for argument, node in entries(backward)]
        found += [Formula(n.start_mark.index, n.end_mark.index, k, names, n.start_mark.line + 1) for names, n in rules]
    return found


@cache
def definitions(file: str) -> list[Formula]:
    """Return the formulas that say what a node or an op computes: ("expr", node) or ("forward", op)."""
    found = []
    for k, document in enumerate(yaml.compose_all(text_of(file))):
        keys = dict(entries(document))
        steps = dict(entries(keys["nodes"])) if "nodes" in keys else {}
        if "loss" in keys:
            steps["loss"] = keys["loss"]
        written = [(("expr", name), dict(entries(step)).get("expr")) for name, step in steps.items()]
        if "ops" in keys:
            written += [(("forward", op), dict(entries(row))["forward"]) for op, row in entries(keys["ops"])]
        found += [
            Formula(n.start_mark.index, n.end_mark.index, k, names, n.start_mark.line + 1)
            for names, n in written
            if n is not None
        ]
    return found


def verify(tmp_path: pathlib.Path, file: str, text: str, *options: str) -> tuple[Ran, dict[str, Any]]:
    """Check a changed copy of a spec; return the run and its JSON report."""
    copy, report = tmp_path / file, tmp_path / "report.json"
    copy.write_text(text, encoding="utf-8")
    ran = run("verify", str(copy), "-o", "table", "-o", f"json:{report}", *options)
    return ran, json.loads(report.read_text(encoding="utf-8")) if ran.status in (0, 1) else {}


def flat(shown: str) -> str:
    """Undo the folding of long lines."""
    return " ".join(shown.split())


def off_by_a_digit(text: str) -> str:
    """Change the third digit of a number, or write one more: -0.0571057 → -0.0572057, -4 → -4.01."""
    mantissa, mark, exponent = re.fullmatch(r"(.*?)(e.*)?()", text).groups(default="")
    places = [k for k, c in enumerate(mantissa) if c.isdigit()]
    first = next((n for n, k in enumerate(places) if mantissa[k] != "0"), None)
    if first is None:
        return f"{mantissa.partition('.')[0]}.01{mark}{exponent}"
    if len(places) < first + 3:
        zeros = "0" * (first + 2 - len(places))
        return f"{mantissa}{'' if '.' in mantissa else '.'}{zeros}1{mark}{exponent}"
    k = places[first + 2]
    digit = str(int(mantissa[k]) + (1 if mantissa[k] != "9" else -1))
    return f"{mantissa[:k]}{digit}{mantissa[k + 1 :]}{mark}{exponent}"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("-0.0571057", "-0.0572057"), ("-4", "-4.01"), ("0", "0.01"), ("0.00000000", "0.01"), ("3600", "3610"),
        ("4.2", "4.21"), ("0.5", "0.501"), ("4.5395808e-5", "4.5495808e-5"), ("0.0098660372", "0.0098760372"),
        ("-0.590", "-0.591"), ("55", "55.1"), ("1", "1.01"),
    ],
)  # fmt: skip
def test_a_digit_is_changed(text: str, changed: str) -> None:
    assert off_by_a_digit(text) == changed
    assert 0.0005 < abs(float(changed) - float(text)) / (abs(float(text)) or 1) < 0.02


# Right as they stand


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, dict[str, Any]]:
    """All specs as they are: the run and its JSON report."""
    report = tmp_path_factory.mktemp("specs") / "report.json"
    ran = run("verify", str(FOLDER), "-o", "table", "-o", f"json:{report}")
    assert ran.status == 0, ran.out + ran.err
    return ran, json.loads(report.read_text(encoding="utf-8"))


Whole = tuple[Ran, dict[str, Any]]


def test_every_spec_is_right(whole: Whole) -> None:
    _, report = whole
    assert report["exit_code"] == 0
    checked = {(pathlib.Path(check["file"]).name, check["line"]) for check in report["checks"]}
    assert len(checked) == len(report["checks"]) >= 26
    assert {file for file, _ in checked} == set(FILES)
    allowed = {"agree", "kink", "not_exercised"}
    assert {row["verdict"] for check in report["checks"] for row in check["gradients"]} <= allowed


def test_every_spec_has_something_that_agrees(whole: Whole) -> None:
    for check in whole[1]["checks"]:
        assert "agree" in {row["verdict"] for row in check["gradients"]}, check["spec"]


def test_only_activations_bend(whole: Whole) -> None:
    bent = {check["spec"] for check in whole[1]["checks"] for row in check["gradients"] if row["verdict"] == "kink"}
    assert bent == {"relu", "leaky relu", "step"}


def test_every_spec_expects_its_loss_and_gradients_and_gets_them(whole: Whole) -> None:
    shown = flat(run("verify", "-v", str(HERE.parent / "specs")).out)
    held = [int(n) for n in re.findall(r"; (\d+) expectations? held", shown)]
    wanted = [fact for file in FILES for fact, _ in facts(file)]
    assert sum(held) == len(wanted) >= 95
    assert "did not hold" not in shown
    for file in FILES:
        for document, spec in enumerate(names_of(file)):
            what = [name for (k, name), _ in facts(file) if k == document]
            assert "loss" in what, spec
            assert any(name.startswith("grads ") for name in what), spec


def test_the_readme_has_a_row_for_each_file() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[(\S+)\]\(\1\) \|", readme, re.MULTILINE)) == FILES


# Wrong expectations


def damaged_numbers(file: str, which: str) -> tuple[str, list[Number]]:
    """Change one number of each fact of a file: the first, the middle or the last."""
    groups: dict[tuple[int, str], list[Number]] = {}
    for number in numbers(file):
        groups.setdefault(number.fact, []).append(number)
    chosen = [group[{"first": 0, "middle": len(group) // 2, "last": -1}[which]] for group in groups.values()]
    text = text_of(file)
    for number in sorted(chosen, key=lambda n: -n.start):
        text = text[: number.start] + off_by_a_digit(text[number.start : number.end]) + text[number.end :]
    return text, chosen


@pytest.mark.parametrize("which", ["first", "middle", "last"])
@pytest.mark.parametrize("file", FILES)
def test_one_wrong_number_in_an_expectation_is_caught(
    tmp_path: pathlib.Path, whole: Whole, file: str, which: str
) -> None:
    text, chosen = damaged_numbers(file, which)
    ran, report = verify(tmp_path, file, text)
    assert ran.status == 1
    reported = [(k, fact["what"], fact["line"]) for k, check in enumerate(report["checks"]) for fact in check["expect"]]
    assert reported == [(*number.fact, number.line) for number in chosen]
    for number in chosen:
        assert f"{file}:{number.line}:" in ran.out
    # The gradients themselves are still right.
    assert {row["verdict"] for check in report["checks"] for row in check["gradients"]} == {
        row["verdict"] for check in whole[1]["checks"] if check["file"].endswith(file) for row in check["gradients"]
    }


@pytest.mark.parametrize("file", FILES)
def test_a_wrong_loss_alone_is_caught(tmp_path: pathlib.Path, file: str) -> None:
    number = next(n for n in numbers(file) if n.fact[1] == "loss")
    text = text_of(file)
    text = text[: number.start] + off_by_a_digit(text[number.start : number.end]) + text[number.end :]
    ran, report = verify(tmp_path, file, text, "-k", names_of(file)[number.fact[0]])
    assert ran.status == 1
    failed = [fact for check in report["checks"] for fact in check["expect"]]
    assert [(fact["what"], fact["line"]) for fact in failed] == [("loss", number.line)]
    assert f"{file}:{number.line}:" in ran.out
    assert "1 expectation did not hold" in flat(ran.out)


# Wrong formulas

DAMAGES = {"sign": "-({})", "times 1.001": "1.001*({})"}

RULES = [(file, k) for file in FILES for k in range(len(formulas(file)))]


def users(file: str, formula: Formula) -> list[str]:
    """Return the nodes of a document that use the op whose formula it is."""
    op = formula.keys[1]
    document = list(yaml.safe_load_all(text_of(file)))[formula.document]
    return [n for n, step in document["nodes"].items() if step.get("type") == op or f"{op}(" in step.get("expr", "")]


def damaged_formula(file: str, formula: Formula, damage: str) -> str:
    text = text_of(file)
    written = text[formula.start : formula.end]
    assert written[0] == written[-1] == '"'
    return f'{text[: formula.start]}"{DAMAGES[damage].format(written[1:-1])}"{text[formula.end :]}'


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("file", "k"), RULES, ids=str)
def test_a_wrong_backward_formula_is_caught(tmp_path: pathlib.Path, file: str, k: int, damage: str) -> None:
    formula = formulas(file)[k]
    name = names_of(file)[formula.document]
    ran, report = verify(tmp_path, file, damaged_formula(file, formula, damage), "-k", name)
    assert ran.status == 1
    (check,) = report["checks"]
    assert check["spec"] == name
    wrong = {row["input"] for row in check["gradients"] if row["verdict"] == "disagree"}
    shown = flat(ran.out)
    if formula.keys[0] == "backward":
        assert wrong == {formula.keys[1]}
        assert f"{file}:{formula.line}" in shown
        assert ("the sign is wrong" if damage == "sign" else "relative error 1.0e-03") in shown
    else:
        assert wrong
        nodes = users(file, formula)
        assert nodes
        for node in nodes:
            assert f"{formula.keys[1]} of `{node}` is wrong" in shown


DEFINITIONS = [(file, k) for file in FILES for k in range(len(definitions(file)))]


@pytest.mark.parametrize(("file", "k"), DEFINITIONS, ids=str)
def test_another_function_is_not_what_was_expected(tmp_path: pathlib.Path, file: str, k: int) -> None:
    formula = definitions(file)[k]
    name = names_of(file)[formula.document]
    ran, report = verify(tmp_path, file, damaged_formula(file, formula, "times 1.001"), "-k", name)
    assert ran.status == 1
    failed = [fact["what"] for check in report["checks"] for fact in check["expect"]]
    assert failed
    lines = {number.fact: number.line for number in numbers(file)}
    for what in failed:
        assert f"{file}:{lines[formula.document, what]}:" in ran.out
    if formula.keys[0] == "forward":
        # The op's own backward formula is no longer that of its definition.
        assert f"the backward rule of {formula.keys[1]} of `" in flat(ran.out)


def test_there_are_formulas_to_damage() -> None:
    assert len(DEFINITIONS) == 28
    assert len(RULES) == 18
    assert {formulas(file)[k].keys[0] for file, k in RULES} == {"ops", "backward"}


# Wrong rules: nothing in the text is wrong, but an op of the table is

BROKEN = [
    ("circuits.yaml", "add and multiply", "mul", "partials", "f"),
    ("circuits.yaml", "add, multiply and max", "max", "partials", "f"),
    ("circuits.yaml", "sigmoid neuron", "exp", "partials", "f"),
    ("chained-affine.yaml", "chained affine maps", "mul", "partials", "y2"),
    ("activations.yaml", "sigmoid", "sigmoid", "partials", "y"),
    ("activations.yaml", "tanh", "tanh", "partials", "y"),
    ("activations.yaml", "relu", "relu", "partials", "y"),
    ("activations.yaml", "leaky relu", "leaky_relu", "partials", "y"),
    ("activations.yaml", "step", "mul", "partials", "y"),
    ("losses.yaml", "mean squared error", "pow", "partials", "loss"),
    ("losses.yaml", "half the squared error", "sum", "vjp", "loss"),
    ("losses.yaml", "softmax with cross-entropy", "log_softmax", "vjp", "loss"),
    ("dense.yaml", "one output, sigmoid", "sigmoid", "partials", "act"),
    ("dense.yaml", "four outputs, softmax", "softmax", "vjp", "act"),
    ("regression.yaml", "linear regression", "matmul", "vjp", "fc"),
    ("regression.yaml", "one hidden layer", "sigmoid", "partials", "act"),
    ("two-layer-classifier.yaml", "two-layer classifier", "relu", "partials", "relu"),
    ("two-layer-by-hand.yaml", "two-layer classifier by hand", "softmax", "vjp", "p"),
    ("conv-avgpool.yaml", "convolution and average pooling", "windows", "vjp", "pool"),
    ("lenet.yaml", "small LeNet", "amax", "vjp", "pool1"),
    ("batch-norm.yaml", "batch norm by hand", "sum", "vjp", "loss"),
    ("batch-norm.yaml", "batch norm layer", "var", "vjp", "bn"),
    ("rnn-unrolled.yaml", "RNN over three steps", "tanh", "partials", "h3"),
    ("attention.yaml", "attention by hand", "matmul", "vjp", "out"),
    ("attention.yaml", "attention block", "transpose", "vjp", "mha"),
    ("own-op.yaml", "swish", "sum", "vjp", "loss"),
]
"""File, spec, op, which kind of rule, and a node that uses it."""


@pytest.mark.parametrize("mutation", ["sign", "times 1.001"])
@pytest.mark.parametrize(("file", "spec", "op", "field", "node"), BROKEN, ids=str)
def test_a_wrong_rule_is_caught_and_named(file: str, spec: str, op: str, field: str, node: str, mutation: str) -> None:
    rules = getattr(OPS[op], field)
    if isinstance(rules, dict):
        broken: Any = {ranks: replaced(two, 0, mutated(two[0], mutation)) for ranks, two in rules.items()}
    else:
        broken = replaced(tuple(rules), 0, mutated(rules[0], mutation))
    with rules_replaced(op, field, broken):
        ran = run("verify", str(FOLDER / file), "-k", spec)
    assert ran.status == 1
    shown = flat(ran.out)
    assert "disagree: " in shown
    assert f"the backward rule of {op} of `{node}` is wrong" in shown


def test_a_rule_is_broken_in_every_spec() -> None:
    assert [row[:2] for row in sorted(BROKEN)] == sorted((file, name) for file in FILES for name in names_of(file))
