"""The API of a lab's Python file: physical memory, frames, bits of a PTE, and values.

A student's code imports this package and nothing else of the project. It runs in a process of its
own, so this package imports the standard library and ``emu.machine.pte`` only.
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
"""Set in the PTE of a page of a writable mapping whose W is clear because its frame is shared."""

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
