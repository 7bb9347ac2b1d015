"""Addresses before which the engine stops: breakpoints, and exits for the hart's own purposes.

The engine's exits become part of the code that it translates, so changing them discards all
translated code. When a run ends, the engine fetches the byte before each exit, which may fault
although the program made no such access. So a breakpoint is an exit only while that byte and its
own are executable. The pages of the other breakpoints are watched: a fetch from one ends the run,
and if it is executable by then, its breakpoints become exits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from emu.machine.cause import Access
from emu.machine.engine import Engine
from emu.machine.pte import PAGE_MASK, VA_MASK
from emu.machine.sv39 import Mmu, Translation

_PAGE: Final = VA_MASK & ~PAGE_MASK
_NO_PAGES: frozenset[int] = frozenset()


class Exits:
    """The engine's exits; ``breakpoints`` are those that the hart's user has set."""

    def __init__(self, engine: Engine, mmu: Mmu) -> None:
        self._engine = engine
        self._mmu = mmu
        self.breakpoints: frozenset[int] = frozenset()
        self.watched_pages = _NO_PAGES
        """Pages with a breakpoint that is not an exit: a fetch from one must end the run."""
        self.probed_pages = _NO_PAGES
        """Pages that the engine itself fetches from when a run ends."""
        self.stepped_pages = _NO_PAGES
        """Executable pages whose first byte is a breakpoint that cannot be an exit, since the page
        before it is not executable: they are run one instruction at a time."""
        self._armed: frozenset[int] = frozenset()
        self._extra: list[int] = []

    def set_breakpoints(self, addresses: Iterable[int]) -> None:
        """Takes effect with :meth:`arm`, since the engine may be running."""
        self.breakpoints = frozenset(addresses)

    @property
    def needs_arming(self) -> bool:
        """True if :meth:`arm` must be called before a run."""
        return bool(self.breakpoints or self._armed)

    def arm(self) -> None:
        """Makes exits of the breakpoints that are reachable with the current page table."""
        reachable = {at for at in self.breakpoints if self._executable(at)}
        armed = frozenset(at for at in reachable if self._executable((at - 1) & VA_MASK))
        self.stepped_pages = frozenset(at & _PAGE for at in reachable - armed)
        self.watched_pages = frozenset(at & _PAGE for at in self.breakpoints - armed)
        self.probed_pages = frozenset((at - 1) & _PAGE for at in armed)
        if armed != self._armed:
            self._armed = armed
            self._engine.set_exits([*armed, *self._extra])
            self._engine.flush_code()

    @contextmanager
    def extra_exit(self, address: int) -> Iterator[None]:
        """Makes ``address`` an exit too, inside the ``with`` block."""
        outer, self._extra = self._extra, [*self._extra, address]
        self._engine.set_exits([*self._armed, *self._extra])
        try:
            yield
        finally:
            self._extra = outer
            self._engine.set_exits([*self._armed, *outer])

    @contextmanager
    def no_breakpoints(self) -> Iterator[None]:
        """Lets the engine run instructions at breakpoints, until :meth:`arm` is called."""
        active, self.breakpoints = self.breakpoints, frozenset()
        self.arm()
        try:
            yield
        finally:
            self.breakpoints = active

    def _executable(self, va: int) -> bool:
        return isinstance(self._mmu.translate(va, Access.FETCH), Translation)
