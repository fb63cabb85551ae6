r"""Any name as LaTeX in math mode: x_1 as x_{1}, β as \beta, fc1.weight as \mathit{fc1.weight}.

What pdflatex with amsmath cannot show is replaced by its number in Unicode; browsers show it as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_GREEK = (
    "α alpha β beta γ gamma δ delta ε varepsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa λ lambda "
    "μ mu µ mu ν nu ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi ψ psi "
    "ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega ∂ partial ∇ nabla "
    "ℓ ell ∞ infty ~ sim"
)
_SIGNS = _GREEK.split()

CHARACTERS = {
    **{sign: f"\\{command} " for sign, command in zip(_SIGNS[::2], _SIGNS[1::2], strict=True)},
    **{sign: rf"\mathrm{{{letter}}}" for sign, letter in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)},
    **{sign: f"\\{sign}" for sign in "{}$&#%_"},
    " ": r"{\ }", "\\": r"\backslash ", "^": r"\hat{\ }", ".": ".", ",": "{,}", "<": "{<}", ">": "{>}", "|": "{|}",
    "ß": r"\text{\ss}", "ø": r"\text{\o}", "Ø": r"\text{\O}", "æ": r"\text{\ae}", "Æ": r"\text{\AE}",
    "œ": r"\text{\oe}", "Œ": r"\text{\OE}", "ç": r"\text{\c c}", "Ç": r"\text{\c C}", "ł": r"\text{\l}",
    "′": "{'}",
}  # fmt: skip
"""Character → math; those that are not here stand for themselves, are accented letters, or have no sign."""

_ACCENTS = {
    "\u0300": "grave", "\u0301": "acute", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0306": "breve",
    "\u0307": "dot", "\u0308": "ddot", "\u030a": "mathring", "\u030c": "check",
}  # fmt: skip
"""Combining accent → command in math mode."""

_NUMBERED = re.compile(r"([^\W\d_]+)_?([0-9]+)")


Letters = Callable[[str], str]
"""Character → what shows it in math mode."""


def on_paper(c: str) -> str:
    """Return a character as pdflatex can show it."""
    known = CHARACTERS.get(c)
    if known is not None:
        return known
    if c.isascii() and c.isprintable():
        return c if c.isalnum() else rf"\text{{{c}}}"
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return rf"\text{{U+{ord(c):04X}}}"


def on_web(c: str) -> str:
    """Return a character as a browser can show it: foreign letters as they are."""
    text = on_paper(c)
    return rf"\text{{{c}}}" if text.startswith(r"\text{") and not c.isascii() else text


def symbol(name: str, letters: Letters = on_paper) -> str:
    """Return a user's name as LaTeX for math mode; any text at all compiles.

    A number at the end of a name is a subscript, and so is what follows the underscore after a
    single letter.
    """
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return f"{_plain(numbered[1], letters)}_{{{numbered[2]}}}"
    letter, *subscripts = name.split("_")
    if len(letter) == 1 and letter.isalpha() and subscripts and all(subscripts):
        below = ",".join(_plain(part, letters) for part in subscripts)
        return f"{_plain(letter, letters)}_{{{below}}}"
    return _plain(name, letters)


def word(text: str, letters: Letters = on_paper) -> str:
    """Return a text in math mode, each character escaped; for a group with a font of its own."""
    return "".join(map(letters, text)).strip() or r"\ "


def _plain(text: str, letters: Letters) -> str:
    if text.isascii() and text.isdigit():
        return text
    return word(text, letters) if len(text) == 1 else rf"\mathit{{{word(text, letters)}}}"
