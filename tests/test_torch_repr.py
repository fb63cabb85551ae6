"""What torch prints as text: single layers, whole models as specs, and the spec to begin with."""

from __future__ import annotations

import json
import pathlib
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import FORBIDDEN, cases, run

from gradcheck.errors import GradcheckError, LanguageError, Source, SpecErrors
from gradcheck.networks.document import documents
from gradcheck.networks.from_model import MAX_LAYERS, from_model
from gradcheck.networks.loading import load
from gradcheck.networks.network import PARAMETER
from gradcheck.networks.spec import KEYS
from gradcheck.networks.starter import starter
from gradcheck.networks.table import LAYERS
from gradcheck.networks.torch_repr import parse_call

MODELS = cases("printed_models.jsonl")
"""What torch 2.13 prints, its parameters, and the output's shape when torch runs the guessed chain on the
guessed input; null where torch raises an error, as the layers do not fit."""

CALLS = [
    ("ReLU", None, "ReLU", [], {}),
    ("Tanh()", None, "Tanh", [], {}),
    ("(0): ReLU()", "0", "ReLU", [], {}),
    ("(features.3): ReLU( )", "features.3", "ReLU", [], {}),
    ("Linear(in_features=2, out_features=3, bias=True)", None, "Linear", [],
     {"in_features": 2, "out_features": 3, "bias": True}),
    ("(0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=same)", "0", "Conv2d", [3, 8],
     {"kernel_size": (3, 3), "stride": (1, 1), "padding": "same"}),
    ("Upsample(scale_factor=2.0, mode='nearest')", None, "Upsample", [], {"scale_factor": 2.0, "mode": "nearest"}),
    ('GELU(approximate="none")', None, "GELU", [], {"approximate": "none"}),
    ("LayerNorm((5,), eps=1e-05, elementwise_affine=True)", None, "LayerNorm", [(5,)],
     {"eps": 1e-5, "elementwise_affine": True}),
    ("torch.nn.Linear(2, 3, dtype=torch.float64)", None, "Linear", [2, 3], {"dtype": "torch.float64"}),
    ("nn.Softmax(dim=None)", None, "Softmax", [], {"dim": None}),
    ("X(a=[1, [2, (3,)], ()], b=(2), c=-.5, d=+3, e=1e3, f=1., g=false,)", None, "X", [],
     {"a": (1, (2, (3,)), ()), "b": 2, "c": -0.5, "d": 3, "e": 1000.0, "f": 1.0, "g": "false"}),
    (" Linear (\n 2,\n 3 ) ", None, "Linear", [2, 3], {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "kind", "positional", "keywords"), CALLS, ids=[row[0][:30] for row in CALLS])
def test_calls(text: str, name: str | None, kind: str, positional: list[Any], keywords: dict[str, Any]) -> None:
    call = parse_call(text)
    assert (call.name, call.type, list(call.positional), dict(call.keywords)) == (name, kind, positional, keywords)
    values = [*call.positional, *call.keywords.values()]
    expected = [*positional, *keywords.values()]
    assert list(map(type, values)) == list(map(type, expected))


def test_places_of_arguments() -> None:
    text = "(a): nn.Conv2d(3,  (1, 2) , padding = 'same')"
    call = parse_call(text)
    assert text[slice(*call.span)] == "nn.Conv2d"
    assert {key: text[slice(*place)] for key, place in call.places.items()} == {
        0: "3", 1: "(1, 2)", "padding": "'same'",
    }  # fmt: skip


def test_a_call_within_a_text() -> None:
    source = Source("one\n  ReLU(x=1)\nthree", "p")
    call = parse_call(source, 6, 15)
    assert source.text[6:15] == "ReLU(x=1)"
    assert (call.type, call.keywords, call.places) == ("ReLU", {"x": 1}, {"x": (13, 14)})
    with pytest.raises(LanguageError) as caught:
        parse_call(source, 6, 14)
    assert (caught.value.message, caught.value.span) == ("this `(` is not closed", (10, 11))


VALUES = "values are numbers, words, quoted text and tuples of these"
WRONG = [
    ("", 0, 1, "expected the name of a layer", "as in Linear(in_features=2, out_features=3)"),
    ("(a) ReLU()", 0, 1, "expected the name of a layer", "as in Linear(in_features=2, out_features=3)"),
    ("3", 0, 1, "expected the name of a layer", "as in Linear(in_features=2, out_features=3)"),
    ("Linear(2", 6, 7, "this `(` is not closed", "add `)`"),
    ("Linear((2, 3)", 6, 7, "this `(` is not closed", "add `)`"),
    ("Linear([2, 3", 7, 8, "this `[` is not closed", "add `]`"),
    ("Linear(2,", 8, 9, "a value is missing at the end", None),
    ("Linear(,)", 7, 8, "a value is missing here", None),
    ("Linear(a=)", 9, 10, "a value is missing here", None),
    ("Linear(2 3)", 9, 10, "expected `,` or `)` here", None),
    ("Linear([2, 3))", 12, 13, "expected `,` or `]` here", None),
    ("Linear(a=1, 2)", 12, 13, "a value without a name after values with names", "give it its name"),
    ("Linear(a=1, a=2)", 12, 13, "`a` is given twice", None),
    ("Linear(2))", 9, 10, "unexpected text after the layer", None),
    ("Linear()x y", 8, 11, "unexpected text after the layer", None),
    ("Linear(1.2.3)", 7, 8, "this is not a value", VALUES),
    ("Linear(12abc)", 7, 8, "this is not a value", VALUES),
    ("Linear(f=open(x))", 9, 10, "this is not a value", VALUES),
    ("Linear(a.b(x))", 7, 8, "this is not a value", VALUES),
    ("Linear('a\\n')", 7, 8, "this is not a value", VALUES),
    ("Linear(2 + 3)", 9, 10, "expected `,` or `)` here", None),
    ("Linear(" + "9" * 4001 + ")", 7, 4008, "a whole number of too many digits", None),
    ("Linear(" + "(" * 100_000, 15, 16, "more than 8 brackets within each other", None),
]


@pytest.mark.parametrize(("text", "start", "end", "message", "hint"), WRONG, ids=[row[0][:30] for row in WRONG])
def test_what_is_no_call(text: str, start: int, end: int, message: str, hint: str | None) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_call(text)
    error = caught.value
    assert (error.message, error.span, error.hint) == (message, (start, end), hint)


def refusal(function: Callable[[str], object], text: str) -> GradcheckError | None:
    """Call a function; return the deliberate error it raises."""
    try:
        function(text)
    except GradcheckError as error:
        return error
    return None


def test_mutated_calls_raise_nothing_else() -> None:
    rng = random.Random(5)
    good = 0
    for _ in range(3000):
        text = rng.choice(CALLS)[0]
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(list("()[],='\"\\ \n:.-+e1aT_é\x00")) + text[at + rng.randint(0, 2) :]
        problem = refusal(parse_call, text)
        good += problem is None
        if problem is not None:
            assert problem.span is not None
            assert 0 <= problem.span[0] <= len(text)
            assert "error: " in problem.render()
    assert good > 100


def read_back(text: str) -> None:
    """Turn a printed model into a spec, which must be one document without mistakes in its syntax."""
    written = from_model(Source(text, "model.txt"), LAYERS)
    roots, problems, _ = documents(Source(written, "spec.yaml"))
    assert ([problem.render() for problem in problems], len(roots)) == ([], 1), written


def spec_of(text: str) -> dict[str, Any]:
    """Turn a printed model into a spec; return the parts that the tests look at."""
    written = from_model(Source(text, "model.txt"), LAYERS)
    roots, problems, _ = documents(Source(written, "spec.yaml"))
    assert [p.render() for p in problems] == []
    assert len(roots) == 1
    layers = re.findall(r'^- (?:"\(([\w.]+)\): |\{name: "?([\w.]+)"?)', written, re.MULTILINE)
    given = re.search(r"^  x(?:_input)?: \{(shape|value): (\[.*\]), ", written, re.MULTILINE)
    assert given is not None
    entering = json.loads(given[2])
    if given[1] == "value":
        entering = [len(entering), len(entering[0])]
    target = re.search(r"^  t(?:_input)?: \{(shape|value): (\[.*?\])", written, re.MULTILINE)
    loss = re.search(r"^loss: \{type: (\w+)", written, re.MULTILINE)
    return {
        "text": written,
        "layers": [a or b for a, b in layers],
        "entering": entering,
        "target": (target[1], json.loads(target[2])) if target else None,
        "loss": loss[1] if loss else None,
    }


@pytest.mark.parametrize("model", MODELS, ids=[model["name"] for model in MODELS])
def test_printed_models(model: dict[str, Any]) -> None:
    found = spec_of(model["print"])
    assert found["layers"] == model["layers"]
    assert found["entering"] == model["entering"]
    leaving = model["leaving"]
    if leaving is None:
        assert (found["target"], found["loss"]) == (None, None)
        assert "the layers do not fit together in this order" in found["text"]
    elif found["loss"] in ("CrossEntropyLoss", "NLLLoss"):
        kind, classes = found["target"]
        assert kind == "value"
        assert len(classes) == leaving[0]
        assert max(classes) < leaving[1] > 1
    else:
        assert found["target"] == ("shape", leaving)


@pytest.mark.parametrize("model", MODELS, ids=[model["name"] for model in MODELS])
def test_printed_models_are_specs_that_can_be_built(model: dict[str, Any]) -> None:
    written = from_model(Source(model["print"], "model.txt"), LAYERS)
    networks, problems = load(Source(written, "spec.yaml"))
    if model["leaving"] is None:
        assert problems != []
        return
    assert [problem.render() for problem in problems] == []
    parameters = {name: list(t.shape) for name, t in networks[0].tensors.items() if t.kind == PARAMETER}
    # A layer alone has no name in state_dict.
    alone = not any(name.split(".")[0] in model["layers"] for name in model["parameters"]) and len(model["layers"]) == 1
    assert parameters == {("0." if alone else "") + name: shape for name, shape in model["parameters"].items()}


LOSSES = [
    ("Linear(4, 3)", "CrossEntropyLoss"),
    ("Linear(4, 1)", "MSELoss"),
    ("Sequential(\n  (0): Linear(4, 3)\n  (1): LogSoftmax(dim=1)\n)", "NLLLoss"),
    ("Sequential(\n  (0): Linear(4, 3)\n  (1): Sigmoid()\n)", "BCELoss"),
    ("Sequential(\n  (0): Linear(4, 3)\n  (1): Softmax(dim=1)\n)", "MSELoss"),
    ("Sequential(\n  (0): Linear(4, 3)\n  (1): Dropout(p=0.5, inplace=False)\n)", "CrossEntropyLoss"),
    ("Sequential(\n  (0): LayerNorm((2, 4))\n  (1): Linear(4, 3)\n)", "MSELoss"),
    ("Tanh()", "MSELoss"),
]


@pytest.mark.parametrize(("text", "loss"), LOSSES)
def test_losses_follow_the_last_layer(text: str, loss: str) -> None:
    assert spec_of(text)["loss"] == loss


PRINTED_LOSSES = [
    ("HuberLoss()", "loss: {type: HuberLoss, target: t}  # guessed: what it compares", "init: normal_"),
    ("BCEWithLogitsLoss()", "loss: {type: BCEWithLogitsLoss, target: t}  # guessed: what it compares", "init: ones_"),
    ("NLLLoss()", "loss: {type: NLLLoss, target: t}  # guessed: what it compares", "value: [0, 1], dtype: int64"),
    ("L1Loss(reduction=sum)",
     "loss: {type: L1Loss, reduction: sum, target: t}  # guessed: what it compares", "init: normal_"),
    ("HingeEmbeddingLoss()",
     "# loss: {type: HingeEmbeddingLoss, target: …}; without it the sum of the outputs is checked", None),
]  # fmt: skip


@pytest.mark.parametrize(("printed", "line", "target"), PRINTED_LOSSES, ids=[row[0] for row in PRINTED_LOSSES])
def test_a_printed_loss_is_the_loss_and_no_layer(printed: str, line: str, target: str | None) -> None:
    found = spec_of(f"Net(\n  (criterion): {printed}\n  (fc): Linear(4, 3)\n)")
    lines = found["text"].splitlines()
    assert (found["layers"], lines[-1]) == (["fc"], line)
    targets = [each for each in lines if each.startswith("  t: ")]
    assert len(targets) == (target is not None)
    assert all(target is not None and target in each for each in targets)
    networks, problems = load(Source(found["text"], "spec.yaml"))
    assert ([problem.render() for problem in problems], len(networks)) == ([], 1)


def test_rows_are_looked_up_in_an_input_alone() -> None:
    found = spec_of("Sequential(\n  (0): Tanh()\n  (1): Embedding(5, 2)\n)")
    assert (found["loss"], "the layers do not fit" in found["text"]) == (None, True)


def test_a_picture_that_takes_too_much_memory_is_not_called_a_misfit() -> None:
    wide = "(0): Conv2d(3, 512, kernel_size=3)\n(1): Conv2d(512, 512, kernel_size=3)\n"
    found = spec_of(f"Sequential(\n{wide}(2): Flatten()\n(3): Linear({512 * 200 * 200}, 2)\n)")
    assert "# guessed; none that was tried fits; this one takes too much memory" in found["text"]
    _, problems = load(Source(found["text"], "spec.yaml"))
    assert [problem.message for problem in problems if "the values up to here take" in problem.message]
    found = spec_of(f"Sequential(\n{wide}(2): Conv2d(511, 2, kernel_size=1)\n)")
    assert "# guessed; the layers do not fit together in this order" in found["text"]


def test_a_spec_says_what_was_guessed() -> None:
    written = from_model(Source(next(m["print"] for m in MODELS if m["name"] == "lenet"), "model.txt"), LAYERS)
    assert written == (
        "# A spec for Net, from print(model). Lines marked `guessed` are not in what it shows.\n"
        "gradcheck: 1\n"
        'name: "Net"\n'
        "inputs:\n"
        "  x: {shape: [2, 1, 20, 20], init: normal_}  # guessed\n"
        "  t: {value: [0, 1], dtype: int64}  # guessed: the class of each row\n"
        "# print() shows the parts of Net in the order in which they were made. It shows neither the order of\n"
        "# the calls in forward() nor what forward() does besides: activations, reshapes, skips, reuse.\n"
        "# Check this list against forward(), and correct it.\n"
        "layers:\n"
        '- "(conv1): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))"\n'
        '- "(pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"\n'
        '- "(conv2): Conv2d(6, 16, kernel_size=(5, 5), stride=(1, 1))"\n'
        '- "(fc1.flattened): Flatten()"  # guessed: Linear follows several axes\n'
        '- "(fc1): Linear(in_features=256, out_features=120, bias=True)"\n'
        '- "(fc2): Linear(in_features=120, out_features=10, bias=True)"\n'
        "loss: {type: CrossEntropyLoss, target: t}  # guessed\n"
    )


def test_a_sequential_is_not_doubted_and_gets_no_flatten() -> None:
    found = spec_of("Sequential(\n  (0): Conv2d(1, 2, kernel_size=(2, 2), stride=(1, 1))\n  (1): Linear(18, 2)\n)")
    assert found["layers"] == ["0", "1"]
    assert "forward()" not in found["text"]
    assert (found["entering"], found["target"]) == ([2, 1, 19, 19], ("shape", [2, 2, 18, 2]))


def test_a_class_of_its_own_flattens_pictures_but_not_sequences() -> None:
    found = spec_of("Net(\n  (0): Conv2d(1, 2, kernel_size=(2, 2), stride=(1, 1))\n  (1): Linear(18, 2)\n)")
    assert (found["layers"], found["entering"]) == (["0", "1.flattened", "1"], [2, 1, 4, 4])
    found = spec_of("Net(\n  (0): LayerNorm((5, 3))\n  (1): Linear(3, 2)\n)")
    assert (found["layers"], found["entering"], found["target"]) == (["0", "1"], [2, 5, 3], ("shape", [2, 5, 2]))
    found = spec_of("Net(\n  (0): LayerNorm((5, 3))\n  (1): Linear(15, 2)\n)")
    assert (found["layers"], found["entering"]) == (["0", "1.flattened", "1"], [2, 5, 3])


def test_channels_are_not_read_behind_a_linear_layer() -> None:
    found = spec_of(
        "Sequential(\n (0): MaxPool2d(kernel_size=2)\n (1): Flatten()\n (2): Linear(16, 5)\n (3): GroupNorm(1, 5)\n)"
    )
    assert (found["entering"], found["target"]) == ([2, 1, 8, 8], ("shape", [2, 5]))


def test_slopes_of_a_prelu_are_channels_but_for_one() -> None:
    assert spec_of("PReLU(num_parameters=5)")["entering"] == [2, 5]
    assert spec_of("Sequential(\n  (0): PReLU(num_parameters=1)\n  (1): Linear(4, 2)\n)")["entering"] == [2, 4]


def test_words_of_a_class_are_kept_as_comments() -> None:
    text = next(m["print"] for m in MODELS if m["name"] == "blocks")
    assert "# it says of itself: scale=2\n" in spec_of(text)["text"]
    nasty = spec_of("Net(\n  a=\x1b[31m\u202e\n  (0): Tanh()\n)")["text"]
    assert not FORBIDDEN.search(nasty)


def complaints(text: str) -> list[tuple[str, str, str | None]]:
    with pytest.raises(SpecErrors) as caught:
        from_model(Source(text, "model.txt"), LAYERS)
    found = []
    for problem in caught.value.problems:
        assert problem.source is not None
        assert problem.span is not None
        line, column = problem.source.position(problem.span[0])
        found.append((f"{line}:{column}", problem.message, problem.hint))
    return found


OPS = "`gradcheck layers` lists the layers; formulas of your own go under ops:"
UNREADABLE = [
    ("Sequential(\n  (0): Linaer(2, 3)\n  (1): Foobarbaz()\n)",
     [("2:8", "unknown layer `Linaer`", "did you mean `Linear`?"), ("3:8", "unknown layer `Foobarbaz`", OPS)]),
    ("LSTM(10, 20)", [("1:1", "unknown layer `LSTM`", "write its steps as nodes with LSTMCell")]),
    ("Bilinear(2, 3, 4)", [("1:1", "`Bilinear` takes 2 inputs", "write it as a node, with inputs:")]),
    ("Sequential(\n  (0): Linear(2, 3\n  (1): Linear(f(x))\n)",
     [("2:14", "this `(` is not closed", "add `)`"), ("3:15", "this is not a value", VALUES)]),
    ("Sequential(\n  (0): Tanh()\n", [("1:11", "this `(` is not closed", "add `)`")]),
    ("Sequential(\n  (0): Tanh()\n)\nTanh()",
     [("4:1", "the model ends above this line", "paste one model at a time")]),
    ("hello world", [("1:7", "unexpected text after the layer", None)]),
    ("\n \n", [("1:1", "there is no layer here", "paste what print(model) shows")]),
    ("Sequential()", [("1:1", "there is no layer here", "paste what print(model) shows")]),
    ("N(\n  (p): ParameterList(\n      (0): Parameter containing: [torch.float32 of size 2]\n  )\n  (a): Tanh()\n)",
     [("2:3", "parameters outside layers are no part of a chain", "use them in a node's expr:")]),
    ("N(\n  (p): ParameterList(  (0): Parameter containing: [torch.float32 of size 2])\n)",
     [("2:3", "parameters outside layers are no part of a chain", "use them in a node's expr:")]),
    ("N(\n  (a-b): Tanh()\n)", [("2:3", "`a-b` cannot be part of a name", "names are letters, digits and _")]),
    ("N(\n  (0-2): 2 x Tanh()\n)", [("2:3", "expected the names of 2 modules", "as in (0-5): 6 x Block(")]),
    ("MultiheadAttention(\n)", [("1:1", "there is no layer here", "paste what print(model) shows")]),
    ("3 x Tanh()", [("1:1", "expected the names of 3 modules", "as in (0-5): 6 x Block(")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), UNREADABLE, ids=[row[0][:24] for row in UNREADABLE])
def test_what_cannot_be_read(text: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert complaints(text) == expected


def test_hostile_models_are_bounded() -> None:
    begin = time.perf_counter()
    deep = "\n".join("(0): A(" for _ in range(5000))
    assert [message for _, message, _ in complaints(deep)] == ["more than 64 modules within each other"]
    wide = "A(\n" + "(0-9999): 10000 x B(\n" * 60 + "(0): Tanh()\n" + ")\n" * 61
    assert [message for _, message, _ in complaints(wide)] == [f"more than {MAX_LAYERS:,} modules"]
    flat = "A(\n" + "(0-9999): 10000 x Tanh()\n" * 20_000 + ")"
    assert [message for _, message, _ in complaints(flat)] == [f"more than {MAX_LAYERS:,} modules"]
    assert time.perf_counter() - begin < 3


def test_a_search_ends() -> None:
    """Every layer is another one, so that nothing is known of it from the one before."""
    begin = time.perf_counter()
    layers = "".join(f"({k}): Conv2d({k + 3}, {k + 4}, kernel_size=3, padding=1)\n" for k in range(600))
    found = spec_of(f"Sequential(\n{layers}(last): Linear(7, 2, bias=1)\n)")
    assert "# guessed; none that was tried fits\n" in found["text"]
    assert time.perf_counter() - begin < 6


@pytest.mark.parametrize(
    "text",
    [
        "Linear(in_features=" + "9" * 4000 + ", out_features=" + "9" * 4000 + ")",
        "Sequential(\n(0): Conv2d(3, " + "9" * 4000 + ", kernel_size=1)\n(1): Flatten()\n)",
        "Upsample(scale_factor=1e308)",
        "Conv2d(1, 2, kernel_size=1, stride=0)",
        "Conv2d(1, 2)",
        "Conv2d(x, y, kernel_size=(1, 2, 3))",
        "BatchNorm1d()",
        "LayerNorm(())",
        "Flatten(start_dim=word)",
        "Embedding(0, 2.5)",
        "GLU(dim=None)",
        "PReLU(num_parameters=-3)",
        "MultiheadAttention(\n  (out_proj): Tanh()\n)",
        "Sequential(\n  (0): Tanh()\n  (1): Embedding(5, 2)\n)",
    ],
    ids=lambda text: text[:30],
)
def test_arguments_of_any_kind_give_a_spec(text: str) -> None:
    assert refusal(read_back, text) is None


def test_mutated_models_raise_nothing_else() -> None:
    rng = random.Random(3)
    good = 0
    for _ in range(400):
        text = rng.choice(MODELS)["print"]
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            piece = rng.choice(["", "(", ")", "\n", "(0-3): 4 x ", "'", ",", "9", "é", "\x1b", "Linear", "=None", "-"])
            text = text[:at] + piece + text[at + rng.randint(0, 3) :]
        problem = refusal(read_back, text)
        good += problem is None
        if problem is not None:
            assert isinstance(problem, SpecErrors)
            assert "error: " in problem.render()
    assert good > 40


def test_the_starter_is_a_valid_spec() -> None:
    networks, problems = load(Source(starter(), "starter.yaml"))
    assert [problem.render() for problem in problems] == []
    assert {name for name, t in networks[0].tensors.items() if t.kind == PARAMETER} == {
        "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias",
    }  # fmt: skip


def test_the_starter_shows_every_key() -> None:
    shown = set(re.findall(r"^(?:# )?([a-z]+):", starter(), re.MULTILINE))
    assert set(KEYS) <= shown


OPTIONAL = ["mode", "output", "ops", "backward", "check", "expect"]


def added(*keys: str) -> str:
    """Return the starter with what it comments out under some keys."""
    text = starter()
    for key in keys:
        block = re.compile(rf"^# {key}:.*(?:\n#   .*)*", re.MULTILINE)
        assert block.search(text)
        text = block.sub(lambda m: re.sub("^# ", "", m[0], flags=re.MULTILINE), text)
    return text


@pytest.mark.parametrize("key", OPTIONAL)
def test_what_the_starter_comments_out_is_right_too(key: str) -> None:
    """The numbers it expects are those of torch 2.13 for the same parameters."""
    done = run("verify", "-", stdin=added(key).encode())
    if key == "ops":
        # An op that no node uses would not be checked.
        assert (done.status, "op `swish` is never used" in done.err) == (2, True)
        return
    assert (done.status, done.err) == (0, "")
    assert "disagree" not in done.out


@pytest.mark.parametrize("activation", ["tanh", "swish"])
def test_the_graph_in_the_starter_can_take_the_place_of_the_chain(activation: str) -> None:
    keys = ("nodes", "ops") if activation == "swish" else ("nodes",)
    text = re.sub(r"^layers:.*(?:\n- .*)*", "", added(*keys), flags=re.MULTILINE)
    done = run("verify", "-", "-v", stdin=text.replace("tanh(", f"{activation}(").encode())
    assert (done.status, done.err) == (0, "")
    assert "fc1.weight" in done.out
    assert "fc2" not in done.out


@pytest.mark.parametrize("name", ["mlp", "cnn", "rms", "huber"])
def test_init_writes_what_verify_reads(name: str, tmp_path: pathlib.Path) -> None:
    printed = tmp_path / "model.txt"
    printed.write_text(next(m["print"] for m in MODELS if m["name"] == name), encoding="utf-8")
    written = run("init", "--from-repr", str(printed))
    assert (written.status, written.err) == (0, "")
    done = run("verify", "-", stdin=written.out.encode())
    assert (done.status, done.err) == (0, "")
