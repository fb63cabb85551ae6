"""Any text for LaTeX outside of formulas: every character is shown, and none is a command."""

from __future__ import annotations

import re

from gradcheck.errors import visible
from gradcheck.notation.latex import number
from gradcheck.notation.latex_names import word

CHARACTERS = {
    **{sign: f"\\{sign}" for sign in "{}$&#%_"},
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}", "|": r"\ensuremath{|}", '"': "''", "`": r"\textasciigrave{}", "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}", "·": r"\ensuremath{\cdot}", "−": r"\ensuremath{-}", "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}", "≠": r"\ensuremath{\neq}", "≈": r"\ensuremath{\approx}", "→": r"\ensuremath{\to}",
    "–": "--", "—": "---", "…": r"\dots{}", "’": "'", "‘": "`", "“": "``", "”": "''",
}  # fmt: skip
"""Character → what shows it; those that are not here are ASCII, or go through the names of `latex_names`."""

LIGATURES = re.compile(r"--+|''+|``+|[?!]`|,,|<<|>>")
"""Signs of a text that TeX would join."""

_NUMBER = re.compile(r"(?<![\w.-])(-?\d+(?:\.\d+)?(?:e[-+]\d+)?)(?![\w.,]*\w)")
_LONG = re.compile(r"\S{26,}")
_BREAK, _BLANK = r"\hspace{0pt plus 1em}", r"\ "


def prose(text: str) -> str:
    """Return a text; a word that nobody could read may be broken at every tenth letter."""
    return _BREAK.join(_line(part) for part in _parted(visible(text)))


def figures(text: str) -> str:
    """Return a text of our own with its numbers as in a formula: -2e-16 with a minus and a power of ten."""
    found = _NUMBER.split(text)
    return "".join(f"${number(part).text}$" if k % 2 else prose(part) for k, part in enumerate(found))


def sentence(text: str) -> str:
    """Return a sentence of our own: numbers as in a formula, and what stands between backquotes in typewriter type."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return figures(text)
    return "".join(rf"\texttt{{{prose(part)}}}" if k % 2 else figures(part) for k, part in enumerate(parts))


def typed(text: str) -> str:
    """Return a line in typewriter type with its blanks."""
    words = text.strip().split(" ")
    indent = len(text) - len(text.lstrip())
    return rf"\hspace*{{{indent / 2}em}}\texttt{{{_BLANK.join(map(prose, words))}}}"


def _parted(text: str) -> list[str]:
    return _LONG.sub(lambda found: "\n".join(re.findall(".{1,10}", found[0])), text).split("\n")


def _line(text: str) -> str:
    apart = LIGATURES.sub(lambda found: "\0".join(found[0]), text)
    return "".join("{}" if c == "\0" else _character(c) for c in apart)


def _character(c: str) -> str:
    known = CHARACTERS.get(c)
    if known is not None:
        return known
    if c.isascii() and c.isprintable():
        return c
    return rf"\ensuremath{{\mathrm{{{word(c)}}}}}"
