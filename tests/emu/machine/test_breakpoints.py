"""Does the hart stop before each instruction at a breakpoint, and change nothing by it?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access, Cause
from emu.machine.pte import V, make_pte, make_satp
from emu.machine.trap import Trap
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A7, NOP
from tests.emu.machine.board import FREE, RO, RW, RWX, RX, Board, address, ticking

CODE, DATA, NEXT = 4, 8, 5
HIT = Cause.HART_BREAKPOINT

counts = pytest.mark.parametrize("count", [0, 1_000_000], ids=["freely", "counting"])
"""Without a count, as usual, and with one, as a deterministic machine runs."""


@pytest.fixture(autouse=True)
def pages(board: Board) -> None:
    board.map(CODE, FREE, RX)
    board.map(DATA, FREE + 1, RW)


def at(offset: int) -> int:
    return address(CODE, offset)


def loop(board: Board, times: int) -> int:
    """Maps a loop whose block adds 1 to a0 in its middle; returns the address of the addition."""
    board.write_code(
        FREE, NOP, asm.addi(A0, A0, 1), asm.addi(A1, A1, -1), asm.bne(A1, 0, -12), asm.ECALL
    )
    return again(board, times)


def again(board: Board, times: int) -> int:
    """Runs the loop again, with code that is already translated."""
    board.set(x10=0, x11=times)
    board.hart.pc = at(0)
    return at(4)


def hits(board: Board, count: int = 0) -> list[tuple[int, int]]:
    """pc and a0 at each breakpoint until the program's ecall."""
    found = []
    while (trap := board.hart.run(count)).cause == HIT:
        assert trap.epc == board.hart.pc
        found.append((trap.epc, board.x(A0)))
    assert trap.cause == Cause.ECALL_FROM_U, trap
    return found


@counts
def test_a_loop_comes_to_it_each_time_round(board: Board, count: int) -> None:
    board.hart.breakpoints = {loop(board, 5)}
    assert hits(board, count) == [(at(4), n) for n in range(5)]
    assert board.x(A0) == 5


@counts
def test_code_that_was_translated_before_stops_too_and_later_no_more(
    board: Board, count: int
) -> None:
    where = loop(board, 3)
    assert hits(board, count) == []
    again(board, 3)
    board.hart.breakpoints = {where}
    assert len(hits(board, count)) == 3
    again(board, 3)
    board.hart.breakpoints = {where, where + 4}
    assert [pc for pc, _ in hits(board, count)] == [at(4), at(8)] * 3
    again(board, 3)
    board.hart.breakpoints = set()
    assert hits(board, count) == [] and board.x(A0) == 3


@counts
def test_the_instruction_at_which_a_run_starts_is_run(board: Board, count: int) -> None:
    board.hart.breakpoints = {loop(board, 1)}
    board.hart.pc = at(4)
    assert hits(board, count) == [] and board.x(A0) == 1


@counts
def test_an_instruction_that_jumps_to_itself_is_come_to_again(board: Board, count: int) -> None:
    board.write_code(FREE, NOP, asm.j(0))
    board.hart.breakpoints = {at(4)}
    board.hart.pc = at(0)
    assert [board.hart.run(count).cause for _ in range(4)] == [HIT] * 4


@counts
def test_a_fault_of_the_instruction_is_a_trap_as_ever(board: Board, count: int) -> None:
    board.write_code(FREE, NOP, asm.sd(A0, A1), asm.ECALL)
    board.hart.breakpoints = {at(4)}
    board.set(x10=7, x11=address(9, 8))
    board.hart.pc = at(0)
    assert board.hart.run(count).cause == HIT
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc, trap.tval) == (Cause.STORE_PAGE_FAULT, at(4), address(9, 8))
    board.map(9, FREE + 2, RW)
    assert hits(board, count) == []
    assert board.read(FREE + 2, 8) == 7


class Adds:
    """A vector that handles every call in the engine's hook."""

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        return arguments[0] + 1 if number == 1 else None

    def page_fault(self, page: int, access: Access) -> bool:
        return False


@counts
@pytest.mark.parametrize("quick", [False, True])
def test_on_an_ecall(board: Board, quick: bool, count: int) -> None:
    board.write_code(FREE, NOP, asm.ECALL, NOP, asm.li(A7, 2), asm.ECALL)
    board.hart.breakpoints = {at(4), at(8)}
    if quick:
        board.hart.vector = Adds()
    board.set(x10=1, x17=1)
    board.hart.pc = at(0)
    assert board.hart.run(count).epc == at(4)
    assert board.x(A0) == 1
    trap = board.hart.run(count)
    if not quick:
        assert (trap.cause, trap.epc) == (Cause.ECALL_FROM_U, at(4))
        board.hart.pc = at(8)  # by the kernel, so not reported: see kernel/trap/breakpoints.py
    else:
        assert (trap.cause, trap.epc, board.x(A0)) == (HIT, at(8), 2)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc) == (Cause.ECALL_FROM_U, at(16))


