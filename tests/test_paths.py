from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from derivations import ARRAYS, SCALARS, worked_out

from gradcheck.deriving.paths import MOST_PATHS, Paths, paths_to


def paths(text: str, at: dict[str, Any], name: str, expand: bool = False) -> Paths:
    return paths_to(*worked_out(text, at, expand), name)


def close(found: Any, wanted: Any) -> bool:
    """Whether sums of the same numbers in another order agree."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    return found.shape == wanted.shape and bool(np.all(np.abs(found - wanted) <= 1e-13 * (1 + np.abs(wanted))))


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize(("text", "at"), [*SCALARS, *ARRAYS])
def test_paths_add_up_to_the_gradient(text: str, at: dict[str, Any], expand: bool) -> None:
    derivation, worked, system = worked_out(text, at, expand)
    for one in (*derivation.leaves[: len(at)], *derivation.steps):
        found = paths_to(derivation, worked, system, one.name)
        wanted = np.zeros(np.shape(one.value)) if one.gradient is None else one.gradient
        assert close(found.total, wanted)
        assert len(found.paths) == found.count
        assert close(sum((path.value for path in found.paths), np.zeros(np.shape(one.value))), wanted)
        if one.name != derivation.output:
            assert close(sum((group.value for group in found.groups), np.zeros(np.shape(one.value))), wanted)
            assert sum(group.count for group in found.groups) == found.count


@pytest.mark.parametrize(("text", "at"), SCALARS)
def test_a_path_is_the_product_of_its_local_derivatives(text: str, at: dict[str, Any]) -> None:
    derivation, worked, system = worked_out(text, at)
    steps = derivation.steps
    for name in at:
        for path in paths_to(derivation, worked, system, name).paths:
            assert close(path.value, math.prod(path.locals))
            before = name
            for number, slot in zip(path.steps, path.slots, strict=True):
                assert steps[number - 1].operands[slot] == before
                before = steps[number - 1].name


@pytest.mark.parametrize(
    ("text", "at", "name", "count", "closed"),
    [
        ("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}, "x", 1, 0),
        ("x*x", {"x": 3.0}, "x", 2, 0),
        ("(x*x)*(x + 1)", {"x": 3.0}, "x", 3, 0),
        ("x", {"x": 3.0}, "x", 1, 0),
        ("where(x > 0, x, x*x)", {"x": 3.0}, "x", 1, 3),
        ("where(x > 0, x, x*x)", {"x": -3.0}, "x", 2, 2),
        ("floor(x) + y", {"x": 0.5, "y": 1.0}, "x", 0, 1),
        ("sum(where(x > 0, x, x*x))", {"x": [3.0, -1.0]}, "x", 3, 1),
        ("sum(where(x > 0, x, x*x))", {"x": [3.0, 1.0]}, "x", 1, 3),
    ],
)
def test_counts(text: str, at: dict[str, Any], name: str, count: int, closed: int) -> None:
    found = paths(text, at, name)
    assert (found.count, found.closed) == (count, closed)


def test_order_and_numbers_of_a_fork() -> None:
    found = paths("q = x*y; r = q + x; r*q", {"x": 2.0, "y": 3.0}, "x")
    assert [path.steps for path in found.paths] == [(2, 3), (1, 3), (1, 2, 3)]
    assert [path.slots for path in found.paths] == [(1, 0), (0, 1), (0, 0, 0)]
    assert [path.locals for path in found.paths] == [(1.0, 6.0), (3.0, 8.0), (3.0, 1.0, 6.0)]
    assert [path.value for path in found.paths] == [6.0, 24.0, 18.0]
    assert [(group.step, group.slot, group.count, group.value) for group in found.groups] == [
        (2, 1, 1, 6.0),
        (1, 0, 2, 42.0),
    ]
    assert found.total == 48.0


@pytest.mark.parametrize("n", [6, 7, 200])
def test_chain_of_doublings_is_counted_and_listed_up_to_a_limit(n: int) -> None:
    text = "; ".join(["s0 = x + x", *(f"s{k} = s{k - 1} + s{k - 1}" for k in range(1, n))]) + f"; s{n - 1}"
    found = paths(text, {"x": 1.0}, "x")
    assert found.count == 2**n
    assert len(found.paths) == (2**n if 2**n <= MOST_PATHS else 0)
    assert found.total == 2.0**n
    assert [(group.count, group.value) for group in found.groups] == [(2 ** (n - 1), 2.0 ** (n - 1))] * 2


def test_stages_that_lead_nowhere_are_on_no_path() -> None:
    # So many ways into what is not used that none may be walked.
    text = "; ".join(["s0 = x + x", *(f"s{k} = s{k - 1} + s{k - 1}" for k in range(1, 60))]) + "; x*y"
    found = paths(text, {"x": 1.0, "y": 2.0}, "x")
    assert (found.count, len(found.paths), len(found.groups)) == (1, 1, 1)


def test_infinite_slope_behind_a_branch_that_was_not_taken() -> None:
    found = paths("sum(where(x > 0, sqrt(x)*3, x))", {"x": [0.0, 4.0]}, "x")
    assert [path.value.tolist() for path in found.paths] == [[1.0, 0.0], [0.0, 0.75]]
