"""The backward pass as questions: which gradients are asked for, and whether an answer is right.

What is graded is the value of an answer at this point, so a formula is as good as the number that it
comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gradcheck.checking.judge import answered
from gradcheck.deriving.quiz_answers import TypedAnswer, numbers
from gradcheck.deriving.records import HIDDEN, Derivation, Flow, Part, Step, shape_of
from gradcheck.ops.shapes import Shape, show

RIGHT, SO_FAR, WRONG = "right", "so far", "wrong"
"""Grades. SO_FAR: right to the digits written, which are too few."""


class Question(NamedTuple):
    """One gradient that is asked for.

    Attributes:
        name: the quantity.
        gradient: the right answer.
        steps: the steps that contribute, in the order of the backward pass.
        flows: what goes back to the quantity from each of `steps`.
        hidden: what comes back from steps that a selection left out; None if there is nothing.
    """

    name: str
    gradient: Any
    steps: tuple[Step, ...]
    flows: tuple[Flow, ...]
    hidden: Part | None

    @property
    def fork(self) -> bool:
        """Whether the gradient is a sum of several contributions."""
        return len(self.flows) > 1 or self.hidden is not None

    @property
    def parts(self) -> list[Part]:
        """The contributions, those that are not shown together as the last."""
        shown = [Part(step.number, flow.slot, flow.value) for step, flow in zip(self.steps, self.flows, strict=True)]
        return shown if self.hidden is None else [*shown, self.hidden]


def questions(derivation: Derivation) -> list[Question]:
    """Return the gradients to ask for, from the output back; a fork's once its last contribution is known."""
    quantities = derivation.quantities
    steps = {step.number: step for step in derivation.steps}
    flows = {(step.number, flow.slot): flow for step in derivation.steps for flow in step.flows}
    found = []
    for step in reversed(derivation.steps):
        for flow in step.flows:
            one = quantities[flow.operand]
            shown = [part for part in one.parts if (part.step, part.slot) in flows]
            if one.gradient is None or not shown or (shown[-1].step, shown[-1].slot) != (step.number, flow.slot):
                continue
            hidden = next((part for part in one.parts if part.step == HIDDEN), None)
            found.append(
                Question(
                    one.name,
                    one.gradient,
                    tuple(steps[part.step] for part in shown),
                    tuple(flows[part.step, part.slot] for part in shown),
                    hidden,
                )
            )
    return found


class Grade(NamedTuple):
    """The grade of an answer.

    Attributes:
        word: RIGHT, SO_FAR or WRONG.
        remark: what is wrong with it, if that can be seen; else "".
    """

    word: str
    remark: str = ""


def grade(answer: TypedAnswer, question: Question, digits: int) -> Grade:
    """Grade an answer.

    Args:
        answer: the answer.
        question: what was asked.
        digits: significant digits of the numbers that the reader sees.
    """
    shape = shape_of(question.gradient)
    if not _fits(shape_of(answer.value), shape):
        return Grade(WRONG, _of_shape(shape_of(answer.value), shape, question))
    marks = list(_marks(answer, question.gradient, question, digits))
    if all(marks):
        return Grade(RIGHT)
    if False not in marks:
        return Grade(SO_FAR)
    for target, remark in _mistakes(question):
        if shape_of(target) == shape and all(_marks(answer, target, question, digits)):
            return Grade(WRONG, remark)
    good = marks.count(True)
    return Grade(WRONG, f"{good} of {len(marks)} numbers are right" if good else "")


def _marks(answer: TypedAnswer, target: Any, question: Question, digits: int) -> Iterator[bool | None]:
    """Yield for each number of an answer whether it is that of `target`."""
    scale = max(map(_largest, [target, *(part.value for part in question.parts)]))
    sums = [
        step.gradient
        for step, flow in zip(question.steps, question.flows, strict=True)
        if flow.partial is None or flow.summed
    ]
    noise = max(map(_largest, sums), default=0.0)
    wanted = numbers(target)
    given = numbers(answer.value)
    texts: tuple[str | None, ...] = answer.texts
    if answer.rounded and not texts:
        texts = tuple(f"{number:.17e}" for number in given)
    texts = texts or (None,) * len(given)
    if shape_of(answer.value) != shape_of(target):
        import numpy as np

        places = np.arange(len(given)).reshape(shape_of(answer.value))
        order = np.broadcast_to(places, shape_of(target)).ravel().tolist()
        given, texts = [given[k] for k in order], tuple(texts[k] for k in order)
    for value, number, text in zip(given, wanted, texts, strict=True):
        yield answered(value, number, text, digits, scale, noise)


def _mistakes(question: Question) -> Iterator[tuple[Any, str]]:
    """Yield what people answer by mistake, and what is to be said of it."""
    total, parts = question.gradient, question.parts
    if question.fork:
        labels = [part.label for part in parts]
        for part in parts:
            once = "one of the contributions of" if labels.count(part.label) > 1 else "what comes back from"
            yield part.value, f"that is only {once} {part.label}: add up all of them"
    elif question.flows[0].partial is not None:
        yield question.flows[0].partial, "that is the local derivative: multiply by the upstream gradient"
    yield -total, "the sign is wrong"
    if len(parts) > 2:
        for part in parts:
            yield total - part.value, f"what comes back from {part.label} is missing"
    if not question.fork:
        yield question.steps[0].gradient, "that is the upstream gradient alone"
    yield 2 * total, "that is twice the right value"
    yield total / 2, "that is half the right value"


def _fits(shape: Shape, whole: Shape) -> bool:
    """Whether an array of `shape` is broadcast to `whole`."""
    padded = (1,) * (len(whole) - len(shape)) + shape
    return len(padded) == len(whole) and all(n in (1, m) for n, m in zip(padded, whole, strict=True))


def _of_shape(shape: Shape, whole: Shape, question: Question) -> str:
    found = f"this is {show(shape)} in shape" if shape else "this is one number"
    wanted = f"has the shape of {question.name}, {show(whole)}" if whole else f"is one number, as {question.name} is"
    axes: dict[int, None] = {}
    for step, flow in zip(question.steps, question.flows, strict=True):
        if shape_of(step.gradient) == shape:
            axes |= dict.fromkeys(flow.summed)
    summed = f": add up over axis {' and '.join(map(str, axes))}, along which it was broadcast" if axes else ""
    return f"{found}, and the gradient {wanted}{summed}"


def _largest(value: Any) -> float:
    return max((abs(number) for number in numbers(value)), default=0.0)
