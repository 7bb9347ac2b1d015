"""The callers of a pc, remembered."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.registers import SP
from emu.observe.cfi_program import Rule
from emu.observe.records import Place
from emu.observe.stack_reader import stack_reader
from emu.observe.stack_words import StackWords, Word
from emu.observe.symbols import Code
from emu.observe.unwind import unwind
from kernel.process import Process

_MOST = 1 << 13
_VARIANTS = 4
"""So many stacks are kept for one pc, ra and sp."""


class _Known(NamedTuple):
    """What was found once, and what it was found from: words of the stack, and fp if that was."""

    words: StackWords
    fp: int | None
    callers: list[int]
    places: list[Place]


class Backtraces:
    """Finds at most ``depth`` callers. ``registers`` are ra, sp and fp.

    Programs fault at the same places again and again, with the same stack; so what was found is
    kept with what it was found from, and holds as long as that is the same.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._known: dict[tuple[int, int, int, int], list[_Known]] = {}
        self._lists: dict[tuple[Place, ...], list[Place]] = {}

    def callers(
        self, process: Process, code: Code, pc: int, registers: tuple[int, int, int]
    ) -> list[int]:
        """Where the calls that the process is in return to, the nearest first."""
        return self._look(process, code, pc, registers).callers

    def places(
        self, process: Process, code: Code, pc: int, registers: tuple[int, int, int]
    ) -> list[Place]:
        """The places of these calls; one and the same list for the same callers."""
        return self._look(process, code, pc, registers).places

    def _look(
        self, process: Process, code: Code, pc: int, registers: tuple[int, int, int]
    ) -> _Known:
        ra, sp, fp = registers
        key = (code.known.number, pc, ra, sp)
        variants = self._known.get(key)
        if variants is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            variants = self._known[key] = []
        space = process.space
        for known in variants:
            if (known.fp is None or known.fp == fp) and known.words.hold(space):
                return known
        known = self._find(process, code, pc, registers)
        variants[_VARIANTS - 1 :] = []
        variants.insert(0, known)
        return known

    def _find(
        self, process: Process, code: Code, pc: int, registers: tuple[int, int, int]
    ) -> _Known:
        read = stack_reader(process.space)
        words: list[Word] = []
        _, sp, fp = registers
        uses_fp = saved = False  # once a callee has saved it, fp comes from the stack

        def noted(va: int) -> int | None:
            word = read(va)
            if va >= sp:  # below it is code, to see whether a call is there
                words.append((va, word))
            return word

        def rule_at(address: int) -> Rule | None:
            nonlocal uses_fp, saved
            rule = code.rule(address)
            uses_fp |= not saved and (rule is None or rule.register != SP)
            saved |= rule is not None and rule.fp is not None
            return rule

        callers = unwind(rule_at, noted, pc, *registers, self._depth, process.sigreturn)
        return _Known(
            StackWords(words), fp if uses_fp else None, callers, self._interned(code, callers)
        )

    def _interned(self, code: Code, callers: list[int]) -> list[Place]:
        places = tuple(map(code.caller, callers))
        known = self._lists.get(places)
        if known is None:
            if len(self._lists) >= _MOST:
                self._lists.clear()
            known = self._lists[places] = list(places)
        return known
