"""Traces for the tests of formats: the lecture's circuits, networks, hard cases, and names chosen to break things."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from support import trace_of, trace_of_network

from gradcheck.deriving.records import Block, Derivation, Formula
from gradcheck.deriving.trace import Trace
from gradcheck.deriving.tracer import trace
from gradcheck.networks.files import networks_in

SPECS = Path(__file__).parent.parent / "specs"

POINT = {"x": 3.0, "y": -4.0}
EXPRESSIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "lecture": ("(x+y)*z", {"x": -2.0, "y": 5.0, "z": -4.0}, {}),
    "neuron": ("1/(1+exp(-(w0*x0+w1*x1+w2)))", {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}, {}),
    "max": ("2*(x*y+max(z,w))", {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0}, {}),
    "staged": ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", POINT, {}),
    "asked": ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", POINT, {"why": "x", "forward": True}),
    "shallow": ("a = x*y; b = a + x; c = sin(b); c*a + a", {"x": 2.0, "y": 3.0}, {"depth": 2}),
    "focused": ("(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)", POINT, {"focus": "y"}),
    "softmax": (
        "-sum(t*log(softmax(x @ W + b)))",
        {"x": [1.0, 2.0], "W": [[1.0, 2.0, 3.0], [0.4, 0.5, 0.6]], "b": [0.0, 0.0, 0.0], "t": [0.0, 1.0, 0.0]},
        {},
    ),
    "stages": ("a = x*y\nb = a*a\nb*b + relu(x) + where(x > 0, abs(x), y)", {"x": 2.0, "y": 1.0}, {}),
    "kink": ("relu(x)+abs(y)", {"x": 0.0, "y": 0.0}, {}),
    "slope": ("sqrt(x)*y", {"x": 0.0, "y": 2.0}, {}),
    "stopped": ("log(x*y)+x", {"x": -1.0, "y": 2.0}, {}),
    "stopped array": ("sum(log(x))", {"x": [1.0, -1.0]}, {}),
    "constant": ("3 + 0*x", {"x": 2.0}, {}),
    "input": ("x", {"x": 2.0}, {}),
    "powers of ten": ("x1*x_1 + pi*x1", {"x1": 1e-7, "x_1": 3e20}, {}),
    "fan-out of arrays": ("sum(x*x @ x) + x[0]@y", {"x": [[1.0, 2.0], [0.5, -1.0]], "y": [3.0, 0.25]}, {}),
    "broadcast": ("sum(tanh(x*y))", {"x": [[1.0, 2.0], [3.0, -4.0]], "y": [0.5, 2.0]}, {}),
    "wide": ("sum(tanh(x)^2)", {"x": [[math.sin(9 * i + j) for i in range(8)] for j in range(8)]}, {}),
    "many digits": ("sum(x*y)", {"x": [[1 / 3, 2 / 3] * 4] * 2, "y": [1 / 7] * 8}, {"digits": 17}),
    "long names": (
        "alpha_parameter_of_the_first_layer*beta_parameter_of_the_second_layer + gamma_is_short_enough_here",
        {
            "alpha_parameter_of_the_first_layer": 1.5,
            "beta_parameter_of_the_second_layer": 2.25,
            "gamma_is_short_enough_here": -1.0,
        },
        {},
    ),
    "deep": ("sin(" * 150 + "x" + ")" * 150, {"x": 1.0}, {}),
    "tower": ("x^" * 200 + "x", {"x": 1.0}, {}),
    "long": (" + ".join(f"x*{k}" for k in range(1, 60)), {"x": 1.0}, {}),
}
NETWORKS = ["conv-avgpool", "two-layer-classifier", "lenet", "attention", "rnn-unrolled"]

NAMED = [*EXPRESSIONS, *NETWORKS]


@cache
def example(name: str) -> Trace:
    """Return one of the traces; `hostile` has hostile names."""
    if name == "hostile":
        return hostile_trace()
    if name in NETWORKS:
        return trace_of_network(networks_in([str(SPECS / f"{name}.yaml")], None)[0][0])
    text, at, asked = EXPRESSIONS[name]
    return trace_of(text, at, **asked)


def numbers(trace: Trace, of_gradient: bool) -> Iterator[float]:
    """Yield every number of a derivation's values, or of its gradients and contributions."""
    for one in trace.derivation.quantities.values():
        found = [one.gradient, *(part.value for part in one.parts)] if of_gradient else [one.value]
        for value in found:
            if value is not None:
                yield from getattr(value, "ravel", lambda value=value: [value])()


NAMES = {
    "x": "<img src=x onerror=alert(1)>",
    "y": "a|b",
    "z": "`x`",
    "w": "$$ \\end{document} $",
    "q": "\\input{/etc/passwd} %&#_^~{}",
    "r": "x\n```\n# h\n[l](javascript:1) https://a.b www.c.d @me",
    "s": "中文é ß \x1b[31m \u202e\ud800 x\u0302\u0302",
    "t": "[1]: /url \"t\" ''`` -- ?` <<>> \\",
    "f": "n" * 300,
    "u": "**b** _i_ ~~s~~ &lt; &#60; <!-- --> </details> \\verb|x|",
}
"""Name in an expression → what it is called instead."""

EXPRESSION = ("exp(x*y - z)*w + sin(x)*(y + w*w)", {"x": 0.5, "y": -2.0, "z": 1.5, "w": 3.0})


def hostile_trace() -> Trace:
    """Return a trace all of whose texts are hostile."""
    found = trace(*EXPRESSION, why="x", forward=True)
    names = {name: NAMES.get(name, f"{name}\\{{|`$<") for name in found.derivation.quantities}
    assert set(names) >= {"x", "y", "z", "w", "q", "r", "s", "t", "f"}
    return found._replace(derivation=renamed(found.derivation, names), meaning=NAMES["r"])


def renamed(derivation: Derivation, names: dict[str, str]) -> Derivation:
    """Return a derivation with other names; its gates, layers and title become hostile as well."""

    def new(name: str) -> str:
        return names.get(name, name)

    def formula(one: Formula | None) -> Formula | None:
        if one is None:
            return None
        return one._replace(symbols={k: s._replace(name=new(s.name)) for k, s in one.symbols.items()})

    texts = [*NAMES.values()]
    steps = tuple(
        step._replace(
            name=new(step.name),
            gate=texts[k % len(texts)],
            block=texts[0],
            habit=texts[-1 - k % len(texts)],
            replaces=texts[5],
            operands=tuple(map(new, step.operands)),
            formula=formula(step.formula),
            flows=tuple(
                flow._replace(operand=new(flow.operand), rule=formula(flow.rule), local=formula(flow.local))
                for flow in step.flows
            ),
        )
        for k, step in enumerate(derivation.steps)
    )
    return derivation._replace(
        title="\n".join(texts),
        leaves=tuple(leaf._replace(name=new(leaf.name)) for leaf in derivation.leaves),
        steps=steps,
        output=new(derivation.output),
        blocks=(Block(texts[0], texts[5], tuple(step.number for step in steps)),),
    )
