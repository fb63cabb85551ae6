"""The tables of ops and layers as text: what is shown is what runs."""

from __future__ import annotations

from math import prod
from typing import Any

from gradcheck.networks.layer import INFERRED, REQUIRED, Argument, Arguments, Layer, Misfit, Operand, Plan
from gradcheck.networks.table import FAMILIES, LAYERS
from gradcheck.ops import EINSUM, FUNCTIONS, OPS
from gradcheck.ops.op import REQUIRED as NEEDED
from gradcheck.ops.op import Op
from gradcheck.ops.shapes import Shape, show


def op_list() -> list[str]:
    """Return one line an op: name, arguments, definition."""
    rows = [(_call(op), _definition(op)) for op in (*OPS.values(), EINSUM) if not op.internal]
    width = max(len(call) for call, _ in rows)
    return [f"{call:<{width}}  {text}".rstrip() for call, text in rows]


def _call(op: Op) -> str:
    params = [name if default is NEEDED else f"{name}={default}" for name, default in op.params.items()]
    named = [f"{name}=None" for name in op.named]
    written = [*params, *op.args] if op is EINSUM else params if op.made else [*op.args, *params, *named]
    return f"{op.name}({', '.join(written)})"


def _definition(op: Op) -> str:
    if op.form or op is EINSUM:
        return op.form or "written out as transposes, products and sums"
    alone = f"{op.alone} of a number; of a matrix " if op.alone else ""
    how = "computed by every number system" if op.elementwise else "defined element by element"
    return alone + ("found by elimination" if op.eliminates else how)


def op_lines(op: Op) -> list[str]:
    """Return everything about one op."""
    result = [_call(op)]
    names = [name for name in FUNCTIONS if FUNCTIONS[name] is op and name != op.name]
    if names:
        result.append(f"  also called  {', '.join(names)}")
    result.append(f"  definition   {_definition(op)}")
    if op.forward:
        result.append(f"  in float64   {op.forward}")
    for name, default in op.defaults.items():
        result.append(f"  default      {name} = {default}")
    for condition in op.domain:
        result.append(f"  defined for  {condition}")
    for kink in op.kink:
        result.append(f"  kink where   {kink} = 0")
    if op.by_rank:
        for ranks, rules in op.by_rank.items():
            kinds = ", ".join(
                f"{a} a {('number', 'vector', 'matrix')[int(r)]}" for a, r in zip(op.args, ranks, strict=True)
            )
            result.append(f"  backward, {kinds}")
            result += [f"    d_{arg} = {rule}" for arg, rule in zip(op.args, rules, strict=True)]
        return result
    if op.rules():
        result.append("  backward, g the upstream gradient and out the value")
    return result + [f"    d_{arg} = {rule}" for arg, rule in zip(op.args, op.rules(), strict=False)]


def layer_list() -> list[str]:
    """Return one line a layer: name and constructor arguments."""
    width = max(map(len, LAYERS))
    result = []
    for family in FAMILIES:
        title = (family.__doc__ or "").partition(":")[0].partition("\n")[0].rstrip(".")
        result.append(f"{title}:")
        result += [f"  {row.name:<{width}}  {_signature(row)}".rstrip() for row in family.LAYERS]
    return result


def _signature(row: Layer) -> str:
    return ", ".join(a.name + _default(a) for a in row.arguments if not a.inert)


def _default(a: Argument) -> str:
    if a.default is REQUIRED:
        return ""
    return "=inferred" if a.default is INFERRED else f"={_plain(a.default)}"


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, slice):
        parts = ("" if part is None else str(part) for part in (value.start, value.stop))
        return ":".join(parts)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value)


def example(row: Layer) -> tuple[Arguments, list[Operand], Plan]:
    """Return the arguments, operands and plan of a layer's example."""
    given, shapes = row.example
    values = {a.name: a.default for a in row.arguments}
    for name, value in given.items():
        argument = row.argument(name)
        assert argument is not None
        values[name] = _known(value) if argument.operand else argument.read(value)
    operands = [_known(shape) if row.known else Operand(shape) for shape in shapes]
    arguments = Arguments(values)
    return arguments, operands, row.plan(arguments, *operands)


def _known(shape: Shape) -> Operand:
    return Operand(shape, [1.0] * prod(shape), True)


def layer_lines(row: Layer) -> list[str]:
    """Return everything about one layer."""
    result = [f"{row.name}: {row.family}"]
    if row.note:
        result.append(f"  {row.note}")
    inputs = ", ".join(name.replace("?", " (optional)") for name in row.operands) + (" and more" if row.many else "")
    result.append(f"  inputs     {inputs}")
    if row.outputs:
        result.append(f"  outputs    {', '.join('.' + name for name in row.outputs)}")
    for a in row.arguments:
        default = "" if a.default is REQUIRED else "; from the input's shape" if a.default is INFERRED else None
        if default is None:
            default = f"; default {_plain(a.default)}"
        result.append(f"  {a.name:<24} {a.expects}{default}")
    try:
        _, operands, plan = example(row)
    except Misfit as error:
        return [*result, f"  {error}"]
    shown = ", ".join(
        f"{name.rstrip('?')} {show(operand.shape)}" for name, operand in zip(row.operands, operands, strict=False)
    )
    given = ", ".join(_given(row, name, value) for name, value in row.example[0].items())
    result.append(f"  program for {shown}" + (f" with {given}" if given else ""))
    result += [f"    {line}" for line in plan.program.splitlines()]
    for name, value in plan.names.items():
        result.append(f"      {name} = {_plain(value)}")
    for name, parameter in plan.parameters.items():
        kind = "buffer" if parameter.buffer else "parameter"
        result.append(f"  {kind:<10} {name}: {show(parameter.shape)}, {_init(parameter.init)}")
    return result


def _given(row: Layer, name: str, value: Any) -> str:
    argument = row.argument(name)
    return f"{name} {show(value)}" if argument is not None and argument.operand else f"{name}={_plain(value)}"


def _init(init: tuple[str, dict[str, float]]) -> str:
    return f"{init[0]}({', '.join(f'{k}={v:.4g}' for k, v in init[1].items())})"
