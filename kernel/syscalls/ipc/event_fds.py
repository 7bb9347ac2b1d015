"""Descriptors for events: epoll(7), eventfd2(2), timerfd_create(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.process.signals.signals import UNBLOCKABLE
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.ipc.poll import until_ready, use_mask
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_CLOEXEC, O_NONBLOCK, POLLERR, POLLHUP, POLLIN, POLLOUT
from kernel.vfs.core.open_file import OpenFile, RegularFile
from kernel.vfs.ipc.epoll import EPOLLET, EPOLLEXCLUSIVE, EPOLLWAKEUP, EpollFile
from kernel.vfs.ipc.eventfd import AnonymousInode, EventFile
from kernel.vfs.ipc.signalfd import SignalFile
from kernel.vfs.ipc.timerfd import TimerFile

EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3
EFD_SEMAPHORE = 1
_WITH_EXCLUSIVE = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME = 0, 1, 7
_ALARM_CLOCKS = (8, 9)
"""Clocks that wake a suspended machine, which requires a capability."""
TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET = 1, 2
_EVENT = struct.Struct("<IIQ")
"""struct epoll_event, which is not packed on riscv64."""
MAX_EVENTS = 4096
_TIMERSPEC = struct.Struct("<qqqq")
_SECOND = 1_000_000_000
_SIGNAL_SET_SIZE = 8


def _inode(t: SyscallContext) -> Inode:
    return AnonymousInode(t.fs.namespace.anonymous)


def _install(t: SyscallContext, file: OpenFile, flags: int) -> int:
    return t.files.install(file, cloexec=bool(flags & O_CLOEXEC))


def epoll_create1(t: SyscallContext, flags: int) -> Result:
    if flags & ~O_CLOEXEC:
        raise Errno(EINVAL)
    return _install(t, EpollFile(_inode(t), 0, t.fs.namespace.budget), flags)


def _epoll(t: SyscallContext, fd: int) -> EpollFile:
    file = t.files.get_usable(fd)
    if not isinstance(file, EpollFile):
        raise Errno(EINVAL)
    return file


def epoll_ctl(t: SyscallContext, epfd: int, operation: int, fd: int, event: int) -> Result:
    events, data = 0, 0
    if operation != EPOLL_CTL_DEL:
        events, _, data = _EVENT.unpack(t.mem.read(event, _EVENT.size))
    file = t.files.get_usable(fd)
    epoll = _epoll(t, epfd)
    if (not file.stream and not isinstance(file, EpollFile)) or isinstance(file, RegularFile):
        raise Errno(EPERM)
    if events & EPOLLEXCLUSIVE and (
        operation == EPOLL_CTL_MOD or events & ~_WITH_EXCLUSIVE or isinstance(file, EpollFile)
    ):
        raise Errno(EINVAL)
    if operation == EPOLL_CTL_ADD:
        epoll.add(fd, file, events, data)
    elif operation == EPOLL_CTL_MOD:
        epoll.modify(fd, file, events, data)
    elif operation == EPOLL_CTL_DEL:
        epoll.remove(fd, file)
    else:
        raise Errno(EINVAL)
    return 0


def epoll_pwait(
    t: SyscallContext,
    epfd: int,
    events: int,
    limit: int,
    timeout: int,
    mask: int,
    mask_size: int,
) -> Result:
    """Waits for events; ``timeout`` is in milliseconds, -1 for no limit."""
    deadline = None
    if timeout >= 0:
        deadline = t.kernel.clock.monotonic() + timeout * 1_000_000
    return _epoll_wait(t, epfd, (events, limit), deadline, (mask, mask_size))


def epoll_pwait2(
    t: SyscallContext,
    epfd: int,
    events: int,
    limit: int,
    timeout: int,
    mask: int,
    mask_size: int,
) -> Result:
    """Waits for events; ``timeout`` is the address of a struct timespec, 0 for no limit."""
    deadline = None
    if timeout:
        seconds, nanos = struct.unpack("<qq", t.mem.read(timeout, 16))
        deadline = t.kernel.clock.monotonic() + _nanoseconds(seconds, nanos)
    return _epoll_wait(t, epfd, (events, limit), deadline, (mask, mask_size))


def _epoll_wait(
    t: SyscallContext,
    epfd: int,
    buffer: tuple[int, int],
    deadline: int | None,
    mask: tuple[int, int],
) -> Result:
    address, limit = buffer
    if not 0 < limit <= 0x7FFFFFFF // _EVENT.size:
        raise Errno(EINVAL)
    epoll = _epoll(t, epfd)
    use_mask(t, *mask)

    def check() -> int:
        found = epoll.collect(min(limit, MAX_EVENTS))
        if found:
            packed = b"".join(_EVENT.pack(events, 0, data) for events, data in found)
            t.mem.write(address, packed)
        return len(found)

    return until_ready(t, "epoll events", lambda: [(epoll, 1)], check, deadline)


def eventfd2(t: SyscallContext, count: int, flags: int) -> Result:
    if flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK):
        raise Errno(EINVAL)
    semaphore = bool(flags & EFD_SEMAPHORE)
    file = EventFile(_inode(t), count & 0xFFFFFFFF, flags & O_NONBLOCK, semaphore=semaphore)
    return _install(t, file, flags)


def signalfd4(t: SyscallContext, fd: int, address: int, size: int, flags: int) -> Result:
    if size != _SIGNAL_SET_SIZE or flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise Errno(EINVAL)
    mask = t.mem.read_u64(address) & ~UNBLOCKABLE
    if fd == -1:
        kernel = t.kernel
        file = SignalFile(_inode(t), mask, flags & O_NONBLOCK, lambda: kernel.caller)
        return _install(t, file, flags)
    changed = t.files.get_usable(fd)
    if not isinstance(changed, SignalFile):
        raise Errno(EINVAL)
    changed.mask = mask
    return fd


def timerfd_create(t: SyscallContext, clock: int, flags: int) -> Result:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise Errno(EINVAL)
    clocks = t.kernel.clock
    if clock in _ALARM_CLOCKS:
        raise Errno(EPERM)
    if clock not in (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME):
        raise Errno(EINVAL)
    now = clocks.realtime if clock == CLOCK_REALTIME else clocks.monotonic
    timer = TimerFile(_inode(t), flags & O_NONBLOCK, clock, now, clocks.monotonic)
    return _install(t, timer, flags)


def _timer(t: SyscallContext, fd: int) -> TimerFile:
    file = t.files.get_usable(fd)
    if not isinstance(file, TimerFile):
        raise Errno(EINVAL)
    return file


def timerfd_settime(t: SyscallContext, fd: int, flags: int, new: int, old: int) -> Result:
    if flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET):
        raise Errno(EINVAL)
    fields = _TIMERSPEC.unpack(t.mem.read(new, _TIMERSPEC.size))
    timer = _timer(t, fd)
    interval, value = _nanoseconds(*fields[:2]), _nanoseconds(*fields[2:])
    if old:
        t.mem.write(old, _pack_timer(timer))
    if value and not flags & TFD_TIMER_ABSTIME:
        value += timer.now()
    timer.set(value, interval, flags)
    return 0


def timerfd_gettime(t: SyscallContext, fd: int, current: int) -> Result:
    t.mem.write(current, _pack_timer(_timer(t, fd)))
    return 0


def _pack_timer(timer: TimerFile) -> bytes:
    return _TIMERSPEC.pack(*divmod(timer.interval, _SECOND), *divmod(timer.remaining(), _SECOND))


def _nanoseconds(seconds: int, nanos: int) -> int:
    if seconds < 0 or not 0 <= nanos < _SECOND:
        raise Errno(EINVAL)
    return seconds * _SECOND + nanos
