"""One process's Sv39 page table: three levels of real tables in the machine's memory.

The tables in RAM are what counts; the MMU walks them. Beside them the kernel keeps an index of the
leaf tables, so that it finds a PTE without a walk and goes through a range a table at a time.

A leaf table may hang in the page tables of several processes (the fork policy ``shared-tables``).
Its frame counts them, as any frame counts its holders. Who wants to change it makes it his own
first: :meth:`PageTable.own` copies it, and then each frame in it has one PTE more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from emu.machine.pte import (
    PAGE_SHIFT,
    PTES_PER_TABLE,
    RSW0,
    VA_HALF,
    VPN_BITS,
    V,
    make_pte,
    make_satp,
    ppn,
    vpn,
)
from kernel.errors import OutOfMemory
from kernel.frames import Frames, Kind
from kernel.lazy import Ptes, np, numpy_is_there

COW = RSW0
"""Set on a page that is private and writable by right, but whose W is clear because its frame may
have other users: the next store copies the frame or takes it over."""

LEAF_SHIFT = 21
"""A leaf table maps 2 MiB: addresses that agree above this bit share one."""
LEAF_SPAN = 1 << LEAF_SHIFT


@dataclass(slots=True)
class Shared:
    """What a leaf table that is shared holds: pages that are there, and those of private frames.

    All who share the table have the same object.
    """

    pages: int
    private: int


@dataclass(frozen=True, slots=True)
class Part:
    """A copy of entries ``first`` to ``last`` of some leaf tables, a row for each."""

    keys: list[int]
    first: int
    last: int
    ptes: Ptes


_FEW_PAGES = 64
_FEW_TABLES = 6
"""Up to so many Python is as fast as NumPy, or as fast as NumPy and its import."""
_TABLES_AT_ONCE = 64
"""What NumPy works on at once stays in the processor's cache: 256 KiB."""


