"""What a lab's Python file may use: the machine as the kernel of a course sees it.

This is all that reaches a student's code, which runs in a process of its own: physical memory
(:class:`Memory`), the allocator (:class:`Frames`), the bits of a PTE, and a few values.
"""

from emu.lab.kit.frames import Frames, OutOfFrames
from emu.lab.kit.memory import Memory, OutsideMemory
from emu.lab.kit.tables import leaf_entry, new_leaf_entry, pages
from emu.lab.kit.values import (
    SUPERPAGE_SIZE,
    Access,
    Fault,
    Fence,
    Mapping,
    Mode,
    Outcome,
    Privilege,
    PteChange,
    Switch,
    Translation,
)
from emu.machine.pte import (
    FLAGS,
    LEVELS,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    PTE_SIZE,
    PTES_PER_TABLE,
    RESERVED,
    RSW0,
    A,
    D,
    G,
    R,
    U,
    V,
    W,
    X,
    is_canonical,
    is_leaf,
    make_pte,
    make_satp,
    ppn,
    vpn,
)

COW = RSW0
"""Set on a page that may be written by right, but whose W is clear because its frame is shared."""

__all__ = [
    "COW",
    "FLAGS",
    "LEVELS",
    "PAGE_MASK",
    "PAGE_SHIFT",
    "PAGE_SIZE",
    "PTES_PER_TABLE",
    "PTE_SIZE",
    "RESERVED",
    "SUPERPAGE_SIZE",
    "A",
    "Access",
    "D",
    "Fault",
    "Fence",
    "Frames",
    "G",
    "Mapping",
    "Memory",
    "Mode",
    "OutOfFrames",
    "Outcome",
    "OutsideMemory",
    "Privilege",
    "PteChange",
    "R",
    "Switch",
    "Translation",
    "U",
    "V",
    "W",
    "X",
    "is_canonical",
    "is_leaf",
    "leaf_entry",
    "make_pte",
    "make_satp",
    "new_leaf_entry",
    "pages",
    "ppn",
    "vpn",
]
