"""What a kernel does that writes to user memory without asking its page tables' W."""

from __future__ import annotations

from emu.machine.pte import PAGE_SHIFT, V, ppn
from kernel.usermem import UserMemory
from tests.kernel.worlds import pieces


def write_through(memory: UserMemory, va: int, data: bytes) -> None:
    """Writes to whatever frames are mapped, shared or not."""
    for at, size in pieces(va, len(data)):
        part = data[at - va : at - va + size]
        pte = memory.space.table.pte(at)
        if pte & V:
            memory.space.frames.ram.write((ppn(pte) << PAGE_SHIFT) + at % 4096, part)
        else:
            memory.write(at, part)
