"""Futexes: waiting for a word of user memory to change (futex(2))."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from emu.machine.pte import PAGE_MASK
from kernel.base.clock import Clock
from kernel.base.errno import EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT
from kernel.base.errors import Errno, Interrupted, OutOfMemory
from kernel.base.wait import Wait, WaitQueue
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END
from kernel.process.process import Thread

ANY = 0xFFFFFFFF
"""Bitset that matches every wake."""

_Key = tuple[object, int]


@dataclass(slots=True, eq=False)
class _Waiter:
    bits: int
    queue: WaitQueue = field(default_factory=WaitQueue)
    key: _Key | None = None
    woken: bool = False


class Futexes:
    """All waiters, by futex word.

    A word of a shared mapping is identified by its backing and offset, in private memory by its
    address space and address.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiters: dict[_Key, dict[_Waiter, None]] = {}

    def key(self, space: AddressSpace, address: int, *, private: bool = False) -> _Key:
        """Key of a futex; EFAULT where nothing is mapped, unless it has FUTEX_PRIVATE_FLAG."""
        if address & 3:
            raise Errno(EINVAL)
        vma = space.find(address)
        if vma is None:
            if private and address < USER_END:
                return space, address
            raise Errno(EFAULT)
        if vma.shared and vma.backing is not None:
            return vma.backing, vma.index_of(address) << 12 | address & PAGE_MASK
        return space, address

    def wait(
        self, thread: Thread, address: int, expected: int, bits: int, deadline: int | None
    ) -> Generator[Wait, None, int]:
        """Sleeps until woken; EAGAIN when the word at ``address`` is not ``expected``."""
        if not bits:
            raise Errno(EINVAL)
        key = self.key(thread.process.space, address)
        if thread.mem.read_u32(address) != expected & 0xFFFFFFFF:
            raise Errno(EAGAIN)
        waiter = _Waiter(bits, key=key)
        self._waiters.setdefault(key, {})[waiter] = None
        try:
            while not waiter.woken:
                if deadline is not None and self._clock.monotonic() >= deadline:
                    raise Errno(ETIMEDOUT)
                yield Wait(f"a futex at {address:#x}", (waiter.queue,), deadline=deadline)
        except Interrupted:
            if deadline is not None:
                raise Errno(EINTR) from None
            raise
        finally:
            self._leave(waiter)
        return 0

    def wake(self, key: _Key, count: int, bits: int = ANY) -> int:
        """Wakes at most ``count`` waiters, in the order of arrival; returns their number."""
        woken = 0
        for waiter in list(self._waiters.get(key, ())):
            if woken >= count:
                break
            if waiter.bits & bits:
                self._leave(waiter)
                waiter.woken = True
                waiter.queue.wake()
                woken += 1
        return woken

    def wake_address(self, space: AddressSpace, address: int, count: int) -> int:
        return self.wake(self.key(space, address), count)

    def requeue(self, source: _Key, target: _Key, wake: int, move: int) -> tuple[int, int]:
        """Wakes ``wake`` waiters of ``source`` and moves ``move`` more to ``target``."""
        woken = self.wake(source, wake)
        moved = 0
        for waiter in list(self._waiters.get(source, ())):
            if moved >= move:
                break
            self._leave(waiter)
            waiter.key = target
            self._waiters.setdefault(target, {})[waiter] = None
            moved += 1
        return woken, moved

    def _leave(self, waiter: _Waiter) -> None:
        key, waiter.key = waiter.key, None
        if key is None:
            return
        waiters = self._waiters[key]
        del waiters[waiter]
        if not waiters:
            del self._waiters[key]


_WAITERS, _OWNER_DIED, _TID = 0x8000_0000, 0x4000_0000, 0x3FFF_FFFF
_PRIORITY_INHERITANCE = 1
_MAX_ENTRIES = 2048


def release_robust_futexes(futexes: Futexes, thread: Thread) -> None:
    """Marks the futexes of the thread's robust list as FUTEX_OWNER_DIED (get_robust_list(2))."""
    head, thread.robust_list = thread.robust_list, 0
    if not head:
        return
    try:
        first, offset, pending = struct.unpack("<QqQ", thread.mem.read(head, 24))
        for entry in _entries(thread, head, first):
            if entry != pending:
                _mark(futexes, thread, entry, offset, pending=False)
        if pending:
            _mark(futexes, thread, pending, offset, pending=True)
    except (Errno, OutOfMemory):
        pass


def _entries(thread: Thread, head: int, entry: int) -> Iterator[int]:
    for _ in range(_MAX_ENTRIES):
        at = entry & ~_PRIORITY_INHERITANCE
        if at == head:
            return
        following = thread.mem.read_u64(at)  # before a waiter may change the entry
        yield entry
        entry = following


def _mark(futexes: Futexes, thread: Thread, entry: int, offset: int, *, pending: bool) -> None:
    """Marks one futex, and wakes a waiter.

    ``pending`` is the entry that the thread was locking or unlocking when it ended: it may be free
    already, with its waiter not yet woken.
    """
    address = (entry & ~_PRIORITY_INHERITANCE) + offset
    word = thread.mem.read_u32(address)
    owned = word & _TID == thread.tid
    if owned:
        thread.mem.write_u32(address, word & _WAITERS | _OWNER_DIED)
    if (owned and word & _WAITERS) or (pending and not word):
        futexes.wake_address(thread.process.space, address, 1)
