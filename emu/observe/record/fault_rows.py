"""Writes page faults as rows of words (:mod:`emu.observe.model.fault_row`).

The guest waits for it at each fault, so Cython compiles it with the types in ``fault_rows.pxd``.
What few faults have goes into a :class:`FaultDetails` event before the row.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from emu.machine.cause import Access
from emu.machine.pte import LEVELS, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, VPN_BITS, R, V, W, X, ppn
from emu.machine.registers import SP
from emu.machine.trap import Trap
from emu.observe.model import fault_row as row
from emu.observe.model.guest_memory import instruction_bits
from emu.observe.model.raw_events import FaultDetails, RangeDefined
from emu.observe.model.trace_fields import range_of, rule_of_pte
from emu.observe.record.address_space_pids import AddressSpacePids
from emu.observe.record.row_receiver import RowReceiver
from emu.observe.record.sharers import sharers
from emu.observe.record.thread_position import ThreadLocator
from emu.observe.unwind.stack_memory import stack_end
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END, Vma
from kernel.mm.physical.frames import Kind
from kernel.mm.resolution import Resolution
from kernel.process.observer import Fault
from kernel.process.process import Thread

if TYPE_CHECKING:
    from emu.observe.model.raw_events import CodeLocation
    from kernel.kernel import Kernel

_MAX_RANGES: Final = 1 << 12
_INDEX: Final = (1 << VPN_BITS) - 1
_WORD_SHIFT: Final = 3
_CAUSE: Final = tuple(int(access.page_fault) for access in Access)


class _KnownRange:
    """The VMA that was last seen at a start, and the number of its range."""

    def __init__(self, vma: Vma, number: int) -> None:
        self.start = vma.start
        self.end = vma.end
        self.prot = vma.prot
        self.shared = vma.shared
        self.name = vma.name
        self.number = number


class FaultRows:
    """Writes rows to ``receiver``. A row is written to ``_words`` from ``_start`` to ``_end``.

    ``pids`` has the address spaces of the run; times are from ``start_time`` on.
    """

    def __init__(
        self,
        kernel: Kernel,
        receiver: RowReceiver,
        locator: ThreadLocator,
        pids: AddressSpacePids,
        start_time: int,
    ) -> None:
        self._kernel = kernel
        self._receiver = receiver
        self._locator = locator
        self._pids = pids
        self._now = kernel.clock.monotonic
        self._start_time = start_time
        self._deterministic = kernel.config.deterministic
        self._known = receiver.known_backtraces
        self._rows = receiver.rows
        self._words = receiver.rows.words
        self._start = self._end = 0
        self._flags = 0
        self._stval = 0
        self._layout = self._backtrace = 0
        self._walk = memoryview(bytearray(2 * LEVELS * row.WORD)).cast("Q")
        self._walk_words = 0
        state, self._refresh = kernel.hart.register_state()
        self._registers = state.cast("Q")
        self._ranges: dict[int, _KnownRange] = {}
        self._last_range: _KnownRange | None = None
        self._handler_start = 0
        self._pid = self._tid = 0
        self._sigreturn: int | None = None
        self.forget_thread()

    def forget_thread(self) -> None:
        """Drops what is known of the thread that faulted last: it may have changed (execve)."""
        self._thread: Thread | None = None

    def faulting(self, space: AddressSpace, page: int) -> None:
        """Notes the walk of ``page`` before the fault is handled."""
        self._walk_words = self._take_walk(space, page)
        self._handler_start = perf_counter_ns()

    def _take_walk(self, space: AddressSpace, va: int) -> int:
        """Reads the entries of a walk; returns the number of words of addresses and PTEs."""
        if va >= USER_END:
            return 0
        ram, walk = space.frames.ram, self._walk
        base, words, table = ram.base, ram.typed_words, space.table.root << PAGE_SHIFT
        number = 0
        for level in range(LEVELS):
            shift = PAGE_SHIFT + VPN_BITS * (LEVELS - 1 - level)
            address = table + ((va >> shift & _INDEX) << _WORD_SHIFT)
            pte = words[(address - base) >> _WORD_SHIFT]
            walk[number] = address
            walk[number + 1] = pte
            number += 2
            if not pte & V or pte & (R | W | X):
                break
            table = ppn(pte) << PAGE_SHIFT
        return number

    def write(self, seq: int, event: Fault, heap: CodeLocation | None) -> None:
        """Writes the row of record ``seq``; to be called when the fault was handled, before the
        hart runs. ``heap`` has the calls that allocated the heap block.
        """
        taken = 0 if self._deterministic else perf_counter_ns() - self._handler_start
        time = self._now() - self._start_time
        thread, space, call = event.thread, event.space, event.call
        r, trap = event.resolution, event.trap
        if thread is not self._thread:
            self._look_at(thread)
        current = self._kernel.current
        by = thread if trap is not None else current or thread
        pc = trap.epc if trap is not None else self._kernel_fault_pc(by, call)
        others = self._other_users(space, r) if r.count_before > 1 else None
        number = self._begin(space, r, trap)
        code_space, stack = space, 0
        if pc and by is current:
            if trap is None:
                code_space = by.process.space
            stack = self._find_stack(by, code_space, pc)
        backtrace = self._backtrace if stack else 0
        where = None if stack else self._locator.of(by, pc)
        if where is not None or call is not None or heap is not None:
            self._flags |= row.HAS_DETAILS
            self._receiver.receive(FaultDetails(where, call or "", heap))
        at = self._start = self._rows.start()
        words = self._words
        words[at + row.SEQ] = seq
        words[at + row.TIME] = time
        words[at + row.HOST_NS] = taken
        words[at + row.PID] = self._pid
        words[at + row.TID] = self._tid
        words[at + row.LAYOUT] = self._layout if stack else 0
        words[at + row.PC] = pc
        words[at + row.VMA] = number
        if space not in self._pids:
            self._flags |= row.LOADING
        self._write_access(space, trap, r)
        self._write_entries(space, r)
        if stack and (not backtrace or self._flags & row.INEXACT):
            self._write_registers(self._sigreturn if by is thread else by.process.sigreturn)
        self._write_lists(others, r.around)
        if backtrace:
            self._flags |= row.HAS_BACKTRACE
            words[at + row.STACK] = backtrace
        elif stack:
            self._write_stack(code_space, stack)
        words[at + row.FLAGS] = self._flags
        words[at + row.LENGTH] = self._end - at
        self._rows.finish(self._end)

    def _other_users(self, space: AddressSpace, r: Resolution) -> list[tuple[int, int]] | None:
        """The other users of the frame that a store faulted on."""
        if r.access is not Access.STORE:
            return None
        frame = ppn(r.pte_before)
        kind = space.frames.kind(frame)
        if kind is Kind.ZERO:
            return None
        pins = kind is Kind.CACHE or kind is Kind.HUGETLB
        return sharers(self._pids, space, r.va & ~PAGE_MASK, frame, r.count_before - pins)

    def _begin(self, space: AddressSpace, r: Resolution, trap: Trap | None) -> int:
        """Sets the first flags; returns the number of the range that contains the address."""
        self._flags = _flags(r)
        if trap is None:
            self._stval = r.va
        elif trap.tval_is_known:
            self._stval = trap.tval
        else:
            self._stval = trap.page
            self._flags |= row.INEXACT
        vma = space.find(self._stval)
        if vma is None:
            return 0
        self._flags |= row.IN_VMA
        return self._range_number(vma)

    def _look_at(self, thread: Thread) -> None:
        process = thread.process
        self._thread, self._sigreturn = thread, process.sigreturn
        self._pid, self._tid = process.pid, thread.tid

    def _find_stack(self, thread: Thread, space: AddressSpace, pc: int) -> int:
        """End of the running thread's stack, if the row shall have it or its backtrace: else 0."""
        self._layout = self._locator.layout_for_stack(thread)
        if self._layout < 0:
            return 0
        if self._refresh is not None:
            self._refresh()
        self._backtrace = 0
        if self._known is not None:
            self._backtrace = self._known.find(space, self._layout, pc, self._registers)
        return self._backtrace or stack_end(space, self._registers[SP])

    def _write_access(self, space: AddressSpace, trap: Trap | None, r: Resolution) -> None:
        words, at = self._words, self._start
        words[at + row.STVAL] = self._stval
        fault = None if trap is None else trap.fault
        rule = rule_of_pte(r.pte_before, r.access) if fault is None else fault.rule
        number = rule.number
        self._flags |= number << row.RULE_SHIFT
        cause = _CAUSE[r.access] if trap is None else trap.cause
        self._flags |= cause << row.CAUSE_SHIFT
        if trap is None:
            return
        self._flags |= row.OF_PROGRAM
        code = instruction_bits(space, trap.epc)
        if code is None:
            self._flags |= row.NO_CODE
        else:
            words[at + row.CODE] = code

    def _write_entries(self, space: AddressSpace, r: Resolution) -> None:
        """Writes the walk, the PTEs and the counts of their frames."""
        words, at, after = self._words, self._start, r.pte_after
        words[at + row.PTE_BEFORE] = r.pte_before
        words[at + row.PTE_AFTER] = after
        words[at + row.COUNT_BEFORE] = r.count_before
        words[at + row.COUNT_AFTER] = space.frames.count(ppn(after)) if after & V else 0
        self._flags |= self._walk_words << row.WALK_SHIFT
        for index in range(self._walk_words):
            words[at + row.WALK + index] = self._walk[index]
        self._end = at + row.FIXED

    def _write_registers(self, sigreturn: int | None) -> None:
        words, registers, at = self._words, self._registers, self._end
        self._flags |= row.HAS_REGISTERS
        if sigreturn is not None:
            self._flags |= row.HAS_SIGRETURN
            words[self._start + row.SIGRETURN] = sigreturn
        words[at] = 0
        for index in range(1, row.REGISTERS):
            words[at + index] = registers[index]
        self._end = at + row.REGISTERS

    def _write_lists(
        self, others: list[tuple[int, int]] | None, around: list[tuple[int, int]] | None
    ) -> None:
        words, at = self._words, self._start
        words[at + row.AROUND] = words[at + row.STACK] = 0
        if others is not None:
            number = len(others)
            self._flags |= number << row.SHARERS_SHIFT
            self._write_pairs(others)
        if around is not None:
            words[at + row.AROUND] = len(around)
            self._write_pairs(around)

    def _write_pairs(self, pairs: list[tuple[int, int]]) -> None:
        words, at = self._words, self._end
        for first, second in pairs:
            words[at] = first
            words[at + 1] = second
            at += 2
        self._end = at

    def _write_stack(self, space: AddressSpace, end: int) -> None:
        """Copies the words of the stack from sp to ``end``."""
        ram, sp = space.frames.ram, self._registers[SP]
        self._flags |= row.HAS_STACK
        self._words[self._start + row.STACK] = (end - sp) >> _WORD_SHIFT
        while sp < end:
            size = min(PAGE_SIZE - (sp & PAGE_MASK), end - sp) >> _WORD_SHIFT
            start = ((ppn(space.table.pte(sp)) << PAGE_SHIFT) - ram.base + (sp & PAGE_MASK)) >> 3
            self._words[self._end : self._end + size] = ram.typed_words[start : start + size]
            sp += size << _WORD_SHIFT
            self._end += size

    def _range_number(self, vma: Vma) -> int:
        """Number of the VMA's range; emits the range if it is new."""
        known = self._last_range
        if known is None or known.start != vma.start:
            known = self._ranges.get(vma.start)
        if (
            known is not None
            and known.end == vma.end
            and known.prot is vma.prot
            and known.shared == vma.shared
            and (known.name is vma.name or known.name == vma.name)
        ):
            self._last_range = known
            return known.number
        if known is None and len(self._ranges) >= _MAX_RANGES:
            self._ranges.clear()
        number = len(self._ranges) if known is None else known.number
        self._ranges[vma.start] = self._last_range = _KnownRange(vma, number)
        self._receiver.receive(RangeDefined(number, range_of(vma)))
        return number

    def _kernel_fault_pc(self, thread: Thread, call: str | None) -> int:
        """Returns the pc of a thread for which the kernel faults: in a call or at a signal."""
        if call is None and thread is self._kernel.current:
            return self._kernel.hart.pc
        return thread.call_start[0]


def _flags(r: Resolution) -> int:
    access, outcome = r.access, r.outcome.number
    flags = access | outcome << row.OUTCOME_SHIFT
    flags |= row.TABLE_COPIED if r.table_copied else 0
    flags |= row.MIDDLE_COPIED if r.middle_copied else 0
    flags |= row.HUGE if r.huge else 0
    flags |= row.SPLIT if r.split else 0
    return flags
