"""Unwind rules from a function's own code, for files without call frame information.

A compiler's function decrements sp and saves ra, and s0, at fixed offsets; the state of the frame
at a pc is derived from the code between the function's start and the pc. At a branch target the
frame is as at the branch; after a return or a jump, if no earlier branch leads there, it is as in
the body. A function that moves sp by a computed amount (alloca) keeps s0 as its frame pointer.

RISC-V unprivileged spec, "RV64I": addi, add, sub, lui, sd, ld, jal, jalr, branches.
"""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.isa.decoder import BRANCH, JAL, JALR, LOAD, STORE, Instruction, instructions
from emu.machine.isa.register_results import sum_of, written_register
from emu.machine.registers import FP, RA, SP
from emu.observe.cfi.cfi_program import Rule

LONGEST = 1 << 14
"""Maximum number of bytes of a function that callers should pass."""
_T0 = 5
_DOUBLE = 3
"""funct3 of ld and sd."""
_UNKNOWN = -1, 0


def prologue_rule(code: bytes) -> Rule | None:
    """Returns the rule after ``code``, the start of a function; None if it is not a usual prologue.

    A function that makes no frame and saves nothing is assumed to be a leaf, with the return
    address in ra.
    """
    frame, end = _Frame(), 0
    for at, instruction in instructions(code):
        frame.step(at, instruction)
        end = at + instruction.length
    return frame.at(end).rule()


class _State(NamedTuple):
    """Locations of sp, ra and s0 at one point of a function."""

    depth: int | None = 0
    """CFA minus sp; None when sp was moved by an unknown amount."""
    pointer: int | None = None
    """CFA minus s0, once s0 is a frame pointer."""
    saved: tuple[tuple[int, int], ...] = ()
    """Saved registers, each with its offset from the CFA."""

    def progress(self) -> tuple[int, bool, int]:
        """Rank of the state: the higher, the more of the prologue is executed."""
        return self.depth or 0, self.pointer is not None, len(self.saved)

    def rule(self) -> Rule | None:
        saved = dict(self.saved)
        if self.depth is None:
            if self.pointer is None:
                return None
            return Rule(FP, self.pointer, saved.get(RA), saved.get(FP), certain=False)
        if self.depth < 0:
            return None
        if not self.depth:
            saved = {}
        return Rule(SP, self.depth, saved.get(RA), saved.get(FP), certain=False)


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
        self._known: dict[int, int] = {0: 0}
        """Values of registers that hold a constant, which may be added to sp."""

    def at(self, at: int) -> _State:
        """State at an offset after the steps so far.

        A branch takes precedence over the preceding code, which may be a call that does not return.
        """
        branched = self._ahead.get(at)
        return self._now if branched is None else _join(branched, self._now)

    def step(self, at: int, instruction: Instruction) -> None:
        self._now = self.at(at)
        if instruction.opcode == JAL and instruction.rd == _T0:
            # A call of __riscv_save_N (-msave-restore), which moves sp by an unknown amount.
            self._now = self._body = _State(None)
        else:
            self._note_access(instruction)
            self._assign(instruction)
            self._deepen()
        self._note_jump(at, instruction)

    def _deepen(self) -> None:
        now, body = self._now, self._body
        if body.depth is None or now.depth is None:
            self._body = body if body.depth is None and body.pointer is not None else now
        elif now.progress() > body.progress():
            self._body = now

    def _note_jump(self, at: int, instruction: Instruction) -> None:
        opcode, rd, *_, offset, _ = instruction
        jumps = opcode in (JAL, JALR) and not rd
        if offset > 0 and (opcode == BRANCH or (jumps and opcode == JAL)):
            target = at + offset
            self._ahead[target] = _join(self._ahead.get(target, self._now), self._now)
        if jumps:  # the code after it is reached only by a branch
            self._now = self._body

    def _assign(self, instruction: Instruction) -> None:
        to = written_register(instruction)
        base, number = self._sum(instruction)
        if to == SP:
            self._move_sp(base, number)
        elif to == FP and base == SP:
            depth = self._now.depth
            if depth is not None and self._now.pointer is None and FP in dict(self._now.saved):
                self._now = self._now._replace(pointer=depth - number)
        elif to and base in self._known:
            self._known[to] = self._known[base] + number
        elif to:
            self._known.pop(to, None)

    def _sum(self, instruction: Instruction) -> tuple[int, int]:
        """The register and the number that are added; register -1 for anything else."""
        total = sum_of(instruction)
        if total is None:
            return _UNKNOWN
        if total.other is None:
            return total.base, total.number
        factor = self._known.get(total.other)
        return _UNKNOWN if factor is None else (total.base, factor * total.number)

    def _move_sp(self, base: int, number: int) -> None:
        depth, pointer, _ = self._now
        if base == FP:
            depth = None if pointer is None else pointer - number
        elif base == SP and depth is not None:
            depth -= number
        else:
            depth = None
        self._now = _State(depth) if self._now.depth == 0 else self._now._replace(depth=depth)

    def _note_access(self, instruction: Instruction) -> None:
        """Records the first save of ra or s0 in a frame, and their reloads."""
        opcode, rd, width, base, rs2, _, offset, _ = instruction
        depth = self._now.depth
        if not depth or opcode not in (LOAD, STORE) or width != _DOUBLE or base != SP:
            return
        register = rd if opcode == LOAD else rs2
        if register not in (RA, FP):
            return
        saved, where = dict(self._now.saved), offset - depth
        if opcode == STORE:
            saved.setdefault(register, where)
        elif saved.get(register) == where:
            del saved[register]
        self._now = self._now._replace(saved=tuple(saved.items()))
