"""The circuit alone, for a picture or for other tools to draw."""

from __future__ import annotations

from gradcheck.draw.circuit import Circuit
from gradcheck.draw.dot import dot
from gradcheck.draw.mermaid import mermaid
from gradcheck.draw.svg import svg
from gradcheck.errors import visible
from gradcheck.report.trace.picture import DRAWN, circuit_of
from gradcheck.tracing.trace import Trace


def _circuit(trace: Trace) -> Circuit:
    return circuit_of(trace.derivation, min(trace.digits, DRAWN))


def svg_text(trace: Trace) -> str:
    """Return an SVG picture."""
    title = visible(trace.derivation.title)
    description = f"computation graph of {title}: values above the wires, gradients below"
    return svg(_circuit(trace), title, description)


def dot_text(trace: Trace) -> str:
    """Return the circuit for Graphviz."""
    return dot(_circuit(trace), trace.derivation.title)


def mermaid_text(trace: Trace) -> str:
    """Return the circuit for mermaid."""
    return mermaid(_circuit(trace))
