"""The user's terminal as the guest's controlling terminal (tty_ioctl(4))."""

from __future__ import annotations

import os
import stat
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl as host_ioctl
from typing import TypeVar

from kernel.base.errno import EINVAL, EIO, ENOTTY, ENXIO
from kernel.base.errors import Errno, from_host
from kernel.base.wait import Result, interrupted
from kernel.vfs.core.caller import IoctlCaller, Process
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import POLLIN, POLLOUT, makedev
from kernel.vfs.core.open_file import OpenFile, Sources, SpecialInode
from kernel.vfs.tty import host_io, termios_abi
from kernel.vfs.tty.job_control import (
    REQUESTS,
    SIGTTIN,
    SIGTTOU,
    ControllingTerminal,
    job_control,
    stops_background,
    stops_background_change,
)
from kernel.vfs.tty.requests import (
    FIONREAD,
    TCFLSH,
    TCGETS,
    TCGETS2,
    TCSBRK,
    TCSETS,
    TCSETS2,
    TCSETSF,
    TCSETSF2,
    TCSETSW,
    TCSETSW2,
    TCXONC,
    TIOCEXCL,
    TIOCGPGRP,
    TIOCGWINSZ,
    TIOCNXCL,
    TIOCOUTQ,
    TIOCSWINSZ,
)

_SET_WHEN = {
    TCSETS: termios.TCSANOW, TCSETSW: termios.TCSADRAIN, TCSETSF: termios.TCSAFLUSH,
    TCSETS2: termios.TCSANOW, TCSETSW2: termios.TCSADRAIN, TCSETSF2: termios.TCSAFLUSH,
}  # fmt: skip
T = TypeVar("T")
_SPEEDS = struct.pack("<II", 38400, 38400)


class Terminal(ControllingTerminal):
    """A terminal of the host, which the guest's first process has as its controlling terminal.

    Its foreground group is 0 until a guest sets or reads it.
    """

    outlives_leader = True

    def __init__(self, fd: int) -> None:
        super().__init__(makedev(5, 0))
        self.fd = fd
        self.stream_fd = host_io.open_nonblocking(fd)
        self._user_settings = termios.tcgetattr(fd)
        self._changed = False

    def restore(self) -> None:
        """Restores the user's settings."""
        if self._changed:
            self._changed = False
            # The terminal may have been closed.
            with suppress(termios.error, OSError):
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self._user_settings)

    def with_user_settings(self, act: Callable[[], None]) -> None:
        """Calls ``act`` with the user's settings, then restores the guest's."""
        settings, changed = self.settings(), self._changed
        self.restore()
        act()
        if changed:
            self.set(settings, termios.TCSADRAIN)

    def settings(self) -> bytes:
        return termios_abi.pack(_with_guest_errors(lambda: termios.tcgetattr(self.fd)))

    def set(self, raw: bytes, when: int) -> None:
        """Sets the guest's struct termios; ``when`` is one of termios.TCSA*."""
        current = _with_guest_errors(lambda: termios.tcgetattr(self.fd))
        settings = termios_abi.unpack(raw, current)
        self._changed = True
        _with_guest_errors(lambda: termios.tcsetattr(self.fd, when, settings))

    def open_by_session(self, node: Inode, flags: int) -> OpenFile:
        return TerminalFile(node, self, self.stream_fd, flags)

    def stops_output(self) -> bool:
        """True when background processes may not write (TOSTOP)."""
        return bool(_with_guest_errors(lambda: termios.tcgetattr(self.fd))[3] & termios.TOSTOP)

    def returns_without_input(self) -> bool:
        """True when a read without input returns at once: raw mode with VMIN 0."""
        settings = _with_guest_errors(lambda: termios.tcgetattr(self.fd))
        return not settings[3] & termios.ICANON and settings[6][termios.VMIN] in (0, b"\0")


def _with_guest_errors(act: Callable[[], T]) -> T:
    """Returns ``act()``; converts an error of the terminal to the guest's."""
    try:
        return act()
    except termios.error as error:
        number = error.args[0] if error.args else None
        raise from_host(OSError(number if isinstance(number, int) else EIO, "")) from None
    except OSError as error:
        raise from_host(error) from None


