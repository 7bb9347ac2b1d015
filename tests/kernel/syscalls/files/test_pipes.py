"""Do pipes block, end and break as pipe(7) says, across fork too?"""

from __future__ import annotations

import struct

import pytest

from kernel.base.errno import EAGAIN, EBUSY, EFAULT, EINVAL, EMFILE, ENXIO, EPERM, EPIPE
from kernel.base.errors import Interrupted
from kernel.syscalls.files import descriptors, openat, read_write
from kernel.vfs.core.linux_abi import (
    O_CLOEXEC,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    POLLHUP,
    POLLIN,
    SIGPIPE,
)
from tests.kernel.fakes import Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, open_, read, write


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def pipe(t: FakeThread, flags: int = 0) -> tuple[int, int]:
    address = t.mem.alloc(8)
    done(openat.pipe2(t, address, flags))
    return struct.unpack("<ii", t.mem.read(address, 8))


def test_do_bytes_come_out_in_order(t: FakeThread) -> None:
    reading, writing = pipe(t)
    write(t, writing, b"abc")
    write(t, writing, b"def")
    assert read(t, reading, 4) == b"abcd"
    assert read(t, reading, 4) == b"ef"


def test_does_a_reader_wait_for_a_writer(t: FakeThread) -> None:
    reading, writing = pipe(t)
    buffer = t.mem.alloc(8)
    blocked = Blocked(read_write.read(t, reading, buffer, 8))
    assert blocked.waits and "data in pipe" in blocked.wait.what
    blocked.wait.queues[0].add(t)
    write(t, writing, b"now")
    assert t.woken == 1
    assert blocked.resume().answer == 3


def test_does_the_end_come_when_the_last_writer_closes(t: FakeThread) -> None:
    reading, writing = pipe(t)
    child = t.fork()
    t.files.close(writing)
    blocked = Blocked(read_write.read(t, reading, t.mem.alloc(8), 8))
    assert blocked.waits
    child.files.close_all()
    assert blocked.resume().answer == 0


def test_does_a_dup_keep_the_pipe_open(t: FakeThread) -> None:
    reading, writing = pipe(t)
    done(descriptors.dup(t, writing))
    t.files.close(writing)
    assert Blocked(read_write.read(t, reading, t.mem.alloc(8), 8)).waits


def test_is_a_write_without_reader_sigpipe(t: FakeThread) -> None:
    reading, writing = pipe(t)
    t.files.close(reading)
    assert fails(lambda: write(t, writing, b"x")) == EPIPE
    assert t.signals == [SIGPIPE]


def test_is_a_small_write_atomic(t: FakeThread) -> None:
    reading, writing = pipe(t)
    write(t, writing, bytes(65536 - 10))
    blocked = Blocked(read_write.write(t, writing, t.mem.put(b"y" * 4096), 4096))
    assert blocked.waits
    read(t, reading, 4000)
    assert blocked.resume().waits
    read(t, reading, 4000)
    assert blocked.resume().answer == 4096


def test_does_a_large_write_go_on_as_room_comes(t: FakeThread) -> None:
    reading, writing = pipe(t)
    data = t.mem.put(b"z" * 100_000)
    blocked = Blocked(read_write.write(t, writing, data, 100_000))
    got = 0
    while blocked.waits:
        got += len(read(t, reading, 4096))
        blocked.resume()
    assert blocked.answer == 100_000
    while got < 100_000:
        got += len(read(t, reading, 4096))


def test_what_does_an_interrupted_write_say(t: FakeThread) -> None:
    _, writing = pipe(t)
    blocked = Blocked(read_write.write(t, writing, t.mem.put(bytes(70_000)), 70_000))
    assert blocked.interrupt(Interrupted()).answer == 65536
    blocked = Blocked(read_write.write(t, writing, t.mem.put(bytes(10)), 10))
    with pytest.raises(Interrupted):
        blocked.interrupt(Interrupted())


