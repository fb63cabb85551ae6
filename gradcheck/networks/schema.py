"""A JSON Schema of specs, made from the table of layers, for editors that complete and underline.

It follows JSON Schema 2020-12 (https://json-schema.org/draft/2020-12). What depends on shapes or on
other keys is left to `gradcheck verify`.
"""

from __future__ import annotations

from typing import Any

from gradcheck.networks.data import DTYPES, OTHER_DTYPES
from gradcheck.networks.initialisers import INITIALISERS
from gradcheck.networks.layer import INFERRED, REQUIRED, Layer
from gradcheck.networks.table import LAYERS, SPELLINGS
from gradcheck.networks.table.linear import IGNORED

Schema = dict[str, Any]

NAME = r"^[^\W0-9]\w*$"
PATH = r"^\w+(\.\w+)*$"
NODE = r"^[^\W0-9]\w*(\.\w+)*$"
TEXT: Schema = {"type": "string"}
WORD: Schema = {"type": ["string", "number", "boolean"]}
"""A word as YAML reads it: `name: 5` is a name, `expr: 1` a formula."""

WORDS: Schema = {"anyOf": [WORD, {"type": "array", "items": WORD}]}


def _object(properties: Schema, **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _named(pattern: str, value: Schema) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": pattern}, "additionalProperties": value}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _or_null(kind: Schema) -> Schema:
    return {"anyOf": [kind, {"type": "null"}]}


def _arguments(row: Layer) -> Schema:
    found: Schema = {}
    for a in (*row.arguments, *IGNORED):
        kind = {**a.kind, "description": a.expects}
        if a.default not in (REQUIRED, INFERRED, None):
            kind["default"] = list(a.default) if isinstance(a.default, tuple) else a.default
        found[a.name] = kind
    return found


def _common(row_type: Schema) -> Schema:
    return {
        "name": WORD, "type": row_type, "inputs": WORDS, "input": WORD, "training": {"type": "boolean"},
        "params": {"anyOf": [WORD, {"type": "object", "additionalProperties": WORD}]},
    }  # fmt: skip


def _layer(row: Layer) -> Schema:
    spellings = [row.name, *(name for name, target in SPELLINGS.items() if target == row.name)]
    common = _common({"enum": spellings})
    if row.family == "loss":
        common |= {"target": WORDS, "var": WORDS}
    needed = ["type", *(a.name for a in row.arguments if a.default is REQUIRED)]
    described = {"description": row.note} if row.note else {}
    return _object({**common, **_arguments(row)}, required=needed, **described)


def _tensor() -> Schema:
    dtype = {"enum": [name for word in (*DTYPES, *OTHER_DTYPES) for name in (word, f"torch.{word}")]}
    drawn = {
        key: {"type": "number"}
        for row in INITIALISERS.values()
        for key, value in row.arguments.items()
        if not isinstance(value, str)
    }
    whole = {"type": "integer", "minimum": 1}
    names = [spelling for name in INITIALISERS for spelling in (name, name.rstrip("_"))]
    return {
        "anyOf": [
            _ref("numbers"),
            _object({"value": _ref("numbers"), "dtype": dtype}, required=["value"]),
            _object({"file": TEXT, "key": WORD, "dtype": dtype}, required=["file"]),
            _object(
                {
                    "shape": {"anyOf": [whole, {"type": "array", "items": whole}]}, "init": {"enum": names},
                    "mode": {"enum": ["fan_in", "fan_out"]}, "nonlinearity": TEXT, "dtype": dtype, **drawn,
                }
            ),
        ]
    }  # fmt: skip


def _facts() -> Schema:
    return {
        "anyOf": [
            _ref("numbers"),
            _object({"value": _ref("numbers"), "rtol": {"type": "number", "minimum": 0}, "dtype": TEXT}),
            _object({"file": TEXT, "key": WORD, "rtol": {"type": "number", "minimum": 0}, "dtype": TEXT}),
        ]
    }


def _definitions() -> Schema:
    numbers = {"anyOf": [{"type": ["number", "boolean"]}, {"type": "array", "items": _ref("numbers"), "minItems": 1}]}
    other = {"type": "string", "not": {"enum": [*LAYERS, *SPELLINGS]}}
    function = _object(
        _common(other), required=["type"], description="a function of the expression language, or an op of `ops:`"
    )
    steps = [_ref("expression"), _ref("function"), *(_ref(name) for name in LAYERS)]
    ends = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    side = {"anyOf": [{"type": "number"}, ends], "description": "between which numbers it moves, or where it stands"}
    formulas = {"anyOf": [WORD, _named(NAME, WORD)]}
    return {
        "numbers": numbers,
        "tensor": _tensor(),
        "fact": _facts(),
        "expression": _object({"name": WORD, "expr": WORD}, required=["expr"]),
        "function": function,
        "step": {"anyOf": steps},
        "op": _object(
            {"args": WORDS, "forward": WORD, "backward": formulas, "over": _named(NAME, side)},
            required=["args", "forward", "backward"],
        ),
        **{name: _layer(row) for name, row in LAYERS.items()},
    }


def schema() -> Schema:
    """Return the schema."""
    properties = {
        "name": WORD,
        "seed": {"type": "integer", "minimum": 0},
        "mode": {"enum": ["train", "eval"]},
        "inputs": _named(NAME, _ref("tensor")),
        "layers": {"type": "array", "items": {"anyOf": [_ref("step"), TEXT]}},
        "nodes": _named(NODE, _ref("step")),
        "loss": _ref("step"),
        "output": WORD,
        "params": _named(PATH, _ref("tensor")),
        "ops": _named(NAME, _ref("op")),
        "backward": {"type": "object", "additionalProperties": {"anyOf": [WORD, _ref("tensor")]}},
        "check": _object({"wrt": WORDS}),
        "expect": _object(
            {
                "loss": _ref("fact"),
                "outputs": {"type": "object", "additionalProperties": _ref("fact")},
                "grads": {"type": "object", "additionalProperties": _ref("fact")},
            }
        ),
    }
    both = {"required": ["layers", "nodes"], "properties": {"layers": {"type": "array"}, "nodes": {"type": "object"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gradcheck spec",
        **_object(
            {"gradcheck": {"const": 1}, **{key: _or_null(kind) for key, kind in properties.items()}},
            required=["gradcheck"],
            **{"not": both},
        ),
        "$defs": _definitions(),
    }
