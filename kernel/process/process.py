"""Processes and threads: their attributes and resources.

A process has an address space, descriptors, signal actions, a parent and a status; a thread has
registers, a signal mask and a wait. clone.py creates them, exit.py ends them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from emu.machine.registers import Registers
from kernel.base.budget import Budget, Kind
from kernel.base.cpu_time import UserTime
from kernel.base.timers import Timers
from kernel.base.wait import Blocking, Wait, WaitQueue
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.usage.memory_view import MemoryView
from kernel.process.accounting.resource_usage import ResourceUsage, UsageCounters
from kernel.process.attributes import Attributes
from kernel.process.exit_status import ExitStatus
from kernel.process.lifetime import Lifetime
from kernel.process.signals.signal_frame import AltStack
from kernel.process.signals.signals import SIG_DFL, UNBLOCKABLE, Handlers, Pending, Queued, SigInfo
from kernel.vfs.core.linux_abi import PATH_MAX

if TYPE_CHECKING:
    from kernel.base.cpu_time import Turn
    from kernel.base.resource_limits import Limits
    from kernel.base.timers import Timer
    from kernel.mm.address_space import AddressSpace
    from kernel.vfs.core.fd_table import FdTable
    from kernel.vfs.core.inode import Inode
    from kernel.vfs.core.session_terminal import SessionTerminal
    from kernel.vfs.names.fs_context import FsContext


class Words:
    """Argument and environment strings of a program, each with a terminating NUL.

    Charged and stored until the last of the processes that use them (``users``) releases them.
    """

    __slots__ = ("_budget", "arguments", "environment", "users")

    def __init__(
        self, arguments: bytes = b"", environment: bytes = b"", budget: Budget | None = None
    ) -> None:
        self.users = 1
        self.arguments = self.environment = b""
        self._budget = budget or Budget()
        self._budget.take(Kind.ARGUMENTS, len(arguments) + len(environment))
        self.arguments = arguments
        self.environment = environment

    def release(self) -> None:
        self.users -= 1
        if not self.users:
            self._budget.give_back(Kind.ARGUMENTS, len(self.arguments) + len(self.environment))
            self.arguments = self.environment = b""


class Program:
    """The program of a process, as /proc shows it."""

    __slots__ = ("auxv", "inode", "name", "path", "words")

    def __init__(self, inode: Inode | None = None, path: str = "") -> None:
        self.inode = inode
        self.path = path[-PATH_MAX:]
        self.name = path.rpartition("/")[2][:15]
        self.words = Words()
        self.auxv = b""

    @property
    def arguments(self) -> bytes:
        return self.words.arguments

    @property
    def environment(self) -> bytes:
        return self.words.environment

    def renamed(self, name: str) -> Program:
        """A copy with another short name (prctl PR_SET_NAME)."""
        other = Program(self.inode, self.path)
        other.words, other.auxv = self.words, self.auxv
        other.name = name
        return other


def one_line(text: str) -> str:
    """Escapes the control characters and line ends of a guest's text, for messages."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class ChildEvent(Enum):
    """State changes of a child that wait4(2) reports, each once."""

    EXITED = auto()
    STOPPED = auto()
    CONTINUED = auto()


class TimerKind(Enum):
    """The time that a timer counts: the clock's, or the process's CPU time or user time."""

    REAL = auto()
    CPU = auto()
    USER = auto()


@dataclass(slots=True)
class IntervalTimer:
    """One timer of a process. ``interval`` is in nanoseconds.

    ``info`` is the signal it sends, None for none (SIGEV_NONE); to the thread ``tid`` alone unless
    that is 0 (SIGEV_THREAD_ID).
    """

    info: SigInfo | None
    kind: TimerKind = TimerKind.REAL
    interval: int = 0
    timer: Timer | None = None
    clock: int = 0
    overruns: int = 0
    tid: int = 0

    @property
    def due(self) -> int | None:
        """Time of the next expiry in nanoseconds of its clock, None when disarmed."""
        return self.timer.deadline if self.timer and self.timer.action else None


