"""Fakes of a thread, its memory and its kernel, sufficient for calls on files."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from kernel.base.errno import EFAULT, ENAMETOOLONG
from kernel.base.errors import Errno
from kernel.base.memory_figures import Activity, MachineMemory, MemoryFigures
from kernel.base.resource_limits import Limits
from kernel.base.wait import Result, Wait
from kernel.mm.mappings.image_layout import ImageLayout
from kernel.process.accounting.resource_usage import ResourceUsage
from kernel.process.attributes import Attributes
from kernel.process.signals.signals import Handlers, Pending
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.memfs.memfs import MemFs
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.proc.system import mount_proc

if TYPE_CHECKING:
    from kernel.base.clock import VirtualClock
    from kernel.mm.faults.user_memory import UserMemory
    from kernel.process.process import Process, Thread
    from kernel.process.state import KernelState
    from kernel.syscalls.context import SyscallContext
else:
    # The fakes are subclasses for the type checker only: they share no code with the kernel.
    KernelState = Process = SyscallContext = UserMemory = VirtualClock = object

BASE = 0x10000
ROOT = Credentials(0, 0)


class FakeMemory(UserMemory):
    """``size`` bytes of guest memory from BASE on; everything else is EFAULT."""

    def __init__(self, size: int = 1 << 21) -> None:
        self.bytes = bytearray(size)
        self._next = BASE

    def _at(self, va: int, n: int) -> int:
        if va < BASE or va + n > BASE + len(self.bytes):
            raise Errno(EFAULT)
        return va - BASE

    def read(self, va: int, n: int) -> bytes:
        at = self._at(va, n)
        return bytes(self.bytes[at : at + n])

    def write(self, va: int, data: bytes | bytearray | memoryview) -> None:
        at = self._at(va, len(data))
        self.bytes[at : at + len(data)] = data

    def read_cstr(self, va: int, limit: int = 4096) -> bytes:
        at = self._at(va, 1)
        end = self.bytes.find(0, at, at + limit)
        if end < 0:
            raise Errno(ENAMETOOLONG)
        return bytes(self.bytes[at:end])

    def read_u32(self, va: int) -> int:
        return int.from_bytes(self.read(va, 4), "little")

    def read_u64(self, va: int) -> int:
        return int.from_bytes(self.read(va, 8), "little")

    def write_u32(self, va: int, value: int) -> None:
        self.write(va, value.to_bytes(4, "little"))

    def write_u64(self, va: int, value: int) -> None:
        self.write(va, value.to_bytes(8, "little"))

    def alloc(self, n: int) -> int:
        """The address of ``n`` fresh bytes."""
        va = self._next
        self._next += (n + 15) & ~15
        assert self._next <= BASE + len(self.bytes)
        return va

    def put(self, data: bytes) -> int:
        va = self.alloc(len(data))
        self.write(va, data)
        return va

    def text(self, text: str | bytes) -> int:
        raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        return self.put(raw + b"\0")


class FakeClock(VirtualClock):
    def __init__(self) -> None:
        self.now = 1_000_000_000

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return self.now + 1_700_000_000_000_000_000


class FakeProgram:
    inode = None
    path = "/bin/prog"
    name = "prog"
    arguments = b"prog\0-x\0"
    environment = b"A=1\0"
    auxv = b""


class FakeProcessMemory:
    image, heap_start, huge_pages_disabled = ImageLayout(), 0, False

    def maps_text(self) -> str:
        return "10000-11000 r-xp 00000000 00:00 0 /bin/prog\n"

    def smaps_text(self) -> str:
        return self.maps_text() + "Rss: 12 kB\n"

    def smaps_rollup_text(self) -> str:
        return self.smaps_text()

    def figures(self) -> MemoryFigures:
        return MemoryFigures(virtual=7, anonymous=1, file=2)

    def pagemap(self, first: int, count: int, *, expose_frames: bool) -> bytes:
        return bytes(8 * count)

    def clear_refs(self, what: int) -> None:
        pass


class FakeProcess(Process):
    """A process with one thread."""

    ppid: int
    alive: bool
    wait_status: int
    program: Any
    memory: Any
    threads: dict[int, Any]

    def __init__(self, kernel: FakeKernel, pid: int, fs: FsContext, files: FdTable) -> None:
        self.kernel = kernel
        self.pid = self.pgid = self.sid = pid
        self.ppid = 1
        self.terminal, self.former_foreground = None, 0
        self.fs, self.files = fs, files
        self.alive, self.stopped_by, self.nice = True, 0, 0
        self.started = 0
        self.wait_status, self.exit_signal, self.has_execed = 0, 17, True
        self.limits, self.attributes = Limits(), Attributes()
        self.handlers, self.pending = Handlers(), Pending()
        self.children_usage = ResourceUsage()
        self.program, self.memory = FakeProgram(), FakeProcessMemory()
        self.threads = {}
        self.children: dict[int, Process] = {}
        kernel.processes[pid] = self

    def usage(self) -> ResourceUsage:
        return ResourceUsage()


class FakeKernel(KernelState):
    hostname, release = "emu", "6.6.0"
    memory_total, exposes_frames = 1 << 30, False
    huge_mode = "madvise"
    machine_memory = MachineMemory(total=1 << 18, free=1 << 17, cached=512, shmem=256)
    activity = Activity()
    caller: Any = None
    clock: FakeClock

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.processes: dict[int, Any] = {}
        self._seed = itertools.count(1)
        self.group_signals: list[tuple[int, int]] = []
        self.process_signals: list[tuple[int, int]] = []

    def signal_group(self, group: int, signo: int) -> None:
        self.group_signals.append((group, signo))

    def signal_process(self, pid: int, signo: int) -> None:
        self.process_signals.append((pid, signo))

    def random(self, n: int) -> bytes:
        return bytes(next(self._seed) % 256 for _ in range(n))


class FakeThread(SyscallContext):
    """The caller of a system call."""

    kernel: FakeKernel
    process: FakeProcess
    mem: FakeMemory
    fs: FsContext
    files: FdTable
    tid: int
    deliverable: int

    def __init__(self, kernel: FakeKernel, fs: FsContext, files: FdTable, pid: int = 1) -> None:
        self.kernel = kernel
        self.thread = cast("Thread", self)
        self.fs, self.files = fs, files
        self.tid = pid
        self.mem = FakeMemory()
        self.signals: list[int] = []
        self.wait: Wait | None = None
        self.mask = 0
        self.pending = Pending()
        self.woken = 0
        self.deliverable = 0
        self.process = FakeProcess(kernel, pid, fs, files)
        self.process.threads[pid] = self
        kernel.caller = self

    def usage(self) -> ResourceUsage:
        return ResourceUsage()

    def send_signal(self, signo: int) -> None:
        self.signals.append(signo)

    def stop_group(self, signo: int) -> bool:
        return False

    def signal_group(self, group: int, signo: int) -> None:
        self.kernel.signal_group(group, signo)

    @property
    def is_privileged(self) -> bool:
        return self.fs.credentials.is_privileged

    def breaks_off(self, *, only_killed: bool) -> bool:
        return self.deliverable != 0 and not only_killed

    def temporary_mask(self, mask: int) -> None:
        self.mask = mask

    def wake(self) -> None:
        self.woken += 1

    def fork(self, pid: int = 2) -> FakeThread:
        """Another process with a copy of the descriptors, in the same memory."""
        child = FakeThread(self.kernel, self.fs.copy(), self.files.copy(), pid)
        child.mem = self.mem
        self.process.children[pid] = child.process
        return child


def new_thread(namespace: Namespace | None = None, who: Credentials = ROOT) -> FakeThread:
    """A caller in ``namespace``, by default one in memory, with /proc."""
    if namespace is None:
        tree = MemFs(number=9, owner=who)
        namespace = Namespace(tree.root, memory_files=MemFs(number=5, budget=tree.budget))
    kernel = FakeKernel()
    mount_proc(namespace, kernel)
    namespace.connect_terminals(kernel)
    fs = FsContext(namespace, namespace.root, 0o022, who)
    return FakeThread(kernel, fs, FdTable(budget=namespace.budget))


def done(result: Result) -> int:
    """Result of a call, which must not block."""
    assert isinstance(result, int), "the call waits"
    return result


class Blocked:
    """A blocking call, run until it blocks."""

    def __init__(self, result: Result) -> None:
        assert isinstance(result, Generator), f"the call did not wait: {result}"
        self._call = result
        self.answer: int | None = None
        self.wait: Wait | None = None
        self._run(lambda: next(self._call))

    def resume(self) -> Blocked:
        self._run(lambda: next(self._call))
        return self

    def interrupt(self, error: BaseException) -> Blocked:
        self._run(lambda: self._call.throw(error))
        return self

    def _run(self, step: Any) -> None:
        try:
            self.wait = step()
        except StopIteration as stop:
            self.wait, self.answer = None, stop.value

    @property
    def waits(self) -> bool:
        return self.wait is not None
