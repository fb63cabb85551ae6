"""Claims: of any step, in any form, judged by the truth and not by what float64 kept; at kinks as a whole."""

from __future__ import annotations

import json
import pathlib
import random
from collections import Counter
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb
from support import cases, run

import gradcheck
from gradcheck.checking.check import check_problem
from gradcheck.checking.judge import AGREE, DISAGREE, INCONCLUSIVE, LOSSY, Answer, Given, judge, judge_given
from gradcheck.checking.other_points import shown
from gradcheck.checking.problem import problem_of_network
from gradcheck.checking.redrawn import redrawn
from gradcheck.checking.settings import Settings
from gradcheck.checking.together import nearest
from gradcheck.errors import Source
from gradcheck.graph.graph import Graph
from gradcheck.language.claims import Claim, computed
from gradcheck.networks.loading import load


def verdict(text: str, at: str, *claims: str) -> str:
    """Return the verdict on an expression with claims."""
    done = run("expr", text, "--at", at, "-o", "json", *[f"--claim={claim}" for claim in claims])
    assert done.status in (0, 1, 4, 5), done.err
    return str(done.report["verdict"])


def reasons(text: str, at: str, *claims: str) -> str:
    done = run("expr", text, "--at", at, "-o", "json", *[f"--claim={claim}" for claim in claims])
    check = done.report["checks"][0]
    return " ".join([*(g["reason"] or "" for g in check["gradients"]), *check["notes"]])


CHAIN = "u = x@w; p = 1/(1+exp(-u)); E = (p-t)^2"
VALUES = "x=[0.5,-1],w=[0.8,0.3],t=1"


def test_stages_are_claimed_like_inputs_and_the_first_wrong_one_is_named() -> None:
    right = ("p=2*(p-t)", "u=2*(p-t)*p*(1-p)", "w=d_u*x")
    assert verdict(CHAIN, VALUES, *right) == "agree"
    wrong = ("p=2*(p-t)", "u=(p-t)*p*(1-p)", "w=(p-t)*p*(1-p)*x")
    assert verdict(CHAIN, VALUES, *wrong) == "disagree"
    assert "the first wrong claim on the way back is `u`, after `p` which is right" in reasons(CHAIN, VALUES, *wrong)


def test_the_gradient_of_a_stage_that_only_moves_elements_is_its_own() -> None:
    at = "x=[[1,2],[3,4.5]]"
    assert verdict("z = x.T; sum(z*z) + sum(x)", at, "z=2*x.T") == "agree"
    assert verdict("z = x.T; sum(z*z) + sum(x)", at, "z=2*x.T + 1") == "disagree"
    assert verdict("z = x.T; sum(z*z) + sum(x)", at, "x=2*x + 1") == "agree"


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ("z=[0.2350,0.1779,0.1050]", "agree"),
        ("z=[0.2350,0.1779,0.1051]", "disagree"),
        ("z[1]=0.1779", "agree"),
        ("z[1]=0.178", "agree"),
        ("z[1]=0.179", "disagree"),
        ("z[2]=sigmoid(z[2])*(1 - sigmoid(z[2]))", "agree"),
        ("z=[0.2350,0.1779]", "disagree"),
        ("z=[[0.2350,0.1779,0.1050]]", "disagree"),
    ],
)
def test_lists_and_elements(claim: str, word: str) -> None:
    assert verdict("sum(sigmoid(z))", "z=[0.5,-1.2,2.0]", claim) == word


def test_beside_an_element_nothing_is_claimed() -> None:
    done = run("expr", "sum(z^2)", "--at", "z=[1,2]", "--claim=z[0]=2", "-o", "json")
    assert [g["claimed"] for g in done.report["checks"][0]["gradients"]] == [2.0, None]
    assert "nan" not in run("expr", "sum(z^2)", "--at", "z=[1,2]", "--claim=z[0]=2").out
    assert (
        run("expr", "x", "--at", "x=3", "--claim=x=nan", "-o", "json").report["checks"][0]["gradients"][0]["claimed"]
        == "nan"
    )


