"""Where a thread stands, as a fact: its pc, and what its callers are found from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.registers import FP, RA, SP
from emu.observe.facts import Listener, Where
from emu.observe.layouts import Layouts
from emu.observe.stacks import LiveStack, stack_parts
from kernel.kernel import Kernel
from kernel.process import Thread

if TYPE_CHECKING:
    from emu.observe.backtraces import Backtraces

NOWHERE = Where(0, 0, [])


class Standpoints:
    """Those of ``kernel``'s threads; at most ``depth`` callers of each are of interest."""

    def __init__(self, kernel: Kernel, layouts: Layouts, listener: Listener, depth: int) -> None:
        self._keep = listener.keep
        self._kernel = kernel
        self._layouts = layouts
        self._depth = depth
        self._backtraces: Backtraces | None = None

    def of(self, thread: Thread, pc: int) -> Where:
        """The thread at ``pc``; its callers only when it is the running one."""
        if not pc:
            return NOWHERE
        process, kernel = thread.process, self._kernel
        layout = self._layouts.of(process.space)
        if thread is not kernel.current:
            return Where(layout, pc, [])
        registers = kernel.hart.integer_registers()
        sp = int.from_bytes(registers[8 * SP : 8 * SP + 8], "little")
        if not self._depth:
            return Where(layout, pc, [], registers)
        # A signal's handler on a stack of its own has callers on another one.
        elsewhere = thread.alt_stack.size and thread.alt_stack.holds(sp)
        parts = None if elsewhere else stack_parts(process.space, sp)
        if parts is None:
            return Where(layout, pc, self.calls(thread, pc), registers)
        return Where(layout, pc, None, registers, self._keep(parts), process.sigreturn)

    def calls(self, thread: Thread, pc: int) -> list[int]:
        """The return addresses of the calls that the running thread is in at ``pc``."""
        from emu.observe.backtraces import Backtraces, Standing

        if self._backtraces is None:
            self._backtraces = Backtraces(self._depth)
        process, read = thread.process, self._kernel.hart.read
        registers = read(RA), read(SP), read(FP)
        standing = Standing(pc, registers, LiveStack(process.space), process.sigreturn)
        return self._backtraces.callers(self._layouts.code(process.space), standing)
