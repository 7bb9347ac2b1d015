"""Waits until a program comes to a place, and draws the walk of an address there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SHIFT, V, is_leaf, ppn
from emu.observe.model.records import text
from emu.observe.symbols.address_expression import NamedAddress
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols, loads_libraries
from emu.observe.walk.drawing import Walk, draw_walk, take_walk
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.mm.frames import Kind
from kernel.mm.vma import Prot, Vma
from kernel.process.observer import Observer
from kernel.process.process import Process, Thread
from kernel.trap.run_loop import Stopped

REFUSED_STATUS = 2

_KINDS = {
    Kind.FREE: "which is free",
    Kind.PRIVATE: "private memory",
    Kind.CACHE: "a page of a file or of shared memory",
    Kind.TABLE: "a page table",
    Kind.ZERO: "the frame of zeroes",
}


class WalkAt(Observer):
    """Draws the walk once, then ends the run.

    ``at`` is an instruction, or None for the process's end. ``pid``, or else whichever process is
    the first, has to come there ``hit`` times.
    """

    def __init__(
        self,
        at: NamedAddress | None,
        address: NamedAddress,
        access: Access,
        pid: int | None,
        hit: int,
        kernel: Kernel,
    ) -> None:
        self.at, self.address = at, address
        self.access = access
        self.pid, self.hit = pid, hit
        self.lines: list[str] = []
        """The drawing, when it has been made."""
        self.refused = False
        """The user asked for what can't be; the run has told what."""
        self.hits: Counter[int] = Counter()
        """How often each process has come there."""
        self.missing = ""
        """That a symbol was in no file that was mapped at first, in words."""
        self._symbols: ProgramSymbols
        self._kernel = kernel

    def started(self, process: Process) -> None:
        self._symbols = ProgramSymbols(process)
        try:
            if self.address.symbol is not None:
                self._locate(self.address, process)
            self._watch(process)
        except NoSymbol as error:
            if loads_libraries(process):
                self.missing = str(error)
                self._watch_if_there(process)
                return
            self._end(Stopped(REFUSED_STATUS, str(error)))
            self.refused = True

    def execed(self, process: Process) -> None:
        if self._symbols.belong_to(process):
            self._watch_if_there(process)

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        """A library that is loaded may have the symbols."""
        if not self.missing:
            return
        thread = self._kernel.current
        if thread is not None and thread.process.space is space:
            self._watch_if_there(thread.process)

    def reached(self, thread: Thread, pc: int) -> None:
        process = thread.process
        if self._is_there(process, pc) and self._is_the_one(process):
            raise self._drawn(process, f"before the instruction at {pc:#x}")

    def leaving(self, process: Process) -> None:
        if self.at is not None or process.alive:
            return
        if self._has_the_symbols(process) and self._is_the_one(process):
            self._end(self._drawn(process, "at its end"))

    def _watch(self, process: Process) -> None:
        if self.at is not None:
            self._kernel.breakpoints.add(self._locate(self.at, process))

    def _locate(self, named: NamedAddress, process: Process) -> int:
        return named.address(self._symbols, process, self._kernel.hart)

    def _watch_if_there(self, process: Process) -> None:
        with suppress(NoSymbol):
            self._watch(process)

    def _is_there(self, process: Process, pc: int) -> bool:
        """One program's symbol may have the address of another's, or of a number that is meant."""
        at = self.at
        if at is None or not self._has_the_symbols(process):
            return False
        with suppress(NoSymbol):
            return self._locate(at, process) == pc
        return False

    def _has_the_symbols(self, process: Process) -> bool:
        """Whether what was named means something in the process: it may run another program."""
        named = any(place is not None and place.symbol for place in (self.at, self.address))
        return not named or self._symbols.belong_to(process)

    def _is_the_one(self, process: Process) -> bool:
        """Counts the process's coming there; whether it's the one that was asked for."""
        self.hits[process.pid] += 1
        mine = self.pid in (None, process.pid)
        return mine and not self.lines and self.hits[process.pid] == self.hit

    def _drawn(self, process: Process, when: str) -> Stopped:
        """Draws, and says how the run is to end."""
        try:
            self._draw(process, when)
        except NoSymbol as error:
            self.refused = True
            return Stopped(REFUSED_STATUS, str(error))
        return Stopped(0)

    def _draw(self, process: Process, when: str) -> None:
        va = self._locate(self.address, process)
        mmu = self._kernel.hart.mmu
        before = mmu.satp
        mmu.satp = process.space.table.satp
        walk = take_walk(mmu, va, self.access)
        mmu.satp = before
        notes = [*_memory(process.space, va), *_frame(self._kernel, process, walk)]
        self.lines = draw_walk(walk, who=f"by {process!r}, {when}", notes=notes)

    def _end(self, stop: Stopped) -> None:
        """Ends the run before the next instruction."""

        def end() -> None:
            raise stop

        self._kernel.call_soon(end)


def _memory(space: AddressSpace, va: int) -> Iterator[tuple[str, str]]:
    """The VMA in which the address lies."""
    vma = space.find(va)
    if vma is None:
        yield "memory", "nothing is mapped there"
    else:
        range_ = f"{vma.start:#x}-{vma.end:#x}"
        yield "memory", f"{range_} {_rights(vma)} {text(vma.name) or 'anonymous'}"


def _rights(vma: Vma) -> str:
    """As in /proc/PID/maps."""
    letters = ((Prot.READ, "r"), (Prot.WRITE, "w"), (Prot.EXEC, "x"))
    text = "".join(letter if vma.prot & bit else "-" for bit, letter in letters)
    return text + ("s" if vma.shared else "p")


def _frame(kernel: Kernel, process: Process, walk: Walk) -> Iterator[tuple[str, str]]:
    """Who shares the frame of the leaf, whether or not the access is allowed."""
    pte = walk.steps[-1].pte if walk.steps else None
    if pte is None or not pte & V or not is_leaf(pte):
        return
    frame, frames = ppn(pte), process.space.frames
    if not frames.ram.holds(frame << PAGE_SHIFT):
        return
    yield "frame", f"{frame:#x}, {_KINDS[frames.kind(frame)]}, count {frames.count(frame)}"
    sharers = [
        str(other.pid)
        for other in kernel.processes.values()
        if (other.alive or other is process) and _maps(other.space, walk.va, frame)
    ]
    yield "", f"at this address it is mapped by pid {', '.join(sharers)}"


def _maps(space: AddressSpace, va: int, frame: int) -> bool:
    pte = space.table.pte(va)
    return bool(pte & V) and ppn(pte) == frame
