"""The kernel: what it is made of, and how processes get their memory."""

from __future__ import annotations

import errno
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emu.machine.hart import Hart
from emu.machine.pte import PAGE_SHIFT
from emu.machine.registers import PC, SP, Registers
from kernel.base.budget import Budget, Cost, Kind, share_of
from kernel.base.clock import Clock, HostClock, VirtualClock
from kernel.base.errors import Errno
from kernel.base.timers import Timers
from kernel.check import budget_audit, invariants, memory_snapshot
from kernel.check.invariants import InvariantBroken
from kernel.components import Components
from kernel.exec.loader import Image, Request, load
from kernel.mm.fault import Resolution
from kernel.mm.fork import POLICIES, ForkCost
from kernel.mm.page_cache import Backing, PageCache, SharedMemory
from kernel.mm.user_memory import FaultSeen
from kernel.process import futex
from kernel.process.counters import Stats
from kernel.process.futex import Futexes
from kernel.process.interval_timers import IntervalTimers
from kernel.process.lifecycle import Lifecycle
from kernel.process.observer import Fault, Observer
from kernel.process.process import Process, Thread
from kernel.process.scheduler import Scheduler
from kernel.process.signal_delivery import Signals
from kernel.process.signals import Sig
from kernel.syscalls.process import system
from kernel.trap.breakpoints import Breakpoints
from kernel.trap.run_loop import RunLoop

if TYPE_CHECKING:
    from kernel.mm.address_space import AddressSpace
    from kernel.vfs.core.fd_table import FdTable
    from kernel.vfs.core.inode import Inode
    from kernel.vfs.names.fs_context import FsContext

_LI_A7_SIGRETURN = 139 << 20 | 17 << 7 | 0x13
_ECALL = 0x73


@dataclass(frozen=True, slots=True)
class Config:
    """What a machine is started with."""

    memory: int = 1 << 30
    """Bytes of physical memory, whole pages; taken from the host only as they are used."""
    kernel_memory: int | None = None
    """Maximum bytes of host memory for the kernel's objects of guests, apart from the frames;
    by default a quarter of ``memory``, at least 16 MiB."""
    fork_policy: str = "cow"
    max_processes: int = 4096
    deterministic: bool = False
    fail_allocation: int = 0
    """The number of the frame allocation that is made to fail; 0 for none."""
    check: bool = False
    """Check the invariants of the kernel's memory before every return to a program."""


