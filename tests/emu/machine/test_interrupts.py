"""Is an interrupt invisible to a program, anywhere; does a step execute one instruction?"""

from __future__ import annotations

from typing import Any

import pytest

from emu.machine.cause import Access, Cause
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A3, A4, NOP, ZERO
from tests.emu.machine.board import CLEAN_RW, FREE, RW, RX, Board, address, ticking

CODE, DATA = 1, 5
TURNS = 1_000_000
INCREMENTS = {
    "amoadd": (asm.amo("amoadd", 8, A2, A1, A0),),
    "lr and sc": (
        asm.lr(8, A2, A0),
        asm.add(A2, A2, A1),
        asm.sc(8, A3, A2, A0),
        asm.bne(A3, 0, -12),
    ),
    "load and store": (asm.ld(A2, A0), asm.add(A2, A2, A1), asm.sd(A2, A0)),
}


@pytest.fixture(autouse=True)
def pages(board: Board) -> None:
    board.map(CODE, FREE, RX)
    board.map(DATA, FREE + 1, RW)


def loop(board: Board, *body: bytes) -> None:
    """``body`` a4 times, then an ecall."""
    size = sum(map(len, body)) + 4
    board.write_code(FREE, *body, asm.addi(A4, A4, -1), asm.bne(A4, ZERO, -size), asm.ECALL)


@pytest.mark.parametrize("name", INCREMENTS)
@pytest.mark.parametrize("seconds", [0.001, 0.0])
def test_nothing_is_done_twice(board: Board, name: str, seconds: float) -> None:
    """A stop between an atomic's store and its end would count it again when it runs on."""
    loop(board, *INCREMENTS[name])
    board.write(FREE + 1, bytes(8))
    with ticking(board.hart, seconds):
        board.run_to_ecall(address(CODE), x10=address(DATA), x11=1, x14=TURNS)
    assert board.read(FREE + 1) == TURNS


def test_an_interrupt_within_a_page_walk(board: Board) -> None:
    """The other thread requests a stop while the MMU translates for an AMO."""
    loop(board, *INCREMENTS["amoadd"])
    translate, walks = board.mmu.translate, 0

    class Interrupting(type(board.mmu)):  # type: ignore[misc]
        def translate(self, va: int, access: Access) -> Any:
            nonlocal walks
            if access is not Access.FETCH:
                walks += 1
                board.hart.interrupt()
            return translate(va, access)

    board.hart.mmu = Interrupting(board.ram)
    board.map(DATA, FREE + 1, CLEAN_RW)
    board.set(x10=address(DATA), x11=1, x14=20)
    board.hart.pc = address(CODE)
    stops = 0
    while (trap := board.hart.run()).cause == Cause.TIMER_INTERRUPT:
        board.hart.flush_tlb()
        stops += 1
    assert trap.cause == Cause.ECALL_FROM_U
    assert board.read(FREE + 1) == 20
    assert walks >= stops > 5


def test_faults_come_through_between_interrupts(board: Board) -> None:
    board.write_code(FREE, asm.sd(A1, A0), asm.ECALL)
    with ticking(board.hart, 0.0):
        for turn in range(300):
            board.unmap(DATA)
            board.hart.flush_tlb()
            board.set(x10=address(DATA, 8), x11=turn)
            board.hart.pc = address(CODE)
            while (trap := board.hart.run()).cause == Cause.TIMER_INTERRUPT:
                assert trap.epc == address(CODE)
            assert (trap.cause, trap.tval) == (Cause.STORE_PAGE_FAULT, address(DATA, 8))
            board.map(DATA, FREE + 1, RW)
            board.run_to_ecall()
            assert board.read(FREE + 1, 8) == turn


def test_an_endless_loop_can_be_interrupted(board: Board) -> None:
    board.write_code(FREE, asm.addi(A0, A0, 1), asm.j(-4))
    with ticking(board.hart):
        for _ in range(3):
            trap = board.run(address(CODE), x10=0)
            assert trap.cause == Cause.TIMER_INTERRUPT
            assert board.x(A0) > 0


def test_an_interrupt_outside_a_run_is_lost(board: Board) -> None:
    board.write_code(FREE, asm.ECALL)
    board.hart.interrupt()
    assert board.run(address(CODE)).cause == Cause.ECALL_FROM_U
    board.hart.interrupt()
    board.run_to_ecall()


