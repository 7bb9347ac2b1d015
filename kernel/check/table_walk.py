"""Walks of page tables in RAM: the mapped pages as arrays, each with its VMA.

A walk reads the tables from the root down and uses none of the kernel's own data. It reuses an
earlier walk of the same space for tables whose 4,096 bytes are unchanged.
"""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter

from emu.machine.pte import PAGE_SHIFT, PPN_SHIFT, PTES_PER_TABLE, R, U, V, W, X, is_leaf, ppn
from kernel.base.lazy_numpy import Indices, Marks, Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import FilePages
from kernel.mm.mappings.vma import LOWEST, USER_END
from kernel.mm.physical.frames import Frames

_ALL_RIGHTS = V | R | W | X | U
_AS_VALUES = attrgetter(
    *("start", "end", "prot", "shared", "backing", "offset", "may_write", "grows_down", "locked")
)


class VmaRows:
    """A space's VMAs as arrays, in ascending order; the last row stands for no VMA."""

    def __init__(self, space: AddressSpace) -> None:
        vmas = space.vmas
        self.none = len(vmas)
        self._starts = np.array([vma.start for vma in vmas], np.int64)
        self._ends = np.array([vma.end for vma in vmas] + [0], np.int64)
        self.shared: Marks = np.array([vma.shared for vma in vmas] + [False])
        self.breakable: Marks = np.array([v.writable and not v.shared for v in vmas] + [True])
        """Marks the private writable VMAs, whose pages may be CoW."""
        self.in_file: Marks = np.array(
            [vma.shared and isinstance(vma.backing, FilePages) for vma in vmas] + [False]
        )
        self.allowed: Ptes = np.array([vma.pte_flags for vma in vmas] + [_ALL_RIGHTS], np.uint64)
        """Flags of a PTE that maps a page of the VMA with all of its rights."""
        self.backing: Indices = np.array([id(vma.backing) for vma in vmas] + [-1], np.int64)
        self.shift: Indices = np.array([vma.offset - vma.start for vma in vmas] + [0], np.int64)
        """Added to an address, gives the offset in the backing in bytes."""
        self.backings = [vma.backing for vma in vmas if vma.backing is not None]
        """The backing of each VMA that has one."""
        self.sizes = {
            "mapped": sum(vma.length for vma in vmas),
            "data": sum(vma.length for vma in vmas if vma.is_data),
            "locked": sum(vma.length for vma in vmas if vma.locked),
        }
        """Bytes of all VMAs, and of those that count against a limit."""
        lows = [LOWEST, *(vma.end for vma in vmas)]
        highs = [*(vma.gap_end for vma in vmas), USER_END]
        self.gaps = [(low, high - low) for low, high in zip(lows, highs, strict=True) if low < high]
        """(start, size) of the free range below each VMA, and of that above all."""

    def rows_of(self, vas: Indices) -> Indices:
        """The row of each address."""
        position = np.searchsorted(self._starts, vas, side="right") - 1
        return np.where((position >= 0) & (vas < self._ends[position]), position, self.none)


class MappedPages:
    """Pages of one space: of a leaf table, of a superpage, or invalid entries of upper tables."""

    def __init__(
        self, frames: Frames, walk: TableWalk, vas: Indices, ptes: Ptes, table: int = 0
    ) -> None:
        self.space = walk.space
        self.vma_rows = walk.vma_rows
        self.table = table
        """PPN of the leaf table; 0 for pages without one."""
        self.vas = vas
        self.ptes = ptes
        self.indices = frames.indices(ptes)
        """Frame of each page, as an index into the frames' counts and kinds; -1 outside RAM."""
        self.indices[(self.indices < 0) | (self.indices >= frames.total)] = -1
        self.row = self.vma_rows.rows_of(vas)
        """Row of each page's VMA."""

    @cached_property
    def stores_to_files(self) -> bool:
        """True when a store to one of the pages changes a file."""
        writable = (self.ptes & np.uint64(W)) != 0
        return bool((writable & self.vma_rows.in_file[self.row]).any())


