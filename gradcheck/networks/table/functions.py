"""Function nodes: what torch has as functions of tensors."""

from __future__ import annotations

from typing import Any

from gradcheck.networks.arguments import axes, axis, boolean, integer, whole_numbers
from gradcheck.networks.layer import Argument, Arguments, Layer, Misfit, Operand, Plan
from gradcheck.ops.shapes import Shape, show


def _counted(dim: int, shape: Shape, name: str = "dim") -> int:
    if not -len(shape) <= dim < len(shape):
        raise Misfit(f"axis {dim} does not exist: the input is {show(shape)}", name)
    return dim % len(shape)


def _binary(name: str, program: str) -> Layer:
    return Layer(name, ("x", "y"), (), lambda a, x, y: Plan(program), ({}, [(2, 3), (2, 3)]), family="function")


def _matmul(a: Arguments, x: Operand, y: Operand) -> Plan:
    # The language's @ leaves a vector against a stack of matrices to the writer.
    if len(x.shape) == 1 and len(y.shape) > 2:
        return Plan("(x[None, :] @ y)[..., 0, :]")
    if len(y.shape) == 1 and len(x.shape) > 2:
        return Plan("(x @ y[:, None])[..., 0]")
    return Plan("x @ y")


def _cat(a: Arguments, *x: Operand) -> Plan:
    program = "x"
    for k in range(1, len(x)):
        program = f"concat({program}, x{k}, axis=axis)"
    return Plan(program if len(x) > 1 else "identity(x)", {"axis": _counted(a.dim, x[0].shape)})


def _stack(a: Arguments, *x: Operand) -> Plan:
    for other in x[1:]:
        if other.shape != x[0].shape:
            raise Misfit(f"all inputs must have one shape, not {show(x[0].shape)} and {show(other.shape)}")
    k = _counted(a.dim, (*x[0].shape, 1))
    names: dict[str, Any] = {"axis": k, "shape": (*x[0].shape[:k], 1, *x[0].shape[k:])}
    program = "reshape(x, shape=shape)"
    for n in range(1, len(x)):
        program = f"concat({program}, reshape(x{n}, shape=shape), axis=axis)"
    return Plan(program, names)


def _pieces(bounds: list[tuple[int, int]], k: int) -> Plan:
    names = {f"piece{n}": ((slice(None),) * k + (slice(*b),)) for n, b in enumerate(bounds)}
    outputs = tuple(f"out{n}" for n in range(len(bounds)))
    return Plan("\n".join(f"out{n} = x[piece{n}]" for n in range(len(bounds))), names, outputs=outputs)


def _split(a: Arguments, x: Operand) -> Plan:
    k = _counted(a.dim, x.shape)
    length, sizes = x.shape[k], a.split_size_or_sections
    if len(sizes) == 1:
        sizes = (sizes[0],) * (length // sizes[0]) + ((length % sizes[0],) if length % sizes[0] else ())
    if sum(sizes) != length:
        raise Misfit(f"the sections add up to {sum(sizes)}, but axis {a.dim} has {length}", "split_size_or_sections")
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    return _pieces([(start, start + size) for start, size in zip(starts, sizes, strict=True)], k)


def _chunk(a: Arguments, x: Operand) -> Plan:
    k = _counted(a.dim, x.shape)
    length = x.shape[k]
    size = -(-length // a.chunks)
    return _pieces([(start, min(start + size, length)) for start in range(0, length, size)], k)


def _permute(a: Arguments, x: Operand) -> Plan:
    order = tuple(_counted(d, x.shape, "dims") for d in a.dims)
    return Plan("transpose(x, axes=axes)", {"axes": order})


def _transpose(a: Arguments, x: Operand) -> Plan:
    order = list(range(len(x.shape)))
    i, j = _counted(a.dim0, x.shape, "dim0"), _counted(a.dim1, x.shape, "dim1")
    order[i], order[j] = j, i
    return Plan("transpose(x, axes=axes)", {"axes": tuple(order)})


def _reduction(name: str, op: str) -> Layer:
    def plan(a: Arguments, x: Operand) -> Plan:
        over = None if a.dim is None else tuple(_counted(d, x.shape) for d in a.dim)
        return Plan(f"{op}(x, axis=axis, keepdims=keepdim)", {"axis": over, "keepdim": a.keepdim})

    arguments = (axes("dim"), boolean("keepdim", False))
    return Layer(name, ("x",), arguments, plan, ({"dim": 1}, [(2, 3)]), family="function")


def _sections() -> Argument:
    return whole_numbers("split_size_or_sections", least=1)


LAYERS = [
    _binary("add", "x + y"), _binary("sub", "x - y"), _binary("mul", "x*y"), _binary("div", "x/y"),
    Layer("matmul", ("x", "y"), (), _matmul, ({}, [(2, 3), (3, 4)]), family="function"),
    Layer("cat", ("x",), (axis("dim", 0),), _cat, ({}, [(2, 3), (2, 3)]), family="function", many=True),
    Layer("stack", ("x",), (axis("dim", 0),), _stack, ({}, [(2, 3), (2, 3)]), family="function", many=True),
    Layer(
        "split", ("x",), (_sections(), axis("dim", 0)), _split, ({"split_size_or_sections": 2}, [(4, 3)]),
        family="function", outputs=("0", "1", "…"),
    ),
    Layer(
        "chunk", ("x",), (integer("chunks"), axis("dim", 0)), _chunk, ({"chunks": 2}, [(4, 3)]), family="function",
        outputs=("0", "1", "…"),
    ),
    Layer(
        "reshape", ("x",), (whole_numbers("shape", least=-1),),
        lambda a, x: Plan("reshape(x, shape=shape)", {"shape": a.shape}),
        ({"shape": (3, 2)}, [(2, 3)]), family="function",
    ),
    Layer(
        "permute", ("x",), (whole_numbers("dims", least=-64),), _permute, ({"dims": (1, 0)}, [(2, 3)]),
        family="function",
    ),
    Layer(
        "transpose", ("x",), (axis("dim0"), axis("dim1")), _transpose, ({"dim0": 0, "dim1": 1}, [(2, 3)]),
        family="function",
    ),
    _reduction("mean", "mean"), _reduction("sum", "sum"), _reduction("max", "amax"),
]  # fmt: skip
