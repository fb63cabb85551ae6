"""The quiz: which gradients are asked for, what counts as right, and whole conversations."""

from __future__ import annotations

import os
import sys
from typing import Any
from unittest import mock

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, network_derivation, networks, worked_out
from support import ANSI, FORBIDDEN, Stream, run
from trace_examples import SPECS, hostile_trace

from gradcheck import cli
from gradcheck.checking.judge import answered
from gradcheck.commands import quiz as command
from gradcheck.deriving.quiz import RIGHT, SO_FAR, WRONG, Grade, Question, grade, questions
from gradcheck.deriving.quiz_answers import LONGEST, AnswerReader, can_be_typed
from gradcheck.deriving.records import Derivation
from gradcheck.deriving.selection import focused, shallow
from gradcheck.errors import GradcheckError, LanguageError, PointError, SizeError, UsageError, display_width
from gradcheck.notation.plain import PLAIN
from gradcheck.writing.trace.spelling import Speller, inline

CIRCUIT = ("(x+y)*z", "x=-2,y=5,z=-4")
NEURON = ("1/(1+exp(-(w0*x0+w1*x1+w2)))", "w0=2,x0=-1,w1=-3,x1=-2,w2=-3")
FORK = ("a = x*y; a*a + 3*x", "x=2,y=5")
MATRICES = ("sum((x @ W)*c)", "x=[[1,-2],[0.5,3],[2,1]],W=[[1],[0.25]],c=[2,1]")


def talk(expression: str, at: str, *answers: str, extra: tuple[str, ...] = ()) -> list[str]:
    """Return what is written after the opening, line by line."""
    done = run("trace", expression, "--at", at, "--quiz", *extra, stdin="".join(f"{a}\n" for a in answers).encode())
    assert (done.status, done.err) == (0, "")
    assert not FORBIDDEN.search(done.out)
    return done.out.partition("\n\n")[2].splitlines()


def said(lines: list[str]) -> list[str]:
    """Return what was asked, answered and said, without the steps and what is folded."""
    return [line for line in lines if line and line[0] not in " ["]


def derived(expression: str, at: dict[str, Any]) -> Derivation:
    return worked_out(expression, at)[0]


def everything(one: Derivation) -> set[str]:
    return {name for name, quantity in one.quantities.items() if quantity.gradient is not None}


def asked(one: Derivation, name: str) -> Question:
    return next(question for question in questions(one) if question.name == name)


def graded(one: Derivation, name: str, text: str) -> Grade:
    return grade(AnswerReader(one).read(text, everything(one)), asked(one, name), 6)


def test_a_whole_conversation() -> None:
    answers = ("4", "z", "q", "?", "-5", "d_q", "")
    done = run("trace", CIRCUIT[0], "--at", CIRCUIT[1], "--quiz", stdin="\n".join([*answers, ""]).encode())
    assert (
        done.out
        == """\
(x+y)*z = -12
4 gradients to find, from the output back, where df/df = 1. Answer with a number
    or a formula in names and gradients found before, such as df/df. `?` gives a
    hint, which costs the first try; an empty line gives the answer; `quit`
    ends.

[2] f = q · z = -12
    upstream df/df = 1
    q = 3, z = -4
df/dq = ? 4
no: the sign is wrong
hint: mul switches: each input gets the upstream gradient times the other
df/dq = ? z
right: df/dq = df/df · z = 1 · (-4) = -4

[2] f = q · z = -12
    upstream df/df = 1
    q = 3, z = -4
df/dz = ? q
right: df/dz = df/df · q = 1 · 3 = 3

[1] q = x + y = 3
    upstream df/dq = -4
    x = -2, y = 5
df/dx = ? ?
hint: add distributes: each input gets the whole upstream gradient
df/dx = ? -5
no
hint: df/dx = df/dq
df/dx = ? d_q
right: df/dx = df/dq = -4

[1] q = x + y = 3
    upstream df/dq = -4
    x = -2, y = 5
df/dy = ? \n\
answer: df/dy = df/dq = -4

1 of 4 at the first try
"""
    )
    assert (done.status, done.err) == (0, "")


