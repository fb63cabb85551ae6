"""Sums, products, quotients, powers and comparisons."""

from __future__ import annotations

import math

from gradcheck.ops.op import Op, Worded


def _power_defined(x: float, y: float) -> bool:
    return x > 0 or (x == 0 and y >= 0) or (x != 0 and y == math.floor(y))


OPS = [
    Op(
        "add", "x y", ("1", "1"), linear=("x y",),
        habit="distributes: each input gets the whole upstream gradient",
    ),
    Op(
        "sub", "x y", ("1", "-1"), linear=("x y",), aliases="subtract",
        habit="distributes, with the sign turned for what is taken away",
    ),
    Op(
        "mul", "x y", ("y", "x"), linear=("x", "y"), aliases="multiply",
        habit="switches: each input gets the upstream gradient times the other",
    ),
    Op("div", "x y", ("1/y", "-out/y"), domain=("y != 0",), linear=("x",), aliases="divide true_divide"),
    Op("neg", "x", ("-1",), linear=("x",), aliases="negative", habit="turns the sign"),
    Op(
        "identity", "x", ("1",), linear=("x",), view=True, internal=True,
        habit="passes the gradient on",
    ),
    # The two guards are what keeps x^2 at 0 and 0^y from turning into 0/0.
    Op(
        "pow", "x y",
        ("where(y == 0, 0, y*x^(y - 1))", "where(x == 0, 0, out*log(x))"),
        domain=(Worded("x > 0 or y integer, or x = 0 and y >= 0", _power_defined),), over=({"x": (0.25, 4.0)},),
        aliases="power float_power",
    ),
    Op("reciprocal", "x", ("-out^2",), form="1/x", domain=("x != 0",)),
    Op("square", "x", ("2*x",), form="x*x"),
    *(
        Op(name, "x y", ("0", "0"), kink=("x - y",), locally_constant=True, aliases=other)
        for name, other in (
            ("lt", "less"), ("le", "less_equal"), ("gt", "greater"), ("ge", "greater_equal"), ("eq", ""),
            ("ne", "not_equal"),
        )
    ),
]  # fmt: skip
