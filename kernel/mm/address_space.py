"""An address space: the VMAs of a process and its page table, kept consistent.

A VMA holds the permissions of a range, a PTE the present state of a page:

* private anonymous, untouched: no PTE. After a read: the zero frame, R, CoW if the VMA is writable.
  After a store: a frame of its own, R and W.
* private file page, not stored to: the page cache's frame, R, CoW if the VMA is writable.
* private, shared by fork: the same frame in both processes, R, CoW if writable, W clear.
* shared (file or anonymous): the backing's frame, R; W at once, in a file once it was stored to.
* any of them under PROT_NONE: R without U, so that user code cannot access it.

So CoW implies R and not W; a present page of a private writable VMA has W or CoW; and a read-only
VMA's pages have neither.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from mypy_extensions import mypyc_attr

from emu.machine.pte import HUGE_SIZE, PAGE_SHIFT, PAGE_SIZE, ppn
from kernel.base.errno import EACCES, ENOMEM
from kernel.base.errors import Errno
from kernel.base.resource_limits import Limits, Resource
from kernel.mm.backing.backing import Backing
from kernel.mm.dirty_pages import note_dirty_pages
from kernel.mm.mappings.huge_policy import HugePages
from kernel.mm.mappings.image_layout import ImageLayout
from kernel.mm.mappings.vma import USER_END, Prot, Vma, VmFlag
from kernel.mm.mappings.vma_list import add_users, drop_user
from kernel.mm.memory_peaks import MemoryPeaks
from kernel.mm.page_tables import pte_ranges
from kernel.mm.page_tables.clear_range import clear_range
from kernel.mm.page_tables.page_table import PageTable
from kernel.mm.physical.frames import Frames, Kind

if TYPE_CHECKING:
    from emu.machine.cause import Access
    from kernel.mm.outcome import Outcome


@mypyc_attr(allow_interpreted_subclasses=True)
class MemoryObserver:
    """Receives the events of address spaces; each method does nothing unless overridden.

    The space may be one that no process has yet, or that no process has any more. An observer must
    not change it.
    """

    def faulting(self, space: AddressSpace, page: int) -> None:
        """Called before a page fault is handled, with the tables as the fault found them."""

    def mapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Called when a VMA was added or has grown: [start, end) is new."""

    def protected(self, space: AddressSpace, start: int, end: int) -> None:
        """Called when the permissions of the VMAs in [start, end) may have changed (mprotect)."""

    def moved(self, space: AddressSpace, start: int, end: int, to: int) -> None:
        """Called when [start, end) moved to ``to`` with its pages (mremap), before ``mapped``."""

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        """Called before the pages of [start, end) are released."""

    def huge_split(self, space: AddressSpace, start: int) -> None:
        """Called when the huge page at ``start`` was split, except by a page fault."""

    def collapsed(self, space: AddressSpace, start: int, copied: int) -> None:
        """Called when the pages of the 2 MiB at ``start`` became a huge page (MADV_COLLAPSE).

        ``copied`` of them have other users, because a fork shared them.
        """

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Called when no VMA is left in [start, end)."""

    def discarding(self, space: AddressSpace) -> None:
        """Called before all pages are released: the last process leaves (exit, exec)."""


UNOBSERVED: Final = MemoryObserver()
"""The observer of an address space that has none."""


class Pager(Protocol):
    """Handles page faults in place of the kernel's own handler (see ``AddressSpace.pager``)."""

    def resolve(self, space: AddressSpace, page: int, access: Access, pte: int) -> Outcome | None:
        """Makes ``page`` accessible for ``access``; None leaves the fault to the kernel's handler.

        Raises :class:`kernel.base.errors.OutOfMemory` when there is no frame for it.
        """


