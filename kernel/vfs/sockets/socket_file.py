"""The base of all sockets (socket(7)): state, buffers, options, and the events of poll(2)."""

from __future__ import annotations

import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EINVAL, ENFILE, ENOTCONN, ENOTTY, EOPNOTSUPP
from kernel.base.errors import Errno
from kernel.base.wait import HostReady, Result, WaitQueue
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.filesystem import ChargedFs
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import (
    O_RDWR,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from kernel.vfs.core.open_file import OpenFile, Sources
from kernel.vfs.sockets.message import NO_PROCESS, Message, ReceiveQueue, Sender
from kernel.vfs.sockets.ports import Ports
from kernel.vfs.sockets.rights import Carrier, Rights
from kernel.vfs.sockets.unix_names import AbstractNames

SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET = 1, 2, 3, 5
SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2
_FIONREAD, _TIOCOUTQ, _SIOCATMARK = 0x541B, 0x5411, 0x8905
_READ_EVENTS = POLLIN | POLLRDNORM | POLLRDHUP
_WRITE_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND


class HostPort(Protocol):
    """A port of the host at which its programs connect to the guest."""

    @property
    def has_connection(self) -> bool: ...
    @property
    def ready(self) -> tuple[HostReady, ...]: ...
    def listen(self) -> None: ...
    def stop_listening(self) -> None: ...
    def accept(self, listener: Any, flags: int, /) -> Socket | None: ...


class Network:
    """Names, ports, descriptors in flight and memory, which the sockets of a machine share."""

    def __init__(self, filesystem: ChargedFs) -> None:
        self.filesystem = filesystem
        self.names: AbstractNames[Socket] = AbstractNames()
        self.rights = Rights()
        self.tcp = Ports()
        self.udp = Ports()
        self.host_ports: Mapping[int, HostPort] = {}
        """Ports that are published to the host, by the guest's port."""
        self.sockets: dict[Socket, None] = {}
        """All sockets, in the order of their creation."""

    @property
    def budget(self) -> Budget:
        return self.filesystem.budget


class SocketInode(Inode):
    """The node of one socket."""

    def __init__(self, filesystem: ChargedFs) -> None:
        filesystem.budget.take(Kind.SOCKET, Cost.SOCKET, ENFILE)
        self.filesystem: ChargedFs = filesystem
        self.ino = filesystem.new_ino()

    @property
    def kind(self) -> int:
        return stat.S_IFSOCK

    def stat(self) -> Stat:
        mode = stat.S_IFSOCK | 0o777
        return Stat(self.filesystem.device, self.ino, mode, 1, 0, 0, 0, 0, 0, 0, 0)


class SocketType(NamedTuple):
    """Arguments of socket(2)."""

    domain: int
    type: int
    protocol: int


@dataclass(slots=True)
class Received:
    """Result of a read of a socket."""

    data: bytes
    length: int
    """Size of the whole message, or of ``data`` for a stream."""
    sender: Sender = NO_PROCESS
    source: Any = None
    files: list[OpenFile] = field(default_factory=list)


NOTHING = Received(b"", 0)
"""The end of a stream."""


class Socket(Carrier):
    """A socket. Operations that its type does not have fail as in Linux.

    ``send``, ``receive``, ``accept`` and ``connect`` return None when they would block.
    """

    stream = True

    def __init__(self, network: Network, of: SocketType, flags: int, owner: Sender) -> None:
        inode = SocketInode(network.filesystem)
        super().__init__(inode, flags | O_RDWR, f"socket:[{inode.ino}]")
        self.network = network
        self.socket_type = of
        self.domain, self.type, self.protocol = of
        self.owner_ids = owner
        """Credentials of its creator."""
        self.peer_ids = NO_PROCESS
        """Credentials of the process that connected, or listened, at the other end."""
        self.queue = ReceiveQueue(network.budget, boundaries=of.type != SOCK_STREAM)
        self.options: dict[tuple[int, int], bytes] = {}
        """Values of setsockopt(2), by level and name."""
        self.error = 0
        """The pending error (SO_ERROR); reported once."""
        self.is_listening = False
        self.may_receive = self.may_send = True
        """False after shutdown(2), here or at the other end."""
        self.on_readable, self.on_writable = WaitQueue(), WaitQueue()
        network.sockets[self] = None

    # Names and connections.

    def bind(self, address: Any, *, privileged: bool) -> None:
        raise Errno(EOPNOTSUPP)

    def listen(self, backlog: int) -> None:
        raise Errno(EOPNOTSUPP)

    def accept(self, flags: int) -> Socket | None:
        raise Errno(EOPNOTSUPP)

    def local_name(self) -> bytes:
        raise NotImplementedError

    def peer_name(self) -> bytes:
        raise NotImplementedError

    def packed(self, address: Any) -> bytes:
        """The struct sockaddr of an address of this family."""
        raise NotImplementedError

    @property
    def is_connected(self) -> bool:
        return False

    # Data.

    def send(self, message: Message, to: Any = None) -> int | None:
        raise NotImplementedError

    def receive(self, count: int, *, peek: bool = False) -> Received | None:
        raise NotImplementedError

    def read(self, count: int) -> bytes | None:
        received = self.receive(count)
        if received is None:
            return None
        self.network.rights.drop(received.files)
        return received.data

    def unread(self, data: bytes) -> None:
        if self.type == SOCK_STREAM:
            self.queue.put_back(data)

    def write(self, data: bytes) -> int | None:
        return self.send(Message(data, self.owner_ids))

    def take_error(self) -> int:
        """Returns the pending error and clears it."""
        error, self.error = self.error, 0
        return error

    def raise_error(self) -> None:
        if self.error:
            raise Errno(self.take_error())

    # Ends.

    def shutdown(self, how: int) -> None:
        if not self.may_shut_down:
            raise Errno(ENOTCONN)
        if how != SHUT_WR:
            self.may_receive = False
        if how != SHUT_RD:
            self.may_send = False
        self.wake()

    @property
    def may_shut_down(self) -> bool:
        return self.is_connected

    def wake(self) -> None:
        self.on_readable.wake()
        self.on_writable.wake()

    def release(self) -> None:
        super().release()
        rights = self.network.rights
        if rights.count and rights.has_all_of(self):
            rights.collect()

    def on_last_close(self) -> None:
        self.network.sockets.pop(self, None)
        self.close_connection()
        self.discard_messages()
        self.network.budget.give_back(Kind.SOCKET, Cost.SOCKET)

    def close_connection(self) -> None:
        """Releases names and ends the connection at the other end."""

    def discard_messages(self) -> None:
        files = self.queue.clear()
        if files:
            self.network.rights.drop(files)

    def queued_files(self) -> list[OpenFile]:
        """The descriptors in messages that have arrived."""
        return [file for message in self.queue.messages for file in message.files]

    # Events.

    def has_room(self) -> bool:
        """Returns whether a send would not block."""
        return True

    def poll(self) -> int:
        events = POLLERR if self.error else 0
        if self.queue or not self.may_receive:
            events |= POLLIN | POLLRDNORM
        if not self.may_receive:
            events |= POLLRDHUP
            if not self.may_send:
                events |= POLLHUP
        if self.has_room():
            events |= _WRITE_EVENTS
        return events

    def sources(self, events: int) -> Sources:
        """A change of the connection wakes both queues."""
        queues = []
        if events & _READ_EVENTS or not events & _WRITE_EVENTS:
            queues.append(self.on_readable)
        if events & _WRITE_EVENTS:
            queues.append(self.on_writable)
        return Sources(tuple(queues))

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        if request == _FIONREAD:
            value = self.unread_bytes()
        elif request == _TIOCOUTQ:
            value = self.unsent_bytes()
        elif request == _SIOCATMARK and self.type == SOCK_STREAM:
            value = 0
        else:
            raise Errno(ENOTTY)
        t.mem.write(argument, struct.pack("<i", value))
        return 0

    def unread_bytes(self) -> int:
        """Result of FIONREAD."""
        if self.is_listening:
            raise Errno(EINVAL)
        if self.type == SOCK_DGRAM:
            return len(self.queue.messages[0].data) if self.queue else 0
        return self.queue.size

    def unsent_bytes(self) -> int:
        """Bytes that were sent and not received yet."""
        return 0
