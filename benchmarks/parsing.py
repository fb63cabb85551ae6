"""Microseconds per operator that the parser takes to turn text into a graph, and whether it is linear.

Only `gradcheck.language.parser.parse` is timed, in CPU seconds of this process. An operator is a gate of the
resulting graph: an infix sign, a unary minus or a function call. Each shape of text is parsed
at 10^3, 10^4 and 10^5 operators, the shapes interleaved; the figure is the median of the
repeats, the minimum stands beside it. Linear means here: at 10^5 operators at most 1.5 times
the cost per operator at 10^3.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable

from figures import Figure, interleaved, progress, show

from gradcheck.errors import Source
from gradcheck.language.parser import parse

SIZES = {1_000: 31, 10_000: 11, 100_000: 5}
"""Operators of the text, and how often it is parsed."""

MOST = 3.5
GROWTH = 1.5


def flat(n: int) -> str:
    """One long line of a few variables and all four signs."""
    draw = random.Random(1)
    return "x" + "".join(f" {draw.choice('+-*/')} {draw.choice('xyzuvw')}" for _ in range(n))


def literals(n: int) -> str:
    """A sum of terms with a number of their own each."""
    return "x" + "".join(f" + {k}.{k % 997}*x" for k in range(n // 2))


def names(n: int) -> str:
    """A sum of as many variables as terms, with names of some length."""
    return " + ".join(f"weight_{k}" for k in range(n + 1))


def nested(n: int) -> str:
    """Brackets within brackets, opened all at once."""
    return "(" * (n // 2) + "x" + " + y)*z" * (n // 2)


def calls(n: int) -> str:
    """Functions of functions; a call is one operator."""
    return "".join(("sin(", "tanh(", "exp(")[k % 3] for k in range(n)) + "x" + ")" * n


def powers(n: int) -> str:
    """One tower of powers, which groups to the right and so is pending to the end."""
    return "^".join("xyzuvw"[k % 6] for k in range(n + 1))


def stages(n: int) -> str:
    """Stage lines, each using the one before."""
    lines = [f"s{k} = s{k - 1}*x + y" if k else "s0 = x*y + x" for k in range(n // 2)]
    return "\n".join(lines)


def network(n: int) -> str:
    """What people write: products, brackets, numbers and calls mixed."""
    return " + ".join(["tanh(0.5*x - y/2)*(z - 1.5)^2 - sigmoid(-u*v)"] * (n // 11 + 1))


SHAPES: dict[str, Callable[[int], str]] = {
    f.__name__: f for f in (flat, literals, names, nested, calls, powers, stages, network)
}


def per_operator(text: str) -> float:
    """Parse once and return the microseconds per operator."""
    gc.collect()
    started = time.process_time()
    graph = parse(Source(text))
    seconds = time.process_time() - started
    return 1e6 * seconds / len(graph.gates)


def measure() -> list[Figure]:
    """Measure every shape at every size."""
    found: dict[int, dict[str, list[float]]] = {}
    for size, rounds in SIZES.items():
        progress(f"{len(SHAPES)} shapes of {size:,} operators, {rounds} rounds")
        texts = {name: shape(size) for name, shape in SHAPES.items()}
        runs = {name: (lambda t=text: per_operator(t)) for name, text in texts.items()}
        found[size] = interleaved(runs, rounds)
    figures = []
    for name in SHAPES:
        for size, times in found.items():
            middle = statistics.median(times[name])
            note = f"minimum {min(times[name]):.3g}"
            figures.append(Figure(f"parse, {name}, {size:,} operators", middle, MOST, unit="us/op", note=note))
    for name in SHAPES:
        least, most = (statistics.median(found[size][name]) for size in (min(SIZES), max(SIZES)))
        figures.append(Figure(f"parse, {name}, growth from 10^3 to 10^5", most / least, GROWTH))
    return figures


if __name__ == "__main__":
    show(measure())
