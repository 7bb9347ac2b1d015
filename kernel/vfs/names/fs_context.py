"""What a process brings along for naming files: its directory, its root, its umask."""

from __future__ import annotations

from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.inode import Inode
from kernel.vfs.names.namespace import Namespace


class FsContext:
    """The file system view of a process (shared by threads, copied by fork)."""

    __slots__ = ("cwd", "namespace", "root", "umask", "who")

    def __init__(
        self, namespace: Namespace, cwd: Inode, umask: int = 0o022, who: Credentials | None = None
    ) -> None:
        self.namespace = namespace
        self.root = namespace.root
        self.cwd = cwd
        self.umask = umask
        self.who = who or Credentials.of_host()

    def copy(self) -> FsContext:
        """The child's view at fork."""
        return FsContext(self.namespace, self.cwd, self.umask, self.who)
