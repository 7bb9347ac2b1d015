"""Read-only nodes made by the kernel: directories, texts and links."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable

from kernel.base.errno import ENOENT, EROFS
from kernel.base.errors import Errno
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Inode, Stat


class StaticNode(Inode):
    """A node of fixed mode, owned by root."""

    mode = stat.S_IFREG | 0o444

    def __init__(self, filesystem: FileSystem) -> None:
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()

    def stat(self) -> Stat:
        device, size = self.filesystem.device, self.length()
        links = 2 if stat.S_ISDIR(self.mode) else 1
        return Stat(device, self.ino, self.mode, links, 0, 0, 0, size, 0, 0, 0)

    def length(self) -> int:
        """st_size."""
        return 0


class StaticDir(StaticNode):
    """A directory whose entries the kernel adds."""

    mode = stat.S_IFDIR | 0o755

    def __init__(self, filesystem: FileSystem) -> None:
        super().__init__(filesystem)
        self._nodes: dict[str, Inode] = {}

    def put(self, name: str, node: Inode) -> None:
        """Adds an entry, and sets the parent and name of a directory."""
        self._nodes[name] = node
        if stat.S_ISDIR(node.kind):
            node.parent, node.name = self, name

    def lookup(self, name: str) -> Inode:
        try:
            return self._nodes[name]
        except KeyError:
            raise Errno(ENOENT) from None

    def entries(self) -> Iterable[tuple[str, int, int]]:
        for name, node in self._nodes.items():
            status = node.stat()
            yield name, status.ino, stat.S_IFMT(status.mode) >> 12


class StaticText(StaticNode):
    """A file with a fixed text, or one that is computed at each read."""

    def __init__(self, filesystem: FileSystem, text: str | Callable[[], str]) -> None:
        super().__init__(filesystem)
        self._text = text

    def content(self) -> bytes:
        text = self._text if isinstance(self._text, str) else self._text()
        return text.encode("utf-8", "surrogateescape")

    def length(self) -> int:
        return len(self.content())

    def read_at(self, offset: int, count: int) -> bytes:
        return self.content()[offset : offset + count]

    def write_at(self, offset: int, data: bytes) -> int:
        raise Errno(EROFS)


class StaticLink(StaticNode):
    """A symbolic link."""

    mode = stat.S_IFLNK | 0o777

    def __init__(self, filesystem: FileSystem, target: str) -> None:
        super().__init__(filesystem)
        self._target = target

    def length(self) -> int:
        return len(self._target)

    def readlink(self) -> str:
        return self._target
