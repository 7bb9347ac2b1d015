"""Repeats the accesses of the bare-metal log on our machine, and returns each outcome."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from emu.machine.cause import Access, Cause
from emu.machine.hart import Hart
from emu.machine.pte import PAGE_MASK, VA_MASK, A, U, V, X, make_pte, make_satp
from emu.machine.ram import Ram
from emu.machine.registers import A0, A1
from emu.machine.sv39 import Mmu, Privilege, Rule, Translation, TranslationFault
from tests.emu.machine import asm
from tests.oracles.bare.cases import (
    INDICES,
    RAM_SIZE,
    STUB_INDEX,
    STUB_PPN,
    STUB_VA,
    TABLES,
    TABLES_PPN,
    Case,
    Kind,
    Request,
    fresh_arena,
)

ECALL_FROM_S = 9
STORES = (Kind.STORE, Kind.AMO)
STUBS = (
    *(asm.load(name, A0, A1) for name in ("lb", "lh", "lw", "ld")),
    *(asm.store(name, A0, A1) for name in ("sb", "sh", "sw", "sd")),
    *(asm.amo("amoswap", size, A0, A0, A1) for size in (4, 8)),
    *(asm.lr(size, A0, A1) for size in (4, 8)),
)


Change = tuple[int, int, int]
"""A page-table entry that changed: its table, its number in INDICES, the bits."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of an access, as in a line of the log.

    ``result`` is the value read, or the instruction found at a fetch, or mtval - va of a fault.
    ``rule`` is why ours failed; the log knows none.
    """

    cause: int
    result: int = 0
    changes: tuple[Change, ...] = ()
    rule: Rule | None = field(default=None, compare=False)
    at: int = field(default=0, compare=False)
    """The address of the part that failed: va, or the next page's start."""


