"""The recorder: turns all of the kernel's events into the raw events of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from emu.machine.pte import PAGE_MASK
from emu.observe.model import records
from emu.observe.model.outcomes import COPIES
from emu.observe.model.raw_events import CodeLocation
from emu.observe.model.records import text
from emu.observe.model.sink import RecordingOptions
from emu.observe.model.trace_fields import range_of
from emu.observe.record.address_space_recorder import AddressSpaceRecorder
from emu.observe.record.fault_rows import FaultRows
from emu.observe.record.fork_ranges import excluded_from_fork
from emu.observe.record.row_receiver import RowReceiver
from emu.version import VERSION
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork_cost import ForkCost
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution
from kernel.process.observer import Fault
from kernel.process.process import Process, Thread
from kernel.process.signals import signals
from kernel.syscalls.table import TABLE

if TYPE_CHECKING:
    from emu.observe.heap.allocation_tracker import AllocationTracker

_COPIES: Final = tuple(COPIES)
"""A tuple, as hashing an enum's member calls Python code."""


class Recorder(AddressSpaceRecorder):
    """Emits the raw events of a run to ``receiver``.

    Call ``begin`` before the run and ``finish`` after it.
    """

    def __init__(
        self,
        kernel: Kernel,
        command: Sequence[str],
        receiver: RowReceiver,
        options: RecordingOptions | None = None,
    ) -> None:
        super().__init__(kernel, receiver, options or RecordingOptions())
        self._command = list(command)
        self._rows = FaultRows(kernel, receiver, self._locator, self._pids, self._start_time)
        self._calls: dict[Thread, int] = {}
        self.observes_calls = self._options.calls or bool(self._options.pages)

    def begin(self) -> None:
        config = self._kernel.config
        self._record(
            records.Start(
                **self._stamp(),
                schema=records.SCHEMA,
                emu=VERSION,
                command=[text(word) for word in self._command],
                fork_policy=config.fork_policy,
                memory=config.memory,
                deterministic=config.deterministic,
            )
        )

    def finish(self, summary: dict[str, Any]) -> None:
        self._record(records.End(**self._stamp(), summary=summary))

    # Page faults.

    def faulting(self, space: AddressSpace, page: int) -> None:
        self._rows.faulting(space, page)

    def fault(self, event: Fault) -> None:
        seq, self.seq = self.seq, self.seq + 1
        space, r = event.space, event.resolution
        heap = self._heap
        site = None if heap is None else self._allocation_site(heap, space, event)
        self._rows.write(seq, event, site)
        if r.outcome in _COPIES:
            self._copies.add(space, r, seq, event.thread.process.pid)
        if self._options.pages and self._may_change_watched(r):
            self._watch.check()
        self._until_sample -= 1
        if self._until_sample < 0:
            self._sample()

    def _may_change_watched(self, r: Resolution) -> bool:
        others = r.table_copied or r.around or r.huge or r.split
        return bool(others) or r.va & ~PAGE_MASK in self._options.pages

    def _allocation_site(
        self, heap: AllocationTracker, space: AddressSpace, event: Fault
    ) -> CodeLocation | None:
        """Returns the calls that allocated the heap block of a store that caused a copy."""
        trap, r = event.trap, event.resolution
        if r.outcome is not Outcome.COPIED:
            return None
        block = heap.block(space, trap.tval if trap is not None else r.va)
        return (
            None
            if block is None
            else CodeLocation(self._layouts.of(space)[0], 0, list(block.calls))
        )

    # Processes.

    def forked(self, thread: Thread, child: Process, cost: ForkCost | None) -> None:
        parent = thread.process
        self._locator.forked(parent, child)
        self._rows.forget_thread()
        if cost is not None:
            if self._heap is not None:
                self._heap.forked(parent.space, child.space)
            self._layouts.inherited(parent.space, child.space)
            self._pids[child.space] = child.pid
        fork = records.Fork(
            **self._stamp(),
            pid=parent.pid,
            tid=thread.tid,
            child=child.pid,
            root=child.space.table.root,
            shares_memory=cost is None,
            **({} if cost is None else _cost(cost) | self._excluded(parent.space)),
        )
        self._record(fork, self._locator.of(thread, thread.call_start[0]))
        self._watch.check()
        self._sample()

    def _excluded(self, parent: AddressSpace) -> dict[str, list[records.Range]]:
        return excluded_from_fork(parent, self._kernel.config.fork_policy)

    def execed(self, process: Process) -> None:
        space = process.space
        self._locator.reset(process)
        self._rows.forget_thread()
        self._pids[space] = process.pid
        if self._heap is not None:
            self._heap.execed(process)
        self._record(
            records.Exec(
                **self._stamp(),
                pid=process.pid,
                path=text(process.program.path),
                entry=next(iter(process.threads.values())).registers[0],
                root=space.table.root,
                maps=[range_of(vma) for vma in space.vmas],
            )
        )
        self._watch.check()
        self._sample()

    def started(self, process: Process) -> None:
        self.execed(process)

    def leaving(self, process: Process) -> None:
        """Attributes a space that other processes still use to one of these."""
        space, others = process.space, self._kernel.processes.values()
        heirs = (p for p in others if p.alive and p is not process and p.space is space)
        heir = next(heirs, None) if space.users > 1 else None
        if heir is not None:
            if self._pids[space] == process.pid:
                self._pids[space] = heir.pid
            self._copies.transfer(space, process.pid, self._pids[space])

    def exited(self, process: Process) -> None:
        assert process.status is not None
        status = process.status.shell_status
        self._locator.reset(process)
        self._record(records.Exit(**self._stamp(), pid=process.pid, status=status))
        self._watch.check()

    def signalled(self, thread: Thread, signo: int) -> None:
        if thread.alt_stack.size:
            self._locator.mark_stack_switching(thread.process)
        stamp, pid = self._stamp(), thread.process.pid
        name = signals.name(signo)
        self._record(records.Signal(**stamp, pid=pid, tid=thread.tid, signal=name))

    # System calls.

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        if self._options.calls:
            self._calls[thread] = self._kernel.clock.monotonic() - self._start_time

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        if self._clear_pending:
            self._clear_pending = False
            self._watch.check()
        began = self._calls.pop(thread, None)
        if began is None:
            return
        row = TABLE.get(number)
        self._record(
            records.Call(
                **self._stamp(),
                pid=thread.process.pid,
                tid=thread.tid,
                name=row.name if row is not None else f"syscall_{number}",
                arguments=arguments,
                result=result,
                began=began,
            )
        )


def _cost(cost: ForkCost) -> dict[str, Any]:
    return {
        "pages_shared": cost.pages_shared,
        "tables_shared": cost.tables_shared,
        "middle_tables_shared": cost.middles_shared,
        "frames_copied": cost.frames_copied,
        "eager_copies": cost.eager_copies,
        "ptes_written": cost.ptes_written,
    }
