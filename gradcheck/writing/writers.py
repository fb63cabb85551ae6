"""Where lines go: a pipe gets their text, a terminal gets them through rich.

rich decides about colours (NO_COLOR, TERM, old Windows consoles); it is not loaded for a pipe,
where it would double the time of a small check.
"""

from __future__ import annotations

from typing import IO

from gradcheck.checking.results import Report
from gradcheck.checking.verdicts import Verification
from gradcheck.errors import UNSAFE
from gradcheck.writing.text import Line

STYLES = {
    "head": "bold",
    "dim": "dim",
    "value": "bold",
    "forward": "green",
    "backward": "red",
    "agree": "green",
    "kink": "yellow",
    "lossy": "yellow",
    "not_exercised": "yellow",
    "inconclusive": "magenta",
    "disagree": "bold red",
}

ASCII = str.maketrans({"─": "-", "…": "~", "×": "x", "◀": "<-", "✓": "ok", "✗": "wrong:"})


def _holds(stream: IO[str], text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def plus_minus(stream: IO[str]) -> str:
    """Return the sign between a number and its bar that `stream` can hold."""
    return "±" if _holds(stream, "±─…") else "+-"


def plain(lines: list[Line], stream: IO[str]) -> None:
    """Write lines without colour; in ASCII where the stream can hold no more."""
    text = "".join("".join(part for part, _ in line) + "\n" for line in lines)
    if not _holds(stream, text):
        text = text.translate(ASCII).encode("ascii", "backslashreplace").decode("ascii")
    stream.write(text)


def terminal(lines: list[Line], stream: IO[str]) -> None:
    """Write lines to a terminal, styled; text is never read as markup."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not _holds(stream, "".join(part for line in lines for part, _ in line)):
        plain(lines, stream)
        return
    for line in lines:
        console.print(Text.assemble(*((part, STYLES.get(style, "")) for part, style in line)))


def as_json(report: Report | Verification) -> str:
    """Return the report as one line of JSON text."""
    import json

    text = json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False)
    # Direction marks and the like stand only within strings, where JSON takes their escapes.
    return UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text) + "\n"
