"""Protocols of the kernel's objects that files use; threads and processes satisfy them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from kernel.base.resource_limits import Limits
from kernel.vfs.core.session_terminal import SessionTerminal


class Memory(Protocol):
    """A process's memory; an address that may not be accessed raises Errno(EFAULT)."""

    def read(self, va: int, n: int, /) -> bytes: ...
    def write(self, va: int, data: bytes, /) -> None: ...
    def read_cstr(self, va: int, limit: int = 4096, /) -> bytes: ...
    def read_u32(self, va: int, /) -> int: ...
    def read_u64(self, va: int, /) -> int: ...
    def write_u32(self, va: int, value: int, /) -> None: ...
    def write_u64(self, va: int, value: int, /) -> None: ...


class Clock(Protocol):
    """Nanoseconds; ``realtime`` since 1970."""

    def monotonic(self) -> int: ...
    def realtime(self) -> int: ...


class Process(Protocol):
    """A process, as system calls on files see it."""

    terminal: SessionTerminal | None
    """Its controlling terminal."""
    former_foreground: int
    """Foreground group of its session's terminal when that was hung up; 0 without one."""

    @property
    def pid(self) -> int: ...
    @property
    def pgid(self) -> int: ...
    @property
    def sid(self) -> int: ...
    @property
    def limits(self) -> Limits: ...


class Kernel(Protocol):
    """The kernel, as system calls on files see it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def random(self) -> Callable[[int], bytes]: ...
    @property
    def processes(self) -> Mapping[int, Process]: ...


class IoctlCaller(Protocol):
    """The thread whose system call operates on an open file, such as ioctl(2)."""

    @property
    def mem(self) -> Memory: ...
    @property
    def tid(self) -> int: ...
    @property
    def process(self) -> Process: ...
    @property
    def kernel(self) -> Kernel: ...

    def stop_group(self, signo: int, /) -> bool:
        """Sends a terminal's stop signal to the caller's process group; False when it stops none
        of its processes because they block or ignore it; EIO in an orphaned group.
        """

    def signal_group(self, group: int, signo: int, /) -> None:
        """Sends a terminal's signal to a process group; 0 is none."""

    @property
    def is_privileged(self) -> bool:
        """True with root's rights."""
