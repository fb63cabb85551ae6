"""Ops that look elements up (gradcheck/ops/windows.py): their values by slow loops, their rules as transposes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pytest
from breaking import MUTATIONS, mutated, replaced, rules_replaced
from support import Ran, cases, run

from gradcheck.arithmetic import arrays, structural
from gradcheck.arithmetic.arrays import FLOAT_ARRAYS
from gradcheck.ops import OPS
from gradcheck.ops import shapes as rules_of_shapes

Array = Any
Reach = dict[str, Any]

ROWS = cases("windows.jsonl")
IDS = [f"{row['op']} in {row['spec']['nodes'][row['node']]['type']} {k}" for k, row in enumerate(ROWS)]


# Values


def count_by_hand(length: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """Count the windows that fit, by trying."""
    starts = range(-padding[0], length + padding[1], stride)
    return sum(1 for start in starts if start + dilation * (kernel - 1) < length + padding[1])


def place(length: int, window: int, k: int, one: dict[str, Any]) -> int | None:
    """Return which element the k-th place of a window is; None for a zero beyond the edge."""
    places = [window * one["stride"] - one["padding"][0] + j * one["dilation"] for j in range(one["kernel"])]
    if 0 <= places[k] < length:
        return places[k]
    return next(p for p in places if 0 <= p < length) if one["edge"] == "inside" else None


def each_place(shape: tuple[int, ...], reach: Reach) -> Iterator[tuple[tuple[int, ...], tuple[int, ...] | None]]:
    """Yield (index into the windows of the trailing axes, index of the element there or None)."""
    axes = [{part: reach[part][k] for part in reach if part != "edge"} for k in range(len(shape))]
    axes = [{**one, "edge": reach["edge"]} for one in axes]
    counts = [
        count_by_hand(n, one["kernel"], one["stride"], one["padding"], one["dilation"])
        for n, one in zip(shape, axes, strict=True)
    ]
    for windows in itertools.product(*map(range, counts)):
        for inside in itertools.product(*map(range, reach["kernel"])):
            found = [place(n, w, k, one) for n, w, k, one in zip(shape, windows, inside, axes, strict=True)]
            yield (*windows, *inside), None if None in found else tuple(found)  # type: ignore[misc]


def windows_by_loop(x: Array, reach: Reach) -> Array:
    rank = len(reach["kernel"])
    places = list(each_place(x.shape[x.ndim - rank :], reach))
    shape = [max(index[a] for index, _ in places) + 1 for a in range(2 * rank)]
    result = np.zeros([*x.shape[: x.ndim - rank], *shape], dtype=x.dtype)
    for index, element in places:
        if element is not None:
            result[(..., *index)] = x[(..., *element)]
    return result


def fold_by_loop(x: Array, size: tuple[int, ...], reach: Reach) -> Array:
    result = np.zeros([*x.shape[: x.ndim - 2 * len(size)], *size], dtype=x.dtype)
    for index, element in each_place(size, reach):
        if element is not None:
            result[(..., *element)] += x[(..., *index)]
    return result


def reaches_of(length: int) -> list[dict[str, Any]]:
    """Return every way of going along one axis in which there is a window, and each reaches an element."""
    found = []
    paddings = [(0, 0), (1, 1), (2, 2), (0, 1), (2, 0), (1, 3), (-1, 0), (0, -2), (2, -1), (-1, -1)]
    for kernel, stride, padding, dilation in itertools.product((1, 2, 3), (1, 2, 3), paddings, (1, 2)):
        count = count_by_hand(length, kernel, stride, padding, dilation)
        one = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "edge": "zero"}
        touched = [any(place(length, w, k, one) is not None for k in range(kernel)) for w in range(count)]
        if count and all(touched):
            found.append(one)
    return found


def along(*axes: dict[str, Any], edge: str) -> Reach:
    parts = ("kernel", "stride", "padding", "dilation")
    return {**{part: tuple(one[part] for one in axes) for part in parts}, "edge": edge}


def reaches() -> list[tuple[tuple[int, ...], Reach]]:
    """Return (shape, reach) for one axis in every way, and for two axes in pairs of ways."""
    ways = {n: reaches_of(n) for n in (3, 4, 6)}
    found = [((n,), along(one, edge=edge)) for n in ways for one in ways[n] for edge in ("zero", "inside")]
    pairs = itertools.product((3, 4, 6), repeat=2)
    for (n, m), edge in itertools.product(pairs, ("zero", "inside")):
        for k in range(0, len(ways[n]), 5):
            found.append(((n, m), along(ways[n][k], ways[m][(7 * k + 3) % len(ways[m])], edge=edge)))
    return found


REACHES = reaches()
LEADS: list[tuple[int, ...]] = [(), (2,), (2, 1)]


def integers(shape: Any, seed: int) -> Array:
    return np.random.default_rng(seed).integers(-9, 10, shape)


def test_there_are_many_reaches_of_every_kind() -> None:
    assert len(REACHES) > 700
    kinds = {(len(shape), reach["edge"]) for shape, reach in REACHES}
    assert kinds == {(1, "zero"), (1, "inside"), (2, "zero"), (2, "inside")}
    beyond = [any(e is None for _, e in each_place(s, r)) for s, r in REACHES if r["edge"] == "zero"]
    assert 100 < sum(beyond) < len(beyond)
    assert sum(any(min(pair) < 0 for pair in r["padding"]) for _, r in REACHES) > 100


def test_windows_are_those_of_a_loop() -> None:
    for k, (shape, reach) in enumerate(REACHES):
        x = integers((*LEADS[k % 3], *shape), k)
        found, wanted = structural.windows(x, **reach), windows_by_loop(x, reach)
        assert found.shape == wanted.shape == rules_of_shapes.windows(x.shape, **reach), (shape, reach)
        assert (found == wanted).all(), (shape, reach)


def test_windows_fill_in_what_they_are_told_to() -> None:
    reach = along({"kernel": 3, "stride": 1, "padding": (2, 1), "dilation": 1}, edge="zero")
    assert structural.windows(np.array([5, 6]), zero=-1, **reach).tolist() == [[-1, -1, 5], [-1, 5, 6], [5, 6, -1]]
    inside = {**reach, "edge": "inside"}
    assert structural.windows(np.array([5, 6]), **inside).tolist() == [[5, 5, 5], [5, 5, 6], [5, 6, 5]]


def test_fold_adds_up_what_a_loop_adds_up() -> None:
    for k, (shape, reach) in enumerate(REACHES):
        counts = structural.windows(np.zeros(shape), **reach).shape
        x = integers((*LEADS[k % 3], *counts), k)
        found, wanted = structural.fold(x, size=shape, **reach), fold_by_loop(x, shape, reach)
        assert found.shape == wanted.shape == rules_of_shapes.fold(x.shape, size=shape, **reach), (shape, reach)
        assert (found == wanted).all(), (shape, reach)


CHOICES = [(0, (0,)), (0, (2, 2, 0)), (1, (3, 1, 1, 0, 3)), (-1, (1, 1, 1)), (-2, (0, 1, 2)), (2, (1, 0))]


@pytest.mark.parametrize(("axis", "index"), CHOICES)
def test_select_index_is_a_loop_over_positions(axis: int, index: tuple[int, ...]) -> None:
    x = integers((3, 4, 2), 1)
    found = FLOAT_ARRAYS.function("select_index", (("axis", axis), ("index", index)))(x)
    assert found.shape == rules_of_shapes.select_index(x.shape, axis=axis, index=index)
    for k, chosen in enumerate(index):
        assert (np.take(found, k, axis) == np.moveaxis(x, axis, 0)[chosen]).all()


@pytest.mark.parametrize("rows", [[0], [4, 4, 1], [[0, 3], [3, 2]]])
def test_lookup_takes_rows(rows: Any) -> None:
    table, i = integers((5, 3), 2), np.array(rows)
    found = FLOAT_ARRAYS.function("lookup")(table, i)
    assert found.shape == rules_of_shapes.lookup(table.shape, i.shape)
    for place_, row in np.ndenumerate(i):
        assert (found[place_] == table[row]).all()


# The rules are transposes: <f(x), c> = <x, fᵀ(c)>, exactly, in whole numbers


def pull(op: str, c: Array, *operands: Array, **params: Any) -> Array:
    """Return what backprop's rule sends back to the first operand."""
    out = FLOAT_ARRAYS.function(op, tuple(params.items()))(*operands)
    return FLOAT_ARRAYS.rule(op, tuple(params.items())).fast(c, *operands, out)[0]


