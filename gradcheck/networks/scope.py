"""The order in which a spec's nodes can be computed, from the names they use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gradcheck.errors import GradcheckError, LanguageError, Source
from gradcheck.graph.graph import Graph
from gradcheck.language.parser import parse
from gradcheck.networks.records import NodeSpec, Ref, Spec
from gradcheck.networks.tree import Node, Scalar
from gradcheck.ops.op import Op

Span = tuple[int, int, int]


class Vocabulary:
    """The names that formulas of a spec may use.

    Attributes:
        known: whole names.
        heads: what may stand before the first dot.
    """

    def __init__(self, spec: Spec, more: Iterable[str] = ()) -> None:
        self.known = {*spec.inputs, *spec.broken, *spec.steps, *spec.params, *more}
        self.heads = self.known | {step.prefix for step in spec.steps.values()}
        self.heads |= {name.partition(".")[0] for name in self.heads}

    def dotted(self, name: str) -> bool:
        """Whether a name with dots is one name: `fc1.weight` is, `x.T` is not."""
        if name in self.known:
            return True
        return name.partition(".")[0] in self.heads and name.rpartition(".")[2] not in ("T", "mT")


class ScopedFormula:
    """An expression in a spec, parsed; its places are those of the file.

    Attributes:
        scalar: its text.
        graph: the parsed graph.
    """

    def __init__(self, scalar: Scalar, words: Vocabulary, functions: Mapping[str, Op]) -> None:
        self.scalar = scalar
        try:
            self.graph: Graph = parse(
                Source(scalar.text, "formula"), words.known, functions=functions, dotted=words.dotted
            )
        except LanguageError as error:
            raise scalar.outward(error) from None

    def place(self, node: int) -> Span:
        """Return where a node of the formula stands in the file."""
        start, end = self.scalar.inner(*self.graph.span(node))
        return start, end, self.scalar.inner(self.graph.at[node], self.graph.at[node] + 1)[0]

    def refs(self) -> list[Ref]:
        """Return the names it uses."""
        return [Ref(name, Node(self.scalar.source, *self.place(node)[:2])) for name, node in self.graph.inputs.items()]


def base(name: str, steps: Mapping[str, NodeSpec], prefixes: Mapping[str, str]) -> str | None:
    """Return the node that a name needs: the node itself, or the one that owns the parameter."""
    while name:
        if name in steps:
            return name
        if name in prefixes:
            return prefixes[name]
        name = name.rpartition(".")[0]
    return None


def ordered(spec: Spec, needs: Callable[[NodeSpec], Sequence[str]], problems: list[GradcheckError]) -> list[NodeSpec]:
    """Return the nodes in an order in which each comes after what it needs.

    Nodes on a cycle are left out; the cycle is reported, spelled out.
    """
    steps = dict(spec.steps)
    prefixes: dict[str, str] = {}
    for one in spec.steps.values():
        prefixes.setdefault(one.prefix or one.name, one.name)
    edges = {
        name: [b for n in needs(one) if (b := base(n, steps, prefixes)) is not None] for name, one in steps.items()
    }
    done: dict[str, bool] = {}
    order: list[NodeSpec] = []
    for first in steps:
        path: list[str] = []
        active: set[str] = set()
        stack = [(first, False)]
        while stack:
            name, left = stack.pop()
            if left:
                active.discard(path.pop())
                if name not in done:
                    done[name] = True
                    order.append(steps[name])
                continue
            if name in done:
                continue
            if name in active:
                _report(path[path.index(name) :], steps, problems)
                done.update(dict.fromkeys(path[path.index(name) :], False))
                continue
            path.append(name)
            active.add(name)
            stack.append((name, True))
            stack.extend((needed, False) for needed in reversed(edges[name]))
    return order


def _report(cycle: list[str], steps: Mapping[str, NodeSpec], problems: list[GradcheckError]) -> None:
    chain = " → ".join(f"`{name}`" for name in [*cycle, cycle[0]])
    first = steps[cycle[0]].node
    problems.append(first.error(f"these nodes need each other: {chain}", "unroll a loop in time, one node a step"))
