"""How large a function can be anywhere in a box: values at Chebyshev nodes, and a proven remainder.

Along one axis of half-width r a function differs from its interpolant at n + 1 Chebyshev nodes by at most
2·(r/2)^(n+1)·|c|, where c is its Taylor coefficient of that order anywhere in the box, which the series of
balls over the box enclose; and the interpolant is nowhere larger than Lebesgue's constant, at most
2/π·log(n + 1) + 1, times its largest value at the nodes. Axes are taken one after the other. Two formulas of
one function cancel at points, where numbers are sharp, and never have to over a box: only the remainder is
enclosed there, and the powers of r/2 make it small.

Brisebarre and Joldes 2010, Chebyshev interpolation polynomial-based tools for rigorous computing; Makino and
Berz 2003, Taylor models and other validated functional inclusion methods; Rivlin 1974, The Chebyshev
Polynomials (the constant).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from gradcheck.arithmetic.arb import arb
from gradcheck.arithmetic.balls import above

ORDER = 24
"""The largest order of an interpolant along an axis."""

NODES = 400
"""Nodes of one box: it is halved instead where more would be needed."""

Box = tuple[tuple[float, float], ...]
"""The least and the largest value of each variable."""


class Interpolant(NamedTuple):
    """How a box is looked at.

    Attributes:
        orders: the order along each axis.
        remainder: the bound on what the interpolant leaves out.
        lebesgue: no interpolant is larger than this times its largest value at the nodes.
    """

    orders: tuple[int, ...]
    remainder: float
    lebesgue: float


def middle(side: tuple[float, float]) -> float:
    """Return the middle of an interval; one of its ends if no float64 lies between them."""
    return side[0] / 2 + side[1] / 2


def around(side: tuple[float, float]) -> Any:
    """Return a ball that covers an interval."""
    centre, reach = middle(side), radius(side)
    return arb(centre, reach) if reach else arb(centre)


def radius(side: tuple[float, float]) -> float:
    """Return a distance from its middle that covers an interval."""
    low, high = side
    if low == high:
        return 0.0
    centre = middle(side)
    reach = max(high - centre, centre - low)
    exact = arb(centre) - arb(reach) <= arb(low) and arb(centre) + arb(reach) >= arb(high)
    return reach if exact else math.nextafter(reach, math.inf)


def planned(box: Box, series: Sequence[Sequence[Any]], wanted: float) -> Interpolant | int:
    """Return orders with which the remainder is at most `wanted`, or else the axis to halve.

    Args:
        box: the box.
        series: for each axis, the function's Taylor coefficients along it anywhere in the box.
        wanted: the bound that the remainder has to keep.
    """
    orders: list[int] = []
    remainder, factor = 0.0, 1.0
    for axis, coefficients in enumerate(series):
        errors = list(_errors(coefficients, radius(box[axis])))
        share = wanted / len(series) / factor
        order = next((n for n, error in enumerate(errors) if error <= share), None)
        if order is None:
            return axis
        orders.append(order)
        remainder += factor * errors[order]
        factor *= _lebesgue(order)
    if math.prod(n + 1 for n in orders) > NODES:
        return orders.index(max(orders))
    return Interpolant(tuple(orders), remainder * (1 + 2**-40), factor * (1 + 2**-40))


def _errors(coefficients: Sequence[Any], reach: float) -> Iterator[float]:
    """Give what an interpolant of each order leaves out along one axis."""
    half = power = arb(reach) / 2
    for coefficient in coefficients[1:]:
        yield above(2 * coefficient * power)
        power *= half


def _lebesgue(order: int) -> float:
    return 2 / math.pi * math.log(order + 1) + 1


def nodes(box: Box, plan: Interpolant) -> Iterator[tuple[Any, ...]]:
    """Give the Chebyshev nodes of a box, as balls."""
    sides = []
    for side, order in zip(box, plan.orders, strict=True):
        centre, reach = arb(middle(side)), arb(radius(side))
        sides.append([centre + reach * at for at in _chebyshev(order)])
    return product(*sides)


@lru_cache(maxsize=64)
def _chebyshev(order: int) -> list[Any]:
    return [arb.cos_pi(arb(2 * k + 1) / (2 * order + 2)) for k in range(order + 1)]
