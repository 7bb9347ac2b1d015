"""fork(2) of an address space by a student's code."""

from __future__ import annotations

from emu.lab.components.page_table import FORKS, LabTable
from emu.lab.host.failures import WrongResult
from emu.lab.host.student import Student
from emu.machine.pte import ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork import Policy
from kernel.mm.forking.fork_cost import ForkCost
from kernel.mm.mappings.vma import USER_END
from kernel.mm.physical.frames import Kind


def student_fork(student: Student) -> Policy | None:
    """Returns the student's fork; None if none of the labs has one."""
    lab = next((lab for lab in FORKS if lab in student.labs), None)
    if lab is None:
        return None
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
