"""The points at which to check: what the user gave, or small seeded ones inside the domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcheck.checking.values import Shape, Value, parse_points
from gradcheck.errors import DomainError, PointError, Source, did_you_mean
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language import array_files
from gradcheck.ops import OPS

if TYPE_CHECKING:
    from random import Random

Point = dict[str, Any]
"""Input name → float, or numpy array of float64."""

WIDTHS = (3.0, 1.0, 10.0, 0.3, 100.0, 0.03, 1000.0)
"""Ranges tried for a random point, the friendliest first."""

TRIES = 40


def read(texts: Iterable[str]) -> list[dict[str, Value]]:
    """Read repeated --at options: later ones add variables to every point of the earlier ones.

    Raises:
        PointError: if two options give several points each, in different numbers, or the same
            variable twice.
    """
    points: list[dict[str, Value]] = [{}]
    for text in texts:
        added = parse_points(Source(text, "--at"))
        if len(points) == 1:
            points = points * len(added)
        elif len(added) == 1:
            added = added * len(points)
        if len(added) != len(points):
            raise PointError(
                f"{len(points)} points here and {len(added)} there", hint="give as many in each --at, or one"
            )
        for old, new in zip(points, added, strict=True):
            for name in old.keys() & new.keys():
                raise PointError(f"`{name}` is given twice", new[name].source, new[name].span)
        points = [{**old, **new} for old, new in zip(points, added, strict=True)]
    return points


def given(at: Any) -> list[dict[str, Any]]:
    """Return the points that a program gives: a mapping, several, or the text of --at.

    Raises:
        PointError: for anything else, and for values that are no finite numbers.
    """
    if isinstance(at, str):
        return [dict(point) for point in read([at])]
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


def located(graph: Graph, given: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[Point]:
    """Return the points with their numbers: those given, or `count` chosen ones.

    Raises:
        ShapeError: if shapes do not fit.
        PointError: if a value cannot be had, or arrays are needed and none is given.
        DomainError: if no point is found.
    """
    # Shapes are settled for all points before the first array is made.
    for point in given:
        _check_shapes(graph, point)
    if given:
        made = [
            {name: resolve(v, name, seed) if isinstance(v, Value) else v for name, v in point.items()}
            for point in given
        ]
        return [_with_positions(graph, point) for point in made]
    _check_shapes(graph, {})
    if graph.params:
        node = next(iter(graph.params), graph.output)
        raise PointError(
            "this needs arrays, and no values are given", graph.source, graph.span(node),
            "as in --at \"W=randn(5,10),x=[1,-1]\"",
        )  # fmt: skip
    return sample(graph, count, seed)


def positions(graph: Graph) -> set[str]:
    """Return the inputs that say where to look something up, as y does in W[y]: whole numbers, with no gradient.

    Raises:
        PointError: for one that is calculated with too, and for a position that is calculated.
    """
    if "lookup" not in graph.ops:
        return set()
    names = {node: name for name, node in graph.inputs.items()}
    found: dict[int, int] = {}
    for node in graph.gates:
        for place, operand in enumerate(graph.operands(node)):
            if (graph.ops[node], place) == ("lookup", 1):
                if operand not in names:
                    raise PointError("positions are a variable or written out", graph.source, graph.span(node))
                found[operand] = node
    for node in graph.gates:
        for place, operand in enumerate(graph.operands(node)):
            if operand in found and (graph.ops[node], place) != ("lookup", 1):
                raise PointError(
                    f"`{names[operand]}` says where to look, so it cannot be calculated with",
                    graph.source, graph.span(node), "use two variables",
                )  # fmt: skip
    return {names[node] for node in found}


def looked_up(graph: Graph) -> set[str]:
    """Return the inputs that say where to look something up: places in an array, which end with it."""
    places = {graph.operands(node)[1] for node in graph.gates if graph.ops[node] == "lookup"}
    return {name for name, node in graph.inputs.items() if node in places}


def _with_positions(graph: Graph, point: Point) -> Point:
    """Return a point whose positions are whole-number arrays that fit.

    Raises:
        PointError: for positions that are no whole numbers, or beyond what is looked up.
    """
    named = positions(graph)
    if not named:
        return point
    import numpy as np

    result = {name: np.asarray(x).astype(int) if name in named else x for name, x in point.items()}
    shapes = infer(graph, {name: shape_of(x) for name, x in point.items()})
    for node in graph.gates:
        if graph.ops[node] != "lookup":
            continue
        table, where = graph.operands(node)
        name = next(name for name, k in graph.inputs.items() if k == where)
        length = shapes[table][0]
        exact = bool(np.all(np.asarray(point[name]) == result[name]))
        if not exact or not bool(np.all((result[name] >= -length) & (result[name] < length))):
            raise PointError(
                f"`{name}` says where to look in `{graph.text(table)}`: whole numbers from 0 to {length - 1}",
                graph.source, graph.span(node),
            )  # fmt: skip
    return result


def _check_shapes(graph: Graph, point: Mapping[str, Any]) -> None:
    """Refuse shapes that do not fit; those of files are known only once they are read."""
    if not any(isinstance(v, Value) and v.kind == "file" for v in point.values()):
        infer(graph, {name: shape_of(point.get(name)) for name in graph.inputs})


def drawn(given: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether some value is drawn from the seed."""
    return any(isinstance(v, Value) and v.kind.startswith("rand") for point in given for v in point.values())


