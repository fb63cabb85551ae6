"""From a spec to a network: layers become ops in one graph, names become tensors.

Everything that can be wrong with names, arguments and shapes is found here, before any array is
made; a node that cannot be built hides no other mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcheck.errors import GradcheckError, ShapeError, SizeError, Source, SpecError, did_you_mean, nearest
from gradcheck.graph.graph import Graph, Group, Params
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.networks import asked
from gradcheck.networks.arguments_given import bound
from gradcheck.networks.data import Data
from gradcheck.networks.layer import Arguments, Constant, Layer, Misfit, Operand, Plan
from gradcheck.networks.names import SpecNames, given_tensor
from gradcheck.networks.network import DATA, Network, NetworkInput
from gradcheck.networks.records import NodeSpec, Ref, Spec, Unknown
from gradcheck.networks.scope import ScopedFormula, ordered
from gradcheck.networks.table import LAYERS, find
from gradcheck.networks.tree import Map
from gradcheck.ops import FUNCTIONS, OPS
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import Shape


class Builder(SpecNames):
    """Builds one network; what is wrong is in `problems`."""

    def __init__(self, spec: Spec, problems: list[GradcheckError]) -> None:
        super().__init__(spec, problems)
        self.constants: dict[str, int] = {}
        self.named: set[int] = set()

    def network(self, name: str) -> Network:
        """Build everything and return the network; it is of use only if there are no problems."""
        spec = self.spec
        steps = {**spec.steps, **({"loss": spec.loss} if spec.loss else {})}
        if spec.loss is not None and "loss" in spec.steps:
            self.problems.append(spec.loss.node.error("`loss` is also the name of a node"))
        spec.steps = steps
        for one in steps.values():
            if one.formula is not None:
                self.attempt(self.parse, one)
        for one in ordered(spec, self.needs, self.problems):
            self.step(one)
        network = Network(spec.name or name, spec.node.source, spec.node.start, self.graph, self.shapes)
        network.tensors = self.tensors
        network.layers = {one.name: one.type.name if one.type is not None else "expr" for one in steps.values()}
        asked.settle(self, network)
        return network

    def step(self, one: NodeSpec) -> None:
        """Build one node; if that fails its name is known as broken."""
        self.graph.owners.append((len(self.graph), one.name))
        self.found.setdefault(one.name, None)
        if one.formula is not None:
            if one.name in self.formulas:
                self.attempt(self.formula, one, self.formulas[one.name])
        elif one.type is not None:
            self.attempt(self.layer, one)

    def formula(self, one: NodeSpec, formula: ScopedFormula) -> None:
        """Build a node that is an expression."""
        refs = formula.refs()
        bind = dict(zip([ref.name for ref in refs], self.resolve_all(refs), strict=True))
        self.name(one, [self.splice(formula.graph, bind, formula.place, one)], ())

    def layer(self, one: NodeSpec) -> None:
        """Build a node that is a layer, a function or a loss."""
        assert one.type is not None
        row = find(one.type.name) if one.type.name not in self.ops else None
        if row is None:
            self.name(one, [self.call(one)], ())
            return
        values, tensors = bound(row, one, self.spec.folder, self.problems)
        nodes = self.resolve_all(self.inputs(one))
        names = self.operand_names(row, one, len(nodes))
        bind = dict(zip(names, nodes, strict=True))
        training = self.spec.training if one.training is None else one.training
        for local, given in tensors.items():
            bind[local], values[local] = self.tensor_argument(one, local, given)
        operands = [self.operand(node) for node in nodes]
        for local, node in bind.items():
            if local in row.known or (row.family == "loss" and local == "y") or local in tensors:
                self.as_data.add(self.input_name(node) or "")
        try:
            plan = row.plan(Arguments(values, training), *operands)
        except Misfit as error:
            blamed = one.arguments.get(error.argument or "")
            place = blamed.place if blamed else one.node
            raise place.error(f"{self.called(one)}: {error}", self.sources(one, nodes)) from None
        self.apply(one, plan, bind, row.outputs)

    def operand_names(self, row: Layer, one: NodeSpec, count: int) -> list[str]:
        """Return the local names of a layer's inputs.

        Raises:
            SpecError: if there are too few or too many.
        """
        names = [name.rstrip("?") for name in row.operands]
        if row.many and count:
            return [names[0], *(f"{names[0]}{k}" for k in range(1, count))]
        if not row.least <= count <= len(names):
            wanted = str(row.least) if row.least == len(names) else f"{row.least} to {len(names)}"
            hint = None
            if row.family == "loss":
                hint = "as in {type: MSELoss, target: y}" if count < row.least else None
            elif not count:
                hint = "give inputs: and the name of an input or a node"
            plural = "" if wanted == "1" else "s"
            raise one.node.error(f"{self.called(one)} takes {wanted} input{plural}, not {count}", hint)
        return names[:count]

    def operand(self, node: int) -> Operand:
        """Return what a plan may know of an input."""
        name = self.input_name(node)
        given = self.spec.inputs.get(name or "")
        if given is None:
            return Operand(self.shapes[node])
        return Operand(self.shapes[node], given.numbers, given.whole, given.dtype == "bool")

    def tensor_argument(self, one: NodeSpec, local: str, given: Data | Ref) -> tuple[int, Operand]:
        """Return the node of an argument that is a tensor, and what a plan may know of it."""
        if isinstance(given, Ref):
            node = self.resolve(given)
            return node, self.operand(node)
        name = f"{one.name}:{local}"
        node = self.tensor(name, given_tensor(given, DATA))
        return node, Operand(given.shape, given.numbers, given.whole, given.dtype == "bool")

    def apply(self, one: NodeSpec, plan: Plan, bind: dict[str, int], suffixes: tuple[str, ...]) -> None:
        """Add a layer's parameters, constants and program to the graph."""
        self.check_tied(one, plan)
        sub = parse(Source(plan.program, one.name), {*bind, *plan.data}, static_names=plan.names, internal=True)
        local_names = {name.replace(".", "_"): name for name in plan.parameters}
        for local, name in local_names.items():
            node = self.parameter(one, name, plan.parameters[name], local in sub.inputs)
            if node is not None:
                bind[local] = node
        for local, constant in plan.data.items():
            if local in sub.inputs:
                make = _made(constant, {k: self.graph_input(n) for k, n in bind.items()})
                bind[local] = self.tensor(
                    f"{one.name}:{local}", NetworkInput(constant.shape, make, DATA, one.node.span)
                )
        if "i" in sub.inputs and "lookup" in sub.ops:
            bind["i"] = self.index(bind["i"], one)
        span = (*one.node.span, one.node.start)
        result = self.splice(sub, bind, lambda _: span, one, plan.outputs)
        if plan.shortcut is not None:
            op, operands, params = plan.shortcut
            known = {**plan.names, **params}
            settings = tuple(sorted((name, known[name]) for name in OPS[op].params))
            self.graph.groups[result] = Group(op, tuple(bind[name] for name in operands), settings)
        if suffixes[-1:] == ("…",):
            suffixes = tuple(str(k) for k in range(len(plan.outputs)))
        self.name(one, result if isinstance(result, list) else [result], suffixes)

    def check_tied(self, one: NodeSpec, plan: Plan) -> None:
        """Refuse to share parameters that a layer does not have.

        Raises:
            SpecError: naming the first.
        """
        for local, ref in one.tied.items():
            if local not in plan.parameters:
                place = ref.place
                shared = one.node.items["params"][1] if isinstance(one.node, Map) else None
                if isinstance(shared, Map):
                    place = shared.items[local][0]
                hint = did_you_mean(local, plan.parameters) or f"it has {', '.join(plan.parameters) or 'none'}"
                raise place.error(f"{self.called(one)} has no parameter `{local}`", hint)

    def call(self, one: NodeSpec) -> int:
        """Build a node that is an op of the spec or a function of the language.

        Raises:
            SpecError: if there is no such layer or function.
        """
        assert one.type is not None
        name = one.type.name
        op = self.ops.get(name) or FUNCTIONS.get(name)
        if op is None and name in self.spec.ops:
            raise Unknown
        if op is None:
            raise one.type.place.error(
                f"unknown layer type '{name}'{self.meant(name)}", "`gradcheck layers` lists them"
            )
        if one.positional or one.arguments:
            given = next(iter(one.arguments), "")
            raise one.node.error(
                f"{self.called(one)} takes no argument" + (f" `{given}`" if given else "s"),
                f'write an expression: expr: "{name}(…)"',
            )
        nodes = self.resolve_all(self.inputs(one))
        names = [f"x{k}" for k in range(len(nodes))]
        try:
            sub = parse(Source(f"{name}({', '.join(names)})", one.name), names, functions=self.ops)
        except GradcheckError as error:
            raise one.node.error(f"{self.called(one)}: {error.message}", error.hint) from None
        span = (*one.node.span, one.node.start)
        node = self.splice(sub, dict(zip(names, nodes, strict=True)), lambda _: span, one)
        assert isinstance(node, int)
        return node

    def meant(self, name: str) -> str:
        """Return "; did you mean '…'?" for the nearest layer, op or function; empty if there is none."""
        near = nearest(name, [*LAYERS, *self.ops, *FUNCTIONS])
        return f"; did you mean '{near}'?" if near else ""

    def splice(
        self, sub: Graph, bind: Mapping[str, int], place: Any, one: NodeSpec, outputs: Sequence[str] = ()
    ) -> Any:
        """Copy a formula's graph into the network's; return the node of its value, or those of its `outputs`.

        Raises:
            ShapeError: if the shapes of its inputs do not fit together.
        """
        try:
            shapes = infer(sub, {name: self.shapes[bind[name]] for name in sub.inputs})
        except (ShapeError, SizeError) as error:
            span = place(sub.output)[:2]
            if error.span is not None and one.formula is not None:
                span = one.formula.inner(*error.span)
            hint = error.hint if one.formula is not None else self.sources(one, list(bind.values()))
            raise type(error)(f"{self.called(one)}: {error.message}", self.graph.source, span, hint) from None
        moved = [-1] * len(sub)
        for name, node in sub.inputs.items():
            moved[node] = bind[name]
        for node, text in sub.constants.items():
            moved[node] = self.constant(text, place(node))
        for node in sub.gates:
            operands = [moved[k] for k in sub.operands(node)]
            if sub.ops[node] == "lookup":
                operands[1] = self.positions(operands, one, place(node)[:2])
            moved[node] = self.gate(
                sub.ops[node],
                operands,
                sub.params.get(node, ()),
                place(node),
                shapes[node],
            )
        return [moved[sub.stages[name]] for name in outputs] if outputs else moved[sub.output]

    def positions(self, operands: Sequence[int], one: NodeSpec, span: tuple[int, int]) -> int:
        """Return the whole-number twin of what says where to look something up.

        Raises:
            SpecError: if it is no input of whole numbers that fit.
        """
        table, where = operands
        if self.graph_input(where).endswith(":index"):
            return where
        given = self.spec.inputs.get(self.input_name(where) or "")
        length = self.shapes[table][0]
        if given is None or not given.whole or any(not -length <= n < length for n in given.numbers or ()):
            hint = f"an input of whole numbers from 0 to {length - 1}"
            raise SpecError(
                f"{self.called(one)}: what says where to look must be such an input", self.graph.source, span, hint
            )
        return self.index(where, one)

    def constant(self, text: str, span: tuple[int, int, int]) -> int:
        """Return the node of a number."""
        if text not in self.constants:
            self.constants[text] = self.graph.constant(text, span)
            self.shapes.append(())
        return self.constants[text]

    def gate(self, op: str, operands: list[int], params: Params, span: tuple[int, int, int], shape: Shape) -> int:
        """Add a gate."""
        self.count(shape, span[:2])
        self.check_rules(OPS[op], operands, span[:2])
        for fits in OPS[op].rule_shapes:
            fits(tuple(self.shapes[k] for k in operands), shape)
        self.shapes.append(shape)
        return self.graph.gate(op, operands, params, span)

    def check_rules(self, op: Op, operands: Sequence[int], span: tuple[int, int]) -> None:
        """Refuse an op of the spec without a formula for a number, and with one for whole numbers.

        Raises:
            SpecError: naming the argument.
        """
        for arg, node in zip(op.args, operands, strict=False) if op.rule_shapes else ():
            given = self.spec.inputs.get(self.input_name(node) or "")
            whole, called = given is not None and given.discrete, op.name.partition("#")[0]
            if arg in op.unruled and not whole:
                hint = f'add {arg}: "…", the upstream gradient is g; only whole numbers (dtype: int64, bool) need none'
                raise SpecError(f"op `{called}`: backward has no formula for `{arg}`", self.graph.source, span, hint)
            if arg not in op.unruled and whole:
                hint = f"leave {arg} out of backward"
                raise SpecError(
                    f"op `{called}`: `{arg}` is whole numbers here and has no gradient, but a formula",
                    self.graph.source, span, hint,
                )  # fmt: skip

    def name(self, one: NodeSpec, nodes: list[int], suffixes: Sequence[str]) -> None:
        """Give a node's outputs their names."""
        for k, given in enumerate(nodes):
            node = given
            if node in self.named or self.graph.left[node] < 0:
                # Two names for one node would be one name in every report.
                node = self.gate("identity", [node], (), (*one.node.span, one.node.start), self.shapes[node])
            self.named.add(node)
            if k == 0:
                self.found[one.name] = self.graph.stages[one.name] = node
            if suffixes:
                called = f"{one.name}.{suffixes[k]}"
                self.found[called] = node
                if k:
                    self.graph.stages[called] = node


class _Arrays(Mapping[str, Any]):
    """The arrays of a layer's inputs and parameters by local name, made when they are asked for."""

    def __init__(self, array: Any, names: Mapping[str, str]) -> None:
        self.array = array
        self.names = names

    def __getitem__(self, local: str) -> Any:
        return self.array(self.names[local])

    def __iter__(self) -> Any:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _made(constant: Constant, names: Mapping[str, str]) -> Callable[[Callable[[str], Any]], Any]:
    return lambda array: constant.make(_Arrays(array, names))
