"""Do read, write and lseek behave as on Linux?"""

from __future__ import annotations

import struct

import pytest

from kernel.base.errno import EBADF, EFAULT, EINVAL, ESPIPE
from kernel.syscalls.files import read_write
from kernel.vfs.core.inode import Mapping
from kernel.vfs.core.linux_abi import O_APPEND, O_CREAT, O_RDWR, O_WRONLY
from tests.kernel.fakes import BASE, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, get_file, open_, put_file, read, unlink, write


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def test_does_a_file_read_back_what_was_written(t: FakeThread) -> None:
    put_file(t, "/a", b"hello")
    assert get_file(t, "/a") == b"hello"


def test_do_duplicates_share_the_offset(t: FakeThread) -> None:
    put_file(t, "/a", b"hello")
    fd = open_(t, "/a")
    other = t.files.install(t.files.get(fd))
    assert read(t, fd, 2) == b"he"
    assert read(t, other, 2) == b"ll"


def test_does_append_write_at_the_end(t: FakeThread) -> None:
    put_file(t, "/a", b"one")
    fd = open_(t, "/a", O_WRONLY | O_APPEND)
    write(t, fd, b"two")
    assert get_file(t, "/a") == b"onetwo"


def test_is_a_gap_read_as_zeros_without_taking_memory(t: FakeThread) -> None:
    fd = open_(t, "/a", O_CREAT | O_RDWR)
    assert done(read_write.lseek(t, fd, 1 << 40, 0)) == 1 << 40
    write(t, fd, b"x")
    assert done(read_write.lseek(t, fd, -2, 2)) == (1 << 40) - 1
    assert read(t, fd) == b"\0x"
    assert t.files.get(fd).inode.filesystem.used < 1 << 18  # type: ignore[attr-defined]


def test_does_data_and_hole_seeking_find_them(t: FakeThread) -> None:
    fd = open_(t, "/a", O_CREAT | O_RDWR)
    read_write.lseek(t, fd, 1 << 20, 0)
    write(t, fd, b"x" * 65536)
    assert done(read_write.lseek(t, fd, 5, 3)) == 1 << 20
    assert done(read_write.lseek(t, fd, 5, 4)) == 5
    assert done(read_write.lseek(t, fd, 1 << 20, 4)) == (1 << 20) + 65536


@pytest.mark.parametrize("offset, whence", [(-1, 0), (0, 9), (-1, 1), (1 << 63, 0)])
def test_is_a_wild_seek_refused(t: FakeThread, offset: int, whence: int) -> None:
    fd = open_(t, "/a", O_CREAT | O_RDWR)
    assert fails(lambda: read_write.lseek(t, fd, offset, whence)) == EINVAL


def test_is_a_bad_descriptor_ebadf(t: FakeThread) -> None:
    for fd in (-1, 7, 1 << 30):
        assert fails(lambda fd=fd: read_write.read(t, fd, BASE, 1)) == EBADF
        assert fails(lambda fd=fd: read_write.write(t, fd, BASE, 1)) == EBADF


def test_may_one_only_do_what_one_opened_for(t: FakeThread) -> None:
    put_file(t, "/a", b"x")
    assert fails(lambda: read_write.write(t, open_(t, "/a"), BASE, 1)) == EBADF
    assert fails(lambda: read_write.read(t, open_(t, "/a", O_WRONLY), BASE, 1)) == EBADF


def test_what_comes_of_a_buffer_that_ends_in_bad_memory(t: FakeThread) -> None:
    put_file(t, "/a", b"abcdef" * 2000)
    fd = open_(t, "/a", O_RDWR)
    end = BASE + len(t.mem.bytes)
    assert done(read_write.read(t, fd, end - 4096, 8192)) == 4096
    assert done(read_write.lseek(t, fd, 0, 1)) == 4096
    assert fails(lambda: read_write.read(t, fd, end, 10)) == EFAULT
    assert done(read_write.lseek(t, fd, 0, 1)) == 4096
    assert done(read_write.write(t, fd, end - 4096, 8192)) == 4096
    assert fails(lambda: read_write.write(t, fd, 0, 10)) == EFAULT


