"""Einstein's summation, written out as transposes, new axes, a product and a sum: ops that have rules already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradcheck.graph.graph import Graph

Span = tuple[int, int, int]
Refuse = Callable[[str], None]
"""(message) → raises the error, which knows the place in the user's text."""


def einsum(graph: Graph, subscripts: object, operands: Sequence[int], span: Span, refuse: Refuse) -> int:
    """Add the gates of an einsum and return the node of its result.

    Args:
        graph: the graph to add to.
        subscripts: as numpy has them: "ki,kj->ij"; without an arrow the letters that stand once, in order.
        operands: the nodes of its operands.
        span: the extent of the call and the place of its name.
        refuse: raises the errors.
    """
    inputs, result = _read(subscripts, len(operands), refuse)
    summed = [letter for letter in dict.fromkeys("".join(inputs)) if letter not in result]
    order = [*result, *summed]
    product = None
    for letters, operand in zip(inputs, operands, strict=True):
        factor = _aligned(graph, letters, operand, order, span)
        product = factor if product is None else graph.gate("mul", [product, factor], (), span)
    assert product is not None
    if not summed:
        return graph.gate("identity", [product], (), span)
    axes = tuple(range(len(result), len(order)))
    return graph.gate("sum", [product], (("axis", axes), ("keepdims", False)), span)


def _read(subscripts: object, count: int, refuse: Refuse) -> tuple[list[str], str]:
    if not isinstance(subscripts, str):
        refuse('einsum begins with its subscripts, as in einsum("ij,jk->ik", A, B)')
    text = "".join(str(subscripts).split())
    left, arrow, right = text.partition("->")
    inputs = left.split(",")
    if not all(letter.isalpha() and letter.isascii() for letter in left.replace(",", "") + right):
        refuse(f"`{text}` holds more than letters, commas and one ->" + "; `...` is not read here" * ("." in text))
    if len(inputs) != count:
        refuse(f"`{text}` speaks of {len(inputs)} operand{'s' * (len(inputs) != 1)}, but there are {count}")
    once = [letter for letter in sorted(set(left) - {","}) if left.count(letter) == 1]
    result = right if arrow else "".join(once)
    if len(set(result)) < len(result) or not set(result) <= set(left):
        refuse(f"the result `{result}` names a letter twice, or one that no operand has")
    if any(len(set(one)) < len(one) and (len(one), len(set(one))) != (2, 1) for one in inputs):
        refuse('a letter that stands twice in one operand is read in matrices only, as in einsum("ii->i", A)')
    return inputs, result


def _aligned(graph: Graph, letters: str, operand: int, order: Sequence[str], span: Span) -> int:
    """Return an operand with its axes in order, and one of length 1 for each letter that it lacks."""
    if len(set(letters)) < len(letters):
        operand, letters = graph.gate("diagonal", [operand], (), span), letters[0]
    places = sorted(range(len(letters)), key=lambda k: order.index(letters[k]))
    # Also where nothing is moved: it says how many axes there must be.
    operand = graph.gate("transpose", [operand], (("axes", tuple(places)),), span)
    index = tuple(slice(None) if letter in letters else None for letter in order)
    return operand if None not in index else graph.gate("getitem", [operand], (("index", index),), span)
