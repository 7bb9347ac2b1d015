"""A page table that a student's code creates, changes and releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from emu.lab.host.failures import Finding, InvariantViolated, NotAllowed, WrongResult, place_text
from emu.lab.host.student import Student
from emu.machine.pte import (
    HUGE_FRAMES,
    HUGE_SIZE,
    PAGE_SHIFT,
    PTES_PER_TABLE,
    VA_HALF,
    VPN_BITS,
    V,
    is_leaf,
    make_satp,
    ppn,
)
from kernel.base.errors import OutOfMemory
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.page_tables.page_table import PageTable
from kernel.mm.page_tables.pte_text import pte_text
from kernel.mm.physical.frames import Frames, Kind

FORKS = {
    "shared-tables": "share_tables",
    "cow-fork": "share_space",
    "eager-fork": "copy_space",
}
"""Labs with a fork function, latest first, and its name."""

RELEASES = {"shared-tables": "release_tables", "eager-fork": "release_space"}
"""Labs with a function that releases address spaces, latest first, and its name."""


class LabTable(PageTable):
    """The kernel's index of the tables is rebuilt from RAM after each change by the student's code.

    ``lab_machine`` sets ``student`` in a subclass for each machine.
    """

    student: Student

    def __init__(self, frames: Frames, asid: int) -> None:
        self._asid = asid
        try:
            super().__init__(frames, asid)
        except OutOfMemory:
            if not frames.made_to_fail or self.student.labs.isdisjoint(FORKS):
                raise
            self._postpone_root(frames)

    def _postpone_root(self, frames: Frames) -> None:
        """Leaves the table without a root: the student's allocation of one must fail instead."""
        frames.allocations -= 1
        self.root = self.satp = 0
        self._forget_tables()

    def _forget_tables(self) -> None:
        self._upper, self._leaves, self._shared = [], {}, {}
        self.shared_middles: set[int] = set()
        self.huge, self._deposits = {}, {}

    def release_root(self) -> None:
        """Releases the root, to adopt a student's table instead. Undoes its count of allocations:
        the student's root counts as the same allocation.
        """
        if self._upper:
            super().destroy()
            self._frames.allocations -= 1

    def leaf(self, va: int) -> int:
        if not self._upper:
            raise OutOfMemory
        return super().leaf(va)

    def adopt(self, root: int) -> None:
        """Uses the tables of ``root`` from now on."""
        self.root = root
        self.satp = make_satp(root, self._asid)
        self.rescan()

    @contextmanager
    def updating(self) -> Iterator[None]:
        """Rebuilds the index after the student's code changed the tables, also if it ran out of
        memory.
        """
        try:
            yield
        except OutOfMemory:
            self.rescan()
            raise
        self.rescan()

    def rescan(self) -> None:
        """Rebuilds the index from RAM. Raises :class:`NotAllowed` for an invalid table."""
        self._upper, self._leaves, self.huge = [], {}, {}
        visited: set[int] = set()
        self._upper.append(self._upper_table(self.root, "the root", visited))
        for index, top in self._entries(self.root):
            middle = self._upper_table(ppn(top), f"entry {index} of the root", visited)
            self._upper.append(middle)
            for at, pointer in self._entries(middle):
                key = index << VPN_BITS | at
                if is_leaf(pointer):
                    self._check_superpage(pointer, f"entry {at} of table {middle:#x}")
                    self.huge[key] = (middle << PAGE_SHIFT) + 8 * at
                else:
                    leaf = self._table(ppn(pointer), f"entry {at} of table {middle:#x}", visited)
                    self._leaves[key] = self._frame_to_words(leaf)
        self._find_shared()

    def _check_superpage(self, pte: int, where: str) -> None:
        """Checks alignment and address of a superpage (privileged spec, 10.3.2)."""
        first, total = self._frames.first, self._frames.total
        if ppn(pte) % HUGE_FRAMES:
            raise NotAllowed(
                f"{where} maps a superpage from frame {ppn(pte):#x}, which is not aligned to 2 MiB",
                ["the number of its first frame must be a multiple of 512"],
            )
        if not first <= ppn(pte) <= first + total - HUGE_FRAMES:
            raise NotAllowed(f"{where} maps a superpage from {ppn(pte):#x}, outside memory")

    def is_free(self, va: int) -> bool:
        """Returns True if there is neither a superpage nor a leaf table for ``va``."""
        return not self.is_huge(va) and va >> LEAF_SHIFT not in self._leaves

    def prepare_huge(self, va: int) -> None:
        """Keeps no leaf table for a split: the student's ``split`` allocates it."""
        self.make_middle(va)

    def split(self, va: int) -> None:
        """Calls the student's ``split`` and checks that each page has the same PTE afterwards."""
        base = va & -HUGE_SIZE
        before = self.pages(base, base + HUGE_SIZE)
        with self.updating():
            self.student.call("superpages", "split", self.root, va)
        if self.is_huge(va):
            raise WrongResult(f"after split({va:#x}) the superpage of {base:#x} is still mapped")
        after = dict(self.pages(base, base + HUGE_SIZE))
        for page, pte in before:
            if after.get(page) != pte:
                raise WrongResult(
                    f"after split({va:#x}) the page {page:#x} has changed",
                    [
                        f"in the superpage  {page:#x}  {pte_text(pte)}",
                        f"in your table     {page:#x}  {pte_text(after.get(page))}",
                    ],
                )

    def _find_shared(self) -> None:
        """Records the tables with several users as shared; middle ones only if the kernel's own
        fork shared them.
        """
        known, self._shared = self._shared, {}
        count = self._frames.count
        numbers = {key >> VPN_BITS for key in self._leaves}
        if not self.student.labs.isdisjoint(FORKS):
            numbers = set()
        self.shared_middles = {n for n in numbers if count(self._middle_frame(n)) > 1}
        for key, leaf in self._leaves.items():
            table = self._words_to_frame(leaf)
            if count(table) > 1 or key >> VPN_BITS in self.shared_middles:
                self._shared[key] = known.get(key) or self._count(leaf)
        self.recount_shared(0, VA_HALF)

    def _entries(self, table: int) -> list[tuple[int, int]]:
        first = self._frame_to_words(table)
        ptes = self._ram.words[first : first + PTES_PER_TABLE].tolist()
        return [(index, pte) for index, pte in enumerate(ptes) if pte & V]

    def _table(self, frame: int, where: str, visited: set[int]) -> int:
        first, total = self._frames.first, self._frames.total
        if not first <= frame < first + total or self._frames.kind(frame) is not Kind.TABLE:
            raise NotAllowed(
                f"{where} points to frame {frame:#x}, which is not a page table",
                ["a page table's frame comes from frames.allocate_table()"],
            )
        if frame in visited:
            raise NotAllowed(f"table {frame:#x} is used twice in one page table, also by {where}")
        visited.add(frame)
        return frame

    def _upper_table(self, frame: int, where: str, visited: set[int]) -> int:
        users = self._frames.count(self._table(frame, where, visited))
        if users > 1 and "shared-tables" in self.student.labs:
            raise NotAllowed(
                f"{where} points to table {frame:#x}, which has {users} users",
                ["the root and the middle tables must not be shared"],
            )
        return frame

    def own(self, va: int) -> bool:
        """Calls the student's ``own_table`` if there is one, and checks its result."""
        key = va >> LEAF_SHIFT
        if key not in self._shared or "shared-tables" not in self.student.labs:
            return super().own(va)
        before = self._words_to_frame(self._leaves[key])
        with self.updating():
            copied = self.student.call("shared-tables", "own_table", self.root, va)
        if key not in self._leaves:
            raise WrongResult(f"own_table() removed the leaf table for {va:#x}")
        now = self._words_to_frame(self._leaves[key])
        if users := self._frames.count(now) - 1:
            raise WrongResult(
                f"after own_table() the leaf table {now:#x} for {va:#x} is not the process's own",
                [f"it has {users} other user{'s' * (users > 1)}; it was table {before:#x} before"],
            )
        if copied != (now != before):
            raise WrongResult(
                f"own_table() returned {copied}, and the leaf table for {va:#x} was "
                f"{'not ' * (now == before)}exchanged",
                [f"it was table {before:#x} before, and is {now:#x} now"],
            )
        return now != before

    @property
    def shared_count(self) -> int:
        """Number of leaf tables shared with other page tables."""
        return len(self._shared)

    def destroy(self) -> int:
        """Releases all mapped frames and all tables, by the student's code if it has a function."""
        resident = self.resident_count()
        self._destroy_huge()
        lab = next((lab for lab in RELEASES if lab in self.student.labs), None)
        if lab is None or not self._upper or self.student.failed is not None:
            super().destroy()
            return resident
        references = self._references() if lab == "eager-fork" else {}
        self.student.call(lab, RELEASES[lab], self.root)
        self._check_released(references)
        self._forget_tables()
        return resident

    def _references(self) -> dict[int, tuple[int, int]]:
        """Returns, for each frame, the number of references from this table, and its count."""
        times = Counter([*self.frames(), *(ppn(pte) for _, pte in self.present())])
        return {frame: (often, self._users_of(frame)) for frame, often in times.items()}

    def _check_released(self, references: dict[int, tuple[int, int]]) -> None:
        """Raises :class:`InvariantViolated` for a frame whose count was not decremented correctly.

        This is checked before the kernel releases the rest of the process, where a wrong count
        would stop it.
        """
        for frame, (often, before) in references.items():
            count = self._users_of(frame)
            if count == before - often:
                continue
            lines = [
                f"frame {frame:#x} had count {before}, and {often} of it by this page table; "
                f"it has {count} now"
            ]
            if frame in self.student.bus.counted_at:
                lines.append(
                    f"you last changed it at {place_text(self.student.bus.counted_at[frame])}"
                )
            rule = Finding("count-is-the-number-of-holders", lines)
            raise InvariantViolated(rule, "after release_space()")

    def _users_of(self, frame: int) -> int:
        return int(self._frames.counts[frame - self._frames.first])
