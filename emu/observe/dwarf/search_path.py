"""Files that may contain debug information: the guest's, and the host's if there is no root.

With a root, only what was granted of the host is read. Without one, a program's debug information
is read where it was compiled, on the host; the guest cannot observe that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from emu.observe.dwarf.debug_files import DebugFiles, Source
from emu.observe.model.regular_file import open_regular
from kernel.base.elf_headers import Read
from kernel.base.errors import Errno
from kernel.kernel import Kernel
from kernel.vfs.core.inode import Inode
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.names.path_walk import walk


class _Opened:
    def __init__(self, size: int, read: Read) -> None:
        self.size = size
        self.read = read


class GuestFiles:
    """The guest's files, as seen by a process with the guest's whole root."""

    def __init__(self, namespace: Callable[[], Namespace | None]) -> None:
        self._namespace = namespace

    @contextmanager
    def open(self, path: str) -> Iterator[Source | None]:
        """Opens the regular file at an absolute path; None if there is none."""
        fs = self._fs
        node = _node(fs, path) if fs is not None else None
        if node is not None:
            yield _Opened(_size(node), lambda offset, count: _read(node, offset, count))
        elif fs is None or not fs.namespace.shows_only_grants(fs.namespace.root):
            yield None
        else:
            try:
                file = open_regular(path)
            except (OSError, ValueError):
                yield None
                return
            with file:
                fd = file.fileno()
                size = os.fstat(fd).st_size
                yield _Opened(size, lambda offset, count: _pread(fd, offset, min(count, size)))

    def real(self, path: str) -> str:
        """The path with symbolic links resolved as far as it exists."""
        fs = self._fs
        if fs is None:
            return path
        try:
            found = walk(fs, fs.namespace.root, path)
            return fs.namespace.path_in(found.parent, found.name) if found.node else path
        except Errno:
            return path

    @property
    def _fs(self) -> FsContext | None:
        """None before the first process."""
        namespace = self._namespace()
        return None if namespace is None else FsContext(namespace, namespace.root)


def debug_files(kernel: Kernel) -> DebugFiles:
    """The debug files in the root of the kernel's first process."""
    found: list[Namespace] = []

    def namespace() -> Namespace | None:
        if not found:
            found.extend(process.fs.namespace for process in islice(kernel.processes.values(), 1))
        return found[0] if found else None

    files = GuestFiles(namespace)
    return DebugFiles(files.open, files.real)


def debug_files_in(namespace: Namespace) -> DebugFiles:
    """The debug files in ``namespace``."""
    files = GuestFiles(lambda: namespace)
    return DebugFiles(files.open, files.real)


def _node(fs: FsContext, path: str) -> Inode | None:
    try:
        node = walk(fs, fs.namespace.root, path).node
        return node if node is not None and node.kind == stat.S_IFREG else None
    except Errno:
        return None


def _size(node: Inode) -> int:
    try:
        return node.size
    except Errno:
        return 0


def _read(node: Inode, offset: int, count: int) -> bytes:
    try:
        return node.read_at(offset, min(count, node.size))
    except Errno:
        return b""


def _pread(fd: int, offset: int, count: int) -> bytes:
    try:
        return os.pread(fd, count, offset)
    except (OSError, OverflowError):
        return b""
