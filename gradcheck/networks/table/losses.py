"""Losses under torch's class names, with `reduction` as torch has it."""

from __future__ import annotations

import math
from typing import Any

from gradcheck.networks.arguments import boolean, integer, legacy, number, reduction, tensor
from gradcheck.networks.layer import Argument, Arguments, Constant, Layer, Misfit, Operand, Plan
from gradcheck.ops.shapes import elementwise, show

OLD = (legacy("size_average"), legacy("reduce"))
"""Arguments that torch deprecated."""


def reduced(a: Arguments, each: str, count: Any = None) -> str:
    """Return the text of a loss that adds up what `each` element contributes."""
    if a.reduction == "none":
        return each
    if a.reduction == "mean":
        return f"mean({each})" if count is None else f"sum({each})/count"
    return f"sum({each})"


def same_shape(x: Operand, y: Operand, what: str = "the target") -> None:
    """Refuse shapes that torch would broadcast: N×1 against N is a sum over N² pairs.

    Raises:
        Misfit: showing both shapes.
    """
    if y.shape not in (x.shape, ()):
        raise Misfit(f"the input is {show(x.shape)}, but {what} is {show(y.shape)}; give both one shape")


def _elementwise(name: str, text: str, *arguments: Argument, default: str = "mean", note: str = "") -> Layer:
    names = tuple(a.name for a in arguments)

    def plan(a: Arguments, x: Operand, y: Operand) -> Plan:
        same_shape(x, y)
        return Plan(reduced(a, text), {n: getattr(a, n) for n in names})

    return Layer(
        name, ("x", "y"), (*arguments, reduction(default=default), *OLD), plan, ({}, [(2, 3), (2, 3)]), family="loss",
        note=note,
    )  # fmt: skip


def _smooth_l1(a: Arguments, x: Operand, y: Operand) -> Plan:
    same_shape(x, y)
    if a.beta == 0:
        return Plan(reduced(a, "abs(x - y)"))
    bend = "where(abs(x - y) < beta, (x - y)^2/(2*beta), abs(x - y) - beta/2)"
    return Plan(reduced(a, bend), {"beta": a.beta})


def class_axis(x: Operand) -> int:
    """Return the axis of the classes: 1, or 0 for a single example."""
    if not x.shape:
        raise Misfit("the input is a scalar; it needs an axis of classes")
    return 1 if len(x.shape) > 1 else 0


def _classes(x: Operand, y: Operand, ignored: int, count: int) -> None:
    """Check class indices: known, whole, in range.

    Raises:
        Misfit: naming the first that is out of range.
    """
    k = class_axis(x)
    wanted = (*x.shape[:k], *x.shape[k + 1 :])
    if y.shape != wanted:
        raise Misfit(f"the input is {show(x.shape)}, so class indices must be {show(wanted)}, not {show(y.shape)}")
    if y.numbers is None or not y.whole:
        raise Misfit("class indices must be an input of whole numbers (dtype: int64)")
    outside = next((n for n in y.numbers if not 0 <= n < count and n != ignored), None)
    if outside is not None:
        raise Misfit(f"target {outside:g} is out of range: there are {count} classes, 0 to {count - 1}")


def _weights(a: Arguments, count: int) -> None:
    if a.weight is not None and (a.weight.shape != (count,) or a.weight.numbers is None):
        raise Misfit(
            f"weight is {show(a.weight.shape)}; it needs one known number for each of {count} classes", "weight"
        )


def _chosen(a: Arguments, x: Operand, y: Operand, smoothing: float) -> Plan:
    """Return the plan of minus the chosen log-probabilities, which are called `logs`.

    The classes are written as a matrix of weights (one-hot, smoothed, weighted, ignored ones zero).
    """
    k, rank = class_axis(x), len(x.shape)
    count = x.shape[k]
    _classes(x, y, a.ignore_index, count)
    _weights(a, count)
    assert y.numbers is not None
    per_class = list(a.weight.numbers) if a.weight is not None else [1.0] * count
    total = sum(per_class[int(n)] for n in y.numbers if n != a.ignore_index)
    if a.reduction == "mean" and total == 0:
        raise Misfit("every target is ignored or has weight 0, so their mean is 0/0")

    def chosen(known: Any) -> Any:
        import numpy as np

        index = np.asarray(known["y"]).astype(int)
        weights = np.array(per_class)
        kept = index != a.ignore_index
        hot = np.moveaxis(np.eye(count)[np.where(kept, index, 0)], -1, k) * np.expand_dims(kept, k)
        column = weights.reshape([count if axis == k else 1 for axis in range(rank)])
        own = weights[np.where(kept, index, 0)]
        spread = np.expand_dims(kept, k) * column * smoothing / count
        return hot * np.expand_dims(own, k) * (1 - smoothing) + spread

    each = "-sum(chosen*logs, axis=axis)"
    names = {"axis": k, "count": total}
    return Plan(reduced(a, each, total), names, data={"chosen": Constant(x.shape, chosen)})


