"""Do descriptors, their flags and their locks behave as in dup(2) and fcntl(2)?"""

from __future__ import annotations

import struct

import pytest

from kernel.base.errno import (
    EAFNOSUPPORT,
    EAGAIN,
    EBADF,
    EFBIG,
    EINVAL,
    EMFILE,
    ENOTTY,
    EOPNOTSUPP,
    EPIPE,
)
from kernel.syscalls.files import attributes, copy_file, descriptors, file_locks, openat, stat
from kernel.syscalls.net import connections, receive
from kernel.vfs.core.linux_abi import (
    O_APPEND,
    O_CLOEXEC,
    O_CREAT,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    SIGPIPE,
)
from tests.kernel.fakes import Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, fstat, get_file, open_, put_file, read, stat_, write


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def test_is_the_lowest_free_number_given(t: FakeThread) -> None:
    put_file(t, "/f")
    assert [open_(t, "/f") for _ in range(4)] == [0, 1, 2, 3]
    done(descriptors.close(t, 1))
    assert done(descriptors.dup(t, 3)) == 1
    assert done(descriptors.fcntl(t, 0, 0, 10)) == 10
    assert done(descriptors.dup3(t, 0, 20, O_CLOEXEC)) == 20
    assert done(descriptors.fcntl(t, 20, 1, 0)) == 1


def test_where_does_the_limit_end(t: FakeThread) -> None:
    put_file(t, "/f")
    t.files.limit = 3
    for _ in range(3):
        open_(t, "/f")
    assert fails(lambda: open_(t, "/f")) == EMFILE
    assert fails(lambda: descriptors.dup(t, 0)) == EMFILE
    assert fails(lambda: descriptors.dup3(t, 0, 3, 0)) == EBADF
    assert fails(lambda: descriptors.fcntl(t, 0, 0, 3)) == EINVAL
    assert fails(lambda: descriptors.dup3(t, 0, 0, 0)) == EINVAL


def test_does_close_range_close_or_mark(t: FakeThread) -> None:
    put_file(t, "/f")
    for _ in range(5):
        open_(t, "/f")
    done(descriptors.close_range(t, 1, 2, 0))
    done(descriptors.close_range(t, 3, 0xFFFFFFFF, 4))
    t.files.close_on_exec()
    assert [fd for fd, _ in t.files.items()] == [0]


def test_can_status_flags_be_changed(t: FakeThread) -> None:
    fd = open_(t, "/f", O_CREAT | O_RDWR)
    done(descriptors.fcntl(t, fd, 4, O_APPEND | O_NONBLOCK | O_CREAT | 1))
    flags = done(descriptors.fcntl(t, fd, 3, 0))
    assert flags & 3 == O_RDWR and flags & O_APPEND and flags & O_NONBLOCK
    assert not flags & O_CREAT


def test_what_is_an_unknown_ioctl(t: FakeThread) -> None:
    fd = open_(t, "/f", O_CREAT | O_RDWR)
    assert fails(lambda: descriptors.ioctl(t, fd, 0x5401, 0)) == ENOTTY
    assert fails(lambda: descriptors.fcntl(t, fd, 9999, 0)) == EINVAL


def flock_struct(t: FakeThread, kind: int, start: int, length: int) -> int:
    return t.mem.put(struct.pack("<hh4xqqi4x", kind, 0, start, length, 0))


def test_do_record_locks_keep_processes_apart(t: FakeThread) -> None:
    fd = open_(t, "/f", O_CREAT | O_RDWR)
    child = t.fork()
    done(descriptors.fcntl(t, fd, 6, flock_struct(t, 1, 0, 10)))
    assert fails(lambda: descriptors.fcntl(child, fd, 6, flock_struct(t, 0, 5, 10))) == EAGAIN
    done(descriptors.fcntl(child, fd, 6, flock_struct(t, 1, 10, 5)))
    lock = flock_struct(t, 1, 5, 1)
    done(descriptors.fcntl(child, fd, 5, lock))
    assert struct.unpack("<hh4xqqi4x", t.mem.read(lock, 32)) == (1, 0, 0, 10, 1)
    blocked = Blocked(descriptors.fcntl(child, fd, 7, flock_struct(t, 1, 0, 1)))
    done(descriptors.fcntl(t, fd, 6, flock_struct(t, 2, 0, 4)))
    assert blocked.resume().answer == 0
    assert fails(lambda: descriptors.fcntl(child, fd, 6, flock_struct(t, 1, 4, 6))) == EAGAIN
    t.files.close(fd)
    done(descriptors.fcntl(child, fd, 6, flock_struct(t, 1, 4, 6)))


def test_does_flock_belong_to_the_open_file(t: FakeThread) -> None:
    one, two = open_(t, "/f", O_CREAT | O_RDWR), open_(t, "/f")
    done(file_locks.flock(t, one, 2))
    assert fails(lambda: file_locks.flock(t, two, 1 | 4)) == EAGAIN
    copy = done(descriptors.dup(t, one))
    t.files.close(one)
    assert fails(lambda: file_locks.flock(t, two, 1 | 4)) == EAGAIN
    t.files.close(copy)
    done(file_locks.flock(t, two, 1 | 4))


