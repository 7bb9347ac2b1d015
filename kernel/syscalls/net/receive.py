"""Receiving (recv(2), recvmsg(2), recvmmsg(2))."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kernel.base.errno import EFAULT, EINVAL, EOPNOTSUPP
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Blocking, Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.ipc.poll import read_timeout
from kernel.syscalls.net.ancillary import pack_control
from kernel.syscalls.net.arguments import now_or_later, socket_of, write_address
from kernel.syscalls.net.message_header import (
    CONTROL_SIZE_AT,
    MMSGHDR_SIZE,
    MSGHDR_SIZE,
    NAME_SIZE_AT,
    Header,
    read_header,
)
from kernel.syscalls.user_buffers import Buffers, Span, read_iovec
from kernel.vfs.core.linux_abi import MAX_RW, POLLIN
from kernel.vfs.sockets.socket_file import SOCK_STREAM, Received, Socket

MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL = 1, 2, 0x20, 0x40, 0x100
MSG_ERRQUEUE, MSG_WAITFORONE, MSG_CMSG_CLOEXEC = 0x2000, 0x10000, 0x40000000
_CHUNK = 1 << 20
_MOST_MESSAGES = 1024


@dataclass(slots=True)
class _Receiving:
    """One receive. ``message`` is the address of a struct msghdr, or 0."""

    t: SyscallContext
    file: Socket
    buffers: Buffers
    flags: int
    message: int = 0
    header: Header | None = None
    source: int = 0
    source_size: int = 0
    done: int = 0

    def attempt(self) -> int | None:
        """The result when the call is over, else None."""
        while True:
            peek = bool(self.flags & MSG_PEEK)
            count = min(self.buffers.remaining, _CHUNK)
            if not count and self.done:
                return self.done
            try:
                received = self._receive(count, peek)
            except Errno:
                if self.done:
                    return self.done
                raise
            if received is None:
                return None
            length = self._deliver(received)
            if not self.flags & MSG_WAITALL or peek or self.file.type != SOCK_STREAM:
                return length
            self.done += len(received.data)
            if not received.data or received.files or not self.buffers.remaining:
                return self.done

    def _receive(self, count: int, peek: bool) -> Received | None:
        """Receives into the buffers; bytes of a stream for which there is no memory stay there."""
        file, keeps = self.file, peek or self.file.type == SOCK_STREAM
        received = file.receive(count, peek=keeps)
        if received is None:
            return None
        filled = self.buffers.fill(received.data)
        if filled < len(received.data) and (not filled or not keeps):
            file.network.rights.drop(received.files)
            raise Errno(EFAULT)
        if keeps and not peek and filled:
            return file.receive(filled)
        return received

    def _deliver(self, received: Received) -> int:
        if self.source:
            write_address(self.t, self.source, self.source_size, self._packed(received))
        if self.header is not None:
            self._fill_header(received, self.header)
        else:
            self.file.network.rights.drop(received.files)
        return received.length if self.flags & MSG_TRUNC else len(received.data)

    def _packed(self, received: Received) -> bytes:
        return b"" if received.source is None else self.file.packed(received.source)

    def _fill_header(self, received: Received, header: Header) -> None:
        t, message = self.t, self.message
        packed = self._packed(received)
        if header.name:
            if packed[: header.name_size]:
                t.mem.write(header.name, packed[: header.name_size])
            t.mem.write_u32(message + NAME_SIZE_AT, len(packed))
        room = header.control_size if header.control else 0
        cloexec = bool(self.flags & MSG_CMSG_CLOEXEC)
        control, flags = pack_control(t, self.file, received, room, cloexec=cloexec)
        if control:
            t.mem.write(header.control, control)
        if received.length > len(received.data):
            flags |= MSG_TRUNC
        flags |= self.flags & MSG_CMSG_CLOEXEC
        t.mem.write(message + CONTROL_SIZE_AT, struct.pack("<Qi", len(control), flags))


def recvfrom(
    t: SyscallContext, fd: int, buffer: int, count: int, flags: int, source: int, size: int
) -> Result:
    file = socket_of(t, fd)
    buffers = Buffers(t.mem, [(buffer, min(count, MAX_RW))])
    return _receive(_Receiving(t, file, buffers, flags, source=source, source_size=size))


def recvmsg(t: SyscallContext, fd: int, message: int, flags: int) -> Result:
    return _receive_message(t, socket_of(t, fd), message, flags)


def _receive_message(t: SyscallContext, file: Socket, message: int, flags: int) -> Result:
    header = read_header(t, message)
    spans: list[Span] = read_iovec(t, header.iov, min(header.iov_count, 1 << 31))
    return _receive(_Receiving(t, file, Buffers(t.mem, spans), flags, message, header))


def _receive(receiving: _Receiving) -> Result:
    flags, file = receiving.flags, receiving.file
    if flags & MSG_OOB:
        raise Errno(EINVAL if file.type == SOCK_STREAM and file.domain != 1 else EOPNOTSUPP)
    if flags & MSG_ERRQUEUE:
        return now_or_later(receiving.t, file, POLLIN, lambda: None, dont_wait=True)
    return _receive_until_done(receiving)


def _receive_until_done(receiving: _Receiving) -> Result:
    """Bytes received before a signal or an error are the result (MSG_WAITALL)."""
    try:
        result = now_or_later(
            receiving.t,
            receiving.file,
            POLLIN,
            receiving.attempt,
            dont_wait=bool(receiving.flags & MSG_DONTWAIT),
        )
    except Errno:
        if receiving.done:
            return receiving.done
        raise
    return result if isinstance(result, int) or result is None else _finish(receiving, result)


def _finish(receiving: _Receiving, blocking: Blocking) -> Blocking:
    try:
        return (yield from blocking)
    except (Errno, Interrupted):
        if receiving.done:
            return receiving.done
        raise


def recvmmsg(
    t: SyscallContext, fd: int, messages: int, count: int, flags: int, timeout: int
) -> Result:
    file = socket_of(t, fd)
    deadline = read_timeout(t, timeout)
    return _receive_messages(t, file, messages, min(count, _MOST_MESSAGES), flags, deadline)


def _receive_messages(
    t: SyscallContext, file: Socket, messages: int, count: int, flags: int, deadline: int | None
) -> Blocking:
    done = 0
    try:
        for number in range(count):
            message = messages + number * MMSGHDR_SIZE
            one = flags & ~MSG_WAITFORONE
            if done and flags & MSG_WAITFORONE:
                one |= MSG_DONTWAIT
            result = _receive_message(t, file, message, one)
            length = result if isinstance(result, int) or result is None else (yield from result)
            t.mem.write(message + MSGHDR_SIZE, struct.pack("<I", length or 0))
            done += 1
            if deadline is not None and t.kernel.clock.monotonic() >= deadline:
                break
    except (Errno, Interrupted):
        if not done:
            raise
    return done
