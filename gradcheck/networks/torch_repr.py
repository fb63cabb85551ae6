"""One layer as torch prints it, or as it is called in Python: `Linear(in_features=2, out_features=3, bias=True)`.

    call  = [ "(" name ")" ":" ] type [ "(" [ argument { "," argument } [ "," ] ] ")" ]
    argument = [ word "=" ] value
    value = number | word | quoted text | "(" [ value { "," value } [ "," ] ] ")" | the same in "[" "]"

Words are text, but for True, False and None. A layer in a spec may be written this way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from gradcheck.errors import LanguageError, Source

MAX_DEPTH = 8
MAX_DIGITS = 4000

Span = tuple[int, int]

_BLANK = re.compile(r"\s*")
_NAME = re.compile(r"\(\s*([^()\s:]+)\s*\)\s*:\s*")
_TYPE = re.compile(r"(?:torch\.)?(?:nn\.)?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_KEYWORD = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*")
_INTEGER = re.compile(r"[+-]?[0-9]+(?![\w.])")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?![\w.]|\s*\()")
_QUOTED = re.compile(r"'([^'\\\n]*)'|\"([^\"\\\n]*)\"")
_CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
_CLOSE = {"(": ")", "[": "]"}


class PrintedCall(NamedTuple):
    """A layer's class and the arguments of its constructor.

    Attributes:
        name: the name before the colon, if there is one.
        type: the class, without `torch.nn.`.
        positional: values without a keyword.
        keywords: keyword → value; tuples and lists are tuples.
        span: where the class stands.
        places: keyword, or number of the positional argument → where its value stands.
    """

    name: str | None
    type: str
    positional: Sequence[Any]
    keywords: Mapping[str, Any]
    span: Span
    places: Mapping[str | int, Span]


def parse_call(text: str | Source, start: int = 0, end: int | None = None) -> PrintedCall:
    """Read one layer, from `start` to `end` of a text.

    Raises:
        LanguageError: with the place in the text.
    """
    source = Source(text, "layer") if isinstance(text, str) else text
    return _Reader(source, start, len(source.text) if end is None else end).call()


class _Reader:
    """Reads one call; `pos` is where it has come to."""

    def __init__(self, source: Source, pos: int, end: int) -> None:
        self.source = source
        self.text = source.text
        self.pos = pos
        self.end = end

    def fail(self, message: str, span: Span | None = None, hint: str | None = None) -> NoReturn:
        """Raise an error that points at `span`, or at what comes next."""
        place = min(self.pos, max(self.end - 1, 0))
        raise LanguageError(message, self.source, span or (place, place + 1), hint)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what the pattern matches, if it does."""
        found = pattern.match(self.text, self.pos, self.end)
        if found:
            self.pos = found.end()
        return found

    def next(self) -> str:
        """Return the next character; nothing at the end."""
        return self.text[self.pos : min(self.pos + 1, self.end)]

    def sign(self, sign: str) -> bool:
        """Read one sign and the blanks around it, if it comes next."""
        self.match(_BLANK)
        if self.next() != sign:
            return False
        self.pos += 1
        self.match(_BLANK)
        return True

    def call(self) -> PrintedCall:
        """Read the whole."""
        self.match(_BLANK)
        name = self.match(_NAME)
        kind = self.match(_TYPE)
        if kind is None:
            self.fail("expected the name of a layer", None, "as in Linear(in_features=2, out_features=3)")
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        places: dict[str | int, Span] = {}
        if self.sign("("):
            opened = self.pos - 1
            while not self.sign(")"):
                self.argument(positional, keywords, places)
                if not self.sign(",") and self.next() != ")":
                    self.missing(")", opened)
        self.match(_BLANK)
        if self.pos < self.end:
            self.fail("unexpected text after the layer", (self.pos, self.end))
        return PrintedCall(name[1] if name else None, kind[1], positional, keywords, kind.span(), places)

    def missing(self, close: str, opened: int) -> NoReturn:
        """Complain that neither a comma nor the closing bracket comes next."""
        if self.pos >= self.end:
            bracket = self.text[opened]
            self.fail(f"this `{bracket}` is not closed", (opened, opened + 1), f"add `{close}`")
        self.fail(f"expected `,` or `{close}` here")

    def argument(self, positional: list[Any], keywords: dict[str, Any], places: dict[str | int, Span]) -> None:
        """Read one argument."""
        keyword = self.match(_KEYWORD)
        start = self.pos
        value = self.value()
        place = (start, start + len(self.text[start : self.pos].rstrip()))
        if keyword is None:
            if keywords:
                self.fail("a value without a name after values with names", place, "give it its name")
            places[len(positional)] = place
            positional.append(value)
            return
        if keyword[1] in keywords:
            self.fail(f"`{keyword[1]}` is given twice", keyword.span(1))
        places[keyword[1]] = place
        keywords[keyword[1]] = value

    def value(self) -> Any:
        """Read one value, without recursion."""
        opened: list[int] = []
        parts: list[list[Any]] = []
        while True:
            here = self.next()
            if here in _CLOSE:
                opened.append(self.pos)
                parts.append([])
                if len(opened) > MAX_DEPTH:
                    self.fail("more than 8 brackets within each other")
                self.sign(here)
                if not self.sign(_CLOSE[here]):
                    continue
                result: Any = tuple(parts.pop())
                opened.pop()
            else:
                result = self.single()
            while opened:
                close = _CLOSE[self.text[opened[-1]]]
                parts[-1].append(result)
                comma = self.sign(",")
                if self.sign(close):
                    # As in Python, `(2)` is a number and `(2,)` a tuple.
                    alone = close == ")" and not comma and len(parts[-1]) == 1
                    inner = parts.pop()
                    result = inner[0] if alone else tuple(inner)
                    opened.pop()
                elif comma:
                    break
                else:
                    self.missing(close, opened[-1])
            if not opened:
                return result

    def single(self) -> Any:
        """Read a number, a word or a quoted text."""
        if number := self.match(_INTEGER):
            if len(number[0]) > MAX_DIGITS:
                self.fail("a whole number of too many digits", number.span())
            return int(number[0])
        if number := self.match(_FLOAT):
            return float(number[0])
        if quoted := self.match(_QUOTED):
            return quoted[1] if quoted[1] is not None else quoted[2]
        if word := self.match(_WORD):
            return _CONSTANTS.get(word[0], word[0])
        if not self.next():
            self.fail("a value is missing at the end")
        if self.next() in ",)]":
            self.fail("a value is missing here")
        self.fail("this is not a value", None, "values are numbers, words, quoted text and tuples of these")
