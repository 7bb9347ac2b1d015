"""The file system view of a process: working directory, root, umask and credentials."""

from __future__ import annotations

from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.inode import Inode
from kernel.vfs.names.namespace import Namespace


class FsContext:
    """The file system view of a process (shared by threads, copied by fork)."""

    __slots__ = ("credentials", "cwd", "namespace", "root", "umask")

    def __init__(
        self,
        namespace: Namespace,
        cwd: Inode,
        umask: int = 0o022,
        credentials: Credentials | None = None,
    ) -> None:
        self.namespace = namespace
        self.root = namespace.root
        self.cwd = cwd
        self.umask = umask
        self.credentials = credentials or Credentials.of_host()

    def copy(self) -> FsContext:
        """Returns the child's view at fork."""
        return FsContext(self.namespace, self.cwd, self.umask, self.credentials)
