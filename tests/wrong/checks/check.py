"""Checks that may detect a wrong kernel, each with a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emu.host.host_signals import TIMEOUT_STATUS
from tests.kernel.worlds import ranges_gone_through


@dataclass(frozen=True)
class Check:
    """``run`` raises when something is wrong. ``prepare`` is called with the right kernel."""

    name: str
    run: Callable[[], None]
    prepare: Callable[[], object] = lambda: None


class Undecided(Exception):
    """The machine was too slow to decide whether something is wrong."""


SECONDS = 900
"""Time limit, far above what any run needs. A guest that blocks for ever ends with a deadlock;
one that runs for ever, at a limit of CPU time (tests/wrong/notice.py).
"""


def require_end(status: int) -> None:
    """Raises unless the run ended within :data:`SECONDS`."""
    if status == TIMEOUT_STATUS:
        raise Undecided(f"a guest did not end within {SECONDS} s")


class Checks(list[Check]):
    """A list whose call, as a decorator, adds a function under the name of its layer.

    Each is run twice: with ranges of pages gone through one by one, and with NumPy.
    """

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.layer = layer

    def __call__(self, function: Callable[[], None]) -> Callable[[], None]:
        def both_ways() -> None:
            for page_by_page in (True, False):
                with ranges_gone_through(page_by_page=page_by_page):
                    function()

        self.append(Check(f"{self.layer}: {function.__name__.replace('_', ' ')}", both_ways))
        return function


def same(found: object, expected: object, what: str) -> None:
    """Raises AssertionError unless ``found`` equals ``expected``."""
    assert found == expected, f"{what}: {found!r}, not {expected!r}"
