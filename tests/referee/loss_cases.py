"""Which losses and which small networks are recorded. Data only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layer_cases import Case, Draw, index, integers, short

REDUCTIONS = ("mean", "sum", "none")


def loss(
    kind: str, inputs: dict[str, Any], *variants: dict[str, Any], fixed: str = "t", reductions: Any = REDUCTIONS,
    title: str = "",
) -> Iterator[Case]:  # fmt: skip
    """Yield a case for every variant (the first has no arguments) and every reduction.

    Inputs may be replaced in a variant. Those named in `fixed` (or `fixed` in a variant) have no gradient in torch.
    """
    for variant in ({}, *variants):
        own = {n: variant.get(n, s) for n, s in inputs.items()}
        drawn = {n: Draw("floats", s) if type(s) is tuple else s for n, s in own.items()}
        arguments = {k: v for k, v in variant.items() if k not in (*inputs, "values", "fixed")}
        without = variant.get("fixed", fixed).split()
        label = ",".join(f"{k}={short(v)}" for k, v in variant.items() if k != "values")
        for reduction in reductions:
            name = ",".join(part for part in (f"{kind}/{reduction}", title, label) if part)
            spec: dict[str, Any] = {"gradcheck": 1, "name": name, "inputs": {**drawn, **variant.get("values", {})}}
            spec["nodes"] = {"h": {"type": kind, "inputs": list(inputs), **arguments}}
            if reduction != ("sum" if kind == "HalfSquaredErrorLoss" else "mean"):
                spec["nodes"]["h"]["reduction"] = reduction
            spec["check"] = {"wrt": [n for n in inputs if n not in without]}
            yield Case(name, spec)


WEIGHT = [0.5, 2.0, 1.25]


def classified() -> Iterator[Case]:
    images = {"x": (2, 3, 2, 2), "t": integers(3, 2, 2, 2)}
    indices: tuple[dict[str, Any], ...] = (
        {"weight": WEIGHT}, {"ignore_index": 1}, {"t": index(0, -100, 1, 2)}, {"ignore_index": 2, "weight": WEIGHT},
        {"x": (2, 3, 2), "t": integers(3, 2, 2)},
        {"x": (2, 3, 2), "t": index([0, 1], [2, 1]), "ignore_index": 1, "weight": WEIGHT},
        {"x": (3,), "t": {"value": 2, "dtype": "int64"}}, images,
        {"weight": "w", "values": {"w": Draw("positive", (3,))}},
        {"t": [0, 2, 1, 1]},
    )  # fmt: skip
    plain = {"x": (4, 3), "t": index(0, 2, 1, 2)}
    yield from loss("NLLLoss", plain, *indices)
    yield from loss(
        "CrossEntropyLoss", plain, *indices, {"label_smoothing": 0.1}, {"label_smoothing": 0.2, "weight": WEIGHT},
        {"label_smoothing": 0.3, "ignore_index": 0}, {"label_smoothing": 0.15, "ignore_index": 2, "weight": WEIGHT},
        {"x": (2, 3, 2), "t": integers(3, 2, 2), "label_smoothing": 0.1, "weight": WEIGHT},
    )  # fmt: skip
    deep = {"x": (2, 3, 2), "t": Draw("probabilities", (2, 3, 2))}
    yield from loss(
        "CrossEntropyLoss", {"x": (4, 3), "t": Draw("probabilities", (4, 3))},
        {"weight": WEIGHT, "label_smoothing": 0.0},
        {"label_smoothing": 0.125}, {"label_smoothing": 0.25, "weight": WEIGHT}, {**deep, "weight": WEIGHT},
        {**deep, "label_smoothing": 0.1, "weight": WEIGHT}, {"x": (3,), "t": Draw("probabilities", (3,))}, fixed="",
        title="probabilities",
    )  # fmt: skip


def binary() -> Iterator[Case]:
    shares = {"x": Draw("unit", (3, 2)), "t": Draw("unit", (3, 2))}
    hard = {"t": [[0, 1], [1, 1], [1, 0]], "fixed": "t"}
    yield from loss(
        "BCELoss", shares, hard, {"weight": [[0.5, 2], [1, 1.5], [0.25, 1]]}, {"weight": [0.5, 2.0]}, fixed=""
    )
    yield from loss(
        "BCEWithLogitsLoss", {"x": (3, 2), "t": Draw("unit", (3, 2))}, hard,
        {"weight": [[0.5, 2], [1, 1.5], [0.25, 1]]},
        {"pos_weight": [0.5, 3.0]}, {"pos_weight": [2.5, 0.75], "weight": [0.5, 1.75]},
        {"x": {"value": [[-40.5, 25.25], [30.5, -3.5], [720.0, -750.5]]}, **hard}, fixed="",
    )  # fmt: skip
    logs = {"x": Draw("logs", (3, 4)), "t": Draw("probabilities", (3, 4))}
    zeros = [[0, 0.25, 0.5, 0.25], [1, 0, 0, 0], [0.1, 0.2, 0.3, 0.4]]
    yield from loss(
        "KLDivLoss", logs, {"log_target": True, "t": Draw("logs", (3, 4))}, {"t": zeros, "fixed": "t"},
        {"x": (3,), "t": Draw("unit", (3,))}, fixed="", reductions=(*REDUCTIONS, "batchmean"),
    )  # fmt: skip


def regressions() -> Iterator[Case]:
    pair = {"x": (3, 2), "t": (3, 2)}
    for kind in ("MSELoss", "L1Loss", "HalfSquaredErrorLoss"):
        yield from loss(kind, pair, {"x": (), "t": ()}, {"x": (2, 1, 2), "t": (2, 1, 2)}, fixed="")
    yield from loss("SmoothL1Loss", pair, {"beta": 0.5}, {"beta": 2.5}, {"beta": 0}, fixed="")
    yield from loss("HuberLoss", pair, {"delta": 0.5}, {"delta": 2.5}, fixed="")
    counts = {"value": [[0, 1], [3, 0.5], [2.5, 7]]}
    yield from loss(
        "PoissonNLLLoss", {"x": (3, 2), "t": counts}, {"full": True},
        {"log_input": False, "x": Draw("positive", (3, 2))},
        {"log_input": False, "eps": 0.01, "x": Draw("positive", (3, 2)), "full": True},
        {"t": Draw("positive", (3, 2)), "full": True, "fixed": ""}, {"t": Draw("positive", (3, 2)), "fixed": ""},
    )  # fmt: skip
    yield from loss(
        "GaussianNLLLoss", {"x": (3, 2), "t": (3, 2), "v": Draw("positive", (3, 2))}, {"full": True},
        {"v": Draw("positive", (3, 1))}, {"v": Draw("positive", (3,))}, {"eps": 0.01},
        {"v": {"value": [[1e-7, 1.5], [0.75, 0.125], [2.25, 1e-8]]}, "fixed": "v"},
        {"eps": 0.5, "v": {"value": [[0.2, 1.5], [0.75, 0.125], [2.25, 3.5]]}, "full": True, "fixed": "v"}, fixed="",
    )  # fmt: skip


def compared() -> Iterator[Case]:
    signs = Draw("signs", (3, 2))
    yield from loss(
        "HingeEmbeddingLoss", {"x": (3, 2), "t": signs}, {"margin": 0.5}, {"margin": -0.75}, {"margin": 2.5}
    )
    yield from loss(
        "MarginRankingLoss", {"a": (5,), "b": (5,), "t": Draw("signs", (5,))}, {"margin": 0.5}, {"margin": 2.5},
        {"a": (3, 2), "b": (3, 2), "t": signs, "margin": -0.5}, {"margin": 1.25, "fixed": ""},
    )  # fmt: skip
    yield from loss(
        "CosineEmbeddingLoss", {"a": (4, 3), "b": (4, 3), "t": Draw("signs", (4,))}, {"margin": 0.3}, {"margin": -0.5},
        {"a": (3,), "b": (3,), "t": {"value": -1, "dtype": "int64"}, "margin": -0.9},
        {"a": (3,), "b": (3,), "t": {"value": 1, "dtype": "int64"}},
    )  # fmt: skip


def chain(name: str, inputs: dict[str, Any], *layers: Any, **more: Any) -> Case:
    """Return a case with `layers:`."""
    drawn = {n: Draw("floats", s) if type(s) is tuple else s for n, s in inputs.items()}
    return Case(f"chain/{name}", {"gradcheck": 1, "name": name, "inputs": drawn, "layers": list(layers), **more}, False)


def graph(name: str, inputs: dict[str, Any], nodes: dict[str, Any], **more: Any) -> Case:
    """Return a case with `nodes:`."""
    drawn = {n: Draw("floats", s) if type(s) is tuple else s for n, s in inputs.items()}
    return Case(f"graph/{name}", {"gradcheck": 1, "name": name, "inputs": drawn, "nodes": nodes, **more}, False)


def chains() -> Iterator[Case]:
    images, classes = (2, 1, 6, 6), {"type": "CrossEntropyLoss", "target": "t"}
    yield chain(
        "conv net as printed", {"x": images, "t": index(2, 0)}, "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))",
        "ReLU()",
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=8, out_features=3, bias=True)", loss=classes,
    )  # fmt: skip
    yield chain(
        "batch-normalised conv net as printed", {"x": images, "t": index(2, 0)},
        "(0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)",
        "(1): BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)", "(2): SiLU()",
        "(3): AvgPool2d(kernel_size=2, stride=2, padding=0)", "(4): GroupNorm(1, 2, eps=1e-05, affine=True, bias=True)",
        "(5): AdaptiveAvgPool2d(output_size=(2, 2))", "(6): Flatten(start_dim=1, end_dim=-1)",
        "(7): Linear(in_features=8, out_features=3, bias=True)", "(8): LogSoftmax(dim=1)",
        loss={"type": "NLLLoss", "target": "t"}, mode="eval",
    )  # fmt: skip
    yield chain(
        "activations as printed", {"x": (2, 4)}, "Linear(in_features=4, out_features=6, bias=True)",
        "GELU(approximate='tanh')",
        "LayerNorm((6,), eps=1e-05, elementwise_affine=True, bias=True)", "Softplus(beta=1.0, threshold=20.0)",
        "Dropout(p=0.5, inplace=False)",
        "LeakyReLU(negative_slope=0.01, inplace=True)", "GLU(dim=-1)", "PReLU(num_parameters=1)",
        "Hardtanh(min_val=-1.0, max_val=1.0)",
        "RMSNorm((3,), eps=None, elementwise_affine=True)", "ELU(alpha=1.0)", "Identity()", "Softmax(dim=-1)",
        mode="eval",
    )  # fmt: skip
    yield chain(
        "norms as older releases printed them", {"x": (3, 4, 3)},
        "BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True)",
        "GroupNorm(2, 4, eps=1e-05, affine=True)", "LayerNorm((4, 3), eps=0.1, elementwise_affine=True)", mode="eval",
    )  # fmt: skip
    yield chain(
        "images up and down as printed", {"x": (1, 2, 4, 4)}, "ZeroPad2d((1, 0, 0, 1))",
        "Conv2d(2, 4, kernel_size=(2, 2), stride=(2, 2), groups=2, bias=False)",
        "InstanceNorm2d(4, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)", "Mish()",
        "Upsample(scale_factor=2.0, mode='nearest')",
        "ConvTranspose2d(4, 1, kernel_size=(2, 2), stride=(1, 1), padding=(1, 1))",
        "Hardswish()", "Tanhshrink()",
    )  # fmt: skip
    yield chain(
        "perceptron", {"x": (3, 2), "y": (3, 2)},
        {"name": "fc1", "type": "Linear", "in_features": 2, "out_features": 4},
        {"name": "act", "type": "Tanh"}, {"name": "fc2", "type": "Linear", "out_features": 2},
        loss={"type": "MSELoss", "target": "y"},
    )  # fmt: skip
    yield chain(
        "perceptron without names", {"x": (3, 2), "y": (3, 2)}, {"type": "Linear", "out_features": 4, "bias": False},
        "Sigmoid()",
        {"type": "Linear", "out_features": 2}, loss={"type": "HalfSquaredErrorLoss", "target": "y"},
        check={"wrt": ["0.*", "x", "2.bias"]},
    )  # fmt: skip
    yield chain(
        "mixed modes", {"x": (4, 3), "t": Draw("unit", (4, 2))}, "BatchNorm1d(3)",
        {"name": "drop", "type": "Dropout", "training": False},
        {"name": "norm", "type": "BatchNorm1d", "training": False}, {"type": "Linear", "out_features": 2, "name": "fc"},
        loss={"type": "BCEWithLogitsLoss", "target": "t", "pos_weight": [0.5, 3.0]},
    )  # fmt: skip
    yield chain(
        "unreduced", {"x": (3, 2), "y": (3, 2)}, {"type": "Linear", "out_features": 2, "inputs": "x"}, "Softsign()",
        loss={"type": "HuberLoss", "target": "y", "delta": 0.5, "reduction": "none"}, check={"wrt": ["0.weight", "y"]},
    )  # fmt: skip
    yield chain("without a loss", {"x": (2, 3)}, "Linear(3, 2)", "SELU()", "Linear(2, 2, bias=False)")


def graphs() -> Iterator[Case]:
    cell = {"type": "RNNCell", "hidden_size": 2, "params": "rnn"}
    xs = {f"x{k}": (2, 3) for k in range(3)}
    yield graph(
        "unrolled RNN", {**xs, "h0": (2, 2), "u": (2, 2)},
        {**{f"h{k + 1}": {**cell, "inputs": [f"x{k}", f"h{k}"]} for k in range(3)}, "out": {"expr": "sum(h3*u)"}},
        output="out", check={"wrt": ["rnn.*", "x0", "x1", "h0"]},
    )  # fmt: skip
    cell = {"type": "LSTMCell", "hidden_size": 2, "params": "lstm"}
    yield graph(
        "unrolled LSTM", {"x0": (2, 3), "x1": (2, 3), "u": (2, 2), "v": (2, 2)},
        {"s0": {**cell, "inputs": "x0"}, "s1": {**cell, "inputs": ["x1", "s0.h", "s0.c"]},
        "out": {"expr": "sum(s1.h*u) + sum(s1.c*v)"}},
        output="out", check={"wrt": ["lstm.*", "x0", "x1"]},
    )  # fmt: skip
    cell = {"type": "GRUCell", "hidden_size": 2, "params": "gru", "bias": False}
    yield graph(
        "unrolled GRU, nodes out of order", {"x0": (2, 3), "x1": (2, 3), "y": (2, 2)},
        {"h2": {**cell, "inputs": ["x1", "h1"]}, "h1": {**cell, "inputs": ["x0"]}},
        loss={"type": "MSELoss", "input": "h2", "target": "y"}, check={"wrt": ["gru.*", "x0"]},
    )  # fmt: skip
    yield graph(
        "embedding and attention", {"i": index([1, 4, 0], [2, 4, 3]), "t": index(1, 0)},
        {
            "emb": {"type": "Embedding", "inputs": "i", "num_embeddings": 5, "embedding_dim": 4},
            "att": {"type": "MultiheadAttention", "inputs": "emb", "embed_dim": 4, "num_heads": 2, "batch_first": True},
            "res": {"type": "add", "inputs": ["emb", "att"]},
            "norm": {"type": "LayerNorm", "inputs": "res", "normalized_shape": 4},
            "pool": {"type": "mean", "inputs": "norm", "dim": 1},
            "fc": {"type": "Linear", "inputs": "pool", "out_features": 2},
        },
        loss={"type": "CrossEntropyLoss", "input": "fc", "target": "t", "label_smoothing": 0.1},
    )  # fmt: skip
    yield graph(
        "tied weights", {"i": index(1, 4, 0), "t": index(4, 0, 2)},
        {
            "emb": {"type": "Embedding", "inputs": "i", "num_embeddings": 5, "embedding_dim": 3},
            "act": {"type": "Tanh", "inputs": "emb"},
            "back": {"type": "Linear", "inputs": "act", "out_features": 5, "params": {"weight": "emb.weight"}},
        },
        loss={"type": "CrossEntropyLoss", "input": "back", "target": "t"},
    )  # fmt: skip
    yield graph(
        "gated skip", {"x": (2, 3), "w": (2, 3), "u": (2, 2)},
        {
            "fc": {"type": "Linear", "inputs": "x", "out_features": 2},
            "gate": {"type": "Linear", "inputs": "x", "out_features": 2},
            "open": {"type": "sigmoid", "inputs": "gate"},
            "h": {"expr": "fc*open"},
            "out": {"expr": "sum(h*u) + sum(fc.weight*w)"},
        },
        output="out", check={"wrt": ["fc.*", "gate.*", "x"]},
    )  # fmt: skip
    yield graph(
        "split heads and a nested name", {"x": (4, 3), "u": (2, 3)},
        {
            "parts": {"type": "chunk", "inputs": "x", "chunks": 2},
            "block.a": {"type": "Linear", "inputs": "parts.0", "out_features": 3},
            "block.b": {"type": "tanh", "inputs": "parts.1"},
            "h": {"type": "mul", "inputs": ["block.a", "block.b"]},
            "out": {"expr": "sum(h*u)"},
        },
    )  # fmt: skip
    swish = {"args": "x", "forward": "x*sigmoid(x)", "backward": {"x": "g*(out + sigmoid(x)*(1 - out))"}}
    yield graph(
        "own op", {"x": (2, 3), "u": (2, 3)}, {"h": {"type": "swish", "inputs": "x"}, "out": {"expr": "sum(h*u)"}},
        ops={"swish": swish}, check={"wrt": ["x"]},
    )  # fmt: skip
    scores = {
        "a": {"type": "Linear", "inputs": "x", "out_features": 1, "params": "f"},
        "b": {"type": "Linear", "inputs": "y", "out_features": 1, "params": "f"},
    }
    yield graph(
        "ranking loss", {"x": (3, 2), "y": (3, 2), "t": Draw("signs", (3, 1))}, scores,
        loss={"type": "MarginRankingLoss", "inputs": ["a", "b"], "target": "t", "margin": 1.5},
        check={"wrt": ["x", "y", "f.weight"]},
    )  # fmt: skip
    heads = {
        "mu": {"type": "Linear", "inputs": "x", "out_features": 2},
        "raw": {"type": "Linear", "inputs": "x", "out_features": 2},
        "s": {"type": "Softplus", "inputs": "raw"},
    }
    yield graph(
        "gaussian loss", {"x": (3, 2), "y": (3, 2)}, heads,
        loss={"type": "GaussianNLLLoss", "input": "mu", "target": "y", "var": "s"}, check={"wrt": ["mu.*", "raw.*"]},
    )  # fmt: skip


def losses() -> list[Case]:
    """Return every case of this file."""
    families = (classified, binary, regressions, compared, chains, graphs)
    return [case for family in families for case in family()]
