"""The derivation as a sheet of paper: a document for LaTeX that needs amsmath and xcolor alone."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.deriving.records import CONSTANT, Step, shape_of
from gradcheck.deriving.trace import Trace
from gradcheck.errors import GradcheckError, Source
from gradcheck.language.parser import parse
from gradcheck.notation.latex import LATEX
from gradcheck.notation.plain import PLAIN
from gradcheck.notation.printer import Piece, write
from gradcheck.writing.text import plural
from gradcheck.writing.trace import answers
from gradcheck.writing.trace.check_table import check_table, proofs
from gradcheck.writing.trace.equations import Equation, Equations
from gradcheck.writing.trace.latex_layout import LINE, SIZES, Item, aligned, beside, fits, painted, tabular
from gradcheck.writing.trace.latex_words import prose, sentence, typed
from gradcheck.writing.trace.spelling import Speller
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

LARGE = 1.31
"""Size of the title relative to that of the text."""


def latex(trace: Trace) -> str:
    """Return a trace as a document for LaTeX."""
    return PREAMBLE + body(trace) + "\\end{document}\n"


def body(trace: Trace) -> str:
    """Return what stands in the document."""
    return _Sheet(trace).text()


class _Sheet:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.derivation = trace.derivation
        self.equations = Equations(trace.derivation, trace.digits)

    def text(self) -> str:
        """Return all sections."""
        parts = [*self.title(), *self.point(), *self.forward()]
        if self.derivation.stopped:
            parts.append(rf"\textbf{{The forward pass stops here.}} {sentence(self.derivation.stopped)}")
        else:
            parts += [*self.backward(), *self.asked(), *self.check()]
        return "\n\n".join(filter(None, parts)) + "\n\n"

    def title(self) -> list[str]:
        """Return the expression or the name of the network, and its value."""
        d = self.derivation
        typeset = "" if d.blocks else self.expression()
        heading = typeset or rf"{{\LARGE {prose(d.title)}\par}}"
        if d.stopped:
            return [heading, *self.short()]
        value = f"{self.equations.name(d.output)} = {painted(self.equations.array(d.value, False))}"
        scalars = [leaf for leaf in d.leaves if leaf.kind != CONSTANT and not shape_of(leaf.value)]
        given = [self.equations.given(leaf) for leaf in scalars]
        shown = ", ".join(f"${one.left} = {painted(one.stages[0])}$" for one in given)
        line = f"Its value is ${value}$" + (f" at {shown}." if shown and not d.arrays else ".")
        problem = self.trace.problem
        return [heading, line, sentence(problem.message) if problem is not None else "", *self.short()]

    def short(self) -> list[str]:
        """Return what the short names stand for that formulas have for long ones."""
        return [rf"${text}$ stands for {prose(name)}." for text, name in self.equations.short.items()]

    def expression(self) -> str:
        """Return the user's own expression, typeset; "" if it cannot be."""
        try:
            written = self.equations.written(parse(self.derivation.graph.source))
        except (GradcheckError, RecursionError):
            return ""
        if any(depth(stage) > DEEPEST for one in written for stage in one.stages):
            return ""
        items = [Item(one) for one in written]
        for scale, size in ((LARGE, r"\Large"), *SIZES[:3]):
            if fits(items, LINE / scale):
                return f"{{{size}\\vspace*{{-2\\baselineskip}}\n{aligned(items, LINE / scale)}\\par}}"
        return ""

    def point(self) -> list[str]:
        """Return the arrays that are given."""
        leaves = [one for one in self.derivation.leaves if one.kind != CONSTANT]
        if not any(shape_of(leaf.value) for leaf in leaves) and not self.derivation.stopped:
            return []
        given = [self.equations.given(leaf) for leaf in leaves]
        return [r"\section*{Given}", *beside([[Item(one, remark=one.note)] for one in given])] if given else []

    def forward(self) -> list[str]:
        """Return every stage as symbol = formula = numbers = value."""
        if not self.derivation.steps:
            return []
        result = [r"\section*{Forward}"]
        waiting: list[list[Item]] = []
        block = None
        for step in self.derivation.steps:
            if step.block != block:
                result += beside(waiting)
                waiting, block = [], step.block
                result.append(self.heading(step))
            waiting.append([Item(self.equations.forward(step), str(step.number), _kind(step))])
        result += beside(waiting)
        if self.derivation.hidden:
            result.append(f"{plural(self.derivation.hidden, 'stage')} not shown.")
        return result

    def heading(self, step: Step) -> str:
        """Return the line that opens a layer."""
        block = self.derivation.layer(step)
        if block is None:
            return ""
        kind = rf" {{\normalfont\small {prose(block.kind)}}}" if block.kind else ""
        return rf"\subsection*{{{prose(block.name)}{kind}}}"

    def backward(self) -> list[str]:
        """Return the gradients from the output back."""
        d = self.derivation
        steps = [step for step in reversed(d.steps) if step.flows]
        if not steps:
            return []
        seed = self.equations.gradient_name(d.output)
        result = [r"\section*{Backward}", f"From the output back, beginning with $\\displaystyle {seed} = 1$."]
        forks, block = d.forks, None
        waiting: list[list[Item]] = []
        for step in steps:
            if step.block != block:
                result += beside(waiting)
                waiting, block = [], step.block
                result.append(self.heading(step))
            waiting.append(self.step(step, forks.get(step.number, [])))
        return [*result, *beside(waiting), self.legend()]

    def step(self, step: Step, forks: Sequence[str]) -> list[Item]:
        """Return what goes back from a stage, and the sums that it completes; the first has what the gate does."""
        equations = [self.equations.back(step, flow) for flow in step.flows]
        equations += [self.equations.fork(name) for name in forks]
        first, *rest = (Item(one, remark=one.note) for one in equations)
        said = "; ".join(filter(None, (f"{_kind(step)} {step.habit}".strip(), first.remark)))
        return [first._replace(label=str(step.number), remark=said), *rest]

    def legend(self) -> str:
        """Return what colours and frames mean, and what SymPy says."""
        colours = r"\textcolor{value}{Values are green}, \textcolor{gradient}{gradients red}"
        frames = "" if self.derivation.arrays else "; gradients of the inputs are framed"
        said = "".join(f" {prose(text)}" for text in proofs(self.derivation, self.trace.digits))
        return rf"{{\small {colours}{frames}.{said}\par}}"

    def asked(self) -> list[str]:
        """Return the sum over paths and forward mode, where they were asked for."""
        trace, result = self.trace, []
        speller = Speller(trace.derivation, trace.digits, PLAIN)
        lines = [answers.paths(trace, speller, 80)] if trace.paths else []
        lines += [answers.passes(trace, speller, 80)] if trace.passes else []
        for some in lines:
            title, *rest = ["".join(text for text, _ in line) for line in some]
            shown = "\\\\\n".join(typed(line) for line in rest)
            result.append(f"\\section*{{{prose(title)}}}\n{{\\small\\raggedright\n{shown}\\par}}")
        return result

    def check(self) -> list[str]:
        """Return the comparison with the other methods, and the sentence of meaning."""
        result = []
        if self.trace.report is not None:
            table = check_table(self.trace.report)
            result = [r"\section*{Check}", tabular(table.headings, table.rows), sentence(table.summary)]
            result += [*self.forms(table.forms), *(rf"{{\small {sentence(note)}\par}}" for note in table.notes)]
        if self.trace.meaning:
            result.append(rf"\textbf{{What it means:}} {sentence(self.trace.meaning)} (tried out).")
        return result

    def forms(self, forms: Sequence[tuple[str, str]]) -> list[str]:
        """Return SymPy's closed forms, as far as they fit on the page."""
        items = []
        for name, form in forms:
            if name in self.equations.names:
                graph = parse(Source(form))
                names = {one: Piece(self.equations.name(one)) for one in graph.inputs}
                right = write(graph, LATEX, names).text
                items.append(Item(Equation(self.equations.gradient_name(name), (right,))))
        fit = [item for item in items if fits([item]) and depth(item.equation.stages[0]) <= DEEPEST]
        return [rf"SymPy's closed form\nopagebreak{aligned(fit)}"] if fit else []


def _kind(step: Step) -> str:
    return step.gate.replace("_", " ")
