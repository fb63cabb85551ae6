"""A part of a derivation: the paths to one quantity, or the last few stages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from gradcheck.deriving.records import CONSTANT, HIDDEN, STAGE, Derivation, Leaf, Part, Step
from gradcheck.errors import UsageError, did_you_mean


def focused(derivation: Derivation, name: str) -> Derivation:
    """Return what lies between one quantity (or those that fit a pattern) and the output.

    The other operands of those stages remain, as values that are given.

    Raises:
        UsageError: if there is no such quantity.
    """
    known = [name for name, one in derivation.quantities.items() if not isinstance(one, Leaf) or one.kind != CONSTANT]
    chosen = {one for one in known if fnmatchcase(one, name)}
    if not chosen:
        hint = did_you_mean(name, known) or f"there are {', '.join(known[:20])}"
        raise UsageError(f"--focus {name}: no such variable or stage", hint=hint)
    reached = set(chosen)
    for step in derivation.steps:
        if not reached.isdisjoint(step.operands):
            reached.add(step.name)
    # What the output does not need is on no path, whatever it is computed from.
    needed = {derivation.output}
    for step in reversed(derivation.steps):
        if step.name in needed:
            needed.update(step.operands)
    kept = [step for step in derivation.steps if step.name in reached & needed]
    return _part(derivation, kept, reached & needed)


def shallow(derivation: Derivation, depth: int) -> Derivation:
    """Return the last stages: those that lie at most `depth` gates (layers, in a network) before the output."""
    level = _levels(derivation)
    kept = [step for step in derivation.steps if level[step.name] < depth]
    return _part(derivation, kept, None)


def _levels(derivation: Derivation) -> dict[str, int]:
    """Return how many gates lie behind each stage on the longest way to the output, or how many layers."""
    level = {one.name: 0 for one in derivation.steps}
    block = {step.name: step.block for step in derivation.steps}
    for step in reversed(derivation.steps):
        for operand in step.operands:
            if operand in level:
                inside = step.block is not None and block[operand] == step.block
                level[operand] = max(level[operand], level[step.name] + (not inside))
    return level


def _shown(parts: Sequence[Part], numbers: Collection[int]) -> tuple[Part, ...]:
    """Return the contributions of some steps, and as one what comes back from all others."""
    shown = [part for part in parts if part.step in numbers]
    hidden = [part.value for part in parts if part.step not in numbers]
    if hidden and shown:
        shown.append(Part(HIDDEN, 0, sum(hidden[1:], hidden[0])))
    return tuple(shown)


def _part(derivation: Derivation, kept: list[Step], reached: set[str] | None) -> Derivation:
    """Return the derivation with some of its steps; `reached` are the names whose gradients matter."""
    names = {step.name for step in kept}
    numbers = {step.number for step in kept}
    used = dict.fromkeys(operand for step in kept for operand in step.operands if operand not in names)
    known = derivation.quantities
    leaves = []
    for name in used:
        one = known[name]
        leaf = (
            one if isinstance(one, Leaf) else Leaf(name, STAGE, one.node, one.value, one.gradient, one.parts, one.proof)
        )
        if reached is not None and name not in reached:
            leaf = leaf._replace(gradient=None, parts=(), proof=None)
        leaves.append(leaf._replace(parts=_shown(leaf.parts, numbers)))
    leaves.sort(key=lambda leaf: (leaf.kind == CONSTANT, leaf.node))
    steps = []
    for step in kept:
        flows = tuple(flow for flow in step.flows if reached is None or flow.operand in reached)
        steps.append(step._replace(flows=flows))
    blocks = tuple(
        block._replace(steps=tuple(n for n in block.steps if n in numbers))
        for block in derivation.blocks
        if not numbers.isdisjoint(block.steps)
    )
    hidden = derivation.hidden + len(derivation.steps) - len(kept)
    return derivation._replace(leaves=tuple(leaves), steps=tuple(steps), blocks=blocks, hidden=hidden)