class Machine:
    """Our RAM and hart, with the stubs and the arena as at the start of fuzz.c.

    With ``on_hart``, U-mode accesses are instructions that the hart runs; else, and always in
    S-mode, which the hart lacks, each is a translation by the MMU of the pages it touches.
    """

    def __init__(self, *, on_hart: bool) -> None:
        self.ram = Ram(RAM_SIZE)
        self.hart = Hart(self.ram)
        self.mmu = self.hart.mmu if on_hart else Mmu(self.ram)
        self._on_hart = on_hart
        self._shadow: dict[tuple[int, int], int] = {}
        arena = fresh_arena()
        self.ram.bytes[: len(arena)] = arena
        for table in range(TABLES):
            self._set(table, STUB_INDEX, make_pte(TABLES_PPN + TABLES, V))
        self._set(TABLES, 0, make_pte(TABLES_PPN + TABLES + 1, V))
        self._set(TABLES + 1, 0, make_pte(STUB_PPN, V | X | A | U))
        self._set(TABLES + 1, 1, make_pte(STUB_PPN, V | X | A))
        code = b"".join(stub + asm.ECALL for stub in STUBS)
        self.ram.write(STUB_PPN << 12, code)

    def _set(self, table: int, index: int, pte: int) -> None:
        self.ram.store64((TABLES_PPN + table << 12) + 8 * index, pte)

    def begin(self, case: Case) -> None:
        self._shadow = dict(case.entries)
        for (table, i), pte in case.entries.items():
            self._set(table, INDICES[i], pte)

    def _changes(self) -> tuple[Change, ...]:
        """Entries changed since the last access, with the changed bits."""
        changed = []
        for (table, i), before in self._shadow.items():
            pte = self.ram.load64((TABLES_PPN + table << 12) + 8 * INDICES[i])
            if pte != before:
                self._shadow[table, i] = pte
                changed.append((table, i, pte ^ before))
        return tuple(changed)

    def adopt(self, changes: tuple[Change, ...], by_us: Outcome) -> None:
        """Sets the entries as if ``changes`` had been made instead of those of ``by_us``."""
        for table, i, bits in (*changes, *by_us.changes):
            self._shadow[table, i] ^= bits
            self._set(table, INDICES[i], self._shadow[table, i])

    def probe(self, request: Request, va: int, access: Access) -> Outcome:
        """Outcome of ``access`` at ``va`` instead of ``request``; leaves the tables unchanged.

        The cause is 0 if it would succeed.
        """
        self._enter(request)
        fault = self._fetch_stub(request) or self._translate(va, access)
        outcome = Outcome(0) if fault is None else self._fault(fault, request)
        outcome = replace(outcome, changes=self._changes())
        self.adopt((), outcome)
        return outcome

    def store(self, request: Request, count: int) -> None:
        """Stores only the first ``count`` bytes of ``request``'s, which lie in one page."""
        self._enter(request)
        answer = self.mmu.translate(request.va, Access.STORE)
        assert isinstance(answer, Translation)
        self.ram.write(answer.pa, request.value.to_bytes(8, "little")[:count])

    def do(self, request: Request) -> Outcome:
        self._enter(request)
        if self._on_hart and request.privilege is Privilege.USER:
            outcome = self._run(request)
        else:
            outcome = self._ask(request)
        return replace(outcome, changes=self._changes())

    def _enter(self, request: Request) -> None:
        """The state of the hart in which the access is made."""
        if self._on_hart:
            self.hart.set_satp(make_satp(request.root))
            self.hart.flush_tlb()
        else:
            self.mmu.satp = make_satp(request.root)
        self.mmu.privilege = request.privilege
        self.mmu.sum, self.mmu.mxr = request.sum, request.mxr

    # By running an instruction.

    def _run(self, request: Request) -> Outcome:
        hart = self.hart
        hart.write(A0, request.value)
        hart.write(A1, request.va)
        hart.pc = request.pc
        trap = hart.run()
        assert trap.epc == request.pc + (4 if trap.cause == Cause.ECALL_FROM_U else 0)
        if trap.cause == Cause.ECALL_FROM_U:
            return Outcome(trap.cause, 0 if request.kind is Kind.STORE else hart.read(A0))
        if trap.cause == Cause.ILLEGAL_INSTRUCTION:
            return Outcome(trap.cause, trap.tval)
        rule = trap.fault.rule if trap.fault else None
        return Outcome(trap.cause, trap.tval - request.va & VA_MASK, rule=rule, at=trap.tval)

    # By a translation of the MMU.

    def _ask(self, request: Request) -> Outcome:
        stub = self._fetch_stub(request)
        if stub is not None:
            return self._fault(stub, request)
        places: list[tuple[int, int]] = []
        for va, count in parts(request):
            answer = self.mmu.translate(va, access_of(request))
            if isinstance(answer, TranslationFault):
                return self._fault(answer, request)
            places.append((answer.pa, count))
        value = int.from_bytes(b"".join(self.ram.read(*place) for place in places), "little")
        if request.kind is Kind.FETCH:
            return Outcome(Cause.ILLEGAL_INSTRUCTION, value)
        data = request.value.to_bytes(8, "little")
        if request.kind in STORES:
            for pa, count in places:
                self.ram.write(pa, data[:count])
                data = data[count:]
        sign = 1 << 8 * request.size - 1
        done = Cause.ECALL_FROM_U if request.privilege is Privilege.USER else ECALL_FROM_S
        if request.kind is Kind.STORE:
            return Outcome(done)
        return Outcome(done, (value & sign - 1) - (value & sign) & VA_MASK)

    def _fetch_stub(self, request: Request) -> TranslationFault | None:
        return None if request.kind is Kind.FETCH else self._translate(request.pc, Access.FETCH)

    def _translate(self, va: int, access: Access) -> TranslationFault | None:
        answer = self.mmu.translate(va, access)
        return answer if isinstance(answer, TranslationFault) else None

    def _fault(self, fault: TranslationFault, request: Request) -> Outcome:
        tval = fault.va - request.va & VA_MASK
        return Outcome(fault.cause, tval, rule=fault.rule, at=fault.va)


def access_of(request: Request) -> Access:
    if request.kind is Kind.FETCH:
        return Access.FETCH
    return Access.STORE if request.kind in STORES else Access.LOAD


def parts(request: Request) -> list[tuple[int, int]]:
    """The address and size of each page's part; an instruction is fetched in two halves."""
    va = request.va
    if request.kind is Kind.FETCH:
        return [(va, 2), (va + 2 & VA_MASK, 2)]
    here = min(request.size, PAGE_MASK + 1 - (va & PAGE_MASK))
    if here == request.size:
        return [(va, here)]
    return [(va, here), (va + here & VA_MASK, request.size - here)]


def is_stub(at: int) -> bool:
    return STUB_VA <= at < STUB_VA + 0x2000
