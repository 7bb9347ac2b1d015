"""Does the hart read the page tables again exactly when it must?"""

from __future__ import annotations

import random
import time

import pytest

from emu.machine.cause import Access, Cause
from emu.machine.pte import PAGE_SIZE, A, D, R, U, W, X, make_pte, make_satp
from emu.machine.ram import Ram
from emu.machine.registers import Registers
from emu.machine.sv39 import Mmu, Rule, Translation, TranslationFault
from emu.machine.trap import Trap
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, A3, A4, ZERO
from tests.emu.machine.board import CLEAN_RW, FREE, RO, RW, RWX, RX, Board, address

CODE, DATA = 1, 5
LOAD, STORE, FETCH = Access.LOAD, Access.STORE, Access.FETCH


class CountingMmu(Mmu):
    """Counts page table walks."""

    __slots__ = ("walks",)

    def __init__(self, ram: Ram, satp: int) -> None:
        super().__init__(ram)
        self.satp = satp
        self.walks = 0

    def translate(self, va: int, access: Access) -> Translation | TranslationFault:
        self.walks += 1
        return super().translate(va, access)


@pytest.fixture(autouse=True)
def code_page(board: Board) -> None:
    """One routine per kind of access, each ending in an ecall; a0 holds the address."""
    board.map(CODE, FREE, RX)
    board.write_code(FREE, asm.ld(A1, A0), asm.ECALL, asm.sd(A1, A0), asm.ECALL)


def attempt(board: Board, access: Access, page: int = DATA) -> Trap:
    """Does one load, store or fetch of ``page``; an ecall means that it succeeded."""
    if access is FETCH:
        board.write_code(FREE + 1, asm.ECALL)
        return board.run(address(page))
    return board.run(address(CODE, 0 if access is LOAD else 8), x10=address(page))


def allowed(board: Board, access: Access) -> bool:
    trap = attempt(board, access)
    assert trap.cause in (Cause.ECALL_FROM_U, access.page_fault)
    return trap.cause == Cause.ECALL_FROM_U


def rule(board: Board, access: Access) -> Rule:
    trap = attempt(board, access)
    assert trap.cause == access.page_fault
    assert trap.fault is not None
    return trap.fault.rule


# Rights of one entry don't leak to another kind of access.


@pytest.mark.parametrize("first", [LOAD, STORE, FETCH])
@pytest.mark.parametrize(
    ("flags", "rights"),
    [
        (R, {LOAD}),
        (X, {FETCH}),
        (R | X, {LOAD, FETCH}),
        (R | W, {LOAD, STORE}),
        (R | W | X, {LOAD, STORE, FETCH}),
    ],
)
@pytest.mark.parametrize("known", [0, A, A | D])
def test_after_one_access_the_others_need_their_own_right(
    board: Board, first: Access, flags: int, rights: set[Access], known: int
) -> None:
    board.map(DATA, FREE + 1, U | flags | known)
    assert allowed(board, first) is (first in rights)
    for access in (LOAD, STORE, FETCH, STORE, LOAD, FETCH):
        assert allowed(board, access) is (access in rights)


@pytest.mark.parametrize("first", [LOAD, FETCH])
def test_the_first_store_sets_d(board: Board, first: Access) -> None:
    """Though an access before it has already filled the TLB."""
    board.map(DATA, FREE + 1, RWX & ~(A | D))
    assert allowed(board, first)
    assert board.pte(DATA) & (A | D) == A
    assert allowed(board, STORE)
    assert board.pte(DATA) & (A | D) == A | D


def test_each_page_of_a_straddling_store_becomes_dirty(board: Board) -> None:
    for page in (DATA, DATA + 1):
        board.map(page, FREE + page, CLEAN_RW)
    assert board.run(address(CODE, 8), x10=address(DATA, 0xFFC)).cause == Cause.ECALL_FROM_U
    for page in (DATA, DATA + 1):
        assert board.pte(page) & D


def test_svade_faults_instead(board: Board) -> None:
    board.mmu.svade = True
    board.map(CODE, FREE, RX | A)
    board.map(DATA, FREE + 1, U | R | W)
    assert rule(board, LOAD) is Rule.NOT_ACCESSED
    board.map(DATA, FREE + 1, U | R | W | A)
    assert allowed(board, LOAD)
    assert rule(board, STORE) is Rule.NOT_DIRTY
    board.map(DATA, FREE + 1, U | R | W | A | D)
    assert allowed(board, STORE)


