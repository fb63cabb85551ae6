"""The circuit alone, for a picture or for other tools to draw."""

from __future__ import annotations

from gradcheck.draw.dot import dot
from gradcheck.draw.mermaid import mermaid
from gradcheck.draw.svg import svg
from gradcheck.errors import visible
from gradcheck.report.trace.picture import DRAWN, circuit_of
from gradcheck.tracing.trace import Trace


def svg_text(trace: Trace) -> str:
    """Return an SVG picture."""
    d = trace.derivation
    title = visible(d.title)
    description = f"computation graph of {title}: values above the wires, gradients below"
    return svg(circuit_of(d, min(trace.digits, DRAWN)), title, description)


def dot_text(trace: Trace) -> str:
    """Return the circuit for Graphviz."""
    return dot(circuit_of(trace.derivation, min(trace.digits, DRAWN)), trace.derivation.title)


def mermaid_text(trace: Trace) -> str:
    """Return the circuit for mermaid."""
    return mermaid(circuit_of(trace.derivation, min(trace.digits, DRAWN)))
