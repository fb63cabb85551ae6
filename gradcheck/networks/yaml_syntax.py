"""What a mistake in YAML's own syntax is called in plain words, and where it was made.

A YAML parser names the place where it lost the thread; the mistake is often before it: a bracket
or a quote that was never closed, a blank that is missing behind a colon.
"""

from __future__ import annotations

import re
from typing import Any

from gradcheck.errors import Source, SpecError

Advice = tuple[str, int, str | None]
"""Message, place, hint."""

COLUMN = "lines that belong together begin in the same column"

_GLUED = re.compile(r"[ \t]*(?:- +)*[A-Za-z_][\w.]*:(?=[^\s:])")
_CLOSE = {"[": "]", "{": "}"}
_KEY = re.compile(r"[^\s:'\"]+\s*:(?=\s|$)")


def syntax_error(source: Source, error: Exception, shift: int = 0, bracket: int | None = None) -> SpecError:
    """Turn an error of PyYAML (either parser) into one with a place, a plain message and a hint.

    Args:
        source: the text.
        error: a `yaml.YAMLError`, or what the pure parser raises for numbers out of range.
        shift: what to add to the error's places.
        bracket: the place of the innermost bracket that is open.
    """
    here = _index(source, getattr(error, "problem_mark", None), shift)
    context = _index(source, getattr(error, "context_mark", None), shift)
    if here is None:
        return SpecError("this is not valid YAML", source, (0, 1))
    words = f"{getattr(error, 'context', None) or ''} / {getattr(error, 'problem', None) or ''}"
    opened = here if context is None else context
    if bracket is not None and "flow node" in words:
        opened = bracket
    for about in (_tab, _quote, _key, _bracket, _character, _colon, _indentation, _other):
        advice = about(source, words, here, opened)
        if advice is not None:
            message, place, hint = advice
            return SpecError(message, source, (place, place + 1), hint)
    problem = str(getattr(error, "problem", "")).splitlines()
    return SpecError("this is not valid YAML" + (f": {problem[0]}" if problem else ""), source, (here, here + 1))


def depth_exceeded(error: Exception) -> int | None:
    """Return the place at which a YAML parser has met more open lists and maps than it will hold, if that is it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return mark.index if mark and "nesting depth" in str(getattr(error, "problem", "")) else None


def _index(source: Source, mark: Any, shift: int) -> int | None:
    return None if mark is None else min(max(mark.index + shift, 0), len(source.text))


def _line(text: str, place: int) -> tuple[int, str]:
    """Return where the line that holds `place` begins, and at most 1,000 characters of it."""
    begin = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place, begin + 1000)
    return begin, text[begin : begin + 1000 if end < 0 else end].rstrip("\r")


def _tab(source: Source, words: str, here: int, opened: int) -> Advice | None:
    begin, line = _line(source.text, here)
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation and begin + len(indentation) >= here:
        return "a tab cannot indent a line", begin + indentation.index("\t"), "indent with blanks"
    if source.text[here : here + 1] == "\t" or "tab character" in words:
        return "a tab cannot stand here", here, "use blanks"
    return None


def _quote(source: Source, words: str, here: int, opened: int) -> Advice | None:
    if "escape" in words or "hexdecimal" in words or "hexadecimal" in words:
        return "unknown escape in a text", here, "between '…' a backslash is an ordinary character"
    if "quoted scalar" in words:
        quote = source.text[opened : opened + 1]
        return "this quote is never closed", opened, f"add {quote} at the end of the text"
    return None


def _key(source: Source, words: str, here: int, opened: int) -> Advice | None:
    begin, line = _line(source.text, here)
    first = not line[: here - begin].strip("[{, ")
    if source.text[here : here + 1] == ":" and first:
        return "a key is missing here", here, "write `key: value`"
    return None


def _bracket(source: Source, words: str, here: int, opened: int) -> Advice | None:
    here_text = source.text[here : here + 1]
    if "flow sequence" in words or "flow mapping" in words:
        bracket = source.text[opened : opened + 1]
        close = _CLOSE.get(bracket, "]")
        line, _ = source.position(opened)
        if here_text in ("", "\r", "\n") or source.text.find("\n", opened, here) >= 0:
            return f"this `{bracket}` is not closed", opened, f"add `{close}`"
        return f"expected `,` or `{close}` here", here, f"`{bracket}` was opened on line {line}"
    if here_text in ("]", "}"):
        return f"nothing is open that this `{here_text}` could close", here, None
    if not source.text[here:].strip() and source.text[opened : opened + 1] in _CLOSE:
        bracket = source.text[opened]
        return f"this `{bracket}` is not closed", opened, f"add `{_CLOSE[bracket]}`"
    if "expected node content" in words or "expected the node content" in words:
        return "a value is missing here", here, None
    return None


def _character(source: Source, words: str, here: int, opened: int) -> Advice | None:
    sign = source.text[here : here + 1]
    if "cannot start any token" in words:
        return f"a value cannot begin with `{sign}`", here, "put the text in quotes"
    if "anchor" in words or "alias" in words:
        sign = source.text[opened : opened + 1]
        return f"expected a name after `{sign}`", opened, f"put a text that begins with `{sign}` in quotes"
    if source.text[opened : opened + 1] == "%":
        return "lines that begin with % are not used in specs", opened, None
    if "tag" in words:
        return "tags are not used in specs", opened, "put a text that begins with ! in quotes"
    return None


def _colon(source: Source, words: str, here: int, opened: int) -> Advice | None:
    text = source.text
    if "expected ':'" in words:
        begin, line = _line(text, opened)
        glued = _GLUED.match(line)
        if glued:
            return "a blank is missing after `:`", begin + glued.end() - 1, "write `key: value`"
        return "this line has no `:`", opened, "a map is written `key: value`"
    if "mapping values" not in words:
        return None
    begin, line = _line(text, here)
    earlier = _KEY.search(line[: here - begin])
    if earlier:
        return "a second `: ` on one line", here, "put a text that contains `: ` in quotes"
    before, above = _line(text, max(begin - 1, 0))
    glued = _GLUED.match(above)
    if begin and glued and _indent(above) == _indent(line):
        return "a blank is missing after `:`", before + glued.end() - 1, "write `key: value`"
    if begin and above.strip() and ":" not in above:
        return "this line has no `:`", before + _indent(above), "a map is written `key: value`"
    if begin and _indent(line):
        return "this line is indented too far", begin + _indent(line), "keys of one map begin in the same column"
    return "a key cannot stand here", here, "a key begins its own line and has less than 1,000 characters"


def _indentation(source: Source, words: str, here: int, opened: int) -> Advice | None:
    if "block sequence entries" in words or "sequence entries are" in words:
        return "a list cannot begin on this line", here, "put `- ` on a line of its own, or write [a, b]"
    if "block mapping" not in words and "block collection" not in words:
        return None
    begin, line = _line(source.text, here)
    if begin + _indent(line) != here:
        return "unexpected text after the value", here, "put the whole value in quotes"
    if source.position(here)[1] != source.position(opened)[1]:
        return "bad indentation", here, COLUMN
    if source.text[here : here + 1] == "-":
        return "a list item among the keys of a map", here, "indent the list below its key"
    if source.text[opened : opened + 1] == "-":
        return "a key among the items of a list", here, "begin the line with `- `, or indent it below its item"
    return "this does not belong to what is above", here, COLUMN


def _other(source: Source, words: str, here: int, opened: int) -> Advice | None:
    if "document start" in words:
        return "expected `---` here", here, "it separates two specs in one file"
    if "block scalar" in words:
        return "unexpected text after `|` or `>`", here, "the text begins on the next line"
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