def test_the_rule_of_windows_is_its_transpose() -> None:
    for k, (shape, reach) in enumerate(REACHES):
        x = integers((*LEADS[k % 3], *shape), k)
        out = structural.windows(x, **reach)
        c = integers(out.shape, k + 10_000)
        back = pull("windows", c, x, **reach)
        assert back.shape == x.shape
        assert (out * c).sum() == (x * back).sum(), (shape, reach)
        # And the same number by number: what a loop adds up at each element.
        assert (back == fold_by_loop(c, shape, reach)).all(), (shape, reach)


def test_the_rule_of_fold_is_its_transpose() -> None:
    for k, (shape, reach) in enumerate(REACHES):
        counts = structural.windows(np.zeros(shape), **reach).shape
        x, c = integers((*LEADS[k % 3], *counts), k), integers((*LEADS[k % 3], *shape), k + 10_000)
        back = pull("fold", c, x, size=shape, **reach)
        assert back.shape == x.shape
        assert (structural.fold(x, size=shape, **reach) * c).sum() == (x * back).sum(), (shape, reach)
        assert (back == windows_by_loop(c, reach)).all(), (shape, reach)


@pytest.mark.parametrize(("axis", "index"), CHOICES)
def test_the_rule_of_select_index_is_its_transpose(axis: int, index: tuple[int, ...]) -> None:
    x = integers((3, 4, 2), 1)
    out = FLOAT_ARRAYS.function("select_index", (("axis", axis), ("index", index)))(x)
    c = integers(out.shape, 3)
    back = pull("select_index", c, x, axis=axis, index=index)
    assert back.shape == x.shape
    wanted = np.zeros_like(x)
    for k, chosen in enumerate(index):
        np.moveaxis(wanted, axis, 0)[chosen] += np.take(c, k, axis)
    assert (back == wanted).all()
    assert (out * c).sum() == (x * back).sum()


