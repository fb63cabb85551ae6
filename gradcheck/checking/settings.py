"""What to check and how: the one record of options that goes from the door to the engines."""

from __future__ import annotations

from typing import NamedTuple

from gradcheck.errors import UsageError, did_you_mean

ENGINES = ("backprop", "symbolic", "finite_difference")
MAX_POINTS = 1000


class Settings(NamedTuple):
    """What to check and how.

    Attributes:
        wrt: inputs to check (in a spec, patterns); None for all.
        engines: methods to ask.
        points: how many points to choose where none is given.
        seed: seed of the chosen points, of randn and rand, and of directions.
        strict: whether anything but agreement counts as a failure.
        exhaustive: whether every number of a large network is perturbed end to end too.
    """

    wrt: tuple[str, ...] | None = None
    engines: tuple[str, ...] = ENGINES
    points: int = 3
    seed: int = 0
    strict: bool = False
    exhaustive: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The engines in the order of ENGINES."""
        return tuple(engine for engine in ENGINES if engine in self.engines)

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            UsageError: saying what.
        """
        if isinstance(self.wrt, str):
            raise UsageError("wrt takes a tuple of names, not a text", hint=f"as in wrt=({self.wrt!r},)")
        for name in self.engines:
            if name not in ENGINES:
                raise UsageError(f"there is no engine `{name}`", hint=did_you_mean(name, ENGINES))
        if len(set(self.engines)) < 2:
            raise UsageError(
                "one method alone can be compared with nothing", hint=f"choose two or more of {', '.join(ENGINES)}"
            )
        if not 1 <= self.points <= MAX_POINTS:
            raise UsageError(f"--points must lie between 1 and {MAX_POINTS}")
