"""fork(2) of an address space by a student's code."""

from __future__ import annotations

from emu.lab.components.page_table import FORKS, LabTable
from emu.lab.host.failures import WrongResult
from emu.lab.host.student import Student
from emu.lab.host.superpage_frames import SUPERPAGE_FRAMES
from emu.lab.kit.values import SUPERPAGE_SIZE
from emu.machine.pte import W, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.fork import ForkCost, Policy, cow
from kernel.mm.frames import Kind
from kernel.mm.page_tables.page_table import COW
from kernel.mm.vma import USER_END


def student_fork(student: Student) -> Policy | None:
    """Returns the student's fork; None if none of the labs has one."""
    lab = next((lab for lab in FORKS if lab in student.labs), None)
    if lab is None:
        return _cow_with_superpages if "superpages" in student.labs else None
    function = FORKS[lab]

    def fork(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
        assert isinstance(parent.table, LabTable)
        assert isinstance(child.table, LabTable)
        before, copies = student.bus.counts.ptes, student.bus.counts.copies
        cost.eager_copies += sum(
            parent.frames.kind(ppn(pte)) is Kind.PRIVATE for _, pte in parent.table.present()
        )
        parent.table.split_all(0, USER_END)  # the other labs support 4 KiB pages only
        child.table.release_root()
        with parent.table.updating():
            root = student.call(lab, function, parent.table.root)
        if root == parent.table.root:
            raise WrongResult(f"{function}() returned the parent's own root {root:#x}")
        child.table.adopt(root)
        _remove_uninherited_pages(child)
        cost.frames_copied += student.bus.counts.copies - copies
        cost.ptes_written += student.bus.counts.ptes - before
        cost.pages_shared += child.table.present_count() - cost.frames_copied
        cost.tables_shared += child.table.shared_count
        cost.ptes_written += child.table.shared_count

    return fork


def _remove_uninherited_pages(child: AddressSpace) -> None:
    """Removes pages of mappings with MADV_DONTFORK or MADV_WIPEONFORK (madvise(2)), which the
    student's code does not know.
    """
    for va, _ in child.table.present():
        vma = child.find(va)
        if vma is None or vma.wipe_on_fork:
            child.zap(va, va + 4096)


def _cow_with_superpages(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """The kernel's copy-on-write fork, which shares each superpage as a whole, by one PTE.

    A superpage that the child inherits only in part is split, and its pages are shared one by one.
    """
    assert isinstance(parent.table, LabTable)
    assert isinstance(child.table, LabTable)
    for va, _ in parent.table.superpages(0, USER_END):
        vma = child.find(va)
        if vma is None or vma.wipe_on_fork or vma.end < va + SUPERPAGE_SIZE:
            parent.table.split(va)
    cow(parent, child, cost)
    for va, pte in parent.table.superpages(0, USER_END):
        cost.ptes_written += 1
        cost.pages_shared += SUPERPAGE_FRAMES
        cost.eager_copies += SUPERPAGE_FRAMES
        shared = pte & ~W | COW if pte & W else pte
        if shared != pte:
            parent.table.rewrite_superpage(va, shared)
            cost.ptes_written += 1
        child.table.link_superpage(va, shared)
        for frame in range(ppn(pte), ppn(pte) + SUPERPAGE_FRAMES):
            parent.frames.share(frame)
