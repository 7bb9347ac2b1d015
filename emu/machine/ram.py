"""Physical memory: one anonymous mapping of the host, shared with the instruction engine.

Host pages are taken only when a guest frame is first touched. All writes by the host side go
through the methods here, because RAM also records which frames hold code that the engine has
translated: as a coherent instruction cache snoops the bus, a write to such a frame marks the
translations stale, and the hart drops them before it runs again.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Final

from emu.machine.host_pages import HostPages
from emu.machine.pte import PAGE_SHIFT, PAGE_SIZE, PTES_PER_TABLE

BASE: Final = 0x8000_0000
"""Physical address of the start of RAM, as on QEMU's virt board."""

_RESERVING: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
_RETURNS_MEMORY: Final = hasattr(mmap, "MADV_DONTNEED") and sys.platform == "linux"


class NoHostMemory(Exception):
    """The host cannot reserve ``size`` bytes of address space for ``part`` of the machine."""

    def __init__(self, size: int, part: str = "the machine's memory") -> None:
        super().__init__(f"the host can't reserve {size} bytes for {part} (see ulimit -v)")
        self.size = size


def require_address_space(size: int, part: str) -> None:
    """Raises NoHostMemory if ``size`` bytes cannot be reserved; releases them again."""
    try:
        mmap.mmap(-1, size, flags=_RESERVING, prot=0).close()
    except OSError as error:
        raise NoHostMemory(size, part) from error


def reserve(size: int, part: str) -> mmap.mmap:
    """Zeroes that take no memory of the host until they are touched; raises NoHostMemory."""
    try:
        return mmap.mmap(-1, size, flags=_RESERVING)
    except (OSError, OverflowError) as error:
        raise NoHostMemory(size, part) from error


class Ram:
    """``size`` bytes of physical memory from ``base``; a frame is identified by its PPN."""

    def __init__(self, size: int, base: int = BASE) -> None:
        if size <= 0 or size % PAGE_SIZE:
            raise ValueError(f"RAM must be a positive multiple of {PAGE_SIZE} bytes, not {size}")
        try:
            self._map = self._mapping(size)
        except (OSError, OverflowError, ValueError) as error:
            raise NoHostMemory(size) from error
        self.base = base
        self.size = size
        self.end = base + size
        self.bytes = memoryview(self._map)
        self.words = self.bytes.cast("Q")
        """The same memory as 64-bit words: ``words[(pa - base) >> 3]``."""
        self.typed_words = self.words
        """The same words, whose type is declared to the compiler: the fast way to single ones."""
        self._zeroes = memoryview(bytearray(PAGE_SIZE)).cast("Q")
        self.executed: set[int] = set()
        """PPNs of the frames from which the engine may hold translated code."""
        self.code_is_stale = False
        self.host_pages = HostPages(self._map, self.host_address)

    def _mapping(self, size: int) -> mmap.mmap:
        return reserve(size, "the machine's memory")

    @property
    def host_address(self) -> int:
        """Address of the mapping in this process."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    @property
    def first_ppn(self) -> int:
        return self.base >> PAGE_SHIFT

    @property
    def frame_count(self) -> int:
        return self.size >> PAGE_SHIFT

    def holds(self, pa: int, count: int = 1) -> bool:
        """True if all of ``count`` bytes at ``pa`` are backed by RAM."""
        return self.base <= pa and pa + count <= self.end

    def read(self, pa: int, count: int) -> bytes:
        start = pa - self.base
        return bytes(self.bytes[start : start + count])

    def write(self, pa: int, data: bytes | memoryview) -> None:
        """Writes within one frame."""
        start = pa - self.base
        self.bytes[start : start + len(data)] = data
        self._snoop(pa >> PAGE_SHIFT)

    def read_frame(self, ppn: int) -> bytes:
        return self.read(ppn << PAGE_SHIFT, PAGE_SIZE)

    def copy_frame(self, source: int, target: int) -> None:
        """Copies the 4,096 bytes of frame ``source`` to frame ``target``."""
        words = self.typed_words
        start = ((source << PAGE_SHIFT) - self.base) >> 3
        to = ((target << PAGE_SHIFT) - self.base) >> 3
        words[to : to + PTES_PER_TABLE] = words[start : start + PTES_PER_TABLE]
        self._snoop(target)

    def copy_frames(self, source: int, target: int, count: int) -> None:
        """Copies ``count`` frames from ``source`` on to those from ``target`` on."""
        start = (source << PAGE_SHIFT) - self.base
        to = (target << PAGE_SHIFT) - self.base
        size = count << PAGE_SHIFT
        self.bytes[to : to + size] = self.bytes[start : start + size]
        self._snoop_all(target, count)

    def discard(self, ppn: int, count: int) -> None:
        """Zeroes ``count`` frames from ``ppn`` on, and returns their memory to the host."""
        start = (ppn << PAGE_SHIFT) - self.base
        if _RETURNS_MEMORY:
            self._map.madvise(mmap.MADV_DONTNEED, start, count << PAGE_SHIFT)
        else:
            self.bytes[start : start + (count << PAGE_SHIFT)] = bytes(count << PAGE_SHIFT)
        self._snoop_all(ppn, count)

    def discard_all(self) -> None:
        """Returns all memory to the host; the machine has ended."""
        if _RETURNS_MEMORY:
            self._map.madvise(mmap.MADV_DONTNEED)

    def zero_frame(self, ppn: int) -> None:
        start = ((ppn << PAGE_SHIFT) - self.base) >> 3
        self.typed_words[start : start + PTES_PER_TABLE] = self._zeroes
        self._snoop(ppn)

    def zero_frames(self, ppn: int, count: int) -> None:
        """Zeroes ``count`` frames from ``ppn`` on."""
        start = (ppn << PAGE_SHIFT) - self.base
        size = count << PAGE_SHIFT
        ctypes.memset(self.host_address + start, 0, size)
        self._snoop_all(ppn, count)

    def load64(self, pa: int) -> int:
        return self.typed_words[(pa - self.base) >> 3]

    def store64(self, pa: int, value: int) -> None:
        """Stores an aligned 64-bit word, such as a PTE."""
        self.typed_words[(pa - self.base) >> 3] = value
        self._snoop(pa >> PAGE_SHIFT)

    def _snoop_all(self, ppn: int, count: int) -> None:
        if not self.executed.isdisjoint(range(ppn, ppn + count)):
            self.code_is_stale = True

    def _snoop(self, ppn: int) -> None:
        if ppn in self.executed:
            self.code_is_stale = True
