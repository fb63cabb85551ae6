"""What flows back through a gate, with all that is known of its error, as arrays.

A flow is a gradient of some node together with what the differences know of it: the size of the
terms it was added up from (rounding is a part of these, not of their sum), a bound on the error
that does not come from rounding the sum, and half the gap between one-sided slopes where a kink
has a say. The last three are None as long as there is nothing to tell, which is nearly always.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

Array = Any
Shape = tuple[int, ...]


class BarredFlow(NamedTuple):
    """A gradient and what is known of its error.

    Attributes:
        value: the gradient, in the node's shape.
        size: the sum of the absolute values of its terms; None where that is |value|.
        bar: bound on the error of the terms; None for none. Infinite where nothing is known.
        width: half the gap between the one-sided slopes; None where no kink has a say.
        terms: how many numbers were added up in a row, which is how often was rounded.
    """

    value: Array
    size: Array | None = None
    bar: Array | None = None
    width: Array | None = None
    terms: int = 0

    @property
    def sizes(self) -> Array:
        """The size of the terms, as an array."""
        return np.abs(self.value) if self.size is None else self.size


def moved(flow: BarredFlow, move: Callable[[Array], Array], adds: int = 0) -> BarredFlow:
    """Send every part of a flow through a map that moves numbers, or adds up to `adds` of them."""
    size = flow.size
    if adds and size is None:
        size = np.abs(flow.value)
    return BarredFlow(
        move(flow.value),
        None if size is None else move(size),
        None if flow.bar is None else move(flow.bar),
        None if flow.width is None else move(flow.width),
        flow.terms + adds,
    )


def contracted(
    flow: BarredFlow, slope: Array, contract: Callable[[Array, Array], Array], fast: Any, terms: int
) -> BarredFlow:
    """Multiply a flow by constant slopes and add up, by `contract`; sizes and bars by `fast`."""
    steep = np.abs(slope)
    return BarredFlow(
        contract(flow.value, slope),
        fast(flow.sizes, steep),
        None if flow.bar is None else _unknown_too(flow.bar, steep, fast),
        None if flow.width is None else fast(flow.width, steep),
        flow.terms + terms,
    )


def weighted(flow: BarredFlow, slope: Array) -> BarredFlow:
    """Multiply a flow, element by element, by slopes that are exact up to rounding."""
    if isinstance(slope, float) and slope in (1.0, -1.0):
        return flow if slope > 0 else flow._replace(value=-flow.value)
    steep = np.abs(slope)
    return BarredFlow(
        flow.value * slope,
        None if flow.size is None else flow.size * steep,
        None if flow.bar is None else np.where(steep == 0, 0.0, flow.bar * steep),
        None if flow.width is None else flow.width * steep,
        flow.terms + 2,
    )


def _unknown_too(bar: Array, steep: Array, fast: Any) -> Array:
    """Contract bars; an infinite one goes where it has a slope to go by, and nowhere else."""
    unknown = np.isinf(bar)
    if not unknown.any():
        return fast(bar, steep)
    reached = fast(unknown.astype(float), (steep > 0).astype(float)) > 0
    return np.where(reached, np.inf, fast(np.where(unknown, 0.0, bar), steep))


def to_shape(flow: BarredFlow, shape: Shape) -> BarredFlow:
    """Add up what came from copies: the axes that broadcasting stretched to the flow's shape."""
    have = np.shape(flow.value)
    if have == shape:
        return flow
    extra = len(have) - len(shape)
    stretched = tuple([k for k, n in enumerate(have) if k < extra or (n != 1 and shape[k - extra] == 1)])
    if not stretched:
        return moved(flow, lambda part: np.reshape(part, shape))
    adds = prod([have[k] for k in stretched])
    return moved(flow, lambda part: np.add.reduce(part, axis=stretched).reshape(shape), adds)


def joined(flows: list[BarredFlow]) -> BarredFlow:
    """Add up what the users of a node contribute."""
    if len(flows) == 1:
        return flows[0]
    total = flows[0]
    for flow in flows[1:]:
        total = BarredFlow(
            total.value + flow.value,
            total.sizes + flow.sizes,
            _plus(total.bar, flow.bar),
            _plus(total.width, flow.width),
            max(total.terms, flow.terms) + 1,
        )
    return total


def _plus(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
