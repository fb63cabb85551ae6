"""Random smooth expressions: as text for gradcheck, and as mpmath values for the truth.

A tree is a variable's name, a literal's text, or (operation, operands…). Both readings come
from the same tree, so gradcheck's parser is under test as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import mpmath

Tree = str | tuple[Any, ...]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp, "log": mpmath.log, "sqrt": mpmath.sqrt, "log1p": lambda x: mpmath.log(1 + x),
    "expm1": lambda x: mpmath.exp(x) - 1,
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "asin": mpmath.asin, "atan": mpmath.atan,
    "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "asinh": mpmath.asinh,
    "erf": mpmath.erf, "sigmoid": _sigmoid,
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
}  # fmt: skip
"""Smooth functions, by their definitions; the domains of some are smaller than the line."""

INFIX: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "^": mpmath.power,
}

EXPONENTS = ("2", "3", "-1", "0.5", "-1.5", "7")


def tree(draw: random.Random, names: list[str], depth: int) -> Tree:
    """Draw an expression over the names."""
    if depth == 0 or draw.random() < 0.1:
        return draw.choice(names) if draw.random() < 0.75 else f"{draw.uniform(0.05, 5):.3g}"
    if draw.random() < 0.45:
        return draw.choice(list(FUNCTIONS)), tree(draw, names, depth - 1)
    sign = draw.choices("+-*/^", (3, 3, 4, 2, 1))[0]
    left = tree(draw, names, depth - 1)
    if sign == "^" and draw.random() < 0.7:
        return sign, left, draw.choice(EXPONENTS)
    return sign, left, tree(draw, names, depth - 1)


def text(node: Tree) -> str:
    """Write a tree in gradcheck's language, every operation in brackets."""
    if isinstance(node, str):
        return f"({node})" if node.startswith("-") else node
    if len(node) == 2:
        return f"{node[0]}({text(node[1])})"
    return f"({text(node[1])} {node[0]} {text(node[2])})"


def value(node: Tree, point: Mapping[str, Any]) -> Any:
    """Compute a tree in mpmath; literals are the float64 nearest to them, as in gradcheck."""
    if isinstance(node, str):
        return point[node] if node in point else mpmath.mpf(float(node))
    operands = [value(operand, point) for operand in node[1:]]
    return (FUNCTIONS[node[0]] if len(operands) == 1 else INFIX[node[0]])(*operands)


def used(node: Tree, names: list[str]) -> list[str]:
    """Return the names that occur in a tree, in the given order."""
    if isinstance(node, str):
        return [node] if node in names else []
    found = {name for operand in node[1:] for name in used(operand, names)}
    return [name for name in names if name in found]