def test_a_claim_of_the_wrong_shape_does_not_stop_the_others() -> None:
    at = "A=[[1,2],[3,4]],B=[[1,0.5,1],[2,-1,0]]"
    done = run("expr", "sum(A@B)", "--at", at, "-o", "json", "--claim=B=[[1,2],[3,4],[5,6]]", "--claim=A=ones(2,3)@B.T")
    words = {g["input"]: g["verdict"] for g in done.report["checks"][0]["gradients"]}
    assert words == {"A": "agree", "B": "disagree"}
    assert "the claim is 3×2, but `B` is 2×3; its transpose would fit" in done.out


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("z=[1,x]", "`x` is not a number"), ("z=[1,[2,3]]", "no array of numbers"), ("z=[1,2", "no array of numbers"),
        ("z=[1,]", "a number is missing"), ("z=[]", "a number is missing"), ("z=[1] 2", "nothing may follow"),
        ("z=@nothing.npy", "no file"), ("q=1", "no such input or stage"), ("z[0=1", "expected name=formula"),
        ("z=t", "no variable `t`"), ("z=sin(", "never closed"),
    ],
)  # fmt: skip
def test_mistakes_in_claims(claim: str, message: str) -> None:
    done = run("expr", "sum(z^2)", "--at", "z=[1,2]", f"--claim={claim}")
    assert done.status == 2
    assert message in done.err


def test_what_is_claimed_twice_is_refused() -> None:
    for one, two in (("z=2*z", "z=z"), ("z=2*z", "z[0]=2"), ("z[0]=2", "z[0]=2")):
        done = run("expr", "sum(z^2)", "--at", "z=[1,2]", f"--claim={one}", f"--claim={two}")
        assert done.status == 2
        assert "claimed twice" in done.err


def test_files_keep_their_precision(tmp_path: pathlib.Path) -> None:
    z = np.array([0.3, -1.7, 2.0])
    truth = np.exp(-z) / (1 + np.exp(-z)) ** 2
    for name, array in (("64.npy", truth), ("32.npy", truth.astype(np.float32)), ("off.npy", truth * (1 + 1e-5))):
        np.save(tmp_path / name, array)
    np.savez(tmp_path / "both.npz", a=truth, b=truth + 1)
    for name, word in (
        ("64.npy", "agree"), ("32.npy", "agree"), ("off.npy", "disagree"), ("both.npz:a", "agree"),
        ("both.npz:b", "disagree"),
    ):  # fmt: skip
        assert verdict("sum(sigmoid(z))", "z=[0.3,-1.7,2.0]", f"z=@{tmp_path / name}") == word


def test_programs_claim_arrays() -> None:
    z = np.array([0.3, -1.7])
    for claim, word in ((2 * z, "agree"), ((2 * z).tolist(), "agree"), (2 * z * (1 + 1e-5), "disagree")):
        assert gradcheck.check("sum(z^2)", at={"z": z}, claims={"z": claim}).verdict == word
    assert gradcheck.check("sin(x)", at={"x": 0.5}, claims={"x": float(np.cos(0.5))}).verdict == "agree"


def test_names_that_only_claims_use_have_values() -> None:
    at = "z=[0.5,-1.2,2.0],t=[0,1,0]"
    assert verdict("-log(softmax(z)[1])", at, "z=softmax(z) - t") == "agree"
    assert verdict("-log(softmax(z)[y])", at + ",y=1", "z=softmax(z) - t") == "agree"
    done = run("expr", "sum(z)", "--at", at)
    assert done.status == 2
    assert "no variable `t`" in done.err


