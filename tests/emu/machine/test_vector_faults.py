"""Does the vector get the faults within a run, with their traps, and none of an AMO as a load?"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access, Cause
from emu.machine.probe import Probe, Stop
from emu.machine.trap import Trap
from tests.emu.machine import asm
from tests.emu.machine.asm import A0, A1, A2, NOP
from tests.emu.machine.board import FREE, RO, RW, RX, Board, address

CODE, OTHER, DATA = 1, 2, 8
PAGES = 100


class Mapper:
    """A vector that maps the page of each fault in ``pages``: readable, for a store also writable,
    for a fetch executable.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.pages = range(1 << 20)
        self.faults: list[tuple[int, Access]] = []
        self.traps: list[Trap | None] = []

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        return None

    def page_fault(self, page: int, access: Access) -> bool:
        self.faults.append((page >> 12, access))
        trap = self.board.hart.offered_trap()
        if trap is not None:
            assert trap.tval & ~0xFFF == page, "only now it can be found"
        self.traps.append(trap)
        if page >> 12 not in self.pages:
            return False
        flags = {Access.STORE: RW, Access.LOAD: RO, Access.FETCH: RX}[access]
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


def test_an_amo_far_from_the_load_does_not_matter(board: Board) -> None:
    """A load's fault is distinguished from an AMO's by its instruction."""
    board.write_code(FREE + 1, asm.amo("amoadd", 8, A1, A2, A0), asm.ECALL)
    board.map(DATA, FREE + 8 + DATA, RW)
    assert board.run(address(OTHER), x10=address(DATA)).cause == Cause.ECALL_FROM_U
    board.write_code(FREE, asm.ld(A1, A0), asm.lui(A2, 1), asm.add(A0, A0, A2), asm.j(-12))
    board.hart.pc = address(CODE)
    board.set(x10=address(DATA + 1))
    pages = range(DATA + 1, DATA + 1 + PAGES)
    vector = board.hart.vector
    assert isinstance(vector, Mapper)
    vector.pages = pages
    assert board.hart.run().page == address(DATA + 1 + PAGES), "the first page that is refused"
    assert faults(board) == [(page, Access.LOAD) for page in (*pages, DATA + 1 + PAGES)]


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


# The trap that a vector is offered, and fetches.


def offered(board: Board) -> list[tuple[Cause, int, int]]:
    vector = board.hart.vector
    assert isinstance(vector, Mapper)
    return [(trap.cause, trap.epc, trap.tval) for trap in vector.traps if trap is not None]


def test_the_trap_has_the_instruction_and_the_exact_address(board: Board) -> None:
    code = [NOP, asm.ld(A1, A0, 8), NOP, asm.sd(A1, A0, 16), asm.lbu(A1, A2, -1), asm.ECALL]
    board.write_code(FREE, *code)
    board.run(address(CODE), x10=address(DATA, 0x120), x12=address(DATA + 2))
    assert offered(board) == [
        (Cause.LOAD_PAGE_FAULT, address(CODE, 4), address(DATA, 0x128)),
        (Cause.STORE_PAGE_FAULT, address(CODE, 12), address(DATA, 0x130)),
        (Cause.LOAD_PAGE_FAULT, address(CODE, 16), address(DATA + 1, 0xFFF)),
    ]


def test_a_straddling_store_is_offered_by_page(board: Board) -> None:
    board.write_code(FREE, NOP, asm.sd(A1, A0), asm.ECALL)
    board.run(address(CODE), x10=address(DATA, 0xFFC))
    assert offered(board) == [
        (Cause.STORE_PAGE_FAULT, address(CODE, 4), address(DATA, 0xFFC)),
        (Cause.STORE_PAGE_FAULT, address(CODE, 4), address(DATA + 1)),
    ]


def test_the_trap_after_other_code_was_mapped_at_the_same_place(board: Board) -> None:
    """Within one run: the instruction that was read before must not be used again."""
    board.write_code(FREE, asm.ECALL, asm.sd(A1, A0, 8), asm.j(-8))
    board.write_code(FREE + 1, asm.ECALL, asm.sd(A1, A0, 24), asm.ILLEGAL)
    frames = iter((FREE, FREE + 1))

    class Remapper(Mapper):
        def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
            self.board.map(CODE, next(frames), RX)
            self.board.unmap(DATA)
            self.board.hart.flush_tlb()
            return arguments[0]

    board.hart.vector = Remapper(board)
    board.run(address(CODE), x10=address(DATA))
    assert [tval for _, _, tval in offered(board)] == [address(DATA, 8), address(DATA, 24)]


def test_a_fetch_at_pc_is_handled_without_a_stop(board: Board) -> None:
    board.write_code(FREE, asm.jr(A0))
    board.write_code(FREE + 8 + DATA, asm.ECALL)
    assert board.run(address(CODE), x10=address(DATA)).epc == address(DATA)
    assert faults(board) == [(DATA, Access.FETCH)]
    assert offered(board) == [(Cause.FETCH_PAGE_FAULT, address(DATA), address(DATA))]


def test_the_part_of_an_instruction_in_another_page_is_not_offered(board: Board) -> None:
    """The instructions before it in the block have not run yet."""
    board.write_code(FREE, asm.sd(A1, A0), asm.ECALL, offset=0xFFA)
    board.unmap(OTHER)
    trap = board.run(address(CODE, 0xFFA), x10=address(DATA))
    assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, address(CODE, 0xFFE))
    assert faults(board) == [(DATA, Access.STORE)]