@pytest.mark.parametrize("rows", [[0], [4, 4, 1], [[0, 3], [3, 2]]])
def test_the_rule_of_lookup_is_its_transpose(rows: Any) -> None:
    table, i = integers((5, 3), 2), np.array(rows)
    out = FLOAT_ARRAYS.function("lookup")(table, i)
    c = integers(out.shape, 4)
    back = pull("lookup", c, table, i)
    wanted = np.zeros_like(table)
    for place_, row in np.ndenumerate(i):
        wanted[row] += c[place_]
    assert (back == wanted).all()
    assert (out * c).sum() == (table * back).sum()


# In networks: right as they are, caught when broken


def verify(row: dict[str, Any]) -> Ran:
    return run("verify", "-", "-o", "json", stdin=json.dumps(row["spec"]).encode())


def blamed(ran: Ran, row: dict[str, Any]) -> bool:
    """Whether the report names the op at fault and the layer that uses it."""
    return f"the backward rule of {row['op']} of `{row['node']}` is wrong" in " ".join(ran.report["checks"][0]["notes"])


def words(ran: Ran) -> set[str]:
    return {g["verdict"] for check in ran.report["checks"] for g in check["gradients"]}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_layers_of_windows_agree(row: dict[str, Any]) -> None:
    ran = verify(row)
    assert ran.status == 0, ran.err
    assert "agree" in words(ran)
    assert words(ran) <= {"agree", "not_exercised"}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_broken_rule_is_caught(row: dict[str, Any]) -> None:
    rules, missed = tuple(OPS[row["op"]].vjp), []
    broken = {m: replaced(rules, 0, mutated(rules[0], m)) for m in MUTATIONS}
    if row.get("twice"):
        # On the way through an op and the same op again a wrong sign is right.
        del broken["sign"]
    if row.get("swap"):
        broken["swapped"] = rules[::-1]
    for what, changed in broken.items():
        with rules_replaced(row["op"], "vjp", changed):
            ran = verify(row)
            if ran.status != 1 or "disagree" not in words(ran) or not blamed(ran, row):
                missed.append((what, ran.status))
    assert missed == []


