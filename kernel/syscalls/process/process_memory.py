"""The memory of another process: process_vm_readv(2), process_vm_writev(2), and kcmp(2)."""

from __future__ import annotations

from kernel.base.errno import EBADF, EFAULT, EINVAL, EOPNOTSUPP, ESRCH
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.process.other_process import check_access
from kernel.syscalls.user_buffers import Buffers, read_iovec
from kernel.vfs.core.linux_abi import CHUNK

_FILE, _VM, _FILES, _FS, _SIGHAND, _IO, _SYSVSEM, _EPOLL_TFD = range(8)
_EQUAL, _UNORDERED = 0, 3


def process_vm_readv(
    t: SyscallContext, pid: int, local: int, locals_: int, remote: int, remotes: int, flags: int
) -> int:
    return _transfer(t, pid, (local, locals_), (remote, remotes), flags, to_remote=False)


def process_vm_writev(
    t: SyscallContext, pid: int, local: int, locals_: int, remote: int, remotes: int, flags: int
) -> int:
    return _transfer(t, pid, (local, locals_), (remote, remotes), flags, to_remote=True)


def _transfer(
    t: SyscallContext,
    pid: int,
    local: tuple[int, int],
    remote: tuple[int, int],
    flags: int,
    *,
    to_remote: bool,
) -> int:
    """Copies between two processes; a store breaks the sharing of a page as the process's own."""
    if flags:
        raise Errno(EINVAL)
    mine = Buffers(t.mem, read_iovec(t, *local))
    if not mine.remaining:
        return 0
    spans = read_iovec(t, *remote)
    if not spans:
        return 0
    process = _process(t, pid)
    check_access(t, process)
    other = Buffers(process.mem, spans)
    return _copy(t, mine, other) if to_remote else _copy(t, other, mine)


def _copy(t: SyscallContext, source: Buffers, sink: Buffers) -> int:
    done = 0
    try:
        while source.remaining and sink.remaining:
            data = source.take(min(CHUNK, sink.remaining))
            count = sink.fill(data)
            done += count
            if count < len(data):
                raise Errno(EFAULT)
            if t.breaks_off(only_killed=True):
                break
    except Errno as error:
        if error.errno != EFAULT or not done:
            raise
    return done


def _process(t: SyscallContext, tid: int) -> Process:
    """Returns the process with a thread ``tid``; ESRCH for one that has ended, too."""
    thread = t.kernel.find_thread(tid)
    if thread is None:
        raise Errno(ESRCH)
    return thread.process


def kcmp(t: SyscallContext, first: int, second: int, kind: int, one: int, two: int) -> int:
    """Returns 0 for the same object; others have no order (3), so that runs are alike."""
    processes = _process(t, first), _process(t, second)
    for process in processes:
        check_access(t, process)
    a, b = processes
    if kind == _FILE:
        return _compare(_file(a, one), _file(b, two))
    if kind == _EPOLL_TFD:
        raise Errno(EOPNOTSUPP)
    if kind in (_IO, _SYSVSEM):
        return _EQUAL
    if kind == _VM:
        return _compare(a.space, b.space)
    if kind == _FILES:
        return _compare(a.files, b.files)
    if kind == _FS:
        return _compare(a.fs, b.fs)
    if kind == _SIGHAND:
        return _compare(a.handlers, b.handlers)
    raise Errno(EINVAL)


def _file(process: Process, fd: int) -> object:
    if fd >= 1 << 31:
        raise Errno(EBADF)
    return process.files.get(fd)


def _compare(one: object, two: object) -> int:
    return _EQUAL if one is two else _UNORDERED