class Process:
    """A thread group."""

    def __init__(
        self, pid: int, parent: Process | None, turn: Turn, queued: Queued, limits: Limits
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.children: dict[int, Process] = {}
        self.threads: dict[int, Thread] = {}
        self.pgid: int = parent.pgid if parent else pid
        self.sid: int = parent.sid if parent else pid
        self.terminal: SessionTerminal | None = parent.terminal if parent else None
        self.former_foreground = 0
        self.program = Program()
        self.space: AddressSpace
        self.mem: UserMemory
        self.files: FdTable
        self.fs: FsContext
        self.handlers = Handlers()
        self.sigreturn = 0
        """Address of the code that signal handlers return to."""
        self.pending = Pending(queued)
        self.limits = limits
        self.exit_signal = 0
        self.status: ExitStatus | None = None
        """None before its end."""
        self.last_fault = ""
        """Description of the last fault that caused a signal, for the user."""
        self.stopped_by = 0
        self.event: ChildEvent | None = None
        self.child_changed = WaitQueue()
        self.signalled = WaitQueue()
        self.lifetime = Lifetime(pid)
        self.memory_released = WaitQueue()
        """Woken when a vfork child execs or exits, so that its parent may continue."""
        self.borrows_memory = False
        self.has_execed = False
        self.subreaper = False
        self.started = 0
        """Time of its creation in nanoseconds of the monotonic clock."""
        self.turn = turn
        self.counters = UsageCounters(turn)
        self.children_usage = ResourceUsage()
        """Usage of the children it has waited for, and of theirs."""
        self.peak_before = 0
        """Peak of the resident pages of its images before the present one."""
        self.timers: dict[int, IntervalTimer] = {}
        self.next_timer = 0
        self.cpu_timers: dict[TimerKind, Timers] = {}
        """Timers of its CPU time and of its user time, those that were used."""
        self.cpu_limit: Timer | None = None
        """Expires at its limit of CPU time (RLIMIT_CPU)."""
        self.parent_death_signal = 0
        self.attributes: Attributes = parent.attributes.copy() if parent else Attributes()
        self.nice: int = parent.nice if parent else 0

    @property
    def ppid(self) -> int:
        return self.parent.pid if self.parent is not None else 1

    @property
    def alive(self) -> bool:
        return self.status is None

    @property
    def wait_status(self) -> int:
        """Wait status of its end; 0 before."""
        return self.status.wait_status if self.status is not None else 0

    @property
    def memory(self) -> MemoryView:
        return MemoryView(self.space)

    @property
    def resident_peak(self) -> int:
        """Peak of its resident pages, in all its images."""
        return max(self.peak_before, self.space.peak_resident() if self.alive else 0)

    def usage(self) -> ResourceUsage:
        """Its own usage."""
        return self.counters.usage(self.resident_peak)

    def timers_of(self, kind: TimerKind) -> Timers:
        """Its timers of CPU time or user time."""
        if kind not in self.cpu_timers:
            cpu = self.counters.cpu
            self.cpu_timers[kind] = Timers(cpu if kind is TimerKind.CPU else UserTime(cpu))
        return self.cpu_timers[kind]

    def note_peak(self) -> None:
        """Called when it leaves its address space."""
        self.peak_before = max(self.peak_before, self.space.peak_resident())

    def rename(self, name: str) -> None:
        """Sets the short name of its program (prctl PR_SET_NAME)."""
        self.program = self.program.renamed(name)

    def stops_at(self, signo: int) -> bool:
        """Returns whether a stop signal would stop it, since it neither handles nor ignores it."""
        return self.handlers.get(signo).handler == SIG_DFL

    def __repr__(self) -> str:
        return f"pid {self.pid} ({one_line(self.program.name)})"


class State(Enum):
    READY = auto()
    WAITING = auto()
    DEAD = auto()


class Thread:
    """A thread of execution. While it runs its registers are in the hart, otherwise here."""

    def __init__(self, process: Process, tid: int) -> None:
        self.process = process
        self.tid = tid
        self.registers = Registers()
        self.state = State.READY
        self.reported: tuple[int, int] | None = None
        """(satp, pc) of its pending instruction that was reported as reached."""
        self.call: Blocking | None = None
        """The system call that it is in, if that waits."""
        self.call_number = 0
        self.call_arguments: list[int] = []
        self.call_start = (0, 0)
        """pc and a0 at the ecall, to restart the call after a signal."""
        self.wait: Wait | None = None
        self.wait_timer: Timer | None = None
        self.mask = 0
        self.saved_mask: int | None = None
        """The mask to restore after a call such as sigsuspend(2) has replaced it."""
        self.pending = Pending(process.pending.queued)
        self.alt_stack = AltStack()
        self.clear_tid = 0
        self.robust_list = 0
        self.policy = 0
        """Policy of sched_setscheduler(2), including SCHED_RESET_ON_FORK."""
        self.counters = UsageCounters(process.turn)
        process.threads[tid] = self

    def usage(self) -> ResourceUsage:
        """Its own usage; the peak is its process's."""
        return self.counters.usage(self.process.resident_peak)

    @property
    def mem(self) -> UserMemory:
        return self.process.mem

    def temporary_mask(self, mask: int) -> None:
        """Blocks just ``mask`` until this call, or its signal's handler, returns."""
        if self.saved_mask is None:
            self.saved_mask = self.mask
        self.mask = mask & ~UNBLOCKABLE

    @property
    def signalled(self) -> WaitQueue:
        """Woken when a signal becomes pending for the process or one of its threads."""
        return self.process.signalled

    def pending_of(self, mask: int) -> bool:
        """Returns whether a signal of the set is pending for the thread or its process."""
        return bool((self.pending.mask | self.process.pending.mask) & mask)

    def take_signal(self, mask: int) -> tuple[int, int, bytes] | None:
        """Takes a pending signal of the set: its number, code and the rest of its siginfo."""
        info = self.pending.take(mask) or self.process.pending.take(mask)
        return None if info is None else (info.signo, info.code, info.fields)

    @property
    def deliverable(self) -> int:
        """The set of signals that are pending and not blocked."""
        return (self.pending.mask | self.process.pending.mask) & ~self.mask

    def __repr__(self) -> str:
        return f"tid {self.tid} of {self.process!r}"
