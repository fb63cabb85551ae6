"""Right formulas stay right wherever they are tried, and what is right at one point only is found."""

import numpy as np
import pytest

import gradcheck
from gradcheck.checking.redrawn import is_symmetric, redrawn


def verdict(text, at, claims, name):
    report = gradcheck.check(text, at=at, claims=claims)
    return next(t for t in report.checks[0].tensors if t.name == name).verdict


@pytest.mark.parametrize(
    ("text", "at", "claims"),
    [
        ("-sum(t*log_softmax(z,axis=0))", "z=[[0.3,-1],[1,2],[0,1]],t=[[1,0],[0,0],[0,1]]",
         {"z": "softmax(z,axis=0)-t"}),
        ("-sum(t*log_softmax(z))", "z=[0.1,0.2,0.3,0.4,0.5,0.6],t=[0.1,0.2,0.3,0.1,0.1,0.2]", {"z": "softmax(z)-t"}),
        ("-sum(t*log_softmax(z,axis=0))", "z=[[0.3,-1],[1,2],[0,1]],t=[[0.9,0.05],[0.05,0.05],[0.05,0.9]]",
         {"z": "softmax(z,axis=0)-t"}),
        ("-sum(t*log_softmax(z,axis=1))", "z=[[0.3,-1],[1,2]],t=[[0.9,0.1],[0.1,0.9]]", {"z": "softmax(z,axis=1)-t"}),
        ("-sum(t*log_softmax(z,axis=1))", "z=[[0.3,-1],[1,2]],t=[[0,1],[1,0]]", {"z": "softmax(z,axis=1)-t"}),
        ("sum((1-y*(X@w))^2)", "X=[[1,2],[0.5,-1],[2,0.1]],w=[0.2,-0.4],y=[1,-1,1]", {"w": "2*X.T@(X@w-y)"}),
        ("x@A@x", "x=[1,2,0.5],A=[[0,1,1],[1,0,0],[1,0,0]]", {"x": "2*A@x"}),
        ("x@J@y", "J=[[0,1.5],[-1.5,0]],x=[1,2],y=[2,1]", {"y": "-J@x"}),
        ("c*det(L)", "c=2,L=[[2,0],[1,3]]", {"c": "prod(diag(L))"}),
        ("-log(softmax(z)[k])", "z=[0.2,0.5,0.3],k=2,t=[0,0,1]", {"z": "softmax(z)-t"}),
        ("sum(S[y]^2)", "S=[[1,2],[3,4],[5,6]],y=[0,2],m=[[1],[0],[1]]", {"S": "2*S*m"}),
    ],
)  # fmt: skip
def test_right_formulas_are_no_accident(text, at, claims):
    [name] = claims
    assert verdict(text, at, claims, name) in ("agree", "not_exercised")


def test_wrong_formulas_still_show():
    assert verdict("x^2", "x=2", {"x": "4 + 0*x"}, "x") == "disagree"
    assert verdict("sum(x^3)", "x=[1,-1]", {"x": "3*x*x*x*x"}, "x") == "disagree"


def test_one_hot_rows_need_no_symmetry():
    report = gradcheck.check(
        "-sum(t*log_softmax(z,axis=1))", at="z=[[0.3,-1],[1,2]],t=[[1,0],[0,1]]", claims={"z": "softmax(z,axis=1)-t"}
    )
    assert not any("symmetric" in note for note in report.checks[0].notes)
    report = gradcheck.check("x@S@x", at="x=[1,2],S=[[1,0],[0,1]]", claims={"x": "2*S@x"})
    assert any("symmetric" in note for note in report.checks[0].notes)


@pytest.mark.parametrize("x", [[[1, 0, 0], [0, 1, 0]], [[0.2, 0.3, 0.5], [0.1, 0.6, 0.3]]])
def test_sums_to_one_are_kept_along_their_axis(x):
    for axis in (0, 1):
        rows = np.array(x, dtype=float)
        other = redrawn(rows if axis else rows.T, np.random.default_rng(1))
        assert (other.sum(axis=axis) == 1).all()
        assert not np.array_equal(other, rows if axis else rows.T)


def test_edges_of_a_graph_stay_symmetric():
    x = np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]])
    for seed in range(5):
        other = redrawn(x, np.random.default_rng(seed))
        assert is_symmetric(other)
        assert not np.diag(other).any()


def test_positions_stay_in_their_table():
    report = gradcheck.check("sum(S[y]^2)", at="S=[[1,2],[3,4],[5,6]],y=[0,2]")
    assert report.checks[0].tensors[0].verdict in ("agree", "not_exercised")


def test_a_choice_may_be_one_constant_for_all():
    assert verdict("sum(where(M>0,Q,-1e9)*G)", "Q=[0.1,0.5],M=[1,0],G=[1,2]", {"Q": "where(M>0,G,0)"}, "Q") in (
        "agree", "not_exercised",
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_shares_need_not_sum_to_one_in_the_last_digit(seed):
    random = np.random.default_rng(seed)
    z, t = random.normal(size=(3, 4)), random.dirichlet(np.ones(4), 3)
    text, claim = "-sum(t*log_softmax(z,axis=1))", "softmax(z,axis=1) - t"
    assert verdict(text, {"z": z, "t": t}, {"z": claim}, "z") == "agree"
    assert verdict(text, {"z": z, "t": t}, {"z": f"({claim})*(1 + 1e-9)"}, "z") == "disagree"
    assert verdict(text, {"z": z, "t": t * (1 + 1e-8)}, {"z": claim}, "z") == "disagree"


def test_what_is_all_but_right_is_not_called_lopsided():
    report = gradcheck.check("x@A@x", at="x=[1,2],A=[[1,2],[2,5]]", claims={"A": "outer(x,x)*(1 + 1e-10)"})
    [reason, *_] = report.checks[0].tensors[1].reasons.values()
    assert "symmetr" not in reason


@pytest.mark.parametrize(("at", "target"), [("x=[1,2]", "x[2]"), ("x=[1,2]", "x[0,0]"), ("x=3", "x[0]")])
def test_an_element_that_is_not_there_is_a_mistake_of_the_input(at, target):
    with pytest.raises(gradcheck.GradcheckError, match="no such element"):
        gradcheck.check("sum(x^2)", at=at, claims={target: "2"})
