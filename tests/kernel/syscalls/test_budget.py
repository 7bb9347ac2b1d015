"""Is the memory that system calls use for guests charged, refused with Linux's errors, and
released?"""

import struct

import pytest

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EBADF, ENFILE, ENOBUFS, ENOLCK, ENOMEM, ENOSPC
from kernel.base.errors import Errno
from kernel.syscalls.files import descriptors, directories, openat, read_write
from kernel.syscalls.ipc import event_fds, poll
from kernel.syscalls.net import connections, receive, send
from kernel.vfs.core.linux_abi import O_CREAT, O_DIRECTORY, O_NONBLOCK, O_RDWR
from kernel.vfs.sockets.socket_file import SOCK_SEQPACKET
from tests.kernel.fakes import Blocked, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import fails, mkdir, open_, put_file, read, symlink, unlink, write

F_SETLK, F_SETLKW = 6, 7


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def budget_of(t: FakeThread) -> Budget:
    return t.fs.namespace.budget


def held(t: FakeThread, kind: Kind) -> int:
    return budget_of(t).held.get(kind, 0)


def leave(t: FakeThread, count: int) -> None:
    """Leaves ``count`` bytes of the budget."""
    budget_of(t).limit = budget_of(t).used + count


def pair_of(t: FakeThread, call: object, *arguments: int) -> tuple[int, int]:
    address = t.mem.alloc(8)
    assert callable(call)
    done(
        call(t, *arguments, address)
        if call is connections.socketpair
        else call(t, address, *arguments)
    )
    return struct.unpack("<ii", t.mem.read(address, 8))


def lock(t: FakeThread, fd: int, start: int, command: int = F_SETLK, kind: int = 1) -> object:
    spec = t.mem.put(struct.pack("<hh4xqqi4x", kind, 0, start, 1, 0))
    return descriptors.fcntl(t, fd, command, spec)


def test_are_a_pipes_bytes_charged_by_the_page(t: FakeThread) -> None:
    reading, writing = pair_of(t, openat.pipe2, O_NONBLOCK)
    write(t, writing, b"x")
    assert held(t, Kind.PIPE) == Cost.PIPE + 4096
    leave(t, 4095)
    assert write(t, writing, bytes(4095)) == 4095, "the page is already charged"
    assert fails(lambda: write(t, writing, b"x")) == ENOMEM
    assert read(t, reading) == b"x" + bytes(4095)
    assert held(t, Kind.PIPE) == Cost.PIPE
    t.files.close_all()
    assert held(t, Kind.PIPE) == 0


def test_are_messages_charged_even_empty_ones(t: FakeThread) -> None:
    one, other = pair_of(t, connections.socketpair, 1, SOCK_SEQPACKET | O_NONBLOCK, 0)
    before = held(t, Kind.SOCKET)
    for _ in range(3):
        done(send.sendto(t, one, 0x10000, 0, 0, 0, 0))
    assert held(t, Kind.SOCKET) == before + 3 * Cost.MESSAGE
    leave(t, Cost.MESSAGE + 99)
    assert fails(lambda: send.sendto(t, one, 0x10000, 100, 0, 0, 0)) == ENOBUFS
    assert done(receive.recvfrom(t, other, t.mem.alloc(10), 10, 0, 0, 0)) == 0
    assert done(send.sendto(t, one, 0x10000, 100, 0, 0, 0)) == 100
    t.files.close(other)
    t.files.close(one)
    assert held(t, Kind.SOCKET) == 0, "messages not received are released with the sockets"


def test_does_a_closed_file_leave_its_epoll_sets(t: FakeThread) -> None:
    sets = [done(event_fds.epoll_create1(t, 0)) for _ in range(2)]
    event = t.mem.put(struct.pack("<IIQ", 1, 0, 7))
    counter = done(event_fds.eventfd2(t, 0, 0))
    twin = done(descriptors.dup(t, counter))
    for each in sets:
        done(event_fds.epoll_ctl(t, each, event_fds.EPOLL_CTL_ADD, counter, event))
    leave(t, Cost.WATCH - 1)
    add = event_fds.EPOLL_CTL_ADD
    assert fails(lambda: event_fds.epoll_ctl(t, sets[0], add, twin, event)) == ENOSPC
    t.files.close(counter)
    assert held(t, Kind.WATCH) == 2 * Cost.WATCH, "the file is still open"
    t.files.close(twin)
    assert held(t, Kind.WATCH) == 0
    counter = done(event_fds.eventfd2(t, 0, 0))
    assert done(event_fds.epoll_ctl(t, sets[0], add, counter, event)) == 0
    t.files.close(sets[0])
    assert held(t, Kind.WATCH) == 0


