"""Sending (send(2), sendmsg(2), sendmmsg(2))."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from kernel.base.errno import EAGAIN, EFAULT, EINVAL, EISCONN, EMSGSIZE, EOPNOTSUPP, EPIPE
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Blocking, Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.net.ancillary import Control, read_control
from kernel.syscalls.net.arguments import (
    inet_address,
    read_address,
    sender_of,
    socket_of,
    until,
)
from kernel.syscalls.net.connect import find_unix
from kernel.syscalls.net.message_header import MMSGHDR_SIZE, MSGHDR_SIZE, read_header
from kernel.syscalls.user_buffers import Buffers, Span, read_iovec
from kernel.vfs.core.linux_abi import MAX_RW, POLLOUT, SIGPIPE
from kernel.vfs.sockets import unix_names
from kernel.vfs.sockets.datagram import DatagramSocket
from kernel.vfs.sockets.message import Message
from kernel.vfs.sockets.netlink import NetlinkSocket
from kernel.vfs.sockets.socket_file import SOCK_STREAM, Socket
from kernel.vfs.sockets.unix_socket import UnixDatagram, UnixStream

MSG_OOB, MSG_DONTWAIT, MSG_NOSIGNAL = 1, 0x40, 0x4000
_MOST_MESSAGES = 1024
_CHUNK = 1 << 20


@dataclass(slots=True)
class _Sending:
    """One send, of which ``done`` bytes were sent."""

    t: SyscallContext
    file: Socket
    buffers: Buffers
    control: Control
    to: Any
    flags: int
    data: bytes = b""
    done: int = 0
    started: bool = False

    @property
    def dont_wait(self) -> bool:
        return bool(self.flags & MSG_DONTWAIT) or self.file.nonblocking

    def attempt(self) -> int | None:
        """Sends what there is room for; the result when the call is over, else None."""
        while True:
            if not self.data and self.buffers.remaining:
                self.data = self.buffers.take(_CHUNK)
            count = self._send_once()
            if count is None:
                return None
            self.started = True
            self.done += count
            self.data = self.data[count:]
            if not self.data and not self.buffers.remaining:
                return self.done

    def _send_once(self) -> int | None:
        files = [] if self.started else self.control.files
        try:
            message = Message(self.data, self.control.sender, None, files)
            return self.file.send(message, self.to)
        except Errno as error:
            if self.done:
                return None if error.errno == EAGAIN else self._stop()
            if error.errno == EPIPE and not self.flags & MSG_NOSIGNAL and self._signals:
                self.t.send_signal(SIGPIPE)
            raise

    def _stop(self) -> int:
        """Ends with what was sent: the next call reports the error."""
        self.data = b""
        self.buffers.take(self.buffers.remaining)
        return 0

    @property
    def _signals(self) -> bool:
        return not isinstance(self.file, DatagramSocket)


def sendto(
    t: SyscallContext, fd: int, buffer: int, count: int, flags: int, to: int, to_size: int
) -> Result:
    file = socket_of(t, fd)
    raw = read_address(t, to, to_size) if to else b""
    spans = [(buffer, min(count, MAX_RW))]
    return _send(t, file, spans, Control([], sender_of(t)), raw, flags)


def sendmsg(t: SyscallContext, fd: int, message: int, flags: int) -> Result:
    return _send_message(t, socket_of(t, fd), message, flags)


def _send_message(t: SyscallContext, file: Socket, message: int, flags: int) -> Result:
    header = read_header(t, message)
    raw = read_address(t, header.name, header.name_size) if header.name else b""
    control = read_control(t, file, header.control, header.control_size)
    spans = read_iovec(t, header.iov, min(header.iov_count, 1 << 31))
    return _send(t, file, spans, control, raw, flags)


def _send(
    t: SyscallContext, file: Socket, spans: list[Span], control: Control, raw: bytes, flags: int
) -> Result:
    if flags & MSG_OOB:
        raise Errno(EOPNOTSUPP)
    buffers = Buffers(t.mem, spans)
    to = _destination(t, file, raw) if raw else None
    if file.queue.boundaries:
        total = buffers.remaining
        if total > _CHUNK:
            raise Errno(EMSGSIZE)
        data = buffers.take(total) if total else b""
        if len(data) < total:
            raise Errno(EFAULT)
        sending = _Sending(t, file, buffers, control, to, flags, data)
    else:
        if not buffers.remaining:
            control = control._replace(files=[])
        sending = _Sending(t, file, buffers, control, to, flags)
    result = sending.attempt()
    if result is not None:
        return result
    if sending.dont_wait:
        if sending.done:
            return sending.done
        raise Errno(EAGAIN)
    return _wait_and_send(sending)


def _wait_and_send(sending: _Sending) -> Blocking:
    files = sending.control.files
    for file in files:
        file.acquire()
    try:
        return (
            yield from until(
                sending.t, sending.file, POLLOUT, sending.attempt, 128 + len(sending.data)
            )
        )
    except (Errno, Interrupted):
        if sending.done:
            return sending.done
        raise
    finally:
        for file in files:
            file.release()


def _destination(t: SyscallContext, file: Socket, raw: bytes) -> Any:
    """The address, or for AF_UNIX the socket, to which a message is sent."""
    if isinstance(file, UnixStream | UnixDatagram):
        if isinstance(file, UnixStream):
            if file.type == SOCK_STREAM:
                raise Errno(EISCONN if file.was_connected else EOPNOTSUPP)
            return None
        return find_unix(t, unix_names.parse(raw), file)
    if file.type == SOCK_STREAM or isinstance(file, NetlinkSocket):
        return None
    if len(raw) < 2:
        raise Errno(EINVAL)
    if unix_names.family_of(raw) == 0:
        raw = file.domain.to_bytes(2, "little") + raw[2:]
    return inet_address(file, raw)


def sendmmsg(t: SyscallContext, fd: int, messages: int, count: int, flags: int) -> Result:
    file = socket_of(t, fd)
    return _send_messages(t, file, messages, min(count, _MOST_MESSAGES), flags)


def _send_messages(
    t: SyscallContext, file: Socket, messages: int, count: int, flags: int
) -> Blocking:
    done = 0
    try:
        for number in range(count):
            message = messages + number * MMSGHDR_SIZE
            result = _send_message(t, file, message, flags)
            sent = result if isinstance(result, int) or result is None else (yield from result)
            t.mem.write(message + MSGHDR_SIZE, struct.pack("<I", sent or 0))
            done += 1
    except (Errno, Interrupted):
        if not done:
            raise
    return done
