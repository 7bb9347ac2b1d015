"""A file system as a whole: its type, device number and usage."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from kernel.base.budget import Budget
from kernel.vfs.core.linux_abi import makedev

TMPFS_MAGIC = 0x01021994
PROC_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572
OVERLAY_MAGIC = 0x794C7630
HOST_MAGIC = 0xEF53
PIPE_MAGIC = 0x50495045
SOCK_MAGIC = 0x534F434B
ANON_MAGIC = 0x09041934

_FIRST_MINOR = 0xE00
"""First minor number of the guest's file systems, beyond those that a host uses."""


@dataclass(slots=True)
class StatFs:
    """Result of statfs(2); sizes in blocks of ``bsize`` bytes."""

    magic: int
    bsize: int
    blocks: int
    bfree: int
    bavail: int
    files: int
    ffree: int


class FileSystem:
    """One mounted tree. Links and renames from one file system to another fail (EXDEV)."""

    def __init__(self, kind: str, magic: int, *, number: int = 0, read_only: bool = False) -> None:
        self.kind = kind
        """Type shown in /proc/mounts."""
        self.magic = magic
        self.read_only = read_only
        self.device = makedev(0, _FIRST_MINOR + number)
        """st_dev of its nodes; ``number`` is unique in a namespace."""
        self._inos = itertools.count(1)

    def new_ino(self) -> int:
        return next(self._inos)

    def statfs(self) -> StatFs:
        return StatFs(self.magic, 4096, 0, 0, 0, 0, 0)


class ChargedFs(FileSystem):
    """A file system whose nodes and their contents are charged to ``budget``."""

    def __init__(
        self,
        kind: str,
        magic: int,
        *,
        number: int = 0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(kind, magic, number=number)
        self.budget = budget or Budget()
