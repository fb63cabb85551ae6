"""The numbers of a spec: written in it, in a file beside it, or drawn from its seed.

Shapes are known at once, arrays are made only when every shape has been accepted.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gradcheck.errors import SpecError, did_you_mean
from gradcheck.language import array_files
from gradcheck.language.array_files import MAX_ELEMENTS
from gradcheck.networks import initialisers
from gradcheck.networks.tree import List, Map, Node, Scalar, numbers
from gradcheck.ops.shapes import Shape, show

DTYPES = ("float64", "float32", "int64", "int32", "bool")
OTHER_DTYPES = {"long": "int64", "int": "int32", "float": "float32", "double": "float64"}


class Data(NamedTuple):
    """A tensor of a spec.

    Attributes:
        node: where it stands.
        shape: its shape.
        make: returns it as float64 array (int64 for whole-number dtypes).
        numbers: its numbers in row-major order, if it is written out or read from a file.
        whole: whether they are whole numbers.
        dtype: as declared; None if nothing was said.
    """

    node: Node
    shape: Shape
    make: Callable[[], Any]
    numbers: Sequence[float] | None = None
    whole: bool = False
    dtype: str | None = None

    @property
    def discrete(self) -> bool:
        """Whether it is declared to say where to look, or what to mask, and is not differentiated."""
        return self.dtype is not None and not self.dtype.startswith("float")


class Folder(NamedTuple):
    """Where files may come from.

    Attributes:
        path: the spec's folder.
        outside: whether files elsewhere may be read too.
        seed: the spec's seed.
    """

    path: str
    outside: bool
    seed: int


def read(node: Node, name: str, folder: Folder, shape: Shape | None = None) -> Data:
    """Read the tensor `name`: numbers, or a map with `value`, `file` or `shape` and `init`.

    Args:
        node: its place.
        name: what it is called; random numbers depend on it.
        folder: where files may come from.
        shape: the shape it must have, if that is known.

    Raises:
        SpecError: with the place.
    """
    found = _described(node, name, folder, shape) if isinstance(node, Map) else _written(node, node, None)
    if shape is not None and found.shape != shape:
        raise node.error(f"`{name}` is {show(found.shape)}, but it must be {show(shape)}")
    return found


def _described(node: Map, name: str, folder: Folder, shape: Shape | None) -> Data:
    kinds = [key for key in ("value", "file", "shape", "init") if key in node.items]
    if not kinds:
        raise node.error(f"`{name}` has no numbers", "give value: …, file: …, or shape: … and init: …")
    dtype = _dtype(node)
    if kinds[0] == "value":
        _only(node, ("value", "dtype"))
        return _written(node.items["value"][1], node, dtype)
    if kinds[0] == "file":
        _only(node, ("file", "key", "dtype"))
        return _from_file(node, folder, dtype)
    return _drawn(node, name, folder, shape)


def _only(node: Map, known: Sequence[str]) -> None:
    for key, (place, _) in node.items.items():
        if key not in known:
            raise place.error(f"unknown key `{key}`", did_you_mean(key, known) or f"known here: {', '.join(known)}")


def _dtype(node: Map) -> str | None:
    if "dtype" not in node.items:
        return None
    place = node.items["dtype"][1]
    if not isinstance(place, Scalar):
        raise place.error("expected the name of a dtype", f"known: {', '.join(DTYPES)}")
    text = place.text.removeprefix("torch.")
    text = OTHER_DTYPES.get(text, text)
    if text not in DTYPES:
        raise place.error(f"unknown dtype `{text}`", f"known: {', '.join(DTYPES)}")
    return text


def _written(node: Node, whole_node: Node, dtype: str | None) -> Data:
    flags = _flags(node)
    if flags is not None:
        flat, shape, whole = flags
        dtype = dtype or "bool"
    else:
        flat, shape, whole = numbers(node)
    return _finished(whole_node, shape, flat, whole, dtype)


def _flags(node: Node) -> tuple[list[float], Shape, bool] | None:
    """Read a list of true and false as ones and zeros; None if it holds something else."""
    level: list[Node] = [node]
    shape: list[int] = []
    while isinstance(level[0], List):
        rows = [row.items for row in level if isinstance(row, List)]
        if len(rows) != len(level) or len({len(row) for row in rows}) != 1 or not rows[0]:
            return None
        shape.append(len(rows[0]))
        if isinstance(rows[0][0], Scalar) and not isinstance(rows[0][0].value, bool):
            return None
        level = [item for row in rows for item in row]
    values = [leaf.value if isinstance(leaf, Scalar) else None for leaf in level]
    if not all(isinstance(value, bool) for value in values):
        return None
    return [float(bool(value)) for value in values], tuple(shape), True


def _finished(node: Node, shape: Shape, flat: Sequence[float], whole: bool, dtype: str | None) -> Data:
    if dtype is not None and not dtype.startswith("float"):
        if not whole:
            raise node.error(f"dtype {dtype} needs whole numbers")
        if dtype == "bool" and any(n not in (0, 1) for n in flat):
            raise node.error("dtype bool needs true and false, or ones and zeros")
    if dtype == "float32":
        import struct

        try:
            # A standard size, so that struct looks whether the numbers fit.
            flat = struct.unpack(f"<{len(flat)}f", struct.pack(f"<{len(flat)}f", *flat))
        except OverflowError:
            raise node.error("a number is too large for float32") from None

    def make() -> Any:
        import numpy as np

        kind = int if dtype in ("int64", "int32") else float
        return np.array(flat, dtype=float).reshape(shape).astype(kind)

    return Data(node, shape, make, flat, whole, dtype)


def _from_file(node: Map, folder: Folder, dtype: str | None) -> Data:
    place = node.items["file"][1]
    if not isinstance(place, Scalar) or not place.text:
        raise place.error("expected the name of a .npy or .npz file")
    key = ""
    if "key" in node.items:
        key_place = node.items["key"][1]
        if not isinstance(key_place, Scalar):
            raise key_place.error("expected the name of an array in the file")
        key = key_place.text

    def refuse(message: str, hint: str | None = None) -> SpecError:
        return place.error(message, hint)

    array = array_files.read_array(_contained(place, folder), key, refuse, lambda _: "add key: and the name of one")
    flat: list[float] = array.ravel().tolist()
    if not flat:
        raise place.error("the array is empty")
    if not all(map(math.isfinite, flat)):
        raise place.error("the array holds numbers that are not finite")
    return _finished(node, array.shape, flat, all(n == int(n) for n in flat), dtype)


def _contained(place: Scalar, folder: Folder) -> str:
    """Return the file's path; links are followed before it is compared with the folder."""
    path = os.path.join(folder.path, place.text)
    if "\0" in path:
        raise place.error("a file name holds a null character")
    if not folder.outside:
        root = os.path.realpath(folder.path)
        if os.path.commonpath([root, os.path.realpath(path)]) != root:
            raise place.error(f"`{place.text}` lies outside of the spec's folder", "--outside-files allows it")
    return path


