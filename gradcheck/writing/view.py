"""How something is shown to people: what the writers of lines are told."""

from __future__ import annotations

from typing import Any, NamedTuple


class View(NamedTuple):
    """How something is shown to people.

    Attributes:
        width: columns of the screen.
        plus_minus: what stands between a number and its error bar.
        quiet: whether to leave out what is right.
        verbose: whether to show the details of what is right too.
        replay: a command for each check that repeats it.
        titled: whether each check begins with the expression, its value, the point and the stages.
        above: a derivation to show before a report.
    """

    width: int = 80
    plus_minus: str = "±"
    quiet: bool = False
    verbose: bool = False
    replay: tuple[str, ...] = ()
    titled: bool = True
    above: Any = None
