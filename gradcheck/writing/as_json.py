"""A report as one line of JSON."""

from __future__ import annotations

import json
from typing import Any

from gradcheck.checking.report import Report
from gradcheck.errors import UNSAFE


def as_json(report: Report) -> str:
    """Return the report as one line of JSON text."""
    return one_line(report.to_dict())


def one_line(found: Any) -> str:
    """Return plain data as one line of JSON text."""
    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    # Direction marks and the like stand only within strings, where JSON takes their escapes.
    return UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text) + "\n"
