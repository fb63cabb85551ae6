"""An op is one row: what it means, how its gradient flows, where it bends, how it reads.

Every formula in a row is text in gradcheck's own language. The text that a reader sees is
compiled and run, so a rule cannot say one thing and do another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Shape = tuple[int, ...]
ShapeRule = Callable[..., Shape]
Rules = tuple[str, ...]

REQUIRED: Any = ...
"""Default of a parameter that has none."""


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
        forward: how float64 computes it where `form` would overflow or cancel; None = `form`.
        domain: conditions on the operands, each a comparison that must hold.
        kink: expressions that are zero where the op has no derivative.
        params: static parameters (axis, …) and their defaults.
        defaults: operands that may be left out, and the constants that then stand for them.
        shape: the shape rule; None for an elementwise op.
        aliases: other names in the language.
        moves: whether the rules only copy, move, add up or drop upstream gradients, so that they
            also say which elements are reached at all.
        internal: True for ops that only rules use.
        habit: what the gate does to gradients, as teachers say it; "" if there is nothing to say.
        functions: other ops of the same spec that its formulas may call; empty for built-in ops.
        rule_shapes: for an op of a spec, functions that refuse rules of the wrong shape.
    """

    __slots__ = (
        "aliases", "args", "defaults", "domain", "form", "forward", "functions", "habit", "internal",
        "kink", "moves", "name", "params", "partials", "rule_shapes", "shape", "vjp",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        args: str,
        partials: Rules = (),
        *,
        vjp: Rules | Mapping[str, Rules] = (),
        form: str | None = None,
        forward: str | None = None,
        domain: Rules = (),
        kink: Rules = (),
        params: Mapping[str, Any] | None = None,
        defaults: Mapping[str, str] | None = None,
        shape: ShapeRule | None = None,
        aliases: str = "",
        moves: bool = False,
        internal: bool = False,
        habit: str = "",
    ) -> None:
        self.name = name
        self.args = tuple(args.split())
        self.partials = partials
        self.vjp = vjp
        self.form = form
        self.forward = forward
        self.domain = domain
        self.kink = kink
        self.params = dict(params or {})
        self.defaults = dict(defaults or {})
        self.shape = shape
        self.aliases = tuple(aliases.split())
        self.moves = moves
        self.internal = internal
        self.habit = habit
        self.functions: dict[str, Op] = {}
        self.rule_shapes: tuple[Callable[..., None], ...] = ()

    @property
    def elementwise(self) -> bool:
        """Whether the op acts on each element by itself, with numpy broadcasting."""
        return self.shape is None

    def rules(self, ranks: tuple[int, ...] = ()) -> Rules:
        """Return the vector–Jacobian product for each operand, as text.

        `ranks` are the operands' numbers of axes; they matter only for ops (matmul) whose
        textbook rule differs between vectors and matrices.
        """
        if self.partials:
            return tuple(times_g(partial) for partial in self.partials)
        if isinstance(self.vjp, Mapping):
            return self.vjp["".join("1" if rank == 1 else "2" for rank in ranks)]
        return self.vjp


def times_g(partial: str) -> str:
    """Return upstream × local as text, with a factor of one, minus one or zero carried out."""
    plain = {"1": "g", "-1": "-g", "0": "0"}.get(partial)
    return plain if plain is not None else f"g*({partial})"
