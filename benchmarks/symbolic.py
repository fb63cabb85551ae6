"""Time of the symbolic engine after imports, and whether its cost is in proportion to the graph.

Two programs: x_{k+1} = sin(x_k)*x_k + y at depth 30, and a 4-8-3 tanh network with softmax and
cross entropy, written out as scalar stage lines (71 inputs). Timed is what the symbolic engine
does for a point: `symbolic.adjoints` (SymPy's local derivative of each op, then the chain rule
in the tool's high-precision numbers) and `symbolic.closed_forms`. The first run is taken, each
in a new process in which everything is imported and the values are computed, because SymPy
keeps results; seconds are CPU seconds of that process. Proportion: the first program at depths
30 to 3,000, per gate, in a process that has met the ops before. For comparison, SymPy's own
`diff` of the whole expression, at the depths that end within seconds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from figures import Figure, progress, show

ROUNDS = 7
MOST_SECONDS = 0.2
GROWTH = 1.5
DEPTHS = (30, 100, 300, 1000, 3000)
NAIVE_DEPTHS = (4, 6, 8, 10)


def recurrence(depth: int) -> tuple[str, dict[str, float]]:
    """Return x_{k+1} = sin(x_k)*x_k + y as stage lines, and a point."""
    lines = [f"x{k + 1} = sin(x{k})*x{k} + y" for k in range(depth)]
    return "\n".join(lines), {"x0": 0.7, "y": 0.3}


def network() -> tuple[str, dict[str, float]]:
    """Return a 4-8-3 tanh softmax network with cross entropy as stage lines, and a point."""
    lines, point = [], {f"x{j}": 0.5 - 0.3 * j for j in range(4)}
    for i in range(8):
        lines.append(f"h{i} = tanh(" + " + ".join(f"v{i}_{j}*x{j}" for j in range(4)) + f" + b{i})")
        point |= {f"v{i}_{j}": ((7 * i + 3 * j) % 11 - 5) / 8 for j in range(4)} | {f"b{i}": i / 16 - 0.2}
    for k in range(3):
        lines.append(f"z{k} = " + " + ".join(f"w{k}_{i}*h{i}" for i in range(8)) + f" + c{k}")
        point |= {f"w{k}_{i}": ((5 * k + 2 * i) % 9 - 4) / 6 for i in range(8)} | {f"c{k}": 0.1 * k}
    lines += ["total = exp(z0) + exp(z1) + exp(z2)", "loss = -log(exp(z1)/total)"]
    return "\n".join(lines), point


def engine_run(text: str, point: dict[str, float]) -> tuple[float, int]:
    """Return the seconds of the symbolic engine at the point, and the gates of the graph."""
    from gradcheck.checking import forward
    from gradcheck.checking.exact import Exact
    from gradcheck.engines import symbolic
    from gradcheck.errors import Source
    from gradcheck.language.parser import parse

    graph = parse(Source(text), point)
    level = next(Exact(graph, point, forward.run(graph, point, arrays=False).values).levels())
    started = time.process_time()
    with level.active():
        found = symbolic.adjoints(graph, level.system, level.values, level.system.literal("1"))
        symbolic.closed_forms(graph, list(graph.inputs))
    seconds = time.process_time() - started
    assert all(found[node] is not None for node in graph.inputs.values())
    return seconds, len(graph.gates)


def naive(depth: int) -> float:
    """Return the seconds that SymPy's diff of the whole recurrence takes."""
    import sympy

    x0, y = sympy.symbols("x0 y", real=True)
    x = x0
    for _ in range(depth):
        x = sympy.sin(x) * x + y
    started = time.process_time()
    for symbol in (x0, y):
        x.diff(symbol)
    return time.process_time() - started


PROGRAMS = {"depth 30": lambda: recurrence(30), "4-8-3 network": network}


def in_new_process(*arguments: str) -> float:
    """Run this script with the arguments and return the seconds it prints."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, check=True, text=True)
    return float(done.stdout)


def measure() -> list[Figure]:
    """Measure both programs, the proportion, and SymPy's own way."""
    figures = []
    progress(f"the symbolic engine's first run, {ROUNDS} processes each")
    rounds = [{name: in_new_process("--first", name) for name in PROGRAMS} for _ in range(ROUNDS)]
    for name in PROGRAMS:
        times = [found[name] for found in rounds]
        note = f"{min(times):.3g} to {max(times):.3g} in {ROUNDS} processes"
        figures.append(Figure(f"symbolic, {name}", statistics.median(times), MOST_SECONDS, unit="s", note=note))

    progress(f"proportion: depths {DEPTHS[0]} to {DEPTHS[-1]}")
    engine_run(*recurrence(2))
    engine_run(*recurrence(300))
    per_gate = {}
    for depth in DEPTHS:
        runs = [engine_run(*recurrence(depth)) for _ in range(ROUNDS)]
        per_gate[depth] = statistics.median(1e6 * seconds / gates for seconds, gates in runs)
        figures.append(Figure(f"symbolic, depth {depth:,}, ops met before", per_gate[depth], unit="us/gate"))
    growth = per_gate[DEPTHS[-1]] / per_gate[DEPTHS[0]]
    figures.append(Figure(f"symbolic, growth per gate, depth {DEPTHS[0]} to {DEPTHS[-1]:,}", growth, GROWTH))

    progress(f"SymPy's diff of the whole expression, depths {NAIVE_DEPTHS[0]} to {NAIVE_DEPTHS[-1]}")
    for depth in NAIVE_DEPTHS:
        seconds = in_new_process("--naive", str(depth))
        figures.append(Figure(f"naive sympy diff, depth {depth}", seconds, unit="s"))
    return figures


if __name__ == "__main__":
    if "--first" in sys.argv:
        print(engine_run(*PROGRAMS[sys.argv[2]]())[0])
    elif "--naive" in sys.argv:
        print(naive(int(sys.argv[2])))
    else:
        show(measure())
