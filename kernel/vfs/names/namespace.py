"""The guest's one tree of files: what is mounted where, and the names of directories."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from kernel.base.budget import Budget
from kernel.base.errno import ENOENT, ENOTDIR
from kernel.base.errors import Errno
from kernel.vfs.core.filesystem import ANON_MAGIC, PIPE_MAGIC, SOCK_MAGIC, ChargedFs, FileSystem
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK
from kernel.vfs.memfs.memfs import MemFs
from kernel.vfs.memfs.read_only import StaticDir
from kernel.vfs.tty.terminal import TerminalDevice

REFUSED_KEPT = 100
"""How many paths of refused writes are remembered."""

_DT = {
    stat.S_IFIFO: DT_FIFO,
    stat.S_IFCHR: DT_CHR,
    stat.S_IFDIR: DT_DIR,
    stat.S_IFBLK: DT_BLK,
    stat.S_IFREG: DT_REG,
    stat.S_IFLNK: DT_LNK,
    stat.S_IFSOCK: DT_SOCK,
}


class Namespace:
    """A root, and nodes laid over names of its directories.

    A mount is a (directory, name) that leads to another file system's node, a directory or a
    single file; the name need not exist beneath. There is one namespace for all guests of a
    machine, and nobody can change its mounts.
    """

    def __init__(self, root: Inode, *, memory_files: MemFs | None = None) -> None:
        self.root = root
        root.parent = root
        self._mounts: dict[Inode, dict[str, Inode]] = {}
        self._between = FileSystem("tmpfs", root.filesystem.magic, number=1, read_only=True)
        self.refused_writes: list[str] = []
        """Guest paths, each once, that a guest wanted to write and could not (EROFS)."""
        self.memory_files = memory_files or MemFs(number=5)
        """Where memfd_create(2) puts its files."""
        self.budget: Budget = self.memory_files.budget
        """Budget of the objects of all its file systems."""
        self.pipes = ChargedFs("pipefs", PIPE_MAGIC, number=2, budget=self.budget)
        self.sockets = ChargedFs("sockfs", SOCK_MAGIC, number=3, budget=self.budget)
        self.anonymous = FileSystem("anon_inodefs", ANON_MAGIC, number=4)
        self.tty = TerminalDevice(self.anonymous)
        """The node /dev/tty; its ``terminal`` is the user's, if he has one."""

    def mount(self, path: str, node: Inode) -> None:
        """Lays ``node`` over the absolute guest path ``path``; directories above that don't exist
        come into being, and list only what was granted.
        """
        names = [name for name in path.split("/") if name]
        if not names:
            raise ValueError("the root is given when the namespace is made")
        directory = self.root
        for name in names[:-1]:
            directory = self._enter_or_make(directory, name)
        self._lay(directory, names[-1], node)

    def replace_root(self, node: Inode) -> None:
        """Puts directory ``node`` in the place of the root; what was laid over it stays."""
        if node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        mounts = self._mounts.pop(self.root, {})
        self.root = node.parent = node
        for name, child in mounts.items():
            self._lay(node, name, child)

    def child(self, directory: Inode, name: str) -> Inode:
        """The node that ``name`` leads to from ``directory``, mounts before what lies beneath."""
        mounts = self._mounts.get(directory)
        if mounts is not None and name in mounts:
            return mounts[name]
        return directory.lookup(name)

    def is_mount(self, directory: Inode, name: str) -> bool:
        return name in self._mounts.get(directory, ())

    def has_mounts(self, node: Inode | None) -> bool:
        """Whether something is laid over a name in directory ``node``."""
        return node in self._mounts

    def entries(self, directory: Inode) -> list[tuple[str, int, int]]:
        """(name, inode number, DT_ type) of all in ``directory``, with "." and ".."."""
        up = directory.parent or directory
        listed = [(".", directory.stat().ino, DT_DIR), ("..", up.stat().ino, DT_DIR)]
        mounts = self._mounts.get(directory)
        if mounts is None:
            listed.extend(directory.entries())
            return listed
        listed.extend(entry for entry in directory.entries() if entry[0] not in mounts)
        for name, node in mounts.items():
            status = node.stat()
            listed.append((name, status.ino, _DT.get(stat.S_IFMT(status.mode), 0)))
        return listed

    def path_of(self, directory: Inode) -> str:
        """The absolute guest path of a directory; ENOENT when it or one above was removed."""
        names: list[str] = []
        while directory is not self.root:
            if directory.parent is None:
                raise Errno(ENOENT)
            names.append(directory.name)
            directory = directory.parent
        return "/" + "/".join(reversed(names))

    def path_in(self, directory: Inode, name: str) -> str:
        """The guest path of an entry, fit for showing even when the directory was removed."""
        try:
            base = self.path_of(directory)
        except Errno:
            return f"{name} (deleted)"
        return (base if base != "/" else "") + "/" + name

    def refuse(self, path: str) -> None:
        """Remembers that a guest wanted to write ``path`` and could not."""
        if path not in self.refused_writes and len(self.refused_writes) < REFUSED_KEPT:
            self.refused_writes.append(path)

    def stands_for_host(self, directory: Inode) -> bool:
        """Whether it stands for a directory of the host of which only what was granted is shown."""
        own = (self._between, self.root.filesystem)
        return isinstance(directory, StaticDir) and directory.filesystem in own

    def mounted(self) -> Iterator[tuple[str, Inode]]:
        """(guest path, node) of the root and of everything laid over it."""
        yield "/", self.root
        for directory, mounts in self._mounts.items():
            for name, node in mounts.items():
                yield self.path_in(directory, name), node

    def _enter_or_make(self, directory: Inode, name: str) -> Inode:
        try:
            node = self.child(directory, name)
        except Errno:
            node = StaticDir(self._between)
            self._lay(directory, name, node)
        if node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        return node

    def _lay(self, directory: Inode, name: str, node: Inode) -> None:
        if node.kind == stat.S_IFDIR:
            node.parent, node.name = directory, name
        if isinstance(directory, StaticDir) and directory.filesystem is self._between:
            directory.put(name, node)
        self._mounts.setdefault(directory, {})[name] = node
