"""Do splice, tee and vmsplice move bytes between pipes, files and memory?"""

from __future__ import annotations

import struct

import pytest

from kernel.base.errno import EAGAIN, EINVAL, ESPIPE
from kernel.syscalls.files import openat, splice
from kernel.vfs.core.linux_abi import O_CREAT, O_RDWR
from tests.kernel.fakes import Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, get_file, open_, put_file, read, write


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def pipe(t: FakeThread) -> tuple[int, int]:
    address = t.mem.alloc(8)
    done(openat.pipe2(t, address, 0))
    reading, writing = struct.unpack("<ii", t.mem.read(address, 8))
    return reading, writing


def test_does_splice_move_from_a_file_to_a_file(t: FakeThread) -> None:
    put_file(t, "/f", b"0123456789")
    reading, writing = pipe(t)
    source, sink = open_(t, "/f"), open_(t, "/g", O_CREAT | O_RDWR)
    offset = t.mem.put(struct.pack("<q", 2))
    assert Blocked(splice.splice(t, source, offset, writing, 0, 5, 0)).answer == 5
    assert t.mem.read_u64(offset) == 7
    assert Blocked(splice.splice(t, reading, 0, sink, 0, 100, 0)).answer == 5
    assert get_file(t, "/g") == b"23456"


def test_does_tee_leave_the_bytes(t: FakeThread) -> None:
    (reading, writing), (copy, sink) = pipe(t), pipe(t)
    write(t, writing, b"bytes")
    assert Blocked(splice.tee(t, reading, sink, 3, 0)).answer == 3
    assert read(t, copy, 9) == b"byt"
    assert read(t, reading, 9) == b"bytes"


def test_does_splice_wait_for_data_and_for_room(t: FakeThread) -> None:
    (reading, writing), (copy, sink) = pipe(t), pipe(t)
    write(t, sink, bytes(65536))
    blocked = Blocked(splice.splice(t, reading, 0, sink, 0, 9, 0))
    assert "data in pipe" in blocked.wait.what
    write(t, writing, b"late")
    blocked.resume()
    assert blocked.waits and "room in pipe" in blocked.wait.what
    read(t, copy, 65536)
    assert blocked.resume().answer == 4


def test_which_splices_fail(t: FakeThread) -> None:
    put_file(t, "/f", b"0123456789")
    (reading, writing), (_, sink) = pipe(t), pipe(t)
    source, offset = open_(t, "/f"), t.mem.put(bytes(8))
    assert fails(lambda: splice.splice(t, reading, offset, sink, 0, 1, 0)) == ESPIPE
    assert fails(lambda: splice.splice(t, source, 0, source, 0, 1, 16)) == EINVAL
    assert fails(lambda: Blocked(splice.splice(t, reading, 0, writing, 0, 1, 0))) == EINVAL
    assert fails(lambda: Blocked(splice.splice(t, reading, 0, sink, 0, 1, 2))) == EAGAIN
    last = t.mem.put(struct.pack("<q", (1 << 63) - 1))
    assert fails(lambda: splice.splice(t, source, last, sink, 0, 1, 0)) == EINVAL