def _drawn(node: Map, name: str, folder: Folder, shape: Shape | None) -> Data:
    init = node.items["init"][1] if "init" in node.items else None
    if init is not None and not isinstance(init, Scalar):
        raise init.error("expected the name of an initialiser", f"known: {', '.join(initialisers.INITIALISERS)}")
    kind = init.text if init is not None else "normal_"
    if kind not in initialisers.INITIALISERS and f"{kind}_" in initialisers.INITIALISERS:
        kind += "_"
    if kind not in initialisers.INITIALISERS:
        known = initialisers.INITIALISERS
        hint = did_you_mean(kind, known) or f"known: {', '.join(known)}"
        raise (init or node).error(f"unknown initialiser `{kind}`", hint)
    if "shape" in node.items:
        place = node.items["shape"][1]
        flat, axes, whole = numbers(place) if not (isinstance(place, List) and not place.items) else ([], (0,), True)
        if not whole or len(axes) > 1 or any(n < 1 for n in flat):
            raise place.error("a shape is a list of whole numbers of at least 1")
        shape = tuple(int(n) for n in flat)
    if shape is None:
        raise node.error(f"`{name}` has no shape", "give shape: [2, 3]")
    if math.prod(shape) > MAX_ELEMENTS:
        raise node.error(f"`{name}` would have {math.prod(shape):,} numbers", f"the limit is {MAX_ELEMENTS:,}")
    values = {
        key: value.value if isinstance(value, Scalar) else None
        for key, (_, value) in node.items.items()
        if key not in ("shape", "init", "dtype")
    }
    try:
        arguments = initialisers.check(kind, shape, values)
    except ValueError as error:
        raise node.error(str(error)) from None
    dtype = _dtype(node)
    if dtype not in (None, "float64", "float32"):
        raise node.error(f"dtype {dtype} cannot be drawn", "write the numbers out, or give a file")
    final = shape

    def make() -> Any:
        import numpy as np

        array = initialisers.draw(kind, final, arguments, folder.seed, name)
        return array.astype(np.float32).astype(float) if dtype == "float32" else array

    return Data(node, shape, make, dtype=dtype)