def test_a_neuron() -> None:
    answers = ("0.2", "0.20", "1/4", "df/dt", "0.197", "df/ds*1", "df/ds", "df/dr*w1", "-2", "x1", "-0.590", "1e-1")
    assert said(talk(*NEURON, *answers)) == [
        "df/dt = ? 0.2",
        "right so far: give more digits",
        "df/dt = ? 0.20",
        "right: df/dt = df/df · (f · (1 - f)) = 1 · (0.731059 · (1 - 0.731059)) = 1 ·",
        "df/ds = ? 1/4",
        "no",
        "hint: add distributes: each input gets the whole upstream gradient",
        "df/ds = ? df/dt",
        "right: df/ds = df/dt = 0.196612",
        "df/dw2 = ? 0.197",
        "right: df/dw2 = df/dt = 0.196612",
        "df/dq = ? df/ds*1",
        "right: df/dq = df/ds = 0.196612",
        "df/dr = ? df/ds",
        "right: df/dr = df/ds = 0.196612",
        "df/dw1 = ? df/dr*w1",
        "no",
        "hint: mul switches: each input gets the upstream gradient times the other",
        "df/dw1 = ? -2",
        "no: that is the local derivative: multiply by the upstream gradient",
        "hint: df/dw1 = df/dr · x1",
        "df/dw1 = ? x1",
        "no: that is the local derivative: multiply by the upstream gradient",
        "answer: df/dw1 = df/dr · x1 = 0.196612 · (-2) = -0.393224",
        "df/dx1 = ? -0.590",
        "right: df/dx1 = df/dr · w1 = 0.196612 · (-3) = -0.589836",
        "df/dw0 = ? 1e-1",
        "no",
        "hint: mul switches: each input gets the upstream gradient times the other",
        "df/dw0 = ? ",
        "5 of 7 at the first try; 2 gradients left",
    ]


def test_forks() -> None:
    lines = talk(*FORK, "1", "1", "10", "2*a", "3", "?", "", "x*df/da")
    assert (
        lines[lines.index("a is a fork, used by [2] (2 times): what comes back is added up") :]
        == """\
a is a fork, used by [2] (2 times): what comes back is added up
df/da = ? 10
no: that is only one of the contributions of [2]: add up all of them
hint: a fork adds up what comes back
    [2] mul switches: each input gets the upstream gradient times the other
df/da = ? 2*a
right: df/da = [2] 10 + [2] 10 = 20

[3] r = 3 · x = 6
    upstream df/dr = 1
    x = 2
[1] a = x · y = 10
    upstream df/da = 20
    x = 2, y = 5
x is a fork, used by [3] and [1]: what comes back is added up
df/dx = ? 3
no: that is only what comes back from [3]: add up all of them
hint: a fork adds up what comes back
    [3] mul switches: each input gets the upstream gradient times the other
    [1] mul switches: each input gets the upstream gradient times the other
df/dx = ? ?
hint: df/dx is the sum of
    [3] df/dr · 3
    [1] df/da · y
df/dx = ? \n\
answer: df/dx = [3] 3 + [1] 100 = 103

[1] a = x · y = 10
    upstream df/da = 20
    x = 2, y = 5
df/dy = ? x*df/da
right: df/dy = df/da · x = 20 · 2 = 40

3 of 5 at the first try""".splitlines()
    )


def test_arrays() -> None:
    answers = ("1", "d_r*c", "sum(d_r*c, axis=1, keepdims=True)", "[4,5]", "?", "[4, 4.0]", "", "df/dW")
    lines = talk(*MATRICES, *answers)
    assert (
        lines[lines.index("[2] r = q · c   3×2") :]
        == """\
[2] r = q · c   3×2
        [[  1   0.5]
         [2.5  1.25]
         [4.5  2.25]]
    upstream d_r   3×2
        [[1  1]
         [1  1]
         [1  1]]
    q   3×1
        [[ 0.5]
         [1.25]
         [2.25]]
    c   2
        [2, 1]
d_q = ? d_r*c
no: this is 3×2 in shape, and the gradient has the shape of q, 3×1: add up over
    axis 1, along which it was broadcast
hint: mul switches: each input gets the upstream gradient times the other
d_q = ? sum(d_r*c, axis=1, keepdims=True)
right: d_q = d_r · c   3×1, summed over axis 1: q was broadcast

[2] r = q · c   3×2
        [[  1   0.5]
         [2.5  1.25]
         [4.5  2.25]]
    upstream d_r   3×2
        [[1  1]
         [1  1]
         [1  1]]
    q   3×1
        [[ 0.5]
         [1.25]
         [2.25]]
    c   2
        [2, 1]
d_c = ? [4,5]
no: 1 of 2 numbers are right
hint: mul switches: each input gets the upstream gradient times the other
d_c = ? ?
hint: d_c = d_r · q, summed over axis 0: c was broadcast
d_c = ? [4, 4.0]
right: d_c = d_r · q   2, summed over axis 0: c was broadcast

[1] q = x @ W   3×1
        [[ 0.5]
         [1.25]
         [2.25]]
    upstream d_q   3×1
        [[3]
         [3]
         [3]]
    x   3×2
        [[  1  -2]
         [0.5   3]
         [  2   1]]
    W   2×1
        [[   1]
         [0.25]]
d_x = ? \n\
answer: d_x = d_q @ Wᵀ   3×2
        [[3  0.75]
         [3  0.75]
         [3  0.75]]

[1] q = x @ W   3×1
        [[ 0.5]
         [1.25]
         [2.25]]
    upstream d_q   3×1
        [[3]
         [3]
         [3]]
    x   3×2
        [[  1  -2]
         [0.5   3]
         [  2   1]]
    W   2×1
        [[   1]
         [0.25]]
d_W = ? df/dW
answer:1:1: error: `df/dW` is not known yet
  1 | df/dW
    | ^^^^^
d_W = ? \n\
1 of 4 at the first try; 1 gradient left""".splitlines()
    )


