"""Is a known backtrace found exactly where the unwinder would find the same again?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from emu.machine.pte import PAGE_SIZE, R, U, V, W, make_pte
from emu.machine.ram import Ram
from emu.machine.registers import FP, RA, SP
from emu.observe.unwind.known_backtraces import (
    SIZE,
    BacktraceLog,
    Inputs,
    KnownBacktraces,
    Word,
    shared_memory,
)
from kernel.mm.mappings.image_layout import ImageLayout

STACK = 0x10000
TOP = STACK + 2 * PAGE_SIZE - 64
LAYOUT, PC, CALLER = 3, 0x1000, 0x2000
INPUTS = Inputs(
    LAYOUT, PC, CALLER, STACK, None, [(STACK + 8, 5), (STACK + PAGE_SIZE + 16, 1 << 63)], TOP
)


class Machine:
    """A process's stack of two pages, and the registers of its thread."""

    def __init__(self) -> None:
        self.ram = Ram(4 * PAGE_SIZE)
        self.there = {STACK: 1, STACK + PAGE_SIZE: 3}
        vma = SimpleNamespace(start=STACK, end=STACK + 2 * PAGE_SIZE, grows_down=True)
        self.space: Any = SimpleNamespace(
            table=SimpleNamespace(pte=self._pte),
            frames=SimpleNamespace(ram=self.ram),
            vmas=[vma],
            image=ImageLayout(stack_start=TOP),
        )
        self.registers = [0] * 32
        self.registers[RA], self.registers[SP] = CALLER, STACK
        memory = shared_memory()
        self.log, self.known = BacktraceLog(memory), KnownBacktraces(memory)

    def _pte(self, va: int) -> int:
        frame = self.there.get(va & -PAGE_SIZE)
        return 0 if frame is None else make_pte(self.ram.first_ppn + frame, V | R | W | U)

    def store(self, va: int, word: int) -> None:
        frame = self.ram.first_ppn + self.there[va & -PAGE_SIZE]
        self.ram.store64(frame * PAGE_SIZE + va % PAGE_SIZE, word)

    def add(self, inputs: Inputs = INPUTS) -> int:
        for va, word in inputs.words:
            if word is not None:
                self.store(va, word)
        number = self.log.add(inputs)
        self.known.learn()
        return number

    def find(self, layout: int = LAYOUT, pc: int = PC) -> int:
        return self.known.find(self.space, layout, pc, self.registers)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_nothing_is_known_before_the_writer_has_added_it(machine: Machine) -> None:
    machine.known.learn()
    assert machine.find() == 0


def test_it_is_found_by_its_number(machine: Machine) -> None:
    numbers = [machine.add(INPUTS._replace(pc=PC + 2 * index)) for index in range(5)]
    assert len({0, *numbers}) == 6
    assert [machine.find(pc=PC + 2 * index) for index in range(5)] == numbers


@pytest.mark.parametrize("change", ["layout", "pc", "ra", "sp", "word", "gone"])
def test_it_is_not_found_where_the_unwinder_might_find_another(
    machine: Machine, change: str
) -> None:
    number = machine.add()
    assert machine.find() == number
    if change == "layout":
        assert machine.find(layout=LAYOUT + 1) == 0
    elif change == "pc":
        assert machine.find(pc=PC + 2) == 0
    elif change == "gone":
        del machine.there[STACK + PAGE_SIZE]
        assert machine.find() == 0
    elif change == "word":
        machine.store(STACK + PAGE_SIZE + 16, 1)
        assert machine.find() == 0
    else:
        machine.registers[RA if change == "ra" else SP] += 8
        assert machine.find() == 0


def test_the_frame_pointer_counts_where_it_was_used(machine: Machine) -> None:
    with_fp = machine.add(INPUTS._replace(fp=77))
    assert machine.find() == 0
    machine.registers[FP] = 77
    assert machine.find() == with_fp
    without = machine.add(INPUTS._replace(pc=PC + 2))
    machine.registers[FP] = 78
    assert machine.find(pc=PC + 2) == without


def test_of_two_with_the_same_registers_the_stack_decides(machine: Machine) -> None:
    first = machine.add()
    second = machine.add(INPUTS._replace(words=[(STACK + 8, 6)]))
    assert machine.find() == second
    machine.store(STACK + 8, 5)
    assert machine.find() == first


def test_a_look_beyond_the_stack_holds_while_it_ends_there(machine: Machine) -> None:
    number = machine.add(INPUTS._replace(words=[*INPUTS.words, (TOP + 8, None)]))
    assert number
    assert machine.find() == number
    machine.space.image = ImageLayout(stack_start=TOP + 16)
    assert machine.find() == 0


@pytest.mark.parametrize("word", [(STACK - 8, None), (STACK + 9, 5)], ids=["absent", "unaligned"])
def test_what_can_not_be_compared_is_not_added(machine: Machine, word: Any) -> None:
    assert machine.log.add(INPUTS._replace(words=[word])) == 0
    machine.known.learn()
    assert machine.find() == 0


def test_the_log_has_an_end(machine: Machine) -> None:
    words: list[Word] = [(STACK + 8 * index, 0) for index in range(500)]
    numbers = [machine.add(INPUTS._replace(pc=pc, words=words)) for pc in range(PC, PC + 1200, 2)]
    size = numbers[1] - numbers[0]
    assert sum(map(bool, numbers)) == (SIZE // 8 - 1) // size
    assert machine.find(pc=PC) == numbers[0]
