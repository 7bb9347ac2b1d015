"""Protocols of the kernel's objects that /proc reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from kernel.base.memory_figures import Activity, MachineMemory, MemoryFigures
from kernel.base.wait import Wait
from kernel.vfs.core.caller import Clock, Process
from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.core.inode import Inode
from kernel.vfs.names.fs_context import FsContext


class Image(Protocol):
    """Addresses of the parts of a program's image."""

    @property
    def code_start(self) -> int: ...
    @property
    def code_end(self) -> int: ...
    @property
    def data_start(self) -> int: ...
    @property
    def data_end(self) -> int: ...
    @property
    def stack_start(self) -> int: ...
    @property
    def arguments_start(self) -> int: ...
    @property
    def arguments_end(self) -> int: ...
    @property
    def environment_start(self) -> int: ...
    @property
    def environment_end(self) -> int: ...


class ProcMemory(Protocol):
    """An address space, as /proc/PID shows it."""

    @property
    def image(self) -> Image: ...
    @property
    def heap_start(self) -> int: ...
    @property
    def huge_pages_disabled(self) -> bool: ...
    def maps_text(self) -> str: ...
    def smaps_text(self) -> str: ...
    def smaps_rollup_text(self) -> str: ...
    def figures(self) -> MemoryFigures: ...

    def pagemap(self, first: int, count: int, *, expose_frames: bool) -> bytes:
        """Entries of ``count`` pages from page number ``first`` on."""

    def clear_refs(self, what: int, /) -> None: ...


class Attributes(Protocol):
    """Attributes of a process that files of /proc/PID show or set."""

    no_new_privileges: int
    oom_score_adjustment: int
    oom_score_least: int
    core_filter: int


class Signals(Protocol):
    """A set of pending signals."""

    mask: int

    @property
    def queued(self) -> Queue: ...


class Queue(Protocol):
    """The queued signals of a user."""

    count: int


class Handlers(Protocol):
    """Signal actions."""

    def ignored_and_caught(self) -> tuple[int, int]: ...


class Usage(Protocol):
    """Resources that a process or thread has used."""

    user_ns: int
    system_ns: int
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int


class ProcProgram(Protocol):
    """The program that a process executes."""

    @property
    def inode(self) -> Inode | None: ...
    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str:
        """Short name, up to 15 characters (PR_SET_NAME of prctl(2))."""

    @property
    def arguments(self) -> bytes:
        """Arguments, each followed by a NUL."""

    @property
    def environment(self) -> bytes:
        """Initial environment variables, each followed by a NUL."""

    @property
    def auxv(self) -> bytes: ...


class ProcProcess(Process, Protocol):
    """A process, as /proc/PID shows it."""

    @property
    def ppid(self) -> int: ...
    @property
    def alive(self) -> bool:
        """False for a zombie."""

    @property
    def stopped_by(self) -> int:
        """Signal that stopped it; 0 when it is not stopped."""

    @property
    def threads(self) -> Mapping[int, ProcThread]: ...
    @property
    def program(self) -> ProcProgram: ...
    @property
    def nice(self) -> int: ...
    @property
    def started(self) -> int:
        """Start time in nanoseconds of the monotonic clock."""

    @property
    def files(self) -> FdTable: ...
    @property
    def fs(self) -> FsContext: ...
    @property
    def memory(self) -> ProcMemory: ...
    @property
    def attributes(self) -> Attributes: ...
    @property
    def pending(self) -> Signals: ...
    @property
    def handlers(self) -> Handlers: ...
    @property
    def children(self) -> Collection[int]:
        """The pids of its children."""

    @property
    def children_usage(self) -> Usage:
        """Usage of the children that it has waited for."""

    @property
    def exit_signal(self) -> int: ...
    @property
    def wait_status(self) -> int:
        """Wait status of a zombie; 0 before."""

    @property
    def has_execed(self) -> bool: ...

    def rename(self, name: str, /) -> None:
        """Sets the short name of its program."""

    def usage(self) -> Usage:
        """Its own usage, without its children's."""


class ProcThread(Protocol):
    """A thread of a process."""

    @property
    def wait(self) -> Wait | None:
        """Its wait; None while it is runnable."""

    @property
    def mask(self) -> int:
        """Blocked signals."""

    @property
    def pending(self) -> Signals: ...
    def usage(self) -> Usage: ...


class ProcCaller(Protocol):
    """The thread whose system call reads /proc."""

    @property
    def process(self) -> Process: ...
    @property
    def tid(self) -> int: ...


class ProcKernel(Protocol):
    """The kernel, as /proc reads it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def random(self) -> Callable[[int], bytes]: ...
    @property
    def processes(self) -> Mapping[int, ProcProcess]: ...
    @property
    def caller(self) -> ProcCaller:
        """The thread whose system call is being executed."""

    @property
    def hostname(self) -> str: ...
    @property
    def release(self) -> str:
        """Release of uname(2), such as ``6.6.0``."""

    @property
    def memory_total(self) -> int:
        """Physical memory in bytes."""

    @property
    def machine_memory(self) -> MachineMemory: ...
    @property
    def activity(self) -> Activity: ...
    @property
    def huge_mode(self) -> str:
        """Memory that gets transparent huge pages: ``always``, ``madvise`` or ``never``."""

    @property
    def exposes_frames(self) -> bool:
        """True when pagemap shows frame numbers."""
