"""numpy arrays of float64, and arrays whose elements are numbers of another system."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.arithmetic import floats, matrices
from gradcheck.arithmetic.compiling import OPERATORS, Function
from gradcheck.arithmetic.structural import NATIVES as STRUCTURAL
from gradcheck.arithmetic.structural import accumulate
from gradcheck.arithmetic.system import System
from gradcheck.ops import OPS
from gradcheck.ops.shapes import axes


def _by_element(function: Function, operands: int) -> Function:
    """Make a numpy function of one that takes Python floats."""
    vectorized = np.frompyfunc(function, operands, 1)
    return lambda *x: np.asarray(vectorized(*x), dtype=float)


def _select(c: Any, g: Any) -> Any:
    return np.where(np.asarray(c).astype(bool), g, 0)


def _compare(name: str) -> Function:
    function = floats.COMPARE[name]
    return lambda x, y: np.asarray(function(x, y), dtype=float)


def _or_nan(function: Function, nan: Any) -> Function:
    def attempt(*x: Any) -> Any:
        try:
            return function(*x)
        except (ArithmeticError, ValueError):
            return nan

    return attempt


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


FLOAT_ARRAYS = System(
    "float64 arrays",
    {
        **STRUCTURAL,
        **matrices.FLOATS,
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.divide,
        "neg": np.negative,
        "pow": np.power,
        "abs": np.abs,
        "sign": np.sign,
        "step": lambda x: np.asarray(np.greater(x, 0), dtype=float),
        "heaviside": lambda x: np.heaviside(x, 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
        "round": np.rint,
        "max": np.maximum,
        "min": np.minimum,
        "where": lambda c, x, y: np.where(np.asarray(c, dtype=bool), x, y),
        "select": _select,
        **{name: _compare(name) for name in floats.COMPARE},
        **{
            name: getattr(np, name)
            for name in (
                "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "hypot",
                "sin", "cos", "tan", "sinh", "cosh", "tanh",
            )
        },
        **{
            name: getattr(np, "arc" + name[1:])
            for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")
        },
        "atan2": lambda y, x: np.where((y == 0) & (x == 0), np.nan, np.arctan2(y, x)),
        "erf": _by_element(math.erf, 1),
        "erfc": _by_element(math.erfc, 1),
        "gamma": _by_element(_gamma, 1),
        "lgamma": _by_element(_or_nan(math.lgamma, math.nan), 1),
        **{
            name: _by_element(_or_nan(floats.NATIVES[name], math.nan), len(OPS[name].args)) for name in floats.BY_BALLS
        },
    },
    floats.constant,
    inline={op: text for op, text in OPERATORS.items() if op != "identity"},
    stable=True,
    accumulate=accumulate,
    active=lambda: np.errstate(all="ignore"),
)  # fmt: skip


@lru_cache(maxsize=16)
def of(numbers: System) -> System:
    """Return the system of arrays whose elements are numbers of the system `numbers`, balls or series of them.

    Elementwise primitives are those of `numbers`, applied to each element; an element for
    which one raises becomes that system's NaN.
    """
    from gradcheck.arithmetic.ball_matrices import LINEAR

    zero = numbers.literal("0")

    def lifted(op: str) -> Function:
        function = _or_nan(numbers.function(op), numbers.nan)
        return lambda *x: np.frompyfunc(function, len(x), 1)(*x)

    def with_zeros(op: str) -> Function:
        # numpy fills in plain zeros, which a function of these numbers may not take.
        fill = np.frompyfunc(lambda x: zero if isinstance(x, int) and x == 0 else x, 1, 1)
        return lambda *x, **how: fill(STRUCTURAL[op](*x, **how))

    def extreme(op: str) -> Function:
        ufunc = np.frompyfunc(numbers.function(op), 2, 1)

        def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            x = np.asanyarray(x)
            over = axes(x.shape, axis)
            for one in over:
                x = ufunc.reduce(x, axis=one, keepdims=True)
            return x if keepdims else np.squeeze(x, over)

        return reduce

    def select(c: Any, g: Any) -> Any:
        chosen = numbers.function("select")(c, g)
        return zero if chosen is None else chosen

    natives: dict[str, Function] = {
        **STRUCTURAL,
        **{op: with_zeros(op) for op in STRUCTURAL if OPS[op].fills},
        **{op: lifted(op) for op in numbers.natives if op not in ("select", "identity")},
        "select": np.frompyfunc(select, 2, 1),
        "amax": extreme("max"),
        "amin": extreme("min"),
        **LINEAR,
    }
    return System(
        f"arrays of {numbers.name}", natives, numbers.constant, literal=numbers.literal,
        inline={}, nan=numbers.nan, accumulate=accumulate, active=numbers.active,
    )  # fmt: skip
