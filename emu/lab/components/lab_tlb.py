"""A TLB from which only a student's fences remove entries.

The engine's own TLB is flushed more often, and then requests a translation again;
:class:`LabTlb` returns the old entry until a fence of the student's removes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple
from weakref import WeakKeyDictionary

from emu.lab.components.table_diff import Change, Tables, changes, snapshot
from emu.lab.host.failures import Finding, InvariantViolated
from emu.lab.host.result_types import check_hart
from emu.lab.host.student import Student
from emu.lab.kit.values import Fence, PteChange, Switch
from emu.machine.cause import Access
from emu.machine.pte import ASID_MASK, LEVELS, PAGE_MASK, PAGE_SHIFT, VPN_BITS, G
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, Translation, TranslationFault
from kernel.mm.address_space import AddressSpace
from kernel.mm.page_tables.pte_text import pte_text
from kernel.mm.physical.frames import Frames, Kind

ASIDS = 3
"""Number of ASIDs: so few that processes reuse them."""
_HART = 0


@dataclass(slots=True)
class _SpaceState:
    """Number of an address space, and its tables when they were last compared."""

    number: int
    tables: Tables = field(default_factory=dict)


class FenceTracker:
    """Calls the lab ``tlb`` for fences: for each changed PTE, when the kernel flushes the TLB and
    before a page walk; and for each new satp.
    """

    def __init__(self, student: Student, ram: Ram) -> None:
        self.flush: Callable[[], None] = lambda: None
        """Empties the engine's TLB."""
        self.cached = TlbEntries()
        self._student = student
        self._ram = ram
        self._spaces: WeakKeyDictionary[AddressSpace, _SpaceState] = WeakKeyDictionary()
        self._numbers = 0
        self._last: dict[int, int] = {}
        """Number of the address space that the hart last ran with each ASID."""
        self._current: AddressSpace | None = None

    def add(self, space: AddressSpace) -> None:
        """Adds a new address space, which has not run yet."""
        self._numbers += 1
        self._spaces[space] = _SpaceState(self._numbers)

    def before_walk(self, satp: int) -> None:
        """Called before a walk of the page table in satp."""
        current = self._current
        if current is not None and current.alive and current.table.satp == satp:
            self.changed(current)
            return
        alive = (space for space in self._spaces if space.alive)
        self._current = next((space for space in alive if space.table.satp == satp), None)
        if self._current is not None:
            self._switched(self._current)

    def _switched(self, space: AddressSpace) -> None:
        self.changed(space)
        asid, number = asid_of(space.table.satp), self._spaces[space].number
        last = self._last.get(asid)
        self._last[asid] = number
        switch = Switch(_HART, asid, number, last)
        self._apply(self._student.call("tlb", "fences_for_switch", switch))

    def changed(self, space: AddressSpace) -> None:
        """Calls the student's code for each PTE of an address space that changed since the last
        call. Changes of a space that exits are ignored, as it never runs again.
        """
        known = self._spaces.get(space)
        if known is None or not space.alive:
            return
        before, known.tables = known.tables, snapshot(self._ram, space.table.root, known.tables)
        asid = asid_of(space.table.satp)
        harts = (_HART,) if self._last.get(asid) == known.number else ()
        for change in changes(before, known.tables):
            pte_change = _pte_change(change, asid, harts)
            self._apply(self._student.call("tlb", "fences", pte_change))

    def check_entry(self, entry: Translation, va: int, access: Access) -> None:
        """Checks that an entry does not lead to a free frame or a page table: then it is stale.

        Raises :class:`InvariantViolated`. A frame that another process has by now is detected by
        the programs themselves.
        """
        space = self._current
        if space is None:
            return
        frame = entry.pa >> PAGE_SHIFT
        kind = space.frames.kind(frame)
        if kind in (Kind.FREE, Kind.TABLE):
            page, asid = va & ~PAGE_MASK, asid_of(space.table.satp)
            now = space.table.pte(va)
            lines = [
                f"TLB:         {page:#x}  {pte_text(entry.pte)}  (ASID {asid})   ← stale",
                f"page table:  {page:#x}  {pte_text(now)}",
                f"frame {frame:#x} is {'a page table' if kind is Kind.TABLE else 'free'} by now",
            ]
            when = f"a {access.name.lower()} went through an entry that was not fenced"
            raise InvariantViolated(Finding("reaches-frame-given-back", lines), when)

    def _apply(self, fences: list[Fence]) -> None:
        for fence in fences:
            check_hart(fence, 1, "fences")
            self.cached.fence(fence)
        if fences:
            self.flush()


