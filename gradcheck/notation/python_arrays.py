"""Formulas of arrays as Python with numpy, under its usual name `np`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gradcheck.graph.graph import Params
from gradcheck.notation.board import FILLED, unsaid
from gradcheck.notation.printer import (  # fmt: skip
    ATOM,
    NEGATION,
    POWER,
    PRODUCT,
    SUM,
    Form,
    Maker,
    Notation,
    Piece,
    given,
    made,
    same,
    undone,
)
from gradcheck.notation.python_numbers import (  # fmt: skip
    PLAIN,
    called,
    comparisons,
    constant,
    enclosed,
    power,
    product,
    square,
)
from gradcheck.ops import OPS

FUNCTIONS = {
    **{
        name: f"np.{name}"
        for name in (
            "abs", "sign", "floor", "ceil", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "hypot",
            "sin", "cos", "tan", "sinh", "cosh", "tanh", "outer", "sum", "prod", "mean", "var", "std", "cumsum", "flip",
            "sinc", "i0",
            "cumprod", "sort", "trace", "tril", "triu", "kron", "cross",
        )
    },
    **{name: f"np.arc{name[1:]}" for name in ("asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh")},
    **{name: f"np.linalg.{name}" for name in ("det", "pinv", "solve")},
    "round": "np.rint", "max": "np.maximum", "min": "np.minimum", "amax": "np.max", "amin": "np.min",
}  # fmt: skip
"""Op → the function that numpy has for it; static parameters have the same names."""

FORMS = {
    **PLAIN,
    "matmul": Form("{0} @ {1}", PRODUCT, (NEGATION, POWER)),
    "mT": Form("{0}.mT", ATOM, (ATOM,)),
    "heaviside": Form("np.heaviside({0}, 0.5)"),
    "relu": Form("np.maximum({0}, 0.0)"),
    "reshape_like": Form("np.reshape({0}, np.shape({1}))"),
    "logdet": Form("np.linalg.slogdet({0})[1]"),
    "slogdet": Form("np.stack(np.linalg.slogdet({0}))"),
    **dict.fromkeys(("diag", "diagonal"), Form("np.diag({0}).copy()")),
    "eye_like": Form("np.eye(*np.shape({0}))"),
    "lookup": Form("{0}[{1}.astype(int)]", ATOM, (ATOM, ATOM)),
    "affine": Form("{0} @ {1} + {2}", SUM, (NEGATION, POWER, PRODUCT)),
    "linear": Form("{0} @ {1}.T + {2}", SUM, (NEGATION, ATOM, PRODUCT)),
    "linear_map": Form("{0} @ {1}.T", PRODUCT, (NEGATION, ATOM)),
    "squared_error": Form("np.mean(({0} - {1}) ** 2)", ATOM, (SUM, PRODUCT)),
}


def settings(op: str, params: Params) -> list[str]:
    """Return the static parameters that differ from the op's defaults, as keyword arguments."""
    chosen = given(op, params)
    if "kernel" in dict(params):
        chosen = [(name, value) for name, value in chosen if name == "edge" or not unsaid(name, value)]
        # The windows of a convolution are as large as its filters.
        left_out = {"kernel": "W" in OPS[op].args, "edge": dict(params)["edge"] == "zero"}
        chosen = [(name, value) for name, value in chosen if not left_out.get(name)]
    if op == "conv_weight" and dict(params)["filters"][0] > 1:
        chosen.append(("groups", dict(params)["filters"][0]))
    return [f"{name}={setting(value)}" for name, value in chosen]


