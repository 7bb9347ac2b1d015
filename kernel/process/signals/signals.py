"""Signals: numbers, siginfo, default and set actions, pending signals.

signal(7), sigaction(2); numbers and structures as on riscv64, which are Linux's generic ones.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto

from kernel.base.resource_limits import MOST_PENDING


class Sig(IntEnum):
    HUP = 1
    INT = 2
    QUIT = 3
    ILL = 4
    TRAP = 5
    ABRT = 6
    BUS = 7
    FPE = 8
    KILL = 9
    USR1 = 10
    SEGV = 11
    USR2 = 12
    PIPE = 13
    ALRM = 14
    TERM = 15
    STKFLT = 16
    CHLD = 17
    CONT = 18
    STOP = 19
    TSTP = 20
    TTIN = 21
    TTOU = 22
    URG = 23
    XCPU = 24
    XFSZ = 25
    VTALRM = 26
    PROF = 27
    WINCH = 28
    IO = 29
    PWR = 30
    SYS = 31


HIGHEST = 64
FIRST_REALTIME = 32
SIG_DFL, SIG_IGN = 0, 1

SA_NOCLDSTOP = 0x1
SA_NOCLDWAIT = 0x2
SA_SIGINFO = 0x4
SA_ONSTACK = 0x0800_0000
SA_RESTART = 0x1000_0000
SA_NODEFER = 0x4000_0000
SA_RESETHAND = 0x8000_0000

SI_USER, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL = 0, 0x80, -1, -2, -6
SEGV_MAPERR, SEGV_ACCERR = 1, 2
BUS_ADRALN, BUS_ADRERR, BUS_OBJERR = 1, 2, 3
ILL_ILLOPC = 1
TRAP_BRKPT = 1
CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED = 1, 2, 3, 4, 5, 6

SIGINFO_SIZE = 128


class Default(Enum):
    TERMINATE = auto()
    CORE = auto()
    IGNORE = auto()
    STOP = auto()
    CONTINUE = auto()


_DEFAULTS: dict[int, Default] = {
    **dict.fromkeys((Sig.CHLD, Sig.URG, Sig.WINCH), Default.IGNORE),
    **dict.fromkeys((Sig.STOP, Sig.TSTP, Sig.TTIN, Sig.TTOU), Default.STOP),
    Sig.CONT: Default.CONTINUE,
    **dict.fromkeys(
        {Sig.QUIT, Sig.ILL, Sig.TRAP, Sig.ABRT, Sig.BUS, Sig.FPE, Sig.SEGV}
        | {Sig.XCPU, Sig.XFSZ, Sig.SYS},
        Default.CORE,
    ),
}


def default_action(signo: int) -> Default:
    return _DEFAULTS.get(signo, Default.TERMINATE)


def bit(signo: int) -> int:
    """Bit of the signal in a sigset_t."""
    return 1 << (signo - 1)


UNBLOCKABLE = bit(Sig.KILL) | bit(Sig.STOP)
_STOPS = bit(Sig.STOP) | bit(Sig.TSTP) | bit(Sig.TTIN) | bit(Sig.TTOU)


def name(signo: int) -> str:
    if signo in Sig._value2member_map_:
        return f"SIG{Sig(signo).name}"
    return f"SIGRT{signo - FIRST_REALTIME}" if signo >= FIRST_REALTIME else f"signal {signo}"


@dataclass(frozen=True, slots=True)
class SigInfo:
    """siginfo_t. ``fields`` are the bytes from offset 16 on, which depend on the code."""

    signo: int
    code: int
    fields: bytes = b""

    def encode(self) -> bytes:
        head = struct.pack("<iiii", self.signo, 0, self.code, 0)
        return (head + self.fields).ljust(SIGINFO_SIZE, b"\0")

    @property
    def value(self) -> tuple[int, int]:
        """(pid, uid) of the sender, as in signalfd(2) and waitid(2)."""
        pid, uid = struct.unpack_from("<iI", self.fields.ljust(8, b"\0"))
        return pid, uid


def sent_by(signo: int, code: int, pid: int, uid: int, value: int = 0) -> SigInfo:
    """Siginfo of a signal from kill, tgkill or sigqueue."""
    return SigInfo(signo, code, struct.pack("<iIQ", pid, uid, value))


def at_address(signo: int, code: int, address: int) -> SigInfo:
    """Siginfo of a signal from a fault at ``address`` (si_addr)."""
    return SigInfo(signo, code, struct.pack("<Q", address))


def of_child(code: int, pid: int, uid: int, status: int) -> SigInfo:
    return SigInfo(Sig.CHLD, code, struct.pack("<iIiiQQ", pid, uid, status, 0, 0, 0))


@dataclass(slots=True)
class Action:
    """struct sigaction."""

    handler: int = SIG_DFL
    flags: int = 0
    mask: int = 0


@dataclass(slots=True)
class Handlers:
    """Signal actions of a process, shared by its threads."""

    actions: dict[int, Action] = field(default_factory=dict)

    def get(self, signo: int) -> Action:
        return self.actions.get(signo) or Action()

    def ignores(self, signo: int) -> bool:
        handler = self.get(signo).handler
        return handler == SIG_IGN or (
            handler == SIG_DFL and default_action(signo) is Default.IGNORE
        )

    def ignored_and_caught(self) -> tuple[int, int]:
        """The sets of signals with the action SIG_IGN, and with a handler."""
        ignored = caught = 0
        for signo, action in self.actions.items():
            if action.handler == SIG_IGN:
                ignored |= bit(signo)
            elif action.handler != SIG_DFL:
                caught |= bit(signo)
        return ignored, caught

    def copy(self) -> Handlers:
        return Handlers(
            {signo: Action(a.handler, a.flags, a.mask) for signo, a in self.actions.items()}
        )

    def reset_for_exec(self) -> None:
        """Resets handled signals to the default; ignored ones stay ignored (execve(2))."""
        self.actions = {
            signo: Action(SIG_IGN) for signo, a in self.actions.items() if a.handler == SIG_IGN
        }


class Queued:
    """Number of queued real-time signals and of timers of one user, which share a limit."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Pending:
    """Pending signals: each standard one at most once, real-time ones in queues."""

    __slots__ = ("_queues", "mask", "queued")

    def __init__(self, queued: Queued | None = None) -> None:
        self.queued = queued or Queued()
        self._queues: dict[int, deque[SigInfo]] = {}
        self.mask = 0

    def add(self, info: SigInfo, limit: int = MOST_PENDING) -> bool:
        """Adds a signal; returns whether it was queued.

        A standard signal that is pending already is not queued again. A real-time one beyond
        ``limit`` is not queued; from kill(2) it becomes pending without its siginfo.
        """
        signo = info.signo
        if signo < FIRST_REALTIME:
            if self.mask & bit(signo):
                return False
        elif self.queued.count >= limit:
            if info.code == SI_USER:
                self.mask |= bit(signo)
            return False
        else:
            self.queued.count += 1
        self._queues.setdefault(signo, deque()).append(info)
        self.mask |= bit(signo)
        return True

    def take(self, wanted: int) -> SigInfo | None:
        """Removes and returns the next of the ``wanted`` set: synchronous ones, then by number."""
        found = self.mask & wanted
        if not found:
            return None
        found = found & _SYNCHRONOUS or found
        signo = (found & -found).bit_length()
        queue = self._queues.get(signo)
        if queue is None:
            self.mask &= ~bit(signo)
            return SigInfo(signo, SI_USER)
        info = queue.popleft()
        self.queued.count -= signo >= FIRST_REALTIME
        if not queue:
            del self._queues[signo]
            self.mask &= ~bit(signo)
        return info

    def drop(self, signals: int) -> None:
        for signo in [signo for signo in self._queues if signals & bit(signo)]:
            queue = self._queues.pop(signo)
            self.queued.count -= len(queue) if signo >= FIRST_REALTIME else 0
        self.mask &= ~signals


_SYNCHRONOUS = sum(map(bit, (Sig.SEGV, Sig.BUS, Sig.ILL, Sig.TRAP, Sig.FPE, Sig.SYS)))


def cancelled_by(signo: int) -> int:
    """Set of pending signals that ``signo`` removes: stops for SIGCONT, SIGCONT for stops."""
    if signo == Sig.CONT:
        return _STOPS
    return bit(Sig.CONT) if bit(signo) & _STOPS else 0