def test_a_network() -> None:
    answers = "\n".join(
        ["d_loss*(softmax(fc2, axis=1) - t)/3", "d_fc2 @ fc2.weight", "dloss/dfc2.T @ relu", "?", "d_fc2"]
    )
    done = run("trace", str(SPECS / "two-layer-classifier.yaml"), "--quiz", stdin=answers.encode())
    assert done.status == 0
    assert [line for line in said(done.out.splitlines()) if not line.startswith("hint")][2:] == [
        "d_fc2 = ? d_loss*(softmax(fc2, axis=1) - t)/3",
        "right: d_fc2 = d_loss · (softmax(fc2, axis=1) - t)/3   3×3",
        "d_relu = ? d_fc2 @ fc2.weight",
        "right: d_relu = d_fc2 @ fc2.weight   3×3",
        "d_fc2.weight = ? dloss/dfc2.T @ relu",
        "right: d_fc2.weight = d_fc2ᵀ @ relu   3×3",
        "d_fc2.bias = ? ?",
        "d_fc2.bias = ? d_fc2",
        "no: this is 3×3 in shape, and the gradient has the shape of fc2.bias, 3",
        "d_fc2.bias = ? ",
        "3 of 3 at the first try; 5 gradients left",
    ]


def test_a_rule_that_cannot_be_typed_is_called_so() -> None:
    lines = talk("sum(x)", "x=[1,2]", "?", "?", "broadcast_like(d_f, x)", "d_f")
    assert lines[-2:] == ["", "0 of 1 at the first try"]
    assert lines[-11:-2] == [
        "hint: d_x = broadcast_like(d_f, x)",
        "    (a function in it is for rules alone: answer with numbers, or with",
        "    broadcasting, indices and where)",
        "d_x = ? broadcast_like(d_f, x)",
        "answer:1:1: error: unknown function `broadcast_like`",
        "  1 | broadcast_like(d_f, x)",
        "    | ^^^^^^^^^^^^^^",
        "d_x = ? d_f",
        "right: d_x = broadcast_like(d_f, x)   2",
    ]


SHOWN = [*SCALARS, *ARRAYS]


@pytest.mark.parametrize(("text", "at"), SHOWN, ids=[text for text, _ in SHOWN])
def test_the_number_that_is_shown_is_right(text: str, at: dict[str, Any]) -> None:
    one = derived(text, at)
    for question in questions(one):
        for digits in (3, 6, 17):
            answer = AnswerReader(one).read(inline(question.gradient, digits), ())
            assert grade(answer, question, digits).word == RIGHT, (question.name, digits)


@pytest.mark.parametrize(("text", "at"), SHOWN, ids=[text for text, _ in SHOWN])
def test_the_rule_that_is_shown_is_right(text: str, at: dict[str, Any]) -> None:
    one = derived(text, at)
    speller = Speller(one, 6, PLAIN)
    known = {one.output}
    for question in questions(one):
        rule = " + ".join(f"({speller.formula(flow.rule)})" for flow in question.flows)
        if all(can_be_typed(flow.rule) for flow in question.flows):
            # A slope of 1/0 that nothing flows through is no answer either.
            if not any(flow.summed for flow in question.flows) and "sqrt(abs" not in text:
                assert grade(AnswerReader(one).read(rule, known), question, 6) == (RIGHT, ""), rule
        else:
            with pytest.raises(LanguageError, match="unknown function"):
                AnswerReader(one).read(rule, known)
        known.add(question.name)


@pytest.mark.parametrize(("text", "at"), SHOWN, ids=[text for text, _ in SHOWN])
def test_every_gradient_is_asked_for_once(text: str, at: dict[str, Any]) -> None:
    one = derived(text, at)
    found = questions(one)
    assert sorted(question.name for question in found) == sorted(everything(one) - {one.output})
    place = {question.name: k for k, question in enumerate(found)}
    for question in found:
        assert np.allclose(sum(part.value for part in question.parts), question.gradient, rtol=1e-12)
        # What its own contributions are made of has been asked before.
        assert all(place.get(step.name, -1) < place[question.name] for step in question.steps)


