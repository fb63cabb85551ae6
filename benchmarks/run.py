"""Run every benchmark, each in a process of its own, and print one table.

    python benchmarks/run.py            all of them
    python benchmarks/run.py --quick    one round of the largest scalar graphs instead of three
    python benchmarks/run.py parsing    only those named

The exit status is 0 whatever the figures say: a busy machine is not a bug. It is 1 only if a
benchmark itself fails.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from figures import Figure, progress, table

BENCHMARKS = ("startup", "parsing", "scalar_graphs", "symbolic", "error_bars", "exact_checks", "networks")
PACKAGES = ("gradcheck", "click", "numpy", "sympy", "python-flint", "mpmath", "rich", "micrograd", "torch", "autograd")


def machine() -> str:
    """Say where the figures come from."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    cpus = f"{os.cpu_count()} CPUs{load}"
    return f"Python {platform.python_version()}, {platform.machine()}, {cpus}\n{', '.join(found)}"


def run(name: str, options: list[str]) -> list[Figure] | None:
    """Run one benchmark and return its figures; None if it failed."""
    progress(name)
    script = Path(__file__).with_name(f"{name}.py")
    done = subprocess.run([sys.executable, str(script), "--json", *options], stdout=subprocess.PIPE, check=False)
    return None if done.returncode else [Figure(**row) for row in json.loads(done.stdout)]


def main() -> int:
    """Run what the arguments ask for."""
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")] or list(BENCHMARKS)
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        sys.exit(f"run.py: there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    header = machine()
    results = {name: run(name, options) for name in chosen}
    failed = [name for name, found in results.items() if found is None]
    figures = [figure for found in results.values() for figure in found or []]
    print(header, table(figures), sep="\n\n")
    counts = {word: sum(f.result == word for f in figures) for word in ("pass", "MISSED", "absent")}
    print(f"\n{counts['pass']} pass, {counts['MISSED']} missed, {counts['absent']} absent")
    if failed:
        print(f"failed to run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
