"""Transfers between buffers in guest memory and open files, in pieces of bounded size."""

from __future__ import annotations

import stat
from collections.abc import Callable

from kernel.base.budget import Kind
from kernel.base.errno import EAGAIN, EFAULT, EPIPE
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Blocking, Result, Wait, interrupted
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.file_size_limit import limited_write, limited_write_at
from kernel.syscalls.user_buffers import Buffers, Span
from kernel.vfs.core import notify
from kernel.vfs.core.linux_abi import CHUNK, POLLIN, POLLOUT, SIGPIPE
from kernel.vfs.core.open_file import OpenFile


def breaks_off(t: SyscallContext, file: OpenFile) -> bool:
    """True when a signal ends the transfer between two pieces; for a regular file a fatal one."""
    return t.breaks_off(only_killed=file.inode.kind == stat.S_IFREG)


def wait_for(file: OpenFile, events: int, until: int | None = None) -> Wait:
    """Returns the wait for one of ``events`` of ``file``, or for the time ``until``."""
    queues, host, deadline = file.sources(events)
    return Wait(file.describe(), queues, host, deadline if until is None else until)


def noted(file: OpenFile, event: int, result: Result) -> Result:
    """The result of a transfer, which is an event of the file if it moved bytes."""
    if not notify.is_watched(file) or result is None:
        return result
    if isinstance(result, int):
        if result > 0:
            notify.emit_of(file, event)
        return result
    return _noted_later(file, event, result)


def _noted_later(file: OpenFile, event: int, call: Blocking) -> Blocking:
    done = yield from call
    if done > 0:
        notify.emit_of(file, event)
    return done


# Reading.


def read_into(t: SyscallContext, file: OpenFile, spans: list[Span]) -> Result:
    """Reads at the file's offset (read(2), readv(2))."""
    buffers = Buffers(t.mem, spans)
    if not buffers.remaining and file.stream and not file.reads_records:
        return 0
    if file.stops_background_read(t):
        return interrupted()
    done = _read_available(t, file, buffers)
    if done is not None:
        return done
    if file.nonblocking:
        raise Errno(EAGAIN)
    return _wait_and_read(t, file, buffers)


def _read_available(t: SyscallContext, file: OpenFile, buffers: Buffers) -> int | None:
    """Reads what is available; None when the call must wait."""
    if file.stream:
        data = file.read(min(buffers.remaining, CHUNK))
        return None if data is None else _fill_or_unread(file, buffers, data)
    return _read_pieces(t, file, buffers, file.read, file.unread)


def _fill_or_unread(file: OpenFile, buffers: Buffers, data: bytes) -> int:
    count = buffers.fill(data)
    if count < len(data):
        file.unread(data[count:])
        if not count:
            raise Errno(EFAULT)
    return count


def _read_pieces(
    t: SyscallContext,
    file: OpenFile,
    buffers: Buffers,
    read: Callable[[int], bytes | None],
    unread: Callable[[bytes], None],
) -> int:
    """Fills the buffers from a file that never blocks, piece by piece."""
    done = 0
    while True:
        size = min(buffers.remaining, CHUNK)
        try:
            data = read(size) or b""
        except Errno:
            if done:
                return done
            raise
        count = buffers.fill(data)
        done += count
        if count < len(data):
            unread(data[count:])
            if not done:
                raise Errno(EFAULT)
            return done
        if len(data) < size or not buffers.remaining or breaks_off(t, file):
            return done


def _wait_and_read(t: SyscallContext, file: OpenFile, buffers: Buffers) -> Blocking:
    clock = t.kernel.clock
    start = clock.monotonic()
    file.acquire()
    try:
        while True:
            deadline = file.read_deadline(start)
            with t.fs.namespace.budget.charged(Kind.WAIT, buffers.cost):
                yield wait_for(file, POLLIN, deadline)
            if file.stops_background_read(t):
                raise Interrupted
            done = _read_available(t, file, buffers)
            if done is not None:
                return done
            deadline = file.read_deadline(start)
            if deadline is not None and deadline <= clock.monotonic():
                return _fill_or_unread(file, buffers, file.read_rest(buffers.remaining))
    except Interrupted:
        gathered = file.read_rest(buffers.remaining)
        if not gathered:
            raise
        return _fill_or_unread(file, buffers, gathered)
    finally:
        file.release()


