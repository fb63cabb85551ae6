"""What a spec says, as a tree that remembers where each part of it stands in the file.

Plain scalars mean what the core schema of YAML 1.2 says (https://yaml.org/spec/1.2.2/#103-core-schema):
`1e-6` is a number and `no` is a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, NoReturn

from gradcheck.errors import GradcheckError, Source, SpecError

MAX_AXES = 32
MAX_DIGITS = 4000

Value = int | float | bool | str | None

_WORDS: dict[str, Value] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")}
_WORDS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DECIMALS = re.compile(f"{_FLOAT.pattern}(?:,{_FLOAT.pattern})*")
_MISSING_BLANK = re.compile(r"\s*[A-Za-z_][\w.]*:[^\s:]")
_BREAK = re.compile(r"[ \t]*\r?\n\s*")


class Node:
    """A part of a document.

    Attributes:
        kind: which of the three it is.
        source: the file.
        start, end: the place in `source.text`; of a list or map in block style, up to its last part.
    """

    __slots__ = ("end", "source", "start")
    kind: Literal["map", "list", "scalar"]

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    @property
    def span(self) -> tuple[int, int]:
        """The place in the file's text, from the first character to behind the last."""
        return self.start, self.end

    def error(self, message: str, hint: str | None = None) -> SpecError:
        """Return an error that points here."""
        return SpecError(message, self.source, self.span, hint)


