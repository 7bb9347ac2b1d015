"""An open side of a pseudo-terminal: what master and slave have in common (tty_ioctl(4))."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from kernel.base.errno import EINVAL, ENOTTY, EPERM
from kernel.base.errors import Errno
from kernel.base.wait import Result, interrupted
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.pty.pair import Pty
from kernel.vfs.pty.settings import SIZE_2, VSTART, VSTOP, Settings
from kernel.vfs.tty import requests as tty
from kernel.vfs.tty.job_control import REQUESTS, job_control, stops_background_change
from kernel.vfs.tty.termios_abi import SIZE

READABLE = POLLIN | POLLRDNORM
WRITABLE = POLLOUT | POLLWRNORM
_FLUSHING = (tty.TCSETSF, tty.TCSETSF2)
_WITH_SPEEDS = (tty.TCSETS2, tty.TCSETSW2, tty.TCSETSF2)

Act = Callable[[Any, IoctlCaller, int], None]
"""A function of the file, the caller and the argument."""


class PtyFile(OpenFile):
    """One open side. Settings, window size and job control are those of the slave for both."""

    stream = True
    is_master = False
    requests: ClassVar[Mapping[int, Act]] = {}
    """Functions of the requests of ioctl(2) that need no job control."""

    def __init__(self, pty: Pty, node: Inode, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self.pty = pty

    @property
    def readable_count(self) -> int:
        """Number of bytes for FIONREAD."""
        raise NotImplementedError

    @property
    def exclusive(self) -> bool:
        """True when only root may open this side again."""
        return self.pty.exclusive

    def set_exclusive(self, exclusive: bool) -> None:
        self.pty.exclusive = exclusive

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        if stops_background_change(t, self.pty, request) and self._is_of_slave(request):
            return interrupted()
        act = self.requests.get(request)
        if act is not None:
            act(self, t, argument)
        elif request in tty.SETS:
            self._set(t, request, argument)
        elif request in REQUESTS:
            job_control(t, self.pty, self, request, argument, from_master=self.is_master)
        else:
            raise Errno(ENOTTY)
        return 0

    def _is_of_slave(self, request: int) -> bool:
        """True when the request concerns the slave, from either side."""
        return not self.is_master or request in tty.SETS or request == tty.TIOCSPGRP

    def _set(self, t: IoctlCaller, request: int, argument: int) -> None:
        pty = self.pty
        raw = t.mem.read(argument, SIZE_2 if request in _WITH_SPEEDS else SIZE)
        if request in _FLUSHING:
            pty.flush_input()
        pty.set_settings(Settings.unpack(raw, pty.line.settings))

    def control_flow(self, action: int) -> None:
        """tcflow(3): stops or starts the output, or sends the characters that do so."""
        action &= 0xFFFFFFFF
        if action > 3:
            raise Errno(EINVAL)
        if action < 2:
            self.stop(action == 0)
            return
        char = self.pty.line.settings.characters[VSTOP if action == 2 else VSTART]
        if char:
            self.send_urgently(bytes((char,)))

    def flush(self, queue: int) -> None:
        queue &= 0xFFFFFFFF
        if queue > 2:
            raise Errno(EINVAL)
        if queue != 1:
            self.flush_read()
        if queue != 0:
            self.flush_written()

    def stop(self, stopped: bool) -> None:
        """Stops or starts what this side writes."""
        raise NotImplementedError

    def send_urgently(self, data: bytes) -> None:
        """Sends bytes to the other side as they are, even if the output is stopped."""
        raise NotImplementedError

    def flush_read(self) -> None:
        """Discards what this side could read."""
        raise NotImplementedError

    def flush_written(self) -> None:
        """Discards what this side has written and the other has no room for yet."""
        raise NotImplementedError


def put_int(t: IoctlCaller, address: int, value: int) -> None:
    t.mem.write(address, struct.pack("<i", value))


def get_int(t: IoctlCaller, address: int) -> int:
    return int(struct.unpack("<i", t.mem.read(address, 4))[0])


def _set_discipline(t: IoctlCaller, address: int) -> None:
    """Accepts N_TTY, the only line discipline."""
    if get_int(t, address):
        raise Errno(EINVAL if t.is_privileged else EPERM)


REQUESTS_OF_BOTH: Mapping[int, Act] = {
    tty.TCGETS: lambda file, t, at: t.mem.write(at, file.pty.line.settings.pack()),
    tty.TCGETS2: lambda file, t, at: t.mem.write(at, file.pty.line.settings.pack_2()),
    tty.TCSBRK: lambda file, t, at: None,  # output is sent at once
    tty.TCSBRKP: lambda file, t, at: None,
    tty.TCXONC: lambda file, t, action: file.control_flow(action),
    tty.TCFLSH: lambda file, t, queue: file.flush(queue),
    tty.TIOCGWINSZ: lambda file, t, at: t.mem.write(at, file.pty.window),
    tty.TIOCSWINSZ: lambda file, t, at: file.pty.set_window(t.mem.read(at, 8)),
    tty.FIONREAD: lambda file, t, at: put_int(t, at, file.readable_count),
    tty.TIOCOUTQ: lambda file, t, at: put_int(t, at, 0),
    tty.TIOCGETD: lambda file, t, at: put_int(t, at, 0),
    tty.TIOCSETD: lambda file, t, at: _set_discipline(t, at),
    tty.TIOCGDEV: lambda file, t, at: put_int(t, at, file.pty.device),
    tty.TIOCEXCL: lambda file, t, at: file.set_exclusive(True),
    tty.TIOCNXCL: lambda file, t, at: file.set_exclusive(False),
    tty.TIOCGEXCL: lambda file, t, at: put_int(t, at, int(file.exclusive)),
}
