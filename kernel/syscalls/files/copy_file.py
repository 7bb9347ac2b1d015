"""Copies within the kernel: sendfile(2), copy_file_range(2)."""

from __future__ import annotations

import stat
import struct

from kernel.base.budget import Kind
from kernel.base.errno import EAGAIN, EBADF, EINVAL, EISDIR, EPIPE, EXDEV
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Blocking, Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.file_size_limit import limited_write, limited_write_at
from kernel.syscalls.transfer import breaks_off, noted, wait_for
from kernel.vfs.core import notify
from kernel.vfs.core.linux_abi import CHUNK, MAX_RW, O_APPEND, POLLIN, POLLOUT, SIGPIPE
from kernel.vfs.core.open_file import OpenFile, RegularFile


def sendfile(t: SyscallContext, out_fd: int, in_fd: int, offset: int, count: int) -> Result:
    source, sink = t.files.get_readable(in_fd), t.files.get_writable(out_fd)
    if source.stream or (sink.flags & O_APPEND and not sink.stream):
        raise Errno(EINVAL)
    at = _read_offset(t, offset) if offset else None
    result = _Copy(t, source, sink, min(count, MAX_RW), at, offset).run()
    return noted(source, notify.ACCESS, noted(sink, notify.MODIFY, result))


def _read_offset(t: SyscallContext, address: int) -> int:
    (offset,) = struct.unpack("<q", t.mem.read(address, 8))
    if offset < 0:
        raise Errno(EINVAL)
    return int(offset)


class _Copy:
    """A transfer from one open file to another, piece by piece, which waits where it must."""

    def __init__(
        self,
        t: SyscallContext,
        source: OpenFile,
        sink: OpenFile,
        count: int,
        at: int | None,
        offset_address: int,
    ) -> None:
        self.t = t
        self.source = source
        self.sink = sink
        self.remaining = count
        self.at = at
        self.offset_address = offset_address
        self.done = 0
        self.buffered = b""
        """Bytes read but not yet written."""

    def run(self) -> Result:
        if self._step() is None:
            return self._finish()
        if self.sink.nonblocking or self.source.nonblocking:
            self._unread()
            if not self.done:
                raise Errno(EAGAIN)
            return self._finish()
        return self._wait()

    def _wait(self) -> Blocking:
        self.source.acquire()
        self.sink.acquire()
        try:
            while True:
                blocked = self._step()
                if blocked is None:
                    return self._finish()
                with self.t.fs.namespace.budget.charged(Kind.WAIT, len(self.buffered)):
                    yield wait_for(blocked, POLLOUT if self.buffered else POLLIN)
        except Interrupted:
            self._unread()
            if self.done:
                return self._finish()
            raise
        finally:
            self.source.release()
            self.sink.release()

    def _step(self) -> OpenFile | None:
        """Copies until the end (None), or until it must wait for the file that it returns."""
        while self.remaining or self.buffered:
            if not self.buffered:
                if self.done and breaks_off(self.t, self.source):
                    return None
                data = self._read(min(self.remaining, CHUNK))
                if data is None:
                    return None if self.done else self.source
                if not data:
                    return None
                self.buffered = data
                self.remaining -= len(data)
            try:
                count = self._write()
            except Errno:
                if not self.done:
                    raise
                return None
            if count is None:
                return self.sink
            self.buffered = self.buffered[count:]
            self.done += count
        return None

    def _read(self, count: int) -> bytes | None:
        if self.at is None:
            return self.source.read(count)
        data = self.source.read_at(self.at, count)
        self.at += len(data)
        return data

    def _write(self) -> int | None:
        try:
            # Each piece is a write of its own, so that the one after RLIMIT_FSIZE fails.
            return limited_write(self.t, self.sink)(self.buffered)
        except Errno as error:
            self._unread()
            if error.errno == EPIPE:
                self.t.send_signal(SIGPIPE)
            raise

    def _unread(self) -> None:
        if self.buffered:
            if self.at is None:
                self.source.unread(self.buffered)
            else:
                self.at -= len(self.buffered)
            self.remaining += len(self.buffered)
            self.buffered = b""

    def _finish(self) -> int:
        if self.offset_address and self.at is not None:
            self.t.mem.write(self.offset_address, struct.pack("<q", self.at))
        return self.done


def copy_file_range(
    t: SyscallContext,
    in_fd: int,
    in_offset: int,
    out_fd: int,
    out_offset: int,
    count: int,
    flags: int,
) -> Result:
    source, sink = t.files.get_readable(in_fd), t.files.get_writable(out_fd)
    if flags:
        raise Errno(EINVAL)
    if sink.flags & O_APPEND:
        raise Errno(EBADF)
    for file in (source, sink):
        if file.inode.kind == stat.S_IFDIR:
            raise Errno(EISDIR)
        if not isinstance(file, RegularFile):
            raise Errno(EINVAL if file.inode.kind != stat.S_IFREG else EXDEV)
    assert isinstance(source, RegularFile)
    assert isinstance(sink, RegularFile)
    at = _read_offset(t, in_offset) if in_offset else source.offset
    to = _read_offset(t, out_offset) if out_offset else sink.offset
    count = min(count, MAX_RW)
    if source.inode is sink.inode and at < to + count and to < at + count and count:
        raise Errno(EINVAL)
    done = _copy_range(t, source, at, sink, to, count)
    _advance(t, source, in_offset, at + done)
    _advance(t, sink, out_offset, to + done)
    return noted(source, notify.ACCESS, noted(sink, notify.MODIFY, done))


def _copy_range(
    t: SyscallContext, source: RegularFile, at: int, sink: RegularFile, to: int, count: int
) -> int:
    write_at = limited_write_at(t, sink)
    done = 0
    while done < count:
        try:
            data = source.read_at(at + done, min(CHUNK, count - done))
            if not data:
                break
            written = write_at(to + done, data)
        except Errno:
            if done:
                break
            raise
        done += written
        if written < len(data) or breaks_off(t, source):
            break
    return done


def _advance(t: SyscallContext, file: RegularFile, address: int, offset: int) -> None:
    if address:
        t.mem.write(address, struct.pack("<q", offset))
    else:
        file.offset = offset
