"""A layer is one row: its arguments, its parameters and a program in gradcheck's own language.

The program is the layer's definition. It is parsed and spliced into the network's graph, so that
a layer is nothing but ops, and what `gradcheck layers` shows is what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.ops.shapes import Shape

REQUIRED: Any = ...
"""Default of an argument that has none."""

INFERRED: Any = object()
"""Default of an argument that follows from the shape of the input."""


class Misfit(ValueError):  # noqa: N818 (the field's word for it)
    """A layer cannot be built from these arguments and shapes.

    Attributes:
        argument: the argument to blame; None for the layer as a whole.
    """

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class Argument(NamedTuple):
    """One constructor argument.

    Attributes:
        name: torch's name.
        read: turns a plain value (number, text, tuple, …) into what the plan gets; ValueError says
            what was expected.
        expects: the same in words, for listings and messages.
        default: REQUIRED, INFERRED or a value.
        inert: True if it changes nothing here (inplace, momentum, device).
        kind: JSON Schema of the value.
        operand: True if the value is a tensor: numbers, or the name of an input.
    """

    name: str
    read: Callable[[Any], Any]
    expects: str
    default: Any
    inert: bool = False
    kind: Mapping[str, Any] = {}
    operand: bool = False


class Parameter(NamedTuple):
    """A parameter or buffer of a layer.

    Attributes:
        shape: its shape, in torch's layout.
        init: name of the initialiser and its arguments, as torch's constructor uses it.
        buffer: True for what torch does not train (running statistics).
    """

    shape: Shape
    init: tuple[str, dict[str, float]]
    buffer: bool = False


class Plan(NamedTuple):
    """What a layer becomes for given arguments and input shapes.

    Attributes:
        program: text in the language over the operands, `parameters` and `data`; its stages may be
            outputs.
        names: values of names in the program that are no variables (axes, shapes, factors).
        parameters: local name → parameter.
        data: local name → constant array, such as an averaging matrix or one-hot targets.
        outputs: names of the stages that are the outputs; () if the program's value is the only one.
        shortcut: the one op that the whole program is to people, if it is one.
    """

    program: str
    names: Mapping[str, Any] = {}
    parameters: Mapping[str, Parameter] = {}
    data: Mapping[str, Constant] = {}
    outputs: tuple[str, ...] = ()
    shortcut: NamedShortcut | None = None


class NamedShortcut(NamedTuple):
    """An op of `ops.compounds` in whose one gate a derivation shows a layer.

    Attributes:
        op: its name.
        operands: its operands, as the program names them.
        params: static parameters of the op that are not among the program's `names`.
    """

    op: str
    operands: tuple[str, ...]
    params: Mapping[str, Any] = {}


class Constant(NamedTuple):
    """An array that belongs to the layer's definition and is not differentiated.

    Attributes:
        shape: its shape.
        make: (values of the layer's operands and parameters by local name) → the array.
    """

    shape: Shape
    make: Callable[[Mapping[str, Any]], Any]


class Operand(NamedTuple):
    """An input of a layer as its plan sees it.

    Attributes:
        shape: its shape.
        numbers: its numbers in row-major order, where they are known and the definition may depend on
            them (class indices, masks); else None.
        whole: whether all of them are whole numbers.
        flags: whether they are declared to be true and false.
    """

    shape: Shape
    numbers: Sequence[float] | None = None
    whole: bool = False
    flags: bool = False


class Arguments:
    """The arguments of one layer as attributes, and whether it is in training mode."""

    def __init__(self, values: Mapping[str, Any], training: bool = True) -> None:
        self.__dict__.update(values)
        self.training = training

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Layer(NamedTuple):
    """One row of the table of layers.

    Attributes:
        name: the torch class.
        operands: names of the inputs; one that ends in `?` may be left out.
        arguments: the constructor's arguments, in torch's order.
        plan: (arguments, operands…) → Plan; raises Misfit.
        example: arguments and input shapes for which listings show the program.
        family: layer, activation, loss or function.
        outputs: suffixes of the outputs, if there are several (`h`, `c`).
        known: operands whose numbers the definition depends on (class indices).
        note: one sentence about what differs from torch or is easily missed.
        many: True if the last operand may be repeated (cat, stack).
    """

    name: str
    operands: tuple[str, ...]
    arguments: tuple[Argument, ...]
    plan: Callable[..., Plan]
    example: tuple[Mapping[str, Any], Sequence[Shape]]
    family: str = "layer"
    outputs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    note: str = ""
    many: bool = False

    def argument(self, name: str) -> Argument | None:
        """Return the argument called `name`, if there is one."""
        return next((a for a in self.arguments if a.name == name), None)

    @property
    def least(self) -> int:
        """How many operands it needs at least."""
        return sum(not name.endswith("?") for name in self.operands)