class Kernel:
    """One machine's kernel. ``log`` gets lines for the user, such as a process's death by OOM."""

    def __init__(
        self,
        config: Config,
        log: Callable[[str], None],
        observer: Observer | None = None,
        parts: Components | None = None,
    ) -> None:
        self.config = config
        self.parts = parts = parts or Components()
        self.log = log
        self.observer = observer
        self.ram = parts.ram(config.memory)
        self.hart = Hart(self.ram, parts.mmu(self.ram))
        self.breakpoints = Breakpoints(self)
        self.frames = parts.frames(self.ram)
        self.budget = self.frames.budget = Budget(
            share_of(config.memory) if config.kernel_memory is None else config.kernel_memory
        )
        self.cache = PageCache(self.frames, self._unmap_beyond)
        self.frames.reclaim = self.cache.reclaim
        self.clock: Clock = VirtualClock() if config.deterministic else HostClock()
        self.random = _random_source(config.deterministic)
        self.timers = Timers(self.clock)
        self.timers_of = IntervalTimers(self.timers, self.clock)
        self.scheduler = Scheduler(self.clock, self.timers)
        self.signals = Signals(self)
        self.lifecycle = Lifecycle(self)
        self.futexes = Futexes(self.clock)
        self.fork_policy = parts.fork or POLICIES[config.fork_policy]
        self.max_processes = config.max_processes
        self.stats = Stats()
        self.last_fork_cost = ForkCost()
        self.processes: dict[int, Process] = {}
        self.current: Thread | None = None
        self._first: Thread | None = None
        self.current_call: str | None = None
        self.yielded = False
        """Set by sched_yield: the thread gives way after this trap."""
        self.traps = 0
        self.begun: tuple[Any] | None = None
        """The outcome of a system call that the vector began and could not finish."""
        self.unresolved: Resolution | None = None
        """A page fault for which the vector found nothing to do but to tell the program."""
        self.attention: Callable[[], None] | None = None
        """Called once, before the next instruction or between two pieces of a long call."""
        self.new_image: Callable[[Process], None] | None = None
        """Called after execve(2) with the process."""
        self.new_library: Callable[[Inode, str], None] | None = None
        """Called when a process maps a file with execute permission, with the file and its path."""
        self._soon: deque[Callable[[], None]] = deque()
        self._found_well: memory_snapshot.MemorySnapshot | None = None
        """What the last check of memory saw."""
        self._asid = 0
        self.sigreturn_page = SharedMemory(self.frames, 1)
        self._write_sigreturn_page()
        self.frames.start_counting(config.fail_allocation)

    def _write_sigreturn_page(self) -> None:
        page = self.sigreturn_page.frame(0)
        assert page is not None
        code = _LI_A7_SIGRETURN.to_bytes(4, "little") + _ECALL.to_bytes(4, "little")
        self.ram.write(page << PAGE_SHIFT, code)
        self.sigreturn_page.users += 1

    @property
    def caller(self) -> Thread:
        """The thread whose system call is being executed. Raises ENOENT before the first call."""
        if self.current is None:
            raise Errno(errno.ENOENT)
        return self.current

    @property
    def hostname(self) -> str:
        return system.HOSTNAME

    @property
    def release(self) -> str:
        return system.RELEASE

    @property
    def memory_total(self) -> int:
        return self.ram.size

    @property
    def memory_free(self) -> int:
        return (self.frames.total - self.frames.used) << PAGE_SHIFT

    def new_asid(self) -> int:
        self._asid = (self._asid + 1) & 0xFFFF
        return self._asid

    @property
    def memory_in_files(self) -> int:
        """Bytes of the frames that hold files in memory."""
        return self.cache.memory.held << PAGE_SHIFT

    # Processes.

    def start(self, files: FdTable, fs: FsContext, request: Request) -> Process:
        """The first process, ready to run what ``request`` names."""
        pid = self.lifecycle.new_id()
        process = Process(self, pid, None)
        process.files, process.fs = files, fs
        thread = self._first = Thread(process, pid)
        self.current_call = "execve"
        try:
            image = load(self, fs, process.limits, request)
        finally:
            self.current_call = None
        self.budget.take(Kind.PROCESS, Cost.PROCESS)
        self.add_process(process)
        self._enter(thread, image)
        self.scheduler.add(thread)
        if self.observer is not None:
            self.observer.started(process)
        return process

    def add_process(self, process: Process) -> None:
        self.processes[process.pid] = process
        self.stats.processes += 1

    def replace_image(self, thread: Thread, image: Image) -> None:
        """execve(2), from the point of no return on; the process shares no descriptor table."""
        process = thread.process
        self.lifecycle.end_other_threads(thread)
        futex.let_go(thread)
        if self.observer is not None:
            self.observer.leaving(process)
        old = process.space
        process.program.words.release()
        self._enter(thread, image)
        self.hart.load(thread.registers)
        self.hart.set_satp(image.space.table.satp)
        self.hart.flush_tlb()
        self.lifecycle.release_memory(process)
        old.leave()
        process.handlers = process.handlers.copy()
        process.handlers.reset_for_exec()
        process.files.close_on_exec()
        process.has_execed = True
        process.attributes.after_exec()
        self.timers_of.cancel(process, keep_itimers=True)
        if self.observer is not None:
            self.observer.execed(process)
        if self.new_image is not None:
            self.new_image(process)

    def _enter(self, thread: Thread, image: Image) -> None:
        process = thread.process
        process.space = image.space
        process.mem = self.parts.user_memory(image.space, self.told_of_faults(process))
        process.program = image.program
        process.sigreturn = image.sigreturn
        thread.registers = Registers()
        thread.registers[PC] = image.entry
        thread.registers[SP] = image.sp
        thread.clear_tid = thread.robust_list = 0
        thread.alt_stack = type(thread.alt_stack)()

    def _unmap_beyond(self, backing: Backing, first: int) -> None:
        """A file became shorter: no process may keep the pages beyond its end."""
        # Parents come first: whoever copied a page is told before it goes with a shared leaf table.
        for space in dict.fromkeys(process.space for process in self.processes.values()):
            space.unmap_beyond(backing, first)

    def forget(self, thread: Thread) -> None:
        """The thread has ended: its registers need not be saved."""
        if self.current is thread:
            self.current = None

    def kill_for_memory(self, thread: Thread) -> None:
        """Out of memory ends the process that asked; the machine goes on."""
        process = thread.process
        self.cache.reclaim()
        self.log(f"out of memory: {process!r} is killed; {self.frames.shortage}")
        self.lifecycle.exit_process(process, Sig.KILL)

    def told_of_faults(self, process: Process) -> FaultSeen:
        """What is told of the faults that the kernel itself meets in the memory of ``process``."""
        return lambda space, fault: self.kernel_fault(space, fault, process)

    def kernel_fault(
        self, space: AddressSpace, resolution: Resolution, process: Process | None = None
    ) -> None:
        """The kernel met a page fault in ``space``: that of ``process``, or one that is made."""
        self.stats.fault(resolution)
        thread = self.current or self._first
        if thread is None:
            return
        if process is not None and process is not thread.process:
            thread = next(iter(process.threads.values()), thread)
        thread.faults += 1
        thread.process.faults += 1
        if self.observer is not None:
            self.observer.fault(Fault(thread, space, resolution, call=self.current_call))

    # Requests from outside.

    def call_soon(self, act: Callable[[], None]) -> None:
        """Schedules ``act`` before the next instruction; may be called from another host thread."""
        self._soon.append(act)
        self.attention = self._run_soon

    def _run_soon(self) -> None:
        while self._soon:
            self._soon.popleft()()

    def attend(self) -> None:
        """Runs the requests from outside."""
        attention, self.attention = self.attention, None
        if attention is not None:
            attention()

    def run_pending(self) -> None:
        """Runs requests and due timers between two pieces of a long system call."""
        if self.attention is not None:
            self.attend()
        if self.timers:
            self.timers.run_due()

    def run(self) -> None:
        """Runs until every process has ended. Raises :class:`Deadlock` and :class:`Stopped`."""
        RunLoop(self).run()

    def check_memory(self) -> None:
        """Raises InvariantBroken unless the invariants of memory hold."""
        if not self.parts.changed():
            return
        living = [process for process in self.processes.values() if process.alive]
        names: dict[AddressSpace, str] = {}
        for process in living:
            names[process.space] = f"{names.get(process.space, 'pid')} {process.pid}"
        spaces = memory_snapshot.unique(process.space for process in living)
        memory = memory_snapshot.MemorySnapshot(
            self.frames, spaces, self.cache, [self.sigreturn_page], self._found_well
        )
        memory.names = names
        broken = [*invariants.violations(memory), *budget_audit.violations(self)]
        self._found_well = None if broken else memory
        if broken:
            raise InvariantBroken(broken, f"after trap {self.traps}, in {self.current!r}", memory)

    def shut_down(self) -> int:
        """Ends what still lives and empties the caches; the number of frames that leaked."""
        for process in list(self.processes.values()):
            if process.alive and process.threads:
                self.lifecycle.exit_process(process, Sig.KILL)
        self.sigreturn_page.unused()
        for file in list(self.cache.memory.files):
            file.release()
        while self.cache.reclaim():
            pass
        leaked = self.frames.used - 1
        if self.config.check and (left := budget_audit.left_over(self)):
            raise InvariantBroken(left, "at the end")
        return leaked


def _random_source(deterministic: bool) -> Callable[[int], bytes]:
    if deterministic:
        return random.Random(0).randbytes
    return random.SystemRandom().randbytes
