"""The text of --at: which values the variables have.

    points = point { ";" point }
    point  = name "=" value { "," name "=" value }
    value  = constant expression | "[" value { "," value } "]" | "@" file [":" key]
           | ("randn" | "rand" | "zeros" | "ones" | "eye") "(" sizes ")"
           | ("linspace" | "arange") "(" numbers ")"

Only text is read here; arrays are made later, when their shapes have been accepted.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

from gradcheck.errors import LanguageError, PointError, Source
from gradcheck.language.array_files import MAX_ELEMENTS
from gradcheck.language.parser import parse
from gradcheck.language.static import skip_blanks
from gradcheck.language.tokens import WORD

Shape = tuple[int, ...]

MAX_AXES = 32

_NAME = re.compile(rf"\s*({WORD})\s*(=?)(?!=)")
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(?=[,;\]]|$)")
_GENERATOR = re.compile(r"\s*(randn|rand|zeros|ones|eye|linspace|arange)\s*\(([^()]*)\)\s*(?=[,;\]]|$)")
_FILE = re.compile(r"\s*@([^,;]+)")
_NEXT = re.compile(rf"\s({WORD})\s*=(?!=)")


class Value:
    """What --at says of one variable.

    Attributes:
        kind: number, list, file, or the name of a generator.
        shape: its shape; None for a file, which has not been opened yet.
        data: the number; the flat list of numbers; the path; or the generator's arguments.
        span: where it stands in the source.
    """

    __slots__ = ("data", "kind", "shape", "source", "span")

    def __init__(self, kind: str, shape: Shape | None, data: Any, source: Source, span: tuple[int, int]) -> None:
        self.kind = kind
        self.shape = shape
        self.data = data
        self.source = source
        self.span = span


def parse_points(source: Source) -> list[dict[str, Value]]:
    """Read the text of one --at option: a list of points, each a mapping of names to values.

    Raises:
        LanguageError, PointError: with the place.
    """
    points: list[dict[str, Value]] = [{}]
    text, pos = source.text, 0
    while True:
        match = _NAME.match(text, pos)
        if match is None:
            if not text[pos:].strip():
                if not points[-1] and len(points) > 1:
                    points.pop()
                if points == [{}]:
                    raise LanguageError("no values are given", source, (0, 1), "as in --at x=1,y=2")
                return points
            place = skip_blanks(text, pos)
            raise LanguageError("expected name=value", source, (place, place + 1), "as in --at x=1,y=2")
        name = match[1]
        if not match[2]:
            raise LanguageError(
                f"`{name}` has no value", source, match.span(1), f"write {name}=…; several points are separated by `;`"
            )
        if name in points[-1]:
            raise PointError(f"`{name}` is given twice", source, match.span(1), "separate points with `;`")
        value, pos = _value(source, match.end())
        points[-1][name] = value
        pos = skip_blanks(text, pos)
        if text[pos : pos + 1] == ";":
            points.append({})
        elif text[pos : pos + 1] not in (",", ""):
            raise LanguageError("expected `,` or `;` here", source, (pos, pos + 1))
        pos += 1


def _value(source: Source, pos: int) -> tuple[Value, int]:
    text = source.text
    match = _NUMBER.match(text, pos)
    if match:
        number = _finite(float(match[1]), source, match.span(1))
        return Value("number", (), number, source, match.span(1)), match.end()
    match = _FILE.match(text, pos)
    if match:
        span = (match.start(1) - 1, match.end())
        return Value("file", None, match[1].strip(), source, span), match.end()
    match = _GENERATOR.match(text, pos)
    if match:
        return _generator(source, match), match.end()
    start = skip_blanks(text, pos)
    if text[start : start + 1] == "[":
        return _array(source, start)
    return _expression(source, start)


def _finite(number: float, source: Source, span: tuple[int, int]) -> float:
    if not math.isfinite(number):
        raise PointError("this value is not finite", source, span, "float64 ends at about 1.8e308")
    return number


def _expression(source: Source, start: int) -> tuple[Value, int]:
    """Read a constant expression such as pi/4 up to the next separator outside brackets."""
    text, depth, end = source.text, 0, start
    while end < len(text) and (depth > 0 or text[end] not in ",;]"):
        depth += (text[end] in "([") - (text[end] in ")]")
        end += 1
    next_name = _NEXT.search(text, start, end)
    if next_name and text.count("(", start, next_name.start()) == text.count(")", start, next_name.start()):
        place = next_name.start(1)
        raise LanguageError("expected `,` before the next name", source, (place, next_name.end(1)))
    if not text[start:end].strip():
        raise LanguageError("a value is missing here", source, (start, start + 1))
    number = constant(source, start, end)
    return Value("number", (), number, source, (start, end)), end


def constant(source: Source, start: int, end: int) -> float:
    """Evaluate the constant expression between two places of `source`.

    Raises:
        PointError: if it has variables or no finite value.
    """
    padded = Source(" " * start + source.text[start:end], source.name)
    try:
        graph = parse(padded)
    except LanguageError as error:
        raise LanguageError(error.message, source, error.span, error.hint) from None
    if graph.stages:
        raise LanguageError("a value cannot define names", source, (start, end))
    if graph.inputs:
        name, node = next(iter(graph.inputs.items()))
        hint = "values must be finite" if name.lower() in ("nan", "inf", "infinity") else "values are numbers"
        raise PointError(f"`{name}` is not a number", source, graph.span(node), hint)
    for node, op in enumerate(graph.ops):
        if node in graph.params:
            raise PointError(f"`{op}` makes no number", source, graph.span(node))
    # Loaded for values that have to be computed: a mistake in the text must not wait for it.
    from gradcheck.arithmetic.floats import FLOATS
    from gradcheck.graph.evaluation import evaluate

    values, problems = evaluate(graph, FLOATS, {})
    if problems:
        raise PointError("this has no value", source, graph.span(problems[0][0]))
    return _finite(float(values[graph.output]), source, (start, end))


def _array(source: Source, start: int) -> tuple[Value, int]:
    """Read nested lists of numbers without recursion."""
    text = source.text
    flat: list[float] = []
    lengths: dict[int, int] = {}
    counts: list[int] = []
    opened: list[int] = []
    leaves: set[int] = set()
    pos, need_value = start, True
    while True:
        pos = skip_blanks(text, pos)
        here = text[pos : pos + 1]
        if not here:
            raise LanguageError("this bracket is never closed", source, (opened[-1], opened[-1] + 1), "add `]`")
        if here == "[" and need_value:
            counts.append(0)
            opened.append(pos)
            if len(opened) > MAX_AXES:
                raise LanguageError(f"more than {MAX_AXES} axes", source, (pos, pos + 1))
            pos += 1
        elif here == "]" and (not need_value or counts[-1] == 0):
            depth, length = len(counts), counts.pop()
            if lengths.setdefault(depth, length) != length:
                _ragged(source, opened[-1], pos, lengths[depth], length)
            opened.pop()
            pos += 1
            need_value = False
            if not counts:
                break
            counts[-1] += 1
        elif here == "," and not need_value:
            pos += 1
            need_value = True
        elif need_value and counts:
            number, pos = _element(source, pos)
            flat.append(number)
            counts[-1] += 1
            leaves.add(len(counts))
            need_value = False
        else:
            raise LanguageError("expected `,` or `]` here", source, (pos, pos + 1))
    shape = tuple(lengths[depth] for depth in sorted(lengths))
    if leaves - {len(shape)}:
        raise PointError("numbers and lists are mixed in one array", source, (start, pos))
    if math.prod(shape) != len(flat):
        raise PointError("the lists are not of equal length", source, (start, pos))
    return Value("list", shape, flat, source, (start, pos)), pos


def _ragged(source: Source, start: int, end: int, first: int, length: int) -> NoReturn:
    raise PointError(f"this list has {length} elements, another has {first}", source, (start, end + 1))


def _element(source: Source, pos: int) -> tuple[float, int]:
    match = _NUMBER.match(source.text, pos)
    if match:
        return _finite(float(match[1]), source, match.span(1)), match.end()
    value, end = _expression(source, pos)
    return value.data, end


def _generator(source: Source, match: re.Match[str]) -> Value:
    kind, span = match[1], match.span()
    pos, numbers = match.start(2), []
    for part in match[2].split(","):
        if part.strip():
            numbers.append(constant(source, pos, pos + len(part)))
        pos += len(part) + 1
    shape: Shape
    if kind == "linspace":
        if len(numbers) not in (2, 3):
            raise PointError("linspace takes start, stop and the number of points", source, span)
        shape = (_size(numbers[2], source, span) if len(numbers) == 3 else 50,)
        numbers = [*numbers[:2], float(shape[0])]
    elif kind == "arange":
        if len(numbers) not in (1, 2, 3) or (len(numbers) == 3 and numbers[2] == 0):
            raise PointError("arange takes start, stop and a step other than 0", source, span)
        start, stop = (0.0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
        step = numbers[2] if len(numbers) == 3 else 1.0
        shape = (math.ceil(min(max((stop - start) / step, 0.0), 1e18)),)
        numbers = [start, step, float(shape[0])]
    else:
        shape = tuple(_size(n, source, span) for n in numbers)
        shape = shape * 2 if kind == "eye" and len(shape) == 1 else shape
    if len(shape) > MAX_AXES:
        raise PointError(f"more than {MAX_AXES} axes", source, span)
    if math.prod(shape) > MAX_ELEMENTS:
        raise PointError(f"an array of {math.prod(shape):,} elements", source, span, f"the limit is {MAX_ELEMENTS:,}")
    return Value(kind, shape, numbers, source, span)


def _size(number: float, source: Source, span: tuple[int, int]) -> int:
    if number != int(number) or number < 0:
        raise PointError(f"{number:g} is not a length", source, span, "lengths are whole numbers")
    return int(number)
