"""What it costs to be exact: small networks and expressions that are checked number by number.

Every task runs in this process, warm, and is timed in CPU seconds; the reports must say `agree`.
`--against PYTHON` names an interpreter with another gradcheck: both sides then run each task in
turn, in processes that stay alive, and the note gives the median of the ratios, other over this.

- tiny networks: Linear 4-8, Tanh, Linear 8-3, cross-entropy, batch 8: 67 numbers. YAML to report.
- 1,008 parameters: Linear 41-20, Tanh, Linear 20-8, cross-entropy, batch 32.
- 10,000 functions: a sum of tanh and sin of multiples of 50 variables.
- functions that need many digits, or that are dear: logsumexp([1e4, 4]), digamma and lgamma near 0.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from figures import Figure, interleaved, progress, show

QUICK = "--quick" in sys.argv
ROUNDS = 3 if QUICK else 7
NETWORK = """\
gradcheck: 1
inputs:
  x: {{shape: [{batch}, {before}], init: normal_}}
  t: [{target}]
layers:
- {{name: fc1, type: Linear, in_features: {before}, out_features: {between}}}
- {{name: act, type: Tanh}}
- {{name: fc2, type: Linear, in_features: {between}, out_features: {after}}}
loss: {{type: CrossEntropyLoss, target: t}}
check: {{wrt: ["fc1.*", "fc2.*"]}}
"""


def network(batch: int, before: int, between: int, after: int) -> str:
    """Return the spec of a classifier."""
    target = ", ".join(str(k % after) for k in range(batch))
    return NETWORK.format(batch=batch, before=before, between=between, after=after, target=target)


def many_functions(count: int) -> tuple[str, dict[str, float]]:
    """Return a sum of that many functions, and a point."""
    draw = random.Random(3)
    text = "+".join(f"{'tanh' if k % 2 else 'sin'}({draw.uniform(0.2, 2):.2f}*x{k % 50})" for k in range(count))
    return text, {f"x{k}": draw.uniform(-1, 1) for k in range(50)}


def tasks() -> dict[str, Callable[[], Any]]:
    """Return what is timed; each returns its report."""
    import pathlib
    import tempfile

    import gradcheck

    folder = pathlib.Path(tempfile.mkdtemp())
    tiny, larger = folder / "tiny.yaml", folder / "larger.yaml"
    tiny.write_text(network(8, 4, 8, 3), encoding="utf-8")
    larger.write_text(network(32, 41, 20, 8), encoding="utf-8")
    text, point = many_functions(10_000)
    return {
        "tiny": lambda: gradcheck.verify(str(tiny)),
        "larger": lambda: gradcheck.verify(str(larger)),
        "functions": lambda: gradcheck.check(text, at=point),
        "logsumexp": lambda: gradcheck.check("logsumexp(x)", at={"x": [1e4, 4.0]}),
        "digamma": lambda: gradcheck.check("digamma(x)", at={"x": 1e-100}),
        "lgamma": lambda: gradcheck.check("lgamma(x)", at={"x": 1e-200}),
    }


NAMES = {
    "tiny": ("a tiny network of 67 numbers, from YAML", 0.015),
    "larger": ("1,008 parameters at batch 32", 0.5),
    "functions": ("10^4 tanh and sin of 50 variables", 0.6),
    "logsumexp": ("logsumexp([1e4, 4])", 0.1),
    "digamma": ("digamma(1e-100)", 0.1),
    "lgamma": ("lgamma(1e-200)", 0.1),
}


def serve() -> None:
    """Answer the names of tasks with their seconds and verdicts, until there are no more."""
    known = tasks()
    known["digamma"]()
    for line in sys.stdin:
        started = time.process_time()
        report = known[line.strip()]()
        for failure in getattr(report, "failures", ()):
            sys.exit(str(failure))
        print(json.dumps([time.process_time() - started, report.verdict]), flush=True)


class Side:
    """A process with one of the two."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.verdicts: dict[str, str] = {}

    def run(self, name: str) -> float:
        """Run one task once and return its seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        seconds, self.verdicts[name] = json.loads(self.process.stdout.readline())
        return float(seconds)


def compared(against: str | None) -> Iterator[Figure]:
    """Time every task, beside another gradcheck if there is one."""
    sides = {"this": Side(sys.executable), **({"other": Side(against)} if against else {})}
    for name, (called, bound) in NAMES.items():
        progress(called)
        for side in sides.values():
            side.run(name)
        rounds = 1 if against and name in ("logsumexp", "digamma", "lgamma", "functions") else ROUNDS
        found = interleaved({which: partial(side.run, name) for which, side in sides.items()}, rounds)
        note = f"verdict {sides['this'].verdicts[name]}"
        if against:
            ratios = [b / a for a, b in zip(found["this"], found["other"], strict=True)]
            note += (
                f"; other {statistics.median(found['other']):.4g} s ({sides['other'].verdicts[name]}), "
                f"{statistics.median(ratios):.3g} x"
            )
        yield Figure(called, statistics.median(found["this"]), bound, unit="s", note=note)


def measure() -> list[Figure]:
    """Time every task."""
    against = sys.argv[sys.argv.index("--against") + 1] if "--against" in sys.argv else None
    return list(compared(against))


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        show(measure())
