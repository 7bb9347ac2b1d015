"""Identifiers: process and thread IDs, process groups, sessions."""

from __future__ import annotations

from kernel.base.errno import EACCES, EINVAL, EPERM, ESRCH
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.syscalls.context import SyscallContext


def getpid(t: SyscallContext) -> int:
    return t.process.pid


def gettid(t: SyscallContext) -> int:
    return t.tid


def getppid(t: SyscallContext) -> int:
    return t.process.ppid


def getpgid(t: SyscallContext, pid: int) -> int:
    return find_process(t, pid).pgid


def getsid(t: SyscallContext, pid: int) -> int:
    return find_process(t, pid).sid


def setpgid(t: SyscallContext, pid: int, pgid: int) -> int:
    if pgid < 0 or (pid < 0 and not pgid):
        raise Errno(EINVAL)
    process = find_process(t, pid)
    group = pgid or process.pid
    if process is not t.process and process.parent is not t.process:
        raise Errno(ESRCH)
    if process is not t.process and process.has_execed:
        raise Errno(EACCES)
    if process.sid == process.pid or process.sid != t.process.sid:
        raise Errno(EPERM)
    if group != process.pid and not any(
        other.pgid == group and other.sid == t.process.sid for other in t.kernel.processes.values()
    ):
        raise Errno(EPERM)
    process.pgid = group
    return 0


def setsid(t: SyscallContext) -> int:
    process = t.process
    if any(other.pgid == process.pid for other in t.kernel.processes.values()):
        raise Errno(EPERM)
    process.sid = process.pgid = process.pid
    process.terminal, process.former_foreground = None, 0
    return process.pid


def find_process(t: SyscallContext, pid: int) -> Process:
    if not pid:
        return t.process
    process = t.kernel.processes.get(pid)
    if process is None:
        raise Errno(ESRCH)
    return process


def set_tid_address(t: SyscallContext, address: int) -> int:
    t.thread.clear_tid = address
    return t.tid


def set_robust_list(t: SyscallContext, address: int, size: int) -> int:
    if size != 24:
        raise Errno(EINVAL)
    t.thread.robust_list = address
    return 0


def get_robust_list(t: SyscallContext, pid: int, address: int, size: int) -> int:
    if pid not in (0, t.tid):
        raise Errno(EPERM)
    t.mem.write_u64(address, t.thread.robust_list)
    t.mem.write_u64(size, 24)
    return 0
