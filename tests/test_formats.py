"""The one table of formats: a new one is a function and a row, and every command has it."""

from __future__ import annotations

from importlib import import_module

import pytest
from support import run

from gradcheck.checking.report import Report
from gradcheck.deriving.trace import Trace
from gradcheck.writing.formats import DERIVATION, FORMATS, REPORT, Format, formats_of

SPEC = "gradcheck: 1\ninputs: {x: [1, 2]}\nnodes: {y: {expr: sum(x^2)}}\n"


def csv(report: Report) -> str:
    """Write a report as CSV: the worked example of CONTRIBUTING.md."""
    numbers = [number for check in report.checks for number in check.gradients]
    return "".join(f"{number.name},{number.backprop},{number.verdict}\n" for number in numbers)


def stages(trace: Trace) -> str:
    """Write how many stages a derivation has."""
    return f"{len(trace.derivation.steps)}\n"


def test_a_new_format_is_a_function_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Format(report="test_formats:csv", derivation="test_formats:stages", most=10)
    monkeypatch.setitem(FORMATS, "csv", row)
    done = run("expr", "x*y", "--at", "x=2,y=3", "-o", "csv")
    assert (done.status, done.out, done.err) == (0, "x,3.0,agree\ny,2.0,agree\n", "")
    done = run("verify", "-", "-o", "csv", stdin=SPEC.encode())
    assert (done.status, done.out) == (0, '"x[0]",2.0,agree\n"x[1]",4.0,agree\n'.replace('"', ""))
    assert run("trace", "x*y + x", "--at", "x=2,y=3", "-o", "csv").out == "2\n"


@pytest.mark.parametrize("kind", [REPORT, DERIVATION])
def test_every_row_names_a_function(kind: str) -> None:
    for name in formats_of(kind):
        module, _, function = getattr(FORMATS[name], kind).partition(":")
        assert callable(getattr(import_module(module), function)), name


def test_every_format_is_of_use() -> None:
    assert set(FORMATS) == {*formats_of(REPORT), *formats_of(DERIVATION)}
    assert formats_of(REPORT) == ("table", "json")
