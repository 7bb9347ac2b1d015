"""Files, links and fifos in memory, and the space they share."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable

from kernel.base.budget import Budget, Cost, Kind, cost_of_text
from kernel.base.errno import ENOSPC, ENXIO, EPERM
from kernel.base.errors import Errno
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.filesystem import TMPFS_MAGIC, ChargedFs, StatFs
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.open_file import OpenFile, SpecialInode
from kernel.vfs.core.seals import NO_WRITES, Seal
from kernel.vfs.ipc.pipe import Pipe
from kernel.vfs.memfs.sparse_bytes import HostPages, PageStore, SparseBytes

_PAGE = 4096
_MIN_NODES = 1024


class MemStore(ChargedFs):
    """Space for at most ``limit`` bytes of content; None: half of the bytes in ``pages``.

    ``now`` returns nanoseconds since 1970.
    """

    def __init__(
        self,
        *,
        number: int = 0,
        limit: int | None = None,
        now: Callable[[], int] = time.time_ns,
        owner: Credentials | None = None,
        kind: str = "tmpfs",
        magic: int = TMPFS_MAGIC,
        pages: PageStore | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(kind, magic, number=number, budget=budget)
        self.pages: PageStore = pages or HostPages()
        self.limit = max(1, self.pages.total // 2 if limit is None else limit // _PAGE)
        """Maximum number of pages, and of nodes (the default of tmpfs(5))."""
        self.used = 0
        self.nodes = 0
        self.now = now
        self.owner = owner or Credentials.of_host()

    def charge(self, count: int) -> None:
        """Charges ``count`` pages to the limit (negative: releases them); ENOSPC."""
        if count > 0 and self.used + count > self.limit:
            raise Errno(ENOSPC)
        self.used += count

    def add_node(self, cost: int) -> None:
        """Charges a node of ``cost`` bytes; ENOSPC."""
        if cost and self.nodes >= max(self.limit, _MIN_NODES):
            raise Errno(ENOSPC)
        self.budget.take(Kind.NODE, cost, ENOSPC)
        self.nodes += bool(cost)

    def drop_node(self, cost: int) -> None:
        self.budget.give_back(Kind.NODE, cost)
        self.nodes -= bool(cost)

    def statfs(self) -> StatFs:
        free = max(0, min(self.limit - self.used, self.pages.free))
        nodes = max(self.limit, _MIN_NODES)
        return StatFs(self.magic, _PAGE, self.limit, free, free, nodes, max(0, nodes - self.nodes))


class MemNode(Inode):
    """Base of files, directories and links in memory."""

    filesystem: MemStore
    cost: int = Cost.NODE
    """Bytes charged for the node itself."""
    _charged: int | None = None

    def __init__(self, filesystem: MemStore, mode: int, extra_cost: int = 0) -> None:
        filesystem.add_node(self.cost + extra_cost)
        self._charged = self.cost + extra_cost
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.mode = mode
        self.uid, self.gid = filesystem.owner.uid, filesystem.owner.gid
        self.nlink = 1
        self.atime = self.mtime = self.ctime = filesystem.now()

    def __del__(self) -> None:
        # An unlinked file exists for as long as a process maps it, so its memory is released only
        # when no reference to it is left.
        if self._charged is not None:
            self.filesystem.drop_node(self._charged)
            self.release_content()

    def release_content(self) -> None:
        """Releases the memory of the content."""

    @property
    def kind(self) -> int:
        return self.mode & 0o170000

    @property
    def is_unlinked(self) -> bool:
        return self.nlink == 0

    def stat(self) -> Stat:
        return Stat(
            self.filesystem.device, self.ino, self.mode, self.nlink, self.uid, self.gid, 0,
            self.length(), self.atime, self.mtime, self.ctime, 4096, self.allocated(),
        )  # fmt: skip

    def length(self) -> int:
        """st_size."""
        return 0

    def allocated(self) -> int:
        """Bytes of content held in memory."""
        return 0

    def mark_modified(self) -> None:
        """Sets the times of the last change to now."""
        self.mtime = self.ctime = self.filesystem.now()

    def chmod(self, mode: int) -> None:
        self.mode = self.kind | (mode & 0o7777)
        self.ctime = self.filesystem.now()

    def chown(self, uid: int, gid: int) -> None:
        self.uid = self.uid if uid == -1 else uid
        self.gid = self.gid if gid == -1 else gid
        self.ctime = self.filesystem.now()

    def take_owner(self, uid: int, gid: int) -> None:
        self.uid, self.gid = uid, gid

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        self.atime = self.atime if atime is None else atime
        self.mtime = self.mtime if mtime is None else mtime
        self.ctime = self.filesystem.now()


class MemFile(MemNode):
    """A regular file."""

    def __init__(self, filesystem: MemStore, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFREG | mode)
        self.blocks = SparseBytes(filesystem.pages, filesystem.charge)
        self.seals = Seal.SEAL

    def release_content(self) -> None:
        self.blocks.release()

    @property
    def in_memory(self) -> SparseBytes | None:
        return self.blocks

    @property
    def size(self) -> int:
        return self.blocks.size

    def length(self) -> int:
        return self.blocks.size

    def allocated(self) -> int:
        return self.blocks.allocated

    def read_at(self, offset: int, count: int) -> bytes:
        return self.blocks.read(offset, count)

    def write_at(self, offset: int, data: bytes) -> int:
        count = self.blocks.write(offset, data)
        self.mark_modified()
        return count

    def truncate(self, size: int) -> None:
        self.blocks.truncate(size)
        self.mark_modified()

    def seek_data(self, offset: int, hole: bool) -> int:
        return self.blocks.seek(offset, hole)

    # Restrictions by seals. Stores through existing mappings are not restricted.

    def write_file(self, offset: int, data: bytes) -> int:
        self._check_seals(NO_WRITES, bool(data))
        room = max(0, self.size - offset) if self.seals & Seal.GROW else len(data)
        self._check_seals(Seal.GROW, bool(data) and not room)
        return super().write_file(offset, data[:room])

    def truncate_file(self, size: int) -> None:
        self._check_seals(Seal.SHRINK, size < self.size)
        self._check_seals(Seal.GROW, size > self.size)
        super().truncate_file(size)

    def reserve(self, offset: int, end: int) -> None:
        self._check_seals(Seal.GROW, end > self.size)
        self.blocks.reserve(offset, end)

    def punch(self, offset: int, end: int) -> None:
        self.blocks.punch(offset, end)
        self.mark_modified()

    def punch_file(self, offset: int, length: int) -> None:
        self._check_seals(NO_WRITES, True)
        super().punch_file(offset, length)

    def chmod(self, mode: int) -> None:
        self._check_seals(Seal.EXEC, bool((mode ^ self.mode) & 0o111))
        super().chmod(mode)

    def _check_seals(self, seals: Seal, applies: bool) -> None:
        if applies and self.seals & seals:
            raise Errno(EPERM)


class MemLink(MemNode):
    """A symbolic link."""

    def __init__(self, filesystem: MemStore, target: str) -> None:
        super().__init__(filesystem, stat.S_IFLNK | 0o777, cost_of_text(target) if self.cost else 0)
        self._target = target

    def length(self) -> int:
        return len(self._target.encode("utf-8", "surrogateescape"))

    def readlink(self) -> str:
        return self._target


class MemFifo(MemNode, SpecialInode):
    """A named pipe (fifo(7))."""

    def __init__(self, filesystem: MemStore, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFIFO | mode)
        self._pipe = Pipe(filesystem)

    def open(self, flags: int, path: str) -> OpenFile:
        return self._pipe.open_fifo(self, flags, path)


class MemSocket(MemNode, SpecialInode):
    """The name of a socket (unix(7))."""

    def __init__(self, filesystem: MemStore, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFSOCK | mode)

    def open(self, flags: int, path: str) -> OpenFile:
        raise Errno(ENXIO)
