"""What specs mean: sharing, order, names in formulas, ops of one's own, initial values, modes, outputs, expectations.

References are numpy, written here from the definitions; nothing of the package computes them.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from support import lines_run, run

from gradcheck.checking.array_place import ArrayPlace
from gradcheck.errors import Source
from gradcheck.networks.loading import load
from gradcheck.networks.network import Network

CLOSE = 1e-12


class Computed(NamedTuple):
    """A network's value, gradients and the values of its nodes."""

    value: float
    grads: dict[str, Any]
    nodes: dict[str, Any]


def built(text: str) -> Network:
    networks, problems = load(Source(text, "net.yaml"))
    assert [problem.render() for problem in problems] == []
    (network,) = networks
    return network


def computed(text: str) -> Computed:
    network = built(text)
    point = ArrayPlace(network.graph, network.point)
    gradients = point.gradients
    grads = {n: gradients[network.graph.inputs[n]] for n in network.wrt}
    grads = {n: np.zeros(network.tensors[n].shape) if g is None else np.asarray(g) for n, g in grads.items()}
    return Computed(point.value, grads, {n: point.values[k] for n, k in network.graph.stages.items()})


def near(ours: Any, theirs: Any) -> bool:
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    return a.shape == b.shape and bool(np.max(np.abs(a - b)) <= CLOSE * (np.max(np.abs(b)) or 1.0))


def status(text: str) -> int:
    return run("verify", "-", stdin=text.encode()).status


def test_nearness_can_fail() -> None:
    assert near([1, 2], [1, 2])
    assert not near([1, 2], [1, 2 + 1e-11])
    assert not near([1, 2], [[1, 2]])
    assert not near(np.nan, 1)


# Sharing


STEPS = """\
gradcheck: 1
inputs: {x1: [[0.5, -1.0]], x2: [[1.0, 0.25]], x3: [[-0.75, 0.5]]}
nodes:
  h1: {type: RNNCell, inputs: x1, hidden_size: 3, params: A}
  h2: {type: RNNCell, inputs: [x2, h1], hidden_size: 3, params: B}
  h3: {type: RNNCell, inputs: [x3, h2], hidden_size: 3, params: C}
  out: {expr: "sum(h3^2)"}
params:
"""
RNN = {
    "weight_ih": [[0.4, -0.3], [0.2, 0.6], [-0.5, 0.1]],
    "weight_hh": [[0.1, 0.5, -0.2], [-0.7, 0.3, 0.4], [0.2, -0.1, 0.6]],
    "bias_ih": [0.05, -0.1, 0.2],
    "bias_hh": [0.3, 0.1, -0.2],
}


def given(prefixes: str) -> str:
    return "".join(f"  {p}.{n}: {json.dumps(v)}\n" for p in dict.fromkeys(prefixes) for n, v in RNN.items())


def unrolled(prefixes: str) -> str:
    text = STEPS
    for letter, prefix in zip("ABC", prefixes, strict=True):
        text = text.replace(f"params: {letter}}}", f"params: {prefix.lower()}}}")
    return text + given(prefixes.lower())


def test_a_shared_gradient_is_the_sum_over_the_uses() -> None:
    shared, apart = computed(unrolled("rrr")), computed(unrolled("abc"))
    assert near(shared.value, apart.value)
    assert list(shared.grads) == ["x1", *(f"r.{n}" for n in RNN), "x2", "x3"]
    for name in RNN:
        parts = [apart.grads[f"{p}.{name}"] for p in "abc"]
        assert near(shared.grads[f"r.{name}"], sum(parts))
        assert all(np.abs(part).max() > 0 for part in parts[1:])
    two = computed(unrolled("raa"))
    assert near(two.grads["a.weight_ih"], apart.grads["b.weight_ih"] + apart.grads["c.weight_ih"])
    assert status(unrolled("rrr")) == 0


