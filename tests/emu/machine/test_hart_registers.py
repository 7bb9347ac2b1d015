"""Does a program have the same registers after a trap, the repair of a fault and a resume?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Cause
from emu.machine.registers import COUNT, F0, FCSR, NAMES, PC, SP, Registers
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, NOP
from tests.emu.machine.board import FREE, RW, RX, Board, address

CODE, DATA = 1, 5
INTEGER = [n for n in range(1, 32) if n != A0]
PATTERN = {n: 0x1234_5678_9ABC_0000 + n for n in INTEGER} | {
    F0 + n: 0x4000_0000_0000_0000 + n for n in range(32)
}


@pytest.fixture(autouse=True)
def code_page(board: Board) -> None:
    board.map(CODE, FREE, RX)


def fill(board: Board) -> None:
    for register, value in PATTERN.items():
        board.hart.write(register, value)
    board.hart.write(FCSR, 0x65)  # rounding mode 3, flags NX and OF


def word(code: bytes) -> int:
    return int.from_bytes(code, "little")


def holds(board: Board) -> None:
    wrong = {NAMES[n]: hex(board.x(n)) for n, value in PATTERN.items() if board.x(n) != value}
    assert not wrong
    assert board.x(FCSR) == 0x65


@pytest.mark.parametrize("register", INTEGER)
def test_a_repaired_load_changes_only_its_register(board: Board, register: int) -> None:
    board.write_code(FREE, NOP, asm.ld(register, A0), asm.ECALL)
    fill(board)
    assert board.run(address(CODE), x10=address(DATA, 8)).tval == address(DATA, 8)
    holds(board)
    board.map(DATA, FREE + 1, RW)
    board.write(FREE + 1, PATTERN[register].to_bytes(8, "little"), 8)
    board.hart.write(register, 0)
    board.run_to_ecall()
    holds(board)


@pytest.mark.parametrize("register", range(32))
def test_a_repaired_fp_load_changes_only_its_register(board: Board, register: int) -> None:
    board.write_code(FREE, NOP, asm.load("fld", register, A0), asm.ECALL)
    fill(board)
    assert board.run(address(CODE), x10=address(DATA)).cause == Cause.LOAD_PAGE_FAULT
    board.map(DATA, FREE + 1, RW)
    board.write(FREE + 1, PATTERN[F0 + register].to_bytes(8, "little"))
    board.hart.write(F0 + register, 0)
    board.run_to_ecall()
    holds(board)


def test_every_kind_of_trap_leaves_all_registers(board: Board) -> None:
    kinds = (asm.ECALL, asm.EBREAK, asm.C_EBREAK, asm.ILLEGAL, asm.C_ILLEGAL, asm.ld(5, A0))
    for code in (*kinds, asm.sd(5, A0), asm.amo("amoadd", 8, 5, 5, A0), asm.jr(A0)):
        board.write_code(FREE, NOP, code)
        fill(board)
        board.run(address(CODE), x10=address(DATA))
        holds(board)


def test_saved_registers_come_back_on_another_hart_of_the_same_ram() -> None:
    one, other = Board(), Board()
    fill(one)
    one.hart.pc = 0x1234
    saved = Registers()
    one.hart.save(saved)
    other.hart.load(saved)
    holds(other)
    assert other.hart.pc == 0x1234 == saved[PC]


def test_two_programs_take_turns(board: Board) -> None:
    """Each counts in a0 with its own saved registers, independently of the other."""
    board.write_code(FREE, asm.addi(A0, A0, 1), asm.ECALL)
    programs = [Registers(), Registers()]
    for n, registers in enumerate(programs):
        registers[A0], registers[PC] = 1000 * n, address(CODE)
        registers[F0] = n
    for _ in range(5):
        for registers in programs:
            board.hart.load(registers)
            board.run_to_ecall(address(CODE))
            board.hart.save(registers)
    assert [registers[A0] for registers in programs] == [5, 1005]
    assert [registers[F0] for registers in programs] == [0, 1]


def test_a_copy_is_independent() -> None:
    original = Registers()
    original[SP] = 1
    copy = original.copy()
    copy[SP] = 2
    assert (original[SP], copy[SP]) == (1, 2)


def test_each_register_has_a_name() -> None:
    assert len(NAMES) == COUNT
    assert (NAMES[PC], NAMES[SP], NAMES[A0], NAMES[F0], NAMES[FCSR]) == (
        *("pc", "sp", "a0", "f0", "fcsr"),
    )


def test_floating_point_is_on_and_its_flags_are_kept(board: Board) -> None:
    board.write_code(
        FREE,
        asm.fmv_d_x(1, asm.A1),
        asm.fmv_d_x(2, asm.A2),
        asm.fadd_d(3, 1, 2),
        asm.csrr(asm.A3, 0x001),  # fflags
        asm.ECALL,
    )
    one, tiny = 0x3FF0_0000_0000_0000, 0x0010_0000_0000_0000
    board.run_to_ecall(address(CODE), x11=one, x12=tiny)
    assert board.x(F0 + 3) == one
    assert board.x(asm.A3) == 1, "inexact"
    assert board.x(FCSR) == 1


@pytest.mark.parametrize("in_place", [True, False])
def test_registers_in_place_and_by_the_interface_are_the_same(board: Board, in_place: bool) -> None:
    assert board.hart._engine._row is not None
    if not in_place:
        board.hart._engine._use_row(None)
    board.write_code(FREE, NOP, NOP, asm.ECALL)
    fill(board)
    holds(board)
    assert board.run(address(CODE), x10=3).epc == address(CODE, 8)
    holds(board)
    board.hart.write(SP, 77)
    assert board.x(A0) == 3
    registers = memoryview(board.hart.integer_registers()).cast("Q")
    expected = {**PATTERN, SP: 77, A0: 3}
    assert registers.tolist() == [0, *(expected[register] for register in range(1, 32))]


def test_an_instruction_is_looked_for_where_the_page_lies_now(board: Board) -> None:
    board.write_code(FREE, NOP, asm.ECALL)
    board.write_code(FREE + 1, asm.ECALL, NOP)
    assert board.hart.instruction(address(CODE)) == word(NOP)
    board.map(CODE, FREE + 1, RX)
    board.hart.flush_tlb()
    assert board.hart.instruction(address(CODE, 4)) == word(NOP)
    board.write_code(FREE + 1, asm.ECALL, asm.EBREAK)
    assert board.run(address(CODE)).cause == Cause.ECALL_FROM_U
    assert board.hart.instruction(address(CODE, 4)) == word(asm.EBREAK)
