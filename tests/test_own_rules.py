"""Ops of one's own under upstream gradients that the network does not give them, and kinks that meet."""

from __future__ import annotations

import json

import pytest
from support import run

HEAD = "gradcheck: 1\n"

WRONG = {
    "forgets the upstream gradient": (
        'inputs: {x: [1.0, 2.0, 3.0]}\nops: {f: {args: x, forward: "x^2", backward: "2*x"}}\n'
        "nodes: {y: {type: f, inputs: x}}\n"
    ),
    "transposes it": (
        "inputs: {x: [[1.0, 2.0], [3.0, 5.0]], w: [[0.5, 1.0], [2.0, -1.0]]}\n"
        'ops: {f: {args: x w, forward: "x @ w", backward: {x: "g.T @ w.T", w: "x.T @ g.T"}}}\n'
        "nodes: {y: {type: f, inputs: [x, w]}}\n"
    ),
    "mixes it": (
        'inputs: {x: [1.0, 2.0, 3.0]}\nops: {f: {args: x, forward: "x^3", backward: "3*x^2*mean(g)"}}\n'
        'nodes: {h: {type: f, inputs: x}, y: {expr: "mean(h)"}}\noutput: y\n'
    ),
    "forgets it in a large array": (
        'inputs: {x: {shape: [30, 20]}}\nops: {f: {args: x, forward: "sin(x)", backward: "cos(x)"}}\n'
        "nodes: {y: {type: f, inputs: x}}\n"
    ),
    "is zero for a softmax, whose sum is always one": (
        'inputs: {x: [[1.0, 2.0, 4.0]]}\nops: {f: {args: x, forward: "softmax(x)", backward: "0*g"}}\n'
        'nodes: {y: {type: f, inputs: x}, z: {expr: "sum(y) + sum(x)"}}\noutput: z\n'
    ),
}


@pytest.mark.parametrize("spec", WRONG.values(), ids=WRONG)
def test_a_rule_that_is_right_only_under_ones_is_caught(spec: str) -> None:
    done = run("verify", "-", "-o", "json", stdin=(HEAD + spec).encode())
    assert done.status == 1, done
    (check,) = done.report["checks"]
    assert {row["verdict"] for row in check["gradients"]} <= {"agree", "not_exercised"}
    (fault,) = check["rules"]
    assert fault["what"].startswith("rule f of `")
    assert fault["line"] == (HEAD + spec)[: (HEAD + spec).index("nodes:")].count("\n") + 1


RIGHT = {
    "a target that is data": (
        "inputs: {x: [[1.0, 2.0]], t: {value: [[3, 5]], dtype: int64}}\n"
        'ops: {f: {args: x t, forward: "sum((x - t)^2)", backward: {x: "2*(x - t)*g"}}}\n'
        "nodes: {y: {type: f, inputs: [x, t]}}\n"
    ),
    "an op of another op": (
        'inputs: {x: [0.3, -2.0]}\nops:\n  f: {args: x, forward: "x*sigmoid(x)",\n'
        '      backward: "g*(sigmoid(x) + out*(1 - sigmoid(x)))"}\n'
        '  h: {args: x w, forward: "w*f(x)",\n'
        '      backward: {x: "g*w*(sigmoid(x) + f(x)*(1 - sigmoid(x)))", w: "sum(g*f(x))"}}\n'
        'nodes: {y: {expr: "sum(h(x, 2.5)*f(x))"}}\n'
    ),
    "a large affine map": (
        "inputs: {x: {shape: [30, 20]}}\nparams: {w: {shape: [20, 9]}, b: {shape: [9]}}\n"
        'ops: {f: {args: x w b, forward: "x @ w + b", backward: {x: "g @ w.T", w: "x.T @ g", b: "sum(g, axis=0)"}}}\n'
        'nodes: {y: {type: f, inputs: [x, w, b]}, z: {expr: "sum(tanh(y))"}}\noutput: z\n'
    ),
}


