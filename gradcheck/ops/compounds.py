"""Ops that a person sees in several gates: an affine map, a softmax with its cross-entropy.

A derivation shows them as one step, with the rule that is written on the board for them. Nothing
else knows of them: they are found in a graph (`deriving.shortcuts`), never typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.ops import shapes
from gradcheck.ops.op import REQUIRED, Op

_REACH = "kernel=kernel, stride=stride, padding=padding, dilation=dilation, edge=edge"
_COLUMNS = f"windows(x, {_REACH})"
_ROWS = f"reshape(transpose(reshape({_COLUMNS}, shape=grouped), axes=order), shape=patches)"
_SPREAD = f"broadcast_like({{}}, {_COLUMNS}, axis=inner)"
_LARGEST = f"({_COLUMNS} == {_SPREAD.format('out')})"

PLACES: Mapping[str, Any] = dict.fromkeys(("kernel", "stride", "padding", "dilation", "edge"), REQUIRED)
"""Which windows there are; see `windows`."""

POOLED: Mapping[str, Any] = {**PLACES, "inner": REQUIRED}

LAID_OUT: Mapping[str, Any] = {
    **PLACES,
    **dict.fromkeys(("grouped", "order", "patches", "filters", "result", "permuted", "product", "weights"), REQUIRED),
}
"""How a convolution is laid out as a product of matrices: the shapes on the way there and back."""

_HOW = ", ".join(f"{name}={name}" for name in LAID_OUT)
_CONVOLVED = f"reshape(reshape(W, shape=filters) @ {_ROWS}.mT, shape=result)"

BACK = {
    op.name: op
    for op in (
        Op(
            "conv_input", "g W x", params=LAID_OUT, shape=shapes.third, internal=True,
            form=f"unwindow(reshape_like(untranspose(reshape((reshape(W, shape=filters).mT @ reshape(g, shape=product))"
            f".mT, shape=permuted), axes=order), {_COLUMNS}), x, {_REACH})",
        ),
        Op(
            "conv_weight", "g x", params=LAID_OUT, shape=shapes.weights, internal=True,
            form=f"reshape(reshape(g, shape=product) @ {_ROWS}, shape=weights)",
        ),
        Op(
            "average_unpool", "g x", params=POOLED, shape=shapes.second, internal=True,
            form=f"unwindow({_SPREAD.format('g')}/count({_COLUMNS}, axis=inner), x, {_REACH})",
        ),
        Op(
            "max_unpool", "g x out", params=POOLED, shape=shapes.second, internal=True,
            form=f"unwindow({_SPREAD.format('g')}*{_LARGEST}/sum({_LARGEST}, axis=inner, keepdims=True), x, {_REACH})",
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
        form="X @ W + b", shape=shapes.affine, internal=True, habit=FORCED,
    ),
    Op(
        "linear", "X W b",
        vjp={
            "221": ("g @ W", "g.mT @ X", "sum(g, axis=0)"),
            "121": ("g @ W", "outer(g, X)", "g"),
        },
        form="X @ W.mT + b", shape=shapes.linear, internal=True, habit=FORCED,
    ),
    Op(
        "linear_map", "X W",
        vjp={"22": ("g @ W", "g.mT @ X"), "12": ("g @ W", "outer(g, X)")},
        form="X @ W.mT", shape=shapes.linear, internal=True, habit=FORCED,
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
        form=f"{_CONVOLVED} + reshape(b, shape=column)",
        params={**LAID_OUT, "column": REQUIRED, "others": REQUIRED}, shape=shapes.result, internal=True,
        habit=CORRELATES,
    ),
    Op(
        "conv_map", "x W", vjp=(f"conv_input(g, W, x, {_HOW})", f"conv_weight(g, x, {_HOW})"),
        form=_CONVOLVED, params=LAID_OUT, shape=shapes.result, internal=True, habit=CORRELATES,
    ),
    Op(
        "average_pool", "x",
        vjp=(f"average_unpool(g, x, {_REACH}, inner=inner)",),
        form=f"mean({_COLUMNS}, axis=inner)", params=POOLED, shape=shapes.pooled, internal=True,
        habit="shares the gradient out equally over each window",
    ),
    Op(
        "max_pool", "x",
        vjp=(f"max_unpool(g, x, out, {_REACH}, inner=inner)",),
        form=f"amax({_COLUMNS}, axis=inner)", params=POOLED, shape=shapes.pooled, internal=True,
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