# A right taken away needs a flush; a right given doesn't.


@pytest.mark.parametrize("access", [LOAD, STORE, FETCH])
def test_what_faulted_is_looked_up_again(board: Board, access: Access) -> None:
    assert rule(board, access) is Rule.INVALID
    board.map(DATA, FREE + 1, RWX)
    assert allowed(board, access)


def test_w_given_needs_no_flush(board: Board) -> None:
    """As when a copy-on-write page is taken over."""
    board.map(DATA, FREE + 1, RO)
    assert allowed(board, LOAD)
    assert rule(board, STORE) is Rule.NOT_WRITABLE
    board.map(DATA, FREE + 1, RW)
    assert allowed(board, STORE)


def test_another_frame_at_a_store_fault_needs_no_flush(board: Board) -> None:
    """As when a copy-on-write page is copied: the store's miss replaces the page's entry."""
    board.map(DATA, FREE + 1, RO)
    board.write(FREE + 1, bytes([1] * 8))
    assert allowed(board, LOAD)
    assert attempt(board, STORE).cause == Cause.STORE_PAGE_FAULT
    board.ram.copy_frame(board.ppn(FREE + 1), board.ppn(FREE + 2))
    board.map(DATA, FREE + 2, RW)
    board.set(x11=0x77)
    assert board.hart.run().cause == Cause.ECALL_FROM_U
    assert board.read(FREE + 2) == 0x77
    assert board.read(FREE + 1) == 0x0101_0101_0101_0101
    assert attempt(board, LOAD).cause == Cause.ECALL_FROM_U
    assert board.x(A1) == 0x77, "loads see the new frame too"


def test_w_taken_away_holds_after_a_flush(board: Board) -> None:
    board.map(DATA, FREE + 1, RW)
    assert allowed(board, STORE)
    board.map(DATA, FREE + 1, RO)
    assert allowed(board, STORE), "the TLB may go on with what it knows; ours does"
    board.hart.flush_tlb()
    assert rule(board, STORE) is Rule.NOT_WRITABLE
    assert allowed(board, LOAD)


@pytest.mark.parametrize("access", [LOAD, STORE, FETCH])
def test_an_unmapped_page_is_gone_after_a_flush(board: Board, access: Access) -> None:
    board.map(DATA, FREE + 1, RWX)
    assert allowed(board, access)
    board.unmap(DATA)
    board.hart.flush_tlb()
    assert rule(board, access) is Rule.INVALID


def test_d_cleared_is_set_again_after_a_flush(board: Board) -> None:
    board.map(DATA, FREE + 1, RW)
    assert allowed(board, STORE)
    board.map(DATA, FREE + 1, RW & ~D)
    board.hart.flush_tlb()
    assert allowed(board, LOAD)
    assert not board.pte(DATA) & D
    assert allowed(board, STORE)
    assert board.pte(DATA) & D


# Address spaces.


def test_another_satp_is_another_address_space(board: Board) -> None:
    other = board.new_root()
    for root, frame in ((board.root, FREE + 1), (other, FREE + 2)):
        board.ram.store64(board.pte_address(CODE, root), make_pte(board.ppn(FREE), RX | 1))
        board.ram.store64(board.pte_address(DATA, root), make_pte(board.ppn(frame), RW | 1))
        board.write(frame, frame.to_bytes(8, "little"))
    for root, frame in ((board.root, FREE + 1), (other, FREE + 2)) * 3:
        board.hart.set_satp(make_satp(root))
        assert allowed(board, LOAD)
        assert board.x(A1) == frame
        assert allowed(board, STORE)


def test_the_same_satp_again_flushes_nothing(board: Board) -> None:
    """A root that was freed and is used again needs flush_tlb, as sfence.vma on real hardware."""
    board.map(DATA, FREE + 1, RO)
    assert allowed(board, LOAD)
    board.unmap(DATA)
    board.hart.set_satp(make_satp(board.root))
    assert allowed(board, LOAD)
    board.hart.flush_tlb()
    assert not allowed(board, LOAD)


# LR and SC.