def test_a_probe_has_to_see_that_the_program_is_interrupted(board: Board) -> None:
    class Nothing(Probe):
        def filled(self, page: int, frame: int) -> None: ...
        def stopped(self, pc: int, stop: Stop) -> None: ...
        def code_changed(self) -> None: ...

    board.hart.attach(lambda engine, fail: Nothing())
    board.write_code(FREE, asm.sd(A1, A0), asm.ECALL)
    board.run(address(CODE), x10=address(DATA))
    assert faults(board) == [(DATA, Access.STORE)]
    assert offered(board) == []


# Other fetches. The code of page N is in frame FREE + 8 + N, where the vector maps it.

FAR = DATA + 4


@pytest.mark.parametrize("offset", [0, 8, 0xFF8])
def test_a_jump_is_handled_without_a_stop(board: Board, offset: int) -> None:
    board.write_code(FREE, asm.jalr(asm.RA, A0))
    board.write_code(FREE + 8 + FAR, asm.jr(asm.RA), offset=offset)
    board.write_code(FREE, asm.ECALL, offset=4)
    trap = board.run(address(CODE), x10=address(FAR, offset))
    assert (trap.cause, trap.epc) == (Cause.ECALL_FROM_U, address(CODE, 4))
    assert faults(board) == [(FAR, Access.FETCH)]


def test_a_run_may_begin_with_a_fetch_that_faults(board: Board) -> None:
    board.write_code(FREE + 8 + FAR, NOP, asm.ECALL)
    assert board.run(address(FAR)).epc == address(FAR, 4)
    assert faults(board) == [(FAR, Access.FETCH)]


def test_running_into_the_next_page(board: Board) -> None:
    board.write_code(FREE + 1, asm.addi(A1, A1, 1), asm.sd(A1, A0), offset=0xFF8)
    board.write_code(FREE + 8 + OTHER + 1, asm.addi(A1, A1, 1), asm.ECALL)
    trap = board.run(address(OTHER, 0xFF8), x10=address(DATA), x11=0)
    assert (trap.cause, board.x(A1)) == (Cause.ECALL_FROM_U, 2)
    assert faults(board) == [(DATA, Access.STORE), (OTHER + 1, Access.FETCH)]


def test_a_page_of_code_that_was_translated_before(board: Board) -> None:
    """The engine finds the old translation; the fetch faults all the same."""
    board.write_code(FREE + 8 + FAR, asm.jr(asm.RA))
    board.write_code(FREE, asm.jalr(asm.RA, A0), asm.ECALL)
    for _ in range(3):
        assert board.run(address(CODE), x10=address(FAR)).cause == Cause.ECALL_FROM_U
        assert faults(board) == [(FAR, Access.FETCH)]
        board.unmap(FAR)
        board.hart.flush_tlb()


def test_a_block_in_two_pages_that_was_translated_before(board: Board) -> None:
    start = address(OTHER, 0xFFA)
    board.write_code(FREE + 1, asm.ld(A1, A2), asm.addi(A0, A0, 1)[:2], offset=0xFFA)
    board.write_code(FREE + 2, asm.addi(A0, A0, 1)[2:], asm.ECALL)
    board.map(OTHER + 1, FREE + 2, RX)
    assert board.run(start, x12=address(DATA)).cause == Cause.ECALL_FROM_U
    assert faults(board) == [(DATA, Access.LOAD)]
    board.unmap(OTHER + 1)
    board.unmap(DATA)
    board.hart.flush_tlb()
    trap = board.run(start, x12=address(DATA))
    assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, address(OTHER, 0xFFE))
    assert faults(board) == [(DATA, Access.LOAD)]


def test_a_step_does_not_fetch_the_next_instruction(board: Board) -> None:
    board.write_code(FREE, asm.jr(A0))
    board.hart.pc = address(CODE)
    board.set(x10=address(FAR))
    assert board.hart.step() is None
    assert board.hart.pc == address(FAR)
    assert faults(board) == []


def test_a_fetch_that_the_vector_refuses_is_a_trap_and_asked_for_once(board: Board) -> None:
    class Refuses(Mapper):
        def page_fault(self, page: int, access: Access) -> bool:
            self.faults.append((page >> 12, access))
            return False

    board.hart.vector = Refuses(board)
    board.write_code(FREE, asm.jr(A0))
    trap = board.run(address(CODE), x10=address(FAR, 6))
    assert (trap.cause, trap.epc, trap.tval) == (Cause.FETCH_PAGE_FAULT, *[address(FAR, 6)] * 2)
    assert faults(board) == [(FAR, Access.FETCH)]


class Unmaps(Mapper):
    """Its call unmaps FAR; every other fault is left to the run loop."""

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        self.board.unmap(FAR)
        self.board.hart.flush_tlb()
        return 0 if number else None

    def page_fault(self, page: int, access: Access) -> bool:
        self.faults.append((page >> 12, access))
        return False


def test_the_engines_fetch_before_a_breakpoint_is_not_the_programs(board: Board) -> None:
    board.map(FAR, FREE + 3, RX)
    board.hart.breakpoints = {address(FAR, 0x100)}
    board.hart.vector = Unmaps(board)
    board.write_code(FREE, asm.ECALL, asm.jr(asm.A3))
    trap = board.run(address(CODE), x13=address(FAR), x17=1)
    assert (trap.cause, trap.epc) == (Cause.FETCH_PAGE_FAULT, address(FAR))
    assert faults(board) == [(FAR, Access.FETCH)]
