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

from kernel.base.errno import EINVAL, EIO, ENOTTY, ENXIO, EPERM
from kernel.base.errors import Errno, from_host
from kernel.base.wait import Result, interrupted
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import POLLIN, POLLOUT, makedev
from kernel.vfs.core.open_file import OpenFile, Sources, SpecialInode
from kernel.vfs.tty import host_io, termios_abi

TCGETS, TCSETS, TCSETSW, TCSETSF = 0x5401, 0x5402, 0x5403, 0x5404
TCGETS2, TCSETS2, TCSETSW2, TCSETSF2 = 0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D
TCSBRK, TCXONC, TCFLSH, TIOCEXCL, TIOCNXCL = 0x5409, 0x540A, 0x540B, 0x540C, 0x540D
TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCOUTQ = 0x540E, 0x540F, 0x5410, 0x5411
TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCNOTTY, TIOCGSID = 0x5413, 0x5414, 0x541B, 0x5422, 0x5429

_SET_WHEN = {
    TCSETS: termios.TCSANOW, TCSETSW: termios.TCSADRAIN, TCSETSF: termios.TCSAFLUSH,
    TCSETS2: termios.TCSANOW, TCSETSW2: termios.TCSADRAIN, TCSETSF2: termios.TCSAFLUSH,
}  # fmt: skip
T = TypeVar("T")
SIGTTIN, SIGTTOU = 21, 22
_SPEEDS = struct.pack("<II", 38400, 38400)


class Terminal:
    """A terminal of the host, and the guest's foreground process group."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.stream_fd = host_io.open_nonblocking(fd)
        self.foreground = 0
        """Foreground process group; 0 until a guest sets or reads it."""
        self.session = 0
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
    """The node of the terminal, /dev/tty; all open files of the terminal have it."""

    def __init__(self, filesystem: FileSystem) -> None:
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.terminal: Terminal | None = None
        """None without a terminal; the node cannot be opened then (ENXIO)."""

    @property
    def kind(self) -> int:
        return stat.S_IFCHR

    def stat(self) -> Stat:
        device, mode = self.filesystem.device, stat.S_IFCHR | 0o666
        owner = os.geteuid(), os.getegid()
        return Stat(device, self.ino, mode, 1, *owner, makedev(5, 0), 0, 0, 0, 0, 1024)

    def open(self, flags: int, path: str) -> OpenFile:
        if self.terminal is None:
            raise Errno(ENXIO)
        return TerminalFile(self, self.terminal, self.terminal.stream_fd, flags)


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
        return self._stop_background(t, SIGTTIN)

    def _stop_background(self, t: IoctlCaller, signo: int) -> bool:
        """Sends ``signo`` to the process group of a background caller; True when it stops."""
        group, process = self.terminal.foreground, t.process
        others = t.kernel.processes.values()
        if process.pgid == group or not any(
            p.pgid == group and p.sid == process.sid for p in others
        ):
            return False
        if not t.stop_group(signo):
            if signo == SIGTTIN:
                raise Errno(EIO)
            return False
        return True

    def describe(self) -> str:
        return "terminal input"

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        terminal = self.terminal
        if (request in _SET_WHEN or request == TIOCSPGRP) and self._stop_background(t, SIGTTOU):
            return interrupted()
        if request == TCGETS:
            t.mem.write(argument, terminal.settings())
        elif request == TCGETS2:
            t.mem.write(argument, terminal.settings() + _SPEEDS)
        elif request in _SET_WHEN:
            terminal.set(t.mem.read(argument, termios_abi.SIZE), _SET_WHEN[request])
        elif request in (TIOCGWINSZ, FIONREAD, TIOCOUTQ):
            t.mem.write(argument, self._query(request))
        elif request in (TCSBRK, TCXONC, TIOCEXCL, TIOCNXCL, TIOCSWINSZ, TIOCNOTTY):
            pass  # accepted without effect on the user's terminal
        elif request == TCFLSH:
            self._flush(argument)
        else:
            self._job_control(t, request, argument)
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

    def _job_control(self, t: IoctlCaller, request: int, argument: int) -> None:
        """Job control, with the guest's own sessions and process groups."""
        terminal, process = self.terminal, t.process
        if request == TIOCGPGRP:
            terminal.foreground = terminal.foreground or process.pgid
            t.mem.write(argument, struct.pack("<i", terminal.foreground))
        elif request == TIOCSPGRP:
            group = int(struct.unpack("<i", t.mem.read(argument, 4))[0])
            if group < 0:
                raise Errno(EINVAL)
            if not any(other.pgid == group for other in t.kernel.processes.values()):
                raise Errno(EPERM)
            terminal.foreground = group
        elif request == TIOCSCTTY:
            terminal.session, terminal.foreground = process.sid, process.pgid
        elif request == TIOCGSID:
            t.mem.write(argument, struct.pack("<i", terminal.session or process.sid))
        else:
            raise Errno(ENOTTY)
