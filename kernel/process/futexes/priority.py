"""Locks with priority inheritance (FUTEX_LOCK_PI and its relatives, futex(2)).

The word of such a lock has the owner's thread id. The kernel passes a lock that threads wait for to
the first of them, and writes the new owner's id. All threads have the same priority here, so there
is none to inherit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress

from kernel.base.errno import EAGAIN, EDEADLK, EINVAL, EPERM, ESRCH
from kernel.base.errors import AlwaysRestarted, Errno, Interrupted, OutOfMemory
from kernel.base.wait import Wait
from kernel.mm.faults.user_memory import UserMemory
from kernel.process.futexes.waiters import Futexes, Key, Lock, Waiter
from kernel.process.process import Thread

WAITERS, OWNER_DIED, TID = 0x8000_0000, 0x4000_0000, 0x3FFF_FFFF
_MAX_CHAIN = 1024
"""Maximum number of locks from one owner to the next, as in Linux."""


class PriorityFutexes:
    """The locks that threads wait for. ``find`` returns the thread of an id, of any process."""

    def __init__(self, futexes: Futexes, find: Callable[[int], Thread | None]) -> None:
        self.futexes = futexes
        self._find = find
        self._owned: dict[Thread, dict[Lock, None]] = {}
        self._wanted: dict[Thread, Lock] = {}

    def lock(
        self, thread: Thread, address: int, deadline: int | None, *, private: bool
    ) -> Generator[Wait, None, int]:
        """Takes a lock, or waits for it; restarted after every signal handler, as in Linux."""
        key = self._key(thread, address, private)
        lock = self._take(thread, thread.mem, address, key)
        if lock is None:
            return 0
        waiter = Waiter(thread, address)
        self._join(waiter, key, lock)
        try:
            yield from self.futexes.sleep(waiter, deadline)
        except Interrupted:
            raise AlwaysRestarted from None
        finally:
            self._leave(waiter)
        return 0

    def try_lock(self, thread: Thread, address: int, *, private: bool) -> int:
        """Takes a lock; EAGAIN while another thread has it."""
        key = self._key(thread, address, private)
        if self._take(thread, thread.mem, address, key) is not None:
            raise Errno(EAGAIN)
        return 0

    def unlock(self, thread: Thread, address: int, *, private: bool) -> int:
        """Passes a lock of the caller to the first waiter; EPERM when it is not the caller's."""
        mem = thread.mem
        if mem.read_u32(address) & TID != thread.tid:
            raise Errno(EPERM)
        first = self._first(self._key(thread, address, private))
        if first is None:
            mem.write_u32(address, 0)
            return 0
        if first.lock is None or first.lock.owner is not thread:
            raise Errno(EINVAL)
        heir = next(iter(first.lock.waiters))
        mem.write_u32(address, WAITERS | heir.thread.tid)
        self._pass_on(first.lock, heir)
        return 0

    def wait_requeue(
        self,
        thread: Thread,
        address: int,
        expected: int,
        second: int,
        deadline: int | None,
        *,
        private: bool,
    ) -> Generator[Wait, None, int]:
        """Waits at ``address`` to be moved to the lock at ``second``, and to get that."""
        if address == second:
            raise Errno(EINVAL)
        target = self._key(thread, second, private)
        source = self.futexes.key(thread.process.space, address, private=private)
        if thread.mem.read_u32(address) != expected & 0xFFFFFFFF:
            raise Errno(EAGAIN)
        if source == target:
            raise Errno(EINVAL)
        waiter = Waiter(thread, second, moves_to=target)
        self.futexes.join(waiter, source)
        try:
            yield from self.futexes.sleep(waiter, deadline)
        except Interrupted:
            if waiter.lock is not None:  # a restarted call would find the word changed
                raise Errno(EAGAIN) from None
            raise AlwaysRestarted from None
        finally:
            self._leave(waiter)
        return 0

    def requeue(
        self,
        thread: Thread,
        address: int,
        second: int,
        move: int,
        expected: int,
        *,
        private: bool,
    ) -> int:
        """Gives the lock at ``second`` to the first waiter of ``address``, and lets ``move`` others
        wait for it; returns the number of both.
        """
        if address == second:
            raise Errno(EINVAL)
        source = self.futexes.key(thread.process.space, address, private=private)
        target = self._key(thread, second, private)
        if source == target:
            raise Errno(EINVAL)
        if thread.mem.read_u32(address) != expected & 0xFFFFFFFF:
            raise Errno(EAGAIN)
        first = self._first(source)
        if first is None:
            return 0
        _check_moves(first, target)
        lock = self._take(first.thread, thread.mem, second, target, marks_waiters=move > 0)
        done = 0
        if lock is None:
            self.futexes.leave(first)
            first.wake()
            lock = Lock(first.thread)
            done = 1
        for waiter in self.futexes.waiting(source):
            if done > move:
                break
            _check_moves(waiter, target)
            self._check_chain(waiter.thread, lock.owner)
            self.futexes.leave(waiter)
            self._join(waiter, target, lock)
            done += 1
        return done

    def release_all(self, thread: Thread) -> None:
        """Passes the locks of a thread that ends to their first waiters."""
        for lock in list(self._owned.get(thread, ())):
            heir = next(iter(lock.waiters))
            with suppress(Errno, OutOfMemory):  # the heir may have unmapped it
                heir.thread.mem.write_u32(heir.address, WAITERS | OWNER_DIED | heir.thread.tid)
            self._pass_on(lock, heir)

    def _key(self, thread: Thread, address: int, private: bool) -> Key:
        """Key of a lock; EFAULT unless it can be written, which Linux finds out when it is locked
        if it has FUTEX_PRIVATE_FLAG.
        """
        key = self.futexes.key(thread.process.space, address, private=private)
        if not private:
            thread.mem.write_u32(address, thread.mem.read_u32(address))
        return key

    def _take(
        self,
        thread: Thread,
        mem: UserMemory,
        address: int,
        key: Key,
        *,
        marks_waiters: bool = False,
    ) -> Lock | None:
        """Gives a free lock to ``thread`` and returns None; else returns what it must wait for."""
        word = mem.read_u32(address)
        owner = word & TID
        if owner == thread.tid:
            raise Errno(EDEADLK)
        first = self._first(key)
        if first is not None:
            _check_owner(first.lock, word)
            return first.lock
        if not owner:
            bits = word & OWNER_DIED | (WAITERS if marks_waiters else 0)
            mem.write_u32(address, bits | thread.tid)
            return None
        mem.write_u32(address, word | WAITERS)
        found = self._find(owner)
        if found is None:
            raise Errno(ESRCH)
        return Lock(found)

    def _first(self, key: Key) -> Waiter | None:
        return next(iter(self.futexes.waiting(key)), None)

    def _check_chain(self, thread: Thread, owner: Thread) -> None:
        """EDEADLK when ``owner`` waits for ``thread``, directly or over others."""
        for _ in range(_MAX_CHAIN):
            if owner is thread:
                break
            wanted = self._wanted.get(owner)
            if wanted is None:
                return
            owner = wanted.owner
        raise Errno(EDEADLK)

    def _join(self, waiter: Waiter, key: Key, lock: Lock) -> None:
        self._check_chain(waiter.thread, lock.owner)
        self.futexes.join(waiter, key)
        waiter.lock = lock
        lock.waiters[waiter] = None
        self._owned.setdefault(lock.owner, {})[lock] = None
        self._wanted[waiter.thread] = lock

    def _leave(self, waiter: Waiter) -> None:
        """Ends a wait; a lock without waiters is known by its word only."""
        if waiter.key is None:
            return
        self.futexes.leave(waiter)
        lock = waiter.lock
        if lock is not None:
            del lock.waiters[waiter], self._wanted[waiter.thread]
            if not lock.waiters:
                self._disown(lock)

    def _pass_on(self, lock: Lock, heir: Waiter) -> None:
        self._leave(heir)
        if lock.waiters:
            self._disown(lock)
            lock.owner = heir.thread
            self._owned.setdefault(heir.thread, {})[lock] = None
        heir.wake()

    def _disown(self, lock: Lock) -> None:
        owned = self._owned[lock.owner]
        del owned[lock]
        if not owned:
            del self._owned[lock.owner]


def _check_owner(lock: Lock | None, word: int) -> None:
    """EINVAL when the word and the kernel's state differ: the program has changed the word, or
    waits for it as a plain futex too.
    """
    if lock is None:
        raise Errno(EINVAL)
    owner = word & TID
    if owner != lock.owner.tid and not (word & OWNER_DIED and not owner):
        raise Errno(EINVAL)


def _check_moves(waiter: Waiter, target: Key) -> None:
    if waiter.lock is not None or waiter.moves_to != target:
        raise Errno(EINVAL)