class Scalar(Node):
    """A single word, number or text.

    Attributes:
        text: as YAML decodes it.
        style: `'`, `"`, `|` or `>`; `!` for the tag `!!str`; empty if it is plain.
    """

    __slots__ = ("style", "text")
    kind = "scalar"

    def __init__(self, source: Source, start: int, end: int, text: str, style: str) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.text = text
        self.style = style

    @property
    def quoted(self) -> bool:
        """True if the value is text whatever it looks like."""
        return bool(self.style)

    @property
    def value(self) -> Value:
        """What it means; a whole number of more than MAX_DIGITS digits stays text."""
        return self.text if self.style else resolve(self.text)

    @property
    def missing_blank(self) -> bool:
        """True if this text looks like `key:value`, which YAML takes for one word."""
        return not self.style and bool(_MISSING_BLANK.match(self.text))

    def inner(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the file of the part of `text` from `start` to `end`.

        It is exact unless the text is written with escapes; then it is the whole scalar.
        """
        places = self._places(max(start, end - 1))
        if places is None or not 0 <= start <= end <= len(self.text):
            return self.span
        first = places[start]
        return first, places[end - 1] + 1 if end > start else first

    def outward(self, error: GradcheckError) -> GradcheckError:
        """Return an error about a place in `text` as one about the place in the file."""
        span = self.span if error.span is None else self.inner(*error.span)
        return type(error)(error.message, self.source, span, error.hint)

    def _places(self, last: int) -> list[int] | None:
        """Return where each character of `text` up to `last` stands in the file."""
        raw, pos, places = self.source.text, self.start, list[int]()
        if self.style in ("|", ">"):
            pos = raw.find("\n", pos) + 1
            pos += len(raw[pos : self.end]) - len(raw[pos : self.end].lstrip())
            blanks = len(self.text) - len(self.text.lstrip())
            places += [pos - blanks + k for k in range(blanks)]
        elif self.style in ("'", '"'):
            pos += 1
        at = len(places)
        while at <= last and at < len(self.text):
            if gap := _BREAK.match(raw, pos):
                pos = gap.end()
                while at < len(self.text) and self.text[at].isspace():
                    places.append(pos - 1)
                    at += 1
                continue
            if pos >= self.end or raw[pos] != self.text[at] or (self.style == '"' and raw[pos] == "\\"):
                return None
            places.append(pos)
            pos += 2 if self.style == "'" and raw[pos] == "'" else 1
            at += 1
        return places if len(places) > last else [*places, pos]


class List(Node):
    """A sequence."""

    __slots__ = ("items",)
    kind = "list"

    def __init__(self, source: Source, start: int, end: int) -> None:
        super().__init__(source, start, end)
        self.items: list[Node] = []


class Map(Node):
    """A mapping; a key is the text as it is written, so that `1` and `true` are names like others."""

    __slots__ = ("items",)
    kind = "map"

    def __init__(self, source: Source, start: int, end: int) -> None:
        super().__init__(source, start, end)
        self.items: dict[str, tuple[Scalar, Node]] = {}


def resolve(text: str) -> Value:
    """Return what a plain scalar means in the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        # More digits than Python turns into a number, or a number into text.
        return int(text) if len(text) <= MAX_DIGITS else text
    if _FLOAT.fullmatch(text):
        return float(text)
    if _PREFIXED.fullmatch(text) and len(text) <= MAX_DIGITS // 2:
        return int(text, 0)
    return text


def oversized(scalar: Scalar) -> bool:
    """Return whether this is a whole number that `resolve` leaves as text for its length."""
    text = scalar.text
    if scalar.style or len(text) <= MAX_DIGITS // 2:
        return False
    return bool(_INTEGER.fullmatch(text) or _PREFIXED.fullmatch(text)) and isinstance(resolve(text), str)


def numbers(node: Node) -> tuple[list[float], tuple[int, ...], bool]:
    """Read a number, or nested lists of numbers.

    Returns:
        the numbers in row-major order, the shape (`()` for a number), and whether all are whole
        numbers as written.

    Raises:
        SpecError: for lists of unequal length, anything but finite numbers, empty lists and more
            than MAX_AXES axes.
    """
    if not isinstance(node, List):
        value, whole = _number(node)
        return [value], (), whole
    shape: list[int] = []
    level: Sequence[Node] = [node]
    while isinstance(level[0], List):
        if len(shape) == MAX_AXES:
            raise level[0].error(f"more than {MAX_AXES} axes")
        rows = [_row(part) for part in level]
        shape.append(len(rows[0].items))
        for row in rows:
            if len(row.items) != shape[-1]:
                raise _ragged(row, rows[0])
        level = rows[0].items if len(rows) == 1 else [item for row in rows for item in row.items]
    flat: list[float] = []
    all_whole = True
    step = 10_000
    for begin in range(0, len(level), step):
        values, whole = _flat(level[begin : begin + step])
        flat += values
        all_whole = all_whole and whole
    return flat, tuple(shape), all_whole


def _row(node: Node) -> List:
    if not isinstance(node, List):
        _mixed(node)
    if not node.items:
        raise node.error("this list is empty", "an array has at least one number")
    return node


def _ragged(row: List, first: List) -> SpecError:
    length, expected = len(row.items), len(first.items)
    line = row.source.position(first.start)[0]
    plural = "s" * (length != 1)
    return row.error(
        f"this list has {length} element{plural}, the first one has {expected}",
        f"the lists of an array are equally long; the first one is on line {line}",
    )


def _mixed(node: Node) -> NoReturn:
    if isinstance(node, Scalar):
        _number(node)
    raise node.error("numbers and lists are mixed in one array")


def _flat(leaves: Sequence[Node]) -> tuple[list[float], bool]:
    texts = [leaf.text for leaf in leaves if isinstance(leaf, Scalar) and not leaf.style]
    joined = ",".join(texts)
    if len(texts) == len(leaves) == joined.count(",") + 1 and _DECIMALS.fullmatch(joined):
        values = list(map(float, texts))
        whole = not ("." in joined or "e" in joined or "E" in joined)
        # The whole number -0 is 0; the float is not.
        if math.isfinite(sum(values)) and not (whole and "-0" in joined):
            return values, whole
    values, all_whole = [], True
    for leaf in leaves:
        value, whole = _number(leaf)
        values.append(value)
        all_whole = all_whole and whole
    return values, all_whole


def _number(node: Node) -> tuple[float, bool]:
    if not isinstance(node, Scalar):
        raise node.error(
            "numbers and lists are mixed in one array" if isinstance(node, List) else "expected a number, not a map"
        )
    value = node.value
    if value is None:
        raise node.error("a number is missing here")
    if isinstance(value, (bool, str)):
        shown = node.text if len(node.text) <= 40 else node.text[:40] + "…"
        raise node.error(f"`{shown}` is not a number", _number_hint(node))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise node.error("this value is not finite", "float64 ends at about 1.8e308")
    return number, isinstance(value, int)


def _number_hint(node: Scalar) -> str | None:
    text = node.text.strip()
    if node.style and isinstance(resolve(text), (int, float)) and not isinstance(resolve(text), bool):
        return "numbers are written without quotes"
    if isinstance(node.value, bool):
        return "write 1 or 0"
    if "_" in text and _FLOAT.fullmatch(text.replace("_", "")):
        return "digits are not grouped with _"
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return "values must be finite"
    if text.strip() and all(_FLOAT.fullmatch(part) for part in text.split()):
        return "numbers are separated by commas"
    if text[:1] in ("(", "["):
        return "an array is a list in square brackets, without quotes"
    return None


def texts_of(node: Node) -> list[str] | None:
    """Return the numbers that a node holds as they are written, in row-major order; None for those of a file."""
    if isinstance(node, Map):
        return texts_of(node.items["value"][1]) if "value" in node.items else None
    level: list[Node] = [node]
    while isinstance(level[0], List):
        level = [item for row in level if isinstance(row, List) for item in row.items]
    return [leaf.text for leaf in level if isinstance(leaf, Scalar)]
