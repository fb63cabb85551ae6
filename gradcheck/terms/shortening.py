"""Shorter forms of a term: common factors before a sum, products multiplied out where terms then cancel.

Each rewrite is kept only where it saves operations, and there are so many rounds and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import gcd, lcm

from gradcheck.terms.making import apply
from gradcheck.terms.matrices import is_transpose, transposed
from gradcheck.terms.term import (  # fmt: skip
    PRODUCT,
    SPREAD,
    SUM,
    Term,
    UnsayableError,
    add,
    addends,
    factors,
    multiply,
    number,
    spread,
)

ROUNDS = 4


def shortened(term: Term) -> Term:
    """Return a form with as few operations as the rewrites find."""
    for _ in range(ROUNDS):
        found = _within(term)
        if found == term:
            break
        term = found
    return term


def _within(term: Term) -> Term:
    """Return a term with each part of it rewritten once, the innermost first."""
    if not term.args:
        return term
    args = [_within(one) for one in term.args]
    if term.op == SPREAD:
        return spread(args[0], term.shape)
    if term.op == SUM:
        return _fewest_names(_cheapest(add(zip(term.data, args, strict=True))))
    if term.op == PRODUCT:
        return _fewest_names(multiply(zip(args, term.data, strict=True)))
    return apply(term.op, args, term.data)


def _cheapest(term: Term) -> Term:
    found = [_factored, _one_choice, _one_transpose]
    return min([term, *(one for rewrite in found for one in _tried(rewrite, term))], key=lambda one: one.cost)


def _fewest_names(term: Term) -> Term:
    """Return a term multiplied out, if something then cancels: else a product says more than its sum."""
    return min([term, *_tried(_multiplied_out, term)], key=lambda one: one.names)


def _tried(rewrite: Callable[[Term], list[Term]], term: Term) -> list[Term]:
    try:
        return [one for one in rewrite(term) if one.shape == term.shape]
    except UnsayableError:
        return []


def _factored(term: Term) -> list[Term]:
    """Return a sum with its common factors before it: those that all have, and those below some."""
    if term.op != SUM or len(term.args) < 2:
        return []
    parts = [dict(factors(one)) for one in term.args]
    shared = {base: min(p.get(base, Fraction(0)) for p in parts) for part in parts for base in part}
    common = {base: e for base, e in shared.items() if e > 0 or all(p.get(base, 0) < 0 for p in parts)}
    content = _content(term.data)
    return [_taken_out(term, before, content) for before in (common, {b: e for b, e in shared.items() if e})]


def _taken_out(term: Term, before: dict[Term, Fraction], content: Fraction) -> Term:
    down = [(base, -e) for base, e in before.items()]
    rest = add((k / content, multiply([(one, 1), *down])) for k, one in addends(term))
    return multiply([(number(content), 1), *before.items(), (rest, 1)])


def _content(numbers: tuple[Fraction, ...]) -> Fraction:
    """Return the largest number that all are whole multiples of."""
    below = lcm(*(k.denominator for k in numbers))
    above = gcd(*(int(k * below) for k in numbers))
    return Fraction(above, below)


def _one_choice(term: Term) -> list[Term]:
    """Return a sum of choices that all ask the same as one choice between two sums."""
    if term.op != SUM:
        return []
    chosen: list[tuple[Term, Term]] = []
    for k, one in addends(term):
        parts = dict(factors(one))
        choices = [base for base, e in parts.items() if base.op == "where" and e == 1]
        if not choices:
            return []
        rest = [(number(k), Fraction(1)), *((base, e) for base, e in parts.items() if base is not choices[0])]
        chosen.append((choices[0], multiply(rest)))
    asked = chosen[0][0].args[0]
    if any(choice.args[0] != asked for choice, _ in chosen):
        return []
    sides = [add((1, multiply([(rest, 1), (choice.args[k], 1)])) for choice, rest in chosen) for k in (1, 2)]
    return [apply("where", [asked, *sides])]


def _one_transpose(term: Term) -> list[Term]:
    """Return a sum of transposes as the transpose of a sum."""
    if term.op != SUM or len(term.args) < 2 or len(term.shape) != 2 or not all(map(is_transpose, term.args)):
        return []
    return [transposed(add((k, one.args[0]) for k, one in addends(term)))]


def _multiplied_out(term: Term) -> list[Term]:
    """Return a term with the sums in its products multiplied out: all of them, or each by itself."""
    parts = addends(term)
    opened = [_opened(k, one) for k, one in parts]
    if len(parts) == 1:
        return opened[0]
    if not any(opened):
        return []
    return [add((1, found[0] if found else multiply([(number(k), 1), (one, 1)]))
                for found, (k, one) in zip(opened, parts, strict=True))]  # fmt: skip


def _opened(before: Fraction, term: Term) -> list[Term]:
    """Return a product with one of its sums multiplied out, for each sum that it has."""
    found = []
    for base, e in factors(term):
        if base.op == SUM and len(base.args) > 1 and e == 1:
            rest = [(other, n) for other, n in factors(term) if other != base]
            found.append(add((before * k, multiply([(one, 1), *rest])) for k, one in addends(base)))
    return found
