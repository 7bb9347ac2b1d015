"""Is a cached backtrace used exactly while the memory and code of its unwinding are unchanged?"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from emu.machine.pte import PAGE_SIZE, R, U, V, W, make_pte
from emu.machine.ram import Ram
from emu.machine.registers import FP, SP
from emu.observe.cfi.cfi_program import Rule
from emu.observe.unwind.backtrace_cache import Backtraces, UnwindState
from emu.observe.unwind.stack_fingerprint import StackWords
from emu.observe.unwind.stack_memory import CopiedStack, LiveStack, Stack, stack_parts
from kernel.mm.mappings.image_layout import ImageLayout

STACK = 0x10000
LEAF, MIDDLE, OUTER = 0x1000, 0x2000, 0x3000
OUTERMOST = Rule(SP, 0, None, None, outermost=True)


class Memory:
    """A process's stack: two pages, of which each may be taken away."""

    def __init__(self) -> None:
        self.ram = Ram(4 * PAGE_SIZE)
        self.there = {STACK: 1, STACK + PAGE_SIZE: 0}
        end = STACK + 2 * PAGE_SIZE
        self.vma = SimpleNamespace(start=STACK, end=end, grows_down=True)
        self.space: Any = SimpleNamespace(
            table=SimpleNamespace(pte=self._pte),
            frames=SimpleNamespace(ram=self.ram),
            vmas=[SimpleNamespace(start=0, end=STACK, grows_down=False), self.vma],
            image=ImageLayout(),
        )

    def _pte(self, va: int) -> int:
        frame = self.there.get(va & -PAGE_SIZE)
        return 0 if frame is None else make_pte(self.ram.first_ppn + frame, V | R | W | U)

    def store(self, va: int, word: int) -> None:
        frame = self.ram.first_ppn + self.there[va & -PAGE_SIZE]
        self.ram.store64(frame * PAGE_SIZE + va % PAGE_SIZE, word)

    def live(self) -> Stack:
        return LiveStack(self.space)

    def copied(self, sp: int = STACK) -> Stack:
        parts = stack_parts(self.space, sp)
        assert parts is not None
        return CopiedStack(sp, b"".join(parts))


@pytest.fixture
def memory() -> Memory:
    return Memory()


def code(rules: dict[int, Rule]) -> Any:
    """Functions of 4 KiB, with one rule each; one without a rule is the outermost."""
    return SimpleNamespace(
        number=1,
        rule=lambda pc: rules.get(pc & -PAGE_SIZE, OUTERMOST),
        word=lambda va: None,
    )


WORDS = [STACK, STACK + 8, STACK + PAGE_SIZE - 8, STACK + PAGE_SIZE, STACK + PAGE_SIZE + 64]


SOURCES: dict[str, Callable[[Memory], Stack]] = {"live": Memory.live, "copied": Memory.copied}
each_source = pytest.mark.parametrize("stack", SOURCES.values(), ids=SOURCES)


@each_source
@pytest.mark.parametrize("count", range(1, 6))
def test_words_hold_until_one_of_them_is_another(
    memory: Memory, count: int, stack: Callable[[Memory], Stack]
) -> None:
    for va in WORDS[:count]:
        memory.store(va, va)
    words = StackWords([(va, va) for va in WORDS[:count]])
    assert words.match(stack(memory))
    memory.store(STACK + 16, 7)  # a word that was not read
    assert words.match(stack(memory))
    for va in WORDS[:count]:
        memory.store(va, va + 1)
        assert not words.match(stack(memory))
        memory.store(va, va)
    assert words.match(stack(memory))


def test_words_hold_where_their_page_lies_now(memory: Memory) -> None:
    memory.store(STACK, 5)
    words = StackWords([(STACK, 5)])
    memory.there[STACK] = 2
    assert not words.match(memory.live())
    memory.store(STACK, 5)
    assert words.match(memory.live())
    del memory.there[STACK]
    assert not words.match(memory.live())


def test_what_was_not_there_holds_until_it_is(memory: Memory) -> None:
    page = memory.there.pop(STACK)
    words = StackWords([(STACK, None)])
    assert words.match(memory.live())
    memory.there[STACK] = page
    assert not words.match(memory.live())


@each_source
def test_a_word_across_two_that_the_stack_has(
    memory: Memory, stack: Callable[[Memory], Stack]
) -> None:
    memory.store(STACK, 0x1122 << 48)
    memory.store(STACK + 8, 0x3344)
    words = StackWords([(STACK + 6, 0x3344_1122)])
    assert words.match(stack(memory))
    memory.store(STACK + 8, 0)
    assert not words.match(stack(memory))