def read_from(file: OpenFile, t: SyscallContext, spans: list[Span], offset: int) -> int:
    """Reads at ``offset`` (pread64(2), preadv(2))."""
    at = offset

    def read(count: int) -> bytes:
        nonlocal at
        data = file.read_at(at, count)
        at += len(data)
        return data

    return _read_pieces(t, file, Buffers(t.mem, spans), read, lambda data: None)


# Writing.


def write_from(t: SyscallContext, file: OpenFile, spans: list[Span]) -> Result:
    """Writes at the file's offset (write(2), writev(2))."""
    buffers = Buffers(t.mem, spans)
    data = buffers.take(CHUNK) if buffers.remaining else b""
    if not data and file.stream and not _accepts_empty(file):
        return 0
    if file.stops_background_write(t):
        return interrupted()
    write = limited_write(t, file)
    count = _write_or_signal(t, write, data, signal=True)
    if count is not None and count == len(data) and not buffers.remaining:
        return count
    if file.nonblocking and file.stream:
        if count is None:
            raise Errno(EAGAIN)
        return count
    if not file.stream:
        return _write_pieces(t, file, buffers, write, data, count or 0)
    return _wait_and_write(t, file, buffers, data[count or 0 :], count or 0)


def _accepts_empty(file: OpenFile) -> bool:
    """True for a socket of messages, where a write of 0 bytes sends an empty message."""
    return getattr(file, "type", 1) != 1


def _write_or_signal(
    t: SyscallContext, write: Callable[[bytes], int | None], data: bytes, *, signal: bool
) -> int | None:
    try:
        return write(data)
    except Errno as error:
        if error.errno == EPIPE and signal:
            t.send_signal(SIGPIPE)
        raise


def _write_pieces(
    t: SyscallContext,
    file: OpenFile,
    buffers: Buffers,
    write: Callable[[bytes], int | None],
    data: bytes,
    count: int,
) -> int:
    """Continues a write to a file that never blocks, of whose ``data`` ``count`` were written."""
    done = count
    try:
        while count == len(data) and buffers.remaining and not breaks_off(t, file):
            data = buffers.take(CHUNK)
            count = write(data) or 0
            done += count
    except Errno:
        if not done:
            raise
    return done


def _wait_and_write(
    t: SyscallContext, file: OpenFile, buffers: Buffers, data: bytes, done: int
) -> Blocking:
    file.acquire()
    try:
        while data or buffers.remaining:
            if not data:
                data = buffers.take(CHUNK)
            count = _write_or_signal(t, file.write, data, signal=True)
            if count is None or count < len(data):
                data = data[count or 0 :]
                done += count or 0
                with t.fs.namespace.budget.charged(Kind.WAIT, buffers.cost + len(data)):
                    yield wait_for(file, POLLOUT)
            else:
                done += count
                data = b""
                if breaks_off(t, file):
                    break
        return done
    except (Errno, Interrupted):
        if done:
            return done
        raise
    finally:
        file.release()


def write_at(t: SyscallContext, file: OpenFile, spans: list[Span], offset: int) -> int:
    """Writes at ``offset`` (pwrite64(2), pwritev(2))."""
    at, write_part = offset, limited_write_at(t, file)

    def write(data: bytes) -> int:
        nonlocal at
        count = write_part(at, data)
        at += count
        return count

    buffers = Buffers(t.mem, spans)
    if not buffers.remaining:
        return 0
    data = buffers.take(CHUNK)
    return _write_pieces(t, file, buffers, write, data, write(data))
