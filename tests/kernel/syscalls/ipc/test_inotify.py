"""Does each call cause the events that Linux has, in the same order?"""

from __future__ import annotations

import struct

import pytest

from kernel.base.budget import Cost, Kind
from kernel.base.errno import EAGAIN, EEXIST, EFAULT, EINVAL, EMFILE, ENOSPC
from kernel.syscalls.files import attributes, read_write
from kernel.syscalls.ipc import inotify
from kernel.vfs.core.linux_abi import AT_REMOVEDIR, O_CREAT, O_NONBLOCK, O_RDWR, O_TRUNC, POLLIN
from kernel.vfs.ipc import inotify as instances
from kernel.vfs.ipc.inotify import MAX_INSTANCES
from tests.kernel.fakes import FakeThread, done, new_thread
from tests.kernel.syscalls.calls import (
    fails,
    get_file,
    link,
    listed,
    mkdir,
    open_,
    put_file,
    read,
    rename,
    unlink,
    write,
)

ALL = 0xFFF
NAMES = (
    "ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO",
    "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "-", "UNMOUNT", "Q_OVERFLOW", "IGNORED",
)  # fmt: skip


class Watcher:
    """An instance; numbers of watches as in Linux."""

    def __init__(self, t: FakeThread) -> None:
        self.t = t
        self.fd = done(inotify.inotify_init1(t, O_NONBLOCK))

    def add(self, path: str, mask: int = ALL) -> int:
        return done(inotify.inotify_add_watch(self.t, self.fd, self.t.mem.text(path), mask))

    def remove(self, number: int) -> int:
        return done(inotify.inotify_rm_watch(self.t, self.fd, number))

    def events(self) -> list[str]:
        """The queued events, each a text; cookies are left out."""
        if not self.t.files.get(self.fd).poll():
            return []
        data, texts = read(self.t, self.fd, 1 << 16), []
        while data:
            number, mask, _, length = struct.unpack_from("<iIII", data)
            words = [name for bit, name in enumerate(NAMES) if mask >> bit & 1]
            words += ["ISDIR"] if mask >> 30 & 1 else []
            name = data[16 : 16 + length].rstrip(b"\0").decode()
            texts.append(" ".join([str(number), *words, *([name] if name else [])]))
            data = data[16 + length :]
        return texts


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


@pytest.fixture
def watcher(t: FakeThread) -> Watcher:
    mkdir(t, "/d")
    return Watcher(t)


def test_events_of_files_in_a_directory(t: FakeThread, watcher: Watcher) -> None:
    assert watcher.add("/d") == 1
    fd = open_(t, "/d/f", O_CREAT | O_RDWR)
    assert watcher.events() == ["1 CREATE f", "1 OPEN f"]
    write(t, fd, b"abc"), write(t, fd, b"d")
    assert watcher.events() == ["1 MODIFY f"]
    read(t, fd)
    assert watcher.events() == []
    done(attributes.fchmod(t, fd, 0o600))
    done(attributes.ftruncate(t, fd, 1))
    t.files.close(fd)
    assert watcher.events() == ["1 ATTRIB f", "1 MODIFY f", "1 CLOSE_WRITE f"]
    get_file(t, "/d/f")
    assert watcher.events() == ["1 OPEN f", "1 ACCESS f", "1 CLOSE_NOWRITE f"]
    t.files.close(open_(t, "/d/f", O_RDWR | O_TRUNC))
    assert watcher.events() == ["1 OPEN f", "1 MODIFY f", "1 CLOSE_WRITE f"]
    mkdir(t, "/d/s")
    listed(t, "/d/s")
    unlink(t, "/d/s", AT_REMOVEDIR)
    assert watcher.events() == [
        "1 CREATE ISDIR s", "1 OPEN ISDIR s", "1 ACCESS ISDIR s", "1 CLOSE_NOWRITE ISDIR s",
        "1 DELETE ISDIR s",
    ]  # fmt: skip


def test_watchers_of_a_file_and_of_its_directory(t: FakeThread, watcher: Watcher) -> None:
    put_file(t, "/d/f")
    assert (watcher.add("/d/f"), watcher.add("/d"), watcher.add("/d/f")) == (1, 2, 1)
    fd = open_(t, "/d/f", O_RDWR)
    link(t, "/d/f", "/d/g")
    assert watcher.events() == ["2 OPEN f", "1 OPEN", "1 ATTRIB", "2 CREATE g"]
    rename(t, "/d/f", "/d/h")
    assert watcher.events() == ["2 MOVED_FROM f", "2 MOVED_TO h", "1 MOVE_SELF"]
    unlink(t, "/d/h")
    assert watcher.events() == ["1 ATTRIB", "2 DELETE h"]
    unlink(t, "/d/g")
    assert watcher.events() == ["1 ATTRIB", "1 DELETE_SELF", "1 IGNORED", "2 DELETE g"]
    write(t, fd, b"x")
    t.files.close(fd)
    assert watcher.events() == ["2 MODIFY h", "2 CLOSE_WRITE h"]


def test_a_file_that_is_open_is_deleted_when_closed(t: FakeThread, watcher: Watcher) -> None:
    put_file(t, "/d/f")
    watcher.add("/d/f", 0xF00)
    fd = open_(t, "/d/f")
    unlink(t, "/d/f")
    assert watcher.events() == []
    t.files.close(fd)
    assert watcher.events() == ["1 DELETE_SELF", "1 IGNORED"]


