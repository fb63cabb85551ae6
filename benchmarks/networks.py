"""Gradient checks of networks against `torch.autograd.gradcheck`, slow and fast mode.

The same classifiers for both: layers with tanh, softmax cross-entropy, batch 32, float64, the
parameters differentiated. First the two gradients are compared. Ours: forward, backprop,
`in_float64.examine` (every number by the differences of every gate, and one direction end to end);
`exhaustive` moves every number end to end besides. The graph is built once, as torch's function
is. Torch: its defaults, with `fast_mode` or without; forward and backward are part of it, as they
are of ours. Rounds are interleaved, ratios are medians of the rounds; one thread, CPU seconds.

Slow mode of the larger networks is not run in full: it costs the same for each number, since the
whole network is evaluated twice for it, so it is run for one tensor alone and multiplied. The
note says so.

The network of 10^6 parameters runs in a process of its own, which reports the growth of its peak
resident set.

Detection: one of 4,810 gradients is made wrong, chosen anew for each trial, by a factor of
1 + 1e-5 or by its sign; and right gradients, at new points. For torch the parameter passes through
a function that does nothing but that to its gradient.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from figures import Figure, interleaved, median_ratio, progress, show

from gradcheck.checking.array_place import ArrayPlace
from gradcheck.checking.in_float64 import examine
from gradcheck.checking.judge import DISAGREE, SEVERITY
from gradcheck.errors import Source
from gradcheck.graph.shapes import infer
from gradcheck.language.parser import parse

BATCH = 32
SMALL, WIDE, DEEP = (64, 64, 10), (784, 128, 10), (64, 64, 64, 64, 10)
LARGE = (784, 1024, 192, 10)
BOUNDS = {SMALL: (350, 60), WIDE: (1000, 300), DEEP: (1000, 10)}
"""Networks: slow mode over ours, by default and exhaustive."""

MOST_BYTES = 2e9
QUICK = "--quick" in sys.argv
ROUNDS = 3 if QUICK else 9
TRIALS = {"ours": 100, "fast": 100, "slow": 3 if QUICK else 10}

Arrays = dict[str, Any]


def numbers(sizes: tuple[int, ...], seed: int = 0) -> Arrays:
    """Draw a network's input, targets and parameters, W1, b1, W2, …, initialised as torch's Linear is."""
    random = np.random.default_rng(seed)
    at = {"x": random.normal(size=(BATCH, sizes[0])), "t": random.integers(0, sizes[-1], BATCH)}
    for k, (before, after) in enumerate(pairwise(sizes), 1):
        at[f"W{k}"] = random.uniform(-1, 1, size=(after, before)) / before**0.5
        at[f"b{k}"] = random.uniform(-1, 1, size=after) / before**0.5
    return at


class Ours:
    """A network as an expression."""

    def __init__(self, sizes: tuple[int, ...], at: Arrays) -> None:
        self.at = {**at, "t": np.eye(sizes[-1])[at["t"]]}
        self.wrt = [name for name in at if name not in ("x", "t")]
        text = "x"
        for k in range(1, len(sizes)):
            text = f"{text} @ W{k}.T + b{k}" if k == 1 else f"tanh({text}) @ W{k}.T + b{k}"
        source = Source(f"-sum(t*log_softmax({text}))/{BATCH}", "network")
        self.graph = parse(source, list(self.at))
        infer(self.graph, {name: x.shape for name, x in self.at.items()})

    def point(self) -> ArrayPlace:
        """Run forward and backprop."""
        return ArrayPlace(self.graph, self.at)

    def wrong(self, point: ArrayPlace, exhaustive: bool = False) -> int:
        """Check a point and return how many numbers are called wrong."""
        found = examine(point, self.wrt, exhaustive=exhaustive)
        word = SEVERITY.index(DISAGREE)
        return sum(int((tensor.words == word).sum()) for tensor in found.tensors)


class Torch:
    """The same network for torch's own check."""

    def __init__(self, at: Arrays) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        self.x, self.t = torch.from_numpy(at["x"]), torch.from_numpy(at["t"])
        self.parameters = [torch.from_numpy(x.copy()).requires_grad_() for name, x in at.items() if name not in "xt"]

    def loss(self, *parameters: Any) -> Any:
        """The function that is checked."""
        functional, hidden = self.torch.nn.functional, self.x
        for k in range(0, len(parameters), 2):
            hidden = functional.linear(self.torch.tanh(hidden) if k else hidden, parameters[k], parameters[k + 1])
        return functional.cross_entropy(hidden, self.t)

    def passes(self, fast: bool, function: Callable[..., Any] | None = None, only: int | None = None) -> bool:
        """Run gradcheck; with `only`, one tensor alone is differentiated."""
        tensors = self.parameters
        if only is not None:
            tensors = [p if k == only else p.detach() for k, p in enumerate(tensors)]
        check = self.torch.autograd.gradcheck
        return bool(check(function or self.loss, tensors, fast_mode=fast, raise_exception=False))

    def tampered(self, which: int, place: int, factor: float) -> Callable[..., Any]:
        """Return the loss with one number of one parameter's gradient multiplied by `factor`."""

        class Tampered(self.torch.autograd.Function):  # type: ignore[name-defined, misc]
            @staticmethod
            def forward(_: Any, value: Any) -> Any:
                return value.clone()

            @staticmethod
            def backward(_: Any, gradient: Any) -> Any:
                gradient = gradient.clone()
                gradient.view(-1)[place] *= factor
                return gradient

        def loss(*parameters: Any) -> Any:
            return self.loss(*(Tampered.apply(p) if k == which else p for k, p in enumerate(parameters)))

        return loss


