"""The check of a running kernel's memory, before each return to a program (``emu run --check``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.check import budget_audit, invariants, memory_snapshot
from kernel.check.violation import InvariantBroken

if TYPE_CHECKING:
    from kernel.mm.address_space import AddressSpace
    from kernel.process.state import KernelState


class MemoryCheck:
    """Checks the invariants of a kernel's memory; each run compares with the previous one."""

    def __init__(self, kernel: KernelState) -> None:
        self._kernel = kernel
        self._previous: memory_snapshot.MemorySnapshot | None = None

    def run(self) -> None:
        """Raises InvariantBroken unless the invariants hold."""
        kernel = self._kernel
        if not kernel.parts.changed():
            return
        living = [process for process in kernel.processes.values() if process.alive]
        names: dict[AddressSpace, str] = {}
        for process in living:
            names[process.space] = f"{names.get(process.space, 'pid')} {process.pid}"
        spaces = memory_snapshot.unique(process.space for process in living)
        memory = memory_snapshot.MemorySnapshot(
            kernel.frames,
            spaces,
            kernel.cache,
            [kernel.sigreturn_page],
            self._previous,
            [segment.memory for _, segment in kernel.segments.all()],
        )
        memory.names = names
        broken = [*invariants.violations(memory), *budget_audit.violations(kernel)]
        self._previous = None if broken else memory
        if broken:
            where = f"after trap {kernel.traps}, in {kernel.current!r}"
            raise InvariantBroken(broken, where, memory)

    def run_at_end(self) -> None:
        """Raises InvariantBroken when charges are left after all processes have ended."""
        if left := budget_audit.left_over(self._kernel):
            raise InvariantBroken(left, "at the end")
