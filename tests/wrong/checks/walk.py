"""The walk, rule by rule: a table of PTEs and accesses, with the privileged spec's results.

Each row changes one property of a valid translation. The results are constants, from no code of
the project.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emu.machine.cause import Access, Cause
from emu.machine.pte import PAGE_SHIFT, PPN_MASK, A, D, R, U, V, W, X, make_pte, make_satp
from emu.machine.sv39 import Mmu, TranslationFault
from tests.emu.machine.tables import FETCH, FULL, LAST, LOAD, MIDDLE, PAGE, ROOT, STORE, VA, Tables
from tests.wrong.checks.check import Check, same

Change = Callable[[Tables], object]
PAGE_FAULTS = {FETCH: 12, LOAD: 13, STORE: 15}
ACCESS_FAULTS = {FETCH: 1, LOAD: 5, STORE: 7}
ALL = (FETCH, LOAD, STORE)
OTHER = 9
"""An unmapped frame."""


def leaf(flags: int) -> Change:
    return lambda t: t.leaf(flags)


def entry(level: int, ppn: int, flags: int) -> Change:
    """The PTE of that level; ``ppn`` counts from the first frame of RAM."""
    return lambda t: t.set(level, make_pte(t.ram.first_ppn + ppn & PPN_MASK, flags))


def fourth_level(t: Tables) -> None:
    t.set(0, make_pte(t.ppn(OTHER), V))
    for word in range(512):
        t.ram.store64((t.ppn(OTHER) << PAGE_SHIFT) + 8 * word, make_pte(t.ppn(PAGE), FULL))


def supervisor(flags: int, *, sum_: bool = False, mxr: bool = False) -> Change:
    def change(t: Tables) -> None:
        t.leaf(flags)
        t.supervisor(sum_=sum_, mxr=mxr)

    return change


def svade(flags: int) -> Change:
    def change(t: Tables) -> None:
        t.leaf(flags)
        t.mmu.svade = True

    return change


def svade_in_s_mode(flags: int) -> Change:
    def change(t: Tables) -> None:
        svade(flags)(t)
        t.supervisor()

    return change


def table_mirrored(t: Tables) -> None:
    """A table beyond RAM's end, where RAM would come again if its size were a mask."""
    t.set(2, make_pte(t.ppn(MIDDLE) + (t.ram.size >> PAGE_SHIFT), V))


def root_far_outside(t: Tables) -> None:
    """A root whose address would wrap to RAM if a PPN had fewer than 44 bits."""
    t.mmu.satp = make_satp(1 << 43 | t.ppn(ROOT))


def root_outside(t: Tables) -> None:
    t.mmu.satp = make_satp(PPN_MASK)


def nothing(t: Tables) -> None:
    pass


FAULTS: list[tuple[str, Change, tuple[Access, ...], dict[Access, int]]] = [
    ("V clear", leaf(FULL & ~V), ALL, PAGE_FAULTS),
    ("V clear in a pointer", entry(1, 2, 0), ALL, PAGE_FAULTS),
    ("W without R", leaf(FULL & ~R), ALL, PAGE_FAULTS),
    ("W without R or X", leaf(FULL & ~R & ~X), (STORE,), PAGE_FAULTS),
    *((f"reserved bit {bit}", leaf(FULL | 1 << bit), ALL, PAGE_FAULTS) for bit in range(54, 64)),
    *(
        (f"a pointer with {name}", entry(1, 2, V | bit), ALL, PAGE_FAULTS)
        for name, bit in (("A", A), ("D", D), ("U", U))
    ),
    *(
        (f"a pointer with reserved bit {bit}", entry(1, 2, V | 1 << bit), ALL, PAGE_FAULTS)
        for bit in range(54, 64)
    ),
    ("a pointer at level 0", fourth_level, ALL, PAGE_FAULTS),
    ("a misaligned 2 MiB page", entry(1, 1, FULL), ALL, PAGE_FAULTS),
    ("a misaligned 1 GiB page", entry(2, 1 << 9, FULL), ALL, PAGE_FAULTS),
    ("U clear", leaf(FULL & ~U), ALL, PAGE_FAULTS),
    ("R clear", leaf(V | X | U | A | D), (LOAD, STORE), PAGE_FAULTS),
    ("W clear", leaf(FULL & ~W), (STORE,), PAGE_FAULTS),
    ("X clear", leaf(FULL & ~X), (FETCH,), PAGE_FAULTS),
    ("S-mode fetches a user's page", supervisor(FULL, sum_=True), (FETCH,), PAGE_FAULTS),
    ("S-mode reads a user's page without SUM", supervisor(FULL), (LOAD, STORE), PAGE_FAULTS),
    ("MXR and neither R nor X", supervisor(V | U, mxr=True, sum_=True), (LOAD,), PAGE_FAULTS),
    ("MXR gives no W", supervisor(V | X | A | D, mxr=True), (STORE,), PAGE_FAULTS),
    ("Svade and A clear", svade(FULL & ~A), ALL, PAGE_FAULTS),
    ("Svade and D clear", svade(FULL & ~D), (STORE,), PAGE_FAULTS),
    ("Svade and A clear in S-mode", svade_in_s_mode(FULL & ~U & ~A), ALL, PAGE_FAULTS),
    ("Svade and D clear in S-mode", svade_in_s_mode(FULL & ~U & ~D), (STORE,), PAGE_FAULTS),
    ("a root outside RAM", root_outside, ALL, ACCESS_FAULTS),
    ("a root far outside RAM", root_far_outside, ALL, ACCESS_FAULTS),
    ("a table below RAM", entry(1, -1, V), ALL, ACCESS_FAULTS),
    ("a table where RAM would come again", table_mirrored, ALL, ACCESS_FAULTS),
    ("a page outside RAM", entry(0, -1, FULL), ALL, ACCESS_FAULTS),
    ("a page just beyond RAM", entry(0, 4096, FULL), ALL, ACCESS_FAULTS),
]
NON_CANONICAL = (
    1 << 38,
    (1 << 64) - (1 << 38) - 1,
    1 << 38 | VA & (1 << 38) - 1,
    VA | 1 << 39,
    VA | 1 << 63,
)

