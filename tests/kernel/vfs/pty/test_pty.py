"""Are pseudo-terminals opened, shared, hung up and charged as they should be?"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kernel.base.budget import Cost, Kind
from kernel.base.errno import EBUSY, EIO, ENOENT, ENOMEM, ENOSPC, ENOTTY, ENXIO
from kernel.base.errors import Interrupted
from kernel.syscalls.files import descriptors, read_write
from kernel.vfs.build_tree import Grants, Services, build_namespace
from kernel.vfs.core.linux_abi import O_NOCTTY, O_RDWR, POLLHUP, POLLIN
from kernel.vfs.pty import devpts
from kernel.vfs.tty.requests import (
    TCGETS,
    TCSETS,
    TIOCEXCL,
    TIOCGPTPEER,
    TIOCPKT,
    TIOCSCTTY,
    TIOCSPTLCK,
    TIOCSWINSZ,
)
from tests.kernel.fakes import ROOT, Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, fstat, open_, read, write


@pytest.fixture
def t(tmp_path: Path) -> FakeThread:
    return new_thread(build_namespace(Grants(cwd=str(tmp_path)), Services(credentials=ROOT)))


def ioctl(t: FakeThread, fd: int, request: int, value: int) -> int:
    """Passes a number by its address."""
    return done(descriptors.ioctl(t, fd, request, t.mem.put(struct.pack("<i", value))))


def pair(t: FakeThread) -> tuple[int, int]:
    master = open_(t, "/dev/ptmx", O_RDWR)
    ioctl(t, master, TIOCSPTLCK, 0)
    return master, done(descriptors.ioctl(t, master, TIOCGPTPEER, O_RDWR | O_NOCTTY))


def set_raw(t: FakeThread, fd: int, least: int, tenths: int) -> None:
    at = t.mem.alloc(64)
    done(descriptors.ioctl(t, fd, TCGETS, at))
    t.mem.write(at, bytes(16))
    t.mem.write(at + 17 + 5, bytes((tenths, least)))
    done(descriptors.ioctl(t, fd, TCSETS, at))


def names(t: FakeThread) -> list[str]:
    return [name for name, _, _ in t.fs.namespace.pts.root.entries()]


def test_what_is_in_dev_pts_while_a_pair_is_open(t: FakeThread) -> None:
    master, slave = pair(t)
    assert names(t) == ["ptmx", "0"]
    assert fstat(t, slave)["rdev"] == 136 << 8
    again = open_(t, "/dev/pts/0", O_RDWR | O_NOCTTY)
    t.files.close(master)
    assert names(t) == ["ptmx"]
    assert fails(lambda: open_(t, "/dev/pts/0", O_RDWR)) == ENOENT
    other, _ = pair(t)
    assert names(t) == ["ptmx", "1"], "the number is in use while the slave is open"
    for fd in (slave, again):
        t.files.close(fd)
    assert read(t, open_(t, "/dev/ptmx", O_RDWR) and other, 0) == b""
    assert names(t) == ["ptmx", "0", "1"]


@pytest.mark.parametrize("name", ["00", "-1", "1x", "0x0", "99999999", "\u0660"])
def test_are_only_numbers_names_of_slaves(t: FakeThread, name: str) -> None:
    pair(t)
    assert fails(lambda: open_(t, f"/dev/pts/{name}", O_RDWR)) == ENOENT


def test_is_each_pair_charged_until_both_sides_are_closed(t: FakeThread) -> None:
    held = t.fs.namespace.budget.held
    master, slave = pair(t)
    assert held[Kind.TERMINAL] == Cost.TERMINAL
    t.files.close(master)
    assert held[Kind.TERMINAL] == Cost.TERMINAL
    t.files.close(slave)
    assert held[Kind.TERMINAL] == 0


def test_is_the_number_of_pairs_limited(t: FakeThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devpts, "MOST", 1)
    open_(t, "/dev/ptmx", O_RDWR)
    assert fails(lambda: open_(t, "/dev/ptmx", O_RDWR)) == ENOSPC
    monkeypatch.setattr(devpts, "MOST", 9)
    t.fs.namespace.budget.limit = t.fs.namespace.budget.used
    assert fails(lambda: open_(t, "/dev/ptmx", O_RDWR)) == ENOMEM


def test_are_buffers_of_both_directions_bounded(t: FakeThread) -> None:
    master, slave = pair(t)
    for fd in (master, slave):
        blocked = Blocked(read_write.write(t, fd, t.mem.put(b"\n" * 100_000), 100_000))
        assert blocked.waits
    pty = t.fs.namespace.pts.slaves[0].pty
    line = pty.line
    held = (pty.output, line.pending, line.echo.held)
    assert sum(map(len, held)) + 2 * len(line.queue) < Cost.TERMINAL


def test_does_a_reader_of_the_master_see_the_slaves_end(t: FakeThread) -> None:
    master, slave = pair(t)
    blocked = Blocked(read_write.read(t, master, t.mem.alloc(8), 8))
    write(t, slave, b"bye")
    assert blocked.resume().answer == 3
    t.files.close(slave)
    assert t.files.get(master).poll() & POLLHUP
    assert fails(lambda: read(t, master)) == EIO


def test_is_the_slave_hung_up_with_the_master(t: FakeThread) -> None:
    master, slave = pair(t)
    assert ioctl(t, slave, TIOCSCTTY, 0) == 0
    t.files.close(master)
    assert t.kernel.process_signals == [(t.process.sid, 1), (t.process.sid, 18)]
    assert t.process.terminal is None
    assert t.process.former_foreground == t.process.pgid
    assert read(t, slave) == b""
    assert fails(lambda: write(t, slave, b"x")) == EIO
    assert fails(lambda: open_(t, "/dev/tty", O_RDWR)) == ENXIO


def test_what_does_dev_tty_open(t: FakeThread) -> None:
    master, _ = pair(t)
    assert fails(lambda: open_(t, "/dev/tty", O_RDWR)) == ENXIO
    open_(t, "/dev/pts/0", O_RDWR)
    write(t, open_(t, "/dev/tty", O_RDWR), b"to the terminal")
    assert read(t, master) == b"to the terminal"


def test_do_keys_and_sizes_signal_the_foreground(t: FakeThread) -> None:
    master, slave = pair(t)
    ioctl(t, slave, TIOCSCTTY, 0)
    write(t, master, b"\x03")
    size = t.mem.put(struct.pack("<4H", 24, 80, 0, 0))
    for _ in range(2):
        done(descriptors.ioctl(t, master, TIOCSWINSZ, size))
    assert t.kernel.group_signals == [(t.process.pgid, 2), (t.process.pgid, 28)]


def test_does_a_waiting_read_end_with_its_time(t: FakeThread) -> None:
    master, slave = pair(t)
    set_raw(t, slave, least=0, tenths=2)
    blocked = Blocked(read_write.read(t, slave, t.mem.alloc(8), 8))
    start = t.kernel.clock.now
    assert blocked.wait and blocked.wait.deadline == start + 200_000_000
    t.kernel.clock.now += 200_000_000
    assert blocked.resume().answer == 0
    set_raw(t, slave, least=5, tenths=2)
    blocked = Blocked(read_write.read(t, slave, t.mem.alloc(8), 8))
    assert blocked.wait and blocked.wait.deadline is None
    write(t, master, b"ab")
    blocked.resume()
    assert blocked.wait and blocked.wait.deadline == t.kernel.clock.now + 200_000_000
    t.kernel.clock.now += 200_000_000
    assert blocked.resume().answer == 2


def test_does_a_signal_end_a_read_with_what_it_has(t: FakeThread) -> None:
    master, slave = pair(t)
    set_raw(t, slave, least=5, tenths=0)
    write(t, master, b"ab")
    blocked = Blocked(read_write.read(t, slave, t.mem.alloc(8), 8))
    assert blocked.interrupt(Interrupted()).answer == 2


def test_what_begins_a_packet(t: FakeThread) -> None:
    master, slave = pair(t)
    ioctl(t, master, TIOCPKT, 1)
    write(t, slave, b"data")
    assert read(t, master, 3) == b"\0da"
    write(t, master, b"\x13")
    assert t.files.get(master).poll() & POLLIN
    assert read(t, master) == b"\x04"
    assert fails(lambda: ioctl(t, slave, TIOCPKT, 1)) == ENOTTY


def test_may_only_root_open_a_terminal_in_exclusive_use(t: FakeThread) -> None:
    _, slave = pair(t)
    done(descriptors.ioctl(t, slave, TIOCEXCL, 0))
    open_(t, "/dev/pts/0", O_RDWR | O_NOCTTY)
    t.fs.namespace.pts.slaves[0].uid = 7
    t.fs.credentials = ROOT._replace(uid=7)
    assert fails(lambda: open_(t, "/dev/pts/0", O_RDWR | O_NOCTTY)) == EBUSY
