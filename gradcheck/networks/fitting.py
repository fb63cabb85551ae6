"""An input that fits a printed model: print() shows no shapes, so likely ones are tried on the table's layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gradcheck.errors import GradcheckError, SizeError, Source
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse
from gradcheck.networks.arguments_given import bound
from gradcheck.networks.data import Folder
from gradcheck.networks.layer import INFERRED, Arguments, Misfit, Operand
from gradcheck.networks.records import GivenArgument, NodeSpec, Ref
from gradcheck.networks.table import find
from gradcheck.networks.torch_repr import PrintedCall
from gradcheck.networks.tree import Scalar
from gradcheck.ops.shapes import Shape

LARGEST = 256
"""The longest side of a picture that is tried."""

MAX_PLANS = 5000
"""How often a layer is planned before the search is given up."""

_SIDES = (*range(8, LARGEST + 1), *range(7, 0, -1))
_SIZES = {"MultiheadAttention": "embed_dim", "PReLU": "num_parameters"}
"""Sizes of the input that a layer does not infer."""


class Fit(NamedTuple):
    """An input shape and what comes of it.

    Attributes:
        entering: the input's shape.
        leaving: the output's shape; None if no input was found that fits.
        flattened: numbers of the layers whose input must be flattened first.
        doubt: why no input was found that fits; empty if there is one.
    """

    entering: Shape
    leaving: Shape | None
    flattened: frozenset[int] = frozenset()
    doubt: str = ""


def arguments(call: PrintedCall) -> dict[str, Any]:
    """Return the arguments of a layer by name."""
    row = find(call.type)
    named = zip((a.name for a in row.arguments), call.positional, strict=False) if row else ()
    return {**dict(named), **call.keywords}


def indices(call: PrintedCall, shape: Shape) -> list[list[int]]:
    """Return rows to look up in an Embedding, as many as it has before one comes twice."""
    entries = arguments(call).get("num_embeddings")
    entries = entries if isinstance(entries, int) and entries > 0 else 1
    rows, length = shape
    return [[(length * row + k) % entries for k in range(length)] for row in range(rows)]


def fit(calls: Sequence[PrintedCall], flatten: bool) -> Fit:
    """Find an input for a chain of layers.

    Args:
        calls: the layers, at least one.
        flatten: whether a Linear layer may get its input flattened, as forward() often does.
    """
    distinct = {_key(call): _Trial(call) for call in [*calls, _FLATTEN]}
    layers = [distinct[_key(call)] for call in calls]
    shapes = list(_inputs(layers))
    reasons: list[str] = []
    for entering in shapes:
        x = Operand(entering)
        if calls[0].type == "Embedding":
            x = Operand(entering, [float(k) for row in indices(calls[0], entering) for k in row], whole=True)
        try:
            leaving, flattened = _through(layers, x, distinct[_key(_FLATTEN)] if flatten else None)
        except SizeError:
            if reasons and reasons[0] == reasons[-1]:
                # Whatever its size, the same was amiss.
                break
            return Fit(entering, None, doubt="none that was tried fits; this one takes too much memory")
        except Misfit as error:
            reasons.append(str(error))
            if sum(len(layer.tried) for layer in distinct.values()) > MAX_PLANS:
                return Fit(shapes[0], None, doubt="none that was tried fits")
        else:
            return Fit(entering, leaving, flattened)
    return Fit(shapes[0], None, doubt="the layers do not fit together in this order")


_FLATTEN = PrintedCall(None, "Flatten", (), {}, (0, 0), {})


def _key(call: PrintedCall) -> str:
    # As text, because True and 1 are not the same argument.
    return repr((call.type, call.positional, call.keywords))


class _Trial:
    """A layer that is tried on one input shape after another.

    Attributes:
        row: of the table.
        axes: how many axes its input has in the table's example.
        values: its arguments, defaults filled in; None if its constructor does not take them.
        tried: shape of the input, and whether it is of whole numbers → the output's shape, or why it does not fit.
    """

    def __init__(self, call: PrintedCall) -> None:
        row = find(call.type)
        assert row is not None
        self.row = row
        self.axes = len(row.example[1][0])
        self.tried: dict[tuple[Shape, bool], Shape | str] = {}
        self.values: dict[str, Any] | None = None
        place = Scalar(Source("", "model"), 0, 0, "", "'")
        step = NodeSpec(
            call.type, place, Ref(call.type, place), None,
            {name: GivenArgument(value, place) for name, value in call.keywords.items()},
            [GivenArgument(value, place) for value in call.positional],
        )  # fmt: skip
        try:
            values, tensors = bound(row, step, Folder(".", False, 0), [])
        except GradcheckError:
            return
        if not tensors:
            self.values = values

    @property
    def features(self) -> Any:
        """What the layer says of the size of its input: features, channels, a tuple of trailing axes, or None."""
        inferred = next((a.name for a in self.row.arguments if a.default is INFERRED), "")
        name = _SIZES.get(self.row.name, inferred)
        found = self.values.get(name) if self.values else None
        # One slope of a PReLU goes with any number of channels.
        return None if found is INFERRED or (name == "num_parameters" and found == 1) else found

    @property
    def sequence(self) -> bool:
        """Whether the features of its input are the last of three axes."""
        return self.row.name == "MultiheadAttention"

    def leaving(self, x: Operand) -> Shape:
        """Return the output's shape for an input.

        Raises:
            Misfit: if the layer cannot be built for it.
            SizeError: if its values would not fit in the stated memory.
        """
        key = (x.shape, x.whole)
        if key not in self.tried:
            self.tried[key] = self.planned(x)
        found = self.tried[key]
        if isinstance(found, str):
            raise Misfit(found)
        return found

    def planned(self, x: Operand) -> Shape | str:
        """Return the shape of what the table's program makes of an input, or why it makes nothing of it.

        Raises:
            SizeError: if its values would not fit in the stated memory.
        """
        if self.values is None:
            return "its arguments are not those of its constructor"
        name = self.row.operands[0]
        try:
            # A spec that is made from a print switches dropout off.
            plan = self.row.plan(Arguments(self.values, training=self.row.name != "Dropout"), x)
            sub = parse(Source(plan.program, name), {name, *plan.data}, static_names=plan.names, internal=True)
            known = {name: x.shape, **{local: constant.shape for local, constant in plan.data.items()}}
            known |= {local.replace(".", "_"): parameter.shape for local, parameter in plan.parameters.items()}
            shapes = infer(sub, {local: known[local] for local in sub.inputs})
        except SizeError:
            raise
        except GradcheckError as error:
            return error.message
        except Misfit as error:
            return str(error)
        return shapes[sub.stages[plan.outputs[0]] if plan.outputs else sub.output]


def _inputs(layers: Sequence[_Trial]) -> Iterator[Shape]:
    """Yield the shapes to try, the likeliest first: what the first layer that says a size asks for."""
    batch = 4 if any(layer.row.name.startswith("BatchNorm") for layer in layers) else 2
    if layers[0].row.name == "Embedding":
        yield from ((batch, length) for length in sorted(_SIDES, key=lambda side: (side != 3, side)))
        return
    rank, features = 2, None
    for layer in layers:
        features = layer.features
        if features is not None and layer.sequence:
            yield 3, batch, features
            return
        rank = max(rank, layer.axes)
        if features is not None:
            break
    if isinstance(features, tuple):
        yield batch, *features
    elif rank == 2:
        yield batch, features or 3
    elif features is not None and layer.axes > 2:
        yield from ((batch, features, *[side] * (rank - 2)) for side in _SIDES)
    else:
        # Its features are those of the whole picture; pictures are in colour, or grey.
        yield from ((batch, width, *[side] * (rank - 2)) for width in (3, 1) for side in _SIDES)
        yield batch, features or 3
    yield tuple(layers[0].row.example[1][0])


def _through(layers: Sequence[_Trial], x: Operand, flatten: _Trial | None) -> tuple[Shape, frozenset[int]]:
    """Return the output's shape, and where the input of a layer was flattened.

    Raises:
        Misfit: if the layers do not fit.
        SizeError: if they need too much memory.
    """
    flattened: set[int] = set()
    picture = False
    for number, layer in enumerate(layers):
        picture = picture or (layer.axes > 2 and not layer.sequence)
        several = len(x.shape) > 2 and (picture or x.shape[-1] != layer.features)
        if flatten and several and layer.row.name == "Linear":
            x = Operand(flatten.leaving(x))
            flattened.add(number)
        x = Operand(layer.leaving(x))
    return x.shape, frozenset(flattened)
