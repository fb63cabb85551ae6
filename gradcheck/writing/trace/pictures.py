"""The circuit alone, for a picture or for other tools to draw."""

from __future__ import annotations

from gradcheck.deriving.trace import Trace
from gradcheck.drawing.circuit import Circuit
from gradcheck.drawing.dot import dot
from gradcheck.drawing.mermaid import mermaid
from gradcheck.drawing.svg import svg
from gradcheck.errors import visible
from gradcheck.writing.trace.picture import DRAWN, circuit_of


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
