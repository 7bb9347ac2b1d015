"""One process's Sv39 page table: its PTEs, one by one, in short ranges, and in long ones.

The tables themselves are found and made by :mod:`kernel.mm.leaf_tables`, and shared between
processes by :mod:`kernel.mm.shared_leaf_tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emu.machine.pte import (
    PAGE_SHIFT,
    PTES_PER_TABLE,
    RSW0,
    VA_HALF,
    V,
    ppn,
)
from kernel.base.lazy_numpy import Ptes, np, numpy_is_there
from kernel.mm.frames import Kind
from kernel.mm.leaf_tables import LEAF_SHIFT
from kernel.mm.shared_leaf_tables import SharedTables

COW = RSW0
"""Set on a page that is private and writable by right, but whose W is clear because its frame may
have other users: the next store copies the frame or takes it over."""


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


def _without_numpy(tables: int) -> bool:
    """Whether so many tables are not worth NumPy's import."""
    return tables <= _FEW_TABLES and not numpy_is_there()


def is_few(pages: int) -> bool:
    """Whether so many pages that lie anywhere are better gone through one by one."""
    return pages <= _FEW_PAGES or _without_numpy(pages // PTES_PER_TABLE + 1)


class PageTable(SharedTables):
    """Maps pages to PTEs."""

    def set_pte(self, va: int, pte: int) -> None:
        """Writes the leaf PTE of ``va``'s page, with new tables where they are missing."""
        index = self.leaf(va) + (va >> PAGE_SHIFT & 511)
        self._ram.words[index] = pte

    def leaf(self, va: int) -> int:
        """The index in RAM's words of the leaf table for ``va``, fit to be changed: made when it is
        missing, copied when it is shared.

        :class:`kernel.base.errors.OutOfMemory` when a table can't be allocated; what was linked
        before stays, and is freed with the rest.
        """
        key = va >> LEAF_SHIFT
        if key in self._shared:
            self.own(va)
        leaf = self._leaves.get(key)
        if leaf is None:
            leaf = self._frame_to_words(self._frames.allocate_zeroed(Kind.TABLE))
            self._link(key, leaf)
        return leaf

    def is_short(self, start: int, end: int) -> bool:
        """Whether [start, end) is better gone through page by page than with NumPy."""
        if end - start <= _FEW_PAGES << PAGE_SHIFT:
            return True
        return _without_numpy(len(self.keys(start, end)))

    def pages(self, start: int, end: int) -> list[tuple[int, int]]:
        """(va, PTE) of every page of [start, end) that is mapped, in the order of addresses."""
        found: list[tuple[int, int]] = []
        for key in self.keys(start, end):
            leaf, (first, last) = self._leaves[key], self._within(key, start, end)
            ptes = self._ram.words[leaf + first : leaf + last].tolist()
            found += [
                ((key << LEAF_SHIFT) + (index << PAGE_SHIFT), pte)
                for index, pte in enumerate(ptes, first)
                if pte & V
            ]
        return found

    def clear(self, va: int) -> None:
        """Clears the leaf PTE of ``va``'s page, which is there, for all who share the table."""
        self._ram.words[self._leaves[va >> LEAF_SHIFT] + (va >> PAGE_SHIFT & 511)] = 0

    def slices(self, start: int, end: int) -> Iterator[tuple[int, Ptes]]:
        """The PTEs of [start, end), a leaf table at a time: (address of the first, array).

        The arrays are views: writing to them writes the tables, which must be the process's own.
        Missing tables are passed over.
        """
        for key in self.keys(start, end):
            first, last = self._within(key, start, end)
            begin = (key << LEAF_SHIFT) + (first << PAGE_SHIFT)
            yield begin, self.entries(begin, last - first)

    def entries(self, va: int, count: int) -> Ptes:
        """A view of ``count`` PTEs from ``va``'s on, all in one leaf table, which is there."""
        first = self._leaves[va >> LEAF_SHIFT] + (va >> PAGE_SHIFT & 511)
        return self._frames.words[first : first + count]

    def parts(self, start: int, end: int, keys: Iterable[int] | None = None) -> Iterator[Part]:
        """The PTEs of [start, end), many whole tables at a time; to be changed and written back.

        With ``keys`` only those of these tables.
        """
        whole: list[int] = []
        for key in self.keys(start, end) if keys is None else keys:
            first, last = self._within(key, start, end)
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

    def present(self) -> list[tuple[int, int]]:
        """(va, PTE) of every page that is mapped, in the order of addresses."""
        return self.pages(0, VA_HALF)

    def present_count(self) -> int:
        """How many pages are mapped."""
        return sum(len(self._mapped(leaf)) for leaf in self._leaves.values())

    def _release_pages(self, leaves: list[int]) -> None:
        """Releases the frames that the leaf tables at these words map."""
        if _without_numpy(len(leaves)):
            for leaf in leaves:
                ptes = self._ram.words[leaf : leaf + PTES_PER_TABLE].tolist()
                self._frames.release_each(ppn(pte) for pte in ptes if pte & V)
        elif leaves:
            self._frames.release_all(np.concatenate([self._mapped(leaf) for leaf in leaves]))

    def destroy(self) -> None:
        """Releases every mapped frame and every table; pages in a table that others hold stay."""
        frames = {leaf: self._words_to_frame(leaf) for leaf in self._leaves.values()}
        self._release_pages([leaf for leaf in frames if self._frames.count(frames[leaf]) == 1])
        for frame in frames.values():
            self._frames.release(frame)
        for frame in reversed(self._upper):
            self._frames.release(frame)
        self._leaves.clear()
        self._shared.clear()
        self._upper.clear()