def _cross_entropy(a: Arguments, x: Operand, y: Operand) -> Plan:
    k = class_axis(x)
    if a.label_smoothing > 1:
        raise Misfit("label_smoothing lies between 0 and 1", "label_smoothing")
    if y.shape != x.shape or (y.whole and len(y.shape) == 0):
        plan = _chosen(a, x, y, a.label_smoothing)
        return plan._replace(program=f"logs = log_softmax(x, axis=axis)\n{plan.program}")
    _weights(a, x.shape[k])
    names: dict[str, Any] = {
        "axis": k, "keep": 1 - a.label_smoothing, "share": a.label_smoothing / x.shape[k],
        "column": (-1, *[1] * (len(x.shape) - 1 - k)), "count": math.prod(x.shape) // max(x.shape[k], 1),
    }  # fmt: skip
    logs = "log_softmax(x, axis=axis)" + ("*reshape(weight, shape=column)" if a.weight is not None else "")
    target = "(y*keep + share)" if a.label_smoothing else "y"
    return Plan(reduced(a, f"-sum({target}*{logs}, axis=axis)", names["count"]), names)


def _nll(a: Arguments, x: Operand, y: Operand) -> Plan:
    plan = _chosen(a, x, y, 0.0)
    return plan._replace(program=plan.program.replace("logs", "x"))


