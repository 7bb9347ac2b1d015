"""Where a thread stands, as a fact: its pc, and what its callers are found from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.registers import FP, RA, SP
from emu.observe.model.raw_events import CodeLocation, Listener
from emu.observe.model.records import text
from emu.observe.record.code_layouts import Layouts
from emu.observe.unwind.stack_memory import LiveStack, stack_parts
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.process.process import Process, Thread

if TYPE_CHECKING:
    from emu.observe.unwind.backtrace_cache import Backtraces

NOWHERE = CodeLocation(0, 0, [])


class ThreadLocator:
    """Those of ``kernel``'s threads; at most ``depth`` callers of each are of interest."""

    def __init__(self, kernel: Kernel, layouts: Layouts, listener: Listener, depth: int) -> None:
        self._keep = listener.keep
        self._kernel = kernel
        self._layouts = layouts
        self._depth = depth
        self._backtraces: Backtraces | None = None
        self._switching: set[Process] = set()

    def switches_stacks(self, process: Process) -> None:
        """Its signal handlers may have callers on another stack than they run on themselves."""
        self._switching.add(process)

    def forked(self, parent: Process, child: Process) -> None:
        if parent in self._switching:
            self._switching.add(child)

    def ended(self, process: Process) -> None:
        """The process is no more what it was, or is no more."""
        self._switching.discard(process)

    def of(self, thread: Thread, pc: int) -> CodeLocation:
        """The thread at ``pc``; its callers only when it is the running one."""
        if not pc:
            return NOWHERE
        process, kernel = thread.process, self._kernel
        space = process.space
        layout, whole = self._layouts.of(space, process.sigreturn)
        image = "" if whole else _name(space, pc)
        if thread is not kernel.current:
            return CodeLocation(layout, pc, [], image)
        registers = kernel.hart.integer_registers()
        if not self._depth:
            return CodeLocation(layout, pc, [], image, registers)
        sp = int.from_bytes(registers[8 * SP : 8 * SP + 8], "little")
        copied = whole and process not in self._switching
        parts = stack_parts(space, sp) if copied else None
        if parts is None:
            return CodeLocation(layout, pc, self.calls(thread, pc), image, registers)
        return CodeLocation(
            layout, pc, None, image, registers, self._keep(parts), process.sigreturn
        )

    def calls(self, thread: Thread, pc: int) -> list[int]:
        """The return addresses of the calls that the running thread is in at ``pc``."""
        from emu.observe.unwind.backtrace_cache import Backtraces, UnwindState

        if self._backtraces is None:
            self._backtraces = Backtraces(self._depth)
        process, read = thread.process, self._kernel.hart.read
        registers = read(RA), read(SP), read(FP)
        standing = UnwindState(pc, registers, LiveStack(process.space), process.sigreturn)
        return self._backtraces.callers(self._layouts.code(process.space), standing)


def _name(space: AddressSpace, pc: int) -> str:
    """Of the range that ``pc`` is in."""
    vma = space.find(pc)
    return "" if vma is None else text(vma.name)
