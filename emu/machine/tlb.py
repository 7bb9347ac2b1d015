"""Management of the engine's TLB: its size, and the rights of its entries."""

from __future__ import annotations

from typing import Final

from emu.machine import engine as e
from emu.machine.engine import Engine
from emu.machine.pte import D, R, W
from emu.machine.ram import Ram

_SMALLEST: Final = 256
_LARGEST: Final = 1 << 16


class Tlb:
    """Size and rights of the entries, which the engine itself holds.

    ``unrestricted`` lets one instruction store to the frame from which it is executed.
    ``may_be_amo`` is True when code with an AMO may be running: some is in a frame that was fetched
    from since the flag was cleared. A miss of a read may then be an AMO's.
    """

    def __init__(self, engine: Engine, ram: Ram) -> None:
        self.unrestricted = False
        self.may_be_amo = False
        self._amo_frames: set[int] = set()
        self._engine = engine
        self._ram = ram
        self._writable: set[int] = set()
        self._misses = 0
        self._size = _SMALLEST

    def flush(self) -> None:
        """Drops all entries."""
        self._engine.flush_tlb()
        self._writable.clear()
        if self._misses * 3 < self._size:  # the engine may have shrunk it, by the same rule
            self._size = max(_SMALLEST, 1 << self._misses.bit_length())
        self._misses = 0

    def found_amo(self, ppn: int) -> None:
        """Called for an AMO in a new block of code in frame ``ppn``."""
        self._amo_frames.add(ppn)
        self.may_be_amo = True

    def forget_code(self) -> None:
        """Called when all translated code is dropped."""
        self._amo_frames.clear()

    def filled(self, ppn: int, perms: int) -> None:
        """Records that an entry is about to be filled; lets the TLB grow with the working set.

        The engine's TLB doubles only when it is flushed and was nearly full, so it is flushed each
        time it must have become full.
        """
        self._misses += 1
        if self._misses >= self._size and self._size < _LARGEST:
            self.flush()
            self._size *= 2
        if perms & e.PERM_W:
            self._writable.add(ppn)

    def permissions(self, access: int, pte: int, ppn: int) -> int:
        """Rights of an entry for the page; 0 when a store would change executed code.

        A data page never gets X: the engine keeps stores to such an entry on a path ten times
        slower.
        """
        executed = ppn in self._ram.executed and not self.unrestricted
        if access == e.WRITE:
            return 0 if executed else e.PERM_R | e.PERM_W
        if access == e.READ:
            return e.PERM_R | e.PERM_W if pte & W and pte & D and not executed else e.PERM_R
        if ppn in self._amo_frames:
            self.may_be_amo = True
        if ppn in self._writable and not self.unrestricted:
            self.flush()
        self._ram.executed.add(ppn)
        return e.PERM_R | e.PERM_X if pte & R else e.PERM_X
