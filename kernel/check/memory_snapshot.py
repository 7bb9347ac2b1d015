"""A snapshot of the references to frames: by page tables in RAM, and by pins of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice

from emu.machine.pte import HUGE_FRAMES
from kernel.base.lazy_numpy import Indices, Marks, np
from kernel.check.page_columns import PageColumns
from kernel.check.table_walk import MappedPages, TableWalk
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.backing import Backing
from kernel.mm.backing.page_cache import PageCache
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.page_tables.pte_text import pte_text
from kernel.mm.physical.frames import Frames


class MemorySnapshot:
    """All references to frames: of the spaces of all processes, the page cache, and pins.

    With an ``earlier`` snapshot that had no violations, only the differences are examined.
    """

    def __init__(
        self,
        frames: Frames,
        spaces: list[AddressSpace],
        cache: PageCache | None = None,
        pinned: Iterable[SharedMemory] = (),
        earlier: MemorySnapshot | None = None,
        segments: Iterable[SharedMemory] = (),
    ) -> None:
        self.frames = frames
        self.spaces = spaces
        self.cache = cache
        self.pinned = list(pinned)
        """Backings without a VMA, such as the kernel's sigreturn page."""
        self.segments = list(segments)
        """Memory of System V, which may have no VMA."""
        self.names: dict[AddressSpace, str] = {}
        """Names of the processes of each space, for messages."""
        before = earlier.walks if earlier is not None else {}
        self.walks: dict[AddressSpace, TableWalk] = {
            space: TableWalk(frames, space, before.get(space)) for space in spaces
        }
        self.mapped = [mapped for walk in self.walks.values() for mapped in walk.mapped]
        self._indices = self._of_all_pages(earlier)
        self._of_one_process = self._first_of_each_table()
        self._count_holders()
        self.changed = self._changed_since(earlier) if earlier is not None else self.mapped
        """Pages of the tables that differ from the earlier snapshot."""

    @cached_property
    def unchecked(self) -> PageColumns:
        """All pages of ``changed``."""
        return PageColumns(self.frames, self.changed)

    def _of_all_pages(self, earlier: MemorySnapshot | None) -> Indices:
        """Frame index of each page, -1 outside RAM."""
        if earlier is not None and earlier.mapped == self.mapped:
            return earlier._indices
        return np.concatenate([np.empty(0, np.int64), *(each.indices for each in self.mapped)])

    def _first_of_each_table(self) -> Marks:
        """Marks the pages of each table once, in the first process that has the table."""
        visited: set[int] = set()
        first = np.ones(len(self._indices), bool)
        at = 0
        for mapped in self.mapped:
            if mapped.table in visited:
                first[at : at + len(mapped.vas)] = False
            elif mapped.table:
                visited.add(mapped.table)
            at += len(mapped.vas)
        return first

    def _count_holders(self) -> None:
        """Counts the users, PTEs and pins of each frame, by index up to the highest referenced."""
        first = self.frames.first
        held = [
            np.fromiter(pages.values(), np.int64, len(pages)) - first
            for pages in (backing.held() for backing in self.backings)
        ]
        self.table_rows = np.concatenate(
            [np.empty(0, np.int64), *(walk.table_rows for walk in self.walks.values())]
        )
        """Index of the frame of each page table, one for each process that has it."""
        pins = np.concatenate([self._reserved() - first, self._deposits(), self._linked(), *held])
        span = max(self.frames.touched, int(pins.max()) + 1, int(self._indices.max(initial=0)) + 1)
        self.user_counts: Indices = np.bincount(self._indices + 1, minlength=span + 1)[1:]
        """Number of pages of processes in each frame."""
        distinct = self._indices[self._of_one_process]
        self.pte_counts: Indices = np.bincount(distinct + 1, minlength=span + 1)[1:]
        """Number of PTEs that map each frame; those of a shared table count once."""
        self.pin_counts: Indices = np.bincount(pins, minlength=span)
        """Number of pins of each frame."""
        self.holder: Indices = np.zeros(span, np.int64)
        """id() of the backing that pins each frame; 0 for none."""
        self.page_held: Indices = np.zeros(span, np.int64)
        """Page number of each frame in its backing."""
        for backing, indices in zip(self.backings, held, strict=True):
            self.holder[indices] = id(backing)
            self.page_held[indices] = np.fromiter(backing.held(), np.int64, len(indices))
        self.counts = self.frames.counts[:span].copy()
        """Reference count and kind of each frame at the time of the snapshot."""
        self.kinds = self.frames.kinds[:span].copy()

    def _reserved(self) -> Indices:
        """PPNs of the zero frame, the huge zero page and the pool's pages: the kernel pins them."""
        runs = [*self.frames.pool]
        if self.frames.huge_zero is not None:
            runs.append(self.frames.huge_zero)
        each = np.array(runs, np.int64)[:, np.newaxis] + np.arange(HUGE_FRAMES)
        return np.append(each.ravel(), self.frames.zero)

    def _linked(self) -> Indices:
        """Index of the frame of each page table, one for each pointer to it. Those in a table that
        processes share count once.
        """
        links: dict[tuple[int, int], int] = {}
        for walk in self.walks.values():
            links |= walk.links
        return np.fromiter(links.values(), np.int64, len(links)) - self.frames.first

    def _deposits(self) -> Indices:
        """Index of each empty leaf table that is kept for the split of a huge page."""
        deposits = [table for space in self.spaces for table in space.table.deposits()]
        return np.array(deposits, np.int64) - self.frames.first

    def _changed_since(self, earlier: MemorySnapshot) -> list[MappedPages]:
        """Returns the pages that are not in the earlier snapshot, that map a frame whose counts
        differ, or that depend on more than these two.
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
        touched: set[int] = set()
        hits = np.flatnonzero(changed[self._indices])
        if len(hits):
            ends = np.cumsum([len(mapped.vas) for mapped in self.mapped])
            touched.update(np.searchsorted(ends, hits, side="right").tolist())
        known = set(earlier.mapped)
        return [
            mapped
            for number, mapped in enumerate(self.mapped)
            if number in touched or mapped not in known or mapped.stores_to_files
        ]

    @property
    def remapped(self) -> list[AddressSpace]:
        """Spaces whose VMAs differ from the earlier snapshot."""
        return [space for space, walk in self.walks.items() if not walk.same_vmas]

    def users(self, frame: int) -> int:
        """Number of pages of processes in a frame, plus its pins."""
        index = frame - self.frames.first
        return int(max(self.frames.counts[index], self.user_counts[index]))

    def places(self, table: int) -> list[tuple[AddressSpace, int]]:
        """Places of a table: each space, and the first address that it maps there."""
        return [(space, va) for space, walk in self.walks.items() for va in walk.places(table)]

    @property
    def tables(self) -> list[int]:
        """PPNs of all page tables, one for each process that has them."""
        return [table for walk in self.walks.values() for table in walk.tables]

    def table(self, row: int) -> tuple[AddressSpace, int]:
        """The space and the PPN of one of ``table_rows``."""
        links = ((space, table) for space, walk in self.walks.items() for table in walk.tables)
        return next(islice(links, row, None))

    @cached_property
    def backings(self) -> list[Backing]:
        unmapped = (*self.pinned, *self.segments)
        found: dict[int, Backing] = {id(backing): backing for backing in unmapped}
        for walk in self.walks.values():
            found |= {id(backing): backing for backing in walk.vma_rows.backings}
        if self.cache is not None:
            found |= {id(pages): pages for pages in self.cache.files}
        return list(found.values())

    def space_name(self, space: AddressSpace) -> str:
        return self.names.get(space) or f"space {space.table.root:#x}"

    def page(self, space: AddressSpace, va: int, pte: int) -> str:
        """Text of a page, such as ``pid 2 at 0x11000 → frame 0x80231 R--U-A- CoW``."""
        return f"{self.space_name(space)} at {va:#x} → frame {pte_text(pte)}"

    def sharers(self, frame: int) -> str:
        """Text of all pages that map ``frame``."""
        return "; ".join(self.page(*page) for page in self.pages_in(frame)) or "no page"

    def pages_in(self, frame: int) -> Iterator[tuple[AddressSpace, int, int]]:
        """Yields (space, va, PTE) of all pages that map ``frame``."""
        pages = PageColumns(self.frames, self.mapped)
        yield from pages.where(pages.inside & (pages.index == frame - self.frames.first))


def unique(spaces: Iterable[AddressSpace]) -> list[AddressSpace]:
    """Distinct spaces that are alive."""
    return list({id(space): space for space in spaces if space.alive}.values())