def _fits(a: Arguments, x: Operand, name: str) -> str:
    weight: Operand | None = getattr(a, name)
    if weight is None:
        return ""
    try:
        fits = elementwise(weight.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise Misfit(f"{name} is {show(weight.shape)}, the input {show(x.shape)}", name)
    return f"{name}*"


def _bce(a: Arguments, x: Operand, y: Operand) -> Plan:
    same_shape(x, y)
    return Plan(reduced(a, f"-{_fits(a, x, 'weight')}(y*log(x) + (1 - y)*log1p(-x))"))


def _bce_with_logits(a: Arguments, x: Operand, y: Operand) -> Plan:
    same_shape(x, y)
    factor = "(1 + (pos_weight - 1)*y)*" if _fits(a, x, "pos_weight") else ""
    return Plan(reduced(a, f"{_fits(a, x, 'weight')}((1 - y)*x + {factor}softplus(-x))"))


def _kl(a: Arguments, x: Operand, y: Operand) -> Plan:
    same_shape(x, y)
    each = "y*(log(y) - x)"
    if a.log_target:
        each = "exp(y)*(y - x)"
    elif y.numbers is not None and any(n == 0 for n in y.numbers):
        # 0*log(0) counts as 0 here.
        each = "where(y > 0, y*(log(y) - x), 0)"
    if a.reduction == "batchmean":
        return Plan(f"sum({each})/count", {"count": x.shape[0] if x.shape else 1})
    return Plan(reduced(a, each))


def _signs(y: Operand, shape: Any) -> dict[str, Constant]:
    """Return the masks of the targets 1 and -1: the definition chooses by them, it has no slope in them."""
    if y.numbers is None or any(n not in (1, -1) for n in y.numbers):
        raise Misfit("the targets must be known and each 1 or -1")
    return {
        "same": Constant(shape, lambda known: (known["y"] == 1).astype(float)),
        "other": Constant(shape, lambda known: (known["y"] == -1).astype(float)),
    }


def _hinge_embedding(a: Arguments, x: Operand, y: Operand) -> Plan:
    same_shape(x, y)
    return Plan(reduced(a, "same*x + other*max(margin - x, 0)"), {"margin": a.margin}, data=_signs(y, y.shape))


def _ranking(a: Arguments, x1: Operand, x2: Operand, y: Operand) -> Plan:
    same_shape(x1, x2, "the second input")
    same_shape(x1, y)
    return Plan(reduced(a, "max(margin - y*(x1 - x2), 0)"), {"margin": a.margin})


COSINE = "sum(x1*x2, axis=-1)/sqrt((sum(x1^2, axis=-1) + 1e-12)*(sum(x2^2, axis=-1) + 1e-12))"


def _cosine(a: Arguments, x1: Operand, x2: Operand, y: Operand) -> Plan:
    same_shape(x1, x2, "the second input")
    if not x1.shape or y.shape != x1.shape[:-1]:
        raise Misfit(
            f"the inputs are {show(x1.shape)}, so the targets must be {show(x1.shape[:-1])}, not {show(y.shape)}"
        )
    program = f"cosine = {COSINE}\n" + reduced(a, "same*(1 - cosine) + other*max(cosine - margin, 0)")
    return Plan(program, {"margin": a.margin}, data=_signs(y, y.shape))


def _poisson(a: Arguments, x: Operand, y: Operand) -> Plan:
    same_shape(x, y)
    each, names, data = ("exp(x) - y*x" if a.log_input else "x - y*log(x + eps)"), {"eps": a.eps}, {}
    if a.full:
        # Stirling's formula for log(y!), which torch adds for targets above 1.
        each += " + where(large, y*log(y) - y + log(2*pi*y)/2, 0)"
        data["large"] = Constant(y.shape, lambda known: (known["y"] > 1).astype(float))
    return Plan(reduced(a, each), names, data=data)


def _gaussian(a: Arguments, x: Operand, y: Operand, var: Operand) -> Plan:
    same_shape(x, y)
    names: dict[str, Any] = {"eps": a.eps}
    spread = "max(var, eps)"
    if var.shape == x.shape[:-1] != x.shape:
        names["column"] = (*var.shape, 1)
        spread = "max(reshape(var, shape=column), eps)"
    elif var.shape not in (x.shape, (*x.shape[:-1], 1), ()):
        raise Misfit(f"var is {show(var.shape)}; it must be {show(x.shape)} or {show((*x.shape[:-1], 1))}")
    if var.numbers is not None and any(n < 0 for n in var.numbers):
        raise Misfit("var holds a negative number")
    each = "(log(v) + (x - y)^2/v)/2" + (" + log(2*pi)/2" if a.full else "")
    return Plan(f"v = {spread}\n{reduced(a, each)}", names)


def _loss(name: str, operands: str, plan: Any, *arguments: Argument, shapes: Any = None, **more: Any) -> Layer:
    how = more.pop("reduction", None) or reduction()
    example: tuple[Any, Any] = ({}, shapes or [(2, 3)] * len(operands.split()))
    return Layer(name, tuple(operands.split()), (*arguments, how, *OLD), plan, example, family="loss", **more)


IGNORED = integer("ignore_index", -100, least=-(2**31))
WEIGHT = tensor("weight")

LAYERS = [
    _elementwise("MSELoss", "(x - y)^2"),
    _elementwise("L1Loss", "abs(x - y)"),
    _elementwise(
        "HalfSquaredErrorLoss", "(x - y)^2/2", default="sum",
        note="½ Σ (y - o)² of the lectures; torch has no such class",
    ),
    _loss("SmoothL1Loss", "x y", _smooth_l1, number("beta", 1.0, least=0)),
    _elementwise(
        "HuberLoss", "where(abs(x - y) <= delta, (x - y)^2/2, delta*(abs(x - y) - delta/2))",
        number("delta", 1.0, above=0),
    ),
    _loss(
        "CrossEntropyLoss", "x y", _cross_entropy, WEIGHT, IGNORED, number("label_smoothing", 0.0, least=0),
        known=("y",), shapes=[(2, 3), (2,)],
        note="targets are class indices, or probabilities in the shape of the input",
    ),
    _loss(
        "NLLLoss", "x y", _nll, WEIGHT, IGNORED, known=("y",), shapes=[(2, 3), (2,)],
    ),
    _loss(
        "BCELoss", "x y", _bce, WEIGHT,
        note="defined for inputs between 0 and 1; torch cuts the logarithm off at -100",
    ),
    _loss("BCEWithLogitsLoss", "x y", _bce_with_logits, WEIGHT, tensor("pos_weight")),
    _loss(
        "KLDivLoss", "x y", _kl, boolean("log_target", False),
        reduction=reduction(("mean", "batchmean", "sum", "none")), known=("y",),
    ),
    _loss("HingeEmbeddingLoss", "x y", _hinge_embedding, number("margin", 1.0), known=("y",)),
    _loss("MarginRankingLoss", "x1 x2 y", _ranking, number("margin", 0.0)),
    _loss(
        "CosineEmbeddingLoss", "x1 x2 y", _cosine, number("margin", 0.0), shapes=[(2, 3), (2, 3), (2,)], known=("y",),
    ),
    _loss(
        "PoissonNLLLoss", "x y", _poisson, boolean("log_input", True), boolean("full", False),
        number("eps", 1e-8, least=0), known=("y",),
    ),
    _loss("GaussianNLLLoss", "x y var", _gaussian, boolean("full", False), number("eps", 1e-6, above=0)),
]  # fmt: skip
