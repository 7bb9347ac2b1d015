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
from emu.observe.model import fault_row as row
from emu.observe.model.guest_memory import instruction_bits
from emu.observe.model.raw_events import FaultDetails, RangeDefined, RowReceiver
from emu.observe.model.trace_fields import broken_rule, range_of
from emu.observe.record.thread_position import ThreadLocator
from emu.observe.unwind.stack_memory import stack_end
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END, Vma
from kernel.mm.resolution import Resolution
from kernel.process.observer import Fault
from kernel.process.process import Thread

if TYPE_CHECKING:
    from emu.machine.trap import Trap
    from emu.observe.model.raw_events import CodeLocation
    from kernel.kernel import Kernel

_MAX_RANGES: Final = 1 << 12
_INDEX: Final = (1 << VPN_BITS) - 1
_WORD_SHIFT: Final = 3
_CAUSE: Final = tuple(int(access.page_fault) for access in Access)


class _KnownRange:
    """The VMA that was last seen at a start, and the number of its range."""

    def __init__(self, vma: Vma, number: int) -> None:
        self.end = vma.end
        self.prot = vma.prot
        self.shared = vma.shared
        self.name = vma.name
        self.number = number


class FaultContext:
    """The recorder's part of a row, beside the event of the kernel."""

    def __init__(self) -> None:
        self.seq = 0
        self.time = 0
        """Since the start, ns."""
        self.host_ns = 0
        self.loading = False
        """The space belongs to an image that is being loaded."""
        self.sharers: list[tuple[int, int]] = []
        self.heap: CodeLocation | None = None