class TableWalk:
    """The result of a walk from the root of ``space``."""

    def __init__(
        self, frames: Frames, space: AddressSpace, earlier: TableWalk | None = None
    ) -> None:
        self.space = space
        self.vmas = list(map(_AS_VALUES, space.vmas))
        self.same_vmas = earlier is not None and earlier.vmas == self.vmas
        self.vma_rows: VmaRows = earlier.vma_rows if earlier and self.same_vmas else VmaRows(space)
        self.tables: list[int] = []
        """PPNs of the tables of all levels, one for each link: root, middle, leaves."""
        self.links: dict[tuple[int, int], int] = {}
        """The same: (table with the pointer, first address) → table; of the root, (-root, 0)."""
        self.mapped: list[MappedPages] = []
        self.huge: dict[int, int] = {}
        """The huge pages: va → PTE."""
        self._frames = frames
        if earlier is None or not self._take_over(earlier):
            self._look()

    def _look(self) -> None:
        upper: list[int] = []
        leaves: list[tuple[int, int]] = []
        odd: list[tuple[int, int]] = []
        large: list[tuple[int, int]] = []
        root = self.space.table.root
        pending = [(-root, root, 2, 0)]
        while pending:
            parent, table, level, base = pending.pop()
            self.links[parent, base] = table
            if level == 0:
                leaves.append((table, base))
                continue
            upper.append(table)
            entries = self._frames.tables[table - self._frames.first]
            for index in np.flatnonzero(entries & np.uint64(V)).tolist():
                entry, va = int(entries[index]), base + (index << PAGE_SHIFT + 9 * level)
                if is_leaf(entry) and level == 1:
                    large.append((va, entry))
                elif is_leaf(entry) or not self._frames.ram.holds(ppn(entry) << PAGE_SHIFT):
                    odd.append((va, entry))
                else:
                    pending.append((table, ppn(entry), level - 1, va))
        self.tables = upper + [table for table, _ in leaves]
        self.table_rows: Indices = np.array(self.tables) - self._frames.first
        """Frame of each table, as an index."""
        self._content = self._frames.tables[self.table_rows]
        self._bytes = self._content.tobytes()
        self._upper = len(upper)
        self._bases = [base for _, base in leaves]
        self.mapped = [self._leaf(number) for number in range(len(leaves))]
        self.mapped += [self._superpage(va, entry) for va, entry in large]
        self.huge = dict(large)
        if odd:
            vas, ptes = zip(*odd, strict=True)
            self.mapped.append(self._pages(np.array(vas), np.array(ptes, np.uint64)))

    def _take_over(self, earlier: TableWalk) -> bool:
        """Reuses an earlier walk; returns False when upper tables changed since."""
        if earlier.tables[0] != self.space.table.root:
            return False
        content = self._frames.tables[earlier.table_rows]
        changed: list[int] = []
        self._bytes = content.tobytes()
        if self._bytes == earlier._bytes:  # as at most checks, and much faster than by rows
            self._bytes = earlier._bytes
        else:
            changed = np.flatnonzero((content != earlier._content).any(axis=1)).tolist()
        if changed and changed[0] < earlier._upper:
            return False
        self.tables, self.table_rows, self._upper = (
            earlier.tables,
            earlier.table_rows,
            earlier._upper,
        )
        self._bases = earlier._bases
        self.links = earlier.links
        self.huge = earlier.huge
        self._content = content if changed else earlier._content
        if not self.same_vmas:
            self.mapped = [self._pages(old.vas, old.ptes, old.table) for old in earlier.mapped]
        elif changed:
            self.mapped = list(earlier.mapped)
        else:
            self.mapped = earlier.mapped
        for row in changed:
            self.mapped[row - self._upper] = self._leaf(row - self._upper)
        return True

    @property
    def leaves(self) -> dict[int, int]:
        """The leaf tables: va of the first page → PPN."""
        return dict(zip(self._bases, self.tables[self._upper :], strict=True))

    def places(self, table: int) -> list[int]:
        """First address of each range that the table ``table`` maps."""
        return [base for (_, base), linked in self.links.items() if linked == table]

    def _leaf(self, number: int) -> MappedPages:
        entries = self._content[self._upper + number]
        valid = np.flatnonzero(entries & np.uint64(V))
        table = self.tables[self._upper + number]
        return self._pages(self._bases[number] + (valid << PAGE_SHIFT), entries[valid], table)

    def _superpage(self, va: int, entry: int) -> MappedPages:
        """The 512 pages of a PTE that maps 2 MiB (privileged spec, 10.3.2)."""
        number = np.arange(PTES_PER_TABLE)
        ptes = np.uint64(entry) + (number.astype(np.uint64) << np.uint64(PPN_SHIFT))
        return self._pages(va + (number << PAGE_SHIFT), ptes)

    def _pages(self, vas: Indices, ptes: Ptes, table: int = 0) -> MappedPages:
        return MappedPages(self._frames, self, vas, ptes, table)
