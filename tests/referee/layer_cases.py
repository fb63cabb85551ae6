"""Which layers, activations, cells and functions are recorded, over which arguments and shapes. Data only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Shape = tuple[int, ...]


class Draw(NamedTuple):
    """Numbers to be drawn: `floats` of either sign, `positive`, `unit` (between 0 and 1), `integers`, `signs`,
    `bits`, `small`, `probabilities` and `logs` (of probabilities) along axis 1 (0 if there is only one)."""

    kind: str
    shape: Shape
    below: int = 0


class Case(NamedTuple):
    """A spec without its numbers. With `upstream` each element of `h` weighs differently in the output."""

    id: str
    spec: dict[str, Any]
    upstream: bool = True
    initial: bool = False


def integers(below: int, *shape: int) -> Draw:
    return Draw("integers", shape, below)


def index(*values: Any) -> dict[str, Any]:
    return {"value": list(values), "dtype": "int64"}


def short(value: Any) -> str:
    """Return a value as an identifier shows it."""
    value = value.shape if isinstance(value, Draw) else value
    if isinstance(value, tuple):
        return "x".join(map(str, value)) or "scalar"
    if isinstance(value, Mapping):
        own = short(value["value"]) if "value" in value else "/".join(f"{k}:{short(v)}" for k, v in value.items())
        return own + (f":{value['dtype']}" if "dtype" in value else "")
    if isinstance(value, list):
        return f"{len(value)}x{len(value[0])}" if isinstance(value[0], list) else str(value).replace(" ", "")
    return str(value)


def differentiable(value: Any) -> bool:
    """Whether an input is neither whole numbers nor of a type of its own."""
    return value.kind != "integers" if isinstance(value, Draw) else isinstance(value, Mapping) and "dtype" not in value


KEYS = ("mode", "initial", "inputs", "values", "wrt")


def layer(kind: str, shape: Any, /, *variants: dict[str, Any], **base: Any) -> Iterator[Case]:
    """Yield a case for the base arguments and one for each variant of them.

    `shape` is that of the only input `x`, or a map of inputs. A variant may replace inputs (`x`, …) and set
    `mode`, `inputs` (names that are passed), `values` (further inputs), `initial` and `wrt`.
    """
    given: dict[str, Any] = {"x": shape} if isinstance(shape, tuple) else shape
    for variant in ({}, *variants):
        inputs = {n: variant.get(n, s) for n, s in given.items()}
        arguments = {**base, **{k: v for k, v in variant.items() if k not in (*KEYS, *given)}}
        passed = variant.get("inputs", list(inputs))
        inputs = {n: s for n, s in inputs.items() if n in passed}
        drawn = {n: Draw("floats", s) if type(s) is tuple else s for n, s in inputs.items()}
        floats = [n for n, s in drawn.items() if differentiable(s)]
        label = ",".join(f"{k}={short(v)}" for k, v in (variant or {**given, **base}).items())
        spec: dict[str, Any] = {"gradcheck": 1, "name": f"{kind}/{label}"}
        if "mode" in variant:
            spec["mode"] = variant["mode"]
        spec["inputs"] = {**drawn, **variant.get("values", {})}
        spec["nodes"] = {"h": {"type": kind, "inputs": passed if len(passed) > 1 else passed[0], **arguments}}
        spec["check"] = {"wrt": variant.get("wrt", floats)}
        yield Case(spec["name"], spec, initial=variant.get("initial", False))


def linear() -> Iterator[Case]:
    yield from layer(
        "Linear", (4, 2), {"in_features": 2}, {"bias": False}, {"x": (2,)}, {"x": (2, 2, 2)},
        {"x": (2,), "bias": False}, {"x": (1, 2), "in_features": 2, "bias": True}, out_features=3,
    )  # fmt: skip
    yield from layer(
        "Bilinear", {"x": (4, 2), "y": (4, 3)}, {"in1_features": 2, "in2_features": 3}, {"bias": False},
        {"x": (2,), "y": (3,)}, {"x": (2, 2, 2), "y": (2, 2, 3)}, {"in1_features": 2, "bias": False}, out_features=2,
    )  # fmt: skip
    yield from layer(
        "Embedding", {"x": index(1, 2, 4, 2)}, {"padding_idx": 2}, {"padding_idx": -1}, {"x": integers(5, 2, 3)},
        {"x": {"value": 3, "dtype": "int32"}}, {"x": index([0, 1], [1, 4]), "padding_idx": 1}, {"x": [3, 0, 3]},
        {"x": index(0, 1, 4), "padding_idx": 0},
        num_embeddings=5, embedding_dim=3,
    )  # fmt: skip
    yield from layer(
        "Flatten", (2, 3, 2, 2), {"start_dim": 0}, {"start_dim": 2}, {"end_dim": 2}, {"start_dim": 0, "end_dim": 1},
        {"start_dim": -3, "end_dim": -2}, {"start_dim": 1, "end_dim": 1}, {"x": (4,), "start_dim": 0},
        {"x": (), "start_dim": 0},
    )  # fmt: skip
    yield from layer("Identity", (2, 3))
    mask = Draw("bits", (3, 4))
    yield from layer("Dropout", (3, 4), mask=[[1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 0]])
    yield from layer(
        "Dropout", (3, 4), {"p": 0.25, "mask": "m", "values": {"m": mask}},
        {"p": 0.5, "mask": "m", "values": {"m": mask}},
        {"p": 0.1, "mask": [[1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 0]]}, {"p": 0.3, "mode": "eval"},
        {"p": 0.3, "training": False}, {"mode": "eval", "mask": "m", "p": 0.5, "values": {"m": mask}}, p=0.0,
    )  # fmt: skip


def convolutions() -> Iterator[Case]:
    yield from layer(
        "Conv1d", (2, 2, 6), {"bias": False}, {"stride": 2}, {"padding": 1}, {"padding": [2]}, {"padding": "same"},
        {"padding": "same", "kernel_size": 2}, {"padding": "valid"}, {"dilation": 2},
        {"padding": "same", "dilation": 2},
        {"groups": 2}, {"groups": 2, "out_channels": 2, "bias": False}, {"x": (2, 6)}, {"in_channels": 2},
        {"kernel_size": 1}, {"kernel_size": [6]}, {"stride": 3, "padding": 2, "dilation": 2, "groups": 2},
        {"stride": 4, "kernel_size": 1}, {"padding_mode": "zeros", "padding": 3}, out_channels=4, kernel_size=3,
    )  # fmt: skip
    yield from layer(
        "Conv2d", (2, 2, 4, 4), {"bias": False}, {"kernel_size": [2, 3]}, {"stride": 2}, {"stride": [2, 1]},
        {"padding": 1}, {"padding": [1, 0]}, {"padding": "same"}, {"padding": "valid"}, {"dilation": 2},
        {"padding": "same", "kernel_size": [3, 2]}, {"padding": "same", "dilation": [1, 2]}, {"dilation": [1, 3]},
        {"groups": 2}, {"groups": 2, "padding": 1}, {"groups": 2, "out_channels": 4, "bias": False}, {"x": (2, 4, 4)},
        {"in_channels": 2}, {"kernel_size": 1}, {"kernel_size": 4}, {"kernel_size": [1, 4], "stride": [3, 1]},
        {"kernel_size": 3, "stride": 2, "padding": [2, 1], "dilation": [2, 1], "groups": 2},
        {"x": (1, 4, 3, 3), "groups": 4, "out_channels": 4}, {"x": (1, 4, 3, 3), "groups": 2, "out_channels": 6},
        {"x": (1, 1, 5, 4), "kernel_size": [3, 2], "stride": [2, 3], "padding": [1, 1]}, out_channels=2, kernel_size=2,
    )  # fmt: skip
    yield from layer(
        "ConvTranspose2d", (2, 2, 2, 3), {"bias": False}, {"kernel_size": [2, 3]}, {"stride": 2}, {"stride": [3, 1]},
        {"padding": 1}, {"padding": [0, 1], "kernel_size": 3}, {"stride": 2, "output_padding": 1}, {"dilation": 2},
        {"stride": [3, 2], "output_padding": [2, 1]}, {"dilation": [2, 1], "output_padding": [1, 0]}, {"groups": 2},
        {"groups": 2, "out_channels": 4, "bias": False}, {"x": (2, 2, 3)}, {"in_channels": 2}, {"kernel_size": 1},
        {"kernel_size": 1, "stride": 2}, {"stride": 2, "padding": 1, "output_padding": 1, "kernel_size": 3},
        {"stride": 2, "padding": [1, 2], "dilation": 2, "kernel_size": 3, "groups": 2, "output_padding": [0, 1]},
        {"x": (1, 4, 2, 2), "groups": 4, "out_channels": 4},
        {"padding_mode": "zeros", "kernel_size": 3, "padding": [1, 2]},
        out_channels=2, kernel_size=2,
    )  # fmt: skip


def pooling() -> Iterator[Case]:
    yield from layer(
        "MaxPool1d", (2, 2, 7), {"stride": 1}, {"kernel_size": 3, "padding": 1}, {"dilation": 2}, {"ceil_mode": True},
        {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}, {"x": (2, 7)},
        {"kernel_size": [3], "stride": [1]}, {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
        kernel_size=2,
    )  # fmt: skip
    yield from layer(
        "MaxPool2d", (1, 2, 5, 4), {"kernel_size": [2, 3]}, {"stride": 1}, {"stride": [1, 2]}, {"padding": 1},
        {"kernel_size": 3, "padding": [1, 0]}, {"dilation": 2}, {"dilation": [1, 3]}, {"ceil_mode": True},
        {"kernel_size": 3, "stride": 2, "padding": 1}, {"x": (2, 5, 4)},
        {"kernel_size": [3, 2], "stride": [2, 3], "padding": [1, 1], "dilation": [1, 2], "ceil_mode": True},
        {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}, kernel_size=2,
    )  # fmt: skip
    yield from layer(
        "AvgPool1d", (2, 2, 7), {"stride": 1}, {"padding": 1}, {"padding": 1, "count_include_pad": False},
        {"ceil_mode": True},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
        {"kernel_size": 4, "stride": 2, "padding": 2, "ceil_mode": True}, {"x": (2, 7)}, {"kernel_size": [3]},
        kernel_size=2,
    )  # fmt: skip
    yield from layer(
        "AvgPool2d", (1, 2, 5, 4), {"kernel_size": [2, 3]}, {"stride": 1}, {"stride": [2, 1]}, {"padding": 1},
        {"padding": 1, "count_include_pad": False}, {"ceil_mode": True}, {"divisor_override": 3},
        {"ceil_mode": True, "padding": 1}, {"ceil_mode": True, "padding": 1, "count_include_pad": False},
        {"kernel_size": [3, 2], "stride": [2, 3], "padding": [1, 0], "ceil_mode": True}, {"x": (2, 5, 4)},
        {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False, "divisor_override": 2},
        {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True, "divisor_override": 5}, kernel_size=2,
    )  # fmt: skip
    yield from layer(
        "AdaptiveAvgPool2d", (1, 2, 5, 4), {"output_size": 1}, {"output_size": [3, 2]}, {"output_size": [None, 2]},
        {"output_size": [2, None]}, {"output_size": 3}, {"output_size": [7, 4]}, {"output_size": [5, 6]},
        {"x": (2, 5, 4)},
        output_size=2,
    )  # fmt: skip
    yield from layer(
        "ZeroPad2d", (1, 2, 3, 2), {"padding": 2}, {"padding": [1, 2, 0, 3]}, {"padding": [-1, 1, 0, 2]},
        {"padding": [0, 0, -1, -1]}, {"x": (2, 3, 2)}, padding=1,
    )  # fmt: skip
    yield from layer(
        "Upsample", (1, 2, 3, 2), {"scale_factor": [2, 3]}, {"scale_factor": 1.5}, {"scale_factor": [1.7, 2.5]},
        {"x": (1, 1, 5, 5), "scale_factor": 0.6}, {"x": (2, 2, 3), "scale_factor": 2.0}, {"x": (1, 2, 2, 1, 2)},
        {"x": (1, 1, 7), "scale_factor": 2.3}, {"scale_factor": 3}, scale_factor=2, mode="nearest",
    )  # fmt: skip
    yield from layer(
        "Upsample", (1, 2, 3, 2), {"size": [4, 7]}, {"size": [2, 2]}, {"x": (2, 2, 3), "size": 7}, {"size": [3, 2]},
        {"x": (1, 1, 10), "size": 3}, size=5,
    )  # fmt: skip


def normalizations() -> Iterator[Case]:
    evaluated = (
        {"mode": "eval"},
        {"training": False, "affine": False},
        {"mode": "eval", "eps": 0.1, "num_features": 3},
    )
    batch: tuple[dict[str, Any], ...] = (
        {"affine": False}, {"eps": 0.1}, {"bias": False}, {"bias": False, "mode": "eval"},
        {"track_running_stats": False}, {"track_running_stats": False, "mode": "eval"},
        {"momentum": 0.3}, {"momentum": None, "affine": False, "track_running_stats": False}, {"initial": True},
        {"initial": True, "mode": "eval"}, {"mode": "eval", "training": True}, *evaluated,
    )  # fmt: skip
    yield from layer("BatchNorm1d", (4, 3), *batch, {"x": (3, 3, 2)}, {"x": (3, 3, 2), "mode": "eval"})
    yield from layer("BatchNorm2d", (2, 3, 2, 2), *batch, {"x": (1, 3, 2, 3), "eps": 0.01})
    yield from layer(
        "InstanceNorm2d", (2, 3, 2, 3), {"affine": True}, {"affine": True, "bias": False},
        {"eps": 0.1}, {"track_running_stats": True},
        {"track_running_stats": True, "mode": "eval"}, {"track_running_stats": True, "mode": "eval", "affine": True},
        {"mode": "eval"}, {"num_features": 3, "affine": True, "eps": 0.01}, {"x": (3, 2, 3)},
        {"x": (3, 2, 3), "affine": True, "track_running_stats": True, "training": False},
    )  # fmt: skip
    yield from layer(
        "LayerNorm", (4, 2, 3), {"normalized_shape": 3}, {"normalized_shape": [3]}, {"normalized_shape": [2, 3]},
        {"normalized_shape": [4, 2, 3]}, {"eps": 0.1}, {"elementwise_affine": False}, {"bias": False},
        {"elementwise_affine": False, "normalized_shape": [2, 3], "eps": 0.01}, {"x": (5,)}, {"initial": True},
        {"normalized_shape": [2, 3], "bias": False},
    )  # fmt: skip
    yield from layer(
        "RMSNorm", (4, 2, 3), {"normalized_shape": 3}, {"normalized_shape": [2, 3]}, {"eps": 0.1},
        {"elementwise_affine": False}, {"elementwise_affine": False, "normalized_shape": [2, 3], "eps": 0.01},
        {"x": (5,)}, {"x": {"value": [[1.25e-8, -0.75e-8, 2.5e-8], [0.5e-8, 1e-8, -1.5e-8]]}},
    )  # fmt: skip
    yield from layer(
        "GroupNorm", (2, 4, 3), {"num_groups": 1}, {"num_groups": 4}, {"affine": False}, {"bias": False}, {"eps": 0.1},
        {"num_channels": 4}, {"x": (2, 4, 2, 2)}, {"x": (3, 4), "num_groups": 1}, {"initial": True}, num_groups=2,
    )  # fmt: skip


POINTS = {"value": [[-7.5, -3.2, -1.3, -0.7, -0.3], [0.2, 0.45, 0.9, 1.7, 2.9], [4.6, 6.5, 12.5, -2.6, -0.12]]}


def activations() -> Iterator[Case]:
    points = {"x": POINTS}
    for kind in (
        "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Tanh", "Softsign", "Mish", "Hardsigmoid", "Hardswish",
        "LogSigmoid", "Tanhshrink",
    ):  # fmt: skip
        yield from layer(kind, points, {"x": {"value": [[-30.5, -15.25, 18.5], [21.5, 41.25, 0.3]]}})
    for kind, argument in (("LeakyReLU", "negative_slope"), ("ELU", "alpha"), ("CELU", "alpha")):
        yield from layer(kind, points, {argument: 0.2}, {argument: 1.7, "inplace": True})
    for kind in ("Softshrink", "Hardshrink"):
        yield from layer(kind, points, {"lambd": 0.8}, {"lambd": 0})
    yield from layer("GELU", points, {"approximate": "none"}, {"approximate": "tanh"})
    wide = {"value": [[-7.5, -0.7, 0.2, 1.15, 1.55], [3.1, 12.5, 19.7, 20.4, 37.5]]}
    yield from layer("Softplus", {"x": wide}, {"beta": 2}, {"threshold": 3}, {"beta": 2.5, "threshold": 4})
    yield from layer("Hardtanh", points, {"min_val": -0.5}, {"max_val": 2.5}, {"min_val": 0.5, "max_val": 6.25})
    yield from layer(
        "PReLU", (2, 3), {"num_parameters": 3}, {"num_parameters": 3, "x": (2, 3, 2)}, {"x": (4,)},
        {"num_parameters": 3, "x": (1, 3, 2, 2)}, {"initial": True}, {"init": 0.4, "initial": True},
        {"num_parameters": 3, "init": 0.1, "initial": True},
    )  # fmt: skip
    for kind in ("Softmax", "LogSoftmax"):
        yield from layer(
            kind, (3, 4), {"dim": 0}, {"dim": -1}, {"x": (2, 3, 2)}, {"x": (2, 3, 2), "dim": 0}, {"x": (5,), "dim": 0},
            {"x": (2, 3, 2), "dim": -1}, {"x": {"value": [[800.5, 801.25, 799.0], [-900.0, -901.5, -899.75]]}},
            dim=1,
        )  # fmt: skip
        yield from layer(kind, (3, 5), {"x": (3, 2, 2)}, {"x": (5,)})
    yield from layer("GLU", (4, 2), {"dim": 0}, {"dim": 1}, {"x": (2, 4, 3), "dim": 1}, {"x": (2, 4, 3), "dim": -2})


def recurrent() -> Iterator[Case]:
    states = {"x": (2, 3), "s": (2, 2)}
    common: list[dict[str, Any]] = [
        {"bias": False}, {"input_size": 3}, {"x": (3,), "s": (2,)}, {"inputs": ["x"]}, {"inputs": ["x"], "x": (3,)},
        {"x": (3,), "s": (2,), "bias": False},
    ]  # fmt: skip
    yield from layer(
        "RNNCell", states, *common, {"nonlinearity": "relu"},
        {"nonlinearity": "relu", "bias": False, "x": (3,), "s": (2,)},
        hidden_size=2,
    )  # fmt: skip
    yield from layer("GRUCell", states, *common, hidden_size=2)
    yield from layer(
        "LSTMCell", {**states, "c": (2, 2)}, *({**v, "c": (2,)} if "s" in v else v for v in common), hidden_size=2
    )


def attention() -> Iterator[Case]:
    kind, qkv = "scaled_dot_product_attention", {"q": (2, 3, 4), "k": (2, 5, 4), "v": (2, 5, 3)}
    heads = {"q": (2, 2, 3, 2), "k": (2, 2, 3, 2), "v": (2, 2, 3, 2)}
    additive = {"m": Draw("floats", (3, 5))}
    allowed = {"m": {"value": [[True, False, True, True, False], [True] * 5, [False] * 4 + [True]], "dtype": "bool"}}
    yield from layer(
        kind, qkv, {"q": (3, 4), "k": (5, 4), "v": (5, 3)}, {"is_causal": True}, heads, {**heads, "is_causal": True},
        {"scale": 0.3}, {"scale": 1.5, "is_causal": True}, {"attn_mask": "m", "values": additive},
        {"attn_mask": "m", "values": additive, "wrt": ["q", "k", "v", "m"]}, {"attn_mask": "m", "values": allowed},
        {"attn_mask": "m", "values": {"m": Draw("floats", (2, 3, 5))}, "scale": 0.7}, {"dropout_p": 0.0},
        {"q": (2, 3, 4), "k": (2, 3, 4), "v": (2, 3, 4), "attn_mask": [[0.5, -1, 2], [0, 1.5, -0.25], [1, 1, 0.75]]},
        {**heads, "attn_mask": "m", "values": {"m": {"value": [[True, False, True]] * 3, "dtype": "bool"}}},
        {"q": (5, 4), "k": (2, 4), "v": (2, 4), "is_causal": True},
        {"q": (1, 3, 4), "attn_mask": "m", "values": {"m": Draw("floats", (2, 3, 5))}}, {"q": (2, 1, 3, 4)},
        {"q": (2, 4), "k": (2, 4), "v": (2, 3), "attn_mask": [[True, False], [True, True]]},
        {"attn_mask": [[1, 0, 1, 1, 0], [0, 0, 0, 1, 1], [1, 1, 1, 0, 1]]},
        {"attn_mask": "m", "values": {"m": {"value": [[1, 0, 1, 1, 0]], "dtype": "bool"}}},
    )  # fmt: skip
    kind, sides = "MultiheadAttention", {"q": (3, 2, 4), "k": (2, 2, 4), "v": (2, 2, 4)}
    forbidden = {"value": [[False, True, False], [False, False, True], [False, False, False]], "dtype": "bool"}
    yield from layer(
        kind, (3, 2, 4), {"batch_first": True}, {"bias": False}, {"num_heads": 1}, {"num_heads": 4, "bias": False},
        {"average_attn_weights": False}, {"x": (3, 4)}, {"x": (3, 4), "average_attn_weights": False},
        {"is_causal": True}, {"is_causal": True, "batch_first": True}, {"dropout": 0.1, "training": False},
        {"attn_mask": "m", "values": {"m": Draw("floats", (3, 3))}}, {"attn_mask": "m", "values": {"m": forbidden}},
        {"x": (2, 3, 4), "attn_mask": [[0.5, -1, 2], [0, 1.5, -0.25], [1, 1, 0.75]], "batch_first": True},
        {"attn_mask": "m", "values": {"m": Draw("floats", (4, 3, 3))}},
        {"x": (3, 4), "attn_mask": "m", "values": {"m": Draw("floats", (3, 3))}, "average_attn_weights": False},
        {"x": (3, 4), "attn_mask": "m", "values": {"m": Draw("floats", (2, 3, 3))}},
        {"attn_mask": [[1, 0, 0], [1, 1, 0], [1, 1, 1]]}, embed_dim=4, num_heads=2,
    )  # fmt: skip
    yield from layer(
        kind, sides, {"q": (2, 3, 4), "batch_first": True}, {"q": (3, 4), "k": (2, 4), "v": (2, 4)},
        {"k": (2, 2, 3), "kdim": 3}, {"v": (2, 2, 5), "vdim": 5},
        {"k": (2, 2, 3), "v": (2, 2, 5), "kdim": 3, "vdim": 5},
        {"k": (2, 2, 3), "v": (2, 2, 5), "kdim": 3, "vdim": 5, "bias": False, "average_attn_weights": False},
        {"k": (2, 2, 4), "kdim": 4, "vdim": 4}, embed_dim=4, num_heads=2,
    )  # fmt: skip


def functions() -> Iterator[Case]:
    pairs: tuple[dict[str, Any], ...] = (
        {"y": (3,)}, {"x": (3,)}, {"x": (2, 1), "y": (1, 3)}, {"y": ()}, {"x": ()}, {"x": (2, 2, 3), "y": (2, 1)},
    )  # fmt: skip
    for kind in ("add", "sub", "mul"):
        yield from layer(kind, {"x": (2, 3), "y": (2, 3)}, *pairs)
    below = tuple({**p, "y": Draw("positive", p.get("y", (2, 3)))} for p in pairs)
    yield from layer("div", {"x": (2, 3), "y": Draw("positive", (2, 3))}, *below)
    yield from layer(
        "matmul", {"x": (2, 3), "y": (3, 4)}, {"x": (3,)}, {"y": (3,)}, {"x": (3,), "y": (3,)},
        {"x": (2, 2, 3), "y": (2, 3, 2)},
        {"x": (2, 2, 3)}, {"x": (2, 1, 2, 3), "y": (3, 3, 2)}, {"x": (3,), "y": (2, 3, 2)}, {"x": (2, 2, 3), "y": (3,)},
    )  # fmt: skip
    yield from layer(
        "cat", {"x": (2, 3), "y": (2, 3)}, {"y": (1, 3)}, {"dim": 1, "y": (2, 1)}, {"dim": -2}, {"dim": -1}
    )
    yield from layer(
        "cat", {"x": (2, 1), "y": (2, 2), "z": (2, 3)}, {"x": (2, 1, 2), "y": (2, 2, 2), "z": (2, 3, 2)}, dim=1
    )
    yield from layer("stack", {"x": (2, 3), "y": (2, 3)}, {"dim": 1}, {"dim": -1}, {"x": (2,), "y": (2,)})
    yield from layer("stack", {"x": (2, 3), "y": (2, 3), "z": (2, 3)}, {"dim": 2}, {"x": (), "y": (), "z": ()})
    yield from layer(
        "split", (4, 3), {"split_size_or_sections": 3}, {"split_size_or_sections": [1, 3]},
        {"split_size_or_sections": [1, 1, 1], "dim": 1}, {"split_size_or_sections": 2, "dim": -1},
        split_size_or_sections=2,
    )  # fmt: skip
    yield from layer("chunk", (4, 3), {"chunks": 3}, {"dim": 1}, {"chunks": 3, "dim": -1}, {"x": (5,)}, chunks=2)
    yield from layer(
        "reshape",
        (2, 3, 2),
        {"shape": [-1]},
        {"shape": [3, -1]},
        {"shape": [2, 2, 3]},
        {"shape": [1, 12]},
        shape=[4, 3],
    )
    yield from layer("permute", (2, 3, 4), {"dims": [2, 0, 1]}, {"dims": [-1, 0, -2]}, dims=[0, 2, 1])
    yield from layer("transpose", (2, 3, 4), {"dim0": -1}, {"dim0": 2, "dim1": -2}, dim0=0, dim1=1)
    for kind in ("mean", "sum", "max"):
        yield from layer(
            kind, (3, 4), {"dim": 0}, {"dim": 1, "keepdim": True}, {"dim": -1}, {"dim": [0, 1]}, {"x": (5,)},
            {"x": (2, 3, 2), "dim": [0, 2]}, {"x": (2, 3, 2), "dim": [0, -1], "keepdim": True},
        )  # fmt: skip
    yield from (c for kind in ("tanh", "exp", "sigmoid", "relu") for c in layer(kind, (2, 3)))


def layers() -> list[Case]:
    """Return every case of this file."""
    families = (linear, convolutions, pooling, normalizations, activations, recurrent, attention, functions)
    return [case for family in families for case in family()]
