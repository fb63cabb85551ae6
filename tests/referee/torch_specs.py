"""A spec as PyTorch computes it: an independent reading of the format, which uses nothing of gradcheck."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

STEP_KEYS = {"name", "type", "inputs", "input", "target", "var", "params", "training", "expr"}
TERM = re.compile(r"(sum\()?([A-Za-z_][\w.]*)\*([A-Za-z_][\w.]*)\)?")
"""Expressions in records are products of two names, or sums over such products, added up."""


@contextmanager
def double_precision() -> Iterator[None]:
    """Make float64 what torch takes for numbers and modules."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class HalfSquaredErrorLoss(nn.Module):
    """½ Σ (y - o)², which torch does not have."""

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        each = (y - x) ** 2 / 2
        return {"sum": each.sum, "mean": each.mean, "none": each.clone}[self.reduction]()


class Hardsigmoid(nn.Module):
    """torch's own multiplies by a sixth in single precision, which is wrong in the eighth digit."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + 3, 0, 6) / 6


class CELU(nn.Module):
    """torch's own backward takes 1/alpha in single precision."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * torch.expm1(x / self.alpha))


WRITTEN_OUT = {"HalfSquaredErrorLoss": HalfSquaredErrorLoss, "Hardsigmoid": Hardsigmoid, "CELU": CELU}


def _max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return x.amax(() if dim is None else dim, keepdim)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "matmul": torch.matmul,
    "cat": lambda *x, dim=0: torch.cat(x, dim),
    "stack": lambda *x, dim=0: torch.stack(x, dim),
    "split": torch.split,
    "chunk": torch.chunk,
    "reshape": torch.reshape,
    "permute": torch.permute,
    "transpose": torch.transpose,
    "mean": torch.mean,
    "sum": lambda x, dim=None, keepdim=False: torch.sum(x, dim, keepdim),
    "max": _max,
    "scaled_dot_product_attention": nn.functional.scaled_dot_product_attention,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "swish": nn.functional.silu,
}

NORMALIZED: Callable[..., Any] = lambda x: {"normalized_shape": x.shape[-1:]}  # noqa: E731
STEP_INPUT: Callable[..., Any] = lambda x, *_: {"input_size": x.shape[-1]}  # noqa: E731
INFERRED: dict[str, Callable[..., dict[str, Any]]] = {
    "Linear": lambda x: {"in_features": x.shape[-1]},
    "Bilinear": lambda x, y: {"in1_features": x.shape[-1], "in2_features": y.shape[-1]},
    "Conv1d": lambda x: {"in_channels": x.shape[-2]},
    "Conv2d": lambda x: {"in_channels": x.shape[-3]},
    "ConvTranspose2d": lambda x: {"in_channels": x.shape[-3]},
    "BatchNorm1d": lambda x: {"num_features": x.shape[1]},
    "BatchNorm2d": lambda x: {"num_features": x.shape[1]},
    "InstanceNorm2d": lambda x: {"num_features": x.shape[-3]},
    "GroupNorm": lambda x: {"num_channels": x.shape[1]},
    "LayerNorm": NORMALIZED,
    "RMSNorm": NORMALIZED,
    "RNNCell": STEP_INPUT,
    "LSTMCell": STEP_INPUT,
    "GRUCell": STEP_INPUT,
}
"""Sizes that a spec may leave out and a constructor may not."""

TENSORS = ("weight", "pos_weight", "attn_mask", "mask")
"""Arguments that are tensors: numbers, or the name of an input."""

OF_THE_CALL = ("attn_mask", "mask", "is_causal", "average_attn_weights")
"""Arguments that a module takes when it is called, not when it is made."""


def tensor(data: Any) -> Tensor:
    """Return an input: float64 unless it says otherwise."""
    if isinstance(data, Mapping):
        return torch.tensor(data["value"]).to(getattr(torch, data.get("dtype", "float64")))
    found = torch.tensor(data)
    return found if found.dtype == torch.bool else found.to(torch.float64)


