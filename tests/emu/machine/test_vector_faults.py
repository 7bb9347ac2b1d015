"""Does the vector get the faults of stores and loads within a run, and none of an AMO as a load?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access, Cause
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, NOP
from tests.emu.machine.board import FREE, RO, RW, RX, Board, address

CODE, OTHER, DATA = 1, 2, 8
PAGES = 100


class Mapper:
    """A vector that maps the page of each fault: readable, for a store also writable."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.faults: list[tuple[int, Access]] = []

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        return None

    def page_fault(self, page: int, access: Access) -> bool:
        self.faults.append((page >> 12, access))
        flags = RW if access is Access.STORE else RO
        self.board.map(page >> 12, FREE + 8 + (page >> 12), flags)
        return True


@pytest.fixture
def board() -> Board:
    board = Board(megabytes=8)
    board.map(CODE, FREE, RX)
    board.map(OTHER, FREE + 1, RX)
    board.hart.vector = Mapper(board)
    return board


def faults(board: Board) -> list[tuple[int, Access]]:
    vector = board.hart.vector
    assert isinstance(vector, Mapper)
    found, vector.faults = vector.faults, []
    return found


@pytest.mark.parametrize("load", [asm.ld(A1, A0), asm.lbu(A1, A0), asm.lr(8, A1, A0)])
def test_a_load_is_handled_without_a_stop(board: Board, load: bytes) -> None:
    board.write_code(FREE, load, asm.ECALL)
    assert board.run(address(CODE), x10=address(DATA)).cause == Cause.ECALL_FROM_U
    assert faults(board) == [(DATA, Access.LOAD)]


def test_a_load_and_then_a_store_are_two_faults(board: Board) -> None:
    board.write_code(FREE, asm.ld(A1, A0), asm.sd(A1, A0), asm.ECALL)
    assert board.run(address(CODE), x10=address(DATA)).cause == Cause.ECALL_FROM_U
    assert faults(board) == [(DATA, Access.LOAD), (DATA, Access.STORE)]


@pytest.mark.parametrize("name", sorted(asm.AMOS))
@pytest.mark.parametrize("before", [0, 3])
def test_the_fault_of_an_amo_is_a_stores(board: Board, name: str, before: int) -> None:
    code = [NOP] * before + [asm.amo(name, 8, A1, A2, A0), asm.ECALL]
    board.write_code(FREE, *code)
    trap = board.run(address(CODE), x10=address(DATA, 8))
    assert (trap.cause, trap.tval) == (Cause.STORE_PAGE_FAULT, address(DATA, 8))
    assert faults(board) == [], "as a read it could be taken for a load"


def test_an_amo_far_from_the_load_does_not_matter_for_ever(board: Board) -> None:
    """An AMO in the code of an earlier call leaves loads to the run loop, but only some of them."""
    board.write_code(FREE + 1, asm.amo("amoadd", 8, A1, A2, A0), asm.ECALL)
    board.map(DATA, FREE + 8 + DATA, RW)
    assert board.run(address(OTHER), x10=address(DATA)).cause == Cause.ECALL_FROM_U
    board.write_code(FREE, asm.ld(A1, A0), asm.lui(A2, 1), asm.add(A0, A0, A2), asm.j(-12))
    board.hart.pc = address(CODE)
    board.set(x10=address(DATA + 1))
    stops = 0
    while (trap := board.hart.run()).page < address(DATA + PAGES):
        assert trap.cause == Cause.LOAD_PAGE_FAULT
        board.map(trap.page >> 12, FREE + 8, RO)
        stops += 1
    assert 0 < stops < PAGES / 2
    assert len(faults(board)) >= PAGES / 2


def test_a_flush_within_the_run_does_not_forget_an_amo(board: Board) -> None:
    """The present page is executed without another fetch."""

    class Flushes(Mapper):
        def page_fault(self, page: int, access: Access) -> bool:
            self.board.hart.flush_tlb()
            return super().page_fault(page, access)

    board.hart.vector = Flushes(board)
    board.write_code(FREE, asm.sd(A1, A0), asm.amo("amoadd", 8, A1, A2, A2), asm.ECALL)
    trap = board.run(address(CODE), x10=address(DATA), x12=address(DATA + 1))
    assert (trap.cause, trap.page) == (Cause.STORE_PAGE_FAULT, address(DATA + 1))


def test_code_with_an_amo_that_was_translated_before(board: Board) -> None:
    board.write_code(FREE, asm.amo("amoadd", 8, A1, A2, A0), asm.ECALL)
    board.map(DATA, FREE + 8 + DATA, RW)
    assert board.run(address(CODE), x10=address(DATA)).cause == Cause.ECALL_FROM_U
    board.hart.flush_tlb()
    trap = board.run(address(CODE), x10=address(DATA + 1))
    assert (trap.cause, trap.page) == (Cause.STORE_PAGE_FAULT, address(DATA + 1))
    assert faults(board) == []
