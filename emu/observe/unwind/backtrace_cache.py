"""Backtraces of threads, cached by the state they were unwound from."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.registers import SP
from emu.observe.cfi.cfi_program import Rule
from emu.observe.symbols.symbolizer import Code
from emu.observe.unwind.known_backtraces import BacktraceLog, Inputs, Word
from emu.observe.unwind.stack_fingerprint import StackWords
from emu.observe.unwind.stack_memory import Stack
from emu.observe.unwind.unwinder import unwind

_MAX_CACHED = 1 << 13
_MAX_VARIANTS = 4
"""Maximum number of stacks cached for one pc, ra and sp."""


class UnwindState(NamedTuple):
    """Registers and stack of a thread to unwind. Signal handlers return to ``sigreturn``."""

    pc: int
    registers: tuple[int, int, int]
    stack: Stack
    sigreturn: int | None = None


class _CachedBacktrace(NamedTuple):
    """Cached callers and their inputs: words of the stack, and fp if it was used."""

    words: StackWords
    fp: int | None
    callers: list[int]


class Backtraces:
    """Finds at most ``depth`` callers.

    Programs fault repeatedly at the same places with the same stack. So a result is cached with the
    words of the stack that it depends on, and is valid while these are the same. Results are added
    to ``log``, if there is one.
    """

    def __init__(self, depth: int, log: BacktraceLog | None = None) -> None:
        self._depth = depth
        self._log = log
        self.numbered: dict[int, list[int]] = {}
        """The callers by their number in the log."""
        self._cached: dict[tuple[int, int, int, int], list[_CachedBacktrace]] = {}

    def callers(self, code: Code, thread: UnwindState) -> list[int]:
        """Returns the return addresses of the thread's calls, innermost first."""
        pc, (ra, sp, fp), stack, _ = thread
        key = (code.number, pc, ra, sp)
        variants = self._cached.get(key)
        if variants is None:
            if len(self._cached) >= _MAX_CACHED:
                self._cached.clear()
            variants = self._cached[key] = []
        for cached in variants:
            if (cached.fp is None or cached.fp == fp) and cached.words.match(stack):
                return cached.callers
        cached = self._find(code, thread)
        variants[_MAX_VARIANTS - 1 :] = []
        variants.insert(0, cached)
        return cached.callers

    def _find(self, code: Code, thread: UnwindState) -> _CachedBacktrace:
        words: list[Word] = []
        pc, (ra, sp, fp), stack, sigreturn = thread
        uses_fp = fp_saved = False  # after a callee has saved fp, it is read from the stack

        def read_word(va: int) -> int | None:
            word = code.word(va)  # to see whether a call is before a return address
            if word is None:
                word = stack.read(va)
                words.append((va, word))
            return word

        def rule_at(address: int) -> Rule | None:
            nonlocal uses_fp, fp_saved
            rule = code.rule(address)
            uses_fp |= not fp_saved and (rule is None or rule.register != SP)
            fp_saved |= rule is not None and rule.fp is not None
            return rule

        callers = unwind(rule_at, read_word, pc, ra, sp, fp, self._depth, sigreturn)
        if self._log is not None:
            inputs = Inputs(code.number, pc, ra, sp, fp if uses_fp else None, words, stack.end)
            self.numbered[self._log.add(inputs)] = callers
        return _CachedBacktrace(StackWords(words), fp if uses_fp else None, callers)
