"""Are exactly the encodings that RV64GC reserves illegal, including those that the engine runs?

The expected values are the unprivileged spec's, "RVC Instruction Set Listings".
"""

from __future__ import annotations

import random

import pytest

from emu.machine.cause import Cause
from emu.machine.pte import PAGE_SIZE
from emu.machine.trap import Trap
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, C_EBREAK, NOP
from tests.emu.machine.board import FREE, RW, RWX, RX, Board, address

CODE, NEXT = 5, 6
ILLEGAL = Cause.ILLEGAL_INSTRUCTION
C_LBU, C_SH = asm.half(0x8000), asm.half(0x8C00)
C_MUL, C_NOT = asm.half(0x9C41), asm.half(0x9C75)
HPMCOUNTER3, HPMCOUNTER31 = asm.csrr(A0, 0xC03), asm.csrr(A0, 0xC1F)
RESERVED = [C_LBU, C_SH, C_MUL, C_NOT, HPMCOUNTER3, HPMCOUNTER31]
NAMES = ["c.lbu", "c.sh", "c.mul", "c.not", "hpmcounter3", "hpmcounter31"]
ONE_MORE = asm.c_addi(A0, 1)

every_kind = pytest.mark.parametrize("code", RESERVED, ids=NAMES)


def is_reserved(half: int) -> bool:
    """True when RV64GC reserves this 16-bit encoding; hints are instructions."""
    quadrant, funct3, rd = half & 3, half >> 13, half >> 7 & 31
    if quadrant == 0:
        return funct3 == 0b100 or (funct3 == 0 and not half >> 5 & 0xFF)
    if quadrant == 2:
        no_register = funct3 in (0b010, 0b011) and not rd  # c.lwsp, c.ldsp
        return no_register or half == 0x8002  # c.jr x0
    if funct3 == 0b001:  # c.addiw
        return not rd
    if funct3 == 0b011:  # c.lui, c.addi16sp
        return not half & 0x107C
    return funct3 == 0b100 and half >> 10 & 7 == 0b111 and half >> 5 & 3 in (0b10, 0b11)


def jumps_or_branches(half: int) -> bool:
    return half & 3 == 1 and half >> 13 in (0b101, 0b110, 0b111)


@pytest.mark.parametrize("quadrant", [0, 1, 2])
def test_is_every_16_bit_word_legal_as_the_spec_defines(board: Board, quadrant: int) -> None:
    """Except jumps and branches, which may loop for ever; none of them is reserved."""
    halves = [h for h in range(quadrant, 1 << 16, 4) if not jumps_or_branches(h)]
    board.map(CODE, FREE, RX)
    room = PAGE_SIZE // 4
    for start in range(0, len(halves), room):
        some = halves[start : start + room]
        board.write(FREE, b"".join(asm.half(half) + C_EBREAK for half in some))
        for index, half in enumerate(some):
            trap = board.run(address(CODE, 4 * index), **{f"x{n}": 0 for n in range(1, 32)})
            found = trap.cause == ILLEGAL and trap.epc == address(CODE, 4 * index)
            assert found == is_reserved(half), f"{half:#06x}: {trap}"
            assert not found or trap.tval == half


@pytest.mark.parametrize("csr", range(0xC00, 0xC20))
def test_may_a_program_read_two_counters_and_no_other(board: Board, csr: int) -> None:
    """``time`` has no clock in the machine: the kernel emulates it on the trap."""
    board.map(CODE, FREE, RX)
    for funct3 in (0b010, 0b011, 0b110, 0b111):
        for rd in (0, A0, 31):
            code = asm.i_type(0x73, rd, funct3, 0, csr - 0x1000)
            board.write_code(FREE, code, asm.EBREAK)
            trap = board.run(address(CODE))
            legal = csr in (0xC00, 0xC02)
            assert trap.cause == (Cause.BREAKPOINT if legal else ILLEGAL)