@pytest.mark.parametrize("sp", [STACK, STACK + 8, STACK + PAGE_SIZE - 8, STACK + PAGE_SIZE + 16])
def test_a_copy_reads_as_the_stack_does_from_sp_to_its_end(memory: Memory, sp: int) -> None:
    for va in range(STACK, STACK + 2 * PAGE_SIZE, 8):
        memory.store(va, va << 32 | 0x1234_5678)
    live, copied = memory.live(), memory.copied(sp)
    end = STACK + 2 * PAGE_SIZE
    for va in (sp, sp + 8, sp + 13, end - 16, end - 9, end - 8):
        assert copied.read(va) == (live.read(va) if va >= sp else None), hex(va - sp)
    for va in (sp - 8, sp - 1, end - 7, end, 0, 1 << 64):
        assert copied.read(va) is None, hex(va - sp)
    last = end - PAGE_SIZE
    page = copied.page(last)
    assert page is not None
    first = max(sp - last, 0) // 8
    assert page[first:] == (live.page(last) or b"")[first:]
    assert copied.page(STACK - PAGE_SIZE) is None
    assert copied.page(end) is None


@pytest.mark.parametrize("size", [0, 8, PAGE_SIZE - 8, PAGE_SIZE, PAGE_SIZE + 16])
def test_a_copy_ends_where_the_arguments_begin(memory: Memory, size: int) -> None:
    top = STACK + 64 + size
    memory.space.image = ImageLayout(stack_start=top)
    for va in range(STACK, STACK + 2 * PAGE_SIZE, 8):
        memory.store(va, va)
    copied = memory.copied(STACK + 64)
    last = top - 8 if size else None
    assert copied.read(top - 8) == last
    assert StackWords([(top - 8, last), (top, None)]).match(copied)
    assert copied.read(top) is None
    assert not StackWords([(top, 0)]).match(copied)
    assert stack_parts(memory.space, top + 8) is None


def test_a_stack_is_not_copied_that_may_not_have_all_callers(memory: Memory) -> None:
    assert stack_parts(memory.space, STACK) is not None
    for sp in (STACK + 4, STACK - 8, STACK + 2 * PAGE_SIZE, 1 << 63):
        assert stack_parts(memory.space, sp) is None, hex(sp)
    memory.vma.grows_down = False
    assert stack_parts(memory.space, STACK) is None, "a thread's"
    memory.vma.grows_down = True
    memory.space.vmas.append(SimpleNamespace(start=1 << 20, end=1 << 21, grows_down=False))
    assert stack_parts(memory.space, STACK) is None, "not the last range"
    memory.space.vmas.pop()
    memory.vma.end = STACK + (1 << 20)
    assert stack_parts(memory.space, STACK) is None, "large"
    memory.vma.end = STACK + 2 * PAGE_SIZE
    del memory.there[STACK + PAGE_SIZE]
    assert stack_parts(memory.space, STACK) is None, "a page is missing"


def test_a_changed_return_address_is_seen(memory: Memory) -> None:
    found = Backtraces(16)
    functions = code({LEAF: Rule(SP, 16, -8, None), MIDDLE: Rule(SP, 32, -8, None)})
    memory.store(STACK + 8, MIDDLE + 4)
    memory.store(STACK + 16 + 24, OUTER + 8)
    first = found.callers(functions, UnwindState(LEAF, (0, STACK, 0), memory.live()))
    assert first == [MIDDLE + 4, OUTER + 8]
    assert found.callers(functions, UnwindState(LEAF, (0, STACK, 0), memory.copied())) is first
    memory.store(STACK + 16 + 24, OUTER + 12)
    other = found.callers(functions, UnwindState(LEAF, (0, STACK, 0), memory.copied()))
    assert other == [MIDDLE + 4, OUTER + 12]
    memory.store(STACK + 16 + 24, OUTER + 8)
    assert found.callers(functions, UnwindState(LEAF, (0, STACK, 0), memory.live())) is first


@each_source
def test_a_frame_pointer_that_finds_the_caller_counts(
    memory: Memory, stack: Callable[[Memory], Stack]
) -> None:
    found = Backtraces(16)
    functions = code({LEAF: Rule(FP, 0, -8, -16)})
    for frame in (STACK + 64, STACK + 128):
        memory.store(frame - 8, OUTER + frame - STACK)
    for frame in (STACK + 64, STACK + 128, STACK + 64):
        callers = found.callers(functions, UnwindState(LEAF, (0, STACK, frame), stack(memory)))
        assert callers == [OUTER + frame - STACK]


@each_source
def test_a_frame_pointer_that_a_callee_has_saved_does_not(
    memory: Memory, stack: Callable[[Memory], Stack]
) -> None:
    found = Backtraces(16)
    functions = code({LEAF: Rule(SP, 32, -8, -16), MIDDLE: Rule(FP, 0, -8, None)})
    memory.store(STACK + 24, MIDDLE + 4)
    memory.store(STACK + 16, STACK + 128)
    memory.store(STACK + 120, OUTER + 4)
    lists = [
        found.callers(functions, UnwindState(LEAF, (0, STACK, fp), stack(memory)))
        for fp in (1, STACK, 1 << 63)
    ]
    assert lists[0] == [MIDDLE + 4, OUTER + 4]
    assert len(found._cached[1, LEAF, 0, STACK]) == 1
    assert lists[0] is lists[1] is lists[2]
