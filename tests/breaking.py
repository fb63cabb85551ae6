"""Breaking one rule of the op table on purpose, for as long as a `with` block lasts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradcheck.arithmetic import loops
from gradcheck.arithmetic.system import Rule, System
from gradcheck.ops import OPS

MUTATIONS = {
    "sign": "-({})",
    "times 1.001": "1.001*({})",
    "plus 0.001": "({}) + 0.001",
    "zero": "0*({})",
}
"""What each mutation makes of a rule."""


def mutated(rule: str, mutation: str) -> str:
    """Return the broken text of a rule; `select(c, g)` is broken inside, where it lets g through.

    Of several statements the last is broken.
    """
    *stages, rule = rule.split("; ")
    if stages:
        return "; ".join([*stages, mutated(rule, mutation)])
    template = MUTATIONS[mutation]
    inside = re.fullmatch(r"select\((.*), g\)", rule)
    return f"select({inside[1]}, {template.format('g')})" if inside else template.format(rule)


@contextmanager
def rules_replaced(name: str, field: str, rules: Any) -> Iterator[None]:
    """Give the op `name` other rules, and let no number system remember either kind too long."""
    row, remembering = OPS[name], System.rule
    before = getattr(row, field)

    def forgetting(self: System, op: str, params: Any = (), ranks: tuple[int, ...] = ()) -> Rule:
        key = (op, repr(params) if params else "", ranks)
        if op == name:
            self._rules.pop(key, None)
        found = remembering(self, op, params, ranks)
        if op == name:
            self._rules.pop(key, None)
        return found

    System.rule = forgetting  # type: ignore[method-assign]
    setattr(row, field, rules)
    loops.backward_loop.cache_clear()
    try:
        yield
    finally:
        setattr(row, field, before)
        loops.backward_loop.cache_clear()
        System.rule = remembering  # type: ignore[method-assign]


def replaced(rules: tuple[str, ...], k: int, text: str) -> tuple[str, ...]:
    """Return the rules with the k-th one changed."""
    return (*rules[:k], text, *rules[k + 1 :])
