"""Sums and other reductions of terms, and what spreads their gradients out again."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from gradcheck.ops import OPS
from gradcheck.ops.shapes import Shape, axes, reduction
from gradcheck.terms.term import (  # fmt: skip
    NAME,
    NUMBER,
    ONE,
    PRODUCT,
    SUM,
    Term,
    UnsayableError,
    add,
    addends,
    factors,
    multiply,
    number,
    single_factors,
    spread,
    stripped,
    times,
)


def reduced(op: str, x: Term, params: Mapping[str, Any]) -> Term:
    """Return a reduction; along all axes it is one number, whatever it keeps."""
    how = {**OPS[op].params, **params}
    over = axes(x.shape, how["axis"])
    if x is not stripped(x):
        raise UnsayableError
    shape = reduction(x.shape, axis=over, keepdims=how["keepdims"])
    if len(over) == len(x.shape):
        how.update(axis=None, keepdims=False)
        return spread(Term(op, (x,), tuple(sorted(how.items())), ()), shape)
    how["axis"] = over[0] if len(over) == 1 else over
    return Term(op, (x,), tuple(sorted(how.items(), key=lambda item: item[0])), shape)


def summed(x: Term, axis: Any = None, keepdims: bool = False) -> Term:
    """Return a sum over axes, with what is the same for all that is added before it."""
    over = axes(x.shape, axis)
    shape = reduction(x.shape, axis=over, keepdims=keepdims)
    inner = stripped(x)
    if not over:
        return x
    if inner is not x:
        return spread(_sum_of_spread(inner, x.shape, over), shape)
    if x.op == "softmax" and axes(x.shape, dict(x.data)["axis"]) == over:
        return spread(ONE, shape)
    if x.op == "eye" and (len(over) == 2 or x.shape[0] == x.shape[1]):
        return spread(number(min(x.shape)) if len(over) == 2 else ONE, shape)
    if x.op == "diag" and len(x.shape) == 2 and not keepdims:
        return summed(x.args[0]) if len(over) == 2 else x.args[0]
    if x.op == "transpose" and len(x.shape) == 2 and len(over) == 1:
        total = summed(x.args[0], 1 - over[0])
        return kept(total, over) if keepdims else total
    before, rest = single_factors(x)
    if before != ONE:
        return times(before, summed(rest, axis, keepdims) if rest.shape else _many(rest, x.shape, over))
    return reduced("sum", x, {"axis": axis, "keepdims": keepdims})


def _sum_of_spread(inner: Term, whole: Shape, over: tuple[int, ...]) -> Term:
    """Return the sum of a term that is broadcast, over all axes or over such that only broadcasting made."""
    if len(over) == len(whole):
        return times(number(prod(whole) // max(prod(inner.shape), 1)), summed(inner))
    if inner.shape and max(over) >= len(whole) - len(inner.shape):
        raise UnsayableError
    return _many(inner, whole, over)


def _many(inner: Term, whole: Shape, over: tuple[int, ...]) -> Term:
    return times(number(prod(tuple(whole[k] for k in over))), inner)


def fitted(x: Term, shape: Shape) -> Term:
    """Return a gradient summed over the axes along which its operand was broadcast."""
    if x.shape == shape:
        return x
    if not shape:
        return summed(x)
    lead = len(x.shape) - len(shape)
    if lead:
        x = summed(x, tuple(range(lead)))
    stretched = tuple(k for k, n in enumerate(shape) if n == 1 and x.shape[k] != 1)
    return summed(x, stretched, keepdims=True) if stretched else x


def expanded_like(g: Term, x: Term, axis: Any = None, keepdims: bool = False) -> Term:
    """Return what arrives at a reduction, spread over the elements that it reduced."""
    over = axes(x.shape, axis)
    inner = stripped(g)
    if keepdims or not inner.shape or over == tuple(range(len(over))):
        return spread(inner, x.shape)
    if inner is not g:
        raise UnsayableError
    return spread(kept(g, over), x.shape)


def kept(term: Term, over: tuple[int, ...]) -> Term:
    """Return a term with axes of length one where some were reduced."""
    if not stripped(term).shape:
        return stripped(term)
    if term is not stripped(term):
        raise UnsayableError
    alike = all(len(one.shape) in (0, len(term.shape)) for one in term.args)
    if term.op == SUM and alike:
        return add((k, kept(one, over)) for k, one in addends(term))
    if term.op == PRODUCT and alike:
        return multiply((kept(base, over), e) for base, e in factors(term))
    row = OPS.get(term.op) if term.op not in (NAME, NUMBER) else None
    how = dict(term.data) if row is not None and "keepdims" in row.params else {}
    if row is not None and how and not how["keepdims"] and axes(term.args[0].shape, how["axis"]) == over:
        return reduced(term.op, term.args[0], {**how, "keepdims": True})
    if row is not None and row.elementwise and all(one.shape in ((), term.shape) for one in term.args):
        inside = [kept(one, over) for one in term.args]
        return Term(term.op, inside, term.data, max((one.shape for one in inside), key=len))
    length = len(term.shape) + len(over)
    index = tuple(None if k in over else slice(None) for k in range(length))
    while index and index[-1] == slice(None):
        index = index[:-1]
    shape = OPS["getitem"].shape
    assert shape is not None
    return Term("getitem", (term,), (("index", index),), shape(term.shape, index=index))
