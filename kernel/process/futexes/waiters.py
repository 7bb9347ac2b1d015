"""Waiting for a word of user memory to change (futex(2))."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from emu.machine.pte import PAGE_MASK
from kernel.base.clock import Clock
from kernel.base.errno import EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Wait, WaitQueue
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END
from kernel.process.process import Thread

ANY = 0xFFFFFFFF
"""Bitset that matches every wake."""

Key = tuple[object, int]


@dataclass(slots=True, eq=False)
class Lock:
    """A lock with priority inheritance, as long as threads wait for it."""

    owner: Thread
    waiters: dict[Waiter, None] = field(default_factory=dict)
    """In the order in which they get it."""


@dataclass(slots=True, eq=False)
class Waiter:
    """A waiting thread, and the address at which it has the word."""

    thread: Thread
    address: int
    bits: int = ANY
    queue: WaitQueue = field(default_factory=WaitQueue)
    key: Key | None = None
    woken: bool = False
    lock: Lock | None = None
    """The lock that it is to own; None for a waiter that FUTEX_WAKE wakes."""
    moves_to: Key | None = None
    """Key of the lock to which FUTEX_CMP_REQUEUE_PI is to move it."""

    @property
    def takes_locks(self) -> bool:
        """True when it is woken as the owner of a lock only, never by FUTEX_WAKE."""
        return self.lock is not None or self.moves_to is not None

    def wake(self) -> None:
        self.woken = True
        self.queue.wake()


class Futexes:
    """All waiters, by futex word.

    A word of a shared mapping is identified by its backing and offset, in private memory by its
    address space and address.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiters: dict[Key, dict[Waiter, None]] = {}

    def key(self, space: AddressSpace, address: int, *, private: bool = False) -> Key:
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
        waiter = Waiter(thread, address, bits)
        self.join(waiter, key)
        try:
            yield from self.sleep(waiter, deadline)
        except Interrupted:
            if deadline is not None:
                raise Errno(EINTR) from None
            raise
        finally:
            self.leave(waiter)
        return 0

    def sleep(self, waiter: Waiter, deadline: int | None) -> Generator[Wait, None, None]:
        """Waits until ``waiter`` is woken; ETIMEDOUT at the deadline."""
        while not waiter.woken:
            if deadline is not None and self._clock.monotonic() >= deadline:
                raise Errno(ETIMEDOUT)
            yield Wait(f"a futex at {waiter.address:#x}", (waiter.queue,), deadline=deadline)

    def wake(self, key: Key, count: int, bits: int = ANY) -> int:
        """Wakes at most ``count`` waiters, in the order of arrival; returns their number.

        EINVAL at a waiter that must get a lock first.
        """
        woken = 0
        for waiter in self.waiting(key):
            if woken >= count:
                break
            if waiter.takes_locks:
                raise Errno(EINVAL)
            if waiter.bits & bits:
                self.leave(waiter)
                waiter.wake()
                woken += 1
        return woken

    def wake_address(self, space: AddressSpace, address: int, count: int) -> int:
        return self.wake(self.key(space, address), count)

    def requeue(self, source: Key, target: Key, wake: int, move: int) -> tuple[int, int]:
        """Wakes ``wake`` waiters of ``source`` and moves ``move`` more to ``target``."""
        woken = self.wake(source, wake)
        moved = 0
        for waiter in self.waiting(source):
            if moved >= move:
                break
            if waiter.takes_locks:
                raise Errno(EINVAL)
            self.leave(waiter)
            self.join(waiter, target)
            moved += 1
        return woken, moved

    def waiting(self, key: Key) -> Iterable[Waiter]:
        """A copy of the waiters of a word, in the order of arrival."""
        return tuple(self._waiters.get(key, ()))

    def join(self, waiter: Waiter, key: Key) -> None:
        """Appends a waiter to those of a word."""
        waiter.key = key
        self._waiters.setdefault(key, {})[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Removes a waiter from those of its word, if it is one."""
        key, waiter.key = waiter.key, None
        if key is None:
            return
        waiters = self._waiters[key]
        del waiters[waiter]
        if not waiters:
            del self._waiters[key]
