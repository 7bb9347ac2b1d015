"""Robust futexes: what a thread that ends still holds (set_robust_list(2)).

The C library keeps a list of the robust mutexes a thread holds, in the thread's own memory. When
the thread ends, the kernel marks each as left by a dead owner and wakes one who waits for it. All
of it is the user's memory: a bad pointer ends the walk, and a ring is not followed for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kernel.errors import Errno, OutOfMemory
from kernel.process import Thread

_WAITERS, _OWNER_DIED, _TID = 0x8000_0000, 0x4000_0000, 0x3FFF_FFFF
_PRIORITY_INHERITANCE = 1
_MOST_ENTRIES = 2048


def let_go(thread: Thread) -> None:
    """Lets go of all that the thread's robust list holds."""
    head, thread.robust_list = thread.robust_list, 0
    if not head:
        return
    try:
        first, offset, pending = struct.unpack("<QqQ", thread.mem.read(head, 24))
        for entry in _entries(thread, head, first):
            if entry != pending:
                _mark(thread, entry, offset, pending=False)
        if pending:
            _mark(thread, pending, offset, pending=True)
    except (Errno, OutOfMemory):
        pass


def _entries(thread: Thread, head: int, entry: int) -> Iterator[int]:
    for _ in range(_MOST_ENTRIES):
        at = entry & ~_PRIORITY_INHERITANCE
        if at == head:
            return
        following = thread.mem.read_u64(at)  # before a waiter may change the entry
        yield entry
        entry = following


def _mark(thread: Thread, entry: int, offset: int, *, pending: bool) -> None:
    """``pending`` is the entry that was being taken or let go when the thread ended: it may be
    free already, but its waiter not yet woken.
    """
    address = (entry & ~_PRIORITY_INHERITANCE) + offset
    word = thread.mem.read_u32(address)
    owned = word & _TID == thread.tid
    if owned:
        thread.mem.write_u32(address, word & _WAITERS | _OWNER_DIED)
    if (owned and word & _WAITERS) or (pending and not word):
        thread.kernel.futexes.wake_address(thread.process.space, address, 1)
