"""Calls that would change mounts; all of them fail (mount(2))."""

from __future__ import annotations

from kernel.base.errno import EPERM
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext


def refuse(t: SyscallContext, *arguments: int) -> Result:
    """Fails (mount(2), umount2(2), pivot_root(2), swapon(2), open_by_handle_at(2))."""
    raise Errno(EPERM)
