"""Recurrent cells: one step each; unrolled in time by naming the same parameters in every step."""

from __future__ import annotations

import math
from typing import Any

from gradcheck.networks.arguments import boolean, choice, inferred, integer
from gradcheck.networks.layer import Arguments, Constant, Layer, Misfit, Operand, Parameter, Plan
from gradcheck.networks.table.linear import feature, uniform
from gradcheck.ops.shapes import Shape, show


def _parameters(a: Arguments, x: Operand, gates: int) -> dict[str, Parameter]:
    if len(x.shape) not in (1, 2):
        raise Misfit(f"the input is {show(x.shape)}; it must be N × features, or one example")
    features = feature(a.input_size, x.shape[-1], "input_size")
    init, rows = uniform(1 / math.sqrt(a.hidden_size)), gates * a.hidden_size
    found = {
        "weight_ih": Parameter((rows, features), init),
        "weight_hh": Parameter((rows, a.hidden_size), init),
    }
    if a.bias:
        found["bias_ih"] = found["bias_hh"] = Parameter((rows,), init)
    return found


def _states(a: Arguments, x: Operand, given: dict[str, Operand | None]) -> dict[str, Constant]:
    """Check the states that are given and return zeros for those that are not."""
    shape: Shape = (*x.shape[:-1], a.hidden_size)
    missing: dict[str, Constant] = {}
    for name, state in given.items():
        if state is None:
            missing[name] = Constant(shape, lambda _: _zeros(shape))
        elif state.shape != shape:
            raise Misfit(f"the state {name} is {show(state.shape)}; with this input it must be {show(shape)}")
    return missing


def _zeros(shape: Shape) -> Any:
    import numpy as np

    return np.zeros(shape)


def _sums(a: Arguments) -> tuple[str, str]:
    """Return what comes from the input and what comes from the state, as text."""
    if a.bias:
        return "x @ weight_ih.T + bias_ih", "h @ weight_hh.T + bias_hh"
    return "x @ weight_ih.T", "h @ weight_hh.T"


def _rnn(a: Arguments, x: Operand, h: Operand | None = None) -> Plan:
    parameters, data = _parameters(a, x, 1), _states(a, x, {"h": h})
    return Plan(f"{a.nonlinearity}({' + '.join(_sums(a))})", {}, parameters, data)


def _lstm(a: Arguments, x: Operand, h: Operand | None = None, c: Operand | None = None) -> Plan:
    parameters, data = _parameters(a, x, 4), _states(a, x, {"h": h, "c": c})
    n = a.hidden_size
    program = (
        f"gates = {' + '.join(_sums(a))}\n"
        "c1 = sigmoid(gates[..., n1:n2])*c + sigmoid(gates[..., :n1])*tanh(gates[..., n2:n3])\n"
        "h1 = sigmoid(gates[..., n3:])*tanh(c1)"
    )
    return Plan(program, {"n1": n, "n2": 2 * n, "n3": 3 * n}, parameters, data, ("h1", "c1"))


def _gru(a: Arguments, x: Operand, h: Operand | None = None) -> Plan:
    parameters, data = _parameters(a, x, 3), _states(a, x, {"h": h})
    of_input, of_state = _sums(a)
    program = (
        f"u = {of_input}\n"
        f"v = {of_state}\n"
        "r = sigmoid(u[..., :n1] + v[..., :n1])\n"
        "z = sigmoid(u[..., n1:n2] + v[..., n1:n2])\n"
        "n = tanh(u[..., n2:] + r*v[..., n2:])\n"
        "(1 - z)*n + z*h"
    )
    return Plan(program, {"n1": a.hidden_size, "n2": 2 * a.hidden_size}, parameters, data)


_SIZES = (inferred("input_size"), integer("hidden_size"), boolean("bias", True))

LAYERS = [
    Layer(
        "RNNCell", ("x", "h?"), (*_SIZES, choice("nonlinearity", ("tanh", "relu"), "tanh")), _rnn,
        ({"hidden_size": 3}, [(2, 4), (2, 3)]),
    ),
    Layer(
        "LSTMCell", ("x", "h?", "c?"), _SIZES, _lstm, ({"hidden_size": 3}, [(2, 4), (2, 3), (2, 3)]),
        outputs=("h", "c"), note="rows of the weights: input, forget, cell and output gate",
    ),
    Layer(
        "GRUCell", ("x", "h?"), _SIZES, _gru, ({"hidden_size": 3}, [(2, 4), (2, 3)]),
        note="rows of the weights: reset, update and new gate",
    ),
]  # fmt: skip
