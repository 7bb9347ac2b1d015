"""How to find a function's caller from its own code, where the file says nothing about it.

A compiler's function moves sp down and saves ra, and s0, at fixed offsets; what was done up to a pc
is found by reading the code from the function's start. At a branch target the frame is as at the
branch; after a return or a jump, if no earlier branch leads there, it is as in the body. A function
that moves sp by a computed amount (alloca) keeps s0 as its frame pointer.

RISC-V unprivileged spec, "RV64I" and "C": addi, add, sub, lui, sd, ld, jal, jalr, branches, and
their short forms.
"""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.isa.memory_operand import (
    Kind,
    branch_offset,
    instruction_length,
    memory_operand,
    plain_jump,
)
from emu.machine.registers import FP, RA, SP
from emu.observe.cfi.cfi_program import Rule
from emu.observe.cfi.register_sums import Sum, sum_of

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
        frame.step(at, int.from_bytes(code[at : at + size], "little"))
        at += size
    return frame.at(at).rule()


class _State(NamedTuple):
    """Locations of sp, ra and s0 at one point of a function."""

    depth: int | None = 0
    """CFA minus sp; None when sp was moved by an unknown amount."""
    pointer: int | None = None
    """CFA minus s0, once s0 is a frame pointer."""
    saved: tuple[tuple[int, int], ...] = ()
    """Saved registers, each with its offset from the CFA."""

    def progress(self) -> tuple[int, bool, int]:
        """Rank of the state: the higher, the more of the function's entry is done."""
        return self.depth or 0, self.pointer is not None, len(self.saved)

    def rule(self) -> Rule | None:
        saved = dict(self.saved)
        if self.depth is None:
            if self.pointer is None:
                return None
            return Rule(FP, self.pointer, saved.get(RA), saved.get(FP), certain=False)
        if self.depth < 0:
            return None
        held = saved if self.depth else {}
        return Rule(SP, self.depth, held.get(RA), held.get(FP), certain=False)


def _join(first: _State, second: _State) -> _State:
    """Joins the states of two paths: the first, unless only the second moved sp (alloca)."""
    moved = second.depth is None and second.pointer is not None
    return second if moved and second.pointer == first.pointer else first


class _Frame:
    """Follows a function's code."""

    def __init__(self) -> None:
        self._now = _State()
        self._body = _State()
        """State in the function's body: the deepest, or unknown."""
        self._ahead: dict[int, _State] = {}
        """States at branch targets, by offset."""
        self._known: dict[int, int] = {}
        """Numbers that registers have, to be added to sp."""

    def at(self, at: int) -> _State:
        """State at an offset that was not stepped over yet.

        A branch takes precedence over the preceding code, which may be a call that does not return.
        """
        branched = self._ahead.get(at)
        return self._now if branched is None else _join(branched, self._now)

    def step(self, at: int, bits: int) -> None:
        self._now = self.at(at)
        change = sum_of(bits)
        if bits & 0xFFF == _JAL_T0:
            self._now = self._body = _State(None)
        else:
            self._note_access(bits)
            if change is not None:
                self._assign(change)
            self._deepen()
        self._note_jump(at, bits)

    def _deepen(self) -> None:
        now, body = self._now, self._body
        if body.depth is None or now.depth is None:
            self._body = body if body.depth is None and body.pointer is not None else now
        elif now.progress() > body.progress():
            self._body = now

    def _note_jump(self, at: int, bits: int) -> None:
        jump = plain_jump(bits)
        offset = branch_offset(bits) if jump is None else 0 if jump.register else jump.offset
        if offset is not None and offset > 0:
            target = at + offset
            self._ahead[target] = _join(self._ahead.get(target, self._now), self._now)
        if jump is not None:  # the code after it is reached only by a branch
            self._now = self._body

    def _assign(self, change: Sum) -> None:
        number = self._number(change)
        if change.to == SP:
            self._move_sp(change, number)
        elif change.to == FP and change.base == SP and number is not None:
            depth = self._now.depth
            if depth is not None and self._now.pointer is None and FP in dict(self._now.saved):
                self._now = self._now._replace(pointer=depth - number)
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
        depth, pointer, _ = self._now
        if number is None:
            depth = None
        elif change.base == FP:
            depth = None if pointer is None else pointer - number
        elif change.base == SP and depth is not None:
            depth -= number
        else:
            depth = None
        self._now = _State(depth) if self._now.depth == 0 else self._now._replace(depth=depth)

    def _note_access(self, bits: int) -> None:
        """Records the first save of ra or s0 in a frame, and their reloads."""
        operand, depth = memory_operand(bits), self._now.depth
        if not depth or operand is None or operand.base != SP or operand.size != 8:
            return
        load = operand.kind is Kind.LOAD
        short = operand.length == 2
        if short and bits >> 13 != (0b011 if load else 0b111):
            return  # c.fldsp, c.fsdsp
        if not short and bits & 0x7F != (0x03 if load else 0x23):
            return  # fld, fsd, and atomic ones
        register = bits >> (7 if load else 2 if short else 20) & 0x1F
        if register not in (RA, FP):
            return
        saved, where = dict(self._now.saved), operand.offset - depth
        if not load:
            saved.setdefault(register, where)
        elif saved.get(register) == where:
            del saved[register]
        self._now = self._now._replace(saved=tuple(saved.items()))