@pytest.mark.parametrize(
    ("text", "at", "claim", "word"),
    [
        ("tanh(x)^3", "x=20", "-5.1e-17", DISAGREE), ("tanh(x)^3", "x=20", "0", DISAGREE),
        ("tanh(x)^3", "x=20", "2e-16", DISAGREE), ("tanh(x)^3", "x=20", "5.0980251e-17", AGREE),
        ("sigmoid(x)", "x=36", "2.6e-16", DISAGREE), ("exp(-x)", "x=800", "0", AGREE),
        ("exp(-x)", "x=740", "0", DISAGREE), ("exp(x)", "x=1", "2.718", AGREE), ("exp(x)", "x=1", "2.7", DISAGREE),
        ("x^2", "x=1.5", "3", AGREE), ("x^2", "x=1.5", "3.00", AGREE),
        ("x*exp(-x)", "x=1.7", "-0.12787974562158264", DISAGREE),
        ("x*exp(-x)", "x=1.7", "-0.12787846683691426", AGREE), ("x", "x=3", "nan", DISAGREE),
        ("x", "x=3", "-inf", DISAGREE),
    ],
)  # fmt: skip
def test_numbers_are_held_to_the_truth(text: str, at: str, claim: str, word: str) -> None:
    assert verdict(text, at, f"x={claim}") == word


def test_float64_data_within_a_wide_bound_are_lossy() -> None:
    """Backprop through tanh at 20 leaves 0; the truth is 5e-17, and no float64 program could know."""
    report = gradcheck.check("tanh(x)^3", at={"x": 20.0}, claims={"x": 0.0})
    assert report.verdict == LOSSY
    assert gradcheck.check("tanh(x)^3", at={"x": 20.0}, claims={"x": 1e-9}).verdict == DISAGREE


def test_one_rule_for_expectations_too() -> None:
    spec = 'gradcheck: 1\ninputs: {{x: 20.0}}\nnodes: {{y: {{expr: "tanh(x)^3"}}}}\nexpect: {{grads: {{x: {}}}}}\n'
    for number, status in (("0", 1), ("5.0980251e-17", 0), ("5.0980253e-17", 1)):
        assert run("verify", "-", stdin=spec.format(number).encode()).status == status


def test_strict_refuses_few_digits() -> None:
    for claim, status in (("2.718", 1), ("2.7182818284590", 1), ("2.718281828459045", 0)):
        assert run("expr", "exp(x)", "--at", "x=1", f"--claim=x={claim}", "--strict").status == status


def test_the_rule_for_numbers() -> None:
    assert judge_given(0.5, Given("0.5", 0.0), 0.5000001).word == DISAGREE
    assert judge_given(0.501, Given("0.501", 0.0), 0.5011).word == AGREE
    assert judge_given(0.501, Given("0.501", 0.0, strict=True), 0.5011).word == INCONCLUSIVE
    assert judge_given(1e-3, Given(None, 2e-3), 2e-3).word == LOSSY
    assert judge_given(1e-3, Given(None, 1e-9), 1e-3 + 5e-10).word == AGREE
    assert judge_given(1e-17, Given(None, 1e-16), 0.0).word == AGREE
    assert judge_given(0.0, Given("0.000", 0.0), 1e-5).word == DISAGREE


