"""From what `print(model)` shows to a spec that runs; what had to be guessed says so."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gradcheck.errors import GradcheckError, LanguageError, Source, SpecErrors, did_you_mean, visible
from gradcheck.networks.fitting import Fit, arguments, fit, indices
from gradcheck.networks.table import find
from gradcheck.networks.torch_repr import PrintedCall, parse_call
from gradcheck.ops.shapes import Shape

MAX_LAYERS = 10_000
MAX_DEPTH = 64
MAX_PROBLEMS = 200

_HEAD = re.compile(r"(?:\((?P<name>[^()]*)\):[ \t]*)?(?:(?P<count>[0-9]+) x )?")
_OPENING = re.compile(r"([A-Za-z_][\w.]*)\((?=\s*$)", re.MULTILINE)
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_PART = re.compile(r"\w+")
_PARAMETERS = re.compile(r"Parameter(?:List|Dict)?\b")
_HINTS = {
    "LSTM": "write its steps as nodes with LSTMCell",
    "GRU": "write its steps as nodes with GRUCell",
    "RNN": "write its steps as nodes with RNNCell",
}
ORDER = """\
# print() shows the parts of {} in the order in which they were made. It shows neither the order of
# the calls in forward() nor what forward() does besides: activations, reshapes, skips, reuse.
# Check this list against forward(), and correct it."""


class Printed:
    """A module as it is printed.

    Attributes:
        names: its name in its parent, or several if it stands for several; empty for the model itself.
        type: the class.
        call: the whole, if it is printed on one line.
        children: the modules in it.
        span: where it stands.
    """

    def __init__(self, names: Sequence[str | int], kind: str, call: PrintedCall | None, span: tuple[int, int]) -> None:
        self.names = names
        self.type = kind
        self.call = call
        self.children: list[Printed] = []
        self.span = span


class ModelPart(NamedTuple):
    """A layer of the chain: its name and its call, and the text if print() showed all of it."""

    name: str
    call: PrintedCall
    text: str | None


def from_model(source: Source, known: Collection[str]) -> str:
    """Return a spec for a model as PyTorch prints it.

    Args:
        source: the output of `print(model)`.
        known: the layers that there are.

    Raises:
        SpecErrors: with every line that cannot be read and every layer that is not known.
    """
    reader = _Reader(source)
    reader.read()
    parts: list[ModelPart] = []
    losses: list[ModelPart] = []
    if reader.root is not None and not reader.problems:
        for part in _chain(reader.root, source, known, reader.problems):
            (losses if _is_loss(part.call) else parts).append(part)
    if not parts and not reader.problems:
        reader.problems.append(LanguageError("there is no layer here", source, (0, 1), "paste what print(model) shows"))
    if reader.problems or reader.root is None:
        raise SpecErrors(reader.problems)
    ordered = all(module.type == "Sequential" for module in _containers(reader.root, known))
    return _write(reader.root.type, parts, losses[-1].call if losses else None, ordered, reader.notes)


