"""The three standard files of the first process."""

from __future__ import annotations

import os
from collections.abc import Callable

from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.core.linux_abi import O_RDONLY, O_WRONLY
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.tty.standard_streams import (
    ByteSink,
    ByteSource,
    HostStream,
    HostStreamFile,
    MemoryStream,
)
from kernel.vfs.tty.terminal import Terminal, TerminalFile

_NAMES = {0: "/dev/stdin", 1: "/dev/stdout", 2: "/dev/stderr"}


class Console:
    """Standard input, output and error; each is closed until it is connected."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.terminal: Terminal | None = None
        self._files: dict[int, OpenFile] = {}
        self._captured: dict[int, MemoryStream] = {}

    def use_host(self, fd: int, host: int) -> None:
        """Connects the guest's ``fd`` to the host's descriptor ``host``, unless that is closed."""
        try:
            os.fstat(host)
            is_terminal = os.isatty(host)
        except OSError:
            return
        node = HostStream(self.namespace.anonymous, host)
        if not is_terminal:
            self._files[fd] = HostStreamFile(node, node.flags, _NAMES[fd])
            return
        if self.terminal is None:
            self.terminal = self.namespace.tty.terminal = Terminal(host)
        self._files[fd] = TerminalFile(
            self.namespace.tty, self.terminal, node.stream_fd, node.flags
        )

    def feed(self, data: bytes) -> None:
        """Connects standard input to ``data``."""
        node = MemoryStream(self.namespace.pipes, O_RDONLY)
        node.data += data
        self._files[0] = ByteSource(node, O_RDONLY, f"pipe:[{node.ino}]")

    def capture(self, fd: int) -> None:
        """Collects what the guest writes to ``fd``, for :meth:`captured`."""
        node = MemoryStream(self.namespace.pipes, O_WRONLY)
        self._captured[fd] = node
        self._files[fd] = ByteSink(node, O_WRONLY, f"pipe:[{node.ino}]")

    def captured(self, fd: int) -> bytes:
        """Output of ``fd`` so far."""
        return bytes(self._captured[fd].data)

    def install(self, files: FdTable) -> None:
        """Installs the files at descriptors 0, 1 and 2 of an empty table."""
        for fd, file in sorted(self._files.items()):
            files.install_at(fd, file)

    def with_user_settings(self, act: Callable[[], None]) -> None:
        """Calls ``act`` with the user's terminal settings, then restores the guest's."""
        if self.terminal is None:
            act()
        else:
            self.terminal.with_user_settings(act)

    def restore(self) -> None:
        """Restores the user's terminal settings at the end of the run."""
        if self.terminal is not None:
            self.terminal.restore()
