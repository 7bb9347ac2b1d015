"""Scheduling policies and affinity: one hart, one real policy."""

from __future__ import annotations

from kernel.base.errno import EINVAL, EPERM, ESRCH
from kernel.base.errors import Errno
from kernel.process.clone import SCHED_RESET_ON_FORK
from kernel.process.process import Thread
from kernel.syscalls.context import SyscallContext

_IDLE = 5
_ORDINARY = (0, 3, _IDLE)
_REAL_TIME = (1, 2)
_PRIVILEGED = (6, 7)
"""SCHED_DEADLINE and SCHED_EXT, which sched_setscheduler(2) cannot set."""
_HIGHEST_PRIORITY = 99


def sched_yield(t: SyscallContext) -> int:
    t.kernel.scheduler.need_resched = True
    return 0


def sched_getaffinity(t: SyscallContext, pid: int, size: int, mask: int) -> int:
    """Returns the mask of the only hart, bit 0."""
    find_thread(t, pid)
    if size < 8 or size & 7:
        raise Errno(EINVAL)
    t.mem.write_u64(mask, 1)
    return 8


def sched_setaffinity(t: SyscallContext, pid: int, size: int, mask: int) -> int:
    find_thread(t, pid)
    affinity = int.from_bytes(t.mem.read(mask, min(size, 128)), "little")
    if not affinity & 1:
        raise Errno(EINVAL)
    return 0


def sched_getscheduler(t: SyscallContext, pid: int) -> int:
    return thread_of(t, pid).policy


def sched_getparam(t: SyscallContext, pid: int, address: int) -> int:
    _check_address(address)
    thread_of(t, pid)
    t.mem.write_u32(address, 0)
    return 0


def sched_setscheduler(t: SyscallContext, pid: int, policy: int, address: int) -> int:
    _check_address(address)
    if policy < 0:
        raise Errno(EINVAL)
    return _set(t, pid, policy, address)


def sched_setparam(t: SyscallContext, pid: int, address: int) -> int:
    _check_address(address)
    return _set(t, pid, None, address)


def _set(t: SyscallContext, pid: int, policy: int | None, address: int) -> int:
    """Sets the policy and its priority; None leaves the policy unchanged."""
    if pid < 0:
        raise Errno(EINVAL)
    priority = t.mem.read_u32(address)
    thread = find_thread(t, pid)
    wanted = thread.policy if policy is None else policy
    check_policy(wanted & ~SCHED_RESET_ON_FORK, priority)
    set_policy(t, thread, wanted)
    return 0


def check_policy(kind: int, priority: int) -> None:
    """EINVAL for a policy that does not exist, or a priority that it does not have."""
    if kind not in (*_ORDINARY, *_REAL_TIME) or not (
        1 <= priority <= _HIGHEST_PRIORITY if kind in _REAL_TIME else not priority
    ):
        raise Errno(EINVAL)


def set_policy(t: SyscallContext, thread: Thread, policy: int) -> None:
    """Sets a policy that exists; EPERM."""
    real_time = policy & ~SCHED_RESET_ON_FORK in _REAL_TIME
    if real_time or (t.fs.credentials.uid and _needs_privilege(thread.policy, policy)):
        raise Errno(EPERM)
    thread.policy = policy


def _needs_privilege(old: int, new: int) -> bool:
    """True when SCHED_IDLE or SCHED_RESET_ON_FORK is cleared, which only root may do."""
    idle = old & ~SCHED_RESET_ON_FORK == _IDLE and new & ~SCHED_RESET_ON_FORK != _IDLE
    return idle or bool(old & ~new & SCHED_RESET_ON_FORK)


def sched_get_priority_max(t: SyscallContext, policy: int) -> int:
    return _limit(policy, _HIGHEST_PRIORITY)


def sched_get_priority_min(t: SyscallContext, policy: int) -> int:
    return _limit(policy, 1)


def _limit(policy: int, real_time_limit: int) -> int:
    if policy in _REAL_TIME:
        return real_time_limit
    if policy not in (*_ORDINARY, *_PRIVILEGED):
        raise Errno(EINVAL)
    return 0


def _check_address(address: int) -> None:
    if not address:
        raise Errno(EINVAL)


def thread_of(t: SyscallContext, tid: int) -> Thread:
    """As :func:`find_thread`; EINVAL for a negative number."""
    if tid < 0:
        raise Errno(EINVAL)
    return find_thread(t, tid)


def find_thread(t: SyscallContext, tid: int) -> Thread:
    if not tid:
        return t.thread
    found = t.kernel.find_thread(tid)
    if found is None:
        raise Errno(ESRCH)
    return found


def getcpu(t: SyscallContext, cpu: int, node: int, cache: int) -> int:
    if cpu:
        t.mem.write_u32(cpu, 0)
    if node:
        t.mem.write_u32(node, 0)
    return 0
