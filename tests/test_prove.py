"""Every elementwise rule of the op table is proved over its domain, and no broken one is."""

from __future__ import annotations

import pytest
from breaking import mutated, replaced, rules_replaced
from support import run
from test_arithmetic import ORDERED

from gradcheck.checking.everywhere import prove_op
from gradcheck.ops import OPS

ROWS = [row for row in OPS.values() if row.elementwise and not row.internal]

RULES = [
    (row.name, k, mutation)
    for row in ROWS
    for k, rule in enumerate(row.partials or row.vjp)
    for mutation in ("sign", "times 1.001", "plus 0.001")
    if (rule != "0" or mutation == "plus 0.001") and not (row.name in ORDERED and k == 0)
]  # fmt: skip


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_every_rule_is_proved(name: str) -> None:
    for proof in prove_op(OPS[name]):
        found = proof.finding
        assert proof.word == "proved", (proof.input, found)
        assert found.boxes > 0
        assert (found.relative or 0.0) <= 1e-9
        for cut in found.cut:
            assert cut.width <= 8 / 64


@pytest.mark.parametrize(("name", "k", "mutation"), RULES)
def test_no_broken_rule_is_proved(name: str, k: int, mutation: str) -> None:
    row = OPS[name]
    field = "partials" if row.partials else "vjp"
    rules = row.partials or row.vjp
    assert isinstance(rules, tuple)
    with rules_replaced(name, field, replaced(rules, k, mutated(rules[k], mutation))):
        words = [proof.word for proof in prove_op(row, only=row.args[k])]
    assert "disproved" in words


def test_what_is_cut_out_is_where_the_table_says() -> None:
    """An op that bends or ends nowhere in its box has nothing cut out, and a kink is cut out where it is."""
    for name in ("exp", "sin", "tanh", "sigmoid", "gelu", "softplus", "erf", "mul", "atan"):
        assert all(not proof.finding.cut for proof in prove_op(OPS[name])), name
    for name, places in {"relu": [0], "hardtanh": [-1, 1], "relu6": [0, 6], "reciprocal": [0], "abs": [0]}.items():
        (proof,) = prove_op(OPS[name])
        found = [cut.hull[0] for cut in proof.finding.cut]
        assert len(found) == len(places)
        assert all(low <= place <= high for (low, high), place in zip(found, places, strict=True))


def test_outside_the_domain_nothing_is_asked() -> None:
    (proof,) = prove_op(OPS["log"])
    assert proof.word == "proved"
    assert all(cut.hull[0][0] > -1e-7 for cut in proof.finding.cut)


def test_the_command() -> None:
    done = run("prove", "sigmoid", "expit", "relu")
    assert (done.status, done.err) == (0, "")
    assert "sigmoid   rule d/dx = out*(1 - out)   over x = -4..4" in done.out
    assert "cut out: x = 0 ± " in done.out
    assert done.out.count("sigmoid") == 2
    assert done.out.endswith("Graded 3 gradients everywhere over a box: 3 proved. Exit status 0.\n")
    report = run("prove", "sigmoid", "-o", "json").report
    assert (report["verdict"], report["exit_code"], report["checks"]) == ("proved", 0, [])
    assert report["over"][0]["formula"] == "out*(1 - out)"
    assert run("prove", "sigmoid") == run("prove", "sigmoid")
    assert "sigmoid" not in run("prove", "-q", "sigmoid").out


def test_a_broken_table_exits_with_1() -> None:
    with rules_replaced("sigmoid", "partials", ("out*(1 + out)",)):
        done = run("prove", "-q", "relu", "sigmoid")
    assert done.status == 1
    assert "disproved at x = " in done.out
    assert "relu" not in done.out


@pytest.mark.parametrize(
    ("name", "said"), [("sigmod", "did you mean `sigmoid`?"), ("softmax", "works on whole arrays")]
)
def test_mistakes(name: str, said: str) -> None:
    done = run("prove", name)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
