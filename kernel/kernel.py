"""The kernel: what it is made of, and the loop that lets threads run and answers their traps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.machine.hart import Hart
from emu.machine.pte import PAGE_SHIFT
from emu.machine.ram import Ram
from emu.machine.registers import PC, SP, Registers
from emu.machine.trap import Cause
from kernel import invariants, robust, traps
from kernel.backing import Backing, PageCache, SharedMemory
from kernel.clock import Clock, HostClock, VirtualClock
from kernel.delivery import Signals
from kernel.errors import Interrupted
from kernel.events import Fault, Observer
from kernel.fault import Resolution
from kernel.fork import POLICIES, ForkCost
from kernel.frames import Frames
from kernel.futex import Futexes
from kernel.invariants import InvariantBroken
from kernel.itimers import IntervalTimers
from kernel.lifecycle import Lifecycle
from kernel.loader import Image, Request, load
from kernel.process import Process, State, Thread
from kernel.scheduler import TRAPS_PER_TURN, Scheduler
from kernel.signals import Sig
from kernel.stats import Stats
from kernel.syscalls import dispatch, system
from kernel.timers import Timers
from kernel.usermem import UserMemory

if TYPE_CHECKING:
    from kernel.space import AddressSpace
    from kernel.vfs.context import FsContext
    from kernel.vfs.fdtable import FdTable

_LI_A7_SIGRETURN = 139 << 20 | 17 << 7 | 0x13
_ECALL = 0x73
_INSTRUCTIONS_PER_SLICE = 1_000_000
_NS_PER_INSTRUCTION = 1
_NS_PER_TRAP = 1_000


@dataclass(frozen=True, slots=True)
class Config:
    """What a machine is started with. ``memory`` is in bytes, a multiple of the page size."""

    memory: int = 1 << 30
    fork_policy: str = "cow"
    max_processes: int = 4096
    deterministic: bool = False
    check: bool = False
    """Look after the invariants of memory before every return to a program."""


class Deadlock(Exception):
    """Every thread waits for something that can't happen; ``waits`` has a line for each."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__("every process waits for ever:\n  " + "\n  ".join(waits))
        self.waits = waits


