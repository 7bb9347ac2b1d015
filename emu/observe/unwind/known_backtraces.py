"""Backtraces that the trace's writer has unwound, for use where the guest waits.

Programs fault at few places with few stacks. What a backtrace follows from (registers and words of
the stack) is compared here with the memory, in less time than it takes to copy the stack for the
writer. The writer adds them to memory that both processes share; the machine's process looks at
those that were added before a message of the writer. Cython compiles this file, with the types in
``known_backtraces.pxd``.

An entry has the words below, then pairs of an address and the word at it. Its number is its place.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Final, NamedTuple

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, V, ppn
from emu.machine.registers import FP, RA, SP
from emu.observe.unwind.stack_memory import stack_end
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END

SIZE: Final = 4 << 20
"""Bytes of shared memory, for about 8,000 backtraces; later ones are not added."""
_USED: Final = 0
"""Word of the memory with the number of words in use."""
_FIRST: Final = 1
_LENGTH: Final = 0
_NEXT: Final = 1
"""The next entry in the same slot of the machine's table, 0 for none."""
_LAYOUT: Final = 2
_PC: Final = 3
_RA: Final = 4
_SP: Final = 5
_USES_FP: Final = 6
_FP: Final = 7
_END: Final = 8
"""The end of the stack if the unwinder has looked beyond, else 0."""
_WORDS: Final = 9
_SLOTS: Final = 1 << 12
_WORD_SHIFT: Final = 3

Word = tuple[int, int | None]
"""An address and the eight bytes at it; None when they were not in memory."""


class Inputs(NamedTuple):
    """The code, registers and words of the stack from which a backtrace follows."""

    layout: int
    pc: int
    ra: int
    sp: int
    fp: int | None
    """None if it was not used."""
    words: list[Word]
    stack_end: int
    """The stack has words up to this address."""


def shared_memory() -> memoryview[int]:
    """Memory for backtraces that is shared with processes forked later."""
    return memoryview(mmap.mmap(-1, SIZE)).cast("Q")


class BacktraceLog:
    """The writer's side: adds backtraces to ``memory``, words of 64 bits."""

    def __init__(self, memory: memoryview[int]) -> None:
        self._memory = memory

    def add(self, inputs: Inputs) -> int:
        """Returns the number of a new backtrace, 0 if it was not added."""
        layout, pc, ra, sp, fp, words, end = inputs
        entry = [0, 0, layout, pc, ra, sp, int(fp is not None), fp or 0, 0]
        for va, word in words:
            if word is None and va >= end:
                entry[_END] = end
            elif word is None or va & 7:
                return 0
            else:
                entry += (va, word)
        entry[_LENGTH] = len(entry)
        start = max(self._memory[_USED], _FIRST)
        end = start + len(entry)
        if end > len(self._memory):
            return 0
        for index, word in enumerate(entry):
            self._memory[start + index] = word
        self._memory[_USED] = end
        return start


class KnownBacktraces:
    """The machine's side."""

    def __init__(self, memory: memoryview[int]) -> None:
        self._memory = memory
        self._slots = memoryview(bytearray(8 * _SLOTS)).cast("Q")
        """The first entry of each slot."""
        self._end = _FIRST

    def learn(self) -> None:
        """Takes the entries that were added since."""
        memory, slots = self._memory, self._slots
        used = memory[_USED]
        while self._end < used:
            at = self._end
            slot = _slot(memory[at + _PC], memory[at + _RA], memory[at + _SP])
            memory[at + _NEXT] = slots[slot]
            slots[slot] = at
            self._end += memory[at + _LENGTH]

    def find(self, space: AddressSpace, layout: int, pc: int, registers: Sequence[int]) -> int:
        """Number of the backtrace of the running thread of ``space``, 0 if it is not known.

        ``registers`` are x0 to x31.
        """
        memory, ra, sp, fp = self._memory, registers[RA], registers[SP], registers[FP]
        at = self._slots[_slot(pc, ra, sp)]
        while at:
            if (
                memory[at + _PC] == pc
                and memory[at + _SP] == sp
                and memory[at + _RA] == ra
                and memory[at + _LAYOUT] == layout
                and (not memory[at + _USES_FP] or memory[at + _FP] == fp)
                and (not memory[at + _END] or memory[at + _END] == stack_end(space, sp))
                and self._match(space, at)
            ):
                return at
            at = memory[at + _NEXT]
        return 0

    def _match(self, space: AddressSpace, entry: int) -> bool:
        """Returns whether the words of the entry are in memory."""
        memory, ram, page = self._memory, space.frames.ram, 1
        words, start = ram.typed_words, 0
        for at in range(entry + _WORDS, entry + memory[entry + _LENGTH], 2):
            va = memory[at]
            if va & ~PAGE_MASK != page:
                page = va & ~PAGE_MASK
                pte = space.table.pte(page) if page < USER_END else 0
                if not pte & V:
                    return False
                start = (ppn(pte) << PAGE_SHIFT) - ram.base
            if words[(start + (va & PAGE_MASK)) >> _WORD_SHIFT] != memory[at + 1]:
                return False
        return True


def _slot(pc: int, ra: int, sp: int) -> int:
    return (pc >> 1 ^ ra >> 5 ^ sp >> 4) & (_SLOTS - 1)