def test_what_does_a_partial_write_say_when_the_reader_goes(t: FakeThread) -> None:
    reading, writing = pipe(t)
    blocked = Blocked(read_write.write(t, writing, t.mem.put(bytes(70_000)), 70_000))
    t.files.close(reading)
    assert blocked.resume().answer == 65536
    assert t.signals == [SIGPIPE]


def test_does_nonblocking_never_wait(t: FakeThread) -> None:
    reading, writing = pipe(t, O_NONBLOCK)
    assert fails(lambda: read(t, reading)) == EAGAIN
    assert write(t, writing, bytes(70_000)) == 65536
    assert fails(lambda: write(t, writing, b"x")) == EAGAIN


def test_is_nothing_lost_to_a_bad_buffer(t: FakeThread) -> None:
    reading, writing = pipe(t)
    write(t, writing, b"kept")
    assert fails(lambda: read_write.read(t, reading, 0, 4)) == EFAULT
    assert read(t, reading) == b"kept"


def test_does_poll_see_data_and_hangup(t: FakeThread) -> None:
    reading, writing = pipe(t)
    assert t.files.get(reading).poll() == 0
    write(t, writing, b"x")
    assert t.files.get(reading).poll() & POLLIN
    t.files.close(writing)
    assert t.files.get(reading).poll() & POLLHUP


def test_can_a_pipe_be_resized(t: FakeThread) -> None:
    reading, writing = pipe(t)
    assert done(descriptors.fcntl(t, reading, 1032, 0)) == 65536
    assert done(descriptors.fcntl(t, reading, 1031, 5000)) == 8192
    write(t, writing, bytes(8192))
    assert fails(lambda: descriptors.fcntl(t, reading, 1031, 4096)) == EBUSY
    assert fails(lambda: descriptors.fcntl(t, reading, 1031, 1 << 30)) == EPERM
    assert fails(lambda: descriptors.fcntl(t, reading, 1031, (1 << 64) - 1)) == EINVAL


def test_how_much_is_there(t: FakeThread) -> None:
    reading, writing = pipe(t)
    write(t, writing, b"12345")
    done(descriptors.ioctl(t, reading, 0x541B, address := t.mem.alloc(4)))
    assert t.mem.read_u32(address) == 5


def test_does_no_descriptor_remain_of_a_pipe_that_could_not_be_reported(t: FakeThread) -> None:
    assert fails(lambda: openat.pipe2(t, 0, 0)) == EFAULT
    assert not list(t.files.items())
    t.files.limit = 1
    assert fails(lambda: pipe(t)) == EMFILE
    assert not list(t.files.items())


def test_are_close_on_exec_ends_closed_by_exec(t: FakeThread) -> None:
    pipe(t, O_CLOEXEC)
    ends = pipe(t)
    t.files.close_on_exec()
    assert tuple(fd for fd, _ in t.files.items()) == ends


def test_does_a_fifo_wait_for_its_other_end(t: FakeThread) -> None:
    from kernel.syscalls.files import directories

    done(directories.mknodat(t, -100, t.mem.text("/f"), 0o010644, 0))
    path = t.mem.text("/f")
    assert fails(lambda: openat.openat(t, -100, path, O_WRONLY | O_NONBLOCK, 0)) == ENXIO
    reader = Blocked(openat.openat(t, -100, path, O_RDONLY, 0))
    assert reader.waits and "writer of the fifo /f" in reader.wait.what
    writing = done(openat.openat(t, -100, path, O_WRONLY, 0))
    reading = reader.resume().answer
    assert reading is not None
    write(t, writing, b"through")
    assert read(t, reading) == b"through"
    t.files.close(writing)
    assert read(t, reading) == b""


def test_does_an_interrupted_open_of_a_fifo_leave_nothing(t: FakeThread) -> None:
    from kernel.syscalls.files import directories

    done(directories.mknodat(t, -100, t.mem.text("/f"), 0o010644, 0))
    reader = Blocked(openat.openat(t, -100, t.mem.text("/f"), O_RDONLY, 0))
    with pytest.raises(Interrupted):
        reader.interrupt(Interrupted())
    assert not list(t.files.items())
    assert fails(lambda: open_(t, "/f", O_WRONLY | O_NONBLOCK)) == ENXIO