def test_an_unrolled_network_is_numpys_loop() -> None:
    h = np.zeros((1, 3))
    w = {name: np.array(value) for name, value in RNN.items()}
    for x in ([[0.5, -1.0]], [[1.0, 0.25]], [[-0.75, 0.5]]):
        h = np.tanh(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"])
    assert near(computed(unrolled("rrr")).nodes["h3"], h)


TIED = """\
gradcheck: 1
inputs: {x: [[0.5, -1.0], [1.5, 0.25]]}
nodes:
  a: {type: Linear, inputs: x, out_features: 2}
  t: {type: Tanh, inputs: a}
  b: {type: Linear, inputs: t, out_features: 2, params: {weight: a.weight}}
  out: {expr: "sum(b^3)"}
"""


def test_one_parameter_can_be_shared_by_name() -> None:
    network = built(TIED)
    assert list(network.tensors) == ["x", "a.weight", "a.bias", "b.bias"]
    found = computed(TIED)
    w, ba, bb = (network.array(n) for n in ("a.weight", "a.bias", "b.bias"))
    x = np.array([[0.5, -1.0], [1.5, 0.25]])
    t = np.tanh(x @ w.T + ba)
    d_b = 3 * (t @ w.T + bb) ** 2
    d_a = d_b @ w * (1 - t**2)
    assert near(found.grads["a.weight"], d_b.T @ t + d_a.T @ x)
    assert near(found.grads["a.bias"], d_a.sum(0))
    assert near(found.grads["b.bias"], d_b.sum(0))


def test_an_embedding_can_be_tied_to_the_last_layer() -> None:
    text = """\
gradcheck: 1
inputs: {i: {value: [0, 3, 3], dtype: int64}}
nodes:
  e: {type: Embedding, inputs: i, num_embeddings: 5, embedding_dim: 3}
  o: {type: Linear, inputs: e, out_features: 5, bias: false, params: {weight: e.weight}}
  out: {expr: "sum(o^2)"}
"""
    w = built(text).array("e.weight")
    rows = w[[0, 3, 3]]
    d_o = 2 * rows @ w.T
    direct = np.zeros_like(w)
    np.add.at(direct, [0, 3, 3], d_o @ w)
    found = computed(text)
    assert list(found.grads) == ["e.weight"]
    assert near(found.grads["e.weight"], direct + d_o.T @ rows)


def test_sharing_may_name_a_parameter_that_no_layer_owns() -> None:
    text = TIED.replace("out_features: 2}", "out_features: 2, params: {weight: w}}").replace("a.weight", "w")
    drawn = built(text)
    assert list(drawn.tensors) == ["x", "w", "a.bias", "b.bias"]
    fixed = built(text + "params: {w: [[1, 2], [3, 4]]}\n")
    assert fixed.array("w").tolist() == [[1, 2], [3, 4]]
    assert status(text) == 0


# Order and size


def test_nodes_may_come_in_any_order() -> None:
    nodes = {
        "fc1": {"type": "Linear", "inputs": "x", "out_features": 3},
        "h": {"type": "Tanh", "inputs": "fc1"},
        "skip": {"expr": "h*sigmoid(fc1) + x @ V"},
        "fc2": {"type": "Linear", "inputs": "skip", "out_features": 2, "bias": False},
        "out": {"expr": "sum(fc2*fc2.weight.sum() + mean(h))"},
    }
    base = {"gradcheck": 1, "inputs": {"x": [[0.5, -1.0]]}, "params": {"V": [[1, 2, 3], [4, 5, 6]]}, "output": "out"}
    expected = computed(json.dumps({**base, "nodes": nodes}))
    rng = random.Random(0)
    for _ in range(8):
        order = rng.sample(list(nodes), len(nodes))
        found = computed(json.dumps({**base, "nodes": {name: nodes[name] for name in order}}))
        assert near(found.value, expected.value)
        assert set(found.grads) == set(expected.grads)
        assert all(near(found.grads[n], g) for n, g in expected.grads.items())


def chain(count: int) -> str:
    return "gradcheck: 1\ninputs: {x: 0.5}\nlayers:\n" + "- Tanh()\n" * count


def backwards(count: int, node: Callable[[int], str]) -> str:
    lines = [f"  n{k}: {node(k)}" for k in range(count)]
    return "gradcheck: 1\ninputs: {x: 0.5}\nnodes:\n" + "\n".join(lines) + f"\n  n{count}: {{expr: 2*x}}\n"


LONG = {
    "layers": (chain(2000), 1999),
    "layers in reverse": (backwards(2000, lambda k: f"{{type: Tanh, inputs: n{k + 1}}}"), 2000),
    "expressions in reverse": (backwards(2000, lambda k: f'{{expr: "tanh(n{k + 1})"}}'), 2000),
}


@pytest.mark.parametrize("name", LONG)
def test_depth_is_no_problem(name: str) -> None:
    found = computed(LONG[name][0])
    value = 0.5 if name == "layers" else 1.0
    slope = 1.0 if name == "layers" else 2.0
    for _ in range(2000):
        value = math.tanh(value)
        slope *= 1 - value * value
    assert near(found.value, value)
    assert near(found.grads["x"], slope)


def test_the_work_to_build_grows_with_the_size() -> None:
    """Twice the nodes run about twice the lines: squares would show as four times."""

    def work(count: int) -> int:
        text = backwards(count, lambda k: f'{{expr: "n{k + 1} + 1"}}') + "output: n0\n"
        return lines_run(lambda: built(text))

    work(10)
    assert work(400) < 2.5 * work(200)


def test_work_is_counted() -> None:
    def squares(n: int) -> int:
        return sum(j for k in range(n) for j in range(n) if j < k)

    assert lines_run(lambda: squares(200)) > 3.5 * lines_run(lambda: squares(100))


def test_a_long_chain_is_verified() -> None:
    done = run("verify", "-", "-o", "json", stdin=chain(300).encode())
    assert done.status == 0, done


# Names in formulas


X = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
W = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]]
DOTTED = [
    ("fc.weight.T", lambda x, w, h: w.T), ("x.T", lambda x, w, h: x.T), ("h.sum()", lambda x, w, h: h.sum()),
    ("fc.weight.sum(axis=0)", lambda x, w, h: w.sum(0)), ("x @ fc.weight.T", lambda x, w, h: x @ w.T),
    ("fc.weight.T @ h.T", lambda x, w, h: w.T @ h.T), ("h.mean(axis=1)", lambda x, w, h: h.mean(1)),
    ("fc.weight[0, 1:]*2", lambda x, w, h: w[0, 1:] * 2), ("x.T.T - x", lambda x, w, h: x - x),
    ("fc.bias + h", lambda x, w, h: h + np.array([0.1, -0.2])), ("fc.dot(x)", lambda x, w, h: h @ x),
    ("block.0.act + h", lambda x, w, h: np.tanh(h) + h), ("block.0.act.T", lambda x, w, h: np.tanh(h).T),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "expected"), DOTTED, ids=[row[0] for row in DOTTED])
def test_names_with_dots_and_methods(formula: str, expected: Callable[..., Any]) -> None:
    text = f"""\
gradcheck: 1
inputs: {{x: {X}}}
nodes:
  fc: {{type: Linear, inputs: x, out_features: 2}}
  h: {{type: Identity, inputs: fc}}
  block.0.act: {{type: Tanh, inputs: h}}
  y: {{expr: "{formula}"}}
params: {{fc.weight: {W}, fc.bias: [0.1, -0.2]}}
output: y
"""
    x, w = np.array(X), np.array(W)
    assert near(computed(text).nodes["y"], expected(x, w, x @ w.T + np.array([0.1, -0.2])))


