"""Leaving what is shared with other processes, and namespaces: unshare(2), setns(2)."""

from __future__ import annotations

from kernel.base.errno import EINVAL, EPERM
from kernel.base.errors import Errno
from kernel.process.clone import Clone
from kernel.syscalls.context import SyscallContext
from kernel.vfs.ipc.pidfd import PidFile

_SYSVSEM = 0x4_0000
_NEW_USER = 0x1000_0000
_NAMESPACES = 0x7E02_0080
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWTIME."""
_OF_MEMORY = int(Clone.THREAD | Clone.SIGHAND | Clone.VM)
_KNOWN = int(Clone.FS | Clone.FILES) | _OF_MEMORY | _SYSVSEM | _NAMESPACES


def unshare(t: SyscallContext, flags: int) -> int:
    """A process gets a file system view or a descriptor table of its own."""
    if flags & ~_KNOWN:
        raise Errno(EINVAL)
    several = len(t.process.threads) > 1
    if several and flags & (_OF_MEMORY | _NEW_USER | Clone.FS | Clone.FILES):
        raise Errno(EINVAL)
    if flags & Clone.VM and t.process.space.users > 1:
        raise Errno(EINVAL)
    if flags & _NAMESPACES:
        raise Errno(EPERM)
    if flags & Clone.FILES:
        t.process.files = t.files.own()
    if flags & Clone.FS:
        t.process.fs = t.fs.copy()
    return 0


def setns(t: SyscallContext, fd: int, flags: int) -> int:
    """Fails: there are no other namespaces, and /proc has no files of them."""
    file = t.files.get_usable(fd)
    if not isinstance(file, PidFile) or not flags or flags & ~_NAMESPACES or flags & _NEW_USER:
        raise Errno(EINVAL)
    raise Errno(EPERM)