def test_a_fork_is_asked_for_when_its_last_contribution_is_known() -> None:
    found = questions(derived("a = x*y; a*a + 3*x", {"x": 2.0, "y": 5.0}))
    assert [(question.name, [step.number for step in question.steps]) for question in found] == [
        ("q", [4]), ("r", [4]), ("a", [2, 2]), ("x", [3, 1]), ("y", [1]),
    ]  # fmt: skip


def test_data_and_constants_are_not_asked_for() -> None:
    spec = """
gradcheck: 1
inputs: {x: [1, 2], y: [0.5, 3]}
params: {w: 2}
nodes:
  p: {expr: "w*x"}
loss: {type: MSELoss, input: p, target: y}
"""
    assert [question.name for question in questions(network_derivation(networks(spec)[0]))] == ["p", "w", "x"]


def test_what_has_no_gradient_is_not_asked_for() -> None:
    one = derived("x*y", {"x": 2.0, "y": 5.0})
    leaves = tuple(leaf._replace(gradient=None) if leaf.name == "x" else leaf for leaf in one.leaves)
    assert [question.name for question in questions(one._replace(leaves=leaves))] == ["y"]


def test_contributions_from_stages_that_are_not_shown() -> None:
    whole = derived("a = x*y; b = a + x; c = sin(b); c*a", {"x": 2.0, "y": 3.0})
    question = asked(shallow(whole, 1), "a")
    assert question.fork
    assert question.hidden is not None
    assert question.hidden.value == asked(whole, "a").parts[-1].value
    assert question.gradient == asked(whole, "a").gradient
    lines = talk("a = x*y; b = a + x; c = sin(b); c*a", "x=2,y=3", "6", "-0.873", "?", "", extra=("--depth", "1"))
    assert (
        lines[-15:]
        == """\
a is a fork, used by [4] and stages that are not shown: what comes back is added
    up
From the stages that are not shown: -0.873
df/da = ? -0.873
no: that is only what comes back from […]: add up all of them
hint: a fork adds up what comes back
    [4] mul switches: each input gets the upstream gradient times the other
df/da = ? ?
hint: df/da is the sum of
    [4] df/df · c
    […] what comes back from the stages that are not shown
df/da = ? \n\
answer: df/da = [4] 0.989358 + […] (-0.873) = 0.116358

1 of 2 at the first try""".splitlines()
    )


def test_only_the_paths_that_are_asked_for() -> None:
    whole = derived("(x+y)*(x*z)", {"x": 2.0, "y": 3.0, "z": 5.0})
    assert [question.name for question in questions(focused(whole, "y"))] == ["q", "y"]


MISTAKES = [
    ("(x+y)*z", "q", "4", "the sign is wrong"),
    ("(x+y)*z", "q", "4.00", "the sign is wrong"),
    ("(x+y)*z", "q", "-z", "the sign is wrong"),
    ("(x+y)*z", "x", "1", "that is the local derivative: multiply by the upstream gradient"),
    ("(x+y)*z", "x", "2*z", "that is twice the right value"),
    ("(x+y)*z", "x", "-2.0", "that is half the right value"),
    ("(x+y)*z", "x", "-3", ""),
    ("(x+y)*z", "x", "[1,2]", "this is 2 in shape, and the gradient is one number, as x is"),
    ("sin(x*y)*z", "x", "df/dq", "that is the upstream gradient alone"),
    ("x*y + x*z + x", "x", "y", "that is only what comes back from [1]: add up all of them"),
    ("x*y + x*z + x", "x", "1", "that is only what comes back from [4]: add up all of them"),
    ("x*y + x*z + x", "x", "y + 1", "what comes back from [2] is missing"),
    ("x*y + x*z + x", "x", "-y - z - 1", "the sign is wrong"),
    ("x*x + z", "x", "x", "that is only one of the contributions of [1]: add up all of them"),
]


@pytest.mark.parametrize(("text", "name", "answer", "remark"), MISTAKES)
def test_mistakes_are_named(text: str, name: str, answer: str, remark: str) -> None:
    assert graded(derived(text, {"x": -2.0, "y": 5.0, "z": -4.0}), name, answer) == (WRONG, remark)


ARRAY_MISTAKES = [
    ("y", "[1, 2, 3]", "this is 3 in shape, and the gradient has the shape of y, 2×2"),
    ("y", "[[[3, 1], [8, 4.5]]]", "this is 1×2×2 in shape, and the gradient has the shape of y, 2×2"),
    ("y", "-2*q", "the sign is wrong"),
    ("q", "-2*q", "the sign is wrong"),
    ("x", "[1, 2, 3]", "this is 3 in shape, and the gradient has the shape of x, 2"),
    ("q", "[[1,2],[3,4]]", ""),
    ("q", "q", "that is half the right value"),
    ("q", "1", "that is the upstream gradient alone"),
    ("x", "2*q", "this is 2×2 in shape, and the gradient has the shape of x, 2: add up over axis 0,"
     " along which it was broadcast"),
    ("x", "sum(2*q)", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "remark"), ARRAY_MISTAKES)
