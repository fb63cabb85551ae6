"""Groups of gates that a person recognises in what was typed, each as one gate with its own rule.

A pattern is a formula in gradcheck's language. Where the graph has the same gates, and nothing else
uses what lies inside, they become one gate of an op; its rule, run by backprop, takes the place
of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from gradcheck.deriving.folding import folded
from gradcheck.errors import Source
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.language.parser import parse
from gradcheck.ops.shapes import Shape, axes


class Hole:
    """A static parameter of a pattern that takes what it finds."""

    def __init__(self, name: str) -> None:
        self.name = name


class Match(NamedTuple):
    """A place where a pattern fits.

    Attributes:
        operands: argument of the op → node.
        params: hole → static parameter found there.
        inner: gates that disappear, the root aside; also those that compute an operand a second time.
        merged: gates that stay and then stand for those as well, so that their gradients are other ones.
    """

    operands: dict[str, int]
    params: dict[str, Any]
    inner: frozenset[int]
    merged: frozenset[int]


class Found(NamedTuple):
    """A match in its graph, for conditions.

    Attributes:
        graph: the graph.
        shapes: shape of each node.
        values: value of each node; None where it is not known yet.
        match: the match.
        root: the node that is replaced.
    """

    graph: Graph
    shapes: Sequence[Shape]
    values: Sequence[Any]
    match: Match
    root: int

    def shape(self, argument: str) -> Shape:
        """Return the shape of an operand."""
        return self.shapes[self.match.operands[argument]]


Condition = Callable[[Found], "dict[str, Any] | None"]
"""A match → the static parameters of the op; None if it does not fit after all."""


class Shortcut(NamedTuple):
    """Formulas that mean one op.

    Attributes:
        op: the op.
        args: its operands, as the patterns name them.
        patterns: formulas; names other than `args` stand for constants (`n`) and parameters (`axis`).
        fits: says whether a match is one, and with which parameters.
    """

    op: str
    args: str
    patterns: tuple[str, ...]
    fits: Condition = lambda found: dict(found.match.params)


def _number(found: Found, argument: str) -> float | None:
    """Return the number that a constant operand is."""
    text = found.graph.constants.get(found.match.operands[argument])
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _mean(found: Found) -> dict[str, Any] | None:
    over = {"axis": found.match.params.get("axis"), "keepdims": found.match.params.get("keepdims", False)}
    shape = found.shape("x")
    count = prod(shape[k] for k in axes(shape, over["axis"]))
    # Half a sum over everything is a half, also where there are two: the ½ of a loss.
    half = count == 2 and over["axis"] is None
    return over if shape and not half and _number(found, "n") == count else None


def _one_row(found: Found) -> dict[str, Any] | None:
    return {"axis": -1} if len(found.shape("x")) == 1 else None


def _kept(found: Found) -> dict[str, Any] | None:
    axis = found.match.params["axis"]
    return {"axis": axis} if isinstance(axis, int) and found.match.params["keepdims"] is True else None


def _flat(found: Found) -> dict[str, Any] | None:
    """X is a vector or a matrix, W a matrix, b a vector that is broadcast over rows alone."""
    fits = len(found.shape("X")) in (1, 2) and len(found.shape("W")) == 2
    if "b" in found.match.operands:
        fits = fits and found.shape("b") == found.shapes[found.root][-1:]
    return {} if fits else None


def _same(found: Found) -> dict[str, Any] | None:
    first, second = (found.shapes[node] for node in found.match.operands.values())
    return dict(found.match.params) if first == second else None


def _square(found: Found) -> dict[str, Any] | None:
    return {} if found.shape("x") == found.shape("y") != () else None


def _over_all(found: Found) -> dict[str, Any] | None:
    count = prod(found.shape("x"))
    return _square(found) if _number(found, "n") == count != 2 else None


def _averaged(found: Found) -> dict[str, Any] | None:
    n = _number(found, "n")
    same = found.shape("z") == found.shape("t") != () and isinstance(found.match.params["axis"], int)
    if n is None or n != int(n) or n < 1 or not same:
        return None
    return {"axis": found.match.params["axis"], "n": int(n)}


def _over_rows(found: Found) -> dict[str, Any] | None:
    shape, axis = found.shape("z"), found.match.params["axis"]
    if shape != found.shape("t") or not isinstance(axis, int) or found.match.params.get("over", axis) != axis:
        return None
    return {"axis": axis, "n": prod(shape) // shape[axis]}


def _whole(found: Found) -> dict[str, Any] | None:
    shape, axis = found.shape("z"), found.match.params["axis"]
    return {"axis": axis} if shape == found.shape("t") != () and isinstance(axis, int) else None


def _if_whole(fits: Condition) -> Condition:
    """Return the condition that each row of targets adds up to exactly one, and `fits` besides."""

    def condition(found: Found) -> dict[str, Any] | None:
        params, targets, shape = fits(found), found.values[found.match.operands["t"]], found.shape("t")
        if params is None or targets is None:
            return None
        rows = targets.swapaxes(params["axis"], -1).reshape(-1, shape[params["axis"]]).tolist()
        # The decimals that were written are meant, as everywhere: 0.1 + 0.2 + 0.7 is one.
        return params if all(sum(Decimal(repr(x)) for x in row) == 1 for row in rows) else None

    return condition


CROSS_ENTROPIES: tuple[tuple[str, tuple[str, ...], Condition], ...] = (
    (
        "mean_",
        (
            "sum(-sum(t*log_softmax(z, axis=axis), axis=over))/n",
            "-sum(t*log_softmax(z, axis=axis))/n", "-(sum(t*log_softmax(z, axis=axis))/n)",
        ),
        _averaged,
    ),
    (
        "mean_",
        (
            "-mean(sum(t*log_softmax(z, axis=axis), axis=over))",
            "mean(-sum(t*log_softmax(z, axis=axis), axis=over))",
        ),
        _over_rows,
    ),
    ("", ("-sum(t*log_softmax(z, axis=axis))", "sum(-t*log_softmax(z, axis=axis))"), _whole),
)  # fmt: skip
"""Kind, spellings and condition of the losses over classes."""

SHORTCUTS = (
    Shortcut(
        "sigmoid", "x",
        ("1/(1 + exp(-x))", "reciprocal(1 + exp(-x))", "(1 + exp(-x))^(-1)", "exp(x)/(1 + exp(x))"),
    ),
    Shortcut(
        "tanh", "x",
        (
            "(exp(x) - exp(-x))/(exp(x) + exp(-x))", "(exp(2*x) - 1)/(exp(2*x) + 1)",
            "(1 - exp(-2*x))/(1 + exp(-2*x))", "2*sigmoid(2*x) - 1", "2/(1 + exp(-2*x)) - 1",
        ),
    ),
    Shortcut("softplus", "x", ("log(1 + exp(x))",)),
    Shortcut(
        "softmax", "x",
        ("exp(x - amax(x))/sum(exp(x - amax(x)))", "exp(x)/sum(exp(x))"), _one_row,
    ),
    Shortcut(
        "softmax", "x",
        (
            "exp(x - amax(x, axis=axis, keepdims=keepdims))"
            "/sum(exp(x - amax(x, axis=axis, keepdims=keepdims)), axis=axis, keepdims=keepdims)",
            "exp(x)/sum(exp(x), axis=axis, keepdims=keepdims)",
        ),
        _kept,
    ),
    Shortcut("log_softmax", "x", ("log(softmax(x, axis=axis))",)),
    Shortcut("squared_error", "x y", ("mean((x - y)^2)", "mean(square(x - y))", "mean((x - y)*(x - y))"), _square),
    Shortcut("squared_error", "x y", ("sum((x - y)^2)/n", "sum(square(x - y))/n"), _over_all),
    Shortcut(
        "mean", "x",
        ("sum(x, axis=axis, keepdims=keepdims)/n", "1/n*sum(x, axis=axis, keepdims=keepdims)"), _mean,
    ),
    *(
        Shortcut(f"{kind}{weighted}cross_entropy", "z t", patterns, wrap(fits))
        for weighted, wrap in (("", _if_whole), ("weighted_", lambda fits: fits))
        for kind, patterns, fits in CROSS_ENTROPIES
    ),
    Shortcut(
        "logistic_loss", "z y",
        (
            "-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))", "-y*log(sigmoid(z)) - (1 - y)*log(1 - sigmoid(z))",
            "(1 - y)*z + softplus(-z)",
        ),
        _same,
    ),
    Shortcut("linear", "X W b", ("X @ W.mT + b", "X @ W.T + b"), _flat),
    Shortcut("affine", "X W b", ("X @ W + b",), _flat),
    Shortcut("linear_map", "X W", ("X @ W.mT", "X @ W.T"), _flat),
)  # fmt: skip
"""In the order in which they are looked for: a later one may be made of earlier ones."""

COMMUTE = frozenset({"add", "mul"})

HOLES = ("axis", "keepdims", "over")
"""Static parameters that a pattern takes as it finds them."""

MOST_REPEATED = 100
"""Gates that an operand which a formula names several times may have."""


@lru_cache(maxsize=256)
def _pattern(text: str) -> Graph:
    names = {name: Hole(name) for name in HOLES}
    # As in the graphs in which they are looked for, -2 is a number.
    return folded(parse(Source(text, "pattern"), static_names=names, internal=True), {})


def roots(shortcut: Shortcut) -> frozenset[str]:
    """Return the ops with which a shortcut's patterns end."""
    patterns = map(_pattern, shortcut.patterns)
    return frozenset(pattern.ops[pattern.output] for pattern in patterns)


