"""fork(2)'s part of memory, done by a student's code."""

from __future__ import annotations

from emu.lab.failures import WrongResult
from emu.lab.parts.table import LabTable
from emu.lab.student import Student
from emu.machine.pte import ppn
from kernel.fork import ForkCost, Policy
from kernel.frames import Kind
from kernel.space import AddressSpace

FORKS = {
    "shared-tables": "share_tables",
    "cow-fork": "share_space",
    "eager-fork": "copy_space",
}
"""The labs that fork, the later ones first, and their functions for it."""


def policy_of(student: Student) -> Policy | None:
    """The student's fork; None when none of the labs has one."""
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
        root = student.call(lab, function, parent.table.root)
        if root == parent.table.root:
            raise WrongResult(f"{function}() returned the parent's own root {root:#x}")
        child.table.adopt(root)
        parent.table.look()
        _take_what_is_not_inherited(child)
        cost.frames_copied += student.bus.counts.copies - copies
        cost.ptes_written += student.bus.counts.ptes - before
        cost.pages_shared += child.table.present_count() - cost.frames_copied

    return fork


def _take_what_is_not_inherited(child: AddressSpace) -> None:
    """Pages of mappings under MADV_DONTFORK or MADV_WIPEONFORK (madvise(2)), of which the student
    was not told.
    """
    for va, _ in child.table.present():
        vma = child.find(va)
        if vma is None or vma.wipe_on_fork:
            child.zap(va, va + 4096)