def test_parameters_may_be_used_in_expressions_alone() -> None:
    text = """\
gradcheck: 1
inputs: {x: [1.0, 2.0]}
params: {w: [3.0, -1.0], scale.factor: 2.0, k: {shape: [2], init: ones_}}
nodes: {y: {expr: "sum(w*x^2*k)*scale.factor"}}
"""
    found = computed(text)
    assert found.value == (3 * 1 - 4) * 2
    assert {n: g.tolist() for n, g in found.grads.items()} == {
        "w": [2, 8], "x": [12, -8], "k": [6, -8], "scale.factor": -1
    }  # fmt: skip
    assert status(text) == 0


def test_inputs_that_nothing_uses_are_not_checked() -> None:
    text = "gradcheck: 1\ninputs: {x: 2.0, unused: [1.0, 2.0]}\nnodes: {y: {expr: x^2}}\n"
    assert list(computed(text).grads) == ["x"]


def test_a_name_in_a_formula_shadows_constants_and_functions() -> None:
    text = 'gradcheck: 1\ninputs: {e: 3.0, pi: 5.0}\nnodes: {y: {expr: "e*pi"}}\n'
    assert computed(text).value == 15
    assert computed('gradcheck: 1\ninputs: {x: 2.0}\nnodes: {y: {expr: "x*pi"}}\n').value == 2 * math.pi


def test_formulas_may_have_stages() -> None:
    text = 'gradcheck: 1\ninputs: {x: 2.0, y: 3.0}\nnodes: {z: {expr: "q = x + y; r = q*x; r^2"}}\n'
    found = computed(text)
    assert found.value == 100
    assert {n: float(g) for n, g in found.grads.items()} == {"x": 2 * 10 * (2 * 2 + 3), "y": 2 * 10 * 2}
    assert list(found.nodes) == ["z"]


# Hand-derived gradients


HAND = """\
gradcheck: 1
inputs: {x: [[0.5, -1.0], [1.5, 0.25]], y: [[0.1, 0.2], [0.3, -0.4]]}
nodes:
  fc: {type: Linear, inputs: x, out_features: 2}
  h: {type: Tanh, inputs: fc}
loss: {type: HalfSquaredErrorLoss, input: h, target: y}
"""
CLAIMS = [
    ("fc.weight", "d_fc.T @ x", 0), ("fc.weight", "(d_h*(1 - h^2)).T @ x", 0),
    ("fc.weight", "((h - y)*(1 - h^2)).T @ x", 0), ("fc.bias", "sum(d_fc, axis=0)", 0),
    ("fc.bias", "d_fc.sum(axis=0)", 0),
    ("x", "d_fc @ fc.weight", 0), ("x", "d_x", 0), ("fc.weight", "d_fc.weight", 0),
    ("fc.weight", "-d_fc.T @ x", 1), ("fc.weight", "(x.T @ d_fc)", 1), ("fc.weight", "d_h.T @ x", 1),
    ("fc.bias", "sum(d_h, axis=0)", 1), ("fc.bias", "0", 1), ("x", "d_fc @ fc.weight.T", 1),
    ("x", "d_fc @ fc.weight*1.0001", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "formula", "code"), CLAIMS, ids=[f"{r[0]}={r[1]}" for r in CLAIMS])
def test_hand_derived_gradients_are_graded(name: str, formula: str, code: int) -> None:
    done = run("verify", "-", "-o", "json", stdin=f'{HAND}backward: {{{name}: "{formula}"}}\n'.encode())
    assert done.status == code, done
    (found,) = done.report["checks"]
    verdicts = {tensor["input"]: tensor["verdict"] for tensor in found["tensors"]}
    assert verdicts == {n: "disagree" if code and n == name else "agree" for n in ("x", "fc.weight", "fc.bias")}
    claimed = {row["input"] for row in found["gradients"] if row["claimed"] is not None}
    assert claimed == {name}
    table = run("verify", "-", stdin=f'{HAND}backward: {{{name}: "{formula}"}}\n'.encode()).out
    assert ("(<stdin>:7)" in table) == bool(code)


def test_a_hand_derived_gradient_does_not_shield_a_wrong_rule() -> None:
    text = (
        'gradcheck: 1\ninputs: {x: 3}\nops: {cube: {args: x, forward: "x^3", backward: "2*x^2*g"}}\n'
        'nodes: {y: {type: cube, inputs: x}}\nbackward: {x: "3*x^2*d_y"}\n'
    )
    done = run("verify", "-", stdin=text.encode())
    assert done.status == 1
    assert "the backward rule of cube of `y` is wrong" in " ".join(done.out.split())


# Ops of one's own


OWN = """\
gradcheck: 1
inputs: {{x: [0.5, -1.5]}}
ops:
{ops}
nodes: {{y: {{{node}}}}}
"""


def own(ops: str, node: str = "type: f, inputs: x") -> str:
    return OWN.format(ops="\n".join(f"  {line}" for line in ops.splitlines()), node=node)


def test_ops_may_call_earlier_ops() -> None:
    text = own(
        'sq: {args: x, forward: "x^2", backward: "2*x*g"}\n'
        'f: {args: x, forward: "sq(x) + sq(3*x)*x", backward: "g*(2*x + 27*sq(x))"}'
    )
    x = np.array([0.5, -1.5])
    found = computed(text)
    assert near(found.nodes["y"], x**2 + 9 * x**3)
    assert near(found.grads["x"], 2 * x + 27 * x**2)
    assert status(text) == 0
    assert status(text.replace("27*sq", "26*sq")) == 1