def test_mistakes_in_arrays_are_named(name: str, answer: str, remark: str) -> None:
    one = derived("sum((x + y)^2)", {"x": [1.0, 2.0], "y": [[0.5, -1.5], [3.0, 0.25]]})
    assert graded(one, name, answer) == (WRONG, remark)


RIGHT_ANSWERS = [
    ("q", "2*q"), ("q", "[[3, 1.0],[8,4.50]]"), ("q", "[[3,1],[8,9/2]]"), ("r", "1"), ("r", "d_f"),
    ("r", "[[1,1],[1,1]]"), ("y", "2*(x + y)"), ("x", "sum(d_q, axis=0)"), ("x", "[11, 5.5]"), ("x", "d_q[0] + d_q[1]"),
    ("x", "[hypot(6.6, 8.8), 5.5]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), RIGHT_ANSWERS)
def test_right_answers_in_arrays(name: str, answer: str) -> None:
    one = derived("sum((x + y)^2)", {"x": [1.0, 2.0], "y": [[0.5, -1.5], [3.0, 0.25]]})
    assert graded(one, name, answer) == (RIGHT, "")


def test_an_array_is_right_so_far_if_no_number_is_wrong() -> None:
    one = derived("sum(x*c)", {"x": [1.0, 2.0], "c": [0.26, 7.0]})
    assert graded(one, "x", "[0.3, 7]").word == SO_FAR
    assert graded(one, "x", "[0.3, 6]") == (WRONG, "")
    assert graded(one, "x", "[0.26, 6]") == (WRONG, "1 of 2 numbers are right")


ANSWERED = [
    ("-4", -4.0, 6, True),
    ("-4", -4.2, 6, False),
    ("-4", -4.00002, 6, False),
    ("-4", -4.000001, 6, True),
    ("-4.0", -4.0, 6, True),
    ("0.2", 0.1966, 6, None),
    ("0.2", 0.26, 6, False),
    ("0.2", 0.2, 6, True),
    ("0.20", 0.1966, 6, True),
    ("0.20", 0.1944, 6, False),
    ("2e-1", 0.1966, 6, None),
    ("2.0E-1", 0.1966, 6, True),
    ("5e3", 5012.0, 6, None),
    ("5000", 5012.0, 6, False),
    ("0", 1e-9, 6, False),
    ("0.0", 1e-9, 6, False),
    ("0", 0.0, 6, True),
    ("0.0e9999", 0.0, 6, True),
    ("0.0e9999", 1.0, 6, False),
    ("1e-300", 0.0, 6, True),
    ("1e-200", 0.0, 6, False),
    # Reckoned from six digits and written down with all those of the calculator.
    ("-0.196611825", -0.19661193, 6, True),
    ("-0.196614000", -0.19661193, 6, True),
    ("-0.196620000", -0.19661193, 6, False),
    ("-0.19667", -0.19661193, 6, False),
    ("-0.196611825", -0.19661193, 17, False),
    ("0.2", 0.1966, 1, True),
    ("0.3", 0.1966, 1, False),
    ("123457", 123456.7, 6, True),
    ("123457", 123456.7, 9, False),
]


@pytest.mark.parametrize(("text", "wanted", "shown", "mark"), ANSWERED)
def test_numbers_are_right_as_far_as_they_are_written(text: str, wanted: float, shown: int, mark: bool | None) -> None:
    assert answered(float(text), wanted, text, shown) is mark
    assert answered(-float(text), -wanted, f"-{text}".replace("--", ""), shown) is mark


def test_formulas_are_right_to_float64() -> None:
    assert answered(1 / 3 * 3.0, 1.0, None, 6) is True
    assert answered(1 + 1e-9, 1.0, None, 6) is False
    assert answered(float("nan"), 1.0, "1", 6) is False
    assert answered(1.0, float("inf"), "1", 6) is False


def test_rounding_counts_against_what_was_added_up() -> None:
    assert answered(0.0, 1e-17, "0", 6) is False
    assert answered(0.0, 1e-17, "0", 6, scale=1.0) is True
    assert answered(0.0, 1e-17, "0", 6, noise=1.0) is True
    assert answered(1e-6, 2e-6, "1.0e-6", 6, noise=1.0) is False
    # 0.1 + 0.2 - 0.3 in float64.
    assert graded(derived("x*0.1 + x*0.2 - x*0.3", {"x": 1.0}), "x", "0") == (RIGHT, "")
    # Softmax with cross-entropy: the gradients of the logits add up to zero.
    at = {"z": [1.0, 2.0, 3.0], "c": 0.3, "t": [0.0, 1.0, 0.0]}
    one = derived("-sum(t*log(softmax(z + c)))", at)
    assert 0 < abs(asked(one, "c").gradient) < 1e-15
    assert graded(one, "c", "0") == (RIGHT, "")


def test_decimals_in_a_formula_are_the_rounded_numbers_that_are_shown() -> None:
    one = derived(*SCALARS[3])
    shown = "0.196612*(-2)"
    assert graded(one, "w1", shown).word == RIGHT
    assert graded(one, "w1", "df/dr*(0 - 2)").word == RIGHT
    assert graded(one, "w1", "0.1967*(-2)").word == WRONG


def test_whole_numbers_and_constants_in_a_formula_are_exact() -> None:
    assert graded(derived("4.00001*x", {"x": 3.0}), "x", "2*2").word == WRONG
    assert graded(derived("4.00001*x", {"x": 3.0}), "x", "2*2.0").word == RIGHT
    assert graded(derived("3.1415936*x", {"x": 3.0}), "x", "pi").word == WRONG
    assert graded(derived("pi*x", {"x": 3.0}), "x", "pi").word == RIGHT


def test_a_minus_sign_of_typography_is_no_digit() -> None:
    assert graded(derived("-0.1966*x", {"x": 3.0}), "x", "−0.2").word == SO_FAR
    assert graded(derived("-0.1966*x", {"x": 3.0}), "x", "−0.20").word == RIGHT


def test_what_an_answer_may_use() -> None:
    one = derived("2*x*x", {"x": 3.0})
    with pytest.raises(PointError) as caught:
        AnswerReader(one).read("lambda_", {"f", "q"})
    assert caught.value.hint in ("an answer may use x, q, f, d_f, d_q", "an answer may use x, q, f, d_q, d_f")


def test_a_spec_s_own_op_can_be_called() -> None:
    spec = (SPECS / "own-op.yaml").read_text(encoding="utf-8")
    one = network_derivation(networks(spec)[0])
    assert graded(one, "h", "d_out*(swish(h) + sigmoid(h)*(1 - out))") == (RIGHT, "")


WORDS = [
    ("df/df*z", -4.0), ("d_f*z", -4.0), ("df / df * z", -4.0), ("df/df/df/df + 0", 1.0), ("z^df/df", -4.0),
    ("2*df/dq", -8.0), ("−z·1", 4.0), ("where(x > 0, 1, y)", 5.0), ("max(x, y)^2", 25.0),
    ("-  4", -4.0), (" +4 ", 4.0), ("1e2", 100.0), ("pi", 3.141592653589793), ("sum(x)", -2.0), ("q # the sum", 3.0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), WORDS)
def test_formulas_mean_what_they_say(text: str, value: float) -> None:
    one = derived("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0})
    assert float(AnswerReader(one).read(text, everything(one)).value) == value


def test_a_gradient_is_no_quotient_of_variables() -> None:
    one = derived("df*dq + q", {"df": 6.0, "dq": 3.0, "q": 1.0})
    assert AnswerReader(one).read("df/dq", everything(one)).value == 2.0
    assert AnswerReader(one).read("d_q", everything(one)).value == 1.0
    assert AnswerReader(one).read("df/dr", everything(one)).value == 1.0
    named = derived("d_x*x", {"d_x": 7.0, "x": 3.0})
    assert AnswerReader(named).read("d_x", everything(named)).value == 7.0
    marked = derived("ǀ0ǀǀǀ*x*2", {"ǀ0ǀǀǀ": 7.0, "x": 3.0})
    assert AnswerReader(marked).read("ǀ0ǀǀǀ + df/dx", everything(marked)).value == 21.0
    longer = derived("pdf*dq + q", {"pdf": 6.0, "dq": 3.0, "q": 1.0})
    assert AnswerReader(longer).read("pdf/dq", everything(longer)).value == 2.0


ERRORS = [
    ("z*", "the expression ends where a value should follow", (2, 3)),
    ("df/df*w", "there is no `w`", (6, 7)),
    ("df/dw*2", "there is no `w`", (4, 5)),
    ("2*df/dx", "`df/dx` is not known yet", (2, 7)),
    ("2*d_x", "`d_x` is not known yet", (2, 5)),
    ("df/dq(3)", "unknown function `df/dq`", (0, 5)),
    ("z df/dq", "expected an operator before `df/dq`", (2, 7)),
    ("q = 3", "an answer defines no names", (0, 5)),
    ("q^^2", "expected a value, found `^`", (2, 3)),
    ("log(z)", "this has no finite value here", (0, 6)),
    ("10^10^10", "this has no finite value here", (0, 8)),
    ("1e999", "this number is too large for float64", (0, 5)),
    ("nan", "there is no `nan`", (0, 3)),
    ("x @ y", "", (2, 3)),
    ("[1, x]", "`x` is not a number", (4, 5)),
    ("[1, 2", "this bracket is never closed", (0, 1)),
    ("[1, [2]]", "numbers and lists are mixed in one array", (0, 8)),
    ("[1, 2]*2", "expected `,` or `;` here", (6, 7)),
    ("[1], b=2", "an answer is one list of numbers", (0, 8)),
    ("[@/etc/passwd]", "expected a value, found `@`", (1, 2)),
    ("__import__('os').system('true')", "unknown function `__import__`", (0, 10)),
    ("(" * 5000, "this bracket is never closed", (4999, 5000)),
    ("1" * (LONGEST + 1), "an answer of more than 10,000 characters", None),
]


@pytest.mark.parametrize(("text", "message", "span"), ERRORS, ids=[text[:20] for text, _, _ in ERRORS])
def test_a_mistake_in_a_formula_has_its_place(text: str, message: str, span: tuple[int, int] | None) -> None:
    one = derived("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0})
    with pytest.raises(GradcheckError) as caught:
        AnswerReader(one).read(text, {"f", "q"})
    assert message in caught.value.message
    assert span is None or caught.value.span == span
    assert caught.value.source is None or caught.value.source.text == text
    assert "ǀ" not in caught.value.render()


def test_an_answer_that_is_too_much_to_compute() -> None:
    one = derived("sum(x)", {"x": [0.0] * 10_000})
    with pytest.raises(SizeError):
        AnswerReader(one).read("sum(outer(x, x))", ())


def test_a_mistake_in_a_formula_does_not_count() -> None:
    assert said(talk(*CIRCUIT, "z*", "", "w", "q*1")) == [
        "df/dq = ? z*",
        "answer:1:3: error: the expression ends where a value should follow",
        "df/dq = ? ",
        "answer: df/dq = df/df · z = 1 · (-4) = -4",
        "df/dz = ? w",
        "answer:1:1: error: there is no `w`",
        "df/dz = ? q*1",
        "right: df/dz = df/df · q = 1 · 3 = 3",
        "df/dx = ? ",
        "1 of 2 at the first try; 2 gradients left",
    ]


@pytest.mark.parametrize(
    ("expression", "answers", "score"),
    [
        ("x*y", ["y", "q"], "1 of 1 at the first try; 1 gradient left"),
        ("x*y", ["q"], "0 of 0 at the first try; 2 gradients left"),
        ("x*y", ["y", "x", "q", "7"], "2 of 2 at the first try"),
        ("q*x", ["x", "q"], "2 of 2 at the first try"),
        ("q*x", ["x", "quit"], "1 of 1 at the first try; 1 gradient left"),
        ("q*quit", ["quit", "end"], "1 of 1 at the first try; 1 gradient left"),
        ("x*y", [], "0 of 0 at the first try; 2 gradients left"),
        ("x*y", ["y\r", "\t x \r"], "2 of 2 at the first try"),
        ("x*y", ["\ufeffy"], "1 of 1 at the first try; 1 gradient left"),
    ],
)
def test_the_end(expression: str, answers: list[str], score: str) -> None:
    at = ",".join(f"{name}={k}" for k, name in enumerate(expression.split("*"), 2))
    assert talk(expression, at, *answers)[-1] == score


def test_the_last_line_may_lack_its_end() -> None:
    done = run("trace", "x*y", "--at", "x=2,y=3", "--quiz", stdin=b"3\n2")
    assert done.out.endswith("\n2 of 2 at the first try\n")


def test_a_line_is_one_answer_however_long() -> None:
    lines = talk("x*y", "x=2,y=3", "1" * 1_000_000, "y")
    assert [line for line in lines if line.startswith("error")] == ["error: an answer of more than 10,000 characters"]
    assert lines[-1] == "1 of 1 at the first try; 1 gradient left"
    assert len("".join(lines)) < 2000


def test_a_long_expression_is_not_repeated() -> None:
    done = run("trace", "+".join(["x"] * 500), "--at", "x=1", "--quiz")
    assert done.out.partition("…")[0].replace("\n    ", "") == "+".join(["x"] * 100)[:199]


def test_nothing_to_ask() -> None:
    done = run("trace", "x", "--at", "x=2", "--quiz")
    assert (done.status, done.out) == (0, "x = 2\nthere is no gradient to ask for\n")


def test_digits() -> None:
    assert "answer: df/dt = df/df · (f · (1 - f)) = 1 · (0.73 · (1 - 0.73)) = 1 · 0.2 = 0.2" in talk(
        *NEURON, "", extra=("--digits", "2")
    )


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "message"),
    [
        (["-"], b"x*y\n1\n", 2, "--quiz reads the answers from standard input"),
        (["log(x)", "--at", "x=-1"], b"1\n", 2, "log is not defined here"),
        (["sqrt(x)", "--at", "x=0"], b"1\n", 2, ""),
    ],
)
def test_what_is_refused(arguments: list[str], stdin: bytes, status: int, message: str) -> None:
    done = run("trace", *arguments, "--quiz", stdin=stdin)
    assert (done.status, done.out) == (status, "")
    assert message in done.err


def test_closed_streams() -> None:
    found = hostile_trace()
    for name in ("stdin", "stdout"):
        with mock.patch.object(sys, name, None), pytest.raises(UsageError, match="is closed"):
            command.ask(found)


def test_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    stdin = Stream(b"")
    with (
        mock.patch.object(command, "_line", side_effect=KeyboardInterrupt),
        mock.patch.multiple(sys, argv=["gradcheck", "trace", "x*y", "--at", "x=1,y=2", "--quiz"], stdin=stdin),
        pytest.raises(SystemExit) as left,
    ):
        cli.main()
    assert left.value.code == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    receiver, sender = os.pipe()
    os.close(receiver)
    with (
        open(sender, "w", encoding="utf-8") as out,
        mock.patch.multiple(sys, stdin=Stream(b"\n" * 9), stdout=out),
    ):
        assert command.ask(hostile_trace()) == 0


def test_a_terminal_echoes_by_itself() -> None:
    answers = Stream(b"3\n", terminal=True)
    out = Stream(terminal=True)
    with (
        mock.patch.multiple(
            sys, argv=["gradcheck", "trace", "x*y", "--at", "x=2,y=3", "--quiz"], stdin=answers, stdout=out
        ),
        pytest.raises(SystemExit) as left,
    ):
        cli.main()
    assert left.value.code == 0
    plain = ANSI.sub("", out.text)
    assert "df/dx = ? right: df/dx = df/df · y = 1 · 3 = 3\n" in plain
    assert plain.endswith("df/dy = ? \n1 of 1 at the first try; 1 gradient left\n")


def test_screens_without_unicode() -> None:
    done = run("trace", "sigmoid(β)^2", "--at", "β=1", "--quiz", stdin=b"?\n?\n\n\n", encoding="ascii")
    assert done.status == 0
    assert done.out.isascii()
    assert "[2] f = q^2 = 0.534447" in done.out
    assert "df/d\\u03b2 = ?" in done.out


HOSTILE = [
    b"\xff\xfe\x00", b"\x1b[31mred", "\u202ez".encode(), b"\x07", b"$(touch /tmp/x)", b"`z`", b"z; import os", b"{z}",
    b"1" * 100_000, b"(" * 9_000, b"-" * 9_000 + b"z", b"z" + b"^z" * 4_000, b"9" * 4_001, b"[" * 9_000, b"[]", b"[[]]",
    b"0.0e9999", b"1e-400", b"d_", b"d", b"df/", b"df/d", b"df/dq.T.T.T", b"q.q.q", b"??", b"q?", b"\\n", b"nan",
    b"-inf", b"[1e308, 1e308]", b"x[0]", b"sum(x, axis=7)", b"reshape(x, shape=(9999999999,))", b"e", b"\xe2\x88\x92",
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE, ids=[repr(answer[:12]) for answer in HOSTILE])
@pytest.mark.parametrize("point", ["x=-2,y=5,z=-4", "x=[1,2],y=[3,4],z=[5,6]"])
def test_hostile_answers(answer: bytes, point: str) -> None:
    done = run("trace", "sum((x+y)*z)", "--at", point, "--quiz", stdin=answer + b"\nend\n")
    assert (done.status, done.err) == (0, "")
    assert not FORBIDDEN.search(done.out)
    assert done.out.endswith("gradients left\n")


@pytest.mark.parametrize("answer", ["", "?", "0", "1", "a|b"])
def test_hostile_names(answer: str) -> None:
    out = Stream()
    with mock.patch.multiple(sys, stdin=Stream(f"{answer}\n".encode() * 200), stdout=out):
        assert command.ask(hostile_trace()) == 0
    assert not FORBIDDEN.search(out.text)
    assert "at the first try" in out.text
    unbroken = [line for line in out.text.splitlines() if display_width(line) > 80]
    # Only words that nobody can break stick out.
    assert all("n" * 60 in line or "= ?" in line for line in unbroken), unbroken


def test_the_same_answers_give_the_same_bytes() -> None:
    assert talk(*NEURON, "1", "?", "2", "") == talk(*NEURON, "1", "?", "2", "")


@pytest.mark.parametrize(("option", "value"), [("-o", "svg"), ("--why", "x"), ("--order", "forward")])
def test_a_quiz_does_not_show(option: str, value: str) -> None:
    done = run("trace", "x*y", "--at", "x=1,y=2", "--quiz", option, value)
    assert (done.status, done.out) == (2, "")
    assert f"{option} shows" in done.err
