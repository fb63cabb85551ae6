"""`gradcheck init`, `schema`, `ops`, `layers`: what they print is what runs; and what each command imports."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from support import HERE, cases, run

from gradcheck.errors import Source
from gradcheck.language.parser import parse
from gradcheck.networks.document import documents
from gradcheck.networks.layer import Layer
from gradcheck.networks.loading import load
from gradcheck.networks.table import LAYERS, SPELLINGS
from gradcheck.networks.tree import List, Map, Node, Scalar
from gradcheck.ops import FUNCTIONS, OPS
from gradcheck.ops.shapes import show
from gradcheck.writing.tables import example

VISIBLE = {name: op for name, op in OPS.items() if not op.internal}
MODELS = cases("printed_models.jsonl")


# Ops


def test_every_op_is_listed() -> None:
    done = run("ops")
    assert (done.status, done.err) == (0, "")
    assert [line.partition("(")[0] for line in done.out.splitlines()] == [*VISIBLE, "einsum"]
    assert "#" not in done.out


@pytest.mark.parametrize("name", sorted({*VISIBLE, *FUNCTIONS}))
def test_every_op_is_shown_with_its_rules(name: str) -> None:
    done = run("ops", name)
    assert (done.status, done.err) == (0, "")
    op = FUNCTIONS.get(name) or OPS[name]
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{op.name}(")
    if name != op.name:
        (also,) = [line for line in lines if line.startswith("  also called")]
        assert name in also.split(maxsplit=2)[2].split(", ")
    rules = [rule for rank in op.vjp.values() for rule in rank] if isinstance(op.vjp, dict) else list(op.rules())
    shown = [line.partition(" = ")[2] for line in lines if line.startswith("    d_")]
    assert shown == rules
    assert len([line for line in lines if line.startswith("  defined for")]) == len(op.domain)
    assert len([line for line in lines if line.startswith("  kink where")]) == len(op.kink)


def test_ops_of_specs_do_not_stay_in_the_table() -> None:
    before = run("ops").out
    ops = 'ops: {mine: {args: x, forward: "2*x", backward: "2*g"}}\n'
    spec = f"gradcheck: 1\ninputs: {{x: 2}}\n{ops}nodes: {{y: {{type: mine, inputs: x}}}}\n"
    assert run("verify", "-", stdin=spec.encode()).status == 0
    assert run("ops").out == before
    assert run("ops", "mine").status == 2


UNKNOWN = [
    (("ops", "sgimoid"), "error: there is no op `sgimoid`\n  hint: did you mean `sigmoid`?\n"),
    (("ops", "qqqqq"), "error: there is no op `qqqqq`\n  hint: gradcheck ops lists them\n"),
    (("layers", "Linaer"), "error: there is no layer `Linaer`\n  hint: did you mean `Linear`?\n"),
    (("layers", "qqqqq"), "error: there is no layer `qqqqq`\n  hint: gradcheck layers lists them\n"),
    (("layers", "\x1b[31m"), "error: there is no layer `\\x1b[31m`\n  hint: gradcheck layers lists them\n"),
]


@pytest.mark.parametrize(("arguments", "said"), UNKNOWN, ids=[" ".join(row[0]) for row in UNKNOWN])
def test_unknown_names(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert (done.status, done.out, done.err) == (2, "", said)


@pytest.mark.parametrize("arguments", [("ops", "a", "b"), ("layers", "a", "b"), ("schema", "a"), ("init", "a")])
def test_too_many_names(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "unexpected extra argument" in done.err


# Layers


def test_every_layer_is_listed_in_its_family() -> None:
    done = run("layers")
    assert (done.status, done.err) == (0, "")
    listed = [line for line in done.out.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in listed] == list(LAYERS)
    for line, row in zip(listed, LAYERS.values(), strict=True):
        signature = line.strip().partition(" ")[2]
        assert all(a.name in signature for a in row.arguments if not a.inert)
        assert not any(f"{a.name}=" in signature for a in row.arguments if a.inert)
    assert len([line for line in done.out.splitlines() if line.endswith(":")]) == 9


def in_network(row: Layer) -> tuple[list[str], dict[str, tuple[Any, bool]]]:
    """Build a spec that consists of a layer's example; return the ops of its node, and its parameters."""
    given, shapes = row.example
    _, operands, _ = example(row)
    shapes = [operand.shape for operand in operands] if row.known else list(shapes)

    def ones(shape: Any) -> Any:
        return [ones(shape[1:]) for _ in range(shape[0])] if shape else 1

    arguments = {name: ones(value) if row.argument(name).operand else value for name, value in given.items()}
    names = [f"i{k}" for k in range(len(shapes))]
    node = {"type": row.name, "inputs": names, **json.loads(json.dumps(arguments))}
    spec = {
        "gradcheck": 1,
        "inputs": {n: ones(s) for n, s in zip(names, shapes, strict=True)},
        "nodes": {"n": node},
        "output": "n",
    }
    networks, problems = load(Source(json.dumps(spec), "case"))
    assert [problem.render() for problem in problems] == []
    (network,) = networks
    ops = [network.graph.ops[node] for node in network.graph.gates]
    parameters = {
        name: (tensor.shape, tensor.kind == "buffer")
        for name, tensor in network.tensors.items()
        if tensor.kind in ("parameter", "buffer")
    }
    return ops, parameters


