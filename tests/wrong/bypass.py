"""Functions of wrong kernels that take more than a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emu.machine.pte import PAGE_SHIFT, V, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.page_tables.page_table import PageTable
from kernel.mm.physical.frames import Frames
from tests.kernel.worlds import pieces


def write_through(memory: UserMemory, va: int, data: bytes) -> None:
    """Writes to the mapped frames, shared or not."""
    for at, size in pieces(va, len(data)):
        part = data[at - va : at - va + size]
        pte = memory.space.table.pte(at)
        if pte & V:
            memory.space.frames.ram.write((ppn(pte) << PAGE_SHIFT) + at % 4096, part)
        else:
            memory.write(at, part)


@contextmanager
def without_flush(space: AddressSpace) -> Iterator[None]:
    """Flushing the TLB does nothing."""
    right = space.flush_tlb
    space.flush_tlb = lambda: None
    try:
        yield
    finally:
        space.flush_tlb = right


@contextmanager
def without_release(frames: Frames) -> Iterator[None]:
    """Releases of frames, by any method of the allocator, do nothing."""
    names = [name for name in dir(Frames) if name.startswith("release")]
    for name in names:
        setattr(frames, name, lambda *_: None)
    try:
        yield
    finally:
        for name in names:
            delattr(frames, name)


@contextmanager
def with_ptes_kept(table: PageTable, start: int, end: int) -> Iterator[None]:
    """Restores the PTEs of the range afterwards."""
    entries = [(va, pte) for va, pte in table.present() if start <= va < end]
    yield
    for va, pte in entries:
        table.set_pte(va, pte)
