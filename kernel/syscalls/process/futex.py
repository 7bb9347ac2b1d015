"""The futex system call: its operations and their arguments (futex(2))."""

from __future__ import annotations

import struct

from kernel.base.clock import NS
from kernel.base.errno import EAGAIN, EINVAL, ENOSYS
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.process.futexes.waiters import ANY
from kernel.syscalls.context import SyscallContext

_WAIT, _WAKE, _REQUEUE, _CMP_REQUEUE, _WAKE_OP, _WAIT_BITSET, _WAKE_BITSET = 0, 1, 3, 4, 5, 9, 10
_LOCK_PI, _UNLOCK_PI, _TRYLOCK_PI, _LOCK_PI2 = 6, 7, 8, 13
_WAIT_REQUEUE_PI, _CMP_REQUEUE_PI = 11, 12
_TAKES_CLOCK = _WAIT_BITSET, _WAIT_REQUEUE_PI, _LOCK_PI2
_PRIORITY = _LOCK_PI, _UNLOCK_PI, _TRYLOCK_PI, _WAIT_REQUEUE_PI, _CMP_REQUEUE_PI, _LOCK_PI2
_UNLIMITED = 1 << 31
_PRIVATE, _CLOCK_REALTIME = 128, 256


def futex(
    t: SyscallContext,
    address: int,
    operation: int,
    value: int,
    timeout: int,
    second: int,
    third: int,
) -> Result:
    command = operation & ~(_PRIVATE | _CLOCK_REALTIME)
    if operation & _CLOCK_REALTIME and command not in _TAKES_CLOCK:
        raise Errno(ENOSYS)
    if command in _PRIORITY:
        return _priority(t, command, address, operation, value, timeout, second, third)
    futexes, space = t.kernel.futexes, t.process.space
    if command in (_WAIT, _WAIT_BITSET):
        deadline = None
        if timeout:
            absolute = command == _WAIT_BITSET
            deadline = _deadline(t, timeout, absolute, bool(operation & _CLOCK_REALTIME))
        bits = third & ANY if command == _WAIT_BITSET else ANY
        return futexes.wait(t.thread, address, value, bits, deadline)
    if command in (_WAKE, _WAKE_BITSET):
        bits = third & ANY if command == _WAKE_BITSET else ANY
        if not bits:
            raise Errno(EINVAL)
        key = futexes.key(space, address, private=bool(operation & _PRIVATE))
        return futexes.wake(key, _count(value), bits)
    if command in (_REQUEUE, _CMP_REQUEUE):
        if max(_count(value), _count(timeout)) == _UNLIMITED:
            raise Errno(EINVAL)
        if command == _CMP_REQUEUE and t.mem.read_u32(address) != third & 0xFFFFFFFF:
            raise Errno(EAGAIN)
        source, target = futexes.key(space, address), futexes.key(space, second)
        woken, moved = futexes.requeue(source, target, _count(value), _count(timeout))
        return woken + moved
    if command == _WAKE_OP:
        return _wake_op(t, address, value, timeout, second, third)
    raise Errno(ENOSYS)


def _priority(
    t: SyscallContext,
    command: int,
    address: int,
    operation: int,
    value: int,
    timeout: int,
    second: int,
    third: int,
) -> Result:
    """An operation on a lock with priority inheritance; its deadlines are absolute."""
    locks, private = t.kernel.pi_futexes, bool(operation & _PRIVATE)
    if command == _UNLOCK_PI:
        return locks.unlock(t.thread, address, private=private)
    if command == _TRYLOCK_PI:
        return locks.try_lock(t.thread, address, private=private)
    if command == _CMP_REQUEUE_PI:
        move = _count(timeout)
        if value != 1 or move == _UNLIMITED:
            raise Errno(EINVAL)
        return locks.requeue(t.thread, address, second, move, third, private=private)
    realtime = command == _LOCK_PI or bool(operation & _CLOCK_REALTIME)
    deadline = _deadline(t, timeout, True, realtime) if timeout else None
    if command == _WAIT_REQUEUE_PI:
        return locks.wait_requeue(t.thread, address, value, second, deadline, private=private)
    return locks.lock(t.thread, address, deadline, private=private)


def _count(value: int) -> int:
    """Converts a number of waiters, of the C type int; a negative one means no limit."""
    value &= 0xFFFFFFFF
    return min(value, _UNLIMITED)


def _deadline(t: SyscallContext, address: int, absolute: bool, realtime: bool) -> int:
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = struct.unpack("<qq", t.mem.read(address, 16))
    if seconds < 0 or not 0 <= nanoseconds < NS:
        raise Errno(EINVAL)
    moment = min(seconds, 1 << 32) * NS + nanoseconds
    clock = t.kernel.clock
    if not absolute:
        return clock.monotonic() + moment
    return moment - clock.realtime() + clock.monotonic() if realtime else moment


def _wake_op(
    t: SyscallContext, address: int, value: int, second_value: int, second: int, encoded: int
) -> int:
    """Changes the word at ``second`` and wakes there if its old value compares (FUTEX_WAKE_OP)."""
    encoded &= 0xFFFFFFFF
    operation, comparison = encoded >> 28 & 0xF, encoded >> 24 & 0xF
    operand, threshold = _signed12(encoded >> 12), _signed12(encoded)
    if operation & 8:
        operand = 1 << (operand & 31)
    futexes, space = t.kernel.futexes, t.process.space
    first_key, second_key = futexes.key(space, address), futexes.key(space, second)
    old = t.mem.read_u32(second)
    t.mem.write_u32(second, _operate(operation & 7, old, operand))
    woken = futexes.wake(first_key, _count(value))
    if _compare(comparison, old - (old >> 31 << 32), threshold):
        woken += futexes.wake(second_key, _count(second_value))
    return woken


def _operate(operation: int, old: int, operand: int) -> int:
    if operation == 0:
        return operand
    if operation == 1:
        return old + operand
    if operation == 2:
        return old | operand
    if operation == 3:
        return old & ~operand
    if operation == 4:
        return old ^ operand
    raise Errno(ENOSYS)


def _compare(comparison: int, old: int, threshold: int) -> bool:
    outcomes = (
        old == threshold,
        old != threshold,
        old < threshold,
        old <= threshold,
        old > threshold,
        old >= threshold,
    )
    if comparison >= len(outcomes):
        raise Errno(ENOSYS)
    return outcomes[comparison]


def _signed12(value: int) -> int:
    value &= 0xFFF
    return value - 0x1000 if value & 0x800 else value
