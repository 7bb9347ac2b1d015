"""Files in the host's memory: /tmp, /dev/shm, memfd_create(2) (tmpfs(5))."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable

from kernel.errors import Errno
from kernel.vfs.abi import PATH_MAX, X_OK
from kernel.vfs.blocks import Blocks
from kernel.vfs.credentials import Credentials
from kernel.vfs.errnos import EACCES, EEXIST, EISDIR, ENOENT, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM
from kernel.vfs.filesystem import TMPFS_MAGIC, FileSystem, StatFs
from kernel.vfs.inode import Inode, Stat
from kernel.vfs.memtree import need_not_below
from kernel.vfs.openfile import OpenFile
from kernel.vfs.pipe import Pipe

DEFAULT_LIMIT = 256 << 20
NODE_COST, NAME_COST = 1024, 256
"""Bytes a node and an entry are charged for themselves: a guest can't fill the host with empty
files or with hard links."""


class MemFs(FileSystem):
    """A tree in memory, of at most ``limit`` bytes; ``now`` gives nanoseconds since 1970."""

    def __init__(
        self,
        *,
        number: int = 0,
        limit: int = DEFAULT_LIMIT,
        now: Callable[[], int] = time.time_ns,
        mode: int = 0o755,
        owner: Credentials | None = None,
        kind: str = "tmpfs",
        magic: int = TMPFS_MAGIC,
    ) -> None:
        super().__init__(kind, magic, number=number)
        self.limit = limit
        self.used = 0
        self.now = now
        self.owner = owner or Credentials.of_host()
        self.root = MemDir(self, mode)
        self.root.parent = self.root

    def charge(self, count: int) -> None:
        """Takes ``count`` bytes of the limit (or gives back when negative); ENOSPC."""
        if count > 0 and self.used + count > self.limit:
            raise Errno(ENOSPC)
        self.used += count

    def statfs(self) -> StatFs:
        free = max(0, self.limit - self.used)
        blocks, nodes = self.limit // 4096, self.limit // NODE_COST
        return StatFs(
            self.magic, 4096, blocks, free // 4096, free // 4096, nodes, free // NODE_COST
        )


class MemNode(Inode):
    """What files, directories and links in memory have in common."""

    filesystem: MemFs
    cost = NODE_COST
    """What the node itself is charged."""
    _charged: int | None = None

    def __init__(self, filesystem: MemFs, mode: int) -> None:
        filesystem.charge(self.cost)
        self._charged = self.cost
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.mode = mode
        self.uid, self.gid = filesystem.owner.uid, filesystem.owner.gid
        self.nlink = 1
        self.atime = self.mtime = self.ctime = filesystem.now()

    def __del__(self) -> None:
        # A file lives on without a name for as long as something maps it, so its memory is given
        # back only when nothing refers to it.
        if self._charged is not None:
            self.filesystem.charge(-self._charged - self.held())

    def held(self) -> int:
        """Bytes of the limit that its content takes."""
        return 0

    @property
    def kind(self) -> int:
        return self.mode & 0o170000

    def stat(self) -> Stat:
        return Stat(
            self.filesystem.device, self.ino, self.mode, self.nlink, self.uid, self.gid, 0,
            self.length(), self.atime, self.mtime, self.ctime, 4096, self.allocated(),
        )  # fmt: skip

    def length(self) -> int:
        """st_size in bytes."""
        return 0

    def allocated(self) -> int:
        """Bytes of content held in memory."""
        return 0

    def changed(self) -> None:
        """The content changed now."""
        self.mtime = self.ctime = self.filesystem.now()

    def chmod(self, mode: int) -> None:
        self.mode = self.kind | (mode & 0o7777)
        self.ctime = self.filesystem.now()

    def chown(self, uid: int, gid: int) -> None:
        who = self.filesystem.owner
        if who.uid != 0 and ((uid not in (-1, self.uid)) or (gid not in (-1, self.gid))):
            raise Errno(EPERM)
        self.uid = self.uid if uid == -1 else uid
        self.gid = self.gid if gid == -1 else gid
        self.ctime = self.filesystem.now()

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        self.atime = self.atime if atime is None else atime
        self.mtime = self.mtime if mtime is None else mtime
        self.ctime = self.filesystem.now()


class MemFile(MemNode):
    """A regular file."""

    def __init__(self, filesystem: MemFs, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFREG | mode)
        self.blocks = Blocks(filesystem.charge)

    def held(self) -> int:
        return self.blocks.allocated

    @property
    def size(self) -> int:
        return self.blocks.size

    def length(self) -> int:
        return self.blocks.size

    def allocated(self) -> int:
        return -(-self.blocks.allocated // 4096) * 4096

    def read_at(self, offset: int, count: int) -> bytes:
        return self.blocks.read(offset, count)

    def write_at(self, offset: int, data: bytes) -> int:
        count = self.blocks.write(offset, data)
        self.changed()
        return count

    def truncate(self, size: int) -> None:
        self.blocks.truncate(size)
        self.changed()

    def seek_data(self, offset: int, hole: bool) -> int:
        return self.blocks.seek(offset, hole)


class MemLink(MemNode):
    """A symbolic link."""

    cost = NODE_COST + PATH_MAX

    def __init__(self, filesystem: MemFs, target: str) -> None:
        super().__init__(filesystem, stat.S_IFLNK | 0o777)
        self._target = target

    def length(self) -> int:
        return len(self._target.encode("utf-8", "surrogateescape"))

    def readlink(self) -> str:
        return self._target


class MemFifo(MemNode):
    """A named pipe (fifo(7)): the pipe itself exists while someone has it open."""

    def __init__(self, filesystem: MemFs, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFIFO | mode)
        self._pipe = Pipe(filesystem)

    def opened(self, flags: int, path: str) -> OpenFile:
        return self._pipe.open_fifo(self, flags, path)


class MemDir(MemNode):
    """A directory."""

    def __init__(self, filesystem: MemFs, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFDIR | mode)
        self._nodes: dict[str, Inode] = {}

    # The table of entries. An overlay's directory also finds what lies beneath (overlay.py).

    def find(self, name: str) -> Inode | None:
        return self._nodes.get(name)

    def put(self, name: str, node: Inode) -> None:
        """Adds or replaces an entry; a directory learns its place."""
        if name not in self._nodes:
            self.filesystem.charge(NAME_COST)
        self._nodes[name] = node
        if node.kind == stat.S_IFDIR:
            node.parent, node.name = self, name
        self.changed()

    def drop(self, name: str) -> None:
        """Takes an entry away."""
        if self._nodes.pop(name, None) is not None:
            self.filesystem.charge(-NAME_COST)
        self.changed()

    def entries(self) -> Iterable[tuple[str, int, int]]:
        return [(name, node.stat().ino, node.kind >> 12) for name, node in self._nodes.items()]

    # What system calls ask for.

    def stat(self) -> Stat:
        status = super().stat()
        if self.parent is not None:
            kinds = [node.kind for node in self._nodes.values()]
            status.nlink = 2 + kinds.count(stat.S_IFDIR)
        return status

    def length(self) -> int:
        return 20 * (2 + len(self._nodes))

    def check_search(self, who: Credentials) -> None:
        if not who.may(X_OK, self.mode, self.uid, self.gid):
            raise Errno(EACCES)

    def lookup(self, name: str) -> Inode:
        node = self.find(name)
        if node is None:
            raise Errno(ENOENT)
        return node

    def create(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemFile(self.filesystem, mode))

    def create_unnamed(self, mode: int) -> Inode:
        node = MemFile(self.filesystem, mode)
        node.nlink = 0
        return node

    def mkdir(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemDir(self.filesystem, mode))

    def mkfifo(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemFifo(self.filesystem, mode))

    def symlink(self, name: str, target: str) -> Inode:
        return self._add(name, lambda: MemLink(self.filesystem, target))

    def _add(self, name: str, make: Callable[[], MemNode]) -> Inode:
        self._need_free(name)
        node = make()
        self.put(name, node)
        return node

    def _need_free(self, name: str) -> None:
        if self.parent is None:
            raise Errno(ENOENT)
        if self.find(name) is not None:
            raise Errno(EEXIST)

    def link(self, name: str, node: Inode) -> None:
        if not isinstance(node, MemNode) or node.kind == stat.S_IFDIR:
            raise Errno(EPERM)
        self._need_free(name)
        self.put(name, node)
        node.nlink += 1
        node.ctime = self.filesystem.now()

    def unlink(self, name: str) -> None:
        node = self.lookup(name)
        if node.kind == stat.S_IFDIR:
            raise Errno(EISDIR)
        self.drop(name)
        _lost_name(node)

    def rmdir(self, name: str) -> None:
        node = self.lookup(name)
        if node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        if list(node.entries()):
            raise Errno(ENOTEMPTY)
        self.drop(name)
        _lost_name(node)

    def rename(self, name: str, to: Inode, new_name: str) -> None:
        node = self.lookup(name)
        if not isinstance(to, MemDir) or to.parent is None:
            raise Errno(ENOENT)
        need_not_below(node, to)
        old = to.find(new_name)
        if old is node:
            return
        if old is not None:
            to.remove_for(node, new_name, old)
        to.put(new_name, node)
        self.drop(name)

    def remove_for(self, node: Inode, name: str, old: Inode) -> None:
        """Removes ``old``, which ``node`` is about to replace."""
        if node.kind == stat.S_IFDIR:
            self.rmdir(name)
        elif old.kind == stat.S_IFDIR:
            raise Errno(EISDIR)
        else:
            self.unlink(name)

    def exchange(self, name: str, to: Inode, new_name: str) -> None:
        if not isinstance(to, MemDir):
            raise Errno(ENOENT)
        one, other = self.lookup(name), to.lookup(new_name)
        need_not_below(one, to)
        need_not_below(other, self)
        self.put(name, other)
        to.put(new_name, one)


def _lost_name(node: Inode) -> None:
    if isinstance(node, MemNode):
        node.nlink = max(0, node.nlink - 1)
        if node.kind == stat.S_IFDIR:
            node.nlink, node.parent = 0, None
