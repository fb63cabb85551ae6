"""The derivation as a sheet of paper: a document for LaTeX that needs amsmath and xcolor alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcheck.deriving import sheet as blocks
from gradcheck.deriving.sheet import Back, LayerBlock, Setters, set_blocks, sheet
from gradcheck.deriving.trace import Trace
from gradcheck.errors import GradcheckError, Source
from gradcheck.language.parser import parse
from gradcheck.notation.latex import LATEX
from gradcheck.notation.plain import PLAIN
from gradcheck.notation.printer import Piece, write
from gradcheck.writing.trace.check_table import check_table
from gradcheck.writing.trace.equations import Document, Equation, Equations
from gradcheck.writing.trace.latex_layout import LINE, SIZES, Item, aligned, beside, fits, painted, tabular
from gradcheck.writing.trace.latex_words import prose, sentence, typed
from gradcheck.writing.trace.tex_width import DEEPEST, depth

PREAMBLE = r"""\documentclass[11pt,a4paper,fleqn]{article}
\usepackage{amsmath}
\usepackage{xcolor}
\definecolor{value}{RGB}{0,105,60}
\definecolor{gradient}{RGB}{185,20,30}
\setlength{\textwidth}{17cm}
\setlength{\oddsidemargin}{\dimexpr(\paperwidth-\textwidth)/2-1in\relax}
\setlength{\topmargin}{-1.5cm}
\setlength{\textheight}{25cm}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.8ex plus 0.4ex}
\setlength{\mathindent}{0.5em}
\setlength{\jot}{5pt}
\setlength{\emergencystretch}{3em}
\allowdisplaybreaks
\newcommand{\stage}[1]{\text{\footnotesize[#1]}\quad}
\newcommand{\beside}[1]{\quad\parbox[t]{4.6cm}{\raggedright\footnotesize #1}}
\newcommand{\begins}{\vspace{-\baselineskip}}
\begin{document}
\raggedright
"""

TYPED = 80
"""Characters of a line in typewriter type."""

LARGE = 1.31
"""Size of the title relative to that of the text."""


def latex(trace: Trace) -> str:
    """Return a trace as a document for LaTeX."""
    return PREAMBLE + body(trace) + "\\end{document}\n"


def body(trace: Trace) -> str:
    """Return what stands in the document."""
    page = Document(trace, Equations(trace.derivation, trace.digits))
    return "\n\n".join(set_blocks(page, sheet(trace), SETTERS)) + "\n\n"


def _title(page: Document, block: blocks.Title) -> list[str]:
    """Return the expression or the name of the network, and its value."""
    typeset = "" if block.network else _expression(page)
    heading = typeset or rf"{{\LARGE {prose(block.text)}\par}}"
    if block.value is None:
        return [heading]
    value = f"{page.equations.name(block.output)} = {painted(page.equations.array(block.value, False))}"
    given = [page.equations.given(leaf) for leaf in block.point]
    shown = ", ".join(f"${one.left} = {painted(one.stages[0])}$" for one in given)
    point = f" at {shown}." if shown and not page.arrays else "."
    return [heading, f"{'The sum of its elements' if block.summed else 'Its value'} is ${value}${point}"]


def _expression(page: Document) -> str:
    """Return the user's own expression, typeset; "" if it cannot be."""
    try:
        written = page.equations.written(parse(page.trace.derivation.graph.source))
    except (GradcheckError, RecursionError):
        return ""
    if any(depth(stage) > DEEPEST for one in written for stage in one.stages):
        return ""
    items = [Item(one) for one in written]
    for scale, size in ((LARGE, r"\Large"), *SIZES[:3]):
        if fits(items, LINE / scale):
            return f"{{{size}\\vspace*{{-2\\baselineskip}}\n{aligned(items, LINE / scale)}\\par}}"
    return ""


def _given(page: Document, block: blocks.GivenBlock) -> list[str]:
    given = [page.equations.given(leaf) for leaf in block.leaves]
    return [r"\section*{Given}", *beside([[Item(one, remark=one.note)] for one in given])] if block.listed else []


def _forward(page: Document, block: blocks.ForwardBlock) -> list[str]:
    """Return every stage as symbol = formula = numbers = value."""
    result = [r"\section*{Forward}"] if block.layers else []
    for layer in block.layers:
        items = [[Item(page.equations.forward(step), str(step.number), step.kind)] for step in layer.lines]
        result += [*_layer(layer), *beside(items)]
    return result


def _layer(layer: LayerBlock[Any]) -> list[str]:
    kind = rf" {{\normalfont\small {prose(layer.kind)}}}" if layer.kind else ""
    return [rf"\subsection*{{{prose(layer.name)}{kind}}}"] if layer.name else []


def _backward(page: Document, block: blocks.Backward) -> list[str]:
    """Return the gradients from the output back, and what colours and frames mean."""
    if not block.layers:
        return []
    seed = page.equations.gradient_name(block.output)
    result = [r"\section*{Backward}", f"From the output back, beginning with $\\displaystyle {seed} = 1$."]
    for layer in block.layers:
        result += [*_layer(layer), *beside([_back(page, back) for back in layer.lines])]
    colours = r"\textcolor{value}{Values are green}, \textcolor{gradient}{gradients red}"
    frames = "" if page.arrays else "; gradients of the inputs are framed"
    said = "".join(f" {prose(text)}" for text in page.proofs)
    return [*result, rf"{{\small {colours}{frames}.{said}\par}}"]


def _back(page: Document, back: Back) -> list[Item]:
    """Return what goes back from a stage, and the sums that it completes; the first has what the gate does."""
    first, *rest = (Item(one, remark=one.note) for one in page.equations.backward(back))
    said = "; ".join(filter(None, (back.habit, first.remark)))
    return [first._replace(label=str(back.step.number), remark=said), *rest]


def _asked(page: Document, block: blocks.Why | blocks.Tangents) -> list[str]:
    title, *rest = page.answer(block, PLAIN, TYPED)
    shown = "\\\\\n".join(map(typed, rest))
    return [f"\\section*{{{prose(title)}}}\n{{\\small\\raggedright\n{shown}\\par}}"]


def _check(page: Document, block: blocks.CheckBlock) -> list[str]:
    table = check_table(block.report)
    notes = [rf"{{\small {sentence(note)}\par}}" for note in table.notes]
    shown = tabular(table.headings, table.rows)
    return [r"\section*{Check}", shown, sentence(table.summary), *_forms(page, table.forms), *notes]


def _forms(page: Document, forms: Sequence[tuple[str, str]]) -> list[str]:
    """Return SymPy's closed forms, as far as they fit on the page."""
    items = []
    for name, form in forms:
        if name in page.equations.names:
            graph = parse(Source(form))
            names = {one: Piece(page.equations.name(one)) for one in graph.inputs}
            right = write(graph, LATEX, names).text
            items.append(Item(Equation(page.equations.gradient_name(name), (right,))))
    fit = [item for item in items if fits([item]) and depth(item.equation.stages[0]) <= DEEPEST]
    return [rf"SymPy's closed form\nopagebreak{aligned(fit)}"] if fit else []


SETTERS: Setters[Document, str] = {
    blocks.Title: _title,
    blocks.ProblemBlock: lambda page, block: [sentence(block.message)],
    blocks.NamesBlock: lambda page, block: [
        rf"${text}$ stands for {prose(name)}." for text, name in page.equations.short.items()
    ],
    blocks.GivenBlock: _given,
    blocks.ForwardBlock: _forward,
    blocks.Hidden: lambda page, block: [f"{block.said}."],
    blocks.Stopped: lambda page, block: [rf"\textbf{{The forward pass stops here.}} {sentence(block.message)}"],
    blocks.Backward: _backward,
    blocks.Why: _asked,
    blocks.Tangents: _asked,
    blocks.CheckBlock: _check,
    blocks.MeaningBlock: lambda page, block: [rf"\textbf{{What it means:}} {sentence(block.text)} (tried out)."],
    **blocks.without(blocks.CircuitBlock, blocks.Values, blocks.Chosen, blocks.NoGates),
}
"""The document from top to bottom: which blocks, and what sets them."""
