"""Waiting for several files: ppoll(2), pselect6(2)."""

from __future__ import annotations

import struct
from collections.abc import Callable

from kernel.base.budget import Cost, Kind
from kernel.base.errno import EBADF, EINTR, EINVAL
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Blocking, HostReady, Result, Wait, WaitQueue
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.linux_abi import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from kernel.vfs.core.open_file import OpenFile

_POLLFD = struct.Struct("<ihh")
_READ_SET = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR
_WRITE_SET = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR
_SECOND = 1_000_000_000

Watched = list[tuple[OpenFile, int]]
"""Files, each with the poll(2) events to wait for."""


def read_timeout(t: SyscallContext, address: int) -> int | None:
    """Reads a struct timespec; returns the deadline on the monotonic clock, None for no limit."""
    if not address:
        return None
    seconds, nanos = struct.unpack("<qq", t.mem.read(address, 16))
    if seconds < 0 or not 0 <= nanos < _SECOND:
        raise Errno(EINVAL)
    return t.kernel.clock.monotonic() + int(seconds) * _SECOND + int(nanos)


def use_mask(t: SyscallContext, address: int, size: int) -> None:
    """Blocks exactly the signals at ``address`` during the call; no change for address 0."""
    if not address:
        return
    if size != 8:
        raise Errno(EINVAL)
    t.temporary_mask(t.mem.read_u64(address))


def until_ready(
    t: SyscallContext, what: str, watched: Callable[[], Watched], check: Callable[[], int],
    deadline: int | None, count: int = 1,
) -> Result:  # fmt: skip
    """Repeats ``check`` until it returns a value other than 0, or the deadline has passed.

    ``count`` is the number of files, for which the memory of the call is charged.
    """
    found = check()
    if found:
        return found
    if deadline is not None and deadline <= t.kernel.clock.monotonic():
        if t.deliverable:  # unblocked by the mask of the call
            raise Errno(EINTR)
        return 0
    return _wait(t, what, watched, check, deadline, count)


def _wait(
    t: SyscallContext, what: str, watched: Callable[[], Watched], check: Callable[[], int],
    deadline: int | None, count: int,
) -> Blocking:  # fmt: skip
    while True:
        wait = wait_for_any(what, watched(), deadline)
        with t.fs.namespace.budget.charged(Kind.WAIT, Cost.WAITED * (count + len(wait.queues))):
            try:
                yield wait
            except Interrupted:
                raise Errno(EINTR) from None
        found = check()
        if found or (deadline is not None and deadline <= t.kernel.clock.monotonic()):
            return found


def wait_for_any(what: str, watched: Watched, deadline: int | None) -> Wait:
    queues: dict[WaitQueue, None] = {}
    host: dict[int, int] = {}
    for file, events in watched:
        part = file.sources(events)
        queues.update(dict.fromkeys(part.queues))
        for ready in part.host:
            host[ready.fd] = host.get(ready.fd, 0) | ready.events
        if part.deadline is not None:
            deadline = part.deadline if deadline is None else min(deadline, part.deadline)
    return Wait(what, tuple(queues), tuple(HostReady(*one) for one in host.items()), deadline)


def ppoll(
    t: SyscallContext, fds: int, count: int, timeout: int, mask: int, mask_size: int
) -> Result:
    count &= 0xFFFFFFFF
    if count > max(t.files.limit, 1024):
        raise Errno(EINVAL)
    deadline = read_timeout(t, timeout)
    use_mask(t, mask, mask_size)
    raw = t.mem.read(fds, _POLLFD.size * count) if count else b""
    requests = [(fd, events) for fd, events, _ in _POLLFD.iter_unpack(raw)]

    def check() -> int:
        results = [_poll_one(t, fd, events & 0xFFFF) for fd, events in requests]
        found = sum(result != 0 for result in results)
        packed = b"".join(
            _POLLFD.pack(fd, events, result)
            for (fd, events), result in zip(requests, results, strict=True)
        )
        if packed:
            t.mem.write(fds, packed)
        return found

    return until_ready(
        t, _describe(requests), lambda: _watched(t, requests), check, deadline, count
    )


def _describe(requests: list[tuple[int, int]]) -> str:
    descriptors = [str(fd) for fd, _ in requests[:8] if fd >= 0]
    return f"descriptors {', '.join(descriptors)}" if descriptors else "a signal"


def _poll_one(t: SyscallContext, fd: int, events: int) -> int:
    if fd < 0:
        return 0
    try:
        file = t.files.get_usable(fd)
    except Errno:
        return POLLNVAL
    return file.poll() & (events | POLLERR | POLLHUP)


def _watched(t: SyscallContext, requests: list[tuple[int, int]]) -> Watched:
    files = dict(t.files.items())
    return [(files[fd], events & 0xFFFF) for fd, events in requests if fd in files]


def pselect6(
    t: SyscallContext,
    count: int,
    readable: int,
    writable: int,
    special: int,
    timeout: int,
    mask: int,
) -> Result:
    if count < 0:
        raise Errno(EINVAL)
    count = min(count, max(t.files.end, 1024))
    deadline = read_timeout(t, timeout)
    if mask:
        use_mask(t, *struct.unpack("<QQ", t.mem.read(mask, 16)))
    sets = [
        _FdSet(t, readable, count, _READ_SET, POLLIN),
        _FdSet(t, writable, count, _WRITE_SET, POLLOUT),
        _FdSet(t, special, count, POLLPRI, POLLPRI),
    ]

    def check() -> int:
        for one in sets:
            one.update()
        found = sum(len(one.ready) for one in sets)
        if found or (deadline is not None and deadline <= t.kernel.clock.monotonic()):
            for one in sets:
                one.write()
        return found

    requests = [(fd, 0) for one in sets for fd in one.requested]

    def watched() -> Watched:
        return [each for one in sets for each in one.watched()]

    return until_ready(t, _describe(requests), watched, check, deadline, len(requests))


class _FdSet:
    """An fd_set of select(2), and its ready descriptors."""

    def __init__(
        self, t: SyscallContext, address: int, count: int, matches: int, events: int
    ) -> None:
        self._t = t
        self._address = address
        self._matches = matches
        self._events = events
        self._size = (count + 63) // 64 * 8
        self.requested: list[int] = []
        self.ready: list[int] = []
        if address:
            bits = int.from_bytes(t.mem.read(address, self._size), "little")
            self.requested = [fd for fd in range(count) if bits >> fd & 1]
        for fd in self.requested:
            if t.files.get_usable(fd) is None:
                raise Errno(EBADF)

    def update(self) -> None:
        self.ready = [fd for fd, file in self._files() if file.poll() & self._matches]

    def _files(self) -> list[tuple[int, OpenFile]]:
        files = dict(self._t.files.items()) if self.requested else {}
        return [(fd, files[fd]) for fd in self.requested if fd in files]

    def watched(self) -> Watched:
        return [(file, self._events) for _, file in self._files()]

    def write(self) -> None:
        if self._address:
            bits = sum(1 << fd for fd in self.ready)
            self._t.mem.write(self._address, bits.to_bytes(self._size, "little"))
