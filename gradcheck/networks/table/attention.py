"""Attention: softmax(q kᵀ/√d) v (Vaswani et al. 2017, Attention Is All You Need)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradcheck.networks.arguments import boolean, integer, number, optional_integer, optional_number, tensor
from gradcheck.networks.layer import Arguments, Constant, Layer, Misfit, Operand, Parameter, Plan
from gradcheck.networks.table.linear import uniform
from gradcheck.networks.table.normalization import ZEROS
from gradcheck.ops.shapes import Shape, elementwise, show

MASKED = (
    "low = amin(scores, axis=-1, keepdims=True)\n"
    "top = amax(where(allowed, scores, low), axis=-1, keepdims=True)\n"
    "parts = where(allowed, exp(scores - top), 0)\n"
    "weights = parts/sum(parts, axis=-1, keepdims=True)\n"
)
"""A softmax over the allowed positions alone: an infinite score is no number to calculate with."""


def _softmax(a: Arguments, scores: Shape, per_head: Shape | None = None) -> tuple[str, dict[str, Constant]]:
    """Return the program from `scores` to `weights`, and the mask's arrays.

    A mask of numbers is added to the scores. One of true and false says what may be attended to; in
    MultiheadAttention (where `per_head` is given) what may not, and a mask of three axes has one
    matrix for each batch and head.
    """
    mask: Operand | None = a.attn_mask
    if mask is None and not a.is_causal:
        return "weights = softmax(scores, axis=-1)\n", {}
    if mask is not None and a.is_causal:
        raise Misfit("give attn_mask or is_causal, not both", "is_causal")
    if mask is None:
        shape = scores[-2:]
        return MASKED, {"allowed": Constant(shape, lambda _: _lower(shape))}
    split = per_head is not None and len(mask.shape) == 3
    shape = (*scores[:2], *mask.shape[1:]) if split and mask.shape[0] == math.prod(scores[:2]) else mask.shape
    try:
        fits = elementwise(shape, scores) == scores
    except ValueError:
        fits = False
    if not fits or mask.numbers is None:
        raise Misfit(
            f"attn_mask is {show(mask.shape)}; it must be known and fit the scores, {show(scores)}", "attn_mask"
        )

    def reshaped(known: Mapping[str, Any]) -> Any:
        return known["attn_mask"].reshape(shape)

    if not mask.flags:
        added = "attn_mask" if shape == mask.shape else f"reshape(attn_mask, shape={shape})"
        return f"masked = scores + {added}\nweights = softmax(masked, axis=-1)\n", {}
    if per_head is not None:
        return MASKED, {"allowed": Constant(shape, lambda known: 1 - reshaped(known))}
    return MASKED, {"allowed": Constant(shape, reshaped)}


def _lower(shape: Shape) -> Any:
    import numpy as np

    return np.tril(np.ones(shape))


def _dot_product(a: Arguments, q: Operand, k: Operand, v: Operand) -> Plan:
    shapes = f"q is {show(q.shape)}, k is {show(k.shape)}, v is {show(v.shape)}"
    if min(len(x.shape) for x in (q, k, v)) < 2:
        raise Misfit(f"{shapes}: each needs at least the axes length × features")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise Misfit(f"{shapes}: q and k need the same features, k and v the same length")
    if a.dropout_p:
        raise Misfit("dropout_p draws a random mask, so there is no one gradient; only 0 is checked", "dropout_p")
    try:
        lead = elementwise(q.shape[:-2], k.shape[:-2])
    except ValueError as error:
        raise Misfit(str(error)) from None
    softmax, data = _softmax(a, (*lead, q.shape[-2], k.shape[-2]))
    scale = 1 / math.sqrt(q.shape[-1]) if a.scale is None else a.scale
    return Plan(f"scores = q @ k.mT*scale\n{softmax}weights @ v", {"scale": scale}, data=data)


def _projections(a: Arguments) -> tuple[dict[str, Parameter], dict[str, str]]:
    """Return the parameters of the input projections and the text of q, k and v."""
    e, kdim, vdim = a.embed_dim, a.kdim or a.embed_dim, a.vdim or a.embed_dim
    # Glorot and Bengio 2010, as torch initialises them.
    if (kdim, vdim) == (e, e):
        found = {"in_proj_weight": Parameter((3 * e, e), uniform(math.sqrt(6 / (4 * e))))}
        weights = {"q": "in_proj_weight[:e1]", "k": "in_proj_weight[e1:e2]", "v": "in_proj_weight[e2:]"}
    else:
        found = {
            f"{name}_proj_weight": Parameter((e, width), uniform(math.sqrt(6 / (e + width))))
            for name, width in (("q", e), ("k", kdim), ("v", vdim))
        }
        weights = {name: f"{name}_proj_weight" for name in "qkv"}
    parts = {"q": ":e1", "k": "e1:e2", "v": "e2:"}
    text = {
        name: f"{name} @ {weights[name]}.T" + (f" + in_proj_bias[{parts[name]}]" if a.bias else "") for name in "qkv"
    }
    if a.bias:
        found["in_proj_bias"] = Parameter((3 * e,), ZEROS)
    return found, text


def _multihead(a: Arguments, q: Operand, k: Operand | None = None, v: Operand | None = None) -> Plan:
    e, heads = a.embed_dim, a.num_heads
    if e % heads:
        raise Misfit(f"embed_dim is {e}, which num_heads={heads} does not divide", "num_heads")
    if a.add_bias_kv or a.add_zero_attn:
        raise Misfit(
            "add_bias_kv and add_zero_attn are not supported", "add_bias_kv" if a.add_bias_kv else "add_zero_attn"
        )
    if a.dropout and a.training:
        raise Misfit("dropout draws a random mask, so there is no one gradient; only 0 is checked", "dropout")
    sources = (q, k or q, v or k or q)
    for name, source, width in zip("qkv", sources, (e, a.kdim or e, a.vdim or e), strict=True):
        if len(source.shape) != len(q.shape) or len(q.shape) not in (2, 3) or source.shape[-1] != width:
            expected = "N × L" if a.batch_first else "L × N"
            raise Misfit(f"{name} is {show(source.shape)}; it must be {expected} × {width} (or L × {width})")
    parameters, text = _projections(a)
    single = len(q.shape) == 2
    # The axes of a head: batch, head, length, features; with sequences first the batch is axis 1.
    lengths = [source.shape[0] if single or not a.batch_first else source.shape[1] for source in sources]
    batch = 1 if single else q.shape[0 if a.batch_first else 1]
    first = single or a.batch_first
    shape = (lambda n: (batch, n, heads, e // heads)) if first else (lambda n: (n, batch, heads, e // heads))
    names: dict[str, Any] = {
        "e1": e, "e2": 2 * e, "scale": 1 / math.sqrt(e // heads), "apart": (0, 2, 1, 3) if first else (1, 2, 0, 3),
        "heads_q": shape(lengths[0]), "heads_k": shape(lengths[1]), "heads_v": shape(lengths[2]),
        "together": (0, 2, 1, 3) if first else (2, 0, 1, 3), "whole": (*q.shape[:-1], e),
    }  # fmt: skip
    lines = [f"{n}h = transpose(reshape({text[n]}, shape=heads_{n}), axes=apart)" for n in "qkv"]
    scores = (batch, heads, lengths[0], lengths[1])
    softmax, data = _softmax(a, scores, per_head=scores)
    parameters["out_proj.weight"] = Parameter((e, e), uniform(1 / math.sqrt(e)))
    out = "reshape(transpose(weights @ vh, axes=together), shape=whole) @ out_proj_weight.T"
    if a.bias:
        parameters["out_proj.bias"] = Parameter((e,), ZEROS)
        out += " + out_proj_bias"
    mean = "mean(weights, axis=1)" if a.average_attn_weights else "identity(weights)"
    lines += [
        "scores = qh @ kh.mT*scale",
        softmax.rstrip("\n"),
        f"averages = {mean}{'[0]' if single else ''}",
        f"result = {out}",
    ]
    program = "\n".join(
        [
            *(f"{n} = q" if n == "k" else f"{n} = {'k' if k else 'q'}" for n, s in (("k", k), ("v", v)) if s is None),
            *lines,
        ]
    )
    return Plan(program, names, parameters, data, ("result", "averages"))


LAYERS = [
    Layer(
        "scaled_dot_product_attention", ("q", "k", "v"),
        (
            tensor("attn_mask"), number("dropout_p", 0.0, least=0), boolean("is_causal", False),
            optional_number("scale"),
            boolean("enable_gqa", False, inert=True),
        ),
        _dot_product, ({}, [(2, 3, 4), (2, 5, 4), (2, 5, 4)]), family="function",
        note="a mask of true and false says what may be attended to; numbers are added to the scores",
    ),
    Layer(
        "MultiheadAttention", ("q", "k?", "v?"),
        (
            integer("embed_dim"), integer("num_heads"), number("dropout", 0.0, least=0), boolean("bias", True),
            boolean("add_bias_kv", False), boolean("add_zero_attn", False), optional_integer("kdim"),
            optional_integer("vdim"), boolean("batch_first", False), tensor("attn_mask"), boolean("is_causal", False),
            boolean("average_attn_weights", True),
        ),
        _multihead, ({"embed_dim": 4, "num_heads": 2}, [(3, 2, 4)]), outputs=("0", "1"),
        note="with one input it is self-attention; `.1` are the attention weights; true in attn_mask forbids",
    ),
]  # fmt: skip