def matches(graph: Graph, root: int, shortcut: Shortcut) -> Iterator[Match]:
    """Yield the ways in which a shortcut's patterns fit at a node."""
    for text in shortcut.patterns:
        pattern = _pattern(text)
        if graph.ops[root] == pattern.ops[pattern.output]:
            yield from _fit(graph, root, pattern)


def _fit(graph: Graph, root: int, pattern: Graph) -> Iterator[Match]:
    """Try every order of the operands of sums and products."""
    argument = {node: name for name, node in pattern.inputs.items()}
    todo: list[tuple[list[tuple[int, int]], dict[int, int], dict[str, Any], list[tuple[int, int]]]]
    todo = [([(pattern.output, root)], {}, {}, [])]
    while todo:
        pairs, bound, params, copies = todo.pop()
        while pairs:
            wanted, node = pairs.pop()
            if wanted in bound:
                repeated = _repeated(graph, bound[wanted], node)
                if repeated is None:
                    break
                copies += repeated
                continue
            bound[wanted] = node
            if wanted in argument:
                continue
            if pattern.ops[wanted] != graph.ops[node] or not _constants(pattern, wanted, graph, node):
                break
            if not _params(dict(pattern.params.get(wanted, ())), dict(graph.params.get(node, ())), params):
                break
            theirs, ours = pattern.operands(wanted), graph.operands(node)
            if pattern.ops[wanted] in COMMUTE:
                other = [*pairs, *zip(theirs, reversed(ours), strict=True)]
                todo.append((other, dict(bound), dict(params), list(copies)))
            pairs.extend(zip(theirs, ours, strict=True))
        else:
            operands = {name: bound[node] for node, name in argument.items()}
            gates = {bound[k] for k in pattern.gates} - {root} | {copy for _, copy in copies}
            yield Match(operands, params, frozenset(gates), frozenset(first for first, _ in copies))


