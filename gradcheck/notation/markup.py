"""Text within XML and HTML: whatever a user wrote is shown, and none of it is markup."""

from __future__ import annotations

from gradcheck.errors import visible

ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def spelled(text: str) -> str:
    """Return text in which what cannot be seen, or is no character of XML, is spelled out as an escape."""
    return visible(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def escaped(text: str) -> str:
    """Return text for XML."""
    return spelled(text).translate(ESCAPES)
