"""Do poll, select, epoll, eventfd and timerfd wait for the right event, and no longer?"""

from __future__ import annotations

import struct

import pytest

from kernel.base.errno import EAGAIN, EBADF, EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT, EPERM
from kernel.base.errors import Errno, Interrupted
from kernel.syscalls.files import openat, read_write
from kernel.syscalls.ipc import event_fds, poll
from kernel.vfs.core.linux_abi import O_CREAT, O_NONBLOCK, O_RDWR, POLLIN, POLLNVAL, POLLOUT
from tests.kernel.fakes import Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, open_, read, write

SECOND = 1_000_000_000


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def pipe(t: FakeThread, flags: int = 0) -> tuple[int, int]:
    address = t.mem.alloc(8)
    done(openat.pipe2(t, address, flags))
    return struct.unpack("<ii", t.mem.read(address, 8))


def pollfds(t: FakeThread, *polls: tuple[int, int]) -> int:
    return t.mem.put(b"".join(struct.pack("<ihh", fd, events, 0) for fd, events in polls))


def answers(t: FakeThread, address: int, count: int) -> list[int]:
    raw = t.mem.read(address, 8 * count)
    return [answer for _, _, answer in struct.iter_unpack("<ihh", raw)]


def timespec(t: FakeThread, ns: int) -> int:
    return t.mem.put(struct.pack("<qq", *divmod(ns, SECOND)))


def test_does_poll_answer_at_once_when_something_is_there(t: FakeThread) -> None:
    reading, writing = pipe(t)
    fds = pollfds(t, (reading, POLLIN), (writing, POLLOUT), (77, POLLIN), (-1, POLLIN))
    assert done(poll.ppoll(t, fds, 4, 0, 0, 0)) == 2
    assert answers(t, fds, 4) == [0, POLLOUT, POLLNVAL, 0]


def test_does_poll_wait_for_data_or_the_deadline(t: FakeThread) -> None:
    reading, writing = pipe(t)
    fds = pollfds(t, (reading, POLLIN))
    blocked = Blocked(poll.ppoll(t, fds, 1, timespec(t, 5 * SECOND), 0, 0))
    assert blocked.wait and blocked.wait.deadline == t.kernel.clock.now + 5 * SECOND
    assert blocked.resume().waits
    write(t, writing, b"x")
    assert blocked.resume().answer == 1
    read(t, reading)
    blocked = Blocked(poll.ppoll(t, fds, 1, timespec(t, 5 * SECOND), 0, 0))
    t.kernel.clock.now += 5 * SECOND
    assert blocked.resume().answer == 0
    assert done(poll.ppoll(t, fds, 1, timespec(t, 0), 0, 0)) == 0


def test_does_a_signal_end_poll_with_eintr(t: FakeThread) -> None:
    mask = t.mem.put(struct.pack("<Q", 0x10))
    blocked = Blocked(poll.ppoll(t, 0, 0, 0, mask, 8))
    assert t.mask == 0x10
    with pytest.raises(Errno) as caught:
        blocked.interrupt(Interrupted())
    assert caught.value.errno == EINTR


def test_are_wild_arguments_of_poll_refused(t: FakeThread) -> None:
    assert fails(lambda: poll.ppoll(t, 0, 1 << 40 | 5000, 0, 0, 0)) == EINVAL
    assert fails(lambda: poll.ppoll(t, 0, 3, 0, 0, 0)) == EFAULT
    bad = t.mem.put(struct.pack("<qq", 0, SECOND))
    assert fails(lambda: poll.ppoll(t, 0, 0, bad, 0, 0)) == EINVAL
    assert fails(lambda: poll.ppoll(t, 0, 0, 0, t.mem.alloc(8), 4)) == EINVAL


def test_does_select_leave_just_what_is_ready(t: FakeThread) -> None:
    reading, writing = pipe(t)
    sets = t.mem.put(struct.pack("<QQ", 1 << reading, 1 << writing))
    assert done(poll.pselect6(t, 64, sets, sets + 8, 0, 0, 0)) == 1
    assert struct.unpack("<QQ", t.mem.read(sets, 16)) == (0, 1 << writing)
    sets = t.mem.put(struct.pack("<Q", 1 << reading))
    blocked = Blocked(poll.pselect6(t, 2, sets, 0, 0, 0, 0))
    assert blocked.waits
    write(t, writing, b"x")
    assert blocked.resume().answer == 1


def test_is_a_closed_descriptor_in_a_set_ebadf(t: FakeThread) -> None:
    pipe(t)
    sets = t.mem.put(struct.pack("<Q", 1 << 1 | 1 << 9))
    assert fails(lambda: poll.pselect6(t, 10, sets, 0, 0, 0, 0)) == EBADF
    assert fails(lambda: poll.pselect6(t, -1, 0, 0, 0, 0, 0)) == EINVAL


