"""What would change the guest's tree itself: nobody may (mount(2))."""

from __future__ import annotations

from kernel.errors import Errno
from kernel.vfs.caller import Caller
from kernel.vfs.errnos import EPERM
from kernel.wait import Result


def refuse(t: Caller, *arguments: int) -> Result:
    """mount(2), umount2(2), pivot_root(2), swapon(2), name_to_handle_at(2)'s opposite."""
    raise Errno(EPERM)
