"""Walks of page tables in RAM: the mapped pages as arrays, each with its VMA.

A walk reads the tables from the root down and uses none of the kernel's own data. It reuses an
earlier walk of the same space for tables whose 4,096 bytes are unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from operator import attrgetter

from emu.machine.pte import PAGE_SHIFT, PPN_SHIFT, PTES_PER_TABLE, V, W, is_leaf, ppn
from kernel.base.lazy_numpy import Indices, Marks, Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.frames import Frames
from kernel.mm.page_cache import FilePages
from kernel.mm.vma import Vma

_AS_VALUES = attrgetter("start", "end", "prot", "shared", "backing", "offset", "may_write")


class MappedPages:
    """Pages of one space: of a leaf table, of a superpage, or invalid entries of upper tables."""

    def __init__(
        self, frames: Frames, space: AddressSpace, vas: Indices, ptes: Ptes, table: int = 0
    ) -> None:
        self.space = space
        self.table = table
        """PPN of the leaf table; 0 for pages without one."""
        self.vas = vas
        self.ptes = ptes
        self.indices = frames.indices(ptes)
        """Frame of each page, as an index into the frames' counts and kinds."""
        self.inside: Marks = (self.indices >= 0) & (self.indices < frames.total)
        """Marks the pages whose frame lies in RAM."""
        self.vma_at = self._vmas()

    def _vmas(self) -> Indices:
        """Position of each page's VMA in the space's list, -1 for none."""
        vmas = self.space.vmas
        if not vmas:
            return np.full(len(self.vas), -1)
        starts = np.array([vma.start for vma in vmas])
        ends = np.array([vma.end for vma in vmas])
        position = np.searchsorted(starts, self.vas, side="right") - 1
        return np.where((position >= 0) & (self.vas < ends[position]), position, -1)

    def of_vmas(self, value: Callable[[Vma], int | bool], without: int = 0) -> Indices:
        """A property of each page's VMA; ``without`` for pages without one."""
        values = np.array([*(value(vma) for vma in self.space.vmas), without], dtype=np.int64)
        return values[self.vma_at]

    def where(self, wrong: Marks) -> Iterator[tuple[int, int]]:
        """Yields (va, PTE) of the marked pages."""
        if wrong.any():
            yield from zip(self.vas[wrong].tolist(), self.ptes[wrong].tolist(), strict=True)

    @cached_property
    def stores_to_files(self) -> bool:
        """True when a store to one of the pages changes a file."""
        if not (self.ptes & np.uint64(W)).any():
            return False
        return bool(
            self.of_vmas(lambda vma: vma.shared and isinstance(vma.backing, FilePages)).any()
        )


class TableWalk:
    """The result of a walk from the root of ``space``."""

    def __init__(
        self, frames: Frames, space: AddressSpace, earlier: TableWalk | None = None
    ) -> None:
        self.space = space
        self.vmas = list(map(_AS_VALUES, space.vmas))
        self.tables: list[int] = []
        """PPNs of the tables of all levels, one for each link: root, middle, leaves."""
        self.mapped: list[MappedPages] = []
        self._frames = frames
        self.same_vmas = earlier is not None and earlier.vmas == self.vmas
        if earlier is None or not self._take_over(earlier):
            self._look()

    def _look(self) -> None:
        upper: list[int] = []
        leaves: list[tuple[int, int]] = []
        odd: list[tuple[int, int]] = []
        large: list[tuple[int, int]] = []
        pending = [(self.space.table.root, 2, 0)]
        while pending:
            table, level, base = pending.pop()
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
                    pending.append((ppn(entry), level - 1, va))
        self.tables = upper + [table for table, _ in leaves]
        self._rows = np.array(self.tables) - self._frames.first
        self._content = self._frames.tables[self._rows]
        self._upper = len(upper)
        self._bases = [base for _, base in leaves]
        self.mapped = [self._leaf(number) for number in range(len(leaves))]
        self.mapped += [self._superpage(va, entry) for va, entry in large]
        if odd:
            vas, ptes = zip(*odd, strict=True)
            self.mapped.append(self._pages(np.array(vas), np.array(ptes, np.uint64)))

    def _take_over(self, earlier: TableWalk) -> bool:
        """Reuses an earlier walk; returns False when upper tables changed since."""
        if earlier.tables[0] != self.space.table.root:
            return False
        content = self._frames.tables[earlier._rows]
        changed = np.flatnonzero((content != earlier._content).any(axis=1)).tolist()
        if changed and changed[0] < earlier._upper:
            return False
        self.tables, self._rows, self._upper = earlier.tables, earlier._rows, earlier._upper
        self._bases = earlier._bases
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

    def leaf_places(self, table: int) -> list[int]:
        """First address of each span of 2 MiB that the leaf table ``table`` maps."""
        return [base for base, leaf in self.leaves.items() if leaf == table]

    def _leaf(self, number: int) -> MappedPages:
        entries = self._content[self._upper + number]
        valid = np.flatnonzero(entries & np.uint64(V))
        table = self.tables[self._upper + number]
        return self._pages(self._bases[number] + (valid << PAGE_SHIFT), entries[valid], table)

    def _superpage(self, va: int, entry: int) -> MappedPages:
        """The 512 pages of a PTE that maps 2 MiB (privileged spec, 4.3.2)."""
        number = np.arange(PTES_PER_TABLE)
        ptes = np.uint64(entry) + (number.astype(np.uint64) << np.uint64(PPN_SHIFT))
        return self._pages(va + (number << PAGE_SHIFT), ptes)

    def _pages(self, vas: Indices, ptes: Ptes, table: int = 0) -> MappedPages:
        return MappedPages(self._frames, self.space, vas, ptes, table)
