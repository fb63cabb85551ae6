"""What several test files share: running the command inside this process, and reading data files."""

from __future__ import annotations

import gc
import io
import json
import pathlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

from gradcheck import cli
from gradcheck.checking.points import given
from gradcheck.checking.problem import problem_of_network, problem_of_text
from gradcheck.checking.settings import Settings
from gradcheck.deriving.trace import Asked, Trace
from gradcheck.deriving.tracer import trace_problem
from gradcheck.errors import Source
from gradcheck.networks.network import Network

HERE = pathlib.Path(__file__).parent
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Characters that must never reach a stream: control codes and invisible direction marks."""


@dataclass(frozen=True)
class Ran:
    """The outcome of one run of the command."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.out)


class Stream(io.TextIOWrapper):
    """A text stream over bytes in memory that can pretend to be a terminal."""

    def __init__(self, data: bytes = b"", terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(data), encoding=encoding, newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def run(*arguments: str, stdin: bytes = b"", terminal: bool = False, encoding: str = "utf-8") -> Ran:
    """Run `gradcheck` with these arguments as the installed script would, streams included."""
    out, err = Stream(terminal=terminal, encoding=encoding), Stream(encoding=encoding)
    streams = {"stdin": Stream(stdin), "stdout": out, "stderr": err}
    collecting = gc.isenabled()
    try:
        with mock.patch.multiple(sys, argv=["gradcheck", *arguments], **streams):
            cli.main()
        status: Any = 0
    except SystemExit as leaving:
        status = leaving.code or 0
    finally:
        if collecting:
            gc.enable()
    return Ran(status, out.text, err.text)


def cases(name: str) -> list[dict[str, Any]]:
    """Read a data file of one JSON object a line."""
    lines = (HERE / "cases" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def lines_run(work: Callable[[], object]) -> int:
    """Return how many lines of Python a call runs: the cost of a loop that no clock measures."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def leaves(value: Any) -> list[Any]:
    """Return the numbers of a nested list in row-major order; a number alone is one leaf."""
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def trace_of(text: str, at: Any = None, **asked: Any) -> Trace:
    """Derive the gradient of an expression; what stops it is in the trace, and not raised."""
    settings = Settings(points=1)
    return trace_problem(problem_of_text(Source(text), given(at), {}, settings), settings, Asked(**asked))


def trace_of_network(network: Network) -> Trace:
    """Derive the gradients of a network."""
    return trace_problem(problem_of_network(network, Settings()), Settings())


IMPORTS = """
import sys
sys.argv = ["gradcheck", *sys.argv[1:]]
from gradcheck.cli import main
try:
    main()
except SystemExit:
    pass
loaded = {name.partition(".")[0] for name in sys.modules}
print("LOADED", *sorted(loaded & {"flint", "numpy", "sympy", "mpmath", "rich", "yaml"}), file=sys.stderr)
"""
"""A program that runs the command with its arguments and says which of the heavy packages it loaded."""
