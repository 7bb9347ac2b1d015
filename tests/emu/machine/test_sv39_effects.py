"""Are A and D, the end of RAM and the values of a fault right for a translation?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access, Cause
from emu.machine.pte import PAGE_SIZE, PPN_MASK, A, D, R, U, V, W, X, make_pte, make_satp
from emu.machine.sv39 import Rule
from tests.emu.machine.tables import (
    EVERY_ACCESS,
    FETCH,
    FULL,
    LAST,
    LOAD,
    PAGE,
    ROOT,
    STORE,
    VA,
    VPNS,
    Tables,
)

# A and D.


@pytest.mark.parametrize(("access", "sets"), [(FETCH, A), (LOAD, A), (STORE, A | D)])
def test_the_walker_sets_a_and_for_stores_d(tables: Tables, access: Access, sets: int) -> None:
    clean = V | R | W | X | U
    tables.leaf(clean)
    answer = tables.ok(access)
    assert tables.pte() == make_pte(tables.ppn(PAGE), clean | sets) == answer.pte
    assert tables.pte(1) == make_pte(tables.ppn(LAST), V)


def test_svade_leaves_them_to_software(tables: Tables, access: Access) -> None:
    tables.mmu.svade = True
    tables.leaf(FULL & ~A)
    assert tables.rule(access) is Rule.NOT_ACCESSED
    assert tables.pte() & (A | D) == D
    tables.leaf(FULL & ~D)
    if access is STORE:
        assert tables.rule(access) is Rule.NOT_DIRTY
    else:
        tables.ok(access)
    assert tables.pte() & (A | D) == A


@pytest.mark.parametrize("level", [1, 2])
def test_svade_leaves_those_of_superpages_too(tables: Tables, access: Access, level: int) -> None:
    tables.mmu.svade = True
    clean = make_pte(tables.ram.first_ppn & -(1 << 9 * level), FULL & ~(A | D))
    tables.set(level, clean)
    assert tables.rule(access) is Rule.NOT_ACCESSED
    assert tables.pte(level) == clean


def test_a_forbidden_access_sets_neither(tables: Tables) -> None:
    for flags, access in ((R, STORE), (R, FETCH), (X, LOAD), (X, STORE), (R | W, FETCH)):
        tables.leaf(V | U | flags)
        tables.fault(access)
        assert tables.pte() & (A | D) == 0
    tables.leaf(V | R | W | X)  # not the user's
    for access in EVERY_ACCESS:
        tables.fault(access)
        assert tables.pte() & (A | D) == 0


def test_a_misaligned_superpage_gets_neither(tables: Tables, access: Access) -> None:
    pte = make_pte(tables.ram.first_ppn + 1, V | R | W | X | U)
    tables.set(1, pte)
    tables.fault(access)
    assert tables.pte(1) == pte


# The end of RAM.


@pytest.mark.parametrize("level", [2, 1, 0])
def test_a_table_outside_ram_is_an_access_fault(tables: Tables, access: Access, level: int) -> None:
    for outside in (0, tables.ram.first_ppn - 1, tables.ram.end >> 12, PPN_MASK):
        if level == 2:
            tables.mmu.satp = make_satp(outside)
        else:
            tables.set(level + 1, make_pte(outside, V))
        fault = tables.fault(access)
        assert fault.rule is Rule.TABLE_OUTSIDE_RAM
        assert fault.cause is access.access_fault
        assert fault.walk[-1].pte is None


def test_a_page_outside_ram_is_an_access_fault(tables: Tables, access: Access) -> None:
    for outside in (0, tables.ram.first_ppn - 1, tables.ram.end >> 12, PPN_MASK):
        tables.set(0, make_pte(outside, FULL))
        fault = tables.fault(access)
        assert fault.rule is Rule.PAGE_OUTSIDE_RAM
        assert fault.cause is access.access_fault


def test_a_superpage_may_reach_out_of_ram(tables: Tables, access: Access) -> None:
    """1 GiB over 16 MiB of RAM: the part within RAM can be used."""
    tables.set(2, make_pte(tables.ram.first_ppn, FULL))
    start = VA & ~((1 << 30) - 1)
    assert tables.ok(access, start + tables.ram.size - 1).pa == tables.ram.end - 1
    assert tables.rule(access, start + tables.ram.size) is Rule.PAGE_OUTSIDE_RAM


def test_a_page_outside_ram_is_found_after_the_translation(tables: Tables) -> None:
    """The translation succeeded, so the walker has set A and D: only the access itself fails."""
    tables.set(0, make_pte(0, V | R | W | U))
    tables.fault(STORE)
    assert tables.pte() & (A | D) == A | D


# Other fields of satp.


def test_bare_mode_translates_nothing(tables: Tables, access: Access) -> None:
    tables.mmu.satp = 0
    assert tables.ok(access, tables.ram.base + 0x123).pa == tables.ram.base + 0x123
    for outside in (0, tables.ram.base - 1, tables.ram.end):
        fault = tables.fault(access, outside)
        assert (fault.rule, fault.cause) == (Rule.PAGE_OUTSIDE_RAM, access.access_fault)


@pytest.mark.parametrize("mode", [1, 7, 9, 10, 15])
def test_a_mode_that_is_not_there_changes_nothing(tables: Tables, mode: int) -> None:
    before = tables.mmu.satp
    tables.mmu.satp = mode << 60 | 0x1234
    assert tables.mmu.satp == before
    tables.ok(LOAD)


def test_an_asid_is_not_part_of_the_root(tables: Tables) -> None:
    tables.mmu.satp = make_satp(tables.ppn(ROOT), asid=0xFFFF)
    tables.ok(LOAD)


# Values of a fault.


def test_a_page_fault_names_the_access(tables: Tables) -> None:
    tables.set(0, 0)
    causes = [tables.fault(access).cause for access in EVERY_ACCESS]
    assert causes == [Cause.FETCH_PAGE_FAULT, Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT]


@pytest.mark.parametrize("levels_read", [1, 2, 3])
def test_the_walk_lists_the_entries_read(tables: Tables, access: Access, levels_read: int) -> None:
    broken = 3 - levels_read
    tables.set(broken, 0)
    walk = tables.fault(access).walk
    assert [step.level for step in walk] == [2, 1, 0][:levels_read]
    assert [step.vpn for step in walk] == [VPNS[step.level] for step in walk]
    assert [step.address for step in walk] == [tables.entry(step.level) for step in walk]
    assert walk[-1].pte == 0


def test_the_walk_ends_at_a_leaf(tables: Tables) -> None:
    tables.leaf(V | R | U)
    walk = tables.fault(STORE).walk
    assert [step.pte for step in walk] == [tables.pte(2), tables.pte(1), tables.pte(0)]
    tables.set(1, make_pte(tables.ram.first_ppn, V | R | U))
    assert len(tables.fault(STORE).walk) == 2


def test_looking_at_a_walk_changes_nothing(tables: Tables) -> None:
    tables.leaf(V | R | W | U)
    before = tables.ram.read(tables.ram.base, 4 * PAGE_SIZE)
    assert len(tables.mmu.walk(VA)) == 3
    assert tables.ram.read(tables.ram.base, 4 * PAGE_SIZE) == before


def test_a_fault_reads_as_a_sentence(tables: Tables) -> None:
    tables.leaf(V | R | U)
    text = repr(tables.fault(STORE))
    assert text == "STORE_PAGE_FAULT at 0x1234567abc: the page's W bit is clear"
