"""A JSON Schema of specs, made from the table of layers, for editors that complete and underline.

It follows JSON Schema 2020-12 (https://json-schema.org/draft/2020-12). What depends on shapes or on
other keys is left to `gradcheck verify`.
"""

from __future__ import annotations

from typing import Any

from gradcheck.networks.data import DTYPES
from gradcheck.networks.initialisers import INITIALISERS
from gradcheck.networks.layer import INFERRED, REQUIRED, Layer
from gradcheck.networks.table import LAYERS
from gradcheck.ops import FUNCTIONS

NAME = "^[^\\W0-9]\\w*$"
TEXT = {"type": "string"}
NAMES = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _arguments(row: Layer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for a in row.arguments:
        kind = {**(a.kind or {}), "description": a.expects}
        if a.default not in (REQUIRED, INFERRED, None):
            kind["default"] = list(a.default) if isinstance(a.default, tuple) else a.default
        found[a.name] = kind
    return found


def _layer(row: Layer) -> dict[str, Any]:
    common = {
        "name": {"$ref": "#/$defs/path"}, "type": {"const": row.name}, "inputs": NAMES, "input": TEXT,
        "training": {"type": "boolean"}, "params": {"anyOf": [TEXT, {"type": "object", "additionalProperties": TEXT}]},
    }  # fmt: skip
    if row.family == "loss":
        common |= {"target": NAMES, "var": NAMES}
    needed = ["type", *(a.name for a in row.arguments if a.default is REQUIRED)]
    described = {"description": row.note} if row.note else {}
    return _object({**common, **_arguments(row)}, required=needed, **described)


def schema() -> dict[str, Any]:
    """Return the schema."""
    numbers = {
        "anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "array", "items": {"$ref": "#/$defs/numbers"}}]
    }
    drawn = {
        key: {"type": "number"}
        for row in INITIALISERS.values()
        for key, value in row.arguments.items()
        if not isinstance(value, str)
    }
    tensor = {
        "anyOf": [
            {"$ref": "#/$defs/numbers"},
            _object({"value": {"$ref": "#/$defs/numbers"}, "dtype": {"enum": list(DTYPES)}}, required=["value"]),
            _object({"file": TEXT, "key": TEXT, "dtype": {"enum": list(DTYPES)}}, required=["file"]),
            _object(
                {
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    "init": {"enum": list(INITIALISERS)}, "mode": {"enum": ["fan_in", "fan_out"]},
                    "nonlinearity": TEXT, "dtype": {"enum": list(DTYPES)}, **drawn,
                }
            ),
        ]
    }  # fmt: skip
    others = sorted(set(FUNCTIONS) - set(LAYERS))
    plain = _object(
        {"name": {"$ref": "#/$defs/path"}, "type": {"enum": others}, "inputs": NAMES}, required=["type"],
        description="a function of the expression language, or an op of `ops:`",
    )  # fmt: skip
    del plain["properties"]["type"]["enum"]
    plain["properties"]["type"] = {"type": "string", "not": {"enum": list(LAYERS)}}
    step = {"anyOf": [*({"$ref": f"#/$defs/{name}"} for name in LAYERS), plain, {"$ref": "#/$defs/expression"}]}
    fact = {"anyOf": [{"$ref": "#/$defs/tensor"}, {"type": "object"}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gradcheck spec",
        **_object(
            {
                "gradcheck": {"const": 1}, "name": TEXT, "seed": {"type": "integer", "minimum": 0},
                "mode": {"enum": ["train", "eval"]},
                "inputs": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tensor"}},
                "layers": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/step"}, TEXT]}},
                "nodes": {"type": "object", "additionalProperties": {"$ref": "#/$defs/step"}},
                "loss": {"$ref": "#/$defs/step"}, "output": TEXT,
                "params": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tensor"}},
                "ops": {"type": "object", "additionalProperties": {"$ref": "#/$defs/op"}},
                "backward": {"type": "object", "additionalProperties": TEXT},
                "check": _object({"wrt": NAMES}),
                "expect": _object(
                    {
                        "loss": fact, "outputs": {"type": "object", "additionalProperties": fact},
                        "grads": {"type": "object", "additionalProperties": fact},
                    }
                ),
            },
            required=["gradcheck"],
        ),
        "$defs": {
            "name": {"type": "string", "pattern": NAME}, "path": {"anyOf": [TEXT, {"type": "integer"}]},
            "numbers": numbers, "tensor": tensor, "step": step,
            "expression": _object({"name": {"$ref": "#/$defs/path"}, "expr": TEXT}, required=["expr"]),
            "op": _object(
                {
                    "args": NAMES, "forward": TEXT,
                    "backward": {"anyOf": [TEXT, {"type": "object", "additionalProperties": TEXT}]},
                },
                required=["args", "forward", "backward"],
            ),
            **{name: _layer(row) for name, row in LAYERS.items()},
        },
    }  # fmt: skip
