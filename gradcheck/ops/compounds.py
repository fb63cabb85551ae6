"""Ops that a person sees in several gates: an affine map, a softmax with its cross-entropy.

A derivation shows them as one step, with the rule that is written on the board for them. Nobody calls
them: a layer says that it is one (`Plan.shortcut`), or they are found in what people type
(`deriving.shortcuts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.ops import shapes
from gradcheck.ops.op import REQUIRED, Op
from gradcheck.ops.windows import SAME, WINDOWS

_SPREAD = f"broadcast_like({{}}, {WINDOWS}, axis=inner)"
_LARGEST = f"({WINDOWS} == {_SPREAD.format('out')})"

PLACES: Mapping[str, Any] = dict.fromkeys(("kernel", "stride", "padding", "dilation", "edge"), REQUIRED)
"""Which windows there are; see `windows`."""

POOLED: Mapping[str, Any] = {**PLACES, "inner": REQUIRED}

_LAYOUT = ("grouped", "order", "patches", "filters", "result", "permuted", "product", "weights")
LAID_OUT: Mapping[str, Any] = {**PLACES, **dict.fromkeys(_LAYOUT, REQUIRED)}
"""How a convolution is laid out as a product of matrices: the shapes on the way there and back."""

ADDED: Mapping[str, Any] = {**LAID_OUT, "column": REQUIRED, "others": REQUIRED}
"""The same where a number for each filter is added."""

FOLLOWING = (POOLED.keys() | ADDED.keys()) - PLACES.keys()
"""Static parameters that follow from shapes."""

_HOW = ", ".join(f"{name}={name}" for name in LAID_OUT)
_ROWS = f"cols = {WINDOWS}\nrows = reshape(transpose(reshape(cols, shape=grouped), axes=order), shape=patches)\n"


def convolution(weight: str, bias: str | None = None) -> str:
    """Return the convolution of `x` as a program: windows become rows of a matrix, so that it is one product."""
    added = f" + reshape({bias}, shape=column)" if bias else ""
    return f"{_ROWS}reshape(reshape({weight}, shape=filters) @ rows.mT, shape=result){added}"


BACK = {
    op.name: op
    for op in (
        Op(
            "conv_input", "g W x", params=LAID_OUT, shape=shapes.third, internal=True,
            form=f"unwindow(reshape_like(untranspose(reshape((reshape(W, shape=filters).mT @ reshape(g, shape=product))"
            f".mT, shape=permuted), axes=order), {WINDOWS}), x, {SAME})",
        ),
        Op(
            "conv_weight", "g x", params=LAID_OUT, shape=shapes.weights, internal=True,
            form=f"{_ROWS}reshape(reshape(g, shape=product) @ rows, shape=weights)",
        ),
        Op(
            "average_unpool", "g x", params=POOLED, shape=shapes.second, internal=True,
            form=f"unwindow({_SPREAD.format('g')}/count({WINDOWS}, axis=inner), x, {SAME})",
        ),
        Op(
            "max_unpool", "g x out", params=POOLED, shape=shapes.second, internal=True,
            form=f"unwindow({_SPREAD.format('g')}*{_LARGEST}/sum({_LARGEST}, axis=inner, keepdims=True), x, {SAME})",
        ),
    )
}  # fmt: skip
"""What goes back through convolutions and pooling, for their rules alone."""

_CROSS_ENTROPY = "-sum(t*log_softmax(z, axis=axis))"
_PREDICTED = "softmax(z, axis=axis)"
_WEIGHT = "sum(t, axis=axis, keepdims=True)"
"""What a row of targets adds up to: one for classes and probabilities, and then it need not be written."""

FORCED = "switches: each factor gets the gradient times the other, laid out as the shapes demand"
PREDICTED = "leaves what was predicted minus what is true"
WEIGHTED = "leaves each row's weight, as it was predicted, minus what is true"
CORRELATES = "switches, window by window: weights get gradient times input, the input gradient times weights"

OPS = [
    Op(
        "affine", "X W b",
        vjp={
            "221": ("g @ W.mT", "X.mT @ g", "sum(g, axis=0)"),
            "121": ("g @ W.mT", "outer(X, g)", "g"),
        },
        form="X @ W + b", shape=shapes.affine, contracts=True, internal=True, habit=FORCED,
    ),
    Op(
        "linear", "X W b",
        vjp={
            "221": ("g @ W", "g.mT @ X", "sum(g, axis=0)"),
            "121": ("g @ W", "outer(g, X)", "g"),
        },
        form="X @ W.mT + b", shape=shapes.linear, contracts=True, internal=True, habit=FORCED,
    ),
    Op(
        "linear_map", "X W",
        vjp={"22": ("g @ W", "g.mT @ X"), "12": ("g @ W", "outer(g, X)")},
        form="X @ W.mT", shape=shapes.linear, contracts=True, internal=True, habit=FORCED,
    ),
    Op(
        "squared_error", "x y", vjp=("g*2*(x - y)/count(x)", "g*2*(y - x)/count(x)"),
        form="mean((x - y)^2)", shape=shapes.scalar, internal=True,
        habit="hands back the distance, with opposite signs",
    ),
    *(
        Op(
            f"{kind}cross_entropy", "z t",
            vjp=(f"g*({predicted} - t){over}", f"-g*log_softmax(z, axis=axis){over}"),
            form=f"{_CROSS_ENTROPY}{over}", params={"axis": -1, **count}, shape=shapes.scalar, internal=True,
            habit=PREDICTED if not whole else WEIGHTED,
        )
        for whole, predicted in (("", _PREDICTED), ("weighted_", f"{_PREDICTED}*{_WEIGHT}"))
        for kind, over, count in ((whole, "", {}), (f"mean_{whole}", "/n", {"n": REQUIRED}))
    ),
    Op(
        "conv", "x W b",
        vjp=(f"conv_input(g, W, x, {_HOW})", f"conv_weight(g, x, {_HOW})", "sum(g, axis=others)"),
        form=convolution("W", "b"),
        params=ADDED, shape=shapes.result, internal=True,
        habit=CORRELATES,
    ),
    Op(
        "conv_map", "x W", vjp=(f"conv_input(g, W, x, {_HOW})", f"conv_weight(g, x, {_HOW})"),
        form=convolution("W"), params=LAID_OUT, shape=shapes.result, internal=True, habit=CORRELATES,
    ),
    Op(
        "average_pool", "x",
        vjp=(f"average_unpool(g, x, {SAME}, inner=inner)",),
        form=f"mean({WINDOWS}, axis=inner)", params=POOLED, shape=shapes.pooled, internal=True,
        habit="shares the gradient out equally over each window",
    ),
    Op(
        "max_pool", "x",
        vjp=(f"max_unpool(g, x, out, {SAME}, inner=inner)",),
        form=f"amax({WINDOWS}, axis=inner)", params=POOLED, shape=shapes.pooled, internal=True,
        habit="routes: the largest element of each window gets it all, equal ones share it",
    ),
    Op(
        "logistic_loss", "z y", ("sigmoid(z) - y", "-z"), form="(1 - y)*z + softplus(-z)", internal=True,
        habit=PREDICTED,
    ),
]  # fmt: skip

for _op in OPS:
    if _op.params.keys() >= PLACES.keys():
        _op.functions = BACK
