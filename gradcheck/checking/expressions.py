"""From an expression and a point to a report: guards, engines, comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcheck.checking import points
from gradcheck.checking.values import Value
from gradcheck.errors import DomainError, PointError, Source, UsageError, did_you_mean
from gradcheck.graph.shapes import infer
from gradcheck.language.claims import read_claim
from gradcheck.language.parser import parse

if TYPE_CHECKING:
    from gradcheck.checking.number_by_number import Place
    from gradcheck.checking.results import Check, Report

ENGINES = ("backprop", "symbolic", "finite_difference")
MAX_POINTS = 1000


class Settings(NamedTuple):
    """What to check and how.

    Attributes:
        wrt: inputs to check; None for all.
        engines: methods to ask.
        points: how many points to choose where none is given.
        seed: seed of the chosen points and of randn and rand.
        strict: whether anything but agreement counts as a failure.
    """

    wrt: tuple[str, ...] | None = None
    engines: tuple[str, ...] = ENGINES
    points: int = 3
    seed: int = 0
    strict: bool = False


def check(
    expression: str,
    at: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | None = None,
    *,
    claims: Mapping[str, str | float] | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> Report:
    """Check the gradient of an expression by independent methods.

    Args:
        expression: text in gradcheck's language, such as "(x+y)*z".
        at: a point as a mapping of names to numbers or arrays, several points as a list of
            mappings or as the text of --at; None chooses seeded points inside the domain.
        claims: gradients to grade: input name → formula or number.
        settings: what to check and how.
        **options: fields of the settings as keywords: wrt, engines, points, seed, strict.

    Returns:
        The report: `.verdict`, `.exit_code`, `.checks[i].gradients[j]` and `.to_dict()`.

    Raises:
        GradcheckError: for text that is not an expression (LanguageError), values that are
            missing or unknown (PointError), shapes that do not fit (ShapeError), and points
            where the function or its slope is not defined (DomainError).
    """
    if settings is not None and options:
        settings = settings._replace(**options)
    settings = settings or Settings(**options)
    return Job(Source(expression), read_points(at), claims or {}, settings).run()


def read_points(at: Any) -> list[dict[str, Any]]:
    """Return the points that a program gives: a mapping, several, or the text of --at.

    Raises:
        PointError: for anything else, and for values that are no finite numbers.
    """
    if isinstance(at, str):
        return [dict(point) for point in points.read([at])]
    if isinstance(at, Mapping):
        return [_checked(at)]
    if at is None or isinstance(at, Sequence):
        return [_checked(point) for point in at or ()]
    raise PointError(f"at= takes a mapping, a list of mappings or text, not {type(at).__name__}")


def _checked(point: Any) -> dict[str, Any]:
    """Return a point from Python as plain floats and float64 arrays."""
    result: dict[str, Any] = {}
    if not isinstance(point, Mapping):
        raise PointError(f"a point is a mapping of names to values, not {type(point).__name__}")
    for name, value in point.items():
        try:
            if isinstance(value, (int, float)):
                result[name] = float(value)
            else:
                import numpy as np

                array = np.asarray(value, dtype=float)
                result[name] = array if array.shape else float(array)
        except (TypeError, ValueError, OverflowError):
            raise PointError(f"the value of `{name}` is not a number or an array of numbers") from None
        numbers = [result[name]] if isinstance(result[name], float) else result[name].ravel().tolist()
        if not numbers:
            raise PointError(f"`{name}` is empty: it has no element to check")
        if not all(map(math.isfinite, numbers)):
            raise PointError(f"the value of `{name}` is not finite")
    return result


class Job:
    """One expression to check at several points."""

    def __init__(
        self,
        source: Source,
        given: Sequence[Mapping[str, Any]],
        claims: Mapping[str, str | float],
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.given = list(given)
        named = {name for point in given for name in point}
        self.graph = parse(source, named)
        for point in given:
            points.check_names(self.graph, point)
        self.wrt = self._inputs()
        self.claims = {name: read_claim(self.graph, name, claim, named) for name, claim in claims.items()}
        for name, claim in self.claims.items():
            if name not in self.wrt:
                hint = did_you_mean(name, self.wrt) or f"inputs that are checked: {', '.join(self.wrt)}"
                raise UsageError(f"--claim {name}: no such input", claim.source, (0, 1), hint)
        self._check_engines()

    def _inputs(self) -> list[str]:
        inputs = self.graph.inputs
        for name in self.settings.wrt or ():
            if name not in inputs:
                hint = did_you_mean(name, inputs) or f"its variables are {', '.join(inputs) or 'none'}"
                raise UsageError(f"--wrt {name}: the expression has no such variable", hint=hint)
        return [name for name in inputs if self.settings.wrt is None or name in self.settings.wrt]

    def _check_engines(self) -> None:
        for name in self.settings.engines:
            if name not in ENGINES:
                raise UsageError(f"there is no engine `{name}`", hint=did_you_mean(name, ENGINES))
        if len(set(self.settings.engines)) < 2:
            raise UsageError(
                "one method alone can be compared with nothing", hint=f"choose two or more of {', '.join(ENGINES)}"
            )
        if not 1 <= self.settings.points <= MAX_POINTS:
            raise UsageError(f"--points must lie between 1 and {MAX_POINTS}")

    def run(self) -> Report:
        """Check every point."""
        from gradcheck.checking.results import Report

        chosen = not self.given
        located = self.located()
        checks = []
        for k, point in enumerate(located):
            try:
                checks.append(self.check(point))
            except DomainError:
                # A chosen point with an infinite slope is a bad choice, not the user's error.
                if not chosen or (k == len(located) - 1 and not checks):
                    raise
        seed = self.settings.seed if chosen or self._random() else None
        return Report(checks, self.columns, seed, self.settings.strict)

    def located(self) -> list[points.Point]:
        """Return the points, given or chosen, with their numbers."""
        # Shapes are settled for all points before the first array is made.
        for point in self.given:
            self._check_shapes(point)
        if self.given:
            return [self._resolved(point) for point in self.given]
        self._check_shapes({})
        if self.graph.params:
            self._needs_arrays()
        return points.sample(self.graph, self.settings.points, self.settings.seed)

    @property
    def columns(self) -> tuple[str, ...]:
        """The engines in the order of ENGINES."""
        return tuple(e for e in ENGINES if e in self.settings.engines)

    def _random(self) -> bool:
        return any(isinstance(v, Value) and v.kind.startswith("rand") for p in self.given for v in p.values())

    def _check_shapes(self, point: Mapping[str, Any]) -> None:
        """Refuse shapes that do not fit; those of files are known only once they are read."""
        if not any(isinstance(v, Value) and v.kind == "file" for v in point.values()):
            infer(self.graph, {name: points.shape_of(point.get(name)) for name in self.graph.inputs})

    def _needs_arrays(self) -> None:
        node = next(iter(self.graph.params), self.graph.output)
        raise PointError(
            "this needs arrays, and no values are given", self.graph.source, self.graph.span(node),
            "as in --at \"W=randn(5,10),x=[1,-1]\"",
        )  # fmt: skip

    def _resolved(self, point: Mapping[str, Any]) -> points.Point:
        return {
            name: points.resolve(v, name, self.settings.seed) if isinstance(v, Value) else v
            for name, v in point.items()
        }

    def place(self, point: points.Point) -> Place:
        """Return the graph at a point.

        Raises:
            DomainError: if the function is not defined there.
        """
        shapes = infer(self.graph, {name: points.shape_of(v) for name, v in point.items()})
        if any(shapes) or self.graph.params:
            from gradcheck.checking.arrays import ArrayPoint

            return ArrayPoint(self.graph, point, shapes)
        from gradcheck.checking.scalars import ScalarPoint

        return ScalarPoint(self.graph, point)

    def check(self, point: points.Point) -> Check:
        """Check one point.

        Raises:
            DomainError: if the function or a slope is not defined there.
        """
        return self.graded(self.place(point))

    def graded(self, place: Place) -> Check:
        """Check the graph at a point that was evaluated.

        Raises:
            DomainError: if a slope is not defined there.
        """
        # Loaded only now: a point outside the domain must not wait for the engines.
        from gradcheck.checking.number_by_number import Grading, Question

        return Grading(Question(self.settings, self.wrt, self.claims), place).check()
