"""Transparent huge pages: which accesses map 2 MiB, and what a store to a shared one copies.

See Documentation/admin-guide/mm/transhuge.rst of Linux, and do_huge_pmd_anonymous_page() and
do_huge_pmd_wp_page() of its mm/huge_memory.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emu.machine.pte import HUGE_SIZE
from kernel.mm.mappings.vma import Vma, VmFlag


class Thp(StrEnum):
    """Mappings that get transparent huge pages (/sys/kernel/mm/transparent_hugepage/enabled)."""

    NEVER = "never"
    MADVISE = "madvise"
    ALWAYS = "always"


class ThpCow(StrEnum):
    """Size of the copy for a store to a shared huge page: 4 KiB, after a split (Linux since
    5.8), or all of it (before).
    """

    PAGE = "page"
    HUGE = "huge"


@dataclass(frozen=True, slots=True)
class HugePages:
    """The huge pages of an address space; a child of fork and a new program inherit these."""

    supported: bool = False
    """False in labs, whose page tables have pages of 4 KiB only, or superpages of their own."""
    mode: Thp = Thp.NEVER
    copied: ThpCow = ThpCow.PAGE
    disabled: bool = False
    """PR_SET_THP_DISABLE of prctl(2)."""
    advised: bool = False
    """True when MADV_HUGEPAGE was given for some mapping, at any time."""

    @property
    def possible(self) -> bool:
        """False when no fault can map a huge page."""
        if self.disabled or self.mode is Thp.NEVER:
            return False
        return self.advised or self.mode is Thp.ALWAYS

    def may_collapse(self, vma: Vma) -> bool:
        """Returns whether MADV_COLLAPSE, which ignores the mode, is possible in a mapping."""
        possible = self.supported and not self.disabled and not vma.flags & VmFlag.NO_HUGE
        return possible and vma.backing is None

    def fit(self, vma: Vma, va: int) -> bool:
        """Returns whether a fault may map the 2 MiB at ``va`` in a private anonymous mapping."""
        if not self.possible or vma.flags & VmFlag.NO_HUGE:
            return False
        if self.mode is Thp.MADVISE and not vma.flags & VmFlag.HUGE:
            return False
        return contains_huge(vma, va)


def may_contain_huge(vma: Vma, va: int) -> bool:
    """Returns whether a huge page of either kind may map the aligned 2 MiB at ``va``."""
    start = va & -HUGE_SIZE
    kind = vma.in_huge_pages or (vma.backing is None and not vma.shared)
    return kind and vma.start <= start and start + HUGE_SIZE <= vma.end


def contains_huge(vma: Vma, va: int) -> bool:
    """Returns whether the aligned 2 MiB at ``va`` lie within a private anonymous mapping."""
    if vma.backing is not None or vma.shared:
        return False
    start = va & -HUGE_SIZE
    return vma.start <= start and start + HUGE_SIZE <= vma.end
