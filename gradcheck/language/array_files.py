"""Arrays of numbers from .npy and .npz files; nothing in a file is ever executed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from gradcheck.errors import GradcheckError

MAX_ELEMENTS = 10_000_000
"""Numbers in one array that is read or generated."""

Refuse = Callable[..., GradcheckError]
"""(message, hint) → the error to raise, which knows the place in the user's text."""


def read_array(path: str, key: str, refuse: Refuse, chosen: Callable[[str], str]) -> Any:
    """Return the array in a .npy file, or the one called `key` in a .npz file, as float64; else as `stored`."""
    import numpy as np

    with np.errstate(all="ignore"):
        return np.asarray(stored(path, key, refuse, chosen), dtype=float)


def stored(path: str, key: str, refuse: Refuse, chosen: Callable[[str], str]) -> Any:
    """Return the array in a .npy file, or the one called `key` in a .npz file, as it is stored.

    Args:
        path: the file.
        key: the array's name; empty for the only one.
        refuse: makes the errors.
        chosen: how a user names one of several arrays.

    Raises:
        GradcheckError: made by `refuse`, if there is no such array of real numbers.
    """
    if not os.path.isfile(path):
        raise refuse(f"there is no file `{path}`")
    if os.path.getsize(path) > 8 * MAX_ELEMENTS + 4096:
        raise refuse(f"`{path}` has {os.path.getsize(path):,} bytes", f"the limit is {8 * MAX_ELEMENTS:,}")
    try:
        array = _read_array(path, key, refuse, chosen)
    except GradcheckError:
        raise
    except Exception as error:
        pickled = "allow_pickle" in str(error)
        hint = "it holds Python objects, which would have to be executed" if pickled else "the file is damaged"
        raise refuse(f"`{path}` cannot be read as an array of numbers", hint) from None
    if array.dtype.kind not in "biuf":
        raise refuse(f"`{path}` holds {array.dtype}, not real numbers")
    return array


def _read_array(path: str, key: str, refuse: Refuse, chosen: Callable[[str], str]) -> Any:
    import warnings
    import zipfile

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not zipfile.is_zipfile(path):
            with open(path, "rb") as file:
                if file.read(6) != b"\x93NUMPY":
                    raise refuse(f"`{path}` is not a .npy file", "save it with numpy.save; pickles are not read")
            return np.load(path, allow_pickle=False)
        with zipfile.ZipFile(path) as archive:
            names = [n.removesuffix(".npy") for n in archive.namelist()]
            if not key and len(names) == 1:
                key = names[0]
            if not names:
                raise refuse(f"`{path}` holds no array")
            if key not in names:
                known = f"it has {', '.join(names[:8])}; {chosen(names[0])}"
                raise refuse(f"`{path}` has no array `{key}`" if key else f"`{path}` holds several arrays", known)
            if archive.getinfo(f"{key}.npy").file_size > 8 * MAX_ELEMENTS + 4096:
                raise refuse(f"`{key}` in `{path}` is too large", f"the limit is {MAX_ELEMENTS:,} numbers")
        with np.load(path, allow_pickle=False) as loaded:
            return loaded[key]
