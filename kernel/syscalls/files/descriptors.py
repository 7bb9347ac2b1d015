"""Operations on descriptors: close(2), dup3(2), fcntl(2), ioctl(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import EBADF, EINVAL, EIO, ENOTTY, ESRCH
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.process.signals.signals import HIGHEST
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.files.file_locks import record_lock
from kernel.syscalls.files.seals import add_seals, get_seals
from kernel.vfs.core.linux_abi import O_CLOEXEC, O_NONBLOCK, O_SETTABLE
from kernel.vfs.core.open_file import OpenFile, check_usable
from kernel.vfs.ipc.pipe import FIONREAD, PipeEnd
from kernel.vfs.pty.master import MasterFile
from kernel.vfs.pty.pty_file import PtyFile
from kernel.vfs.tty.requests import TIOCGPTPEER
from kernel.vfs.tty.terminal import TerminalFile

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL = 0, 1, 2, 3, 4
F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG = 5, 6, 7, 8, 9, 10, 11
F_SETOWN_EX, F_GETOWN_EX = 15, 16
F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP = 0, 1, 2
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ = 1030, 1031, 1032
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
FD_CLOEXEC = 1
FIONCLEX, FIOCLEX, FIONBIO, FIOASYNC = 0x5450, 0x5451, 0x5421, 0x5452
CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC = 2, 4

_RECORD_LOCKS = (F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)
_WITH_PATH = (F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL)


def close(t: SyscallContext, fd: int) -> Result:
    t.files.close(fd)
    return 0


def close_range(t: SyscallContext, first: int, last: int, flags: int) -> Result:
    first, last = first & 0xFFFFFFFF, last & 0xFFFFFFFF
    if first > last or flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC):
        raise Errno(EINVAL)
    if flags & CLOSE_RANGE_UNSHARE:
        _unshare(t)
    for fd, _ in list(t.files.items()):
        if first <= fd <= last:
            if flags & CLOSE_RANGE_CLOEXEC:
                t.files.set_close_on_exec(fd, True)
            else:
                t.files.close(fd)
    return 0


def _unshare(t: SyscallContext) -> None:
    """Makes the process the only user of its descriptor table, which its threads share."""
    if len(t.process.threads) > 1:
        raise Errno(EINVAL)
    t.process.files = t.process.files.own()


def dup(t: SyscallContext, fd: int) -> Result:
    return t.files.install(t.files.get(fd))


def dup3(t: SyscallContext, old: int, new: int, flags: int) -> Result:
    if old == new or flags & ~O_CLOEXEC:
        raise Errno(EINVAL)
    return t.files.install_at(new, t.files.get(old), cloexec=bool(flags & O_CLOEXEC))


def fcntl(t: SyscallContext, fd: int, command: int, argument: int) -> Result:
    file = t.files.get(fd)
    if command not in _WITH_PATH:
        check_usable(file)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        return _duplicate(t, file, argument, command == F_DUPFD_CLOEXEC)
    if command == F_GETFD:
        return FD_CLOEXEC if t.files.is_close_on_exec(fd) else 0
    if command == F_SETFD:
        t.files.set_close_on_exec(fd, bool(argument & FD_CLOEXEC))
        return 0
    if command == F_GETFL:
        return file.flags
    if command == F_SETFL:
        file.flags = (file.flags & ~O_SETTABLE) | (argument & O_SETTABLE)
        return 0
    if command in _RECORD_LOCKS:
        return record_lock(t, file, command, argument)
    if command == F_GET_SEALS:
        return get_seals(file)
    if command == F_ADD_SEALS:
        return add_seals(t, file, argument & 0xFFFFFFFF)
    if command == F_SETOWN:
        return _set_owner(t, file, argument)
    if command in (F_SETOWN_EX, F_GETOWN_EX):
        return _owner_by_kind(t, file, command, argument)
    return _other_command(file, command, argument)


def _duplicate(t: SyscallContext, file: OpenFile, lowest: int, cloexec: bool) -> int:
    if not 0 <= lowest < t.files.limit:
        raise Errno(EINVAL)
    return t.files.install(file, cloexec=cloexec, lowest=lowest)


def _set_owner(t: SyscallContext, file: OpenFile, number: int) -> int:
    """Sets the owner: a PID, or a process group as a negative number. SIGIO is never sent."""
    number = (number + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
    processes = t.kernel.processes
    if number > 0 and number not in processes:
        raise Errno(ESRCH)
    if number < 0 and all(process.pgid != -number for process in processes.values()):
        raise Errno(ESRCH)
    file.owner = number
    return 0


def _owner_by_kind(t: SyscallContext, file: OpenFile, command: int, address: int) -> int:
    """Sets or gets the owner as struct f_owner_ex, which the C library uses for F_GETOWN."""
    if command == F_GETOWN_EX:
        kind = F_OWNER_PGRP if file.owner < 0 else F_OWNER_PID
        t.mem.write(address, struct.pack("<ii", kind, abs(file.owner)))
        return 0
    kind, number = struct.unpack("<ii", t.mem.read(address, 8))
    if kind not in (F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP):
        raise Errno(EINVAL)
    return _set_owner(t, file, -number if kind == F_OWNER_PGRP else number)


def _other_command(file: OpenFile, command: int, argument: int) -> int:
    if command in (F_SETPIPE_SZ, F_GETPIPE_SZ):
        if not isinstance(file, PipeEnd):
            raise Errno(EBADF)
        pipe = file.pipe
        if command == F_SETPIPE_SZ:
            return pipe.set_capacity(argument & 0xFFFFFFFF)
        return pipe.capacity
    if command == F_GETOWN:
        return file.owner
    if command == F_GETSIG:
        return file.owner_signal
    if command == F_SETSIG and 0 <= argument <= HIGHEST:
        file.owner_signal = argument
        return 0
    raise Errno(EINVAL)


def ioctl(t: SyscallContext, fd: int, request: int, argument: int) -> Result:
    request &= 0xFFFFFFFF
    file = t.files.get_usable(fd)
    if request in (FIOCLEX, FIONCLEX):
        t.files.set_close_on_exec(fd, request == FIOCLEX)
        return 0
    if request == FIONBIO:
        on = t.mem.read_u32(argument) != 0
        file.flags = file.flags | O_NONBLOCK if on else file.flags & ~O_NONBLOCK
        return 0
    if request == FIOASYNC:
        return 0
    if request == FIONREAD and not file.stream and hasattr(file, "offset"):
        left = max(0, file.inode.size - file.offset)
        t.mem.write_u32(argument, min(left, 0x7FFFFFFF))
        return 0
    if request == TIOCGPTPEER:
        return _open_peer(t, file, argument & 0xFFFFFFFF)
    return file.ioctl(t, request, argument)


def _open_peer(t: SyscallContext, file: OpenFile, flags: int) -> int:
    """Opens the slave of a master of a pseudo-terminal."""
    if not isinstance(file, MasterFile):
        raise Errno(EIO if isinstance(file, PtyFile | TerminalFile) else ENOTTY)
    return t.files.install(file.open_peer(flags), cloexec=bool(flags & O_CLOEXEC))
