"""What would change the guest's tree itself: nobody may (mount(2))."""

from __future__ import annotations

from kernel.base.errno import EPERM
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext


def refuse(t: SyscallContext, *arguments: int) -> Result:
    """mount(2), umount2(2), pivot_root(2), swapon(2), name_to_handle_at(2)'s opposite."""
    raise Errno(EPERM)
