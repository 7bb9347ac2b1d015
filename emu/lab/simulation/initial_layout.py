"""Memory of the first process of a test: a small program after exec."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.pte import PAGE_SHIFT, PAGE_SIZE, D, make_pte
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.physical.frames import Kind


class Area(NamedTuple):
    """A mapping, and the number of its pages that are present initially, from the lowest."""

    name: str
    start: int
    pages: int
    prot: Prot
    present: int
    shared: bool = False
    grows_down: bool = False


_RW = Prot.READ | Prot.WRITE
TEXT, CONSTANTS, DATA = 0x10000, 0x12000, 0x13000
SEALED = 0x17000
"""Read-only, directly after DATA: a write may succeed up to here."""
HEAP = 0x40_0000
CLEAN = DATA + 3 * PAGE_SIZE
"""Page of DATA without a store so far: its D is clear."""
FAR = 0x1F_F000
"""The last page below 2 MiB: the next one is in another leaf table."""
SHARED = 0x5000_0000
STACK_TOP = 0x3F_F000_0000
STACK_PAGES = 3

AREAS = (
    Area("text", TEXT, 2, Prot.READ | Prot.EXEC, 2),
    Area("constants", CONSTANTS, 1, Prot.READ, 1),
    Area("data", DATA, 4, _RW, 4),
    Area("sealed", SEALED, 1, Prot.READ, 1),
    Area("far", FAR, 3, _RW, 3),
    Area("heap", HEAP, 8, _RW, 0),
    Area("shared", SHARED, 2, _RW, 2, shared=True),
    Area("stack", STACK_TOP - (STACK_PAGES << PAGE_SHIFT), STACK_PAGES, _RW, 3, grows_down=True),
)
"""FAR spans two leaf tables; no page of the heap is present."""


def fill(space: AddressSpace) -> None:
    """Adds the areas and their pages, each filled with the low byte of its page number."""
    for area in AREAS:
        backing = SharedMemory(space.frames, area.pages) if area.shared else None
        vma = Vma(
            area.start,
            area.start + area.pages * PAGE_SIZE,
            area.prot,
            shared=area.shared,
            backing=backing,
            name=area.name,
            grows_down=area.grows_down,
        )
        space.add(vma)
        for number in range(area.present):
            _fill_page(space, vma, area.start + number * PAGE_SIZE)
    space.brk_start = HEAP
    space.brk = HEAP + 8 * PAGE_SIZE


def _fill_page(space: AddressSpace, vma: Vma, va: int) -> None:
    space.table.leaf(va)
    if vma.backing is not None:
        frame = vma.backing.frame(vma.index_of(va))
        assert frame is not None
        vma.backing.stored_to(vma.index_of(va))
        space.frames.share(frame)
    else:
        frame = space.frames.allocate(Kind.PRIVATE)
    dirty = D if vma.writable and va != CLEAN else 0
    space.frames.ram.write(frame << PAGE_SHIFT, bytes([va >> PAGE_SHIFT & 0xFF]) * PAGE_SIZE)
    space.table.set_pte(va, make_pte(frame, vma.pte_flags | dirty))
