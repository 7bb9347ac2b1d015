"""An open directory: its listing, and the offset in it (getdents64(2))."""

from __future__ import annotations

from kernel.base.budget import Cost, Kind
from kernel.base.errno import EINVAL, EISDIR, ENOENT
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import SEEK_CUR, SEEK_SET
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.names.namespace import Namespace


class DirectoryFile(OpenFile):
    """Lists the entries as of the first read; seeking to 0 reads the directory again."""

    def __init__(self, namespace: Namespace, inode: Inode, flags: int, path: str) -> None:
        super().__init__(inode, flags, path)
        self._namespace = namespace
        self._listing: list[tuple[str, int, int]] | None = None
        self.offset = 0

    def entry(self) -> tuple[str, int, int] | None:
        """Returns (name, inode number, DT_ type) at the offset; None at the end."""
        if self._listing is None:
            if self.inode.parent is None:
                raise Errno(ENOENT)
            listed = self._namespace.entries(self.inode)
            self._namespace.budget.take(Kind.LISTING, len(listed) * Cost.LISTED)
            self._listing = listed
        return self._listing[self.offset] if self.offset < len(self._listing) else None

    def on_last_close(self) -> None:
        if self._listing is not None:
            self._namespace.budget.give_back(Kind.LISTING, len(self._listing) * Cost.LISTED)
            self._listing = None

    def read(self, count: int) -> bytes | None:
        raise Errno(EISDIR)

    def read_at(self, offset: int, count: int) -> bytes:
        raise Errno(EISDIR)

    def seek(self, offset: int, whence: int) -> int:
        if whence == SEEK_CUR:
            offset += self.offset
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if not 0 <= offset < 1 << 63:
            raise Errno(EINVAL)
        if offset == 0:
            self.on_last_close()
        self.offset = offset
        return offset
