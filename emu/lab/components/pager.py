"""Page faults and the kernel's writes to user memory, handled by a student's code."""

from __future__ import annotations

from typing import Any

from emu.lab.components.page_table import LabTable
from emu.lab.host.failures import StudentFailed, WrongResult
from emu.lab.host.student import Student
from emu.lab.kit.values import SUPERPAGE_SIZE, Mapping
from emu.lab.kit.values import Access as LabAccess
from emu.lab.kit.values import Outcome as LabOutcome
from emu.lab.text.pte_text import PAGE_PREFIX, page_text
from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE, D, V, W, ppn
from kernel.base.errno import EFAULT
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults.fault import allows
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.mappings.vma import LOWEST, STACK_GUARD, USER_END
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Kind
from kernel.mm.resolution import Resolution

STORE_FAULTS = ("superpages", "cow-fork")
"""Labs with a ``store_fault``, latest first."""

_OUTCOMES = {
    LabOutcome.COPIED: Outcome.COPIED,
    LabOutcome.REUSED: Outcome.REUSED,
    LabOutcome.ZERO_FILLED: Outcome.ZERO_FILLED,
    LabOutcome.ZERO_SHARED: Outcome.ZERO_SHARED,
    LabOutcome.STACK_GROWN: Outcome.STACK_GROWN,
    LabOutcome.SPURIOUS: Outcome.SPURIOUS,
    LabOutcome.NOT_MAPPED: Outcome.SEGV_MAPERR,
    LabOutcome.NOT_ALLOWED: Outcome.SEGV_ACCERR,
}
_OF_KIND = {Kind.ZERO: Outcome.ZERO_FILLED, Kind.CACHE: Outcome.FILE_COPIED}
"""Outcome of a copy of a frame that was not shared by fork, by the kind of frame."""


class LabPager:
    """Implements :class:`kernel.components.Pager` for the labs that handle page faults."""

    def __init__(self, student: Student) -> None:
        self._student = student
        self._annotated: StudentFailed | None = None
        self._store_lab = next((lab for lab in STORE_FAULTS if lab in student.labs), None)

    def resolve(self, space: AddressSpace, page: int, access: Access, pte: int) -> Outcome | None:
        """Adds the page concerned to a failure of the student's code."""
        try:
            return self._resolved(space, page, access, pte)
        except StudentFailed as failure:
            if failure is not self._annotated:
                self._annotated = failure
                failure.details.append(f"{PAGE_PREFIX} {page_text(space, page)}")
            raise

    def _resolved(self, space: AddressSpace, page: int, access: Access, pte: int) -> Outcome | None:
        if pte & V:
            return self._present(space, page, access, pte)
        if self._fits_superpage(space, page, access):
            return self._large(space, page & -SUPERPAGE_SIZE)
        if "demand" in self._student.labs:
            return self._absent(space, page, access)
        return None

    def _present(self, space: AddressSpace, page: int, access: Access, pte: int) -> Outcome | None:
        vma = space.find(page)
        private = vma is not None and not vma.shared
        if self._store_lab is None or access is not Access.STORE or pte & W or not private:
            return None
        kind = space.frames.kind(ppn(pte))
        result = self._call(space, self._store_lab, "store_fault", page)
        if self._store_lab == "cow-fork":
            _check_outcome(result, page, pte, space.table.pte(page))
        outcome = _OUTCOMES[result]
        return _OF_KIND.get(kind, outcome) if outcome is Outcome.COPIED else outcome

    def _fits_superpage(self, space: AddressSpace, page: int, access: Access) -> bool:
        """Returns True if a superpage fits: private, writable, untouched memory, not a stack."""
        vma = space.find(page)
        if "superpages" not in self._student.labs or vma is None or not vma.writable:
            return False
        if vma.shared or vma.backing is not None or vma.grows_down:
            return False
        assert isinstance(space.table, LabTable)
        base = page & -SUPERPAGE_SIZE
        fits = vma.start <= base and base + SUPERPAGE_SIZE <= vma.end
        return fits and allows(vma.pte_flags, access) and space.table.is_free(base)

    def _large(self, space: AddressSpace, base: int) -> Outcome | None:
        """Maps 2 MiB; returns None if there is no free run, so that a small page is mapped."""
        vma = space.find(base)
        assert vma is not None
        assert isinstance(space.table, LabTable)
        try:
            self._call(space, "superpages", "map_superpage", base, vma.pte_flags | D)
        except OutOfMemory:
            if not space.table.is_free(base):
                raise WrongResult(
                    f"map_superpage({base:#x}) raised OutOfFrames, but changed the page table"
                ) from None
            return None
        if not space.table.is_huge(base):
            raise WrongResult(f"map_superpage({base:#x}) returned, but no superpage is mapped")
        return Outcome.ZERO_FILLED

    def _absent(self, space: AddressSpace, page: int, access: Access) -> Outcome | None:
        vma = space.find(page)
        if vma is not None and vma.backing is not None:
            return None
        mappings = _anonymous_mappings(space)
        result = self._call(space, "demand", "page_fault", mappings, page, LabAccess(access))
        if result is LabOutcome.STACK_GROWN:
            self._grow(space, page, mappings)
        return _OUTCOMES[result]

    def _call(self, space: AddressSpace, lab: str, function: str, *values: Any) -> Any:
        """Calls the student's function, and rebuilds the index of the page table."""
        assert isinstance(space.table, LabTable)
        with space.table.updating():
            return self._student.call(lab, function, space.table.root, *values)

    def _grow(self, space: AddressSpace, page: int, mappings: list[Mapping]) -> None:
        stack = space.above(page)
        allowed = any(m.grows_down and m.lowest <= page < m.start for m in mappings)
        if stack is None or not stack.grows_down or not allowed:
            raise WrongResult(
                f"page_fault() grew a stack to {page:#x}, which is not allowed",
                ["a mapping that grows down may begin at its `lowest`, not below"],
            )
        space.grow(stack, page)


