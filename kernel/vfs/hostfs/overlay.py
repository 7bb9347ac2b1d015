"""A folder of the host as ``/``, with the guest's changes in memory (``--root``).

Each node has a lower node of the host, from which it reads until it is changed. The content of a
file is copied at the first write ("copy-up"); a removed name is hidden by a "whiteout". The node
remains the same object, so open files and mappings of it stay valid. Changes of the host to files
that the guest has not written may be visible or not.
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
from kernel.vfs.memfs.sparse_bytes import PageStore, SparseBytes


class OverlayFs(MemStore):
    """``lower`` with up to ``limit`` bytes of changes; ``now`` as in :class:`MemStore`."""

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
        self._inos = itertools.count(1 << 40)  # lower nodes keep the host's numbers
        self._linked: dict[tuple[int, int], OverlayFile] = {}
        self.root = OverlayDir(self, lower)
        self.root.parent = self.root

    def wrap(self, lower: Inode) -> Inode:
        """Returns the node for ``lower``, the same one for all hard links of a file."""
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


def _copy_attributes(node: MemNode, lower: Inode) -> None:
    """Sets the inode number and attributes of ``node`` to those of ``lower``."""
    status = lower.stat()
    node.ino, node.mode, node.nlink = status.ino, status.mode, status.nlink
    node.uid, node.gid = status.uid, status.gid
    node.atime, node.mtime, node.ctime = status.atime, status.mtime, status.ctime


class OverlayLink(MemLink):
    """A symbolic link of the lower folder."""

    cost = 0

    def __init__(self, filesystem: OverlayFs, lower: Inode) -> None:
        super().__init__(filesystem, lower.readlink())
        _copy_attributes(self, lower)


class OverlayFile(MemFile):
    """A regular file of the lower folder, or its copy."""

    cost = 0

    def __init__(self, filesystem: OverlayFs, lower: Inode) -> None:
        super().__init__(filesystem, 0)
        _copy_attributes(self, lower)
        self._lower = lower
        self._copied = False
        self._acquired = 0

    def acquire(self, want: int) -> None:
        if not self._copied:
            self._lower.acquire(R_OK)  # also for a write, which reads it first (copy-up)
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
    def in_memory(self) -> SparseBytes | None:
        return None  # before copy-up, its pages are those of the lower file

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
    """A directory of the lower folder, with changes."""

    cost = 0

    def __init__(self, filesystem: OverlayFs, lower: Inode) -> None:
        super().__init__(filesystem, 0)
        _copy_attributes(self, lower)
        self.overlay = filesystem
        self._lower = lower
        self._lower_nodes: dict[str, Inode] = {}
        self._whiteouts: set[str] = set()

    def find(self, name: str) -> Inode | None:
        node = self._nodes.get(name) or self._lower_nodes.get(name)
        if node is not None or name in self._whiteouts:
            return node
        try:
            lower = self._lower.lookup(name)
        except Errno as error:
            if error.errno == ENOENT:
                return None
            raise
        node = self._lower_nodes[name] = self.overlay.wrap(lower)
        if node.kind == stat.S_IFDIR:
            node.parent, node.name = self, name
        return node

    def put(self, name: str, node: Inode) -> None:
        super().put(name, node)
        self._lower_nodes.pop(name, None)

    def drop(self, name: str) -> None:
        super().drop(name)
        self._lower_nodes.pop(name, None)
        with suppress(Errno):  # without a lower entry, no whiteout is needed
            self._lower.lookup(name)
            self._whiteouts.add(name)

    def entries(self) -> Iterable[tuple[str, int, int]]:
        listing = list(super().entries())
        listing.extend(
            entry
            for entry in self._lower.entries()
            if entry[0] not in self._whiteouts and entry[0] not in self._nodes
        )
        return listing