class PageTable:
    """Maps pages to PTEs. ``writes`` counts the PTEs written, one by one or in bulk."""

    def __init__(self, frames: Frames, asid: int) -> None:
        self._frames = frames
        self._ram = frames.ram
        self.root = frames.allocate_zeroed(Kind.TABLE)
        self.satp = make_satp(self.root, asid)
        self.writes = 0
        self._upper: list[int] = [self.root]
        self._leaves: dict[int, int] = {}
        """va >> LEAF_SHIFT → index of the leaf table's first word in RAM."""
        self._shared: dict[int, Shared] = {}
        """The keys of the leaf tables that others may hold too, and that so stay as they are."""

    def pte(self, va: int) -> int:
        """The leaf PTE of ``va``'s page; 0 when there is none."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is None:
            return 0
        return self._ram.words[leaf + (va >> PAGE_SHIFT & 511)]

    def set_pte(self, va: int, pte: int) -> None:
        """Writes the leaf PTE of ``va``'s page, with new tables where they are missing."""
        index = self.leaf(va) + (va >> PAGE_SHIFT & 511)
        self._ram.words[index] = pte
        self.writes += 1

    def pte_address(self, va: int) -> int | None:
        """The physical address of ``va``'s leaf PTE, None when it has no leaf table."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is None:
            return None
        return self._ram.base + 8 * (leaf + vpn(va, 0))

    def leaf(self, va: int) -> int:
        """The index in RAM's words of the leaf table for ``va``, fit to be changed: made when it is
        missing, copied when it is shared.

        :class:`kernel.errors.OutOfMemory` when a table can't be allocated; what was linked before
        stays, and is freed with the rest.
        """
        key = va >> LEAF_SHIFT
        if key in self._shared:
            self.own(va)
        leaf = self._leaves.get(key)
        if leaf is None:
            leaf = self._frame_to_words(self._frames.allocate_zeroed(Kind.TABLE))
            self._link(key, leaf)
        return leaf

    def own(self, va: int) -> bool:
        """Makes the leaf table of ``va`` this process's own; whether it had to be copied for that.

        :class:`kernel.errors.OutOfMemory` when there is no frame for the copy.
        """
        key = va >> LEAF_SHIFT
        if key not in self._shared:
            return False
        leaf = self._leaves[key]
        frame = self._words_to_frame(leaf)
        copied = self._frames.count(frame) > 1
        if copied:
            copy = self._frames.allocate(Kind.TABLE)
            self._frames.ram.copy_frame(frame, copy)
            leaf = self._frame_to_words(copy)
            self._link(key, leaf)
            self._frames.release(frame)
            table = self._frames.words[leaf : leaf + PTES_PER_TABLE]
            self._frames.share_all(table[(table & V) != 0])
        del self._shared[key]
        return copied

    def share_with(self, other: PageTable, apart: Collection[int]) -> list[Shared]:
        """Hangs the leaf tables into ``other`` too, but for those with the keys ``apart``.

        No page in them may be writable that is not shared memory. What the tables hold is returned.
        """
        keys = [key for key in self._leaves if key not in apart]
        for key in keys:
            if key not in self._shared:
                self._shared[key] = self._count(self._leaves[key])
        indices = sorted({key >> VPN_BITS for key in keys})
        middles = [other._next_table(other.root, index) for index in indices]
        for index, middle in zip(indices, middles, strict=True):
            self._share_middle(index, middle, [k for k in keys if k >> VPN_BITS == index])
        other._leaves.update((key, self._leaves[key]) for key in keys)
        other._shared.update((key, self._shared[key]) for key in keys)
        return [self._shared[key] for key in keys]

    def _share_middle(self, index: int, middle: int, keys: list[int]) -> None:
        """Copies the pointers to the leaf tables ``keys`` to another's ``middle`` table."""
        own = self._frame_to_words(self._next_table(self.root, index))
        at = np.array(keys) & (PTES_PER_TABLE - 1)
        pointers = self._frames.words[own + at]
        self._frames.share_all(pointers)
        self._frames.words[self._frame_to_words(middle) + at] = pointers

    def _count(self, leaf: int) -> Shared:
        table = self._frames.words[leaf : leaf + PTES_PER_TABLE]
        mapped = table[(table & V) != 0]
        private = self._frames.kinds[self._frames.indices(mapped)] == Kind.PRIVATE
        return Shared(len(mapped), int(np.count_nonzero(private)))

    def drop_shared(self, start: int, end: int) -> bool:
        """Lets go of what is shared and has to go: :meth:`slices` of [start, end) can be changed.

        A shared table without pages outside the range is left to the others; one with such pages
        is copied, or :class:`kernel.errors.OutOfMemory` and nothing is gone. Whether any is gone:
        the TLB may remember its pages.
        """
        gone: list[int] = []
        for key in self.keys(start, end) if self._shared else ():
            if key not in self._shared:
                continue
            leaf, begin = self._leaves[key], key << LEAF_SHIFT
            table = self._frames.words[leaf : leaf + PTES_PER_TABLE] & np.uint64(V)
            first = max(start - begin, 0) >> PAGE_SHIFT
            last = min(end - begin, LEAF_SPAN) >> PAGE_SHIFT
            alone = self._frames.count(self._words_to_frame(leaf)) == 1
            if table[:first].any() or table[last:].any() or alone:
                self.own(begin)
            else:
                gone.append(key)
        for key in gone:
            frame = self._words_to_frame(self._leaves[key])
            self._unlink(key)
            self._frames.release(frame)
        return bool(gone)

    def recount_shared(self, start: int, end: int) -> None:
        """The pages of [start, end) changed for all who share the tables."""
        for key in self.keys(start, end) if self._shared else ():
            if key in self._shared:
                shared, now = self._shared[key], self._count(self._leaves[key])
                shared.pages, shared.private = now.pages, now.private

    def unshared_keys(self, start: int, end: int) -> list[int]:
        """Those of :meth:`keys` that no other process can hold."""
        return [key for key in self.keys(start, end) if key not in self._shared]

    def own_all(self, start: int, end: int) -> None:
        """Makes the leaf tables of [start, end) this process's own."""
        for key in self.keys(start, end) if self._shared else ():
            self.own(key << LEAF_SHIFT)

    def _link(self, key: int, leaf: int) -> None:
        """Hangs the leaf table at word ``leaf`` into the middle table, which is made if missing."""
        va = key << LEAF_SHIFT
        try:
            middle = self._next_table(self.root, vpn(va, 2))
        except OutOfMemory:
            self._frames.release(self._words_to_frame(leaf))
            raise
        pointer = make_pte(self._words_to_frame(leaf), V)
        self._ram.store64((middle << PAGE_SHIFT) + 8 * vpn(va, 1), pointer)
        self._leaves[key] = leaf

    def _unlink(self, key: int) -> None:
        va = key << LEAF_SHIFT
        middle = self._next_table(self.root, vpn(va, 2))
        self._ram.store64((middle << PAGE_SHIFT) + 8 * vpn(va, 1), 0)
        self._shared.pop(key, None)
        del self._leaves[key]

    def _words_to_frame(self, leaf: int) -> int:
        return (self._ram.base + 8 * leaf) >> PAGE_SHIFT

    def _frame_to_words(self, frame: int) -> int:
        return ((frame << PAGE_SHIFT) - self._ram.base) >> 3

    def _next_table(self, table: int, index: int) -> int:
        address = (table << PAGE_SHIFT) + 8 * index
        entry = self._ram.load64(address)
        if entry & V:
            return ppn(entry)
        frame = self._frames.allocate_zeroed(Kind.TABLE)
        self._upper.append(frame)
        self._ram.store64(address, make_pte(frame, V))
        return frame

    def is_short(self, start: int, end: int) -> bool:
        """Whether [start, end) is better gone through page by page than with NumPy."""
        if end - start <= _FEW_PAGES << PAGE_SHIFT:
            return True
        return not numpy_is_there() and len(self.keys(start, end)) <= _FEW_TABLES

    def pages(self, start: int, end: int) -> list[tuple[int, int]]:
        """(va, PTE) of every page of [start, end) that is mapped, in the order of addresses."""
        found: list[tuple[int, int]] = []
        for key in self.keys(start, end):
            begin = max(start, key << LEAF_SHIFT)
            stop = min(end, (key << LEAF_SHIFT) + LEAF_SPAN)
            first = self._leaves[key] + (begin >> PAGE_SHIFT & 511)
            ptes = self._ram.words[first : first + (stop - begin >> PAGE_SHIFT)].tolist()
            found += [
                (begin + (index << PAGE_SHIFT), pte) for index, pte in enumerate(ptes) if pte & V
            ]
        return found

    def clear(self, va: int) -> None:
        """Clears the leaf PTE of ``va``'s page, which is there, for all who share the table."""
        self._ram.words[self._leaves[va >> LEAF_SHIFT] + (va >> PAGE_SHIFT & 511)] = 0
        self.writes += 1

    def slices(self, start: int, end: int) -> Iterator[tuple[int, Ptes]]:
        """The PTEs of [start, end), a leaf table at a time: (address of the first, array).

        The arrays are views: writing to them writes the tables, which must be the process's own.
        Missing tables are passed over.
        """
        for key in self.keys(start, end):
            leaf = self._leaves[key]
            begin = max(start, key << LEAF_SHIFT)
            stop = min(end, (key << LEAF_SHIFT) + LEAF_SPAN)
            first = begin >> PAGE_SHIFT & 511
            count = (stop - begin) >> PAGE_SHIFT
            yield begin, self._frames.words[leaf + first : leaf + first + count]

    def parts(self, start: int, end: int, keys: Iterable[int] | None = None) -> Iterator[Part]:
        """The PTEs of [start, end), many whole tables at a time; to be changed and written back.

        With ``keys`` only those of these tables.
        """
        whole: list[int] = []
        for key in self.keys(start, end) if keys is None else keys:
            begin = key << LEAF_SHIFT
            first = max(start - begin, 0) >> PAGE_SHIFT
            last = min(end - begin, LEAF_SPAN) >> PAGE_SHIFT
            if last - first == PTES_PER_TABLE:
                whole.append(key)
            else:
                yield self._part([key], first, last)
        for at in range(0, len(whole), _TABLES_AT_ONCE):
            yield self._part(whole[at : at + _TABLES_AT_ONCE], 0, PTES_PER_TABLE)

    def _part(self, keys: list[int], first: int, last: int) -> Part:
        return Part(keys, first, last, self._frames.tables[self._rows(keys), first:last])

    def _rows(self, keys: list[int]) -> list[int]:
        return [self._leaves[key] // PTES_PER_TABLE for key in keys]

    def make_tables(self, part: Part) -> None:
        """Makes the leaf tables that ``part`` needs."""
        for key in part.keys:
            self.leaf(key << LEAF_SHIFT)

    def write(self, part: Part) -> None:
        """Writes ``part``, from this page table or from another, to where it lies."""
        self._frames.tables[self._rows(part.keys), part.first : part.last] = part.ptes
        self.writes += part.ptes.size

    def keys(self, start: int, end: int) -> list[int]:
        """The leaf tables of [start, end) that there are, each by va >> LEAF_SHIFT, in order."""
        first, last = start >> LEAF_SHIFT, (end - 1) >> LEAF_SHIFT
        if last - first > len(self._leaves):
            return sorted(key for key in self._leaves if first <= key <= last)
        return [key for key in range(first, last + 1) if key in self._leaves]

    def range_at(self, va: int, count: int) -> Ptes:
        """The ``count`` PTEs from ``va`` on, which lie in one leaf table; made if missing."""
        first = self.leaf(va) + vpn(va, 0)
        return self._frames.words[first : first + count]

    def leaf_tables(self) -> dict[int, int]:
        """The leaf tables: va of the first page → PPN."""
        return {key << LEAF_SHIFT: self._words_to_frame(leaf) for key, leaf in self._leaves.items()}

    def frames(self) -> set[int]:
        """The PPNs of the tables of all levels."""
        return {*self._upper, *self.leaf_tables().values()}

    @property
    def table_count(self) -> int:
        """Frames taken by the tables of all levels."""
        return len(self._upper) + len(self._leaves)

    def present(self) -> list[tuple[int, int]]:
        """(va, PTE) of every page that is mapped, in the order of addresses."""
        return self.pages(0, VA_HALF)

    def present_count(self) -> int:
        """How many pages are mapped."""
        tables = (
            self._frames.words[leaf : leaf + PTES_PER_TABLE] for leaf in self._leaves.values()
        )
        return sum(int(np.count_nonzero(table & V)) for table in tables)

    def _release_pages(self, leaf: int, short: bool) -> None:
        if short:
            ptes = self._ram.words[leaf : leaf + PTES_PER_TABLE].tolist()
            self._frames.release_each(ppn(pte) for pte in ptes if pte & V)
            return
        table = self._frames.words[leaf : leaf + PTES_PER_TABLE]
        mapped = table[(table & V) != 0]
        if len(mapped):
            self._frames.release_all(mapped)

    def destroy(self) -> None:
        """Releases every mapped frame and every table."""
        short = not numpy_is_there() and len(self._leaves) <= _FEW_TABLES
        for leaf in self._leaves.values():
            frame = self._words_to_frame(leaf)
            if self._frames.count(frame) == 1:
                self._release_pages(leaf, short)
            self._frames.release(frame)
        for frame in reversed(self._upper):
            self._frames.release(frame)
        self._leaves.clear()
        self._shared.clear()
        self._upper.clear()
