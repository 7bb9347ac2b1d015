"""What does one Sv39 translation answer? One question per rule of the privileged spec."""

from __future__ import annotations

import pytest

from emu.machine.pte import (
    PAGE_SHIFT,
    PAGE_SIZE,
    PPN_MASK,
    A,
    D,
    G,
    R,
    U,
    V,
    W,
    X,
    make_pte,
    make_satp,
)
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, Privilege, Rule, Translation, TranslationFault
from emu.machine.trap import Access, Cause

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


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture(params=EVERY_ACCESS, ids=lambda access: access.name.lower())
def access(request: pytest.FixtureRequest) -> Access:
    found: Access = request.param
    return found


# Where does an address lead?


def test_three_levels_lead_to_a_page(tables: Tables, access: Access) -> None:
    answer = tables.ok(access)
    assert answer.pa == (tables.ppn(PAGE) << 12) + 0xABC
    assert answer.level == 0


@pytest.mark.parametrize(("level", "size"), [(1, 2 << 20), (2, 1 << 30)])
def test_a_leaf_further_up_is_a_superpage(
    tables: Tables, access: Access, level: int, size: int
) -> None:
    base = tables.ram.base  # 0x8000_0000 is aligned to both sizes
    tables.set(level, make_pte(base >> 12, FULL))
    inside = VA & ~(size - 1) | 0x12_3456
    assert tables.ok(access, inside) == Translation(base + 0x12_3456, make_pte(base >> 12, FULL), level)


@pytest.mark.parametrize("level", [1, 2])
def test_a_superpage_starts_at_a_multiple_of_its_size(
    tables: Tables, access: Access, level: int
) -> None:
    for misaligned in (1, 1 << 9 * level - 1):
        tables.set(level, make_pte(tables.ram.first_ppn | misaligned, FULL))
        assert tables.rule(access) is Rule.MISALIGNED_SUPERPAGE


@pytest.mark.parametrize("va", [0, (1 << 38) - 1, (1 << 64) - (1 << 38), (1 << 64) - 1])
def test_both_halves_of_the_canonical_addresses_are_walked(
    tables: Tables, access: Access, va: int
) -> None:
    assert tables.rule(access, va) is Rule.INVALID


@pytest.mark.parametrize(
    "va", [1 << 38, 1 << 39, (1 << 63) - 1, 1 << 63, (1 << 64) - (1 << 38) - 1, VA | 1 << 40]
)
def test_other_addresses_fault_without_a_walk(tables: Tables, access: Access, va: int) -> None:
    fault = tables.fault(access, va)
    assert fault.rule is Rule.NON_CANONICAL
    assert fault.cause is access.page_fault
    assert fault.walk == ()


# Which entries are not valid?


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_clear_v_ends_the_walk(tables: Tables, access: Access, level: int) -> None:
    tables.set(level, tables.pte(level) & ~V)
    assert tables.rule(access) is Rule.INVALID


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("flags", [W, W | X])
def test_w_without_r_is_reserved(tables: Tables, access: Access, level: int, flags: int) -> None:
    tables.set(level, make_pte(tables.ram.first_ppn, V | U | A | D | flags))
    assert tables.rule(access) is Rule.WRITE_WITHOUT_READ


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("bit", range(54, 64))
def test_bits_63_to_54_are_reserved(tables: Tables, access: Access, level: int, bit: int) -> None:
    tables.set(level, tables.pte(level) | 1 << bit)
    assert tables.rule(access) is Rule.RESERVED_BITS


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("flag", [A, D, U])
def test_a_pointer_has_no_a_d_or_u(tables: Tables, access: Access, level: int, flag: int) -> None:
    tables.set(level, tables.pte(level) | flag)
    assert tables.rule(access) is Rule.POINTER_WITH_FLAGS


def test_a_pointer_may_be_global(tables: Tables, access: Access) -> None:
    tables.set(1, tables.pte(1) | G)
    tables.ok(access)


def test_level_0_cannot_point_further(tables: Tables, access: Access) -> None:
    tables.set(0, make_pte(tables.ppn(PAGE), V))
    assert tables.rule(access) is Rule.NO_LEAF


def test_the_supervisors_two_bits_are_ignored(tables: Tables, access: Access) -> None:
    for level in range(3):
        tables.set(level, tables.pte(level) | 0b11 << 8)
    tables.ok(access)


# Who may do what?


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        (R, {LOAD}),
        (X, {FETCH}),
        (R | X, {LOAD, FETCH}),
        (R | W, {LOAD, STORE}),
        (R | W | X, {LOAD, STORE, FETCH}),
    ],
)
def test_rwx_allow_what_they_say(
    tables: Tables, access: Access, flags: int, allowed: set[Access]
) -> None:
    tables.leaf(V | U | A | D | flags)
    if access in allowed:
        tables.ok(access)
    else:
        rules = {LOAD: Rule.NOT_READABLE, STORE: Rule.NOT_WRITABLE, FETCH: Rule.NOT_EXECUTABLE}
        assert tables.rule(access) is rules[access]


def test_a_user_needs_u(tables: Tables, access: Access) -> None:
    tables.leaf(FULL & ~U)
    assert tables.rule(access) is Rule.NOT_USER


def test_a_supervisor_uses_its_own_pages(tables: Tables, access: Access) -> None:
    tables.supervisor()
    tables.leaf(FULL & ~U)
    tables.ok(access)


@pytest.mark.parametrize("access", [LOAD, STORE])
def test_a_supervisor_needs_sum_for_user_pages(tables: Tables, access: Access) -> None:
    tables.supervisor()
    assert tables.rule(access) is Rule.USER_PAGE_FROM_SUPERVISOR
    tables.supervisor(sum_=True)
    tables.ok(access)


@pytest.mark.parametrize("sum_", [False, True])
def test_a_supervisor_never_executes_user_pages(tables: Tables, sum_: bool) -> None:
    tables.supervisor(sum_=sum_)
    assert tables.rule(FETCH) is Rule.USER_PAGE_FETCHED_BY_SUPERVISOR


def test_mxr_makes_executable_pages_readable(tables: Tables) -> None:
    tables.leaf(V | X | U | A)
    assert tables.rule(LOAD) is Rule.NOT_READABLE
    tables.mmu.mxr = True
    tables.ok(LOAD)
    assert tables.rule(STORE) is Rule.NOT_WRITABLE
    tables.supervisor(mxr=True)
    assert tables.rule(LOAD) is Rule.USER_PAGE_FROM_SUPERVISOR


# Who sets A and D?


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


# Where does RAM end?


@pytest.mark.parametrize("level", [2, 1, 0])
def test_a_table_outside_ram_is_an_access_fault(
    tables: Tables, access: Access, level: int
) -> None:
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
    """1 GiB over 16 MiB of RAM: what there is can be used."""
    tables.set(2, make_pte(tables.ram.first_ppn, FULL))
    start = VA & ~((1 << 30) - 1)
    assert tables.ok(access, start + tables.ram.size - 1).pa == tables.ram.end - 1
    assert tables.rule(access, start + tables.ram.size) is Rule.PAGE_OUTSIDE_RAM


def test_a_page_outside_ram_is_found_after_the_translation(tables: Tables) -> None:
    """The translation succeeded, so the walker has set A and D: only the access itself fails."""
    tables.set(0, make_pte(0, V | R | W | U))
    tables.fault(STORE)
    assert tables.pte() & (A | D) == A | D


# What else does satp say?


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


# What does a fault tell?


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
