"""Are traps of instructions themselves precise: fetch faults, illegal ones, ebreak, ecall?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Cause
from emu.machine.sv39 import Rule
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, NOP
from tests.emu.machine.board import FREE, RO, RW, RX, Board, address

CODE, NEXT, FAR = 1, 2, 9
FETCH_FAULT, ILLEGAL = Cause.FETCH_PAGE_FAULT, Cause.ILLEGAL_INSTRUCTION
CROSSING = address(CODE, 0xFFE)
"""A 4-byte instruction here ends in NEXT."""


@pytest.fixture(autouse=True)
def code_page(board: Board) -> None:
    board.map(CODE, FREE, RX)


@pytest.mark.parametrize(
    "target", [0, 8, address(FAR), address(FAR, 0xFFE), 1 << 38, 1 << 40, (1 << 64) - 4]
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_jump_to_nowhere(board: Board, target: int, compressed: bool) -> None:
    jump = asm.half(0x8502) if compressed else asm.jr(A0)  # c.jr a0
    board.write_code(FREE, NOP, jump)
    trap = board.run(address(CODE), x10=target)
    assert (trap.cause, trap.epc, trap.tval) == (FETCH_FAULT, target, target)
    assert trap.fault is not None


def test_a_call_to_nowhere_has_set_ra(board: Board) -> None:
    board.write_code(FREE, asm.jalr(asm.RA, A0))
    assert board.run(address(CODE), x10=address(FAR)).epc == address(FAR)
    assert board.x(asm.RA) == address(CODE, 4)


def test_running_off_the_end_of_a_page(board: Board) -> None:
    board.write_code(FREE, NOP, asm.addi(A0, A0, 1), offset=0xFF8)
    trap = board.run(address(CODE, 0xFF8), x10=0)
    assert (trap.cause, trap.epc, trap.tval) == (FETCH_FAULT, address(NEXT), address(NEXT))
    assert board.x(A0) == 1


@pytest.mark.parametrize("flags", [RO, RW])
def test_data_is_not_executed(board: Board, flags: int) -> None:
    board.map(FAR, FREE + 1, flags)
    board.write_code(FREE, asm.lbu(A1, A0), asm.jr(A0))
    trap = board.run(address(CODE), x10=address(FAR))
    assert (trap.cause, trap.epc) == (FETCH_FAULT, address(FAR))
    assert trap.fault is not None
    assert trap.fault.rule is Rule.NOT_EXECUTABLE


def test_code_outside_ram_is_an_access_fault(board: Board) -> None:
    board.map(FAR, board.ram.frame_count, RX)
    trap = board.run(address(FAR, 4))
    assert (trap.cause, trap.epc, trap.tval) == (
        Cause.FETCH_ACCESS_FAULT,
        address(FAR, 4),
        address(FAR, 4),
    )


def cross(board: Board, start: int, count: int) -> None:
    """``count`` times a0 += 1 from ``start``, the last of them crossing into NEXT."""
    board.write_code(FREE, *[asm.c_addi(A0, 1)] * (count - 1), offset=start)
    board.write_code(FREE, asm.addi(A0, A0, 1)[:2], offset=0xFFE)


@pytest.mark.parametrize("ahead", [0, 1, 2, 15])
def test_an_instruction_that_crosses_into_an_unmapped_page(board: Board, ahead: int) -> None:
    """Those before it are executed; epc is its address, tval that of its second half."""
    start = 0xFFE - 2 * ahead
    cross(board, start, ahead + 1)
    trap = board.run(address(CODE, start), x10=0)
    assert (trap.cause, trap.epc, trap.tval) == (FETCH_FAULT, CROSSING, address(NEXT))
    assert board.x(A0) == ahead
    assert board.hart.run().epc == CROSSING, "it faults again as long as nobody maps the page"

    board.map(NEXT, FREE + 1, RX)
    board.write_code(FREE + 1, asm.addi(A0, A0, 1)[2:], asm.ECALL)
    board.run_to_ecall()
    assert board.x(A0) == ahead + 1
    board.run_to_ecall(address(CODE, start), x10=0)
    assert board.x(A0) == ahead + 1, "and no mark is left where the first run had to stop"


def test_a_fault_ahead_of_a_crossing_instruction_comes_first(board: Board) -> None:
    board.write_code(FREE, asm.ld(A1, A2), asm.addi(A0, A0, 1)[:2], offset=0xFFA)
    trap = board.run(address(CODE, 0xFFA), x12=address(FAR, 8))
    assert (trap.cause, trap.epc, trap.tval) == (
        Cause.LOAD_PAGE_FAULT,
        address(CODE, 0xFFA),
        address(FAR, 8),
    )


def test_a_jump_over_a_crossing_instruction(board: Board) -> None:
    """An instruction that is not reached does not fault."""
    board.write_code(FREE, asm.j(-0xFA), asm.addi(A0, A0, 1)[:2], offset=0xFFA)
    board.write_code(FREE, asm.ECALL, offset=0xF00)
    board.run_to_ecall(address(CODE, 0xFFA))


def test_a_crossing_instruction_in_two_frames_that_do_not_adjoin(board: Board) -> None:
    board.map(NEXT, FREE + 7, RX)
    cross(board, 0xFF0, 8)
    board.write_code(FREE + 7, asm.addi(A0, A0, 1)[2:], asm.ECALL)
    board.run_to_ecall(address(CODE, 0xFF0), x10=0)
    assert board.x(A0) == 8


WORDS = [asm.ILLEGAL, asm.word(0x0000_707F), asm.word(0x1050_0073), asm.csrr(A0, 0x180)]
"""All ones, a reserved opcode, wfi, and satp: illegal in U-mode."""


@pytest.mark.parametrize("code", [*WORDS, asm.C_ILLEGAL, asm.half(0x8002)])
@pytest.mark.parametrize("offset", [0, 2, 4, 0x7FC, 0xFF8])
@pytest.mark.parametrize("before", ["unmapped", "code", "data"])
def test_illegal_instructions(board: Board, code: bytes, offset: int, before: str) -> None:
    """At any place, also first in its page, and with any page before it."""
    if before != "unmapped":
        board.map(NEXT - 1, FREE, RX if before == "code" else RW)
    else:
        board.unmap(NEXT - 1)
    board.map(NEXT, FREE + 1, RX)
    board.write_code(FREE + 1, code, NOP, offset=offset)
    for start in {0, offset}:
        board.write_code(FREE + 1, *[asm.c_addi(A0, 1)] * (offset // 2))
        trap = board.run(address(NEXT, start), x10=0)
        assert (trap.cause, trap.epc) == (ILLEGAL, address(NEXT, offset))
        assert trap.tval == int.from_bytes(code, "little")
        assert board.x(A0) == (offset - start) // 2


def test_an_illegal_instruction_that_crosses(board: Board) -> None:
    board.map(NEXT, FREE + 1, RX)
    board.write_code(FREE, asm.ILLEGAL[:2], offset=0xFFE)
    board.write_code(FREE + 1, asm.ILLEGAL[2:])
    trap = board.run(CROSSING)
    assert (trap.cause, trap.epc, trap.tval) == (ILLEGAL, CROSSING, 0xFFFF_FFFF)


@pytest.mark.parametrize("code", [asm.EBREAK, asm.C_EBREAK])
@pytest.mark.parametrize("offset", [0, 2, 0x100])
def test_ebreak(board: Board, code: bytes, offset: int) -> None:
    board.write_code(FREE, *[asm.C_NOP] * (offset // 2), code)
    for start in {0, offset}:
        trap = board.run(address(CODE, start))
        assert (trap.cause, trap.epc) == (Cause.BREAKPOINT, address(CODE, offset))
        assert trap.tval == trap.epc


def test_ecall_stays_at_the_ecall(board: Board) -> None:
    board.write_code(FREE, NOP, asm.ECALL, asm.ECALL)
    trap = board.run(address(CODE))
    assert (trap.cause, trap.epc, trap.tval) == (Cause.ECALL_FROM_U, address(CODE, 4), 0)
    assert board.hart.run().epc == address(CODE, 4)
    board.hart.pc += 4
    assert board.hart.run().epc == address(CODE, 8)


def test_an_ecall_passes_its_registers(board: Board) -> None:
    board.write_code(FREE, asm.ECALL)
    board.run(address(CODE), x17=64, **{f"x{asm.A0 + n}": 100 + n for n in range(6)})
    assert board.hart.syscall_registers() == [64, 100, 101, 102, 103, 104, 105]


def test_pc_is_even(board: Board) -> None:
    """As sepc's lowest bit is always zero."""
    board.write_code(FREE, NOP, asm.ECALL)
    assert board.run(address(CODE) | 1).epc == address(CODE, 4)
