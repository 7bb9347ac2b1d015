"""Populates pages before their use: MAP_POPULATE, mlock(2), MADV_POPULATE_READ."""

from __future__ import annotations

from emu.machine.pte import PAGE_SIZE
from kernel.base.errno import EAGAIN, EFAULT
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext


def populate(t: SyscallContext, start: int, end: int, *, write: bool) -> None:
    """Accesses every page; EFAULT for one that is not available, EAGAIN when a request from
    outside interrupts it.
    """
    for page in range(start, end, PAGE_SIZE):
        if t.kernel.requests:
            raise Errno(EAGAIN)
        if not write:
            t.mem.read(page, 1)
        elif not t.mem.writable(page, 1):
            raise Errno(EFAULT)
