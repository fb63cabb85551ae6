"""Bars on standard error while work takes long and a person watches."""

from __future__ import annotations

import sys
from time import monotonic
from typing import Any

PATIENCE = 1.0
"""Seconds after which a person is told what is going on."""


class Bars:
    """A bar for the whole and one for its part, which are there only while the work goes on."""

    def __init__(self, color: str) -> None:
        self.color = color
        self.start = monotonic()
        self.bars: Any = None
        self.tasks: dict[bool, Any] = {}

    def hear(self, what: str, done: int, total: int, inner: bool) -> None:
        """Show how far the work is."""
        if self.bars is None:
            if monotonic() - self.start < PATIENCE:
                return
            self.bars = _bars(self.color)
            self.bars.start()
        from gradcheck.errors import visible

        if not inner and True in self.tasks:
            self.bars.remove_task(self.tasks.pop(True))
        if inner not in self.tasks:
            self.tasks[inner] = self.bars.add_task(visible(what)[:40], total=total)
        self.bars.update(self.tasks[inner], description=visible(what)[:40], completed=done, total=total)

    def clear(self) -> None:
        """Take the bars away."""
        if self.bars is not None:
            self.bars.stop()


def _bars(color: str) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr, markup=False, emoji=False, no_color=True if color == "never" else None)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