def test_do_sizes_change_as_asked(t: FakeThread) -> None:
    put_file(t, "/f", b"abcdef")
    fd = open_(t, "/f", O_RDWR)
    done(attributes.ftruncate(t, fd, 3))
    done(attributes.ftruncate(t, fd, 5))
    assert get_file(t, "/f") == b"abc\0\0"
    done(attributes.ftruncate(t, fd, 1 << 50))
    assert fstat(t, fd)["size"] == 1 << 50
    assert fstat(t, fd)["blocks"] == 8
    done(attributes.ftruncate(t, fd, 0))
    done(attributes.fallocate(t, fd, 0, 0, 100))
    assert fstat(t, fd)["size"] == 100
    done(attributes.fallocate(t, fd, 3, 0, 1 << 60))
    assert fails(lambda: attributes.ftruncate(t, fd, -1)) == EINVAL
    assert fails(lambda: attributes.fallocate(t, fd, 0, 1 << 62, 1 << 62)) == EFBIG
    assert fails(lambda: attributes.ftruncate(t, open_(t, "/f"), 0)) == EINVAL


def test_are_times_set(t: FakeThread) -> None:
    put_file(t, "/f")
    times = t.mem.put(struct.pack("<4q", 5, 6, 0, (1 << 30) - 2))
    before = stat_(t, "/f")["mtime"]
    done(attributes.utimensat(t, -100, t.mem.text("/f"), times, 0))
    assert (stat_(t, "/f")["atime"], stat_(t, "/f")["mtime"]) == (5, before)
    wild = t.mem.put(struct.pack("<4q", (1 << 63) - 1, 0, -(1 << 63), 0))
    done(attributes.utimensat(t, -100, t.mem.text("/f"), wild, 0))
    stat_(t, "/f")


def test_is_a_memory_file_a_file(t: FakeThread) -> None:
    fd = done(openat.memfd_create(t, t.mem.text("x"), 1))
    write(t, fd, b"data")
    assert fstat(t, fd)["size"] == 4 and fstat(t, fd)["nlink"] == 0
    assert read(t, open_(t, f"/proc/self/fd/{fd}")) == b"data"


def test_does_sendfile_copy(t: FakeThread) -> None:
    put_file(t, "/f", b"0123456789")
    source, sink = open_(t, "/f"), open_(t, "/g", O_CREAT | O_RDWR)
    offset = t.mem.put(struct.pack("<q", 2))
    assert done(copy_file.sendfile(t, sink, source, offset, 4)) == 4
    assert t.mem.read_u64(offset) == 6
    assert done(copy_file.sendfile(t, sink, source, 0, 1 << 62)) == 10
    assert get_file(t, "/g") == b"23450123456789"


def test_does_sendfile_wait_for_a_pipe(t: FakeThread) -> None:
    put_file(t, "/f", bytes(100_000))
    address = t.mem.alloc(8)
    done(openat.pipe2(t, address, 0))
    source = open_(t, "/f")
    blocked = Blocked(copy_file.sendfile(t, 1, source, 0, 100_000))
    got = 0
    while blocked.waits:
        got += len(read(t, 0, 65536))
        blocked.resume()
    assert blocked.answer == 100_000


def test_does_copy_file_range_refuse_to_overlap(t: FakeThread) -> None:
    put_file(t, "/f", b"0123456789")
    fd, out = open_(t, "/f", O_RDWR), open_(t, "/g", O_CREAT | O_RDWR)
    assert done(copy_file.copy_file_range(t, fd, 0, out, 0, 5, 0)) == 5
    assert get_file(t, "/g") == b"01234"
    assert fails(lambda: copy_file.copy_file_range(t, fd, 0, fd, 0, 5, 0)) == EINVAL
    assert fails(lambda: copy_file.copy_file_range(t, fd, 0, out, 0, 5, 1)) == EINVAL


def pair(t: FakeThread, kind: int = 1) -> tuple[int, int]:
    address = t.mem.alloc(8)
    done(connections.socketpair(t, 1, kind, 0, address))
    return struct.unpack("<ii", t.mem.read(address, 8))


def test_do_socket_pairs_talk_both_ways(t: FakeThread) -> None:
    one, two = pair(t)
    write(t, one, b"ping")
    write(t, two, b"pong")
    assert (read(t, two), read(t, one)) == (b"ping", b"pong")
    blocked = Blocked(receive.recvfrom(t, one, t.mem.alloc(8), 8, 0, 0, 0))
    done(connections.shutdown(t, two, 1))
    assert blocked.resume().answer == 0
    t.files.close(one)
    assert fails(lambda: write(t, two, b"x")) == EPIPE
    assert t.signals == [SIGPIPE]


def test_do_datagrams_keep_their_borders(t: FakeThread) -> None:
    one, two = pair(t, 2)
    write(t, one, b"first")
    write(t, one, b"second")
    buffer = t.mem.alloc(16)
    assert done(receive.recvfrom(t, two, buffer, 3, 0x20, 0, 0)) == 5
    assert read(t, two) == b"second"


def test_which_kinds_of_sockets_are_not_there(t: FakeThread) -> None:
    for domain in (3, 17, 40, 99, -1):
        assert fails(lambda d=domain: connections.socket(t, d, 1, 0)) == EAFNOSUPPORT
    assert fails(lambda: connections.socketpair(t, 2, 1, 0, t.mem.alloc(8))) == EOPNOTSUPP


def test_is_struct_stat_of_riscv64_128_bytes_and_statx_256(t: FakeThread) -> None:
    put_file(t, "/f", b"abc")
    node = t.fs.namespace.child(t.fs.root, "f").stat()
    assert len(stat.pack_stat(node)) == 128
    packed = stat.pack_statx(node)
    assert len(packed) == 256
    assert struct.unpack_from("<Q", packed, 40) == (3,)
    fd = open_(t, "/f", O_RDONLY)
    done(stat.fstatfs(t, fd, address := t.mem.alloc(120)))
    assert t.mem.read_u64(address) == 0x01021994
