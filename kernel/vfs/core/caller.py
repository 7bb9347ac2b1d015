"""What the file system needs of whoever makes a system call: protocols that threads satisfy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kernel.base.resource_limits import Limits
    from kernel.vfs.core.fd_table import FdTable
    from kernel.vfs.names.fs_context import FsContext


class Memory(Protocol):
    """The guest's memory; a bad address raises Errno(EFAULT)."""

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


class Space(Protocol):
    """An address space, as /proc/PID shows it."""

    def maps_text(self) -> str: ...
    def resident_pages(self) -> int: ...
    def virtual_pages(self) -> int: ...


class Process(Protocol):
    """A process, as system calls on files see it."""

    @property
    def pid(self) -> int: ...
    @property
    def pgid(self) -> int: ...
    @property
    def sid(self) -> int: ...
    @property
    def limits(self) -> Limits: ...


class Kernel(Protocol):
    """What the file calls ask of the kernel."""

    @property
    def clock(self) -> Clock: ...
    @property
    def random(self) -> Callable[[int], bytes]: ...
    @property
    def processes(self) -> Mapping[int, Process]: ...


class Caller(Protocol):
    """The thread that makes a system call."""

    @property
    def mem(self) -> Memory: ...
    @property
    def files(self) -> FdTable: ...
    @property
    def fs(self) -> FsContext: ...
    @property
    def tid(self) -> int: ...
    @property
    def process(self) -> Process: ...
    @property
    def kernel(self) -> Kernel: ...
    @property
    def deliverable(self) -> int:
        """The set of signals that interrupt a call (bit signo-1)."""

    def send_signal(self, signo: int, /) -> None: ...

    def stop_group(self, signo: int, /) -> bool:
        """Sends a terminal's stop signal to its process group; False when that stops nobody."""

    def breaks_off(self, *, only_killed: bool) -> bool:
        """True when a signal ends a long call here, between two pieces."""

    def temporary_mask(self, mask: int, /) -> None:
        """Blocks just ``mask`` (bit signo-1) until this call, or its signal's frame, is done."""
