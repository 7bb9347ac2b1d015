"""The master: the side of a pseudo-terminal that a terminal emulator has (pty(7))."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from kernel.base.errno import EINVAL, EIO
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, POLLHUP, POLLPRI
from kernel.vfs.core.open_file import OpenFile, Sources
from kernel.vfs.pty.input_queue import SIZE
from kernel.vfs.pty.pair import Pty
from kernel.vfs.pty.pty_file import (
    READABLE,
    REQUESTS_OF_BOTH,
    WRITABLE,
    Act,
    PtyFile,
    get_int,
    put_int,
)
from kernel.vfs.tty import requests as tty

_ONLY_AT_OPEN = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC
_SIGNALS = (2, 3, 20)
"""SIGINT, SIGQUIT, SIGTSTP: those of keys."""


class MasterFile(PtyFile):
    """The open master; its last close hangs up the slave."""

    is_master = True
    requests: ClassVar[Mapping[int, Act]] = {
        **REQUESTS_OF_BOTH,
        tty.TIOCGPTN: lambda file, t, at: put_int(t, at, file.pty.number),
        tty.TIOCSPTLCK: lambda file, t, at: file.lock(get_int(t, at) != 0),
        tty.TIOCGPTLCK: lambda file, t, at: put_int(t, at, int(file.pty.locked)),
        tty.TIOCPKT: lambda file, t, at: file.pty.packets.turn(get_int(t, at) != 0),
        tty.TIOCGPKT: lambda file, t, at: put_int(t, at, int(file.pty.packets.on)),
        tty.TIOCSIG: lambda file, t, signo: file.signal(signo),
    }

    def __init__(
        self,
        pty: Pty,
        node: Inode,
        flags: int,
        path: str,
        open_slave: Callable[[int], OpenFile],
        closed: Callable[[], None],
    ) -> None:
        super().__init__(pty, node, flags, path)
        self._open_slave = open_slave
        self._closed = closed
        self._is_exclusive = False

    def on_last_close(self) -> None:
        self.pty.master_is_open = False
        self.pty.hang_up()
        self._closed()

    def open_peer(self, flags: int) -> OpenFile:
        """Opens the slave without its name (TIOCGPTPEER)."""
        file = self._open_slave(flags)
        file.flags = flags & ~_ONLY_AT_OPEN
        return file

    def read(self, count: int) -> bytes | None:
        pty = self.pty
        status = pty.packets.take()
        if status:
            return status
        if pty.output:
            if pty.packets.on:
                return b"\0" + pty.take_output(count - 1)
            return pty.take_output(count)
        if pty.slave_was_closed:
            raise Errno(EIO)
        return None

    def write(self, data: bytes) -> int | None:
        return self.pty.put_input(data) or None

    def poll(self) -> int:
        pty, events = self.pty, 0
        if pty.output:
            events |= READABLE
        if pty.packets.on and pty.packets.status:
            events |= READABLE | POLLPRI
        if pty.slave_was_closed:
            events |= POLLHUP
        return events | (WRITABLE if pty.input_room else 0)

    def sources(self, events: int) -> Sources:
        return Sources((self.pty.master_changed,))

    def describe(self) -> str:
        return f"the program on {self.pty.name}"

    @property
    def readable_count(self) -> int:
        return min(len(self.pty.output), SIZE)

    @property
    def exclusive(self) -> bool:
        return self._is_exclusive

    def set_exclusive(self, exclusive: bool) -> None:
        self._is_exclusive = exclusive

    def lock(self, locked: bool) -> None:
        """Locks the slave, so that it cannot be opened, or unlocks it."""
        self.pty.locked = locked

    def signal(self, signo: int) -> None:
        """Sends the foreground group a signal that a key could send."""
        if signo not in _SIGNALS:
            raise Errno(EINVAL)
        self.pty.signal_foreground(signo)

    def stop(self, stopped: bool) -> None:
        self.pty.stop_master(stopped)

    def send_urgently(self, data: bytes) -> None:
        self.pty.put_urgent_input(data)

    def flush_read(self) -> None:
        self.pty.drop_output()

    def flush_written(self) -> None:
        self.pty.drop_pending_input()
