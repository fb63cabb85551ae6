"""torch.nn.init by name: how parameters that are not given are drawn.

Names, arguments and distributions are torch's; the numbers are numpy's, from the spec's seed and
the parameter's name, so that adding a layer does not change the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from gradcheck.ops.shapes import Shape

Make = Callable[[Any, Shape, Mapping[str, Any]], Any]

GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75,
}  # fmt: skip
"""torch.nn.init.calculate_gain; that of leaky_relu depends on its slope."""


class Initialiser(NamedTuple):
    """One row.

    Attributes:
        arguments: names and defaults.
        make: (generator, shape, arguments) → array.
        axes: how many axes it needs at least.
    """

    arguments: Mapping[str, Any]
    make: Make
    axes: int = 0


def fans(shape: Shape) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight in torch's layout: [out, in, *kernel]."""
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def gain(nonlinearity: str, a: float) -> float:
    """Return torch's recommended gain (He et al. 2015 for the rectifiers)."""
    return math.sqrt(2 / (1 + a * a)) if nonlinearity == "leaky_relu" else GAINS[nonlinearity]


def _xavier(shape: Shape, factor: float) -> float:
    return factor * math.sqrt(2 / sum(fans(shape)))


def _kaiming(shape: Shape, v: Mapping[str, Any]) -> float:
    fan_in, fan_out = fans(shape)
    return gain(v["nonlinearity"], v["a"]) / math.sqrt(fan_in if v["mode"] == "fan_in" else fan_out)


def _truncated(generator: Any, shape: Shape, v: Mapping[str, Any]) -> Any:
    import numpy as np

    low, high = (v["a"] - v["mean"]) / v["std"], (v["b"] - v["mean"]) / v["std"]
    edges = [(1 + math.erf(x / math.sqrt(2))) / 2 for x in (low, high)]
    # Inverse of the normal distribution by bisection: exact enough, and the same everywhere.
    wanted = generator.uniform(*edges, size=shape)
    left, right = np.full(shape, max(low, -40.0)), np.full(shape, min(high, 40.0))
    erf = np.vectorize(math.erf, otypes=[float])
    for _ in range(60):
        middle = (left + right) / 2
        below = (1 + erf(middle / math.sqrt(2))) / 2 < wanted
        left, right = np.where(below, middle, left), np.where(below, right, middle)
    return v["mean"] + v["std"] * (left + right) / 2


def _orthogonal(generator: Any, shape: Shape, v: Mapping[str, Any]) -> Any:
    import numpy as np

    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return v["gain"] * (q if rows >= columns else q.T).reshape(shape)


def _dirac(_: Any, shape: Shape, v: Mapping[str, Any]) -> Any:
    import numpy as np

    result = np.zeros(shape)
    for k in range(min(shape[0], shape[1])):
        result[(k, k, *(n // 2 for n in shape[2:]))] = 1
    return result


def _eye(_: Any, shape: Shape, v: Mapping[str, Any]) -> Any:
    import numpy as np

    return np.eye(shape[0], math.prod(shape[1:])).reshape(shape)


def _full(_: Any, shape: Shape, v: Mapping[str, Any]) -> Any:
    import numpy as np

    return np.full(shape, v["val"])


KAIMING = {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}

INITIALISERS: dict[str, Initialiser] = {
    "uniform_": Initialiser({"a": 0.0, "b": 1.0}, lambda g, s, v: g.uniform(v["a"], v["b"], s)),
    "normal_": Initialiser({"mean": 0.0, "std": 1.0}, lambda g, s, v: v["mean"] + v["std"] * g.standard_normal(s)),
    "trunc_normal_": Initialiser({"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0}, _truncated),
    "constant_": Initialiser({"val": ...}, _full),
    "ones_": Initialiser({}, lambda g, s, v: _full(g, s, {"val": 1.0})),
    "zeros_": Initialiser({}, lambda g, s, v: _full(g, s, {"val": 0.0})),
    "eye_": Initialiser({}, _eye, 2),
    "dirac_": Initialiser({}, _dirac, 3),
    "xavier_uniform_": Initialiser(
        {"gain": 1.0}, lambda g, s, v: math.sqrt(3) * _xavier(s, v["gain"]) * g.uniform(-1, 1, s), 2
    ),
    "xavier_normal_": Initialiser({"gain": 1.0}, lambda g, s, v: _xavier(s, v["gain"]) * g.standard_normal(s), 2),
    "kaiming_uniform_": Initialiser(KAIMING, lambda g, s, v: math.sqrt(3) * _kaiming(s, v) * g.uniform(-1, 1, s), 2),
    "kaiming_normal_": Initialiser(KAIMING, lambda g, s, v: _kaiming(s, v) * g.standard_normal(s), 2),
    "orthogonal_": Initialiser({"gain": 1.0}, _orthogonal, 2),
}


def check(name: str, shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an initialiser with the defaults filled in.

    Raises:
        ValueError: with what is wrong: a missing or unknown argument, a value that does not fit, or
            a shape with too few axes.
    """
    row = INITIALISERS[name]
    unknown = [key for key in values if key not in row.arguments]
    if unknown:
        takes = ", ".join(row.arguments) or "no arguments"
        raise ValueError(f"{name} has no argument `{unknown[0]}`; it takes {takes}")
    result = {**row.arguments, **values}
    for key, value in result.items():
        if value is ...:
            raise ValueError(f"{name} needs {key}")
        if key in ("mode", "nonlinearity"):
            words = ("fan_in", "fan_out") if key == "mode" else ("leaky_relu", *GAINS)
            if value not in words:
                raise ValueError(f"{key} must be one of {', '.join(words)}")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
            raise ValueError(f"{key} must be a number")
    if result.get("std", 1) < 0 or (name == "trunc_normal_" and not (result["std"] > 0 and result["a"] < result["b"])):
        raise ValueError(
            "std must be positive and a below b" if name == "trunc_normal_" else "std must not be negative"
        )
    if len(shape) < row.axes:
        raise ValueError(f"{name} needs at least {row.axes} axes, not {len(shape)}")
    return result


def draw(name: str, shape: Shape, values: Mapping[str, Any], seed: int, called: str) -> Any:
    """Return an array for the tensor `called`; the same for the same seed and name."""
    import numpy as np

    generator = np.random.default_rng([seed, crc32(called.encode())])
    return np.asarray(INITIALISERS[name].make(generator, shape, values), dtype=float)