KINKS = [
    ("max(x,y)", "x=1.5,y=1.5", ["x=1", "y=1"], DISAGREE), ("max(x,y)", "x=1.5,y=1.5", ["x=0.7", "y=0.3"], "kink"),
    ("max(x,y)", "x=1.5,y=1.5", ["x=1"], "kink"), ("min(x,y)", "x=1.5,y=1.5", ["x=0", "y=0"], DISAGREE),
    ("max(x,y,z)", "x=1,y=1,z=1", ["x=0.5", "y=0.5", "z=0"], "kink"),
    ("max(x,y,z)", "x=1,y=1,z=1", ["x=0.5", "y=0.5", "z=0.5"], DISAGREE),
    ("max(x,y,z)", "x=1,y=1,z=1", ["x=0.333", "y=0.333", "z=0.333"], "kink"),
    ("amax(z)", "z=[1,1,1]", ["z=[1,0,0]"], "kink"), ("amax(z)", "z=[1,1,1]", ["z=[1,1,0]"], DISAGREE),
    ("norm(z)", "z=[0,0]", ["z=[0.6,0.8]"], "kink"), ("norm(z)", "z=[0,0]", ["z=[0.8,0.8]"], DISAGREE),
    ("norm(z)", "z=[0,0]", ["z=[0.1,-0.2]"], "kink"), ("norm(z)", "z=[0,0,0]", ["z=[0.58,0.58,0.58]"], DISAGREE),
    ("abs(x)-abs(y)", "x=0,y=0", ["x=1", "y=1"], "kink"), ("abs(x+y)", "x=0,y=0", ["x=1", "y=-1"], DISAGREE),
    ("abs(x+y)", "x=0,y=0", ["x=-0.5", "y=-0.5"], "kink"),
    ("sum(abs(z))", "z=zeros(12)", ["z=[1,1,-1,1,1,1,1,-1,1,1,1,1]"], "kink"),
    ("sum(relu(W@x))", "W=[[1,-1],[2,-2]],x=[1,1]", ["W=[[1,1],[0,0]]"], "kink"),
    ("sum(relu(W@x))", "W=[[1,-1],[2,-2]],x=[1,1]", ["W=[[1,0],[0,0]]"], DISAGREE),
    ("topk(z,1)[0]", "z=[2,2,1]", ["z=[1,1,0]"], DISAGREE), ("topk(z,1)[0]", "z=[2,2,1]", ["z=[0.25,0.75,0]"], "kink"),
    ("max(x,y)*1e-9", "x=1.5,y=1.5", ["x=1e-9", "y=1e-9"], DISAGREE),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "claims", "word"), KINKS)
def test_claims_at_a_kink_are_judged_as_a_whole(text: str, at: str, claims: list[str], word: str) -> None:
    assert verdict(text, at, *claims) == word
    if word == DISAGREE:
        assert "no subgradient: along the direction" in reasons(text, at, *claims)


def test_the_nearest_point_of_a_hull() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        points = rng.standard_normal((rng.integers(1, 9), 3))
        target = rng.standard_normal(3) * 2
        found = nearest(points, target)
        # It is the nearest if no point lies further towards the target.
        assert np.max(points @ (target - found)) <= found @ (target - found) + 1e-6
        weights = rng.dirichlet(np.ones(len(points)))
        assert np.allclose(nearest(points, weights @ points), weights @ points, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "at", "claim", "said"),
    [
        ("x^2", "x=0", "x=x", "right at this point only: at x="),
        ("x*y", "x=1,y=2", "x=2*x", "right at this point only"),
        ("x@A@x", "A=[[1.0,0.4],[-0.9,2.0]],x=[0.6,-1.3]", "x=2*A@x", "right if `A` were symmetric, which it is not"),
        ("det(X)", "X=[[1.0,2.0],[0.3,-1.0]]", "X=det(X)*inv(X)", "the claim is the transpose of the gradient"),
    ],
)  # fmt: skip
def test_what_a_wrong_formula_lacks_is_said(text: str, at: str, claim: str, said: str) -> None:
    assert verdict(text, at, claim) == DISAGREE
    assert said in reasons(text, at, claim)


@pytest.mark.parametrize(
    ("text", "at", "claim"),
    [
        ("x@A@x", "A=[[1.0,0.4],[0.4,2.0]],x=[0.6,-1.3]", "x=2*A@x"),
        ("-sum(t*log_softmax(z))", "z=[0.5,-1.2,2.0],t=[0,1,0]", "z=softmax(z)-t"),
        ("-sum(t*log(softmax(z)))", "z=[0.5,-1.2,2.0],t=[0.2,0.5,0.3]", "z=softmax(z)-t"),
        ("-(y*log(p) + (1-y)*log(1-p))", "p=0.3,y=1", "p=(p-y)/(p*(1-p))"),
        ("max(x^2,y)", "x=3,y=1", "x=2*x"), ("abs(x)*y", "x=-2,y=1", "x=-y"),
        ("sin(x)", "x=0.7853981633974483", "x=sqrt(2)/2"),
        ("logdet(S)", "S=[[2.0,0.3],[0.3,1.0]]", "S=inv(S)"), ("log(x - 1)", "x=1.001", "x=1/(x-1)"),
        ("sum(W[y]^2)", "W=[[1.5,2],[3,4],[5,6.5]],y=[0,0,2],c=[2,0,1]", "W=outer(c, ones(2))*2*W"),
    ],
)  # fmt: skip
def test_right_formulas_are_right_at_other_points(text: str, at: str, claim: str) -> None:
    assert verdict(text, at, claim) == AGREE