class FaultRows:
    """Writes rows to ``receiver``. A row is written to ``_words`` from ``_start`` to ``_end``."""

    def __init__(self, kernel: Kernel, receiver: RowReceiver, locator: ThreadLocator) -> None:
        self._kernel = kernel
        self._receiver = receiver
        self._locator = locator
        self._words = receiver.words
        self._start = self._end = 0
        self._flags = 0
        self._stval = 0
        self._walk = memoryview(bytearray(2 * LEVELS * row.WORD)).cast("Q")
        self._walk_words = 0
        registers = memoryview(bytearray(row.REGISTERS * row.WORD))
        self._register_bytes = registers
        self._registers = registers.cast("Q")
        self._ranges: dict[int, _KnownRange] = {}
        self._handler_start = 0

    def faulting(self, space: AddressSpace, page: int) -> None:
        """Notes the walk of ``page`` before the fault is handled."""
        self._walk_words = self._take_walk(space, page)
        self._handler_start = perf_counter_ns()

    def host_ns(self) -> int:
        """Time since :meth:`faulting`."""
        return perf_counter_ns() - self._handler_start

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

    def write(self, event: Fault, context: FaultContext) -> None:
        """Writes the fault's row; to be called when it was handled, before the hart runs."""
        thread, r, trap = event.thread, event.resolution, event.trap
        by = thread if trap is not None else self._kernel.current or thread
        pc = trap.epc if trap is not None else self._kernel_fault_pc(by, event.call)
        layout, stack = self._layout_and_stack(by, pc)
        number = self._begin(event)
        self._emit_details(event, context, None if stack else self._locator.of(by, pc))
        self._start = self._receiver.row_start()
        self._write_thread(thread, layout, pc)
        self._write_access(by, trap, r)
        self._words[self._start + row.VMA] = number
        self._write_entries(event.space, r)
        self._write_context(context)
        if stack:
            self._write_registers(by)
        self._write_lists(context, r)
        if stack:
            self._write_stack(by.process.space, stack)
        self._words[self._start + row.FLAGS] = self._flags
        self._words[self._start + row.LENGTH] = self._end - self._start
        self._receiver.end_row(self._end)

    def _begin(self, event: Fault) -> int:
        """Sets the first flags; returns the number of the range that contains the address."""
        r, trap = event.resolution, event.trap
        self._flags = _flags(r)
        if trap is None:
            self._stval = r.va
        elif trap.tval_is_known:
            self._stval = trap.tval
        else:
            self._stval = trap.page
            self._flags |= row.INEXACT
        space = event.space
        vma = space.find(self._stval)
        if vma is None:
            return 0
        self._flags |= row.IN_VMA
        return self._range_number(vma)

    def _layout_and_stack(self, thread: Thread, pc: int) -> tuple[int, int]:
        """Number of the code layout, and the end of the stack that the row shall have, if any."""
        if not pc or thread is not self._kernel.current:
            return 0, 0
        layout = self._locator.layout_for_stack(thread)
        if layout < 0:
            return 0, 0
        registers = self._kernel.hart.integer_registers()
        self._register_bytes[:] = registers
        return layout, stack_end(thread.process.space, self._registers[SP])

    def _emit_details(
        self, event: Fault, context: FaultContext, where: CodeLocation | None
    ) -> None:
        """Emits what the row has no place for."""
        call, heap = event.call, context.heap
        if where is not None or call is not None or heap is not None:
            self._flags |= row.HAS_DETAILS
            self._receiver.receive(FaultDetails(where, call or "", heap))

    def _write_thread(self, thread: Thread, layout: int, pc: int) -> None:
        words, at = self._words, self._start
        words[at + row.PID] = thread.process.pid
        words[at + row.TID] = thread.tid
        words[at + row.LAYOUT] = layout
        words[at + row.PC] = pc

    def _write_access(self, by: Thread, trap: Trap | None, r: Resolution) -> None:
        words, at = self._words, self._start
        words[at + row.STVAL] = self._stval
        rule = broken_rule(trap, r.pte_before, r.access)
        self._flags |= rule.number << row.RULE_SHIFT
        if trap is None:
            self._flags |= _CAUSE[r.access] << row.CAUSE_SHIFT
            return
        self._flags |= row.OF_PROGRAM | int(trap.cause) << row.CAUSE_SHIFT
        code = instruction_bits(by.process.space, trap.epc)
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

    def _write_context(self, context: FaultContext) -> None:
        words, at = self._words, self._start
        words[at + row.SEQ] = context.seq
        words[at + row.TIME] = context.time
        words[at + row.HOST_NS] = context.host_ns
        self._flags |= row.LOADING if context.loading else 0

    def _write_registers(self, thread: Thread) -> None:
        words, end = self._words, self._end + row.REGISTERS
        self._flags |= row.HAS_STACK
        sigreturn = thread.process.sigreturn
        if sigreturn is not None:
            self._flags |= row.HAS_SIGRETURN
            words[self._start + row.SIGRETURN] = sigreturn
        words[self._end : end] = self._registers
        self._end = end

    def _write_lists(self, context: FaultContext, r: Resolution) -> None:
        around, self._words[self._start + row.AROUND] = r.around, 0
        self._flags |= len(context.sharers) << row.SHARERS_SHIFT
        self._write_pairs(context.sharers)
        if around is not None:
            self._words[self._start + row.AROUND] = len(around)
            self._write_pairs(around)
        self._words[self._start + row.STACK] = 0

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
        self._words[self._start + row.STACK] = (end - sp) >> _WORD_SHIFT
        while sp < end:
            size = (PAGE_SIZE - (sp & PAGE_MASK)) >> _WORD_SHIFT
            start = ((ppn(space.table.pte(sp)) << PAGE_SHIFT) - ram.base + (sp & PAGE_MASK)) >> 3
            self._words[self._end : self._end + size] = ram.typed_words[start : start + size]
            sp += size << _WORD_SHIFT
            self._end += size

    def _range_number(self, vma: Vma) -> int:
        """Number of the VMA's range; emits the range if it is new."""
        known = self._ranges.get(vma.start)
        if (
            known is not None
            and known.end == vma.end
            and known.prot is vma.prot
            and known.shared == vma.shared
            and known.name == vma.name
        ):
            return known.number
        if known is None and len(self._ranges) >= _MAX_RANGES:
            self._ranges.clear()
        number = len(self._ranges) if known is None else known.number
        self._ranges[vma.start] = _KnownRange(vma, number)
        self._receiver.receive(RangeDefined(number, range_of(vma)))
        return number

    def _kernel_fault_pc(self, thread: Thread, call: str | None) -> int:
        """Returns the pc of a thread for which the kernel faults: in a call or at a signal."""
        if call is None and thread is self._kernel.current:
            return self._kernel.hart.pc
        return thread.call_start[0]


def _flags(r: Resolution) -> int:
    flags = int(r.access) | r.outcome.number << row.OUTCOME_SHIFT
    flags |= row.TABLE_COPIED if r.table_copied else 0
    flags |= row.MIDDLE_COPIED if r.middle_copied else 0
    flags |= row.HUGE if r.huge else 0
    flags |= row.SPLIT if r.split else 0
    return flags
