"""/proc/PID/pagemap: an entry of eight bytes for each page of a process."""

from __future__ import annotations

import stat

from kernel.base.errno import EACCES, EINVAL
from kernel.base.errors import Errno
from kernel.vfs.core.linux_abi import O_ACCMODE, O_RDONLY
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.proc.nodes import ProcFile, ProcFs, ProcText
from kernel.vfs.proc.protocol import ProcKernel, ProcProcess

_ENTRY = 8


class ProcPagemap(ProcText):
    """The node of pagemap."""

    mode = stat.S_IFREG | 0o400

    def __init__(
        self, filesystem: ProcFs, path: str, kernel: ProcKernel, process: ProcProcess
    ) -> None:
        super().__init__(filesystem, path, lambda: b"")
        self._kernel = kernel
        self._process = process

    def read_at(self, offset: int, count: int) -> bytes:
        if offset % _ENTRY or count % _ENTRY:
            raise Errno(EINVAL)
        if not self._process.alive:
            return b""
        return self._process.memory.pagemap(
            offset // _ENTRY, count // _ENTRY, expose_frames=self._kernel.exposes_frames
        )

    def open(self, flags: int, path: str) -> OpenFile:
        if flags & O_ACCMODE != O_RDONLY:
            raise Errno(EACCES)
        self.check_open()
        return PagemapFile(self, flags, path)


class PagemapFile(ProcFile):
    """An open pagemap: each read shows the present state."""

    def __init__(self, node: ProcPagemap, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self._node = node

    def read_at(self, offset: int, count: int) -> bytes:
        return self._node.read_at(offset, count)
