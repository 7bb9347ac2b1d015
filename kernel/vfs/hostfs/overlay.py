"""A folder of the host as ``/``, with all that the guest changes kept in memory (``--root``).

Each node lies over one of the host's and reads through to it until it is changed; a file's content
is copied at the first write ("copy-up"), and a removed name is covered by a "whiteout". The node
stays the same object throughout, so open files and mappings of it stay right. What the host
changes meanwhile in files the guest has not written may be seen or not.
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress

from kernel.base.budget import Budget
from kernel.base.errno import ENOENT
from kernel.base.errors import Errno
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.filesystem import OVERLAY_MAGIC
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import CHUNK, R_OK
from kernel.vfs.memfs.memfs import MemDir
from kernel.vfs.memfs.nodes import MemFile, MemLink, MemNode, MemStore
from kernel.vfs.memfs.sparse_bytes import Blocks, PageStore


class OverlayFs(MemStore):
    """``lower`` with up to ``limit`` bytes of changes over it; ``now`` as in :class:`MemStore`."""

    def __init__(
        self,
        lower: Inode,
        *,
        now: Callable[[], int],
        number: int = 0,
        limit: int | None = None,
        owner: Credentials | None = None,
        pages: PageStore | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(
            number=number,
            limit=limit,
            now=now,
            owner=owner,
            kind="overlay",
            magic=OVERLAY_MAGIC,
            pages=pages,
            budget=budget,
        )
        self._inos = itertools.count(1 << 40)  # what lies beneath keeps the host's numbers
        self._linked: dict[tuple[int, int], OverlayFile] = {}
        self.root = OverlayDir(self, lower)
        self.root.parent = self.root

    def wrap(self, lower: Inode) -> Inode:
        """The node over ``lower``; hard links of one file have one."""
        kind = lower.kind
        if kind == stat.S_IFDIR:
            return OverlayDir(self, lower)
        if kind == stat.S_IFLNK:
            return OverlayLink(self, lower)
        if kind != stat.S_IFREG:
            return lower
        status = lower.stat()
        if status.nlink < 2:
            return OverlayFile(self, lower)
        key = (status.dev, status.ino)
        if key not in self._linked:
            self._linked[key] = OverlayFile(self, lower)
        return self._linked[key]


def _take_after(node: MemNode, lower: Inode) -> None:
    """Gives ``node`` the number and attributes of ``lower``."""
    status = lower.stat()
    node.ino, node.mode, node.nlink = status.ino, status.mode, status.nlink
    node.uid, node.gid = status.uid, status.gid
    node.atime, node.mtime, node.ctime = status.atime, status.mtime, status.ctime


class OverlayLink(MemLink):
    """A symbolic link over one of the host's."""

    cost = 0

    def __init__(self, filesystem: OverlayFs, lower: Inode) -> None:
        super().__init__(filesystem, lower.readlink())
        _take_after(self, lower)


class OverlayFile(MemFile):
    """A regular file over one of the host's."""

    cost = 0

    def __init__(self, filesystem: OverlayFs, lower: Inode) -> None:
        super().__init__(filesystem, 0)
        _take_after(self, lower)
        self._lower = lower
        self._copied = False
        self._acquired = 0

    def acquire(self, want: int) -> None:
        if not self._copied:
            self._lower.acquire(R_OK)  # whoever writes has to read it first
            self._acquired += 1

    def release(self) -> None:
        if self._acquired:
            self._acquired -= 1
            self._lower.release()

    @property
    def size(self) -> int:
        return self.blocks.size if self._copied else self._lower.size

    def length(self) -> int:
        return self.size

    @property
    def in_memory(self) -> Blocks | None:
        return None  # before the copy its pages are those of the lower file

    def allocated(self) -> int:
        return self.blocks.allocated if self._copied else self._lower.size

    def read_at(self, offset: int, count: int) -> bytes:
        return (
            super().read_at(offset, count) if self._copied else self._lower.read_at(offset, count)
        )

    def write_at(self, offset: int, data: bytes) -> int:
        self._copy_up(self.size)
        return super().write_at(offset, data)

    def truncate(self, size: int) -> None:
        self._copy_up(min(size, self.size))
        super().truncate(size)

    def seek_data(self, offset: int, hole: bool) -> int:
        if self._copied:
            return super().seek_data(offset, hole)
        return self._lower.seek_data(offset, hole)

    def reserve(self, offset: int, end: int) -> None:
        self._copy_up(self.size)
        super().reserve(offset, end)

    def punch(self, offset: int, end: int) -> None:
        self._copy_up(self.size)
        if self.mapping is None:
            super().punch(offset, end)
        else:
            Inode.punch(self, offset, end)

    def _copy_up(self, size: int) -> None:
        """Copies the first ``size`` bytes into memory; ENOSPC leaves the file as it was."""
        if self._copied:
            return
        try:
            while self.blocks.size < size:
                at = self.blocks.size
                data = self._lower.read_at(at, min(CHUNK, size - at))
                if not data:
                    break
                self.blocks.write(at, data)
        except Errno:
            self.blocks.truncate(0)
            raise
        self._copied = True


class OverlayDir(MemDir):
    """A directory over one of the host's."""

    cost = 0

    def __init__(self, filesystem: OverlayFs, lower: Inode) -> None:
        super().__init__(filesystem, 0)
        _take_after(self, lower)
        self.overlay = filesystem
        self._lower = lower
        self._seen: dict[str, Inode] = {}
        self._whiteouts: set[str] = set()

    def find(self, name: str) -> Inode | None:
        node = self._nodes.get(name) or self._seen.get(name)
        if node is not None or name in self._whiteouts:
            return node
        try:
            lower = self._lower.lookup(name)
        except Errno as error:
            if error.errno == ENOENT:
                return None
            raise
        node = self._seen[name] = self.overlay.wrap(lower)
        if node.kind == stat.S_IFDIR:
            node.parent, node.name = self, name
        return node

    def put(self, name: str, node: Inode) -> None:
        super().put(name, node)
        self._seen.pop(name, None)

    def drop(self, name: str) -> None:
        super().drop(name)
        self._seen.pop(name, None)
        with suppress(Errno):  # without a lower entry there is nothing to hide
            self._lower.lookup(name)
            self._whiteouts.add(name)

    def entries(self) -> Iterable[tuple[str, int, int]]:
        listed = list(super().entries())
        listed.extend(
            entry
            for entry in self._lower.entries()
            if entry[0] not in self._whiteouts and entry[0] not in self._nodes
        )
        return listed
