"""The MMU leaves out a rule of the walk (privileged spec 10.3.2), one at a time."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_translate = partial(wrong, where="emu.machine.sv39:Mmu.translate")
_forbidden = partial(wrong, where="emu.machine.sv39:Mmu._forbidden")
_POINTER = "pte & _NOT_IN_POINTER == V"
_READY = "_READY[access]"

VARIANTS = [
    _translate(
        "non-canonical", "bits 63-39 of an address are not looked at",
        old="if va >= VA_HALF and not is_canonical(va):", new="if False:",
    ),
    _translate(
        "half-a-table", "only 8 bits of each VPN are used",
        old="& 0x1FF", new="& 0xFF",
    ),
    _translate(
        "table-outside-ram", "a table beyond RAM's end is read as if RAM came again there",
        old="if not base <= entry < end:",
        new="entry = base + (entry - base) % ram.size\n        if False:",
    ),
    _translate(
        "v-ignored", "a PTE whose V is clear is used",
        old="if not pte & V:", new="if not pte:",
    ),
    _translate(
        "w-without-r", "W without R is taken for a leaf",
        old="if pte & (R | W) == W:", new="if False:",
    ),
    _translate(
        "reserved-bits", "bits 63-54 of a PTE are not looked at",
        old="if pte & RESERVED:", new="if False:",
    ),
    _translate(
        "n-and-pbmt-allowed", "only the bits 60-54 must be zero, N and PBMT are not looked at",
        old="if pte & RESERVED:", new="if pte & 0x7F << 54:",
    ),
    _translate(
        "pointer-with-flags", "a pointer may have A, D and U",
        old=_POINTER, new="pte & (V | R | W | X | RESERVED) == V",
    ),
    _translate(
        "pointer-with-a", "a pointer may have A",
        old=_POINTER, new="pte & (_NOT_IN_POINTER ^ A) == V",
    ),
    _translate(
        "pointer-with-d", "a pointer may have D",
        old=_POINTER, new="pte & (_NOT_IN_POINTER ^ D) == V",
    ),
    _translate(
        "pointer-with-u", "a pointer may have U",
        old=_POINTER, new="pte & (_NOT_IN_POINTER ^ U) == V",
    ),
    _translate(
        "pointer-with-reserved-bits", "bits 63-54 of a pointer are not looked at",
        old=_POINTER, new="pte & (_NOT_IN_POINTER ^ RESERVED) == V",
    ),
    _translate(
        "no-leaf", "a pointer at level 0 leads to a fourth level",
        old=_POINTER + " and level:", new=_POINTER + ":",
    ),
    _translate(
        "misaligned-superpage", "a superpage may begin anywhere",
        old="if frame & offset_mask:", new="if False:",
    ),
    _translate(
        "superpage-offset", "the offset in a superpage is that in a small page",
        old="frame | va & offset_mask", new="frame | va & 0xFFF",
    ),
    _forbidden(
        "u-ignored", "U-mode reaches pages whose U is clear",
        old="if not pte & U:", new="if False:",
    ),
    _forbidden(
        "r-ignored", "a load needs no R",
        old="if pte & R or (self.mxr and pte & X):", new="if True:",
    ),
    _forbidden(
        "mxr-ignored", "MXR does nothing",
        old="if pte & R or (self.mxr and pte & X):", new="if pte & R:",
    ),
    _forbidden(
        "mxr-always", "X is enough for a load without MXR too",
        old="(self.mxr and pte & X)", new="pte & X",
    ),
    _forbidden(
        "w-ignored", "a store needs no W",
        old="return None if pte & W else", new="return None if pte & R else",
    ),
    _forbidden(
        "x-ignored", "a fetch needs no X",
        old="return None if pte & X else", new="return None if pte & R else",
    ),
    _forbidden(
        "sum-ignored", "S-mode reaches the user's pages without SUM",
        old="if not self.sum:", new="if False:",
    ),
    _forbidden(
        "s-mode-runs-user-code", "S-mode executes the user's pages when SUM is set",
        old="if access is Access.FETCH:", new="if access is Access.FETCH and not self.sum:",
    ),
    _translate(
        "ready-without-u", "U-mode reaches at once what has all but U",
        old=_READY, new="_READY[access] & ~U",
    ),
    _translate(
        "ready-without-r", "a load needs no R where all else is there",
        old=_READY, new="_READY[access] & ~R",
    ),
    _translate(
        "ready-without-w", "a store needs no W where all else is there",
        old=_READY, new="_READY[access] & ~W",
    ),
    _translate(
        "ready-without-x", "a fetch needs no X where all else is there",
        old=_READY, new="_READY[access] & ~X",
    ),
    _translate(
        "ready-in-s-mode", "S-mode reaches at once what U-mode may",
        old="if pte & ready != ready or self.privilege:", new="if pte & ready != ready:",
    ),
    _translate(
        "page-outside-ram", "a page beyond RAM's end is handed out",
        old="if not base <= pa < end:", new="if False:",
    ),
    _translate(
        "svade-ignored", "A and D are set by the hardware even under Svade",
        old="if self.svade:", new="if False:",
    ),
    _translate(
        "svade-without-d", "Svade looks at A only",
        old="if pte & wanted != wanted:",
        new="if pte & wanted != wanted and not (self.svade and pte & A):",
    ),
    _translate(
        "a-not-set", "A is never set",
        old="wanted = A | D if access is Access.STORE else A",
        new="wanted = D if access == Access.STORE else 0",
    ),
    _translate(
        "d-not-set", "D is never set",
        old="wanted = A | D if access is Access.STORE else A", new="wanted = A",
    ),
    _translate(
        "loads-set-d", "D is set by every access",
        old="wanted = A | D if access is Access.STORE else A", new="wanted = A | D",
    ),
    _translate(
        "a-and-d-not-stored", "A and D are set in the answer and not in the table",
        old="ram.store64(entry, pte)", new="pass",
    ),
    _translate(
        "refused-access-sets-a", "A is set before the rights are looked at",
        old="broken = self._forbidden(pte, access)",
        new="ram.store64(entry, pte | A)\n        broken = self._forbidden(pte, access)",
    ),
    wrong(
        "access-fault-as-page-fault", "where RAM ends a page fault is raised",
        "emu.machine.sv39:TranslationFault.cause",
        old="if self.is_access_fault:", new="if False:",
    ),
    wrong(
        "satp-mode", "satp takes modes that this hart does not have",
        "emu.machine.sv39:Mmu.satp.fset",
        old="if mode not in (MODE_BARE, MODE_SV39):", new="if False:",
    ),
]  # fmt: skip
