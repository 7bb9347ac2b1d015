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
    """Raises SIGXFSZ and EFBIG when the file may not have this size."""
    limit = t.process.limits.soft(Resource.FSIZE)
    if limit < size and node.size < size:
        _refuse(t)


def limited_write(t: SyscallContext, file: OpenFile) -> Callable[[bytes], int | None]:
    """The file's write, limited to the maximum size; only a write that begins there is refused."""
    limit = t.process.limits.soft(Resource.FSIZE)
    if limit == INFINITY or not isinstance(file, RegularFile):
        return file.write

    def position() -> int:
        return file.inode.size if file.flags & O_APPEND else file.offset

    return _ending_at(t, limit, position, file.write)


def limited_write_at(t: SyscallContext, file: OpenFile) -> Callable[[int, bytes], int]:
    """Same for the file's write at an offset."""
    limit = t.process.limits.soft(Resource.FSIZE)
    if limit == INFINITY or not isinstance(file, RegularFile):
        return file.write_at
    begun = False

    def write_at(offset: int, data: bytes) -> int:
        nonlocal begun
        at = file.inode.size if file.flags & O_APPEND else offset
        part = _fitting(t, limit, at, data, begun)
        begun = True
        return file.write_at(offset, part) if part else 0

    return write_at


def _ending_at(
    t: SyscallContext, limit: int, position: Callable[[], int], write: Callable[[bytes], int | None]
) -> Callable[[bytes], int | None]:
    begun = False

    def limited(data: bytes) -> int | None:
        nonlocal begun
        part = _fitting(t, limit, position(), data, begun)
        begun = True
        return write(part) if part else 0

    return limited


def _fitting(t: SyscallContext, limit: int, at: int, data: bytes, begun: bool) -> bytes:
    if data and at >= limit and not begun:
        _refuse(t)
    return data[: max(0, limit - at)]


def _refuse(t: SyscallContext) -> None:
    t.send_signal(SIGXFSZ)
    raise Errno(EFBIG)
