"""Descriptors of processes: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import EAGAIN, EBADF, EINVAL, EPERM, ESRCH
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.process.signal_send import send_process, send_thread
from kernel.process.signals.signals import (
    HIGHEST,
    SI_TKILL,
    SI_USER,
    SIGINFO_SIZE,
    SigInfo,
    sent_by,
)
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.process.other_process import check_access
from kernel.syscalls.process.signals import may_signal
from kernel.syscalls.process.user_ids import getuid
from kernel.vfs.core.linux_abi import O_NONBLOCK
from kernel.vfs.ipc.eventfd import AnonymousInode
from kernel.vfs.ipc.pidfd import PidFile
from kernel.vfs.proc.nodes import ProcDir

_TO_THREAD, _TO_PROCESS, _TO_GROUP = 1, 2, 4
_SIGNAL_FLAGS = (0, _TO_THREAD, _TO_PROCESS, _TO_GROUP)
"""PIDFD_SIGNAL_THREAD, PIDFD_SIGNAL_THREAD_GROUP, PIDFD_SIGNAL_PROCESS_GROUP."""


def of(t: SyscallContext, fd: int) -> PidFile:
    """The file of a process at ``fd``; EBADF for another one."""
    file = t.files.get_usable(fd)
    if not isinstance(file, PidFile):
        raise Errno(EBADF)
    return file


def pidfd_open(t: SyscallContext, pid: int, flags: int) -> int:
    if flags & ~O_NONBLOCK or pid <= 0:
        raise Errno(EINVAL)
    process = t.kernel.processes.get(pid)
    if process is None:
        raise Errno(ESRCH if t.kernel.find_thread(pid) is None else EINVAL)
    inode = AnonymousInode(t.fs.namespace.anonymous)
    return t.files.install(PidFile(inode, flags, process.lifetime), cloexec=True)


def pidfd_send_signal(t: SyscallContext, fd: int, signo: int, address: int, flags: int) -> int:
    if flags not in _SIGNAL_FLAGS:
        raise Errno(EINVAL)
    pid = _process_id(t, fd)
    info = _info(t, pid, signo, address, flags)
    targets = _targets(t, pid, flags)
    if not targets:
        raise Errno(ESRCH)
    if not 0 <= signo <= HIGHEST:
        raise Errno(EINVAL)
    allowed = [process for process in targets if may_signal(t, process, signo)]
    if not allowed:
        raise Errno(EPERM)
    sent = [_send(t, process, info, flags) for process in allowed] if signo else []
    if not all(sent):
        raise Errno(EAGAIN)
    return 0


def _process_id(t: SyscallContext, fd: int) -> int:
    """The number of the process at ``fd``: a descriptor of it, or its directory of /proc."""
    file = t.files.get_usable(fd)
    if isinstance(file, PidFile):
        return file.subject.pid
    inode = file.inode
    if not isinstance(inode, ProcDir) or not inode.path.isdigit():
        raise Errno(EBADF)
    return int(inode.path)


def _info(t: SyscallContext, pid: int, signo: int, address: int, flags: int) -> SigInfo:
    """The siginfo at ``address``, or that of kill(2) without one."""
    if not address:
        code = SI_TKILL if flags == _TO_THREAD else SI_USER
        return sent_by(signo, code, t.process.pid, getuid(t))
    raw = t.mem.read(address, SIGINFO_SIZE)
    number, _, code = struct.unpack_from("<3i", raw)
    if number != signo:
        raise Errno(EINVAL)
    is_foreign = pid != t.process.pid or flags == _TO_GROUP
    if is_foreign and (code >= 0 or code == SI_TKILL):
        raise Errno(EPERM)  # only the kernel says that a signal is its own, or of tgkill(2)
    return SigInfo(signo, code, raw[16:])


def _targets(t: SyscallContext, pid: int, flags: int) -> list[Process]:
    processes = t.kernel.processes
    if flags == _TO_GROUP:
        return [process for process in processes.values() if process.pgid == pid]
    process = processes.get(pid)
    return [] if process is None else [process]


def _send(t: SyscallContext, process: Process, info: SigInfo, flags: int) -> bool:
    if flags == _TO_THREAD:
        first = process.threads.get(process.pid)
        return first is None or send_thread(t.kernel, first, info)
    return send_process(t.kernel, process, info)


def pidfd_getfd(t: SyscallContext, pidfd: int, fd: int, flags: int) -> int:
    if flags:
        raise Errno(EINVAL)
    process = t.kernel.processes.get(of(t, pidfd).subject.pid)
    if process is None:
        raise Errno(ESRCH)
    check_access(t, process)
    if not process.alive:
        raise Errno(ESRCH)
    return t.files.install(process.files.get(fd), cloexec=True)
