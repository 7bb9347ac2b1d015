"""Does Sv39 translation follow each rule of the privileged spec? One test for each rule."""

from __future__ import annotations

import pytest

from emu.machine.cause import Access
from emu.machine.pte import A, D, G, R, U, V, W, X, make_pte
from emu.machine.sv39 import Rule
from tests.emu.machine.tables import FETCH, FULL, LOAD, PAGE, STORE, VA, Tables

# Addresses.


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
    answer = tables.ok(access, VA & ~(size - 1) | 0x12_3456)
    assert (answer.pa, answer.level) == (base + 0x12_3456, level)
    assert answer.pte == make_pte(base >> 12, FULL)


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


# Permissions.


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