def test_an_op_with_several_arguments_keeps_them_apart() -> None:
    ops = 'f: {args: [a, b], forward: "a*exp(-b)", backward: {b: "-g*out", a: "g*exp(-b)"}}'
    text = own(ops, 'expr: "f(x, 2*x)"')
    x = np.array([0.5, -1.5])
    assert near(computed(text).grads["x"], np.exp(-2 * x) - 2 * x * np.exp(-2 * x))
    assert status(text) == 0
    swapped = own(ops.replace('{b: "-g*out", a: "g*exp(-b)"}', '{a: "-g*out", b: "g*exp(-b)"}'), 'expr: "f(x, 2*x)"')
    assert status(swapped) == 1


def test_an_ops_rule_is_summed_over_broadcast_axes() -> None:
    text = """\
gradcheck: 1
inputs: {x: [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], b: [10.0, 20.0]}
ops: {f: {args: x b, forward: "x*b", backward: {x: "g*b", b: "g*x"}}}
nodes: {y: {type: f, inputs: [x, b]}}
"""
    found = computed(text)
    assert found.grads["b"].tolist() == [9, 12]
    assert found.grads["x"].tolist() == [[10, 20]] * 3
    assert status(text) == 0


def test_specs_of_one_run_may_define_a_name_differently() -> None:
    first = own('f: {args: x, forward: "x^2", backward: "2*x*g"}')
    second = own('f: {args: x, forward: "x^3", backward: "3*x^2*g"}')
    wrong = own('f: {args: x, forward: "x^3", backward: "2*x*g"}')
    done = run("verify", "-", "-o", "json", stdin="---\n".join([first, second, wrong, first]).encode())
    assert [check["verdict"] for check in done.report["checks"]] == ["agree", "agree", "disagree", "agree"]
    values = [check["value"] for check in done.report["checks"]]
    assert values == [0.5**2 + 1.5**2, 0.5**3 - 1.5**3, 0.5**3 - 1.5**3, 0.5**2 + 1.5**2]


@pytest.mark.parametrize("node", ["type: tanh, inputs: x", 'expr: "tanh(x)"'])
def test_an_op_of_ones_own_comes_before_the_built_in_one(node: str) -> None:
    ops = 'tanh: {args: x, forward: "x^2", backward: "2*x*g"}'
    assert near(computed(own(ops, node)).nodes["y"], [0.25, 2.25])
    assert status(own(ops, node)) == 0
    assert status(own(ops.replace("2*x*g", "g*(1 - out^2)"), node)) == 1
    # The built-in one is there again for the next spec.
    plain = own("", node).replace("ops:\n\n", "")
    assert near(computed(plain).nodes["y"], np.tanh([0.5, -1.5]))


def test_an_op_of_ones_own_comes_before_a_layer() -> None:
    ops = 'Linear: {args: x, forward: "3*x", backward: "3*g"}'
    assert near(computed(own(ops, "type: Linear, inputs: x")).nodes["y"], [1.5, -4.5])


def test_ops_may_use_array_ops() -> None:
    text = """\
gradcheck: 1
inputs: {x: [[0.5, -1.0, 0.3]], w: [[1.0, 2.0, -1.0], [0.5, -0.5, 3.0]]}
ops:
  affine: {args: x w, forward: "x @ w.T", backward: {x: "g @ w", w: "g.T @ x"}}
  norm: {args: x, forward: "sqrt(sum(x^2))", backward: "g*x/out"}
nodes: {h: {type: affine, inputs: [x, w]}, y: {type: norm, inputs: h}}
"""
    x, w = np.array([[0.5, -1.0, 0.3]]), np.array([[1.0, 2.0, -1.0], [0.5, -0.5, 3.0]])
    h = x @ w.T
    found = computed(text)
    assert near(found.value, np.linalg.norm(h))
    assert near(found.grads["w"], (h / np.linalg.norm(h)).T @ x)
    assert status(text) == 0


# Initial values


def cdf(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


def uniform(low: float, high: float) -> Callable[[float], float]:
    return lambda x: min(max((x - low) / (high - low), 0.0), 1.0)


def normal(mean: float, std: float) -> Callable[[float], float]:
    return lambda x: cdf((x - mean) / std)


def truncated(mean: float, std: float, low: float, high: float) -> Callable[[float], float]:
    bottom, top = cdf((low - mean) / std), cdf((high - mean) / std)
    return lambda x: min(max((cdf((x - mean) / std) - bottom) / (top - bottom), 0.0), 1.0)


SHAPE = (100, 1000)
FAN_IN, FAN_OUT = 1000, 100
RANDOM = [
    ("uniform_", uniform(0, 1)), ("uniform_, a: -1, b: 3", uniform(-1, 3)),
    ("normal_", normal(0, 1)), ("normal_, mean: 2, std: 0.5", normal(2, 0.5)),
    ("trunc_normal_", truncated(0, 1, -2, 2)),
    ("trunc_normal_, mean: 1, std: 2, a: 0, b: 1.5", truncated(1, 2, 0, 1.5)),
    ("xavier_uniform_", uniform(-math.sqrt(6 / 1100), math.sqrt(6 / 1100))),
    ("xavier_uniform_, gain: 2", uniform(-2 * math.sqrt(6 / 1100), 2 * math.sqrt(6 / 1100))),
    ("xavier_normal_", normal(0, math.sqrt(2 / 1100))), ("xavier_normal_, gain: 3", normal(0, 3 * math.sqrt(2 / 1100))),
    ("kaiming_uniform_", uniform(-math.sqrt(6 / FAN_IN), math.sqrt(6 / FAN_IN))),
    ("kaiming_uniform_, a: 2.23606797749979", uniform(-1 / math.sqrt(FAN_IN), 1 / math.sqrt(FAN_IN))),
    ("kaiming_normal_", normal(0, math.sqrt(2 / FAN_IN))),
    ("kaiming_normal_, mode: fan_out, nonlinearity: relu", normal(0, math.sqrt(2 / FAN_OUT))),
    ("kaiming_normal_, nonlinearity: tanh", normal(0, 5 / 3 / math.sqrt(FAN_IN))),
    ("kaiming_normal_, nonlinearity: linear, mode: fan_out", normal(0, 1 / math.sqrt(FAN_OUT))),
    ("kaiming_uniform_, nonlinearity: selu", uniform(-0.75 * math.sqrt(3 / FAN_IN), 0.75 * math.sqrt(3 / FAN_IN))),
    ("kaiming_normal", normal(0, math.sqrt(2 / FAN_IN))),
]  # fmt: skip
"""Initialisers and the distributions that torch.nn.init documents for them."""


def drawn(init: str, shape: Any = SHAPE, name: str = "w", seed: int = 0) -> Any:
    text = f"gradcheck: 1\nseed: {seed}\ninputs: {{{name}: {{shape: {list(shape)}, init: {init}}}}}\n"
    return built(f"{text}nodes: {{y: {{expr: sum({name})}}}}\n").array(name)


def distance(numbers: Any, distribution: Callable[[float], float]) -> float:
    """Return Kolmogorov and Smirnov's distance, in units of 1/√n: beyond 2 once in 1,500 times."""
    ordered = np.sort(np.ravel(numbers))
    expected = np.array([distribution(x) for x in ordered.tolist()])
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.max(steps[1:] - expected), np.max(expected - steps[:-1])) * math.sqrt(len(ordered)))


