"""Layers that multiply, look up, or only rearrange."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradcheck.networks.arguments import axis, boolean, inert, inferred, integer, number, optional_integer, tensor
from gradcheck.networks.layer import Arguments, Constant, Layer, Misfit, Operand, Parameter, Plan
from gradcheck.ops.shapes import show


def uniform(bound: float) -> tuple[str, dict[str, float]]:
    """Return the initialiser U(-bound, bound)."""
    return "uniform_", {"a": -bound, "b": bound}


def feature(given: Any, actual: int, name: str, what: str = "the input's last axis") -> int:
    """Return a size that may be left out; it must be that of the input."""
    if isinstance(given, int) and given != actual:
        raise Misfit(f"{name} is {given}, but {what} is {actual}", name)
    return actual


def _linear(a: Arguments, x: Operand) -> Plan:
    if not x.shape:
        raise Misfit("the input is a scalar; it needs an axis of features")
    features = feature(a.in_features, x.shape[-1], "in_features")
    init = uniform(1 / math.sqrt(features) if features else 0.0)
    parameters = {"weight": Parameter((a.out_features, features), init)}
    if a.bias:
        parameters["bias"] = Parameter((a.out_features,), init)
    return Plan("x @ weight.T + bias" if a.bias else "x @ weight.T", parameters=parameters)


def _bilinear(a: Arguments, x: Operand, y: Operand) -> Plan:
    if not x.shape or not y.shape or x.shape[:-1] != y.shape[:-1]:
        raise Misfit(f"the inputs are {show(x.shape)} and {show(y.shape)}: all axes but the last must be the same")
    first = feature(a.in1_features, x.shape[-1], "in1_features")
    second = feature(a.in2_features, y.shape[-1], "in2_features", "the second input's last axis")
    init = uniform(1 / math.sqrt(first))
    parameters = {"weight": Parameter((a.out_features, first, second), init)}
    if a.bias:
        parameters["bias"] = Parameter((a.out_features,), init)
    program = "sum((x[..., None, None, :] @ weight)[..., 0, :]*y[..., None, :], axis=-1)"
    return Plan(program + (" + bias" if a.bias else ""), parameters=parameters)


def _embedding(a: Arguments, i: Operand) -> Plan:
    if i.numbers is None or not i.whole:
        raise Misfit("Embedding looks up rows: its input must be an input of whole numbers (dtype: int64)")
    outside = next((n for n in i.numbers if not 0 <= n < a.num_embeddings), None)
    if outside is not None:
        raise Misfit(f"index {outside:g} is out of range: num_embeddings is {a.num_embeddings}", "num_embeddings")
    shape = (a.num_embeddings, a.embedding_dim)
    parameters = {"weight": Parameter(shape, ("normal_", {"mean": 0.0, "std": 1.0}))}
    if a.padding_idx is None:
        return Plan("lookup(weight, i)", parameters=parameters)
    row = a.padding_idx if a.padding_idx >= 0 else a.padding_idx + a.num_embeddings
    if not 0 <= row < a.num_embeddings:
        raise Misfit(
            f"padding_idx {a.padding_idx} is out of range: num_embeddings is {a.num_embeddings}", "padding_idx"
        )

    def trained(_: Mapping[str, Any]) -> Any:
        import numpy as np

        return (np.arange(a.num_embeddings) != row).astype(float)[:, None]

    data = {
        "trained": Constant((a.num_embeddings, 1), trained),
        "padding": Constant(shape, lambda known: known["weight"] * (1 - trained(known))),
    }
    return Plan("lookup(weight*trained + padding, i)", parameters=parameters, data=data)


def _flatten(a: Arguments, x: Operand) -> Plan:
    rank = len(x.shape)
    start, end = (k + rank if k < 0 else k for k in (a.start_dim, a.end_dim))
    if rank == 0:
        return Plan("reshape(x, shape=shape)", {"shape": (1,)})
    for name, k in (("start_dim", start), ("end_dim", end)):
        if not 0 <= k < rank:
            raise Misfit(f"{name} does not exist: the input is {show(x.shape)}", name)
    if start > end:
        raise Misfit(f"start_dim comes after end_dim: the input is {show(x.shape)}", "start_dim")
    shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
    return Plan("reshape(x, shape=shape)", {"shape": shape})


def _dropout(a: Arguments, x: Operand) -> Plan:
    if a.p > 1:
        raise Misfit(f"p is a probability, not {a.p:g}", "p")
    if not a.training or a.p == 0:
        return Plan("identity(x)")
    if a.mask is None:
        raise Misfit(
            "Dropout draws another mask each time it trains, so there is no one gradient: "
            "fix the mask with `mask:`, or check `training: false`"
        )
    if a.mask.shape != x.shape:
        raise Misfit(f"the mask is {show(a.mask.shape)}, the input {show(x.shape)}", "mask")
    return Plan("x*mask*scale", {"scale": 0.0 if a.p == 1 else 1 / (1 - a.p)})


LAYERS = [
    Layer(
        "Linear", ("x",), (inferred("in_features"), integer("out_features"), boolean("bias", True)),
        _linear, ({"out_features": 3}, [(4, 2)]),
    ),
    Layer(
        "Bilinear", ("x", "y"),
        (inferred("in1_features"), inferred("in2_features"), integer("out_features"), boolean("bias", True)),
        _bilinear, ({"out_features": 3}, [(4, 2), (4, 5)]),
    ),
    Layer(
        "Embedding", ("i",),
        (
            integer("num_embeddings"), integer("embedding_dim"), optional_integer("padding_idx", least=-(2**31)),
        ),
        _embedding, ({"num_embeddings": 5, "embedding_dim": 3}, [(4,)]), known=("i",),
        note="the row at padding_idx is a constant, as in torch",
    ),
    Layer(
        "Flatten", ("x",), (axis("start_dim", 1), axis("end_dim", -1)), _flatten, ({}, [(2, 3, 4, 4)]),
    ),
    Layer("Identity", ("x",), (), lambda a, x: Plan("identity(x)"), ({}, [(2, 3)])),
    Layer(
        "Dropout", ("x",), (number("p", 0.5, least=0), boolean("inplace", False, inert=True), tensor("mask")),
        _dropout, ({"mask": (2, 3)}, [(2, 3)]),
        note="in training the mask must be fixed (`mask:`, of zeros and ones); in eval it is the identity",
    ),
]  # fmt: skip

IGNORED = (inert("device"), inert("dtype"))
"""Arguments that every torch constructor takes."""
