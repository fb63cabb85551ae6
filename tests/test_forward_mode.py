from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, worked_out

from gradcheck.deriving import forward_mode as module
from gradcheck.deriving.forward_mode import Operations, forward_mode
from gradcheck.graph.evaluation import evaluate


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize(("text", "at"), [*SCALARS, *ARRAYS])
def test_derivatives_are_those_of_reverse_mode(text: str, at: dict[str, Any], expand: bool) -> None:
    derivation, worked, system = worked_out(text, at, expand)
    found = forward_mode(derivation, worked, system)
    assert found.refused == ""
    gradients = {leaf.name: leaf.gradient for leaf in derivation.leaves if leaf.gradient is not None}
    numbers = [(name, index) for name in gradients for index in np.ndindex(np.shape(at[name]))]
    assert [(one.input, one.index) for one in found.passes] == numbers
    for one in found.passes:
        wanted = float(np.asarray(gradients[one.input])[one.index])
        assert abs(one.derivative - wanted) <= 1e-13 * (1 + abs(wanted))


@pytest.mark.parametrize(("text", "at"), [*SCALARS[:10], *ARRAYS[:5]])
def test_tangents_are_slopes_of_every_stage(text: str, at: dict[str, Any]) -> None:
    derivation, worked, system = worked_out(text, at)
    graph = worked.chart.graph
    h = 1e-6
    for one in forward_mode(derivation, worked, system).passes:
        ends = []
        for step in (-h, h):
            moved = {name: np.array(value, dtype=float) for name, value in at.items()}
            moved[one.input][one.index] += step
            point = moved if system.accumulate is not None else {n: float(x) for n, x in moved.items()}
            with system.active():
                ends.append(evaluate(graph, system, point)[0])
        for gate, tangent in zip(graph.gates, one.tangents, strict=True):
            below, above = (np.asarray(values[gate], dtype=float) for values in ends)
            wanted = (above - below) / (2 * h)
            defined = np.isfinite(wanted)
            found = np.broadcast_to(0.0 if tangent is None else tangent, wanted.shape)
            assert np.all(np.abs(found - wanted)[defined] <= 1e-6 * (1 + np.abs(wanted[defined]))), graph.ops[gate]


def test_tangents_of_the_lectures_circuit() -> None:
    found = forward_mode(*worked_out("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}))
    assert [one.tangents for one in found.passes] == [(1.0, -4.0), (1.0, -4.0), (None, 3.0)]
    assert found.forward_operations == Operations(3, 5, 5, 0)
    assert found.reverse_operations == Operations(1, 2, 4, 0)


def test_reverse_mode_costs_one_pass_however_many_inputs() -> None:
    names = [f"x{k}" for k in range(20)]
    found = forward_mode(*worked_out("sin(" + "+".join(names) + ")", dict.fromkeys(names, 0.1)))
    # Input k passes the sums from its own on (x0 and x1 share the first), then the sine.
    gates = sum(20 - max(k, 1) for k in range(20)) + 20
    assert found.forward_operations == Operations(20, gates, gates, 0)
    assert found.reverse_operations == Operations(1, 20, 39, 0)


def test_a_fork_is_a_sum_in_either_order() -> None:
    found = forward_mode(*worked_out("x*x", {"x": 3.0}))
    assert found.forward_operations == found.reverse_operations == Operations(1, 1, 2, 1)


def test_reverse_mode_skips_what_leads_nowhere() -> None:
    found = forward_mode(*worked_out("where(x > 0, x, exp(x)*sin(x))", {"x": 1.0}))
    assert found.forward_operations.gates == 4
    assert found.reverse_operations.gates == 1


def test_operations_of_arrays_are_gates() -> None:
    found = forward_mode(*worked_out("sum(x*y)", {"x": [1.0, 2.0, 3.0], "y": 2.0}))
    assert found.forward_operations == Operations(4, 8, None, None)
    assert found.reverse_operations == Operations(1, 2, None, None)


def test_too_many_inputs_are_counted_and_refused() -> None:
    found = forward_mode(*worked_out("sum(x*x)", {"x": np.ones((13, 5))}))
    assert found.passes == ()
    assert "65 passes" in found.refused
    assert found.forward_operations == Operations(65, 130, None, None)


@pytest.mark.parametrize("limit", ["MOST_TANGENTS", "MOST_SLOPES"])
def test_too_much_work_is_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 5)
    found = forward_mode(*worked_out("x @ W @ y", {"x": [1.0, 2.0], "W": np.ones((2, 3)), "y": [1.0, 2.0, 3.0]}))
    assert found.passes == ()
    assert "at most 5" in found.refused
