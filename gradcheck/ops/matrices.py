"""Linear algebra: inverses, determinants, factors, and what picks or fills parts of a matrix.

Whatever works on matrices works on batches of them, over the last two axes. Rules are those of the matrix
cookbooks, with the upstream gradient g in the place of the differential's weight: Giles 2008, An extended
collection of matrix derivative results; Golub and Pereyra 1973 for the pseudo-inverse; Murray 2016 for Cholesky.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.ops import conditions, matrix_shapes, shapes
from gradcheck.ops.arrays import MOVES
from gradcheck.ops.op import REQUIRED, Op

_EVERY = "broadcast_like(g, x, axis=(-2, -1))"
"""The upstream gradient of a number for each matrix, beside all of its elements."""

_PAIRED = "(out[..., :, None] == x[..., None, :])"
"""Which element has come to which place; equal ones have come to all of theirs, and share."""

_CHOLESKY = "m = out.mT @ tril(g); p = (tril(m) + tril(m, k=-1))/2; s = solve(out.mT, p) @ inv(out); (s + s.mT)/2"
_PSEUDO = "-out.mT @ g @ out.mT + (g.mT - x @ out @ g.mT) @ out @ out.mT + out.mT @ out @ (g.mT - g.mT @ out @ x)"
SHAPE: Mapping[str, Any] = {"shape": REQUIRED}
_TURNED = "(1, 2, 0)", "(2, 0, 1)"


def _turn(name: str, index: str) -> str:
    return f"select_index({name}, axis=-1, index={index})"


OPS = [
    Op(
        "inv", "x", vjp={"0": ("-g*out^2",), "2": ("-out.mT @ g @ out.mT",)}, alone="1/x",
        domain=("x != 0", conditions.REGULAR), shape=matrix_shapes.inverse, aliases="inverse", eliminates=True,
    ),
    Op("det", "x", vjp=(f"{_EVERY}*cofactor(x)",), shape=matrix_shapes.of_matrix, eliminates=True),
    Op(
        "logdet", "x", vjp=(f"{_EVERY}*inv(x).mT",), form="log(det(x))", domain=(conditions.POSITIVE,),
        shape=matrix_shapes.of_matrix, eliminates=True,
    ),
    Op(
        "slogdet", "x", vjp=("broadcast_like(g[1], x, axis=(-2, -1))*inv(x).mT",),
        form="concat(sign(det(x))[None], log(abs(det(x)))[None])", domain=(conditions.REGULAR,),
        shape=matrix_shapes.sign_and_log, eliminates=True,
    ),
    Op(
        "solve", "x y",
        vjp={
            "21": ("-outer(solve(x.mT, g), out)", "solve(x.mT, g)"),
            "22": ("-solve(x.mT, g) @ out.mT", "solve(x.mT, g)"),
        },
        form="inv(x) @ y", domain=(conditions.REGULAR,), shape=matrix_shapes.solve, eliminates=True,
    ),
    Op("pinv", "x", vjp=(_PSEUDO,), domain=(conditions.FULL_RANK,), shape=shapes.matrix_transpose, eliminates=True),
    Op("cholesky", "x", vjp=(_CHOLESKY,), domain=(conditions.DEFINITE,), shape=matrix_shapes.square, eliminates=True),
    Op(
        "trace", "x", vjp=("g*eye_like(x)",), form="sum(diag(x))", shape=matrix_shapes.trace, moves=True, sums=True,
        aliases="tr",
    ),
    Op(
        "diag", "x", vjp={"1": ("diag(g)",), "2": ("undiag(g, x)",)}, shape=matrix_shapes.diagonal,
        moves=True, fills=True, habit=MOVES,
    ),
    *(
        Op(
            name, "x", vjp=(f"{name}(g, k=k)",), params={"k": 0}, shape=matrix_shapes.triangle,
            moves=True, fills=True, habit="lets one triangle through",
        )
        for name in ("tril", "triu")
    ),
    Op(
        "kron", "x y",
        vjp={
            "11": ("sum(blocks(g, x, y)*y[None, :], axis=1)", "sum(blocks(g, x, y)*x[:, None], axis=0)"),
            "22": (
                "sum(blocks(g, x, y)*y[None, :, None, :], axis=(1, 3))",
                "sum(blocks(g, x, y)*x[:, None, :, None], axis=(0, 2))",
            ),
        },
        shape=matrix_shapes.kron,
    ),
    Op(
        "cross", "x y", vjp=("cross(y, g)", "cross(g, x)"),
        form=f"{_turn('x', _TURNED[0])}*{_turn('y', _TURNED[1])} - {_turn('x', _TURNED[1])}*{_turn('y', _TURNED[0])}",
        shape=matrix_shapes.cross,
    ),
    Op(
        "norm_p", "x",
        vjp=(
            "where(broadcast_like(out, x, axis=axis, keepdims=keepdims) == 0, 0, "
            "broadcast_like(g, x, axis=axis, keepdims=keepdims)*sign(x)*abs(x)^(p - 1)"
            "*broadcast_like(out, x, axis=axis, keepdims=keepdims)^(1 - p))",
        ),
        form="sum(abs(x)^p, axis=axis, keepdims=keepdims)^(1/p)",
        params={"p": REQUIRED, "axis": None, "keepdims": False}, shape=matrix_shapes.vector_norm, internal=True,
    ),
    Op(
        "norm_1", "x", vjp=("c = sum(abs(x), axis=0); e = (c == amax(c))/sum(c == amax(c)); g*e*sign(x)",),
        form="amax(sum(abs(x), axis=0))", shape=matrix_shapes.vector_or_matrix, internal=True,
    ),
    Op(
        "norm_inf", "x",
        vjp=("c = sum(abs(x)[..., None], axis=1); e = (c == amax(c))/sum(c == amax(c)); g*e*sign(x)",),
        form="amax(sum(abs(x)[..., None], axis=1))", shape=matrix_shapes.vector_or_matrix, internal=True,
    ),
    Op("cumprod", "x", vjp=("cumprod_slopes(g, x, axis=axis)",), params={"axis": None}, shape=shapes.cumulative),
    Op(
        "sort", "x", vjp=(f"sum(g[..., :, None]*{_PAIRED}/sum({_PAIRED}, axis=-1, keepdims=True), axis=-2)",),
        params={"axis": -1}, shape=matrix_shapes.sorted_last,
        habit="routes: each place of the result gives it to the element that came there, equal ones share it",
    ),
    Op(
        "topk", "x", vjp=(f"sum(g[..., :, None]*{_PAIRED}/sum({_PAIRED}, axis=-1, keepdims=True), axis=-2)",),
        form="sort(x)[..., ::-1][..., :k]", params={"k": REQUIRED}, shape=matrix_shapes.largest,
        habit="routes: the largest elements get it, equal ones share it, all others get nothing",
    ),
    Op(
        "pad", "x", vjp=("unpad(g, x, width=width)",), params={"width": REQUIRED}, shape=matrix_shapes.pad,
        moves=True, fills=True, habit=MOVES,
    ),
    Op(
        "eye", "x", vjp=("sum(diag(g))",), params=SHAPE, defaults={"x": "1"}, shape=matrix_shapes.made_square,
        moves=True, fills=True,
    ),
    *(
        Op(name, "x", vjp=("sum(g)",), params=SHAPE, defaults={"x": x}, shape=matrix_shapes.made, moves=True)
        for name, x in (("ones", "1"), ("zeros", "0"))
    ),
    Op(
        "diagonal", "x", vjp=("undiag(g, x)",), shape=matrix_shapes.square_diagonal, moves=True, internal=True,
        habit=MOVES,
    ),
    # What follows is for rules alone.
    Op("cofactor", "x", shape=matrix_shapes.square, internal=True),
    Op("eye_like", "x", shape=shapes.along, measures=True, fills=True, internal=True),
    Op("undiag", "g x", shape=shapes.second, fills=True, internal=True),
    Op("blocks", "g x y", shape=matrix_shapes.blocks, view=True, internal=True),
    Op("cumprod_slopes", "g x", params={"axis": None}, shape=shapes.second, internal=True),
    Op("unpad", "g x", params={"width": REQUIRED}, shape=shapes.second, view=True, internal=True),
]  # fmt: skip