def _check_outcome(result: LabOutcome, page: int, before: int, after: int) -> None:
    """Checks that the returned outcome is what the handler did. Raises :class:`WrongResult`."""
    same = ppn(before) == ppn(after)
    if result is LabOutcome.COPIED and same:
        what = f"the page at {page:#x} is in frame {ppn(before):#x} as before"
    elif result is LabOutcome.REUSED and not same:
        what = f"the page at {page:#x} was moved from frame {ppn(before):#x} to {ppn(after):#x}"
    elif result in (LabOutcome.SPURIOUS, LabOutcome.NOT_ALLOWED) and before != after:
        what = f"the PTE of {page:#x} was changed"
    else:
        return
    raise WrongResult(f"store_fault() returned {result.name}, but {what}")


def _anonymous_mappings(space: AddressSpace) -> list[Mapping]:
    """Returns the mappings of anonymous memory; those of stacks with their lowest address."""
    found = []
    for vma in space.vmas:
        if vma.backing is None:
            lowest = vma.start
            if vma.grows_down:
                lowest = _lowest_stack_page(space, vma.start, vma.end)
            found.append(Mapping(vma.start, vma.end, vma.pte_flags, vma.grows_down, lowest))
    return found


def _lowest_stack_page(space: AddressSpace, start: int, end: int) -> int:
    """Returns the lowest address of a stack: its limit, and the gap to the mapping below."""
    lowest = max(end - space.stack_limit, LOWEST)
    below = [vma.end for vma in space.vmas if vma.end <= start and vma.prot]
    if below:
        lowest = max(lowest, below[-1] + STACK_GUARD)
    return min(lowest, start)


def _rescan(space: AddressSpace) -> None:
    assert isinstance(space.table, LabTable)
    space.table.rescan()


class LabUserMemory(UserMemory):
    """Calls the student's ``copy_to_user`` if there is one; all else is the kernel's."""

    student: Student

    def write(self, va: int, data: bytes | bytearray | memoryview) -> None:
        if "cow-fork" not in self.student.labs or not len(data):
            super().write(va, data)
            return
        view = memoryview(data)
        if va < 0 or va + len(view) > USER_END:
            super().write(va, view)
            return
        size, failure = self._prepare(va, len(view))
        if size:
            self._student_write(va, bytes(view[:size]))
        if failure is not None:
            raise failure

    def _student_write(self, va: int, data: bytes) -> None:
        """Calls the student's ``copy_to_user`` for a range whose pages are present."""
        before = self._ptes(va, len(data))
        bus = self.student.bus
        bus.writable = frozenset(ppn(pte) for pte, _ in before.values())
        try:
            written = self.student.call("cow-fork", "copy_to_user", self.space.table.root, va, data)
        finally:
            bus.writable = frozenset()
            self._report_faults(before)
            self.space.flush_tlb()
        if written == len(data):
            return
        vma = self.space.find(va + written) if 0 <= written < len(data) else None
        if vma is None or vma.writable:
            raise WrongResult(
                f"copy_to_user() returned {written} of {len(data)} bytes at {va:#x}, but more can "
                "be written",
                [f"the page at {(va + written) & -PAGE_SIZE:#x} is writable"],
            )
        raise Errno(EFAULT)

    def _prepare(self, va: int, count: int) -> tuple[int, Exception | None]:
        """Makes the pages of the range present, before the student's code is called. Returns the
        number of bytes that succeeded, and the error that ended it.
        """
        end, at = va + count, va
        while at < end:
            pte = self.space.table.pte(at)
            vma = self.space.find(at)
            try:
                if not pte & V or vma is None or vma.shared:
                    self._reach(at, Access.STORE)
                else:
                    # Makes the leaf table private, and splits a superpage.
                    self.space.table.leaf(at)
            except (Errno, OutOfMemory) as failure:
                return at - va, failure
            at = (at & -PAGE_SIZE) + PAGE_SIZE
        return count, None

    def _ptes(self, va: int, count: int) -> dict[int, tuple[int, int]]:
        frames, table = self.space.frames, self.space.table
        pages = range(va & -PAGE_SIZE, va + count, PAGE_SIZE)
        return {page: (pte := table.pte(page), frames.count(ppn(pte))) for page in pages}

    def _report_faults(self, before: dict[int, tuple[int, int]]) -> None:
        """Reports broken sharing to the observer, as the kernel does for page faults."""
        _rescan(self.space)
        for page, (pte, count) in before.items():
            now = self.space.table.pte(page)
            if pte & W or not now & W:
                continue
            outcome = Outcome.REUSED if ppn(pte) == ppn(now) else Outcome.COPIED
            if outcome is Outcome.COPIED:
                outcome = _OF_KIND.get(self.space.frames.kind(ppn(pte)), outcome)
            self.on_fault(self.space, Resolution(outcome, page, Access.STORE, pte, now, count))
