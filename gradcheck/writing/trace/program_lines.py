"""Lines of a generated Python program: long statements broken at brackets and operators, comments beside or above."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from gradcheck.deriving.records import shape_of
from gradcheck.errors import visible

WIDTH = 100
"""Columns of a line, where that can be had."""

_LOOSEST_FIRST = (
    (" if ", " else "),
    (" < ", " <= ", " > ", " >= ", " == ", " != "),
    (" + ", " - "),
    (" * ", " / ", " @ "),
)


def comment(text: str, indent: str = "") -> list[str]:
    """Return a comment of as many lines as it takes; whatever the text holds, it stays a comment."""
    plain = " ".join(visible(" ".join(text.split())).split())
    width = WIDTH - len(indent) - 2
    lines = textwrap.wrap(plain, width, break_long_words=False, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in lines]


def beside(lines: Sequence[str], text: str) -> list[str]:
    """Return a statement with a comment: at its end where there is room, else above it."""
    if not text:
        return list(lines)
    remark = f"# {visible(' '.join(text.split()))}"
    if len(lines) == 1 and len(lines[0]) + 2 + len(remark) <= WIDTH:
        return [f"{lines[0]}  {remark}"]
    return [*comment(text), *lines]


def assigned(target: str, expression: str) -> list[str]:
    """Return `target` (a name and = or +=) with an expression, broken where it is too long for a line."""
    return _broken(f"{target} ", expression, "", "")


def _broken(head: str, text: str, tail: str, indent: str) -> list[str]:
    if len(indent) + len(head) + len(text) + len(tail) <= WIDTH:
        return [f"{indent}{head}{text}{tail}"]
    deeper = f"{indent}    "
    parts = _operands(text)
    if len(parts) > 1:
        lines = [line for part in parts for line in _broken("", part, "", deeper)]
        return lines if not head and not tail else [f"{indent}{head}(", *lines, f"{indent}){tail}"]
    opening = _last_call(text)
    if opening is None:
        return [f"{indent}{head}{text}{tail}"]
    start, end = opening, text[-1]
    inner = text[start + 1 : -1]
    if len(deeper) + len(inner) <= WIDTH:
        body = [f"{deeper}{inner}"]
    else:
        arguments = _arguments(inner)
        # In brackets that only group, a comma would make a tuple.
        called = text[:start][-1:].isidentifier() or text[:start][-1:].isdigit()
        comma = "," if len(arguments) > 1 or (called and "=" in inner) else ""
        body = [line for one in arguments for line in _broken("", one, comma, deeper)]
    return [f"{indent}{head}{text[: start + 1]}", *body, f"{indent}{end}{tail}"]


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Yield (place, depth of brackets) of every character outside of strings."""
    depth, quoted = 0, False
    for k, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        if quoted:
            continue
        depth -= c in ")]"
        yield k, depth
        depth += c in "(["


def _operands(text: str) -> list[str]:
    """Split at the operators that bind most loosely; each but the first part begins with its operator."""
    outer = [k for k, depth in _depths(text) if depth == 0]
    for operators in _LOOSEST_FIRST:
        places = [k + 1 for k in outer if any(text.startswith(one, k) for one in operators)]
        if places:
            ends = [0, *places, len(text)]
            return [text[a:b].strip() for a, b in pairwise(ends)]
    return [text]


def _last_call(text: str) -> int | None:
    """Return where the bracket opens that closes at the end of the text."""
    if not text.endswith((")", "]")):
        return None
    return max(k for k, depth in _depths(text) if depth == 0 and text[k] in "([")


def _arguments(text: str) -> list[str]:
    places = [k for k, depth in _depths(text) if depth == 0 and text[k] == ","]
    ends = [-1, *places, len(text)]
    return [text[a + 1 : b].strip() for a, b in pairwise(ends) if text[a + 1 : b].strip()]


def literal(target: str, value: Any, number: str = "{}") -> list[str]:
    """Return an assignment of numbers, each with all its digits.

    Args:
        target: the name.
        value: a number or an array.
        number: how a single number stands, with {} for its text.
    """
    if not shape_of(value):
        return [f"{target} = {number.format(_number(value))}"]
    items = value.tolist()
    line = f"{target} = np.array({_nested(items)})"
    if len(line) <= WIDTH:
        return [line]
    return [f"{target} = np.array(", *_rows(items, "    ", ""), ")"]


def _nested(items: Any) -> str:
    if not hasattr(items, "append"):
        return _number(items)
    return f"[{', '.join(map(_nested, items))}]"


def _rows(items: list[Any], indent: str, comma: str) -> list[str]:
    line = f"{indent}{_nested(items)}{comma}"
    if len(line) <= WIDTH:
        return [line]
    deeper = f"{indent}    "
    if hasattr(items[0], "append"):
        inner = [line for one in items for line in _rows(one, deeper, ",")]
    else:
        # Filled, and not a number a line: a row of a matrix should stay one thing.
        text = ", ".join(map(_number, items)) + ","
        inner = textwrap.wrap(text, WIDTH, initial_indent=deeper, subsequent_indent=deeper)
    return [f"{indent}[", *inner, f"{indent}]{comma}"]


def _number(value: Any) -> str:
    text = repr(value if type(value) is int else float(value))
    return f"np.{text}" if text in ("nan", "inf") else "-np.inf" if text == "-inf" else text