@pytest.mark.parametrize("name", LAYERS)
def test_the_program_that_is_shown_is_the_one_that_runs(name: str) -> None:
    row = LAYERS[name]
    done = run("layers", name)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert all(any(line.startswith(f"  {a.name} ") for line in lines) for a in row.arguments)
    # The program, as it is printed, is parsed …
    (start,) = [k for k, line in enumerate(lines) if line.startswith("  program for ")]
    program = []
    for line in lines[start + 1 :]:
        if not line.startswith("    ") or line.startswith("      "):
            break
        program.append(line[4:])
    _, operands, plan = example(row)
    local = [operand.rstrip("?") for operand in row.operands]
    if row.many:
        local += [f"{local[0]}{k}" for k in range(1, len(operands))]
    graph = parse(Source("\n".join(program), name), {*local, *plan.data}, static_names=plan.names, internal=True)
    shown = {line.split()[0] for line in lines[start + 1 :] if line.startswith("      ")}
    assert shown == set(plan.names)
    # … and a network that consists of this layer does what it says, gate by gate.
    ops, parameters = in_network(row)
    expected = [graph.ops[node] for node in graph.gates]
    assert [op for op in ops if op != "identity"] == [op for op in expected if op != "identity"]
    described = [line.split() for line in lines if line.startswith(("  parameter ", "  buffer "))]
    declared = {words[1].rstrip(":"): (words[0] == "buffer", words[2:]) for words in described}
    assert set(declared) == set(plan.parameters)
    for full, (shape, buffer) in parameters.items():
        is_buffer, words = declared[full.removeprefix("n.")]
        assert is_buffer == buffer
        assert " ".join(words).startswith(f"{show(shape)}, ")
    assert {f"n.{n}" for n, p in plan.parameters.items() if not p.buffer} == {
        n for n, (_, buffer) in parameters.items() if not buffer
    }


@pytest.mark.parametrize("name", LAYERS)
def test_a_plan_has_the_names_it_declares(name: str) -> None:
    """Every name of the program is an input, a parameter, data or a fixed value; all parameters are used."""
    row = LAYERS[name]
    _, operands, plan = example(row)
    local = {operand.rstrip("?") for operand in row.operands[: len(operands)]}
    local |= {f"{row.operands[0]}{k}" for k in range(1, len(operands)) if row.many}
    local |= {a.name for a in row.arguments if a.operand}
    parameters = {n.replace(".", "_"): p for n, p in plan.parameters.items()}
    known = local | set(plan.data) | set(parameters)
    graph = parse(Source(plan.program, name), known, static_names=plan.names, internal=True)
    assert set(graph.inputs) <= known
    assert {n for n, p in parameters.items() if not p.buffer} <= set(graph.inputs)
    assert set(plan.outputs) <= set(graph.stages)
    if row.outputs[-1:] != ("…",):
        assert len(plan.outputs) == len(row.outputs)
    every = [*parameters, *plan.data, *plan.names, *local]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_names_of_layers(spelling: str) -> None:
    assert run("layers", spelling) == run("layers", SPELLINGS[spelling])


# The schema


@pytest.fixture(scope="module")
def validator() -> Any:
    done = run("schema")
    assert (done.status, done.err) == (0, "")
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def plain(node: Node) -> Any:
    """Return a document as the values of JSON, as an editor reads it."""
    if isinstance(node, Map):
        return {key: plain(value) for key, (_, value) in node.items.items()}
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def values(text: str) -> list[Any]:
    roots, problems, _ = documents(Source(text, "net.yaml"))
    assert problems == []
    return [plain(root) for root in roots]


