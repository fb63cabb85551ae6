"""An op is one row: what it means, how its gradient flows, where it bends, how it reads.

Every formula in a row is text in gradcheck's own language. The text that a reader sees is
compiled and run, so a rule cannot say one thing and do another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shape = tuple[int, ...]
ShapeRule = Callable[..., Shape]
Rules = tuple[str, ...]

REQUIRED: Any = ...
"""Default of a parameter that has none."""


class Worded(str):
    """A condition that the language has no words for: text for people, and what decides it.

    Attributes:
        holds: (operands…) → whether it holds.
    """

    holds: Callable[..., bool]

    def __new__(cls, text: str, holds: Callable[..., bool]) -> Worded:
        """Return the text as a condition."""
        found = super().__new__(cls, text)
        found.holds = holds
        return found


class Op:
    """One row of the op table.

    Attributes:
        name: the op's name in graphs, reports and (unless it is infix) in the language.
        args: names of the operands, as the formulas use them.
        partials: for an elementwise op, the local derivative for each operand, over the
            operands and `out` (the op's value). Backprop multiplies it by the upstream gradient.
        vjp: for any other op, the whole vector–Jacobian product for each operand, over the
            operands, `out` and `g` (the upstream gradient); or a mapping from operand ranks
            to such rules.
        form: the definition, in terms of simpler ops; None for a primitive, which every
            number system implements. SymPy and the high-precision engines see only this.
        alone: the definition for a single number, of an op that is another one for arrays.
        forward: how float64 computes it where `form` would overflow or cancel; None = `form`.
        domain: conditions on the operands, each a comparison that must hold, or `Worded`.
        kink: expressions that are zero where the op has no derivative.
        params: static parameters (axis, …) and their defaults.
        defaults: operands that may be left out, and the constants that then stand for them.
        shape: the shape rule; None for an elementwise op.
        aliases: other names in the language.
        moves: of `where` and of ops on whole arrays: whether the result is made of operands' elements,
            whatever their values are, and the rules only copy, move, add up or drop upstream
            gradients, so that they also say which elements are reached at all.
        sums: of an op that moves: whether elements that meet in one place are added up.
        fills: whether its result may hold zeros that are in no operand.
        view: whether the result is the first operand itself, or may share its memory, as numpy has it.
        measures: whether only the operands' shapes count.
        contracts: whether each element of the result adds up products along an axis of the operands.
        eliminates: whether it takes eliminating a matrix: of n rows some n³ gates.
        choice: whether the first operand chooses one of the other two, which alone counts.
        locally_constant: whether it is constant wherever it does not jump.
        staircase: whether it jumps once in every unit, however large the operand is.
        named: names of arguments that make another op of the call.
        linear: of an elementwise op: groups of operands in which it is linear, those outside standing still.
        internal: True for ops that no text can call.
        habit: what the gate does to gradients, as teachers say it; "" if there is nothing to say.
        over: boxes over which the rules are proved: operand (or g, the upstream gradient) → its interval; what is
            left out moves over a usual one, and where both ends are the same it stands still.
        functions: other ops of the same spec that its formulas may call; empty for built-in ops.
        rule_shapes: for an op of a spec, functions that refuse rules of the wrong shape.
        unruled: for an op of a spec, the operands without a rule: they must be whole numbers.
    """

    __slots__ = (
        "aliases", "alone", "args", "choice", "contracts", "defaults", "domain", "eliminates", "fills", "form",
        "forward", "functions", "habit", "internal", "kink", "linear", "locally_constant", "measures", "moves",
        "name", "named", "over", "params", "partials", "rule_shapes", "shape", "staircase", "sums", "unruled", "view",
        "vjp",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        args: str,
        partials: Rules = (),
        *,
        vjp: Rules | dict[str, Rules] = (),
        form: str | None = None,
        alone: str | None = None,
        forward: str | None = None,
        domain: Rules = (),
        kink: Rules = (),
        params: Mapping[str, Any] | None = None,
        defaults: Mapping[str, str] | None = None,
        shape: ShapeRule | None = None,
        aliases: str = "",
        moves: bool = False,
        sums: bool = False,
        fills: bool = False,
        view: bool = False,
        measures: bool = False,
        contracts: bool = False,
        eliminates: bool = False,
        choice: bool = False,
        locally_constant: bool = False,
        staircase: bool = False,
        named: tuple[str, ...] = (),
        linear: Rules = (),
        internal: bool = False,
        habit: str = "",
        over: Sequence[Mapping[str, tuple[float, float]]] = (),
    ) -> None:
        self.name = name
        self.args = tuple(args.split())
        self.partials = partials
        self.vjp = vjp
        self.form = form
        self.alone = alone
        self.forward = forward
        self.domain = domain
        self.kink = kink
        self.params = dict(params or {})
        self.defaults = dict(defaults or {})
        self.shape = shape
        self.aliases = tuple(aliases.split())
        self.moves = moves
        self.sums = sums
        self.fills = fills
        self.view = view
        self.measures = measures
        self.contracts = contracts
        self.eliminates = eliminates
        self.choice = choice
        self.locally_constant = locally_constant
        self.staircase = staircase
        self.named = named
        self.linear = tuple(tuple(group.split()) for group in linear)
        self.internal = internal
        self.habit = habit
        self.over = tuple(over)
        self.functions: dict[str, Op] = {}
        self.rule_shapes: tuple[Callable[..., None], ...] = ()
        self.unruled: frozenset[str] = frozenset()

    @property
    def elementwise(self) -> bool:
        """Whether the op acts on each element by itself, with numpy broadcasting."""
        return self.shape is None

    @property
    def comparison(self) -> bool:
        """Whether the op says how two operands compare: 1 or 0, and no slope."""
        return self.locally_constant and len(self.args) == 2

    @property
    def copies(self) -> bool:
        """Whether the op works on whole arrays, and makes its result of copies of their elements."""
        return self.moves and not self.sums and not self.elementwise

    @property
    def piecewise(self) -> bool:
        """Whether the op is made of pieces that bend, jump or are chosen."""
        return self.choice or bool(self.kink)

    @property
    def by_rank(self) -> Mapping[str, Rules]:
        """The rules of an op that differ for vectors: "12" is a row times a matrix."""
        return self.vjp if isinstance(self.vjp, dict) else {}

    @property
    def made(self) -> bool:
        """Whether it is made of static parameters alone, as `eye(3)` is."""
        return bool(self.params) and not self.elementwise and len(self.defaults) == len(self.args)

    def ranks(self, operands: Sequence[Any]) -> tuple[int, ...]:
        """Return how many axes the operands have, if the rules depend on it; else ()."""
        return tuple([len(getattr(x, "shape", ())) for x in operands]) if isinstance(self.vjp, dict) else ()

    def rules(self, ranks: tuple[int, ...] = ()) -> Rules:
        """Return the vector–Jacobian product for each operand, as text; `ranks` as `self.ranks` has them."""
        if self.partials:
            return tuple(times_g(partial) for partial in self.partials)
        if isinstance(self.vjp, dict):
            # Graphs of single numbers have no ranks.
            return self.vjp["".join(str(min(rank, 2)) for rank in ranks or (0,) * len(self.args))]
        return self.vjp


def times_g(partial: str) -> str:
    """Return upstream × local as text, with a factor of one, minus one or zero carried out."""
    plain = {"1": "g", "-1": "-g", "0": "0"}.get(partial)
    return plain if plain is not None else f"g*({partial})"