@every_kind
@pytest.mark.parametrize("offset", [0, 2, 4, 0x7FC, 0xFFA])
@pytest.mark.parametrize("before", ["unmapped", "code", "data"])
def test_do_all_instructions_before_it_run_and_none_after(
    board: Board, code: bytes, offset: int, before: str
) -> None:
    if before != "unmapped":
        board.map(CODE - 1, FREE + 1, RX if before == "code" else RW)
    board.map(CODE, FREE, RX)
    board.write_code(FREE, *[ONE_MORE] * (offset // 2), code, ONE_MORE)
    for _ in range(2):
        for start in {0, offset}:
            trap = board.run(address(CODE, start), x10=0)
            check(trap, code, address(CODE, offset))
            assert board.x(A0) == (offset - start) // 2


def check(trap: Trap, code: bytes, pc: int) -> None:
    assert (trap.cause, trap.epc) == (ILLEGAL, pc)
    assert trap.tval == int.from_bytes(code, "little")


@pytest.mark.parametrize("code", [HPMCOUNTER3, C_LBU + C_LBU], ids=["crosses", "ends the page"])
def test_is_it_detected_at_a_pages_edge(board: Board, code: bytes) -> None:
    board.map(CODE, FREE, RX)
    board.map(NEXT, FREE + 2, RX)
    board.write_code(FREE, *[ONE_MORE] * 3, code[:2], offset=0xFF8)
    board.write_code(FREE + 2, code[2:])
    trap = board.run(address(CODE, 0xFF8), x10=0)
    check(trap, code if code[0] & 3 == 3 else code[:2], address(CODE, 0xFFE))
    assert board.x(A0) == 3


@every_kind
def test_is_it_ignored_within_another_instruction(board: Board, code: bytes) -> None:
    """An upper half that looks like one: only a jump to it executes it."""
    board.map(CODE, FREE, RX)
    upper = int.from_bytes(code[:2], "little")
    board.write_code(FREE, asm.word(upper << 16 | A0 << 7 | 0x37), asm.EBREAK)  # lui
    trap = board.run(address(CODE))
    assert (trap.cause, trap.epc) == (Cause.BREAKPOINT, address(CODE, 4))
    if len(code) == 2:
        check(board.run(address(CODE, 2)), code, address(CODE, 2))


@every_kind
def test_is_it_detected_by_steps_and_at_breakpoints(board: Board, code: bytes) -> None:
    board.map(CODE, FREE, RX)
    board.write_code(FREE, ONE_MORE, ONE_MORE, code)
    for stop in (0, 2, 4):
        board.hart.breakpoints = {address(CODE, stop)}
        board.hart.pc, causes = address(CODE), {Cause.HART_BREAKPOINT, Cause.TIMER_INTERRUPT}
        for _ in range(9):
            trap = board.hart.run()
            if trap.cause not in causes:
                break
        check(trap, code, address(CODE, 4))
    board.hart.breakpoints = ()
    board.hart.pc = address(CODE)
    assert [board.hart.step(), board.hart.step()] == [None, None]
    for _ in range(2):
        last = board.hart.step()
        assert last is not None
        check(last, code, address(CODE, 4))


@every_kind
def test_is_it_detected_in_changed_code(board: Board, code: bytes) -> None:
    """The program overwrites an instruction that it has run, and restores it."""
    board.map(CODE, FREE, RX)
    board.map(NEXT, FREE, RWX)
    board.write_code(FREE, asm.sw(11, 12), asm.FENCE_I, asm.word(0x13), asm.EBREAK)
    where = address(NEXT, 8)
    reserved = int.from_bytes(code + asm.C_NOP[: 4 - len(code)], "little")
    nop = int.from_bytes(NOP, "little")
    for _ in range(3):
        assert board.run(address(CODE), x11=nop, x12=where).cause == Cause.BREAKPOINT
        check(board.run(address(CODE), x11=reserved, x12=where), code, address(CODE, 8))


def test_does_the_first_reserved_encoding_raise() -> None:
    """Random blocks of instructions, some reserved: the trap is at the first of these."""
    pick = random.Random(13)
    board = Board()
    board.map(CODE, FREE, RX)
    for _ in range(300):
        board.hart.fence_code()
        stream = [pick.choice((ONE_MORE, NOP, ONE_MORE)) for _ in range(pick.randrange(60))]
        code = pick.choice(RESERVED)
        rest = [pick.choice((ONE_MORE, *RESERVED)) for _ in range(5)]
        board.write_code(FREE, *stream, code, *rest)
        trap = board.run(address(CODE), x10=0)
        check(trap, code, address(CODE, sum(map(len, stream))))
        assert board.x(A0) == stream.count(ONE_MORE)
