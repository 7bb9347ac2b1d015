"""What may notice a wrong kernel: checks, each with a name, from the cheapest to the dearest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """``run`` raises when something is wrong. ``prepare`` is called with the right kernel."""

    name: str
    run: Callable[[], None]
    prepare: Callable[[], object] = lambda: None


class Checks(list[Check]):
    """A list whose call, as a decorator, adds a function under the name of its layer."""

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.layer = layer

    def __call__(self, function: Callable[[], None]) -> Callable[[], None]:
        self.append(Check(f"{self.layer}: {function.__name__.replace('_', ' ')}", function))
        return function


def same(found: object, expected: object, what: str) -> None:
    """Raises unless what was found is what was expected."""
    assert found == expected, f"{what}: {found!r}, not {expected!r}"
