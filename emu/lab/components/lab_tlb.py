"""A hart whose TLB forgets only what a student's fences make it forget.

The engine's own TLB is flushed more often than that, and asks again each time; :class:`LabTlb`
then gives it what the hart had before, for as long as no fence of the student's has dropped it.
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
from emu.lab.text.pte_text import entry_text
from emu.machine.cause import Access
from emu.machine.pte import ASID_MASK, LEVELS, PAGE_MASK, PAGE_SHIFT, VPN_BITS, G
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, Translation, TranslationFault
from kernel.mm.address_space import AddressSpace
from kernel.mm.frames import Frames, Kind

ASIDS = 3
"""So few that processes have to share them, one after the other."""
_HART = 0


@dataclass(slots=True)
class _SpaceState:
    """A space's number, and its tables as the student was last told of them."""

    number: int
    tables: Tables = field(default_factory=dict)


class FenceTracker:
    """Asks the lab ``tlb`` for fences: about each PTE that is not what it was, when the kernel
    flushes and before the hart looks at the tables; and about each new satp.
    """

    def __init__(self, student: Student, ram: Ram) -> None:
        self.flush: Callable[[], None] = lambda: None
        """Empties the engine's TLB."""
        self.remembered = TlbEntries()
        self._student = student
        self._ram = ram
        self._spaces: WeakKeyDictionary[AddressSpace, _SpaceState] = WeakKeyDictionary()
        self._numbers = 0
        self._last: dict[int, int] = {}
        """Which space, by its number, the hart last ran with an ASID."""
        self._current: AddressSpace | None = None

    def made(self, space: AddressSpace) -> None:
        """There is a new space, that ran nowhere yet."""
        self._numbers += 1
        self._spaces[space] = _SpaceState(self._numbers)

    def before_walk(self, satp: int) -> None:
        """The hart is about to look at the tables that satp leads to."""
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
        question = Switch(_HART, asid, number, last)
        self._carry_out(self._student.call("tlb", "fences_for_switch", question))

    def changed(self, space: AddressSpace) -> None:
        """Asks about all that is not as it was in the tables of a space.

        One that is taken apart is not asked about: nobody will run it.
        """
        known = self._spaces.get(space)
        if known is None or not space.alive:
            return
        before, known.tables = known.tables, snapshot(self._ram, space.table.root, known.tables)
        asid = asid_of(space.table.satp)
        harts = (_HART,) if self._last.get(asid) == known.number else ()
        for change in changes(before, known.tables):
            question = _pte_change(change, asid, harts)
            self._carry_out(self._student.call("tlb", "fences", question))

    def look_at(self, kept: Translation, va: int, access: Access) -> None:
        """Checks that an entry does not lead to a free frame or a page table: then it is stale.

        Raises :class:`InvariantViolated`. A frame that another process has by now is detected by
        the programs themselves.
        """
        space = self._current
        if space is None:
            return
        frame = kept.pa >> PAGE_SHIFT
        kind = space.frames.kind(frame)
        if kind in (Kind.FREE, Kind.TABLE):
            page, asid = va & ~PAGE_MASK, asid_of(space.table.satp)
            now = space.table.pte(va)
            lines = [
                f"TLB:         {page:#x}  {entry_text(kept.pte)}  (ASID {asid})   ← stale",
                f"page table:  {page:#x}  {entry_text(now)}",
                f"frame {frame:#x} is {'a page table' if kind is Kind.TABLE else 'free'} by now",
            ]
            when = f"a {access.name.lower()} went through an entry that was not fenced"
            raise InvariantViolated(Finding("reaches-frame-given-back", lines), when)

    def _carry_out(self, fences: list[Fence]) -> None:
        for fence in fences:
            check_hart(fence, 1, "fences")
            self.remembered.fence(fence)
        if fences:
            self.flush()


def _pte_change(change: Change, asid: int, harts: tuple[int, ...]) -> PteChange:
    return PteChange(change.address, change.level, asid, change.before, change.after, harts, _HART)