class _Reader:
    """Reads lines into a tree of modules.

    Attributes:
        root: the model.
        notes: lines in which classes say something of themselves.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Printed | None = None
        self.opened: list[Printed] = []
        self.problems: list[GradcheckError] = []
        self.notes: list[str] = []

    def read(self) -> None:
        """Read every line."""
        text, start = self.source.text, 0
        while start <= len(text) and len(self.problems) < MAX_PROBLEMS:
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            line = text[start:end]
            begin = start + len(line) - len(line.lstrip())
            if line.strip():
                self.line(begin, start + len(line.rstrip()))
            start = end + 1
        if self.opened and not self.problems:
            place = self.opened[-1].span[1] - 1
            self.problems.append(LanguageError("this `(` is not closed", self.source, (place, place + 1), "add `)`"))

    def line(self, start: int, end: int) -> None:
        """Read one line without the blanks around it."""
        text = self.source.text
        if text[start:end] == ")" and self.opened:
            self.opened.pop()
            return
        if self.opened and text[start] != "(":
            self.notes.append(text[start:end])
            return
        if self.root is not None and not self.opened:
            self.complain("the model ends above this line", (start, end), "paste one model at a time")
            return
        head = _HEAD.match(text, start, end)
        begin = head.end() if head else start
        opening = _OPENING.match(text, begin, end)
        if _PARAMETERS.match(text, begin, end):
            self.parameters((start, end))
            if not opening:
                return
        call = None if opening else self.call(begin, end)
        if opening is None and call is None:
            return
        module = Printed(
            self.names(head, start), opening[1] if opening else call.type if call else "", call, (begin, end)
        )
        if self.opened:
            self.opened[-1].children.append(module)
        self.root = self.root or module
        if opening:
            self.opened.append(module)
            if len(self.opened) == MAX_DEPTH + 1:
                self.complain(f"more than {MAX_DEPTH} modules within each other", (start, end), None)

    def call(self, start: int, end: int) -> PrintedCall | None:
        """Read a layer; a mistake is noted."""
        try:
            return parse_call(self.source, start, end)
        except LanguageError as error:
            self.problems.append(error)
            return None

    def parameters(self, span: tuple[int, int]) -> None:
        """Refuse parameters that belong to no layer; the lines of a list of them are one mistake."""
        if not (self.opened and _PARAMETERS.match(self.opened[-1].type)):
            hint = "use them in a node's expr:"
            self.complain("parameters outside layers are no part of a chain", span, hint)

    def complain(self, message: str, span: tuple[int, int], hint: str | None) -> None:
        """Note a problem."""
        self.problems.append(LanguageError(message, self.source, span, hint))

    def names(self, head: re.Match[str] | None, start: int) -> Sequence[str | int]:
        """Return the names that a line gives: `(fc1)`, or `(0-5): 6 x`."""
        name = head["name"] if head else None
        if head is not None and head["count"]:
            several = _RANGE.fullmatch(name or "")
            count = int(head["count"][:9])
            if several and int(several[2]) - int(several[1]) + 1 == count <= MAX_LAYERS:
                return range(int(several[1]), int(several[2]) + 1)
            place = (start, max(start + 1, head.end()))
            self.complain(f"expected the names of {count} modules", place, "as in (0-5): 6 x Block(")
        elif head is not None and name is not None and not _PART.fullmatch(name):
            hint = "names are letters, digits and _"
            self.complain(f"`{name}` cannot be part of a name", (start, head.end("name") + 1), hint)
        return [name or ""]


def _containers(root: Printed, known: Collection[str]) -> Iterator[Printed]:
    """Yield the modules that are not layers."""
    waiting = [root]
    while waiting:
        module = waiting.pop()
        if module.type not in known and (module.children or module.call is None):
            yield module
        waiting += module.children


def _chain(
    root: Printed, source: Source, known: Collection[str], problems: list[GradcheckError]
) -> Iterator[ModelPart]:
    """Yield the layers in printed order, named as state_dict names them; unknown ones are problems."""
    waiting = [(root, "")]
    count = 0
    while waiting:
        module, name = waiting.pop()
        count += max(1, sum(len(child.names) for child in module.children))
        if count > MAX_LAYERS:
            problems.append(LanguageError(f"more than {MAX_LAYERS:,} modules", source, module.span))
            return
        call = module.call
        if module.type == "MultiheadAttention" and module.type in known and module.children:
            yield _attention(module, name)
        elif module.children or call is None:
            prefix = f"{name}." if name else ""
            waiting += reversed([(child, f"{prefix}{own}") for child in module.children for own in child.names])
        elif call.type in known:
            row = find(call.type)
            if row is None or row.least == 1 or (_is_loss(call) and row.least == 2):
                yield ModelPart(name, call, source.text[slice(*module.span)])
            else:
                message = f"`{call.type}` takes {row.least} inputs"
                problems.append(LanguageError(message, source, call.span, "write it as a node, with inputs:"))
        elif call.type not in ("Sequential", "ModuleList", "ModuleDict"):
            hint = _HINTS.get(call.type) or did_you_mean(call.type, known)
            hint = hint or "`gradcheck layers` lists the layers; formulas of your own go under ops:"
            problems.append(LanguageError(f"unknown layer `{call.type}`", source, call.span, hint))


def _is_loss(call: PrintedCall) -> bool:
    row = find(call.type)
    return row is not None and row.family == "loss"


def _attention(module: Printed, name: str) -> ModelPart:
    """Return the call of a MultiheadAttention, of which only the output projection is printed."""
    inner = module.children[0].call
    given = arguments(inner) if inner else {}
    keywords = {"embed_dim": given.get("in_features", 1), "num_heads": 1, "bias": given.get("bias", True)}
    return ModelPart(name, PrintedCall(None, module.type, (), keywords, module.span, {}), None)


def _write(title: str, parts: list[ModelPart], criterion: PrintedCall | None, ordered: bool, notes: list[str]) -> str:
    """Return the text of the spec."""
    found = fit([part.call for part in parts], flatten=not ordered)
    embedded = parts[0].call.type == "Embedding"
    lines = [f"# A spec for {title}, from print(model). Lines marked `guessed` are not in what it shows."]
    taken = {part.name for part in parts}
    x, t = (next(n for n in (name, f"{name}_input") if n not in taken) for name in ("x", "t"))
    lines += ["gradcheck: 1", f"name: {_quote(title)}", "inputs:", f"  {x}: {_input(parts[0].call, found)}"]
    target, loss = _loss(parts, criterion, found.leaving, t)
    if target:
        lines.append(f"  {t}: {target}")
    if not ordered:
        lines.append(ORDER.format(title))
    lines += [f"# it says of itself: {visible(note)}" for note in notes[:20]]
    lines.append("layers:")
    before = x
    for number, part in enumerate(parts):
        name = part.name or "0"
        if number in found.flattened:
            lines.append(f'- "({name}.flattened): Flatten()"  # guessed: Linear follows several axes')
        lines.append(f"- {_layer(part, name, before, embedded and not number)}")
        before = name
    lines.append(loss)
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    return visible(json.dumps(text, ensure_ascii=False))


def _list(shape: Shape) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _input(first: PrintedCall, found: Fit) -> str:
    """Return the line of the input."""
    if first.type == "Embedding":
        return f"{{value: {json.dumps(indices(first, found.entering))}, dtype: int64}}  # guessed"
    doubt = f"; {found.doubt}" if found.doubt else ""
    return f"{{shape: {_list(found.entering)}, init: normal_}}  # guessed{doubt}"


def _layer(part: ModelPart, name: str, before: str, embedded: bool) -> str:
    """Return a layer as torch prints it, or as a map where a spec needs to know more."""
    kind = part.call.type
    call: dict[str, Any] = {"name": name, "type": kind, **arguments(part.call)}
    if kind == "Dropout":
        call.pop("inplace", None)
        return f"{_flow({**call, 'training': False})}  # guessed: it drops nothing; in training it needs a mask"
    if kind == "MultiheadAttention" and part.text is None:
        operands = {"inputs": [before] * 3}
        return f"{_flow({**call, **operands})}  # guessed: num_heads, and self-attention"
    if embedded:
        return _flow({**call, "inputs": before})
    return _quote(f"({name}): {part.text}")


def _flow(items: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_flow_value(value)}" for key, value in items.items()) + "}"


def _flow_value(value: Any) -> str:
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", value) and value.lower() not in _WORDS else _quote(value)
    return json.dumps(value)


_WORDS = ("true", "false", "null")


def _loss(
    parts: list[ModelPart], criterion: PrintedCall | None, shape: Shape | None, name: str
) -> tuple[str | None, str]:
    """Return the lines of the target and of the loss: the one that is printed, or the usual one."""
    if shape is None:
        return None, "# guessed: no loss; the sum of the outputs is checked"
    kind = criterion.type if criterion else _usual_loss(parts, shape)
    if kind in ("CrossEntropyLoss", "NLLLoss") and len(shape) == 2:
        classes = tuple(row % shape[1] for row in range(shape[0]))
        target = f"{{value: {_list(classes)}, dtype: int64}}  # guessed: the class of each row"
    elif kind in ("NLLLoss", "HingeEmbeddingLoss"):
        return None, f"# loss: {{type: {kind}, target: …}}; without it the sum of the outputs is checked"
    else:
        init = "normal_" if kind in _REAL_TARGETS else "ones_"
        target = f"{{shape: {_list(shape)}, init: {init}}}  # guessed"
    loss = {"type": kind, **(arguments(criterion) if criterion else {}), "target": name}
    return target, f"loss: {_flow(loss)}  # guessed" + (": what it compares" if criterion else "")


_REAL_TARGETS = ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "HalfSquaredErrorLoss")


def _usual_loss(parts: list[ModelPart], shape: Shape) -> str:
    kinds = [part.call.type for part in parts if part.call.type not in ("Dropout", "Identity")]
    last = kinds[-1] if kinds else ""
    if last in ("Linear", "LogSoftmax") and len(shape) == 2 and shape[1] > 1:
        return "CrossEntropyLoss" if last == "Linear" else "NLLLoss"
    return "BCELoss" if last == "Sigmoid" else "MSELoss"