@contextmanager
def function_replaced(name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Give every system of arrays another function `name`, for as long as a `with` block lasts."""
    with ExitStack() as stack:
        for natives in (structural.NATIVES, arrays.STRUCTURAL, FLOAT_ARRAYS.natives):
            stack.enter_context(mock.patch.dict(natives, {name: function}))
        for memory in (FLOAT_ARRAYS._functions, FLOAT_ARRAYS._rules):
            stack.enter_context(mock.patch.dict(memory, clear=True))
        yield


def without_adding_up(g: Array, x: Array, **reach: Any) -> Array:
    """Undo windows, but let the last window that reaches an element win."""
    result = np.zeros(np.shape(x), dtype=np.asanyarray(g).dtype)
    rank = len(reach["kernel"])
    for index, element in each_place(np.shape(x)[np.ndim(x) - rank :], reach):
        if element is not None:
            result[(..., *element)] = g[(..., *index)]
    return result


def with_zeros_beyond(g: Array, x: Array, **reach: Any) -> Array:
    """Undo windows as if there were zeros beyond the edge, whatever there is."""
    return structural.unwindow(g, x, **{**reach, "edge": "zero"})


def unpadded(g: Array, x: Array, **reach: Any) -> Array:
    """Undo windows, one element too far to the left."""
    return structural.unwindow(g, x, **{**reach, "padding": tuple((a + 1, b - 1) for a, b in reach["padding"])})


def once(g: Array, x: Array, *, axis: int, index: tuple[int, ...]) -> Array:
    """Undo a selection, but forget that a position can be chosen twice."""
    result = np.zeros(np.shape(x), dtype=np.asanyarray(g).dtype)
    np.moveaxis(result, axis, 0)[list(index)] = np.moveaxis(np.asanyarray(g), axis, 0)
    return result


def each_row_once(g: Array, x: Array, i: Array) -> Array:
    """Undo a look-up, but forget that a row can be looked up twice."""
    result = np.zeros(np.shape(x), dtype=np.asanyarray(g).dtype)
    result[np.asarray(i).astype(int)] = g
    return result


def case(op: str, kind: str, **arguments: Any) -> dict[str, Any]:
    """Return the first row about a layer of this kind with these arguments."""
    found = [(row, row["spec"]["nodes"][row["node"]]) for row in ROWS if row["op"] == op]
    return next(row for row, step in found if step["type"] == kind and arguments.items() <= step.items())


@pytest.mark.parametrize(
    ("row", "name", "function"),
    [
        (case("windows", "Conv2d"), "unwindow", without_adding_up),
        (case("windows", "Conv2d"), "unwindow", unpadded),
        (case("windows", "MaxPool2d", padding=1), "unwindow", without_adding_up),
        (case("windows", "MaxPool2d", padding=1, kernel_size=3), "unwindow", with_zeros_beyond),
        (case("windows", "ZeroPad2d"), "unwindow", unpadded),
        (case("select_index", "Upsample", scale_factor=2), "unselect", once),
        (case("lookup", "Embedding"), "unlookup", each_row_once),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_usual_mistakes_are_caught(row: dict[str, Any], name: str, function: Callable[..., Any]) -> None:
    assert verify(row).status == 0
    with function_replaced(name, function):
        ran = verify(row)
    assert ran.status == 1
    assert "disagree" in words(ran)
    assert blamed(ran, row)
    assert verify(row).status == 0


def test_every_row_about_windows_has_a_case() -> None:
    from gradcheck.ops import windows

    assert {op.name for op in windows.OPS if op.vjp} == {row["op"] for row in ROWS}