def check_names(graph: Graph, given: Mapping[str, Any], beside: Collection[str] = ()) -> None:
    """Refuse names that neither the expression nor a claim (`beside`) has, and variables that have no value."""
    for name in given:
        if name not in graph.inputs and name not in beside:
            hint = did_you_mean(name, graph.inputs)
            if name in graph.stages:
                hint = "it is a stage, computed from the inputs"
            value = given[name]
            source, span = (value.source, value.span) if isinstance(value, Value) else (None, None)
            raise PointError(f"the expression has no variable `{name}`", source, span, hint)
    for name, node in graph.inputs.items():
        if name not in given:
            raise PointError(
                f"`{name}` has no value", graph.source, graph.span(node), f"add it to the point: --at {name}=…"
            )


def resolve(value: Value, name: str, seed: int) -> Any:
    """Return the number or array that a value of --at stands for.

    Raises:
        PointError: if it cannot be had, or is not finite.
    """
    if value.kind == "number":
        return value.data
    import numpy as np

    with np.errstate(all="ignore"):
        array = _load(value) if value.kind == "file" else _make(value, name, seed)
    if np.size(array) == 0:
        raise PointError(f"`{name}` is empty: it has no element to check", value.source, value.span)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = f"element {bad[0].tolist()} of `{name}`" if np.ndim(array) else f"`{name}`"
        raise PointError(f"{place} is not finite", value.source, value.span)
    return array


def _make(value: Value, name: str, seed: int) -> Any:
    import numpy as np

    shape = value.shape or ()
    if value.kind == "list":
        return np.array(value.data, dtype=float).reshape(shape)
    if value.kind in ("randn", "rand"):
        from zlib import crc32

        generator = np.random.default_rng([seed, crc32(name.encode())])
        return generator.standard_normal(shape) if value.kind == "randn" else generator.random(shape)
    if value.kind == "linspace":
        return np.linspace(value.data[0], value.data[1], shape[0])
    if value.kind == "arange":
        return value.data[0] + value.data[1] * np.arange(shape[0], dtype=float)
    if value.kind == "eye":
        return np.eye(shape[0], shape[1])
    return np.zeros(shape) if value.kind == "zeros" else np.ones(shape)


def _load(value: Value) -> Any:
    """Load an array of numbers from a .npy or .npz file."""
    path, _, key = value.data.rpartition(":") if ".npz:" in value.data else (value.data, "", "")

    def refuse(message: str, hint: str | None = None) -> PointError:
        return PointError(message, value.source, value.span, hint)

    array = array_files.read_array(path, key, refuse, lambda name: f"choose as in {path}:{name}")
    return array if array.shape else float(array)


def shape_of(value: Any) -> Shape:
    """Return the shape of an unresolved or resolved value; () for a number."""
    return tuple(getattr(value, "shape", None) or ())


def sample(graph: Graph, count: int, seed: int) -> list[Point]:
    """Choose points with one short decimal a variable, inside the domain and away from kinks.

    Deterministic for a seed. Values within one point are distinct, so that exchanged gradients
    cannot hide.

    Raises:
        DomainError: if no such point is found.
    """
    from random import Random

    from gradcheck.arithmetic.floats import FLOATS
    from gradcheck.checking import forward

    generator = Random(seed)
    names = list(graph.inputs)
    if not names:
        forward.run(graph, {}, arrays=False)
        return [{}]
    found: list[Point] = []
    problem: DomainError | None = None
    for width in WIDTHS:
        for only_positive in (False, True):
            for _ in range(TRIES + 4 * count):
                point = _draw(generator, names, width, only_positive)
                try:
                    values = forward.run(graph, point, arrays=False).values
                except DomainError as error:
                    problem = error
                    continue
                if point not in found and not kinks(graph, FLOATS, values):
                    found.append(point)
                if len(found) == count:
                    return found
    if found:
        return found
    if problem is not None:
        raise DomainError(f"no point found: {problem.message}", problem.source, problem.span, "choose one with --at")
    raise DomainError("every point tried lies on a kink", hint="choose one with --at")


def _draw(generator: Random, names: Sequence[str], width: float, only_positive: bool) -> Point:
    digits = max(0, 1 - math.floor(math.log10(width / 3)))
    steps = round(width * 10**digits)
    point: Point = {}
    taken: set[float] = set()
    for name in names:
        for _ in range(100 if len(names) <= steps else 1):
            k = generator.randint(1, steps)
            value = round((k if only_positive or generator.random() < 0.6 else -k) / 10**digits, digits)
            if value not in taken:
                break
        taken.add(value)
        point[name] = value
    return point


def kinks(
    graph: Graph, system: Any, values: list[Any], on: Callable[[Any], bool] = lambda edge: edge == 0
) -> list[int]:
    """Return the gates whose operands lie exactly on a kink of their op; with another `on`, those that may."""
    found = []
    compiled: dict[str, Any] = {}
    for node in graph.gates:
        op = graph.ops[node]
        row = OPS[op]
        if not row.kink:
            continue
        if op not in compiled:
            compiled[op] = system.compile(row.kink, (*row.args, "out"))
        if values[node] is None:
            continue
        try:
            edges = compiled[op](*[values[k] for k in graph.operands(node)], values[node])
        except (ArithmeticError, ValueError):
            continue
        if any(on(edge) for edge in edges):
            found.append(node)
    return found
