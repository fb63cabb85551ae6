"""Slopes from function values alone, in balls, each with a bar that is proved.

The function is evaluated beside the input, a step to either side so small that hardly anything is
left out: f'(x) = (f(x + h) - f(x - h))/2h - f'''(ξ)/6·h² for some ξ in [x - h, x + h]. The quotient is a
ball; the third Taylor coefficient over that whole interval, a ball too, bounds the rest. The step
depends on the number of digits alone. Where there is no such coefficient, a kink lies in the
interval or the domain ends: the series to either side give the one-sided slopes. What has no series
either is estimated from three steps, and the slope says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from gradcheck.arithmetic import balls, series
from gradcheck.arithmetic.arb import arb, arb_series
from gradcheck.arithmetic.balls import ZERO, Ball
from gradcheck.arithmetic.compiling import Function
from gradcheck.arithmetic.system import System
from gradcheck.engines import chain
from gradcheck.graph.evaluation import Values, recompute
from gradcheck.graph.graph import NONE, Graph, downstream
from gradcheck.ops import OPS

SMOOTH, KINK, JUMP, EDGE, INFINITE, UNDEFINED, UNSETTLED = (
    "smooth", "kink", "jump", "edge", "infinite", "undefined", "unsettled",
)  # fmt: skip

ESTIMATED_FROM = 400
"""Digits from which a slope is estimated where it cannot be proved: it takes that many to see the steps."""

STEPS = 25, 60, 120
"""Powers of ten of the steps of an estimate."""

HALF = arb(0.5)

FLAT = arb(1e-150)
"""A slope below this part of what the function's value suggests is estimated to be zero."""

TERMS = 12
"""Coefficients of a series to one side: roots and quotients at zero use some of them up."""

VISIBLE = 1e-8
"""A step, beside the input or beside 1, at which a function that depends on it should change."""


class Slope(NamedTuple):
    """What finite differences say about one input number.

    Attributes:
        kind: smooth, or what kind of place this is: a kink (two slopes), a jump of the value,
            an edge of the domain (slope from one side only), infinite, undefined on both
            sides, or unsettled (not known with so many digits).
        value: a ball that holds the slope; at a kink or jump the slopes from both sides.
        left, right: the slopes from either side; None where the function is not defined.
        exercised: whether the function's value changed at all.
        proved: whether the slope certainly lies in the ball.
    """

    kind: str
    value: Ball | None
    left: Ball | None = None
    right: Ball | None = None
    exercised: bool = True
    proved: bool = True


class Cone(NamedTuple):
    """The gates downstream of a node, in order, with the graph's columns for them."""

    gates: list[int]
    ops: list[str]
    left: list[int]
    right: list[int]


class _Side(NamedTuple):
    """The slope to one side: a ball, or why there is none; whether the value jumps, and whether all is proved."""

    slope: Ball | None
    kind: str = SMOOTH
    jumps: bool = False
    proved: bool = True


