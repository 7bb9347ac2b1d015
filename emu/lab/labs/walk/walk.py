"""Lab 1, the walk: from a virtual address to a physical one, as an MMU for Sv39 finds it.

What you are given, bit by bit (privileged spec, sections 10.1.11 and 10.4)::

    address  63        39 38     30 29     21 20     12 11       0
            | = bit 38   | VPN[2]  | VPN[1]  | VPN[0]  | offset   |

    satp     63   60 59        44 43                            0
            | MODE  |   ASID     |  PPN of the root table        |     MODE 8: Sv39, 0: bare

    PTE      63     54 53                    10 9 8 7 6 5 4 3 2 1 0
            | reserved |         PPN           | RSW|D A G U X W R V|

Neither R nor X: a pointer to the next table. Else a leaf: at level 0 it maps 4 KiB, at level 1
2 MiB, at level 2 1 GiB.
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
"""The flags of the PTE that a translation in bare mode returns, for it has none of its own."""

# BEGIN SOLUTION


def holds(memory: Memory, address: int) -> bool:
    """Whether there is memory at a physical address."""
    return memory.base <= address < memory.end


def allowed(pte: int, access: Access, mode: Mode) -> bool:
    """Whether a leaf lets ``access`` happen in ``mode``: steps 6 to 8."""
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
    """Finds the physical address for an access to ``address``, or why there is none.

    The steps are those of the privileged spec, section 10.3.2. ``Fault.PAGE`` is a page fault,
    ``Fault.ACCESS`` an access fault.

    * In bare mode the physical address is ``address``; the PTE to return is one for that frame
      with the flags ``EVERYTHING``, the level is 0. No memory there: ``ACCESS``.
    * Bits 63-39 of ``address`` are not all equal to bit 38: ``PAGE``.
    * Step 1, 2: begin with the root table, at level 2. The PTE is at the table's address plus 8
      times VPN[level]. No memory there: ``ACCESS``.
    * Step 3: V is clear, or W is set without R, or one of bits 63-54 is set: ``PAGE``.
    * Step 4: a pointer leads to the next table, one level down. A, D and U are reserved in a
      pointer (``PAGE``); at level 0 there can be none (``PAGE``).
    * Step 5: a leaf at level 1 or 2 must have a PPN that its size divides: else ``PAGE``.
    * Step 6: U-mode reaches only pages with U. S-mode reaches pages with U only if ``mode.sum``,
      and never fetches from them. Else ``PAGE``.
    * Step 8: a load needs R (or, if ``mode.mxr``, X), a store W, a fetch X. Else ``PAGE``.
    * Step 9: set A, for a store D too, in the PTE in memory, if it isn't set there already. Nothing
      else, and nothing when the translation faults.
    * Step 10: the physical address is the leaf's PPN and the address's offset; below a superpage
      the offset is longer. No memory there: ``ACCESS``.

    The ASID, G and RSW mean nothing to a walk. (Step 7 is about shadow stacks: there are none.)
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
