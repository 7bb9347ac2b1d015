"""Transfers between pipes and other files, or the caller's memory: splice(2), tee(2), vmsplice(2).

Bytes are copied, not pages: what a program stores to memory after vmsplice(2) does not show in the
pipe.
"""

from __future__ import annotations

import stat
import struct

from kernel.base.budget import Kind
from kernel.base.errno import EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ESPIPE
from kernel.base.errors import Errno
from kernel.base.wait import Blocking, Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.file_size_limit import limited_write, limited_write_at
from kernel.syscalls.transfer import wait_for
from kernel.syscalls.user_buffers import Buffers, read_iovec
from kernel.vfs.core.linux_abi import MAX_RW, O_APPEND, O_NONBLOCK, POLLIN, POLLOUT, SIGPIPE
from kernel.vfs.core.open_file import OpenFile, RegularFile
from kernel.vfs.ipc.pipe import PipeEnd

SPLICE_F_NONBLOCK = 2
_ALL_FLAGS = 15
_OFFSET = struct.Struct("<q")
_LARGEST_OFFSET = (1 << 63) - 1
_TRANSFERABLE = (stat.S_IFREG, stat.S_IFCHR, stat.S_IFSOCK)
"""Kinds of files that splice(2) accepts at the other end of a pipe."""


def splice(
    t: SyscallContext,
    in_fd: int,
    in_offset: int,
    out_fd: int,
    out_offset: int,
    count: int,
    flags: int,
) -> Result:
    if not count:
        return 0
    _check_flags(flags)
    source, sink = t.files.get_usable(in_fd), t.files.get_usable(out_fd)
    from_pipe, to_pipe = isinstance(source, PipeEnd), isinstance(sink, PipeEnd)
    if (from_pipe and in_offset) or (to_pipe and out_offset):
        raise Errno(ESPIPE)
    to, at = _read_offset(t, out_offset), _read_offset(t, in_offset)
    _check_modes(source, sink)
    most = min(count, MAX_RW)
    if isinstance(source, PipeEnd):
        if isinstance(sink, PipeEnd):
            return _between_pipes(t, source, sink, most, flags, consume=True)
        if sink.flags & O_APPEND:
            raise Errno(EINVAL)
        _check_offset(sink, to, count)
        if sink.inode.kind not in _TRANSFERABLE:
            raise Errno(EINVAL)
        return _from_pipe(t, source, sink, most, flags, to, out_offset)
    if not isinstance(sink, PipeEnd):
        raise Errno(EINVAL)
    _check_offset(source, at, count)
    return _to_pipe(t, source, sink, most, flags, at, in_offset)


def tee(t: SyscallContext, in_fd: int, out_fd: int, count: int, flags: int) -> Result:
    _check_flags(flags)
    if not count:
        return 0
    source, sink = t.files.get_usable(in_fd), t.files.get_usable(out_fd)
    _check_modes(source, sink)
    if not (isinstance(source, PipeEnd) and isinstance(sink, PipeEnd)):
        raise Errno(EINVAL)
    return _between_pipes(t, source, sink, min(count, MAX_RW), flags, consume=False)


def vmsplice(t: SyscallContext, fd: int, iov: int, count: int, flags: int) -> Result:
    _check_flags(flags)
    file = t.files.get_usable(fd)
    if not (file.writable or file.readable):
        raise Errno(EBADF)
    buffers = Buffers(t.mem, read_iovec(t, iov, count))
    if not buffers.remaining:
        return 0
    if not isinstance(file, PipeEnd):
        raise Errno(EBADF)
    if file.writable:
        return _from_memory(t, file, buffers, flags)
    return _to_memory(t, file, buffers, flags)


def _read_offset(t: SyscallContext, address: int) -> int | None:
    """The offset at ``address``, whose range :func:`_check_offset` checks; None without one."""
    return int(_OFFSET.unpack(t.mem.read(address, 8))[0]) if address else None


def _check_flags(flags: int) -> None:
    if flags & ~_ALL_FLAGS:
        raise Errno(EINVAL)


def _check_modes(source: OpenFile, sink: OpenFile) -> None:
    if not source.readable or not sink.writable:
        raise Errno(EBADF)


def _check_offset(file: OpenFile, offset: int | None, count: int) -> None:
    """EINVAL for an offset that the file cannot have, and for a range beyond the largest one."""
    if offset is not None and file.stream:
        raise Errno(EINVAL)
    if offset is None:
        offset = file.offset if isinstance(file, RegularFile) else 0
    if offset < 0 or offset + count > _LARGEST_OFFSET:
        raise Errno(EINVAL)


def _data(t: SyscallContext, source: PipeEnd, nonblocking: bool) -> Blocking:
    """Waits until the pipe has data; returns 0 when it is empty without a writer, else 1."""
    pipe = source.pipe
    while not pipe.buffer:
        if not pipe.writers:
            return 0
        if nonblocking:
            raise Errno(EAGAIN)
        yield wait_for(source, POLLIN)
    return 1


