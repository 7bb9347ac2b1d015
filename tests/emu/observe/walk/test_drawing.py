"""Does the drawing of a walk show the tables' entries and the MMU's result?"""

from __future__ import annotations

import re

import pytest

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SHIFT, RSW0, RSW1, A, D, G, R, U, V, W, X, make_pte, make_satp
from emu.machine.sv39 import Rule, Translation, TranslationFault
from emu.observe.walk.drawing import draw_walk, take_walk
from tests.emu.machine.tables import FULL, LAST, LOAD, MIDDLE, PAGE, ROOT, STORE, VA, Tables

MEGA = 512


def drawing(tables: Tables, va: int = VA, access: Access = LOAD) -> list[str]:
    lines = draw_walk(take_walk(tables.mmu, va, access), who="by somebody")
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines)
    return lines


def flat(lines: list[str]) -> str:
    """Joins the lines, with single spaces."""
    return re.sub(r"[\s│├└─►]+", " ", " ".join(lines))


@pytest.fixture
def tables() -> Tables:
    return Tables()


def test_a_page_that_may_be_loaded_from(tables: Tables) -> None:
    tables.mmu.satp = make_satp(tables.ppn(ROOT), 0x5A)
    assert "\n".join(drawing(tables)) == (
        """\
access     load of 0x1234567abc by somebody
satp       0x8005a00000080000
           mode 8 (Sv39)   ASID 0x5a   root PPN 0x80000
address    0x0000001234567abc   bits 63-39 equal bit 38
           ┌── VPN[2] ─┬── VPN[1] ─┬── VPN[0] ─┬─── offset ───┐
           │ 001001000 │ 110100010 │ 101100111 │ 101010111100 │
           │    0x48   │   0x1a2   │   0x167   │    0xabc     │
           └───────────┴───────────┴───────────┴──────────────┘

level 2    table 0x80000000 + 8 * 0x48 = entry 0x80000240
           ├─ PTE 0x0000000020000401   PPN 0x80001
           ├─ V valid
           └► pointer to a table at 0x80001000

level 1    table 0x80001000 + 8 * 0x1a2 = entry 0x80001d10
           ├─ PTE 0x0000000020000801   PPN 0x80002
           ├─ V valid
           └► pointer to a table at 0x80002000

level 0    table 0x80002000 + 8 * 0x167 = entry 0x80002b38
           ├─ PTE 0x0000000020000cdf   PPN 0x80003
           ├─ V valid, R readable, W writable, X executable, U user, A accessed,
           │  D dirty
           └► leaf: a page of 4 KiB at 0x80003000

physical   0x80003000 + 0xabc = 0x80003abc"""
    )


def test_each_flag_has_its_words(tables: Tables) -> None:
    words = {
        V: "V valid", R: "R readable", W: "W writable", X: "X executable", U: "U user",
        G: "G global", A: "A accessed", D: "D dirty", RSW0: "RSW0 copy-on-write",
        RSW1: "RSW1 (the supervisor's own)", 1 << 61: "reserved bits",
    }  # fmt: skip
    for bit, word in words.items():
        tables.leaf(bit)
        (row,) = [line for line in drawing(tables)[-6:] if "├─ " in line and "PTE" not in line]
        assert row.endswith(f"├─ {word}")
    tables.set(0, 0)
    assert "no flag is set not valid" in flat(drawing(tables))


@pytest.mark.parametrize("level, size, offset", [(1, "2 MiB", 0x167ABC), (2, "1 GiB", 0x34567ABC)])
def test_a_superpage(tables: Tables, level: int, size: str, offset: int) -> None:
    tables.set(level, make_pte(0x80000, FULL))
    lines = drawing(tables)
    assert f"leaf: a superpage of {size} at 0x80000000" in flat(lines)
    pa = 0x80000000 + offset
    if level == 1:
        assert lines[-1] == f"physical   0x80000000 + {offset:#x} = {pa:#x}"
    else:  # the tests' RAM ends before that
        assert lines[-1].endswith(f"0x80000000 + {offset:#x} = {pa:#x}")
        assert Rule.PAGE_OUTSIDE_RAM.value in flat(lines)
    assert sum(line.startswith("level") for line in lines) == 3 - level