def lr_sc(board: Board) -> None:
    """LR, ecall, SC; a2 = 0 when the SC has stored."""
    board.map(DATA, FREE + 1, RW)
    board.write_code(FREE, asm.lr(8, A1, A0), asm.ECALL, asm.sc(8, A2, A3, A0), asm.ECALL)
    board.run_to_ecall(address(CODE), x10=address(DATA), x12=9, x13=5)


def test_a_reservation_outlives_a_trap_of_the_same_program(board: Board) -> None:
    lr_sc(board)
    board.run_to_ecall(address(CODE, 8))
    assert (board.x(A2), board.read(FREE + 1)) == (0, 5)


def test_a_reservation_ends_when_registers_are_loaded(board: Board) -> None:
    lr_sc(board)
    registers = Registers()
    board.hart.save(registers)
    board.hart.load(registers)
    board.run_to_ecall(address(CODE, 8))
    assert (board.x(A2), board.read(FREE + 1)) == (1, 0)


def test_an_sc_that_faulted_succeeds_after_the_repair(board: Board) -> None:
    """Else an SC loop on a copy-on-write page would never end."""
    board.write_code(FREE, asm.lr(8, A1, A0), asm.sc(8, A2, A3, A0), asm.ECALL)
    board.map(DATA, FREE + 1, RO)
    trap = board.run(address(CODE), x10=address(DATA), x12=9, x13=5)
    assert trap.cause == Cause.STORE_PAGE_FAULT
    board.map(DATA, FREE + 2, RW)
    board.run_to_ecall()
    assert (board.x(A2), board.read(FREE + 2)) == (0, 5)


# Size.

TOUCH = (asm.lw(A2, A1), asm.add(A3, A0, A2), asm.ld(A4, A3), asm.addi(A1, A1, 4))
PAGES = 4096  # 16 MiB
FIRST, ORDER = 0x10_0000, 0x800


def random_access(board: Board, accesses: int = 4 * PAGES) -> int:
    """Number of walks of loads from this many pages in random order."""
    assert isinstance(board.mmu, CountingMmu)
    end = address(ORDER, 4 * accesses)
    board.run_to_ecall(address(CODE), x10=address(FIRST), x11=address(ORDER), x15=end)
    walks, board.mmu.walks = board.mmu.walks, 0
    return walks


@pytest.fixture
def big() -> Board:
    """PAGES pages of data, and a list of their offsets in random order, each four times."""
    board = Board(megabytes=32)
    board.hart.mmu = CountingMmu(board.ram, board.mmu.satp)
    board.map(CODE, FREE, RX)
    board.write_code(FREE, *TOUCH, asm.bne(A1, asm.A5, -16), asm.ECALL)
    for page in range(PAGES):
        board.map(FIRST + page, FREE + 16 + page, RO)
    generator = random.Random(16)
    order = [generator.randrange(PAGES) for _ in range(4 * PAGES)]
    data = b"".join((n * PAGE_SIZE).to_bytes(4, "little") for n in order)
    for page in range(16):
        board.map(ORDER + page, FREE + 16 + PAGES + page, RO)
        part = data[page * PAGE_SIZE :][:PAGE_SIZE]
        board.write(FREE + 16 + PAGES + page, part)
    return board


def test_the_tlb_grows_to_a_large_working_set(big: Board) -> None:
    assert random_access(big) < 3.5 * PAGES
    again = [random_access(big) for _ in range(4)]
    assert min(again) < PAGES // 4, "it doesn't thrash: most accesses hit"


def test_the_tlb_grows_again_after_small_work(big: Board) -> None:
    """The engine shrinks a TLB that was little used for a while when it is flushed."""
    for _ in range(3):
        random_access(big)
    for _ in range(4):
        time.sleep(0.06)
        big.hart.flush_tlb()
        random_access(big, 4)
    walks = [random_access(big) for _ in range(5)]
    assert min(walks) < PAGES // 4


def test_an_entry_per_page_not_per_access(board: Board) -> None:
    board.map(DATA, FREE + 1, RW)
    board.hart.mmu = mmu = CountingMmu(board.ram, board.mmu.satp)
    body = (asm.ld(A1, A0), asm.sd(A1, A0, 8), asm.addi(A4, A4, -1), asm.bne(A4, ZERO, -12))
    board.write_code(FREE, *body, asm.ECALL)
    board.run_to_ecall(address(CODE), x10=address(DATA), x14=1000)
    assert mmu.walks <= 4
