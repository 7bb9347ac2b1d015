"""RLIMIT_FSIZE: the maximum size of a regular file that a process writes (setrlimit(2))."""

from __future__ import annotations

from collections.abc import Callable

from kernel.base.errno import EFBIG
from kernel.base.errors import Errno
from kernel.base.resource_limits import INFINITY, Resource
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_APPEND, SIGXFSZ
from kernel.vfs.core.open_file import OpenFile, RegularFile


def check_size(t: SyscallContext, node: Inode, size: int) -> None:
    """Sends SIGXFSZ and raises EFBIG when ``size`` exceeds the limit and the file's size."""
    limit = t.process.limits.soft(Resource.FSIZE)
    if limit < size and node.size < size:
        _fail(t)


def limited_write(t: SyscallContext, file: OpenFile) -> Callable[[bytes], int | None]:
    """Returns the file's write, cut at the limit; EFBIG for a write that begins at the limit."""
    limit = t.process.limits.soft(Resource.FSIZE)
    if limit == INFINITY or not isinstance(file, RegularFile):
        return file.write

    def position() -> int:
        return file.inode.size if file.flags & O_APPEND else file.offset

    return _cut_at(t, limit, position, file.write)


def limited_write_at(t: SyscallContext, file: OpenFile) -> Callable[[int, bytes], int]:
    """Returns the same for the file's write at an offset."""
    limit = t.process.limits.soft(Resource.FSIZE)
    if limit == INFINITY or not isinstance(file, RegularFile):
        return file.write_at
    started = False

    def write_at(offset: int, data: bytes) -> int:
        nonlocal started
        at = file.inode.size if file.flags & O_APPEND else offset
        part = _part_within(t, limit, at, data, started)
        started = True
        return file.write_at(offset, part) if part else 0

    return write_at


def _cut_at(
    t: SyscallContext, limit: int, position: Callable[[], int], write: Callable[[bytes], int | None]
) -> Callable[[bytes], int | None]:
    started = False

    def limited(data: bytes) -> int | None:
        nonlocal started
        part = _part_within(t, limit, position(), data, started)
        started = True
        return write(part) if part else 0

    return limited


def _part_within(t: SyscallContext, limit: int, at: int, data: bytes, started: bool) -> bytes:
    if data and at >= limit and not started:
        _fail(t)
    return data[: max(0, limit - at)]


def _fail(t: SyscallContext) -> None:
    t.send_signal(SIGXFSZ)
    raise Errno(EFBIG)
