"""Records of address spaces: what is mapped, copied and let go of, and how much memory that is."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from emu.machine.pte import V, ppn
from emu.observe import records
from emu.observe.backtraces import Backtraces
from emu.observe.copies import Copies, Copy
from emu.observe.entries import pte_flags, range_of
from emu.observe.heap import Heap
from emu.observe.page_watch import PageWatch
from emu.observe.places import with_line
from emu.observe.records import Place
from emu.observe.sharing import MemoryUse, memory_use, memory_use_alone
from emu.observe.symbols import Code, Symbols
from emu.observe.wanted import Sink, Wanted
from kernel.events import Observer
from kernel.kernel import Kernel
from kernel.process import Thread
from kernel.space import AddressSpace

_FEW = 16
"""Processes."""
_OFTEN = 256
"""Samples."""


class SpaceRecorder(Observer):
    """Tells ``sink`` of address spaces; :class:`emu.observe.recorder.Recorder` adds the rest."""

    def __init__(self, kernel: Kernel, sink: Sink, wanted: Wanted) -> None:
        self.symbols = Symbols()
        self._kernel = kernel
        self._sink = sink
        self._wanted = wanted
        self._copies = Copies(self._settled)
        self._backtraces = Backtraces(self._wanted.backtraces)
        self._seq = 0
        self._began = kernel.clock.monotonic()
        self._pids: dict[AddressSpace, int] = {}
        self._watch = PageWatch(self._wanted.pages, self._pids, self._tell_of_page)
        self._cleared = False
        """Whether a system call lets go of pages that may be watched."""
        self._until_sample = 0
        self._sampled = 0
        self._heap = Heap(kernel, self._callers) if self._wanted.heap else None

    def _stamp(self) -> dict[str, Any]:
        """The fields that every record has."""
        self._seq += 1
        return {"seq": self._seq - 1, "time": self._kernel.clock.monotonic() - self._began}

    def _backtrace(self, thread: Thread, code: Code, pc: int) -> list[Place]:
        """The callers of ``pc``, the nearest first; of the running thread only."""
        if not self._wanted.backtraces or thread is not self._kernel.current or not pc:
            return []
        registers = self._kernel.hart.stack_registers()
        return self._backtraces.places(thread.process, code, pc, registers)

    def _callers(self, thread: Thread, pc: int) -> list[int]:
        """The return addresses of the running thread at ``pc``."""
        process, registers = thread.process, self._kernel.hart.stack_registers()
        return self._backtraces.callers(process, self.symbols.of(process.space), pc, registers)

    def _settled(self, copy: Copy, page: int, changed: int, why: str) -> None:
        self._sink(
            records.Settled(
                **self._stamp(),
                fault=copy.fault,
                pid=copy.pid,
                address=page,
                bytes_changed=changed,
                why=why,
            )
        )

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        self.symbols.changed(space, start, end)
        if self._heap is not None and space in self._pids:
            self._heap.mapped(space, start, end)
        self._tell_of_ranges(space, start, end)

    protected = mapped

    def _tell_of_ranges(self, space: AddressSpace, start: int, end: int) -> None:
        pid = self._pids.get(space)
        if pid is None:
            return  # an image that is being made: the exec record has its ranges
        for vma in space.overlapping(start, end):
            whole = range_of(vma)
            part = replace(whole, start=max(start, vma.start), end=min(end, vma.end))
            self._sink(records.Map(**self._stamp(), pid=pid, range=part, **self._by()))
        self._watch.look()

    def _by(self) -> dict[str, Any]:
        """The system call that changes an address space, and the source line that made it."""
        call, by = self._kernel.current_call, self._kernel.current
        if call is None or by is None:
            return {}
        pc = by.call_start[0]
        code = self.symbols.of(by.process.space)
        return {"call": call, "place": with_line(code.place(pc), self._backtrace(by, code, pc))}

    def _tell_of_page(self, pid: int, page: int, pte: int, count: int) -> None:
        frame = ppn(pte) if pte & V else 0
        self._sink(
            records.Page(
                **self._stamp(),
                pid=pid,
                address=page,
                pte=pte,
                flags=pte_flags(pte),
                frame=frame,
                count=count,
            )
        )

    def moved(self, space: AddressSpace, start: int, end: int, to: int) -> None:
        self._copies.moved(space, start, end, to)
        self.symbols.changed(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._sink(
                records.Move(**self._stamp(), pid=pid, start=start, end=end, to=to, **self._by())
            )
            self._watch.look()

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        self._cleared = True
        self._copies.clearing(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._sink(records.Clear(**self._stamp(), pid=pid, start=start, end=end, **self._by()))

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        self.symbols.changed(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._sink(records.Unmap(**self._stamp(), pid=pid, start=start, end=end, **self._by()))
            self._watch.look()

    def discarding(self, space: AddressSpace) -> None:
        self._last_sample(space)
        self._copies.discarding(space, "discarded")
        self.symbols.discarding(space)
        if self._heap is not None:
            self._heap.discarding(space)
        self._pids.pop(space, None)
        self._watch.discarding(space)

    # Memory over time.

    def _sample(self) -> bool:
        """Tells how much memory each process has; so seldom that it is a small part of the work.

        Where a fork, an exec or an end calls it that is each time, in the first part of a run.
        Whether it did.
        """
        seldom = self._sampled > _OFTEN or len(self._pids) > _FEW
        if not self._wanted.samples or (self._until_sample > 0 and seldom):
            return False
        self._sampled += 1
        spaces = list(self._pids)
        uses = memory_use(spaces)
        for space, use in zip(spaces, uses, strict=True):
            self._tell_of_memory(space, use)
        self._until_sample = 32 * len(spaces) + sum(use.resident for use in uses) // 16
        return True

    def _last_sample(self, space: AddressSpace) -> None:
        """Of a process that ends there is one in any case."""
        done = self._sample() or not self._wanted.samples or space not in self._pids
        if not done:
            self._tell_of_memory(space, memory_use_alone(space))

    def _tell_of_memory(self, space: AddressSpace, use: MemoryUse) -> None:
        self._sink(
            records.Sample(
                **self._stamp(),
                pid=self._pids[space],
                resident=use.resident,
                proportional=round(use.proportional, 2),
                unique=use.unique,
                tables=space.table.table_count,
            )
        )
