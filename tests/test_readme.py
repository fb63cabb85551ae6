"""The README is run, not trusted."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import textwrap
from pathlib import Path

import pytest
from support import run

import gradcheck
from gradcheck.ops import FUNCTIONS
from gradcheck.writing.trace import as_json

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^\$ (gradcheck .*)\n((?:(?!\$ |```).*\n)*)", README, re.MULTILINE)


def test_the_readme_shows_commands() -> None:
    assert len(SHOWN) >= 4


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_shown_command_prints_what_is_shown(command: str, output: str) -> None:
    done = run(*shlex.split(command)[1:])
    assert (done.out + done.err).rstrip("\n") == output.rstrip("\n")


def test_shown_json_has_the_keys_of_a_report() -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
    real = gradcheck.check("x", at={"x": 1}).to_dict()
    assert shown.keys() == real.keys()
    assert shown["checks"][0].keys() == real["checks"][0].keys()
    assert shown["checks"][0]["gradients"][0].keys() == real["checks"][0]["gradients"][0].keys()


def test_shown_python_session_runs() -> None:
    report = gradcheck.check("(x+y)*z", at={"x": -2, "y": 5, "z": -4})
    assert repr((report.verdict, report.checks[0].gradients[0].backprop)) in README


def test_shown_derivation_is_that_of_the_records() -> None:
    steps = gradcheck.trace("(x+y)*z", at={"x": -2, "y": 5, "z": -4}).derivation.steps
    assert repr([step.gradient for step in steps]) in README


def test_the_picture_is_what_the_tool_draws(tmp_path: Path) -> None:
    expression = "(x + sigmoid(y))/(sigmoid(x) + (x+y)^2)"
    done = run("trace", expression, "--at", "x=3,y=-4", "-o", f"svg:{tmp_path}/staged.svg")
    assert done.status == 0
    assert (tmp_path / "staged.svg").read_bytes() == (ROOT / "docs" / "staged.svg").read_bytes()


def test_the_format_of_traces_is_described_as_the_writer_has_it() -> None:
    described = re.findall(
        r"```text\n(.*?)```", (ROOT / "docs" / "trace-json.md").read_text(encoding="utf-8"), re.DOTALL
    )
    documented = inspect.getdoc(as_json)
    assert documented is not None
    assert textwrap.indent(described[0].rstrip(), "    ") in documented


def test_named_functions_exist() -> None:
    listed = re.findall(r"\(`([a-z_ \n]+)`, with `axis=`\)", README)[0].split()
    assert set(listed) <= set(FUNCTIONS)


def test_both_set_up_commands_are_one_line_each() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert "gradcheck expr" in lines[0]
    assert lines[1].endswith("-m pytest")


def test_changelog_names_the_version() -> None:
    assert gradcheck.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
