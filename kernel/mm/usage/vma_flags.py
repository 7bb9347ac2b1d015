"""The VmFlags of smaps: two letters for each flag of a VMA, in the order of Linux's bits."""

from __future__ import annotations

from kernel.mm.mappings.vma import Vma, VmFlag

_LOCKED, _LOCK_ON_FAULT = 0x2000, 0x8_0000
_DONT_COPY, _WIPE_ON_FORK, _GROWS_DOWN = 0x2_0000, 0x200_0000, 0x100
_SHARED, _MAY_WRITE, _MAY_SHARE, _DONT_EXPAND = 0x8, 0x20, 0x80, 0x4_0000
_MAY_READ_AND_EXEC = 0x50
_HUGETLB = 0x40_0000

_LETTERS = {
    0x1: "rd", 0x2: "wr", 0x4: "ex", _SHARED: "sh", 0x10: "mr", _MAY_WRITE: "mw", 0x40: "me",
    _MAY_SHARE: "ms", _GROWS_DOWN: "gd", _LOCKED: "lo", VmFlag.SEQUENTIAL: "sr",
    VmFlag.RANDOM: "rr", _DONT_COPY: "dc", _DONT_EXPAND: "de", _LOCK_ON_FAULT: "lf",
    VmFlag.ACCOUNTED: "ac", VmFlag.NO_RESERVE: "nr", _WIPE_ON_FORK: "wf", VmFlag.NO_DUMP: "dd",
    _HUGETLB: "ht",
    VmFlag.HUGE: "hg", VmFlag.NO_HUGE: "nh", VmFlag.MERGEABLE: "mg",
}  # fmt: skip


def flags_text(vma: Vma) -> str:
    """The flags, each with a space behind."""
    bits = _bits(vma)
    return "".join(letters + " " for bit, letters in sorted(_LETTERS.items()) if bits & bit)


def _bits(vma: Vma) -> int:
    bits = int(vma.prot) | _MAY_READ_AND_EXEC | int(vma.flags)
    bits |= _MAY_WRITE if vma.may_write else 0
    if vma.shared:  # of a file that is only readable it is shared in name only
        bits |= _MAY_SHARE | (_SHARED if vma.may_write else 0)
    bits |= _GROWS_DOWN if vma.grows_down else 0
    bits |= _HUGETLB if vma.in_huge_pages else 0
    bits |= _DONT_COPY if vma.dont_fork else 0
    bits |= _WIPE_ON_FORK if vma.wipe_on_fork else 0
    bits |= _LOCKED if vma.locked else 0
    bits |= _LOCK_ON_FAULT if vma.lock_on_fault else 0
    return bits | (_DONT_EXPAND if vma.name == "[vdso]" else 0)
