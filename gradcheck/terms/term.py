"""Formulas as terms: sums with numbers before their terms, products with numbers above their factors.

Terms of arrays are sums and products by element, as numpy broadcasts them. What is equal but for the order
of what is added or multiplied is one term; the order in which it is written is that of its first appearance.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from gradcheck.ops.shapes import Shape, elementwise

SUM, PRODUCT, NUMBER, NAME, CONSTANT, SPREAD = "+", "*", "number", "name", "constant", "spread"

LARGEST = 240
"""Operations and leaves of a term beyond which nobody reads it."""

MOST_DIGITS = 40
"""Digits of a number beyond which it is not carried out."""


class UnsayableError(Exception):
    """The language has no words for a term, or it takes too many of them."""


class Term:
    """A formula.

    Attributes:
        op: SUM, PRODUCT, a leaf's kind, or the op that is applied.
        args: the terms that are added, multiplied or handed to the op.
        data: of a sum the number before each term, of a product that above each factor, of a leaf its number
            or name, of an op its static parameters.
        shape: of its value.
        cost: how many operations and leaves it has.
        names: how many of its leaves are names.
    """

    __slots__ = ("_hash", "_key", "args", "cost", "data", "names", "op", "shape")

    def __init__(self, op: str, args: Sequence[Term], data: Any, shape: Shape) -> None:
        self.op, self.args, self.data, self.shape = op, tuple(args), data, shape
        unordered = op in (SUM, PRODUCT)
        self._key: Hashable = (op, frozenset(zip(args, data, strict=True)) if unordered else (self.args, repr(data)))
        self._hash = hash(self._key)
        own = sum(part not in (1, -1) for part in data) + len(self.args) - 1 if unordered else 1
        self.cost: int = own + sum(term.cost for term in self.args)
        self.names: int = (op == NAME) + sum(term.names for term in self.args)
        if self.cost > LARGEST:
            raise UnsayableError

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and self._hash == other._hash and self._key == other._key

    @property
    def value(self) -> Fraction | None:
        """The number that it is; None if it is none."""
        return self.data if self.op == NUMBER else None


def number(value: Fraction | int) -> Term:
    """Return a number as a term."""
    value = Fraction(value)
    if max(abs(value.numerator), value.denominator) >= 10**MOST_DIGITS:
        raise UnsayableError
    return Term(NUMBER, (), value, ())


ONE, ZERO = number(1), number(0)


def spread(term: Term, shape: Shape) -> Term:
    """Return a term that is broadcast to a shape by whatever it meets."""
    inner = stripped(term)
    return inner if inner.shape == shape else Term(SPREAD, (inner,), (), shape)


def stripped(term: Term) -> Term:
    """Return a term without what broadcasts it."""
    return term.args[0] if term.op == SPREAD else term


def scaled(term: Term) -> tuple[Fraction, Term]:
    """Return the number before a term, and the term."""
    if term.op == NUMBER:
        return term.data, ONE
    if term.op == SUM and len(term.args) == 1:
        return term.data[0], term.args[0]
    return Fraction(1), term


def factors(term: Term) -> list[tuple[Term, Fraction]]:
    """Return the factors of a term that has no number before it, with their exponents."""
    if term == ONE:
        return []
    return list(zip(term.args, term.data, strict=True)) if term.op == PRODUCT else [(term, Fraction(1))]


def addends(term: Term) -> list[tuple[Fraction, Term]]:
    """Return what a term adds up, with the numbers before it."""
    return list(zip(term.data, term.args, strict=True)) if term.op == SUM else [scaled(term)]


def add(parts: Iterable[tuple[Fraction | int, Term]]) -> Term:
    """Return a sum, with equal terms added up."""
    found: dict[Term, Fraction] = {}
    parts = list(parts)
    for before, term in parts:
        inner, inside = scaled(stripped(term))
        whole = before * inner
        if inside.op == SUM and abs(whole) == 1:
            pieces = [(whole * k, one) for k, one in addends(inside)]
        else:
            pieces = [(whole, inside)]
        for k, one in pieces:
            found[one] = found.get(one, Fraction(0)) + k
    kept = {one: k for one, k in found.items() if k}
    return spread(_sum(kept), elementwise(*(term.shape for _, term in parts)))


def _sum(kept: dict[Term, Fraction]) -> Term:
    if not kept:
        return ZERO
    if len(kept) == 1:
        ((one, k),) = kept.items()
        if one == ONE:
            return number(k)
        if k == 1:
            return one
    for k in kept.values():
        number(k)
    return Term(SUM, list(kept), tuple(kept.values()), elementwise(*(one.shape for one in kept)))


def multiply(parts: Iterable[tuple[Term, Fraction | int]]) -> Term:
    """Return a product of powers, with equal factors gathered."""
    parts = list(parts)
    found: dict[Term, Fraction] = {}
    before = Fraction(1)
    for term, exponent in parts:
        before *= _gather(found, stripped(term), Fraction(exponent))
    kept = {base: e for base, e in found.items() if e}
    if any(base.op == "sign" for base in kept):
        kept = _without_signs(kept)
    shape = elementwise(*(term.shape for term, _ in parts))
    return spread(add([(before, _product(kept))]), shape)


def _without_signs(kept: Mapping[Term, Fraction]) -> dict[Term, Fraction]:
    """Return factors with x*sign(x) as abs(x)."""
    found = dict(kept)
    for base in kept:
        if base.op == "sign" and found[base] == 1 and found.get(base.args[0], 0) == 1:
            del found[base], found[base.args[0]]
            _put(found, Term("abs", base.args, (), base.shape), Fraction(1))
    return {base: e for base, e in found.items() if e}


def _product(kept: Mapping[Term, Fraction]) -> Term:
    if not kept:
        return ONE
    if len(kept) == 1 and list(kept.values()) == [1]:
        return next(iter(kept))
    return Term(PRODUCT, list(kept), tuple(kept.values()), elementwise(*(base.shape for base in kept)))


def _gather(found: dict[Term, Fraction], term: Term, exponent: Fraction) -> Fraction:
    """Put the factors of a power where its product's are, and return the number that remains."""
    k, inside = scaled(term)
    if exponent.denominator != 1:
        if inside.op == PRODUCT or k != 1:
            inside = term
        _put(found, inside, exponent)
        return Fraction(1)
    before = _raised(k, exponent.numerator)
    for base, inner in factors(inside):
        whole = exponent * inner
        turned = _turned(found, base) if whole.denominator == 1 else None
        if turned is not None:
            before *= (-1) ** abs(whole.numerator)
        _put(found, turned or base, whole)
    return before