@counts
def test_a_vector_that_lets_the_program_go_on_does_not_carry_it_over(
    board: Board, count: int
) -> None:
    board.write_code(FREE, asm.ECALL, NOP, asm.ECALL, NOP, asm.li(A7, 2), asm.ECALL)
    board.hart.vector = Adds()
    board.hart.breakpoints = {at(4), at(12)}
    board.set(x10=0, x17=1)
    board.hart.pc = at(0)
    assert hits(board, count) == [(at(4), 1), (at(12), 2)]


@counts
def test_at_the_first_byte_of_a_page_behind_one_that_is_executed(board: Board, count: int) -> None:
    board.map(NEXT, FREE + 2, RX)
    board.write_code(FREE, NOP, asm.addi(A0, A0, 1), offset=0xFF8)
    board.write_code(FREE + 2, NOP, asm.ECALL)
    board.hart.breakpoints = {address(NEXT)}
    board.set(x10=0)
    board.hart.pc = at(0xFF8)
    assert hits(board, count) == [(address(NEXT), 1)]


def hits_in_steps(board: Board, count: int) -> list[tuple[int, int]]:
    found = []
    while (trap := board.hart.run(count)).cause in (HIT, Cause.TIMER_INTERRUPT):
        if trap.cause == HIT:
            found.append((trap.epc, board.x(A0)))
    assert trap.cause == Cause.ECALL_FROM_U, trap
    return found


@counts
@pytest.mark.parametrize("before", ["nothing", "data"])
def test_at_the_first_byte_of_a_page_behind_one_that_is_not(
    board: Board, before: str, count: int
) -> None:
    """The engine cannot have an exit there; the page is run in single steps."""
    board.map(12, FREE + 2, RX)
    if before == "data":
        board.map(11, FREE + 3, RW)
    again = asm.bne(A1, 0, -8)
    board.write_code(FREE + 2, asm.addi(A0, A0, 1), asm.addi(A1, A1, -1), again, asm.jr(A2))
    board.write_code(FREE, NOP, asm.jr(A2), NOP, asm.ECALL)
    board.hart.breakpoints = {address(12), at(4)}
    board.set(x10=0, x11=3, x12=address(12))
    board.hart.pc = at(0)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc) == (HIT, at(4))
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc) == (HIT, address(12))
    board.set(x12=at(8))
    assert hits_in_steps(board, count) == [(address(12), 1), (address(12), 2)]
    assert board.x(A0) == 3


@counts
def test_a_page_that_is_mapped_after_the_breakpoint_was_set(board: Board, count: int) -> None:
    board.write_code(FREE, asm.jr(A2))
    board.hart.breakpoints = {address(12, 4)}
    board.set(x10=0, x12=address(12))
    board.hart.pc = at(0)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, address(12))
    board.map(12, FREE + 2, RX)
    board.write_code(FREE + 2, asm.addi(A0, A0, 1), asm.addi(A0, A0, 1), asm.ECALL)
    assert hits(board, count) == [(address(12, 4), 1)]


class Maps:
    """A vector whose call maps or unmaps a page, as mprotect and munmap do."""

    def __init__(self, board: Board, page: int) -> None:
        self.board, self.page = board, page

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        if number == 1:
            self.board.map(self.page, FREE + 2, RX)
        elif number == 2:
            self.board.unmap(self.page)
            self.board.hart.flush_tlb()
        return None if number == 3 else arguments[0]

    def page_fault(self, page: int, access: Access) -> bool:
        return False


@counts
def test_a_page_that_the_vector_maps_while_the_program_is_at_the_call(
    board: Board, count: int
) -> None:
    board.hart.vector = Maps(board, 12)
    board.write_code(FREE, asm.ECALL, asm.jr(A2))
    board.write_code(FREE + 2, asm.addi(A0, A0, 1), asm.addi(A0, A0, 1), asm.li(A7, 3), asm.ECALL)
    board.hart.breakpoints = {address(12, 4)}
    board.set(x10=0, x12=address(12), x17=1)
    board.hart.pc = at(0)
    assert hits(board, count) == [(address(12, 4), 1)]
    assert board.x(A0) == 2


@counts
@pytest.mark.parametrize("jumps", [False, True])
def test_a_page_that_the_vector_takes_away(board: Board, jumps: bool, count: int) -> None:
    """The engine accesses the page at the end of the run; that is not a fault of the program."""
    board.map(12, FREE + 2, RX)
    board.hart.vector = Maps(board, 12)
    board.write_code(FREE, asm.ECALL, asm.jr(A2) if jumps else NOP, asm.li(A7, 3), asm.ECALL)
    board.hart.breakpoints = {address(12, 4)}
    board.set(x10=0, x12=address(12), x17=2)
    board.hart.pc = at(0)
    trap = board.hart.run(count)
    if jumps:
        assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, address(12))
    else:
        assert (trap.cause, trap.epc) == (Cause.ECALL_FROM_U, at(12))


