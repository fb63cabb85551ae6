"""A derivation as a Python program: the staged forward and backward code of the lectures.

Every stage is an assignment, every contribution to a gradient too (`dq = df * z`, `dx += …` at forks).
The program runs by itself; no user text is in it but in comments and strings.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator

from gradcheck.deriving.records import Flow, Formula, Step, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.errors import SizeError, visible
from gradcheck.notation.printer import Notation, Piece, write
from gradcheck.notation.python import (  # fmt: skip
    ARRAY_HELPERS,
    ARRAYS,
    MATRICES,
    SCALAR_HELPERS,
    SCALARS,
    imports,
    needed,
    own_helpers,
    single_numbers,
)
from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape, show
from gradcheck.writing.trace.program_facts import (  # fmt: skip
    calm,
    is_number,
    is_zero,
    masked,
    names,
    ops_of,
    quantities,
    rule_shape,
    shares,
)
from gradcheck.writing.trace.program_lines import assigned, beside, comment, literal

MOST_NUMBERS = 5_000
"""Numbers of the inputs up to which a program is written: it holds them all."""


def program(trace: Trace) -> str:
    """Return a derivation as the text of a Python program that prints the value and the gradients.

    Single numbers need nothing but Python; arrays, and numbers near the limits of float64, numpy.

    Raises:
        SizeError: if the inputs are too large to be written into a program.
    """
    numbers = sum(math.prod(shape_of(leaf.value)) for leaf in trace.derivation.leaves)
    if numbers > MOST_NUMBERS:
        raise SizeError(
            f"a program would hold all {numbers:,} numbers of the inputs; the limit is {MOST_NUMBERS:,}",
            hint="the formats text, markdown and html summarise large arrays",
        )
    return _Program(trace).text()


class _Program:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.derivation = derivation = trace.derivation
        self.graph = derivation.graph
        self.names = names(derivation)
        self.shapes: dict[int, Shape] = {one.node: shape_of(one.value) for one in quantities(derivation)}
        self.wild = not calm(derivation)
        self.ops = ops_of(derivation)
        plain = not any(self.shapes.values()) and not self.wild and single_numbers(self.ops)
        flat = all(len(shape) <= 2 for shape in self.shapes.values())
        self.notation: Notation = SCALARS if plain else MATRICES if flat else ARRAYS
        self.arrays = not plain
        # Python's own floats raise on a division by zero and have no axes to move.
        self.bare = self.arrays and (self.wild or any(map(self.shapeless, derivation.steps)))
        self.users = Counter(
            self.operand(step, flow.slot) for step in derivation.steps for flow in step.flows if not is_zero(flow)
        )
        self.begun: set[int] = set()

    def shapeless(self, step: Step) -> bool:
        """Whether an op on arrays is applied to a single number."""
        operands = self.graph.operands(step.node)
        return not OPS[self.graph.ops[step.node]].elementwise and any(not self.shapes[k] for k in operands)

    def operand(self, step: Step, slot: int) -> int:
        return self.graph.operands(step.node)[slot]

    def text(self) -> str:
        """Return the whole program."""
        body = [
            *self.given(), "", "# forward", *self.forward(), "", *self.backward(), "", *self.results(),
        ]  # fmt: skip
        code = "\n".join(line.partition("  # ")[0] for line in body if not line.startswith("#"))
        table = {**(ARRAY_HELPERS if self.arrays else SCALAR_HELPERS), **own_helpers(self.ops, self.notation)}
        helpers = needed(code, table)
        head = [*comment(f"{self.derivation.title}: forward and backward pass, stage by stage"), ""]
        lines = imports("\n".join([code, *helpers]))
        for line in lines:
            head += [line, ""]
        if self.wild:
            head += ['np.seterr(all="ignore")  # poles and overflows give infinities', ""]
        for source in helpers:
            head += ["", *source.rstrip("\n").split("\n"), ""]
        if helpers:
            head.append("")
        return "\n".join([*head, *body]).rstrip("\n") + "\n"

    def given(self) -> list[str]:
        """Return the inputs as assignments."""
        leaves = [leaf for leaf in self.derivation.leaves if not is_number(leaf)]
        kinds = {leaf.kind for leaf in leaves}
        lines = [f"# {leaves[0].kind}s" if len(kinds) == 1 else "# given"] if leaves else []
        for leaf in leaves:
            number = "np.float64({})" if self.bare else "{}"
            written = literal(self.names.values[leaf.node], leaf.value, number)
            remark = [leaf.kind] if len(kinds) > 1 else []
            lines += beside(written, ", ".join([*remark, *self.size(leaf.node)]))
        return lines

    def size(self, node: int) -> list[str]:
        return [f"shape {show(self.shapes[node])}"] if self.shapes[node] else []

    def blocks(self, steps: tuple[Step, ...]) -> Iterator[tuple[list[str], Step]]:
        """Yield steps, each with the heading of its layer where one begins."""
        kinds = {block.name: block.kind for block in self.derivation.blocks}
        before = None
        for step in steps:
            heading: list[str] = []
            if step.block is not None and step.block != before:
                kind = kinds.get(step.block, "")
                heading = ["", *comment(f"{step.block} ({kind})" if kind else step.block)]
            before = step.block
            yield heading, step

    def forward(self) -> list[str]:
        """Return the forward pass."""
        derivation, lines = self.derivation, []
        steps = derivation.steps[:-1] if derivation.stopped else derivation.steps
        for heading, step in self.blocks(steps):
            written = assigned(f"{self.names.values[step.node]} =", self.formula(step, step.formula))
            remark = ", ".join([f"[{step.number}] {step.gate}", *self.size(step.node)])
            if step.replaces and step.block is None:
                remark += f": {step.replaces}"
            lines += [*heading, *beside(written, remark)]
        if derivation.stopped:
            last = derivation.steps[-1]
            lines += comment(f"[{last.number}] {last.gate}: here it stops. {derivation.stopped}")
        return lines

    def formula(self, step: Step, formula: Formula) -> str:
        """Return a formula of a step in the program's variables."""
        nodes = dict(zip(OPS[self.graph.ops[step.node]].args, self.graph.operands(step.node), strict=True))
        known = {**nodes, "out": step.node}
        graph = formula.graph
        pieces = {name: self.piece(known[name]) for name in graph.inputs if name != "g"}
        pieces["g"] = Piece(self.names.gradients[step.node])
        if self.bare and pieces and all(known[name] in self.graph.constants for name in graph.inputs if name != "g"):
            first = next(iter(pieces))
            pieces[first] = Piece(f"np.float64({pieces[first].text})")
        return write(graph, self.notation, pieces).text

    def piece(self, node: int) -> Piece:
        """Return what stands for the value of a node."""
        if node in self.names.values:
            return Piece(self.names.values[node])
        return self.notation.constant(self.graph.constants[node])

    def backward(self) -> list[str]:
        """Return the backward pass."""
        derivation, output = self.derivation, self.graph.output
        if derivation.stopped or output not in self.names.gradients:
            return []
        lines = ["# backward"]
        if self.trace.problem is not None:
            lines += comment(self.trace.problem.message)
        seed = "np.float64(1.0)" if self.bare else "1.0"
        lines += [f"{self.names.gradients[output]} = {seed}"]
        self.begun.add(output)
        for heading, step in self.blocks(tuple(reversed(derivation.steps))):
            written = [line for flow in step.flows for line in self.flow(step, flow)]
            if written:
                habit = f" ({step.habit})" if step.habit else ""
                lines += [*heading, *comment(f"[{step.number}] {step.gate}{habit}"), *written]
        return lines

    def flow(self, step: Step, flow: Flow) -> list[str]:
        """Return the statement that adds a contribution; nothing for a zero among others."""
        node = self.operand(step, flow.slot)
        first = node not in self.begun
        if is_zero(flow) and (self.users[node] or not first):
            return []
        self.begun.add(node)
        text = self.contribution(step, flow, node)
        if first and self.arrays and self.users[node] > 1 and shares(flow.rule.graph):
            text = f"np.array({text})"
        return assigned(f"{self.names.gradients[node]} {'=' if first else '+='}", text)

    def contribution(self, step: Step, flow: Flow, node: int) -> str:
        """Return a contribution in the shape of its operand."""
        operand = self.names.values[node]
        if is_zero(flow):
            return f"np.zeros_like({operand})" if self.shapes[node] else "0.0"
        text = self.formula(step, flow.rule)
        if self.derivation.arrays and masked(self.graph, flow):
            upstream = self.names.gradients[step.node]
            text = f"np.where({upstream} == 0.0, 0.0, {text})"
        return (
            self.added_up(text, rule_shape(self.graph, self.shapes, step, flow), node)
            if self.derivation.arrays
            else text
        )

    def added_up(self, text: str, shape: Shape | None, node: int) -> str:
        """Return a contribution of some shape, added up over the axes along which the operand was repeated."""
        wanted = self.shapes[node]
        if shape == wanted:
            return text
        extra = 0 if shape is None else len(shape) - len(wanted)
        if shape is not None and shape[extra:] == wanted:
            axes = "" if not wanted else ", axis=0" if extra == 1 else f", axis={tuple(range(extra))}"
            return f"np.sum({text}{axes})"
        if shape is not None and extra == 0:
            along = [k for k, n in enumerate(wanted) if n != shape[k]]
            return f"np.sum({text}, axis={along[0] if len(along) == 1 else tuple(along)}, keepdims=True)"
        return f"unbroadcast({text}, {self.names.values[node]})"

    def elsewhere(self, node: int) -> bool:
        """Whether stages that are not shown use a quantity too."""
        if not self.derivation.hidden:
            return False
        shown = {step.node for step in self.derivation.steps}
        return any(node in self.graph.operands(gate) for gate in self.graph.gates if gate not in shown)

    def results(self) -> list[str]:
        """Return the statements that print the value and the gradients."""
        derivation, output = self.derivation, self.graph.output
        if derivation.stopped:
            return []
        value = self.piece(output).text
        lines = [f"print({_string(f'{derivation.output} =')}, {value})"]
        for leaf in derivation.leaves:
            if leaf.node in self.begun and leaf.gradient is not None:
                title = f"d_{leaf.name}" if derivation.arrays else f"d{derivation.output}/d{leaf.name}"
                title += " from these stages" if self.elsewhere(leaf.node) else ""
                ending = ', sep="\\n"' if len(self.shapes[leaf.node]) > 1 else ""
                lines.append(f"print({_string(f'{title} =')}, {self.names.gradients[leaf.node]}{ending})")
        return lines


def _string(text: str) -> str:
    return json.dumps(visible(text), ensure_ascii=False)
