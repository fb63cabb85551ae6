"""Forward and backward through scalar graphs, against micrograd, PyTorch (eager) and HIPS autograd.

Two programs of multiplications and additions, the same for everybody: a chain as deep as it has
gates (v = v*y + z), and a wide one (products of eight inputs, added up in a balanced tree). Timed
for each: the value and the gradient of every input. The peers build their graph while they
compute the value, each time; ours is built once (`Graph.linker` for each gate), then evaluated
(`graph.evaluate` in float64) and differentiated (`engines.backprop.backprop`). The bound is held
to forward and backward; beside it stands the ratio with our graph built anew each time. Not
timed: imports, making the eight inputs' numbers, freeing the graph. Garbage collection is as
Python has it by default, for all. Times are the process's CPU seconds (everybody runs on one
thread), so that other work on the machine does not count. With --quick there is one round of the
large graphs instead of three.

micrograd recurses over the graph: it runs with the recursion limit raised and a large stack,
which it needs at 10^6. Rounds are interleaved; ratios are medians of the rounds.

Memory is measured in a process of its own: the growth of its peak resident set (and, beside it,
the peak that Python's allocator reports) from before the first gate to after the gradient.
"""

from __future__ import annotations

import gc
import json
import math
import resource
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from figures import Figure, interleaved, median_ratio, progress, show
from scalar_programs import BUILDERS, available, ours

ROUNDS = {10_000: 15, 1_000_000: 1 if "--quick" in sys.argv else 3}
BOUNDS = {
    10_000: {"micrograd": 4, "torch": 15, "autograd": 80},
    1_000_000: {"micrograd": 20, "torch": 20, "autograd": 20},
}
MOST_BYTES = 200


def memory(program: str, gates: int) -> dict[str, float]:
    """Return the bytes per gate of `ours`, each way of counting in a new process."""
    found = {}
    for way in ("resident", "allocated"):
        command = [sys.executable, __file__, "--memory", way, program, str(gates)]
        found[way] = float(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)) / gates
    return found


def count_bytes(way: str, program: str, gates: int) -> int:
    """Run `ours` and return by how much the peak grew; for the process that `memory` starts."""
    ours(program, 100)
    if way == "allocated":
        tracemalloc.start()
        ours(program, gates)
        return tracemalloc.get_traced_memory()[1]
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours(program, gates)
    return unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def timed(run: Callable[[], Any]) -> float:
    """Return the seconds of one run, garbage of earlier ones collected before."""
    gc.collect()
    started = time.process_time()
    kept = run()
    seconds = time.process_time() - started
    del kept
    return seconds


def check_same(program: str, peers: dict[str, Any]) -> None:
    """All must compute the same gradients, else there is nothing to compare."""
    expected = ours(program, 1000)
    for name, peer in peers.items():
        same = all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(expected, peer(program, 1000), strict=True))
        assert same, f"{name} computes something else"


def measure() -> list[Figure]:
    """Measure memory first (the peers would raise this process's own peak), then the ratios."""
    figures = []
    for program in BUILDERS:
        used = memory(program, max(ROUNDS))
        note = f"Python's allocator: {used['allocated']:.0f}"
        figures.append(Figure(f"{program}, 10^6 nodes: memory", used["resident"], MOST_BYTES, unit="B/node", note=note))
    peers, absent = available()
    for size, rounds in ROUNDS.items():
        for program in BUILDERS:
            progress(f"{program} of {size:,} gates, {rounds} rounds, against {', '.join(peers)}")
            check_same(program, peers)
            phases: dict[str, list[float]] = {}
            runs = {"ours": lambda p=program, n=size, s=phases: timed(lambda: ours(p, n, s))}
            runs |= {k: (lambda f=peer, p=program, n=size: timed(lambda: f(p, n))) for k, peer in peers.items()}
            seconds = interleaved(runs, rounds)
            figures += compare(f"{program}, 10^{round(math.log10(size))} nodes", size, seconds, phases)
            figures += [Figure(f"{program}: against {name}", None, note=why) for name, why in absent.items()]
    return figures


def compare(label: str, size: int, seconds: dict[str, list[float]], phases: dict[str, list[float]]) -> list[Figure]:
    """Return the time per node of ours, and the ratios of the others to it."""
    split = ", ".join(f"{name} {1e9 * sorted(t)[len(t) // 2] / size:.0f}" for name, t in phases.items())
    passes = [f + b for f, b in zip(phases["forward"], phases["backward"], strict=True)][-len(seconds["ours"]) :]
    middle = 1e9 * sorted(passes)[len(passes) // 2] / size
    figures = [Figure(f"{label}: ours", middle, unit="ns/node", note=split)]
    for name, bound in BOUNDS[size].items():
        if name in seconds:
            ratio, note = median_ratio(seconds[name], passes)
            built, _ = median_ratio(seconds[name], seconds["ours"])
            note = f"{note}; {built:.1f} with our graph built anew"
            each = 1e9 * sorted(seconds[name])[len(seconds[name]) // 2] / size
            figures.append(Figure(f"{label}: {name} / ours", ratio, bound, True, "x", f"{each:,.0f} ns/node; {note}"))
    return figures


if __name__ == "__main__":
    if "--memory" in sys.argv:
        print(count_bytes(*sys.argv[2:4], int(sys.argv[4])))
    else:
        sys.setrecursionlimit(10**8)
        threading.stack_size(1 << 30)
        worker = threading.Thread(target=lambda: show(measure()))
        worker.start()
        worker.join()
