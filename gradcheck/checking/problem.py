"""What is asked: a graph, where it came from, the points, the gradients to check, claims and expectations.

An expression is a network without layers: both become a Problem here, and nothing behind this door
knows which of them it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcheck.checking import points
from gradcheck.checking.points import Point
from gradcheck.checking.settings import Settings
from gradcheck.errors import Source, UsageError, did_you_mean
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.ops import OPS

if TYPE_CHECKING:
    from gradcheck.checking.place import Place
    from gradcheck.language.claims import Claim
    from gradcheck.networks.network import Network
    from gradcheck.networks.records import Expected


class Origin(NamedTuple):
    """Where a problem came from.

    Attributes:
        text: the expression as typed, or the name of the spec.
        file: the file it stands in; None if it was typed.
        line: where it begins there.
    """

    text: str
    file: str | None = None
    line: int | None = None


def _nothing() -> None:
    """Nothing is held that could be forgotten."""


class Problem(NamedTuple):
    """One thing to check.

    Attributes:
        origin: where it came from.
        graph: its graph.
        wrt: the inputs whose gradients are checked, and the stages whose gradients are claimed.
        points: returns the points, each input → value.
        inputs: every input that has a gradient to check; `wrt` is some of them.
        claims: gradients that the user gave, by what is claimed: an input, a stage, or one element of them.
        expected: values that must come out.
        lines: input → the line of the file where what is graded stands; empty for typed text.
        kinds, layers: what each input and each part of a network is called.
        chosen: whether the points were chosen for the user, so that a bad one may be passed over.
        seed: of what was drawn; None if nothing was.
        every_number: whether each number is put to each engine, however many there are.
        joint: whether kinks of several ops that meet in one number excuse each other.
        release: forgets the numbers of the points.
    """

    origin: Origin
    graph: Graph
    wrt: Sequence[str]
    points: Callable[[], list[Point]]
    inputs: Sequence[str]
    claims: Mapping[str, Claim] = {}
    expected: Sequence[Expected] = ()
    lines: Mapping[str, int] = {}
    kinds: Mapping[str, str] = {}
    layers: Mapping[str, str] = {}
    chosen: bool = False
    seed: int | None = None
    every_number: bool = True
    joint: bool = False
    release: Callable[[], None] = _nothing

    def place(self, point: Point, finite: bool = True) -> Place:
        """Return the graph at a point; unless it must be `finite`, also where float64 has no value.

        Raises:
            ShapeError, SizeError: if the values do not fit, or are too many.
            DomainError: if the function is not defined there.
        """
        shapes = infer(self.graph, {name: points.shape_of(value) for name, value in point.items()})
        apart = {self.graph.stages[c.name] for c in self.claims.values() if c.name not in self.graph.inputs}
        # Only graphs of arrays can be looked at gate by gate.
        if any(shapes) or self.graph.params or not self.every_number or self._claims_arrays(point):
            from gradcheck.checking.array_place import ArrayPlace

            return ArrayPlace(self.graph, point, apart, finite)
        from gradcheck.checking.place import Place

        return Place(self.graph, point, finite=finite)

    def _claims_arrays(self, point: Point) -> bool:
        """Return whether a claim works on arrays although the function does not."""
        beside = [point[name] for claim in self.claims.values() for name in claim.beside]
        ops = {op for claim in self.claims.values() for op in claim.graph.ops} - {INPUT, CONSTANT}
        return any(map(points.shape_of, beside)) or not all(OPS[op].elementwise for op in ops)

    @property
    def title(self) -> str:
        """The expression in one line, or the name of the spec."""
        return " ".join(self.origin.text.replace("\n", "; ").split())

    @property
    def output(self) -> str:
        """What the output is called: its stage's or node's name, or else its text."""
        named = [name for name, node in self.graph.stages.items() if node == self.graph.output]
        if named:
            return named[-1]
        # Of text with comments, or on several lines, only the output's own part is repeated.
        alone = not self.graph.stages and not {"#", "\n"} & set(self.origin.text.strip())
        return " ".join((self.origin.text if alone else self.graph.text(self.graph.output)).split())


def problem_of_text(
    source: Source, given: Sequence[Mapping[str, Any]], claims: Mapping[str, Any], settings: Settings
) -> Problem:
    """Read an expression and what is asked of it.

    Args:
        source: the text.
        given: the points; none to have some chosen.
        claims: gradients to grade: input, stage or element → formula or numbers.
        settings: what to check and how.

    Raises:
        LanguageError: if the text is not an expression.
        PointError: for names that the expression lacks, and inputs that have no value.
        UsageError: for settings that ask for something that is not there.
    """
    named = {name for point in given for name in point}
    graph = parse(source, named)
    read = read_claims(graph, claims, named)
    beside = {name for claim in read.values() for name in claim.beside}
    for point in given:
        points.check_names(graph, point, beside)
    wrt = _wanted(graph, settings)
    for claim in read.values():
        if claim.name in graph.stages:
            wrt += [claim.name] if claim.name not in wrt else []
        elif claim.name not in wrt:
            known = [*wrt, *graph.stages]
            hint = did_you_mean(claim.name, known) or f"what can be claimed: {', '.join(known)}"
            raise UsageError(f"--claim {claim.called}: no such input or stage", claim.source, (0, 1), hint)
    settings.check()
    return Problem(
        Origin(source.text), graph, wrt, lambda: points.located(graph, given, settings.points, settings.seed),
        list(graph.inputs), read, chosen=not given,
        seed=settings.seed if not given or points.drawn(given) else None,
    )  # fmt: skip


def read_claims(graph: Graph, claims: Mapping[str, Any], named: Collection[str]) -> dict[str, Claim]:
    """Read the claims for inputs and stages of an expression, by what is claimed: x, or z[0].

    Raises:
        UsageError: for what is claimed twice.
        LanguageError, PointError: with the place in a claim.
    """
    found: dict[str, Claim] = {}
    if not claims:
        return found
    from gradcheck.language.claims import read_claim, split

    for target, text in claims.items():
        name, index, _ = split(f"{target}=0") or (target, None, "")
        claim = read_claim(graph, name, text, named, index)
        whole = found.get(name)
        if (
            claim.called in found
            or (whole is not None)
            or (index is None and any(c.name == name for c in found.values()))
        ):
            raise UsageError(f"--claim {target}: `{claim.called}` is claimed twice")
        found[claim.called] = claim
    return found


def _wanted(graph: Graph, settings: Settings) -> list[str]:
    positions = points.positions(graph)
    able = [name for name in graph.inputs if name not in positions]
    for name in settings.wrt or ():
        if name in graph.inputs and name not in able:
            raise UsageError(f"--wrt {name}: it says where to look, and has no gradient")
        if name not in graph.inputs:
            hint = did_you_mean(name, graph.inputs) or f"its variables are {', '.join(graph.inputs) or 'none'}"
            raise UsageError(f"--wrt {name}: the expression has no such variable", hint=hint)
    return [name for name in able if settings.wrt is None or name in settings.wrt]


def problem_of_network(network: Network, settings: Settings) -> Problem:
    """Return what a spec asks, of the tensors that fit the patterns of `settings.wrt`."""
    claimed = {name: network.source.position(claim.place)[0] for name, claim in network.claims.items()}
    return Problem(
        Origin(network.name, network.source.name, network.line), network.graph,
        [*selected(network, settings), *(name for name in network.claims if name in network.graph.stages)],
        lambda: [dict(network.point)], network.wrt, network.claims, network.expected,
        lines={name: network.position(name) for name in network.tensors} | claimed,
        kinds={name: tensor.kind for name, tensor in network.tensors.items()}, layers=network.layers,
        every_number=False, joint=True, release=network.release,
    )  # fmt: skip


def selected(network: Network, settings: Settings) -> list[str]:
    """Return the tensors to check: those of the spec that fit a pattern of --wrt."""
    if settings.wrt is None:
        return network.wrt
    from fnmatch import fnmatchcase

    return [name for name in network.wrt if any(fnmatchcase(name, pattern) for pattern in settings.wrt)]
