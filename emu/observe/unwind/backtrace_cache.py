"""The callers of a pc, remembered."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.registers import SP
from emu.observe.cfi.cfi_program import Rule
from emu.observe.symbols.symbolizer import Code
from emu.observe.unwind.stack_fingerprint import StackWords, Word
from emu.observe.unwind.stack_memory import Stack
from emu.observe.unwind.unwinder import unwind

_MOST = 1 << 13
_VARIANTS = 4
"""So many stacks are kept for one pc, ra and sp."""


class UnwindState(NamedTuple):
    """A thread at a pc, with ra, sp and fp. Signal handlers return to ``sigreturn``."""

    pc: int
    registers: tuple[int, int, int]
    stack: Stack
    sigreturn: int | None = None


class _Known(NamedTuple):
    """What was found once, and what it was found from: words of the stack, and fp if that was."""

    words: StackWords
    fp: int | None
    callers: list[int]


class Backtraces:
    """Finds at most ``depth`` callers.

    Programs fault at the same places again and again, with the same stack; so what was found is
    kept with what it was found from, and holds as long as that is the same.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._known: dict[tuple[int, int, int, int], list[_Known]] = {}

    def callers(self, code: Code, thread: UnwindState) -> list[int]:
        """Where the calls return to that the thread is in, the nearest first."""
        pc, (ra, sp, fp), stack, _ = thread
        key = (code.number, pc, ra, sp)
        variants = self._known.get(key)
        if variants is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            variants = self._known[key] = []
        for known in variants:
            if (known.fp is None or known.fp == fp) and known.words.hold(stack):
                return known.callers
        known = self._find(code, thread)
        variants[_VARIANTS - 1 :] = []
        variants.insert(0, known)
        return known.callers

    def _find(self, code: Code, thread: UnwindState) -> _Known:
        words: list[Word] = []
        pc, (ra, sp, fp), stack, sigreturn = thread
        uses_fp = saved = False  # once a callee has saved it, fp comes from the stack

        def noted(va: int) -> int | None:
            word = code.word(va)  # to see whether a call is before a return address
            if word is None:
                word = stack.read(va)
                words.append((va, word))
            return word

        def rule_at(address: int) -> Rule | None:
            nonlocal uses_fp, saved
            rule = code.rule(address)
            uses_fp |= not saved and (rule is None or rule.register != SP)
            saved |= rule is not None and rule.fp is not None
            return rule

        callers = unwind(rule_at, noted, pc, ra, sp, fp, self._depth, sigreturn)
        return _Known(StackWords(words), fp if uses_fp else None, callers)
