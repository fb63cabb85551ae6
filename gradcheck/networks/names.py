"""Names in a spec, resolved: inputs, parameters and nodes become nodes of one graph."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from gradcheck.errors import GradcheckError, SizeError, did_you_mean
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import MAX_ELEMENTS
from gradcheck.networks import data, initialisers
from gradcheck.networks.layer import Parameter
from gradcheck.networks.network import BUFFER, DATA, INPUT, PARAMETER, NetworkInput
from gradcheck.networks.own_ops import own_ops
from gradcheck.networks.records import NodeSpec, Ref, Spec, Unknown
from gradcheck.networks.scope import ScopedFormula, Vocabulary, base
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import Shape, show


class SpecNames:
    """The names of one spec and what they stand for; what is wrong is in `problems`.

    Attributes:
        graph: the graph so far.
        shapes: shape of each node of the graph.
        found: node or output name → node of the graph; None if it could not be built.
        tensors: the graph's inputs.
        owners: parameter → the node that it was made for.
        as_data: inputs that stand where nothing is differentiated (targets, masks, indices).
        ops: the ops that the spec defines.
        formulas: node → its expression.
    """

    def __init__(self, spec: Spec, problems: list[GradcheckError]) -> None:
        self.spec = spec
        self.problems = problems
        self.graph = Graph(spec.node.source)
        self.shapes: list[Shape] = []
        self.found: dict[str, int | None] = {}
        self.tensors: dict[str, NetworkInput] = {}
        self.input_at: dict[int, str] = {}
        self.owners: dict[str, str] = {}
        self.as_data: set[str] = set()
        self.total = 0
        self.ops: dict[str, Op] = own_ops(spec, problems)
        self.formulas: dict[str, ScopedFormula] = {}
        self.words = Vocabulary(spec)

    @property
    def incomplete(self) -> bool:
        """Whether some node could not be built, so that what is missing may be its fault."""
        return any(self.found.get(name) is None for name in self.spec.steps)

    def attempt(self, function: Any, *arguments: Any) -> Any:
        """Call a function; an error it raises is collected."""
        try:
            return function(*arguments)
        except GradcheckError as error:
            self.problems.append(error)
        except Unknown:
            pass
        return None

    def parse(self, one: NodeSpec) -> None:
        """Parse the formula of a node."""
        assert one.formula is not None
        for name in self.spec.ops:
            if name not in self.ops and re.search(rf"\b{name}\s*\(", one.formula.text):
                raise Unknown
        self.formulas[one.name] = ScopedFormula(one.formula, self.words, self.ops)

    def needs(self, one: NodeSpec) -> Sequence[str]:
        """Return the names that a node uses."""
        if one.formula is not None:
            formula = self.formulas.get(one.name)
            return list(formula.graph.inputs) if formula else []
        return [ref.name for ref in self.inputs(one)]

    def inputs(self, one: NodeSpec) -> list[Ref]:
        """Return the inputs of a layer or loss; a chain's first layer and its loss know theirs."""
        found = one.inputs
        if found is None:
            if one is self.spec.loss:
                last = self.spec.last or self.sink()
                found = [Ref(last, one.node)] if last else []
            else:
                found = [Ref(name, one.node) for name in self.first_input(one)]
        return [*found, *one.targets]

    def first_input(self, one: NodeSpec) -> list[str]:
        """Return the name of the input that a chain begins with: the only one that nothing else names.

        Raises:
            SpecError: if there are several.
        """
        spec = self.spec
        named = {ref.name for step in spec.steps.values() for ref in (*(step.inputs or ()), *step.targets)}
        named |= {name for formula in self.formulas.values() for name in formula.graph.inputs}
        for step in spec.steps.values():
            named |= {given.value for given in step.arguments.values() if isinstance(given.value, str)}
        free = [name for name in (*spec.inputs, *spec.broken) if name not in named]
        floats_only = [name for name in free if name in spec.broken or not spec.inputs[name].discrete]
        found = floats_only or free
        if len(found) > 1:
            listed = " or ".join(f"`{name}`" for name in found[:5])
            raise one.node.error(
                f"it is not clear where the chain begins: at {listed}", "add inputs: and the name of an input"
            )
        return found

    def sink(self) -> str | None:
        """Return the only node that no other uses."""
        used = {
            base(n, self.spec.steps, {}) for s in self.spec.steps.values() if s.name != "loss" for n in self.needs(s)
        }
        free = [name for name in self.spec.steps if name not in used and name != "loss"]
        return free[0] if len(free) == 1 else None

    def resolve_all(self, refs: Sequence[Ref]) -> list[int]:
        """Return the nodes that names stand for; every unknown one is reported.

        Raises:
            Unknown: if any of them cannot be had.
        """
        nodes = [self.attempt(self.resolve, ref) for ref in refs]
        if any(node is None for node in nodes):
            raise Unknown
        return nodes

    def resolve(self, ref: Ref) -> int:
        """Return the node of the graph that a name stands for.

        Raises:
            SpecError: for an unknown name.
            Unknown: for a node that could not be built.
        """
        name = ref.name
        if name in self.spec.inputs:
            given = self.spec.inputs[name]
            return self.tensor(name, given_tensor(given, INPUT))
        node = self.found.get(name)
        if node is not None:
            return node
        if name in self.tensors:
            return self.graph.inputs[name]
        if name in self.spec.steps or name in self.found or name in self.spec.broken:
            raise Unknown
        if name in self.spec.params and base(name, self.spec.steps, {}) is None:
            given = data.read(self.spec.params[name].place, name, self.spec.folder)
            return self.tensor(name, given_tensor(given, PARAMETER))
        owner = base(name, self.spec.steps, {})
        if owner is not None and self.found.get(owner) is None:
            raise Unknown
        if self.spec.unreadable:
            raise Unknown
        known = [*self.spec.inputs, *self.found, *(n for n in self.tensors if ":" not in n), *self.spec.params]
        hint = did_you_mean(name, known) or f"known: {', '.join(dict.fromkeys(known)) or 'nothing'}"
        raise ref.place.error(f"there is no input, node or parameter `{name}`", hint[:300])

    def tensor(self, name: str, tensor: NetworkInput) -> int:
        """Return the graph's input `name`, adding it on first use."""
        if name not in self.tensors:
            self.tensors[name] = tensor
            self.input_at[self.graph.input(name, (*tensor.place, tensor.place[0]))] = name
            self.shapes.append(tensor.shape)
            self.count(tensor.shape, tensor.place)
        return self.graph.inputs[name]

    def count(self, shape: Shape, place: tuple[int, int]) -> None:
        """Refuse more numbers than fit into the stated memory.

        Raises:
            SizeError: with the place where they become too many.
        """
        self.total += prod(shape)
        if self.total > MAX_ELEMENTS:
            raise SizeError(
                f"the values up to here take {self.total:,} numbers", self.spec.node.source, place,
                f"the limit is {MAX_ELEMENTS:,}",
            )  # fmt: skip

    def parameter(self, one: NodeSpec, local: str, wanted: Parameter, used: bool) -> int | None:
        """Return the node of a parameter, drawn or given; those of one name are one.

        Raises:
            SpecError: if it does not have the shape it needs.
        """
        tied = one.tied.get(local)
        name = tied.name if tied else f"{one.prefix or one.name}.{local}"
        self.owners.setdefault(name, one.name)
        if name in self.tensors:
            if self.tensors[name].shape != wanted.shape:
                raise (tied.place if tied else one.node).error(
                    f"{self.called(one)} needs `{name}` to be {show(wanted.shape)}, "
                    f"but for `{self.owners[name]}` it is {show(self.tensors[name].shape)}"
                )
            return self.graph.inputs[name]
        given = self.spec.params.get(name)
        kind = BUFFER if wanted.buffer else PARAMETER
        if given is not None:
            tensor = given_tensor(data.read(given.place, name, self.spec.folder, wanted.shape), kind)
        else:
            init, values = wanted.init
            filled = initialisers.check(init, wanted.shape, values)
            seed = self.spec.folder.seed
            tensor = NetworkInput(
                wanted.shape, lambda _: initialisers.draw(init, wanted.shape, filled, seed, name), kind, one.node.span
            )
        return self.tensor(name, tensor) if used else None

    def input_name(self, node: int) -> str | None:
        """Return the name of the spec's input that a node of the graph is."""
        name = self.input_at.get(node)
        return name if name in self.spec.inputs else None

    def graph_input(self, node: int) -> str:
        """Return the name of the graph's input at a node; empty if it is computed."""
        return self.input_at.get(node, "")

    def index(self, node: int, one: NodeSpec) -> int:
        """Return the whole-number twin of an input, in which rows are looked up."""
        name = self.graph_input(node)
        shape = self.shapes[node]
        return self.tensor(
            f"{name}:index", NetworkInput(shape, lambda array: array(name).astype(int), DATA, one.node.span)
        )

    def called(self, one: NodeSpec) -> str:
        """Return how a node is called in messages."""
        kind = one.type.name if one.type else "expr"
        return f"`{one.name}` ({kind})" if one.name != kind else f"`{one.name}`"

    def sources(self, one: NodeSpec, nodes: list[int]) -> str | None:
        """Return which inputs with which shapes a node got."""
        if one.formula is not None:
            return None
        shown = [
            f"`{ref.name}` is {show(self.shapes[node])}" for ref, node in zip(self.inputs(one), nodes, strict=False)
        ]
        return "; ".join(shown) or None


def given_tensor(given: data.Data, kind: str) -> NetworkInput:
    """Return what a spec gives as a tensor of float64."""
    return NetworkInput(given.shape, lambda _: given.make().astype(float), kind, given.node.span)