@pytest.mark.parametrize(("init", "distribution"), RANDOM, ids=[row[0] for row in RANDOM])
def test_initialisers_draw_from_torchs_distributions(init: str, distribution: Callable[[float], float]) -> None:
    numbers = drawn(init)
    assert numbers.shape == SHAPE
    assert distance(numbers, distribution) < 2
    # A scale that is wrong by 1 % shows.
    assert distance(numbers * 1.03 + 0.03 * np.std(numbers), distribution) > 2


def test_initialisers_that_draw_nothing() -> None:
    assert (drawn("ones_", (2, 3)) == np.ones((2, 3))).all()
    assert (drawn("zeros_", (2, 3)) == np.zeros((2, 3))).all()
    assert (drawn("constant_, val: -2.5", (4,)) == np.full(4, -2.5)).all()
    assert (drawn("eye_", (2, 3)) == np.eye(2, 3)).all()
    assert (drawn("eye_", (3, 2)) == np.eye(3, 2)).all()
    kernel = np.zeros((3, 2, 3, 4))
    kernel[0, 0, 1, 2] = kernel[1, 1, 1, 2] = 1
    assert (drawn("dirac_", (3, 2, 3, 4)) == kernel).all()


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6), (4, 2, 3)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    matrix = drawn("orthogonal_, gain: 2", shape).reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert np.max(np.abs(small - 4 * np.eye(len(small)))) < 1e-13


@pytest.mark.parametrize("init", [row[0] for row in RANDOM[:10]] + ["orthogonal_"])
def test_what_is_drawn_depends_on_seed_and_name_alone(init: str) -> None:
    first = drawn(init, (4, 5))
    assert (first == drawn(init, (4, 5))).all()
    assert not np.isin(first, drawn(init, (4, 5), name="v")).any()
    assert not np.isin(first, drawn(init, (4, 5), seed=1)).any()


def test_adding_a_layer_changes_no_other_numbers() -> None:
    text = "gradcheck: 1\ninputs: {x: [[0.5, -1.0]]}\nlayers:\n- '(a): Linear(2, 3)'\n- '(b): Linear(3, 3)'\n"
    longer = text + "- '(c): Linear(3, 3)'\n"
    between = text.replace("- '(b)", "- '(m): Linear(3, 3)'\n- '(b)")
    for other in (longer, between):
        for name in ("a.weight", "a.bias", "b.weight", "b.bias"):
            assert (built(text).array(name) == built(other).array(name)).all()


IMAGE = (1, 4, 6, 6)
DEFAULTS = [
    ("Linear, out_features: 400", (2, 100), "weight", (400, 100), 0.1),
    ("Linear, out_features: 20000", (2, 25), "bias", (20000,), 0.2),
    ("Conv2d, out_channels: 500, kernel_size: 5", IMAGE, "weight", (500, 4, 5, 5), 0.1),
    ("Conv2d, out_channels: 500, kernel_size: 5, groups: 4", IMAGE, "weight", (500, 1, 5, 5), 0.2),
    ("ConvTranspose2d, out_channels: 4, kernel_size: 5", (1, 50, 2, 2), "weight", (50, 4, 5, 5), 0.1),
    ("LSTMCell, hidden_size: 100", (1, 30), "weight_ih", (400, 30), 0.1),
    ("GRUCell, hidden_size: 100", (1, 30), "weight_hh", (300, 100), 0.1),
    ("RNNCell, hidden_size: 100", (1, 30), "weight_hh", (100, 100), 0.1),
    ("MultiheadAttention, embed_dim: 60, num_heads: 2", (1, 60), "in_proj_weight", (180, 60), math.sqrt(6 / 240)),
    ("MultiheadAttention, embed_dim: 100, num_heads: 2", (1, 100), "out_proj.weight", (100, 100), 0.1),
]  # fmt: skip
"""Layers, and the bounds between which torch draws a parameter of theirs."""


@pytest.mark.parametrize(("layer", "entering", "name", "shape", "bound"), DEFAULTS, ids=[r[0][:40] for r in DEFAULTS])
def test_parameters_that_are_not_given_are_drawn_as_in_torch(
    layer: str, entering: tuple[int, ...], name: str, shape: tuple[int, ...], bound: float
) -> None:
    network = built(f"gradcheck: 1\ninputs: {{x: {{shape: {list(entering)}}}}}\nlayers: [{{type: {layer}}}]\n")
    numbers = network.array(f"0.{name}")
    assert numbers.shape == shape
    assert distance(numbers, uniform(-bound, bound)) < 2