def test_does_a_huge_count_end_at_the_files_end(t: FakeThread) -> None:
    put_file(t, "/a", b"abc")
    buffer = t.mem.alloc(16)
    assert done(read_write.read(t, open_(t, "/a"), buffer, (1 << 64) - 1)) == 3


def test_do_vectors_gather_and_scatter(t: FakeThread) -> None:
    fd = open_(t, "/a", O_CREAT | O_RDWR)
    iov = t.mem.put(struct.pack("<4Q", t.mem.put(b"abc"), 3, t.mem.put(b"defg"), 4))
    assert done(read_write.writev(t, fd, iov, 2)) == 7
    one, two = t.mem.alloc(16), t.mem.alloc(16)
    iov = t.mem.put(struct.pack("<4Q", one, 5, two, 16))
    assert done(read_write.preadv(t, fd, iov, 2, 0)) == 7
    assert (t.mem.read(one, 5), t.mem.read(two, 2)) == (b"abcde", b"fg")


@pytest.mark.parametrize("count", [-1, 1025, 1 << 40])
def test_are_too_many_vectors_refused(t: FakeThread, count: int) -> None:
    fd = open_(t, "/a", O_CREAT | O_RDWR)
    assert fails(lambda: read_write.readv(t, fd, BASE, count)) == EINVAL


def test_is_a_negative_length_in_a_vector_refused(t: FakeThread) -> None:
    fd = open_(t, "/a", O_CREAT | O_RDWR)
    iov = t.mem.put(struct.pack("<2Q", BASE, 1 << 63))
    assert fails(lambda: read_write.writev(t, fd, iov, 1)) == EINVAL


def test_do_positioned_calls_leave_the_offset(t: FakeThread) -> None:
    put_file(t, "/a", b"abcdef")
    fd = open_(t, "/a", O_RDWR)
    buffer = t.mem.put(b"XY")
    assert done(read_write.pwrite64(t, fd, buffer, 2, 1)) == 2
    assert done(read_write.pread64(t, fd, buffer, 2, 4)) == 2
    assert read(t, fd) == b"aXYdef"
    assert fails(lambda: read_write.pread64(t, fd, buffer, 1, -1)) == EINVAL


def test_are_pipes_without_position(t: FakeThread) -> None:
    from kernel.syscalls.files import openat

    openat.pipe2(t, BASE, 0)
    assert fails(lambda: read_write.lseek(t, 0, 0, 0)) == ESPIPE
    assert fails(lambda: read_write.pread64(t, 0, BASE, 1, 0)) == ESPIPE


class Pages(Mapping):
    """A mapping of a file whose pages are the file's own bytes."""

    users = 1

    def overlay(self, offset: int, data: bytes) -> bytes:
        return data

    def after_write(self, offset: int, data: bytes) -> None:
        pass

    def after_punch(self, start: int, end: int) -> None:
        pass

    def after_truncate(self, size: int) -> None:
        pass


def test_do_shared_mappings_and_reads_agree(t: FakeThread) -> None:
    class Changed(Pages):
        call: tuple[int, bytes] = (0, b"")

        def overlay(self, offset: int, data: bytes) -> bytes:
            return data.upper()

        def after_write(self, offset: int, data: bytes) -> None:
            self.call = (offset, data)

        def after_truncate(self, size: int) -> None:
            self.call = (size, b"cut")

    put_file(t, "/a", b"abc")
    fd = open_(t, "/a", O_RDWR)
    pages = t.files.get(fd).inode.mapping = Changed()
    assert read(t, fd) == b"ABC"
    write(t, fd, b"def")
    assert pages.call == (3, b"def")
    t.files.get(fd).truncate(2)
    assert pages.call == (2, b"cut")


def test_are_cached_pages_released_with_the_last_name(t: FakeThread) -> None:
    for users in (0, 1):
        put_file(t, "/a", b"abc")
        node = t.fs.namespace.child(t.fs.root, "a")
        pages = node.mapping = Pages()
        pages.users = users
        unlink(t, "/a")
        assert (node.mapping is None) == (users == 0)
