"""Physical memory that a student's process can map read-only."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import tempfile

from emu.machine.pte import PAGE_SHIFT
from emu.machine.ram import BASE, Ram

_F_ADD_SEALS = 1033
_SEALS = 0x10 | 0x2 | 0x4
"""F_SEAL_FUTURE_WRITE, SHRINK and GROW (fcntl(2)): no new writable mapping can be created."""


class SharedRam(Ram):
    """RAM in an anonymous file; other processes can map ``descriptor`` read-only."""

    def __init__(self, size: int, base: int = BASE) -> None:
        self.descriptor = _anonymous_file(size)
        super().__init__(size, base)
        if hasattr(os, "memfd_create"):
            fcntl.fcntl(self.descriptor, _F_ADD_SEALS, _SEALS)

    def _mapping(self, size: int) -> mmap.mmap:
        return mmap.mmap(self.descriptor, size)

    def discard(self, ppn: int, count: int) -> None:
        """Zeroes the frames: memory of a sealed file cannot be returned to the host."""
        ctypes.memset(self.host_address + (ppn << PAGE_SHIFT) - self.base, 0, count << PAGE_SHIFT)
        if not self.executed.isdisjoint(range(ppn, ppn + count)):
            self.code_is_stale = True

    def close(self) -> None:
        """Closes the descriptor; existing mappings remain."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("ram", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        descriptor, name = tempfile.mkstemp()
        os.unlink(name)
    os.ftruncate(descriptor, size)
    return descriptor
