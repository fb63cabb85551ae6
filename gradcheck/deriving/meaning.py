"""What a gradient means, in one sentence that was tried before it is said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gradcheck.checking import forward
from gradcheck.deriving.derive import Subject
from gradcheck.deriving.records import Derivation, shape_of
from gradcheck.errors import DomainError
from gradcheck.graph.graph import element_name

STEPS = (0.01, 0.001, 0.0001, 0.00001)
"""Steps tried, the friendliest first."""

EVERYDAY = 0.01
"""Numbers of this size and up to ten are raised by the same steps."""

CLOSE = 0.05
"""Relative distance up to which a change is "about" what the gradient says."""


class Meaning(NamedTuple):
    """A step along one input and what it did.

    Attributes:
        input: the number that is raised: x, or W[0,1].
        step: by how much.
        change: by how much the output then changes, really.
        predicted: gradient times step.
    """

    input: str
    step: float
    change: float
    predicted: float

    def sentence(self, output: str) -> str:
        """Return it in words."""
        verb = "rises" if self.predicted > 0 else "falls"
        return (
            f"raise {self.input} by {self.step:g} and {output} {verb} by about {float(f'{abs(self.predicted):.2g}'):g}"
        )


def meaning(subject: Subject, point: Mapping[str, Any], derivation: Derivation) -> Meaning | None:
    """Return what the gradient of the first input that has one means; None where no step shows it.

    Args:
        subject: the graph.
        point: input → value.
        derivation: its gradients.
    """
    for name, index, gradient in _candidates(derivation):
        for step in STEPS:
            scale = step * _size(_at(point[name], index))
            moved = dict(point)
            moved[name] = _raised(point[name], index, scale)
            change = _value(subject, moved) - derivation.value
            predicted = gradient * scale
            if math.isfinite(change) and abs(change - predicted) <= CLOSE * abs(predicted):
                return Meaning(element_name(name, index), scale, change, predicted)
    return None


def _candidates(derivation: Derivation) -> Iterator[tuple[str, tuple[int, ...], float]]:
    """Yield the steepest number of each input, unless nothing flows there."""
    for leaf in derivation.leaves:
        if leaf.gradient is None:
            continue
        index: tuple[int, ...] = ()
        gradient = leaf.gradient
        if shape_of(gradient):
            import numpy as np

            index = tuple(int(k) for k in np.unravel_index(int(np.argmax(np.abs(gradient))), gradient.shape))
            gradient = gradient[index]
        if math.isfinite(gradient) and gradient != 0:
            yield leaf.name, index, float(gradient)


def _size(x: float) -> float:
    """Return what a step is a part of: one for everyday numbers, else the power of ten below |x|."""
    size = 10.0 ** math.floor(math.log10(abs(x))) if x else 1.0
    return max(1.0, size) if size >= EVERYDAY else size


def _at(value: Any, index: tuple[int, ...]) -> float:
    return float(value[index]) if index else float(value)


def _raised(value: Any, index: tuple[int, ...], step: float) -> Any:
    if not index:
        return value + step
    import numpy as np

    result = np.array(value, dtype=float)
    result[index] += step
    return result


def _value(subject: Subject, point: Mapping[str, Any]) -> float:
    try:
        _, values = forward.run(subject.graph, dict(point), arrays=subject.system.accumulate is not None)
    except DomainError:
        return math.nan
    found = values[subject.graph.output]
    return float(found.sum()) if shape_of(found) else float(found)