class Differences:
    """Finite differences of one graph of single numbers at one point, with so many digits.

    Args:
        graph: the graph.
        values: the ball of each node; equal ones are one object.
        digits: the digits of the balls.
    """

    def __init__(self, graph: Graph, values: Values, digits: int) -> None:
        self.graph = graph
        self.values = values
        self.digits = digits
        self.power = balls.bits_of(digits) // 3
        self.numbers, self.series = balls.system(digits), series.system(digits)

    @cached_property
    def users(self) -> tuple[array[int], array[int]]:
        """The gates that use each node."""
        return self.graph.users()

    def cone(self, node: int, limit: int) -> Cone | None:
        """Return the gates to recompute when `node` changes; None if there are more than `limit`."""
        gates = downstream(self.graph, node, self.users, limit)
        return None if gates is None else self._columns(gates)

    def _columns(self, gates: list[int]) -> Cone:
        ops, left, right = self.graph.ops, self.graph.left, self.graph.right
        return Cone(gates, [ops[k] for k in gates], [left[k] for k in gates], [right[k] for k in gates])

    def slope(self, node: int, cone: Cone) -> Slope:
        """Return the slope along `node`, whose downstream gates are `cone`."""
        if node != self.graph.output and self.graph.output not in cone.gates:
            return Slope(SMOOTH, ZERO, ZERO, ZERO, exercised=False)
        value = self._quotient(node, cone)
        found = Slope(SMOOTH, value, value, value) if value.is_finite() else self._from_sides(node, cone)
        if found.value is not None and found.value.contains(0) and found.kind == SMOOTH:
            found = found._replace(exercised=self._reacts(node, cone))
        return found

    def _recompute(self, system: System, cone: Cone) -> None:
        """Compute the gates of a cone in place."""
        loop = system.forward_loop(self.graph.ops)
        stuck = 0 if loop is None else loop(*cone, self.graph.rest, self.values)
        if stuck != NONE:
            recompute(self.graph, system, self.values, [k for k in cone.gates if k >= stuck])

    def _at(self, node: int, cone: Cone, moves: Sequence[Any], system: System | None = None) -> list[Any]:
        """Return the output's value with `node` moved by each of `moves`."""
        values, output = self.values, self.graph.output
        base, kept = values[node], [values[k] for k in cone.gates]
        found = []
        for move in moves:
            values[node] = base + move
            self._recompute(system or self.numbers, cone)
            found.append(values[output])
        values[node] = base
        for k, value in zip(cone.gates, kept, strict=True):
            values[k] = value
        return found

    def _quotient(self, node: int, cone: Cone) -> Ball:
        """Return the central difference, with the ball of what it leaves out; not finite if that is not known."""
        h = step(self.values[node], self.power)
        ahead, back = self._at(node, cone, [h, -h])
        (rest,) = self._at(node, cone, [arb_series([arb(0, h), 1])], self.series)
        return quotient(ahead, back, rest, h)

    def along(self, nodes: Sequence[int], weights: Sequence[float]) -> tuple[Ball, list[Ball]]:
        """Return the slope along a direction in which several inputs move, and by how much each of them does.

        An input moves by its own size times its weight.
        """
        values, output = list(self.values), self.graph.output
        sizes = [step(values[k], 0) * arb(w) for k, w in zip(nodes, weights, strict=True)]
        h = arb(2) ** -self.power
        found = []
        for system, move in ((self.numbers, h), (self.numbers, -h), (self.series, arb_series([arb(0, h), 1]))):
            for k, size in zip(nodes, sizes, strict=True):
                self.values[k] = values[k] + size * move
            self._recompute(system, self.whole)
            found.append(self.values[output])
            self.values[:] = values
        ahead, back, rest = found
        return quotient(ahead, back, rest, h), sizes

    @cached_property
    def whole(self) -> Cone:
        """All gates of the graph."""
        return self._columns(self.graph.gates)

    def chained(self) -> Values:
        """Return d output / d node for every node, by the chain rule over differences of each gate."""
        return chain.adjoints(self.graph, self.values, arb(1), lambda op: gate_slopes(op, self.digits), balls.NAN)

    def _reacts(self, node: int, cone: Cone) -> bool:
        """Return whether a visible step changes the value, however flat the function is here."""
        f0 = self.values[self.graph.output]
        size = abs(self.values[node])
        steps = [arb(VISIBLE) * (size if size != 0 else 1), arb(VISIBLE) * size.max(arb(1))]
        found = self._at(node, cone, [sign * step for step in steps for sign in (-1, 1)])
        return any(f.is_finite() and not f.overlaps(f0) for f in found)

    def _from_sides(self, node: int, cone: Cone) -> Slope:
        """Return the slopes to either side."""
        left, right = (self._side(node, cone, sign) for sign in (-1, 1))
        proved = left.proved and right.proved
        kinds = {left.kind, right.kind}
        for kind in (UNSETTLED, INFINITE):
            if kind in kinds:
                return Slope(kind, None, left.slope, right.slope, proved=proved)
        if left.slope is None or right.slope is None:
            one = left.slope if right.slope is None else right.slope
            return Slope(UNDEFINED if one is None else EDGE, one, left.slope, right.slope, proved=proved)
        jumps = left.jumps or right.jumps
        kind = JUMP if jumps else SMOOTH if left.slope.overlaps(right.slope) else KINK
        return Slope(kind, left.slope.union(right.slope), left.slope, right.slope, proved=proved)

    def _side(self, node: int, cone: Cone, sign: int) -> _Side:
        found, outside = self._germ(node, cone, sign)
        start, slope = (found[0], sign * found[1]) if isinstance(found, arb_series) else (found, ZERO)
        if slope.is_finite() and start.is_finite():
            return _Side(slope, jumps=not start.overlaps(self.values[self.graph.output]))
        if outside:
            return _Side(None, UNDEFINED)
        return _Side(None, UNSETTLED) if self.digits < ESTIMATED_FROM else self._estimate(node, cone, sign)

    def _germ(self, node: int, cone: Cone, sign: int) -> tuple[Any, bool]:
        """Return the series of the output for a small step to one side, and whether something is not defined there.

        A node starts at its own value, which is known exactly where two of them are one, unless it
        has jumped.
        """
        graph, values = self.graph, self.values
        moved: dict[int, Any] = {}
        jumped: set[int] = set()
        failures: set[type[Exception]] = set()
        with balls.precision(self.digits, TERMS):
            moved[node] = arb_series([values[node], sign])
            for k in cone.gates:
                operands, row = graph.operands(k), OPS[graph.ops[k]]
                point = [moved.get(j, values[j]) for j in operands]
                stayed = jumped.isdisjoint(operands)
                tied = stayed and row.kink == chain.TIE and values[operands[0]] is values[operands[1]]
                if tied:
                    point = [series.starting(x, ZERO) for x in point]
                try:
                    found = self.series.function(row.name)(*point)
                except (ArithmeticError, ValueError) as error:
                    # It may lie in a branch that is not taken.
                    failures.add(type(error))
                    moved[k] = balls.NAN
                    continue
                start = found[0] if isinstance(found, arb_series) else found
                lands = start.overlaps(values[k]) or (tied and not row.locally_constant)
                if stayed and lands and start.is_finite():
                    found = series.starting(found, values[k])
                else:
                    jumped.add(k)
                moved[k] = found
        found = moved.get(graph.output, values[graph.output])
        return found if series.known(found, 2) else balls.NAN, failures == {series.OutsideError}

    def _estimate(self, node: int, cone: Cone, sign: int) -> _Side:
        """Estimate a slope to one side from three steps, or say why there is none."""
        f0 = self.values[self.graph.output]
        size = step(self.values[node], 0)
        steps = [sign * size * arb(10) ** -power for power in STEPS]
        seen = self._at(node, cone, [k * h for h in steps for k in (1, 2)])
        if not all(f.is_finite() for f in seen):
            return _Side(None, UNDEFINED, proved=False)
        near, far = seen[::2], seen[1::2]
        # Beside a jump the value is the same one step away and two; a root or a pole is not.
        jumps = bool(abs(far[-1] - near[-1]) * 1000 < abs(near[-1] - f0))
        if jumps:
            slopes = [(b - a) / h for a, b, h in zip(near, far, steps, strict=True)]
        else:
            slopes = [(-3 * f0 + 4 * a - b) / (2 * h) for a, b, h in zip(near, far, steps, strict=True)]
        dull, middle, sharp = slopes
        error = abs(middle - sharp)
        if error <= abs(sharp) * arb(1e-10) or error.abs_upper() <= balls.LEAST.max(abs(f0) / size * FLAT):
            return _Side(sharp + 2 * error * arb(0, 1), jumps=jumps, proved=False)
        if abs(sharp) * 1000 < abs(middle) and abs(middle) * 1000 < abs(dull):
            return _Side(sharp * arb(0, 1), jumps=jumps, proved=False)
        grows = all(abs(b) > abs(a) * arb(1.5) and a * b > 0 for a, b in ((dull, middle), (middle, sharp)))
        return _Side(None, INFINITE if grows else UNSETTLED, proved=False)


