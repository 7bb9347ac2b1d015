"""Position of a thread as part of a raw event: its pc, and the data to unwind its stack from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emu.machine.registers import FP, RA, SP
from emu.observe.model.raw_events import CodeLocation
from emu.observe.model.records import text
from emu.observe.record.code_layouts import Layouts
from emu.observe.record.row_receiver import RowReceiver
from emu.observe.unwind.stack_memory import LiveStack, stack_parts
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.process import Process, Thread

if TYPE_CHECKING:
    from emu.observe.unwind.backtrace_cache import Backtraces

NOWHERE: Final = CodeLocation(0, 0, [])


class ThreadLocator:
    """Locates ``kernel``'s threads, each with at most ``depth`` callers."""

    def __init__(self, kernel: Kernel, layouts: Layouts, receiver: RowReceiver, depth: int) -> None:
        self._store_stack = receiver.store_stack
        self._known = receiver.known_backtraces
        state, self._refresh = kernel.hart.register_state()
        self._registers = state.cast("Q")
        self._kernel = kernel
        self._layouts = layouts
        self._depth = depth
        self._backtraces: Backtraces | None = None
        self._stack_switching: set[Process] = set()

    def mark_stack_switching(self, process: Process) -> None:
        """Marks a process whose signal handlers may run on another stack than their callers."""
        self._stack_switching.add(process)

    def forked(self, parent: Process, child: Process) -> None:
        if parent in self._stack_switching:
            self._stack_switching.add(child)

    def reset(self, process: Process) -> None:
        """Drops what is known of a process after an exec or an exit."""
        self._stack_switching.discard(process)

    def layout_for_stack(self, thread: Thread) -> int:
        """Number of the layout of the running thread's code if its callers may be found in a copy
        of its stack, else -1.
        """
        process = thread.process
        known = self._layouts.known.get(process.space)
        layout, complete = known or self._layouts.of(process.space, process.sigreturn)
        if not complete or not self._depth or process in self._stack_switching:
            return -1
        return layout

    def of(self, thread: Thread, pc: int) -> CodeLocation:
        """Locates the thread at ``pc``, with its callers if it is the running thread."""
        if not pc:
            return NOWHERE
        process, kernel = thread.process, self._kernel
        space = process.space
        layout, complete = self._layouts.of(space, process.sigreturn)
        image = "" if complete else _name(space, pc)
        if thread is not kernel.current:
            return CodeLocation(layout, pc, [], image)
        copied = complete and process not in self._stack_switching
        if copied and self._depth and self._known is not None:
            if self._refresh is not None:
                self._refresh()
            known = self._known.find(space, layout, pc, self._registers)
            if known:
                return CodeLocation(layout, pc, None, image, backtrace=known)
        registers = kernel.hart.integer_registers()
        if not self._depth:
            return CodeLocation(layout, pc, [], image, registers)
        sp = int.from_bytes(registers[8 * SP : 8 * SP + 8], "little")
        parts = stack_parts(space, sp) if copied else None
        if parts is None:
            return CodeLocation(layout, pc, self.calls(thread, pc), image, registers)
        return CodeLocation(
            layout, pc, None, image, registers, self._store_stack(parts), process.sigreturn
        )

    def calls(self, thread: Thread, pc: int) -> list[int]:
        """Returns the return addresses of the running thread's calls at ``pc``, innermost first."""
        from emu.observe.unwind.backtrace_cache import Backtraces, UnwindState

        if self._backtraces is None:
            self._backtraces = Backtraces(self._depth)
        process, read = thread.process, self._kernel.hart.read
        registers = read(RA), read(SP), read(FP)
        state = UnwindState(pc, registers, LiveStack(process.space), process.sigreturn)
        return self._backtraces.callers(self._layouts.code(process.space), state)


def _name(space: AddressSpace, pc: int) -> str:
    """Returns the name of the range that contains ``pc``."""
    vma = space.find(pc)
    return "" if vma is None else text(vma.name)
