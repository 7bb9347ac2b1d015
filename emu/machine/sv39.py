"""The MMU: one Sv39 translation, in the order of the privileged spec's steps.

Read it beside "Virtual Address Translation Process" of the privileged spec (version 20240411,
section 10.3.2, with the Sv39 parameters of 10.4.1: LEVELS = 3, PTESIZE = 8). The step numbers in
the comments are the spec's. A failure is a value: :class:`TranslationFault` has the rule that the
access violates, and the walk.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, NamedTuple

from emu.machine.cause import Access, Cause
from emu.machine.pte import (
    LEVELS,
    MODE_BARE,
    MODE_SV39,
    PAGE_SHIFT,
    PPN_MASK,
    PPN_SHIFT,
    RESERVED,
    VA_HALF,
    VPN_BITS,
    A,
    D,
    R,
    U,
    V,
    W,
    X,
    is_canonical,
    make_pte,
    vpn,
)
from emu.machine.ram import Ram


class Privilege(IntEnum):
    USER = 0
    SUPERVISOR = 1


class Rule(Enum):
    """Rules that a translation can violate; the text completes "the access failed because …"."""

    number: int
    """Position among the rules."""

    NON_CANONICAL = "bits 63-39 of the address do not all equal bit 38"
    TABLE_OUTSIDE_RAM = "the page table's entry lies outside physical memory"
    INVALID = "the PTE's V bit is clear"
    WRITE_WITHOUT_READ = "the PTE has W without R, a reserved encoding"
    RESERVED_BITS = "the PTE sets reserved bits (63-54)"
    POINTER_WITH_FLAGS = "the PTE points to a table but sets A, D or U, which are reserved there"
    NO_LEAF = "the PTE at level 0 points to a further table"
    MISALIGNED_SUPERPAGE = "the superpage's PPN is not aligned to its size"
    NOT_USER = "the page's U bit is clear and the hart is in U-mode"
    USER_PAGE_FROM_SUPERVISOR = "the page's U bit is set and the hart is in S-mode without SUM"
    USER_PAGE_FETCHED_BY_SUPERVISOR = "S-mode never executes a page whose U bit is set"
    NOT_READABLE = "the page's R bit is clear"
    NOT_WRITABLE = "the page's W bit is clear"
    NOT_EXECUTABLE = "the page's X bit is clear"
    NOT_ACCESSED = "the page's A bit is clear and Svade leaves setting it to software"
    NOT_DIRTY = "the page's D bit is clear and Svade leaves setting it to software"
    PAGE_OUTSIDE_RAM = "the page lies outside physical memory"

    @property
    def text(self) -> str:
        return str(self.value)


for _number, _rule in enumerate(Rule):
    _rule.number = _number
_PAGE_FAULTS: Final = tuple(access.page_fault for access in Access)
_NOT_IN_POINTER: Final = V | R | W | X | U | A | D | RESERVED
_READY: Final = (U | X | A, U | R | A, U | W | A | D)
"""Bits of a leaf that U-mode may fetch from, load from or store to at once: steps 6 to 9 have
nothing left to check or set. By number, as hashing an enum's member calls Python code."""


class Step(NamedTuple):
    """One page-table entry read by a walk. ``pte`` is None when its address is outside RAM."""

    level: int
    vpn: int
    address: int
    pte: int | None


class Translation:
    """A translation that succeeded. ``pa`` is the exact address; ``pte`` the leaf after step 9."""

    __slots__ = ("level", "pa", "pte")

    def __init__(self, pa: int, pte: int, level: int) -> None:
        self.pa = pa
        self.pte = pte
        self.level = level


def _translation(pa: int, pte: int, level: int) -> Translation:
    """Creates one without a call of its ``__init__``, which takes a tenth of a whole fault."""
    translation = Translation.__new__(Translation)
    translation.pa = pa
    translation.pte = pte
    translation.level = level
    return translation


class TranslationFault:
    """A translation that failed: the access, and the rule that it violates.

    ``walk`` is read from the tables on first use (it is rarely needed, and a fault must be cheap),
    so use it before the tables change.
    """

    __slots__ = ("_mmu", "_walk", "access", "rule", "va")

    def __init__(self, rule: Rule, va: int, access: Access, mmu: Mmu) -> None:
        self.rule = rule
        self.va = va
        self.access = access
        self._mmu = mmu
        self._walk: tuple[Step, ...] | None = None

    @property
    def walk(self) -> tuple[Step, ...]:
        """The page-table entries that were read, root first."""
        if self._walk is None:
            self._walk = self._mmu.walk(self.va)
        return self._walk

    @property
    def is_access_fault(self) -> bool:
        """True for an address outside RAM, of the page or of a table."""
        return self.rule is Rule.TABLE_OUTSIDE_RAM or self.rule is Rule.PAGE_OUTSIDE_RAM

    @property
    def cause(self) -> Cause:
        """The exception to raise: a page fault, or an access fault for an address outside RAM."""
        if self.is_access_fault:
            return self.access.access_fault
        return _PAGE_FAULTS[self.access]

    def __repr__(self) -> str:
        return f"{self.cause.name} at {self.va:#x}: {self.rule.value}"


