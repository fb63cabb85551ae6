"""What is asked of a network: its output, what is checked, hand-derived gradients, expectations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from gradcheck.errors import ShapeError, Source, SpecError, did_you_mean
from gradcheck.graph.graph import Graph
from gradcheck.graph.shapes import infer
from gradcheck.language.claims import FLOAT32, FLOAT64, Claim, Numbers, numbers_of, quantity
from gradcheck.networks.data import Data
from gradcheck.networks.names import SpecNames
from gradcheck.networks.network import BUFFER, INPUT, PARAMETER, Network
from gradcheck.networks.records import Expected, Ref, Unknown
from gradcheck.networks.scope import ScopedFormula, Vocabulary
from gradcheck.networks.tree import Scalar, texts_of
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import show

_BITS = {"float32": FLOAT32}
"""Binary digits of the dtypes that have fewer than float64."""


def settle(b: SpecNames, network: Network) -> None:
    """Settle everything that a spec asks of its network; mistakes go to the builder's `problems`."""
    spec = b.spec
    b.attempt(_outputs, b)
    _unused_parameters(b)
    _unused_ops(b)
    b.attempt(_select, b, network)
    for target, (ref, scalar) in spec.backward.items():
        b.attempt(_claim, b, network, target, ref, scalar)
    for fact in spec.expected:
        b.attempt(_fact, b, fact)
    network.expected = spec.expected


def _outputs(b: SpecNames) -> None:
    """Settle which node is the output.

    Raises:
        SpecError: if that is not clear.
    """
    ref = b.spec.output
    if ref is None:
        last = "loss" if "loss" in b.spec.steps else b.spec.last or b.sink()
        if last is None:
            first = next(iter(b.spec.steps.values()), None)
            if first is None or b.incomplete:
                return
            raise b.spec.node.items["gradcheck"][0].error(
                "it is not clear which node is the output", "add loss:, or output: and the name of a node"
            )
        ref = Ref(last, b.spec.node)
    b.graph.output = b.resolve(ref)
    if b.graph.left[b.graph.output] < 0 and not b.problems:
        raise ref.place.error(f"the output `{ref.name}` is an input: there is nothing to differentiate")


def _unused_parameters(b: SpecNames) -> None:
    """Report parameters that are given and belong to nothing."""
    for name, ref in b.spec.params.items():
        if name in b.owners or name in b.tensors or b.incomplete:
            continue
        known = [*b.owners, *(n for n, t in b.tensors.items() if t.kind == PARAMETER)]
        hint = did_you_mean(name, known) or f"there are {', '.join(dict.fromkeys(known)) or 'none'}"
        b.problems.append(_key(b, "params", name, ref).error(f"no layer has a parameter `{name}`", hint[:300]))


def _key(b: SpecNames, section: str, name: str, ref: Ref) -> Any:
    """Return the place of a key, for a message about it."""
    node = b.spec.node.items[section][1]
    items = getattr(node, "items", {})
    return items[name][0] if name in items else ref.place


def _unused_ops(b: SpecNames) -> None:
    """Report ops that are defined and never used: nothing would check them."""
    present = set(b.graph.ops)
    used = {name for name, op in b.ops.items() if op.name in present}
    used |= {name for op in b.ops.values() for name in op.functions if name in _called(op)}
    for name, ref in b.spec.ops.items():
        if name in b.ops and name not in used and not b.incomplete:
            place = _key(b, "ops", name, ref)
            b.problems.append(place.error(f"op `{name}` is never used, so it cannot be checked", "use it in a node"))


def _called(op: Op) -> set[str]:
    """Return the words in an op's definition."""
    return set(re.findall(r"\w+", op.form or ""))


def _select(b: SpecNames, network: Network) -> None:
    """Settle which tensors are checked.

    Raises:
        SpecError: for a pattern that fits nothing.
    """
    able = [n for n, t in b.tensors.items() if t.kind in (PARAMETER, INPUT, BUFFER) and ":" not in n]
    able = [n for n in able if n not in b.spec.inputs or not b.spec.inputs[n].discrete]
    if b.spec.wrt is None:
        network.wrt = [n for n in able if b.tensors[n].kind != BUFFER and n not in b.as_data]
        return
    for ref in b.spec.wrt:
        # Running statistics are not trained: a pattern passes over them, their own name does not.
        fitting = [n for n in able if n == ref.name or (fnmatchcase(n, ref.name) and b.tensors[n].kind != BUFFER)]
        if not fitting and not b.incomplete:
            hint = did_you_mean(ref.name, able) or f"there are {', '.join(able)}"
            raise ref.place.error(f"`{ref.name}` names nothing that can be checked", hint[:300])
        network.wrt += [name for name in fitting if name not in network.wrt]


