"""Who holds which frame: what a look at the page tables in RAM and at the kernel's pins finds."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from kernel.base.lazy_numpy import Indices, Marks, np
from kernel.check.table_walk import MappedPages, TableWalk
from kernel.mm.address_space import AddressSpace
from kernel.mm.frames import Frames
from kernel.mm.page_cache import Backing, PageCache, SharedMemory
from kernel.mm.pte_text import pte_text


class MemorySnapshot:
    """Everything that holds frames: the spaces of all processes, the page cache, pins.

    With an ``earlier`` look, at which all was well, only what is different since is looked at anew.
    """

    def __init__(
        self,
        frames: Frames,
        spaces: list[AddressSpace],
        cache: PageCache | None = None,
        pinned: Iterable[SharedMemory] = (),
        earlier: MemorySnapshot | None = None,
    ) -> None:
        self.frames = frames
        self.spaces = spaces
        self.cache = cache
        self.pinned = list(pinned)
        """Backings that live without a VMA, such as the kernel's sigreturn page."""
        self.names: dict[AddressSpace, str] = {}
        """The processes of a space, for the messages."""
        before = earlier.walks if earlier is not None else {}
        self.walks: dict[AddressSpace, TableWalk] = {
            space: TableWalk(frames, space, before.get(space)) for space in spaces
        }
        self.mapped = [mapped for walk in self.walks.values() for mapped in walk.mapped]
        self._indices = self._of_all_pages(earlier)
        self._of_one_process = self._first_of_each_table()
        self._count_holders()
        self.unchecked = self._changed_since(earlier) if earlier is not None else self.mapped
        """The pages about which something is different from the earlier look."""

    def _of_all_pages(self, earlier: MemorySnapshot | None) -> Indices:
        """The frames of all pages that lie in RAM, by index; those outside count as -1."""
        if earlier is not None and earlier.mapped == self.mapped:
            return earlier._indices
        parts = [np.where(mapped.inside, mapped.indices, -1) for mapped in self.mapped]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _first_of_each_table(self) -> Marks:
        """Of all pages, those of the first process that a table is found in."""
        seen: set[int] = set()
        first = np.ones(len(self._indices), bool)
        at = 0
        for mapped in self.mapped:
            if mapped.table in seen:
                first[at : at + len(mapped.vas)] = False
            elif mapped.table:
                seen.add(mapped.table)
            at += len(mapped.vas)
        return first

    def _count_holders(self) -> None:
        """What is known of each frame, by index, up to the last one that anybody names."""
        first = self.frames.first
        held = [
            np.fromiter(pages.values(), np.int64, len(pages)) - first
            for pages in (backing.held() for backing in self.backings)
        ]
        fixed = np.array([self.frames.zero, *self.tables]) - first
        pins = np.concatenate([fixed, *held])
        span = max(self.frames.touched, int(pins.max()) + 1, int(self._indices.max(initial=0)) + 1)
        self.user_counts: Indices = np.bincount(self._indices + 1, minlength=span + 1)[1:]
        """How many pages of processes are in each frame."""
        distinct = self._indices[self._of_one_process]
        self.pte_counts: Indices = np.bincount(distinct + 1, minlength=span + 1)[1:]
        """How many PTEs map each frame: those in a table that is shared count once."""
        self.pin_counts: Indices = np.bincount(pins, minlength=span)
        """How often the kernel itself holds each frame."""
        self.holder: Indices = np.zeros(span, np.int64)
        """Which backing, by its id, holds each frame; 0 when none does."""
        self.page_held: Indices = np.zeros(span, np.int64)
        """Which of the backing's pages that is."""
        for backing, indices in zip(self.backings, held, strict=True):
            self.holder[indices] = id(backing)
            self.page_held[indices] = np.fromiter(backing.held(), np.int64, len(indices))
        self.counts = self.frames.counts[:span].copy()
        """Each frame's count, as it was at this look; and its kind."""
        self.kinds = self.frames.kinds[:span].copy()

    def _changed_since(self, earlier: MemorySnapshot) -> list[MappedPages]:
        """What isn't among the pages of the earlier look, maps a frame that isn't as it was, or
        depends on more than these two.
        """
        both = min(len(self.holder), len(earlier.holder))
        changed = np.ones(len(self.holder) + 1, bool)
        changed[:both] = (
            (self.counts[:both] != earlier.counts[:both])
            | (self.kinds[:both] != earlier.kinds[:both])
            | (self.holder[:both] != earlier.holder[:both])
            | (self.page_held[:both] != earlier.page_held[:both])
            | (self.user_counts[:both] != earlier.user_counts[:both])
        )
        hits = np.flatnonzero(changed[self._indices])
        ends = np.cumsum([len(mapped.vas) for mapped in self.mapped])
        touched = set(np.searchsorted(ends, hits, side="right").tolist())
        known = set(earlier.mapped)
        return [
            mapped
            for number, mapped in enumerate(self.mapped)
            if number in touched or mapped not in known or mapped.stores_to_files
        ]

    @property
    def remapped(self) -> list[AddressSpace]:
        """The spaces whose VMAs are different from the earlier look."""
        return [space for space, walk in self.walks.items() if not walk.same_vmas]

    def users(self, frame: int) -> int:
        """How many pages of processes, or other holders, a frame has."""
        index = frame - self.frames.first
        return int(max(self.frames.counts[index], self.user_counts[index]))

    def leaf_places(self, table: int) -> list[tuple[AddressSpace, int]]:
        """Where a leaf table hangs: the spaces, and the first address that it maps there."""
        return [(space, va) for space, walk in self.walks.items() for va in walk.leaf_places(table)]

    @property
    def tables(self) -> list[int]:
        """The PPNs of all page tables, as often as they are linked."""
        return [table for walk in self.walks.values() for table in walk.tables]

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

    def space_name(self, space: AddressSpace) -> str:
        return self.names.get(space) or f"space {space.table.root:#x}"

    def page(self, space: AddressSpace, va: int, pte: int) -> str:
        """Such as ``pid 2 at 0x11000 → frame 0x80231 R--U-A- CoW``."""
        return f"{self.space_name(space)} at {va:#x} → frame {pte_text(pte)}"

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