def _room(t: SyscallContext, sink: PipeEnd, nonblocking: bool) -> Blocking:
    """Waits until the pipe has room, and returns the number of bytes; EPIPE without a reader."""
    pipe = sink.pipe
    while True:
        if not pipe.readers:
            t.send_signal(SIGPIPE)
            raise Errno(EPIPE)
        free = pipe.capacity - len(pipe.buffer)
        if free > 0:
            return free
        if nonblocking:
            raise Errno(EAGAIN)
        yield wait_for(sink, POLLOUT)


def _between_pipes(
    t: SyscallContext, source: PipeEnd, sink: PipeEnd, count: int, flags: int, *, consume: bool
) -> Blocking:
    """Moves bytes from a pipe to another (splice), or copies them (tee)."""
    if source.pipe is sink.pipe:
        raise Errno(EINVAL)
    nonblocking = bool((source.flags | sink.flags) & O_NONBLOCK or flags & SPLICE_F_NONBLOCK)
    with _Held(source, sink):
        while True:
            yield from _data(t, source, nonblocking)
            free = yield from _room(t, sink, nonblocking)
            data = bytes(source.pipe.buffer[: min(count, free)])
            if data or not source.pipe.writers:
                break
    if data:
        _append(sink, data)
        if consume:
            source.read(len(data))
    return len(data)


def _append(sink: PipeEnd, data: bytes) -> None:
    """Adds bytes for which there is room, a few of a page too, which write(2) would not split."""
    pipe = sink.pipe
    pipe.charge_pages(len(pipe.buffer) + len(data))
    pipe.buffer += data
    pipe.readable.wake()


def _from_pipe(
    t: SyscallContext,
    source: PipeEnd,
    sink: OpenFile,
    count: int,
    flags: int,
    to: int | None,
    offset_address: int,
) -> Blocking:
    nonblocking = source.nonblocking or bool(flags & SPLICE_F_NONBLOCK)
    with _Held(source, sink):
        while True:
            yield from _data(t, source, nonblocking)
            written = _write_front(t, source, sink, count, to)
            if written is not None:
                break
            if sink.nonblocking:
                raise Errno(EAGAIN)
            yield wait_for(sink, POLLOUT)
    if to is not None:
        t.mem.write(offset_address, _OFFSET.pack(to + written))
    return written


def _write_front(
    t: SyscallContext, source: PipeEnd, sink: OpenFile, count: int, to: int | None
) -> int | None:
    """Writes the first bytes of the pipe and takes them from it; None when ``sink`` is full."""
    data = bytes(source.pipe.buffer[:count])
    if not data:
        return 0
    try:
        if to is None:
            written = limited_write(t, sink)(data)
        else:
            written = limited_write_at(t, sink)(to, data)
    except Errno as error:
        if error.errno == EPIPE:
            t.send_signal(SIGPIPE)
        raise
    if written:
        source.read(written)
    return written


def _to_pipe(
    t: SyscallContext,
    source: OpenFile,
    sink: PipeEnd,
    count: int,
    flags: int,
    at: int | None,
    offset_address: int,
) -> Blocking:
    no_wait = bool(flags & SPLICE_F_NONBLOCK)
    with _Held(source, sink):
        while True:
            free = yield from _room(t, sink, no_wait or sink.nonblocking)
            if source.inode.kind not in _TRANSFERABLE:
                raise Errno(EINVAL)
            wanted = min(count, free)
            data = source.read(wanted) if at is None else source.read_at(at, wanted)
            if data is not None:
                break
            if no_wait or source.nonblocking:
                raise Errno(EAGAIN)
            yield wait_for(source, POLLIN)
    try:
        _append(sink, data)
    except Errno:
        if at is None:
            source.unread(data)
        raise
    if at is not None:
        t.mem.write(offset_address, _OFFSET.pack(at + len(data)))
    return len(data)


def _from_memory(t: SyscallContext, sink: PipeEnd, buffers: Buffers, flags: int) -> Blocking:
    with _Held(sink), t.fs.namespace.budget.charged(Kind.WAIT, buffers.cost):
        free = yield from _room(t, sink, sink.nonblocking or bool(flags & SPLICE_F_NONBLOCK))
    data = buffers.take(free)
    _append(sink, data)
    return len(data)


def _to_memory(t: SyscallContext, source: PipeEnd, buffers: Buffers, flags: int) -> Blocking:
    with _Held(source), t.fs.namespace.budget.charged(Kind.WAIT, buffers.cost):
        yield from _data(t, source, source.nonblocking or bool(flags & SPLICE_F_NONBLOCK))
    data = source.read(buffers.remaining) or b""
    count = buffers.fill(data)
    if count < len(data):
        source.unread(data[count:])
    if data and not count:
        raise Errno(EFAULT)
    return count


class _Held:
    """References to open files, so that a close during the call does not end them."""

    def __init__(self, *files: OpenFile) -> None:
        self._files = files

    def __enter__(self) -> None:
        for file in self._files:
            file.acquire()

    def __exit__(self, *failure: object) -> None:
        for file in self._files:
            file.release()