def test_symmetry_that_a_claim_needs_is_said() -> None:
    said = reasons("x@A@x", "A=[[1.0,0.4],[0.4,2.0]],x=[0.6,-1.3]", "x=2*A@x")
    assert "right because `A` is symmetric, and for no other `A`" in said
    assert "symmetric" not in reasons("x@A@x", "A=[[1.0,0.4],[0.4,2.0]],x=[0.6,-1.3]", "x=(A + A.T)@x")


KEPT = {
    "symmetric": lambda x: np.array_equal(x, x.T),
    "definite": lambda x: np.array_equal(x, x.T) and np.linalg.eigvalsh(x)[0] > 0,
    "whole": lambda x: np.array_equal(x, np.round(x)),
    "one-hot": lambda x: set(np.unique(x)) == {0, 1} and (x.sum(axis=-1) == 1).all(),
    "rows": lambda x: np.allclose(x.sum(axis=-1), 1) and (x > 0).all(),
    "positive": lambda x: (x > 0).all(),
    "fraction": lambda x: ((x > 0) & (x < 1)).all(),
    "mask": lambda x: set(np.unique(x)) == {0, 1},
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("symmetric", [[1.5, -2.0], [-2.0, 0.5]]), ("definite", [[2.0, 0.3], [0.3, 1.0]]), ("whole", [3.0, -1.0, 2.0]),
        ("one-hot", [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), ("rows", [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]),
        ("positive", [0.5, 3.7]), ("fraction", [0.999, 0.001]), ("mask", [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
        ("whole", 2.0), ("positive", 1e-9),
    ],
)  # fmt: skip
def test_other_values_are_of_the_same_kind(kind: str, value: Any) -> None:
    seen = set()
    for seed in range(20):
        x = redrawn(np.array(value) if isinstance(value, list) else value, np.random.default_rng(seed))
        assert KEPT[kind](np.asarray(x))
        assert np.shape(x) == np.shape(value)
        seen.add(str(x))
    assert len(seen) > 1
    assert len(shown({"x": np.ones((40, 40))})) <= 160


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("log(1+exp(x))", "x=800", ["the value is 800", "d/dx = 1", "softplus(x)"]),
        ("sqrt(a^2+b^2)", "a=1e200,b=3", ["1e+200", "hypot(a, b)"]),
        ("log(sum(exp(z)))*y", "z=[1000,999],y=2", ["2000.626523", "logsumexp(z)"]),
        ("log(exp(z)/sum(exp(z)))@y", "z=[1000,999],y=[1,0]", ["-0.3132616875", "log_softmax(z)"]),
        ("log(sigmoid(x))", "x=-800", ["-800", "logsigmoid(x)"]), ("exp(x)", "x=800", []), ("log(x)", "x=-1", []),
        ("sqrt(x - x) + y", "x=1,y=2", []), ("sum(cholesky(S))", "S=[[1,1],[1,1]]", []),
    ],
)  # fmt: skip
def test_an_overflow_on_the_way_says_the_true_value(text: str, at: str, said: list[str]) -> None:
    done = run("expr", text, "--at", at)
    if text.startswith("sqrt(x - x)"):
        assert done.status == 2 or "float64 aside" not in done.err
        return
    assert done.status == 2
    assert ("float64 aside" in done.err) == bool(said)
    assert [one for one in said if one not in done.err] == []


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("sum(softmax(z + b)*c)", "z=[0.3,-1.2,0.7],b=0.4,c=[1.0,2.0,-1.0]"),
        ("sum(softmax((q + b) @ K.T)*c)", "q=[0.5,-1.0],b=[0.1,0.2],K=[[1,1],[1,1],[1,1]],c=[1.0,2.0,-1.0]"),
        ("h = x + b; sum((h - mean(h))/std(h)*c)", "x=[0.3,-1.2,0.7],b=0.4,c=[1.0,2.0,-1.0]"),
        ("x - x + 1e8*(y - y)", "x=0.1,y=0.3"),
    ],
)
def test_a_gradient_that_is_exactly_zero_is_never_lossy(text: str, at: str) -> None:
    done = run("expr", text, "--at", at, "-o", "json")
    words = {g["verdict"] for g in done.report["checks"][0]["gradients"] if g["symbolic"] == 0.0}
    assert words <= {"agree", "not_exercised"}
    assert "lossy" not in done.out


