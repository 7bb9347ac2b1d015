"""Job control: controlling terminals, foreground and background groups (tty_ioctl(4))."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from kernel.base.errno import EINVAL, EIO, ENOTTY, EPERM, ESRCH
from kernel.base.errors import Errno
from kernel.vfs.core.caller import IoctlCaller, Process
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_NOCTTY
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.core.session_terminal import SessionTerminal
from kernel.vfs.tty.requests import (
    CHANGES,
    TIOCGPGRP,
    TIOCGSID,
    TIOCNOTTY,
    TIOCSCTTY,
    TIOCSPGRP,
)

REQUESTS = (TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCNOTTY, TIOCGSID)
SIGHUP, SIGCONT, SIGTTIN, SIGTTOU = 1, 18, 21, 22


class ControllingTerminal(SessionTerminal):
    """A terminal that /dev/tty opens for the processes of its session."""

    def open_by_session(self, node: Inode, flags: int) -> OpenFile:
        """Opens it as the node /dev/tty."""
        raise NotImplementedError


def stops_background(t: IoctlCaller, terminal: SessionTerminal, signo: int) -> bool:
    """Sends ``signo`` to the process group of a background caller; True when that stops it.

    EIO where the access must fail instead: for a read whose signal is ignored, and in an orphaned
    group, which no process could continue.
    """
    process = t.process
    if process.terminal is not terminal or terminal.foreground in (0, process.pgid):
        return False
    if t.stop_group(signo):
        return True
    if signo == SIGTTIN:
        raise Errno(EIO)
    return False


def stops_background_change(t: IoctlCaller, terminal: SessionTerminal, request: int) -> bool:
    """As :func:`stops_background`, for those requests of ioctl(2) that change the terminal."""
    if request not in CHANGES:
        return False
    try:
        return stops_background(t, terminal, SIGTTOU)
    except Errno as error:
        raise Errno(ENOTTY if request == TIOCSPGRP else error.errno) from None


def take_if_leader(process: Process, terminal: SessionTerminal, file: OpenFile) -> None:
    """Makes a terminal that was opened the caller's controlling one, as open(2) does."""
    free = process.terminal is None and not terminal.session
    if free and process.pid == process.sid and file.readable and not file.flags & O_NOCTTY:
        _take(process, terminal)


def _take(process: Process, terminal: SessionTerminal) -> None:
    process.terminal, process.former_foreground = terminal, 0
    terminal.session, terminal.foreground = process.sid, process.pgid


def leave(
    process: Process,
    processes: Mapping[int, Process],
    signal_group: Callable[[int, int], None],
    *,
    exiting: bool,
) -> None:
    """Takes the terminal from a process; with a session's leader from the whole session."""
    terminal, is_leader = process.terminal, process.pid == process.sid
    if not is_leader:
        process.terminal = None
    elif terminal is None:
        if exiting and process.former_foreground:
            signal_group(process.former_foreground, SIGHUP)
            signal_group(process.former_foreground, SIGCONT)
    elif not exiting or not terminal.outlives_leader:
        group = terminal.foreground
        drop_session(terminal, processes)
        signal_group(group, SIGHUP)
        if not exiting:
            signal_group(group, SIGCONT)


def drop_session(terminal: SessionTerminal, processes: Mapping[int, Process]) -> None:
    """Ends the control of a session by its terminal."""
    for other in processes.values():
        if other.terminal is terminal:
            other.terminal = None
    terminal.session = terminal.foreground = 0


def job_control(
    t: IoctlCaller,
    terminal: SessionTerminal,
    file: OpenFile,
    request: int,
    argument: int,
    *,
    from_master: bool = False,
) -> None:
    """One of :data:`REQUESTS`; a master may ask for a terminal that does not control its caller."""
    process = t.process
    controlled = process.terminal is terminal
    if request == TIOCSCTTY:
        _take_by_request(t, terminal, file, argument)
    elif request == TIOCSPGRP:
        _set_foreground(t, terminal, argument)
    elif request == TIOCNOTTY:
        if not controlled or from_master:
            raise Errno(ENOTTY)
        leave(process, t.kernel.processes, t.signal_group, exiting=False)
    elif not controlled and not from_master:
        raise Errno(ENOTTY)
    elif request == TIOCGPGRP:
        t.mem.write(argument, struct.pack("<i", terminal.foreground))
    elif not terminal.session:
        raise Errno(ENOTTY)
    else:
        t.mem.write(argument, struct.pack("<i", terminal.session))


def _take_by_request(
    t: IoctlCaller, terminal: SessionTerminal, file: OpenFile, argument: int
) -> None:
    process = t.process
    is_leader = process.pid == process.sid
    if is_leader and terminal.session == process.sid:
        return
    if not is_leader or process.terminal is not None:
        raise Errno(EPERM)
    if terminal.session:
        if argument != 1 or not t.is_privileged:
            raise Errno(EPERM)
        drop_session(terminal, t.kernel.processes)
    if not file.readable and not t.is_privileged:
        raise Errno(EPERM)
    _take(process, terminal)


def _set_foreground(t: IoctlCaller, terminal: SessionTerminal, argument: int) -> None:
    process, processes = t.process, t.kernel.processes
    group = int(struct.unpack("<i", t.mem.read(argument, 4))[0])
    if group < 0:
        raise Errno(EINVAL)
    if process.terminal is not terminal or terminal.session != process.sid:
        raise Errno(ENOTTY)
    members = [each for each in processes.values() if each.pgid == group]
    if not members and group not in processes:
        raise Errno(ESRCH)
    if all(each.sid != process.sid for each in members):
        raise Errno(EPERM)
    terminal.foreground = group
