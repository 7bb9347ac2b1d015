"""How to find a function's caller from its own code, where the file says nothing about it.

A compiler's function moves sp down and saves ra, and s0, at fixed offsets; what was done up to a pc
is seen by reading the code from the function's start. After a return or a jump away the frame is
again as in the body, for what follows was branched to from there. A function that moves sp by what
it computes (alloca) keeps s0 as its frame pointer.

RISC-V unprivileged spec, "RV64I" and "C": addi, add, sub, lui, sd, jal, jalr, and short forms.
"""

from __future__ import annotations

from emu.machine.decode import Kind, instruction_length, memory_operand
from emu.machine.jumps import plain_jump
from emu.machine.registers import FP, RA, SP
from emu.observe.arithmetic import Sum, sum_of
from emu.observe.cfi_program import Rule

LONGEST = 1 << 14
"""Bytes of a function that are worth reading."""
_JAL_T0 = 5 << 7 | 0x6F
"""A call of __riscv_save_N (-msave-restore), which moves sp, by how much is not seen here."""


def prologue_rule(code: bytes) -> Rule | None:
    """The rule after ``code``, which begins a function; None when it is no compiler's usual one.

    A function that makes no frame and saves nothing is taken for a leaf, whose caller ra has.
    """
    frame, at = _Frame(), 0
    while at + 2 <= len(code):
        size = instruction_length(code[at])
        frame.step(int.from_bytes(code[at : at + size], "little"))
        at += size
    return frame.rule()


class _Frame:
    """Where sp, ra and s0 are, after each instruction.

    ``depth`` is the CFA less sp, None when sp was moved by an unknown number.
    """

    def __init__(self) -> None:
        self._depth: int | None = 0
        self._body: int | None = 0
        """The depth in the function's body: its largest, or unknown."""
        self._pointer: int | None = None
        """The CFA less s0, once that is a frame pointer."""
        self._saved: dict[int, int] = {}
        self._known: dict[int, int] = {}
        """Numbers that registers have, to be added to sp."""

    def step(self, bits: int) -> None:
        change = sum_of(bits)
        if bits & 0xFFF == _JAL_T0:
            self._depth = self._body = None
        elif change is not None:
            self._assign(change)
        elif self._depth == self._body and self._depth:
            self._note_save(bits, self._depth)
        if plain_jump(bits) is not None:  # what follows is only reached by a branch
            self._depth = self._body

    def _assign(self, change: Sum) -> None:
        number = self._number(change)
        if change.to == SP:
            self._move_sp(change, number)
        elif change.to == FP and change.base == SP and number is not None and FP in self._saved:
            if self._depth is not None and self._pointer is None:
                self._pointer = self._depth - number
        elif change.base == 0 and number is not None:
            self._known[change.to] = number
        elif change.base in self._known and number is not None:
            self._known[change.to] = self._known[change.base] + number
        else:
            self._known.pop(change.to, None)

    def _number(self, change: Sum) -> int | None:
        """What is added to the base; None when it is not known."""
        if change.other is None:
            return change.number
        known = self._known.get(change.other)
        return None if known is None else known * change.number

    def _move_sp(self, change: Sum, number: int | None) -> None:
        if number is None:
            self._depth = None
        elif change.base == FP:
            self._depth = None if self._pointer is None else self._pointer - number
            return
        elif change.base == SP and self._depth is not None:
            self._depth -= number
        else:
            self._depth = None
        if self._depth is None or (self._body is not None and self._depth > self._body):
            self._body = self._depth

    def _note_save(self, bits: int, depth: int) -> None:
        """Notes where ra or s0 is saved, from the CFA; the first time counts."""
        operand = memory_operand(bits)
        if operand is None or operand.kind is not Kind.STORE or operand.base != SP:
            return
        if operand.size != 8 or (operand.length == 4 and bits & 0x7F != 0x23):
            return  # the second is fsd
        if operand.length == 2 and bits >> 13 != 0b111:
            return  # c.fsdsp
        register = bits >> 20 & 0x1F if operand.length == 4 else bits >> 2 & 0x1F
        if register in (RA, FP):
            self._saved.setdefault(register, operand.offset - depth)

    def rule(self) -> Rule | None:
        depth, saved = self._depth, self._saved
        if depth is None:
            if self._pointer is None:
                return None
            return Rule(FP, self._pointer, saved.get(RA), saved.get(FP), certain=False)
        if depth < 0:
            return None
        held = saved if depth else {}
        return Rule(SP, depth, held.get(RA), held.get(FP), certain=False)