def test_whatever_rounding_left_of_nothing_is_no_loss() -> None:
    found = judge(Answer(-1e30, arb(0)), Answer(0.0, arb(0)), None, 1.0)
    assert (found.word, found.open) == (AGREE, False)
    assert "exactly 0" in str(found.reason)
    assert judge(Answer(-1e30, arb(-1)), Answer(0.0, arb(0)), None, 1.0).word == DISAGREE


def torch_claims(records: list[dict[str, Any]], factor: float) -> Counter[str]:
    """Return the verdicts on PyTorch's float64 gradients of layers, times a factor, as claims."""
    found: Counter[str] = Counter()
    for record in records:
        (network,), problems = load(Source(json.dumps(record["spec"]), "case"))
        assert not problems
        source = Source("", "claim")
        for name, gradient in record["grads"].items():
            numbers = computed(np.array(gradient) * factor, name)
            network.claims[name] = Claim(name, source, Graph(source), {}, numbers)
        report = check_problem(problem_of_network(network, Settings()), Settings())
        found.update(tensor.verdict for tensor in report.checks[0].tensors)
    return found


RECORDS = cases("layers.jsonl")


@pytest.mark.parametrize("step", [12, pytest.param(2, marks=pytest.mark.referee)])
def test_the_gradients_of_torch_pass_and_one_part_in_a_hundred_thousand_off_they_do_not(step: int) -> None:
    records = RECORDS[::step]
    right = torch_claims(records, 1.0)
    assert set(right) <= {"agree", "lossy", "not_exercised", "kink"}
    assert right["lossy"] <= 0.02 * sum(right.values())
    off = torch_claims(records, 1 + 1e-5)
    assert set(off) <= {"disagree", "not_exercised"}
    print(f"{sum(right.values())} tensors: {dict(right)}; off by 1e-5: {dict(off)}")


DELICATE = [
    ("tanh(x)^3", 8, 20, lambda x: 3 * mpmath.tanh(x) ** 2 * mpmath.sech(x) ** 2, "3*tanh(x)^2*(1 - tanh(x)^2)"),
    ("sigmoid(x)", 20, 40, lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2, "exp(-x)/(1 + exp(-x))^2"),
    ("sin(x) + 1e8", 0, 6, mpmath.cos, "cos(x)"),
    ("(x - 1e6)^2", 999999.99, 1000000.01, lambda x: 2 * (x - 10**6), "2*(x - 1e6)"),
    ("log(1 + exp(x))", -45, -20, lambda x: 1 / (1 + mpmath.exp(-x)), "1/(1 + exp(-x))"),
    ("sqrt(x^2 + 1) - x", 1e5, 1e7, lambda x: x / mpmath.sqrt(x * x + 1) - 1, "x/sqrt(x^2 + 1) - 1"),
    (
        "(1 - cos(x))/x^2", 1e-5, 1e-3, lambda x: (x * mpmath.sin(x) - 2 + 2 * mpmath.cos(x)) / x**3,
        "(x*sin(x) - 2 + 2*cos(x))/x^3",
    ),
    ("exp(-x^2)", 3, 12, lambda x: -2 * x * mpmath.exp(-x * x), "-2*x*exp(-x^2)"),
    ("erfc(x)", 2, 20, lambda x: -2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x), "-2/sqrt(pi)*exp(-x^2)"),
    ("x^3 - 3*x", 0.9999, 1.0001, lambda x: 3 * x * x - 3, "3*x^2 - 3"),
]  # fmt: skip
"""Functions where float64 keeps few digits, the range to look in, the true slope, and a right formula."""


