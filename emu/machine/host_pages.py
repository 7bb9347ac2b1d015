"""Chooses the size of the host's pages for the machine's memory, by their measured cost.

A host provides a page when it is first touched. One of 2 MiB takes a tenth of the time of 512 small
ones; but if the host is a virtual machine that returns free memory to its own host, it has returned
the large blocks, and such a page takes five times as long as small ones, for which it still has
memory. That changes within seconds, so each 2 MiB that the machine begins to use are measured.
"""

from __future__ import annotations

import ctypes
import mmap
import time
from contextlib import suppress
from typing import Any, Final

STEP: Final = 2 << 20
"""Size of a huge page of the host, at a multiple of which it begins."""
_SAMPLE: Final = 32 * mmap.PAGESIZE
_LEAST_SKIPPED: Final = 4
_MOST_SKIPPED: Final = 64
"""Number of steps with small pages before huge ones are tried again; it doubles with each try."""


class HostPages:
    """Provides ``memory``, at ``address`` in this process, in steps from its start on.

    Of a step with small pages only a sample is touched ahead of use.
    """

    def __init__(self, memory: mmap.mmap, address: int) -> None:
        self._memory = memory
        self._address = address
        self._size = len(memory)
        self.end = -address % STEP or STEP
        """Offset up to which memory may be used before :meth:`extend` is called."""
        self._skip = self._skipped = 0
        self._huge_ns = self._small_ns = 0
        self._huge_bytes = 0
        self._provide_small(0)

    def extend(self) -> None:
        """Provides the next step."""
        start = self.end
        self.end += STEP
        if self._skip or self.end > self._size or not hasattr(mmap, "MADV_HUGEPAGE"):
            self._skip = max(self._skip - 1, 0)
            self._provide_small(start)
        else:
            self._provide_huge(start)

    def _provide_huge(self, start: int) -> None:
        self._advise("MADV_HUGEPAGE", start)
        took = self._touch(start, 1)
        if not self._is_resident(start + STEP - mmap.PAGESIZE):
            self._skip = _MOST_SKIPPED  # the host has no huge pages, or none left
            return
        self._huge_bytes += STEP
        self._huge_ns = took
        if took > self._small_ns:
            self._skipped = min(2 * self._skipped or _LEAST_SKIPPED, _MOST_SKIPPED)
            self._skip = self._skipped
        else:
            self._skipped = 0

    def _provide_small(self, start: int) -> None:
        self._advise("MADV_NOHUGEPAGE", start)
        sample = min(_SAMPLE, self._size - start)
        self._small_ns = self._touch(start, sample) * STEP // sample
        if self._huge_ns < self._small_ns:
            self._skip = 0

    def _advise(self, name: str, start: int) -> None:
        advice = getattr(mmap, name, None)
        if advice is not None:
            with suppress(OSError):  # a host without huge pages
                self._memory.madvise(advice, start, min(self.end, self._size) - start)

    def _touch(self, start: int, size: int) -> int:
        """Writes to each page of memory that was not used yet; returns the CPU time in ns."""
        memory = self._memory
        began = time.thread_time_ns()
        for at in range(start, start + size, mmap.PAGESIZE):
            memory[at] = 0
        return time.thread_time_ns() - began

    def _is_resident(self, offset: int) -> bool:
        residency = ctypes.c_ubyte()
        at, size = ctypes.c_void_p(self._address + offset), ctypes.c_size_t(mmap.PAGESIZE)
        status = ctypes.CDLL(None).mincore(at, size, ctypes.byref(residency))
        return status == 0 and bool(residency.value & 1)

    def summary(self) -> dict[str, Any]:
        """Memory with huge pages and with small ones, and the last measured cost of 2 MiB of each.

        Sizes are in bytes, costs in ns, 0 for none. Memory counts when the machine begins to use
        the 2 MiB.
        """
        return {
            "huge_pages": self._huge_bytes,
            "small_pages": min(self.end, self._size) - self._huge_bytes,
            "huge_ns": self._huge_ns,
            "small_ns": self._small_ns,
        }