def _turned(found: Mapping[Term, Fraction], base: Term) -> Term | None:
    """Return a sum with its signs turned, if that is a factor already or has no signs then."""
    if base.op != SUM:
        return None
    turned = _sum({one: -c for c, one in addends(base)})
    return turned if turned in found or all(c < 0 for c in base.data) else None


def _put(found: dict[Term, Fraction], base: Term, exponent: Fraction) -> None:
    found[base] = found.get(base, Fraction(0)) + exponent


def _raised(k: Fraction, exponent: int) -> Fraction:
    size = len(str(k)) * abs(exponent)
    if (k == 0 and exponent < 0) or (abs(k) != 1 and size > 4 * MOST_DIGITS):
        raise UnsayableError
    return k**exponent


def power(term: Term, exponent: Fraction | int) -> Term:
    """Return a power."""
    return multiply([(term, exponent)])


def times(*terms: Term) -> Term:
    """Return a product."""
    return multiply([(term, 1) for term in terms])


def over(term: Term, by: Term) -> Term:
    """Return a quotient."""
    return multiply([(term, 1), (by, -1)])


def single_factors(term: Term) -> tuple[Term, Term]:
    """Return what in a product of arrays is a single number, and the rest."""
    k, inside = scaled(term)
    if inside.op != PRODUCT:
        return number(k), inside
    alone = [(b, e) for b, e in factors(inside) if not b.shape]
    rest = [(b, e) for b, e in factors(inside) if b.shape]
    return multiply([(number(k), 1), *alone]), multiply(rest)
