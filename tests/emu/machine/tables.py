"""Page tables with one path to one page, for tests of a single translation."""

from __future__ import annotations

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SHIFT, A, D, R, U, V, W, X, make_pte, make_satp
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, Privilege, Rule, Translation, TranslationFault

FETCH, LOAD, STORE = Access.FETCH, Access.LOAD, Access.STORE
EVERY_ACCESS = (FETCH, LOAD, STORE)
FULL = V | R | W | X | U | A | D

VA = 0x12_3456_7ABC
"""VPN[2] = 0x48, VPN[1] = 0x1A2, VPN[0] = 0x167, offset 0xABC."""
VPNS = (0x167, 0x1A2, 0x48)
ROOT, MIDDLE, LAST, PAGE = range(4)


class Tables:
    """One path of page tables to ``VA``: frames ROOT, MIDDLE and LAST, and the page's own frame."""

    def __init__(self) -> None:
        self.ram = Ram(16 << 20)
        self.mmu = Mmu(self.ram)
        self.mmu.satp = make_satp(self.ppn(ROOT))
        self.set(2, make_pte(self.ppn(MIDDLE), V))
        self.set(1, make_pte(self.ppn(LAST), V))
        self.set(0, make_pte(self.ppn(PAGE), FULL))

    def ppn(self, frame: int) -> int:
        return self.ram.first_ppn + frame

    def entry(self, level: int) -> int:
        table = (LAST, MIDDLE, ROOT)[level]
        return (self.ppn(table) << PAGE_SHIFT) + 8 * VPNS[level]

    def set(self, level: int, pte: int) -> None:
        self.ram.store64(self.entry(level), pte)

    def leaf(self, flags: int) -> None:
        self.set(0, make_pte(self.ppn(PAGE), flags))

    def pte(self, level: int = 0) -> int:
        return self.ram.load64(self.entry(level))

    def ok(self, access: Access, va: int = VA) -> Translation:
        answer = self.mmu.translate(va, access)
        assert isinstance(answer, Translation), answer
        return answer

    def fault(self, access: Access, va: int = VA) -> TranslationFault:
        answer = self.mmu.translate(va, access)
        assert isinstance(answer, TranslationFault), answer
        return answer

    def rule(self, access: Access, va: int = VA) -> Rule:
        return self.fault(access, va).rule

    def supervisor(self, *, sum_: bool = False, mxr: bool = False) -> None:
        self.mmu.privilege = Privilege.SUPERVISOR
        self.mmu.sum, self.mmu.mxr = sum_, mxr
