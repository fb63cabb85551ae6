"""What a trace must not say: statements that were false or misleading once, each in its smallest case."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import run

SPECS = Path(__file__).parent.parent / "specs"


def text(expression: str, at: str, *options: str) -> str:
    done = run("trace", expression, "--at", at, *options)
    assert done.status in (0, 5), done.err
    return done.out


def spec(body: str, folder: Path, *options: str) -> str:
    path = folder / "net.yaml"
    path.write_text("gradcheck: 1\n" + body, encoding="utf-8")
    done = run("trace", str(path), *options)
    assert done.status in (0, 5), done.err
    return done.out


@pytest.mark.parametrize(
    ("expression", "at", "said", "unsaid"),
    [
        # A variable that is called like a gradient.
        ("sum(x*d_x)", "x=[1,2],d_x=[3,4]", "d_x_ = d_q · d_x ", "d_x = d_q · d_x"),
        # A single number that was broadcast.
        ("sum(x*y)", "x=[1,2],y=2", "d_y = sum(d_q · x) = 3 ", "d_y = d_q · x"),
        # A number with a sign is a number, and has its value.
        ("x*(-1)", "x=2", "f = x · (-1) = 2 · (-1) = -2", "neg"),
        ("x^(-2)", "x=2", "-2 · x^(-3)", "where"),
        ("x^0.5", "x=4", "0.5 · x^(-0.5)", "where"),
        # Digits that cancel are shown before they do.
        ("tanh(x)", "x=10", "(1 - 0.999999995878²) = 1 · 8.24461e-09", "(1 - 1²)"),
        ("(x*0.00001)^2", "x=2", "(2e-05)²", " 2e-05²"),
        # Ties.
        ("max(x,y)", "x=2,y=2", "equal ones share it", "✓"),
        ("abs(x)", "x=0", "◀ x  kink", "✓"),
        # Half the sum of two squares is not their mean.
        ("sum((x-y)^2)/2", "x=[1,2],y=[3,5]", "s/2 = 6.5", "count"),
        # What was recognised is named as it was written.
        ("1/(1+exp(-x))", "x=1", "for 1/(1+exp(-x))", "div"),
        # The decimals of the targets add up to one, their float64s do not.
        ("-sum(t*log(softmax(z)))", "z=[1,2,3],t=[0.1,0.2,0.7]", "softmax(z) - t)", "weighted"),
        ("-sum(t*log(softmax(z)))", "z=[1,2,3],t=[1,2,0]", "softmax(z) · sum(t", "predicted minus what is true"),
        # A condition passes nothing back.
        ("where(x>0,x*x,-x)", "x=2", "df/dx = [2] 2 + [2] 2 = 4", "[1] 0"),
        # How many there are is a number.
        ("mean(x*x)", "x=[1,2,3,4]", "/4 ", "count("),
        # A vector's shape is no value.
        ("sum(x*y)", "x=[1,2,3,4,5],y=[5,4,3,2,1]", "(5,)", "q = 5 "),
    ],
)  # fmt: skip
def test_what_is_said(expression: str, at: str, said: str, unsaid: str) -> None:
    out = text(expression, at).partition("Check")[0]
    assert said in out
    assert unsaid not in out


@pytest.mark.parametrize(
    "expression", ["sum(selu(x))", "sum(gelu_tanh(x))", "sum(gelu(x))", "std(x)", "sum(celu(x, 2))"]
)
def test_opened_definitions_are_proved_in_their_own_decimals(expression: str) -> None:
    out = text(expression, "x=[1,-2,0.5]", "--expand")
    assert "✓" in out
    assert "✗" not in out


def test_paths_multiply_in_the_order_in_which_they_are_written() -> None:
    out = text("exp(3*x)*y", "x=0,y=5", "--why", "x")
    assert "x → [1] q → [2] r → [3] f: 3 · 1 · 5 = 15" in out


def test_a_circuit_in_a_spec_is_shown_as_the_same_expression_is() -> None:
    done = run("trace", str(SPECS / "circuits.yaml"), "-k", "max")
    assert "at x = 3, y = -4, z = 2, w = -1" in done.out
    assert "[1] f.mul = x · y = 3 · (-4) = -12" in done.out
    assert "df/dx = df/df.mul · y = 2 · (-4) = -8 ◀ x" in done.out


def test_a_reduction_of_one_number_is_no_array() -> None:
    done = run("trace", str(SPECS / "chained-affine.yaml"))
    assert "= 1 · (2 · (-60)) = 1 ·\n          (-120) = -120" in done.out


def test_a_layer_that_has_a_number_for_a_name_is_not_read_as_one() -> None:
    done = run("trace", str(SPECS / "lenet.yaml"))
    assert "fc1 = layer6 @ fc1.weightᵀ" in done.out
    assert " 6 @" not in done.out


def test_the_sum_at_the_end_is_not_part_of_the_last_layer(tmp_path: Path) -> None:
    body = (
        "inputs: {x: [[0.5, -1.0]]}\nlayers:\n- {name: fc, type: Linear, out_features: 2}\n- {name: act, type: Tanh}\n"
    )
    out = spec(body, tmp_path)
    assert "\n  sum of the output\n  [3] f = sum(act)" in out


def test_a_definition_of_ones_own_is_shown(tmp_path: Path) -> None:
    body = (
        "inputs: {x: 0.5, y: 2}\n"
        "ops: {twice: {args: x, forward: x + x, backward: {x: 2*g}}}\n"
        "nodes: {f: {expr: twice(x)*y}}\n"
    )
    assert "for x + x" in spec(body, tmp_path)


def test_a_value_beyond_float64_is_not_called_undefined() -> None:
    done = run("trace", "exp(y)", "--at", "y=800")
    assert done.status == 2
    assert "exp(800) = too large for float64" in done.out
    assert "Stopped: exp overflows" in done.out


def test_an_infinite_slope_is_said_where_the_reader_looks() -> None:
    done = run("trace", "sqrt(x)", "--at", "x=0")
    assert done.status == 2
    assert "Stopped: the slope with respect to `x` is infinite here" in done.out


def test_latex_tells_a_variable_from_the_gradient_of_another() -> None:
    out = text("sum(x*d_x)", "x=[1,2],d_x=[3,4]", "-o", "latex")
    assert "d'_{x}} & = d_{q} \\cdot d_{x}" in out


def test_a_chosen_point_is_said_to_be_chosen() -> None:
    chosen, given = run("trace", "x*y", "--seed", "4"), run("trace", "x*y", "--at", "x=1,y=2")
    assert "the point was chosen inside the domain, seed 4" in chosen.out
    assert "chosen" not in given.out


def test_lines_that_are_not_proved_are_said_not_to_be() -> None:
    chain = "y0 = x*x; " + "; ".join(f"y{k} = y{k - 1}*x" for k in range(1, 21_000))
    done = run("trace", "-", "--at", "x=1", "--depth", "2", stdin=chain.encode())
    assert "✓" not in done.out
    assert "not proved one by one here" in " ".join(done.out.split())


@pytest.mark.parametrize("expression", ["-pi*x", "x*(-pi)", "sin(-e)+x", "x^(-pi)"])
def test_a_constant_with_a_name_keeps_its_sign(expression: str) -> None:
    assert "agree" in text(expression, "x=2")


@pytest.mark.parametrize("form", ["text", "python", "svg", "html", "json", "latex", "markdown", "mermaid", "dot"])
def test_a_selection_of_nothing_is_everything_or_refused(form: str) -> None:
    for arguments in (
        ["y", "--at", "y=2", "--depth", "2"],
        ["3", "--depth", "1"],
        ["x", "--at", "x=1", "--focus", "x"],
    ):
        assert run("trace", *arguments, "-o", form).status in (0, 5)
    refused = run("trace", str(SPECS / "lenet.yaml"), "--focus", "label", "-o", form)
    assert (refused.status, refused.out) == (2, "")
    assert "no stage lies between it and the output" in refused.err


@pytest.mark.parametrize(
    "layer", ["{type: ZeroPad2d, padding: 1}", "{type: AvgPool2d, kernel_size: 2, padding: 1}",
              "{type: ConvTranspose2d, out_channels: 1, kernel_size: 2, stride: 2}"],
)  # fmt: skip
def test_the_zeros_of_a_padding_are_no_mistake(layer: str, tmp_path: Path) -> None:
    body = "inputs: {x: {shape: [1, 1, 3, 3], init: normal_}}\nlayers:\n- " + layer + "\n"
    for options in ((), ("--expand",)):
        out = spec(body, tmp_path, *options)
        assert "✓" in out
        assert "✗" not in out