def step(x: Ball, power: int) -> Ball:
    """Return a power of two: the size of a number, or one where it is zero, over 2 to the `power`."""
    mantissa, exponent = x.abs_upper().man_exp()
    return arb(2) ** (int(exponent) + mantissa.bit_length() - 1 - power) if mantissa else arb(2) ** -power


def quotient(ahead: Ball, back: Ball, rest: Any, h: Ball) -> Ball:
    """Return a central difference with the ball of what it leaves out; not finite if that is not known.

    Args:
        ahead: the function's value a step ahead.
        back: its value a step back.
        rest: its series over the interval between them.
        h: the step.
    """
    if not series.known(rest, 4):
        return balls.NAN
    third = rest[3] if isinstance(rest, arb_series) else ZERO
    return (ahead - back) / (2 * h) + arb(0, 1) * (third * h * h)


@lru_cache(maxsize=1024)
def gate_slopes(op: str, digits: int) -> list[Any]:
    """Return the slopes of one op in each of its operands, by differences of its definition, as `chain` takes them."""
    row = OPS[op]
    value, runs_on = balls.system(digits).function(op), series.system(digits).function(op)
    found: list[Any] = []
    for k, name in enumerate(row.args):
        group = next((group for group in row.linear if name in group), None)
        if row.locally_constant or (row.choice and k == 0):
            found.append(ZERO)
        elif group is not None:
            found.append(_linear_slope(value, [arg in group for arg in row.args], k))
        else:
            found.append(_curved_slope(value, runs_on, k, balls.bits_of(digits) // 3))
    return found


def _linear_slope(value: Function, group: list[bool], k: int) -> Any:
    """An op that is linear has the same slope everywhere: it is exact between -1/2 and 1/2."""
    if all(group):
        point = [ZERO] * len(group)
        return value(*point[:k], HALF, *point[k + 1 :]) - value(*point[:k], -HALF, *point[k + 1 :])

    if len(group) == 2:
        # By far the commonest: a product.
        if k == 0:
            return lambda _, y: value(HALF, y) - value(-HALF, y)
        return lambda x, _: value(x, HALF) - value(x, -HALF)

    def slope(*point: Ball) -> Ball:
        rest = [ZERO if together else x for x, together in zip(point, group, strict=True)]
        before, after = rest[:k], rest[k + 1 :]
        return value(*before, HALF, *after) - value(*before, -HALF, *after)

    return slope


def _curved_slope(value: Function, runs_on: Function, k: int, power: int) -> chain.Local:
    def slope(*point: Ball) -> Ball:
        x, h = point[k], step(point[k], power)
        before, after = point[:k], point[k + 1 :]
        try:
            rest = runs_on(*before, arb_series([x + arb(0, h), 1]), *after)
            return quotient(value(*before, x + h, *after), value(*before, x - h, *after), rest, h)
        except (ArithmeticError, ValueError):
            sides = _sides(runs_on, point, k)
            return sides[0].union(sides[-1]) if sides else balls.NAN

    return slope


def gate_sides(op: str, digits: int, point: Sequence[Ball], k: int) -> list[Ball]:
    """Return the slopes of one op to either side in operand `k`; none if one is not known."""
    return _sides(series.system(digits).function(op), point, k)


def _sides(runs_on: Function, point: Sequence[Ball], k: int) -> list[Ball]:
    """Return the slopes of one gate to either side, as far as it is defined there; none if one is not known."""
    found = []
    for sign in (-1, 1):
        try:
            side = runs_on(*point[:k], arb_series([point[k], sign]), *point[k + 1 :])
        except series.OutsideError:
            continue
        except (ArithmeticError, ValueError):
            return []
        if not series.known(side, 2):
            return []
        found.append(sign * side[1] if isinstance(side, arb_series) else ZERO)
    return found
