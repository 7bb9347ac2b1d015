"""The thread that makes a system call on files, as a protocol."""

from __future__ import annotations

from typing import Protocol

from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.names.fs_context import FsContext


class Caller(IoctlCaller, Protocol):
    """The thread, its descriptor table and its view of the file system."""

    @property
    def files(self) -> FdTable: ...
    @property
    def fs(self) -> FsContext: ...
    @property
    def deliverable(self) -> int:
        """Set of the signals that interrupt a system call (bit signo-1)."""

    def send_signal(self, signo: int, /) -> None: ...

    def breaks_off(self, *, only_killed: bool) -> bool:
        """True when a signal ends a long call at this point, between two parts of its work."""

    def temporary_mask(self, mask: int, /) -> None:
        """Blocks exactly ``mask`` (bit signo-1) until the call or its signal's frame is done."""
