"""Calls on descriptors themselves: close(2), dup3(2), fcntl(2), ioctl(2)."""

from __future__ import annotations

from kernel.errors import Errno
from kernel.syscalls.locking import record_lock
from kernel.vfs.abi import O_CLOEXEC, O_LARGEFILE, O_NONBLOCK, O_PATH, O_SETTABLE
from kernel.vfs.caller import Caller
from kernel.vfs.errnos import EBADF, EINVAL
from kernel.vfs.openfile import OpenFile, need_usable
from kernel.vfs.pipe import FIONREAD, PipeEnd
from kernel.wait import Result

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL = 0, 1, 2, 3, 4
F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG = 5, 6, 7, 8, 9, 10, 11
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ = 1030, 1031, 1032
FD_CLOEXEC = 1
FIONCLEX, FIOCLEX, FIONBIO, FIOASYNC = 0x5450, 0x5451, 0x5421, 0x5452
CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC = 2, 4

_RECORD_LOCKS = (F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)
_WITH_PATH = (F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL)


def close(t: Caller, fd: int) -> Result:
    t.files.close(fd)
    return 0


def close_range(t: Caller, first: int, last: int, flags: int) -> Result:
    first, last = first & 0xFFFFFFFF, last & 0xFFFFFFFF
    if first > last or flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC):
        raise Errno(EINVAL)
    if flags & CLOSE_RANGE_UNSHARE:
        raise Errno(EINVAL)
    for fd, _ in list(t.files.items()):
        if first <= fd <= last:
            if flags & CLOSE_RANGE_CLOEXEC:
                t.files.set_close_on_exec(fd, True)
            else:
                t.files.close(fd)
    return 0


def dup(t: Caller, fd: int) -> Result:
    return t.files.install(t.files.get(fd))


def dup3(t: Caller, old: int, new: int, flags: int) -> Result:
    if old == new or flags & ~O_CLOEXEC:
        raise Errno(EINVAL)
    return t.files.install_at(new, t.files.get(old), cloexec=bool(flags & O_CLOEXEC))


def fcntl(t: Caller, fd: int, command: int, argument: int) -> Result:
    file = t.files.get(fd)
    if command not in _WITH_PATH:
        need_usable(file)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        return _duplicate(t, file, argument, command == F_DUPFD_CLOEXEC)
    if command == F_GETFD:
        return FD_CLOEXEC if t.files.closes_on_exec(fd) else 0
    if command == F_SETFD:
        t.files.set_close_on_exec(fd, bool(argument & FD_CLOEXEC))
        return 0
    if command == F_GETFL:
        return file.flags | (0 if file.flags & O_PATH else O_LARGEFILE)
    if command == F_SETFL:
        file.flags = (file.flags & ~O_SETTABLE) | (argument & O_SETTABLE)
        return 0
    if command in _RECORD_LOCKS:
        return record_lock(t, file, command, argument)
    return _rarely(file, command, argument)


def _duplicate(t: Caller, file: OpenFile, lowest: int, cloexec: bool) -> int:
    if not 0 <= lowest < t.files.limit:
        raise Errno(EINVAL)
    return t.files.install(file, cloexec=cloexec, lowest=lowest)


def _rarely(file: OpenFile, command: int, argument: int) -> int:
    if command in (F_SETPIPE_SZ, F_GETPIPE_SZ):
        if not isinstance(file, PipeEnd):
            raise Errno(EBADF)
        pipe = file.pipe
        if command == F_SETPIPE_SZ:
            return pipe.set_capacity(argument & 0xFFFFFFFF)
        return pipe.capacity
    if command in (F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG):
        return 0  # no SIGIO is ever sent
    raise Errno(EINVAL)


def ioctl(t: Caller, fd: int, request: int, argument: int) -> Result:
    request &= 0xFFFFFFFF
    file = t.files.usable(fd)
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
    return file.ioctl(t, request, argument)
