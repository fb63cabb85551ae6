"""The text of --at: numbers, arrays, generators and files, and what is refused."""

from __future__ import annotations

import io
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.checking.points import read, resolve
from gradcheck.errors import GradcheckError


def point(text: str, seed: int = 0) -> dict[str, Any]:
    (found,) = read([text])
    return {name: resolve(value, name, seed) for name, value in found.items()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=1", 1.0),
        ("x = -2.5e-3 ", -0.0025),
        ("x=+.5", 0.5),
        ("x=pi/4", np.pi / 4),
        ("x=-e^2", -(np.e**2)),
        ("x=1/3", 1 / 3),
        ("x=sqrt(2)*(1+1)", np.sqrt(2) * 2),
        ("x=max(1,2)", 2.0),
        ("x=[1,2,3]", [1, 2, 3]),
        ("x=[[1,2],[3,4]]", [[1, 2], [3, 4]]),
        ("x=[ 1/2 , -1, pi ]", [0.5, -1, np.pi]),
        ("x=[[[1]]]", [[[1]]]),
        ("x=zeros(2,3)", np.zeros((2, 3))),
        ("x=ones(2)", [1, 1]),
        ("x=eye(2)", np.eye(2)),
        ("x=eye(2,3)", np.eye(2, 3)),
        ("x=linspace(-1,1,5)", np.linspace(-1, 1, 5)),
        ("x=arange(3)", [0, 1, 2]),
        ("x=arange(1,2,0.25)", [1, 1.25, 1.5, 1.75]),
        ("x=arange(3,0,-1)", [3, 2, 1]),
        ("x=linspace(0,pi,3)", [0, np.pi / 2, np.pi]),
    ],
)
def test_value(text: str, value: Any) -> None:
    found = point(text)["x"]
    assert np.shape(found) == np.shape(value)
    assert np.allclose(found, value, rtol=1e-15, atol=0)


def test_names_points_and_repeats() -> None:
    assert point("x=1, β=2,lambda=3") == {"x": 1.0, "β": 2.0, "lambda": 3.0}
    points = read(["x=1,y=2; x=3,y=4;", "z=5"])
    assert [{n: v.data for n, v in p.items()} for p in points] == [{"x": 1, "y": 2, "z": 5}, {"x": 3, "y": 4, "z": 5}]
    points = read(["z=5", "x=1;x=2"])
    assert [p["x"].data for p in points] == [1, 2]
    assert [p["z"].data for p in points] == [5, 5]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "x=",
        "=1",
        "1=x",
        "x==1",
        "x=1 2",
        "x=1,,y=2",
        "x=nan",
        "x=inf",
        "x=-inf",
        "x=1e400",
        "x=[1e400]",
        "x=[1,nan]",
        "x=y",
        "x=[1,y]",
        "x=[1,2",
        "x=1]",
        "x=[1,[2,3]]",
        "x=[[1],[2,3]]",
        "x=[[],[1]]",
        "x=[1,,2]",
        "x=[,]",
        "x=randn(-1)",
        "x=randn(0.5)",
        "x=randn(1e9)",
        "x=randn(99999,99999)",
        "x=zeros(1,2,)z",
        "x=linspace(1)",
        "x=arange()",
        "x=arange(0,1,0)",
        "x=rand(y)",
        "x=1/0",
        "x=log(0)",
        "x=0/0",
        "x=x=1",
        "x=1;x",
        "x=f(2)",
        "x=(1,2)",
        "x={1}",
        'x="1"',
        "x=" + "[" * 33 + "1" + "]" * 33,
        "x=__import__('os')",
        "x=9^9^9^9",
        "x=@",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        point(text)
    assert caught.value.source is not None
    assert caught.value.span is not None
    assert 0 <= caught.value.span[0] <= len(text)


def test_random_arrays_depend_on_seed_and_name_alone() -> None:
    first, again, other = point("x=randn(3,2)"), point("x=randn(3,2)"), point("x=randn(3,2)", seed=1)
    assert np.array_equal(first["x"], again["x"])
    assert not np.any(first["x"] == other["x"])
    both = point("y=rand(4),x=randn(3,2)")
    assert np.array_equal(both["x"], first["x"])
    assert not np.any(point("y=randn(3,2)")["y"] == first["x"])
    assert np.all((both["y"] >= 0) & (both["y"] < 1))


