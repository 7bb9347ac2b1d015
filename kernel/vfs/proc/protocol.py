"""Protocols of the kernel's objects that /proc reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from kernel.base.wait import Wait
from kernel.vfs.core.caller import Clock, Process
from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.core.inode import Inode
from kernel.vfs.names.fs_context import FsContext


class Space(Protocol):
    """An address space, as /proc/PID shows it."""

    @property
    def locked_bytes(self) -> int: ...
    def maps_text(self) -> str: ...
    def resident_pages(self) -> int: ...
    def virtual_pages(self) -> int: ...


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
    def cpu_ns(self) -> int:
        """CPU time in nanoseconds."""

    @property
    def started(self) -> int:
        """Start time in nanoseconds of the monotonic clock."""

    @property
    def files(self) -> FdTable: ...
    @property
    def fs(self) -> FsContext: ...
    @property
    def space(self) -> Space: ...


class ProcThread(Protocol):
    """A thread of a process."""

    @property
    def wait(self) -> Wait | None:
        """Its wait; None while it is runnable."""


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
    def memory_in_files(self) -> int:
        """Bytes of frames that hold files in memory."""

    @property
    def memory_free(self) -> int:
        """Bytes of free frames."""
