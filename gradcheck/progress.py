"""Long work says how far it is; whether anyone listens is not its business."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int, bool], None]
"""(what is being done, how much is done, how much there is, whether it is a part of something longer)."""

_listeners: list[Listener] = []


def say(what: str, done: int, total: int, inner: bool = False) -> None:
    """Say how far some work is; `inner` is a part of what was said last without it."""
    for listener in _listeners:
        listener(what, done, total, inner)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Let `listener` hear what is said within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
