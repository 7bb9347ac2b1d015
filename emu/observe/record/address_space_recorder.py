"""Facts of address spaces: what is mapped, copied and let go of, and how much memory that is."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from emu.machine.pte import V, ppn
from emu.observe.dwarf.search_path import debug_files
from emu.observe.heap.allocation_tracker import AllocationTracker
from emu.observe.model import records
from emu.observe.model.raw_events import (
    CodeLocation,
    CopiesRetired,
    CopyRetired,
    Listener,
    RecordEvent,
)
from emu.observe.model.records import AnyRecord
from emu.observe.model.sink import RecordingOptions
from emu.observe.model.trace_fields import pte_flags, range_of
from emu.observe.record.address_space_pids import AddressSpacePids
from emu.observe.record.code_layouts import Layouts
from emu.observe.record.copied_pages import Copies
from emu.observe.record.memory_usage import MemoryUse, memory_use, memory_use_alone
from emu.observe.record.page_watch import PageWatch
from emu.observe.record.thread_position import ThreadLocator
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.observer import Observer

_FEW = 16
"""Processes."""
_OFTEN = 256
"""Samples."""
_LIFE = 256
"""Records: processes that end after fewer are sampled now and then only."""


class AddressSpaceRecorder(Observer):
    """Tells ``listener`` of address spaces; :class:`emu.observe.record.recorder.Recorder` adds the
    rest.

    ``seq`` counts the records that there will be.
    """

    def __init__(self, kernel: Kernel, listener: Listener, wanted: RecordingOptions) -> None:
        self.seq = 0
        self._kernel = kernel
        self._tell = listener.tell
        self._wanted = wanted
        self._copies = Copies(self._settled)
        self.debug_files = debug_files(kernel)
        self._layouts = Layouts(listener, self.debug_files.look)
        self._standpoints = ThreadLocator(kernel, self._layouts, listener, wanted.backtraces)
        self._began = kernel.clock.monotonic()
        self._pids = AddressSpacePids()
        self._watch = PageWatch(self._wanted.pages, self._pids, self._tell_of_page)
        self._cleared = False
        """Whether a system call lets go of pages that may be watched."""
        self._until_sample = 0
        self._sampled = 0
        self._ends_sampled = 0
        self._end_sampled = 0
        """The number of the record when the last one's was."""
        self._heap = (
            AllocationTracker(kernel, self._standpoints.calls) if self._wanted.heap else None
        )

    def _stamp(self) -> dict[str, Any]:
        """The fields that every record has."""
        self.seq += 1
        return {"seq": self.seq - 1, "time": self._kernel.clock.monotonic() - self._began}

    def _record(self, record: AnyRecord, where: CodeLocation | None = None) -> None:
        self._tell(RecordEvent(record, where))

    def _settled(self, pages: list[CopyRetired], why: str) -> None:
        seq, self.seq = self.seq, self.seq + len(pages)
        self._tell(CopiesRetired(seq, self._kernel.clock.monotonic() - self._began, why, pages))

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        self._layouts.changed(space, start, end)
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
            self._by_a_call(records.Map(**self._stamp(), pid=pid, range=part))
        self._watch.look()

    def _by_a_call(self, record: records.ByACall) -> None:
        """A record of what a system call changes in an address space."""
        call, by = self._kernel.current_call, self._kernel.current
        if call is None or by is None:
            self._record(record)
            return
        record.call = call
        self._record(record, self._standpoints.of(by, by.call_start[0]))

    def _tell_of_page(self, pid: int, page: int, pte: int, count: int) -> None:
        frame = ppn(pte) if pte & V else 0
        self._record(
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
        self._layouts.changed(space, start, end)
        self._layouts.changed(space, to, to + end - start)
        pid = self._pids.get(space)
        if pid is not None:
            self._by_a_call(records.Move(**self._stamp(), pid=pid, start=start, end=end, to=to))
            self._watch.look()

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        self._cleared = True
        self._copies.clearing(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._by_a_call(records.Clear(**self._stamp(), pid=pid, start=start, end=end))

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        self._layouts.changed(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._by_a_call(records.Unmap(**self._stamp(), pid=pid, start=start, end=end))
            self._watch.look()

    def discarding(self, space: AddressSpace) -> None:
        self._last_sample(space)
        self._copies.discarding(space, "discarded")
        self._layouts.discarding(space)
        if self._heap is not None:
            self._heap.discarding(space)
        self._pids.discard(space)
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
        self._until_sample = 128 * len(spaces) + sum(use.resident for use in uses) // 16
        return True

    def _last_sample(self, space: AddressSpace) -> None:
        """Of a process that ends there is one, unless there are very many that live shortly."""
        if self._sample() or not self._wanted.samples or space not in self._pids:
            return
        if self._ends_sampled < _OFTEN or self.seq - self._end_sampled >= _LIFE:
            self._ends_sampled += 1
            self._end_sampled = self.seq
            self._tell_of_memory(space, memory_use_alone(space))

    def _tell_of_memory(self, space: AddressSpace, use: MemoryUse) -> None:
        self._record(
            records.Sample(
                **self._stamp(),
                pid=self._pids[space],
                resident=use.resident,
                proportional=round(use.proportional, 2),
                unique=use.unique,
                tables=space.table.table_count,
            )
        )
