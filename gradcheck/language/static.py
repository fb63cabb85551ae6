"""Arguments that are part of the program and not of its data: axes, shapes and indices.

They are read from the text as literals, never computed, so that shapes are known before
any number is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradcheck.errors import LanguageError, Source

_BLANK = re.compile(r"\s*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(?![\w.])")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}\.[0-9]{0,18}(?![\w.])|[+-]?\.[0-9]{1,18}(?![\w.])")
_INFINITY = re.compile(r"([+-]?)(?:(?:np|math|torch|jnp|numpy)\.)?inf(?!\w)")
_TEXT = re.compile(r"\"([^\"\n]{0,200})\"|'([^'\n]{0,200})'")
_WORD = re.compile(r"[^\W0-9]\w*")
WORDS: dict[str, Any] = {"None": None, "True": True, "False": False, "newaxis": None}


DEEPEST = 2
"""How deep tuples may lie in one another."""


def skip_blanks(text: str, pos: int) -> int:
    """Return the first place from `pos` on that is not blank."""
    match = _BLANK.match(text, pos)
    return match.end() if match else pos


def value(source: Source, pos: int, names: Mapping[str, Any], depth: int = 0) -> tuple[Any, int]:
    """Read a number, a tuple of such, a quoted text, True, False or None; return it and where it ends.

    Raises:
        LanguageError: if something else stands there.
    """
    text = source.text
    pos = skip_blanks(text, pos)
    if text[pos : pos + 1] in ("(", "["):
        close = ")" if text[pos] == "(" else "]"
        parts: list[Any] = []
        pos = skip_blanks(text, pos + 1)
        while text[pos : pos + 1] != close:
            nested = text[pos : pos + 1] in ("(", "[") and depth < DEEPEST
            part, pos = value(source, pos, names, depth + 1) if nested else _single(source, pos, names)
            parts.append(part)
            pos = skip_blanks(text, pos)
            if text[pos : pos + 1] == ",":
                pos = skip_blanks(text, pos + 1)
            elif text[pos : pos + 1] != close:
                raise LanguageError(f"expected `,` or `{close}`", source, (pos, pos + 1))
        return tuple(parts), pos + 1
    if match := _TEXT.match(text, pos):
        return match[1] if match[1] is not None else match[2], match.end()
    if match := _INFINITY.match(text, pos):
        return float(f"{match[1]}inf"), match.end()
    if match := _DECIMAL.match(text, pos):
        return float(match[0]), match.end()
    return _single(source, pos, names)


def _single(source: Source, pos: int, names: Mapping[str, Any]) -> tuple[Any, int]:
    match = _INTEGER.match(source.text, pos)
    if match:
        return int(match[0]), match.end()
    match = _WORD.match(source.text, pos)
    if match and match[0] in names:
        return names[match[0]], match.end()
    if match and match[0] in WORDS:
        return WORDS[match[0]], match.end()
    raise LanguageError(
        "expected a whole number here", source, (pos, pos + 1), "axes, shapes and indices are written out"
    )


def index(source: Source, pos: int, names: Mapping[str, Any]) -> tuple[tuple[Any, ...], int]:
    """Read what stands between [ and ]: integers, slices, `...` and None.

    `pos` is just after the bracket. Returns the index as numpy takes it, and the place after
    the closing bracket.
    """
    text = source.text
    parts: list[Any] = []
    opened = pos - 1
    pos = skip_blanks(text, pos)
    bare = _WORD.match(text, pos)
    if bare and bare[0] in names and text[bare.end() : bare.end() + 1] == "]":
        return names[bare[0]], bare.end() + 1
    while True:
        if pos >= len(text):
            raise LanguageError("this bracket is never closed", source, (opened, opened + 1), "add `]`")
        if text.startswith("...", pos):
            parts.append(Ellipsis)
            pos += 3
        elif text[pos : pos + 1] == "[":
            part, pos = value(source, pos, names)
            if not part or not all(isinstance(one, int) and not isinstance(one, bool) for one in part):
                raise LanguageError(
                    "a list of positions holds whole numbers", source, (pos - 1, pos), "as in x[[0, 2]]"
                )
            parts.append(part)
        else:
            part, pos = _slice(source, pos, names)
            parts.append(part)
        pos = skip_blanks(text, pos)
        if text[pos : pos + 1] == "]":
            return tuple(parts), pos + 1
        if text[pos : pos + 1] != ",":
            found = text[pos : pos + 1]
            message = f"expected `,` or `]`, found `{found}`" if found else "this bracket is never closed"
            raise LanguageError(message, source, (pos, pos + 1) if found else (opened, opened + 1))
        pos = skip_blanks(text, pos + 1)


def _slice(source: Source, pos: int, names: Mapping[str, Any]) -> tuple[Any, int]:
    text = source.text
    bounds: list[int | None] = []
    while True:
        pos = skip_blanks(text, pos)
        if text[pos : pos + 1] in (":", ",", "]"):
            bound = None
        else:
            bound, pos = _single(source, pos, names)
            pos = skip_blanks(text, pos)
            if bound is None and not bounds and text[pos : pos + 1] != ":":
                return None, pos
        bounds.append(bound)
        if text[pos : pos + 1] != ":":
            break
        if len(bounds) == 3:
            raise LanguageError("a slice has at most three parts", source, (pos, pos + 1))
        pos += 1
    if len(bounds) == 1:
        if bounds[0] is None:
            raise LanguageError("expected an index", source, (pos, pos + 1), "as in x[0] or x[1:3]")
        return bounds[0], pos
    if len(bounds) == 3 and bounds[2] == 0:
        raise LanguageError("a slice cannot step by zero", source, (pos - 1, pos))
    return slice(*bounds), pos