def test_a_name_that_is_replaced_and_names_that_are_exchanged(
    t: FakeThread, watcher: Watcher
) -> None:
    put_file(t, "/d/1")
    put_file(t, "/d/2")
    watcher.add("/d"), watcher.add("/d/1"), watcher.add("/d/2")
    rename(t, "/d/1", "/d/2")
    assert watcher.events() == [
        "1 MOVED_FROM 1", "1 MOVED_TO 2", "3 ATTRIB", "2 MOVE_SELF", "3 DELETE_SELF", "3 IGNORED",
    ]  # fmt: skip
    put_file(t, "/d/3")
    watcher.events()
    rename(t, "/d/2", "/d/3", 2)
    assert watcher.events() == [
        "1 MOVED_FROM 2", "1 MOVED_TO 3", "2 MOVE_SELF", "1 MOVED_FROM 3", "1 MOVED_TO 2",
    ]  # fmt: skip
    rename(t, "/d/2", "/d/2")
    assert watcher.events() == []


def test_a_directory_that_is_moved_and_removed(t: FakeThread, watcher: Watcher) -> None:
    mkdir(t, "/d/s")
    watcher.add("/d/s"), watcher.add("/d")
    rename(t, "/d/s", "/d/t")
    unlink(t, "/d/t", AT_REMOVEDIR)
    assert watcher.events() == [
        "2 MOVED_FROM ISDIR s", "2 MOVED_TO ISDIR t", "1 MOVE_SELF",
        "1 DELETE_SELF", "1 IGNORED", "2 DELETE ISDIR t",
    ]  # fmt: skip


def test_masks_are_replaced_added_to_and_used_once(t: FakeThread, watcher: Watcher) -> None:
    put_file(t, "/d/f")
    assert watcher.add("/d", 0x20) == 1
    assert fails(lambda: watcher.add("/d", 0x1000_0020)) == EEXIST
    watcher.add("/d", 0x2000_0010)
    get_file(t, "/d/f")
    assert watcher.events() == ["1 OPEN f", "1 CLOSE_NOWRITE f"]
    watcher.add("/d", 0x8000_0020)
    get_file(t, "/d/f"), get_file(t, "/d/f")
    assert watcher.events() == ["1 OPEN f", "1 IGNORED"]
    assert fails(lambda: watcher.remove(1)) == EINVAL
    watcher.add("/d", 0x0400_0002)
    fd = open_(t, "/d/f", O_RDWR)
    unlink(t, "/d/f")
    write(t, fd, b"x")
    assert watcher.events() == [], "IN_EXCL_UNLINK"


def test_reads_take_whole_events_and_lose_one_that_cannot_be_copied(
    t: FakeThread, watcher: Watcher
) -> None:
    watcher.add("/d", 0x100)
    for name in "abc":
        put_file(t, f"/d/{name}")
    assert t.files.get(watcher.fd).poll() & POLLIN
    assert fails(lambda: read(t, watcher.fd, 31)) == EINVAL
    assert len(read(t, watcher.fd, 63)) == 32
    assert fails(lambda: read_write.read(t, watcher.fd, 0x10, 64)) == EFAULT
    assert watcher.events() == ["1 CREATE c"]
    assert fails(lambda: read(t, watcher.fd)) == EAGAIN


def test_a_full_queue_says_so_once(
    t: FakeThread, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "MAX_QUEUED", 8)
    budget = t.fs.namespace.budget
    watcher.add("/d", 0x300)
    for _ in range(10):
        put_file(t, "/d/f")
        unlink(t, "/d/f")
    assert budget.held[Kind.EVENT] == 8 * (Cost.EVENT + 1) + Cost.EVENT
    assert watcher.events() == ["1 CREATE f", "1 DELETE f"] * 4 + ["-1 Q_OVERFLOW"]
    put_file(t, "/d/f")
    assert watcher.events() == ["1 CREATE f"]
    unlink(t, "/d/f")
    t.files.close(watcher.fd)
    assert not budget.held[Kind.EVENT] and not budget.held[Kind.WATCH]


def test_instances_and_watches_are_limited(t: FakeThread, watcher: Watcher) -> None:
    budget = t.fs.namespace.budget
    for _ in range(MAX_INSTANCES - 1):
        last = Watcher(t)
    assert fails(lambda: Watcher(t)) == EMFILE
    t.files.close(last.fd)
    Watcher(t)
    budget.limit = budget.used
    assert fails(lambda: watcher.add("/d")) == ENOSPC


def test_fdinfo_has_the_watches(t: FakeThread, watcher: Watcher) -> None:
    put_file(t, "/d/f")
    watcher.add("/d", 0x0100_0102), watcher.add("/d/f", 0x8000_0FFF)
    lines = get_file(t, f"/proc/self/fdinfo/{watcher.fd}").decode().splitlines()[4:]
    assert [line.split(" mask:")[1] for line in lines] == [
        "80000fff ignored_mask:0 ", "102 ignored_mask:0 "
    ]  # fmt: skip
    assert get_file(t, "/proc/sys/fs/inotify/max_queued_events") == b"16384\n"