@counts
def test_on_an_instruction_that_crosses_into_another_page(board: Board, count: int) -> None:
    board.write_code(FREE, NOP, asm.c_addi(A0, 1), asm.addi(A0, A0, 2)[:2], offset=0xFF8)
    board.write_code(FREE + 2, asm.addi(A0, A0, 2)[2:], asm.ECALL)
    board.hart.breakpoints = {at(0xFFE), at(0xFFC)}
    board.set(x10=0)
    board.hart.pc = at(0xFF8)
    assert board.hart.run(count).epc == at(0xFFC)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc, board.x(A0)) == (HIT, at(0xFFE), 1)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc, trap.tval) == (
        Cause.FETCH_PAGE_FAULT, at(0xFFE), address(NEXT),
    )  # fmt: skip
    board.map(NEXT, FREE + 2, RX)
    assert hits(board, count) == [] and board.x(A0) == 3


@counts
def test_ahead_of_an_instruction_that_crosses_into_an_unmapped_page(
    board: Board, count: int
) -> None:
    """The engine reports that fault at its block's start, which is ahead of the breakpoint."""
    board.write_code(FREE, NOP, asm.c_addi(A0, 1), asm.addi(A0, A0, 2)[:2], offset=0xFF8)
    board.hart.breakpoints = {at(0xFFC)}
    board.set(x10=0)
    board.hart.pc = at(0xFF8)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc, board.x(A0)) == (HIT, at(0xFFC), 0)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc, board.x(A0)) == (Cause.FETCH_PAGE_FAULT, at(0xFFE), 1)


@counts
def test_one_is_still_there_when_the_hart_had_to_stop_for_itself(board: Board, count: int) -> None:
    board.write_code(FREE, NOP, asm.c_addi(A0, 1), asm.addi(A0, A0, 2)[:2], offset=0xFF8)
    board.write_code(FREE + 2, asm.addi(A0, A0, 2)[2:], asm.jr(A2))
    board.write_code(FREE, asm.addi(A0, A0, 4), asm.ECALL)
    board.hart.breakpoints = {at(4)}
    board.set(x10=0, x12=at(0))
    board.hart.pc = at(0xFF8)
    trap = board.hart.run(count)
    assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, at(0xFFE))
    board.map(NEXT, FREE + 2, RX)
    assert hits(board, count) == [(at(4), 7)]


@counts
def test_code_that_is_changed_at_the_breakpoint(board: Board, count: int) -> None:
    where = loop(board, 4)
    board.hart.breakpoints = {where}
    assert board.hart.run(count).cause == HIT
    board.write_code(FREE, asm.addi(A0, A0, 10), offset=4)
    assert hits(board, count) == [(where, 10), (where, 20), (where, 30)]
    assert board.x(A0) == 40


@counts
def test_a_store_into_its_own_page(board: Board, count: int) -> None:
    board.map(CODE, FREE, RWX)
    board.write_code(FREE, NOP, asm.sw(A0, A1), asm.addi(A0, A0, 1), asm.addi(A0, A0, 1), asm.ECALL)
    board.hart.breakpoints = {at(4), at(8), at(12)}
    changed = int.from_bytes(asm.addi(A0, 0, 5), "little")
    board.set(x10=changed, x11=at(12))
    board.hart.pc = at(0)
    assert [pc for pc, _ in hits(board, count)] == [at(4), at(8), at(12)]
    assert board.x(A0) == 5


def test_is_it_reached_in_each_address_space(board: Board) -> None:
    board.write_code(FREE, NOP, asm.addi(A0, A0, 1), asm.ECALL)
    board.write_code(FREE + 2, NOP, asm.addi(A0, A0, 2), asm.ECALL)
    board.map(12, FREE, RX)
    first = board.hart.mmu.satp
    other = board.new_root()
    board.ram.store64(board.pte_address(12, other), board.ram.load64(board.pte_address(12)))
    board.ram.store64(board.pte_address(CODE, other), make_pte(board.ppn(FREE + 2), RX | V))
    board.hart.breakpoints = {at(4)}
    for satp, sum_ in ((first, 1), (make_satp(other), 2), (first, 1)):
        board.hart.set_satp(satp)
        board.set(x10=0)
        board.hart.pc = at(0)
        assert hits(board) == [(at(4), 0)]
        assert board.x(A0) == sum_


def test_interrupts_take_none_away(board: Board) -> None:
    where = loop(board, 2000)
    board.hart.breakpoints = {where}
    found = 0
    with ticking(board.hart, 0.0002):
        while (trap := board.hart.run()).cause != Cause.ECALL_FROM_U:
            found += trap.cause == HIT
    assert (found, board.x(A0)) == (2000, 2000)


def step(board: Board) -> Trap | None:
    return board.hart.step()


def test_a_step_runs_one_instruction_from_a_breakpoint_or_to_one(board: Board) -> None:
    loop(board, 1)
    board.hart.breakpoints = {at(4)}
    trap = step(board)
    assert trap is not None and (trap.cause, trap.epc) == (HIT, at(4))
    assert step(board) is None
    assert (board.hart.pc, board.x(A0)) == (at(8), 1)
    assert step(board) is None and board.hart.pc == at(12)


def test_read_only_data_is_not_a_place_for_one(board: Board) -> None:
    board.map(9, FREE + 2, RO)
    loop(board, 2)
    board.hart.breakpoints = {address(9, 4), address(20), 1 << 40, (1 << 64) - 4, 0}
    assert hits(board) == []
