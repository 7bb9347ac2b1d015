"""Is a remembered backtrace used while all that it was found from is the same, and no longer?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from emu.machine.pte import PAGE_SIZE, R, U, V, W, make_pte
from emu.machine.ram import Ram
from emu.machine.registers import FP, SP
from emu.observe.backtraces import Backtraces
from emu.observe.cfi_program import Rule
from emu.observe.records import Place
from emu.observe.stack_words import StackWords

STACK = 0x10000
LEAF, MIDDLE, OUTER = 0x1000, 0x2000, 0x3000
OUTERMOST = Rule(SP, 0, None, None, outermost=True)


class Memory:
    """A process's stack: two pages, of which each may be taken away."""

    def __init__(self) -> None:
        self.ram = Ram(4 * PAGE_SIZE)
        self.there = {STACK: 1, STACK + PAGE_SIZE: 0}
        self.space: Any = SimpleNamespace(
            table=SimpleNamespace(pte=self._pte), frames=SimpleNamespace(ram=self.ram)
        )
        self.process: Any = SimpleNamespace(space=self.space, sigreturn=None)

    def _pte(self, va: int) -> int:
        frame = self.there.get(va & -PAGE_SIZE)
        return 0 if frame is None else make_pte(self.ram.first_ppn + frame, V | R | W | U)

    def store(self, va: int, word: int) -> None:
        frame = self.ram.first_ppn + self.there[va & -PAGE_SIZE]
        self.ram.store64(frame * PAGE_SIZE + va % PAGE_SIZE, word)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def code(rules: dict[int, Rule]) -> Any:
    """Functions of 4 KiB, with one rule each; what has none is the outermost."""
    return SimpleNamespace(
        known=SimpleNamespace(number=1),
        rule=lambda pc: rules.get(pc & -PAGE_SIZE, OUTERMOST),
        caller=Place,
    )


WORDS = [STACK, STACK + 8, STACK + PAGE_SIZE - 8, STACK + PAGE_SIZE, STACK + PAGE_SIZE + 64]


@pytest.mark.parametrize("count", range(1, 6))
def test_words_hold_until_one_of_them_is_another(memory: Memory, count: int) -> None:
    for va in WORDS[:count]:
        memory.store(va, va)
    words = StackWords([(va, va) for va in WORDS[:count]])
    assert words.hold(memory.space)
    memory.store(STACK + 16, 7)  # nobody's
    assert words.hold(memory.space)
    for va in WORDS[:count]:
        memory.store(va, va + 1)
        assert not words.hold(memory.space)
        memory.store(va, va)
    assert words.hold(memory.space)


def test_words_hold_where_their_page_lies_now(memory: Memory) -> None:
    memory.store(STACK, 5)
    words = StackWords([(STACK, 5)])
    memory.there[STACK] = 2
    assert not words.hold(memory.space)
    memory.store(STACK, 5)
    assert words.hold(memory.space)
    del memory.there[STACK]
    assert not words.hold(memory.space)


def test_what_was_not_there_holds_until_it_is(memory: Memory) -> None:
    page = memory.there.pop(STACK)
    words = StackWords([(STACK, None)])
    assert words.hold(memory.space)
    memory.there[STACK] = page
    assert not words.hold(memory.space)


def test_a_word_across_two_that_the_stack_has(memory: Memory) -> None:
    memory.store(STACK, 0x1122 << 48)
    memory.store(STACK + 8, 0x3344)
    words = StackWords([(STACK + 6, 0x3344_1122)])
    assert words.hold(memory.space)
    memory.store(STACK + 8, 0)
    assert not words.hold(memory.space)


def test_a_changed_return_address_is_seen(memory: Memory) -> None:
    found = Backtraces(16)
    functions = code({LEAF: Rule(SP, 16, -8, None), MIDDLE: Rule(SP, 32, -8, None)})
    registers = 0, STACK, 0
    memory.store(STACK + 8, MIDDLE + 4)
    memory.store(STACK + 16 + 24, OUTER + 8)
    first = found.places(memory.process, functions, LEAF, registers)
    assert [place.pc for place in first] == [MIDDLE + 4, OUTER + 8]
    assert found.places(memory.process, functions, LEAF, registers) is first
    memory.store(STACK + 16 + 24, OUTER + 12)
    other = found.callers(memory.process, functions, LEAF, registers)
    assert other == [MIDDLE + 4, OUTER + 12]
    memory.store(STACK + 16 + 24, OUTER + 8)
    assert found.places(memory.process, functions, LEAF, registers) is first


def test_a_frame_pointer_that_finds_the_caller_counts(memory: Memory) -> None:
    found = Backtraces(16)
    functions = code({LEAF: Rule(FP, 0, -8, -16)})
    for frame in (STACK + 64, STACK + 128):
        memory.store(frame - 8, OUTER + frame - STACK)
    for frame in (STACK + 64, STACK + 128, STACK + 64):
        callers = found.callers(memory.process, functions, LEAF, (0, STACK, frame))
        assert callers == [OUTER + frame - STACK]


def test_a_frame_pointer_that_a_callee_has_saved_does_not(memory: Memory) -> None:
    found = Backtraces(16)
    functions = code({LEAF: Rule(SP, 32, -8, -16), MIDDLE: Rule(FP, 0, -8, None)})
    memory.store(STACK + 24, MIDDLE + 4)
    memory.store(STACK + 16, STACK + 128)
    memory.store(STACK + 120, OUTER + 4)
    lists = [
        found.places(memory.process, functions, LEAF, (0, STACK, fp)) for fp in (1, STACK, 1 << 63)
    ]
    assert [place.pc for place in lists[0]] == [MIDDLE + 4, OUTER + 4]
    assert len(found._known[1, LEAF, 0, STACK]) == 1
    assert lists[0] is lists[1] is lists[2]
