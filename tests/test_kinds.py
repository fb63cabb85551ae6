"""The kinds of case on which gradient checkers fail, each with cases of our own.

The true gradients in the data files were computed with mpmath at 700 digits from functions
written in Python, so that no part of gradcheck had a say in them.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from support import FORBIDDEN, cases, leaves, run

KINDS = ("right", "wrong", "claim", "kink", "lossy", "vacuous", "undefined", "nan", "parse", "lecture")
ROWS = [row for kind in KINDS for row in cases(f"{kind}.jsonl")]


def check(row: dict[str, Any]) -> Any:
    at = ",".join(f"{name}={value!r}" for name, value in row["at"].items())
    arguments = ["expr", row["expr"], "--at", at, "-o", "json"]
    for name, formula in row.get("claim", {}).items():
        arguments += ["--claim", f"{name}={formula}"]
    return run(*arguments)


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_case(row: dict[str, Any]) -> None:
    done = check(row)
    assert done.status == row["exit"], done.err
    names = row.get("names", [])
    if row["exit"] == 2:
        assert done.out == ""
        assert [name for name in names if name not in done.err] == [], done.err
        return
    rows = done.report["checks"][0]["gradients"]
    said = " ".join(g["reason"] or "" for g in rows)
    assert [name for name in names if name not in said] == [], said
    for name, word in row["verdict"].items():
        mine = [g for g in rows if g["input"] == name]
        words = word if isinstance(word, list) else [word] * len(leaves(row["at"][name]))
        assert [g["verdict"] for g in mine] == words, said
    for name, truth in row.get("gradient", {}).items():
        mine = [g for g in rows if g["input"] == name]
        for g, true in zip(mine, leaves(truth), strict=True):
            compare_numbers(g, true)


def compare_numbers(g: dict[str, Any], true: float) -> None:
    """The references are right to float64's last digits, and backprop is wherever the word says so."""
    # The truth in the data file is itself rounded to a float64.
    assert abs(g["finite_difference"] - true) <= g["error_bound"] + math.ulp(true)
    assert math.isclose(g["finite_difference"], true, rel_tol=1e-14, abs_tol=1e-80)
    if g["verdict"] == "agree":
        graded = g["claimed"] if g["claimed"] is not None else g["backprop"]
        assert math.isclose(graded, true, rel_tol=1e-6, abs_tol=1e-300)
        # SymPy has no number where its own derivative is 0/0; it never has another one.
        assert g["symbolic"] is None or math.isclose(g["symbolic"], true, rel_tol=1e-14, abs_tol=1e-300)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_cases(kind: str) -> None:
    assert Counter(row["id"].partition("/")[0] for row in ROWS)[kind] >= 8


def test_ids_are_distinct() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", [r for r in ROWS if r["exit"] == 2], ids=lambda r: r["id"])
def test_a_refusal_points_at_the_text(row: dict[str, Any]) -> None:
    done = check(row)
    first, *rest = done.err.splitlines()
    assert first.startswith("expression:1:")
    assert "^" in rest[1]
    assert "Traceback" not in done.err
    assert not FORBIDDEN.search(done.err)


COMPLETE = [row for row in ROWS if set(row["verdict"]) == set(row["at"])]


@pytest.mark.parametrize("row", COMPLETE, ids=[row["id"] for row in COMPLETE])
def test_strict_accepts_agreement_alone(row: dict[str, Any]) -> None:
    words = {w for word in row["verdict"].values() for w in leaves(word)}
    at = ",".join(f"{name}={value!r}" for name, value in row["at"].items())
    claims = [f"--claim={name}={formula}" for name, formula in row.get("claim", {}).items()]
    assert run("expr", row["expr"], "--at", at, "--strict", "-o", "json", *claims).status == int(words != {"agree"})
