"""Ops on whole arrays: products, reductions, and ops that only move elements.

Rules speak of trailing axes; an operand that was broadcast gets its gradient summed back by
backprop, so that no rule needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.ops import shapes
from gradcheck.ops.op import REQUIRED, Op

REDUCE: Mapping[str, Any] = {"axis": None, "keepdims": False}
OVER = "axis=axis, keepdims=keepdims"
SAME = "axis=axis, keepdims=True"
BACK = f"broadcast_like({{}}, x, {OVER})"
"""A reduction's upstream gradient, spread over the elements that were reduced."""

MOVES = "only moves: each gradient goes back to where its number came from"

_TIES = f"(x == {BACK.format('out')})"
_EXTREME = f"{BACK.format('g')}*{_TIES}/sum({_TIES}, {SAME})"


def _spread(text: str) -> str:
    return BACK.format(text)


OPS = [
    Op(
        "matmul", "x y",
        vjp={
            "22": ("g @ y.mT", "x.mT @ g"),
            "12": ("g @ y.mT", "outer(x, g)"),
            "21": ("outer(g, y)", "g @ x"),
            "11": ("g*y", "g*x"),
        },
        shape=shapes.matmul, aliases="dot", contracts=True,
        habit="switches: each factor gets the gradient times the other, laid out as the shapes demand",
    ),
    Op("outer", "x y", vjp=("g @ y", "x @ g"), shape=shapes.outer),
    Op(
        "sum", "x", vjp=(_spread("g"),), params=REDUCE, shape=shapes.reduction, moves=True, sums=True,
        habit="distributes: each element gets the whole",
    ),
    Op(
        "prod", "x", vjp=(f"{_spread('g')}*prod_others(x, axis=axis)",),
        params=REDUCE, shape=shapes.reduction,
    ),
    Op(
        "amax", "x", vjp=(_EXTREME,), params=REDUCE, shape=shapes.nonempty_reduction,
        habit="routes: the largest element gets it all, equal ones share it",
    ),
    Op(
        "amin", "x", vjp=(_EXTREME,), params=REDUCE, shape=shapes.nonempty_reduction,
        habit="routes: the smallest element gets it all, equal ones share it",
    ),
    Op(
        "mean", "x", vjp=(f"{_spread('g')}/count(x, axis=axis)",),
        form=f"sum(x, {OVER})/count(x, axis=axis)", params=REDUCE, shape=shapes.nonempty_reduction,
        habit="shares the gradient out equally",
    ),
    Op(
        "var", "x",
        vjp=(f"{_spread('g')}*2*(x - mean(x, {SAME}))/(count(x, axis=axis) - ddof)",),
        form=f"sum((x - mean(x, {SAME}))^2, {OVER})/(count(x, axis=axis) - ddof)",
        params={**REDUCE, "ddof": 0}, shape=shapes.nonempty_reduction,
    ),
    Op(
        "std", "x",
        vjp=(
            f"where({_spread('out')} == 0, 0, {_spread('g')}*(x - mean(x, {SAME}))"
            f"/((count(x, axis=axis) - ddof)*{_spread('out')}))",
        ),
        form=f"sqrt(var(x, {OVER}, ddof=ddof))",
        params={**REDUCE, "ddof": 0}, shape=shapes.nonempty_reduction,
    ),
    Op(
        "norm", "x",
        vjp=(f"where({_spread('out')} == 0, 0, {_spread('g')}*x/{_spread('out')})",),
        form=f"sqrt(sum(x^2, {OVER}))", params=REDUCE, shape=shapes.reduction, named=("ord",),
    ),
    Op(
        "logsumexp", "x", vjp=(f"{_spread('g')}*exp(x - {_spread('out')})",),
        form=f"log(sum(exp(x), {OVER}))",
        forward=f"amax(x, {OVER}) + log(sum(exp(x - amax(x, {SAME})), {OVER}))",
        params=REDUCE, shape=shapes.nonempty_reduction,
    ),
    Op(
        "softmax", "x", vjp=(f"out*(g - sum(g*out, {SAME}))",),
        form=f"exp(x)/sum(exp(x), {SAME})",
        forward=f"exp(x - amax(x, {SAME}))/sum(exp(x - amax(x, {SAME})), {SAME})",
        params={"axis": -1}, shape=shapes.along,
    ),
    Op(
        "log_softmax", "x", vjp=(f"g - exp(out)*sum(g, {SAME})",),
        form=f"x - log(sum(exp(x), {SAME}))",
        forward=f"x - amax(x, {SAME}) - log(sum(exp(x - amax(x, {SAME})), {SAME}))",
        params={"axis": -1}, shape=shapes.along,
    ),
    Op(
        "cumsum", "x", vjp=("reshape_like(flip(cumsum(flip(g, axis=axis), axis=axis), axis=axis), x)",),
        params={"axis": None}, shape=shapes.cumulative, moves=True, sums=True,
    ),
    Op(
        "transpose", "x", vjp=("untranspose(g, axes=axes)",),
        params={"axes": None}, shape=shapes.transpose, moves=True, view=True, habit=MOVES,
    ),
    Op(
        "mT", "x", vjp=("g.mT",), shape=shapes.matrix_transpose, moves=True, view=True, internal=True, habit=MOVES,
    ),
    Op(
        "reshape", "x", vjp=("reshape_like(g, x)",),
        params={"shape": REQUIRED}, shape=shapes.reshape, moves=True, view=True, habit=MOVES,
    ),
    Op(
        "concat", "x y", vjp=("head(g, x, axis=axis)", "tail(g, y, axis=axis)"),
        params={"axis": 0}, shape=shapes.concat, moves=True, aliases="concatenate", habit=MOVES,
    ),
    Op(
        "getitem", "x", vjp=("put(g, x, index=index)",),
        params={"index": REQUIRED}, shape=shapes.getitem, moves=True, view=True, internal=True,
        habit="picks: the chosen elements get it, the others nothing",
    ),
    # What follows is for rules alone; `x` and `y` lend no more than their shape.
    Op("count", "x", params={"axis": None}, shape=shapes.scalar, measures=True, internal=True),
    Op("broadcast_like", "g x", params=REDUCE, shape=shapes.second, internal=True),
    Op("prod_others", "x", params={"axis": None}, shape=shapes.along, internal=True),
    Op("flip", "g", params={"axis": None}, shape=shapes.along, view=True, internal=True),
    Op("untranspose", "g", params={"axes": None}, shape=shapes.untranspose, view=True, internal=True),
    Op("reshape_like", "g x", shape=shapes.second, view=True, internal=True),
    Op("head", "g x", params={"axis": 0}, shape=shapes.second, view=True, internal=True),
    Op("tail", "g y", params={"axis": 0}, shape=shapes.second, view=True, internal=True),
    Op("put", "g x", params={"index": REQUIRED}, shape=shapes.second, fills=True, internal=True),
]  # fmt: skip