class Epoll:
    def __init__(self, t: FakeThread) -> None:
        self.t = t
        self.fd = done(event_fds.epoll_create1(t, 0))
        self.buffer = t.mem.alloc(16 * 16)

    def ctl(self, operation: int, fd: int, mask: int = POLLIN, data: int = 0) -> int:
        event = self.t.mem.put(struct.pack("<IIQ", mask, 0, data))
        return done(event_fds.epoll_ctl(self.t, self.fd, operation, fd, event))

    def wait(self, most: int = 16) -> list[tuple[int, int]]:
        count = done(event_fds.epoll_pwait(self.t, self.fd, self.buffer, most, 0, 0, 0))
        raw = self.t.mem.read(self.buffer, 16 * count)
        return [(mask, data) for mask, _, data in struct.iter_unpack("<IIQ", raw)]


def test_does_epoll_report_levels(t: FakeThread) -> None:
    reading, writing = pipe(t)
    epoll = Epoll(t)
    epoll.ctl(1, reading, POLLIN, 0xABCDEF0123456789)
    assert epoll.wait() == []
    write(t, writing, b"x")
    assert epoll.wait() == epoll.wait() == [(POLLIN, 0xABCDEF0123456789)]
    read(t, reading)
    assert epoll.wait() == []


def test_does_epoll_report_edges_and_single_shots(t: FakeThread) -> None:
    reading, writing = pipe(t)
    epoll = Epoll(t)
    epoll.ctl(1, reading, POLLIN | 1 << 31)
    write(t, writing, b"x")
    assert len(epoll.wait()) == 1
    assert epoll.wait() == []
    write(t, writing, b"y")
    assert len(epoll.wait()) == 1
    epoll.ctl(3, reading, POLLIN | 1 << 30)
    assert len(epoll.wait()) == 1
    assert epoll.wait() == []
    epoll.ctl(3, reading, POLLIN | 1 << 30)
    assert len(epoll.wait()) == 1


def test_does_epoll_wait_and_wake(t: FakeThread) -> None:
    reading, writing = pipe(t)
    epoll = Epoll(t)
    epoll.ctl(1, reading)
    blocked = Blocked(event_fds.epoll_pwait(t, epoll.fd, epoll.buffer, 4, -1, 0, 0))
    assert blocked.wait
    for queue in blocked.wait.queues:
        queue.add(t)
    write(t, writing, b"x")
    assert t.woken
    assert blocked.resume().answer == 1


def test_what_does_epoll_refuse(t: FakeThread) -> None:
    reading, _ = pipe(t)
    epoll, other = Epoll(t), Epoll(t)
    file = open_(t, "/f", O_CREAT | O_RDWR)
    assert fails(lambda: epoll.ctl(1, file)) == EPERM
    assert fails(lambda: epoll.ctl(1, epoll.fd)) == EINVAL
    assert fails(lambda: epoll.ctl(2, reading)) == ENOENT
    assert fails(lambda: epoll.ctl(9, reading)) == EINVAL
    epoll.ctl(1, reading)
    assert fails(lambda: epoll.ctl(1, reading)) == EEXIST
    epoll.ctl(1, other.fd)
    assert fails(lambda: other.ctl(1, epoll.fd)) == ELOOP
    assert fails(lambda: event_fds.epoll_pwait(t, epoll.fd, 0, 0, 0, 0, 0)) == EINVAL
    assert fails(lambda: event_fds.epoll_pwait(t, reading, 0, 1, 0, 0, 0)) == EINVAL


def test_does_a_closed_file_leave_epoll(t: FakeThread) -> None:
    reading, writing = pipe(t)
    epoll = Epoll(t)
    epoll.ctl(1, reading)
    write(t, writing, b"x")
    t.files.close(reading)
    assert epoll.wait() == []


def test_does_an_eventfd_count(t: FakeThread) -> None:
    fd = done(event_fds.eventfd2(t, 3, O_NONBLOCK))
    write(t, fd, struct.pack("<Q", 4))
    assert read(t, fd, 8) == struct.pack("<Q", 7)
    assert fails(lambda: read(t, fd, 8)) == EAGAIN
    assert fails(lambda: read(t, fd, 7)) == EINVAL
    assert fails(lambda: write(t, fd, b"\xff" * 8)) == EINVAL
    write(t, fd, struct.pack("<Q", (1 << 64) - 2))
    assert fails(lambda: write(t, fd, struct.pack("<Q", 1))) == EAGAIN


def test_does_a_timerfd_go_off(t: FakeThread) -> None:
    fd = done(event_fds.timerfd_create(t, 1, 0))
    spec = t.mem.put(struct.pack("<4q", 1, 0, 2, 0))
    done(event_fds.timerfd_settime(t, fd, 0, spec, 0))
    blocked = Blocked(read_write.read(t, fd, t.mem.alloc(8), 8))
    assert blocked.wait and blocked.wait.deadline == t.kernel.clock.now + 2 * SECOND
    t.kernel.clock.now += 4 * SECOND + SECOND // 2
    assert blocked.resume().answer == 8
    now = t.mem.alloc(32)
    done(event_fds.timerfd_gettime(t, fd, now))
    assert struct.unpack("<4q", t.mem.read(now, 32)) == (1, 0, 0, SECOND // 2)
