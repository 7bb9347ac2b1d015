"""Several observers as one. It is not compiled, since its methods are attributes of an instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernel.mm.address_space import MemoryObserver
from kernel.process.observer import Observer


class Observers(Observer):
    """Forwards each event to those observers that override its method."""

    def __init__(self, observers: list[Observer]) -> None:
        for name in _EVENTS:
            receivers = [getattr(o, name) for o in observers if _overrides(o, name)]
            setattr(self, name, _in_order(receivers))
        self.observes_calls = any(
            o.observes_calls and (_overrides(o, "call_entered") or _overrides(o, "call_left"))
            for o in observers
        )


_EVENTS = [
    name
    for cls in (Observer, MemoryObserver)
    for name, method in vars(cls).items()
    if callable(method)
]


def _overrides(observer: Observer, name: str) -> bool:
    inherited = getattr(type(observer), name) is getattr(Observer, name)
    return not inherited or name in getattr(observer, "__dict__", {})


def _in_order(functions: list[Callable[..., None]]) -> Callable[..., None]:
    """A function that calls each of ``functions`` with its arguments."""
    if len(functions) == 1:
        return functions[0]

    def forward(*arguments: Any) -> None:
        for function in functions:
            function(*arguments)

    return forward