def _pte_change(change: Change, asid: int, harts: tuple[int, ...]) -> PteChange:
    return PteChange(change.address, change.level, asid, change.before, change.after, harts, _HART)


def asid_of(satp: int) -> int:
    return satp >> 44 & ASID_MASK


class _Leaf(NamedTuple):
    """Key of a TLB entry. Each kind of access has entries of its own, as in a hart with separate
    TLBs.
    """

    asid: int
    level: int
    number: int
    """Number of the page: its first address, divided by its size."""
    access: Access


def _leaf(asid: int, level: int, va: int, access: Access) -> _Leaf:
    return _Leaf(asid, level, va >> _shift(level), access)


def _shift(level: int) -> int:
    return PAGE_SHIFT + VPN_BITS * level


class TlbEntries:
    """The entries of the TLB."""

    def __init__(self) -> None:
        self._leaves: dict[_Leaf, Translation] = {}

    def get(self, satp: int, va: int, access: Access) -> Translation | None:
        asid = asid_of(satp)
        for level in range(LEVELS):
            entry = self._leaves.get(_leaf(asid, level, va, access))
            if entry is not None:
                pa = entry.pa | va & (1 << _shift(level)) - 1
                return Translation(pa, entry.pte, level)
        return None

    def add(self, satp: int, va: int, access: Access, found: Translation) -> None:
        leaf = _leaf(asid_of(satp), found.level, va, access)
        start = found.pa & -1 << _shift(found.level)
        self._leaves[leaf] = Translation(start, found.pte, found.level)

    def fence(self, fence: Fence) -> None:
        for leaf in self._reached(fence):
            entry = self._leaves.get(leaf)
            if entry is not None and (fence.asid is None or not entry.pte & G):
                del self._leaves[leaf]

    def _reached(self, fence: Fence) -> list[_Leaf]:
        """Returns the keys that match the fence's ASID and address, in the TLB or not."""
        if fence.address is None:
            return [leaf for leaf in self._leaves if fence.asid in (None, leaf.asid)]
        asids = range(ASIDS + 1) if fence.asid is None else [fence.asid]
        kinds = product(asids, range(LEVELS), Access)
        return [_leaf(asid, level, fence.address, access) for asid, level, access in kinds]


class LabTlb(Mmu):
    """Returns the entry of a page until a fence removes it; otherwise ``mmu`` walks the tables."""

    __slots__ = ("_fencing", "_mmu")

    def __init__(self, mmu: Mmu, fence_tracker: FenceTracker) -> None:
        super().__init__(mmu.ram)
        self._mmu = mmu
        self._fencing = fence_tracker

    def translate(self, va: int, access: Access) -> Translation | TranslationFault:
        self._fencing.before_walk(self.satp)
        entry = self._fencing.cached.get(self.satp, va, access)
        if entry is not None:
            self._fencing.check_entry(entry, va, access)
            return entry
        self._mmu.satp = self.satp
        found = self._mmu.translate(va, access)
        if isinstance(found, Translation):
            self._fencing.cached.add(self.satp, va, access, found)
        return found


class _Flush:
    """A space's ``flush_tlb``: the student's code decides. ``engine`` flushes the engine's TLB."""

    def __init__(
        self, space: AddressSpace, fence_tracker: FenceTracker, engine: Callable[[], None]
    ) -> None:
        self.engine: Callable[[], None] = engine.engine if isinstance(engine, _Flush) else engine
        self._space = space
        self._fencing = fence_tracker

    def __call__(self) -> None:
        self._fencing.changed(self._space)


class FencedSpace(AddressSpace):
    """``lab_machine`` sets ``fence_tracker`` in a subclass for each machine."""

    fence_tracker: FenceTracker

    def __init__(self, frames: Frames, asid: int, flush_tlb: Callable[[], None]) -> None:
        flush = _Flush(self, self.fence_tracker, flush_tlb)
        super().__init__(frames, 1 + asid % ASIDS, flush)
        self.fence_tracker.flush = flush.engine
        self.fence_tracker.add(self)

    def leave(self) -> None:
        """Flushes the engine's TLB: another space may get an equal satp, as ASIDs are few, and its
        switch would go unnoticed.
        """
        super().leave()
        if not self.alive:
            self.fence_tracker.flush()
