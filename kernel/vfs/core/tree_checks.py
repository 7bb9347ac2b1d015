"""Check that keeps a file system a tree: a directory must not be moved below itself."""

from __future__ import annotations

from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode


def check_not_below(node: Inode, directory: Inode) -> None:
    """EINVAL when ``directory`` is ``node`` or lies below it (rename(2))."""
    at: Inode | None = directory
    while at is not None:
        if at is node:
            raise Errno(EINVAL)
        if at.parent is at:
            return
        at = at.parent
