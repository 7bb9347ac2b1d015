"""Scheduling: there is one hart, and one policy."""

from __future__ import annotations

import errno

from kernel.errors import Errno
from kernel.process import Thread


def sched_yield(t: Thread) -> int:
    t.kernel.yielded = True
    return 0


def sched_getaffinity(t: Thread, pid: int, size: int, mask: int) -> int:
    """One hart: bit 0."""
    _thread(t, pid)
    if size < 8 or size & 7:
        raise Errno(errno.EINVAL)
    t.mem.write_u64(mask, 1)
    return 8


def sched_setaffinity(t: Thread, pid: int, size: int, mask: int) -> int:
    _thread(t, pid)
    wanted = int.from_bytes(t.mem.read(mask, min(size, 128)), "little")
    if not wanted & 1:
        raise Errno(errno.EINVAL)
    return 0


def sched_getscheduler(t: Thread, pid: int) -> int:
    _thread(t, pid)
    return 0


def sched_getparam(t: Thread, pid: int, address: int) -> int:
    _thread(t, pid)
    t.mem.write_u32(address, 0)
    return 0


def sched_setscheduler(t: Thread, pid: int, policy: int, address: int) -> int:
    _thread(t, pid)
    priority = t.mem.read_u32(address)
    if policy not in (0, 3, 5) or priority:
        raise Errno(errno.EPERM if policy in (1, 2) else errno.EINVAL)
    return 0


def sched_priority_limit(t: Thread, policy: int) -> int:
    if policy not in (0, 3, 5):
        raise Errno(errno.EINVAL)
    return 0


def _thread(t: Thread, tid: int) -> Thread:
    if not tid:
        return t
    for process in t.kernel.processes.values():
        if tid in process.threads:
            return process.threads[tid]
    raise Errno(errno.ESRCH)


def getcpu(t: Thread, cpu: int, node: int, cache: int) -> int:
    if cpu:
        t.mem.write_u32(cpu, 0)
    if node:
        t.mem.write_u32(node, 0)
    return 0
