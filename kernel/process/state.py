"""State of one kernel: the machine, the memory, the processes, and the pending requests.

Signals, clone and exit, system calls and traps are functions of a :class:`KernelState`;
:class:`kernel.kernel.Kernel` extends it with starting, running and ending a machine.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from emu.machine.hart import Hart
from kernel.base.budget import Budget, share_of
from kernel.base.clock import Clock, HostClock, VirtualClock
from kernel.base.cpu_time import CpuTime, Turn
from kernel.base.errno import ENOENT
from kernel.base.errors import Errno
from kernel.base.resource_limits import Limits
from kernel.base.timers import Timers
from kernel.components import Components
from kernel.mm.aging import take_lazily_freed
from kernel.mm.backing.backing import Backing
from kernel.mm.backing.page_cache import PageCache
from kernel.mm.backing.sysv_segments import Segments
from kernel.mm.forking.fork import POLICIES
from kernel.mm.physical.huge_pool import HugePool
from kernel.mm.physical.huge_zero_page import drop_huge_zero
from kernel.process.accounting.counters import Stats
from kernel.process.futexes.priority import PriorityFutexes
from kernel.process.futexes.waiters import Futexes
from kernel.process.observer import Fault, Observer
from kernel.process.process import Process, Thread
from kernel.process.scheduler import Scheduler
from kernel.process.signals.signal_frame import sigreturn_page
from kernel.process.signals.signals import Queued
from kernel.vfs.hostfs.disk import Disk

if TYPE_CHECKING:
    from kernel.config import Config
    from kernel.mm.address_space import AddressSpace
    from kernel.mm.faults.user_memory import FaultHandler
    from kernel.mm.resolution import Resolution
    from kernel.vfs.core.inode import Inode


@mypyc_attr(allow_interpreted_subclasses=True)
class KernelState:
    """The fields of a kernel. ``log`` receives messages for the user, such as a kill by OOM."""

    observer: Observer | None
    call_observer: Observer | None
    """The observer, if it observes system calls."""

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
        self.observe(observer)
        self.ram = parts.ram(config.memory)
        self.hart = Hart(self.ram, parts.mmu(self.ram))
        self.frames = parts.frames(self.ram)
        self.budget = self.frames.budget = Budget(
            share_of(config.memory) if config.kernel_memory is None else config.kernel_memory
        )
        self.cache = PageCache(self.frames, self._unmap_file)
        self.frames.reclaim = self._reclaim
        self.huge_pool = HugePool(self.frames, config.hugetlb)
        self.huge_pool.spaces = self._spaces
        self.disk = Disk(detects_waits=not config.deterministic)
        self.fork_policy = parts.fork or POLICIES[config.fork_policy]
        self.sigreturn_page = sigreturn_page(self.frames)
        self.clock: Clock = VirtualClock() if config.deterministic else HostClock()
        self.random = _random_source(config.deterministic)
        self.segments = Segments(
            self.frames, self.budget, lambda: self.clock.realtime() // 1_000_000_000
        )
        self.timers = Timers(self.clock)
        self.scheduler = Scheduler(self.clock, self.timers)
        self.futexes = Futexes(self.clock)
        self.pi_futexes = PriorityFutexes(self.futexes, self.find_thread)
        self.queued_signals = Queued()
        self.stats = Stats()
        self.processes: dict[int, Process] = {}
        self.extra_threads = 0
        """Number of threads beyond the first of each process."""
        self.current: Thread | None = None
        """The thread whose registers the hart holds."""
        self.current_call: str | None = None
        """Name of the system call being executed, None outside one."""
        self.first_thread: Thread | None = None
        self.turn = Turn(self.clock)
        """That of the running thread."""
        self.cpu = CpuTime(self.turn)
        """CPU time of all processes."""
        self.switches = 0
        """Number of context switches."""
        self.traps = 0
        self.requests: deque[Callable[[], None]] = deque()
        """Functions to call before the next instruction, or between two pieces of a long call."""
        self.new_image: Callable[[Process], None] | None = None
        """Called after execve(2) with the process."""
        self.new_library: Callable[[Inode, str], None] | None = None
        """Called when a process maps a file with execute permission, with the file and its path."""
        self._last_id = 1
        """Linux gives 1 to init; the first program here is its child, as in a real system."""
        self._last_asid = 0
        self.frames.start_counting(config.fail_allocation)

    def observe(self, observer: Observer | None) -> None:
        """Passes the events from now on to ``observer``; to be called before the first process."""
        self.observer = observer
        observes_calls = observer is not None and observer.observes_calls
        self.call_observer = observer if observes_calls else None

    def new_id(self) -> int:
        """The next process or thread id."""
        self._last_id += 1
        return self._last_id

    def _reclaim(self) -> bool:
        """Frees frames that no process maps; returns whether there were any."""
        return drop_huge_zero(self.frames) or self.cache.reclaim()

    def take_lazily_freed(self) -> bool:
        """Releases the pages that MADV_FREE gave to the kernel; returns whether there were any."""
        taken = [take_lazily_freed(space) for space in self._spaces()]
        return any(taken)

    def new_asid(self) -> int:
        """The next address space id of 16 bits."""
        self._last_asid = (self._last_asid + 1) & 0xFFFF
        return self._last_asid

    def new_process(self, parent: Process | None) -> Process:
        """A process without memory, files and threads, not yet in ``processes``."""
        limits = Limits(self.config.max_processes)
        process = Process(self.new_id(), parent, self.turn, self.queued_signals, limits)
        process.started = self.clock.monotonic()
        return process

    def add_process(self, process: Process) -> None:
        self.processes[process.pid] = process
        self.stats.processes += 1

    def find_thread(self, tid: int) -> Thread | None:
        """The thread with an id, of any process."""
        named = self.processes.get(tid)  # most are the first of their process
        for process in [named] if named is not None else self.processes.values():
            if tid in process.threads:
                return process.threads[tid]
        return None

    @property
    def caller(self) -> Thread:
        """The thread whose system call is being executed. Raises ENOENT before the first call."""
        if self.current is None:
            raise Errno(ENOENT)
        return self.current

    # Page faults of the kernel's own accesses to user memory.

    def fault_handler(self, process: Process) -> FaultHandler:
        """Records page faults in the memory of ``process`` by :meth:`record_fault`."""
        return lambda space, fault: self.record_fault(space, fault, process)

    def count_fault(self, thread: Thread) -> None:
        """Counts a page fault that was resolved, as in Linux: a failed one does not count."""
        own, whole = thread.counters, thread.process.counters
        own.faults += 1
        whole.faults += 1
        if self.disk.waited:
            self.disk.waited = False
            own.major_faults += 1
            whole.major_faults += 1
            self.stats.major_faults += 1

    def record_fault(
        self, space: AddressSpace, resolution: Resolution, process: Process | None = None
    ) -> None:
        """Counts and reports a page fault of the kernel in ``space``.

        ``process`` is the space's, None for an image that is being loaded. The fault is attributed
        to the current thread, or to the first of ``process`` when that is another.
        """
        self.stats.fault(resolution)
        thread = self.current or self.first_thread
        if thread is None:
            return
        if process is not None and process is not thread.process:
            thread = next(iter(process.threads.values()), thread)
        if not resolution.failed:
            self.count_fault(thread)
        if self.observer is not None:
            self.observer.fault(Fault(thread, space, resolution, call=self.current_call))

    def _unmap_file(self, backing: Backing, first: int, last: int | None = None) -> None:
        """Unmaps pages of a file that was truncated or punched, in all processes."""
        for space in self._spaces():
            space.unmap_file(backing, first, last)

    def _spaces(self) -> Iterable[AddressSpace]:
        """The address spaces of all processes.

        Parents come first: a copy is reported to its owner before a shared leaf table loses it.
        """
        return dict.fromkeys(process.space for process in self.processes.values())

    # Requests from outside.

    def call_soon(self, act: Callable[[], None]) -> None:
        """Schedules ``act`` before the next instruction; may be called from another host thread."""
        self.requests.append(act)

    def run_requests(self) -> None:
        while self.requests:
            self.requests.popleft()()

    def run_pending(self) -> None:
        """Runs requests and due timers between two pieces of a long system call."""
        if self.requests:
            self.run_requests()
        if self.timers:
            self.timers.run_due()


def _random_source(deterministic: bool) -> Callable[[int], bytes]:
    if not deterministic:
        return os.urandom
    from random import Random

    return Random(0).randbytes