@pytest.mark.parametrize("count", [160, pytest.param(2000, marks=pytest.mark.referee)])
def test_random_claims_where_float64_keeps_few_digits(count: int) -> None:
    """Right ones and ones off by 1e-6: no false pass, no false alarm."""
    draw = random.Random(11)
    passed, alarms, words = [], [], Counter[str]()
    for k in range(count):
        text, low, high, slope, formula = DELICATE[k % len(DELICATE)]
        x = draw.uniform(low, high)
        with mpmath.workdps(60):
            true = slope(mpmath.mpf(x))
        wrong, typed = draw.random() < 0.5, draw.random() < 0.5
        off = draw.choice((1 + 1e-6, 1 - 1e-6)) if wrong else 1
        claim = mpmath.nstr(true * mpmath.mpf(off), 17) if typed else f"({formula})*{off!r}" if wrong else formula
        word = gradcheck.check(text, at={"x": x}, claims={"x": claim}).verdict
        words[f"{'wrong' if wrong else 'right'} {word}"] += 1
        if wrong and word in ("agree", "kink", "not_exercised", "lossy"):
            passed.append((text, x, claim, word))
        if not wrong and word == "disagree":
            alarms.append((text, x, claim, word))
    print(f"{count} claims: {dict(words)}")
    assert passed == []
    assert alarms == []


CHAINED = """gradcheck: 1
inputs: {x: [[0.5, -1.0]], t: [[1.0]]}
layers:
  - {type: Linear, name: fc1, out_features: 3}
  - {type: Tanh}
  - {type: Linear, name: fc2, out_features: 1}
loss: {type: MSELoss, target: t}
backward:
  fc2: "2*(fc2 - t)"
  "1": "d_fc2 @ fc2.weight"
  fc1: "d_1*(1 - tanh(fc1)^2)"
  fc1.weight: "d_fc1.T @ x"
"""


def test_nodes_of_a_spec_are_claimed() -> None:
    assert run("verify", "-", stdin=CHAINED.encode()).status == 0
    done = run("verify", "-", stdin=CHAINED.replace("tanh(fc1)^2", "fc1^2").encode())
    assert done.status == 1
    assert "the first wrong claim on the way back is `fc1`, after `fc2` and `1` which are right" in " ".join(
        done.out.split()
    )


@pytest.mark.parametrize(("number", "status"), [("0.9975041607715679", 0), ("0.9975", 0), ("0.9976", 1)])
def test_tensors_of_a_spec_are_claimed(number: str, status: int) -> None:
    spec = (
        'gradcheck: 1\ninputs: {x: [[0.5, -1.0]], w: [[0.3], [0.2]]}\nnodes: {y: {expr: "x@w"}, z: {expr: "tanh(y)"}}\n'
    )
    spec += f"output: z\nbackward: {{y: [[{number}]], w: {{value: [[0.49875208038578395], [-0.9975041607715679]]}}}}\n"
    assert run("verify", "-", stdin=spec.encode()).status == status


def test_many_digits_in_a_list_are_a_programs() -> None:
    """float64 keeps five digits of this slope: a list may have lost the others, a single number may not."""
    at, near = "x=3e5", "-5.55556e-12"
    truth = float(-1 / (2 * mpmath.mpf(3e5) ** 2))
    text = "sum(sqrt(z^2 + 1) - z)"
    off = f"{truth * (1 + 1e-6):.17e}"
    assert verdict(text, "z=[3e5,3e5]", f"z=[{off},{off}]") in ("agree", "lossy")
    assert verdict("sqrt(x^2 + 1) - x", at, f"x={off}") == "disagree"
    assert verdict(text, "z=[3e5,3e5]", f"z=[{near},{near}]") == "agree"