def broken(rule: Rule, tables: Tables) -> tuple[int, Access]:
    """Changes the tables to break only this rule; returns the address and access that break it."""
    leaves = {
        Rule.INVALID: 0, Rule.WRITE_WITHOUT_READ: V | W | U, Rule.NO_LEAF: V,
        Rule.NOT_USER: FULL & ~U, Rule.NOT_READABLE: V | X | U | A, Rule.NOT_ACCESSED: V | R | U,
        Rule.RESERVED_BITS: FULL | 1 << 63, Rule.POINTER_WITH_FLAGS: V | A,
    }  # fmt: skip
    tables.mmu.svade = True
    if rule in leaves:
        tables.leaf(leaves[rule])
        return VA, LOAD
    if rule is Rule.NON_CANONICAL:
        return VA | 1 << 38, LOAD
    if rule is Rule.TABLE_OUTSIDE_RAM:
        tables.set(1, make_pte(5, V))
    elif rule is Rule.PAGE_OUTSIDE_RAM:
        tables.set(0, make_pte(5, FULL))
    elif rule is Rule.MISALIGNED_SUPERPAGE:
        tables.set(1, make_pte(tables.ppn(PAGE), FULL))
    elif rule is Rule.NOT_WRITABLE:
        tables.leaf(FULL & ~W)
        return VA, STORE
    elif rule is Rule.NOT_DIRTY:
        tables.leaf(FULL & ~D)
        return VA, STORE
    elif rule is Rule.NOT_EXECUTABLE:
        tables.leaf(FULL & ~X)
        return VA, Access.FETCH
    elif rule is Rule.USER_PAGE_FROM_SUPERVISOR:
        tables.supervisor()
    else:
        assert rule is Rule.USER_PAGE_FETCHED_BY_SUPERVISOR
        tables.supervisor(sum_=True)
        return VA, Access.FETCH
    return VA, LOAD


@pytest.mark.parametrize("rule", Rule, ids=lambda rule: rule.name.lower())
def test_a_fault_names_its_cause_and_the_rule(tables: Tables, rule: Rule) -> None:
    va, access = broken(rule, tables)
    fault = tables.mmu.translate(va, access)
    assert isinstance(fault, TranslationFault) and fault.rule is rule
    text = flat(drawing(tables, va, access))
    assert f"fault {fault.cause.name}, cause {int(fault.cause)}: the {access.name.lower()}" in text
    assert rule.value in text
    assert ("physical 0x" in text) == (rule is Rule.PAGE_OUTSIDE_RAM)
    assert ("bits 63-39 differ from bit 38" in text) == (rule is Rule.NON_CANONICAL)
    assert ("no memory at this address" in text) == (rule is Rule.TABLE_OUTSIDE_RAM)


def test_looking_changes_nothing(tables: Tables) -> None:
    tables.leaf(V | R | W | U)
    before = tables.pte()
    assert "the store sets A and D in the leaf" in flat(drawing(tables, access=STORE))
    assert tables.pte() == before
    assert "the load sets A in the leaf" in flat(drawing(tables))
    tables.leaf(FULL)
    assert "sets" not in flat(drawing(tables, access=STORE))


def test_without_translation_there_are_no_tables(tables: Tables) -> None:
    tables.mmu.satp = 0
    lines = drawing(tables, 0x80001234)
    assert "mode 0 (Bare)" in lines[2] and lines[-1] == "physical   0x80001234"
    assert len(lines) == 5
    assert Rule.PAGE_OUTSIDE_RAM.value in flat(drawing(tables, 0x1234))


def test_the_highest_addresses(tables: Tables) -> None:
    va = (1 << 64) - 0x1000
    text = flat(drawing(tables, va))
    assert "0xfffffffffffff000 bits 63-39 equal bit 38" in text and "0x1ff" in text


def test_notes_stand_below_in_their_column(tables: Tables) -> None:
    walk = take_walk(tables.mmu, VA, LOAD)
    assert isinstance(walk.result, Translation)
    lines = draw_walk(walk, notes=[("memory", "here"), ("", "and " + "x" * 200)])
    assert lines[-4:-2] == ["memory     here", "           and " + "x" * 65]
    assert all(len(line) <= 80 for line in lines)


def test_the_tables_are_those_of_the_walk(tables: Tables) -> None:
    text = flat(drawing(tables))
    for frame, index in ((ROOT, 0x48), (MIDDLE, 0x1A2), (LAST, 0x167)):
        at = tables.ppn(frame) << PAGE_SHIFT
        assert f"table {at:#x} + 8 * {index:#x} = entry {at + 8 * index:#x}" in text
