"""Whether a formula is a gradient: tried in balls at the place of a check and at others near by."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

from gradcheck.arithmetic import balls
from gradcheck.arithmetic.balls import Ball
from gradcheck.checking.exact import Exact, Level
from gradcheck.checking.place import Place
from gradcheck.checking.points import looked_up
from gradcheck.engines import symbolic
from gradcheck.errors import DomainError, LanguageError, Source
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import Graph
from gradcheck.language.parser import parse

PROVED, REFUTED, OPEN = "proved", "refuted", "open"

DIGITS = 100

OTHERS = 2
"""Places beside that of the check at which a formula is tried."""

DRAWS = 12
"""Places that are drawn in search of them; not all lie in the domain."""

NARROW = 1e-40
"""Radius of a ball, beside what it holds, up to which meeting another is no accident."""


class Trial(NamedTuple):
    """A place: its inputs in balls, and SymPy's derivative in each node of the graph written out."""

    inputs: Mapping[str, Any]
    slopes: list[Any]


class Trials:
    """The places at which formulas are tried; numbers in their text are exact decimals, as they are to SymPy."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.graph = copy.copy(place.scalar)
        self.graph.literals = set(self.graph.constants)

    def verdict(self, name: str, text: str) -> str:
        """Say whether a formula is the gradient of a number (x, W[0,2]) or of a whole array."""
        try:
            formula = parse(Source(text), self.place.graph.inputs)
        except LanguageError:
            return OPEN
        if not set(formula.inputs) <= set(self.place.graph.inputs):
            return OPEN
        formula.literals = set(formula.constants)
        words = {word for trial in self.trials for word in self._met(trial, name, formula)}
        if REFUTED in words:
            return REFUTED
        return PROVED if words == {PROVED} and len(self.trials) > 1 else OPEN

    @cached_property
    def trials(self) -> list[Trial]:
        """The places."""
        found = [self._trial(self.place)]
        for place in self._beside():
            trial = self._trial(place)
            if all(slope is None or slope.is_finite() for slope in trial.slopes):
                found.append(trial)
            if len(found) > OTHERS:
                break
        return found

    def _trial(self, place: Place) -> Trial:
        inputs = place.flat_inputs
        level = Level(self.graph, inputs, DIGITS, Exact(self.graph, inputs, []).same)
        with level.active():
            slopes = symbolic.adjoints(self.graph, level.system, level.values, level.system.literal("1"))
            return Trial({name: _in_balls(x, level.system) for name, x in place.point.items()}, slopes)

    def _beside(self) -> Iterator[Place]:
        """Draw places near that of the check; some of their numbers stay where they are."""
        random = Random(0)
        still = looked_up(self.place.graph)
        for _ in range(DRAWS):
            point = {name: x if name in still else _moved(x, random) for name, x in self.place.point.items()}
            if all(point[name] is x for name, x in self.place.point.items()):
                continue
            try:
                yield type(self.place)(self.place.graph, point)
            except DomainError:
                continue

    def _met(self, trial: Trial, name: str, formula: Graph) -> set[str]:
        system = balls.system(DIGITS)
        zero = system.literal("0")
        known = {one: trial.inputs[one] for one in formula.inputs}
        with system.active():
            if name in self.graph.inputs and not any(getattr(x, "shape", ()) for x in known.values()):
                value = evaluate(formula, system, known)[0][formula.output]
                slope = trial.slopes[self.graph.inputs[name]]
                return {_compared(value, zero if slope is None else slope)}
            return self._met_arrays(trial, name, formula, known)

    def _met_arrays(self, trial: Trial, name: str, formula: Graph, known: Mapping[str, Any]) -> set[str]:
        import numpy as np

        from gradcheck.arithmetic import arrays

        system = balls.system(DIGITS)
        zero = system.literal("0")
        value = evaluate(formula, arrays.of(system), known)[0][formula.output]
        if name in self.graph.inputs:
            nodes, shape = [self.graph.inputs[name]], ()
        else:
            nodes = [node for _, node, _ in self.place.elements(name)]
            shape = self.place.point[name].shape
        cells = np.broadcast_to(np.asarray(value, dtype=object), shape).ravel().tolist()
        slopes = [zero if trial.slopes[node] is None else trial.slopes[node] for node in nodes]
        return {_compared(cell + zero, slope) for cell, slope in zip(cells, slopes, strict=True)}


def _is_position(x: Any) -> bool:
    """Return whether whole numbers say where to look, and are none to calculate with."""
    return hasattr(x, "dtype") and x.dtype.kind == "i"


def _in_balls(x: Any, system: Any) -> Any:
    if _is_position(x):
        return x
    if not getattr(x, "shape", ()):
        return system.constant(repr(float(x)))
    import numpy as np

    return np.array([system.constant(repr(v)) for v in x.ravel().tolist()], dtype=object).reshape(x.shape)


def _moved(x: Any, random: Random) -> Any:
    if random.random() < 0.25 or _is_position(x):
        return x
    if not getattr(x, "shape", ()):
        return x * random.uniform(0.6, 1.6) if x else random.uniform(-1.0, 1.0)
    import numpy as np

    return np.array([_moved(v, random) for v in x.ravel().tolist()]).reshape(x.shape)


def _compared(a: Ball, b: Ball) -> str:
    """Compare what a formula gives with SymPy's slope."""
    if not a.is_finite() or (b.is_finite() and not a.overlaps(b)):
        return REFUTED
    return PROVED if b.is_finite() and _narrow(a) and _narrow(b) else OPEN


def _narrow(ball: Ball) -> bool:
    size = ball.abs_lower()
    return bool(ball.rad() <= (size * NARROW if size > 0 else NARROW))
