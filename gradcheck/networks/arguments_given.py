"""A layer's arguments as a spec gives them, bound to the names of its constructor and checked."""

from __future__ import annotations

from typing import Any

from gradcheck.errors import GradcheckError, did_you_mean
from gradcheck.networks import data
from gradcheck.networks.data import Data, Folder
from gradcheck.networks.layer import INFERRED, REQUIRED, Layer
from gradcheck.networks.records import BROKEN, GivenArgument, NodeSpec, Ref, Unknown
from gradcheck.networks.table.linear import IGNORED
from gradcheck.networks.tree import Scalar


def bound(
    row: Layer, one: NodeSpec, folder: Folder, problems: list[GradcheckError]
) -> tuple[dict[str, Any], dict[str, Data | Ref]]:
    """Return the value of each argument, defaults filled in, and the arguments that are tensors.

    Raises:
        SpecError: for a layer that cannot be built for want of an argument; other mistakes are added
            to `problems`, and the last of them raised.
    """
    arguments = (*row.arguments, *IGNORED)
    given: dict[str, GivenArgument] = {}
    for k, value in enumerate(one.positional):
        if k >= len(row.arguments):
            raise value.place.error(f"{row.name} takes {len(row.arguments)} arguments, not {len(one.positional)}")
        given[row.arguments[k].name] = value
    wrong: list[GradcheckError] = []
    for name, value in one.arguments.items():
        if name in given:
            wrong.append(value.place.error(f"{name} is given twice"))
        elif all(name != a.name for a in arguments):
            known = [a.name for a in row.arguments if not a.inert]
            hint = did_you_mean(name, known) or f"it takes {', '.join(known) or 'no arguments'}"
            wrong.append(value.place.error(f"{row.name} has no argument `{name}`", hint))
        else:
            given[name] = value
    values: dict[str, Any] = {}
    tensors: dict[str, Data | Ref] = {}
    for a in arguments:
        if a.name not in given:
            values[a.name] = a.default
            if a.default is REQUIRED:
                wrong.append(one.node.error(f"{row.name} needs {a.name}", f"{a.name}: {a.expects}"))
            continue
        value, place = given[a.name]
        if value is BROKEN:
            values[a.name] = BROKEN
            continue
        if a.operand and value is not None:
            values[a.name] = None
            if isinstance(place, Scalar) and isinstance(value, str):
                tensors[a.name] = Ref(value, place)
            else:
                try:
                    tensors[a.name] = data.read(place, a.name, folder)
                except GradcheckError as error:
                    wrong.append(error)
            continue
        try:
            values[a.name] = a.default if value is None and a.default in (None, INFERRED) else a.read(value)
        except ValueError:
            wrong.append(place.error(f"{a.name} must be {a.expects}, not {_shown(value)}"))
    if wrong:
        problems.extend(wrong[:-1])
        raise wrong[-1]
    if any(value is BROKEN for value in values.values()):
        raise Unknown
    return values, tensors


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else str(value)
    if isinstance(value, tuple):
        text = f"[{', '.join(map(_shown, value))}]"
    return text if len(text) <= 40 else text[:39] + "…"