def test_are_record_locks_charged_until_the_file_is_closed(t: FakeThread) -> None:
    fd = open_(t, "/f", O_CREAT | O_RDWR)
    for start in range(0, 20, 2):
        lock(t, fd, start)
    assert held(t, Kind.LOCK) == 10 * Cost.LOCK
    leave(t, Cost.LOCK)
    assert fails(lambda: lock(t, fd, 100)) == ENOLCK
    t.files.close(fd)
    assert held(t, Kind.LOCK) == 0


def test_is_a_lock_refused_when_its_file_was_closed_meanwhile(t: FakeThread) -> None:
    fd = open_(t, "/f", O_CREAT | O_RDWR)
    child = t.fork()
    lock(t, fd, 0)
    call = Blocked(lock(child, fd, 0, F_SETLKW))  # type: ignore[arg-type]
    child.files.close(fd)
    t.files.close(fd)
    with pytest.raises(Errno) as refused:
        call.resume()
    assert refused.value.errno == EBADF
    assert held(t, Kind.LOCK) == 0


def test_are_listings_and_texts_charged_while_they_are_read(t: FakeThread) -> None:
    for number in range(100):
        put_file(t, f"/{number}")
    folder = open_(t, "/", O_DIRECTORY)
    assert done(directories.getdents64(t, folder, t.mem.alloc(100), 100)) > 0
    assert held(t, Kind.LISTING) >= 100 * Cost.LISTED
    text = open_(t, "/proc/self/status")
    read(t, text, 1)
    assert held(t, Kind.TEXT) > 100
    leave(t, 100 * Cost.FILE)
    budget_of(t).limit = budget_of(t).used + Cost.FILE + 100
    again = open_(t, "/", O_DIRECTORY)
    assert fails(lambda: directories.getdents64(t, again, t.mem.alloc(100), 100)) == ENOMEM
    for fd in (folder, text, again):
        t.files.close(fd)
    assert (held(t, Kind.LISTING), held(t, Kind.TEXT)) == (0, 0)


def test_are_names_and_nodes_charged_by_their_length(t: FakeThread) -> None:
    before = dict(budget_of(t).held)
    mkdir(t, "/" + "ü" * 100)
    symlink(t, "t" * 1000, "/link")
    assert held(t, Kind.NODE) == before[Kind.NODE] + 2 * Cost.NODE + 1000
    assert held(t, Kind.NAME) == before.get(Kind.NAME, 0) + 2 * Cost.NAME + 400 + 4
    leave(t, Cost.NODE + Cost.NAME)
    assert fails(lambda: mkdir(t, "/another")) == ENOSPC
    unlink(t, "/link")
    unlink(t, "/" + "ü" * 100, 0x200)
    assert held(t, Kind.NODE) == before[Kind.NODE]
    assert held(t, Kind.NAME) == before.get(Kind.NAME, 0)


def test_are_open_files_and_tables_charged(t: FakeThread) -> None:
    put_file(t, "/f")
    tables = held(t, Kind.DESCRIPTORS)
    fd = open_(t, "/f")
    assert held(t, Kind.FILE) == Cost.FILE + len("/f")
    done(descriptors.dup3(t, fd, 99, 0))
    assert held(t, Kind.FILE) == Cost.FILE + len("/f"), "a duplicate shares the file"
    assert held(t, Kind.DESCRIPTORS) == 100 * Cost.DESCRIPTOR
    assert tables <= Cost.DESCRIPTOR
    leave(t, Cost.FILE)
    assert fails(lambda: open_(t, "/f")) == ENFILE
    assert fails(lambda: descriptors.dup3(t, fd, 200, 0)) == ENOMEM
    with pytest.raises(Errno, match="ENOMEM"):
        t.files.copy()
    t.files.close_all()
    assert (held(t, Kind.FILE), held(t, Kind.DESCRIPTORS)) == (0, 0)


def test_is_the_memory_of_a_blocked_call_charged(t: FakeThread) -> None:
    polls = t.mem.put(struct.pack("<ihh", -1, 0, 0) * 500)
    call = poll.ppoll(t, polls, 500, 0, 0, 0)
    blocked = Blocked(call)
    assert blocked.waits
    assert held(t, Kind.WAIT) >= 500 * Cost.WAITED
    blocked._call.close()
    assert held(t, Kind.WAIT) == 0
    leave(t, 400 * Cost.WAITED)
    with pytest.raises(Errno, match="ENOMEM"):
        Blocked(poll.ppoll(t, polls, 500, 0, 0, 0))


def test_is_the_rest_of_a_blocked_write_charged(t: FakeThread) -> None:
    _, writing = pair_of(t, openat.pipe2, 0)
    blocked = Blocked(read_write.write(t, writing, t.mem.alloc(1 << 18), 1 << 18))
    assert held(t, Kind.WAIT) >= (1 << 18) - (1 << 16)
    blocked._call.close()
    assert held(t, Kind.WAIT) == 0