def test_random_arrays_are_the_same_in_every_version() -> None:
    """Seeds are written into reports and scripts, so the numbers behind them must not change."""
    expected = np.random.default_rng([0, 0x8CDC1683]).standard_normal(3)
    assert np.array_equal(point("x=randn(3)")["x"], expected)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files(folder: pathlib.Path) -> None:
    array = np.array([[1.5, 2.0], [-3.0, 4.0]])
    np.save(folder / "W.npy", array)
    np.savez(folder / "two.npz", first=array, second=array.T * 2)
    np.save(folder / "whole.npy", np.array([1, 2, 3], dtype=np.int32))
    np.save(folder / "one.npy", np.float32(2.5))
    assert np.array_equal(point("W=@W.npy")["W"], array)
    assert np.array_equal(point("x=1,W=@two.npz:second")["W"], array.T * 2)
    assert point("W=@whole.npy")["W"].dtype == float
    assert point("W=@one.npy")["W"] == 2.5
    report = gradcheck.check("sum(W @ x)", at="W=@W.npy,x=[1,2]")
    assert [g.backprop for g in report.checks[0].gradients] == [1, 2, 1, 2, -1.5, 6]


class Bomb:
    """Unpickling this leaves a trace on disk."""

    def __reduce__(self) -> Any:
        return (pathlib.Path("exploded").touch, ())


def header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def bad_files() -> dict[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.npy", header("(20000000,)") + bytes(160_000_000))
    bomb = buffer.getvalue()
    objects, saved = io.BytesIO(), {}
    np.save(objects, np.array([Bomb(), 1], dtype=object), allow_pickle=True)
    for name, value in {
        "nan": np.array([1.0, np.nan]),
        "text": np.array(["a"]),
        "complex": np.array([1j]),
        "date": np.array(["2020"], "M8[Y]"),
    }.items():
        stream = io.BytesIO()
        np.save(stream, value)
        saved[f"{name}.npy"] = stream.getvalue()
    return {
        **saved,
        "objects.npy": objects.getvalue(),
        "pickle.npy": pickle.dumps(Bomb()),
        "pickle.pkl": pickle.dumps([1.0]),
        "text.txt": b"1 2 3",
        "empty.npy": b"",
        "cut.npy": header("(1000,)") + bytes(16),
        "huge.npy": header("(99999999999, 99999999)"),
        "negative.npy": header("(-1,)"),
        "code.npy": header("(__import__('pathlib').Path('exploded').touch(),)"),
        "bad.npz:k": b"PK\x03\x04rubbish",
        "big.npz:big": bomb,
        "big.npz:none": bomb,
        "big.npz": bomb,
        "version.npy": b"\x93NUMPY\x09\x00" + bytes(100),
    }


BAD = bad_files()


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_and_never_run(name: str, folder: pathlib.Path) -> None:
    (folder / name.partition(":")[0]).write_bytes(BAD[name])
    with pytest.raises(GradcheckError) as caught:
        gradcheck.check("sum(x)", at=f"x=@{name}")
    assert caught.value.span == (2, 3 + len(name))
    assert not (folder / "exploded").exists()


@pytest.mark.parametrize("name", ["missing.npy", "", ".", "missing.npz:x", "dir"])
def test_files_that_are_not_there(name: str, folder: pathlib.Path) -> None:
    (folder / "dir").mkdir()
    with pytest.raises(GradcheckError):
        gradcheck.check("sum(x)", at=f"x=@{name}")


def test_python_callers_give_numbers_and_arrays() -> None:
    report = gradcheck.check("sum(x)*y", at={"x": np.array([1, 2]), "y": 3})
    assert report.checks[0].point == {"x": [1.0, 2.0], "y": 3.0}
    several = gradcheck.check("x^2", at=[{"x": 1}, {"x": 2}])
    assert [c.gradients[0].backprop for c in several.checks] == [2.0, 4.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("-inf")]])
def test_python_callers_cannot_give_what_is_not_finite(value: Any) -> None:
    with pytest.raises(GradcheckError, match="not finite"):
        gradcheck.check("sum(x)", at={"x": value})
