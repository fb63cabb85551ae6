"""PyTorch as the outside referee of linear algebra: values and gradients in float64, of matrices and batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import gradcheck

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.referee
L = torch.linalg

ONE, THREE, BATCH, WIDE = (1, 1), (3, 3), (2, 3, 3), (2, 2, 2, 2)
SQUARE = [ONE, (2, 2), THREE, (7, 7), BATCH, WIDE]

Function = Callable[..., Any]
CASES: list[tuple[str, Function, list[tuple[tuple[int, ...], ...]]]] = [
    ("inv(x)", L.inv, [(s,) for s in SQUARE]),
    ("det(x)", L.det, [(s,) for s in [*SQUARE, (8, 8)]]),
    ("logdet(x)", torch.logdet, [(s,) for s in SQUARE]),
    ("slogdet(x)", lambda x: torch.stack(list(L.slogdet(x))), [(s,) for s in SQUARE]),
    (
        "solve(x, y)", L.solve,
        [(THREE, (3,)), (THREE, (3, 2)), (BATCH, (3, 2)), (THREE, (2, 3, 1)), (WIDE, (2, 1, 2, 3))],
    ),
    ("pinv(x)", L.pinv, [((3, 2),), ((2, 3),), (THREE,), ((2, 4, 2),)]),
    # PyTorch reads one triangle alone, so it is handed the symmetric part.
    ("cholesky(x)", lambda x: L.cholesky((x + x.mT) / 2), [(s,) for s in SQUARE]),
    ("trace(x)", torch.trace, [(THREE,), ((2, 3),), ((4, 2),), (ONE,)]),
    ("diag(x)", torch.diag, [((3,),), (THREE,), ((2, 3),), ((1,),)]),
    ("tril(x, k=1)", lambda x: torch.tril(x, 1), [(THREE,), ((2, 3, 2),)]),
    ("triu(x)", torch.triu, [(THREE,), ((2, 3, 2),)]),
    ("kron(x, y)", torch.kron, [((2,), (3,)), ((2, 3), (3, 1))]),
    (
        "cross(x, y)", lambda x, y: L.cross(*torch.broadcast_tensors(x, y)),
        [((3,), (3,)), ((2, 3), (3,)), ((4, 1, 3), (2, 3))],
    ),
    ("norm(x, ord=1)", lambda x: L.norm(x, 1), [((4,),), ((2, 3),)]),
    ("norm(x, ord=inf)", lambda x: L.norm(x, math.inf), [((4,),), ((2, 3),)]),
    ("norm(x, ord=3)", lambda x: L.norm(x, 3), [((4,),)]),
    ("norm(x, ord=1.5)", lambda x: L.norm(x, 1.5), [((4,),)]),
    ('norm(x, ord="fro")', lambda x: L.norm(x, "fro"), [((2, 3),)]),
    ("norm(x, ord=3, axis=0)", lambda x: L.norm(x, 3, dim=0), [((2, 3),), ((2, 3, 2),)]),
    ("norm(x, ord=inf, axis=1)", lambda x: L.norm(x, math.inf, dim=1), [((2, 3),)]),
    ("cumprod(x, axis=-1)", lambda x: torch.cumprod(x, -1), [((5,),), ((2, 3),)]),
    ("cumprod(x*(x > 0), axis=0)", lambda x: torch.cumprod(x * (x > 0), 0), [((5,),), ((4, 3),)]),
    ("sort(x)", lambda x: torch.sort(x)[0], [((5,),), ((2, 7),), ((1,),)]),
    ("topk(x, 2)", lambda x: torch.topk(x, 2)[0], [((5,),), ((2, 7),)]),
    ("pad(x, ((1, 0), (2, 3)))", lambda x: torch.nn.functional.pad(x, (2, 3, 1, 0)), [((2, 3),)]),
    ("x*eye(3)", lambda x: x * torch.eye(3), [(THREE,), (BATCH,)]),
    ("x[[0, 2, 0]]", lambda x: x[[0, 2, 0]], [((3,),), ((3, 2),)]),
    ("x[:, [1, 1]]", lambda x: x[:, [1, 1]], [((2, 3),), ((2, 3, 2),)]),
    ('einsum("ij,jk->ik", x, y)', lambda x, y: torch.einsum("ij,jk->ik", x, y), [((2, 3), (3, 2))]),
    ('einsum("i,j->ij", x, y)', lambda x, y: torch.einsum("i,j->ij", x, y), [((2,), (3,))]),
    ('einsum("ji", x)', lambda x: torch.einsum("ji", x), [((2, 3),)]),
    ('einsum("ii", x)', lambda x: torch.einsum("ii", x), [(THREE,)]),
    ('einsum("ii->i", x)', lambda x: torch.einsum("ii->i", x), [(THREE,)]),
    ('einsum("bij,bjk->bik", x, y)', lambda x, y: torch.einsum("bij,bjk->bik", x, y), [((2, 3, 2), (2, 2, 3))]),
    ('einsum("i,ij,j", x, y, x)', lambda x, y: torch.einsum("i,ij,j", x, y, x), [((3,), THREE)]),
]  # fmt: skip
EVERY = [(text, function, shapes) for text, function, several in CASES for shapes in several]


def draw(shape: tuple[int, ...], seed: int, regular: bool) -> Any:
    drawn = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    if regular:
        drawn = drawn + (shape[-1] + 1) * torch.eye(shape[-1], dtype=torch.float64)
    return drawn.requires_grad_()


@pytest.mark.parametrize(("text", "function", "shapes"), EVERY, ids=[f"{t} {s}" for t, _, s in EVERY])
def test_matrices(text: str, function: Function, shapes: tuple[tuple[int, ...], ...]) -> None:
    positive = text.startswith(("logdet", "cholesky"))
    x = [draw(shape, k + 3, positive and k == 0) for k, shape in enumerate(shapes)]
    tensors = dict(zip("xy", x, strict=False))
    value = function(*x)
    weight = draw(tuple(value.shape), 9, False)
    out = (weight * value).sum()
    out.backward()
    at = {name: t.detach().numpy() for name, t in {**tensors, "w": weight}.items()}
    check = gradcheck.check(f"sum(w*{text})", at=at).checks[0]
    assert math.isclose(check.value, out.item(), rel_tol=1e-11, abs_tol=1e-12)
    for g in check.gradients:
        if g.input == "w":
            continue
        theirs = tensors[g.input].grad[tuple(g.index)].item()
        assert g.verdict in ("agree", "not_exercised"), g
        for mine in (g.backprop, g.symbolic, g.finite_difference):
            assert math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-11), g
