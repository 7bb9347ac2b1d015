"""Directories in memory: /tmp, /dev/shm, memfd_create(2) (tmpfs(5))."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable

from kernel.base.budget import Budget, Cost, Kind, cost_of_text
from kernel.base.errno import EACCES, EEXIST, EISDIR, ENOENT, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM
from kernel.base.errors import Errno
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import X_OK
from kernel.vfs.core.tree_checks import check_not_below
from kernel.vfs.memfs.nodes import MemFifo, MemFile, MemLink, MemNode, MemSocket, MemStore
from kernel.vfs.memfs.sparse_bytes import PageStore


def _cost(name: str) -> int:
    """Cost of a directory entry in bytes, which limits the number of hard links."""
    return Cost.NAME + cost_of_text(name)


class MemDir(MemNode):
    """A directory."""

    def __init__(self, filesystem: MemStore, mode: int) -> None:
        super().__init__(filesystem, stat.S_IFDIR | mode)
        self._nodes: dict[str, Inode] = {}
        self._subdirectories = 0

    # The table of entries. A directory of an overlay also has those of the lower directory.

    def find(self, name: str) -> Inode | None:
        return self._nodes.get(name)

    def put(self, name: str, node: Inode) -> None:
        """Adds or replaces an entry, and sets the parent and name of a directory."""
        if name not in self._nodes:
            self.filesystem.budget.take(Kind.NAME, _cost(name), ENOSPC)
        else:
            self._subdirectories -= self._nodes[name].kind == stat.S_IFDIR
        self._nodes[name] = node
        if node.kind == stat.S_IFDIR:
            self._subdirectories += 1
            node.parent, node.name = self, name
        self.mark_modified()

    def drop(self, name: str) -> None:
        """Removes an entry."""
        node = self._nodes.pop(name, None)
        if node is not None:
            self.filesystem.budget.give_back(Kind.NAME, _cost(name))
            self._subdirectories -= node.kind == stat.S_IFDIR
        self.mark_modified()

    def entries(self) -> Iterable[tuple[str, int, int]]:
        return [(name, node.stat().ino, node.kind >> 12) for name, node in self._nodes.items()]

    # Operations of an inode.

    def stat(self) -> Stat:
        status = super().stat()
        if self.parent is not None:
            status.nlink = 2 + self._subdirectories
        return status

    def length(self) -> int:
        return 20 * (2 + len(self._nodes))

    def check_search(self, credentials: Credentials) -> None:
        if not credentials.permits(X_OK, self.mode, self.uid, self.gid):
            raise Errno(EACCES)

    def lookup(self, name: str) -> Inode:
        node = self.find(name)
        if node is None:
            raise Errno(ENOENT)
        return node

    def create(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemFile(self.filesystem, mode))

    def create_unnamed(self, mode: int) -> MemFile:
        node = MemFile(self.filesystem, mode)
        node.nlink = 0
        return node

    def mkdir(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemDir(self.filesystem, mode))

    def mkfifo(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemFifo(self.filesystem, mode))

    def mksocket(self, name: str, mode: int) -> Inode:
        return self._add(name, lambda: MemSocket(self.filesystem, mode))

    def symlink(self, name: str, target: str) -> Inode:
        return self._add(name, lambda: MemLink(self.filesystem, target))

    def _add(self, name: str, make: Callable[[], MemNode]) -> Inode:
        self._check_absent(name)
        node = make()
        self.put(name, node)
        return node

    def _check_absent(self, name: str) -> None:
        if self.parent is None:
            raise Errno(ENOENT)
        if self.find(name) is not None:
            raise Errno(EEXIST)

    def link(self, name: str, node: Inode) -> None:
        if not isinstance(node, MemNode) or node.kind == stat.S_IFDIR:
            raise Errno(EPERM)
        self._check_absent(name)
        self.put(name, node)
        node.nlink += 1
        node.ctime = self.filesystem.now()

    def unlink(self, name: str) -> None:
        node = self.lookup(name)
        if node.kind == stat.S_IFDIR:
            raise Errno(EISDIR)
        self.drop(name)
        _count_lost_name(node)

    def rmdir(self, name: str) -> None:
        node = self.lookup(name)
        if node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        if list(node.entries()):
            raise Errno(ENOTEMPTY)
        self.drop(name)
        _count_lost_name(node)

    def rename(self, name: str, to: Inode, new_name: str) -> None:
        node = self.lookup(name)
        if not isinstance(to, MemDir) or to.parent is None:
            raise Errno(ENOENT)
        check_not_below(node, to)
        old = to.find(new_name)
        if old is node:
            return
        if old is not None:
            to.remove_for(node, new_name, old)
        to.put(new_name, node)
        self.drop(name)

    def remove_for(self, node: Inode, name: str, old: Inode) -> None:
        """Removes ``old`` before ``node`` replaces it."""
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
        check_not_below(one, to)
        check_not_below(other, self)
        self.put(name, other)
        to.put(new_name, one)


def _count_lost_name(node: Inode) -> None:
    if isinstance(node, MemNode):
        node.nlink = max(0, node.nlink - 1)
        if node.kind == stat.S_IFDIR:
            node.nlink, node.parent = 0, None
        node.drop_unused_pages()


class MemFs(MemStore):
    """A tree in memory of at most ``limit`` bytes; ``now`` returns nanoseconds since 1970."""

    def __init__(
        self,
        *,
        number: int = 0,
        limit: int | None = None,
        now: Callable[[], int] = time.time_ns,
        mode: int = 0o755,
        owner: Credentials | None = None,
        pages: PageStore | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(
            number=number, limit=limit, now=now, owner=owner, pages=pages, budget=budget
        )
        self.root = MemDir(self, mode)
        self.root.parent = self.root
