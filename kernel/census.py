"""Who holds which frame: what a look at the page tables in RAM and at the kernel's pins finds.

It reads the tables from the roots down and trusts none of the kernel's own book-keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emu.machine.pte import PAGE_SHIFT, V, flags_text, is_leaf, ppn
from kernel.backing import Backing, PageCache, SharedMemory
from kernel.frames import Frames
from kernel.pagetable import COW
from kernel.space import AddressSpace
from kernel.vma import Vma

_Words = npt.NDArray[np.uint64]
_Indices = npt.NDArray[np.int64]


class Mapped:
    """The pages that one space's tables map, as arrays, with the VMA each belongs to."""

    def __init__(self, frames: Frames, space: AddressSpace) -> None:
        self.space = space
        self.tables: list[int] = []
        """PPNs of its tables, as a walk from the root finds them."""
        self.vas, self.ptes = self._walk(frames)
        self.indices = frames.indices(self.ptes)
        self.vma_at = self._vmas()

    def _walk(self, frames: Frames) -> tuple[_Indices, _Words]:
        words = np.frombuffer(frames.ram.bytes, dtype=np.uint64)
        vas: list[_Indices] = [np.empty(0, np.int64)]
        ptes: list[_Words] = [np.empty(0, np.uint64)]
        pending = [(self.space.table.root, 2, 0)]
        while pending:
            table, level, base = pending.pop()
            self.tables.append(table)
            first = ((table << PAGE_SHIFT) - frames.ram.base) >> 3
            entries = words[first : first + 512]
            valid = np.flatnonzero(entries & np.uint64(V))
            if level == 0:
                vas.append(base + (valid << PAGE_SHIFT))
                ptes.append(entries[valid])
                continue
            for index in valid.tolist():
                entry, va = int(entries[index]), base + (index << PAGE_SHIFT + 9 * level)
                if is_leaf(entry) or not frames.ram.holds(ppn(entry) << PAGE_SHIFT):
                    vas.append(np.array([va], np.int64))
                    ptes.append(np.array([entry], np.uint64))
                else:
                    pending.append((ppn(entry), level - 1, va))
        return np.concatenate(vas), np.concatenate(ptes)

    def _vmas(self) -> _Indices:
        """For each page the position of its VMA in the space's list, -1 when it has none."""
        vmas = self.space.vmas
        if not vmas:
            return np.full(len(self.vas), -1)
        starts = np.array([vma.start for vma in vmas])
        ends = np.array([vma.end for vma in vmas])
        position = np.searchsorted(starts, self.vas, side="right") - 1
        return np.where((position >= 0) & (self.vas < ends[position]), position, -1)

    def of_vmas(
        self, value: Callable[[Vma], int | bool], without: int = 0
    ) -> npt.NDArray[np.int64]:
        """A property of each page's VMA, ``without`` for a page that has none."""
        values = np.array([*(value(vma) for vma in self.space.vmas), without], dtype=np.int64)
        return values[self.vma_at]

    def where(self, wrong: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        """(va, PTE) of the pages that are wrong."""
        if wrong.any():
            yield from zip(self.vas[wrong].tolist(), self.ptes[wrong].tolist(), strict=True)


@dataclass
class Memory:
    """Everything that holds frames: the spaces of all processes, the page cache, pins.

    ``names`` tells the processes of a space, for the messages.
    """

    frames: Frames
    spaces: list[AddressSpace]
    cache: PageCache | None = None
    pinned: list[SharedMemory] = field(default_factory=list)
    """Backings that live without a VMA, such as the kernel's sigreturn page."""
    names: dict[AddressSpace, str] = field(default_factory=dict)

    @cached_property
    def mapped(self) -> list[Mapped]:
        return [Mapped(self.frames, space) for space in self.spaces]

    @cached_property
    def backings(self) -> list[Backing]:
        found: dict[int, Backing] = {id(backing): backing for backing in self.pinned}
        for space in self.spaces:
            for vma in space.vmas:
                if vma.backing is not None:
                    found[id(vma.backing)] = vma.backing
        if self.cache is not None:
            found |= {id(pages): pages for pages in self.cache.files}
        return list(found.values())

    @cached_property
    def pte_counts(self) -> _Indices:
        """How many PTEs map each frame, by index; frames outside RAM are left out."""
        indices = np.concatenate([np.empty(0, np.int64), *(m.indices for m in self.mapped)])
        inside = indices[(indices >= 0) & (indices < self.frames.total)]
        return np.bincount(inside, minlength=self.frames.touched)[: self.frames.total]

    @cached_property
    def pin_counts(self) -> _Indices:
        """How often the kernel itself holds each frame, by index."""
        pins = np.zeros(len(self.pte_counts), dtype=np.int64)
        held = [self.frames.zero, *(t for mapped in self.mapped for t in mapped.tables)]
        held += [frame for backing in self.backings for frame in backing.held()]
        np.add.at(pins, np.array(held) - self.frames.first, 1)
        return pins

    @cached_property
    def holder(self) -> _Indices:
        """For each frame, by index, which of ``backings`` holds it; -1 when none does."""
        holder = np.full(len(self.pte_counts), -1)
        for position, backing in enumerate(self.backings):
            held = np.array(list(backing.held()), dtype=np.int64)
            holder[held - self.frames.first] = position
        return holder

    def space_name(self, space: AddressSpace) -> str:
        return self.names.get(space) or f"space {space.table.root:#x}"

    def page(self, space: AddressSpace, va: int, pte: int) -> str:
        """Such as ``pid 2 at 0x11000 → frame 0x80231 R--U-A- CoW``."""
        cow = " CoW" if pte & COW else ""
        return f"{self.space_name(space)} at {va:#x} → frame {ppn(pte):#x} {flags_text(pte)}{cow}"

    def sharers(self, frame: int) -> str:
        """All pages that map ``frame``."""
        pages = [
            self.page(m.space, va, pte)
            for m in self.mapped
            for va, pte in m.where(m.indices == frame - self.frames.first)
        ]
        return "; ".join(pages) or "nobody"


def unique(spaces: Iterable[AddressSpace]) -> list[AddressSpace]:
    """Each space once, those that are gone left out."""
    return list({id(space): space for space in spaces if space.alive}.values())
