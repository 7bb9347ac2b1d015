"""Are the registers found in the engine's own memory, and left as they were?"""

from __future__ import annotations

from emu.machine import unicorn_registers
from emu.machine.engine import Engine
from emu.machine.hart import Hart
from emu.machine.ram import Ram
from emu.machine.registers import COUNT, Registers
from emu.machine.unicorn_registers import ORDER, PC_WORD, find_state


def engine() -> Engine:
    return Hart(Ram(1 << 20))._engine


def test_a_row_shows_every_register_as_it_is_now() -> None:
    it = engine()
    row, refresh = it.state()
    assert refresh is None, "found: else every instruction traced costs ten times as much"
    words = row.cast("Q")
    for turn in (1, 2):
        for word, index in enumerate(ORDER, 1):
            it.write(index, turn << 60 | word << 4)
            assert words[word] == turn << 60 | word << 4
    assert words[0] == 0 and words[PC_WORD] == it.pc()


def test_looking_for_them_changes_none() -> None:
    it = engine()
    registers, after = Registers(), Registers()
    for index in range(COUNT - 1):
        registers[index] = index * 0x1234_5678 << 2
    registers[COUNT - 1] = 0x65
    it.load(registers)
    it.state()
    it.save(after)
    assert list(after.words) == list(registers.words)


def test_each_engine_has_its_own() -> None:
    one, other = engine(), engine()
    rows = [it.state()[0].cast("Q") for it in (one, other)]
    one.write(10, 1)
    other.write(10, 2)
    assert [row[10] for row in rows] == [1, 2]


def test_in_another_build_of_the_engine_they_are_looked_for(monkeypatch) -> None:
    monkeypatch.setattr(unicorn_registers, "_KNOWN_OFFSET", 0)
    it = engine()
    row, refresh = it.state()
    assert refresh is None
    it.write(10, 77)
    assert row.cast("Q")[10] == 77


def test_where_they_are_not_found_they_are_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(unicorn_registers, "_find", lambda *_: None)
    it = engine()
    assert find_state(it._handle.value or 0, it.save, it.load, it.write) is None
    row, refresh = it.state()
    assert refresh is not None
    for word, index in enumerate(ORDER, 1):
        it.write(index, word << 8)
    refresh()
    assert list(row.cast("Q")) == [word << 8 for word in range(65)]
