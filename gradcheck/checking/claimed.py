"""What the user's claims answer: for each number that is claimed its value, in float64 and in a ball."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradcheck.arithmetic.balls import NAN, above
from gradcheck.checking import judge
from gradcheck.checking.exact import Exact, Level
from gradcheck.checking.judge import ALIKE, LAST_DIGITS, ULP, Answer, Given
from gradcheck.checking.known import Running
from gradcheck.checking.place import Place
from gradcheck.errors import ClaimShapeError, UsageError
from gradcheck.graph.graph import element_name
from gradcheck.language.claims import FLOAT64, Claim


class Claims:
    """The claims at a place.

    Attributes:
        misfits: what is claimed → why its claim has not even the right shape.
    """

    def __init__(self, place: Place, exact: Exact, claims: Mapping[str, Claim], strict: bool) -> None:
        self.place = place
        self.claims = claims
        self.strict = strict
        self.misfits: dict[str, str] = {}
        self.running = Running(place, exact)

    def answers(self, name: str, level: Level, sharp: list[Any]) -> dict[int, Answer]:
        """Return the claimed answers for an input or a stage, by the places of its elements."""
        found: dict[int, Answer] = {}
        if all(claim.name != name for claim in self.claims.values()):
            return found
        elements = {element_name(name, index): k for k, (index, *_) in enumerate(self.place.elements(name))}
        for claim in self.claims.values():
            if claim.name == name:
                if claim.index is not None and claim.called not in elements:
                    shape = self.place.shape_of(name)
                    what = f"`{name}` has the shape {shape}" if shape else f"`{name}` is a single number"
                    raise UsageError(f"--claim {claim.called}: no such element: {what}", claim.source, (0, 1))
                places = list(elements.values()) if claim.index is None else [elements[claim.called]]
                found |= self._answers(claim, places, level, sharp)
        return found

    def _answers(self, claim: Claim, places: list[int], level: Level, sharp: list[Any]) -> dict[int, Answer]:
        try:
            claimed = self.place.claim(claim, level, sharp)
        except ClaimShapeError as error:
            self.misfits[claim.called] = f"{error.message}; {error.hint}" if error.hint else error.message
            return dict.fromkeys(places, Answer(math.nan, NAN, claimed=True))
        bounds = [0.0] * len(places) if claim.numbers is None else self._bounds(claim, places, level, sharp)
        found = {}
        for n, (k, x, ball) in enumerate(zip(places, claimed.floats, claimed.balls, strict=True)):
            text = claimed.texts[n] if claimed.texts else None
            given = None if claim.numbers is None else Given(text, bounds[n], self.strict)
            found[k] = Answer(x, ball, claimed=True, given=given)
        return found if claim.numbers is not None else self._granted(claim, found, level, sharp)

    def _granted(self, claim: Claim, found: dict[int, Answer], level: Level, sharp: list[Any]) -> dict[int, Answer]:
        """Return the answers of a formula, where they are all but right with the error that float64 makes in it.

        What it rests on may hold of the data but for their last digit: shares of 0.1, 0.2 and 0.7 sum to one for no
        float64 exactly. Where the formula is a difference, this is more than the last digits of what is left.
        """
        exact = self.place.flat(sharp, claim.name, level.system.literal("0"))
        off = {k: float((answer.ball - exact[k]).abs_lower()) for k, answer in found.items() if answer.finite}
        size = {k: float(abs(exact[k]).abs_upper()) for k in off}
        near = [k for k, gap in off.items() if LAST_DIGITS * ULP * size[k] < gap < ALIKE * size[k]]
        if not near:
            return found
        rough = self.running.claimed(claim)
        errors = dict(zip(found, rough, strict=True)) if rough else {}
        return found | {k: found[k]._replace(granted=off[k]) for k in near if off[k] <= errors.get(k, 0.0)}

    def _bounds(self, claim: Claim, places: list[int], level: Level, sharp: list[Any]) -> list[float]:
        """Return what a program with so many binary digits may lose in each number."""
        bits = claim.numbers.bits if claim.numbers else FLOAT64
        exact = self.place.flat(sharp, claim.name, level.system.literal("0"))
        lost = self.running.lost(claim.name, bits, exact)
        bounds = [lost[k] for k in places]
        if claim.numbers and claim.numbers.texts and not claim.numbers.shape:
            # Many digits in a list are a program's; one number is somebody's claim, and a mistake must not hide in it.
            return [min(bound, judge.ALIKE * above(exact[k])) for bound, k in zip(bounds, places, strict=True)]
        return bounds