def test_normalisations_begin_with_ones_and_zeros() -> None:
    network = built(
        "gradcheck: 1\nmode: eval\ninputs: {x: [[1, 2], [3, 5]]}\nlayers: [{name: bn, type: BatchNorm1d}]\n"
    )
    arrays = {n: network.array(n).tolist() for n in network.tensors if ":" not in n and n != "x"}
    assert arrays == {
        "bn.weight": [1, 1], "bn.bias": [0, 0], "bn.running_mean": [0, 0], "bn.running_var": [1, 1]
    }  # fmt: skip


def test_embeddings_are_standard_normal() -> None:
    text = "gradcheck: 1\ninputs: {i: {value: [0], dtype: int64}}\n"
    text += "nodes: {e: {type: Embedding, inputs: i, num_embeddings: 1000, embedding_dim: 20}}\n"
    assert distance(built(text).array("e.weight"), normal(0, 1)) < 2


# Kinds of numbers


def test_float32_inputs_are_rounded_once() -> None:
    text = "gradcheck: 1\ninputs: {x: {value: [0.1, 0.3], dtype: float32}}\nnodes: {y: {expr: sum(x)}}\n"
    expected = np.array([0.1, 0.3], dtype=np.float32).astype(float)
    for name in ("float32", "torch.float32", "float"):
        network = built(text.replace("float32", name))
        assert network.array("x").tolist() == expected.tolist()
        assert network.wrt == ["x"]
    random_one = text.replace("value: [0.1, 0.3]", "shape: [50]")
    numbers = built(random_one).array("x")
    assert (numbers == numbers.astype(np.float32)).all()
    assert (numbers != built(random_one.replace(", dtype: float32", "")).array("x")).any()


@pytest.mark.parametrize("dtype", ["int64", "int32", "long", "int", "torch.int64", "bool"])
def test_whole_numbers_are_not_differentiated(dtype: str) -> None:
    text = f"gradcheck: 1\ninputs: {{k: {{value: [1, 0], dtype: {dtype}}}, x: [2.0, 3.0]}}\n"
    text += "nodes: {y: {expr: sum(k*x)}}\n"
    found = computed(text)
    assert (found.value, list(found.grads)) == (2.0, ["x"])
    assert found.grads["x"].tolist() == [1, 0]


def test_true_and_false_are_a_mask() -> None:
    text = "gradcheck: 1\ninputs: {m: [[true, false], [false, true]], x: [[1.0, 2.0], [3.0, 4.0]]}\n"
    text += "nodes: {y: {expr: 'where(m, x^2, 0)'}}\n"
    found = computed(text)
    assert (found.value, list(found.grads)) == (17.0, ["x"])


ENTROPY = """\
gradcheck: 1
inputs: {x: [[0.5, -1.0, 0.25], [1.5, 0.0, -0.75]], t: TARGET}
layers: [{name: s, type: Identity}]
loss: {type: CrossEntropyLoss, target: t}
"""


def test_classes_may_be_written_as_they_come() -> None:
    x = np.array([[0.5, -1.0, 0.25], [1.5, 0.0, -0.75]])
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    expected = -(logs[0, 2] + logs[1, 0]) / 2
    for target in ("{value: [2, 0], dtype: int64}", "[2, 0]", "{value: [2.0, 0.0], dtype: float64}", "[2.0, 0.0]"):
        text = ENTROPY.replace("TARGET", target)
        if "." in target:
            # With a point they are numbers like others, and no classes.
            assert status(text) == 2
            continue
        found = computed(text)
        assert near(found.value, expected)
        assert list(found.grads) == ["x"]


def test_probabilities_may_be_differentiated_on_request() -> None:
    text = ENTROPY.replace("TARGET", "[[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]")
    x = np.array([[0.5, -1.0, 0.25], [1.5, 0.0, -0.75]])
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    assert list(computed(text).grads) == ["x"]
    found = computed(text + "check: {wrt: [t]}\n")
    assert list(found.grads) == ["t"]
    assert near(found.grads["t"], -logs / 2)


@pytest.mark.parametrize("kind", ["MSELoss", "L1Loss", "HuberLoss", "BCEWithLogitsLoss"])
def test_targets_are_data_unless_they_are_asked_for(kind: str) -> None:
    head = "gradcheck: 1\ninputs: {x: [0.5, -1.0], y: [0.25, 2.0]}\n"
    text = head + f"layers: [Tanh()]\nloss: {{type: {kind}, target: y}}\n"
    assert list(computed(text).grads) == ["x"]
    assert list(computed(text + "check: {wrt: ['*']}\n").grads) == ["x", "y"]
    as_node = head + f"nodes: {{l: {{type: {kind}, inputs: [x, y]}}}}\n"
    assert list(computed(as_node).grads) == ["x"]


# Modes


NORM = """\
gradcheck: 1
mode: MODE
inputs: {x: [[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]]}
layers:
- {name: bn, type: BatchNorm1dTRAINING}
params: {bn.running_mean: [0.5, -1.0], bn.running_var: [4.0, 0.25]}
"""


@pytest.mark.parametrize(
    ("mode", "training", "fixed"),
    [("train", "", False), ("eval", "", True), ("train", ", training: false", True),
     ("eval", ", training: true", False), ("eval", ", track_running_stats: false", False)],
)  # fmt: skip
def test_batch_norm_by_mode(mode: str, training: str, fixed: bool) -> None:
    x = np.array([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]])
    mean, var = (np.array([0.5, -1.0]), np.array([4.0, 0.25])) if fixed else (x.mean(0), x.var(0))
    text = NORM.replace("MODE", mode).replace("TRAINING", training)
    if "track" in training:
        text = text.partition("params")[0]
    assert near(computed(text).nodes["bn"], (x - mean) / np.sqrt(var + 1e-5))