def timed(run: Callable[[], Any], times: int = 1) -> float:
    """Return the CPU seconds of one run, the mean of several."""
    started = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - started) / times


def speed(sizes: tuple[int, ...]) -> list[Figure]:
    """Compare the times of one network."""
    at = numbers(sizes)
    ours, torch = Ours(sizes, at), Torch(at)
    point = ours.point()
    gradients = torch.torch.autograd.grad(torch.loss(*torch.parameters), torch.parameters)
    for name, theirs in zip(ours.wrt, gradients, strict=True):
        mine = point.gradients[ours.graph.inputs[name]]
        assert np.allclose(mine, theirs.numpy(), rtol=1e-9, atol=1e-12), f"{name} is another gradient"
    assert ours.wrong(point) == ours.wrong(point, exhaustive=True) == 0
    count = sum(p.numel() for p in torch.parameters)
    label = f"{'-'.join(map(str, sizes))} ({count:,} parameters)"
    progress(f"{label}: {ROUNDS} rounds of each mode")
    whole = sizes == SMALL
    part = torch.parameters[1].numel()
    torch.passes(True)
    runs = {
        "default": lambda: timed(lambda: ours.wrong(ours.point()), 5),
        "exhaustive": lambda: timed(lambda: ours.wrong(ours.point(), exhaustive=True), 5 if whole else 1),
        "fast": lambda: timed(lambda: torch.passes(True), 3),
        "slow": lambda: timed(lambda: torch.passes(False)) if whole
        else timed(lambda: torch.passes(False, only=1)) * count / part,
    }  # fmt: skip
    seconds = interleaved(runs, ROUNDS)
    how = "slow mode in full" if whole else f"slow mode of {part} numbers, multiplied to {count:,}"
    default, exhaustive = BOUNDS[sizes]
    figures = []
    for mode, bound in (("default", default), ("exhaustive", exhaustive)):
        ratio, note = median_ratio(seconds["slow"], seconds[mode])
        note = f"{shown(seconds['slow'])} to {shown(seconds[mode])}; {how}; {note}"
        figures.append(Figure(f"{label}: slow mode / {mode}", ratio, bound, True, "x", note))
    ratio, note = median_ratio(seconds["fast"], seconds["default"])
    note = f"{shown(seconds['fast'])} to {shown(seconds['default'])}; {note}"
    figures.append(Figure(f"{label}: fast mode / default", ratio, 1 if whole else None, True, "x", note))
    return figures


def shown(seconds: list[float]) -> str:
    """Return the median time as people write it."""
    middle = sorted(seconds)[len(seconds) // 2]
    return f"{middle:.3g} s" if middle >= 1 else f"{1e3 * middle:.3g} ms"


def large() -> None:
    """Check a network of 10^6 parameters and print seconds, parameters and bytes: a process of its own."""
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    at = numbers(LARGE)
    ours = Ours(LARGE, at)
    wrong: list[int] = []
    seconds = timed(lambda: wrong.append(ours.wrong(ours.point())))
    used = unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert wrong == [0]
    print(json.dumps([seconds, sum(at[name].size for name in ours.wrt), used]))


def in_the_large() -> list[Figure]:
    """Run `large` in a new process."""
    progress("10^6 parameters")
    command = [sys.executable, __file__, "--large"]
    seconds, count, used = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    label = f"{'-'.join(map(str, LARGE))} ({count:,} parameters)"
    return [
        Figure(f"{label}: default", seconds, 10, unit="s"),
        Figure(f"{label}: growth of the peak", used / 1e9, MOST_BYTES / 1e9, unit="GB"),
    ]


def detection() -> list[Figure]:
    """Count the trials in which one wrong gradient of 4,810 is noticed, and right ones are not let pass."""
    figures = []
    for what, factor in (("one gradient times 1 + 1e-5", 1 + 1e-5), ("one sign flipped", -1.0), ("right", 1.0)):
        for who, trials in TRIALS.items():
            progress(f"detection: {what}, {who}, {trials} trials")
            noticed = sum(noticed_once(who, factor, seed) for seed in range(trials))
            alarm = factor == 1
            bound = None if who != "ours" else 0.0 if alarm else 99.0
            name = f"{what}: {'false alarms of' if alarm else 'noticed by'} {who if who == 'ours' else f'torch {who}'}"
            figures.append(Figure(name, 100 * noticed / trials, bound, not alarm, "%", f"{trials} trials"))
    return figures


def noticed_once(who: str, factor: float, seed: int) -> bool:
    """Return whether a check complains."""
    at = numbers(SMALL, seed)
    random = np.random.default_rng(seed)
    names = [name for name in at if name not in ("x", "t")]
    sizes = [at[name].size for name in names]
    chosen = int(random.integers(sum(sizes)))
    which = int(np.searchsorted(np.cumsum(sizes), chosen, side="right"))
    place = chosen - sum(sizes[:which])
    if who == "ours":
        ours = Ours(SMALL, at)
        point = ours.point()
        node = ours.graph.inputs[names[which]]
        gradient = np.array(point.gradients[node])
        gradient.flat[place] *= factor
        point.gradients[node] = gradient
        return ours.wrong(point) > 0
    torch = Torch(at)
    torch.torch.manual_seed(seed)
    return not torch.passes(who == "fast", torch.tampered(which, place, factor))


def measure() -> list[Figure]:
    """Measure everything that can be."""
    figures = in_the_large()
    try:
        import torch  # noqa: F401
    except ImportError:
        return [*figures, Figure("networks against torch", None, note="torch is not installed")]
    for sizes in (SMALL, WIDE, DEEP):
        figures += speed(sizes)
    return figures + detection()


if __name__ == "__main__":
    if "--large" in sys.argv:
        large()
    else:
        show(measure())