class TerminalDevice(SpecialInode):
    """/dev/tty, the caller's controlling terminal; all open files of the user's have this node."""

    def __init__(self, filesystem: FileSystem) -> None:
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.terminal: Terminal | None = None
        """The user's terminal, which controls the first process; None without one."""
        self.caller: Callable[[], Process] | None = None
        """Returns the process whose controlling terminal is opened."""

    @property
    def kind(self) -> int:
        return stat.S_IFCHR

    def stat(self) -> Stat:
        device, mode = self.filesystem.device, stat.S_IFCHR | 0o666
        owner = os.geteuid(), os.getegid()
        return Stat(device, self.ino, mode, 1, *owner, makedev(5, 0), 0, 0, 0, 0, 1024)

    def open(self, flags: int, path: str) -> OpenFile:
        terminal = self.caller().terminal if self.caller is not None else None
        if not isinstance(terminal, ControllingTerminal):
            raise Errno(ENXIO)
        return terminal.open_by_session(self, flags)


class TerminalFile(OpenFile):
    """An open terminal; reads and writes use the user's descriptor ``fd``."""

    stream = True

    def __init__(self, node: Inode, terminal: Terminal, fd: int, flags: int) -> None:
        super().__init__(node, flags, "/dev/tty")
        self.terminal = terminal
        self.fd = fd

    def read(self, count: int) -> bytes | None:
        data = host_io.read(self.fd, count)
        if data is None and self.terminal.returns_without_input():
            return b""
        return data

    def write(self, data: bytes) -> int | None:
        return host_io.write(self.fd, data)

    def poll(self) -> int:
        return host_io.ready(self.fd, POLLIN | POLLOUT)

    def sources(self, events: int) -> Sources:
        return host_io.sources(self.fd, events)

    def stops_background_read(self, t: IoctlCaller) -> bool:
        return stops_background(t, self.terminal, SIGTTIN)

    def stops_background_write(self, t: IoctlCaller) -> bool:
        terminal = self.terminal
        in_foreground = t.process.terminal is not terminal or (
            terminal.foreground in (0, t.process.pgid)
        )
        if in_foreground or not terminal.stops_output():
            return False
        return stops_background(t, terminal, SIGTTOU)

    def describe(self) -> str:
        return "terminal input"

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        terminal = self.terminal
        if stops_background_change(t, terminal, request):
            return interrupted()
        if request == TCGETS:
            t.mem.write(argument, terminal.settings())
        elif request == TCGETS2:
            t.mem.write(argument, terminal.settings() + _SPEEDS)
        elif request in _SET_WHEN:
            terminal.set(t.mem.read(argument, termios_abi.SIZE), _SET_WHEN[request])
        elif request in (TIOCGWINSZ, FIONREAD, TIOCOUTQ):
            t.mem.write(argument, self._query(request))
        elif request in (TCSBRK, TCXONC, TIOCEXCL, TIOCNXCL, TIOCSWINSZ):
            pass  # accepted without effect on the user's terminal
        elif request == TCFLSH:
            self._flush(argument)
        elif request in REQUESTS:
            if request == TIOCGPGRP and t.process.terminal is terminal:
                terminal.foreground = terminal.foreground or t.process.pgid
            job_control(t, terminal, self, request, argument)
        else:
            raise Errno(ENOTTY)
        return 0

    def _query(self, request: int) -> bytes:
        host, size = {
            TIOCGWINSZ: (termios.TIOCGWINSZ, 8),
            FIONREAD: (termios.FIONREAD, 4),
            TIOCOUTQ: (termios.TIOCOUTQ, 4),
        }[request]
        try:
            return host_ioctl(self.fd, host, bytes(size))
        except OSError as error:
            raise from_host(error) from None

    def _flush(self, queue: int) -> None:
        if queue not in (0, 1, 2):
            raise Errno(EINVAL)
        which = (termios.TCIFLUSH, termios.TCOFLUSH, termios.TCIOFLUSH)[queue]
        _with_guest_errors(lambda: termios.tcflush(self.fd, which))
