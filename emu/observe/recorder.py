"""Makes records of what the kernel tells: the one place where the machine becomes a trace."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any

from emu.machine.pte import PAGE_MASK, V, ppn
from emu.machine.registers import PC
from emu.machine.trap import Access
from emu.observe import records
from emu.observe.entries import broken_rule, pte_flags, range_of
from emu.observe.heap import Heap
from emu.observe.outcomes import COPIES
from emu.observe.records import Entry, Place, Sharer, text
from emu.observe.sharing import sharers
from emu.observe.space_recorder import SpaceRecorder
from emu.observe.symbols import Code
from emu.observe.walks import Walks
from emu.observe.wanted import Sink, Wanted
from emu.version import VERSION
from kernel import signals
from kernel.events import Fault
from kernel.fault import Outcome, Resolution
from kernel.fork import ForkCost
from kernel.frames import Kind
from kernel.kernel import Kernel
from kernel.process import Process, Thread
from kernel.space import AddressSpace
from kernel.syscalls.table import TABLE

_ACCESS = ("fetch", "load", "store")
_CAUSE = tuple(int(access.page_fault) for access in Access)


class Recorder(SpaceRecorder):
    """Tells ``sink`` of a run, record by record. ``begin`` before it, ``finish`` after it."""

    def __init__(
        self, kernel: Kernel, command: Sequence[str], sink: Sink, wanted: Wanted | None = None
    ) -> None:
        super().__init__(kernel, sink, wanted or Wanted())
        self._command = list(command)
        self._walks = Walks()
        self._walk: list[Entry] = []
        self._handler_began = 0
        self._deterministic = kernel.config.deterministic
        self._calls: dict[Thread, int] = {}

    def begin(self) -> None:
        self._kernel.hart.expect_reading()
        config = self._kernel.config
        self._sink(
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
        self._sink(records.End(**self._stamp(), summary=summary))

    # Page faults.

    def faulting(self, space: AddressSpace, page: int) -> None:
        self._walk = self._walks.entries(space, page)
        self._handler_began = perf_counter_ns()

    def fault(self, event: Fault) -> None:
        host_ns = 0 if self._deterministic else perf_counter_ns() - self._handler_began
        thread, space, r, trap, call = event
        kernel = self._kernel
        by = thread if trap is not None else kernel.current or thread
        pc = trap.epc if trap is not None else self._kernels_pc(by, call)
        code = self.symbols.of(by.process.space if pc else space)
        stval = trap.tval if trap is not None else r.va
        vma = space.find(stval)
        before, after, access, outcome = r.pte_before, r.pte_after, r.access, str(r.outcome)
        frame_before = ppn(before) if before & V else 0
        frame_after = ppn(after) if after & V else 0
        page, pid = stval & ~PAGE_MASK, thread.process.pid
        seq, self._seq = self._seq, self._seq + 1
        record = records.Fault(
            seq=seq,
            time=kernel.clock.monotonic() - self._began,
            pid=pid,
            tid=thread.tid,
            place=code.place(pc) if pc else _NOWHERE,
            instruction=self._instruction(code, pc) if trap is not None else "",
            access=_ACCESS[access],
            cause=_CAUSE[access] if trap is None else int(trap.cause),
            stval=stval,
            outcome=outcome,
            rule=broken_rule(trap, before, access),
            call=call or "",
            loading=space not in self._pids,
            vma=range_of(vma) if vma is not None else None,
            table_copied=r.table_copied,
            walk=self._walk,
            pte_before=before,
            pte_after=after,
            flags_before=pte_flags(before),
            flags_after=pte_flags(after),
            frame_before=frame_before,
            frame_after=frame_after,
            count_before=r.count_before,
            count_after=space.frames.count(frame_after) if frame_after else 0,
            sharers=self._sharers(r, space, page, frame_before) if r.count_before > 1 else [],
            backtrace=self._backtrace(by, code, pc),
            heap=[] if self._heap is None else self._allocated(self._heap, r, space, stval),
            host_ns=host_ns,
        )
        self._sink(record)
        if outcome in COPIES:
            self._copies.copied(space, page, seq, pid)
        if page in self._wanted.pages or r.table_copied:
            self._watch.look()
        self._until_sample -= 1
        if self._until_sample < 0:
            self._sample()

    def _instruction(self, code: Code, pc: int) -> str:
        return code.instruction(pc, self._kernel.hart.instruction(pc))

    def _kernels_pc(self, thread: Thread, call: str | None) -> int:
        """Where the thread is for which the kernel meets a fault: in a call, or at a signal."""
        if call is None and thread is self._kernel.current:
            return self._kernel.hart.read(PC)
        return thread.call_start[0]

    def _sharers(self, r: Resolution, space: AddressSpace, page: int, frame: int) -> list[Sharer]:
        """Of the frame that a store found there, when others had it too."""
        if r.access is not Access.STORE or frame == space.frames.zero:
            return []
        pins = space.frames.kind(frame) is Kind.CACHE
        processes = self._kernel.processes.values()
        found = sharers(processes, space, page, frame, r.count_before - pins)
        return [Sharer(pid, address) for pid, address in found]

    def _allocated(
        self, heap: Heap, r: Resolution, space: AddressSpace, address: int
    ) -> list[Place]:
        """The calls that allocated the block in which a store fell that had a page copied."""
        if r.outcome is not Outcome.COPIED:
            return []
        block = heap.block(space, address)
        code = self.symbols.of(space)
        return [code.caller(call) for call in block.calls] if block else []

    # Processes.

    def forked(self, thread: Thread, child: Process, cost: ForkCost | None) -> None:
        pc = thread.call_start[0]
        parent = thread.process
        code = self.symbols.of(parent.space)
        if cost is not None:
            if self._heap is not None:
                self._heap.forked(parent.space, child.space)
            self._pids[child.space] = child.pid
        self._sink(
            records.Fork(
                **self._stamp(),
                pid=parent.pid,
                tid=thread.tid,
                child=child.pid,
                place=code.place(pc),
                backtrace=self._backtrace(thread, code, pc),
                root=child.space.table.root,
                shares_memory=cost is None,
                **(_cost(cost) | _kept_back(parent.space) if cost is not None else {}),
            )
        )
        self._watch.look()
        self._sample()

    def execed(self, process: Process) -> None:
        space = process.space
        self._pids[space] = process.pid
        if self._heap is not None:
            self._heap.execed(process)
        self._sink(
            records.Exec(
                **self._stamp(),
                pid=process.pid,
                path=text(process.program.path),
                entry=next(iter(process.threads.values())).registers[0],
                root=space.table.root,
                maps=[range_of(vma) for vma in space.vmas],
            )
        )
        self._watch.look()
        self._sample()

    started = execed

    def leaving(self, process: Process) -> None:
        """A space in which others live on is told of as one of theirs."""
        space, others = process.space, self._kernel.processes.values()
        heirs = (p for p in others if p.alive and p is not process and p.space is space)
        heir = next(heirs, None) if space.users > 1 else None
        if heir is not None:
            if self._pids[space] == process.pid:
                self._pids[space] = heir.pid
            self._copies.handed_on(space, process.pid, self._pids[space])

    def exited(self, process: Process) -> None:
        status = process.status or 0
        shown = 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF
        self._sink(records.Exit(**self._stamp(), pid=process.pid, status=shown))
        self._watch.look()

    def signalled(self, thread: Thread, signo: int) -> None:
        stamp, pid = self._stamp(), thread.process.pid
        name = signals.name(signo)
        self._sink(records.Signal(**stamp, pid=pid, tid=thread.tid, signal=name))

    # System calls.

    def call_entered(self, thread: Thread, number: int, arguments: list[int]) -> None:
        if self._wanted.calls:
            self._calls[thread] = self._kernel.clock.monotonic() - self._began

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        if self._cleared:
            self._cleared = False
            self._watch.look()
        began = self._calls.pop(thread, None)
        if began is None:
            return
        row = TABLE.get(number)
        self._sink(
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


_NOWHERE = Place(0)


def _cost(cost: ForkCost) -> dict[str, Any]:
    return {
        "pages_shared": cost.pages_shared,
        "tables_shared": cost.tables_shared,
        "frames_copied": cost.frames_copied,
        "eager_copies": cost.eager_copies,
        "ptes_written": cost.ptes_written,
    }


def _kept_back(parent: AddressSpace) -> dict[str, Any]:
    """What a fork does not give to the child."""
    return {
        "left_out": [range_of(vma) for vma in parent.vmas if vma.dont_fork],
        "wiped": [range_of(vma) for vma in parent.vmas if vma.wipe_on_fork and not vma.dont_fork],
    }
