"""Where the engine has to stop before an instruction: breakpoints, and exits of the hart's own.

The engine's exits become part of the code that it translates, so whoever changes them has all of it
translated anew. And when a run is over the engine fetches the byte before each exit, which may be a
fault that the program never made. So a breakpoint is an exit only while that byte and its own can
be executed. The pages of the others are watched: a fetch from one ends the run, and when it is
executable by then, its breakpoints become exits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from emu.machine.cause import Access
from emu.machine.engine import Engine
from emu.machine.pte import PAGE_MASK, VA_MASK
from emu.machine.sv39 import Mmu, Translation

_PAGE = VA_MASK & ~PAGE_MASK
_NO_PAGE: frozenset[int] = frozenset()


class Exits:
    """The engine's exits; ``breakpoints`` are what the hart's user asked for."""

    def __init__(self, engine: Engine, mmu: Mmu) -> None:
        self._engine = engine
        self._mmu = mmu
        self.breakpoints: frozenset[int] = frozenset()
        self.watched = _NO_PAGE
        """Pages with a breakpoint that is no exit: a fetch from one must end the run."""
        self.probed = _NO_PAGE
        """Pages that the engine looks at by itself when a run is over."""
        self.stepped = _NO_PAGE
        """Executable pages that begin with a breakpoint behind a page that can't be executed, so
        that it can't be an exit: they are run one instruction at a time."""
        self._armed: frozenset[int] = frozenset()
        self._own: list[int] = []

    def set_breakpoints(self, addresses: Iterable[int]) -> None:
        """Takes effect with :meth:`arm`, since the engine may be running."""
        self.breakpoints = frozenset(addresses)

    @property
    def to_arm(self) -> bool:
        """Whether :meth:`arm` has anything to do before a run."""
        return bool(self.breakpoints or self._armed)

    def arm(self) -> None:
        """Makes exits of the breakpoints that can be reached as the page table is now."""
        reachable = {at for at in self.breakpoints if self._executable(at)}
        armed = frozenset(at for at in reachable if self._executable((at - 1) & VA_MASK))
        self.stepped = frozenset(at & _PAGE for at in reachable - armed)
        self.watched = frozenset(at & _PAGE for at in self.breakpoints - armed)
        self.probed = frozenset((at - 1) & _PAGE for at in armed)
        if armed != self._armed:
            self._armed = armed
            self._engine.set_exits([*armed, *self._own])
            self._engine.flush_code()

    @contextmanager
    def one_more(self, address: int) -> Iterator[None]:
        """Makes the engine stop before the instruction at ``address`` too."""
        outer, self._own = self._own, [*self._own, address]
        self._engine.set_exits([*self._armed, *self._own])
        try:
            yield
        finally:
            self._own = outer
            self._engine.set_exits([*self._armed, *outer])

    @contextmanager
    def no_breakpoints(self) -> Iterator[None]:
        """Lets the engine run what is at a breakpoint, until :meth:`arm` is called."""
        asked, self.breakpoints = self.breakpoints, frozenset()
        self.arm()
        try:
            yield
        finally:
            self.breakpoints = asked

    def _executable(self, va: int) -> bool:
        return isinstance(self._mmu.translate(va, Access.FETCH), Translation)