def setting(value: object) -> str:
    """Return the value of a static parameter as Python."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _where(operands: Sequence[Piece], params: Params) -> Piece:
    test, yes, no = operands
    return Piece(f"np.where({test.condition or test.text}, {yes.text}, {no.text})")


def _select(operands: Sequence[Piece], params: Params) -> Piece:
    return _where([*operands, Piece("0.0")], params)


def _transpose(operands: Sequence[Piece], params: Params) -> Piece:
    axes = dict(params).get("axes")
    if axes is None:
        return Piece(f"{enclosed(operands[0], ATOM)}.T")
    return Piece(f"np.transpose({operands[0].text}, {axes})")


def _broadcast_like(operands: Sequence[Piece], params: Params) -> Piece:
    g, x = operands
    axis, keepdims = dict(params).get("axis"), dict(params).get("keepdims", False)
    if axis is not None and not keepdims:
        g = Piece(f"np.expand_dims({g.text}, {axis})")
    return product([g, Piece(f"np.ones_like({x.text})")], ())


def _count(operands: Sequence[Piece], params: Params) -> Piece:
    axis = dict(params).get("axis")
    if axis is None:
        return Piece(f"np.size({operands[0].text})")
    return Piece(f"{'count' if isinstance(axis, tuple) else 'np.size'}({operands[0].text}, axis={axis})")


def _norm(operands: Sequence[Piece], params: Params) -> Piece:
    inner = [square(operands, ()).text, *settings("norm", params)]
    return Piece(f"np.sqrt(np.sum({', '.join(inner)}))")


def _norm_of(order: str) -> Maker:
    def make(operands: Sequence[Piece], params: Params) -> Piece:
        rest = settings("norm", tuple((name, value) for name, value in params if name != "p"))
        said = [operands[0].text, f"ord={order or dict(params)['p']}", *rest]
        return Piece(f"np.linalg.norm({', '.join(said)})")

    return make


def _topk(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(f"np.sort({operands[0].text})[..., :{-dict(params)['k'] - 1}:-1]")


def _pad(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(f"np.pad({operands[0].text}, {dict(params)['width']})")


def _filled(op: str, shape: tuple[int, ...]) -> str:
    return f"np.{op}({', '.join(map(str, shape)) if op == 'eye' or len(shape) == 1 else shape})"


def _reshape(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(f"np.reshape({operands[0].text}, {dict(params)['shape']})")


def _concat(operands: Sequence[Piece], params: Params) -> Piece:
    parts = [f"[{operands[0].text}, {operands[1].text}]", *settings("concat", params)]
    return Piece(f"np.concatenate({', '.join(parts)})")


def index(value: object) -> str:
    """Return what stands between the brackets of `x[…]`."""
    return ", ".join(map(_part, value if isinstance(value, tuple) else (value,)))


def _part(part: object) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    return "..." if part is ... else str(list(part) if isinstance(part, tuple) else part)


def _getitem(operands: Sequence[Piece], params: Params) -> Piece:
    return Piece(f"{enclosed(operands[0], ATOM)}[{index(dict(params)['index'])}]")


def _put(operands: Sequence[Piece], params: Params) -> Piece:
    g, x = operands
    return Piece(f"put({g.text}, {x.text}, np.s_[{index(dict(params)['index'])}])")


def _select_index(operands: Sequence[Piece], params: Params) -> Piece:
    values = dict(params)
    return Piece(f"np.take({operands[0].text}, {list(values['index'])}, axis={values['axis']})")


def _cross_entropy(operands: Sequence[Piece], params: Params) -> Piece:
    z, t = operands
    along = [f"axis={setting(value)}" for name, value in given("cross_entropy", params) if name == "axis"]
    return Piece(f"-np.sum({enclosed(t, NEGATION)} * log_softmax({', '.join([z.text, *along])}))", NEGATION, True)


def _mean_cross_entropy(operands: Sequence[Piece], params: Params) -> Piece:
    total = _cross_entropy(operands, params)
    return Piece(f"{total.text} / {dict(params)['n']}", PRODUCT, True)


MAKERS: dict[str, Maker] = {
    "mul": product, "pow": power, "square": square, "identity": same, "where": _where, "select": _select,
    "transpose": _transpose, "untranspose": undone(_transpose), "broadcast_like": _broadcast_like, "count": _count,
    "norm": _norm, "reshape": _reshape, "concat": _concat, "getitem": _getitem, "put": _put,
    "select_index": _select_index, "topk": _topk, "pad": _pad,
    "norm_p": _norm_of(""), "norm_1": _norm_of("1"), "norm_inf": _norm_of("np.inf"),
    **{op: made(op, lambda: ARRAYS, _filled) for op in FILLED},
    **dict.fromkeys(("cross_entropy", "weighted_cross_entropy"), _cross_entropy),
    **dict.fromkeys(("mean_cross_entropy", "mean_weighted_cross_entropy"), _mean_cross_entropy),
    **comparisons(Piece("1.0 * ({})", PRODUCT)),
}  # fmt: skip

ARRAYS: Notation = Notation(
    FORMS,
    MAKERS,
    lambda op, operands, params: called(FUNCTIONS, op, operands, settings(op, params)),
    "({})".format,
    lambda text: constant(text, "np"),
)
"""Arrays with any number of axes; needs numpy 2 for `.mT`."""
