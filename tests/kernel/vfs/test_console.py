"""Are the host's standard descriptors used correctly, and restored at the end?"""

from __future__ import annotations

import os
import pty
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.base.errno import EACCES, EBADF, EINVAL, ENOTTY, ENXIO, EPERM, EPIPE, ESRCH
from kernel.syscalls.files import descriptors, read_write
from kernel.vfs.build_tree import Grants, Services, build_namespace
from kernel.vfs.console import Console
from kernel.vfs.core.linux_abi import O_CREAT, O_RDWR, O_WRONLY, POLLHUP, POLLIN, SIGPIPE
from tests.guest.running import needs_terminals
from tests.kernel.fakes import ROOT, Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, fstat, get_file, open_, read, readlink, write


@pytest.fixture
def t(tmp_path: Path) -> FakeThread:
    return new_thread(build_namespace(Grants(cwd=str(tmp_path)), Services(credentials=ROOT)))


def console_of(t: FakeThread, **fds: int) -> Console:
    console = Console(t.fs.namespace)
    for name, host in fds.items():
        console.use_host(int(name[2:]), host)
    console.install(t.files)
    t.process.terminal = console.terminal  # as of the first process
    if console.terminal is not None:
        console.terminal.session = t.process.sid
    return console


def test_do_bytes_in_memory_serve_as_files(t: FakeThread) -> None:
    console = Console(t.fs.namespace)
    console.feed(b"line one\nline two\n")
    console.capture(1)
    console.capture(2)
    console.install(t.files)
    assert read(t, 0, 9) == b"line one\n"
    assert get_file(t, "/dev/stdin") == b"line two\n"
    assert read(t, 0) == b""
    write(t, 1, b"out")
    put = open_(t, "/dev/stderr", O_WRONLY)
    write(t, put, b"err")
    assert (console.captured(1), console.captured(2)) == (b"out", b"err")
    assert fails(lambda: open_(t, "/dev/stdin", O_WRONLY)) == EACCES


def test_does_a_pipe_of_the_host_wait_without_blocking_the_machine(t: FakeThread) -> None:
    reading, writing = os.pipe()
    console_of(t, fd0=reading)
    blocked = Blocked(read_write.read(t, 0, t.mem.alloc(8), 8))
    assert blocked.wait and [(h.fd, h.events) for h in blocked.wait.host] == [(reading, POLLIN)]
    os.write(writing, b"hi")
    assert blocked.resume().answer == 2
    os.close(writing)
    assert t.files.get(0).poll() & POLLHUP
    assert read(t, 0) == b""
    assert os.get_blocking(reading)
    os.close(reading)


def test_does_a_full_pipe_of_the_host_make_only_the_guest_wait(t: FakeThread) -> None:
    reading, writing = os.pipe()
    console_of(t, fd1=writing)
    data = t.mem.put(bytes(200_000))
    blocked = Blocked(read_write.write(t, 1, data, 200_000))
    got = 0
    while blocked.waits:
        got += len(os.read(reading, 50_000))
        blocked.resume()
    assert blocked.answer == 200_000
    os.close(reading)
    assert fails(lambda: write(t, 1, b"x")) == EPIPE
    assert t.signals == [SIGPIPE]
    os.close(writing)


def test_does_a_file_as_stdin_share_its_offset_with_the_user(t: FakeThread, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789")
    host = os.open(tmp_path / "in", os.O_RDONLY)
    console_of(t, fd0=host)
    assert read(t, 0, 4) == b"0123"
    assert os.lseek(host, 0, os.SEEK_CUR) == 4
    assert done(read_write.lseek(t, 0, -1, 2)) == 9
    assert read(t, 0) == b"9"
    assert fstat(t, 0)["size"] == 10
    assert fails(lambda: write(t, 0, b"x")) == EBADF
    assert fails(lambda: t.files.get(0).inode.chmod(0o777)) == EPERM
    assert fails(lambda: read_write.lseek(t, 0, -20, 1)) == EINVAL
    os.close(host)


def test_is_a_closed_descriptor_closed_for_the_guest(t: FakeThread) -> None:
    console_of(t, fd0=1 << 20)
    assert fails(lambda: read(t, 0)) == EBADF
    assert fails(lambda: open_(t, "/dev/tty")) == ENXIO


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    needs_terminals()
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_is_a_terminal_one_and_given_back_as_it_was(
    t: FakeThread, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    console = console_of(t, fd0=slave, fd1=slave)
    settings = t.mem.alloc(64)
    done(descriptors.ioctl(t, 0, 0x5401, settings))
    iflag, oflag, cflag, lflag = struct.unpack("<4I", t.mem.read(settings, 16))
    assert lflag & 0o2 and iflag & 0o400 and t.mem.read(settings + 17, 1) == b"\x03"
    t.mem.write(settings, struct.pack("<4I", iflag, oflag, cflag, lflag & ~0o12))
    done(descriptors.ioctl(t, 0, 0x5404, settings))
    now = termios.tcgetattr(slave)
    assert not now[3] & (termios.ICANON | termios.ECHO)
    os.write(master, b"k")
    assert read(t, 0, 10) == b"k"
    write(t, 1, b"out")
    assert os.read(master, 10) == b"out"
    console.restore()
    assert termios.tcgetattr(slave) == before


def test_who_is_in_the_foreground_of_a_terminal(t: FakeThread, terminal: tuple[int, int]) -> None:
    console = console_of(t, fd0=terminal[1])
    group = t.mem.alloc(4)
    done(descriptors.ioctl(t, 0, 0x540F, group))
    assert t.mem.read_u32(group) == t.process.pgid
    child = t.fork(5)
    t.mem.write_u32(group, 5)
    assert fails(lambda: descriptors.ioctl(t, 0, 0x5410, group)) == EPERM  # of another session
    child.process.sid, child.process.terminal = t.process.sid, t.process.terminal
    t.mem.write_u32(group, child.process.pgid)
    done(descriptors.ioctl(t, 0, 0x5410, group))
    assert console.terminal and console.terminal.foreground == 5
    t.mem.write_u32(group, 77)
    assert fails(lambda: descriptors.ioctl(t, 0, 0x5410, group)) == ESRCH
    done(descriptors.ioctl(t, 0, 0x5413, group))
    assert fails(lambda: descriptors.ioctl(t, 0, 0x5412, group)) == ENOTTY  # TIOCSTI
    assert readlink(t, "/proc/self/fd/0") == "/dev/tty"
    fd = open_(t, "/dev/tty", O_RDWR)
    assert fstat(t, fd) == fstat(t, 0)


def test_can_output_to_a_file_be_truncated_but_not_chmodded(t: FakeThread, tmp_path: Path) -> None:
    host = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    console_of(t, fd1=host)
    write(t, 1, b"hello")
    assert (tmp_path / "out").read_bytes() == b"hello"
    fd = open_(t, "/dev/stdout", O_WRONLY | O_CREAT)
    write(t, fd, b" world")
    assert (tmp_path / "out").read_bytes() == b"hello world"
    os.close(host)
