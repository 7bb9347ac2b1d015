"""Walk of an address in a process, with what the kernel knows about its page."""

from __future__ import annotations

from collections.abc import Iterator

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SHIFT, V, is_leaf, ppn
from emu.observe.model.records import text
from emu.observe.walk.drawing import Walk, draw_walk, take_walk
from kernel.kernel import Kernel
from kernel.mm.address_space import AddressSpace
from kernel.mm.physical.frames import Kind
from kernel.process.process import Process

_KINDS = {
    Kind.FREE: "free",
    Kind.PRIVATE: "private memory",
    Kind.CACHE: "a page of a file or of shared memory",
    Kind.TABLE: "a page table",
    Kind.ZERO: "the zero frame",
}


def walk_in(kernel: Kernel, process: Process, va: int, access: Access) -> Walk:
    """Walks the page table of ``process`` without changing it."""
    mmu = kernel.hart.mmu
    before = mmu.satp
    mmu.satp = process.space.table.satp
    walk = take_walk(mmu, va, access)
    mmu.satp = before
    return walk


def draw_in(kernel: Kernel, process: Process, walk: Walk, when: str) -> list[str]:
    """Draws a walk that was just taken, with its mapping, frame and sharers."""
    notes = [*_describe_vma(process.space, walk.va), *_describe_frame(kernel, process, walk)]
    return draw_walk(walk, who=f"by {process!r}, {when}", notes=notes)


def _describe_vma(space: AddressSpace, va: int) -> Iterator[tuple[str, str]]:
    """Describes the VMA that contains the address."""
    vma = space.find(va)
    if vma is None:
        yield "memory", "not mapped"
    else:
        range_ = f"{vma.start:#x}-{vma.end:#x}"
        yield "memory", f"{range_} {vma.rights_text} {text(vma.name) or 'anonymous'}"


def _describe_frame(kernel: Kernel, process: Process, walk: Walk) -> Iterator[tuple[str, str]]:
    """Describes the leaf's frame and its sharers, whether or not the access is allowed."""
    pte = walk.steps[-1].pte if walk.steps else None
    if pte is None or not pte & V or not is_leaf(pte):
        return
    frame, frames = ppn(pte), process.space.frames
    if not frames.ram.holds(frame << PAGE_SHIFT):
        return
    yield "frame", f"{frame:#x}, {_KINDS[frames.kind(frame)]}, count {frames.count(frame)}"
    sharers = [
        str(other.pid)
        for other in kernel.processes.values()
        if (other.alive or other is process) and _maps(other.space, walk.va, frame)
    ]
    yield "", f"at this address it is mapped by pid {', '.join(sharers)}"


def _maps(space: AddressSpace, va: int, frame: int) -> bool:
    pte = space.table.pte(va)
    return bool(pte & V) and ppn(pte) == frame
