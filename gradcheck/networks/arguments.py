"""The kinds of constructor arguments: what a value must be, in code, in words and as JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradcheck.networks.layer import INFERRED, REQUIRED, Argument

WHOLE: Mapping[str, Any] = {"type": "integer"}
NUMBER: Mapping[str, Any] = {"type": "number"}
SWITCH: Mapping[str, Any] = {"type": "boolean"}
LIST_OF_WHOLE: Mapping[str, Any] = {"type": "array", "items": WHOLE}

NULL: Mapping[str, Any] = {"type": "null"}

LARGEST = 2**31
"""No axis, stride or count is as large."""


def _whole(value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < LARGEST:
        raise ValueError
    return value


def integer(name: str, default: Any = REQUIRED, least: int = 1) -> Argument:
    """A whole number of at least `least`."""
    words = "a whole number" if least < 0 else f"a whole number of at least {least}"
    return Argument(name, lambda v: _whole(v, least), words, default, kind={**WHOLE, "minimum": least})


def optional_integer(name: str, least: int = 1) -> Argument:
    """A whole number, or None."""
    words = f"a whole number of at least {least}, or null"
    kind = {"anyOf": [{**WHOLE, "minimum": least}, NULL]}
    return Argument(name, lambda v: None if v is None else _whole(v, least), words, None, kind=kind)


def inferred(name: str) -> Argument:
    """A size that follows from the input's shape if it is left out."""
    return integer(name)._replace(default=INFERRED)


def number(name: str, default: Any = REQUIRED, least: float = -math.inf, above: float = -math.inf) -> Argument:
    """A finite number, of at least `least`, or greater than `above`."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError
        result = float(value) if abs(value) < 1e308 else math.inf
        if not math.isfinite(result) or result < least or result <= above:
            raise ValueError
        return result

    kind = {**NUMBER, **({"minimum": least} if least > -math.inf else {})}
    kind |= {"exclusiveMinimum": above} if above > -math.inf else {}
    words = "a number"
    words += f" of at least {least:g}" if least > -math.inf else f" greater than {above:g}" if above > -math.inf else ""
    return Argument(name, read, words, default, kind=kind)


def optional_number(name: str, above: float = -math.inf) -> Argument:
    """A finite number, or None."""
    plain = number(name, None, above=above)
    kind = {"anyOf": [plain.kind, NULL]}
    return plain._replace(read=lambda v: None if v is None else plain.read(v), expects="a number or null", kind=kind)


def boolean(name: str, default: bool, inert: bool = False) -> Argument:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Argument(name, read, "true or false", default, inert, SWITCH)


def choice(name: str, words: tuple[str, ...], default: str) -> Argument:
    """One of some words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Argument(name, read, "one of " + ", ".join(words), default, kind={"enum": list(words)})


def inert(name: str) -> Argument:
    """An argument that torch's constructors take and that changes no value here."""
    return Argument(name, lambda v: v, "anything; it changes nothing here", None, inert=True)


def legacy(name: str) -> Argument:
    """An argument that torch replaced by `reduction`: only its default, which changes nothing, is taken."""

    def read(value: Any) -> Any:
        if value not in (None, True):
            raise ValueError
        return value

    return Argument(name, read, "left out: write reduction: sum or none", None, inert=True)


def per_axis(name: str, rank: int, default: Any = REQUIRED, least: int = 1) -> Argument:
    """A whole number, or one for each of `rank` axes; the plan gets a tuple."""

    def read(value: Any) -> tuple[int, ...]:
        parts = value if isinstance(value, tuple) else (value,) * rank
        if len(parts) == 1:
            parts = parts * rank
        if len(parts) != rank:
            raise ValueError
        return tuple(_whole(part, least) for part in parts)

    words = f"a whole number of at least {least}" + (f", or {rank} of them" if rank > 1 else "")
    return Argument(name, read, words, default, kind={"anyOf": [WHOLE, LIST_OF_WHOLE]})


def optional_per_axis(name: str, rank: int, inner: bool = False) -> Argument:
    """Like `per_axis`, or None; with `inner`, single axes may be None too."""
    plain = per_axis(name, rank)

    def read(value: Any) -> Any:
        if value is None:
            return None
        if inner and isinstance(value, tuple) and len(value) == rank:
            return tuple(None if part is None else _whole(part, 1) for part in value)
        return plain.read(value)

    items = {"anyOf": [WHOLE, NULL]} if inner else WHOLE
    kind = {"anyOf": [WHOLE, {"type": "array", "items": items}, NULL]}
    return plain._replace(read=read, default=None, expects=plain.expects + ", or null", kind=kind)


def padding(rank: int) -> Argument:
    """Padding of a convolution: numbers, `same` or `valid`."""
    plain = per_axis("padding", rank, (0,) * rank, least=0)

    def read(value: Any) -> Any:
        return value if value in ("same", "valid") else plain.read(value)

    kind = {"anyOf": [WHOLE, LIST_OF_WHOLE, {"enum": ["same", "valid"]}]}
    return plain._replace(read=read, expects=plain.expects + ", same or valid", kind=kind)


def whole_numbers(name: str, default: Any = REQUIRED, least: int = 0) -> Argument:
    """A whole number or a list of them; the plan gets a tuple."""

    def read(value: Any) -> tuple[int, ...]:
        return tuple(_whole(part, least) for part in (value if isinstance(value, tuple) else (value,)))

    return Argument(name, read, "whole numbers", default, kind={"anyOf": [WHOLE, LIST_OF_WHOLE]})


def axes(name: str, default: Any = None) -> Argument:
    """An axis, several, or None for all."""
    plain = whole_numbers(name, default, least=-64)

    def read(value: Any) -> Any:
        return None if value is None else plain.read(value)

    return plain._replace(read=read, expects="an axis, a list of axes, or null", kind={"anyOf": [plain.kind, NULL]})


def axis(name: str = "dim", default: Any = REQUIRED) -> Argument:
    """One axis, counted from 0 or from -1."""
    return Argument(name, lambda v: _whole(v, -64), "an axis: a whole number", default, kind=WHOLE)


def reduction(words: tuple[str, ...] = ("mean", "sum", "none"), default: str = "mean") -> Argument:
    """How a loss adds up."""
    return choice("reduction", words, default)


def tensor(name: str, words: str = "numbers, or the name of an input") -> Argument:
    """A tensor that belongs to the layer: a nested list, or the name of an input."""
    return Argument(name, lambda v: v, words, None, kind={}, operand=True)
