"""Who owns a lock with priority inheritance, and who gets it next?"""

from __future__ import annotations

from typing import Any

import pytest

from kernel.base.clock import VirtualClock
from kernel.base.errno import EAGAIN, EDEADLK, EINVAL, EPERM, ESRCH
from kernel.base.errors import AlwaysRestarted, Errno, Interrupted
from kernel.process.futexes.priority import OWNER_DIED, WAITERS, PriorityFutexes
from kernel.process.futexes.waiters import Futexes

LOCK, OTHER, WORD = 0x1000, 0x1004, 0x1008


class Fake:
    """An object with the attributes that are given."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Machine:
    """Threads of one address space, whose memory is a dictionary of words."""

    def __init__(self, threads: int = 4) -> None:
        self.words = {LOCK: 0, OTHER: 0, WORD: 0}
        mem = Fake(read_u32=self.words.__getitem__, write_u32=self.words.__setitem__)
        space = Fake(find=lambda address: Fake(shared=False, backing=None))
        process = Fake(space=space)
        self.threads: dict[int, Any] = {
            tid: Fake(tid=tid, mem=mem, process=process) for tid in range(1, threads + 1)
        }
        self.futexes = Futexes(VirtualClock())
        self.locks = PriorityFutexes(self.futexes, self.threads.get)
        self.calls: dict[int, Any] = {}

    def lock(self, tid: int, address: int = LOCK) -> int | None:
        """The call's result; None while it waits."""
        return self._begin(tid, self.locks.lock(self.threads[tid], address, None, private=True))

    def wait(self, tid: int) -> int | None:
        call = self.locks.wait_requeue(self.threads[tid], WORD, 0, LOCK, None, private=True)
        return self._begin(tid, call)

    def requeue(self, tid: int, move: int) -> int:
        return self.locks.requeue(self.threads[tid], WORD, LOCK, move, 0, private=True)

    def unlock(self, tid: int, address: int = LOCK) -> int:
        return self.locks.unlock(self.threads[tid], address, private=True)

    def _begin(self, tid: int, call: Any) -> int | None:
        self.calls[tid] = call
        return self.resume(tid)

    def resume(self, tid: int) -> int | None:
        try:
            next(self.calls[tid])
        except StopIteration as stop:
            return int(stop.value)
        return None

    @property
    def nothing_is_held(self) -> bool:
        held = (self.locks._owned, self.locks._wanted, self.futexes._waiters)
        return not any(held)


def error(call: Any) -> int:
    with pytest.raises(Errno) as caught:
        call()
    return caught.value.errno


def test_waiters_get_the_lock_in_the_order_of_arrival() -> None:
    machine = Machine()
    assert [machine.lock(tid) for tid in (1, 2, 3)] == [0, None, None]
    assert machine.words[LOCK] == WAITERS | 1
    machine.unlock(1)
    assert machine.words[LOCK] == WAITERS | 2
    assert (machine.resume(2), machine.resume(3)) == (0, None)
    machine.unlock(2)
    assert machine.resume(3) == 0
    machine.unlock(3)
    assert machine.words[LOCK] == 0
    assert machine.nothing_is_held


def test_only_the_owner_may_unlock_and_no_dead_thread_owns() -> None:
    machine = Machine()
    machine.lock(1)
    assert error(lambda: machine.unlock(2)) == EPERM
    assert error(lambda: machine.lock(1)) == EDEADLK
    machine.words[LOCK] = 77
    assert error(lambda: machine.lock(2)) == ESRCH
    assert machine.words[LOCK] == WAITERS | 77


def test_a_circle_of_owners_is_a_deadlock() -> None:
    machine = Machine()
    machine.lock(1), machine.lock(2, OTHER)
    assert machine.lock(1, OTHER) is None
    assert error(lambda: machine.lock(2)) == EDEADLK
    machine.unlock(2, OTHER)
    assert machine.resume(1) == 0


def test_the_lock_of_a_thread_that_ends_goes_to_the_first_waiter() -> None:
    machine = Machine()
    machine.lock(1), machine.lock(2), machine.lock(3)
    machine.locks.release_all(machine.threads[1])
    assert machine.words[LOCK] == WAITERS | OWNER_DIED | 2
    machine.locks.release_all(machine.threads[2])
    machine.calls[2].close()
    assert machine.resume(3) == 0
    assert machine.nothing_is_held


def test_an_interrupted_wait_is_restarted_and_leaves_nothing_behind() -> None:
    machine = Machine()
    machine.lock(1), machine.lock(2)
    with pytest.raises(AlwaysRestarted):
        machine.calls[2].throw(Interrupted())
    assert machine.nothing_is_held


def test_a_word_that_the_program_changed_is_refused() -> None:
    machine = Machine()
    machine.lock(1), machine.lock(2)
    machine.words[LOCK] = 0
    assert error(lambda: machine.lock(3)) == EINVAL


@pytest.mark.parametrize("owned", [False, True])
def test_requeued_waiters_get_the_lock_one_after_the_other(owned: bool) -> None:
    machine = Machine()
    assert [machine.wait(tid) for tid in (2, 3)] == [None, None]
    word = machine.threads[1].process.space, WORD
    assert error(lambda: machine.futexes.wake(word, 1)) == EINVAL
    if owned:
        machine.lock(1)
    assert machine.requeue(1, 9) == 2
    if owned:
        assert (machine.resume(2), machine.resume(3)) == (None, None)
        machine.unlock(1)
    assert (machine.resume(2), machine.resume(3)) == (0, None)
    machine.unlock(2)
    assert machine.resume(3) == 0
    machine.unlock(3)
    assert machine.nothing_is_held


def test_a_requeued_waiter_cannot_be_restarted() -> None:
    machine = Machine()
    machine.lock(1), machine.wait(2)
    machine.requeue(1, 9)
    assert error(lambda: machine.calls[2].throw(Interrupted())) == EAGAIN
    assert machine.nothing_is_held
