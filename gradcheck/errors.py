"""Every deliberate error: what is wrong, where in the user's text, and what to do about it.

An error carries its place as data (source and span), so that each front end can show the
same message in its own way, and so that a test can assert the place and not only the words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

WINDOW = 72
"""Columns of source shown around a caret: one line of an 80-column terminal."""

SHOWN = 20
"""Problems of one kind that are shown."""

MAX_WORD = 120
"""Characters of a word in a message."""

_LONG = re.compile(rf"\S{{{MAX_WORD + 1},}}")
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """Return `text` with control, direction and surrogate characters spelled out as escapes.

    User text reaches a terminal only through here: an escape sequence in an expression must
    not move the cursor, and a direction mark must not reorder what the reader sees.
    """
    return UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


class Source:
    """A piece of user text and the name it is shown under (`expression`, `--at`, …)."""

    __slots__ = ("_known", "name", "text")

    def __init__(self, text: str, name: str = "expression") -> None:
        self.text = text
        self.name = name
        self._known = (0, 0)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column of `offset`, both counted from 1."""
        # Counting goes on from the place asked for last, so that many places in a large file,
        # asked for in order, cost one pass over it.
        place, before = self._known
        if offset >= place:
            before += self.text.count("\n", place, offset)
        else:
            before -= self.text.count("\n", offset, place)
        self._known = (offset, before)
        return before + 1, offset - (self.text.rfind("\n", 0, offset) + 1) + 1

    def excerpt(self, span: tuple[int, int]) -> str:
        """Return the source line that holds `span`, with carets under it."""
        line, column = self.position(span[0])
        begin = span[0] - (column - 1)
        left = begin if column <= WINDOW - 12 else span[0] - WINDOW // 2
        # No line is searched beyond the window: one line may be a whole file.
        end = self.text.find("\n", span[0], left + WINDOW + 1)
        end = len(self.text) if end < 0 else end
        if end > span[0] and self.text[end - 1 : end + 1] == "\r\n":
            end -= 1
        right = min(end, left + WINDOW)
        stop = min(max(span[0] + 1, span[1]), max(right, span[0]))
        head = ("…" if left > begin else "") + visible(self.text[left : span[0]].replace("\t", " "))
        marked = visible(self.text[span[0] : stop].replace("\t", " "))
        tail = visible(self.text[stop:right].replace("\t", " ")) + ("…" if right < end else "")
        gutter = str(line)
        carets = " " * display_width(head) + "^" * max(1, display_width(marked))
        return f"  {gutter} | {head}{marked}{tail}\n  {' ' * len(gutter)} | {carets}"


def shortened(text: str) -> str:
    """Return a message in which words of user text that no one can read are cut in the middle."""
    return _LONG.sub(lambda m: f"{m[0][: MAX_WORD // 2]}…{m[0][-MAX_WORD // 4 :]}", text)


def display_width(text: str) -> int:
    """Return the number of terminal columns that `text` takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean `…`?" for the nearest of the `known` words, or None."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the nearest of the `known` words: one that differs in capitals alone, or a close one; or None."""
    import difflib

    names = sorted(set(known))
    near = [name for name in names if name.lower() == word.lower()]
    near = near or difflib.get_close_matches(word[:60], names, n=1, cutoff=0.6)
    return near[0] if near else None


class GradcheckError(Exception):
    """A deliberate error; the command exits with `exit_code` and prints `render()`."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        source: Source | None = None,
        span: tuple[int, int] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.span = span
        self.hint = hint

    def render(self) -> str:
        """Return the message with its place, a caret and the hint, safe for a terminal."""
        message, lines = visible(shortened(self.message)), []
        if self.source is not None and self.span is not None:
            line, column = self.source.position(self.span[0])
            lines.append(f"{visible(self.source.name)}:{line}:{column}: error: {message}")
            lines.append(self.source.excerpt(self.span))
        else:
            lines.append(f"error: {message}")
        if self.hint:
            lines.append(f"  hint: {visible(shortened(self.hint))}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class SpecErrors(GradcheckError):  # noqa: N818 (it holds several)
    """All problems of a run at once.

    Attributes:
        problems: the problems, by file and position; those without a place come first.
    """

    def __init__(self, problems: Iterable[GradcheckError]) -> None:
        flat: list[GradcheckError] = []
        for problem in problems:
            flat += problem.problems if isinstance(problem, SpecErrors) else [problem]
        self.problems: list[GradcheckError] = sorted(flat, key=_place)
        files = {problem.source.name for problem in flat if problem.source is not None}
        count = f"{len(flat)} error" + "s" * (len(flat) != 1)
        within = f" in {len(files)} file" + "s" * (len(files) != 1)
        super().__init__(count + within * bool(files))

    def render(self) -> str:
        """Return every problem as its own `render` shows it, at most `SHOWN` of a kind, and how many there are."""
        blocks: list[str] = []
        shown: Counter[str] = Counter()
        totals = Counter(map(_kind, self.problems))
        for problem in self.problems:
            kind = _kind(problem)
            shown[kind] += 1
            if shown[kind] <= SHOWN:
                blocks.append(problem.render())
            if shown[kind] == SHOWN < totals[kind]:
                blocks.append(f"… and {totals[kind] - SHOWN:,} more like this one")
        if len(self.problems) != 1:
            blocks.append(self.message)
        return "\n\n".join(blocks)


def _kind(problem: GradcheckError) -> str:
    """Return what two problems have in common that differ in names and numbers alone."""
    return re.sub(r"`[^`]*`|\d+", "…", problem.message)


def _place(problem: GradcheckError) -> tuple[bool, str, tuple[int, int]]:
    return problem.span is not None, problem.source.name if problem.source else "", problem.span or (0, 0)


class SpecError(GradcheckError):
    """The file is not a valid spec."""


class LanguageError(GradcheckError):
    """The text is not an expression of the language."""


class PointError(GradcheckError):
    """A value is missing, unknown, unreadable or not finite."""


class ShapeError(GradcheckError):
    """Shapes do not fit together."""


class ClaimShapeError(ShapeError):
    """A claimed gradient has not the shape of what it is a gradient of."""


class DomainError(GradcheckError):
    """The function or its slope is not defined at the point.

    Attributes:
        node: the gate that has no value; None if the function itself has one.
        certain: whether it lies outside of the domain however it is computed.
    """

    def __init__(
        self,
        message: str,
        source: Source | None = None,
        span: tuple[int, int] | None = None,
        hint: str | None = None,
        node: int | None = None,
        certain: bool = False,
    ) -> None:
        super().__init__(message, source, span, hint)
        self.node = node
        self.certain = certain


class SizeError(GradcheckError):
    """The work asked for is larger than the stated limit."""


class UsageError(GradcheckError):
    """Options contradict each other or name something that is not there."""


class NothingFound(GradcheckError):  # noqa: N818 (nothing is wrong)
    """There is nothing to check: a run that checked nothing is never a success."""

    exit_code = 5


class InternalError(GradcheckError):
    """gradcheck itself failed: a bug, and nothing the user did."""

    exit_code = 3

    def __init__(self, error: BaseException, source: Source | None = None, span: tuple[int, int] | None = None) -> None:
        super().__init__(
            f"gradcheck itself failed ({type(error).__name__}); this is a bug", source, span,
            "run again with GRADCHECK_DEBUG=1 for the details, and report them",
        )  # fmt: skip
