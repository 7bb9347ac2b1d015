"""Interpreter of an FDE's program, up to one of its addresses (DWARF 5, 6.4.2).

Registers have the numbers of the RISC-V psABI's "DWARF Register Numbers": x0 to x31 are 0 to 31.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from emu.machine.registers import FP, RA, SP
from emu.observe.cfi.cfi_parser import Cie, Cursor, Damaged, Fde

_LONGEST_OFFSET = 1 << 40
_MOST_REMEMBERED = 64

_ADVANCE, _SAVE, _RESTORE = 0x40, 0x80, 0xC0
"""Instructions with an operand in their low six bits."""
_DEF_CFA_OFFSET = 0x0E

_OPERANDS = {
    0x00: "",
    0x01: "p",
    0x02: "1",
    0x03: "2",
    0x04: "4",
    0x1D: "8",
    0x05: "uu",
    0x06: "u",
    0x07: "u",
    0x08: "u",
    0x09: "uu",
    0x0A: "",
    0x0B: "",
    0x0C: "uu",
    0x0D: "u",
    0x0F: "b",
    0x10: "ub",
    0x11: "us",
    0x12: "us",
    0x13: "s",
    0x14: "uu",
    0x15: "us",
    0x16: "ub",
    0x2E: "u",
    0x2F: "uu",
}
"""Operands of the others: p pointer, 1 2 4 8 bytes, u ULEB128, s SLEB128, b block."""


class Rule(NamedTuple):
    """Unwind rule: the CFA, which is the caller's sp, is the value of ``register`` + ``offset``.

    ``ra`` and ``fp`` are the offsets from the CFA at which x1 and x8 are saved; None: still in the
    register. A rule that is not ``certain`` was derived from the code, and may be wrong.
    """

    register: int
    offset: int
    ra: int | None
    fp: int | None
    outermost: bool = False
    certain: bool = True


class _Special(Enum):
    UNDEFINED = 0
    UNKNOWN = 1


class _Row(NamedTuple):
    """A row of the table that a program describes (DWARF 5, 6.4.1), with the columns in use."""

    register: int | None
    offset: int
    ra: int | _Special | None
    fp: int | _Special | None


def rule_of(fde: Fde, address: int) -> Rule | None:
    """The rule of an FDE at an address; None if a Rule cannot express it."""
    interpreter = _Interpreter(fde.cie, _initial(fde.cie), fde.start, address)
    interpreter.run(Cursor(fde.program, fde.program_base))
    register, offset, ra, fp = interpreter.row
    if ra is _Special.UNDEFINED:
        return Rule(SP, 0, None, None, outermost=True)
    if register is None or isinstance(ra, _Special) or isinstance(fp, _Special):
        return None
    if max(abs(offset), abs(ra or 0), abs(fp or 0)) > _LONGEST_OFFSET:
        return None
    return Rule(register, offset, ra, fp)


@lru_cache(maxsize=64)
def _initial(cie: Cie) -> _Row:
    """Initial row of every FDE of a CIE, of which most files have one or two."""
    interpreter = _Interpreter(cie, _Row(None, 0, None, None), 0, 0)
    interpreter.run(Cursor(cie.program))
    return interpreter.row


class _Interpreter:
    """Runs programs up to the row that applies to ``address``."""

    def __init__(self, cie: Cie, initial: _Row, start: int, address: int) -> None:
        self.row = self._initial = initial
        self._cie = cie
        self._location, self._address = start, address
        self._remembered: list[_Row] = []

    def run(self, program: Cursor) -> None:
        end, address = len(program.data), self._address
        code_factor, data_factor = self._cie.code_factor, self._cie.data_factor
        while program.at < end and self._location <= address:
            code = program.byte()
            high, low = code & 0xC0, code & 0x3F
            if high == _ADVANCE:
                self._location += low * code_factor
            elif high == _SAVE:
                self._set_column(low, program.leb() * data_factor)
            elif high == _RESTORE:
                self._restore(low)
            elif code == _DEF_CFA_OFFSET:  # by far the most frequent of the others
                register, _, ra, fp = self.row
                self.row = _Row(register, program.leb(), ra, fp)
            else:
                self._execute(code, self._operands(code, program))

    def _operands(self, code: int, program: Cursor) -> list[int]:
        if code not in _OPERANDS:
            raise Damaged
        return [self._operand(kind, program) for kind in _OPERANDS[code]]

    def _operand(self, kind: str, program: Cursor) -> int:
        match kind:
            case "u" | "s":
                return program.leb(signed=kind == "s")
            case "p":
                return program.pointer(self._cie.encoding)
            case "b":
                return len(program.take(program.leb()))
            case _:
                return program.fixed(int(kind))

    def _execute(self, code: int, operands: list[int]) -> None:
        match code:
            case 0x01:  # set_loc
                self._location = operands[0]
            case 0x02 | 0x03 | 0x04 | 0x1D:  # advance_loc1, 2, 4, MIPS_advance_loc8
                self._location += operands[0] * self._cie.code_factor
            case 0x0A:  # remember_state
                if len(self._remembered) >= _MOST_REMEMBERED:
                    raise Damaged
                self._remembered.append(self.row)
            case 0x0B:  # restore_state
                if not self._remembered:
                    raise Damaged
                self.row = self._remembered.pop()
            case 0x0C | 0x0D | 0x0F | 0x12 | 0x13:
                self._define_cfa(code, operands)
            case 0x00 | 0x2E:  # nop, GNU_args_size
                pass
            case _:
                self._change_column(code, operands)

    def _define_cfa(self, code: int, operands: list[int]) -> None:
        factor = self._cie.data_factor if code in (0x12, 0x13) else 1
        match code:
            case 0x0C | 0x12:  # def_cfa, def_cfa_sf
                self.row = self.row._replace(register=operands[0], offset=operands[1] * factor)
            case 0x0D:  # def_cfa_register
                self.row = self.row._replace(register=operands[0])
            case 0x13:  # def_cfa_offset_sf
                self.row = self.row._replace(offset=operands[0] * factor)
            case _:  # def_cfa_expression
                self.row = self.row._replace(register=None)

    def _change_column(self, code: int, operands: list[int]) -> None:
        register = operands[0]
        match code:
            case 0x05 | 0x11:  # offset_extended, offset_extended_sf
                self._set_column(register, operands[1] * self._cie.data_factor)
            case 0x2F:  # GNU_negative_offset_extended
                self._set_column(register, -operands[1] * self._cie.data_factor)
            case 0x06:  # restore_extended
                self._restore(register)
            case 0x07:  # undefined
                self._set_column(register, _Special.UNDEFINED)
            case 0x08:  # same_value
                self._set_column(register, None)
            case 0x09:  # register
                self._set_column(register, None if operands[1] == register else _Special.UNKNOWN)
            case _:  # expression, val_offset, val_offset_sf, val_expression
                self._set_column(register, _Special.UNKNOWN)

    def _restore(self, register: int) -> None:
        self._set_column(register, self._initial.ra if register == RA else self._initial.fp)

    def _set_column(self, register: int, value: int | _Special | None) -> None:
        if register in (RA, FP):
            at, offset, ra, fp = self.row
            self.row = _Row(at, offset, *((value, fp) if register == RA else (ra, value)))