@pytest.mark.parametrize("spec", RIGHT.values(), ids=RIGHT)
def test_a_right_rule_is_not_blamed(spec: str) -> None:
    done = run("verify", "-", stdin=(HEAD + spec).encode())
    assert done.status == 0, done


def test_a_rule_that_does_not_sum_where_it_must_is_refused() -> None:
    spec = (
        "inputs: {x: [[1.0, 2.0], [3.0, 4.0]], w: [[1.0, 2.0], [0.5, 1.0]], b: [1.0, 2.0]}\n"
        'ops: {f: {args: x w b, forward: "x @ w + b", backward: {x: "g @ w.T", w: "x.T @ g", b: "g"}}}\n'
        "nodes: {y: {type: f, inputs: [x, w, b]}}\n"
    )
    done = run("verify", "-", stdin=(HEAD + spec).encode())
    assert done.status == 2
    assert "<stdin>:3:88: error: op `f`: the formula for `b` gives 2×2, but `b` is 2" in done.err


def words(spec: str) -> tuple[int, set[str]]:
    done = run("verify", "-", "-o", "json", stdin=(HEAD + spec).encode())
    rows = [row for check in json.loads(done.out)["checks"] for row in check["gradients"]]
    return done.status, {row["verdict"] for row in rows if row["input"] == "x"}


RELUS = (
    "inputs: {{x: {{shape: [{rows}, 2], init: zeros_}}}}\n"
    "params: {{w: [[0.3, -0.7, 1.1], [0.2, 0.9, -0.4]], v: [[0.5], [-0.8], [0.6]]}}\n"
    'nodes: {{h: {{expr: "relu(x @ w)"}}, y: {{expr: "sum(h @ v)"}}}}\noutput: y\ncheck: {{wrt: x}}\n'
)


@pytest.mark.parametrize("rows", [1, 3000])
def test_kinks_that_meet_are_no_mistake(rows: int) -> None:
    """A row of zeros without a bias: every ReLU bends, and each rule takes the slope zero."""
    assert words(RELUS.format(rows=rows)) == (0, {"kink"})


@pytest.mark.parametrize("shape", ["[1]", "[40000]"])
def test_kinks_that_cancel_are_one(shape: str) -> None:
    """relu(x) - relu(-x) is x: at 0 its slope is 1, and backprop says 0."""
    spec = f"inputs: {{x: {{shape: {shape}, init: zeros_}}}}\n" + 'nodes: {y: {expr: "sum(relu(x) - relu(-x))"}}\n'
    status, said = words(spec)
    assert status == 1
    assert "disagree" in said


def test_values_thousands_of_digits_apart_take_no_time() -> None:
    spec = "inputs: {x: [[1e4, -1e4, 300, 7], [-3e3, 9e3, 1, 2]], t: {value: [0, 1], dtype: int64}}\n"
    spec += "layers: [Identity()]\n"
    done = run(
        "verify", "-", "-o", "json", stdin=(HEAD + spec + "loss: {type: CrossEntropyLoss, target: t}\n").encode()
    )
    assert done.status in (0, 5)
    assert done.report["checks"][0]["tensors"][0]["covered"]["finite_difference"] == 8


@pytest.mark.parametrize(("scale", "status"), [("", 0), ("*(1 + 1e-9)", 1)])
def test_a_rule_may_rest_on_shares_that_sum_to_one_but_for_a_last_digit(scale: str, status: int) -> None:
    done = run("verify", "-", stdin=(HEAD +
        "inputs: {t: [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]}\nparams: {z: [[0.3, -1.0, 2.0], [1.0, 2.0, 0.5]]}\n"
        'ops: {ce: {args: z t, forward: "-sum(t*log_softmax(z, axis=1))", backward: '
        f'{{z: "g*(softmax(z, axis=1) - t){scale}", t: "-g*log_softmax(z, axis=1)"}}}}}}\n'
        'nodes: {loss: {expr: "ce(z, t)"}}\n'
    ).encode())  # fmt: skip
    assert done.status == status, done