def test_training_is_the_default_as_in_a_new_module() -> None:
    text = NORM.replace("mode: MODE\n", "").replace("TRAINING", "")
    assert near(computed(text).nodes["bn"], computed(NORM.replace("MODE", "train").replace("TRAINING", "")).nodes["bn"])


def test_dropout_is_a_fixed_mask_or_nothing() -> None:
    text = "gradcheck: 1\ninputs: {x: [[1.0, 2.0], [3.0, 4.0]]}\nnodes: {y: {type: Dropout, inputs: x, p: 0.75MORE}}\n"
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    mask = np.array([[1, 0], [1, 1]])
    found = computed(text.replace("MORE", ", mask: [[1, 0], [1, 1]]"))
    assert near(found.nodes["y"], x * mask * 4)
    assert list(found.grads) == ["x"]
    named = text.replace("MORE", ", mask: m").replace("inputs: {x", "inputs: {m: [[1, 0], [1, 1]], x")
    assert near(computed(named).nodes["y"], x * mask * 4)
    assert list(computed(named).grads) == ["x"]
    assert near(computed(text.replace("MORE", ", training: false")).nodes["y"], x)


# Outputs


def test_several_outputs_of_one_node() -> None:
    text = """\
gradcheck: 1
inputs: {x: [[0.5, -1.0]], h: [[0.1, 0.2, 0.3]], c: [[0.3, -0.1, 0.2]]}
nodes:
  cell: {type: LSTMCell, inputs: [x, h, c], hidden_size: 3}
  first: {expr: "cell"}
  h1: {expr: "cell.h"}
  c1: {expr: "cell.c"}
  out: {expr: "sum(cell.h)*2 + sum(cell.c^2)"}
output: out
"""
    network = built(text)
    w = {n: network.array(f"cell.{n}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    x, h, c = (network.array(n) for n in "xhc")
    i, f, g, o = np.split(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"], 4, axis=1)
    s = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    c1 = s(f) * c + s(i) * np.tanh(g)
    h1 = s(o) * np.tanh(c1)
    found = computed(text)
    assert near(found.nodes["h1"], h1)
    assert near(found.nodes["first"], h1)
    assert near(found.nodes["c1"], c1)
    assert near(found.value, h1.sum() * 2 + (c1**2).sum())
    assert status(text) == 0


@pytest.mark.parametrize(
    ("node", "parts"),
    [
        ("type: split, split_size_or_sections: 2", [(0, 2), (2, 4), (4, 5)]),
        ("type: split, split_size_or_sections: [1, 4]", [(0, 1), (1, 5)]),
        ("type: chunk, chunks: 2", [(0, 3), (3, 5)]),
        ("type: chunk, chunks: 4", [(0, 2), (2, 4), (4, 5)]),
    ],
)
def test_parts_are_numbered(node: str, parts: list[tuple[int, int]]) -> None:
    x = [1.0, -2.0, 3.0, 5.0, 7.0]
    uses = "".join(f'  u{k}: {{expr: "{k + 2}*sum(p.{k}^2)"}}\n' for k in range(len(parts)))
    total = " + ".join(f"u{k}" for k in range(len(parts)))
    text = f"gradcheck: 1\ninputs: {{x: {x}}}\nnodes:\n  p: {{{node}, inputs: x}}\n"
    text += f"{uses}  out: {{expr: {total}}}\noutput: out\n"
    expected = np.array(x)
    for k, (start, end) in enumerate(parts):
        expected[start:end] *= 2 * (k + 2)
    found = computed(text)
    assert near(found.grads["x"], expected)
    beyond = text.replace("p.0^2", f"p.{len(parts)}^2")
    assert status(beyond) == 2


def test_a_loss_may_be_a_node_or_the_loss() -> None:
    head = "gradcheck: 1\ninputs: {x: [0.5, -1.0], y: [0.25, 2.0]}\n"
    as_loss = computed(head + "nodes: {h: {type: Tanh, inputs: x}}\nloss: {type: MSELoss, input: h, target: y}\n")
    as_node = computed(head + "nodes: {h: {type: Tanh, inputs: x}, l: {type: MSELoss, inputs: [h, y]}}\n")
    called = computed(head + "nodes: {loss: {type: MSELoss, inputs: [h, y]}, h: {type: Tanh, inputs: x}}\n")
    formula = computed(head + "nodes: {h: {type: Tanh, inputs: x}}\nloss: {expr: mean((h - y)^2)}\ncheck: {wrt: x}\n")
    h, y = np.tanh([0.5, -1.0]), np.array([0.25, 2.0])
    for found in (as_loss, as_node, called, formula):
        assert near(found.value, np.mean((h - y) ** 2))
        assert near(found.grads["x"], (h - y) * (1 - h**2))
        assert list(found.grads) == ["x"]


def test_a_node_called_loss_is_the_output() -> None:
    found = computed(
        'gradcheck: 1\ninputs: {x: 2}\nnodes: {p: {expr: "3*x"}, loss: {expr: "p^2"}, q: {expr: "p + 1"}}\n'
    )
    assert (found.value, float(found.grads["x"])) == (36, 36)


SELECT = """\
gradcheck: 1
inputs: {x: [1.0, 2.0]}
nodes:
  a: {expr: "x^2"}
  b: {expr: "3*a"}
  parts: {type: split, inputs: b, split_size_or_sections: 1}
"""


@pytest.mark.parametrize(
    ("output", "gradient"),
    [("a", [2, 4]), ("b", [6, 12]), ("parts", [6, 0]), ("parts.0", [6, 0]), ("parts.1", [0, 12]), (None, [6, 0])],
)
def test_any_node_may_be_the_output(output: str | None, gradient: list[float]) -> None:
    found = computed(SELECT + (f"output: {output}\n" if output else ""))
    assert found.grads["x"].tolist() == gradient


def test_an_array_is_checked_through_its_sum() -> None:
    done = run("verify", "-", "-v", stdin=(SELECT + "output: b\n").encode())
    assert done.status == 0
    assert "sum of b = 15" in done.out
    assert "the output is 2: this is the gradient of the sum of its elements" in " ".join(done.out.split())


def test_where_a_chain_begins() -> None:
    layers = "layers: [{name: a, type: TanhFIRST}, Tanh()]\n"
    only = "gradcheck: 1\ninputs: {x: [0.5, -1.0]}\n" + layers
    assert list(computed(only.replace("FIRST", "")).grads) == ["x"]
    beside = "gradcheck: 1\ninputs: {y: [0.1, 0.2], x: [0.5, -1.0]}\n" + layers + "loss: {type: MSELoss, target: y}\n"
    assert list(computed(beside.replace("FIRST", "")).grads) == ["x"]
    whole = "gradcheck: 1\ninputs: {k: {value: [1, 2], dtype: int64}, x: [0.5, -1.0]}\n" + layers
    assert list(computed(whole.replace("FIRST", "")).grads) == ["x"]
    two = "gradcheck: 1\ninputs: {z: [0.1, 0.2], x: [0.5, -1.0]}\n" + layers
    assert list(computed(two.replace("FIRST", ", inputs: x")).grads) == ["x"]
    assert list(computed(two.replace("FIRST", ", input: z")).grads) == ["z"]
    embedded = (
        "gradcheck: 1\ninputs: {i: {value: [0, 2], dtype: int64}}\n"
        "layers: [{type: Embedding, num_embeddings: 3, embedding_dim: 2}]\n"
    )
    assert computed(embedded).grads["0.weight"].tolist() == [[1, 1], [0, 0], [1, 1]]


def test_later_layers_of_a_chain_may_name_their_inputs() -> None:
    text = (
        "gradcheck: 1\ninputs: {x: [0.5, -1.0]}\n"
        "layers: [{name: a, type: Tanh}, {name: b, type: Sigmoid}, {name: c, type: mul, inputs: [a, b]},\n"
        "  {expr: 2*c, name: d}]\n"
    )
    a = np.tanh([0.5, -1.0])
    assert near(computed(text).nodes["d"], 2 * a / (1 + np.exp(-a)))


def test_layers_without_a_name_are_called_by_their_place() -> None:
    text = (
        'gradcheck: 1\ninputs: {x: [[0.5, -1.0]]}\nlayers: ["Linear(2, 3)", Tanh(), {type: Linear, out_features: 1}]\n'
    )
    assert list(built(text).tensors) == ["x", "0.weight", "0.bias", "2.weight", "2.bias"]


PRINTED = [
    "Linear(2, 3, False)", "(fc): Linear(in_features=2, out_features=3, bias=False)",
    "nn.Linear(2, out_features=3, bias=False)",
]  # fmt: skip


@pytest.mark.parametrize("text", PRINTED)
def test_layers_as_torch_prints_them_are_layers(text: str) -> None:
    name = "fc" if "(fc)" in text else "0"
    spec = {"gradcheck": 1, "inputs": {"x": [[0.5, -1.0]]}, "params": {f"{name}.weight": [[1, 2], [3, 4], [5, 6]]}}
    found = computed(json.dumps({**spec, "layers": [text]}))
    as_map = {"name": name, "type": "Linear", "in_features": 2, "out_features": 3, "bias": False}
    assert near(found.value, computed(json.dumps({**spec, "layers": [as_map]})).value)
    assert near(found.nodes[name], [[-1.5, -2.5, -3.5]])


# Expectations


EXPECT = """\
gradcheck: 1
inputs: {x: [1.0, 3.0]}
nodes: {y: {expr: "x^2/3"}, s: {expr: "sum(y)"}}
output: s
expect: {FACT}
"""
FACTS = [
    ("loss: 3.33", True), ("loss: 3.333333", True), ("loss: 3.3333333333333335", True), ("loss: 33.3e-1", True),
    ("loss: 3.3", False), ("loss: 3.34", False), ("loss: 3.333334", False), ("loss: 3", False), ("loss: -3.33", False),
    ("loss: {value: 3.4, rtol: 0.05}", True), ("loss: {value: 3.4, rtol: 0.01}", False),
    ("loss: {value: 3.33, rtol: 0}", False), ("outputs: {y: [0.333, 3]}", True), ("outputs: {y: [0.333, 3.0]}", True),
    ("outputs: {y: [0.334, 3]}", False), ("outputs: {y: [0.333, 3.1]}", False), ("outputs: {s: 3.33}", True),
    ("outputs: {y: {value: [0.33, 3.02], rtol: 0.02}}", True), ("grads: {x: [0.667, 2]}", True),
    ("grads: {x: [0.6667, 2.0]}", True), ("grads: {x: [0.668, 2]}", False), ("grads: {x: [2, 0.667]}", False),
    ("grads: {x: {value: [0.7, 2], rtol: 0.05}}", True), ("grads: {x: {value: [0.7, 2], rtol: 0.01}}", False),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "holds"), FACTS, ids=[row[0] for row in FACTS])
def test_expectations_hold_to_the_digits_written(fact: str, holds: bool) -> None:
    done = run("verify", "-", "-o", "json", stdin=EXPECT.replace("FACT", fact).encode())
    (found,) = done.report["checks"]
    assert done.status == (0 if holds else 1), found["expect"]
    assert len(found["expect"]) == (0 if holds else 1)
    assert found["tensors"][0]["verdict"] == "agree"


def test_every_key_of_a_spec_is_read_from_json_too() -> None:
    spec = yaml.safe_load(HAND)
    assert near(computed(json.dumps(spec)).value, computed(HAND).value)