def asid_of(satp: int) -> int:
    return satp >> 44 & ASID_MASK


class _Leaf(NamedTuple):
    """A leaf PTE as it came with an ASID. Each kind of access is remembered by itself, as by a hart
    with several TLBs.
    """

    asid: int
    level: int
    number: int
    """Of the page: its first address, divided by its size."""
    access: Access


def _leaf(asid: int, level: int, va: int, access: Access) -> _Leaf:
    return _Leaf(asid, level, va >> _shift(level), access)


def _shift(level: int) -> int:
    return PAGE_SHIFT + VPN_BITS * level


class TlbEntries:
    """The translations that the hart has not forgotten."""

    def __init__(self) -> None:
        self._leaves: dict[_Leaf, Translation] = {}

    def get(self, satp: int, va: int, access: Access) -> Translation | None:
        asid = asid_of(satp)
        for level in range(LEVELS):
            kept = self._leaves.get(_leaf(asid, level, va, access))
            if kept is not None:
                return kept._replace(pa=kept.pa | va & (1 << _shift(level)) - 1)
        return None

    def add(self, satp: int, va: int, access: Access, found: Translation) -> None:
        leaf = _leaf(asid_of(satp), found.level, va, access)
        self._leaves[leaf] = found._replace(pa=found.pa & -1 << _shift(found.level))

    def fence(self, fence: Fence) -> None:
        for leaf in self._reached(fence):
            kept = self._leaves.get(leaf)
            if kept is not None and (fence.asid is None or not kept.pte & G):
                del self._leaves[leaf]

    def _reached(self, fence: Fence) -> list[_Leaf]:
        """All of the fence's ASID and address, whether they are remembered or not."""
        if fence.address is None:
            return [leaf for leaf in self._leaves if fence.asid in (None, leaf.asid)]
        asids = range(ASIDS + 1) if fence.asid is None else [fence.asid]
        kinds = product(asids, range(LEVELS), Access)
        return [_leaf(asid, level, fence.address, access) for asid, level, access in kinds]


class LabTlb(Mmu):
    """Gives what it gave before, until a fence; else it has ``mmu`` look at the tables."""

    __slots__ = ("_fencing", "_mmu")

    def __init__(self, mmu: Mmu, fence_tracker: FenceTracker) -> None:
        super().__init__(mmu.ram)
        self._mmu = mmu
        self._fencing = fence_tracker

    def translate(self, va: int, access: Access) -> Translation | TranslationFault:
        self._fencing.before_walk(self.satp)
        kept = self._fencing.remembered.get(self.satp, va, access)
        if kept is not None:
            self._fencing.look_at(kept, va, access)
            return kept
        self._mmu.satp = self.satp
        found = self._mmu.translate(va, access)
        if isinstance(found, Translation):
            self._fencing.remembered.add(self.satp, va, access, found)
        return found


class _Flush:
    """A space's ``flush_tlb``: the student decides. ``engine`` is the hart's own."""

    def __init__(
        self, space: AddressSpace, fence_tracker: FenceTracker, engine: Callable[[], None]
    ) -> None:
        self.engine: Callable[[], None] = engine.engine if isinstance(engine, _Flush) else engine
        self._space = space
        self._fencing = fence_tracker

    def __call__(self) -> None:
        self._fencing.changed(self._space)


class FencedSpace(AddressSpace):
    """``fencing`` is set in a subclass for each machine."""

    fence_tracker: FenceTracker

    def __init__(self, frames: Frames, asid: int, flush_tlb: Callable[[], None]) -> None:
        flush = _Flush(self, self.fence_tracker, flush_tlb)
        super().__init__(frames, 1 + asid % ASIDS, flush)
        self.fence_tracker.flush = flush.engine
        self.fence_tracker.made(self)

    def leave(self) -> None:
        """With few ASIDs another space may get the very same satp: then the hart sees no change of
        it, and its engine has to ask again.
        """
        super().leave()
        if not self.alive:
            self.fence_tracker.flush()
