"""Pairs of connected sockets (socketpair(2), unix(7)), the only sockets of a guest."""

from __future__ import annotations

import stat
import struct
from collections import deque

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import ECONNRESET, EMSGSIZE, ENFILE, ENOBUFS, ENOTTY, EPIPE
from kernel.base.errors import Errno
from kernel.base.wait import Result, WaitQueue
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.filesystem import ChargedFs
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import O_RDWR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP
from kernel.vfs.core.open_file import OpenFile, Sources

SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
CAPACITY = 1 << 16
"""Maximum number of queued bytes in one direction (SO_SNDBUF)."""
MAX_MESSAGES = 256
FIONREAD = 0x541B


class SocketInode(Inode):
    """The node of one socket."""

    def __init__(self, filesystem: ChargedFs) -> None:
        filesystem.budget.take(Kind.SOCKET, Cost.PIPE, ENFILE)
        self.filesystem: ChargedFs = filesystem
        self.ino = filesystem.new_ino()

    @property
    def kind(self) -> int:
        return stat.S_IFSOCK

    def stat(self) -> Stat:
        mode = stat.S_IFSOCK | 0o777
        return Stat(self.filesystem.device, self.ino, mode, 1, 0, 0, 0, 0, 0, 0, 0)


class Channel:
    """One direction: queued messages, charged to ``budget``. A stream has no message boundaries."""

    def __init__(self, keeps_boundaries: bool, budget: Budget) -> None:
        self._budget = budget
        self._charged = 0
        self.keeps_boundaries = keeps_boundaries
        self.messages: deque[bytes] = deque()
        self.queued = 0
        """Bytes in :attr:`messages`."""
        self.closed = False
        """True when no further data will be sent."""
        self.receiver_closed = False
        """True when no further data will be received."""
        self.wait_queue = WaitQueue()

    @property
    def room(self) -> int:
        if self.keeps_boundaries and len(self.messages) >= MAX_MESSAGES:
            return 0
        return CAPACITY - self.queued

    def put(self, data: bytes) -> int | None:
        if self.keeps_boundaries and len(data) > CAPACITY:
            raise Errno(EMSGSIZE)
        room = self.room
        if room <= 0 or (self.keeps_boundaries and room < len(data)):
            return None
        data = data[:room]
        if data or self.keeps_boundaries:
            self._set_charge(self.queued + len(data), len(self.messages) + 1)
            if self.messages and not self.keeps_boundaries and len(self.messages[-1]) < 4096:
                self.messages[-1] += data
            else:
                self.messages.append(data)
            self.queued += len(data)
            self.wait_queue.wake()
        return len(data)

    def take(self, count: int, *, peek: bool = False) -> tuple[bytes, int] | None:
        """Receives (up to ``count`` bytes, length of the message); None when none is queued."""
        if not self.messages:
            return (b"", 0) if self.closed else None
        if self.keeps_boundaries:
            message = self.messages[0] if peek else self.messages.popleft()
            data, length = message[:count], len(message)
            self.queued -= 0 if peek else length
        else:
            data = self._take_bytes(count, peek)
            length = len(data)
        if not peek:
            self._set_charge(self.queued, len(self.messages))
            self.wait_queue.wake()
        return data, length

    def _take_bytes(self, count: int, peek: bool) -> bytes:
        parts: list[bytes] = []
        while self.messages and count > 0:
            message = self.messages.popleft()
            parts.append(message[:count])
            if len(message) > count:
                self.messages.appendleft(message[count:])
            count -= len(parts[-1])
        data = b"".join(parts)
        if peek and data:
            self.messages.appendleft(data)
        elif not peek:
            self.queued -= len(data)
        return data

    def put_back(self, data: bytes) -> None:
        if data:
            self._set_charge(self.queued + len(data), len(self.messages) + 1)
            self.messages.appendleft(data)
            self.queued += len(data)

    def clear(self) -> None:
        """Discards the queued messages."""
        self.messages.clear()
        self.queued = 0
        self._set_charge(0, 0)

    def _set_charge(self, length: int, messages: int) -> None:
        """Adjusts the charge to ``length`` bytes in ``messages`` messages."""
        charge = length + messages * Cost.MESSAGE
        if charge > self._charged:
            self._budget.take(Kind.SOCKET, charge - self._charged, ENOBUFS)
        else:
            self._budget.give_back(Kind.SOCKET, self._charged - charge)
        self._charged = charge


class Socket(OpenFile):
    """One of two connected sockets."""

    stream = True

    def __init__(
        self, inode: SocketInode, flags: int, type_: int, channels: tuple[Channel, Channel]
    ) -> None:
        super().__init__(inode, flags | O_RDWR, f"socket:[{inode.ino}]")
        self.socket = inode
        self.type = type_
        self.incoming, self.outgoing = channels

    def on_last_close(self) -> None:
        self.shutdown_read()
        self.shutdown_write()
        self.incoming.clear()
        self.socket.filesystem.budget.give_back(Kind.SOCKET, Cost.PIPE)

    def shutdown_read(self) -> None:
        """Ends receiving (SHUT_RD of shutdown(2))."""
        self.incoming.closed = self.incoming.receiver_closed = True
        self.incoming.wait_queue.wake()

    def shutdown_write(self) -> None:
        """Ends sending (SHUT_WR)."""
        self.outgoing.closed = True
        self.outgoing.wait_queue.wake()

    def read(self, count: int) -> bytes | None:
        taken = self.incoming.take(count)
        return None if taken is None else taken[0]

    def unread(self, data: bytes) -> None:
        self.incoming.put_back(data)

    def write(self, data: bytes) -> int | None:
        if self.outgoing.closed:
            raise Errno(EPIPE)
        if self.outgoing.receiver_closed:
            raise Errno(EPIPE if self.type != SOCK_DGRAM else ECONNRESET)
        return self.outgoing.put(data)

    def poll(self) -> int:
        incoming, outgoing = self.incoming, self.outgoing
        events = POLLIN if incoming.messages or incoming.closed else 0
        if incoming.closed:
            events |= POLLRDHUP
            if outgoing.closed or outgoing.receiver_closed:
                events |= POLLHUP
        if outgoing.receiver_closed or outgoing.closed or outgoing.room > 0:
            events |= POLLOUT
        return events

    def sources(self, events: int) -> Sources:
        return Sources((self.incoming.wait_queue, self.outgoing.wait_queue))

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        if request != FIONREAD:
            raise Errno(ENOTTY)
        t.mem.write(argument, struct.pack("<i", self.incoming.queued))
        return 0


def socket_pair(filesystem: ChargedFs, type_: int, flags: int) -> tuple[Socket, Socket]:
    """Returns two sockets of ``type_`` that are connected to each other."""
    boundaries = type_ != SOCK_STREAM
    one, other = (Channel(boundaries, filesystem.budget) for _ in range(2))
    first = Socket(SocketInode(filesystem), flags, type_, (one, other))
    try:
        second = SocketInode(filesystem)
    except Errno:
        first.acquire().release()
        raise
    return first, Socket(second, flags, type_, (other, one))
