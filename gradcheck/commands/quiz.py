"""`gradcheck trace … --quiz`: each gradient is asked for before it is shown."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from gradcheck.deriving.quiz import RIGHT, SO_FAR, Grade, Question, grade, questions
from gradcheck.deriving.quiz_answers import LONGEST, AnswerReader, can_be_typed
from gradcheck.deriving.records import CONSTANT, Flow, Step, shape_of
from gradcheck.errors import GradcheckError, UsageError, visible
from gradcheck.notation.board import BOARD
from gradcheck.notation.plain import PLAIN
from gradcheck.ops.shapes import show
from gradcheck.writing import screen
from gradcheck.writing.text import Line, fold, plural
from gradcheck.writing.trace.matrices import matrix
from gradcheck.writing.trace.spelling import Speller, inline, number

if TYPE_CHECKING:
    from gradcheck.deriving.trace import Trace

WIDTH = 80
INDENT = 4
LONGEST_TITLE = 200
"""Characters of an expression that is repeated."""

BYTES = 4 * LONGEST
"""Bytes of a line that are kept: enough to tell an answer that is too long."""

TRIES = 3
"""Mistakes and hints after which the answer is shown."""

ENDS = ("q", "quit", "end")
"""Words that end the quiz; one that is also the name of a quantity is an answer."""


def ask(found: Trace) -> int:
    """Ask for every gradient of a derivation; answers come from standard input.

    Args:
        found: the derivation.

    Returns:
        The exit status: 0, however many answers are right.

    Raises:
        GradcheckError: what stopped the derivation.
        UsageError: if a standard stream is closed or fails.
    """
    if found.problem is not None:
        raise found.problem
    if sys.stdin is None or sys.stdout is None:
        raise UsageError(f"standard {'input' if sys.stdin is None else 'output'} is closed")
    try:
        _Quiz(found).run()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; Python's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stdout = None
        raise UsageError(f"cannot go on with the quiz: {error.strerror}") from None
    return 0


class _Quiz:
    def __init__(self, found: Trace) -> None:
        self.derivation = d = found.derivation
        self.digits = found.digits
        self.stream = sys.stdout
        self.speller = Speller(d, found.digits, BOARD if screen.plus_minus(self.stream) == "±" else PLAIN)
        self.reader = AnswerReader(d)
        self.known = {d.output}
        self.ends = [word for word in ENDS if word not in self.reader.quantities]
        self.first = self.asked = 0

    def run(self) -> None:
        """Ask every question, until there is no answer any more; then tell the score."""
        todo = questions(self.derivation)
        self.opening(len(todo))
        for question in todo:
            if not self.question(question):
                break
            self.asked += 1
            self.known.add(question.name)
        if todo:
            left = len(todo) - self.asked
            score = f"{self.first} of {self.asked} at the first try"
            self.say([(score, "head"), (f"; {plural(left, 'gradient')} left" if left else "", "")])

    def opening(self, count: int) -> None:
        """Say what is asked and how to answer."""
        d = self.derivation
        title = visible(d.title)
        title = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
        name = f"   {visible(d.output)}" if d.blocks else ""
        self.say([(title, "head"), (f"{name} = {number(d.value, self.digits)}", "")])
        if not count:
            self.say([("there is no gradient to ask for", "")])
            return
        seed = self.speller.gradient_name(d.output)
        kinds = "a number, a list such as [1, 2] or a formula" if d.arrays else "a number or a formula"
        end = f"`{self.ends[0]}`" if self.ends else "the end of the input"
        self.say([
            (f"{plural(count, 'gradient')} to find, from the output back, where {seed} = 1. Answer with {kinds}", ""),
            (f" in names and gradients found before, such as {seed}. `?` gives a hint, which costs the first try;", ""),
            (f" an empty line gives the answer; {end} ends.", ""),
        ])  # fmt: skip
        self.say([])

    def question(self, question: Question) -> bool:
        """Ask for one gradient until it is found or shown; return whether there was an answer."""
        self.show(question)
        hints = 0
        while True:
            text = self.prompt(question)
            if text is None or text in self.ends:
                return False
            if text and text != "?":
                mark = self.graded(text, question)
                if mark is None:
                    continue
                if mark.word == RIGHT:
                    self.first += hints == 0
                    self.answer("right: ", "agree", question, brief=True)
                    return True
                self.say([("no", "disagree"), (f": {visible(mark.remark)}" if mark.remark else "", "")])
            hints = hints + 1 if text else TRIES
            if hints >= TRIES:
                self.answer("answer: ", "head", question)
                return True
            (self.rule if hints == 1 else self.formula)(question)

    def graded(self, text: str, question: Question) -> Grade | None:
        """Return the grade of an answer; None if it does not count, and then say why."""
        try:
            mark = grade(self.reader.read(text, self.known), question, self.digits)
        except GradcheckError as error:
            for line in error.render().splitlines():
                self.write([[(line, "")]])
            return None
        if mark.word == SO_FAR:
            self.say([("right so far: give more digits", "")])
            return None
        return mark

    def prompt(self, question: Question) -> str | None:
        """Ask, and return the line that is typed; None at the end of the input."""
        encoding = self.stream.encoding or "utf-8"
        text = f"{self.speller.gradient_name(question.name)} = ? "
        self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self.stream.flush()
        line = _line()
        if line is None:
            self.say([])
        elif not sys.stdin.isatty():
            self.say([(visible(line if len(line) <= LONGEST else line[:LONGEST_TITLE] + "…"), "")])
        return line

    def show(self, question: Question) -> None:
        """Show the steps that contribute, and what they know."""
        # A step that uses a quantity twice is shown once.
        for step in {step.number: step for step in question.steps}.values():
            self.step(step)
        if question.fork:
            counts = Counter(part.label for part in question.parts if part is not question.hidden)
            users = [label if n == 1 else f"{label} ({n} times)" for label, n in counts.items()]
            users += ["stages that are not shown"] if question.hidden else []
            text = f"{visible(question.name)} is a fork, used by {' and '.join(users)}: what comes back is added up"
            self.say([(text, "")])
            if question.hidden:
                self.quantity("From the stages that are not shown:", question.hidden.value, "backward", " ")

    def step(self, step: Step) -> None:
        """Show one step: its formula and value, its upstream gradient, and its operands."""
        formula = f"{visible(step.name)} = {self.speller.formula(step.formula)}"
        self.quantity(f"[{step.number}] {formula}", step.value, "forward")
        self.quantity(f"    upstream {self.speller.gradient_name(step.name)}", step.gradient, "backward")
        one = self.speller.quantities
        names = [name for name in dict.fromkeys(step.operands) if getattr(one[name], "kind", "") != CONSTANT]
        single = [name for name in names if not shape_of(one[name].value)]
        if single:
            texts = [f"{visible(name)} = {number(float(one[name].value), self.digits)}" for name in single]
            self.say([("    " + ", ".join(texts), "")])
        for name in names:
            if name not in single:
                self.quantity(f"    {visible(name)}", one[name].value, "forward")

    def quantity(self, text: str, value: object, style: str, sign: str = " = ") -> None:
        """Show a number, or an array with its shape, below what it is."""
        if not shape_of(value):
            self.say([(text + sign, ""), (inline(value, self.digits), style)])
            return
        self.say([(f"{text}   {show(shape_of(value))}", "")])
        self.body(value, style)

    def body(self, value: object, style: str) -> None:
        """Show an array."""
        for row in matrix(value, self.digits, WIDTH - 2 * INDENT):
            self.write([[(" " * 2 * INDENT, ""), (row, style)]])

    def rule(self, question: Question) -> None:
        """Give the first hint: what the gate does to gradients."""
        rules = [(step.number, self.habit(step, flow)) for step, flow in _flows(question)]
        if not question.fork:
            self.say([("hint: ", "head"), (rules[0][1], "")])
            return
        self.say([("hint: ", "head"), ("a fork adds up what comes back", "")])
        for step, rule in dict.fromkeys(rules):
            self.say([(f"    [{step}] {rule}", "")])

    def habit(self, step: Step, flow: Flow) -> str:
        """Return what a gate does to gradients, in words."""
        gate = visible(step.gate.replace("_", " "))
        if step.habit:
            return f"{gate} {visible(step.habit)}"
        name = visible(flow.operand)
        if flow.local is None:
            shape = shape_of(flow.value)
            return f"{gate}: what comes back has the shape of {name}, {show(shape)}" if shape else f"{gate} of {name}"
        formula = self.speller.formula(step.formula)
        return f"{gate}: the upstream gradient times the local derivative of {formula} with respect to {name}"

    def formula(self, question: Question) -> None:
        """Give the second hint: the rule as a formula."""
        name = self.speller.gradient_name(question.name)
        if not question.fork:
            self.say([("hint: ", "head"), (f"{name} = {self.ruled(question.flows[0])}", "")])
        else:
            self.say([("hint: ", "head"), (f"{name} is the sum of", "")])
            for step, flow in _flows(question):
                self.say([(f"    [{step.number}] {self.ruled(flow)}", "")])
        if question.hidden:
            self.say([(f"    {question.hidden.label} what comes back from the stages that are not shown", "")])
        if not all(can_be_typed(flow.rule) for flow in question.flows):
            text = "a function in it is for rules alone: answer with numbers, or with broadcasting, indices and where"
            self.say([(f"    ({text})", "dim")])

    def ruled(self, flow: Flow) -> str:
        """Return a rule as a formula, and what it leaves unsaid."""
        return self.speller.formula(flow.rule) + self.summed(flow)

    def summed(self, flow: Flow) -> str:
        """Return over which axes a contribution was added up."""
        axes = " and ".join(map(str, flow.summed))
        return f", summed over axis {axes}: {visible(flow.operand)} was broadcast" if axes else ""

    def answer(self, head: str, style: str, question: Question, brief: bool = False) -> None:
        """Show the gradient and where it comes from; `brief` leaves an array out."""
        name, value = self.speller.gradient_name(question.name), question.gradient
        flow = question.flows[0]
        texts = [self.speller.formula(flow.rule)]
        if question.fork and shape_of(value):
            texts = [" + ".join(part.label for part in question.parts)]
        elif question.fork:
            texts = [self.shares(question)]
        elif not self.derivation.arrays:
            texts = self.speller.chain(flow, float(question.steps[0].gradient))[:-1]
        end = f"   {show(shape_of(value))}" if shape_of(value) else f" = {number(float(value), self.digits)}"
        end += "" if question.fork else self.summed(flow)
        self.say([(head, style), (" = ".join([name, *texts]) + end, "")])
        if shape_of(value) and not brief:
            self.body(value, "backward")
        self.say([])

    def shares(self, question: Question) -> str:
        """Return the contributions to a fork as a sum."""
        shares: list[str] = []
        for part in question.parts:
            text = number(float(part.value), self.digits)
            shares.append(f"{part.label} {f'({text})' if shares and text.startswith('-') else text}")
        return " + ".join(shares)

    def say(self, line: Line) -> None:
        """Write one line, broken where it is too long."""
        self.write(fold(line, WIDTH, INDENT))

    def write(self, lines: list[Line]) -> None:
        """Write lines as they are."""
        screen.show(lines, self.stream)


def _flows(question: Question) -> list[tuple[Step, Flow]]:
    return list(zip(question.steps, question.flows, strict=True))


def _line() -> str | None:
    """Return the next line of standard input without blanks around it; None at its end."""
    data = sys.stdin.buffer.readline(BYTES)
    if not data:
        return None
    part = data
    while part and not part.endswith(b"\n"):
        part = sys.stdin.buffer.readline(BYTES)
    encoding = sys.stdin.encoding or "utf-8"
    return data.decode(encoding, "backslashreplace").removeprefix("\ufeff").strip()
