"""Decoded instructions, one for each address and code, with the fields needed in bulk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emu.machine.isa import decoder
from emu.machine.isa.decoder import BRANCH, JAL, JALR, decode, instruction_length
from emu.machine.isa.memory_operand import Kind, MemoryOperand, memory_operand
from emu.machine.pte import PAGE_MASK
from emu.machine.ram import Ram
from emu.observe.symbols.disassembler import disassembler
from kernel.base.lazy_numpy import np

ACCESS = {
    Kind.LOAD: "load",
    Kind.STORE: "store",
    Kind.LOAD_RESERVED: "lr",
    Kind.STORE_CONDITIONAL: "sc",
    Kind.AMO: "amo",
}
_COLUMNS = [("base", "i8"), ("offset", "u8"), ("size", "u8"), ("length", "u8"), ("link", "i8")]
"""``size`` of the access is 0 for none. ``link`` is -1 except for a jump, -2 for an ecall."""
NO_JUMP, ECALL = -1, -2


@dataclass(frozen=True)
class LocatedInstruction:
    """An instruction at an address. ``code`` is empty if it could not be read."""

    pc: int
    code: bytes
    operand: MemoryOperand | None

    @cached_property
    def text(self) -> str:
        return disassembler().text(self.code or None, self.pc)


class _Ids(dict[int, int]):
    """Maps pc to id; valid until a page with code is mapped elsewhere."""

    def __init__(self, find: Any) -> None:
        self._find = find

    def __missing__(self, pc: int) -> int:
        found: int = self._find(pc)
        self[pc] = found
        return found


class DecodeTable:
    """Assigns an id to each instruction: its index in ``table`` and in ``instructions``.

    ``frames`` maps each page with code to its frame, by address. Processes that share a frame share
    its instructions.
    """

    def __init__(self, ram: Ram, frames: dict[int, int]) -> None:
        self._ram = ram
        self._frames = frames
        self._known: dict[tuple[int, int], int] = {}
        self._same: dict[tuple[int, bytes], int] = {}
        self._pages: set[int] = set()
        self.ids = _Ids(self._find)
        self.instructions: list[LocatedInstruction] = []
        self.table = np.zeros(1024, _COLUMNS)

    def moved(self, page: int) -> None:
        if page in self._pages:
            self.ids.clear()
            self._pages.clear()

    def code_changed(self) -> None:
        """Drops the ids of all addresses. An id keeps its meaning: changed code gets a new one."""
        self._known.clear()
        self.ids.clear()
        self._pages.clear()

    def _find(self, pc: int) -> int:
        page = pc & ~PAGE_MASK
        self._pages |= {page, (pc + 2) & ~PAGE_MASK}
        place = pc, self._frames.get(page, 0)
        if place not in self._known:
            code = self._code(pc)
            if (pc, code) not in self._same:
                self._same[pc, code] = self._add(pc, code)
            self._known[place] = self._same[pc, code]
        return self._known[place]

    def _code(self, pc: int) -> bytes:
        code = self._half(pc)
        if code and instruction_length(int.from_bytes(code, "little")) == 4:
            code += self._half(pc + 2)
        return code

    def _add(self, pc: int, code: bytes) -> int:
        decoded = decode(int.from_bytes(code, "little"))
        operand = memory_operand(decoded)
        number = len(self.instructions)
        self.instructions.append(LocatedInstruction(pc, code, operand))
        if number == len(self.table):
            self.table = np.concatenate([self.table, np.zeros_like(self.table)])
        base, offset, size = (0, 0, 0) if operand is None else operand[1:]
        offset &= (1 << 64) - 1
        self.table[number] = base, offset, size, len(code), _link(decoded)
        return number

    def _half(self, pc: int) -> bytes:
        frame = self._frames.get(pc & ~PAGE_MASK)
        return b"" if frame is None else self._ram.read(frame | pc & PAGE_MASK, 2)


def _link(instruction: decoder.Instruction) -> int:
    """The register that a jump links, 0 for none or a branch; ECALL or NO_JUMP for all others."""
    if instruction.opcode in (JAL, JALR, BRANCH):
        return 0 if instruction.opcode == BRANCH else instruction.rd
    return ECALL if instruction == decoder.ECALL else NO_JUMP
