"""Bit fields of Sv39: virtual addresses, page-table entries, satp.

Privileged spec, "Sv39: Page-Based 39-bit Virtual-Memory System" and "Supervisor Address
Translation and Protection (satp) Register"::

    virtual address     38        30 29        21 20        12 11          0
                       |   VPN[2]   |   VPN[1]   |   VPN[0]   |   offset    |

    PTE   63 62  61 60     54 53           28 27      19 18      10 9   8 7 6 5 4 3 2 1 0
         |N |PBMT  | reserved|     PPN[2]    |  PPN[1]  |  PPN[0]  | RSW |D A G U X W R V|

    satp  63    60 59         44 43                                       0
         |  MODE  |    ASID     |                    PPN                   |
"""

from __future__ import annotations

from typing import Final

PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT
PAGE_MASK: Final = PAGE_SIZE - 1

LEVELS: Final = 3
VPN_BITS: Final = 9
PTES_PER_TABLE: Final = 1 << VPN_BITS
PTE_SIZE: Final = 8

HUGE_SHIFT: Final = PAGE_SHIFT + VPN_BITS
HUGE_SIZE: Final = 1 << HUGE_SHIFT
"""A leaf at level 1 maps 2 MiB: a huge page of Linux, a megapage of the privileged spec."""
HUGE_FRAMES: Final = PTES_PER_TABLE

V: Final = 1 << 0
R: Final = 1 << 1
W: Final = 1 << 2
X: Final = 1 << 3
U: Final = 1 << 4
G: Final = 1 << 5
A: Final = 1 << 6
D: Final = 1 << 7
RSW0: Final = 1 << 8
RSW1: Final = 1 << 9
"""RSW0 and RSW1 are reserved for the supervisor; the hardware ignores them."""

PPN_SHIFT: Final = 10
PPN_MASK: Final = (1 << 44) - 1
RESERVED: Final = 0x3FF << 54
"""Bits 63-54: N (Svnapot), PBMT (Svpbmt) and the reserved ones; without those extensions, zero."""
FLAGS: Final = 0x3FF
"""Bits 9-0 of a PTE: RSW, D A G U X W R V."""

MODE_BARE: Final = 0
MODE_SV39: Final = 8
ASID_MASK: Final = 0xFFFF

VA_MASK: Final = (1 << 64) - 1
VA_HALF: Final = 1 << 38
"""Canonical addresses are [0, VA_HALF) and [2**64 - VA_HALF, 2**64): bits 63-39 equal bit 38."""


def vpn(va: int, level: int) -> int:
    """VPN[level] of ``va``: the index into the table of that level."""
    return (va >> (PAGE_SHIFT + VPN_BITS * level)) & (PTES_PER_TABLE - 1)


def is_canonical(va: int) -> bool:
    """True if bits 63-39 all equal bit 38."""
    return ((va + VA_HALF) & VA_MASK) < 2 * VA_HALF


def ppn(pte: int) -> int:
    """The physical page number in a PTE."""
    return (pte >> PPN_SHIFT) & PPN_MASK


def make_pte(frame: int, flags: int) -> int:
    """The PTE for frame number ``frame``; ``flags`` are bits 9-0."""
    return frame << PPN_SHIFT | flags


def make_satp(root: int, asid: int = 0) -> int:
    """Satp for an Sv39 table with its root in frame number ``root``."""
    return MODE_SV39 << 60 | (asid & ASID_MASK) << 44 | root


def is_leaf(pte: int) -> bool:
    """True if a valid PTE maps a page, and is not a pointer to a table: R or X is set."""
    return bool(pte & (R | X))


def flags_text(pte: int) -> str:
    """The flags as a fixed-width string, such as ``"RW-U-AD"``; ``"invalid"`` when V is clear."""
    if not pte & V:
        return "invalid"
    return "".join(
        letter if pte & bit else "-"
        for letter, bit in zip("RWXUGAD", (R, W, X, U, G, A, D), strict=True)
    )
