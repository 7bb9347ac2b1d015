"""A kernel that can be started, run and ended: the entry point of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kernel.base import uname
from kernel.base.budget import Cost, Kind
from kernel.base.memory_figures import Activity, MachineMemory
from kernel.exec.enter_image import enter_image
from kernel.exec.loader import load
from kernel.mm.usage.machine_memory import machine_memory
from kernel.process.exit import exit_process
from kernel.process.exit_status import ExitStatus
from kernel.process.process import Process, Thread
from kernel.process.signal_send import send_process, signal_group
from kernel.process.signals.signals import SI_KERNEL, Sig, SigInfo
from kernel.process.state import KernelState
from kernel.trap.breakpoints import Breakpoints
from kernel.trap.run_loop import RunLoop

if TYPE_CHECKING:
    from kernel.check.memory_check import MemoryCheck
    from kernel.components import Components
    from kernel.config import Config
    from kernel.exec.initial_stack import Request
    from kernel.process.observer import Observer
    from kernel.vfs.core.fd_table import FdTable
    from kernel.vfs.names.fs_context import FsContext


class Kernel(KernelState):
    """One machine's kernel."""

    def __init__(
        self,
        config: Config,
        log: Callable[[str], None],
        observer: Observer | None = None,
        parts: Components | None = None,
    ) -> None:
        super().__init__(config, log, observer, parts)
        self.hostname = uname.HOSTNAME
        self.release = uname.RELEASE
        self.breakpoints = Breakpoints(self)
        self._check = _memory_check(self) if config.check else None

    @property
    def memory_total(self) -> int:
        """Bytes of physical memory."""
        return self.ram.size

    @property
    def exposes_frames(self) -> bool:
        return self.config.expose_frames

    @property
    def huge_mode(self) -> str:
        return self.config.thp

    @property
    def machine_memory(self) -> MachineMemory:
        spaces = {process.space for process in self.processes.values()}
        own = len(self.sigreturn_page.held())
        return machine_memory(self.frames, self.cache, self.huge_pool, own, spaces)

    @property
    def activity(self) -> Activity:
        frames = self.frames
        user, system = self.cpu.split()
        return Activity(
            user_ns=user,
            system_ns=system,
            switches=self.switches,
            processes=self.stats.processes,
            faults=sum(self.stats.faults.values()),
            major_faults=self.stats.major_faults,
            reused=self.stats.frames_reused,
            allocated=frames.allocations,
            freed=max(0, frames.allocations - frames.used),
            huge=frames.huge_events,
        )

    def start(self, files: FdTable, fs: FsContext, request: Request) -> Process:
        """Creates the first process, ready to run the program of ``request``."""
        process = self.new_process(None)
        process.files, process.fs = files, fs
        terminal = process.terminal = fs.namespace.tty.terminal
        if terminal is not None:
            terminal.session = process.sid
        thread = self.first_thread = Thread(process, process.pid)
        self.current_call = "execve"
        try:
            image = load(self, fs, process.limits, request)
        finally:
            self.current_call = None
        self.budget.take(Kind.PROCESS, Cost.PROCESS)
        self.add_process(process)
        enter_image(self, thread, image)
        self.scheduler.add(thread)
        if self.observer is not None:
            self.observer.started(process)
        return process

    def signal_group(self, group: int, signo: int) -> None:
        """Sends a terminal's signal to a process group; 0 is none."""
        signal_group(self, group, signo)

    def signal_process(self, pid: int, signo: int) -> None:
        """Sends a terminal's signal to a process, if there is one."""
        process = self.processes.get(pid)
        if process is not None:
            send_process(self, process, SigInfo(signo, SI_KERNEL))

    def run(self) -> None:
        """Runs until every process has ended. Raises :class:`Deadlock` and :class:`Stopped`."""
        check = self._check.run if self._check is not None else None
        RunLoop(self, self.breakpoints, check).run()

    def shut_down(self) -> int:
        """Ends all processes, empties the caches, and returns the number of leaked frames."""
        for process in list(self.processes.values()):
            if process.alive and process.threads:
                exit_process(self, process, ExitStatus(Sig.KILL))
        self.segments.remove_all()
        self.sigreturn_page.unused()
        for file in list(self.cache.memory.files):
            file.release()
        while self.frames.reclaim():
            pass
        self.huge_pool.release()
        leaked = self.frames.used - 1
        if self._check is not None:
            self._check.run_at_end()
        return leaked


def _memory_check(kernel: Kernel) -> MemoryCheck:
    """Imports the check when it is used: its import takes a twentieth of a short run."""
    from kernel.check.memory_check import MemoryCheck

    return MemoryCheck(kernel)
