"""Nodes of /proc; they are created by lookups, and their content by reads."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from kernel.base.budget import Budget, Kind
from kernel.base.errno import EACCES, EINVAL, ENOENT, ESPIPE
from kernel.base.errors import Errno
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.filesystem import PROC_MAGIC, FileSystem
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import O_ACCMODE, O_RDONLY, SEEK_CUR, SEEK_SET, W_OK
from kernel.vfs.core.open_file import OpenFile, SpecialInode


class ProcFs(FileSystem):
    """A file system whose files are made when they are read: /proc, /sys."""

    def __init__(
        self,
        now: Callable[[], int],
        budget: Budget,
        kind: str = "proc",
        magic: int = PROC_MAGIC,
        number: int = 6,
    ) -> None:
        super().__init__(kind, magic, number=number)
        self.budget = budget
        """Budget of the texts of open files."""
        self.now = now
        self.owner: Callable[[str], tuple[int, int]] = lambda path: (os.geteuid(), os.getegid())
        """User and group of the node at a path."""


class ProcNode(Inode):
    """A node at ``path`` within /proc; the inode number is derived from the path."""

    filesystem: ProcFs
    mode = 0

    def __init__(self, filesystem: ProcFs, path: str) -> None:
        self.filesystem = filesystem
        self.path = path
        self.ino = zlib.crc32(path.encode()) | 1 << 32

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.mode)

    def stat(self) -> Stat:
        now, owner = self.filesystem.now(), self.filesystem.owner(self.path)
        device, links = self.filesystem.device, 2 if stat.S_ISDIR(self.mode) else 1
        return Stat(device, self.ino, self.mode, links, *owner, 0, 0, now, now, now, 1024)

    def chmod(self, mode: int) -> None:
        raise Errno(EACCES)


class ProcDir(ProcNode):
    """A directory whose entries ``names`` lists and ``find`` creates (None: no such entry)."""

    mode = stat.S_IFDIR | 0o555

    def __init__(
        self,
        filesystem: ProcFs,
        path: str,
        names: Callable[[], Iterable[str]],
        find: Callable[[str], ProcNode | None],
    ) -> None:
        super().__init__(filesystem, path)
        self._names = names
        self._find = find

    def lookup(self, name: str) -> Inode:
        node = self._find(name)
        if node is None:
            raise Errno(ENOENT)
        if isinstance(node, ProcDir):
            node.parent, node.name = self, name
        return node

    def entries(self) -> Iterable[tuple[str, int, int]]:
        for name in self._names():
            node = self._find(name)
            if node is not None:
                yield name, node.ino, node.kind >> 12

    def check(self, want: int, credentials: Credentials) -> None:
        if want & W_OK:  # even root cannot create or remove entries
            raise Errno(EACCES)


class ProcText(ProcNode, SpecialInode):
    """A file whose content ``make`` returns when a read begins.

    ``check_open`` raises :class:`Errno` where the file cannot be opened now.
    """

    mode = stat.S_IFREG | 0o444
    check_open: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, filesystem: ProcFs, path: str, make: Callable[[], bytes]) -> None:
        super().__init__(filesystem, path)
        self.make = make

    def read_at(self, offset: int, count: int) -> bytes:
        return self.make()[offset : offset + count]

    def open(self, flags: int, path: str) -> OpenFile:
        if flags & O_ACCMODE != O_RDONLY:
            raise Errno(EACCES)
        self.check_open()
        return ProcFile(self, flags, path)


def texts_dir(
    filesystem: ProcFs, texts: Mapping[str, Callable[[], str]], prefix: str = "", at: str = ""
) -> ProcDir:
    """The directory of the texts below ``prefix``, whose own paths begin with ``at``."""

    def names() -> list[str]:
        below = [path[len(prefix) :] for path in texts if path.startswith(prefix)]
        return sorted({path.split("/")[0] for path in below})

    def find(name: str) -> ProcNode | None:
        path = prefix + name
        if path in texts:
            return ProcText(filesystem, at + path, partial(_line, texts[path]))
        if any(text.startswith(path + "/") for text in texts):
            return texts_dir(filesystem, texts, path + "/", at)
        return None

    return ProcDir(filesystem, at + prefix, names, find)


def _line(make: Callable[[], str]) -> bytes:
    return f"{make()}\n".encode()


class ProcFile(OpenFile):
    """An open text of /proc: a snapshot, renewed by a read at offset 0."""

    def __init__(self, node: ProcText, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self._make = node.make
        self._budget = node.filesystem.budget
        self._text = b""
        self.offset = 0

    def read(self, count: int) -> bytes | None:
        data = self.read_at(self.offset, count)
        self.offset += len(data)
        return data

    def unread(self, data: bytes) -> None:
        self.offset -= len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        if offset == 0:
            self.on_last_close()
            text = self._make()
            self._budget.take(Kind.TEXT, len(text))
            self._text = text
        return self._text[offset : offset + count]

    def on_last_close(self) -> None:
        self._budget.give_back(Kind.TEXT, len(self._text))
        self._text = b""

    def seek(self, offset: int, whence: int) -> int:
        if whence == SEEK_CUR:
            offset += self.offset
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if not 0 <= offset < 1 << 63:
            raise Errno(EINVAL)
        self.offset = offset
        return offset


class ProcSetting(ProcText):
    """A text that may be replaced: ``store`` receives what is written, at any offset if
    ``seekable``.
    """

    seekable = True

    def __init__(
        self,
        filesystem: ProcFs,
        path: str,
        rights: int,
        make: Callable[[], bytes],
        store: Callable[[bytes], None],
    ) -> None:
        super().__init__(filesystem, path, make)
        self.mode = stat.S_IFREG | rights
        self.store = store

    def open(self, flags: int, path: str) -> OpenFile:
        return ProcSettingFile(self, flags, path)


class ProcSettingFile(ProcFile):
    """An open setting. A write replaces the whole, at any offset."""

    def __init__(self, node: ProcSetting, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self._store = node.store
        self._seekable = node.seekable

    def write(self, data: bytes) -> int:
        self._store(data)
        self.offset += len(data)
        return len(data)

    def write_at(self, offset: int, data: bytes) -> int:
        if not self._seekable:
            raise Errno(ESPIPE)
        self._store(data)
        return len(data)

    def truncate(self, size: int) -> None:
        """Does nothing: a shell opens the file with O_TRUNC."""


class ProcLink(ProcNode):
    """A symbolic link whose text ``make`` returns."""

    mode = stat.S_IFLNK | 0o777

    def __init__(self, filesystem: ProcFs, path: str, make: Callable[[], str]) -> None:
        super().__init__(filesystem, path)
        self._make = make

    def readlink(self) -> str:
        return self._make()


class MagicLink(ProcLink):
    """A link that refers to a node that the process uses (exe, cwd, fd/N), not to a path."""

    def __init__(
        self,
        filesystem: ProcFs,
        path: str,
        make: Callable[[], str],
        target: Callable[[], Inode | None],
    ) -> None:
        super().__init__(filesystem, path, make)
        self._target = target

    def link_target(self) -> Inode | None:
        target = self._target()
        if target is None:
            raise Errno(ENOENT)
        return target
