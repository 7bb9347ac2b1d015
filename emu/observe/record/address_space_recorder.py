"""Records of address spaces: mappings, copied pages, releases, and samples of memory usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from emu.machine.pte import V, ppn
from emu.observe.dwarf.search_path import debug_files
from emu.observe.model import records
from emu.observe.model.raw_events import (
    CodeLocation,
    CopiesRetired,
    CopyRetired,
    RecordEvent,
)
from emu.observe.model.records import AnyRecord
from emu.observe.model.sink import RecordingOptions
from emu.observe.model.trace_fields import range_of
from emu.observe.record.address_space_pids import AddressSpacePids
from emu.observe.record.code_layouts import Layouts
from emu.observe.record.copied_pages import CopiedPages
from emu.observe.record.memory_usage import MemoryUse, memory_use, memory_use_from_counts
from emu.observe.record.page_watch import PageWatch
from emu.observe.record.row_receiver import RowReceiver
from emu.observe.record.thread_position import ThreadLocator
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.mm.page_tables.pte_text import pte_flags
from kernel.process.observer import Observer

if TYPE_CHECKING:
    from emu.observe.heap.allocation_tracker import AllocationTracker

_FEW_PROCESSES: Final = 16
"""Up to this number of processes, each fork, exec and exit is sampled."""
_MANY_SAMPLES: Final = 100
"""Number of samples after which a run is sampled at intervals only."""
_LONG_LIFE: Final = 256
"""Minimum number of records between the last samples of two processes, in a run with many."""


class AddressSpaceRecorder(Observer):
    """Emits the events of address spaces to ``receiver``.

    :class:`emu.observe.record.recorder.Recorder` adds the rest. ``seq`` is the number of the next
    record.
    """

    def __init__(self, kernel: Kernel, receiver: RowReceiver, options: RecordingOptions) -> None:
        self.seq = 0
        self._kernel = kernel
        self._emit = receiver.receive
        self._options = options
        self._copies = CopiedPages(self._emit_retired)
        self.debug_files = debug_files(kernel)
        self._layouts = Layouts(receiver, self.debug_files.look)
        self._locator = ThreadLocator(kernel, self._layouts, receiver, options.backtraces)
        self._start_time = kernel.clock.monotonic()
        self._pids = AddressSpacePids()
        self._watch = PageWatch(self._options.pages, self._pids, self._record_page)
        self._clear_pending = False
        """True when the current system call has released pages, which may be watched."""
        self._until_sample = 0
        self._sample_count = 0
        self._exit_sample_count = 0
        self._last_exit_sample = 0
        """Number of the record at which a process was last sampled on exit."""
        self._heap: AllocationTracker | None = None
        if options.heap:
            self._track_heap()

    def _track_heap(self) -> None:
        from emu.observe.heap.allocation_tracker import AllocationTracker

        self._heap = AllocationTracker(self._kernel, self._locator.calls)

    def _stamp(self) -> dict[str, Any]:
        """Returns the fields that every record has."""
        self.seq += 1
        return {"seq": self.seq - 1, "time": self._kernel.clock.monotonic() - self._start_time}

    def _record(self, record: AnyRecord, where: CodeLocation | None = None) -> None:
        self._emit(RecordEvent(record, where))

    def _emit_retired(self, pages: list[CopyRetired], why: str) -> None:
        seq, self.seq = self.seq, self.seq + len(pages)
        self._emit(
            CopiesRetired(seq, self._kernel.clock.monotonic() - self._start_time, why, pages)
        )

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        self._layouts.changed(space, start, end)
        if self._heap is not None and space in self._pids:
            self._heap.mapped(space, start, end)
        self._record_ranges(space, start, end)

    def protected(self, space: AddressSpace, start: int, end: int) -> None:
        self.mapped(space, start, end)

    def _record_ranges(self, space: AddressSpace, start: int, end: int) -> None:
        pid = self._pids.get(space)
        if pid is None:
            return  # an image under construction: the exec record has its ranges
        for vma in space.overlapping(start, end):
            whole = range_of(vma)
            part = replace(whole, start=max(start, vma.start), end=min(end, vma.end))
            self._record_with_call(records.Map(**self._stamp(), pid=pid, range=part))
        self._watch.check()

    def _record_with_call(self, record: records.ByACall) -> None:
        """Emits a change of an address space with the system call that made it."""
        call, by = self._kernel.current_call, self._kernel.current
        if call is None or by is None:
            self._record(record)
            return
        record.call = call
        self._record(record, self._locator.of(by, by.call_start[0]))

    def _record_page(self, pid: int, page: int, pte: int, count: int) -> None:
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
            self._record_with_call(
                records.Move(**self._stamp(), pid=pid, start=start, end=end, to=to)
            )
            self._watch.check()

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        self._clear_pending = True
        self._copies.clearing(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._record_with_call(records.Clear(**self._stamp(), pid=pid, start=start, end=end))

    def huge_split(self, space: AddressSpace, start: int) -> None:
        self._record_page_size(space, start, {"huge": False})

    def collapsed(self, space: AddressSpace, start: int, copied: int) -> None:
        vma = space.find(start)
        assert vma is not None
        change = {"huge": True, "copied": copied, "vma": range_of(vma)}
        self._record_page_size(space, start, change)

    def _record_page_size(self, space: AddressSpace, address: int, change: dict[str, Any]) -> None:
        pid = self._pids.get(space)
        if pid is not None:
            self._record_with_call(
                records.PageSize(**self._stamp(), pid=pid, address=address, **change)
            )
            self._watch.check()

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        self._layouts.changed(space, start, end)
        pid = self._pids.get(space)
        if pid is not None:
            self._record_with_call(records.Unmap(**self._stamp(), pid=pid, start=start, end=end))
            self._watch.check()

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
        """Samples the memory of all processes unless the last sample is too recent.

        Intervals grow with the work of a sample, which remains a small part of the run. In the
        first part of a run every call (on fork, exec and exit) takes a sample. Returns True when
        one was taken.
        """
        is_rare = self._sample_count > _MANY_SAMPLES or len(self._pids) > _FEW_PROCESSES
        if not self._options.samples or (self._until_sample > 0 and is_rare):
            return False
        self._sample_count += 1
        spaces = list(self._pids)
        uses = memory_use(spaces)
        for space, use in zip(spaces, uses, strict=True):
            self._record_sample(space, use)
        self._until_sample = 128 * len(spaces) + sum(use.resident for use in uses) // 16
        return True

    def _last_sample(self, space: AddressSpace) -> None:
        """Samples a process that ends, unless very many processes live only for a short time."""
        if self._sample() or not self._options.samples or space not in self._pids:
            return
        if (
            self._exit_sample_count < _MANY_SAMPLES
            or self.seq - self._last_exit_sample >= _LONG_LIFE
        ):
            self._exit_sample_count += 1
            self._last_exit_sample = self.seq
            self._record_sample(space, memory_use_from_counts(space))

    def _record_sample(self, space: AddressSpace, use: MemoryUse) -> None:
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
