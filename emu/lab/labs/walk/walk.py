"""Lab 1, the walk: translates a virtual address to a physical one, as the MMU does for Sv39.

Formats of the address, of satp and of a PTE (privileged spec, sections 10.1.11 and 10.4)::

    address  63        39 38     30 29     21 20     12 11       0
            | = bit 38   | VPN[2]  | VPN[1]  | VPN[0]  | offset   |

    satp     63   60 59        44 43                            0
            | MODE  |   ASID     |  PPN of the root table        |     MODE 8: Sv39, 0: bare

    PTE      63     54 53                    10 9 8 7 6 5 4 3 2 1 0
            | reserved |         PPN           | RSW|D A G U X W R V|

A PTE with neither R nor X is a pointer to the next table. Any other valid PTE is a leaf: it maps
4 KiB at level 0, 2 MiB at level 1, 1 GiB at level 2.
"""

from __future__ import annotations

from emu.lab.kit import (
    LEVELS,
    PAGE_SHIFT,
    PTE_SIZE,
    RESERVED,
    A,
    Access,
    D,
    Fault,
    Memory,
    Mode,
    Privilege,
    R,
    Translation,
    U,
    V,
    W,
    X,
    is_canonical,
    is_leaf,
    make_pte,
    ppn,
    vpn,
)

EVERYTHING = V | R | W | X | U | A | D
"""Flags of the PTE that a translation in bare mode returns: there is no PTE in memory."""

# BEGIN SOLUTION


def holds(memory: Memory, address: int) -> bool:
    """True if there is memory at the physical ``address``."""
    return memory.base <= address < memory.end


def allowed(pte: int, access: Access, mode: Mode) -> bool:
    """Checks steps 6 to 8: True if a leaf allows ``access`` in ``mode``."""
    if mode.privilege is Privilege.USER:
        if not pte & U:
            return False
    elif pte & U and (access is Access.FETCH or not mode.sum):
        return False
    if access is Access.FETCH:
        return bool(pte & X)
    if access is Access.STORE:
        return bool(pte & W)
    return bool(pte & R or (mode.mxr and pte & X))


# END SOLUTION


def translate(
    memory: Memory, satp: int, address: int, access: Access, mode: Mode
) -> Translation | Fault:
    """Translates ``address`` for an access: returns the translation, or the fault.

    The steps are those of the privileged spec, section 10.3.2. ``Fault.PAGE`` is a page fault,
    ``Fault.ACCESS`` an access fault.

    * Bare mode: the physical address is ``address``. Return a PTE for its frame with the flags
      ``EVERYTHING``, and level 0. If there is no memory at the address: ``ACCESS``.
    * If bits 63-39 of ``address`` are not all equal to bit 38: ``PAGE``.
    * Steps 1 and 2: begin with the root table, at level 2. The PTE is at the table's address plus 8
      times VPN[level]. If there is no memory at that address: ``ACCESS``.
    * Step 3: if V is clear, or W is set without R, or one of bits 63-54 is set: ``PAGE``.
    * Step 4: a pointer leads to the next table, one level lower. If a pointer has A, D or U set,
      which are reserved there, or is at level 0: ``PAGE``.
    * Step 5: if the PPN of a leaf at level 1 or 2 is not aligned to the size of the page: ``PAGE``.
    * Step 6: U-mode can access only pages with U. S-mode can access pages with U only if
      ``mode.sum``, and never fetch from them. Otherwise: ``PAGE``.
    * Step 8: a load requires R (or X, if ``mode.mxr``), a store W, a fetch X. Otherwise: ``PAGE``.
    * Step 9: set A, and for a store also D, in the PTE in memory, unless set already. Store nothing
      else, and nothing when the translation faults.
    * Step 10: the physical address is the leaf's PPN and the offset of the address; a superpage has
      a longer offset. If there is no memory at that address: ``ACCESS``.

    A walk ignores the ASID, G and RSW. (Step 7 is about shadow stacks, which this machine lacks.)
    """
    # BEGIN SOLUTION
    if satp >> 60 == 0:
        if not holds(memory, address):
            return Fault.ACCESS
        return Translation(address, make_pte(address >> PAGE_SHIFT, EVERYTHING), 0)
    if not is_canonical(address):
        return Fault.PAGE
    table = (satp & (1 << 44) - 1) << PAGE_SHIFT  # step 1
    level = LEVELS - 1
    while True:
        entry = table + PTE_SIZE * vpn(address, level)  # step 2
        if not holds(memory, entry):
            return Fault.ACCESS
        pte = memory.load(entry)
        if not pte & V or pte & (R | W) == W or pte & RESERVED:  # step 3
            return Fault.PAGE
        if is_leaf(pte):  # step 4
            break
        if pte & (A | D | U) or level == 0:
            return Fault.PAGE
        table = ppn(pte) << PAGE_SHIFT
        level -= 1
    offset = address & (1 << PAGE_SHIFT + 9 * level) - 1
    page = ppn(pte) << PAGE_SHIFT
    if page & (1 << PAGE_SHIFT + 9 * level) - 1:  # step 5
        return Fault.PAGE
    if not allowed(pte, access, mode):  # steps 6 to 8
        return Fault.PAGE
    used = A | D if access is Access.STORE else A  # step 9
    if pte & used != used:
        pte |= used
        memory.store(entry, pte)
    if not holds(memory, page | offset):  # step 10
        return Fault.ACCESS
    return Translation(page | offset, pte, level)
    # END SOLUTION
