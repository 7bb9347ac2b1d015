"""The context of a system call: the first argument of each function of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.process.signal_delivery import will_kill
from kernel.process.signal_send import send_thread, signal_group, stop_group
from kernel.process.signals.signals import SigInfo

if TYPE_CHECKING:
    from kernel.mm.faults.user_memory import UserMemory
    from kernel.process.process import Process, Thread
    from kernel.process.state import KernelState
    from kernel.vfs.core.fd_table import FdTable
    from kernel.vfs.names.fs_context import FsContext


class SyscallContext:
    """The kernel and the calling thread. Made once for each turn of a thread, not for each call.

    Implements :class:`kernel.vfs.core.caller.IoctlCaller`.
    """

    __slots__ = ("kernel", "process", "thread")

    def __init__(self, kernel: KernelState, thread: Thread) -> None:
        self.kernel = kernel
        self.thread = thread
        self.process: Process = thread.process

    @property
    def mem(self) -> UserMemory:
        return self.process.mem

    @property
    def files(self) -> FdTable:
        return self.process.files

    @property
    def fs(self) -> FsContext:
        return self.process.fs

    @property
    def tid(self) -> int:
        return self.thread.tid

    @property
    def deliverable(self) -> int:
        """The set of signals that are pending and not blocked."""
        return self.thread.deliverable

    def send_signal(self, signo: int) -> None:
        """Sends the caller a signal that its system call causes, such as SIGPIPE."""
        send_thread(self.kernel, self.thread, SigInfo(signo, 0))

    def stop_group(self, signo: int) -> bool:
        """Sends a terminal's stop signal to the caller's process group.

        Returns False when it would stop no process, and raises EIO in an orphaned group.
        """
        return stop_group(self.kernel, self.thread, signo)

    def signal_group(self, group: int, signo: int) -> None:
        """Sends a terminal's signal to a process group; 0 is none."""
        signal_group(self.kernel, group, signo)

    @property
    def is_privileged(self) -> bool:
        return self.fs.credentials.is_privileged

    def temporary_mask(self, mask: int) -> None:
        """Blocks just ``mask`` until this call, or the handler of its signal, returns."""
        self.thread.temporary_mask(mask)

    def breaks_off(self, *, only_killed: bool) -> bool:
        """Runs outside requests between pieces of a long call; returns whether a signal ends it."""
        self.kernel.run_pending()
        if not self.thread.deliverable:
            return False
        return not only_killed or will_kill(self.thread)
