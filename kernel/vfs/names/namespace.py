"""The guest's tree of files: mounts, and the paths of directories."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from kernel.base.budget import Budget
from kernel.base.errno import ENOENT, ENOTDIR
from kernel.base.errors import Errno
from kernel.vfs.core.filesystem import ANON_MAGIC, PIPE_MAGIC, SOCK_MAGIC, ChargedFs, FileSystem
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK
from kernel.vfs.ipc.inotify import Inotify
from kernel.vfs.memfs.memfs import MemFs
from kernel.vfs.memfs.read_only import StaticDir
from kernel.vfs.pty.devpts import DevPts, PtsKernel
from kernel.vfs.sockets.socket_file import Network
from kernel.vfs.tty.terminal import TerminalDevice

MAX_REFUSED_WRITES = 100
"""Maximum number of paths in :attr:`Namespace.refused_writes`."""

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
    """A root, and nodes mounted over names of its directories.

    A mount maps (directory, name) to a node of another file system, a directory or a single file;
    the directory need not have an entry of that name. A machine has one namespace for all guests,
    which cannot change its mounts.
    """

    def __init__(self, root: Inode, *, memory_files: MemFs | None = None) -> None:
        self.root = root
        root.parent = root
        self._mounts: dict[Inode, dict[str, Inode]] = {}
        self._mount_point_fs = FileSystem("tmpfs", root.filesystem.magic, number=1, read_only=True)
        self.refused_writes: list[str] = []
        """Guest paths, each once, to which writes failed with EROFS."""
        self.memory_files = memory_files or MemFs(number=5)
        """File system of memfd_create(2)'s files."""
        self.budget: Budget = self.memory_files.budget
        """Budget of the objects of all its file systems."""
        self.pipes = ChargedFs("pipefs", PIPE_MAGIC, number=2, budget=self.budget)
        self.sockets = ChargedFs("sockfs", SOCK_MAGIC, number=3, budget=self.budget)
        self.network = Network(self.sockets)
        self.anonymous = FileSystem("anon_inodefs", ANON_MAGIC, number=4)
        self.inotify = Inotify(self.budget)
        self.tty = TerminalDevice(self.anonymous)
        """The node /dev/tty; its ``terminal`` is the user's terminal, if there is one."""
        self.pts = DevPts(self.budget, number=10)

    def connect_terminals(self, kernel: PtsKernel) -> None:
        """Lets terminals know their callers, and send signals."""
        self.pts.kernel = kernel
        self.tty.caller = lambda: kernel.caller.process

    def mount(self, path: str, node: Inode) -> None:
        """Mounts ``node`` at the absolute guest path ``path``. Missing directories of the path are
        created in memory; they list only mounts.
        """
        names = [name for name in path.split("/") if name]
        if not names:
            raise ValueError("the root is given when the namespace is made")
        directory = self.root
        for name in names[:-1]:
            directory = self._enter_or_create(directory, name)
        self._mount(directory, names[-1], node)

    def replace_root(self, node: Inode) -> None:
        """Replaces the root by directory ``node``; the mounts in it remain."""
        if node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        mounts = self._mounts.pop(self.root, {})
        self.root = node.parent = node
        for name, child in mounts.items():
            self._mount(node, name, child)

    def child(self, directory: Inode, name: str) -> Inode:
        """Returns the node of ``name`` in ``directory``: a mount, or else the directory's entry."""
        mounts = self._mounts.get(directory)
        if mounts is not None and name in mounts:
            return mounts[name]
        return directory.lookup(name)

    def is_mount(self, directory: Inode, name: str) -> bool:
        return name in self._mounts.get(directory, ())

    def has_mounts(self, node: Inode | None) -> bool:
        """True when a name in directory ``node`` is a mount point."""
        return node in self._mounts

    def entries(self, directory: Inode) -> list[tuple[str, int, int]]:
        """Lists (name, inode number, DT_ type) of ``directory``, with "." and ".."."""
        up = directory.parent or directory
        listing = [(".", directory.stat().ino, DT_DIR), ("..", up.stat().ino, DT_DIR)]
        mounts = self._mounts.get(directory)
        if mounts is None:
            listing.extend(directory.entries())
            return listing
        listing.extend(entry for entry in directory.entries() if entry[0] not in mounts)
        for name, node in mounts.items():
            status = node.stat()
            listing.append((name, status.ino, _DT.get(stat.S_IFMT(status.mode), 0)))
        return listing

    def path_of(self, directory: Inode) -> str:
        """Returns the absolute guest path of a directory; ENOENT when a part of it was removed."""
        names: list[str] = []
        while directory is not self.root:
            if directory.parent is None:
                raise Errno(ENOENT)
            names.append(directory.name)
            directory = directory.parent
        return "/" + "/".join(reversed(names))

    def path_in(self, directory: Inode, name: str) -> str:
        """Returns the guest path of an entry, for display; also when the directory was removed."""
        try:
            base = self.path_of(directory)
        except Errno:
            return f"{name} (deleted)"
        return (base if base != "/" else "") + "/" + name

    def record_refused_write(self, path: str) -> None:
        """Adds ``path`` to :attr:`refused_writes`."""
        if path not in self.refused_writes and len(self.refused_writes) < MAX_REFUSED_WRITES:
            self.refused_writes.append(path)

    def shows_only_grants(self, directory: Inode) -> bool:
        """True for a directory that lists only granted entries of the host's directory."""
        own = (self._mount_point_fs, self.root.filesystem)
        return isinstance(directory, StaticDir) and directory.filesystem in own

    def mount_points(self) -> Iterator[tuple[str, Inode]]:
        """Yields (guest path, node) of the root and of each mount."""
        yield "/", self.root
        for directory, mounts in self._mounts.items():
            for name, node in mounts.items():
                yield self.path_in(directory, name), node

    def _enter_or_create(self, directory: Inode, name: str) -> Inode:
        try:
            node = self.child(directory, name)
        except Errno:
            node = StaticDir(self._mount_point_fs)
            self._mount(directory, name, node)
        if node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        return node

    def _mount(self, directory: Inode, name: str, node: Inode) -> None:
        if node.kind == stat.S_IFDIR:
            node.parent, node.name = directory, name
        if isinstance(directory, StaticDir) and directory.filesystem is self._mount_point_fs:
            directory.put(name, node)
        self._mounts.setdefault(directory, {})[name] = node
