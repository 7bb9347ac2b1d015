"""A simulated machine: processes that fork, store, load and exit, without a program.

With a student's files it has the student's components; without, it is the reference that they are
compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emu.lab.components.allocator import UnmarkedFrames
from emu.lab.components.lab_machine import LabMachine
from emu.lab.host.command_bus import CommandBus
from emu.lab.host.student import LabFile
from emu.lab.host.student_process import Limits
from emu.lab.simulation import initial_layout
from emu.lab.simulation.cpu import Cpu, Killed
from emu.lab.simulation.operations import (
    Exec,
    Exit,
    FailAllocation,
    Fetch,
    Fork,
    Load,
    Map,
    Operation,
    Read,
    SetBreak,
    Store,
    Unmap,
)
from emu.machine.cause import Access
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, V, ppn
from emu.machine.ram import Ram
from kernel.base.errors import Errno, OutOfMemory
from kernel.check.memory_snapshot import MemorySnapshot
from kernel.components import Components
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking import fork
from kernel.mm.forking.fork import Policy
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution


class OperationResult(NamedTuple):
    """Result of one operation."""

    outcome: str
    """Outcomes of the fault handler, ``no memory`` or ``EFAULT``; ``ok`` if there was none."""
    value: int | None
    """Byte that was loaded."""
    copies: int
    ptes: int
    """Number of leaf PTEs written."""
    used: int
    """Number of frames in use afterwards."""


class SimulatedMachine:
    """``frames`` frames of RAM, and process 1 with the memory of
    :mod:`emu.lab.simulation.initial_layout`.
    """

    def __init__(
        self,
        frames: int,
        policy: Policy,
        files: Sequence[LabFile] = (),
        limits: Limits | None = None,
    ) -> None:
        self.machine = LabMachine(files, frames * PAGE_SIZE, limits) if files else None
        parts = self.machine.parts() if self.machine else Components()
        self.ram = self.machine.ram if self.machine else Ram(frames * PAGE_SIZE)
        self.frames = self.machine.frames if self.machine else UnmarkedFrames(self.ram)
        self._cpu = Cpu(parts.mmu(self.ram), self._record)
        self._parts = parts
        self._policy = parts.fork or policy
        self.spaces: dict[int, AddressSpace] = {}
        self.copies = self.ptes = 0
        self.sound: MemorySnapshot | None = None
        """The last snapshot of the memory in which no invariant was violated."""
        self._outcomes: list[str] = []
        self._pids = 0
        self._asid = 0
        self._new_process(self._new_space())
        initial_layout.fill(self.spaces[1])

    def replace_student(self, files: Sequence[LabFile]) -> None:
        """Replaces the student's code by ``files``; if empty, restores the student's code."""
        if self.machine is not None:
            self.machine.replace_student(files)

    def close(self) -> None:
        if self.machine is not None:
            self.machine.close()

    # Processes.

    def _new_space(self) -> AddressSpace:
        self._asid += 1
        space = self._parts.space(self.frames, self._asid, self._cpu.flush)
        space.inherits_all = True
        return space

    def _new_process(self, space: AddressSpace) -> int:
        self._pids += 1
        self.spaces[self._pids] = space
        return self._pids

    @property
    def newest(self) -> int:
        """Number of the newest process, which may have exited."""
        return self._pids

    def memory(self, earlier: MemorySnapshot | None = None) -> MemorySnapshot:
        """Returns the users of all frames, as :class:`MemorySnapshot` does."""
        memory = MemorySnapshot(self.frames, list(self.spaces.values()), earlier=earlier)
        memory.names = {space: f"pid {pid}" for pid, space in self.spaces.items()}
        return memory

    # Operations.

    def do(self, operation: Operation) -> OperationResult:
        """Executes an operation. Raises StudentFailed and EndlessFault."""
        self._outcomes = []
        self.command_log().clear()
        copies, ptes = self._frames_copied(), self._ptes_written()
        value: int | None = None
        if isinstance(operation, FailAllocation):
            self.frames.start_counting(operation.number)
        elif operation.pid in self.spaces:
            try:
                value = self._of_process(operation)
            except OutOfMemory:
                self._outcomes.append("no memory")
        return OperationResult(
            ", ".join(self._outcomes) or "ok",
            value,
            self._frames_copied() - copies,
            self._ptes_written() - ptes,
            self.frames.used,
        )

    def _frames_copied(self) -> int:
        """Number of frames copied so far, by the student's commands or the kernel's count."""
        return self.machine.bus.counts.copies if self.machine else self.copies

    def _ptes_written(self) -> int:
        """Number of leaf PTEs written so far, by the student's commands or the kernel's count."""
        return self.machine.bus.counts.ptes if self.machine else self.ptes

    def _of_process(self, operation: Operation) -> int | None:
        match operation:
            case Fork(pid, children):
                for _ in range(children):
                    self._fork(pid)
            case Exit(pid):
                self._exit(pid)
            case Store(pid, va, value):
                self._store(pid, va, value)
            case Load(pid, va):
                return self._load(pid, va)
            case Read(pid, va, count, value):
                self._read(pid, va, bytes([value]) * count)
            case Fetch(pid, va):
                self._access(pid, va, Access.FETCH)
            case SetBreak(pid, pages):
                self._set_break(self.spaces[pid], pages)
            case Map(pid, va, pages, prot):
                _map(self.spaces[pid], va, va + pages * PAGE_SIZE, Prot(prot))
            case Unmap(pid, va, pages):
                self.spaces[pid].unmap(va, va + pages * PAGE_SIZE)
            case Exec(pid):
                self._exec(pid)
        return None

    def _fork(self, pid: int) -> None:
        self._asid += 1
        child, cost = fork.fork(self.spaces[pid], self._asid, self._policy)
        self.copies += cost.frames_copied
        self.ptes += cost.ptes_written
        self._new_process(child)

    def _exit(self, pid: int) -> None:
        self._cpu.flush()
        self.spaces.pop(pid).leave()

    def _exec(self, pid: int) -> None:
        self._cpu.flush()
        old, self.spaces[pid] = self.spaces[pid], self._new_space()
        old.leave()
        initial_layout.fill(self.spaces[pid])

    def _set_break(self, space: AddressSpace, pages: int) -> None:
        end = space.brk_start + pages * PAGE_SIZE
        if end < space.brk:
            space.unmap(end, space.brk)
        elif end > space.brk:
            space.add(Vma(space.brk, end, Prot.READ | Prot.WRITE, name="heap"))
        space.brk = end

    def _load(self, pid: int, va: int) -> int | None:
        address = self._access(pid, va, Access.LOAD)
        return None if address is None else self.ram.read(address, 1)[0]

    def _store(self, pid: int, va: int, value: int) -> None:
        address = self._access(pid, va, Access.STORE)
        if address is not None:
            self.ram.write(address, bytes([value]))

    def _read(self, pid: int, va: int, data: bytes) -> None:
        space = self.spaces[pid]
        self._cpu.switch(space)
        memory = self._parts.user_memory(space, lambda _space, resolution: self._record(resolution))
        pages = range(va & ~PAGE_MASK, va + len(data), PAGE_SIZE)
        before, ptes = [space.table.pte(page) for page in pages], self.ptes
        try:
            memory.write(va, data)
        except Errno:
            self._outcomes.append("EFAULT")
        finally:
            after = [space.table.pte(page) for page in pages]
            self.ptes = ptes + sum(map(int.__ne__, before, after))

    def _access(self, pid: int, va: int, access: Access) -> int | None:
        """Physical address of an access; None when it kills the process, and no other."""
        try:
            return self._cpu.translate(self.spaces[pid], va, access)
        except Killed:
            self._exit(pid)
            return None

    def _record(self, resolution: Resolution) -> None:
        self._outcomes.append(str(resolution.outcome))
        self.copies += resolution.outcome is Outcome.COPIED
        self.ptes += resolution.pte_before != resolution.pte_after

    # State.

    @property
    def bus(self) -> CommandBus | None:
        """The bus that executes the student's commands; None for the reference."""
        return self.machine.bus if self.machine else None

    def command_log(self) -> list[str]:
        """Returns a line for each command of the student's code in the last operation."""
        return self.machine.bus.log if self.machine else []

    def content(self, pid: int) -> dict[int, bytes]:
        """Returns the content of every page of ``pid``, by address."""
        return {
            va: self.ram.read_frame(ppn(pte))
            for va, pte in self.spaces[pid].table.present()
            if pte & V and self.ram.holds(ppn(pte) << PAGE_SHIFT)
        }


def _map(space: AddressSpace, start: int, end: int, prot: Prot) -> None:
    """mmap(2) with MAP_FIXED_NOREPLACE: does nothing if the range overlaps a mapping."""
    if not space.overlapping(start, end):
        space.add(Vma(start, end, prot, name="mmap"))
