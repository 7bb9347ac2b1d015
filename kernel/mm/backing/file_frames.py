"""Frames of the machine that hold files in memory: tmpfs(5), memfd_create(2), an overlay's changes.

Implements :class:`kernel.vfs.memfs.sparse_bytes.PageStore`.
"""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import PAGE_SHIFT
from kernel.base.errno import ENOSPC
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.physical.frames import Frames, Kind
from kernel.vfs.memfs.sparse_bytes import SparseBytes

KEPT_FREE = 16
"""One of this many frames is reserved for processes, so that a program can still clean up."""


class FileFrames:
    """Frames of files. ``unmap`` removes pages of a file from all mappings."""

    def __init__(self, frames: Frames, unmap: Callable[..., None]) -> None:
        self.files: set[SparseBytes] = set()
        self.unmap = unmap
        self._frames = frames
        self._most = frames.total - frames.total // KEPT_FREE

    @property
    def total(self) -> int:
        return self._frames.total

    @property
    def free(self) -> int:
        return max(0, self._most - self._frames.used)

    @property
    def held(self) -> int:
        """Number of frames that files use."""
        return sum(len(file.held()) for file in self.files)

    def take(self, zeroed: bool) -> int:
        frames = self._frames
        try:
            while frames.used >= self._most:
                if not frames.reclaim():
                    raise Errno(ENOSPC)
            return frames.allocate_zeroed(Kind.CACHE) if zeroed else frames.allocate(Kind.CACHE)
        except OutOfMemory:
            raise Errno(ENOSPC) from None

    def give_back(self, pages: list[int]) -> None:
        self._frames.release_each(pages)

    def read(self, page: int, start: int, count: int) -> bytes:
        return self._frames.ram.read((page << PAGE_SHIFT) + start, count)

    def write(self, page: int, start: int, data: memoryview | bytes) -> None:
        self._frames.ram.write((page << PAGE_SHIFT) + start, data)