def complaints(validator: Any, value: Any) -> list[str]:
    return [error.message[:200] for error in validator.iter_errors(value)]


def covering() -> list[dict[str, Any]]:
    """Return records in which each argument of each layer occurs with each kind of value."""
    seen: set[tuple[str, str, str]] = set()
    found = []
    for record in cases("layers.jsonl"):
        spec = record["spec"]
        steps = [*spec.get("nodes", {}).values(), *spec.get("layers", ()), spec.get("loss", {})]
        facts = {
            (step["type"], key, type(value).__name__)
            for step in steps if isinstance(step, dict) and "type" in step for key, value in step.items()
        }  # fmt: skip
        if facts - seen:
            seen |= facts
            found.append(record)
    return found


def test_the_schema_accepts_every_layer_with_every_argument(validator: Any) -> None:
    records = covering()
    assert len(records) > 100
    refused = [record for record in records if not validator.is_valid(record["spec"])]
    assert {record["id"]: complaints(validator, record["spec"]) for record in refused} == {}


@pytest.mark.parametrize("path", sorted((HERE.parent / "specs").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_the_specs_of_the_repository(path: pathlib.Path, validator: Any) -> None:
    for value in values(path.read_text(encoding="utf-8")):
        assert complaints(validator, value) == []


ACCEPTED = {
    "what every constructor takes": "layers: [{type: Linear, out_features: 2, device: cpu, dtype: torch.float64}]",
    "another name of a function": "nodes: {y: {type: concat, inputs: [x, x], dim: 1}}",
    "another name of an activation": "layers: [{type: Swish, inplace: true}]",
    "another name of a loss": """inputs: {x: {value: [2.0]}, t: [1.0]}
layers: [Tanh()]
loss: {type: HalfSquaredError, target: t, reduction: mean}""",
    "a factor for each axis": "nodes: {y: {type: Upsample, inputs: v, size: null, scale_factor: [2, 3]}}",
    "an axis that is left out": "nodes: {y: {type: Softmax, inputs: x, dim: ~}, z: {expr: sum(y^2)}}",
    "keys without values": "seed: ~\nname: ~\nmode: null\nlayers: ~\nnodes: {y: {expr: 2*x}}\nexpect: ~",
    "a number as a name": "name: 5\nnodes: {y: {expr: 2*x}}",
    "numbers as formulas": "nodes: {a: {expr: 5}, y: {expr: sum(x)}}\noutput: y\nbackward: {x: 1}",
    "training of a function": "nodes: {y: {type: tanh, inputs: x, training: true}}",
    "axes as a list": "nodes: {y: {type: sum, inputs: x, dim: [0, 1]}}",
    "text among layers": "layers: [Tanh(), '(a): Linear(2, 3)', {name: 7, type: Tanh}, {name: b, expr: 2*a}]",
    "a layer with inputs": "layers: [{type: Tanh, inputs: x}, {type: add, inputs: ['0', x]}]",
    "facts": """nodes: {y: {expr: 2*x}}
expect: {loss: {value: 6, rtol: 0.5}, outputs: {y: [[2, 4]]}, grads: {x: [[2, 2]]}}""",
    "sharing": """nodes:
      a: {type: Linear, inputs: x, out_features: 2, params: p}
      b: {type: Linear, inputs: a, out_features: 2, params: {weight: p.weight}}""",
    "parameters": """nodes: {y: {expr: x*w*v1*v2}}
params: {w: [[1, 2]], v1: {shape: [1, 2], init: xavier_normal_, gain: 2}, v2: {shape: 2, init: normal}}""",
    "kinds of numbers": """inputs:
  x: {value: 1, dtype: torch.float32}
  k: {value: 1, dtype: long}
  b: {value: [true, false]}
nodes: {y: {expr: x*k*sum(b)}}""",
    "own ops": """nodes: {y: {type: f, inputs: x}, z: {expr: 'h(x, y)'}}
ops:
  f: {args: x, forward: 2*x, backward: 2*g}
  h: {args: [a, b], forward: a*b, backward: {a: g*b, b: g*a}}""",
    "what is checked": "nodes: {y: {expr: 2*x}}\ncheck: {wrt: x}",
    "several that are checked": "nodes: {y: {expr: 2*x}}\ncheck: {wrt: [x, '*']}",
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_schema_accepts_what_verify_accepts(name: str, validator: Any) -> None:
    body = ACCEPTED[name]
    inputs = "" if body.startswith("inputs") else "inputs: {x: [[1.0, 2.0]], v: {shape: [1, 1, 2, 2]}}\n"
    if "layers: [" in body and inputs:
        inputs = "inputs: {x: [[1.0, 2.0]]}\n"
    text = f"gradcheck: 1\n{inputs}{body}\n"
    done = run("verify", "-", stdin=text.encode())
    assert done.status == 0, done
    (value,) = values(text)
    assert complaints(validator, value) == []


ROWS = yaml.safe_load((HERE / "cases" / "spec_errors.yaml").read_text(encoding="utf-8"))
STRUCTURE = [row for row in ROWS if row.get("schema") == "rejects"]


@pytest.mark.parametrize("row", STRUCTURE, ids=[row["case"] for row in STRUCTURE])
def test_the_schema_rejects_mistakes_of_structure(row: dict[str, Any], validator: Any) -> None:
    found = values(row["spec"].replace("⟦", "").replace("⟧", ""))
    assert not all(validator.is_valid(value) for value in found)


def test_the_schema_knows_every_layer_and_argument(validator: Any) -> None:
    known = validator.schema["$defs"]
    for row in LAYERS.values():
        properties = known[row.name]["properties"]
        assert {a.name for a in row.arguments} <= set(properties)
        assert all("description" in properties[a.name] for a in row.arguments)


# init


def test_the_spec_to_begin_with_is_right() -> None:
    printed = run("init")
    assert (printed.status, printed.err) == (0, "")
    done = run("verify", "-", stdin=printed.out.encode())
    assert (done.status, done.err) == (0, "")
    assert "agree" in done.out


CHAIN = "layers:                      # a chain"
FIRST = "- {name: fc1, type: Linear, in"
ADDED = [
    (["mode: eval"], {}), (["output: fc2"], {}), (["fc2.weight: {init"], {}), (["fc2.bias: {file"], {}),
    (["z: {file"], {FIRST: "- {name: fc1, type: Linear, inputs: x, in"}),
    (["r: {shape"], {FIRST: "- {name: fc1, type: Linear, inputs: x, in"}),
    (["backward:", "  fc2.bias: \"sum"], {}), (["check: {wrt"], {}),
    (["expect:", "  loss:", "  outputs:", "  grads:"], {}),
    (["ops:", "  swish:", "    args:", "    forward:", "    backward:"], {"act, type: Tanh": "act, type: swish"}),
    (["nodes:", "  fc1:", "  skip:"], {CHAIN: "_", "- {name": "# -", '- "(fc2)': "# -"}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "changes"), ADDED, ids=[row[0][0] for row in ADDED])
def test_what_it_shows_in_comments_is_right_too(
    lines: list[str], changes: dict[str, str], tmp_path: pathlib.Path
) -> None:
    np.savez(tmp_path / "data.npz", z=np.ones(2), b=np.zeros(3))
    text = run("init").out
    for line in lines:
        assert text.count(f"# {line}") == 1, line
        text = text.replace(f"# {line}", line)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("_"))
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    done = run("verify", str(tmp_path / "net.yaml"))
    assert done.status == 0, done


def test_every_comment_of_it_that_shows_a_key_is_tried() -> None:
    shown = [line.strip() for line in run("init").out.splitlines() if line.strip().startswith("#")]
    keys = [line for line in shown if re.match(r"#\s+[\w.]+:(?=\s|$)", line)]
    tried = [f"# {line}" for row in ADDED for line in row[0]]
    assert [line for line in keys if not line.startswith(tuple(tried))] == []


@pytest.mark.parametrize("model", MODELS, ids=[model["name"] for model in MODELS])
def test_printed_models_become_specs_that_load(model: dict[str, Any], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text(model["print"], encoding="utf-8")
    done = run("init", "--from-repr", str(path))
    assert (done.status, done.err) == (0, "")
    assert run("init", "--from-repr", "-", stdin=model["print"].encode()) == done
    networks, problems = load(Source(done.out, "model.yaml"))
    if model["leaving"] is None:
        assert "do not fit together" in done.out
        return
    assert [problem.render() for problem in problems] == []
    (network,) = networks
    parameters = {n: list(t.shape) for n, t in network.tensors.items() if t.kind == "parameter"}
    # A model that is a single layer has no name of its own.
    bare = set(model["parameters"]) == {n.removeprefix("0.") for n in parameters}
    assert {n.removeprefix("0.") if bare else n: shape for n, shape in parameters.items()} == model["parameters"]


SMALL = [model for model in MODELS if model["name"] in ("mlp", "single")]


@pytest.mark.parametrize("model", SMALL, ids=[model["name"] for model in SMALL])
def test_printed_models_are_verified(model: dict[str, Any]) -> None:
    spec = run("init", "--from-repr", "-", stdin=model["print"].encode()).out
    done = run("verify", "-", stdin=spec.encode())
    assert (done.status, done.err) == (0, "")


BAD_MODELS = [
    (b"", "`<stdin>` is empty"), (b"Linaer(2, 3)", "<stdin>:1:1: error: unknown layer `Linaer`"),
    (b"Sequential(\n  (0): Linear(2, 3)\n", "<stdin>:1:11: error: this `(` is not closed"),
    (b"Sequential(\n  (0): Linear(2,, 3)\n)", "<stdin>:2:17: error: a value is missing here"),
    (b"\xff\xfe", "`<stdin>` is written in UTF-16 or UTF-32"),
    (b"Linear(\x1b[31m)", "<stdin>:1:8: error: this is not a value"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BAD_MODELS, ids=[repr(row[0])[:30] for row in BAD_MODELS])
def test_what_is_no_printed_model(text: bytes, said: str) -> None:
    done = run("init", "--from-repr", "-", stdin=text)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "\x1b" not in done.err


def test_a_model_that_is_not_there(tmp_path: pathlib.Path) -> None:
    for path, said in ((tmp_path / "no.txt", "No such file"), (tmp_path, "is a directory")):
        done = run("init", "--from-repr", str(path))
        assert (done.status, done.out) == (2, "")
        assert said in done.err


# What is imported


IMPORTS = """
import sys
sys.argv = ["gradcheck", *sys.argv[1:]]
from gradcheck.cli import main
try:
    main()
except SystemExit as leaving:
    status = leaving.code or 0
else:
    status = 0
loaded = {name.partition(".")[0] for name in sys.modules}
print("LOADED", status, *sorted(loaded & {"flint", "numpy", "sympy", "mpmath", "rich"}), file=sys.stderr)
"""
BAD = (
    "gradcheck: 1\ninputs: {x: [[1, 2]]}\nlayers: [{type: Linaer, out_features: 2}, {type: Conv2d, out_channels: x}]\n"
)
MISFIT = (
    "gradcheck: 1\ninputs: {x: {shape: [3, 2]}, t: {value: [0, 1, 7], dtype: int64}}\n"
    "ops: {f: {args: x, forward: x^2, backward: 2*x*g}}\n"
    "layers: [{type: Linear, out_features: 3}, {type: BatchNorm1d}, {type: f}]\n"
    "loss: {type: CrossEntropyLoss, target: t}\n"
)
STARTS = [
    (("--help",), 0), (("verify", "--help"), 0), (("init", "--help"), 0), (("init",), 0), (("schema",), 0),
    (("layers",), 0), (("layers", "Conv2d"), 0), (("layers", "MultiheadAttention"), 0), (("layers", "Linaer"), 2),
    (("ops",), 0), (("ops", "matmul"), 0), (("ops", "no"), 2), (("verify",), 2), (("verify", "missing.yaml"), 2),
    (("verify", "bad.yaml"), 2), (("verify", "misfit.yaml"), 2), (("verify", "syntax.yaml"), 2),
    (("verify", "empty"), 5), (("verify", "good.yaml", "-k", "zz"), 5), (("verify", "good.yaml", "-o", "xml"), 2),
    (("verify", "good.yaml", "--wrt", "zz"), 2),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "status"), STARTS, ids=[" ".join(row[0]) for row in STARTS])
def test_nothing_heavy_is_imported_before_it_is_needed(
    arguments: tuple[str, ...], status: int, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "misfit.yaml").write_text(MISFIT)
    (tmp_path / "syntax.yaml").write_text("gradcheck: 1\ninputs: [1, 2\n")
    (tmp_path / "good.yaml").write_text(
        "gradcheck: 1\ninputs: {x: {shape: [3, 2]}}\nlayers: [Tanh(), 'Linear(2, 3)']\n"
    )
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
    )
    assert done.stderr.splitlines()[-1] == f"LOADED {status}"
