"""Arb, through python-flint: the one place that loads it, and that says what to do where it is missing."""

from gradcheck.errors import UsageError

try:
    from flint import acb, arb, arb_mat, arb_series, ctx, fmpz
except ImportError as error:  # pragma: no cover - a platform without a wheel
    raise UsageError(
        f"python-flint, which proves the error bars, cannot be loaded: {error}",
        hint="install it with `pip install python-flint`; it has wheels for Linux, macOS and Windows",
    ) from error

__all__ = ["acb", "arb", "arb_mat", "arb_series", "ctx", "fmpz"]
