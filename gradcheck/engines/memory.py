"""What malloc does with megabytes that come and go."""

from __future__ import annotations

from functools import cache

import numpy as np

KEPT = 3 * 2**20
"""Float64 numbers of a block that is just smaller than what malloc always hands back."""


@cache
def keep_freed() -> None:
    """Let malloc keep what is freed: it learns from a large block that comes and goes, untouched.

    Otherwise arrays of some hundred kilobytes are handed back to the system each time, and their
    pages cost more than what is computed in them. Once a process is enough.
    """
    np.empty(KEPT)
