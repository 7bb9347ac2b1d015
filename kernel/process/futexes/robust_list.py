"""Locks of threads that end: the robust list, and locks with priority inheritance."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kernel.base.errors import Errno, OutOfMemory
from kernel.process.futexes.priority import OWNER_DIED, TID, WAITERS, PriorityFutexes
from kernel.process.process import Thread

_PRIORITY_INHERITANCE = 1
_MAX_ENTRIES = 2048


def release_futexes(locks: PriorityFutexes, thread: Thread) -> None:
    """Gives up what a thread holds when it ends or execs.

    Marks the futexes of its robust list as FUTEX_OWNER_DIED (get_robust_list(2)), then gives the
    locks that others wait for to the first of them.
    """
    _release_robust(locks, thread)
    locks.release_all(thread)


def _release_robust(locks: PriorityFutexes, thread: Thread) -> None:
    head, thread.robust_list = thread.robust_list, 0
    if not head:
        return
    try:
        first, offset, pending = struct.unpack("<QqQ", thread.mem.read(head, 24))
        for entry in _entries(thread, head, first):
            if _address(entry) != _address(pending):
                _mark(locks, thread, entry, offset, pending=False)
        if _address(pending):
            _mark(locks, thread, pending, offset, pending=True)
    except (Errno, OutOfMemory):
        pass


def _address(entry: int) -> int:
    return entry & ~_PRIORITY_INHERITANCE


def _entries(thread: Thread, head: int, entry: int) -> Iterator[int]:
    for _ in range(_MAX_ENTRIES):
        at = _address(entry)
        if at == head:
            return
        following = thread.mem.read_u64(at)  # before a waiter may change the entry
        yield entry
        entry = following


def _mark(
    locks: PriorityFutexes, thread: Thread, entry: int, offset: int, *, pending: bool
) -> None:
    """Marks one futex, and wakes a waiter unless it inherits priority.

    ``pending`` is the entry that the thread was locking or unlocking when it ended: it may be free
    already, with its waiter not yet woken.
    """
    address = _address(entry) + offset
    word = thread.mem.read_u32(address)
    owned = word & TID == thread.tid
    if owned:
        thread.mem.write_u32(address, word & WAITERS | OWNER_DIED)
    if entry & _PRIORITY_INHERITANCE:
        return
    if (owned and word & WAITERS) or (pending and not word):
        locks.futexes.wake_address(thread.process.space, address, 1)