def _claim(b: SpecNames, network: Network, target: str, ref: Ref, given: Scalar | Data) -> None:
    """Read a hand-derived gradient.

    Raises:
        SpecError, LanguageError: with the place.
    """
    _claimable(b, network, target, ref)
    if isinstance(given, Data):
        # A float32 that is printed has fewer digits than it is worth.
        texts = None if given.dtype in _BITS else texts_of(given.node)
        numbers = Numbers(list(given.numbers or ()), given.shape, texts, _BITS.get(given.dtype or "", FLOAT64))
        source = given.node.source
        network.claims[target] = Claim(target, source, Graph(source), {}, numbers, place=given.node.start)
        return
    if (typed := numbers_of(Source(given.text, "formula"))) is not None:
        network.claims[target] = Claim(target, given.source, Graph(given.source), {}, typed, place=given.start)
        return
    scalar = given
    upstream = [f"d_{name}" for name in (*b.graph.inputs, *b.graph.stages)]
    formula = ScopedFormula(scalar, Vocabulary(b.spec, [*b.tensors, *upstream, *(f"d_{n}" for n in b.found)]), b.ops)
    uses = {}
    for name, node in formula.graph.inputs.items():
        if name in b.spec.inputs and name not in b.graph.inputs:
            # Data that only the formula uses, such as one-hot targets.
            b.resolve(Ref(name, scalar))
        found = quantity(b.graph, name)
        if found is None:
            plain = name.removeprefix("d_")
            if b.found.get(plain, 0) is None:
                raise Unknown
            known = [*b.graph.inputs, *b.graph.stages, *upstream]
            hint = did_you_mean(name, [k for k in known if ":" not in k])
            raise SpecError(f"there is no `{name}`", scalar.source, scalar.inner(*formula.graph.span(node)), hint)
        uses[name] = found
    shapes = {name: b.shapes[node] for name, (node, _) in uses.items()}
    try:
        infer(formula.graph, shapes)
    except ShapeError as error:
        raise scalar.outward(error) from None
    network.claims[target] = Claim(target, scalar.source, formula.graph, uses, place=scalar.start)


def _claimable(b: SpecNames, network: Network, target: str, ref: Ref) -> None:
    """Refuse a claim for what has no gradient here.

    Raises:
        SpecError: naming what can be claimed.
    """
    if target in b.graph.stages or (target in b.tensors and target in network.wrt):
        return
    if b.incomplete:
        raise Unknown
    known = [*network.wrt, *b.graph.stages]
    hint = did_you_mean(target, known) or f"what can be claimed: {', '.join(known)}"
    raise ref.place.error(f"`{target}` is neither checked nor the name of a node", hint[:300])


def _fact(b: SpecNames, fact: Expected) -> None:
    """Check that an expected value is about something, in its shape.

    Raises:
        SpecError: otherwise.
    """
    if b.incomplete:
        return
    if fact.what == "grads":
        names: Mapping[str, Any] = {**{n: t for n, t in b.tensors.items() if ":" not in n}, **b.graph.stages}
    else:
        names = b.graph.stages if fact.what == "outputs" else {"": 0}
    if fact.name not in names:
        hint = did_you_mean(fact.name, names) or f"there are {', '.join(names)}"
        raise fact.place.error(f"there is no `{fact.name}` to expect anything of", hint[:300])
    node = b.graph.output if fact.what == "loss" else None
    if node is None:
        node = {**b.graph.stages, **(b.graph.inputs if fact.what == "grads" else {})}[fact.name]
    shape = () if fact.what == "loss" else b.shapes[node]
    if fact.data.shape != shape:
        called = f"`{fact.name}`" if fact.name else "the loss"
        raise fact.place.error(f"this is {show(fact.data.shape)}, but {called} is {show(shape)}")