def printed(text: str) -> dict[str, Any]:
    """Read a layer as `print(model)` shows it."""
    call = ast.parse(text.partition("): ")[2] if text.startswith("(") else text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    keywords = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    return {"type": call.func.id, "positional": [ast.literal_eval(a) for a in call.args], **keywords}


def names(value: Any) -> list[str]:
    """Return one name or several as a list."""
    return [value] if isinstance(value, str) else list(value or [])


def targets(spec: Mapping[str, Any]) -> set[str]:
    """Return the inputs that are used as targets of a loss."""
    steps = [*spec.get("nodes", {}).values(), spec.get("loss", {})]
    found = {name for step in steps for key in ("target", "var") for name in names(step.get(key))}
    return found | {names(s["inputs"])[-1] for s in steps if s.get("type", "").endswith("Loss") and "inputs" in s}


def steps(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the nodes of a spec by name, each with its inputs."""
    found = {name: dict(item) for name, item in spec.get("nodes", {}).items()}
    floats = [n for n, data in spec["inputs"].items() if tensor(data).is_floating_point() and n not in targets(spec)]
    last = floats[0] if len(floats) == 1 else ""
    for k, item in enumerate(spec.get("layers", ())):
        step = printed(item) if isinstance(item, str) else dict(item)
        step.setdefault("inputs", last)
        last = step.get("name", str(k))
        found[last] = step
    if "loss" in spec:
        step = dict(spec["loss"])
        step["inputs"] = names(step.get("inputs", step.get("input", last or list(found)[-1])))
        step["inputs"] += names(step.get("target")) + names(step.get("var"))
        found["loss"] = step
    return found


class Evaluation:
    """The forward pass of a spec.

    Attributes:
        known: name → tensor: inputs, parameters, nodes and the outputs of nodes that have several.
        trained: names of the parameters, without buffers.
        nodes: names in `known` that are nodes or outputs of nodes.
    """

    def __init__(self, spec: Mapping[str, Any], parameter: Callable[[str, Tensor], Tensor]) -> None:
        """Compute a spec; `parameter` gets a name and torch's own initial value and returns the value to use."""
        self.spec = spec
        self.parameter = parameter
        self.known: dict[str, Tensor] = {name: tensor(data) for name, data in spec["inputs"].items()}
        for value in self.known.values():
            value.requires_grad_(value.is_floating_point())
        self.trained: list[str] = []
        self.nodes: list[str] = []
        waiting = steps(spec)
        while waiting:
            name = next(n for n, step in waiting.items() if set(self.needs(step)) <= self.known.keys())
            self.store(name, self.step(name, waiting.pop(name)))

    def needs(self, step: Mapping[str, Any]) -> list[str]:
        """Return the names that must be known before a step."""
        if "expr" in step:
            return [name for term in TERM.finditer(step["expr"]) for name in term.groups()[1:]]
        return names(step["inputs"])

    def store(self, name: str, value: Any) -> None:
        """Keep the output of a node, or its outputs under their suffixes and the first under its name."""
        if isinstance(value, Tensor):
            self.known[name] = value
            self.nodes.append(name)
            return
        lstm = steps(self.spec)[name].get("type") == "LSTMCell"
        for k, part in enumerate(value):
            self.store(f"{name}.{'hc'[k] if lstm else k}", part)
        self.known[name] = value[0]

    def step(self, name: str, step: dict[str, Any]) -> Any:
        """Compute one node."""
        if "expr" in step:
            terms = [(t[1], self.known[t[2]] * self.known[t[3]]) for t in TERM.finditer(step["expr"])]
            return sum((product.sum() if total else product) for total, product in terms)
        operands = [self.known[n] for n in names(step["inputs"])]
        arguments = {k: v for k, v in step.items() if k not in STEP_KEYS}
        for key in TENSORS:
            if key in arguments:
                value = arguments[key]
                arguments[key] = self.known[value] if isinstance(value, str) else tensor(value)
        arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
        if step["type"] in FUNCTIONS:
            return FUNCTIONS[step["type"]](*operands, **arguments)
        return self.module(name, step, operands, arguments)

    def module(self, name: str, step: Mapping[str, Any], operands: list[Tensor], arguments: dict[str, Any]) -> Any:
        """Make a module, give it its parameters, and call it."""
        kind = step["type"]
        positional = arguments.pop("positional", ())
        called = {key: arguments.pop(key) for key in OF_THE_CALL if key in arguments}
        if not positional and kind in INFERRED:
            arguments = {**INFERRED[kind](*operands), **arguments}
        loss = kind.endswith("Loss")
        if loss:
            arguments = {k: v.detach() if isinstance(v, Tensor) else v for k, v in arguments.items()}
        module = (WRITTEN_OUT.get(kind) or getattr(nn, kind))(*positional, **arguments)
        module.train(step.get("training", self.spec.get("mode", "train") == "train"))
        state = {} if loss else self.state(name, step, module)
        if kind == "Embedding" or (kind in ("CrossEntropyLoss", "NLLLoss") and operands[1].shape != operands[0].shape):
            operands[-1] = operands[-1].long()
        mask = called.pop("mask", None)
        if mask is not None and module.training:
            return operands[0] * mask / (1 - module.p)
        if arguments.get("inplace"):
            operands = [x.clone() for x in operands]  # torch does not overwrite what it differentiates
        if kind == "LSTMCell" and len(operands) > 1:
            operands = [operands[0], tuple(operands[1:])]  # type: ignore[list-item]
        if kind == "MultiheadAttention":
            operands = operands * 3 if len(operands) == 1 else operands
            if called.pop("is_causal", False):
                # torch wants the causal mask as well: True is what may not be attended to.
                batch = 0 if operands[0].dim() == 2 or not module.batch_first else 1
                lengths = [x.shape[batch] for x in operands[:2]]
                called["attn_mask"] = torch.ones(*lengths, dtype=torch.bool).triu(1)
        return torch.func.functional_call(module, state, tuple(operands), called)

    def state(self, name: str, step: Mapping[str, Any], module: nn.Module) -> dict[str, Tensor]:
        """Return the module's parameters and buffers by local name; they are known by their full names."""
        sharing = step.get("params", name)
        trained = {n for n, _ in module.named_parameters()}
        found = {}
        for local, initial in module.state_dict().items():
            full = f"{sharing}.{local}" if isinstance(sharing, str) else sharing.get(local, f"{name}.{local}")
            if full not in self.known:
                self.known[full] = self.parameter(full, initial).requires_grad_(local in trained)
                if local in trained:
                    self.trained.append(full)
            # Running statistics are written to by the call.
            found[local] = self.known[full] if local in trained else self.known[full].clone()
        return found

    def total(self) -> Tensor:
        """Return the value that is differentiated."""
        if "output" in self.spec:
            return self.known[self.spec["output"]].sum()
        return self.known["loss" if "loss" in self.spec else self.nodes[-1]].sum()

    def wrt(self) -> list[str]:
        """Return the names that the spec asks to be checked."""
        floats = [n for n in self.spec["inputs"] if self.known[n].requires_grad]
        if "check" not in self.spec:
            return [n for n in floats if n not in targets(self.spec)] + self.trained
        patterns: Sequence[str] = self.spec["check"]["wrt"]
        heads = tuple(p[:-1] for p in patterns if p.endswith(".*"))
        return [n for n in floats if n in patterns] + [n for n in self.trained if n in patterns or n.startswith(heads)]


def given(spec: Mapping[str, Any]) -> Callable[[str, Tensor], Tensor]:
    """Return the parameters of a spec as `Evaluation` wants them."""
    params = spec.get("params", {})
    return lambda name, initial: torch.tensor(params[name]).to(initial.dtype) if name in params else initial


@double_precision()
def results(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value, the nodes' values and the gradients of a spec, as JSON holds them."""
    evaluation = Evaluation(spec, given(spec))
    total, wrt = evaluation.total(), evaluation.wrt()
    grads = torch.autograd.grad(total, [evaluation.known[n] for n in wrt], materialize_grads=True)
    return {
        "loss": total.item(),
        "outputs": {name: evaluation.known[name].tolist() for name in evaluation.nodes},
        "grads": {name: grad.tolist() for name, grad in zip(wrt, grads, strict=True)},
    }
