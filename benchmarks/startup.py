"""Time from the shell to the exit of the command, as a ratio to importing its dependencies.

Every command is a new process. The processes are interleaved: each round runs each command
once, a ratio is taken within the round, and the figure is the median over the rounds. One
unmeasured round comes first, so that bytecode is compiled and files are in the page cache.
The command is the console script beside the running interpreter. Seconds are of the wall clock;
the same ratio of CPU seconds, which other work on the machine disturbs less, is in the note.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

from figures import Figure, interleaved, median_ratio, progress, show

FAST_ROUNDS, SLOW_ROUNDS = 60, 25

CLICK = "import click"
BALLS = "import click, flint"
EVERYTHING = "import click, numpy, sympy, rich.console, rich.table"

LIGHT = {
    "--help": (["--help"], 0),
    "expr --help": (["expr", "--help"], 0),
    "a syntax error": (["expr", "(x+y*z"], 2),
    "an unknown function": (["expr", "sgimoid(x)"], 2),
    "a missing value": (["expr", "x*y", "--at", "x=1"], 2),
    "a domain error": (["expr", "log(x)", "--at", "x=-1"], 2),
    "trace --help": (["trace", "--help"], 0),
    "a syntax error in trace": (["trace", "(x+y*z"], 2),
}
TWO_ENGINES = ["expr", "(x+y)*z", "--engine", "backprop,finite_difference"]
ALL_ENGINES = ["expr", "(x+y)*z"]
DERIVED = ["trace", "(x+y)*z"]

HEAVY_MODULES = ("flint", "numpy", "sympy", "rich", "yaml")


def console_script() -> str:
    """Return the installed command next to this interpreter."""
    name = "gradcheck.exe" if os.name == "nt" else "gradcheck"
    script = Path(sys.executable).with_name(name)
    if not script.exists():
        sys.exit(f"startup.py: there is no {name} beside this interpreter: install gradcheck first")
    record = distribution("gradcheck").read_text("direct_url.json") or ""
    if '"editable": true' in record:
        progress("note: the install is editable; its import hook slows every Python, the baselines included")
    return str(script)


def environment() -> dict[str, str]:
    """Return the environment of the measured processes: bytecode may be written, nothing is profiled."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if k not in dropped}


CPU: dict[tuple[str, ...], list[float]] = {}
"""CPU seconds of each command's runs, the unmeasured first one included."""


def children_seconds() -> float:
    """Return the CPU seconds of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(command: list[str], status: int = 0) -> float:
    """Run a command to its end and return its seconds; its exit status must be the expected one."""
    started, spent = time.perf_counter(), children_seconds()
    done = subprocess.run(command, env=environment(), capture_output=True, check=False)
    seconds = time.perf_counter() - started
    CPU.setdefault(tuple(command), []).append(children_seconds() - spent)
    if done.returncode != status:
        sys.exit(f"startup.py: {command} ended with {done.returncode}:\n{done.stderr.decode()}")
    return seconds


def heavy_imports(script: str) -> list[str]:
    """Return the heavy packages that --help or an input error imports, from -X importtime."""
    found = set()
    for arguments, status in LIGHT.values():
        command = [sys.executable, "-X", "importtime", script, *arguments]
        done = subprocess.run(command, env=environment(), capture_output=True, check=False, text=True)
        assert done.returncode == status
        modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
        found |= {name for name in HEAVY_MODULES if name in modules}
    return sorted(found)


def measure() -> list[Figure]:
    """Measure every command."""
    script = console_script()
    heavy = heavy_imports(script)
    figures = [Figure("heavy packages imported by --help and errors", len(heavy), 0, note=", ".join(heavy))]
    click, balls, everything = ([sys.executable, "-c", code] for code in (CLICK, BALLS, EVERYTHING))
    light = {f"gradcheck {name}": ([script, *arguments], status) for name, (arguments, status) in LIGHT.items()}
    two, default = [script, *TWO_ENGINES], [script, *ALL_ENGINES]

    figures += ratios(light, "import click", click, FAST_ROUNDS, {}, 1.35)
    figures += ratios({"gradcheck expr, two engines": (two, 0)}, "import click, flint", balls, SLOW_ROUNDS, {}, 1.6)
    commands = {"gradcheck expr": (default, 0), "gradcheck trace": ([script, *DERIVED], 0)}
    figures += ratios(commands, "import click, numpy, sympy, rich", everything, SLOW_ROUNDS, {}, 1.0)
    return figures


def ratios(
    commands: dict[str, tuple[list[str], int]], label: str, baseline: list[str], rounds: int,
    bounds: dict[str, float], bound: float,
) -> list[Figure]:  # fmt: skip
    """Run the commands and their baseline interleaved, and return the ratios."""
    progress(f"{len(commands)} commands against {label}, {rounds} rounds")
    runs = {name: (lambda c=command, s=status: timed(c, s)) for name, (command, status) in commands.items()}
    runs[label] = lambda: timed(baseline)
    interleaved(runs, 1)
    seconds = interleaved(runs, rounds)
    figures = [Figure(f"python -c {label}", 1000 * statistics.median(seconds[label]), unit="ms")]
    for name, (command, _) in commands.items():
        ratio, note = median_ratio(seconds[name], seconds[label])
        cpu, _ = median_ratio(CPU[tuple(command)][1:], CPU[tuple(baseline)][1:])
        note = f"CPU {cpu:.3g}; {note}"
        figures.append(Figure(f"{name} / {label}", ratio, bounds.get(name, bound), note=note))
    return figures


if __name__ == "__main__":
    show(measure())