class Mmu:
    """Translates for one hart. Fields are the CSR bits that translation depends on.

    ``svade`` selects the effect of a clear A or D bit: False sets it in the page table, as the
    Svadu extension does; True raises a page fault, as the Svade extension does.
    """

    __slots__ = ("_root", "_satp", "mxr", "privilege", "ram", "sum", "svade")

    def __init__(self, ram: Ram) -> None:
        self.ram = ram
        self.privilege = Privilege.USER
        self.sum = False
        self.mxr = False
        self.svade = False
        self._satp = 0
        self._root: int | None = None

    @property
    def satp(self) -> int:
        return self._satp

    @satp.setter
    def satp(self, value: int) -> None:
        """A value with an unsupported MODE is ignored (privileged spec: satp is WARL)."""
        mode = value >> 60
        if mode not in (MODE_BARE, MODE_SV39):
            return
        self._satp = value
        self._root = None if mode == MODE_BARE else (value & PPN_MASK) << PAGE_SHIFT

    def translate(self, va: int, access: Access) -> Translation | TranslationFault:
        """The physical address of ``va``, or the fault. Sets A and D unless ``svade``."""
        if self._root is None:
            return self._bare(va, access)
        if va >= VA_HALF and not is_canonical(va):
            return self._fault(Rule.NON_CANONICAL, va, access)
        ram = self.ram
        base, end = ram.base, ram.end
        table = self._root  # step 1
        level = LEVELS - 1
        while True:
            entry = table + ((va >> PAGE_SHIFT + VPN_BITS * level & 0x1FF) << 3)  # step 2
            if not base <= entry < end:
                return self._fault(Rule.TABLE_OUTSIDE_RAM, va, access)
            pte = ram.typed_words[entry - base >> 3]
            if pte & _NOT_IN_POINTER == V and level:  # by steps 3 and 4 a pointer, like most
                level -= 1
                table = (pte >> PPN_SHIFT & PPN_MASK) << PAGE_SHIFT
                continue
            if not pte & V:  # step 3
                return self._fault(Rule.INVALID, va, access)
            if pte & (R | W) == W:
                return self._fault(Rule.WRITE_WITHOUT_READ, va, access)
            if pte & RESERVED:
                return self._fault(Rule.RESERVED_BITS, va, access)
            if pte & (R | X):  # step 4
                break
            if pte & (A | D | U):
                return self._fault(Rule.POINTER_WITH_FLAGS, va, access)
            return self._fault(Rule.NO_LEAF, va, access)
        offset_mask = (1 << PAGE_SHIFT + VPN_BITS * level) - 1
        frame = (pte >> PPN_SHIFT & PPN_MASK) << PAGE_SHIFT
        if frame & offset_mask:  # step 5
            return self._fault(Rule.MISALIGNED_SUPERPAGE, va, access)
        ready = _READY[access]
        if pte & ready != ready or self.privilege:
            broken = self._forbidden(pte, access)  # steps 6 to 8
            if broken is not None:
                return self._fault(broken, va, access)
            wanted = A | D if access is Access.STORE else A
            if pte & wanted != wanted:  # step 9
                if self.svade:
                    return self._fault(Rule.NOT_DIRTY if pte & A else Rule.NOT_ACCESSED, va, access)
                pte |= wanted
                ram.store64(entry, pte)
        pa = frame | va & offset_mask  # step 10
        if not base <= pa < end:
            return self._fault(Rule.PAGE_OUTSIDE_RAM, va, access)
        return _translation(pa, pte, level)

    def walk(self, va: int) -> tuple[Step, ...]:
        """The entries that a translation of ``va`` reads, root first. Has no side effects."""
        if self._root is None or not is_canonical(va):
            return ()
        steps: list[Step] = []
        table = self._root
        for level in range(LEVELS - 1, -1, -1):
            index = vpn(va, level)
            entry = table + 8 * index
            pte = self.ram.load64(entry) if self.ram.holds(entry) else None
            steps.append(Step(level, index, entry, pte))
            if pte is None or not pte & V or pte & (R | W | X | A | D | U | RESERVED):
                break
            table = (pte >> PPN_SHIFT & PPN_MASK) << PAGE_SHIFT
        return tuple(steps)

    def _forbidden(self, pte: int, access: Access) -> Rule | None:
        """The rule of U, R, W, X with the privilege mode, SUM and MXR that forbids ``access``."""
        if self.privilege is Privilege.USER:
            if not pte & U:
                return Rule.NOT_USER
        elif pte & U:
            if access is Access.FETCH:
                return Rule.USER_PAGE_FETCHED_BY_SUPERVISOR
            if not self.sum:
                return Rule.USER_PAGE_FROM_SUPERVISOR
        if access is Access.LOAD:
            if pte & R or (self.mxr and pte & X):
                return None
            return Rule.NOT_READABLE
        if access is Access.STORE:
            return None if pte & W else Rule.NOT_WRITABLE
        return None if pte & X else Rule.NOT_EXECUTABLE

    def _bare(self, va: int, access: Access) -> Translation | TranslationFault:
        if not self.ram.holds(va):
            return self._fault(Rule.PAGE_OUTSIDE_RAM, va, access)
        return Translation(va, make_pte(va >> PAGE_SHIFT, V | R | W | X | U | A | D), 0)

    def _fault(self, rule: Rule, va: int, access: Access) -> TranslationFault:
        return TranslationFault(rule, va, access, self)
