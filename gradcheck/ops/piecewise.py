"""Ops that choose between pieces: they bend (kink) or jump where the choice changes.

Conventions at a tie, all of them valid subgradients: abs and relu take 0, max and min share
the upstream gradient equally. The verdict never rests on them: a kink is judged by its
one-sided slopes. step(0) is 0; heaviside(0) is 1/2, as SymPy has it.
"""

from __future__ import annotations

from gradcheck.ops.op import Op

OPS = [
    Op("abs", "x", ("sign(x)",), kink=("x",), aliases="absolute fabs"),
    Op("sign", "x", ("0",), kink=("x",), locally_constant=True, aliases="sgn"),
    Op("step", "x", ("0",), kink=("x",), locally_constant=True),
    Op("heaviside", "x", ("0",), kink=("x",), locally_constant=True),
    *(
        Op(name, "x", ("0",), kink=(edge,), locally_constant=True, staircase=True, aliases=other)
        for name, edge, other in (
            ("floor", "x - round(x)", ""), ("ceil", "x - round(x)", ""), ("round", "x - floor(x) - 0.5", "rint around"),
        )
    ),
    Op(
        "max", "x y",
        ("where(x > y, 1, where(x == y, 0.5, 0))", "where(y > x, 1, where(x == y, 0.5, 0))"),
        kink=("x - y",), aliases="maximum fmax",
        habit="routes: the larger input gets it all, equal ones share it",
    ),
    Op(
        "min", "x y",
        ("where(x < y, 1, where(x == y, 0.5, 0))", "where(y < x, 1, where(x == y, 0.5, 0))"),
        kink=("x - y",), aliases="minimum fmin",
        habit="routes: the smaller input gets it all, equal ones share it",
    ),
    Op(
        "clip", "x lo hi",
        (
            "where(x > lo, 1, 0)*where(x < hi, 1, 0)",
            "where(x < lo, 1, 0)*where(lo < hi, 1, 0)",
            "where(max(x, lo) > hi, 1, 0)",
        ),
        form="min(max(x, lo), hi)", kink=("x - lo", "max(x, lo) - hi"), aliases="clamp",
        over=({"lo": (-2.0, -1.0), "hi": (1.0, 2.0)},),
    ),
    # `select` passes nothing at all, not a zero, to the branch that was not taken: a zero
    # would meet the infinite slope of that branch and become NaN.
    Op(
        "where", "c x y", vjp=("0", "select(c, g)", "select(c == 0, g)"), moves=True, choice=True,
        linear=("x y",), habit="routes: the chosen branch gets it all", over=({"c": (0.0, 0.0)}, {"c": (1.0, 1.0)}, {}),
    ),
    Op("select", "c g", fills=True, linear=("g",), internal=True),
]  # fmt: skip
