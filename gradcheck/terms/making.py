"""Ops applied to terms: arithmetic by the normal form, the others by a short list of identities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

from gradcheck.graph.graph import Params
from gradcheck.ops import OPS, REDUCTIONS
from gradcheck.ops.shapes import Shape, axes, elementwise
from gradcheck.terms import matrices
from gradcheck.terms.reducing import expanded_like, reduced, summed
from gradcheck.terms.term import (  # fmt: skip
    CONSTANT,
    ONE,
    SUM,
    ZERO,
    Term,
    UnsayableError,
    add,
    addends,
    number,
    over,
    power,
    spread,
    stripped,
    times,
)

_SAYABLE = {*REDUCTIONS.values(), "getitem", "lt", "le", "gt", "ge", "eq", "ne"}
"""Ops that no text calls by their names, and that the language can say all the same."""

_COMPARE: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "lt": lambda x, y: x < y, "le": lambda x, y: x <= y, "gt": lambda x, y: x > y, "ge": lambda x, y: x >= y,
    "eq": lambda x, y: x == y, "ne": lambda x, y: x != y,
}  # fmt: skip


def apply(op: str, args: Sequence[Term], params: Params = ()) -> Term:
    """Return an op applied to terms.

    Raises:
        UnsayableError: if the language has no words for the result.
    """
    made = _MAKERS.get(op)
    if made is not None:
        return made(*args, **dict(params))
    row = OPS[op]
    if row.elementwise:
        return _by_element(op, [stripped(term) for term in args], [term.shape for term in args])
    assert row.shape is not None
    if "keepdims" in row.params:
        return reduced(op, args[0], dict(params))
    _sayable(op)
    args = [matrices.filled(stripped(term), term.shape) for term in args]
    return Term(op, args, params, row.shape(*(term.shape for term in args), **dict(params)))


def _sayable(op: str) -> None:
    if (OPS[op].internal and op not in _SAYABLE) or "#" in op:
        raise UnsayableError


def _by_element(op: str, args: Sequence[Term], shapes: Sequence[Shape]) -> Term:
    _sayable(op)
    compare = _COMPARE.get(op)
    values = [term.value for term in args]
    if compare is not None and values[0] is not None and values[1] is not None:
        found = ONE if compare(values[0], values[1]) else ZERO
    else:
        found = _identity(op, args) or Term(op, args, (), elementwise(*(term.shape for term in args)))
    return spread(found, elementwise(*shapes))


def _identity(op: str, args: Sequence[Term]) -> Term | None:
    """Return what an op of one operand is by an identity, if it is one of a few."""
    (x, *rest) = args
    if rest:
        return None
    if (op, x.op) in (("exp", "log"), ("log", "exp")):
        return x.args[0]
    if x == ZERO and op in ("exp", "cos"):
        return ONE
    if (x == ZERO and op in ("sin", "tanh")) or (x == ONE and op == "log"):
        return ZERO
    return _softmax(x) if op == "exp" else None


def _softmax(x: Term) -> Term | None:
    """Return the exponential of a term, if it is a softmax."""
    if x.op == "log_softmax":
        return Term("softmax", x.args, x.data, x.shape)
    total = [term for k, term in addends(x) if k == -1 and term.op == "logsumexp"] if x.op == SUM else []
    if len(total) != 1:
        return None
    (z,), how = total[0].args, dict(total[0].data)
    if stripped(add([(1, x), (1, total[0])])) != z or not z.shape:
        return None
    over_axes = axes(z.shape, how.get("axis"))
    if len(over_axes) != 1:
        return None
    # Negative axes count from the end; the last one is softmax's own.
    axis = over_axes[0] if over_axes[0] < len(z.shape) - 1 else -1
    return Term("softmax", (z,), (("axis", axis),), z.shape)


def _pow(x: Term, y: Term) -> Term:
    exponent = stripped(y).value
    if exponent is not None and (stripped(x).value is None or exponent.denominator == 1):
        return spread(power(x, exponent), elementwise(x.shape, y.shape))
    base = stripped(x)
    if base.op == CONSTANT and base.data == "e":
        return apply("exp", [y])
    above = stripped(y)
    found = Term("pow", (base, above), (), elementwise(base.shape, above.shape))
    return spread(found, elementwise(x.shape, y.shape))


def _where(c: Term, x: Term, y: Term) -> Term:
    shape = elementwise(c.shape, x.shape, y.shape)
    c, x, y = stripped(c), stripped(x), stripped(y)
    if x == y:
        return spread(x, shape)
    if c.value is not None:
        return spread(x if c.value else y, shape)
    return spread(Term("where", (c, x, y), (), elementwise(c.shape, x.shape, y.shape)), shape)


def _select(c: Term, g: Term) -> Term:
    inner = stripped(c)
    if inner.op == "eq" and inner.args[1] == ZERO:
        return _where(spread(inner.args[0], c.shape), ZERO, g)
    return _where(c, g, ZERO)


def _count(x: Term, axis: Any = None) -> Term:
    return number(prod(tuple(x.shape[k] for k in axes(x.shape, axis))))


def _prod_others(x: Term, axis: Any = None) -> Term:
    return over(reduced("prod", x, {"axis": axis, "keepdims": True}), x)


def _reshape_like(g: Term, x: Term) -> Term:
    if g.shape == x.shape:
        return g
    return _reshape(g, x.shape)


def _reshape(x: Term, shape: Shape) -> Term:
    inner = stripped(x)
    if not inner.shape:
        return spread(inner, OPS["reshape"].shape(x.shape, shape=shape))  # type: ignore[misc]
    if inner is not x:
        raise UnsayableError
    return Term("reshape", (x,), (("shape", shape),), OPS["reshape"].shape(x.shape, shape=shape))  # type: ignore[misc]


def _put(g: Term, x: Term, index: Any) -> Term:
    """Return what no text can say, but that a rule may pick from."""
    return Term("put", (stripped(g),), (("index", index),), x.shape)


def _getitem(x: Term, index: Any) -> Term:
    shape = OPS["getitem"].shape(x.shape, index=index)  # type: ignore[misc]
    inner = stripped(x)
    if not inner.shape:
        return spread(inner, shape)
    if inner is not x:
        raise UnsayableError
    if x.op == "put":
        asked, there = (_from_the_start(one, x.shape) for one in (index, dict(x.data)["index"]))
        if asked == there:
            return spread(x.args[0], shape)
        if all(isinstance(k, int) for k in (*asked, *there)):
            return ZERO
        raise UnsayableError
    return Term("getitem", (x,), (("index", index),), shape)


def _from_the_start(index: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """Return the numbers of an element counted from the start, any other index as it is."""
    whole = len(index) == len(shape) and all(isinstance(k, int) for k in index)
    return tuple(k % n for k, n in zip(index, shape, strict=True)) if whole else index


_MAKERS: Mapping[str, Callable[..., Term]] = {
    "add": lambda x, y: add([(1, x), (1, y)]),
    "sub": lambda x, y: add([(1, x), (-1, y)]),
    "neg": lambda x: add([(-1, x)]),
    "mul": times,
    "div": over,
    "inv": matrices.inverse,
    "square": lambda x: power(x, 2),
    "sqrt": lambda x: power(x, Fraction(1, 2)),
    "identity": lambda x: x,
    "pow": _pow,
    "where": _where,
    "select": _select,
    "count": _count,
    "sum": summed,
    "broadcast_like": expanded_like,
    "prod_others": _prod_others,
    "reshape": _reshape,
    "reshape_like": _reshape_like,
    "matmul": matrices.product,
    "outer": matrices.outer,
    "transpose": matrices.transposed,
    "mT": matrices.flipped,
    "untranspose": matrices.untransposed,
    "cofactor": matrices.cofactors,
    "solve": matrices.solved,
    "eye": matrices.unit,
    "eye_like": lambda x: matrices.unit(ONE, x.shape),
    "ones": spread,
    "zeros": spread,
    "diag": matrices.diagonal,
    "diagonal": matrices.diagonal,
    "undiag": matrices.undiagonal,
    "tril": partial(matrices.triangle, "tril"),
    "triu": partial(matrices.triangle, "triu"),
    "put": _put,
    "getitem": _getitem,
}