def _constants(pattern: Graph, wanted: int, graph: Graph, node: int) -> bool:
    if pattern.ops[wanted] != CONSTANT:
        return True
    try:
        return float(pattern.constants[wanted]) == float(graph.constants[node])
    except ValueError:
        return False


def _params(wanted: Mapping[str, Any], found: Mapping[str, Any], bound: dict[str, Any]) -> bool:
    for name, value in wanted.items():
        if isinstance(value, Hole):
            if bound.setdefault(value.name, found.get(name)) != found.get(name):
                return False
        elif found.get(name) != value:
            return False
    return True


def _repeated(graph: Graph, a: int, b: int) -> list[tuple[int, int]] | None:
    """Return the gates of `a` and those with which `b` computes the same once more; None if it does not."""
    stack: list[tuple[int, int]] = [(a, b)]
    found: list[tuple[int, int]] = []
    while stack:
        x, y = stack.pop()
        if x == y:
            continue
        if len(found) >= MOST_REPEATED or graph.ops[x] != graph.ops[y] or graph.ops[x] == INPUT:
            return None
        if graph.constants.get(x) != graph.constants.get(y) or graph.params.get(x) != graph.params.get(y):
            return None
        if graph.ops[y] != CONSTANT:
            found.append((x, y))
        stack.extend(zip(graph.operands(x), graph.operands(y), strict=True))
    return found
