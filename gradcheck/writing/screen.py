"""Where lines go: a pipe gets their text, a terminal gets them through rich.

rich writes the colours (it knows TERM and old Windows consoles); it is not loaded where none are
wanted, because it would double the time of a small check.
"""

from __future__ import annotations

import os
from typing import IO

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
    "proved": "green",
    "disproved": "bold red",
}

AUTO, ALWAYS, NEVER = "auto", "always", "never"

DULL = (None, "", "dumb", "unknown")
"""What TERM says of terminals without colours."""

NARROWEST, WIDEST = 40, 10_000

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
    text = _text(lines)
    if not _holds(stream, text):
        text = text.translate(ASCII).encode("ascii", "backslashreplace").decode("ascii")
    stream.write(text)


def show(lines: list[Line], stream: IO[str], color: str = AUTO) -> None:
    """Write lines to a stream: styled for a terminal, or where colours are asked for.

    Args:
        lines: what to write.
        stream: where to.
        color: AUTO, ALWAYS or NEVER, as the user asked; NO_COLOR and FORCE_COLOR say what AUTO means.
    """
    colorless = color == NEVER or (color == AUTO and bool(os.environ.get("NO_COLOR")))
    forced = color == ALWAYS or (not colorless and bool(os.environ.get("FORCE_COLOR")))
    if color == NEVER or not (forced or stream.isatty()) or not _holds(stream, _text(lines)):
        plain(lines, stream)
    else:
        _styled(lines, stream, colorless, forced)


def width_of_screen(stream: IO[str]) -> int:
    """Return the columns to fill: COLUMNS where it is set, a terminal's own, else 80; 40 at least."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return max(NARROWEST, min(int(given), WIDEST))
    try:
        return max(NARROWEST, os.get_terminal_size(stream.fileno()).columns or 80) if stream.isatty() else 80
    except (OSError, ValueError):
        return 80


def _styled(lines: list[Line], stream: IO[str], colorless: bool, forced: bool) -> None:
    """Write styled lines; text is never read as markup."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, force_terminal=True,
        no_color=colorless, color_system="standard" if forced and os.environ.get("TERM") in DULL else "auto",
    )  # fmt: skip
    for line in lines:
        console.print(Text.assemble(*((part, STYLES.get(style, "")) for part, style in line)))


def _text(lines: list[Line]) -> str:
    return "".join("".join(part for part, _ in line) + "\n" for line in lines)