class AddressSpace(MemoryPeaks):
    """The VMAs and the page table of a process.

    ``users`` is the number of processes that share it (two between vfork and exec). ``flush_tlb``
    is called whenever a PTE loses a permission that the TLB may hold. ``observer`` receives the
    events of its ranges and pages. ``pager``, if any, is called for page faults first.
    """

    table_type: ClassVar[type[PageTable]] = PageTable

    def __init__(self, frames: Frames, asid: int, flush_tlb: Callable[[], None]) -> None:
        super().__init__(frames)
        self.table = self.table_type(frames, asid)
        self.flush_tlb = flush_tlb
        self.pager: Pager | None = None
        self.limits = Limits()
        """Those of its process; the defaults until a process has this space."""
        self.users = 1
        self.brk_start = 0
        self.brk = 0
        self.stack_limit = 8 << 20
        self.alive = True
        self.locks_new = False
        self.locks_new_on_fault = False
        """True when new mappings are locked (mlockall(2)), and when that brings no page in."""
        self.asks_for_barriers = False
        """True when the space is registered for membarrier(2)."""
        self.inherits_all = False
        """True when a child of fork gets all PTEs, also those that its faults would fill again, and
        their A bits.
        """
        self.fault_around = PAGE_SIZE
        """Bytes of the window that a read fault on cached pages maps, a power of two; one page for
        the page alone."""
        self.set_huge_pages(HugePages())
        self.observer = UNOBSERVED
        self.image = ImageLayout()

    def set_huge_pages(self, huge_pages: HugePages) -> None:
        self.huge_pages = huge_pages
        self.huge_faults = huge_pages.possible
        """False when no fault can map a huge page."""

    # Limits.

    def may_expand(self, size: int, *, is_data: bool) -> bool:
        """Returns whether RLIMIT_AS, and for data RLIMIT_DATA, allow ``size`` further bytes.

        A soft RLIMIT_DATA of 0 stands for the hard one, as in Linux.
        """
        if self.mapped_bytes + size > self.limits.soft(Resource.AS):
            return False
        soft, hard = self.limits[Resource.DATA]
        return not is_data or self.data_bytes + size <= (soft or hard)

    def may_lock(self, size: int) -> bool:
        """Returns whether RLIMIT_MEMLOCK allows ``size`` further locked bytes."""
        return size <= 0 or self.locked_bytes + size <= self.limits.soft(Resource.MEMLOCK)

    # Changing what is mapped.

    def add(self, vma: Vma) -> None:
        """Adds a VMA to a free range, and merges it with equal neighbours."""
        self._check_limit()
        if vma.commits_under(vma.prot):
            vma.flags |= VmFlag.ACCOUNTED
        self._insert(vma)
        self.observer.mapped(self, vma.start, vma.end)
        self._join(vma.start, vma.end)

    def unmap(self, start: int, end: int) -> None:
        """munmap(2): removes what lies in [start, end) and releases its frames."""
        # Only a hole in the middle of a VMA leaves one more than before.
        vma = self.find(start)
        limited = vma is not None and vma.start < start and end < vma.end
        self._split(start, limited=limited)
        self._split(end, limited=limited)
        unmapped = self.overlapping(start, end)
        if not unmapped:
            return
        self.note_virtual_peak()
        for vma in unmapped:
            with suppress(Errno):  # only msync(2) reports a full disk
                self.write_back(vma, vma.start, vma.end)
        self.zap(start, end)
        for vma in self._remove(bisect_left(self._starts, start), len(unmapped)):
            drop_user(vma, self)
        self.observer.unmapped(self, start, end)

    def _split(self, va: int, *, limited: bool = True) -> None:
        """Splits a VMA, and the huge page at ``va``: none lies in two VMAs."""
        vma = self.find(va)
        if vma is not None and vma.backing is None:
            self.split_huge(va, va)
        super()._split(va, limited=limited)

    def split_huge(self, start: int, end: int) -> None:
        """Splits the huge pages of which [start, end) contains only a part."""
        split = self.table.split_edges(start, end)
        for va in split:
            self.observer.huge_split(self, va)
        if split:
            self.flush_tlb()  # it may hold pages of the huge zero page

    def zap(self, start: int, end: int) -> None:
        """Clears the PTEs of [start, end) and releases their frames; the VMAs stay."""
        self.split_huge(start, end)
        droppable = self.table.droppable(start, end)  # may fail, so before the observer is called
        self.observer.clearing(self, start, end)
        for vma in self.overlapping(start, end):
            if vma.shared:
                note_dirty_pages(self.table, vma, max(start, vma.start), min(end, vma.end))
        if droppable:
            self.note_resident_peak()
            self.table.drop(droppable)
            self.flush_tlb()
        self.clear_pages(start, end)

    def clear_pages(self, start: int, end: int) -> None:
        """Does the same without notice to the observer; the tables must not be shared."""
        self.resident_bound -= clear_range(
            self.table, self.frames, start, end, self.note_resident_peak, self.flush_tlb
        )

    def unmap_file(self, backing: Backing, first: int, last: int | None = None) -> None:
        """Clears the PTEs of the backing's pages from number ``first`` on, private copies included;
        of pages ``first`` to before ``last`` except private copies.

        A shared leaf table is changed for all of its users at once, so no frame is needed.
        """
        for vma in self.vmas:
            if vma.backing is not backing:
                continue
            at_page_0 = vma.start - vma.offset
            start = max(vma.start, at_page_0 + (first << PAGE_SHIFT))
            end = vma.end if last is None else min(vma.end, at_page_0 + (last << PAGE_SHIFT))
            if start >= end:
                continue
            if last is None or vma.shared:
                self._unmap_pages(start, end)
                continue
            for va, pte in self.table.pages(start, end):
                if self.frames.kind(ppn(pte)) is not Kind.PRIVATE:
                    self._unmap_pages(va, va + PAGE_SIZE)

    def release_huge_page(self, run: int) -> bool:
        """Clears the PTE of the huge page with this first frame; returns whether there is one."""
        for va, pte in self.table.huge_pages(0, USER_END):
            if ppn(pte) == run:
                self._unmap_pages(va, va + HUGE_SIZE)
                return True
        return False

    def _unmap_pages(self, start: int, end: int) -> None:
        self.observer.clearing(self, start, end)
        self.clear_pages(start, end)
        self.table.recount_shared(start, end)

    def protect(self, start: int, end: int, prot: Prot) -> None:
        """mprotect(2): ENOMEM where nothing is mapped, EACCES for a permission that is not allowed.

        The pages below the failure are changed, as mprotect(3p) allows and Linux does. On
        :class:`kernel.base.errors.OutOfMemory` nothing is changed.
        """
        reach, failure = self._protectable(start, end, prot)
        if start < reach:
            self._protect_mapped(start, reach, prot)
        if failure is not None:
            raise Errno(failure)

    def _protectable(self, start: int, end: int, prot: Prot) -> tuple[int, int | None]:
        """Returns where mprotect of [start, end) stops, and the errno if that is before the end."""
        at, new_data = start, 0
        for vma in self.overlapping(start, end):
            if vma.start > at:
                break
            if prot & Prot.WRITE and not vma.may_write:
                return at, EACCES
            if prot & Prot.WRITE and vma.becomes_data:
                new_data += min(vma.end, end) - at
                if not self.may_expand(new_data, is_data=True) and self.may_expand(
                    new_data, is_data=False
                ):
                    return at, ENOMEM
            at = min(vma.end, end)
        return at, ENOMEM if at < end else None

    def _protect_mapped(self, start: int, end: int, prot: Prot) -> None:
        """Sets the protection of [start, end); ENOMEM when the limit of VMAs forbids a split."""
        self.table.own_all(start, end)
        apply = partial(pte_ranges.apply, self.table, self.frames)
        try:
            for vma in self.overlapping(start, end):
                if vma.prot != prot:
                    low, high = max(start, vma.start), min(end, vma.end)
                    changes = {"prot": prot, "flags": self._flags_under(prot, vma)}
                    self._change(low, high, changes, apply)
        finally:
            self.observer.protected(self, start, end)
            self.flush_tlb()

    def _flags_under(self, prot: Prot, vma: Vma) -> VmFlag:
        """The flags of a part of a VMA with a new protection.

        As in Linux, memory that is no longer writable stays accounted if it has private pages.
        """
        if vma.commits_under(prot):
            return vma.flags | VmFlag.ACCOUNTED
        if vma.backing is not None or vma.has_private:
            return vma.flags
        return vma.flags & ~VmFlag.ACCOUNTED

    def mark(self, start: int, end: int, **fields: bool) -> None:
        """Sets boolean fields of the VMAs in [start, end); ENOMEM as :meth:`protect`."""
        self._change(start, end, fields, lambda part: None)

    def isolate(self, start: int, end: int) -> Vma | None:
        """Splits off the VMA of exactly [start, end) and returns it; None if two lie there."""
        self._split(start)
        self._split(end)
        vma = self.find(start)
        return vma if vma is not None and vma.start == start and vma.end == end else None

    def make_room(self, start: int, end: int, to: int) -> None:
        """Prepares the page table for a move of [start, end) to ``to``. Raises OutOfMemory."""
        for va in pte_ranges.make_room(self.table, start, end, to):
            self.observer.huge_split(self, va)

    def move(self, vma: Vma, to: int) -> None:
        """Moves a VMA, with its pages, to a free range of the same length (mremap(2))."""
        start, end = vma.start, vma.end
        self.make_room(start, end, to)
        pte_ranges.move(self.table, start, end, to)
        self._remove(self._index(vma), 1)
        self.observer.moved(self, start, end, to)
        vma.start, vma.end = to, to + end - start
        add_users(vma.backing, -1)
        self.add(vma)
        self.flush_tlb()

    def write_back(self, vma: Vma, start: int, end: int) -> None:
        """Writes modified pages of a shared mapping to its file."""
        if vma.shared and vma.backing is not None:
            vma.backing.write_back(vma.index_of(start), vma.index_of(end - 1))

    def grow(self, vma: Vma, start: int) -> None:
        """Moves the start of a growing VMA down to ``start``."""
        end = vma.start
        self._resize(vma, start, vma.end)
        self.observer.mapped(self, start, end)

    def set_end(self, vma: Vma, end: int) -> None:
        """Moves the end of a VMA up, over a range that is free."""
        start = vma.end
        vma.soft_dirty = True
        self._resize(vma, vma.start, end)
        self.observer.mapped(self, start, end)
        self._join(vma.start, end)

    def leave(self) -> None:
        """Removes a user; the last one releases all pages, tables and VMAs."""
        self.users -= 1
        if self.users:
            return
        self.observer.discarding(self)
        for vma in self.vmas:
            with suppress(Errno):
                self.write_back(vma, vma.start, vma.end)
            if vma.shared:
                note_dirty_pages(self.table, vma, vma.start, vma.end)
        self.note_virtual_peak()
        self.note_last_size(self.table.destroy())
        for vma in self._remove(0, len(self.vmas)):
            drop_user(vma, self)
        self.alive = False
