"""System calls on nice values (getpriority(2)). They are stored; the scheduler ignores them."""

from __future__ import annotations

from kernel.base.errno import EACCES, EINVAL, ESRCH
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.syscalls.context import SyscallContext

_PROCESS, _GROUP, _USER = range(3)
_LOWEST, _HIGHEST = -20, 19


def getpriority(t: SyscallContext, which: int, who: int) -> int:
    """Returns 20 minus the smallest nice value, so that a result is never negative."""
    return 20 - min(process.nice for process in _selected(t, which, who))


def setpriority(t: SyscallContext, which: int, who: int, value: int) -> int:
    nice = max(_LOWEST, min(value, _HIGHEST))
    for process in _selected(t, which, who):
        if nice < process.nice and t.fs.credentials.uid:
            raise Errno(EACCES)
        process.nice = nice
    return 0


def _selected(t: SyscallContext, which: int, who: int) -> list[Process]:
    processes = list(t.kernel.processes.values())
    if which == _PROCESS:
        found = [p for p in processes if p.pid == who or who in p.threads] if who else [t.process]
    elif which == _GROUP:
        group = who or t.process.pgid
        found = [process for process in processes if process.pgid == group]
    elif which == _USER:
        found = processes if who in (0, t.fs.credentials.uid) else []
    else:
        raise Errno(EINVAL)
    if not found:
        raise Errno(ESRCH)
    return found
