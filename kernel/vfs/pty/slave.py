"""The slave: the side of a pseudo-terminal that programs use as their terminal (pty(7))."""

from __future__ import annotations

from kernel.base.errno import EBUSY, EIO, ENOTTY
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import POLLERR, POLLHUP
from kernel.vfs.core.open_file import Sources
from kernel.vfs.pty.pair import Pty
from kernel.vfs.pty.pty_file import READABLE, REQUESTS_OF_BOTH, WRITABLE, PtyFile
from kernel.vfs.pty.settings import TOSTOP
from kernel.vfs.tty import requests as tty
from kernel.vfs.tty.job_control import SIGTTIN, SIGTTOU, stops_background


class SlaveFile(PtyFile):
    """An open slave. After a hangup it reads as empty, and nothing can be written."""

    requests = REQUESTS_OF_BOTH

    def __init__(self, pty: Pty, node: Inode, flags: int, path: str) -> None:
        if pty.locked or not pty.master_is_open:
            raise Errno(EIO)
        super().__init__(pty, node, flags, path)
        self.hung_up = False
        pty.slaves[self] = None
        pty.slave_was_closed = False
        pty.master_changed.wake()

    def on_last_close(self) -> None:
        self.pty.slave_closed(self)

    def read(self, count: int) -> bytes | None:
        line = self.pty.line
        if self.hung_up:
            return b""
        available = line.available
        if line.settings.canonical:
            return self.pty.take_input(count) if available else None
        if not line.minimum:
            if available or not line.timeout:
                return self.pty.take_input(count)
            return None
        if available >= min(line.minimum, count) or (available and self.nonblocking):
            return self.pty.take_input(count)
        return None

    def read_deadline(self, start: int) -> int | None:
        line = self.pty.line
        if line.settings.canonical or not line.timeout:
            return None
        if not line.minimum:
            return start + line.timeout
        return max(start, self.pty.last_input) + line.timeout if line.available else None

    def read_rest(self, count: int) -> bytes:
        usable = not self.hung_up and not self.pty.line.settings.canonical
        return self.pty.take_input(count) if usable else b""

    def write(self, data: bytes) -> int | None:
        if self.hung_up:
            raise Errno(EIO)
        return self.pty.put_output(data) or None

    def poll(self) -> int:
        if self.hung_up:
            return READABLE | WRITABLE | POLLERR | POLLHUP
        events = READABLE if self.pty.line.polls_readable() else 0
        return events | (WRITABLE if self.pty.output_room else 0)

    def sources(self, events: int) -> Sources:
        return Sources((self.pty.slave_changed,))

    def stops_background_read(self, t: IoctlCaller) -> bool:
        return not self.hung_up and stops_background(t, self.pty, SIGTTIN)

    def stops_background_write(self, t: IoctlCaller) -> bool:
        demanded = self.pty.line.settings.lflag & TOSTOP and not self.hung_up
        return bool(demanded) and stops_background(t, self.pty, SIGTTOU)

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        if self.hung_up:
            raise Errno(ENOTTY if request == tty.TIOCSPGRP else EIO)
        return super().ioctl(t, request, argument)

    def describe(self) -> str:
        return f"the terminal {self.pty.name}"

    @property
    def readable_count(self) -> int:
        line = self.pty.line
        return line.queue.readable_of_lines if line.settings.canonical else len(line.queue)

    def stop(self, stopped: bool) -> None:
        self.pty.stop_by_call(stopped)

    def send_urgently(self, data: bytes) -> None:
        self.pty.put_urgent_output(data)

    def flush_read(self) -> None:
        self.pty.flush_input()

    def flush_written(self) -> None:
        self.pty.flush_output()


def check_exclusive(pty: Pty, *, privileged: bool) -> None:
    """EBUSY for a slave that was opened with TIOCEXCL."""
    if pty.exclusive and pty.slaves and not privileged:
        raise Errno(EBUSY)