class Stopped(Exception):
    """The run was ended from outside, with the exit status to give."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Kernel:
    """One machine's kernel. ``log`` gets lines for the user, such as a process's death by OOM."""

    def __init__(
        self, config: Config, log: Callable[[str], None], observer: Observer | None = None
    ) -> None:
        self.config = config
        self.log = log
        self.observer = observer
        self.ram = Ram(config.memory)
        self.hart = Hart(self.ram)
        self.frames = Frames(self.ram)
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
        self.fork_policy = POLICIES[config.fork_policy]
        self.max_processes = config.max_processes
        self.stats = Stats()
        self.last_fork_cost = ForkCost()
        self.processes: dict[int, Process] = {}
        self.current: Thread | None = None
        self.current_call: str | None = None
        self.yielded = False
        """Set by sched_yield: the thread gives way after this trap."""
        self.traps = 0
        self.attention: Callable[[], None] | None = None
        """Called, once, before the next instruction runs: set from outside to be heard."""
        self._asid = 0
        self._slice = _INSTRUCTIONS_PER_SLICE if config.deterministic else 0
        self.sigreturn_page = SharedMemory(self.frames, 1)
        self._write_sigreturn_page()

    def _write_sigreturn_page(self) -> None:
        page = self.sigreturn_page.frame(0)
        assert page is not None
        code = _LI_A7_SIGRETURN.to_bytes(4, "little") + _ECALL.to_bytes(4, "little")
        self.ram.write(page << PAGE_SHIFT, code)
        self.sigreturn_page.users += 1

    @property
    def caller(self) -> Thread:
        """The thread whose system call is being carried out."""
        assert self.current is not None
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

    # Processes.

    def start(self, files: FdTable, fs: FsContext, request: Request) -> Process:
        """The first process, ready to run what ``request`` names."""
        pid = self.lifecycle.new_id()
        process = Process(self, pid, None)
        process.files, process.fs = files, fs
        image = load(self, fs, process.limits, request)
        self.add_process(process)
        thread = Thread(process, pid)
        self._enter(thread, image)
        self.scheduler.add(thread)
        return process

    def add_process(self, process: Process) -> None:
        self.processes[process.pid] = process
        self.stats.processes += 1

    def replace_image(self, thread: Thread, image: Image) -> None:
        """execve(2), from the point of no return on."""
        process = thread.process
        self.lifecycle.end_other_threads(thread)
        robust.let_go(thread)
        old = process.space
        self._enter(thread, image)
        self.hart.load(thread.registers)
        self.hart.set_satp(image.space.table.satp)
        self.hart.flush_tlb()
        self.lifecycle.release_memory(process)
        old.leave()
        process.handlers = process.handlers.copy()
        process.handlers.reset_for_exec()
        if self.lifecycle.shares_files(process):
            process.files = process.files.copy()
        process.files.close_on_exec()
        process.has_execed = True
        self.timers_of.cancel(process, keep_itimers=True)
        if self.observer is not None:
            self.observer.execed(process)

    def _enter(self, thread: Thread, image: Image) -> None:
        process = thread.process
        process.space = image.space
        process.mem = UserMemory(image.space, lambda fault: self.kernel_fault(fault, process))
        process.program = image.program
        process.sigreturn = image.sigreturn
        thread.registers = Registers()
        thread.registers[PC] = image.entry
        thread.registers[SP] = image.sp
        thread.clear_tid = thread.robust_list = 0
        thread.alt_stack = type(thread.alt_stack)()

    def _unmap_beyond(self, backing: Backing, first: int) -> None:
        """A file became shorter: no process may keep the pages beyond its end."""
        for space in {process.space for process in self.processes.values()}:
            space.unmap_beyond(backing, first)

    def forget(self, thread: Thread) -> None:
        """The thread has ended: its registers need not be saved."""
        if self.current is thread:
            self.current = None

    def kill_for_memory(self, thread: Thread) -> None:
        """Out of memory ends the process that asked; the machine goes on."""
        process = thread.process
        self.cache.reclaim()
        self.log(
            f"out of memory: {process!r} is killed; all {self.frames.total} frames "
            f"of {self.config.memory >> 20} MiB are in use"
        )
        self.lifecycle.exit_process(process, Sig.KILL)

    def kernel_fault(self, resolution: Resolution, process: Process | None = None) -> None:
        """The kernel met a page fault in the memory of ``process``, by default the running one."""
        self.stats.fault(resolution)
        thread = self.current
        if self.observer is None or thread is None:
            return
        if process is not None and process is not thread.process:
            thread = next(iter(process.threads.values()), thread)
        self.observer.fault(Fault(thread, resolution, call=self.current_call))

    # Running.

    def run(self) -> None:
        """Runs until every process has ended. Raises :class:`Deadlock` and :class:`Stopped`."""
        scheduler = self.scheduler
        while self.processes:
            if self.attention is not None:
                self._attend()
            thread = scheduler.next()
            if thread is not None:
                self._turn(thread)
            elif not any(process.alive for process in self.processes.values()):
                break
            elif not scheduler.idle():
                raise Deadlock([_describe(waiting) for waiting in scheduler.waiting])

    def _turn(self, thread: Thread) -> None:
        """Lets one thread run until it waits, ends, or has had its turn."""
        began = self.clock.monotonic()
        thread.cpu.start(began)
        thread.process.cpu.start(began)
        try:
            self._let_run(thread)
        finally:
            ended = self.clock.monotonic()
            thread.cpu.stop(ended)
            thread.process.cpu.stop(ended)

    def _let_run(self, thread: Thread) -> None:
        self._switch_to(thread)
        cpu_timers = thread.process.cpu_timers
        last = self.traps + TRAPS_PER_TURN
        while self._prepare(thread):
            if self.config.check:
                self.check_memory()
            trap = self.hart.run(self._slice)
            self.traps += 1
            sliced = trap.cause == Cause.TIMER_INTERRUPT
            gives_way = traps.handle(self, thread, trap)
            if self._slice:
                self.clock.advance(self._slice * _NS_PER_INSTRUCTION if sliced else _NS_PER_TRAP)
            if self.attention is not None:
                self._attend()
            if self.timers and (self._slice or gives_way or not self.traps & 63):
                self.timers.run_due()
            if cpu_timers:
                cpu_timers.run_due()
            if gives_way or self.traps >= last:
                self.scheduler.poll_host()
                if self.scheduler.others_ready and thread.state is State.READY:
                    self.scheduler.add(thread)
                    return
                last = self.traps + TRAPS_PER_TURN

    def _prepare(self, thread: Thread) -> bool:
        """Finishes what the thread waited for and delivers its signals; whether it can run."""
        if thread.state is not State.READY:
            return False
        if thread.call is not None and not self._resume(thread):
            return False
        if thread.deliverable:
            self.signals.deliver(thread)
        if thread.saved_mask is not None:
            thread.mask, thread.saved_mask = thread.saved_mask, None
            if thread.deliverable:
                self.signals.deliver(thread)
        if thread.process.stopped_by:
            self.scheduler.add(thread)
            return False
        return thread.state is State.READY

    def _resume(self, thread: Thread) -> bool:
        """Goes on with the system call that had to wait; whether it has come to its end."""
        if thread.deliverable and self.signals.needs_no_handler(thread):
            # Killed, or stopped and later continued: no handler runs, so the call just waits on.
            self.signals.deliver(thread)
            if thread.state is not State.READY:
                return False
            if thread.process.stopped_by:
                self.scheduler.add(thread)
                return False
        interruption = Interrupted() if thread.deliverable else None
        return dispatch.advance(self, thread, interruption)

    def _switch_to(self, thread: Thread) -> None:
        if self.current is not thread:
            if self.current is not None:
                self.hart.save(self.current.registers)
            self.hart.load(thread.registers)
            self.current = thread
        self.hart.set_satp(thread.process.space.table.satp)

    def _attend(self) -> None:
        attention, self.attention = self.attention, None
        if attention is not None:
            attention()

    def check_memory(self) -> None:
        """Raises InvariantBroken unless the invariants of memory hold."""
        living = [process for process in self.processes.values() if process.alive]
        names: dict[AddressSpace, str] = {}
        for process in living:
            names[process.space] = f"{names.get(process.space, 'pid')} {process.pid}"
        spaces = invariants.unique(process.space for process in living)
        memory = invariants.Memory(self.frames, spaces, self.cache, [self.sigreturn_page], names)
        broken = invariants.violations(memory)
        if broken:
            raise InvariantBroken(broken, f"after trap {self.traps}, in {self.current!r}")

    def shut_down(self) -> int:
        """Ends what still lives and empties the caches; the number of frames that leaked."""
        for process in list(self.processes.values()):
            if process.alive and process.threads:
                self.lifecycle.exit_process(process, Sig.KILL)
        self.sigreturn_page.unused()
        while self.cache.reclaim():
            pass
        return self.frames.used - 1


def _describe(thread: Thread) -> str:
    what = thread.wait.what if thread.wait is not None else "a signal to go on (it is stopped)"
    return f"{thread.process!r} waits for {what}"


def _random_source(deterministic: bool) -> Callable[[int], bytes]:
    if deterministic:
        return random.Random(0).randbytes
    return random.SystemRandom().randbytes
