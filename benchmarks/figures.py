"""What the benchmarks share: one record for a measured figure, interleaved timing, one printer."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and what it is held to.

    Attributes:
        name: what was measured.
        measured: the number; None if it could not be measured, with the reason in `note`.
        bound: what it is held to; None for a number that is printed for information.
        at_least: True if the number must not be below the bound; False if not above it.
        unit: of both numbers.
        note: spread, sizes, or why there is no number.
    """

    name: str
    measured: float | None
    bound: float | None = None
    at_least: bool = False
    unit: str = ""
    note: str = ""

    @property
    def result(self) -> str:
        """pass, MISSED, absent (nothing was measured) or a dash for a number without a bound."""
        if self.measured is None:
            return "absent"
        if self.bound is None:
            return "-"
        kept = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        return "pass" if kept else "MISSED"

    def row(self) -> tuple[str, str, str, str, str]:
        """Return the figure as cells of the table."""
        shown = "" if self.measured is None else f"{self.measured:,.4g}"
        bound = "" if self.bound is None else f"{'>=' if self.at_least else '<='} {self.bound:,.4g}"
        return self.name, shown + (f" {self.unit}" if shown and self.unit else ""), bound, self.result, self.note


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [("figure", "measured", "bound", "result", "note"), *(f.row() for f in figures)]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    )


def show(figures: Sequence[Figure]) -> None:
    """Print the figures: a table, or JSON if the script was started with --json (as run.py does)."""
    print(json.dumps([asdict(f) for f in figures]) if "--json" in sys.argv else table(figures))


def progress(text: str) -> None:
    """Say on standard error what is being measured."""
    print(f"  {text}", file=sys.stderr, flush=True)


def interleaved(runs: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call each run once a round and collect what it returns (its seconds).

    The order is reversed every other round, so that a drift of the machine's speed falls on
    all runs alike.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for k in range(rounds):
        for name in reversed(runs) if k % 2 else runs:
            found[name].append(runs[name]())
    return found


def median_ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, str]:
    """Return the median of the per-round ratios, and its quartiles as a note."""
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    if len(ratios) < 4:
        return statistics.median(ratios), f"{ratios[0]:.3g} to {ratios[-1]:.3g} in {len(ratios)} rounds"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return middle, f"quartiles {low:.3g} to {high:.3g}, {len(ratios)} rounds"
