"""Whether SymPy sees at once that two formulas are one function.

It is asked only for small formulas without pieces, and only to carry out a short list of rewrites: simplifying
without a bound may not come back. A "no" means nothing.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

from gradcheck.arithmetic.symbols import SYMBOLS
from gradcheck.checking.gap import Graded
from gradcheck.engines.symbolic import adjoints
from gradcheck.graph.evaluation import evaluate
from gradcheck.graph.graph import CONSTANT, INPUT, Graph
from gradcheck.ops import OPS

MOST = 40
"""Gates of a formula, shared parts written out, up to which SymPy is asked."""

MOST_OPERATIONS = 150
"""Operations of a difference up to which it is rewritten."""

HIGHEST = 6
"""Powers up to which sums are multiplied out."""


def identical(graph: Graph, wrt: str, graded: Graded, *formulas: Graph) -> bool:
    """Return whether SymPy finds the graded gradient and its own derivative to be the same.

    Args:
        graph: the function.
        wrt: the input.
        graded: gives the graded gradient, in any number system.
        formulas: what the user wrote for it.
    """
    if not all(_small(one) for one in (graph, *formulas)):
        return False
    symbols = {name: sympy.Symbol(name, real=True) for name in graph.inputs}
    zero = sympy.S.Zero
    try:
        values, failures = evaluate(graph, SYMBOLS, symbols)
        if failures:
            return False
        ours = graded(graph, SYMBOLS, values)
        derivative = adjoints(graph, SYMBOLS, values, sympy.S.One)[graph.inputs[wrt]]
        return _vanishes((zero if ours is None else ours) - (zero if derivative is None else derivative))
    except (ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError):
        return False


def _small(graph: Graph) -> bool:
    """Whether a formula is short, of one piece, and of numbers that are the same in float64."""
    size = [1] * len(graph)
    for node in graph.gates:
        size[node] = 1 + sum(size[k] for k in graph.operands(node))
    exact = all(text in ("pi", "e") or Fraction(text) == float(text) for text in graph.constants.values())
    pieces = any(OPS[op].piecewise for op in set(graph.ops) - {INPUT, CONSTANT})
    return exact and not pieces and max(size) <= MOST


def _vanishes(difference: Any) -> bool:
    if difference == 0:
        return True
    powers = difference.atoms(sympy.Pow)
    if difference.count_ops() > MOST_OPERATIONS or any(p.exp.is_Integer and abs(p.exp) > HIGHEST for p in powers):
        return False
    for form in (difference, difference.rewrite(sympy.exp)):
        if form.expand() == 0 or sympy.fraction(sympy.together(form))[0].expand() == 0:
            return True
    return False