clean = FULL & ~A & ~D
SUCCEEDS: list[tuple[str, Change, Access, int, int]] = [
    # Name, access, offset from the page's first byte, flags of the leaf afterwards.
    *((f"a plain {access.name.lower()}", nothing, access, 0xABC, FULL) for access in ALL),
    *((f"a {access.name.lower()} sets A", leaf(clean), access, 0xABC, clean | A)
      for access in (FETCH, LOAD)),
    ("a store sets A and D", leaf(clean), STORE, 0xABC, clean | A | D),
    ("a store sets D", leaf(FULL & ~D), STORE, 0xABC, FULL),
    ("X without R may be fetched", leaf(V | X | U | A), FETCH, 0xABC, V | X | U | A),
    ("S-mode reads with SUM", supervisor(FULL, sum_=True), LOAD, 0xABC, FULL),
    ("S-mode reads X with MXR", supervisor(V | X | A, mxr=True), LOAD, 0xABC, V | X | A),
]  # fmt: skip


def faults(
    change: Change, accesses: tuple[Access, ...], causes: dict[Access, int], va: int = VA
) -> None:
    for access in accesses:
        tables = Tables()
        change(tables)
        before = [tables.pte(level) for level in range(3)]
        answer = tables.mmu.translate(va, access)
        assert isinstance(answer, TranslationFault), f"{access.name} leads to {answer.pa:#x}"
        same(Cause(answer.cause).name, Cause(causes[access]).name, "scause")
        same([tables.pte(level) for level in range(3)], before, "PTEs after a refused access")


def succeeds(change: Change, access: Access, offset: int, flags: int) -> None:
    tables = Tables()
    change(tables)
    answer = tables.mmu.translate(VA, access)
    assert not isinstance(answer, TranslationFault), answer
    same(hex(answer.pa), hex((tables.ppn(PAGE) << PAGE_SHIFT) + offset), "address")
    same(hex(tables.pte() & 0x3FF), hex(flags), "flags of the PTE")


def superpage() -> None:
    tables = Tables()
    tables.set(1, make_pte(tables.ram.first_ppn, FULL))
    same(hex(tables.ok(LOAD).pa), hex(tables.ram.base + VA % (2 << 20)), "address")


def other_modes_of_satp() -> None:
    tables = Tables()
    before = tables.mmu.satp
    for mode in (1, 9, 10, 15):
        tables.mmu.satp = mode << 60
        same(hex(tables.mmu.satp), hex(before), f"satp after mode {mode} was written")


def bare() -> None:
    mmu: Mmu = Tables().mmu
    mmu.satp = 0
    answer = mmu.translate(0x1000, LOAD)
    assert isinstance(answer, TranslationFault) and answer.cause == ACCESS_FAULTS[LOAD], answer
    found = mmu.translate(mmu.ram.base + 0x1234, LOAD)
    assert not isinstance(found, TranslationFault), found
    same(hex(found.pa), hex(mmu.ram.base + 0x1234), "address")
    same(hex(found.pte), hex(make_pte(mmu.ram.first_ppn + 1, FULL)), "a leaf that allows all")


def the_edges_of_what_is_canonical() -> None:
    """The upper half is mapped by the same entries as the addresses below it in 64 bits."""
    tables = Tables()
    for table, frame, flags in ((ROOT, MIDDLE, V), (MIDDLE, LAST, V), (LAST, PAGE, FULL)):
        for word in range(512):
            entry = (tables.ppn(table) << PAGE_SHIFT) + 8 * word
            tables.ram.store64(entry, make_pte(tables.ppn(frame), flags))
    for va, canonical in (
        ((1 << 38) - 1, True), (1 << 38, False), ((1 << 64) - (1 << 38) - 1, False),
        ((1 << 64) - (1 << 38), True), ((1 << 64) - 1, True),
    ):  # fmt: skip
        answer = tables.mmu.translate(va, LOAD)
        same(not isinstance(answer, TranslationFault), canonical, f"{va:#x} is canonical")


def satp_of_a_wide_asid() -> None:
    same(hex(make_satp(0x80001, 0x12345)), hex(8 << 60 | 0x2345 << 44 | 0x80001), "satp")


CHECKS = [
    *(
        Check(f"walk: {what}", partial(faults, change, accesses, causes))
        for what, change, accesses, causes in FAULTS
    ),
    *(
        Check(f"walk: the address {va:#x}", partial(faults, nothing, ALL, PAGE_FAULTS, va))
        for va in NON_CANONICAL
    ),
    *(
        Check(f"walk: {what}", partial(succeeds, change, access, offset, flags))
        for what, change, access, offset, flags in SUCCEEDS
    ),
    Check("walk: offset in a superpage", superpage),
    Check("walk: satp keeps its mode", other_modes_of_satp),
    Check("walk: bare mode", bare),
    Check("walk: the edges of what is canonical", the_edges_of_what_is_canonical),
    Check("walk: satp has 16 bits of ASID", satp_of_a_wide_asid),
]