# Steps and counts.


def test_a_step_is_one_instruction_even_of_a_block_that_ran_before(board: Board) -> None:
    loop(board, NOP)
    board.run_to_ecall(address(CODE), x14=3)
    board.hart.pc = address(CODE)
    board.set(x14=2)
    pcs = []
    while board.hart.step() is None:
        pcs.append(board.hart.pc - address(CODE))
    assert pcs == [4, 8, 0, 4, 8, 12]


@pytest.mark.parametrize("last", [NOP, asm.c_addi(A0, 1), asm.j(4)])
def test_a_step_at_the_end_of_a_page_is_not_the_next_pages_trap(board: Board, last: bytes) -> None:
    end = address(CODE + 1)
    board.write_code(FREE, last, offset=0x1000 - len(last))
    board.hart.pc = end - len(last)
    assert board.hart.step() is None
    assert board.hart.pc == end
    trap = board.hart.step()
    assert trap is not None
    assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, end)


def test_a_step_ahead_of_a_crossing_instruction(board: Board) -> None:
    board.write_code(FREE, asm.c_addi(A0, 1), asm.c_addi(A0, 1), NOP[:2], offset=0xFFA)
    board.set(x10=0)
    board.hart.pc = address(CODE, 0xFFA)
    assert [board.hart.step(), board.x(A0), board.hart.pc] == [None, 1, address(CODE, 0xFFC)]
    assert [board.hart.step(), board.x(A0), board.hart.pc] == [None, 2, address(CODE, 0xFFE)]
    trap = board.hart.step()
    assert trap is not None
    assert (trap.cause, trap.tval) == (Cause.FETCH_PAGE_FAULT, address(CODE + 1))


def test_a_step_onto_itself(board: Board) -> None:
    board.write_code(FREE, asm.j(0))
    board.hart.pc = address(CODE)
    assert board.hart.step() is None
    assert board.hart.pc == address(CODE)


def test_a_step_returns_its_trap(board: Board) -> None:
    board.write_code(FREE, asm.ld(A1, A0), asm.ECALL)
    board.hart.pc = address(CODE)
    board.set(x10=address(DATA + 1, 8))
    trap = board.hart.step()
    assert trap is not None
    assert (trap.cause, trap.tval) == (Cause.LOAD_PAGE_FAULT, address(DATA + 1, 8))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_a_count_is_exact(board: Board, count: int) -> None:
    loop(board, asm.addi(A0, A0, 1))
    for before in (0, 1000):
        if before:
            board.run_to_ecall(address(CODE), x14=before)
        board.set(x10=0, x14=1000)
        board.hart.pc = address(CODE)
        assert board.hart.run(count).cause == Cause.TIMER_INTERRUPT
        assert board.x(A0) == (count + 2) // 3
        assert board.hart.pc == address(CODE, 4 * (count % 3))


def test_a_counted_run_is_not_interrupted(board: Board) -> None:
    """The engine could end such a run within an instruction, so no stop is requested."""
    loop(board, *INCREMENTS["amoadd"])
    board.set(x10=address(DATA), x11=1, x14=TURNS)
    board.hart.pc = address(CODE)
    runs = 1
    with ticking(board.hart, 0.0):
        while board.hart.run(count=30_000).cause == Cause.TIMER_INTERRUPT:
            runs += 1
    assert board.read(FREE + 1) == TURNS
    assert runs == 3 * TURNS // 30_000 + 1


# Exceptions of emu itself are passed on.


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_in_the_mmu_comes_out_of_run(board: Board, kind: type[BaseException]) -> None:
    board.write_code(FREE, asm.ld(A1, A0), asm.ECALL)
    good = board.hart.mmu

    class Broken(type(good)):  # type: ignore[misc]
        def translate(self, va: int, access: Access) -> Any:
            if va == address(DATA):
                raise kind
            return good.translate(va, access)

    board.hart.mmu = Broken(board.ram)
    with pytest.raises(kind):
        board.run(address(CODE), x10=address(DATA))
    board.hart.mmu = good
    board.run_to_ecall(address(CODE), x10=address(DATA))
